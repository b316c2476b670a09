/* What a kernel tells about itself: metrics, health, the account, its log, its state. */
#include <ringkernel/kernel.h>

#include "probes.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ metrics */

static void ten_handled_messages_show_in_the_metrics(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    assert_int_equal(metrics_of(c, k).last_activity_ns, 0);
    for (rk_u32 i = 0; i < 10; i++) assert_ok(send_probe(c, k, i));
    for (rk_u32 i = 0; i < 10; i++) assert_next(c, k, i);
    wait_until(c, metrics_of(c, k).processed == 10);
    rk_metrics m = metrics_of(c, k);
    assert_int_equal(m.depth, 0);
    assert_true(m.input_utilization == 0);
    assert_true(m.turns >= 1 && m.turns <= 10);
    assert_true(m.largest_batch >= 1 && m.largest_batch <= 10);
    assert_int_equal(m.service.count, 10);
    assert_true(m.service.min_ns <= m.service.mean_ns && m.service.mean_ns <= m.service.max_ns);
    assert_true(m.service.p50_ns <= m.service.p90_ns && m.service.p90_ns <= m.service.p99_ns &&
                m.service.p99_ns <= m.service.p999_ns && m.service.p999_ns <= m.service.max_ns);
    assert_true(m.last_activity_ns > 0 && m.last_activity_ns <= rk_clock_ns(c->runtime));
    assert_int_equal(info_of(c, k).processed, 10);
}

static void depth_and_utilization_are_what_is_queued(contract *c)
{
    rk_launch_options o = small(64);
    o.shards = 2;
    rk_kernel k = launch(c, "echo", "echo", &o);
    for (rk_u32 i = 0; i < 48; i++) assert_ok(send_probe(c, k, i)); /* all for shard 0 */
    rk_metrics m = metrics_of(c, k);
    assert_int_equal(m.depth, 48);
    assert_true(m.input_utilization == 0.75);
    assert_int_equal(m.processed, 0);
    assert_int_equal(m.uptime_ns, 0);
}

static void uptime_and_throughput_go_by_the_runtimes_clock(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    for (rk_u32 i = 0; i < 100; i++) assert_ok(send_probe(c, k, i));
    settle(c);
    let_pass(c, RK_SECONDS(2));
    rk_metrics m = metrics_of(c, k);
    assert_int_equal(m.uptime_ns, RK_SECONDS(2));
    assert_true(m.throughput == 50.0);
    assert_int_equal(m.last_activity_ns, RK_SECONDS(1000));
}

/* A handler that works as long as its message says, by the injected clock, and logs when it begins and when it ends. */
static rk_u64 *work_clock_ns;
RK_HANDLER(work_by_the_clock, probe, msg, rk_none, self, .max_batch = 1, .backends = RK_ON_CPU)
{
    rk_log1(RK_ARG, RK_INFO, "begins %u", msg->number);
    __atomic_fetch_add(work_clock_ns, msg->number, __ATOMIC_RELAXED);
    rk_log1(RK_ARG, RK_INFO, "ends %u", msg->number);
}

/* Given two shards, when their handlers take 1,000, 20,000 and 300,000 ns, and time passes in between, then that was their
 * work, and no more. */
static void a_kernel_is_busy_as_long_as_its_handlers_work(contract *c)
{
    static const rk_u32 work_ns[] = { 1000, 20000, 300000 };
    rk_launch_options o = small(16);
    o.shards = 2;
    o.kernel_name = "work_by_the_clock";
    work_clock_ns = &c->clock_ns;
    rk_kernel k = launch_active(c, "works", "", &o);
    assert_int_equal(metrics_of(c, k).busy_ns, 0);
    for (rk_u32 i = 0; i < 3; i++) {
        rk_send_options to = RK_SEND_DEFAULTS;
        probe p = { work_ns[i], 0 };
        to.target = i;
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), &to));
    }
    assert_ok(rk_step(c->runtime, k, 0)); /* one of each shard */
    assert_int_equal(metrics_of(c, k).busy_ns, 21000);
    let_pass(c, RK_SECONDS(1));
    assert_ok(rk_step(c->runtime, k, 0));
    rk_metrics m = metrics_of(c, k);
    assert_int_equal(m.busy_ns, 321000);
    assert_int_equal(m.service.min_ns, 1000);
    assert_int_equal(m.service.max_ns, 300000);
    assert_int_equal(m.uptime_ns, RK_SECONDS(1) + 321000);
}

static void waiting_times_are_those_of_the_clock(contract *c)
{
    rk_launch_options o = small(64);
    o.timestamps = 1;
    rk_kernel k = launch_echo(c, &o);
    for (rk_u32 i = 1; i <= 3; i++) {
        assert_ok(send_probe(c, k, i));
        let_pass(c, i * 1000);
        assert_ok(rk_step(c->runtime, k, 0));
        assert_next(c, k, i);
    }
    rk_quantiles wait = metrics_of(c, k).queue_wait;
    assert_int_equal(wait.count, 3);
    assert_int_equal(wait.min_ns, 1000);
    assert_int_equal(wait.mean_ns, 2000);
    assert_int_equal(wait.max_ns, 3000);
    assert_true(wait.p50_ns >= 1875 && wait.p50_ns <= 2125); /* within 1/16 */
}

/* Without timestamps one message in 64 is stamped, by the host as by a kernel; of batches on CUDA one in 512. */
static void waiting_times_are_sampled_where_not_every_message_is_stamped(contract *c)
{
    rk_launch_options o = small(1024);
    rk_kernel stages[] = { launch(c, "first", "echo", &o), launch(c, "second", "echo", &o) };
    assert_ok(rk_connect(c->runtime, stages[0], 0, stages[1], 0));
    for (rk_u32 i = 0; i < 640; i++) assert_ok(send_probe(c, stages[0], i));
    for (rk_u32 s = 0; s < 2; s++) {
        let_pass(c, RK_MILLISECONDS(5));
        assert_ok(rk_activate(c->runtime, stages[s]));
        wait_until(c, metrics_of(c, stages[s]).processed == 640);
    }
    for (rk_u32 i = 0; i < 640; i++) assert_next(c, stages[1], i);
    for (rk_u32 s = 0; s < 2; s++) {
        rk_metrics m = metrics_of(c, stages[s]);
        assert_int_equal(m.service.count, 640);
        assert_in_range(m.queue_wait.count, c->variant->backend == RK_BACKEND_CUDA ? 1 : 10, 10);
        assert_true(m.queue_wait.min_ns >= RK_MILLISECONDS(5));
        assert_true(m.queue_wait.min_ns <= m.queue_wait.mean_ns &&
                    m.queue_wait.mean_ns <= m.queue_wait.max_ns);
    }
}

/* Of a queue of more than 1,024 it is one in a sixteenth of its length, however many wait. */
static void waiting_times_of_long_queues_are_sampled_more_rarely(contract *c)
{
    rk_launch_options o = small(16384);
    rk_kernel k = launch(c, "echo", "echo", &o);
    for (rk_u32 i = 0; i < 16384; i++) assert_ok(send_probe(c, k, i));
    let_pass(c, RK_MILLISECONDS(5));
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 16384; i++) assert_next(c, k, i);
    wait_until(c, metrics_of(c, k).processed == 16384);
    assert_in_range(metrics_of(c, k).queue_wait.count, c->variant->backend == RK_BACKEND_CUDA ? 8 : 16, 16);
    assert_true(metrics_of(c, k).queue_wait.min_ns >= RK_MILLISECONDS(5));
}

/* One message in 64 is sampled without timestamps, in each band: none is counted twice, and none of a band goes by
 * another's place. */
static void in_each_band_one_message_in_64_tells_how_long_it_waited(contract *c)
{
    enum { OF_BAND = 256 };
    static const rk_u8 priorities[RK_BANDS] = { 10, 70, 130, 200 };
    for (rk_u32 bands = 1; bands < 1u << RK_BANDS; bands++) {
        rk_launch_options o = small(1024);
        rk_u32 used = 0;
        o.priority = 1;
        rk_kernel k = launch_echo(c, &o);
        for (rk_u32 b = 0; b < RK_BANDS; b++) {
            rk_send_options with = RK_SEND_DEFAULTS;
            with.priority = priorities[b];
            used += bands >> b & 1u;
            for (rk_u32 i = 0; i < (bands >> b & 1u) * OF_BAND; i++) {
                probe p = { i, 0 };
                assert_ok(rk_send(c->runtime, k, RK_BODY(p), &with));
            }
        }
        let_pass(c, 2000);
        settle(c);
        rk_quantiles wait = metrics_of(c, k).queue_wait;
        assert_int_equal(wait.count, used * OF_BAND / 64);
        assert_int_equal(wait.min_ns, 2000);
        assert_int_equal(wait.max_ns, 2000);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void a_histogram_counts_exactly_and_its_quantiles_are_within_the_stated_error(contract *c)
{
    (void)c;
    static rk_histogram h; /* zeroed */
    rk_quantiles q;
    rk_quantiles_of(&h, &q);
    assert_int_equal(q.count, 0);
    for (rk_u64 ns = 1000; ns <= 3000; ns += 1000) rk_histogram_add(&h, ns, 1);
    rk_quantiles_of(&h, &q);
    assert_int_equal(q.count, 3);
    assert_int_equal(q.min_ns, 1000);
    assert_int_equal(q.mean_ns, 2000);
    assert_int_equal(q.max_ns, 3000);
    assert_in_range(q.p50_ns, 2000 - 2000 / 16, 2000 + 2000 / 16);
    assert_in_range(q.p99_ns, 3000 - 3000 / 16, 3000);

    memset(&h, 0, sizeof h);
    for (rk_u64 ns = 1; ns <= 100000; ns++) rk_histogram_add(&h, ns, 1);
    rk_quantiles_of(&h, &q);
    assert_int_equal(q.count, 100000);
    assert_int_equal(q.mean_ns, 50000);
    assert_in_range(q.p50_ns, 50000 - 50000 / 16, 50000 + 50000 / 16);
    assert_in_range(q.p90_ns, 90000 - 90000 / 16, 90000 + 90000 / 16);
    assert_in_range(q.p99_ns, 99000 - 99000 / 16, 100000);
    assert_in_range(q.p999_ns, 99900 - 99900 / 16, 100000);
}

/* ------------------------------------------------------------------ under load */

typedef struct flow {
    contract *c;
    rk_kernel into, out;
    rk_u32 count;    /* 0: until stopped */
    rk_u64 accepted; /* atomic */
    rk_u64 received; /* atomic */
    rk_u32 id;       /* 1: messages have ids, some of them twice */
    rk_u32 targets;
} flow;

static void *pour_in(void *argument)
{
    flow *f = argument;
    rk_u32 seed = 1;
    for (rk_u32 i = 0; !stopped(f->c) && (!f->count || i < f->count); i++) {
        probe p = { i, 0 };
        rk_send_options o = RK_SEND_DEFAULTS;
        o.timeout_ns = RK_MILLISECONDS(1);
        o.target = i % (f->targets ? f->targets : 1);
        seed = seed * 1664525u + 1013904223u;
        o.priority = (rk_u8)(seed >> 24);
        if (f->id) o.id = 1 + i - i % 3 % 2;
        rk_status status = rk_send(f->c->runtime, f->into, RK_BODY(p), &o);
        if (status == RK_OK)
            __atomic_fetch_add(&f->accepted, 1, __ATOMIC_ACQ_REL);
        else
            expect(f->c, status == RK_FULL || status == RK_DROPPED || status == RK_TIMED_OUT ||
                             status == RK_DUPLICATE);
    }
    return 0;
}

static void *pour_out(void *argument)
{
    flow *f = argument;
    probe p[32];
    size_t n;
    while (!stopped(f->c)) {
        rk_status status =
            rk_receive_many(f->c->runtime, f->out, p, sizeof *p, 32, 0, RK_MILLISECONDS(20), &n);
        if (status == RK_OK)
            __atomic_fetch_add(&f->received, n, __ATOMIC_ACQ_REL);
        else if (!expect(f->c, status == RK_TIMED_OUT || status == RK_CLOSED))
            return 0;
        if (status == RK_CLOSED) return 0;
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    rk_u64 x = *(const rk_u64 *)a, y = *(const rk_u64 *)b;
    return (x > y) - (x < y);
}

static void metrics_are_read_while_messages_flow(contract *c)
{
    static flow f;
    static rk_u64 took[20000];
    rk_u32 samples = contract_rounds(20000);
    rk_kernel k = launch_echo(c, 0);
    f = (flow){ .c = c, .into = k, .out = k };
    start_thread(c, pour_in, &f);
    start_thread(c, pour_out, &f);
    wait_until(c, metrics_of(c, k).processed > 0);
    rk_u64 processed = 0, first = metrics_of(c, k).processed;
    for (rk_u32 i = 0; i < samples; i++) {
        rk_metrics m;
        rk_u64 before = contract_now_ns();
        rk_status status = rk_metrics_of(c->runtime, k, &m);
        took[i] = contract_now_ns() - before;
        assert_ok(status);
        assert_true(m.processed >= processed);
        assert_true(m.depth <= 2 * 4096);
        processed = m.processed;
    }
    wait_until(c, metrics_of(c, k).processed > first); /* and they flow on */
    stop_threads(c);
    qsort(took, samples, sizeof *took, by_value);
    print_message("reading metrics under load: fastest %llu ns, p50 %llu ns, p99 %llu ns\n",
                  (unsigned long long)took[0], (unsigned long long)took[samples / 2],
                  (unsigned long long)took[samples / 100 * 99]);
}

/* Sinks are read before sources, so what has left never exceeds what has come. */
static void assert_is_possible(const rk_account *a)
{
    assert_true(a->accepted >= a->delivered + a->evicted + a->dead + a->expired + a->lost + a->queued);
    assert_true((rk_i64)a->queued >= 0 && (rk_i64)a->output_queued >= 0);
    assert_true(a->output_accepted >= a->output_received);
}

static void assert_grows(const rk_account *before, const rk_account *after)
{
    assert_true(after->accepted >= before->accepted && after->delivered >= before->delivered);
    assert_true(after->accepted_host >= before->accepted_host &&
                after->accepted_device >= before->accepted_device);
    assert_true(after->refused_full >= before->refused_full &&
                after->refused_dropped >= before->refused_dropped);
    assert_true(after->output_received >= before->output_received && after->sent >= before->sent);
}

static rk_account sum_of_lanes(contract *c, rk_kernel k, rk_u32 shards)
{
    rk_account sum = { 0 };
    for (rk_u32 s = 0; s < shards; s++)
        for (rk_u32 l = 0; l < 2; l++) {
            rk_account a;
            assert_ok(rk_account_of_lane(c->runtime, k, s, l, &a));
            assert_true(a.balanced);
            sum.accepted += a.accepted;
            sum.delivered += a.delivered;
            sum.evicted += a.evicted;
            sum.queued += a.queued;
            sum.lost += a.lost;
            sum.accepted_host += a.accepted_host;
            sum.accepted_device += a.accepted_device;
            sum.refused_full += a.refused_full;
            sum.refused_dropped += a.refused_dropped;
            sum.refused_duplicate += a.refused_duplicate;
        }
    return sum;
}

/* The target is fed by the host and by another kernel at once, under one of the strategies. */
static void sample_account(contract *c, rk_launch_options target_options, rk_u32 samples)
{
    static flow direct, by_way_of;
    rk_launch_options source_options = rk_production();
    source_options.send_deadline_ns = RK_MILLISECONDS(20);
    target_options.queue_capacity = 32;
    target_options.shards = 2;
    target_options.blocks = 2;
    rk_kernel source = launch(c, "source", "echo", &source_options),
              target = launch_active(c, "target", "echo", &target_options);
    rk_route_options route = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TURN };
    assert_ok(rk_connect(c->runtime, source, 0, target, &route));
    assert_ok(rk_activate(c->runtime, source));
    direct = (flow){
        .c = c, .into = target, .out = target, .id = target_options.deduplication_window > 0, .targets = 2
    };
    by_way_of = (flow){ .c = c, .into = source };
    start_thread(c, pour_in, &direct);
    start_thread(c, pour_in, &by_way_of);
    start_thread(c, pour_out, &direct);

    rk_account last[2] = { { 0 }, { 0 } };
    for (rk_u32 i = 0; i < samples; i++) {
        rk_account now[2] = { account_of(c, source), account_of(c, target) };
        for (int n = 0; n < 2; n++) {
            assert_is_possible(&now[n]);
            assert_grows(&last[n], &now[n]);
        }
        memcpy(last, now, sizeof last);
        sched_yield();
    }
    wait_until(c, account_of(c, target).accepted_device > 0 && account_of(c, target).accepted_host > 0);
    stop_threads(c);

    /* Once at rest: all that the senders count is there, by bucket and lane. What is under way goes to the
     * host first. */
    probe p;
    rk_u32 quiet = 0;
    for (rk_u64 seen = 0; quiet < 3;) {
        while (rk_receive(c->runtime, target, &p, sizeof p, 0, RK_MILLISECONDS(10)) == RK_OK)
            direct.received++;
        rk_u64 progress = account_of(c, source).delivered + account_of(c, target).delivered;
        quiet = progress == seen && account_of(c, source).queued == 0 && account_of(c, target).queued == 0
                    ? quiet + 1
                    : 0;
        seen = progress;
    }
    rk_account a = account_of(c, target), s = account_of(c, source), lanes = sum_of_lanes(c, target, 2);
    assert_true(a.balanced && s.balanced);
    assert_int_equal(a.accepted_host, direct.accepted);
    assert_int_equal(s.accepted_host, by_way_of.accepted);
    assert_int_equal(s.delivered, by_way_of.accepted);
    assert_int_equal(a.accepted, a.delivered + a.evicted);
    assert_int_equal(a.output_accepted, a.delivered);
    assert_int_equal(a.output_received, direct.received);
    assert_int_equal(lanes.accepted, a.accepted);
    assert_int_equal(lanes.delivered, a.delivered);
    assert_int_equal(lanes.evicted, a.evicted);
    assert_int_equal(lanes.accepted_host, a.accepted_host);
    assert_int_equal(lanes.accepted_device, a.accepted_device);
    assert_int_equal(lanes.refused_full, a.refused_full);
    assert_int_equal(lanes.refused_dropped, a.refused_dropped);
    assert_int_equal(lanes.refused_duplicate, a.refused_duplicate);
    if (target_options.backpressure == RK_BACKPRESSURE_DROP_OLDEST && !target_options.priority)
        assert_int_equal(a.accepted_device, by_way_of.accepted);
    else
        assert_true(a.accepted_device + s.dead_sends + a.refused_dropped >= by_way_of.accepted);
    assert_ok(rk_terminate(c->runtime, source, RK_SECONDS(10)));
    assert_ok(rk_terminate(c->runtime, target, RK_SECONDS(10)));
}

static void the_account_is_never_negative_under_load_and_exact_at_rest(contract *c)
{
    for (rk_u32 i = 0; i < 6; i++) {
        rk_launch_options o = small(32);
        o.backpressure = i % 4;
        o.deduplication_window = i >= 4 ? 16 : 0;
        o.priority = i == 2 || i == 5;
        sample_account(c, o, 200);
    }
}

/* ------------------------------------------------------------------ health */

static void open_with_stall_limit(contract *c, rk_u64 ns)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = ns;
    contract_reopen(c, &r);
}

/* Given a runtime that has been open for longer than the limit, when a kernel has just begun with its first batch, then it
 * isn't stalled before the limit has passed for it. */
static void a_kernel_that_has_just_begun_is_healthy(contract *c)
{
    open_with_stall_limit(c, RK_SECONDS(1));
    let_pass(c, RK_MILLISECONDS(1100));
    CLOSE_GATE();
    rk_kernel k = launch_active(c, "held", "held", 0);
    assert_ok(send_probe(c, k, 1));
    wait_until(c, IN_HANDLERS == 1);
    let_pass(c, RK_MILLISECONDS(300)); /* a look each 250 ms */
    assert_true(info_of(c, k).healthy);
    assert_int_equal(logged(c, "stalled"), 0);
    OPEN_GATE();
    assert_next(c, k, 1);
}

static void a_kernel_that_is_idle_for_long_is_healthy(contract *c)
{
    open_with_stall_limit(c, RK_MILLISECONDS(100));
    rk_kernel k = launch_echo(c, 0), waits = launch(c, "inactive", "echo", 0);
    assert_ok(send_probe(c, k, 1));
    assert_next(c, k, 1);
    assert_ok(send_probe(c, waits, 1)); /* pending, but it isn't active */
    wait_until(c, info_of(c, k).queued == 0 && info_of(c, k).healthy);
    rk_u32 before = logged(c, "stalled");
    let_pass(c, RK_MILLISECONDS(250));
    assert_true(info_of(c, k).healthy);
    assert_false(info_of(c, k).stalled);
    assert_true(info_of(c, waits).healthy);
    assert_int_equal(logged(c, "stalled"), before);
}

static void a_kernel_with_messages_and_no_progress_is_stalled_until_it_goes_on(contract *c)
{
    open_with_stall_limit(c, RK_MILLISECONDS(40));
    rk_kernel k = launch_active(c, "held", "held", 0);
    CLOSE_GATE();
    assert_ok(send_probe(c, k, 1));
    assert_ok(send_probe(c, k, 2));
    wait_until(c, info_of(c, k).stalled);
    assert_false(info_of(c, k).healthy);
    assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
    wait_until(c, logged(c, "stalled") > 0);
    OPEN_GATE();
    assert_next(c, k, 1);
    assert_next(c, k, 2);
    wait_until(c, info_of(c, k).healthy);
    wait_until(c, logged(c, "makes progress again") > 0);
}

static void a_kernel_that_nobody_receives_from_is_stalled_too(contract *c)
{
    open_with_stall_limit(c, RK_MILLISECONDS(40));
    rk_launch_options o = small(16);
    rk_kernel k = launch_echo(c, &o);
    for (rk_u32 i = 0; i < 17; i++) assert_ok(send_probe(c, k, i)); /* one more than the out lane holds */
    wait_until(c, metrics_of(c, k).parks > 0);
    wait_until(c, info_of(c, k).stalled);
    for (rk_u32 i = 0; i < 17; i++) assert_next(c, k, i);
    wait_until(c, info_of(c, k).healthy);
}

/* ------------------------------------------------------------------ log */

static void ask_to_log(contract *c, rk_kernel k, rk_u32 lines, rk_u32 number)
{
    chatter talk = { lines, number };
    rk_u64 before = metrics_of(c, k).processed;
    assert_ok(rk_send(c->runtime, k, RK_BODY(talk), 0));
    wait_until(c, metrics_of(c, k).processed == before + 1);
}

static void a_kernels_log_has_its_numbers_and_where_they_come_from(contract *c)
{
    for (rk_u32 format = RK_FORMAT_SEQ; format <= RK_FORMAT_UNIT; format++) {
        rk_launch_options o = rk_production();
        o.deduplication_window = 0;
        o.slot_format = format;
        rk_kernel k = launch_active(c, "talker", "logger", &o);
        ask_to_log(c, k, 1, 4242 + format);
        wait_until(c, logged(c, format ? "line 0 of 4243" : "line 0 of 4242") == 1);
        pthread_mutex_lock(&c->lock);
        contract_line line = c->log[c->logged - 1];
        pthread_mutex_unlock(&c->lock);
        assert_string_equal(line.kernel, "talker");
        assert_int_equal(line.level, RK_WARNING);
        assert_int_equal(line.shard, 0);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

/* Given a handler that works for a while, when it logs before and after, then both lines are of the time that it knows, which
 * is its turn's; and the next turn's are of its own. */
static void a_line_of_the_log_says_when_its_turn_was(contract *c)
{
    const rk_u64 began_ns = c->clock_ns;
    rk_launch_options o = small(16);
    o.kernel_name = "work_by_the_clock";
    work_clock_ns = &c->clock_ns;
    rk_kernel k = launch_active(c, "works", "", &o);
    for (rk_u32 i = 0; i < 2; i++) {
        assert_ok(send_probe(c, k, 5000));
        assert_ok(rk_step(c->runtime, k, 0));
        let_pass(c, RK_SECONDS(3));
    }
    assert_int_equal(c->logged, 4);
    for (rk_u32 i = 0; i < 4; i++) {
        assert_string_equal(c->log[i].text, i % 2 ? "ends 5000" : "begins 5000");
        assert_int_equal(c->log[i].when_ns, began_ns + i / 2 * (RK_SECONDS(3) + 5000));
    }
}

static void a_kernel_that_logs_too_much_is_limited_and_the_rest_counted(contract *c)
{
    rk_kernel k = launch_active(c, "talker", "logger", 0);
    ask_to_log(c, k, 50, 1); /* of which 5 a second are let through */
    wait_until(c, logged(c, "of 1") == 5);
    assert_int_equal(metrics_of(c, k).logs_suppressed, 45);
    let_pass(c, RK_MILLISECONDS(1001));
    ask_to_log(c, k, 50, 2);
    wait_until(c, logged(c, "of 2") == 5);
    assert_int_equal(metrics_of(c, k).logs_suppressed, 90);
    assert_int_equal(logged(c, "of 1"), 5);
}

/* Each of `lines` lines of each voice was logged once and whole. */
static void assert_all_sung(contract *c, rk_u32 voices, rk_u32 lines)
{
    char line[64];
    for (rk_u32 v = 1; v <= voices; v++) {
        for (rk_u32 i = 0; i < lines; i++) {
            snprintf(line, sizeof line, "voice %u sings %u", v, i);
            rk_u32 heard = 0;
            pthread_mutex_lock(&c->lock);
            for (rk_u32 l = 0; l < c->logged; l++) heard += strcmp(c->log[l].text, line) == 0;
            pthread_mutex_unlock(&c->lock);
            if (heard != 1) fail_msg("'%s' was logged %u times", line, heard);
        }
    }
}

static void given_voices(contract *c, rk_kernel k, rk_u32 voices, rk_u32 lines)
{
    for (rk_u32 v = 1; v <= voices; v++) {
        chatter talk = { lines, v };
        assert_ok(rk_send(c->runtime, k, RK_BODY(talk), 0));
    }
    assert_ok(rk_activate(c->runtime, k));
}

static void what_threads_log_at_the_same_time_comes_whole_and_once(contract *c)
{
    rk_kernel k = launch(c, "chorus", "chorus", 0);
    given_voices(c, k, 32, 8); /* the first batch has all of them */
    wait_until(c, logged(c, "voice ") == 256);
    assert_all_sung(c, 32, 8);
    assert_int_equal(metrics_of(c, k).logs_suppressed, 0);
}

static void what_threads_log_at_the_same_time_is_counted_beyond_the_limit(contract *c)
{
    rk_launch_options o = rk_production();
    rk_kernel k = launch(c, "chorus", "chorus", &o);
    given_voices(c, k, 30, 40); /* 1000 a second are let through */
    wait_until(c, metrics_of(c, k).processed == 30);
    wait_until(c, logged(c, "voice ") + metrics_of(c, k).logs_suppressed == 1200);
    assert_true(metrics_of(c, k).logs_suppressed >= 200);
}

static void the_threads_of_a_region_log_a_line_each_and_one_thread_one_line(contract *c)
{
    rk_kernel k = launch(c, "choir", "choir", 0);
    given_voices(c, k, 3, 100);
    wait_until(c, logged(c, "voice ") == 303);
    assert_all_sung(c, 3, 100);
    for (rk_u32 v = 1; v <= 3; v++)
        assert_int_equal(logged(c, v == 1 ? "1 rests" : v == 2 ? "2 rests" : "3 rests"), 1);
    assert_int_equal(metrics_of(c, k).logs_suppressed, 0);
}

/* ------------------------------------------------------------------ state */

typedef struct adder_copy {
    rk_i64 sum;
    rk_u32 count, redelivered;
} adder_copy;

static void state_is_read_by_shard_and_by_actor(contract *c)
{
    rk_launch_options o = small(64);
    o.shards = 3;
    rk_kernel adders = launch_active(c, "adder", "adder", &o);
    rk_send_options s = RK_SEND_DEFAULTS;
    for (rk_u32 i = 0; i < 9; i++) {
        amount a = { (rk_i64)i };
        s.target = i;
        assert_ok(rk_send(c->runtime, adders, RK_BODY(a), &s));
    }
    wait_until(c, metrics_of(c, adders).processed == 9);
    adder_copy copy;
    for (rk_u32 shard = 0; shard < 3; shard++) {
        assert_ok(rk_read_state(c->runtime, adders, shard, &copy, sizeof copy));
        assert_int_equal(copy.sum, 3 * shard + 9);
        assert_int_equal(copy.count, 3);
    }
    assert_int_equal(info_of(c, adders).life, RK_LIFE_ACTIVE);
    assert_status(rk_read_state(c->runtime, adders, 3, &copy, sizeof copy), RK_NO_SUCH_ACTOR);
    assert_status(rk_read_state(c->runtime, adders, 0, &copy, sizeof copy - 1), RK_TOO_SMALL);
    assert_status(rk_read_state(c->runtime, adders, 0, &copy, sizeof copy + 1), RK_TOO_SMALL);
    assert_status(rk_read_state(c->runtime, adders, 0, 0, sizeof copy), RK_INVALID_ARGUMENT);
    rk_kernel stateless = launch_echo(c, 0);
    assert_status(rk_read_state(c->runtime, stateless, 0, &copy, sizeof copy), RK_NO_SUCH_ACTOR);

    o.actors = 100;
    rk_kernel counters = launch_active(c, "counter", "counter", &o);
    for (rk_u32 i = 0; i < 60; i++) {
        tick t = { i % 20 * 5, i };
        s.target = t.actor;
        assert_ok(rk_send(c->runtime, counters, RK_BODY(t), &s));
    }
    wait_until(c, metrics_of(c, counters).processed == 60);
    for (rk_u32 actor = 0; actor < 100; actor++) {
        ticked state;
        assert_ok(rk_read_state(c->runtime, counters, actor, &state, sizeof state));
        assert_int_equal(state.count, actor % 5 ? 0 : 3);
    }
    assert_status(rk_read_state(c->runtime, counters, 100, &copy, sizeof(ticked)), RK_NO_SUCH_ACTOR);
}

static void *add_sevens(void *argument)
{
    flow *f = argument;
    for (; !stopped(f->c);) {
        amount a = { 7 };
        total t;
        if (!expect_ok(f->c, rk_send(f->c->runtime, f->into, RK_BODY(a), 0))) return 0;
        if (!expect_ok(f->c, rk_receive(f->c->runtime, f->into, &t, sizeof t, 0, RK_SECONDS(20)))) return 0;
    }
    return 0;
}

static void state_of_an_active_kernel_is_of_a_batch_boundary(contract *c)
{
    static flow f;
    rk_launch_options o = small(64);
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    f = (flow){ .c = c, .into = k };
    for (int i = 0; i < 3; i++) start_thread(c, add_sevens, &f);
    adder_copy copy, last = { 0, 0, 0 };
    for (rk_u32 i = 0; i < contract_rounds(2000); i++) {
        assert_ok(rk_read_state(c->runtime, k, 0, &copy, sizeof copy));
        assert_int_equal(copy.sum, 7 * (rk_i64)copy.count);
        assert_true(copy.count >= last.count);
        last = copy;
    }
    wait_until(c, rk_read_state(c->runtime, k, 0, &copy, sizeof copy) == RK_OK && copy.count > last.count);
    stop_threads(c);
}

/* A read stops the kernel at a batch boundary, and the next one comes as soon as it is served again. */
static void who_reads_a_state_all_the_time_lets_the_kernel_get_on(contract *c)
{
    enum { QUEUED = 60 };
    rk_launch_options o = small(64);
    rk_kernel k = launch(c, "adder", "adder", &o);
    amount a = { 7 };
    adder_copy copy = { 0, 0, 0 };
    for (rk_u32 i = 0; i < QUEUED; i++) assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    assert_ok(rk_activate(c->runtime, k));
    const rk_u64 until = contract_now_ns() + CONTRACT_PATIENCE;
    rk_u32 reads = 0;
    for (; copy.count < QUEUED && contract_now_ns() < until; reads++)
        assert_ok(rk_read_state(c->runtime, k, 0, &copy, sizeof copy));
    assert_int_equal(copy.count, QUEUED);
    if (c->variant->backend == RK_BACKEND_CUDA)
        assert_in_range(reads, 1, QUEUED); /* a turn for each of them */
}

/* ------------------------------------------------------------------ clearing */

static void clearing_an_inactive_kernel_makes_room_and_counts_what_it_throws_away(contract *c)
{
    for (rk_u32 lane = 0; lane < 5; lane++) {
        rk_u32 strategy = lane % 4;
        rk_launch_options o = rk_low_latency();
        o.queue_capacity = 16;
        o.slot_format = lane == 4 ? RK_FORMAT_UNIT : RK_FORMAT_SEQ;
        o.deduplication_window = strategy == RK_BACKPRESSURE_REJECT ? 16 : 0;
        o.priority = strategy == RK_BACKPRESSURE_DROP_NEWEST;
        o.backpressure = strategy;
        rk_kernel k = launch(c, "echo", "echo", &o);
        rk_u64 cleared = 99, extra = strategy == RK_BACKPRESSURE_DROP_OLDEST ? 4 : 0;
        assert_ok(rk_clear(c->runtime, k, &cleared));
        assert_int_equal(cleared, 0);
        for (rk_u32 i = 0; i < 16 + extra; i++) assert_ok(send_probe(c, k, i));
        assert_ok(rk_clear(c->runtime, k, &cleared));
        assert_int_equal(cleared, 16);
        rk_account a = account_of(c, k);
        assert_true(a.balanced);
        assert_int_equal(a.lost, 16);
        assert_int_equal(a.evicted, extra);
        assert_int_equal(a.queued, 0);

        for (rk_u32 i = 0; i < 16; i++)
            assert_ok(send_probe(c, k, 100 + i)); /* there is room for all of them again */
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 i = 0; i < 16; i++) assert_next(c, k, 100 + i);
        assert_status(rk_clear(c->runtime, k, &cleared), RK_BUSY);
        assert_ok(rk_deactivate(c->runtime, k));
        assert_ok(rk_clear(c->runtime, k, 0));
        assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
    }
}

/* A batch that is half out is the kernel's: it can't be thrown away under it. */
static void a_kernel_that_waits_for_room_cannot_be_cleared(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel k = launch_echo(c, &o);
    for (rk_u32 i = 0; i < 17; i++) {
        assert_ok(send_probe(c, k, i));
        settle(c);
    }
    wait_until(c, metrics_of(c, k).parks > 0);
    rk_u64 cleared = 0;
    assert_ok(rk_deactivate(c->runtime, k));
    assert_status(rk_clear(c->runtime, k, &cleared), RK_BUSY);
    assert_error_says("half out");
    assert_int_equal(cleared, 0);
    for (rk_u32 i = 0; i < 16; i++) assert_next(c, k, i);
    assert_ok(rk_activate(c->runtime, k));
    assert_next(c, k, 16);
    wait_until(c, account_of(c, k).queued == 0);
    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_u32 i = 0; i < 5; i++) assert_ok(send_probe(c, k, i));
    assert_ok(rk_clear(c->runtime, k, &cleared));
    assert_int_equal(cleared, 5);
    assert_int_equal(account_of(c, k).lost, 5);
    assert_int_equal(account_of(c, k).delivered, 17);
}

static rk_kernel cleared_kernel;
static void *wait_for_room(void *argument)
{
    contract *c = argument;
    expect_ok(c, send_probe(c, cleared_kernel, 7));
    return 0;
}

static void a_sender_that_waits_goes_on_when_the_queue_is_cleared(contract *c)
{
    rk_launch_options o = small(16);
    cleared_kernel = launch(c, "echo", "echo", &o);
    for (rk_u32 i = 0; i < 16; i++) assert_ok(send_probe(c, cleared_kernel, i));
    start_thread(c, wait_for_room, c);
    let_pass(c, RK_MILLISECONDS(5)); /* asleep or still spinning: it must go on in both */
    assert_ok(rk_clear(c->runtime, cleared_kernel, 0));
    join_threads(c);
    assert_ok(rk_activate(c->runtime, cleared_kernel));
    assert_next(c, cleared_kernel, 7);
}

static const contract_case cases[] = {
    { CASE(ten_handled_messages_show_in_the_metrics), ON_EVERY },
    { CASE(depth_and_utilization_are_what_is_queued), ON_EVERY },
    { CASE(uptime_and_throughput_go_by_the_runtimes_clock), NEEDS_STEP },
    { CASE(a_kernel_is_busy_as_long_as_its_handlers_work), NEEDS_STEP | NEEDS_CPU },
    { CASE(waiting_times_are_those_of_the_clock), NEEDS_STEP },
    { CASE(waiting_times_are_sampled_where_not_every_message_is_stamped), ON_EVERY },
    { CASE(waiting_times_of_long_queues_are_sampled_more_rarely), ON_EVERY },
    { CASE(in_each_band_one_message_in_64_tells_how_long_it_waited), NEEDS_STEP },
    { CASE(a_histogram_counts_exactly_and_its_quantiles_are_within_the_stated_error), ONCE },
    { CASE(metrics_are_read_while_messages_flow), NEEDS_THREADS },
    { CASE(the_account_is_never_negative_under_load_and_exact_at_rest), NEEDS_THREADS },
    { CASE(a_kernel_that_has_just_begun_is_healthy), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_kernel_that_is_idle_for_long_is_healthy), NEEDS_THREADS },
    { CASE(a_kernel_with_messages_and_no_progress_is_stalled_until_it_goes_on), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_kernel_that_nobody_receives_from_is_stalled_too), NEEDS_THREADS },
    { CASE(a_kernels_log_has_its_numbers_and_where_they_come_from), ON_EVERY },
    { CASE(a_line_of_the_log_says_when_its_turn_was), NEEDS_STEP | NEEDS_CPU },
    { CASE(a_kernel_that_logs_too_much_is_limited_and_the_rest_counted), ON_EVERY },
    { CASE(what_threads_log_at_the_same_time_comes_whole_and_once), ON_EVERY },
    { CASE(what_threads_log_at_the_same_time_is_counted_beyond_the_limit), ON_EVERY },
    { CASE(the_threads_of_a_region_log_a_line_each_and_one_thread_one_line), NEEDS_REGIONS },
    { CASE(state_is_read_by_shard_and_by_actor), NEEDS_REGIONS },
    { CASE(state_of_an_active_kernel_is_of_a_batch_boundary), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(who_reads_a_state_all_the_time_lets_the_kernel_get_on), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(clearing_an_inactive_kernel_makes_room_and_counts_what_it_throws_away), ON_EVERY },
    { CASE(a_kernel_that_waits_for_room_cannot_be_cleared), ON_EVERY },
    { CASE(a_sender_that_waits_goes_on_when_the_queue_is_cleared), ON_EVERY },
};
CONTRACT_MAIN("telemetry", cases)
