/* Compilers of devices as far as the command needs them: loaded if they are there, without their headers. */
#ifndef RINGKERNEL_CLI_DEVICE_LIBRARY_H
#define RINGKERNEL_CLI_DEVICE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* Version of NVRTC, "13.0", with *why NULL. False: *why says what is missing, by lines; the caller frees it. */
bool nvrtc_version(char version[32], char **why);

typedef enum device_compiled { DEVICE_COMPILED, DEVICE_REFUSED, DEVICE_MISSING } device_compiled;
/* Compile a whole program, NVRTC into machine code of an architecture (90 is sm_90); *log is what the compiler says (or why there is none), the caller frees it. */
device_compiled nvrtc_compile(const char *text, const char *include, unsigned architecture, char **log);
device_compiled opencl_compile(const char *text, const char *include, const char *standard, char **log);

#endif
