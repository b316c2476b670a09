/* Fuzz target of the NDJSON reader. Every line of the text comes out once, in order, as a message or as a
 * bad row with its own bytes; a good line prints as JSON that reads as the same message; pieces and
 * batches of any size change nothing. */
#include "ringkernel/text_json.h"
#include "rows_fuzz.h"

/* A message prints as an object that reads as the same message. */
static void check_print(const rk_schema *schema, const char *message, rk_u32 size)
{
    char text[4096], again[256];
    rk_u32 again_size = 0;
    size_t length = rk_json_print(schema, message, size, text, sizeof text);
    FUZZ_PROMISE(length <= rk_json_room(schema, size));
    FUZZ_PROMISE(rk_json_parse(schema, text, length, again, &again_size, NULL) == RK_OK);
    FUZZ_PROMISE(again_size == size && memcmp(again, message, size) == 0);
}

/* A byte order mark at the beginning of the text is of no line, and alone it is none. */
static bool is_mark_alone(const fuzz_input *input)
{
    return input->size == 3 && memcmp(input->text, "\xEF\xBB\xBF", 3) == 0;
}

static void drop_byte_order_mark(fuzz_line *line)
{
    if (line->size < 3 || memcmp(line->text, "\xEF\xBB\xBF", 3) != 0) return;
    line->text += 3;
    line->size -= 3;
}

/* Reads all at once, one message a call, and holds each row against its line. */
static void check_rows(const fuzz_input *input, rk_json_reader *reader)
{
    char message[256] = { 0 };
    rk_u32 size = 0;
    rk_row_batch batch = { .messages = message, .sizes = &size, .room = 1 };
    size_t used = 0, at = is_mark_alone(input) ? input->size : 0;
    fuzz_line line;
    rk_u64 row = 0;
    do {
        FUZZ_PROMISE(rk_json_next(reader, input->text + used, input->size - used, true, &batch) == RK_OK);
        used += batch.consumed;
        if (batch.count == 0 && !batch.failed) break;

        row++;
        FUZZ_PROMISE(fuzz_next_line(input, &at, &line));
        if (row == 1) drop_byte_order_mark(&line);
        FUZZ_PROMISE(batch.count + batch.failed == 1 && batch.first_row == row);
        FUZZ_PROMISE(line.size <= rk_json_row_limit(reader) || batch.failed);
        FUZZ_PROMISE(line.size == 0 || memchr(line.text, '\0', line.size) == NULL || batch.failed);
        if (batch.failed)
            fuzz_check_bad(&batch.bad, &line, row);
        else
            check_print(input->schema, message, size);
    } while (batch.more);
    FUZZ_PROMISE(used == input->size && !fuzz_next_line(input, &at, &line));
}

static rk_status next_json(void *reader, const char *data, size_t size, bool last, rk_row_batch *batch)
{
    return rk_json_next(reader, data, size, last, batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = fuzz_input_of(data, size);
    rk_json_reader *readers[3] = { NULL };
    for (int i = 0; i < 3; i++)
        if (rk_json_open(input.schema, &readers[i]) != RK_OK) abort();
    check_rows(&input, readers[0]);
    fuzz_check_pieces(next_json, readers[1], readers[2], &input);
    for (int i = 0; i < 3; i++) rk_json_close(readers[i]);
    fuzz_input_free(&input);
    return 0;
}
