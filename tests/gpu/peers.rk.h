/* What the peers program sends, and what its kernels keep. */
#ifndef RK_PEERS_RK_H
#define RK_PEERS_RK_H

#include <ringkernel/message.h>

RK_MESSAGE(numbered, 640, (rk_u32, number))
RK_MESSAGE(mishap, 641, (rk_u32, number))

#define LUGGAGE_WORDS (1u << 20)
/* The next number, how many came out of turn, and something to carry. */
typedef struct luggage {
    rk_u32 next, wrong;
    rk_u32 word[LUGGAGE_WORDS];
} luggage;

#endif
