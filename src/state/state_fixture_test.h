/* What the tests of containers share: cmocka, numbers drawn in a way that repeats, and states as a kernel
 * finds them, which is all zeros. */
#ifndef RINGKERNEL_STATE_FIXTURE_TEST_H
#define RINGKERNEL_STATE_FIXTURE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <ringkernel/device/lane.h>

typedef struct dice {
    rk_u64 state;
} dice;

static inline rk_u64 draw(dice *d) { return rk_hash64(++d->state); }
static inline rk_u32 draw_below(dice *d, rk_u32 below) { return (rk_u32)(draw(d) % below); }

/* A fresh state; free it. */
static inline void *fresh(size_t size)
{
    void *state = calloc(1, size);
    assert_non_null(state);
    return state;
}

#endif
