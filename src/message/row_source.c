/* Cuts fed bytes into lines; see row_source.h. */
#include "message/row_source.h"

#include <stdlib.h>
#include <string.h>

#include "message/schema.h"

rk_status rk_row_source_open(rk_row_source *source, size_t limit)
{
    *source = (rk_row_source){ .limit = limit };
    source->held = calloc(limit + 1 + RK_ROW_SLACK, 1);
    return source->held != NULL ? RK_OK : RK_OUT_OF_MEMORY;
}

void rk_row_source_close(rk_row_source *source)
{
    free(source->held);
    source->held = NULL;
}

static void hold(rk_row_source *source, const char *data, size_t size)
{
    if (size == 0) return;
    if (source->held_size < source->limit) {
        size_t room = source->limit - source->held_size, kept = room < size ? room : size;
        memcpy(source->held + source->held_size, data, kept);
    }
    source->held_size += size;
    source->held_last = data[size - 1];
}

static rk_line line_of(const rk_row_source *source, const char *text, size_t size)
{
    return (rk_line){ .text = text, .size = size, .complete = true, .overlong = size > source->limit };
}

size_t rk_row_source_line(rk_row_source *source, const char *data, size_t size, bool last, rk_line *line)
{
    const char *feed = size > 0 ? memchr(data, '\n', size) : NULL;
    if (feed != NULL && source->held_size == 0) {
        size_t content = (size_t)(feed - data);
        bool has_return = content > 0 && feed[-1] == '\r';
        *line = line_of(source, data, content - has_return);
        line->ended = true;
        return content + 1;
    }

    size_t content = feed != NULL ? (size_t)(feed - data) : size;
    hold(source, data, content);
    if (feed == NULL && !(last && source->held_size > 0)) {
        *line = (rk_line){ .complete = false };
        return content;
    }

    size_t held = source->held_size;
    if (feed != NULL && held > 0 && source->held_last == '\r')
        held--; /* without a line feed it ends no line */
    *line = line_of(source, source->held, held);
    line->ended = feed != NULL;
    source->held[held < source->limit ? held : source->limit] = '\n';
    source->held_size = 0;
    return content + (feed != NULL);
}

rk_status rk_row_batch_begin(rk_row_batch *batch, const rk_row_source *source, const rk_schema *schema,
                             const char *data, size_t size, bool last)
{
    if (batch->messages == NULL || batch->room == 0 || (batch->sizes == NULL && schema->variable) ||
        (batch->stride != 0 && batch->stride < schema->size) || (data == NULL && size > 0) ||
        (source->ended && (size > 0 || !last)))
        return RK_INVALID_ARGUMENT;
    batch->consumed = 0;
    batch->first_row = source->row + 1;
    batch->count = 0;
    batch->more = batch->failed = false;
    batch->bad = (rk_bad_row){ .row = 0 };
    return RK_OK;
}

void rk_row_batch_fail(rk_row_batch *batch, rk_row_source *source, bool is_head, const char *text,
                       size_t size, const rk_parse_error *error)
{
    batch->failed = batch->more = true;
    if (!is_head) source->row++;
    batch->bad = (rk_bad_row){
        .row = is_head ? 0 : source->row,
        .text = text,
        .text_size = size < RK_ROW_TEXT_MAX ? size : RK_ROW_TEXT_MAX,
        .size = size,
        .why = error->text,
        .column = error->column,
    };
}
