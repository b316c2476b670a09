/* The tokens of a kernel source; see lexer.h. */
#include "codegen/lexer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *text;
    size_t size;
    size_t at;
    rk_u32 line;
    size_t line_start;
    bool fresh_line; /* nothing but blanks stands before `at` on its line */
} reader;

static char peek(const reader *r, size_t ahead)
{
    return r->at + ahead < r->size ? r->text[r->at + ahead] : '\0';
}

static bool at_end(const reader *r) { return r->at >= r->size; }

static void advance(reader *r)
{
    if (r->text[r->at++] != '\n') return;
    r->line++;
    r->line_start = r->at;
    r->fresh_line = true;
}

static bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

static rk_status fail(const reader *r, rk_source_error *error, const char *what)
{
    rk_source_error_set(error, r->line, (rk_u32)(r->at - r->line_start) + 1, "%s without an end", what);
    return RK_PARSE_FAILED;
}

static bool starts_comment(const reader *r)
{
    return peek(r, 0) == '/' && (peek(r, 1) == '/' || peek(r, 1) == '*');
}

static rk_status skip_comment(reader *r, rk_source_error *error)
{
    reader start = *r;
    if (peek(r, 1) == '/') {
        while (!at_end(r) && (peek(r, 0) != '\n' || r->text[r->at - 1] == '\\')) advance(r);
        return RK_OK;
    }
    advance(r);
    advance(r);
    while (!at_end(r) && !(peek(r, 0) == '*' && peek(r, 1) == '/')) advance(r);
    if (at_end(r)) return fail(&start, error, "a comment");
    advance(r);
    advance(r);
    return RK_OK;
}

/* To the end of a preprocessor line, continued lines included; the line feed itself is left. */
static rk_status skip_line(reader *r, rk_source_error *error)
{
    while (!at_end(r) && peek(r, 0) != '\n') {
        if (starts_comment(r)) {
            rk_status status = skip_comment(r, error);
            if (status != RK_OK) return status;
        } else {
            if (peek(r, 0) == '\\' && peek(r, 1) == '\n') advance(r);
            advance(r);
        }
    }
    return RK_OK;
}

/* The word of the directive that begins at a '#'. */
static rk_slice directive(const reader *r)
{
    size_t at = r->at + 1;
    while (at < r->size && is_blank(r->text[at])) at++;
    size_t first = at;
    while (at < r->size && is_name_start(r->text[at])) at++;
    return (rk_slice){ r->text + first, at - first };
}

static bool is_if_zero(const reader *r, rk_slice word)
{
    if (!rk_slice_is(word, "if")) return false;
    const char *at = word.text + word.size;
    const char *end = r->text + r->size;
    while (at < end && is_blank(*at)) at++;
    if (at == end || *at++ != '0') return false;
    while (at < end && is_blank(*at)) at++;
    return at == end || *at == '\n' || *at == '/';
}

/* From an `#if 0` to the directive that ends what it leaves out. */
static rk_status skip_left_out(reader *r, rk_source_error *error)
{
    int depth = 0;
    rk_status status = skip_line(r, error);
    while (status == RK_OK && !at_end(r)) {
        advance(r);
        while (is_blank(peek(r, 0))) advance(r);
        if (peek(r, 0) == '#') {
            rk_slice word = directive(r);
            bool opens = word.size >= 2 && memcmp(word.text, "if", 2) == 0;
            bool ends = rk_slice_is(word, "endif");
            if (depth == 0 && (ends || rk_slice_is(word, "else") || rk_slice_is(word, "elif"))) break;
            depth += opens - ends;
        }
        while (!at_end(r) && peek(r, 0) != '\n') advance(r);
    }
    return status == RK_OK ? skip_line(r, error) : status;
}

static rk_status skip_directive(reader *r, rk_source_error *error)
{
    return is_if_zero(r, directive(r)) ? skip_left_out(r, error) : skip_line(r, error);
}

/* Moves to the next token. */
static rk_status skip_blanks(reader *r, rk_source_error *error)
{
    rk_status status = RK_OK;
    while (status == RK_OK && !at_end(r)) {
        char c = peek(r, 0);
        if (is_blank(c) || c == '\n' || (c == '\\' && peek(r, 1) == '\n'))
            advance(r);
        else if (starts_comment(r))
            status = skip_comment(r, error);
        else if (c == '#' && r->fresh_line)
            status = skip_directive(r, error);
        else
            break;
    }
    return status;
}

static rk_status skip_quoted(reader *r, rk_source_error *error)
{
    reader start = *r;
    char quote = peek(r, 0);
    for (advance(r); peek(r, 0) != quote; advance(r)) {
        if (peek(r, 0) == '\\' && r->at + 1 < r->size) advance(r);
        if (at_end(r) || peek(r, 0) == '\n')
            return fail(&start, error, quote == '"' ? "a string" : "a character");
    }
    advance(r);
    return RK_OK;
}

static void skip_number(reader *r)
{
    for (char before = '0'; !at_end(r); advance(r)) {
        char c = peek(r, 0);
        bool exponent_sign = (c == '+' || c == '-') && strchr("eEpP", before) != NULL;
        if (!is_name_start(c) && !is_digit(c) && c != '.' && !exponent_sign) return;
        before = c;
    }
}

static void skip_sign(reader *r)
{
    static const char *const signs[] = { "<<=", ">>=", "...", "->", "++", "--", "<<", ">>",
                                         "<=",  ">=",  "==",  "!=", "&&", "||", "+=", "-=",
                                         "*=",  "/=",  "%=",  "&=", "^=", "|=", "##" };
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t size = strlen(signs[i]);
        if (r->size - r->at >= size && memcmp(r->text + r->at, signs[i], size) == 0) {
            r->at += size;
            return;
        }
    }
    r->at++;
}

static rk_status add(rk_tokens *tokens, rk_token token)
{
    if (tokens->count == tokens->room) {
        size_t room = tokens->room ? tokens->room * 2 : 256;
        rk_token *grown = realloc(tokens->token, room * sizeof(rk_token));
        if (grown == NULL) return RK_OUT_OF_MEMORY;
        tokens->token = grown;
        tokens->room = room;
    }
    tokens->token[tokens->count++] = token;
    return RK_OK;
}

static rk_status lex_token(reader *r, rk_token *token, rk_source_error *error)
{
    rk_status status = RK_OK;
    char c = peek(r, 0);
    *token = (rk_token){ .line = r->line, .column = (rk_u32)(r->at - r->line_start) + 1 };
    token->slice.text = r->text + r->at;
    r->fresh_line = false;
    if (is_name_start(c)) {
        token->kind = RK_TOKEN_NAME;
        while (is_name_start(peek(r, 0)) || is_digit(peek(r, 0))) r->at++;
    } else if (is_digit(c) || (c == '.' && is_digit(peek(r, 1)))) {
        token->kind = RK_TOKEN_NUMBER;
        skip_number(r);
    } else if (c == '"' || c == '\'') {
        token->kind = RK_TOKEN_TEXT;
        status = skip_quoted(r, error);
    } else {
        token->kind = RK_TOKEN_SIGN;
        skip_sign(r);
    }
    token->slice.size = (size_t)(r->text + r->at - token->slice.text);
    return status;
}

rk_status rk_lex(const char *text, size_t size, rk_tokens *tokens, rk_source_error *error)
{
    *tokens = (rk_tokens){ .token = NULL };
    *error = (rk_source_error){ .line = 0 };
    reader r = { .text = text, .size = size, .line = 1, .fresh_line = true };
    rk_token token;
    rk_status status = skip_blanks(&r, error);
    while (status == RK_OK && !at_end(&r)) {
        status = lex_token(&r, &token, error);
        if (status == RK_OK) status = add(tokens, token);
        if (status == RK_OK) status = skip_blanks(&r, error);
    }
    if (status != RK_OK) return status;
    token = (rk_token){ .kind = RK_TOKEN_END, .slice = { text + size, 0 }, .line = r.line, .column = 1 };
    status = add(tokens, token);
    if (status == RK_OK) tokens->count--;
    return status;
}

void rk_tokens_free(rk_tokens *tokens)
{
    free(tokens->token);
    *tokens = (rk_tokens){ .token = NULL };
}

bool rk_slice_is(rk_slice slice, const char *spelling)
{
    return slice.size == strlen(spelling) && memcmp(slice.text, spelling, slice.size) == 0;
}

bool rk_slice_equal(rk_slice a, rk_slice b)
{
    return a.size == b.size && memcmp(a.text, b.text, a.size) == 0;
}

bool rk_token_is(const rk_token *token, const char *spelling) { return rk_slice_is(token->slice, spelling); }

size_t rk_tokens_match(const rk_tokens *tokens, size_t open)
{
    int depth = 0;
    for (size_t i = open; i < tokens->count; i++) {
        const rk_token *token = &tokens->token[i];
        if (token->kind != RK_TOKEN_SIGN || token->slice.size != 1) continue;
        if (strchr("([{", *token->slice.text) != NULL) depth++;
        if (strchr(")]}", *token->slice.text) != NULL && --depth == 0) return i;
    }
    return tokens->count;
}

rk_slice rk_tokens_text(const rk_tokens *tokens, size_t first, size_t end)
{
    if (first >= end) return (rk_slice){ tokens->token[first].slice.text, 0 };
    rk_slice last = tokens->token[end - 1].slice;
    const char *text = tokens->token[first].slice.text;
    return (rk_slice){ text, (size_t)(last.text + last.size - text) };
}

void rk_source_error_set(rk_source_error *error, rk_u32 line, rk_u32 column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    error->line = line;
    error->column = column;
}
