/* Messages, declared once.
 *
 *     RK_MESSAGE(flight, 1, (rk_u32, seq), (rk_i32, delay), (rk_f32, sample, 8))
 *
 * declares the structure `flight` with these members in this order, gives it type id 1, and computes its
 * schema hash. It is an error at compile time, in every language, if the structure has hidden padding, an array
 * of no elements or over 1 GiB, the id is not in 1…65,535, a member's name is over 32 characters, or its type is
 * not a scalar of the dialect. On the host RK_SCHEMA(flight) is its reflection: names, kinds, offsets.
 *
 *     RK_BLOB(frame, 2, 65536)
 *
 * declares a message of 0 to 65,536 bytes, `bytes`, whose length travels with it.
 *
 * The structure ends in an invisible member of no size that carries the type id to rk_send and RK_BODY, so it
 * can be initialised by position as if it weren't there. Compilers warn that a positional initialiser leaves
 * it out; the warning is switched off here for files that use messages. */
#ifndef RINGKERNEL_MESSAGE_H
#define RINGKERNEL_MESSAGE_H

#include "device/each.h"
#include "device/port.h"

#if defined(RK_LANG_HOST)
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

typedef enum rk_kind {
    RK_KIND_U8 = 1,
    RK_KIND_I8 = 2,
    RK_KIND_U16 = 3,
    RK_KIND_I16 = 4,
    RK_KIND_U32 = 5,
    RK_KIND_I32 = 6,
    RK_KIND_U64 = 7,
    RK_KIND_I64 = 8,
    RK_KIND_F32 = 9,
    RK_KIND_F64 = 10
} rk_kind;

#define RK_KIND_OF_rk_u8 RK_KIND_U8
#define RK_KIND_OF_rk_i8 RK_KIND_I8
#define RK_KIND_OF_rk_u16 RK_KIND_U16
#define RK_KIND_OF_rk_i16 RK_KIND_I16
#define RK_KIND_OF_rk_u32 RK_KIND_U32
#define RK_KIND_OF_rk_i32 RK_KIND_I32
#define RK_KIND_OF_rk_u64 RK_KIND_U64
#define RK_KIND_OF_rk_i64 RK_KIND_I64
#define RK_KIND_OF_rk_f32 RK_KIND_F32
#define RK_KIND_OF_rk_f64 RK_KIND_F64

/* A member is (type, name) or (type, name, count); the macros below see it with the message's name before
 * it. */
#define RK_PICK_(message, type, name, count, chosen, ...) chosen
#define RK_UNPACK_(...) __VA_ARGS__
#define RK_CALL_(macro, ...) macro(__VA_ARGS__)

#define RK_MEMBER_ARRAY_(message, type, name, count) type name[count];
#define RK_MEMBER_ONE_(message, type, name) type name;
#define RK_MEMBER_OF_(...) RK_PICK_(__VA_ARGS__, RK_MEMBER_ARRAY_, RK_MEMBER_ONE_, 0)(__VA_ARGS__)
#define RK_MEMBER_(message, member) RK_CALL_(RK_MEMBER_OF_, message, RK_UNPACK_ member)

#define RK_SIZE_ARRAY_(message, type, name, count) +sizeof(type) * (count)
#define RK_SIZE_ONE_(message, type, name) +sizeof(type)
#define RK_SIZE_OF_(...) RK_PICK_(__VA_ARGS__, RK_SIZE_ARRAY_, RK_SIZE_ONE_, 0)(__VA_ARGS__)
#define RK_SIZE_(message, member) RK_CALL_(RK_SIZE_OF_, message, RK_UNPACK_ member)

#define RK_COUNT_ARRAY_(message, type, name, count) &&(count) > 0
#define RK_COUNT_ONE_(message, type, name)
#define RK_COUNT_OF_(...) RK_PICK_(__VA_ARGS__, RK_COUNT_ARRAY_, RK_COUNT_ONE_, 0)(__VA_ARGS__)
#define RK_COUNT_(message, member) RK_CALL_(RK_COUNT_OF_, message, RK_UNPACK_ member)

#define RK_MEMBER_NAME_MAX 32u /* characters, since the hash below spells them out */
#define RK_NAMED_ARRAY_(message, type, name, count) &&sizeof(#name) <= RK_MEMBER_NAME_MAX + 1u
#define RK_NAMED_ONE_(message, type, name) RK_NAMED_ARRAY_(message, type, name, 1)
#define RK_NAMED_OF_(...) RK_PICK_(__VA_ARGS__, RK_NAMED_ARRAY_, RK_NAMED_ONE_, 0)(__VA_ARGS__)
#define RK_NAMED_(message, member) RK_CALL_(RK_NAMED_OF_, message, RK_UNPACK_ member)

/* Schema hash: FNV-1a over type id and size, plus for each member the same over kind, count and name, weighted by
 * its offset. A name is taken as one word, the polynomial of its characters at RK_NAME_BASE (Horner's scheme, a shorter name
 * followed by NULs) modulo 2^64. It is written as a balanced tree with the base's powers spelled out, and in few tokens: each
 * file that includes a message pays for them, and compilers take several times as long for what is nested 32 deep. All of
 * it folds to a constant. */
#define RK_FNV_BASIS 14695981039346656037ul
#define RK_FNV(hash, value) (((hash) ^ (rk_u64)(value)) * 1099511628211ul)
#define RK_NAME_BASE 0x9e3779b97f4a7c15ul
#define RK_NAME_2_(text, i) ((text)[i] * RK_NAME_BASE + (text)[i + 1])
#define RK_NAME_4_(text, i) (RK_NAME_2_(text, i) * 0xdf442d22ce4859b9ul + RK_NAME_2_(text, i + 2))
#define RK_NAME_8_(text, i) (RK_NAME_4_(text, i) * 0xd94363fc538227b1ul + RK_NAME_4_(text, i + 4))
#define RK_NAME_16_(text, i) (RK_NAME_8_(text, i) * 0x6d4b2611beb6861ul + RK_NAME_8_(text, i + 8))
#define RK_NAME_32_(text) (RK_NAME_16_(text, 0) * 0xf53f7dff42a4f4c1ul + RK_NAME_16_(text, 16))
/* As many NULs as a name of one character lacks; the literal's own is the last. */
#define RK_NAME_END_ "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define RK_HASH_ARRAY_(message, type, name, count)                                                     \
    +RK_FNV(RK_FNV(RK_FNV(RK_FNV_BASIS, RK_KIND_OF_##type), count), RK_NAME_32_(#name RK_NAME_END_)) * \
        (2u * (rk_u64)RK_OFFSET_OF(message, name) + 1u)
#define RK_HASH_ONE_(message, type, name) RK_HASH_ARRAY_(message, type, name, 1)
#define RK_HASH_OF_(...) RK_PICK_(__VA_ARGS__, RK_HASH_ARRAY_, RK_HASH_ONE_, 0)(__VA_ARGS__)
#define RK_HASH_(message, member) RK_CALL_(RK_HASH_OF_, message, RK_UNPACK_ member)

#define RK_MESSAGE_MAX 1073741824u /* bytes; lengths of frames and pools are meant for no more */

/* What carries the type id: in C an array of no elements, in C++, which NVRTC takes at its word, a static
 * member. */
#if defined(__cplusplus)
#define RK_MEMBER_TYPE_(type_id) static const rk_u8 rk_type_[1][(type_id) + 1];
#else
#define RK_MEMBER_TYPE_(type_id) rk_u8 rk_type_[0][(type_id) + 1];
#endif
#define RK_MESSAGE_STRUCT_(message, type_id, ...)                                                          \
    typedef struct message {                                                                               \
        RK_EACH(RK_MEMBER_, message, __VA_ARGS__)                                                          \
        RK_MEMBER_TYPE_(type_id)                                                                           \
    } message;                                                                                             \
    RK_STATIC_ASSERT((type_id) > 0 && (type_id) < 65536,                                                   \
                     "the type id of " #message " is not in 1 to 65535");                                  \
    RK_STATIC_ASSERT(1 RK_EACH(RK_COUNT_, message, __VA_ARGS__), #message " has an array of no elements"); \
    RK_STATIC_ASSERT(sizeof(message) == 0 RK_EACH(RK_SIZE_, message, __VA_ARGS__),                         \
                     #message " has hidden padding: order its members by size");                           \
    RK_STATIC_ASSERT(1 RK_EACH(RK_NAMED_, message, __VA_ARGS__),                                           \
                     #message " has a member whose name is over 32 characters");                           \
    RK_STATIC_ASSERT(sizeof(message) <= RK_MESSAGE_MAX, #message " is over 1 GiB")

#define RK_MESSAGE_HASH_(message, type_id, ...) \
    (RK_FNV(RK_FNV(RK_FNV_BASIS, type_id), sizeof(message)) RK_EACH(RK_HASH_, message, __VA_ARGS__))

/* Type id of a message type, and of what a pointer to a message points to. */
#define RK_TYPE_ID(message) ((rk_u16)(sizeof(((message *)0)->rk_type_[0]) - 1u))
#define RK_TYPE_ID_OF(pointer) ((rk_u16)(sizeof((pointer)->rk_type_[0]) - 1u))

#if defined(RK_LANG_HOST)

/* Reflection, on the host: constant data with the program's lifetime. */
typedef struct rk_field {
    const char *name;
    rk_u32 kind;   /* rk_kind */
    rk_u32 count;  /* elements of an array; 1 for a scalar */
    rk_u32 offset; /* bytes from the start of the message */
    rk_u32 size;   /* bytes of one element */
} rk_field;

typedef struct rk_schema {
    const char *name;
    rk_u64 hash;
    rk_u32 type;     /* type id */
    rk_u32 size;     /* bytes of the whole message */
    rk_u32 variable; /* 1: a blob, of 0 to size bytes */
    rk_u32 field_count;
    const rk_field *fields; /* field_count of them, in order */
} rk_schema;

#define RK_FIELD_ARRAY_(message, type, name, count) \
    { #name, RK_KIND_OF_##type, count, RK_OFFSET_OF(message, name), sizeof(type) },
#define RK_FIELD_ONE_(message, type, name) RK_FIELD_ARRAY_(message, type, name, 1)
#define RK_FIELD_OF_(...) RK_PICK_(__VA_ARGS__, RK_FIELD_ARRAY_, RK_FIELD_ONE_, 0)(__VA_ARGS__)
#define RK_FIELD_(message, member) RK_CALL_(RK_FIELD_OF_, message, RK_UNPACK_ member)

/* A kernel source registers its schemas with its module (kernel.h); a host program only uses them. What kernel.h says
 * of this name is in conflict with it. */
#ifndef RK_SCHEMA_DECLARED
#define RK_SCHEMA_DECLARED(message) typedef rk_u32 rk_message_before_kernel_h
#endif

#define RK_MESSAGE_DECLARE_(message, type_id, is_blob, ...)                                               \
    RK_MESSAGE_STRUCT_(message, type_id, __VA_ARGS__);                                                    \
    static const rk_field rk_fields_##message[] RK_UNUSED = { RK_EACH(RK_FIELD_, message, __VA_ARGS__) }; \
    static const rk_schema rk_schema_##message RK_UNUSED = {                                              \
        #message,                                                                                         \
        RK_MESSAGE_HASH_(message, type_id, __VA_ARGS__),                                                  \
        type_id,                                                                                          \
        sizeof(message),                                                                                  \
        is_blob,                                                                                          \
        sizeof(rk_fields_##message) / sizeof(rk_field),                                                   \
        rk_fields_##message,                                                                              \
    };                                                                                                    \
    RK_SCHEMA_DECLARED(message)

#define RK_SCHEMA(message) (&rk_schema_##message)
/* The hash of a message's schema, the same in every language. */
#define RK_SCHEMA_HASH(message) RK_SCHEMA(message)->hash

#else
#define RK_MESSAGE_DECLARE_(message, type_id, is_blob, ...) \
    RK_MESSAGE_STRUCT_(message, type_id, __VA_ARGS__);      \
    RK_CONSTANT rk_u64 rk_schema_hash_##message RK_UNUSED = RK_MESSAGE_HASH_(message, type_id, __VA_ARGS__)

#define RK_SCHEMA_HASH(message) rk_schema_hash_##message
#endif

#define RK_MESSAGE(message, type_id, ...) RK_MESSAGE_DECLARE_(message, type_id, 0, __VA_ARGS__);
#define RK_BLOB(message, type_id, max_bytes) \
    RK_MESSAGE_DECLARE_(message, type_id, 1, (rk_u8, bytes, max_bytes));

#endif
