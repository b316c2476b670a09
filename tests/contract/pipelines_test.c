/* Pipelines: what is sent comes out in order after any number of stages, what is refused goes aside whole,
 * and who is slow holds the source. */
#include <ringkernel/kernel.h>

#include "probes.h"

#include "runtime/core.h"

#include "../kernels/pattern_pipeline.rk.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALL = 16, MOST_STAGES = 16, KEYS = 7 };

static rk_launch_options plain(void)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = SMALL;
    o.output_capacity = SMALL;
    o.deduplication_window = 0;
    o.send_deadline_ns = RK_NO_DEADLINE;
    return o;
}

/* Stages "stage 0" and so on, of one kernel and with the same options, unless a case changes them. */
typedef struct row {
    contract *c;
    rk_pipeline *line;
    rk_u32 count;
    char id[MOST_STAGES][24];
    char kernel[64];
    rk_launch_options options[MOST_STAGES];
    rk_pipeline_stage stage[MOST_STAGES];
    rk_pipeline_options with;
    rk_u64 sent, got; /* by stream() */
    parcel *came;
    rk_u32 *shard; /* that it came from */
} row;

static row row_of(contract *c, rk_u32 count)
{
    row r = { .c = c, .count = count, .with = { RK_PIPELINE_OPTIONS } };
    snprintf(r.kernel, sizeof r.kernel, "%s", in_style(c, "pass"));
    for (rk_u32 i = 0; i < count; i++) r.options[i] = plain();
    return r;
}

static rk_status open_row(row *r)
{
    for (rk_u32 i = 0; i < r->count; i++) {
        snprintf(r->id[i], sizeof r->id[i], "stage %u", i);
        r->stage[i].id = r->id[i];
        if (!r->stage[i].kernel) r->stage[i].kernel = r->kernel;
        r->stage[i].options = &r->options[i];
    }
    return rk_pipeline_open(r->c->runtime, &r->with, r->stage, r->count, &r->line);
}

static void start_row(row *r)
{
    assert_ok(open_row(r));
    assert_ok(rk_pipeline_activate(r->line));
}

static void close_row(row *r)
{
    rk_pipeline_close(r->line);
    free(r->came);
    free(r->shard);
}

static parcel parcel_of(rk_u64 number)
{
    parcel p = { number, (rk_u32)(number % KEYS), 0, { 1, 2, 3, (rk_u32)number + 4u } };
    return p;
}

static rk_status put(row *r, rk_u64 number)
{
    parcel p = parcel_of(number);
    rk_send_options o = RK_SEND_DEFAULTS;
    o.timeout_ns = 1;
    return rk_pipeline_send(r->line, RK_BODY(p), &o);
}

/* Send what finds room, of `count` in all, and take what is there: has all of it come? */
static int stream(row *r, rk_u64 count, rk_u64 expected)
{
    rk_received info;
    rk_status status = RK_OK;
    while (r->sent < count && (status = put(r, r->sent)) == RK_OK) r->sent++;
    if (status != RK_OK) assert_status(status, RK_TIMED_OUT);
    while (r->got < expected &&
           rk_pipeline_receive(r->line, &r->came[r->got], sizeof(parcel), &info, RK_NO_WAIT) == RK_OK)
        r->shard[r->got++] = info.shard;
    return r->sent == count && r->got == expected;
}

static void run(row *r, rk_u64 count, rk_u64 expected)
{
    r->came = calloc(expected + 1u, sizeof *r->came);
    r->shard = calloc(expected + 1u, sizeof *r->shard);
    assert_true(r->came && r->shard);
    wait_until(r->c, stream(r, count, expected));
}

/* All that was sent, from the first number to the last. */
static void assert_all_came(row *r, rk_u32 stages)
{
    for (rk_u64 i = 0; i < r->got; i++) {
        parcel p = parcel_of(i);
        p.stages = stages;
        assert_memory_equal(&r->came[i], &p, sizeof p);
    }
}

static rk_stage_metrics metrics(row *r, rk_u32 stage)
{
    rk_stage_metrics m;
    assert_ok(rk_pipeline_metrics(r->line, stage, &m));
    return m;
}

static void assert_passed(row *r, rk_u32 stage, rk_u64 in, rk_u64 out)
{
    rk_stage_metrics m = metrics(r, stage);
    assert_string_equal(m.id, r->id[stage]);
    assert_int_equal(m.in, in);
    assert_int_equal(m.handled, out);
    assert_int_equal(m.out, out);
    assert_int_equal(m.refused, in - out);
    assert_int_equal(m.aside, in - out);
    assert_int_equal(m.gone, 0);
    assert_int_equal(m.depth, 0);
}

/* ------------------------------------------------------------------ order */

static void comes_out_of(contract *c, rk_u32 stages, rk_u64 count)
{
    row r = row_of(c, stages);
    start_row(&r);
    run(&r, count, count);
    assert_all_came(&r, stages);
    assert_ok(rk_pipeline_drain(r.line, CONTRACT_PATIENCE));
    for (rk_u32 i = 0; i < stages; i++) assert_passed(&r, i, count, count);
    close_row(&r);
}

static void what_is_sent_comes_out_in_order(contract *c) { comes_out_of(c, 3, 500); }
static void one_stage_is_a_pipeline(contract *c) { comes_out_of(c, 1, 100); }
static void sixteen_stages_keep_the_order(contract *c) { comes_out_of(c, 16, 200); }

static void a_stage_may_send_on_by_a_route_of_its_own(contract *c)
{
    row r = row_of(c, 2);
    char onward[64];
    snprintf(onward, sizeof onward, "%s", in_style(c, "pass_onward"));
    r.stage[0].kernel = onward;
    r.stage[0].route = "onward";
    start_row(&r);
    run(&r, 40, 40);
    assert_all_came(&r, 2);
    close_row(&r);
}

static void each_key_keeps_its_order_over_several_shards(contract *c)
{
    row r = row_of(c, 4);
    rk_u32 shards[4] = { 3, 1, 4, 2 }, used = 0;
    rk_u64 next[KEYS];
    for (rk_u32 i = 0; i < 4; i++) r.options[i].shards = r.options[i].blocks = shards[i];
    r.with.key_field = "key";
    start_row(&r);
    run(&r, 420, 420);
    for (rk_u32 k = 0; k < KEYS; k++) next[k] = k;
    rk_u32 home[KEYS] = { 0 };
    for (rk_u64 i = 0; i < r.got; i++) {
        rk_u32 key = r.came[i].key;
        assert_in_range(key, 0, KEYS - 1);
        assert_int_equal(r.came[i].number, next[key]);
        if (next[key] == key) home[key] = r.shard[i];
        assert_int_equal(r.shard[i], home[key]);
        used |= 1u << r.shard[i];
        next[key] += KEYS;
    }
    assert_int_equal(used, 3); /* both of the last stage's */
    rk_kernel first;
    rk_u64 of_shard[4] = { 0 };
    assert_ok(rk_pipeline_kernel(r.line, 0, &first));
    for (rk_u32 k = 0; k < KEYS; k++) of_shard[rk_key_target(k, 0) % shards[0]] += 420 / KEYS;
    for (rk_u32 s = 0; s < shards[0]; s++) { /* as a route between kernels would bring it */
        rk_account a;
        assert_ok(rk_account_of_lane(c->runtime, first, s, 0, &a));
        assert_int_equal(a.accepted, of_shard[s]);
    }
    for (rk_u32 i = 0; i < 4; i++) assert_int_equal(metrics(&r, i).capacity, SMALL * shards[i]);
    close_row(&r);
}

static void actors_in(contract *c, rk_u32 shards)
{
    row r = row_of(c, 2);
    r.stage[0].kernel = "pass_counted";
    r.options[0].actors = KEYS;
    r.options[0].shards = r.options[0].blocks = shards;
    r.with.key_field = "key";
    start_row(&r);
    run(&r, 210, 210);
    rk_u32 counted[KEYS] = { 0 };
    for (rk_u64 i = 0; i < r.got; i++) {
        rk_u32 key = r.came[i].key;
        assert_int_equal(r.came[i].number, key + KEYS * (rk_u64)counted[key]);
        assert_int_equal(r.came[i].stages, ++counted[key] + 1u);
    }
    assert_ok(rk_pipeline_terminate(r.line, CONTRACT_PATIENCE));
    close_row(&r);
}

static void an_actor_gets_what_is_of_its_key_in_order(contract *c)
{
    actors_in(c, 1);
    actors_in(c, 2);
}

/* ------------------------------------------------------------------ errors */

/* Three stages, of which the second refuses every third number and the third every fifth of the others. */
static row refusing_row(contract *c, rk_parameter every[2])
{
    row r = row_of(c, 3);
    every[0] = (rk_parameter){ "refuse_every", "3" };
    every[1] = (rk_parameter){ "refuse_every", "5" };
    for (rk_u32 i = 1; i < 3; i++) {
        r.options[i].parameters = &every[i - 1u];
        r.options[i].parameter_count = 1;
        r.options[i].dead_letter_capacity = 256;
    }
    return r;
}

static rk_u32 refused_by(rk_u64 number) { return number % 3 == 0 ? 1 : number % 5 == 0 ? 2 : RK_NO_STAGE; }

static void assert_the_others_came(row *r)
{
    rk_u64 number = 0;
    for (rk_u64 i = 0; i < r->got; i++, number++) {
        while (refused_by(number) != RK_NO_STAGE) number++;
        assert_int_equal(r->came[i].number, number);
        assert_int_equal(r->came[i].stages, 3);
    }
    assert_passed(r, 0, 150, 150);
    assert_passed(r, 1, 150, 100);
    assert_passed(r, 2, 100, 80);
}

static void letters_of_every_stage_go_to_one_kernel(contract *c)
{
    rk_parameter every[2];
    row r = refusing_row(c, every);
    rk_launch_options o = plain();
    o.queue_capacity = o.output_capacity = 256;
    rk_pipeline_stage undertaker = { "undertaker", "bury_parcel", &o, 0 };
    r.with.errors = &undertaker;
    start_row(&r);
    run(&r, 150, 80);
    assert_ok(rk_pipeline_drain(r.line, CONTRACT_PATIENCE));
    assert_the_others_came(&r);
    rk_kernel k;
    assert_ok(rk_pipeline_kernel(r.line, 3, &k));
    rk_u32 of_stage[3] = { 0 };
    for (rk_u32 i = 0; i < 70; i++) {
        buried_parcel b;
        receive(c, k, &b);
        rk_u32 stage = rk_pipeline_stage_of(r.line, b.kernel_no);
        assert_in_range(stage, 1, 2);
        assert_int_equal(stage, refused_by(b.number));
        assert_int_equal(b.stages, stage); /* as it came there */
        assert_int_equal(b.load, b.number + 4);
        assert_int_equal(b.is_faulty, 1);
        assert_int_equal(b.was_sent, 0);
        of_stage[stage]++;
    }
    assert_int_equal(of_stage[1], 50);
    assert_int_equal(of_stage[2], 20);
    assert_int_equal(metrics(&r, 3).in, 70);
    assert_int_equal(metrics(&r, 3).out, 70);
    assert_int_equal(rk_pipeline_stage_of(r.line, 4000), RK_NO_STAGE);
    close_row(&r);
}

static void without_such_a_kernel_they_come_to_the_host(contract *c)
{
    rk_parameter every[2];
    row r = refusing_row(c, every);
    start_row(&r);
    run(&r, 150, 80);
    assert_ok(rk_pipeline_drain(r.line, CONTRACT_PATIENCE));
    assert_the_others_came(&r);
    rk_dead_letter letter;
    rk_u32 stage, count = 0;
    parcel p;
    assert_status(rk_pipeline_receive_error(r.line, &p, 8, &letter, &stage), RK_TOO_SMALL);
    assert_int_equal(letter.length, sizeof p);
    for (; rk_pipeline_receive_error(r.line, &p, sizeof p, &letter, &stage) == RK_OK; count++) {
        assert_int_equal(stage, refused_by(p.number));
        assert_int_equal(p.stages, stage);
        assert_int_equal(p.load[3], p.number + 4);
        assert_string_equal(letter.reason, "faulty");
    }
    assert_int_equal(count, 70);
    assert_status(rk_pipeline_receive_error(r.line, &p, sizeof p, &letter, &stage), RK_EMPTY);
    close_row(&r);
}

static void what_the_kernel_for_errors_has_no_room_for_comes_to_the_host(contract *c)
{
    rk_parameter every = { "refuse_every", "1" };
    row r = row_of(c, 1);
    rk_launch_options o = plain();
    rk_pipeline_stage undertaker = { "undertaker", "bury_parcel", &o, 0 };
    r.options[0].parameters = &every;
    r.options[0].parameter_count = 1;
    r.with.errors = &undertaker;
    rk_kernel first;
    assert_ok(open_row(&r));
    assert_ok(rk_pipeline_kernel(r.line, 0, &first));
    assert_ok(rk_activate(c->runtime, first));
    run(&r, SMALL + 5, 0);
    wait_until(c, account_of(c, first).dead_letters == 5);
    rk_dead_letter letter;
    rk_u32 stage;
    parcel p;
    for (rk_u32 i = 0; i < 5; i++) {
        assert_ok(rk_pipeline_receive_error(r.line, &p, sizeof p, &letter, &stage));
        assert_int_equal(p.number, SMALL + i);
        assert_int_equal(stage, 0);
    }
    wait_until(c, metrics(&r, 0).aside == SMALL + 5); /* counted when its batch is committed */
    assert_int_equal(metrics(&r, 0).out, 0);
    assert_int_equal(metrics(&r, 1).depth, SMALL);
    close_row(&r);
}

static void what_expires_goes_aside_if_it_is_asked_to(contract *c)
{
    row r = row_of(c, 2);
    rk_launch_options o = plain();
    rk_pipeline_stage undertaker = { "undertaker", "bury_parcel", &o, 0 };
    rk_kernel first, last;
    buried_parcel b;
    r.options[0].expiry = r.options[0].expired_to_dead = 1;
    r.with.errors = &undertaker;
    assert_ok(open_row(&r));
    rk_send_options short_lived = { .ttl_us = 1000 };
    parcel p = parcel_of(1);
    assert_ok(rk_pipeline_send(r.line, RK_BODY(p), &short_lived));
    assert_ok(put(&r, 2));
    assert_ok(rk_pipeline_kernel(r.line, 0, &first));
    let_expire(c, first, RK_MILLISECONDS(1));
    assert_ok(rk_pipeline_activate(r.line));
    assert_ok(rk_pipeline_kernel(r.line, 2, &last));
    receive(c, last, &b);
    assert_int_equal(b.number, 1);
    assert_int_equal(b.is_faulty, 0);
    assert_int_equal(rk_pipeline_stage_of(r.line, b.kernel_no), 0);
    wait_until(c, metrics(&r, 0).gone == 1 && metrics(&r, 0).handled == 1);
    wait_until(c, metrics(&r, 0).out == 1);
    assert_int_equal(metrics(&r, 0).aside, 1);
    assert_int_equal(metrics(&r, 0).refused, 0);
    close_row(&r);
}

/* The last of two stages takes SMALL and no more, and nobody waits for it. */
static void send_more_than_the_next_takes(contract *c, row *r, const rk_pipeline_stage *errors)
{
    rk_kernel stage;
    r->options[1].backpressure = RK_BACKPRESSURE_REJECT;
    r->with.errors = errors;
    start_row(r);
    assert_ok(rk_pipeline_kernel(r->line, 1, &stage));
    assert_ok(rk_deactivate(c->runtime, stage));
    for (rk_u32 i = 0; i < SMALL + 3; i++) {
        assert_ok(put(r, i));
        assert_ok(rk_pipeline_kernel(r->line, 0, &stage));
        wait_until(c, account_of(c, stage).queued == 0);
    }
    wait_until(c, metrics(r, 0).handled == SMALL + 3 && metrics(r, 0).aside == 3);
    assert_int_equal(metrics(r, 0).out, SMALL);
    assert_int_equal(metrics(r, 0).refused, 0);
    assert_int_equal(metrics(r, 1).in, SMALL);
}

static void what_the_next_stage_does_not_take_goes_aside(contract *c)
{
    /* to the host */
    row to_host = row_of(c, 2);
    rk_dead_letter letter;
    rk_u32 stage;
    parcel p;
    send_more_than_the_next_takes(c, &to_host, 0);
    for (rk_u32 i = 0; i < 3; i++) {
        wait_until(c, rk_pipeline_receive_error(to_host.line, &p, sizeof p, &letter, &stage) == RK_OK);
        assert_int_equal(stage, 0);
        assert_int_equal(letter.was_sent, 1);
        assert_string_equal(letter.reason, rk_status_name(RK_FULL));
        assert_int_equal(p.number, SMALL + i);
        assert_int_equal(p.stages, 1); /* as it was sent */
    }
    assert_ok(rk_pipeline_terminate(to_host.line, CONTRACT_PATIENCE));
    close_row(&to_host);

    /* or to the kernel for errors */
    row to_kernel = row_of(c, 2);
    rk_launch_options o = plain();
    rk_pipeline_stage undertaker = { "undertaker", "bury_parcel", &o, 0 };
    rk_kernel last;
    send_more_than_the_next_takes(c, &to_kernel, &undertaker);
    assert_ok(rk_pipeline_kernel(to_kernel.line, 2, &last));
    for (rk_u32 i = 0; i < 3; i++) {
        buried_parcel b;
        receive(c, last, &b);
        assert_int_equal(b.number, SMALL + i);
        assert_int_equal(b.was_sent, 1);
        assert_int_equal(rk_pipeline_stage_of(to_kernel.line, b.kernel_no), 0);
    }
    assert_status(rk_pipeline_receive_error(to_kernel.line, &p, sizeof p, &letter, &stage), RK_EMPTY);
    close_row(&to_kernel);
}

static void what_the_kernel_for_errors_refuses_is_told_of_it(contract *c)
{
    rk_parameter every = { "refuse_every", "1" };
    row r = row_of(c, 2);
    rk_launch_options o = plain();
    char name[64];
    snprintf(name, sizeof name, "%s", in_style(c, "pass"));
    rk_pipeline_stage faithless = { "faithless", name, &o, 0 };
    r.options[0].parameters = o.parameters = &every;
    r.options[0].parameter_count = o.parameter_count = 1;
    r.with.errors = &faithless;
    start_row(&r);
    run(&r, 4, 0);
    rk_dead_letter letter;
    rk_u32 stage;
    parcel p;
    for (rk_u32 i = 0; i < 4; i++) {
        wait_until(c, rk_pipeline_receive_error(r.line, &p, sizeof p, &letter, &stage) == RK_OK);
        assert_int_equal(p.number, i);
        assert_int_equal(stage, 2);
    }
    close_row(&r);
}

static void what_a_stage_lets_go_is_told(contract *c)
{
    row r = row_of(c, 1);
    r.options[0].backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    assert_ok(open_row(&r));
    for (rk_u32 i = 0; i < SMALL + 4; i++) assert_ok(put(&r, i));
    assert_int_equal(metrics(&r, 0).in, SMALL + 4);
    assert_int_equal(metrics(&r, 0).gone, 4);
    assert_int_equal(metrics(&r, 0).depth, SMALL);
    assert_ok(rk_pipeline_terminate(r.line, RK_NO_WAIT));
    assert_status(rk_pipeline_metrics(r.line, 0, &(rk_stage_metrics){ .in = 0 }), RK_STALE);
    close_row(&r);
}

/* ------------------------------------------------------------------ backpressure */

static int holds(row *r)
{
    while (put(r, r->sent) == RK_OK) r->sent++;
    if (metrics(r, 2).depth != SMALL || metrics(r, 1).depth != SMALL || metrics(r, 0).depth != SMALL ||
        !metrics(r, 0).parks || !metrics(r, 1).parks)
        return 0;
    /* A stage may have parked before and be about to give its batch's slots back. */
    if (put(r, r->sent) != RK_OK) return 1;
    r->sent++;
    return 0;
}

static void a_slow_stage_holds_the_source_and_nothing_is_lost(contract *c)
{
    row r = row_of(c, 3);
    rk_kernel slow;
    start_row(&r);
    assert_ok(rk_pipeline_kernel(r.line, 2, &slow));
    assert_ok(rk_deactivate(c->runtime, slow));
    wait_until(c, holds(&r));
    assert_status(put(&r, 0), RK_TIMED_OUT);
    /* The slots of what a stage has sent on in part are free when its batch is out. */
    assert_in_range(r.sent, SMALL + 2, 3 * SMALL);
    assert_int_equal(metrics(&r, 0).capacity, SMALL);
    if (c->variant->single_step) let_pass(c, RK_SECONDS(3600)); /* however long it takes */
    assert_ok(rk_activate(c->runtime, slow));
    rk_u64 count = r.sent + 30;
    run(&r, count, count);
    assert_all_came(&r, 3);
    assert_ok(rk_pipeline_drain(r.line, CONTRACT_PATIENCE));
    for (rk_u32 i = 0; i < 3; i++) {
        rk_kernel stage;
        assert_passed(&r, i, count, count);
        assert_ok(rk_pipeline_kernel(r.line, i, &stage));
        assert_int_equal(metrics(&r, i).parks, metrics_of(c, stage).parks);
    }
    close_row(&r);
}

static void a_stage_without_options_waits_for_room_as_long_as_it_takes(contract *c)
{
    static const rk_pipeline_stage stages[] = { { "pass", 0, 0, 0 }, { "after", "pass", 0, 0 } };
    row r = row_of(c, 0);
    rk_launch_options small = plain();
    rk_pipeline_stage both[2] = { stages[0], stages[1] };
    rk_kernel last;
    both[1].options = &small;
    assert_ok(rk_pipeline_open(c->runtime, 0, both, 2, &r.line));
    assert_ok(rk_pipeline_activate(r.line));
    assert_ok(rk_pipeline_kernel(r.line, 1, &last));
    assert_ok(rk_deactivate(c->runtime, last));
    for (; r.sent < 3 * SMALL; r.sent++) assert_ok(put(&r, r.sent));
    settle(c);
    let_pass(c, RK_SECONDS(40)); /* longer than the 30 s that a kernel's sends have else */
    settle(c);
    assert_ok(rk_activate(c->runtime, last));
    run(&r, r.sent, r.sent);
    assert_all_came(&r, 2);
    assert_int_equal(metrics(&r, 0).aside, 0);
    assert_int_equal(metrics(&r, 0).queue_wait.count, r.got); /* it has timestamps */
    close_row(&r);
}

/* ------------------------------------------------------------------ life and looks */

static void a_pipeline_in_which_nothing_was_is_drained_at_once(contract *c)
{
    row r = row_of(c, 4);
    parcel p = parcel_of(1);
    start_row(&r);
    assert_ok(rk_pipeline_activate(r.line)); /* again: nothing to do */
    assert_status(rk_pipeline_receive(r.line, &p, sizeof p, 0, RK_NO_WAIT), RK_EMPTY);
    assert_ok(rk_pipeline_drain(r.line, CONTRACT_PATIENCE));
    for (rk_u32 i = 0; i < 4; i++) assert_passed(&r, i, 0, 0);
    assert_int_equal(metrics(&r, 0).queue_wait.count, 0);
    assert_status(put(&r, 1), RK_CLOSED);
    assert_status(rk_pipeline_receive(r.line, &p, sizeof p, 0, RK_NO_WAIT), RK_CLOSED);
    assert_ok(rk_pipeline_terminate(r.line, CONTRACT_PATIENCE));
    size_t left;
    assert_ok(rk_list(c->runtime, 0, 0, &left));
    assert_int_equal(left, 0);
    close_row(&r);
}

static void the_kernel_for_errors_is_drained_and_ended_with_the_stages(contract *c)
{
    row r = row_of(c, 2);
    rk_launch_options o = plain();
    rk_pipeline_stage undertaker = { "undertaker", "bury_parcel", &o, 0 };
    rk_kernel errors, first;
    size_t left;
    r.with.errors = &undertaker;
    start_row(&r);
    assert_ok(rk_pipeline_kernel(r.line, 2, &errors));
    assert_int_equal(rk_pipeline_length(r.line), 2);
    assert_ok(rk_pipeline_drain(r.line, CONTRACT_PATIENCE));
    assert_int_equal(info_of(c, errors).life, RK_LIFE_DRAINED);

    /* when one of them is gone, then that is told, and all others are ended anyhow */
    assert_ok(rk_pipeline_kernel(r.line, 0, &first));
    assert_ok(rk_terminate(c->runtime, first, CONTRACT_PATIENCE));
    assert_status(rk_pipeline_terminate(r.line, CONTRACT_PATIENCE), RK_STALE);
    assert_ok(rk_list(c->runtime, 0, 0, &left));
    assert_int_equal(left, 0);
    close_row(&r);
}

/* What stages are given to end in (cmake/Tests.cmake wraps the call), of which each takes so long at least. */
static struct {
    rk_u64 takes_ns;
    rk_u32 calls;
    rk_u64 timeout_ns[MOST_STAGES];
} ends;

rk_status __real_rk_terminate(rk_runtime *runtime, rk_kernel kernel, rk_u64 timeout_ns);
rk_status __wrap_rk_terminate(rk_runtime *runtime, rk_kernel kernel, rk_u64 timeout_ns);
rk_status __wrap_rk_terminate(rk_runtime *runtime, rk_kernel kernel, rk_u64 timeout_ns)
{
    const rk_u64 began_ns = contract_now_ns();
    if (ends.calls < MOST_STAGES) ends.timeout_ns[ends.calls++] = timeout_ns;
    rk_status status = __real_rk_terminate(runtime, kernel, timeout_ns);
    while (contract_now_ns() - began_ns < ends.takes_ns) sched_yield();
    return status;
}

/* End a row of stages, which were never active, in `timeout_ns`; each of them takes `takes_ns`. */
static void end_row(contract *c, rk_u32 stages, rk_u64 timeout_ns, rk_u64 takes_ns)
{
    row r = row_of(c, stages);
    size_t left;
    assert_ok(open_row(&r));
    ends.takes_ns = takes_ns;
    ends.calls = 0;
    assert_ok(rk_pipeline_terminate(r.line, timeout_ns));
    ends.takes_ns = 0;
    assert_int_equal(ends.calls, stages);
    assert_ok(rk_list(c->runtime, 0, 0, &left));
    assert_int_equal(left, 0);
    close_row(&r);
}

static void the_stages_have_one_timeout_together_to_end_in(contract *c)
{
    /* when each takes a millisecond, then the next has that less */
    end_row(c, 4, CONTRACT_PATIENCE, RK_MILLISECONDS(1));
    assert_in_range(ends.timeout_ns[0], 0, CONTRACT_PATIENCE);
    for (rk_u32 i = 1; i < 4; i++)
        if (ends.timeout_ns[i] != RK_NO_WAIT)
            assert_in_range(ends.timeout_ns[i] + RK_MILLISECONDS(1), 0, ends.timeout_ns[i - 1]);

    /* when the first takes all of it, then the others are ended at once */
    end_row(c, 4, RK_MILLISECONDS(1), RK_MILLISECONDS(1));
    for (rk_u32 i = 1; i < 4; i++) assert_int_equal(ends.timeout_ns[i], RK_NO_WAIT);
}

static void the_table_has_a_line_for_each_stage(contract *c)
{
    rk_parameter every[2];
    row r = refusing_row(c, every);
    rk_launch_options o = plain();
    o.queue_capacity = o.output_capacity = 256;
    rk_pipeline_stage undertaker = { "the one for what is refused", "bury_parcel", &o, 0 };
    r.with.errors = &undertaker;
    for (rk_u32 i = 0; i < 3; i++) r.options[i].timestamps = 1;
    start_row(&r);
    run(&r, 150, 80);
    assert_ok(rk_pipeline_drain(r.line, CONTRACT_PATIENCE));
    assert_int_equal(metrics(&r, 1).queue_wait.count, 150);
    assert_true(metrics(&r, 1).queue_wait.p50_ns <= metrics(&r, 1).queue_wait.p99_ns);
    assert_true(metrics(&r, 1).service.count > 0);
    assert_int_equal(metrics(&r, 1).throughput > 0, !c->variant->single_step); /* whose clock stands still */
    char text[2000], head[8], id[64];
    size_t length = 0, again = 0;
    unsigned long long in, out, aside, gone, lines = 0;
    assert_ok(rk_pipeline_table(r.line, text, sizeof text, &length));
    assert_int_equal(length, strlen(text));
    assert_int_equal(sscanf(text, "%7s", head), 1);
    assert_string_equal(head, "stage");
    const char *second = strstr(text, "\nstage 1");
    assert_non_null(second);
    assert_int_equal(sscanf(second, " stage 1 %llu %llu %llu %llu %63s", &in, &out, &aside, &gone, id), 5);
    assert_int_equal(in, 150);
    assert_int_equal(out, 100);
    assert_int_equal(aside, 50);
    assert_int_equal(gone, 0);
    assert_string_equal(id, "0/16");
    assert_non_null(strstr(text, "\nthe one for what is refused "));
    size_t width = strcspn(text, "\n");
    for (const char *at = text; *at; at += width + 1, lines++) assert_int_equal(strcspn(at, "\n"), width);
    assert_int_equal(lines, 5);
    assert_status(rk_pipeline_table(r.line, text, 100, &again), RK_TOO_SMALL);
    assert_int_equal(again, length);
    assert_int_equal(strlen(text), 99);
    close_row(&r);
}

/* ------------------------------------------------------------------ refusals */

static void assert_refused(row *r, rk_status status, const char *why)
{
    size_t left;
    assert_status(open_row(r), status);
    assert_error_says(why);
    assert_ok(rk_list(r->c->runtime, 0, 0, &left));
    assert_int_equal(left, 0);
}

static void what_would_break_the_order_is_refused_with_the_reason(contract *c)
{
    row sharded = row_of(c, 3);
    sharded.options[1].shards = 4;
    assert_refused(
        &sharded, RK_INVALID_ARGUMENT,
        "stage 'stage 1' has 4 shards, which would overtake each other: give the pipeline a key_field");
    row urgent = row_of(c, 3);
    urgent.options[2].priority = 1;
    assert_refused(&urgent, RK_INVALID_ARGUMENT, "stage 'stage 2' has priority bands");
    row acting = row_of(c, 2);
    acting.stage[0].kernel = "pass_counted";
    acting.options[0].actors = KEYS;
    assert_refused(&acting, RK_INVALID_ARGUMENT, "stage 'stage 0' has 7 actors, which");
}

static void what_cannot_be_says_of_which_stage_and_leaves_nothing(contract *c)
{
    rk_pipeline *line;
    rk_launch_options o = plain();
    static const rk_pipeline_stage alone = { "undertaker", "bury_parcel", 0, "onward" };
    assert_status(rk_pipeline_open(c->runtime, 0, 0, 0, &line), RK_INVALID_ARGUMENT);
    assert_error_says("at least one stage");
    row none = row_of(c, 0);
    assert_refused(&none, RK_INVALID_ARGUMENT, "at least one stage");
    row nameless = row_of(c, 2);
    rk_pipeline_stage without[] = { { "stage 0", nameless.kernel, 0, 0 }, { 0, nameless.kernel, 0, 0 } };
    assert_status(rk_pipeline_open(c->runtime, 0, without, 2, &nameless.line), RK_INVALID_ARGUMENT);
    assert_error_says("stage 1 has no id");
    rk_pipeline_stage *many = calloc(RK_KERNELS_MAX + 1u, sizeof *many);
    assert_non_null(many);
    assert_status(rk_pipeline_open(c->runtime, 0, many, RK_KERNELS_MAX + 1u, &nameless.line), RK_LIMIT);
    assert_error_says("are more than the");
    free(many);
    assert_status(rk_pipeline_open(c->runtime, 0, without, 1, 0), RK_INVALID_ARGUMENT);
    assert_error_says("no place for the pipeline");
    row unknown = row_of(c, 2);
    unknown.stage[1].kernel = "pass_by";
    assert_refused(&unknown, RK_NO_SUCH_KERNEL, "pass_by");
    row routeless = row_of(c, 2);
    routeless.stage[0].route = "backward";
    assert_refused(&routeless, RK_NO_SUCH_ROUTE, "stage 'stage 0' could not be connected");
    row last = row_of(c, 2);
    last.stage[1].route = "onward";
    assert_refused(&last, RK_INVALID_ARGUMENT, "leads to no stage");
    row wrong = row_of(c, 2);
    wrong.options[1].queue_capacity = 17;
    assert_refused(&wrong, RK_INVALID_OPTIONS, "'stage 1'");
    row misfit = row_of(c, 2);
    misfit.with.key_field = "weight";
    misfit.options[1].shards = 2;
    assert_refused(&misfit, RK_INVALID_ARGUMENT, "'weight'");
    row keyed = row_of(c, 1);
    keyed.stage[0].kernel = "take_keyless";
    keyed.with.key_field = "key";
    keyed.options[0].shards = 2;
    assert_refused(&keyed, RK_INVALID_ARGUMENT,
                   "message 'keyless' of stage 'stage 0' has no integer member 'key'");
    row gap = row_of(c, 1);
    gap.with.options_ = 1;
    assert_refused(&gap, RK_INVALID_OPTIONS, "the gap is not zero");
    row led = row_of(c, 1);
    led.with.errors = &alone;
    assert_refused(&led, RK_INVALID_ARGUMENT, "its route must be 0");
    row twice = row_of(c, 1);
    rk_pipeline_stage same = { "stage 0", "bury_parcel", &o, 0 };
    twice.with.errors = &same;
    assert_refused(&twice, RK_IN_USE, "stage 0");
    row strange = row_of(c, 1);
    strange.with.key_field = "key";
    strange.options[0].shards = 2;
    start_row(&strange);
    keyless k = { 1 };
    parcel p = parcel_of(1);
    assert_status(rk_pipeline_send(strange.line, RK_BODY(k), 0), RK_UNKNOWN_TYPE);
    assert_status(rk_pipeline_send(strange.line, RK_TYPE_ID(parcel), &p, 9, 0), RK_TOO_SMALL);
    assert_status(rk_pipeline_metrics(strange.line, 1, &(rk_stage_metrics){ .in = 0 }), RK_INVALID_ARGUMENT);
    assert_error_says("stages 0 to 0, not 1");
    assert_status(rk_pipeline_drain(0, 0), RK_INVALID_ARGUMENT);
    close_row(&strange);
}

/* A stage doesn't return from a handler, and the supervisor has put another in its place. */
static void let_it_be_replaced(contract *c, rk_pipeline *line, rk_supervisor *s, rk_u32 stage)
{
    rk_kernel now;
    rk_supervisor_info info;
    CLOSE_GATE();
    c->ends_quarantined = 1;
    probe first = { .number = 100 };
    assert_ok(rk_pipeline_kernel(line, stage, &now));
    assert_ok(rk_send(c->runtime, now, RK_BODY(first), 0));
    wait_until(c, IN_HANDLERS == 1);
    wait_until(c, rk_supervisor_information(s, &info) == RK_OK && info.replaced == 1);
    OPEN_GATE();
    wait_until(c, IN_HANDLERS == 0);
}

static void replace_a_stage(contract *c, rk_u32 stage)
{
    rk_launch_options o = plain();
    o.handler_limit_ns = RK_MILLISECONDS(300);
    rk_pipeline_stage stages[] = { { "first", "held", &o, 0 }, { "last", "held", &o, 0 } };
    rk_supervised children[2] = { { .state = RK_STATE_KEEP } };
    rk_runtime_options r = contract_runtime_options(c);
    rk_pipeline *line;
    rk_supervisor *s;
    r.stall_limit_ns = RK_MILLISECONDS(100);
    contract_reopen(c, &r);
    OPEN_GATE();
    assert_ok(rk_pipeline_open(c->runtime, 0, stages, 2, &line));
    assert_ok(rk_pipeline_activate(line));
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_pipeline_kernel(line, i, &children[i].kernel));
    rk_kernel was = children[stage].kernel;
    assert_ok(rk_supervise(c->runtime, 0, children, 2, &s));

    /* given what the last one has sent, and nobody has received */
    probe p = { .number = 7 }, got;
    assert_ok(rk_pipeline_send(line, RK_BODY(p), 0));
    wait_until(c, account_of(c, children[1].kernel).output_accepted == 1);

    /* when a stage hangs and is replaced */
    let_it_be_replaced(c, line, s, stage);

    /* then all calls are about the one in its place, and what was sent before isn't lost */
    rk_kernel now;
    rk_stage_metrics m;
    assert_ok(rk_pipeline_kernel(line, stage, &now));
    assert_int_not_equal(now.number, was.number);
    assert_int_equal(rk_pipeline_stage_of(line, now.number), stage);
    assert_int_equal(rk_pipeline_stage_of(line, was.number), stage);
    p.number = 8;
    assert_ok(rk_pipeline_send(line, RK_BODY(p), 0));
    for (rk_u64 number = 7; number <= 8; number++) {
        assert_ok(rk_pipeline_receive(line, &got, sizeof got, 0, CONTRACT_PATIENCE));
        assert_int_equal(got.number, number);
    }
    /* a batch is counted behind what it has sent */
    wait_until(c, rk_pipeline_metrics(line, stage, &m) != RK_OK || m.handled == 1);
    assert_int_equal(m.handled, 1);
    assert_ok(rk_unsupervise(s));
    assert_ok(rk_pipeline_drain(line, CONTRACT_PATIENCE));
    rk_pipeline_close(line);
}

static void a_first_stage_that_was_replaced_is_sent_to(contract *c) { replace_a_stage(c, 0); }
static void a_last_stage_that_was_replaced_is_received_from(contract *c) { replace_a_stage(c, 1); }

static const contract_case cases[] = {
    { CASE(what_is_sent_comes_out_in_order), ON_EVERY },
    { CASE(one_stage_is_a_pipeline), ON_EVERY },
    { CASE(sixteen_stages_keep_the_order), ON_EVERY },
    { CASE(a_stage_may_send_on_by_a_route_of_its_own), ON_EVERY },
    { CASE(each_key_keeps_its_order_over_several_shards), ON_EVERY },
    { CASE(an_actor_gets_what_is_of_its_key_in_order), NEEDS_REGIONS },
    { CASE(letters_of_every_stage_go_to_one_kernel), ON_EVERY },
    { CASE(without_such_a_kernel_they_come_to_the_host), ON_EVERY },
    { CASE(what_the_kernel_for_errors_has_no_room_for_comes_to_the_host), ON_EVERY },
    { CASE(what_expires_goes_aside_if_it_is_asked_to), ON_EVERY },
    { CASE(what_the_next_stage_does_not_take_goes_aside), ON_EVERY },
    { CASE(what_the_kernel_for_errors_refuses_is_told_of_it), ON_EVERY },
    { CASE(what_a_stage_lets_go_is_told), ON_EVERY },
    { CASE(a_slow_stage_holds_the_source_and_nothing_is_lost), ON_EVERY },
    { CASE(a_stage_without_options_waits_for_room_as_long_as_it_takes), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(a_pipeline_in_which_nothing_was_is_drained_at_once), ON_EVERY },
    { CASE(the_kernel_for_errors_is_drained_and_ended_with_the_stages), ON_EVERY },
    { CASE(the_stages_have_one_timeout_together_to_end_in), ON_EVERY },
    { CASE(the_table_has_a_line_for_each_stage), ON_EVERY },
    { CASE(a_first_stage_that_was_replaced_is_sent_to), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_last_stage_that_was_replaced_is_received_from), NEEDS_THREADS | NEEDS_CPU },
    { CASE(what_would_break_the_order_is_refused_with_the_reason), NEEDS_REGIONS | ONCE },
    { CASE(what_cannot_be_says_of_which_stage_and_leaves_nothing), NEEDS_REGIONS | ONCE },
};
CONTRACT_MAIN("pipelines", cases)
