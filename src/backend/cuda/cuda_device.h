/* What a CUDA device is and can do, as far as this backend asks: read once, without a context. */
#ifndef RK_BACKEND_CUDA_CUDA_DEVICE_H
#define RK_BACKEND_CUDA_CUDA_DEVICE_H

#include <ringkernel/device/types.h>

#include "driver.h"

typedef struct rk_cuda_device {
    rk_cu_device handle;
    char name[128];
    char bus_id[32];     /* "0000:01:00.0" */
    rk_u64 memory;       /* bytes */
    rk_u32 architecture; /* compute capability: 90 is 9.0 */
    rk_u32 multiprocessors;
    rk_u32 block_threads;    /* most of a block */
    rk_u32 resident_threads; /* most of a multiprocessor */
    rk_u32 block_shared;     /* bytes of shared memory that a block can have, when it asks for them */
    rk_u32 cache;            /* bytes of its L2 cache */
    rk_u32 numa_node;        /* of the host, nearest to it; RK_CUDA_NO_NODE: not known */
    rk_u32 can;              /* RK_CUDA_CAN_* */
} rk_cuda_device;
#define RK_CUDA_NO_NODE 0xffffffffu

/* V(bit, name, words): what devices differ in. */
#define RK_CUDA_ABILITIES(V)                                                                    \
    V(0, COOPERATE, "cooperative launch")        /* grid barriers */                            \
    V(1, CLUSTER, "clusters")                    /* of blocks, with shared memory of all */     \
    V(2, MAP, "virtual memory")                  /* memory mapped where we say */               \
    V(3, MAP_HOST, "virtual memory of the host") /* the same for memory of a NUMA node */       \
    V(4, HOST_ATOMICS, "atomics over the bus")   /* native read-modify-writes on host memory */ \
    V(5, HOST_MEMORY, "mapped host memory")      /* reads and writes pinned memory */           \
    V(6, REGISTER, "registered host memory")     /* memory that is pinned later */              \
    V(7, SAME_ADDRESS, "one address space")      /* pinned memory has one address */            \
    V(8, CONCURRENT, "kernels side by side")     /* several resident at once */                 \
    V(9, PRIORITIES, "stream priorities")                                                       \
    V(10, PREEMPT, "preemption") /* other processes' work gets in between */                    \
    V(11, DMA_BUF, "dma-buf")    /* its memory can be exported */                               \
    V(12, WATCHDOG, "a watchdog that ends long kernels")                                        \
    V(13, INTEGRATED, "memory shared with the host")
#define RK_CUDA_ABILITY_(bit, name, words) RK_CUDA_CAN_##name = 1 << (bit),
enum { RK_CUDA_ABILITIES(RK_CUDA_ABILITY_) };

/* The device of that number. RK_INVALID_ARGUMENT: there is none; otherwise what rk_cuda_error gives. */
rk_status rk_cuda_describe(const rk_cuda *cuda, rk_u32 ordinal, rk_cuda_device *device);

/* Can ring kernels run on it? RK_UNSUPPORTED: no, and the error names all that is missing. */
rk_status rk_cuda_device_check(const rk_cuda_device *device);

/* What one device can do in another's memory. */
typedef struct rk_cuda_link {
    rk_u32 access;  /* 1: reads and writes it */
    rk_u32 atomics; /* 1: with read-modify-writes of its own, as over NVLink; over PCIe there are none */
} rk_cuda_link;
rk_cuda_link rk_cuda_link_of(const rk_cuda *cuda, const rk_cuda_device *from, const rk_cuda_device *to);

/* Could the host map its memory, in words, or why not: `node` is that of GDRCopy's driver, RK_CUDA_GDRCOPY. Nothing else
 * maps it: a process that maps a dma-buf of it is refused by the driver. */
#define RK_CUDA_GDRCOPY "/dev/gdrdrv"
void rk_cuda_host_window(const rk_cuda_device *device, const char *node, char *text, size_t size);

/* The words of an ability; "" for a bit that is none. */
const char *rk_cuda_ability(rk_u32 bit);

#endif
