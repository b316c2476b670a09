/* Work stealing against static placement on a device: 2,000 tasks on 4, 16 and 64 shards, with more and more of them placed
 * on one shard, by the kernel of bench/stealing.rk.c. Static placement is the same kernel, whose shards don't take part
 * in stealing.
 *
 *     stealing_device [cuda|cpu]
 *
 * A trial is from the first send until the last task was done, on the host's clock. A line of JSON for each number of
 * shards and share of tasks, with the seconds of all rounds by either, and those of one task alone. Every task is
 * counted and its number added up: a trial that doesn't balance makes the status 1; 77: the device isn't there. */
#include "stealing.rk.h" /* before the host's header: a kernel source declares its messages */

#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS 2000u
#define ROUNDS 5u
#define TASK_ROUNDS 4000u /* multiplications, one after the other */

static const rk_u32 shard_counts[] = { 4, 16, 64 }, percents[] = { 25, 50, 75, 100 };
#define COUNTS (sizeof shard_counts / sizeof *shard_counts)
#define PERCENTS (sizeof percents / sizeof *percents)

static rk_runtime *runtime;
static int differ;

static rk_kernel launch(rk_u32 shards, int steals)
{
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = "hauling";
    o.shards = o.blocks = shards;
    RK_CHECK(rk_launch(runtime, steals ? "work stealing" : "static placement", &o, &kernel));
    RK_CHECK(rk_connect(runtime, kernel, 0, kernel, 0));
    RK_CHECK(rk_activate(runtime, kernel));
    for (rk_u32 s = 0; s < shards && steals; s++) {
        steal_too m = { 0 };
        RK_CHECK(rk_send(runtime, kernel, RK_BODY(m), &(rk_send_options){ .target = s }));
    }
    return kernel;
}

/* The seconds that `tasks` tasks take, `at_first` of them at shard 0 and the others spread evenly. */
static double haul_all(rk_kernel kernel, rk_u32 shards, rk_u32 tasks, rk_u32 at_first)
{
    rk_u64 count = 0, sum = 0, first = 0, begin = rk_clock_ns(runtime);
    for (rk_u32 s = 0; s < shards; s++) {
        rk_u32 rest = tasks - at_first, others = shards - 1u;
        rk_u32 its = s == 0 ? at_first : rest / others + (s - 1u < rest % others);
        haul m = { first, its, TASK_ROUNDS };
        first += its;
        if (its) RK_CHECK(rk_send(runtime, kernel, RK_BODY(m), &(rk_send_options){ .target = s }));
    }
    while (count < tasks) {
        hauled h;
        RK_CHECK(rk_receive(runtime, kernel, &h, sizeof h, 0, RK_SECONDS(60)));
        count += h.count;
        sum += h.sum;
    }
    rk_u64 took = rk_clock_ns(runtime) - begin;
    if (count != tasks || sum != (rk_u64)tasks * (tasks - 1u) / 2u) {
        fprintf(stderr, "stealing_device: %llu tasks of %u were done, sum %llu\n", (unsigned long long)count,
                tasks, (unsigned long long)sum);
        differ = 1;
    }
    return (double)took * 1e-9;
}

static void print_rounds(const char *name, const double *seconds)
{
    printf("\"%s\":[", name);
    for (rk_u32 r = 0; r < ROUNDS; r++) printf("%s%.9f", r ? "," : "", seconds[r]);
    printf("],");
}

static void measure(rk_u32 shards)
{
    double took[2][PERCENTS][ROUNDS], alone[ROUNDS];
    for (int steals = 0; steals < 2; steals++) {
        rk_kernel kernel = launch(shards, steals);
        (void)haul_all(kernel, shards, shards,
                       1); /* all code is there, and the crew has found its lifelines */
        for (rk_u32 r = 0; r < ROUNDS; r++) {
            if (!steals)
                alone[r] = (haul_all(kernel, shards, 101, 101) - haul_all(kernel, shards, 1, 1)) / 100;
            for (rk_u32 p = 0; p < PERCENTS; p++)
                took[steals][p][r] = haul_all(kernel, shards, TASKS, TASKS * percents[p] / 100u);
        }
        RK_CHECK(rk_terminate(runtime, kernel, RK_SECONDS(10)));
    }
    for (rk_u32 p = 0; p < PERCENTS; p++) {
        printf("{\"shards\":%u,\"percent\":%u,\"tasks\":%u,", shards, percents[p], TASKS);
        print_rounds("static", took[0][p]);
        print_rounds("stealing", took[1][p]);
        print_rounds("one_task", alone);
        printf("\"balanced\":%s}\n", differ ? "false" : "true");
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CUDA };
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "cuda") != 0 && strcmp(argv[1], "cpu") != 0)) {
        fprintf(stderr, "usage: stealing_device [cuda|cpu]\n");
        return 2;
    }
    if (argc == 2 && strcmp(argv[1], "cpu") == 0) o.backend = RK_BACKEND_CPU;
    rk_status status = rk_open(&o, &runtime);
    if (status != RK_OK) {
        fprintf(stderr, "stealing_device: %s", rk_error_text());
        return status == RK_UNSUPPORTED ? 77 : 1;
    }
    for (size_t i = 0; i < COUNTS; i++) measure(shard_counts[i]);
    RK_CHECK(rk_close(runtime));
    return differ;
}
