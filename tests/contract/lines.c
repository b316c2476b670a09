#include "lines.h"

#include <stdlib.h>

const rk_u32 strategies[STRATEGIES] = { RK_BACKPRESSURE_BLOCK, RK_BACKPRESSURE_REJECT,
                                        RK_BACKPRESSURE_DROP_OLDEST, RK_BACKPRESSURE_DROP_NEWEST };

rk_launch_options small_queue(rk_u32 strategy)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = CAPACITY;
    o.deduplication_window = 0;
    o.backpressure = strategy;
    o.output_capacity = 4096; /* nothing waits for the test to receive */
    return o;
}

rk_launch_options source_options(void)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 4096;
    o.deduplication_window = 0;
    o.dead_letter_capacity = 16384;
    return o;
}

/* The target is launched and not active; the source is active. */
line open_line_with(contract *c, rk_u32 lane, const rk_launch_options *target,
                    const rk_launch_options *source)
{
    line l = { .c = c, .lane = lane };
    l.target = launch(c, "target", "carry", target);
    if (lane == DEVICE_LANE) {
        l.source = launch(c, "source", "dispatch", source);
        assert_ok(rk_connect(c->runtime, l.source, 0, l.target, 0));
        assert_ok(rk_activate(c->runtime, l.source));
    }
    return l;
}

line open_line(contract *c, rk_u32 lane, const rk_launch_options *target)
{
    rk_launch_options source = source_options();
    return open_line_with(c, lane, target, &source);
}

void close_line(line *l)
{
    if (l->lane == DEVICE_LANE) assert_ok(rk_terminate(l->c->runtime, l->source, CONTRACT_PATIENCE));
    assert_ok(rk_terminate(l->c->runtime, l->target, CONTRACT_PATIENCE));
}

rk_account lane_account(const line *l)
{
    rk_account a;
    memset(&a, 0, sizeof a);
    assert_ok(rk_account_of_lane(l->c->runtime, l->target, 0, l->lane, &a));
    return a;
}

package package_of(rk_u64 number, rk_u32 sender)
{
    package p = { number, rk_hash64(number * 31u + sender), sender, 0 };
    return p;
}

rk_status send_package(contract *c, rk_kernel target, rk_u64 number, const rk_send_options *options)
{
    package p = package_of(number, 0);
    return rk_send(c->runtime, target, RK_BODY(p), options);
}

void order_package(line *l, rk_u64 number, const rk_send_options *options)
{
    work_order o = { .number = number, .sender = DEVICE_LANE };
    if (options) {
        o.id = options->id;
        o.target = options->target;
        o.ttl_us = options->ttl_us;
        o.priority = options->priority;
    }
    l->ordered++;
    assert_ok(rk_send(l->c->runtime, l->source, RK_BODY(o), 0));
}

rk_u64 refusals(const rk_account *a)
{
    return a->refused_full + a->refused_dropped + a->refused_duplicate + a->refused_timed_out +
           a->refused_closed + a->refused_invalid;
}

/* All that was ordered is in the lane, or was refused by it. */
int is_ordered(const line *l)
{
    rk_account a;
    if (rk_account_of_lane(l->c->runtime, l->target, 0, l->lane, &a) != RK_OK) return 0;
    return a.accepted + refusals(&a) == l->ordered;
}

/* Send one package on the line's lane and say what became of it. */
rk_status offer(line *l, rk_u64 number, const rk_send_options *options)
{
    if (l->lane == HOST_LANE) return send_package(l->c, l->target, number, options);
    rk_account before = lane_account(l);
    order_package(l, number, options);
    wait_until(l->c, is_ordered(l));
    rk_account after = lane_account(l);
    return after.refused_full > before.refused_full             ? RK_FULL
           : after.refused_dropped > before.refused_dropped     ? RK_DROPPED
           : after.refused_duplicate > before.refused_duplicate ? RK_DUPLICATE
           : after.refused_timed_out > before.refused_timed_out ? RK_TIMED_OUT
                                                                : RK_OK;
}

int is_at_rest(contract *c, rk_kernel kernel)
{
    rk_account a;
    return rk_account_of(c->runtime, kernel, &a) == RK_OK && a.balanced && a.queued == 0;
}

/* Activate the target, let it handle all that there is, and take what it saw, in order. */
sighting *collect(line *l, size_t *count)
{
    contract *c = l->c;
    rk_status status = rk_activate(c->runtime, l->target);
    assert_true(status == RK_OK || status == RK_ALREADY_ACTIVE);
    if (l->lane == DEVICE_LANE) wait_until(c, is_at_rest(c, l->source) && is_ordered(l));
    wait_until(c, is_at_rest(c, l->target));
    rk_account a = account_of(c, l->target);
    sighting *seen = calloc(a.output_queued + 1, sizeof *seen);
    size_t got = 0;
    assert_non_null(seen);
    *count = 0;
    while (*count < a.output_queued) {
        assert_ok(rk_receive_many(c->runtime, l->target, &seen[*count], sizeof *seen,
                                  a.output_queued - *count, 0, RK_NO_WAIT, &got));
        *count += got;
    }
    assert_status(rk_receive(c->runtime, l->target, &seen[*count], sizeof *seen, 0, RK_NO_WAIT), RK_EMPTY);
    for (size_t i = 0; i < *count; i++) assert_int_equal(seen[i].wrong, 0);
    return seen;
}

void contract_check_numbers(line *l, const rk_u64 *expected, size_t count, const char *file, int line_number)
{
    size_t got;
    sighting *seen = collect(l, &got);
    int same = got == count;
    for (size_t i = 0; same && i < count; i++) same = seen[i].number == expected[i];
    if (!same) {
        print_error("lane %u: %zu came, %zu should have:", l->lane, got, count);
        for (size_t i = 0; i < got; i++) print_error(" %llu", (unsigned long long)seen[i].number);
        print_error("\n");
    }
    free(seen);
    if (!same) _fail(file, line_number);
}

void on_both_lanes(contract *c, void (*run)(contract *c, rk_u32 lane))
{
    for (rk_u32 lane = HOST_LANE; lane <= DEVICE_LANE; lane++) run(c, lane);
}

void fill_line(line *l)
{
    for (rk_u64 i = 1; i <= CAPACITY; i++) assert_offer(l, i, 0, RK_OK);
}

rk_send_options id_of(rk_u64 id)
{
    rk_send_options with = RK_SEND_DEFAULTS;
    with.id = id;
    with.timeout_ns = RK_MILLISECONDS(1);
    return with;
}

rk_launch_options roomy(void)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 4096;
    o.output_capacity = 4096;
    o.deduplication_window = 0;
    return o;
}

void *take_all(contract *c, rk_kernel kernel, size_t size, size_t *count)
{
    wait_until(c, is_at_rest(c, kernel));
    size_t there = account_of(c, kernel).output_queued, got;
    char *messages = calloc(there + 1, size);
    assert_non_null(messages);
    for (*count = 0; *count < there; *count += got)
        assert_ok(rk_receive_many(c->runtime, kernel, messages + *count * size, size, there - *count, 0,
                                  RK_NO_WAIT, &got));
    return messages;
}
