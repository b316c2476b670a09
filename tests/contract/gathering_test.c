/* Scatter–gather: what comes back is combined once, and by the deadline what is missing is named. */
#include "contract.h"

#include "../kernels/pattern_gather.rk.h"

#include <stdio.h>

enum { DESKS = 2 };

typedef struct office {
    contract *c;
    rk_kernel desk, worker[SUM_WORKERS];
} office;

static const char *const routes[SUM_WORKERS] = { "worker_0", "worker_1", "worker_2", "worker_3" };

static rk_launch_options named(const char *kernel)
{
    rk_launch_options o = small(256);
    o.kernel_name = kernel;
    return o;
}

/* The desk is active, the workers are not: they are dead until they are activated. */
static office open_office(contract *c)
{
    office o = { .c = c };
    rk_launch_options desk = named("gatherer"), worker = named("gather_worker");
    desk.shards = desk.blocks = DESKS;
    o.desk = launch(c, "desk", "", &desk);
    for (rk_u32 w = 0; w < SUM_WORKERS; w++) {
        o.worker[w] = launch(c, routes[w], "", &worker);
        assert_ok(rk_connect(c->runtime, o.desk, routes[w], o.worker[w], 0));
        assert_ok(rk_connect(c->runtime, o.worker[w], 0, o.desk, 0));
    }
    assert_ok(rk_activate(c->runtime, o.desk));
    return o;
}

static void activate_but(office *o, rk_u32 dead)
{
    for (rk_u32 w = 0; w < SUM_WORKERS; w++)
        if (w != dead) assert_ok(rk_activate(o->c->runtime, o->worker[w]));
}

#define NOBODY 77u /* is dead; has a fault */
#define NEVER_NS RK_SECONDS(3600)

/* So many numbers from 1 on in four parts, which no worker has a fault at. */
static sum_job job_of(rk_u32 number, rk_u64 count, rk_u64 timeout_ns)
{
    return (sum_job){
        .number = number, .from = 1, .count = count, .timeout_ns = timeout_ns, .parts = 4, .faulty = NOBODY
    };
}

static sum_job with_fault(sum_job job, rk_u32 worker, rk_u32 fault)
{
    job.faulty = worker;
    job.fault = fault;
    return job;
}

static void ask(office *o, rk_u32 desk, sum_job job)
{
    assert_ok(rk_send(o->c->runtime, o->desk, RK_BODY(job), &(rk_send_options){ .target = desk }));
}

static sum_done answer(office *o)
{
    sum_done d;
    receive(o->c, o->desk, &d);
    return d;
}

static sum_counts counts(office *o, rk_u32 desk)
{
    sum_ask a = { 0 };
    sum_counts n;
    assert_ok(rk_send(o->c->runtime, o->desk, RK_BODY(a), &(rk_send_options){ .target = desk }));
    receive(o->c, o->desk, &n);
    return n;
}

/* The results of the parts that are not missing: their sum, and their chain in the order of fragments. */
static void assert_answers(const sum_job *j, sum_done d)
{
    rk_u64 sum = 0, chain = 0;
    for (rk_u32 part = 0; part < j->parts; part++) {
        rk_u64 of_part = 0;
        if (d.missing >> part & 1u) continue;
        for (rk_u64 i = j->count * part / j->parts; i < j->count * (part + 1) / j->parts; i++)
            of_part += j->from + i;
        sum += of_part;
        chain = chain * 31 + of_part;
    }
    assert_int_equal(d.status, RK_OK);
    assert_int_equal(d.number, j->number);
    assert_int_equal(d.sum, sum);
    assert_int_equal(d.chain, chain);
}

/* That part is missing at the deadline, and on the injected clock no other: on a real one others may have come too late,
 * too. How many are missing. */
static rk_u32 assert_misses(contract *c, sum_done d, rk_u32 part)
{
    assert_true(d.missing >> part & 1u);
    if (c->variant->single_step) assert_int_equal(d.missing, 1ull << part);
    return (rk_u32)__builtin_popcountll(d.missing);
}

static void what_comes_back_is_combined_once_and_in_order(contract *c)
{
    office o = open_office(c);
    activate_but(&o, NOBODY);
    for (rk_u32 parts = 1; parts <= 64; parts += parts < 5 ? 1 : 59) {
        sum_job j = { .number = 100 + parts,
                      .from = 7,
                      .count = 1000,
                      .timeout_ns = NEVER_NS,
                      .parts = parts,
                      .faulty = NOBODY };
        ask(&o, parts, j);
        sum_done d = answer(&o);
        assert_int_equal(d.missing, 0);
        assert_int_equal(d.desk, parts % DESKS); /* each result has found its shard */
        assert_answers(&j, d);
    }
    assert_int_equal(counts(&o, 0).complete + counts(&o, 1).complete, 6);
}

static void a_job_that_does_not_wait_is_due_at_once_and_one_without_a_deadline_never(contract *c)
{
    office o = open_office(c);
    activate_but(&o, 2);
    sum_job j = job_of(1, 100, RK_NO_WAIT);
    ask(&o, 0, j);
    sum_done d = answer(&o);
    assert_int_equal(d.number, 1);
    assert_true(d.missing >> 2 & 1u);
    j = job_of(2, 100, RK_NO_DEADLINE);
    ask(&o, 0, j);
    settle(c);
    if (c->variant->single_step) let_pass(c, RK_SECONDS(3600));
    settle(c);
    rk_received info;
    assert_status(rk_receive(c->runtime, o.desk, &d, sizeof d, &info, RK_NO_WAIT), RK_EMPTY);
    assert_ok(rk_activate(c->runtime, o.worker[2]));
    d = answer(&o);
    assert_int_equal(d.number, 2);
    assert_int_equal(d.missing, 0);
    assert_answers(&j, d);
}

static void with_one_of_four_dead_the_deadline_gives_a_partial_result_that_names_it(contract *c)
{
    office o = open_office(c);
    activate_but(&o, 2);
    sum_job j = job_of(1, 100, RK_MILLISECONDS(50));
    ask(&o, 0, j);
    settle(c);
    if (c->variant->single_step) {
        rk_received info;
        sum_done early;
        assert_status(rk_receive(c->runtime, o.desk, &early, sizeof early, &info, RK_NO_WAIT), RK_EMPTY);
        let_pass(c, RK_MILLISECONDS(49));
        settle(c);
        assert_status(rk_receive(c->runtime, o.desk, &early, sizeof early, &info, RK_NO_WAIT), RK_EMPTY);
        let_pass(c, RK_MILLISECONDS(1));
    }
    sum_done d = answer(&o);
    rk_u32 late = assert_misses(c, d, 2);
    assert_answers(&j, d);
    if (late == 1) assert_int_equal(d.sum, 5050 - 1575); /* 51 … 75 are missing */

    /* when the dead one comes to life, its result is late, whether the place is in use again or not */
    j.number = 2;
    j.timeout_ns = NEVER_NS;
    ask(&o, 0, j);
    assert_ok(rk_activate(c->runtime, o.worker[2]));
    d = answer(&o);
    assert_int_equal(d.missing, 0);
    assert_answers(&j, d);
    sum_counts n = counts(&o, 0);
    assert_int_equal(n.late, late);
    assert_int_equal(n.partial, 1);
    assert_int_equal(n.complete, 1);
    assert_int_equal(n.open, 0);
}

static void a_result_that_comes_twice_counts_once(contract *c)
{
    office o = open_office(c);
    activate_but(&o, 3); /* keeps the job open until the second one is there */
    sum_job j = with_fault(job_of(5, 40, NEVER_NS), 1, SUM_TWICE);
    ask(&o, 0, j);
    wait_until(c, counts(&o, 0).duplicate == 1);
    assert_ok(rk_activate(c->runtime, o.worker[3]));
    sum_done d = answer(&o);
    assert_int_equal(d.missing, 0);
    assert_answers(&j, d);
    assert_int_equal(counts(&o, 0).late, 0);
}

static void a_result_of_a_part_that_was_never_sent_is_unknown(contract *c)
{
    office o = open_office(c);
    activate_but(&o, NOBODY);
    sum_job j = with_fault(job_of(6, 40, RK_MILLISECONDS(20)), 0, SUM_MISTAKEN);
    ask(&o, 1, j);
    settle(c);
    let_pass(c, RK_MILLISECONDS(20));
    sum_done d = answer(&o);
    assert_misses(c, d, 0);
    assert_answers(&j, d);
    wait_until(c, counts(&o, 1).unknown == 1);
}

static void a_worker_that_is_gone_is_not_waited_for(contract *c)
{
    office o = open_office(c);
    activate_but(&o, NOBODY);
    assert_ok(rk_terminate(c->runtime, o.worker[1], CONTRACT_PATIENCE));
    sum_job j = job_of(8, 40, NEVER_NS);
    ask(&o, 0, j);
    sum_done d = answer(&o); /* without any time that would have to pass */
    assert_int_equal(d.missing, 1 << 1);
    assert_answers(&j, d);
    assert_int_equal(account_of(c, o.desk).dead_letters, 0);
}

static void open_jobs_are_bounded_and_the_next_one_is_refused(contract *c)
{
    office o = open_office(c);
    activate_but(&o, 0);
    sum_job j = { .from = 1, .count = 8, .timeout_ns = NEVER_NS, .parts = 2, .faulty = NOBODY };
    for (j.number = 0; j.number < SUM_JOBS; j.number++) ask(&o, 0, j);
    ask(&o, 0, j);
    sum_done d = answer(&o);
    assert_int_equal(d.number, SUM_JOBS);
    assert_int_equal(d.status, RK_FULL);
    ask(&o, 1, j); /* another shard has places of its own */
    assert_int_equal(counts(&o, 0).refused, 1);
    assert_int_equal(counts(&o, 0).open, SUM_JOBS);

    /* and when the worker comes, every one of them is answered, and there is room again */
    assert_ok(rk_activate(c->runtime, o.worker[0]));
    for (rk_u32 i = 0; i <= SUM_JOBS; i++) assert_int_equal(answer(&o).missing, 0);
    ask(&o, 0, j);
    d = answer(&o);
    assert_int_equal(d.status, RK_OK);
}

static void a_job_of_no_parts_or_too_many_is_refused(contract *c)
{
    office o = open_office(c);
    sum_job j = { .from = 1, .count = 8, .timeout_ns = NEVER_NS, .parts = 0, .faulty = NOBODY };
    ask(&o, 0, j);
    assert_int_equal(answer(&o).status, RK_INVALID_ARGUMENT);
    j.parts = 65;
    ask(&o, 0, j);
    assert_int_equal(answer(&o).status, RK_INVALID_ARGUMENT);
}

static void without_a_timer_only_a_job_without_a_deadline_is_opened(contract *c)
{
    rk_launch_options o = named("gatherer_without_timer");
    office f = { .c = c, .desk = launch_active(c, "hookless", "", &o) };
    ask(&f, 0, job_of(1, 8, RK_SECONDS(1)));
    assert_int_equal(answer(&f).status, RK_UNSUPPORTED);
    ask(&f, 0, job_of(2, 8, RK_NO_DEADLINE));
    assert_int_equal(answer(&f).status, RK_OK);
}

static void a_drain_waits_for_jobs_to_be_due(contract *c)
{
    office o = open_office(c);
    activate_but(&o, NOBODY);
    sum_job j = with_fault(job_of(3, 40, RK_MILLISECONDS(30)), 1, SUM_SILENT);
    ask(&o, 0, j);
    settle(c);
    if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(30));
    rk_kernel all[] = { o.desk, o.worker[0], o.worker[1], o.worker[2], o.worker[3] };
    assert_ok(rk_drain(c->runtime, all, 5, CONTRACT_PATIENCE));
    sum_done d = answer(&o);
    assert_misses(c, d, 1);
    assert_answers(&j, d);
}

static const contract_case cases[] = {
    { CASE(what_comes_back_is_combined_once_and_in_order), ON_EVERY },
    { CASE(a_job_that_does_not_wait_is_due_at_once_and_one_without_a_deadline_never), ON_EVERY },
    { CASE(with_one_of_four_dead_the_deadline_gives_a_partial_result_that_names_it), ON_EVERY },
    { CASE(a_result_that_comes_twice_counts_once), ON_EVERY },
    { CASE(a_result_of_a_part_that_was_never_sent_is_unknown), ON_EVERY },
    { CASE(a_worker_that_is_gone_is_not_waited_for), ON_EVERY },
    { CASE(open_jobs_are_bounded_and_the_next_one_is_refused), ON_EVERY },
    { CASE(a_job_of_no_parts_or_too_many_is_refused), ON_EVERY },
    { CASE(without_a_timer_only_a_job_without_a_deadline_is_opened), ON_EVERY },
    { CASE(a_drain_waits_for_jobs_to_be_due), ON_EVERY },
};
CONTRACT_MAIN("gather", cases)
