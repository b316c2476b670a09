/* The suite itself: a launch that a variant refuses, and whose refusal the table of variants doesn't have,
 * fails its case and with it the program. */
#include <ringkernel/kernel.h>

#include "contract.h"

#include <stdio.h>
#include <stdlib.h>

#include "../kernels/contract_a.rk.h"

RK_HANDLER(elsewhere, probe, msg, rk_none, self, .backends = RK_ON_CUDA) {}

static int went_on;

static void a_refusal_that_no_table_has_is_a_failure(contract *c)
{
    launch(c, "elsewhere", "elsewhere", 0);
    went_on = 1;
}

static const contract_case cases[] = {
    { CASE(a_refusal_that_no_table_has_is_a_failure), ONCE },
};

int main(int argc, char **argv)
{
    setenv("RK_CONTRACT_VARIANTS", "regions-1", 1); /* where the case is, whichever others are asked for */
    printf("The one case below must fail.\n");
    int failed = contract_main("refusals", cases, 1, argc, argv);
    printf("%s\n", failed && !went_on ? "it did" : "it did not");
    return failed && !went_on ? 0 : 1;
}
