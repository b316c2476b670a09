/* What a kernel source declares; see scan.h. */
#include "codegen/scan.h"

#include <stdlib.h>
#include <string.h>

#include "ringkernel/module.h"

/* The macros that declare something, and the shape of their arguments. */
typedef struct macro {
    const char *name;
    rk_u32 kind;
    rk_u32 needed; /* arguments at least */
    rk_u32 names;  /* so many of the first arguments are names */
    bool has_body;
    const char *wanted; /* the needed arguments, in words */
} macro;

static const macro macros[] = {
    { "RK_MESSAGE", RK_DECLARES_MESSAGE, 3, 1, false, "message, type id, members" },
    { "RK_BLOB", RK_DECLARES_MESSAGE, 3, 1, false, "message, type id, bytes" },
    { "RK_HANDLER", RK_DECLARES_HANDLER, 5, 5, true, "kernel, message, its name, state, its name" },
    { "RK_BATCH_HANDLER", RK_DECLARES_BATCH_HANDLER, 5, 5, true,
      "kernel, message, name of the count, state, its name" },
    { "RK_SPMD_KERNEL", RK_DECLARES_SPMD, 3, 3, true,
      "kernel, message that it receives, message that it sends" },
    { "RK_ON_DRAIN", RK_DECLARES_DRAIN, 3, 3, true, "kernel, state, its name" },
    { "RK_ON_TIMER", RK_DECLARES_TIMER, 3, 3, true, "kernel, state, its name" },
    { "RK_ON_REFUSED", RK_DECLARES_REFUSED, 4, 4, true, "kernel, state, its name, name of the refusal" },
    { "RK_ON_MERGE", RK_DECLARES_MERGE, 5, 5, true,
      "kernel, state, its name, name of the other state, name of the shards" },
    { "RK_PARAM", RK_DECLARES_PARAMETER, 3, 2, false, "type, name, default" },
    { "RK_PARAM_IN", RK_DECLARES_PARAMETER, 5, 2, false, "type, name, default, least, most" },
    { "RK_REASON", RK_DECLARES_REASON, 1, 1, false, "name" },
    { "RK_ROUTE", RK_DECLARES_ROUTE, 1, 1, false, "name" },
};

static const macro *find_macro(const rk_token *token)
{
    if (token->kind != RK_TOKEN_NAME) return NULL;
    for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
        if (rk_token_is(token, macros[i].name)) return &macros[i];
    return NULL;
}

/* Room for one more element. */
static bool grow(void **array, rk_u32 count, rk_u32 *room, size_t size)
{
    if (count < *room) return true;
    rk_u32 wanted = *room ? *room * 2 : 32;
    void *grown = realloc(*array, wanted * size);
    if (grown == NULL) return false;
    *array = grown;
    *room = wanted;
    return true;
}

static bool add_argument(rk_scan *scan, size_t first, size_t end)
{
    if (!grow((void **)&scan->argument, scan->argument_count, &scan->argument_room, sizeof(*scan->argument)))
        return false;
    const rk_token *token = &scan->tokens.token[first];
    scan->argument[scan->argument_count++] =
        (rk_source_argument){ rk_tokens_text(&scan->tokens, first, end), token->line, token->column };
    return true;
}

/* Cuts what stands between the brackets at its commas. */
static bool add_arguments(rk_scan *scan, size_t open, size_t close)
{
    size_t first = open + 1;
    for (size_t i = first; i < close; i++) {
        const rk_token *token = &scan->tokens.token[i];
        if (rk_token_is(token, "(") || rk_token_is(token, "{") || rk_token_is(token, "[")) {
            i = rk_tokens_match(&scan->tokens, i);
        } else if (rk_token_is(token, ",")) {
            if (!add_argument(scan, first, i)) return false;
            first = i + 1;
        }
    }
    return first >= close || add_argument(scan, first, close);
}

static bool is_name(rk_slice slice)
{
    if (slice.size == 0 || (slice.text[0] >= '0' && slice.text[0] <= '9')) return false;
    for (size_t i = 0; i < slice.size; i++) {
        char c = slice.text[i];
        bool part = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!part) return false;
    }
    return true;
}

static rk_status check_arguments(const rk_scan *scan, const rk_source_declaration *d, const macro *macro,
                                 rk_source_error *error)
{
    if (d->arguments < macro->needed) {
        rk_source_error_set(error, d->line, d->column, "%s takes at least %u arguments (%s) and has %u",
                            macro->name, macro->needed, macro->wanted, d->arguments);
        return RK_PARSE_FAILED;
    }
    for (rk_u32 i = 0; i < macro->names; i++) {
        rk_slice text = rk_scan_argument(scan, d, i);
        if (is_name(text)) continue;
        const rk_source_argument *argument = &scan->argument[d->first_argument + i];
        rk_source_error_set(error, argument->line, argument->column,
                            "argument %u of %s is to be a name, not '%.*s' (%s)", i + 1, macro->name,
                            (int)(text.size < 40 ? text.size : 40), text.text, macro->wanted);
        return RK_PARSE_FAILED;
    }
    return RK_OK;
}

/* The declaration whose macro's name is token `at`. *next becomes the first token behind it. */
static rk_status scan_declaration(rk_scan *scan, size_t at, const macro *macro, size_t *next,
                                  rk_source_error *error)
{
    const rk_token *token = &scan->tokens.token[at];
    size_t close = rk_tokens_match(&scan->tokens, at + 1);
    if (close == scan->tokens.count) {
        rk_source_error_set(error, token->line, token->column, "the arguments of %s have no closing bracket",
                            macro->name);
        return RK_PARSE_FAILED;
    }
    if (!grow((void **)&scan->declaration, scan->count, &scan->room, sizeof(*scan->declaration)))
        return RK_OUT_OF_MEMORY;
    rk_source_declaration *d = &scan->declaration[scan->count];
    *d = (rk_source_declaration){
        .kind = macro->kind, .line = token->line, .column = token->column, .macro = macro->name
    };
    d->first_argument = scan->argument_count;
    d->token = at;
    if (!add_arguments(scan, at + 1, close)) return RK_OUT_OF_MEMORY;
    d->arguments = scan->argument_count - d->first_argument;
    rk_status status = check_arguments(scan, d, macro, error);
    if (status != RK_OK) return status;
    *next = close + 1;
    if (macro->has_body) {
        d->body = close + 1;
        d->body_end = rk_tokens_match(&scan->tokens, d->body);
        if (!rk_token_is(&scan->tokens.token[d->body], "{") || d->body_end == scan->tokens.count) {
            rk_source_error_set(error, token->line, token->column,
                                "%s is not followed by a whole body in braces", macro->name);
            return RK_PARSE_FAILED;
        }
        *next = d->body_end + 1;
    }
    scan->count++;
    return RK_OK;
}

rk_status rk_scan_source(const char *text, size_t size, rk_scan *scan, rk_source_error *error)
{
    *scan = (rk_scan){ .count = 0 };
    rk_status status = rk_lex(text, size, &scan->tokens, error);
    const rk_tokens *tokens = &scan->tokens;
    for (size_t i = 0; status == RK_OK && i < tokens->count;) {
        const macro *macro = find_macro(&tokens->token[i]);
        if (macro != NULL && rk_token_is(&tokens->token[i + 1], "("))
            status = scan_declaration(scan, i, macro, &i, error);
        else if (rk_token_is(&tokens->token[i], "{")) /* bodies of other functions declare nothing */
            i = rk_tokens_match(tokens, i) + 1;
        else
            i++;
    }
    return status;
}

void rk_scan_free(rk_scan *scan)
{
    rk_tokens_free(&scan->tokens);
    free(scan->declaration);
    free(scan->argument);
    *scan = (rk_scan){ .count = 0 };
}

rk_slice rk_scan_argument(const rk_scan *scan, const rk_source_declaration *declaration, rk_u32 index)
{
    if (index >= declaration->arguments) return (rk_slice){ "", 0 };
    return scan->argument[declaration->first_argument + index].text;
}

rk_slice rk_scan_attribute(const rk_scan *scan, const rk_source_declaration *declaration, const char *name)
{
    size_t length = strlen(name);
    for (rk_u32 i = 0; i < declaration->arguments; i++) {
        rk_slice text = rk_scan_argument(scan, declaration, i);
        if (text.size <= length + 1 || text.text[0] != '.' || memcmp(text.text + 1, name, length) != 0)
            continue;
        const char *at = text.text + 1 + length;
        const char *end = text.text + text.size;
        while (at < end && (*at == ' ' || *at == '\t' || *at == '\n')) at++;
        if (at == end || *at != '=') continue;
        for (at++; at < end && (*at == ' ' || *at == '\t' || *at == '\n');) at++;
        return (rk_slice){ at, (size_t)(end - at) };
    }
    return (rk_slice){ "", 0 };
}

rk_slice rk_scan_kernel(const rk_scan *scan, const rk_source_declaration *declaration)
{
    return rk_scan_argument(scan, declaration, 0);
}

bool rk_declares_handler(const rk_source_declaration *declaration)
{
    return declaration->kind >= RK_DECLARES_HANDLER && declaration->kind <= RK_DECLARES_SPMD;
}

bool rk_declares_hook(const rk_source_declaration *declaration)
{
    return declaration->kind == RK_DECLARES_DRAIN || declaration->kind == RK_DECLARES_TIMER ||
           declaration->kind == RK_DECLARES_REFUSED || declaration->kind == RK_DECLARES_MERGE;
}
