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
    rk_u32 mistakes;
} finding;

static int power_of_two(rk_u32 x) { return x && (x & (x - 1)) == 0; }

static void check_capacity(finding *f, const char *field, rk_u32 value)
{
    if (value < RK_CAPACITY_MIN || value > RK_CAPACITY_MAX) {
        rk_error_detail("%s %u is not in %u to %u; the nearest is %u", field, value, RK_CAPACITY_MIN,
                        RK_CAPACITY_MAX, value < RK_CAPACITY_MIN ? RK_CAPACITY_MIN : RK_CAPACITY_MAX);
        f->mistakes++;
    } else if (!power_of_two(value)) {
        rk_u32 below = RK_CAPACITY_MIN;
        while (below * 2 < value) below *= 2;
        rk_error_detail("%s %u is not a power of two; the nearest are %u and %u", field, value, below,
                        below * 2);
        f->mistakes++;
    }
}

static void check_range(finding *f, const char *field, rk_u64 value, rk_u64 low, rk_u64 high)
{
    if (value >= low && value <= high) return;
    rk_error_detail("%s %llu is not in %llu to %llu", field, (unsigned long long)value,
                    (unsigned long long)low, (unsigned long long)high);
    f->mistakes++;
}

static void check_window(finding *f, rk_launch_options *o)
{
    rk_u32 window = o->deduplication_window;
    if (window > RK_WINDOW_MAX) {
        rk_error_detail("deduplication_window %u is over %u", window, RK_WINDOW_MAX);
        f->mistakes++;
    } else if (window && window < RK_WINDOW_MIN) {
        rk_error_detail("deduplication_window %u is under %u; 0 turns it off", window, RK_WINDOW_MIN);
        f->mistakes++;
    } else if (window > o->queue_capacity && power_of_two(o->queue_capacity)) {
        o->deduplication_window = o->queue_capacity; /* more ids than messages fit say nothing more */
    }
}

static void check_bands(finding *f, rk_launch_options *o)
{
    static const rk_u8 usual[3] = { 64, 128, 192 };
    if (!o->boundary[0] && !o->boundary[1] && !o->boundary[2]) memcpy(o->boundary, usual, sizeof usual);
    if (o->boundary[0] >= o->boundary[1] || o->boundary[1] >= o->boundary[2]) {
        rk_error_detail("boundary %u, %u, %u: must rise, as 64, 128, 192 do", o->boundary[0], o->boundary[1],
                        o->boundary[2]);
        f->mistakes++;
    } else if (!o->priority && memcmp(o->boundary, usual, sizeof usual) != 0) {
        rk_error_detail("boundary %u, %u, %u needs priority = 1, which makes the bands", o->boundary[0],
                        o->boundary[1], o->boundary[2]);
        f->mistakes++;
    }
    if (o->boundary[3]) {
        rk_error_detail("boundary[3] %u: three boundaries part four bands; leave it 0", o->boundary[3]);
        f->mistakes++;
    }
}

/* Combinations that no backend can have; the text says why and what works. */
static void check_combinations(finding *f, const rk_launch_options *o)
{
    if (o->slot_format == RK_FORMAT_UNIT &&
        (o->deduplication_window || o->priority || o->backpressure == RK_BACKPRESSURE_DROP_OLDEST)) {
        rk_error_detail("slot_format unit needs a plain lane: turn off deduplication_window and priority, "
                        "and use a backpressure "
                        "other than DropOldest, or take slot_format seq");
        f->mistakes++;
    }
    if (o->default_ttl_us && !o->expiry) {
        rk_error_detail("default_ttl_us %u needs expiry = 1, which gives messages the long header",
                        o->default_ttl_us);
        f->mistakes++;
    }
    if (o->expired_to_dead && !o->expiry) {
        rk_error_detail("expired_to_dead needs expiry = 1");
        f->mistakes++;
    }
    if (o->dead_letter_alert > rk_letters_capacity(o)) {
        rk_error_detail("dead_letter_alert %u is over dead_letter_capacity %u, so it would never be given",
                        o->dead_letter_alert, rk_letters_capacity(o));
        f->mistakes++;
    }
}

rk_status rk_validate_launch(rk_launch_options *o)
{
    finding f = { 0 };
    rk_status status = rk_check_size(o, sizeof *o, "launch options");
    if (status != RK_OK) return status;
    rk_error(RK_INVALID_OPTIONS, "invalid launch options");
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
        rk_error_detail("handler_limit_ns %llu is under %llu; 0 is the runtime's stall_limit_ns",
                        (unsigned long long)o->handler_limit_ns, (unsigned long long)RK_HANDLER_LIMIT_LEAST);
        f.mistakes++;
    }
    check_range(&f, "dead_letter_capacity", o->dead_letter_capacity, 0, RK_DEAD_LETTERS_MAX);
    if (o->launch_) {
        rk_error_detail("launch_ %u: this version has no such option; leave it 0", o->launch_);
        f.mistakes++;
    }
    check_combinations(&f, o);
    if (f.mistakes) return RK_INVALID_OPTIONS;
    rk_error_begin();
    return RK_OK;
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
