/* The least and the greatest of the last N values, inside a kernel's state.
 *
 *     RK_EXTREMES(day_range, 24, rk_f32)
 *
 *     day_range_add(&self->range, msg->temperature);
 *     if (self->range.count == 24) … day_range_least(&self->range), day_range_greatest(&self->range) …
 *
 * Zeros are a window without values. RK_EXTREMES(name, values, type) is for the types of state/exact_sum.h,
 * and makes the structure `name` and:
 *
 *     rk_status name_add(extremes, value)           RK_OK; RK_INVALID_ARGUMENT: it is an infinity or no
 *                                                   number, and nothing is changed
 *     type name_least(extremes), name_greatest(extremes)
 *                                                   0 if there are no values
 *
 * extremes->count is the number of values in the window. Reading is one load. Each value is put in once and
 * taken out once, so adding takes constant time on average over any run of values, though a single one may
 * take out all.
 *
 * Of the values in the window a queue keeps those that may still become the least: a value is of no use once
 * a later one isn't greater. So the queue rises from its front, which is the least, to its back (Lemire,
 * "Streaming maximum-minimum filter using no more than three comparisons per element", Nordic Journal of
 * Computing 13(4), 2006). A second one is for the greatest. */
#ifndef RINGKERNEL_STATE_EXTREMES_H
#define RINGKERNEL_STATE_EXTREMES_H

#include "../status.h"
#include "exact_sum.h"

#define RK_EXTREMES_MAX 0x40000000u /* values of one window */

/* Tests count here how many values are looked at. */
#if !defined(RK_EXTREMES_LOOKED)
#define RK_EXTREMES_LOOKED() ((void)0)
#endif

/* A queue whose values are in order: none is followed by one that is `better` or equal. */
#define RK_ORDERED_QUEUE_(name, values, type, better)                                      \
    typedef struct name {                                                                  \
        rk_u32 front, length;                                                              \
        rk_u32 at[values]; /* the number of the value, modulo 2^32 */                      \
        type value[values];                                                                \
    } name;                                                                                \
    RK_FN rk_u32 name##_place(RK_GLOBAL const name *queue, rk_u32 i)                       \
    {                                                                                      \
        rk_u32 place = queue->front + i;                                                   \
        return place < (values) ? place : place - (values);                                \
    }                                                                                      \
    RK_FN void name##_add(RK_GLOBAL name *queue, rk_u32 number, type value)                \
    {                                                                                      \
        if (queue->length && number - queue->at[queue->front] >= (values)) {               \
            queue->front = name##_place(queue, 1);                                         \
            queue->length--;                                                               \
        }                                                                                  \
        while (queue->length) {                                                            \
            RK_EXTREMES_LOOKED();                                                          \
            if (queue->value[name##_place(queue, queue->length - 1u)] better value) break; \
            queue->length--;                                                               \
        }                                                                                  \
        rk_u32 place = name##_place(queue, queue->length++);                               \
        queue->at[place] = number;                                                         \
        queue->value[place] = value;                                                       \
    }

#define RK_EXTREMES(name, values, type)                                                             \
    RK_STATIC_ASSERT((values) > 0 && (values) <= RK_EXTREMES_MAX, "RK_EXTREMES: 1 to 2^30 values"); \
    RK_ORDERED_QUEUE_(name##_rising, values, type, <)                                               \
    RK_ORDERED_QUEUE_(name##_falling, values, type, >)                                              \
    typedef struct name {                                                                           \
        rk_u32 count;                                                                               \
        rk_u32 number; /* of the next value, modulo 2^32 */                                         \
        name##_rising rising;                                                                       \
        name##_falling falling;                                                                     \
    } name;                                                                                         \
    RK_FN rk_status name##_add(RK_GLOBAL name *extremes, type value)                                \
    {                                                                                               \
        if (!rk_sum_takes_##type(value)) return RK_INVALID_ARGUMENT;                                \
        name##_rising_add(&extremes->rising, extremes->number, value);                              \
        name##_falling_add(&extremes->falling, extremes->number, value);                            \
        extremes->number++;                                                                         \
        if (extremes->count < (values)) extremes->count++;                                          \
        return RK_OK;                                                                               \
    }                                                                                               \
    RK_FN type name##_least(RK_GLOBAL const name *extremes)                                         \
    {                                                                                               \
        return extremes->count ? extremes->rising.value[extremes->rising.front] : 0;                \
    }                                                                                               \
    RK_FN type name##_greatest(RK_GLOBAL const name *extremes)                                      \
    {                                                                                               \
        return extremes->count ? extremes->falling.value[extremes->falling.front] : 0;              \
    }

#endif
