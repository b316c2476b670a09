/* A process that is killed at any moment, also while it writes a checkpoint, goes on from the last one.
 *
 * The child adds 1, 2, 3, … and takes a checkpoint each 200 messages; it begins by restoring the newest, and looks
 * whether what it got is whole: the sum of all numbers up to the row at which it goes on. Whoever runs the test kills it
 * again and again. Without a checkpoint that it can use it begins anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ringkernel/checkpoint.h>
#include <ringkernel/ringkernel.h>

#include "../../tests/kernels/contract_a.rk.h"

enum { EVERY = 200, CHUNK = 50, ROUNDS = 25 };

typedef struct adder_state {
    rk_i64 sum;
    rk_u32 count, redelivered;
} adder_state;

/* ------------------------------------------------------------------ the child */

static void refuse(const char *why)
{
    fprintf(stderr, "child: %s\n%s\n", why, rk_error_text());
    exit(1);
}

#define NEED(condition)                       \
    do {                                      \
        if (!(condition)) refuse(#condition); \
    } while (0)

/* The state is that of the numbers 1 to `row`, but for those that are queued. */
static void check_restored(rk_runtime *runtime, rk_kernel k, const rk_account *cut)
{
    adder_state state;
    rk_account now;
    NEED(rk_read_state(runtime, k, 0, &state, sizeof state) == RK_OK);
    NEED(rk_account_of(runtime, k, &now) == RK_OK);
    NEED(now.balanced && now.accepted == cut->accepted && now.delivered == cut->delivered);
    NEED(state.count == now.delivered);
    NEED(state.sum == (rk_i64)state.count * (state.count + 1) / 2);
}

/* Add rows from `row` + 1 on, in chunks, and take all answers, which tell the sum each time. */
static void add_rows(rk_runtime *runtime, rk_kernel k, rk_u64 row, rk_u64 answered, rk_u64 last)
{
    while (answered < last) {
        for (rk_u32 i = 0; i < CHUNK && row < last; i++) {
            amount a = { (rk_i64)++row };
            NEED(rk_send(runtime, k, RK_BODY(a), 0) == RK_OK);
        }
        while (answered < row) {
            total t;
            NEED(rk_receive(runtime, k, &t, sizeof t, 0, RK_SECONDS(60)) == RK_OK);
            answered++;
            NEED(t.count == answered && t.sum == (rk_i64)(answered * (answered + 1) / 2));
        }
    }
}

/* Tell the parent the number of the checkpoint that was restored, then add up to `last`. */
static int child(const char *folder, rk_u64 last)
{
    rk_runtime_options open = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CPU, .workers = 1, .unpinned = 1 };
    rk_checkpoint_options every = { RK_CHECKPOINT_OPTIONS, .every_messages = EVERY, .full_every = 4,
                                    .timeout_ns = RK_SECONDS(20) };
    rk_launch_options o = rk_production();
    rk_runtime *runtime;
    rk_kernel k;
    rk_checkpoints *checkpoints;
    rk_restored restored;
    rk_snapshot_kernel cut = { .shards = 0 };
    NEED(rk_open(&open, &runtime) == RK_OK);
    NEED(rk_launch(runtime, "adder", &o, &k) == RK_OK);
    NEED(rk_checkpoints_open(runtime, folder, &k, 1, &every, &checkpoints) == RK_OK);
    rk_status status = rk_checkpoints_restore(checkpoints, &restored);
    NEED((status == RK_OK || status == RK_EMPTY) && restored.refused == 0);
    if (status == RK_OK) NEED(rk_checkpoints_describe(checkpoints, 0, &cut) == RK_OK);
    check_restored(runtime, k, &cut.account);
    NEED(write(STDOUT_FILENO, &restored.number, sizeof restored.number) == sizeof restored.number);
    NEED(rk_activate(runtime, k) == RK_OK);
    add_rows(runtime, k, cut.account.accepted_host, cut.account.output_received, last);
    NEED(rk_checkpoint(checkpoints) == RK_OK);
    rk_checkpoints_close(checkpoints);
    NEED(rk_close(runtime) == RK_OK);
    return 0;
}

/* ------------------------------------------------------------------ who kills it */

static pid_t start(const char *folder, const char *last, int *from)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "checkpoint_kill_test", "child", folder, last, (char *)0);
        _exit(127);
    }
    close(ends[1]);
    *from = ends[0];
    return pid;
}

static void a_process_killed_at_any_moment_goes_on_from_its_last_checkpoint(void **unused)
{
    (void)unused;
    char folder[] = "/tmp/rk-checkpoint-kill-XXXXXX", last[32];
    rk_u64 number = 0, before = 0, seed = 1;
    int from, status;
    assert_non_null(mkdtemp(folder));
    for (rk_u32 round = 0; round < ROUNDS; round++) {
        pid_t pid = start(folder, "1000000000", &from);
        assert_int_equal(read(from, &number, sizeof number), sizeof number); /* what it got was whole */
        assert_true(number >= before);
        before = number;
        /* Any moment within the next 40 ms. */
        struct timespec moment = { 0, (long)(rk_hash64(seed++) % 40000000u) };
        nanosleep(&moment, 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        close(from);
    }

    assert_true(before > 1); /* it did take some, and did go on from them */

    /* And left alone it gets to its end: a little further than anybody has come. */
    rk_checkpoint_options plain = { RK_CHECKPOINT_OPTIONS };
    rk_runtime_options open = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CPU, .single_step = 1 };
    rk_launch_options o = rk_production();
    rk_runtime *runtime;
    rk_kernel k;
    rk_checkpoints *checkpoints;
    rk_restored restored;
    rk_snapshot_kernel cut = { .shards = 0 };
    for (rk_u32 end = 0; end < 2; end++) {
        assert_int_equal(rk_open(&open, &runtime), RK_OK);
        assert_int_equal(rk_launch(runtime, "adder", &o, &k), RK_OK);
        assert_int_equal(rk_checkpoints_open(runtime, folder, &k, 1, &plain, &checkpoints), RK_OK);
        rk_status got = rk_checkpoints_restore(checkpoints, &restored);
        assert_true(got == RK_OK || (end == 0 && got == RK_EMPTY));
        rk_u64 rows = cut.account.accepted_host;
        if (got == RK_OK) assert_int_equal(rk_checkpoints_describe(checkpoints, 0, &cut), RK_OK);
        if (end) assert_int_equal(cut.account.accepted_host, rows + 1000);
        rk_checkpoints_close(checkpoints);
        assert_int_equal(rk_close(runtime), RK_OK);
        if (end) break;
        snprintf(last, sizeof last, "%llu", (unsigned long long)cut.account.accepted_host + 1000);
        pid_t pid = start(folder, last, &from);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        close(from);
    }

    const char *const names[] = { "data.mdb", "lock.mdb", "lock" };
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "child") == 0) return child(argv[2], strtoull(argv[3], 0, 10));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_killed_at_any_moment_goes_on_from_its_last_checkpoint),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
