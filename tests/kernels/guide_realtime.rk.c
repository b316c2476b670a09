/* The guide's real-time processor: one message a turn, and each is stamped. */
#include <ringkernel/kernel.h>

#include "guide.rk.h"

/* The sensor's straight line: 500 mV at 0 degrees, 10 mV a degree. */
#define MILLIVOLTS_AT_ZERO 500
#define MILLIDEGREES_PER_MILLIVOLT 100

RK_REASON(sensor_off) /* a reading below the sensor's range */

RK_HANDLER(realtime_processor, sensor_reading, reading, rk_none, self, .mode = RK_CONTINUOUS, .timestamps = 1)
{
    if (reading->millivolts < 0) {
        rk_fail(RK_ARG, sensor_off);
        return;
    }
    sensor_value value = { rk_now_ns(), reading->sensor,
                           (reading->millivolts - MILLIVOLTS_AT_ZERO) * MILLIDEGREES_PER_MILLIVOLT };
    rk_send(RK_ARG, &value);
}
