/* The messages of the contract suite's cases on queues, handling and coordination. Type ids 400 to 449 are
 * theirs. */
#ifndef RINGKERNEL_TESTS_CONTRACT_B_RK_H
#define RINGKERNEL_TESTS_CONTRACT_B_RK_H

#include <ringkernel/message.h>

/* What a test asks a kernel to send: one package, with these options. */
RK_MESSAGE(work_order, 400, (rk_u64, number), (rk_u64, id), (rk_u32, target), (rk_u32, ttl_us),
           (rk_u32, priority), (rk_u32, sender))

/* A numbered message that proves itself: check is package_check of the other two. */
RK_MESSAGE(package, 401, (rk_u64, number), (rk_u64, check), (rk_u32, sender), (rk_u32, flags))

/* What a handler saw of a package. */
RK_MESSAGE(sighting, 402, (rk_u64, number), (rk_u64, sent_ns), (rk_u64, handled_ns), (rk_u32, sender),
           (rk_u32, shard), (rk_u32, target), (rk_u32, flags), (rk_u32, priority), (rk_u32, wrong),
           (rk_u32, order_flags), (rk_u32, attempts))

/* A message that breeds: two more with a hop less, and at the last hop itself to the host. */
RK_MESSAGE(spark, 403, (rk_u32, hops), (rk_u32, target))

/* A token on its way round, until it was counted `limit` times. */
RK_MESSAGE(token, 404, (rk_u64, count), (rk_u64, limit))

/* Go on with a round of shots at all targets; a shot. */
RK_MESSAGE(volley, 405, (rk_u32, round), (rk_u32, targets))
RK_MESSAGE(shot, 406, (rk_u32, from), (rk_u32, round))

/* Two vectors and their sum; one place of them for a thread of its own. */
RK_MESSAGE(vector_pair, 407, (rk_u32, n), (rk_f32, a, 120), (rk_f32, b, 120))
RK_MESSAGE(vector_sum, 408, (rk_u32, n), (rk_f32, value, 120))
RK_MESSAGE(place_pair, 409, (rk_u32, place), (rk_f32, a), (rk_f32, b))
RK_MESSAGE(place_sum, 410, (rk_u32, place), (rk_f32, value))

/* n values that follow from a seed, and sums of them. */
RK_MESSAGE(series, 411, (rk_u32, n), (rk_u32, seed))
RK_MESSAGE(series_value, 412, (rk_i64, value))
RK_MESSAGE(series_sum, 413, (rk_i64, sum), (rk_i64, by_library), (rk_u32, group), (rk_u32, members))

/* A query and its response. */
RK_MESSAGE(query, 414, (rk_u64, value))
RK_MESSAGE(response, 415, (rk_u64, value), (rk_u64, correlation))

/* The stamps of a message's ancestors, oldest first. */
RK_MESSAGE(trail, 416, (rk_u32, hops), (rk_u32, number), (rk_u64, stamp, 6))

/* What the states of the kernels count. */
typedef struct count_log {
    rk_u64 count;
    rk_u64 sum;      /* of the numbers */
    rk_u64 disorder; /* numbers that were not above the one before */
    rk_u64 misplaced;
    rk_u64 last;
    rk_u64 wrong; /* checks that failed */
} count_log;

typedef struct batch_log {
    rk_u64 calls;
    rk_u64 messages;
    rk_u64 disorder;
    rk_u64 last;
    rk_u32 largest;
    rk_u32 smallest;
} batch_log;

typedef struct refusal_log {
    rk_u32 full;
    rk_u32 dropped;
    rk_u32 duplicate;
    rk_u32 timed_out;
    rk_u32 closed;
    rk_u32 other;
    rk_u64 number_sum; /* of the packages that were refused */
} refusal_log;

#if defined(RK_LANG_HOST)
#ifdef __cplusplus
extern "C" {
#endif
/* What the hook of `dispatch_watched_spmd`, which has no state, was told. Of its worker; read it at rest. */
extern refusal_log contract_refusals;
#ifdef __cplusplus
}
#endif
#endif

#define MOST_SHOOTERS 132u
typedef struct shot_log {
    rk_u64 count;
    rk_u64 disorder;
    rk_u32 next[MOST_SHOOTERS]; /* the round that is due from each */
} shot_log;

#endif
