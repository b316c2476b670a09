/* An actor for each hour of the day: what is the usual temperature at this hour? The mean of the last 7 days. */
#include "weather.rk.h"

#include <ringkernel/state/average.h>

RK_NEEDS_F64

RK_AVERAGE(week, DAYS_OF_WEEK, rk_f64)

typedef struct hour_of_day {
    week temperature;
} hour_of_day;

RK_HANDLER(compare, checked_reading, msg, hour_of_day, self, .state = RK_PER_ACTOR, .mode = RK_ADAPTIVE,
           .max_batch = 256)
{
    compared_reading out = {
        msg->hour, msg->temperature, msg->pressure, week_mean(&self->temperature), self->temperature.count, 0
    };
    rk_send(RK_ARG, &out);
    week_add(&self->temperature, msg->temperature);
}
