/* Options of a runtime and of a launch, presets, validation, and the estimate of memory.
 *
 * Option structures begin with their size and have an initialiser; a structure from a newer version whose
 * unknown tail isn't zero is refused, never ignored. Everything that an option can't be, on this backend or
 * at all, is an error at launch that names the field, its value and the nearest that works, and all of them
 * are reported together. */
#ifndef RINGKERNEL_OPTIONS_H
#define RINGKERNEL_OPTIONS_H

#include <stddef.h>

#include "api.h"
#include "device/lane.h"
#include "status.h"

RK_BEGIN_DECLS

#define RK_BACKEND_AUTO \
    0u /* the CPU, which every machine has and no kernel is refused on: devices are asked for by name */
#define RK_BACKEND_CPU 1u
#define RK_BACKEND_CUDA 2u
#define RK_BACKEND_OPENCL 3u
#define RK_BACKEND_METAL 4u

typedef struct rk_runtime rk_runtime;

/* A kernel of a runtime, by value. Stale handles are answered with RK_STALE, never a crash. */
typedef struct rk_kernel {
    rk_u32 number;     /* 1 and up; 0 is no kernel */
    rk_u32 generation; /* of that number */
} rk_kernel;

/* One line of a kernel's log, or of the runtime's own. Valid during the call. */
typedef struct rk_log_record {
    rk_u32 level; /* RK_DEBUG, RK_INFO, RK_WARNING or RK_ERROR */
    rk_u32 shard;
    rk_u64 when_ns;          /* on the runtime's clock; of a handler's line what rk_now_ns() is there */
    const char *kernel_name; /* "" for the runtime's own */
    const char *text;
} rk_log_record;

/* A message that nobody will handle, as its kernel's callback or rk_receive_dead sees it. */
typedef struct rk_dead_letter {
    rk_kernel kernel;
    rk_u32 shard;
    rk_u32 type;
    const char *reason; /* name of an RK_REASON, or of a status; lives as long as the runtime */
    rk_u64 when_ns;     /* when it died, on the runtime's clock */
    rk_u64 id;          /* with long headers, else 0 */
    rk_u64 correlation; /* likewise */
    rk_u32 target;
    rk_u32 attempts; /* before the last one; with long headers, else 0 */
    rk_u32 priority;
    rk_u32
        was_sent; /* 1: a message that this kernel sent and its target didn't take; 0: one that it received */
    rk_u32 length;       /* bytes of the payload */
    const void *payload; /* of the callback: valid during the call; of rk_receive_dead: the caller's buffer */
} rk_dead_letter;

/* How a runtime is opened. */
typedef struct rk_runtime_options {
    rk_u32 size;        /* RK_RUNTIME_OPTIONS sets it */
    rk_u32 backend;     /* RK_BACKEND_* */
    rk_u32 workers;     /* CPU threads that serve shards; 0: one fewer than the cores, at least one */
    rk_u32 single_step; /* 1: no threads at all: rk_step runs the shards (for tests of handlers) */
    rk_u64
        memory_ceiling; /* bytes that launches may take together; 0: 64 GiB of address space, used as needed */
    rk_u64 (*clock_ns)(void *user); /* an injected clock; 0: CLOCK_MONOTONIC. Called by any thread. */
    void *clock_user;
    /* 0: warnings and errors go to standard error. Called by any thread, as on_dead_letter is, and may call
     * no more than that. */
    void (*on_log)(void *user, const rk_log_record *record);
    void *log_user;
    /* A handler that runs longer is reported, and on the CPU the worker that runs it is replaced; 0: one second. */
    rk_u64 stall_limit_ns;
    /* How long who waits, worker or caller, spins before it sleeps. 0: 50 µs, and not at all where copy slices run on
     * the caller's own processors. Where slices without copies do, it gives the processor away in between. */
    rk_u64 spin_ns;
    const char
        *cache_folder; /* compiled kernels; 0: $XDG_CACHE_HOME/ringkernel, ~/.cache/ringkernel or /tmp */
    rk_u32 unpinned;   /* 1: workers are not bound to cores (they are where hwloc is there) */
    /* 1: a device serves in bounded launches, one after the other, instead of one that stays. CPU workers visit
     * shards in such a way anyhow: RK_UNSUPPORTED. */
    rk_u32 slices;
    rk_u32 device; /* CUDA, OpenCL: number of the device, as `rk devices` lists them */
    /* CUDA: several devices of this machine instead of that one, by the same numbers. A kernel runs on one of
     * them (rk_launch_options.device), and routes lead from each to each. RK_UNSUPPORTED: two of them don't
     * reach each other's memory with atomics of their own. A number may stand twice: then parts of one device
     * stand for two. */
    rk_u32 device_count;   /* 0: `device` alone; at most RK_DEVICES_MAX */
    const rk_u32 *devices; /* read by rk_open alone */
} rk_runtime_options;
#define RK_DEVICES_MAX 16u
#define RK_RUNTIME_OPTIONS .size = sizeof(rk_runtime_options)

typedef struct rk_parameter {
    const char *name;  /* of an RK_PARAM or RK_PARAM_IN of the kernel's module */
    const char *value; /* as text; refused if it isn't of the parameter's type, or beyond its bounds */
} rk_parameter;

#define RK_FROM_KERNEL 0xffffffffu      /* what the kernel's attributes say */
#define RK_BESIDE_NEIGHBOUR 0xfffffffeu /* see rk_launch_options.device */

#define RK_STREAM_LOW 0u
#define RK_STREAM_NORMAL 1u
#define RK_STREAM_HIGH 2u

/* How a kernel is launched. Start from a preset. Capacity, window and strategy are per shard and lane. */
typedef struct rk_launch_options {
    rk_u32 size;
    /* Messages of a lane, exactly: 16…1,048,576, a power of two. A kernel that says .input_queue or .message_queue has
     * that number instead. */
    rk_u32 queue_capacity;
    rk_u32 deduplication_window; /* the last ids remembered: 0 (off) or 16…1024; clamped to the capacity */
    rk_u32 backpressure;         /* RK_BACKPRESSURE_* */
    rk_u32 priority;             /* 1: four bands */
    rk_u8 boundary
        [4]; /* priorities below boundary[0] are the lowest band, …; all 0: 64, 128, 192; the fourth is 0 */
    rk_u32
        stream_priority; /* RK_STREAM_*: of a CUDA device's streams; on the CPU, which shards a worker visits first; in slices on OpenCL, which kernel has its first */
    rk_u32 shards;       /* 1…4096: inboxes and state */
    rk_u32 blocks;       /* 1 and up: at most so many workers or GPU blocks serve it */
    rk_u32 threads;      /* of a block; RK_FROM_KERNEL */
    rk_u32 actors;       /* of a per-actor kernel: ids 0…actors-1; 0 for others */
    rk_u32 output_capacity; /* of the out lane; RK_FROM_KERNEL: the attribute, else as the inbox */
    rk_u32 expiry;          /* 1: messages may carry a time to live (long headers) */
    rk_u32 requests;        /* 1: rk_request may be used (long headers) */
    rk_u32 timestamps;      /* 1: queue wait is measured per message; RK_FROM_KERNEL */
    rk_u32 default_ttl_us;  /* time to live of messages that say none; needs expiry; 0: none */
    /* Of all lanes where slots are read in place (the CPU, an OpenCL device that shares memory): RK_FORMAT_SEQ, or
     * RK_FORMAT_UNIT (a plain inbox without DropOldest). Across a bus slots are units whatever it says. */
    rk_u32 slot_format;
    /* 1: one host thread sends: no atomic claim; more than one is the caller's error. Of plain lanes, those without
     * window, priority and DropOldest. */
    rk_u32 single_producer;
    /* 1: everything that the sender wrote before is seen across the bus as well, and between devices. For kernels whose
     * .memory is RK_RELEASE_ACQUIRE; on the CPU always so; on OpenCL RK_UNSUPPORTED. */
    rk_u32 system_order;
    rk_u64 send_timeout_ns; /* how long rk_send waits for room, under Block alone; 0: 10 s */
    rk_u64
        send_deadline_ns; /* how long staged sends wait for room before they are dead letters; 0: 30 s; RK_NO_DEADLINE */
    rk_u32 dead_letter_capacity; /* kept for rk_receive_dead, the newest; up to 1,048,576; 0: 1024 */
    rk_u32 expired_to_dead;      /* 1: expired messages become dead letters too */
    rk_u32
        pool_blocks; /* messages over 1 KiB that may be under way from each sending side, up to 1,048,576; 0: 64 or what fits 64 MiB */
    rk_u32
        max_batch; /* messages of a turn, 1…4096; RK_FROM_KERNEL. More than 1 is refused of a continuous kernel,
                              * more than its threads of an SPMD kernel, each of which takes one */
    const char *kernel_name; /* kernel to run; 0: the one with the launch's id */
    const rk_parameter *parameters;
    size_t parameter_count;
    /* Called for each dead letter before it is kept: in order for a shard, for two shards at once, by
     * whichever thread empties their reports: the service thread, or one in rk_request, rk_drain,
     * rk_relaunch, rk_terminate, rk_close or rk_step. So it must be thread-safe, must not wait for such a
     * thread, and must not call into the library, which holds locks, but for rk_clock_ns, names and texts of
     * values, and text.h. */
    void (*on_dead_letter)(void *user, const rk_dead_letter *letter);
    void *dead_letter_user;
    rk_u32
        spmd_check; /* 1: SPMD batches run twice, in two orders, and must agree (finds scopes that are too narrow); on the CPU, elsewhere RK_UNSUPPORTED */
    /* So many dead letters are kept: a warning is logged, and again once all of them were taken. 0: when one is let
     * go for want of room, unless there is a callback. */
    rk_u32 dead_letter_alert;
    /* How long the handlers of one batch may run before the kernel counts as hanging: the log says so, on the CPU its
     * worker is replaced, and a supervisor replaces the kernel (see supervise.h). From 10 ms; 0: the runtime's
     * stall_limit_ns. RK_UNSUPPORTED in a single-step runtime, where nobody looks. */
    rk_u64 handler_limit_ns;
    /* The kernel's device: its place in the runtime's list of devices, from 0 on. RK_FROM_KERNEL: at a launch
     * the one with the fewest blocks, at a relaunch the one where it is; another place moves it there.
     * RK_BESIDE_NEIGHBOUR, at a relaunch: the one of the kernel with which this one has exchanged the most
     * messages; before there were any, of the one that it has the most shards of on its routes. Without a
     * neighbour it stays where it is. */
    rk_u32 device;
    rk_u32 launch_;
} rk_launch_options;

/* 4096, 1024, Block, FIFO. The default. */
RK_API rk_launch_options rk_production(void);
/* 256, 256, Reject, FIFO. */
RK_API rk_launch_options rk_low_latency(void);
/* 16384, 1024, Block, FIFO. */
RK_API rk_launch_options rk_high_throughput(void);

/* Check options without launching. RK_OK, or RK_INVALID_OPTIONS with every mistake on the error stack. The
 * window is clamped to the capacity in place. Thread-safe. */
RK_API rk_status rk_validate(rk_launch_options *options);

/* What a launch takes from the runtime's arena, by part, in bytes. Beside it the host keeps up to
 * dead_letter_capacity letters, and on the CPU each worker that serves SPMD kernels has a stack for each
 * thread of the largest: 64 KiB, used as needed. */
typedef struct rk_memory_estimate {
    rk_u64 inbox_slots;
    rk_u64 output_slots;
    rk_u64 report_slots;
    rk_u64 windows; /* deduplication */
    rk_u64 state;
    rk_u64 staging; /* staged sends, copies, scratch of batches, shared memory */
    rk_u64 control; /* shards, lanes, rings, routes, parameters, histograms */
    rk_u64 pools;   /* payloads over 1 KiB */
    rk_u64 total;   /* the sum; what the launch takes from the runtime's arena */
} rk_memory_estimate;

/* The guide's formula for `queues` queues: 64 + capacity * 32 + window * 4 bytes each, without payloads. 8
 * production queues: 1,081,856. */
RK_API rk_u64 rk_guide_estimate(const rk_launch_options *options, rk_u32 queues);

RK_END_DECLS

#endif
