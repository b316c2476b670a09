/* Messages between the host and kernels.
 *
 * rk_send_many and rk_receive_many are the fast way, the single calls the easy one. Any number of threads may
 * send, receive and request at the same time. Order is kept from one sending thread to one target, within a
 * priority band. Nothing waits without a deadline. */
#ifndef RINGKERNEL_TRANSFER_H
#define RINGKERNEL_TRANSFER_H

#include "device/stage.h"
#include "runtime.h"

RK_BEGIN_DECLS

/* A message variable as (type id, address, bytes). */
#define RK_BODY(variable) RK_TYPE_ID_OF(&(variable)), &(variable), sizeof(variable)

/* Send one message. Options 0: RK_SEND_DEFAULTS. The body is copied.
 *   RK_OK           accepted
 *   RK_FULL         Reject: no room, nothing changed
 *   RK_TIMED_OUT    Block: no room by the deadline (options' timeout_ns, else the launch's send_timeout_ns);
 *                   the id is not remembered. Or it was being launched again so long (else ten seconds)
 *   RK_DROPPED      DropNewest, or DropOldest with only more urgent messages queued
 *   RK_DUPLICATE    the id was accepted within the window
 *   RK_CLOSED       draining, terminated or failed
 *   RK_STALE, RK_NO_SUCH_KERNEL
 *   RK_UNKNOWN_TYPE, RK_TOO_LARGE, RK_TOO_SMALL
 *   RK_INVALID_ARGUMENT (an id, a correlation, a time to live or a request, but the launch has not the option
 *                   that it takes: the text says which; flags besides RK_FLAG_REQUEST; a gap that isn't
 *                   zero) */
RK_API rk_status rk_send(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body, size_t size,
                         const rk_send_options *options);

/* Send `count` messages of one type, `size` bytes each, that lie one after the other. *accepted (may be 0) is
 * how many were taken, always the first ones; the status is that of the first that wasn't. With options, all
 * have the same; ids count up from options->id, and under Block timeout_ns is how long it waits for room each
 * time that it finds none. */
RK_API rk_status rk_send_many(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *bodies,
                              size_t size, size_t count, const rk_send_options *options, size_t *accepted);

/* Send `count` messages as rk_send_many does, each with its own options: options is an array of `count`. */
RK_API rk_status rk_send_each(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *bodies,
                              size_t size, size_t count, const rk_send_options *options, size_t *accepted);

/* What came with a received message. */
typedef struct rk_received {
    rk_u32 type;
    rk_u32 length; /* bytes of the body */
    rk_u32 shard;  /* that sent it */
    rk_u32 target; /* as its sender set it */
    rk_u32 flags;  /* RK_FLAG_* */
    rk_u32 priority;
    rk_u64 id;          /* with long headers, else 0 */
    rk_u64 correlation; /* likewise */
    rk_u64 sent_ns;     /* likewise */
    rk_u32 route;       /* 0: the default one; else a named one, see rk_route_name */
    rk_u32 received_;
} rk_received;

/* The name of a route that a received message came on; "" is the default one, 0 none of the kernel's. Lives
 * as long as the runtime. */
RK_API const char *rk_route_name(rk_runtime *runtime, rk_kernel kernel, rk_u32 route);

/* Take one message that a kernel sent to the host. `size` is the room at `body`; info may be 0.
 *   RK_EMPTY      timeout_ns 0 and nothing there
 *   RK_TIMED_OUT  nothing came in time
 *   RK_TOO_SMALL  the message is larger than the room: it stays, info->length says how large it is
 *   RK_CLOSED     nothing is there and nothing will come: the kernel is drained, terminated or failed */
RK_API rk_status rk_receive(rk_runtime *runtime, rk_kernel kernel, void *body, size_t size, rk_received *info,
                            rk_u64 timeout_ns);

/* Take up to `count` messages, `stride` bytes apart at `bodies`; infos may be 0, else count of them.
 * *received is how many. Waits for the first only. RK_OK with at least one; else as rk_receive. */
RK_API rk_status rk_receive_many(rk_runtime *runtime, rk_kernel kernel, void *bodies, size_t stride,
                                 size_t count, rk_received *infos, rk_u64 timeout_ns, size_t *received);

/* Send a request and wait for its reply, which must be of the type given and no larger than the room. A
 * shorter one (a blob) leaves the rest of the room as it was, and its length isn't told: let the message say
 * it. The kernel must be launched with `requests`.
 *   RK_NO_REPLY   the handler finished without replying
 *   RK_DEAD       the handler refused the request; the text has the reason
 *   RK_TIMED_OUT  neither came in time; a reply that comes later is counted as late
 *   RK_UNKNOWN_TYPE, RK_TOO_SMALL  the reply is of another type, or larger than the room; it is gone
 *   RK_EXPIRED    its time to live was over when its turn came (RK_DEAD with expired_to_dead)
 *   RK_LIMIT      4,096 requests of the runtime wait for replies already: wait for one of them
 *   RK_CLOSED     also: the kernel ended before it replied
 *   and everything that rk_send answers */
RK_API rk_status rk_request(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body, size_t size,
                            rk_u16 reply_type, void *reply, size_t reply_size, rk_u64 timeout_ns);

/* The same with options of the send: target, priority, id, time to live. Its correlation and timeout_ns are
 * set by the call. */
RK_API rk_status rk_request_with(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body,
                                 size_t size, rk_u16 reply_type, void *reply, size_t reply_size,
                                 const rk_send_options *options, rk_u64 timeout_ns);

/* A request that is under way while its thread does other things: many may be, of one thread as of several,
 * up to the 4,096 of the runtime. What is in it is the library's; one thread at a time uses it, whichever. */
typedef struct rk_outstanding {
    rk_kernel kernel;
    rk_u64 correlation; /* 0: none is under way */
    rk_u64 deadline_ns;
    rk_u32 target;
    rk_u32 outstanding_;
} rk_outstanding;

/* Send a request and return: as rk_request_with, but the reply is waited for by rk_request_await.
 * `timeout_ns` from now on it is given up; until then it also waits for room, if there is none. `reply` must
 * be there until it is over. */
RK_API rk_status rk_request_start(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body,
                                  size_t size, rk_u16 reply_type, void *reply, size_t reply_size,
                                  const rk_send_options *options, rk_u64 timeout_ns, rk_outstanding *request);
/* Wait for its reply, for `timeout_ns` at the most; RK_NO_WAIT looks whether it is there.
 *   RK_EMPTY      not yet: the request goes on
 *   RK_STALE      it is over already
 *   and everything that rk_request answers after it has sent: then it is over */
RK_API rk_status rk_request_await(rk_runtime *runtime, rk_outstanding *request, rk_u64 timeout_ns);
/* Don't wait for it any longer: `reply` isn't touched any more, and a reply that comes all the same counts as
 * late. RK_STALE: it is over already. RK_CLOSED, RK_INVALID_ARGUMENT. */
RK_API rk_status rk_request_abandon(rk_runtime *runtime, rk_outstanding *request);

/* A slot to write a message into in place (a unit slot: beside it), of a plain lane (no window, priority or
 * DropOldest), up to 1 KiB. Other senders go on behind it, the consumer waits at it. The reserving thread commits or aborts
 * it; if the thread exits first, the slot is repaired and counted as lost. Never by time. */
typedef struct rk_reservation {
    rk_kernel kernel;
    void *body; /* `size` bytes, to be filled */
    size_t size;
    rk_u64 ticket_[3];
} rk_reservation;
/*   RK_FULL             no room, whatever the backpressure: it never waits; counted in refused_full
 *   RK_UNSUPPORTED      not a plain lane, or over 1 KiB: use rk_send
 *   RK_LIMIT            the thread holds 16 reservations: commit or abort one
 *   RK_BUSY             the kernel is being launched again at this moment: call again
 *   RK_CLOSED, RK_STALE, RK_NO_SUCH_KERNEL, RK_NO_SUCH_ACTOR, RK_UNKNOWN_TYPE, RK_TOO_LARGE, RK_TOO_SMALL and
 *   RK_INVALID_ARGUMENT as rk_send */
RK_API rk_status rk_reserve(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, size_t size,
                            const rk_send_options *options, rk_reservation *reservation);
/* Send what was filled in (commit), or give the slot up (abort: the consumer passes over it).
 *   RK_BUSY              as above: the reservation stays, call again
 *   RK_STALE             the kernel is gone, or was launched again meanwhile: nothing is sent, the
 *                        reservation is over
 *   RK_INVALID_ARGUMENT  of another thread, or finished already
 *   RK_NO_SUCH_KERNEL, RK_CLOSED (the runtime) */
RK_API rk_status rk_commit(rk_runtime *runtime, rk_reservation *reservation);
RK_API rk_status rk_abort(rk_runtime *runtime, rk_reservation *reservation);

/* Throw away what is queued in the host lanes of an inactive kernel; counted as lost. What a reservation
 * holds stays, and what came after it.
 *   RK_BUSY  nothing was thrown away: the kernel is active, so deactivate it first; or it stopped with a
 *            batch half out (it found no room for all that it sent, or failed before the commit), whose slots
 *            are still to be committed: receive from it and activate it, or relaunch it
 *   RK_STALE, RK_NO_SUCH_KERNEL */
RK_API rk_status rk_clear(rk_runtime *runtime, rk_kernel kernel, rk_u64 *cleared);

/* Take the oldest kept dead letter of a kernel. The payload is copied to `body` (room `size`);
 * letter->payload points there. RK_EMPTY, RK_TIMED_OUT, RK_TOO_SMALL (it stays), RK_STALE, RK_NO_SUCH_KERNEL; to who would
 * wait RK_CLOSED, when the kernel is drained or quarantined: no further one will come. */
RK_API rk_status rk_receive_dead(rk_runtime *runtime, rk_kernel kernel, void *body, size_t size,
                                 rk_dead_letter *letter, rk_u64 timeout_ns);

/* Take up to `count` dead letters, the oldest first; payloads lie `stride` bytes apart at `bodies`. *received is how
 * many. Waits for the first only; stops before one that is larger than `stride`. RK_OK with at least one; else as
 * rk_receive_dead, and with RK_TOO_SMALL letters->length says how large it is. */
RK_API rk_status rk_receive_dead_many(rk_runtime *runtime, rk_kernel kernel, void *bodies, size_t stride,
                                      size_t count, rk_dead_letter *letters, rk_u64 timeout_ns,
                                      size_t *received);

/* Send a dead letter again, with its type, target and priority, as a new message: without its id, which the window
 * would know, with no attempts yet, and not as a request, since whoever waited for its reply was told. It goes
 * to where it was going: to letter->kernel, which had refused it; or, if that kernel had sent it, to the kernel that its
 * routes bring the type to. `to` says another one, unless its number is 0. The payload must still be
 * where the letter says.
 *   RK_INVALID_ARGUMENT  null; or a letter that was sent, whose kernel has no route for its type, or routes to several
 *                        kernels: give `to`
 *   and everything that rk_send answers; the letter stays the caller's */
RK_API rk_status rk_replay_dead(rk_runtime *runtime, const rk_dead_letter *letter, rk_kernel to);

RK_END_DECLS

#endif
