/* The context: what a handler's calls act on, one for each thread that runs handlers.
 *
 * User code never looks inside; it passes it on (RK_CTX in a parameter list, RK_ARG in a call). It lives for
 * one visit to a shard. On the CPU it also carries the table of functions through which a loaded module
 * reaches the library: a module imports nothing. */
#ifndef RINGKERNEL_DEVICE_CONTEXT_H
#define RINGKERNEL_DEVICE_CONTEXT_H

#include "shard.h"

#if defined(RK_LANG_HOST)
struct rk_context;
/* What the host gives to a module. Grows at the end only; rk_module.abi says which a module was built for. */
typedef struct rk_services {
    rk_u32 size;
    rk_u32 services_;
    /* Wakes: the consumer of a lane sleeps, or producers wait for room in it. */
    void (*wake)(struct rk_context *context, rk_lane *lane);
    void (*room)(struct rk_context *context, rk_lane *lane);
    /* The sender's hook for a send that was not taken: 1 when it took care of it. */
    rk_u32 (*refused)(struct rk_context *context, rk_staged *entry, rk_status status);
    /* SPMD on the CPU, see spmd.h; `where` is "file:line", and its address the place. */
    void (*barrier)(struct rk_context *context, rk_u32 scope, const char *where);
    rk_u64 (*exchange)(struct rk_context *context, rk_u64 value, rk_u32 from, rk_u32 scope,
                       const char *where);
    rk_u64 (*ballot)(struct rk_context *context, rk_u32 vote, rk_u32 scope, const char *where);
    rk_u64 (*reduce)(struct rk_context *context, rk_u64 value, rk_u32 scope,
                     const char *where); /* sum, modulo 2^64 */
} rk_services;
#endif

#define RK_SPMD_TRIAL 2u

/* One thread serves a shard: what it sends can go straight (stage.h). */
#if defined(RK_LANG_HOST) || (defined(RK_LANG_OPENCL) && defined(RK_UNIT_ALONE))
#define RK_HAS_STRAIGHT 1
#endif

typedef struct rk_context {
    rk_byte *arena;
    RK_GLOBAL rk_shard *shard;
    RK_GLOBAL rk_turn *turn;
    RK_GLOBAL const rk_orders *orders; /* the host's half: where it is, or on a device a copy of it */
    RK_GLOBAL rk_orders *told;         /* the shard's half */
    rk_byte *stage;                    /* first staged entry */
    rk_u32 stage_next;                 /* entries staged so far */
    rk_u32 stage_limit;                /* this handler call may stage up to here */
    rk_u32 stage_stride;
    rk_u32 stage_first; /* where this handler call began */
    rk_u64 now_ns;      /* time of this turn */
    RK_GLOBAL const rk_u64 *parameters;

    /* The message being handled. */
    RK_GLOBAL const rk_header *header;
    RK_GLOBAL const void *payload;
    RK_GLOBAL void *state;
    rk_u32 payload_length;
    rk_u32 features;
    rk_u32 failed;      /* reason + 1 of rk_fail; 0: none */
    rk_u32 shared_used; /* of the block-shared memory */
    RK_GLOBAL rk_view *view;
    RK_GLOBAL void *shard_state;

    /* The group. */
    rk_u32 thread;
    rk_u32 threads;
    rk_u32 spmd;                   /* 1: inside an SPMD kernel; RK_SPMD_TRIAL: whose effects are taken back */
    rk_u32 received;               /* SPMD: this thread took its message */
    RK_LOCAL rk_u8 *shared;        /* block-shared memory */
    RK_GLOBAL const rk_u32 *order; /* a batch handler's messages: positions in the batch */
    rk_u32 batch_first;
    rk_u32 batch_n;
    RK_GLOBAL rk_lane *blocked; /* the lane that had no room, when the visit parked */
#if !defined(RK_LANG_HOST)
    rk_u32 group,
        groups; /* which group of the block this is, of how many that handle messages at the same time */
#endif
#if defined(RK_LANG_CUDA)
    /* For the express, which keeps all of this in registers. */
    RK_GLOBAL struct rk_meter *meter; /* the shard's: `shard` itself may be a copy of its constants */
    rk_u32 payload_max;               /* of the target's slots */
    rk_u32 only;                      /* the only message type that its connection carries; 0: all */
    rk_u32 routes;                    /* a bit for each named route that it can publish to */
    rk_u32 unusual;                   /* 1: RK_UNUSUAL */
#endif
#if defined(RK_HAS_STRAIGHT) /* sends, see stage.h */
    rk_u32 straight;         /* of what was sent in this turn, how many went straight: the first ones */
    rk_u32 straight_room;    /* a send goes straight while fewer have been made; 0: none does any more */
    rk_u32 straight_most;    /* payload bytes of one */
    rk_u64 straight_first;   /* ring index of the first */
    rk_slots straight_slots; /* of the out lane */
#endif
#if defined(RK_LANG_HOST)
    const rk_services *services;
    void *host; /* the worker's own */
    rk_u32
        light_wake; /* 1: who goes to sleep has all threads pass a barrier, so that who wakes it needs none */
    rk_u32 light_wake_;
#endif
} rk_context;

/* A handler did what the express (express.h) leaves to the general visit: it asked for the timer hook, or sends by a route
 * that the express doesn't know, a payload in a pool, one that is too large for the target's slots, or a type that its
 * connection doesn't carry. */
#if defined(RK_LANG_CUDA)
#define RK_UNUSUAL(context, what) ((context)->unusual |= (rk_u32)(what))
#else
#define RK_UNUSUAL(context, what) ((void)0)
#endif

#define RK_CTX rk_context *rk_ctx
#define RK_ARG rk_ctx

#if defined(RK_LANG_CUDA)
#define RK_METER(context) ((context)->meter)
#else
#define RK_METER(context) (&(context)->shard->meter)
#endif

/* Slot i of a view. */
RK_FN rk_byte *rk_view_slot(RK_GLOBAL const rk_view *view, rk_byte *arena, rk_u32 i)
{
    return arena + view->base + ((rk_u64)(((rk_u32)view->first + i) & view->mask) << view->shift);
}

/* Count on a view: handlers of a group run at the same time on a device, in turn on the CPU. */
RK_FN void rk_view_count(RK_GLOBAL rk_u32 *counter)
{
#if defined(RK_LANG_HOST)
    ++*counter;
#else
    rk_add_u32(counter, 1u, RK_RELAXED, RK_SCOPE_BLOCK);
#endif
}

/* An inbox lane of the shard: 0 the host's, 1 other kernels'. */
RK_FN RK_GLOBAL rk_lane *rk_shard_lane(rk_context *context, rk_u32 which)
{
    return (RK_GLOBAL rk_lane *)(context->arena + context->shard->lane[which & 1u]);
}

#endif
