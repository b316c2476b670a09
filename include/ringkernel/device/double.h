/* Doubles, on devices that may have none: compared there, not computed with. */
#ifndef RINGKERNEL_DEVICE_DOUBLE_H
#define RINGKERNEL_DEVICE_DOUBLE_H

#include "histogram.h"

#define RK_UNORDERED 2

/* rk_f64_compare of a double by its bits (IEEE 754 binary64). Every integer of 32 bits is such a double exactly, and
 * those of one sign are in the order of their bits. */
RK_FN rk_i32 rk_f64_bits_compare(rk_u64 bits, rk_i32 with)
{
    const rk_u64 sign = 0x8000000000000000ul, infinity = 0x7ff0000000000000ul;
    rk_u64 size = with < 0 ? (rk_u64)(-(rk_i64)with) : (rk_u64)with, other = 0;
    if ((bits & ~sign) > infinity) return RK_UNORDERED;
    if (size) {
        rk_u32 power = rk_log2_u64(size);
        other = (rk_u64)(1023u + power) << 52 | ((size << (52u - power)) & 0x000ffffffffffffful);
    }
    rk_i64 a = bits & sign ? -(rk_i64)(bits & ~sign) : (rk_i64)bits,
           b = with < 0 ? -(rk_i64)other : (rk_i64)other;
    return (a > b) - (a < b);
}

/* A double beside an integer: -1 less, 0 equal, 1 more, RK_UNORDERED for what is no number. The same on every
 * device. */
RK_FN rk_i32 rk_f64_compare(rk_f64 value, rk_i32 with)
{
#if defined(RK_HAS_F64)
    return value < with ? -1 : value > with ? 1 : value == with ? 0 : RK_UNORDERED;
#else
    return rk_f64_bits_compare(value.bits, with);
#endif
}

#endif
