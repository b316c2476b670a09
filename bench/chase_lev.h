/* The deque of Chase and Lev ("Dynamic Circular Work-Stealing Deque", SPAA 2005), of a fixed length, with the orders of Lê,
 * Pop, Cohen and Zappa Nardelli ("Correct and Efficient Work-Stealing for Weak Memory Models", PPoPP 2013): what work
 * stealing by messages is measured against. One thread pushes and takes, any may steal. */
#ifndef RK_BENCH_CHASE_LEV_H
#define RK_BENCH_CHASE_LEV_H

#include <stdatomic.h>
#include <stdint.h>

#define CHASE_LEV_ROOM 4096

typedef struct chase_lev {
    _Alignas(128) atomic_llong top; /* the oldest, which thieves take */
    _Alignas(128) atomic_llong bottom;
    _Alignas(128) atomic_ullong task[CHASE_LEV_ROOM];
} chase_lev;

/* By the owner; there is room. */
static inline void chase_lev_push(chase_lev *d, uint64_t task)
{
    long long b = atomic_load_explicit(&d->bottom, memory_order_relaxed);
    atomic_store_explicit(&d->task[b % CHASE_LEV_ROOM], task, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&d->bottom, b + 1, memory_order_relaxed);
}

/* The newest, by the owner. Returns 0 if there is none. */
static inline int chase_lev_take(chase_lev *d, uint64_t *task)
{
    long long b = atomic_load_explicit(&d->bottom, memory_order_relaxed) - 1;
    atomic_store_explicit(&d->bottom, b, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    long long t = atomic_load_explicit(&d->top, memory_order_relaxed);
    int taken = t <= b;
    if (taken) *task = atomic_load_explicit(&d->task[b % CHASE_LEV_ROOM], memory_order_relaxed);
    if (t < b) return 1;
    if (taken) /* the last one, which a thief may want as well */
        taken = atomic_compare_exchange_strong_explicit(&d->top, &t, t + 1, memory_order_seq_cst,
                                                        memory_order_relaxed);
    atomic_store_explicit(&d->bottom, b + 1, memory_order_relaxed);
    return taken;
}

/* The oldest, by anybody. Returns 0 if there is none, or another was first. */
static inline int chase_lev_steal(chase_lev *d, uint64_t *task)
{
    long long t = atomic_load_explicit(&d->top, memory_order_acquire);
    atomic_thread_fence(memory_order_seq_cst);
    if (t >= atomic_load_explicit(&d->bottom, memory_order_acquire)) return 0;
    *task = atomic_load_explicit(&d->task[t % CHASE_LEV_ROOM], memory_order_relaxed);
    return atomic_compare_exchange_strong_explicit(&d->top, &t, t + 1, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

#endif
