/* The compiler of kernel sources, src/runtime/module_compile.c, built three times more: to call a script in
 * place of the compiler, with other flags, and as another version. */
#ifndef RINGKERNEL_TESTS_COMPILE_COUNTED_H
#define RINGKERNEL_TESTS_COMPILE_COUNTED_H

#include "runtime/module.h"

/* The test writes it there: it notes each call and has the compiler do it. */
#define COUNTING_COMPILER RK_BINARY_DIR "/module_cache_test_cc"

rk_status compile_counted(const rk_runtime *runtime, const char *source, char **path);
rk_status compile_counted_optimised(const rk_runtime *runtime, const char *source, char **path);
rk_status compile_counted_versioned(const rk_runtime *runtime, const char *source, char **path);

#endif
