/* Puts each flight into its band of distance and says whether it was late. */
#include "flight.rk.h"

#define BAND_MI 250
#define LATE_MIN 15

RK_HANDLER(enrich, flight, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    rk_u32 band = (rk_u32)(msg->distance_mi / BAND_MI);
    banded_flight out = { band < BANDS ? band : BANDS - 1, msg->delay_min >= LATE_MIN, msg->delay_min };
    rk_send(RK_ARG, &out);
}
