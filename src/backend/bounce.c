#include "bounce.h"

#include <string.h>

#include "twin.h"

static void show(const rk_bounce *b, const rk_byte *at, const rk_rows *r)
{
    for (rk_u32 i = 0; i < r->count; i++)
        rk_twin_show(b->image + r->offset + i * r->stride, at + i * r->size, r->size);
}

/* As many pieces as the bounce has room for. */
static rk_status move(const rk_bounce *b, const rk_rows *r, int up)
{
    for (rk_u32 i = 0; up && i < r->count; i++)
        memcpy(b->at + i * r->size, b->image + r->offset + i * r->stride, r->size);
    const rk_status begun = b->copy(b->device, b->at, r, up), done = b->wait(b->device);
    const rk_status status =
        begun == RK_OK ? done : begun; /* what was begun may use the bounce until it is over */
    if (!up && status == RK_OK) show(b, b->at, r);
    return status;
}

/* One piece after the other, each in parts. */
static rk_status move_parts(const rk_bounce *b, const rk_rows *r, int up)
{
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < r->count && status == RK_OK; i++)
        for (rk_u64 at = 0; at < r->size && status == RK_OK; at += b->size) {
            rk_u64 part = r->size - at < b->size ? r->size - at : b->size;
            status = move(b, &(rk_rows){ r->offset + i * r->stride + at, part, 0, 1 }, up);
        }
    return status;
}

rk_status rk_bounce_move(const rk_bounce *b, rk_rows r, int up)
{
    rk_status status = RK_OK;
    if (r.size > b->size) return move_parts(b, &r, up);
    rk_u32 most = (rk_u32)(b->size / r.size);
    for (rk_u32 i = 0; i < r.count && status == RK_OK; i += most) {
        rk_u32 n = r.count - i < most ? r.count - i : most;
        status = move(b, &(rk_rows){ r.offset + i * r.stride, r.size, r.stride, n }, up);
    }
    return status;
}

/* How many rows from the first on fit, and are 0 if the first alone doesn't. */
static rk_u32 that_fit(const rk_bounce *b, const rk_rows *rows, rk_u32 count)
{
    rk_u64 used = 0;
    rk_u32 n = 0;
    while (n < count && (used += rows[n].size * rows[n].count) <= b->size) n++;
    return n;
}

static rk_status fetch_together(const rk_bounce *b, const rk_rows *rows, rk_u32 count, rk_u32 first,
                                rk_shown *shown, void *of)
{
    rk_byte *at = b->at;
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < count && status == RK_OK; at += rows[i].size * rows[i].count, i++)
        status = b->copy(b->device, at, &rows[i], 0);
    const rk_status done = b->wait(b->device); /* what was begun may use the bounce until it is over */
    if (status == RK_OK) status = done;
    if (status != RK_OK) return status;
    at = b->at;
    for (rk_u32 i = 0; i < count; at += rows[i].size * rows[i].count, i++) {
        show(b, at, &rows[i]);
        shown(of, first + i);
    }
    return RK_OK;
}

rk_status rk_bounce_fetch(const rk_bounce *b, const rk_rows *rows, rk_u32 count, rk_shown *shown, void *of)
{
    rk_status status = RK_OK;
    for (rk_u32 i = 0, n; i < count && status == RK_OK; i += n) {
        n = that_fit(b, rows + i, count - i);
        if (n) {
            status = fetch_together(b, rows + i, n, i, shown, of);
            continue;
        }
        n = 1;
        status = rk_bounce_move(b, rows[i], 0);
        if (status == RK_OK) shown(of, i);
    }
    return status;
}
