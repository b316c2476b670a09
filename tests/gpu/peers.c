/* One runtime over two devices: a kernel that goes from one to the other while messages come to it over the
 * link, and a device that is lost while the other goes on.
 *
 *     peers moved [--devices A,B] [--moves N]   every message comes once, in order, and the state is whole
 *     peers lost [--devices A,B]                a handler traps on the second device: its kernel fails, and
 *                                               the other goes on, or fails with the reason
 *
 * A and B are 0 and 1. Every wait has a deadline. The exit status is 1 if anything is wrong, 77 where there
 * are no two devices that reach each other. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#include "peers.rk.h"

#define PATIENCE_NS RK_SECONDS(10)
#define MOVES_MOST 1000u

static rk_u32 devices[2] = { 0, 1 }, moves = 20;
static rk_runtime *runtime;
static rk_u32 sent, stop; /* atomic: by the sending thread, for it */
static int failures;

static void expect(int holds, const char *what)
{
    if (!holds) printf("WRONG: %s\n", what);
    failures += !holds;
}

static void open_runtime(void)
{
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CUDA, .device_count = 2,
                             .devices = devices };
    rk_status status = rk_open(&o, &runtime);
    if (status == RK_OK) return;
    fprintf(stderr, "peers: %s\n", rk_error_text());
    exit(status == RK_UNSUPPORTED || status == RK_INVALID_ARGUMENT ? 77 : 1);
}

static rk_launch_options on(const char *name, rk_u32 place)
{
    rk_launch_options o = rk_production();
    o.kernel_name = name;
    o.deduplication_window = 0;
    o.device = place;
    return o;
}

static rk_kernel launch(const char *name, rk_u32 place)
{
    rk_launch_options o = on(name, place);
    rk_kernel kernel;
    RK_CHECK(rk_launch(runtime, name, &o, &kernel));
    return kernel;
}

static rk_kernel_info look(rk_kernel kernel)
{
    rk_kernel_info info;
    RK_CHECK(rk_kernel_information(runtime, kernel, &info));
    return info;
}

static rk_account account(rk_kernel kernel)
{
    rk_account a;
    RK_CHECK(rk_account_of(runtime, kernel, &a));
    return a;
}

/* ------------------------------------------------------------------ moved */

static void *send_numbers(void *to)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        numbered message = { sent };
        rk_status status = rk_send(runtime, *(const rk_kernel *)to, RK_BODY(message), 0);
        expect(status == RK_OK, "a message is refused while its reader moves");
        if (status != RK_OK) break;
        __atomic_store_n(&sent, sent + 1, __ATOMIC_RELEASE);
    }
    return 0;
}

static int by_size(const void *a, const void *b)
{
    const rk_u64 x = *(const rk_u64 *)a, y = *(const rk_u64 *)b;
    return x < y ? -1 : x > y;
}

static void run_moved(void)
{
    static luggage state;
    static rk_u64 pause_ns[MOVES_MOST];
    pthread_t sender;
    open_runtime();
    rk_kernel from = launch("passer", 0), to = launch("mover", 1);
    RK_CHECK(rk_connect(runtime, from, 0, to, 0));
    RK_CHECK(rk_activate(runtime, to));
    RK_CHECK(rk_activate(runtime, from));
    if (pthread_create(&sender, 0, send_numbers, &from)) exit(1);
    for (rk_u32 m = 0; m < moves; m++) {
        rk_launch_options o = on("mover", m % 2);
        const rk_u32 before = __atomic_load_n(&sent, __ATOMIC_ACQUIRE);
        const rk_u64 end = rk_clock_ns(runtime) + PATIENCE_NS;
        while (__atomic_load_n(&sent, __ATOMIC_ACQUIRE) - before < 1000 && rk_clock_ns(runtime) < end)
            usleep(100);
        expect(__atomic_load_n(&sent, __ATOMIC_ACQUIRE) - before >= 1000, "messages flow before each move");
        const rk_u64 begin = rk_clock_ns(runtime);
        RK_CHECK(rk_relaunch(runtime, to, &o, PATIENCE_NS));
        pause_ns[m] = rk_clock_ns(runtime) - begin;
        expect(look(to).device == m % 2, "the kernel is where it was sent");
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    pthread_join(sender, 0);
    const rk_u64 end = rk_clock_ns(runtime) + PATIENCE_NS;
    while (account(to).delivered < sent && rk_clock_ns(runtime) < end) usleep(1000);
    RK_CHECK(rk_read_state(runtime, to, 0, &state, sizeof state));
    expect(account(to).delivered == sent && state.next == sent, "every message has come");
    expect(state.wrong == 0, "in order");
    rk_u64 sum = 0, wanted = 0;
    for (rk_u32 w = 0; w < LUGGAGE_WORDS; w++) sum += state.word[w];
    for (rk_u32 n = 0; n < sent; n++) wanted += n;
    expect(sent >= LUGGAGE_WORDS || sum == wanted, "with what was carried");
    qsort(pause_ns, moves, sizeof *pause_ns, by_size);
    printf("moved %u times under %u messages: %.0f µs p50, %.0f µs most; %.2f GB/s of state\n", moves, sent,
           (double)pause_ns[moves / 2] / 1e3, (double)pause_ns[moves - 1] / 1e3,
           (double)sizeof(luggage) / (double)pause_ns[moves / 2]);
    RK_CHECK(rk_close(runtime));
}

/* ------------------------------------------------------------------ lost */

/* Messages through a kernel to the host: how many came back. */
static rk_u32 round_trips(rk_kernel kernel, rk_u32 n)
{
    rk_u32 came = 0;
    for (rk_u32 i = 0; i < n; i++) {
        numbered out = { i }, in = { 0 };
        if (rk_send(runtime, kernel, RK_BODY(out), 0) != RK_OK) break;
        if (rk_receive(runtime, kernel, &in, sizeof in, 0, RK_SECONDS(5)) != RK_OK) break;
        came += in.number == i;
    }
    return came;
}

static int has_failed(rk_kernel kernel, rk_u64 within_ns)
{
    const rk_u64 end = rk_clock_ns(runtime) + within_ns;
    while (look(kernel).life != RK_LIFE_FAILED && rk_clock_ns(runtime) < end) usleep(1000);
    return look(kernel).life == RK_LIFE_FAILED;
}

static void run_lost(void)
{
    open_runtime();
    rk_kernel near = launch("passer", 0), broken = launch("breaker", 1);
    RK_CHECK(rk_activate(runtime, near));
    RK_CHECK(rk_activate(runtime, broken));
    expect(round_trips(near, 100) == 100, "a kernel answers");
    mishap message = { 1 };
    RK_CHECK(rk_send(runtime, broken, RK_BODY(message), 0));
    expect(has_failed(broken, PATIENCE_NS), "the kernel of the lost device has failed");
    printf("on the device that is lost: %s\n", look(broken).failure);
    if (has_failed(near, RK_SECONDS(2))) { /* drivers that take all of a process's devices away */
        printf("on the other: %s\n", look(near).failure);
        expect(strstr(look(near).failure, "the device is lost") != 0,
               "the other's kernel says why it failed");
    } else {
        expect(round_trips(near, 1000) == 1000, "the kernel of the other device goes on");
        rk_kernel another = launch("mover", 0);
        RK_CHECK(rk_activate(runtime, another));
        printf("on the other: it goes on, and others are launched there\n");
    }
    expect(account(broken).balanced && account(near).balanced, "the accounts balance");
    RK_CHECK(rk_close(runtime));
}

/* ------------------------------------------------------------------ the program */

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: peers moved|lost [--devices A,B] [--moves N]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    if (argc < 2) usage();
    for (int i = 2; i < argc; i += 2) {
        if (i + 1 == argc) usage();
        if (strcmp(argv[i], "--devices") == 0) {
            if (sscanf(argv[i + 1], "%u,%u", &devices[0], &devices[1]) != 2) usage();
        } else if (strcmp(argv[i], "--moves") == 0) {
            moves = (rk_u32)strtoul(argv[i + 1], 0, 10);
            if (moves < 1 || moves > MOVES_MOST) usage();
        } else {
            usage();
        }
    }
    setvbuf(stdout, 0, _IOLBF, 0);
    if (strcmp(argv[1], "moved") == 0)
        run_moved();
    else if (strcmp(argv[1], "lost") == 0)
        run_lost();
    else
        usage();
    return failures != 0;
}
