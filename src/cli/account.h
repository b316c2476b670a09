/* Is every row somewhere? The chain from the rows read to the lines written, as a list of equations, each of
 * which must hold. */
#ifndef RINGKERNEL_CLI_ACCOUNT_H
#define RINGKERNEL_CLI_ACCOUNT_H

#include <jansson.h>

#include "job.h"

/* What the strategies of lanes let go, in all kernels: wished, and yet it is not there. */
typedef struct account_let_go {
    rk_u64 dropped, duplicate, evicted;
} account_let_go;
account_let_go account_sum_let_go(const job *j);

/* Takes each kernel's account, at rest, and checks the chain. True: every row is accounted for. `checks` gets
 * the equations. */
bool account_check(job *j, json_t *checks);

/* Messages that are gone or still under way. */
rk_u64 account_left(const job *j);

/* The summary of the job, with the checks (whose reference it takes); the caller drops its reference. */
json_t *account_summary(job *j, json_t *checks, bool balanced);

#endif
