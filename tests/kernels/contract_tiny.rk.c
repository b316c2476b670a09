/* A kernel whose module has nothing but messages of one word. */
#include <ringkernel/kernel.h>

#include "contract_tiny.rk.h"

RK_HANDLER(skip_pebble, pebble, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    rk_forward(RK_ARG);
}
