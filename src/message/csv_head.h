/* The head line of a CSV: which field each column fills. */
#ifndef RINGKERNEL_MESSAGE_CSV_HEAD_H
#define RINGKERNEL_MESSAGE_CSV_HEAD_H

#include "message/schema.h"

typedef struct rk_csv_column {
    rk_u32 offset; /* of the value in the message */
    rk_u16 kind;   /* rk_kind, or RK_CSV_BLOB */
    rk_u16 field;  /* index in the schema */
} rk_csv_column;

#define RK_CSV_BLOB 0u /* the column of a blob's bytes; no rk_kind has this number */

/* Columns of a row: one for each element of each field, one for a blob. */
size_t rk_csv_column_count(const rk_schema *schema);

/* Element number within its field that a column fills. */
rk_u32 rk_csv_element(const rk_schema *schema, const rk_csv_column *column);

/* Reads a head into columns, of which there are rk_csv_column_count. seen has as many bytes, all 0. RK_OK, or
 * RK_PARSE_FAILED and an error with all that is wrong. */
rk_status rk_csv_read_head(const rk_schema *schema, const char *text, size_t size, rk_csv_column *columns,
                           char *seen, rk_parse_error *error);

#endif
