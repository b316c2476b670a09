/* A large message of the cases on dead letters and routes: in a header of its own, since a kernel's pools are as large as
 * the largest message of its module, and a device may have none. */
#ifndef RINGKERNEL_TESTS_PATTERN_LETTER_LARGE_RK_H
#define RINGKERNEL_TESTS_PATTERN_LETTER_LARGE_RK_H

#include "pattern_letter.rk.h"

#define BIG_WORDS 600u
RK_MESSAGE(big_task, 786, (rk_u64, number), (rk_u32, words, 600))

#endif
