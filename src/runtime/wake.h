/* The words `asleep` and `waiting` of a ring, by the host: W1 and W2 of the memory model (publish.h has the shards' side).
 *
 * Who goes to sleep says so in the word, passes the heavy fence and looks once more. Who published or gave room back
 * passes the light one and looks at the word. Where shards run on a device, whose sleepers pass no fence of this
 * process, and where the consumer of reports sleeps, it exchanges the word instead, which is a fence itself, and the
 * sleeper needs no other. */
#ifndef RK_RUNTIME_WAKE_H
#define RK_RUNTIME_WAKE_H

#include "core.h"
#include "fence.h"

/* The first half of W2, and all of it where wakers exchange the word. */
static inline void rk_wake_ask(rk_u32 *word) { (void)rk_exchange_u32(word, 1, RK_SEQ_CST, RK_SCOPE_DEVICE); }

/* The second, before the look, where they don't. */
static inline void rk_wake_asked(const rk_runtime *runtime)
{
    if (runtime->backend->threads) rk_fence_heavy();
}

/* W1. 1: somebody asked, and is the caller's to wake. */
static inline int rk_wake_take(const rk_runtime *runtime, rk_u32 *word)
{
    if (runtime->backend->threads) {
        rk_fence_light();
        if (!rk_load_u32(word, RK_RELAXED, RK_SCOPE_DEVICE)) return 0;
    }
    return rk_exchange_u32(word, 0, RK_SEQ_CST, RK_SCOPE_DEVICE) != 0;
}

#endif
