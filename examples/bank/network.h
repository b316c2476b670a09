/* A bad network between client and bank: what is posted may get lost, come twice, late, and in another
 * order. What happens to a message is decided by the seed, the order and the attempt alone, so a run can
 * be repeated. */
#ifndef BANK_NETWORK_H
#define BANK_NETWORK_H

#include "bank.rk.h"

#define SHELF 256u     /* messages that are late at a time; each leaves when another takes its place */
#define LOST_OF_10 2u  /* of ten messages, so many get lost */
#define TWICE_OF_10 3u /* and so many come twice */

typedef struct network {
    void (*deliver)(void *user, const transfer *order);
    void *user;
    rk_u64 seed;
    rk_u64 posted, lost, doubled;
    rk_u64 overtaken;      /* copies that arrived behind one that was posted later */
    rk_u64 newest;         /* of what has arrived: how many were posted up to it */
    transfer shelf[SHELF]; /* number 0: a free place */
    rk_u64 shelved[SHELF]; /* how many were posted up to that one */
} network;

static void network_clear(network *n, rk_u32 place)
{
    transfer late = n->shelf[place];
    n->shelf[place].number = 0;
    if (!late.number) return;
    if (n->shelved[place] < n->newest)
        n->overtaken++;
    else
        n->newest = n->shelved[place];
    n->deliver(n->user, &late);
}

static void network_post(network *n, const transfer *order, rk_u32 attempt)
{
    rk_u64 fate =
        rk_hash64(n->seed ^ rk_hash64(order_id(order->from, order->number) + ((rk_u64)attempt << 56)));
    rk_u64 of_10 = fate % 10u;
    rk_u32 copies = of_10 < LOST_OF_10 ? 0u : of_10 < LOST_OF_10 + TWICE_OF_10 ? 2u : 1u;
    n->posted++;
    n->lost += copies == 0;
    n->doubled += copies == 2;
    for (rk_u32 c = 0; c < copies; c++) {
        rk_u32 place = (rk_u32)(fate >> (16u + 16u * c)) % SHELF;
        network_clear(n, place);
        n->shelf[place] = *order;
        n->shelved[place] = n->posted;
    }
}

/* Everything that is still late arrives. */
static void network_empty(network *n)
{
    for (rk_u32 place = 0; place < SHELF; place++) network_clear(n, place);
}

#endif
