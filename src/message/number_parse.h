/* Reads the numbers of a CSV row: -?[0-9]+ and -?[0-9]+(\.[0-9]+)?, nothing else, as fast as the machine
 * takes them.
 *
 * Eight bytes are looked at together: where the digits end is one count of zero bits, and what they are worth
 * is three multiplications (D. Lemire, "Quickly parsing eight digits", and W. Mula's SWAR before it), so the
 * length of a number is no branch that the processor could guess wrong. Digits times a power of ten are exact
 * in a double while the digits are below 2^53 and the power is at most 22 (W. Clinger, "How to read floating
 * point numbers accurately", PLDI 1990); everything else goes the slow way. */
#ifndef RINGKERNEL_MESSAGE_NUMBER_PARSE_H
#define RINGKERNEL_MESSAGE_NUMBER_PARSE_H

#include "message/schema.h"

/* Both return the byte behind the number, or NULL if there is none. Text must go on, up to `end`, with a byte
 * that is no digit and no point; up to 8 bytes before `end` are read beyond the number. */

#define RK_EXACT_DIGITS 19 /* any 19 digits fit a u64 */
#define RK_EXACT_POWER 22
#define RK_EXACT_MANTISSA (1ull << 53)

/* The double or float nearest to any number of the grammar, [text, end), saturated to the largest finite. */
rk_f64 rk_decimal_slow_f64(const char *text, const char *end);
rk_f32 rk_decimal_slow_f32(const char *text, const char *end);

extern const rk_u64 rk_ten_to[20];
extern const rk_f64 rk_ten_to_f64[RK_EXACT_POWER + 1];

static inline bool rk_is_digit(char byte) { return (rk_u8)(byte - '0') < 10; }

/* Value of eight digits, the first in the lowest byte, each less '0'. */
static inline rk_u64 rk_eight_digits(rk_u64 digits)
{
    digits = digits * 10 + (digits >> 8); /* pairs, in every second byte */
    const rk_u64 mask = 0x000000FF000000FFull;
    return (((digits & mask) * 0x000F424000000064ull) + (((digits >> 16) & mask) * 0x0000271000000001ull)) >>
           32;
}

/* Reads digits onto value; returns the byte behind them. Overflow is for the caller to see by their
 * number. */
static inline const char *rk_digits(const char *at, const char *end, rk_u64 *value)
{
    rk_u64 total = *value;
    while ((size_t)(end - at) >= 8) {
        rk_u64 word;
        memcpy(&word, at, 8);
        word ^= 0x3030303030303030ull;
        /* The top bit of each byte that is no digit; wrong ones can only follow a right one. */
        rk_u64 others = ((word + 0x7676767676767676ull) | word) & 0x8080808080808080ull;
        if (others == 0) {
            total = total * 100000000u + rk_eight_digits(word);
            at += 8;
            continue;
        }
        unsigned count = (unsigned)__builtin_ctzll(others) / 8u;
        /* Shifted to the top, the digits have leading zeros; by 64 for none at all, hence in two steps. */
        *value = total * rk_ten_to[count] + rk_eight_digits((word << 8) << (56 - 8 * count));
        return at + count;
    }
    while (rk_is_digit(*at)) total = total * 10 + (rk_u64)(*at++ - '0');
    *value = total;
    return at;
}

/* Magnitude of more digits than surely fit. */
static inline rk_u64 rk_long_magnitude(const char *at, const char *end)
{
    rk_u64 value = 0;
    for (; at < end; at++) {
        rk_u64 digit = (rk_u64)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) return UINT64_MAX;
        value = value * 10 + digit;
    }
    return value;
}

/* An integer, its magnitude saturated to 2^64 - 1. */
static inline const char *rk_parse_integer(const char *at, const char *end, rk_integer *number)
{
    number->negative = *at == '-';
    at += number->negative;
    rk_u64 value = 0;
    const char *behind = rk_digits(at, end, &value);
    if (behind == at) return NULL;
    if (behind - at > RK_EXACT_DIGITS) value = rk_long_magnitude(at, behind);
    number->magnitude = value;
    return behind;
}

/* Bits of the value nearest to a number that a kind can hold. */
static inline rk_u64 rk_saturate(rk_integer number, const rk_kind_facts *kind)
{
    rk_u64 lowest = kind->is_signed ? kind->largest + 1 : 0; /* magnitude of the smallest value */
    rk_u64 bound = number.negative ? lowest : kind->largest;
    rk_u64 magnitude = number.magnitude < bound ? number.magnitude : bound;
    return number.negative ? 0 - magnitude : magnitude;
}

/* A decimal number as ±mantissa / 10^power. exact: the double of it is. */
typedef struct rk_decimal {
    rk_f64 value;
    bool exact; /* value is the nearest double; else read it the slow way */
} rk_decimal;

static inline const char *rk_parse_decimal(const char *at, const char *end, rk_decimal *number)
{
    bool negative = *at == '-';
    at += negative;
    rk_u64 mantissa = 0;
    const char *behind = rk_digits(at, end, &mantissa);
    if (behind == at) return NULL;
    size_t count = (size_t)(behind - at), power = 0;
    if (*behind == '.') {
        const char *fraction = behind + 1;
        behind = rk_digits(fraction, end, &mantissa);
        power = (size_t)(behind - fraction);
        if (power == 0) return NULL;
        count += power;
    }
    number->exact = count <= RK_EXACT_DIGITS && mantissa < RK_EXACT_MANTISSA && power <= RK_EXACT_POWER;
    rk_f64 value = number->exact ? (rk_f64)mantissa / rk_ten_to_f64[power] : 0;
    number->value = negative ? -value : value;
    return behind;
}

/* Whether rounding a number first to a double and then to a float may differ from rounding it once: only
 * when the double lies halfway between two floats, which its last 29 bits say, or, among the smallest
 * floats, which are 2^-149 apart, its distance from one. */
static inline bool rk_rounds_twice(rk_f64 value)
{
    rk_u64 bits;
    memcpy(&bits, &value, 8);
    if (__builtin_expect((bits << 1 >> 53) >= 1023 - 126, 1)) return (bits & 0x1FFFFFFFu) == 0x10000000u;
    rk_f64 distance = value - (rk_f64)(rk_f32)value;
    return distance == 0x1p-150 || distance == -0x1p-150;
}

#endif
