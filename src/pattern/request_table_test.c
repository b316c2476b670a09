/* A table of requests without messages, beside a plain model: each ends once, in the order of deadlines. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/request.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { PLACES = 5, WIDE = 33 };
RK_REQUESTS(few, PLACES)
RK_REQUESTS(many, WIDE)

static rk_u64 ask(few *f, rk_u64 due_ns, rk_u64 note)
{
    rk_u64 correlation = 0;
    assert_int_equal(rk_request_begin(RK_REQUESTS_OF_(f), 0, due_ns, note, &correlation), RK_OK);
    assert_true(correlation != 0);
    return correlation;
}

static rk_u32 reply(few *f, rk_u64 correlation)
{
    rk_u64 note;
    return rk_request_end(&f->table, correlation, RK_REPLY_DUPLICATE, &note);
}

static void replies_that_cannot_be_are_unknown(void **state)
{
    (void)state;
    few f = { 0 };
    assert_int_equal(reply(&f, 0), RK_REPLY_UNKNOWN);
    assert_int_equal(reply(&f, 1ull << 32), RK_REPLY_UNKNOWN);
    rk_u64 a = ask(&f, 10, 1);
    assert_int_equal(reply(&f, a + 1), RK_REPLY_UNKNOWN); /* a place that was never used */
    assert_int_equal(reply(&f, a + (1ull << 32)), RK_REPLY_UNKNOWN);
    assert_int_equal(reply(&f, (rk_u32)a), RK_REPLY_UNKNOWN);
    assert_int_equal(reply(&f, ~0ull), RK_REPLY_UNKNOWN);
    assert_int_equal(f.table.came[RK_REPLY_UNKNOWN], 6);
    assert_int_equal(reply(&f, a), RK_REPLY_RIGHT);
}

static void how_a_request_ended_is_kept_as_long_as_there_are_other_places(void **state)
{
    (void)state;
    few f = { 0 };
    rk_u64 note, first = ask(&f, 10, 1), second = ask(&f, 20, 2), third = ask(&f, 30, 3);
    assert_int_equal(reply(&f, first), RK_REPLY_RIGHT);
    assert_int_equal(rk_request_end(&f.table, second, RK_REPLY_CANCELLED, &note), RK_REPLY_RIGHT);
    assert_int_equal(rk_request_expire(&f.table, 30, &note), 1);
    assert_int_equal(note, 3);
    for (rk_u32 i = 0; i < PLACES - 3; i++) assert_int_equal(reply(&f, ask(&f, 99, 9)), RK_REPLY_RIGHT);
    assert_int_equal(reply(&f, first), RK_REPLY_DUPLICATE);
    assert_int_equal(reply(&f, second), RK_REPLY_CANCELLED);
    assert_int_equal(reply(&f, third), RK_REPLY_LATE);
    rk_u64 again = ask(&f, 99, 9); /* the place that has been free for longest */
    assert_int_equal((rk_u32)again, (rk_u32)first);
    assert_int_equal(reply(&f, first), RK_REPLY_FORGOTTEN);
    assert_int_equal(reply(&f, second), RK_REPLY_CANCELLED);
    assert_int_equal(reply(&f, again), RK_REPLY_RIGHT);
}

static void numbers_of_a_place_wrap(void **state)
{
    (void)state;
    few f = { 0 };
    const rk_u64 now_ns = (rk_u64)~0u << 10; /* of the last number */
    rk_u64 a = 0, b = 0, note;
    assert_int_equal(rk_request_begin(RK_REQUESTS_OF_(&f), now_ns, RK_NEVER, 1, &a), RK_OK);
    assert_true(a >> 32 == ~0u);
    for (rk_u32 i = 1; i < PLACES; i++) ask(&f, 1, 1);
    assert_int_equal(reply(&f, a), RK_REPLY_RIGHT);
    assert_int_equal(rk_request_begin(RK_REQUESTS_OF_(&f), now_ns, RK_NEVER, 2, &b), RK_OK);
    assert_true(b == ((rk_u64)1 << 32 | (rk_u32)a));
    assert_int_equal(reply(&f, a), RK_REPLY_FORGOTTEN);
    assert_int_equal(rk_request_end(&f.table, b, RK_REPLY_DUPLICATE, &note), RK_REPLY_RIGHT);
    assert_int_equal(note, 2);
}

/* As it happens when a state is reset, or goes back to what it was at a checkpoint. */
static void a_reply_to_what_a_table_has_forgotten_is_not_the_right_one(void **state)
{
    (void)state;
    for (rk_u64 now_ns = 5000; now_ns < RK_SECONDS(20000); now_ns *= 3) { /* numbers wrap on the way */
        few f = { 0 };
        rk_u64 a = 0, b = 0, c = 0, note;
        assert_int_equal(rk_request_begin(RK_REQUESTS_OF_(&f), now_ns, RK_NEVER, 1, &a), RK_OK);
        for (rk_u32 i = 1; i < PLACES; i++)
            assert_int_equal(rk_request_begin(RK_REQUESTS_OF_(&f), now_ns, RK_NEVER, 1, &b), RK_OK);
        assert_int_equal(reply(&f, a), RK_REPLY_RIGHT);
        few at_checkpoint = f;
        assert_int_equal(rk_request_begin(RK_REQUESTS_OF_(&f), now_ns + 2000, RK_NEVER, 2, &b), RK_OK);
        f = at_checkpoint;
        assert_int_equal(rk_request_begin(RK_REQUESTS_OF_(&f), now_ns + 5000, RK_NEVER, 3, &c), RK_OK);
        assert_int_equal((rk_u32)b, (rk_u32)c);
        assert_int_equal(reply(&f, b), RK_REPLY_FORGOTTEN);
        assert_int_equal(rk_request_end(&f.table, c, RK_REPLY_DUPLICATE, &note), RK_REPLY_RIGHT);
        assert_int_equal(note, 3);
    }
}

/* The model: every request that was ever asked, with its deadline and how it ended. */
static void any_order_is_as_the_model_has_it(void **state)
{
    (void)state;
    enum { ROUNDS = 100000, WAITS = 9 };
    static struct {
        rk_u64 correlation, due_ns;
        rk_u32 ended;
    } ever[ROUNDS];
    static many m;
    memset(&m, 0, sizeof m);
    rk_u64 now = 1000, random = 1, note;
    rk_u32 count = 0, waiting = 0;
    for (rk_u32 i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        rk_u32 what = (rk_u32)(random >> 33) % 10, pick = (rk_u32)(random >> 40);
        now += pick % 3;
        if (what < 4) {
            rk_u64 correlation, due = now + 1 + pick % 100;
            rk_status status = rk_request_begin(RK_REQUESTS_OF_(&m), now, due, count, &correlation);
            assert_int_equal(status, waiting == WIDE ? RK_FULL : RK_OK);
            if (status != RK_OK) continue;
            ever[count].correlation = correlation;
            ever[count].due_ns = due;
            ever[count++].ended = WAITS;
            waiting++;
        } else if (what < 8 && count) {
            rk_u32 r = count - 1 - pick % (count < 60 ? count : 60), cancel = what == 7;
            rk_u32 kind = rk_request_end(&m.table, ever[r].correlation,
                                         cancel ? RK_REPLY_CANCELLED : RK_REPLY_DUPLICATE, &note);
            if (ever[r].ended == WAITS) {
                assert_int_equal(kind, RK_REPLY_RIGHT);
                assert_int_equal(note, r);
                ever[r].ended = cancel ? RK_REPLY_CANCELLED : RK_REPLY_DUPLICATE;
                waiting--;
            } else {
                assert_true(kind == ever[r].ended || kind == RK_REPLY_FORGOTTEN);
            }
        } else {
            rk_u64 next = ~0ull;
            for (rk_u32 r = count > 4000 ? count - 4000 : 0; r < count; r++)
                if (ever[r].ended == WAITS && ever[r].due_ns < next) next = ever[r].due_ns;
            assert_int_equal(rk_request_next_due(&m.table), next);
            rk_u32 due = rk_request_expire(&m.table, now, &note);
            assert_int_equal(due, next <= now);
            if (!due) continue;
            assert_int_equal(ever[note].ended, WAITS);
            assert_int_equal(ever[note].due_ns, next);
            ever[note].ended = RK_REPLY_LATE;
            waiting--;
        }
        assert_int_equal(m.table.waiting, waiting);
    }
    for (rk_u32 kind = 0; kind < RK_REPLY_UNKNOWN; kind++) assert_true(m.table.came[kind] > 100);
    assert_true(m.table.refused > 100);
    assert_int_equal(m.table.opened,
                     m.table.came[RK_REPLY_RIGHT] + m.table.cancelled + m.table.expired + waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_that_cannot_be_are_unknown),
        cmocka_unit_test(how_a_request_ended_is_kept_as_long_as_there_are_other_places),
        cmocka_unit_test(numbers_of_a_place_wrap),
        cmocka_unit_test(a_reply_to_what_a_table_has_forgotten_is_not_the_right_one),
        cmocka_unit_test(any_order_is_as_the_model_has_it),
    };
    return cmocka_run_group_tests_name("request table", tests, 0, 0);
}
