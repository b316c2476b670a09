/* Messages of the benchmarks' kernels. */
#ifndef RK_BENCH_RK_H
#define RK_BENCH_RK_H

#include <ringkernel/message.h>

RK_MESSAGE(echo_message, 1, (rk_u64, word, 6))

RK_MESSAGE(actor_message, 2, (rk_u64, amount))

#define ACTORS 10000u
typedef struct actor_state {
    rk_u64 messages, amount;
} actor_state;

#endif
