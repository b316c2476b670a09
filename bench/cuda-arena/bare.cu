/* What the hardware does without a loop: echo of unit slots, streams of lines. */
typedef unsigned long long u64;
typedef unsigned u32;
#define CAP 4096u
__device__ __forceinline__ u64 gt() { u64 t; asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t)); return t; }
__device__ __forceinline__ uint4 ld(const void *p) { uint4 v; asm volatile("ld.volatile.global.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p) : "memory"); return v; }
__device__ __forceinline__ void st(void *p, uint4 v) { asm volatile("st.volatile.global.v4.u32 [%0], {%1,%2,%3,%4};" :: "l"(p), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory"); }
/* One thread, four loads at once; serial != 0: one after the other, as rk_unit_read does. No credit is looked at: at most CAP in flight. */
extern "C" __global__ void bare_one(char *in, char *out, volatile u32 *stop, volatile u64 *credit, u64 life, u32 serial)
{
    if (threadIdx.x) return;
    u64 start = gt(); u64 i = 0;
    for (u32 k = 0;; k++) {
        if ((k & 255u) == 0 && (*stop || gt() - start > life)) return;
        char *s = in + (i % CAP) * 64, *o = out + (i % CAP) * 64; u32 lap = (u32)i & ~(CAP - 1);
        uint4 v[4];
        if (serial) { u32 ok = 1; for (u32 u = 0; u < 4 && ok; u++) { v[u] = ld(s + 16 * u); ok = v[u].x == lap; } if (!ok) continue; }
        else { for (u32 u = 0; u < 4; u++) v[u] = ld(s + 16 * u); if (v[0].x != lap || v[1].x != lap || v[2].x != lap || v[3].x != lap) continue; }
        for (u32 u = 0; u < 4; u++) st(o + 16 * u, v[u]);
        i++;
        *credit = i;
    }
}
/* A block: four lanes a slot, D slots each. Block b of a pair of rings at in + b * step, out + b * step. check_stop: 1 the first warp's spare lane reads it in the same turn */
template <int D> __device__ void block_echo(char *in, char *out, volatile u32 *stop, volatile u64 *credit, u64 life, u64 *done, u32 ahead = 0)
{
    __shared__ u32 cnt[4 * 32 + 1];
    u32 t = threadIdx.x, warp = t / 32, lane = t % 32, warps = blockDim.x / 32; u64 i = 0, start = gt(); u32 deep = 0, k = 0;
    for (;; k++) {
        uint4 v[D]; 
        if (t == 0) cnt[128] = (k & 127u) == 0 && (*stop || gt() - start > life);
#pragma unroll
        for (int d = 0; d < D; d++) { u64 s = i + (d * warps + warp) * 8 + lane / 4; if (d == 0 ? (deep || warp == 0) : deep == 2) v[d] = ld(in + (s % CAP) * 64 + lane % 4 * 16); else v[d].x = 1; }
#pragma unroll
        for (int d = 0; d < D; d++) { u64 s = i + (d * warps + warp) * 8 + lane / 4; u32 f = __ballot_sync(~0u, v[d].x == ((u32)s & ~(CAP - 1))); f &= f >> 1; f &= f >> 2; u32 bad = ~f & 0x11111111u; if (lane == 0) cnt[d * warps + warp] = bad ? (__ffs(bad) - 1) / 4 : 8; }
        __syncthreads();
        u32 n = 0; for (u32 j = 0; j < D * warps; j++) { n += cnt[j]; if (cnt[j] < 8) break; }
        u32 quit = cnt[128];
#pragma unroll
        for (int d = 0; d < D; d++) { u32 r = (d * warps + warp) * 8 + lane / 4; u64 s = i + r; if (r < n) { v[d].x = (u32)(s + ahead) & ~(CAP - 1); st(out + ((s + ahead) % CAP) * 64 + lane % 4 * 16, v[d]); } }
        i += n; deep = n < 8 ? 0 : n < warps * 8 ? 1 : 2;
        if (t == 0 && n) *credit = i;
        __syncthreads();
        if (quit) { if (t == 0 && done) *done = i; return; }
    }
}
/* One warp: 4 lanes poll the next slot; when it is there, all poll eight. cmd: lane 4 loads the command word in the same instruction. barrier: two block barriers a turn, as a block would need. */
extern "C" __global__ void bare_narrow(char *in, char *out, volatile u32 *stop, volatile u64 *credit, u64 life, u32 cmd, u32 barrier)
{
    u32 lane = threadIdx.x % 32; u64 i = 0, start = gt(); u32 deep = 0, quit = 0; __shared__ u32 said;
    if (threadIdx.x >= 32) { for (;;) { __syncthreads(); u32 q = said; __syncthreads(); if (q) return; } }
    for (u32 k = 0;; k++) {
        uint4 v; v.x = 1; u64 s = i + lane / 4;
        const char *p = in + (s % CAP) * 64 + lane % 4 * 16; u32 on = deep || lane < 4;
        if (cmd && lane == 31) { p = (const char *)stop; on = 1; }
        if (on) v = ld(p);
        if (cmd) quit = __shfl_sync(~0u, v.x, 31);
        else if ((k & 127u) == 0) quit = __shfl_sync(~0u, lane == 0 ? *stop : 0, 0);
        if (cmd && lane == 31) v.x = 1;
        u32 f = __ballot_sync(~0u, v.x == ((u32)s & ~(CAP - 1))); f &= f >> 1; f &= f >> 2; u32 bad = ~f & 0x11111111u; u32 n = bad ? (__ffs(bad) - 1) / 4 : 8;
        if (lane / 4 < n) st(out + (s % CAP) * 64 + lane % 4 * 16, v);
        i += n; deep = n > 0; if (lane == 0 && n) *credit = i;
        if ((k & 127u) == 0 && gt() - start > life) quit = 1;
        quit = __any_sync(~0u, quit);
        if (barrier) { if (lane == 0) said = quit; __syncthreads(); __syncthreads(); }
        if (quit) return;
    }
}
extern "C" __global__ void bare_block(char *in, char *out, volatile u32 *stop, volatile u64 *credit, u64 life) { block_echo<4>(in, out, stop, credit, life, 0); }
/* Two blocks, each other's target; credit per block in device memory. */
extern "C" __global__ void bare_pair(char *a, char *b, volatile u32 *stop, volatile u64 *credit, u64 life, u64 *done, u32 ahead)
{ if (blockIdx.x == 0) block_echo<4>(a, b, stop, credit, life, done); else block_echo<4>(b, a, stop, credit + 16, life, done + 1, ahead); }

/* Tear. Each warp rewrites its line of 128 bytes over and over, one store instruction (32 lanes x 4 bytes, or 8 x 16). */
extern "C" __global__ void tear_write(char *lines, volatile u32 *stop, u64 life, u32 wide, u64 *written, u32 pause)
{
    u32 warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32; u64 start = gt(); u32 n = 0; char *line = lines + warp * 128ull;
    for (;;) {
        n++;
        if (wide) { if (lane < 8) { uint4 v = { n, n, n, n }; st(line + lane * 16, v); } }
        else *(volatile u32 *)(line + lane * 4) = n;
        if (pause) asm volatile("nanosleep.u32 %0;" :: "r"(pause));
        if ((n & 1023u) == 0) { u32 s = lane == 0 ? *stop || gt() - start > life : 0; if (__shfl_sync(~0u, s, 0)) break; }
    }
    if (lane == 0) written[warp] = n;
}
/* Each warp samples its line by one load instruction. counts: [0] samples, [1] mixed within 16, [2] within 32 not 16, [3] within 64, [4] within 128, [5] changes seen */
extern "C" __global__ void tear_read(char *lines, volatile u32 *stop, u64 life, u32 wide, u64 *counts)
{
    u32 warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32; u64 start = gt(); char *line = lines + warp * 128ull; u32 last = 0; u64 c[6] = { 0, 0, 0, 0, 0, 0 };
    for (u32 k = 1;; k++) {
        u32 w; u32 in16 = 1;
        if (wide) { uint4 v = { 0, 0, 0, 0 }; if (lane < 8) v = ld(line + lane * 16); in16 = lane >= 8 || (v.x == v.y && v.y == v.z && v.z == v.w); w = __shfl_sync(~0u, v.x, lane / 4); }
        else { w = *(volatile u32 *)(line + lane * 4); }
        u32 m16 = __any_sync(~0u, !in16 || w != __shfl_sync(~0u, w, lane & ~3u)), m32 = __any_sync(~0u, w != __shfl_sync(~0u, w, lane & ~7u)), m64 = __any_sync(~0u, w != __shfl_sync(~0u, w, lane & ~15u)), m128 = __any_sync(~0u, w != __shfl_sync(~0u, w, 0));
        c[0]++; c[1] += m16; c[2] += m32 && !m16; c[3] += m64 && !m32; c[4] += m128 && !m64; u32 v0 = __shfl_sync(~0u, w, 0); c[5] += v0 != last; last = v0;
        if ((k & 255u) == 0) { u32 s = lane == 0 ? *stop || gt() - start > life : 0; if (__shfl_sync(~0u, s, 0)) break; }
    }
    if (lane == 0) for (u32 i = 0; i < 6; i++) counts[warp * 6 + i] = c[i];
}
/* What one bus access costs a lone thread: n dependent loads, or n stores, of pinned memory. */
extern "C" __global__ void bus(volatile u64 *p, u64 *out, u32 n)
{
    u64 t, s = 0;
    t = clock64(); for (u32 i = 0; i < n; i++) { u64 x = p[s]; s = x & 1; } out[0] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) p[64] = i; out[1] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) { p[64] = i; __threadfence_system(); } out[2] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) { for (u32 k = 0; k < 8; k++) p[64 + 16 * k] = i; } out[3] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) { uint4 a = ld((void *)(p + 128)), b = ld((void *)(p + 130)), c = ld((void *)(p + 132)), d = ld((void *)(p + 134)); s += (a.x + b.x + c.x + d.x) & 1; } out[4] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) s += __nv_atomic_exchange_n((u32 *)p + 600, i, __NV_ATOMIC_RELAXED, __NV_THREAD_SCOPE_DEVICE) & 1; out[5] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) s += gt() & 1; out[6] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) __nv_atomic_store_n((u64 *)p + 64, i, __NV_ATOMIC_RELEASE, __NV_THREAD_SCOPE_SYSTEM); out[7] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) __nv_atomic_store_n((u64 *)p + 64, i, __NV_ATOMIC_RELEASE, __NV_THREAD_SCOPE_DEVICE); out[8] = clock64() - t;
    t = clock64(); for (u32 i = 0; i < n; i++) { s += __nv_atomic_load_n((u64 *)p + s, __NV_ATOMIC_ACQUIRE, __NV_THREAD_SCOPE_SYSTEM) & 1; } out[9] = clock64() - t;
    out[10] = s;
}
