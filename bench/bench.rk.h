/* Messages of the benchmarks' kernels. */
#ifndef RK_BENCH_RK_H
#define RK_BENCH_RK_H

#include <ringkernel/message.h>

RK_MESSAGE(echo_message, 1, (rk_u64, word, 6))

RK_MESSAGE(actor_message, 2, (rk_u64, amount))

RK_MESSAGE(unit_message, 3, (rk_u32, word, 9)) /* what a unit slot of 64 bytes holds */

#define ACTORS 10000u
typedef struct actor_state {
    rk_u64 messages, amount;
} actor_state;

#endif
