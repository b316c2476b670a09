/* The messages of the guide's GPU examples. Type ids 100 to 149 are theirs. */
#ifndef RINGKERNEL_TESTS_GUIDE_RK_H
#define RINGKERNEL_TESTS_GUIDE_RK_H

#include <ringkernel/message.h>

/* Telemetry: a raw reading of a sensor, and what the kernel makes of it. */
RK_MESSAGE(sensor_reading, 100, (rk_u32, sensor), (rk_i32, millivolts))
RK_MESSAGE(sensor_value, 101, (rk_u64, handled_ns), (rk_u32, sensor), (rk_i32, millidegrees))

/* Bulk work: one item and its result. */
RK_MESSAGE(work_item, 102, (rk_u64, first), (rk_u64, count))
RK_MESSAGE(work_result, 103, (rk_u64, first), (rk_u64, steps), (rk_u64, longest))

/* Requests of varying load. */
RK_MESSAGE(quote_request, 104, (rk_u32, article), (rk_u32, pieces))
RK_MESSAGE(quote_response, 105, (rk_u64, cents), (rk_u32, article), (rk_u32, served))

/* Accounts, one actor each. */
RK_MESSAGE(account_change, 106, (rk_u32, account), (rk_u32, sequence), (rk_i64, cents))
RK_MESSAGE(account_balance, 107, (rk_u32, account), (rk_u32, sequence), (rk_i64, cents))

/* A value on a ring of vertices. */
RK_MESSAGE(vertex_update, 108, (rk_u32, node), (rk_f32, value))

/* Reductions: 256 values in one message, one value in each of many, and the sum. */
RK_MESSAGE(sample_block, 110, (rk_i32, value, 256))
RK_MESSAGE(sample_value, 111, (rk_i32, value))
RK_MESSAGE(sample_sum, 112, (rk_i64, sum), (rk_u32, samples), (rk_u32, group))

/* A value that is swapped with a neighbour. */
RK_MESSAGE(swap_offer, 115, (rk_u32, place), (rk_u32, value))

#endif
