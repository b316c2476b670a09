/* What the trap program sends, and what its kernel keeps. */
#ifndef RK_TRAP_RK_H
#define RK_TRAP_RK_H

#include <ringkernel/message.h>

/* A number to be added; with `traps` the handler breaks the device instead. */
RK_MESSAGE(deposit, 642, (rk_u64, value), (rk_u64, traps))
RK_MESSAGE(balance, 643, (rk_u64, sum), (rk_u64, count))

typedef struct teller_state {
    rk_u64 sum, count;
} teller_state;

#endif
