/* What both sides of the GPU benchmark share: a trial, the time, the binding of threads, what a message
 * holds. */
#ifndef RK_BENCH_GPU_TRIAL_H
#define RK_BENCH_GPU_TRIAL_H

#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MOST 8u

static inline uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One contender, once. Samples are ns of one round trip or call each; a trial without any is a rate. */
typedef struct trial {
    uint64_t in, out; /* messages: the trial balances if they are equal and none was wrong */
    uint64_t wrong;
    double seconds;
    uint32_t *at;
    uint64_t count, room;
} trial;

static inline void trial_sample(trial *t, uint64_t ns)
{
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 1u << 16;
        t->at = (uint32_t *)realloc(t->at, t->room * sizeof *t->at);
        if (!t->at) abort();
    }
    t->at[t->count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

/* Bind the calling thread to the n-th core from the second one that the process may use; < 0: to all of
 * them. Threads that a bound thread starts are bound as it is, so the library's are started before. */
static cpu_set_t bind_all;
static inline void bind_to(int n)
{
    int count, core = -1;
    cpu_set_t one;
    if (CPU_COUNT(&bind_all) == 0 && sched_getaffinity(0, sizeof bind_all, &bind_all)) return;
    if (n < 0) {
        sched_setaffinity(0, sizeof bind_all, &bind_all);
        return;
    }
    count = CPU_COUNT(&bind_all);
    n = (n + 1) % count;
    do do
            core++;
        while (!CPU_ISSET((size_t)core, &bind_all));
    while (n-- > 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)core, &one);
    sched_setaffinity(0, sizeof one, &one);
}

#endif
