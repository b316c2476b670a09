/* Many senders at once: hosts' threads and kernels on the lanes of one target, and several threads that
 * receive. Nothing is lost, nothing comes twice, and the order of each sender is kept. */
#include "lines.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ host and device at once */

static void each_lane_has_its_own_capacity_window_and_account(contract *c)
{
    for (size_t s = 0; s < STRATEGIES; s++) {
        /* given a target of 16 with a window of 16 that stalls, and both kinds of senders */
        rk_launch_options o = small_queue(strategies[s]);
        o.deduplication_window = 16;
        line device = open_line(c, DEVICE_LANE, &o), host = device;
        host.lane = HOST_LANE;

        /* when both lanes get the same 16 ids, twice, and four more without an id */
        for (rk_u64 id = 1; id <= 16; id++) {
            rk_send_options with = id_of(id);
            assert_offer(&host, id, &with, RK_OK);
            assert_offer(&device, 100 + id, &with, RK_OK);
        }
        for (rk_u64 id = 1; id <= 16; id++) {
            rk_send_options with = id_of(id);
            assert_offer(&host, 0, &with, RK_DUPLICATE);
            assert_offer(&device, 0, &with, RK_DUPLICATE);
        }
        rk_send_options brief = RK_SEND_DEFAULTS;
        brief.timeout_ns = 1;
        for (rk_u64 i = 1; i <= 4; i++) {
            (void)send_package(c, host.target, 50 + i, &brief);
            order_package(&device, 150 + i, 0);
        }
        if (strategies[s] != RK_BACKPRESSURE_BLOCK) wait_until(c, is_ordered(&device));

        /* then each lane has counted for itself */
        rk_account a[2] = { lane_account(&host), lane_account(&device) };
        for (rk_u32 lane = 0; lane < 2; lane++) {
            assert_int_equal(a[lane].refused_duplicate, 16);
            assert_int_equal(a[lane].queued, CAPACITY);
            assert_int_equal(a[lane].evicted, strategies[s] == RK_BACKPRESSURE_DROP_OLDEST ? 4 : 0);
            assert_int_equal(a[lane].refused_full, strategies[s] == RK_BACKPRESSURE_REJECT ? 4 : 0);
            assert_int_equal(a[lane].refused_dropped, strategies[s] == RK_BACKPRESSURE_DROP_NEWEST ? 4 : 0);
        }
        assert_int_equal(a[0].refused_timed_out, strategies[s] == RK_BACKPRESSURE_BLOCK ? 4 : 0);

        /* and what was kept comes, each lane in order */
        size_t count;
        sighting *seen = collect(&device, &count);
        rk_u64 last[2] = { 0, 0 }, came[2] = { 0, 0 };
        for (size_t i = 0; i < count; i++) {
            rk_u32 lane = seen[i].number > 100;
            assert_true(seen[i].number > last[lane]);
            last[lane] = seen[i].number;
            came[lane]++;
        }
        assert_int_equal(came[0], 16);
        assert_int_equal(came[1], strategies[s] == RK_BACKPRESSURE_BLOCK ? 20 : 16);
        rk_account all = account_of(c, device.target);
        assert_int_equal(all.accepted_host, lane_account(&host).accepted);
        assert_int_equal(all.accepted_device, lane_account(&device).accepted);
        assert_int_equal(all.delivered, came[0] + came[1]);
        free(seen);
        close_line(&device);
    }
}

typedef struct producer {
    contract *c;
    rk_kernel target;
    rk_u32 number, messages;
    rk_u32 to; /* target of its messages */
} producer;

/* Of so many calls one is followed by a stall: all together they take a small part of a case's time. */
#define STALL_ONE_IN 64u
#define STALL_YIELDS_MOST 32u
#define STALL_NS_MOST 32768u /* in which others can fill, or empty, a queue of 64 */

/* Now and then gives its processor away many times, or keeps it without getting on; a draw of its caller's own. */
static void stall_at_random(rk_u64 *random)
{
    rk_u64 draw = *random = rk_hash64(*random);
    if (draw % STALL_ONE_IN != 0) return;
    if (draw >> 32 & 1) {
        for (rk_u64 left = (draw >> 33) % STALL_YIELDS_MOST; left > 0; left--) sched_yield();
    } else {
        rk_u64 until = contract_now_ns() + (draw >> 33) % STALL_NS_MOST;
        while (contract_now_ns() < until) continue;
    }
}

static void *produce(void *argument)
{
    producer *p = argument;
    rk_u64 random = p->number + 1;
    rk_send_options with = RK_SEND_DEFAULTS;
    with.timeout_ns = CONTRACT_PATIENCE;
    with.target = p->to;
    for (rk_u32 i = 0; i < p->messages;) {
        package run[32];
        random = rk_hash64(random);
        rk_u32 n = 1 + (rk_u32)(random >> 8) % 32;
        if (n > p->messages - i) n = p->messages - i;
        for (rk_u32 j = 0; j < n; j++) run[j] = package_of(i + j, p->number);
        size_t accepted;
        rk_status status = rk_send_many(p->c->runtime, p->target, RK_TYPE_ID(package), run, sizeof *run, n,
                                        &with, &accepted);
        if (!expect_ok(p->c, status)) return 0;
        i += n;
        stall_at_random(&random);
    }
    return 0;
}

static void host_and_device_senders_share_a_target_and_the_account_adds_up(contract *c)
{
    /* given one target of 16, three host threads and two kernels that send to it at the same time */
    enum { THREADS = 3, KERNELS = 2, OF_EACH = 2000 };
    rk_u32 messages = contract_rounds(OF_EACH);
    for (rk_u32 locked = 0; locked < 2; locked++) {
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK), source = source_options();
        o.priority = locked;
        rk_kernel target = launch_active(c, "target", "carry", &o), sources[KERNELS];
        producer producers[THREADS];
        for (rk_u32 k = 0; k < KERNELS; k++) {
            char id[16];
            snprintf(id, sizeof id, "source %u", k);
            sources[k] = launch(c, id, "dispatch", &source);
            assert_ok(rk_connect(c->runtime, sources[k], 0, target, 0));
            assert_ok(rk_activate(c->runtime, sources[k]));
        }
        for (rk_u32 t = 0; t < THREADS; t++) {
            producers[t] = (producer){ .c = c, .target = target, .number = t, .messages = messages };
            start_thread(c, produce, &producers[t]);
        }
        for (rk_u32 i = 0; i < messages; i++)
            for (rk_u32 k = 0; k < KERNELS; k++) {
                work_order order = { .number = i, .sender = THREADS + k };
                assert_ok(rk_send(c->runtime, sources[k], RK_BODY(order), 0));
            }

        /* when all have sent, then everything arrived once, in order for each sender, and by lane as it was
         * sent */
        rk_u32 next[THREADS + KERNELS] = { 0 };
        rk_u64 random = THREADS + 1;
        for (rk_u32 i = 0; i < (THREADS + KERNELS) * messages; i++) {
            sighting s;
            receive(c, target, &s);
            stall_at_random(&random);
            assert_true(s.sender < THREADS + KERNELS);
            assert_int_equal(s.wrong, 0);
            assert_int_equal(s.number, next[s.sender]);
            next[s.sender]++;
        }
        join_threads(c);
        wait_until(c, is_at_rest(c, target));
        rk_account a = account_of(c, target);
        assert_int_equal(a.accepted_host, THREADS * messages);
        assert_int_equal(a.accepted_device, KERNELS * messages);
        assert_int_equal(a.delivered, (THREADS + KERNELS) * messages);
        for (rk_u32 k = 0; k < KERNELS; k++) {
            assert_int_equal(account_of(c, sources[k]).sent, messages);
            assert_ok(rk_terminate(c->runtime, sources[k], CONTRACT_PATIENCE));
        }
        assert_ok(rk_terminate(c->runtime, target, CONTRACT_PATIENCE));
    }
}

/* ------------------------------------------------------------------ many producers, several receivers */

#define PRODUCERS 8u

typedef struct receiver {
    contract *c;
    rk_kernel target;
    rk_u8 *arrived; /* of each producer's number, by all receivers; atomic */
    rk_u64 *total;  /* by all receivers; atomic */
    rk_u64 wanted;
    rk_u32 number, messages;
} receiver;

static void *receive_all(void *argument)
{
    receiver *r = argument;
    rk_i64 last[PRODUCERS];
    rk_u64 random = PRODUCERS + r->number + 1; /* other draws than any producer's */
    rk_u64 until = contract_now_ns() + CONTRACT_PATIENCE * 2;
    for (rk_u32 p = 0; p < PRODUCERS; p++) last[p] = -1;
    while (__atomic_load_n(r->total, __ATOMIC_ACQUIRE) < r->wanted &&
           expect(r->c, contract_now_ns() < until)) {
        sighting seen[64];
        size_t got;
        rk_status status =
            rk_receive_many(r->c->runtime, r->target, seen, sizeof *seen, 64, 0, RK_MILLISECONDS(1), &got);
        if (status == RK_TIMED_OUT) continue;
        if (!expect_ok(r->c, status)) return 0;
        for (size_t i = 0; i < got; i++) {
            const sighting *s = &seen[i];
            if (!expect(r->c, s->sender < PRODUCERS && s->number < r->messages && s->wrong == 0)) return 0;
            expect(r->c, __atomic_fetch_add(&r->arrived[s->sender * r->messages + s->number], 1,
                                            __ATOMIC_RELAXED) == 0);
            expect(r->c, (rk_i64)s->number > last[s->sender]);
            last[s->sender] = (rk_i64)s->number;
        }
        __atomic_fetch_add(r->total, got, __ATOMIC_ACQ_REL);
        stall_at_random(&random);
    }
    return 0;
}

static void send_with_eight_threads(contract *c, const rk_launch_options *o, rk_u32 receivers,
                                    rk_u32 messages)
{
    rk_kernel target = launch_active(c, "target", "carry", o);
    producer producers[PRODUCERS];
    receiver all[4];
    rk_u64 total = 0;
    rk_u8 *arrived = calloc(PRODUCERS, messages);
    assert_non_null(arrived);
    for (rk_u32 r = 0; r < receivers; r++) {
        all[r] = (receiver){ c, target, arrived, &total, (rk_u64)PRODUCERS * messages, r, messages };
        start_thread(c, receive_all, &all[r]);
    }
    for (rk_u32 p = 0; p < PRODUCERS; p++) {
        producers[p] = (producer){ .c = c, .target = target, .number = p, .messages = messages, .to = p };
        start_thread(c, produce, &producers[p]);
    }
    join_threads(c);
    assert_int_equal(c->failures, 0);
    for (rk_u32 i = 0; i < PRODUCERS * messages; i++) assert_int_equal(arrived[i], 1);
    wait_until(c, is_at_rest(c, target));
    rk_account a = account_of(c, target);
    assert_int_equal(a.accepted_host, (rk_u64)PRODUCERS * messages);
    assert_int_equal(a.delivered, (rk_u64)PRODUCERS * messages);
    assert_int_equal(a.output_received, (rk_u64)PRODUCERS * messages);
    free(arrived);
    assert_ok(rk_terminate(c->runtime, target, CONTRACT_PATIENCE));
}

static void eight_producers_and_several_receivers_lose_nothing(contract *c)
{
    rk_u32 messages = contract_rounds(20000);
    for (rk_u32 receivers = 1; receivers <= 4; receivers += 3) {
        rk_launch_options o = rk_production(); /* a locked lane of 4096, with a window */
        send_with_eight_threads(c, &o, receivers, messages);
        o.deduplication_window = 0; /* an open one, and small rings on both sides */
        o.queue_capacity = 64;
        send_with_eight_threads(c, &o, receivers, messages);
        o.slot_format = RK_FORMAT_UNIT;
        send_with_eight_threads(c, &o, receivers, messages);
        o.slot_format = RK_FORMAT_SEQ;
        o.shards = 3;
        o.blocks = 3;
        send_with_eight_threads(c, &o, receivers, messages);
    }
}

static const contract_case cases[] = {
    { CASE(each_lane_has_its_own_capacity_window_and_account), ON_EVERY },
    { CASE(host_and_device_senders_share_a_target_and_the_account_adds_up), NEEDS_THREADS },
    { CASE(eight_producers_and_several_receivers_lose_nothing), NEEDS_THREADS },
};

CONTRACT_MAIN("senders", cases)
