/* The guide's reduction by warps: 32 threads add up by shuffles, without shared memory, and each warp
 * sends its own sum. */
#include <ringkernel/kernel.h>

#include "guide.rk.h"

RK_SPMD_KERNEL(warp_reduction, sample_value, sample_sum, .threads = 256, .mode = RK_BATCH, .max_batch = 256,
               .barrier = RK_SCOPE_WARP)
{
    sample_value sample;
    rk_i32 samples = (rk_i32)rk_try_receive(RK_ARG, &sample);
    rk_i32 value = samples ? sample.value : 0;
    for (rk_u32 step = RK_WARP_SIZE / 2u; step > 0; step /= 2u) {
        value += rk_shuffle_down(value, step);
        samples += rk_shuffle_down(samples, step);
        rk_barrier(RK_SCOPE_WARP);
    }
    if (rk_lane() == 0 && samples > 0) {
        sample_sum total = { value, (rk_u32)samples, rk_warp() };
        rk_send(RK_ARG, &total);
    }
}
