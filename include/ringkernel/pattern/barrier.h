/* Named barriers between kernels: a party goes on when all have arrived. Nobody waits in a handler: who
 * arrives sends a message to a keeper, and goes on when that answers.
 *
 *     #include <ringkernel/pattern/barrier.h>
 *
 *     RK_HANDLER(keeper, rk_barrier_call, call, rk_barriers, self, .state = RK_PER_SHARD, .max_sends = RK_BARRIER_SENDS,
 *                .replies = 1)
 *     {
 *         rk_barriers_take(RK_ARG, self, call);
 *     }
 *     RK_ON_TIMER(keeper, rk_barriers, self) { rk_barriers_expire(RK_ARG, self); }
 *
 * is a whole keeper. A party sends rk_barrier_call on a route to it (by the key `name`, if it has several
 * shards) and has a handler for rk_barrier_answer; a thread of the host arrives by rk_request. Launch
 * keeper and parties with .requests = 1: answers find the shard of who asked by the long header.
 *
 * Each round is an epoch, which an arrival states. So one that comes late, after its round was given up,
 * is told so and doesn't count for the next round; and one that is sent twice, or comes again after its
 * keeper has failed, counts once. (The simple barrier, a count of arrivals, has neither.) A party that
 * withdraws is not waited for; if the others are all there, they pass. When the last has withdrawn the name
 * is free. */
#ifndef RINGKERNEL_PATTERN_BARRIER_H
#define RINGKERNEL_PATTERN_BARRIER_H

#include "../kernel.h"
#include "barrier_message.h"

#if !defined(RK_BARRIERS)
#define RK_BARRIERS \
    16u /* names that one shard of a keeper has room for; define it before. 800 bytes of state each */
#endif
#define RK_BARRIER_SENDS (RK_BARRIER_PARTIES + 1u) /* answers to one call, at most */
#define RK_BARRIER_WAITS 100u                      /* no answer yet */

typedef struct rk_barrier {
    rk_u64 name;        /* 0: a free place */
    rk_u64 deadline_ns; /* of this epoch: the earliest of those who are there; RK_NEVER: none */
    rk_u32 parties, epoch;
    rk_u32 members, arrived;           /* a bit for each party */
    rk_u64 due_ns[RK_BARRIER_PARTIES]; /* what each that is there asked for */
    rk_ticket ticket[RK_BARRIER_PARTIES];
} rk_barrier;

/* A keeper's state, or a part of it. All zero is empty. */
typedef struct rk_barriers {
    rk_barrier barrier[RK_BARRIERS];
} rk_barriers;

RK_FN rk_u32 rk_barrier_count(rk_u32 parties)
{
    rk_u32 n = 0;
    for (; parties; parties &= parties - 1u) n++;
    return n;
}

/* ------------------------------------------------------------------ one barrier, without messages */

RK_FN void rk_barrier_open(RK_GLOBAL rk_barrier *b, rk_u64 name, rk_u32 parties)
{
    b->name = name;
    b->parties = parties;
    b->members = parties == 32u ? ~0u : (1u << parties) - 1u;
    b->arrived = 0;
    b->epoch = 1;
    b->deadline_ns = RK_NEVER;
}

/* PASSED: this was the last one that was waited for, and the round is to be ended. WAITS, or why it
 * doesn't count. */
RK_FN rk_u32 rk_barrier_arrive(RK_GLOBAL rk_barrier *b, rk_u32 party, rk_u32 epoch, rk_u64 deadline_ns)
{
    rk_u32 bit = 1u << (party & 31u);
    if (party >= b->parties || !(b->members & bit)) return RK_BARRIER_UNKNOWN;
    if (epoch != b->epoch) return (epoch - b->epoch) >> 31 ? RK_BARRIER_LATE : RK_BARRIER_EARLY;
    if (b->arrived & bit) return RK_BARRIER_DUPLICATE;
    b->arrived |= bit;
    b->due_ns[party] = deadline_ns;
    if (deadline_ns < b->deadline_ns) b->deadline_ns = deadline_ns;
    return b->arrived == b->members ? RK_BARRIER_PASSED : RK_BARRIER_WAITS;
}

/* PASSED: all others are there, and the round is to be ended. DONE, or UNKNOWN. */
RK_FN rk_u32 rk_barrier_withdraw(RK_GLOBAL rk_barrier *b, rk_u32 party)
{
    rk_u32 bit = 1u << (party & 31u);
    if (party >= b->parties || !(b->members & bit)) return RK_BARRIER_UNKNOWN;
    b->members &= ~bit;
    b->arrived &= ~bit;
    b->deadline_ns = RK_NEVER; /* its own counts no longer */
    for (rk_u32 p = 0; p < b->parties; p++)
        if ((b->arrived >> p & 1u) && b->due_ns[p] < b->deadline_ns) b->deadline_ns = b->due_ns[p];
    return b->members && b->arrived == b->members ? RK_BARRIER_PASSED : RK_BARRIER_DONE;
}

RK_FN rk_u32 rk_barrier_return(RK_GLOBAL rk_barrier *b, rk_u32 party)
{
    if (party >= b->parties) return RK_BARRIER_UNKNOWN;
    b->members |= 1u << party;
    return RK_BARRIER_DONE;
}

/* On to the next round. Who had arrived. */
RK_FN rk_u32 rk_barrier_end_round(RK_GLOBAL rk_barrier *b)
{
    rk_u32 arrived = b->arrived;
    b->arrived = 0;
    b->deadline_ns = RK_NEVER;
    b->epoch++;
    return arrived;
}

/* 1: nothing has happened to it, so its name may be free. */
RK_FN rk_u32 rk_barrier_is_fresh(RK_GLOBAL const rk_barrier *b)
{
    return b->epoch == 1u && b->arrived == 0 && rk_barrier_count(b->members) == b->parties;
}

/* ------------------------------------------------------------------ the keeper */

/* What a barrier has to say of itself, to one party. `b` may be 0. */
RK_FN rk_barrier_answer rk_barrier_says(RK_GLOBAL const rk_barrier *b, rk_u64 name, rk_u32 party,
                                        rk_u32 outcome)
{
    rk_barrier_answer answer;
    answer.name = name;
    answer.party = party;
    answer.outcome = outcome;
    answer.epoch = b ? b->epoch : 0;
    answer.arrived = b ? rk_barrier_count(b->arrived) : 0;
    answer.expected = b ? rk_barrier_count(b->members) : 0;
    answer.missing = b ? b->members & ~b->arrived : 0;
    return answer;
}

/* The round is over: all who had arrived are told. */
RK_FN void rk_barrier_release(RK_CTX, RK_GLOBAL rk_barrier *b, rk_u32 outcome)
{
    rk_barrier_answer answer = rk_barrier_says(b, b->name, 0, outcome);
    rk_u32 arrived = rk_barrier_end_round(b);
    answer.epoch = b->epoch;
    for (rk_u32 p = 0; p < b->parties; p++) {
        if (!(arrived >> p & 1u)) continue;
        answer.party = p;
        rk_reply_later(RK_ARG, b->ticket[p], &answer);
    }
}

/* The barrier that a call means; the first call of a name opens it. 0: there is no room, or the call can't
 * be. */
RK_FN RK_GLOBAL rk_barrier *rk_barriers_find(RK_GLOBAL rk_barriers *all, RK_MSG const rk_barrier_call *call)
{
    RK_GLOBAL rk_barrier *free_place = 0;
    if (call->name == 0 || call->what > RK_BARRIER_RETURN) return 0;
    for (rk_u32 i = 0; i < RK_BARRIERS; i++) {
        RK_GLOBAL rk_barrier *b = &all->barrier[i];
        if (b->name == call->name) return b;
        if (b->name == 0 && !free_place) free_place = b;
    }
    if (!free_place || call->parties == 0 || call->parties > RK_BARRIER_PARTIES) return 0;
    rk_barrier_open(free_place, call->name, call->parties);
    return free_place;
}

/* Take a call and send what it leads to: up to RK_BARRIER_SENDS answers. */
RK_FN void rk_barriers_take(RK_CTX, RK_GLOBAL rk_barriers *all, RK_MSG const rk_barrier_call *call)
{
    rk_ticket caller = rk_defer_reply(RK_ARG);
    RK_GLOBAL rk_barrier *b = rk_barriers_find(all, call);
    rk_u32 party = call->party, outcome = RK_BARRIER_NO_ROOM, had_arrived = 0;
    if (b && call->parties != b->parties)
        outcome = RK_BARRIER_UNKNOWN;
    else if (b && call->what == RK_BARRIER_ARRIVE)
        outcome = rk_barrier_arrive(b, party, call->epoch, rk_due_in(RK_ARG, call->timeout_ns));
    else if (b && call->what == RK_BARRIER_RETURN)
        outcome = rk_barrier_return(b, party);
    else if (b) {
        had_arrived = party < b->parties && (b->arrived >> party & 1u);
        outcome = rk_barrier_withdraw(b, party);
    }
    if (outcome == RK_BARRIER_DUPLICATE && rk_is_redelivered(RK_ARG))
        return; /* it counted when this batch was handled before, or was told that it didn't */

    rk_u32 arrives =
        call->what == RK_BARRIER_ARRIVE && (outcome == RK_BARRIER_WAITS || outcome == RK_BARRIER_PASSED);
    if (arrives) {
        b->ticket[party] = caller;
        rk_wake_at(RK_ARG, b->deadline_ns);
    } else {
        rk_u32 said = outcome == RK_BARRIER_PASSED ? RK_BARRIER_DONE : outcome;
        rk_barrier_answer answer = rk_barrier_says(b, call->name, party, said);
        rk_reply_later(RK_ARG, caller, &answer);
        if (had_arrived) rk_reply_later(RK_ARG, b->ticket[party], &answer);
    }
    if (outcome == RK_BARRIER_PASSED) rk_barrier_release(RK_ARG, b, RK_BARRIER_PASSED);
    if (b && (b->members == 0 ||
              (outcome >= RK_BARRIER_LATE && outcome != RK_BARRIER_WAITS && rk_barrier_is_fresh(b))))
        b->name = 0; /* nobody is left, or the call that opened it came to nothing */
}

/* Give up the rounds whose time is over, one in each run of the timer hook, and ask for the next. */
RK_FN void rk_barriers_expire(RK_CTX, RK_GLOBAL rk_barriers *all)
{
    rk_u32 given_up = 0;
    for (rk_u32 i = 0; i < RK_BARRIERS; i++) {
        RK_GLOBAL rk_barrier *b = &all->barrier[i];
        if (b->name == 0) continue;
        if (b->deadline_ns <= rk_now_ns() && !given_up) {
            rk_barrier_release(RK_ARG, b, RK_BARRIER_TIMED_OUT);
            given_up = 1;
        } else {
            rk_wake_at(RK_ARG, b->deadline_ns);
        }
    }
}

#endif
