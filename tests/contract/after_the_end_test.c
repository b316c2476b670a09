/* After the end of a kernel. One that was given up, and comes back: whatever it was in, a hook or a batch, nothing of it goes
 * out any more, and it stays what it is. Those who wait for it learn of the end, and who has its place has nothing of it. */
#include "probes.h"

#include <sched.h>

#include "runtime/guard.h"
#include "runtime/kernel.h"

static rk_u32 life_of(contract *c, rk_kernel k) { return info_of(c, k).life; }

/* The worker has done with the only shard. */
static int is_over(contract *c, rk_kernel k)
{
    return __atomic_load_n(&c->runtime->kernels[k.number]->seats[0].orders->phase, __ATOMIC_ACQUIRE) ==
           RK_PHASE_FAILED;
}

static void reopen(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(100);
    contract_reopen(c, &r);
    c->ends_quarantined = 1;
}

/* A kernel that sends to the neighbour, and will be stuck: the gate is closed. */
static rk_kernel launch_before(contract *c, const char *kernel_name, rk_kernel neighbour)
{
    rk_kernel stuck = launch(c, "stuck", kernel_name, 0);
    assert_ok(rk_connect(c->runtime, stuck, 0, neighbour, 0));
    assert_ok(rk_activate(c->runtime, stuck));
    CLOSE_GATE();
    return stuck;
}

static void give_up(contract *c, rk_kernel stuck)
{
    assert_status(rk_terminate(c->runtime, stuck, RK_MILLISECONDS(50)), RK_QUARANTINED);
    assert_int_equal(life_of(c, stuck), RK_LIFE_QUARANTINED);
}

static void assert_nothing_came(contract *c, rk_kernel stuck, rk_kernel neighbour)
{
    OPEN_GATE();
    wait_until(c, is_over(c, stuck));
    assert_int_equal(life_of(c, stuck), RK_LIFE_QUARANTINED);
    assert_status(rk_terminate(c->runtime, stuck, RK_MILLISECONDS(50)), RK_QUARANTINED);
    assert_int_equal(account_of(c, neighbour).accepted, 0);
    assert_serves(c, neighbour, 5);
}

static void what_a_hook_or_a_handler_sends_after_its_kernel_was_given_up_goes_nowhere(contract *c)
{
    static const char *const kernels[] = { "held_timer", "held_trying" };
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        reopen(c);

        /* given a kernel in a hook, or in a handler that sends at once, which is given up */
        rk_kernel neighbour = launch_active(c, "neighbour", "echo", 0),
                  stuck = launch_before(c, kernels[i], neighbour);
        assert_ok(send_probe(c, stuck, 1));
        wait_until(c, IN_HANDLERS == 1);
        give_up(c, stuck);

        /* when it sends, then that comes nowhere */
        assert_nothing_came(c, stuck, neighbour);
    }
}

typedef struct draining {
    contract *c;
    rk_kernel kernel;
    rk_status status;
    rk_u32 over; /* atomic */
} draining;

static void *drain_it(void *argument)
{
    draining *d = argument;
    d->status = rk_drain(d->c->runtime, &d->kernel, 1, RK_SECONDS(60));
    set_control(&d->over, 1);
    return 0;
}

static void a_kernel_that_was_given_up_while_it_is_drained_is_not_drained(contract *c)
{
    reopen(c);

    /* given somebody who drains a kernel, which is stuck in its hook */
    rk_kernel neighbour = launch_active(c, "neighbour", "echo", 0),
              stuck = launch_before(c, "held_drain", neighbour);
    draining d = { c, stuck, RK_OK, 0 };
    start_thread(c, drain_it, &d);
    wait_until(c, IN_HANDLERS == 1);

    /* when another gives it up, and the hook returns */
    give_up(c, stuck);
    assert_nothing_came(c, stuck, neighbour);

    /* then it was not drained, and who drained it is told */
    wait_until(c, control(&d.over));
    join_threads(c);
    assert_status(d.status, RK_FAILED);
    assert_int_equal(life_of(c, stuck), RK_LIFE_QUARANTINED);
}

static void a_mistake_that_is_found_after_a_kernel_was_given_up_changes_nothing(contract *c)
{
    reopen(c);

    /* given a kernel whose threads will not all meet, given up before they could */
    rk_kernel neighbour = launch_active(c, "neighbour", "echo", 0),
              stuck = launch_before(c, "held_apart", neighbour);
    assert_ok(send_probe(c, stuck, 1));
    wait_until(c, IN_HANDLERS == 1);
    give_up(c, stuck);
    const rk_u64 dead = account_of(c, stuck).dead;

    /* when that is found */
    assert_nothing_came(c, stuck, neighbour);

    /* then it has not failed besides, and has no dead letters of it */
    assert_int_equal(account_of(c, stuck).dead, dead);
}

/* ------------------------------------------------------------------ those who wait */

typedef struct waiting {
    contract *c;
    rk_kernel kernel;
    rk_status told; /* what who waits is to be told */
    rk_u32 began;   /* atomic */
} waiting;

static void *receive_it(void *argument)
{
    waiting *w = argument;
    probe p;
    set_control(&w->began, 1);
    expect(w->c, rk_receive(w->c->runtime, w->kernel, &p, sizeof p, 0, RK_SECONDS(600)) == w->told);
    return 0;
}

static void *receive_its_letters(void *argument)
{
    waiting *w = argument;
    rk_dead_letter letter;
    probe p;
    set_control(&w->began, 1);
    expect(w->c,
           rk_receive_dead(w->c->runtime, w->kernel, &p, sizeof p, &letter, RK_SECONDS(600)) == w->told);
    return 0;
}

/* Somebody waits, or is about to: right whether he sleeps or not. */
static void let_wait(waiting *w, void *(*how)(void *))
{
    start_thread(w->c, how, w);
    wait_until(w->c, control(&w->began));
    let_pass(w->c, RK_MILLISECONDS(5));
}

static void who_waits_while_nobody_may_enter_learns_that_the_kernel_has_ended(contract *c)
{
    waiting w = { c, launch_echo(c, 0), RK_STALE, 0 };
    rk_gate_close(c->runtime->kernels[w.kernel.number]); /* as while it is launched again */
    let_wait(&w, receive_it);
    assert_ok(rk_terminate(c->runtime, w.kernel, RK_SECONDS(10)));
    join_threads(c);
}

static void who_waits_for_dead_letters_learns_that_the_kernel_has_ended(contract *c)
{
    waiting w = { c, launch_echo(c, 0), RK_STALE, 0 };
    let_wait(&w, receive_its_letters);
    assert_ok(rk_terminate(c->runtime, w.kernel, RK_SECONDS(10)));
    join_threads(c);
}

static void who_waits_for_dead_letters_learns_that_the_kernel_is_drained(contract *c)
{
    waiting w = { c, launch_echo(c, 0), RK_CLOSED, 0 };
    let_wait(&w, receive_its_letters);
    assert_ok(rk_drain(c->runtime, &w.kernel, 1, CONTRACT_PATIENCE));
    join_threads(c);
}

static void what_fails_after_its_end_has_ended(contract *c)
{
    rk_kernel k = launch_echo(c, 0), found;
    rk_host_kernel *host = c->runtime->kernels[k.number];
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));

    /* when a thread that saw it fail comes to tell it only now */
    rk_kernel_failed(host, "too late");

    /* then its place is free, and its id nobody's */
    assert_status(rk_find(c->runtime, "echo", &found), RK_NO_SUCH_KERNEL);
    assert_int_equal(launch(c, "echo", "echo", 0).number, k.number);
}

/* ------------------------------------------------------------------ who comes after it */

static void a_reply_to_a_kernel_that_has_ended_is_not_given_to_the_next_one(contract *c)
{
    /* given a kernel that has asked, and one that has not answered yet */
    rk_kernel asks = launch(c, "asks", "asker", 0), answers = launch(c, "answers", "replier", 0);
    assert_ok(rk_connect(c->runtime, asks, 0, answers, 0));
    assert_ok(rk_activate(c->runtime, asks));
    assert_ok(send_probe(c, asks, 1));
    wait_until(c, account_of(c, answers).accepted == 1);

    /* when the one has ended, another has its number, and the answer comes */
    assert_ok(rk_terminate(c->runtime, asks, RK_SECONDS(10)));
    rk_kernel next = launch_active(c, "next", "asker", 0);
    assert_int_equal(next.number, asks.number);
    assert_ok(rk_activate(c->runtime, answers));
    wait_until(c, account_of(c, answers).dead_letters == 1);

    /* then that is a dead letter, and the other has nothing of it */
    rk_dead_letter letter;
    rk_u64 body[16];
    assert_ok(rk_receive_dead(c->runtime, answers, body, sizeof body, &letter, RK_SECONDS(10)));
    assert_true(letter.was_sent);
    assert_int_equal(account_of(c, next).accepted, 0);
}

static const contract_case cases[] = {
    { CASE(what_a_hook_or_a_handler_sends_after_its_kernel_was_given_up_goes_nowhere),
      NEEDS_THREADS | NEEDS_CPU | NEEDS_REGIONS },
    { CASE(a_kernel_that_was_given_up_while_it_is_drained_is_not_drained),
      NEEDS_THREADS | NEEDS_CPU | NEEDS_REGIONS },
    { CASE(a_mistake_that_is_found_after_a_kernel_was_given_up_changes_nothing),
      NEEDS_THREADS | NEEDS_CPU | ONCE },
    { CASE(who_waits_while_nobody_may_enter_learns_that_the_kernel_has_ended), NEEDS_THREADS },
    { CASE(who_waits_for_dead_letters_learns_that_the_kernel_has_ended), NEEDS_THREADS },
    { CASE(who_waits_for_dead_letters_learns_that_the_kernel_is_drained), NEEDS_THREADS },
    { CASE(what_fails_after_its_end_has_ended), ON_EVERY },
    { CASE(a_reply_to_a_kernel_that_has_ended_is_not_given_to_the_next_one), NEEDS_REGIONS },
};

CONTRACT_MAIN("after_the_end", cases)
