/* Work stealing between shards: each task is done once, by whom it may, and the end is told when it is there. */
#include "contract.h"

#include "../kernels/pattern_steal.rk.h"

enum { MOST_TASKS = 2048 };

/* Shard `gives` works only if it must; NOBODY: all do. */
#define NOBODY ~0u
static rk_kernel open_crew(contract *c, rk_u32 shards, rk_u32 gives)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = "crush";
    o.shards = o.blocks = shards;
    rk_kernel k = launch(c, "crush", "crush", &o);
    assert_ok(rk_connect(c->runtime, k, 0, k, 0));
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 s = 0; s < shards; s++) {
        join_crew m = { s == gives, 0 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(m), &(rk_send_options){ .target = s }));
    }
    return k;
}

static void give_work(contract *c, rk_kernel k, rk_u32 shard, more_work m)
{
    assert_ok(rk_send(c->runtime, k, RK_BODY(m), &(rk_send_options){ .target = shard }));
}

/* `count` tasks come, each for the first time; by[s] counts those of shard s. */
static void collect(contract *c, rk_kernel k, rk_u8 *had, rk_u32 count, rk_u32 *by)
{
    for (rk_u32 i = 0; i < count; i++) {
        was_done d;
        receive(c, k, &d);
        assert_int_equal(d.end, 0);
        assert_in_range(d.number, 0, MOST_TASKS - 1);
        assert_int_equal(had[d.number]++, 0);
        by[d.shard]++;
    }
}

static void what_one_shard_was_given_all_do_once(contract *c)
{
    enum { SHARDS = 6, TASKS = 600 };
    rk_kernel k = open_crew(c, SHARDS, 3);
    rk_u8 had[MOST_TASKS] = { 0 };
    rk_u32 by[SHARDS] = { 0 };
    give_work(c, k, 3, (more_work){ 0, TASKS / 3, 2, TASKS / 3 });
    collect(c, k, had, TASKS, by);
    assert_true(by[3] < TASKS / 2); /* a task that is its only one, now and then */

    /* and an idle crew is drained */
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    was_done none;
    assert_status(rk_receive(c->runtime, k, &none, sizeof none, 0, RK_NO_WAIT), RK_CLOSED);
    assert_int_equal(account_of(c, k).dead_letters, 0);
}

static void a_drain_waits_for_all_tasks(contract *c)
{
    enum { SHARDS = 5, TASKS = 900 };
    rk_kernel k = open_crew(c, SHARDS, NOBODY);
    rk_u8 had[MOST_TASKS] = { 0 };
    rk_u32 by[SHARDS] = { 0 };
    give_work(c, k, 0, (more_work){ 0, TASKS / 2, 1, TASKS / 2 });
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    collect(c, k, had, TASKS, by);
}

static void the_end_is_told_once_after_the_last_task(contract *c)
{
    static const rk_u32 shards[] = { 1, 2, 7 };
    for (rk_u32 i = 0; i < 3; i++) {
        enum { TASKS = 400 };
        rk_kernel k = open_crew(c, shards[i], NOBODY);
        rk_u8 had[MOST_TASKS] = { 0 };
        rk_u32 by[8] = { 0 };
        tell_the_end tell = { 0 };
        give_work(c, k, 0, (more_work){ 0, TASKS / 4, 3, TASKS / 4 });
        assert_ok(rk_send(c->runtime, k, RK_BODY(tell), 0));
        wait_until(c, account_of(c, k).output_accepted == TASKS + 1);

        /* what shard 0 says last is that all have said theirs; shards among each other have no order, so all are taken */
        rk_u32 ends = 0;
        for (rk_u32 n = 0; n <= TASKS; n++) {
            was_done d;
            receive(c, k, &d);
            ends += d.end;
            if (d.end) continue;
            assert_int_equal(had[d.number]++, 0);
            by[d.shard]++;
        }
        assert_int_equal(ends, 1);

        /* and it can be asked again */
        assert_ok(rk_send(c->runtime, k, RK_BODY(tell), 0));
        was_done d;
        receive(c, k, &d);
        assert_int_equal(d.end, 1);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void tasks_without_room_are_refused_and_counted(contract *c)
{
    /* given a shard that has not begun to share its work, and room for 1,024 */
    rk_kernel k = open_crew(c, 1, NOBODY);
    rk_u8 had[MOST_TASKS] = { 0 };
    rk_u32 by[1] = { 0 };
    tell_the_end tell = { 0 };
    give_work(c, k, 0, (more_work){ 0, 1030, 0, 0 });
    assert_ok(rk_send(c->runtime, k, RK_BODY(tell), 0));
    collect(c, k, had, 1024, by);
    was_done d;
    receive(c, k, &d);
    assert_int_equal(d.end, 1);
    assert_int_equal(d.refused, 6);
}

static void a_word_that_comes_twice_gives_nobody_a_task_twice(contract *c)
{
    enum { SHARDS = 2, TASKS = 200 };
    rk_kernel k = open_crew(c, SHARDS, NOBODY);
    rk_u8 had[MOST_TASKS] = { 0 };
    rk_u32 by[SHARDS] = { 0 };
    give_work(c, k, 0, (more_work){ 0, TASKS, 0, 0 });
    for (rk_u32 serial = 0; serial < 4;
         serial++) { /* answers that nobody asked for, and a request of no such shard */
        rk_steal_word gives = { .what = RK_STEAL_GIVES,
                                .from = 0,
                                .to = 1,
                                .serial = 1000 + serial,
                                .count = 1 },
                      stranger = { .what = RK_STEAL_ASKS, .from = 64, .serial = 1 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(gives), &(rk_send_options){ .target = 1 }));
        assert_ok(rk_send(c->runtime, k, RK_BODY(stranger), &(rk_send_options){ .target = 1 }));
    }
    collect(c, k, had, TASKS, by);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    was_done none;
    assert_status(rk_receive(c->runtime, k, &none, sizeof none, 0, RK_NO_WAIT), RK_CLOSED);
}

enum { CROWD = 48 }; /* shards, whose words an inbox has no room for when all ask the same one */

/* The crowd's shards wait at their lifelines, each at another. Counts words that came back. */
static rk_u32 all_wait(contract *c, rk_kernel k, rk_u32 *came_back)
{
    tell_the_end tell = { 0 };
    rk_u32 waiting = 0;
    *came_back = 0;
    for (rk_u32 s = 0; s < CROWD; s++) {
        was_done d;
        assert_ok(rk_send(c->runtime, k, RK_BODY(tell), &(rk_send_options){ .target = s }));
        receive(c, k, &d);
        *came_back += d.came_back;
        waiting += d.waiting;
    }
    return waiting == CROWD;
}

/* Each task is done once, the end is told, and nobody waits in vain for an answer; so many words came back. */
static rk_u32 words_without_room(contract *c)
{
    enum { TASKS = 900 };
    rk_launch_options o = small(16);
    o.kernel_name = "crush";
    o.shards = o.blocks = CROWD;
    o.send_deadline_ns = RK_MICROSECONDS(1);
    o.output_capacity = 1024; /* what is done has room */
    rk_kernel k = launch(c, "crush", "crush", &o);
    rk_u8 had[MOST_TASKS] = { 0 };
    rk_u32 came_back, ends = 0;
    tell_the_end tell = { 0 };
    assert_ok(rk_connect(c->runtime, k, 0, k, 0));
    for (rk_u32 s = 0; s < CROWD; s++) {
        join_crew m = { s == 0, 1 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(m), &(rk_send_options){ .target = s }));
    }
    give_work(c, k, 0, (more_work){ 0, TASKS, 0, 0 });
    assert_ok(rk_send(c->runtime, k, RK_BODY(tell), 0));
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 visit = 0; c->variant->single_step && visit < 100;
         visit++) { /* its clock stands still else */
        assert_ok(rk_step(c->runtime, k, 0));
        let_pass(c, RK_MICROSECONDS(1));
    }
    for (rk_u32 n = 0; n <= TASKS; n++) {
        was_done d;
        receive(c, k, &d);
        ends += d.end;
        if (!d.end) assert_int_equal(had[d.number]++, 0);
    }
    assert_int_equal(ends, 1);
    wait_until(c, all_wait(c, k, &came_back));
    assert_int_equal(account_of(c, k).dead_letters, 0);
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    return came_back;
}

/* Whether words find no room is chance where shards run side by side. */
static void words_that_find_no_room_cost_no_task_and_no_end(contract *c)
{
    wait_until(c, words_without_room(c) > 0);
}

static const contract_case cases[] = {
    { CASE(what_one_shard_was_given_all_do_once), NEEDS_REGIONS },
    { CASE(a_drain_waits_for_all_tasks), NEEDS_REGIONS },
    { CASE(the_end_is_told_once_after_the_last_task), NEEDS_REGIONS },
    { CASE(tasks_without_room_are_refused_and_counted), NEEDS_REGIONS },
    { CASE(words_that_find_no_room_cost_no_task_and_no_end), NEEDS_REGIONS },
    { CASE(a_word_that_comes_twice_gives_nobody_a_task_twice), NEEDS_REGIONS },
};

CONTRACT_MAIN("stealing", cases)
