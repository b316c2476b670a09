/* Publish–subscribe: topics by name, subscriptions by pattern, resolved to routes before anything runs.
 *
 *     rk_topics *topics;
 *     RK_CHECK(rk_topics_open(runtime, &topics));
 *     RK_CHECK(rk_topic_publish(topics, "plant/oven/heat", oven, "heat"));       // RK_ROUTE(heat) of its source
 *     RK_CHECK(rk_topic_subscribe(topics, "plant/#", archive, 0));
 *     RK_CHECK(rk_topic_subscribe(topics, "plant/oven/heat", alarm, 0));
 *     RK_CHECK(rk_topics_connect(topics, 0));
 *
 * A topic is a name of levels: "plant/oven/heat". In a pattern a level * stands for exactly one, and # at the end for
 * any number of them, none as well: "plant/#" has "plant", "plant/oven" and "plant/oven/heat". Other levels match
 * by their letters. Names are up to 255 characters, and no level is empty.
 *
 * A publisher is a route of a kernel, a subscriber is a kernel. All of it happens on the host and at connect time: what
 * a kernel then sends goes straight to each subscriber's lane on the device, once, however many of its patterns match.
 * A subscriber that is slow slows its publishers under Block, as any target does; one that must not is launched with
 * DropOldest or Reject, and what it missed is in rk_topic_lag_of.
 *
 * A kernel that a supervisor has put in the place of one that hung (supervise.h) has its topics and subscriptions.
 *
 * Any thread may call these; calls on the same topics take turns. */
#ifndef RINGKERNEL_TOPIC_H
#define RINGKERNEL_TOPIC_H

#include "runtime.h"

RK_BEGIN_DECLS

typedef struct rk_topics rk_topics;

/* Begin with no topics. The caller closes them, before the runtime.
 *   RK_INVALID_ARGUMENT (null), RK_OUT_OF_MEMORY, RK_CLOSED (the runtime) */
RK_API rk_status rk_topics_open(rk_runtime *runtime, rk_topics **topics);
/* Forget the topics; routes that were made stay. 0 is fine. */
RK_API void rk_topics_close(rk_topics *topics);

/* 1: the pattern has the topic. 0: it hasn't, or one of them isn't valid. */
RK_API rk_u32 rk_topic_matches(const char *pattern, const char *topic);

/* What `kernel` sends on a route (0: the default one) is of this topic. A route may have several topics.
 *   RK_INVALID_ARGUMENT  null, or not a valid topic: the text says why
 *   RK_STALE, RK_NO_SUCH_KERNEL, RK_OUT_OF_MEMORY */
RK_API rk_status rk_topic_publish(rk_topics *topics, const char *topic, rk_kernel kernel, const char *route);

/* `kernel` gets what is of the topics that the pattern has. Options say how shards are picked, as in rk_connect; 0: by
 * the target that the publisher gave. All subscriptions of a kernel have the same options.
 *   RK_INVALID_ARGUMENT  null, not a valid pattern, or other options than before: the text says which
 *   RK_STALE, RK_NO_SUCH_KERNEL, RK_OUT_OF_MEMORY */
RK_API rk_status rk_topic_subscribe(rk_topics *topics, const char *pattern, rk_kernel kernel,
                                    const rk_route_options *options);

/* Connect each publisher with each subscriber of its topics, once. May be called again after more were added: then what
 * is new is connected. Kernels that are gone, drained or quarantined are left out. *made, if given, is how many
 * connections were made.
 *   RK_BUSY   a publisher with a new subscriber is active, and nothing was connected: deactivate it first
 *   others    as rk_connect, which the text has: what was connected before that stays, and is not connected again */
RK_API rk_status rk_topics_connect(rk_topics *topics, rk_u32 *made);

/* How far a subscriber is behind: of its device lanes, whoever sent into them. */
typedef struct rk_topic_lag {
    rk_kernel kernel;
    char id[64];
    rk_u64 accepted;    /* messages so far */
    rk_u64 behind;      /* of those, not handled yet */
    rk_u64 missed;      /* evicted, expired, or refused for want of room, a late deadline or being closed */
    rk_u64 most_behind; /* of the slowest shard */
    rk_u32 shard;       /* which that is */
    rk_u32 capacity;    /* of a shard's lane: most_behind of as much is full */
} rk_topic_lag;

/* Of subscriber `index`, counted from 0 in the order in which kernels subscribed first.
 *   RK_EMPTY             there are no more
 *   RK_STALE             that one is gone; go on with the next
 *   RK_INVALID_ARGUMENT (null) */
RK_API rk_status rk_topic_lag_of(rk_topics *topics, rk_u32 index, rk_topic_lag *lag);

RK_END_DECLS

#endif
