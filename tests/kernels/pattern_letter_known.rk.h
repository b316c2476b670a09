/* What an undertaker knows of the letter that it handles, for its modules. */
#ifndef RINGKERNEL_TESTS_PATTERN_LETTER_KNOWN_RK_H
#define RINGKERNEL_TESTS_PATTERN_LETTER_KNOWN_RK_H

#include <ringkernel/kernel.h>
#include <ringkernel/pattern/dead_letter.h>

#include "pattern_letter.rk.h"

/* `reason`: the one that is looked for. */
RK_FN buried known_of(rk_letter l, RK_GLOBAL const rk_header *header, rk_u64 number, rk_u32 reason)
{
    buried b = { number,
                 l.id,
                 0,
                 l.is_letter,
                 l.is_letter && l.reason == reason,
                 (rk_i32)rk_letter_status(&l),
                 l.kernel_no,
                 l.shard,
                 l.was_sent,
                 header->type,
                 header->target,
                 header->priority,
                 header->flags };
    return b;
}

#endif
