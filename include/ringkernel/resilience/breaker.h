/* A circuit breaker: who fails often is left alone for a while, and then asked carefully whether it is well again
 * (Nygard, "Release It!", 2007).
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/resilience/breaker.h>
 *
 *     RK_FN rk_breaker_rule careful(void)
 *     {
 *         rk_breaker_rule rule = { .failures = 5, .open_ns = RK_SECONDS(30) };
 *         return rule;
 *     }
 *
 *     RK_HANDLER(caller, task, msg, desk, self, .state = RK_PER_SHARD)
 *     {
 *         rk_breaker_pass pass = rk_breaker_ask(&self->breaker, careful(), rk_now_ns());
 *         if (pass == RK_NO_PASS) { rk_fail(RK_ARG, unavailable); return; }
 *         rk_breaker_tell(&self->breaker, careful(), pass, attempt(self, msg), rk_now_ns());
 *     }
 *
 * Closed: all pass. Open, for `open_ns`: none does. Half-open: up to `probes` pass at a time; `successes` of them close
 * it, one failure opens it again. Outcomes may be told much later, by another handler: keep the pass with the request.
 * One that comes from an earlier period is counted and changes nothing, so an answer from before the failure doesn't
 * close a breaker that is half-open. When probes are under way and for `open_ns` nobody tells how one went, they have
 * failed. A pass counts once: who tells a probe again, when none is under way, is counted as stale.
 *
 * It opens by count (`failures` in a row, or with a window: within it), by rate (`percent` of at least `calls` outcomes
 * within the window), or by whichever comes first. The window is exact to a sixteenth of it: outcomes are counted in
 * sixteen parts, of which the oldest is forgotten as a whole.
 *
 * Zeros are a closed breaker. Times are of rk_now_ns(). Nothing needs a timer: who asks finds the state that the time has
 * made. By one thread of the group. A rule goes by value, and may be filled from parameters. */
#ifndef RINGKERNEL_RESILIENCE_BREAKER_H
#define RINGKERNEL_RESILIENCE_BREAKER_H

#include "../device/timer.h"

/* When a breaker opens, and for how long. */
typedef struct rk_breaker_rule {
    rk_u32 failures;  /* that open it; 0: not by count */
    rk_u32 percent;   /* 1…100 of the outcomes in the window that failed; 0: not by rate */
    rk_u32 calls;     /* outcomes in the window, before the rate counts */
    rk_u32 probes;    /* that may be under way while it is half-open; 0: 1 */
    rk_u32 successes; /* of probes, that close it; 0: 1 */
    rk_u32 rule_;
    rk_u64 window_ns; /* in which outcomes count; 0: failures in a row, and no rate */
    rk_u64 open_ns;   /* that it stays open, and that probes may take; 0: 30 s; RK_NO_DEADLINE: for good */
} rk_breaker_rule;

#define RK_BREAKER_CLOSED 0u
#define RK_BREAKER_OPEN 1u
#define RK_BREAKER_HALF_OPEN 2u

#define RK_BREAKER_PARTS 16u /* of a window */
#define RK_BREAKER_OPEN_DEFAULT RK_SECONDS(30)

/* Leave to make one call: the number of the period that it belongs to, + 1. */
typedef rk_u32 rk_breaker_pass;
#define RK_NO_PASS 0u

typedef struct rk_breaker {
    rk_u32 state;  /* RK_BREAKER_*, at the last call */
    rk_u32 period; /* of one state */
    rk_u64 since_ns;
    rk_u64 part;                   /* number of the window's newest part */
    rk_u32 good[RK_BREAKER_PARTS]; /* outcomes in each part; part p is at p mod 16 */
    rk_u32 bad[RK_BREAKER_PARTS];
    rk_u32 good_all, bad_all;           /* sums of them; without a window, bad_all is failures in a row */
    rk_u32 under_way, well;             /* half-open: probes without an outcome, and those that went well */
    rk_u64 passed, refused;             /* asked, and answered so */
    rk_u64 succeeded, failed, stale;    /* told; stale: of an earlier period, or of no probe */
    rk_u64 opened, half_opened, closed; /* transitions */
} rk_breaker;

RK_STATIC_ASSERT(sizeof(rk_breaker) == 232, "breaker");
RK_STATIC_ASSERT(sizeof(rk_breaker_rule) == 40, "breaker rule");

RK_FN void rk_breaker_forget(RK_GLOBAL rk_breaker *breaker)
{
    for (rk_u32 p = 0; p < RK_BREAKER_PARTS; p++) breaker->good[p] = breaker->bad[p] = 0;
    breaker->good_all = breaker->bad_all = 0;
    breaker->under_way = breaker->well = 0;
}

RK_FN void rk_breaker_enter(RK_GLOBAL rk_breaker *breaker, rk_u32 state, rk_u64 now_ns)
{
    breaker->state = state;
    breaker->period++;
    breaker->since_ns = now_ns;
    rk_breaker_forget(breaker);
    breaker->opened += state == RK_BREAKER_OPEN;
    breaker->half_opened += state == RK_BREAKER_HALF_OPEN;
    breaker->closed += state == RK_BREAKER_CLOSED;
}

/* Parts that are no longer in the window go; all of them, if it is another window or another clock than before. */
RK_FN void rk_breaker_turn(RK_GLOBAL rk_breaker *breaker, rk_u64 window_ns, rk_u64 now_ns)
{
    rk_u64 part_ns = window_ns / RK_BREAKER_PARTS, now = now_ns / (part_ns ? part_ns : 1u);
    if (now < breaker->part || now >= breaker->part + RK_BREAKER_PARTS) {
        rk_breaker_forget(breaker);
        breaker->part = now;
    }
    while (breaker->part < now) {
        rk_u32 oldest = (rk_u32)(++breaker->part % RK_BREAKER_PARTS);
        breaker->good_all -= breaker->good[oldest];
        breaker->bad_all -= breaker->bad[oldest];
        breaker->good[oldest] = breaker->bad[oldest] = 0;
    }
}

RK_FN rk_u64 rk_breaker_open_ns(rk_breaker_rule rule)
{
    return rule.open_ns ? rule.open_ns : RK_BREAKER_OPEN_DEFAULT;
}

/* When the time that it is open, or that a probe may take, is over. */
RK_FN rk_u64 rk_breaker_end_ns(RK_GLOBAL const rk_breaker *breaker, rk_breaker_rule rule)
{
    return rk_time_after(breaker->since_ns, rk_breaker_open_ns(rule));
}

/* What the time has made of it: RK_BREAKER_*. */
RK_FN rk_u32 rk_breaker_look(RK_GLOBAL rk_breaker *breaker, rk_breaker_rule rule, rk_u64 now_ns)
{
    if (now_ns < rk_breaker_end_ns(breaker, rule)) return breaker->state;
    if (breaker->state == RK_BREAKER_OPEN)
        rk_breaker_enter(breaker, RK_BREAKER_HALF_OPEN, now_ns);
    else if (breaker->state == RK_BREAKER_HALF_OPEN && breaker->under_way)
        rk_breaker_enter(breaker, RK_BREAKER_OPEN, now_ns);
    return breaker->state;
}

/* May a call be made? A pass, to be told with its outcome; RK_NO_PASS: no, and that was counted. */
RK_FN rk_breaker_pass rk_breaker_ask(RK_GLOBAL rk_breaker *breaker, rk_breaker_rule rule, rk_u64 now_ns)
{
    rk_u32 state = rk_breaker_look(breaker, rule, now_ns), probes = rule.probes ? rule.probes : 1u;
    if (state == RK_BREAKER_OPEN || (state == RK_BREAKER_HALF_OPEN && breaker->under_way >= probes)) {
        breaker->refused++;
        return RK_NO_PASS;
    }
    if (state == RK_BREAKER_HALF_OPEN && breaker->under_way++ == 0) breaker->since_ns = now_ns;
    breaker->passed++;
    return breaker->period + 1u;
}

RK_FN rk_u32 rk_breaker_is_too_much(RK_GLOBAL const rk_breaker *breaker, rk_breaker_rule rule)
{
    rk_u64 all = (rk_u64)breaker->good_all + breaker->bad_all;
    if (rule.failures && breaker->bad_all >= rule.failures) return 1;
    return rule.percent && rule.window_ns && all >= rule.calls && breaker->bad_all &&
           (rk_u64)breaker->bad_all * 100u >= all * rule.percent;
}

/* How a call went that had a pass: `good` 1 or 0. */
RK_FN void rk_breaker_tell(RK_GLOBAL rk_breaker *breaker, rk_breaker_rule rule, rk_breaker_pass pass,
                           rk_u32 good, rk_u64 now_ns)
{
    rk_u32 state = rk_breaker_look(breaker, rule, now_ns), successes = rule.successes ? rule.successes : 1u;
    good = good != 0;
    breaker->succeeded += good;
    breaker->failed += !good;
    if (pass != breaker->period + 1u || (state == RK_BREAKER_HALF_OPEN && breaker->under_way == 0)) {
        breaker->stale++;
    } else if (state == RK_BREAKER_HALF_OPEN) {
        breaker->under_way--;
        breaker->since_ns = now_ns; /* the others have as long again */
        breaker->well += good;
        if (!good)
            rk_breaker_enter(breaker, RK_BREAKER_OPEN, now_ns);
        else if (breaker->well >= successes)
            rk_breaker_enter(breaker, RK_BREAKER_CLOSED, now_ns);
    } else if (rule.window_ns) {
        rk_breaker_turn(breaker, rule.window_ns, now_ns);
        rk_u32 part = (rk_u32)(breaker->part % RK_BREAKER_PARTS);
        breaker->good[part] += good;
        breaker->bad[part] += !good;
        breaker->good_all += good;
        breaker->bad_all += !good;
        if (!good && rk_breaker_is_too_much(breaker, rule))
            rk_breaker_enter(breaker, RK_BREAKER_OPEN, now_ns);
    } else {
        if (!good)
            breaker->bad_all++;
        else if (breaker->bad_all)
            rk_breaker_forget(breaker);
        if (rk_breaker_is_too_much(breaker, rule)) rk_breaker_enter(breaker, RK_BREAKER_OPEN, now_ns);
    }
}

/* When an open breaker is half-open, for who keeps the work until then; 0: it isn't open. */
RK_FN rk_u64 rk_breaker_open_until(RK_GLOBAL rk_breaker *breaker, rk_breaker_rule rule, rk_u64 now_ns)
{
    return rk_breaker_look(breaker, rule, now_ns) == RK_BREAKER_OPEN ? rk_breaker_end_ns(breaker, rule) : 0;
}

#endif
