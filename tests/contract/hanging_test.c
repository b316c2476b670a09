/* Handlers that never return, or too late: they are told of, and their kernel is replaced where that can be. */
#include "supervised.h"

#include "runtime/replace.h"

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

/* How often a handler looks at its gate in two seconds: devices are a hundred times apart. */
static rk_u64 looks_of_two_seconds(contract *c)
{
    rk_launch_options o = small(16);
    o.handler_limit_ns = CONTRACT_PATIENCE;
    rk_kernel trial = launch_active(c, "trial", "gated", &o);
    rk_u64 looks = 1 << 16, took_ns = 0;
    for (;; looks *= 4) {
        const gated_entry e = { 0, looks };
        const rk_u64 begun_ns = contract_now_ns();
        assert_ok(rk_send(c->runtime, trial, RK_BODY(e), 0));
        next_entered(c, trial);
        took_ns = contract_now_ns() - begun_ns;
        if (took_ns >= RK_MILLISECONDS(50)) break;
    }
    assert_ok(rk_terminate(c->runtime, trial, CONTRACT_PATIENCE));
    return (rk_u64)((double)looks * (double)RK_SECONDS(2) / (double)took_ns);
}

/* Two messages: the handler of the first waits for the gate, and the other one behind it. */
static void send_gated(contract *c, rk_kernel k)
{
    gated_entry e[] = { { 1, is_out_of_reach(c) ? looks_of_two_seconds(c) : 0 }, { 2, 0 } };
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_send(c->runtime, k, RK_BODY(e[i]), 0));
}

/* Given two kernels that share a worker, when one hangs, then the worker that the other gets has its limit for each handler,
 * however long the runtime has been open. */
static void who_shared_a_worker_with_one_that_hangs_has_its_whole_limit(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.workers = 1;
    contract_reopen(c, &r);
    rk_launch_options o = small(16);
    o.handler_limit_ns = RK_MILLISECONDS(200);
    rk_kernel hangs = launch_active(c, "hangs", "held", &o);
    o.handler_limit_ns = RK_SECONDS(1);
    rk_kernel slow = launch_active(c, "slow", "gated", &o);
    let_pass(c, RK_MILLISECONDS(1100));
    const gated_entry e = { 1, 0 };
    rk_atomic_set_u32(gate_of(c, slow), 1);
    CLOSE_GATE();
    assert_ok(send_probe(c, hangs, 1));
    wait_until(c, IN_HANDLERS == 1);
    assert_ok(rk_send(c->runtime, slow, RK_BODY(e), 0));
    wait_until(c, rk_atomic_u32(&c->runtime->kernels[hangs.number]->hung));
    let_pass(c, RK_MILLISECONDS(200)); /* four looks */
    assert_false(rk_atomic_u32(&c->runtime->kernels[slow.number]->hung));
    assert_int_equal(logged(c, "a handler runs longer"), 1);
    rk_atomic_set_u32(gate_of(c, slow), 0);
    assert_int_equal(next_entered(c, slow).count, 1);
    OPEN_GATE();
    assert_next(c, hangs, 1);
}

static void *open_gate_later(void *argument)
{
    let_pass(argument, RK_MILLISECONDS(50));
    OPEN_GATE();
    return 0;
}

static void a_deactivation_without_a_limit_waits_for_the_handler(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_NO_DEADLINE;
    contract_reopen(c, &r);
    rk_kernel k = launch_active(c, "held", "held", 0);
    CLOSE_GATE();
    assert_ok(send_probe(c, k, 1));
    wait_until(c, IN_HANDLERS == 1);
    start_thread(c, open_gate_later, c);
    assert_ok(rk_deactivate(c->runtime, k));
    join_threads(c);
    assert_next(c, k, 1);
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

static const contract_case cases[] = {
    { CASE(a_kernel_that_hangs_is_replaced_and_its_siblings_go_on), NEEDS_THREADS | NEEDS_CPU },
    { CASE(what_a_hanging_kernel_had_sent_is_known_after_it_was_terminated), NEEDS_THREADS | NEEDS_CPU },
    { CASE(who_was_replaced_has_its_topics_and_subscriptions), NEEDS_THREADS | NEEDS_CPU },
    { CASE(topics_are_connected_without_who_is_quarantined), NEEDS_THREADS | NEEDS_CPU },
    { CASE(what_is_published_for_a_subscriber_in_quarantine_is_missed), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_kernel_has_a_limit_of_its_own_for_its_handlers), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_kernel_that_hung_and_goes_on_is_left_alone), NEEDS_THREADS | NEEDS_CPU },
    { CASE(who_shared_a_worker_with_one_that_hangs_has_its_whole_limit),
      NEEDS_THREADS | NEEDS_CPU | NEEDS_REGIONS },
    { CASE(a_deactivation_without_a_limit_waits_for_the_handler), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_limit_for_handlers_that_nobody_can_keep_is_refused), ON_EVERY },
    { CASE(a_handler_that_runs_too_long_is_told_and_goes_on_when_it_returns), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_kernel_that_hangs_is_replaced_where_that_costs_no_other), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_replacement_that_is_refused_is_tried_again_and_may_be_replaced),
      NEEDS_REGIONS | NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_replacement_has_the_parameters_of_the_old_one), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_kernel_that_waits_for_room_does_not_hang), NEEDS_THREADS },
};
CONTRACT_MAIN("hanging", cases)
