/* 256-thread tree reductions by regions, as the compiler makes them on one core, beside a loop that adds the
 * same values up. A sample is the time of 64 reductions, for each of them.
 *
 * The context is made by hand: what is timed is the handler's part, without the message's way there and
 * back. */
#include <ringkernel/kernel.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define REDUCED 256
#define REDUCTIONS 640000u
#define GROUP 64u /* reductions of one sample; as many inputs */
#define ROUNDS 15u

static rk_u32 input[GROUP][REDUCED] __attribute__((aligned(64)));
static rk_u64 expected; /* of one group */

static rk_shard shard;
static rk_u8 shared[REDUCED * sizeof(rk_u32)] __attribute__((aligned(64)));

/* A handler's body, as the guide has it. */
__attribute__((noinline)) static rk_u32 by_regions(RK_CTX, const rk_u32 *values)
{
    RK_SHARED(rk_u32, value, REDUCED);
    RK_PARALLEL(i, REDUCED) value[i] = values[i];
    for (rk_u32 stride = REDUCED / 2u; stride > 0; stride /= 2u)
        RK_PARALLEL(i, stride) value[i] += value[i + stride];
    return value[0];
}

/* The same by the dialect's own function, which takes any number of values. */
__attribute__((noinline)) static rk_u32 by_function(RK_CTX, const rk_u32 *values)
{
    RK_SHARED(rk_u32, value, REDUCED);
    RK_PARALLEL(i, REDUCED) value[i] = values[i];
    rk_reduce_sum_u32(RK_ARG, value, REDUCED);
    return value[0];
}

__attribute__((noinline)) static rk_u32 by_loop(RK_CTX, const rk_u32 *values)
{
    (void)rk_ctx;
    rk_u32 sum = 0;
    for (rk_u32 i = 0; i < REDUCED; i++) sum += values[i];
    return sum;
}

typedef rk_u32 (*reduction)(rk_context *, const rk_u32 *);

static void run(const bench_contender *self, bench_trial *trial)
{
    reduction reduce = *(const reduction *)self->subject;
    rk_context context = { .shard = &shard, .shared = shared, .threads = 1 };
    bench_bind(1);
    bench_begin(trial);
    for (unsigned done = 0; done < REDUCTIONS; done += GROUP) {
        uint64_t before = bench_cycles();
        for (unsigned i = 0; i < GROUP; i++) {
            context.shared_used = 0;
            trial->sum_out += reduce(&context, input[i]);
        }
        bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - before) / GROUP);
    }
    bench_end(trial, 1);
    trial->in = trial->out = REDUCTIONS;
    trial->sum_in = expected * (REDUCTIONS / GROUP);
}

int main(int argc, char **argv)
{
    static const reduction regions = by_regions, function = by_function, loop = by_loop;
    static const bench_contender contenders[] = { { "tree of regions", run, &regions, 0 },
                                                  { "rk_reduce_sum_u32", run, &function, 0 },
                                                  { "plain loop", run, &loop, 1 } };
    bench_contest contest = { "reduction", "256 values of 32 bits, one core", "reductions", contenders, 3,
                              ROUNDS };
    bench_result results[3];
    bench_open(argc, argv);
    shard.shared_size = sizeof shared;
    for (unsigned i = 0; i < GROUP; i++)
        for (unsigned v = 0; v < REDUCED; v++) input[i][v] = (i + 1) * 2654435761u ^ v * 40503u;
    rk_context context = { .shard = &shard, .shared = shared, .threads = 1 };
    for (unsigned i = 0; i < GROUP; i++) expected += by_loop(&context, input[i]);

    bench_run(&contest, results);
    bench_goal("256-thread tree reduction by regions, p50", results[0].p50 / 1000, "µs", 0.10, 0);
    bench_figure("the same by rk_reduce_sum_u32, p50", results[1].p50 / 1000, "µs");
    bench_figure("tree of regions / a plain loop", bench_p50_ratio(0, 2), "x");
    return bench_close();
}
