/* Has lanes for unit_copy; it is never served. */
#include <ringkernel/kernel.h>

#include "bench.rk.h"

RK_HANDLER(unit_copy, unit_message, msg, rk_none, self)
{
    unit_message back = *msg;
    rk_send(RK_ARG, &back);
}
