/* The life of kernels on a device: thousands of restarts and launches without a hang or a byte more memory, a killed
 * process that leaves nothing behind, and code that is loaded while other kernels stay.
 *
 *     residents cycles [--backend B] [--restarts N] [--launches N] [--reopens N] [--growth MIB]
 *     residents killed [--backend B] [--times N]     a process that serves a full grid is killed; is the device free?
 *     residents loading [--backend B]                code is loaded, and functions used first, beside kernels that stay
 *     residents fill [--backend B]                   one process of `killed`: fills the device, answers, ends
 *     residents serve [--backend B]                  the same, and serves until it is killed
 *
 * B is cpu, cuda (the default) or cuda-slices. Every step has a deadline, behind which the process ends. The exit status
 * is 1 if anything is wrong, 77 where the backend isn't there. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#include "backend/cuda/cuda_device.h"
#include "residents.rk.h"

#define STEP_LIMIT_S 30u /* a step that takes longer hangs */
#define BATCH 16u
#define REPLY_NS RK_SECONDS(5)
#define MIB (1u << 20)
#define GRID_MOST 4096u    /* shards of a kernel */
#define GRID_OF_CPU 256u   /* which would take any number */
#define FREE_WITHIN_S 10.0 /* of a kill: another process has filled the device */
#define FREE_TOLERANCE (64ll * MIB)

static rk_runtime_options backend = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CUDA };
static const char *backend_name = "cuda";
static rk_runtime *runtime;
static rk_u32 restarts = 10000, launches = 300, reopens = 4, growth_mib = 4, times = 3;
static rk_u32 steps, ended; /* atomic: the watchdog's */
static int failures;

/* ------------------------------------------------------------------ deadlines */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void step(void) { __atomic_add_fetch(&steps, 1, __ATOMIC_RELEASE); }

/* Ends the process when a step takes too long: what is stuck on the device ends with it. */
static void *watch(void *what)
{
    rk_u32 seen = 0;
    for (double since = now_s(); !__atomic_load_n(&ended, __ATOMIC_ACQUIRE); usleep(50000)) {
        rk_u32 now = __atomic_load_n(&steps, __ATOMIC_ACQUIRE);
        if (now != seen) since = now_s();
        seen = now;
        if (now_s() - since < STEP_LIMIT_S) continue;
        fprintf(stderr, "residents %s: step %u has taken %u s\n", (const char *)what, seen, STEP_LIMIT_S);
        fflush(0);
        _exit(1);
    }
    return 0;
}

static void expect(int holds, const char *what)
{
    if (!holds) printf("WRONG: %s\n", what);
    failures += !holds;
}

/* ------------------------------------------------------------------ memory */

typedef struct memory {
    rk_i64 host, device; /* bytes: what this process has, and what the device has left */
} memory;

static rk_cuda driver;

static memory measure(void)
{
    memory m = { 0, 0 };
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld %ld", &pages, &resident) == 2) m.host = resident * sysconf(_SC_PAGESIZE);
    if (file) fclose(file);
    if (backend.backend != RK_BACKEND_CUDA) return m;
    size_t left = 0, all = 0;
    rk_cu_context context;
    if (!driver.device_count && rk_cuda_load(0, &driver) != RK_OK) return m; /* opening says why */
    if (driver.cuDevicePrimaryCtxRetain(&context, 0)) RK_CHECK(RK_DEVICE_LOST);
    driver.cuCtxPushCurrent(context);
    driver.cuMemGetInfo(&left, &all);
    driver.cuCtxPopCurrent(&context);
    driver.cuDevicePrimaryCtxRelease(0);
    m.device = (rk_i64)left;
    return m;
}

static void check_growth(const char *what, memory before)
{
    memory after = measure();
    rk_i64 host = after.host - before.host, taken = before.device - after.device,
           most = growth_mib * (rk_i64)MIB;
    printf("  memory: host %+lld KiB, device %+lld KiB\n", (long long)host / 1024, (long long)taken / 1024);
    expect(host <= most && taken <= most, what);
}

/* ------------------------------------------------------------------ kernels */

static void open_runtime(void)
{
    rk_status status = rk_open(&backend, &runtime);
    if (status == RK_OK) return;
    fprintf(stderr, "residents: %s", rk_error_text());
    exit(status == RK_UNSUPPORTED ? 77 : 1);
}

static rk_kernel launch(const char *id, const char *name, rk_u32 shards)
{
    rk_launch_options o = rk_production();
    rk_kernel kernel;
    o.kernel_name = name;
    o.deduplication_window = 0;
    o.queue_capacity = BATCH;
    o.shards = o.blocks = shards;
    RK_CHECK(rk_launch(runtime, id, &o, &kernel));
    return kernel;
}

/* `n` messages to a shard, and their answers, in order. */
static void round_trip(rk_kernel kernel, rk_u32 shard, rk_u32 n, rk_u32 adds)
{
    static __thread rk_u32 number;
    lived out[BATCH] = { { 0, 0 } }, in[BATCH];
    rk_send_options o = RK_SEND_DEFAULTS;
    rk_u32 first = number;
    size_t accepted = 0;
    o.target = shard;
    o.timeout_ns = REPLY_NS;
    for (rk_u32 i = 0; i < n; i++) out[i] = (lived){ number++, 0 };
    RK_CHECK(rk_send_many(runtime, kernel, RK_TYPE_ID(lived), out, sizeof *out, n, &o, &accepted));
    for (size_t done = 0, got; done < n; done += got) {
        got = 0;
        RK_CHECK(rk_receive_many(runtime, kernel, in + done, sizeof *in, n - done, 0, REPLY_NS, &got));
    }
    for (rk_u32 i = 0; i < n; i++)
        if (in[i].number != first + i + adds || in[i].shard != shard) expect(0, "an answer is another one's");
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void show_times(const char *what, float *us, rk_u32 n)
{
    qsort(us, n, sizeof *us, by_value);
    printf("%s: %u, p50 %.0f µs, p99 %.0f µs, longest %.0f µs\n", what, n, (double)us[n / 2],
           (double)us[n - 1 - n / 100], (double)us[n - 1]);
}

/* Runs `cycle` n times, of which the first tenth warms up; memory may not grow from there on. */
static void repeat(const char *what, rk_u32 n, void (*cycle)(rk_u32 i))
{
    float *us = calloc(n + 1, sizeof *us);
    memory before = measure();
    if (!us) RK_CHECK(RK_OUT_OF_MEMORY);
    memset(us, 1, n * sizeof *us); /* its pages are there before they are counted */
    for (rk_u32 i = 0; i < n; i++) {
        if (i == n / 10) before = measure();
        double begin = now_s();
        cycle(i);
        us[i] = (float)((now_s() - begin) * 1e6);
        step();
    }
    if (n) {
        show_times(what, us, n);
        check_growth(what, before);
    }
    free(us);
}

/* ------------------------------------------------------------------ cycles */

static rk_kernel restarted;

static void restart(rk_u32 i)
{
    RK_CHECK(rk_activate(runtime, restarted));
    round_trip(restarted, i % 4u, 1u + i % BATCH, 0);
    RK_CHECK(rk_deactivate(runtime, restarted));
}

/* Every other kernel still has messages when it is terminated. */
static void launch_and_terminate(rk_u32 i)
{
    static const char *const names[] = { "answer_first", "answer_second", "answer_third" };
    rk_kernel kernel = launch("again", names[i % 3u], 1u + i % 4u);
    RK_CHECK(rk_activate(runtime, kernel));
    round_trip(kernel, 0, 1u + i % BATCH, i % 3u);
    lived more = { 0, 0 };
    for (rk_u32 n = 0; n < i % 2u * 4u; n++) RK_CHECK(rk_send(runtime, kernel, RK_BODY(more), 0));
    RK_CHECK(rk_terminate(runtime, kernel, RK_SECONDS(5)));
}

static void reopen(rk_u32 i)
{
    open_runtime();
    restarted = launch("restarted", "answer_first", 4);
    restart(i);
    RK_CHECK(rk_close(runtime));
}

static void run_cycles(void)
{
    open_runtime();
    restarted = launch("restarted", "answer_first", 4);
    repeat("restarts", restarts, restart);
    repeat("launches", launches, launch_and_terminate);
    RK_CHECK(rk_close(runtime));
    repeat("runtimes", reopens, reopen);
}

/* ------------------------------------------------------------------ a full device */

/* The largest grid that the device holds, as the refusal of a larger one tells it. */
static rk_kernel fill_device(rk_u32 *blocks)
{
    for (*blocks = backend.backend == RK_BACKEND_CPU ? GRID_OF_CPU : GRID_MOST;;) {
        rk_kernel kernel = launch("grid", "answer_first", *blocks);
        rk_status status = rk_activate(runtime, kernel);
        if (status == RK_OK) return kernel;
        static const char words[] = "the largest grid that can has ";
        const char *most = strstr(rk_error_text(), words);
        rk_u32 fits = most ? (rk_u32)strtoul(most + sizeof words - 1, 0, 10) : 0;
        if (status != RK_LIMIT || fits == 0 || fits >= *blocks) RK_CHECK(status);
        *blocks = fits;
        RK_CHECK(rk_terminate(runtime, kernel, RK_SECONDS(5)));
        step();
    }
}

/* Every block answers. Says how many there are, and what the device had left before. */
static rk_kernel fill(rk_u32 *blocks)
{
    memory before = measure();
    open_runtime();
    rk_kernel kernel = fill_device(blocks);
    for (rk_u32 s = 0; s < *blocks; s++) {
        round_trip(kernel, s, 1, 0);
        step();
    }
    printf("%u blocks answer, %lld bytes were left\n", *blocks, (long long)before.device);
    fflush(stdout);
    return kernel;
}

static void run_fill(void)
{
    rk_u32 blocks;
    fill(&blocks);
    RK_CHECK(rk_close(runtime));
}

static void run_serve(void)
{
    rk_u32 blocks;
    rk_kernel kernel = fill(&blocks);
    for (double end = now_s() + STEP_LIMIT_S; now_s() < end; step())
        for (rk_u32 s = 0; s < blocks; s++) round_trip(kernel, s, BATCH, 0);
    RK_CHECK(rk_close(runtime));
}

/* ------------------------------------------------------------------ killed */

typedef struct child {
    pid_t id;
    FILE *says;
} child;

static child begin_child(const char *what)
{
    int ends[2];
    child c;
    if (pipe(ends)) RK_CHECK(RK_IO);
    fflush(0);
    c.id = fork();
    if (c.id < 0) RK_CHECK(RK_IO);
    if (c.id == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "residents", what, "--backend", backend_name, (char *)0);
        _exit(127);
    }
    close(ends[1]);
    c.says = fdopen(ends[0], "r");
    return c;
}

/* What it says once it serves. 0: it ended without. */
static int listen_to(const child *c, rk_u32 *blocks, rk_i64 *left)
{
    char text[256] = "";
    long long bytes = 0;
    int heard = fgets(text, sizeof text, c->says) &&
                sscanf(text, "%u blocks answer, %lld bytes were left", blocks, &bytes) == 2;
    *left = bytes;
    return heard;
}

static int end_child(const child *c)
{
    int status = 0;
    waitpid(c->id, &status, 0);
    fclose(c->says);
    return status;
}

/* A process of its own fills the device. Its exit status. */
static int fill_once(rk_u32 *blocks, rk_i64 *left)
{
    child c = begin_child("fill");
    int heard = listen_to(&c, blocks, left), status = end_child(&c);
    step();
    return WIFEXITED(status) && (heard || WEXITSTATUS(status)) ? WEXITSTATUS(status) : 1;
}

static void run_killed(void)
{
    rk_u32 blocks = 0, served = 0, again = 0;
    rk_i64 left = 0, then = 0, ignored = 0;
    int status = fill_once(&blocks, &left);
    if (status) exit(status);
    printf("a device that is free: %u blocks, %lld MiB left\n", blocks, (long long)left / MIB);
    for (rk_u32 i = 0; i < times; i++) {
        child c = begin_child("serve");
        expect(listen_to(&c, &served, &ignored) && served == blocks,
               "the process that is to be killed serves");
        usleep(100000 + 70000 * i);
        double begin = now_s();
        kill(c.id, SIGKILL);
        status = end_child(&c);
        double died = now_s() - begin;
        expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it was killed");
        step();
        expect(fill_once(&again, &then) == 0, "the next process fills the device");
        double took = now_s() - begin;
        printf("killed with %u blocks: gone after %.3f s, filled again with %u after %.3f s, %lld MiB left\n",
               served, died, again, took, (long long)then / MIB);
        expect(again == blocks, "there is room for as many blocks as before");
        expect(took < FREE_WITHIN_S, "the device is free within seconds");
        expect(then >= left - FREE_TOLERANCE, "the device's memory is free");
    }
}

/* ------------------------------------------------------------------ code that comes later */

static rk_u32 talking = 1; /* atomic */
static rk_u32 answers;     /* atomic */

static void *talk(void *argument)
{
    const rk_kernel *kernel = argument;
    while (__atomic_load_n(&talking, __ATOMIC_ACQUIRE)) {
        round_trip(*kernel, 0, 1, 0);
        __atomic_add_fetch(&answers, 1, __ATOMIC_RELEASE);
    }
    return 0;
}

static void goes_on(const char *what)
{
    rk_u32 before = __atomic_load_n(&answers, __ATOMIC_ACQUIRE);
    for (double end = now_s() + 5; __atomic_load_n(&answers, __ATOMIC_ACQUIRE) == before && now_s() < end;)
        usleep(100);
    expect(__atomic_load_n(&answers, __ATOMIC_ACQUIRE) != before, what);
    step();
}

/* Kernels whose code the device has never seen are launched, connected, looked at and terminated beside one that
 * stays and answers all the time. */
static void run_loading(void)
{
    static const char *const names[] = { "answer_second", "answer_third" };
    pthread_t talker;
    setenv("CUDA_MODULE_LOADING", "LAZY", 1); /* functions are loaded when they are used first */
    open_runtime();
    rk_kernel stays = launch("stays", "answer_first", 2);
    RK_CHECK(rk_activate(runtime, stays));
    if (pthread_create(&talker, 0, talk, &stays)) RK_CHECK(RK_OUT_OF_MEMORY);
    goes_on("the first kernel answers");
    for (rk_u32 i = 0; i < 2; i++) {
        rk_account a;
        rk_metrics m;
        double begin = now_s();
        rk_kernel kernel = launch(names[i], names[i], 4);
        RK_CHECK(rk_activate(runtime, kernel));
        round_trip(kernel, 3, BATCH, i + 1u);
        printf("%s beside a kernel that stays: answers after %.1f ms\n", names[i], (now_s() - begin) * 1e3);
        goes_on("the first kernel goes on when code was loaded");
        RK_CHECK(rk_account_of(runtime, kernel, &a));
        RK_CHECK(rk_metrics_of(runtime, stays, &m));
        goes_on("the first kernel goes on when it was looked at");
        if (i) RK_CHECK(rk_terminate(runtime, kernel, RK_SECONDS(5)));
        goes_on("the first kernel goes on when another has ended");
    }
    __atomic_store_n(&talking, 0, __ATOMIC_RELEASE);
    pthread_join(talker, 0);
    RK_CHECK(rk_close(runtime));
}

/* ------------------------------------------------------------------ main */

static const struct command {
    const char *name;
    void (*run)(void);
} commands[] = { { "cycles", run_cycles },
                 { "killed", run_killed },
                 { "loading", run_loading },
                 { "fill", run_fill },
                 { "serve", run_serve } };

static int take(const char *option, const char *value)
{
    const struct {
        const char *name;
        rk_u32 *value;
    } numbers[] = { { "--restarts", &restarts },
                    { "--launches", &launches },
                    { "--reopens", &reopens },
                    { "--growth", &growth_mib },
                    { "--times", &times } };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(option, numbers[i].name) == 0) {
            *numbers[i].value = (rk_u32)strtoul(value, 0, 10);
            return 1;
        }
    if (strcmp(option, "--backend") != 0) return 0;
    backend_name = value;
    backend.backend = strcmp(value, "cpu") == 0 ? RK_BACKEND_CPU : RK_BACKEND_CUDA;
    backend.slices = strcmp(value, "cuda-slices") == 0;
    return strcmp(value, "cpu") == 0 || strcmp(value, "cuda") == 0 || backend.slices;
}

int main(int argc, char **argv)
{
    const struct command *chosen = 0;
    pthread_t watcher;
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0) chosen = &commands[i];
    for (int i = 2; chosen && i < argc; i += 2)
        if (i + 1 == argc || !take(argv[i], argv[i + 1])) chosen = 0;
    if (!chosen) {
        fprintf(stderr,
                "usage: residents {cycles|killed|loading|fill|serve} [--backend cpu|cuda|cuda-slices] …\n");
        return 2;
    }
    if (pthread_create(&watcher, 0, watch, (void *)chosen->name)) return 1;
    chosen->run();
    __atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
    pthread_join(watcher, 0);
    return failures != 0;
}
