/* Refuses flights that can't be: the first reason that applies goes to the dead letters with the flight. */
#include "flight.rk.h"

#define LONGEST_MI 10000
#define LATEST_MIN 2880 /* two days */

RK_REASON(distance)
RK_REASON(delay)
RK_REASON(hour)

RK_HANDLER(validate, flight, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    if (msg->distance_mi <= 0 || msg->distance_mi > LONGEST_MI)
        rk_fail(RK_ARG, distance);
    else if (msg->delay_min < -LATEST_MIN || msg->delay_min > LATEST_MIN)
        rk_fail(RK_ARG, delay);
    else if (rk_f64_compare(msg->hour, 0) < 0 || rk_f64_compare(msg->hour, 24) >= 0)
        rk_fail(RK_ARG, hour);
    else
        rk_forward(RK_ARG);
}
