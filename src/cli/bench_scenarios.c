/* The scenarios. Each goes several rounds of "bare, then ours", takes the ratio of each round, and its
 * median: what else the machine does meanwhile hits both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "bench_kernels.h"
#include "command.h"
#include "runtime/cache_folder.h"
#include "runtime/error.h"

#define ROUNDS 5u
#define TRIPS (20000u / bench_less) /* of a round: 100,000 samples in all */
#define WARM 2000u
#define BURST 64u
#define IN_FLIGHT 512u
#define PIPELINED (15625u / bench_less * BURST)
#define ACTORS 10000u
#define TO_ACTORS (15625u / bench_less * BURST)
#define REDUCTIONS_MOST 20000u
#define REDUCTIONS (REDUCTIONS_MOST / bench_less)
#define WITHIN RK_SECONDS(10) /* nothing here may take longer */

rk_u32 bench_less = 1;

rk_u64 bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

static int compare_u64(const void *a, const void *b)
{
    rk_u64 one = *(const rk_u64 *)a, other = *(const rk_u64 *)b;
    return one < other ? -1 : one > other;
}

static int compare_double(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;
    return one < other ? -1 : one > other;
}

void bench_quantiles(rk_u64 *samples, size_t count, double scale, bench_numbers *numbers)
{
    size_t middle = count / 2;
    qsort(samples, count, sizeof *samples, compare_u64);
    numbers->p50_ns = (double)samples[middle] / scale;
    numbers->p99_ns = (double)samples[(size_t)((double)count * 0.99)] / scale;
    numbers->p999_ns = (double)samples[(size_t)((double)count * 0.999)] / scale;
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_double);
    return values[count / 2];
}

static void fail(bench_result *result, const char *trouble)
{
    if (!result->trouble) result->trouble = trouble;
}

/* ------------------------------------------------------------------ the kernels */

/* A place that stays the same, so that the compiled kernels are found again, and where nobody else writes. */
static rk_status kernels_path(char **path)
{
    char folder[4096];
    rk_error_begin();
    rk_status status = rk_cache_folder(NULL, folder, sizeof folder);
    *path = status == RK_OK ? command_print("%s/bench.rk.c", folder) : NULL;
    return status;
}

/* Only what differs is written: another `rk bench` may be reading it. */
static bool write_kernels(const char *path)
{
    char there[sizeof bench_kernels + 1] = "";
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(there, 1, sizeof there - 1, file) : 0;
    if (file) fclose(file);
    if (size == sizeof bench_kernels - 1 && memcmp(there, bench_kernels, size) == 0) return true;
    char *part = command_print("%s.%ld", path, (long)getpid());
    file = fopen(part, "w");
    bool fine = file && fputs(bench_kernels, file) >= 0;
    if (file) fine = fclose(file) == 0 && fine;
    fine = fine && rename(part, path) == 0;
    if (!fine) rk_error(RK_IO, "%s: %s", part, strerror(errno));
    free(part);
    return fine;
}

rk_runtime *bench_open(void)
{
    rk_runtime *runtime = NULL;
    char *path;
    rk_status status = kernels_path(&path);
    if (status == RK_OK && !write_kernels(path)) status = RK_IO;
    if (status == RK_OK) status = rk_open(NULL, &runtime);
    if (status == RK_OK) status = rk_load(runtime, path);
    if (status != RK_OK) {
        command_error_text("the kernels of the benchmarks can't be loaded", rk_error_text());
        rk_close(runtime);
        runtime = NULL;
    }
    free(path);
    return runtime;
}

static rk_kernel start(rk_runtime *runtime, const char *name, rk_launch_options *options,
                       bench_result *result)
{
    rk_kernel kernel = { 0 };
    options->deduplication_window = 0;
    options->single_producer = 1;
    if (rk_launch(runtime, name, options, &kernel) != RK_OK || rk_activate(runtime, kernel) != RK_OK)
        fail(result, "the kernel can't be launched");
    return kernel;
}

/* Drains, adds to the account and ends. `expected`: messages that the kernel must have handled. */
static void end(rk_runtime *runtime, rk_kernel kernel, rk_u64 expected, bench_result *result)
{
    rk_account account = { 0 }, *all = &result->account;
    if (rk_drain(runtime, &kernel, 1, WITHIN) != RK_OK) fail(result, "the kernel can't be drained");
    if (rk_account_of(runtime, kernel, &account) != RK_OK || !account.balanced)
        fail(result, "the account doesn't balance");
    if (account.delivered != expected) fail(result, "messages are missing");
    all->balanced = account.balanced && (all->accepted == 0 || all->balanced);
    all->accepted += account.accepted;
    all->delivered += account.delivered;
    rk_terminate(runtime, kernel, WITHIN);
    result->sound = result->trouble == NULL;
}

/* ------------------------------------------------------------------ round trip */

static void trips_bare(bare_loop *loop, rk_u64 *samples, rk_u32 count, bench_result *result)
{
    for (rk_u32 i = 0; i < count; i++) {
        ping out = { .value = i }, back = { 0 };
        rk_u64 start_ns = bench_now_ns();
        bare_send(loop, &out, NULL, 1);
        for (rk_u32 round = 0; !bare_receive(loop, &back, 1); round++) rk_port_spin(round);
        samples[i] = bench_now_ns() - start_ns;
        if (back.value != i) fail(result, "the bare loop returned something else");
    }
}

static void trips_ours(rk_runtime *runtime, rk_kernel kernel, rk_u64 *samples, rk_u32 count,
                       bench_result *result)
{
    for (rk_u32 i = 0; i < count; i++) {
        ping out = { .value = i }, back = { 0 };
        rk_u64 start_ns = bench_now_ns();
        if (rk_send(runtime, kernel, RK_BODY(out), NULL) != RK_OK ||
            rk_receive(runtime, kernel, &back, sizeof back, NULL, WITHIN) != RK_OK)
            fail(result, "a message did not come back");
        samples[i] = bench_now_ns() - start_ns;
        if (back.value != i) fail(result, "something else came back");
        if (result->trouble) return;
    }
}

void bench_round_trip(rk_runtime *runtime, bench_result *result)
{
    rk_u64 *bare = command_allocate(ROUNDS * TRIPS * sizeof *bare),
           *ours = command_allocate(ROUNDS * TRIPS * sizeof *ours);
    rk_u64 warm[WARM];
    double ratios[ROUNDS];
    rk_launch_options options = rk_production();
    rk_kernel kernel = start(runtime, "echo", &options, result);
    bare_loop *loop = NULL;
    trips_ours(runtime, kernel, warm, WARM, result);
    for (rk_u32 round = 0; round < ROUNDS && !result->trouble; round++) {
        bench_numbers one, other;
        rk_u64 *bare_now = bare + round * TRIPS, *ours_now = ours + round * TRIPS;
        if (!(loop = bare_open(options.queue_capacity, NULL))) fail(result, "the bare loop can't be started");
        if (!loop) break;
        trips_bare(loop, warm, WARM, result);
        trips_bare(loop, bare_now, TRIPS, result);
        bare_close(loop);
        trips_ours(runtime, kernel, ours_now, TRIPS, result);
        bench_quantiles(bare_now, TRIPS, 1, &one);
        bench_quantiles(ours_now, TRIPS, 1, &other);
        ratios[round] = other.p50_ns / one.p50_ns;
    }
    end(runtime, kernel, WARM + ROUNDS * TRIPS, result);
    if (result->sound) {
        bench_quantiles(bare, ROUNDS * TRIPS, 1, &result->bare);
        bench_quantiles(ours, ROUNDS * TRIPS, 1, &result->ours);
        result->figure = bench_median(ratios, ROUNDS);
    }
    free(bare);
    free(ours);
}

/* ------------------------------------------------------------------ pipeline */

/* One side of a pipeline: something that takes and gives messages without waiting. */
typedef struct pipe_end {
    bare_loop *loop; /* or: */
    rk_runtime *runtime;
    rk_kernel kernel;
} pipe_end;

static rk_u32 pipe_send(pipe_end *to, const ping *messages, rk_u32 count)
{
    if (to->loop) return bare_send(to->loop, messages, NULL, count);
    size_t accepted = 0;
    rk_send_many(to->runtime, to->kernel, RK_TYPE_ID(ping), messages, sizeof *messages, count, NULL,
                 &accepted);
    return (rk_u32)accepted;
}

static rk_u32 pipe_receive(pipe_end *from, ping *messages, rk_u32 count)
{
    if (from->loop) return bare_receive(from->loop, messages, count);
    size_t received = 0;
    rk_receive_many(from->runtime, from->kernel, messages, sizeof *messages, count, NULL, RK_NO_WAIT,
                    &received);
    return (rk_u32)received;
}

/* Passes `count` messages, at most IN_FLIGHT of them under way. Samples are the time for each BURST of them
 * to come back. */
static double pass(pipe_end *pipe, rk_u64 *samples, rk_u32 count, bench_result *result)
{
    ping out[BURST] = { { 0 } }, back[BURST];
    rk_u32 sent = 0, received = 0, sampled = 0;
    rk_u64 start_ns = bench_now_ns(), last_ns = start_ns, give_up_ns = start_ns + WITHIN;
    for (rk_u32 round = 0; received < count && !result->trouble; round++) {
        rk_u32 n = 0;
        if (sent < count && sent - received <= IN_FLIGHT - BURST) {
            for (rk_u32 i = 0; i < BURST; i++) out[i].value = sent + i;
            sent += pipe_send(pipe, out, count - sent < BURST ? count - sent : BURST);
        }
        n = pipe_receive(pipe, back, BURST);
        for (rk_u32 i = 0; i < n; i++)
            if (back[i].value != received + i) fail(result, "messages came back in another order");
        received += n;
        while (sampled < received / BURST) {
            rk_u64 now = bench_now_ns();
            samples[sampled++] = now - last_ns;
            last_ns = now;
        }
        if (n)
            round = 0;
        else if (sent - received > IN_FLIGHT - BURST || sent == count)
            rk_port_spin(round);
        if (round > 1000 && bench_now_ns() > give_up_ns) fail(result, "messages did not come back");
    }
    return (double)count * 1e9 / (double)(bench_now_ns() - start_ns);
}

void bench_pipeline(rk_runtime *runtime, bench_result *result)
{
    const rk_u32 sampled = PIPELINED / BURST;
    rk_u64 *bare = command_allocate(ROUNDS * sampled * sizeof *bare),
           *ours = command_allocate(ROUNDS * sampled * sizeof *ours);
    double ratios[ROUNDS], bare_rates[ROUNDS], our_rates[ROUNDS];
    rk_launch_options options = rk_production();
    pipe_end library = { .runtime = runtime, .kernel = start(runtime, "echo", &options, result) };
    for (rk_u32 round = 0; round < ROUNDS && !result->trouble; round++) {
        pipe_end least = { .loop = bare_open(options.queue_capacity, NULL) };
        if (!least.loop) fail(result, "the bare loop can't be started");
        if (!least.loop) break;
        bare_rates[round] = pass(&least, bare + round * sampled, PIPELINED, result);
        bare_close(least.loop);
        our_rates[round] = pass(&library, ours + round * sampled, PIPELINED, result);
        ratios[round] = our_rates[round] / bare_rates[round];
    }
    end(runtime, library.kernel, ROUNDS * PIPELINED, result);
    if (result->sound) {
        bench_quantiles(bare, ROUNDS * sampled, BURST, &result->bare);
        bench_quantiles(ours, ROUNDS * sampled, BURST, &result->ours);
        result->bare.rate = bench_median(bare_rates, ROUNDS);
        result->ours.rate = bench_median(our_rates, ROUNDS);
        result->figure = bench_median(ratios, ROUNDS);
    }
    free(bare);
    free(ours);
}

/* ------------------------------------------------------------------ actors */

/* A generator of targets that costs a nanosecond (Marsaglia's xorshift). */
static rk_u32 random_target(rk_u64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (rk_u32)((*state >> 32) * ACTORS >> 32);
}

static double actors_bare(rk_u64 *counts, bench_result *result)
{
    const rk_u32 all_messages = TO_ACTORS;
    ping messages[BURST] = { { 0 } };
    rk_u32 targets[BURST];
    rk_u64 random = 88172645463325252u;
    bare_loop *loop = bare_open(4096, counts);
    if (!loop) {
        fail(result, "the bare loop can't be started");
        return 1;
    }
    rk_u64 start_ns = bench_now_ns();
    for (rk_u32 sent = 0, round = 0; sent < all_messages; round++) {
        rk_u32 n = 0;
        for (rk_u32 i = 0; i < BURST; i++) targets[i] = random_target(&random);
        for (; n < BURST; round++) {
            rk_u32 went = bare_send(loop, messages + n, targets + n, BURST - n);
            n += went;
            if (!went)
                rk_port_spin(round);
            else
                round = 0;
        }
        sent += BURST;
    }
    for (rk_u32 round = 0; bare_done(loop) < all_messages; round++) rk_port_spin(round);
    double rate = (double)all_messages * 1e9 / (double)(bench_now_ns() - start_ns);
    bare_close(loop);
    return rate;
}

static double actors_ours(rk_runtime *runtime, rk_u64 *counts, bench_result *result)
{
    const rk_u32 all_messages = TO_ACTORS;
    ping messages[BURST] = { { 0 } };
    rk_send_options options[BURST];
    rk_u64 random = 88172645463325252u;
    rk_metrics metrics = { 0 };
    rk_launch_options launch = rk_production();
    launch.actors = ACTORS;
    rk_kernel kernel = start(runtime, "count", &launch, result);
    memset(options, 0, sizeof options);
    rk_u64 start_ns = bench_now_ns();
    for (rk_u32 sent = 0; sent < all_messages && !result->trouble; sent += BURST) {
        for (rk_u32 i = 0; i < BURST; i++) options[i].target = random_target(&random);
        if (rk_send_each(runtime, kernel, RK_TYPE_ID(ping), messages, sizeof *messages, BURST, options,
                         NULL) != RK_OK)
            fail(result, "a message was not accepted");
    }
    if (rk_drain(runtime, &kernel, 1, WITHIN) != RK_OK) fail(result, "the kernel can't be drained");
    double rate = (double)all_messages * 1e9 / (double)(bench_now_ns() - start_ns);
    for (rk_u32 actor = 0; actor < ACTORS && !result->trouble; actor++) {
        rk_u64 count = 0;
        if (rk_read_state(runtime, kernel, actor, &count, sizeof count) != RK_OK || count != counts[actor])
            fail(result, "an actor counted wrongly");
    }
    if (rk_metrics_of(runtime, kernel, &metrics) == RK_OK)
        result->ours = (bench_numbers){ (double)metrics.service.p50_ns, (double)metrics.service.p99_ns,
                                        (double)metrics.service.p999_ns, 0 };
    end(runtime, kernel, all_messages, result);
    return rate;
}

void bench_actors(rk_runtime *runtime, bench_result *result)
{
    rk_u64 *counts = command_allocate(ACTORS * sizeof *counts);
    double bare[ROUNDS], ours[ROUNDS];
    for (rk_u32 round = 0; round < ROUNDS && !result->trouble; round++) {
        memset(counts, 0, ACTORS * sizeof *counts);
        bare[round] = actors_bare(counts, result);
        ours[round] = actors_ours(runtime, counts, result);
    }
    if (result->sound) {
        result->bare.rate = bench_median(bare, ROUNDS);
        result->ours.rate = result->figure = bench_median(ours, ROUNDS);
    }
    free(counts);
}

/* ------------------------------------------------------------------ reduction */

/* The same sum as the kernel's, by the compiler alone. */
static float __attribute__((noinline)) reduce_bare(const float *value)
{
    float partial[256];
    memcpy(partial, value, sizeof partial);
    for (rk_u32 stride = 128; stride > 0; stride /= 2)
        for (rk_u32 i = 0; i < stride; i++) partial[i] += partial[i + stride];
    return partial[0];
}

void bench_reduction(rk_runtime *runtime, bench_result *result)
{
    samples in;
    total out;
    rk_metrics metrics;
    rk_u64 bare[REDUCTIONS_MOST / 100] = { 0 };
    float expected = 0;
    for (rk_u32 i = 0; i < 256; i++) in.value[i] = (float)i;
    for (rk_u32 n = 0; n < REDUCTIONS / 100; n++) {
        rk_u64 start_ns = bench_now_ns();
        for (rk_u32 i = 0; i < 100; i++) {
            in.value[0] = expected > 1e9f ? 1.0f : 0.0f; /* so that no call is as the one before */
            expected = reduce_bare(in.value);
        }
        bare[n] = bench_now_ns() - start_ns;
    }
    bench_quantiles(bare, REDUCTIONS / 100, 100, &result->bare);
    rk_launch_options options = rk_production();
    options.queue_capacity = 64;
    rk_kernel kernel = start(runtime, "reduce", &options, result);
    for (rk_u32 sent = 0, received = 0; received < REDUCTIONS && !result->trouble;) {
        if (sent < REDUCTIONS && sent - received < 48) {
            if (rk_send(runtime, kernel, RK_BODY(in), NULL) != RK_OK)
                fail(result, "a message was not accepted");
            sent++;
        } else {
            if (rk_receive(runtime, kernel, &out, sizeof out, NULL, WITHIN) != RK_OK)
                fail(result, "a sum did not come back");
            if (out.value != expected) fail(result, "a sum is wrong");
            received++;
        }
    }
    if (rk_metrics_of(runtime, kernel, &metrics) == RK_OK)
        result->ours = (bench_numbers){ (double)metrics.service.p50_ns, (double)metrics.service.p99_ns,
                                        (double)metrics.service.p999_ns, 0 };
    result->figure = result->ours.p50_ns / 1000;
    end(runtime, kernel, REDUCTIONS, result);
}

/* ------------------------------------------------------------------ idle */

static rk_u64 process_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

static void pause_ns(rk_u64 ns)
{
    nanosleep(&(struct timespec){ .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) },
              NULL);
}

void bench_idle(rk_runtime *runtime, bench_result *result)
{
    rk_launch_options options = rk_production();
    rk_kernel kernel = start(runtime, "echo", &options, result);
    rk_u64 warm[WARM];
    trips_ours(runtime, kernel, warm, WARM, result);
    pause_ns(RK_SECONDS(1) / bench_less);
    rk_u64 cpu = process_cpu_ns(), wall = bench_now_ns();
    pause_ns(RK_SECONDS(2) / bench_less);
    result->figure = (double)(process_cpu_ns() - cpu) * 100 / (double)(bench_now_ns() - wall);
    trips_ours(runtime, kernel, warm, 100, result); /* and it wakes up */
    end(runtime, kernel, WARM + 100, result);
}
