/* Kernels of the contract suite that do one thing each, and, on the CPU, as slowly as the test says.
 * NAME_spmd is the same kernel in the guide's style; it keeps no state, so what others keep there it keeps in
 * the program, on the CPU. On a device the gate is always open. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* clock_gettime, where the compiler is asked for C11 alone */
#endif
#include <ringkernel/kernel.h>

#include "contract_a.rk.h"

RK_REASON(odd)
RK_REASON(negative)
RK_ROUTE(aside)
RK_PARAM(rk_u32, factor, 3)
RK_PARAM(rk_i64, offset, -7)
RK_PARAM(rk_f32, ratio, 0.5f)

#if defined(RK_LANG_HOST)
#include <sched.h>
#include <time.h>

contract_control contract_controls;

/* The reply that `replier_spmd` has put off; of its worker. */
static struct {
    rk_ticket ticket;
    rk_u32 value;
    rk_u32 waiting;
} put_off;

void contract_control_reset(void)
{
    contract_control_open();
    __atomic_store_n(&contract_controls.entered, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&contract_controls.work_ns, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&contract_controls.drained, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&contract_controls.largest, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&contract_controls.refused, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&contract_controls.kept, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&contract_controls.refused_status, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&contract_controls.refused_last, 0, __ATOMIC_RELEASE);
    put_off.waiting = 0;
}

void contract_control_open(void) { __atomic_store_n(&contract_controls.closed, 0, __ATOMIC_RELEASE); }

static void pass_gate(void)
{
    __atomic_fetch_add(&contract_controls.inside, 1, __ATOMIC_ACQ_REL);
    __atomic_fetch_add(&contract_controls.entered, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&contract_controls.closed, __ATOMIC_ACQUIRE))
        nanosleep(&(struct timespec){ 0, 100000 }, 0);
    __atomic_fetch_sub(&contract_controls.inside, 1, __ATOMIC_ACQ_REL);
}

static rk_u64 monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

static void work(void)
{
    rk_u64 end = monotonic() + __atomic_load_n(&contract_controls.work_ns, __ATOMIC_ACQUIRE);
    while (monotonic() < end) sched_yield();
}

static void put_reply_off(rk_ticket ticket, rk_u32 value)
{
    put_off.ticket = ticket;
    put_off.value = value;
    put_off.waiting = 1;
}

static rk_u32 take_reply_put_off(rk_ticket *ticket, rk_u32 *value)
{
    rk_u32 waiting = put_off.waiting;
    *ticket = put_off.ticket;
    *value = put_off.value;
    put_off.waiting = 0;
    return waiting;
}

static void count_refused(rk_u32 status, rk_u32 number, rk_u32 keep)
{
    __atomic_store_n(&contract_controls.refused_status, status, __ATOMIC_RELEASE);
    __atomic_store_n(&contract_controls.refused_last, number, __ATOMIC_RELEASE);
    __atomic_fetch_add(&contract_controls.kept, keep, __ATOMIC_ACQ_REL);
    __atomic_fetch_add(&contract_controls.refused, 1, __ATOMIC_ACQ_REL);
}

static void count_drained(void) { __atomic_fetch_add(&contract_controls.drained, 1, __ATOMIC_ACQ_REL); }
#else
#define pass_gate() ((void)0)
#define work() ((void)0)
#define count_drained() ((void)0)
#define put_reply_off(ticket, value) ((void)0)
#define take_reply_put_off(ticket, value) 0u
#define count_refused(status, number, keep) ((void)0)
#endif

/* ------------------------------------------------------------------ back to the sender */

RK_HANDLER(echo, probe, msg, rk_none, self) { rk_forward(RK_ARG); }

RK_SPMD_KERNEL(echo_spmd, probe, probe, .threads = 32)
{
    probe mine;
    if (rk_try_receive(RK_ARG, &mine)) rk_send(RK_ARG, &mine);
}

/* Takes messages and sends nothing. */
RK_HANDLER(sink, probe, msg, rk_none, self) {}

RK_SPMD_KERNEL(sink_spmd, probe, probe, .threads = 32)
{
    probe mine;
    (void)rk_try_receive(RK_ARG, &mine);
}

/* ------------------------------------------------------------------ at the test's command */

RK_HANDLER(held, probe, msg, rk_none, self, .max_batch = 1, .backends = RK_ON_CPU)
{
    pass_gate();
    rk_forward(RK_ARG);
}

RK_SPMD_KERNEL(held_spmd, probe, probe, .threads = 2, .max_batch = 1, .backends = RK_ON_CPU)
{
    probe mine;
    if (rk_try_receive(RK_ARG, &mine)) {
        pass_gate();
        rk_send(RK_ARG, &mine);
    }
}

RK_HANDLER(slow, probe, msg, rk_none, self, .max_batch = 1, .backends = RK_ON_CPU)
{
    work();
    rk_forward(RK_ARG);
}

RK_SPMD_KERNEL(slow_spmd, probe, probe, .threads = 2, .max_batch = 1, .backends = RK_ON_CPU)
{
    probe mine;
    if (rk_try_receive(RK_ARG, &mine)) {
        work();
        rk_send(RK_ARG, &mine);
    }
}

/* ------------------------------------------------------------------ state */

typedef struct adder_state {
    rk_i64 sum;
    rk_u32 count;
    rk_u32 redelivered;
} adder_state;

RK_HANDLER(adder, amount, msg, adder_state, self, .state = RK_PER_SHARD)
{
    self->sum += msg->value;
    self->count++;
    if (rk_is_redelivered(RK_ARG)) self->redelivered++;
    total now = { self->sum, self->count, rk_shard_number() };
    rk_send(RK_ARG, &now);
}

/* The same at the test's command. */
RK_HANDLER(held_adder, amount, msg, adder_state, self, .state = RK_PER_SHARD, .max_batch = 1,
           .backends = RK_ON_CPU)
{
    pass_gate();
    self->sum += msg->value;
    self->count++;
    total now = { self->sum, self->count, rk_shard_number() };
    rk_send(RK_ARG, &now);
}

/* In its hooks: what each sends is there, or not, once the gate is open. */
RK_HANDLER(held_timer, probe, msg, adder_state, self, .state = RK_PER_SHARD, .max_batch = 1,
           .backends = RK_ON_CPU)
{
    rk_wake_at(RK_ARG, 1);
}

RK_ON_TIMER(held_timer, adder_state, self)
{
    probe late = { 7, 0 };
    pass_gate();
    rk_send(RK_ARG, &late);
}

RK_HANDLER(held_drain, probe, msg, rk_none, self, .max_batch = 1, .backends = RK_ON_CPU) {}

RK_ON_DRAIN(held_drain, rk_none, self)
{
    probe late = { 7, 0 };
    pass_gate();
    rk_send(RK_ARG, &late);
}

RK_HANDLER(held_trying, probe, msg, rk_none, self, .max_batch = 1, .backends = RK_ON_CPU)
{
    probe late = { msg->number, 0 };
    pass_gate();
    (void)rk_try_send(RK_ARG, &late);
}

/* Half of its threads meet, which is a mistake, once the gate is open. */
RK_SPMD_KERNEL(held_apart, probe, probe, .threads = 2, .max_batch = 1, .barrier = RK_SCOPE_BLOCK,
               .backends = RK_ON_CPU)
{
    probe mine;
    if (rk_try_receive(RK_ARG, &mine)) {
        pass_gate();
        rk_barrier(RK_SCOPE_BLOCK);
    }
}

/* As `counter`, its targets' counts in the state of their shard; and how many came at all. */
typedef struct shard_counts {
    rk_u32 of[12];
    rk_u32 all;
} shard_counts;

RK_HANDLER(shard_counter, tick, msg, shard_counts, self, .state = RK_PER_SHARD)
{
    ticked now = { msg->actor, ++self->of[msg->actor] };
    self->all++;
    rk_send(RK_ARG, &now);
}

RK_ON_MERGE(shard_counter, shard_counts, self, other, shards)
{
    for (rk_u32 actor = shards->into; actor < 12u; actor += shards->into_shards)
        self->of[actor] += other->of[actor];
    if (shards->home) self->all += other->all;
}

RK_HANDLER(counter, tick, msg, ticked, self, .state = RK_PER_ACTOR)
{
    self->actor = msg->actor;
    self->count++;
    ticked now = { self->actor, self->count };
    rk_send(RK_ARG, &now);
}

/* ------------------------------------------------------------------ questions */

typedef struct replier_state {
    rk_ticket ticket;
    rk_u32 value;
    rk_u32 waiting;
} replier_state;

RK_HANDLER(replier, inquiry, msg, replier_state, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    response reply = { msg->value * 2u, msg->value };
    remark other = { msg->value * 2u, msg->value };
    switch (msg->how) {
    case ANSWER_ONCE: rk_reply(RK_ARG, msg, &reply); break;
    case ANSWER_TWICE:
        rk_reply(RK_ARG, msg, &reply);
        reply.value++;
        rk_reply(RK_ARG, msg, &reply);
        break;
    case ANSWER_LATER:
        self->ticket = rk_defer_reply(RK_ARG);
        self->value = msg->value;
        self->waiting = 1;
        break;
    case ANSWER_REFUSED: rk_fail(RK_ARG, odd); break;
    case ANSWER_OTHER: rk_reply(RK_ARG, msg, &other); break;
    case ANSWER_HELD:
        pass_gate();
        rk_reply(RK_ARG, msg, &reply);
        break;
    default: break;
    }
}

/* The reply that was put off. */
RK_HANDLER(replier, reminder, msg, replier_state, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    response reply = { self->value * 2u, self->value };
    if (!self->waiting) return;
    rk_reply_later(RK_ARG, self->ticket, &reply);
    if (!msg->again) self->waiting = 0;
}

/* Asks once for each probe, and passes on what comes back. */
RK_HANDLER(asker, probe, msg, rk_none, self)
{
    inquiry question = { msg->number, ANSWER_ONCE };
    rk_send(RK_ARG, &question);
}

RK_HANDLER(asker, response, msg, rk_none, self) { rk_forward_to(RK_ARG, aside); }

/* The message itself is what rk_reply wants: in a slot, where the thread's own copy is not. */
RK_SPMD_KERNEL(replier_spmd, inquiry, response, .threads = 32, .max_sends = 2, .backends = RK_ON_CPU)
{
    inquiry mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    RK_MSG const inquiry *msg = (RK_MSG const inquiry *)rk_ctx->payload;
    response reply = { mine.value * 2u, mine.value };
    remark other = { mine.value * 2u, mine.value };
    rk_ticket ticket = { 0, 0, 0 };
    switch (mine.how) {
    case ANSWER_ONCE: rk_reply(RK_ARG, msg, &reply); break;
    case ANSWER_TWICE:
        rk_reply(RK_ARG, msg, &reply);
        reply.value++;
        rk_reply(RK_ARG, msg, &reply);
        break;
    case ANSWER_LATER:
        ticket = rk_defer_reply(RK_ARG);
        put_reply_off(ticket, mine.value);
        break;
    case ANSWER_KEPT:
        if (!take_reply_put_off(&ticket, &reply.asked)) break;
        reply.value = reply.asked * 2u;
        rk_reply_later(RK_ARG, ticket, &reply);
        break;
    case ANSWER_REFUSED: rk_fail(RK_ARG, odd); break;
    case ANSWER_OTHER: rk_reply(RK_ARG, msg, &other); break;
    case ANSWER_HELD:
        pass_gate();
        rk_reply(RK_ARG, msg, &reply);
        break;
    default: break;
    }
}

/* ------------------------------------------------------------------ refusals */

RK_HANDLER(failing, attempt, msg, rk_none, self)
{
    attempt copy = { msg->number, msg->fault };
    switch (msg->fault) {
    case FAULT_ODD: rk_fail(RK_ARG, odd); return;
    case FAULT_NEGATIVE:
        rk_send(RK_ARG, &copy);
        rk_fail(RK_ARG, negative);
        return;
    case FAULT_BOTH:
        rk_fail(RK_ARG, negative);
        rk_fail(RK_ARG, odd);
        return;
    case FAULT_SENDS:
        rk_send(RK_ARG, &copy);
        rk_send(RK_ARG, &copy);
        return;
    default: rk_send(RK_ARG, &copy); return;
    }
}

RK_SPMD_KERNEL(failing_spmd, attempt, attempt, .threads = 32)
{
    attempt mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    switch (mine.fault) {
    case FAULT_ODD: rk_fail(RK_ARG, odd); return;
    case FAULT_NEGATIVE:
        rk_send(RK_ARG, &mine);
        rk_fail(RK_ARG, negative);
        return;
    case FAULT_BOTH:
        rk_fail(RK_ARG, negative);
        rk_fail(RK_ARG, odd);
        return;
    case FAULT_SENDS:
        rk_send(RK_ARG, &mine);
        rk_send(RK_ARG, &mine);
        return;
    default: rk_send(RK_ARG, &mine); return;
    }
}

/* Sends what it is offered on, and keeps what its target doesn't take when it says so. */
typedef struct offering_state {
    rk_u32 sent;
    rk_u32 refused;
    rk_u32 kept;
    rk_u32 status;
    rk_u32 last;
    rk_u32 rest;
} offering_state;

RK_HANDLER(offering, offer, msg, offering_state, self, .state = RK_PER_SHARD)
{
    self->sent++;
    rk_forward(RK_ARG);
}

RK_ON_REFUSED(offering, offering_state, self, refusal)
{
    RK_GLOBAL const offer *back = (RK_GLOBAL const offer *)refusal->payload;
    self->refused++;
    self->status = (rk_u32)refusal->status;
    self->last = back->number;
    self->kept += back->keep;
    return back->keep;
}

RK_SPMD_KERNEL(offering_spmd, offer, offer, .threads = 32)
{
    offer mine;
    if (rk_try_receive(RK_ARG, &mine)) rk_forward(RK_ARG);
}

RK_ON_REFUSED(offering_spmd, rk_none, self, refusal)
{
    RK_GLOBAL const offer *back = (RK_GLOBAL const offer *)refusal->payload;
    count_refused((rk_u32)refusal->status, back->number, back->keep);
    return back->keep;
}

/* Takes offers, one at a time, at the gate. */
RK_HANDLER(taker, offer, msg, rk_none, self, .max_batch = 1) { pass_gate(); }

RK_SPMD_KERNEL(taker_spmd, offer, offer, .threads = 2, .max_batch = 1)
{
    offer mine;
    if (rk_try_receive(RK_ARG, &mine)) pass_gate();
}

/* ------------------------------------------------------------------ logs and parameters */

RK_HANDLER(logger, chatter, msg, rk_none, self, .log_limit = 5)
{
    for (rk_u32 i = 0; i < msg->lines; i++) rk_log2(RK_ARG, RK_WARNING, "line %u of %u", i, msg->number);
}

RK_SPMD_KERNEL(logger_spmd, chatter, chatter, .threads = 32, .log_limit = 5)
{
    chatter mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    for (rk_u32 i = 0; i < mine.lines; i++) rk_log2(RK_ARG, RK_WARNING, "line %u of %u", i, mine.number);
}

/* Many threads log at the same time where a device has them. */
RK_HANDLER(chorus, chatter, msg, rk_none, self, .log_limit = 1000)
{
    for (rk_u32 i = 0; i < msg->lines; i++) rk_log2(RK_ARG, RK_INFO, "voice %u sings %u", msg->number, i);
}

RK_SPMD_KERNEL(chorus_spmd, chatter, chatter, .threads = 32, .log_limit = 1000)
{
    chatter mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    for (rk_u32 i = 0; i < mine.lines; i++) rk_log2(RK_ARG, RK_INFO, "voice %u sings %u", mine.number, i);
}

RK_HANDLER(choir, chatter, msg, rk_none, self, .width = RK_BLOCK, .threads = 64, .log_limit = 1000)
{
    RK_PARALLEL(i, msg->lines) rk_log2(RK_ARG, RK_INFO, "voice %u sings %u", msg->number, i);
    RK_ONCE
        rk_log1(RK_ARG, RK_INFO, "voice %u rests", msg->number);
}

RK_HANDLER(tuned, probe, msg, rk_none, self)
{
    factors now = { RK_PARAM_OF(offset), RK_PARAM_OF(factor), RK_PARAM_OF(ratio) };
    rk_send(RK_ARG, &now);
}

RK_SPMD_KERNEL(tuned_spmd, probe, factors, .threads = 32)
{
    probe mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    factors now = { RK_PARAM_OF(offset), RK_PARAM_OF(factor), RK_PARAM_OF(ratio) };
    rk_send(RK_ARG, &now);
}

/* ------------------------------------------------------------------ pipelines */

/* A stage sends bundles on, and at its end says how many it had. The next stage sends that on too. */
typedef struct stage_state {
    rk_u32 received;
    rk_u32 tallies;
    rk_u32 hooks;
    rk_u32 rest;
} stage_state;

RK_HANDLER(stage, bundle, msg, stage_state, self, .state = RK_PER_SHARD, .max_batch = 4)
{
    self->received++;
    bundle next = { msg->number, msg->hops + 1u };
    rk_send(RK_ARG, &next);
}

RK_HANDLER(stage, tally, msg, stage_state, self, .state = RK_PER_SHARD, .max_batch = 4)
{
    self->tallies++;
    rk_forward(RK_ARG);
}

RK_ON_DRAIN(stage, stage_state, self)
{
    self->hooks++;
    count_drained();
    tally last = { self->tallies, self->received, rk_shard_number(), self->hooks };
    rk_send(RK_ARG, &last);
}

RK_SPMD_KERNEL(stage_spmd, bundle, bundle, .threads = 4)
{
    bundle mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    mine.hops++;
    rk_send(RK_ARG, &mine);
}

RK_ON_DRAIN(stage_spmd, rk_none, self)
{
    count_drained();
    bundle last = { rk_shard_number(), LAST_BUNDLE };
    rk_send(RK_ARG, &last);
}

/* Bundles go round until their hops are done, and then aside. */
RK_HANDLER(circle, bundle, msg, stage_state, self, .state = RK_PER_SHARD, .max_batch = 4)
{
    self->received++;
    bundle next = { msg->number, msg->hops ? msg->hops - 1u : 0u };
    if (msg->hops)
        rk_send(RK_ARG, &next);
    else
        rk_send_to(RK_ARG, aside, &next);
}

RK_ON_DRAIN(circle, stage_state, self)
{
    self->hooks++;
    count_drained();
    tally last = { 0, self->received, rk_shard_number(), self->hooks };
    rk_send_to(RK_ARG, aside, &last);
}

RK_SPMD_KERNEL(circle_spmd, bundle, bundle, .threads = 4)
{
    bundle mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    bundle next = { mine.number, mine.hops ? mine.hops - 1u : 0u };
    if (mine.hops)
        rk_send(RK_ARG, &next);
    else
        rk_send_to(RK_ARG, aside, &next);
}

RK_ON_DRAIN(circle_spmd, rk_none, self)
{
    count_drained();
    bundle last = { rk_shard_number(), LAST_BUNDLE };
    rk_send_to(RK_ARG, aside, &last);
}
