#include "mock_opencl.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ringkernel/device/shard.h>

#include <ringkernel/device/layout.h>
#include <ringkernel/device/parcel.h>

#include "backend/opencl/opencl_abi.h"

#define EXPORTED __attribute__((visibility("default")))
#define SIZE_(type) (rk_u32)sizeof(type),
#define OFFSET_(type, field) (rk_u32) RK_OFFSET_OF(type, field),
static const rk_u32 layout[] = { RK_WIRE_VERSION, RK_LAYOUT(SIZE_, OFFSET_) };

struct rk_cl_memory_ {
    size_t size;
    unsigned char bytes[] __attribute__((aligned(16)));
};
struct rk_cl_kernel_ {
    char name[160];
    struct rk_cl_memory_ *memory, *parcel, *back;
    void *shared[8]; /* arguments that both sides see */
    rk_u32 probe[3]; /* of the probe: rounds, looks */
    rk_u32 visits;
    rk_u64 table;
    rk_u32 first, count;
    size_t local; /* bytes of local memory */
};
struct rk_cl_event_ {
    rk_i32 stage;
    rk_u32 launch;  /* the number of a launch that it is behind, and that waits; 0: none */
    rk_i32 *thread; /* the stage of one that a thread runs; 0: it is no such one */
};

static mock_opencl state;
static char platform, device, context, queue; /* handles: only their addresses matter, */
static char program,
    check; /* of which programs have two: those of kernels are counted, the layout's check is not */
static const char program_binary[] = "mock binary", check_binary[] = "mock check!";
static rk_i32 stuck; /* the stage of all commands behind one that is */

EXPORTED mock_opencl *mock_opencl_state(void);
mock_opencl *mock_opencl_state(void) { return &state; }

EXPORTED void *mock_opencl_bytes(rk_cl_memory memory);
void *mock_opencl_bytes(rk_cl_memory memory) { return memory->bytes; }

static int shares(void) { return getenv("MOCK_OPENCL_SHARES") != 0; }

static rk_u32 how_many(const char *variable)
{
    const char *said = getenv(variable);
    return said ? (rk_u32)strtoul(said, 0, 10) : 1;
}

static rk_u64 local_memory(void)
{
    return getenv("MOCK_OPENCL_LOCAL") ? how_many("MOCK_OPENCL_LOCAL") : 32768;
}

static int fails(const char *function) { return state.failing && strcmp(state.failing, function) == 0; }
#define MAY_FAIL() \
    if (fails(__func__)) return state.result
#define MAY_FAIL_BY(pointer)       \
    if (fails(__func__)) {         \
        *(pointer) = state.result; \
        return 0;                  \
    }                              \
    *(pointer) = RK_CL_SUCCESS

static rk_cl_result answer(const void *value, size_t has, size_t size, void *to, size_t *needed)
{
    if (needed) *needed = has;
    if (to && size >= has) memcpy(to, value, has);
    return RK_CL_SUCCESS;
}

static void hand_out(rk_cl_event *event, rk_i32 stage, rk_u32 waits, const rk_cl_event *wait)
{
    if (stage < 0 || stage > stuck) stuck = stage;
    if (!event) return;
    *event = malloc(sizeof **event);
    if (!*event) return;
    **event = (struct rk_cl_event_){ .stage = stuck };
    for (rk_u32 i = 0; i < waits; i++)
        if (wait[i]->launch) (*event)->launch = wait[i]->launch;
}

static rk_i32 stage_of(rk_cl_event event)
{
    if (event->thread) return __atomic_load_n(event->thread, __ATOMIC_ACQUIRE);
    if (!event->launch) return event->stage;
    if (__atomic_load_n(&state.released, __ATOMIC_SEQ_CST) < event->launch) return RK_CL_RUNNING;
    return event->launch == state.fails ? (rk_i32)RK_CL_OUT_OF_RESOURCES : (rk_i32)RK_CL_COMPLETE;
}

/* ------------------------------------------------------------------ what there is */

EXPORTED rk_cl_result clGetPlatformIDs(rk_u32 room, rk_cl_platform *platforms, rk_u32 *count);
rk_cl_result clGetPlatformIDs(rk_u32 room, rk_cl_platform *platforms, rk_u32 *count)
{
    (void)room;
    MAY_FAIL();
    *count = how_many("MOCK_OPENCL_PLATFORMS");
    if (*count) platforms[0] = (rk_cl_platform)(void *)&platform;
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clGetPlatformInfo(rk_cl_platform platform_, rk_u32 what, size_t size, void *value,
                                        size_t *needed);
rk_cl_result clGetPlatformInfo(rk_cl_platform platform_, rk_u32 what, size_t size, void *value,
                               size_t *needed)
{
    const char *name = getenv("MOCK_OPENCL_PLATFORM_NAME");
    (void)platform_, (void)what;
    if (!name) name = "Mock";
    return answer(name, strlen(name) + 1, size, value, needed);
}

EXPORTED rk_cl_result clGetDeviceIDs(rk_cl_platform platform_, rk_u64 type, rk_u32 room,
                                     rk_cl_device *devices, rk_u32 *count);
rk_cl_result clGetDeviceIDs(rk_cl_platform platform_, rk_u64 type, rk_u32 room, rk_cl_device *devices,
                            rk_u32 *count)
{
    (void)platform_, (void)type, (void)room;
    *count = how_many("MOCK_OPENCL_DEVICES");
    if (*count) devices[0] = (rk_cl_device)(void *)&device;
    return *count ? RK_CL_SUCCESS : RK_CL_DEVICE_NOT_FOUND;
}

EXPORTED rk_cl_result clGetDeviceInfo(rk_cl_device device_, rk_u32 what, size_t size, void *value,
                                      size_t *needed);
rk_cl_result clGetDeviceInfo(rk_cl_device device_, rk_u32 what, size_t size, void *value, size_t *needed)
{
    static const struct {
        rk_u32 what;
        rk_u64 value;
    } numbers[] = { { RK_CL_DEVICE_TYPE, RK_CL_DEVICE_TYPE_GPU },
                    { RK_CL_DEVICE_MAX_WORK_GROUP_SIZE, 256 },
                    { RK_CL_DEVICE_MAX_MEM_ALLOC_SIZE, 1u << 30 },
                    { RK_CL_DEVICE_GLOBAL_MEM_SIZE, 1u << 30 },
                    { RK_CL_DEVICE_ENDIAN_LITTLE, 1 },
                    { RK_CL_DEVICE_AVAILABLE, 1 },
                    { RK_CL_DEVICE_COMPILER_AVAILABLE, 1 } };
    const struct {
        rk_u32 what;
        rk_u64 value;
    } of_a_cpu[] = { { RK_CL_DEVICE_TYPE, RK_CL_DEVICE_TYPE_CPU },
                     { RK_CL_DEVICE_SVM_CAPABILITIES, 15 },
                     { RK_CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, RK_CL_DEVICE_ATOMIC_ORDER_ACQ_REL |
                                                                    RK_CL_DEVICE_ATOMIC_ORDER_SEQ_CST |
                                                                    RK_CL_DEVICE_ATOMIC_SCOPE_DEVICE } };
    const rk_u64 units = getenv("MOCK_OPENCL_UNITS") ? how_many("MOCK_OPENCL_UNITS") : 4,
                 local = local_memory();
    const rk_cl_name_version version = { .version = 3u << 22 };
    const rk_u32 compute = getenv("MOCK_OPENCL_COMPUTE") ? how_many("MOCK_OPENCL_COMPUTE") : 0,
                 has_3 = shares() || compute;
    const char *extensions = getenv("MOCK_OPENCL_EXTENSIONS"), *text = "";
    (void)device_;
    MAY_FAIL();
    if (what == RK_CL_DEVICE_MAX_COMPUTE_UNITS) return answer(&units, size, size, value, needed);
    if (what == RK_CL_DEVICE_LOCAL_MEM_SIZE) return answer(&local, size, size, value, needed);
    for (size_t i = 0; shares() && i < sizeof of_a_cpu / sizeof *of_a_cpu; i++)
        if (of_a_cpu[i].what == what) return answer(&of_a_cpu[i].value, size, size, value, needed);
    if (has_3 && what == RK_CL_DEVICE_OPENCL_C_ALL_VERSIONS)
        return answer(&version, sizeof version, size, value, needed);
    if (compute && what == RK_CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV)
        return answer(&compute, sizeof compute, size, value, needed);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].what == what) return answer(&numbers[i].value, size, size, value, needed);
    if (what == RK_CL_DEVICE_NAME) text = "Mock device";
    if (what == RK_CL_DEVICE_VERSION) text = has_3 ? "OpenCL 3.0 Mock" : "OpenCL 1.2 Mock";
    if (what == RK_CL_DRIVER_VERSION) text = "1.0";
    if (what == RK_CL_DEVICE_OPENCL_C_VERSION) text = "OpenCL C 1.2 Mock";
    if (what == RK_CL_DEVICE_EXTENSIONS)
        text = extensions ? extensions : "cl_khr_int64_base_atomics cl_khr_int64_extended_atomics";
    return answer(text, strlen(text) + 1, size, value, needed);
}

EXPORTED rk_cl_context clCreateContext(const rk_i64 *properties, rk_u32 count, const rk_cl_device *devices,
                                       void *told, void *user, rk_cl_result *result);
rk_cl_context clCreateContext(const rk_i64 *properties, rk_u32 count, const rk_cl_device *devices, void *told,
                              void *user, rk_cl_result *result)
{
    (void)properties, (void)count, (void)devices, (void)told, (void)user;
    MAY_FAIL_BY(result);
    return (rk_cl_context)(void *)&context;
}

EXPORTED rk_cl_result clReleaseContext(rk_cl_context context_);
rk_cl_result clReleaseContext(rk_cl_context context_)
{
    (void)context_;
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_queue clCreateCommandQueue(rk_cl_context context_, rk_cl_device device_, rk_u64 properties,
                                          rk_cl_result *result);
rk_cl_queue clCreateCommandQueue(rk_cl_context context_, rk_cl_device device_, rk_u64 properties,
                                 rk_cl_result *result)
{
    (void)context_, (void)device_, (void)properties;
    MAY_FAIL_BY(result);
    stuck = RK_CL_COMPLETE;
    __atomic_add_fetch(&state.queues, 1, __ATOMIC_SEQ_CST);
    return (rk_cl_queue)(void *)&queue;
}

EXPORTED rk_cl_result clReleaseCommandQueue(rk_cl_queue queue_);
rk_cl_result clReleaseCommandQueue(rk_cl_queue queue_)
{
    (void)queue_;
    __atomic_sub_fetch(&state.queues, 1, __ATOMIC_SEQ_CST);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_memory clCreateBuffer(rk_cl_context context_, rk_u64 flags, size_t size, void *host,
                                     rk_cl_result *result);
rk_cl_memory clCreateBuffer(rk_cl_context context_, rk_u64 flags, size_t size, void *host,
                            rk_cl_result *result)
{
    (void)context_, (void)flags, (void)host;
    MAY_FAIL_BY(result);
    rk_cl_memory memory = malloc(sizeof *memory + size);
    if (memory) memory->size = size;
    return memory;
}

EXPORTED rk_cl_result clReleaseMemObject(rk_cl_memory memory);
rk_cl_result clReleaseMemObject(rk_cl_memory memory)
{
    free(memory);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clEnqueueReadBuffer(rk_cl_queue queue_, rk_cl_memory memory, rk_u32 blocking,
                                          size_t offset, size_t size, void *to, rk_u32 waits,
                                          const rk_cl_event *wait, rk_cl_event *event);
rk_cl_result clEnqueueReadBuffer(rk_cl_queue queue_, rk_cl_memory memory, rk_u32 blocking, size_t offset,
                                 size_t size, void *to, rk_u32 waits, const rk_cl_event *wait,
                                 rk_cl_event *event)
{
    (void)queue_, (void)blocking;
    MAY_FAIL();
    if (__atomic_load_n(&state.copies_hang, __ATOMIC_SEQ_CST)) {
        hand_out(event, RK_CL_SUBMITTED, waits, wait);
        return RK_CL_SUCCESS;
    }
    memcpy(to, memory->bytes + offset, size);
    hand_out(event, stuck, waits, wait);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clEnqueueWriteBuffer(rk_cl_queue queue_, rk_cl_memory memory, rk_u32 blocking,
                                           size_t offset, size_t size, const void *from, rk_u32 waits,
                                           const rk_cl_event *wait, rk_cl_event *event);
rk_cl_result clEnqueueWriteBuffer(rk_cl_queue queue_, rk_cl_memory memory, rk_u32 blocking, size_t offset,
                                  size_t size, const void *from, rk_u32 waits, const rk_cl_event *wait,
                                  rk_cl_event *event)
{
    (void)queue_, (void)blocking;
    MAY_FAIL();
    memcpy(memory->bytes + offset, from, size);
    hand_out(event, stuck, waits, wait);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clEnqueueFillBuffer(rk_cl_queue queue_, rk_cl_memory memory, const void *pattern,
                                          size_t pattern_size, size_t offset, size_t size, rk_u32 waits,
                                          const rk_cl_event *wait, rk_cl_event *event);
rk_cl_result clEnqueueFillBuffer(rk_cl_queue queue_, rk_cl_memory memory, const void *pattern,
                                 size_t pattern_size, size_t offset, size_t size, rk_u32 waits,
                                 const rk_cl_event *wait, rk_cl_event *event)
{
    (void)queue_;
    MAY_FAIL();
    for (size_t at = 0; at < size; at += pattern_size)
        memcpy(memory->bytes + offset + at, pattern, pattern_size);
    hand_out(event, stuck, waits, wait);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_program clCreateProgramWithSource(rk_cl_context context_, rk_u32 count, const char **texts,
                                                 const size_t *sizes, rk_cl_result *result);
rk_cl_program clCreateProgramWithSource(rk_cl_context context_, rk_u32 count, const char **texts,
                                        const size_t *sizes, rk_cl_result *result)
{
    (void)context_, (void)count, (void)sizes;
    MAY_FAIL_BY(result);
    if (strstr(texts[0], "device/layout_check.h")) return (rk_cl_program)(void *)&check;
    state.builds++;
    return (rk_cl_program)(void *)&program;
}

EXPORTED rk_cl_program clCreateProgramWithBinary(rk_cl_context context_, rk_u32 count,
                                                 const rk_cl_device *devices, const size_t *sizes,
                                                 const unsigned char **binaries, rk_cl_result *status,
                                                 rk_cl_result *result);
rk_cl_program clCreateProgramWithBinary(rk_cl_context context_, rk_u32 count, const rk_cl_device *devices,
                                        const size_t *sizes, const unsigned char **binaries,
                                        rk_cl_result *status, rk_cl_result *result)
{
    (void)context_, (void)count, (void)devices;
    MAY_FAIL_BY(result);
    *status = RK_CL_SUCCESS;
    if (sizes[0] == sizeof check_binary && memcmp(binaries[0], check_binary, sizeof check_binary) == 0)
        return (rk_cl_program)(void *)&check;
    state.binaries++;
    return (rk_cl_program)(void *)&program;
}

EXPORTED rk_cl_result clBuildProgram(rk_cl_program program_, rk_u32 count, const rk_cl_device *devices,
                                     const char *options, void *told, void *user);
rk_cl_result clBuildProgram(rk_cl_program program_, rk_u32 count, const rk_cl_device *devices,
                            const char *options, void *told, void *user)
{
    (void)count, (void)devices, (void)told, (void)user;
    if (program_ == (rk_cl_program)(void *)&program)
        snprintf(state.options, sizeof state.options, "%s", options);
    MAY_FAIL();
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clGetProgramBuildInfo(rk_cl_program program_, rk_cl_device device_, rk_u32 what,
                                            size_t size, void *value, size_t *needed);
rk_cl_result clGetProgramBuildInfo(rk_cl_program program_, rk_cl_device device_, rk_u32 what, size_t size,
                                   void *value, size_t *needed)
{
    const char *log = fails("clBuildProgram") ? "kernel.rk.c:7:3: error: mock says no" : "";
    (void)program_, (void)device_, (void)what;
    return answer(log, strlen(log) + 1, size, value, needed);
}

EXPORTED rk_cl_result clGetProgramInfo(rk_cl_program program_, rk_u32 what, size_t size, void *value,
                                       size_t *needed);
rk_cl_result clGetProgramInfo(rk_cl_program program_, rk_u32 what, size_t size, void *value, size_t *needed)
{
    const char *binary = program_ == (rk_cl_program)(void *)&check ? check_binary : program_binary;
    size_t length = sizeof program_binary;
    if (what == RK_CL_PROGRAM_BINARY_SIZES) return answer(&length, sizeof length, size, value, needed);
    memcpy(*(char **)value, binary, length);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clReleaseProgram(rk_cl_program program_);
rk_cl_result clReleaseProgram(rk_cl_program program_)
{
    (void)program_;
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_kernel clCreateKernel(rk_cl_program program_, const char *name, rk_cl_result *result);
rk_cl_kernel clCreateKernel(rk_cl_program program_, const char *name, rk_cl_result *result)
{
    (void)program_;
    MAY_FAIL_BY(result);
    rk_cl_kernel kernel = calloc(1, sizeof *kernel);
    if (kernel) snprintf(kernel->name, sizeof kernel->name, "%s", name);
    return kernel;
}

EXPORTED rk_cl_result clReleaseKernel(rk_cl_kernel kernel);
rk_cl_result clReleaseKernel(rk_cl_kernel kernel)
{
    free(kernel);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clSetKernelArg(rk_cl_kernel kernel, rk_u32 index, size_t size, const void *value);
rk_cl_result clSetKernelArg(rk_cl_kernel kernel, rk_u32 index, size_t size, const void *value)
{
    MAY_FAIL();
    if (value) kernel->shared[index] = 0;
    if (index == 0 && size == sizeof kernel->memory) memcpy(&kernel->memory, value, size);
    if (index == 1 && size == sizeof kernel->table) memcpy(&kernel->table, value, size);
    if (index == 2 && size == sizeof kernel->first) memcpy(&kernel->first, value, size);
    if (index == 3 && size == sizeof kernel->count) memcpy(&kernel->count, value, size);
    if (index == 4 && size == sizeof kernel->visits) memcpy(&kernel->visits, value, size);
    if (index < 3 && size == sizeof kernel->probe[0]) memcpy(&kernel->probe[index], value, size);
    if (index == 5 && !value) kernel->local = size;
    if (index == 6) memcpy(&kernel->parcel, value, size);
    if (index == 7) memcpy(&kernel->back, value, size);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clGetKernelWorkGroupInfo(rk_cl_kernel kernel, rk_cl_device device_, rk_u32 what,
                                               size_t size, void *value, size_t *needed);
rk_cl_result clGetKernelWorkGroupInfo(rk_cl_kernel kernel, rk_cl_device device_, rk_u32 what, size_t size,
                                      void *value, size_t *needed)
{
    const size_t most = state.group_most ? state.group_most : 256;
    const char *group = state.promises_no_group ? 0 : strstr(state.options, "-DRK_UNIT_GROUP=");
    const size_t built_for[3] = { group ? strtoul(strchr(group, '=') + 1, 0, 10) : 0 };
    (void)kernel, (void)device_;
    MAY_FAIL();
    if (what == RK_CL_KERNEL_COMPILE_WORK_GROUP_SIZE)
        return answer(built_for, sizeof built_for, size, value, needed);
    return answer(&most, sizeof most, size, value, needed);
}

EXPORTED void *clSVMAlloc(rk_cl_context context_, rk_u64 flags, size_t size, rk_u32 alignment);
void *clSVMAlloc(rk_cl_context context_, rk_u64 flags, size_t size, rk_u32 alignment)
{
    (void)context_, (void)flags, (void)alignment;
    if (fails(__func__)) return 0;
    return aligned_alloc(4096, (size + 4095) / 4096 * 4096);
}

EXPORTED void clSVMFree(rk_cl_context context_, void *memory);
void clSVMFree(rk_cl_context context_, void *memory)
{
    (void)context_;
    free(memory);
}

EXPORTED rk_cl_result clSetKernelArgSVMPointer(rk_cl_kernel kernel, rk_u32 index, const void *memory);
rk_cl_result clSetKernelArgSVMPointer(rk_cl_kernel kernel, rk_u32 index, const void *memory)
{
    MAY_FAIL();
    memcpy(&kernel->shared[index], &memory, sizeof memory);
    return RK_CL_SUCCESS;
}

static unsigned char *argument(rk_cl_kernel kernel, rk_u32 index)
{
    struct rk_cl_memory_ *memory = index == 6 ? kernel->parcel : index == 7 ? kernel->back : kernel->memory;
    return kernel->shared[index] ? kernel->shared[index] : memory->bytes;
}

/* What a launch does but for the visits: the shards are given what the slice brings, and answer. */
static void serve(rk_cl_kernel kernel)
{
    rk_byte *arena = argument(kernel, 0);
    const rk_u64 *table = (const rk_u64 *)(const void *)(arena + kernel->table) + kernel->first;
    rk_unit *parcel = (rk_unit *)(void *)argument(kernel, 6), *back = (rk_unit *)(void *)argument(kernel, 7);
    for (rk_u32 s = 0; s < kernel->count; s++) {
        const rk_shard *shard = (const rk_shard *)(const void *)(arena + table[s]);
        rk_answer *answer = (rk_answer *)(void *)back + s;
        rk_parcel_unpack(parcel, arena, s, 0, 1);
        if ((shard->source & RK_SOURCE_KERNEL) == __atomic_load_n(&state.ends, __ATOMIC_SEQ_CST)) {
            rk_orders *orders = (rk_orders *)(void *)(arena + shard->orders);
            orders->progress++;
            orders->phase = RK_PHASE_ENDED;
        }
        ((rk_orders *)(void *)(arena + shard->orders))->visit =
            __atomic_load_n(&state.works, __ATOMIC_SEQ_CST) ? RK_VISIT_WORKED : RK_VISIT_IDLE;
        rk_answer_begin(parcel, s, answer, shard, arena);
        rk_answer_pack(back, answer, shard, arena, 0, 1);
        rk_answer_end(answer, shard, arena);
    }
}

/* ------------------------------------------------------------------ launches that a thread runs */

typedef struct run {
    struct rk_cl_kernel_ kernel; /* as it was when it was launched */
    rk_u32 groups;
    int stay;
    rk_i32 stage;
    struct run *next; /* kept to the end */
} run;
static run *runs; /* atomic */

static rk_i32 *start(void *(*work)(void *), rk_cl_kernel kernel, rk_u32 groups, rk_i32 stage)
{
    pthread_t thread;
    run *r = malloc(sizeof *r);
    *r = (run){ *kernel, groups, state.stay, stage, __atomic_load_n(&runs, __ATOMIC_RELAXED) };
    while (!__atomic_compare_exchange_n(&runs, &r->next, r, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
    if (pthread_create(&thread, 0, work, r)) return 0;
    pthread_detach(thread);
    return &r->stage;
}

/* As the source says that opencl_share.c has. */
static void *probe(void *argument_)
{
    run *r = argument_;
    rk_unit *units = r->kernel.shared[0];
    rk_u32 seen = 0;
    const rk_u32 rounds =
        state.hasty && r->kernel.probe[1] ? 1 : r->kernel.probe[1]; /* nobody asks any more after that */
    for (rk_u32 look = 0; look < r->kernel.probe[2] && seen < rounds && !state.deaf; look++) {
        rk_unit unit = rk_load_unit(&units[0]);
        if (unit.word[0] != seen + 1) {
            usleep(1);
            continue;
        }
        seen = unit.word[0];
        for (rk_u32 u = 1; u < 4 && !state.hasty; u++) rk_store_unit(&units[8 + u], unit);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        rk_store_unit(&units[8], unit);
    }
    __atomic_store_n(&r->stage, state.probe_fails ? RK_CL_OUT_OF_RESOURCES : RK_CL_COMPLETE,
                     __ATOMIC_RELEASE);
    return 0;
}

/* Until all shards are told to leave; nobody handles anything. */
static void *stay(void *argument_)
{
    run *r = argument_;
    rk_parcel *parcel = (rk_parcel *)(void *)argument(&r->kernel, 6);
    rk_byte *arena = argument(&r->kernel, 0);
    const rk_u64 *table = (const rk_u64 *)(const void *)(arena + r->kernel.table);
    while (r->stay == MOCK_STAY_NEVER_BEGINS && !__atomic_load_n(&state.released, __ATOMIC_SEQ_CST))
        usleep(200);
    if (__atomic_fetch_add(&parcel->begun, r->groups, __ATOMIC_ACQ_REL) & RK_PARCEL_REVOKED) {
        __atomic_add_fetch(&state.revoked, 1, __ATOMIC_SEQ_CST);
    } else {
        __atomic_store_n(&r->stage, RK_CL_RUNNING, __ATOMIC_RELEASE);
        for (rk_u32 s = 0; s < r->kernel.count;) {
            const rk_shard *shard = (const rk_shard *)(const void *)(arena + table[s]);
            const rk_orders *orders = (const rk_orders *)(const void *)(arena + shard->orders);
            s += r->stay != MOCK_STAY_NEVER_LEAVES && __atomic_load_n(&orders->leave, __ATOMIC_ACQUIRE);
            usleep(200);
        }
    }
    __atomic_store_n(&r->stage, RK_CL_COMPLETE, __ATOMIC_RELEASE);
    return 0;
}

static int runs_in_a_thread(rk_cl_kernel kernel, rk_u32 groups, rk_cl_event *event)
{
    const int is_probe = strcmp(kernel->name, "rk_probe") == 0;
    if (!is_probe && (!kernel->count || kernel->visits)) return 0;
    *event = malloc(sizeof **event);
    **event = (struct rk_cl_event_){ .thread = start(is_probe ? probe : stay, kernel, groups,
                                                     is_probe ? RK_CL_RUNNING : RK_CL_SUBMITTED) };
    if (!is_probe) __atomic_add_fetch(&state.stays, 1, __ATOMIC_SEQ_CST);
    return 1;
}

EXPORTED rk_cl_result clEnqueueNDRangeKernel(rk_cl_queue queue_, rk_cl_kernel kernel, rk_u32 dimensions,
                                             const size_t *offset, const size_t *global, const size_t *local,
                                             rk_u32 waits, const rk_cl_event *wait, rk_cl_event *event);
rk_cl_result clEnqueueNDRangeKernel(rk_cl_queue queue_, rk_cl_kernel kernel, rk_u32 dimensions,
                                    const size_t *offset, const size_t *global, const size_t *local,
                                    rk_u32 waits, const rk_cl_event *wait, rk_cl_event *event)
{
    static const rk_i32 stages[] = { RK_CL_COMPLETE,         RK_CL_SUBMITTED, RK_CL_RUNNING,
                                     RK_CL_OUT_OF_RESOURCES, RK_CL_COMPLETE,  RK_CL_COMPLETE };
    int how = kernel->count ? __atomic_load_n(&state.launch, __ATOMIC_SEQ_CST) : state.warm_up;
    (void)queue_, (void)dimensions, (void)offset;
    MAY_FAIL();
    if (kernel->local > local_memory()) return RK_CL_OUT_OF_RESOURCES;
    if (runs_in_a_thread(kernel, (rk_u32)(*global / *local), event)) return RK_CL_SUCCESS;
    if (strcmp(kernel->name, "rk_layout_check") == 0) {
        memcpy(argument(kernel, 0), layout, sizeof layout);
        how = MOCK_LAUNCH_COMPLETES;
    }
    if (kernel->count && (how == MOCK_LAUNCH_COMPLETES || how == MOCK_LAUNCH_WAITS)) serve(kernel);
    hand_out(event, stages[how], waits, wait);
    if (!kernel->count) return RK_CL_SUCCESS;
    rk_u32 number = __atomic_add_fetch(&state.launches, 1, __ATOMIC_SEQ_CST);
    if (event && *event && how == MOCK_LAUNCH_WAITS) (*event)->launch = number;
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clFlush(rk_cl_queue queue_);
rk_cl_result clFlush(rk_cl_queue queue_)
{
    (void)queue_;
    MAY_FAIL();
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clGetEventInfo(rk_cl_event event, rk_u32 what, size_t size, void *value,
                                     size_t *needed);
rk_cl_result clGetEventInfo(rk_cl_event event, rk_u32 what, size_t size, void *value, size_t *needed)
{
    (void)what;
    MAY_FAIL();
    rk_i32 stage = stage_of(event);
    return answer(&stage, sizeof stage, size, value, needed);
}

EXPORTED rk_cl_result clSetEventCallback(rk_cl_event event, rk_i32 when, rk_cl_told told, void *user);
rk_cl_result clSetEventCallback(rk_cl_event event, rk_i32 when, rk_cl_told told, void *user)
{
    MAY_FAIL();
    if (stage_of(event) <= when) told(event, stage_of(event), user);
    return RK_CL_SUCCESS;
}

EXPORTED rk_cl_result clReleaseEvent(rk_cl_event event);
rk_cl_result clReleaseEvent(rk_cl_event event)
{
    free(event);
    return RK_CL_SUCCESS;
}
