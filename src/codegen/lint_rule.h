/* What the rules of the lint share: the source that they look at, and how they report. */
#ifndef RINGKERNEL_CODEGEN_LINT_RULE_H
#define RINGKERNEL_CODEGEN_LINT_RULE_H

#include "codegen/functions.h"
#include "codegen/lint.h"

typedef struct rk_lint {
    const char *file;
    rk_scan scan;
    rk_function_list functions;
    rk_finding_list *findings;
} rk_lint;

#define RK_SHOWN(slice) (int)((slice).size < 48 ? (slice).size : 48), (slice).text

/* Adds a finding and returns it, for its remedy to be printed; never NULL, but without memory it is kept
 * nowhere. */
rk_finding *rk_lint_report(rk_lint *lint, rk_u32 line, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void rk_finding_remedy(rk_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Names that mean something to a rule, within one function. */
typedef struct rk_name_set {
    rk_slice name[64]; /* more than that are not followed */
    rk_u32 count;
} rk_name_set;
void rk_name_add(rk_name_set *set, rk_slice name);
bool rk_name_has(const rk_name_set *set, rk_slice name);

/* Does one of these tokens spell this? */
bool rk_range_has(const rk_tokens *tokens, size_t first, size_t end, const char *spelling);

void rk_lint_barriers(rk_lint *lint);
void rk_lint_fences(rk_lint *lint);
void rk_lint_regions(rk_lint *lint);
void rk_lint_recursion(rk_lint *lint);
void rk_lint_pointers(rk_lint *lint);
void rk_lint_attributes(rk_lint *lint);
void rk_lint_host(rk_lint *lint);
void rk_lint_globals(rk_lint *lint);

#endif
