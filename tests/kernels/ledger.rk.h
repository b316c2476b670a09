/* The messages of the cases on helpers over arrays and on a group's histograms. Type ids 542 and 543 are
 * theirs. */
#ifndef RINGKERNEL_TESTS_LEDGER_RK_H
#define RINGKERNEL_TESTS_LEDGER_RK_H

#include <ringkernel/message.h>

#define LEDGER 200u
#define LEDGER_BINS 16u

/* `n` values from `from` on go to `at` on, 0 to 3; `bytes` from byte `from_byte` on go to byte `at_byte`
 * on, 0 to 15. */
RK_MESSAGE(figures, 542, (rk_u32, n), (rk_u32, from), (rk_u32, at), (rk_u32, bytes), (rk_u32, from_byte),
           (rk_u32, at_byte), (rk_u32, value, 204))

/* What is in the state then. */
RK_MESSAGE(figured, 543, (rk_u64, seen, 16), (rk_u64, spread, 5), (rk_u32, sum), (rk_u32, total_hash),
           (rk_u32, copied_hash), (rk_f32, float_sum))

#endif
