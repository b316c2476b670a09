/* What the fuzz targets of both readers share: schemas to read for, an input that also says how it is fed,
 * and the account of lines that every reader must keep. A promise that is broken aborts. */
#ifndef RINGKERNEL_FUZZ_ROWS_FUZZ_H
#define RINGKERNEL_FUZZ_ROWS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/rows_transcript.h"

RK_MESSAGE(fuzz_flight, 1, (rk_u32, seq), (rk_f32, hour), (rk_i32, distance), (rk_i32, delay))
RK_MESSAGE(fuzz_kinds, 2, (rk_u64, a), (rk_i64, b), (rk_f64, c), (rk_u32, d), (rk_i32, e), (rk_u16, f),
           (rk_i16, g), (rk_u8, h), (rk_i8, i), (rk_u16, j))
RK_MESSAGE(fuzz_arrays, 3, (rk_f64, x, 2), (rk_f32, y, 3), (rk_u8, z, 4))
RK_MESSAGE(fuzz_one, 4, (rk_f64, v))
RK_BLOB(fuzz_blob, 5, 20)

#define FUZZ_PROMISE(condition)                                                     \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

/* The first two bytes of an input say how the rest is fed; the rest is the text. */
#define FUZZ_SETTINGS 2u
#define FUZZ_LONG_RUN 70000u /* more than the readers' longest row */
#define FUZZ_LONG_RUNS_MAX 2u

typedef struct fuzz_input {
    const rk_schema *schema;
    size_t piece; /* bytes a call; 0: all */
    rk_u32 room;  /* messages a call */
    bool head;    /* CSV: put the right head before the text */
    char *text;   /* freed by fuzz_input_free */
    size_t size;
} fuzz_input;

/* A text as given, but that each byte 1, the first few times, stands for many zeros. */
static inline void fuzz_text(fuzz_input *input, const uint8_t *data, size_t size, const char *head,
                             size_t head_size)
{
    char *text = malloc(head_size + size + FUZZ_LONG_RUNS_MAX * FUZZ_LONG_RUN + 1);
    if (text == NULL) abort();
    memcpy(text, head, head_size);
    size_t at = head_size, runs = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 1 && runs < FUZZ_LONG_RUNS_MAX) {
            memset(text + at, '0', FUZZ_LONG_RUN);
            at += FUZZ_LONG_RUN;
            runs++;
        } else {
            text[at++] = (char)data[i];
        }
    }
    input->text = text;
    input->size = at;
}

/* Settings: the low 3 bits of the first byte pick the schema, the next two the room, the sixth the head;
 * the second byte is the size of the pieces. */
static inline fuzz_input fuzz_input_of(const uint8_t *data, size_t size)
{
    static const rk_schema *const schemas[] = { RK_SCHEMA(fuzz_flight), RK_SCHEMA(fuzz_kinds),
                                                RK_SCHEMA(fuzz_arrays), RK_SCHEMA(fuzz_one),
                                                RK_SCHEMA(fuzz_blob) };
    static const rk_u32 rooms[] = { 1, 2, 3, 64 };
    uint8_t first = size > 0 ? data[0] : 0, second = size > 1 ? data[1] : 0;
    fuzz_input input = {
        .schema = schemas[(first & 7u) % 5u],
        .room = rooms[first >> 3 & 3u],
        .head = (first & 32u) != 0,
        .piece = second,
    };
    size_t skipped = size < FUZZ_SETTINGS ? size : FUZZ_SETTINGS;
    char head[512];
    size_t head_size = 0;
    if (input.head) {
        head_size = rk_csv_print_head(input.schema, head, sizeof head - 1);
        head[head_size++] = '\n';
    }
    fuzz_text(&input, data + skipped, size - skipped, head, head_size);
    return input;
}

static inline void fuzz_input_free(fuzz_input *input) { free(input->text); }

/* One line of a text; found here the plain way, to hold the readers against it. */
typedef struct fuzz_line {
    const char *text;
    size_t size;
} fuzz_line;

/* Moves *at behind the next line; false when there is none. */
static inline bool fuzz_next_line(const fuzz_input *input, size_t *at, fuzz_line *line)
{
    if (*at == input->size) return false;
    size_t start = *at, end = start;
    while (end < input->size && input->text[end] != '\n') end++;
    *at = end < input->size ? end + 1 : end;
    bool has_return = end < input->size && end > start && input->text[end - 1] == '\r';
    *line = (fuzz_line){ input->text + start, end - start - has_return };
    return true;
}

/* The text of a bad row is the beginning of its line, and it says why it is bad. */
static inline void fuzz_check_bad(const rk_bad_row *bad, const fuzz_line *line, rk_u64 row)
{
    FUZZ_PROMISE(bad->row == row);
    FUZZ_PROMISE(bad->size == line->size);
    FUZZ_PROMISE(bad->text_size == (line->size < RK_ROW_TEXT_MAX ? line->size : RK_ROW_TEXT_MAX));
    FUZZ_PROMISE(bad->text_size == 0 || memcmp(bad->text, line->text, bad->text_size) == 0);
    FUZZ_PROMISE(bad->why != NULL && bad->why[0] != '\0');
    FUZZ_PROMISE(bad->column <= bad->size + 1);

    char escaped[6 * RK_ROW_TEXT_MAX];
    size_t size = rk_json_escape(bad->text, bad->text_size, escaped, sizeof escaped);
    FUZZ_PROMISE(size >= bad->text_size && size <= 6 * bad->text_size);
    for (size_t i = 0; i < size; i++) FUZZ_PROMISE((unsigned char)escaped[i] >= 0x20);
}

/* What came out must not depend on how the text went in. */
static inline void fuzz_check_pieces(rk_next_rows next, void *whole, void *pieces, const fuzz_input *input)
{
    rk_transcript one = rk_transcribe(next, whole, input->schema, input->text, input->size, 0, 64, false);
    size_t piece =
        input->size > 4096 && input->piece > 0 && input->piece < 64 ? 64 : input->piece; /* for speed */
    rk_transcript many =
        rk_transcribe(next, pieces, input->schema, input->text, input->size, piece, input->room, true);
    FUZZ_PROMISE(strcmp(one.text, many.text) == 0);
    free(one.text);
    free(many.text);
}

#endif
