/* What goes between the kernels that draw the Mandelbrot set. */
#ifndef TILE_RK_H
#define TILE_RK_H

#include <ringkernel/message.h>
#include <ringkernel/pattern/steal_message.h>

#define COLUMNS 32u /* tiles of the picture */
#define ROWS 16u
#define SIDE 8u /* points of a tile's side */

/* A row of the input: draw this tile. */
RK_MESSAGE(tile, 1, (rk_u32, column), (rk_u32, row))

/* To each worker: take part in stealing. */
RK_MESSAGE(join, 2, (rk_u64, pad))

/* A row of the output: how many points of the tile are in the set, and the steps that this took. */
RK_MESSAGE(drawn, 3, (rk_u32, column), (rk_u32, row), (rk_u32, inside), (rk_u32, steps))

/* And, when it is asked for, one of each worker: what it has done of it. */
RK_MESSAGE(share, 4, (rk_u32, worker), (rk_u32, tiles), (rk_u64, worked))

#endif
