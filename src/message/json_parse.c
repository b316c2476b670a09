/* Messages from JSON, by jansson; the only file that knows it.
 *
 * Jansson's integers end at 2^63 - 1, an rk_u64 does not, and a row may have any number. Those that jansson doesn't
 * take are written anew before it sees the line, as an object that holds the number as a string: a message is a flat
 * object, so no line that was written by somebody else has an object inside, and the two can't be taken for each other. */
#include <float.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "message/base64.h"
#include "message/number_parse.h"
#include "message/row_source.h"
#include "ringkernel/text_json.h"

/* --- numbers that jansson doesn't take -------------------------------------------------------- */

#define WRAP_BEFORE "{\"\":\""
#define WRAP_AFTER "\"}"
#define WRAP_SIZE (sizeof WRAP_BEFORE + sizeof WRAP_AFTER - 2)
#define LARGE_DIGITS_MIN 19u /* of 2^63 */
#define LARGE_DIGITS_MAX 20u /* of 2^64 - 1 */

/* Where the string that begins at text[at] ends. */
static size_t behind_string(const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++)
        if (text[at] == '\\') at++;
    return at < size ? at + 1 : size;
}

static size_t behind_digits(const char *text, size_t size, size_t at)
{
    while (at < size && rk_is_digit(text[at])) at++;
    return at;
}

/* Where what begins at text[at] as a number ends, whole or not. */
static size_t behind_number(const char *text, size_t size, size_t at)
{
    while (at < size && (rk_is_digit(text[at]) || strchr("+-.eE", text[at]) != NULL) && text[at] != '\0')
        at++;
    return at;
}

/* Is all of it one number of JSON? Jansson says that one overflows before it has seen all that stands there. */
static bool is_number(const char *text, size_t size)
{
    size_t at = size > 0 && text[0] == '-', behind = behind_digits(text, size, at);
    if (behind == at || (text[at] == '0' && behind > at + 1)) return false;
    at = behind;
    if (at < size && text[at] == '.') {
        behind = behind_digits(text, size, at + 1);
        if (behind == at + 1) return false;
        at = behind;
    }
    if (at < size && (text[at] == 'e' || text[at] == 'E')) {
        at += at + 1 < size && (text[at + 1] == '+' || text[at + 1] == '-') ? 2 : 1;
        behind = behind_digits(text, size, at);
        if (behind == at) return false;
        at = behind;
    }
    return at == size;
}

static bool is_large_u64(const char *text, size_t size)
{
    if (size < LARGE_DIGITS_MIN || size > LARGE_DIGITS_MAX || text[0] == '0') return false;
    for (size_t i = 0; i < size; i++)
        if (!rk_is_digit(text[i])) return false;
    if (size == LARGE_DIGITS_MIN) return memcmp(text, "9223372036854775807", size) > 0;
    return memcmp(text, "18446744073709551615", size) <= 0;
}

/* A number, and more than jansson holds. */
static bool overflows(const char *text, size_t size)
{
    if (size < sizeof "1e308" - 1 || !is_number(text, size)) return false;
    json_error_t fault;
    json_t *value = json_loadb(text, size, JSON_DECODE_ANY, &fault);
    const bool holds = value != NULL;
    json_decref(value);
    return !holds && json_error_code(&fault) == json_error_numeric_overflow;
}

/* Copies the line with its large numbers wrapped, to `out` if it isn't NULL: all of them, or, if none is to be bent,
 * those that an rk_u64 holds. Returns the size of the copy; 0 if there is nothing to wrap, or the line has an object
 * inside. */
static size_t wrap_large(const char *text, size_t size, bool bends, char *out)
{
    size_t written = 0, wrapped = 0, braces = 0;
    for (size_t at = 0; at < size;) {
        size_t behind = at + 1;
        bool large = false;
        if (text[at] == '"') {
            behind = behind_string(text, size, at);
        } else if (text[at] == '-' || rk_is_digit(text[at])) {
            behind = behind_number(text, size, at);
            large = bends ? overflows(text + at, behind - at) : is_large_u64(text + at, behind - at);
        }
        braces += text[at] == '{';
        if (out != NULL) {
            char *to = out + written;
            if (large) memcpy(to, WRAP_BEFORE, sizeof WRAP_BEFORE - 1);
            memcpy(to + (large ? sizeof WRAP_BEFORE - 1 : 0), text + at, behind - at);
            if (large) memcpy(to + sizeof WRAP_BEFORE - 1 + behind - at, WRAP_AFTER, sizeof WRAP_AFTER - 1);
        }
        written += behind - at + (large ? WRAP_SIZE : 0);
        wrapped += large;
        at = behind;
    }
    return wrapped > 0 && braces == 1 ? written : 0;
}

/* --- one value -------------------------------------------------------------------------------- */

/* A message that is being read. */
typedef struct reading {
    const rk_schema *schema;
    const char *text;
    size_t size;
    bool wrapped; /* objects inside are large numbers */
    bool bends;   /* a number that its field can't hold becomes the nearest that it can */
    rk_parse_error *error;
} reading;

/* Column of the first key of that name: jansson doesn't keep where values were. */
static size_t column_of(const reading *line, const char *name)
{
    size_t size = strlen(name);
    for (size_t at = 0; at < line->size;) {
        if (line->text[at] != '"') {
            at++;
            continue;
        }
        size_t behind = behind_string(line->text, line->size, at);
        if (behind - at == size + 2 && memcmp(line->text + at + 1, name, size) == 0) return at + 1;
        at = behind;
    }
    return 0;
}

/* The text of a number that was wrapped; NULL: it is none. */
static const char *wrapped_text(const reading *line, const json_t *value)
{
    return line->wrapped && json_is_object(value) ? json_string_value(json_object_get(value, "")) : NULL;
}

static bool is_integer(const char *text) { return text[strcspn(text, ".eE")] == 0; }

static const char *type_name(const reading *line, const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",    [JSON_ARRAY] = "an array",  [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer",  [JSON_REAL] = "a fraction", [JSON_TRUE] = "true or false",
        [JSON_FALSE] = "true or false", [JSON_NULL] = "null",
    };
    const char *text = wrapped_text(line, value);
    if (text != NULL) return names[is_integer(text) ? JSON_INTEGER : JSON_REAL];
    return names[json_typeof(value)];
}

/* Begins the error of a field; element is -1 for the field as a whole. */
static void name_field(const reading *line, const rk_field *field, long long element)
{
    rk_parse_error_clear(line->error);
    if (line->error != NULL) line->error->column = column_of(line, field->name);
    rk_parse_error_add(line->error, "%s", field->name);
    if (element >= 0) rk_parse_error_add(line->error, "[%lld]", element);
}

static bool integer_of(const reading *line, const json_t *value, rk_integer *number)
{
    if (json_is_integer(value)) {
        rk_i64 signed_value = json_integer_value(value);
        *number = (rk_integer){ signed_value < 0 ? 0 - (rk_u64)signed_value : (rk_u64)signed_value,
                                signed_value < 0 };
        return true;
    }
    const char *text = wrapped_text(line, value);
    if (text == NULL || !is_integer(text)) return false;
    const char *digits = text + (*text == '-');
    *number = (rk_integer){ rk_long_magnitude(digits, digits + strlen(digits)), *text == '-' };
    return true;
}

static bool read_integer(const reading *line, const rk_field *field, long long element, const json_t *value,
                         void *to)
{
    const rk_kind_facts *kind = &rk_kinds[field->kind];
    rk_integer number = { 0 };
    if (!integer_of(line, value, &number)) {
        name_field(line, field, element);
        rk_parse_error_add(line->error, " is %s, not an integer", type_name(line, value));
        return false;
    }
    rk_u64 smallest = kind->is_signed ? kind->largest + 1 : 0;
    if (!line->bends && number.magnitude > (number.negative ? smallest : kind->largest)) {
        name_field(line, field, element);
        rk_parse_error_add(line->error, " is %s%llu, which is not in %s%llu to %llu",
                           number.negative ? "-" : "", (unsigned long long)number.magnitude,
                           kind->is_signed ? "-" : "", (unsigned long long)smallest,
                           (unsigned long long)kind->largest);
        return false;
    }
    rk_store_low(kind->size, rk_saturate(number, kind), to);
    return true;
}

static bool read_float(const reading *line, const rk_field *field, long long element, const json_t *value,
                       void *to)
{
    rk_integer integer = { 0 };
    rk_f64 number = 0;
    const char *text = wrapped_text(line, value);
    if (text != NULL) {
        number = is_integer(text) ? rk_decimal_slow_f64(text, text + strlen(text))
                 : *text == '-'   ? -DBL_MAX
                                  : DBL_MAX;
    } else if (json_is_real(value)) {
        number = json_real_value(value);
    } else if (integer_of(line, value, &integer)) {
        number = integer.negative ? -(rk_f64)integer.magnitude : (rk_f64)integer.magnitude;
    } else {
        name_field(line, field, element);
        rk_parse_error_add(line->error, " is %s, not a number", type_name(line, value));
        return false;
    }
    if (field->kind == RK_KIND_F64) {
        memcpy(to, &number, sizeof number);
        return true;
    }
    rk_f32 narrow = (rk_f32)number;
    if (line->bends && narrow > FLT_MAX) narrow = FLT_MAX;
    if (line->bends && narrow < -FLT_MAX) narrow = -FLT_MAX;
    if (narrow > FLT_MAX || narrow < -FLT_MAX) {
        name_field(line, field, element);
        rk_parse_error_add(line->error, " is %g, more than an rk_f32 holds", number);
        return false;
    }
    memcpy(to, &narrow, sizeof narrow);
    return true;
}

static bool read_value(const reading *line, const rk_field *field, long long element, const json_t *value,
                       void *to)
{
    if (rk_kinds[field->kind].is_float) return read_float(line, field, element, value, to);
    return read_integer(line, field, element, value, to);
}

static bool read_array(const reading *line, const rk_field *field, const json_t *value, char *to)
{
    if (!json_is_array(value)) {
        name_field(line, field, -1);
        rk_parse_error_add(line->error, " is %s, not an array", type_name(line, value));
        return false;
    }
    if (json_array_size(value) != field->count) {
        name_field(line, field, -1);
        rk_parse_error_add(line->error, " has %zu elements, not %u", json_array_size(value), field->count);
        return false;
    }
    for (rk_u32 i = 0; i < field->count; i++)
        if (!read_value(line, field, i, json_array_get(value, i), to + (size_t)i * field->size)) return false;
    return true;
}

static bool read_blob(const reading *line, const rk_field *field, const json_t *value, void *to,
                      rk_u32 *message_size)
{
    size_t bytes = 0;
    if (!json_is_string(value)) {
        name_field(line, field, -1);
        rk_parse_error_add(line->error, " is %s, not a string", type_name(line, value));
        return false;
    }
    if (!rk_base64_read(json_string_value(value), json_string_length(value), to, line->schema->size,
                        &bytes)) {
        name_field(line, field, -1);
        rk_parse_error_add(line->error, " is not %u bytes or fewer in base64", line->schema->size);
        return false;
    }
    *message_size = (rk_u32)bytes;
    return true;
}

/* --- one object ------------------------------------------------------------------------------- */

static bool read_field(const reading *line, const rk_field *field, const json_t *object, char *message,
                       rk_u32 *size)
{
    const json_t *value = json_object_get(object, field->name);
    if (value == NULL) {
        rk_parse_error_clear(line->error);
        rk_parse_error_add(line->error, "%s is missing; the fields are ", field->name);
        rk_parse_error_add_fields(line->error, line->schema, false);
        return false;
    }
    if (line->schema->variable) return read_blob(line, field, value, message, size);
    if (field->count > 1) return read_array(line, field, value, message + field->offset);
    return read_value(line, field, -1, value, message + field->offset);
}

static void say_unknown(const reading *line, json_t *object)
{
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        if (rk_schema_field(line->schema, key) != NULL) continue;
        rk_parse_error_clear(line->error);
        if (line->error != NULL) line->error->column = column_of(line, key);
        rk_parse_error_add(line->error, "there is no field '%.64s'; the fields are ", key);
        rk_parse_error_add_fields(line->error, line->schema, false);
        return;
    }
}

static rk_status read_object(const reading *line, json_t *object, char *message, rk_u32 *size)
{
    for (rk_u32 i = 0; i < line->schema->field_count; i++)
        if (!read_field(line, &line->schema->fields[i], object, message, size)) return RK_PARSE_FAILED;
    if (json_object_size(object) == line->schema->field_count) return RK_OK;
    say_unknown(line, object);
    return RK_PARSE_FAILED;
}

static rk_status refuse(rk_parse_error *error, const char *text, size_t column)
{
    rk_parse_error_clear(error);
    if (error != NULL) error->column = column;
    rk_parse_error_add(error, "%s", text);
    return RK_PARSE_FAILED;
}

static rk_status parse(const rk_schema *schema, const char *text, size_t size, bool bends, void *message,
                       rk_u32 *message_size, rk_parse_error *error)
{
    rk_parse_error_clear(error);
    if (schema == NULL || (text == NULL && size > 0) || message == NULL ||
        (schema->variable && message_size == NULL))
        return RK_INVALID_ARGUMENT;
    if (size == 0) return refuse(error, "the line is empty", 0);

    const char *nul = memchr(text, '\0', size); /* jansson overlooks one behind a number */
    if (nul != NULL) return refuse(error, "there is a NUL byte", (size_t)(nul - text) + 1);

    const size_t flags = JSON_REJECT_DUPLICATES;
    json_error_t fault;
    json_t *object = json_loadb(text, size, flags, &fault);
    bool wrapped = false;
    if (object == NULL && json_error_code(&fault) == json_error_numeric_overflow) {
        size_t copy_size = wrap_large(text, size, bends, NULL);
        char *copy = copy_size > 0 ? malloc(copy_size) : NULL;
        if (copy_size > 0 && copy == NULL) return RK_OUT_OF_MEMORY;
        if (copy != NULL) {
            wrap_large(text, size, bends, copy);
            object = json_loadb(copy, copy_size, flags, &fault);
            wrapped = true;
            free(copy);
        }
    }
    if (object == NULL && json_error_code(&fault) == json_error_out_of_memory) return RK_OUT_OF_MEMORY;
    if (object == NULL)
        return refuse(error, fault.text, wrapped || fault.position < 0 ? 0 : (size_t)fault.position);

    rk_u32 bytes = schema->size;
    rk_status status = RK_PARSE_FAILED;
    reading line = {
        .schema = schema, .text = text, .size = size, .wrapped = wrapped, .bends = bends, .error = error
    };
    if (json_is_object(object))
        status = read_object(&line, object, message, &bytes);
    else
        refuse(error, "the line is an array, not an object", 1);
    json_decref(object);
    if (status == RK_OK && message_size != NULL) *message_size = bytes;
    return status;
}

rk_status rk_json_parse(const rk_schema *schema, const char *text, size_t size, void *message,
                        rk_u32 *message_size, rk_parse_error *error)
{
    return parse(schema, text, size, false, message, message_size, error);
}

/* --- lines ------------------------------------------------------------------------------------ */

struct rk_json_reader {
    const rk_schema *schema;
    rk_row_source source;
    rk_parse_error error; /* of the last bad row */
};

rk_status rk_json_open(const rk_schema *schema, rk_json_reader **reader)
{
    if (reader == NULL) return RK_INVALID_ARGUMENT;
    *reader = NULL;
    if (schema == NULL || rk_schema_check(schema, NULL) != RK_OK) return RK_INVALID_ARGUMENT;
    rk_json_reader *made = calloc(1, sizeof *made);
    if (made == NULL) return RK_OUT_OF_MEMORY;

    made->schema = schema;
    if (rk_row_source_open(&made->source, RK_ROW_SPARE + rk_json_room(schema, schema->size)) != RK_OK) {
        rk_json_close(made);
        return RK_OUT_OF_MEMORY;
    }
    *reader = made;
    return RK_OK;
}

void rk_json_close(rk_json_reader *reader)
{
    if (reader == NULL) return;
    rk_row_source_close(&reader->source);
    free(reader);
}

size_t rk_json_row_limit(const rk_json_reader *reader) { return reader != NULL ? reader->source.limit : 0; }

/* Reads one line into the next message of the batch, or ends the batch with it. */
static rk_status read_line(rk_json_reader *reader, const rk_line *line, rk_row_batch *batch)
{
    rk_parse_error *error = &reader->error;
    rk_status status = RK_PARSE_FAILED;
    rk_u32 size = 0;
    if (line->overlong) {
        rk_parse_error_clear(error);
        rk_parse_error_add(error, "the line has %zu bytes, more than %zu", line->size, reader->source.limit);
    } else {
        void *slot = rk_row_batch_slot(batch, batch->count, reader->schema);
        status = parse(reader->schema, line->text, line->size, true, slot, &size, error);
    }
    if (status != RK_OK) {
        if (status == RK_OUT_OF_MEMORY) refuse(error, "out of memory", 0);
        rk_row_batch_fail(batch, &reader->source, false, line->text, line->size, error);
        return status == RK_OUT_OF_MEMORY ? status : RK_OK;
    }
    if (batch->sizes != NULL) batch->sizes[batch->count] = size;
    batch->count++;
    reader->source.row++;
    return RK_OK;
}

rk_status rk_json_next(rk_json_reader *reader, const char *data, size_t size, bool last, rk_row_batch *batch)
{
    if (reader == NULL || batch == NULL) return RK_INVALID_ARGUMENT;
    rk_status status = rk_row_batch_begin(batch, &reader->source, reader->schema, data, size, last);
    if (status != RK_OK) return status;
    if (data == NULL) data = ""; /* of size 0 */

    while (batch->count < batch->room && !batch->failed) {
        rk_line line;
        batch->consumed +=
            rk_row_source_line(&reader->source, data + batch->consumed, size - batch->consumed, last, &line);
        if (!line.complete || (reader->source.row == 0 && rk_line_is_mark_alone(&line))) {
            reader->source.ended = last;
            return RK_OK;
        }
        if (reader->source.row == 0 && rk_line_begins_with_mark(&line)) {
            line.text += 3;
            line.size -= 3;
        }
        status = read_line(reader, &line, batch);
    }
    batch->more = true;
    return status;
}
