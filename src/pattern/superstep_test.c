/* The superstep's protocol by itself: participants and the lanes between them as plain arrays, in every order that a
 * seed brings about. */
#include <ringkernel/pattern/superstep.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 9, STEPS = 60, QUEUE = 64 };

typedef struct word {
    rk_u32 step, from, number, is_end;
    rk_step_end end;
} word;

/* The lane from one participant to another: first in, first out. */
typedef struct pipe {
    word queued[QUEUE];
    rk_u32 first, count;
} pipe;

typedef struct world {
    rk_superstep s[MOST];
    pipe lane[MOST][MOST];
    rk_u32 participants, random;
    rk_u32 sent_in[STEPS + 2], seen[MOST][2]; /* of a step by all; by each, by the step's lowest bit */
} world;

static rk_u32 draw(world *w, rk_u32 below)
{
    w->random = w->random * 1664525u + 1013904223u;
    return (w->random >> 8) % below;
}

static void put(world *w, rk_u32 from, rk_u32 to, word m)
{
    pipe *p = &w->lane[from][to];
    assert_true(p->count < QUEUE);
    p->queued[(p->first + p->count++) % QUEUE] = m;
}

static void send_step(world *w, rk_u32 p)
{
    for (rk_u32 to = 0; to < w->participants; to++) {
        for (rk_u32 n = draw(w, 4); n > 0; n--) {
            word m = { 0 };
            rk_superstep_stamp(&w->s[p], to, &m);
            put(w, p, to, m);
            w->sent_in[w->s[p].step]++;
        }
        word last = { .is_end = 1, .end = rk_superstep_end(&w->s[p], to, p, 1) };
        put(w, p, to, last);
    }
}

/* What was sent in the step that is over is what was seen of it, no more and no less. */
static void advance(world *w, rk_u32 p)
{
    rk_u32 before = w->s[p].step;
    if (!rk_superstep_next(&w->s[p])) return;
    assert_int_equal(w->s[p].step, before + 1);
    if (before > 0) {
        assert_int_equal(w->s[p].total[0], w->participants * (w->participants - 1) / 2);
        assert_int_equal(w->s[p].total[1], w->participants);
    }
    if (w->s[p].step <= STEPS) send_step(w, p);
}

static void receive(world *w, rk_u32 from, rk_u32 to)
{
    pipe *lane = &w->lane[from][to];
    if (lane->count == 0) return;
    word m = lane->queued[lane->first];
    lane->first = (lane->first + 1) % QUEUE;
    lane->count--;
    rk_superstep *s = &w->s[to];
    rk_u32 step = m.is_end ? m.end.step : m.step;
    rk_u32 is = m.is_end ? rk_superstep_arrive(s, &m.end) : rk_superstep_take(s, &m);
    assert_int_equal(is, step == s->step ? RK_SUPERSTEP_NOW : RK_SUPERSTEP_EARLY);
    if (!m.is_end) w->seen[to][step & 1u]++;
}

static void no_message_of_a_later_step_is_seen_whatever_the_order(void **state)
{
    (void)state;
    for (rk_u32 seed = 1; seed <= 200; seed++) {
        world *w = calloc(1, sizeof *w);
        assert_non_null(w);
        w->random = seed;
        w->participants = 1 + seed % MOST;
        rk_u32 seen_in[STEPS + 2] = { 0 }, ended = 0;
        for (rk_u32 p = 0; p < w->participants; p++) /* numbers wrap on the way */
            for (rk_u32 q = 0; q < w->participants; q++) w->s[p].sent[q] = w->s[q].taken[p] = 0xfffffff0u;
        rk_u32 begun[MOST] = { 0 };
        while (ended < w->participants) {
            rk_u32 p = draw(w, w->participants), before = w->s[p].step;
            if (!begun[p] && draw(w, 50) == 0) /* late: the others' first messages are there */
                begun[p] = rk_superstep_begin(&w->s[p], p, w->participants) == RK_OK;
            for (rk_u32 n = draw(w, 6); n > 0; n--) receive(w, draw(w, w->participants), p);
            if (before > STEPS || draw(w, 3)) continue;
            rk_u32 seen = w->seen[p][before & 1u];
            advance(w, p);
            if (w->s[p].step == before) continue;
            seen_in[before] += seen;
            w->seen[p][before & 1u] = 0;
            ended += w->s[p].step == STEPS + 1;
        }
        for (rk_u32 k = 1; k <= STEPS; k++) assert_int_equal(seen_in[k], w->sent_in[k]);
        for (rk_u32 p = 0; p < w->participants; p++)
            assert_int_equal(w->s[p].duplicate + w->s[p].lost + w->s[p].unknown, 0);
        free(w);
    }
}

/* Two participants, both in step 1. */
static void begin_two(rk_superstep s[2])
{
    memset(s, 0, 2 * sizeof *s);
    for (rk_u32 p = 0; p < 2; p++) {
        assert_int_equal(rk_superstep_begin(&s[p], p, 2), RK_OK);
        assert_int_equal(rk_superstep_next(&s[p]), 1);
    }
}

static void a_message_that_comes_twice_counts_once(void **state)
{
    (void)state;
    rk_superstep s[2];
    begin_two(s);
    word m = { 0 };
    rk_superstep_stamp(&s[1], 0, &m);
    assert_int_equal(rk_superstep_take(&s[0], &m), RK_SUPERSTEP_NOW);
    assert_int_equal(rk_superstep_take(&s[0], &m), RK_SUPERSTEP_DUPLICATE);

    rk_step_end theirs = rk_superstep_end(&s[1], 0, 5, 0), own = rk_superstep_end(&s[0], 0, 7, 0);
    assert_int_equal(rk_superstep_arrive(&s[0], &theirs), RK_SUPERSTEP_NOW);
    assert_int_equal(rk_superstep_arrive(&s[0], &theirs), RK_SUPERSTEP_DUPLICATE);
    assert_int_equal(rk_superstep_is_complete(&s[0]), 0); /* two ends of one are no end of two */
    assert_int_equal(rk_superstep_arrive(&s[0], &own), RK_SUPERSTEP_NOW);
    assert_int_equal(rk_superstep_next(&s[0]), 1);
    assert_int_equal(s[0].total[0], 12);
    assert_int_equal(rk_superstep_arrive(&s[0], &theirs), RK_SUPERSTEP_DUPLICATE); /* in the next step, too */
    assert_int_equal(s[0].duplicate, 3);
}

static void after_a_message_that_is_missing_the_step_never_completes(void **state)
{
    (void)state;
    rk_superstep s[2];
    begin_two(s);
    word m = { 0 };
    rk_superstep_stamp(&s[1], 0, &m); /* and is lost */
    rk_superstep_stamp(&s[1], 0, &m);
    rk_step_end theirs = rk_superstep_end(&s[1], 0, 0, 0), own = rk_superstep_end(&s[0], 0, 0, 0);
    assert_int_equal(rk_superstep_take(&s[0], &m), RK_SUPERSTEP_LOST);
    assert_int_equal(rk_superstep_arrive(&s[0], &theirs), RK_SUPERSTEP_LOST);
    assert_int_equal(rk_superstep_arrive(&s[0], &own), RK_SUPERSTEP_NOW);
    assert_int_equal(rk_superstep_next(&s[0]), 0);
    assert_int_equal(rk_superstep_has_ended(&s[0], 0), 1);
    assert_int_equal(rk_superstep_has_ended(&s[0], 1), 0);
    assert_int_equal(s[0].lost, 2);
}

/* Given ends of another crowd that come before the first step, when a participant begins, then they count for nothing. */
static void ends_of_another_crowd_before_the_beginning_complete_no_step(void **state)
{
    (void)state;
    rk_superstep late = { 0 }, other = { 0 };
    assert_int_equal(rk_superstep_begin(&other, 2, 3), RK_OK);
    assert_int_equal(rk_superstep_next(&other), 1);
    rk_step_end of_three = rk_superstep_end(&other, 0, 5, 5), of_four = of_three, stranger = of_three;
    of_four.from = 1;
    of_four.participants = 4;
    stranger.from = stranger.participants = 3;
    assert_int_equal(rk_superstep_arrive(&late, &of_three), RK_SUPERSTEP_EARLY);
    assert_int_equal(rk_superstep_arrive(&late, &of_four),
                     RK_SUPERSTEP_UNKNOWN); /* they can't both be right */
    assert_int_equal(rk_superstep_arrive(&late, &stranger),
                     RK_SUPERSTEP_UNKNOWN); /* of three there is no fourth */
    assert_int_equal(rk_superstep_begin(&late, 0, 2), RK_OK);
    assert_int_equal(late.unknown, 3);
    assert_int_equal(rk_superstep_next(&late), 1);
    rk_step_end own = rk_superstep_end(&late, 0, 7, 0), second = { .step = 1, .from = 1, .participants = 2 };
    assert_int_equal(rk_superstep_arrive(&late, &own), RK_SUPERSTEP_NOW);
    assert_int_equal(rk_superstep_is_complete(&late), 0);
    assert_int_equal(rk_superstep_arrive(&late, &second), RK_SUPERSTEP_NOW);
    assert_int_equal(rk_superstep_next(&late), 1);
    assert_int_equal(late.total[0], 7);
}

/* Given the last number that a step has, then the next is one that keeps the lowest bits apart, and none is the step
 * before the first. */
static void step_numbers_wrap(void **state)
{
    (void)state;
    rk_superstep s[2];
    begin_two(s);
    for (rk_u32 p = 0; p < 2; p++) s[p].step = ~0u - 1u;
    for (rk_u32 i = 0; i < 5; i++) {
        rk_u32 side = s[0].step & 1u;
        rk_step_end to_first = rk_superstep_end(&s[1], 0, i, 0), to_second = rk_superstep_end(&s[1], 1, i, 0);
        rk_step_end own = rk_superstep_end(&s[0], 0, i, 0), theirs = rk_superstep_end(&s[0], 1, i, 0);
        assert_int_equal(rk_superstep_arrive(&s[1], &to_second), RK_SUPERSTEP_NOW);
        assert_int_equal(rk_superstep_arrive(&s[1], &theirs), RK_SUPERSTEP_NOW);
        assert_int_equal(rk_superstep_next(&s[1]), 1);
        word early = { 0 };
        assert_int_equal(rk_superstep_arrive(&s[0], &to_first), RK_SUPERSTEP_NOW);
        rk_superstep_stamp(&s[1], 0, &early); /* one ahead */
        assert_int_equal(early.step & 1u, !side);
        assert_int_equal(rk_superstep_take(&s[0], &early), RK_SUPERSTEP_EARLY);
        assert_int_equal(rk_superstep_is_complete(&s[0]), 0);
        assert_int_equal(rk_superstep_arrive(&s[0], &own), RK_SUPERSTEP_NOW);
        assert_int_equal(rk_superstep_next(&s[0]), 1);
        assert_int_equal(s[0].step, s[1].step);
        assert_int_equal(s[0].total[0], 2 * i);
    }
    assert_int_equal(s[0].unknown + s[1].unknown, 0);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    rk_superstep s[2], fresh = { 0 };
    assert_int_equal(rk_superstep_begin(&fresh, 0, RK_SUPERSTEP_MAX + 1), RK_LIMIT);
    assert_int_equal(rk_superstep_begin(&fresh, 0, 0), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_superstep_begin(&fresh, 3, 3), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_superstep_next(&fresh), 0);
    assert_int_equal(rk_superstep_begin(&fresh, RK_SUPERSTEP_MAX - 1, RK_SUPERSTEP_MAX), RK_OK);
    assert_int_equal(rk_superstep_begin(&fresh, 0, 2), RK_BUSY);

    begin_two(s);
    word stranger = { .step = 1, .from = 2 }, too_late = { .step = 3, .from = 1 },
         before_all = { .step = 0, .from = 1 }, far = { .step = 1, .from = RK_SUPERSTEP_MAX };
    assert_int_equal(rk_superstep_take(&s[0], &stranger), RK_SUPERSTEP_UNKNOWN);
    assert_int_equal(rk_superstep_take(&s[0], &too_late), RK_SUPERSTEP_UNKNOWN);
    assert_int_equal(rk_superstep_take(&s[0], &before_all), RK_SUPERSTEP_UNKNOWN);
    assert_int_equal(rk_superstep_take(&s[0], &far), RK_SUPERSTEP_UNKNOWN);
    rk_step_end of_three = rk_superstep_end(&s[1], 0, 0, 0);
    of_three.participants = 3;
    assert_int_equal(rk_superstep_arrive(&s[0], &of_three), RK_SUPERSTEP_UNKNOWN);
    assert_int_equal(s[0].unknown, 5);
    of_three.participants = 2;
    assert_int_equal(rk_superstep_arrive(&s[0], &of_three),
                     RK_SUPERSTEP_NOW); /* none of those had a number */
}

/* Given twelve participants of which two are done, when the deadline is over, then the report counts the other ten and names
 * the first eight, once. */
static void a_report_of_lateness_counts_all_and_names_eight(void **state)
{
    (void)state;
    rk_superstep s = { 0 };
    rk_context context = { .now_ns = 100 }, *rk_ctx = &context;
    rk_step_late late;
    assert_int_equal(rk_superstep_begin(&s, 0, 12), RK_OK);
    assert_int_equal(rk_superstep_next(&s), 1);
    rk_step_end of_three = { .step = 1, .from = 3, .participants = 12 }, of_seven = of_three;
    of_seven.from = 7;
    assert_int_equal(rk_superstep_arrive(&s, &of_three), RK_SUPERSTEP_NOW);
    assert_int_equal(rk_superstep_arrive(&s, &of_seven), RK_SUPERSTEP_NOW);
    s.deadline_ns = 100;
    assert_int_equal(rk_superstep_is_late(rk_ctx, &s, &late), 1);
    static const rk_u32 named[] = { 0, 1, 2, 4, 5, 6, 8, 9 };
    assert_int_equal(late.step, 1);
    assert_int_equal(late.missing, 10);
    assert_int_equal(late.named, 8);
    assert_memory_equal(late.who, named, sizeof named);
    assert_int_equal(rk_superstep_is_late(rk_ctx, &s, &late), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_of_a_later_step_is_seen_whatever_the_order),
        cmocka_unit_test(a_message_that_comes_twice_counts_once),
        cmocka_unit_test(after_a_message_that_is_missing_the_step_never_completes),
        cmocka_unit_test(ends_of_another_crowd_before_the_beginning_complete_no_step),
        cmocka_unit_test(a_report_of_lateness_counts_all_and_names_eight),
        cmocka_unit_test(step_numbers_wrap),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("superstep", tests, 0, 0);
}
