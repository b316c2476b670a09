/* A table of jobs without messages, beside a plain model: whatever comes in whatever order. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/gather.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { JOBS = 3 };
RK_GATHER(jobs, JOBS)

static rk_u32 open_job(jobs *g, rk_u32 parts, rk_u64 deadline_ns)
{
    rk_u32 place = 99;
    assert_int_equal(rk_gather_begin(RK_GATHER_OF_(g), parts, 0, deadline_ns, &place), RK_OK);
    return place;
}

static void the_last_part_completes_a_job(void **state)
{
    (void)state;
    jobs g = { 0 };
    rk_u32 j = open_job(&g, 64, RK_NEVER);
    for (rk_u32 part = 0; part < 64; part++) {
        assert_int_equal(rk_gather_missing(&g, j), ~0ull << part);
        assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, part)),
                         part == 63 ? RK_GATHER_LAST : RK_GATHER_FIRST);
        assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, part)), RK_GATHER_DUPLICATE);
    }
    assert_int_equal(rk_gather_missing(&g, j), 0);
    rk_gather_close(&g, j);
    assert_int_equal(g.table.complete, 1);
    assert_int_equal(g.table.open, 0);
}

static void tags_that_cannot_be_are_unknown(void **state)
{
    (void)state;
    jobs g = { 0 };
    assert_int_equal(rk_gather_take(&g, 0), RK_GATHER_UNKNOWN);
    assert_int_equal(rk_gather_take(&g, 1ull << 32), RK_GATHER_UNKNOWN); /* its place was never used */
    rk_u32 j = open_job(&g, 2, RK_NEVER);
    rk_u64 tag = rk_gather_tag(&g, j, 0);
    assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, 2)), RK_GATHER_UNKNOWN);
    assert_int_equal(rk_gather_take(&g, tag | 0xff000000u), RK_GATHER_UNKNOWN);
    assert_int_equal(rk_gather_take(&g, tag + (1ull << 32)), RK_GATHER_UNKNOWN); /* of a job to come */
    assert_int_equal(rk_gather_take(&g, tag + JOBS), RK_GATHER_UNKNOWN);
    assert_int_equal(rk_gather_take(&g, ~0ull), RK_GATHER_UNKNOWN);
    assert_int_equal(g.table.unknown, 7);
    assert_int_equal(rk_gather_missing(&g, j), 3);
}

static void numbers_of_a_place_wrap(void **state)
{
    (void)state;
    jobs g = { 0 };
    const rk_u64 now_ns = (rk_u64)(~0u - 1u) << 10; /* of the last number but one */
    rk_u64 before = 0;
    for (rk_u32 i = 0; i < 3; i++) {
        rk_u32 j = 99;
        assert_int_equal(rk_gather_begin(RK_GATHER_OF_(&g), 1, now_ns, RK_NEVER, &j), RK_OK);
        rk_u64 tag = rk_gather_tag(&g, j, 0);
        assert_int_equal(j, 0);
        assert_int_equal(tag >> 32, i == 2 ? 1 : ~0u - 1u + i);
        if (before) assert_int_equal(rk_gather_take(&g, before), RK_GATHER_LATE);
        assert_int_equal(rk_gather_take(&g, tag), RK_GATHER_LAST);
        rk_gather_close(&g, j);
        before = tag;
    }
}

static void a_result_for_a_table_that_has_begun_anew_since_is_late(void **state)
{
    (void)state;
    rk_u32 j;
    for (rk_u64 now_ns = 5000; now_ns < RK_SECONDS(20000); now_ns *= 3) { /* numbers wrap on the way */
        jobs g = { 0 };
        assert_int_equal(rk_gather_begin(RK_GATHER_OF_(&g), 2, now_ns, RK_NEVER, &j), RK_OK);
        rk_u64 before = rk_gather_tag(&g, j, 1);
        memset(&g, 0, sizeof g);
        assert_int_equal(rk_gather_begin(RK_GATHER_OF_(&g), 2, now_ns + 2000, RK_NEVER, &j), RK_OK);
        assert_int_equal(rk_gather_take(&g, before), RK_GATHER_LATE);
        assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, 1)), RK_GATHER_FIRST);
    }
}

static void parts_come_out_in_order_and_lost_ones_are_passed_over(void **state)
{
    (void)state;
    jobs g = { 0 };
    rk_u32 j = open_job(&g, 5, 100);
    assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, 1)), RK_GATHER_FIRST);
    assert_int_equal(rk_gather_next(&g, j), RK_GATHER_NONE);
    assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, 0)), RK_GATHER_FIRST);
    assert_int_equal(rk_gather_next(&g, j), 0);
    assert_int_equal(rk_gather_next(&g, j), 1);
    assert_int_equal(rk_gather_next(&g, j), RK_GATHER_NONE);
    assert_int_equal(rk_gather_give_up(&g, rk_gather_tag(&g, j, 2)), RK_GATHER_FIRST);
    assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, 2)), RK_GATHER_DUPLICATE);
    assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, 4)), RK_GATHER_FIRST);
    assert_int_equal(rk_gather_next(&g, j), RK_GATHER_NONE); /* 3 may still come */
    assert_int_equal(rk_gather_find_due(RK_GATHER_OF_(&g), 99), RK_GATHER_NONE);
    assert_int_equal(rk_gather_find_due(RK_GATHER_OF_(&g), 100), j);
    assert_int_equal(rk_gather_next(&g, j), 4);
    assert_int_equal(rk_gather_next(&g, j), RK_GATHER_NONE);
    assert_int_equal(rk_gather_missing(&g, j), 1 << 2 | 1 << 3);
    rk_gather_close(&g, j);
    assert_int_equal(g.table.partial, 1);
}

static void when_the_last_is_given_up_the_job_is_due_at_once(void **state)
{
    (void)state;
    jobs g = { 0 };
    rk_u32 j = open_job(&g, 2, 1000000);
    assert_int_equal(rk_gather_take(&g, rk_gather_tag(&g, j, 0)), RK_GATHER_FIRST);
    assert_int_equal(rk_gather_give_up(&g, rk_gather_tag(&g, j, 1)), RK_GATHER_LAST);
    assert_int_equal(rk_gather_find_due(RK_GATHER_OF_(&g), 2), j);
}

static void the_earliest_deadline_is_next(void **state)
{
    (void)state;
    jobs g = { 0 };
    assert_true(rk_gather_next_due(RK_GATHER_OF_(&g)) == RK_NEVER);
    rk_u32 a = open_job(&g, 1, 300), b = open_job(&g, 1, 200), never = open_job(&g, 1, RK_NEVER);
    assert_int_equal(rk_gather_next_due(RK_GATHER_OF_(&g)), 200);
    rk_gather_close(&g, b);
    assert_int_equal(rk_gather_next_due(RK_GATHER_OF_(&g)), 300);
    rk_gather_close(&g, a);
    assert_true(rk_gather_next_due(RK_GATHER_OF_(&g)) == RK_NEVER);
    assert_int_equal(rk_gather_find_due(RK_GATHER_OF_(&g), ~0ull - 1), RK_GATHER_NONE);
    rk_gather_close(&g, never);
}

/* The model: every job that was ever open, with an array of bytes. */
static void any_order_is_as_the_model_has_it(void **state)
{
    (void)state;
    enum { EVER = 4000, RESULTS = 60000 };
    static struct {
        rk_u64 tag;
        rk_u32 parts, open;
        rk_u8 there[64];
    } ever[EVER];
    memset(ever, 0, sizeof ever);
    static jobs g;
    memset(&g, 0, sizeof g);
    rk_u32 random = 1, count = 0, open = 0, seen[RK_GATHER_UNKNOWN] = { 0 };
    for (rk_u32 i = 0; i < RESULTS; i++) {
        random = random * 1664525u + 1013904223u;
        rk_u32 what = (random >> 8) % 8, parts = 1 + (random >> 16) % 20, place;
        if (what == 0 && count < EVER) {
            rk_status status = rk_gather_begin(RK_GATHER_OF_(&g), parts, 0, 0, &place);
            assert_int_equal(status, open == JOBS ? RK_FULL : RK_OK);
            if (status != RK_OK) continue;
            ever[count].tag = rk_gather_tag(&g, place, 0);
            ever[count].parts = parts;
            ever[count++].open = 1;
            open++;
            continue;
        }
        if (count == 0) continue;
        rk_u32 back = (random >> 20) % 6, j = back < count ? count - 1 - back : 0,
               part = (random >> 12) % ever[j].parts;
        rk_u32 missing = 0, is = rk_gather_take(&g, ever[j].tag + ((rk_u64)part << 16));
        rk_u32 want = !ever[j].open         ? RK_GATHER_LATE
                      : ever[j].there[part] ? RK_GATHER_DUPLICATE
                                            : RK_GATHER_FIRST;
        if (want == RK_GATHER_FIRST) {
            ever[j].there[part] = 1;
            for (rk_u32 p = 0; p < ever[j].parts; p++) missing += !ever[j].there[p];
            if (missing == 0) want = RK_GATHER_LAST;
        }
        assert_int_equal(is, want);
        seen[is]++;
        if (is == RK_GATHER_LAST || (is == RK_GATHER_FIRST && what == 1 && parts > 15)) {
            rk_gather_close(&g, rk_gather_job(ever[j].tag));
            ever[j].open = 0;
            open--;
        }
    }
    for (rk_u32 is = 0; is < RK_GATHER_UNKNOWN; is++) assert_true(seen[is] > 100);
    assert_int_equal(g.table.open, open);
    assert_int_equal(g.table.complete + g.table.partial + open, g.table.opened);
    assert_true(g.table.refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_part_completes_a_job),
        cmocka_unit_test(tags_that_cannot_be_are_unknown),
        cmocka_unit_test(numbers_of_a_place_wrap),
        cmocka_unit_test(a_result_for_a_table_that_has_begun_anew_since_is_late),
        cmocka_unit_test(parts_come_out_in_order_and_lost_ones_are_passed_over),
        cmocka_unit_test(when_the_last_is_given_up_the_job_is_due_at_once),
        cmocka_unit_test(the_earliest_deadline_is_next),
        cmocka_unit_test(any_order_is_as_the_model_has_it),
    };
    return cmocka_run_group_tests_name("gather", tests, 0, 0);
}
