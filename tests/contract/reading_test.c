/* Who reads accounts and metrics stops no message: a reader that stays inside for as long as it likes
 * holds up no sender, no receiver and no worker. */
#include "contract.h"

#include "../kernels/contract_a.rk.h"
#include "runtime/core.h"

#define MESSAGES 5000u
#define STALL_NS RK_SECONDS(5)

typedef struct flow {
    contract *c;
    rk_kernel into, out_of;
    rk_u32 sent, received; /* atomic */
} flow;

static void *send_all(void *argument)
{
    flow *f = argument;
    rk_send_options s = RK_SEND_DEFAULTS;
    s.timeout_ns = STALL_NS;
    for (rk_u32 i = 0; i < MESSAGES; i++) {
        probe p = { i, 0 };
        if (!expect_ok(f->c, rk_send(f->c->runtime, f->into, RK_BODY(p), &s))) return 0;
        __atomic_store_n(&f->sent, i + 1, __ATOMIC_RELEASE);
    }
    return 0;
}

static rk_u64 parks_of(const flow *f)
{
    const rk_host_kernel *kernel = f->c->runtime->kernels[f->into.number];
    return __atomic_load_n(&kernel->seats[0].shard->meter.parks, __ATOMIC_RELAXED);
}

/* Nothing is received before the rings are full. */
static void *receive_all(void *argument)
{
    flow *f = argument;
    for (rk_u64 left = STALL_NS; left && parks_of(f) == 0; left -= RK_MICROSECONDS(100))
        let_pass(f->c, RK_MICROSECONDS(100));
    for (rk_u32 i = 0; i < MESSAGES; i++) {
        probe p;
        if (!expect_ok(f->c, rk_receive(f->c->runtime, f->out_of, &p, sizeof p, 0, STALL_NS))) return 0;
        if (!expect(f->c, p.number == i)) return 0;
        if (i % 64 == 0) let_pass(f->c, RK_MICROSECONDS(100)); /* so that everybody waits for room, too */
        __atomic_store_n(&f->received, i + 1, __ATOMIC_RELEASE);
    }
    return 0;
}

static flow through;

static void open_flow(contract *c)
{
    rk_launch_options o = small(16);
    through = (flow){ .c = c };
    through.into = launch(c, "first", "echo", &o);
    through.out_of = launch_active(c, "second", "echo", &o);
    assert_ok(rk_connect(c->runtime, through.into, 0, through.out_of, 0));
    assert_ok(rk_activate(c->runtime, through.into));
}

/* Given the lock that every reader takes, held from before the first message to after the last, when
 * messages flow through rings that are full most of the time, then all of them arrive. */
static void a_reader_that_stays_inside_stops_no_message(contract *c)
{
    open_flow(c);
    pthread_mutex_lock(&c->runtime->list);
    start_thread(c, send_all, &through);
    start_thread(c, receive_all, &through);
    join_threads(c);
    pthread_mutex_unlock(&c->runtime->list);
    assert_int_equal(through.received, MESSAGES);
    assert_true(parks_of(&through) > 0);
}

/* And readers return, whatever flows. */
static void readers_return_while_messages_flow(contract *c)
{
    open_flow(c);
    rk_u32 reads = 0;
    start_thread(c, send_all, &through);
    start_thread(c, receive_all, &through);
    while (__atomic_load_n(&through.received, __ATOMIC_ACQUIRE) < MESSAGES &&
           !__atomic_load_n(&c->failures, __ATOMIC_ACQUIRE)) {
        rk_account a = account_of(c, through.out_of);
        assert_true(a.delivered <= a.accepted && a.output_received <= a.output_accepted);
        assert_true(metrics_of(c, through.into).processed <= MESSAGES);
        assert_true(info_of(c, through.out_of).healthy);
        reads++;
    }
    join_threads(c);
    assert_true(reads > 0);
    assert_int_equal(through.received, MESSAGES);
}

static const contract_case cases[] = {
    { CASE(a_reader_that_stays_inside_stops_no_message), NEEDS_THREADS },
    { CASE(readers_return_while_messages_flow), NEEDS_THREADS },
};
CONTRACT_MAIN("reading", cases)
