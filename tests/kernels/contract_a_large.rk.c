/* An echo of messages of any length. */
#include <ringkernel/kernel.h>

#include "contract_a_large.rk.h"

RK_HANDLER(large_echo, crate, msg, rk_none, self) { rk_forward(RK_ARG); }
