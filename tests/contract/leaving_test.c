/* Kernels that are told to leave while a handler runs. */
#include "lines.h"

/* A block for each shard, and handlers that take longer than anybody waits. */
static rk_kernel launch_slow_carriers(contract *c, rk_u32 shards)
{
    const rk_parameter work = { "carry_work", "33000000" };
    rk_runtime_options runtime = contract_runtime_options(c);
    rk_launch_options o = small(64);
    runtime.stall_limit_ns = RK_MILLISECONDS(20);
    contract_reopen(c, &runtime);
    o.shards = o.blocks = shards;
    o.parameters = &work;
    o.parameter_count = 1;
    return launch_active(c, "slow", "carry", &o);
}

static void send_to_each(contract *c, rk_kernel kernel, rk_u32 shards, rk_u64 number)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    for (to.target = 0; to.target < shards; to.target++)
        assert_ok(send_package(c, kernel, number + to.target, &to));
}

static void receive_all(contract *c, rk_kernel kernel, rk_u32 count)
{
    for (rk_u32 i = 0; i < count; i++) {
        sighting s;
        receive(c, kernel, &s);
        assert_false(s.wrong);
    }
}

/* Shards without work leave at once, and come back although the order is taken back before all have left. */
static void a_stop_that_came_to_nothing_leaves_every_shard_served(contract *c)
{
    enum { SHARDS = 4 };
    rk_kernel k = launch_slow_carriers(c, SHARDS);
    rk_u32 sent = 0;
    for (rk_u32 late = 0; !late;) {
        assert_true(sent < 20);
        send_to_each(c, k, 1, sent++);          /* the first alone has work */
        let_pass(c, RK_MILLISECONDS(2) * sent); /* how long until it is at it, nobody is told */
        rk_status status = rk_deactivate(c->runtime, k);
        late = status == RK_TIMED_OUT;
        if (!late) { /* before the message was taken */
            assert_ok(status);
            assert_ok(rk_activate(c->runtime, k));
        }
        receive_all(c, k, 1);
    }
    assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
    send_to_each(c, k, SHARDS, sent);
    receive_all(c, k, SHARDS);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
}

static const contract_case cases[] = {
    { CASE(a_stop_that_came_to_nothing_leaves_every_shard_served), NEEDS_THREADS },
};

CONTRACT_MAIN("leaving", cases)
