/* Schemas: facts about kinds, look-up by name, the hash, and the check of one that came from elsewhere.
 * Everything about a kind is in one table; everything else follows from the fields. */
#include "message/schema.h"

#include <stdio.h>

const rk_kind_facts rk_kinds[RK_KIND_F64 + 1] = {
    [RK_KIND_U8] = { "rk_u8", 1, false, false, UINT8_MAX },
    [RK_KIND_I8] = { "rk_i8", 1, true, false, INT8_MAX },
    [RK_KIND_U16] = { "rk_u16", 2, false, false, UINT16_MAX },
    [RK_KIND_I16] = { "rk_i16", 2, true, false, INT16_MAX },
    [RK_KIND_U32] = { "rk_u32", 4, false, false, UINT32_MAX },
    [RK_KIND_I32] = { "rk_i32", 4, true, false, INT32_MAX },
    [RK_KIND_U64] = { "rk_u64", 8, false, false, UINT64_MAX },
    [RK_KIND_I64] = { "rk_i64", 8, true, false, INT64_MAX },
    [RK_KIND_F32] = { "rk_f32", 4, true, true, 0 },
    [RK_KIND_F64] = { "rk_f64", 8, true, true, 0 },
};

const char *rk_kind_name(rk_u32 kind) { return kind <= RK_KIND_F64 ? rk_kinds[kind].name : NULL; }

rk_u32 rk_kind_size(rk_u32 kind) { return kind <= RK_KIND_F64 ? rk_kinds[kind].size : 0; }

const rk_field *rk_schema_field(const rk_schema *schema, const char *name)
{
    if (schema == NULL || name == NULL) return NULL;
    for (rk_u32 i = 0; i < schema->field_count; i++)
        if (strcmp(schema->fields[i].name, name) == 0) return &schema->fields[i];
    return NULL;
}

/* The arithmetic of RK_HASH_ARRAY_ in message.h: as many characters as a name may have, a shorter one is followed
 * by NULs. */
static rk_u64 field_hash(const rk_field *field)
{
    rk_u64 name = 0;
    const char *at = field->name;
    for (rk_u32 i = 0; i < RK_MEMBER_NAME_MAX; i++) {
        name = name * RK_NAME_BASE + (rk_u64)*at;
        if (*at != '\0') at++;
    }
    rk_u64 hash = RK_FNV(RK_FNV(RK_FNV(RK_FNV_BASIS, field->kind), field->count), name);
    return hash * (2u * (rk_u64)field->offset + 1u);
}

rk_u64 rk_schema_hash(const rk_schema *schema)
{
    rk_u64 hash = RK_FNV(RK_FNV(RK_FNV_BASIS, schema->type), schema->size);
    for (rk_u32 i = 0; i < schema->field_count; i++) hash += field_hash(&schema->fields[i]);
    return hash;
}

static bool is_identifier(const char *name)
{
    if (name == NULL || (*name >= '0' && *name <= '9')) return false;
    const char *at = name;
    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
           *at == '_')
        at++;
    return at > name && *at == '\0';
}

static rk_status incompatible(rk_parse_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static rk_status incompatible(rk_parse_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    rk_parse_error_add_list(error, format, arguments);
    va_end(arguments);
    return RK_INCOMPATIBLE;
}

/* Checks field number i, whose place must be `offset`, and moves that behind it. */
static rk_status check_field(const rk_schema *schema, rk_u32 i, rk_u64 *offset, rk_parse_error *error)
{
    const rk_field *field = &schema->fields[i];
    if (rk_schema_field(schema, field->name) != field)
        return incompatible(error, "%s: two fields are called %s", schema->name, field->name);
    if (rk_kind_size(field->kind) == 0)
        return incompatible(error, "%s.%s: there is no kind %u", schema->name, field->name, field->kind);
    if (field->size != rk_kind_size(field->kind))
        return incompatible(error, "%s.%s: an %s has %u bytes, not %u", schema->name, field->name,
                            rk_kind_name(field->kind), rk_kind_size(field->kind), field->size);
    if (field->count == 0) return incompatible(error, "%s.%s: has no elements", schema->name, field->name);
    if (field->offset != *offset)
        return incompatible(error, "%s.%s: is at byte %u, where %llu is expected", schema->name, field->name,
                            field->offset, (unsigned long long)*offset);
    *offset += (rk_u64)field->count * field->size;
    return RK_OK;
}

rk_status rk_schema_check(const rk_schema *schema, rk_parse_error *error)
{
    rk_parse_error_clear(error);
    if (schema == NULL) {
        rk_parse_error_add(error, "there is no schema");
        return RK_INVALID_ARGUMENT;
    }
    if (!is_identifier(schema->name)) return incompatible(error, "the schema has no valid name");
    if (schema->type == 0 || schema->type > 65535)
        return incompatible(error, "%s: type id %u is not in 1 to 65535", schema->name, schema->type);
    if (schema->field_count == 0 || schema->fields == NULL)
        return incompatible(error, "%s: has no fields", schema->name);
    for (rk_u32 i = 0; i < schema->field_count; i++)
        if (!is_identifier(schema->fields[i].name))
            return incompatible(error, "%s: field %u has no valid name", schema->name, i);
    for (rk_u32 i = 0; i < schema->field_count; i++)
        if (strlen(schema->fields[i].name) > RK_MEMBER_NAME_MAX)
            return incompatible(error, "%s: the name of field %u has %zu characters, over %u", schema->name,
                                i, strlen(schema->fields[i].name), RK_MEMBER_NAME_MAX);
    rk_u64 offset = 0;
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        rk_status status = check_field(schema, i, &offset, error);
        if (status != RK_OK) return status;
    }
    if (offset != schema->size)
        return incompatible(error, "%s: its fields have %llu bytes, the message %u", schema->name,
                            (unsigned long long)offset, schema->size);
    if (schema->variable > 1 ||
        (schema->variable == 1 && (schema->field_count != 1 || schema->fields[0].kind != RK_KIND_U8 ||
                                   strcmp(schema->fields[0].name, "bytes") != 0)))
        return incompatible(error, "%s: a blob is one field rk_u8 bytes", schema->name);
    if (rk_schema_hash(schema) != schema->hash)
        return incompatible(error, "%s: its hash is %016llx, its fields say %016llx", schema->name,
                            (unsigned long long)schema->hash, (unsigned long long)rk_schema_hash(schema));
    return RK_OK;
}

static rk_integer from_signed(rk_i64 value)
{
    return (rk_integer){ value < 0 ? 0 - (rk_u64)value : (rk_u64)value, value < 0 };
}

rk_integer rk_element_integer(rk_u32 kind, const void *element)
{
    rk_u64 bits = 0;
    memcpy(&bits, element, rk_kinds[kind].size); /* little-endian, as every layout here */
    switch (kind) {
    case RK_KIND_I8: return from_signed((rk_i8)bits);
    case RK_KIND_I16: return from_signed((rk_i16)bits);
    case RK_KIND_I32: return from_signed((rk_i32)bits);
    case RK_KIND_I64: return from_signed((rk_i64)bits);
    default: return (rk_integer){ bits, false };
    }
}

rk_f64 rk_element_float(rk_u32 kind, const void *element)
{
    if (kind == RK_KIND_F32) {
        rk_f32 value;
        memcpy(&value, element, sizeof value);
        return value;
    }
    rk_f64 value;
    memcpy(&value, element, sizeof value);
    return value;
}

void rk_parse_error_clear(rk_parse_error *error)
{
    if (error == NULL) return;
    error->column = 0;
    error->text[0] = '\0';
}

void rk_parse_error_add_list(rk_parse_error *error, const char *format, va_list arguments)
{
    if (error == NULL) return;
    size_t used = strlen(error->text), room = sizeof error->text - used;
    if (vsnprintf(error->text + used, room, format, arguments) >= (int)room)
        memcpy(error->text + sizeof error->text - 4, "...", 4);
}

void rk_parse_error_add(rk_parse_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    rk_parse_error_add_list(error, format, arguments);
    va_end(arguments);
}

void rk_parse_error_add_fields(rk_parse_error *error, const rk_schema *schema, bool by_element)
{
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        const char *separator = i == 0 ? "" : ", ";
        if (!by_element || field->count == 1 || schema->variable)
            rk_parse_error_add(error, "%s%s", separator, field->name);
        else
            rk_parse_error_add(error, "%s%s[0] to %s[%u]", separator, field->name, field->name,
                               field->count - 1);
    }
}
