/* Sends each message back as it came. */
#include <ringkernel/kernel.h>

#include "bench.rk.h"

RK_HANDLER(echo, echo_message, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    echo_message back = *msg;
    rk_send(RK_ARG, &back);
}
