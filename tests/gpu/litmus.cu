/* The device's half of the litmus tests: a kernel for each test and scope, compiled by NVRTC with the headers of the
 * dialect. A warp is one role of a pair, 32 instances at a step; the pair meets before each, by relaxed words that order
 * nothing, and then waits a few hundred cycles of its own. Every wait ends by itself. */
#include "litmus.h"

#define LITMUS_NOISE 2u

LITMUS_ROLES(_block, RK_SCOPE_BLOCK)
LITMUS_ROLES(_device, RK_SCOPE_DEVICE)
LITMUS_ROLES(_system, RK_SCOPE_SYSTEM)

RK_FN rk_u32 litmus_place(const litmus_job *job, rk_u32 *pair)
{
    rk_u32 block = blockIdx.x, roles = job->place == LITMUS_ON_BUS ? 1u : 2u;
    *pair = 0;
    if (block >= (job->place == LITMUS_IN_BLOCK ? job->pairs : roles * job->pairs)) return LITMUS_NOISE;
    switch (job->place) {
    case LITMUS_IN_BLOCK: *pair = block; return threadIdx.x / LITMUS_LANES;
    case LITMUS_IN_CLUSTER: *pair = block / 2u; return block % 2u;
    case LITMUS_IN_DEVICE: *pair = block % job->pairs; return block / job->pairs;
    default: return job->role;
    }
}

RK_FN rk_u32 litmus_late(const litmus_job *job, rk_u64 begin) { return rk_port_now_ns() - begin > job->limit_ns; }

RK_FN void litmus_disturb(const litmus_job *job, rk_u64 begin)
{
    rk_u32 roles = job->place == LITMUS_ON_BUS ? 1u : 2u * job->pairs;
    rk_u32 at = litmus_hash(job->seed + blockIdx.x * blockDim.x + threadIdx.x);
    while (rk_load_u32(job->finished, RK_RELAXED, RK_SCOPE_DEVICE) < roles && !litmus_late(job, begin))
        for (rk_u32 i = 0; i < 32u; i++) {
            at = litmus_hash(at + 1u);
            rk_u32 *word = &job->noise[at % LITMUS_NOISE_WORDS];
            rk_store_u32(word, rk_load_u32(word, RK_RELAXED, RK_SCOPE_DEVICE) + 1u, RK_RELAXED, RK_SCOPE_DEVICE);
        }
}

RK_FN rk_u32 litmus_meet(const litmus_job *job, rk_u32 pair, rk_u32 role, rk_u32 step, rk_u64 begin)
{
    rk_u32 together = 1;
    if (threadIdx.x % LITMUS_LANES == 0) {
        rk_u32 *at = job->steps + pair * LITMUS_PAIR_WORDS;
        rk_store_u32(&at[role * LITMUS_LANES], step + 1u, RK_RELAXED, RK_SCOPE_SYSTEM);
        while (together && rk_load_u32(&at[(role ^ 1u) * LITMUS_LANES], RK_RELAXED, RK_SCOPE_SYSTEM) < step + 1u)
            together = !litmus_late(job, begin);
    }
    together = __shfl_sync(0xffffffffu, together, 0);
    rk_u64 from = rk_port_cycles(), wait = litmus_hash(job->seed + 2u * step + role) & 511u;
    while (rk_port_cycles() - from < wait) {}
    return together;
}

RK_FN void litmus_end(const litmus_job *job)
{
    __syncwarp();
    if (threadIdx.x % LITMUS_LANES == 0) rk_add_u32(job->finished, 1u, RK_RELAXED, RK_SCOPE_DEVICE);
}

#define LITMUS_KERNEL(name)                                                                              \
    extern "C" __global__ void __launch_bounds__(64) litmus_kernel_##name(const litmus_job job)          \
    {                                                                                                    \
        rk_u64 begin = rk_port_now_ns();                                                                 \
        rk_u32 pair, role = litmus_place(&job, &pair), step = 0;                                         \
        if (role == LITMUS_NOISE) {                                                                      \
            litmus_disturb(&job, begin);                                                                 \
            return;                                                                                      \
        }                                                                                                \
        for (; step < job.count && litmus_meet(&job, pair, role, step, begin); step++) {                 \
            rk_u32 i = (pair * job.count + step) * LITMUS_LANES + threadIdx.x % LITMUS_LANES;            \
            litmus_##name(role, job.x + i, job.y + i, job.seen + 2u * i);                                \
        }                                                                                                \
        litmus_end(&job);                                                                                \
    }
#define LITMUS_KERNELS(name, words, outcome, what) \
    LITMUS_KERNEL(name##_block)                    \
    LITMUS_KERNEL(name##_device)                   \
    LITMUS_KERNEL(name##_system)
LITMUS_TESTS(LITMUS_KERNELS)
