/* For tests: schemas and messages made from a stream of random bits, the same on every machine. */
#ifndef RINGKERNEL_MESSAGE_RANDOM_MESSAGE_H
#define RINGKERNEL_MESSAGE_RANDOM_MESSAGE_H

#include <stdio.h>
#include <string.h>

#include "ringkernel/text.h"

#define RK_RANDOM_FIELDS 9u
#define RK_RANDOM_COUNT 5u
#define RK_RANDOM_BYTES \
    64u /* of a blob; no less than RK_RANDOM_FIELDS fields of RK_RANDOM_COUNT 8-byte elements take */
#define RK_RANDOM_MESSAGE_MAX (RK_RANDOM_FIELDS * RK_RANDOM_COUNT * 8u)

typedef struct rk_random {
    rk_u64 state;
} rk_random;

/* splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014). */
static inline rk_u64 rk_random_next(rk_random *random)
{
    rk_u64 mixed = random->state += 0x9E3779B97F4A7C15ull;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
    return mixed ^ (mixed >> 31);
}

static inline rk_u64 rk_random_below(rk_random *random, rk_u64 bound)
{
    return rk_random_next(random) % bound;
}

typedef struct rk_random_schema {
    rk_schema schema;
    rk_field fields[RK_RANDOM_FIELDS];
    char names[RK_RANDOM_FIELDS][40];
} rk_random_schema;

/* Fills a schema in place: it points into itself. One of eight is a blob. */
static inline void rk_random_schema_make(rk_random *random, rk_random_schema *made)
{
    memset(made, 0, sizeof *made);
    bool blob = rk_random_below(random, 8) == 0;
    rk_u32 count = blob ? 1 : 1 + (rk_u32)rk_random_below(random, RK_RANDOM_FIELDS), offset = 0;
    for (rk_u32 i = 0; i < count; i++) {
        rk_u32 kind = blob ? RK_KIND_U8 : RK_KIND_U8 + (rk_u32)rk_random_below(random, RK_KIND_F64);
        rk_u32 length =
            rk_random_below(random, 3) == 0 ? 1 + (rk_u32)rk_random_below(random, RK_RANDOM_COUNT) : 1;
        snprintf(made->names[i], sizeof made->names[i], blob ? "bytes" : "f%u_%.*s", i,
                 (int)rk_random_below(random, 30), "abcdefghijklmnopqrstuvwxyz_012");
        made->fields[i] = (rk_field){ .name = made->names[i],
                                      .kind = kind,
                                      .count = blob ? RK_RANDOM_BYTES : length,
                                      .offset = offset,
                                      .size = rk_kind_size(kind) };
        offset += made->fields[i].count * made->fields[i].size;
    }
    made->schema = (rk_schema){ .name = "made_up",
                                .type = 1 + (rk_u32)rk_random_below(random, 65535),
                                .size = offset,
                                .variable = blob,
                                .field_count = count,
                                .fields = made->fields };
    made->schema.hash = rk_schema_hash(&made->schema);
}

/* Any bits; or few of them, so that zeros, small numbers and short fractions come up too. NaN and infinities
 * never do: no text has them. */
static inline void rk_random_element(rk_random *random, const rk_field *field, void *element)
{
    rk_u64 bits = rk_random_next(random);
    rk_u64 way = rk_random_below(random, 4);
    if (way < 2) bits >>= rk_random_below(random, 64);
    if (way == 1) bits = 0 - bits;
    if (field->kind == RK_KIND_F32) {
        rk_f32 number = (rk_f32)(rk_i32)bits / 100;
        if (way == 3) memcpy(&number, &bits, sizeof number);
        if (number - number != 0) number = -0.0f;
        memcpy(element, &number, sizeof number);
    } else if (field->kind == RK_KIND_F64) {
        rk_f64 number = (rk_f64)(rk_i64)bits / 1000;
        if (way == 3) memcpy(&number, &bits, sizeof number);
        if (number - number != 0) number = -0.0;
        memcpy(element, &number, sizeof number);
    } else {
        memcpy(element, &bits, field->size);
    }
}

/* Fills a message of a schema and returns its size. */
static inline rk_u32 rk_random_message(rk_random *random, const rk_schema *schema, char *message)
{
    rk_u32 size = schema->variable ? (rk_u32)rk_random_below(random, schema->size + 1) : schema->size;
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        for (rk_u32 element = 0; element < (schema->variable ? size : field->count); element++)
            rk_random_element(random, field, message + field->offset + (size_t)element * field->size);
    }
    return size;
}

#endif
