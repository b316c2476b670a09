/* Supervision: who fails is launched again, alone or with others, until the budget is spent. */
#include "supervised.h"

static void a_failed_kernel_is_launched_again_with_its_queue_and_its_state(contract *c)
{
    rk_kernel k = launch_active(c, "ledger", "ledger", 0);
    enter(c, k, 1);
    assert_int_equal(next_entered(c, k).count, 1);
    rk_supervised child = { .kernel = k };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ 0 }, &child, 1);

    /* when a batch stops between publishing and committing */
    fail_with(c, k, 2);
    assert_int_equal(next_entered(c, k).count, 2);
    wait_until(c, look(c, s) && noted() == 1);

    /* then it comes again, flagged, to the state that it had left */
    entered e = next_entered(c, k);
    assert_int_equal(e.number, 2);
    assert_int_equal(e.count, 3);
    assert_int_equal(e.redelivered, 1);
    enter(c, k, 3);
    assert_int_equal(next_entered(c, k).count, 4);
    assert_int_equal(info_of(c, k).epoch, 2);
    assert_int_equal(seen.kind[0], RK_SUPERVISION_RESTARTED);
    assert_non_null(strstr(seen.text[0], "'ledger' failed: stopped between publishing and committing"));
    rk_supervisor_info i = info_of_supervisor(s);
    assert_int_equal(i.failures, 1);
    assert_int_equal(i.restarted, 1);
    assert_int_equal(i.in_window, 1);
    assert_ok(rk_unsupervise(s));
}

static rk_status remember(void *user, rk_u32 which, void *state, size_t size)
{
    if (size != sizeof(rk_u64)) return RK_INTERNAL;
    *(rk_u64 *)state = *(rk_u64 *)user + which;
    return RK_OK;
}

static void a_restart_begins_with_zeros_or_with_what_is_restored(contract *c)
{
    rk_u64 from = 100;
    rk_kernel k[2];
    for (rk_u32 i = 0; i < 2; i++) {
        char id[16];
        snprintf(id, sizeof id, "ledger%u", i);
        k[i] = launch_active(c, id, "ledger", 0);
        for (rk_u32 n = 1; n <= 5; n++) {
            enter(c, k[i], n);
            assert_int_equal(next_entered(c, k[i]).count, n);
        }
    }
    rk_supervised children[] = { { .kernel = k[0], .state = RK_STATE_RESET },
                                 { k[1], RK_STATE_RESTORE, 0, remember, &from } };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ 0 }, children, 2);
    for (rk_u32 i = 0; i < 2; i++) {
        fail_with(c, k[i], 6);
        assert_int_equal(next_entered(c, k[i]).count, 6);
        wait_until(c, look(c, s) && noted() == i + 1);
        assert_int_equal(next_entered(c, k[i]).count, i ? 101 : 1);
    }
    assert_ok(rk_unsupervise(s));
}

static void each_actor_is_restored(contract *c)
{
    rk_u64 from = 1000;
    rk_launch_options o = rk_production();
    o.actors = 5;
    o.shards = 2;
    rk_kernel k = launch_active(c, "ledgers", "ledgers", &o);
    rk_supervised child = { k, RK_STATE_RESTORE, 0, remember, &from };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ 0 }, &child, 1);
    fail_with(c, k, 6); /* of actor 0 */
    assert_int_equal(next_entered(c, k).count, 1);
    wait_until(c, look(c, s) && noted() == 1);
    assert_int_equal(next_entered(c, k).count, 1001);
    for (rk_u32 a = 1; a < 5; a++) {
        rk_u64 state;
        assert_ok(rk_read_state(c->runtime, k, a, &state, sizeof state));
        assert_int_equal(state, 1000 + a);
    }
    assert_ok(rk_unsupervise(s));
}

static void a_strategy_says_who_is_launched_again(contract *c)
{
    static const rk_u32 epoch[3][3] = { { 1, 2, 1 }, { 2, 2, 2 }, { 1, 2, 2 } };
    static const char *const names[] = { "a", "b", "c" };
    for (rk_u32 strategy = RK_ONE_FOR_ONE; strategy <= RK_REST_FOR_ONE; strategy++) {
        /* given three that have counted one, and another that supervision doesn't know */
        rk_supervised children[3];
        rk_kernel other = launch_active(c, "other", "ledger", 0);
        for (rk_u32 i = 0; i < 3; i++) {
            children[i] =
                (rk_supervised){ .kernel = launch_active(c, names[i], "ledger", 0), .state = RK_STATE_RESET };
            enter(c, children[i].kernel, 1);
            assert_int_equal(next_entered(c, children[i].kernel).count, 1);
        }
        enter(c, other, 1);
        assert_int_equal(next_entered(c, other).count, 1);
        rk_supervisor *s = supervise(c, (rk_supervision_options){ .strategy = strategy }, children, 3);

        /* when the second fails */
        fail_with(c, children[1].kernel, 2);
        assert_int_equal(next_entered(c, children[1].kernel).count, 2);
        wait_until(c, look(c, s) && noted() == epoch[strategy][0] + 1 + epoch[strategy][2] - 2);
        assert_int_equal(next_entered(c, children[1].kernel).count, 1); /* again */

        /* then those whom the strategy names have begun anew, and the others count on */
        for (rk_u32 i = 0; i < 3; i++) {
            rk_kernel k = children[i].kernel;
            assert_int_equal(info_of(c, k).epoch, epoch[strategy][i]);
            assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
            enter(c, k, 3);
            assert_int_equal(next_entered(c, k).count, i == 1 ? 2 : epoch[strategy][i] == 2 ? 1 : 2);
        }
        enter(c, other, 2);
        assert_int_equal(next_entered(c, other).count, 2);
        assert_int_equal(info_of_supervisor(s).in_window, 1);
        assert_ok(rk_unsupervise(s));
        for (rk_u32 i = 0; i < 3; i++)
            assert_ok(rk_terminate(c->runtime, children[i].kernel, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, other, CONTRACT_PATIENCE));
    }
}

/* The level of the supervisor's first line that begins so; 0: there is none. */
static rk_u32 level_of(contract *c, const char *begin)
{
    rk_u32 level = 0;
    pthread_mutex_lock(&c->lock);
    for (rk_u32 i = 0; i < c->logged && i < CONTRACT_LOGS && !level; i++)
        if (!strcmp(c->log[i].kernel, "supervisor") && !strncmp(c->log[i].text, begin, strlen(begin)))
            level = c->log[i].level;
    pthread_mutex_unlock(&c->lock);
    return level;
}

static void more_failures_than_the_budget_escalate_and_nothing_is_lost(contract *c)
{
    rk_supervised children[] = { { .kernel = launch_active(c, "a", "ledger", 0) },
                                 { .kernel = launch_active(c, "b", "ledger", 0) } };
    rk_kernel a = children[0].kernel, b = children[1].kernel;
    rk_supervisor *s =
        supervise(c, (rk_supervision_options){ .restarts = 2, .window_ns = RK_SECONDS(3600) }, children, 2);
    for (rk_u32 i = 1; i <= 3; i++) {
        fail_with(c, a, i);
        wait_until(c, look(c, s) && noted() == i);
    }

    /* then the third failure stops all, and says so */
    assert_int_equal(seen.kind[1], RK_SUPERVISION_RESTARTED);
    assert_int_equal(seen.kind[2], RK_SUPERVISION_ESCALATED);
    assert_non_null(strstr(seen.text[2], "more than 2 restarts in 3600000 ms"));
    assert_int_equal(info_of(c, a).life, RK_LIFE_FAILED);
    assert_int_equal(info_of(c, b).life, RK_LIFE_INACTIVE);
    assert_int_equal(info_of_supervisor(s).escalated, 1);
    assert_int_equal(level_of(c, "restarted: 'a' failed: "), RK_WARNING);
    assert_int_equal(level_of(c, "escalated: 'a' failed: "), RK_ERROR);
    assert_status(rk_supervisor_look(s), RK_LIMIT);
    assert_int_equal(info_of(c, a).epoch, 3);

    /* and what is sent to the one that is well waits until somebody has put it right */
    entry e = { 9 };
    assert_ok(rk_send(c->runtime, b, RK_BODY(e), 0));
    assert_ok(rk_activate(c->runtime, b));
    assert_ok(rk_supervisor_resume(s));
    wait_until(c, look(c, s) && info_of(c, a).life == RK_LIFE_ACTIVE);
    assert_int_equal(next_entered(c, b).number, 9);
    assert_ok(rk_unsupervise(s));
}

/* Who was deactivated, by the first letter of each, in this order (cmake/Tests.cmake wraps the call). */
static char deactivated[16];

rk_status __real_rk_kernel_deactivate(rk_host_kernel *kernel);
rk_status __wrap_rk_kernel_deactivate(rk_host_kernel *kernel);
rk_status __wrap_rk_kernel_deactivate(rk_host_kernel *kernel)
{
    rk_status status = __real_rk_kernel_deactivate(kernel);
    const size_t at = strlen(deactivated);
    if (status == RK_OK && at + 1u < sizeof deactivated) deactivated[at] = kernel->id[0];
    return status;
}

static void an_escalation_stops_the_last_child_first(contract *c)
{
    static const char *const names[] = { "a", "b", "c", "d" };
    rk_supervised children[4];
    for (rk_u32 i = 0; i < 4; i++)
        children[i] = (rk_supervised){ .kernel = launch_active(c, names[i], "ledger", 0) };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ .none = 1 }, children, 4);
    memset(deactivated, 0, sizeof deactivated);
    fail_with(c, children[1].kernel, 1);
    wait_until(c, look(c, s) && noted() == 1);
    assert_int_equal(seen.kind[0], RK_SUPERVISION_ESCALATED);
    assert_string_equal(deactivated, "dca"); /* 'b' has failed */
    assert_ok(rk_unsupervise(s));
}

static void restarts_that_are_older_than_the_window_do_not_count(contract *c)
{
    rk_supervised child = { .kernel = launch_active(c, "a", "ledger", 0) };
    rk_supervisor *s =
        supervise(c, (rk_supervision_options){ .restarts = 1, .window_ns = RK_SECONDS(5) }, &child, 1);
    for (rk_u32 i = 1; i <= 5; i++) {
        fail_with(c, child.kernel, i);
        wait_until(c, look(c, s) && noted() == i);
        assert_int_equal(seen.kind[i - 1], RK_SUPERVISION_RESTARTED);
        let_pass(c, RK_SECONDS(5));
        assert_int_equal(info_of_supervisor(s).in_window, 0);
    }
    fail_with(c, child.kernel, 6);
    wait_until(c, look(c, s) && noted() == 6);
    let_pass(c, RK_SECONDS(5) - 1);
    fail_with(c, child.kernel, 7);
    wait_until(c, look(c, s) && noted() == 7);
    assert_int_equal(seen.kind[6], RK_SUPERVISION_ESCALATED);
    assert_ok(rk_unsupervise(s));
}

static void a_restart_that_is_refused_is_tried_again(contract *c)
{
    static rk_u32 refusals;
    refusals = 2;
    rk_supervised child = { launch_active(c, "a", "ledger", 0), RK_STATE_RESTORE, 0, refuse, &refusals };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ .restarts = 5 }, &child, 1);
    fail_with(c, child.kernel, 1);
    assert_int_equal(next_entered(c, child.kernel).count, 1);
    wait_until(c, look(c, s) && noted() == 3);
    for (rk_u32 i = 0; i < 3; i++)
        assert_int_equal(seen.kind[i], i < 2 ? RK_SUPERVISION_REFUSED : RK_SUPERVISION_RESTARTED);
    assert_int_equal(seen.status[0], RK_IO);
    assert_non_null(strstr(seen.text[0], "could not be restored"));
    assert_int_equal(next_entered(c, child.kernel).count, 56); /* the message is still there */
    assert_int_equal(info_of(c, child.kernel).epoch, 2);
    assert_ok(rk_unsupervise(s));
}

/* Given two that are restarted together, of which the one that is well can't be, when it can, then it is, and meanwhile it
 * does nothing with what the other has lost. */
static void one_that_is_restarted_with_others_is_tried_again(contract *c)
{
    for (rk_u32 strategy = RK_ONE_FOR_ALL; strategy <= RK_REST_FOR_ONE; strategy++) {
        static rk_u32 refusals;
        refusals = 2;
        rk_supervised children[] = { { .kernel = launch_active(c, "a", "ledger", 0) },
                                     { launch_active(c, "b", "ledger", 0), RK_STATE_RESTORE, 0, refuse,
                                       &refusals } };
        rk_kernel a = children[0].kernel, b = children[1].kernel;
        rk_supervisor *s =
            supervise(c, (rk_supervision_options){ .strategy = strategy, .restarts = 10 }, children, 2);
        enter(c, b, 1);
        assert_int_equal(next_entered(c, b).count, 1);
        fail_with(c, a, 1);
        assert_int_equal(next_entered(c, a).count, 1);
        if (c->variant->single_step) {
            rk_supervisor_look(s);
            assert_int_equal(noted(), 2);
            assert_int_equal(info_of(c, b).life, RK_LIFE_INACTIVE);
        }
        wait_until(c, look(c, s) && noted() == 4);
        static const rk_u32 kind[] = { RK_SUPERVISION_RESTARTED, RK_SUPERVISION_REFUSED,
                                       RK_SUPERVISION_REFUSED, RK_SUPERVISION_RESTARTED };
        for (rk_u32 i = 0; i < 4; i++) {
            assert_int_equal(seen.kind[i], kind[i]);
            assert_int_equal(seen.child[i], i > 0);
        }
        assert_int_equal(info_of(c, a).epoch, 2);
        assert_int_equal(info_of(c, b).life, RK_LIFE_ACTIVE);
        enter(c, b, 2);
        assert_int_equal(next_entered(c, b).count, 56);
        rk_supervisor_info i = info_of_supervisor(s);
        assert_int_equal(i.failures, 1);
        assert_int_equal(i.in_window, 3);
        assert_ok(rk_unsupervise(s));
        assert_ok(rk_terminate(c->runtime, a, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, b, CONTRACT_PATIENCE));
    }
}

/* Given two that are restarted together, of which one doesn't come to the end of a handler that may take long, when it
 * has, then it is restarted, too. */
static void one_whose_handler_takes_long_is_restarted_with_others_when_it_returns(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(50);
    contract_reopen(c, &r);
    rk_launch_options patient = small(64);
    patient.handler_limit_ns = CONTRACT_PATIENCE;
    rk_supervised children[] = { { .kernel = launch_active(c, "a", "ledger", &patient) },
                                 { .kernel = launch_active(c, "b", "held", &patient) } };
    CLOSE_GATE();
    assert_ok(send_probe(c, children[1].kernel, 1));
    wait_until(c, IN_HANDLERS == 1);
    rk_supervisor *s = supervise(c,
                                 (rk_supervision_options){ .strategy = RK_ONE_FOR_ALL,
                                                           .restarts = 64,
                                                           .window_ns = RK_MILLISECONDS(1),
                                                           .restart_ns = RK_MILLISECONDS(50) },
                                 children, 2);
    fail_with(c, children[0].kernel, 1);
    wait_until(c, noted() >= 2 && info_of_supervisor(s).refused >= 1);
    assert_int_equal(info_of(c, children[1].kernel).epoch, 1);
    OPEN_GATE();
    wait_until(c, info_of_supervisor(s).restarted == 2);
    assert_int_equal(info_of(c, children[1].kernel).epoch, 2);
    wait_until(c, info_of(c, children[1].kernel).life == RK_LIFE_ACTIVE);
    assert_next(c, children[1].kernel, 1);
    assert_ok(rk_unsupervise(s));
}

/* Given two that are restarted together, of which the one that is well was refused it and stands still, when the other fails
 * once more, then both go on. */
static void one_that_waits_to_be_restarted_goes_on_with_the_next_that_fails(contract *c)
{
    static rk_u32 refusals;
    refusals = 1;
    rk_supervised children[] = { { .kernel = launch_active(c, "a", "ledger", 0) },
                                 { launch_active(c, "b", "ledger", 0), RK_STATE_RESTORE, 0, refuse,
                                   &refusals } };
    const rk_kernel a = children[0].kernel, b = children[1].kernel;
    rk_supervisor *s =
        supervise(c, (rk_supervision_options){ .strategy = RK_ONE_FOR_ALL, .restarts = 10 }, children, 2);
    fail_with(c, a, 1);
    assert_status(rk_supervisor_look(s), RK_IO);
    assert_int_equal(info_of(c, b).life, RK_LIFE_INACTIVE);
    settle(c);
    fail_with(c, a, 2);
    assert_ok(rk_supervisor_look(s));
    assert_int_equal(info_of(c, b).life, RK_LIFE_ACTIVE);
    enter(c, b, 1);
    assert_int_equal(next_entered(c, b).count, 56);
    assert_ok(rk_unsupervise(s));
}

/* The last in the list is deactivated first, and the first is launched again first: who depends on another, which stands
 * before it, never works without it. */
static void siblings_stop_from_the_last_and_start_from_the_first(contract *c)
{
    enum { FIRST, FAILS, HELD, LAST, ALL };
    static const char *const ids[] = { "first", "fails", "held", "last" }, *const kernels[] = {
        "ledger", "ledger", "held", "ledger"
    };
    for (rk_u32 strategy = RK_ONE_FOR_ALL; strategy <= RK_REST_FOR_ONE; strategy++) {
        rk_runtime_options r = contract_runtime_options(c);
        r.stall_limit_ns = CONTRACT_PATIENCE; /* so long a deactivation waits for a handler */
        contract_reopen(c, &r);
        rk_supervised children[ALL] = { { .state = RK_STATE_KEEP } };
        rk_kernel k[ALL];
        for (rk_u32 i = 0; i < ALL; i++) children[i].kernel = k[i] = launch_active(c, ids[i], kernels[i], 0);
        CLOSE_GATE();
        assert_ok(send_probe(c, k[HELD], 1));
        wait_until(c, IN_HANDLERS == 1);
        rk_supervisor *s = supervise(c, (rk_supervision_options){ .strategy = strategy }, children, ALL);

        /* when one fails, while that behind it is in a handler, then the last one stops, and nobody before that one */
        fail_with(c, k[FAILS], 1);
        wait_until(c, info_of(c, k[LAST]).life == RK_LIFE_INACTIVE);
        assert_int_equal(info_of(c, k[FIRST]).life, RK_LIFE_ACTIVE);
        assert_int_equal(info_of(c, k[FAILS]).life, RK_LIFE_FAILED);
        assert_int_equal(noted(), 0);

        /* and when the handler has returned, they come again, the first of them first */
        const rk_u32 first = strategy == RK_ONE_FOR_ALL ? FIRST : FAILS;
        OPEN_GATE();
        wait_until(c, noted() == ALL - first);
        for (rk_u32 i = 0; i < ALL - first; i++) {
            assert_int_equal(seen.kind[i], RK_SUPERVISION_RESTARTED);
            assert_int_equal(seen.child[i], first + i);
        }
        for (rk_u32 i = 0; i < ALL; i++) {
            assert_int_equal(info_of(c, k[i]).epoch, i < first ? 1 : 2);
            assert_int_equal(info_of(c, k[i]).life, RK_LIFE_ACTIVE);
        }
        assert_ok(rk_unsupervise(s));
    }
}

static void who_was_stopped_or_ended_by_somebody_is_left_alone(contract *c)
{
    rk_supervised children[] = { { .kernel = launch_active(c, "a", "ledger", 0), .state = RK_STATE_RESET },
                                 { .kernel = launch_active(c, "b", "ledger", 0), .state = RK_STATE_RESET },
                                 { .kernel = launch_active(c, "c", "ledger", 0), .state = RK_STATE_RESET } };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ .strategy = RK_ONE_FOR_ALL }, children, 3);
    assert_ok(rk_deactivate(c->runtime, children[0].kernel));
    assert_ok(rk_terminate(c->runtime, children[1].kernel, CONTRACT_PATIENCE));
    assert_ok(rk_supervisor_look(s));
    assert_int_equal(noted(), 0);
    fail_with(c, children[2].kernel, 1);
    wait_until(c, look(c, s) && noted() == 1);
    assert_int_equal(seen.child[0], 2);
    assert_int_equal(info_of(c, children[0].kernel).life, RK_LIFE_INACTIVE);
    assert_int_equal(info_of(c, children[0].kernel).epoch, 1);
    rk_kernel found;
    assert_status(rk_find(c->runtime, "b", &found), RK_NO_SUCH_KERNEL);
    assert_ok(rk_unsupervise(s));
}

#define PAID 200u
static void what_is_sent_twice_by_hosts_and_by_failing_kernels_counts_once(contract *c)
{
    /* given a relay that fails four times behind its publishing, so that all of its batch goes out twice */
    rk_kernel relay = launch(c, "relay", "relay", 0), ledger = launch_active(c, "ledger", "ledger", 0);
    assert_ok(rk_connect(c->runtime, relay, 0, ledger, 0));
    assert_ok(rk_activate(c->runtime, relay));
    rk_supervised child = { .kernel = relay };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ .restarts = 64 }, &child, 1);

    /* when a sender sends each entry again whenever it isn't sure, and some three times anyway */
    rk_u32 duplicates = 0;
    for (rk_u32 i = 0; i < 3 * PAID; i++) {
        entry e = { i < PAID ? i + 1 : rk_hash64(i) % PAID + 1 };
        rk_send_options o = RK_SEND_DEFAULTS;
        o.id = 5000 + e.number;
        rk_u32 fails = i < PAID && i % 50 == 9;
        if (fails) assert_ok(rk_fail_before_commit(c->runtime, relay));
        rk_status status;
        while ((status = rk_send(c->runtime, relay, RK_BODY(e), &o)) == RK_CLOSED) wait_until(c, look(c, s));
        if (status != RK_DUPLICATE) assert_ok(status);
        duplicates += status == RK_DUPLICATE;
        if (fails) wait_until(c, look(c, s) && info_of_supervisor(s).restarted == i / 50 + 1);
    }
    wait_until(c, look(c, s) && account_of(c, relay).queued + account_of(c, ledger).queued == 0 &&
                      info_of(c, relay).life == RK_LIFE_ACTIVE);

    /* then the ledger has each once, and both windows have refused the rest */
    rk_u32 times[PAID + 1] = { 0 };
    entered e;
    settle(c);
    while (rk_receive(c->runtime, ledger, &e, sizeof e, 0, RK_NO_WAIT) == RK_OK) times[e.number]++;
    for (rk_u32 i = 1; i <= PAID; i++) assert_int_equal(times[i], 1);
    assert_int_equal(duplicates, 2 * PAID);
    assert_int_equal(account_of(c, relay).refused_duplicate, 2 * PAID);
    assert_true(account_of(c, ledger).refused_duplicate >= 4); /* what the relay published twice */
    assert_ok(rk_unsupervise(s));
}

static void what_cannot_be_supervised_is_refused(contract *c)
{
    rk_supervisor *s = 0;
    rk_kernel k = launch(c, "a", "ledger", 0), plain = launch(c, "plain", "echo", 0);
    static const struct {
        rk_supervision_options options;
        rk_status status;
        const char *says;
    } bad[] = {
        { { RK_SUPERVISION_OPTIONS, .strategy = 3 }, RK_INVALID_OPTIONS, "strategy 3" },
        { { RK_SUPERVISION_OPTIONS, .restarts = 65 }, RK_INVALID_OPTIONS, "restarts 65 is over 64" },
        { { RK_SUPERVISION_OPTIONS, .restarts = 1, .none = 1 }, RK_INVALID_OPTIONS, "must be 0" },
        { { .size = 4 }, RK_INVALID_OPTIONS, "size is 4" },
    };
    rk_supervised child = { .kernel = k };
    for (rk_u32 i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_status(rk_supervise(c->runtime, &bad[i].options, &child, 1, &s), bad[i].status);
        assert_error_says(bad[i].says);
    }
    assert_status(rk_supervise(c->runtime, 0, &child, 0, &s), RK_INVALID_ARGUMENT);
    assert_status(rk_supervise(c->runtime, 0, 0, 1, &s), RK_INVALID_ARGUMENT);
    rk_supervised twice[] = { { .kernel = k }, { .kernel = k } };
    assert_status(rk_supervise(c->runtime, 0, twice, 2, &s), RK_INVALID_ARGUMENT);
    assert_error_says("given twice");
    child.state = RK_STATE_RESTORE;
    assert_status(rk_supervise(c->runtime, 0, &child, 1, &s), RK_INVALID_ARGUMENT);
    child.state = RK_STATE_KEEP;
    child.supervised_ = 1;
    assert_status(rk_supervise(c->runtime, 0, &child, 1, &s), RK_INVALID_OPTIONS);
    assert_error_says("the gap");
    child.supervised_ = 0;
    child.state = 7;
    assert_status(rk_supervise(c->runtime, 0, &child, 1, &s), RK_INVALID_OPTIONS);
    rk_supervised stateless = { .kernel = plain, .state = RK_STATE_RESET };
    assert_status(rk_supervise(c->runtime, 0, &stateless, 1, &s), RK_UNSUPPORTED);
    rk_supervised nobody = { .kernel = { 77, 1 } };
    assert_status(rk_supervise(c->runtime, 0, &nobody, 1, &s), RK_NO_SUCH_KERNEL);

    /* Several mistakes are told together, those of the options and those of each child. */
    rk_supervision_options worst = { RK_SUPERVISION_OPTIONS, .strategy = 3, .restarts = 65, .none = 2 };
    rk_supervised all[] = { { .kernel = { 77, 1 }, .state = 7 },
                            { .kernel = plain, .state = RK_STATE_RESTORE, .supervised_ = 1 },
                            { .kernel = k },
                            { .kernel = k } };
    assert_status(rk_supervise(c->runtime, &worst, all, 4, &s), RK_INVALID_OPTIONS);
    static const char *const said[] = { "strategy 3",    "restarts 65",    "none 2",
                                        "77.1",          "state 7",        "the gap",
                                        "needs restore", "keeps no state", "'a' is given twice" };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) assert_error_says(said[i]);
    all[0].state = all[1].supervised_ = 0;
    assert_status(rk_supervise(c->runtime, 0, all, 4, &s), RK_NO_SUCH_KERNEL); /* of the first */
    assert_error_says("'a' is given twice");
    assert_null(s);
    assert_ok(rk_unsupervise(0));
    assert_status(rk_supervisor_look(0), RK_INVALID_ARGUMENT);
}

static void closing_a_runtime_ends_its_supervisors(contract *c)
{
    rk_supervised child = { .kernel = launch_active(c, "a", "ledger", 0) };
    supervise(c, (rk_supervision_options){ .none = 1 }, &child, 1);
    fail_with(c, child.kernel, 1);
    if (!c->variant->single_step) wait_until(c, noted() == 1 && seen.kind[0] == RK_SUPERVISION_ESCALATED);
    rk_runtime_options r = contract_runtime_options(c);
    contract_reopen(c, &r);
}

static const contract_case cases[] = {
    { CASE(a_failed_kernel_is_launched_again_with_its_queue_and_its_state), NEEDS_REGIONS },
    { CASE(a_restart_begins_with_zeros_or_with_what_is_restored), NEEDS_REGIONS },
    { CASE(each_actor_is_restored), NEEDS_REGIONS },
    { CASE(a_strategy_says_who_is_launched_again), NEEDS_REGIONS },
    { CASE(more_failures_than_the_budget_escalate_and_nothing_is_lost), NEEDS_REGIONS },
    { CASE(an_escalation_stops_the_last_child_first), NEEDS_REGIONS },
    { CASE(restarts_that_are_older_than_the_window_do_not_count), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(a_restart_that_is_refused_is_tried_again), NEEDS_REGIONS },
    { CASE(one_that_is_restarted_with_others_is_tried_again), NEEDS_REGIONS },
    { CASE(one_whose_handler_takes_long_is_restarted_with_others_when_it_returns),
      NEEDS_REGIONS | NEEDS_WORKERS | NEEDS_CPU },
    { CASE(siblings_stop_from_the_last_and_start_from_the_first), NEEDS_REGIONS | NEEDS_WORKERS | NEEDS_CPU },
    { CASE(one_that_waits_to_be_restarted_goes_on_with_the_next_that_fails), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(who_was_stopped_or_ended_by_somebody_is_left_alone), NEEDS_REGIONS },
    { CASE(what_is_sent_twice_by_hosts_and_by_failing_kernels_counts_once), NEEDS_REGIONS },
    { CASE(what_cannot_be_supervised_is_refused), NEEDS_REGIONS },
    { CASE(closing_a_runtime_ends_its_supervisors), NEEDS_REGIONS },
};
CONTRACT_MAIN("supervision", cases)
