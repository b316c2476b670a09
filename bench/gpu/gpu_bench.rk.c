/* The kernels of the GPU benchmark. Each checks every word of what it handles, and refuses what is wrong:
 * the benchmark allows no dead letter. */
#include <ringkernel/kernel.h>

#include "gpu_bench.rk.h"

RK_REASON(damaged)
RK_REASON(duplicate)
RK_ROUTE(again)
RK_PARAM(rk_u64, table, 0)      /* address of a table of bits */
RK_PARAM(rk_u32, chain_bits, 0) /* of it, for each chain */

RK_FN void item_fill(item *m, rk_u32 number, rk_u32 chain)
{
    m->word[0] = number;
    m->word[1] = chain;
    m->word[2] = ~(number ^ chain);
    for (rk_u32 w = 3; w < 9; w++) m->word[w] = number + w;
}

RK_FN rk_u32 item_is_damaged(RK_MSG const item *m)
{
    rk_u32 wrong = m->word[2] ^ ~(m->word[0] ^ m->word[1]);
    for (rk_u32 w = 3; w < 9; w++) wrong |= m->word[w] ^ (m->word[0] + w);
    return wrong;
}

RK_FN rk_u32 next_random(rk_u32 x) { return x * 1664525u + 1013904223u; }

/* Sends each message back. */
RK_HANDLER(bounce, item, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    item back = *msg;
    if (item_is_damaged(msg)) rk_fail(RK_ARG, damaged);
    rk_send(RK_ARG, &back);
}

/* Takes what comes. */
RK_HANDLER(sink, item, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 1024)
{
    if (item_is_damaged(msg)) rk_fail(RK_ARG, damaged);
}

/* Sends what comes on, to the same target. */
RK_HANDLER(relay, item, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 1024)
{
    if (item_is_damaged(msg))
        rk_fail(RK_ARG, damaged);
    else
        rk_forward(RK_ARG);
}

/* The same without fences: a message is all that is handed over, as between the bare programs' blocks. */
RK_HANDLER(relay_relaxed, item, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 1024,
           .memory = RK_RELAXED_MEMORY)
{
    if (item_is_damaged(msg))
        rk_fail(RK_ARG, damaged);
    else
        rk_forward(RK_ARG);
}

/* Makes events as long as its ticks come back to it. */
RK_HANDLER(source, tick, msg, rk_none, self, .max_sends = EVENTS + 1, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    tick more = *msg;
    item out;
    to.target = msg->chain;
    more.next += EVENTS;
    if (more.next > msg->limit) return;
    for (rk_u32 i = 0; i < EVENTS; i++) {
        item_fill(&out, msg->next + i, msg->chain);
        rk_send_with(RK_ARG, &out, &to);
    }
    rk_send_to_with(RK_ARG, again, &more, &to);
}

/* Makes as many events as the host asked for. */
RK_HANDLER(burst, tick, msg, rk_none, self, .max_sends = BURST_EVENTS, .mode = RK_ADAPTIVE, .max_batch = 128)
{
    item out;
    for (rk_u32 i = 0; i < BURST_EVENTS; i++) {
        item_fill(&out, msg->next + i, msg->chain);
        rk_send(RK_ARG, &out);
    }
}

/* Notes each event by its bit. */
RK_HANDLER(last, item, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 1024)
{
    rk_u64 at = (rk_u64)msg->word[1] * RK_PARAM_OF(chain_bits) + msg->word[0];
    RK_GLOBAL rk_u32 *word = (RK_GLOBAL rk_u32 *)RK_PARAM_OF(table) + at / 32;
    rk_u32 bit = 1u << (at % 32);
    if (item_is_damaged(msg) || msg->word[0] >= RK_PARAM_OF(chain_bits))
        rk_fail(RK_ARG, damaged);
    else if (rk_or_u32(word, bit, RK_RELAXED, RK_SCOPE_DEVICE) & bit)
        rk_fail(RK_ARG, duplicate);
}

/* Each message goes from shard to shard, to another one each time. */
RK_HANDLER(roam, item, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 1024)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    rk_u32 random = next_random(msg->word[1]);
    item out;
    if (item_is_damaged(msg)) rk_fail(RK_ARG, damaged);
    item_fill(&out, msg->word[0], random);
    to.target = (rk_u32)(((rk_u64)random * rk_shard_count()) >> 32);
    rk_send_with(RK_ARG, &out, &to);
}

/* The same from actor to actor. */
RK_PARAM(rk_u32, actors, 1)
RK_HANDLER(walk, item, msg, counted, self, .state = RK_PER_ACTOR, .mode = RK_ADAPTIVE, .max_batch = 1024)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    rk_u32 random = next_random(msg->word[1]);
    item out;
    if (item_is_damaged(msg)) rk_fail(RK_ARG, damaged);
    self->count++;
    self->sum += random;
    self->inverse += ~random;
    self->rest[0] ^= random;
    item_fill(&out, msg->word[0], random);
    to.target = (rk_u32)(((rk_u64)random * RK_PARAM_OF(actors)) >> 32);
    rk_send_with(RK_ARG, &out, &to);
}
