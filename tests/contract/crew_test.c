/* A coordinator and its workers: whatever happens to a worker, each job has one result. */
#include "contract.h"

#include "../kernels/pattern_workers.rk.h"

#include <stdlib.h>

enum { HANDS = 4 };

typedef struct site {
    contract *c;
    rk_kernel foreman, hands;
} site;

static rk_launch_options of_foreman(void)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = "foreman";
    return o;
}

static site open_site(contract *c, rk_u32 window, rk_u64 silence_ns, rk_u64 stall_ns)
{
    rk_launch_options o = of_foreman();
    site s = { .c = c };
    s.foreman = launch(c, "foreman", "foreman", &o);
    o.kernel_name = "hand";
    o.shards = o.blocks = HANDS;
    s.hands = launch(c, "hands", "hand", &o);
    assert_ok(rk_connect(c->runtime, s.foreman, 0, s.hands, 0));
    assert_ok(rk_connect(c->runtime, s.hands, 0, s.foreman, 0));
    assert_ok(rk_activate(c->runtime, s.foreman));
    assert_ok(rk_activate(c->runtime, s.hands));
    open_crew m = { silence_ns, stall_ns, window, 0 };
    assert_ok(rk_send(c->runtime, s.foreman, RK_BODY(m), 0));
    return s;
}

static void tell(site *s, rk_u32 hand, rk_u32 like, rk_u32 after)
{
    behave m = { like, after, hand, 0 };
    assert_ok(rk_send(s->c->runtime, s->hands, RK_BODY(m), &(rk_send_options){ .target = hand }));
}

static crew_says ask(site *s)
{
    ask_crew m = { 0 };
    crew_says says;
    assert_ok(rk_send(s->c->runtime, s->foreman, RK_BODY(m), 0));
    receive(s->c, s->foreman, &says);
    return says;
}

/* These workers are there; nothing else was reported meanwhile. */
static void wait_for_hands(site *s, rk_u32 live) { wait_until(s->c, ask(s).live == live); }

static void want(site *s, rk_u64 first, rk_u64 count)
{
    for (rk_u64 job = first; job < first + count; job++) {
        wanted m = { job };
        assert_ok(rk_send(s->c->runtime, s->foreman, RK_BODY(m), 0));
    }
}

/* So many results come, each of another of the jobs first … first + jobs - 1. `by` counts them by worker. */
static void collect(site *s, rk_u64 first, rk_u32 jobs, rk_u8 *had, rk_u32 count, rk_u32 by[HANDS])
{
    for (rk_u32 i = 0; i < count; i++) {
        finished f;
        receive(s->c, s->foreman, &f);
        assert_in_range(f.job, first, first + jobs - 1);
        assert_int_equal(f.value, 3 * f.job);
        assert_int_equal(had[f.job - first]++, 0);
        by[f.worker]++;
    }
}

static void each_job_is_done_once_by_several(contract *c)
{
    site s = open_site(c, 4, RK_SECONDS(10), RK_SECONDS(10));
    rk_u8 had[200] = { 0 };
    rk_u32 by[HANDS] = { 0 };
    want(&s, 1000, 100); /* before anybody is there */
    for (rk_u32 h = 0; h < HANDS; h++) tell(&s, h, HAND_IS_GOOD, 0);
    want(&s, 1100, 100);
    collect(&s, 1000, 200, had, 200, by);
    crew_says says = ask(&s);
    assert_int_equal(says.completed, 200);
    assert_int_equal(says.outstanding + says.duplicate + says.lost + says.refused, 0);
}

static void a_worker_that_fails_with_ten_assigned_has_them_reassigned(contract *c)
{
    /* given a worker with ten jobs, dead from the first on, and three that are good */
    site s = open_site(c, 10, RK_SECONDS(2), RK_SECONDS(100));
    rk_u8 had[40] = { 0 };
    rk_u32 by[HANDS] = { 0 };
    want(&s, 1, 40);
    tell(&s, 2, HAND_IS_DEAD, 0);
    wait_for_hands(&s, 1);
    wait_until(c, account_of(c, s.hands).delivered == 11); /* how it is, and ten */
    for (rk_u32 h = 0; h < HANDS; h++)
        if (h != 2) tell(&s, h, HAND_IS_GOOD, 0);
    collect(&s, 1, 40, had, 30, by); /* what wasn't sent to it goes to the others at once */

    /* when it has been silent for too long, then its ten are done by others */
    if (c->variant->single_step) let_pass(c, RK_SECONDS(2));
    collect(&s, 1, 40, had, 10, by);
    assert_int_equal(by[2], 0);
    crew_says says = ask(&s);
    assert_int_equal(says.lost, 1);
    assert_int_equal(says.lost_last, 2);
    assert_int_equal(says.reassigned, 10);

    /* and when it does them after all, then none has a second result */
    tell(&s, 2, HAND_IS_LATE, 0);
    wait_until(c, (says = ask(&s)).duplicate == 10);
    assert_int_equal(says.completed, 40);
    finished none;
    assert_status(rk_receive(c->runtime, s.foreman, &none, sizeof none, 0, RK_NO_WAIT), RK_EMPTY);
}

static void a_worker_that_lives_and_finishes_nothing_is_lost_as_well(contract *c)
{
    site s = open_site(c, 2, RK_SECONDS(600), RK_MILLISECONDS(300));
    rk_u8 had[2] = { 0 };
    rk_u32 by[HANDS] = { 0 };
    want(&s, 1, 2);
    tell(&s, 0, HAND_STALLS, 0);
    wait_for_hands(&s, 1);
    wait_until(c, account_of(c, s.hands).delivered == 3);
    tell(&s, 1, HAND_IS_GOOD, 0);
    if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(300));
    collect(&s, 1, 2, had, 2, by);
    assert_int_equal(by[1], 2);
    assert_int_equal(ask(&s).lost, 1);
}

static void a_heartbeat_keeps_a_worker_that_has_a_job(contract *c)
{
    /* given a worker that has a job for three seconds, of which it may be silent for two */
    site s = open_site(c, 2, RK_SECONDS(2), RK_SECONDS(100));
    tell(&s, 0, HAND_STALLS, 0);
    wait_for_hands(&s, 1);
    want(&s, 1, 1);
    wait_until(c, account_of(c, s.hands).delivered == 2);

    /* when it says that it lives in between, then it is kept */
    for (rk_u32 round = 0; round < 2; round++) {
        let_pass(c, RK_MILLISECONDS(1500));
        assert_int_equal(ask(&s).lost, 0);
        tell(&s, 0, HAND_STALLS, 0);
        settle(c);
    }
    crew_says says = ask(&s);
    assert_int_equal(says.lost, 0);
    assert_int_equal(says.live, 1);

    /* and when it says nothing for longer, then it is lost */
    let_pass(c, RK_MILLISECONDS(2100));
    wait_until(c, (says = ask(&s)).lost == 1);
    assert_int_equal(says.lost_last, 0);
    assert_int_equal(says.live, 0);
    assert_int_equal(says.outstanding, 1);
}

static void results_that_are_said_twice_count_once(contract *c)
{
    site s = open_site(c, 4, RK_SECONDS(10), RK_SECONDS(10));
    rk_u8 had[60] = { 0 };
    rk_u32 by[HANDS] = { 0 };
    for (rk_u32 h = 0; h < HANDS; h++) tell(&s, h, HAND_SAYS_TWICE, 0);
    wait_for_hands(&s, HANDS);
    want(&s, 1, 60);
    collect(&s, 1, 60, had, 60, by);
    crew_says says;
    wait_until(c, (says = ask(&s)).duplicate == 60);
    assert_int_equal(says.completed, 60);
}

static void what_a_slow_worker_has_not_been_sent_goes_to_the_others(contract *c)
{
    /* given one worker of four that does nothing, with a window of two */
    site s = open_site(c, 2, RK_SECONDS(600), RK_SECONDS(600));
    rk_u8 had[80] = { 0 };
    rk_u32 by[HANDS] = { 0 };
    tell(&s, 0, HAND_STALLS, 0);
    for (rk_u32 h = 1; h < HANDS; h++) tell(&s, h, HAND_IS_GOOD, 0);
    wait_for_hands(&s, HANDS);
    want(&s, 1, 80);

    /* then all but its two are done before it is lost */
    collect(&s, 1, 80, had, 78, by);
    crew_says says = ask(&s);
    assert_int_equal(says.outstanding, 2);
    assert_int_equal(says.lost, 0);
    assert_int_equal(by[0], 0);

    /* and those when it registers anew */
    tell(&s, 0, HAND_IS_GOOD, 0);
    collect(&s, 1, 80, had, 2, by);
}

/* Given workers that are gone, and no limit to their silence, when they are to have jobs, then they are given up at once,
 * and others that come have all of them. */
static void workers_that_cannot_be_reached_are_given_up_at_once(contract *c)
{
    site s = open_site(c, 4, RK_NO_DEADLINE, RK_NO_DEADLINE);
    rk_u8 had[20] = { 0 };
    rk_u32 by[HANDS] = { 0 };
    for (rk_u32 h = 0; h < HANDS; h++) tell(&s, h, HAND_IS_GOOD, 0);
    wait_for_hands(&s, HANDS);
    assert_ok(rk_terminate(c->runtime, s.hands, CONTRACT_PATIENCE));
    want(&s, 1, 20);
    wait_for_hands(&s, 0);
    assert_int_equal(ask(&s).outstanding, 20);
    assert_int_equal(account_of(c, s.foreman).dead_letters, 0);

    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = "hand";
    o.shards = o.blocks = HANDS;
    s.hands = launch(c, "others", "hand", &o);
    assert_ok(rk_connect(c->runtime, s.hands, 0, s.foreman, 0));
    assert_ok(rk_deactivate(c->runtime, s.foreman));
    assert_ok(rk_connect(c->runtime, s.foreman, 0, s.hands, 0));
    assert_ok(rk_activate(c->runtime, s.foreman));
    assert_ok(rk_activate(c->runtime, s.hands));
    for (rk_u32 h = 0; h < HANDS; h++) tell(&s, h, HAND_IS_GOOD, 0);
    collect(&s, 1, 20, had, 20, by);
    assert_int_equal(ask(&s).outstanding, 0);
}

/* The foreman was stopped, and has messages: it fails with the first of them handled, published and not committed, and is
 * launched again. */
static void fail_and_come_back(site *s)
{
    contract *c = s->c;
    assert_ok(rk_fail_before_commit(c->runtime, s->foreman));
    assert_ok(rk_activate(c->runtime, s->foreman));
    wait_until(c, info_of(c, s->foreman).life == RK_LIFE_FAILED);
    rk_launch_options o = of_foreman();
    assert_ok(rk_relaunch(c->runtime, s->foreman, &o, CONTRACT_PATIENCE));
}

static void a_coordinator_that_fails_and_is_launched_again_counts_each_job_once(contract *c)
{
    /* given a worker that takes ten jobs, and says nothing of them yet */
    enum { JOBS = 10 };
    site s = open_site(c, JOBS, RK_SECONDS(600), RK_SECONDS(600));
    rk_u8 had[JOBS] = { 0 };
    rk_u32 by[HANDS] = { 0 };
    tell(&s, 0, HAND_IS_DEAD, 0);
    wait_for_hands(&s, 1);

    /* when the coordinator fails with orders, and they come again */
    assert_ok(rk_deactivate(c->runtime, s.foreman));
    want(&s, 1, JOBS);
    fail_and_come_back(&s);

    /* then each is one job */
    wait_until(c, account_of(c, s.hands).delivered == 1 + JOBS); /* how it is, and the jobs */
    crew_says says = ask(&s);
    assert_true(says.came_again > 0);
    assert_int_equal(says.outstanding, JOBS);

    /* and when it fails with results, and they come again, then each counts once */
    assert_ok(rk_deactivate(c->runtime, s.foreman));
    tell(&s, 0, HAND_IS_LATE, 0);
    wait_until(c, account_of(c, s.foreman).queued == JOBS);
    fail_and_come_back(&s);
    collect(&s, 1, JOBS, had, JOBS, by);
    wait_until(c, (says = ask(&s)).duplicate > 0);
    assert_int_equal(says.completed, JOBS);
    assert_int_equal(says.outstanding, 0);
}

static void a_job_for_which_there_is_no_room_is_refused(contract *c)
{
    site s = open_site(c, 4, RK_SECONDS(10), RK_SECONDS(10));
    want(&s, 1, 256 + 3);
    settle(c);
    wait_until(c, ask(&s).refused == 3);
    for (rk_u32 h = 0; h < HANDS; h++) tell(&s, h, HAND_IS_GOOD, 0);
    rk_u8 had[256] = { 0 };
    rk_u32 by[HANDS] = { 0 };
    collect(&s, 1, 256, had, 256, by);
}

static const contract_case cases[] = {
    { CASE(each_job_is_done_once_by_several), NEEDS_REGIONS },
    { CASE(a_worker_that_fails_with_ten_assigned_has_them_reassigned), NEEDS_REGIONS },
    { CASE(a_worker_that_lives_and_finishes_nothing_is_lost_as_well), NEEDS_REGIONS },
    { CASE(a_heartbeat_keeps_a_worker_that_has_a_job), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(results_that_are_said_twice_count_once), NEEDS_REGIONS },
    { CASE(what_a_slow_worker_has_not_been_sent_goes_to_the_others), NEEDS_REGIONS },
    { CASE(workers_that_cannot_be_reached_are_given_up_at_once), NEEDS_REGIONS },
    { CASE(a_coordinator_that_fails_and_is_launched_again_counts_each_job_once), NEEDS_REGIONS },
    { CASE(a_job_for_which_there_is_no_room_is_refused), NEEDS_REGIONS },
};

CONTRACT_MAIN("workers", cases)
