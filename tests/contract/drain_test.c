/* Draining: everything that was sent is received, each drain hook runs once and after that, whatever the
 * shape of the routes and however full the rings are. */
#include "probes.h"

#include <sched.h>
#include <stdio.h>

static rk_status send_bundle(contract *c, rk_kernel k, rk_u32 number, rk_u32 hops, rk_u64 timeout_ns)
{
    bundle b = { number, hops };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.target = number;
    s.timeout_ns = timeout_ns;
    return rk_send(c->runtime, k, RK_BODY(b), &s);
}

/* Fill a kernel that nobody receives from until nothing fits any more, which `least` messages do however long they take. How
 * many went in. */
static rk_u32 fill(contract *c, rk_kernel k, rk_u32 first, rk_u32 hops, rk_u32 least)
{
    rk_u32 n = 0;
    for (rk_u32 missed = 0; missed < 20 || n < least;) {
        settle(c);
        rk_status status = send_bundle(c, k, first + n, hops, RK_MILLISECONDS(2));
        if (status == RK_OK)
            n++, missed = 0;
        else {
            assert_int_equal(status, RK_TIMED_OUT);
            missed++;
        }
    }
    return n;
}

#define NUMBERS 4096u

/* Receives all that comes out of a kernel until it has ended. SPMD stages have no state, so nothing is
 * tallied as received: their accounts say it. */
typedef struct outlet {
    contract *c;
    rk_kernel kernel;
    rk_u32 bundles, tallies, hooks;
    rk_u32 after_last_tally; /* bundles that came later than a tally of the kernel's own */
    rk_u32 received[16];     /* tallied, by how many tallies the stage had seen: 0 for the first, … */
    rk_u32 seen[NUMBERS];    /* how often each bundle came */
} outlet;

static void *receive_all(void *argument)
{
    outlet *o = argument;
    for (;;) {
        union {
            bundle b;
            tally t;
        } m;
        rk_received info;
        rk_status status = rk_receive(o->c->runtime, o->kernel, &m, sizeof m, &info, RK_SECONDS(30));
        if (status == RK_CLOSED) return 0;
        if (!expect_ok(o->c, status)) return 0;
        if (info.type == RK_TYPE_ID(bundle) && m.b.hops >= LAST_BUNDLE) {
            o->tallies++;
            o->hooks++;
        } else if (info.type == RK_TYPE_ID(bundle)) {
            o->bundles++;
            o->after_last_tally += o->tallies > 0;
            if (expect(o->c, m.b.number < NUMBERS)) o->seen[m.b.number]++;
        } else {
            o->tallies++;
            o->hooks += m.t.hooks;
            if (expect(o->c, m.t.stage < 16)) o->received[m.t.stage] += m.t.received;
        }
    }
}

static void assert_each_once(const outlet *o, rk_u32 sent)
{
    assert_int_equal(o->bundles, sent);
    for (rk_u32 i = 0; i < sent; i++) assert_int_equal(o->seen[i], 1);
}

static void assert_tallied(const outlet *o, rk_u32 stage, rk_u32 received)
{
    if (o->c->variant->style == STYLE_REGIONS) assert_int_equal(o->received[stage], received);
}

/* So many hooks ran, by what they count in the program: on the CPU. */
static void assert_drained(contract *c, rk_u32 hooks)
{
    if (on_cpu(c)) assert_int_equal(__atomic_load_n(&contract_controls.drained, __ATOMIC_ACQUIRE), hooks);
}

static void a_pipeline_of_three_with_all_rings_full_is_drained(contract *c)
{
    static outlet out;
    rk_launch_options o = small(16);
    static const char *const ids[] = { "first", "second", "third" };
    rk_kernel k[3];
    for (rk_u32 i = 0; i < 3; i++) k[i] = launch(c, ids[i], "stage", &o);
    assert_ok(rk_connect(c->runtime, k[0], 0, k[1], 0));
    assert_ok(rk_connect(c->runtime, k[1], 0, k[2], 0));
    for (rk_u32 i = 0; i < 3; i++) assert_ok(rk_activate(c->runtime, k[i]));
    rk_u32 sent = fill(c, k[0], 0, 0, 3 * 16 + 1); /* three inboxes and what is on its way out */

    memset(&out, 0, sizeof out);
    out.c = c, out.kernel = k[2];
    start_thread(c, receive_all, &out);
    assert_ok(rk_drain(c->runtime, k, 3, RK_SECONDS(20)));
    join_threads(c);

    assert_each_once(&out, sent);
    assert_drained(c, 3);
    assert_int_equal(out.tallies, 3);
    assert_int_equal(out.hooks, 3);
    assert_int_equal(out.after_last_tally, 0);
    for (rk_u32 i = 0; i < 3; i++) assert_tallied(&out, i, sent); /* each stage had them all by then */
    for (rk_u32 i = 0; i < 3; i++) {
        rk_account a = account_of(c, k[i]);
        assert_true(a.balanced);
        assert_int_equal(a.accepted, sent + i);
        assert_int_equal(a.delivered, sent + i);
        assert_int_equal(info_of(c, k[i]).life, RK_LIFE_DRAINED);
    }
}

static void each_shard_of_a_pipeline_has_its_hook_once(contract *c)
{
    static outlet out;
    rk_launch_options o = small(64);
    rk_route_options turn = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TURN };
    o.shards = 3;
    o.blocks = 3;
    rk_kernel k[3];
    static const char *const ids[] = { "first", "second", "third" };
    for (rk_u32 i = 0; i < 3; i++) k[i] = launch(c, ids[i], "stage", &o);
    assert_ok(rk_connect(c->runtime, k[0], 0, k[1], &turn));
    assert_ok(rk_connect(c->runtime, k[1], 0, k[2], &turn));
    for (rk_u32 i = 0; i < 3; i++) assert_ok(rk_activate(c->runtime, k[i]));
    memset(&out, 0, sizeof out);
    out.c = c, out.kernel = k[2];
    start_thread(c, receive_all, &out);
    for (rk_u32 i = 0; i < 1000; i++) {
        rk_status status;
        while ((status = send_bundle(c, k[0], i, 0, c->variant->single_step ? 1 : RK_SECONDS(20))) ==
                   RK_TIMED_OUT &&
               c->variant->single_step)
            settle(c); /* nobody else steps while one waits for room */
        assert_ok(status);
    }
    assert_ok(rk_drain(c->runtime, k, 3, RK_SECONDS(20)));
    join_threads(c);
    assert_each_once(&out, 1000);
    assert_int_equal(out.tallies, 9);
    assert_int_equal(out.hooks, 9);
    rk_u32 tallied = 0;
    for (rk_u32 i = 0; i < 16; i++) tallied += out.received[i];
    if (c->variant->style == STYLE_REGIONS) assert_int_equal(tallied, 3 * 1000);
    for (rk_u32 i = 0; i < 3; i++) assert_int_equal(account_of(c, k[i]).delivered, 1000 + 3 * i);
}

/* Who is looked at first finds its sources still there, and has to be looked at again when they have ended, though they
 * sent nothing on the way. */
static void a_pipeline_without_hooks_that_was_launched_from_its_end_is_drained(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel third = launch(c, "third", "pass_token", &o), second = launch(c, "second", "pass_token", &o),
              first = launch(c, "first", "pass_token", &o);
    const rk_kernel k[3] = { third, second, first };
    assert_ok(rk_connect(c->runtime, first, 0, second, 0));
    assert_ok(rk_connect(c->runtime, second, 0, third, 0));
    for (rk_u32 i = 0; i < 3; i++) assert_ok(rk_activate(c->runtime, k[i]));
    settle(c);

    assert_ok(rk_drain(c->runtime, k, 3, RK_SECONDS(20)));

    for (rk_u32 i = 0; i < 3; i++) assert_int_equal(info_of(c, k[i]).life, RK_LIFE_DRAINED);
}

/* Two kernels in a circle; what has been round often enough leaves by the first one's other route. */
static void launch_circle(contract *c, const rk_launch_options *o, rk_kernel *k)
{
    k[0] = launch(c, "there", "circle", o);
    k[1] = launch(c, "back", "circle", o);
    assert_ok(rk_connect(c->runtime, k[0], 0, k[1], 0));
    assert_ok(rk_connect(c->runtime, k[1], 0, k[0], 0));
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_activate(c->runtime, k[i]));
}

static void a_cycle_ends_when_what_goes_round_has_ended(contract *c)
{
    static outlet out[2];
    rk_kernel k[2];
    rk_launch_options o = small(16);
    launch_circle(c, &o, k);
    for (rk_u32 i = 0; i < 2; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].c = c, out[i].kernel = k[i];
        start_thread(c, receive_all, &out[i]);
    }
    rk_u32 hops = contract_rounds(2000);
    for (rk_u32 i = 0; i < 12; i++) assert_ok(send_bundle(c, k[0], i, hops, RK_SECONDS(10)));
    assert_ok(rk_drain(c->runtime, k, 2, RK_SECONDS(20)));
    join_threads(c);
    assert_int_equal(out[0].bundles + out[1].bundles, 12);
    for (rk_u32 i = 0; i < 12; i++) assert_int_equal(out[0].seen[i] + out[1].seen[i], 1);
    assert_int_equal(out[0].tallies, 1);
    assert_int_equal(out[1].tallies, 1);
    assert_int_equal(account_of(c, k[0]).delivered + account_of(c, k[1]).delivered, 12 * (hops + 1));
    if (c->variant->style == STYLE_REGIONS)
        assert_int_equal(out[0].received[0] + out[1].received[0], 12 * (hops + 1));
    assert_int_equal(out[0].after_last_tally + out[1].after_last_tally, 0);
    assert_drained(c, 2);
}

static void a_kernel_that_is_given_twice_is_drained_once(contract *c)
{
    rk_kernel k[2];
    rk_launch_options o = small(16);
    launch_circle(c, &o, k);
    const rk_kernel given[] = { k[0], k[1], k[0] };
    assert_ok(rk_drain(c->runtime, given, 3, RK_SECONDS(20)));
    for (rk_u32 i = 0; i < 2; i++) assert_int_equal(info_of(c, k[i]).life, RK_LIFE_DRAINED);
}

/* With all rings full nobody in the cycle can go on: at the deadline the overflow becomes dead letters, and
 * then it drains. */
static void a_cycle_with_all_rings_full_is_drained_and_its_overflow_is_in_the_dead_letters(contract *c)
{
    static outlet out[2];
    rk_kernel k[2];
    rk_launch_options o = small(16);
    o.send_deadline_ns = RK_MILLISECONDS(30);
    launch_circle(c, &o, k);
    rk_u32 sent[2] = { 0, 0 };
    for (rk_u32 i = 0; i < 400; i++)
        for (rk_u32 n = 0; n < 2; n++)
            sent[n] += send_bundle(c, k[n], (sent[0] + sent[1]) % NUMBERS, 3, RK_MILLISECONDS(1)) == RK_OK;
    assert_true(sent[0] + sent[1] > 64);
    for (rk_u32 i = 0; i < 2; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].c = c, out[i].kernel = k[i];
        start_thread(c, receive_all, &out[i]);
    }
    assert_ok(rk_drain(c->runtime, k, 2, RK_SECONDS(20)));
    join_threads(c);
    rk_account a[2] = { account_of(c, k[0]), account_of(c, k[1]) };
    assert_int_equal(out[0].tallies + out[1].tallies, 2);
    assert_drained(c, 2);
    /* Each bundle came out or is a dead letter; none is both, none is neither. */
    assert_int_equal(out[0].bundles + out[1].bundles + a[0].dead_sends + a[1].dead_sends, sent[0] + sent[1]);
    assert_int_equal(a[0].dead_letters, a[0].dead_sends);
    assert_int_equal(a[1].dead_letters, a[1].dead_sends);
}

static void a_drain_that_cannot_end_says_who_waits_for_what(contract *c)
{
    static outlet out;
    rk_launch_options o = small(16);
    rk_kernel k = launch_active(c, "full", "stage", &o);
    rk_u32 sent = fill(c, k, 0, 0, 16 + 1);
    assert_status(rk_drain(c->runtime, &k, 1, RK_MILLISECONDS(20)), RK_TIMED_OUT);
    assert_error_says("full");
    assert_error_says("does the host receive?");
    assert_int_equal(info_of(c, k).life, RK_LIFE_DRAINING);
    assert_status(send_bundle(c, k, 0, 0, 1), RK_CLOSED);
    assert_status(rk_activate(c->runtime, k), RK_CLOSED);

    memset(&out, 0, sizeof out); /* and once the host receives, it can be called again */
    out.c = c, out.kernel = k;
    start_thread(c, receive_all, &out);
    assert_ok(rk_drain(c->runtime, &k, 1, RK_SECONDS(20)));
    join_threads(c);
    assert_each_once(&out, sent);
    assert_int_equal(out.hooks, 1);
}

static void a_kernel_whose_source_goes_on_cannot_be_drained_alone(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel source = launch(c, "source", "stage", &o), target = launch_active(c, "target", "stage", &o),
              both[2] = { source, target };
    assert_ok(rk_connect(c->runtime, source, 0, target, 0));
    assert_ok(rk_activate(c->runtime, source));
    assert_status(rk_drain(c->runtime, &target, 1, RK_SECONDS(1)), RK_INVALID_ARGUMENT);
    assert_error_says("source");
    assert_error_says("target");
    assert_int_equal(info_of(c, target).life, RK_LIFE_ACTIVE);
    assert_ok(rk_drain(c->runtime, &source, 1, RK_SECONDS(10))); /* first this, */
    assert_ok(rk_drain(c->runtime, both, 2,
                       RK_SECONDS(10))); /* then that: one that is drained already may be given again */
    bundle b;
    tally t;
    rk_received info;
    receive_with(c, target, &t, &info);
    assert_int_equal(info.type, c->variant->style == STYLE_REGIONS ? RK_TYPE_ID(tally) : RK_TYPE_ID(bundle));
    receive_with(c, target, &t, &info);
    assert_status(rk_receive(c->runtime, target, &b, sizeof b, 0, 0), RK_CLOSED);
}

static void a_drain_with_a_source_that_was_terminated_ends_too(contract *c)
{
    static outlet out;
    rk_launch_options o = small(64);
    rk_kernel source = launch(c, "source", "stage", &o), target = launch(c, "target", "stage", &o);
    assert_ok(rk_connect(c->runtime, source, 0, target, 0));
    assert_ok(rk_activate(c->runtime, source));
    for (rk_u32 i = 0; i < 30; i++) assert_ok(send_bundle(c, source, i, 0, RK_SECONDS(10)));
    wait_until(c, info_of(c, target).queued == 30);
    assert_ok(rk_terminate(c->runtime, source, RK_SECONDS(10)));
    assert_ok(rk_activate(c->runtime, target));
    memset(&out, 0, sizeof out);
    out.c = c, out.kernel = target;
    start_thread(c, receive_all, &out);
    assert_ok(rk_drain(c->runtime, &target, 1, RK_SECONDS(20)));
    join_threads(c);
    assert_each_once(&out, 30);
    assert_int_equal(out.hooks, 1);
}

static void a_drain_ends_after_a_stage_was_relaunched(contract *c)
{
    static outlet out;
    rk_launch_options o = small(64);
    rk_kernel k[2] = { launch(c, "first", "stage", &o), launch(c, "second", "stage", &o) };
    assert_ok(rk_connect(c->runtime, k[0], 0, k[1], 0));
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_activate(c->runtime, k[i]));
    for (rk_u32 i = 0; i < 20; i++) assert_ok(send_bundle(c, k[0], i, 0, RK_SECONDS(10)));
    settle(c);
    memset(&out, 0, sizeof out);
    out.c = c, out.kernel = k[1];
    start_thread(c, receive_all, &out);
    o.queue_capacity = 128;
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_relaunch(c->runtime, k[i], &o, RK_SECONDS(20)));
    for (rk_u32 i = 20; i < 40; i++) assert_ok(send_bundle(c, k[0], i, 0, RK_SECONDS(10)));
    assert_ok(rk_drain(c->runtime, k, 2, RK_SECONDS(20)));
    join_threads(c);
    assert_each_once(&out, 40);
    for (rk_u32 i = 0; i < 2; i++) assert_tallied(&out, i, 40);
    assert_int_equal(out.hooks, 2);
}

static const contract_case cases[] = {
    { CASE(a_pipeline_of_three_with_all_rings_full_is_drained), ON_EVERY },
    { CASE(each_shard_of_a_pipeline_has_its_hook_once), ON_EVERY },
    { CASE(a_pipeline_without_hooks_that_was_launched_from_its_end_is_drained), ON_EVERY },
    { CASE(a_cycle_ends_when_what_goes_round_has_ended), ON_EVERY },
    { CASE(a_kernel_that_is_given_twice_is_drained_once), ON_EVERY },
    { CASE(a_cycle_with_all_rings_full_is_drained_and_its_overflow_is_in_the_dead_letters), NEEDS_THREADS },
    { CASE(a_drain_that_cannot_end_says_who_waits_for_what), ON_EVERY },
    { CASE(a_kernel_whose_source_goes_on_cannot_be_drained_alone), ON_EVERY },
    { CASE(a_drain_with_a_source_that_was_terminated_ends_too), ON_EVERY },
    { CASE(a_drain_ends_after_a_stage_was_relaunched), ON_EVERY },
};
CONTRACT_MAIN("drain", cases)
