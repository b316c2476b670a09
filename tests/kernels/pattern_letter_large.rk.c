/* Kernels of messages over 1 KiB: one that refuses, one that gets its letters, and those that carry. */
#include "pattern_letter_known.rk.h"
#include "pattern_letter_large.rk.h"

RK_REASON(undersized)
RK_REASON(oversized)

RK_HANDLER(large_mortal, task, msg, rk_none, self) { rk_fail(RK_ARG, undersized); }
RK_HANDLER(large_mortal, big_task, msg, rk_none, self) { rk_fail(RK_ARG, oversized); }

RK_HANDLER(large_undertaker, big_task, msg, rk_none, self)
{
    buried b =
        known_of(rk_letter_of(RK_ARG, msg), rk_header_of(RK_ARG, msg), msg->number, rk_reason_oversized);
    for (rk_u32 i = 0; i < BIG_WORDS; i++) b.sum += msg->words[i];
    rk_send(RK_ARG, &b);
}

RK_HANDLER(hauler, big_task, msg, rk_none, self) { rk_forward(RK_ARG); }

/* Sees to what isn't taken itself. */
RK_HANDLER(careful_hauler, big_task, msg, rk_none, self) { rk_forward(RK_ARG); }
RK_ON_REFUSED(careful_hauler, rk_none, self, refused) { return 1; }

/* Counts what each actor gets, and tells which it was. */
RK_HANDLER(warden, big_task, msg, rk_u64, self, .state = RK_PER_ACTOR)
{
    buried b = { msg->number, ++*self, 0, 0, 0, 0, 0, 0, 0, 0, rk_header_of(RK_ARG, msg)->target, 0, 0 };
    rk_send(RK_ARG, &b);
}
