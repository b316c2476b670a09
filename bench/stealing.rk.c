/* Tasks that keep a processor busy for a while, where they were placed or, after steal_too, wherever there is time. */
#include <ringkernel/kernel.h>

#include "stealing.rk.h"

#define RK_STEAL_QUEUE 4096u
#define RK_STEAL_BATCH 24u
#include <ringkernel/pattern/steal.h>

/* Of a turn of the hook: words to others, and a report. */
#define WORDS 8u
#define SENDS (WORDS + 1u)

RK_ROUTE(report)

typedef struct hauler {
    rk_steal steal;
    rk_u64 count, sum, noise;
} hauler;

RK_HANDLER(hauling, steal_too, msg, hauler, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    rk_steal_begin(&self->steal, rk_shard_number(), rk_shard_count());
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(hauling, haul, msg, hauler, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    for (rk_u32 i = 0; i < msg->count; i++) {
        rk_task t = { { msg->first + i, msg->rounds } };
        rk_steal_push(&self->steal, &t);
    }
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(hauling, rk_steal_word, word, hauler, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    rk_steal_hear(&self->steal, word);
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_FN void do_task(RK_GLOBAL hauler *self, const rk_task *t)
{
    rk_u64 x = t->word[0];
    for (rk_u64 i = 0; i < t->word[1]; i++) x = x * 6364136223846793005ul + 1442695040888963407ul;
    self->noise ^= x;
    self->sum += t->word[0];
    self->count++;
}

RK_ON_TIMER(hauling, hauler, self)
{
    rk_task t;
    rk_steal_word w;
    for (rk_u32 n = 0; n < 2u && rk_steal_pop(&self->steal, &t); n++) do_task(self, &t);
    for (rk_u32 n = 0; n < WORDS && rk_steal_next(&self->steal, &w); n++) {
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = w.to;
        rk_send_with(RK_ARG, &w, &to);
    }
    if (rk_steal_queued(&self->steal) == 0 && self->count) {
        hauled out = { self->count, self->sum };
        rk_send_to(RK_ARG, report, &out);
        self->count = self->sum = 0;
    }
    if (rk_steal_is_busy(&self->steal)) rk_wake_at(RK_ARG, rk_now_ns());
}
