/* A worker: counts the primes of a part by trial division. */
#include <ringkernel/kernel.h>

#include "prime.rk.h"

RK_PARAM(rk_u32, dead, 4) /* the worker of this number answers nothing; 4: there is none such */

RK_FN rk_u32 is_prime(rk_u64 n)
{
    if (n < 4u) return n > 1u;
    if (n % 2u == 0) return 0;
    for (rk_u64 d = 3; d * d <= n; d += 2u)
        if (n % d == 0) return 0;
    return 1;
}

RK_HANDLER(count, part, msg, rk_none, self)
{
    found f = { msg->tag, 0 };
    if (rk_shard_number() == RK_PARAM_OF(dead)) return;
    for (rk_u64 n = msg->from; n < msg->to; n++) f.primes += is_prime(n);
    rk_send(RK_ARG, &f);
}
