/* Log lines of threads that run at the same time, as those of a block do on a device: each comes whole and once, in the
 * order of its thread, or is counted. The code is what devices compile; threads of the host stand for theirs. */
#include "spmd_fixture_test.h"

#include "../../state/together_test.h"

enum { LINES = 400000, VOICES = TOGETHER_MOST - 1u };

typedef struct listener {
    block *b;
    rk_u32 done;         /* voices that are through; atomic */
    rk_u64 next[VOICES]; /* the least number that the next line of each may have */
    rk_u64 heard;
} listener;

static void *sing(together *self, listener *l)
{
    rk_context mine = l->b->context;
    for (rk_u64 i = 1; i <= LINES; i++) {
        rk_u64 who = self->context.thread;
        rk_write_log(&mine, RK_INFO,
                     who == 1   ? "first"
                     : who == 2 ? "second"
                                : "third",
                     2, who << 32 | i, ~i);
        if (i % 512 == 0) sched_yield();
    }
    __atomic_fetch_add(&l->done, 1, __ATOMIC_RELEASE);
    return 0;
}

static void hear(together *self, listener *l, const rk_log_message *log)
{
    static const char *const texts[] = { "first", "second", "third" };
    rk_u64 who = log->line.value[0] >> 32, number = log->line.value[0] & 0xffffffffu;
    l->heard++;
    if (who < 1 || who > VOICES || log->line.value[1] != ~number || number < l->next[who - 1] ||
        strcmp((const char *)log->line.text, texts[who - 1]) != 0 || log->report.kind != RK_REPORT_LOG) {
        self->wrong++;
        return;
    }
    l->next[who - 1] = number + 1;
}

static void *sing_or_listen(void *argument)
{
    together *self = argument;
    listener *l = self->subject;
    if (self->context.thread) return sing(self, l);
    rk_byte *arena = l->b->arena;
    rk_ring *ring = rk_lane_ring((rk_lane *)(void *)(arena + l->b->shard->report_lane), arena, 0);
    for (rk_u32 round = 0, over = 0; !over; round++) {
        over = __atomic_load_n(&l->done, __ATOMIC_ACQUIRE) == VOICES;
        rk_u32 n = rk_ring_ready(ring, arena, ring->head, LOG_SLOTS);
        for (rk_u32 i = 0; i < n; i++)
            hear(self, l, (const rk_log_message *)(void *)rk_ring_slot(ring, arena, ring->head + i));
        if (n) rk_ring_commit(ring, ring->head + n);
        over &= n == 0;
        rk_port_spin(n ? 0 : round);
    }
    return 0;
}

static void given_threads_that_log_at_the_same_time_each_line_is_whole_or_counted(void **state)
{
    (void)state;
    block b;
    block_open(&b, 32, 1);
    b.shard->log_limit = VOICES * LINES - 1000u;
    listener l = { .b = &b };
    run_together(TOGETHER_MOST, sing_or_listen, &l);
    assert_true(l.heard > 0);
    assert_int_equal(l.heard, b.shard->turn.log_lines);
    assert_int_equal(l.heard + b.shard->meter.logs_suppressed, VOICES * LINES);
    assert_in_range(l.heard, 1, b.shard->log_limit);
    block_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_threads_that_log_at_the_same_time_each_line_is_whole_or_counted),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
