/* Indices that come round: each ring of a kernel begins 2 below 2^32, or 2 below 2^64, and whatever path a message takes,
 * it comes once, in order, and the depths are right. On the CPU, where a test reaches the rings. */
#include "lines.h"

#include <stdio.h>
#include <stdlib.h>

#include "../kernels/contract_b_medium.rk.h"
#include "runtime/core.h"
#include "runtime/guard.h"

static const rk_u64 starts[] = { 0x100000000ull - 2u, 0ull - 2u };
#define STARTS (sizeof starts / sizeof *starts)

/* The ring is as a launch leaves it, but for where it begins. */
static void begin_ring_at(rk_byte *arena, rk_ring *ring, rk_u64 start)
{
    const rk_u32 laps = ring->format == RK_FORMAT_UNIT ? ring->slot_size / 16u : 1u;
    assert_true(ring->tail == ring->head);
    ring->tail = ring->head = ring->start = start;
    ring->cached_head = ring->cached_tail = ring->evicted = start;
    for (rk_u32 i = 0; i < ring->capacity; i++) {
        rk_byte *slot = rk_ring_slot(ring, arena, start + i);
        const rk_u32 lap = rk_ring_lap(ring, start + i) - ring->capacity;
        for (rk_u32 u = 0; u < laps; u++) memcpy(slot + u * 16u, &lap, sizeof lap);
    }
}

static void begin_returns_at(const rk_runtime *runtime, rk_u64 pool_at, rk_u64 start)
{
    if (!pool_at) return;
    const rk_pool *pool = (const rk_pool *)(runtime->arena.base + pool_at);
    begin_ring_at(runtime->arena.base, (rk_ring *)(runtime->arena.base + pool->returns[0]), start);
}

/* All rings of a kernel that was launched just now: both inboxes, what it sends the host, what it reports, and the blocks
 * that come back. */
static void begin_at(contract *c, rk_kernel kernel, rk_u64 start)
{
    const rk_runtime *runtime = c->runtime;
    rk_host_kernel *k = runtime->kernels[kernel.number];
    rk_gate_close(k); /* the service thread looks at it now and then */
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        for (rk_u32 which = RK_LANE_HOST; which <= RK_LANE_REPORT; which++) {
            const rk_lane *lane = rk_seat_lane(&k->seats[s], which);
            for (rk_u32 b = 0; b < lane->bands; b++)
                begin_ring_at(runtime->arena.base, rk_lane_ring(lane, runtime->arena.base, b), start);
        }
        begin_returns_at(runtime, rk_seat_shard(k, s)->pool, start);
    }
    if (k->layout.in_block) begin_returns_at(runtime, k->layout.host_pool, start);
    rk_gate_open(k);
}

static line open_line_at(contract *c, rk_u32 lane, const rk_launch_options *target, rk_u64 start)
{
    rk_launch_options source = source_options();
    line l = { .c = c, .lane = lane };
    source.queue_capacity = 64;
    l.target = launch(c, "target", "carry", target);
    begin_at(c, l.target, start);
    if (lane != DEVICE_LANE) return l;
    l.source = launch(c, "source", "dispatch", &source);
    begin_at(c, l.source, start);
    assert_ok(rk_connect(c->runtime, l.source, 0, l.target, 0));
    assert_ok(rk_activate(c->runtime, l.source));
    return l;
}

/* ------------------------------------------------------------------ every kind of lane */

typedef struct kind {
    rk_u32 format, strategy, window, priority, expiry;
} kind;

static const kind kinds[] = {
    { RK_FORMAT_SEQ, RK_BACKPRESSURE_BLOCK, 0, 0, 0 },
    { RK_FORMAT_UNIT, RK_BACKPRESSURE_BLOCK, 0, 0, 0 },
    { RK_FORMAT_UNIT, RK_BACKPRESSURE_REJECT, 0, 0, 1 },
    { RK_FORMAT_SEQ, RK_BACKPRESSURE_DROP_NEWEST, 16, 0, 0 },
    { RK_FORMAT_SEQ, RK_BACKPRESSURE_BLOCK, 0, 1, 0 },
    { RK_FORMAT_SEQ, RK_BACKPRESSURE_DROP_OLDEST, 0, 0, 0 },
    { RK_FORMAT_SEQ, RK_BACKPRESSURE_DROP_OLDEST, 16, 1, 1 },
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* One message, by a send or in place where that can be, and never twice. */
static void send_somehow(line *l, const kind *of, rk_u64 number, rk_u32 priority)
{
    contract *c = l->c;
    rk_send_options with = { .priority = (rk_u8)priority, .id = of->window ? number + 1 : 0 };
    if (l->lane == DEVICE_LANE) {
        order_package(l, number, &with);
    } else if (number % 3 || of->window || of->priority || of->strategy == RK_BACKPRESSURE_DROP_OLDEST) {
        assert_ok(send_package(c, l->target, number, &with));
    } else {
        package p = package_of(number, 0);
        rk_reservation r;
        assert_ok(rk_reserve(c->runtime, l->target, RK_TYPE_ID(package), sizeof p, &with, &r));
        memcpy(r.body, &p, sizeof p);
        assert_ok(rk_commit(c->runtime, &r));
    }
}

static rk_u64 pass_bursts(line *l, const kind *of, rk_u64 messages)
{
    contract *c = l->c;
    rk_u64 sent = 0;
    for (rk_u64 burst = 0; sent < messages; burst++) {
        const rk_u64 n = 1 + rk_hash64(burst) % CAPACITY, end = sent + n < messages ? sent + n : messages;
        const rk_u64 first = sent;
        const rk_u32 priority = (rk_u32)rk_hash64(~burst) & 255u;
        for (; sent < end; sent++) send_somehow(l, of, sent, priority);
        if (c->variant->single_step && l->lane == HOST_LANE) {
            assert_int_equal(lane_account(l).queued, end - first);
            assert_int_equal(info_of(c, l->target).queued, end - first);
        }
        for (rk_u64 i = first; i < end; i++) {
            sighting s;
            receive(c, l->target, &s);
            assert_int_equal(s.number, i);
            assert_int_equal(s.wrong, 0);
        }
        if (l->lane == DEVICE_LANE) wait_until(c, is_ordered(l));
        wait_until(c, is_at_rest(c, l->target));
    }
    return sent;
}

static void send_beyond_each_wrap(contract *c, rk_u32 lane)
{
    const rk_u64 messages = contract_rounds(10000);
    for (size_t w = 0; w < STARTS; w++)
        for (size_t k = 0; k < KINDS; k++) {
            const kind *of = &kinds[k];
            rk_launch_options o = small_queue(of->strategy);
            o.output_capacity = 64;
            o.slot_format = of->format;
            o.deduplication_window = of->window;
            o.priority = of->priority;
            o.expiry = of->expiry;
            line l = open_line_at(c, lane, &o, starts[w]);
            assert_ok(rk_activate(c->runtime, l.target));
            assert_int_equal(pass_bursts(&l, of, messages), messages);
            rk_account a = lane_account(&l);
            assert_int_equal(a.accepted, messages);
            assert_int_equal(a.delivered, messages);
            assert_int_equal(a.queued + a.evicted + a.lost + a.dead + a.expired + refusals(&a), 0);
            close_line(&l);
        }
}

static void ten_thousand_go_in_order_beyond_each_wrap(contract *c)
{
    on_both_lanes(c, send_beyond_each_wrap);
}

/* ------------------------------------------------------------------ full at the wrap */

static void fill_at_the_wrap(contract *c, rk_u32 lane)
{
    for (size_t w = 0; w < STARTS; w++)
        for (size_t k = 0; k < KINDS; k++) {
            /* given a full lane of a stalled target, whose indices come round in it */
            const kind *of = &kinds[k];
            rk_launch_options o = small_queue(of->strategy);
            o.slot_format = of->format;
            o.deduplication_window = of->window;
            o.priority = of->priority;
            o.expiry = of->expiry;
            line l = open_line_at(c, lane, &o, starts[w]);
            fill_line(&l);
            assert_int_equal(lane_account(&l).queued, CAPACITY);

            /* when one more comes, then the strategy decides on it as ever */
            rk_send_options brief = RK_SEND_DEFAULTS;
            brief.timeout_ns = 1;
            const rk_u32 evicts = of->strategy == RK_BACKPRESSURE_DROP_OLDEST;
            if (of->strategy != RK_BACKPRESSURE_BLOCK || lane == HOST_LANE)
                assert_offer(&l, 17, &brief,
                             evicts                                        ? RK_OK
                             : of->strategy == RK_BACKPRESSURE_REJECT      ? RK_FULL
                             : of->strategy == RK_BACKPRESSURE_DROP_NEWEST ? RK_DROPPED
                                                                           : RK_TIMED_OUT);
            assert_int_equal(lane_account(&l).evicted, evicts);
            assert_int_equal(lane_account(&l).queued, CAPACITY);
            size_t count;
            sighting *seen = collect(&l, &count);
            assert_int_equal(count, CAPACITY);
            for (rk_u32 i = 0; i < CAPACITY; i++) assert_int_equal(seen[i].number, i + 1 + evicts);
            assert_int_equal(lane_account(&l).evicted, evicts);
            free(seen);
            close_line(&l);
        }
}

static void a_lane_that_is_full_at_the_wrap_holds_its_capacity(contract *c)
{
    on_both_lanes(c, fill_at_the_wrap);
}

static void holes_at_the_wrap_are_passed_over(contract *c)
{
    for (size_t w = 0; w < STARTS; w++)
        for (rk_u32 format = RK_FORMAT_SEQ; format <= RK_FORMAT_UNIT; format++) {
            rk_launch_options o = small_queue(RK_BACKPRESSURE_REJECT);
            rk_reservation holes[4];
            o.slot_format = format;
            line l = open_line_at(c, HOST_LANE, &o, starts[w]);
            for (rk_u32 i = 0; i < 4; i++)
                assert_ok(
                    rk_reserve(c->runtime, l.target, RK_TYPE_ID(package), sizeof(package), 0, &holes[i]));
            for (rk_u64 i = 1; i <= 12; i++) assert_offer(&l, i, 0, RK_OK);
            assert_offer(&l, 13, 0, RK_FULL);
            package p = package_of(100, 0);
            memcpy(holes[2].body, &p, sizeof p);
            assert_ok(rk_abort(c->runtime, &holes[1]));
            assert_ok(rk_commit(c->runtime, &holes[2]));
            assert_ok(rk_abort(c->runtime, &holes[0]));
            assert_ok(rk_abort(c->runtime, &holes[3]));
            assert_collects(&l, 100, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
            assert_int_equal(lane_account(&l).accepted, 13);
            close_line(&l);
        }
}

static void a_queue_is_cleared_and_carried_over_at_the_wrap(contract *c)
{
    for (size_t w = 0; w < STARTS; w++)
        for (size_t k = 0; k < KINDS; k++) {
            const kind *of = &kinds[k];
            rk_launch_options o = small_queue(of->strategy);
            rk_u64 cleared;
            o.slot_format = of->format;
            o.deduplication_window = of->window;
            o.priority = of->priority;
            o.expiry = of->expiry;
            line l = open_line_at(c, HOST_LANE, &o, starts[w]);
            for (rk_u64 i = 1; i <= 9; i++) assert_offer(&l, i, 0, RK_OK);
            assert_ok(rk_clear(c->runtime, l.target, &cleared));
            assert_int_equal(cleared, 9);
            for (rk_u64 i = 10; i <= 20; i++) assert_offer(&l, i, 0, RK_OK);
            assert_int_equal(lane_account(&l).queued, 11);
            o.queue_capacity = 64;
            o.kernel_name = in_style(c, "carry");
            assert_ok(rk_relaunch(c->runtime, l.target, &o, CONTRACT_PATIENCE));
            assert_int_equal(lane_account(&l).queued, 11);
            assert_collects(&l, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20);
            assert_int_equal(lane_account(&l).accepted, 20);
            assert_int_equal(lane_account(&l).lost, 9);
            assert_int_equal(lane_account(&l).delivered, 11);
            close_line(&l);
        }
}

/* ------------------------------------------------------------------ what else goes by rings */

static void letters_come_in_order_beyond_each_wrap(contract *c)
{
    const rk_u32 messages = contract_rounds(4000);
    for (size_t w = 0; w < STARTS; w++) {
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.kernel_name = "refuse_package";
        rk_kernel k = launch(c, "refuses", "", &o);
        begin_at(c, k, starts[w]);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 i = 0; i < messages; i++) {
            package dead;
            rk_dead_letter letter;
            assert_ok(send_package(c, k, i, 0));
            settle(c);
            assert_ok(rk_receive_dead(c->runtime, k, &dead, sizeof dead, &letter,
                                      c->variant->single_step ? RK_NO_WAIT : CONTRACT_PATIENCE));
            assert_int_equal(dead.number, i);
        }
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void replies_come_each_to_its_request_beyond_each_wrap(contract *c)
{
    const rk_u32 messages = contract_rounds(4000);
    for (size_t w = 0; w < STARTS; w++) {
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.requests = 1;
        rk_kernel k = launch(c, "answers", "answer_once", &o);
        begin_at(c, k, starts[w]);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 i = 0; i < messages; i++) {
            query q = { i };
            response r = { 0, 0 };
            assert_ok(
                rk_request(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, CONTRACT_PATIENCE));
            assert_int_equal(r.value, 2u * i);
        }
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

/* By far more large messages than there are blocks: each block comes back, again and again. */
static void blocks_come_back_beyond_each_wrap(contract *c)
{
    enum { LENGTH = 4096 };
    static rk_u8 sent[LENGTH], got[LENGTH];
    const rk_u32 messages = contract_rounds(4000);
    for (size_t w = 0; w < STARTS; w++) {
        rk_launch_options o = small(16);
        o.pool_blocks = 5;
        rk_kernel first = launch(c, "first", "pass_medium", &o),
                  second = launch(c, "second", "pass_medium", &o);
        begin_at(c, first, starts[w]);
        begin_at(c, second, starts[w]);
        assert_ok(rk_connect(c->runtime, first, 0, second, 0));
        assert_ok(rk_activate(c->runtime, first));
        assert_ok(rk_activate(c->runtime, second));
        for (rk_u32 i = 0; i < messages; i++) {
            memset(sent, (int)i, sizeof sent);
            memcpy(sent, &i, sizeof i);
            assert_ok(rk_send(c->runtime, first, RK_TYPE_ID(medium_load), sent, sizeof sent, 0));
            settle(c);
            assert_ok(rk_receive(c->runtime, second, got, sizeof got, 0,
                                 c->variant->single_step ? RK_NO_WAIT : CONTRACT_PATIENCE));
            assert_memory_equal(got, sent, sizeof sent);
        }
        assert_ok(rk_terminate(c->runtime, first, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, second, CONTRACT_PATIENCE));
    }
}

static const contract_case cases[] = {
    { CASE(ten_thousand_go_in_order_beyond_each_wrap), NEEDS_CPU },
    { CASE(a_lane_that_is_full_at_the_wrap_holds_its_capacity), NEEDS_CPU },
    { CASE(holes_at_the_wrap_are_passed_over), NEEDS_CPU },
    { CASE(a_queue_is_cleared_and_carried_over_at_the_wrap), NEEDS_CPU },
    { CASE(letters_come_in_order_beyond_each_wrap), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(replies_come_each_to_its_request_beyond_each_wrap), NEEDS_THREADS | NEEDS_CPU },
    { CASE(blocks_come_back_beyond_each_wrap), NEEDS_REGIONS | NEEDS_CPU },
};

CONTRACT_MAIN("wraps", cases)
