/* A process that loses its device, as after a trap: its kernels fail, their accounts say what was queued, and
 * the next process goes on from the checkpoint, on that device or on the CPU.
 *
 * The device is the emulated one (tests/emulator), which runs the kernel's own code and is lost on demand.
 * What the processes find is told by their exit codes; without the emulator the test is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ringkernel/checkpoint.h>
#include <ringkernel/ringkernel.h>

#include "../../tests/kernels/contract_a.rk.h"
#include "../../tests/mock/mock_cuda.h"

#define EMULATOR RK_BINARY_DIR "/tests/emulator"

enum { SAVED = 30, LOST = 12, QUEUED = 5, LAST = 60 };

typedef struct adder_state {
    rk_i64 sum;
    rk_u32 count, redelivered;
} adder_state;

static void refuse(const char *why, int line)
{
    fprintf(stderr, "child, line %d: %s\n%s\n", line, why, rk_error_text());
    exit(1);
}

#define NEED(condition)                                 \
    do {                                                \
        if (!(condition)) refuse(#condition, __LINE__); \
    } while (0)

/* ------------------------------------------------------------------ the processes */

typedef struct desk {
    rk_runtime *runtime;
    rk_kernel adder;
    rk_checkpoints *checkpoints;
} desk;

static desk open_desk(const char *folder, rk_u32 backend)
{
    rk_runtime_options open = { RK_RUNTIME_OPTIONS, .backend = backend, .unpinned = 1 };
    rk_launch_options o = rk_production();
    desk d;
    NEED(rk_open(&open, &d.runtime) == RK_OK);
    NEED(rk_launch(d.runtime, "adder", &o, &d.adder) == RK_OK);
    NEED(rk_checkpoints_open(d.runtime, folder, &d.adder, 1, 0, &d.checkpoints) == RK_OK);
    return d;
}

/* Add the numbers from `row` + 1 to `last`, and take the answers, which tell the sum each time. */
static void add_rows(desk *d, rk_u64 row, rk_u64 last)
{
    while (row < last) {
        amount a = { (rk_i64)++row };
        total t;
        NEED(rk_send(d->runtime, d->adder, RK_BODY(a), 0) == RK_OK);
        NEED(rk_receive(d->runtime, d->adder, &t, sizeof t, 0, RK_SECONDS(60)) == RK_OK);
        NEED(t.count == row && t.sum == (rk_i64)(row * (row + 1) / 2));
    }
}

static rk_kernel_info info_of(desk *d)
{
    rk_kernel_info info;
    NEED(rk_kernel_information(d->runtime, d->adder, &info) == RK_OK);
    return info;
}

static void lose_device(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    NEED(driver != 0);
    mock_cuda_state *mock = dlsym(driver, "mock_cuda");
    NEED(mock != 0);
    __atomic_store_n(&mock->lost, RK_CUDA_ERROR_ILLEGAL_INSTRUCTION, __ATOMIC_RELEASE);
}

/* A checkpoint after SAVED rows, LOST more, QUEUED that nobody handles any more, and then the trap. */
static void work_until_it_traps(const char *folder)
{
    desk d = open_desk(folder, RK_BACKEND_CUDA);
    rk_account a;
    NEED(rk_activate(d.runtime, d.adder) == RK_OK);
    add_rows(&d, 0, SAVED);
    NEED(rk_checkpoint(d.checkpoints) == RK_OK);
    add_rows(&d, SAVED, SAVED + LOST);
    NEED(rk_deactivate(d.runtime, d.adder) == RK_OK);
    for (rk_u32 i = 0; i < QUEUED; i++) {
        amount b = { 1 };
        NEED(rk_send(d.runtime, d.adder, RK_BODY(b), 0) == RK_OK);
    }
    lose_device();
    NEED(rk_activate(d.runtime, d.adder) == RK_DEVICE_LOST);
    NEED(info_of(&d).life == RK_LIFE_FAILED);
    NEED(strstr(info_of(&d).failure, "the device is lost"));
    NEED(rk_account_of(d.runtime, d.adder, &a) == RK_OK);
    NEED(a.balanced && a.accepted == SAVED + LOST + QUEUED && a.delivered == SAVED + LOST &&
         a.queued == QUEUED);
    NEED(rk_checkpoint(d.checkpoints) != RK_OK); /* of what is lost there is none */
    rk_checkpoints_close(d.checkpoints);
    NEED(rk_close(d.runtime) == RK_OK);
}

/* What the checkpoint has, and from there on; another checkpoint is at the end of it. */
static void go_on(const char *folder, rk_u32 backend, rk_u64 from, rk_u64 last)
{
    desk d = open_desk(folder, backend);
    rk_restored restored;
    rk_snapshot_kernel cut;
    adder_state state;
    NEED(rk_checkpoints_restore(d.checkpoints, &restored) == RK_OK && restored.refused == 0);
    NEED(rk_checkpoints_describe(d.checkpoints, 0, &cut) == RK_OK && cut.account.accepted_host == from);
    NEED(rk_read_state(d.runtime, d.adder, 0, &state, sizeof state) == RK_OK && state.count == from);
    NEED(rk_activate(d.runtime, d.adder) == RK_OK);
    add_rows(&d, from, last);
    NEED(rk_checkpoint(d.checkpoints) == RK_OK);
    rk_checkpoints_close(d.checkpoints);
    NEED(rk_close(d.runtime) == RK_OK);
}

static int child(const char *part, const char *folder)
{
    if (strcmp(part, "trap") == 0)
        work_until_it_traps(folder);
    else if (strcmp(part, "device") == 0)
        go_on(folder, RK_BACKEND_CUDA, SAVED, LAST);
    else
        go_on(folder, RK_BACKEND_CPU, LAST, LAST + 10);
    return 0;
}

/* ------------------------------------------------------------------ who starts them */

static int run(const char *part, const char *folder)
{
    int status = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("LD_LIBRARY_PATH", EMULATOR, 1);
        setenv("XDG_CACHE_HOME", RK_BINARY_DIR "/emulated-cache", 1);
        execl("/proc/self/exe", "checkpoint_lost_test", "child", part, folder, (char *)0);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void after_a_trap_the_next_process_goes_on_from_the_checkpoint(void **unused)
{
    (void)unused;
    char folder[] = "/tmp/rk-checkpoint-lost-XXXXXX", path[128];
    if (access(EMULATOR "/libcuda.so.1", R_OK)) skip();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(run("trap", folder), 0);
    assert_int_equal(run("device", folder), 0);
    assert_int_equal(run("cpu", folder), 0);
    static const char *const names[] = { "data.mdb", "lock.mdb", "lock" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "child") == 0) return child(argv[2], argv[3]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_trap_the_next_process_goes_on_from_the_checkpoint),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
