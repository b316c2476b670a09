/* The guide's three memory models, on one exchange: each thread puts its value where its neighbour finds
 * it, and sends on what the neighbour put. Whatever the model, the answers are the same; what differs is
 * who orders the messages with the rest. */
#include <ringkernel/kernel.h>

#include "guide.rk.h"

#define PLACES 64u

/* What thread t finds in its neighbour's place: its own value if the neighbour took no message. */
RK_FN void send_swapped(RK_CTX, RK_LOCAL const rk_u32 *value, RK_LOCAL const rk_u32 *taken,
                        const swap_offer *own)
{
    rk_u32 neighbour = rk_thread() ^ 1u;
    swap_offer swapped = { own->place, taken[neighbour] ? value[neighbour] : own->value };
    if (taken[rk_thread()]) rk_send(RK_ARG, &swapped);
}

/* Relaxed: nothing but the message's own bytes is ordered, so each side has its fence, written by hand. */
RK_SPMD_KERNEL(relaxed_swap, swap_offer, swap_offer, .threads = PLACES, .shared = PLACES * 8u,
               .mode = RK_BATCH, .max_batch = PLACES, .barrier = RK_SCOPE_BLOCK, .memory = RK_RELAXED_MEMORY,
               .not_causal = 1)
{
    RK_SHARED(rk_u32, value, PLACES);
    RK_SHARED(rk_u32, taken, PLACES);
    swap_offer own = { 0, 0 };
    taken[rk_thread()] = rk_try_receive(RK_ARG, &own);
    value[rk_thread()] = own.value;
    rk_memory_fence(RK_ACQ_REL, RK_SCOPE_DEVICE);
    rk_barrier(RK_SCOPE_BLOCK);
    send_swapped(RK_ARG, value, taken, &own);
    rk_memory_fence(RK_ACQ_REL, RK_SCOPE_DEVICE);
}

/* Release and acquire, the default: what was written before a send is seen by its receiver. */
RK_SPMD_KERNEL(ordered_swap, swap_offer, swap_offer, .threads = PLACES, .shared = PLACES * 8u,
               .mode = RK_BATCH, .max_batch = PLACES, .barrier = RK_SCOPE_BLOCK, .memory = RK_RELEASE_ACQUIRE)
{
    RK_SHARED(rk_u32, value, PLACES);
    RK_SHARED(rk_u32, taken, PLACES);
    swap_offer own = { 0, 0 };
    taken[rk_thread()] = rk_try_receive(RK_ARG, &own);
    value[rk_thread()] = own.value;
    rk_barrier(RK_SCOPE_BLOCK);
    send_swapped(RK_ARG, value, taken, &own);
}

/* Sequential: beside that, all threads see sends and receives in one order. For the search for races. */
RK_SPMD_KERNEL(sequential_swap, swap_offer, swap_offer, .threads = PLACES, .shared = PLACES * 8u,
               .mode = RK_BATCH, .max_batch = PLACES, .barrier = RK_SCOPE_BLOCK, .memory = RK_SEQUENTIAL)
{
    RK_SHARED(rk_u32, value, PLACES);
    RK_SHARED(rk_u32, taken, PLACES);
    swap_offer own = { 0, 0 };
    taken[rk_thread()] = rk_try_receive(RK_ARG, &own);
    value[rk_thread()] = own.value;
    rk_barrier(RK_SCOPE_BLOCK);
    send_swapped(RK_ARG, value, taken, &own);
}
