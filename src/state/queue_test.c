/* The queue against a plain ring, at the end of its numbers, held up in the worst place, and with several
 * threads. */
#include "together_test.h"

#include <ringkernel/state/queue.h>

typedef struct item {
    rk_u32 from, number;
} item;
RK_QUEUE(line, 64, item)
RK_QUEUE(pair, 2, rk_u64)
RK_QUEUE(lone, 1, rk_u64)

/* An empty queue through which `passed` entries have gone. */
static void age(rk_queue_ends *ends, rk_u32 *turn, rk_u32 places, rk_u32 passed)
{
    ends->tail = ends->head = passed;
    for (rk_u32 n = 0; n < places; n++) turn[(passed + n) % places] = rk_queue_turn(passed + n, places);
}

static void random_operations_do_what_a_ring_does(void **state)
{
    (void)state;
    /* from the beginning, and where positions go from 2^32 - 1 to 0 */
    for (rk_u32 begin = 0; begin < 2; begin++) {
        line *queue = fresh(sizeof *queue);
        item reference[64];
        rk_u32 head = 0, tail = 0, fulls = 0, empties = 0;
        dice d = { begin + 5u };
        if (begin) age(&queue->ends, queue->turn, 64, 0u - 20000u);
        for (rk_u32 n = 0; n < 100000; n++) {
            item i = { (rk_u32)draw(&d), n };
            if (draw_below(&d, 10) < (n / 1000u % 2u ? 3u : 7u)) {
                rk_status status = line_put(queue, &i);
                assert_int_equal(status, tail - head < 64u ? RK_OK : RK_FULL);
                fulls += status == RK_FULL;
                if (status == RK_OK) reference[tail++ % 64u] = i;
            } else {
                rk_status status = line_take(queue, &i);
                assert_int_equal(status, tail != head ? RK_OK : RK_EMPTY);
                empties += status == RK_EMPTY;
                if (status == RK_OK) assert_memory_equal(&i, &reference[head++ % 64u], sizeof i);
            }
            assert_int_equal(line_count(queue), tail - head);
        }
        assert_true(fulls > 0 && empties > 0 && tail > 20000u);
        free(queue);
    }
}

static void queues_of_one_and_two_places_keep_their_bounds(void **state)
{
    (void)state;
    lone one = { .ends = { .tail = 0 } };
    pair two = { .ends = { .tail = 0 } };
    rk_u64 value;
    for (rk_u64 n = 1; n < 100; n++) {
        assert_int_equal(lone_take(&one, &value), RK_EMPTY);
        assert_int_equal(lone_put(&one, &n), RK_OK);
        assert_int_equal(lone_put(&one, &n), RK_FULL);
        assert_int_equal(lone_take(&one, &value), RK_OK);
        assert_int_equal(value, n);
        assert_int_equal(pair_put(&two, &n), RK_OK);
        if (n == 1) continue;
        assert_int_equal(pair_put(&two, &n), RK_FULL);
        assert_int_equal(pair_take(&two, &value), RK_OK);
        assert_int_equal(value, n - 1u);
    }
}

static void who_is_held_up_by_another_that_is_not_done_is_told(void **state)
{
    (void)state;
    /* given one who has claimed a place and put nothing there yet */
    pair queue = { .ends = { .tail = 0 } };
    rk_u64 value = 1;
    rk_u32 p;
    assert_int_equal(rk_queue_claim_put(&queue.ends, queue.turn, 2, &p), RK_OK);

    /* when others put and take, then that isn't empty, and comes to no other */
    assert_int_equal(pair_put(&queue, &value), RK_OK);
    assert_int_equal(pair_take(&queue, &value), RK_BUSY);
    assert_int_equal(pair_put(&queue, &value), RK_FULL);
    queue.value[p] = 7;
    rk_store_u32(&queue.turn[p], 1u, RK_RELEASE, RK_SCOPE_DEVICE);
    assert_int_equal(pair_take(&queue, &value), RK_OK);
    assert_int_equal(value, 7);

    /* and of one who has claimed to take and isn't done, the same: there is a place, but not yet */
    assert_int_equal(rk_queue_claim_take(&queue.ends, queue.turn, 2, &p), RK_OK);
    assert_int_equal(pair_put(&queue, &value), RK_OK);
    assert_int_equal(pair_put(&queue, &value), RK_BUSY);
    assert_int_equal(pair_count(&queue), 1);
}

/* ------------------------------------------------------------------ several threads */

#define EACH 20000u
static rk_u8 taken[TOGETHER_MOST][EACH];

/* Entries of one sender come in their order, by whoever takes: each taker sees them grow. */
static void take_one(together *self, line *queue, rk_u32 *last)
{
    item i;
    rk_status status = line_take(queue, &i);
    if (status != RK_OK) {
        self->wrong += status != RK_EMPTY && status != RK_BUSY;
        return;
    }
    self->wrong += i.number + 1u <= last[i.from];
    last[i.from] = i.number + 1u;
    __atomic_fetch_add(&taken[i.from][i.number], 1, __ATOMIC_RELAXED);
}

static void *put_and_take(void *argument)
{
    together *self = argument;
    line *queue = self->subject;
    rk_u32 last[TOGETHER_MOST] = { 0 };
    for (rk_u32 n = 0; n < EACH; together_breathe(self)) {
        rk_status status = line_put(queue, &(item){ self->context.thread, n });
        n += status == RK_OK;
        self->wrong += status != RK_OK && status != RK_FULL && status != RK_BUSY;
        if (status == RK_BUSY) sched_yield();
        if (status != RK_OK || draw_below(&self->draws, 2)) take_one(self, queue, last);
    }
    return 0;
}

static void what_threads_put_is_taken_once_and_in_order(void **state)
{
    (void)state;
    line *queue = fresh(sizeof *queue);
    item i;
    memset(taken, 0, sizeof taken);
    run_together(4, put_and_take, queue);
    while (line_take(queue, &i) == RK_OK) taken[i.from][i.number]++;
    for (rk_u32 t = 0; t < 4; t++)
        for (rk_u32 n = 0; n < EACH; n++) assert_int_equal(taken[t][n], 1);
    assert_int_equal(line_count(queue), 0);
    free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_do_what_a_ring_does),
        cmocka_unit_test(queues_of_one_and_two_places_keep_their_bounds),
        cmocka_unit_test(who_is_held_up_by_another_that_is_not_done_is_told),
        cmocka_unit_test(what_threads_put_is_taken_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
