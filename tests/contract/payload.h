/* Messages of every size: what is sent of them, painted so that each byte is known, and the lanes that they travel on. */
#ifndef RINGKERNEL_TESTS_PAYLOAD_H
#define RINGKERNEL_TESTS_PAYLOAD_H

#include "probes.h"

#include "../kernels/contract_b_large.rk.h"
#include "../kernels/contract_b_load.rk.h"
#include "../kernels/contract_b_medium.rk.h"
#include "../kernels/contract_b_small.rk.h"

#define SIZES 14u
extern const rk_u32 sizes[SIZES];

/* Kinds of load, by what they may hold. */
typedef struct load {
    const char *name;
    rk_u16 type;
    rk_u32 most;
} load;

#define LOADS 3u
extern const load loads[LOADS]; /* small, medium, large */

/* "pass_medium", for one; good until the fourth call after it. */
const char *kernel_for(const char *what, const load *of);

typedef struct buffers {
    rk_u8 *sent; /* at an odd address */
    rk_u8 *got;
    rk_u8 *sent_memory, *got_memory;
} buffers;

buffers make_buffers(void);
void free_buffers(buffers *b);

/* Fill bytes by a seed. */
void paint(rk_u8 *bytes, rk_u32 size, rk_u64 seed);
/* Take the next message and compare it with what was sent. */
void assert_arrives(contract *c, rk_kernel from, const load *of, buffers *b, rk_u32 size);
/* Each size that the load can have; each several times, so that blocks and slots are used again. */
void send_each_size(contract *c, rk_kernel to, rk_kernel from, const load *of, buffers *b);
/* Send messages of 4096 bytes, each painted by its number, and compare what arrives. */
void send_painted(contract *c, rk_kernel to, const load *of, buffers *b, rk_u32 first, rk_u32 end);
void assert_painted_arrive(contract *c, rk_kernel from, const load *of, buffers *b, rk_u32 first, rk_u32 end);
/* Whatever becomes of large messages, their blocks are there again: as many as the pool has can be under way
 * at once. */
void assert_all_blocks_are_back(contract *c, rk_kernel pass, const load *of, buffers *b, rk_u32 blocks);

/* Formats and forms of header that a lane can have. */
typedef struct shape {
    const char *name;
    rk_u32 format, expiry, strategy, window;
} shape;

#define SHAPES 7u
extern const shape shapes[SHAPES];
/* The first of them: those that large loads may have. */
#define LARGE_SHAPES 4u

/* Options of a queue of that shape for 16 messages. */
rk_launch_options shaped(const shape *as);
/* SPMD kernels take what fits a slot; DropOldest would leak what doesn't. */
size_t loads_for(contract *c, const shape *as);

#endif
