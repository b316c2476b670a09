/* What the hardware does without a library: the limits that ringkernel is measured against, on the same
 * machine.
 *
 * Each call is one trial of `seconds`: it launches its kernels, which end by a word and by a deadline of
 * their own, checks and counts all that passed, and waits for the kernels to be gone. 0: done; else
 * raw_error() says what failed. */
#ifndef RK_BENCH_GPU_RAW_H
#define RK_BENCH_GPU_RAW_H

#include <stddef.h>

#include "trial.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct raw_device {
    char name[128];
    int multiprocessors, driver, runtime, clock_khz, capability;
    int count; /* devices */
} raw_device;

/* Opens the device and loads all code and memory, since nothing may be loaded or freed beside a resident
 * kernel. */
int raw_open(raw_device *device);
const char *raw_error(void);

/* Host → one warp → host through unit slots of 64 or 128 bytes in pinned memory, one message under way. */
int raw_round_trip(trial *t, unsigned slot, double seconds);
/* Threads of the host, each into a ring of its own in pinned memory, 64-byte unit slots; a block of 1,024
 * threads takes from each and checks every word. */
int raw_to_device(trial *t, unsigned threads, double seconds);
/* The other way round: a block of 1,024 threads fills a ring, a thread of the host reads and checks it. */
int raw_to_host(trial *t, unsigned threads, double seconds);
/* Pairs of blocks of 256 threads in device memory, `under_way` messages that circulate in each. A transfer
 * from block to block counts as one. */
int raw_pairs(trial *t, unsigned pairs, unsigned under_way, double seconds);
/* The same two with the blocks of a pair on two devices, each of which polls memory of its own and writes
 * into the other's: nothing is read over the link. */
int raw_peer_pairs(trial *t, unsigned pairs, unsigned under_way, double seconds);
int raw_peer_round_trip(trial *t, double seconds);
/* One message between two warps in device memory while all `blocks` are resident, each polling a ring of
 * its own: `out` is round trips; their mean is the sample. */
int raw_device_round_trip(trial *t, unsigned blocks, double seconds);
/* Every block to every block, a random target for each message: of 1,024 threads one warp takes from the block's
 * inbox and checks, the others send. All `blocks` must be resident. */
int raw_exchange(trial *t, unsigned blocks, double seconds);
/* Random states of 64 bytes, read, changed and written back by 132 blocks of 256 threads; no messages. */
int raw_random_states(trial *t, unsigned states, double seconds);
/* What is done without a resident kernel, for each message. */
#define RAW_LAUNCH 0u /* launch + synchronise */
#define RAW_GRAPH 1u  /* the same as a graph */
#define RAW_COPIES 2u /* 64 bytes down, launch, 64 bytes up, synchronise */
int raw_per_message(trial *t, unsigned how, double seconds);

/* A table of bits in device memory, for kernels that note what they have seen. */
uint64_t raw_table(void); /* its address */
#define RAW_TABLE_BITS (1ull << 30)
int raw_table_clear(void);
int raw_table_count(uint64_t *bits); /* that are set */

#ifdef __cplusplus
}
#endif
#endif
