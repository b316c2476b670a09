/* Kernels on the device: launched to stay or for a slice, left at a batch boundary, looked at, stepped.
 *
 * A launch begins with the device's headers of lanes made from the host's, and a look ends with the device's counts
 * put into the host's (backend/twin.h). */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/futex.h"
#include "../../runtime/kernel.h"
#include "../../runtime/lane_home.h"
#include <ringkernel/device/express_room.h>

#include "../resident.h"
#include "../slices.h"
#include "../twin.h"
#include "cuda.h"

#define STATIC_SHARED (6u << 10)   /* at most, of what the loop has for itself */
#define SHARED_UNASKED (48u << 10) /* which a launch may ask for of any code */

/* ------------------------------------------------------------------ looking */

static rk_u64 control_at(const rk_host_kernel *kernel)
{
    return rk_layout_part(&kernel->layout, RK_NEAR_DEVICE, 0);
}

/* What is fetched of a kernel, in order. */
typedef struct gathering {
    rk_rows rows[2u + 3u * RK_BANDS];
    rk_u32 count;
    rk_u32 all; /* so many are all of it; the others are words of producers once more */
    const rk_host_kernel *kernel;
} gathering;

static void add_rows(gathering *g, rk_u64 offset, rk_u64 size, rk_u64 stride)
{
    g->rows[g->count++] = (rk_rows){ offset, size, stride, g->kernel->seat_count };
}

/* The producing line of a ring in every shard, whose lanes lie so far apart. */
static void add_producing(gathering *g, const rk_lane *first, rk_u64 stride)
{
    for (rk_u32 b = 0; b < first->bands; b++) add_rows(g, first->rings[b], RK_LINE, stride);
}

static void take_consumers(void *of, rk_u32 row)
{
    const gathering *g = of;
    for (rk_u32 s = 0; row + 1 == g->all && s < g->kernel->seat_count; s++)
        rk_twin_take_consumer(&g->kernel->seats[s]);
}

static void take_nothing(void *of, rk_u32 row) { (void)of, (void)row; }

/* Sinks before sources: all of it first, then once more the words of producers, so that no account has handled what
 * was not accepted. The device copies in this order, and is waited for once. */
rk_status rk_cuda_gather(rk_cuda_runtime *cuda, rk_host_kernel *kernel)
{
    const rk_layout *l = &kernel->layout;
    const rk_residence *residence = cuda->residence[kernel->number];
    const rk_u64 stride = l->block[l->device].shard_stride, far = rk_lane_home_stride(kernel);
    rk_u64 from = residence ? 0 : l->own; /* at rest the host's is right, but for what others send here */
    gathering g = { .kernel = kernel };
    add_rows(&g, control_at(kernel) + from, l->control - from, stride);
    if (kernel->far_lanes) add_rows(&g, kernel->far_lanes, far, far);
    g.all = g.count;
    if (!residence) return rk_cuda_fetch_each(cuda, g.rows, g.count, take_nothing, &g);
    if (cuda->residents > 1 || cuda->all->count > 1 || rk_atomic_u32(&residence->launched)) {
        add_producing(&g, rk_seat_lane(kernel->seats, RK_LANE_DEVICE), kernel->far_lanes ? far : stride);
        add_producing(&g, rk_twin_lane(kernel->seats, RK_LANE_OUT), stride);
        add_producing(&g, rk_twin_lane(kernel->seats, RK_LANE_REPORT), stride);
    }
    rk_status status = rk_cuda_fetch_each(cuda, g.rows, g.count, take_consumers, &g);
    for (rk_u32 s = 0; s < kernel->seat_count && status == RK_OK; s++)
        rk_twin_take_producer(&kernel->seats[s]);
    return status;
}

void rk_cuda_look(rk_host_kernel *kernel)
{
    rk_cuda_runtime *cuda = rk_cuda_on(kernel);
    if (!kernel->seat_count || rk_atomic_u32(&cuda->lost)) return;
    rk_cuda_enter(cuda);
    rk_cuda_lock(cuda);
    rk_cuda_gather(cuda, kernel);
    pthread_mutex_unlock(&cuda->copying);
    rk_cuda_exit(cuda);
}

/* ------------------------------------------------------------------ launching */

rk_status rk_cuda_launch(rk_cuda_runtime *cuda, rk_residence *residence, rk_u32 first, rk_u32 count,
                         rk_u32 visits)
{
    const rk_host_kernel *kernel = residence->kernel;
    rk_cu_address arena = (rk_cu_address)(size_t)kernel->runtime->arena.base;
    rk_u64 table = rk_layout_common(&kernel->layout, kernel->layout.table);
    void *arguments[] = { &arena, &table, &first, &count, &visits };
    rk_u32 blocks = count < residence->blocks ? count : residence->blocks;
    if (!visits) rk_resident_begin(kernel);
    rk_atomic_set_u32(&residence->launched, 1);
    int result = cuda->api.cuLaunchKernel(residence->function, blocks, 1, 1, residence->threads, 1, 1,
                                          residence->shared, residence->stream, arguments, 0);
    return result == RK_CUDA_SUCCESS ? RK_OK : rk_cuda_failed(cuda, result, "launching a kernel");
}

/* Of all multiprocessors, in 1024ths: what the residents have, but for this one. */
static rk_u64 occupied(const rk_cuda_runtime *cuda)
{
    rk_u64 sum = 0;
    for (rk_u32 d = rk_cuda_same(cuda, 0); d < cuda->all->count; d = rk_cuda_same(cuda, d + 1)) {
        const rk_cuda_runtime *of = cuda->all->at[d];
        sum += of->stuck;
        for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count); n++)
            if (of->residence[n])
                sum += (of->residence[n]->blocks * 1024ull + of->residence[n]->per_processor - 1) /
                       of->residence[n]->per_processor;
    }
    return sum;
}

static rk_u32 resident_kernels(const rk_cuda_runtime *cuda)
{
    rk_u32 sum = 0;
    for (rk_u32 d = rk_cuda_same(cuda, 0); d < cuda->all->count; d = rk_cuda_same(cuda, d + 1))
        sum += cuda->all->at[d]->residents;
    return sum;
}

/* How many of its blocks a multiprocessor holds. */
static rk_status ask_occupancy(rk_cuda_runtime *cuda, const rk_residence *r)
{
    rk_cuda_code *code = r->code;
    int per_processor = 0, result = RK_CUDA_SUCCESS;
    if (code->threads == r->threads && code->shared == r->shared) return RK_OK;
    if (r->shared > SHARED_UNASKED && r->shared > code->shared_most) {
        result = cuda->api.cuFuncSetAttribute(r->function, RK_CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                              (int)r->shared);
        if (result == RK_CUDA_SUCCESS) code->shared_most = r->shared;
    }
    if (result ==
        RK_CUDA_ERROR_INVALID_VALUE) /* with what the code has for itself, more than a block may have */
        result = RK_CUDA_SUCCESS;
    else if (result == RK_CUDA_SUCCESS)
        result = cuda->api.cuOccupancyMaxActiveBlocksPerMultiprocessor(&per_processor, r->function,
                                                                       (int)r->threads, r->shared);
    if (result != RK_CUDA_SUCCESS) return rk_cuda_failed(cuda, result, "asking what fits a multiprocessor");
    code->threads = r->threads;
    code->shared = r->shared;
    code->per_processor = (rk_u32)per_processor;
    return RK_OK;
}

/* Do its blocks fit beside those that stay? */
static rk_status check_fit(rk_cuda_runtime *cuda, rk_residence *r)
{
    const char *id = r->kernel->id;
    rk_status status = ask_occupancy(cuda, r);
    if (status != RK_OK) return status;
    r->per_processor = r->code->per_processor;
    if (r->per_processor == 0)
        return rk_error(RK_LIMIT,
                        "'%s': a block of %u threads with %u bytes of shared memory does not fit a "
                        "multiprocessor of %s: lower threads or .shared",
                        id, r->threads, r->shared, cuda->device.name);
    /* Where its blocks can take all threads, not quite all: the clock's probe, and what the driver clears memory
     * by, would wait for one to end. */
    rk_u64 spare = r->per_processor * r->threads + 32u > cuda->device.resident_threads;
    rk_u64 all = cuda->device.multiprocessors * 1024ull - spare, used = occupied(cuda);
    rk_u64 most = used < all ? (all - used) * r->per_processor / 1024 : 0;
    if (r->blocks > most)
        return rk_error(RK_LIMIT,
                        "'%s': %u blocks can't all be resident beside what runs on %s: the largest grid that "
                        "can has %llu",
                        id, r->blocks, cuda->device.name, (unsigned long long)most);
    if (resident_kernels(cuda) >= RK_CUDA_RESIDENT_MOST)
        return rk_error(RK_LIMIT, "'%s': %u kernels are resident, and the device runs no more at once", id,
                        resident_kernels(cuda));
    return RK_OK;
}

rk_status rk_cuda_check_shared(const rk_cuda_runtime *cuda, const rk_class *class, const rk_layout *layout)
{
    const rk_u32 shared = class->attributes->shared, most = cuda->device.block_shared,
                 threads = rk_cuda_threads(class, layout, rk_atomic_u32(&cuda->dense));
    const rk_u64 needed = (shared + 15ull) / 16u * 16u * layout->shared_groups + 8u * threads;
    if (needed <= most) return RK_OK;
    return rk_error(
        RK_LIMIT,
        "kernel '%s': .shared %u for each of the %u groups that a block handles side by side, and 8 bytes "
        "for each of its %u threads, are %llu bytes, over the %u of a block of %s: lower .shared, or "
        "threads",
        class->name, shared, layout->shared_groups, threads, (unsigned long long)needed, most,
        cuda->device.name);
}

/* Memory that a block needs, and as much as its turns can use if it may. */
static rk_u32 memory_of(const rk_cuda_runtime *cuda, const rk_residence *r, int roomy)
{
    const rk_host_kernel *kernel = r->kernel;
    rk_u32 needed = (kernel->layout.shared_size + 8u * r->threads + 15u) / 16u * 16u;
    rk_u32 most = cuda->device.block_shared < STATIC_SHARED ? 0 : cuda->device.block_shared - STATIC_SHARED;
    if (!roomy || r->blocks != kernel->seat_count || needed >= most) return needed;
    rk_u32 memory = most - needed < RK_EXPRESS_MEMORY ? most - needed : RK_EXPRESS_MEMORY;
    return needed + rk_express_room_for(kernel->seats[0].shard, r->threads, memory).bytes;
}

/* With as much memory for each block as its turns can use; where so many blocks don't fit like that, with what they
 * need. */
static rk_status fit(rk_cuda_runtime *cuda, rk_residence *r, int stays)
{
    const rk_u32 needed = memory_of(cuda, r, 0);
    r->shared = memory_of(cuda, r, stays);
    rk_status status = check_fit(cuda, r);
    if (status != RK_LIMIT || r->shared == needed) return status;
    rk_error_begin();
    r->shared = needed;
    return check_fit(cuda, r);
}

static void prepare_orders(rk_cuda_runtime *cuda, const rk_host_kernel *kernel)
{
    const rk_runtime_options *o = &kernel->runtime->options;
    rk_cuda_tell_clock(cuda, kernel);
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_orders *orders = kernel->seats[s].orders;
        orders->heartbeat = o->single_step || o->slices ? 0 : __atomic_load_n(&cuda->beat, __ATOMIC_RELAXED);
        rk_atomic_set_u32(&orders->leave, 0);
    }
}

/* The headers and shards of a kernel that is served from here on, as they go up. */
static rk_rows make_own(const rk_host_kernel *kernel)
{
    const rk_layout *l = &kernel->layout;
    for (rk_u32 s = 0; s < kernel->seat_count; s++) rk_twin_make(&kernel->seats[s]);
    return (rk_rows){ control_at(kernel), l->own, l->block[l->device].shard_stride, kernel->seat_count };
}

rk_status rk_cuda_renew(rk_host_kernel *kernel)
{
    rk_cuda_runtime *cuda = rk_cuda_on(kernel);
    rk_cuda_enter(cuda);
    rk_cuda_lock(cuda);
    const rk_rows own = make_own(kernel);
    rk_status status = rk_cuda_store_rows(cuda, own.offset, own.size, own.stride, own.count);
    pthread_mutex_unlock(&cuda->copying);
    rk_cuda_exit(cuda);
    return status;
}

/* Making a stream takes as long as a launch: one of each priority is kept. */
static void give_stream(rk_cuda_runtime *cuda, rk_residence *r)
{
    rk_cu_stream *spare = &cuda->spare[r->kernel->options.stream_priority];
    if (!r->stream || rk_atomic_u32(&cuda->lost)) return;
    if (*spare)
        cuda->api.cuStreamDestroy(r->stream);
    else
        *spare = r->stream;
    r->stream = 0;
}

static void drop(rk_cuda_runtime *cuda, rk_host_kernel *kernel)
{
    rk_residence *r = cuda->residence[kernel->number];
    if (!r) return;
    cuda->residence[kernel->number] = 0;
    cuda->residents--;
    give_stream(cuda, r);
    free(r);
}

static rk_status make_stream(rk_cuda_runtime *cuda, rk_residence *r)
{
    rk_u32 wish = r->kernel->options.stream_priority;
    if (cuda->spare[wish]) {
        r->stream = cuda->spare[wish];
        cuda->spare[wish] = 0;
        return RK_OK;
    }
    int priority = wish == RK_STREAM_HIGH  ? cuda->priority_greatest
                   : wish == RK_STREAM_LOW ? cuda->priority_least
                                           : (cuda->priority_least + cuda->priority_greatest) / 2;
    int result = cuda->api.cuStreamCreateWithPriority(&r->stream, RK_CU_STREAM_NON_BLOCKING, priority);
    return result == RK_CUDA_SUCCESS ? RK_OK : rk_cuda_failed(cuda, result, "making a stream");
}

/* Its code on the device, and a launch that fits. */
static rk_status place(rk_cuda_runtime *cuda, rk_residence *r, int stays)
{
    rk_cuda_code *code = 0;
    rk_status status = rk_cuda_load_code(cuda, r->kernel->class, &r->kernel->layout, &code);
    if (status != RK_OK) return status;
    rk_cuda_lock(cuda);
    r->code = code;
    r->function = code->function;
    r->threads = rk_cuda_threads(r->kernel->class, &r->kernel->layout, rk_atomic_u32(&cuda->dense));
    status = fit(cuda, r, stays);
    pthread_mutex_unlock(&cuda->copying);
    return status;
}

/* Those that stay run as code of which two blocks share a multiprocessor, from their next launch on. RK_OK: each fits like
 * that. */
static rk_status make_dense(rk_cuda_runtime *cuda, rk_residence *r)
{
    rk_cuda_code *code;
    rk_status status = rk_cuda_compile(cuda, r->kernel->class, &r->kernel->layout, &code);
    if (status != RK_OK) return status;
    rk_residence dense = *r;
    dense.code = code;
    dense.function = code->function;
    dense.threads = rk_cuda_threads(r->kernel->class, &r->kernel->layout, 1);
    dense.shared = memory_of(cuda, &dense, r->shared > memory_of(cuda, r, 0));
    status = ask_occupancy(cuda, &dense);
    if (status == RK_OK && code->per_processor == 0)
        status = rk_error(RK_LIMIT, "'%s': two of its blocks don't share a multiprocessor", r->kernel->id);
    if (status != RK_OK) return status;
    r->code = code;
    r->function = dense.function;
    r->threads = dense.threads;
    r->shared = dense.shared;
    r->per_processor = code->per_processor;
    return RK_OK;
}

/* From now on two blocks share a multiprocessor where they can, and those that stay do so too. All code is there before
 * any of them leaves for it: what was refused on the way has changed nothing. */
static rk_status crowd(rk_cuda_runtime *cuda)
{
    const rk_u32 count = rk_atomic_u32(&cuda->runtime->kernel_count);
    rk_status status = RK_OK;
    rk_atomic_set_u32(&cuda->dense, 1);
    for (rk_u32 n = 1; n <= count && status == RK_OK; n++) {
        const rk_residence *r = cuda->residence[n];
        rk_cuda_code *code;
        if (r) status = rk_cuda_load_code(cuda, r->kernel->class, &r->kernel->layout, &code);
    }
    if (status != RK_OK) {
        rk_atomic_set_u32(&cuda->dense, 0);
        return status;
    }
    status = rk_cuda_clear_device(cuda); /* what they run is still the old code */
    if (status == RK_OK) {
        rk_cuda_lock(cuda);
        for (rk_u32 n = 1; n <= count && status == RK_OK; n++)
            if (cuda->residence[n]) status = make_dense(cuda, cuda->residence[n]);
        pthread_mutex_unlock(&cuda->copying);
    } else {
        rk_atomic_set_u32(&cuda->dense, 0);
    }
    rk_status resumed = rk_cuda_resume_device(cuda);
    return status == RK_OK ? resumed : status;
}

rk_status rk_cuda_serve(rk_runtime *runtime, rk_host_kernel *kernel)
{
    rk_cuda_runtime *cuda = rk_cuda_on(kernel);
    int stays = !runtime->options.single_step && !runtime->options.slices;
    if (rk_atomic_u32(&cuda->lost)) return rk_error(RK_DEVICE_LOST, "the device is lost");
    rk_residence *r = calloc(1, sizeof *r + kernel->seat_count * sizeof *r->progress);
    if (!r) return rk_error(RK_OUT_OF_MEMORY, "no memory to serve '%s'", kernel->id);
    rk_cuda_enter(cuda);
    r->kernel = kernel;
    r->served_ns = rk_monotonic_ns();
    r->blocks = kernel->options.blocks < kernel->seat_count ? kernel->options.blocks : kernel->seat_count;
    rk_status status = place(cuda, r, stays);
    if (status == RK_LIMIT && !rk_atomic_u32(&cuda->dense) && !cuda->stuck) {
        rk_error_begin();
        status = crowd(cuda);
        if (status == RK_OK) status = place(cuda, r, stays);
    }
    rk_cuda_lock(cuda);
    if (status == RK_OK) status = make_stream(cuda, r);
    if (status == RK_OK) {
        prepare_orders(cuda, kernel);
        status = rk_cuda_store_ahead(cuda, make_own(kernel), r->stream);
    }
    if (status == RK_OK) {
        cuda->residence[kernel->number] = r;
        cuda->residents++;
        if (stays) status = rk_cuda_launch(cuda, r, 0, kernel->seat_count, 0);
        if (status != RK_OK) drop(cuda, kernel);
    } else {
        give_stream(cuda, r);
        free(r);
    }
    pthread_mutex_unlock(&cuda->copying);
    rk_cuda_exit(cuda);
    if (status == RK_OK && runtime->options.slices) rk_cuda_ring(kernel->seats);
    return status;
}

/* ------------------------------------------------------------------ leaving */

#define SLICE_PATIENCE_NS RK_MILLISECONDS(100)

/* In slices a kernel has one before it leaves: whoever looks at it again and again would never let it get on. */
static int is_owed_a_slice(rk_cuda_runtime *cuda, const rk_residence *r)
{
    if (!cuda->runtime->options.slices || rk_atomic_u32(&r->slices) || !rk_slices_wanted(r->kernel) ||
        rk_atomic_u32(&cuda->lost) || rk_monotonic_ns() - r->served_ns >= SLICE_PATIENCE_NS)
        return 0;
    rk_cuda_ring(r->kernel->seats);
    return 1;
}

int rk_cuda_goes(rk_runtime *runtime, rk_host_kernel *kernel)
{
    (void)runtime;
    rk_cuda_runtime *cuda = rk_cuda_on(kernel);
    const rk_residence *r = cuda->residence[kernel->number];
    if (!r || rk_atomic_u32(&cuda->lost)) return 0;
    if (is_owed_a_slice(cuda, r)) return 1;
    rk_resident_order(kernel, RK_LEAVE_NOW);
    rk_cuda_enter(cuda);
    const int result = cuda->api.cuStreamQuery(r->stream);
    rk_cuda_exit(cuda);
    return result == RK_CUDA_ERROR_NOT_READY;
}

/* If a part has left, the keeper has the others follow. */
void rk_cuda_stays(rk_runtime *runtime, rk_host_kernel *kernel)
{
    (void)runtime;
    rk_resident_order(kernel, 0);
}

/* Returns with the copying lock: the keeper may have been about to launch it once more. models/follow.pml has that. */
static rk_status await_end(rk_cuda_runtime *cuda, const rk_residence *r, rk_u64 deadline_ns)
{
    for (;;) {
        rk_cuda_lock(cuda);
        const rk_status status = rk_cuda_await(cuda, r->stream, 0);
        if (status != RK_TIMED_OUT || rk_monotonic_ns() >= deadline_ns) return status;
        pthread_mutex_unlock(&cuda->copying);
        (void)rk_cuda_await(cuda, r->stream, deadline_ns);
    }
}

rk_status rk_cuda_leave(rk_runtime *runtime, rk_host_kernel *kernel, rk_u64 deadline_ns)
{
    rk_cuda_runtime *cuda = rk_cuda_on(kernel);
    rk_residence *r = cuda->residence[kernel->number];
    if (!r || rk_atomic_u32(&cuda->lost)) {
        rk_cuda_lock(cuda);
        drop(cuda, kernel);
        pthread_mutex_unlock(&cuda->copying);
        if (rk_atomic_u32(&cuda->lost)) rk_cuda_tell_failure(kernel, rk_kernel_incarnation(kernel));
        return RK_OK;
    }
    while (is_owed_a_slice(cuda, r) && rk_monotonic_ns() < deadline_ns) sched_yield();
    rk_cuda_enter(cuda);
    rk_resident_order(kernel, RK_LEAVE_NOW);
    rk_status status = await_end(cuda, r, deadline_ns);
    if (status == RK_TIMED_OUT) {
        rk_cuda_stays(runtime, kernel);
    } else {
        rk_atomic_set_u32(&r->launched, 0);
        if (status == RK_OK) status = rk_cuda_gather(cuda, kernel);
        drop(cuda, kernel);
    }
    pthread_mutex_unlock(&cuda->copying);
    rk_cuda_exit(cuda);
    if (status == RK_TIMED_OUT) return status;
    if (status == RK_DEVICE_LOST)
        rk_cuda_tell_failure(kernel, rk_kernel_incarnation(kernel)); /* the keeper finds it no more */
    else if (status != RK_OK)
        rk_kernel_failed(kernel, "it was stopped, and what it did could not be copied from the device");
    return RK_OK; /* nothing runs there any more */
}

/* A handler that never returns: nothing ends it but the end of the process. It is told to let nothing out. */
void rk_cuda_abandon(rk_runtime *runtime, rk_host_kernel *kernel)
{
    (void)runtime;
    rk_cuda_runtime *cuda = rk_cuda_on(kernel);
    rk_resident_order(kernel, RK_LEAVE_NOW);
    rk_cuda_lock(cuda);
    rk_residence *r = cuda->residence[kernel->number];
    if (r) {
        cuda->residence[kernel->number] = 0; /* its stream and its blocks stay in use */
        cuda->stuck += (r->blocks * 1024ull + r->per_processor - 1) / r->per_processor;
        free(r);
    }
    pthread_mutex_unlock(&cuda->copying);
}

/* ------------------------------------------------------------------ one after the other */

rk_u32 rk_cuda_step(rk_seat *seat)
{
    rk_host_kernel *kernel = seat->owner;
    rk_cuda_runtime *cuda = rk_cuda_on(kernel);
    rk_u32 visit = RK_VISIT_FAILED;
    rk_cuda_enter(cuda);
    rk_cuda_lock(cuda);
    rk_residence *r = cuda->residence[kernel->number];
    if (r && !rk_atomic_u32(&cuda->lost)) {
        prepare_orders(cuda, kernel);
        rk_status status = rk_cuda_launch(cuda, r, seat->number, 1, 1);
        if (status == RK_OK) status = rk_cuda_await(cuda, r->stream, rk_monotonic_ns() + RK_CUDA_PATIENCE);
        rk_atomic_set_u32(&r->launched, 0);
        if (status == RK_OK) status = rk_cuda_gather(cuda, kernel);
        if (status == RK_OK) visit = rk_atomic_u32(&seat->orders->visit);
    }
    pthread_mutex_unlock(&cuda->copying);
    rk_cuda_exit(cuda);
    if (visit == RK_VISIT_FAILED) rk_cuda_tell_failure(kernel, rk_kernel_incarnation(kernel));
    return visit;
}

/* ------------------------------------------------------------------ a device without residents */

/* Wait until it has left, with the copying lock then. Not for one that hangs: all others stand still meanwhile. One that
 * is stalled may wait for room, and leaves. */
static rk_status await_leaving(rk_cuda_runtime *cuda, const rk_residence *r)
{
    const rk_u64 begun_ns = rk_monotonic_ns();
    for (;;) {
        const rk_status status = await_end(cuda, r, rk_monotonic_ns() + RK_MILLISECONDS(1));
        const rk_u64 passed_ns = rk_monotonic_ns() - begun_ns;
        if (status != RK_TIMED_OUT || passed_ns >= RK_CUDA_PATIENCE ||
            (passed_ns >= RK_LAST_CALL_NS && rk_atomic_u32(&r->kernel->hung)))
            return status;
        pthread_mutex_unlock(&cuda->copying);
    }
}

/* Those of one place that are told to. */
static rk_status clear_place(rk_cuda_runtime *cuda)
{
    rk_status status = RK_OK;
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count) && status == RK_OK; n++) {
        rk_residence *r = cuda->residence[n];
        if (!r || !rk_atomic_u32(&r->launched) ||
            rk_atomic_u32(&r->kernel->seats[0].orders->leave) != RK_LEAVE_NOW)
            continue;
        status = await_leaving(cuda, r);
        if (status == RK_OK) rk_atomic_set_u32(&r->launched, 0);
        pthread_mutex_unlock(&cuda->copying);
        if (status == RK_TIMED_OUT)
            rk_error(
                status,
                "code for a kernel can't be loaded: '%s' does not leave the device, a handler is running",
                r->kernel->id);
    }
    return status;
}

static rk_status clear(rk_cuda_runtime *cuda, int hung)
{
    const rk_cuda_devices *all = cuda->all;
    rk_status status = RK_OK;
    for (rk_u32 d = rk_cuda_same(cuda, 0); d < all->count; d = rk_cuda_same(cuda, d + 1))
        for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count); n++) {
            const rk_residence *r = all->at[d]->residence[n];
            if (r && (!hung || rk_atomic_u32(&r->kernel->hung))) rk_resident_order(r->kernel, RK_LEAVE_NOW);
        }
    for (rk_u32 d = rk_cuda_same(cuda, 0); d < all->count && status == RK_OK; d = rk_cuda_same(cuda, d + 1))
        status = clear_place(all->at[d]);
    return status;
}

/* First those that may never leave: then nobody else was disturbed for it. */
rk_status rk_cuda_clear_device(rk_cuda_runtime *cuda)
{
    const rk_status status = clear(cuda, 1);
    return status == RK_OK ? clear(cuda, 0) : status;
}

/* Under the copying lock: the keeper would find launched what is not on the device yet, and launch it too. */
static rk_status resume_place(rk_cuda_runtime *cuda)
{
    rk_status status = RK_OK;
    int stays = !cuda->runtime->options.single_step && !cuda->runtime->options.slices;
    rk_cuda_lock(cuda);
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count); n++) {
        rk_residence *r = cuda->residence[n];
        if (!r) continue;
        rk_resident_order(r->kernel, 0);
        if (!stays || rk_atomic_u32(&r->launched)) continue;
        const rk_status launched = rk_cuda_launch(cuda, r, 0, r->kernel->seat_count, 0);
        if (launched != RK_OK) status = launched; /* the keeper tries it again */
    }
    pthread_mutex_unlock(&cuda->copying);
    return status;
}

rk_status rk_cuda_resume_device(rk_cuda_runtime *cuda)
{
    rk_status status = RK_OK;
    for (rk_u32 d = rk_cuda_same(cuda, 0); d < cuda->all->count; d = rk_cuda_same(cuda, d + 1)) {
        const rk_status resumed = resume_place(cuda->all->at[d]);
        if (resumed != RK_OK) status = resumed;
    }
    return status;
}
