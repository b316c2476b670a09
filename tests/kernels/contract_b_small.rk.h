/* A load of 0 to 1024 bytes, which travels in its slot. A kernel's slots and pools are as large as the
 * largest message of its module, so each size of load has a module of its own. */
#ifndef RINGKERNEL_TESTS_CONTRACT_B_SMALL_RK_H
#define RINGKERNEL_TESTS_CONTRACT_B_SMALL_RK_H

#include <ringkernel/message.h>

#define SMALL_MOST 1024
RK_BLOB(small_load, 440, SMALL_MOST)

#endif
