/* The messages of the contract suite's cases on the dialect and on attributes. Type ids 470 to 489 are
 * theirs. */
#ifndef RINGKERNEL_TESTS_CONTRACT_C_RK_H
#define RINGKERNEL_TESTS_CONTRACT_C_RK_H

#include <ringkernel/message.h>

/* A number, and what a handler found out. */
RK_MESSAGE(measure, 470, (rk_u64, number), (rk_u64, value))

/* n terms, and their sum. */
RK_MESSAGE(terms, 471, (rk_u32, n), (rk_f32, sum))

/* What a thread got from others of its warp. */
RK_MESSAGE(exchanged, 472, (rk_u64, of_lane_3), (rk_f32, two_below), (rk_u32, across), (rk_u32, thread),
           (rk_u32, threads))

#define PER_THREAD 64u

#endif
