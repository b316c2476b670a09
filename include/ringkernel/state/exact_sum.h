/* Sums that forget exactly: what was added can be taken away again, in any order, and nothing is left of it.
 *
 * A running sum of floating-point numbers rounds each time, so taking values away again lets it drift, and
 * one large value wipes out the small ones for good. Here the sum is an integer in units of the type's
 * smallest positive number, wide enough for every finite value (Kulisch, "Computer Arithmetic and Validity",
 * 2008, chapter 8): rounded once, when it is read, to the nearest, ties to even, and the same on every
 * device. Its digits have 32 bits and are kept in signed 64-bit limbs, each for itself: adding touches three
 * of them and carries nothing, taking away is the exact inverse, and the sum of 2^30 values fits. 80 bytes
 * for rk_f32, 536 for rk_f64. Integers are summed in 64 bits: exact while the sum of what is in it fits,
 * whatever it was in between.
 *
 * For each type T of rk_i32, rk_u32, rk_i64, rk_f32 and (where the device has it) rk_f64: the structure
 * rk_sum_T, of which zeros are the sum of nothing, and
 *
 *     rk_u32 rk_sum_takes_T(value)   1, or 0 for what has no sum: an infinity or no number
 *     void rk_sum_add_T(sum, value), rk_sum_subtract_T(sum, value)
 *     rk_sum_value_T(sum)            rk_i64 for integers, T for floats (an infinity if it is beyond them)
 *     rk_sum_mean_T(sum, count)      the same divided by count: integers towards 0, floats rounded once more */
#ifndef RINGKERNEL_STATE_EXACT_SUM_H
#define RINGKERNEL_STATE_EXACT_SUM_H

#include "../device/histogram.h"

/* ------------------------------------------------------------------ integers */

#define RK_SUM_OF_INTEGERS_(type)                                                                       \
    typedef struct rk_sum_##type {                                                                      \
        rk_u64 total; /* modulo 2^64: a sum that is too large for a while is right again afterwards */  \
    } rk_sum_##type;                                                                                    \
    RK_FN rk_u32 rk_sum_takes_##type(type value RK_UNUSED) { return 1; }                                \
    RK_FN void rk_sum_add_##type(RK_GLOBAL rk_sum_##type *sum, type value)                              \
    {                                                                                                   \
        sum->total += (rk_u64)(rk_i64)value;                                                            \
    }                                                                                                   \
    RK_FN void rk_sum_subtract_##type(RK_GLOBAL rk_sum_##type *sum, type value)                         \
    {                                                                                                   \
        sum->total -= (rk_u64)(rk_i64)value;                                                            \
    }                                                                                                   \
    RK_FN rk_i64 rk_sum_value_##type(RK_GLOBAL const rk_sum_##type *sum) { return (rk_i64)sum->total; } \
    RK_FN rk_i64 rk_sum_mean_##type(RK_GLOBAL const rk_sum_##type *sum, rk_u32 count)                   \
    {                                                                                                   \
        return (rk_i64)sum->total / (rk_i64)count;                                                      \
    }

RK_SUM_OF_INTEGERS_(rk_i32)
RK_SUM_OF_INTEGERS_(rk_u32)
RK_SUM_OF_INTEGERS_(rk_i64)

/* ------------------------------------------------------------------ floats */

/* Add sign * mantissa * 2^shift. */
RK_FN void rk_limbs_add(RK_GLOBAL rk_i64 *limb, rk_u64 mantissa, rk_u32 shift, rk_i64 sign)
{
    rk_u32 first = shift / 32u, bits = shift % 32u;
    rk_u64 above = bits ? mantissa >> (64u - bits) : 0;
    limb[first] += sign * (rk_i64)((mantissa << bits) & 0xfffffffful);
    limb[first + 1u] += sign * (rk_i64)((mantissa >> (32u - bits)) & 0xfffffffful);
    limb[first + 2u] += sign * (rk_i64)above;
}

/* The digit of a limb once the carry has come in; the carry that goes on. */
RK_FN rk_u32 rk_limb_digit(rk_i64 limb, rk_i64 *carry)
{
    rk_i64 whole = limb + *carry;
    *carry = whole >> 32; /* towards minus infinity */
    return (rk_u32)whole;
}

RK_FN rk_i64 rk_limbs_sign(RK_GLOBAL const rk_i64 *limb, rk_u32 limbs)
{
    rk_i64 carry = 0;
    for (rk_u32 k = 0; k < limbs; k++) rk_limb_digit(limb[k], &carry);
    return carry < 0 ? -1 : 1;
}

/* The bits of |sum|, rounded to `precision` bits, as an IEEE number of that precision has them without its
 * sign. */
RK_FN rk_u64 rk_limbs_round(RK_GLOBAL const rk_i64 *limb, rk_u32 limbs, rk_i64 sign, rk_u32 precision)
{
    /* the highest digit that isn't 0, the two below, and whether there is anything under these */
    rk_u64 high = 0, low = 0, under = 0, first = 0, second = 0, rest = 0;
    rk_u32 top = 0;
    rk_i64 carry = 0;
    for (rk_u32 k = 0; k < limbs; k++) {
        rk_u64 digit = rk_limb_digit(sign * limb[k], &carry);
        if (digit) top = k, high = (digit << 32) | first, low = second, under = rest;
        rest |= second;
        second = first;
        first = digit;
    }
    if (high == 0) return 0;

    rk_u32 zeros = 63u - rk_log2_u64(high), highest = 32u * top + 31u - zeros; /* in units */
    rk_u64 leading = zeros ? (high << zeros) | (low >> (32u - zeros)) : high;
    under |= (low << zeros) & 0xfffffffful;
    if (highest < precision) return leading >> (63u - highest); /* a number of units, and exact */

    rk_u32 excess = 64u - precision;
    rk_u64 kept = leading >> excess, lost = leading & ((1ul << excess) - 1u), middle = 1ul << (excess - 1u);
    if (lost > middle || (lost == middle && (under != 0 || (kept & 1u)))) kept++;
    return ((rk_u64)(highest - precision + 1u) << (precision - 1u)) +
           kept; /* a kept that overflows is the next power */
}

/* clang-format off */
#define RK_SUM_OF_FLOATS_(type, bits_type, precision, exponents, limbs)                                      \
    typedef struct rk_sum_##type {                                                                           \
        rk_i64 limb[limbs];                                                                                  \
    } rk_sum_##type;                                                                                         \
    typedef union rk_bits_##type {                                                                           \
        type value;                                                                                          \
        bits_type bits;                                                                                      \
    } rk_bits_##type;                                                                                        \
    RK_FN rk_u32 rk_exponent_##type(type value)                                                              \
    {                                                                                                        \
        rk_bits_##type as;                                                                                   \
        as.value = value;                                                                                    \
        return (rk_u32)(as.bits >> ((precision) - 1u)) & (exponents);                                        \
    }                                                                                                        \
    RK_FN rk_u32 rk_sum_takes_##type(type value) { return rk_exponent_##type(value) != (exponents); }        \
    RK_FN void rk_sum_change_##type(RK_GLOBAL rk_sum_##type *sum, type value, rk_i64 sign)                   \
    {                                                                                                        \
        rk_bits_##type as;                                                                                   \
        rk_u32 exponent = rk_exponent_##type(value);                                                         \
        as.value = value;                                                                                    \
        rk_u64 mantissa = as.bits & (((rk_u64)1 << ((precision) - 1u)) - 1u);                                \
        if (exponent) mantissa |= (rk_u64)1 << ((precision) - 1u);                                           \
        if (as.bits >> (sizeof(type) * 8u - 1u)) sign = -sign;                                               \
        rk_limbs_add(sum->limb, mantissa, exponent ? exponent - 1u : 0, sign);                               \
    }                                                                                                        \
    RK_FN void rk_sum_add_##type(RK_GLOBAL rk_sum_##type *sum, type value)                                   \
    {                                                                                                        \
        rk_sum_change_##type(sum, value, 1);                                                                 \
    }                                                                                                        \
    RK_FN void rk_sum_subtract_##type(RK_GLOBAL rk_sum_##type *sum, type value)                              \
    {                                                                                                        \
        rk_sum_change_##type(sum, value, -1);                                                                \
    }                                                                                                        \
    RK_FN type rk_sum_value_##type(RK_GLOBAL const rk_sum_##type *sum)                                       \
    {                                                                                                        \
        const rk_u64 infinity = (rk_u64)(exponents) << ((precision) - 1u);                                   \
        rk_i64 sign = rk_limbs_sign(sum->limb, limbs);                                                       \
        rk_u64 bits = rk_limbs_round(sum->limb, limbs, sign, precision);                                     \
        rk_bits_##type as;                                                                                   \
        as.bits = (bits_type)(bits < infinity ? bits : infinity);                                            \
        if (sign < 0) as.bits |= (bits_type)1 << (sizeof(type) * 8u - 1u);                                   \
        return as.value;                                                                                     \
    }                                                                                                        \
    RK_FN type rk_sum_mean_##type(RK_GLOBAL const rk_sum_##type *sum, rk_u32 count)                          \
    {                                                                                                        \
        return rk_sum_value_##type(sum) / (type)count;                                                       \
    }
/* clang-format on */

RK_SUM_OF_FLOATS_(rk_f32, rk_u32, 24u, 0xffu, 10)
#if defined(RK_HAS_F64)
RK_SUM_OF_FLOATS_(rk_f64, rk_u64, 53u, 0x7ffu, 67)
#endif

#endif
