#include <string.h>

#include "../runtime/futex.h"
#include "../runtime/guard.h"
#include "../runtime/report.h"
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
            (void)rk_exchange_u32(&ring->asleep, 1, RK_SEQ_CST,
                                  RK_SCOPE_DEVICE); /* W2: the service thread takes over */
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

static rk_status wait_for_reply(rk_runtime *runtime, rk_kernel handle, rk_u32 target, rk_pending *p,
                                rk_wait *wait)
{
    rk_u32 slept = 0;
    for (;;) {
        if (look(runtime, handle, target, p, slept) == RK_PENDING_DONE) break;
        rk_u32 what = rk_wait_round(wait);
        if (what == RK_WAIT_OVER) {
            rk_u32 waits = RK_PENDING_WAITS;
            if (__atomic_compare_exchange_n(&p->state, &waits, RK_PENDING_TAKEN, 0, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE)) {
                look(runtime, handle, target, p, 1);
                return RK_TIMED_OUT;
            }
            while (rk_atomic_u32(&p->state) != RK_PENDING_DONE)
                rk_port_spin(64); /* being filled at this moment */
            break;
        }
        if (what == RK_WAIT_SLEEP && !runtime->options.single_step) {
            if (look(runtime, handle, target, p, 1) == RK_PENDING_DONE) break;
            slept = 1;
            rk_wait_sleep(runtime, wait, &p->state, RK_PENDING_WAITS, rk_wait_left(wait));
        }
    }
    if (!slept) look(runtime, handle, target, p, 1);
    return p->status;
}

rk_status rk_request(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body, size_t size,
                     rk_u16 reply_type, void *reply, size_t reply_size, rk_u64 timeout_ns)
{
    rk_send_options options = RK_SEND_DEFAULTS;
    return rk_request_with(runtime, kernel, type, body, size, reply_type, reply, reply_size, &options,
                           timeout_ns);
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
    rk_pending *p = rk_pending_take(runtime, kernel.number, &options.correlation);
    if (!p) return rk_error(RK_LIMIT, "%u requests are waiting for replies already", RK_REQUESTS_MAX);
    p->reply_type = reply_type;
    p->reply = reply;
    p->reply_size = reply_size;
    rk_atomic_set_u32(&p->state, RK_PENDING_WAITS);
    options.flags |= RK_FLAG_REQUEST;
    options.timeout_ns = timeout_ns ? timeout_ns : 1;
    rk_status status = rk_send(runtime, kernel, type, body, size, &options);
    if (status == RK_OK) {
        status = wait_for_reply(runtime, kernel, options.target, p, &wait);
        switch (status) {
        case RK_OK: break;
        case RK_TIMED_OUT: rk_error(status, "no reply in time: a later one is counted as late"); break;
        case RK_DEAD: rk_error(status, "the handler refused the request: %s", p->reason); break;
        case RK_NO_REPLY: rk_error(status, "the handler finished without a reply"); break;
        case RK_UNKNOWN_TYPE:
            rk_error(status, "the reply is of another message type than the %u that was asked for",
                     reply_type);
            break;
        default: rk_error(status, "%s", rk_status_text(status)); break;
        }
    }
    rk_pending_give(runtime, p);
    /* cppcheck-suppress returnDanglingLifetime ; a status points to nothing */
    return status;
}
