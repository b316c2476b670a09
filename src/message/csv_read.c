/* The reader of CSV rows. Whole lines in the caller's data are read in place, in one pass that finds numbers
 * and line ends together; only a row that is cut by the end of the data goes through the row source's
 * memory. */
#include <stdlib.h>
#include <string.h>

#include "message/base64.h"
#include "message/csv_head.h"
#include "message/number_parse.h"
#include "message/row_source.h"

struct rk_csv_reader {
    const rk_schema *schema;
    rk_row_source source;
    rk_csv_column *columns;
    char *seen; /* for the head */
    size_t column_count;
    bool head_read;
    rk_status head_status; /* RK_PARSE_FAILED stays */
    rk_parse_error error;  /* of the last bad row, or of the head */
};

rk_status rk_csv_open(const rk_schema *schema, rk_csv_reader **reader)
{
    if (reader == NULL) return RK_INVALID_ARGUMENT;
    *reader = NULL;
    if (schema == NULL || rk_schema_check(schema, NULL) != RK_OK) return RK_INVALID_ARGUMENT;
    rk_csv_reader *made = calloc(1, sizeof *made);
    if (made == NULL) return RK_OUT_OF_MEMORY;

    made->schema = schema;
    made->column_count = rk_csv_column_count(schema);
    made->columns = calloc(made->column_count, sizeof *made->columns);
    made->seen = calloc(made->column_count, 1);
    rk_status status = rk_row_source_open(&made->source, RK_ROW_SPARE + rk_csv_room(schema, schema->size));
    if (made->columns == NULL || made->seen == NULL || status != RK_OK) {
        rk_csv_close(made);
        return RK_OUT_OF_MEMORY;
    }
    *reader = made;
    return RK_OK;
}

void rk_csv_close(rk_csv_reader *reader)
{
    if (reader == NULL) return;
    rk_row_source_close(&reader->source);
    free(reader->seen);
    free(reader->columns);
    free(reader);
}

size_t rk_csv_row_limit(const rk_csv_reader *reader) { return reader != NULL ? reader->source.limit : 0; }

/* --- one row ---------------------------------------------------------------------------------- */

/* Where reading a row stopped: behind its last value if it is good, else at or behind the value that is
 * wrong. */
typedef struct row_end {
    const char *at;
    size_t column; /* of that value, from 0 */
    rk_u32 size;   /* bytes of the message */
    bool good;     /* all values were read; whether the row ends there is for the caller to see */
} row_end;

static const char *read_blob(const rk_schema *schema, const char *at, const char *end, char *message,
                             rk_u32 *size)
{
    const char *behind = at;
    while (behind < end && *behind != ',' && *behind != '\n' && *behind != '\r') behind++;
    size_t bytes = 0;
    if (!rk_base64_read(at, (size_t)(behind - at), (unsigned char *)message, schema->size, &bytes))
        return NULL;
    *size = (rk_u32)bytes;
    return behind;
}

static inline const char *read_float(rk_u32 kind, const char *at, const char *end, void *element)
{
    rk_decimal number;
    const char *behind = rk_parse_decimal(at, end, &number);
    if (behind == NULL) return NULL;
    if (kind == RK_KIND_F64) {
        rk_f64 value = number.exact ? number.value : rk_decimal_slow_f64(at, behind);
        memcpy(element, &value, sizeof value);
    } else {
        bool exact = number.exact && !rk_rounds_twice(number.value);
        rk_f32 value = exact ? (rk_f32)number.value : rk_decimal_slow_f32(at, behind);
        memcpy(element, &value, sizeof value);
    }
    return behind;
}

/* Reads one value, and returns what is behind it; NULL if it is none. */
static inline const char *read_value(const rk_csv_reader *reader, const rk_csv_column *column, const char *at,
                                     const char *end, char *message, rk_u32 *size)
{
    rk_u32 kind = column->kind;
    if (kind >= RK_KIND_F32) return read_float(kind, at, end, message + column->offset);
    if (kind == RK_CSV_BLOB) return read_blob(reader->schema, at, end, message, size);
    rk_integer number;
    const char *behind = rk_parse_integer(at, end, &number);
    if (behind == NULL) return NULL;
    rk_store_low(rk_kinds[kind].size, rk_saturate(number, &rk_kinds[kind]), message + column->offset);
    return behind;
}

/* Reads the values of a row. A line feed must follow it before `end`, which is where readable memory ends. */
static inline row_end read_values(const rk_csv_reader *reader, const char *at, const char *end, char *message)
{
    row_end stop = { .size = reader->schema->size };
    for (size_t i = 0;; i++) {
        stop.column = i;
        stop.at = read_value(reader, &reader->columns[i], at, end, message, &stop.size);
        if (__builtin_expect(stop.at == NULL, 0)) {
            stop.at = at;
            return stop;
        }
        if (i + 1 == reader->column_count) break;
        if (__builtin_expect(*stop.at != ',', 0)) return stop;
        at = stop.at + 1;
    }
    stop.good = true;
    return stop;
}

/* --- bad rows --------------------------------------------------------------------------------- */

static void say_bad_value(rk_parse_error *error, const rk_schema *schema, const rk_csv_column *column)
{
    const rk_field *field = &schema->fields[column->field];
    rk_parse_error_add(error, "%s", field->name);
    if (field->count > 1 && column->kind != RK_CSV_BLOB)
        rk_parse_error_add(error, "[%u]", rk_csv_element(schema, column));
    if (column->kind == RK_CSV_BLOB)
        rk_parse_error_add(error, " is not %u bytes or fewer in base64", schema->size);
    else if (column->kind >= RK_KIND_F32)
        rk_parse_error_add(error, " is not a number of the form -?[0-9]+(\\.[0-9]+)?");
    else
        rk_parse_error_add(error, " is not an integer of the form -?[0-9]+");
}

/* Ends the batch with the row [text, text + size), of which `column` is the first value that is wrong. */
static void fail_row(rk_csv_reader *reader, rk_row_batch *batch, const char *text, size_t size, size_t column)
{
    rk_parse_error *error = &reader->error;
    rk_parse_error_clear(error);
    if (size == 0) {
        rk_parse_error_add(error, "the row is empty");
    } else if (size > reader->source.limit) {
        rk_parse_error_add(error, "the row has %zu bytes, more than %zu", size, reader->source.limit);
    } else {
        size_t values = 1, start = 0;
        for (size_t i = 0; i < size; i++) {
            if (text[i] != ',') continue;
            if (values == column) start = i + 1;
            values++;
        }
        if (values == reader->column_count) {
            error->column = start + 1;
            say_bad_value(error, reader->schema, &reader->columns[column]);
        } else {
            rk_parse_error_add(error, "the row has %zu value%s, not %zu", values, values == 1 ? "" : "s",
                               reader->column_count);
        }
    }
    rk_row_batch_fail(batch, &reader->source, false, text, size, error);
}

/* --- rows ------------------------------------------------------------------------------------- */

static inline void accept_row(rk_csv_reader *reader, rk_row_batch *batch, rk_u32 size)
{
    if (batch->sizes != NULL) batch->sizes[batch->count] = size;
    batch->count++;
    reader->source.row++;
}

/* Reads whole rows in place, until the batch is full, a row is bad or what is left holds no line feed. */
static const char *read_in_place(rk_csv_reader *reader, const char *at, const char *end, rk_row_batch *batch)
{
    const char *last_feed = memrchr(at, '\n', (size_t)(end - at));
    while (last_feed != NULL && at <= last_feed && batch->count < batch->room) {
        row_end stop = read_values(reader, at, end, rk_row_batch_slot(batch, batch->count, reader->schema));
        const char *behind = stop.at;
        bool ends = *behind == '\n' || (*behind == '\r' && behind[1] == '\n');
        if (__builtin_expect(!stop.good || !ends || (size_t)(behind - at) > reader->source.limit, 0)) {
            const char *feed = memchr(at, '\n', (size_t)(end - at));
            size_t size = (size_t)(feed - at);
            fail_row(reader, batch, at, size - (size > 0 && feed[-1] == '\r'), stop.column);
            return feed + 1;
        }
        accept_row(reader, batch, stop.size);
        at = behind + (*behind == '\n' ? 1 : 2);
    }
    return at;
}

/* Reads a row that the source gathered. */
static void read_gathered(rk_csv_reader *reader, const rk_line *line, rk_row_batch *batch)
{
    row_end stop = { .good = false };
    if (!line->overlong) {
        const char *readable = line->text + line->size + 1 + RK_ROW_SLACK;
        stop =
            read_values(reader, line->text, readable, rk_row_batch_slot(batch, batch->count, reader->schema));
    }
    if (stop.good && stop.at == line->text + line->size)
        accept_row(reader, batch, stop.size);
    else
        fail_row(reader, batch, line->text, line->size, stop.column);
}

static rk_status read_head(rk_csv_reader *reader, const char *data, size_t size, bool last,
                           rk_row_batch *batch)
{
    rk_line line;
    batch->consumed = rk_row_source_line(&reader->source, data, size, last, &line);
    /* What is no text may have no line at all. The one byte more is a carriage return that may be its end's. */
    if (!line.complete && reader->source.held_size > reader->source.limit + 1)
        line = (rk_line){ .text = reader->source.held, .complete = true, .overlong = true };
    if (!line.complete && !last) return RK_OK;
    if (rk_line_is_mark_alone(&line)) line.complete = false;
    if (line.overlong) line.size = reader->source.limit + 1; /* however it was fed */

    rk_parse_error_clear(&reader->error);
    reader->head_read = true;
    if (!line.complete || line.overlong) {
        line = line.complete ? line : (rk_line){ .text = "" };
        rk_parse_error_add(&reader->error, "%s; the columns are ",
                           line.overlong ? "the head line is too long"
                                         : "the input is empty, without a head line");
        rk_parse_error_add_fields(&reader->error, reader->schema, true);
        reader->head_status = RK_PARSE_FAILED;
    } else {
        reader->head_status = rk_csv_read_head(reader->schema, line.text, line.size, reader->columns,
                                               reader->seen, &reader->error);
    }
    if (reader->head_status != RK_OK) {
        rk_row_batch_fail(batch, &reader->source, true, line.text, line.size, &reader->error);
        batch->more = false;
    }
    return reader->head_status;
}

rk_status rk_csv_next(rk_csv_reader *reader, const char *data, size_t size, bool last, rk_row_batch *batch)
{
    if (reader == NULL || batch == NULL) return RK_INVALID_ARGUMENT;
    rk_status status = rk_row_batch_begin(batch, &reader->source, reader->schema, data, size, last);
    if (status != RK_OK) return status;
    if (reader->head_status != RK_OK) {
        rk_row_batch_fail(batch, &reader->source, true, "", 0, &reader->error);
        batch->more = false;
        return reader->head_status;
    }
    if (data == NULL) data = ""; /* of size 0 */
    if (!reader->head_read) {
        status = read_head(reader, data, size, last, batch);
        if (status != RK_OK || !reader->head_read) return status;
    }

    const char *end = data + size;
    while (batch->count < batch->room && !batch->failed) {
        const char *at = data + batch->consumed;
        if (reader->source.held_size == 0 && at < end) {
            batch->consumed = (size_t)(read_in_place(reader, at, end, batch) - data);
            if (batch->failed || batch->count == batch->room) break;
            at = data + batch->consumed;
        }
        rk_line line;
        batch->consumed += rk_row_source_line(&reader->source, at, (size_t)(end - at), last, &line);
        if (!line.complete) {
            reader->source.ended = last;
            return RK_OK;
        }
        read_gathered(reader, &line, batch);
    }
    batch->more = true;
    return RK_OK;
}
