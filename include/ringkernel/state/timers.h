/* Timers of a shard: as many as are declared, set, cancelled and found due in constant time.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/timers.h>
 *
 *     RK_TIMERS(alarms, 64)                                  // timers 0 to 63
 *     typedef struct desk { alarms timers; … } desk;
 *
 *     RK_HANDLER(reminder, task, msg, desk, self, .state = RK_PER_SHARD)
 *     {
 *         rk_timer_set(RK_ARG, &self->timers, msg->place, rk_now_ns() + msg->delay_ns);
 *     }
 *
 *     RK_ON_TIMER(reminder, desk, self)
 *     {
 *         rk_u32 budget = 32, place;                         // of the work of one call
 *         while ((place = rk_timers_due(RK_ARG, &self->timers, &budget)) != RK_NO_TIMER) { … }
 *         rk_timers_wake(RK_ARG, &self->timers);             // what is left and what is due later
 *     }
 *
 * A timer has a number, which the kernel gives it: the place in its own table of what is to happen. Times are ns on
 * the clock of rk_now_ns(). Zeros are timers of which none is set, so a fresh state needs no preparation. All
 * calls are made by one thread of the group, as a send.
 *
 * The wheel is hierarchical (Varghese & Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 7) over
 * the digits of the time itself: 64 slots for each six bits of it, down to the nanosecond. A timer hangs at the level
 * of the highest digit in which its time differs from the wheel's, and moves down when the wheel gets there, at most
 * ten times in its life. So there is no tick, no end of the range, and no timer is early or late. A word for each
 * level says which of its slots have timers. */
#ifndef RINGKERNEL_STATE_TIMERS_H
#define RINGKERNEL_STATE_TIMERS_H

#include "../device/histogram.h"
#include "../device/timer.h"

#define RK_NO_TIMER 0xffffffffu   /* no timer is due */
#define RK_TIMERS_MAX 0x7fffffffu /* timers of one wheel */
#define RK_TIMER_DIGIT 6u         /* bits */
#define RK_TIMER_SLOTS 64u        /* of a level */
#define RK_TIMER_LEVELS 11u       /* 66 bits */
#define RK_TIMERS_LOOK 16u        /* timers of a slot that rk_timers_next looks at */

/* One timer. Links and slots are numbers + 1, so that 0 is none. */
typedef struct rk_timer {
    rk_u64 when_ns;
    rk_u32 slot;         /* where it hangs; 0: it isn't set */
    rk_u32 next, before; /* in a circle */
    rk_u32 timer_;
} rk_timer;

typedef struct rk_timers {
    rk_u64 now_ns;                /* how far the wheel has turned: no timer hangs before it */
    rk_u64 used[RK_TIMER_LEVELS]; /* bit s: slot s of the level has timers */
    rk_u32 first[RK_TIMER_LEVELS * RK_TIMER_SLOTS];
    rk_u32 emptied; /* the slot that is being moved down */
    rk_u32 set;     /* timers that are set */
} rk_timers;

RK_STATIC_ASSERT(sizeof(rk_timer) == 24, "timer");
RK_STATIC_ASSERT(sizeof(rk_timers) == 104 + 4 * 704, "timers");

/* Declare type `name`: timers 0 … count - 1, 24 bytes each and 2,920 for the wheel. */
#define RK_TIMERS(name, count)                                                             \
    RK_STATIC_ASSERT((count) > 0 && (count) <= RK_TIMERS_MAX, #name ": how many timers?"); \
    typedef struct name {                                                                  \
        rk_timers wheel;                                                                   \
        rk_timer timer[count];                                                             \
    } name;

/* ------------------------------------------------------------------ the wheel */

RK_FN RK_GLOBAL rk_timer *rk_timer_at(RK_GLOBAL rk_timers *wheel, rk_u32 place)
{
    return (RK_GLOBAL rk_timer *)(wheel + 1) + place;
}

/* The slot for a time that isn't before the wheel's. */
RK_FN rk_u32 rk_timers_slot(RK_GLOBAL const rk_timers *wheel, rk_u64 when_ns)
{
    rk_u64 differs = when_ns ^ wheel->now_ns;
    rk_u32 level = differs ? rk_log2_u64(differs) / RK_TIMER_DIGIT : 0u;
    return level * RK_TIMER_SLOTS + ((rk_u32)(when_ns >> (level * RK_TIMER_DIGIT)) & (RK_TIMER_SLOTS - 1u));
}

/* Hang a timer behind the others of its slot. */
RK_FN void rk_timers_hang(RK_GLOBAL rk_timers *wheel, rk_u32 place, rk_u64 when_ns)
{
    RK_GLOBAL rk_timer *timer = rk_timer_at(wheel, place);
    rk_u32 slot = rk_timers_slot(wheel, when_ns), first = wheel->first[slot];
    timer->when_ns = when_ns;
    timer->slot = slot + 1u;
    if (first) {
        RK_GLOBAL rk_timer *head = rk_timer_at(wheel, first - 1u);
        timer->next = first;
        timer->before = head->before;
        rk_timer_at(wheel, head->before - 1u)->next = place + 1u;
        head->before = place + 1u;
    } else {
        timer->next = timer->before = wheel->first[slot] = place + 1u;
        wheel->used[slot / RK_TIMER_SLOTS] |= (rk_u64)1 << (slot % RK_TIMER_SLOTS);
    }
}

RK_FN void rk_timers_unhang(RK_GLOBAL rk_timers *wheel, rk_u32 place)
{
    RK_GLOBAL rk_timer *timer = rk_timer_at(wheel, place);
    rk_u32 slot = timer->slot - 1u;
    timer->slot = 0;
    if (timer->next == place + 1u) {
        wheel->first[slot] = 0;
        wheel->used[slot / RK_TIMER_SLOTS] &= ~((rk_u64)1 << (slot % RK_TIMER_SLOTS));
        if (wheel->emptied == slot + 1u) wheel->emptied = 0;
        return;
    }
    rk_timer_at(wheel, timer->next - 1u)->before = timer->before;
    rk_timer_at(wheel, timer->before - 1u)->next = timer->next;
    if (wheel->first[slot] == place + 1u) wheel->first[slot] = timer->next;
}

/* The slot with the earliest timers: the lowest of the lowest level, since a level's timers are all before those of
 * the next, and none of them is behind the wheel. At least one timer is set. */
RK_FN rk_u32 rk_timers_first(RK_GLOBAL const rk_timers *wheel)
{
    rk_u32 level = 0;
    if (wheel->emptied) return wheel->emptied - 1u;
    while (!wheel->used[level]) level++;
    rk_u64 used = wheel->used[level];
    return level * RK_TIMER_SLOTS + rk_log2_u64(used & (0 - used));
}

/* When a slot begins: no timer in it is earlier. */
RK_FN rk_u64 rk_timers_begin(RK_GLOBAL const rk_timers *wheel, rk_u32 slot)
{
    rk_u32 shift = slot / RK_TIMER_SLOTS * RK_TIMER_DIGIT;
    rk_u64 above =
        shift + RK_TIMER_DIGIT >= 64u ? 0 : wheel->now_ns >> (shift + RK_TIMER_DIGIT) << RK_TIMER_DIGIT;
    return (above | slot % RK_TIMER_SLOTS) << shift;
}

RK_FN void rk_timers_set(RK_GLOBAL rk_timers *wheel, rk_u32 place, rk_u64 when_ns)
{
    if (rk_timer_at(wheel, place)->slot)
        rk_timers_unhang(wheel, place);
    else
        wheel->set++;
    rk_timers_hang(wheel, place, when_ns > wheel->now_ns ? when_ns : wheel->now_ns);
}

RK_FN rk_u32 rk_timers_cancel(RK_GLOBAL rk_timers *wheel, rk_u32 place)
{
    if (!rk_timer_at(wheel, place)->slot) return 0;
    rk_timers_unhang(wheel, place);
    wheel->set--;
    return 1;
}

/* The next timer that is due at `now_ns`, which is not set any more; of several the earliest, and of those of one time
 * the one that was set first. Each timer costs one of the budget, and so does each that moves down a level.
 * RK_NO_TIMER: none is due, or the budget is spent. */
RK_FN rk_u32 rk_timers_take(RK_GLOBAL rk_timers *wheel, rk_u64 now_ns, rk_u32 *budget)
{
    while (wheel->set && *budget) {
        rk_u32 slot = rk_timers_first(wheel), place = wheel->first[slot] - 1u;
        if (!wheel->emptied) {
            rk_u64 begin = rk_timers_begin(wheel, slot);
            if (begin > now_ns) break;
            wheel->now_ns = begin;
        }
        --*budget;
        if (slot < RK_TIMER_SLOTS) {
            rk_timers_cancel(wheel, place);
            return place;
        }
        wheel->emptied = slot + 1u;
        rk_timers_unhang(wheel, place);
        rk_timers_hang(wheel, place, rk_timer_at(wheel, place)->when_ns);
    }
    if (*budget && now_ns > wheel->now_ns) wheel->now_ns = now_ns; /* it passes no slot that has timers */
    return RK_NO_TIMER;
}

/* When the next timer is due: exactly, or where more than RK_TIMERS_LOOK timers share its slot a time before that (the
 * wheel then has something to move down). RK_NEVER: none is set. */
RK_FN rk_u64 rk_timers_next(RK_GLOBAL rk_timers *wheel)
{
    if (!wheel->set) return RK_NEVER;
    if (wheel->emptied) return wheel->now_ns;
    rk_u32 slot = rk_timers_first(wheel), at = wheel->first[slot];
    rk_u64 earliest = RK_NEVER;
    for (rk_u32 i = 0; i < RK_TIMERS_LOOK; i++) {
        RK_GLOBAL const rk_timer *timer = rk_timer_at(wheel, at - 1u);
        if (timer->when_ns < earliest) earliest = timer->when_ns;
        at = timer->next;
        if (at == wheel->first[slot]) return earliest;
    }
    if (earliest == RK_NEVER) return RK_NEVER; /* what shares a slot with them is due in centuries */
    return rk_timers_begin(wheel, slot);
}

/* ------------------------------------------------------------------ what a kernel calls */

#define RK_TIMERS_COUNT(timers) (sizeof((timers)->timer) / sizeof((timers)->timer[0]))

/* Set a timer, or set it anew: it is due at or after `when_ns`. The hook is asked for.
 * RK_INVALID_ARGUMENT: there is no timer of that number. RK_UNSUPPORTED: the kernel has no RK_ON_TIMER. Neither sets
 * anything. */
#define rk_timer_set(arg, timers, place, when_ns) \
    rk_timer_set_of(arg, &(timers)->wheel, RK_TIMERS_COUNT(timers), place, when_ns)
RK_FN rk_status rk_timer_set_of(RK_CTX, RK_GLOBAL rk_timers *wheel, rk_u64 count, rk_u32 place,
                                rk_u64 when_ns)
{
    if (place >= count) return RK_INVALID_ARGUMENT;
    rk_status status = rk_wake_at(rk_ctx, when_ns);
    if (status != RK_OK) return status;
    if (!wheel->set && wheel->now_ns < rk_ctx->now_ns)
        wheel->now_ns = rk_ctx->now_ns; /* hangs as low as can be */
    rk_timers_set(wheel, place, when_ns);
    return RK_OK;
}

/* Cancel a timer. 1: it was set. The hook may come for it all the same, and finds nothing due. */
#define rk_timer_cancel(timers, place) rk_timer_cancel_of(&(timers)->wheel, RK_TIMERS_COUNT(timers), place)
RK_FN rk_u32 rk_timer_cancel_of(RK_GLOBAL rk_timers *wheel, rk_u64 count, rk_u32 place)
{
    return place < count && rk_timers_cancel(wheel, place);
}

/* 1: the timer is set, and wasn't found due yet. */
#define rk_timer_is_set(timers, place) rk_timer_is_set_of(&(timers)->wheel, RK_TIMERS_COUNT(timers), place)
RK_FN rk_u32 rk_timer_is_set_of(RK_GLOBAL rk_timers *wheel, rk_u64 count, rk_u32 place)
{
    return place < count && rk_timer_at(wheel, place)->slot != 0;
}

/* In the hook: the next timer that is due, see rk_timers_take. */
#define rk_timers_due(arg, timers, budget) rk_timers_take(&(timers)->wheel, (arg)->now_ns, budget)

/* At the end of the hook: ask for the next time, which is now where the budget was spent before all were taken. */
#define rk_timers_wake(arg, timers) rk_timers_ask(arg, &(timers)->wheel)
RK_FN void rk_timers_ask(RK_CTX, RK_GLOBAL rk_timers *wheel)
{
    rk_u64 next_ns = rk_timers_next(wheel);
    if (next_ns != RK_NEVER) rk_wake_at(rk_ctx, next_ns);
}

#endif
