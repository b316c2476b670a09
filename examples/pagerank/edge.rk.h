/* The messages of the app, in the order in which they occur. Members go from wide to narrow, since a message has no
 * hidden padding. */
#ifndef EDGE_RK_H
#define EDGE_RK_H

#include <ringkernel/message.h>
#include <ringkernel/pattern/superstep_message.h>

/* A row of the input: vertex `from` links to vertex `to`. Vertices are numbers from 0. */
RK_MESSAGE(edge, 51, (rk_u32, from), (rk_u32, to))

/* To each part, when all edges are there: begin, with so many vertices. */
RK_MESSAGE(start, 52, (rk_u32, vertices))

/* What vertices of one part give to vertices of another in a step: the first `count` are used. */
#define SHARES 40
RK_MESSAGE(shares, 53, (rk_u64, amount, SHARES), (rk_u32, node, SHARES), RK_SUPERSTEP_MEMBERS,
           (rk_u32, count))

/* From a part to itself: go on, in this step. */
RK_MESSAGE(turn, 55, (rk_u32, step))

/* The result: the rank of vertex `node`, and the last step. */
RK_MESSAGE(ranked, 54, (rk_u64, rank_billionths), (rk_u32, node), (rk_u32, steps))

#endif
