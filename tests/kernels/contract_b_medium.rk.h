/* A load of 0 to 65536 bytes, which travels by reference from 1,025 bytes on. A kernel's slots and pools are
 * as large as the largest message of its module, so each size of load has a module of its own. */
#ifndef RINGKERNEL_TESTS_CONTRACT_B_MEDIUM_RK_H
#define RINGKERNEL_TESTS_CONTRACT_B_MEDIUM_RK_H

#include <ringkernel/message.h>

#define MEDIUM_MOST 65536
RK_BLOB(medium_load, 441, MEDIUM_MOST)

#endif
