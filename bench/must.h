/* What a benchmark can't go on without. */
#ifndef BENCH_MUST_H
#define BENCH_MUST_H

#include <ringkernel/status.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if (!(call)) {                                                                             \
            fprintf(stderr, "%s:%d: %s failed: %s\n", __FILE__, __LINE__, #call, rk_error_text()); \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#endif
