/* Single step: whoever steps a kernel learns what came of it, and whoever steps all learns whether work is left. */
#include "probes.h"

static rk_u32 step(contract *c, rk_kernel k)
{
    rk_u32 result = RK_STEP_IDLE;
    assert_ok(rk_step(c->runtime, k, &result));
    return result;
}

/* An active kernel whose output is full and whose last probe, number 16, waits for room. */
static rk_kernel launch_parked(contract *c)
{
    rk_launch_options o = small(16);
    o.output_capacity = 16;
    rk_kernel k = launch_echo(c, &o);
    for (rk_u32 i = 0; i < 16; i++) assert_ok(send_probe(c, k, i));
    settle(c);
    assert_ok(send_probe(c, k, 16));
    return k;
}

static void take(contract *c, rk_kernel k, rk_u32 number)
{
    probe p;
    assert_ok(rk_receive(c->runtime, k, &p, sizeof p, 0, RK_NO_WAIT));
    assert_int_equal(p.number, number);
}

static void a_step_tells_work_from_idling(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    assert_int_equal(step(c, k), RK_STEP_IDLE);
    assert_ok(send_probe(c, k, 1));
    assert_int_equal(step(c, k), RK_STEP_WORKED);
    assert_int_equal(step(c, k), RK_STEP_IDLE);
    assert_ok(rk_step(c->runtime, k, 0)); /* nobody has to want to know */
    take(c, k, 1);
}

static void a_step_tells_that_a_kernel_waits_for_room(contract *c)
{
    rk_kernel k = launch_parked(c);
    assert_int_equal(step(c, k), RK_STEP_PARKED);
    assert_int_equal(step(c, k), RK_STEP_PARKED);
    assert_ok(rk_step_all(c->runtime, 1)); /* which is no work */
    take(c, k, 0);
    assert_int_equal(step(c, k), RK_STEP_WORKED);
    assert_int_equal(step(c, k), RK_STEP_IDLE);
    for (rk_u32 i = 1; i <= 16; i++) take(c, k, i);
}

static void a_step_tells_that_a_kernel_that_drains_has_ended(contract *c)
{
    /* given a drain that was not waited for */
    rk_kernel k = launch_parked(c);
    assert_status(rk_drain(c->runtime, &k, 1, RK_MILLISECONDS(1)), RK_TIMED_OUT);
    assert_int_equal(step(c, k), RK_STEP_PARKED);

    /* when there is room, and all was handled */
    take(c, k, 0);
    for (rk_u32 i = 0; i < 3; i++) step(c, k);

    /* then */
    assert_int_equal(step(c, k), RK_STEP_ENDED);
    assert_ok(rk_step_all(c->runtime, 1));
    for (rk_u32 i = 1; i <= 16; i++) take(c, k, i);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    assert_int_equal(info_of(c, k).life, RK_LIFE_DRAINED);
}

static void with_too_few_visits_for_a_round_without_work_more_are_asked_for(contract *c)
{
    /* given an idle kernel before one with work */
    rk_kernel first = launch_active(c, "first", "echo", 0), second = launch_active(c, "second", "echo", 0);
    assert_ok(send_probe(c, second, 1));

    /* then it isn't passed over */
    assert_status(rk_step_all(c->runtime, 0), RK_TIMED_OUT);
    assert_status(rk_step_all(c->runtime, 1), RK_TIMED_OUT);
    assert_int_equal(account_of(c, second).delivered, 0);

    /* and what has just worked may have made work */
    assert_status(rk_step_all(c->runtime, 2), RK_TIMED_OUT);
    assert_error_says("busy");
    assert_int_equal(account_of(c, second).delivered, 1);
    assert_ok(rk_step_all(c->runtime, 2));
    take(c, second, 1);

    /* and who isn't active is in no round */
    assert_ok(rk_deactivate(c->runtime, first));
    assert_ok(rk_step_all(c->runtime, 1));
    assert_ok(rk_deactivate(c->runtime, second));
    assert_ok(rk_step_all(c->runtime, 0));
}

static void who_is_not_active_or_has_failed_is_told_so(contract *c)
{
    rk_u32 result;
    rk_kernel k = launch(c, "echo", "echo", 0);
    assert_status(rk_step(c->runtime, k, &result), RK_NOT_ACTIVE);
    assert_error_says("launched");
    assert_ok(rk_activate(c->runtime, k));
    assert_ok(rk_fail_before_commit(c->runtime, k));
    assert_ok(send_probe(c, k, 1));
    assert_status(rk_step(c->runtime, k, &result), RK_FAILED);
    assert_error_says("echo");
    assert_status(rk_step(c->runtime, k, &result), RK_FAILED); /* whoever asks again is told again */
    assert_ok(rk_step_all(c->runtime, 1));
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    assert_status(rk_step(c->runtime, k, &result), RK_STALE);
    k.number = 0;
    assert_status(rk_step(c->runtime, k, &result), RK_NO_SUCH_KERNEL);
    assert_status(rk_step(0, k, &result), RK_INVALID_ARGUMENT);
    assert_status(rk_step_all(0, 1), RK_INVALID_ARGUMENT);
}

static void a_runtime_with_workers_is_not_stepped(contract *c)
{
    rk_u32 result;
    rk_kernel k = launch_echo(c, 0);
    assert_status(rk_step(c->runtime, k, &result), RK_UNSUPPORTED);
    assert_error_says("single_step = 1");
    assert_status(rk_step_all(c->runtime, 1), RK_UNSUPPORTED);
    assert_error_says("single_step = 1");
}

static const contract_case cases[] = {
    { CASE(a_step_tells_work_from_idling), NEEDS_STEP },
    { CASE(a_step_tells_that_a_kernel_waits_for_room), NEEDS_STEP },
    { CASE(a_step_tells_that_a_kernel_that_drains_has_ended), NEEDS_STEP },
    { CASE(with_too_few_visits_for_a_round_without_work_more_are_asked_for), NEEDS_STEP },
    { CASE(who_is_not_active_or_has_failed_is_told_so), NEEDS_STEP },
    { CASE(a_runtime_with_workers_is_not_stepped), NEEDS_THREADS },
};
CONTRACT_MAIN("step", cases)
