/* Is there memory that the host and a running kernel see at once? A driver may claim it: here it is tried.
 *
 * A probe runs while the host writes numbers for it, each into all words of a slot whose first unit is written last, and
 * sends each back in the same way: units are to be whole, and what was written before the first is to be there with it.
 * It ends by itself when the host is not seen, so that a device on which nothing goes on beside a launch is left as it
 * was. Only then is the arena one for both sides, and may a kernel stay on the device. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/futex.h"
#include "opencl.h"

#define PAGE 4096u
#define SHARED_FLAGS (RK_CL_MEM_READ_WRITE | RK_CL_MEM_SVM_FINE_GRAIN_BUFFER | RK_CL_MEM_SVM_ATOMICS)

/* ------------------------------------------------------------------ memory for a launch */

rk_status rk_opencl_memory_make(rk_opencl_runtime *cl, rk_u64 size, rk_opencl_memory *m)
{
    rk_cl_result result = RK_CL_SUCCESS;
    if (cl->shares) {
        m->block = cl->api.clSVMAlloc(cl->context, SHARED_FLAGS, size + PAGE, 0);
        if (!m->block)
            return rk_error(RK_OUT_OF_MEMORY,
                            "%s gives no %llu bytes of shared memory: set memory_ceiling lower",
                            cl->device.name, (unsigned long long)size);
        m->host = (char *)m->block + (PAGE - (size_t)m->block % PAGE) % PAGE;
    } else {
        m->host = aligned_alloc(PAGE, (size + PAGE - 1) / PAGE * PAGE);
        if (!m->host) return rk_error(RK_OUT_OF_MEMORY, "no memory for slices");
        m->device = cl->api.clCreateBuffer(cl->context, RK_CL_MEM_READ_WRITE, size, 0, &result);
        if (!m->device) return rk_opencl_failed(cl, result, "taking device memory for slices");
    }
    m->room = size;
    return RK_OK;
}

void rk_opencl_memory_drop(rk_opencl_runtime *cl, rk_opencl_memory *m)
{
    if (m->device) cl->api.clReleaseMemObject(m->device);
    if (m->block) cl->api.clSVMFree(cl->context, m->block);
    if (!m->block) free(m->host);
    *m = (rk_opencl_memory){ .room = 0 };
}

rk_cl_result rk_opencl_memory_argument(const rk_opencl_runtime *cl, rk_cl_kernel kernel, rk_u32 index,
                                       const rk_opencl_memory *m)
{
    return m->device ? cl->api.clSetKernelArg(kernel, index, sizeof m->device, &m->device)
                     : cl->api.clSetKernelArgSVMPointer(kernel, index, m->host);
}

/* ------------------------------------------------------------------ the probe */

static const char probe_source[] =
    "__kernel void rk_probe(volatile __global uint4 *units, uint rounds, uint looks)\n"
    "{\n"
    "    uint seen = 0, torn = 0, early = 0;\n"
    "    for (uint look = 0; look < looks && seen < rounds; look++) {\n"
    "        uint4 unit = units[0];\n"
    "        torn += any(unit != (uint4)(unit.x)) != 0;\n"
    "        if (unit.x != seen + 1 || any(unit != (uint4)(unit.x))) continue;\n"
    "        atomic_work_item_fence(CLK_GLOBAL_MEM_FENCE, memory_order_acquire, memory_scope_device);\n"
    "        for (uint u = 1; u < 4; u++) early += any(units[u] != unit) != 0;\n"
    "        seen = unit.x;\n"
    "        look = 0;\n"
    "        for (uint u = 1; u < 4; u++) units[8 + u] = unit;\n"
    "        atomic_work_item_fence(CLK_GLOBAL_MEM_FENCE, memory_order_release, memory_scope_device);\n"
    "        units[8] = unit;\n"
    "    }\n"
    "    units[16] = (uint4)(seen, torn, early, 0);\n"
    "}\n";

#define ROUNDS 64u
#define LOOKS (1u << 27) /* for one number: some tenths of a second on a CPU */
#define WORDS 68u        /* two slots and a unit, 128 bytes from each other */
#define SLOT 4u          /* units of a slot */
#define ASKED 0u         /* the first unit of the host's slot, */
#define ANSWERED 8u      /* of the probe's, */
#define TOLD 16u         /* and what the probe says at the end: numbers seen, units torn, units too early */
#define HEARTBEAT_NS RK_SECONDS(2)
#define LOOK_NS RK_MICROSECONDS(100)

/* What it is made of. */
typedef struct probe {
    rk_cl_program program;
    rk_cl_kernel kernel;
    rk_cl_queue queue; /* its own: whatever becomes of it, others go on */
    rk_cl_event event;
    rk_opencl_memory memory;
} probe;

static int build(rk_opencl_runtime *cl, probe *p)
{
    const char *text = probe_source;
    rk_cl_result result = RK_CL_SUCCESS;
    p->program = cl->api.clCreateProgramWithSource(cl->context, 1, &text, 0, &result);
    if (!p->program || cl->api.clBuildProgram(p->program, 1, &cl->device.handle, "-cl-std=CL3.0", 0, 0))
        return 0;
    p->kernel = cl->api.clCreateKernel(p->program, "rk_probe", &result);
    p->queue = cl->api.clCreateCommandQueue(cl->context, cl->device.handle, 0, &result);
    return p->kernel && p->queue && rk_opencl_memory_make(cl, WORDS * 4, &p->memory) == RK_OK;
}

static int start(rk_opencl_runtime *cl, probe *p, rk_u32 rounds)
{
    const size_t one = 1;
    const rk_u32 looks = LOOKS;
    memset(p->memory.host, 0, WORDS * 4);
    if (p->event) cl->api.clReleaseEvent(p->event);
    p->event = 0;
    return rk_opencl_memory_argument(cl, p->kernel, 0, &p->memory) == RK_CL_SUCCESS &&
           cl->api.clSetKernelArg(p->kernel, 1, sizeof rounds, &rounds) == RK_CL_SUCCESS &&
           cl->api.clSetKernelArg(p->kernel, 2, sizeof looks, &looks) == RK_CL_SUCCESS &&
           cl->api.clEnqueueNDRangeKernel(p->queue, p->kernel, 1, 0, &one, &one, 0, 0, &p->event) ==
               RK_CL_SUCCESS &&
           cl->api.clFlush(p->queue) == RK_CL_SUCCESS;
}

static rk_unit *unit_of(const probe *p, rk_u32 number) { return (rk_unit *)(void *)p->memory.host + number; }

static int is_whole(rk_unit unit)
{
    return unit.word[0] == unit.word[1] && unit.word[0] == unit.word[2] && unit.word[0] == unit.word[3];
}

static void ask(const probe *p, rk_u32 n)
{
    const rk_unit unit = { { n, n, n, n } };
    for (rk_u32 u = 1; u < SLOT; u++) rk_store_unit(unit_of(p, ASKED + u), unit);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    rk_store_unit(unit_of(p, ASKED), unit);
}

/* The first unit of the answer to `n` is there: are the others? */
static int is_behind(const probe *p, rk_u32 n)
{
    int there = 1;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    for (rk_u32 u = 1; u < SLOT; u++) {
        rk_unit unit = rk_load_unit(unit_of(p, ANSWERED + u));
        there &= is_whole(unit) && unit.word[0] == n;
    }
    return there;
}

#define UNSEEN "a running kernel and the host don't see what the other writes"
#define LOOKS_BETWEEN 1024u /* at the unit; then one at the launch, and others may run */

/* The answer to `n`. 0: it is there, or what is wrong. */
static const char *await_answer(rk_opencl_runtime *cl, const probe *p, rk_u32 n, rk_u64 deadline_ns)
{
    for (rk_u32 look = 1;; look++) {
        const int breathes = look % LOOKS_BETWEEN == 0,
                  ended = breathes && rk_opencl_stage(cl, p->event) <= RK_CL_COMPLETE;
        rk_unit back = rk_load_unit(unit_of(p, ANSWERED));
        if (!is_whole(back)) return "the host saw a half-written unit of 16 bytes";
        if (back.word[0] == n) return is_behind(p, n) ? 0 : "the host saw a message before what is in it";
        if (ended || (breathes && rk_monotonic_ns() >= deadline_ns)) return UNSEEN;
        if (breathes) sched_yield();
    }
}

static const char *exchange(rk_opencl_runtime *cl, const probe *p)
{
    const rk_u64 deadline_ns = rk_monotonic_ns() + HEARTBEAT_NS;
    const char *wrong = 0;
    for (rk_u32 n = 1; n <= ROUNDS && !wrong; n++) {
        ask(p, n);
        wrong = await_answer(cl, p, n, deadline_ns);
    }
    return wrong;
}

/* A launch that fails here is a reason not to share, and not a lost device. */
static int has_ended_well(rk_opencl_runtime *cl, const probe *p, rk_u64 deadline_ns)
{
    while (rk_opencl_stage(cl, p->event) > RK_CL_COMPLETE && rk_monotonic_ns() < deadline_ns)
        rk_futex_wait(&cl->keeper_stop, rk_atomic_u32(&cl->keeper_stop), LOOK_NS);
    return rk_opencl_stage(cl, p->event) == RK_CL_COMPLETE;
}

static const char *try_out(rk_opencl_runtime *cl, probe *p)
{
    if (!build(cl, p)) return "the probe of shared memory can't be built";
    if (!start(cl, p, 0) || !has_ended_well(cl, p, rk_monotonic_ns() + cl->building_ns)) /* compiled by now */
        return "the probe of shared memory doesn't run";
    if (!start(cl, p, ROUNDS)) return "the probe of shared memory doesn't run";
    const char *wrong = exchange(cl, p);
    if (!has_ended_well(cl, p, rk_opencl_patience(cl))) return "the probe of shared memory doesn't end";
    if (!wrong && unit_of(p, TOLD)->word[1]) wrong = "a running kernel saw a half-written unit of 16 bytes";
    if (!wrong && unit_of(p, TOLD)->word[2]) wrong = "a running kernel saw a message before what is in it";
    return wrong;
}

/* 1: what it had is given back. A launch that may still run keeps all of it. */
static int give_back(rk_opencl_runtime *cl, probe *p)
{
    if (p->event && rk_opencl_stage(cl, p->event) > RK_CL_COMPLETE) return 0;
    if (p->event) cl->api.clReleaseEvent(p->event);
    if (p->queue) cl->api.clReleaseCommandQueue(p->queue);
    if (p->kernel) cl->api.clReleaseKernel(p->kernel);
    if (p->program) cl->api.clReleaseProgram(p->program);
    rk_opencl_memory_drop(cl, &p->memory);
    return 1;
}

/* ------------------------------------------------------------------ what follows */

static const char *claims(const rk_opencl_runtime *cl)
{
    if (!cl->api.clSVMAlloc || !cl->api.clSVMFree || !cl->api.clSetKernelArgSVMPointer)
        return "the OpenCL library is older than 2.0";
    return rk_opencl_sharing(&cl->device);
}

void rk_opencl_try_sharing(rk_opencl_runtime *cl)
{
    char note[256];
    probe p = { .event = 0 };
    const char *wrong = claims(cl);
    if (!wrong) {
        cl->shares = 1;
        wrong = try_out(cl, &p);
        cl->held |= !give_back(cl, &p);
        rk_error_begin();
        cl->shares = !wrong;
    }
    if (!wrong) return;
    snprintf(note, sizeof note, "copy slices on %.100s: %s", cl->device.name, wrong);
    rk_runtime_log(cl->runtime, RK_INFO, "", 0, note);
}
