/* Who goes to sleep says so, has all running threads pass a barrier, and looks once more (runtime/wake.h). What others did by
 * then, without having seen that somebody sleeps, that look has to find: they won't wake him.
 *
 * Here the barrier is this program's own, so that it can do just that at the last moment, each time. Without the barrier, or
 * without the look behind it, there is a sleep that nobody ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#include "../../../tests/kernels/contract_a.rk.h"
#include "../../runtime/core.h"
#include "../../runtime/fence.h"

#define PATIENCE RK_SECONDS(20)
#define CAPACITY 16u

static rk_runtime *runtime;
static rk_kernel kernel;

/* ------------------------------------------------------------------ the barrier, in fence.c's stead */

static void (*last_moment)(void); /* of the next who sleeps on `sleeper`; 0: none. Atomic, and so is: */
static const rk_u32 *sleeper;
int rk_fence_asks;

void rk_fence_open(void)
{
    const long refused = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0u, 0);
    __atomic_store_n(&rk_fence_asks, refused == 0, __ATOMIC_RELAXED);
}

void rk_fence_heavy(void)
{
    const rk_u32 *word = __atomic_load_n(&sleeper, __ATOMIC_ACQUIRE);
    if (word && __atomic_load_n(word, __ATOMIC_ACQUIRE)) {
        void (*act)(void) = __atomic_exchange_n(&last_moment, 0, __ATOMIC_ACQ_REL);
        if (act) act();
    }
    rk_fence(RK_SEQ_CST, RK_SCOPE_SYSTEM);
    if (rk_fence_is_asked())
        assert_int_equal(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0u, 0), 0);
}

static void at_the_last_moment_of(const rk_u32 *word, void (*act)(void))
{
    __atomic_store_n(&last_moment, act, __ATOMIC_RELEASE);
    __atomic_store_n(&sleeper, word, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------------ the kernel's lanes */

static rk_ring *ring_of(rk_u64 lane)
{
    return rk_lane_ring((rk_lane *)(void *)(runtime->arena.base + lane), runtime->arena.base, 0);
}
static const rk_shard *shard(void) { return runtime->kernels[kernel.number]->seats[0].shard; }
static rk_ring *inbox(void) { return ring_of(shard()->lane[0]); }
static rk_ring *outbox(void) { return ring_of(shard()->out_lane); }

/* As who had looked at the word of a sleeper before, when nobody slept. */
static void publish_into(rk_ring *ring)
{
    const probe body = { 7, 0 };
    const rk_claim claim = rk_ring_claim(ring, 1);
    const rk_header_long header = { .base = { .type = RK_TYPE_ID(probe), .length = sizeof body } };
    rk_byte *slot = rk_ring_slot(ring, runtime->arena.base, claim.first);
    assert_int_equal(claim.count, 1);
    rk_seq_write(ring, slot, (const rk_u32 *)(const void *)&header, &body, sizeof body);
    rk_ring_publish(ring, slot, claim.first);
}
static void send_unseen(void) { publish_into(inbox()); }
static void answer_unseen(void) { publish_into(outbox()); }
static void make_room_unseen(void) { rk_ring_commit(inbox(), inbox()->head + 1u); }

/* Nobody else looks after a lane in that time. */
static int open_runtime(void **state)
{
    (void)state;
    const rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 1, .unpinned = 1, .spin_ns = 1000,
                                         .stall_limit_ns = 10 * PATIENCE };
    rk_launch_options launch = rk_production();
    launch.deduplication_window = 0;
    launch.queue_capacity = CAPACITY;
    at_the_last_moment_of(0, 0);
    return rk_open(&options, &runtime) != RK_OK || rk_launch(runtime, "echo", &launch, &kernel) != RK_OK;
}

static int close_runtime(void **state)
{
    (void)state;
    return rk_close(runtime) != RK_OK;
}

static void assert_answered(rk_u64 timeout_ns)
{
    probe answer = { 0 };
    assert_int_equal(rk_receive(runtime, kernel, &answer, sizeof answer, 0, timeout_ns), RK_OK);
    assert_int_equal(answer.number, 7);
}

/* Given a worker that is about to sleep, when a message comes of which nobody tells it, then it is handled. */
static void a_message_before_a_workers_barrier_is_found_behind_it(void **state)
{
    (void)state;
    at_the_last_moment_of(&inbox()->asleep, send_unseen);
    assert_int_equal(rk_activate(runtime, kernel), RK_OK);
    assert_answered(PATIENCE);
}

/* Given a receiver that is about to sleep, when an answer comes of which nobody tells him, then he has it. */
static void an_answer_before_a_receivers_barrier_is_found_behind_it(void **state)
{
    (void)state;
    at_the_last_moment_of(&outbox()->asleep, answer_unseen);
    assert_answered(PATIENCE);
}

/* Given a sender for whom there is no room, when some is made of which nobody tells him, then he sends. */
static void room_before_a_senders_barrier_is_found_behind_it(void **state)
{
    (void)state;
    const probe body = { 1, 0 };
    for (rk_u32 i = 0; i < CAPACITY; i++) assert_int_equal(rk_send(runtime, kernel, RK_BODY(body), 0), RK_OK);
    at_the_last_moment_of(&inbox()->waiting, make_room_unseen);
    const rk_send_options options = { .timeout_ns = PATIENCE };
    assert_int_equal(rk_send(runtime, kernel, RK_BODY(body), &options), RK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_before_a_workers_barrier_is_found_behind_it, open_runtime,
                                        close_runtime),
        cmocka_unit_test_setup_teardown(an_answer_before_a_receivers_barrier_is_found_behind_it, open_runtime,
                                        close_runtime),
        cmocka_unit_test_setup_teardown(room_before_a_senders_barrier_is_found_behind_it, open_runtime,
                                        close_runtime),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
