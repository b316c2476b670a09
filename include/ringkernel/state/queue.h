/* A bounded queue inside a kernel's state that all threads of a group put to and take from at once.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/queue.h>
 *
 *     RK_QUEUE(work, 1024, task)                             // up to 1,024 tasks
 *     typedef struct crew { work open; … } crew;
 *
 *     task t = { … };
 *     if (work_put(&self->open, &t) == RK_FULL) …
 *     if (work_take(&self->open, &t) == RK_OK) …
 *
 * Zeros are an empty queue. RK_QUEUE(name, places, type) makes, for a power of two up to 2^24, the structure
 * `name` and:
 *
 *     rk_status name_put(queue, &value)   RK_FULL: all places are taken: take first, or refuse the message.
 *                                         RK_BUSY: a place is there, but others were faster RK_QUEUE_TRIES
 *                                         times, or the one who takes from it isn't done: again when the next
 *                                         message comes. After both the queue is as it was
 *     rk_status name_take(queue, &value)  the first one. RK_EMPTY: nothing is there. RK_BUSY: as above, or
 *                                         who puts it there isn't done
 *     rk_u32 name_count(queue)            how many are in it, exact when nobody puts or takes
 *
 * Any thread may do both, also one of another block or shard that sees the memory; what a thread wrote before
 * it put, the one that takes that entry sees. What one thread puts comes out in that order. No call waits:
 * each tries a bounded number of times.
 *
 * Who puts or takes claims a position by comparing and exchanging one 32-bit word, when the place for it
 * has its turn: twice the laps before, one more while something is in it (D. Vyukov, Bounded MPMC queue,
 * 2010; with turns that count from zero as in E. Rigtorp's MPMCQueue). Positions and turns are tags that
 * only grow, so nothing that comes back is taken for what it was (ABA): for that exactly 2^32 entries
 * would have to pass between somebody's look and exchange. A thread that is stopped between its claim and
 * its copy holds up that place, and those who come to it are told RK_BUSY; in a handler nothing stops it
 * there. */
#ifndef RINGKERNEL_STATE_QUEUE_H
#define RINGKERNEL_STATE_QUEUE_H

#include "../device/group.h"
#include "../status.h"

/* A failed try is another thread's success, and a block has at most 1,024 threads: four times those. */
#if !defined(RK_QUEUE_TRIES)
#define RK_QUEUE_TRIES 4096u
#endif

/* Tests put another thread's work here, between a look and an exchange. */
#if !defined(RK_QUEUE_LOOKED)
#define RK_QUEUE_LOOKED() ((void)0)
#endif

#define RK_QUEUE_MAX 0x1000000u

/* Where to put next and to take next, each in a line of its own. */
typedef struct rk_queue_ends {
    rk_u32 tail, tail_[31];
    rk_u32 head, head_[31];
} rk_queue_ends;

/* The turn of a place while it waits for position `p` to be put; one more: to be taken. */
RK_FN rk_u32 rk_queue_turn(rk_u32 p, rk_u32 places) { return 2u * (p / places); }

/* Claims the next position to put or to take, by its end and the turn that its place has to have. RK_BUSY:
 * not yet. */
RK_FN rk_status rk_queue_claim(RK_GLOBAL rk_u32 *end, RK_GLOBAL const rk_u32 *turn, rk_u32 places,
                               rk_u32 filled, rk_u32 *position)
{
    rk_u32 p = rk_load_u32(end, RK_RELAXED, RK_SCOPE_DEVICE);
    *position = p;
    if (rk_load_u32(&turn[p % places], RK_ACQUIRE, RK_SCOPE_DEVICE) != rk_queue_turn(p, places) + filled)
        return RK_BUSY;
    RK_QUEUE_LOOKED();
    return rk_cas_u32(end, p, p + 1u, RK_ACQ_REL, RK_SCOPE_DEVICE) ? RK_OK : RK_BUSY;
}

/* By how much the tail is ahead of the head, seen in that order or the other: which one decides which way
 * it may err. */
RK_FN rk_i32 rk_queue_ahead(rk_u32 tail, rk_u32 head) { return (rk_i32)(tail - head); }

RK_FN rk_status rk_queue_claim_put(RK_GLOBAL rk_queue_ends *ends, RK_GLOBAL const rk_u32 *turn, rk_u32 places,
                                   rk_u32 *p)
{
    for (rk_u32 round = 0; round < RK_QUEUE_TRIES; round++) {
        if (rk_queue_claim(&ends->tail, turn, places, 0, p) == RK_OK) return RK_OK;
        /* Full: if nothing was put since, as the head was at a time after that. */
        if (rk_load_u32(&ends->tail, RK_ACQUIRE, RK_SCOPE_DEVICE) != *p) continue;
        rk_u32 head = rk_load_u32(&ends->head, RK_ACQUIRE, RK_SCOPE_DEVICE);
        if (rk_queue_ahead(*p, head) >= (rk_i32)places) return RK_FULL;
    }
    return RK_BUSY;
}

RK_FN rk_status rk_queue_claim_take(RK_GLOBAL rk_queue_ends *ends, RK_GLOBAL const rk_u32 *turn,
                                    rk_u32 places, rk_u32 *p)
{
    for (rk_u32 round = 0; round < RK_QUEUE_TRIES; round++) {
        if (rk_queue_claim(&ends->head, turn, places, 1, p) == RK_OK) return RK_OK;
        if (rk_load_u32(&ends->head, RK_ACQUIRE, RK_SCOPE_DEVICE) != *p) continue;
        rk_u32 tail = rk_load_u32(&ends->tail, RK_ACQUIRE, RK_SCOPE_DEVICE);
        if (rk_queue_ahead(tail, *p) <= 0) return RK_EMPTY;
    }
    return RK_BUSY;
}

#define RK_QUEUE(name, places, type)                                                                       \
    RK_STATIC_ASSERT((places) > 0 && (places) <= RK_QUEUE_MAX && ((places) & ((places)-1u)) == 0,          \
                     "RK_QUEUE: a power of two up to 2^24 places");                                        \
    typedef struct name {                                                                                  \
        rk_queue_ends ends;                                                                                \
        rk_u32 turn[places];                                                                               \
        type value[places];                                                                                \
    } name;                                                                                                \
    RK_FN rk_u32 name##_count(RK_GLOBAL const name *queue) { return queue->ends.tail - queue->ends.head; } \
    RK_FN rk_status name##_put(RK_GLOBAL name *queue, const type *value)                                   \
    {                                                                                                      \
        rk_u32 p;                                                                                          \
        rk_status claimed = rk_queue_claim_put(&queue->ends, queue->turn, places, &p);                     \
        if (claimed != RK_OK) return claimed;                                                              \
        queue->value[p % (places)] = *value;                                                               \
        rk_store_u32(&queue->turn[p % (places)], rk_queue_turn(p, places) + 1u, RK_RELEASE,                \
                     RK_SCOPE_DEVICE);                                                                     \
        return RK_OK;                                                                                      \
    }                                                                                                      \
    RK_FN rk_status name##_take(RK_GLOBAL name *queue, type *value)                                        \
    {                                                                                                      \
        rk_u32 p;                                                                                          \
        rk_status claimed = rk_queue_claim_take(&queue->ends, queue->turn, places, &p);                    \
        if (claimed != RK_OK) return claimed;                                                              \
        *value = queue->value[p % (places)];                                                               \
        rk_store_u32(&queue->turn[p % (places)], rk_queue_turn(p + (places), places), RK_RELEASE,          \
                     RK_SCOPE_DEVICE);                                                                     \
        return RK_OK;                                                                                      \
    }

#endif
