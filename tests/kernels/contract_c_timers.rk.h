/* The messages of the contract suite's cases on timers. Type ids 506 to 509 are theirs. */
#ifndef RINGKERNEL_TESTS_CONTRACT_C_TIMERS_RK_H
#define RINGKERNEL_TESTS_CONTRACT_C_TIMERS_RK_H

#include <ringkernel/message.h>

#define ALARMS 32u       /* that one shard keeps */
#define FOR_EVER ~0u     /* again and again, until the kernel is drained */
#define EVEN_DRAINING 1u /* and then as well */
#define FORGET 2u        /* no alarm: those of this number are not to ring */

/* Ring in so many ns, `again` times more after each as many; `copies` at once. */
RK_MESSAGE(timed, 506, (rk_u64, number), (rk_u64, delay_ns), (rk_u32, again), (rk_u32, copies),
           (rk_u32, flags), (rk_u32, pad))

/* It rang, and should have at due_ns. */
RK_MESSAGE(ringing, 507, (rk_u64, number), (rk_u64, due_ns), (rk_u64, rung_ns), (rk_u32, draining),
           (rk_u32, pad))

/* What a call said. */
RK_MESSAGE(answered, 508, (rk_u64, number), (rk_i32, status), (rk_u32, pad))

/* What a hook was told of a message that there isn't, and which hook it was; or the number of what it
 * sent. */
RK_MESSAGE(told_by_hook, 509, (rk_u64, time_left_ns), (rk_u32, hook), (rk_u32, length), (rk_u32, redelivered),
           (rk_i32, status))
#define BY_TIMER 1u
#define BY_DRAIN 2u
#define BY_TRY 1000u /* and how many were sent before */

#define SPILL_BATCH 4u
#define SPILL_SENDS 2u

#endif
