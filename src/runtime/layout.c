#include "layout.h"

#include <string.h>

#include <ringkernel/device/batch.h>

#include "blocks.h"
#include "wiring.h"

/* For who makes room to get going again after a stop, which takes milliseconds; short, for what a deadline means. */
#define LAST_WAIT_MOST_NS RK_SECONDS(1)

/* ------------------------------------------------------------------ plan */

static rk_u64 align_up(rk_u64 x, rk_u64 to) { return (x + to - 1) / to * to; }

static rk_u32 power_of_two_from(rk_u64 x)
{
    rk_u32 p = RK_SLOT_MIN;
    while (p < x) p *= 2;
    return p;
}

/* The smallest slot for a payload. */
static rk_u32 slot_for(rk_u32 payload, rk_u32 header, rk_u32 format)
{
    rk_u32 slot = RK_SLOT_MIN;
    while (slot < header || rk_slot_payload(slot, header, format) < payload) slot *= 2;
    return slot;
}

/* Payload bytes that messages up to `largest` need in a slot: larger ones travel by reference. */
static rk_u32 inline_bytes(rk_u32 largest)
{
    return largest > RK_INLINE_MAX          ? RK_INLINE_MAX
           : largest < sizeof(rk_reference) ? (rk_u32)sizeof(rk_reference)
                                            : largest;
}

/* Ends of the two blocks' parts, as they are planned. */
typedef struct planning {
    rk_layout *layout;
    rk_u64 end[2];
} planning;

/* Room for `size` bytes near the host or the device, counted in `part`. */
static rk_u64 room(planning *p, rk_u32 near, rk_u64 *part, rk_u64 size)
{
    rk_u64 *end = &p->end[near & p->layout->device];
    rk_u64 at = align_up(*end, RK_LINE);
    *part += at - *end + size;
    *end = at + size;
    return at;
}

static rk_u64 close_part(planning *p, rk_u32 near, rk_u64 *part)
{
    rk_u64 *end = &p->end[near & p->layout->device], at = align_up(*end, 4096);
    *part += at - *end;
    return *end = at;
}

/* Headers of a lane; a device with its own memory has its own of those that lead to and from the host. */
static void plan_headers(planning *p, rk_u32 which)
{
    rk_lane_plan *lane = &p->layout->lane[which];
    rk_u64 *control = &p->layout->parts.control, rings = sizeof(rk_ring) * lane->bands;
    lane->lane = room(p, rk_lane_near(which), control, sizeof(rk_lane));
    lane->rings = room(p, rk_lane_near(which), control, rings);
    if (p->layout->device && which != RK_LANE_DEVICE)
        lane->twin = room(p, RK_NEAR_DEVICE, control, sizeof(rk_lane) + rings);
}

static void plan_slots(planning *p, rk_u32 which, rk_u64 *part)
{
    rk_lane_plan *lane = &p->layout->lane[which];
    rk_u32 near = rk_lane_near(which);
    lane->slots = room(p, near, part, (rk_u64)lane->slot_size * lane->capacity * lane->bands);
    if (lane->window) {
        rk_u64 *windows = &p->layout->parts.windows;
        lane->window_entries = power_of_two_from((rk_u64)lane->window * 2);
        lane->window_ids = room(p, near, windows, (rk_u64)lane->window * 8);
        lane->window_table = room(p, near, windows, (rk_u64)lane->window_entries * 8);
    }
}

static rk_u32 out_capacity(const rk_class *class, const rk_launch_options *o)
{
    const rk_attributes *a = class->attributes;
    if (o->output_capacity != RK_FROM_KERNEL) return o->output_capacity;
    return a->output_queue ? a->output_queue : a->message_queue ? a->message_queue : o->queue_capacity;
}

static rk_u32 default_batch(rk_u32 mode) { return mode == RK_CONTINUOUS ? 1 : mode == RK_BATCH ? 64 : 32; }

/* Mode and batch: the attributes, or the preset that a domain stands for. */
static void plan_mode(const rk_class *class, const rk_launch_options *o, rk_layout *l)
{
    static const struct {
        rk_u32 mode, batch;
    } domains[] = {
        [RK_DOMAIN_GENERAL] = { RK_ADAPTIVE, 0 },
        [RK_DOMAIN_GRAPH] = { RK_ADAPTIVE, 256 },
        [RK_DOMAIN_STREAM] = { RK_BATCH, 64 },
        [RK_DOMAIN_ACTOR] = { RK_ADAPTIVE, 16 },
    };
    const rk_attributes *a = class->attributes;
    l->mode = a->mode ? a->mode : domains[a->domain].mode;
    l->max_batch = a->max_batch               ? a->max_batch
                   : domains[a->domain].batch ? domains[a->domain].batch
                                              : default_batch(l->mode);
    if (o->max_batch != RK_FROM_KERNEL) l->max_batch = o->max_batch;
    if (l->mode == RK_CONTINUOUS) l->max_batch = 1;
    l->threads = o->threads != RK_FROM_KERNEL          ? o->threads
                 : a->threads                          ? a->threads
                 : class->spmd || a->width == RK_BLOCK ? 256
                 : a->width == RK_WARP                 ? 32
                                                       : 1;
    if (class->spmd && l->max_batch > l->threads) l->max_batch = l->threads; /* a thread takes one message */
    /* Who says nothing has a message for each thread. */
    if (class->spmd && !a->max_batch && o->max_batch == RK_FROM_KERNEL && l->mode != RK_CONTINUOUS &&
        !domains[a->domain].batch)
        l->max_batch = l->threads;
}

/* What the launch options ask of a kernel that can't be with its attributes. */
static rk_status check_fit(const rk_class *class, const rk_launch_options *o)
{
    const rk_attributes *a = class->attributes;
    rk_status found = RK_OK;
    if (a->state == RK_PER_ACTOR && o->actors == 0)
        found = rk_error_also(found, rk_error(RK_INVALID_OPTIONS,
                                              "kernel '%s' keeps state per actor: actors must be 1 or more",
                                              class->name));
    if (a->state != RK_PER_ACTOR && o->actors)
        found = rk_error_also(
            found,
            rk_error(RK_INVALID_OPTIONS, "actors %u: kernel '%s' keeps no state per actor (its .state is %s)",
                     o->actors, class->name, a->state == RK_PER_SHARD ? "RK_PER_SHARD" : "RK_STATELESS"));
    if (class->largest_in > RK_INLINE_MAX && o->backpressure == RK_BACKPRESSURE_DROP_OLDEST)
        found = rk_error_also(
            found, rk_error(RK_UNSUPPORTED,
                            "kernel '%s' takes messages of %u bytes, over %u: those travel by reference, "
                            "which DropOldest would leak; use Block, Reject or DropNewest",
                            class->name, class->largest_in, RK_INLINE_MAX));
    if (class->spmd && class->largest_in > RK_INLINE_MAX)
        found = rk_error_also(found, rk_error(RK_UNSUPPORTED,
                                              "kernel '%s' is SPMD: its messages must be at most %u bytes, "
                                              "since each thread takes a copy of its own",
                                              class->name, RK_INLINE_MAX));
    if (o->pool_blocks && class->largest_in <= RK_INLINE_MAX && class->largest_out <= RK_INLINE_MAX)
        found = rk_error_also(
            found, rk_error(RK_INVALID_OPTIONS,
                            "pool_blocks %u: no message of kernel '%s' is over %u bytes, so none travels by "
                            "reference; leave it 0",
                            o->pool_blocks, class->name, RK_INLINE_MAX));
    if (o->system_order && a->memory != RK_RELEASE_ACQUIRE)
        found = rk_error_also(
            found,
            rk_error(RK_INVALID_OPTIONS,
                     "system_order: the .memory of kernel '%s' is %s, whose fences are its own; leave it 0, "
                     "or make that RK_RELEASE_ACQUIRE",
                     class->name, a->memory == RK_SEQUENTIAL ? "RK_SEQUENTIAL" : "RK_RELAXED_MEMORY"));
    if (o->spmd_check && !class->spmd)
        found = rk_error_also(
            found, rk_error(RK_INVALID_OPTIONS,
                            "spmd_check: kernel '%s' is not SPMD: it has no threads of its own whose "
                            "order could matter; use 0",
                            class->name));
    if (a->mode == RK_CONTINUOUS && o->max_batch != RK_FROM_KERNEL && o->max_batch > 1)
        found = rk_error_also(
            found, rk_error(RK_INVALID_OPTIONS,
                            "max_batch %u: kernel '%s' is RK_CONTINUOUS, which takes 1 message a turn; "
                            "make its .mode RK_ADAPTIVE or RK_BATCH",
                            o->max_batch, class->name));
    return found;
}

/* The group that a width names, and threads that would have no part in it. */
static rk_status check_width(const rk_class *class, const rk_layout *l)
{
    const rk_u32 width = class->attributes->width;
    if (class->spmd && width == RK_WARP)
        return rk_error(
            RK_INVALID_OPTIONS,
            "kernel '%s': .width RK_WARP, but all threads of a block run the body of an SPMD kernel: leave "
            "it out, and say RK_SCOPE_WARP at its barriers",
            class->name);
    if (class->spmd || width == RK_BLOCK) return RK_OK;
    if (class->batch && l->threads > (width == RK_WARP ? 32u : 1u))
        return rk_error(RK_INVALID_OPTIONS,
                        "kernel '%s': .threads %u, of which one %s handles a batch: make its .width RK_BLOCK",
                        class->name, l->threads, width == RK_WARP ? "warp" : "thread");
    if (width == RK_WARP && l->threads > 32 && l->threads % 32)
        return rk_error(
            RK_INVALID_OPTIONS,
            "kernel '%s': .threads %u of .width RK_WARP are no whole warps: the nearest are %u and %u",
            class->name, l->threads, l->threads / 32 * 32, (l->threads / 32 + 1) * 32);
    return RK_OK;
}

/* What the attributes themselves say that can't be; an option in their stead is told as an option. */
static rk_status check_attributes(const rk_class *class, const rk_launch_options *o, const rk_layout *l)
{
    const rk_attributes *a = class->attributes;
    rk_status found = RK_OK;
    const struct {
        const char *name;
        rk_u32 value, low, high;
    } ranges[] = { { ".max_batch", o->max_batch == RK_FROM_KERNEL ? l->max_batch : 1, 1, RK_BATCH_MAX },
                   { ".threads", o->threads == RK_FROM_KERNEL ? l->threads : 1, 1, 1024 },
                   { ".max_sends", l->max_sends, 1, RK_SENDS_MAX },
                   { ".shared", a->shared, 0, RK_SHARED_MAX } };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].value < ranges[i].low || ranges[i].value > ranges[i].high)
            found = rk_error_also(found, rk_error(RK_INVALID_OPTIONS, "kernel '%s': %s %u is not in %u to %u",
                                                  class->name, ranges[i].name, ranges[i].value, ranges[i].low,
                                                  ranges[i].high));
    if (class->spmd && o->max_batch != RK_FROM_KERNEL && o->max_batch > l->threads)
        found = rk_error_also(
            found, rk_error(RK_INVALID_OPTIONS,
                            "max_batch %u: kernel '%s' is SPMD, and each of its %u threads takes 1 message a "
                            "turn; ask for %u at most, or for more threads",
                            o->max_batch, class->name, l->threads, l->threads));
    const struct {
        const char *name;
        rk_u32 value;
    } queues[] = { { ".input_queue", a->input_queue },
                   { ".output_queue", a->output_queue },
                   { ".message_queue", a->message_queue } };
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
        if (queues[i].value && (queues[i].value < RK_CAPACITY_MIN || queues[i].value > RK_CAPACITY_MAX ||
                                (queues[i].value & (queues[i].value - 1))))
            found = rk_error_also(found, rk_error(RK_INVALID_OPTIONS,
                                                  "kernel '%s': %s %u is not a power of two in %u to %u",
                                                  class->name, queues[i].name, queues[i].value,
                                                  RK_CAPACITY_MIN, RK_CAPACITY_MAX));
    const struct {
        const char *name;
        rk_u32 value;
    } switches[] = { { ".event_driven", a->event_driven },
                     { ".timestamps", a->timestamps },
                     { ".not_causal", a->not_causal },
                     { ".replies", a->replies } };
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (switches[i].value > 1)
            found = rk_error_also(found, rk_error(RK_INVALID_OPTIONS, "kernel '%s': %s %u is not 0 or 1",
                                                  class->name, switches[i].name, switches[i].value));
    const rk_u32 known = RK_ON_CPU | RK_ON_CUDA | RK_ON_OPENCL | RK_ON_METAL;
    if (a->backends & ~known)
        found = rk_error_also(found, rk_error(RK_INVALID_OPTIONS,
                                              "kernel '%s': .backends 0x%x has bits that are no RK_ON_*",
                                              class->name, a->backends));
    if (a->gather_us && l->mode != RK_BATCH)
        found = rk_error_also(found,
                              rk_error(RK_INVALID_OPTIONS,
                                       "kernel '%s': .gather_us %u, but its .mode gathers nothing: make it "
                                       "RK_BATCH",
                                       class->name, a->gather_us));
    if (a->barrier && !class->spmd)
        found = rk_error_also(
            found, rk_error(RK_INVALID_OPTIONS,
                            "kernel '%s': .barrier is of SPMD kernels: a region ends in its group's "
                            "barrier by itself; leave it out",
                            class->name));
    if (a->mode == RK_CONTINUOUS && a->max_batch > 1)
        found = rk_error_also(
            found,
            rk_error(RK_INVALID_OPTIONS,
                     "kernel '%s': .max_batch %u with .mode RK_CONTINUOUS, which takes 1 message a turn",
                     class->name, a->max_batch));
    return found;
}

void rk_layout_defaults(const rk_class *class, rk_launch_options *o)
{
    const rk_attributes *a = class->attributes;
    if (a->input_queue || a->message_queue)
        o->queue_capacity = a->input_queue ? a->input_queue : a->message_queue;
}

rk_status rk_layout_check(const rk_class *class, const rk_launch_options *o)
{
    rk_layout l = { .max_sends = class->attributes->max_sends ? class->attributes->max_sends : 1 };
    plan_mode(class, o, &l);
    return rk_error_also(rk_error_also(check_fit(class, o), check_attributes(class, o, &l)),
                         check_width(class, &l));
}

/* Groups of a block that may handle messages at the same time, each with shared memory of its own. Where one thread
 * handles a message, a device takes whole warps, and of a kernel that says nothing blocks of its own choice. */
static rk_u32 groups_side_by_side(const rk_class *class, rk_u32 threads, rk_u32 chosen)
{
    const rk_attributes *a = class->attributes;
    if (class->spmd || class->batch || a->state == RK_PER_SHARD || a->width == RK_BLOCK) return 1;
    if (a->width == RK_WARP) return threads > 32 ? threads / 32 : 1;
    return threads > 1 && chosen > 1 ? (threads + 31u) / 32u * 32u : chosen; /* 1: it takes no more anyway */
}

/* Capacity, format and policy of each lane. */
static void plan_lanes(const rk_class *class, const rk_launch_options *o, rk_layout *l)
{
    rk_u32 header = l->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT;
    rk_u32 in = inline_bytes(class->largest_in), out = inline_bytes(class->largest_out);
    const rk_u32 format = l->device && !l->shares ? RK_FORMAT_UNIT : o->slot_format;
    for (rk_u32 w = RK_LANE_HOST; w <= RK_LANE_DEVICE; w++)
        l->lane[w] = (rk_lane_plan){
            .capacity = o->queue_capacity,
            .bands = o->priority ? RK_BANDS : 1,
            .header_size = header,
            .format = format,
            .slot_size = slot_for(in, header, format),
            .strategy = o->backpressure,
            .window = o->deduplication_window,
            .overwritten = o->backpressure == RK_BACKPRESSURE_DROP_OLDEST,
            .locked =
                o->deduplication_window || o->priority || o->backpressure == RK_BACKPRESSURE_DROP_OLDEST,
        };
    l->lane[RK_LANE_DEVICE].locked |= l->locks;
    l->lane[RK_LANE_DEVICE].counted = l->device && !l->lane[RK_LANE_DEVICE].locked;
    l->lane[RK_LANE_HOST].single = o->single_producer; /* of plain ones */
    rk_u32 reported = (rk_u32)sizeof(rk_report) + (in > out ? in : out);
    if (reported < sizeof(rk_report) + sizeof(rk_log_line))
        reported = sizeof(rk_report) + sizeof(rk_log_line);
    rk_u32 capacity = out_capacity(class, o);
    l->lane[RK_LANE_OUT] = (rk_lane_plan){ .capacity = capacity,
                                           .bands = 1,
                                           .header_size = header,
                                           .format = format,
                                           .slot_size = slot_for(out > in ? out : in, header, format),
                                           .single = 1 }; /* a message may be forwarded */
    l->lane[RK_LANE_REPORT] = (rk_lane_plan){ .capacity = capacity < 1024 ? capacity : 1024,
                                              .bands = 1,
                                              .header_size = RK_HEADER_LONG,
                                              .format = format,
                                              .slot_size = slot_for(reported, RK_HEADER_LONG, format),
                                              .single = 1 };
}

/* What a turn works on: staged sends, copies of messages, the state. */
static void plan_work(const rk_class *class, const rk_launch_options *o, planning *p)
{
    rk_layout *l = p->layout;
    const rk_attributes *a = class->attributes;
    rk_u32 in = inline_bytes(class->largest_in), out = inline_bytes(class->largest_out);
    rk_u32 calls = class->spmd ? l->threads : l->max_batch;
    l->state_stride = a->state == RK_STATELESS ? 0 : (rk_u32)align_up(class->state_size, 16);
    l->actors_per_shard = (rk_u32)(((rk_u64)o->actors + o->shards - 1) / o->shards);
    l->state_count = a->state == RK_PER_ACTOR ? l->actors_per_shard : a->state == RK_PER_SHARD;
    l->stage_stride = (rk_u32)align_up(sizeof(rk_staged) + (in > out ? in : out), 64);
    l->stage_capacity = calls * (l->max_sends + RK_STAGE_EXTRA);
    rk_u32 copied = l->lane[RK_LANE_HOST].overwritten || l->lane[RK_LANE_HOST].format == RK_FORMAT_UNIT;
    while ((1u << l->copy_shift) < l->lane[RK_LANE_HOST].slot_size) l->copy_shift++;
    l->copy_slots = copied ? l->max_batch : 0;
    rk_u64 *staging = &l->parts.staging;
    l->stage = room(p, RK_NEAR_DEVICE, staging, (rk_u64)l->stage_stride * l->stage_capacity);
    l->copies = room(p, RK_NEAR_DEVICE, staging, (rk_u64)l->copy_slots << l->copy_shift);
    if (class->batch || (l->device && a->state == RK_PER_ACTOR)) /* a device handles actors in rounds */
        l->order = room(p, RK_NEAR_DEVICE, staging, (rk_u64)l->max_batch * RK_BATCH_SCRATCH_WORDS * 4);
    if (!l->device) l->shared = room(p, RK_NEAR_HOST, staging, l->shared_size + 64);
    l->state = room(p, RK_NEAR_DEVICE, &l->parts.state, (rk_u64)l->state_stride * l->state_count);
}

static void plan_pools(const rk_class *class, const rk_launch_options *o, rk_layout *l)
{
    l->in_block = class->largest_in > RK_INLINE_MAX ? align_up(class->largest_in, RK_LINE) : 0;
    l->out_block = class->largest_out > RK_INLINE_MAX ? align_up(class->largest_out, RK_LINE) : 0;
    rk_u64 block = l->in_block > l->out_block ? l->in_block : l->out_block;
    if (!block) return;
    l->pool_blocks = o->pool_blocks ? o->pool_blocks
                                    : (rk_u32)((64ull << 20) / block > 64 ? 64 : (64ull << 20) / block + 1);
    l->out_block = block; /* what comes in may be sent on in copies */
}

void rk_layout_plan(const rk_class *class, const rk_launch_options *o, rk_u32 traits, rk_u32 chosen,
                    rk_layout *l)
{
    const rk_attributes *a = class->attributes;
    const rk_u32 device = traits & RK_LAYOUT_DEVICE;
    memset(l, 0, sizeof *l);
    l->device = device;
    l->locks = (traits & RK_LAYOUT_LOCKS) != 0;
    l->shares = (traits & RK_LAYOUT_SHARES) != 0;
    plan_mode(class, o, l);
    rk_u32 stamps = o->timestamps == RK_FROM_KERNEL ? a->timestamps : o->timestamps;
    if (o->deduplication_window || o->expiry || o->requests || stamps) l->features |= RK_FEATURE_LONG;
    if (stamps) l->features |= RK_FEATURE_TIMESTAMPS;
    if (stamps && !a->not_causal) l->features |= RK_FEATURE_CAUSAL;
    if (o->expired_to_dead) l->features |= RK_FEATURE_EXPIRED_TO_DEAD;
    l->max_sends = a->max_sends ? a->max_sends : 1;
    l->shared_groups = device ? groups_side_by_side(class, l->threads, chosen) : 1;
    const rk_u64 shared = align_up(a->shared, 16) * l->shared_groups;
    l->shared_size = shared > RK_SHARED_MAX ? RK_SHARED_MAX : (rk_u32)shared; /* more than any block has */
    plan_lanes(class, o, l);
    plan_pools(class, o, l);

    planning p = { .layout = l };
    rk_memory_estimate *parts = &l->parts;
    room(&p, RK_NEAR_DEVICE, &parts->control, sizeof(rk_shard));
    for (rk_u32 w = 0; w < RK_LANES; w++)
        if (w != RK_LANE_DEVICE) plan_headers(&p, w);
    l->own = p.end[device];
    plan_headers(&p, RK_LANE_DEVICE);
    l->control = p.end[device];
    l->orders = room(&p, RK_NEAR_HOST, &parts->control, sizeof(rk_orders));
    rk_u64 *slots[RK_LANES] = { &parts->inbox_slots, &parts->inbox_slots, &parts->output_slots,
                                &parts->report_slots };
    for (rk_u32 w = 0; w < RK_LANES; w++) plan_slots(&p, w, slots[w]);
    plan_work(class, o, &p);
    for (rk_u32 near = 0; near <= device; near++)
        l->block[near].shard_stride = close_part(&p, near, &parts->control);

    rk_u64 *each[] = { &parts->inbox_slots, &parts->output_slots, &parts->report_slots, &parts->windows,
                       &parts->state,       &parts->staging,      &parts->control };
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) *each[i] *= o->shards;
    p.end[0] = p.end[1] = 0;
    l->parameters = room(&p, RK_NEAR_DEVICE, &parts->control, (rk_u64) class->numbers * 8 + 8);
    if (device) l->table = room(&p, RK_NEAR_DEVICE, &parts->control, 8ull * o->shards);
    for (rk_u32 near = 0; near <= device; near++) {
        rk_layout_block *block = &l->block[near];
        block->first_shard = close_part(&p, near, &parts->control);
        block->size = block->first_shard + block->shard_stride * o->shards;
    }
    l->wiring = align_up(rk_wiring_bytes(class->numbers, o->shards), 4096);
    parts->control += l->wiring;
    parts->pools = align_up(rk_pools_bytes(l, o->shards), 4096);
    parts->total = parts->pools;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) parts->total += *each[i];
}

/* ------------------------------------------------------------------ place */

void rk_layout_ring(rk_byte *arena, rk_ring *ring, const rk_lane_plan *plan, rk_u64 slots)
{
    ring->slots = slots;
    ring->capacity = plan->capacity;
    ring->mask = plan->capacity - 1;
    ring->stamp_shift = rk_stamp_shift_for(plan->capacity);
    ring->slot_size = plan->slot_size;
    while ((1u << ring->slot_shift) < plan->slot_size) ring->slot_shift++;
    ring->header_size = plan->header_size;
    ring->format = plan->format;
    ring->single = plan->single;
    ring->counted = plan->counted;
    ring->room = plan->counted ? plan->capacity : 0;
    ring->overwritten = plan->overwritten;
    ring->payload_max = rk_slot_payload(plan->slot_size, plan->header_size, plan->format);
    rk_u32 laps = plan->format == RK_FORMAT_UNIT ? plan->slot_size / 16 : 1;
    for (rk_u32 i = 0; i < plan->capacity; i++)
        for (rk_u32 u = 0; u < laps; u++)
            *(rk_u32 *)(void *)(arena + slots + ((rk_u64)i << ring->slot_shift) + u * 16) =
                rk_ring_lap(ring, 0) - plan->capacity;
}

static void place_lane(rk_host_kernel *kernel, rk_u32 which, rk_u32 shard)
{
    rk_byte *arena = kernel->runtime->arena.base;
    const rk_lane_plan *plan = &kernel->layout.lane[which];
    rk_u64 part = rk_layout_part(&kernel->layout, rk_lane_near(which), shard);
    rk_lane *lane = (rk_lane *)(arena + part + plan->lane);
    lane->capacity = plan->capacity;
    lane->bands = plan->bands;
    lane->strategy = plan->strategy;
    lane->locked = plan->locked;
    memcpy(lane->boundary, kernel->options.boundary, sizeof lane->boundary);
    lane->owner = kernel->number;
    lane->shard = shard;
    lane->window = plan->window;
    lane->window_mask = plan->window ? plan->window_entries - 1 : 0;
    lane->window_ids = part + plan->window_ids;
    lane->window_table = part + plan->window_table;
    for (rk_u32 b = 0; b < plan->bands; b++) {
        lane->rings[b] = part + plan->rings + b * sizeof(rk_ring);
        rk_layout_ring(arena, (rk_ring *)(arena + lane->rings[b]), plan,
                       part + plan->slots + (rk_u64)b * plan->slot_size * plan->capacity);
    }
}

rk_u64 rk_layout_lane(const rk_layout *l, rk_u32 which, rk_u32 s)
{
    return rk_layout_part(l, rk_lane_near(which), s) + l->lane[which].lane;
}

/* The lane as the device sees it. */
static rk_u64 near_device(const rk_layout *l, rk_u32 which, rk_u32 s)
{
    rk_u64 twin = l->lane[which].twin;
    return twin ? rk_layout_part(l, RK_NEAR_DEVICE, s) + twin : rk_layout_lane(l, which, s);
}

static void place_shard(rk_host_kernel *kernel, rk_u32 s)
{
    const rk_layout *l = &kernel->layout;
    const rk_class *class = kernel->class;
    const rk_launch_options *o = &kernel->options;
    const rk_attributes *a = class->attributes;
    rk_byte *arena = kernel->runtime->arena.base;
    rk_u64 part = rk_layout_part(l, RK_NEAR_DEVICE, s);
    rk_shard *shard = (rk_shard *)(arena + part);
    rk_orders *orders = (rk_orders *)(arena + rk_layout_part(l, RK_NEAR_HOST, s) + l->orders);
    shard->source = rk_kernel_source(kernel);
    shard->shard = s;
    shard->shards = o->shards;
    shard->features = l->features;
    shard->width = a->width;
    shard->threads = l->threads;
    shard->state_kind = a->state;
    shard->state_size = l->state_stride;
    shard->actors = o->actors;
    shard->timer = kernel->class->timer != 0;
    shard->actors_here =
        a->state == RK_PER_ACTOR ? (rk_u32)(((rk_u64)o->actors + o->shards - 1 - s) / o->shards) : 0;
    shard->mode = l->mode;
    shard->max_batch = l->max_batch;
    shard->max_sends = l->max_sends;
    shard->route_total = kernel->class->numbers;
    shard->memory = o->system_order ? RK_ACROSS_BUS : a->memory;
    shard->stage_stride = l->stage_stride;
    shard->stage_capacity = l->stage_capacity;
    shard->copy_shift = l->copy_shift;
    shard->shared_size = l->shared_size;
    shard->log_limit = a->log_limit ? a->log_limit : 10;
    for (rk_u32 w = 0; w < RK_LANES; w++) place_lane(kernel, w, s);
    shard->lane[0] = near_device(l, RK_LANE_HOST, s);
    shard->lane[1] = near_device(l, RK_LANE_DEVICE, s);
    shard->out_lane = near_device(l, RK_LANE_OUT, s);
    shard->report_lane = near_device(l, RK_LANE_REPORT, s);
    shard->orders = (rk_u64)((rk_byte *)orders - arena);
    shard->state = part + l->state;
    shard->stage = part + l->stage;
    shard->copies = part + l->copies;
    shard->order = l->order ? part + l->order : 0;
    shard->shared = part + l->shared;
    shard->parameters = rk_layout_common(l, l->parameters);
    shard->pool_table = kernel->runtime->pool_table;
    shard->directory = kernel->runtime->directory;
    shard->gather_limit_ns = l->mode == RK_BATCH ? (a->gather_us ? a->gather_us : 50) * 1000ull : 0;
    shard->slice_limit_ns = a->slice_us * 1000ull;
    shard->slice_messages = a->slice_messages;
    shard->event_driven = a->event_driven;
    shard->send_deadline_ns = o->send_deadline_ns == RK_NO_DEADLINE ? 0
                              : o->send_deadline_ns                 ? o->send_deadline_ns
                                                                    : RK_SEND_DEADLINE_DEFAULT;
    /* A clock that is injected, and steps, go as they like. */
    const rk_runtime_options *r = &kernel->runtime->options;
    if (!r->clock_ns && !r->single_step)
        shard->last_wait_ns =
            shard->send_deadline_ns < LAST_WAIT_MOST_NS ? shard->send_deadline_ns : LAST_WAIT_MOST_NS;
    shard->default_ttl_us = o->default_ttl_us;
    orders->command = RK_COMMAND_RUN;
    if (l->device) ((rk_u64 *)(void *)(arena + rk_layout_common(l, l->table)))[s] = part;
}

void rk_layout_place(rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->options.shards; s++) place_shard(kernel, s);
}
