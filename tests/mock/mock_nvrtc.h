/* A compiler without a toolkit: libnvrtc.so.13 as the tests need it. It "compiles" any text at once, into a
 * line that names what it was made of, counts, and fails where it is told to. Its controls are found by
 * dlsym(library, "mock_nvrtc"). */
#ifndef RINGKERNEL_TESTS_MOCK_NVRTC_H
#define RINGKERNEL_TESTS_MOCK_NVRTC_H

#include "backend/cuda/nvrtc_abi.h"

typedef struct mock_nvrtc_state {
    int major, minor;
    int architectures[8], architecture_count;
    const char *fails; /* function that fails, with this result; */
    int failure;
    int once, after; /* once: after so many calls that don't, and never again */
    const char *log;
    const char *breaks_at; /* a source with this in it doesn't compile, told with file and line */
    unsigned compiles;     /* so far */
    int programs;          /* alive */
    char options[512];     /* of the last, each followed by a space */
    void (*on_compile)(void);
    void (*on_source)(const char *text);
} mock_nvrtc_state;

#endif
