/* A strip of the board. It begins the next generation when all parties have ended this one, and ends it when it has seen
 * both neighbours: so no border of the next generation comes before this one is done with, and there is one place for each. */
#include <ringkernel/kernel.h>

#include "life.rk.h"

RK_ROUTE(barrier)
RK_ROUTE(told)
RK_REASON(not_passed)
RK_PARAM(rk_u32, generations, 200)

/* What a strip waits for. */
#define ABOVE 1u  /* the lowest row of the strip above */
#define BELOW 2u  /* the highest of the one below */
#define PASSED 4u /* the barrier; its own borders are sent */

typedef struct strip_state {
    rk_u64 above, row[STRIP_ROWS], below;
    rk_u32 generation, has;
} strip_state;

RK_HANDLER(strip, cell, msg, strip_state, self, .state = RK_PER_SHARD, .max_sends = STRIP_ROWS)
{
    self->row[msg->row % STRIP_ROWS] |= (rk_u64)1 << msg->column;
}

/* So many live; and this generation is ended, as far as this strip goes. */
RK_FN void end_generation(RK_CTX, RK_GLOBAL const strip_state *self)
{
    alive_in_strip out = { self->generation, 0 };
    for (rk_u32 r = 0; r < STRIP_ROWS; r++)
        for (rk_u64 left = self->row[r]; left; left &= left - 1u) out.alive++;
    rk_send_to(RK_ARG, told, &out);
    rk_barrier_call call = { GENERATIONS_END,   RK_NO_DEADLINE, RK_BARRIER_ARRIVE,
                             rk_shard_number(), PARTIES,        self->generation + 1u };
    rk_send_to(RK_ARG, barrier, &call);
}

/* How many of three cells side by side live, the middle one in `column`. */
RK_FN rk_u32 three(rk_u64 row, rk_u32 column)
{
    return (rk_u32)((row >> (column + COLUMNS - 1u) % COLUMNS & 1u) + (row >> column & 1u) +
                    (row >> (column + 1u) % COLUMNS & 1u));
}

RK_FN rk_u64 next_row(rk_u64 above, rk_u64 here, rk_u64 below)
{
    rk_u64 next = 0;
    for (rk_u32 c = 0; c < COLUMNS; c++) {
        rk_u32 alive = three(above, c) + three(here, c) + three(below, c); /* itself included */
        if (alive == 3u || (alive == 4u && (here >> c & 1u))) next |= (rk_u64)1 << c;
    }
    return next;
}

/* When nothing is missing: the next generation. */
RK_FN void go_on(RK_CTX, RK_GLOBAL strip_state *self, rk_u32 came)
{
    self->has |= came;
    if (self->has != (ABOVE | BELOW | PASSED)) return;
    self->has = 0;
    rk_u64 above = self->above;
    for (rk_u32 r = 0; r < STRIP_ROWS; r++) {
        rk_u64 here = self->row[r], below = r + 1u < STRIP_ROWS ? self->row[r + 1u] : self->below;
        self->row[r] = next_row(above, here, below);
        above = here;
    }
    self->generation++;
    end_generation(RK_ARG, self);
}

RK_HANDLER(strip, begin, msg, strip_state, self, .state = RK_PER_SHARD) { end_generation(RK_ARG, self); }

RK_HANDLER(strip, border, msg, strip_state, self, .state = RK_PER_SHARD)
{
    if (msg->is_above)
        self->above = msg->cells;
    else
        self->below = msg->cells;
    go_on(RK_ARG, self, msg->is_above ? ABOVE : BELOW);
}

RK_FN void send_borders(RK_CTX, RK_GLOBAL const strip_state *self)
{
    border up = { self->row[0], 0, 0 }, down = { self->row[STRIP_ROWS - 1u], 1, 0 };
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = (rk_shard_number() + STRIPS - 1u) % STRIPS;
    rk_send_with(RK_ARG, &up, &to);
    to.target = (rk_shard_number() + 1u) % STRIPS;
    rk_send_with(RK_ARG, &down, &to);
}

RK_FN void show(RK_CTX, RK_GLOBAL const strip_state *self)
{
    for (rk_u32 r = 0; r < STRIP_ROWS; r++) {
        board_row out = { self->row[r], rk_shard_number() * STRIP_ROWS + r, self->generation };
        rk_send_to(RK_ARG, told, &out);
    }
}

/* All have ended this generation. */
RK_HANDLER(strip, rk_barrier_answer, answer, strip_state, self, .state = RK_PER_SHARD)
{
    if (answer->outcome != RK_BARRIER_PASSED) {
        rk_fail(RK_ARG, not_passed);
    } else if (self->generation == RK_PARAM_OF(generations)) {
        show(RK_ARG, self);
    } else {
        send_borders(RK_ARG, self);
        go_on(RK_ARG, self, PASSED);
    }
}
