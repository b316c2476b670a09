/* The messages of the cases on supervision. Type ids 710 to 719 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_SUPERVISION_RK_H
#define RINGKERNEL_TESTS_PATTERN_SUPERVISION_RK_H

#include <ringkernel/message.h>

RK_MESSAGE(entry, 710, (rk_u64, number))

/* An entry was counted: the count of the state that it found, and the parameter. */
RK_MESSAGE(entered, 711, (rk_u64, number), (rk_u64, count), (rk_u32, redelivered), (rk_u32, mark))

/* The handler runs until its gate is open, or, where it can't see the gate, for so many looks. */
RK_MESSAGE(gated_entry, 712, (rk_u64, number), (rk_u64, looks))

#endif
