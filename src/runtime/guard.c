#include "guard.h"

#include <sched.h>
#include <stdlib.h>

#include "futex.h"
#include "../lane/reserve.h"

static pthread_mutex_t records_lock = PTHREAD_MUTEX_INITIALIZER;
static rk_thread_record *records;
static pthread_key_t record_key;
static pthread_once_t record_once = PTHREAD_ONCE_INIT;
__thread rk_thread_record *rk_thread_mine;

/* The thread exits: what it reserved and did not commit is repaired. */
static void record_free(void *pointer)
{
    rk_thread_record *record = pointer;
    rk_reservations_repair(record);
    pthread_mutex_lock(&records_lock);
    for (rk_thread_record **link = &records; *link; link = &(*link)->next)
        if (*link == record) {
            *link = record->next;
            break;
        }
    pthread_mutex_unlock(&records_lock);
    free(record);
    rk_thread_mine = 0;
}

#define GATE_LOOK_NS RK_MILLISECONDS(100)

static void record_key_make(void) { pthread_key_create(&record_key, record_free); }

rk_thread_record *rk_thread_make(void)
{
    pthread_once(&record_once, record_key_make);
    rk_thread_record *record = calloc(1, sizeof *record);
    if (!record || pthread_setspecific(record_key, record)) {
        free(record);
        return 0;
    }
    pthread_mutex_lock(&records_lock);
    record->next = records;
    records = record;
    pthread_mutex_unlock(&records_lock);
    return rk_thread_mine = record;
}

rk_status rk_guard_enter(rk_runtime *runtime, rk_kernel handle, rk_thread_record **record,
                         rk_host_kernel **kernel)
{
    rk_thread_record *self = rk_thread_own();
    if (!self) return rk_error(RK_OUT_OF_MEMORY, "no memory for the thread's record");
    if (!rk_is_open(runtime)) return rk_error(RK_CLOSED, "the runtime is closed");
    rk_host_kernel *k = handle.number == 0 || handle.number > RK_KERNELS_MAX
                            ? 0
                            : __atomic_load_n(&runtime->kernels[handle.number], __ATOMIC_ACQUIRE);
    if (!k)
        return rk_error(RK_NO_SUCH_KERNEL, "kernel handle %u.%u: there is no such kernel", handle.number,
                        handle.generation);
    const int is_open = rk_guard_announce(self, k);
    if (__atomic_load_n(&k->generation, __ATOMIC_ACQUIRE) != handle.generation) {
        rk_guard_leave(self);
        return rk_error(RK_STALE, "kernel handle %u.%u: that kernel is gone", handle.number,
                        handle.generation);
    }
    if (!is_open) {
        rk_guard_leave(self);
        return RK_BUSY;
    }
    *record = self;
    *kernel = k;
    return RK_OK;
}

void rk_guard_wait(rk_runtime *runtime, rk_kernel handle, rk_u64 deadline_ns)
{
    if (!rk_is_open(runtime)) return;
    rk_host_kernel *k = __atomic_load_n(&runtime->kernels[handle.number], __ATOMIC_ACQUIRE);
    rk_u64 now = rk_monotonic_ns();
    if (!k || now >= deadline_ns || rk_atomic_u32(&k->gate)) return;
    /* A gate that stays shut, since the kernel has ended, is told once; who came too late for that looks again. */
    const rk_u64 left_ns = deadline_ns - now < GATE_LOOK_NS ? deadline_ns - now : GATE_LOOK_NS;
    if (rk_atomic_u32(&k->generation) == handle.generation) rk_futex_wait(&k->gate, 0, left_ns);
}

void rk_gate_close(rk_host_kernel *kernel)
{
    __atomic_store_n(&kernel->gate, 0, __ATOMIC_RELEASE);
    /* A thread that makes its record from here on does so under the lock, behind this, and finds the gate shut. */
    pthread_mutex_lock(&records_lock);
    const int others = records && (records != rk_thread_mine || records->next);
    if (others) rk_fence_heavy(); /* G2 */
    /* Those who sleep for room or messages leave the guard first, so this wait is as long as one call on the
     * message path. */
    for (rk_thread_record *record = records; record; record = record->next)
        while (record != rk_thread_mine && __atomic_load_n(&record->inside, __ATOMIC_ACQUIRE) == kernel)
            sched_yield();
    pthread_mutex_unlock(&records_lock);
}

void rk_gate_open(rk_host_kernel *kernel)
{
    rk_atomic_set_u32(&kernel->gate, 1);
    rk_futex_wake(&kernel->gate);
}

void rk_guard_forget(rk_runtime *runtime)
{
    pthread_mutex_lock(&records_lock);
    for (rk_thread_record *record = records; record; record = record->next)
        for (rk_u32 i = 0; i < RK_RESERVATIONS_MAX; i++)
            if (record->reserved[i].kernel && record->reserved[i].kernel->runtime == runtime)
                rk_reserved_forget(&record->reserved[i]);
    pthread_mutex_unlock(&records_lock);
}
