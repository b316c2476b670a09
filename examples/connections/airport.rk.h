/* What goes between the kernels that look how many flights there are from each airport to all others. */
#ifndef AIRPORT_RK_H
#define AIRPORT_RK_H

#include <ringkernel/message.h>
#include <ringkernel/pattern/workers_message.h>

#define AIRPORTS 512u /* at most: a worker keeps a bit for each pair */
#define CREW 4u       /* workers */

/* A row of the input, and what each worker is told of it: there are flights between these two. */
RK_MESSAGE(flies, 1, (rk_u32, from), (rk_u32, to))

/* To each worker: these were all, so many airports; and, from the coordinator, all is done. */
RK_MESSAGE(begin, 2, (rk_u32, airports))
RK_MESSAGE(over, 3, (rk_u32, airports))

/* A row of the output: from an airport so many others are reached, the farthest by so many flights, and all of
 * them together by so many. */
RK_MESSAGE(reach, 4, (rk_u32, airport), (rk_u32, reached), (rk_u32, farthest), (rk_u32, flights))

/* And, when it is asked for: a worker was given up (the last of several), and so many airports are others' now; */
RK_MESSAGE(lost, 5, (rk_u32, worker), (rk_u32, airports_moved))

/* a worker has a result that was there already. */
RK_MESSAGE(twice, 6, (rk_u32, from_worker))

#endif
