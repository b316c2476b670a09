/* A driver without a device: libcuda.so.1 as the tests need it, on the host's memory.
 *
 * It does what the driver promises of memory, streams, events and modules, plays a launch by calling a
 * function of the test, and fails where it is told to. Device memory is memory of its own behind the device's
 * addresses: the host may map what it likes there. Tests load it by its path and reach its controls by
 * dlsym(library, "mock_cuda"); a program as a whole gets it by LD_LIBRARY_PATH and is steered by environment:
 *     MOCK_CUDA_VERSION=12040   MOCK_CUDA_DEVICES=2   MOCK_CUDA_LINKS=1   MOCK_CUDA_FAIL=cuInit:999 */
#ifndef RINGKERNEL_TESTS_MOCK_CUDA_H
#define RINGKERNEL_TESTS_MOCK_CUDA_H

#include "backend/cuda/cuda_abi.h"

#define MOCK_CALLS 1024
#define MOCK_TIMER_LATE 1000000000000ull /* ns that the device's timer is behind the host's monotonic clock */

/* A launch of an rk_entry_of_*, as long as it is on the device. */
typedef struct mock_entry {
    char function[64];
    unsigned blocks, threads, shared_bytes;
    rk_cu_address arena;
    unsigned long long table; /* offset of the table of shards */
    unsigned first, count, visits;
    unsigned number; /* of all launches of entries, from 1 */
    int priority;    /* of its stream */
    int device;      /* of its stream */
} mock_entry;

typedef struct mock_cuda {
    int version, devices;
    const char *missing;     /* function that the driver doesn't have */
    const char *fails;       /* function that fails, */
    int failure;             /* with this result, */
    int after;               /* after so many calls that don't, */
    int once;                /* 1: and only that once */
    int lost_in;             /* the context is lost at that call of those that need one; 0: at none */
    int lost;                /* the context is lost: the result that all of this process gives from now on */
    unsigned lost_devices;   /* a bit for each device whose context alone is lost: an illegal address */
    int links;               /* between devices; 0: whole, 1: no access, 2: no atomics */
    unsigned reached_by;     /* devices that got access to what was mapped last */
    unsigned attributes_off; /* 1: every ability that a device may lack is lacking */
    int strict;              /* 1: a context must be the thread's for what needs one */
    int sparse;          /* of code that isn't dense a multiprocessor holds so many; 0: as of other code */
    int static_shared;   /* bytes of a block's shared memory that each function has for itself */
    int per_processor;   /* blocks that a multiprocessor holds; 0: by their threads; -1: none fits */
    int full;            /* atomic; 1: what runs leaves no registers for the clock's probe */
    int timer_gains;     /* ns that the device's timer gains each microsecond */
    unsigned wrong_word; /* of the device's layout, and 1: word 0; 0: none is wrong */
    /* What is alive. */
    int contexts, modules, streams, events, allocations, reservations, memories, mappings, registrations;
    int waits;         /* calls that would have waited for a kernel that stays */
    size_t bytes_left; /* of device and pinned memory */
    char image[64];    /* beginning of the last that was loaded */
    unsigned launches;
    /* What a launch does, in the calling thread; NULL: rk_layout_check and rk_clock_probe answer. */
    rk_cu_result (*launch)(const char *function, const rk_cu_launch *launch, void **arguments);
    /* Plays an entry whenever its stream is asked, by any thread, one at a time. 1: it has ended. NULL: one
     * that stays ends when all its shards are told to leave, one with visits at once. */
    int (*play)(const mock_entry *entry);
    /* Called as an entry's launch begins, unless 0. */
    void (*launching)(void);
    /* 1: copies are made when their stream is asked, or launched on, or waited for by one that is: as late as a device may. */
    int late;
    /* Called between each two lines of a copy, unless 0: the device goes on meanwhile. */
    void (*torn)(void);
    mock_entry last; /* entry that was launched */
    unsigned entries;
    /* In order: loads and unloads of modules, launches, ends of entries ("end rk_entry_of_…"), and what is freed
     * or unregistered. */
    char call[MOCK_CALLS][48];
    unsigned called;
} mock_cuda_state;

/* By dlsym: begin anew, with nothing alive. */
typedef void (*mock_cuda_reset_)(void);
/* By dlsym: what the device has at an address; NULL: nothing. */
typedef void *(*mock_cuda_at_)(rk_cu_address address, size_t bytes);

#endif
