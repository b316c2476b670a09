/* Renders the translation unit that compiles a kernel source for a backend.
 *
 *   "cpu"     the module: the source with RK_MODULE defined, for a compiler of C11
 *   "cuda"    a whole program for NVRTC (C++20, include path of this library)
 *   "opencl"  a whole program for OpenCL C 1.2 or 3.0
 *   "metal"   a whole program in the Metal Shading Language 3.2
 *
 * For a device that is the source, the functions that call its handlers by number and message, and an
 * entry for each kernel; see device/unit.h. The source is included by its path, so a compiler's messages
 * name the user's own file and line. */
#ifndef RINGKERNEL_CODEGEN_RENDER_H
#define RINGKERNEL_CODEGEN_RENDER_H

#include "codegen/lexer.h"

typedef struct rk_render_options {
    const char *backend;
    const char *path;   /* of the source, as the compiler is to find it */
    const char *kernel; /* render this kernel alone, as OpenCL programs should; NULL: all of them */
    const char *text;   /* of the source */
    size_t size;
} rk_render_options;

/* *unit becomes the text, the caller's to free; NULL unless RK_OK. RK_INVALID_ARGUMENT (no such backend, a
 * path that can't be included), RK_NO_SUCH_KERNEL, RK_UNSUPPORTED, RK_PARSE_FAILED: the error says why.
 * RK_OUT_OF_MEMORY. Any thread. */
rk_status rk_render_unit(const rk_render_options *options, char **unit, rk_source_error *error);

#endif
