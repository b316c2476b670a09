// One range of addresses with two memories behind its upper half: the device's for the GPU, an image of ordinary pages for the CPU.
//     nvcc -arch=native image.cu -o image -lcuda && ./image
#include <cuda.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <time.h>
#define CU(x) do { CUresult r_ = (x); if (r_) { const char *n; cuGetErrorName(r_, &n); printf("%s: %s\n", #x, n); if (hard) exit(1); } } while (0)
static int hard = 1;
static double us() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e6 + t.tv_nsec / 1e3; }
__global__ void add(unsigned *host, unsigned *device) { host[0] += device[0]; device[1] = host[1] + 1; }
__global__ void stay(volatile unsigned *word, volatile unsigned *out) { unsigned n = 0; while (*word == 0 && n < 2000000) n++; *out = n; }
int main()
{
    CUdevice d; CUcontext c;
    CU(cuInit(0)); CU(cuDeviceGet(&d, 0)); CU(cuDevicePrimaryCtxRetain(&c, d)); CU(cuCtxSetCurrent(c));
    const size_t size = 64ull << 30, half = size / 2, granule = 2u << 20;
    CUdeviceptr base;
    CU(cuMemAddressReserve(&base, size, 0, 0, 0));
    char *cpu = (char *)mmap((void *)base, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    printf("reserved %p, mapped %p\n", (void *)base, cpu);
    CU(cuMemHostRegister(cpu + granule, granule, CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE));
    CU(cuMemHostRegister(cpu + 2 * granule, granule, CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE));
    CUdeviceptr p; CU(cuMemHostGetDevicePointer(&p, cpu + granule, 0));
    printf("registered: device address %s\n", p == base + granule ? "the same" : "ANOTHER");
    CUmemAllocationProp prop = {}; prop.type = CU_MEM_ALLOCATION_TYPE_PINNED; prop.location = { CU_MEM_LOCATION_TYPE_DEVICE, d };
    CUmemAccessDesc access = { prop.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
    CUmemGenericAllocationHandle h;
    for (int i = 0; i < 2; i++) {
        CU(cuMemCreate(&h, granule, &prop, 0)); CU(cuMemMap(base + half + i * granule, granule, 0, h, 0)); CU(cuMemSetAccess(base + half + i * granule, granule, &access, 1)); CU(cuMemRelease(h));
    }
    CUstream s; CU(cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    unsigned *host = (unsigned *)(cpu + granule), *image = (unsigned *)(cpu + half), *bounce;
    CU(cuMemHostAlloc((void **)&bounce, granule, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP));
    image[0] = 111; image[1] = 222;
    host[0] = 1; host[1] = 41;
    memset(bounce, 0, granule); bounce[0] = 5;
    CU(cuMemcpyHtoDAsync(base + half, bounce, 4096, s));
    add<<<1, 1, 0, s>>>((unsigned *)host, (unsigned *)(base + half));
    CU(cuMemcpyDtoHAsync(bounce, base + half, 4096, s)); CU(cuStreamSynchronize(s));
    printf("host %u (6), device %u %u (5 42), image %u %u (111 222)\n", host[0], bounce[0], bounce[1], image[0], image[1]);
    // straight between image and device, if the driver lets us
    hard = 0;
    image[0] = 9;
    CU(cuMemcpyHtoDAsync(base + half, image, 4096, s)); CU(cuStreamSynchronize(s));
    CU(cuMemcpyDtoHAsync(bounce, base + half, 4096, s)); CU(cuStreamSynchronize(s));
    printf("straight up: device %u (9 if the image was read, 5 if itself)\n", bounce[0]);
    CUmemorytype type; if (!cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, base + half)) printf("type of the upper half: %d\n", type);
    hard = 1;
    // a copy across two registrations; copies beside a resident kernel
    unsigned *across = (unsigned *)(cpu + 2 * granule - 2048);
    hard = 0; CU(cuMemcpyHtoDAsync(base + half + granule - 2048, across, 4096, s)); CU(cuStreamSynchronize(s)); hard = 1;
    CU(cuMemcpyHtoDAsync(base + half + granule - 2048, bounce, 4096, s)); CU(cuStreamSynchronize(s));
    printf("a bounce into two mapped granules: fine\n");
    host[0] = 0;
    CUstream k; CU(cuStreamCreate(&k, CU_STREAM_NON_BLOCKING));
    stay<<<1, 1, 0, k>>>((volatile unsigned *)host, (volatile unsigned *)(host + 8));
    for (int bytes = 4096; bytes <= 1 << 20; bytes *= 16)
        for (int up = 0; up < 2; up++) {
            double least = 1e9, sum = 0;
            for (int i = 0; i < 50; i++) {
                double t = us();
                if (up) CU(cuMemcpyHtoDAsync(base + half, bounce, bytes, s)); else CU(cuMemcpyDtoHAsync(bounce, base + half, bytes, s));
                while (cuStreamQuery(s) == CUDA_ERROR_NOT_READY) ;
                t = us() - t; sum += t; if (t < least) least = t;
            }
            printf("%s %7d bytes beside a resident kernel: least %.1f mean %.1f us\n", up ? "up  " : "down", bytes, least, sum / 50);
        }
    CUDA_MEMCPY2D two = {}; two.srcMemoryType = CU_MEMORYTYPE_DEVICE; two.srcDevice = base + half; two.srcPitch = 16384; two.dstMemoryType = CU_MEMORYTYPE_HOST; two.dstHost = bounce; two.dstPitch = 12288; two.WidthInBytes = 12288; two.Height = 64;
    for (int i = 0; i < 3; i++) { double t = us(); CU(cuMemcpy2DAsync(&two, s)); while (cuStreamQuery(s) == CUDA_ERROR_NOT_READY) ; printf("2d 64 x 12 KiB: %.1f us\n", us() - t); }
    host[0] = 1; CU(cuStreamSynchronize(k));
    // grow while resident: register and map
    host[0] = 0; stay<<<1, 1, 0, k>>>((volatile unsigned *)host, (volatile unsigned *)(host + 8));
    double t = us(); CU(cuMemHostRegister(cpu + 8 * granule, granule, CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE)); printf("register 2 MiB: %.0f us\n", us() - t);
    t = us(); CU(cuMemCreate(&h, granule, &prop, 0)); CU(cuMemMap(base + half + 4 * granule, granule, 0, h, 0)); CU(cuMemSetAccess(base + half + 4 * granule, granule, &access, 1)); CU(cuMemRelease(h)); printf("map 2 MiB: %.0f us\n", us() - t);
    t = us(); CU(cuMemsetD8Async(base + half + 4 * granule, 0, granule, s)); while (cuStreamQuery(s) == CUDA_ERROR_NOT_READY) ; printf("clear 2 MiB: %.0f us\n", us() - t);
    image[1] = 77; printf("image still there: %u\n", image[1]);
    host[0] = 1; CU(cuStreamSynchronize(k));
    CU(cuMemHostUnregister(cpu + granule)); CU(cuMemHostUnregister(cpu + 2 * granule)); CU(cuMemHostUnregister(cpu + 8 * granule));
    for (int i : { 0, 1, 4 }) CU(cuMemUnmap(base + half + i * granule, granule));
    CU(cuMemAddressFree(base, size));
    printf("freed; again: "); CU(cuMemAddressReserve(&base, size, 0, 0, 0)); printf("%p\n", (void *)base);
    return 0;
}
