/* What the prototype's programs share: errors, time, the context, files. Not part of the library. */
#ifndef PROTO_COMMON_H
#define PROTO_COMMON_H
#define _GNU_SOURCE
#include <cuda.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
typedef uint64_t u64;
typedef uint32_t u32;
static const char *cu_name(CUresult r)
{
    const char *s = "?";
    cuGetErrorName(r, &s);
    return s;
}
#define CK(x)                                                                      \
    do {                                                                           \
        CUresult r_ = (x);                                                         \
        if (r_ != CUDA_SUCCESS) {                                                  \
            printf("FATAL %s:%d %s -> %s\n", __FILE__, __LINE__, #x, cu_name(r_)); \
            fflush(stdout);                                                        \
            _exit(3);                                                              \
        }                                                                          \
    } while (0)
static inline u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}
static inline void busy_ns(u64 ns)
{
    u64 end = now_ns() + ns;
    while (now_ns() < end) __builtin_ia32_pause();
}
static void *slurp(const char *name, size_t *size)
{
    FILE *f = fopen(name, "rb");
    if (!f) {
        printf("no %s\n", name);
        _exit(3);
    }
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    rewind(f);
    char *p = calloc(1, n + 1);
    if (fread(p, 1, n, f) != n) _exit(3);
    fclose(f);
    if (size) *size = n;
    return p;
}
static CUdevice dev;
static CUcontext ctx;
static void cu_open(void)
{
    CK(cuInit(0));
    CK(cuDeviceGet(&dev, 0));
    CK(cuDevicePrimaryCtxRetain(&ctx, dev));
    CK(cuCtxSetCurrent(ctx));
}
static void pin_cpu(int c)
{
    cpu_set_t s;
    CPU_ZERO(&s);
    CPU_SET(c, &s);
    sched_setaffinity(0, sizeof s, &s);
}
static int cmp_u64(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}
static u64 pct(u64 *v, size_t n, double p)
{
    size_t i = (size_t)(p * (double)(n - 1));
    return v[i];
}
#endif
