/* Messages as text: CSV in and out, JSON out. (JSON in needs a library and is in text_json.h.)
 *
 * Everything follows from the message's schema, so nothing is written per message type. Readers are fed: the
 * caller hands over whatever bytes it has, in pieces of any size, and gets messages back by the batch, ready
 * for rk_send_many. How the bytes are cut into pieces never changes what comes out. Each row is either a
 * message or a bad row with its number and text; none is skipped.
 *
 * The CSV that is read and written. The first line is the head: names of columns, separated by commas. A
 * scalar field is the column of its name, element i of an array field `sample` is the column `sample[i]`, the
 * bytes of a blob are one column `bytes` in base64. In a head that is read the columns may come in any order,
 * but all of them, each once, and no others. A byte order mark before the head is skipped. Then one row per
 * line, as many values as columns; LF and CRLF both end a line, and the last line counts without one. Nothing
 * is quoted and nothing is trimmed: an integer is -?[0-9]+, a float -?[0-9]+(\.[0-9]+)?, and a row with
 * anything else (a space, a plus sign, an exponent, a quote, a NUL, an empty value, an empty line, a value
 * too many or too few) is bad. A number that its field can't hold becomes the nearest that it can (300 in an
 * rk_u8 reads as 255, -1 in any unsigned field as 0, 1 followed by 400 zeros as the largest finite float), so
 * the consumer's own check of its range refuses it; with more digits than fit into rk_csv_row_limit it makes its
 * row bad. Floats are rounded correctly, once.
 *
 * Locales change nothing here. */
#ifndef RINGKERNEL_TEXT_H
#define RINGKERNEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "api.h"
#include "message.h"
#include "status.h"

RK_BEGIN_DECLS

/* What is wrong with a text, and where. */
typedef struct rk_parse_error {
    size_t column;  /* byte of the line at which it was noticed, from 1; 0: not known, or of no one place */
    char text[500]; /* a sentence without a full stop, ended by NUL; "..." ends one that was cut to fit */
} rk_parse_error;

/* --- schemas ---------------------------------------------------------------------------------- */

/* Name of a kind, as in a message's declaration ("rk_u8"); NULL for a number that is no kind. Any thread. */
RK_API const char *rk_kind_name(rk_u32 kind);

/* Bytes of one value of a kind; 0 for a number that is no kind. Any thread. */
RK_API rk_u32 rk_kind_size(rk_u32 kind);

/* The field of that name, with the schema's own lifetime; NULL if it has none (or an argument is NULL). Any
 * thread. */
RK_API const rk_field *rk_schema_field(const rk_schema *schema, const char *name);

/* The schema hash that RK_MESSAGE computes, from the fields as they stand: two schemas with the same hash
 * have the same layout and names. Any thread. The schema's own `hash` is not read. */
RK_API rk_u64 rk_schema_hash(const rk_schema *schema);

/* Checks a schema that came from elsewhere (a module, a file), before anything relies on it.
 *
 * Statuses: RK_OK: names are identifiers and differ, kinds, counts and sizes exist, the fields fill the
 * message in order and without padding, a blob is one rk_u8 array `bytes`, the hash is the fields' own.
 * RK_INVALID_ARGUMENT: schema is NULL. RK_INCOMPATIBLE: something of that is not so; error says what: refuse
 * the module. error may be NULL. Any thread. */
RK_API rk_status rk_schema_check(const rk_schema *schema, rk_parse_error *error);

/* --- rows in ---------------------------------------------------------------------------------- */

/* Bytes of a bad row that are shown at most: enough for a person, little enough for a dead letter. */
#define RK_ROW_TEXT_MAX 1024u

/* A row that is no message. Text and why belong to the reader (text may lie in the caller's data) and are
 * good until the next call with this reader. */
typedef struct rk_bad_row {
    rk_u64 row;       /* the first row after the head (CSV) and the first line (NDJSON) is 1 */
    const char *text; /* as it was read, without its line ending; not ended by NUL, may hold NULs */
    size_t text_size; /* at most RK_ROW_TEXT_MAX: a longer row is cut, maybe inside a character */
    size_t size;      /* bytes of the whole row, without its line ending; of a head that is too long one
                         more than a row may have, since its end isn't waited for */
    const char *why;  /* what is wrong, with the field's name, ended by NUL */
    size_t column;    /* byte of the row at which it was noticed, from 1; 0: not known */
} rk_bad_row;

/* Rows asked for and given. The caller fills the first part once; every call fills the second anew. */
typedef struct rk_row_batch {
    void *messages; /* room for `room` messages, at any alignment; behind `count` of them it is undefined */
    rk_u32 *sizes;  /* room for `room` sizes in bytes; may be NULL unless the message is a blob */
    rk_u32 room;    /* most messages to give in one call, at least 1 */
    rk_u32 stride;  /* bytes from one message to the next; 0: the schema's size */

    size_t consumed;  /* bytes of the data that are done with */
    rk_u64 first_row; /* number of the row of the first message; the messages' rows follow each other */
    rk_u32 count;     /* messages given */
    bool more;   /* the call stopped at a full batch or a bad row: call again, with the data not consumed */
    bool failed; /* the row after these messages, first_row + count, is bad: */
    rk_bad_row bad;
} rk_row_batch;

/* A reader of CSV. One thread at a time. */
typedef struct rk_csv_reader rk_csv_reader;

/* Opens a reader for messages of this schema, which must outlive it. *reader is the caller's, to be closed by
 * rk_csv_close; on failure it is NULL. Opening allocates, reading doesn't.
 *
 * Statuses: RK_OK. RK_INVALID_ARGUMENT: an argument is NULL, or rk_schema_check finds fault with the schema:
 * it says which. RK_OUT_OF_MEMORY: nothing was kept. */
RK_API rk_status rk_csv_open(const rk_schema *schema, rk_csv_reader **reader);

/* Reads as many rows of the data as are messages, up to batch->room, and stops early at a bad row. Feed it
 * so:
 *
 *     do {
 *         status = rk_csv_next(reader, data, size, last, &batch);
 *         send(batch.messages, batch.count), then report batch.bad if batch.failed;
 *         data += batch.consumed, size -= batch.consumed;
 *     } while (status == RK_OK && batch.more);
 *
 * When `more` is false all data was consumed, and a row that has only begun is kept by the reader: bring the
 * next piece. `last` says that no data comes after these; a last row without line ending is then complete.
 * data may be NULL if size is 0. The first line of the first data is the head.
 *
 * A row longer than rk_csv_row_limit is bad, whatever is in it; its first RK_ROW_TEXT_MAX bytes are kept, the
 * rest is thrown away as it comes, and reading goes on at the next line.
 *
 * Statuses: RK_OK: see batch. RK_PARSE_FAILED: the head is wrong (unknown, missing or repeated columns, all
 * of them named with the valid ones; too long; or the input is empty): batch->bad has row 0 and says why; no
 * row can be read, close the reader. RK_INVALID_ARGUMENT: an argument is NULL, room is 0, stride is under the
 * schema's size, sizes is NULL for a blob, or data came after `last`; nothing was read. */
RK_API rk_status rk_csv_next(rk_csv_reader *reader, const char *data, size_t size, bool last,
                             rk_row_batch *batch);

/* Longest row in bytes, without its line ending, that can be a message: 65,536 and rk_csv_room of the schema's
 * size, so more than rk_csv_print ever writes. Any thread. 0 if reader is NULL. */
RK_API size_t rk_csv_row_limit(const rk_csv_reader *reader);

/* Frees a reader, and what a bad row of it points to. NULL is allowed. */
RK_API void rk_csv_close(rk_csv_reader *reader);

/* --- messages out ---
 *
 * These write text without a line ending and without a NUL, and return how many bytes the whole text takes.
 * If that is more than room, what is in `out` is undefined and nothing behind out + room was touched: call
 * again with that much room (out may be NULL if room is 0). Arguments must be valid: the schema passes
 * rk_schema_check and the message has `size` bytes, the schema's size or, for a blob, up to it. The message
 * needs no alignment. Any thread; nothing is allocated. */

/* A message as one JSON object, keys in the order of the fields, no spaces: {"seq":1,"sample":[0.5,2]}.
 * Integers are exact. A float has the fewest digits of 15 to 17 (rk_f32: 6 to 9) that read back as the same
 * value; NaN and the infinities, which JSON can't say, are null. The bytes of a blob are a string in base64:
 * {"bytes":"AAEC"}. */
RK_API size_t rk_json_print(const rk_schema *schema, const void *message, size_t size, char *out,
                            size_t room);

/* Bytes that rk_json_print needs at most for a message of this size. */
RK_API size_t rk_json_room(const rk_schema *schema, size_t size);

/* The head line for rows of rk_csv_print. */
RK_API size_t rk_csv_print_head(const rk_schema *schema, char *out, size_t room);

/* A message as one CSV row, columns in the order of the fields. Floats have the same digits as in JSON but
 * never an exponent, so that rk_csv_next reads the same message back; NaN and the infinities are nan, inf and
 * -inf, which it refuses. */
RK_API size_t rk_csv_print(const rk_schema *schema, const void *message, size_t size, char *out, size_t room);

/* Bytes that rk_csv_print needs at most for a message of this size: for each integer 21, for each rk_f64 344, for
 * each rk_f32 58, what separates them counted; of a blob its base64. */
RK_API size_t rk_csv_room(const rk_schema *schema, size_t size);

/* Any bytes as what stands between the quotes of a JSON string. Quote, backslash and control characters are
 * escaped (NUL is \u0000), valid UTF-8 passes as it is, and each byte that is no part of valid UTF-8 becomes
 * \ufffd: the text can always be read, and such a byte can't be told from another. text may be NULL if size
 * is 0. */
RK_API size_t rk_json_escape(const char *text, size_t size, char *out, size_t room);

RK_END_DECLS

#endif
