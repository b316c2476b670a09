/* Moving averages inside a kernel's state: over the last N values, exactly, and exponential ones.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/average.h>
 *
 *     RK_AVERAGE(day, 24, rk_f32)                            // over the last 24 values
 *     typedef struct station { day temperature; rk_exponential_f32 trend; } station;
 *
 *     day_add(&self->temperature, msg->temperature);
 *     rk_f32 mean = day_mean(&self->temperature);
 *     rk_exponential_f32_add(&self->trend, msg->temperature, 0.1f);
 *
 * Zeros are an average of nothing, so a fresh state needs no preparation. RK_AVERAGE(name, values, type) is
 * for rk_i32, rk_u32, rk_i64, rk_f32 and rk_f64, and makes the structure `name` and:
 *
 *     rk_status name_add(average, value)  RK_OK; RK_INVALID_ARGUMENT: it is an infinity or no number, and
 *                                         nothing is changed
 *     name_mean(average)                  of the values in the window, 0 if there are none. Integers:
 *                                         rk_i64, towards zero. Floats: the exact sum rounded once, divided
 *                                         by the count
 *     name_sum(average)                   rk_i64, or the type, as state/exact_sum.h has it: without drift,
 *                                         however long it runs
 *
 * average->count is the number of values in the window: it grows to `values` and stays there. All of them
 * take constant time. The least and the greatest of a window are in state/extremes.h. One thread of the group
 * uses an average at a time. */
#ifndef RINGKERNEL_STATE_AVERAGE_H
#define RINGKERNEL_STATE_AVERAGE_H

#include "../status.h"
#include "exact_sum.h"

#define RK_AVERAGE_MAX 0x40000000u /* values of one window */

#define RK_AVERAGE(name, values, type)                                                            \
    RK_STATIC_ASSERT((values) > 0 && (values) <= RK_AVERAGE_MAX, "RK_AVERAGE: 1 to 2^30 values"); \
    typedef struct name {                                                                         \
        rk_sum_##type sum; /* of the values in the window */                                      \
        rk_u32 count;                                                                             \
        rk_u32 next; /* where the next value goes: over the oldest */                             \
        type value[values];                                                                       \
    } name;                                                                                       \
    RK_FN rk_status name##_add(RK_GLOBAL name *average, type value)                               \
    {                                                                                             \
        if (!rk_sum_takes_##type(value)) return RK_INVALID_ARGUMENT;                              \
        RK_GLOBAL type *place = &average->value[average->next];                                   \
        if (average->count == (values))                                                           \
            rk_sum_subtract_##type(&average->sum, *place);                                        \
        else                                                                                      \
            average->count++;                                                                     \
        rk_sum_add_##type(&average->sum, value);                                                  \
        *place = value;                                                                           \
        average->next = average->next + 1u < (values) ? average->next + 1u : 0;                   \
        return RK_OK;                                                                             \
    }                                                                                             \
    RK_FN RK_SUM_TYPE_##type name##_sum(RK_GLOBAL const name *average)                            \
    {                                                                                             \
        return rk_sum_value_##type(&average->sum);                                                \
    }                                                                                             \
    RK_FN RK_SUM_TYPE_##type name##_mean(RK_GLOBAL const name *average)                           \
    {                                                                                             \
        return average->count ? rk_sum_mean_##type(&average->sum, average->count) : 0;            \
    }

#define RK_SUM_TYPE_rk_i32 rk_i64
#define RK_SUM_TYPE_rk_u32 rk_i64
#define RK_SUM_TYPE_rk_i64 rk_i64
#define RK_SUM_TYPE_rk_f32 rk_f32
#define RK_SUM_TYPE_rk_f64 rk_f64

/* ------------------------------------------------------------------ exponential
 *
 * The first value is the mean; each further one moves it by `weight` of the difference, above 0 and up to 1.
 * Old values fade and are never taken away, so rounding errors fade with them. No product is fused with a
 * sum, so each device computes the same bits. A value that is an infinity or no number is refused by
 * RK_INVALID_ARGUMENT, as is a weight out of range, and a value whose difference from the mean is beyond the
 * type; nothing is changed then. */

#if defined(RK_LANG_CUDA)
#define RK_PRODUCT_rk_f32(a, b) __fmul_rn(a, b)
#define RK_PRODUCT_rk_f64(a, b) __dmul_rn(a, b)
#else
#define RK_PRODUCT_rk_f32(a, b) ((a) * (b))
#define RK_PRODUCT_rk_f64(a, b) ((a) * (b))
#endif
#if defined(RK_LANG_OPENCL)
#pragma OPENCL FP_CONTRACT OFF
#endif

#define RK_EXPONENTIAL_(name, type)                                                                  \
    typedef struct name {                                                                            \
        type mean;                                                                                   \
        rk_u32 started; /* 1: there was a value */                                                   \
    } name;                                                                                          \
    RK_FN rk_status name##_add(RK_GLOBAL name *average, type value, type weight)                     \
    {                                                                                                \
        if (!rk_sum_takes_##type(value) || !(weight > 0 && weight <= 1)) return RK_INVALID_ARGUMENT; \
        type difference = value - average->mean;                                                     \
        type step = RK_PRODUCT_##type(weight, difference);                                           \
        type mean = average->started ? average->mean + step : value;                                 \
        if (!rk_sum_takes_##type(mean)) return RK_INVALID_ARGUMENT;                                  \
        average->mean = mean;                                                                        \
        average->started = 1;                                                                        \
        return RK_OK;                                                                                \
    }

RK_EXPONENTIAL_(rk_exponential_f32, rk_f32)
#if defined(RK_HAS_F64)
RK_EXPONENTIAL_(rk_exponential_f64, rk_f64)
#endif

#endif
