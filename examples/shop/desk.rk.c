/* The desk sells what it knows the price of, asks the supplier for the rest, and puts orders off until the price
 * is there. The ledger beside it writes down what became of each. They are in one source, so the ledger knows the
 * desk's reasons. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/dead_letter.h>
#include <ringkernel/pattern/request.h>
#include <ringkernel/resilience/letter_box.h>
#include <ringkernel/resilience/retry.h>
#include <ringkernel/state/map.h>
#include <ringkernel/state/top.h>

#include "shop.rk.h"

#define ARTICLES_MOST 64u /* that a shard of the desk knows */
#define WAITING_MOST 1024u
#define ATTEMPTS 32u /* of one hook: as many as it may send messages */

RK_PARAM(rk_u64, timeout_ns, RK_MILLISECONDS(50)) /* of a question */
RK_PARAM(rk_u32, retries, 8)                      /* of an order */

RK_REASON(no_article)
RK_REASON(no_price)
RK_REASON(crowded)

/* ------------------------------------------------------------------ the desk */

typedef struct offer {
    rk_u32 cents;
    rk_u32 is_asked, is_told; /* the question is under way; its answer has come */
} offer;

RK_MAP(offers, ARTICLES_MOST, offer)
RK_REQUESTS(open_questions, ARTICLES_MOST)
RK_RETRIES(put_off, order, WAITING_MOST)

typedef struct counter {
    offers known; /* by article */
    open_questions asked;
    put_off later;
} counter;

RK_FN rk_retry_rule patience(rk_u32 retries)
{
    rk_retry_rule rule = { .retries = retries,
                           .jitter_percent = 10,
                           .first_ns = RK_MILLISECONDS(10),
                           .longest_ns = RK_MILLISECONDS(200) };
    return rule;
}

/* Ask for an article's price, unless that is under way. */
RK_FN void ask(RK_CTX, RK_GLOBAL counter *self, rk_u32 article)
{
    RK_GLOBAL offer *o;
    rk_u64 correlation;
    question q = { article };
    if (offers_insert(&self->known, article, &o) != RK_OK || o->is_asked) return;
    if (rk_request_open(RK_ARG, &self->asked, RK_PARAM_OF(timeout_ns), article, &correlation) != RK_OK)
        return;
    rk_send_options as = rk_as_request(correlation);
    rk_send_with(RK_ARG, &q, &as);
    o->is_asked = 1;
}

RK_FN void sell(RK_CTX, RK_MSG const order *o, rk_u32 cents)
{
    sale s = { o->order, o->customer, o->article, cents };
    rk_send(RK_ARG, &s);
}

RK_HANDLER(desk, order, msg, counter, self, .state = RK_PER_SHARD, .max_batch = ATTEMPTS)
{
    RK_GLOBAL const offer *o = offers_find(&self->known, msg->article);
    if (o && o->is_told && o->cents)
        sell(RK_ARG, msg, o->cents);
    else if (o && o->is_told)
        rk_fail(RK_ARG, no_article);
    else if (rk_retry_keep(RK_ARG, &self->later, msg, patience(RK_PARAM_OF(retries))) == RK_OK)
        ask(RK_ARG, self, msg->article);
    else
        rk_fail(RK_ARG, crowded);
}

RK_HANDLER(desk, price, msg, counter, self, .state = RK_PER_SHARD)
{
    rk_u64 article;
    if (rk_request_settle(RK_ARG, &self->asked, msg, &article) != RK_REPLY_RIGHT) return;
    RK_GLOBAL offer *o = offers_find(&self->known, article);
    o->cents = msg->cents;
    o->is_told = 1;
}

/* Another attempt at an order that was put off. */
RK_FN void try_again(RK_CTX, RK_GLOBAL counter *self, rk_u32 place)
{
    RK_GLOBAL const order *waits = rk_retry_message(&self->later, place);
    RK_GLOBAL const offer *o = offers_find(&self->known, waits->article);
    if (o && o->is_told && o->cents) {
        sell(RK_ARG, waits, o->cents);
        rk_retry_done(&self->later, place);
    } else if (o && o->is_told) {
        rk_retry_again(RK_ARG, &self->later, place, patience(0), no_article);
    } else if (rk_retry_again(RK_ARG, &self->later, place, patience(RK_PARAM_OF(retries)), no_price) ==
               RK_OK) {
        ask(RK_ARG, self, waits->article);
    }
}

RK_ON_TIMER(desk, counter, self)
{
    rk_u64 article;
    rk_u32 place, budget = ATTEMPTS;
    while (rk_request_due(RK_ARG, &self->asked, &article)) offers_find(&self->known, article)->is_asked = 0;
    while ((place = rk_retry_due(RK_ARG, &self->later, &budget)) != RK_NO_TIMER)
        try_again(RK_ARG, self, place);
    rk_request_wake(RK_ARG, &self->asked);
    rk_timers_wake(RK_ARG, &self->later);
}

/* ------------------------------------------------------------------ the ledger */

#define COMPLAINTS_MOST 256u
#define BEST 3u   /* articles that are named */
#define ALERT 50u /* complaints that somebody should look at */

RK_LETTERS(complaints, order, COMPLAINTS_MOST)
RK_TOP(turnover, 64)

typedef struct book {
    closing day;
    turnover by_article; /* in cents */
    complaints unhappy;
} book;

RK_HANDLER(ledger, sale, msg, book, self, .state = RK_PER_SHARD, .max_batch = COMPLAINTS_MOST + BEST + 1)
{
    self->day.sold++;
    self->day.cents += msg->cents;
    turnover_count(&self->by_article, msg->article, msg->cents);
    rk_forward(RK_ARG);
}

/* A dead letter of the desk: it is kept until the evening. */
RK_HANDLER(ledger, order, msg, book, self, .state = RK_PER_SHARD)
{
    rk_letter letter = rk_letter_of(RK_ARG, msg);
    if (letter.reason == rk_reason_no_article)
        rk_letter_keep(RK_ARG, &self->unhappy, msg, no_article);
    else if (letter.reason == rk_reason_no_price)
        rk_letter_keep(RK_ARG, &self->unhappy, msg, no_price);
    else
        rk_letter_keep(RK_ARG, &self->unhappy, msg, crowded);
    if (rk_letters_alert(&self->unhappy, ALERT)) rk_log1(RK_ARG, RK_WARNING, "%u orders are refused", ALERT);
}

RK_ON_DRAIN(ledger, book, self)
{
    rk_u32 place, entry = 0;
    while ((place = rk_letter_take(&self->unhappy)) != RK_NO_LETTER) {
        RK_GLOBAL const order *o = rk_letter_message(&self->unhappy, place);
        const rk_u32 why = rk_letter_reason(&self->unhappy, place);
        refused r = { o->order,
                      o->customer,
                      o->article,
                      why == rk_reason_no_article,
                      why == rk_reason_no_price,
                      why == rk_reason_crowded };
        rk_send(RK_ARG, &r);
    }
    for (rk_u32 n = 1; n <= BEST && (entry = turnover_next(&self->by_article, entry)) != 0; n++) {
        best b = { self->by_article.entry[entry].count, n, (rk_u32)self->by_article.entry[entry].key };
        rk_send(RK_ARG, &b);
    }
    closing day = self->day;
    day.refusals = self->unhappy.book.kept;
    day.untold = self->unhappy.book.lost;
    rk_send(RK_ARG, &day);
}
