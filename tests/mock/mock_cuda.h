/* A driver without a device: libcuda.so.1 as the tests need it, on the host's memory.
 *
 * It does what the driver promises of memory, streams, events and modules, launches by calling a function of
 * the test, and fails where it is told to. Tests load it by its path and reach its controls by
 * dlsym(library, "mock_cuda"); a program as a whole gets it by LD_LIBRARY_PATH and is steered by environment:
 *     MOCK_CUDA_VERSION=12040   MOCK_CUDA_DEVICES=2   MOCK_CUDA_FAIL=cuInit:999 */
#ifndef RINGKERNEL_TESTS_MOCK_CUDA_H
#define RINGKERNEL_TESTS_MOCK_CUDA_H

#include "backend/cuda/cuda_abi.h"

typedef struct mock_cuda {
    int version, devices;
    const char *missing;     /* function that the driver doesn't have */
    const char *fails;       /* function that fails, */
    int failure;             /* with this result, */
    int after;               /* after so many calls that don't */
    int lost;                /* the context is lost: the result that all of this process gives from now on */
    unsigned attributes_off; /* 1: every ability that a device may lack is lacking */
    /* What is alive. */
    int contexts, modules, streams, events, allocations, reservations, memories;
    size_t bytes_left; /* of device and pinned memory */
    char image[64];    /* beginning of the last that was loaded */
    unsigned launches;
    /* What a launch does, in the calling thread; NULL: nothing. */
    rk_cu_result (*launch)(const char *function, const rk_cu_launch *launch, void **arguments);
} mock_cuda_state;

#endif
