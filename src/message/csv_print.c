/* Messages as CSV: the head, and rows that the reader of CSV reads back. */
#include "message/base64.h"
#include "message/print.h"

size_t rk_csv_print_head(const rk_schema *schema, char *out, size_t room)
{
    rk_print print = { .out = out, .room = room };
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        rk_u32 count = schema->variable ? 1 : field->count;
        for (rk_u32 element = 0; element < count; element++) {
            if (i > 0 || element > 0) rk_print_byte(&print, ',');
            rk_print_bytes(&print, field->name, strlen(field->name));
            if (count == 1) continue;
            char number[RK_INTEGER_ROOM];
            rk_print_byte(&print, '[');
            rk_print_bytes(&print, number, rk_write_integer((rk_integer){ element, false }, number));
            rk_print_byte(&print, ']');
        }
    }
    return print.size;
}

static void print_value(rk_print *print, rk_u32 kind, const void *element)
{
    char number[RK_PLAIN_FLOAT_ROOM];
    if (!rk_kinds[kind].is_float) {
        rk_print_bytes(print, number, rk_write_integer(rk_element_integer(kind, element), number));
        return;
    }
    rk_f64 value = rk_element_float(kind, element);
    if (rk_is_finite(value))
        rk_print_bytes(print, number, rk_write_plain_float(kind, value, number));
    else if (value != value)
        rk_print_bytes(print, "nan", 3);
    else
        rk_print_bytes(print, value < 0 ? "-inf" : "inf", value < 0 ? 4 : 3);
}

size_t rk_csv_print(const rk_schema *schema, const void *message, size_t size, char *out, size_t room)
{
    rk_print print = { .out = out, .room = room };
    if (schema->variable) {
        char *to = rk_print_take(&print, rk_base64_size(size));
        if (to != NULL) rk_base64_write(message, size, to);
        return print.size;
    }
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        for (rk_u32 element = 0; element < field->count; element++) {
            if (i > 0 || element > 0) rk_print_byte(&print, ',');
            print_value(&print, field->kind,
                        (const char *)message + field->offset + (size_t)element * field->size);
        }
    }
    return print.size;
}

size_t rk_csv_room(const rk_schema *schema, size_t size)
{
    if (schema->variable) return rk_base64_size(size);
    size_t room = 0;
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        size_t each = field->kind == RK_KIND_F64   ? RK_PLAIN_FLOAT_ROOM
                      : field->kind == RK_KIND_F32 ? RK_PLAIN_F32_ROOM
                                                   : RK_INTEGER_ROOM;
        room += (size_t)field->count * (1 + each);
    }
    return room;
}
