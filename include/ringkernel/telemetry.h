/* The account of messages and the metrics of a kernel: plain loads, at any time, that stop nothing. */
#ifndef RINGKERNEL_TELEMETRY_H
#define RINGKERNEL_TELEMETRY_H

#include "device/histogram.h"
#include "runtime.h"

RK_BEGIN_DECLS

/* accepted = delivered + evicted + dead + expired + lost + queued, of a kernel's inbox (both lanes, all
 * shards). Sinks are read before sources, so under load `queued` is never negative and the right side never
 * exceeds the left; at rest the two are equal. */
typedef struct rk_account {
    rk_u64 accepted;
    rk_u64 delivered;
    rk_u64 evicted; /* accepted, and overwritten by a newer one under DropOldest before any handler had it */
    rk_u64 dead;
    rk_u64 expired;
    rk_u64 lost;
    rk_u64 queued; /* measured from the lanes, not inferred; claimed slots count */
    /* Beside it: what was refused, by status; of many that were sent together, the first that was. A
     * reservation that finds no room counts as full. invalid: type, size, options or target are none of the
     * kernel's. */
    rk_u64 refused_full, refused_dropped, refused_duplicate, refused_timed_out, refused_closed,
        refused_invalid;
    rk_u64 accepted_host;   /* of accepted: by host lanes */
    rk_u64 accepted_device; /* of accepted: by device lanes */
    /* What the kernel sent. */
    rk_u64 sent;       /* copies that were taken by lanes */
    rk_u64 dead_sends; /* sends that became dead letters */
    rk_u64
        dropped_sends; /* copies that lanes let go by their strategy, as dropped or as duplicates: without a letter */
    rk_u64 output_accepted; /* by the out lanes */
    rk_u64 output_received; /* by the host */
    rk_u64 output_queued;
    rk_u64 dead_letters;      /* letters that reached the host, of both kinds */
    rk_u64 dead_letters_lost; /* evicted from the dead letters kept, without a callback */
    rk_u64 late_replies, duplicate_replies;
    rk_u32 balanced; /* 1: both sides are equal */
    rk_u32 account_;
} rk_account;
RK_API rk_status rk_account_of(rk_runtime *runtime, rk_kernel kernel, rk_account *account);

/* The same for one lane of one shard (0: host lane, 1: device lane); only the inbox part is filled. */
RK_API rk_status rk_account_of_lane(rk_runtime *runtime, rk_kernel kernel, rk_u32 shard, rk_u32 lane,
                                    rk_account *account);

/* Dead letters by reason: name and count of reason `index`, counted from 0. RK_EMPTY ends it. */
RK_API rk_status rk_dead_reason(rk_runtime *runtime, rk_kernel kernel, rk_u32 index, const char **reason,
                                rk_u64 *count);

typedef struct rk_quantiles {
    rk_u64 count, min_ns, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns; /* within 1/16 of the value */
} rk_quantiles;

/* Waiting times without timestamps are those of one message in 64; of a queue of more than 1,024, of one in a sixteenth of its
 * length; of batches on CUDA, of one in 512. */
typedef struct rk_metrics {
    rk_u64 processed;
    rk_u64 depth;         /* in the inbox now */
    rk_u64 turns;         /* batches */
    rk_u64 largest_batch; /* messages of the largest; on CUDA a warp of a block may take turns of its own */
    rk_u64 parks;         /* how often a shard parked for want of room */
    rk_u64 slices;        /* event-driven */
    rk_u64 busy_ns;       /* in handlers and publishing, all shards */
    rk_u64 last_activity_ns;  /* on the runtime's clock; 0: never */
    rk_u64 uptime_ns;         /* since it was activated first */
    double throughput;        /* processed a second of uptime */
    double input_utilization; /* depth / capacity of the fullest shard */
    rk_quantiles queue_wait;  /* sampled, see below; of every message with timestamps */
    rk_quantiles service;     /* per message: time of its batch / messages in it */
    rk_u64 logs_suppressed;
    /* Times of its handlers and stamps are a device's, set to the runtime's clock each second: how far they are off at
     * most, and by how much they move against it in a second (less than 0: the device's timer is faster). Where
     * kernels that stay, or other processes, have all of the device it can't be asked for its time, which the log says
     * once: then the error grows each second by as much, and by what both readings may have been off, or by 0.1 ms
     * before that is known. 0: they are the runtime's, or nothing of it ran on the device yet. */
    rk_u64 clock_error_ns;
    rk_i64 clock_drift_ns;
} rk_metrics;
RK_API rk_status rk_metrics_of(rk_runtime *runtime, rk_kernel kernel, rk_metrics *metrics);

/* Quantiles of a histogram. */
RK_API void rk_quantiles_of(const rk_histogram *histogram, rk_quantiles *quantiles);

RK_END_DECLS

#endif
