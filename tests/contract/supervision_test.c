/* Supervision: who fails or hangs is launched again, alone or with others, until the budget is spent. */
#include "probes.h"

#include "../kernels/pattern_supervision.rk.h"

#include <stdio.h>

#include "runtime/core.h"
#include "runtime/replace.h"

#define EVENTS 64u
typedef struct events {
    contract *c;
    rk_u32 count; /* atomic */
    rk_u32 kind[EVENTS], child[EVENTS];
    rk_status status[EVENTS];
    char text[EVENTS][512];
} events;
static events seen;

static void note(void *user, const rk_supervision_event *e)
{
    events *all = user;
    rk_u32 at = all->count;
    if (at == EVENTS) return;
    all->kind[at] = e->kind;
    all->child[at] = e->child;
    all->status[at] = e->status;
    snprintf(all->text[at], sizeof all->text[at], "%s", e->text);
    __atomic_store_n(&all->count, at + 1, __ATOMIC_RELEASE);
}
static rk_u32 noted(void) { return __atomic_load_n(&seen.count, __ATOMIC_ACQUIRE); }

static rk_supervisor *supervise(contract *c, rk_supervision_options o, const rk_supervised *children,
                                size_t count)
{
    rk_supervisor *s;
    seen = (events){ .c = c };
    o.size = sizeof o;
    o.on_event = note;
    o.event_user = &seen;
    assert_ok(rk_supervise(c->runtime, &o, children, count, &s));
    return s;
}

/* In a single-step runtime the case looks; elsewhere the supervisor does by itself. */
static int look(contract *c, rk_supervisor *s)
{
    if (c->variant->single_step) rk_supervisor_look(s);
    return 1;
}

static rk_supervisor_info info_of_supervisor(rk_supervisor *s)
{
    rk_supervisor_info i;
    assert_ok(rk_supervisor_information(s, &i));
    return i;
}

static void enter(contract *c, rk_kernel k, rk_u64 number)
{
    entry e = { number };
    assert_ok(rk_send(c->runtime, k, RK_BODY(e), 0));
    settle(c);
}

static entered next_entered(contract *c, rk_kernel k)
{
    entered e;
    settle(c);
    receive(c, k, &e);
    return e;
}

/* Its next batch is published, and not committed: the kernel fails. */
static void fail_with(contract *c, rk_kernel k, rk_u64 number)
{
    entry e = { number };
    wait_until(c, info_of(c, k).queued == 0); /* or a batch that is just being published would fail instead */
    assert_ok(rk_fail_before_commit(c->runtime, k));
    assert_ok(rk_send(c->runtime, k, RK_BODY(e), 0));
    if (c->variant->single_step) rk_step_all(c->runtime, 8);
}

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

static rk_status refuse(void *user, rk_u32 which, void *state, size_t size)
{
    rk_u32 *refusals = user;
    (void)which, (void)size;
    *(rk_u64 *)state = 55;
    return refusals[0] && refusals[0]-- ? RK_IO : RK_OK;
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

static void a_kernel_that_hangs_is_replaced_and_its_siblings_go_on(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(100);
    contract_reopen(c, &r);
    rk_launch_options o = small(64), patient = o;
    patient.handler_limit_ns = CONTRACT_PATIENCE; /* on a busy machine any handler may take long */
    o.handler_limit_ns = RK_MILLISECONDS(300);
    rk_kernel source = launch(c, "source", "echo", &patient), middle = launch(c, "middle", "held", &o),
              sink = launch_active(c, "sink", "echo", &patient),
              other = launch_active(c, "other", "echo", &patient);
    assert_ok(rk_connect(c->runtime, source, 0, middle, 0));
    assert_ok(rk_connect(c->runtime, middle, 0, sink, 0));
    assert_ok(rk_activate(c->runtime, source));
    assert_ok(rk_activate(c->runtime, middle));
    assert_ok(send_probe(c, source, 1));
    assert_next(c, sink, 1);
    rk_supervised children[] = { { .kernel = source }, { .kernel = middle }, { .kernel = sink } };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ 0 }, children, 3);

    /* when a handler doesn't return */
    CLOSE_GATE();
    c->ends_quarantined = 1;
    for (rk_u32 i = 2; i <= 3; i++) assert_ok(send_probe(c, middle, i)); /* the third waits behind it */
    wait_until(c, IN_HANDLERS == 1);

    /* then the others go on, and another has its id and its routes */
    assert_serves(c, other, 7);
    wait_until(c, noted() == 1);
    assert_serves(c, other, 8);
    assert_int_equal(seen.kind[0], RK_SUPERVISION_REPLACED);
    assert_int_equal(seen.child[0], 1);
    rk_kernel found, now;
    assert_ok(rk_find(c->runtime, "middle", &found));
    assert_ok(rk_supervised_kernel(s, 1, &now));
    assert_memory_equal(&found, &now, sizeof now);
    assert_int_not_equal(now.number, middle.number);
    assert_int_equal(info_of(c, middle).life, RK_LIFE_QUARANTINED);
    assert_int_equal(info_of(c, now).life, RK_LIFE_ACTIVE);
    OPEN_GATE();
    wait_until(c, IN_HANDLERS == 0);
    for (rk_u32 i = 4; i < 8; i++) {
        assert_ok(send_probe(c, source, i));
        assert_next(c, sink, i); /* nothing of the old one comes out */
    }

    /* and the account says what the old one had: the message that hung, and the one behind it */
    assert_int_equal(account_of(c, middle).queued, 2);
    assert_int_equal(info_of(c, source).epoch, 1);
    assert_int_equal(info_of(c, sink).epoch, 1);

    /* and a drain ends, since nobody waits for what the old one had */
    rk_kernel all[] = { source, now, sink };
    assert_ok(rk_unsupervise(s));
    assert_ok(rk_drain(c->runtime, all, 3, CONTRACT_PATIENCE));
    assert_int_equal(account_of(c, sink).delivered, 5);
}

static void what_a_hanging_kernel_had_sent_is_known_after_it_was_terminated(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel source = launch(c, "source", "echo", &o), middle = launch(c, "middle", "held", &o),
              sink = launch_active(c, "sink", "echo", &o);
    assert_ok(rk_connect(c->runtime, source, 0, middle, 0));
    assert_ok(rk_connect(c->runtime, middle, 0, sink, 0));
    assert_ok(rk_activate(c->runtime, source));
    assert_ok(rk_activate(c->runtime, middle));
    OPEN_GATE();
    assert_ok(send_probe(c, source, 1));
    assert_next(c, sink, 1);

    /* when one that doesn't return is terminated */
    CLOSE_GATE();
    c->ends_quarantined = 1;
    assert_ok(send_probe(c, middle, 2));
    wait_until(c, IN_HANDLERS == 1);
    assert_status(rk_terminate(c->runtime, middle, RK_NO_WAIT), RK_QUARANTINED);
    OPEN_GATE();
    wait_until(c, IN_HANDLERS == 0);

    /* then nobody waits for more of it, and what it is sent has nowhere to go */
    rk_kernel others[] = { source, sink };
    assert_ok(send_probe(c, source, 3));
    wait_until(c, account_of(c, source).dead_sends == 1);
    assert_ok(rk_drain(c->runtime, others, 2, CONTRACT_PATIENCE));
    assert_int_equal(account_of(c, sink).delivered, 1);
}

static void who_was_replaced_has_its_topics_and_subscriptions(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(100);
    contract_reopen(c, &r);
    rk_launch_options o = small(64);
    o.handler_limit_ns = RK_MILLISECONDS(300);
    rk_kernel all[] = { launch(c, "one", "held", &o), launch(c, "two", "echo", &o),
                        launch(c, "three", "echo", &o) };
    rk_topics *topics;
    rk_supervisor *s;
    rk_supervisor_info info;
    rk_supervised child = { .kernel = all[0] };
    rk_u32 made;
    probe p = { .number = 1 };
    rk_topic_lag lag;
    assert_ok(rk_topics_open(c->runtime, &topics));
    assert_ok(rk_topic_publish(topics, "out", all[0], 0));
    assert_ok(rk_topic_subscribe(topics, "in", all[0], 0));
    assert_ok(rk_topic_subscribe(topics, "out", all[1], 0));
    assert_ok(rk_topics_connect(topics, &made));
    assert_int_equal(made, 1);
    for (rk_u32 i = 0; i < 3; i++) assert_ok(rk_activate(c->runtime, all[i]));
    assert_ok(rk_supervise(c->runtime, 0, &child, 1, &s));

    /* when the publisher hangs, and another is put in its place */
    CLOSE_GATE();
    c->ends_quarantined = 1;
    assert_ok(rk_send(c->runtime, all[0], RK_BODY(p), 0));
    wait_until(c, IN_HANDLERS == 1);
    wait_until(c, rk_supervisor_information(s, &info) == RK_OK && info.replaced == 1);
    OPEN_GATE();
    wait_until(c, IN_HANDLERS == 0);

    /* then a later subscriber gets what that one publishes, and it isn't connected twice */
    rk_kernel now;
    assert_ok(rk_supervised_kernel(s, 0, &now));
    assert_ok(rk_topic_lag_of(topics, 0, &lag));
    assert_memory_equal(&lag.kernel, &now, sizeof now);
    assert_ok(rk_deactivate(c->runtime, now));
    assert_ok(rk_topic_subscribe(topics, "#", all[2], 0));
    assert_ok(rk_topics_connect(topics, &made));
    assert_int_equal(made, 1);
    assert_ok(rk_activate(c->runtime, now));
    p.number = 2;
    assert_ok(rk_send(c->runtime, now, RK_BODY(p), 0));
    for (rk_u32 i = 1; i < 3; i++) {
        probe got;
        assert_ok(rk_receive(c->runtime, all[i], &got, sizeof got, 0, CONTRACT_PATIENCE));
        assert_int_equal(got.number, 2);
    }
    rk_topics_close(topics);
}

static void topics_are_connected_without_who_is_quarantined(contract *c)
{
    /* given a kernel in quarantine that publishes, and subscribes to what another publishes */
    rk_launch_options o = small(64);
    rk_kernel source = launch(c, "source", "echo", &o), hangs = launch_active(c, "hangs", "held", &o),
              sink = launch_active(c, "sink", "echo", &o);
    rk_topics *topics;
    assert_ok(rk_topics_open(c->runtime, &topics));
    assert_ok(rk_topic_publish(topics, "out", hangs, 0));
    assert_ok(rk_topic_publish(topics, "out", source, 0));
    assert_ok(rk_topic_subscribe(topics, "out", hangs, 0));
    assert_ok(rk_topic_subscribe(topics, "out", sink, 0));
    CLOSE_GATE();
    c->ends_quarantined = 1;
    assert_ok(send_probe(c, hangs, 1));
    wait_until(c, IN_HANDLERS == 1);
    assert_status(rk_terminate(c->runtime, hangs, RK_NO_WAIT), RK_QUARANTINED);

    /* when the topics are connected, then the others are */
    rk_u32 made = 0;
    assert_ok(rk_topics_connect(topics, &made));
    assert_int_equal(made, 1);
    OPEN_GATE();
    wait_until(c, IN_HANDLERS == 0);
    assert_ok(rk_activate(c->runtime, source));
    assert_ok(send_probe(c, source, 2));
    assert_next(c, sink, 2);
    rk_topics_close(topics);
}

static void what_is_published_for_a_subscriber_in_quarantine_is_missed(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel source = launch(c, "source", "echo", &o), hangs = launch_active(c, "hangs", "held", &o);
    rk_topics *topics;
    rk_topic_lag lag = { .missed = 0 };
    assert_ok(rk_topics_open(c->runtime, &topics));
    assert_ok(rk_topic_publish(topics, "out", source, 0));
    assert_ok(rk_topic_subscribe(topics, "out", hangs, 0));
    assert_ok(rk_topics_connect(topics, 0));
    assert_ok(rk_activate(c->runtime, source));
    CLOSE_GATE();
    c->ends_quarantined = 1;
    assert_ok(send_probe(c, source, 1));
    wait_until(c, IN_HANDLERS == 1);
    assert_status(rk_terminate(c->runtime, hangs, RK_NO_WAIT), RK_QUARANTINED);
    for (rk_u32 i = 2; i < 5; i++) assert_ok(send_probe(c, source, i));
    wait_until(c, rk_topic_lag_of(topics, 0, &lag) == RK_OK && lag.missed == 3);
    assert_int_equal(lag.accepted, 1);
    OPEN_GATE();
    wait_until(c, IN_HANDLERS == 0);
    rk_topics_close(topics);
}

static void a_kernel_has_a_limit_of_its_own_for_its_handlers(contract *c)
{
    static const rk_u64 limits[][2] = { { RK_SECONDS(3600), RK_MILLISECONDS(30) },
                                        { RK_MILLISECONDS(40), RK_SECONDS(3600) } };
    for (rk_u32 i = 0; i < 2; i++) {
        /* given a limit far under the runtime's, and then far over it */
        rk_runtime_options r = contract_runtime_options(c);
        r.stall_limit_ns = limits[i][0];
        contract_reopen(c, &r);
        rk_launch_options o = small(16);
        o.handler_limit_ns = limits[i][1];
        rk_kernel k = launch_active(c, "held", "held", &o);
        rk_supervised child = { .kernel = k };
        rk_supervisor *s = supervise(c, (rk_supervision_options){ 0 }, &child, 1);
        CLOSE_GATE();
        assert_ok(send_probe(c, k, 1));
        wait_until(c, IN_HANDLERS == 1);
        if (i == 0) {
            c->ends_quarantined = 1;
            wait_until(c, noted() == 1);
            assert_int_equal(seen.kind[0], RK_SUPERVISION_REPLACED);
            assert_int_equal(info_of(c, k).life, RK_LIFE_QUARANTINED);
        } else {
            c->ends_quarantined = 0;
            wait_until(c, info_of(c, k).stalled);
            assert_ok(rk_supervisor_look(s));
            assert_int_equal(noted(), 0);
        }
        OPEN_GATE();
        wait_until(c, IN_HANDLERS == 0);
        if (i) assert_next(c, k, 1);
        assert_ok(rk_unsupervise(s));
    }
}

/* Given a kernel whose handler ran for too long and returned, when it is supervised after that, then it is
 * left alone. */
static void a_kernel_that_hung_and_goes_on_is_left_alone(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(50);
    contract_reopen(c, &r);
    rk_kernel k = launch_active(c, "held", "held", 0);
    CLOSE_GATE();
    assert_ok(send_probe(c, k, 1));
    wait_until(c, logged(c, "longer than the stall limit") > 0);
    OPEN_GATE();
    assert_next(c, k, 1);
    wait_until(c, !rk_atomic_u32(&c->runtime->kernels[k.number]->hung));
    rk_supervised child = { .kernel = k };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ 0 }, &child, 1);
    assert_ok(rk_supervisor_look(s));
    assert_int_equal(noted(), 0);
    assert_serves(c, k, 2);
    assert_ok(rk_unsupervise(s));
}

static void a_limit_for_handlers_that_nobody_can_keep_is_refused(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel k;
    o.handler_limit_ns = RK_MILLISECONDS(10) - 1;
    o.kernel_name = in_style(c, "echo");
    assert_status(rk_launch(c->runtime, "echo", &o, &k), RK_INVALID_OPTIONS);
    assert_error_says("handler_limit_ns 9999999 is under 10000000");
    o.handler_limit_ns = RK_SECONDS(1);
    if (c->variant->single_step) {
        assert_status(rk_launch(c->runtime, "echo", &o, &k), RK_UNSUPPORTED);
        assert_error_says("handler_limit_ns: a single-step runtime has no thread");
    } else {
        assert_ok(rk_launch(c->runtime, "echo", &o, &k));
    }
}

/* The gate of the kernel "gated". */
static rk_u32 *gate_of(contract *c, rk_kernel k)
{
    return (rk_u32 *)(void *)c->runtime->kernels[k.number]->seats[0].orders->host_rest_;
}

/* Orders are copied with a slice: what is in the handler can't be reached, and returns by itself. */
static int is_out_of_reach(const contract *c) { return c->variant->without != 0; }

/* Two messages: the handler of the first waits for the gate, and the other one behind it. */
static void send_gated(contract *c, rk_kernel k)
{
    gated_entry e[] = { { 1, is_out_of_reach(c) ? 3ull << 30 : 0 }, { 2, 0 } };
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_send(c->runtime, k, RK_BODY(e[i]), 0));
}

static rk_kernel launch_gated(contract *c)
{
    static const rk_parameter marked[] = { { "mark", "77" } };
    rk_launch_options o = small(16);
    o.handler_limit_ns = RK_MILLISECONDS(300);
    o.parameters = marked;
    o.parameter_count = 1;
    return launch_active(c, "gated", "gated", &o);
}

static entered next_gated(contract *c, rk_kernel k)
{
    gated_entry e = { 3, 0 };
    assert_ok(rk_send(c->runtime, k, RK_BODY(e), 0));
    return next_entered(c, k);
}

/* A slice of OpenCL has the device for as long as its handler takes, and kernels that stay there may find no room beside
 * each other. */
static int has_siblings(const contract *c) { return c->variant->backend != RK_BACKEND_OPENCL; }

static void a_handler_that_runs_too_long_is_told_and_goes_on_when_it_returns(contract *c)
{
    rk_launch_options patient = small(16);
    patient.handler_limit_ns = CONTRACT_PATIENCE; /* on a busy machine any handler may take long */
    rk_kernel other = { 0, 0 }, k = launch_gated(c);
    if (has_siblings(c)) other = launch_active(c, "other", "echo", &patient);

    /* when a handler runs for longer than its limit, then that is told, and the others go on */
    rk_atomic_set_u32(gate_of(c, k), !is_out_of_reach(c));
    send_gated(c, k);
    wait_until(c, logged(c, "a handler runs longer than handler_limit_ns") > 0);
    if (has_siblings(c)) assert_serves(c, other, 7);
    if (!is_out_of_reach(c)) {
        rk_launch_options o = small(32);
        o.kernel_name = in_style(c, "gated");
        assert_true(rk_atomic_u32(&c->runtime->kernels[k.number]->hung));
        assert_status(rk_relaunch(c->runtime, k, &o, RK_MILLISECONDS(20)), RK_TIMED_OUT);
        assert_error_says("'gated'");
    }

    /* and when it has returned, it has lost nothing, and hangs no more */
    rk_atomic_set_u32(gate_of(c, k), 0);
    for (rk_u64 i = 1; i <= 2; i++) assert_int_equal(next_entered(c, k).count, i);
    wait_until(c, !rk_atomic_u32(&c->runtime->kernels[k.number]->hung));
    assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
}

/* Given a kernel that hangs, when another can't be put in its place without a loss for all, then the supervisor says so,
 * by its name, until the handler returns; elsewhere another has its id, and the account of the old one its messages. */
static void a_kernel_that_hangs_is_replaced_where_that_costs_no_other(contract *c)
{
    rk_kernel k = launch_gated(c), now;
    rk_supervised child = { .kernel = k };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ .restarts = 64 }, &child, 1);
    rk_atomic_set_u32(gate_of(c, k), !is_out_of_reach(c));
    send_gated(c, k);
    wait_until(c, noted() >= 1);
    assert_int_equal(seen.child[0], 0);
    assert_non_null(strstr(seen.text[0], "'gated' hangs: a handler has been running for its limit"));
    if (!has_siblings(c) && c->variant->slices) {
        assert_ok(rk_supervised_kernel(s, 0, &now));
        assert_int_equal(seen.kind[0], RK_SUPERVISION_REFUSED);
        assert_int_equal(seen.status[0], RK_TIMED_OUT);
        assert_non_null(strstr(seen.text[0], "'gated' can't be replaced before its handler returns"));
        assert_memory_equal(&now, &k, sizeof k);
        rk_atomic_set_u32(gate_of(c, k), 0);
        for (rk_u64 i = 1; i <= 2; i++) assert_int_equal(next_entered(c, k).count, i);
        assert_ok(rk_unsupervise(s));
        return;
    }
    c->ends_quarantined = 1;
    assert_int_equal(seen.kind[0], RK_SUPERVISION_REPLACED);
    assert_ok(rk_unsupervise(s)); /* on a busy machine the next one may take long, too */
    assert_ok(rk_find(c->runtime, "gated", &now));
    assert_int_not_equal(now.number, k.number);
    assert_int_equal(info_of(c, k).life, RK_LIFE_QUARANTINED);
    assert_int_equal(account_of(c, k).queued, 2);
    send_gated(c, now); /* its gate is open */
    for (rk_u64 i = 1; i <= 2; i++) {
        const entered e = next_entered(c, now);
        assert_int_equal(e.count, i);
        assert_int_equal(e.mark, 77);
    }
    rk_atomic_set_u32(gate_of(c, k), 0);
}

/* Given one that hangs, and whose state can't be restored at first, then another is in its place when it can; and in the
 * place of that one, too, when it hangs. */
static void a_replacement_that_is_refused_is_tried_again_and_may_be_replaced(contract *c)
{
    static rk_u32 refusals;
    rk_kernel k = launch_gated(c), now = k;
    rk_supervised child = { k, RK_STATE_RESTORE, 0, refuse, &refusals };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ .restarts = 64 }, &child, 1);
    c->ends_quarantined = 1;
    for (rk_u32 i = 0; i < 2; i++) {
        const rk_u32 before = noted();
        refusals = 1;
        rk_u32 *gate = gate_of(c, now);
        rk_atomic_set_u32(gate, 1);
        send_gated(c, now);
        wait_until(c, noted() == before + 2);
        assert_int_equal(seen.kind[before], RK_SUPERVISION_REFUSED);
        assert_int_equal(seen.status[before], RK_IO);
        assert_int_equal(seen.kind[before + 1], RK_SUPERVISION_REPLACED);
        assert_ok(rk_supervised_kernel(s, 0, &now));
        assert_int_equal(next_gated(c, now).count, 56); /* what restore had made of it, and one more */
        rk_atomic_set_u32(gate, 0);
    }
    const rk_kernel last = rk_replacement_of(c->runtime, k);
    assert_memory_equal(&last, &now, sizeof now);
    assert_ok(rk_unsupervise(s));
}

static void a_replacement_has_the_parameters_of_the_old_one(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(100);
    contract_reopen(c, &r);
    static const rk_parameter marked[] = { { "mark", "77" } };
    rk_launch_options o = small(16);
    o.parameters = marked;
    o.parameter_count = 1;
    o.handler_limit_ns = CONTRACT_PATIENCE; /* on a busy machine any handler may take long */
    rk_kernel k = launch_active(c, "ledger", "ledger", &o);
    rk_supervised child = { .kernel = k };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ 0 }, &child, 1);
    fail_with(c, k, 1);
    assert_int_equal(next_entered(c, k).mark, 77);
    wait_until(c, noted() == 1);
    entered e = next_entered(c, k);
    assert_int_equal(e.mark, 77);
    assert_int_equal(e.redelivered, 1);
    assert_ok(rk_unsupervise(s));
}

static void a_kernel_that_waits_for_room_does_not_hang(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(60);
    contract_reopen(c, &r);
    rk_launch_options o = small(16);
    o.handler_limit_ns = CONTRACT_PATIENCE; /* on a busy machine any handler may take long */
    rk_kernel k = launch_echo(c, &o);
    rk_supervised child = { .kernel = k };
    rk_supervisor *s = supervise(c, (rk_supervision_options){ 0 }, &child, 1);
    /* nobody receives: however they are divided into batches, the last one waits */
    for (rk_u32 i = 0; i < 16 + 1; i++) assert_ok(send_probe(c, k, i));
    wait_until(c, info_of(c, k).stalled);
    assert_ok(rk_supervisor_look(s));
    for (rk_u32 i = 0; i < 16 + 1; i++) assert_next(c, k, i);
    assert_int_equal(noted(), 0);
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
    { CASE(restarts_that_are_older_than_the_window_do_not_count), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(a_restart_that_is_refused_is_tried_again), NEEDS_REGIONS },
    { CASE(one_that_is_restarted_with_others_is_tried_again), NEEDS_REGIONS },
    { CASE(one_whose_handler_takes_long_is_restarted_with_others_when_it_returns),
      NEEDS_REGIONS | NEEDS_WORKERS | NEEDS_CPU },
    { CASE(siblings_stop_from_the_last_and_start_from_the_first), NEEDS_REGIONS | NEEDS_WORKERS | NEEDS_CPU },
    { CASE(one_that_waits_to_be_restarted_goes_on_with_the_next_that_fails), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(who_was_stopped_or_ended_by_somebody_is_left_alone), NEEDS_REGIONS },
    { CASE(a_kernel_that_hangs_is_replaced_and_its_siblings_go_on), NEEDS_THREADS | NEEDS_CPU },
    { CASE(what_a_hanging_kernel_had_sent_is_known_after_it_was_terminated), NEEDS_THREADS | NEEDS_CPU },
    { CASE(who_was_replaced_has_its_topics_and_subscriptions), NEEDS_THREADS | NEEDS_CPU },
    { CASE(topics_are_connected_without_who_is_quarantined), NEEDS_THREADS | NEEDS_CPU },
    { CASE(what_is_published_for_a_subscriber_in_quarantine_is_missed), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_kernel_has_a_limit_of_its_own_for_its_handlers), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_kernel_that_hung_and_goes_on_is_left_alone), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_limit_for_handlers_that_nobody_can_keep_is_refused), ON_EVERY },
    { CASE(a_handler_that_runs_too_long_is_told_and_goes_on_when_it_returns), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_kernel_that_hangs_is_replaced_where_that_costs_no_other), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_replacement_that_is_refused_is_tried_again_and_may_be_replaced),
      NEEDS_REGIONS | NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_replacement_has_the_parameters_of_the_old_one), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_kernel_that_waits_for_room_does_not_hang), NEEDS_THREADS },
    { CASE(what_is_sent_twice_by_hosts_and_by_failing_kernels_counts_once), NEEDS_REGIONS },
    { CASE(what_cannot_be_supervised_is_refused), NEEDS_REGIONS },
    { CASE(closing_a_runtime_ends_its_supervisors), NEEDS_REGIONS },
};
CONTRACT_MAIN("supervision", cases)
