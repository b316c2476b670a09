/* Cuts fed bytes into lines, however they are fed. A line that lies whole in the fed data is given in place;
 * one that is cut by the end of the data is gathered in memory of the source's own, up to its limit. Both
 * readers of rows stand on this. */
#ifndef RINGKERNEL_MESSAGE_ROW_SOURCE_H
#define RINGKERNEL_MESSAGE_ROW_SOURCE_H

#include <string.h>

#include "ringkernel/text.h"

/* Bytes that a row may have beyond what its message takes as text at most: zeros before numbers, spaces in JSON. As
 * text.h and text_json.h promise. */
#define RK_ROW_SPARE 65536u

/* Bytes that may be read behind the line ending of a gathered line: a number is read 8 bytes at a time. */
#define RK_ROW_SLACK 8u

typedef struct rk_row_source {
    size_t limit;     /* longest line, without its ending, that is kept whole */
    char *held;       /* limit bytes of line, a line feed and the slack */
    size_t held_size; /* bytes of the line that has only begun; those beyond limit were thrown away */
    char held_last;   /* the last of them, which may be a carriage return */
    bool ended;       /* `last` was seen */
    rk_u64 row;       /* lines given so far, less the head */
} rk_row_source;

typedef struct rk_line {
    const char *text;
    size_t size;   /* without the line ending; if overlong of all of it, though less is at text */
    bool complete; /* otherwise there is no line yet, and all data was consumed */
    bool overlong;
    bool ended; /* by a line feed, not by the end of the data */
} rk_line;

/* The first three bytes of a text may be one; they are of no line. */
#define RK_BYTE_ORDER_MARK "\xEF\xBB\xBF"
static inline bool rk_line_begins_with_mark(const rk_line *line)
{
    return line->size >= 3 && memcmp(line->text, RK_BYTE_ORDER_MARK, 3) == 0;
}

/* The text is a byte order mark and nothing else: it has no line. */
static inline bool rk_line_is_mark_alone(const rk_line *line)
{
    return line->complete && !line->ended && line->size == 3 && rk_line_begins_with_mark(line);
}

/* RK_OUT_OF_MEMORY or RK_OK. rk_row_source_close frees what open allocated. */
rk_status rk_row_source_open(rk_row_source *source, size_t limit);
void rk_row_source_close(rk_row_source *source);

/* Gives the next line and returns how many bytes of the data it took. A complete line that isn't overlong is
 * followed by a readable byte that is a line feed or a carriage return. */
size_t rk_row_source_line(rk_row_source *source, const char *data, size_t size, bool last, rk_line *line);

/* Checks the caller's part of a batch and empties the reader's part. */
rk_status rk_row_batch_begin(rk_row_batch *batch, const rk_row_source *source, const rk_schema *schema,
                             const char *data, size_t size, bool last);

/* Where message number `index` of a batch goes. */
static inline void *rk_row_batch_slot(const rk_row_batch *batch, rk_u32 index, const rk_schema *schema)
{
    return (char *)batch->messages + (size_t)index * (batch->stride != 0 ? batch->stride : schema->size);
}

/* Ends the batch with a bad row, whose number is source->row + 1 or, for the head, 0. */
void rk_row_batch_fail(rk_row_batch *batch, rk_row_source *source, bool is_head, const char *text,
                       size_t size, const rk_parse_error *error);

#endif
