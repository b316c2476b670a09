/* Handles that are none or stale, and runtimes that are closed: every call says so, and none crashes. */
#include "probes.h"

#include <stdio.h>

typedef rk_status handle_call(contract *c, rk_kernel k);
static probe any_probe;
static rk_send_options no_wait = { .timeout_ns = 1 };

static rk_status call_activate(contract *c, rk_kernel k) { return rk_activate(c->runtime, k); }
static rk_status call_deactivate(contract *c, rk_kernel k) { return rk_deactivate(c->runtime, k); }
static rk_status call_terminate(contract *c, rk_kernel k) { return rk_terminate(c->runtime, k, 0); }
static rk_status call_drain(contract *c, rk_kernel k) { return rk_drain(c->runtime, &k, 1, 0); }
static rk_status call_relaunch(contract *c, rk_kernel k) { return rk_relaunch(c->runtime, k, 0, 0); }
static rk_status call_fail(contract *c, rk_kernel k) { return rk_fail_before_commit(c->runtime, k); }
static rk_status call_information(contract *c, rk_kernel k)
{
    rk_kernel_info info;
    return rk_kernel_information(c->runtime, k, &info);
}
static rk_kernel neighbour;
static rk_status call_connect_from(contract *c, rk_kernel k)
{
    return rk_connect(c->runtime, k, 0, neighbour, 0);
}
static rk_status call_connect_to(contract *c, rk_kernel k)
{
    return rk_connect(c->runtime, neighbour, 0, k, 0);
}
static rk_status call_read_state(contract *c, rk_kernel k)
{
    rk_u64 state[4];
    return rk_read_state(c->runtime, k, 0, state, sizeof state);
}
static rk_status call_send(contract *c, rk_kernel k)
{
    return rk_send(c->runtime, k, RK_BODY(any_probe), &no_wait);
}
static rk_status call_send_many(contract *c, rk_kernel k)
{
    size_t accepted;
    rk_status status = rk_send_many(c->runtime, k, RK_BODY(any_probe), 1, &no_wait, &accepted);
    assert_int_equal(accepted, 0);
    return status;
}
static rk_status call_send_each(contract *c, rk_kernel k)
{
    size_t accepted;
    rk_status status = rk_send_each(c->runtime, k, RK_BODY(any_probe), 1, &no_wait, &accepted);
    assert_int_equal(accepted, 0);
    return status;
}
static rk_status call_receive(contract *c, rk_kernel k)
{
    probe p;
    return rk_receive(c->runtime, k, &p, sizeof p, 0, 0);
}
static rk_status call_receive_waiting(contract *c, rk_kernel k)
{
    probe p;
    return rk_receive(c->runtime, k, &p, sizeof p, 0, RK_SECONDS(10));
}
static rk_status call_receive_many(contract *c, rk_kernel k)
{
    probe p[2];
    size_t received;
    return rk_receive_many(c->runtime, k, p, sizeof *p, 2, 0, 0, &received);
}
static rk_status call_receive_dead(contract *c, rk_kernel k)
{
    probe p;
    rk_dead_letter letter;
    return rk_receive_dead(c->runtime, k, &p, sizeof p, &letter, RK_SECONDS(10));
}
static rk_status call_request(contract *c, rk_kernel k)
{
    response r;
    return rk_request(c->runtime, k, RK_BODY(any_probe), RK_TYPE_ID(response), &r, sizeof r,
                      RK_MILLISECONDS(1));
}
static rk_status call_request_with(contract *c, rk_kernel k)
{
    response r;
    rk_send_options o = RK_SEND_DEFAULTS;
    return rk_request_with(c->runtime, k, RK_BODY(any_probe), RK_TYPE_ID(response), &r, sizeof r, &o,
                           RK_MILLISECONDS(1));
}
static rk_status call_reserve(contract *c, rk_kernel k)
{
    rk_reservation r;
    return rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &r);
}
static rk_status call_clear(contract *c, rk_kernel k)
{
    rk_u64 cleared;
    return rk_clear(c->runtime, k, &cleared);
}
static rk_status call_account(contract *c, rk_kernel k)
{
    rk_account a;
    return rk_account_of(c->runtime, k, &a);
}
static rk_status call_account_of_lane(contract *c, rk_kernel k)
{
    rk_account a;
    return rk_account_of_lane(c->runtime, k, 0, 0, &a);
}
static rk_status call_dead_reason(contract *c, rk_kernel k)
{
    const char *reason;
    rk_u64 count;
    return rk_dead_reason(c->runtime, k, 0, &reason, &count);
}
static rk_status call_metrics(contract *c, rk_kernel k)
{
    rk_metrics m;
    return rk_metrics_of(c->runtime, k, &m);
}
static rk_status call_request_start(contract *c, rk_kernel k)
{
    static response r;
    rk_outstanding request;
    return rk_request_start(c->runtime, k, RK_BODY(any_probe), RK_TYPE_ID(response), &r, sizeof r, 0,
                            RK_MILLISECONDS(1), &request);
}
static rk_status call_send_frame(contract *c, rk_kernel k)
{
    unsigned char frame[256];
    size_t size = 0, used;
    rk_frame_write(RK_SCHEMA(probe), &any_probe, sizeof any_probe, 0, frame, sizeof frame, &size);
    return rk_send_frame(c->runtime, k, frame, size, &used);
}
static rk_status call_receive_dead_many(contract *c, rk_kernel k)
{
    probe p[2];
    rk_dead_letter letters[2];
    size_t received;
    return rk_receive_dead_many(c->runtime, k, p, sizeof *p, 2, letters, RK_SECONDS(10), &received);
}
static rk_status call_replay_dead(contract *c, rk_kernel k)
{
    const rk_dead_letter letter = { .type = RK_TYPE_ID(probe),
                                    .length = sizeof any_probe,
                                    .payload = &any_probe };
    return rk_replay_dead(c->runtime, &letter, k);
}
static rk_status call_snapshot(contract *c, rk_kernel k)
{
    rk_snapshot snapshot = RK_SNAPSHOT_NONE;
    return rk_snapshot_take(c->runtime, &k, 1, RK_SECONDS(10), 0, 0, &snapshot);
}
static rk_status call_snapshot_restore(contract *c, rk_kernel k)
{
    rk_snapshot of_another = RK_SNAPSHOT_NONE;
    rk_status status = rk_snapshot_take(c->runtime, &neighbour, 1, CONTRACT_PATIENCE, 0, 0, &of_another);
    if (status == RK_OK) status = rk_snapshot_restore(c->runtime, &k, 1, of_another.bytes, of_another.size);
    rk_snapshot_free(&of_another);
    return status;
}
static rk_status call_supervise(contract *c, rk_kernel k)
{
    rk_supervisor *none;
    rk_supervised child = { .kernel = k };
    return rk_supervise(c->runtime, 0, &child, 1, &none);
}
static rk_status call_route_name(contract *c, rk_kernel k)
{
    if (!c->runtime) return RK_INVALID_ARGUMENT; /* it has no status to say so */
    return rk_route_name(c->runtime, k, 0) ? RK_OK : RK_STALE;
}
static rk_status call_step(contract *c, rk_kernel k)
{
    if (!c->variant->single_step) return RK_STALE; /* answers that there are workers */
    return rk_step(c->runtime, k, 0);
}

static const struct {
    const char *name;
    handle_call *call;
} handle_calls[] = {
    { "activate", call_activate },
    { "deactivate", call_deactivate },
    { "terminate", call_terminate },
    { "drain", call_drain },
    { "relaunch", call_relaunch },
    { "fail_before_commit", call_fail },
    { "information", call_information },
    { "connect from", call_connect_from },
    { "connect to", call_connect_to },
    { "read_state", call_read_state },
    { "send", call_send },
    { "send_many", call_send_many },
    { "send_each", call_send_each },
    { "receive", call_receive },
    { "waiting", call_receive_waiting },
    { "receive_many", call_receive_many },
    { "receive_dead", call_receive_dead },
    { "request", call_request },
    { "request_with", call_request_with },
    { "reserve", call_reserve },
    { "clear", call_clear },
    { "account", call_account },
    { "lane", call_account_of_lane },
    { "dead_reason", call_dead_reason },
    { "metrics", call_metrics },
    { "request_start", call_request_start },
    { "send_frame", call_send_frame },
    { "receive_dead_many", call_receive_dead_many },
    { "replay_dead", call_replay_dead },
    { "snapshot_take", call_snapshot },
    { "snapshot_restore", call_snapshot_restore },
    { "supervise", call_supervise },
    { "route_name", call_route_name },
    { "step", call_step },
};
#define HANDLE_CALLS (sizeof handle_calls / sizeof *handle_calls)

static void assert_all_calls_know_it_is_gone(contract *c, rk_kernel k)
{
    for (size_t i = 0; i < HANDLE_CALLS; i++) {
        rk_status status = handle_calls[i].call(c, k);
        if (status == RK_STALE || status == RK_NO_SUCH_KERNEL) continue;
        print_error("%s of %u.%u is %s\n%s", handle_calls[i].name, k.number, k.generation,
                    rk_status_name(status), rk_error_text());
        fail();
    }
}

static void unknown_and_stale_handles_are_answered_by_every_call(contract *c)
{
    static const rk_kernel none[] = { { 0, 0 },    { 0, 1 },    { 3000, 1 },
                                      { 4095, 1 }, { 4096, 1 }, { 0xffffffff, 0xffffffff } };
    neighbour = launch(c, "neighbour", "echo", 0);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_all_calls_know_it_is_gone(c, none[i]);

    /* Given a kernel that was, and one with its id that is. */
    rk_kernel was = launch_echo(c, 0);
    assert_serves(c, was, 1);
    assert_ok(rk_terminate(c->runtime, was, RK_SECONDS(5)));
    assert_all_calls_know_it_is_gone(c, was);
    rk_kernel is = launch_echo(c, 0);
    assert_all_calls_know_it_is_gone(c, was);
    assert_all_calls_know_it_is_gone(c, (rk_kernel){ is.number, is.generation + 1 });
    assert_all_calls_know_it_is_gone(c, (rk_kernel){ is.number, 0 });
    assert_serves(c, is, 2);
}

static void a_closed_runtime_answers(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    rk_runtime *closed = c->runtime;
    contract_close(c);
    c->runtime = closed;
    assert_status(rk_activate(closed, k), RK_CLOSED);
    assert_status(call_terminate(c, k), RK_CLOSED);
    assert_status(call_information(c, k), RK_CLOSED);
    assert_status(call_account(c, k), RK_CLOSED);
    assert_status(call_metrics(c, k), RK_CLOSED);
    assert_status(call_receive_dead(c, k), RK_CLOSED);
    assert_status(rk_launch(closed, "late", 0, &k), RK_CLOSED);
    assert_string_equal(rk_backend_name(closed), "closed");
    assert_int_equal(rk_worker_count(closed), 0);
    assert_int_equal(rk_clock_ns(closed), 0);
    assert_ok(rk_close(closed));
    c->runtime = 0;
    for (size_t i = 0; i < HANDLE_CALLS; i++)
        if (handle_calls[i].call != call_step)
            assert_int_equal(handle_calls[i].call(c, k), RK_INVALID_ARGUMENT);
}

static void the_runtime_closes_with_active_kernels_and_twice(contract *c)
{
    for (rk_u32 i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "kernel %u", i);
        rk_kernel k = launch_active(c, id, "echo", 0);
        for (rk_u32 n = 0; n < i; n++) assert_ok(send_probe(c, k, n));
    }
    rk_runtime *runtime = c->runtime;
    c->runtime = 0;
    assert_ok(rk_close(runtime));
    assert_ok(rk_close(runtime));
    assert_ok(rk_close(0));
}

static const contract_case cases[] = {
    { CASE(unknown_and_stale_handles_are_answered_by_every_call), ON_EVERY },
    { CASE(a_closed_runtime_answers), ON_EVERY },
    { CASE(the_runtime_closes_with_active_kernels_and_twice), ON_EVERY },
};

CONTRACT_MAIN("handles", cases)
