/* The guide's reduction in shared memory, in both styles: by regions, where one message brings all values,
 * and with threads that take a message each. */
#include <ringkernel/kernel.h>

#include "guide.rk.h"

#define VALUES 256u

RK_HANDLER(block_reduction, sample_block, block, rk_none, self, .width = RK_BLOCK, .threads = VALUES,
           .shared = VALUES * 8u)
{
    RK_SHARED(rk_i64, partial, VALUES);
    RK_PARALLEL(i, VALUES) partial[i] = block->value[i];
    for (rk_u32 stride = VALUES / 2u; stride > 0; stride /= 2u)
        RK_PARALLEL(i, stride) partial[i] += partial[i + stride];
    RK_ONCE {
        sample_sum total = { partial[0], VALUES, 0 };
        rk_send(RK_ARG, &total);
    }
}

RK_SPMD_KERNEL(message_reduction, sample_value, sample_sum, .threads = VALUES, .shared = VALUES * 12u,
               .mode = RK_BATCH, .max_batch = VALUES, .barrier = RK_SCOPE_BLOCK)
{
    RK_SHARED(rk_i64, partial, VALUES);
    RK_SHARED(rk_u32, samples, VALUES);
    rk_u32 t = rk_thread();
    sample_value sample;
    samples[t] = rk_try_receive(RK_ARG, &sample);
    partial[t] = samples[t] ? sample.value : 0;
    rk_barrier(RK_SCOPE_BLOCK);

    for (rk_u32 stride = VALUES / 2u; stride > 0; stride /= 2u) {
        if (t < stride) {
            partial[t] += partial[t + stride];
            samples[t] += samples[t + stride];
        }
        rk_barrier(RK_SCOPE_BLOCK);
    }
    if (t == 0) {
        sample_sum total = { partial[0], samples[0], 0 };
        rk_send(RK_ARG, &total);
    }
}
