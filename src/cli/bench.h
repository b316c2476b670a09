/* What the scenarios of `rk bench` share: each measures the library and, in turn in the same run, the least
 * that any implementation must do. */
#ifndef RINGKERNEL_CLI_BENCH_H
#define RINGKERNEL_CLI_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "ringkernel/ringkernel.h"

/* NOLINTBEGIN(bugprone-sizeof-expression): RK_MESSAGE asserts sizes */
/* The message of all scenarios: a 64-byte slot with a short header. */
RK_MESSAGE(ping, 1, (rk_u64, value), (rk_u64, rest, 5))
/* Of the reduction. */
RK_MESSAGE(samples, 2, (rk_f32, value, 256))
RK_MESSAGE(total, 3, (rk_f32, value))
/* NOLINTEND(bugprone-sizeof-expression) */

typedef struct bench_numbers {
    double p50_ns, p99_ns, p999_ns; /* of what the scenario says; 0: not measured */
    double rate;                    /* messages a second; 0: it isn't about a rate */
} bench_numbers;

typedef struct bench_result {
    bench_numbers ours, bare;
    double figure;       /* what the target is about: a ratio, or a time, or a part of a core */
    rk_account account;  /* of the library's kernels: of all rounds, each with one of its own or not */
    bool sound;          /* every message arrived once with the right content, and the account balances */
    const char *trouble; /* if not */
} bench_result;

/* How many times fewer messages than a measurement needs: more than 1 only shows that all of it works. */
extern rk_u32 bench_less;

/* The kernels, loaded; false: told why. */
rk_runtime *bench_open(void);

typedef void bench_scenario(rk_runtime *runtime, bench_result *result);
bench_scenario bench_round_trip, bench_pipeline, bench_actors, bench_reduction, bench_idle;

/* Binds the calling thread to the first processor, as the library binds its first worker to the last, and
 * bare_open its thread. */
void bench_bind(void);

/* --- bare loops (bench_bare.c): two rings and a thread that echoes, or counts --------------------------- */
typedef struct bare_loop bare_loop;
/* counts: NULL for an echo; else message with target t adds 1 to counts[t]. */
bare_loop *bare_open(rk_u32 capacity, rk_u64 *counts);
/* Sends up to `count` messages; how many had room. */
rk_u32 bare_send(bare_loop *loop, const ping *messages, const rk_u32 *targets, rk_u32 count);
rk_u32 bare_receive(bare_loop *loop, ping *messages, rk_u32 count);
/* Messages that the thread has done with. */
rk_u64 bare_done(const bare_loop *loop);
void bare_close(bare_loop *loop);

/* --- samples -------------------------------------------------------------------------------------------- */
rk_u64 bench_now_ns(void);
/* Sorts the samples, which are `scale` messages each. */
void bench_quantiles(rk_u64 *samples, size_t count, double scale, bench_numbers *numbers);
double bench_median(double *values, size_t count);

#endif
