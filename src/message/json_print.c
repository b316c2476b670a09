/* Messages as JSON, and any bytes as the inside of a JSON string. */
#include "message/base64.h"
#include "message/print.h"

static void print_value(rk_print *print, rk_u32 kind, const void *element)
{
    char number[RK_FLOAT_ROOM + 8];
    size_t size = 0;
    if (!rk_kinds[kind].is_float) {
        size = rk_write_integer(rk_element_integer(kind, element), number);
    } else {
        rk_f64 value = rk_element_float(kind, element);
        if (!rk_is_finite(value)) {
            rk_print_bytes(print, "null", 4);
            return;
        }
        size = rk_write_float(kind, value, number);
    }
    rk_print_bytes(print, number, size);
}

static void print_array(rk_print *print, const rk_field *field, const char *elements)
{
    rk_print_byte(print, '[');
    for (rk_u32 i = 0; i < field->count; i++) {
        if (i > 0) rk_print_byte(print, ',');
        print_value(print, field->kind, elements + (size_t)i * field->size);
    }
    rk_print_byte(print, ']');
}

static void print_blob(rk_print *print, const void *bytes, size_t size)
{
    rk_print_byte(print, '"');
    char *to = rk_print_take(print, rk_base64_size(size));
    if (to != NULL) rk_base64_write(bytes, size, to);
    rk_print_byte(print, '"');
}

size_t rk_json_print(const rk_schema *schema, const void *message, size_t size, char *out, size_t room)
{
    rk_print print = { .out = out, .room = room };
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        const char *elements = (const char *)message + field->offset;
        rk_print_bytes(&print, i == 0 ? "{\"" : ",\"", 2);
        rk_print_bytes(&print, field->name, strlen(field->name));
        rk_print_bytes(&print, "\":", 2);
        if (schema->variable)
            print_blob(&print, message, size);
        else if (field->count > 1)
            print_array(&print, field, elements);
        else
            print_value(&print, field->kind, elements);
    }
    rk_print_byte(&print, '}');
    return print.size;
}

size_t rk_json_room(const rk_schema *schema, size_t size)
{
    size_t room = 2; /* braces */
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        room += strlen(field->name) + 4 + 2; /* quotes, colon and comma; brackets, or the quotes of a blob */
        if (schema->variable)
            room += rk_base64_size(size);
        else
            room += (size_t)field->count *
                    (1 + (rk_kinds[field->kind].is_float ? RK_FLOAT_ROOM : RK_INTEGER_ROOM));
    }
    return room;
}

/* Bytes of the UTF-8 character at text; 0 if there is none: a stray or overlong form, a surrogate, or the
 * end. */
static size_t character_size(const unsigned char *text, size_t size)
{
    unsigned first = text[0];
    size_t length = first < 0x80   ? 1
                    : first < 0xC2 ? 0
                    : first < 0xE0 ? 2
                    : first < 0xF0 ? 3
                    : first < 0xF5 ? 4
                                   : 0;
    if (length > size) return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    bool bad = (first == 0xE0 && text[1] < 0xA0) || (first == 0xED && text[1] > 0x9F) ||
               (first == 0xF0 && text[1] < 0x90) || (first == 0xF4 && text[1] > 0x8F);
    return bad ? 0 : length;
}

/* Letter of the short escape of a byte, or 0. */
static char short_escape(unsigned char byte)
{
    switch (byte) {
    case '"': return '"';
    case '\\': return '\\';
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
    }
}

static void print_control(rk_print *print, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char letter = short_escape(byte);
    if (letter != 0)
        rk_print_bytes(print, (char[]){ '\\', letter }, 2);
    else
        rk_print_bytes(print, (char[]){ '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15] }, 6);
}

size_t rk_json_escape(const char *text, size_t size, char *out, size_t room)
{
    rk_print print = { .out = out, .room = room };
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = 0; at < size;) {
        size_t plain = at;
        while (plain < size && bytes[plain] >= 0x20 && bytes[plain] < 0x80 && bytes[plain] != '"' &&
               bytes[plain] != '\\')
            plain++;
        rk_print_bytes(&print, text + at, plain - at);
        at = plain;
        if (at == size) break;

        size_t length = character_size(bytes + at, size - at);
        if (length == 1)
            print_control(&print, bytes[at]);
        else if (length > 1)
            rk_print_bytes(&print, text + at, length);
        else
            rk_print_bytes(&print, "\\ufffd", 6);
        at += length > 0 ? length : 1;
    }
    return print.size;
}
