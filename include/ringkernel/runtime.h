/* The runtime: open, load, launch, connect, and the life of a kernel.
 *
 * Every function may be called from any thread unless it says otherwise, validates its arguments, and answers
 * a status; on failure the calling thread's error stack (rk_error_text) tells what failed, why and where, and
 * nothing has changed.
 *
 * What changes the life of kernels, launch to terminate, connect and state, happens one after the other, and
 * each call waits for the one before. A drain, terminate, relaunch or deactivate that waits for messages,
 * room or a handler of its kernel lets others pass meanwhile; on a device only a drain and a terminate that
 * wait for messages do. How long others may hold one up is in docs/running.md. Sending, receiving, accounts
 * and metrics wait for none of it. */
#ifndef RINGKERNEL_RUNTIME_H
#define RINGKERNEL_RUNTIME_H

#include "message.h"
#include "options.h"

RK_BEGIN_DECLS

/* The library's version, "0.1.0". Static text. */
RK_API const char *rk_version_text(void);

/* ------------------------------------------------------------------ errors */

/* The name of a status ("RK_FULL") and one sentence on it. Static text, for unknown values too. */
RK_API const char *rk_status_name(rk_status status);
RK_API const char *rk_status_text(rk_status status);

/* The calling thread's causes, one to a line, innermost first: what failed: why. Below it, indented by four
 * spaces, its details (each wrong option, the compiler's words) and then the calls around it that failed with
 * it. "" after a call that succeeded is not promised: look only after a failure. Valid until the thread's
 * next call into the library. */
RK_API const char *rk_error_text(void);

/* Stop the program with the whole story on standard error when a call fails. */
#define RK_CHECK(call)                                                            \
    do {                                                                          \
        rk_status rk_checked_ = (call);                                           \
        if (rk_checked_ != RK_OK) rk_die(rk_checked_, #call, __FILE__, __LINE__); \
    } while (0)
RK_API void rk_die(rk_status status, const char *call, const char *file, int line) __attribute__((noreturn));

/* ------------------------------------------------------------------ runtime */

/* Open a runtime. Options may be 0 for the defaults. The caller closes it.
 *   RK_INVALID_OPTIONS  fields are out of range or don't go together: all are listed; or an unknown tail
 *                       isn't zero
 *   RK_UNSUPPORTED      the backend isn't there; the text says why and which are
 *   RK_OUT_OF_MEMORY    the arena's address space can't be reserved */
RK_API rk_status rk_open(const rk_runtime_options *options, rk_runtime **runtime);

/* Terminate every kernel (each gets a second to stop) and free the runtime. A runtime with anything
 * quarantined frees nothing of that and says so: RK_QUARANTINED. 0 and a runtime that is closed already are
 * fine: RK_OK. Handles into it are gone, and a later call on it answers RK_CLOSED. No other thread may be in
 * a call on it at the time. */
RK_API rk_status rk_close(rk_runtime *runtime);

/* "cpu". Static text. */
RK_API const char *rk_backend_name(const rk_runtime *runtime);
/* CPU workers; 0 in a single-step runtime, and in one of a device. */
RK_API rk_u32 rk_worker_count(const rk_runtime *runtime);
/* Now, on the runtime's clock, in ns. */
RK_API rk_u64 rk_clock_ns(const rk_runtime *runtime);

/* Make the kernels of a file known: a kernel source (NAME.rk.c: compiled with the compiler that built the
 * library, cached by hash of source, options and version) or a module that is compiled already (.so). Loading
 * the same file again, or by several threads at once, is RK_OK. While it is compiled, nothing else waits.
 * Each text names file and line.
 *   RK_IO               it can't be read, the compiler can't be run, or the cache folder can't be written
 *   RK_COMPILE_FAILED   the compiler's message is in the text
 *   RK_INCOMPATIBLE     not a module, or for another ABI, wire format or layout: compile it again. Or its
 *                       declarations don't fit each other, or those of another module (one type id, two
 *                       schemas; one name, two kernels): the text names both
 *   RK_LIMIT            a kernel with more than 16 handlers: spread them over two kernels
 *   RK_UNSUPPORTED      an SPMD kernel with state: use RK_HANDLER
 *   RK_INVALID_OPTIONS  an attribute with a value that isn't one of the named ones
 *   RK_OUT_OF_MEMORY, RK_INVALID_ARGUMENT (no path), RK_CLOSED (the runtime, also if it was closed
 *     meanwhile) */
RK_API rk_status rk_load(rk_runtime *runtime, const char *path);

/* A message type that some loaded or linked module declares: by name, or by type id. 0: none. Lives as long
 * as the runtime. */
RK_API const rk_schema *rk_find_schema(rk_runtime *runtime, const char *name);
RK_API const rk_schema *rk_find_schema_of_type(rk_runtime *runtime, rk_u32 type);

/* What a kernel that can be launched declares, for tools. `index` counts from 0 over kernels in order of
 * names; RK_NO_SUCH_KERNEL ends it. */
typedef struct rk_kernel_description {
    const char *name;
    const char *file;
    rk_u32 line;
    rk_u32 spmd, batch, width, threads, state, state_size, max_sends, mode, max_batch;
    const rk_schema *handles[16]; /* message types with a handler */
    rk_u32 handles_count;
    rk_u32 parameter_count,
        route_count; /* all that its module declares; the names, in that order, live as long as the runtime */
    const char *const *parameters;
    const char *const *routes;
    rk_u32 replies; /* 1: it replies to other kernels (`.replies`) */
    rk_u32 pad;
} rk_kernel_description;
RK_API rk_status rk_describe(rk_runtime *runtime, rk_u32 index, rk_kernel_description *description);
RK_API rk_status rk_describe_named(rk_runtime *runtime, const char *name, rk_kernel_description *description);

/* ------------------------------------------------------------------ life of a kernel */

/* Launch a kernel under an id: allocated, listed, not active; messages may be sent and wait. Options 0:
 * rk_production().
 *   RK_INVALID_ID        0, empty, blank, or over 63 characters
 *   RK_IN_USE            a live kernel has the id
 *   RK_NO_SUCH_KERNEL    nothing linked or loaded has that name; the text lists what has
 *   RK_INVALID_OPTIONS   an option or a parameter. Whatever is wrong, of the above too, is listed in one
 *                        result; its status is this one where options are among it
 *   RK_UNSUPPORTED       a combination that this backend can't honour; the text names the nearest
 *   RK_OUT_OF_MEMORY     over the ceiling: the text has the estimate by part and what is left
 *   RK_LIMIT             4,095 kernels are alive */
RK_API rk_status rk_launch(rk_runtime *runtime, const char *id, const rk_launch_options *options,
                           rk_kernel *kernel);

/* What a launch would allocate. As rk_launch, but nothing happens, and the id may be in use. */
RK_API rk_status rk_estimate(rk_runtime *runtime, const char *id, const rk_launch_options *options,
                             rk_memory_estimate *estimate);

/* Start handling. RK_ALREADY_ACTIVE; RK_FAILED after a failure; RK_CLOSED once draining. RK_DEVICE_LOST: and
 * it has failed. */
RK_API rk_status rk_activate(rk_runtime *runtime, rk_kernel kernel);
/* Stop handling at a batch boundary, keep what is queued. Returns when it has stopped; a handler that runs
 * longer than the stall limit: RK_TIMED_OUT, and it goes on. RK_NOT_ACTIVE: it isn't, or another has drained
 * or terminated it meanwhile (RK_STALE once it is gone). RK_FAILED: it failed before it got there. */
RK_API rk_status rk_deactivate(rk_runtime *runtime, rk_kernel kernel);

/* Stop for good, by `timeout_ns` at the latest: intake closes, what is queued is handled if the kernel is
 * active and time allows, the rest is counted lost; what it had sent and found no room is told to on_dead_letter,
 * and the memory is freed. A handler that is running then has 100 ms to return; one that doesn't is reported:
 * RK_QUARANTINED; its memory is kept, its worker replaced. RK_TIMED_OUT: stopped, but not drained in time. */
RK_API rk_status rk_terminate(rk_runtime *runtime, rk_kernel kernel, rk_u64 timeout_ns);

/* Close the intake of the host to all given kernels and wait until everything that was sent has passed
 * through: each drain hook runs once, after everything sent to its kernel was received. Their sources among
 * kernels must be given too. The kernels are then drained and can only be received from, inspected and
 * terminated.
 *   RK_TIMED_OUT         the text says who waits for what. The intake stays closed and the kernels go on
 *                        draining: receive from them and call again to wait on, or terminate them
 *   RK_NOT_ACTIVE        one of them was never activated, is inactive or has ended, and nothing happened:
 *                        activate it, or leave it out
 *   RK_FAILED            one failed meanwhile; the others stay closed and draining: see
 *                        rk_kernel_information, terminate them or launch the failed one again, unless a
 *                        supervisor has, and drain anew
 *   RK_INVALID_ARGUMENT  no kernels, or a source that isn't among them: the text names it; give it too, or
 *                        drain it first
 *   RK_STALE, RK_NO_SUCH_KERNEL, RK_OUT_OF_MEMORY, RK_CLOSED (the runtime) */
RK_API rk_status rk_drain(rk_runtime *runtime, const rk_kernel *kernels, size_t count, rk_u64 timeout_ns);

/* Launch again under the same id and handle with other options. Senders wait meanwhile and lose nothing;
 * inbox and state are carried over, and so are the values of parameters that aren't given.
 *   RK_LIMIT        more is queued than the new capacity holds; the text has both numbers; nothing changed:
 *                   take more, or drain it
 *   RK_UNSUPPORTED  another number of shards with per-shard state, and the kernel has no RK_ON_MERGE; or another
 *                   kernel than the handle's
 *   RK_TIMED_OUT    no batch boundary in time, as a handler is running or waits for room: nothing changed;
 *                   receive from it, give more time
 *   RK_BUSY         somebody holds an uncommitted reservation of it: nothing changed; commit or abort that
 *                   first
 *   RK_CLOSED       it is draining, drained or quarantined, maybe since it was asked for: launch anew
 *   RK_STALE        it is gone, maybe likewise
 * Other results as rk_launch; after them nothing changed, unless the kernel has failed: then it could not be
 * served again, and may be relaunched. Messages that a failed batch had taken are handled again, flagged as
 * redelivered. */
RK_API rk_status rk_relaunch(rk_runtime *runtime, rk_kernel kernel, const rk_launch_options *options,
                             rk_u64 timeout_ns);

#define RK_LIFE_LAUNCHED 1u
#define RK_LIFE_ACTIVE 2u
#define RK_LIFE_INACTIVE 3u
#define RK_LIFE_DRAINING 4u
#define RK_LIFE_DRAINED 5u
#define RK_LIFE_TERMINATED 6u /* only while it goes: afterwards its handle is RK_STALE */
#define RK_LIFE_FAILED 7u
#define RK_LIFE_QUARANTINED 8u
RK_API const char *rk_life_name(rk_u32 life);

typedef struct rk_kernel_info {
    char id[64];
    char kernel_name[64];
    rk_u32 life; /* RK_LIFE_* */
    rk_u32 shards, blocks, threads, actors;
    rk_u32 queue_capacity, deduplication_window, backpressure, priority, output_capacity;
    rk_u32 max_batch, mode, width, state;
    rk_u32 epoch;     /* launches under this handle, from 1 */
    rk_u64 processed; /* messages handled */
    rk_u64 queued;    /* in the inbox */
    rk_u64 memory;    /* bytes taken from the arena */
    rk_u32 healthy;   /* 0: pending messages and no progress for the stall limit, or failed */
    rk_u32 stalled;
    char failure[256]; /* why it failed */
    rk_u32 device;     /* its place in the runtime's list of devices; 0 where there is one */
    rk_u32 info_;
} rk_kernel_info;
RK_API rk_status rk_kernel_information(rk_runtime *runtime, rk_kernel kernel, rk_kernel_info *info);

/* The live kernel of that id. RK_NO_SUCH_KERNEL. */
RK_API rk_status rk_find(rk_runtime *runtime, const char *id, rk_kernel *kernel);
/* All live kernels; *count is how many there are, of which the first `capacity` are written. */
RK_API rk_status rk_list(rk_runtime *runtime, rk_kernel *kernels, size_t capacity, size_t *count);

/* ------------------------------------------------------------------ routes */

typedef struct rk_route_options {
    rk_u32 size;
    rk_u32 mode;           /* RK_ROUTE_TARGET, _FIXED, _KEY, _TURN, _ALL */
    rk_u32 target;         /* of RK_ROUTE_FIXED */
    const char *key_field; /* of RK_ROUTE_KEY: an integer field that every routed type has, at one offset */
    const char *message;   /* only this message type; 0: all */
} rk_route_options;
#define RK_ROUTE_OPTIONS .size = sizeof(rk_route_options)

/* In place of a route's name: the dead letters of a kernel. They go to `to`, as the messages that they were, with who
 * refused them and why in their headers (pattern/dead_letter.h); each goes there or to the host, never to both. What finds no
 * room there at once, what `to` isn't connected for by its type, and requests of the host's that were refused, are the
 * host's letters as ever. `to` has long headers (launch it with `requests`), and handlers for the types. */
#define RK_DEAD_LETTERS "dead letters"

/* Connect what `from` sends on a route (0: the default one) to the inbox of `to`. A second connection of a
 * route gets copies; one to a kernel that is gone gives its place to the next for the same messages. Without
 * any, a route leads to the host (rk_receive). `from` must not be active. A cycle is legal, unless each of
 * its edges is Block without a deadline. Whatever is wrong is told in one result; its status is that of the
 * first.
 *   RK_NO_SUCH_ROUTE     the text lists what the kernel declares
 *   RK_UNKNOWN_TYPE      `to` has no handler for what is routed
 *   RK_INVALID_ARGUMENT  the key field isn't there, isn't an integer or lies elsewhere in another message;
 *                        the mode is none; a key or a target that its mode doesn't look at; or the
 *                        route closes a cycle that could wait for ever: give one of
 *                        its kernels a send_deadline_ns. Of dead letters: there is a connection for them already,
 *                        the mode is RK_ROUTE_ALL, `to` has short headers, or they would go round
 *   RK_BUSY              `from` is active: deactivate it first
 *   RK_NO_SUCH_ACTOR     the target of RK_ROUTE_FIXED is no actor of `to`
 *   RK_LIMIT             `from` has 64 connections already
 *   RK_TIMED_OUT         a kernel that is connected with it reached no batch boundary in two seconds: try
 *                        again
 *   RK_CLOSED            `to` is draining, drained or terminated, or one of them is quarantined: launch anew
 *   RK_STALE, RK_NO_SUCH_KERNEL, RK_OUT_OF_MEMORY */
RK_API rk_status rk_connect(rk_runtime *runtime, rk_kernel from, const char *route, rk_kernel to,
                            const rk_route_options *options);

/* ------------------------------------------------------------------ state */

/* Copy the state of a shard (per-shard kernels) or an actor (per-actor kernels) into `state`. Of an active
 * kernel it is taken at a batch boundary.
 *   RK_TOO_SMALL         `size` isn't the state's size, which rk_describe_named tells
 *   RK_NO_SUCH_ACTOR     no such shard or actor, or the kernel keeps no state
 *   RK_TIMED_OUT         a handler has been running for two seconds: try again when it has returned
 *   RK_FAILED            an active kernel failed on the way there, or its device could not be copied from
 *   RK_STALE, RK_NO_SUCH_KERNEL, RK_INVALID_ARGUMENT (no place for it), RK_CLOSED (the runtime) */
RK_API rk_status rk_read_state(rk_runtime *runtime, rk_kernel kernel, rk_u32 which, void *state, size_t size);

/* ------------------------------------------------------------------ single step */

/* In a single-step runtime: one visit to each shard of the kernel, in order. *result is the "busiest"
 * outcome: RK_STEP_*, and may be null.
 *   RK_NOT_ACTIVE   it was not activated, or is inactive
 *   RK_FAILED       it has failed, now or before; the text says why
 *   RK_UNSUPPORTED  the runtime isn't a single-step one
 *   RK_STALE, RK_NO_SUCH_KERNEL, RK_CLOSED, RK_INVALID_ARGUMENT (no runtime) */
#define RK_STEP_IDLE 0u
#define RK_STEP_WORKED 1u
#define RK_STEP_WAITS 2u  /* a batch is being gathered until its time is over */
#define RK_STEP_PARKED 3u /* what was sent waits for room */
#define RK_STEP_ENDED 5u  /* every shard was drained */
RK_API rk_status rk_step(rk_runtime *runtime, rk_kernel kernel, rk_u32 *result);
/* Step all active kernels in turn, from the first on, until none had work in a whole round: all are idle, parked or ended.
 *   RK_TIMED_OUT    that was not so after `visits` visits to kernels; there are no more than those
 *   RK_UNSUPPORTED  the runtime isn't a single-step one
 *   RK_CLOSED, RK_INVALID_ARGUMENT (no runtime) */
RK_API rk_status rk_step_all(rk_runtime *runtime, rk_u32 visits);
/* The next batch of this kernel that has published what it sent is not committed: the kernel fails there, as
 * if the process had died (the fault point of redelivery tests). That may be a batch which is being published just
 * now; with several shards it is whichever comes first, and others may fail at the same point before they stop. A kernel
 * on a device halts at a batch boundary meanwhile, so that it knows before what is sent next.
 *   RK_TIMED_OUT  a handler is running there; the kernel fails after it */
RK_API rk_status rk_fail_before_commit(rk_runtime *runtime, rk_kernel kernel);

RK_END_DECLS

#endif
