/* Where printed text goes: a buffer that may be too small, in which case only the size is counted. */
#ifndef RINGKERNEL_MESSAGE_PRINT_H
#define RINGKERNEL_MESSAGE_PRINT_H

#include "message/schema.h"

typedef struct rk_print {
    char *out;
    size_t room;
    size_t size; /* of the text so far, written or not */
} rk_print;

/* The place of the next `size` bytes, to be filled; NULL if there are none or they don't fit. */
static inline char *rk_print_take(rk_print *print, size_t size)
{
    size_t at = print->size;
    print->size += size;
    return size > 0 && print->size <= print->room ? print->out + at : NULL;
}

static inline void rk_print_bytes(rk_print *print, const char *bytes, size_t size)
{
    char *to = rk_print_take(print, size);
    if (to != NULL) memcpy(to, bytes, size);
}

static inline void rk_print_byte(rk_print *print, char byte) { rk_print_bytes(print, &byte, 1); }

/* Bytes that a number takes at most: -9223372036854775808, 18446744073709551615; -2.2250738585072014e-308;
 * and the same without exponent: a sign, "0.", 323 zeros, 17 digits. */
#define RK_INTEGER_ROOM 20u
#define RK_FLOAT_ROOM 24u
#define RK_PLAIN_FLOAT_ROOM 343u
#define RK_PLAIN_F32_ROOM 57u /* "-0.", 45 zeros, 9 digits */

/* Writes a number, of at most that room, and returns its size. */
size_t rk_write_integer(rk_integer number, char *out);

/* A finite float of this kind: the fewest digits that read back the same, with an exponent where C's %g has
 * one. */
size_t rk_write_float(rk_u32 kind, rk_f64 value, char *out);

/* The same digits without an exponent. */
size_t rk_write_plain_float(rk_u32 kind, rk_f64 value, char *out);

static inline bool rk_is_finite(rk_f64 value) { return value - value == 0; }

#endif
