/* The coordinator's bookkeeping by itself: workers that are slow, die, come back and say things twice, by seeds. */
#include <ringkernel/pattern/workers.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static rk_workers *open_workers(rk_u32 window, rk_u32 workers)
{
    rk_workers *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(rk_workers_open(w, window, 100, 1000), RK_OK);
    for (rk_u32 i = 0; i < workers; i++) rk_workers_register(w, i);
    return w;
}

static rk_status hear(rk_workers *w, rk_worker_word word, rk_u64 now, rk_u64 *job)
{
    return rk_workers_hear(w, &word, now, job);
}

static void jobs_go_to_the_shortest_queue_and_a_window_of_them_to_the_worker(void **state)
{
    (void)state;
    rk_workers *w = open_workers(2, 3);
    rk_assignment a = { 0 };
    rk_u32 had[3] = { 0 };
    for (rk_u64 job = 0; job < 12; job++) assert_int_equal(rk_workers_submit(w, job), RK_OK);
    while (rk_workers_next(w, 1, &a)) had[a.worker]++;
    for (rk_u32 i = 0; i < 3; i++) {
        assert_int_equal(had[i], 2);
        assert_int_equal(w->worker[i].queued, 2);
    }
    free(w);
}

static void without_a_worker_jobs_wait_and_beyond_the_room_they_are_refused(void **state)
{
    (void)state;
    rk_workers *w = open_workers(4, 0);
    rk_assignment a = { 0 };
    for (rk_u64 job = 0; job < RK_WORKERS_JOBS; job++) assert_int_equal(rk_workers_submit(w, job), RK_OK);
    assert_int_equal(rk_workers_submit(w, 1), RK_FULL);
    assert_int_equal(rk_workers_next(w, 1, &a), 0);
    rk_workers_register(w, 5);
    assert_int_equal(rk_workers_next(w, 1, &a), 1);
    assert_int_equal(a.worker, 5);
    assert_int_equal(a.job, 0);
    rk_u64 job = 99;
    assert_int_equal(hear(w, rk_worker_done(&a, 0), 2, &job), RK_OK);
    assert_int_equal(job, 0);
    assert_int_equal(rk_workers_submit(w, 1), RK_OK); /* the place is free again */
    free(w);
}

static void a_lost_workers_jobs_are_others_and_its_late_results_count_once(void **state)
{
    (void)state;
    rk_workers *w = open_workers(10, 2);
    rk_assignment a = { 0 }, with[2][10];
    rk_u32 had[2] = { 0 };
    rk_u64 job;
    for (rk_u64 j = 0; j < 20; j++) rk_workers_submit(w, j);
    while (rk_workers_next(w, 1, &a)) with[a.worker][had[a.worker]++] = a;
    assert_int_equal(had[0], 10);
    for (rk_u32 i = 0; i < 10; i++) assert_int_equal(hear(w, rk_worker_done(&with[1][i], 0), 1, &job), RK_OK);

    /* when worker 0 is silent, then its ten are those of worker 1 */
    assert_int_equal(rk_workers_expire(w, 100), 101);
    assert_int_equal(w->lost, 0);
    rk_workers_expire(w, 101);
    assert_int_equal(w->lost, 1);
    assert_int_equal(w->lost_last, 0);
    assert_int_equal(w->reassigned, 10);

    /* and five results that come late count, the others' first do; no job counts twice */
    for (rk_u32 i = 0; i < 5; i++)
        assert_int_equal(hear(w, rk_worker_done(&with[0][i], 0), 102, &job), RK_OK);
    rk_u32 again = 0;
    while (rk_workers_next(w, 103, &a)) {
        assert_int_equal(a.worker, 1);
        assert_int_equal(a.attempt, 2);
        assert_int_equal(hear(w, rk_worker_done(&a, 0), 104, &job), RK_OK);
        again++;
    }
    assert_int_equal(again, 5);
    for (rk_u32 i = 0; i < 10; i++)
        assert_int_equal(hear(w, rk_worker_done(&with[0][i], 0), 105, &job), RK_DUPLICATE);
    assert_int_equal(w->completed, 20);
    assert_int_equal(w->duplicate, 10);
    assert_int_equal(rk_workers_expire(w, 5000), 0); /* nobody has a job: nothing to wait for */

    /* it has to register */
    assert_int_equal(hear(w, rk_worker_says(0, RK_WORKER_IS_ALIVE), 106, &job), RK_NOT_ACTIVE);
    assert_int_equal(hear(w, rk_worker_says(0, RK_WORKER_REGISTERS), 106, &job), RK_OK);
    assert_int_equal(hear(w, rk_worker_says(0, RK_WORKER_IS_ALIVE), 106, &job), RK_OK);
    free(w);
}

static void a_heartbeat_keeps_a_worker_but_not_one_that_finishes_nothing(void **state)
{
    (void)state;
    rk_workers *w = open_workers(1, 1);
    rk_assignment a = { 0 };
    rk_u64 job;
    rk_workers_submit(w, 1);
    assert_int_equal(rk_workers_next(w, 10, &a), 1);
    for (rk_u64 now = 100; now < 1000; now += 90) {
        assert_int_equal(hear(w, rk_worker_says(0, RK_WORKER_IS_ALIVE), now, &job), RK_OK);
        assert_true(rk_workers_expire(w, now + 89) > now + 89);
    }
    rk_worker_word nothing = { .what = RK_WORKER_IS_DONE, .place = RK_WORKERS_JOBS, .serial = a.serial };
    assert_int_equal(hear(w, nothing, 1004, &job), RK_INVALID_ARGUMENT); /* that is no result */
    assert_int_equal(hear(w, rk_worker_says(0, RK_WORKER_IS_ALIVE), 1005, &job), RK_OK);
    rk_workers_expire(w, 1010); /* it has had its job for 1,000 */
    assert_int_equal(w->lost, 1);
    assert_int_equal(w->worker[RK_WORKERS_NOBODY].queued, 1);
    free(w);
}

static void a_worker_that_may_be_silent_or_take_its_time_for_good_is_kept(void **state)
{
    (void)state;
    static const struct {
        rk_u64 silence_ns, stall_ns, next_ns;
    } row[] = { { RK_NO_DEADLINE, RK_NO_DEADLINE, 0 },
                { RK_NO_DEADLINE, 1000, 1005 },
                { 100, RK_NO_DEADLINE, 105 } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rk_workers *w = calloc(1, sizeof *w);
        rk_assignment a = { 0 };
        assert_non_null(w);
        assert_int_equal(rk_workers_open(w, 1, row[i].silence_ns, row[i].stall_ns), RK_OK);
        rk_workers_register(w, 0);
        assert_int_equal(rk_workers_submit(w, 1), RK_OK);
        assert_int_equal(rk_workers_next(w, 5, &a), 1);
        assert_int_equal(rk_workers_expire(w, 6), row[i].next_ns);
        assert_int_equal(w->lost, 0);
        if (row[i].next_ns) rk_workers_expire(w, row[i].next_ns);
        assert_int_equal(w->lost, row[i].next_ns != 0);
        free(w);
    }
}

static void a_queue_of_one_and_a_half_times_the_mean_is_shortened(void **state)
{
    (void)state;
    rk_workers *w = open_workers(2, 2);
    rk_assignment a = { 0 };
    rk_u64 job;
    for (rk_u64 j = 0; j < 40; j++) rk_workers_submit(w, j);
    /* worker 0 does nothing, worker 1 everything: at last 0 has the two that are with it */
    while (rk_workers_next(w, 1, &a)) {
        if (a.worker == 1) assert_int_equal(hear(w, rk_worker_done(&a, 0), 1, &job), RK_OK);
        rk_u32 load = rk_workers_load(w, 0), all = load + rk_workers_load(w, 1);
        assert_true(4 * load <= 3 * all || w->worker[0].queued == 0 || load < rk_workers_load(w, 1) + 2u);
    }
    assert_int_equal(w->completed, 38);
    assert_int_equal(rk_workers_load(w, 0), 2);
    assert_true(w->moved > 10);
    free(w);
}

static void a_queue_is_shortened_from_one_job_beyond_one_and_a_half_times_the_mean(void **state)
{
    (void)state;
    /* given queues of nine and three, when the longer one is exactly 1.5 times the mean, then it stays so */
    rk_workers *w = open_workers(1, 2);
    for (rk_u64 j = 0; j < 6; j++) assert_int_equal(rk_workers_submit(w, j), RK_OK);
    for (rk_u32 place = 6; place < 12; place++) {
        assert_int_equal(rk_workers_submit(w, place), RK_OK);
        rk_workers_unlink(w, place);
        rk_workers_enqueue(w, 0, place);
    }
    rk_workers_balance(w);
    assert_int_equal(w->moved, 0);
    assert_int_equal(rk_workers_load(w, 0), 9);
    assert_int_equal(rk_workers_load(w, 1), 3);

    /* and with one job more, one goes to the other */
    assert_int_equal(rk_workers_submit(w, 12), RK_OK);
    rk_workers_unlink(w, 12);
    rk_workers_enqueue(w, 0, 12);
    rk_workers_balance(w);
    assert_int_equal(w->moved, 1);
    assert_int_equal(rk_workers_load(w, 0), 9);
    assert_int_equal(rk_workers_load(w, 1), 4);
    free(w);
}

static void who_leaves_or_registers_anew_has_forgotten_what_it_had(void **state)
{
    (void)state;
    rk_workers *w = open_workers(3, 2);
    rk_assignment a = { 0 };
    rk_u64 job;
    for (rk_u64 j = 0; j < 6; j++) rk_workers_submit(w, j);
    while (rk_workers_next(w, 1, &a)) {}
    assert_int_equal(hear(w, rk_worker_says(1, RK_WORKER_REGISTERS), 2, &job), RK_OK);
    assert_int_equal(w->worker[1].sent, 0);
    assert_int_equal(w->reassigned, 3);
    assert_int_equal(hear(w, rk_worker_says(0, RK_WORKER_LEAVES), 2, &job), RK_OK);
    assert_int_equal(w->worker[1].queued, 6);
    assert_int_equal(hear(w, rk_worker_says(0, RK_WORKER_LEAVES), 2, &job), RK_NOT_ACTIVE);
    free(w);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    rk_workers *w = calloc(1, sizeof *w);
    rk_u64 job;
    assert_non_null(w);
    assert_int_equal(rk_workers_submit(w, 1), RK_NOT_ACTIVE);
    assert_int_equal(rk_workers_open(w, 0, 1, 1), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_workers_open(w, 1, 0, 1), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_workers_open(w, 1, 1, 0), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_workers_open(w, 1, 1, 1), RK_OK);
    assert_int_equal(hear(w, rk_worker_says(RK_WORKERS_MAX, RK_WORKER_REGISTERS), 1, &job),
                     RK_INVALID_ARGUMENT);
    rk_workers_register(w, 0);
    assert_int_equal(hear(w, rk_worker_says(0, 9), 1, &job), RK_INVALID_ARGUMENT);
    rk_worker_word never = { .what = RK_WORKER_IS_DONE, .place = 0, .serial = 1 },
                   nowhere = { .what = RK_WORKER_IS_DONE, .place = RK_WORKERS_JOBS, .serial = 1 };
    assert_int_equal(hear(w, never, 1, &job), RK_INVALID_ARGUMENT);
    assert_int_equal(hear(w, nowhere, 1, &job), RK_INVALID_ARGUMENT);
    free(w);
}

static void serial_numbers_wrap(void **state)
{
    (void)state;
    /* given more jobs than there are numbers, of which the last five are outstanding when the numbers begin anew */
    rk_workers *w = open_workers(10, 1);
    rk_assignment with[10] = { 0 };
    rk_u64 job = 0;
    const rk_u64 now_ns = (rk_u64)(~0u - 4u) << 10;
    for (rk_u64 j = 0; j < 10; j++) {
        assert_int_equal(rk_workers_submit(w, j), RK_OK);
        assert_int_equal(rk_workers_next(w, now_ns, &with[j]), 1);
        assert_int_not_equal(with[j].serial, 0);
    }
    assert_int_equal(with[9].serial, 5);

    /* then each of them is done, and once */
    for (rk_u64 j = 0; j < 10; j++) {
        assert_int_equal(hear(w, rk_worker_done(&with[j], 0), 2, &job), RK_OK);
        assert_int_equal(job, j);
        assert_int_equal(hear(w, rk_worker_done(&with[j], 0), 2, &job), RK_DUPLICATE);
    }
    assert_int_equal(rk_workers_outstanding(w), 0);
    free(w);
}

/* Given a coordinator that has forgotten everything, when a result of before comes, then it is that of no job now. */
static void a_result_of_before_a_restart_is_not_taken_for_one_of_now(void **state)
{
    (void)state;
    for (rk_u64 now_ns = 5000; now_ns < RK_SECONDS(20000); now_ns *= 3) { /* numbers wrap on the way */
        rk_workers *w = open_workers(10, 1);
        rk_assignment before = { 0 }, a = { 0 };
        rk_u64 job = 0;
        assert_int_equal(rk_workers_submit(w, 1), RK_OK);
        assert_int_equal(rk_workers_next(w, now_ns, &before), 1);
        free(w);
        w = open_workers(10, 1);
        assert_int_equal(rk_workers_submit(w, 2), RK_OK);
        assert_int_not_equal(hear(w, rk_worker_done(&before, 0), now_ns + 1500, &job), RK_OK);
        assert_int_equal(rk_workers_next(w, now_ns + 2000, &a), 1);
        assert_int_equal(a.place, before.place);
        assert_int_equal(hear(w, rk_worker_done(&before, 0), now_ns + 3000, &job), RK_DUPLICATE);
        assert_int_equal(hear(w, rk_worker_done(&a, 0), now_ns + 3000, &job), RK_OK);
        assert_int_equal(job, 2);
        free(w);
    }
}

/* Given a job that a patient worker has for hours, when numbers have gone once round, then its result counts. */
static void a_result_that_takes_hours_counts(void **state)
{
    (void)state;
    rk_workers *w = calloc(1, sizeof *w);
    rk_assignment slow = { 0 }, a = { 0 };
    rk_u64 job = 0;
    assert_non_null(w);
    assert_int_equal(rk_workers_open(w, 2, RK_NO_DEADLINE, RK_NO_DEADLINE), RK_OK);
    rk_workers_register(w, 0);
    assert_int_equal(rk_workers_submit(w, 1), RK_OK);
    assert_int_equal(rk_workers_next(w, 5000, &slow), 1);
    assert_int_equal(rk_workers_submit(w, 2), RK_OK);
    assert_int_equal(rk_workers_next(w, RK_SECONDS(3000), &a), 1);
    assert_int_equal(hear(w, rk_worker_done(&slow, 0), RK_SECONDS(3001), &job), RK_OK);
    assert_int_equal(job, 1);
    assert_int_equal(hear(w, rk_worker_done(&a, 0), RK_SECONDS(3001), &job), RK_OK);
    free(w);
}

/* Each job counts once, whatever workers do; those that are lost and those that are slow say what they do later. */
static void each_job_counts_once_whatever_happens(void **state)
{
    (void)state;
    enum { WORKERS = 6, JOBS = 3000, SAID = 4096 };
    static rk_assignment with[SAID];
    static rk_u8 counted[JOBS];
    for (rk_u32 seed = 1; seed <= 30; seed++) {
        rk_workers *w = open_workers(1 + seed % 5, WORKERS);
        rk_u32 random = seed, held = 0, completed = 0;
        rk_u64 now = 1, submitted = 0, job;
        memset(counted, 0, sizeof counted);
        while (completed < JOBS) {
            random = random * 1664525u + 1013904223u;
            rk_u32 what = (random >> 8) % 100, who = (random >> 16) % WORKERS;
            now += (random >> 24) % 8;
            if (what < 30 && submitted < JOBS) {
                if (rk_workers_submit(w, submitted) == RK_OK) submitted++;
            } else if (what < 60) {
                if (held < SAID && rk_workers_next(w, now, &with[held])) held++;
            } else if (what < 90 && held) {
                rk_u32 i = random % held;
                rk_status status = hear(w, rk_worker_done(&with[i], 0), now, &job);
                if (status == RK_OK) {
                    assert_int_equal(job, with[i].job);
                    assert_int_equal(counted[job]++, 0);
                    completed++;
                } else {
                    assert_int_equal(status, RK_DUPLICATE);
                }
                if (what < 80) with[i] = with[--held]; /* else it is said again later */
            } else if (what < 94) {
                rk_workers_expire(w, now);
            } else if (what < 97) {
                hear(w, rk_worker_says(who, RK_WORKER_IS_ALIVE), now, &job);
            } else if (what < 99) {
                if (!w->worker[who].registered) hear(w, rk_worker_says(who, RK_WORKER_REGISTERS), now, &job);
            } else {
                hear(w, rk_worker_says(who, what & 1 ? RK_WORKER_LEAVES : RK_WORKER_REGISTERS), now, &job);
            }
            rk_u32 queued = w->worker[RK_WORKERS_NOBODY].queued;
            for (rk_u32 i = 0; i < WORKERS; i++) queued += rk_workers_load(w, i);
            assert_int_equal(queued, rk_workers_outstanding(w));
        }
        assert_int_equal(w->completed, JOBS);
        free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_go_to_the_shortest_queue_and_a_window_of_them_to_the_worker),
        cmocka_unit_test(without_a_worker_jobs_wait_and_beyond_the_room_they_are_refused),
        cmocka_unit_test(a_lost_workers_jobs_are_others_and_its_late_results_count_once),
        cmocka_unit_test(a_heartbeat_keeps_a_worker_but_not_one_that_finishes_nothing),
        cmocka_unit_test(a_worker_that_may_be_silent_or_take_its_time_for_good_is_kept),
        cmocka_unit_test(a_queue_of_one_and_a_half_times_the_mean_is_shortened),
        cmocka_unit_test(a_queue_is_shortened_from_one_job_beyond_one_and_a_half_times_the_mean),
        cmocka_unit_test(who_leaves_or_registers_anew_has_forgotten_what_it_had),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(serial_numbers_wrap),
        cmocka_unit_test(a_result_of_before_a_restart_is_not_taken_for_one_of_now),
        cmocka_unit_test(a_result_that_takes_hours_counts),
        cmocka_unit_test(each_job_counts_once_whatever_happens),
    };
    return cmocka_run_group_tests_name("workers", tests, 0, 0);
}
