/* The CUDA backend's own structures. Everything of it is called with the control lock held, but for what says
 * otherwise.
 *
 *   cuda.c       the backend's table: open, close, check
 *   memory.c     the arena: pinned memory below, the device's above, and copies between that and its image
 *   code.c       a kernel's code: rendered, compiled or from the cache, loaded
 *   residence.c  kernels on the device: launched, left, looked at, stepped
 *   keeper.c     the thread that watches over them */
#ifndef RK_BACKEND_CUDA_CUDA_H
#define RK_BACKEND_CUDA_CUDA_H

#include "../../runtime/core.h"
#include "../bounce.h"
#include "../making.h"
#include "cuda_device.h"
#include "driver.h"
#include "cubin_cache.h"

#define RK_CUDA_GRANULE (2ull << 20) /* what is mapped or pinned at once */
#define RK_CUDA_BOUNCE (4ull << 20)  /* bytes of the pinned memory that copies go through */
#define RK_CUDA_CLOCK_WORDS 4096u    /* bytes behind it, for the clock, */
#define RK_CUDA_AHEAD (64u << 10)    /* and for what is stored ahead of a launch */
#define RK_CUDA_RESIDENT_MOST 127u   /* kernels at once of the device's 128: the clock's probe is one too */
#define RK_CUDA_DEFERS 256           /* how often a thread lets another have the copying lock first */
#define RK_CUDA_PATIENCE RK_SECONDS(10) /* for what takes microseconds */

/* What the compiler has to know of a kernel's launches. */
typedef struct rk_cuda_build {
    rk_u32 bound; /* threads of the largest block that it may run in, which it leaves registers for */
    rk_u32 plain; /* 1: for lanes without bands that nobody overwrites, and so compiled sooner */
    rk_u32
        shuttle; /* with device/shuttle.h, which its messages, handlers and slots suit: sends of a handler at most; or 0 */
    rk_u32 dense; /* 1: two blocks fit a multiprocessor, where they would have its registers for themselves */
    rk_u32 peers; /* 1: kernels of other devices share its lanes */
} rk_cuda_build;

/* A kernel's code on the device. Lives as long as the runtime. */
typedef struct rk_cuda_code {
    rk_made made;
    rk_device_code binary;
    rk_cu_module module; /* 0: not loaded yet */
    rk_cu_function function;
    /* What fits a multiprocessor, as it was asked last: the driver takes as long over that as over a launch. */
    rk_u32 threads, shared, per_processor;
    rk_u32 shared_most; /* bytes of a block's memory that launches may ask for: the most of its kernels */
} rk_cuda_code;

/* A kernel that is served. */
typedef struct rk_residence {
    rk_host_kernel *kernel;
    rk_cuda_code *code;
    rk_cu_function function;
    rk_cu_stream stream;
    rk_u32 blocks, threads, shared; /* of a launch */
    rk_u32 launched;                /* atomic; 1: something of it is, or may be, on the device */
    rk_u32 told;                    /* its failure was told, */
    rk_u32 tried;                   /* or that it can't be launched again */
    rk_u32 slices;                  /* atomic: how many it had */
    rk_u64 served_ns, launched_ns;  /* since when it is served, and the last slice; on the monotonic clock */
    rk_u32 ended;                   /* shards that had ended by the end of the last */
    rk_u32 per_processor;           /* blocks of it that a multiprocessor holds */
    rk_u64 progress[];              /* of each shard, at the end of its last slice */
} rk_residence;

struct rk_cuda_devices;

/* What a runtime has on one of its devices. */
typedef struct rk_cuda_runtime {
    rk_runtime *runtime;
    struct rk_cuda_devices *all;
    rk_u32 place; /* among them */
    rk_cuda api;
    rk_cuda_device device;
    rk_cu_context context;
    rk_nvrtc nvrtc;
    rk_u32 has_nvrtc;
    int priority_least, priority_greatest;
    /* memory.c */
    rk_cu_stream service;
    pthread_mutex_t copying; /* the bounce and the service stream; any thread, by rk_cuda_lock */
    rk_u32 waiting;          /* atomic: threads that wait for it, but for the keeper, */
    rk_u32 keeper_waits;     /* and that it does */
    char *bounce;            /* RK_CUDA_BOUNCE bytes; behind them the words of the clock */
    char *ahead;             /* RK_CUDA_AHEAD bytes behind those */
    rk_cu_event
        ahead_there;   /* what was stored from there last has arrived: the service stream waits for it */
    rk_u32 ahead_used; /* 1: perhaps it has not */
    /* code.c */
    rk_making codes; /* rk_cuda_code; its lock is NVRTC's as well */
    rk_cu_function layout_check;
    rk_u32 layout_checked;
    /* residence.c */
    rk_residence *residence[RK_KERNELS_MAX + 1]; /* by kernel number; under the copying lock */
    rk_u32 residents;
    rk_u32 dense;          /* atomic; 1: more is resident, or was, than has a multiprocessor for each block */
    rk_cu_stream spare[3]; /* streams that were used and are free, by RK_STREAM_* */
    rk_u64 stuck;          /* of the multiprocessors, in 1024ths, what kernels have that never end */
    rk_u32 lost;           /* atomic: the status, once the device is lost */
    /* keeper.c */
    pthread_t keeper;
    rk_u32 keeper_runs, keeper_stop, keeper_event; /* atomic */
    rk_u64 beat;                                   /* atomic: the keeper's rounds */
    /* clock.c */
    rk_cu_stream clock_stream;  /* the probe's, */
    rk_u64 *clock_words;        /* and its questions and answers, pinned */
    rk_cu_function clock_probe; /* 0: no code is loaded yet */
    rk_u32 clock_asked;         /* 1: a probe was launched, and may not have ended */
    rk_u32 clock_told;          /* 1: that the device can't be asked */
    rk_u64 clock_set_ns;        /* atomic: when the following were, on the monotonic clock */
    rk_u64 clock_base;          /* atomic: the runtime's clock less the device's timer */
    rk_u64 clock_error_ns;      /* atomic: of that, at most */
    rk_i64 clock_drift_ns;      /* atomic: a second, or since the one before if that was less */
} rk_cuda_runtime;

/* The devices of a runtime, each with a keeper and a copying lock of its own; of the arena each has a part,
 * which all can use. */
typedef struct rk_cuda_devices {
    rk_u32 count;
    rk_cuda_runtime *at[RK_DEVICES_MAX]; /* by place */
    unsigned char *granules; /* of the arena, 1: there; those of a part under its device's copying lock, */
    rk_u64 granule_count;    /* and those of the host's under the first one's */
} rk_cuda_devices;

static inline rk_cuda_devices *rk_cuda_all(const rk_runtime *runtime) { return runtime->backend_data; }
/* The first device, and a kernel's. */
static inline rk_cuda_runtime *rk_cuda_of(const rk_runtime *runtime) { return rk_cuda_all(runtime)->at[0]; }
static inline rk_cuda_runtime *rk_cuda_on(const rk_host_kernel *kernel)
{
    return rk_cuda_all(kernel->runtime)->at[kernel->layout.place];
}
/* The next place, from `d` on, that stands for the same device as `cuda`; the count: there is none. */
static inline rk_u32 rk_cuda_same(const rk_cuda_runtime *cuda, rk_u32 d)
{
    while (d < cuda->all->count && cuda->all->at[d]->context != cuda->context) d++;
    return d;
}

/* The context is the calling thread's in between; a context of the caller's own is back afterwards. */
void rk_cuda_enter(rk_cuda_runtime *cuda);
void rk_cuda_exit(rk_cuda_runtime *cuda);
/* The copying lock. The keeper leaves it to others first, and then they to the keeper: a lock is not fair by itself. */
void rk_cuda_lock(rk_cuda_runtime *cuda);
/* An error of the driver; remembers a lost device. */
rk_status rk_cuda_failed(rk_cuda_runtime *cuda, int result, const char *what);
/* What a stream says that is neither its end nor its wait: the device is lost with all that ran there. RK_DEVICE_LOST. */
rk_status rk_cuda_lose(rk_cuda_runtime *cuda, int result, const char *what);
/* Wait until a stream is empty, by `deadline_ns` on the monotonic clock. RK_TIMED_OUT, or what befell it. */
rk_status rk_cuda_await(rk_cuda_runtime *cuda, rk_cu_stream stream, rk_u64 deadline_ns);

/* memory.c */
/* The range of addresses, and what copies to a device need; each device's memory, and then the range, go. */
rk_status rk_cuda_reserve(rk_runtime *runtime, rk_u64 size, rk_u64 ceiling);
rk_status rk_cuda_prepare_copies(rk_cuda_runtime *cuda);
void rk_cuda_release(rk_cuda_runtime *cuda);
void rk_cuda_release_range(rk_runtime *runtime);
rk_status rk_cuda_fetch(rk_runtime *runtime, rk_u64 offset, rk_u64 size);
rk_status rk_cuda_store(rk_runtime *runtime, rk_u64 offset, rk_u64 size);
/* With the copying lock held and the context entered: the same. `count` pieces of `size` bytes, each
 * `stride` from the last. */
rk_status rk_cuda_fetch_rows(rk_cuda_runtime *cuda, rk_u64 offset, rk_u64 size, rk_u64 stride, rk_u32 count);
rk_status rk_cuda_store_rows(rk_cuda_runtime *cuda, rk_u64 offset, rk_u64 size, rk_u64 stride, rk_u32 count);
/* To the device, for what is launched on that stream next: few rows aren't waited for. What is copied later comes behind
 * them. */
rk_status rk_cuda_store_ahead(rk_cuda_runtime *cuda, rk_rows rows, rk_cu_stream stream);
/* Several of them, one after the other: see rk_bounce_fetch. */
rk_status rk_cuda_fetch_each(rk_cuda_runtime *cuda, const rk_rows *rows, rk_u32 count, rk_shown *shown,
                             void *of);

/* code.c */
rk_cuda_build rk_cuda_build_of(const rk_class *class, const rk_layout *layout, rk_u32 dense);
/* A class's code from the cache, or compiled into it; needs no device. What rk_device_code_get gives. */
rk_status rk_cuda_code_get(const rk_nvrtc *nvrtc, rk_u32 architecture, const char *cache_folder,
                           const rk_class *class, rk_cuda_build build, rk_device_code *binary,
                           char note[RK_CODE_NOTE_ROOM]);
/* A class's code for launches of such a layout, compiled now unless the cache has it. Nothing is done on the device. */
rk_status rk_cuda_compile(rk_cuda_runtime *cuda, const rk_class *class, const rk_layout *layout,
                          rk_cuda_code **found);
/* The same, loaded: everything resident leaves for that, and comes back. */
rk_status rk_cuda_load_code(rk_cuda_runtime *cuda, const rk_class *class, const rk_layout *layout,
                            rk_cuda_code **code);
void rk_cuda_codes_free(rk_cuda_runtime *cuda);

/* residence.c */
rk_status rk_cuda_serve(rk_runtime *runtime, rk_host_kernel *kernel);
rk_status rk_cuda_leave(rk_runtime *runtime, rk_host_kernel *kernel, rk_u64 deadline_ns);
int rk_cuda_goes(rk_runtime *runtime, rk_host_kernel *kernel);
void rk_cuda_stays(rk_runtime *runtime, rk_host_kernel *kernel);
void rk_cuda_abandon(rk_runtime *runtime, rk_host_kernel *kernel);
rk_status rk_cuda_renew(rk_host_kernel *kernel);
/* RK_LIMIT: what its groups share is more than a block may have; a launch is told before anything is compiled. */
rk_status rk_cuda_check_shared(const rk_cuda_runtime *cuda, const rk_class *class, const rk_layout *layout);
void rk_cuda_look(rk_host_kernel *kernel);
rk_u32 rk_cuda_step(rk_seat *seat);
/* A launch of a residence that is served; `visits` 0: to stay. Copying lock held, context entered. */
rk_status rk_cuda_launch(rk_cuda_runtime *cuda, rk_residence *residence, rk_u32 first, rk_u32 count,
                         rk_u32 visits);
/* Bring all counters of a kernel to the host; at rest, or not. Copying lock held, context entered. */
rk_status rk_cuda_gather(rk_cuda_runtime *cuda, rk_host_kernel *kernel);
/* Blocks of a class and these options: threads and shared memory of each. */
rk_u32 rk_cuda_threads(const rk_class *class, const rk_layout *layout, rk_u32 dense);
/* All residents of the device leave and come back, for what waits behind resident kernels. */
rk_status rk_cuda_clear_device(rk_cuda_runtime *cuda);
rk_status rk_cuda_resume_device(rk_cuda_runtime *cuda);

/* keeper.c */
rk_status rk_cuda_keeper_start(rk_cuda_runtime *cuda);
void rk_cuda_keeper_stop(rk_cuda_runtime *cuda);
void rk_cuda_ring(rk_seat *seat);
void rk_cuda_ring_parked(rk_runtime *runtime);
/* Its kernel has failed: say so, once. Without the copying lock. */
void rk_cuda_tell_failure(rk_host_kernel *kernel, rk_u64 incarnation);
void rk_cuda_watch(rk_runtime *runtime, rk_u64 now_ns);

/* clock.c */
/* Set clock_base. RK_TIMED_OUT: the device did not answer a question within so many ns, since it is full, and the clock
 * stays as it was set. Copying lock held, context entered. */
rk_status rk_cuda_calibrate(rk_cuda_runtime *cuda, rk_u64 within_ns);
/* A kernel's shards learn the time, or what the device adds to its timer, and how far that may be off. */
void rk_cuda_tell_clock(const rk_cuda_runtime *cuda, const rk_host_kernel *kernel);
void rk_cuda_clock(const rk_host_kernel *kernel, rk_u64 *error_ns, rk_i64 *drift_ns);
/* Say so, once. Without the copying lock. */
void rk_cuda_tell_overdue(rk_cuda_runtime *cuda);

#endif
