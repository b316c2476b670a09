/* Checkpoints of kernels: when one is due, how it is taken, and which is restored. The store knows the rest. */
#include <ringkernel/checkpoint.h>
#include <ringkernel/device/shard.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../runtime/error.h"
#include "../runtime/options.h"
#include "checkpoint_store.h"

#define KEEP_DEFAULT 3u
#define KEEP_MOST 1000u
#define FULL_EVERY_DEFAULT 16u
#define TIMEOUT_DEFAULT RK_SECONDS(2)
#define LOOK_NS RK_MILLISECONDS(1)
/* After one that failed, the thread waits twice as long each time. */
#define HOLD_OFF_LEAST RK_MILLISECONDS(10)
#define HOLD_OFF_MOST RK_SECONDS(1)

/* A snapshot from which a supervisor's restarts take their states. */
typedef struct source {
    pthread_mutex_t
        lock; /* apart: who asks holds the runtime's, for which a checkpoint that is being taken may wait */
    void *bytes; /* 0: there is none */
    size_t size;
    rk_u32 index; /* of the kernel in it */
} source;

struct rk_checkpoints {
    rk_runtime *runtime;
    rk_kernel *kernels; /* those that were given, or have their places */
    char (*ids)[64];
    size_t count;
    rk_checkpoint_options options;
    pthread_mutex_t lock; /* one checkpoint at a time; all below is its */
    rk_checkpoint_store store;
    rk_snapshot snapshot; /* the one that was taken last; its memory is used again */
    void *restored;       /* the bytes that were restored, until one is taken */
    size_t restored_size;
    rk_manifest *last; /* what the next one is compared with; 0: it will be full */
    rk_u64 next_number;
    rk_u32 since_full;
    rk_u64 handled_then, taken_ns; /* when the last one was taken */
    rk_histogram pause, stored;
    rk_checkpoint_metrics told;
    source source;

    pthread_t thread;
    pthread_cond_t stop_cond;
    pthread_mutex_t stop_lock;
    rk_u32 thread_runs, stop;
};

static rk_u64 monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

static rk_u64 wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

/* ------------------------------------------------------------------ taking */

/* The manifest of a snapshot: what is as it was is the older checkpoint's block. */
static rk_manifest *compare(const rk_checkpoints *c)
{
    const rk_snapshot *s = &c->snapshot;
    rk_u64 blocks = (s->size + RK_CHECKPOINT_BLOCK - 1) / RK_CHECKPOINT_BLOCK;
    rk_manifest *m = calloc(1, rk_manifest_bytes(blocks));
    if (!m) return 0;
    const rk_manifest *old = c->since_full + 1 < c->options.full_every ? c->last : 0;
    *m = (rk_manifest){
        RK_MANIFEST_MAGIC, RK_CHECKPOINT_VERSION, RK_CHECKPOINT_BLOCK, c->next_number, 0, 0, s->size, blocks
    };
    m->base = old ? old->base : m->number;
    m->wall_ns = wall_ns();
    for (rk_u64 i = 0; i < blocks; i++) {
        const rk_u8 *at = (const rk_u8 *)s->bytes + i * RK_CHECKPOINT_BLOCK;
        size_t size = i + 1 < blocks ? RK_CHECKPOINT_BLOCK : s->size - i * RK_CHECKPOINT_BLOCK;
        m->entry[i] = (rk_block_entry){ m->number, XXH3_128bits(at, size) };
        if (old && i < old->blocks && XXH128_isEqual(old->entry[i].hash, m->entry[i].hash) &&
            (i + 1 < old->blocks) == (i + 1 < blocks))
            m->entry[i].origin = old->entry[i].origin;
    }
    return m;
}

/* Where a kernel hung and was replaced, the other one has its id. */
static void follow(rk_checkpoints *c)
{
    for (size_t i = 0; i < c->count; i++) {
        rk_kernel_info info;
        rk_kernel now;
        rk_status status = rk_kernel_information(c->runtime, c->kernels[i], &info);
        if (status == RK_OK && info.life != RK_LIFE_QUARANTINED && info.life != RK_LIFE_TERMINATED) continue;
        if (rk_find(c->runtime, c->ids[i], &now) == RK_OK) c->kernels[i] = now;
    }
}

static rk_u64 handled(const rk_checkpoints *c)
{
    rk_u64 sum = 0;
    for (size_t i = 0; i < c->count; i++) {
        rk_kernel_info info;
        if (rk_kernel_information(c->runtime, c->kernels[i], &info) == RK_OK) sum += info.processed;
    }
    return sum;
}

static void remember(rk_checkpoints *c, rk_manifest *m, rk_u64 written)
{
    c->since_full = m->base == m->number ? 0 : c->since_full + 1;
    c->told.full += m->base == m->number;
    c->told.taken++;
    c->told.newest = m->number;
    c->told.bytes = m->size;
    c->told.written = written;
    c->next_number = m->number + 1;
    free(c->last);
    c->last = m;
    free(c->restored);
    c->restored = 0;
}

static rk_status take(rk_checkpoints *c)
{
    follow(c);
    rk_u64 written = 0, began_ns, now_ns = rk_clock_ns(c->runtime), handled_now = handled(c);
    rk_manifest *m = 0;
    rk_status status = rk_snapshot_take(c->runtime, c->kernels, c->count, c->options.timeout_ns,
                                        c->options.note, c->options.note_user, &c->snapshot);
    began_ns = monotonic_ns();
    if (status == RK_OK && !(m = compare(c))) status = rk_error(RK_OUT_OF_MEMORY, "no memory for a manifest");
    if (status == RK_OK) status = rk_store_add(&c->store, m, c->snapshot.bytes, c->options.keep, &written);
    if (status != RK_OK) {
        free(m);
        c->told.failed++;
        snprintf(c->told.failure, sizeof c->told.failure, "%s", rk_error_text());
        return status;
    }
    rk_histogram_add(&c->pause, c->snapshot.pause_ns, 1);
    rk_histogram_add(&c->stored, monotonic_ns() - began_ns, 1);
    c->handled_then = handled_now;
    c->taken_ns = now_ns;
    remember(c, m, written);
    return RK_OK;
}

/* Where a kernel was replaced the other one counts from 0, so the difference wraps: one is due at once. */
static int is_due(const rk_checkpoints *c)
{
    const rk_checkpoint_options *o = &c->options;
    if (o->every_ns && rk_clock_ns(c->runtime) - c->taken_ns >= o->every_ns) return 1;
    return o->every_messages && handled(c) - c->handled_then >= o->every_messages;
}

static rk_status check(const rk_checkpoints *c, const char *call)
{
    rk_error_begin();
    return c ? RK_OK : rk_error(RK_INVALID_ARGUMENT, "%s: checkpoints is null", call);
}

rk_status rk_checkpoint(rk_checkpoints *c)
{
    rk_status status = check(c, "rk_checkpoint");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&c->lock);
    status = take(c);
    pthread_mutex_unlock(&c->lock);
    return status;
}

rk_status rk_checkpoint_if_due(rk_checkpoints *c)
{
    rk_status status = check(c, "rk_checkpoint_if_due");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&c->lock);
    follow(c);
    status = is_due(c) ? take(c) : RK_EMPTY;
    pthread_mutex_unlock(&c->lock);
    return status;
}

rk_status rk_checkpoints_clear(rk_checkpoints *c)
{
    rk_status status = check(c, "rk_checkpoints_clear");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&c->lock);
    status = rk_store_clear(&c->store);
    if (status == RK_OK) {
        free(c->last);
        c->last = 0; /* what it names is gone: the next one is full */
        c->told.newest = 0;
    }
    pthread_mutex_unlock(&c->lock);
    return status;
}

/* ------------------------------------------------------------------ the thread */

/* 0: it is to stop. */
static int wait_a_while(rk_checkpoints *c, rk_u64 ns)
{
    rk_u64 until = monotonic_ns() + ns;
    struct timespec at = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
    pthread_mutex_lock(&c->stop_lock);
    while (!c->stop && pthread_cond_timedwait(&c->stop_cond, &c->stop_lock, &at) == 0) {}
    int goes_on = !c->stop;
    pthread_mutex_unlock(&c->stop_lock);
    return goes_on;
}

static void *look_again_and_again(void *argument)
{
    rk_checkpoints *c = argument;
    rk_u64 hold_off_ns = 0;
    while (wait_a_while(c, hold_off_ns ? hold_off_ns : LOOK_NS)) {
        rk_status status = rk_checkpoint_if_due(c);
        hold_off_ns = status == RK_OK || status == RK_EMPTY ? 0
                      : hold_off_ns                         ? hold_off_ns * 2
                                                            : HOLD_OFF_LEAST;
        if (hold_off_ns > HOLD_OFF_MOST) hold_off_ns = HOLD_OFF_MOST;
    }
    return 0;
}

/* Asks for no step, only whether there can be one: a runtime of a device has no workers either. */
static int is_single_step(rk_runtime *runtime) { return rk_step_all(runtime, 0) != RK_UNSUPPORTED; }

static rk_status start_thread(rk_checkpoints *c)
{
    if (!c->options.every_messages && !c->options.every_ns) return RK_OK;
    if (is_single_step(c->runtime)) return RK_OK; /* its owner looks */
    if (pthread_create(&c->thread, 0, look_again_and_again, c))
        return rk_error(RK_OUT_OF_MEMORY, "can't start the thread of the checkpoints");
    pthread_setname_np(c->thread, "rk-checkpoint");
    c->thread_runs = 1;
    return RK_OK;
}

static void stop_thread(rk_checkpoints *c)
{
    if (!c->thread_runs) return;
    pthread_mutex_lock(&c->stop_lock);
    c->stop = 1;
    pthread_cond_signal(&c->stop_cond);
    pthread_mutex_unlock(&c->stop_lock);
    pthread_join(c->thread, 0);
}

/* ------------------------------------------------------------------ open and close */

static rk_status take_options(const rk_checkpoint_options *given, rk_checkpoint_options *o)
{
    memset(o, 0, sizeof *o);
    if (given) {
        rk_status known = rk_check_size(given, sizeof *o, "checkpoint options");
        if (known != RK_OK) return known;
        memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
    }
    o->size = sizeof *o;
    rk_status status = RK_OK;
    if (o->keep > KEEP_MOST)
        status = rk_error(RK_INVALID_OPTIONS, "keep %u is not in 1 to %u; 0 keeps %u", o->keep, KEEP_MOST,
                          KEEP_DEFAULT);
    if (o->options_) status = rk_error(RK_INVALID_OPTIONS, "checkpoint options: the gap is not zero");
    if (!o->keep) o->keep = KEEP_DEFAULT;
    if (!o->full_every) o->full_every = FULL_EVERY_DEFAULT;
    if (!o->timeout_ns) o->timeout_ns = TIMEOUT_DEFAULT;
    return status;
}

/* Learn the ids of the kernels, or say of each what is wrong with it: a look at one begins a new text, so
 * what was found is kept here until all were looked at. */
static rk_status take_ids(rk_runtime *runtime, const rk_kernel *kernels, size_t count, char (*ids)[64])
{
    char found[4096] = "";
    rk_status status = RK_OK;
    for (size_t i = 0; i < count; i++) {
        rk_kernel_info info;
        size_t same = 0, used = strlen(found);
        rk_status one = rk_kernel_information(runtime, kernels[i], &info);
        while (kernels[same].number != kernels[i].number) same++;
        if (one == RK_OK && same < i) one = rk_error(RK_INVALID_ARGUMENT, "'%s' is given twice", info.id);
        if (one == RK_OK)
            memcpy(ids[i], info.id, sizeof ids[i]);
        else
            snprintf(found + used, sizeof found - used, "%s%.*s", used ? "\n" : "",
                     (int)strcspn(rk_error_text(), "\n"), rk_error_text());
        status = rk_error_also(status, one);
    }
    rk_error_begin();
    return status == RK_OK ? RK_OK : rk_error(status, "%s", found);
}

static void init_locks(rk_checkpoints *c)
{
    pthread_condattr_t by_monotonic;
    pthread_mutex_init(&c->lock, 0);
    pthread_mutex_init(&c->stop_lock, 0);
    pthread_mutex_init(&c->source.lock, 0);
    pthread_condattr_init(&by_monotonic);
    pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->stop_cond, &by_monotonic);
    pthread_condattr_destroy(&by_monotonic);
}

void rk_checkpoints_close(rk_checkpoints *c)
{
    if (!c) return;
    stop_thread(c);
    rk_store_close(&c->store);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->stop_lock);
    pthread_mutex_destroy(&c->source.lock);
    pthread_cond_destroy(&c->stop_cond);
    rk_snapshot_free(&c->snapshot);
    free(c->source.bytes);
    free(c->restored);
    free(c->last);
    free(c->kernels);
    free(c->ids);
    free(c);
}

rk_status rk_checkpoints_open(rk_runtime *runtime, const char *folder, const rk_kernel *kernels, size_t count,
                              const rk_checkpoint_options *given, rk_checkpoints **out)
{
    rk_checkpoint_options options = { RK_CHECKPOINT_OPTIONS };
    rk_error_begin();
    if (!runtime || !folder || !*folder || !kernels || !count || !out)
        return rk_error(RK_INVALID_ARGUMENT,
                        "rk_checkpoints_open: a pointer is null, or the folder or count is empty");
    *out = 0;
    rk_checkpoints *c = calloc(1, sizeof *c);
    rk_kernel *copy = calloc(count, sizeof *copy);
    char(*ids)[64] = calloc(count, sizeof *ids);
    rk_status status;
    if (!c || !copy || !ids) {
        status = rk_error(RK_OUT_OF_MEMORY, "no memory for checkpoints of %zu kernels", count);
    } else {
        status = take_ids(runtime, kernels, count, ids);
        status = rk_error_also(status, take_options(given, &options));
    }
    if (status != RK_OK) {
        free(c);
        free(copy);
        free(ids);
        return status;
    }
    init_locks(c);
    memcpy(copy, kernels, count * sizeof *copy);
    c->runtime = runtime;
    c->kernels = copy;
    c->ids = ids;
    c->count = count;
    c->options = options;
    c->store.lock = -1;
    c->taken_ns = rk_clock_ns(runtime);
    c->handled_then = handled(c);
    status = rk_store_open(&c->store, folder, options.map_bytes);
    if (status == RK_OK) status = rk_store_newest(&c->store, ~0ull, &c->told.newest, 0);
    c->next_number = c->told.newest + 1;
    if (status == RK_OK) status = start_thread(c);
    if (status != RK_OK) {
        rk_checkpoints_close(c);
        return status;
    }
    *out = c;
    return RK_OK;
}

/* ------------------------------------------------------------------ restoring */

/* One that was passed over, and why. */
static void note_reason(rk_restored *restored, const char *which, const char *why)
{
    size_t used = strlen(restored->reasons);
    snprintf(restored->reasons + used, sizeof restored->reasons - used, "%s%s: %.*s", used ? "\n" : "", which,
             (int)strcspn(why, "\n"), why);
    restored->refused++;
}

static void note_number(rk_restored *restored, rk_u64 number)
{
    char which[48];
    snprintf(which, sizeof which, "checkpoint %llu", (unsigned long long)number);
    note_reason(restored, which, rk_error_text());
}

static void tell(rk_checkpoints *c, const rk_manifest *m, void *bytes, rk_restored *restored)
{
    const void *note;
    size_t size;
    restored->number = m->number;
    restored->wall_ns = m->wall_ns;
    if (rk_snapshot_note(bytes, m->size, &note, &size) == RK_OK && size) {
        restored->note_size = (rk_u32)size;
        memcpy(restored->note, note, size < sizeof restored->note ? size : sizeof restored->note);
    }
    free(c->restored);
    c->restored = bytes;
    c->restored_size = m->size;
}

static rk_status restore_one(rk_checkpoints *c, rk_u64 below, rk_u64 *number, rk_restored *restored)
{
    rk_manifest *m;
    void *bytes;
    rk_status status = rk_store_load(&c->store, below, number, &m, &bytes);
    if (status != RK_OK || *number == 0) return status;
    status = rk_snapshot_restore(c->runtime, c->kernels, c->count, bytes, m->size);
    if (status == RK_OK) {
        tell(c, m, bytes, restored);
        free(c->last);
        c->last = m; /* the next one is compared with it */
        c->since_full = (rk_u32)(m->number - m->base);
        c->handled_then = handled(c);
        c->taken_ns = rk_clock_ns(c->runtime);
        return RK_OK;
    }
    free(bytes);
    free(m);
    return status;
}

rk_status rk_checkpoints_restore(rk_checkpoints *c, rk_restored *restored)
{
    rk_status status = check(c, "rk_checkpoints_restore");
    if (status != RK_OK) return status;
    if (!restored) return rk_error(RK_INVALID_ARGUMENT, "rk_checkpoints_restore: restored is null");
    memset(restored, 0, sizeof *restored);
    pthread_mutex_lock(&c->lock);
    if (*c->store.lost) note_reason(restored, "the newest transaction of the store", c->store.lost);
    for (rk_u64 number = 0, below = ~0ull;; below = number) {
        rk_error_begin();
        status = restore_one(c, below, &number, restored);
        if (number == 0 && status == RK_OK) status = restored->refused ? RK_CORRUPT : RK_EMPTY;
        if (number == 0 || (status != RK_CORRUPT && status != RK_INCOMPATIBLE)) break;
        note_number(restored, number);
    }
    pthread_mutex_unlock(&c->lock);
    if (status == RK_CORRUPT && restored->refused)
        rk_error(RK_CORRUPT, "none of %u checkpoints can be used:\n%s", restored->refused, restored->reasons);
    return status;
}

/* ------------------------------------------------------------------ states for a supervisor */

/* How many shards a kernel has; 0: there is none of that id at this moment. */
static rk_u32 shards_of(rk_runtime *runtime, const char *id)
{
    rk_kernel kernel;
    rk_kernel_info info = { .shards = 0 };
    if (rk_find(runtime, id, &kernel) == RK_OK && rk_kernel_information(runtime, kernel, &info) != RK_OK)
        info.shards = 0;
    rk_error_begin();
    return info.shards;
}

/* Kernel `id` of a snapshot, if its states have that size, and are as many as it has shards where they are theirs. */
static rk_status find_kernel(const void *bytes, size_t size, const char *id, size_t state_size, rk_u32 shards,
                             rk_u32 *index)
{
    rk_snapshot_kernel told;
    rk_status status;
    for (*index = 0; (status = rk_snapshot_describe(bytes, size, *index, &told)) == RK_OK; ++*index) {
        if (strcmp(told.id, id) != 0) continue;
        if (told.state_size != state_size)
            return rk_error(RK_INCOMPATIBLE, "'%s' kept a state of %u bytes then and %zu now", id,
                            told.state_size, state_size);
        if (told.state == RK_PER_SHARD && shards && told.shards != shards)
            return rk_error(RK_INCOMPATIBLE, "'%s' kept the states of %u shards then and of %u now", id,
                            told.shards, shards);
        return RK_OK;
    }
    if (status != RK_NO_SUCH_KERNEL) return status;
    rk_error_begin();
    return rk_error(RK_INCOMPATIBLE, "it has no kernel '%s'", id);
}

/* The newest checkpoint that can be used, beside whoever is adding one. */
static rk_status load_source(rk_checkpoints *c, const char *id, size_t state_size)
{
    rk_restored passed = { .number = 0 };
    source *to = &c->source;
    const rk_u32 shards = shards_of(c->runtime, id);
    free(to->bytes);
    to->bytes = 0;
    for (rk_u64 number = 0, below = ~0ull;; below = number) {
        rk_manifest *m;
        void *bytes;
        rk_error_begin();
        rk_status status = rk_store_load(&c->store, below, &number, &m, &bytes);
        if (status == RK_OK && number == 0) break;
        if (status == RK_OK) {
            status = find_kernel(bytes, m->size, id, state_size, shards, &to->index);
            to->size = m->size;
            free(m);
            if (status == RK_OK)
                to->bytes = bytes;
            else
                free(bytes);
        }
        if (number == 0 || (status != RK_CORRUPT && status != RK_INCOMPATIBLE)) return status;
        note_number(&passed, number);
    }
    if (!passed.refused) return RK_OK;
    return rk_error(RK_CORRUPT, "none of %u checkpoints has a state of '%s':\n%s", passed.refused, id,
                    passed.reasons);
}

rk_status rk_checkpoint_state(void *user, rk_u32 which, void *state, size_t size)
{
    const rk_checkpoint_child *child = user;
    rk_error_begin();
    if (!child || !child->checkpoints || !child->id || !state)
        return rk_error(RK_INVALID_ARGUMENT, "rk_checkpoint_state: the child, or a part of it, is null");
    rk_checkpoints *c = child->checkpoints;
    pthread_mutex_lock(&c->source.lock);
    rk_status status = which == 0 ? load_source(c, child->id, size) : RK_OK; /* a restart begins with 0 */
    if (status == RK_OK && c->source.bytes)
        status = rk_snapshot_state(c->source.bytes, c->source.size, c->source.index, which, state, size);
    pthread_mutex_unlock(&c->source.lock);
    return status == RK_NO_SUCH_ACTOR ? RK_OK : status;
}

/* ------------------------------------------------------------------ looking */

rk_status rk_checkpoints_describe(rk_checkpoints *c, rk_u32 index, rk_snapshot_kernel *kernel)
{
    rk_status status = check(c, "rk_checkpoints_describe");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&c->lock);
    if (c->restored)
        status = rk_snapshot_describe(c->restored, c->restored_size, index, kernel);
    else if (c->snapshot.size)
        status = rk_snapshot_describe(c->snapshot.bytes, c->snapshot.size, index, kernel);
    else
        status = rk_error(RK_EMPTY, "no checkpoint was taken or restored yet");
    pthread_mutex_unlock(&c->lock);
    return status;
}

rk_status rk_checkpoints_metrics(rk_checkpoints *c, rk_checkpoint_metrics *metrics)
{
    rk_status status = check(c, "rk_checkpoints_metrics");
    if (status != RK_OK) return status;
    if (!metrics) return rk_error(RK_INVALID_ARGUMENT, "rk_checkpoints_metrics: metrics is null");
    rk_u64 newest;
    pthread_mutex_lock(&c->lock);
    *metrics = c->told;
    status = rk_store_newest(&c->store, ~0ull, &newest, &metrics->kept);
    rk_quantiles_of(&c->pause, &metrics->pause);
    rk_quantiles_of(&c->stored, &metrics->store);
    pthread_mutex_unlock(&c->lock);
    return status;
}
