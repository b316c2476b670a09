/* A message to a kernel that stays on an OpenCL device, and its answer, beside a bare kernel of the same run that stays and
 * answers in memory that both sides see. 36 bytes in slots of 64, one at a time. Device 0, or RK_OPENCL_DEVICE. */
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "bench.rk.h"
#include "harness.h"
#include "must.h"

#define TRIPS 20000u
#define ROUNDS 9u

static rk_runtime *runtime;
static rk_kernel echo;

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

static void launch(void)
{
    rk_launch_options o = rk_low_latency();
    o.kernel_name = "unit_copy";
    o.deduplication_window = 0;
    o.single_producer = 1;
    o.timestamps = 0;
    MUST(rk_launch(runtime, "echo", &o, &echo) == RK_OK);
    MUST(rk_activate(runtime, echo) == RK_OK);
}

static void library(const bench_contender *self, bench_trial *trial)
{
    unit_message m, back;
    (void)self;
    bench_begin(trial);
    uint64_t before = bench_cycles();
    for (uint64_t i = 0; i < TRIPS; i++) {
        make(&m, i);
        MUST(rk_send(runtime, echo, RK_BODY(m), NULL) == RK_OK);
        MUST(rk_receive(runtime, echo, &back, sizeof back, NULL, RK_SECONDS(10)) == RK_OK);
        uint64_t now = bench_cycles();
        bench_sample(&trial->samples, bench_picoseconds(now - before));
        before = now;
        trial->sum_in += sum_of(&m);
        trial->sum_out += sum_of(&back);
    }
    bench_end(trial, 2);
    trial->in = trial->out = TRIPS;
}

/* The kernel has a unit of the two that the device lets stay: what runs next needs it. */
static void pause_library(void) { MUST(rk_deactivate(runtime, echo) == RK_OK); }

/* --- bare OpenCL ---------------------------------------------------------------------------------------- */

/* Slot and answer, 64 bytes each: fifteen words and the number of the message, which is written last. */
static const char bare_source[] =
    "__kernel void echo(__global uint *there, __global uint *back, uint trips)\n"
    "{\n"
    "    volatile __global atomic_uint *asked = (volatile __global atomic_uint *)(there + 15);\n"
    "    volatile __global atomic_uint *answered = (volatile __global atomic_uint *)(back + 15);\n"
    "    for (uint n = 1; n <= trips; n++) {\n"
    "        while (atomic_load_explicit(asked, memory_order_acquire, memory_scope_device) != n) {}\n"
    "        for (int w = 0; w < 15; w++) back[w] = there[w];\n"
    "        atomic_store_explicit(answered, n, memory_order_release, memory_scope_device);\n"
    "    }\n"
    "}\n";

static struct {
    rk_opencl cl;
    rk_opencl_device device;
    rk_cl_queue queue;
    rk_cl_kernel kernel;
    rk_u32 *there, *back;
} bare;

static void bare_open(void)
{
    const rk_u64 shared = RK_CL_MEM_READ_WRITE | RK_CL_MEM_SVM_FINE_GRAIN_BUFFER | RK_CL_MEM_SVM_ATOMICS;
    const char *text = bare_source;
    const rk_u32 trips = TRIPS;
    rk_cl_result result = 0;
    rk_cl_context context = bare.cl.clCreateContext(0, 1, &bare.device.handle, 0, 0, &result);
    MUST(context);
    bare.queue = bare.cl.clCreateCommandQueue(context, bare.device.handle, 0, &result);
    rk_cl_program program = bare.cl.clCreateProgramWithSource(context, 1, &text, 0, &result);
    MUST(bare.queue && program);
    MUST(bare.cl.clBuildProgram(program, 1, &bare.device.handle, "-cl-std=CL3.0", 0, 0) == RK_CL_SUCCESS);
    bare.kernel = bare.cl.clCreateKernel(program, "echo", &result);
    bare.there = bare.cl.clSVMAlloc(context, shared, 64, 0);
    bare.back = bare.cl.clSVMAlloc(context, shared, 64, 0);
    MUST(bare.kernel && bare.there && bare.back);
    MUST(!bare.cl.clSetKernelArgSVMPointer(bare.kernel, 0, bare.there));
    MUST(!bare.cl.clSetKernelArgSVMPointer(bare.kernel, 1, bare.back));
    MUST(!bare.cl.clSetKernelArg(bare.kernel, 2, sizeof trips, &trips));
}

static void bare_trip(rk_u32 number, const unit_message *m, unit_message *back)
{
    memcpy(bare.there, m, sizeof *m);
    __atomic_store_n(&bare.there[15], number, __ATOMIC_RELEASE);
    for (unsigned stuck = 0; __atomic_load_n(&bare.back[15], __ATOMIC_ACQUIRE) != number; stuck++)
        bench_stuck(stuck);
    memcpy(back, bare.back, sizeof *back);
}

static void bare_echo(const bench_contender *self, bench_trial *trial)
{
    const size_t one = 1;
    unit_message m, back;
    (void)self;
    memset(bare.there, 0, 64);
    memset(bare.back, 0, 64);
    MUST(!bare.cl.clEnqueueNDRangeKernel(bare.queue, bare.kernel, 1, 0, &one, &one, 0, 0, 0));
    MUST(!bare.cl.clFlush(bare.queue));
    make(&m, 0);
    bare_trip(1, &m, &back); /* it runs */
    bench_begin(trial);
    uint64_t before = bench_cycles();
    for (rk_u32 i = 2; i <= TRIPS; i++) {
        make(&m, i);
        bare_trip(i, &m, &back);
        uint64_t now = bench_cycles();
        bench_sample(&trial->samples, bench_picoseconds(now - before));
        before = now;
        trial->sum_in += sum_of(&m);
        trial->sum_out += sum_of(&back);
    }
    bench_end(trial, 2);
    trial->in = trial->out = TRIPS - 1;
}

/* -------------------------------------------------------------------------------------------------------- */

/* 1: there is one on which kernels stay. */
static int find_device(void)
{
    rk_opencl_device devices[RK_OPENCL_DEVICES_MOST];
    const char *said = getenv("RK_OPENCL_DEVICE");
    rk_u32 count = 0, wanted = said ? (rk_u32)strtoul(said, 0, 10) : 0;
    if (rk_opencl_load(0, &bare.cl) != RK_OK || rk_opencl_devices(&bare.cl, devices, &count) != RK_OK) {
        printf("not measured: %s\n", rk_error_text());
        return 0;
    }
    MUST(wanted < count);
    bare.device = devices[wanted];
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_OPENCL, .device = wanted };
    MUST(rk_open(&options, &runtime) == RK_OK);
    if (rk_opencl_of(runtime)->stays) return 1;
    printf("not measured: kernels don't stay on %s: %s\n", bare.device.name, rk_opencl_mode(&bare.device));
    rk_close(runtime);
    return 0;
}

/* The kernel takes a unit while it is active, and the bare one needs it. */
static void active_library(const bench_contender *self, bench_trial *trial)
{
    rk_status status = rk_activate(runtime, echo);
    MUST(status == RK_OK || status == RK_ALREADY_ACTIVE);
    library(self, trial);
    pause_library();
}

int main(int argc, char **argv)
{
    static const bench_contender contenders[] = { { "a kernel that stays", active_library, NULL, 0 },
                                                  { "bare OpenCL", bare_echo, NULL, 1 } };
    static char title[256];
    bench_contest contest = { "opencl_round_trip", title, "messages", contenders, 2, ROUNDS };
    bench_result results[2];
    bench_open(argc, argv);
    if (!find_device()) return 0;
    snprintf(title, sizeof title, "36 bytes to a kernel and back, one at a time; %s", bare.device.name);
    launch();
    bare_open();
    bench_run(&contest, results);
    MUST(rk_opencl_of(runtime)->stays);
    bench_figure("OpenCL, persistent round trip, p50", results[0].p50 / 1e3, "µs");
    bench_goal("OpenCL, persistent round trip: p50 / bare OpenCL's", bench_p50_ratio(0, 1), "x", 2.0, 0);
    rk_account account;
    MUST(rk_account_of(runtime, echo, &account) == RK_OK && account.balanced);
    MUST(account.accepted == account.delivered && account.delivered == account.output_received);
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
