/* As much of OpenCL as the gate's tests need, loaded at run time: no header and no library of it is
 * needed. */
#ifndef RINGKERNEL_TESTS_OPENCL_H
#define RINGKERNEL_TESTS_OPENCL_H

#include <stdbool.h>
#include <stddef.h>

typedef void *opencl_handle;

typedef struct opencl_argument {
    size_t size;
    const void *value; /* NULL: block-shared memory of this size */
} opencl_argument;

/* Opens the first device. Where there is none, or where sanitizers would report what PoCL and LLVM do,
 * says why and leaves the program with the exit status of a skipped test. What fails after that ends the
 * program with a message. */
void opencl_open(void);

/* Builds a text as OpenCL C of a standard, "1.2" or "3.0". */
opencl_handle opencl_build(const char *text, const char *standard);

/* A buffer that is this very memory. */
opencl_handle opencl_buffer(void *memory, size_t size);

/* Runs a function of a program and waits for it; `blocks` blocks of `threads` each. Then the buffer's
 * memory is up to date. */
void opencl_run(opencl_handle program, const char *function, size_t blocks, size_t threads,
                const opencl_argument *arguments, unsigned count, opencl_handle buffer, size_t buffer_size);

#endif
