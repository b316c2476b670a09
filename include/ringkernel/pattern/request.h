/* Requests from kernel to kernel: many outstanding at once, each with a deadline, in a bounded table.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/pattern/request.h>
 *
 *     RK_REQUESTS(prices_asked, 256)                        // up to 256 requests that wait for a reply
 *     typedef struct shop { prices_asked asked; … } shop;
 *
 *     RK_HANDLER(till, sale, msg, shop, self, .state = RK_PER_SHARD)
 *     {
 *         rk_u64 correlation;
 *         price_query q = { msg->article };
 *         rk_status status = rk_request_open(RK_ARG, &self->asked, TIMEOUT_NS, msg->number, &correlation);
 *         if (status != RK_OK) { rk_fail(RK_ARG, busy); return; }
 *         rk_send_options as = rk_as_request(correlation);
 *         rk_send_with(RK_ARG, &q, &as);
 *     }
 *     RK_HANDLER(till, price, msg, shop, self, .state = RK_PER_SHARD)
 *     {
 *         rk_u64 sale;
 *         if (rk_request_settle(RK_ARG, &self->asked, msg, &sale) != RK_REPLY_RIGHT) return;   // counted by kind
 *         … the price for sale number `sale` …
 *     }
 *     RK_ON_TIMER(till, shop, self)
 *     {
 *         rk_u64 sale;
 *         while (rk_request_due(RK_ARG, &self->asked, &sale)) { … there is no price for that one … }
 *         rk_request_wake(RK_ARG, &self->asked);
 *     }
 *
 * The kernel that is asked knows nothing of this: it uses rk_reply, or rk_defer_reply and later rk_reply_later, which
 * find the kernel and the shard that asked, and says .replies = 1 so that both are drained together. Both kernels are
 * launched with `requests`, as their headers must be long; the reply's way needs no route.
 *
 * A correlation has the request's place in the table and a number of that use. A place that is free is used again
 * as late as possible, and remembers meanwhile how its last request ended: so a reply that comes too late, or twice, is
 * told for what it is, unless it is so late that its place has a newer request by then. Numbers follow the clock, so a
 * reply to what was asked before a restart that has reset the state is forgotten or unknown, not right. A request whose
 * handler finishes without a reply, or fails, ends by its deadline.
 *
 * State of a shard; by one thread of the group. Zeros are an empty table. Opening, settling and expiring take
 * logarithmic time: the deadlines are a binary heap, and each request knows its place in it. */
#ifndef RINGKERNEL_PATTERN_REQUEST_H
#define RINGKERNEL_PATTERN_REQUEST_H

#include "../device/handler.h"
#include "../device/timer.h"

#define RK_REQUESTS_PLACES_MAX 1048576u

/* What a reply is. Only RK_REPLY_RIGHT may be used; the others are counted. */
#define RK_REPLY_RIGHT 0u     /* the one that is waited for */
#define RK_REPLY_DUPLICATE 1u /* its request has had one */
#define RK_REPLY_LATE 2u      /* its request's deadline has passed */
#define RK_REPLY_CANCELLED 3u /* its request was cancelled */
#define RK_REPLY_FORGOTTEN 4u /* its request ended so long ago that nobody knows how */
#define RK_REPLY_UNKNOWN 5u   /* nothing like it was ever asked from here */
#define RK_REPLY_KINDS 6u

typedef struct rk_request_place {
    rk_u64 due_ns;
    rk_u64 note;   /* the asker's own */
    rk_u32 number; /* of its use: rk_number_after */
    rk_u16 waits;  /* 1: for its reply */
    rk_u16 ended;  /* RK_REPLY_*: what a further reply would be */
    rk_u32 at;     /* waits: where it is in the heap; free: the next free place + 1 */
    rk_u32 heap;   /* the heap's own array: the request at this position of it */
} rk_request_place;

/* Counts are of this state, and are for reading. */
typedef struct rk_requests {
    rk_u32 waiting;               /* requests without a reply so far: the heap's length */
    rk_u32 fresh;                 /* places from here on were never used */
    rk_u32 first_free, last_free; /* + 1; 0: none */
    rk_u64 opened, cancelled, expired;
    rk_u64 refused;              /* not opened, since all places were taken */
    rk_u64 came[RK_REPLY_KINDS]; /* replies, by what they were */
} rk_requests;

RK_STATIC_ASSERT(sizeof(rk_request_place) == 32, "pending request");
RK_STATIC_ASSERT(sizeof(rk_requests) == 96, "pending requests");

/* Declare type `name`: up to `count` requests that wait, 32 bytes each and 96 for the table. */
#define RK_REQUESTS(name, count)                                                                           \
    RK_STATIC_ASSERT((count) > 0 && (count) <= RK_REQUESTS_PLACES_MAX, #name ": 1 to 1,048,576 requests"); \
    typedef struct name {                                                                                  \
        rk_requests table;                                                                                 \
        rk_request_place place[count];                                                                     \
    } name;

#define RK_REQUESTS_OF_(requests) \
    &(requests)->table, (rk_u32)(sizeof(requests)->place / sizeof(requests)->place[0])

/* ------------------------------------------------------------------ calls */

/* Begin to wait for a reply, for `timeout_ns` from now on: RK_NO_WAIT is due at once, RK_NO_DEADLINE never.
 * `note` comes back with it. The correlation, never 0, is written to *correlation: send the request with it.
 * RK_FULL: all places are taken; counted. Refuse what needed it, or come back to it later.
 * RK_UNSUPPORTED: the kernel has no RK_ON_TIMER, or it was launched without `requests` or another option that
 * makes headers long: replies couldn't say what they reply to. The kernel that is asked must be launched so as
 * well: with short headers it never sees the correlation, and its reply has none. */
#define rk_request_open(arg, requests, timeout_ns, note, correlation) \
    rk_request_open_due(arg, RK_REQUESTS_OF_(requests), timeout_ns, note, correlation)

/* The options of a message that is a request. */
RK_FN rk_send_options rk_as_request(rk_u64 correlation)
{
    rk_send_options options = RK_SEND_DEFAULTS;
    options.correlation = correlation;
    options.flags = RK_FLAG_REQUEST;
    return options;
}

/* A reply has come, as the message that the handler was given. What it is (RK_REPLY_*); of a right one the note is
 * written to *note, and the request is over. */
#define rk_request_settle(arg, requests, message, note) \
    rk_request_end(&(requests)->table, rk_correlation_of(arg, message), RK_REPLY_DUPLICATE, note)

/* Don't wait any longer. RK_REPLY_RIGHT: it was waited for, its note is written to *note, and a reply that comes all the
 * same is counted as cancelled. Else what a reply would be; nothing changes. */
#define rk_request_cancel(requests, correlation, note) \
    rk_request_end(&(requests)->table, correlation, RK_REPLY_CANCELLED, note)

/* 1: a request's deadline has come, its note is written to *note, and it is over. 0: there are no more of them. */
#define rk_request_due(arg, requests, note) rk_request_expire(&(requests)->table, rk_now_ns(), note)

/* At the end of the timer hook: ask for it again, for the request that is due next. */
#define rk_request_wake(arg, requests) rk_request_wake_next(arg, &(requests)->table)

/* What the message that a handler was given says that it belongs to; 0: nothing, or its header is short. */
#define rk_correlation_of(arg, message) rk_header_correlation(arg, rk_header_of(arg, message))

RK_FN rk_u64 rk_header_correlation(RK_CTX, RK_GLOBAL const rk_header *header)
{
    if (!header || !(rk_ctx->features & RK_FEATURE_LONG)) return 0;
    return ((RK_GLOBAL const rk_header_long *)header)->correlation;
}

/* ------------------------------------------------------------------ the heap of deadlines */

RK_FN RK_GLOBAL rk_request_place *rk_request_places(RK_GLOBAL rk_requests *table)
{
    return (RK_GLOBAL rk_request_place *)(table + 1);
}

RK_FN void rk_request_put(RK_GLOBAL rk_request_place *places, rk_u32 at, rk_u32 i)
{
    places[at].heap = i;
    places[i].at = at;
}

/* Request i is to stand at `at` or above. */
RK_FN void rk_request_rise(RK_GLOBAL rk_request_place *places, rk_u32 at, rk_u32 i)
{
    while (at > 0) {
        rk_u32 above = (at - 1u) / 2u, other = places[above].heap;
        if (places[other].due_ns <= places[i].due_ns) break;
        rk_request_put(places, at, other);
        at = above;
    }
    rk_request_put(places, at, i);
}

/* Request i is to stand at `at` or below, among the first n. */
RK_FN void rk_request_sink(RK_GLOBAL rk_request_place *places, rk_u32 n, rk_u32 at, rk_u32 i)
{
    for (rk_u32 below = 2u * at + 1u; below < n; below = 2u * at + 1u) {
        if (below + 1u < n && places[places[below + 1u].heap].due_ns < places[places[below].heap].due_ns)
            below++;
        rk_u32 other = places[below].heap;
        if (places[i].due_ns <= places[other].due_ns) break;
        rk_request_put(places, at, other);
        at = below;
    }
    rk_request_put(places, at, i);
}

/* Request i waits no longer; its place becomes the last of the free ones. */
RK_FN void rk_request_leave(RK_GLOBAL rk_requests *table, rk_u32 i, rk_u32 ended)
{
    RK_GLOBAL rk_request_place *places = rk_request_places(table);
    rk_u32 at = places[i].at, n = --table->waiting, last = places[n].heap;
    if (last != i) {
        rk_request_rise(places, at, last);
        rk_request_sink(places, n, places[last].at, last);
    }
    places[i].waits = 0;
    places[i].ended = (rk_u16)ended;
    places[i].at = 0;
    if (table->last_free)
        places[table->last_free - 1u].at = i + 1u;
    else
        table->first_free = i + 1u;
    table->last_free = i + 1u;
}

/* ------------------------------------------------------------------ how it works */

RK_FN rk_status rk_request_begin(RK_GLOBAL rk_requests *table, rk_u32 count, rk_u64 now_ns, rk_u64 due_ns,
                                 rk_u64 note, rk_u64 *correlation)
{
    RK_GLOBAL rk_request_place *places = rk_request_places(table);
    rk_u32 i = table->fresh;
    if (i < count) {
        table->fresh++;
    } else if (table->first_free) {
        i = table->first_free - 1u;
        table->first_free = places[i].at;
        if (!table->first_free) table->last_free = 0;
    } else {
        table->refused++;
        return RK_FULL;
    }
    places[i].number = rk_number_after(places[i].number, now_ns);
    places[i].due_ns = due_ns;
    places[i].note = note;
    places[i].waits = 1;
    rk_request_rise(places, table->waiting++, i);
    table->opened++;
    *correlation = (rk_u64)places[i].number << 32 | i;
    return RK_OK;
}

RK_FN rk_status rk_request_open_due(RK_CTX, RK_GLOBAL rk_requests *table, rk_u32 count, rk_u64 timeout_ns,
                                    rk_u64 note, rk_u64 *correlation)
{
    rk_u64 due = rk_due_in(RK_ARG, timeout_ns);
    if (!rk_ctx->shard->timer || !(rk_ctx->features & RK_FEATURE_LONG)) return RK_UNSUPPORTED;
    rk_status status = rk_request_begin(table, count, rk_ctx->now_ns, due, note, correlation);
    if (status == RK_OK) (void)rk_wake_at(rk_ctx, due);
    return status;
}

/* What a reply with this correlation is. */
RK_FN rk_u32 rk_request_kind(RK_GLOBAL rk_requests *table, rk_u64 correlation)
{
    RK_GLOBAL const rk_request_place *places = rk_request_places(table);
    rk_u32 i = (rk_u32)correlation, number = (rk_u32)(correlation >> 32);
    if (i >= table->fresh || number == 0) return RK_REPLY_UNKNOWN;
    rk_u32 behind = places[i].number - number; /* numbers wrap */
    if (behind >> 31) return RK_REPLY_UNKNOWN;
    if (behind) return RK_REPLY_FORGOTTEN;
    return places[i].waits ? RK_REPLY_RIGHT : places[i].ended;
}

/* End a request by its reply or by cancelling it: `ended` is what a reply is from now on. Only replies are counted. */
RK_FN rk_u32 rk_request_end(RK_GLOBAL rk_requests *table, rk_u64 correlation, rk_u32 ended, rk_u64 *note)
{
    rk_u32 kind = rk_request_kind(table, correlation), i = (rk_u32)correlation;
    if (ended == RK_REPLY_DUPLICATE) table->came[kind]++;
    if (kind != RK_REPLY_RIGHT) return kind;
    if (ended == RK_REPLY_CANCELLED) table->cancelled++;
    *note = rk_request_places(table)[i].note;
    rk_request_leave(table, i, ended);
    return RK_REPLY_RIGHT;
}

RK_FN rk_u32 rk_request_expire(RK_GLOBAL rk_requests *table, rk_u64 now_ns, rk_u64 *note)
{
    RK_GLOBAL rk_request_place *places = rk_request_places(table);
    if (table->waiting == 0 || places[places[0].heap].due_ns > now_ns ||
        places[places[0].heap].due_ns == RK_NEVER)
        return 0;
    rk_u32 i = places[0].heap;
    *note = places[i].note;
    table->expired++;
    rk_request_leave(table, i, RK_REPLY_LATE);
    return 1;
}

/* RK_NEVER: no request waits, or none that is ever due. */
RK_FN rk_u64 rk_request_next_due(RK_GLOBAL rk_requests *table)
{
    RK_GLOBAL const rk_request_place *places = rk_request_places(table);
    return table->waiting ? places[places[0].heap].due_ns : RK_NEVER;
}

RK_FN void rk_request_wake_next(RK_CTX, RK_GLOBAL rk_requests *table)
{
    (void)rk_wake_at(rk_ctx, rk_request_next_due(table));
}

#endif
