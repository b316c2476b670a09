/* The guide's adaptive processor: one message when the queue is shallow, up to 32 when it is deep. */
#include <ringkernel/kernel.h>

#include "guide.rk.h"

typedef struct {
    rk_u32 served;
} quote_desk;

#define DISCOUNT_FROM 100u /* pieces */
#define DISCOUNT_PERCENT 5u

RK_HANDLER(adaptive_processor, quote_request, request, quote_desk, self, .state = RK_PER_SHARD,
           .mode = RK_ADAPTIVE, .max_batch = 32)
{
    rk_u64 cents = (rk_u64)(199u + request->article % 1000u) * request->pieces;
    if (request->pieces >= DISCOUNT_FROM) cents -= cents * DISCOUNT_PERCENT / 100u;
    quote_response response = { cents, request->article, ++self->served };
    rk_send(RK_ARG, &response);
}
