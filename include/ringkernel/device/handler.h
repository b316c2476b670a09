/* Handlers: how a user's function becomes part of a kernel.
 *
 *     RK_HANDLER(kernel, message, name, state, name, attributes…) { … }
 *
 * defines the function, and beside it what the loop needs: on the host a descriptor in the module's table and
 * a function that runs it over a stretch of a batch; on a device only the function, which the generated
 * dispatch (entry.h) calls. Attributes are designated initialisers of rk_attributes, in the order of its
 * members (C++20, which NVRTC compiles, insists). */
#ifndef RINGKERNEL_DEVICE_HANDLER_H
#define RINGKERNEL_DEVICE_HANDLER_H

#include "group.h"
#include "order.h"
#include "publish.h"
#include "../message.h"

/* What a kernel asks for. Zero is the default of each. All handlers of a kernel state the same. */
typedef struct rk_attributes {
    rk_u32 size;           /* set by the macros */
    rk_u32 width;          /* RK_THREAD, RK_WARP, RK_BLOCK: the group that works on one message */
    rk_u32 threads;        /* threads of a block; default 1, 32 or 256 by width */
    rk_u32 state;          /* RK_STATELESS, RK_PER_SHARD, RK_PER_ACTOR */
    rk_u32 max_sends;      /* messages that one handler call may send; default 1 */
    rk_u32 shared;         /* bytes of block-shared memory; default 0 */
    rk_u32 mode;           /* RK_ADAPTIVE, RK_CONTINUOUS, RK_BATCH */
    rk_u32 max_batch;      /* messages in one turn; default 32, 1, 64 by mode */
    rk_u32 gather_us;      /* RK_BATCH: how long a batch that isn't full is waited for; default 50 */
    rk_u32 event_driven;   /* 1: works in slices, bounded by one of the following or both */
    rk_u32 slice_messages; /* messages of one slice; 0: as many as come in slice_us */
    rk_u32 slice_us;       /* time of one slice; 0: as long as slice_messages take */
    rk_u32 timestamps;     /* 1: each message is stamped, waiting time is measured for each */
    rk_u32 input_queue;    /* capacity of the inbox; 0: the launch option */
    rk_u32 output_queue;   /* capacity of the out lane; 0: as the inbox */
    rk_u32 message_queue;  /* both at once; the two above win */
    rk_u32 barrier;        /* SPMD: the widest scope that the kernel's barriers have */
    rk_u32 memory;         /* RK_RELEASE_ACQUIRE, RK_RELAXED_MEMORY, RK_SEQUENTIAL */
    rk_u32 not_causal;     /* 1: stamps are plain times, not hybrid logical clocks */
    rk_u32 messaging;      /* RK_MESSAGING_* */
    rk_u32 domain;         /* RK_DOMAIN_*: a preset of others */
    rk_u32 backends;       /* RK_ON_* that it may run on; 0: all */
    rk_u32 replies;        /* 1: handlers reply to other kernels, so those are drained together with it */
    rk_u32 log_limit;      /* log lines a second for each shard; default 10 */
} rk_attributes;
RK_STATIC_ASSERT(sizeof(rk_attributes) == 96 && RK_OFFSET_OF(rk_attributes, log_limit) == 92, "attributes");

#define RK_MESSAGING_SHARED_MEMORY 0u /* rings in memory that both sides reach: what lanes are */
#define RK_MESSAGING_ATOMIC_QUEUE 1u  /* the same, with several producers */
#define RK_MESSAGING_P2P 2u           /* ring in the consumer's device memory: between GPUs */
#define RK_MESSAGING_NCCL 3u

#define RK_DOMAIN_GENERAL 0u
#define RK_DOMAIN_GRAPH 1u  /* batch of 256, adaptive */
#define RK_DOMAIN_STREAM 2u /* batch of 64, gathered */
#define RK_DOMAIN_ACTOR 3u  /* adaptive, at most 16 a turn */

#define RK_ON_CPU 1u
#define RK_ON_CUDA 2u
#define RK_ON_OPENCL 4u
#define RK_ON_METAL 8u

/* The state type of a kernel without state. */
typedef struct rk_none {
    rk_u8 nothing;
} rk_none;

/* ------------------------------------------------------------------ one message */

/* The slot that a message lies in, if it lies in this view; 0: it doesn't. */
RK_FN RK_GLOBAL const rk_header *rk_view_find(rk_context *context, RK_GLOBAL const rk_view *view,
                                              RK_GLOBAL const rk_u8 *at)
{
    RK_GLOBAL const rk_u8 *base = context->arena + view->base;
    rk_u64 slots = view->mask == 0xffffffffu ? context->shard->max_batch : (rk_u64)view->mask + 1u;
    if (at < base || at >= base + (slots << view->shift)) return 0;
    return (RK_GLOBAL const rk_header *)(base + ((rk_u64)(at - base) >> view->shift << view->shift));
}

/* Message i of the batch that a batch handler was given. */
RK_FN RK_GLOBAL const rk_header *rk_batch_message(rk_context *context, rk_u32 i)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 at = context->order[context->batch_first + i];
    rk_u32 v = 0;
    while (at >= turn->view[v].n) at -= turn->view[v++].n;
    return (RK_GLOBAL const rk_header *)rk_view_slot(&turn->view[v], context->arena, at);
}

/* The bytes of a message of the batch, wherever they lie, and how many. */
RK_FN RK_GLOBAL const rk_u8 *rk_message_bytes(rk_context *context, RK_GLOBAL const rk_header *header,
                                              rk_u32 *length)
{
    RK_GLOBAL const rk_u8 *payload = (RK_GLOBAL const rk_u8 *)header;
    payload += context->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT;
    *length = header->length;
    if (!(header->flags & RK_FLAG_REFERENCE)) return payload;
    RK_GLOBAL const rk_reference *reference = (RK_GLOBAL const rk_reference *)payload;
    RK_GLOBAL const rk_u64 *table = (RK_GLOBAL const rk_u64 *)(context->arena + context->shard->pool_table);
    *length = (rk_u32)reference->length;
    return rk_pool_block((RK_GLOBAL const rk_pool *)(context->arena + table[reference->pool]), context->arena,
                         reference->block);
}

/* The header of a message that a handler was given, by the pointer that it was given. */
RK_FN RK_GLOBAL const rk_header *rk_header_of(rk_context *context, RK_MSG const void *message)
{
    RK_GLOBAL const rk_u8 *at = (RK_GLOBAL const rk_u8 *)message;
    rk_u32 length;
    if (at == (RK_GLOBAL const rk_u8 *)context->payload) return context->header;
    for (rk_u32 v = 0; v < context->turn->views; v++) {
        RK_GLOBAL const rk_header *header = rk_view_find(context, &context->turn->view[v], at);
        if (header) return header;
    }
    for (rk_u32 i = 0; i < context->batch_n && context->turn->references; i++) /* a block of a batch's */
        if (rk_message_bytes(context, rk_batch_message(context, i), &length) == at)
            return rk_batch_message(context, i);
    return context->header;
}

/* The bytes of a block are the message's own, and a relaxed kernel has no fence for its batch: it has one before it
 * reads them, which pairs with the sender's before the slot. */
RK_FN void rk_reference_acquire(RK_GLOBAL const rk_shard *shard)
{
#if defined(RK_LANG_CUDA)
    if (shard->memory == RK_RELAXED_MEMORY) rk_fence(RK_ACQUIRE, RK_SCOPE_DEVICE);
#else
    (void)shard;
#endif
}

/* How long ago a message was sent. */
RK_FN rk_u64 rk_message_age(const rk_context *context, RK_GLOBAL const rk_header_long *header)
{
    return context->now_ns > header->sent_ns ? context->now_ns - header->sent_ns : 0;
}

/* Its time to live, in ns; 0: it never expires. */
RK_FN rk_u64 rk_message_ttl(const rk_context *context, RK_GLOBAL const rk_header_long *header)
{
    return (rk_u64)(header->ttl_us ? header->ttl_us : context->shard->default_ttl_us) * 1000u;
}

/* Is a message of this age over it for certain, however far the clocks are off? */
RK_FN rk_u32 rk_message_expired(const rk_context *context, RK_GLOBAL const rk_header_long *header, rk_u64 age)
{
    rk_u64 ttl = rk_message_ttl(context, header);
    return ttl && age > ttl + context->orders->clock_error_ns;
}

/* Careful part of rk_message_begin: holes, references, expiry, clocks. 0: pass over it. */
RK_FN_LARGE rk_u32 rk_message_examine(rk_context *context)
{
    RK_GLOBAL const rk_header *header = context->header;
    RK_GLOBAL rk_view *view = context->view;
    if (header->flags & RK_FLAG_HOLE) {
        rk_view_count(header->flags & RK_FLAG_REPAIRED ? &view->lost : &view->withdrawn);
        return 0;
    }
    if (header->flags & RK_FLAG_REPLY) rk_view_count(&view->replies);
    if (context->features & RK_FEATURE_LONG) {
        RK_GLOBAL const rk_header_long *full = (RK_GLOBAL const rk_header_long *)header;
        if ((context->features & RK_FEATURE_CAUSAL) && full->sent_ns > context->turn->clock_hlc)
            context->turn->clock_hlc = full->sent_ns;
        rk_u64 age = rk_message_age(context, full);
        if (rk_message_expired(context, full, age)) {
            rk_view_count(&view->expired);
            if (header->flags & RK_FLAG_REFERENCE)
                rk_view_count(&context->turn->references); /* its block goes back at commit */
            if (context->features & RK_FEATURE_EXPIRED_TO_DEAD) {
                rk_stage_report(context, RK_REPORT_DEAD, RK_REASON_STATUS + (rk_u32)RK_EXPIRED, header);
                ((RK_GLOBAL rk_header *)header)->flags |= RK_FLAG_KEPT; /* unless the report has it now */
            } else if (header->flags & RK_FLAG_REQUEST) {
                rk_stage_report(context, RK_REPORT_FAILED_REPLY, RK_REASON_STATUS + (rk_u32)RK_EXPIRED,
                                header);
            }
            return 0;
        }
#if defined(RK_LANG_HOST)
        if (context->features & RK_FEATURE_TIMESTAMPS)
            rk_histogram_add(&context->shard->meter.queue_wait, age, 1);
#endif
    }
    if (header->flags & RK_FLAG_REFERENCE) {
        RK_GLOBAL const rk_reference *reference = (RK_GLOBAL const rk_reference *)context->payload;
        RK_GLOBAL const rk_u64 *table =
            (RK_GLOBAL const rk_u64 *)(context->arena + context->shard->pool_table);
        RK_GLOBAL const rk_pool *pool = (RK_GLOBAL const rk_pool *)(context->arena + table[reference->pool]);
        rk_reference_acquire(context->shard);
        context->payload = rk_pool_block(pool, context->arena, reference->block);
        context->payload_length = (rk_u32)reference->length;
        rk_view_count(&context->turn->references);
    }
    return 1;
}

/* The message goes to the dead letters. */
RK_FN_LARGE void rk_message_dead(rk_context *context, rk_u32 reason)
{
    rk_view_count(&context->view->dead);
    rk_stage_report(context, RK_REPORT_DEAD, reason, context->header);
    ((RK_GLOBAL rk_header *)context->header)->flags |=
        RK_FLAG_KEPT; /* the report has the block of a large payload now */
}

/* Set the context to the message in `slot`. 0: it needs no handler. */
RK_FN rk_u32 rk_message_begin(rk_context *context, rk_byte *slot)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    context->header = (RK_GLOBAL const rk_header *)slot;
    context->payload = slot + context->view->header_size;
    context->payload_length = context->header->length;
    context->stage_first = context->stage_next;
    context->stage_limit = context->stage_next + shard->max_sends;
    context->failed = 0;
    context->shared_used = 0;
    if ((context->features | (context->header->flags & (RK_FLAG_HOLE | RK_FLAG_REFERENCE | RK_FLAG_REPLY))) &&
        !rk_message_examine(context))
        return 0;
    context->state = context->shard_state;
    if (shard->state_kind == RK_PER_ACTOR) {
        rk_u32 actor = context->header->target;
        if (actor >= shard->actors) {
            rk_message_dead(context, RK_REASON_STATUS + (rk_u32)RK_NO_SUCH_ACTOR);
            return 0;
        }
        rk_u32 place = shard->shards == 1u ? actor : actor / shard->shards;
        context->state = (rk_byte *)context->shard_state + (rk_u64)place * shard->state_size;
    }
    return 1;
}

/* A failed call has sent nothing: the blocks of its large sends go back, and the message is as it came. */
RK_FN_LARGE void rk_stage_take_back(rk_context *context)
{
    rk_u32 header_size = context->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT;
    RK_GLOBAL const rk_reference *came =
        (RK_GLOBAL const rk_reference *)((RK_GLOBAL const rk_u8 *)context->header + header_size);
    rk_u32 kept = context->header->flags & RK_FLAG_KEPT; /* forwarded: that block is the message's again */
    rk_u32 staged_first = context->stage_first;
#if defined(RK_HAS_STRAIGHT)
    rk_straight_close(context);
    if (context->straight > staged_first) {
        staged_first = context->straight; /* what went straight has no blocks */
        context->straight = context->stage_first;
    }
#endif
    for (rk_u32 i = staged_first; i < context->stage_next; i++) {
        RK_GLOBAL rk_staged *entry = rk_stage_entry(context->stage, context->stage_stride, i);
        RK_GLOBAL const rk_reference *reference = (RK_GLOBAL const rk_reference *)(entry + 1);
        RK_GLOBAL const rk_pool *own = (RK_GLOBAL const rk_pool *)(context->arena + context->shard->pool);
        if (!(entry->header.base.flags & RK_FLAG_REFERENCE) || !context->shard->pool) continue;
        if (kept && reference->pool == came->pool && reference->block == came->block) continue;
        rk_pool_give_back(own, context->arena, reference->block);
    }
    context->stage_next = context->stage_first;
    ((RK_GLOBAL rk_header *)context->header)->flags &= (rk_u8)~RK_FLAGS_OF_CONSUMER;
}

/* The handler is done with the message. */
RK_FN void rk_message_end(rk_context *context)
{
    if (context->failed) {
        rk_stage_take_back(context);
        rk_message_dead(context, context->failed - 1u);
    } else if ((context->header->flags & (RK_FLAG_REQUEST | RK_FLAG_ANSWERED)) == RK_FLAG_REQUEST) {
        rk_stage_report(context, RK_REPORT_NO_REPLY, 0, context->header);
    }
}

/* After commit of a batch that had large payloads: their blocks go back, but for those that were sent on. */
RK_FN void rk_release_references(rk_context *context)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    for (rk_u32 v = 0; v < turn->views && turn->references; v++) {
        for (rk_u32 i = 0; i < turn->view[v].n; i++) {
            rk_byte *slot = rk_view_slot(&turn->view[v], context->arena, i);
            if ((((RK_GLOBAL const rk_header *)slot)->flags & (RK_FLAG_REFERENCE | RK_FLAG_KEPT)) ==
                RK_FLAG_REFERENCE)
                rk_give_back(context, (RK_GLOBAL const rk_reference *)(slot + turn->view[v].header_size));
        }
    }
}

/* ------------------------------------------------------------------ what a handler calls */

#define RK_TYPED(pointer) RK_TYPE_ID_OF(pointer), (const void *)(pointer), sizeof(*(pointer))

/* Send on the default route: staged. RK_LIMIT: more than .max_sends, and the message being handled will be
 * refused. RK_FULL: a message over 1 KiB, and the shard's pool has no block. */
#define RK_SEND_STAGED_(arg, pointer) rk_stage(arg, RK_TO_DEFAULT, RK_TYPED(pointer), 0)
#if defined(RK_LANG_HOST)
/* The host's rk_send has six arguments (transfer.h): a program that has kernels in the same file means that
 * one by them. */
#define RK_SEND_PICK_(a1, a2, a3, a4, a5, a6, chosen, ...) chosen
#define RK_SEND_HOST_(...) (rk_send)(__VA_ARGS__)
#define RK_SEND_CALL_(...)                                                                                  \
    RK_SEND_PICK_(__VA_ARGS__, RK_SEND_HOST_, RK_SEND_HOST_, RK_SEND_HOST_, RK_SEND_HOST_, RK_SEND_STAGED_, \
                  0, 0)                                                                                     \
    (__VA_ARGS__)
#define rk_send(...) RK_SEND_CALL_(__VA_ARGS__)
#else
#define rk_send(arg, pointer) RK_SEND_STAGED_(arg, pointer)
#endif
/* The same with options of the send. Its time to live, id and correlation are left out on the way to a kernel
 * with short headers, see rk_send_options; so are those of what is forwarded. */
#define rk_send_with(arg, pointer, options) rk_stage(arg, RK_TO_DEFAULT, RK_TYPED(pointer), options)
#define rk_send_to(arg, route, pointer) rk_stage(arg, (rk_u32)rk_route_##route, RK_TYPED(pointer), 0)
#define rk_send_to_with(arg, route, pointer, options) \
    rk_stage(arg, (rk_u32)rk_route_##route, RK_TYPED(pointer), options)
/* Send `length` bytes as a blob message, declared by RK_BLOB. RK_TOO_LARGE: more than it may have, and nothing is
 * sent; else as rk_send. */
#define rk_send_bytes(arg, message, pointer, length) \
    rk_stage_bytes(arg, RK_TO_DEFAULT, RK_TYPE_ID(message), pointer, length, RK_BLOB_MOST_(message))
/* The bytes that a blob may have. Not a blob: an array of -1. */
#define RK_BLOB_MOST_(message) \
    (sizeof(rk_u8[sizeof(((message *)0)->bytes) == sizeof(message) ? 1 : -1]) * sizeof(message))
/* Send the message being handled on, as it is; a large payload is not copied. Once for each message. */
#define rk_forward(arg) rk_forward_on(arg, RK_TO_DEFAULT)
#define rk_forward_to(arg, route) rk_forward_on(arg, (rk_u32)rk_route_##route)
/* Reply to a message: to the host's rk_request, or to the kernel that sent it. */
#define rk_reply(arg, message, pointer) rk_stage_reply(arg, rk_header_of(arg, message), RK_TYPED(pointer))
/* Reply later: no RK_NO_REPLY now, and a ticket for rk_reply_later, which may be kept in state. Whoever has
 * the ticket may use it, in any handler of the same kernel, once. */
#define rk_defer_reply(arg) rk_take_ticket(arg)
#define rk_reply_later(arg, ticket, pointer) rk_stage_reply_later(arg, ticket, RK_TYPED(pointer))
/* Was this message handed to a handler before, which did not finish? */
#define rk_is_redelivered(arg) ((arg)->header && ((arg)->header->flags & RK_FLAG_REDELIVERED) != 0)
/* Bytes of the message being handled (of a blob, what was sent). */
#define rk_length(arg) ((arg)->payload_length)
/* Refuse the message being handled, with a reason declared by RK_REASON: it goes to the dead letters, and
 * what this call has sent is taken back. The first reason counts. The handler goes on: it must return by
 * itself. */
#define rk_fail(arg, reason) \
    ((void)((arg)->failed = (arg)->failed ? (arg)->failed : (rk_u32)rk_reason_##reason + 1u))
/* Log a line with up to two numbers (%u each in the text), at a level of types.h. At most .log_limit a second
 * for each shard. */
#define rk_log(arg, level, text) rk_write_log(arg, level, text, 0, 0, 0)
#define rk_log1(arg, level, text, a) rk_write_log(arg, level, text, 1, (rk_u64)(a), 0)
#define rk_log2(arg, level, text, a, b) rk_write_log(arg, level, text, 2, (rk_u64)(a), (rk_u64)(b))
/* Send now, by the leader of the group: RK_OK, or what the lane says (RK_FULL, RK_DROPPED, RK_DUPLICATE,
 * RK_CLOSED). RK_FULL is also said while other warps of a block hold the last room. It overtakes what the handler has staged, and a batch that is handled again sends it again. */
#define rk_try_send(arg, pointer) rk_try_stage(arg, RK_TO_DEFAULT, RK_TYPED(pointer))
#define rk_try_send_to(arg, route, pointer) rk_try_stage(arg, (rk_u32)rk_route_##route, RK_TYPED(pointer))
/* Time left of a message's time to live, in ns; all ones when it never expires. */
#define rk_time_left_ns(arg) rk_message_time_left(arg)

RK_FN rk_ticket rk_take_ticket(rk_context *context)
{
    rk_ticket ticket;
    ticket.asker = 0;
    ticket.correlation = 0;
    ticket.shard = 0;
    if (!context->header) return ticket; /* there is nobody to reply to */
    ticket.asker = context->header->source;
    if (context->features & RK_FEATURE_LONG) {
        ticket.correlation = ((RK_GLOBAL const rk_header_long *)context->header)->correlation;
        ticket.shard = ((RK_GLOBAL const rk_header_long *)context->header)->source_shard;
    }
    ((RK_GLOBAL rk_header *)context->header)->flags |= RK_FLAG_ANSWERED;
    return ticket;
}

RK_FN rk_u64 rk_message_time_left(rk_context *context)
{
    RK_GLOBAL const rk_header_long *full = (RK_GLOBAL const rk_header_long *)context->header;
    if (!(context->features & RK_FEATURE_LONG) || !full) return 0xfffffffffffffffful;
    rk_u64 ttl = rk_message_ttl(context, full), age = rk_message_age(context, full);
    if (ttl == 0) return 0xfffffffffffffffful;
    return ttl > age ? ttl - age : 0;
}

RK_FN rk_status rk_forward_on(rk_context *context, rk_u32 route)
{
    if (context->header && (context->header->flags & RK_FLAG_KEPT))
        return RK_LIMIT; /* a large payload travels on once */
    rk_status status = rk_stage_forward(context, route);
    /* The block travels on with the staged message, so it isn't given back at commit. */
    if (status == RK_OK && (context->header->flags & RK_FLAG_REFERENCE))
        ((RK_GLOBAL rk_header *)context->header)->flags |= RK_FLAG_KEPT;
    return status;
}

RK_FN_LARGE rk_status rk_try_stage(rk_context *context, rk_u32 route, rk_u16 type, const void *payload,
                                   rk_u64 length)
{
    rk_target to;
    rk_u32 edge_number;
    if (length > RK_INLINE_MAX) return RK_TOO_LARGE;
    if (context->stage_limit == 0) return RK_LIMIT; /* from where nothing may be sent */
#if defined(RK_LANG_HOST)
    if (rk_load_u32(&context->turn->failed, RK_ACQUIRE, RK_SCOPE_SYSTEM))
        return RK_CLOSED; /* given up meanwhile */
#endif
#if defined(RK_LANG_CUDA) /* the next entry may be another thread's */
    rk_u64 own[(sizeof(rk_staged) + RK_INLINE_MAX) / sizeof(rk_u64)];
    rk_staged *entry = (rk_staged *)own;
    rk_stage_fill(context, entry, route, type, (rk_u32)length);
    RK_UNUSUAL(context, 1);                   /* it moves a tail that the express remembers */
    rk_batch_release(context->shard->memory); /* it goes before its batch */
#else
#if defined(RK_HAS_STRAIGHT)
    rk_straight_pull_in(context); /* it may go to the very slot that the first straight one lies in */
#endif
    if (context->stage_next > context->stage_limit) return RK_LIMIT; /* it borrows the entry of the report, */
    RK_GLOBAL rk_staged *entry = rk_stage_open(context, route, type, (rk_u32)length); /* not staged yet */
    context->stage_next--;
#endif
    rk_copy_out((rk_byte *)(entry + 1), payload, (rk_u32)length);
    if (!rk_next_copy(context, entry, &to, &edge_number)) return RK_CLOSED;
    if (context->spmd == RK_SPMD_TRIAL) return RK_OK;
    entry->header.base.target = to.target;
    if (edge_number == RK_NO_EDGE) rk_mark_route(entry);
    rk_status status =
        rk_lane_put(to.lane, context->arena, (RK_GLOBAL const rk_u32 *)&entry->header,
                    rk_staged_payload(entry), entry->header.base.length, context->now_ns, RK_TRY_ROUNDS);
    if (status == RK_OK) {
        rk_sent(context, &to, edge_number, 1);
        rk_count(&RK_METER(context)->sent, 1);
        RK_WAKE_CONSUMER(context, to.lane);
    } else {
        rk_count(&RK_METER(context)->refused[rk_refused_kind(status)], 1);
        rk_lane_refuse(to.lane, rk_refused_kind(status), 1);
    }
    return status;
}

/* The place of a log line in the report lane. None: the lane has no room, or the second has had its lines, which is
 * counted. Threads of a block log at the same time, and this is done by one of them after the other. Who has the lock
 * gives it back before the loop goes round: where a warp runs in step, those that wait would never let it. */
RK_FN rk_claim rk_log_claim(rk_context *context, RK_GLOBAL rk_ring *ring)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_claim claim;
    claim.first = claim.count = 0;
    for (rk_u32 mine = 0; !mine;) {
        mine = rk_exchange_u32(&turn->log_lock, 1u, RK_ACQUIRE, RK_SCOPE_BLOCK) == 0;
        if (mine) {
            if (context->now_ns - turn->log_window_ns >= 1000000000ul) {
                turn->log_window_ns = context->now_ns;
                turn->log_lines = 0;
            }
            if (turn->log_lines < context->shard->log_limit) claim = rk_ring_claim(ring, 1);
            turn->log_lines += claim.count;
            if (claim.count == 0) rk_count(&RK_METER(context)->logs_suppressed, 1);
            rk_store_u32(&turn->log_lock, 0, RK_RELEASE, RK_SCOPE_BLOCK);
        }
    }
    return claim;
}

/* A log line goes straight to the report lane; without room, or over the limit, it is counted instead. */
RK_FN_LARGE void rk_write_log(rk_context *context, rk_u32 level, RK_TEXT char *text, rk_u32 values, rk_u64 a,
                              rk_u64 b)
{
    RK_GLOBAL rk_lane *lane = (RK_GLOBAL rk_lane *)(context->arena + context->shard->report_lane);
    RK_GLOBAL rk_ring *ring = rk_lane_ring(lane, context->arena, 0);
    const rk_claim claim = rk_log_claim(context, ring);
    if (claim.count == 0) return;
    rk_log_message log;
    for (rk_u32 w = 0; w < sizeof log / 4u; w++) ((rk_word *)&log)[w] = 0;
    log.header.base.length = sizeof log.report + sizeof log.line;
    log.header.base.source = (rk_u16)context->shard->source;
    log.header.source_shard = (rk_u16)context->shard->shard;
    log.report.kind = RK_REPORT_LOG;
    log.report.when_ns = context->now_ns;
    log.line.level = level;
    log.line.values = values;
    log.line.value[0] = a;
    log.line.value[1] = b;
    for (rk_u32 i = 0; i + 1u < RK_LOG_TEXT && text[i]; i++) log.line.text[i] = (rk_u8)text[i];
    rk_ring_put_own(ring, context->arena, claim.first, (const rk_word *)&log, sizeof log / 4u);
    RK_WAKE_CONSUMER(context, lane);
}

/* ------------------------------------------------------------------ batch handlers */

/* Message i of the batch that a batch handler was given, and its bytes (of a blob, what was sent). */
#define RK_AT(message, i) ((RK_MSG const message *)rk_batch_at(rk_ctx, i, sizeof(message) > RK_INLINE_MAX))
#define rk_length_at(arg, i) rk_batch_length(arg, i)

/* `large`: it may lie in a block. A constant: what can't is not asked for it. */
RK_FN RK_MSG const void *rk_batch_at(rk_context *context, rk_u32 i, rk_u32 large)
{
    RK_GLOBAL const rk_header *header = rk_batch_message(context, i);
    rk_u32 length;
    if (large) return (RK_MSG const void *)rk_message_bytes(context, header, &length);
    return (RK_MSG const void *)((RK_GLOBAL const rk_u8 *)header +
                                 (context->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT));
}

RK_FN rk_u32 rk_batch_length(rk_context *context, rk_u32 i)
{
    rk_u32 length;
    (void)rk_message_bytes(context, rk_batch_message(context, i), &length);
    return length;
}

#endif
