/* Messages of the benchmark on checkpoints. */
#ifndef RK_BENCH_CHECKPOINT_PAUSE_RK_H
#define RK_BENCH_CHECKPOINT_PAUSE_RK_H

#include <ringkernel/message.h>

#define KEEPSAKE_WORDS 128u /* of state for each actor: 1 KiB */

RK_MESSAGE(keepsake, 8, (rk_u64, number))
RK_MESSAGE(kept, 9, (rk_u64, number), (rk_u64, before))

#endif
