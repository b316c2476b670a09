/* A stack of a fixed size inside a kernel's state that all threads of a group push to and pop from at once.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/stack.h>
 *
 *     RK_STACK(work, 1000, task)                             // up to 1,000 tasks
 *     typedef struct crew { work open; … } crew;
 *
 *     task t = { … };
 *     if (work_push(RK_ARG, &self->open, &t) == RK_FULL) …
 *     if (work_pop(&self->open, &t) == RK_OK) …
 *
 * Zeros are an empty stack. RK_STACK(name, entries, type) makes, for 1 to 32,768 entries, the structure
 * `name` and:
 *
 *     rk_status name_push(RK_ARG, stack, &value)  RK_FULL: there are `entries` already, or that many with
 *                                                 those that are being pushed: pop first, or refuse the
 *                                                 message. RK_BUSY: others were faster RK_STACK_TRIES times:
 *                                                 again when the next message comes. After both the stack is
 *                                                 as it was
 *     rk_status name_pop(stack, &value)           what was pushed last. RK_EMPTY: nothing is there.
 *                                                 RK_BUSY: as above
 *     rk_u32 name_count(stack)                    entries; while others push and pop, those on their way too
 *
 * Any thread may do both, also one of another block or shard that sees the memory; what a thread wrote before
 * it pushed, the one that pops that entry sees. No call waits: each tries a bounded number of times, and a
 * failed try is another thread's success.
 *
 * Entries lie in a slab (state/slab.h) and are linked from the last to the first (R. Treiber, Systems
 * Programming: Coping with Parallelism, IBM RJ 5118, 1986). The number of the last one and a tag that each
 * change counts up are one 64-bit word, so an entry that is popped and pushed again between somebody's
 * look and exchange isn't taken for what it was (ABA): for that exactly 2^32 changes would have to fit in
 * between. A device without an exchange of 64 bits (RK_NO_CAS_U64) makes it under a lock that is tried,
 * not waited for. */
#ifndef RINGKERNEL_STATE_STACK_H
#define RINGKERNEL_STATE_STACK_H

#include "slab.h"

/* A failed try is another thread's success, and a block has at most 1,024 threads: four times those. */
#if !defined(RK_STACK_TRIES)
#define RK_STACK_TRIES 4096u
#endif

/* Tests put another thread's work here, between a look and an exchange. */
#if !defined(RK_STACK_LOOKED)
#define RK_STACK_LOOKED() ((void)0)
#endif

typedef struct rk_stack_top {
    rk_u64 tag_and_block; /* tag in the upper half; block 0: empty */
    rk_u32 lock;          /* where RK_NO_CAS_U64 */
    rk_u32 pad_;
} rk_stack_top;

/* The word after a change: the next tag, and that block on top. */
RK_FN rk_u64 rk_stack_with(rk_u64 seen, rk_u32 block) { return ((seen >> 32) + 1u) << 32 | block; }

RK_FN int rk_stack_exchange(RK_GLOBAL rk_stack_top *top, rk_u64 seen, rk_u32 block)
{
    RK_STACK_LOOKED();
#if !defined(RK_NO_CAS_U64)
    return rk_cas_u64(&top->tag_and_block, seen, rk_stack_with(seen, block), RK_ACQ_REL, RK_SCOPE_DEVICE);
#else
    if (rk_exchange_u32(&top->lock, 1u, RK_ACQUIRE, RK_SCOPE_DEVICE) != 0) return 0;
    int same = rk_load_u64(&top->tag_and_block, RK_RELAXED, RK_SCOPE_DEVICE) == seen;
    if (same) rk_store_u64(&top->tag_and_block, rk_stack_with(seen, block), RK_RELEASE, RK_SCOPE_DEVICE);
    rk_store_u32(&top->lock, 0, RK_RELEASE, RK_SCOPE_DEVICE);
    return same;
#endif
}

#define RK_STACK(name, entries, type)                                                                    \
    RK_STATIC_ASSERT((entries) > 0 && (entries) <= RK_SLAB_MAX, "RK_STACK: 1 to 32,768 entries");        \
    typedef struct name##_entry {                                                                        \
        type value;                                                                                      \
        rk_u32 below; /* the block under it; 0: none */                                                  \
    } name##_entry;                                                                                      \
    RK_SLAB(name##_entries, entries, name##_entry)                                                       \
    typedef struct name {                                                                                \
        rk_stack_top top;                                                                                \
        name##_entries entry;                                                                            \
    } name;                                                                                              \
    RK_FN rk_u32 name##_count(RK_GLOBAL const name *stack) { return name##_entries_out(&stack->entry); } \
    RK_FN rk_status name##_push(RK_CTX, RK_GLOBAL name *stack, const type *value)                        \
    {                                                                                                    \
        rk_u32 block;                                                                                    \
        rk_status rented = name##_entries_rent(rk_ctx, &stack->entry, &block);                           \
        if (rented != RK_OK) return rented;                                                              \
        RK_GLOBAL name##_entry *entry = name##_entries_at(&stack->entry, block);                         \
        entry->value = *value;                                                                           \
        for (rk_u32 round = 0; round < RK_STACK_TRIES; round++) {                                        \
            rk_u64 seen = rk_load_u64(&stack->top.tag_and_block, RK_RELAXED, RK_SCOPE_DEVICE);           \
            rk_store_u32(&entry->below, (rk_u32)seen, RK_RELAXED, RK_SCOPE_DEVICE);                      \
            if (rk_stack_exchange(&stack->top, seen, block)) return RK_OK;                               \
        }                                                                                                \
        name##_entries_return(&stack->entry, block);                                                     \
        return RK_BUSY;                                                                                  \
    }                                                                                                    \
    RK_FN rk_status name##_pop(RK_GLOBAL name *stack, type *value)                                       \
    {                                                                                                    \
        for (rk_u32 round = 0; round < RK_STACK_TRIES; round++) {                                        \
            rk_u64 seen = rk_load_u64(&stack->top.tag_and_block, RK_ACQUIRE, RK_SCOPE_DEVICE);           \
            rk_u32 block = (rk_u32)seen;                                                                 \
            if (block == 0) return RK_EMPTY;                                                             \
            RK_GLOBAL name##_entry *entry = name##_entries_at(&stack->entry, block);                     \
            /* If it isn't the last any more, this is whatever is there now, and the exchange fails. */  \
            rk_u32 below = rk_load_u32(&entry->below, RK_RELAXED, RK_SCOPE_DEVICE);                      \
            if (!rk_stack_exchange(&stack->top, seen, below)) continue;                                  \
            *value = entry->value;                                                                       \
            name##_entries_return(&stack->entry, block);                                                 \
            return RK_OK;                                                                                \
        }                                                                                                \
        return RK_BUSY;                                                                                  \
    }

#endif
