/* Supersteps (bulk-synchronous parallel): K participants work in steps, and no message of step k + 1 is
 * seen in step k.
 *
 *     #include <ringkernel/pattern/superstep.h>
 *
 *     RK_MESSAGE(share, 3, (rk_u64, amount), RK_SUPERSTEP_MEMBERS, (rk_u32, vertex))
 *     typedef struct part { rk_superstep steps; rk_u64 incoming[2][VERTICES]; } part;
 *
 *     RK_HANDLER(rank, share, msg, part, self, .state = RK_PER_SHARD)
 *     {
 *         if (rk_superstep_take(&self->steps, msg) > RK_SUPERSTEP_EARLY) return;
 *         self->incoming[msg->step & 1u][msg->vertex] += msg->amount;
 *     }
 *     RK_HANDLER(rank, rk_step_end, end, part, self, .state = RK_PER_SHARD)
 *     {
 *         rk_superstep_arrive(&self->steps, end);
 *         if (rk_superstep_is_complete(&self->steps)) rk_wake_at(RK_ARG, rk_now_ns());
 *     }
 *     RK_ON_TIMER(rank, part, self)
 *     {
 *         if (!rk_superstep_next(&self->steps)) return;      // from here on in the next step
 *         … use incoming[step - 1 & 1], then for each share to participant p:
 *         rk_superstep_stamp(&self->steps, p, &s); rk_send_with(RK_ARG, &s, &to_p);
 *         … and when all of this step is sent, for each participant, oneself too:
 *         rk_step_end end = rk_superstep_end(&self->steps, p, 0, 0); rk_send_with(RK_ARG, &end, &to_p);
 *     }
 *
 * A participant is a shard of any kernel. There is no coordinator: who is done with a step says so to
 * everybody, on the way that its messages took. Lanes are first in, first out, so when the ends of all
 * have come, so have all messages. And nobody is ahead by more than one step, since step k + 2 begins only
 * with everybody's end of k + 1: what comes early belongs to the very next step, and needs one second
 * place, picked by the step's lowest bit. K ends for each participant and step are the price; they also
 * carry two numbers that are summed over all (Pregel's aggregators: Malewicz et al., SIGMOD 2010; the
 * model: Valiant, CACM 33(8), 1990).
 *
 * Messages between two participants are numbered. One that comes twice (a batch handled again after a
 * crash) is dropped; after one that is missing (a dead letter) nothing of its sender is taken any more, so
 * a step is late rather than wrong.
 *
 * What the user sees to: all messages between two participants take the same lane (no bands, no
 * deduplication, Block), a handler that has stamped doesn't rk_fail, and the inbox holds what may come in
 * two steps: a shard that waits for room takes nothing, and two that wait for each other's room do so
 * until their deadline. */
#ifndef RINGKERNEL_PATTERN_SUPERSTEP_H
#define RINGKERNEL_PATTERN_SUPERSTEP_H

#include "../kernel.h"
#include "superstep_message.h"

#if !defined(RK_SUPERSTEP_MAX)
#define RK_SUPERSTEP_MAX 64u /* participants; define it before, up to 4096. 8 bytes of state for each */
#endif
RK_STATIC_ASSERT(RK_SUPERSTEP_MAX >= 1u && RK_SUPERSTEP_MAX <= 4096u, "RK_SUPERSTEP_MAX is 1 to 4096");

/* What a message is to the step that its receiver is in. From RK_SUPERSTEP_DUPLICATE on it must not be used. */
#define RK_SUPERSTEP_NOW 0u       /* of this step */
#define RK_SUPERSTEP_EARLY 1u     /* of the next one: keep it aside */
#define RK_SUPERSTEP_DUPLICATE 2u /* came before */
#define RK_SUPERSTEP_LOST \
    3u /* one before it is missing, for ever: its sender counts as missing from now on */
#define RK_SUPERSTEP_UNKNOWN \
    4u /* of no such participant, of a step that can't be, or of another number of participants */

/* One participant, in a shard's state. All zero is right before rk_superstep_begin: it is in step 0, to
 * which nothing belongs, and what others send in step 1 comes early. */
typedef struct rk_superstep {
    rk_u64 sum[2][RK_SUPERSTEP_SUMS]; /* of the ends so far, of the steps with this lowest bit */
    rk_u64 total[RK_SUPERSTEP_SUMS];  /* over all participants, of the step before this one */
    rk_u64 deadline_ns;               /* 0: none */
    rk_u32 step;
    rk_u32 me, participants; /* 0 participants: not begun */
    rk_u32 crowd, pad;       /* participants by the first end, if it came before the beginning; 0: none has */
    rk_u32 ended[2];         /* participants whose end has come */
    rk_u32 duplicate, lost, unknown;                        /* messages refused so far */
    rk_u32 sent[RK_SUPERSTEP_MAX], taken[RK_SUPERSTEP_MAX]; /* numbers of the next one, to and from each */
    rk_u32 end_of[2][(RK_SUPERSTEP_MAX + 31u) / 32u];       /* whose end has come */
} rk_superstep;

/* Become participant `me` of 0 … participants - 1, once; then rk_superstep_next leads to step 1. RK_LIMIT:
 * more than RK_SUPERSTEP_MAX. RK_INVALID_ARGUMENT: no participants, or `me` isn't one. RK_BUSY: begun. */
RK_FN rk_status rk_superstep_begin(RK_GLOBAL rk_superstep *s, rk_u32 me, rk_u32 participants)
{
    if (s->participants) return RK_BUSY;
    if (participants > RK_SUPERSTEP_MAX) return RK_LIMIT;
    if (me >= participants) return RK_INVALID_ARGUMENT;
    if (s->crowd && s->crowd != participants) { /* what came early was of another crowd */
        s->unknown += s->ended[1];
        s->ended[1] = 0;
        for (rk_u32 w = 0; w < (RK_SUPERSTEP_MAX + 31u) / 32u; w++) s->end_of[1][w] = 0;
        for (rk_u32 i = 0; i < RK_SUPERSTEP_SUMS; i++) s->sum[1][i] = 0;
    }
    s->me = me;
    s->participants = s->crowd = participants;
    return RK_OK;
}

RK_FN rk_u32 rk_superstep_has_ended(RK_GLOBAL const rk_superstep *s, rk_u32 participant)
{
    return s->end_of[s->step & 1u][participant / 32u] >> (participant % 32u) & 1u;
}

/* Mark a message for participant `to` as of this step, right before it is sent. */
#define rk_superstep_stamp(s, to, message) \
    ((message)->step = (s)->step, (message)->from = (s)->me, (message)->number = (s)->sent[to]++)

/* The step after this one. Numbers wrap: to 2, whose lowest bit is right, as 0 is before the beginning. */
RK_FN rk_u32 rk_superstep_after(rk_u32 step) { return step == ~0u ? 2u : step + 1u; }

/* What a message is (RK_SUPERSTEP_*). Of each message that was stamped, once, before it is used. */
#define rk_superstep_take(s, message) \
    rk_superstep_admit(s, (message)->step, (message)->from, (message)->number)

RK_FN rk_u32 rk_superstep_admit(RK_GLOBAL rk_superstep *s, rk_u32 step, rk_u32 from, rk_u32 number)
{
    if (from >= RK_SUPERSTEP_MAX || (s->participants && from >= s->participants)) {
        s->unknown++;
        return RK_SUPERSTEP_UNKNOWN;
    }
    rk_u32 ahead = number - s->taken[from]; /* numbers wrap */
    if (ahead >> 31) {
        s->duplicate++;
        return RK_SUPERSTEP_DUPLICATE;
    }
    if (ahead) {
        s->lost++;
        return RK_SUPERSTEP_LOST;
    }
    rk_u32 early = step != s->step;
    if ((early && step != rk_superstep_after(s->step)) || step == 0) {
        s->unknown++;
        return RK_SUPERSTEP_UNKNOWN;
    }
    s->taken[from]++;
    return early; /* RK_SUPERSTEP_NOW or RK_SUPERSTEP_EARLY */
}

/* The end of this step for participant `to`, with two numbers to be summed over all. */
RK_FN rk_step_end rk_superstep_end(RK_GLOBAL rk_superstep *s, rk_u32 to, rk_u64 first, rk_u64 second)
{
    rk_step_end end;
    end.value[0] = first;
    end.value[1] = second;
    end.participants = s->participants;
    rk_superstep_stamp(s, to, &end);
    return end;
}

/* An end has come. What it is, as of any message. */
RK_FN rk_u32 rk_superstep_arrive(RK_GLOBAL rk_superstep *s, RK_MSG const rk_step_end *end)
{
    rk_u32 side = end->step & 1u, from = end->from;
    if (from >= end->participants || (s->crowd && end->participants != s->crowd)) {
        s->unknown++;
        return RK_SUPERSTEP_UNKNOWN;
    }
    rk_u32 is = rk_superstep_take(s, end);
    if (is > RK_SUPERSTEP_EARLY) return is;
    s->crowd = end->participants;
    s->end_of[side][from / 32u] |= 1u << (from % 32u);
    s->ended[side]++;
    for (rk_u32 i = 0; i < RK_SUPERSTEP_SUMS; i++) s->sum[side][i] += end->value[i];
    return is;
}

/* 1: everything of this step has come. Step 0 is complete when it has begun. */
RK_FN rk_u32 rk_superstep_is_complete(RK_GLOBAL const rk_superstep *s)
{
    return s->participants && (s->step == 0 || s->ended[s->step & 1u] == s->participants);
}

/* On to the next step, if this one is complete: 1. The sums of the step that is over are in `total`. */
RK_FN rk_u32 rk_superstep_next(RK_GLOBAL rk_superstep *s)
{
    rk_u32 side = s->step & 1u;
    if (!rk_superstep_is_complete(s)) return 0;
    for (rk_u32 i = 0; i < RK_SUPERSTEP_SUMS; i++) {
        s->total[i] = s->sum[side][i];
        s->sum[side][i] = 0;
    }
    for (rk_u32 w = 0; w < (RK_SUPERSTEP_MAX + 31u) / 32u; w++) s->end_of[side][w] = 0;
    s->ended[side] = 0;
    s->deadline_ns = 0;
    s->step = rk_superstep_after(s->step);
    return 1;
}

/* Give this step until `when_ns` (the clock of rk_now_ns); the kernel's timer hook then asks
 * rk_superstep_is_late. RK_UNSUPPORTED: the kernel has no RK_ON_TIMER. */
RK_FN rk_status rk_superstep_expect(RK_CTX, RK_GLOBAL rk_superstep *s, rk_u64 when_ns)
{
    s->deadline_ns = when_ns;
    return rk_wake_at(RK_ARG, when_ns);
}

/* 1, once for each deadline: it has passed, and `late` says whom this participant waits for. They may
 * still come. A hook that is too early asks for the time again. */
RK_FN rk_u32 rk_superstep_is_late(RK_CTX, RK_GLOBAL rk_superstep *s, rk_step_late *late)
{
    if (s->deadline_ns == 0 || rk_superstep_is_complete(s)) return 0;
    if (rk_now_ns() < s->deadline_ns) {
        rk_wake_at(RK_ARG, s->deadline_ns);
        return 0;
    }
    s->deadline_ns = 0;
    late->step = s->step;
    late->from = s->me;
    late->missing = late->named = 0;
    for (rk_u32 i = 0; i < RK_SUPERSTEP_NAMED; i++) late->who[i] = 0;
    for (rk_u32 p = 0; p < s->participants; p++) {
        if (rk_superstep_has_ended(s, p)) continue;
        if (late->named < RK_SUPERSTEP_NAMED) late->who[late->named++] = p;
        late->missing++;
    }
    return 1;
}

#endif
