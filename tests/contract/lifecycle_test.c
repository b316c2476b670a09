/* The life of a kernel: launched, active, inactive, drained, terminated, over and over. */
#include "probes.h"

#include <stdio.h>
#include <unistd.h>

#include "runtime/core.h"

/* ------------------------------------------------------------------ launch */

static void a_launched_kernel_is_listed_and_waits(contract *c)
{
    rk_launch_options o = small(64);
    o.shards = 4;
    o.blocks = 2;
    rk_kernel k = launch(c, "one", "echo", &o), found, all[4];
    size_t count;
    rk_kernel_info info = info_of(c, k);
    assert_string_equal(info.id, "one");
    assert_string_equal(info.kernel_name, in_style(c, "echo"));
    assert_int_equal(info.life, RK_LIFE_LAUNCHED);
    assert_string_equal(rk_life_name(info.life), "launched");
    assert_int_equal(info.processed, 0);
    assert_int_equal(info.queued, 0);
    assert_int_equal(info.shards, 4);
    assert_int_equal(info.blocks, 2);
    assert_int_equal(info.epoch, 1);
    assert_true(info.healthy);
    assert_true(info.memory > 0);

    assert_ok(rk_find(c->runtime, "one", &found));
    assert_memory_equal(&found, &k, sizeof k);
    launch(c, "two", "echo", &o);
    assert_ok(rk_list(c->runtime, all, 4, &count));
    assert_int_equal(count, 2);
    assert_memory_equal(&all[0], &k, sizeof k);
    assert_ok(rk_list(c->runtime, all, 1, &count)); /* with room for one, it still says how many there are */
    assert_int_equal(count, 2);
    assert_status(rk_find(c->runtime, "three", &found), RK_NO_SUCH_KERNEL);
}

static void a_launch_has_the_dimensions_asked_for(contract *c)
{
    rk_launch_options o = small(64);
    o.threads = 48;
    assert_int_equal(info_of(c, launch(c, "threads", "echo", &o)).threads, 48);
    if (c->variant->style != STYLE_REGIONS) return;
    o.threads = RK_FROM_KERNEL;
    o.actors = 1000;
    o.shards = 3;
    rk_kernel_info info = info_of(c, launch(c, "actors", "counter", &o));
    assert_int_equal(info.actors, 1000);
    assert_int_equal(info.shards, 3);
    assert_int_equal(info.state, RK_PER_ACTOR);
}

static void ids_that_are_none_are_refused(contract *c)
{
    static const char long_id[] = "0123456789012345678901234567890123456789012345678901234567890123"; /* 64 */
    static const char *const ids[] = { 0, "", " ", " \t\n", long_id };
    rk_kernel k;
    rk_launch_options o = small(16);
    o.kernel_name = in_style(c, "echo");
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_status(rk_launch(c->runtime, ids[i], &o, &k), RK_INVALID_ID);
        assert_int_equal(k.number, 0);
    }
    assert_ok(rk_launch(c->runtime, long_id + 1, &o, &k)); /* 63 are fine */
    assert_string_equal(info_of(c, k).id, long_id + 1);
    assert_status(rk_launch(c->runtime, "null", &o, 0), RK_INVALID_ARGUMENT);
}

static void dimensions_of_zero_are_refused(contract *c)
{
    rk_kernel k;
    for (rk_u32 i = 0; i < 3; i++) {
        rk_launch_options o = small(16);
        *(i == 0 ? &o.shards : i == 1 ? &o.blocks : &o.threads) = 0;
        o.kernel_name = in_style(c, "echo");
        assert_status(rk_launch(c->runtime, "zero", &o, &k), RK_INVALID_OPTIONS);
    }
    rk_launch_options o = small(16);
    o.kernel_name = "counter"; /* keeps state per actor: how many? */
    assert_status(rk_launch(c->runtime, "zero", &o, &k), RK_INVALID_OPTIONS);
    assert_error_says("actors");
}

static void an_id_in_use_is_refused_and_its_kernel_goes_on(contract *c)
{
    rk_kernel k = launch_echo(c, 0), second;
    assert_serves(c, k, 1);
    rk_launch_options o = small(16);
    o.kernel_name = in_style(c, "echo");
    assert_status(rk_launch(c->runtime, "echo", &o, &second), RK_IN_USE);
    assert_int_equal(second.number, 0);
    assert_serves(c, k, 2);
    assert_int_equal(info_of(c, k).queue_capacity, 4096);
}

/* ------------------------------------------------------------------ active and inactive */

static void activating_twice_and_deactivating_an_inactive_one_are_told_apart(contract *c)
{
    rk_kernel k = launch(c, "echo", "echo", 0);
    assert_status(rk_deactivate(c->runtime, k), RK_NOT_ACTIVE);
    assert_ok(rk_activate(c->runtime, k));
    assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
    assert_status(rk_activate(c->runtime, k), RK_ALREADY_ACTIVE);
    assert_serves(c, k, 1);
    assert_ok(rk_deactivate(c->runtime, k));
    assert_int_equal(info_of(c, k).life, RK_LIFE_INACTIVE);
    assert_status(rk_deactivate(c->runtime, k), RK_NOT_ACTIVE);
    assert_ok(rk_activate(c->runtime, k));
    assert_serves(c, k, 2);
}

typedef struct stopping {
    contract *c;
    rk_kernel kernel;
    rk_u32 begun;
    rk_status status;
} stopping;

static void *deactivate(void *argument)
{
    stopping *s = argument;
    set_control(&s->begun, 1);
    s->status = rk_deactivate(s->c->runtime, s->kernel);
    return 0;
}

static void a_failure_on_the_way_to_a_batch_boundary_is_told(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel k = launch_active(c, "held", "held", &o);
    for (rk_u32 round = 0; round < 8; round++) {
        /* given a handler at work, behind which the kernel will fail */
        CLOSE_GATE();
        assert_ok(send_probe(c, k, round));
        wait_until(c, IN_HANDLERS == 1);
        assert_ok(rk_fail_before_commit(c->runtime, k));

        /* when it is deactivated, and the handler returns */
        stopping s = { c, k, 0, RK_OK };
        start_thread(c, deactivate, &s);
        wait_until(c, control(&s.begun));
        OPEN_GATE();
        join_threads(c);

        /* then that is no success, and launched again it has its message still */
        assert_true(s.status == RK_FAILED || s.status == RK_NOT_ACTIVE); /* the latter: failed before */
        assert_int_equal(info_of(c, k).life, RK_LIFE_FAILED);
        assert_next(c, k, round);
        assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
        assert_next(c, k, round);
        assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
    }
}

static void messages_sent_while_inactive_are_handled_in_order_after_activation(contract *c)
{
    rk_kernel k = launch(c, "echo", "echo", 0);
    probe p;
    for (rk_u32 i = 0; i < 50; i++) assert_ok(send_probe(c, k, i));
    assert_int_equal(info_of(c, k).queued, 50);
    assert_status(rk_receive(c->runtime, k, &p, sizeof p, 0, 0), RK_EMPTY);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 50; i++) assert_next(c, k, i);

    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_u32 i = 50; i < 100; i++) assert_ok(send_probe(c, k, i));
    assert_int_equal(info_of(c, k).processed, 50);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 50; i < 100; i++) assert_next(c, k, i);
}

static void a_kernel_that_was_drained_takes_and_does_nothing_more(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    probe p;
    assert_ok(send_probe(c, k, 1));
    assert_ok(rk_drain(c->runtime, &k, 1, RK_SECONDS(10)));
    assert_int_equal(info_of(c, k).life, RK_LIFE_DRAINED);
    assert_status(rk_activate(c->runtime, k), RK_CLOSED);
    assert_status(rk_deactivate(c->runtime, k), RK_NOT_ACTIVE);
    assert_status(send_probe(c, k, 2), RK_CLOSED);
    assert_status(rk_relaunch(c->runtime, k, 0, RK_SECONDS(5)), RK_CLOSED);
    assert_next(c, k, 1);
    assert_status(rk_receive(c->runtime, k, &p, sizeof p, 0, RK_SECONDS(5)), RK_CLOSED);
    assert_ok(rk_drain(c->runtime, &k, 1, RK_SECONDS(10))); /* there is nothing to do */
}

static void what_is_sent_to_a_drained_kernel_is_counted_as_refused_and_closed(contract *c)
{
    rk_launch_options o = rk_production();
    o.requests = 1;
    o.shards = 2;
    rk_kernel k = launch_active(c, "echo", "echo", &o);
    probe p[3] = { { 1, 0 }, { 2, 0 }, { 3, 0 } }, reply;
    rk_send_options each[3] = { RK_SEND_DEFAULTS, RK_SEND_DEFAULTS, RK_SEND_DEFAULTS };
    size_t accepted;
    assert_ok(rk_drain(c->runtime, &k, 1, RK_SECONDS(10)));
    assert_status(rk_send(c->runtime, k, RK_BODY(p[0]), 0), RK_CLOSED);
    assert_status(rk_send_many(c->runtime, k, RK_TYPE_ID(probe), p, sizeof *p, 3, 0, &accepted), RK_CLOSED);
    assert_status(rk_send_each(c->runtime, k, RK_TYPE_ID(probe), p, sizeof *p, 3, each, &accepted),
                  RK_CLOSED);
    assert_status(
        rk_request(c->runtime, k, RK_BODY(p[0]), RK_TYPE_ID(probe), &reply, sizeof reply, RK_SECONDS(5)),
        RK_CLOSED);
    const rk_account a = account_of(c, k);
    assert_int_equal(a.refused_closed, 4);
    assert_int_equal(a.accepted + a.refused_full + a.refused_invalid + a.refused_timed_out, 0);
}

static void a_kernel_that_is_not_active_cannot_be_drained(contract *c)
{
    rk_kernel k = launch(c, "echo", "echo", 0);
    assert_status(rk_drain(c->runtime, &k, 1, RK_MILLISECONDS(1)), RK_NOT_ACTIVE);
    assert_status(rk_drain(c->runtime, &k, 0, RK_MILLISECONDS(1)), RK_INVALID_ARGUMENT);
    assert_status(rk_drain(c->runtime, 0, 1, RK_MILLISECONDS(1)), RK_INVALID_ARGUMENT);
}

static void deactivating_under_load_loses_nothing(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    rk_u32 sent = 0, got = 0;
    for (rk_u32 round = 0; round < contract_rounds(400); round++) {
        for (rk_u32 i = 0; i < 20; i++) assert_ok(send_probe(c, k, sent++));
        assert_ok(rk_deactivate(c->runtime, k));
        rk_u64 handled = info_of(c, k).processed;
        assert_ok(send_probe(c, k, sent++));
        assert_int_equal(info_of(c, k).processed, handled);
        assert_ok(rk_activate(c->runtime, k));
        while (got < sent) assert_next(c, k, got++);
    }
}

/* ------------------------------------------------------------------ over and over */

static rk_u64 resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
    fclose(file);
    return (rk_u64)resident * (rk_u64)sysconf(_SC_PAGESIZE);
}

static rk_u32 random_below(rk_u32 *seed, rk_u32 n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static void delay(rk_u32 *seed)
{
    if (random_below(seed, 4)) return;
    for (volatile rk_u32 spin = random_below(seed, 3000); spin; spin--) {}
}

static void one_cycle(contract *c, rk_u32 *seed)
{
    rk_launch_options o = small(16u << random_below(seed, 3));
    o.shards = 1 + random_below(seed, 3);
    o.blocks = 1 + random_below(seed, 3);
    rk_kernel k = launch_active(c, "cycle", "echo", &o);
    delay(seed);
    rk_u32 n = random_below(seed, 8);
    for (rk_u32 i = 0; i < n; i++) {
        rk_send_options s = RK_SEND_DEFAULTS;
        probe p = { i, 0 };
        s.target = i;
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), &s));
    }
    delay(seed);
    if (random_below(seed, 2)) {
        probe p;
        for (rk_u32 i = 0; i < n; i++) receive(c, k, &p);
    }
    delay(seed);
    if (random_below(seed, 8) == 0) assert_ok(rk_deactivate(c->runtime, k));
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(20)));
}

static void ten_thousand_cycles_hang_nowhere_and_leave_nothing(contract *c)
{
    rk_u32 seed = 12345, cycles = contract_rounds(10000);
    rk_kernel bystander = launch_echo(c, 0);
    for (rk_u32 i = 0; i < cycles / 10; i++) one_cycle(c, &seed);
    rk_u64 taken = c->runtime->arena.taken, resident = resident_bytes();
    for (rk_u32 i = 0; i < cycles; i++) {
        one_cycle(c, &seed);
        if (i % 1000 == 0) assert_serves(c, bystander, i);
    }
    assert_int_equal(c->runtime->arena.taken, taken);
    if (!contract_sanitized()) assert_true(resident_bytes() < resident + (4u << 20));
}

static void an_id_can_be_launched_any_number_of_times(contract *c)
{
    rk_kernel last = { 0, 0 };
    for (rk_u32 i = 0; i < 20; i++) {
        rk_kernel k = launch_echo(c, 0);
        assert_false(k.number == last.number && k.generation == last.generation);
        assert_serves(c, k, i);
        wait_until(c, info_of(c, k).processed == 1); /* counts begin anew */
        assert_int_equal(account_of(c, k).accepted, 1);
        assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
        last = k;
    }
}

static void there_is_a_limit_of_kernels_and_it_is_said(contract *c)
{
    if (contract_sanitized()) return; /* shadow memory of 4,095 kernels is more than a small machine has */
    rk_launch_options o = small(16);
    o.kernel_name = in_style(c, "sink");
    rk_kernel k = { 0, 0 };
    for (rk_u32 i = 0; i < 4095; i++) {
        char id[16];
        snprintf(id, sizeof id, "kernel %u", i);
        assert_ok(rk_launch(c->runtime, id, &o, &k));
    }
    rk_kernel one_more;
    assert_status(rk_launch(c->runtime, "one more", &o, &one_more), RK_LIMIT);
    assert_error_says("4095");
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(5)));
    assert_ok(rk_launch(c->runtime, "one more", &o, &one_more));
}

static void every_life_has_a_name(contract *c)
{
    static const struct {
        rk_u32 life;
        const char *name;
    } lives[] = { { RK_LIFE_LAUNCHED, "launched" },      { RK_LIFE_ACTIVE, "active" },
                  { RK_LIFE_INACTIVE, "inactive" },      { RK_LIFE_DRAINING, "draining" },
                  { RK_LIFE_DRAINED, "drained" },        { RK_LIFE_TERMINATED, "terminated" },
                  { RK_LIFE_FAILED, "failed" },          { RK_LIFE_QUARANTINED, "quarantined" },
                  { RK_LIFE_QUARANTINED + 1, "unknown" } };
    (void)c;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++)
        assert_string_equal(rk_life_name(lives[i].life), lives[i].name);
}

static const contract_case cases[] = {
    { CASE(a_launched_kernel_is_listed_and_waits), ON_EVERY },
    { CASE(every_life_has_a_name), NEEDS_CPU },
    { CASE(a_launch_has_the_dimensions_asked_for), ON_EVERY },
    { CASE(ids_that_are_none_are_refused), ON_EVERY },
    { CASE(dimensions_of_zero_are_refused), ON_EVERY },
    { CASE(an_id_in_use_is_refused_and_its_kernel_goes_on), ON_EVERY },
    { CASE(activating_twice_and_deactivating_an_inactive_one_are_told_apart), ON_EVERY },
    { CASE(a_failure_on_the_way_to_a_batch_boundary_is_told), NEEDS_THREADS | NEEDS_CPU },
    { CASE(messages_sent_while_inactive_are_handled_in_order_after_activation), ON_EVERY },
    { CASE(a_kernel_that_was_drained_takes_and_does_nothing_more), ON_EVERY },
    { CASE(what_is_sent_to_a_drained_kernel_is_counted_as_refused_and_closed), ON_EVERY },
    { CASE(a_kernel_that_is_not_active_cannot_be_drained), ON_EVERY },
    { CASE(deactivating_under_load_loses_nothing), ON_EVERY },
    { CASE(ten_thousand_cycles_hang_nowhere_and_leave_nothing), NEEDS_THREADS },
    { CASE(an_id_can_be_launched_any_number_of_times), ON_EVERY },
    { CASE(there_is_a_limit_of_kernels_and_it_is_said), ONCE | NEEDS_STEP },
};

CONTRACT_MAIN("lifecycle", cases)
