/* The beginning of a generated unit: what stands before the kernel source that it compiles for a device.
 *
 * A unit is a whole program for one device, put together by src/codegen:
 *
 *     #include <ringkernel/device/unit.h>
 *     #include "the kernel source"
 *     #include <ringkernel/device/entry.h>
 *     rk_unit_handle, rk_unit_drain, rk_unit_timer, rk_unit_refused: switches over kernel and message, since OpenCL C calls
 *     functions by name only
 *     RK_ENTRY(kernel, number, how its handlers are run), for each kernel
 *
 * The loop calls the three functions by the entry that its context lies in. */
#ifndef RINGKERNEL_DEVICE_UNIT_H
#define RINGKERNEL_DEVICE_UNIT_H

#include "context.h"

#if !defined(RK_LANG_HOST)

/* How the handlers of a kernel are run over a batch. */
#define RK_RUN_THREADS 0u /* each message by one thread */
#define RK_RUN_GROUPS 1u  /* each message by a warp or by the block */
#define RK_RUN_BATCHES 2u /* the messages of an actor at once */
#define RK_RUN_SPMD 3u

/* One thread of the block that serves shards. */
#if defined(RK_LANG_METAL)
/* Where the thread stands in the grid. */
typedef struct rk_place {
    rk_u32 block, blocks, block_thread, block_threads;
} rk_place;
#endif

typedef struct rk_entry {
    rk_context context; /* comes first: a context leads to its entry */
    rk_u32 number;      /* of the kernel in this unit */
    rk_u32 thread;      /* of the block; thread 0 leads it */
    rk_u32 threads;
    rk_u32 width;           /* RK_THREAD, RK_WARP, RK_BLOCK: the groups of this block, */
    rk_u32 group;           /* which of them this thread is in, */
    rk_u32 groups;          /* and how many there are */
    RK_LOCAL rk_u32 *board; /* two words for each warp, the first also for the block: by them threads agree */
#if defined(RK_LANG_CUDA)
    /* The block's own, for block.h. */
    rk_orders *orders;
    struct rk_claim *claim;
    struct rk_look *look;
    rk_u16 *numbers; /* one for each thread */
#elif defined(RK_LANG_METAL)
    rk_place place;
#else
    rk_u32 silent; /* the host, as the leader of a launch that stays has found */
#endif
} rk_entry;

#define RK_BOARD_WORDS 64u
#define RK_ENTRY_OF(context) ((rk_entry *)(context))

#if defined(RK_LANG_CUDA)
#define RK_BLOCK_MOST 1024u /* threads */
/* rk_unit_handle, where it is called. */
RK_FN void rk_unit_handle_here(rk_context *rk_ctx, rk_u32 rk_number);
#endif
/* Handle what the context stands at: a message, a batch of one actor, or an SPMD thread's turn. */
RK_FN_LARGE void rk_unit_handle(rk_context *rk_ctx, rk_u32 rk_number);
/* The drain hook and the timer hook, on the context's state. */
RK_FN_LARGE void rk_unit_drain(rk_context *rk_ctx, rk_u32 rk_number);
RK_FN_LARGE void rk_unit_timer(rk_context *rk_ctx, rk_u32 rk_number);
/* The hook for a send that was not taken: 1 when it took care of it. */
RK_FN_LARGE rk_u32 rk_unit_refused(rk_context *rk_ctx, rk_u32 rk_number, RK_GLOBAL rk_staged *entry,
                                   rk_status status);

#define RK_REFUSED_HOOK(context, entry, status) \
    rk_unit_refused(context, RK_ENTRY_OF(context)->number, entry, status)
#define RK_LOOP_DRAIN(context, actor) rk_entry_drain(context, actor)
#define RK_LOOP_TIMER(context) rk_unit_timer(context, RK_ENTRY_OF(context)->number)
#define RK_LOOP_NOW(context) rk_entry_now(context)

RK_FN void rk_entry_drain(rk_context *rk_ctx, rk_u32 actor);
RK_FN rk_u64 rk_entry_now(rk_context *rk_ctx);
RK_FN_LARGE rk_u32 rk_entry_end(rk_context *context);

#endif
#endif
