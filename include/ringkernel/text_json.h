/* Messages from JSON: one object, or one object a line (NDJSON). This part stands on the jansson library and
 * is a static library of its own, ringkernel-json (CMake: ringkernel::ringkernel_json, component `json`); the rest of the text
 * functions is in text.h.
 *
 * A message is one JSON object with each field of the schema once, in any order, and nothing else; an array
 * field is an array of exactly its count. A fraction (or an exponent, or .0) in an integer field is an error,
 * and so is null. A number that its field can't hold is one to rk_json_parse, whose caller is told which; as a row,
 * to rk_json_next, it becomes the nearest that the field can hold, as in CSV, so that the consumer's own check of
 * its range refuses it whatever the rows come as. Integers are exact over all 64 bits, rk_u64 above 2^63 - 1 included. A float field
 * takes integers too. The bytes of a blob are a string in canonical base64. What rk_json_print writes reads
 * back as the same message, unless it has a NaN or an infinity, which become null there. */
#ifndef RINGKERNEL_TEXT_JSON_H
#define RINGKERNEL_TEXT_JSON_H

#include "text.h"

RK_BEGIN_DECLS

/* Reads one JSON object (white space around it is allowed) into a message of the schema's size, which needs
 * no alignment. *message_size becomes its size in bytes; it may be NULL unless the schema is a blob's. error
 * may be NULL. Any thread.
 *
 * Statuses: RK_OK. RK_PARSE_FAILED: not JSON, or not of this schema; error names field and column, the
 * message is undefined. RK_INVALID_ARGUMENT: an argument is NULL that mustn't be. RK_OUT_OF_MEMORY: try
 * again, or with a shorter line. */
RK_API rk_status rk_json_parse(const rk_schema *schema, const char *text, size_t size, void *message,
                               rk_u32 *message_size, rk_parse_error *error);

/* A reader of NDJSON. One thread at a time. */
typedef struct rk_json_reader rk_json_reader;

/* Opens a reader for messages of this schema, which must outlive it. *reader is the caller's, to be closed by
 * rk_json_close; on failure it is NULL.
 *
 * Statuses: RK_OK. RK_INVALID_ARGUMENT: an argument is NULL, or rk_schema_check finds fault with the schema:
 * it says which. RK_OUT_OF_MEMORY: nothing was kept. */
RK_API rk_status rk_json_open(const rk_schema *schema, rk_json_reader **reader);

/* Reads as many lines of the data as are messages, up to batch->room, and stops early at a bad one; fed as
 * rk_csv_next is, but without a head: the first line is row 1, and a byte order mark before it is skipped. LF and CRLF both end a line, and the last line
 * counts without one. An empty line is a bad row, and so is one longer than rk_json_row_limit, of which the
 * first RK_ROW_TEXT_MAX bytes are kept. Empty input is no rows, and so is a byte order mark alone.
 *
 * Statuses: RK_OK: see batch. RK_INVALID_ARGUMENT: an argument is NULL, room is 0, stride is under the
 * schema's size, sizes is NULL for a blob, or data came after `last`; nothing was read. RK_OUT_OF_MEMORY:
 * there was none for the row that batch->bad holds, which may be a good one; batch is as for a bad row, so
 * that every row is still given once. */
RK_API rk_status rk_json_next(rk_json_reader *reader, const char *data, size_t size, bool last,
                              rk_row_batch *batch);

/* Longest line in bytes, without its line ending, that can be a message: 65,536 and rk_json_room of the
 * schema's size, so more than rk_json_print ever writes. Any thread. 0 if reader is NULL. */
RK_API size_t rk_json_row_limit(const rk_json_reader *reader);

/* Frees a reader, and what a bad row of it points to. NULL is allowed. */
RK_API void rk_json_close(rk_json_reader *reader);

RK_END_DECLS

#endif
