/* Is every row somewhere? The chain from the rows read to the lines written, as a list of equations, each of
 * which must hold. */
#ifndef RINGKERNEL_CLI_ACCOUNT_H
#define RINGKERNEL_CLI_ACCOUNT_H

#include <jansson.h>

#include "job.h"

/* Takes each kernel's account, at rest, and checks the chain. True: every row is accounted for. `checks` gets
 * the equations. */
bool account_check(job *j, json_t *checks);

/* Messages that are gone or still under way. */
rk_u64 account_left(const job *j);

/* The summary of the job, with the checks (whose reference it takes); the caller drops its reference. */
json_t *account_summary(job *j, json_t *checks, bool balanced);

#endif
