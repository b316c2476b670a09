/* The runtime's own structures.
 *
 * Locks, outermost first: `control` (life of kernels, one operation at a time; free while a drain or a
 * terminate waits for what is queued), `list` (table of kernels and classes, short), `seats` (workers look
 * through the seats of all kernels: those come and go under both locks), a kernel's receive, report and
 * letters locks (each alone). The message path takes none of the first two: a sender or receiver enters a
 * kernel through the guard (guard.h).
 */
#ifndef RK_RUNTIME_CORE_H
#define RK_RUNTIME_CORE_H

#include <pthread.h>
#include <ringkernel/module.h>
#include <ringkernel/ringkernel.h>

#include "arena.h"
#include "error.h"
#include "options.h"

#define RK_KERNELS_MAX RK_SOURCE_KERNEL
#define RK_HANDLES_MAX 16u
#define RK_EDGES_MAX 64u /* of one kernel */
#define RK_POOLS_MAX ((RK_KERNELS_MAX + 1u) * (RK_SHARDS_MAX + 1u))
typedef struct rk_pools rk_pools; /* blocks.h */
#define RK_STALL_DEFAULT RK_SECONDS(1)
#define RK_HANDLER_LIMIT_LEAST RK_MILLISECONDS(10)
#define RK_SPIN_DEFAULT RK_MICROSECONDS(50)
#define RK_SEND_TIMEOUT_DEFAULT RK_SECONDS(10)
#define RK_SEND_DEADLINE_DEFAULT RK_SECONDS(30)
#define RK_DEAD_LETTERS_DEFAULT 1024u

/* A kernel that modules declare: its handlers and what else belongs to its name. Lives as long as the
 * runtime. */
typedef struct rk_class {
    const char *name;
    const rk_module *module;
    rk_attributes stated;            /* attributes of all its handlers together */
    const rk_attributes *attributes; /* &stated */
    const rk_declaration *handlers[RK_HANDLES_MAX];
    rk_u32 handler_count;
    const rk_declaration *drain, *timer, *refused, *merge;
    rk_u32 state_size;
    rk_u32 numbers;     /* highest number of a parameter, reason or route of its module, + 1 */
    rk_u32 largest_in;  /* bytes of the largest message that it handles */
    rk_u32 largest_out; /* of the largest that its module declares: what it may send */
    rk_u32 spmd, batch;
    struct rk_class *next;
} rk_class;

#include "layout.h"

/* A connection: what a kernel sends on a route goes to another one. */
typedef struct rk_connection {
    rk_u32 route; /* number; 0 the default */
    rk_u32 to;    /* kernel number */
    rk_u32 to_generation;
    rk_u32 mode, target, key_offset, key_size, type;
    rk_u32 edge; /* 1 + its place among the edges of the wiring that there is; 0: it isn't wired yet */
} rk_connection;

/* A seat's view of the monotonic clock, see backend/cpu/clock.h. */
#define RK_CLOCK_SHIFT 24u
typedef struct rk_seat_clock {
    rk_u64 ns, ticks;  /* at the last look at the clock; ticks 0: none that counts */
    rk_u64 rate;       /* ns for each tick, shifted; 0: not known yet */
    rk_u64 ticks_most; /* since the look, before there must be another */
    rk_u64 last_ns;    /* the latest time that was told */
    rk_u64 can_count;
} rk_seat_clock;

/* One shard as the host sees it. Senders and receivers read the first lines for each message, the worker
 * writes its own for each visit: what differs in who writes it lies on different lines. */
#define RK_OWN_LINE __attribute__((aligned(RK_LINE)))
typedef struct rk_seat {
    struct rk_host_kernel *owner;
    rk_shard *shard;
    rk_orders *orders;
    rk_u64 lane[RK_LANES]; /* arena offsets, of what the host has of each lane */
    rk_u32 number;         /* shard number */
    rk_u32 rung;           /* something happened: visit it */
    void *worker;          /* the backend's: who serves it (atomic) */

    /* Of those who receive. */
    RK_OWN_LINE rk_u32 receive; /* lock, see receive.c */

    /* Of the worker that serves it. */
    RK_OWN_LINE rk_context context;
    rk_seat_clock clock;
    rk_u32 cold;  /* not visited until rung */
    rk_u32 asked; /* it said that it sleeps, and is to be looked at once more */
    rk_u64 asked_parks;
    const rk_lane *asked_blocked;
    rk_u64 idle_since_ns;
    rk_u64 idle_visits;
    rk_u64 wake_at_ns; /* parked or gathering: come back then; 0: no need */

    /* Of the service thread and the control side. */
    RK_OWN_LINE rk_u64 watched_progress; /* heartbeat and progress when it was looked at last */
    rk_u64 watched_since_ns;
    rk_u64 beat, beat_seen_ns, still_ns; /* of a device, see backend/hang.h */
    rk_u64 gone_sent;                    /* messages that came by routes from kernels that are gone */
    pthread_mutex_t report;
} rk_seat;

typedef struct rk_letter {
    struct rk_letter *next;
    rk_dead_letter letter;
    unsigned char payload[];
} rk_letter;

typedef struct rk_reason_count {
    const char *reason;
    rk_u64 count;
} rk_reason_count;
#define RK_REASONS_MAX 64u

/* What a device lacks of a kernel, for which the image is right. */
#define RK_UNSTORED_WIRING 1u
#define RK_UNSTORED_BLOCK 2u

typedef struct rk_host_kernel {
    rk_runtime *runtime;
    rk_u32 number, generation;
    rk_u32 lives;  /* how often the number was given */
    rk_u32 life;   /* RK_LIFE_*, atomic */
    rk_u32 gate;   /* 1: senders may enter; 0: being relaunched, wait (atomic) */
    rk_u32 closed; /* status that senders get, RK_OK while open (atomic) */
    char id[64];
    const rk_class *class;
    rk_launch_options options; /* without parameters: their values are in the layout's table */
    rk_layout layout;
    rk_pools *pools; /* of this launch; 0: none */
    rk_seat *seats;  /* options.shards of them */
    rk_u32 seat_count;
    rk_u64 wiring; /* arena offset of the block with routes, edges and end tables (wiring.c); 0: none yet */
    rk_u64 wiring_size;
    rk_u64 inbox_lanes,
        end_tables; /* in it: u64 offset for each shard of its device lane, and of its end table */
    rk_u32 end_sources;
    rk_u32 far_place; /* of several devices the one where far_lanes is */
    rk_u64 far_lanes; /* arena offset of the device lanes' headers there; 0: see lane_home.h */
    rk_connection connections[RK_EDGES_MAX];
    rk_u32 connection_count;
    rk_u32 epoch;
    rk_u32 serving; /* seats are on workers' lists (control lock) */
    rk_u32
        unstored; /* RK_UNSTORED_*: a copy to the device failed, and is made before it is served (control lock) */
    rk_u32 ending;  /* threads that wait for its end (control lock) */
    rk_u32 stalled; /* atomic */
    rk_u32 hung;    /* atomic: a handler has been running for its limit */
    rk_u64 activated_ns;
    rk_u32 out_event, room_event; /* futex words: something was published to the host; room in a host lane */
    rk_u32 receive_next;          /* shard that a receiver looks at first */
    char failure[256];

    pthread_mutex_t letters;
    rk_letter *letter_first, *letter_last;
    rk_u32 letter_count, letter_event;
    rk_u32 letters_told; /* the alert was given, for those that are kept */
    rk_u64 letter_total, letters_lost;
    rk_reason_count reasons[RK_REASONS_MAX];
    rk_u32 reason_count;
    rk_u64 late_replies, duplicate_replies;
    /* Counts of launches before this epoch, so that the account goes on. */
    rk_u64 output_received;
} rk_host_kernel;

/* What a backend does; nothing above knows which it talks to. All are called with the control lock held,
 * except ring. */
typedef struct rk_backend {
    const char *name;
    rk_u32 rings; /* 1: it wakes host threads that wait; else they look again by themselves */
    rk_u32
        threads; /* 1: its shards run on threads of this process: who sleeps is a thread, always (wake.h) */
    /* Reserve the arena, where the backend has its own kind of memory, and give it back. Unless 0. */
    rk_status (*reserve)(rk_runtime *runtime, rk_u64 size, rk_u64 ceiling);
    void (*release)(rk_runtime *runtime);
    rk_status (*open)(rk_runtime *runtime);
    void (*close)(rk_runtime *runtime);
    /* Refuse what can't be honoured, with details on the error stack. */
    rk_status (*check)(const rk_runtime *runtime, const rk_class *class, const rk_launch_options *options);
    /* What takes its time before a launch, such as compiling; unless 0. By any threads at once, with or without the
     * control lock. */
    rk_status (*prepare)(rk_runtime *runtime, const rk_class *class, const rk_layout *layout);
    /* Have the kernel's shards served. */
    rk_status (*serve)(rk_runtime *runtime, rk_host_kernel *kernel);
    /* Stop serving them at a batch boundary, by `deadline_ns` on the monotonic clock. RK_TIMED_OUT: a handler
     * is still running; nothing changed but that its siblings have another worker. */
    rk_status (*leave)(rk_runtime *runtime, rk_host_kernel *kernel, rk_u64 deadline_ns);
    /* Is a shard of it being visited at this moment? Unless 0: `goes`, or only `leave` knows. */
    int (*is_visited)(const rk_runtime *runtime, const rk_host_kernel *kernel);
    /* A device's, unless 0: have the kernel stop at a batch boundary, without waiting. 1: something of it still runs. And
     * take that back. */
    int (*goes)(rk_runtime *runtime, rk_host_kernel *kernel);
    void (*stays)(rk_runtime *runtime, rk_host_kernel *kernel);
    /* Give up on what is still running: its worker is never used again. */
    void (*abandon)(rk_runtime *runtime, rk_host_kernel *kernel);
    /* Would that take all other kernels with it? Unless 0: never. */
    int (*is_costly)(const rk_runtime *runtime, const rk_host_kernel *kernel);
    /* A device with its own memory, else 0: what the host sees of that is an image. Fetch and store bring a range
     * of it to the host, and to the device; of what a kernel that is served has, only what it doesn't write. */
    rk_status (*fetch)(rk_runtime *runtime, rk_u64 offset, rk_u64 size);
    rk_status (*store)(rk_runtime *runtime, rk_u64 offset, rk_u64 size);
    /* The host has changed headers or counts of a kernel that isn't served. */
    rk_status (*renew)(rk_host_kernel *kernel);
    /* Bring what the host sees of a kernel's counters up to date, served or not. Any thread, in microseconds. */
    void (*look)(rk_host_kernel *kernel);
    /* A device's timer against the runtime's clock, unless 0: there is one clock. Any thread, never waits. */
    void (*clock)(const rk_host_kernel *kernel, rk_u64 *error_ns, rk_i64 *drift_ns);
    /* Visit this shard soon. Any thread, never waits. */
    void (*ring)(rk_seat *seat);
    /* Shards that wait for room anywhere are visited soon. */
    void (*ring_parked)(rk_runtime *runtime);
    /* Find handlers that run longer than they may, and replace workers that have one. `now` counts the time in which
     * the process ran. */
    void (*watch)(rk_runtime *runtime, rk_u64 now_ns);
    /* Visit a shard from the calling thread (single step). RK_VISIT_*. */
    rk_u32 (*step)(rk_seat *seat);
    /* Of several devices, the place of the one for a kernel that says none; unless 0: there is one. */
    rk_u32 (*choose)(const rk_runtime *runtime);
} rk_backend;
extern const rk_backend rk_backend_cpu, rk_backend_cuda, rk_backend_opencl;

/* A request that waits for its reply. */
#define RK_REQUESTS_MAX 4096u
typedef struct rk_pending {
    rk_u32 state; /* futex: RK_PENDING_* */
    rk_u32 generation;
    rk_u32 owner_number;
    rk_u16 reply_type;
    rk_u16 pending_;
    rk_u32 answered; /* bit i: its use i uses ago was answered (pending lock) */
    rk_u32 pending__;
    void *reply;
    size_t reply_size;
    rk_status status;
    char reason[64];
} rk_pending;
#define RK_PENDING_FREE 0u
#define RK_PENDING_WAITS 1u
#define RK_PENDING_FILLING 2u
#define RK_PENDING_DONE 3u
#define RK_PENDING_TAKEN 4u /* in use, and waiting for nothing */

struct rk_runtime {
    rk_u32 open;      /* atomic */
    rk_runtime *next; /* of closed ones */
    rk_runtime_options options;
    const rk_backend *backend;
    void *backend_data;
    rk_u32 rings;    /* atomic: of the backend, unless its device can't */
    rk_u32 yields;   /* atomic: who waits gives the processor away between two looks */
    rk_u32 traits;   /* RK_LAYOUT_* of its device, beyond having memory of its own */
    rk_u32 chosen;   /* threads of the largest block that its device chooses for a kernel that says nothing */
    rk_u32 by_value; /* 1: messages that travel by reference are refused, so there are no pools */
    rk_arena arena;
    rk_u64 tables;                  /* bytes of it that are the runtime's own, beside what launches take */
    rk_u32 device_count;            /* at least 1 */
    rk_u32 devices[RK_DEVICES_MAX]; /* numbers of them, by place */
    rk_u64 directory;               /* arena offsets */
    rk_u64 closed_lane; /* where routes to kernels that are gone lead: a lane that takes nothing */
    rk_u64 pool_table;
    rk_pools *pools; /* of all launches, and of former ones whose blocks are not all back */
    pthread_mutex_t control;
    pthread_mutex_t list;
    pthread_mutex_t seats;
    rk_host_kernel **kernels; /* by number, RK_KERNELS_MAX + 1; never freed before close */
    rk_u32 kernel_count;      /* highest number in use */
    rk_class *classes;
    const rk_module **modules;
    rk_u32 module_count;
    struct rk_loaded *loaded; /* files */
    rk_u32 quarantined;
    rk_pending *pending;
    pthread_mutex_t pending_lock;
    rk_u32 pending_next;
    rk_supervisor *supervisors;        /* list lock */
    rk_u32 failure_event;              /* futex: a kernel has failed or hangs */
    struct rk_succession *successions; /* who is in whose place (replace.h); list lock */
    rk_u32 succession_count;           /* atomic */
    /* Service thread. */
    pthread_t service;
    rk_u32 service_runs, service_event, service_stop;
    rk_u64 watch_limit_ns; /* the shortest that a handler may run in any kernel so far; atomic */
};

/* ------------------------------------------------------------------ helpers */

rk_u64 rk_monotonic_ns(void);
/* A deadline so long after now; RK_NO_DEADLINE, and what would be past the clock's end: never. */
static inline rk_u64 rk_deadline_after(rk_u64 now_ns, rk_u64 ns)
{
    return ns > ~now_ns ? ~0ull : now_ns + ns;
}
rk_u64 rk_runtime_now(const rk_runtime *runtime);
/* What its messages say that they come from. */
static inline rk_u32 rk_kernel_source(const rk_host_kernel *kernel)
{
    return kernel->number | kernel->lives % RK_SOURCE_LIVES << RK_SOURCE_LIFE_SHIFT;
}

static inline rk_shard *rk_seat_shard(const rk_host_kernel *kernel, rk_u32 i)
{
    return kernel->seats[i].shard;
}
static inline rk_lane *rk_seat_lane(const rk_seat *seat, rk_u32 which)
{
    return (rk_lane *)(seat->owner->runtime->arena.base + seat->lane[which]);
}
/* Of a shard that nobody serves yet: its timer hook is to run at `when_ns`, and the host has been told so. */
static inline void rk_seat_wake_at(rk_seat *seat, rk_u64 when_ns)
{
    rk_turn *turn = &seat->shard->turn;
    turn->wake_ns = turn->wake_told = when_ns;
    __atomic_store_n(&seat->orders->wake_ns, when_ns, __ATOMIC_RELEASE);
}
static inline rk_lane *rk_lane_at(const rk_runtime *runtime, rk_u64 offset)
{
    return (rk_lane *)(runtime->arena.base + offset);
}
static inline const rk_pool *rk_pool_at(const rk_runtime *runtime, rk_u32 number)
{
    const rk_u64 *table = (const rk_u64 *)(const void *)(runtime->arena.base + runtime->pool_table);
    return (const rk_pool *)(const void *)(runtime->arena.base + table[number]);
}
static inline rk_u32 rk_atomic_u32(const rk_u32 *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void rk_atomic_set_u32(rk_u32 *word, rk_u32 value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline int rk_is_open(const rk_runtime *runtime) { return rk_atomic_u32(&runtime->open) != 0; }
/* Seats come and go. */
static inline void rk_seats_lock(rk_runtime *runtime)
{
    pthread_mutex_lock(&runtime->list);
    pthread_mutex_lock(&runtime->seats);
}
static inline void rk_seats_unlock(rk_runtime *runtime)
{
    pthread_mutex_unlock(&runtime->seats);
    pthread_mutex_unlock(&runtime->list);
}
static inline rk_status rk_fetch(rk_runtime *runtime, rk_u64 offset, rk_u64 size)
{
    return runtime->backend->fetch ? runtime->backend->fetch(runtime, offset, size) : RK_OK;
}
static inline rk_status rk_store(rk_runtime *runtime, rk_u64 offset, rk_u64 size)
{
    return runtime->backend->store ? runtime->backend->store(runtime, offset, size) : RK_OK;
}
static inline void rk_look(const rk_host_kernel *kernel)
{
    if (kernel->runtime->backend->look) kernel->runtime->backend->look((rk_host_kernel *)kernel);
}
/* Is the runtime open? Null and closed ones are an error of the caller. */
rk_status rk_runtime_check(const rk_runtime *runtime, const char *call);
/* The kernel of a handle, or RK_NO_SUCH_KERNEL, RK_STALE with the text. */
rk_status rk_kernel_check(rk_runtime *runtime, rk_kernel handle, rk_host_kernel **kernel);
/* A line of the runtime's own log. */
void rk_runtime_log(const rk_runtime *runtime, rk_u32 level, const char *kernel_name, rk_u32 shard,
                    const char *text);

#endif
