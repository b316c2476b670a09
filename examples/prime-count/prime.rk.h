/* What goes between the kernels that count primes. */
#ifndef PRIME_RK_H
#define PRIME_RK_H

#include <ringkernel/message.h>

/* A row of the input: count the primes p with from <= p < to. */
RK_MESSAGE(range, 1, (rk_u64, from), (rk_u64, to))

/* A part of it for one worker, and what that found. */
RK_MESSAGE(part, 2, (rk_u64, tag), (rk_u64, from), (rk_u64, to))
RK_MESSAGE(found, 3, (rk_u64, tag), (rk_u64, primes))

/* A row of the output. Bit w of `missing`: the part of worker w has not come in time. */
RK_MESSAGE(counted, 4, (rk_u64, from), (rk_u64, to), (rk_u64, primes), (rk_u64, missing))

#endif
