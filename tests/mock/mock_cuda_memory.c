/* The mock driver's memory: what is mapped at a device address is a shadow elsewhere; what is pinned is
 * itself. */
#include "mock_cuda_inside.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma GCC visibility push(default)
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define RANGES 4096
#define LINE ((size_t)128)
#define PAGE ((size_t)4096)
#define CLEARED_AT_ONCE (16 * PAGE) /* where a mapping is cheaper than zeros */

typedef struct range {
    rk_cu_address at;
    size_t bytes; /* 0: none */
    char *memory; /* the device's */
    int kind, accessible;
    int file; /* of a reservation: pages that host and machine both have, where there is one; else -1 */
} range;
enum { RESERVED = 1, MAPPED, REGISTERED, ALLOCATED };

static range ranges[RANGES];
static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;

/* With the lock held: what is at that address, or (reserved) the reservation; NULL: nothing. */
static range *find(rk_cu_address at, int reserved)
{
    for (int i = 0; i < RANGES; i++)
        if (ranges[i].bytes && (ranges[i].kind == RESERVED) == reserved &&
            at - ranges[i].at < ranges[i].bytes)
            return &ranges[i];
    return 0;
}
static int add(int kind, rk_cu_address at, size_t bytes, void *memory)
{
    int added = 0;
    pthread_mutex_lock(&keeping);
    for (int i = 0; i < RANGES; i++)
        if (ranges[i].bytes && (kind == RESERVED) == (ranges[i].kind == RESERVED) &&
            at < ranges[i].at + ranges[i].bytes && ranges[i].at < at + bytes) {
            pthread_mutex_unlock(&keeping);
            return 0;
        }
    for (int i = 0; i < RANGES && !added; i++)
        if (!ranges[i].bytes) {
            ranges[i] = (range){ at, bytes, memory, kind, kind != MAPPED, -1 };
            added = 1;
        }
    pthread_mutex_unlock(&keeping);
    return added;
}
/* The range that begins there is no more. 0: there is none of that kind, or (bytes) of that size. */
static int end(int kind, rk_cu_address at, size_t bytes, range *ended)
{
    int found = 0;
    pthread_mutex_lock(&keeping);
    for (int i = 0; i < RANGES && !found; i++)
        if (ranges[i].bytes && ranges[i].kind == kind && ranges[i].at == at &&
            (!bytes || ranges[i].bytes == bytes)) {
            *ended = ranges[i];
            ranges[i].bytes = 0;
            found = 1;
        }
    pthread_mutex_unlock(&keeping);
    return found;
}

/* Neighbours are one piece, as they are to the driver. */
void *mock_cuda_at(rk_cu_address address, size_t bytes)
{
    char *memory = 0;
    pthread_mutex_lock(&keeping);
    for (rk_cu_address at = address; at < address + bytes;) {
        const range *r = find(at, 0);
        char *here = r && r->accessible ? r->memory + (at - r->at) : 0;
        if (at == address) memory = here;
        if (!here || here != memory + (at - address)) {
            memory = 0;
            break;
        }
        at = r->at + r->bytes;
    }
    pthread_mutex_unlock(&keeping);
    return memory;
}

void mock_memory_reset(void)
{
    for (int i = 0; i < RANGES; i++) {
        if (ranges[i].bytes && ranges[i].kind == RESERVED) munmap(ranges[i].memory, ranges[i].bytes);
        if (ranges[i].bytes && ranges[i].kind == ALLOCATED) free(ranges[i].memory);
        ranges[i].bytes = 0;
    }
}

/* ------------------------------------------------------------------ the host's */

static rk_cu_result take(size_t bytes)
{
    if (bytes == 0) return RK_CUDA_ERROR_INVALID_VALUE;
    if (bytes > __atomic_load_n(&mock_cuda.bytes_left, __ATOMIC_ACQUIRE)) return RK_CUDA_ERROR_OUT_OF_MEMORY;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemGetInfo(size_t *available, size_t *total)
{
    BEGIN_CURRENT;
    *available = mock_cuda.bytes_left;
    *total = (size_t)80 << 30;
    return RK_CUDA_SUCCESS;
}
static rk_cu_result allocate(void **memory, size_t bytes)
{
    rk_cu_result taken = take(bytes);
    if (taken != RK_CUDA_SUCCESS) return taken;
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*memory || !add(ALLOCATED, (rk_cu_address)*memory, bytes, *memory))
        return RK_CUDA_ERROR_OUT_OF_MEMORY;
    mock_count(&mock_cuda.allocations, 1);
    return RK_CUDA_SUCCESS;
}
static rk_cu_result free_allocated(rk_cu_address address)
{
    range ended;
    if (!end(ALLOCATED, address, 0, &ended)) return RK_CUDA_ERROR_INVALID_VALUE;
    free(ended.memory);
    mock_count(&mock_cuda.allocations, -1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemHostAlloc(void **memory, size_t bytes, unsigned flags)
{
    BEGIN_CURRENT;
    (void)flags;
    return allocate(memory, bytes);
}
rk_cu_result cuMemFreeHost(void *memory)
{
    BEGIN_CURRENT;
    mock_waits(__func__, -1);
    return free_allocated((rk_cu_address)memory);
}
rk_cu_result cuMemAlloc(rk_cu_address *address, size_t bytes)
{
    BEGIN_CURRENT;
    void *memory = 0;
    rk_cu_result taken = allocate(&memory, bytes);
    *address = (rk_cu_address)memory;
    return taken;
}
rk_cu_result cuMemFree(rk_cu_address address)
{
    BEGIN_CURRENT;
    mock_waits(__func__, -1);
    return free_allocated(address);
}
void *mock_cuda_shadow(rk_cu_address address)
{
    pthread_mutex_lock(&keeping);
    const range *r = find(address, 1);
    void *shadow = r ? r->memory + (address - r->at) : 0;
    pthread_mutex_unlock(&keeping);
    return shadow;
}

/* Pinned pages of a reserved range become those of its shadow, or ordinary ones again, with what is in them. */
static void share(char *memory, size_t bytes, int shared)
{
    pthread_mutex_lock(&keeping);
    const range *r = find((rk_cu_address)memory, 1);
    if (r && r->file >= 0) {
        const size_t offset = (rk_cu_address)memory - r->at;
        if (shared) memcpy(r->memory + offset, memory, bytes);
        void *now = mmap(memory, bytes, PROT_READ | PROT_WRITE,
                         (shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS) | MAP_FIXED,
                         shared ? r->file : -1, shared ? (off_t)offset : 0);
        if (now == MAP_FAILED) abort();
        if (!shared) memcpy(memory, r->memory + offset, bytes);
    }
    pthread_mutex_unlock(&keeping);
}
rk_cu_result cuMemHostRegister(void *memory, size_t bytes, unsigned flags)
{
    BEGIN_CURRENT;
    (void)flags;
    if (bytes == 0 || !add(REGISTERED, (rk_cu_address)memory, bytes, memory))
        return RK_CUDA_ERROR_INVALID_VALUE;
    share(memory, bytes, 1);
    mock_count(&mock_cuda.registrations, 1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemHostUnregister(void *memory)
{
    range ended;
    BEGIN_CURRENT;
    mock_waits(__func__, -1);
    if (!end(REGISTERED, (rk_cu_address)memory, 0, &ended)) return RK_CUDA_ERROR_INVALID_VALUE;
    share(ended.memory, ended.bytes, 0);
    mock_count(&mock_cuda.registrations, -1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemHostGetDevicePointer(rk_cu_address *address, void *memory, unsigned flags)
{
    BEGIN_CURRENT;
    (void)flags;
    *address = (rk_cu_address)memory;
    return RK_CUDA_SUCCESS;
}

/* ------------------------------------------------------------------ the device's, mapped */

/* Nobody promises that what is mapped is zero, so it is this: pages of one file, copied as they are written, so that those that
 * nobody writes cost nothing. With a machine, which has the pages as well, it stays as it was. */
#define SOIL 0xa5
static int soiled = -1;
static void soil_once(void)
{
    soiled = memfd_create("soiled", MFD_CLOEXEC);
    if (soiled < 0 || ftruncate(soiled, (off_t)GRANULARITY)) abort();
    void *all = mmap(0, GRANULARITY, PROT_READ | PROT_WRITE, MAP_SHARED, soiled, 0);
    if (all == MAP_FAILED) abort();
    memset(all, SOIL, GRANULARITY);
    munmap(all, GRANULARITY);
}
static void soil(char *memory, size_t bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, soil_once);
    for (size_t at = 0; at < bytes; at += GRANULARITY)
        if (mmap(memory + at, GRANULARITY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
                 soiled, 0) == MAP_FAILED)
            abort();
}

/* Whole pages of what is mapped become fresh ones. */
static void clear(rk_cu_address address, char *memory, size_t bytes)
{
    range mapped = { 0 }, reserved = { 0 };
    pthread_mutex_lock(&keeping);
    if (find(address, 0)) mapped = *find(address, 0);
    if (find(address, 1)) reserved = *find(address, 1);
    pthread_mutex_unlock(&keeping);
    const size_t before = (PAGE - (size_t)memory % PAGE) % PAGE;
    if (mapped.kind != MAPPED || !reserved.bytes || bytes < before + CLEARED_AT_ONCE) {
        memset(memory, 0, bytes);
        return;
    }
    const size_t whole = (bytes - before) / PAGE * PAGE;
    memset(memory, 0, before);
    if (reserved.file >= 0) {
        if (fallocate(reserved.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      memory + before - reserved.memory, (off_t)whole))
            abort();
    } else if (mmap(memory + before, whole, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
        abort();
    }
    memset(memory + before + whole, 0, bytes - before - whole);
}
rk_cu_result cuMemGetAllocationGranularity(size_t *bytes, const rk_cu_memory_properties *properties,
                                           rk_cu_granularity_flag which)
{
    BEGIN_CURRENT;
    (void)properties, (void)which;
    *bytes = GRANULARITY;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemAddressReserve(rk_cu_address *address, size_t bytes, size_t alignment, rk_cu_address wished,
                                 unsigned long long flags)
{
    BEGIN_CURRENT;
    if (bytes % GRANULARITY || flags || alignment > GRANULARITY) return RK_CUDA_ERROR_INVALID_VALUE;
    char *range = mmap((void *)wished, bytes + GRANULARITY, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return RK_CUDA_ERROR_OUT_OF_MEMORY;
    size_t before =
        (GRANULARITY - (size_t)range % GRANULARITY) % GRANULARITY; /* aligned as the driver does */
    if (before) munmap(range, before);
    munmap(range + before + bytes, GRANULARITY - before);
    *address = (rk_cu_address)(range + before);
    const int file = mock_machine_is ? memfd_create("mock", MFD_CLOEXEC) : -1;
    if (file >= 0 && ftruncate(file, (off_t)bytes)) return RK_CUDA_ERROR_OUT_OF_MEMORY;
    void *shadow = mmap(0, bytes, PROT_READ | PROT_WRITE,
                        (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | MAP_NORESERVE, file, 0);
    if (shadow == MAP_FAILED || !add(RESERVED, *address, bytes, shadow)) return RK_CUDA_ERROR_OUT_OF_MEMORY;
    find(*address, 1)->file = file;
    mock_count(&mock_cuda.reservations, 1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemAddressFree(rk_cu_address address, size_t bytes)
{
    range ended;
    BEGIN(0);
    if (!end(RESERVED, address, bytes, &ended)) return RK_CUDA_ERROR_INVALID_VALUE;
    mock_count(&mock_cuda.reservations, -1);
    munmap(ended.memory, bytes);
    if (ended.file >= 0) close(ended.file);
    return munmap((void *)address, bytes) ? RK_CUDA_ERROR_INVALID_VALUE : RK_CUDA_SUCCESS;
}
rk_cu_result cuMemCreate(rk_cu_memory *memory, size_t bytes, const rk_cu_memory_properties *properties,
                         unsigned long long flags)
{
    BEGIN_CURRENT;
    (void)properties;
    if (bytes % GRANULARITY || flags) return RK_CUDA_ERROR_INVALID_VALUE;
    rk_cu_result taken = take(bytes);
    if (taken != RK_CUDA_SUCCESS) return taken;
    *memory = bytes;
    mock_count(&mock_cuda.memories, 1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemRelease(rk_cu_memory memory)
{
    BEGIN(0);
    if (!memory) return RK_CUDA_ERROR_INVALID_VALUE;
    mock_count(&mock_cuda.memories, -1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemMap(rk_cu_address address, size_t bytes, size_t offset, rk_cu_memory memory,
                      unsigned long long flags)
{
    BEGIN_CURRENT;
    if (flags || offset || address % GRANULARITY || bytes != memory) return RK_CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&keeping);
    const range *r = find(address, 1);
    char *shadow = r && address + bytes <= r->at + r->bytes ? r->memory + (address - r->at) : 0;
    const int file = r ? r->file : -1;
    pthread_mutex_unlock(&keeping);
    if (!shadow || !add(MAPPED, address, bytes, shadow)) return RK_CUDA_ERROR_INVALID_VALUE;
    if (file < 0) soil(shadow, bytes);
    mock_count(&mock_cuda.mappings, 1);
    return RK_CUDA_SUCCESS;
}
/* All that is mapped in there, which must be whole. */
rk_cu_result cuMemUnmap(rk_cu_address address, size_t bytes)
{
    range ended;
    BEGIN(0);
    for (size_t done = 0; done < bytes; done += ended.bytes) {
        if (!end(MAPPED, address + done, 0, &ended)) return RK_CUDA_ERROR_INVALID_VALUE;
        mock_count(&mock_cuda.mappings, -1);
        madvise(ended.memory, ended.bytes, MADV_DONTNEED);
        if (done + ended.bytes > bytes) return RK_CUDA_ERROR_INVALID_VALUE;
    }
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemSetAccess(rk_cu_address address, size_t bytes, const rk_cu_access *access, size_t count)
{
    BEGIN_CURRENT;
    mock_cuda.reached_by = 0;
    for (size_t i = 0; i < count; i++) mock_cuda.reached_by |= 1u << access[i].location.id;
    pthread_mutex_lock(&keeping);
    range *r = find(address, 0);
    int there = count && r && r->kind == MAPPED && address + bytes <= r->at + r->bytes;
    if (there) r->accessible = 1;
    pthread_mutex_unlock(&keeping);
    return there ? RK_CUDA_SUCCESS : RK_CUDA_ERROR_INVALID_VALUE;
}

/* ------------------------------------------------------------------ copies */

rk_cu_result cuMemcpyAsync(rk_cu_address to, rk_cu_address from, size_t bytes, rk_cu_stream stream)
{
    BEGIN_CURRENT;
    void *target = mock_cuda_at(to, bytes), *source = mock_cuda_at(from, bytes);
    if (!target || !source) return RK_CUDA_ERROR_INVALID_VALUE;
    if (mock_copy_late(stream, target, source, bytes)) return RK_CUDA_SUCCESS;
    void (*torn)(void) = __atomic_load_n(&mock_cuda.torn, __ATOMIC_ACQUIRE);
    mock_hold();
    for (size_t at = 0, part; at < bytes; at += part) {
        part = torn && bytes - at > LINE ? LINE : bytes - at;
        memmove((char *)target + at, (const char *)source + at, part);
        if (torn && at + part < bytes) torn();
    }
    mock_go_on();
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemsetD8Async(rk_cu_address to, unsigned char value, size_t bytes, rk_cu_stream stream)
{
    BEGIN_CURRENT;
    (void)stream;
    void *target = mock_cuda_at(to, bytes);
    if (!target) return RK_CUDA_ERROR_INVALID_VALUE;
    mock_hold();
    if (value)
        memset(target, value, bytes);
    else
        clear(to, target, bytes);
    mock_go_on();
    return RK_CUDA_SUCCESS;
}
