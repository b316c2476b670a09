/* Kernels of the cases on attributes: each has one, and passes on what it gets. */
#include <ringkernel/kernel.h>

#include "contract_c.rk.h"

/* Slices that end after a millisecond. */
RK_HANDLER(slices_of_time, measure, msg, rk_none, self, .max_batch = 4, .event_driven = 1, .slice_us = 1000)
{
    rk_forward(RK_ARG);
}

RK_SPMD_KERNEL(slices_of_time_spmd, measure, measure, .threads = 4, .event_driven = 1, .slice_us = 1000)
{
    measure mine;
    if (rk_try_receive(RK_ARG, &mine)) rk_forward(RK_ARG);
}

/* Queues of its own. */
RK_HANDLER(own_input, measure, msg, rk_none, self, .input_queue = 32) { rk_forward(RK_ARG); }
RK_HANDLER(own_output, measure, msg, rk_none, self, .output_queue = 128) { rk_forward(RK_ARG); }
RK_HANDLER(own_queues, measure, msg, rk_none, self, .message_queue = 64) { rk_forward(RK_ARG); }
RK_HANDLER(own_each, measure, msg, rk_none, self, .input_queue = 32, .output_queue = 128, .message_queue = 64)
{
    rk_forward(RK_ARG);
}
RK_HANDLER(odd_queue, measure, msg, rk_none, self, .input_queue = 48) { rk_forward(RK_ARG); }

/* How it talks to others. */
RK_HANDLER(shared_memory, measure, msg, rk_none, self, .messaging = RK_MESSAGING_SHARED_MEMORY)
{
    rk_forward(RK_ARG);
}
RK_HANDLER(atomic_queue, measure, msg, rk_none, self, .messaging = RK_MESSAGING_ATOMIC_QUEUE)
{
    rk_forward(RK_ARG);
}
RK_HANDLER(gpu_to_gpu, measure, msg, rk_none, self, .messaging = RK_MESSAGING_P2P) { rk_forward(RK_ARG); }
RK_HANDLER(gpus_by_nccl, measure, msg, rk_none, self, .messaging = RK_MESSAGING_NCCL) { rk_forward(RK_ARG); }

/* Presets. */
RK_HANDLER(general, measure, msg, rk_none, self, .domain = RK_DOMAIN_GENERAL) { rk_forward(RK_ARG); }
RK_HANDLER(graph, measure, msg, rk_none, self, .domain = RK_DOMAIN_GRAPH) { rk_forward(RK_ARG); }
RK_HANDLER(stream, measure, msg, rk_none, self, .domain = RK_DOMAIN_STREAM) { rk_forward(RK_ARG); }
RK_HANDLER(actor, measure, msg, rk_none, self, .domain = RK_DOMAIN_ACTOR) { rk_forward(RK_ARG); }
RK_HANDLER(own_graph, measure, msg, rk_none, self, .max_batch = 5, .domain = RK_DOMAIN_GRAPH)
{
    rk_forward(RK_ARG);
}
RK_HANDLER(one_by_one, measure, msg, rk_none, self, .mode = RK_CONTINUOUS, .domain = RK_DOMAIN_STREAM)
{
    rk_forward(RK_ARG);
}

/* A warp for each message. */
RK_HANDLER(warp_wide, measure, msg, rk_none, self, .width = RK_WARP, .shared = 256)
{
    RK_SHARED(rk_u64, part, 32);
    RK_PARALLEL(i, 32u) part[i] = msg->value + i;
    for (rk_u32 stride = 16u; stride > 0; stride /= 2u)
        RK_PARALLEL(i, stride) part[i] += part[i + stride];
    RK_ONCE {
        measure sum = { msg->number, part[0] };
        rk_send(RK_ARG, &sum);
    }
}

/* Models of memory consistency. */
RK_HANDLER(released, measure, msg, rk_none, self, .memory = RK_RELEASE_ACQUIRE) { rk_forward(RK_ARG); }
RK_HANDLER(relaxed, measure, msg, rk_none, self, .memory = RK_RELAXED_MEMORY) { rk_forward(RK_ARG); }
RK_HANDLER(sequential, measure, msg, rk_none, self, .memory = RK_SEQUENTIAL) { rk_forward(RK_ARG); }
