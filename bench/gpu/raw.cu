/* Kernels and host loops of raw.h. A unit is 16 bytes: the lap of the index that it was written for, then
 * 12 bytes. */
#include "raw.h"
#include "raw_slot.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef unsigned long long u64;
typedef unsigned u32;

#define CAP RAW_CAPACITY
#define SLOT RAW_SLOT
#define BLOCKS_MOST 132 /* of one launch */
#define PINNED (16u << 20)
#define WORDS_AT (PINNED - (1u << 20)) /* stop word, credits: a line of 128 bytes each */

/* ------------------------------------------------------------------ on the device */

__device__ __forceinline__ u64 timer()
{
    u64 t;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t));
    return t;
}
__device__ __forceinline__ uint4 load(const void *p)
{
    uint4 v;
    asm volatile("ld.volatile.global.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(p)
                 : "memory");
    return v;
}
__device__ __forceinline__ void store(void *p, uint4 v)
{
    asm volatile("st.volatile.global.v4.u32 [%0], {%1,%2,%3,%4};"
                 :
                 : "l"(p), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w)
                 : "memory");
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
__device__ __forceinline__ u32 warp_min(u32 x)
{
    for (u32 d = 16; d; d /= 2) x = min(x, __shfl_xor_sync(~0u, x, d));
    return x;
}
__device__ __forceinline__ u32 warp_sum(u32 x)
{
    for (u32 d = 16; d; d /= 2) x += __shfl_xor_sync(~0u, x, d);
    return x;
}
#else
__device__ __forceinline__ u32 warp_min(u32 x) { return __reduce_min_sync(~0u, x); }
__device__ __forceinline__ u32 warp_sum(u32 x) { return __reduce_add_sync(~0u, x); }
#endif

__device__ __forceinline__ u32 is_wrong(uint4 v, u32 n, u32 u)
{
    return v.y != word_y(n, u) || v.z != word_z(n, u) || v.w != word_w(n, u);
}

/* One warp: as many lanes as a slot has units poll the next slot and echo it. */
template <u32 UNITS> __device__ void echo(char *in, char *out, volatile u32 *stop, u64 life)
{
    u32 lane = threadIdx.x % 32u;
    u64 start = timer();
    u64 i = 0;
    for (u32 k = 1;; k++) {
        uint4 v;
        v.x = lap_of(i);
        if (lane < UNITS) v = load(in + (i % CAP) * (UNITS * 16u) + lane * 16u);
        if (__all_sync(~0u, v.x == lap_of(i))) {
            if (lane < UNITS) store(out + (i % CAP) * (UNITS * 16u) + lane * 16u, v);
            i++;
        }
        if (k % 128u == 0 && __any_sync(~0u, lane == 0 && (*stop || timer() - start > life))) return;
    }
}
__global__ void echo_64(char *in, char *out, volatile u32 *stop, u64 life) { echo<4>(in, out, stop, life); }
__global__ void echo_128(char *in, char *out, volatile u32 *stop, u64 life) { echo<8>(in, out, stop, life); }

/* How many of the next slots are whole, over the block: four lanes a slot, `mine` is this thread's first
 * slot that isn't. `least` is shared, three words, used in turn. */
__device__ __forceinline__ u32 agree(u32 *least, u32 turn, u32 mine)
{
    u32 m = warp_min(mine);
    if (threadIdx.x % 32u == 0) atomicMin(&least[turn % 3u], m);
    if (threadIdx.x == 0) least[(turn + 1u) % 3u] = ~0u;
    __syncthreads();
    return least[turn % 3u];
}

/* Takes from a ring of the host and checks each word. words: 32 a block; 0 is the credit. result:
 * {handled, wrong}. */
__global__ void __launch_bounds__(1024)
    take(char *rings, volatile u64 *credits, volatile u32 *stop, u64 life, u64 *result)
{
    __shared__ u32 least[3], quit;
    __shared__ u64 wrongs;
    const char *ring = rings + (u64)blockIdx.x * CAP * SLOT;
    volatile u64 *credit = credits + blockIdx.x * 16u;
    u32 t = threadIdx.x, slots = blockDim.x / 4u, wrong = 0;
    u64 start = timer(), i = 0;
    if (t < 3) least[t] = ~0u;
    if (t == 0) quit = 0, wrongs = 0;
    __syncthreads();
    for (u32 k = 1;; k++) {
        u64 s = i + t / 4u;
        uint4 v = load(ring + (s % CAP) * SLOT + t % 4u * 16u);
        if (k % 256u == 0 && t == 0) quit = *stop || timer() - start > life;
        u32 n = agree(least, k, v.x == lap_of(s) ? slots : t / 4u);
        u32 leave = k % 256u == 1 ? quit : 0;
        if (t / 4u < n) wrong += is_wrong(v, (u32)s, t % 4u);
        i += n;
        if (t == 0 && n) *credit = i; /* the barrier was behind all loads */
        if (leave) break;
    }
    if (wrong) atomicAdd(&wrongs, (u64)wrong);
    __syncthreads();
    if (t == 0) result[blockIdx.x * 2u] = i, result[blockIdx.x * 2u + 1u] = wrongs;
}

/* Fills a ring of the host as fast as there is room. */
__global__ void __launch_bounds__(1024)
    fill(char *rings, volatile u64 *credits, volatile u32 *stop, u64 life, u64 *result)
{
    __shared__ u64 room_until;
    __shared__ u32 quit;
    char *ring = rings + (u64)blockIdx.x * CAP * SLOT;
    volatile u64 *credit = credits + blockIdx.x * 16u;
    u32 t = threadIdx.x, slots = blockDim.x / 4u;
    u64 start = timer(), i = 0;
    if (t == 0) room_until = CAP, quit = 0;
    __syncthreads();
    for (;;) {
        if (i + slots > room_until) {
            __syncthreads();
            if (t == 0) {
                room_until = *credit + CAP;
                quit = *stop || timer() - start > life;
            }
            __syncthreads();
            if (quit) break;
            continue;
        }
        u64 s = i + t / 4u;
        u32 n = (u32)s, u = t % 4u;
        uint4 v = { lap_of(s), word_y(n, u), word_z(n, u), word_w(n, u) };
        store(ring + (s % CAP) * SLOT + u * 16u, v);
        i += slots;
    }
    if (t == 0) result[blockIdx.x * 2u] = i, result[blockIdx.x * 2u + 1u] = 0;
}

/* Rings before a run: `under_way` messages in every first ring of a pair, none elsewhere. */
__device__ void lay_ring(char *ring, u32 full)
{
    for (u32 j = threadIdx.x; j < CAP * 4u; j += blockDim.x) {
        u32 n = j / 4u, u = j % 4u;
        uint4 v = { n < full ? 0u : 0u - CAP, word_y(n, u), word_z(n, u), word_w(n, u) };
        store(ring + j * 16ull, v);
    }
}
__global__ void lay(char *rings, u32 under_way, u32 every)
{
    lay_ring(rings + (u64)blockIdx.x * CAP * SLOT,
             blockIdx.x % 2u == 0 && (every || blockIdx.x == 0) ? under_way : 0);
}
__global__ void lay_far(char *rings, u32 full) { lay_ring(rings + (u64)blockIdx.x * CAP * SLOT, full); }

/* Two blocks pass on to each other what they find. The second one's messages come back `under_way` later: it
 * is `ahead` by so many. */
template <u32 DEEP>
__device__ void pass_on(const char *in, char *out, u32 ahead, u32 under_way, volatile u32 *stop, u64 life,
                        u64 *result)
{
    __shared__ u32 least[3], quit;
    __shared__ u64 wrongs;
    u32 t = threadIdx.x, slots = blockDim.x / 4u, wrong = 0;
    u64 start = timer(), i = 0;
    if (t < 3) least[t] = ~0u;
    if (t == 0) quit = 0, wrongs = 0;
    __syncthreads();
    for (u32 k = 1;; k++) {
        uint4 v[DEEP];
        u32 mine = slots * DEEP;
#pragma unroll
        for (u32 d = 0; d < DEEP; d++)
            v[d] = load(in + ((i + d * slots + t / 4u) % CAP) * SLOT + t % 4u * 16u);
#pragma unroll
        for (u32 d = DEEP; d-- > 0;)
            if (v[d].x != lap_of(i + d * slots + t / 4u)) mine = d * slots + t / 4u;
        if (k % 1024u == 0 && t == 0) quit = *stop || timer() - start > life;
        u32 n = agree(least, k, mine);
        u32 leave = k % 1024u == 1 ? quit : 0;
#pragma unroll
        for (u32 d = 0; d < DEEP; d++) {
            u32 r = d * slots + t / 4u;
            if (r >= n) continue;
            u64 s = i + r, to = s + ahead;
            wrong += is_wrong(v[d], (u32)s & (under_way - 1u), t % 4u);
            v[d].x = lap_of(to);
            store(out + (to % CAP) * SLOT + t % 4u * 16u, v[d]);
        }
        i += n;
        if (leave) break;
    }
    if (wrong) atomicAdd(&wrongs, (u64)wrong);
    __syncthreads();
    if (t == 0) result[blockIdx.x * 2u] = i, result[blockIdx.x * 2u + 1u] = wrongs;
}
__global__ void pass_many(char *rings, u32 under_way, volatile u32 *stop, u64 life, u64 *result)
{
    pass_on<4>(rings + (u64)blockIdx.x * CAP * SLOT, rings + (u64)(blockIdx.x ^ 1u) * CAP * SLOT,
               blockIdx.x % 2u ? under_way : 0, under_way, stop, life, result);
}
__global__ void pass_many_far(char *own, char *far, u32 ahead, u32 under_way, volatile u32 *stop, u64 life,
                              u64 *result)
{
    pass_on<4>(own + (u64)blockIdx.x * CAP * SLOT, far + (u64)blockIdx.x * CAP * SLOT, ahead, under_way, stop,
               life, result);
}

/* One message at a time: four lanes of a warp poll the next slot. stop lies in device memory. */
__device__ void pass_one_on(const char *in, char *out, u32 ahead, volatile u32 *stop, u64 life, u64 *result)
{
    u32 lane = threadIdx.x, wrong = 0;
    u64 start = timer(), i = 0;
    for (u32 k = 1;; k++) {
        uint4 v;
        v.x = lap_of(i);
        if (lane < 4u) v = load(in + (i % CAP) * SLOT + lane * 16u);
        if (__all_sync(~0u, v.x == lap_of(i))) {
            if (lane < 4u) {
                wrong += is_wrong(v, 0, lane);
                v.x = lap_of(i + ahead);
                store(out + ((i + ahead) % CAP) * SLOT + lane * 16u, v);
            }
            i++;
        }
        if (k % 1024u == 0 && __any_sync(~0u, lane == 0 && (*stop || timer() - start > life))) break;
    }
    wrong = warp_sum(wrong);
    if (lane == 0) result[blockIdx.x * 2u] = i, result[blockIdx.x * 2u + 1u] = wrong;
}

__global__ void pass_one(char *rings, volatile u32 *stop, u64 life, u64 *result)
{
    pass_one_on(rings + (u64)blockIdx.x * CAP * SLOT, rings + (u64)(blockIdx.x ^ 1u) * CAP * SLOT,
                blockIdx.x % 2u, stop, life, result);
}
__global__ void pass_one_far(char *own, char *far, u32 ahead, volatile u32 *stop, u64 life, u64 *result)
{
    pass_one_on(own, far, ahead, stop, life, result);
}

__global__ void change(uint4 *states, u32 count, volatile u32 *stop, u64 life, u64 *result)
{
    u64 start = timer(), done = 0;
    u32 x = (blockIdx.x * blockDim.x + threadIdx.x) * 2654435761u + 1u;
    for (u32 k = 1;; k++) {
        x = x * 1664525u + 1013904223u;
        uint4 *state = states + (((u64)x * count) >> 32) * 4u;
        uint4 a = load(state), b = load(state + 1), c = load(state + 2), d = load(state + 3);
        a.x++, b.x += x, c.x += ~x, d.x ^= x;
        store(state, a), store(state + 1, b), store(state + 2, c), store(state + 3, d);
        done++;
        if (k % 256u == 0 && (*stop || timer() - start > life)) break;
    }
    atomicAdd(result, done);
}

/* Every block to every block: warp 0 takes from the block's own inbox, each lane of the others sends to a random
 * one. A sender claims a slot by its ticket and waits until it is free: no ticket is given back. indices: a line
 * for each inbox's tail, one for each head, then the count of warps that are done. */
__global__ void __launch_bounds__(1024)
    exchange(char *rings, u32 *indices, volatile u32 *stop, u64 life, u64 *result)
{
    u32 lane = threadIdx.x % 32u, blocks = gridDim.x, *done = indices + blocks * 64u;
    u64 start = timer();
    if (threadIdx.x >= 32u) {
        u32 x = (blockIdx.x * blockDim.x + threadIdx.x) * 2654435761u + 1u;
        for (u32 k = 1;; k++) {
            x = x * 1664525u + 1013904223u;
            u32 to = (u32)(((u64)x * blocks) >> 32), ticket = atomicAdd(indices + to * 32u, 1u);
            const volatile u32 *head = indices + (blocks + to) * 32u;
            while (ticket - *head >= CAP && timer() - start < life + 1000000000ull)
                ; /* the inbox is full; of what is sent too late the account will tell */
            __syncwarp();
#pragma unroll
            for (u32 q = 0; q < 4u; q++) { /* eight slots at a time, four lanes each */
                u32 from = q * 8u + lane / 4u, u = lane % 4u;
                u32 t = __shfl_sync(~0u, ticket, from), b = __shfl_sync(~0u, to, from);
                u32 n = __shfl_sync(~0u, x, from);
                uint4 v = { lap_of(t), word_y(n, u), word_z(n, u), word_w(n, u) };
                store(rings + ((u64)b * CAP + t % CAP) * SLOT + u * 16u, v);
            }
            if (k % 64u == 0 && __any_sync(~0u, lane == 0 && (*stop || timer() - start > life))) break;
        }
        __threadfence();
        if (lane == 0) atomicAdd(done, 1u);
        return;
    }
    const char *ring = rings + (u64)blockIdx.x * CAP * SLOT;
    volatile u32 *head = indices + (blocks + blockIdx.x) * 32u, *tail = indices + blockIdx.x * 32u;
    u32 i = 0, wrong = 0, u = lane % 4u, senders = blocks * (blockDim.x / 32u - 1u);
    for (;;) {
        uint4 v[8];
        u32 n = 0;
#pragma unroll
        for (u32 d = 0; d < 8u; d++) v[d] = load(ring + ((i + d * 8u + lane / 4u) % CAP) * SLOT + u * 16u);
#pragma unroll
        for (u32 d = 0; d < 8u; d++) {
            u32 whole = __ballot_sync(~0u, v[d].x == lap_of(i + d * 8u + lane / 4u));
            whole &= whole >> 1;
            whole &= whole >> 2;
            u32 bad = ~whole & 0x11111111u;
            if (n == d * 8u) n += bad ? (u32)(__ffs((int)bad) - 1) / 4u : 8u;
            if (d * 8u + lane / 4u < n)
                wrong += v[d].z != ~v[d].y || v[d].w != (v[d].y ^ 0x9e3779b9u) || v[d].y % 4u != u;
        }
        i += n;
        __syncwarp();
        if (n && lane == 0) *head = i;
        if (!n && __any_sync(~0u, lane == 0 && *(volatile u32 *)done == senders && *tail == i)) break;
        if (!n && timer() - start > life + 1000000000ull) break; /* the account will tell */
    }
    wrong = warp_sum(wrong);
    if (lane == 0) result[blockIdx.x * 2u] = i, result[blockIdx.x * 2u + 1u] = wrong;
}

__global__ void copy_line(const uint4 *in, uint4 *out) { out[threadIdx.x] = in[threadIdx.x]; }

__global__ void count_bits(const uint4 *table, u64 units, u64 *result)
{
    u64 n = 0;
    for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < units; i += (u64)gridDim.x * blockDim.x) {
        uint4 v = table[i];
        n += (u32)(__popc(v.x) + __popc(v.y) + __popc(v.z) + __popc(v.w));
    }
    atomicAdd(result, n);
}

/* ------------------------------------------------------------------ on the host */

static char error_text[256], *pinned, *rings;
static u64 *result;
static u32 *indices;
static u32 *stop_near; /* in device memory */
static char *states;   /* also the lines of raw_per_message */
static uint4 *table;
static cudaStream_t resident, side;
static cudaGraphExec_t graph;
/* Of two devices: each one's rings, result and stop word. Device 0's are those above. */
static struct end {
    char *rings;
    u64 *result;
    u32 *stop;
    cudaStream_t resident, side;
} ends[2];
static int has_peer;
#define STATE_BYTES (64ull << 20)

static int failed(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(error_text, sizeof error_text, format, list);
    va_end(list);
    return 1;
}
extern "C" const char *raw_error(void) { return error_text; }

#define CU(call)                                                                                 \
    do {                                                                                         \
        cudaError_t result_ = (call);                                                            \
        if (result_ != cudaSuccess) return failed("%s: %s", #call, cudaGetErrorString(result_)); \
    } while (0)

static volatile u32 *stop_word(void) { return (volatile u32 *)(pinned + WORDS_AT); }
static volatile u64 *credit_of(u32 ring) { return (volatile u64 *)(pinned + WORDS_AT + 4096 + ring * 128u); }
static u64 life_of(double seconds) { return (u64)((seconds + 2) * 1e9); }

static int await(cudaStream_t stream)
{
    u64 end = now_ns() + 10000000000ull;
    cudaError_t r;
    while ((r = cudaStreamQuery(stream)) == cudaErrorNotReady)
        if (now_ns() > end) return failed("a raw kernel did not end");
    if (r != cudaSuccess) return failed("a raw kernel failed: %s", cudaGetErrorString(r));
    return 0;
}

static void clear_rings(char *at, u32 count, u32 slot)
{
    for (u64 i = 0; i < (u64)count * CAP * slot / 16u; i++) {
        u32 *unit = (u32 *)(at + i * 16u);
        unit[0] = 0u - CAP;
        unit[1] = unit[2] = unit[3] = 0;
    }
}

static int results(trial *t, u32 blocks, int into_in, int into_out)
{
    static u64 r[BLOCKS_MOST * 2];
    CU(cudaMemcpyAsync(r, result, blocks * 16u, cudaMemcpyDeviceToHost, side));
    if (await(side)) return 1;
    for (u32 b = 0; b < blocks; b++) {
        if (into_in) t->in += r[b * 2u];
        if (into_out) t->out += r[b * 2u];
        t->wrong += r[b * 2u + 1u];
    }
    return 0;
}

/* The second device, if there is one that reaches the first and is reached. */
static int open_peer(int count)
{
    int there = 0, back = 0;
    cudaFuncAttributes a;
    const void *both[] = { (void *)lay_far, (void *)pass_many_far, (void *)pass_one_far };
    if (count < 2) return 0;
    CU(cudaDeviceCanAccessPeer(&there, 0, 1));
    CU(cudaDeviceCanAccessPeer(&back, 1, 0));
    if (!there || !back) return 0;
    ends[0] = { rings, result, stop_near, resident, side };
    for (const void *f : both) CU(cudaFuncGetAttributes(&a, f));
    cudaError_t r = cudaDeviceEnablePeerAccess(1, 0);
    if (r != cudaSuccess && r != cudaErrorPeerAccessAlreadyEnabled)
        return failed("peer access: %s", cudaGetErrorString(r));
    CU(cudaSetDevice(1));
    r = cudaDeviceEnablePeerAccess(0, 0);
    if (r != cudaSuccess && r != cudaErrorPeerAccessAlreadyEnabled)
        return failed("peer access: %s", cudaGetErrorString(r));
    cudaGetLastError();
    CU(cudaMalloc((void **)&ends[1].rings, (u64)BLOCKS_MOST * CAP * SLOT));
    CU(cudaMalloc((void **)&ends[1].result, 4096));
    CU(cudaMalloc((void **)&ends[1].stop, 128));
    CU(cudaMemset(ends[1].stop, 0, 128));
    CU(cudaStreamCreateWithFlags(&ends[1].resident, cudaStreamNonBlocking));
    CU(cudaStreamCreateWithFlags(&ends[1].side, cudaStreamNonBlocking));
    for (const void *f : both) CU(cudaFuncGetAttributes(&a, f));
    CU(cudaSetDevice(0));
    has_peer = 1;
    return 0;
}

extern "C" int raw_open(raw_device *device)
{
    cudaDeviceProp p;
    bind_to(-1); /* knows the cores before anything is bound */
    CU(cudaSetDevice(0));
    CU(cudaGetDeviceProperties(&p, 0));
    snprintf(device->name, sizeof device->name, "%.127s", p.name);
    device->multiprocessors = p.multiProcessorCount;
    device->capability = p.major * 10 + p.minor;
    CU(cudaGetDeviceCount(&device->count));
    CU(cudaDriverGetVersion(&device->driver));
    CU(cudaRuntimeGetVersion(&device->runtime));
    cudaDeviceGetAttribute(&device->clock_khz, cudaDevAttrClockRate, 0);
    CU(cudaHostAlloc((void **)&pinned, PINNED, cudaHostAllocPortable | cudaHostAllocMapped));
    memset(pinned, 0, PINNED);
    CU(cudaMalloc((void **)&rings, (u64)BLOCKS_MOST * CAP * SLOT));
    CU(cudaMalloc((void **)&result, 4096));
    CU(cudaMalloc((void **)&stop_near, 128));
    CU(cudaMalloc((void **)&indices, (BLOCKS_MOST * 2 + 1) * 128));
    CU(cudaMalloc((void **)&states, STATE_BYTES));
    CU(cudaMalloc((void **)&table, RAW_TABLE_BITS / 8));
    CU(cudaMemset(states, 0, STATE_BYTES));
    CU(cudaMemset(stop_near, 0, 128));
    CU(cudaMemset(result, 0, 4096));
    CU(cudaStreamCreateWithFlags(&resident, cudaStreamNonBlocking));
    CU(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
    cudaFuncAttributes a;
    const void *all[] = { (void *)echo_64,  (void *)echo_128,  (void *)take,      (void *)fill,
                          (void *)lay,      (void *)pass_many, (void *)pass_one,  (void *)change,
                          (void *)exchange, (void *)copy_line, (void *)count_bits };
    for (const void *f : all) CU(cudaFuncGetAttributes(&a, f));
    cudaGraph_t made;
    CU(cudaStreamBeginCapture(side, cudaStreamCaptureModeThreadLocal));
    copy_line<<<1, 4, 0, side>>>((const uint4 *)pinned, (uint4 *)(pinned + 4096));
    CU(cudaStreamEndCapture(side, &made));
    CU(cudaGraphInstantiate(&graph, made, 0));
    CU(cudaGraphLaunch(graph, side));
    if (await(side) || open_peer(device->count)) return 1;
    if (!has_peer) device->count = 1; /* the others are none to these programs */
    return 0;
}

/* ---- one message under way */

extern "C" int raw_round_trip(trial *t, unsigned slot, double seconds)
{
    char *in = pinned, *out = pinned + (u64)CAP * slot;
    u32 units = slot / 16u;
    *stop_word() = 0;
    clear_rings(pinned, 2, slot);
    if (slot == 64)
        echo_64<<<1, 32, 0, resident>>>(in, out, stop_word(), life_of(seconds));
    else
        echo_128<<<1, 32, 0, resident>>>(in, out, stop_word(), life_of(seconds));
    CU(cudaGetLastError());
    bind_to(0);
    u64 begin = now_ns(), before = begin, end = begin + (u64)(seconds * 1e9);
    int lost = 0;
    for (u64 i = 0; before < end && !lost; i++) {
        put(in + (i % CAP) * slot, i, units);
        t->in++;
        for (u32 k = 1; !get(out + (i % CAP) * slot, i, units, &t->wrong); k++)
            if (k % 65536u == 0 && now_ns() > end + 1000000000ull) {
                lost = 1;
                break;
            }
        u64 now = now_ns();
        if (!lost) t->out++;
        if (!lost && i >= 100) trial_sample(t, now - before); /* the first ones wait for the launch */
        before = now;
    }
    t->seconds = (double)(before - begin) / 1e9;
    bind_to(-1);
    *stop_word() = 1;
    return await(resident);
}

/* ---- streams */

typedef struct lane {
    pthread_t id;
    int number;
    uint64_t count, wrong;
    char *ring;
} lane;

static u32 start_word, gone_word; /* gone: what filled the rings has ended */
static u64 stream_end;

static void wait_seconds(double seconds)
{
    struct timespec t = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&t, 0);
}

static void wait_for_start(int number)
{
    bind_to(number);
    while (!__atomic_load_n(&start_word, __ATOMIC_ACQUIRE)) sched_yield();
}

static void *produce(void *argument)
{
    lane *l = (lane *)argument;
    wait_for_start(l->number);
    u64 i = 0, until = CAP;
    while (now_ns() < stream_end) {
        if (i + RAW_BATCH > until) until = *credit_of((u32)l->number) + CAP;
        if (i + RAW_BATCH > until) continue;
        for (u32 k = 0; k < RAW_BATCH; k++, i++) put(l->ring + (i % CAP) * SLOT, i, 4);
    }
    l->count = i;
    return 0;
}

static void *consume(void *argument)
{
    lane *l = (lane *)argument;
    wait_for_start(l->number);
    u64 i = 0;
    for (;;) {
        u32 n = 0, last = __atomic_load_n(&gone_word, __ATOMIC_ACQUIRE);
        while (n < RAW_BATCH && get(l->ring + (i % CAP) * SLOT, i, 4, &l->wrong)) n++, i++;
        if (n) *credit_of((u32)l->number) = i;
        if (last && !n) break;
    }
    l->count = i;
    return 0;
}

static int stream(trial *t, unsigned threads, double seconds, int to_device)
{
    lane lanes[THREADS_MOST];
    u64 host = 0;
    *stop_word() = 0;
    start_word = gone_word = 0;
    stream_end = now_ns() + 3600000000000ull;
    clear_rings(pinned, threads, SLOT);
    for (u32 i = 0; i < threads; i++) *credit_of(i) = 0;
    if (to_device)
        take<<<threads, 1024, 0, resident>>>(pinned, credit_of(0), stop_word(), life_of(seconds), result);
    else
        fill<<<threads, 1024, 0, resident>>>(pinned, credit_of(0), stop_word(), life_of(seconds), result);
    CU(cudaGetLastError());
    for (u32 i = 0; i < threads; i++) {
        lanes[i] = lane{};
        lanes[i].number = (int)i;
        lanes[i].ring = pinned + (u64)i * CAP * SLOT;
        if (pthread_create(&lanes[i].id, 0, to_device ? produce : consume, &lanes[i])) abort();
    }
    u64 begin = now_ns();
    stream_end = begin + (u64)(seconds * 1e9);
    __atomic_store_n(&start_word, 1, __ATOMIC_RELEASE);
    int ended = 0;
    if (!to_device) {
        wait_seconds(seconds);
        stream_end = now_ns();
        *stop_word() = 1;
        ended = await(resident);
        __atomic_store_n(&gone_word, 1, __ATOMIC_RELEASE);
    }
    for (u32 i = 0; i < threads; i++) {
        pthread_join(lanes[i].id, 0);
        host += lanes[i].count;
        t->wrong += lanes[i].wrong;
    }
    for (u32 i = 0; i < threads && to_device; i++)
        while (*credit_of(i) < lanes[i].count && now_ns() < stream_end + 1000000000ull) _mm_pause();
    t->seconds = (double)((to_device ? now_ns() : stream_end) - begin) / 1e9;
    *stop_word() = 1;
    if (ended || await(resident)) return 1;
    *(to_device ? &t->in : &t->out) = host;
    return results(t, threads, !to_device, to_device);
}
extern "C" int raw_to_device(trial *t, unsigned threads, double seconds)
{
    return stream(t, threads, seconds, 1);
}
extern "C" int raw_to_host(trial *t, unsigned threads, double seconds)
{
    return stream(t, threads, seconds, 0);
}

/* ---- inside the device */

static int set_near(u32 value)
{
    *(volatile u32 *)(pinned + WORDS_AT + 2048) = value;
    CU(cudaMemcpyAsync(stop_near, pinned + WORDS_AT + 2048, 4, cudaMemcpyHostToDevice, side));
    return await(side);
}

/* What a pair has handled differs by what is under way: that is all that may be. */
static int check_pairs(trial *t, u32 pairs, u32 under_way)
{
    static u64 r[BLOCKS_MOST * 2];
    CU(cudaMemcpyAsync(r, result, pairs * 32u, cudaMemcpyDeviceToHost, side));
    if (await(side)) return 1;
    for (u32 p = 0; p < pairs; p++) {
        u64 a = r[p * 4u], b = r[p * 4u + 2u];
        t->wrong += r[p * 4u + 1u] + r[p * 4u + 3u] + (a < b || a - b > under_way);
        t->in += a + b;
        t->out += a + b;
    }
    return 0;
}

extern "C" int raw_pairs(trial *t, unsigned pairs, unsigned under_way, double seconds)
{
    if (set_near(0)) return 1;
    lay<<<pairs * 2, 256, 0, resident>>>(rings, under_way, 1);
    if (await(resident)) return 1;
    u64 begin = now_ns();
    pass_many<<<pairs * 2, 256, 0, resident>>>(rings, under_way, stop_near, life_of(seconds), result);
    CU(cudaGetLastError());
    wait_seconds(seconds);
    if (set_near(1) || await(resident)) return 1;
    t->seconds = (double)(now_ns() - begin) / 1e9;
    return check_pairs(t, pairs, under_way);
}

extern "C" int raw_device_round_trip(trial *t, unsigned blocks, double seconds)
{
    if (set_near(0)) return 1;
    lay<<<blocks, 256, 0, resident>>>(rings, 1, 0);
    if (await(resident)) return 1;
    u64 begin = now_ns();
    pass_one<<<blocks, 32, 0, resident>>>(rings, stop_near, life_of(seconds), result);
    CU(cudaGetLastError());
    wait_seconds(seconds);
    if (set_near(1) || await(resident)) return 1;
    t->seconds = (double)(now_ns() - begin) / 1e9;
    if (check_pairs(t, 1, 1)) return 1;
    t->in = t->out = t->out / 2; /* round trips */
    if (t->out) trial_sample(t, (u64)(t->seconds * 1e9 / (double)t->out));
    return 0;
}

/* ---- two devices */

static int set_ends(u32 value)
{
    *(volatile u32 *)(pinned + WORDS_AT + 2048) = value;
    for (const end &e : ends) {
        CU(cudaSetDevice(&e - ends));
        CU(cudaMemcpyAsync(e.stop, pinned + WORDS_AT + 2048, 4, cudaMemcpyHostToDevice, e.side));
    }
    for (const end &e : ends)
        if (await(e.side)) return 1;
    CU(cudaSetDevice(0));
    return 0;
}

/* All messages lie before the first device, whose peer is ahead by as many. */
static int lay_ends(u32 blocks, u32 under_way)
{
    for (const end &e : ends) {
        CU(cudaSetDevice(&e - ends));
        lay_far<<<blocks, 256, 0, e.resident>>>(e.rings, &e == ends ? under_way : 0);
        CU(cudaGetLastError());
        if (await(e.resident)) return 1;
    }
    CU(cudaSetDevice(0));
    return 0;
}

static int check_ends(trial *t, u32 pairs, u32 under_way)
{
    static u64 r[2][BLOCKS_MOST * 2];
    for (const end &e : ends) {
        CU(cudaSetDevice(&e - ends));
        CU(cudaMemcpyAsync(r[&e - ends], e.result, pairs * 16u, cudaMemcpyDeviceToHost, e.side));
        if (await(e.side)) return 1;
    }
    CU(cudaSetDevice(0));
    for (u32 p = 0; p < pairs; p++) {
        u64 a = r[0][p * 2u], b = r[1][p * 2u];
        t->wrong += r[0][p * 2u + 1u] + r[1][p * 2u + 1u] + (a < b || a - b > under_way);
        t->in += a + b;
        t->out += a + b;
    }
    return 0;
}

static int run_ends(trial *t, u32 pairs, u32 under_way, double seconds)
{
    if (!has_peer) return failed("there are no two devices that reach each other's memory");
    if (set_ends(0) || lay_ends(pairs, under_way)) return 1;
    u64 begin = now_ns();
    for (u32 d = 0; d < 2; d++) {
        CU(cudaSetDevice((int)d));
        char *own = ends[d].rings, *far = ends[!d].rings;
        if (under_way == 1)
            pass_one_far<<<1, 32, 0, ends[d].resident>>>(own, far, d, ends[d].stop, life_of(seconds),
                                                         ends[d].result);
        else
            pass_many_far<<<pairs, 256, 0, ends[d].resident>>>(own, far, d * under_way, under_way, ends[d].stop,
                                                               life_of(seconds), ends[d].result);
        CU(cudaGetLastError());
    }
    CU(cudaSetDevice(0));
    wait_seconds(seconds);
    if (set_ends(1) || await(ends[0].resident) || await(ends[1].resident)) return 1;
    t->seconds = (double)(now_ns() - begin) / 1e9;
    return check_ends(t, pairs, under_way);
}

extern "C" int raw_peer_pairs(trial *t, unsigned pairs, unsigned under_way, double seconds)
{
    return run_ends(t, pairs, under_way, seconds);
}

extern "C" int raw_peer_round_trip(trial *t, double seconds)
{
    if (run_ends(t, 1, 1, seconds)) return 1;
    t->in = t->out = t->out / 2; /* round trips */
    if (t->out) trial_sample(t, (u64)(t->seconds * 1e9 / (double)t->out));
    return 0;
}

extern "C" int raw_exchange(trial *t, unsigned blocks, double seconds)
{
    static u32 tails[BLOCKS_MOST * 32];
    if (blocks > BLOCKS_MOST) return failed("%u blocks are too many", blocks);
    if (set_near(0)) return 1;
    CU(cudaMemsetAsync(indices, 0, (BLOCKS_MOST * 2 + 1) * 128, resident));
    lay<<<blocks, 256, 0, resident>>>(rings, 0, 0);
    if (await(resident)) return 1;
    u64 begin = now_ns();
    exchange<<<blocks, 1024, 0, resident>>>(rings, indices, stop_near, life_of(seconds), result);
    CU(cudaGetLastError());
    wait_seconds(seconds);
    if (set_near(1) || await(resident)) return 1;
    t->seconds = (double)(now_ns() - begin) / 1e9;
    CU(cudaMemcpyAsync(tails, indices, blocks * 128u, cudaMemcpyDeviceToHost, side));
    if (await(side)) return 1;
    for (u32 b = 0; b < blocks; b++) t->in += tails[b * 32u];
    return results(t, blocks, 0, 1);
}

extern "C" int raw_random_states(trial *t, unsigned count, double seconds)
{
    if (count * 64ull > STATE_BYTES) return failed("%u states don't fit", count);
    if (set_near(0)) return 1;
    CU(cudaMemsetAsync(result, 0, 16, side));
    if (await(side)) return 1;
    u64 begin = now_ns();
    change<<<BLOCKS_MOST, 256, 0, resident>>>((uint4 *)states, count, stop_near, life_of(seconds), result);
    CU(cudaGetLastError());
    wait_seconds(seconds);
    if (set_near(1) || await(resident)) return 1;
    t->seconds = (double)(now_ns() - begin) / 1e9;
    return results(t, 1, 1, 1);
}

/* ---- nothing resident */

extern "C" int raw_per_message(trial *t, unsigned how, double seconds)
{
    char *in = pinned, *out = pinned + 4096;
    bind_to(0);
    u64 begin = now_ns(), end = begin + (u64)(seconds * 1e9), before = begin;
    for (u64 i = 0; before < end; i++) {
        u64 start = now_ns();
        put(in, i, 4);
        t->in++;
        if (how == RAW_COPIES) {
            CU(cudaMemcpyAsync(states, in, 64, cudaMemcpyHostToDevice, side));
            copy_line<<<1, 4, 0, side>>>((const uint4 *)states, (uint4 *)(states + 64));
            CU(cudaMemcpyAsync(out, states + 64, 64, cudaMemcpyDeviceToHost, side));
        } else if (how == RAW_GRAPH) {
            CU(cudaGraphLaunch(graph, side));
        } else {
            copy_line<<<1, 4, 0, side>>>((const uint4 *)in, (uint4 *)out);
        }
        CU(cudaStreamSynchronize(side));
        before = now_ns();
        t->out += get(out, i, 4, &t->wrong) != 0;
        if (i >= 20) trial_sample(t, before - start);
    }
    t->seconds = (double)(before - begin) / 1e9;
    bind_to(-1);
    return 0;
}

/* ---- the table */

extern "C" uint64_t raw_table(void) { return (uint64_t)(size_t)table; }
extern "C" int raw_table_clear(void)
{
    CU(cudaMemsetAsync(table, 0, RAW_TABLE_BITS / 8, side));
    return await(side);
}
extern "C" int raw_table_count(uint64_t *bits)
{
    u64 n = 0;
    CU(cudaMemsetAsync(result, 0, 16, side));
    count_bits<<<264, 256, 0, side>>>(table, RAW_TABLE_BITS / 128, result);
    CU(cudaGetLastError());
    CU(cudaMemcpyAsync(&n, result, 8, cudaMemcpyDeviceToHost, side));
    if (await(side)) return 1;
    *bits = n;
    return 0;
}
