/* The pieces of work of bench/primitives.rk.h as a kernel, one of them for each message: what a device
 * does. */
#include "primitives.rk.h"

typedef struct primitive_shelf {
    rk_u32 prepared;
    primitive_state state;
} primitive_shelf;

RK_HANDLER(primitives, primitive_work, msg, primitive_shelf, self, .width = RK_BLOCK, .threads = 256,
           .state = RK_PER_SHARD, .shared = PRIMITIVE_SHARED_BYTES)
{
    rk_u32 sum = 0;
    RK_ONCE {
        if (!self->prepared) primitive_prepare(RK_ARG, &self->state);
        self->prepared = 1;
    }
    RK_GROUP_BARRIER();
    const rk_u32 shared = rk_ctx->shared_used;
    const rk_u64 before = rk_cycles();
    for (rk_u32 call = 0; call < msg->calls; call++) {
        rk_ctx->shared_used = shared;
        switch (msg->which) {
#define PRIMITIVE_CASE_(name, times) \
    case PRIMITIVE_DO_##name: sum = primitive_do_##name(RK_ARG, &self->state); break;
            PRIMITIVES(PRIMITIVE_CASE_)
#undef PRIMITIVE_CASE_
        default: break;
        }
        RK_GROUP_BARRIER();
    }
    RK_ONCE {
        primitive_done d = { rk_cycles() - before, msg->which, sum };
        rk_send(RK_ARG, &d);
    }
}
