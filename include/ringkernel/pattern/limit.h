/* A rate limit on the device's clock: a token bucket in whole numbers, without drift and without a sleep.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/pattern/limit.h>
 *
 *     typedef struct spring { rk_limit limit; rk_u64 left; } spring;
 *
 *     RK_HANDLER(producer, produce, msg, spring, self, .state = RK_PER_SHARD, .max_sends = 8)
 *     {
 *         rk_limit_set(RK_ARG, &self->limit, 5000, RK_SECONDS(1), 100);     // 5,000 a second, up to 100 at once
 *         self->left += msg->count;
 *         rk_wake_at(RK_ARG, rk_now_ns());
 *     }
 *     RK_ON_TIMER(producer, spring, self)
 *     {
 *         rk_u32 n = rk_limit_take_up_to(RK_ARG, &self->limit, least of self->left and what the hook may send);
 *         … send n …
 *         self->left -= n;
 *         if (self->left) rk_wake_at(RK_ARG, rk_limit_when(&self->limit, 1));
 *     }
 *
 * A bucket holds up to `burst` tokens and gets `tokens` in each `period_ns`, evenly. What it holds is counted in fractions
 * of 1 / period_ns: each nanosecond adds `tokens` of them, so nothing is ever rounded, and after any time exactly as much
 * has passed as the rate allows, however often and at whatever moments it was asked (the leaky bucket as a meter, ITU-T
 * I.371, with the remainder kept).
 *
 * Backpressure reaches a producer by itself: its sends are staged, and where the consumer's lane is full under Block the
 * producer parks, hook and all. What it had not taken from the bucket by then it makes later; the bucket fills to `burst`
 * meanwhile, and no further, so nothing is made up for.
 *
 * Any state; by one thread of the group. Zeros are a bucket that nothing passes until it is set. */
#ifndef RINGKERNEL_PATTERN_LIMIT_H
#define RINGKERNEL_PATTERN_LIMIT_H

#include "../device/handler.h"
#include "../device/timer.h"

#define RK_LIMIT_UNITS_MAX 0x7ffffffffffffffful /* burst times period */

typedef struct rk_limit {
    rk_u64 credit;    /* in 1 / period_ns of a token */
    rk_u64 most;      /* credit of a full bucket */
    rk_u64 seen_ns;   /* the time that credit is of */
    rk_u64 period_ns; /* credit of one token; 0: not set */
    rk_u32 tokens;    /* credit of one nanosecond */
    rk_u32 limit_;
    rk_u64 passed, held; /* tokens taken, and tokens refused; for reading */
} rk_limit;

RK_STATIC_ASSERT(sizeof(rk_limit) == 56, "rate limit");

/* Set the rate: `tokens` (1 to 4,294,967,295) in each `period_ns`, at most `burst` at once. A new bucket is full; one that
 * was set before keeps the tokens that it has by now, and where the period stays the fraction of the next one, too: so a
 * rate that is set again with every message is that rate.
 * RK_INVALID_ARGUMENT: one of them is 0, or burst times period_ns is over 2^63 - 1; nothing changes. */
#define rk_limit_set(arg, limit, tokens, period_ns, burst) \
    rk_limit_set_at(limit, tokens, period_ns, burst, rk_now_ns())

/* Take `n` tokens: 1. Or, if fewer are there, none: 0. */
#define rk_limit_take(arg, limit, n) rk_limit_take_at(limit, n, rk_now_ns())

/* Take as many tokens as are there, up to `most`: how many. */
#define rk_limit_take_up_to(arg, limit, most) rk_limit_take_up_to_at(limit, most, rk_now_ns())

/* What has come in since the last look. A time before that changes nothing. */
RK_FN void rk_limit_fill(RK_GLOBAL rk_limit *limit, rk_u64 now_ns)
{
    if (limit->period_ns == 0 || now_ns <= limit->seen_ns) return;
    rk_u64 passed_ns = now_ns - limit->seen_ns;
    limit->seen_ns = now_ns;
    if (passed_ns > (limit->most - limit->credit) / limit->tokens)
        limit->credit = limit->most;
    else
        limit->credit += passed_ns * limit->tokens;
}

RK_FN rk_status rk_limit_set_at(RK_GLOBAL rk_limit *limit, rk_u32 tokens, rk_u64 period_ns, rk_u64 burst,
                                rk_u64 now_ns)
{
    if (tokens == 0 || period_ns == 0 || burst == 0 || burst > RK_LIMIT_UNITS_MAX / period_ns)
        return RK_INVALID_ARGUMENT;
    const rk_u64 most = burst * period_ns;
    rk_u64 credit = most;
    rk_limit_fill(limit, now_ns);
    if (limit->period_ns == period_ns) {
        credit = limit->credit;
    } else if (limit->period_ns) {
        const rk_u64 whole = limit->credit / limit->period_ns;
        if (whole < burst) credit = whole * period_ns;
    } else {
        limit->seen_ns = now_ns;
    }
    limit->most = most;
    limit->credit = credit < most ? credit : most;
    limit->period_ns = period_ns;
    limit->tokens = tokens;
    return RK_OK;
}

RK_FN rk_u32 rk_limit_take_up_to_at(RK_GLOBAL rk_limit *limit, rk_u32 most, rk_u64 now_ns)
{
    rk_limit_fill(limit, now_ns);
    rk_u64 there = limit->period_ns ? limit->credit / limit->period_ns : 0;
    rk_u32 n = there < most ? (rk_u32)there : most;
    limit->credit -= n * limit->period_ns;
    limit->passed += n;
    limit->held += most - n;
    return n;
}

RK_FN rk_u32 rk_limit_take_at(RK_GLOBAL rk_limit *limit, rk_u32 n, rk_u64 now_ns)
{
    rk_limit_fill(limit, now_ns);
    if (limit->period_ns == 0 || n > limit->credit / limit->period_ns) {
        limit->held += n;
        return 0;
    }
    limit->credit -= n * limit->period_ns;
    limit->passed += n;
    return 1;
}

/* When `n` tokens will be there, if none are taken meanwhile: a time for rk_wake_at. RK_NEVER: more than a full
 * bucket has, or the bucket is not set. */
RK_FN rk_u64 rk_limit_when(RK_GLOBAL const rk_limit *limit, rk_u32 n)
{
    if (limit->period_ns == 0 || n > limit->most / limit->period_ns) return RK_NEVER;
    rk_u64 needed = n * limit->period_ns;
    if (needed <= limit->credit) return limit->seen_ns;
    return limit->seen_ns + (needed - limit->credit + limit->tokens - 1u) / limit->tokens;
}

#endif
