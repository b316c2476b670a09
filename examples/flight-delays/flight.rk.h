/* The messages of the app, in the order in which a flight meets them. Members go from wide to narrow, since a
 * message has no hidden padding. */
#ifndef FLIGHT_RK_H
#define FLIGHT_RK_H

#include <ringkernel/kernel.h>

#define BANDS 12 /* of 250 miles; the last one is open */

/* A row of the input. */
RK_MESSAGE(flight, 1, (rk_i64, seq), (rk_f64, hour), (rk_i32, distance_mi), (rk_i32, delay_min))

/* What the totals need to know of it. */
RK_MESSAGE(banded_flight, 2, (rk_u32, band), (rk_u32, late), (rk_i32, delay_min))

/* What a window has to say about a band. */
RK_MESSAGE(band_report, 3, (rk_u32, window), (rk_u32, band), (rk_u32, flights), (rk_u32, late),
           (rk_i64, delay_sum), (rk_i32, delay_min), (rk_i32, delay_max), (rk_i64, delay_mean_milli))

#endif
