/* A pool of blocks of one size inside a kernel's state, for all threads of a group at once.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/slab.h>
 *
 *     RK_SLAB(orders, 1000, order)                           // 1,000 blocks, each an `order`
 *     typedef struct desk { orders open; … } desk;
 *
 *     rk_u32 block;
 *     if (orders_rent(RK_ARG, &self->open, &block) == RK_OK)
 *         orders_at(&self->open, block)->price = msg->price;
 *     …
 *     orders_return(&self->open, block);
 *
 * Zeros are a slab whose blocks are all there, so a fresh state needs no preparation. RK_SLAB(name, blocks,
 * type) makes, of 1 to 32,768 blocks, the structure `name` and:
 *
 *     rk_status name_rent(RK_ARG, slab, &block)  a block, undefined at first. RK_FULL: all blocks are out, or
 *                                                being asked for: return one, or refuse the message. RK_BUSY:
 *                                                a block is there, but others were faster RK_SLAB_TRIES
 *                                                times: ask again when the next message comes. Both leave
 *                                                `block` 0, which is no block
 *     rk_status name_return(slab, block)         never waits. RK_STALE: it is not out, so it was returned
 *                                                before; nothing has changed, and `slab->refused` counts it.
 *                                                RK_INVALID_ARGUMENT: there is no such block
 *     type *name_at(slab, block)                 where a rented block is
 *     rk_u32 name_out(slab)                      how many are out; while others rent, those that ask too
 *
 * Renting and returning take constant time, and any thread may do both, also of another block or shard that
 * sees the memory. If never more threads than there are blocks hold or ask for one, none is told RK_FULL.
 *
 * Checks: with `#define RK_SLAB_CHECKED 1` before the include each block has 8 bytes more, and
 *
 *     a return is refused with RK_STALE also if the block was rented again since: the upper half of a block's
 *     number says how often it was;
 *     rk_u32 name_oldest(slab, &age)             finds leaks: the block that is out for the longest, and how
 *                                                many times a block was rented since; 0: none is out. One
 *                                                thread, while no other rents
 *
 * A slab that should be whole when all is done says so in a drain hook:
 *
 *     if (orders_out(&self->open)) rk_log1(RK_ARG, RK_WARNING, "%u orders leaked", orders_out(&self->open));
 *
 * The switch changes the layout: a state that is read or restored wants the same on both sides.
 *
 * How it differs from device/pool.h: that is the runtime's, of large payloads, which are taken by one side
 * and come back over a ring. This is a part of a state, and blocks are taken and given back by anybody.
 *
 * A bit for each block, and above 32 words of them one word that says which are full; above those, one
 * more. A block's bit is set and cleared by one atomic operation, and there is no list, so nothing is
 * compared with what was read before and no tag is needed against its coming back (ABA). A word above may
 * say "full" only until who wrote that has looked again, and "not full" until the next who finds nothing
 * there. Who counted itself in `out` first knows that there is a bit to be found. Threads begin to look at
 * different bits. Summaries over bitmaps are an old
 * device of file systems; that several threads change both without a lock is explained at each function. */
#ifndef RINGKERNEL_STATE_SLAB_H
#define RINGKERNEL_STATE_SLAB_H

#include "../device/group.h"
#include "../device/histogram.h"
#include "../status.h"

#if !defined(RK_SLAB_CHECKED)
#define RK_SLAB_CHECKED 0
#endif

/* A failed try is another thread's success, and a block has at most 1,024 threads: four times those. */
#if !defined(RK_SLAB_TRIES)
#define RK_SLAB_TRIES 4096u
#endif

/* Tests put another thread's work here, between a look at a leaf and the setting of a bit in it. */
#if !defined(RK_SLAB_LOOKED)
#define RK_SLAB_LOOKED() ((void)0)
#endif

#define RK_SLAB_MAX 32768u
#define RK_SLAB_LEAVES(blocks) (((blocks) + 31u) / 32u)
#define RK_SLAB_BRANCHES(blocks) ((RK_SLAB_LEAVES(blocks) + 31u) / 32u)
#define RK_SLAB_WORDS(blocks) (1u + RK_SLAB_BRANCHES(blocks) + RK_SLAB_LEAVES(blocks))
#define RK_SLAB_NONE 0xffffffffu
#define RK_SLAB_ALL 0xffffffffu /* of a word: nothing is free */

/* The bits of a word for things that don't exist: word `w` of those for `count` things. */
RK_FN rk_u32 rk_slab_absent(rk_u32 count, rk_u32 w)
{
    return count - w * 32u >= 32u ? 0u : RK_SLAB_ALL << (count - w * 32u);
}

/* A bit that is not set, the first from `start` on; there is one. */
RK_FN rk_u32 rk_slab_pick(rk_u32 word, rk_u32 start)
{
    rk_u32 unset = ~word, from = unset >> start << start;
    rk_u32 among = from ? from : unset;
    return rk_log2_u64(among & (~among + 1u));
}

/* What is above a word: words[0], then a branch for each 32 leaves, then the leaves. */
RK_FN rk_u32 rk_slab_branch(RK_GLOBAL const rk_u32 *words, rk_u32 blocks, rk_u32 branch)
{
    return rk_load_u32(&words[1u + branch], RK_ACQUIRE, RK_SCOPE_DEVICE) |
           rk_slab_absent(RK_SLAB_LEAVES(blocks), branch);
}
RK_FN rk_u32 rk_slab_leaf(RK_GLOBAL const rk_u32 *words, rk_u32 blocks, rk_u32 leaf)
{
    return rk_load_u32(&words[1u + RK_SLAB_BRANCHES(blocks) + leaf], RK_ACQUIRE, RK_SCOPE_DEVICE) |
           rk_slab_absent(blocks, leaf);
}

/* A leaf has room: says so above. */
RK_FN void rk_slab_open(RK_GLOBAL rk_u32 *words, rk_u32 blocks, rk_u32 leaf)
{
    rk_u32 branch = leaf / 32u;
    rk_u32 before = rk_and_u32(&words[1u + branch], ~(1u << leaf % 32u), RK_ACQ_REL, RK_SCOPE_DEVICE);
    if ((before | rk_slab_absent(RK_SLAB_LEAVES(blocks), branch)) == RK_SLAB_ALL)
        rk_and_u32(&words[0], ~(1u << branch), RK_ACQ_REL, RK_SCOPE_DEVICE);
}

/* A branch is full: says so above, and takes it back if that has changed. Who changed it before cleared
 * nothing there, and who changes it later clears it. */
RK_FN void rk_slab_close_branch(RK_GLOBAL rk_u32 *words, rk_u32 blocks, rk_u32 branch)
{
    rk_or_u32(&words[0], 1u << branch, RK_ACQ_REL, RK_SCOPE_DEVICE);
    if (rk_slab_branch(words, blocks, branch) != RK_SLAB_ALL)
        rk_and_u32(&words[0], ~(1u << branch), RK_ACQ_REL, RK_SCOPE_DEVICE);
}

/* The same of a leaf. */
RK_FN void rk_slab_close(RK_GLOBAL rk_u32 *words, rk_u32 blocks, rk_u32 leaf)
{
    rk_u32 branch = leaf / 32u;
    rk_or_u32(&words[1u + branch], 1u << leaf % 32u, RK_ACQ_REL, RK_SCOPE_DEVICE);
    if (rk_slab_leaf(words, blocks, leaf) != RK_SLAB_ALL)
        rk_slab_open(words, blocks, leaf);
    else if (rk_slab_branch(words, blocks, branch) == RK_SLAB_ALL)
        rk_slab_close_branch(words, blocks, branch);
}

/* Sets a bit that wasn't set. RK_SLAB_NONE: not in RK_SLAB_TRIES tries. */
RK_FN rk_u32 rk_slab_take(RK_GLOBAL rk_u32 *words, rk_u32 blocks, rk_u32 start)
{
    for (rk_u32 round = 0; round < RK_SLAB_TRIES; round++) {
        rk_u32 root =
            rk_load_u32(&words[0], RK_ACQUIRE, RK_SCOPE_DEVICE) | rk_slab_absent(RK_SLAB_BRANCHES(blocks), 0);
        if (root == RK_SLAB_ALL) continue;
        rk_u32 branch = rk_slab_pick(root, start / 1024u % 32u);
        rk_u32 leaves = rk_slab_branch(words, blocks, branch);
        if (leaves == RK_SLAB_ALL) {
            rk_slab_close_branch(words, blocks, branch);
            continue;
        }
        rk_u32 leaf = 32u * branch + rk_slab_pick(leaves, start / 32u % 32u);
        rk_u32 bits = rk_slab_leaf(words, blocks, leaf);
        if (bits == RK_SLAB_ALL) {
            rk_slab_close(words, blocks, leaf);
            continue;
        }
        rk_u32 bit = 1u << rk_slab_pick(bits, start % 32u);
        RK_SLAB_LOOKED();
        rk_u32 before =
            rk_or_u32(&words[1u + RK_SLAB_BRANCHES(blocks) + leaf], bit, RK_ACQ_REL, RK_SCOPE_DEVICE);
        if (before & bit) continue;
        if ((before | bit | rk_slab_absent(blocks, leaf)) == RK_SLAB_ALL) rk_slab_close(words, blocks, leaf);
        return 32u * leaf + rk_log2_u64(bit);
    }
    return RK_SLAB_NONE;
}

/* Clears a bit. 0: it wasn't set. */
RK_FN rk_u32 rk_slab_put(RK_GLOBAL rk_u32 *words, rk_u32 blocks, rk_u32 block)
{
    rk_u32 leaf = block / 32u, bit = 1u << block % 32u;
    rk_u32 before =
        rk_and_u32(&words[1u + RK_SLAB_BRANCHES(blocks) + leaf], ~bit, RK_ACQ_REL, RK_SCOPE_DEVICE);
    if (!(before & bit)) return 0;
    if ((before | rk_slab_absent(blocks, leaf)) == RK_SLAB_ALL) rk_slab_open(words, blocks, leaf);
    return 1;
}

/* A block's number for its renter, and whether one is of this rent: `turn` is odd while the block is out. */
#if RK_SLAB_CHECKED
#define RK_SLAB_CHECKS_(blocks) rk_u32 rents, turn[blocks], since[blocks];
#define RK_SLAB_BEGIN_(slab, n) rk_slab_begin(&(slab)->rents, (slab)->turn, (slab)->since, n)
#define RK_SLAB_END_(slab, block) rk_slab_end((slab)->turn, block)
RK_FN rk_u32 rk_slab_begin(RK_GLOBAL rk_u32 *rents, RK_GLOBAL rk_u32 *turn, RK_GLOBAL rk_u32 *since, rk_u32 n)
{
    rk_u32 now = rk_load_u32(&turn[n], RK_RELAXED, RK_SCOPE_DEVICE) + 1u;
    rk_store_u32(&turn[n], now, RK_RELAXED, RK_SCOPE_DEVICE);
    since[n] = rk_add_u32(rents, 1u, RK_RELAXED, RK_SCOPE_DEVICE) + 1u;
    return (now & 0xffffu) << 16 | (n + 1u);
}
RK_FN rk_u32 rk_slab_end(RK_GLOBAL rk_u32 *turn, rk_u32 block)
{
    rk_u32 n = (block & 0xffffu) - 1u, now = rk_load_u32(&turn[n], RK_RELAXED, RK_SCOPE_DEVICE);
    if ((now & 1u) == 0 || (now & 0xffffu) != block >> 16) return 0;
    return (rk_u32)rk_cas_u32(&turn[n], now, now + 1u, RK_ACQ_REL, RK_SCOPE_DEVICE);
}
#define RK_SLAB_OLDEST_(name, blocks)                                                                    \
    RK_FN rk_u32 name##_oldest(RK_GLOBAL const name *slab, rk_u32 *age)                                  \
    {                                                                                                    \
        rk_u32 oldest = 0;                                                                               \
        *age = 0;                                                                                        \
        for (rk_u32 n = 0; n < (blocks); n++) {                                                          \
            if ((slab->turn[n] & 1u) == 0 || (oldest && slab->rents - slab->since[n] <= *age)) continue; \
            oldest = (slab->turn[n] & 0xffffu) << 16 | (n + 1u);                                         \
            *age = slab->rents - slab->since[n];                                                         \
        }                                                                                                \
        return oldest;                                                                                   \
    }
#else
#define RK_SLAB_CHECKS_(blocks)
#define RK_SLAB_BEGIN_(slab, n) ((n) + 1u)
#define RK_SLAB_END_(slab, block) ((block) >> 16 == 0u)
#define RK_SLAB_OLDEST_(name, blocks)
#endif

#define RK_SLAB(name, blocks, type)                                                                  \
    RK_STATIC_ASSERT((blocks) > 0 && (blocks) <= RK_SLAB_MAX, "RK_SLAB: 1 to 32,768 blocks");        \
    typedef struct name {                                                                            \
        rk_u32 out;     /* blocks that are out or asked for */                                       \
        rk_u32 refused; /* returns of what was not out */                                            \
        rk_u32 word[RK_SLAB_WORDS(blocks)];                                                          \
        RK_SLAB_CHECKS_(blocks)                                                                      \
        type block[blocks];                                                                          \
    } name;                                                                                          \
    RK_FN RK_GLOBAL type *name##_at(RK_GLOBAL name *slab, rk_u32 block)                              \
    {                                                                                                \
        return &slab->block[(block & 0xffffu) - 1u];                                                 \
    }                                                                                                \
    RK_FN rk_u32 name##_out(RK_GLOBAL const name *slab)                                              \
    {                                                                                                \
        return rk_load_u32(&slab->out, RK_RELAXED, RK_SCOPE_DEVICE);                                 \
    }                                                                                                \
    RK_FN rk_status name##_rent(RK_CTX, RK_GLOBAL name *slab, rk_u32 *block)                         \
    {                                                                                                \
        *block = 0;                                                                                  \
        if (name##_out(slab) >= (blocks)) return RK_FULL;                                            \
        rk_u32 others = rk_add_u32(&slab->out, 1u, RK_ACQ_REL, RK_SCOPE_DEVICE);                     \
        rk_u32 n = others < (blocks) ? rk_slab_take(slab->word, blocks, rk_thread()) : RK_SLAB_NONE; \
        if (n == RK_SLAB_NONE) {                                                                     \
            rk_add_u32(&slab->out, RK_SLAB_NONE, RK_ACQ_REL, RK_SCOPE_DEVICE); /* one less */        \
            return others < (blocks) ? RK_BUSY : RK_FULL;                                            \
        }                                                                                            \
        *block = RK_SLAB_BEGIN_(slab, n);                                                            \
        return RK_OK;                                                                                \
    }                                                                                                \
    RK_FN rk_status name##_return(RK_GLOBAL name *slab, rk_u32 block)                                \
    {                                                                                                \
        rk_u32 n = (block & 0xffffu) - 1u;                                                           \
        if (n >= (blocks)) return RK_INVALID_ARGUMENT;                                               \
        if (!RK_SLAB_END_(slab, block) || !rk_slab_put(slab->word, blocks, n)) {                     \
            rk_add_u32(&slab->refused, 1u, RK_RELAXED, RK_SCOPE_DEVICE);                             \
            return RK_STALE;                                                                         \
        }                                                                                            \
        rk_add_u32(&slab->out, RK_SLAB_NONE, RK_ACQ_REL, RK_SCOPE_DEVICE); /* one less */            \
        return RK_OK;                                                                                \
    }                                                                                                \
    RK_SLAB_OLDEST_(name, blocks)

#endif
