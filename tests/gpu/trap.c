/* A handler that traps takes the device from its process: the kernel fails with the reason, its account says what was handled and
 * what wasn't, and another process goes on from the last snapshot, on the device again and on the CPU.
 *
 *     trap [--backend cuda|cuda-slices]
 *
 * It starts itself for each of these processes. Every wait has a deadline. The exit status is 1 if anything is wrong, 77
 * where the backend isn't there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#include "trap.rk.h"

enum { SAVED = 1000, LOST = 200, LAST = 2000 };
#define PATIENCE_NS RK_SECONDS(60)

static const char *backend = "cuda";

static _Noreturn void refuse(const char *what, int line)
{
    printf("WRONG, line %d: %s\n%s\n", line, what, rk_error_text());
    exit(1);
}
#define NEED(condition)                                 \
    do {                                                \
        if (!(condition)) refuse(#condition, __LINE__); \
    } while (0)

/* ------------------------------------------------------------------ a runtime with the kernel */

static rk_runtime *runtime;
static rk_kernel teller;

static rk_status open_on(const char *name)
{
    const rk_runtime_options o = { RK_RUNTIME_OPTIONS,
                                   .backend = strcmp(name, "cpu") ? RK_BACKEND_CUDA : RK_BACKEND_CPU,
                                   .slices = strcmp(name, "cuda-slices") == 0 };
    return rk_open(&o, &runtime);
}

static void launch(void)
{
    rk_launch_options o = rk_production();
    o.kernel_name = "teller";
    o.deduplication_window = 0;
    NEED(rk_launch(runtime, "teller", &o, &teller) == RK_OK);
}

static void send(rk_u64 value, rk_u64 traps)
{
    const deposit d = { value, traps };
    NEED(rk_send(runtime, teller, RK_BODY(d), 0) == RK_OK);
}

/* The numbers behind `from`, up to `last`; each answer tells the sum so far. */
static void add(rk_u64 from, rk_u64 last)
{
    for (rk_u64 n = from + 1u; n <= last; n++) {
        balance b;
        send(n, 0);
        NEED(rk_receive(runtime, teller, &b, sizeof b, 0, PATIENCE_NS) == RK_OK);
        NEED(b.count == n && b.sum == n * (n + 1u) / 2u);
    }
}

/* ------------------------------------------------------------------ the processes */

static void keep(const rk_snapshot *snapshot, const char *path)
{
    FILE *file = fopen(path, "wb");
    NEED(file && fwrite(snapshot->bytes, 1, snapshot->size, file) == snapshot->size && fclose(file) == 0);
}

static void work_until_it_traps(const char *path)
{
    rk_snapshot snapshot = RK_SNAPSHOT_NONE;
    rk_kernel_info info;
    rk_account a;
    if (open_on(backend) != RK_OK) {
        printf("trap: %s\n", rk_error_text());
        exit(77);
    }
    launch();
    NEED(rk_activate(runtime, teller) == RK_OK);
    add(0, SAVED);
    NEED(rk_snapshot_take(runtime, &teller, 1, PATIENCE_NS, 0, 0, &snapshot) == RK_OK);
    keep(&snapshot, path);
    add(SAVED, SAVED + LOST);
    send(0, 1);
    const rk_u64 until = rk_clock_ns(runtime) + PATIENCE_NS;
    do {
        NEED(rk_kernel_information(runtime, teller, &info) == RK_OK && rk_clock_ns(runtime) < until);
        usleep(1000);
    } while (info.life != RK_LIFE_FAILED);
    printf("the kernel has failed: %s\n", info.failure);
    NEED(strstr(info.failure, "the device is lost"));
    deposit late = { 1, 0 };
    NEED(rk_send(runtime, teller, RK_BODY(late), 0) == RK_CLOSED); /* and nobody waits for it */
    NEED(rk_account_of(runtime, teller, &a) == RK_OK);
    printf("accepted %llu = delivered %llu + lost %llu + queued %llu\n", (unsigned long long)a.accepted,
           (unsigned long long)a.delivered, (unsigned long long)a.lost, (unsigned long long)a.queued);
    NEED(a.balanced && a.accepted == SAVED + LOST + 1u && a.delivered <= a.accepted);
    NEED(rk_snapshot_take(runtime, &teller, 1, PATIENCE_NS, 0, 0, &snapshot) == RK_FAILED);
    rk_snapshot_free(&snapshot);
    NEED(rk_close(runtime) == RK_OK);
    printf("opened again in this process: %s\n", open_on(backend) == RK_OK ? "yes" : rk_error_text());
}

static void go_on(const char *path, const char *on)
{
    static char bytes[1 << 20];
    teller_state state;
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    NEED(size && size < sizeof bytes && fclose(file) == 0);
    NEED(open_on(on) == RK_OK);
    launch();
    NEED(rk_snapshot_restore(runtime, &teller, 1, bytes, size) == RK_OK);
    NEED(rk_read_state(runtime, teller, 0, &state, sizeof state) == RK_OK && state.count == SAVED);
    NEED(rk_activate(runtime, teller) == RK_OK);
    add(SAVED, LAST);
    NEED(rk_close(runtime) == RK_OK);
    printf("goes on from %d on %s: %d handled\n", SAVED, on, LAST);
}

/* ------------------------------------------------------------------ the program */

static int child(const char *part, const char *path)
{
    const pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        execl("/proc/self/exe", "trap", part, path, backend, (char *)0);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 1;
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    if (argc == 4 && argv[1][0] != '-') { /* one of those processes */
        backend = argv[3];
        if (strcmp(argv[1], "work") == 0)
            work_until_it_traps(argv[2]);
        else
            go_on(argv[2], argv[1]);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--backend") == 0)
        backend = argv[2];
    else if (argc != 1) {
        fprintf(stderr, "usage: trap [--backend cuda|cuda-slices]\n");
        return 2;
    }
    char path[] = "/tmp/rk-trap-XXXXXX";
    const int file = mkstemp(path);
    if (file < 0) return perror("trap: /tmp"), 1;
    close(file);
    int status = child("work", path);
    if (status == 0) status = child(backend, path);
    if (status == 0) status = child("cpu", path);
    unlink(path);
    return status;
}
