/* Where memory can live and what blocks behind a resident kernel: questions 1, 2, 5 (part), 6. */
#include "common.h"
#include <dlfcn.h>
static CUmodule mod;
static CUfunction f_spin, f_touch, f_idle, f_echo;
static volatile u64 *ctl; /* pinned */
static CUstream side, res;
static sigjmp_buf jump;
static volatile int got_signal, got_code;
static void on_fault(int s, siginfo_t *i, void *u)
{
    (void)u;
    got_signal = s;
    got_code = i->si_code;
    siglongjmp(jump, 1);
}
static void cpu_touch(const char *what, void *p)
{
    struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGSEGV, &a, 0);
    sigaction(SIGBUS, &a, 0);
    got_signal = 0;
    if (sigsetjmp(jump, 1) == 0) {
        volatile u64 v = *(volatile u64 *)p;
        (void)v;
        printf("  CPU read  %-34s ok (%llu)\n", what, (unsigned long long)v);
    } else
        printf("  CPU read  %-34s signal %d code %d\n", what, got_signal, got_code);
    if (sigsetjmp(jump, 1) == 0) {
        *(volatile u64 *)p = 5;
        printf("  CPU write %-34s ok\n", what);
    } else
        printf("  CPU write %-34s signal %d code %d\n", what, got_signal, got_code);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}
static void gpu_touch(const char *what, CUdeviceptr p, void *cpu)
{
    u64 v = 3;
    void *args[] = { &p, &v };
    CUresult r = cuLaunchKernel(f_touch, 1, 1, 1, 1, 1, 1, 0, side, args, 0);
    if (r == CUDA_SUCCESS) r = cuStreamSynchronize(side);
    printf("  GPU rmw   %-34s %s%s", what, cu_name(r), cpu ? "" : "\n");
    if (cpu) printf(", CPU then sees %llu\n", (unsigned long long)*(volatile u64 *)cpu);
}
static void setup(void)
{
    cu_open();
    CK(cuModuleLoadData(&mod, slurp("probe.cubin", 0)));
    CK(cuModuleGetFunction(&f_spin, mod, "spin"));
    CK(cuModuleGetFunction(&f_touch, mod, "touch"));
    CK(cuModuleGetFunction(&f_idle, mod, "idle"));
    CK(cuModuleGetFunction(&f_echo, mod, "echo"));
    CK(cuMemHostAlloc((void **)&ctl, 4096, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP));
    memset((void *)ctl, 0, 4096);
    CK(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING));
    CK(cuStreamCreate(&res, CU_STREAM_NON_BLOCKING));
    gpu_touch("(warm) pinned word", (CUdeviceptr)&ctl[100], (void *)&ctl[100]);
}
#define ATTR(x)                                               \
    {                                                         \
        int v = -1;                                           \
        CUresult r = cuDeviceGetAttribute(&v, x, dev);        \
        printf("  %-68s %d%s\n", #x, v, r ? " (error)" : ""); \
    }
static void t_attrs(void)
{
    char name[100];
    int d;
    cuDeviceGetName(name, 100, dev);
    cuDriverGetVersion(&d);
    printf("device %s, driver API %d\n", name, d);
    ATTR(CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED);
    ATTR(CU_DEVICE_ATTRIBUTE_HOST_NUMA_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED);
    ATTR(CU_DEVICE_ATTRIBUTE_HOST_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED);
    ATTR(CU_DEVICE_ATTRIBUTE_HOST_ALLOC_DMA_BUF_SUPPORTED);
    ATTR(CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING);
    ATTR(CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM)
    ATTR(CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED);
    ATTR(CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED)
    ATTR(CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS);
    ATTR(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS)
    ATTR(CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST);
    ATTR(CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED)
    ATTR(CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED);
    ATTR(CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED)
    ATTR(CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_FLUSH_WRITES_OPTIONS);
    ATTR(CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED)
    ATTR(CU_DEVICE_ATTRIBUTE_CAN_FLUSH_REMOTE_WRITES);
    ATTR(CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID)
    ATTR(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH);
    ATTR(CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS) ATTR(CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT)
}
static CUmemAllocationProp prop_of(int where)
{
    CUmemAllocationProp p;
    memset(&p, 0, sizeof p);
    p.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    p.location.type = where == 0   ? CU_MEM_LOCATION_TYPE_DEVICE
                      : where == 1 ? CU_MEM_LOCATION_TYPE_HOST
                      : where == 2 ? CU_MEM_LOCATION_TYPE_HOST_NUMA
                                   : CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT;
    p.location.id = 0;
    return p;
}
static const char *where_name[] = { "DEVICE", "HOST", "HOST_NUMA 0", "HOST_NUMA_CURRENT" };
static CUresult map_at(CUdeviceptr at, size_t size, int where, CUmemGenericAllocationHandle *h)
{
    CUmemAllocationProp p = prop_of(where);
    CUresult r = cuMemCreate(h, size, &p, 0);
    if (r) {
        printf("  cuMemCreate %s %zu -> %s\n", where_name[where], size, cu_name(r));
        return r;
    }
    r = cuMemMap(at, size, 0, *h, 0);
    if (r) {
        printf("  cuMemMap %s -> %s\n", where_name[where], cu_name(r));
        return r;
    }
    CUmemAccessDesc a[2];
    memset(a, 0, sizeof a);
    a[0].location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    a[0].location.id = 0;
    a[0].flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    r = cuMemSetAccess(at, size, a, 1);
    if (r) printf("  cuMemSetAccess(device) on %s -> %s\n", where_name[where], cu_name(r));
    a[1].location.type = CU_MEM_LOCATION_TYPE_HOST_NUMA;
    a[1].location.id = 0;
    a[1].flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    CUresult q = cuMemSetAccess(at, size, a + 1, 1);
    if (q || where == 0) printf("  cuMemSetAccess(host numa 0) on %s -> %s\n", where_name[where], cu_name(q));
    a[1].location.type = CU_MEM_LOCATION_TYPE_HOST;
    if (q) {
        q = cuMemSetAccess(at, size, a + 1, 1);
        printf("  cuMemSetAccess(HOST) on %s -> %s\n", where_name[where], cu_name(q));
    }
    return r;
}
#define GIB (1ull << 30)
static void t_vmm(void)
{
    for (int w = 0; w < 4; w++) {
        size_t lo = 0, hi = 0;
        CUmemAllocationProp p = prop_of(w);
        CUresult r = cuMemGetAllocationGranularity(&lo, &p, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
                 q = cuMemGetAllocationGranularity(&hi, &p, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED);
        CUmemGenericAllocationHandle h;
        CUresult c = cuMemCreate(&h, 2u << 20, &p, 0);
        printf("  %-18s granularity %zu (%s) recommended %zu (%s), cuMemCreate(2 MiB) %s\n", where_name[w],
               lo, cu_name(r), hi, cu_name(q), cu_name(c));
        if (!c) cuMemRelease(h);
    }
    CUdeviceptr base;
    u64 t = now_ns();
    CK(cuMemAddressReserve(&base, 64 * GIB, 0, 0, 0));
    printf("  cuMemAddressReserve(64 GiB) %.1f us at %llx\n", (double)(now_ns() - t) / 1e3, base);
    CUmemGenericAllocationHandle h;
    if (!map_at(base + GIB, 2u << 20, 2, &h)) {
        gpu_touch("host part (HOST_NUMA) in range", base + GIB, 0);
        cpu_touch("host part, same address", (void *)(base + GIB));
        gpu_touch("host part again", base + GIB, (void *)(base + GIB));
        if (!map_at(base + GIB + (2u << 20), 64u << 20, 2, &h)) {
            char *p = (char *)(base + GIB + (2u << 20));
            static char buf[64u << 20];
            memset(p, 1, 64u << 20);
            memcpy(buf, p, 64u << 20);
            t = now_ns();
            memcpy(buf, p, 64u << 20);
            u64 rd = now_ns() - t;
            t = now_ns();
            memcpy(p, buf, 64u << 20);
            printf("  CPU copies out of it at %.1f GB/s, into it at %.1f GB/s (cached if like memory)\n",
                   67.1e6 * 1e0 / (double)rd, 67.1e6 / (double)(now_ns() - t));
        }
    }
    if (!map_at(base + 2 * GIB, 2u << 20, 0, &h)) {
        gpu_touch("device part in range", base + 2 * GIB, 0);
        cpu_touch("device part", (void *)(base + 2 * GIB));
        gpu_touch("device part after CPU touch", base + 2 * GIB, 0);
    }
    cpu_touch("reserved, nothing mapped", (void *)(base + 3 * GIB));
    void *m = mmap((void *)(base + 4 * GIB), 2u << 20, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("  mmap(MAP_FIXED) inside the reservation: %s\n", m == MAP_FAILED ? "failed" : "done");
    if (m != MAP_FAILED) {
        memset(m, 0, 2u << 20);
        CUresult r =
            cuMemHostRegister(m, 2u << 20, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
        printf("  cuMemHostRegister of it: %s\n", cu_name(r));
        if (!r) gpu_touch("mmap inside the reservation", (CUdeviceptr)m, m);
    }
    /* the other way round: mmap first, the device part behind it */
    char *both =
        mmap(0, 128 * GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    munmap(both + 64 * GIB, 64 * GIB);
    CUdeviceptr want = (CUdeviceptr)(both + 64 * GIB), got = 0;
    want = (want + (2u << 20) - 1) & ~(CUdeviceptr)((2u << 20) - 1);
    CUresult r = cuMemAddressReserve(&got, 63 * GIB, 2u << 20, want, 0);
    printf("  cuMemAddressReserve with the address behind an mmap: %s, %s\n", cu_name(r),
           got == want ? "granted as asked" : "somewhere else");
    if (!r && got == want && !map_at(got, 2u << 20, 0, &h)) gpu_touch("device part behind the mmap", got, 0);
    memset(both, 0, 2u << 20);
    r = cuMemHostRegister(both, 2u << 20, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
    CUdeviceptr dp = 0;
    if (!r) cuMemHostGetDevicePointer(&dp, both, 0);
    printf("  cuMemHostRegister(first 2 MiB of the mmap): %s, device pointer %s\n", cu_name(r),
           dp == (CUdeviceptr)both ? "the same" : "another");
    gpu_touch("registered mmap", (CUdeviceptr)both, both);
    r = cuMemHostRegister(both + (2u << 20), 4096,
                          CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
    printf("  cuMemHostRegister(the next 4 KiB): %s\n", cu_name(r));
    r = cuMemHostRegister(both + (4u << 20), 2u << 20,
                          CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
    printf("  cuMemHostRegister(2 MiB never touched): %s\n", cu_name(r));
    gpu_touch("it", (CUdeviceptr)(both + (4u << 20)), both + (4u << 20));
    r = cuMemHostUnregister(both + (4u << 20));
    printf("  unregister: %s; madvise(DONTNEED) after: %d\n", cu_name(r),
           madvise(both + (4u << 20), 2u << 20, MADV_DONTNEED));
    printf("  madvise(DONTNEED) on registered pages: %d", madvise(both, 4096, MADV_DONTNEED));
    *(volatile u64 *)both = 0;
    gpu_touch("after it", (CUdeviceptr)both, both);
    CUdeviceptr plain;
    CK(cuMemAlloc(&plain, 2u << 20));
    printf("  cuMemAlloc lies at base %+lld GiB\n", (long long)(plain - (CUdeviceptr)both) / (long long)GIB);
    u64 big = 0; /* what one registration costs */
    for (u64 mb = 1; mb <= 1024; mb *= 8) {
        char *p = both + 8 * GIB;
        madvise(p, mb << 20, MADV_HUGEPAGE);
        u64 a = now_ns();
        memset(p, 0, mb << 20);
        u64 b = now_ns();
        r = cuMemHostRegister(p, mb << 20, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
        u64 c = now_ns();
        cuMemHostUnregister(p);
        u64 d = now_ns();
        madvise(p, mb << 20, MADV_DONTNEED);
        printf("  register %4llu MiB: touch %.2f ms, register %.2f ms, unregister %.2f ms (%s)\n",
               (unsigned long long)mb, (double)(b - a) / 1e6, (double)(c - b) / 1e6, (double)(d - c) / 1e6,
               cu_name(r));
        big += c;
    }
}
/* ---------------------------------------------------------------- beside a resident kernel */
#define LIFE 800000000ull
static void resident(void)
{
    u64 life = LIFE;
    void *a = (void *)ctl;
    void *args[] = { &a, &life };
    memset((void *)ctl, 0, 128);
    CK(cuLaunchKernel(f_spin, 1, 1, 1, 32, 1, 1, 0, res, args, 0));
    u64 t = now_ns();
    while (ctl[8] != 1 && now_ns() - t < 1000000000ull)
        ;
    busy_ns(300000);
}
static void leave(void)
{
    ctl[0] = 1;
    CK(cuStreamSynchronize(res));
}
#define OP(text, prepare, call, undo)                                                  \
    {                                                                                  \
        prepare;                                                                       \
        resident();                                                                    \
        u64 t_ = now_ns();                                                             \
        CUresult r_ = CUDA_SUCCESS;                                                    \
        call;                                                                          \
        u64 took = now_ns() - t_;                                                      \
        int over = ctl[8] == 2;                                                        \
        leave();                                                                       \
        u64 gap = ctl[9];                                                              \
        undo;                                                                          \
        printf("  %-58s %10.1f us  %-8s gap %8.1f us  %s\n", text, (double)took / 1e3, \
               over ? "BLOCKED" : "", (double)gap / 1e3, r_ ? cu_name(r_) : "");       \
        fflush(stdout);                                                                \
    }
static CUresult wait_word(volatile u64 *w, u64 v, u64 ns)
{
    u64 t = now_ns();
    while (*w != v)
        if (now_ns() - t > ns) return CUDA_ERROR_TIMEOUT;
    return CUDA_SUCCESS;
}
static void t_ops(void)
{
    CUdeviceptr p, base;
    CUmemGenericAllocationHandle h;
    CUmemAllocationProp pd = prop_of(0), ph = prop_of(2);
    CUmodule m2;
    CUfunction f2;
    CUstream s2;
    CUevent e2;
    CUmemAccessDesc ad = { { CU_MEM_LOCATION_TYPE_DEVICE, { 0 } }, CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
    CUmemAccessDesc ah = { { CU_MEM_LOCATION_TYPE_HOST_NUMA, { 0 } }, CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
    void *cubin = slurp("late.cubin", 0), *hp;
    size_t M2 = 2u << 20, M64 = 64u << 20;
    CUlibrary lib;
    CUkernel ker;
    volatile u64 *word;
    CK(cuMemHostAlloc((void **)&word, 4096, CU_MEMHOSTALLOC_PORTABLE));
    char *mm = mmap(0, M64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(mm, 0, M64);
    CUdeviceptr dst;
    CK(cuMemAlloc(&dst, M64));
    u64 v = 1;
    void *wargs[] = { (void *)&word };
    CK(cuMemAddressReserve(&base, 4 * GIB, 0, 0, 0));
    OP("nothing (5 ms)", , busy_ns(5000000), )
    OP("cuMemAlloc 2 MiB", , r_ = cuMemAlloc(&p, M2), cuMemFree(p))
    OP("cuMemAlloc 512 MiB", , r_ = cuMemAlloc(&p, M64 * 8), cuMemFree(p))
    OP("cuMemFree 64 MiB", cuMemAlloc(&p, M64), r_ = cuMemFree(p), )
    OP("cuMemAllocAsync 64 MiB on another stream", , r_ = cuMemAllocAsync(&p, M64, side),
       (cuMemFreeAsync(p, side), cuStreamSynchronize(side)))
    OP("cuMemFreeAsync + stream sync", cuMemAllocAsync(&p, M64, side);
       cuStreamSynchronize(side), r_ = cuMemFreeAsync(p, side); cuStreamSynchronize(side), )
    OP("cuMemCreate device 64 MiB", , r_ = cuMemCreate(&h, M64, &pd, 0), cuMemRelease(h))
    OP("cuMemMap device 64 MiB", cuMemCreate(&h, M64, &pd, 0), r_ = cuMemMap(base, M64, 0, h, 0), )
    OP("cuMemSetAccess device 64 MiB", , r_ = cuMemSetAccess(base, M64, &ad, 1), )
    OP("  the resident kernel touches it", , ctl[2] = 9; ctl[1] = base;
       r_ = wait_word(&ctl[10], base, 100000000), )
    OP(
        "  + mapped and touched in one residence", , {
            CUmemGenericAllocationHandle g;
            r_ = cuMemCreate(&g, M2, &pd, 0);
            if (!r_) r_ = cuMemMap(base + GIB, M2, 0, g, 0);
            if (!r_) r_ = cuMemSetAccess(base + GIB, M2, &ad, 1);
            ctl[2] = 9;
            ctl[1] = base + GIB;
            if (!r_) r_ = wait_word(&ctl[10], base + GIB, 100000000);
        }, )
    OP("cuMemUnmap device 64 MiB", , r_ = cuMemUnmap(base, M64), cuMemRelease(h))
    OP("cuMemCreate HOST_NUMA 2 MiB", , r_ = cuMemCreate(&h, M2, &ph, 0), cuMemRelease(h))
    OP(
        "cuMemCreate+Map+SetAccess HOST_NUMA 64 MiB, + touched", , {
            r_ = cuMemCreate(&h, M64, &ph, 0);
            if (!r_) r_ = cuMemMap(base + 2 * GIB, M64, 0, h, 0);
            if (!r_) r_ = cuMemSetAccess(base + 2 * GIB, M64, &ad, 1);
            if (!r_) r_ = cuMemSetAccess(base + 2 * GIB, M64, &ah, 1);
            ctl[2] = 9;
            ctl[1] = base + 2 * GIB;
            if (!r_) r_ = wait_word(&ctl[10], base + 2 * GIB, 100000000);
        }, )
    OP("cuMemUnmap HOST_NUMA 64 MiB", , r_ = cuMemUnmap(base + 2 * GIB, M64), cuMemRelease(h))
    OP("cuMemHostRegister 2 MiB (touched), + used by the kernel", , r_ = cuMemHostRegister(mm, M2, 3);
       ctl[2] = 9; ctl[1] = (u64)mm; if (!r_) r_ = wait_word(&ctl[10], (u64)mm, 100000000), )
    OP("cuMemHostUnregister 2 MiB", , r_ = cuMemHostUnregister(mm), )
    OP("cuMemHostRegister 64 MiB (touched)", , r_ = cuMemHostRegister(mm, M64, 3), )
    OP("cuMemHostUnregister 64 MiB", , r_ = cuMemHostUnregister(mm), )
    OP("cuMemHostAlloc 2 MiB", , r_ = cuMemHostAlloc(&hp, M2, 3), )
    OP("cuMemFreeHost 2 MiB", , r_ = cuMemFreeHost(hp), )
    OP("cuMemcpyHtoD 4 KiB, pageable source", , r_ = cuMemcpyHtoD(dst, cubin, 4096), )
    OP("cuMemcpyHtoD 64 MiB, pageable source", , r_ = cuMemcpyHtoD(dst, mm, M64), )
    OP("cuMemcpyHtoDAsync 4 KiB pinned + sync, own stream", ,
       r_ = cuMemcpyHtoDAsync(dst, (void *)word, 4096, side);
       cuStreamSynchronize(side), )
    OP("cuMemcpyDtoHAsync 4 KiB pinned + sync, own stream", ,
       r_ = cuMemcpyDtoHAsync((void *)word, dst, 4096, side);
       cuStreamSynchronize(side), )
    OP("cuMemcpyDtoHAsync 64 MiB pageable + sync, own stream", , r_ = cuMemcpyDtoHAsync(mm, dst, M64, side);
       cuStreamSynchronize(side), )
    OP("cuMemsetD8Async 64 MiB + sync, own stream", , r_ = cuMemsetD8Async(dst, 0, M64, side);
       cuStreamSynchronize(side), )
    OP("cuMemsetD8 4 KiB", , r_ = cuMemsetD8(dst, 0, 4096), )
    OP("cuStreamCreate non-blocking", , r_ = cuStreamCreate(&s2, CU_STREAM_NON_BLOCKING), )
    OP("cuStreamDestroy", , r_ = cuStreamDestroy(s2), )
    OP("cuStreamCreateWithPriority", , r_ = cuStreamCreateWithPriority(&s2, CU_STREAM_NON_BLOCKING, -5), )
    OP("cuEventCreate + Record + Query on own stream", , r_ = cuEventCreate(&e2, CU_EVENT_DISABLE_TIMING);
       cuEventRecord(e2, side); cuEventQuery(e2), )
    OP("cuStreamQuery of the resident one", , cuStreamQuery(res), )
    OP(
        "cuLaunchKernel loaded before + reply", *word = 0;
        {
            CUfunction w;
            cuModuleGetFunction(&w, mod, "fresh");
            cuFuncLoad(w);
        },
        {
            CUfunction w;
            cuModuleGetFunction(&w, mod, "fresh");
            r_ = cuLaunchKernel(w, 1, 1, 1, 32, 1, 1, 0, side, wargs, 0);
            if (!r_) r_ = wait_word(word, 77, 700000000);
        }, )
    OP("cuModuleLoadData (late module)", , r_ = cuModuleLoadData(&m2, cubin), )
    OP("cuModuleGetFunction", , r_ = cuModuleGetFunction(&f2, m2, "late"), )
    OP(
        "cuFuncGetAttribute(registers)", , {
            int n;
            r_ = cuFuncGetAttribute(&n, CU_FUNC_ATTRIBUTE_NUM_REGS, f2);
        }, )
    OP(
        "cuOccupancyMaxActiveBlocksPerMultiprocessor", , {
            int n;
            r_ = cuOccupancyMaxActiveBlocksPerMultiprocessor(&n, f2, 256, 0);
        }, )
    OP("cuFuncLoad", , r_ = cuFuncLoad(f2), )
    OP("first cuLaunchKernel of it + reply", *word = 0,
       r_ = cuLaunchKernel(f2, 1, 1, 1, 32, 1, 1, 0, side, wargs, 0);
       if (!r_) r_ = wait_word(word, 177, 700000000), )
    OP("second cuLaunchKernel of it + reply", *word = 0,
       r_ = cuLaunchKernel(f2, 1, 1, 1, 32, 1, 1, 0, side, wargs, 0);
       if (!r_) r_ = wait_word(word, 177, 700000000), )
    OP("cuModuleUnload", , r_ = cuModuleUnload(m2), )
    OP("load + get + launch, all at once + reply", *word = 0, r_ = cuModuleLoadData(&m2, cubin);
       cuModuleGetFunction(&f2, m2, "late"); r_ = cuLaunchKernel(f2, 1, 1, 1, 32, 1, 1, 0, side, wargs, 0);
       if (!r_) r_ = wait_word(word, 177, 700000000), )
    OP("cuFuncSetAttribute(dynamic shared 100 KiB)", ,
       r_ = cuFuncSetAttribute(f2, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100 << 10), )
    OP("cuLibraryLoadData + GetKernel + launch + reply", *word = 0,
       r_ = cuLibraryLoadData(&lib, cubin, 0, 0, 0, 0, 0, 0);
       if (!r_) r_ = cuLibraryGetKernel(&ker, lib, "late");
       if (!r_) r_ = cuLaunchKernel((CUfunction)ker, 1, 1, 1, 32, 1, 1, 0, side, wargs, 0);
       if (!r_) r_ = wait_word(word, 177, 700000000), )
    OP(
        "launch: 16 KiB of local memory a thread, first time", *word = 0, {
            CUfunction w;
            u32 n = 5;
            void *sargs[2];
            sargs[0] = (void *)&word;
            sargs[1] = &n;
            r_ = cuModuleGetFunction(&w, mod, "stacky");
            if (!r_) r_ = cuLaunchKernel(w, 1, 1, 1, 32, 1, 1, 0, side, sargs, 0);
            if (!r_) r_ = wait_word(word, 78, 700000000);
        }, )
    OP("cuLaunchCooperativeKernel beside it + reply", *word = 0,
       r_ = cuLaunchCooperativeKernel(f2, 4, 1, 1, 32, 1, 1, 0, side, wargs);
       if (!r_) r_ = wait_word(word, 177, 700000000), )
    OP(
        "cuMemGetInfo", , {
            size_t a;
            size_t b;
            r_ = cuMemGetInfo(&a, &b);
        }, )
    (void)v;
    (void)e2;
}
/* ---------------------------------------------------------------- idle */
typedef struct nv *nvd;
static int (*nv_power)(nvd, unsigned *), (*nv_clock)(nvd, int, unsigned *);
static nvd nvdev;
static void t_power(void)
{
    void *l = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!l) {
        printf("no NVML\n");
        return;
    }
    int (*init)(void) = (int (*)(void))dlsym(l, "nvmlInit_v2"),
        (*get)(unsigned, nvd *) = (int (*)(unsigned, nvd *))dlsym(l, "nvmlDeviceGetHandleByIndex_v2");
    nv_power = (int (*)(nvd, unsigned *))dlsym(l, "nvmlDeviceGetPowerUsage");
    nv_clock = (int (*)(nvd, int, unsigned *))dlsym(l, "nvmlDeviceGetClockInfo");
    init();
    get(0, &nvdev);
    CUdeviceptr dw;
    CK(cuMemAlloc(&dw, 4096));
    CK(cuMemsetD8(dw, 0, 4096));
    static const struct {
        u32 blocks, threads, sleep, mode;
        const char *what;
    } c[] = { { 0, 0, 0, 0, "no kernel, context open" },
              { 1, 256, 0, 0, "1 block, spin on pinned" },
              { 1, 256, 1000, 0, "1 block, pinned, nanosleep 1000" },
              { 132, 256, 0, 0, "132 blocks, spin on pinned" },
              { 132, 256, 20, 0, "132 blocks, pinned, nanosleep 20 (rk_port_pause)" },
              { 132, 256, 1000, 0, "132 blocks, pinned, nanosleep 1000" },
              { 132, 256, 16000, 0, "132 blocks, pinned, nanosleep 16000" },
              { 132, 256, 0, 1, "132 blocks, spin on device word" },
              { 132, 256, 20, 1, "132 blocks, device word, nanosleep 20" },
              { 132, 256, 200, 1, "132 blocks, device word, nanosleep 200" },
              { 132, 256, 1000, 1, "132 blocks, device word, nanosleep 1000" },
              { 132, 256, 1000000, 1, "132 blocks, device word, nanosleep 1e6" },
              { 132, 256, 200, 2, "1 pinned + 131 device word, nanosleep 200" },
              { 1056, 256, 20, 1, "1056 blocks, device word, nanosleep 20" } };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        u64 life = 2300000000ull;
        void *pw = (void *)&ctl[200];
        u32 sl = c[i].sleep, mo = c[i].mode;
        void *args[] = { &pw, &dw, &life, &sl, &mo };
        if (c[i].blocks) CK(cuLaunchKernel(f_idle, c[i].blocks, 1, 1, c[i].threads, 1, 1, 0, res, args, 0));
        usleep(1500000);
        double sum = 0;
        unsigned p, sm = 0;
        for (int k = 0; k < 12; k++) {
            nv_power(nvdev, &p);
            sum += p;
            usleep(40000);
        }
        nv_clock(nvdev, 1, &sm);
        printf("  %-52s %6.1f W  SM %u MHz\n", c[i].what, sum / 12e3, sm);
        fflush(stdout);
        CK(cuStreamSynchronize(res));
    }
}
static void t_wake(void)
{
    volatile u64 *in = &ctl[256], *out = &ctl[288];
    pin_cpu(3);
    static const u32 sleeps[] = { 0, 20, 100, 500, 1000, 4000, 16000, 64000, 250000 };
    for (size_t i = 0; i < sizeof sleeps / sizeof *sleeps; i++) {
        u64 life = 2000000000ull;
        u32 spins = 8, sl = sleeps[i];
        void *a = (void *)in, *b = (void *)out;
        void *args[] = { &a, &b, &life, &spins, &sl };
        *in = 0;
        *out = 0;
        CK(cuLaunchKernel(f_echo, 1, 1, 1, 1, 1, 1, 0, res, args, 0));
        static u64 v[600];
        size_t n = sl > 30000 ? 300 : 600;
        u64 seed = 1;
        for (size_t k = 0; k < n; k++) {
            seed = seed * 6364136223846793005ull + 1;
            busy_ns(300000 + (seed >> 33) % 300000 + sl * 2);
            u64 t = now_ns();
            *in = k + 1;
            while (*out != k + 1 && now_ns() - t < 100000000)
                ;
            v[k] = now_ns() - t;
        }
        *in = ~0ull;
        CK(cuStreamSynchronize(res));
        qsort(v, n, 8, cmp_u64);
        printf("  nanosleep %7u after 8 empty polls: wake + reply p50 %8.2f us  p99 %8.2f  max %8.2f\n", sl,
               (double)pct(v, n, .5) / 1e3, (double)pct(v, n, .99) / 1e3, (double)v[n - 1] / 1e3);
        fflush(stdout);
    }
}
static void t_select(void)
{
    CUfunction f;
    CUdeviceptr a, b, o, offs, outv;
    size_t S = 1u << 20;
    CK(cuMemAlloc(&a, S));
    CK(cuMemAlloc(&b, S));
    CK(cuMemAlloc(&o, 4096));
    CK(cuMemAlloc(&offs, 8192));
    CK(cuMemAlloc(&outv, 1 << 20));
    static u64 hb[1u << 17];
    for (u32 i = 0; i < S / 8; i++) hb[i] = ((i * 8ull) + 4096 + 64) % S & ~7ull;
    CK(cuMemcpyHtoD(a, hb, S));
    CK(cuMemcpyHtoD(b, hb, S));
    for (u32 i = 0; i < 1024; i++) hb[i] = (i * 80ull * 16) % S;
    CK(cuMemcpyHtoD(offs, hb, 8192));
    const char *names[] = { "base_one", "base_bit" }, *streams[] = { "stream_one", "stream_bit" };
    for (int rep = 0; rep < 3; rep++)
        for (int k = 0; k < 2; k++) {
            CK(cuModuleGetFunction(&f, mod, names[k]));
            u32 n = 100000;
            void *args[] = { &a, &b, &o, &n };
            u64 r[3] = { 0, 0, 64 };
            CK(cuMemcpyHtoD(o, r, 24));
            CK(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, side, args, 0));
            CK(cuStreamSynchronize(side));
            CK(cuMemcpyDtoH(r, o, 24));
            printf("  chase %-11s %.2f cycles a load\n", names[k], (double)r[0] / n);
            CK(cuModuleGetFunction(&f, mod, streams[k]));
            u32 m = 1 << 20;
            CUdeviceptr cyc = o;
            void *sargs[] = { &a, &b, &offs, &outv, &m, &cyc };
            CK(cuLaunchKernel(f, 1, 1, 1, 256, 1, 1, 0, side, sargs, 0));
            CK(cuStreamSynchronize(side));
            CK(cuMemcpyDtoH(r, o, 8));
            printf("  256 threads, 16-byte units %-11s %.3f cycles a unit\n", streams[k], (double)r[0] / m);
        }
}
static void speed(const char *what, char *p)
{
    static char buf[32u << 20];
    size_t n = 32u << 20;
    u64 a[3] = { ~0ull, ~0ull, ~0ull };
    memset(buf, 1, n);
    memset(p, 2, n);
    for (int k = 0; k < 4; k++) {
        u64 t = now_ns();
        memcpy(buf, p, n);
        u64 u = now_ns();
        memcpy(p, buf, n);
        u64 v = now_ns();
        volatile u64 *q = (volatile u64 *)p;
        for (int i = 0; i < 1000; i++) q[0] = q[0] + 1;
        u64 w = now_ns();
        if (u - t < a[0]) a[0] = u - t;
        if (v - u < a[1]) a[1] = v - u;
        if (w - v < a[2]) a[2] = w - v;
    }
    printf("  %-40s CPU reads %.1f GB/s, writes %.1f GB/s, increment of a word %.1f ns\n", what,
           (double)n / a[0], (double)n / a[1], a[2] / 1e3);
}
static void t_speed(void)
{
    size_t n = 32u << 20;
    char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    speed("plain mmap", p);
    CK(cuMemHostRegister(p, n, 3));
    speed("the same registered", p);
    void *h;
    CK(cuMemHostAlloc(&h, n, 3));
    speed("cuMemHostAlloc", h);
    CK(cuMemHostAlloc(&h, n, 7));
    speed("cuMemHostAlloc write-combined", h);
    CUdeviceptr b;
    CUmemGenericAllocationHandle g;
    CK(cuMemAddressReserve(&b, GIB, 0, 0, 0));
    if (!map_at(b, n, 2, &g)) speed("cuMemCreate HOST_NUMA", (char *)b);
    CK(cuMemAddressReserve(&b, GIB, 0, 0, 0));
    if (!map_at(b, n, 1, &g)) speed("cuMemCreate HOST", (char *)b);
}
static void t_mods(void)
{
    void *cubin = slurp("late.cubin", 0);
    CUmodule m[6];
    CUlibrary lib;
    CUfunction f;
    for (int i = 0; i < 3; i++) CK(cuModuleLoadData(&m[i], cubin));
    OP("cuModuleLoadData", , r_ = cuModuleLoadData(&m[3], cubin), )
    OP("cuLibraryLoadData alone", , r_ = cuLibraryLoadData(&lib, cubin, 0, 0, 0, 0, 0, 0), )
    OP("cuLibraryLoadData alone, again", , r_ = cuLibraryLoadData(&lib, cubin, 0, 0, 0, 0, 0, 0), )
    {
        CUkernel k;
        OP("cuLibraryGetKernel", , r_ = cuLibraryGetKernel(&k, lib, "late"), )
        OP("cuKernelGetFunction", , r_ = cuKernelGetFunction(&f, k), )
    }
    u64 a[64];
    for (int i = 0; i < 40; i++) {
        CUmodule x;
        u64 t = now_ns();
        CK(cuModuleLoadData(&x, cubin));
        a[i] = now_ns() - t;
    }
    qsort(a, 40, 8, cmp_u64);
    printf("  cuModuleLoadData with nothing resident: p50 %.1f us, max %.1f\n", a[20] / 1e3, a[39] / 1e3);
}
int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    setup();
    for (int i = 1; i < argc; i++) {
        printf("== %s\n", argv[i]);
        if (!strcmp(argv[i], "attrs")) t_attrs();
        if (!strcmp(argv[i], "vmm")) t_vmm();
        if (!strcmp(argv[i], "ops")) t_ops();
        if (!strcmp(argv[i], "power")) t_power();
        if (!strcmp(argv[i], "wake")) t_wake();
        if (!strcmp(argv[i], "speed")) t_speed();
        if (!strcmp(argv[i], "mods")) t_mods();
        if (!strcmp(argv[i], "select")) t_select();
    }
    fflush(stdout);
    _exit(0);
}
