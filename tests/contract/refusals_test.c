/* Sends that are refused, and calls that fail: each is told once, and every block of a large payload has one
 * owner. */
#include <ringkernel/kernel.h>

#include "contract.h"

#include <sched.h>

#include "runtime/core.h"

RK_MESSAGE(parcel_slip, 490, (rk_u64, number))
RK_BLOB(parcel, 491, 4000)

typedef struct tally {
    rk_u64 refused, sum;
} tally;

RK_HANDLER(offer, parcel_slip, msg, tally, self, .state = RK_PER_SHARD) { rk_forward(RK_ARG); }
RK_ON_REFUSED(offer, tally, self, refusal)
{
    self->refused++;
    self->sum += ((const parcel_slip *)refusal->payload)->number;
    return 0; /* the letters shall have it */
}

/* Sends from its hook, in each way. */
typedef struct meddling {
    rk_u64 refused, sends, tries, forwards, left;
} meddling;

RK_HANDLER(meddle, parcel_slip, msg, meddling, self, .state = RK_PER_SHARD, .max_sends = 4)
{
    parcel_slip slip = *msg;
    rk_send(RK_ARG, &slip);
}
RK_ON_REFUSED(meddle, meddling, self, refusal)
{
    parcel_slip slip = *(const parcel_slip *)refusal->payload;
    self->refused++;
    self->sends += rk_send(RK_ARG, &slip) == RK_LIMIT;
    self->tries += rk_try_send(RK_ARG, &slip) == RK_LIMIT;
    self->forwards += rk_forward(RK_ARG) == RK_EMPTY;
    self->left += rk_time_left_ns(RK_ARG) == 0xfffffffffffffffful;
    return 1;
}

RK_HANDLER(keep, parcel_slip, msg, rk_none, self) { rk_forward(RK_ARG); }

RK_REASON(second_thoughts)
RK_ROUTE(away)
RK_HANDLER(go_round, parcel, msg, rk_none, self, .max_sends = 2)
{
    if (msg->bytes[0]) { /* a copy of its own, which comes back here */
        parcel again = { .bytes = { 0 } };
        rk_send_bytes(RK_ARG, parcel, &again, 2000);
        return;
    }
    rk_forward_to(RK_ARG, away);
    rk_fail(RK_ARG, second_thoughts);
}

RK_REASON(was_let_go_twice)
RK_HANDLER(forward_again, parcel, msg, rk_none, self, .max_sends = 2)
{
    rk_forward(RK_ARG);
    if (rk_forward(RK_ARG) != RK_LIMIT) rk_fail(RK_ARG, was_let_go_twice);
}

typedef struct gate {
    rk_u32 open, letters; /* atomic */
} gate;

static void hold_letter(void *user, const rk_dead_letter *letter)
{
    gate *g = user;
    (void)letter;
    __atomic_fetch_add(&g->letters, 1, __ATOMIC_ACQ_REL);
    for (rk_u64 until = contract_now_ns() + CONTRACT_PATIENCE;
         !__atomic_load_n(&g->open, __ATOMIC_ACQUIRE) && contract_now_ns() < until;)
        sched_yield();
}

/* Given a report lane that nobody empties, when more copies are refused than it holds, then the hook is asked
 * once for each all the same, and none is sent after it was told to be refused. */
static void the_hook_is_asked_once_though_its_letters_find_no_room(contract *c)
{
    gate g = { 0, 0 };
    rk_launch_options o = rk_production(), at = rk_low_latency();
    o.output_capacity = 16;
    o.queue_capacity = 64;
    o.on_dead_letter = hold_letter;
    o.dead_letter_user = &g;
    at.queue_capacity = 16;
    rk_kernel from = launch(c, "from", "offer", &o), to = launch(c, "to", "keep", &at);
    assert_ok(rk_connect(c->runtime, from, 0, to, 0));
    for (rk_u64 i = 1; i <= 60; i++) {
        parcel_slip slip = { i };
        assert_ok(rk_send(c->runtime, from, RK_BODY(slip), 0));
    }
    assert_ok(rk_activate(c->runtime, from));
    wait_until(c, metrics_of(c, from).parks > 0 && __atomic_load_n(&g.letters, __ATOMIC_ACQUIRE) > 0);
    assert_ok(rk_activate(c->runtime, to)); /* there is room now, and it comes too late for those refused */
    for (rk_u32 i = 0; i < 16; i++) {
        parcel_slip slip;
        receive(c, to, &slip);
    }
    __atomic_store_n(&g.open, 1, __ATOMIC_RELEASE);
    wait_until(c, account_of(c, from).delivered == 60);
    rk_account a = account_of(c, from);
    tally t;
    assert_ok(rk_deactivate(c->runtime, from));
    assert_ok(rk_read_state(c->runtime, from, 0, &t, sizeof t));
    wait_until(c, account_of(c, from).dead_letters == t.refused);
    assert_int_equal(a.dead_sends, t.refused);
    assert_int_equal(account_of(c, to).accepted + t.refused, 60);
}

/* Given a kernel whose hook sends, when its sends are refused, then it is told that it may not, and
 * nothing is lost that anybody said was taken. */
static void the_hook_of_refused_sends_may_send_nothing(contract *c)
{
    enum { ROOM = 16, MORE = 9 };
    rk_launch_options o = rk_production(), at = rk_low_latency();
    o.expiry = 1;
    at.queue_capacity = ROOM;
    rk_kernel from = launch(c, "from", "meddle", &o), to = launch(c, "to", "keep", &at);
    assert_ok(rk_connect(c->runtime, from, 0, to, 0));
    for (rk_u64 i = 1; i <= ROOM + MORE; i++) {
        parcel_slip slip = { i };
        assert_ok(rk_send(c->runtime, from, RK_BODY(slip), 0));
    }
    assert_ok(rk_activate(c->runtime, from));
    wait_until(c, account_of(c, from).delivered == ROOM + MORE);
    meddling m;
    assert_ok(rk_deactivate(c->runtime, from));
    assert_ok(rk_read_state(c->runtime, from, 0, &m, sizeof m));
    assert_int_equal(m.refused, MORE);
    assert_int_equal(m.sends, MORE);
    assert_int_equal(m.tries, MORE);
    assert_int_equal(m.forwards, MORE);
    assert_int_equal(m.left, MORE);
    assert_int_equal(account_of(c, to).accepted, ROOM);
    assert_int_equal(account_of(c, from).dead_sends, 0);
}

/* Given a large message that came from the kernel's own pool, when its handler forwards it and then fails,
 * then the letter has it whole, and its block is free again, once. */
static void a_failed_forward_leaves_the_block_with_the_letter(contract *c)
{
    rk_launch_options o = rk_production();
    static parcel p;
    rk_dead_letter letter;
    o.pool_blocks = 4;
    rk_kernel k = launch(c, "k", "go_round", &o);
    assert_ok(rk_connect(c->runtime, k, 0, k, 0));
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 1; i <= 40; i++) {
        p.bytes[0] = (rk_u8)i;
        assert_ok(rk_send(c->runtime, k, RK_TYPE_ID(parcel), &p, 3000, 0));
        wait_until(c, account_of(c, k).dead_letters == i);
        assert_ok(rk_receive_dead(c->runtime, k, &p, sizeof p, &letter, RK_NO_WAIT));
        assert_string_equal(letter.reason, "second_thoughts");
        assert_int_equal(letter.length, 2000);
    }
    const rk_pool *pool =
        (const rk_pool *)(const void *)(c->runtime->arena.base +
                                        c->runtime->kernels[k.number]->seats[0].shard->pool);
    assert_ok(rk_deactivate(c->runtime, k));
    rk_pool_collect((rk_pool *)pool, c->runtime->arena.base);
    assert_int_equal(pool->free_count, 4);
}

/* Given a large message, whose block has one owner, when a handler forwards it twice, then it goes once,
 * whole, and its block comes back. */
static void a_large_message_is_forwarded_once(contract *c)
{
    enum { MESSAGES = 40 }; /* more than there are blocks */
    rk_launch_options o = rk_production();
    static parcel p;
    o.pool_blocks = 4;
    rk_kernel k = launch_active(c, "k", "forward_again", &o);
    for (rk_u32 i = 1; i <= MESSAGES; i++) {
        rk_received info;
        memset(p.bytes, (int)i, sizeof p.bytes);
        assert_ok(rk_send(c->runtime, k, RK_TYPE_ID(parcel), &p, 3000, 0));
        receive_with(c, k, &p, &info);
        assert_int_equal(info.length, 3000);
        for (rk_u32 b = 0; b < 3000; b++) assert_int_equal(p.bytes[b], i);
    }
    wait_until(c, account_of(c, k).delivered == MESSAGES);
    assert_int_equal(account_of(c, k).output_accepted, MESSAGES);
    assert_int_equal(account_of(c, k).dead_letters, 0);
}

static const contract_case cases[] = {
    { CASE(the_hook_is_asked_once_though_its_letters_find_no_room),
      NEEDS_REGIONS | NEEDS_THREADS | NEEDS_CPU },
    { CASE(the_hook_of_refused_sends_may_send_nothing), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(a_large_message_is_forwarded_once), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(a_failed_forward_leaves_the_block_with_the_letter), NEEDS_REGIONS | NEEDS_CPU },
};
CONTRACT_MAIN("refusals", cases)
