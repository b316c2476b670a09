/* The mail: makes orders of the lists, no faster than its rate, and no faster than the desk takes them. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/limit.h>

#include "shop.rk.h"

#define AT_ONCE 32u      /* orders that may go together after a pause */
#define LISTS_MOST 1024u /* lists that wait */
#define BOXES_MOST 999u  /* of a list: its orders have three digits of their own */
#define LAST_LIST 4294966u

RK_PARAM_IN(rk_u32, per_second, 20000, 1, 1000000000)

RK_REASON(no_boxes)
RK_REASON(too_many_boxes)
RK_REASON(list_number)
RK_REASON(too_many_lists)

typedef struct post {
    rk_limit limit;
    rk_u32 first, waiting; /* the list that is under way, and how many there are with it */
    rk_u32 sent;           /* orders of that list so far */
    list kept[LISTS_MOST];
} post;

RK_FN void send_next(RK_CTX, RK_GLOBAL post *self)
{
    RK_GLOBAL const list *l = &self->kept[self->first];
    order o = { l->list * 1000u + ++self->sent, l->customer, l->article };
    rk_send(RK_ARG, &o);
    if (self->sent < l->boxes) return;
    self->first = (self->first + 1u) % LISTS_MOST;
    self->waiting--;
    self->sent = 0;
}

RK_HANDLER(mail, list, msg, post, self, .state = RK_PER_SHARD, .max_batch = AT_ONCE)
{
    if (msg->boxes == 0) {
        rk_fail(RK_ARG, no_boxes);
    } else if (msg->boxes > BOXES_MOST) {
        rk_fail(RK_ARG, too_many_boxes);
    } else if (msg->list > LAST_LIST) {
        rk_fail(RK_ARG, list_number);
    } else if (self->waiting == LISTS_MOST) {
        rk_fail(RK_ARG, too_many_lists);
    } else {
        self->kept[(self->first + self->waiting++) % LISTS_MOST] = *msg;
        rk_limit_set(RK_ARG, &self->limit, RK_PARAM_OF(per_second), RK_SECONDS(1), AT_ONCE);
        rk_wake_at(RK_ARG, rk_limit_when(&self->limit, 1));
    }
}

RK_ON_TIMER(mail, post, self)
{
    for (rk_u32 n = 0; n < AT_ONCE && self->waiting && rk_limit_take(RK_ARG, &self->limit, 1); n++)
        send_next(RK_ARG, self);
    if (self->waiting) rk_wake_at(RK_ARG, rk_limit_when(&self->limit, 1));
}
