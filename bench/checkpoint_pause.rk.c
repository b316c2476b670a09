/* An actor that remembers the last numbers, in 1 KiB of state. */
#include <ringkernel/kernel.h>

#include "checkpoint_pause.rk.h"

typedef struct memories {
    rk_u64 count, word[KEEPSAKE_WORDS - 1u];
} memories;

RK_HANDLER(keeper, keepsake, msg, memories, self, .state = RK_PER_ACTOR)
{
    rk_u64 at = self->count++ % (KEEPSAKE_WORDS - 1u);
    kept out = { msg->number, self->word[at] };
    self->word[at] = msg->number;
    rk_send(RK_ARG, &out);
}
