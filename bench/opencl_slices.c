/* Slices on an OpenCL device, beside bare OpenCL programs of the same run that do the same: messages up, a launch, answers
 * down. Device 0, or RK_OPENCL_DEVICE.
 *
 * Pipelined: 36 bytes in slots of 64, sent and received by 4,096, two such batches under way; the bare loop has two slices
 * in its queue. One launch: 64 shards with a message each, from the first send to the last answer. Then nothing is sent
 * for a second, and processor time and launches of the next two are what an idle runtime costs. */
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "bench.rk.h"
#include "harness.h"
#include "must.h"

#define SLICE 4096u
#define SLICES 100u
#define LAUNCHES 300u
#define ACTORS_64 64u
#define ROUNDS 9u
#define SLOT 64u
#define IN_FLIGHT 2u

static rk_runtime *runtime;
static rk_kernel many, few;

static uint64_t sum_of(const unit_message *m)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < 9; w++) sum += m->word[w];
    return sum;
}

static void make(unit_message *m, uint64_t number)
{
    for (unsigned w = 0; w < 9; w++) m->word[w] = (rk_u32)(number + w);
}

/* --- the library ---------------------------------------------------------------------------------------- */

static void launch(const char *id, rk_u32 capacity, rk_u32 shards, rk_kernel *kernel)
{
    rk_launch_options o = rk_high_throughput();
    o.kernel_name = "unit_copy";
    o.deduplication_window = 0;
    o.single_producer = 1;
    o.queue_capacity = capacity;
    o.output_capacity = capacity;
    o.shards = shards;
    o.blocks = shards;
    MUST(rk_launch(runtime, id, &o, kernel) == RK_OK);
    MUST(rk_activate(runtime, *kernel) == RK_OK);
}

static void library_pipelined(const bench_contender *self, bench_trial *trial)
{
    static unit_message m[SLICE], back[SLICE];
    (void)self;
    bench_begin(trial);
    uint64_t full = bench_cycles();
    for (uint64_t counted = 0; trial->out < (uint64_t)SLICES * SLICE;) {
        size_t got = 0;
        if (trial->in < (uint64_t)SLICES * SLICE && trial->in - trial->out <= (IN_FLIGHT - 1) * SLICE) {
            for (unsigned i = 0; i < SLICE; i++) {
                make(&m[i], trial->in + i);
                trial->sum_in += sum_of(&m[i]);
            }
            MUST(rk_send_many(runtime, many, RK_TYPE_ID(unit_message), m, sizeof m[0], SLICE, NULL, NULL) ==
                 RK_OK);
            trial->in += SLICE;
            continue;
        }
        MUST(rk_receive_many(runtime, many, back, sizeof back[0], SLICE, NULL, RK_SECONDS(10), &got) ==
             RK_OK);
        for (size_t i = 0; i < got; i++) trial->sum_out += sum_of(&back[i]);
        trial->out += got;
        if (trial->out - counted >= SLICE) {
            uint64_t now = bench_cycles();
            bench_sample(&trial->samples, bench_picoseconds(now - full) / (trial->out - counted));
            counted = trial->out;
            full = now;
        }
    }
    bench_end(trial, 2);
}

static void library_launch(const bench_contender *self, bench_trial *trial)
{
    static rk_send_options options[ACTORS_64];
    static unit_message m[ACTORS_64], back[ACTORS_64];
    (void)self;
    for (unsigned i = 0; i < ACTORS_64; i++) options[i].target = i;
    bench_begin(trial);
    for (unsigned trip = 0; trip < LAUNCHES; trip++) {
        for (unsigned i = 0; i < ACTORS_64; i++) {
            make(&m[i], trial->in + i);
            trial->sum_in += sum_of(&m[i]);
        }
        uint64_t before = bench_cycles();
        MUST(rk_send_each(runtime, few, RK_TYPE_ID(unit_message), m, sizeof m[0], ACTORS_64, options, NULL) ==
             RK_OK);
        trial->in += ACTORS_64;
        while (trial->out < trial->in) {
            size_t got = 0;
            MUST(rk_receive_many(runtime, few, back, sizeof back[0], ACTORS_64, NULL, RK_SECONDS(10), &got) ==
                 RK_OK);
            for (size_t i = 0; i < got; i++) trial->sum_out += sum_of(&back[i]);
            trial->out += got;
        }
        bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - before));
    }
    bench_end(trial, 2);
}

/* --- bare OpenCL ---------------------------------------------------------------------------------------- */

static const char bare_source[] = "__kernel void copy(__global const uint4 *from, __global uint4 *to)\n"
                                  "{\n"
                                  "    size_t slot = get_global_id(0) * 4;\n"
                                  "    for (int u = 0; u < 4; u++) to[slot + u] = from[slot + u];\n"
                                  "}\n";

static struct {
    rk_opencl cl;
    rk_opencl_device device;
    rk_cl_queue queue;
    rk_cl_kernel kernel;
    rk_cl_memory from[IN_FLIGHT], to[IN_FLIGHT];
    rk_u8 *up[IN_FLIGHT], *down[IN_FLIGHT];
    rk_cl_event came[IN_FLIGHT];
} bare;

static void bare_open(void)
{
    rk_cl_result result = 0;
    const char *text = bare_source;
    rk_cl_context context = bare.cl.clCreateContext(0, 1, &bare.device.handle, 0, 0, &result);
    MUST(context);
    bare.queue = bare.cl.clCreateCommandQueue(context, bare.device.handle, 0, &result);
    rk_cl_program program = bare.cl.clCreateProgramWithSource(context, 1, &text, 0, &result);
    MUST(bare.queue && program);
    MUST(bare.cl.clBuildProgram(program, 1, &bare.device.handle, "", 0, 0) == RK_CL_SUCCESS);
    bare.kernel = bare.cl.clCreateKernel(program, "copy", &result);
    MUST(bare.kernel);
    for (unsigned f = 0; f < IN_FLIGHT; f++) {
        bare.from[f] = bare.cl.clCreateBuffer(context, RK_CL_MEM_READ_WRITE, SLICE * SLOT, 0, &result);
        bare.to[f] = bare.cl.clCreateBuffer(context, RK_CL_MEM_READ_WRITE, SLICE * SLOT, 0, &result);
        bare.up[f] = aligned_alloc(4096, SLICE * SLOT);
        bare.down[f] = aligned_alloc(4096, SLICE * SLOT);
        MUST(bare.from[f] && bare.to[f] && bare.up[f] && bare.down[f]);
    }
}

static void bare_send(bench_trial *trial, unsigned f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unit_message *m = (unit_message *)(void *)(bare.up[f] + i * SLOT);
        make(m, trial->in + i);
        trial->sum_in += sum_of(m);
    }
    trial->in += count;
    MUST(!bare.cl.clSetKernelArg(bare.kernel, 0, sizeof bare.from[f], &bare.from[f]));
    MUST(!bare.cl.clSetKernelArg(bare.kernel, 1, sizeof bare.to[f], &bare.to[f]));
    MUST(!bare.cl.clEnqueueWriteBuffer(bare.queue, bare.from[f], 0, 0, count * SLOT, bare.up[f], 0, 0, 0));
    MUST(!bare.cl.clEnqueueNDRangeKernel(bare.queue, bare.kernel, 1, 0, &count, 0, 0, 0, 0));
}

static void bare_check(bench_trial *trial, unsigned f, size_t count)
{
    for (size_t i = 0; i < count; i++)
        trial->sum_out += sum_of((const unit_message *)(const void *)(bare.down[f] + i * SLOT));
    trial->out += count;
}

/* Ask for what came, without waiting in the driver. */
static void bare_ask(unsigned f, size_t count)
{
    MUST(!bare.cl.clEnqueueReadBuffer(bare.queue, bare.to[f], 0, 0, count * SLOT, bare.down[f], 0, 0,
                                      &bare.came[f]));
    MUST(!bare.cl.clFlush(bare.queue));
}

static void bare_await(unsigned f)
{
    rk_i32 stage = RK_CL_QUEUED;
    for (unsigned stuck = 0; stage != RK_CL_COMPLETE; stuck++) {
        MUST(!bare.cl.clGetEventInfo(bare.came[f], RK_CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof stage, &stage,
                                     0));
        if (stage != RK_CL_COMPLETE) bench_stuck(stuck);
    }
    bare.cl.clReleaseEvent(bare.came[f]);
}

/* The driver's own wait is a blocking read; a slice behind it is in the queue already, so the read of the one is
 * asked for before the other, and seen by its event. */
static void bare_pipelined(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    bench_begin(trial);
    uint64_t before = bench_cycles();
    for (unsigned slice = 0; slice < SLICES + IN_FLIGHT; slice++) {
        unsigned f = slice % IN_FLIGHT;
        if (slice >= IN_FLIGHT) {
            bare_await(f);
            bare_check(trial, f, SLICE);
            uint64_t now = bench_cycles();
            bench_sample(&trial->samples, bench_picoseconds(now - before) / SLICE);
            before = now;
        }
        if (slice >= SLICES) continue;
        bare_send(trial, f, SLICE);
        bare_ask(f, SLICE);
    }
    bench_end(trial, 2);
}

/* It waits in the driver, or as above. */
static void bare_launch(const bench_contender *self, bench_trial *trial)
{
    const int polls = self->subject != NULL;
    bench_begin(trial);
    for (unsigned trip = 0; trip < LAUNCHES; trip++) {
        uint64_t before = bench_cycles();
        bare_send(trial, 0, ACTORS_64);
        if (polls) {
            bare_ask(0, ACTORS_64);
            bare_await(0);
        } else {
            MUST(!bare.cl.clEnqueueReadBuffer(bare.queue, bare.to[0], 1, 0, ACTORS_64 * SLOT, bare.down[0], 0,
                                              0, 0));
        }
        bare_check(trial, 0, ACTORS_64);
        bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - before));
    }
    bench_end(trial, 2);
}

/* -------------------------------------------------------------------------------------------------------- */

static double idle_percent(rk_u64 *launches)
{
    bench_trial quiet = { 0 };
    usleep(1000000);
    rk_u64 before = __atomic_load_n(&rk_opencl_of(runtime)->launches, __ATOMIC_RELAXED);
    bench_begin(&quiet);
    usleep(2000000);
    bench_end(&quiet, 1);
    *launches = __atomic_load_n(&rk_opencl_of(runtime)->launches, __ATOMIC_RELAXED) - before;
    return quiet.share * 100;
}

static void check_account(rk_kernel kernel)
{
    rk_account account;
    MUST(rk_account_of(runtime, kernel, &account) == RK_OK && account.balanced);
    MUST(account.accepted == account.delivered && account.delivered == account.output_received);
}

/* 1: there is one. */
static int find_device(void)
{
    rk_opencl_device devices[RK_OPENCL_DEVICES_MOST];
    const char *said = getenv("RK_OPENCL_DEVICE");
    rk_u32 count = 0, wanted = said ? (rk_u32)strtoul(said, 0, 10) : 0;
    if (rk_opencl_load(0, &bare.cl) != RK_OK || rk_opencl_devices(&bare.cl, devices, &count) != RK_OK)
        return 0;
    MUST(wanted < count);
    bare.device = devices[wanted];
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_OPENCL, .slices = 1,
                                   .device = wanted };
    MUST(rk_open(&options, &runtime) == RK_OK);
    return 1;
}

int main(int argc, char **argv)
{
    static const bench_contender pipelined[] = { { "slices of 4,096", library_pipelined, NULL, 0 },
                                                 { "bare OpenCL", bare_pipelined, NULL, 1 } };
    static const bench_contender single[] = { { "64 shards in one launch", library_launch, NULL, 0 },
                                              { "bare OpenCL, waits in it", bare_launch, NULL, 1 },
                                              { "bare OpenCL, polls", bare_launch, "polls", 1 } };
    static char many_title[256], few_title[256];
    bench_contest rate = { "opencl_pipelined", many_title, "messages", pipelined, 2, ROUNDS };
    bench_contest latency = { "opencl_launch", few_title, "messages", single, 3, ROUNDS };
    bench_result results[3];
    bench_open(argc, argv);
    if (!find_device()) {
        printf("not measured: %s\n", rk_error_text());
        return 0;
    }
    snprintf(many_title, sizeof many_title, "36 bytes, sent and received by 4,096, two under way; %s",
             bare.device.name);
    snprintf(few_title, sizeof few_title, "36 bytes for each of 64 shards, and their answers; %s",
             bare.device.name);
    launch("many", 4 * SLICE, 1, &many);
    launch("few", 64, ACTORS_64, &few);
    bare_open();

    bench_run(&rate, results);
    bench_figure("OpenCL slices, pipelined", results[0].rate / 1e6, "M/s");
    bench_goal("OpenCL slices, pipelined: rate / bare OpenCL's", bench_rate_ratio(0, 1), "x", 0.7, 1);
    bench_run(&latency, results);
    bench_figure("OpenCL, 64 shards in one launch, p50", results[0].p50 / 1e3, "µs");
    bench_goal("OpenCL, 64 shards in one launch: p50 / the faster bare one's",
               bench_p50_ratio(0, results[1].p50 < results[2].p50 ? 1 : 2), "x", 1.3, 0);
    rk_u64 launches = 0;
    bench_goal("OpenCL, idle runtime, of a core", idle_percent(&launches), "%", 1.0, 0);
    bench_goal("OpenCL, idle runtime, launches", (double)launches, "launches", 0, 0);

    check_account(many);
    check_account(few);
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
