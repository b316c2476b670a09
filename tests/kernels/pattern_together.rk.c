/* A mail-order shop of which every kernel uses another pattern, and the desk several in one state with one
 * hook. All headers of patterns, state, recovery and collectives are included, so their names can't be in
 * each other's way. */
#include <ringkernel/kernel.h>

#include <ringkernel/collective/bins.h>
#include <ringkernel/collective/scan.h>
#include <ringkernel/collective/sort.h>
#include <ringkernel/collective/vector.h>
#include <ringkernel/pattern/barrier.h>
#include <ringkernel/pattern/dead_letter.h>
#include <ringkernel/pattern/gather.h>
#include <ringkernel/pattern/limit.h>
#include <ringkernel/pattern/request.h>
#include <ringkernel/pattern/steal.h>
#include <ringkernel/pattern/superstep.h>
#include <ringkernel/pattern/workers.h>
#include <ringkernel/resilience/breaker.h>
#include <ringkernel/resilience/letter_box.h>
#include <ringkernel/resilience/retry.h>
#include <ringkernel/state/average.h>
#include <ringkernel/state/cache.h>
#include <ringkernel/state/counters.h>
#include <ringkernel/state/extremes.h>
#include <ringkernel/state/histogram.h>
#include <ringkernel/state/map.h>
#include <ringkernel/state/queue.h>
#include <ringkernel/state/slab.h>
#include <ringkernel/state/stack.h>
#include <ringkernel/state/timed_cache.h>
#include <ringkernel/state/timers.h>
#include <ringkernel/state/top.h>

#include "pattern_together.rk.h"

RK_REASON(no_price)
RK_REASON(crowded)
RK_ROUTE(orders)
RK_ROUTE(prices)
RK_ROUTE(parts)
RK_ROUTE(sent)
RK_ROUTE(books)

/* ------------------------------------------------------------------ the mail: a rate limit */

#define MAIL_AT_ONCE 8u

typedef struct shop_mail {
    rk_limit limit;
    rk_u64 next, end, timeout_ns;
} shop_mail;

RK_HANDLER(mail, shop_day, msg, shop_mail, self, .state = RK_PER_SHARD, .max_sends = MAIL_AT_ONCE,
           .max_batch = 1)
{
    rk_limit_set(RK_ARG, &self->limit, msg->per_ms, RK_MILLISECONDS(1), MAIL_AT_ONCE);
    self->end += msg->count;
    self->timeout_ns = msg->timeout_ns;
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_ON_TIMER(mail, shop_mail, self)
{
    rk_u64 left = self->end - self->next;
    rk_u32 n = rk_limit_take_up_to(RK_ARG, &self->limit, left < MAIL_AT_ONCE ? (rk_u32)left : MAIL_AT_ONCE);
    for (rk_u32 i = 0; i < n; i++, self->next++) {
        shop_order order = { self->next, self->timeout_ns, (rk_u32)(self->next % SHOP_ARTICLES), 0 };
        rk_send_to(RK_ARG, orders, &order);
    }
    if (self->next < self->end) rk_wake_at(RK_ARG, rk_limit_when(&self->limit, 1));
}

/* ------------------------------------------------------------------ the desk: six of them in one state */

#define DESK_ATTEMPTS 6u /* of one hook */
#define DESK_DUE 8u      /* jobs that end in one hook */
#define DESK_JOBS 64u

RK_REQUESTS(price_questions, 16)
RK_GATHER(open_orders, DESK_JOBS)
RK_RETRIES(put_off_orders, shop_order, 256)
RK_TIMED_CACHE(known_prices, 8, rk_u64)

typedef struct shop_desk {
    price_questions asked;
    open_orders jobs;
    put_off_orders later;
    known_prices price;
    rk_breaker breaker[SHOP_ARTICLES];
    rk_u32 is_asked[SHOP_ARTICLES];
    shop_sent job[DESK_JOBS];
} shop_desk;

RK_FN rk_retry_rule shop_patience(void)
{
    rk_retry_rule rule = { .retries = 9,
                           .first_ns = RK_MILLISECONDS(10),
                           .longest_ns = RK_MILLISECONDS(300) };
    return rule;
}
RK_FN rk_breaker_rule shop_care(void)
{
    rk_breaker_rule rule = { .failures = 2, .open_ns = RK_MILLISECONDS(100) };
    return rule;
}

/* Each article is asked for once at a time. The note has it, and the breaker's pass. */
RK_FN void ask_price(RK_CTX, RK_GLOBAL shop_desk *self, rk_u32 article, rk_u64 timeout_ns)
{
    rk_u64 correlation;
    price_query q = { article };
    if (self->is_asked[article]) return;
    rk_breaker_pass pass = rk_breaker_ask(&self->breaker[article], shop_care(), rk_now_ns());
    if (pass == RK_NO_PASS) return;
    if (rk_request_open(RK_ARG, &self->asked, timeout_ns, (rk_u64)article << 32 | pass, &correlation) !=
        RK_OK)
        return;
    rk_send_options as = rk_as_request(correlation);
    rk_send_to_with(RK_ARG, prices, &q, &as);
    self->is_asked[article] = 1;
}

RK_FN void hear_price(RK_GLOBAL shop_desk *self, rk_u64 note, const rk_u64 *price, rk_u64 now_ns)
{
    known_prices_entry gone;
    rk_u32 article = (rk_u32)(note >> 32);
    rk_breaker_tell(&self->breaker[article], shop_care(), (rk_u32)note, price != 0, now_ns);
    if (price) known_prices_put(&self->price, article, price, RK_NEVER, &gone);
    self->is_asked[article] = 0;
}

/* 1: the order is with the packers. 0: its price isn't known, or too many are. */
RK_FN rk_u32 begin_order(RK_CTX, RK_GLOBAL shop_desk *self, RK_MSG const shop_order *order)
{
    RK_GLOBAL const rk_u64 *price = known_prices_get(&self->price, order->article, rk_now_ns());
    rk_u32 job;
    if (!price) {
        ask_price(RK_ARG, self, order->article, order->timeout_ns);
        return 0;
    }
    if (rk_gather_open(RK_ARG, &self->jobs, SHOP_PARTS, order->timeout_ns, &job) != RK_OK) return 0;
    shop_sent begun = { order->number, *price, 0 };
    self->job[job] = begun;
    for (rk_u32 part = 0; part < SHOP_PARTS; part++) {
        pack_part p = { rk_gather_tag(&self->jobs, job, part), order->number, part, rk_shard_number() };
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = part;
        rk_send_to_with(RK_ARG, parts, &p, &to);
    }
    return 1;
}

RK_FN void end_order(RK_CTX, RK_GLOBAL shop_desk *self, rk_u32 job)
{
    shop_sent done = self->job[job];
    done.missing = rk_gather_missing(&self->jobs, job);
    rk_send_to(RK_ARG, sent, &done);
    rk_gather_close(&self->jobs, job);
}

RK_HANDLER(desk, shop_order, msg, shop_desk, self, .state = RK_PER_SHARD, .max_sends = 4, .max_batch = 16)
{
    if (begin_order(RK_ARG, self, msg)) return;
    if (rk_retry_keep(RK_ARG, &self->later, msg, shop_patience()) != RK_OK) rk_fail(RK_ARG, crowded);
}

RK_HANDLER(desk, article_price, msg, shop_desk, self, .state = RK_PER_SHARD)
{
    rk_u64 note, price = msg->price;
    if (rk_request_settle(RK_ARG, &self->asked, msg, &note) == RK_REPLY_RIGHT)
        hear_price(self, note, &price, rk_now_ns());
}

RK_HANDLER(desk, part_packed, msg, shop_desk, self, .state = RK_PER_SHARD)
{
    if (rk_gather_take(&self->jobs, msg->tag) == RK_GATHER_LAST)
        end_order(RK_ARG, self, rk_gather_job(msg->tag));
}

RK_ON_TIMER(desk, shop_desk, self)
{
    rk_u64 note;
    rk_u32 job, place, budget = DESK_ATTEMPTS;
    while (rk_request_due(RK_ARG, &self->asked, &note)) hear_price(self, note, 0, rk_now_ns());
    for (rk_u32 n = 0; n < DESK_DUE && (job = rk_gather_due(RK_ARG, &self->jobs)) != RK_GATHER_NONE; n++)
        end_order(RK_ARG, self, job);
    while ((place = rk_retry_due(RK_ARG, &self->later, &budget)) != RK_NO_TIMER)
        if (begin_order(RK_ARG, self, rk_retry_message(&self->later, place)))
            rk_retry_done(&self->later, place);
        else
            rk_retry_again(RK_ARG, &self->later, place, shop_patience(), no_price);
    rk_request_wake(RK_ARG, &self->asked);
    rk_gather_wake(RK_ARG, &self->jobs);
    rk_timers_wake(RK_ARG, &self->later);
}

/* ------------------------------------------------------------------ who is asked, and who packs */

typedef struct price_list {
    rk_u32 asked_late;
} price_list;

RK_HANDLER(supplier, price_query, msg, price_list, self, .state = RK_PER_SHARD, .replies = 1)
{
    article_price p = { 100u * msg->article + 7u };
    if (msg->article == SHOP_NO_PRICE) return;
    if (msg->article == SHOP_LATE_PRICE && self->asked_late++ == 0) return;
    rk_reply(RK_ARG, msg, &p);
}

RK_HANDLER(packer, pack_part, msg, rk_none, self, .max_sends = 2)
{
    part_packed p = { msg->tag };
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = msg->desk;
    if (msg->number % SHOP_LOST_EACH == 0 && msg->part == SHOP_LOST_PART) return;
    rk_send_with(RK_ARG, &p, &to);
    if (msg->number % SHOP_DOUBLE_EACH == 0) rk_send_with(RK_ARG, &p, &to);
}

/* ------------------------------------------------------------------ subscribers, and the letters */

typedef struct shop_ledger {
    rk_u64 count;
    rk_u32 epoch, waits; /* rounds of the barrier that were passed; 1: for the next */
} shop_ledger;

/* At a full page all ledgers wait for each other. */
RK_FN void turn_page(RK_CTX, RK_GLOBAL shop_ledger *self)
{
    if (self->waits || self->count < (rk_u64)(self->epoch + 1u) * SHOP_PAGE) return;
    rk_barrier_call call = { SHOP_BOOKS,        RK_NO_DEADLINE, RK_BARRIER_ARRIVE,
                             rk_shard_number(), SHOP_LEDGERS,   self->epoch + 1u };
    rk_send_to(RK_ARG, books, &call);
    self->waits = 1;
}

RK_HANDLER(ledger_of_shop, shop_sent, msg, shop_ledger, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    self->count++;
    rk_forward(RK_ARG);
    turn_page(RK_ARG, self);
}

RK_HANDLER(ledger_of_shop, rk_barrier_answer, msg, shop_ledger, self, .state = RK_PER_SHARD)
{
    if (msg->outcome != RK_BARRIER_PASSED) return;
    shop_balance b = { self->count, ++self->epoch, rk_shard_number() };
    rk_send(RK_ARG, &b);
    self->waits = 0;
    turn_page(RK_ARG, self);
}

RK_HANDLER(keeper_of_books, rk_barrier_call, msg, rk_barriers, self, .state = RK_PER_SHARD,
           .max_sends = RK_BARRIER_SENDS, .replies = 1)
{
    rk_barriers_take(RK_ARG, self, msg);
}

RK_ON_TIMER(keeper_of_books, rk_barriers, self) { rk_barriers_expire(RK_ARG, self); }

/* Which articles are wanted most, and how many orders came and went. */
RK_TOP(wanted, 16)

typedef struct shop_archive {
    rk_u64 came, went;
    wanted articles;
} shop_archive;

RK_HANDLER(archive_of_shop, shop_order, msg, shop_archive, self, .state = RK_PER_SHARD)
{
    self->came++;
    wanted_count(&self->articles, msg->article, 1);
}

RK_HANDLER(archive_of_shop, shop_sent, msg, shop_archive, self, .state = RK_PER_SHARD) { self->went++; }

RK_HANDLER(undertaker_of_shop, shop_order, msg, rk_none, self)
{
    rk_letter l = rk_letter_of(RK_ARG, msg);
    RK_GLOBAL const rk_header_long *header = (RK_GLOBAL const rk_header_long *)rk_header_of(RK_ARG, msg);
    shop_refused r = { msg->number, msg->article, l.is_letter && l.reason == rk_reason_no_price,
                       header->attempts, 0 };
    rk_send(RK_ARG, &r);
}
