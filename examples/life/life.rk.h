/* What goes between the kernels that play the game of life. */
#ifndef LIFE_RK_H
#define LIFE_RK_H

#include <ringkernel/message.h>
#include <ringkernel/pattern/barrier_message.h>

#define COLUMNS 64u /* of the board: a row is a word. What leaves it on one side comes back on the other */
#define ROWS 64u
#define STRIPS 4u
#define STRIP_ROWS (ROWS / STRIPS)

/* The barrier between generations: a name that all agree on, its parties, and the epoch that a generation ends. */
#define GENERATIONS_END 1u
#define PARTIES (STRIPS + 1u) /* the strips, and the census as the last one */

/* A row of the input, and what a strip is told of it: this cell lives in the beginning. */
RK_MESSAGE(cell, 1, (rk_u32, column), (rk_u32, row))

/* To each strip: these were all. */
RK_MESSAGE(begin, 2, (rk_u64, pad))

/* From a strip to its neighbour: the row at which they meet. */
RK_MESSAGE(border, 3, (rk_u64, cells), (rk_u32, is_above), (rk_u32, pad))

/* To the census: so many live in a strip; and how a row looks in the end, which is a row of the output. */
RK_MESSAGE(alive_in_strip, 4, (rk_u32, generation), (rk_u32, alive))
RK_MESSAGE(board_row, 5, (rk_u64, cells), (rk_u32, row), (rk_u32, generation))

/* A row of the output: so many live in all. */
RK_MESSAGE(population, 6, (rk_u32, generation), (rk_u32, alive))

#endif
