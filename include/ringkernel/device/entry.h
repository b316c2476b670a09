/* The entry of a generated unit: a block of a device serves its shards.
 *
 * Block b of B serves shards b, b + B, … of those that it is given, each by the visits of loop.h: thread 0
 * leads, it alone takes, publishes and commits; all threads run the handlers (rounds.h). Nothing in
 * registers or shared memory outlives a visit, so a kernel can leave after any of them, and another launch
 * goes on where it was.
 *
 * An entry's arguments:
 *     arena    base of the arena, which holds everything
 *     shards   arena offset of a table of u64, the arena offset of each shard
 *     first, count   the shards of the table that this launch serves
 *     visits   a slice: at most so many visits to each shard, and it ends when none of a block's shards
 *              had work RK_SLICE_IDLE times in a row; 0: stay until all of them are paused, ended or failed
 *     shared   OpenCL and Metal: the block's shared memory, .shared bytes and 8 more for each thread; a launch
 *              parameter on CUDA. As vectors: OpenCL aligns it by what it is a pointer to, no further
 *     parcel, back   OpenCL: what the launch brings, and where its answer goes: see parcel.h */
#ifndef RINGKERNEL_DEVICE_ENTRY_H
#define RINGKERNEL_DEVICE_ENTRY_H

#include "unit.h"

#if !defined(RK_LANG_HOST)

#include "../kernel.h"

#include "layout.h"
#include "loop.h"
#include "parcel.h"
#include "rounds.h"

#include "block.h"
#include "causal.h"
#include "express.h"
#include "shuttle.h"

/* Where a thread stands in the grid. */
#if defined(RK_LANG_CUDA)
#define RK_BLOCK_NUMBER(entry) ((rk_u32)blockIdx.x)
#define RK_BLOCK_COUNT(entry) ((rk_u32)gridDim.x)
#define RK_BLOCK_THREAD(entry) ((rk_u32)threadIdx.x)
#define RK_BLOCK_THREADS(entry) ((rk_u32)blockDim.x)
#elif defined(RK_LANG_METAL) /* which hands that to the kernel's function */
#define RK_BLOCK_NUMBER(entry) ((entry)->place.block)
#define RK_BLOCK_COUNT(entry) ((entry)->place.blocks)
#define RK_BLOCK_THREAD(entry) ((entry)->place.block_thread)
#define RK_BLOCK_THREADS(entry) ((entry)->place.block_threads)
#else
#define RK_BLOCK_NUMBER(entry) ((rk_u32)get_group_id(0))
#define RK_BLOCK_COUNT(entry) ((rk_u32)get_num_groups(0))
#if defined(RK_UNIT_ALONE)
#define RK_BLOCK_THREAD(entry) 0u
#define RK_BLOCK_THREADS(entry) 1u
#else
#define RK_BLOCK_THREAD(entry) ((rk_u32)get_local_id(0))
#define RK_BLOCK_THREADS(entry) ((rk_u32)get_local_size(0))
#endif
#endif

RK_FN rk_u64 rk_entry_now(rk_context *rk_ctx)
{
    rk_u64 base = rk_load_u64(&rk_ctx->orders->clock_base, RK_RELAXED, RK_SCOPE_SYSTEM);
#if defined(RK_HAS_CLOCK)
    if (!rk_ctx->orders->clock_fixed) return rk_port_now_ns() + base;
#endif
    return base;
}

/* A drain hook is run by the leader alone, as a group of one. */
RK_FN void rk_entry_drain(rk_context *rk_ctx, rk_u32 actor)
{
    RK_GLOBAL rk_shard *shard = rk_ctx->shard;
    rk_ctx->state = rk_ctx->shard_state;
    if (shard->state_kind == RK_PER_ACTOR)
        rk_ctx->state = (rk_byte *)rk_ctx->shard_state + (rk_u64)actor * shard->state_size;
    rk_unit_drain(rk_ctx, RK_ENTRY_OF(rk_ctx)->number);
}

#if defined(RK_LANG_CUDA)
RK_FN_LARGE rk_u32 rk_entry_open_visit(rk_context *context, rk_u32 *limit)
{
    return rk_visit_open(context, limit);
}
RK_FN_LARGE rk_u32 rk_entry_taken(rk_context *context) { return rk_visit_taken(context); }
#else
RK_FN_LARGE rk_u32 rk_entry_begin(rk_context *context) { return rk_visit_begin(context); }
#endif

RK_FN_LARGE rk_u32 rk_entry_end(rk_context *context) { return rk_visit_end(context); }

/* A send that was not taken, as the sender's hook sees it. */
RK_FN rk_refusal rk_refusal_of(rk_context *context, RK_GLOBAL const rk_staged *staged, rk_status status)
{
    rk_refusal refusal;
    refusal.status = status;
    refusal.type = staged->header.base.type;
    refusal.target = staged->header.base.target;
    refusal.id = staged->header.id;
    refusal.payload = rk_staged_body(context, staged, &refusal.length);
    return refusal;
}

/* All threads run the handlers over the batch that the leader took. */
RK_FN void rk_entry_run(rk_entry *entry, rk_u32 run)
{
    rk_context *context = &entry->context;
    rk_u32 n = context->turn->n;
    rk_u64 clock = 0;
    context->now_ns = context->turn->taken_ns;
#if defined(RK_HAS_STRAIGHT)
    if (run == RK_RUN_THREADS || run == RK_RUN_GROUPS) rk_straight_open(context);
#endif
    if (entry->thread == 0) {
        rk_causal_begin(context, n);
        rk_waits_count(context, n);
        clock = context->turn->clock_hlc;
    }
    switch (run) {
    case RK_RUN_THREADS: rk_run_messages(entry, n, RK_THREAD); break;
#if !defined(RK_LANG_CUDA)
    case RK_RUN_GROUPS: rk_run_messages(entry, n, RK_BLOCK); break;
#else
    case RK_RUN_GROUPS:
        if (context->shard->width == RK_WARP)
            rk_run_messages(entry, n, RK_WARP);
        else
            rk_run_messages(entry, n, RK_BLOCK);
        break;
#endif
    case RK_RUN_BATCHES: rk_run_batches(entry, n); break;
    default: rk_run_spmd(entry, n); break;
    }
    if (entry->thread == 0) rk_causal_end(context, clock);
}

#if defined(RK_LANG_CUDA) /* once in a unit, however many kernels it has */
RK_FN_LARGE void rk_entry_run_threads(rk_entry *entry) { rk_entry_run(entry, RK_RUN_THREADS); }
RK_FN_LARGE void rk_entry_run_groups(rk_entry *entry) { rk_entry_run(entry, RK_RUN_GROUPS); }
RK_FN_LARGE void rk_entry_run_batches(rk_entry *entry) { rk_entry_run(entry, RK_RUN_BATCHES); }
RK_FN_LARGE void rk_entry_run_spmd(rk_entry *entry) { rk_entry_run(entry, RK_RUN_SPMD); }
RK_FN void rk_entry_run_one(rk_entry *entry, rk_u32 run)
{
    switch (run) {
    case RK_RUN_THREADS: rk_entry_run_threads(entry); break;
    case RK_RUN_GROUPS: rk_entry_run_groups(entry); break;
    case RK_RUN_BATCHES: rk_entry_run_batches(entry); break;
    default: rk_entry_run_spmd(entry); break;
    }
}
#else
RK_FN void rk_entry_run_one(rk_entry *entry, rk_u32 run) { rk_entry_run(entry, run); }
#endif

/* A block of another size than the handlers were written for would leave messages or threads out: the
 * kernel fails instead. */
RK_FN rk_u32 rk_entry_fits(const rk_entry *entry, rk_u32 run)
{
    RK_GLOBAL const rk_shard *shard = entry->context.shard;
    switch (run) {
    case RK_RUN_THREADS: return 1;
    case RK_RUN_SPMD: return entry->threads == shard->threads && shard->max_batch <= entry->threads;
    case RK_RUN_GROUPS:
#if defined(RK_LANG_CUDA)
        if (shard->width == RK_WARP)
            return entry->threads <= RK_WARP_SIZE || entry->threads % RK_WARP_SIZE == 0;
#endif
        return entry->threads == shard->threads;
    default: return shard->width == RK_THREAD || entry->threads == shard->threads;
    }
}

/* Up to the handlers: what the visit comes to, the same to all threads. RK_VISIT_HANDLE: a batch was taken. `fresh`: this
 * launch has done nothing yet, and isn't told to leave: who looks at a kernel again and again would never let it get on. */
#if defined(RK_LANG_CUDA)
RK_FN_LARGE rk_u32 rk_entry_take(rk_entry *entry, rk_u32 run, rk_u32 most, rk_u32 fresh)
{
    rk_context *context = &entry->context;
    rk_u32 visit = RK_VISIT_FAILED, limit = 0;
    rk_block_look(entry);
    if (entry->thread == 0) {
        if (!rk_entry_fits(entry, run)) context->turn->failed = (rk_u32)RK_INVALID_OPTIONS;
        visit = entry->orders->leave && !fresh ? RK_VISIT_PAUSED : rk_entry_open_visit(context, &limit);
        if (visit == RK_VISIT_FAILED) rk_phase(context, RK_PHASE_FAILED);
        entry->board[1] = limit;
    }
    visit = rk_block_agree_two(entry, visit, &limit);
    if (visit != RK_VISIT_HANDLE) return visit;
    rk_block_take(entry, limit < most ? limit : most);
    if (entry->thread == 0) {
        if (context->turn->n) rk_batch_acquire(context->shard->memory);
        visit = rk_entry_taken(context);
    }
    return rk_block_agree(entry, visit);
}
#else
/* Is the block to leave? As ordered, or since the host has fallen silent. */
RK_FN rk_u32 rk_entry_leaves(const rk_entry *entry)
{
#if !defined(RK_LANG_METAL)
    if (entry->silent) return 1;
#endif
    return rk_load_u32(&entry->context.orders->leave, RK_RELAXED, RK_SCOPE_SYSTEM);
}

RK_FN rk_u32 rk_entry_take(rk_entry *entry, rk_u32 run, rk_u32 most, rk_u32 fresh)
{
    rk_context *context = &entry->context;
    rk_u32 visit = RK_VISIT_FAILED;
    (void)most;
    if (entry->thread == 0) {
        if (!rk_entry_fits(entry, run)) context->turn->failed = (rk_u32)RK_INVALID_OPTIONS;
        visit = rk_entry_leaves(entry) && !fresh ? RK_VISIT_PAUSED : rk_entry_begin(context);
        if (visit == RK_VISIT_FAILED) rk_phase(context, RK_PHASE_FAILED);
    }
    return rk_block_agree(entry, visit);
}
#endif

/* The block turns to a shard. */
RK_FN void rk_entry_stand(rk_entry *entry, rk_u64 shard)
{
    rk_context *context = &entry->context;
    rk_context_open(context, context->arena, (RK_GLOBAL rk_shard *)(context->arena + shard));
    context->thread = 0;
    context->threads = 1;
}

/* One visit to a shard, by the whole block, for `most` messages. Returns RK_VISIT_*, the same to all threads. */
RK_FN rk_u32 rk_entry_visit(rk_entry *entry, rk_u64 shard, rk_u32 run, rk_u32 most, rk_u32 fresh)
{
    rk_context *context = &entry->context;
    rk_entry_stand(entry, shard);
    rk_u32 visit = rk_entry_take(entry, run, most, fresh);
    if (visit != RK_VISIT_HANDLE) return visit;
    rk_entry_run_one(entry, run);
#if defined(RK_LANG_CUDA)
    if (entry->thread == 0) {
        context->turn->published = 0;
        rk_plain_know(entry);
        rk_batch_release(context->shard->memory);
    }
    RK_PORT_BLOCK_BARRIER();
    rk_block_publish(entry);
#endif
    if (entry->thread == 0) {
        context->thread = 0;
        context->threads = 1;
        visit = rk_entry_end(context);
    }
    return rk_block_agree(entry, visit);
}

#if defined(RK_LANG_CUDA)
#define RK_SILENCE_NS \
    5000000000ul /* of the host; then a resident kernel leaves, and is launched again if it was a mistake */

/* Has the host's heartbeat stopped? The same answer for all threads. */
RK_FN rk_u32 rk_host_is_silent(rk_entry *entry, rk_u64 *beat, rk_u64 *heard_ns)
{
    rk_u32 silent = 0;
    if (entry->thread == 0) {
        rk_u64 now = rk_port_now_ns(), heard = entry->orders->heartbeat;
        if (heard != *beat || *heard_ns == 0) *heard_ns = now;
        *beat = heard;
        silent = heard && now - *heard_ns > RK_SILENCE_NS;
    }
    return rk_block_agree(entry, silent);
}
#elif !defined(RK_LANG_METAL)
/* The same without a clock, by the leader: so many rounds, looked at now and then. Idle ones are the fastest, and take some
 * seconds. */
#define RK_SILENCE_ROUNDS (1u << 25)
#define RK_SILENCE_LOOK 4096u

RK_FN rk_u32 rk_host_is_silent(rk_entry *entry, rk_u32 round, rk_u64 *beat, rk_u32 *heard)
{
    if (round % RK_SILENCE_LOOK) return 0;
    rk_u64 now = rk_load_u64(&entry->context.orders->heartbeat, RK_RELAXED, RK_SCOPE_SYSTEM);
    if (now != *beat) *heard = round;
    *beat = now;
    return now && round - *heard > RK_SILENCE_ROUNDS;
}
#endif

/* How often a slice finds nothing before it ends. What kernels of one slice send each other comes within it then, and
 * not by a launch for each. */
#if defined(RK_LANG_CUDA)
#define RK_SLICE_IDLE 16u
#else
#define RK_SLICE_IDLE 1u
#endif

/* The block leaves, and others may stay (backend/resident.h). */
RK_FN void rk_entry_say_gone(const rk_entry *entry, RK_GLOBAL const rk_u64 *table, rk_u32 count)
{
    for (rk_u32 s = RK_BLOCK_NUMBER(entry); s < count && entry->thread == 0; s += RK_BLOCK_COUNT(entry)) {
        RK_GLOBAL const rk_shard *shard = (RK_GLOBAL const rk_shard *)(entry->context.arena + table[s]);
        RK_GLOBAL rk_orders *told = (RK_GLOBAL rk_orders *)(entry->context.arena + shard->orders);
        rk_store_u32(&told->gone, 1u, RK_RELEASE, RK_SCOPE_SYSTEM);
    }
}

#define RK_VISITS_SERVED ((1u << RK_VISIT_PAUSED) - 1u)

/* `run` is written as a constant by each entry, so a unit holds only the ways of running that its kernels
 * need. Visit after visit, until the slice is over or nothing is left to serve. */
RK_FN void rk_entry_serve(rk_entry *entry, rk_u64 shards, rk_u32 first, rk_u32 count, rk_u32 visits,
                          rk_u32 run)
{
    RK_GLOBAL const rk_u64 *table = (RK_GLOBAL const rk_u64 *)(entry->context.arena + shards) + first;
#if defined(RK_LANG_CUDA)
    rk_u64 beat = 0, heard_ns = 0;
    rk_u32 own = RK_BLOCK_NUMBER(entry),
           alone = !visits && own < count && own + RK_BLOCK_COUNT(entry) >= count;
    rk_express_own express = { { 0, 0, 0, 0, 0 }, 0, 0, 0 };
    if (alone && run == RK_RUN_THREADS)
        express = rk_express_own_of(entry, (RK_GLOBAL rk_shard *)(entry->context.arena + table[own]));
#elif !defined(RK_LANG_METAL)
    rk_u64 beat = 0;
    rk_u32 heard = 0;
#endif
    rk_u32 idle = 0;
    for (rk_u32 round = 0; visits == 0 || round < visits; round++) {
        rk_u32 came = 0; /* what visits came to: a bit for each RK_VISIT_* */
        for (rk_u32 s = RK_BLOCK_NUMBER(entry); s < count; s += RK_BLOCK_COUNT(entry)) {
            rk_u32 most = 0xffffffffu;
#if defined(RK_LANG_CUDA)
            rk_u32 express_visit = RK_VISIT_IDLE;
            if (run == RK_RUN_THREADS && alone) {
                rk_express *x = (rk_express *)express.fixed;
                rk_entry_stand(entry, table[s]);
                rk_block_look(entry);
                rk_u32 can = rk_express_can(entry, x, &express);
#if defined(RK_UNIT_SHUTTLE)
                if (can == RK_EXPRESS_NOW && rk_shuttle_can(entry, x, &express))
                    express_visit = rk_shuttle_serve(entry, &express);
                else
#endif
                    if (can == RK_EXPRESS_NOW)
                    express_visit = rk_express_serve(entry, &express);
                if (can != RK_EXPRESS_NEVER && x->to.shards > 1u) most = RK_EXPRESS_GENERAL;
            }
#endif
            rk_u32 fresh = !visits && round == 0;
#if defined(RK_LANG_CUDA)
            fresh &= express_visit == RK_VISIT_IDLE;
#endif
            rk_u32 visit = rk_entry_visit(entry, table[s], run, most, fresh);
#if defined(RK_LANG_CUDA)
            if (visit == RK_VISIT_IDLE) visit = express_visit;
#endif
            came |= 1u << visit;
            if (visits && entry->thread == 0) {
                rk_store_u64(&entry->context.told->progress, entry->context.shard->meter.progress, RK_RELAXED,
                             RK_SCOPE_SYSTEM);
                rk_store_u32(&entry->context.told->visit, visit, RK_RELEASE, RK_SCOPE_SYSTEM);
            }
        }
#if defined(RK_LANG_CUDA)
        if (!visits && rk_host_is_silent(entry, &beat, &heard_ns)) break;
#elif !defined(RK_LANG_METAL)
        if (!visits && entry->thread == 0) entry->silent |= rk_host_is_silent(entry, round, &beat, &heard);
#endif
        const rk_u32 worked = came >> RK_VISIT_WORKED & 1u;
        idle = worked ? 0u : idle + 1u;
        if (!(came & RK_VISITS_SERVED) || (visits && idle >= RK_SLICE_IDLE)) break;
#if defined(RK_LANG_CUDA)
        if (entry->thread == 0) rk_block_breathe(entry, came, visits);
#else
        if (!worked) rk_port_pause();
#endif
    }
    if (!visits) rk_entry_say_gone(entry, table, count);
}

RK_FN void rk_entry_open(rk_entry *entry, rk_byte *arena, RK_LOCAL rk_u8 *shared, RK_LOCAL rk_u32 *board,
                         rk_u32 number)
{
    entry->context.arena = arena;
    entry->context.shared = shared;
    entry->context.group = 0;
    entry->context.groups = 1;
    entry->context.order = 0;
    entry->context.batch_first = entry->context.batch_n = 0;
    entry->context.view = 0;
    entry->context.blocked = 0;
    entry->context.now_ns = 0;
#if defined(RK_LANG_OPENCL)
    entry->silent = 0;
#endif
    entry->number = number;
    entry->thread = RK_BLOCK_THREAD(entry);
    entry->threads = RK_BLOCK_THREADS(entry);
    entry->board = board;
}

#if defined(RK_LANG_CUDA)
#if !defined(RK_BLOCK_BOUND)
#define RK_BLOCK_BOUND RK_BLOCK_MOST /* threads of the largest block that is launched */
#endif
#if !defined(RK_BLOCKS_BOUND)
#define RK_BLOCKS_BOUND 1 /* of which a multiprocessor holds at least so many */
#endif
#define RK_ENTRY(kernel_, number_, run_)                                                              \
    RK_KERNEL __launch_bounds__(RK_BLOCK_BOUND, RK_BLOCKS_BOUND)                                      \
        rk_entry_of_##kernel_(rk_u8 *arena, rk_u64 shards, rk_u32 first, rk_u32 count, rk_u32 visits) \
    {                                                                                                 \
        __shared__ rk_u32 board[RK_BOARD_WORDS];                                                      \
        __shared__ rk_unit orders[sizeof(rk_orders) / sizeof(rk_unit)];                               \
        __shared__ rk_claim claim;                                                                    \
        __shared__ rk_u16 numbers[RK_BLOCK_MOST];                                                     \
        __shared__ rk_look look;                                                                      \
        rk_entry entry;                                                                               \
        rk_entry_open(&entry, arena, (rk_u8 *)rk_block_memory, board, number_);                       \
        entry.orders = (rk_orders *)orders;                                                           \
        entry.claim = &claim;                                                                         \
        entry.look = &look;                                                                           \
        if (entry.thread == 0) look.shard = look.plain_shard = 0;                                     \
        if (entry.thread == 0) rk_block_worked(&entry);                                               \
        entry.numbers = numbers;                                                                      \
        rk_entry_serve(&entry, shards, first, count, visits, run_);                                   \
    }
#elif defined(RK_LANG_METAL)
#define RK_ENTRY(kernel_, number_, run_)                                                     \
    RK_KERNEL rk_entry_of_##kernel_(                                                         \
        device rk_u8 *arena [[buffer(0)]], constant rk_u64 &shards [[buffer(1)]],            \
        constant rk_u32 &first [[buffer(2)]], constant rk_u32 &count [[buffer(3)]],          \
        constant rk_u32 &visits [[buffer(4)]], threadgroup rk_u8 *shared [[threadgroup(0)]], \
        uint block [[threadgroup_position_in_grid]], uint blocks [[threadgroups_per_grid]],  \
        uint block_thread [[thread_position_in_threadgroup]],                                \
        uint block_threads [[threads_per_threadgroup]])                                      \
    {                                                                                        \
        threadgroup rk_u32 board[RK_BOARD_WORDS];                                            \
        rk_entry entry;                                                                      \
        entry.place.block = block;                                                           \
        entry.place.blocks = blocks;                                                         \
        entry.place.block_thread = block_thread;                                             \
        entry.place.block_threads = block_threads;                                           \
        rk_entry_open(&entry, arena, shared, board, number_);                                \
        rk_entry_serve(&entry, shards, first, count, visits, run_);                          \
    }
#else
/* What the slice brought, and what it takes back: see parcel.h. */
RK_FN void rk_entry_unpack(rk_entry *entry, RK_GLOBAL const rk_unit *parcel, rk_u32 count)
{
    for (rk_u32 s = RK_BLOCK_NUMBER(entry); s < count; s += RK_BLOCK_COUNT(entry))
        rk_parcel_unpack(parcel, entry->context.arena, s, entry->thread, entry->threads);
    RK_PORT_BLOCK_BARRIER();
}

RK_FN void rk_entry_answer(rk_entry *entry, RK_GLOBAL rk_unit *parcel, RK_GLOBAL rk_unit *back,
                           RK_GLOBAL const rk_u64 *table, rk_u32 count)
{
    rk_byte *arena = entry->context.arena;
    for (rk_u32 s = RK_BLOCK_NUMBER(entry); s < count; s += RK_BLOCK_COUNT(entry)) {
        RK_GLOBAL const rk_shard *shard = (RK_GLOBAL const rk_shard *)(arena + table[s]);
        RK_GLOBAL rk_answer *answer = (RK_GLOBAL rk_answer *)back + s;
        if (entry->thread == 0) rk_answer_begin(parcel, s, answer, shard, arena);
        RK_PORT_BLOCK_BARRIER();
        rk_answer_pack(back, answer, shard, arena, entry->thread, entry->threads);
        RK_PORT_BLOCK_BARRIER();
        if (entry->thread == 0) rk_answer_end(answer, shard, arena);
    }
}

/* May this launch serve? One that stays tells that it has begun; the host may have given it up by then. (All launches pass
 * these barriers: PoCL copies what comes behind a barrier that only some ways lead to, which here is the whole kernel.) */
RK_FN rk_u32 rk_entry_begins(rk_entry *entry, RK_GLOBAL rk_parcel *parcel, rk_u32 visits)
{
    rk_u32 begun = 0;
    if (entry->thread == 0 && !visits) begun = rk_add_u32(&parcel->begun, 1u, RK_ACQ_REL, RK_SCOPE_SYSTEM);
    return !(rk_block_agree(entry, begun) & RK_PARCEL_REVOKED);
}

#define RK_ENTRY(kernel_, number_, run_)                                                                     \
    RK_PORT_GROUP RK_KERNEL rk_entry_of_##kernel_(__global rk_u8 *arena, rk_u64 shards, rk_u32 first,        \
                                                  rk_u32 count, rk_u32 visits, __local uint4 *shared,        \
                                                  __global rk_unit *parcel, __global rk_unit *back)          \
    {                                                                                                        \
        __local rk_u32 board[RK_BOARD_WORDS];                                                                \
        rk_entry entry;                                                                                      \
        rk_entry_open(&entry, arena, (__local rk_u8 *)shared, board, number_);                               \
        if (rk_entry_begins(&entry, (__global rk_parcel *)parcel, visits)) {                                 \
            rk_entry_unpack(&entry, parcel, count);                                                          \
            rk_entry_serve(&entry, shards, first, count, visits, run_);                                      \
            rk_entry_answer(&entry, parcel, back, (__global const rk_u64 *)(arena + shards) + first, count); \
        }                                                                                                    \
    }
#endif

#if defined(RK_LANG_CUDA)
/* The device's timer beside the host's clock, by one thread: for each round the host raises words[0] and notes
 * when; the timer is answered in words[16 + round]. Ends by itself when the host doesn't come. */
RK_KERNEL rk_clock_probe(rk_u64 *words, rk_u32 rounds)
{
    for (rk_u32 i = 0; i < rounds; i++) {
        for (rk_u32 looks = 0; rk_load_u64(&words[0], RK_RELAXED, RK_SCOPE_SYSTEM) <= i; looks++)
            if (looks > 100000u) return;
        rk_store_u64(&words[16u + i], rk_port_now_ns(), RK_RELAXED, RK_SCOPE_SYSTEM);
    }
}
#endif

#if !defined( \
    RK_LANG_OPENCL) /* whose compilers may take as long for a second kernel as for the first: a program of its own */
#include "layout_check.h"
#endif

#endif
#endif
