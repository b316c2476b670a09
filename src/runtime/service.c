#include "service.h"

#include <stdio.h>

#include "futex.h"
#include "guard.h"
#include "report.h"
#include "wake.h"

/* Use a kernel's seats from this thread, if it is placed and not being relaunched. */
static int enter(rk_thread_record *self, rk_host_kernel *k)
{
    if (rk_guard_announce(self, k)) return 1;
    rk_guard_leave(self);
    return 0;
}

static rk_u32 collect(rk_runtime *runtime, rk_thread_record *self)
{
    rk_u32 taken = 0;
    rk_u32 count = __atomic_load_n(&runtime->kernel_count, __ATOMIC_ACQUIRE);
    for (rk_u32 n = 1; n <= count; n++) {
        rk_host_kernel *k = __atomic_load_n(&runtime->kernels[n], __ATOMIC_ACQUIRE);
        if (!k || !enter(self, k)) continue;
        taken += rk_reports_collect(k);
        rk_guard_leave(self);
    }
    return taken;
}

/* Say in each report lane that its consumer sleeps (W2); the look afterwards is the caller's. */
static void announce_sleep(rk_runtime *runtime, rk_thread_record *self)
{
    rk_u32 count = __atomic_load_n(&runtime->kernel_count, __ATOMIC_ACQUIRE);
    for (rk_u32 n = 1; n <= count; n++) {
        rk_host_kernel *k = __atomic_load_n(&runtime->kernels[n], __ATOMIC_ACQUIRE);
        if (!k || !enter(self, k)) continue;
        for (rk_u32 s = 0; s < k->seat_count; s++) {
            rk_ring *ring = rk_lane_ring(rk_seat_lane(&k->seats[s], RK_LANE_REPORT), runtime->arena.base, 0);
            if (!rk_load_u32(&ring->asleep, RK_RELAXED, RK_SCOPE_DEVICE)) rk_wake_ask(&ring->asleep);
        }
        rk_guard_leave(self);
    }
}

/* A kernel with pending messages whose shard makes no progress for the stall limit is stalled; idle is
 * not. */
static void watch_kernel(rk_host_kernel *k, rk_u64 now)
{
    rk_u32 stalled = 0;
    rk_look(k);
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        rk_seat *seat = &k->seats[s];
        rk_u64 progress = __atomic_load_n(&seat->shard->meter.progress, __ATOMIC_ACQUIRE);
        rk_u32 pending = 0;
        for (rk_u32 w = 0; w < 2; w++)
            pending |= rk_lane_depth(rk_seat_lane(seat, w), k->runtime->arena.base);
        const int is_new = seat->watched_since_ns == 0;
        if (progress != seat->watched_progress || !pending || is_new ||
            rk_atomic_u32(&k->life) != RK_LIFE_ACTIVE) {
            seat->watched_progress = progress;
            seat->watched_since_ns = now;
        } else if (now - seat->watched_since_ns >= k->runtime->options.stall_limit_ns) {
            stalled = 1;
        }
    }
    if (stalled != rk_atomic_u32(&k->stalled)) {
        rk_atomic_set_u32(&k->stalled, stalled);
        rk_runtime_log(k->runtime, RK_WARNING, k->id, 0,
                       stalled
                           ? "stalled: messages are pending, and no batch was finished for the stall limit"
                           : "makes progress again");
    }
}

static void watch(rk_runtime *runtime, rk_thread_record *self, rk_u64 now)
{
    rk_u32 count = __atomic_load_n(&runtime->kernel_count, __ATOMIC_ACQUIRE);
    for (rk_u32 n = 1; n <= count; n++) {
        rk_host_kernel *k = __atomic_load_n(&runtime->kernels[n], __ATOMIC_ACQUIRE);
        if (!k || !enter(self, k)) continue;
        watch_kernel(k, now);
        rk_guard_leave(self);
    }
    /* Who holds the control lock may wait for the very worker that is stuck: that call deals with it
     * itself. */
    if (pthread_mutex_trylock(&runtime->control) == 0) {
        runtime->backend->watch(runtime, now);
        pthread_mutex_unlock(&runtime->control);
    }
}

/* This thread's record, as soon as there is memory for it; 0: the runtime closes first. */
static rk_thread_record *own_record(rk_runtime *runtime)
{
    for (;;) {
        const rk_u32 seen = __atomic_load_n(&runtime->service_event, __ATOMIC_SEQ_CST);
        rk_thread_record *self = rk_thread_own();
        if (self || rk_atomic_u32(&runtime->service_stop)) return self;
        rk_futex_wait(&runtime->service_event, seen, RK_MILLISECONDS(1));
    }
}

static void *service_main(void *argument)
{
    rk_runtime *runtime = argument;
    rk_thread_record *self = own_record(runtime);
    if (!self) return 0;
    rk_u64 last_watch = rk_monotonic_ns();
    /* Time in which this thread did run: when the process was stopped, nobody is to blame for having made no
     * progress. */
    rk_u64 awake_ns = 0;
    for (;;) {
        rk_u32 seen = __atomic_load_n(&runtime->service_event, __ATOMIC_SEQ_CST);
        if (rk_atomic_u32(&runtime->service_stop))
            break; /* looked at after the event: or its ring is missed */
        rk_u32 taken = collect(runtime, self);
        rk_u64 now = rk_monotonic_ns(),
               tick = __atomic_load_n(&runtime->watch_limit_ns, __ATOMIC_ACQUIRE) / 4;
        if (now - last_watch >= tick) {
            awake_ns += now - last_watch < 2 * tick ? now - last_watch : tick;
            watch(runtime, self, awake_ns);
            last_watch = now;
        }
        if (taken) continue;
        announce_sleep(runtime, self);
        if (collect(runtime, self)) continue;
        rk_u64 sleep = last_watch + tick - now;
        if (!rk_atomic_u32(&runtime->rings) && sleep > RK_MILLISECONDS(1)) sleep = RK_MILLISECONDS(1);
        rk_futex_wait(&runtime->service_event, seen, sleep);
    }
    return 0;
}

rk_status rk_service_start(rk_runtime *runtime)
{
    if (runtime->options.single_step) return RK_OK;
    runtime->watch_limit_ns = runtime->options.stall_limit_ns;
    if (pthread_create(&runtime->service, 0, service_main, runtime))
        return rk_error(RK_OUT_OF_MEMORY, "can't start the service thread");
    pthread_setname_np(runtime->service, "rk-service");
    runtime->service_runs = 1;
    return RK_OK;
}

void rk_service_stop(rk_runtime *runtime)
{
    if (!runtime->service_runs) return;
    rk_atomic_set_u32(&runtime->service_stop, 1);
    rk_event_raise(&runtime->service_event);
    pthread_join(runtime->service, 0);
    runtime->service_runs = 0;
}

void rk_service_watch(rk_runtime *runtime, rk_u64 limit_ns)
{
    rk_u64 is = __atomic_load_n(&runtime->watch_limit_ns, __ATOMIC_ACQUIRE);
    while (limit_ns && limit_ns < is &&
           !__atomic_compare_exchange_n(&runtime->watch_limit_ns, &is, limit_ns, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {}
    rk_service_ring(runtime);
}

void rk_service_ring(rk_runtime *runtime)
{
    if (runtime->service_runs) rk_event_raise(&runtime->service_event);
}
