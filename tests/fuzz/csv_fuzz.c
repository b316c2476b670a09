/* Fuzz target of the CSV reader. Every line of the text comes out once, in order, as a message or as a bad
 * row with its own bytes; good and bad, and each number, are held against a plain reading of the grammar;
 * messages print and read back the same; pieces and batches of any size change nothing. */
#include <float.h>

#include "rows_fuzz.h"

/* -?[0-9]+, and with a fraction -?[0-9]+(\.[0-9]+)? */
static bool is_number(const char *text, size_t size, bool fraction)
{
    size_t at = size > 0 && text[0] == '-', first = at;
    while (at < size && text[at] >= '0' && text[at] <= '9') at++;
    if (at == first) return false;
    if (at == size || !fraction || text[at] != '.') return at == size;
    first = ++at;
    while (at < size && text[at] >= '0' && text[at] <= '9') at++;
    return at > first && at == size;
}

/* The value as it should be stored, by the widest arithmetic at hand. */
static void plain_integer(const char *text, size_t size, rk_u32 kind, void *element)
{
    static const struct {
        __int128 lowest, highest;
    } limits[] = {
        [RK_KIND_U8] = { 0, UINT8_MAX },   [RK_KIND_I8] = { INT8_MIN, INT8_MAX },
        [RK_KIND_U16] = { 0, UINT16_MAX }, [RK_KIND_I16] = { INT16_MIN, INT16_MAX },
        [RK_KIND_U32] = { 0, UINT32_MAX }, [RK_KIND_I32] = { INT32_MIN, INT32_MAX },
        [RK_KIND_U64] = { 0, UINT64_MAX }, [RK_KIND_I64] = { INT64_MIN, INT64_MAX },
    };
    const __int128 enough = (__int128)1 << 100;
    bool negative = text[0] == '-';
    __int128 value = 0;
    for (size_t i = negative; i < size; i++)
        if (value < enough) value = value * 10 + (text[i] - '0');
    if (negative) value = -value;
    if (value < limits[kind].lowest) value = limits[kind].lowest;
    if (value > limits[kind].highest) value = limits[kind].highest;
    rk_u64 bits = (rk_u64)value;
    memcpy(element, &bits, rk_kind_size(kind));
}

static void plain_float(const char *text, size_t size, rk_u32 kind, void *element)
{
    char *copy = malloc(size + 1);
    if (copy == NULL) abort();
    memcpy(copy, text, size);
    copy[size] = '\0';
    rk_f64 wide = strtod(copy, NULL);
    rk_f32 narrow = strtof(copy, NULL);
    wide = wide > DBL_MAX ? DBL_MAX : wide < -DBL_MAX ? -DBL_MAX : wide;
    narrow = narrow > FLT_MAX ? FLT_MAX : narrow < -FLT_MAX ? -FLT_MAX : narrow;
    memcpy(element, kind == RK_KIND_F64 ? (void *)&wide : (void *)&narrow, rk_kind_size(kind));
    free(copy);
}

/* Reads a row of a head in the order of the fields, the plain way. */
static bool plain_row(const fuzz_line *line, const rk_schema *schema, char *message)
{
    const char *at = line->text, *end = line->text + line->size;
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        bool fraction = field->kind >= RK_KIND_F32;
        for (rk_u32 element = 0; element < field->count; element++) {
            bool is_last = i + 1 == schema->field_count && element + 1 == field->count;
            const char *behind = at;
            while (behind < end && *behind != ',') behind++;
            size_t size = (size_t)(behind - at);
            if ((behind == end) != is_last || !is_number(at, size, fraction)) return false;
            char *to = message + field->offset + element * field->size;
            if (fraction)
                plain_float(at, size, field->kind, to);
            else
                plain_integer(at, size, field->kind, to);
            at = behind + 1;
        }
    }
    return true;
}

/* A message prints as a row that reads as the same message. */
static void check_print(const rk_schema *schema, const char *message, rk_u32 size)
{
    char text[4096], again[256];
    rk_u32 again_size = 0;
    size_t at = rk_csv_print_head(schema, text, sizeof text);
    text[at++] = '\n';
    at += rk_csv_print(schema, message, size, text + at, sizeof text - at);
    if (schema->variable) text[at++] = '\n'; /* an empty blob is an empty row, and needs its line ending */
    FUZZ_PROMISE(at <= sizeof text);

    rk_csv_reader *reader = NULL;
    if (rk_csv_open(schema, &reader) != RK_OK) abort();
    rk_row_batch batch = { .messages = again, .sizes = &again_size, .room = 1 };
    FUZZ_PROMISE(rk_csv_next(reader, text, at, true, &batch) == RK_OK);
    FUZZ_PROMISE(batch.count == 1 && again_size == size && memcmp(again, message, size) == 0);
    rk_csv_close(reader);
}

/* A good row of a blob is the one canonical form of its bytes. */
static void check_blob(const fuzz_line *line, const char *message, rk_u32 size)
{
    char text[64];
    size_t length = rk_csv_print(RK_SCHEMA(fuzz_blob), message, size, text, sizeof text);
    FUZZ_PROMISE(length == line->size && memcmp(text, line->text, length) == 0);
}

/* Reads all at once, one message a call, and holds each row against its line. */
static void check_rows(const fuzz_input *input, rk_csv_reader *reader)
{
    char message[256] = { 0 }, expected[256] = { 0 };
    rk_u32 size = 0;
    rk_row_batch batch = { .messages = message, .sizes = &size, .room = 1 };
    size_t limit = rk_csv_row_limit(reader), used = 0, at = 0;
    fuzz_line line;
    bool has_head = fuzz_next_line(input, &at, &line);
    rk_u64 row = 0;
    do {
        rk_status status = rk_csv_next(reader, input->text + used, input->size - used, true, &batch);
        if (status != RK_OK) {
            FUZZ_PROMISE(status == RK_PARSE_FAILED && !input->head && row == 0 && batch.count == 0);
            FUZZ_PROMISE(batch.failed && !batch.more && batch.bad.row == 0 && batch.bad.why[0] != '\0');
            return;
        }
        FUZZ_PROMISE(has_head);
        used += batch.consumed;
        if (batch.count == 0 && !batch.failed) break;

        row++;
        FUZZ_PROMISE(fuzz_next_line(input, &at, &line));
        FUZZ_PROMISE(batch.count + batch.failed == 1 &&
                     batch.first_row + batch.count == row + (batch.count == 1));
        if (input->head && !input->schema->variable) {
            bool good = line.size <= limit && plain_row(&line, input->schema, expected);
            FUZZ_PROMISE(good == (batch.count == 1));
            if (good) FUZZ_PROMISE(memcmp(message, expected, input->schema->size) == 0);
        } else if (input->schema->variable && batch.count == 1) {
            check_blob(&line, message, size);
        }
        if (batch.failed)
            fuzz_check_bad(&batch.bad, &line, row);
        else
            check_print(input->schema, message, size);
    } while (batch.more);
    FUZZ_PROMISE(used == input->size && !fuzz_next_line(input, &at, &line));
}

static rk_status next_csv(void *reader, const char *data, size_t size, bool last, rk_row_batch *batch)
{
    return rk_csv_next(reader, data, size, last, batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = fuzz_input_of(data, size);
    rk_csv_reader *readers[3] = { NULL };
    for (int i = 0; i < 3; i++)
        if (rk_csv_open(input.schema, &readers[i]) != RK_OK) abort();
    check_rows(&input, readers[0]);
    fuzz_check_pieces(next_csv, readers[1], readers[2], &input);
    for (int i = 0; i < 3; i++) rk_csv_close(readers[i]);
    fuzz_input_free(&input);
    return 0;
}
