/* Kernels of the cases on recovery: one that tries again, one that leaves alone who fails. */
#include <ringkernel/kernel.h>
#include <ringkernel/resilience/breaker.h>
#include <ringkernel/resilience/letter_box.h>
#include <ringkernel/resilience/retry.h>

#include "pattern_recovery.rk.h"

RK_PARAM(rk_u32, retries, 3)
RK_PARAM(rk_u32, jitter, 0)
RK_PARAM(rk_u64, first_ns, 100000000)
RK_PARAM(rk_u64, longest_ns, 0)
RK_PARAM(rk_u32, attempts_of_a_hook, 4)
RK_PARAM(rk_u32, fuse_failures, 5)
RK_PARAM(rk_u32, fuse_percent, 0)
RK_PARAM(rk_u32, fuse_calls, 0)
RK_PARAM(rk_u32, fuse_probes, 1)
RK_PARAM(rk_u32, fuse_successes, 1)
RK_PARAM(rk_u64, fuse_window_ns, 0)
RK_REASON(declined)
RK_REASON(crowded)

RK_RETRIES(payments, payment, PAYMENTS)
typedef struct cash_desk {
    payments waiting;
} cash_desk;

RK_FN rk_retry_rule cashier_rule(RK_CTX)
{
    rk_retry_rule rule = { RK_PARAM_OF(retries),   2, RK_PARAM_OF(jitter), 0, RK_PARAM_OF(first_ns),
                           RK_PARAM_OF(longest_ns) };
    return rule;
}

/* One attempt, which is told. */
RK_FN rk_u32 charge(RK_CTX, RK_MSG const payment *p, rk_u32 attempt)
{
    attempted told = { p->number, rk_now_ns(), attempt, attempt > p->failures };
    rk_send(RK_ARG, &told);
    return told.good;
}

RK_HANDLER(cashier, payment, msg, cash_desk, self, .state = RK_PER_SHARD, .max_sends = 2, .max_batch = 8)
{
    if (charge(RK_ARG, msg, 1)) {
        receipt paid = { msg->number, 1, 0 };
        if (msg->wants_reply) rk_reply(RK_ARG, msg, &paid);
        return;
    }
    rk_status status = rk_retry_keep(RK_ARG, &self->waiting, msg, cashier_rule(RK_ARG));
    if (status == RK_FULL) rk_fail(RK_ARG, crowded);
    if (status == RK_LIMIT) rk_fail(RK_ARG, declined);
}

RK_ON_TIMER(cashier, cash_desk, self)
{
    rk_u32 budget = RK_PARAM_OF(attempts_of_a_hook), place;
    while ((place = rk_retry_due(RK_ARG, &self->waiting, &budget)) != RK_NO_TIMER) {
        RK_GLOBAL const payment *p = rk_retry_message(&self->waiting, place);
        receipt paid = { p->number, rk_retry_attempts(&self->waiting, place), 0 };
        if (!charge(RK_ARG, p, paid.attempts)) {
            rk_retry_again(RK_ARG, &self->waiting, place, cashier_rule(RK_ARG), declined);
            continue;
        }
        if (p->wants_reply) rk_retry_reply(RK_ARG, &self->waiting, place, &paid);
        rk_retry_done(&self->waiting, place);
    }
    rk_timers_wake(RK_ARG, &self->waiting);
}

/* Has no hook, and keeps all the same. */
RK_HANDLER(forgetful, payment, msg, cash_desk, self, .state = RK_PER_SHARD)
{
    attempted told = { msg->number, 0, 0, 0 };
    told.attempt = (rk_u32)rk_retry_keep(RK_ARG, &self->waiting, msg, cashier_rule(RK_ARG));
    told.good = self->waiting.book.waiting;
    rk_send(RK_ARG, &told);
}

RK_FN rk_breaker_rule fuse_rule(RK_CTX)
{
    rk_breaker_rule rule = { .failures = RK_PARAM_OF(fuse_failures),
                             .percent = RK_PARAM_OF(fuse_percent),
                             .calls = RK_PARAM_OF(fuse_calls),
                             .probes = RK_PARAM_OF(fuse_probes),
                             .successes = RK_PARAM_OF(fuse_successes),
                             .window_ns = RK_PARAM_OF(fuse_window_ns),
                             .open_ns = RK_SECONDS(30) };
    return rule;
}
typedef struct fuse_box {
    rk_breaker breaker;
    rk_breaker_pass kept[CALLS_KEPT];
    rk_u32 begun, ended;
} fuse_box;

RK_HANDLER(fuse, risky, msg, fuse_box, self, .state = RK_PER_SHARD)
{
    RK_GLOBAL rk_breaker *b = &self->breaker;
    rk_breaker_pass pass = msg->how == ENDS_KEPT ? self->kept[self->ended++ % CALLS_KEPT]
                                                 : rk_breaker_ask(b, fuse_rule(RK_ARG), rk_now_ns());
    if (pass != RK_NO_PASS && msg->how == BEGINS)
        self->kept[self->begun++ % CALLS_KEPT] = pass;
    else if (pass != RK_NO_PASS)
        rk_breaker_tell(b, fuse_rule(RK_ARG), pass, msg->good, rk_now_ns());
    verdict v = { msg->number, rk_now_ns(), b->opened,          b->half_opened,
                  b->closed,   b->refused,  pass != RK_NO_PASS, b->state };
    rk_send(RK_ARG, &v);
}

RK_ROUTE(again)
RK_LETTERS(misfits, payment, MISFITS)
typedef struct clerk_desk {
    misfits dead;
} clerk_desk;

/* Keeps each payment, and tells how its letters stand. */
RK_HANDLER(clerk, payment, msg, clerk_desk, self, .state = RK_PER_SHARD, .max_sends = 8)
{
    RK_GLOBAL rk_letters *book = &self->dead.book;
    if (msg->failures == 1)
        rk_letter_keep(RK_ARG, &self->dead, msg, declined);
    else
        rk_letter_keep(RK_ARG, &self->dead, msg, crowded);
    standing s = { book->kept, book->lost, 0, 0, book->waiting, rk_letters_alert(&self->dead, 3) };
    for (rk_u32 i = 0; i < book->reasons; i++) {
        if (book->reason[i] == (rk_u32)rk_reason_declined)
            s.declined = book->count[i];
        else
            s.crowded += book->count[i];
    }
    rk_send(RK_ARG, &s);
}

RK_HANDLER(clerk, recall, msg, clerk_desk, self, .state = RK_PER_SHARD, .max_sends = 8)
{
    rk_u32 place;
    for (rk_u64 i = 0; i < msg->count && (place = rk_letter_take(&self->dead)) != RK_NO_LETTER; i++)
        rk_letter_replay(RK_ARG, &self->dead, place, again);
}
