/* One barrier without messages, beside a plain model: whatever comes in whatever order. */
#include <ringkernel/pattern/barrier.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static rk_barrier of(rk_u32 parties)
{
    rk_barrier b = { 0 };
    rk_barrier_open(&b, 7, parties);
    return b;
}

static void the_last_one_to_arrive_passes_it(void **state)
{
    (void)state;
    rk_barrier b = of(3);
    for (rk_u32 epoch = 1; epoch <= 5; epoch++) {
        assert_int_equal(rk_barrier_arrive(&b, 2, epoch, RK_NEVER), RK_BARRIER_WAITS);
        assert_int_equal(rk_barrier_arrive(&b, 0, epoch, RK_NEVER), RK_BARRIER_WAITS);
        assert_int_equal(rk_barrier_arrive(&b, 1, epoch, RK_NEVER), RK_BARRIER_PASSED);
        assert_int_equal(rk_barrier_end_round(&b), 7);
    }
}

static void an_arrival_counts_once_and_for_its_own_round_only(void **state)
{
    (void)state;
    rk_barrier b = of(3);
    assert_int_equal(rk_barrier_arrive(&b, 0, 1, RK_NEVER), RK_BARRIER_WAITS);
    assert_int_equal(rk_barrier_arrive(&b, 0, 1, RK_NEVER), RK_BARRIER_DUPLICATE);
    assert_int_equal(rk_barrier_arrive(&b, 1, 1, RK_NEVER), RK_BARRIER_WAITS);
    assert_int_equal(rk_barrier_end_round(&b), 3); /* given up, without the third */
    assert_int_equal(rk_barrier_arrive(&b, 2, 1, RK_NEVER), RK_BARRIER_LATE);
    assert_int_equal(rk_barrier_arrive(&b, 2, 3, RK_NEVER), RK_BARRIER_EARLY);
    assert_int_equal(rk_barrier_arrive(&b, 0, 2, RK_NEVER), RK_BARRIER_WAITS);
    assert_int_equal(rk_barrier_arrive(&b, 1, 2, RK_NEVER), RK_BARRIER_WAITS);
    assert_int_equal(rk_barrier_arrive(&b, 2, 2, RK_NEVER), RK_BARRIER_PASSED);
}

static void epochs_wrap(void **state)
{
    (void)state;
    rk_barrier b = of(1);
    b.epoch = ~0u;
    assert_int_equal(rk_barrier_arrive(&b, 0, 0, RK_NEVER), RK_BARRIER_EARLY);
    assert_int_equal(rk_barrier_arrive(&b, 0, ~0u, RK_NEVER), RK_BARRIER_PASSED);
    rk_barrier_end_round(&b);
    assert_int_equal(rk_barrier_arrive(&b, 0, ~0u, RK_NEVER), RK_BARRIER_LATE);
    assert_int_equal(rk_barrier_arrive(&b, 0, 0, RK_NEVER), RK_BARRIER_PASSED);
}

static void who_withdraws_is_not_waited_for(void **state)
{
    (void)state;
    rk_barrier b = of(3);
    rk_barrier_arrive(&b, 0, 1, RK_NEVER);
    rk_barrier_arrive(&b, 1, 1, RK_NEVER);
    assert_int_equal(rk_barrier_withdraw(&b, 2), RK_BARRIER_PASSED);
    rk_barrier_end_round(&b);
    assert_int_equal(rk_barrier_arrive(&b, 2, 2, RK_NEVER), RK_BARRIER_UNKNOWN);
    assert_int_equal(rk_barrier_withdraw(&b, 2), RK_BARRIER_UNKNOWN);

    /* one who had arrived, and withdraws, doesn't count any more */
    rk_barrier_arrive(&b, 0, 2, RK_NEVER);
    assert_int_equal(rk_barrier_withdraw(&b, 0), RK_BARRIER_DONE);
    assert_int_equal(rk_barrier_return(&b, 2), RK_BARRIER_DONE);
    assert_int_equal(rk_barrier_arrive(&b, 1, 2, RK_NEVER), RK_BARRIER_WAITS);
    assert_int_equal(rk_barrier_arrive(&b, 2, 2, RK_NEVER), RK_BARRIER_PASSED);
    rk_barrier_end_round(&b);
    assert_int_equal(rk_barrier_withdraw(&b, 1), RK_BARRIER_DONE);
    assert_int_equal(rk_barrier_withdraw(&b, 2), RK_BARRIER_DONE);
    assert_int_equal(b.members, 0);
}

static void the_earliest_deadline_holds(void **state)
{
    (void)state;
    rk_barrier b = of(4);
    rk_barrier_arrive(&b, 0, 1, RK_NEVER);
    assert_true(b.deadline_ns == RK_NEVER);
    rk_barrier_arrive(&b, 1, 1, 500);
    rk_barrier_arrive(&b, 2, 1, 300);
    assert_int_equal(b.deadline_ns, 300);
    rk_barrier_end_round(&b);
    assert_true(b.deadline_ns == RK_NEVER);
}

static void the_deadline_of_who_withdraws_holds_no_longer(void **state)
{
    (void)state;
    rk_barrier b = of(4);
    rk_barrier_arrive(&b, 0, 1, 300);
    rk_barrier_arrive(&b, 1, 1, 500);
    rk_barrier_arrive(&b, 2, 1, RK_NEVER);
    assert_int_equal(rk_barrier_withdraw(&b, 0), RK_BARRIER_DONE);
    assert_int_equal(b.deadline_ns, 500);
    assert_int_equal(rk_barrier_return(&b, 0), RK_BARRIER_DONE);
    assert_int_equal(b.deadline_ns, 500);
    assert_int_equal(rk_barrier_withdraw(&b, 1), RK_BARRIER_DONE);
    assert_true(b.deadline_ns == RK_NEVER);
    assert_int_equal(rk_barrier_withdraw(&b, 2), RK_BARRIER_DONE);
    assert_true(b.deadline_ns == RK_NEVER);
}

/* The model: sets as arrays of bytes. */
static void any_order_is_as_the_model_has_it(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    rk_u32 random = 1, passed = 0;
    for (rk_u32 parties = 1; parties <= 32; parties += parties < 6 ? 1 : 13) {
        rk_barrier b = of(parties);
        rk_u8 member[32] = { 0 }, there[32] = { 0 };
        rk_u32 epoch = 1;
        memset(member, 1, parties);
        for (rk_u32 i = 0; i < ROUNDS; i++) {
            random = random * 1664525u + 1013904223u;
            rk_u32 p = (random >> 8) % (parties + 1), what = (random >> 16) % 16, ahead = (random >> 20) % 16;
            rk_u32 said_epoch = ahead == 0 ? epoch + 1 : ahead == 1 ? epoch - 1 : epoch;
            rk_u32 is_member = p < parties && member[p], got, want;
            if (what == 0) {
                got = rk_barrier_withdraw(&b, p);
                want = is_member ? RK_BARRIER_DONE : RK_BARRIER_UNKNOWN;
                if (is_member) member[p] = there[p] = 0;
            } else if (what < 4) {
                got = rk_barrier_return(&b, p);
                want = p < parties ? RK_BARRIER_DONE : RK_BARRIER_UNKNOWN;
                if (p < parties) member[p] = 1;
            } else {
                got = rk_barrier_arrive(&b, p, said_epoch, RK_NEVER);
                want = !is_member           ? RK_BARRIER_UNKNOWN
                       : said_epoch > epoch ? RK_BARRIER_EARLY
                       : said_epoch < epoch ? RK_BARRIER_LATE
                       : there[p]           ? RK_BARRIER_DUPLICATE
                                            : RK_BARRIER_WAITS;
                if (want == RK_BARRIER_WAITS) there[p] = 1;
            }
            rk_u32 members = 0, all = 1;
            for (rk_u32 q = 0; q < parties; q++) {
                members += member[q];
                all &= member[q] == there[q];
            }
            if (members && all && (want == RK_BARRIER_WAITS || (want == RK_BARRIER_DONE && what == 0)))
                want = RK_BARRIER_PASSED;
            assert_int_equal(got, want);
            if (want != RK_BARRIER_PASSED) continue;
            passed++;
            epoch++;
            rk_barrier_end_round(&b);
            memset(there, 0, sizeof there);
        }
    }
    assert_true(passed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_one_to_arrive_passes_it),
        cmocka_unit_test(an_arrival_counts_once_and_for_its_own_round_only),
        cmocka_unit_test(epochs_wrap),
        cmocka_unit_test(who_withdraws_is_not_waited_for),
        cmocka_unit_test(the_earliest_deadline_holds),
        cmocka_unit_test(the_deadline_of_who_withdraws_holds_no_longer),
        cmocka_unit_test(any_order_is_as_the_model_has_it),
    };
    return cmocka_run_group_tests_name("barrier", tests, 0, 0);
}
