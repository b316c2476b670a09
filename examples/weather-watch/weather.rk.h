/* The messages of the app, in the order in which a reading meets them. Members go from wide to narrow, since a
 * message has no hidden padding. */
#ifndef WEATHER_RK_H
#define WEATHER_RK_H

#include <ringkernel/kernel.h>

#define HOURS_OF_DAY 24
#define DAYS_OF_WEEK 7

/* A row of the input: the hour of the year, °C, hPa, m/s. */
RK_MESSAGE(reading, 1, (rk_i64, hour), (rk_f64, temperature), (rk_f64, pressure), (rk_f64, wind))

/* A reading that can be, with the hour of its day. */
RK_MESSAGE(checked_reading, 2, (rk_i64, hour), (rk_f64, temperature), (rk_f64, pressure),
           (rk_u32, hour_of_day), (rk_u32, pad))

/* With the mean of the same hour of the last 7 days; `days` of them are known. */
RK_MESSAGE(compared_reading, 3, (rk_i64, hour), (rk_f64, temperature), (rk_f64, pressure), (rk_f64, usual),
           (rk_u32, days), (rk_u32, pad))

/* What goes out: the moving averages at an hour, */
RK_MESSAGE(averages, 4, (rk_i64, hour), (rk_f64, temperature), (rk_f64, usual), (rk_f64, day_mean),
           (rk_f64, day_least), (rk_f64, day_greatest), (rk_f64, trend))

/* two kinds of alert, */
RK_MESSAGE(unusual_hour, 5, (rk_i64, hour), (rk_f64, unusual_by), (rk_f64, temperature), (rk_f64, usual))
RK_MESSAGE(pressure_fall, 6, (rk_i64, hour), (rk_f64, fell_by), (rk_f64, pressure), (rk_f64, highest))

/* and a last line. */
RK_MESSAGE(summary, 7, (rk_u64, readings), (rk_u64, unusual_hours), (rk_u64, pressure_falls))

#endif
