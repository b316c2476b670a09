/* Keeps the averages and extremes of the last 24 hours, and raises an alert when a temperature becomes unusual
 * for its hour or the pressure falls. */
#include "weather.rk.h"

#include <ringkernel/state/average.h>
#include <ringkernel/state/extremes.h>

RK_NEEDS_F64

RK_PARAM(rk_u32, every, 24)    /* readings from one line of averages to the next */
RK_PARAM(rk_f64, unusual, 0.9) /* °C from what is usual at the hour; rk run … --set watch.unusual=0.5 */
RK_PARAM(rk_f64, fall, 1.4)    /* hPa below the highest pressure of the last 24 hours */
RK_PARAM_IN(rk_f64, weight, 0.0625, 0, 1) /* of a reading in the trend */

RK_AVERAGE(day_mean, HOURS_OF_DAY, rk_f64)
RK_EXTREMES(day_range, HOURS_OF_DAY, rk_f64)

typedef struct observatory {
    day_mean temperature;
    day_range temperatures, pressures;
    rk_exponential_f64 trend;
    summary seen;
    rk_u32 is_unusual, is_falling; /* an alert is raised once, until things are normal again */
} observatory;

RK_FN void take_in(RK_CTX, RK_GLOBAL observatory *self, RK_MSG const compared_reading *msg)
{
    day_mean_add(&self->temperature, msg->temperature);
    day_range_add(&self->temperatures, msg->temperature);
    day_range_add(&self->pressures, msg->pressure);
    rk_exponential_f64_add(&self->trend, msg->temperature, RK_PARAM_OF(weight));
    self->seen.readings++;
}

RK_FN void look_at_temperature(RK_CTX, RK_GLOBAL observatory *self, RK_MSG const compared_reading *msg)
{
    rk_f64 by = msg->temperature - msg->usual, limit = RK_PARAM_OF(unusual);
    rk_u32 is_unusual = msg->days == DAYS_OF_WEEK && (by > limit || by < -limit);
    if (is_unusual && !self->is_unusual) {
        unusual_hour out = { msg->hour, by, msg->temperature, msg->usual };
        rk_send(RK_ARG, &out);
        self->seen.unusual_hours++;
    }
    self->is_unusual = is_unusual;
}

RK_FN void look_at_pressure(RK_CTX, RK_GLOBAL observatory *self, RK_MSG const compared_reading *msg)
{
    rk_f64 highest = day_range_greatest(&self->pressures), by = highest - msg->pressure;
    rk_u32 is_falling = by > RK_PARAM_OF(fall);
    if (is_falling && !self->is_falling) {
        pressure_fall out = { msg->hour, by, msg->pressure, highest };
        rk_send(RK_ARG, &out);
        self->seen.pressure_falls++;
    }
    self->is_falling = is_falling;
}

RK_HANDLER(watch, compared_reading, msg, observatory, self, .state = RK_PER_SHARD, .max_sends = 3,
           .mode = RK_ADAPTIVE, .max_batch = 256)
{
    take_in(RK_ARG, self, msg);
    look_at_temperature(RK_ARG, self, msg);
    look_at_pressure(RK_ARG, self, msg);
    if (RK_PARAM_OF(every) == 0 || self->seen.readings % RK_PARAM_OF(every) != 0) return;
    averages out = { msg->hour,
                     msg->temperature,
                     msg->usual,
                     day_mean_mean(&self->temperature),
                     day_range_least(&self->temperatures),
                     day_range_greatest(&self->temperatures),
                     self->trend.mean };
    rk_send(RK_ARG, &out);
}

RK_ON_DRAIN(watch, observatory, self)
{
    summary out = self->seen;
    rk_send(RK_ARG, &out);
}
