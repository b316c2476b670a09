/* Sleeping on a word until it changes. */
#ifndef RK_RUNTIME_FUTEX_H
#define RK_RUNTIME_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <ringkernel/device/types.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sleep while *word is `seen`, for `ns` at most (all ones: until woken). Wakes may be spurious. */
static inline void rk_futex_wait(rk_u32 *word, rk_u32 seen, rk_u64 ns)
{
    struct timespec limit = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, ns == ~(rk_u64)0 ? (void *)0 : (void *)&limit, 0, 0);
}

static inline void rk_futex_wake(rk_u32 *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, 0, 0, 0);
}

/* Change a word that others may sleep on, and wake them. */
static inline void rk_event_raise(rk_u32 *word)
{
    __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
    rk_futex_wake(word);
}

#endif
