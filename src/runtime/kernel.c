/* Launch, activate, deactivate, terminate: the life of a kernel. */
#include "kernel.h"

#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "dead_letters.h"
#include "futex.h"
#include "guard.h"
#include "lane_home.h"
#include "module.h"
#include "parameter.h"
#include "pause.h"
#include "report.h"
#include "service.h"
#include "under_way.h"
#include "wiring.h"

/* ------------------------------------------------------------------ handles and the table */

rk_status rk_kernel_check(rk_runtime *runtime, rk_kernel handle, rk_host_kernel **kernel)
{
    rk_host_kernel *k = handle.number == 0 || handle.number > RK_KERNELS_MAX
                            ? 0
                            : __atomic_load_n(&runtime->kernels[handle.number], __ATOMIC_ACQUIRE);
    if (!k || handle.generation == 0 || handle.generation > __atomic_load_n(&k->generation, __ATOMIC_ACQUIRE))
        return rk_error(RK_NO_SUCH_KERNEL, "kernel handle %u.%u: there is no such kernel", handle.number,
                        handle.generation);
    if (__atomic_load_n(&k->generation, __ATOMIC_ACQUIRE) != handle.generation)
        return rk_error(RK_STALE, "kernel handle %u.%u: that kernel is gone; find it by its id",
                        handle.number, handle.generation);
    *kernel = k;
    return RK_OK;
}

int rk_kernel_is_live(const rk_host_kernel *k)
{
    rk_u32 life = rk_atomic_u32(&k->life);
    return life != 0 && life != RK_LIFE_TERMINATED && life != RK_LIFE_QUARANTINED;
}

rk_host_kernel *rk_kernel_find_live(rk_runtime *runtime, const char *id)
{
    for (rk_u32 n = 1; n <= rk_atomic_u32(&runtime->kernel_count); n++)
        if (rk_kernel_is_live(runtime->kernels[n]) && strcmp(runtime->kernels[n]->id, id) == 0)
            return runtime->kernels[n];
    return 0;
}

/* A free entry of the table; a quarantined one is never used again, nor one that has ended and whose memory is kept. */
static rk_host_kernel *take_number(rk_runtime *runtime)
{
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        rk_host_kernel *k = runtime->kernels[n];
        const rk_u32 life = rk_atomic_u32(&k->life);
        if ((life == 0 || life == RK_LIFE_TERMINATED) && !k->seats) return k;
    }
    if (runtime->kernel_count == RK_KERNELS_MAX) return 0;
    rk_host_kernel *k = calloc(1, sizeof *k);
    if (!k) return 0;
    k->runtime = runtime;
    k->number = runtime->kernel_count + 1;
    pthread_mutex_init(&k->letters, 0);
    __atomic_store_n(&runtime->kernels[k->number], k, __ATOMIC_RELEASE);
    rk_atomic_set_u32(&runtime->kernel_count, k->number);
    return k;
}

void rk_kernel_free(rk_host_kernel *kernel)
{
    rk_letters_clear(kernel);
    free(kernel->seats);
    pthread_mutex_destroy(&kernel->letters);
    free(kernel);
}

/* ------------------------------------------------------------------ placing */

static void give_blocks(rk_runtime *runtime, rk_layout *l)
{
    for (rk_u32 near = 0; near <= l->device; near++) {
        if (l->block[near].base) rk_arena_give(&runtime->arena, l->block[near].base);
        l->block[near].base = 0;
    }
}

/* The blocks of a launch, or none of them. */
static int take_blocks(rk_runtime *runtime, rk_layout *l)
{
    for (rk_u32 near = 0; near <= l->device; near++) {
        l->block[near].base =
            rk_arena_take(&runtime->arena, near ? RK_NEAR_DEVICE + l->place : near, l->block[near].size);
        if (l->block[near].base) continue;
        give_blocks(runtime, l);
        return 0;
    }
    return 1;
}

static rk_status no_memory(const rk_host_kernel *kernel)
{
    const rk_layout *l = &kernel->layout;
    const rk_arena *arena = &kernel->runtime->arena;
    const rk_u64 left = arena->ceiling - arena->taken;
    rk_status status =
        rk_error(RK_OUT_OF_MEMORY,
                 "'%s' needs %llu bytes (inbox %llu, output %llu, reports %llu, windows %llu, state "
                 "%llu, staging %llu, control %llu, "
                 "pools %llu); %llu of %llu are left: lower queue_capacity, shards or actors, or "
                 "raise memory_ceiling",
                 kernel->id, (unsigned long long)l->parts.total, (unsigned long long)l->parts.inbox_slots,
                 (unsigned long long)l->parts.output_slots, (unsigned long long)l->parts.report_slots,
                 (unsigned long long)l->parts.windows, (unsigned long long)l->parts.state,
                 (unsigned long long)l->parts.staging, (unsigned long long)l->parts.control,
                 (unsigned long long)l->parts.pools, (unsigned long long)left,
                 (unsigned long long)(arena->ceiling - kernel->runtime->tables));
    if (l->device && l->parts.total <= left)
        rk_error_detail("%llu bytes of it lie where host and device both reach them, where %llu are left in "
                        "one piece, and %llu in the device's own memory, where %llu are",
                        (unsigned long long)l->block[RK_NEAR_HOST].size,
                        (unsigned long long)rk_arena_largest(arena, RK_NEAR_HOST),
                        (unsigned long long)l->block[RK_NEAR_DEVICE].size,
                        (unsigned long long)rk_arena_largest(arena, RK_NEAR_DEVICE + l->place));
    return status;
}

rk_status rk_kernel_place(rk_host_kernel *kernel)
{
    rk_runtime *runtime = kernel->runtime;
    rk_layout *l = &kernel->layout;
    rk_seat *seats = aligned_alloc(RK_LINE, kernel->options.shards * sizeof *seats);
    if (seats) memset(seats, 0, kernel->options.shards * sizeof *seats);
    rk_pools_sweep(runtime);
    /* The routes' tables are made later: for them, too, there is room, or all is refused here. */
    int placed =
        seats && l->parts.total <= runtime->arena.ceiling - runtime->arena.taken && take_blocks(runtime, l);
    if (placed) rk_layout_place(kernel);
    if (placed && !rk_pools_make(kernel)) {
        give_blocks(runtime, l);
        placed = 0;
    }
    if (!placed) {
        free(seats);
        return no_memory(kernel);
    }
    for (rk_u32 s = 0; s < kernel->options.shards; s++) {
        rk_seat *seat = &seats[s];
        seat->owner = kernel;
        seat->number = s;
        seat->shard = (rk_shard *)(runtime->arena.base + rk_layout_part(l, RK_NEAR_DEVICE, s));
        seat->orders = (rk_orders *)(runtime->arena.base + seat->shard->orders);
        for (rk_u32 w = 0; w < RK_LANES; w++) seat->lane[w] = rk_layout_lane(l, w, s);
        pthread_mutex_init(&seat->report, 0);
        rk_lane_ring(rk_seat_lane(seat, RK_LANE_REPORT), runtime->arena.base, 0)->asleep =
            1; /* the service thread sleeps */
    }
    rk_seats_lock(runtime);
    kernel->seats = seats;
    kernel->seat_count = kernel->options.shards;
    rk_seats_unlock(runtime);
    return RK_OK;
}

rk_status rk_kernel_store(const rk_host_kernel *kernel)
{
    const rk_layout_block *block = &kernel->layout.block[kernel->layout.device];
    rk_status status = rk_store(kernel->runtime, block->base, block->size);
    if (status == RK_OK && kernel->far_lanes) status = rk_lane_home_store(kernel);
    const rk_backend *backend = kernel->runtime->backend;
    return status == RK_OK && backend->renew ? backend->renew((rk_host_kernel *)kernel) : status;
}

rk_status rk_kernel_store_later(rk_host_kernel *kernel)
{
    const rk_status status = rk_kernel_store(kernel);
    kernel->unstored &= ~RK_UNSTORED_BLOCK;
    if (status == RK_OK || status == RK_DEVICE_LOST) return status;
    kernel->unstored |= RK_UNSTORED_BLOCK;
    return RK_OK;
}

rk_status rk_kernel_fetch(rk_host_kernel *kernel)
{
    const rk_layout_block *own = &kernel->layout.block[kernel->layout.device];
    return kernel->unstored & RK_UNSTORED_BLOCK ? RK_OK : rk_fetch(kernel->runtime, own->base, own->size);
}

rk_status rk_kernel_fetch_wiring(rk_host_kernel *kernel)
{
    if (!kernel->wiring || kernel->unstored & RK_UNSTORED_WIRING) return RK_OK;
    return rk_fetch(kernel->runtime, kernel->wiring, kernel->wiring_size);
}

void rk_kernel_unplace(rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++) pthread_mutex_destroy(&kernel->seats[s].report);
    rk_seats_lock(kernel->runtime);
    free(kernel->seats);
    kernel->seats = 0;
    kernel->seat_count = 0;
    rk_seats_unlock(kernel->runtime);
    rk_pools_leave(kernel);
    rk_lane_home_leave(kernel);
    give_blocks(kernel->runtime, &kernel->layout);
}

/* ------------------------------------------------------------------ launch */

static int is_blank(const char *id)
{
    while (isspace((unsigned char)*id)) id++;
    return *id == 0;
}

static rk_status check_place(const rk_runtime *runtime, const rk_host_kernel *again, const char *name,
                             const rk_launch_options *options)
{
    const rk_u32 device = options->device;
    if (device == RK_FROM_KERNEL || device < runtime->device_count) return RK_OK;
    if (device != RK_BESIDE_NEIGHBOUR)
        return rk_error(RK_INVALID_OPTIONS, "device %u: the runtime has %u, from 0 on", device,
                        runtime->device_count);
    if (again) return RK_OK;
    return rk_error(
        RK_INVALID_OPTIONS,
        "device RK_BESIDE_NEIGHBOUR: '%s' is being launched and has no neighbours yet: connect it, "
        "then rk_relaunch it with that",
        name);
}

static rk_status no_such_kernel(const rk_runtime *runtime, const char *name)
{
    char names[512];
    rk_class_names(runtime, names, sizeof names);
    return rk_error(RK_NO_SUCH_KERNEL, "there is no kernel '%s'; linked or loaded are: %s", name, names);
}

rk_status rk_kernel_plan(rk_runtime *runtime, const rk_host_kernel *again, const char *name,
                         rk_launch_options *options, const rk_class **class, rk_layout *layout)
{
    *class = rk_class_find(runtime, name);
    if (*class) rk_layout_defaults(*class, options);
    rk_status status = rk_validate_launch(options);
    status = rk_error_also(status, check_place(runtime, again, name, options));
    if (!*class) return rk_error_also(no_such_kernel(runtime, name), status);
    const rk_status found[] = {
        rk_layout_check(*class, options),
        runtime->backend->check(runtime, *class, options),
        rk_parameters_check(*class, options->parameters, options->parameter_count),
    };
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) status = rk_error_also(status, found[i]);
    if (status != RK_OK) return status;
    rk_layout_plan(*class, options, (runtime->arena.device_from ? RK_LAYOUT_DEVICE : 0) | runtime->traits,
                   runtime->chosen, layout);
    layout->place = options->device;
    if (options->device == RK_FROM_KERNEL || options->device == RK_BESIDE_NEIGHBOUR)
        layout->place = runtime->backend->choose ? runtime->backend->choose(runtime) : 0;
    return RK_OK;
}

/* The options as given, in a structure of this version. */
static rk_status take_options(const rk_launch_options *given, rk_launch_options *options)
{
    *options = rk_production();
    if (!given) return RK_OK;
    rk_status status = rk_check_size(given, sizeof *options, "launch options");
    if (status == RK_OK)
        memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    options->size = sizeof *options;
    return status;
}

rk_status rk_kernel_launch(rk_runtime *runtime, const char *id, rk_launch_options *options, rk_kernel *handle)
{
    rk_layout layout;
    const rk_class *class;
    rk_modules_linked(runtime);
    rk_status status = rk_kernel_find_live(runtime, id)
                           ? rk_error(RK_IN_USE, "launch of '%s' refused: a live kernel has this id", id)
                           : RK_OK;
    status =
        rk_error_also(status, rk_kernel_plan(runtime, 0, options->kernel_name ? options->kernel_name : id,
                                             options, &class, &layout));
    if (status == RK_OK) status = rk_prepare(runtime, class, &layout);
    if (status != RK_OK) return status;
    rk_host_kernel *k = take_number(runtime);
    if (!k)
        return rk_error(RK_LIMIT, "launch of '%s' refused: %u kernels are alive, or there is no memory", id,
                        runtime->kernel_count);

    pthread_mutex_lock(&runtime->list); /* of who looks for an id without the control lock */
    snprintf(k->id, sizeof k->id, "%s", id);
    pthread_mutex_unlock(&runtime->list);
    k->class = class;
    k->options = *options;
    k->options.kernel_name = class->name;
    k->options.parameters = 0;
    k->options.parameter_count = 0;
    k->layout = layout;
    k->lives++;
    status = rk_kernel_place(k);
    if (status != RK_OK) {
        k->lives--;
        return status;
    }
    rk_parameters_begin(k, 0);
    rk_parameters_set(k, options->parameters, options->parameter_count);
    k->connection_count = 0;
    k->epoch = 1;
    k->stalled = k->hung = 0;
    k->serving = 0;
    k->unstored = 0;
    k->activated_ns = 0;
    k->failure[0] = 0;
    k->late_replies = k->duplicate_replies = 0;
    k->output_received = 0;
    rk_letters_clear(k);
    status = rk_wiring_make_alone(k);
    if (status == RK_OK) status = rk_kernel_store(k);
    if (status != RK_OK) {
        rk_kernel_unplace(k);
        return status;
    }
    rk_atomic_set_u32(&k->closed, RK_OK);
    rk_atomic_set_u32(&k->gate, 1);
    pthread_mutex_lock(&runtime->list); /* together */
    rk_atomic_set_u32(&k->life, RK_LIFE_LAUNCHED);
    rk_atomic_set_u32(&k->generation, k->generation + 1);
    pthread_mutex_unlock(&runtime->list);
    handle->number = k->number;
    handle->generation = k->generation;
    return RK_OK;
}

rk_status rk_prepare(rk_runtime *runtime, const rk_class *class, const rk_layout *layout)
{
    return runtime->backend->prepare ? runtime->backend->prepare(runtime, class, layout) : RK_OK;
}

/* What takes its time, such as compiling, without the control lock. A launch that will be refused needs none of it, and is
 * refused in its turn, with all that is wrong. */
static rk_status prepare_launch(rk_runtime *runtime, const char *id, rk_launch_options options)
{
    rk_layout layout;
    const rk_class *class;
    if (!runtime->backend->prepare) return RK_OK;
    pthread_mutex_lock(&runtime->control);
    rk_modules_linked(runtime);
    const int refused = rk_kernel_find_live(runtime, id) ||
                        rk_kernel_plan(runtime, 0, options.kernel_name ? options.kernel_name : id, &options,
                                       &class, &layout) != RK_OK;
    pthread_mutex_unlock(&runtime->control);
    if (!refused) return rk_prepare(runtime, class, &layout);
    rk_error_begin();
    return RK_OK;
}

rk_status rk_launch(rk_runtime *runtime, const char *id, const rk_launch_options *given, rk_kernel *kernel)
{
    rk_launch_options options;
    rk_status status = rk_runtime_check(runtime, "rk_launch");
    if (status != RK_OK) return status;
    if (!kernel) return rk_error(RK_INVALID_ARGUMENT, "rk_launch: kernel is null");
    *kernel = (rk_kernel){ 0, 0 };
    if (!id || is_blank(id) || strlen(id) > 63)
        status = rk_error(RK_INVALID_ID, "rk_launch: the id is null, blank or over 63 characters");
    const rk_status taken = take_options(given, &options);
    if (status != RK_OK && taken == RK_OK) return rk_error_also(status, rk_validate_launch(&options));
    status = rk_error_also(status, taken);
    if (status != RK_OK) return status;
    rk_under_way me;
    status = rk_under_way_begin(&me, runtime, "rk_launch");
    if (status != RK_OK) return status;
    status = prepare_launch(runtime, id, options);
    if (status == RK_OK) {
        pthread_mutex_lock(&runtime->control);
        status = rk_runtime_check(runtime, "rk_launch"); /* still open? */
        if (status == RK_OK) status = rk_kernel_launch(runtime, id, &options, kernel);
        pthread_mutex_unlock(&runtime->control);
    }
    rk_under_way_end(&me);
    if (status != RK_OK) rk_error_detail("launch of '%s' refused: %s", id, rk_status_name(status));
    return status;
}

rk_status rk_estimate(rk_runtime *runtime, const char *id, const rk_launch_options *given,
                      rk_memory_estimate *estimate)
{
    rk_launch_options options;
    rk_layout layout;
    const rk_class *class;
    rk_status status = rk_runtime_check(runtime, "rk_estimate");
    if (status != RK_OK) return status;
    if (!id || !estimate) return rk_error(RK_INVALID_ARGUMENT, "rk_estimate: id or estimate is null");
    status = take_options(given, &options);
    if (status != RK_OK) return status;
    pthread_mutex_lock(&runtime->control);
    status =
        rk_kernel_plan(runtime, 0, options.kernel_name ? options.kernel_name : id, &options, &class, &layout);
    pthread_mutex_unlock(&runtime->control);
    if (status == RK_OK) *estimate = layout.parts;
    return status;
}

/* ------------------------------------------------------------------ serving */

static const char device_lost[] = "the device is lost, with all that was on it";

/* What could not be copied to the device when it should have been. */
static rk_status store_rest(rk_host_kernel *kernel)
{
    rk_status status = RK_OK;
    if (kernel->unstored & RK_UNSTORED_WIRING) status = rk_wiring_store(kernel);
    if (status == RK_OK && kernel->unstored & RK_UNSTORED_BLOCK) status = rk_kernel_store(kernel);
    if (status == RK_OK) kernel->unstored = 0;
    return status;
}

static rk_status serve(rk_host_kernel *kernel)
{
    if (kernel->serving) return RK_OK;
    rk_status status = store_rest(kernel);
    if (status == RK_OK) status = kernel->runtime->backend->serve(kernel->runtime, kernel);
    if (status == RK_OK) kernel->serving = 1;
    return status;
}

rk_status rk_kernel_serve(rk_host_kernel *kernel)
{
    char why[128];
    const rk_status status = serve(kernel);
    const rk_u32 life = rk_atomic_u32(&kernel->life);
    if (status == RK_OK || (life != RK_LIFE_ACTIVE && life != RK_LIFE_DRAINING)) return status;
    snprintf(why, sizeof why, "it was stopped for a change, and could not be served again: %s",
             rk_status_name(status));
    rk_kernel_failed(kernel, status == RK_DEVICE_LOST ? device_lost : why);
    return status;
}

/* On a device a shard may have failed in its last turn, and nobody has looked since. */
static void look_for_failure(rk_host_kernel *kernel)
{
    rk_u32 life = rk_atomic_u32(&kernel->life);
    if (life != RK_LIFE_ACTIVE && life != RK_LIFE_DRAINING) return;
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        if (__atomic_load_n(&kernel->seats[s].orders->phase, __ATOMIC_ACQUIRE) == RK_PHASE_FAILED) {
            rk_kernel_failed(kernel, "stopped between publishing and committing a batch");
            return;
        }
}

rk_status rk_kernel_leave(rk_host_kernel *kernel, rk_u64 deadline_ns)
{
    if (!kernel->serving) return RK_OK;
    rk_status status = kernel->runtime->backend->leave(kernel->runtime, kernel, deadline_ns);
    if (status != RK_OK) return status;
    kernel->serving = 0;
    look_for_failure(kernel);
    return RK_OK;
}

rk_status rk_kernel_halt(rk_host_kernel *kernel)
{
    if (rk_kernel_leave(kernel, rk_monotonic_ns() + RK_LEAVE_NS) == RK_OK) return RK_OK;
    return rk_error(RK_TIMED_OUT, "'%s' did not reach a batch boundary: a handler is still running",
                    kernel->id);
}

rk_status rk_kernel_activate(rk_host_kernel *k)
{
    rk_u32 was = rk_atomic_u32(&k->life);
    switch (was) {
    case RK_LIFE_ACTIVE: return rk_error(RK_ALREADY_ACTIVE, "'%s' is active already", k->id);
    case RK_LIFE_FAILED:
        return rk_error(RK_FAILED, "'%s' has failed: %s; launch it again with rk_relaunch, or terminate it",
                        k->id, k->failure);
    case RK_LIFE_LAUNCHED:
    case RK_LIFE_INACTIVE: break;
    default: return rk_error(RK_CLOSED, "'%s' is %s", k->id, rk_life_name(was));
    }
    rk_service_watch(k->runtime, k->options.handler_limit_ns);
    rk_atomic_set_u32(&k->life, RK_LIFE_ACTIVE); /* before it is served: it may fail at once */
    rk_status status = serve(k);
    if (status == RK_DEVICE_LOST) rk_kernel_failed(k, device_lost);
    if (status != RK_OK) {
        rk_u32 life = RK_LIFE_ACTIVE; /* if it hasn't failed */
        __atomic_compare_exchange_n(&k->life, &life, was, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
        return status;
    }
    if (!k->activated_ns) __atomic_store_n(&k->activated_ns, rk_runtime_now(k->runtime), __ATOMIC_RELAXED);
    return RK_OK;
}

static rk_status not_active(const rk_host_kernel *k)
{
    return rk_error(RK_NOT_ACTIVE, "'%s' is %s", k->id, rk_life_name(rk_atomic_u32(&k->life)));
}

rk_status rk_kernel_deactivate(rk_host_kernel *k)
{
    const rk_kernel handle = { k->number, k->generation };
    const rk_u64 limit = k->runtime->options.stall_limit_ns,
                 deadline_ns = rk_deadline_after(rk_monotonic_ns(), limit);
    rk_host_kernel *same;
    if (rk_atomic_u32(&k->life) != RK_LIFE_ACTIVE) return not_active(k);
    rk_pause(k, 0, deadline_ns);
    rk_status status = rk_kernel_check(k->runtime, handle, &same); /* somebody may have ended it meanwhile */
    if (status != RK_OK) return status;
    const rk_u32 was = rk_atomic_u32(&k->life);
    if (was == RK_LIFE_ACTIVE || was == RK_LIFE_FAILED) status = rk_kernel_leave(k, deadline_ns);
    rk_unpause(k);
    if (was != RK_LIFE_ACTIVE && was != RK_LIFE_FAILED) return not_active(k);
    if (status != RK_OK)
        return rk_error(RK_TIMED_OUT,
                        "'%s' did not reach a batch boundary in %llu ms: a handler is still running", k->id,
                        (unsigned long long)(limit / 1000000));
    rk_u32 life = RK_LIFE_ACTIVE;
    if (!__atomic_compare_exchange_n(&k->life, &life, RK_LIFE_INACTIVE, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return rk_error(RK_FAILED, "'%s' failed on its way to a batch boundary: %s", k->id, k->failure);
    return RK_OK;
}

static rk_status with_kernel(rk_runtime *runtime, rk_kernel handle, const char *call,
                             rk_status (*act)(rk_host_kernel *))
{
    rk_host_kernel *k = 0;
    rk_status status = rk_runtime_check(runtime, call);
    if (status != RK_OK) return status;
    pthread_mutex_lock(&runtime->control);
    status = rk_kernel_check(runtime, handle, &k);
    if (status == RK_OK) status = act(k);
    pthread_mutex_unlock(&runtime->control);
    return status;
}

rk_status rk_activate(rk_runtime *runtime, rk_kernel kernel)
{
    return with_kernel(runtime, kernel, "rk_activate", rk_kernel_activate);
}

rk_status rk_deactivate(rk_runtime *runtime, rk_kernel kernel)
{
    return with_kernel(runtime, kernel, "rk_deactivate", rk_kernel_deactivate);
}

/* The list lock is held. `id` is where its id is kept: once that lock is let go, the entry may be another kernel's. 0: it
 * has ended, or is quarantined, and stays so. */
static int fail(rk_host_kernel *kernel, const char *text, char id[sizeof kernel->id])
{
    if (!rk_kernel_is_live(kernel)) return 0;
    memcpy(id, kernel->id, sizeof kernel->id);
    if (!kernel->failure[0]) snprintf(kernel->failure, sizeof kernel->failure, "%s", text);
    rk_atomic_set_u32(&kernel->closed, RK_FAILED);
    rk_atomic_set_u32(&kernel->life, RK_LIFE_FAILED);
    return 1;
}

static void tell_failed(rk_host_kernel *kernel, const char *id, const char *text)
{
    rk_event_raise(&kernel->out_event);
    rk_event_raise(&kernel->letter_event);
    rk_event_raise(&kernel->room_event);
    rk_event_raise(&kernel->runtime->failure_event);
    rk_runtime_log(kernel->runtime, RK_ERROR, id, 0, text);
}

void rk_kernel_failed(rk_host_kernel *kernel, const char *text)
{
    char id[sizeof kernel->id];
    pthread_mutex_lock(&kernel->runtime->list);
    const int has_failed = fail(kernel, text, id);
    pthread_mutex_unlock(&kernel->runtime->list);
    if (has_failed) tell_failed(kernel, id, text);
}

void rk_kernel_failed_in(rk_host_kernel *kernel, rk_u64 incarnation, const char *text)
{
    char id[sizeof kernel->id];
    pthread_mutex_lock(&kernel->runtime->list);
    const int is_news = rk_kernel_incarnation(kernel) == incarnation &&
                        rk_atomic_u32(&kernel->life) != RK_LIFE_FAILED && fail(kernel, text, id);
    pthread_mutex_unlock(&kernel->runtime->list);
    if (is_news) tell_failed(kernel, id, text);
}

void rk_kernel_drained(rk_host_kernel *kernel)
{
    pthread_mutex_lock(&kernel->runtime->list);
    if (rk_kernel_is_live(kernel) && rk_atomic_u32(&kernel->life) != RK_LIFE_FAILED)
        rk_atomic_set_u32(&kernel->life, RK_LIFE_DRAINED);
    pthread_mutex_unlock(&kernel->runtime->list);
    rk_event_raise(&kernel->out_event);
    rk_event_raise(&kernel->letter_event);
}

void rk_kernel_hangs(rk_host_kernel *kernel, rk_u32 hangs)
{
    if (__atomic_exchange_n(&kernel->hung, hangs, __ATOMIC_ACQ_REL) != hangs && hangs)
        rk_event_raise(&kernel->runtime->failure_event);
}

/* ------------------------------------------------------------------ the end */

rk_u64 rk_kernel_queued(const rk_host_kernel *kernel)
{
    rk_u64 queued = 0;
    rk_look(kernel);
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        for (rk_u32 w = 0; w < 2; w++)
            queued += rk_lane_depth(rk_seat_lane(&kernel->seats[s], w), kernel->runtime->arena.base);
    return queued;
}

static int is_quiet(const rk_host_kernel *kernel)
{
    if (rk_kernel_queued(kernel)) return 0;
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        if (__atomic_load_n(&kernel->seats[s].orders->phase, __ATOMIC_ACQUIRE) == RK_PHASE_PARKED) return 0;
    return 1;
}

/* Where the device has the lane, a look in between brings its word back. */
static void close_lane(const rk_seat *seat, rk_u32 which)
{
    rk_lane *lane = rk_seat_lane(seat, which);
    rk_status status;
    do {
        rk_atomic_set_u32(&lane->closed, 1);
        status = rk_store(seat->owner->runtime, seat->lane[which] + RK_OFFSET_OF(rk_lane, closed),
                          sizeof lane->closed);
    } while (status == RK_OK && !rk_atomic_u32(&lane->closed));
}

static void close_lanes(rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        for (rk_u32 w = 0; w < 2; w++) close_lane(&kernel->seats[s], w);
    kernel->runtime->backend->ring_parked(
        kernel->runtime); /* who waits for room here learns that it is closed */
}

/* What its parked shards had to send. */
static rk_u64 end_unsent(rk_host_kernel *kernel)
{
    rk_u32 parked = 0;
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        parked |= __atomic_load_n(&kernel->seats[s].orders->phase, __ATOMIC_ACQUIRE) == RK_PHASE_PARKED;
    if (!parked || rk_kernel_fetch(kernel) != RK_OK) return 0;
    return rk_reports_of_unsent(kernel, RK_CLOSED);
}

static void close_intake(rk_host_kernel *kernel)
{
    rk_atomic_set_u32(&kernel->closed, RK_CLOSED);
    close_lanes(kernel);
    rk_event_raise(&kernel->room_event);
}

/* Wait until what is queued is handled, the control lock free meanwhile; *quiet: it is. 0: somebody else has ended it. */
static int wait_until_quiet(rk_host_kernel *kernel, rk_u64 deadline_ns, int *quiet)
{
    rk_runtime *runtime = kernel->runtime;
    const rk_u32 generation = kernel->generation;
    rk_u32 epoch = kernel->epoch;
    kernel->ending++;
    while (kernel->generation == generation) {
        rk_u32 active = RK_LIFE_ACTIVE;
        __atomic_compare_exchange_n(&kernel->life, &active, RK_LIFE_DRAINING, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE);
        if (epoch != kernel->epoch) close_intake(kernel); /* it had failed, and was launched again */
        epoch = kernel->epoch;
        *quiet = is_quiet(kernel);
        if (*quiet || rk_atomic_u32(&kernel->life) != RK_LIFE_DRAINING || rk_monotonic_ns() >= deadline_ns ||
            runtime->options.single_step /* nobody would handle it */)
            break;
        rk_reports_collect(kernel);
        pthread_mutex_unlock(&runtime->control);
        sched_yield();
        pthread_mutex_lock(&runtime->control);
    }
    kernel->ending--;
    return kernel->generation == generation && rk_kernel_is_live(kernel);
}

/* While the control lock was free: quarantined, or gone, in which case the entry may be another kernel's by now. */
static rk_status ended_by_another(const rk_host_kernel *kernel, rk_u32 generation)
{
    return kernel->generation == generation && rk_atomic_u32(&kernel->life) == RK_LIFE_QUARANTINED
               ? RK_QUARANTINED
               : RK_OK;
}

rk_status rk_kernel_end(rk_host_kernel *kernel, rk_u64 deadline_ns)
{
    rk_runtime *runtime = kernel->runtime;
    if (!rk_kernel_is_live(kernel)) return RK_OK;
    rk_status status = RK_OK;
    const rk_u32 generation = kernel->generation;
    close_intake(kernel);
    const int finishes = rk_atomic_u32(&kernel->life) == RK_LIFE_ACTIVE || kernel->ending;
    if (finishes) {
        int quiet = 0;
        if (!wait_until_quiet(kernel, deadline_ns, &quiet)) return ended_by_another(kernel, generation);
        if (!quiet) status = RK_TIMED_OUT;
    }
    const rk_u64 least_ns = rk_monotonic_ns() + RK_LAST_CALL_NS;
    const rk_u64 last_ns = deadline_ns > least_ns ? deadline_ns : least_ns;
    const rk_u32 epoch = kernel->epoch; /* a relaunch before this was waited for */
    const rk_u64 pause_ns = runtime->backend->goes ? last_ns : deadline_ns;
    if (rk_monotonic_ns() < pause_ns) rk_pause(kernel, 0, pause_ns);
    if (kernel->generation != generation || !rk_kernel_is_live(kernel))
        return ended_by_another(kernel, generation);
    if (kernel->epoch != epoch)
        return rk_kernel_end(kernel, deadline_ns); /* it failed, and was launched again */
    if (rk_kernel_leave(kernel, last_ns) != RK_OK) {
        runtime->backend->abandon(runtime, kernel);
        kernel->serving = 0;
        rk_atomic_set_u32(&runtime->quarantined, runtime->quarantined + 1);
        rk_reports_collect(kernel);         /* no further letter of it comes behind its end */
        pthread_mutex_lock(&runtime->list); /* of who tells a failure: it finds this, or comes before it */
        rk_atomic_set_u32(&kernel->closed, RK_QUARANTINED);
        rk_atomic_set_u32(&kernel->life, RK_LIFE_QUARANTINED);
        snprintf(kernel->failure, sizeof kernel->failure, "a handler did not return");
        pthread_mutex_unlock(&runtime->list);
        rk_event_raise(&kernel->out_event);
        rk_event_raise(&kernel->letter_event);
        return rk_error(RK_QUARANTINED,
                        "'%s': a handler did not return in time: its memory is kept, its worker is replaced",
                        kernel->id);
    }
    rk_reports_collect(kernel);
    const rk_u64 unsent = end_unsent(kernel);
    if (finishes && unsent) status = RK_TIMED_OUT; /* by a hook that ran when nothing was queued any more */
    if (status == RK_TIMED_OUT)
        rk_error(
            status,
            "'%s' stopped, but %llu messages were not handled in time: they are counted lost; %llu that it "
            "had sent found no room: they are dead letters",
            kernel->id, (unsigned long long)rk_kernel_queued(kernel), (unsigned long long)unsent);
    rk_requests_fail(kernel);
    pthread_mutex_lock(&runtime->list); /* together */
    rk_atomic_set_u32(&kernel->life, RK_LIFE_TERMINATED);
    rk_atomic_set_u32(&kernel->generation, kernel->generation + 1); /* handles are stale from here on */
    pthread_mutex_unlock(&runtime->list);
    rk_event_raise(&kernel->out_event);
    rk_event_raise(&kernel->letter_event);
    rk_gate_close(kernel);
    rk_futex_wake(&kernel->gate); /* who waits for it to open finds the kernel gone */
    rk_status cut = rk_wiring_cut(kernel);
    if (cut == RK_OK || cut == RK_DEVICE_LOST) { /* where the device is lost, nobody sends any more */
        if (kernel->pools && cut == RK_OK) rk_kernel_fetch(kernel); /* what is queued may have blocks */
        rk_blocks_release_all(kernel);
        rk_kernel_unplace(kernel);
    } else if (cut == RK_TIMED_OUT) { /* a neighbour is stuck in a handler and may still send here */
        rk_atomic_set_u32(&runtime->quarantined, runtime->quarantined + 1);
    } else { /* those who sent here could not be wired anew */
        rk_runtime_log(runtime, RK_WARNING, kernel->id, 0,
                       "ended, and its memory is kept until the runtime closes: there was none to wire its "
                       "neighbours without it");
    }
    return status;
}

rk_status rk_terminate(rk_runtime *runtime, rk_kernel handle, rk_u64 timeout_ns)
{
    rk_host_kernel *k = 0;
    rk_status status = rk_runtime_check(runtime, "rk_terminate");
    if (status != RK_OK) return status;
    rk_u64 now = rk_monotonic_ns();
    pthread_mutex_lock(&runtime->control);
    status = rk_kernel_check(runtime, handle, &k);
    if (status == RK_OK)
        status = rk_atomic_u32(&k->life) == RK_LIFE_QUARANTINED
                     ? rk_error(RK_QUARANTINED, "'%s' is quarantined", k->id)
                     : rk_kernel_end(k, rk_deadline_after(now, timeout_ns));
    if (status == RK_QUARANTINED && k->connection_count) (void)rk_wiring_abandon(k);
    pthread_mutex_unlock(&runtime->control);
    return status;
}
