/* The messages of the cases on dead letters on the device. Type ids 785 to 789 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_LETTER_RK_H
#define RINGKERNEL_TESTS_PATTERN_LETTER_RK_H

#include <ringkernel/message.h>

#define TASK_DONE 0u
#define TASK_REFUSED 1u /* its handler refuses it */
#define TASK_SPAMS 2u   /* its handler sends more than it may */
#define TASK_SENT 3u    /* its handler sends it on */
#define TASK_ASKED 4u   /* its handler asks another kernel, which refuses it */

RK_MESSAGE(task, 785, (rk_u64, number), (rk_u32, what), (rk_u32, pad))

/* What was known of a letter. */
RK_MESSAGE(buried, 787, (rk_u64, number), (rk_u64, id), (rk_u64, sum), (rk_u32, is_letter),
           (rk_u32, is_declined), (rk_i32, status), (rk_u32, kernel_no), (rk_u32, shard), (rk_u32, was_sent),
           (rk_u32, type), (rk_u32, target), (rk_u32, priority), (rk_u32, flags))

#endif
