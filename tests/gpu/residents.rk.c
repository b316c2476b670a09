/* Three kernels that answer with the shard that they are: three, so that code is loaded while others stay. */
#include <ringkernel/kernel.h>

#include "residents.rk.h"

RK_HANDLER(answer_first, lived, msg, rk_none, self, .max_batch = 64)
{
    lived answer = { msg->number, rk_shard_number() };
    rk_send(RK_ARG, &answer);
}

RK_HANDLER(answer_second, lived, msg, rk_none, self, .max_batch = 64)
{
    lived answer = { msg->number + 1u, rk_shard_number() };
    rk_send(RK_ARG, &answer);
}

RK_HANDLER(answer_third, lived, msg, rk_none, self, .max_batch = 64)
{
    lived answer = { msg->number + 2u, rk_shard_number() };
    rk_send(RK_ARG, &answer);
}
