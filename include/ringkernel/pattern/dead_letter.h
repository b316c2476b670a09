/* Dead letters as messages: what a kernel refused, and what others did not take of it, goes to another kernel on the
 * device, whole.
 *
 *     rk_connect(runtime, worker, RK_DEAD_LETTERS, undertaker, 0);     // on the host; undertaker has `requests`
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/pattern/dead_letter.h>
 *
 *     RK_HANDLER(undertaker, payment, msg, ledger, self, .state = RK_PER_SHARD)
 *     {
 *         rk_letter letter = rk_letter_of(RK_ARG, msg);
 *         if (!letter.is_letter) { … a payment as any other … }
 *         if (letter.reason == rk_reason_declined) …                   // RK_REASON(declined) of the same source
 *         if (rk_letter_status(&letter) == RK_EXPIRED) …               // what the system itself refused
 *     }
 *
 * A letter is the message that it was: same type, payload, id and priority, and the target that the connection's mode
 * gives (the one that it had, by default). So a kernel has a handler for each type whose letters it wants; the connection
 * may be for one type alone. It is bounded by that kernel's lane, and never waits: what finds no room there is a letter
 * for the host, as all are without the connection. */
#ifndef RINGKERNEL_PATTERN_DEAD_LETTER_H
#define RINGKERNEL_PATTERN_DEAD_LETTER_H

#include "../device/handler.h"

typedef struct rk_letter {
    rk_u64 id;        /* of the message; 0: none */
    rk_u32 is_letter; /* 0: it is a message as any other, and the rest is 0 */
    rk_u32 reason; /* rk_reason_NAME of the source of the kernel that refused it, or see rk_letter_status */
    rk_u32 kernel_no; /* whose letter it is: the number in that kernel's handle */
    rk_u32 shard;     /* of that kernel */
    rk_u32 was_sent;  /* 0: it refused the message. 1: it sent the message, which wasn't taken */
    rk_u32 attempts;  /* how often it was delivered before */
} rk_letter;

/* What is known of a message that a handler was given, as a letter. */
RK_FN rk_letter rk_letter_of(RK_CTX, RK_MSG const void *message)
{
    rk_letter letter = { 0, 0, 0, 0, 0, 0, 0 };
    RK_GLOBAL const rk_header_long *header = (RK_GLOBAL const rk_header_long *)rk_header_of(rk_ctx, message);
    if (!(rk_ctx->features & RK_FEATURE_LONG) || !(header->version & RK_VERSION_LETTER)) return letter;
    letter.id = header->id;
    letter.is_letter = 1;
    letter.reason = (rk_u32)header->correlation;
    letter.kernel_no = header->base.source & RK_SOURCE_KERNEL;
    letter.shard = header->source_shard;
    letter.was_sent = (header->correlation & RK_LETTER_SENT) != 0;
    letter.attempts = header->attempts;
    return letter;
}

/* The status for which the system refused it; RK_OK: a handler did, for a reason of its own. */
RK_FN rk_status rk_letter_status(const rk_letter *letter)
{
    return letter->reason >= RK_REASON_STATUS ? (rk_status)(letter->reason - RK_REASON_STATUS) : RK_OK;
}

#endif
