/* Runs the rules over a source and keeps what they find; see lint.h. */
#include "codegen/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "codegen/lint_rule.h"

rk_finding *rk_lint_report(rk_lint *lint, rk_u32 line, const char *rule, const char *format, ...)
{
    static _Thread_local rk_finding nowhere;
    rk_finding_list *list = lint->findings;
    rk_finding *finding = &nowhere;
    if (list->count == list->room) {
        rk_u32 room = list->room ? list->room * 2 : 8;
        rk_finding *grown = realloc(list->finding, room * sizeof(*grown));
        if (grown != NULL) {
            list->finding = grown;
            list->room = room;
        }
    }
    if (list->count < list->room)
        finding = &list->finding[list->count++];
    else
        list->failed = true;
    *finding = (rk_finding){ .file = lint->file, .line = line, .rule = rule };
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->text, sizeof(finding->text), format, arguments);
    va_end(arguments);
    return finding;
}

void rk_finding_remedy(rk_finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->remedy, sizeof(finding->remedy), format, arguments);
    va_end(arguments);
}

void rk_name_add(rk_name_set *set, rk_slice name)
{
    if (set->count < sizeof(set->name) / sizeof(set->name[0])) set->name[set->count++] = name;
}

bool rk_name_has(const rk_name_set *set, rk_slice name)
{
    for (rk_u32 i = 0; i < set->count; i++)
        if (rk_slice_equal(set->name[i], name)) return true;
    return false;
}

bool rk_range_has(const rk_tokens *tokens, size_t first, size_t end, const char *spelling)
{
    for (size_t i = first; i < end; i++)
        if (rk_token_is(&tokens->token[i], spelling)) return true;
    return false;
}

static int by_line(const void *a, const void *b)
{
    rk_u32 first = ((const rk_finding *)a)->line;
    rk_u32 second = ((const rk_finding *)b)->line;
    return (first > second) - (first < second);
}

rk_status rk_lint_source(const char *file, const char *text, size_t size, rk_finding_list *list,
                         rk_source_error *error)
{
    rk_lint lint = { .file = file, .findings = list };
    *list = (rk_finding_list){ .count = 0 };
    rk_status status = rk_scan_source(text, size, &lint.scan, error);
    if (status == RK_OK) status = rk_list_functions(&lint.scan, &lint.functions);
    if (status == RK_OK) {
        rk_lint_barriers(&lint);
        rk_lint_fences(&lint);
        rk_lint_regions(&lint);
        rk_lint_recursion(&lint);
        rk_lint_pointers(&lint);
        rk_lint_attributes(&lint);
        rk_lint_host(&lint);
        rk_lint_globals(&lint);
        if (list->count > 0) qsort(list->finding, list->count, sizeof(rk_finding), by_line);
        if (list->failed) status = RK_OUT_OF_MEMORY;
    }
    rk_function_list_free(&lint.functions);
    rk_scan_free(&lint.scan);
    return status;
}

void rk_finding_list_free(rk_finding_list *list)
{
    free(list->finding);
    *list = (rk_finding_list){ .count = 0 };
}
