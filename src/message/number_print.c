/* Writes numbers: integers two digits at a time, floats with the fewest digits that read back as the same
 * value.
 *
 * Most floats in messages are short decimals (0.25, 18.5). Whether value × 10^k is a whole number that
 * divides back to the value is found by one multiplication and one division for each k, both exact enough
 * below 2^53; the C library is asked only for the rest, and its decimal point, which depends on the locale,
 * replaced. */
#include <stdio.h>
#include <stdlib.h>

#include "message/number_parse.h"
#include "message/print.h"

static const char digit_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

size_t rk_write_integer(rk_integer number, char *out)
{
    char digits[20];
    char *end = digits + sizeof digits, *at = end;
    rk_u64 rest = number.magnitude;
    while (rest >= 100) {
        at -= 2;
        memcpy(at, digit_pairs + rest % 100 * 2, 2);
        rest /= 100;
    }
    if (rest >= 10) {
        at -= 2;
        memcpy(at, digit_pairs + rest * 2, 2);
    } else {
        *--at = (char)('0' + rest);
    }
    size_t sign = number.negative && number.magnitude > 0;
    if (sign) out[0] = '-';
    memcpy(out + sign, at, (size_t)(end - at));
    return sign + (size_t)(end - at);
}

/* Whether a decimal, of which `read` is the nearest double, is read as this value. Of a float it must be so
 * whether it is rounded once or by way of a double, since readers do either. */
static bool reads_back(rk_u32 kind, rk_f64 read, rk_f64 value)
{
    if (kind == RK_KIND_F64) return read == value;
    return (rk_f32)read == (rk_f32)value && !rk_rounds_twice(read);
}

/* Writes magnitude × 10^power as digits with a point before the last `power`. */
static size_t write_scaled(bool negative, rk_u64 scaled, size_t power, char *out)
{
    char digits[RK_INTEGER_ROOM];
    size_t count = rk_write_integer((rk_integer){ scaled, false }, digits), at = 0;
    if (negative) out[at++] = '-';
    if (power == 0) {
        memcpy(out + at, digits, count);
        return at + count;
    }
    size_t whole = count > power ? count - power : 0;
    if (whole == 0) out[at++] = '0';
    memcpy(out + at, digits, whole);
    at += whole;
    out[at++] = '.';
    for (size_t zeros = count < power ? power - count : 0; zeros > 0; zeros--) out[at++] = '0';
    memcpy(out + at, digits + whole, count - whole);
    return at + count - whole;
}

/* Short decimals without an exponent; 0 if the value is none. */
static size_t write_short(rk_u32 kind, rk_f64 value, char *out)
{
    bool negative = __builtin_signbit(value) != 0;
    rk_f64 magnitude = negative ? -value : value;
    rk_f64 limit = kind == RK_KIND_F64 ? 1e15 : 1e6; /* digits that every value keeps */
    if (magnitude == 0) {
        memcpy(out, negative ? "-0.0" : "0",
               negative ? 4 : 1); /* the point keeps the sign: -0 is an integer */
        return negative ? 4 : 1;
    }
    if (magnitude < 1e-4) return 0;
    for (size_t power = 0; power <= 9; power++) {
        rk_f64 scaled = magnitude * rk_ten_to_f64[power];
        if (scaled >= limit) return 0;
        rk_u64 whole = (rk_u64)(scaled + 0.5);
        if (reads_back(kind, (rk_f64)whole / rk_ten_to_f64[power], magnitude))
            return write_scaled(negative, whole, power, out);
    }
    return 0;
}

/* What %.*e writes, with the fewest digits: -d.ddde-XX. */
static void write_exponential(rk_u32 kind, rk_f64 value, char out[40])
{
    int first = kind == RK_KIND_F64 ? 15 : 6, most = kind == RK_KIND_F64 ? 17 : 9;
    for (int digits = first; digits <= most; digits++) {
        snprintf(out, 40, "%.*e", digits - 1, value);
        if (kind == RK_KIND_F32 && strtof(out, NULL) != (rk_f32)value) continue;
        if (digits == most || reads_back(kind, strtod(out, NULL), value)) return;
    }
}

/* The digits of an exponential, without trailing zeros, and the power of ten of the first. */
static size_t take_digits(const char *text, char digits[20], int *power)
{
    size_t count = 0, used = 0;
    const char *at = text;
    for (; *at != 'e'; at++) { /* the decimal point may be any bytes but these */
        if (!rk_is_digit(*at)) continue;
        digits[count++] = *at;
        if (*at != '0') used = count;
    }
    *power = (int)strtol(at + 1, NULL, 10);
    return used;
}

static size_t write_digits(const char *digits, size_t count, int power, char *out)
{
    size_t at = 0;
    if (power < 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int zeros = -1 - power; zeros > 0; zeros--) out[at++] = '0';
        memcpy(out + at, digits, count);
        return at + count;
    }
    for (size_t i = 0; i < count || i <= (size_t)power; i++) {
        if (i == (size_t)power + 1) out[at++] = '.';
        out[at++] = i < count ? digits[i] : '0';
    }
    return at;
}

size_t rk_write_plain_float(rk_u32 kind, rk_f64 value, char *out)
{
    size_t size = write_short(kind, value, out);
    if (size > 0) return size;
    char text[40], digits[20] = "0";
    int power = 0;
    write_exponential(kind, value, text);
    size_t count = take_digits(text, digits, &power);
    if (value < 0) *out++ = '-';
    return (size_t)(value < 0) + write_digits(digits, count, power, out);
}

size_t rk_write_float(rk_u32 kind, rk_f64 value, char *out)
{
    size_t size = write_short(kind, value, out);
    if (size > 0) return size;
    char text[40], digits[20] = "0";
    int power = 0;
    write_exponential(kind, value, text);
    size_t count = take_digits(text, digits, &power);
    char *at = out;
    if (value < 0) *at++ = '-';
    if (power >= -4 && power < 17) return (size_t)(at - out) + write_digits(digits, count, power, at);
    *at++ = digits[0];
    if (count > 1) {
        *at++ = '.';
        memcpy(at, digits + 1, count - 1);
        at += count - 1;
    }
    *at++ = 'e';
    return (size_t)(at - out) + rk_write_integer((rk_integer){ (rk_u64)abs(power), power < 0 }, at);
}
