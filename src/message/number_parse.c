/* The slow way to read a decimal number, for what number_parse.h can't do exactly: the C library's strtod,
 * given the digits in a form that no locale changes, without a decimal point. */
#include "message/number_parse.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

const rk_u64 rk_ten_to[20] = {
    1ull,
    10ull,
    100ull,
    1000ull,
    10000ull,
    100000ull,
    1000000ull,
    10000000ull,
    100000000ull,
    1000000000ull,
    10000000000ull,
    100000000000ull,
    1000000000000ull,
    10000000000000ull,
    100000000000000ull,
    1000000000000000ull,
    10000000000000000ull,
    100000000000000000ull,
    1000000000000000000ull,
    10000000000000000000ull,
};

const rk_f64 rk_ten_to_f64[RK_EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* Halfway points between doubles have at most 767 significant digits; of what follows it only matters whether
 * it is zero. */
#define SIGNIFICANT_DIGITS 770
typedef struct plain_number {
    char text[SIGNIFICANT_DIGITS + 32];
} plain_number;

/* -12.5 becomes -125e-1. */
static void without_point(const char *text, const char *end, plain_number *plain)
{
    char *to = plain->text;
    if (*text == '-') *to++ = *text++;
    const char *first = to, *point = NULL;
    size_t dropped = 0; /* digits before the point that are not in the text */
    size_t after = 0;   /* digits behind the point that are in it */
    bool rest = false;
    for (const char *at = text; at < end; at++) {
        if (*at == '.') {
            point = at;
        } else if (to == first && *at == '0') { /* a leading zero */
            after += point != NULL;
        } else if (to - first < SIGNIFICANT_DIGITS) {
            *to++ = *at;
            after += point != NULL;
        } else {
            rest |= *at != '0';
            dropped += point == NULL;
        }
    }
    if (to == first) *to++ = '0';
    if (rest) { /* one more digit stands for all the others */
        *to++ = '1';
        after++;
    }
    long long exponent = (long long)dropped - (long long)after;
    snprintf(to, (size_t)(plain->text + sizeof plain->text - to), "e%lld", exponent);
}

rk_f64 rk_decimal_slow_f64(const char *text, const char *end)
{
    plain_number plain;
    without_point(text, end, &plain);
    rk_f64 value = strtod(plain.text, NULL);
    return value > DBL_MAX ? DBL_MAX : value < -DBL_MAX ? -DBL_MAX : value;
}

rk_f32 rk_decimal_slow_f32(const char *text, const char *end)
{
    plain_number plain;
    without_point(text, end, &plain);
    rk_f32 value = strtof(plain.text, NULL);
    return value > FLT_MAX ? FLT_MAX : value < -FLT_MAX ? -FLT_MAX : value;
}
