/* The shard: what the loop serves. Its constants, its command and status words, its counters, and the turn
 * that is under way.
 *
 * All of it lives in the arena, so a shard can be served by any worker or block, leave at a batch boundary
 * and be resumed by another. Each word has one writing side: the constants the host before launch, the
 * command word the host, everything else the group that serves the shard. */
#ifndef RINGKERNEL_DEVICE_SHARD_H
#define RINGKERNEL_DEVICE_SHARD_H

#include "histogram.h"
#include "lane.h"
#include "pool.h"

/* Width: the group that works on one message. */
#define RK_THREAD 0u
#define RK_WARP 1u
#define RK_BLOCK 2u

/* State. */
#define RK_STATELESS 0u
#define RK_PER_SHARD 1u
#define RK_PER_ACTOR 2u

/* Processing mode. */
#define RK_ADAPTIVE \
    0u /* what is there, up to the maximum: with one queued the same as continuous, so this is the default */
#define RK_CONTINUOUS 1u /* one message a turn */
#define RK_BATCH 2u      /* gathers up to the maximum, or for a time */

/* Memory consistency. */
#define RK_RELEASE_ACQUIRE 0u
#define RK_RELAXED_MEMORY 1u
#define RK_SEQUENTIAL 2u
#define RK_ACROSS_BUS 3u /* of a shard: release and acquire with system_order */

/* Commands, written by the host. */
#define RK_COMMAND_RUN 1u
#define RK_COMMAND_PAUSE 2u /* take nothing; finish what is staged */
#define RK_COMMAND_DRAIN 3u /* take until the sources have ended, then the drain hook, then end */
#define RK_COMMAND_END 4u   /* the same without waiting for sources: the host has seen two equal accounts */

/* Orders to leave, written by the host. */
#define RK_LEAVE_NOW 1u        /* somebody waits for it */
#define RK_LEAVE_AND_RETURN 2u /* a part of the kernel's blocks is gone: all of them are launched again */

/* Phase, written by the shard. */
#define RK_PHASE_IDLE 0u
#define RK_PHASE_BUSY 1u
#define RK_PHASE_PARKED 2u /* staged output finds no room */
#define RK_PHASE_PAUSED 3u
#define RK_PHASE_ENDED 4u /* drained: hook done, final counts written */
#define RK_PHASE_FAILED 5u

/* What a visit to a shard came to. */
#define RK_VISIT_IDLE 0u   /* nothing to do */
#define RK_VISIT_WORKED 1u /* a batch was committed */
#define RK_VISIT_WAITS 2u  /* a batch is being gathered: come again soon */
#define RK_VISIT_PARKED 3u /* no room for what is staged */
#define RK_VISIT_PAUSED 4u
#define RK_VISIT_ENDED 5u
#define RK_VISIT_FAILED 6u
#define RK_VISIT_HANDLE 7u /* of rk_visit_begin alone: a batch was taken, the handlers are to run over it */

/* Features that the loop checks per message only when the kernel has them. */
#define RK_FEATURE_LONG 1u       /* long headers */
#define RK_FEATURE_TIMESTAMPS 2u /* queue wait per message */
#define RK_FEATURE_CAUSAL 4u     /* sent_ns is a hybrid logical clock */
#define RK_FEATURE_EXPIRED_TO_DEAD 8u

/* How a route picks the shard. */
#define RK_ROUTE_TARGET 0u /* the target that the sender gave, 0 by default */
#define RK_ROUTE_FIXED 1u  /* always the same target */
#define RK_ROUTE_KEY 2u    /* a field of the message: its hash, or for actors its value */
#define RK_ROUTE_TURN 3u   /* the shards in turn; by the hash of the id when that lane deduplicates */
#define RK_ROUTE_ALL 4u    /* a copy to each shard */

typedef struct rk_edge {
    rk_u32 kernel_no;  /* target kernel */
    rk_u32 shards;     /* its shards */
    rk_u32 mode;       /* RK_ROUTE_* */
    rk_u32 fixed;      /* target of RK_ROUTE_FIXED */
    rk_u32 key_offset; /* bytes into the payload */
    rk_u32 key_size;   /* 1, 2, 4 or 8 */
    rk_u32 actors;     /* the target keeps state per actor: a key is an actor */
    rk_u32 type;       /* only this message type; 0: all */
    rk_u64 lanes;      /* arena offset: u64 offset of the device lane of each target shard */
    rk_u64 end_tables; /* arena offset: u64 offset of the end table of each target shard */
    rk_u32 end_slot;   /* of this kernel's shard 0 in those tables */
    rk_u32 counts;     /* index of the first of `shards` counts in the sending shard's edge counts */
} rk_edge;

typedef struct rk_route {
    rk_u32 first; /* edge */
    rk_u32 edges; /* 0: to the host */
} rk_route;

#define RK_TO_DEFAULT 0u
#define RK_TO_REPLY 0xfffffff0u
#define RK_TO_REPORT 0xfffffff1u
#define RK_TO_NOWHERE 0xfffffff2u /* an entry that was not used */

/* A kernel as others on the device see it, for replies. */
typedef struct rk_directory_entry {
    rk_u64 lanes; /* arena offset: u64 offset of the device lane of each shard; 0: no such kernel */
    rk_u32 shards;
    rk_u32 source; /* of what it sends itself: who asks under another has ended */
} rk_directory_entry;

#define RK_REPORT_REPLY 1u        /* payload: the reply's */
#define RK_REPORT_DEAD 2u         /* payload: the message's own; reason says why */
#define RK_REPORT_NO_REPLY 3u     /* the handler of a request finished without a reply */
#define RK_REPORT_LOG 4u          /* payload: rk_log_line */
#define RK_REPORT_FAILED_REPLY 5u /* the handler of a request refused it */
#define RK_REPORT_UNSENT 6u       /* as RK_REPORT_DEAD: a message that its target didn't take */

/* What stands before the payload in the report lane. */
typedef struct rk_report {
    rk_u32 kind;   /* RK_REPORT_* */
    rk_u32 reason; /* declaration number of an RK_REASON, or RK_REASON_STATUS + a status */
    rk_u64 when_ns;
} rk_report;
#define RK_REASON_STATUS 0x10000u

#define RK_LOG_TEXT 40u
typedef struct rk_log_line {
    rk_u32 level;
    rk_u32 values; /* how many of value[] were given */
    rk_u64 value[2];
    rk_u8 text[RK_LOG_TEXT];
} rk_log_line;

/* A log line as the report lane carries it. */
typedef struct rk_log_message {
    rk_header_long header;
    rk_report report;
    rk_log_line line;
} rk_log_message;

#define RK_COPY_NONE 0u
#define RK_COPY_WANTED 1u /* the pool had no block for it */
#define RK_COPY_MADE 2u   /* the reference is of a copy for this target; the original stands behind it */

/* One staged send: the message with a long header, where it goes, and the payload behind it. */
typedef struct rk_staged {
    rk_header_long header; /* base.lap is unused here */
    rk_u32 route;          /* route number, RK_TO_REPLY or RK_TO_REPORT */
    rk_u32 sent;           /* copies of it that are out already */
    rk_u32 asker;          /* RK_TO_REPLY: source of the request; 0: the host */
    rk_u32 copied;         /* RK_COPY_*: of a large payload that has further copies */
    rk_report report;      /* goes out before the payload when it goes to the report lane */
} rk_staged;
RK_STATIC_ASSERT(sizeof(rk_staged) == 80, "staged header");

/* A piece of the batch: `n` messages at base + ((first + i) & mask) << shift. */
typedef struct rk_view {
    rk_u64 base; /* arena offset */
    rk_u64 first;
    rk_u64 ring; /* arena offset of the ring that it was taken from */
    rk_u32 n;
    rk_u32 mask;
    rk_u32 shift;
    rk_u32 header_size;
    rk_u32 committed; /* 1: taking was committing (copied out) */
    rk_u32 expired;
    rk_u32 dead;
    rk_u32 lost;
    rk_u32 withdrawn;
    rk_u32 replies; /* of the messages */
    rk_u64 index;   /* ring index of the first */
} rk_view;

#define RK_VIEWS 16u

/* The turn under way; it outlives a visit only while the shard is parked. */
typedef struct rk_turn {
    rk_u32 views;
    rk_u32 n;         /* messages in the batch */
    rk_u32 staged;    /* entries staged */
    rk_u32 published; /* entries that are out */
    rk_u32 copied;    /* slots of the copy buffer in use */
    rk_u32 parked;    /* 1; 2: for the last wait, see publish.h */
    rk_u32 phase;     /* RK_PHASE_*, as rk_orders.phase tells the host */
    rk_u32 faults;    /* of rk_orders.faults, those that were */
    rk_u64 parked_ns; /* since when */
    rk_u64 taken_ns;
    rk_u32 next_lane; /* a bit for each band: which lane comes first */
    rk_u32 next_handler;
    rk_u32 band_credit[RK_BANDS];
    rk_u64 gather_ns;  /* since when a batch is being gathered; 0: not */
    rk_u64 replies;    /* replies among what was taken: they came by no route */
    rk_u32 drained;    /* actors, or 1 for the shard, whose drain hook ran */
    rk_u32 failed;     /* status of a failure that stops the kernel */
    rk_u32 references; /* messages of the batch whose payload is in a pool */
    rk_u32 slice_left; /* event-driven: messages left in this slice */
    rk_u64 slice_ns;   /* event-driven: when this slice began; 0: none is under way */
    rk_u64 log_window_ns;
    rk_u32 log_lines;
    rk_u32 log_lock;  /* of threads that log at the same time: window, lines, and the report lane's tail */
    rk_u64 clock_hlc; /* hybrid logical clock, with RK_FEATURE_CAUSAL */
    rk_u64 wake_ns;   /* when the timer hook is to run; 0: nobody asked */
    rk_u64 wake_told; /* of it, what the host was told */
    rk_u32 ticked;    /* 1: the hook ran in this visit */
    rk_u32
        wake_asked; /* of a shard that drains, since its last batch: 1: the hook was asked whether wake_ns still
                          matters; 2: and again when the sources had ended */
    rk_view view[RK_VIEWS];
} rk_turn;

/* Counters with one writer, the shard; read by plain loads at any time. */
typedef struct rk_meter {
    rk_u64 heartbeat;                 /* counts visits: the shard is served */
    rk_u64 progress;                  /* counts turns that committed something */
    rk_u64 handled;                   /* messages given to handlers */
    rk_u64 sent;                      /* messages published, copies counted */
    rk_u64 refused[RK_REFUSED_KINDS]; /* sends that their targets did not take, tried ones too */
    rk_u64 dead_sends;                /* of these, those that went to the dead letters */
    rk_u64 parks;
    rk_u64 last_ns; /* when the last batch was committed */
    rk_u64 busy_ns;
    rk_u64 largest_batch;
    rk_u64 replies;
    rk_u64 logs_suppressed;
    rk_u64 slices; /* event-driven: slices ended */
    rk_u64 rounds; /* rounds of handlers */
    rk_histogram queue_wait;
    rk_histogram service;
} rk_meter;

/* Add to a counter that has one writer and any number of readers. */
RK_FN void rk_count(RK_GLOBAL rk_u64 *counter, rk_u64 n)
{
    rk_store_u64(counter, *counter + n, RK_RELAXED, RK_SCOPE_SYSTEM);
}

/* The same; who loads it with acquire sees what was written before. */
RK_FN void rk_count_released(RK_GLOBAL rk_u64 *counter, rk_u64 n)
{
    rk_store_u64(counter, *counter + n, RK_RELEASE, RK_SCOPE_SYSTEM);
}

/* The host sends nothing more, but kernels that were asked may still reply: the shard stays until the host says 1. */
#define RK_HOST_ENDED_BUT_REPLIES 2u

/* What host and shard tell each other while the shard is served: two halves, each with one writing side, in
 * memory that both reach. A device reads the host's half whole, with its poll. */
typedef struct rk_orders {
    /* Written by the host. */
    rk_u32 command;     /* RK_COMMAND_* */
    rk_u32 leave;       /* RK_LEAVE_*: stop serving the shard at a batch boundary; 0: go on */
    rk_u32 host_ended;  /* 1: the host sends nothing more; or RK_HOST_ENDED_BUT_REPLIES */
    rk_u32 faults;      /* how often the shard is to fail before a commit, so far (tests of redelivery) */
    rk_u64 heartbeat;   /* changes while the host is alive; 0: nobody looks */
    rk_u64 clock_base;  /* what a device adds to its timer to get the runtime's clock; the time, if fixed */
    rk_u32 clock_fixed; /* 1: the runtime's clock is injected, and clock_base is the time */
    rk_u32 clock_error_ns; /* how far that time, or what stamped a message, may be off at most */
    rk_u8 host_rest_[24];

    /* Written by the shard. */
    rk_u32 phase;    /* RK_PHASE_* */
    rk_u32 visit;    /* RK_VISIT_*: what the last visit of a slice came to */
    rk_u64 progress; /* of rk_meter, at the end of a slice */
    rk_u64 wake_ns;  /* of rk_turn, as it was when nothing was queued */
    rk_u32 gone;     /* 1: the block that served it in a launch that stays has left; the host resets it */
    rk_u32 shard_;
    rk_u8 shard_rest_[32];
} rk_orders;
RK_STATIC_ASSERT(sizeof(rk_orders) == RK_LINE && RK_OFFSET_OF(rk_orders, phase) == 64,
                 "host and shard write halves of their own");

typedef struct rk_shard {
    /* Constants. */
    rk_u32 source; /* of what it sends; the host is 0 */
    rk_u32 shard;
    rk_u32 shards;
    rk_u32 features;
    rk_u32 width;
    rk_u32 threads;
    rk_u32 state_kind;
    rk_u32 state_size; /* bytes of one state, aligned to 16 */
    rk_u32 actors;     /* of the whole kernel */
    rk_u32 mode;
    rk_u32 max_batch;
    rk_u32 max_sends; /* of one handler call */
    rk_u32 memory;    /* RK_RELEASE_ACQUIRE … */
    rk_u32 stage_stride;
    rk_u32 stage_capacity;
    rk_u32 copy_shift;  /* log2 of a slot of the copy buffer */
    rk_u32 end_sources; /* words of the end table */
    rk_u32 shared_size;
    rk_u32 log_limit; /* lines a second */
    rk_u32 edge_total;
    rk_u32 actors_here; /* actors of this shard */
    rk_u32 timer;       /* 1: the kernel has a timer hook */
    rk_u64 lane[2];     /* host lane, device lane */
    rk_u64 out_lane;
    rk_u64 report_lane;
    rk_u64 state;
    rk_u64 stage;
    rk_u64 copies;     /* copy buffer, max_batch slots */
    rk_u64 order;      /* u32 scratch of batch handlers, see batch.h; 0: none */
    rk_u64 shared;     /* block-shared memory, where the device has none of its own */
    rk_u64 parameters; /* u64 for each declaration number */
    rk_u64 routes;     /* rk_route for each declaration number, [0] the default */
    rk_u64 edges;
    rk_u64 edge_counts; /* u64 for each edge and target shard: messages sent */
    rk_u64 edge_turns;  /* u64 for each edge: the next shard in turn */
    rk_u64 end_table;   /* u64 for each source shard, 0: still sending, else final count + 1 */
    rk_u64 orders;
    rk_u64 pool_table; /* u64 arena offset of each pool */
    rk_u64 pool;       /* the shard's own pool, 0: none */
    rk_u64 directory;  /* rk_directory_entry for each kernel number */
    rk_u64 gather_limit_ns;
    rk_u64 slice_limit_ns; /* event-driven: 0: no bound */
    rk_u32 slice_messages; /* event-driven: 0: no bound */
    rk_u32 event_driven;
    rk_u64 send_deadline_ns; /* 0: none */
    rk_u64 last_wait_ns;     /* that is left when it passed while nobody looked, see publish.h; 0: none */
    rk_u32 default_ttl_us;   /* time to live of messages that say none; 0: none */
    rk_u32 letters;          /* the edge for dead letters + 1; 0: they are the host's */
    rk_u32 route_total; /* entries of routes: the default one, and as many as the module declares things */
    rk_u8 constants_[92];

    /* Written by the shard. */
    rk_turn turn;
    rk_meter meter;
} rk_shard;

RK_STATIC_ASSERT(RK_OFFSET_OF(rk_shard, turn) % RK_LINE == 0, "what is written lies on other lines");

/* What RK_ON_MERGE is told: messages whose target leaves `from` when divided by `from_shards` came to the old shard;
 * those that leave `into` when divided by `into_shards` come to the new one. */
typedef struct rk_merge {
    rk_u32 from, from_shards;
    rk_u32 into, into_shards;
    rk_u32 home; /* 1 in one call for each old state, that into shard from % into_shards; else 0 */
} rk_merge;

/* Every language lays them out alike: how large each is, and where a late member lies. */
RK_STATIC_ASSERT(sizeof(rk_edge) == 56 && RK_OFFSET_OF(rk_edge, lanes) == 32 &&
                     RK_OFFSET_OF(rk_edge, counts) == 52,
                 "edge");
RK_STATIC_ASSERT(sizeof(rk_route) == 8 && RK_OFFSET_OF(rk_route, edges) == 4, "route");
RK_STATIC_ASSERT(sizeof(rk_directory_entry) == 16 && RK_OFFSET_OF(rk_directory_entry, shards) == 8 &&
                     RK_OFFSET_OF(rk_directory_entry, source) == 12,
                 "directory entry");
RK_STATIC_ASSERT(sizeof(rk_report) == 16 && RK_OFFSET_OF(rk_report, reason) == 4 &&
                     RK_OFFSET_OF(rk_report, when_ns) == 8,
                 "report");
RK_STATIC_ASSERT(sizeof(rk_log_line) == 64 && RK_OFFSET_OF(rk_log_line, values) == 4 &&
                     RK_OFFSET_OF(rk_log_line, value) == 8 && RK_OFFSET_OF(rk_log_line, text) == 24,
                 "log line");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_staged, route) == 48 && RK_OFFSET_OF(rk_staged, report) == 64,
                 "staged send");
RK_STATIC_ASSERT(sizeof(rk_view) == 72 && RK_OFFSET_OF(rk_view, committed) == 40 &&
                     RK_OFFSET_OF(rk_view, index) == 64,
                 "view");
RK_STATIC_ASSERT(sizeof(rk_turn) == 160 + RK_VIEWS * sizeof(rk_view) &&
                     RK_OFFSET_OF(rk_turn, taken_ns) == 40 && RK_OFFSET_OF(rk_turn, clock_hlc) == 128 &&
                     RK_OFFSET_OF(rk_turn, view) == 160,
                 "turn");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_meter, queue_wait) == 152 &&
                     RK_OFFSET_OF(rk_meter, service) == 152 + sizeof(rk_histogram) &&
                     sizeof(rk_meter) == 152 + 2 * sizeof(rk_histogram),
                 "meter");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_shard, lane) == 88 && RK_OFFSET_OF(rk_shard, orders) == 208 &&
                     RK_OFFSET_OF(rk_shard, turn) == 384 &&
                     RK_OFFSET_OF(rk_shard, meter) == 384 + sizeof(rk_turn) &&
                     sizeof(rk_shard) == 384 + sizeof(rk_turn) + sizeof(rk_meter),
                 "shard");

#endif
