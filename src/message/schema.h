/* What the text functions need from a schema beside its public reflection: names of elements, and values by
 * kind. */
#ifndef RINGKERNEL_MESSAGE_SCHEMA_H
#define RINGKERNEL_MESSAGE_SCHEMA_H

#include <stdarg.h>
#include <string.h>

#include "ringkernel/text.h"

/* An integer of any kind, exactly: its magnitude and whether it is below zero. */
typedef struct rk_integer {
    rk_u64 magnitude;
    bool negative;
} rk_integer;

typedef struct rk_kind_facts {
    const char *name;
    rk_u32 size;
    bool is_signed;
    bool is_float;
    rk_u64 largest; /* integers: the largest value; -largest - 1 is the smallest if signed */
} rk_kind_facts;

/* By rk_kind; [0] is no kind. */
extern const rk_kind_facts rk_kinds[RK_KIND_F64 + 1];

/* Value of one element of an integer or float field. */
rk_integer rk_element_integer(rk_u32 kind, const void *element);
rk_f64 rk_element_float(rk_u32 kind, const void *element);

/* Stores the low bits of a 64-bit value, which is how every integer kind is stored. */
static inline void rk_store_low(rk_u32 size, rk_u64 bits, void *element)
{
    switch (size) {
    case 1: memcpy(element, &(rk_u8){ (rk_u8)bits }, 1); break;
    case 2: memcpy(element, &(rk_u16){ (rk_u16)bits }, 2); break;
    case 4: memcpy(element, &(rk_u32){ (rk_u32)bits }, 4); break;
    default: memcpy(element, &bits, 8); break;
    }
}

/* Adds to the text of an error; what doesn't fit is cut and ends in "...". error may be NULL. */
void rk_parse_error_clear(rk_parse_error *error);
void rk_parse_error_add(rk_parse_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rk_parse_error_add_list(rk_parse_error *error, const char *format, va_list arguments);

/* Adds the names of all fields, "seq, delay, sample[0] to sample[7]"; whole arrays as "sample" if by_element
 * is false. */
void rk_parse_error_add_fields(rk_parse_error *error, const rk_schema *schema, bool by_element);

#endif
