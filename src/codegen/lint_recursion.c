/* Recursion among the functions of a source: OpenCL C forbids it, and a GPU's stack has no room for it. */
#include <string.h>

#include "codegen/lint_rule.h"

#define MOST_STEPS 16 /* longer circles are not followed */

typedef struct path {
    const rk_source_function *step[MOST_STEPS];
    rk_u32 steps;
} path;

static bool is_on(const path *way, const rk_source_function *function)
{
    for (rk_u32 i = 0; i < way->steps; i++)
        if (way->step[i] == function) return true;
    return false;
}

/* A way by calls from the last function of `way` back to its first one. Only functions behind the first in
 * the file are stepped on, so each circle is found once, from its first function. */
static bool leads_back(const rk_lint *lint, path *way)
{
    const rk_source_function *here = way->step[way->steps - 1];
    for (size_t i = here->body; i < here->end; i++) {
        const rk_source_function *called = rk_called_function(&lint->scan, &lint->functions, i);
        if (called == NULL || called < way->step[0]) continue;
        if (called == way->step[0]) return true;
        if (is_on(way, called) || way->steps == MOST_STEPS) continue;
        way->step[way->steps++] = called;
        if (leads_back(lint, way)) return true;
        way->steps--;
    }
    return false;
}

void rk_lint_recursion(rk_lint *lint)
{
    for (rk_u32 f = 0; f < lint->functions.count; f++) {
        const rk_source_function *function = &lint->functions.function[f];
        path way = { .step = { function }, .steps = 1 };
        if (function->declaration != NULL || !leads_back(lint, &way)) continue;
        rk_finding *finding;
        if (way.steps == 1)
            finding = rk_lint_report(lint, function->line, "recursion", "'%.*s' calls itself",
                                     RK_SHOWN(function->name));
        else
            finding =
                rk_lint_report(lint, function->line, "recursion", "'%.*s' calls itself by way of '%.*s'",
                               RK_SHOWN(function->name), RK_SHOWN(way.step[1]->name));
        rk_finding_remedy(finding, "write a loop with a bound, or send what is left to do as a message");
    }
}
