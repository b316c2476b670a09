/* A kernel whose threads all rent, push, pop, put, take and return at once, and look whether each block is
 * one's own. */
#include <ringkernel/kernel.h>

#define RK_SLAB_CHECKED 1
#include <ringkernel/state/queue.h>
#include <ringkernel/state/slab.h>
#include <ringkernel/state/stack.h>

#include "crowd.rk.h"

typedef struct chair {
    rk_u32 owner;
} chair;

RK_SLAB(chairs, CROWD_BLOCKS, chair)
RK_STACK(chair_stack, CROWD_BLOCKS, rk_u32)
RK_QUEUE(chair_queue, CROWD_PLACES, rk_u32)

typedef struct hall {
    chairs chair;
    chair_stack stack;
    chair_queue queue;
} hall;

#define HELD ~0u /* as owner: somebody has it from a pop until the push */

/* Places of the counts, in the order of the reply. */
#define RENTED 0u
#define FULL 1u
#define BUSY 2u
#define PUSHED 3u
#define POPPED 4u
#define QUEUED 5u
#define TAKEN 6u
#define RETURNED 7u
#define STALE 8u
#define WRONG 9u
#define KEPT 10u
#define COUNTS 11u

RK_FN void count_rent(RK_LOCAL rk_u32 *count, rk_status status)
{
    rk_count_local(&count[status == RK_OK ? RENTED : status == RK_FULL ? FULL : BUSY], 1u);
}

/* Once, and once too often. */
RK_FN void return_twice(RK_GLOBAL hall *self, RK_LOCAL rk_u32 *count, rk_u32 block)
{
    if (chairs_return(&self->chair, block) == RK_OK) rk_count_local(&count[RETURNED], 1u);
    if (chairs_return(&self->chair, block) == RK_STALE) rk_count_local(&count[STALE], 1u);
}

/* Everybody gets a chair, and sees that nobody else has it. */
RK_FN void sit_down(RK_CTX, RK_GLOBAL hall *self, RK_LOCAL rk_u32 *count, RK_LOCAL rk_u32 *block, rk_u32 n)
{
    RK_PARALLEL(i, n) {
        rk_u32 mine;
        count_rent(count, chairs_rent(RK_ARG, &self->chair, &mine));
        block[i] = mine;
        if (mine) chairs_at(&self->chair, mine)->owner = i;
    }
    RK_PARALLEL(i, n)
        if (block[i] && chairs_at(&self->chair, block[i])->owner != i) rk_count_local(&count[WRONG], 1u);
}

/* Pops and pushes meet: a chair is one's own from the pop to the push, though the same few come and go. */
RK_FN void take_turns(RK_CTX, RK_GLOBAL hall *self, RK_LOCAL rk_u32 *count, rk_u32 n)
{
    RK_PARALLEL(i, n) {
        for (rk_u32 turn = 0; turn < 4u; turn++) {
            rk_u32 mine;
            if (chair_stack_pop(&self->stack, &mine) != RK_OK) continue;
            RK_GLOBAL rk_u32 *owner = &chairs_at(&self->chair, mine)->owner;
            rk_u32 before = rk_exchange_u32(owner, HELD, RK_RELAXED, RK_SCOPE_BLOCK);
            rk_u32 since = rk_exchange_u32(owner, i, RK_RELAXED, RK_SCOPE_BLOCK);
            if (before == HELD || since != HELD) rk_count_local(&count[WRONG], 1u);
            if (chair_stack_push(RK_ARG, &self->stack, &mine) != RK_OK) rk_count_local(&count[WRONG], 1u);
        }
    }
}

/* Chairs change hands by the stack, all of them, and then by the queue, as many as it has places for. */
RK_FN void change_hands(RK_CTX, RK_GLOBAL hall *self, RK_LOCAL rk_u32 *count, RK_LOCAL rk_u32 *block,
                        rk_u32 n)
{
    RK_PARALLEL(i, n) {
        rk_u32 mine = block[i];
        if (mine && chair_stack_push(RK_ARG, &self->stack, &mine) == RK_OK) {
            rk_count_local(&count[PUSHED], 1u);
            block[i] = 0;
        }
    }
    take_turns(RK_ARG, self, count, n);
    RK_PARALLEL(i, n) {
        rk_u32 theirs;
        if (block[i] == 0 && chair_stack_pop(&self->stack, &theirs) == RK_OK) {
            rk_count_local(&count[POPPED], 1u);
            block[i] = theirs;
        }
    }
    RK_PARALLEL(i, n) {
        rk_u32 mine = block[i];
        if (mine && chair_queue_put(&self->queue, &mine) == RK_OK) {
            rk_count_local(&count[QUEUED], 1u);
            block[i] = 0;
        }
    }
    RK_PARALLEL(i, n) {
        rk_u32 theirs;
        if (block[i] == 0 && chair_queue_take(&self->queue, &theirs) == RK_OK) {
            rk_count_local(&count[TAKEN], 1u);
            block[i] = theirs;
        }
    }
}

RK_HANDLER(crowds, crowd, msg, hall, self, .width = RK_BLOCK, .threads = 64, .state = RK_PER_SHARD,
           .shared = CROWD * 4u + 64u)
{
    RK_SHARED(rk_u32, block, CROWD);
    RK_SHARED(rk_u32, count, COUNTS);
    rk_u32 n = msg->n < CROWD ? msg->n : CROWD;
    RK_PARALLEL(i, COUNTS) count[i] = 0;
    sit_down(RK_ARG, self, count, block, n);
    change_hands(RK_ARG, self, count, block, n);
    RK_PARALLEL(i, n)
        if (block[i] && i < msg->keep)
            rk_count_local(&count[KEPT], 1u);
        else if (block[i])
            return_twice(self, count, block[i]);
    RK_ONCE {
        rk_u32 age;
        rk_u32 oldest = chairs_oldest(&self->chair, &age);
        crowded c = { count[RENTED],
                      count[FULL],
                      count[BUSY],
                      count[PUSHED],
                      count[POPPED],
                      count[QUEUED],
                      count[TAKEN],
                      count[RETURNED],
                      count[STALE],
                      count[WRONG],
                      count[KEPT],
                      0,
                      0,
                      0 };
        c.out = chairs_out(&self->chair);
        c.age = oldest ? age : 0;
        c.left = chair_stack_count(&self->stack) + chair_queue_count(&self->queue);
        rk_send(RK_ARG, &c);
    }
}
