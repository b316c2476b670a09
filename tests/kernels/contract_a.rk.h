/* The messages of the contract suite's first half (options, lifecycle, telemetry). Type ids 200 to 249 are
 * its own. */
#ifndef RINGKERNEL_TESTS_CONTRACT_A_RK_H
#define RINGKERNEL_TESTS_CONTRACT_A_RK_H

#include <ringkernel/message.h>

/* What an echo sends back. */
RK_MESSAGE(probe, 200, (rk_u32, number), (rk_u32, sender))

/* Sums. */
RK_MESSAGE(amount, 202, (rk_i64, value))
RK_MESSAGE(total, 203, (rk_i64, sum), (rk_u32, count), (rk_u32, shard))

/* Counters, one an actor. */
RK_MESSAGE(tick, 204, (rk_u32, actor), (rk_u32, sequence))
RK_MESSAGE(ticked, 205, (rk_u32, actor), (rk_u32, count))

/* Questions, and the ways of not answering them. */
#define ANSWER_ONCE 0u
#define ANSWER_TWICE 1u
#define ANSWER_NEVER 2u
#define ANSWER_LATER 3u   /* kept until the next `reminder` */
#define ANSWER_REFUSED 4u /* rk_fail */
#define ANSWER_OTHER 5u   /* with a message of another type */
#define ANSWER_HELD 6u    /* when the gate opens */
#define ANSWER_KEPT \
    7u /* of an SPMD replier, which has no state and takes one type: a `reminder` in its place */
RK_MESSAGE(inquiry, 206, (rk_u32, value), (rk_u32, how))
RK_MESSAGE(response, 207, (rk_u32, value), (rk_u32, asked))
RK_MESSAGE(reminder, 208, (rk_u32, value), (rk_u32, again))
RK_MESSAGE(remark, 209, (rk_u32, value), (rk_u32, asked))

/* What is refused, and how. */
#define FAULT_NONE 0u
#define FAULT_ODD 1u      /* rk_fail with reason `odd` */
#define FAULT_NEGATIVE 2u /* rk_fail with reason `negative`, after a send, which is taken back */
#define FAULT_BOTH 3u     /* two reasons: the first counts */
#define FAULT_SENDS 4u    /* more sends than declared */
RK_MESSAGE(attempt, 210, (rk_u32, number), (rk_u32, fault))

/* How many lines to log. */
RK_MESSAGE(chatter, 211, (rk_u32, lines), (rk_u32, number))

/* A pipeline's messages, and what its drain hooks say: a tally, or of an SPMD stage, which takes one type,
 * a bundle whose hops are LAST_BUNDLE and the stages that it has passed. */
#define LAST_BUNDLE 0x40000000u
RK_MESSAGE(bundle, 212, (rk_u32, number), (rk_u32, hops))
RK_MESSAGE(tally, 213, (rk_u32, stage), (rk_u32, received), (rk_u32, shard), (rk_u32, hooks))

/* What parameters are set to. */
RK_MESSAGE(factors, 214, (rk_i64, offset), (rk_u32, factor), (rk_f32, ratio))

/* A message for whoever refuses it. */
RK_MESSAGE(offer, 215, (rk_u32, number), (rk_u32, keep))

#if defined(RK_LANG_HOST)
#ifdef __cplusplus
extern "C" {
#endif
/* What tests do to handlers that run on the CPU: hold them, slow them, and see them. All atomic. */
typedef struct contract_control {
    rk_u32 closed;  /* 1: held handlers wait until it is 0 */
    rk_u32 inside;  /* handlers that wait at the gate now */
    rk_u32 entered; /* handlers that came to the gate so far */
    rk_u32 work_ns; /* how long a handler of `slow` works */
    rk_u32 drained; /* drain hooks that ran */
    rk_u32 largest; /* batch that a `gauge` handler saw */
    /* What the hook of `offering_spmd`, which has no state, was told. */
    rk_u32 refused, kept, refused_status, refused_last;
} contract_control;
extern contract_control contract_controls;
void contract_control_reset(void);
void contract_control_open(void);
#ifdef __cplusplus
}
#endif
#endif

#endif
