/* What a kernel source declares: its RK_HANDLER, RK_MESSAGE and so on, found by their names in the raw text.
 *
 * Nothing is compiled and no macro is expanded, so this works on a machine without any compiler, and
 * before there is a library to link. Only the file itself is looked at: what a header declares that it
 * includes belongs to that header. */
#ifndef RINGKERNEL_CODEGEN_SCAN_H
#define RINGKERNEL_CODEGEN_SCAN_H

#include "codegen/lexer.h"

typedef struct rk_source_declaration {
    rk_u32 kind; /* RK_DECLARES_* of module.h */
    rk_u32 line;
    rk_u32 column;
    const char *macro;     /* "RK_HANDLER" */
    rk_u32 first_argument; /* index into the scan's arguments */
    rk_u32 arguments;
    size_t token;    /* index of the macro's name */
    size_t body;     /* handlers and hooks: index of the opening brace of what follows; 0: no body */
    size_t body_end; /* index of the closing one */
} rk_source_declaration;

typedef struct rk_source_argument {
    rk_slice text;
    rk_u32 line;
    rk_u32 column;
} rk_source_argument;

typedef struct rk_scan {
    rk_tokens tokens;
    rk_source_declaration *declaration;
    rk_u32 count;
    rk_u32 room;
    rk_source_argument *argument; /* of all declarations */
    rk_u32 argument_count;
    rk_u32 argument_room;
} rk_scan;

/* Lists the declarations of a source in their order. RK_OK, RK_OUT_OF_MEMORY, or RK_PARSE_FAILED with the
 * error filled: too few arguments, a name that is none, no body. In every case rk_scan_free ends it. The
 * text has to outlive the scan. */
rk_status rk_scan_source(const char *text, size_t size, rk_scan *scan, rk_source_error *error);
void rk_scan_free(rk_scan *scan);

/* Argument `index` of a declaration; empty if there are fewer. */
rk_slice rk_scan_argument(const rk_scan *scan, const rk_source_declaration *declaration, rk_u32 index);

/* The value that a handler gives to an attribute ("threads"); empty if it gives none. */
rk_slice rk_scan_attribute(const rk_scan *scan, const rk_source_declaration *declaration, const char *name);

/* The kernel that a handler or hook is of. */
rk_slice rk_scan_kernel(const rk_scan *scan, const rk_source_declaration *declaration);
bool rk_declares_handler(const rk_source_declaration *declaration);
bool rk_declares_hook(const rk_source_declaration *declaration);

#endif
