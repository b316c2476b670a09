/* Work stealing against static placement: 2,000 tasks of some 20 us on four shards that two workers serve, with more and
 * more of them placed on one shard. A trial is from the first send until the last task was done; a sample is its time by
 * its tasks. Static placement is the same kernel, whose shards don't take part in stealing. Beside both, bare: two threads with
 * two of Chase and Lev's deques each, to which the same tasks are given. */
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>

#include "chase_lev.h"
#include "harness.h"
#include "must.h"
#include "stealing.rk.h"

#define TASKS 2000u
#define TASK_ROUNDS 15000u /* 4 to 5 cycles each */
#define SHARDS 4u
#define ROUNDS 9u

static rk_runtime *runtime;
static unsigned percent; /* of the tasks, at shard 0 */

static rk_kernel launch(const char *id, int steals)
{
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = "hauling";
    o.shards = o.blocks = SHARDS;
    MUST(rk_launch(runtime, id, &o, &kernel) == RK_OK);
    MUST(rk_connect(runtime, kernel, 0, kernel, 0) == RK_OK);
    MUST(rk_activate(runtime, kernel) == RK_OK);
    for (rk_u32 s = 0; s < SHARDS && steals; s++) {
        steal_too m = { 0 };
        MUST(rk_send(runtime, kernel, RK_BODY(m), &(rk_send_options){ .target = s }) == RK_OK);
    }
    return kernel;
}

/* Tasks that are placed at a shard. */
static rk_u32 tasks_of(rk_u32 shard)
{
    rk_u32 elsewhere = (TASKS - TASKS * percent / 100u) / (SHARDS - 1u);
    return shard == 0 ? TASKS - (SHARDS - 1u) * elsewhere : elsewhere;
}

static void haul_all(const bench_contender *self, bench_trial *trial)
{
    rk_kernel kernel = *(const rk_kernel *)self->subject;
    uint64_t begin = bench_cycles();
    bench_begin(trial);
    for (rk_u32 s = 0; s < SHARDS; s++) {
        rk_u32 count = tasks_of(s);
        haul m = { trial->in, count, TASK_ROUNDS };
        for (rk_u32 i = 0; i < count; i++) trial->sum_in += trial->in + i;
        trial->in += count;
        if (count) MUST(rk_send(runtime, kernel, RK_BODY(m), &(rk_send_options){ .target = s }) == RK_OK);
    }
    while (trial->out < TASKS) {
        hauled h;
        MUST(rk_receive(runtime, kernel, &h, sizeof h, 0, RK_SECONDS(60)) == RK_OK);
        trial->out += h.count;
        trial->sum_out += h.sum;
    }
    bench_end(trial, 1); /* static placement may keep no more than one busy */
    bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - begin) / TASKS);
}

/* ------------------------------------------------------------------ Chase and Lev's deques */

#define THREADS 2u
static chase_lev deques[SHARDS];
static _Alignas(128) atomic_uint done;

typedef struct worker {
    rk_u32 number;
    uint64_t sum, noise, count;
} worker;

static void do_task(worker *self, uint64_t task)
{
    uint64_t x = task;
    for (rk_u32 i = 0; i < TASK_ROUNDS; i++) x = x * 6364136223846793005ul + 1442695040888963407ul;
    self->noise ^= x;
    self->sum += task;
    self->count++;
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
}

/* The tasks of its own shards, then those of others. */
static void work(void *argument)
{
    worker *self = argument;
    uint64_t first = 0, task;
    unsigned idle = 0;
    for (rk_u32 s = 0; s < SHARDS; s++) {
        for (rk_u32 i = 0; i < tasks_of(s) && s % THREADS == self->number; i++)
            chase_lev_push(&deques[s], first + i);
        first += tasks_of(s);
    }
    while (atomic_load_explicit(&done, memory_order_relaxed) < TASKS) {
        int found = 0;
        for (rk_u32 s = self->number; s < SHARDS && !found; s += THREADS)
            found = chase_lev_take(&deques[s], &task);
        for (rk_u32 s = 0; s < SHARDS && !found; s++)
            found = s % THREADS != self->number && chase_lev_steal(&deques[s], &task);
        idle = found ? 0 : idle + 1u;
        if (found)
            do_task(self, task);
        else
            bench_stuck(idle);
    }
}

static void take_all(const bench_contender *self, bench_trial *trial)
{
    static worker workers[THREADS];
    const bench_thread threads[THREADS] = { { work, &workers[0], 1u }, { work, &workers[1], 2u } };
    (void)self;
    atomic_store(&done, 0);
    for (rk_u32 t = 0; t < THREADS; t++) workers[t] = (worker){ .number = t };
    trial->in = TASKS;
    for (rk_u32 i = 0; i < TASKS; i++) trial->sum_in += i;
    bench_together(trial, threads, THREADS);
    for (rk_u32 t = 0; t < THREADS; t++) trial->out += workers[t].count, trial->sum_out += workers[t].sum;
    bench_sample(&trial->samples, (uint64_t)(trial->seconds * 1e12 / TASKS));
}

int main(int argc, char **argv)
{
    static const unsigned percents[] = { 25, 50, 75, 100 };
    static rk_kernel stays, steals;
    bench_open(argc, argv);
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 2 };
    MUST(rk_open(&options, &runtime) == RK_OK);
    stays = launch("static placement", 0);
    steals = launch("work stealing", 1);
    const bench_contender contenders[] = { { "work stealing", haul_all, &steals, 0 },
                                           { "static placement", haul_all, &stays, 1 },
                                           { "Chase-Lev deques", take_all, 0, 1 } };
    for (unsigned i = 0; i < sizeof percents / sizeof *percents; i++) {
        char name[32], title[96], figure[96];
        bench_result result[3];
        percent = percents[i];
        snprintf(name, sizeof name, "stealing_%u", percent);
        snprintf(title, sizeof title, "%u %% of the tasks at one of four shards, two workers", percent);
        snprintf(figure, sizeof figure, "stealing: rate / static placement, %u %% at one shard", percent);
        bench_contest contest = { name, title, "tasks", contenders, 3, ROUNDS };
        bench_run(&contest, result);
        bench_figure(figure, bench_rate_ratio(0, 1), "x");
        snprintf(figure, sizeof figure, "stealing: rate / Chase-Lev deques, %u %% at one shard", percent);
        bench_figure(figure, bench_rate_ratio(0, 2), "x");
    }
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
