/* The functions of a kernel source: those that it writes itself, and the bodies of its handlers and hooks. */
#ifndef RINGKERNEL_CODEGEN_FUNCTIONS_H
#define RINGKERNEL_CODEGEN_FUNCTIONS_H

#include "codegen/scan.h"

typedef struct rk_source_function {
    rk_slice name; /* of a handler or hook, its kernel's */
    rk_u32 line;
    const rk_source_declaration *declaration; /* NULL: an ordinary function */
    size_t open;  /* token of the bracket before the parameters, or before the macro's arguments */
    size_t close; /* of the one behind them */
    size_t body;  /* of the brace that opens the body */
    size_t end;   /* of the one that closes it */
} rk_source_function;

typedef struct rk_function_list {
    rk_source_function *function;
    rk_u32 count;
    rk_u32 room;
} rk_function_list;

/* RK_OK or RK_OUT_OF_MEMORY; rk_function_list_free in either case. */
rk_status rk_list_functions(const rk_scan *scan, rk_function_list *list);
void rk_function_list_free(rk_function_list *list);

/* The ordinary function that is called at a token; NULL if none of this file is. */
const rk_source_function *rk_called_function(const rk_scan *scan, const rk_function_list *list, size_t token);

/* Is this token a name that stands for itself, not for a member? */
bool rk_is_plain_name(const rk_tokens *tokens, size_t token);

#endif
