/* Retries: a message whose handling didn't work out is kept whole, and tried again later, each time after a longer
 * pause. A handler never sleeps.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/resilience/retry.h>
 *
 *     RK_REASON(declined)
 *     RK_RETRIES(payments, payment, 64)                      // up to 64 payments that wait
 *     typedef struct desk { payments waiting; … } desk;
 *
 *     RK_FN rk_retry_rule thrice(void)
 *     {
 *         rk_retry_rule rule = { .retries = 3, .jitter_percent = 10, .first_ns = RK_MILLISECONDS(100) };
 *         return rule;
 *     }
 *
 *     RK_HANDLER(cashier, payment, msg, desk, self, .state = RK_PER_SHARD)
 *     {
 *         if (charge(self, msg)) return;
 *         if (rk_retry_keep(RK_ARG, &self->waiting, msg, thrice()) != RK_OK) rk_fail(RK_ARG, declined);
 *     }
 *
 *     RK_ON_TIMER(cashier, desk, self)
 *     {
 *         rk_u32 budget = 32, place;                         // attempts of one call
 *         while ((place = rk_retry_due(RK_ARG, &self->waiting, &budget)) != RK_NO_TIMER)
 *             if (charge(self, rk_retry_message(&self->waiting, place)))
 *                 rk_retry_done(&self->waiting, place);
 *             else
 *                 rk_retry_again(RK_ARG, &self->waiting, place, thrice(), declined);
 *         rk_timers_wake(RK_ARG, &self->waiting);
 *     }
 *
 * Here that is at 0, 100, 300 and 700 ms, each pause 10 % longer or shorter by chance, and then a dead letter with
 * the reason `declined`. The jitter is a hash of the shard and a count, so it is the same each time that the same messages
 * come, and different from shard to shard.
 *
 * The message is kept with its header. What the account counts as handled is the call that kept it; the letter at the
 * end is one of the kernel's dead letters, with the type, target, id and attempts of the message. A request is not
 * answered by being kept: reply in the hook by rk_retry_reply; the end of all attempts answers it with RK_DEAD.
 * Header field `attempts` (long headers) has the attempts before. A drain waits until each message is done or dead.
 * A message whose time to live is over before its next attempt gets none: it is given up at once.
 *
 * Messages of one type, up to 1 KiB; state of a shard; by one thread of the group. Zeros are a table without
 * messages. The table is also an RK_TIMERS: rk_timers_wake takes it. */
#ifndef RINGKERNEL_RESILIENCE_RETRY_H
#define RINGKERNEL_RESILIENCE_RETRY_H

#include "../device/handler.h"
#include "../state/timers.h"

typedef struct rk_retry_rule {
    rk_u32 retries;        /* attempts after the first; the header's field ends at 255 */
    rk_u32 factor;         /* by which each pause is longer than the last; 0: 2 */
    rk_u32 jitter_percent; /* 0…100 of a pause, longer or shorter */
    rk_u32 rule_;
    rk_u64 first_ns;   /* the first pause */
    rk_u64 longest_ns; /* before jitter; 0: no bound */
} rk_retry_rule;

/* A message that waits; its payload follows. */
typedef struct rk_kept {
    rk_u64 kept_ns;        /* when the first attempt failed */
    rk_u32 attempts;       /* so far */
    rk_u32 reason;         /* + 1: given up, and its letter is still to go out; else 0 */
    rk_u32 free, in_use;   /* the next free place + 1 */
    rk_header_long header; /* a short one lies at its end, before the payload */
} rk_kept;

/* Counts are of this state, and are for reading. */
typedef struct rk_retries {
    rk_u32 fresh, free; /* places that were never used begin at `fresh`; the first free one + 1 */
    rk_u32 waiting;     /* messages in the table */
    rk_u32 retries_;
    rk_u64 drawn; /* pauses drawn */
    rk_u64 kept, retried, done, dead;
    rk_u64 refused; /* not kept, since all places were taken */
} rk_retries;

RK_STATIC_ASSERT(sizeof(rk_kept) == 72, "kept message");
RK_STATIC_ASSERT(sizeof(rk_retries) == 64, "retries");

/* Declare type `name`: up to `count` messages of that type that wait for another attempt. 3 KiB and, for each, its
 * size and 96 bytes. */
#define RK_RETRIES(name, message_, count)                                                             \
    RK_STATIC_ASSERT(sizeof(message_) <= RK_INLINE_MAX, #name ": messages over 1 KiB can't be kept"); \
    RK_STATIC_ASSERT((count) > 0 && (count) <= RK_TIMERS_MAX, #name ": how many messages?");          \
    typedef struct name##_kept {                                                                      \
        rk_kept head;                                                                                 \
        message_ message;                                                                             \
    } name##_kept;                                                                                    \
    RK_STATIC_ASSERT(RK_OFFSET_OF(name##_kept, message) == sizeof(rk_kept),                           \
                     #name ": the message is aligned by more than 8");                                \
    typedef struct name {                                                                             \
        rk_retries book;                                                                              \
        rk_timers wheel;                                                                              \
        rk_timer timer[count];                                                                        \
        name##_kept kept[count];                                                                      \
    } name;

/* What the functions need to know of a table. */
typedef struct rk_retry_table {
    RK_GLOBAL rk_retries *book;
    RK_GLOBAL rk_timers *wheel;
    RK_GLOBAL rk_u8 *kept;
    rk_u32 stride, count;
} rk_retry_table;

RK_FN rk_retry_table rk_retry_open(RK_GLOBAL rk_retries *book, RK_GLOBAL rk_timers *wheel,
                                   RK_GLOBAL void *kept, rk_u64 stride, rk_u64 count)
{
    rk_retry_table table;
    table.book = book;
    table.wheel = wheel;
    table.kept = (RK_GLOBAL rk_u8 *)kept;
    table.stride = (rk_u32)stride;
    table.count = (rk_u32)count;
    return table;
}
#define RK_RETRY_TABLE(r) \
    rk_retry_open(&(r)->book, &(r)->wheel, (r)->kept, sizeof((r)->kept[0]), RK_TIMERS_COUNT(r))

RK_FN RK_GLOBAL rk_kept *rk_retry_at(rk_retry_table table, rk_u32 place)
{
    return (RK_GLOBAL rk_kept *)(table.kept + (rk_u64)place * table.stride);
}

/* The header of a kept message, as it lay in its slot: right before the payload. */
RK_FN RK_GLOBAL rk_header *rk_retry_header(RK_CTX, RK_GLOBAL rk_kept *kept)
{
    rk_u32 size = rk_ctx->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT;
    return (RK_GLOBAL rk_header *)((RK_GLOBAL rk_u8 *)(kept + 1) - size);
}

/* ------------------------------------------------------------------ pauses */

#define RK_RETRY_PAUSE_MAX (RK_NEVER / 256u) /* two years, so that jitter has room */

/* The pause after attempt number `attempts`, without its jitter. */
RK_FN rk_u64 rk_retry_pause(rk_retry_rule rule, rk_u32 attempts)
{
    rk_u64 most =
        rule.longest_ns && rule.longest_ns < RK_RETRY_PAUSE_MAX ? rule.longest_ns : RK_RETRY_PAUSE_MAX;
    rk_u64 pause = rule.first_ns;
    rk_u32 factor = rule.factor ? rule.factor : 2u;
    for (rk_u32 i = 1; i < attempts && factor > 1u && pause && pause < most; i++)
        pause = pause > most / factor ? most : pause * factor;
    return pause < most ? pause : most;
}

/* The same with jitter: `draw` is any number. */
RK_FN rk_u64 rk_retry_jittered(rk_retry_rule rule, rk_u32 attempts, rk_u64 draw)
{
    rk_u64 pause = rk_retry_pause(rule, attempts);
    rk_u64 jitter = pause / 100u * (rule.jitter_percent < 100u ? rule.jitter_percent : 100u);
    return pause - jitter + rk_hash64(draw) % (2u * jitter + 1u);
}

/* When the attempt after number `attempts` is due. */
RK_FN rk_u64 rk_retry_when(RK_CTX, rk_retry_table table, rk_retry_rule rule, rk_u32 attempts)
{
    rk_u64 draw = (rk_u64)rk_ctx->shard->shard << 40 | ++table.book->drawn;
    return rk_time_after(rk_ctx->now_ns, rk_retry_jittered(rule, attempts, draw));
}

/* 1: the message's time to live is over then. */
RK_FN rk_u32 rk_retry_is_over(RK_CTX, RK_GLOBAL const rk_header *header, rk_u64 when_ns)
{
    RK_GLOBAL const rk_header_long *full = (RK_GLOBAL const rk_header_long *)header;
    if (!(rk_ctx->features & RK_FEATURE_LONG)) return 0;
    return rk_message_expired(rk_ctx, full, when_ns > full->sent_ns ? when_ns - full->sent_ns : 0);
}

/* ------------------------------------------------------------------ places */

RK_FN rk_u32 rk_retry_take_place(rk_retry_table table)
{
    RK_GLOBAL rk_retries *book = table.book;
    rk_u32 place = book->free ? book->free - 1u : book->fresh;
    if (place == table.count) return RK_NO_TIMER;
    if (book->free)
        book->free = rk_retry_at(table, place)->free;
    else
        book->fresh++;
    rk_retry_at(table, place)->in_use = 1;
    book->waiting++;
    return place;
}

RK_FN void rk_retry_give_place(rk_retry_table table, rk_u32 place)
{
    RK_GLOBAL rk_kept *kept = rk_retry_at(table, place);
    rk_timers_cancel(table.wheel, place);
    kept->in_use = 0;
    kept->free = table.book->free;
    table.book->free = place + 1u;
    table.book->waiting--;
}

/* ------------------------------------------------------------------ what a kernel calls */

/* In a handler: keep a message, the first attempt of which has failed, and plan the next.
 *   RK_FULL          all places are taken (counted), or
 *   RK_LIMIT         the rule has no retries, or the message's time to live is over before the next attempt: refuse
 *                    the message by rk_fail
 *   RK_UNKNOWN_TYPE  the message isn't of the table's type
 *   RK_UNSUPPORTED   the kernel has no RK_ON_TIMER */
#define rk_retry_keep(arg, retries, msg, rule) \
    rk_retry_keep_in(arg, RK_RETRY_TABLE(retries), RK_TYPE_ID_OF(&(retries)->kept[0].message), msg, rule)
RK_FN rk_status rk_retry_keep_in(RK_CTX, rk_retry_table table, rk_u32 type, RK_MSG const void *msg,
                                 rk_retry_rule rule)
{
    RK_GLOBAL const rk_header *header = rk_header_of(rk_ctx, msg);
    if (header->type != type) return RK_UNKNOWN_TYPE;
    if (rule.retries == 0) return RK_LIMIT;
    if (!rk_ctx->shard->timer) return RK_UNSUPPORTED;
    rk_u64 when_ns = rk_retry_when(rk_ctx, table, rule, 1);
    if (rk_retry_is_over(rk_ctx, header, when_ns)) return RK_LIMIT;
    rk_u32 place = rk_retry_take_place(table);
    if (place == RK_NO_TIMER) {
        table.book->refused++;
        return RK_FULL;
    }
    RK_GLOBAL rk_kept *kept = rk_retry_at(table, place);
    RK_GLOBAL rk_header *copy = rk_retry_header(rk_ctx, kept);
    rk_u32 size = (rk_u32)((RK_GLOBAL rk_u8 *)(kept + 1) - (RK_GLOBAL rk_u8 *)copy);
    rk_copy_global(copy, header, size + header->length);
    kept->kept_ns = rk_ctx->now_ns;
    kept->attempts = 1;
    kept->reason = 0;
    if (header->flags & RK_FLAG_REQUEST)
        ((RK_GLOBAL rk_header *)header)->flags |= RK_FLAG_ANSWERED; /* will be, by the hook */
    table.book->kept++;
    return rk_timer_set_of(rk_ctx, table.wheel, table.count, place, when_ns);
}

/* The letter of a message that was given up. RK_FULL: no room among what this call sends; it comes with the next. */
RK_FN rk_status rk_retry_bury(RK_CTX, rk_retry_table table, rk_u32 place)
{
    RK_GLOBAL rk_kept *kept = rk_retry_at(table, place);
    rk_u32 limit = rk_ctx->stage_limit;
    if (rk_ctx->stage_next >= limit) {
        rk_timer_set_of(rk_ctx, table.wheel, table.count, place, rk_ctx->now_ns);
        return RK_FULL;
    }
    rk_stage_report(rk_ctx, RK_REPORT_DEAD, kept->reason - 1u, rk_retry_header(rk_ctx, kept));
    rk_ctx->stage_limit = limit;
    table.book->dead++;
    rk_retry_give_place(table, place);
    return RK_OK;
}

/* In the hook: a message whose next attempt is due; the hook makes it and says how it went, by rk_retry_done or
 * rk_retry_again. Attempts, letters and work of the timers cost one of the budget each. RK_NO_TIMER: none is due, or
 * the budget is spent. Up to .max_batch attempts a call have room for .max_sends messages each. */
#define rk_retry_due(arg, retries, budget) rk_retry_due_in(arg, RK_RETRY_TABLE(retries), budget)
RK_FN rk_u32 rk_retry_due_in(RK_CTX, rk_retry_table table, rk_u32 *budget)
{
    rk_u32 place;
    while ((place = rk_timers_take(table.wheel, rk_ctx->now_ns, budget)) != RK_NO_TIMER) {
        RK_GLOBAL rk_kept *kept = rk_retry_at(table, place);
        if (kept->reason == 0) {
            rk_u32 before = kept->attempts < 255u ? kept->attempts : 255u;
            if (rk_ctx->features & RK_FEATURE_LONG) kept->header.attempts = (rk_u8)before;
            kept->attempts++;
            table.book->retried++;
            return place;
        }
        if (rk_retry_bury(rk_ctx, table, place) != RK_OK) *budget = 0;
    }
    return RK_NO_TIMER;
}

/* The message at a place that rk_retry_due named. */
#define rk_retry_message(retries, place) (&(retries)->kept[place].message)
/* Attempts so far, the one that is under way included. */
#define rk_retry_attempts(retries, place) ((retries)->kept[place].head.attempts)

/* In the hook or a handler: it worked out, or isn't wanted any more. 0: no message waits at that place. */
#define rk_retry_done(retries, place) rk_retry_done_in(RK_RETRY_TABLE(retries), place)
RK_FN rk_u32 rk_retry_done_in(rk_retry_table table, rk_u32 place)
{
    if (place >= table.count || !rk_retry_at(table, place)->in_use) return 0;
    table.book->done++;
    rk_retry_give_place(table, place);
    return 1;
}

/* In the hook: it failed again. RK_OK: there will be another attempt; RK_LIMIT: that was the last one (or its time
 * to live is over before the next), and it is a dead letter with this RK_REASON; RK_EMPTY: no message waits at that place. */
#define rk_retry_again(arg, retries, place, rule, why) \
    rk_retry_again_in(arg, RK_RETRY_TABLE(retries), place, rule, (rk_u32)rk_reason_##why)
RK_FN rk_status rk_retry_again_in(RK_CTX, rk_retry_table table, rk_u32 place, rk_retry_rule rule,
                                  rk_u32 reason)
{
    if (place >= table.count || !rk_retry_at(table, place)->in_use) return RK_EMPTY;
    RK_GLOBAL rk_kept *kept = rk_retry_at(table, place);
    if (kept->attempts <= rule.retries) {
        rk_u64 when_ns = rk_retry_when(rk_ctx, table, rule, kept->attempts);
        if (!rk_retry_is_over(rk_ctx, rk_retry_header(rk_ctx, kept), when_ns))
            return rk_timer_set_of(rk_ctx, table.wheel, table.count, place, when_ns);
    }
    kept->reason = reason + 1u;
    rk_retry_bury(rk_ctx, table, place);
    return RK_LIMIT;
}

/* Reply to a kept request. Statuses as rk_reply. */
#define rk_retry_reply(arg, retries, place, reply) \
    rk_stage_reply(arg, rk_retry_header(arg, &(retries)->kept[place].head), RK_TYPED(reply))

#endif
