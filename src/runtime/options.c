/* Presets and validation: every mistake of a structure is reported, with the field, the value and the nearest
 * that works. */
#include "options.h"

#include <string.h>

#include "dead_letters.h"
#include "error.h"

static rk_launch_options preset(rk_u32 capacity, rk_u32 window, rk_u32 strategy)
{
    rk_launch_options o;
    memset(&o, 0, sizeof o);
    o.size = sizeof o;
    o.queue_capacity = capacity;
    o.deduplication_window = window;
    o.backpressure = strategy;
    o.stream_priority = RK_STREAM_NORMAL;
    o.shards = 1;
    o.blocks = 1;
    o.threads = RK_FROM_KERNEL;
    o.output_capacity = RK_FROM_KERNEL;
    o.timestamps = RK_FROM_KERNEL;
    o.max_batch = RK_FROM_KERNEL;
    o.device = RK_FROM_KERNEL;
    return o;
}

rk_launch_options rk_production(void) { return preset(4096, 1024, RK_BACKPRESSURE_BLOCK); }

rk_launch_options rk_low_latency(void) { return preset(256, 256, RK_BACKPRESSURE_REJECT); }

rk_launch_options rk_high_throughput(void) { return preset(16384, 1024, RK_BACKPRESSURE_BLOCK); }

rk_u64 rk_guide_estimate(const rk_launch_options *options, rk_u32 queues)
{
    if (!options) return 0;
    return (64u + (rk_u64)options->queue_capacity * 32u + (rk_u64)options->deduplication_window * 4u) *
           queues;
}

rk_status rk_check_size(const void *options, size_t size, const char *what)
{
    rk_u32 given = *(const rk_u32 *)options;
    if (given < 8)
        return rk_error(RK_INVALID_OPTIONS, "%s: size is %u: start from the initialiser or a preset", what,
                        given);
    const unsigned char *bytes = options;
    for (size_t i = size; i < given; i++)
        if (bytes[i])
            return rk_error(RK_INVALID_OPTIONS,
                            "%s: made for a newer version: byte %zu is set, and this version knows %zu bytes",
                            what, i, size);
    return RK_OK;
}

typedef struct finding {
    const char *of; /* which options */
    rk_u32 mistakes;
} finding;

/* One more; its text is the next detail. */
static void add_mistake(finding *f)
{
    if (!f->mistakes++) rk_error(RK_INVALID_OPTIONS, "invalid %s options", f->of);
}

static int power_of_two(rk_u32 x) { return x && (x & (x - 1)) == 0; }

static void check_capacity(finding *f, const char *field, rk_u32 value)
{
    if (value < RK_CAPACITY_MIN || value > RK_CAPACITY_MAX) {
        add_mistake(f);
        rk_error_detail("%s %u is not in %u to %u; the nearest is %u", field, value, RK_CAPACITY_MIN,
                        RK_CAPACITY_MAX, value < RK_CAPACITY_MIN ? RK_CAPACITY_MIN : RK_CAPACITY_MAX);
    } else if (!power_of_two(value)) {
        rk_u32 below = RK_CAPACITY_MIN;
        while (below * 2 < value) below *= 2;
        add_mistake(f);
        rk_error_detail("%s %u is not a power of two; the nearest are %u and %u", field, value, below,
                        below * 2);
    }
}

static void check_range(finding *f, const char *field, rk_u64 value, rk_u64 low, rk_u64 high)
{
    if (value >= low && value <= high) return;
    add_mistake(f);
    rk_error_detail("%s %llu is not in %llu to %llu", field, (unsigned long long)value,
                    (unsigned long long)low, (unsigned long long)high);
}

static void check_window(finding *f, rk_launch_options *o)
{
    rk_u32 window = o->deduplication_window;
    if (window > RK_WINDOW_MAX) {
        add_mistake(f);
        rk_error_detail("deduplication_window %u is over %u", window, RK_WINDOW_MAX);
    } else if (window && window < RK_WINDOW_MIN) {
        add_mistake(f);
        rk_error_detail("deduplication_window %u is under %u; 0 turns it off", window, RK_WINDOW_MIN);
    } else if (window > o->queue_capacity && power_of_two(o->queue_capacity)) {
        o->deduplication_window = o->queue_capacity; /* more ids than messages fit say nothing more */
    }
}

static void check_bands(finding *f, rk_launch_options *o)
{
    static const rk_u8 usual[3] = { 64, 128, 192 };
    if (!o->boundary[0] && !o->boundary[1] && !o->boundary[2]) memcpy(o->boundary, usual, sizeof usual);
    if (o->boundary[0] >= o->boundary[1] || o->boundary[1] >= o->boundary[2]) {
        add_mistake(f);
        rk_error_detail("boundary %u, %u, %u: must rise, as 64, 128, 192 do", o->boundary[0], o->boundary[1],
                        o->boundary[2]);
    } else if (!o->priority && memcmp(o->boundary, usual, sizeof usual) != 0) {
        add_mistake(f);
        rk_error_detail("boundary %u, %u, %u needs priority = 1, which makes the bands", o->boundary[0],
                        o->boundary[1], o->boundary[2]);
    }
    if (o->boundary[3]) {
        add_mistake(f);
        rk_error_detail("boundary[3] %u: three boundaries part four bands; leave it 0", o->boundary[3]);
    }
}

/* Combinations that no backend can have; the text says why and what works. */
static void check_combinations(finding *f, const rk_launch_options *o)
{
    if (o->slot_format == RK_FORMAT_UNIT &&
        (o->deduplication_window || o->priority || o->backpressure == RK_BACKPRESSURE_DROP_OLDEST)) {
        add_mistake(f);
        rk_error_detail("slot_format unit needs a plain lane: turn off deduplication_window and priority, "
                        "and use a backpressure "
                        "other than DropOldest, or take slot_format seq");
    }
    if (o->single_producer &&
        (o->deduplication_window || o->priority || o->backpressure == RK_BACKPRESSURE_DROP_OLDEST)) {
        add_mistake(f);
        rk_error_detail(
            "single_producer needs a plain lane: with deduplication_window, priority or DropOldest "
            "each send takes the lane's lock, also a single producer's: turn those off, or leave it 0");
    }
    if (o->send_timeout_ns && o->backpressure != RK_BACKPRESSURE_BLOCK) {
        add_mistake(f);
        rk_error_detail("send_timeout_ns %llu: only under Block does a send wait for room: use that "
                        "backpressure, or leave it 0",
                        (unsigned long long)o->send_timeout_ns);
    }
    if (o->default_ttl_us && !o->expiry) {
        add_mistake(f);
        rk_error_detail("default_ttl_us %u needs expiry = 1, which gives messages the long header",
                        o->default_ttl_us);
    }
    if (o->expired_to_dead && !o->expiry) {
        add_mistake(f);
        rk_error_detail("expired_to_dead needs expiry = 1");
    }
    if (o->dead_letter_alert > rk_letters_capacity(o)) {
        add_mistake(f);
        rk_error_detail("dead_letter_alert %u is over dead_letter_capacity %u, so it would never be given",
                        o->dead_letter_alert, rk_letters_capacity(o));
    }
}

rk_status rk_validate_launch(rk_launch_options *o)
{
    finding f = { .of = "launch" };
    rk_status status = rk_check_size(o, sizeof *o, "launch options");
    if (status != RK_OK) return status;
    check_capacity(&f, "queue_capacity", o->queue_capacity);
    check_window(&f, o);
    check_range(&f, "backpressure", o->backpressure, 0, RK_BACKPRESSURE_DROP_NEWEST);
    check_range(&f, "priority", o->priority, 0, 1);
    check_bands(&f, o);
    check_range(&f, "stream_priority", o->stream_priority, 0, RK_STREAM_HIGH);
    check_range(&f, "shards", o->shards, 1, RK_SHARDS_MAX);
    check_range(&f, "blocks", o->blocks, 1, RK_SHARDS_MAX);
    if (o->threads != RK_FROM_KERNEL) check_range(&f, "threads", o->threads, 1, 1024);
    if (o->output_capacity != RK_FROM_KERNEL) check_capacity(&f, "output_capacity", o->output_capacity);
    check_range(&f, "expiry", o->expiry, 0, 1);
    check_range(&f, "requests", o->requests, 0, 1);
    if (o->timestamps != RK_FROM_KERNEL) check_range(&f, "timestamps", o->timestamps, 0, 1);
    check_range(&f, "slot_format", o->slot_format, 0, RK_FORMAT_UNIT);
    check_range(&f, "single_producer", o->single_producer, 0, 1);
    check_range(&f, "system_order", o->system_order, 0, 1);
    check_range(&f, "expired_to_dead", o->expired_to_dead, 0, 1);
    if (o->max_batch != RK_FROM_KERNEL) check_range(&f, "max_batch", o->max_batch, 1, RK_BATCH_MAX);
    check_range(&f, "spmd_check", o->spmd_check, 0, 1);
    check_range(&f, "pool_blocks", o->pool_blocks, 0, RK_POOL_BLOCKS_MAX);
    if (o->handler_limit_ns && o->handler_limit_ns < RK_HANDLER_LIMIT_LEAST) {
        add_mistake(&f);
        rk_error_detail("handler_limit_ns %llu is under %llu; 0 is the runtime's stall_limit_ns",
                        (unsigned long long)o->handler_limit_ns, (unsigned long long)RK_HANDLER_LIMIT_LEAST);
    }
    check_range(&f, "dead_letter_capacity", o->dead_letter_capacity, 0, RK_DEAD_LETTERS_MAX);
    if (o->launch_) {
        add_mistake(&f);
        rk_error_detail("launch_ %u: this version has no such option; leave it 0", o->launch_);
    }
    check_combinations(&f, o);
    return f.mistakes ? RK_INVALID_OPTIONS : RK_OK;
}

static void check_devices(finding *f, const rk_runtime_options *o)
{
    if (o->device_count > RK_DEVICES_MAX || (o->device_count && !o->devices)) {
        add_mistake(f);
        rk_error_detail("device_count %u: devices must list them, and 1 to %u can be", o->device_count,
                        RK_DEVICES_MAX);
    }
    if (o->device_count && o->device) {
        add_mistake(f);
        rk_error_detail("device %u: with a list of devices, leave it 0", o->device);
    } else if (o->device && o->backend <= RK_BACKEND_CPU) {
        add_mistake(f);
        rk_error_detail("device %u: the CPU is one device; leave it 0, or choose a backend", o->device);
    }
}

rk_status rk_validate_runtime(const rk_runtime_options *o)
{
    finding f = { .of = "runtime" };
    check_range(&f, "backend", o->backend, 0, RK_BACKEND_METAL);
    if (o->workers > RK_WORKERS_MAX) {
        add_mistake(&f);
        rk_error_detail("workers %u is not in 1 to %u; 0 takes one fewer than the cores", o->workers,
                        RK_WORKERS_MAX);
    }
    check_range(&f, "single_step", o->single_step, 0, 1);
    check_range(&f, "unpinned", o->unpinned, 0, 1);
    check_range(&f, "slices", o->slices, 0, 1);
    if (o->single_step && o->workers) {
        add_mistake(&f);
        rk_error_detail("workers %u: single_step runs without; leave it 0", o->workers);
    }
    if (o->memory_ceiling > RK_CEILING_MAX) {
        add_mistake(&f);
        rk_error_detail("memory_ceiling %llu is over %llu; 0 is %llu", (unsigned long long)o->memory_ceiling,
                        (unsigned long long)RK_CEILING_MAX, (unsigned long long)RK_ARENA_DEFAULT);
    }
    check_devices(&f, o);
    rk_status status = f.mistakes ? RK_INVALID_OPTIONS : RK_OK;
    if (o->device_count && o->backend != RK_BACKEND_CUDA)
        status = rk_error_also(status, rk_error(RK_UNSUPPORTED,
                                                "device_count %u: a list of devices is for the CUDA "
                                                "backend: leave it 0",
                                                o->device_count));
    return status;
}

rk_status rk_validate(rk_launch_options *options)
{
    rk_error_begin();
    if (!options) return rk_error(RK_INVALID_ARGUMENT, "rk_validate: options is null");
    rk_launch_options whole = rk_production();
    rk_status status = rk_check_size(options, sizeof whole, "launch options");
    if (status != RK_OK) return status;
    size_t known =
        options->size < sizeof whole ? options->size : sizeof whole; /* an older structure ends earlier */
    memcpy(&whole, options, known);
    whole.size = sizeof whole;
    status = rk_validate_launch(&whole);
    whole.size = options->size;
    memcpy(options, &whole, known);
    return status;
}
