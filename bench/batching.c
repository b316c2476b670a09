/* Batches by size and time beside one message at a time: the same work, 256 multiplications for each message, by a kernel
 * that takes one (continuous), as many as are there (adaptive), or gathers 64 for up to 50 us (batch), with 1, 64 and
 * 1,024 messages under way. $RK_BENCH_BACKEND is cpu or, for kernels that stay on a GPU, cuda. */
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batching.rk.h"
#include "harness.h"
#include "must.h"

#define TRIAL_MESSAGES 200000u
#define UNDER_WAY_MOST 1024u
#define ALONE_MOST 5000u /* of a trial with one under way, which may wait for a batch each */
#define ROUNDS 7u

static rk_runtime *runtime;
static unsigned under_way, busy = 2; /* processors: the host's thread, and on the CPU the worker */

typedef struct way {
    const char *kernel_name;
    rk_kernel kernel;
} way;

static way ways[] = { { "batching_gathered", { 0 } },
                      { "batching_adaptive", { 0 } },
                      { "batching_alone", { 0 } } };
#define WAYS (sizeof ways / sizeof *ways)

static rk_u32 expected(const batched_row *row)
{
    rk_u32 sum = 0;
    for (rk_u32 w = 0; w < 256u; w++) sum += w * row->value[w % 4u];
    return sum;
}

static void trip(const way *w, bench_trial *trial)
{
    static batched_row row[UNDER_WAY_MOST];
    static batched_sum back[UNDER_WAY_MOST];
    for (unsigned i = 0; i < under_way; i++) {
        row[i].number = trial->in + i;
        for (unsigned k = 0; k < 4; k++) row[i].value[k] = (rk_u32)(row[i].number + k);
        trial->sum_in += expected(&row[i]);
    }
    uint64_t before = bench_cycles();
    MUST(rk_send_many(runtime, w->kernel, RK_TYPE_ID(batched_row), row, sizeof row[0], under_way, NULL,
                      NULL) == RK_OK);
    trial->in += under_way;
    for (size_t done = 0, got = 0; done < under_way; done += got)
        MUST(rk_receive_many(runtime, w->kernel, back + done, sizeof back[0], under_way - done, NULL,
                             RK_SECONDS(10), &got) == RK_OK);
    bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - before) / under_way);
    for (unsigned i = 0; i < under_way; i++) trial->sum_out += back[i].sum;
    trial->out += under_way;
}

static void run(const bench_contender *self, bench_trial *trial)
{
    const way *w = self->subject;
    unsigned messages = under_way == 1 ? ALONE_MOST : TRIAL_MESSAGES;
    bench_begin(trial);
    while (trial->in < messages) trip(w, trial);
    bench_end(trial, busy);
}

static void launch(way *w)
{
    rk_launch_options o = rk_production();
    o.kernel_name = w->kernel_name;
    o.deduplication_window = 0;
    o.single_producer = 1;
    o.queue_capacity = o.output_capacity = 2u * UNDER_WAY_MOST;
    MUST(rk_launch(runtime, w->kernel_name, &o, &w->kernel) == RK_OK);
    MUST(rk_activate(runtime, w->kernel) == RK_OK);
}

int main(int argc, char **argv)
{
    static const unsigned counts[] = { 1, 64, 1024 };
    const bench_contender contenders[] = { { "gathered, 64 or 50 us", run, &ways[0], 0 },
                                           { "as many as are there", run, &ways[1], 0 },
                                           { "one at a time", run, &ways[2], 1 } };
    const char *backend = getenv("RK_BENCH_BACKEND");
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 1 };
    bench_open(argc, argv);
    MUST(!backend || strcmp(backend, "cpu") == 0 || strcmp(backend, "cuda") == 0);
    if (backend && strcmp(backend, "cuda") == 0) {
        options = (rk_runtime_options){ RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CUDA };
        busy = 1;
    }
    MUST(rk_open(&options, &runtime) == RK_OK);
    for (unsigned i = 0; i < WAYS; i++) launch(&ways[i]);
    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
        char name[32], title[96], figure[96];
        bench_result result[WAYS];
        under_way = counts[i];
        snprintf(name, sizeof name, "batching_%u", under_way);
        snprintf(title, sizeof title,
                 "256 multiplications a message, %u under way; a sample is the time by message", under_way);
        const bench_contest contest = { name, title, "messages", contenders, WAYS, ROUNDS };
        bench_run(&contest, result);
        for (unsigned w = 0; w < WAYS; w++) {
            snprintf(figure, sizeof figure, "%s, %u under way: p50 by message", contenders[w].name,
                     under_way);
            bench_figure(figure, result[w].p50 / 1e3, "us");
        }
        snprintf(figure, sizeof figure, "batching: rate gathered / one at a time, %u under way", under_way);
        bench_figure(figure, bench_rate_ratio(0, 2), "x");
    }
    for (unsigned i = 0; i < WAYS; i++) {
        rk_account account;
        MUST(rk_account_of(runtime, ways[i].kernel, &account) == RK_OK && account.balanced &&
             account.lost == 0);
    }
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
