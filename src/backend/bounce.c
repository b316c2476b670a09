#include "bounce.h"

#include <string.h>

#include "twin.h"

/* As many pieces as the bounce has room for. */
static rk_status move(const rk_bounce *b, const rk_rows *r, int up)
{
    for (rk_u32 i = 0; up && i < r->count; i++)
        memcpy(b->at + i * r->size, b->image + r->offset + i * r->stride, r->size);
    rk_status status = b->copy(b->device, r, up);
    for (rk_u32 i = 0; !up && status == RK_OK && i < r->count; i++)
        rk_twin_show(b->image + r->offset + i * r->stride, b->at + i * r->size, r->size);
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
