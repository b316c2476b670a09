/* A worker: finds from an airport all that are reached, by one flight, by two, and so on. One of the workers falls
 * silent on purpose. */
#include <ringkernel/kernel.h>

#include "airport.rk.h"

#include <ringkernel/pattern/workers.h>

#define WORDS (AIRPORTS / 64u) /* of a set of airports, a bit for each */
#define KEPT 16u

RK_PARAM(rk_u32, silent,
         2) /* after two results this worker says nothing until all is over; 4: none does so */

typedef struct map {
    rk_u64 to[AIRPORTS][WORDS]; /* to which there are flights from each */
    rk_u64 here[WORDS];         /* where the last flight ended, */
    rk_u64 next[WORDS];         /* and the next one does */
    rk_u64 seen[WORDS];
    rk_u32 said, kept;
    rk_worker_word word[KEPT]; /* is kept instead of said */
} map;

RK_HANDLER(search, flies, msg, map, self, .state = RK_PER_SHARD)
{
    self->to[msg->from][msg->to / 64u] |= (rk_u64)1 << msg->to % 64u;
}

RK_HANDLER(search, begin, msg, map, self, .state = RK_PER_SHARD)
{
    rk_worker_word ready = rk_worker_says(rk_shard_number(), RK_WORKER_REGISTERS);
    ready.value = msg->airports;
    rk_send(RK_ARG, &ready);
}

RK_FN rk_u32 bits_of(rk_u64 set)
{
    rk_u32 n = 0;
    for (; set; set &= set - 1u) n++;
    return n;
}

/* One flight on from all that are `here`: how many airports are new. */
RK_FN rk_u32 fly(RK_GLOBAL map *self)
{
    rk_u32 fresh = 0;
    for (rk_u32 w = 0; w < WORDS; w++) self->next[w] = 0;
    for (rk_u32 airport = 0; airport < AIRPORTS; airport++) {
        if (!(self->here[airport / 64u] >> airport % 64u & 1u)) continue;
        for (rk_u32 w = 0; w < WORDS; w++) self->next[w] |= self->to[airport][w];
    }
    for (rk_u32 w = 0; w < WORDS; w++) {
        self->here[w] = self->next[w] & ~self->seen[w];
        self->seen[w] |= self->here[w];
        fresh += bits_of(self->here[w]);
    }
    return fresh;
}

RK_FN rk_u64 search_from(RK_GLOBAL map *self, rk_u32 airport)
{
    rk_u64 reached = 0, flights = 0, farthest = 0;
    for (rk_u32 w = 0; w < WORDS; w++) self->here[w] = self->seen[w] = 0;
    self->here[airport / 64u] = self->seen[airport / 64u] = (rk_u64)1 << airport % 64u;
    for (rk_u32 flight = 1; flight < AIRPORTS; flight++) {
        rk_u32 fresh = fly(self);
        if (fresh == 0) break;
        reached += fresh;
        flights += (rk_u64)fresh * flight;
        farthest = flight;
    }
    return reached << 48 | farthest << 32 | flights;
}

RK_HANDLER(search, rk_assignment, a, map, self, .state = RK_PER_SHARD, .max_sends = KEPT)
{
    rk_worker_word done = rk_worker_done(a, search_from(self, (rk_u32)a->job));
    if (rk_shard_number() != RK_PARAM_OF(silent) || self->said < 2u) {
        self->said++;
        rk_send(RK_ARG, &done);
    } else if (self->kept < KEPT) {
        self->word[self->kept++] = done;
    }
}

/* What wasn't said is said when all is over: others have done it meanwhile. */
RK_HANDLER(search, over, msg, map, self, .state = RK_PER_SHARD, .max_sends = KEPT)
{
    for (rk_u32 i = 0; i < self->kept; i++) {
        rk_worker_word late = self->word[i];
        rk_send(RK_ARG, &late);
    }
}
