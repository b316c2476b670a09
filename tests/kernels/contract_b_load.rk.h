/* What a batch handler saw of a load: its length, a hash of its bytes, and how many came with it. */
#ifndef RINGKERNEL_TESTS_CONTRACT_B_LOAD_RK_H
#define RINGKERNEL_TESTS_CONTRACT_B_LOAD_RK_H

#include <ringkernel/message.h>

RK_MESSAGE(load_weight, 443, (rk_u64, hash), (rk_u32, length), (rk_u32, together))

/* Of the hash: one step for each byte. */
#define WEIGH_BYTE(hash, byte) (((hash) ^ (byte)) * 1099511628211ul)

#endif
