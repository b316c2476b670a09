/* A load of 0 to 16777216 bytes, which travels by reference from 1,025 bytes on. A kernel's slots and pools
 * are as large as the largest message of its module, so each size of load has a module of its own. */
#ifndef RINGKERNEL_TESTS_CONTRACT_B_LARGE_RK_H
#define RINGKERNEL_TESTS_CONTRACT_B_LARGE_RK_H

#include <ringkernel/message.h>

#define LARGE_MOST 16777216
RK_BLOB(large_load, 442, LARGE_MOST)

#endif
