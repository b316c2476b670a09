/* A worker: its tiles are tasks, which others may take. In whole numbers, so that all devices draw the same. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/steal.h>

#include "tile.rk.h"

#define ONE ((rk_i64)1 << 24) /* the number 1 */
#define LIMIT 5000u           /* steps after which a point is taken for one of the set */

RK_ROUTE(done)
RK_PARAM(rk_u32, report, 0) /* 1: at the end each worker says what it has done */

typedef struct worker {
    rk_steal steal;
    share mine;
} worker;

/* z := z² + c, until it is out of the circle of radius 2. */
RK_FN rk_u32 steps_of(rk_i64 cx, rk_i64 cy)
{
    rk_i64 x = 0, y = 0;
    for (rk_u32 n = 0; n < LIMIT; n++) {
        rk_i64 xx = x * x / ONE, yy = y * y / ONE;
        if (xx + yy > 4 * ONE) return n;
        y = 2 * x * y / ONE + cy;
        x = xx - yy + cx;
    }
    return LIMIT;
}

/* The picture is from -2.25 to 0.75, and from -1.5 to 1.5. */
RK_FN void draw_tile(RK_CTX, RK_GLOBAL worker *self, const rk_task *task)
{
    drawn out = { (rk_u32)task->word[0], (rk_u32)task->word[1], 0, 0 };
    for (rk_u32 i = 0; i < SIDE * SIDE; i++) {
        rk_i64 cx = (rk_i64)(out.column * SIDE + i % SIDE) * 3 * ONE / (rk_i64)(COLUMNS * SIDE) - 9 * ONE / 4,
               cy = (rk_i64)(out.row * SIDE + i / SIDE) * 3 * ONE / (rk_i64)(ROWS * SIDE) - 3 * ONE / 2;
        rk_u32 steps = steps_of(cx, cy);
        out.inside += steps == LIMIT;
        out.steps += steps;
    }
    self->mine.tiles++;
    self->mine.worked += out.steps;
    rk_send_to(RK_ARG, done, &out);
}

RK_HANDLER(draw, join, msg, worker, self, .state = RK_PER_SHARD)
{
    rk_steal_begin(&self->steal, rk_shard_number(), rk_shard_count());
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(draw, tile, msg, worker, self, .state = RK_PER_SHARD)
{
    rk_task task = { { msg->column, msg->row } };
    if (rk_steal_push(&self->steal, &task) != RK_OK) draw_tile(RK_ARG, self, &task); /* no room */
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(draw, rk_steal_word, word, worker, self, .state = RK_PER_SHARD)
{
    rk_steal_hear(&self->steal, word);
    rk_wake_at(RK_ARG, rk_now_ns());
}

/* One tile; then what others ask, and what it asks others. */
RK_ON_TIMER(draw, worker, self)
{
    rk_task task;
    rk_steal_word word;
    if (rk_steal_pop(&self->steal, &task)) draw_tile(RK_ARG, self, &task);
    for (rk_u32 n = 0; n < 8u && rk_steal_next(&self->steal, &word); n++) {
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = word.to;
        rk_send_with(RK_ARG, &word, &to);
    }
    if (rk_steal_is_busy(&self->steal)) rk_wake_at(RK_ARG, rk_now_ns());
}

RK_ON_DRAIN(draw, worker, self)
{
    share out = self->mine;
    out.worker = rk_shard_number();
    if (RK_PARAM_OF(report)) rk_send_to(RK_ARG, done, &out);
}
