/* The guide's message passing with a barrier: each thread takes the update of one vertex, all meet, and
 * each sends the mean of its own and its neighbour's value.
 *
 * The guide keeps the values in global memory; here they live in the block's shared memory for the length
 * of one turn, because nothing says which message a thread gets in the next. */
#include <ringkernel/kernel.h>

#include "guide.rk.h"

#define VERTICES 64u

RK_SPMD_KERNEL(message_passing, vertex_update, vertex_update, .threads = VERTICES, .shared = VERTICES * 4u,
               .mode = RK_BATCH, .max_batch = VERTICES, .barrier = RK_SCOPE_BLOCK)
{
    RK_SHARED(rk_f32, value, VERTICES);
    vertex_update update;
    rk_u32 taken = rk_try_receive(RK_ARG, &update);
    value[rk_thread()] = taken ? update.value : 0.0f;
    rk_barrier(RK_SCOPE_BLOCK);

    rk_f32 neighbour = value[(rk_thread() + 1u) % VERTICES];
    if (taken) {
        vertex_update mean = { update.node, (update.value + neighbour) / 2.0f };
        rk_send(RK_ARG, &mean);
    }
}
