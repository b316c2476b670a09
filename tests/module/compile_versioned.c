#include "compile_counted.h"

#undef RK_BUILD_VERSION
#define RK_BUILD_VERSION "99.0.1"
#define RK_COMPILER COUNTING_COMPILER
#define RK_COMPILE_FLAGS "-std=c11 -O0"
#define RK_BUILD_INCLUDE_DIR RK_SOURCE_DIR "/include"
#define RK_INSTALL_INCLUDE_DIR "/nowhere"
#define rk_module_compile compile_counted_versioned
#include "runtime/module_compile.c"
