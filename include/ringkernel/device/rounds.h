/* How the groups of a block share the messages of a batch.
 *
 * Without state each group takes every so-many-th message; with a state for the whole shard one group
 * takes them all, in order. With a state per actor they go in rounds: each pending message tries to put
 * its index into the claim of its actor, the lowest index wins, winners are handled at the same time, and
 * the rest tries again. So each actor's messages are handled one after another and in order, however they
 * are spread over the block; two actors that share a claim only wait for each other.
 *
 * Message k stages its sends from entry k * (max_sends + RK_STAGE_EXTRA) on, whoever handles it, so what
 * goes out is in the order of the causes; what it leaves unused goes nowhere. One group that handles them all
 * stages one behind the other, and what it has staged goes out as one run.
 *
 * A barrier is reached by all threads of a group or by none: a thread-wide message passes none of ours,
 * since on OpenCL even a barrier that is never executed makes a compiler treat the loop around it as one
 * for the whole work-group. */
#ifndef RINGKERNEL_DEVICE_ROUNDS_H
#define RINGKERNEL_DEVICE_ROUNDS_H

#include "unit.h"

#include "batch.h"

#if !defined(RK_LANG_HOST)

/* The word that the leader gives, for all threads of the block. */
RK_FN rk_u32 rk_block_agree(rk_entry *entry, rk_u32 word)
{
    if (entry->thread == 0) entry->board[0] = word;
    RK_PORT_BLOCK_BARRIER();
    word = entry->board[0];
    RK_PORT_BLOCK_BARRIER();
    return word;
}

/* The same for two words; the second stands in board[1] already. */
RK_FN rk_u32 rk_block_agree_two(rk_entry *entry, rk_u32 word, rk_u32 *second)
{
    if (entry->thread == 0) entry->board[0] = word;
    RK_PORT_BLOCK_BARRIER();
    word = entry->board[0];
    *second = entry->board[1];
    RK_PORT_BLOCK_BARRIER();
    return word;
}

/* Cut the block into groups. A device whose warps have no barrier of their own runs a warp-wide kernel in
 * blocks of one warp. */
RK_FN void rk_block_cut(rk_entry *entry, rk_u32 width)
{
#if !defined(RK_LANG_CUDA)
    rk_u32 size = width == RK_THREAD ? 1u : entry->threads;
#else
    rk_u32 size = width == RK_THREAD                                  ? 1u
                  : width == RK_WARP && entry->threads > RK_WARP_SIZE ? RK_WARP_SIZE
                                                                      : entry->threads;
#endif
    entry->width = width;
    entry->group = entry->thread / size;
    entry->groups = entry->threads / size;
    entry->context.group = entry->group;
    entry->context.groups = entry->groups;
    entry->context.thread = entry->thread % size;
    entry->context.threads = size;
}

RK_FN rk_u32 rk_stage_share(const rk_context *context) { return context->shard->max_sends + RK_STAGE_EXTRA; }

/* Does one group handle all messages, in order? (On CUDA the block publishes, from places that it can count on.) */
RK_FN rk_u32 rk_stage_is_dense(const rk_entry *entry)
{
#if defined(RK_LANG_CUDA)
    (void)entry;
    return 0;
#else
    return entry->groups == 1u;
#endif
}

/* What was not staged up to `end` goes nowhere. */
RK_FN void rk_stage_rest(rk_context *context, rk_u32 end)
{
    for (rk_u32 i = context->stage_next; i < end; i++)
        rk_stage_entry(context->stage, context->stage_stride, i)->route = RK_TO_NOWHERE;
}

/* Before and behind message k. */
RK_FN void rk_stage_stand(rk_entry *entry, rk_u32 k)
{
    if (!rk_stage_is_dense(entry)) entry->context.stage_next = k * rk_stage_share(&entry->context);
}

RK_FN void rk_stage_leave(rk_entry *entry, rk_u32 k)
{
    if (!rk_stage_is_dense(entry)) rk_stage_rest(&entry->context, (k + 1u) * rk_stage_share(&entry->context));
}

/* Message k, by this thread alone. */
RK_FN_LARGE void rk_thread_message(rk_entry *entry, rk_u32 k)
{
    rk_context *context = &entry->context;
    rk_byte *slot = rk_batch_slot(context, k);
    rk_stage_stand(entry, k);
    if (rk_message_begin(context, slot)) {
        rk_unit_handle(context, entry->number);
        rk_message_end(context);
    }
    rk_stage_leave(entry, k);
}

/* What rk_message_begin does, for the threads that don't lead: they see the message, count nothing and may
 * stage nothing. */
RK_FN void rk_message_join(rk_context *context, rk_byte *slot)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    context->header = (RK_GLOBAL const rk_header *)slot;
    context->payload = slot + context->view->header_size;
    context->payload_length = context->header->length;
    context->stage_first = context->stage_limit = context->stage_next;
    context->failed = 0;
    context->shared_used = 0;
    if (context->header->flags & RK_FLAG_REFERENCE) {
        RK_GLOBAL const rk_reference *reference = (RK_GLOBAL const rk_reference *)context->payload;
        RK_GLOBAL const rk_u64 *table = (RK_GLOBAL const rk_u64 *)(context->arena + shard->pool_table);
        context->payload_length = (rk_u32)reference->length;
        rk_reference_acquire(shard);
        context->payload = rk_pool_block((RK_GLOBAL const rk_pool *)(context->arena + table[reference->pool]),
                                         context->arena, reference->block);
    }
    context->state = context->shard_state;
    if (shard->state_kind == RK_PER_ACTOR)
        context->state = (rk_byte *)context->shard_state +
                         (rk_u64)(context->header->target / shard->shards) * shard->state_size;
}

/* Message k, by all threads of this group. Of the group's two words, [0] says whether there is anything to
 * handle and [1] collects failures, of whichever thread; the two barriers keep each from being written
 * before all have read it. (Who leads is asked each time: PoCL 3.1 loses a variable that says so across
 * these barriers.) */
RK_FN_LARGE void rk_group_message(rk_entry *entry, rk_u32 k)
{
    rk_context *rk_ctx = &entry->context;
    RK_LOCAL volatile rk_u32 *board = entry->board + 2u * entry->group;
    rk_byte *slot = rk_batch_slot(rk_ctx, k);
    rk_stage_stand(entry, k);
    if (rk_ctx->thread == 0) {
        board[0] = rk_message_begin(rk_ctx, slot);
        board[1] = 0;
    }
    RK_GROUP_BARRIER();
    rk_u32 wanted = board[0];
    if (wanted) {
        if (rk_ctx->thread != 0) rk_message_join(rk_ctx, slot);
        rk_unit_handle(rk_ctx, entry->number);
        if (rk_ctx->failed) board[1] = rk_ctx->failed;
    }
    RK_GROUP_BARRIER();
    if (rk_ctx->thread == 0) {
        rk_ctx->failed = board[1];
        if (wanted) rk_message_end(rk_ctx);
        rk_stage_leave(entry, k);
    }
}

RK_FN void rk_width_message(rk_entry *entry, rk_u32 k, rk_u32 width)
{
    if (width == RK_THREAD)
        rk_thread_message(entry, k);
    else
        rk_group_message(entry, k);
}

/* ------------------------------------------------------------------ rounds */

/* Scratch of the rounds, in shard->order, which has RK_BATCH_SCRATCH_WORDS words for each message of the
 * largest batch: a word for each message, claims (a power of two, at least two for each message), and how
 * many messages are left. */
typedef struct rk_rounds {
    RK_GLOBAL rk_u32 *claim_of; /* of each message, place + 1; 0: it was handled */
    RK_GLOBAL rk_u32 *claim;    /* the index that holds it, or RK_BATCH_NONE */
    RK_GLOBAL rk_u32 *left;
} rk_rounds;

RK_FN rk_rounds rk_rounds_begin(rk_entry *entry, rk_u32 n)
{
    rk_rounds rounds;
    rk_u32 places = 1;
    while (places <= (4u * n - 1u) / 2u) places *= 2u;
    rounds.claim_of = (RK_GLOBAL rk_u32 *)(entry->context.arena + entry->context.shard->order);
    rounds.claim = rounds.claim_of + n;
    rounds.left = rounds.claim + places;
    for (rk_u32 k = entry->thread; k < n; k += entry->threads) {
        rk_u32 actor = rk_batch_header(&entry->context, k)->target;
        rounds.claim_of[k] = ((rk_u32)rk_hash64(actor) & (places - 1u)) + 1u;
    }
    for (rk_u32 i = entry->thread; i < places; i += entry->threads) rounds.claim[i] = RK_BATCH_NONE;
    if (entry->thread == 0) *rounds.left = n;
    RK_PORT_BLOCK_BARRIER();
    return rounds;
}

/* Does message k hold its claim? */
RK_FN rk_u32 rk_rounds_won(const rk_rounds *rounds, rk_u32 k)
{
    rk_u32 place = rounds->claim_of[k];
    return place && rk_load_u32(&rounds->claim[place - 1u], RK_RELAXED, RK_SCOPE_BLOCK) == k;
}

/* A winner is done. It gives its claim back at once: whoever looks at it later in this round sees that it
 * is not theirs. */
RK_FN void rk_rounds_done(const rk_rounds *rounds, rk_u32 k)
{
    rk_store_u32(&rounds->claim[rounds->claim_of[k] - 1u], RK_BATCH_NONE, RK_RELAXED, RK_SCOPE_BLOCK);
    rounds->claim_of[k] = 0;
    rk_add_u32(rounds->left, 0xffffffffu, RK_RELAXED, RK_SCOPE_BLOCK);
}

/* State per actor. */
RK_FN void rk_run_rounds(rk_entry *entry, rk_u32 n, rk_u32 width)
{
    rk_rounds rounds = rk_rounds_begin(entry, n);
    for (rk_u32 left = n; left;) {
        for (rk_u32 k = entry->thread; k < n; k += entry->threads)
            if (rounds.claim_of[k])
                rk_min_u32(&rounds.claim[rounds.claim_of[k] - 1u], k, RK_RELAXED, RK_SCOPE_BLOCK);
        RK_PORT_BLOCK_BARRIER();
        for (rk_u32 k = entry->group; k < n; k += entry->groups) {
            if (!rk_rounds_won(&rounds, k)) continue;
            rk_width_message(entry, k, width);
            if (entry->context.thread == 0) rk_rounds_done(&rounds, k);
        }
        RK_PORT_BLOCK_BARRIER();
        left = *(RK_GLOBAL volatile rk_u32 *)rounds.left;
        if (entry->thread == 0) entry->context.shard->meter.rounds++;
    }
}

/* ------------------------------------------------------------------ a batch */

/* Messages one by one, each by a group of this width. Ends in a barrier. */
RK_FN void rk_run_messages(rk_entry *entry, rk_u32 n, rk_u32 width)
{
    rk_u32 state = entry->context.shard->state_kind;
    rk_block_cut(entry, width);
    if (state == RK_PER_ACTOR && entry->groups > 1u) {
        rk_run_rounds(entry, n, width);
    } else {
        if (state != RK_STATELESS) entry->groups = 1u;
        const rk_u32 groups = entry->groups;
        entry->context.groups = groups;
        if (entry->group < groups)
            for (rk_u32 k = entry->group; k < n; k += groups) rk_width_message(entry, k, width);
        if (entry->thread == 0) entry->context.shard->meter.rounds++;
        RK_PORT_BLOCK_BARRIER();
    }
    if (!rk_stage_is_dense(entry)) entry->context.stage_next = n * rk_stage_share(&entry->context);
}

/* Stand at the group of messages that a batch handler is called for. */
RK_FN void rk_batch_stand(rk_context *context, rk_u32 first, rk_u32 n)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    context->batch_first = first;
    context->batch_n = n;
    context->header = rk_batch_header(context, context->order[first]);
    context->payload = rk_message_bytes(context, context->header, &context->payload_length);
    context->state = context->shard_state;
    if (shard->state_kind == RK_PER_ACTOR)
        context->state = (rk_byte *)context->shard_state +
                         (rk_u64)(context->header->target / shard->shards) * shard->state_size;
    context->failed = 0;
    context->shared_used = 0;
    context->stage_first = context->stage_next;
    context->stage_limit = context->stage_next + (context->thread == 0 ? shard->max_sends : 0u);
}

/* Batch handlers: the leader puts the batch in order, then each actor's messages are handled at once, one
 * actor after another, by the kernel's width: one thread, a warp or the block. The leader alone stages,
 * densely. Ends in a barrier. */
RK_FN_LARGE void rk_run_batches(rk_entry *entry, rk_u32 n)
{
    rk_context *context = &entry->context;
    rk_u32 per_actor = context->shard->state_kind == RK_PER_ACTOR;
    RK_GLOBAL rk_u32 *scratch = (RK_GLOBAL rk_u32 *)(context->arena + context->shard->order);
    rk_block_cut(entry, context->shard->width);
    context->groups = 1; /* that handle: all of the shared memory is the first one's */
    context->order = scratch;
    context->stage_next = 0;
    rk_u32 count =
        rk_block_agree(entry, entry->thread == 0 ? rk_batch_order(context, scratch, n, per_actor) : 0u);
    for (rk_u32 first = 0; first < count; first += context->batch_n) {
        rk_u32 of_group = entry->thread == 0 ? rk_batch_group(context, scratch, first, count, per_actor) : 0u;
        rk_batch_stand(context, first, rk_block_agree(entry, of_group));
        if (entry->thread == 0) entry->board[1] = 0;
        RK_PORT_BLOCK_BARRIER();
        if (entry->group == 0) rk_unit_handle(context, entry->number);
        if (entry->group == 0 && context->failed) entry->board[1] = context->failed;
        RK_PORT_BLOCK_BARRIER();
        if (entry->thread == 0) {
            context->failed = entry->board[1];
            rk_batch_end(context);
            context->shard->meter.rounds++;
        }
    }
    context->batch_n = 0;
    context->stage_next =
        rk_block_agree(entry, context->stage_next); /* all threads publish what one has staged */
}

/* An SPMD kernel: the body, by all threads; thread t has message t, and what it sends is ordered as if
 * message t had caused it. Ends in a barrier. */
RK_FN_LARGE void rk_run_spmd(rk_entry *entry, rk_u32 n)
{
    rk_context *context = &entry->context;
    rk_u32 t = entry->thread;
    rk_u32 share = rk_stage_share(context);
    rk_block_cut(entry, RK_BLOCK);
    context->spmd = 1;
    context->received = 0;
    context->failed = 0;
    context->shared_used = 0;
    context->header = 0;
    context->stage_next = t * share;
    if (t < n && !rk_message_begin(context, rk_batch_slot(context, t))) context->header = 0;
    if (!context->header) context->payload_length = 0;
    context->stage_first = context->stage_next;
    context->stage_limit = context->stage_next + context->shard->max_sends;
    RK_PORT_BLOCK_BARRIER();
    rk_unit_handle(context, entry->number);
    if (context->header)
        rk_message_end(context);
    else if (context->failed)
        context->stage_next = context->stage_first;
    rk_stage_rest(context, (t + 1u) * share);
    if (t == 0) context->shard->meter.rounds++;
    RK_PORT_BLOCK_BARRIER();
    context->spmd = 0;
    context->stage_next = entry->threads * share;
}

#endif
#endif
