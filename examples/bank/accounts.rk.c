/* An account is an actor: its messages are handled one after the other, so a balance is never changed by
 * two at once. Money leaves the payer's balance into a reservation, the other account is asked to take it,
 * and its reply either settles the reservation or gives it back. Whatever comes twice is recognised and
 * changes nothing. */
#include "bank.rk.h"

RK_PARAM(rk_u32, accounts, 1000)
RK_ROUTE(answers)

RK_HANDLER(accounts, opening, msg, account, self, .state = RK_PER_ACTOR, .max_batch = REMEMBERED_CREDITS)
{
    self->balance = msg->balance;
    self->closed = msg->closed != 0;
    opened reply = { self->balance };
    rk_reply(RK_ARG, msg, &reply);
}

RK_FN void tell_client(RK_CTX, RK_GLOBAL const answer *known)
{
    answer out = *known;
    rk_send_to(RK_ARG, answers, &out);
}

/* Options of a send to another account. */
RK_FN rk_send_options to_account(rk_u32 number)
{
    rk_send_options options = RK_SEND_DEFAULTS;
    options.target = number;
    return options;
}

RK_HANDLER(accounts, transfer, msg, account, self, .state = RK_PER_ACTOR)
{
    RK_GLOBAL answer *known = &self->order[msg->number % REMEMBERED_ORDERS];
    if (known->number > msg->number) return; /* a copy of an order that was answered long ago */
    if (known->number == msg->number) {      /* a copy: tell again what became of it, if that is known */
        if (known->outcome != PENDING) tell_client(RK_ARG, known);
        return;
    }

    answer order = { 0 };
    order.from = msg->from;
    order.to = msg->to;
    order.number = msg->number;
    order.amount = msg->amount;
    order.outcome = msg->to >= RK_PARAM_OF(accounts) ? NO_ACCOUNT
                    : self->balance < msg->amount    ? INSUFFICIENT
                                                     : PENDING;
    if (order.outcome == PENDING) {
        self->balance -= msg->amount;
        self->reserved += msg->amount;
    }
    order.debit_entry = ++self->entries;
    order.debit_balance = self->balance;
    *known = order;

    if (order.outcome == PENDING) {
        credit request = { msg->from, msg->to, msg->number, msg->amount };
        rk_send_options options = to_account(msg->to);
        rk_send_with(RK_ARG, &request, &options);
    } else {
        tell_client(RK_ARG, known);
    }
}

/* What this account did with that credit, if it remembers one; REMEMBERED_CREDITS: it doesn't. */
RK_FN rk_u32 find_credit(RK_GLOBAL const account *self, rk_u64 order)
{
    rk_u32 i = 0;
    while (i < REMEMBERED_CREDITS && self->credit[i].order != order) i++;
    return i;
}

RK_FN rk_u32 take_credit(RK_GLOBAL account *self, rk_u64 order, rk_u32 amount)
{
    rk_u32 i = self->credits++ % REMEMBERED_CREDITS;
    self->balance += amount;
    self->credit[i].order = order;
    self->credit[i].balance = self->balance;
    self->credit[i].entry = ++self->entries;
    return i;
}

RK_HANDLER(accounts, credit, msg, account, self, .state = RK_PER_ACTOR)
{
    credited reply = { 0, msg->number, CLOSED, 0, msg->from };
    if (!self->closed) {
        rk_u64 order = order_id(msg->from, msg->number);
        rk_u32 i = find_credit(self, order);
        if (i == REMEMBERED_CREDITS) i = take_credit(self, order, msg->amount);
        reply.outcome = DONE;
        reply.balance = self->credit[i].balance;
        reply.entry = self->credit[i].entry;
    }
    rk_send_options options = to_account(msg->from);
    rk_send_with(RK_ARG, &reply, &options);
}

RK_HANDLER(accounts, credited, msg, account, self, .state = RK_PER_ACTOR)
{
    RK_GLOBAL answer *known = &self->order[msg->number % REMEMBERED_ORDERS];
    if (known->number != msg->number || known->outcome != PENDING) return; /* a copy: it is settled */

    self->reserved -= known->amount;
    known->outcome = msg->outcome;
    if (msg->outcome == DONE) {
        known->credit_entry = msg->entry;
        known->credit_balance = msg->balance;
    } else {
        self->balance += known->amount;
        known->refund_entry = ++self->entries;
        known->refund_balance = self->balance;
    }
    tell_client(RK_ARG, known);
}
