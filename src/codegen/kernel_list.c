/* The kernels of a source; see kernel_list.h. */
#include "codegen/kernel_list.h"

#include <stdlib.h>

#include "ringkernel/module.h"

static rk_source_kernel *find(rk_kernel_list *list, rk_slice name)
{
    for (rk_u32 i = 0; i < list->count; i++)
        if (rk_slice_equal(list->kernel[i].name, name)) return &list->kernel[i];
    return NULL;
}

#define REFUSE(error, status, declaration, ...) \
    (rk_source_error_set(error, (declaration)->line, (declaration)->column, __VA_ARGS__), status)
#define SHOWN(slice) (int)((slice).size < 60 ? (slice).size : 60), (slice).text

/* Is there a handler for the same message before this one? */
static bool is_second(const rk_scan *scan, const rk_source_declaration *d)
{
    for (const rk_source_declaration *other = scan->declaration; other < d; other++)
        if (rk_declares_handler(other) &&
            rk_slice_equal(rk_scan_kernel(scan, other), rk_scan_kernel(scan, d)) &&
            rk_slice_equal(rk_scan_argument(scan, other, 1), rk_scan_argument(scan, d, 1)))
            return true;
    return false;
}

static rk_status take_width(const rk_scan *scan, const rk_source_declaration *d, rk_source_kernel *kernel,
                            rk_source_error *error)
{
    rk_slice width = rk_scan_attribute(scan, d, "width");
    if (width.size == 0) return RK_OK;
    if (!rk_slice_is(width, "RK_THREAD") && !rk_slice_is(width, "RK_WARP") && !rk_slice_is(width, "RK_BLOCK"))
        return REFUSE(error, RK_UNSUPPORTED, d,
                      "the width of '%.*s' is '%.*s': for a device it has to be written as RK_THREAD, "
                      "RK_WARP or RK_BLOCK",
                      SHOWN(kernel->name), SHOWN(width));
    kernel->width = width;
    return RK_OK;
}

static rk_status add_handler(const rk_scan *scan, const rk_source_declaration *d, rk_kernel_list *list,
                             rk_source_error *error)
{
    rk_slice name = rk_scan_kernel(scan, d);
    rk_source_kernel *kernel = find(list, name);
    if (kernel == NULL) {
        kernel = &list->kernel[list->count++];
        *kernel = (rk_source_kernel){ .name = name, .first = d, .width = { "RK_THREAD", 9 } };
    } else if (kernel->first->kind != d->kind) {
        return REFUSE(error, RK_UNSUPPORTED, d,
                      "kernel '%.*s' has %s here and %s at line %u: on a device a kernel's handlers are all "
                      "of one kind",
                      SHOWN(name), d->macro, kernel->first->macro, kernel->first->line);
    }
    if (is_second(scan, d))
        return REFUSE(error, RK_PARSE_FAILED, d, "a second handler of kernel '%.*s' for message '%.*s'",
                      SHOWN(name), SHOWN(rk_scan_argument(scan, d, 1)));
    return take_width(scan, d, kernel, error);
}

static rk_status add_hook(const rk_scan *scan, const rk_source_declaration *d, rk_kernel_list *list,
                          rk_source_error *error)
{
    rk_slice name = rk_scan_kernel(scan, d);
    rk_source_kernel *kernel = find(list, name);
    if (kernel == NULL)
        return REFUSE(error, RK_PARSE_FAILED, d,
                      "%s is of a kernel '%.*s', which has no handler in this file", d->macro, SHOWN(name));
    const rk_source_declaration **hook = d->kind == RK_DECLARES_DRAIN   ? &kernel->drain
                                         : d->kind == RK_DECLARES_TIMER ? &kernel->timer
                                         : d->kind == RK_DECLARES_MERGE ? &kernel->merge
                                                                        : &kernel->refused;
    if (*hook != NULL)
        return REFUSE(error, RK_PARSE_FAILED, d, "a second %s of kernel '%.*s'", d->macro, SHOWN(name));
    *hook = d;
    return RK_OK;
}

rk_status rk_list_kernels(const rk_scan *scan, rk_kernel_list *list, rk_source_error *error)
{
    *error = (rk_source_error){ .line = 0 };
    *list = (rk_kernel_list){ .kernel = calloc(scan->count + 1u, sizeof(rk_source_kernel)) };
    if (list->kernel == NULL) return RK_OUT_OF_MEMORY;
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < scan->count && status == RK_OK; i++)
        if (rk_declares_handler(&scan->declaration[i]))
            status = add_handler(scan, &scan->declaration[i], list, error);
    for (rk_u32 i = 0; i < scan->count && status == RK_OK; i++)
        if (rk_declares_hook(&scan->declaration[i]))
            status = add_hook(scan, &scan->declaration[i], list, error);
    return status;
}

void rk_kernel_list_free(rk_kernel_list *list)
{
    free(list->kernel);
    *list = (rk_kernel_list){ .kernel = NULL };
}
