/* Several threads that do the same at once, for tests of what a block's threads share: each has its
 * number, and a context with it as a handler's thread has. They only count what went wrong; the test looks
 * when all are done. */
#ifndef RINGKERNEL_TOGETHER_TEST_H
#define RINGKERNEL_TOGETHER_TEST_H

#include <ringkernel/device/group.h>

#include <pthread.h>
#include <sched.h>

#include "state_fixture_test.h"

#define TOGETHER_MOST 4u

typedef struct together {
    void *subject;
    rk_context context; /* .thread: its number */
    dice draws;
    rk_u32 wrong;
} together;

/* Now and then the others get a turn wherever this thread is: a core may run all of them. */
static inline void together_breathe(together *self)
{
    if (draw_below(&self->draws, 64) == 0) sched_yield();
}

static inline void run_together(rk_u32 threads, void *(*body)(void *), void *subject)
{
    together each[TOGETHER_MOST];
    pthread_t thread[TOGETHER_MOST];
    memset(each, 0, sizeof each);
    for (rk_u32 t = 0; t < threads; t++) {
        each[t].subject = subject;
        each[t].context.thread = t;
        each[t].context.threads = threads;
        each[t].draws.state = (rk_u64)(t + 1u) << 32;
        assert_int_equal(pthread_create(&thread[t], 0, body, &each[t]), 0);
    }
    for (rk_u32 t = 0; t < threads; t++) pthread_join(thread[t], 0);
    for (rk_u32 t = 0; t < threads; t++) assert_int_equal(each[t].wrong, 0);
}

#endif
