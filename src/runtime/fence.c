#include "fence.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int rk_fence_asks;
static pthread_once_t opened = PTHREAD_ONCE_INIT;

static int ask(int command) { return (int)syscall(SYS_membarrier, command, 0u, 0); }

static void open_once(void)
{
    const int can = ask(MEMBARRIER_CMD_QUERY);
    if (can > 0 && (can & MEMBARRIER_CMD_PRIVATE_EXPEDITED) &&
        ask(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0)
        __atomic_store_n(&rk_fence_asks, 1, __ATOMIC_RELAXED);
}

void rk_fence_open(void) { pthread_once(&opened, open_once); }

void rk_fence_heavy(void)
{
    rk_fence(RK_SEQ_CST, RK_SCOPE_SYSTEM);
    if (!rk_fence_is_asked()) return;
    for (int tries = 0; tries < 1000; tries++) {
        if (ask(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) return;
        if (errno == EPERM)
            (void)ask(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        else if (errno != ENOMEM)
            break;
        sched_yield();
    }
    /* Threads have left their fences to this call, and what is not ordered now would be a wake-up lost at some time. */
    fprintf(stderr,
            "ringkernel: membarrier(2) was there when the runtime was opened and fails now: %s\n"
            "(a filter of system calls must allow it, or be there before)\n",
            strerror(errno));
    abort();
}
