/* Supervision: kernels that fail or hang are launched again, alone or with others, within a budget.
 *
 *     rk_supervised children[] = { { .kernel = parse }, { .kernel = price, .state = RK_STATE_RESET } };
 *     rk_supervision_options o = { RK_SUPERVISION_OPTIONS, .strategy = RK_REST_FOR_ONE };
 *     RK_CHECK(rk_supervise(rt, &o, children, 2, &supervisor));
 *
 * A kernel that *failed* (a batch that stopped between publishing and committing, a divergent barrier) is
 * launched again under its handle: its queue is kept, the batch comes again, flagged as redelivered. A kernel
 * that *hangs* (a handler has been running for longer than handler_limit_ns, or the stall limit) is ended and
 * quarantined, and another is launched under its id with the same options, parameters and routes, to it and
 * from it. The old memory is still in the hands of that handler, so its queue and its state are not used
 * again: its account, under the old handle, says what was queued. Who sends from the host finds the new
 * handle by rk_find, rk_supervised_kernel or the event. Kernels that send to it pause at a batch boundary
 * meanwhile; no other kernel notices. On a device what hangs keeps its blocks, so another may find no room beside it;
 * and in a slice of OpenCL it has the device: there the restart is refused until the handler returns.
 *
 * The strategies are those of Erlang's supervisors (Armstrong, "Making reliable distributed systems in the presence
 * of software errors", 2003). More restarts than the budget within the window *escalate*: the children that are active are
 * deactivated, the last first, and keep their messages, the event says so, and nothing is restarted any more. A child that was
 * deactivated, drained or terminated by somebody is left alone. */
#ifndef RINGKERNEL_SUPERVISE_H
#define RINGKERNEL_SUPERVISE_H

#include "runtime.h"

RK_BEGIN_DECLS

#define RK_ONE_FOR_ONE 0u  /* the one that failed */
#define RK_ONE_FOR_ALL 1u  /* all children: those that are well are relaunched, too */
#define RK_REST_FOR_ONE 2u /* it, and the children behind it in the list */

#define RK_STATE_KEEP \
    0u /* as the last batch left it; of a kernel that hung: zeros, as nothing else is safe */
#define RK_STATE_RESET 1u   /* zeros */
#define RK_STATE_RESTORE 2u /* zeros, then what `restore` makes of them */

typedef struct rk_supervised {
    rk_kernel kernel; /* launched */
    rk_u32 state;     /* RK_STATE_*, when it is restarted */
    rk_u32 supervised_;
    /* Fill the fresh state of a shard or an actor, `which` as in rk_read_state; for each of them from 0 on,
     * while the kernel isn't served. It holds the runtime's lock: no call into the library, but
     * rk_checkpoint_state (checkpoint.h), which may also be given here. Anything but RK_OK fails the
     * restart. */
    rk_status (*restore)(void *user, rk_u32 which, void *state, size_t size);
    void *restore_user;
} rk_supervised;

#define RK_SUPERVISION_RESTARTED \
    1u /* launched again under its handle: it had failed, or its strategy says so */
#define RK_SUPERVISION_REPLACED 2u /* it hung; another has its id: `kernel` is the new handle */
#define RK_SUPERVISION_REFUSED \
    3u /* it couldn't be restarted: `text` says why; tried again at the next look */
#define RK_SUPERVISION_ESCALATED 4u /* the budget is spent: all children are stopped */

/* What a supervisor did. Valid during the call. */
typedef struct rk_supervision_event {
    rk_u32 kind;  /* RK_SUPERVISION_* */
    rk_u32 child; /* its place in the list */
    rk_kernel kernel;
    rk_status status;
    rk_u32 restarts; /* in the window */
    const char *text;
} rk_supervision_event;

typedef struct rk_supervision_options {
    rk_u32 size;
    rk_u32 strategy;   /* RK_ONE_FOR_ONE … */
    rk_u32 restarts;   /* within the window, up to 64; 0: 3 */
    rk_u32 none;       /* 1: no restart at all, the first failure escalates; `restarts` must be 0 */
    rk_u64 window_ns;  /* on the runtime's clock; 0: 5 s */
    rk_u64 restart_ns; /* how long one restart may wait for a batch boundary; 0: 1 s */
    /* Called by the thread that looks, without locks: it may call the library, but not end the supervisor. */
    void (*on_event)(void *user, const rk_supervision_event *event);
    void *event_user;
} rk_supervision_options;
#define RK_SUPERVISION_OPTIONS .size = sizeof(rk_supervision_options)

typedef struct rk_supervisor rk_supervisor;

/* Supervise kernels, in this order. A thread of its own looks after them as soon as one fails; a single-step
 * runtime has none, there rk_supervisor_look does. The caller ends it by rk_unsupervise, or closes the
 * runtime. Whatever is wrong, with the options and with each child, is told in one result; its status is
 * RK_INVALID_OPTIONS where such are among it, else that of the first.
 *   RK_INVALID_OPTIONS   a strategy, state or number that is none
 *   RK_INVALID_ARGUMENT  null; no children; one twice; RK_STATE_RESTORE without restore
 *   RK_UNSUPPORTED       a state to reset of a kernel that has none
 *   RK_STALE, RK_NO_SUCH_KERNEL, RK_OUT_OF_MEMORY, RK_CLOSED */
RK_API rk_status rk_supervise(rk_runtime *runtime, const rk_supervision_options *options,
                              const rk_supervised *children, size_t count, rk_supervisor **supervisor);

/* Look once, now, and restart what must be. RK_OK: all are well, or are again; else what the restart that was refused
 * said; RK_LIMIT: escalated. */
RK_API rk_status rk_supervisor_look(rk_supervisor *supervisor);

/* The handle that a child has now. RK_INVALID_ARGUMENT: no such child. */
RK_API rk_status rk_supervised_kernel(rk_supervisor *supervisor, size_t child, rk_kernel *kernel);

typedef struct rk_supervisor_info {
    rk_u32 children;
    rk_u32 in_window; /* restarts that count against the budget now */
    rk_u32 escalated;
    rk_u32 supervisor_;
    rk_u64 failures;  /* noticed */
    rk_u64 restarted; /* children launched again, those that were well included */
    rk_u64 replaced;
    rk_u64 refused;
} rk_supervisor_info;
RK_API rk_status rk_supervisor_information(rk_supervisor *supervisor, rk_supervisor_info *info);

/* After an escalation was dealt with: begin again with a full budget. Children that are inactive stay so. */
RK_API rk_status rk_supervisor_resume(rk_supervisor *supervisor);

/* Stop looking, and free it. The kernels stay as they are. 0 is fine. */
RK_API rk_status rk_unsupervise(rk_supervisor *supervisor);

RK_END_DECLS

#endif
