/* One turn of the express (express.h): can the shard go by it, what is there, the handlers, numbering, and at the end
 * writing, committing and counting. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_TURN_H
#define RINGKERNEL_DEVICE_EXPRESS_TURN_H

#include "express_handle.h"
#include "express_look.h"
#include "express_send.h"

#if defined(RK_LANG_CUDA)

#include "causal.h"
#include "loop.h"

#define RK_EXPRESS_GENERAL 32u /* messages of a general visit in between: its leader publishes one by one */
#define RK_EXPRESS_IDLE 1024u /* looks that find nothing, by the first warp, until the general visit comes, */
#define RK_EXPRESS_EMPTY 64u  /* by the block where the first warp can't look alone, */
#define RK_EXPRESS_TURNS 512u /* and turns: the host may have died, or closed a target, meanwhile */
#define RK_EXPRESS_BUS 16u    /* looks at the device's lane for one at the host's */

#define RK_EXPRESS_NEVER 0u /* as the kernel was launched and connected */
#define RK_EXPRESS_LATER 1u /* something else comes first */
#define RK_EXPRESS_NOW 2u

/* Can this shard go by express? The same answer for all threads. */
RK_FN_LARGE rk_u32 rk_express_can(rk_entry *entry, rk_express *x, const rk_express_own *own)
{
    rk_context *context = &entry->context;
    RK_GLOBAL const rk_shard *shard = context->shard;
    RK_GLOBAL const rk_turn *turn = context->turn;
    const rk_u32 known =
        RK_FEATURE_LONG | RK_FEATURE_TIMESTAMPS | RK_FEATURE_CAUSAL | RK_FEATURE_EXPIRED_TO_DEAD;
    rk_u32 can = own->room.messages && entry->threads % 32u == 0 && !(shard->features & ~known) &&
                 shard->default_ttl_us == 0 && shard->mode != RK_BATCH && !shard->event_driven;
    for (rk_u32 l = 0; l < 2u && can; l++) {
        RK_GLOBAL const rk_lane *lane = rk_shard_lane(context, l);
        RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane, context->arena, 0);
        can = !ring->overwritten && ring->format == RK_FORMAT_UNIT && lane->bands <= entry->threads / 32u &&
              lane->bands <= own->room.messages;
    }
    /* Read before the barrier that rk_express_aim ends in: the next look writes the orders again. */
    const rk_u32 now = entry->orders->command == RK_COMMAND_RUN && !entry->orders->leave && !turn->parked &&
                       !turn->failed && turn->n == 0 && turn->wake_ns == 0 &&
                       turn->phase <= RK_PHASE_PAUSED && entry->orders->faults == turn->faults;
    if (!can || !rk_express_aim(entry, x, own) ||
        x->to.rows * 32u / shard->max_sends < rk_shard_lane(context, 0)->bands)
        return RK_EXPRESS_NEVER;
    return now ? RK_EXPRESS_NOW : RK_EXPRESS_LATER;
}

RK_FN void rk_express_carry(rk_byte *to, RK_GLOBAL const void *from, rk_u32 bytes)
{
    for (rk_u32 at = 0; at < bytes; at += 4u)
        *(rk_word *)(to + at) = *(const rk_word *)((const rk_u8 *)from + at);
}

/* How long each of the batch has waited, from what its warps know. */
RK_FN void rk_express_count_waits(const rk_express *x, RK_GLOBAL rk_histogram *h, rk_u32 n)
{
    rk_u64 sum = 0, least = ~0ul, most = 0;
    for (rk_u32 w = 0; w * 32u < n; w++) {
        sum += x->wait_sum_ns[w];
        least = x->wait_min_ns[w] < least ? x->wait_min_ns[w] : least;
        most = x->wait_max_ns[w] > most ? x->wait_max_ns[w] : most;
    }
    if (h->count == 0 || least < h->min_ns) h->min_ns = least;
    if (most > h->max_ns) h->max_ns = most;
    rk_port_count(&h->sum_ns, sum);
    rk_port_count(&h->count, n);
}

/* A batch becomes a turn as the general visit knows it, in the device's memory, and that finishes it. Its messages lie in
 * a circle of `copies` from `first` on. Returns RK_VISIT_*. */
RK_FN_LARGE rk_u32 rk_express_general(rk_entry *entry, rk_express *x, const rk_express_own *own,
                                      const rk_way *in, rk_u32 n, rk_u32 first, rk_u32 copies, rk_u64 now_ns)
{
    rk_context *context = &entry->context;
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 share = rk_stage_share(context), k = entry->thread, stride = context->shard->stage_stride,
           visit = 0;
    if (k == 0) {
        turn->views = 1;
        turn->n = turn->copied = n;
        turn->references = turn->published = 0;
        turn->taken_ns = now_ns;
        rk_view_open(context, &turn->view[0], (rk_u64)((rk_byte *)in->ring - context->arena), in->head, n, 0);
    }
    RK_PORT_BLOCK_BARRIER();
    context->now_ns = now_ns;
    if (k < n) {
        const rk_u32 copy = first + k < copies ? first + k : first + k - copies;
        const rk_express_call call = x->call[copy];
        rk_context c;
        rk_express_context(entry, x, own, &c);
        rk_express_stand(own, &c, in->header_size, copy, call.first, 0);
        rk_byte *slot = rk_copy_slot(context, k), *stage = context->arena + context->shard->stage;
        rk_express_carry(slot, c.header, (in->header_size + c.header->length + 3u) & ~3u);
        for (rk_u32 i = 0; i < call.sent; i++) {
            RK_GLOBAL rk_staged *staged = rk_stage_entry(stage, stride, k * share + i);
            rk_express_carry((rk_byte *)staged, rk_stage_entry(c.stage, c.stage_stride, i), stride);
            staged->report.kind = 0; /* nobody wrote it in the block's memory */
        }
        c.header = (RK_GLOBAL const rk_header *)slot;
        c.payload = slot + in->header_size;
        c.stage = stage;
        c.stage_stride = stride;
        c.stage_first = k * share;
        c.stage_next = c.stage_first + call.sent;
        c.now_ns = now_ns;
        c.failed = call.failed;
        if (c.failed) rk_message_end(&c);
        for (rk_u32 i = c.stage_next; i < (k + 1u) * share; i++)
            rk_stage_entry(stage, stride, i)->route = RK_TO_NOWHERE;
    }
    context->stage_next = n * share;
    RK_PORT_BLOCK_BARRIER();
    if (k == 0) {
        rk_causal_begin(context, n);
        if (context->features & RK_FEATURE_TIMESTAMPS)
            rk_express_count_waits(x, &context->shard->meter.queue_wait, n); /* the buckets have them */
        rk_port_count(&context->shard->meter.rounds, x->rounds);
        rk_causal_end(context, turn->clock_hlc);
        context->thread = 0;
        context->threads = 1;
        rk_batch_release(context->shard->memory);
        visit = rk_entry_end(context);
    }
    return rk_block_agree(entry, visit);
}

/* ------------------------------------------------------------------ looking */

/* Slots that a warp looks at in one go. */
RK_FN rk_u32 rk_way_places(const rk_way *way) { return way->shift >= 9u ? 1u : 32u >> (way->shift - 4u); }

/* The ring's stamp_shift, which its length tells: a read of the device's memory less. */
RK_FN rk_u32 rk_way_stamp_shift(const rk_way *in)
{
    return in->mask < RK_STAMPS << RK_STAMP_SHIFT ? RK_STAMP_SHIFT : (rk_u32)__popc((int)in->mask) - 4u;
}
RK_FN RK_GLOBAL rk_u64 *rk_way_stamps(const rk_way *in) { return (in->far ? in->far : in->ring)->stamp; }

/* The stamp of the message of `index`, which is on its way while the handler runs; 0: it has none. */
RK_FN rk_u64 rk_express_stamp(const rk_way *in, rk_u32 index)
{
    const rk_u32 shift = rk_way_stamp_shift(in);
    if (rk_stamp_ahead(shift, index)) return 0;
    return rk_load_u64(rk_way_stamps(in) + rk_stamp_place(shift, index), RK_RELAXED, RK_SCOPE_SYSTEM);
}

/* What a look has found. */
typedef struct rk_catch {
    rk_way in;
    rk_u32 n, band;
    rk_u32 copy;    /* where the first lies */
    rk_u32 full;    /* every place that was looked at has one */
    rk_u32 several; /* bands have messages */
} rk_catch;

/* By the block; ends in a barrier. Of a lane with bands each has a part of the warps, and of the copies. */
RK_FN rk_catch rk_express_catch(rk_entry *entry, rk_express *x, const rk_express_own *own, rk_u32 from,
                                rk_u32 bands, rk_u32 most, rk_u32 width, rk_u32 deep)
{
    const rk_u32 warp = entry->thread / 32u, warps = entry->threads / 32u;
    const rk_u32 mine = bands == 1u ? 0u : warp % bands, at = bands == 1u ? warp : warp / bands;
    rk_catch found = { x->in[from][mine], 0, 0, 0, 0, 0 };
    rk_u64 head[RK_BANDS]; /* the leader may write them behind the barrier */
    for (rk_u32 b = 0; b < RK_BANDS; b++) head[b] = b < bands ? x->in[from][b].head : 0;
    const rk_u32 slots = rk_way_places(&found.in);
    if (bands > 1u) {
        most /= bands;
        width = warps / bands;
        deep = 1;
    }
    if (at < width)
        rk_express_look(entry, x, own, &found.in, most, at, width, deep, mine * most, x->count + 32u * mine);
    if (warp == warps - 1u) { /* as in the shuttle, the one that reads and writes the orders */
        if (!from) x->ends = rk_express_orders(entry, x);
        const rk_u32 lane = entry->thread % 32u;
        if (lane < bands) {
            const rk_way *in = &x->in[from][lane];
            const rk_u32 next = (rk_u32)in->head + rk_stamp_ahead(RK_EXPRESS_STAMPS, (rk_u32)in->head);
            x->stamp[lane] = next - (rk_u32)in->head < most ? rk_express_stamp(in, next) : 0;
        }
        if (lane == 0) x->now_ns = rk_entry_now(&entry->context);
    }
    RK_PORT_BLOCK_BARRIER();
#pragma unroll
    for (rk_u32 b = 0; b < RK_BANDS; b++) {
        rk_u32 n = b < bands ? rk_express_found(x->count + 32u * b, width * deep, slots, &found.full) : 0u;
        if (n == 0) continue;
        found.several = found.n != 0;
        found.in = x->in[from][b];
        found.in.head = head[b];
        found.n = n;
        found.band = b;
        found.copy = b * most;
    }
    return found;
}

/* Warps that look at as many slots as a turn has messages, as far as there are so many. */
RK_FN rk_u32 rk_express_wide(const rk_way *way, rk_u32 most, rk_u32 warps)
{
    rk_u32 slots = rk_way_places(way), wanted = (most + slots - 1u) / slots;
    return wanted < warps ? wanted : warps;
}

/* How wide the next look at a lane is: as the last batch was large. */
RK_FN void rk_express_widen(const rk_catch *found, rk_u32 slots, rk_u32 warps, rk_u32 *width, rk_u32 *deep)
{
    if (found->full && *width < warps)
        *width = *width * 4u < warps ? *width * 4u : warps;
    else if (found->full)
        *deep = RK_EXPRESS_DEEP;
    else if (found->n < slots)
        *width = *deep = 1;
}

/* ------------------------------------------------------------------ numbering */

/* How many the lanes before this one send; *total of all. */
RK_FN rk_u32 rk_warp_before(rk_u32 sent, rk_u32 most, rk_u32 *total)
{
    rk_u32 lane = threadIdx.x % 32u, sum = sent;
    if (most == 1u) {
        rk_u32 sends = __ballot_sync(RK_ALL_LANES, (int)sent);
        *total = (rk_u32)__popc((int)sends);
        return (rk_u32)__popc((int)(sends & ((1u << lane) - 1u)));
    }
    for (rk_u32 d = 1; d < 32u; d *= 2u) {
        rk_u32 other = __shfl_up_sync(RK_ALL_LANES, sum, d);
        if (lane >= d) sum += other;
    }
    *total = __shfl_sync(RK_ALL_LANES, sum, 31);
    return sum - sent;
}

RK_FN void rk_express_number(rk_express *x, const rk_express_own *own, rk_u32 before, rk_express_sends sends)
{
#pragma unroll 1
    for (rk_u32 i = 0; i < sends.n; i++)
        x->number[before + i] = (rk_u16)(sends.first + i * (own->room.stage_stride / 8u));
}

/* What the block is to know of a turn, by its leader. */
RK_FN void rk_express_tell(rk_express *x, rk_u32 total, rk_u32 out, rk_u32 done, rk_u32 general)
{
    x->total = total;
    x->out = out;
    x->done = done;
    x->general = general;
}

/* Sends of up to 32 messages, by the first warp, which writes them itself if they are few. */
RK_FN void rk_express_finish_few(rk_entry *entry, rk_express *x, const rk_express_own *own,
                                 rk_express_sends sends, rk_u32 n, rk_u64 now_ns)
{
    rk_u32 total, out = 0;
    rk_u32 general = __any_sync(RK_ALL_LANES, (int)!sends.plain) != 0;
    rk_u32 before = rk_warp_before(sends.n, sends.most, &total);
    if (!general) {
        rk_express_number(x, own, before, sends);
        __syncwarp();
        if (total && total <= 32u) {
            out = rk_express_send_few(entry, x, own, rk_express_order_of(entry, x, n, now_ns), total);
            general = out < total;
        }
    }
    if (entry->thread == 0) rk_express_tell(x, total, out, general || total <= 32u, general);
}

/* Sends of more messages, by all warps. Ends in a barrier. */
RK_FN void rk_express_finish_many(rk_entry *entry, rk_express *x, const rk_express_own *own,
                                  rk_express_sends sends)
{
    rk_u32 warp = entry->thread / 32u, warps = entry->threads / 32u, of_warp, total = 0;
    rk_u32 before = rk_warp_before(sends.n, sends.most, &of_warp);
    if (entry->thread % 32u == 0) x->sends[warp] = of_warp;
    rk_u32 general = (rk_u32)__syncthreads_or((int)!sends.plain);
#pragma unroll 1
    for (rk_u32 w = 0; w < warps; w++) {
        if (w == warp) before += total;
        total += x->sends[w];
    }
    if (!general) rk_express_number(x, own, before, sends);
    if (entry->thread == 0) rk_express_tell(x, total, 0, general || total == 0, general);
    RK_PORT_BLOCK_BARRIER();
}

/* ------------------------------------------------------------------ counting */

/* The lanes that count, and what. */
#define RK_COUNTS_DELIVERED 0u
#define RK_COUNTS_HANDLED 1u
#define RK_COUNTS_PROGRESS 2u
#define RK_COUNTS_BUSY 3u
#define RK_COUNTS_BUCKET 4u
#define RK_COUNTS_SUM 5u
#define RK_COUNTS_COUNT 6u
#define RK_COUNTS_SENT 7u
#define RK_COUNTS_TURNS 8u
#define RK_COUNTS_ROUNDS 9u

RK_FN void rk_express_counters(rk_context *context, rk_express *x)
{
    RK_GLOBAL rk_meter *meter = context->meter;
    x->counter[RK_COUNTS_DELIVERED] = 0; /* of the lane that a turn is from */
    x->counter[RK_COUNTS_HANDLED] = &meter->handled;
    x->counter[RK_COUNTS_PROGRESS] = &meter->progress;
    x->counter[RK_COUNTS_BUSY] = &meter->busy_ns;
    x->counter[RK_COUNTS_BUCKET] = meter->service.bucket; /* the first */
    x->counter[RK_COUNTS_SUM] = &meter->service.sum_ns;
    x->counter[RK_COUNTS_COUNT] = &meter->service.count;
    x->counter[RK_COUNTS_SENT] = &meter->sent;
    x->counter[RK_COUNTS_TURNS] = x->to.turns;
    x->counter[RK_COUNTS_ROUNDS] = &meter->rounds;
    x->service_min_ns = meter->service.count ? meter->service.min_ns : ~0ul;
    x->service_max_ns = meter->service.max_ns;
    x->largest = meter->largest_batch;
    x->least_wait_ns = meter->queue_wait.count ? meter->queue_wait.min_ns : ~0ul;
    x->most_wait_ns = meter->queue_wait.max_ns;
    x->clock_hlc = context->turn->clock_hlc;
    x->faults = context->turn->faults;
}

/* Sends that are out, of a turn that the general visit finishes. Their stamps are spent. By the leader. */
RK_FN_LARGE void rk_express_partly(rk_entry *entry, rk_express *x, rk_u32 out, rk_u32 n, rk_u64 now_ns)
{
    if (out == 0) return;
    rk_port_count(x->counter[RK_COUNTS_SENT], out);
    if (entry->context.features & RK_FEATURE_CAUSAL)
        rk_express_clock(&entry->context, x, rk_express_order_of(entry, x, n, now_ns), n);
    if (x->counter[RK_COUNTS_TURNS]) rk_port_count(x->counter[RK_COUNTS_TURNS], out);
}

/* How long it has waited by `now_ns`. By one thread of a warp; several warps may count at once. */
RK_FN void rk_express_waited(rk_express *x, RK_GLOBAL rk_histogram *waits, const rk_way *in, rk_u32 index,
                             rk_u64 stamp, rk_u64 now_ns)
{
    const rk_u64 age = rk_stamp_age(stamp, rk_way_stamp_shift(in), index, now_ns);
    if (age == RK_STAMP_UNKNOWN) return;
    rk_port_count(&waits->bucket[rk_histogram_bucket(age)], 1);
    rk_port_count(&waits->sum_ns, age);
    rk_port_count(&waits->count, 1);
    if (age < x->least_wait_ns) rk_min_u64(&x->least_wait_ns, age, RK_RELAXED, RK_SCOPE_BLOCK);
    if (age > x->most_wait_ns) rk_max_u64(&x->most_wait_ns, age, RK_RELAXED, RK_SCOPE_BLOCK);
    rk_store_u64(&waits->min_ns, x->least_wait_ns, RK_RELAXED,
                 RK_SCOPE_DEVICE); /* of two warps at once either's, until the next */
    rk_store_u64(&waits->max_ns, x->most_wait_ns, RK_RELAXED, RK_SCOPE_DEVICE);
}

/* The same of n messages, of which one may be stamped. By one thread. */
RK_FN void rk_express_take_stamp(rk_express *x, const rk_context *c, const rk_way *in, rk_u32 n, rk_u64 stamp,
                                 rk_u64 now_ns)
{
    const rk_u32 ahead = rk_stamp_ahead(RK_EXPRESS_STAMPS, (rk_u32)in->head);
    if (ahead < n && !(c->features & RK_FEATURE_TIMESTAMPS))
        rk_express_waited(x, &c->meter->queue_wait, in, (rk_u32)in->head + ahead, stamp, now_ns);
}

/* A turn is counted, a lane a counter, without a look at what was; for the lane that it is from if that is still to be
 * done. By one warp. */
RK_FN void rk_express_count(const rk_express *x, RK_GLOBAL rk_ring *ring, rk_u32 n, rk_u32 out, rk_u32 rounds,
                            rk_u64 busy, rk_u64 took, rk_u32 each)
{
    const rk_u32 lane = threadIdx.x % 32u;
    RK_GLOBAL rk_u64 *counter = lane < RK_EXPRESS_COUNTERS ? x->counter[lane] : 0;
    rk_u64 value = n;
    if (lane == RK_COUNTS_DELIVERED && ring) counter = &ring->delivered;
    if (lane == RK_COUNTS_BUCKET) counter += rk_histogram_bucket(each);
    if (lane == RK_COUNTS_PROGRESS) value = 1;
    if (lane == RK_COUNTS_BUSY) value = busy;
    if (lane == RK_COUNTS_SUM) value = took;
    if (lane == RK_COUNTS_SENT || lane == RK_COUNTS_TURNS) value = out;
    if (lane == RK_COUNTS_ROUNDS) value = rounds;
    if (counter) rk_port_count(counter, value);
}

RK_FN rk_u32 rk_express_each(rk_u64 took, rk_u32 n)
{
    return (took < 0xffffffffu ? (rk_u32)took : 0xffffffffu) / n;
}

/* A turn whose `out` sends are out: its slots go back, and it is counted. By one warp. */
RK_FN void rk_express_commit(rk_context *context, rk_express *x, const rk_way *in, rk_u32 n, rk_u32 out,
                             rk_u64 now_ns)
{
    RK_GLOBAL rk_meter *meter = context->meter;
    const rk_u32 lane = threadIdx.x % 32u;
    const rk_u64 done = rk_entry_now(context),
                 took = done > now_ns ? done - now_ns : 0; /* the clock is set from time to time */
    const rk_u32 each = rk_express_each(took, n);
    if (lane == 0) {
        in->ring->head = in->head + n;
        if (in->far) rk_store_u64(&in->far->head, in->head + n, RK_RELAXED, RK_SCOPE_SYSTEM);
        if (in->counted) rk_port_give_u32(&in->ring->room, n);
        meter->last_ns = now_ns + took;
        if (n > x->largest) meter->largest_batch = x->largest = n;
        if (each < x->service_min_ns) meter->service.min_ns = x->service_min_ns = each;
        if (each > x->service_max_ns) meter->service.max_ns = x->service_max_ns = each;
    }
    rk_express_count(x, in->ring, n, out, x->rounds, took, took, each);
    if (lane == 0 && (context->features & RK_FEATURE_TIMESTAMPS))
        rk_express_count_waits(x, &meter->queue_wait, n);
}

/* ------------------------------------------------------------------ turns */

/* What the block's own memory has for all turns. Ends in a barrier. */
RK_FN void rk_express_open(rk_entry *entry, rk_express *x)
{
    rk_context *context = &entry->context;
    const rk_u64 *constants = (const rk_u64 *)context->shard;
    for (rk_u32 i = entry->thread; i < sizeof x->shard / sizeof *x->shard; i += entry->threads)
        x->shard[i] = constants[i];
    for (rk_u32 i = entry->thread; i < RK_EXPRESS_CLAIMS; i += entry->threads) x->claim[i] = RK_EXPRESS_NONE;
    if (entry->thread < 2u * RK_BANDS) {
        rk_u32 from = entry->thread / RK_BANDS, band = entry->thread % RK_BANDS;
        RK_GLOBAL const rk_lane *lane = rk_shard_lane(context, from);
        if (band < lane->bands)
            x->in[from][band] = rk_way_of(entry, rk_lane_ring(lane, context->arena, band));
    }
    if (entry->thread == 0) {
        RK_GLOBAL const rk_ring *out = x->to.target[0].ring;
        rk_phase(context, RK_PHASE_BUSY);
        x->odd = x->ends = 0;
        x->tail = out->tail;
        x->room_from = out->cached_head; /* who lacks room by that looks over the bus */
        rk_express_counters(context, x);
    }
    context->orders = entry->orders;
    RK_PORT_BLOCK_BARRIER();
}

/* Messages of the largest turn. */
RK_FN rk_u32 rk_express_most(const rk_express *x, const rk_express_own *own, rk_u32 max_sends)
{
    rk_u32 most = x->to.rows * 32u / max_sends;
    return most < own->room.messages ? most : own->room.messages;
}

/* One turn, of what was found. Returns 1 if the general visit has to finish it. */
RK_FN rk_u32 rk_express_turn(rk_entry *entry, rk_express *x, const rk_express_own *own, rk_context *c,
                             const rk_catch *found, rk_u32 from, rk_u64 now_ns)
{
    RK_GLOBAL const rk_shard *shard = c->shard;
    const rk_u32 n = found->n, thread = entry->thread, many = n > 32u;
    rk_express_sends sends = { 0, 0, 1, 0 };
    if (many || thread < 32u) {
        if (shard->memory == RK_SEQUENTIAL)
            rk_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);
        else if (rk_batch_ordered(shard->memory, from) && thread < n)
            rk_batch_acquire(shard->memory);
        if (entry->context.features & (RK_FEATURE_CAUSAL | RK_FEATURE_TIMESTAMPS)) {
            const rk_express_own own_of_stamps = *own;
            rk_express_stamps(entry, x, &own_of_stamps, found->copy, n, now_ns);
        }
        sends = rk_express_handle(entry, x, own, c, found->in.header_size, found->copy, n, many, now_ns);
    }
    if (many) {
        rk_express_finish_many(entry, x, own, sends);
    } else {
        if (thread < 32u) rk_express_finish_few(entry, x, own, sends, n, now_ns);
        RK_PORT_BLOCK_BARRIER();
    }
    if (x->done) return x->general;
    const rk_express_own own_of_many = *own; /* its own address is nobody's, or it would lie in memory */
    const rk_u32 total = x->total;
    return rk_express_send_many(entry, &own_of_many, rk_express_order_of(entry, x, n, now_ns), total) < total;
}

#endif
#endif
