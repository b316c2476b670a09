/* For tests: feeds a reader of rows in pieces of one size and writes down all that it gives, one line a row,
 * so that a test compares texts. Each piece lies in memory of its own, so that a sanitizer sees every read
 * beyond it. */
#ifndef RINGKERNEL_MESSAGE_ROWS_TRANSCRIPT_H
#define RINGKERNEL_MESSAGE_ROWS_TRANSCRIPT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringkernel/text.h"

typedef rk_status (*rk_next_rows)(void *reader, const char *data, size_t size, bool last,
                                  rk_row_batch *batch);

typedef struct rk_transcript {
    char *text; /* the caller frees it */
    size_t size;
} rk_transcript;

static inline void rk_transcript_add(rk_transcript *transcript, const char *text, size_t size)
{
    char *larger = realloc(transcript->text, transcript->size + size + 1);
    if (larger == NULL) abort();
    memcpy(larger + transcript->size, text, size);
    transcript->text = larger;
    transcript->size += size;
    transcript->text[transcript->size] = '\0';
}

static inline void rk_transcript_add_row(rk_transcript *transcript, const rk_schema *schema, rk_u64 row,
                                         const void *message, size_t size)
{
    char number[32];
    size_t room = rk_json_room(schema, size);
    char *line = malloc(room);
    if (line == NULL) abort();
    rk_transcript_add(transcript, number,
                      (size_t)snprintf(number, sizeof number, "%llu ", (unsigned long long)row));
    rk_transcript_add(transcript, line, rk_json_print(schema, message, size, line, room));
    rk_transcript_add(transcript, "\n", 1);
    free(line);
}

/* The row's number, its text escaped and cut to 40 bytes, its size if there is more, the column, and the
 * reason. */
static inline void rk_transcript_add_bad(rk_transcript *transcript, const rk_bad_row *bad)
{
    char text[6 * 40 + 1], line[1200];
    size_t shown = bad->text_size < 40 ? bad->text_size : 40;
    size_t escaped = rk_json_escape(bad->text, shown, text, sizeof text);
    char size[64] = "";
    if (bad->size > shown) snprintf(size, sizeof size, " (%zu of %zu)", bad->text_size, bad->size);
    rk_transcript_add(transcript, line,
                      (size_t)snprintf(line, sizeof line, "%llu bad '%.*s'%s @%zu %s\n",
                                       (unsigned long long)bad->row, (int)escaped, text, size, bad->column,
                                       bad->why));
}

/* Feeds text to the reader, `piece` bytes at a time (0: all at once), asking for `room` messages a call. A
 * text that fits its pieces exactly is ended by an empty one if end_empty. */
static inline rk_transcript rk_transcribe(rk_next_rows next, void *reader, const rk_schema *schema,
                                          const char *text, size_t size, size_t piece, rk_u32 room,
                                          bool end_empty)
{
    rk_transcript transcript = { 0 };
    rk_u32 *sizes = malloc(room * sizeof *sizes);
    char *messages = malloc((size_t)room * schema->size);
    if (sizes == NULL || messages == NULL) abort();
    rk_row_batch batch = { .messages = messages, .sizes = sizes, .room = room };
    rk_transcript_add(&transcript, "", 0);

    bool last = false;
    for (size_t at = 0; !last;) {
        size_t length = piece == 0 || piece > size - at ? size - at : piece;
        last = at + length == size && !(end_empty && length > 0);
        char *exact = malloc(length > 0 ? length : 1);
        if (exact == NULL) abort();
        memcpy(exact, text + at, length);
        at += length;

        size_t used = 0;
        do {
            rk_status status = next(reader, exact + used, length - used, last, &batch);
            used += batch.consumed;
            for (rk_u32 i = 0; i < batch.count; i++)
                rk_transcript_add_row(&transcript, schema, batch.first_row + i,
                                      messages + (size_t)i * schema->size, sizes[i]);
            if (batch.failed) rk_transcript_add_bad(&transcript, &batch.bad);
            if (status != RK_OK) {
                char line[32];
                rk_transcript_add(&transcript, line,
                                  (size_t)snprintf(line, sizeof line, "status %d\n", (int)status));
                last = true;
                batch.more = false;
            } else if (!batch.more && used != length) {
                rk_transcript_add(&transcript, "not consumed\n", 13);
            }
        } while (batch.more);
        free(exact);
    }
    free(messages);
    free(sizes);
    return transcript;
}

#endif
