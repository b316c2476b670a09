/* Regions in an SPMD body: what a region hands out to the group's threads, each thread of an SPMD kernel
 * would do by itself. On the CPU every fiber runs the whole loop, so a sum comes out as many times as there
 * are threads; on a GPU the region's barrier is one more that all have to reach.
 *
 * Calls of the file's own functions are followed. */
#include <string.h>

#include "codegen/lint_rule.h"
#include "ringkernel/module.h"

#define DEEPEST 8 /* calls within calls */

static const struct {
    const char *name;
    const char *remedy;
} regions[] = {
    { "RK_PARALLEL",
      "an SPMD body is one thread: use the thread's index, rk_thread(), and rk_barrier() where the "
      "loop ended; or write the kernel as RK_HANDLER" },
    { "RK_ONCE", "an SPMD body is one thread: use the thread's index, if (rk_thread() == 0)" },
    { "RK_THREADS", "an SPMD body is one thread: use the thread's index, rk_thread(), and no loop" },
    { "RK_PER_THREAD", "an SPMD body is one thread: an ordinary variable is its own" },
};
#define REGIONS (sizeof(regions) / sizeof(regions[0]))

static void report(rk_lint *lint, rk_slice kernel, const rk_source_function *within, size_t token,
                   size_t region)
{
    rk_u32 line = lint->scan.tokens.token[token].line;
    rk_finding *finding;
    if (within->declaration != NULL)
        finding = rk_lint_report(lint, line, "region-in-spmd", "%s in the SPMD body of '%.*s'",
                                 regions[region].name, RK_SHOWN(kernel));
    else
        finding =
            rk_lint_report(lint, line, "region-in-spmd", "%s in '%.*s', which the SPMD body of '%.*s' calls",
                           regions[region].name, RK_SHOWN(within->name), RK_SHOWN(kernel));
    rk_finding_remedy(finding, "%s", regions[region].remedy);
}

/* Has this place been reported, for this or another kernel? */
static bool is_reported(const rk_lint *lint, rk_u32 line)
{
    for (rk_u32 i = 0; i < lint->findings->count; i++)
        if (lint->findings->finding[i].line == line &&
            strcmp(lint->findings->finding[i].rule, "region-in-spmd") == 0)
            return true;
    return false;
}

static void read_function(rk_lint *lint, rk_slice kernel, const rk_source_function *function, int depth)
{
    for (size_t i = function->body; i < function->end; i++) {
        for (size_t region = 0; region < REGIONS; region++)
            if (rk_token_is(&lint->scan.tokens.token[i], regions[region].name) &&
                !is_reported(lint, lint->scan.tokens.token[i].line))
                report(lint, kernel, function, i, region);
        const rk_source_function *called = rk_called_function(&lint->scan, &lint->functions, i);
        if (called != NULL && depth < DEEPEST) read_function(lint, kernel, called, depth + 1);
    }
}

void rk_lint_regions(rk_lint *lint)
{
    for (rk_u32 f = 0; f < lint->functions.count; f++) {
        const rk_source_function *function = &lint->functions.function[f];
        if (function->declaration != NULL && function->declaration->kind == RK_DECLARES_SPMD)
            read_function(lint, function->name, function, 0);
    }
}
