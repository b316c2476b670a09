/* The messages of the cases on pipelines. Type ids 550 to 559 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_PIPELINE_RK_H
#define RINGKERNEL_TESTS_PATTERN_PIPELINE_RK_H

#include <ringkernel/message.h>

/* What goes down a pipeline: each stage counts itself. */
RK_MESSAGE(parcel, 550, (rk_u64, number), (rk_u32, key), (rk_u32, stages), (rk_u32, load, 4))

/* What a kernel for errors saw of one that was refused. */
RK_MESSAGE(buried_parcel, 551, (rk_u64, number), (rk_u32, key), (rk_u32, stages), (rk_u32, kernel_no),
           (rk_u32, is_faulty), (rk_u32, was_sent), (rk_u32, load))

/* Without the member that parcels are sent by. */
RK_MESSAGE(keyless, 552, (rk_u64, number))

#endif
