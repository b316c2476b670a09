/* The contract suite's large message: in a header of its own, since a kernel's pools are as large as the
 * largest message of its module. */
#ifndef RINGKERNEL_TESTS_CONTRACT_A_LARGE_RK_H
#define RINGKERNEL_TESTS_CONTRACT_A_LARGE_RK_H

#include <ringkernel/message.h>

/* Of any length; by reference from 1 KiB. */
#define CRATE_MAX 65536
RK_BLOB(crate, 216, CRATE_MAX)

#endif
