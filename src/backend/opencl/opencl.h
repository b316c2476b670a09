/* The OpenCL backend's own structures. Everything of it is called with the control lock held, but for what says
 * otherwise.
 *
 *   opencl.c          the backend's table: open, close, check
 *   opencl_queue.c    the one queue of commands: copies, launches, waiting with a deadline
 *   opencl_arena.c    the arena: one buffer on the device, and its image on the host
 *   opencl_share.c    memory that both sides see at once: tried, taken
 *   opencl_code.c     a kernel's code: rendered, compiled or from the cache
 *   opencl_flight.c   slices on their way: a parcel up, a launch, its answer down; two at once
 *   opencl_parcel.c   what goes into a parcel, and what becomes of an answer
 *   opencl_rest.c     a kernel between slices: what it begins with, its counters, what it leaves behind
 *   opencl_serve.c    kernels that are served: taken on, left, given up, stepped
 *   opencl_reside.c   kernels that stay on the device
 *   opencl_keeper.c   the thread that launches what has work, and looks after what stays */
#ifndef RK_BACKEND_OPENCL_OPENCL_H
#define RK_BACKEND_OPENCL_OPENCL_H

#include "../../runtime/core.h"
#include "../making.h"
#include "opencl_device.h"

#include <ringkernel/device/parcel.h>

#define RK_OPENCL_BOUNCE (4ull << 20)        /* bytes of the memory that copies go through */
#define RK_OPENCL_PATIENCE RK_SECONDS(10)    /* for what takes microseconds */
#define RK_OPENCL_LOOK RK_SECONDS(1)         /* for a look at counters, while a slice is on the device */
#define RK_OPENCL_BUILDING RK_SECONDS(600)   /* for a driver that compiles at the first launch */
#define RK_OPENCL_BEGIN RK_SECONDS(2)        /* for the work-groups of a kernel that stays to begin */
#define RK_OPENCL_ARENA_DEFAULT (1ull << 30) /* bytes, where no ceiling is given */
#define RK_OPENCL_VISITS_MOST 64u            /* of a shard in one launch */
#define RK_OPENCL_VISITS_CPU 1024u           /* the same where no display waits for the device */
#define RK_OPENCL_SLICE_NS \
    RK_MILLISECONDS(10) /* what a launch should take at most: a display's watchdog waits for 2 s */

#define RK_OPENCL_TICK_NS RK_MILLISECONDS(1) /* how often kernels that stay are told the time */

#define RK_OPENCL_FLIGHTS 2u
#define RK_OPENCL_MESSAGES (1ull << 20) /* bytes of messages that go up in one slice */
#define RK_OPENCL_ANSWERS (4ull << 20)  /* that come down, at most */

/* Memory that a launch is handed. */
typedef struct rk_opencl_memory {
    rk_cl_memory device; /* 0: both sides see the same */
    char *host;          /* whole pages */
    void *block;         /* that it lies in, if it is both sides' */
    rk_u64 room;         /* bytes */
} rk_opencl_memory;

/* A kernel's code. Lives as long as the runtime. */
typedef struct rk_opencl_code {
    rk_made made;   /* its key: */
    rk_u32 threads; /* of the work-groups that it was built for */
    rk_cl_program program;
    rk_cl_kernel kernel;
    rk_u32 group_most; /* threads of a work-group that it can run in */
    rk_u32 group_said; /* what the driver says of that */
} rk_opencl_code;

/* How far the copies of a shard's lanes have come. */
typedef struct rk_opencl_shard {
    rk_u64 sent[RK_BANDS];    /* index of the first message of the host lane that is not on the device */
    rk_u64 tail[RK_BANDS];    /* what the device was told of the host lane: its tail, */
    rk_u64 evicted[RK_BANDS]; /* what was evicted, */
    rk_u64 taken[2];          /* of the first that is not on the host yet, out lane and report lane */
    rk_u64 head[2];           /* and how far the host had read, as the device was told */
    rk_u32 command, host_ended, faults; /* and its orders */
    rk_u64 freed[RK_BANDS];             /* the host lane's head, as the last slice left it */
    rk_u64 progress;                    /* at the end of its last slice, */
    rk_u32 phase;                       /* and its phase: in a shared arena the orders have that already */
} rk_opencl_shard;

/* A kernel that is served. */
typedef struct rk_opencl_served {
    rk_host_kernel *kernel;
    rk_opencl_code *code;
    rk_u32 blocks, threads, shared; /* of a launch */
    rk_u32 visits;                  /* of a shard in its next launch, by what the last one took */
    rk_u32 told;                    /* its failure was told */
    rk_u32 counted;                 /* slices that had departed when its counters were fetched */
    rk_u32 in_air;                  /* its slices */
    rk_u64 landed_ns;               /* when the last one ended */
    rk_u32 due;                     /* it wants a slice, whether messages have come or not */
    rk_u32 round;                   /* the keeper's, when it departed last */
    rk_u32 worked;                  /* its last slice did something: another may find work */
    rk_u32 crowded;                 /* the last answer had no room for all: each lane gets its share */
    rk_u64 answer;                  /* bytes that the last answer had */
    /* opencl_reside.c */
    struct rk_opencl_served *next; /* of those whose launch doesn't end */
    rk_cl_queue queue;             /* its own */
    rk_cl_event stay;              /* its launch that stays; 0: there is none */
    rk_u32 going;                  /* it was told to leave, by one who waits for that */
    rk_opencl_memory brought, taken;
    rk_opencl_shard shard[];
} rk_opencl_served;

/* A slice on its way. */
typedef struct rk_opencl_flight {
    rk_opencl_served *served;   /* 0: on the ground */
    rk_u32 slice, first, count; /* its number; the shards */
    rk_u64 begun_ns;
    rk_opencl_memory up, down;        /* parcel and answers */
    rk_u64 packed, asked;             /* bytes of them that travel */
    rk_cl_event arrived, ended, came; /* the parcel on the device, the launch, the answer here */
} rk_opencl_flight;

typedef struct rk_opencl_runtime {
    struct rk_opencl_runtime *next; /* of those whose device is lost */
    rk_runtime *runtime;
    rk_opencl api;
    rk_opencl_device device;
    rk_cl_context context;
    rk_u64 patience_ns, building_ns, look_ns;
    /* opencl_queue.c */
    rk_cl_queue queue;
    rk_cl_event last; /* of the last command; 0: none since the last wait */
    char *bounce;
    rk_u64 bounce_used;
    pthread_mutex_t device_lock; /* the queue and the bounce; any thread, by rk_opencl_lock */
    pthread_cond_t device_free;
    rk_u32 busy;    /* under the lock: a slice is on the device, and the queue is its own */
    rk_u32 waiting; /* atomic: threads that wait for the device */
    rk_u32 blocked; /* atomic: somebody has waited for a slice in vain, and it has not landed yet */
    rk_u32 loses;   /* atomic: somebody writes down why the device is lost */
    rk_u32 lost;    /* atomic: the status, once the device is lost and lost_why says why */
    char lost_why[256];
    /* opencl_flight.c */
    rk_cl_queue up_queue, down_queue; /* of parcels, so that one travels while a launch runs */
    rk_opencl_flight flight[RK_OPENCL_FLIGHTS];
    rk_u32 in_air;    /* flights; atomic, as others ask whether to wake who waits for one */
    rk_u32 slices;    /* departed so far */
    rk_u32 tells;     /* atomic: a launch was seen to run: the driver tells when one has begun */
    rk_u64 landed_ns; /* when the last one ended */
    /* opencl_share.c */
    rk_u32 shares; /* the arena and what travels are both sides' */
    rk_u32 held;   /* the driver has a launch that may never end, and keeps what it was given */
    /* opencl_reside.c */
    rk_u32 stays;    /* kernels stay on the device */
    rk_u32 ceases;   /* they are told to leave, one after the other; the device is lent to nobody meanwhile */
    rk_u64 begin_ns; /* how long their work-groups may take to begin */
    rk_u64 beat;     /* the host lives */
    rk_opencl_served *stuck;
    /* opencl_arena.c */
    rk_opencl_memory arena;
    /* opencl_code.c */
    rk_making codes; /* rk_opencl_code */
    rk_u32 layout_checked;
    /* opencl_serve.c */
    rk_opencl_served *served[RK_KERNELS_MAX + 1]; /* by kernel number; under the device lock */
    /* opencl_keeper.c */
    pthread_t keeper;
    rk_u32 keeper_sleeps;                          /* atomic: and how it is woken */
    rk_u32 stirred;                                /* atomic: all kernels are due */
    rk_u32 turn;                                   /* the kernel that departed last, */
    rk_u32 round;                                  /* in this one: each that is due departs once */
    rk_u32 highest;                                /* stream_priority of any that was served */
    rk_u32 keeper_runs, keeper_stop, keeper_event; /* atomic */
    rk_u64 launches;                               /* atomic: of slices, so far */
} rk_opencl_runtime;

static inline rk_opencl_runtime *rk_opencl_of(const rk_runtime *runtime) { return runtime->backend_data; }

/* Until when something is waited for that takes microseconds. */
static inline rk_u64 rk_opencl_patience(const rk_opencl_runtime *cl)
{
    return rk_monotonic_ns() + cl->patience_ns;
}

/* opencl_queue.c. All but lock and unlock with the device locked. */
/* The device is this thread's, by `deadline_ns` on the monotonic clock. RK_TIMED_OUT: a slice does not end;
 * RK_DEVICE_LOST. */
rk_status rk_opencl_lock(rk_opencl_runtime *cl, rk_u64 deadline_ns);
void rk_opencl_unlock(rk_opencl_runtime *cl);
/* The lock is given up while slices are in the air, and nobody else gets the device; then it is taken again. */
void rk_opencl_lend(rk_opencl_runtime *cl);
void rk_opencl_retake(rk_opencl_runtime *cl);
/* An error of the driver; remembers a lost device. */
rk_status rk_opencl_failed(rk_opencl_runtime *cl, rk_cl_result result, const char *what);
/* RK_DEVICE_LOST, and why. Any thread. */
rk_status rk_opencl_usable(const rk_opencl_runtime *cl);
/* The device is lost for this runtime, and why. Any thread. */
void rk_opencl_lose(rk_opencl_runtime *cl, const char *why);
rk_status rk_opencl_queue_open(rk_opencl_runtime *cl);
void rk_opencl_queue_close(rk_opencl_runtime *cl);
/* `size` bytes of the bounce, at most all of it, for a copy to the device: where there is no place the copies before
 * are waited for. */
rk_status rk_opencl_room(rk_opencl_runtime *cl, rk_u64 size, char **room);
/* Copy between the bounce and a place of the arena, some time before the next wait ends. */
rk_status rk_opencl_up(rk_opencl_runtime *cl, rk_u64 offset, const char *bounce, rk_u64 size);
rk_status rk_opencl_down(rk_opencl_runtime *cl, rk_u64 offset, char *bounce, rk_u64 size);
/* Zero bytes of the arena. */
rk_status rk_opencl_zero(rk_opencl_runtime *cl, rk_u64 offset, rk_u64 size);
rk_status rk_opencl_launch(rk_opencl_runtime *cl, rk_cl_kernel kernel, rk_u32 blocks, rk_u32 threads);
/* The same; what the driver answers is the caller's. */
rk_cl_result rk_opencl_try_launch(rk_opencl_runtime *cl, rk_cl_kernel kernel, rk_u32 blocks, rk_u32 threads);
/* All commands so far are done, by `deadline_ns`. RK_TIMED_OUT, or what befell one. The bounce is free again after
 * rk_opencl_empty, not before: what came down is read first. */
rk_status rk_opencl_await(rk_opencl_runtime *cl, rk_u64 deadline_ns);
void rk_opencl_empty(rk_opencl_runtime *cl);
/* The same for one command, with or without the device locked. */
rk_status rk_opencl_await_event(rk_opencl_runtime *cl, rk_cl_event event, rk_u64 deadline_ns);
/* One look at a command, and where it is not done a short sleep, until somebody says to look again: RK_TIMED_OUT.
 * `seen` is from before whatever else was looked at. */
rk_u32 rk_opencl_seen(void);
rk_status rk_opencl_doze(rk_opencl_runtime *cl, rk_cl_event event, rk_u32 seen, rk_u64 most_ns);
/* Who waits for a command looks again when this one is done. */
rk_status rk_opencl_tell(rk_opencl_runtime *cl, rk_cl_event event);
/* Who waits for a command looks again now. Any thread. */
void rk_opencl_nudge(void);
/* RK_CL_QUEUED to RK_CL_COMPLETE, of a command. */
rk_i32 rk_opencl_stage(rk_opencl_runtime *cl, rk_cl_event event);

/* opencl_arena.c */
rk_status rk_opencl_reserve(rk_opencl_runtime *cl, rk_u64 size, rk_u64 ceiling);
void rk_opencl_release(rk_opencl_runtime *cl);
rk_status rk_opencl_fetch(rk_runtime *runtime, rk_u64 offset, rk_u64 size);
rk_status rk_opencl_store(rk_runtime *runtime, rk_u64 offset, rk_u64 size);
/* With the device locked: `count` pieces of `size` bytes, each `stride` from the last. */
rk_status rk_opencl_fetch_rows(rk_opencl_runtime *cl, rk_u64 offset, rk_u64 size, rk_u64 stride,
                               rk_u32 count);
rk_status rk_opencl_store_rows(rk_opencl_runtime *cl, rk_u64 offset, rk_u64 size, rk_u64 stride,
                               rk_u32 count);

/* opencl_share.c */
/* Find out whether host and kernels can share memory: sets `shares`, or tells why not in the log. */
void rk_opencl_try_sharing(rk_opencl_runtime *cl);
rk_status rk_opencl_memory_make(rk_opencl_runtime *cl, rk_u64 size, rk_opencl_memory *memory);
void rk_opencl_memory_drop(rk_opencl_runtime *cl, rk_opencl_memory *memory);
rk_cl_result rk_opencl_memory_argument(const rk_opencl_runtime *cl, rk_cl_kernel kernel, rk_u32 index,
                                       const rk_opencl_memory *memory);

/* opencl_reside.c, with the device locked */
/* Its launch that stays begins, or all kernels go over to slices and the log says why. */
rk_status rk_opencl_stay(rk_opencl_runtime *cl, rk_opencl_served *served);
/* All kernels go over to slices. RK_TIMED_OUT: one runs a handler and doesn't leave; they stay. */
rk_status rk_opencl_cease(rk_opencl_runtime *cl, const char *why);
/* A kernel that stays leaves, by `deadline_ns`; the lock is given up meanwhile. RK_TIMED_OUT: a handler is running. */
rk_status rk_opencl_go(rk_opencl_runtime *cl, rk_opencl_served *served, rk_u64 deadline_ns);
/* The same of the kernel of a number, if it stays, and not while another waits for that: who is told first uses it on. */
rk_status rk_opencl_go_alone(rk_opencl_runtime *cl, rk_u32 number, rk_u64 deadline_ns);
/* The time, the host's heartbeat, and what has left unasked. How long nothing is to be done unless somebody rings. */
rk_u64 rk_opencl_look_after(rk_opencl_runtime *cl);
/* Nobody serves it any more; what a launch may still use stays, and what one who waits
 * for its end does. */
void rk_opencl_served_drop(rk_opencl_runtime *cl, rk_opencl_served *served);
/* Does a launch that was given up still run? */
int rk_opencl_is_stuck(rk_opencl_runtime *cl);

/* opencl_code.c */
/* A class's code, compiled now unless it is there or in the cache, and warmed up for such a layout.
 * RK_COMPILE_FAILED: the compiler's words, with the user's file and line. */
rk_status rk_opencl_compile(rk_opencl_runtime *cl, const rk_class *class, const rk_layout *layout,
                            rk_opencl_code **found);
void rk_opencl_codes_free(rk_opencl_runtime *cl);
/* Set the arguments of a launch. */
rk_status rk_opencl_arguments(rk_opencl_runtime *cl, rk_cl_kernel kernel, rk_u64 table, rk_u32 first,
                              rk_u32 count, rk_u32 visits, rk_u32 shared, const rk_opencl_memory *brought,
                              const rk_opencl_memory *taken);

/* opencl_flight.c, with the device locked */
rk_status rk_opencl_flights_open(rk_opencl_runtime *cl);
void rk_opencl_flights_close(rk_opencl_runtime *cl);
/* Parcels of this kernel's size. Nothing is in the air. */
rk_status rk_opencl_flights_fit(rk_opencl_runtime *cl, const rk_host_kernel *kernel);
/* A slice of `count` shards departs; fewer than RK_OPENCL_FLIGHTS are in the air. */
rk_status rk_opencl_depart(rk_opencl_runtime *cl, rk_opencl_served *served, rk_u32 first, rk_u32 count,
                           rk_u32 visits);
/* The oldest in the air; 0: none is. */
rk_opencl_flight *rk_opencl_oldest(rk_opencl_runtime *cl);
/* Its answer came: who waits for something in it is woken. */
rk_status rk_opencl_land(rk_opencl_runtime *cl, rk_opencl_flight *flight);

/* opencl_parcel.c, with the device locked */
/* Bytes of a parcel and of an answer, at most. */
rk_u64 rk_opencl_parcel_room(const rk_opencl_runtime *cl, const rk_host_kernel *kernel);
rk_u64 rk_opencl_answer_room(const rk_opencl_runtime *cl, const rk_host_kernel *kernel);
/* What the host has for these shards. */
void rk_opencl_pack(rk_opencl_runtime *cl, rk_opencl_flight *flight);
/* Bytes that the answer has, of which all but the messages must be there. RK_DEVICE_LOST: a shard has none. */
rk_status rk_opencl_answer_size(rk_opencl_runtime *cl, const rk_opencl_flight *flight, rk_u64 *size);
/* The whole answer is there. */
void rk_opencl_unpack(rk_opencl_runtime *cl, rk_opencl_flight *flight);
/* Has the host something that is not on the device: a message, an order, room that a shard waits for? */
int rk_opencl_has_arrived(const rk_opencl_served *served);

/* opencl_rest.c, with the device locked and nothing in the air */
/* What a kernel has to begin with: headers, empty slots, its shards. */
rk_status rk_opencl_prepare(rk_opencl_runtime *cl, rk_opencl_served *served);
/* The headers and shards of a kernel that is not served go up. */
rk_status rk_opencl_store_own(rk_opencl_runtime *cl, const rk_host_kernel *kernel);
/* Its counters come down. */
rk_status rk_opencl_count(rk_opencl_runtime *cl, const rk_host_kernel *kernel);
/* All that it has comes down, as it is left. */
rk_status rk_opencl_gather(rk_opencl_runtime *cl, rk_opencl_served *served);

/* opencl_serve.c */
rk_status rk_opencl_serve(rk_runtime *runtime, rk_host_kernel *kernel);
rk_status rk_opencl_leave(rk_runtime *runtime, rk_host_kernel *kernel, rk_u64 deadline_ns);
void rk_opencl_abandon(rk_runtime *runtime, rk_host_kernel *kernel);
int rk_opencl_is_costly(const rk_runtime *runtime, const rk_host_kernel *kernel);
rk_status rk_opencl_renew(rk_host_kernel *kernel);
void rk_opencl_look(rk_host_kernel *kernel);
rk_u32 rk_opencl_step(rk_seat *seat);
/* Work-items of a work-group whose handlers have one each, of a kernel that says nothing; and of one of this class. */
rk_u32 rk_opencl_block(const rk_opencl_device *device);
rk_u32 rk_opencl_threads(const rk_opencl_runtime *cl, const rk_class *class, const rk_layout *layout);
/* Bytes of local memory that such a work-group has. */
rk_u32 rk_opencl_shared(const rk_layout *layout, rk_u32 threads);
/* Its kernel has failed: say so, once. Without the device lock. */
void rk_opencl_tell_failure(rk_host_kernel *kernel, rk_u64 incarnation);

/* opencl_keeper.c */
rk_status rk_opencl_keeper_start(rk_opencl_runtime *cl);
void rk_opencl_keeper_stop(rk_opencl_runtime *cl);
void rk_opencl_ring(rk_seat *seat);
void rk_opencl_ring_parked(rk_runtime *runtime);
void rk_opencl_watch(rk_runtime *runtime, rk_u64 now_ns);

#endif
