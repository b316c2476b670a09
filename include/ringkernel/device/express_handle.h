/* The express runs handlers: over copies in the block's own memory, their sends staged there, with all that a
 * handler's calls act on in registers.
 *
 * Without state each thread has a message. With a state for the shard one thread has them all, in order. With a
 * state for each actor, messages of one actor are handled one after the other, in order: of those at one place
 * the first goes, then the next; two actors that share a place only wait for each other. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_HANDLE_H
#define RINGKERNEL_DEVICE_EXPRESS_HANDLE_H

#include "block.h"
#include "express_look.h"

#if defined(RK_LANG_CUDA)

#define RK_EXPRESS_NONE 0xffffffffu

/* What does not change from turn to turn. The shard's constants are in the block's own memory. */
RK_FN void rk_express_context(rk_entry *entry, rk_express *x, const rk_express_own *own, rk_context *c)
{
    const rk_context *context = &entry->context;
    c->arena = context->arena;
    c->shard = (RK_GLOBAL rk_shard *)x->shard;
    c->meter = &context->shard->meter;
    c->turn = context->turn;
    c->orders = context->orders;
    c->told = context->told;
    c->stage = own->stage;
    c->stage_stride = own->room.stage_stride;
    c->parameters = context->parameters;
    c->state = c->shard_state = context->shard_state;
    c->features = context->features & ~RK_FEATURE_CAUSAL; /* the stamps are set when the order is known */
    c->view = &context->turn->view[0];
    c->thread = 0;
    c->threads = 1;
    c->spmd = 0;
    c->shared = context->shared;
    c->group = context->shard->state_kind == RK_PER_SHARD ? 0u : (rk_u32)threadIdx.x;
    c->groups = context->shard->state_kind == RK_PER_SHARD ? 1u : (rk_u32)blockDim.x;
    c->order = 0;
    c->batch_first = c->batch_n = 0;
    c->received = 0;
    c->blocked = 0;
    c->payload_max = x->to.payload_max;
    c->only = x->to.edge[0].edge.type;
    c->routes = x->to.routes;
    c->unusual = 0;
}

/* The context stands at the message of a copy, whose sends are staged from `stage` on, in eights of bytes. */
RK_FN void rk_express_stand(const rk_express_own *own, rk_context *c, rk_u32 header_size, rk_u32 copy,
                            rk_u32 stage, rk_u32 max_sends)
{
    rk_byte *slot = own->copies + copy * own->room.copy_stride;
    c->header = (RK_GLOBAL const rk_header *)slot;
    c->payload = slot + header_size;
    c->payload_length = c->header->length;
    c->stage = own->stage + 8u * stage;
    c->stage_first = c->stage_next = 0;
    c->stage_limit = max_sends;
    c->failed = 0;
    c->shared_used = 0;
}

RK_FN rk_u32 rk_express_actor(const rk_express_own *own, rk_u32 copy)
{
    return ((RK_GLOBAL const rk_header *)(own->copies + copy * own->room.copy_stride))->target;
}

/* Is it the turn of message k for this actor, of those that wait? By the first warp alone, or by the block; ends in
 * its barrier. */
RK_FN rk_u32 rk_express_wins(rk_express *x, rk_u32 actor, rk_u32 k, rk_u32 waits, rk_u32 wide)
{
    if (!wide) {
        rk_u32 all = __ballot_sync(RK_ALL_LANES, (int)waits), wins = 0;
        if (waits) wins = (rk_u32)__ffs((int)__match_any_sync(all, actor)) - 1u == k;
        __syncwarp();
        return wins;
    }
    rk_u32 *place = &x->claim[(rk_u32)rk_hash64(actor) & (RK_EXPRESS_CLAIMS - 1u)];
    if (waits) rk_min_u32(place, k, RK_RELAXED, RK_SCOPE_BLOCK);
    RK_PORT_BLOCK_BARRIER();
    return waits && rk_load_u32(place, RK_RELAXED, RK_SCOPE_BLOCK) == k;
}

/* Whoever won gives its place back. 1: somebody still waits. Ends in a barrier. */
RK_FN rk_u32 rk_express_won(rk_express *x, rk_u32 actor, rk_u32 won, rk_u32 waits, rk_u32 wide)
{
    if (!wide) return (rk_u32)__any_sync(RK_ALL_LANES, (int)waits);
    if (won)
        rk_store_u32(&x->claim[(rk_u32)rk_hash64(actor) & (RK_EXPRESS_CLAIMS - 1u)], RK_EXPRESS_NONE,
                     RK_RELAXED, RK_SCOPE_BLOCK);
    return (rk_u32)__syncthreads_or((int)waits);
}

/* What a thread's handlers have left. */
typedef struct rk_express_sends {
    rk_u32 first, n; /* staged entries; the first in eights of bytes */
    rk_u32 plain;    /* 0: they are for the general visit */
    rk_u32 most;     /* that one thread may have */
} rk_express_sends;

/* A send by a named route whose connection carries another type is for the general visit. */
RK_FN void rk_express_types(const rk_express *x, rk_context *c)
{
#pragma unroll 1
    for (rk_u32 i = 0; x->to.edges > 1u && i < c->stage_next; i++) {
        RK_GLOBAL const rk_staged *staged = rk_stage_entry(c->stage, c->stage_stride, i);
#pragma unroll 1
        for (rk_u32 e = 1; e < x->to.edges; e++) {
            const rk_express_edge *to = &x->to.edge[e];
            c->unusual |=
                to->route == staged->route && to->edge.type && to->edge.type != staged->header.base.type;
        }
    }
}

/* Message k of the turn, which lies in a copy, by this thread; its sends are staged from `first` on. */
RK_FN void rk_express_one(rk_entry *entry, rk_express *x, const rk_express_own *own, rk_context *c,
                          rk_u32 header_size, rk_u32 copy, rk_u32 first, rk_u32 k)
{
    RK_GLOBAL const rk_shard *shard = c->shard;
    rk_express_stand(own, c, header_size, copy, first, shard->max_sends);
    if (shard->state_kind == RK_PER_ACTOR) {
        rk_u32 actor = c->header->target, shards = shard->shards;
        if (actor >= shard->actors) c->failed = RK_REASON_STATUS + (rk_u32)RK_NO_SUCH_ACTOR + 1u;
        c->state =
            (rk_byte *)c->shard_state + (rk_u64)(shards == 1u ? actor : actor / shards) * shard->state_size;
    }
    if (!c->failed) rk_unit_handle_here(c, entry->number);
    rk_express_types(x, c);
    rk_express_call call = { (rk_u16)first, (rk_u16)c->stage_next, c->failed };
    x->call[k] = call;
}

/* Handlers over the `n` messages from a copy on; by the first warp alone unless `wide`. */
RK_FN rk_express_sends rk_express_handle(rk_entry *entry, rk_express *x, const rk_express_own *own,
                                         rk_context *c, rk_u32 header_size, rk_u32 copy, rk_u32 n,
                                         rk_u32 wide, rk_u64 now_ns)
{
    RK_GLOBAL const rk_shard *shard = c->shard;
    const rk_u32 kind = shard->state_kind, max_sends = shard->max_sends, thread = entry->thread;
    rk_u32 k = kind == RK_PER_SHARD && thread ? n : thread, end = n, rounds = 0;
    rk_express_sends sends = { 0, 0, 1, max_sends };
    if (kind == RK_PER_SHARD)
        sends.most = n * max_sends;
    else
        sends.first = thread * (own->room.share / 8u);
    if (kind != RK_PER_SHARD && thread < n) end = thread + 1u;
    rk_u32 actor = kind == RK_PER_ACTOR && k < end ? rk_express_actor(own, copy + k) : 0u;
    c->now_ns = now_ns;
    c->unusual = 0;
    for (;; rounds++) {
        rk_u32 mine = k < end;
        if (kind == RK_PER_ACTOR) mine = rk_express_wins(x, actor, k, mine, wide);
        if (mine) {
            rk_express_one(entry, x, own, c, header_size, copy + k,
                           sends.first + sends.n * (own->room.stage_stride / 8u), k);
            sends.plain &= !c->failed;
            sends.n += c->stage_next;
            k++;
        }
        if (kind == RK_STATELESS) break;
        if (kind == RK_PER_SHARD ? k >= end : !rk_express_won(x, actor, mine, k < end, wide)) break;
    }
    sends.plain &= !c->unusual;
    if (thread == 0) x->rounds = kind == RK_PER_ACTOR ? rounds + 1u : 1u;
    return sends;
}

/* Each warp's part of what is known of a batch by its messages' stamps: the latest, and how long they waited. */
RK_FN_LARGE void rk_express_stamps(rk_entry *entry, rk_express *x, const rk_express_own *own, rk_u32 copy,
                                   rk_u32 n, rk_u64 now_ns)
{
    rk_u32 features = entry->context.features, warp = entry->thread / 32u;
    if (warp * 32u >= n) return;
    rk_u64 latest = 0, sum = 0, least = ~0ul, most = 0;
    if (entry->thread < n) {
        if (features & RK_FEATURE_LONG)
            latest = ((RK_GLOBAL const rk_header_long *)(own->copies +
                                                         (copy + entry->thread) * own->room.copy_stride))
                         ->sent_ns;
        sum = least = most = now_ns > latest ? now_ns - latest : 0;
        if (features & RK_FEATURE_TIMESTAMPS)
            rk_port_count(&entry->context.meter->queue_wait.bucket[rk_histogram_bucket(sum)], 1);
    }
    for (rk_u32 d = 16; d; d /= 2u) {
        rk_u64 other = __shfl_xor_sync(RK_ALL_LANES, latest, d);
        latest = other > latest ? other : latest;
        sum += __shfl_xor_sync(RK_ALL_LANES, sum, d);
        other = __shfl_xor_sync(RK_ALL_LANES, least, d);
        least = other < least ? other : least;
        other = __shfl_xor_sync(RK_ALL_LANES, most, d);
        most = other > most ? other : most;
    }
    if (entry->thread % 32u) return;
    x->stamp_ns[warp] = latest;
    x->wait_sum_ns[warp] = sum;
    x->wait_min_ns[warp] = least;
    x->wait_max_ns[warp] = most;
}

#endif
#endif
