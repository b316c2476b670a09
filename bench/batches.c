/* Batches of 1 to 65,536 messages to a kernel and back, by each way in which a device serves: OpenCL slices with copies,
 * OpenCL kernels that stay, CUDA slices, CUDA kernels that stay. A batch is sent at once and received whole before the next.
 * Those that this machine hasn't are left out, with the reason. Devices 0, or RK_OPENCL_DEVICE. */
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/opencl_device.h"
#include "bench.rk.h"
#include "harness.h"
#include "must.h"

#define BATCH_MOST 65536u
#define TRIP_MESSAGES 262144u /* of a trial, or TRIPS_MOST batches */
#define TRIPS_MOST 2000u
#define ROUNDS 5u

typedef struct way {
    const char *name, *without; /* what an OpenCL device is used without */
    rk_u32 backend, slices;
    rk_runtime *runtime;
    rk_kernel kernel;
    unsigned batch;
} way;

static way ways[] = {
    { "OpenCL, copy slices", "shared atomics", RK_BACKEND_OPENCL, 1, NULL, { 0 }, 0 },
    { "OpenCL, stays", "", RK_BACKEND_OPENCL, 0, NULL, { 0 }, 0 },
    { "CUDA, slices", "", RK_BACKEND_CUDA, 1, NULL, { 0 }, 0 },
    { "CUDA, stays", "", RK_BACKEND_CUDA, 0, NULL, { 0 }, 0 },
};
#define WAYS (sizeof ways / sizeof *ways)

static uint64_t sum_of(const unit_message *m)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < 9; w++) sum += m->word[w];
    return sum;
}

static char copies_why[256]; /* what the log says of an OpenCL device that is served by copies */

static void note_copies(void *user, const rk_log_record *record)
{
    (void)user;
    if (strncmp(record->text, "copy slices on ", 15) == 0)
        snprintf(copies_why, sizeof copies_why, "%s", record->text);
    else if (record->level >= RK_WARNING)
        fprintf(stderr, "%s\n", record->text);
}

/* 1: it can be had. The kernel is there, and not active. */
static int open_way(way *w)
{
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .backend = w->backend, .slices = w->slices,
                                   .on_log = note_copies };
    rk_launch_options o = rk_high_throughput();
    if (w->backend == RK_BACKEND_OPENCL) options.device = opencl_device();
    copies_why[0] = 0;
    setenv("RK_OPENCL_WITHOUT", w->without, 1);
    if (rk_open(&options, &w->runtime) != RK_OK) {
        printf("left out: %s: %s\n", w->name, rk_error_text());
        return 0;
    }
    if (w->backend == RK_BACKEND_OPENCL && !w->slices && *copies_why) {
        printf("left out: %s: %s\n", w->name, copies_why);
        MUST(rk_close(w->runtime) == RK_OK);
        w->runtime = NULL;
        return 0;
    }
    o.kernel_name = "unit_copy";
    o.deduplication_window = 0;
    o.single_producer = 1;
    o.queue_capacity = o.output_capacity = BATCH_MOST;
    MUST(rk_launch(w->runtime, "batches", &o, &w->kernel) == RK_OK);
    return 1;
}

static void trip(const way *w, bench_trial *trial)
{
    static unit_message m[BATCH_MOST], back[BATCH_MOST];
    for (unsigned i = 0; i < w->batch; i++) {
        for (unsigned k = 0; k < 9; k++) m[i].word[k] = (rk_u32)(trial->in + i + k);
        trial->sum_in += sum_of(&m[i]);
    }
    uint64_t before = bench_cycles();
    MUST(rk_send_many(w->runtime, w->kernel, RK_TYPE_ID(unit_message), m, sizeof m[0], w->batch, NULL,
                      NULL) == RK_OK);
    trial->in += w->batch;
    for (size_t done = 0, got = 0; done < w->batch; done += got)
        MUST(rk_receive_many(w->runtime, w->kernel, back + done, sizeof back[0], w->batch - done, NULL,
                             RK_SECONDS(10), &got) == RK_OK);
    bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - before) / w->batch);
    for (unsigned i = 0; i < w->batch; i++) trial->sum_out += sum_of(&back[i]);
    trial->out += w->batch;
}

static void run(const bench_contender *self, bench_trial *trial)
{
    const way *w = self->subject;
    bench_trial first = { 0 };
    MUST(rk_activate(w->runtime, w->kernel) == RK_OK); /* a kernel that stays has the device to itself */
    trip(w, &first);
    bench_balance(self->name, &first);
    free(first.samples.at);
    bench_begin(trial);
    for (unsigned trips = TRIP_MESSAGES / w->batch; trips && trial->samples.count < TRIPS_MOST; trips--)
        trip(w, trial);
    bench_end(trial, 2);
    MUST(rk_deactivate(w->runtime, w->kernel) == RK_OK);
}

int main(int argc, char **argv)
{
    static const unsigned batches[] = { 1, 16, 256, 4096, 16384, 65536 };
    bench_contender contenders[WAYS];
    bench_result results[WAYS];
    unsigned count = 0;
    bench_open(argc, argv);
    for (unsigned i = 0; i < WAYS; i++)
        if (open_way(&ways[i])) contenders[count++] = (bench_contender){ ways[i].name, run, &ways[i], 0 };
    for (unsigned b = 0; b < sizeof batches / sizeof *batches && count; b++) {
        char name[32], title[96], figure[128];
        for (unsigned i = 0; i < WAYS; i++) ways[i].batch = batches[b];
        snprintf(name, sizeof name, "batches_%u", batches[b]);
        snprintf(
            title, sizeof title,
            "%u messages of 36 bytes, sent at once and received; a sample is the batch's time by message",
            batches[b]);
        const bench_contest contest = { name, title, "messages", contenders, count, ROUNDS };
        bench_run(&contest, results);
        for (unsigned i = 0; i < count; i++) {
            snprintf(figure, sizeof figure, "%s, batch of %u, p50 by message", contenders[i].name,
                     batches[b]);
            bench_figure(figure, results[i].p50 / 1e3, "µs");
        }
    }
    for (unsigned i = 0; i < WAYS; i++) {
        rk_account account;
        if (!ways[i].runtime) continue;
        MUST(rk_account_of(ways[i].runtime, ways[i].kernel, &account) == RK_OK && account.balanced);
        MUST(account.accepted == account.delivered && account.delivered == account.output_received);
        MUST(rk_close(ways[i].runtime) == RK_OK);
    }
    return bench_close();
}
