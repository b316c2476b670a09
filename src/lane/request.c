#include <string.h>

#include "../runtime/futex.h"
#include "../runtime/guard.h"
#include "../runtime/report.h"
#include "../runtime/wake.h"
#include "outgoing.h"
#include "waiting.h"

/* Look for the reply while spinning: the thread that waits empties the report lane itself, so nobody needs to
 * be woken for it. */
static rk_u32 look(rk_runtime *runtime, rk_kernel handle, rk_u32 target, rk_pending *p, rk_u32 asleep)
{
    rk_thread_record *record;
    rk_host_kernel *k;
    if (rk_guard_enter(runtime, handle, &record, &k) == RK_OK) {
        rk_seat *seat = &k->seats[target % k->seat_count];
        rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, RK_LANE_REPORT), runtime->arena.base, 0);
        if (asleep)
            rk_wake_ask(&ring->asleep); /* W2: the service thread takes over */
        else if (rk_load_u32(&ring->asleep, RK_RELAXED, RK_SCOPE_DEVICE))
            rk_store_u32(&ring->asleep, 0, RK_RELAXED, RK_SCOPE_DEVICE);
        if (asleep)
            rk_reports_collect(k); /* the last look must not be put off because somebody else is looking */
        else
            rk_reports_try_collect(seat);
        rk_guard_leave(record);
    }
    return rk_atomic_u32(&p->state);
}

/* Nobody fills its reply any more, unless that is what is being done at this moment: then it has come. 0: it
 * has. */
static int give_up(rk_pending *p)
{
    rk_u32 waits = RK_PENDING_WAITS;
    if (__atomic_compare_exchange_n(&p->state, &waits, RK_PENDING_TAKEN, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return 1;
    while (rk_atomic_u32(&p->state) != RK_PENDING_DONE) rk_port_spin(64);
    return 0;
}

/* Whether the reply has come before the wait is over: RK_OK or RK_EMPTY. */
static rk_status wait_for_reply(rk_runtime *runtime, rk_kernel handle, rk_u32 target, rk_pending *p,
                                rk_wait *wait)
{
    rk_u32 slept = 0;
    for (;;) {
        if (look(runtime, handle, target, p, slept) == RK_PENDING_DONE) break;
        rk_u32 what = rk_wait_round(wait);
        if (what == RK_WAIT_OVER)
            return look(runtime, handle, target, p, 1) == RK_PENDING_DONE ? RK_OK : RK_EMPTY;
        if (what == RK_WAIT_SLEEP && !runtime->options.single_step) {
            if (look(runtime, handle, target, p, 1) == RK_PENDING_DONE) break;
            slept = 1;
            rk_wait_sleep(runtime, wait, &p->state, RK_PENDING_WAITS, rk_wait_left(wait));
        }
    }
    if (!slept) look(runtime, handle, target, p, 1);
    return RK_OK;
}

/* The status of a request that has its reply, or was given up, with its words; its place is free. */
static rk_status end_request(rk_runtime *runtime, rk_pending *p, rk_u32 given_up)
{
    rk_status status = given_up ? RK_TIMED_OUT : p->status;
    switch (status) {
    case RK_OK: break;
    case RK_TIMED_OUT: rk_error(status, "no reply in time: a later one is counted as late"); break;
    case RK_DEAD: rk_error(status, "the handler refused the request: %s", p->reason); break;
    case RK_NO_REPLY: rk_error(status, "the handler finished without a reply"); break;
    case RK_UNKNOWN_TYPE:
        rk_error(status, "the reply is of another message type than the %u that was asked for",
                 p->reply_type);
        break;
    default: rk_error(status, "%s", rk_status_text(status)); break;
    }
    rk_pending_give(runtime, p);
    /* cppcheck-suppress returnDanglingLifetime ; a status points to nothing */
    return status;
}

/* Until the deadline. */
static rk_status finish_request(rk_runtime *runtime, rk_kernel handle, rk_u32 target, rk_pending *p,
                                rk_wait *wait)
{
    rk_u32 is_late = wait_for_reply(runtime, handle, target, p, wait) != RK_OK && give_up(p);
    return end_request(runtime, p, is_late);
}

/* A request that is sent; 0: it wasn't, *status says why. */
static rk_pending *begin_request(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body,
                                 size_t size, rk_u16 reply_type, void *reply, size_t reply_size,
                                 rk_send_options *options, rk_u64 timeout_ns, rk_status *status)
{
    rk_pending *p = rk_pending_take(runtime, kernel.number, &options->correlation);
    if (!p) {
        *status = rk_error(RK_LIMIT, "%u requests are waiting for replies already", RK_REQUESTS_MAX);
        return 0;
    }
    p->reply_type = reply_type;
    p->reply = reply;
    p->reply_size = reply_size;
    rk_atomic_set_u32(&p->state, RK_PENDING_WAITS);
    options->flags |= RK_FLAG_REQUEST;
    options->timeout_ns = timeout_ns ? timeout_ns : 1;
    *status = rk_send(runtime, kernel, type, body, size, options);
    if (*status == RK_OK) return p;
    (void)give_up(p); /* the kernel's end may be answering it at this moment */
    rk_pending_give(runtime, p);
    return 0;
}

rk_status rk_request(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body, size_t size,
                     rk_u16 reply_type, void *reply, size_t reply_size, rk_u64 timeout_ns)
{
    rk_send_options options = RK_SEND_DEFAULTS;
    return rk_request_with(runtime, kernel, type, body, size, reply_type, reply, reply_size, &options,
                           timeout_ns);
}

static rk_status check(const rk_runtime *runtime, const void *given, const char *call)
{
    rk_error_begin();
    if (!runtime || !given) return rk_error(RK_INVALID_ARGUMENT, "%s: a pointer is null", call);
    return rk_is_open(runtime) ? RK_OK : rk_error(RK_CLOSED, "%s: the runtime is closed", call);
}

rk_status rk_request_with(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body, size_t size,
                          rk_u16 reply_type, void *reply, size_t reply_size, const rk_send_options *given,
                          rk_u64 timeout_ns)
{
    rk_error_begin();
    if (!runtime || !given || (!reply && reply_size))
        return rk_error(RK_INVALID_ARGUMENT, "rk_request: runtime, options or reply is null");
    if (!rk_is_open(runtime)) return rk_error(RK_CLOSED, "rk_request: the runtime is closed");
    rk_send_options options = *given;
    rk_wait wait = rk_wait_begin(runtime, timeout_ns);
    rk_status status;
    rk_pending *p = begin_request(runtime, kernel, type, body, size, reply_type, reply, reply_size, &options,
                                  timeout_ns, &status);
    return p ? finish_request(runtime, kernel, options.target, p, &wait) : status;
}

/* ------------------------------------------------------------------ many outstanding */

rk_status rk_request_start(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body, size_t size,
                           rk_u16 reply_type, void *reply, size_t reply_size, const rk_send_options *given,
                           rk_u64 timeout_ns, rk_outstanding *request)
{
    rk_status status = check(runtime, request, "rk_request_start");
    if (status != RK_OK) return status;
    if (!reply && reply_size) return rk_error(RK_INVALID_ARGUMENT, "rk_request_start: reply is null");
    rk_send_options options = RK_SEND_DEFAULTS;
    if (given) options = *given;
    rk_wait wait = rk_wait_begin(runtime, timeout_ns);
    *request = (rk_outstanding){ .kernel = kernel };
    rk_pending *p = begin_request(runtime, kernel, type, body, size, reply_type, reply, reply_size, &options,
                                  timeout_ns, &status);
    if (!p) return status;
    request->correlation = options.correlation;
    request->deadline_ns = wait.deadline_ns;
    request->target = options.target;
    look(runtime, kernel, options.target, p, 1); /* nobody spins for it: the service thread takes it */
    return RK_OK;
}

/* Its place; 0: it is over. */
static rk_pending *pending_of(rk_runtime *runtime, const rk_outstanding *request)
{
    rk_u32 at = (rk_u32)request->correlation - 1u;
    if (at >= RK_REQUESTS_MAX) return 0;
    rk_pending *p = &runtime->pending[at];
    pthread_mutex_lock(&runtime->pending_lock); /* or it may be somebody else's by now */
    int is_its =
        rk_atomic_u32(&p->state) != RK_PENDING_FREE && p->generation == (rk_u32)(request->correlation >> 32);
    pthread_mutex_unlock(&runtime->pending_lock);
    return is_its ? p : 0;
}

rk_status rk_request_await(rk_runtime *runtime, rk_outstanding *request, rk_u64 timeout_ns)
{
    rk_status status = check(runtime, request, "rk_request_await");
    if (status != RK_OK) return status;
    rk_pending *p = pending_of(runtime, request);
    if (!p) return rk_error(RK_STALE, "rk_request_await: the request is over");
    rk_wait wait = rk_wait_begin(runtime, timeout_ns);
    rk_u32 to_its_end = wait.deadline_ns >= request->deadline_ns;
    if (to_its_end) wait.deadline_ns = request->deadline_ns;
    if (to_its_end)
        status = finish_request(runtime, request->kernel, request->target, p, &wait);
    else if (wait_for_reply(runtime, request->kernel, request->target, p, &wait) == RK_OK)
        status = end_request(runtime, p, 0);
    else
        return RK_EMPTY;
    request->correlation = 0;
    return status;
}

rk_status rk_request_abandon(rk_runtime *runtime, rk_outstanding *request)
{
    rk_status status = check(runtime, request, "rk_request_abandon");
    if (status != RK_OK) return status;
    rk_pending *p = pending_of(runtime, request);
    if (!p) return rk_error(RK_STALE, "rk_request_abandon: the request is over");
    (void)give_up(p);
    rk_pending_give(runtime, p);
    request->correlation = 0;
    return RK_OK;
}
