/* Looking at kernels: which there are, what they are, and the state of one. */
#include "kernel.h"

#include <stdio.h>
#include <string.h>

const char *rk_life_name(rk_u32 life)
{
    static const char *const names[] = { "none",    "launched",   "active", "inactive",   "draining",
                                         "drained", "terminated", "failed", "quarantined" };
    return life < sizeof names / sizeof *names ? names[life] : "unknown";
}

rk_status rk_kernel_information(rk_runtime *runtime, rk_kernel handle, rk_kernel_info *info)
{
    rk_host_kernel *k = 0;
    rk_status status = rk_runtime_check(runtime, "rk_kernel_information");
    if (status != RK_OK) return status;
    if (!info) return rk_error(RK_INVALID_ARGUMENT, "rk_kernel_information: info is null");
    pthread_mutex_lock(&runtime->list);
    status = rk_kernel_check(runtime, handle, &k);
    if (status == RK_OK) {
        memset(info, 0, sizeof *info);
        snprintf(info->id, sizeof info->id, "%s", k->id);
        snprintf(info->kernel_name, sizeof info->kernel_name, "%s", k->class->name);
        info->life = rk_atomic_u32(&k->life);
        info->shards = k->options.shards;
        info->blocks = k->options.blocks;
        info->threads = k->layout.threads;
        info->actors = k->options.actors;
        info->queue_capacity = k->layout.lane[RK_LANE_HOST].capacity;
        info->deduplication_window = k->options.deduplication_window;
        info->backpressure = k->options.backpressure;
        info->priority = k->options.priority;
        info->output_capacity = k->layout.lane[RK_LANE_OUT].capacity;
        info->max_batch = k->layout.max_batch;
        info->mode = k->layout.mode;
        info->width = k->class->attributes->width;
        info->state = k->class->attributes->state;
        info->epoch = k->epoch;
        info->device = k->layout.place;
        rk_look(k);
        for (rk_u32 s = 0; s < k->seat_count; s++)
            info->processed += __atomic_load_n(&k->seats[s].shard->meter.handled, __ATOMIC_RELAXED);
        info->queued = rk_kernel_queued(k);
        info->memory = k->layout.parts.total;
        info->stalled = rk_atomic_u32(&k->stalled);
        info->healthy = !info->stalled && info->life != RK_LIFE_FAILED && info->life != RK_LIFE_QUARANTINED;
        snprintf(info->failure, sizeof info->failure, "%s", k->failure);
    }
    pthread_mutex_unlock(&runtime->list);
    return status;
}

rk_status rk_kernel_class_of(rk_runtime *runtime, rk_kernel handle, const rk_class **class, char id[64])
{
    rk_host_kernel *k = 0;
    pthread_mutex_lock(&runtime->list);
    const rk_status status = rk_kernel_check(runtime, handle, &k);
    if (status == RK_OK) {
        *class = k->class;
        memcpy(id, k->id, sizeof k->id);
    }
    pthread_mutex_unlock(&runtime->list);
    return status;
}

rk_status rk_find(rk_runtime *runtime, const char *id, rk_kernel *kernel)
{
    rk_status status = rk_runtime_check(runtime, "rk_find");
    if (status != RK_OK) return status;
    if (!id || !kernel) return rk_error(RK_INVALID_ARGUMENT, "rk_find: id or kernel is null");
    pthread_mutex_lock(&runtime->list);
    rk_host_kernel *k = rk_kernel_find_live(runtime, id);
    if (k)
        *kernel = (rk_kernel){ k->number, rk_atomic_u32(&k->generation) };
    else
        status = rk_error(RK_NO_SUCH_KERNEL, "no live kernel has the id '%s'", id);
    pthread_mutex_unlock(&runtime->list);
    return status;
}

rk_status rk_list(rk_runtime *runtime, rk_kernel *kernels, size_t capacity, size_t *count)
{
    rk_status status = rk_runtime_check(runtime, "rk_list");
    if (status != RK_OK) return status;
    if (!count || (!kernels && capacity))
        return rk_error(RK_INVALID_ARGUMENT, "rk_list: count is null, or kernels is");
    *count = 0;
    pthread_mutex_lock(&runtime->list);
    for (rk_u32 n = 1; n <= rk_atomic_u32(&runtime->kernel_count); n++) {
        rk_host_kernel *k = runtime->kernels[n];
        if (!rk_kernel_is_live(k)) continue;
        if (*count < capacity) kernels[*count] = (rk_kernel){ k->number, rk_atomic_u32(&k->generation) };
        ++*count;
    }
    pthread_mutex_unlock(&runtime->list);
    return RK_OK;
}

rk_status rk_read_state(rk_runtime *runtime, rk_kernel handle, rk_u32 which, void *state, size_t size)
{
    rk_host_kernel *k = 0;
    rk_status status = rk_runtime_check(runtime, "rk_read_state");
    if (status != RK_OK) return status;
    if (!state) return rk_error(RK_INVALID_ARGUMENT, "rk_read_state: state is null");
    pthread_mutex_lock(&runtime->control);
    status = rk_kernel_check(runtime, handle, &k);
    rk_u32 kind = status == RK_OK ? k->class->attributes->state : RK_STATELESS;
    rk_u32 last = status != RK_OK        ? 0
                  : kind == RK_PER_ACTOR ? k->options.actors
                  : kind == RK_PER_SHARD ? k->seat_count
                                         : 0;
    rk_u32 serving = status == RK_OK && k->serving, was = status == RK_OK ? rk_atomic_u32(&k->life) : 0;
    if (status == RK_OK && which >= last)
        status = rk_error(RK_NO_SUCH_ACTOR, "'%s' has %u %s; there is no %u", k->id, last,
                          kind == RK_PER_ACTOR ? "actors" : "shards with state", which);
    if (status == RK_OK && size != k->class->state_size)
        status = rk_error(RK_TOO_SMALL, "the state of '%s' has %u bytes, not %zu", k->id,
                          k->class->state_size, size);
    if (status == RK_OK) status = rk_kernel_halt(k);
    if (status == RK_OK) {
        rk_u32 s = kind == RK_PER_ACTOR ? which % k->seat_count : which;
        rk_u32 place = kind == RK_PER_ACTOR ? which / k->seat_count : 0;
        rk_shard *shard = k->seats[s].shard;
        rk_u64 at = shard->state + (rk_u64)place * shard->state_size;
        if (!(k->unstored & RK_UNSTORED_BLOCK)) status = rk_fetch(runtime, at, size);
        if (status == RK_OK) memcpy(state, runtime->arena.base + at, size);
        const int failed = was != RK_LIFE_FAILED && rk_atomic_u32(&k->life) == RK_LIFE_FAILED;
        rk_status served =
            serving && !failed ? rk_kernel_serve(k) : RK_OK; /* whether it could be copied or not */
        if (status == RK_OK && failed)
            status = rk_error(RK_FAILED, "'%s' failed on its way to a batch boundary: %s", k->id, k->failure);
        if (status == RK_OK) status = served;
    }
    pthread_mutex_unlock(&runtime->control);
    return status;
}
