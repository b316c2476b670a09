/* The kernels of a source, gathered from its handlers and hooks, and checked for what can't be one kernel. */
#ifndef RINGKERNEL_CODEGEN_KERNEL_LIST_H
#define RINGKERNEL_CODEGEN_KERNEL_LIST_H

#include "codegen/scan.h"

typedef struct rk_source_kernel {
    rk_slice name;
    const rk_source_declaration *first;   /* its first handler: handlers of one kernel are of one kind */
    const rk_source_declaration *drain;   /* NULL: none */
    const rk_source_declaration *timer;   /* NULL: none */
    const rk_source_declaration *refused; /* NULL: none */
    const rk_source_declaration *merge;   /* NULL: none; the host's alone */
    rk_slice width;                       /* RK_THREAD, RK_WARP or RK_BLOCK, as written or by default */
} rk_source_kernel;

typedef struct rk_kernel_list {
    rk_source_kernel *kernel; /* in the order of their first handlers */
    rk_u32 count;
} rk_kernel_list;

/* RK_OK, RK_OUT_OF_MEMORY, or with the error filled RK_PARSE_FAILED (a hook of no kernel, a second hook or
 * handler of the same kind) and RK_UNSUPPORTED (what one dispatch can't serve). In every case
 * rk_kernel_list_free ends it; the scan has to outlive it. */
rk_status rk_list_kernels(const rk_scan *scan, rk_kernel_list *list, rk_source_error *error);
void rk_kernel_list_free(rk_kernel_list *list);

#endif
