/* Sums up windows of flights in their order, and reports each band that had any when a window is full, or the
 * input has ended. */
#include "flight.rk.h"

RK_PARAM_IN(rk_u32, window, 10000, 1, 4294967295u) /* flights; rk run … --set aggregate.window=500 */

typedef struct totals {
    band_report band[BANDS]; /* so far; a band without flights holds nothing of use */
    rk_u32 seen, window;
} totals;

RK_FN void add_flight(RK_GLOBAL band_report *sum, RK_MSG const banded_flight *flight)
{
    rk_u32 first = sum->flights == 0;
    rk_i32 delay = flight->delay_min;
    sum->late = first ? flight->late : sum->late + flight->late;
    sum->delay_sum = first ? delay : sum->delay_sum + delay;
    sum->delay_min = first || delay < sum->delay_min ? delay : sum->delay_min;
    sum->delay_max = first || delay > sum->delay_max ? delay : sum->delay_max;
    sum->flights++;
}

RK_FN void report_window(RK_CTX, RK_GLOBAL totals *self)
{
    for (rk_u32 b = 0; b < BANDS; b++) {
        if (self->band[b].flights == 0) continue;
        band_report out = self->band[b];
        out.window = self->window;
        out.band = b;
        out.delay_mean_milli = out.delay_sum * 1000 / (rk_i64)out.flights;
        rk_send(RK_ARG, &out);
        self->band[b].flights = 0;
    }
    self->seen = 0;
    self->window++;
}

RK_HANDLER(aggregate, banded_flight, msg, totals, self, .state = RK_PER_SHARD, .max_sends = BANDS,
           .mode = RK_ADAPTIVE, .max_batch = 256)
{
    add_flight(&self->band[msg->band], msg);
    if (++self->seen >= RK_PARAM_OF(window)) report_window(RK_ARG, self);
}

RK_ON_DRAIN(aggregate, totals, self)
{
    if (self->seen > 0) report_window(RK_ARG, self);
}
