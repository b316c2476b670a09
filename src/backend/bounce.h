/* Copies between the image of a device's memory and the device, by way of a bounce: memory that the device's driver takes
 * for copies, of a few MiB. How much goes at once, in which parts, is the same for all devices. */
#ifndef RK_BACKEND_BOUNCE_H
#define RK_BACKEND_BOUNCE_H

#include "../runtime/core.h"

/* `count` pieces of the arena, of `size` bytes, each `stride` from the last. */
typedef struct rk_rows {
    rk_u64 offset, size, stride;
    rk_u32 count;
} rk_rows;

typedef struct rk_bounce {
    rk_byte *at, *image;
    rk_u64 size;
    /* Begins to copy pieces between the bounce, where they lie one after the other from `at` on, and the device: behind
     * what was begun before. */
    rk_status (*copy)(void *device, rk_byte *at, const rk_rows *rows, int up);
    rk_status (*wait)(void *device); /* for all that was begun */
    void *device;
} rk_bounce;

/* Copy to the device (`up`) or from it. RK_OK, or what `copy` or `wait` said; then the pieces before are copied. */
rk_status rk_bounce_move(const rk_bounce *bounce, rk_rows rows, int up);

/* Copy from the device, one after the other, with one wait for all that the bounce has room for. `shown` is told of each when
 * the image shows it and nothing behind it. */
typedef void rk_shown(void *of, rk_u32 row);
rk_status rk_bounce_fetch(const rk_bounce *bounce, const rk_rows *rows, rk_u32 count, rk_shown *shown,
                          void *of);

#endif
