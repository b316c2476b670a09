typedef unsigned long long u64;
typedef unsigned u32;
__device__ __forceinline__ u64 gt() { u64 t; asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t)); return t; }
/* c[0] stop, c[1] address to touch, c[2] value, c[8] alive, c[9] max gap ns, c[10] ack, c[11] loops */
extern "C" __global__ void spin(volatile u64 *c, u64 life_ns)
{
    if (threadIdx.x) return;
    u64 start = gt(), last = start, most = 0, loops = 0, done = 0;
    c[8] = 1;
    for (;;) {
        u64 t = gt();
        if (loops && t - last > most) most = t - last;
        last = t;
        if (t - start > life_ns || c[0]) break;
        u64 at = c[1];
        if (at && at != done) { done = at; volatile u64 *p = (volatile u64 *)at; *p = *p + c[2]; __threadfence_system(); c[10] = at; most = 0; last = gt(); }
        loops++;
    }
    c[9] = most; c[11] = loops;
    __threadfence_system();
    c[8] = 2;
}
extern "C" __global__ void touch(u64 *p, u64 v) { *p += v; }
extern "C" __global__ void fresh(volatile u64 *c) { if (threadIdx.x == 0) { c[0] = 77; } }
extern "C" __global__ void stacky(volatile u64 *c, u32 n)
{
    volatile u32 a[4096];
    for (u32 i = 0; i < n; i++) a[(i * 97u) & 4095u] = i;
    if (threadIdx.x == 0) { c[1] = a[n & 4095u]; c[0] = 78; }
}
/* all blocks: leader of each polls; others wait at the barrier. mode 0 pinned, 1 device word, 2: block 0 pinned, others device word */
extern "C" __global__ void idle(volatile u64 *pinned, volatile u64 *device, u64 life_ns, u32 sleep, u32 mode)
{
    __shared__ u32 stop;
    u64 start = gt();
    for (;;) {
        if (threadIdx.x == 0) {
            volatile u64 *w = mode == 3 ? pinned + blockIdx.x * 16 : mode == 0 || (mode == 2 && blockIdx.x == 0) ? pinned : device;
            u64 s = 0;
            for (u32 i = 0; i < 64 && !s; i++) { s = *w; if (gt() - start > life_ns) s = 1; if (sleep) asm volatile("nanosleep.u32 %0;" :: "r"(sleep)); }
            stop = s != 0;
        }
        __syncthreads();
        u32 s = stop;
        __syncthreads();
        if (s) return;
    }
}
/* echo with back-off: after `spins` empty polls sleep `sleep` ns between polls. in[0] = number, out[0] = number */
extern "C" __global__ void echo(volatile u64 *in, volatile u64 *out, u64 life_ns, u32 spins, u32 sleep)
{
    u64 start = gt(), last = 0; u32 empty = 0;
    for (;;) {
        u64 v = *in;
        if (v == ~0ull || gt() - start > life_ns) return;
        if (v != last) { last = v; *out = v; empty = 0; continue; }
        if (++empty > spins && sleep) asm volatile("nanosleep.u32 %0;" :: "r"(sleep));
    }
}
/* How does one base or a chosen base do: chase offsets (dependent loads), or stream 16-byte units. */
extern "C" __global__ void base_one(char *a, const char *, u64 *out, u32 n)
{
    u64 o = out[2], t = clock64();
    for (u32 i = 0; i < n; i++) o = *(volatile u64 *)(a + o);
    out[0] = clock64() - t; out[1] = o;
}
extern "C" __global__ void base_bit(char *a, char *b, u64 *out, u32 n)
{
    u64 o = out[2], t = clock64();
    for (u32 i = 0; i < n; i++) o = *(volatile u64 *)(((o >> 63) ? b : a) + (o & ~(1ull << 63)));
    out[0] = clock64() - t; out[1] = o;
}
extern "C" __global__ void stream_one(char *a, const char *, const u64 *offsets, uint4 *out, u32 n, u64 *cycles)
{
    u64 t = clock64(); uint4 s = {0, 0, 0, 0};
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) { u64 o = offsets[i & 1023]; uint4 v = *(const uint4 *)(a + o); s.x += v.x; s.y ^= v.y; s.z += v.z; s.w += v.w; }
    out[threadIdx.x] = s; __syncthreads(); if (threadIdx.x == 0) *cycles = clock64() - t;
}
extern "C" __global__ void stream_bit(char *a, char *b, const u64 *offsets, uint4 *out, u32 n, u64 *cycles)
{
    u64 t = clock64(); uint4 s = {0, 0, 0, 0};
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) { u64 o = offsets[i & 1023]; uint4 v = *(const uint4 *)(((o >> 63) ? b : a) + (o & ~(1ull << 63))); s.x += v.x; s.y ^= v.y; s.z += v.z; s.w += v.w; }
    out[threadIdx.x] = s; __syncthreads(); if (threadIdx.x == 0) *cycles = clock64() - t;
}
