/* Reads a text as CSV, however it comes in pieces, and compares what comes out. */
#ifndef RINGKERNEL_TEXT_CSV_FIXTURE_TEST_H
#define RINGKERNEL_TEXT_CSV_FIXTURE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message/rows_transcript.h"

static inline rk_status next_csv(void *reader, const char *data, size_t size, bool last, rk_row_batch *batch)
{
    return rk_csv_next(reader, data, size, last, batch);
}

static inline rk_transcript read_csv(const rk_schema *schema, const char *text, size_t size, size_t piece,
                                     rk_u32 room, bool end_empty)
{
    rk_csv_reader *reader = NULL;
    assert_int_equal(rk_csv_open(schema, &reader), RK_OK);
    rk_transcript transcript = rk_transcribe(next_csv, reader, schema, text, size, piece, room, end_empty);
    rk_csv_close(reader);
    return transcript;
}

/* Reads the text in pieces of many sizes into batches of many sizes; what comes out must be this, every
 * time. */
static inline void expect_rows(const rk_schema *schema, const char *text, size_t size, const char *expected)
{
    static const size_t pieces[] = { 0, 1, 2, 3, 7, 64, 4096 };
    static const rk_u32 rooms[] = { 1, 2, 256 };
    for (size_t piece = 0; piece < sizeof pieces / sizeof pieces[0]; piece++) {
        if (size > 100000 && pieces[piece] != 0 && pieces[piece] < 64) continue;
        for (size_t room = 0; room < sizeof rooms / sizeof rooms[0]; room++) {
            for (int end_empty = 0; end_empty < 2; end_empty++) {
                rk_transcript got = read_csv(schema, text, size, pieces[piece], rooms[room], end_empty);
                assert_string_equal(got.text, expected);
                free(got.text);
            }
        }
    }
}

static inline void expect_text(const rk_schema *schema, const char *text, const char *expected)
{
    expect_rows(schema, text, strlen(text), expected);
}

#endif
