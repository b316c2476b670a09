/* Work stealing: shards without work take tasks from those that have more.
 *
 *     #include <ringkernel/pattern/steal.h>
 *
 *     RK_HANDLER(crunch, order, msg, crew, self, .state = RK_PER_SHARD, .max_sends = 8)
 *     {
 *         rk_task t = { { msg->what, msg->argument } };
 *         if (rk_steal_push(&self->steal, &t) != RK_OK) { … full: refuse it … }
 *         rk_wake_at(RK_ARG, rk_now_ns());
 *     }
 *     RK_HANDLER(crunch, rk_steal_word, word, crew, self, .state = RK_PER_SHARD, .max_sends = 8)
 *     {
 *         rk_steal_hear(&self->steal, word);
 *         rk_wake_at(RK_ARG, rk_now_ns());
 *     }
 *     RK_ON_TIMER(crunch, crew, self)
 *     {
 *         rk_task t;
 *         rk_steal_word w;
 *         for (rk_u32 n = 0; n < 4u && rk_steal_pop(&self->steal, &t); n++) { … do t; it may rk_steal_push others … }
 *         for (rk_u32 n = 0; n < 8u && rk_steal_next(&self->steal, &w); n++) { … send w to shard w.to … }
 *         if (rk_steal_is_busy(&self->steal)) rk_wake_at(RK_ARG, rk_now_ns());
 *     }
 *     RK_ON_REFUSED(crunch, crew, self, refusal)
 *     {
 *         if (refusal->type != RK_TYPE_ID(rk_steal_word)) return 0;
 *         rk_wake_at(RK_ARG, rk_now_ns());
 *         return rk_steal_undelivered(&self->steal, (RK_GLOBAL const rk_steal_word *)refusal->payload) != RK_FULL;
 *     }
 *
 * and rk_steal_begin in each shard, by a message to all. Tasks must not need the shard's state.
 *
 * Each shard keeps its tasks in a ring in its own state, takes the newest itself and gives the oldest
 * away, up to half of them (as Chase and Lev's deque: SPAA 2005). The deque is not shared: a thief asks by
 * a message and is answered by one. A state has one writer, which is what makes it readable, movable and
 * the same on every device; a shared deque would want sequentially consistent atomics on it for each task,
 * where this costs two messages for up to RK_STEAL_BATCH of them, and a task's owner pays nothing. What is
 * lost is latency: a victim answers after the task that it is at.
 *
 * A shard without work asks RK_STEAL_TRIES others at random. If they have none it waits at its lifeline,
 * the next shard, which answers when it has more than one task (Saraswat et al., PPoPP 2011). An idle crew
 * sends nothing: it can be drained. The lifelines are a ring, so from each busy shard work finds its way
 * to all.
 *
 * A task is at one place at a time: in a ring, or in a word. Requests are numbered, one is open for each
 * thief, and a word that comes twice is ignored. One that its target doesn't take (a full inbox, say) has
 * to be told to its sender (rk_steal_undelivered), or its tasks are lost, and so is the end.
 *
 * To hear when all is done, ask shard 0 (rk_steal_probe): a token goes round until it finds all shards
 * without work and no word with tasks under way (Safra's algorithm: Dijkstra, EWD 998). That covers what
 * shard 0 was given before, and all that came of it.
 *
 * Room: an inbox holds two words from each other shard, and what the user sends. */
#ifndef RINGKERNEL_PATTERN_STEAL_H
#define RINGKERNEL_PATTERN_STEAL_H

#include "../kernel.h"
#include "steal_message.h"

#if !defined(RK_STEAL_QUEUE)
#define RK_STEAL_QUEUE \
    1024u /* tasks that a shard has room for, a power of two, at least two words' full; define it before. 16 bytes each */
#endif
RK_STATIC_ASSERT((RK_STEAL_QUEUE & (RK_STEAL_QUEUE - 1u)) == 0 && RK_STEAL_QUEUE >= 16u &&
                     RK_STEAL_QUEUE >= 2u * RK_STEAL_BATCH,
                 "RK_STEAL_QUEUE is a power of two, 16 or more, and at least twice RK_STEAL_BATCH");
#if !defined(RK_STEAL_SHARDS)
#define RK_STEAL_SHARDS 64u /* that take part; define it before */
#endif
#define RK_STEAL_TRIES \
    2u /* shards that are asked at random: more find work sooner, and send more when there is none */

typedef struct rk_task {
    rk_u64 word[2];
} rk_task;

/* A shard's part. All zero holds tasks already, and rk_steal_begin makes it take part. */
typedef struct rk_steal {
    rk_u64 balance;                     /* words with tasks: sent less received, modulo 2^64 */
    rk_u64 done, given, taken, refused; /* tasks so far: popped, handed over, received, that found no room */
    rk_u64 token_balance;
    rk_u32 first, end; /* of the ring: the oldest, and behind the newest */
    rk_u32 me, shards; /* 0 shards: not begun */
    rk_u32 random, tries;
    rk_u32 open, serial; /* my request that is not answered: its number, 0: none; the last one's number */
    rk_u32 ask;          /* next shard whose request is looked at */
    rk_u32 black;        /* I had tasks from others since the token was here */
    rk_u32 has_token, token_black, token_out, round; /* out: of shard 0, it goes round */
    rk_u32 probes, ended;                            /* shard 0: asked to tell when all is done; and all is */
    rk_u32 giver;                                    /* who gave last, + 1: the first to be asked */
    rk_u32 asked[RK_STEAL_SHARDS]; /* the last request of each, and whether it waits for an answer: */
    rk_u8 waits[RK_STEAL_SHARDS];  /* 0 no, RK_STEAL_ASKS + 1, RK_STEAL_WAITS + 1 */
    rk_task task[RK_STEAL_QUEUE];
} rk_steal;

RK_FN rk_u32 rk_steal_queued(RK_GLOBAL const rk_steal *s) { return s->end - s->first; }

/* Take part as shard `me` of `shards`. RK_LIMIT: more than RK_STEAL_SHARDS. RK_INVALID_ARGUMENT: `me`
 * isn't one of them. RK_BUSY: begun. */
RK_FN rk_status rk_steal_begin(RK_GLOBAL rk_steal *s, rk_u32 me, rk_u32 shards)
{
    if (s->shards) return RK_BUSY;
    if (shards > RK_STEAL_SHARDS) return RK_LIMIT;
    if (me >= shards) return RK_INVALID_ARGUMENT;
    if (me == 0) s->has_token = s->round = 0; /* it is who sends it first */
    s->me = me;
    s->shards = shards;
    s->random = 2654435769u * (me + 1u);
    return RK_OK;
}

/* A task for this shard, or whoever steals it. RK_FULL: no room; do it at once, or refuse it. */
RK_FN rk_status rk_steal_push(RK_GLOBAL rk_steal *s, const rk_task *task)
{
    if (rk_steal_queued(s) >=
        RK_STEAL_QUEUE - (s->open ? RK_STEAL_BATCH : 0u)) { /* what comes has its room */
        s->refused++;
        return RK_FULL;
    }
    s->task[s->end++ & (RK_STEAL_QUEUE - 1u)] = *task;
    return RK_OK;
}

/* The newest task, to be done now: 1. 0: there is none. */
RK_FN rk_u32 rk_steal_pop(RK_GLOBAL rk_steal *s, rk_task *task)
{
    if (rk_steal_queued(s) == 0) return 0;
    *task = s->task[--s->end & (RK_STEAL_QUEUE - 1u)];
    s->done++;
    return 1;
}

/* Of shard 0: have the token go round; when all is done rk_steal_has_ended says so, once.
 * RK_INVALID_ARGUMENT: another shard. RK_BUSY: it goes round already, for somebody else. */
RK_FN rk_status rk_steal_probe(RK_GLOBAL rk_steal *s)
{
    if (s->me != 0 || s->shards == 0) return RK_INVALID_ARGUMENT;
    if (s->probes) return RK_BUSY;
    s->probes = 1;
    s->has_token = 1; /* of no round yet: the first that comes back can't be the last */
    s->token_black = 1;
    return RK_OK;
}

RK_FN rk_u32 rk_steal_has_ended(RK_GLOBAL rk_steal *s)
{
    rk_u32 ended = s->ended;
    s->ended = 0;
    return ended;
}

/* Take a word from another shard. RK_OK; RK_DUPLICATE: it came before, and nothing changed.
 * RK_INVALID_ARGUMENT: it can't be. */
RK_FN rk_status rk_steal_hear(RK_GLOBAL rk_steal *s, RK_MSG const rk_steal_word *word)
{
    rk_u32 from = word->from;
    if (from >= RK_STEAL_SHARDS || (s->shards && (from >= s->shards || from == s->me)) ||
        word->what > RK_STEAL_TOKEN || word->count > RK_STEAL_BATCH)
        return RK_INVALID_ARGUMENT;
    if (word->what == RK_STEAL_TOKEN) {
        rk_u32 is_mine = s->shards && s->me == 0; /* one that comes before the beginning is kept */
        rk_u32 is_next =
            is_mine ? word->serial == s->round && s->token_out : word->serial - s->round - 1u < 1u << 31;
        if (!is_next) return RK_DUPLICATE;
        s->token_out = 0;
        s->round = word->serial;
        s->has_token = 1;
        s->token_balance = word->balance;
        s->token_black = word->black;
    } else if (word->what == RK_STEAL_GIVES) {
        if (s->open == 0 || word->serial != s->open) return RK_DUPLICATE;
        s->open = 0;
        s->tries = word->count ? 0 : s->tries + 1u;
        for (rk_u32 i = 0; i < word->count; i++) {
            RK_GLOBAL rk_task *to = &s->task[s->end++ & (RK_STEAL_QUEUE - 1u)];
            to->word[0] = word->task[2u * i];
            to->word[1] = word->task[2u * i + 1u];
        }
        s->taken += word->count;
        if (word->count) {
            s->giver = from + 1u;
            s->balance--;
            s->black = 1;
        }
    } else {
        if ((word->serial - s->asked[from] - 1u) >> 31) return RK_DUPLICATE;
        s->asked[from] = word->serial;
        s->waits[from] = (rk_u8)(word->what + 1u);
    }
    return RK_OK;
}

/* A word of this shard that its target didn't take: it is as if it hadn't been sent, and what it was for is
 * sent again. Of each word once, and rk_steal_next afterwards. RK_FULL: for the tasks in it there is no room
 * by now; they are refused, and only in the word. RK_DUPLICATE: of an older request or round; nothing
 * changed. RK_INVALID_ARGUMENT: it can't be this shard's. */
RK_FN rk_status rk_steal_undelivered(RK_GLOBAL rk_steal *s, RK_GLOBAL const rk_steal_word *word)
{
    rk_u32 to = word->to, count = word->count;
    if (word->from != s->me || to >= s->shards || to == s->me || word->what > RK_STEAL_TOKEN ||
        count > RK_STEAL_BATCH)
        return RK_INVALID_ARGUMENT;
    if (word->what == RK_STEAL_TOKEN) {
        if (word->serial != s->round || s->has_token || (s->me == 0 && !s->token_out)) return RK_DUPLICATE;
        s->has_token = 1;
        s->token_out = 0;
        s->token_black |= word->black | (s->me == 0); /* shard 0 begins another round */
        return RK_OK;
    }
    if (word->what != RK_STEAL_GIVES) {
        if (s->open == 0 || word->serial != s->open) return RK_DUPLICATE;
        s->open = 0;
        s->tries += word->what == RK_STEAL_ASKS; /* another is asked */
        return RK_OK;
    }
    if (s->asked[to] == word->serial) s->waits[to] = RK_STEAL_ASKS + 1u; /* it still has no answer */
    if (count == 0) return RK_OK;
    s->given -= count;
    s->balance--; /* as if it had come to me */
    s->black = 1;
    if (rk_steal_queued(s) + count > RK_STEAL_QUEUE - (s->open ? RK_STEAL_BATCH : 0u)) {
        s->refused += count;
        return RK_FULL;
    }
    s->first -= count;
    for (rk_u32 i = 0; i < count; i++) {
        RK_GLOBAL rk_task *back = &s->task[(s->first + i) & (RK_STEAL_QUEUE - 1u)];
        back->word[0] = word->task[2u * i];
        back->word[1] = word->task[2u * i + 1u];
    }
    return RK_OK;
}

RK_FN void rk_steal_word_to(RK_GLOBAL rk_steal *s, rk_steal_word *word, rk_u32 what, rk_u32 to, rk_u32 serial)
{
    for (rk_u32 i = 0; i < 2u * RK_STEAL_BATCH; i++) word->task[i] = 0;
    word->balance = 0;
    word->what = what;
    word->from = s->me;
    word->to = to;
    word->serial = serial;
    word->count = word->black = 0;
}

/* Answer a request, if one is there that can be answered now: the oldest tasks, half of them at most. */
RK_FN rk_u32 rk_steal_answer(RK_GLOBAL rk_steal *s, rk_steal_word *word)
{
    rk_u32 most = rk_steal_queued(s) / 2u, count = most < RK_STEAL_BATCH ? most : RK_STEAL_BATCH;
    for (rk_u32 i = 0; i < s->shards; i++) {
        rk_u32 thief = (s->ask + i) % s->shards;
        if (!s->waits[thief] || (count == 0 && s->waits[thief] == RK_STEAL_WAITS + 1u)) continue;
        rk_steal_word_to(s, word, RK_STEAL_GIVES, thief, s->asked[thief]);
        for (rk_u32 t = 0; t < count; t++) {
            RK_GLOBAL const rk_task *task = &s->task[s->first++ & (RK_STEAL_QUEUE - 1u)];
            word->task[2u * t] = task->word[0];
            word->task[2u * t + 1u] = task->word[1];
        }
        word->count = count;
        s->given += count;
        s->balance += count > 0;
        s->waits[thief] = 0;
        s->ask = thief + 1u;
        return 1;
    }
    return 0;
}

RK_FN rk_u32 rk_steal_wants(RK_GLOBAL const rk_steal *s)
{
    return rk_steal_queued(s) == 0 && s->open == 0 && s->shards > 1u;
}

/* Ask one at random, or wait at the lifeline. */
RK_FN void rk_steal_request(RK_GLOBAL rk_steal *s, rk_steal_word *word)
{
    rk_u32 to = (s->me + 1u) % s->shards, waits = s->tries >= RK_STEAL_TRIES;
    s->random ^= s->random << 13; /* xorshift: Marsaglia, 2003 */
    s->random ^= s->random >> 17;
    s->random ^= s->random << 5;
    if (!waits)
        to = s->tries == 0 && s->giver ? s->giver - 1u
                                       : (s->me + 1u + s->random % (s->shards - 1u)) % s->shards;
    s->serial += s->serial == ~0u ? 2u : 1u; /* 0 is none */
    s->open = s->serial;
    rk_steal_word_to(s, word, waits ? RK_STEAL_WAITS : RK_STEAL_ASKS, to, s->serial);
}

/* The token goes on, or at shard 0 it is judged: 1 when there is a word to send. */
RK_FN rk_u32 rk_steal_pass_token(RK_GLOBAL rk_steal *s, rk_steal_word *word)
{
    s->has_token = 0;
    if (s->me == 0) {
        s->ended = s->shards == 1u || (!s->token_black && !s->black && s->token_balance + s->balance == 0);
        if (s->ended) {
            s->probes = 0;
            return 0;
        }
        s->token_out = 1;
        rk_steal_word_to(s, word, RK_STEAL_TOKEN, 1, ++s->round);
    } else {
        rk_steal_word_to(s, word, RK_STEAL_TOKEN, (s->me + 1u) % s->shards, s->round);
        word->balance = s->token_balance + s->balance;
        word->black = s->token_black | s->black;
    }
    s->black = 0;
    return 1;
}

/* The next word that is to be sent now: 1. Call it until it is 0, or as often as there is room for sends. */
RK_FN rk_u32 rk_steal_next(RK_GLOBAL rk_steal *s, rk_steal_word *word)
{
    if (s->shards == 0) return 0;
    if (rk_steal_answer(s, word)) return 1;
    if (rk_steal_wants(s)) {
        rk_steal_request(s, word);
        return 1;
    }
    return s->has_token && rk_steal_queued(s) == 0 && rk_steal_pass_token(s, word);
}

/* 1: there are tasks, or words to be sent: ask for the timer hook again. */
RK_FN rk_u32 rk_steal_is_busy(RK_GLOBAL const rk_steal *s)
{
    if (s->shards == 0) return rk_steal_queued(s) > 0;
    if (rk_steal_queued(s) > 0 || rk_steal_wants(s) || s->has_token) return 1;
    for (rk_u32 i = 0; i < s->shards; i++)
        if (s->waits[i] == RK_STEAL_ASKS + 1u) return 1;
    return 0;
}

#endif
