/* The messages of the bank. An order to pay is known by who pays and that payer's own number for it, 1 and
 * up. Amounts are in cents. */
#ifndef BANK_RK_H
#define BANK_RK_H

#include <ringkernel/kernel.h>

/* How many of its orders, the newest, an account remembers. An order may be sent while it is less than
 * this many numbers above the oldest order of that account that isn't answered yet. */
#define REMEMBERED_ORDERS 16u
/* How many credits, the newest, an account remembers: as many as a batch may bring, since only the last
 * batch can be handled again. */
#define REMEMBERED_CREDITS 32u

/* What became of an order. */
#define PENDING 1u      /* the money is reserved, the other account is asked */
#define DONE 2u         /* paid */
#define INSUFFICIENT 3u /* refused: the payer hasn't got it */
#define CLOSED 4u       /* refused: the other account takes no money; the payer has it back */
#define NO_ACCOUNT 5u   /* refused: there is no such account */

/* Client to account: a request, which is a row of accounts.csv, and its reply. Only when every account has
 * replied may orders come: what is paid into an account travels another way than its opening, and could be
 * there first. */
RK_MESSAGE(opening, 1, (rk_i64, balance), (rk_u64, closed))
RK_MESSAGE(opened, 6, (rk_i64, balance))

/* A row of transfers.csv. */
RK_MESSAGE(order_row, 7, (rk_u32, from), (rk_u32, to), (rk_u32, amount))

/* Client to the account `from`: pay. */
RK_MESSAGE(transfer, 2, (rk_u32, from), (rk_u32, to), (rk_u32, number), (rk_u32, amount))

/* Account `from` to account `to`: the request to take the money. */
RK_MESSAGE(credit, 3, (rk_u32, from), (rk_u32, to), (rk_u32, number), (rk_u32, amount))

/* And its reply: DONE or CLOSED. Entry and balance are those of the account that answers, after it. */
RK_MESSAGE(credited, 4, (rk_i64, balance), (rk_u32, number), (rk_u32, outcome), (rk_u32, entry),
           (rk_u32, from))

/* Account to client. Each change or refusal at an account is an entry of its book, numbered from 1; 0 is
 * none. Beside each is the balance after it. */
RK_MESSAGE(answer, 5, (rk_i64, debit_balance), (rk_i64, credit_balance), (rk_i64, refund_balance),
           (rk_u32, from), (rk_u32, to), (rk_u32, number), (rk_u32, amount), (rk_u32, outcome),
           (rk_u32, debit_entry), (rk_u32, credit_entry), (rk_u32, refund_entry))

/* An account's state. */
typedef struct taken_credit {
    rk_u64 order; /* order_id of it; 0: none */
    rk_i64 balance;
    rk_u32 entry, taken_;
} taken_credit;

typedef struct account {
    rk_i64 balance;                  /* what can be spent */
    rk_i64 reserved;                 /* of orders that are pending: left the balance, and may come back */
    rk_u32 entries;                  /* of its book */
    rk_u32 closed;                   /* 1: takes no money */
    answer order[REMEMBERED_ORDERS]; /* by number */
    taken_credit credit[REMEMBERED_CREDITS]; /* the newest overwrites the oldest */
    rk_u32 credits, account_;
} account;

/* Names an order among all; never 0. */
RK_FN rk_u64 order_id(rk_u32 from, rk_u32 number) { return (rk_u64)from << 32 | number; }

#endif
