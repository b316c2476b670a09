/* What a kernel source does that compiles here and fails, hangs or goes wrong elsewhere, found in its text.
 *
 *   barrier-scope    an SPMD kernel whose barriers are a warp's indexes shared memory beyond its warp (the
 *                    guide's pitfall 1)
 *   missing-fence    a relaxed kernel writes state and then sends, with no fence between (pitfall 2)
 *   region-in-spmd   RK_PARALLEL and its like in an SPMD kernel, where every thread would run the whole loop
 *   recursion        functions that call themselves: no GPU stack for that, and not in OpenCL C
 *   address-space    a pointer without RK_GLOBAL, RK_LOCAL or RK_MSG is given memory of the arena, of a
 *                    message or of the block
 *   host-call        a function of the C library: memory, output, files, waiting, the end of the process
 *   function-pointer a pointer to a function is declared, called or cast to
 *   endless-loop     a loop without a condition and without a way out
 *   global-variable  a variable of the file or of a function that outlives the call and changes
 *   attribute-order  attributes out of the order of rk_attributes, which C++20 refuses, or of no member of it
 *
 * Nothing is expanded or typed, so each rule looks for the plain form of its mistake: what it reports is
 * worth reading, and what it doesn't see the compilers of the gate may still refuse. */
#ifndef RINGKERNEL_CODEGEN_LINT_H
#define RINGKERNEL_CODEGEN_LINT_H

#include "codegen/lexer.h"

typedef struct rk_finding {
    const char *file; /* as it was given to rk_lint_source */
    rk_u32 line;
    const char *rule;
    char text[200];
    char remedy[200];
} rk_finding;

typedef struct rk_finding_list {
    rk_finding *finding; /* by line */
    rk_u32 count;
    rk_u32 room;
    bool failed; /* out of memory on the way */
} rk_finding_list;

/* RK_OK, with or without findings; RK_OUT_OF_MEMORY; RK_PARSE_FAILED with the error filled when the source
 * can't be scanned. rk_finding_list_free in every case. `file` has to outlive the list. Any thread. */
rk_status rk_lint_source(const char *file, const char *text, size_t size, rk_finding_list *list,
                         rk_source_error *error);
void rk_finding_list_free(rk_finding_list *list);

#endif
