/* Refuses readings that can't be: the first reason that applies goes to the dead letters with the reading. */
#include "weather.rk.h"

RK_NEEDS_F64

RK_REASON(hour)
RK_REASON(temperature)
RK_REASON(pressure)
RK_REASON(wind)

RK_HANDLER(check, reading, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    if (msg->hour < 0) {
        rk_fail(RK_ARG, hour);
    } else if (!(msg->temperature >= -60.0 && msg->temperature <= 60.0)) {
        rk_fail(RK_ARG, temperature);
    } else if (!(msg->pressure >= 850.0 && msg->pressure <= 1100.0)) {
        rk_fail(RK_ARG, pressure);
    } else if (!(msg->wind >= 0.0 && msg->wind <= 120.0)) {
        rk_fail(RK_ARG, wind);
    } else {
        rk_u32 hour_of_day = (rk_u32)(msg->hour % HOURS_OF_DAY);
        checked_reading out = { msg->hour, msg->temperature, msg->pressure, hour_of_day, 0 };
        rk_send(RK_ARG, &out);
    }
}
