/* The tokens of a kernel source: its raw text, before any preprocessor.
 *
 * Comments and preprocessor lines are passed over, and so is what stands between `#if 0` and its `#else`
 * or `#endif`; every other condition is taken as true, both ways. Tokens point into the text that was
 * given, which has to outlive them. */
#ifndef RINGKERNEL_CODEGEN_LEXER_H
#define RINGKERNEL_CODEGEN_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "ringkernel/device/types.h"
#include "ringkernel/status.h"

/* A stretch of the source. */
typedef struct rk_slice {
    const char *text;
    size_t size;
} rk_slice;

/* What is wrong with a source, and where; line and column count from 1, 0 is "no one place". */
typedef struct rk_source_error {
    rk_u32 line;
    rk_u32 column;
    char text[256]; /* a sentence without a full stop */
} rk_source_error;

typedef enum rk_token_kind {
    RK_TOKEN_END, /* stands once behind the last token */
    RK_TOKEN_NAME,
    RK_TOKEN_NUMBER,
    RK_TOKEN_TEXT, /* a string or a character, quotes included */
    RK_TOKEN_SIGN  /* a punctuator, the longest that fits */
} rk_token_kind;

typedef struct rk_token {
    rk_token_kind kind;
    rk_slice slice;
    rk_u32 line;
    rk_u32 column;
} rk_token;

typedef struct rk_tokens {
    rk_token *token; /* count of them, and one RK_TOKEN_END */
    size_t count;
    size_t room;
} rk_tokens;

/* RK_OK, RK_OUT_OF_MEMORY, or RK_PARSE_FAILED with the error filled (a comment, string or character
 * without an end). In every case rk_tokens_free ends the tokens. */
rk_status rk_lex(const char *text, size_t size, rk_tokens *tokens, rk_source_error *error);
void rk_tokens_free(rk_tokens *tokens);

bool rk_slice_is(rk_slice slice, const char *spelling);
bool rk_slice_equal(rk_slice a, rk_slice b);
bool rk_token_is(const rk_token *token, const char *spelling);

/* From an opening bracket to the one that closes it: its index, or tokens->count if there is none. */
size_t rk_tokens_match(const rk_tokens *tokens, size_t open);

/* The text from token `first` up to, without, token `end`; empty if there is none. */
rk_slice rk_tokens_text(const rk_tokens *tokens, size_t first, size_t end);

void rk_source_error_set(rk_source_error *error, rk_u32 line, rk_u32 column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
