/* The guide's pitfall 1: barriers of a warp, and shared memory that other warps write.
 *
 * Looked at are SPMD kernels of more than 32 threads (or of a number that isn't written as one) whose
 * barriers are a warp's and that never name the block's scope. An index of a shared array stays in its
 * warp if it is the thread's own number, or if its statement says rk_warp() or rk_lane(), or a variable
 * made from them; a constant below 32 is let pass. The first other index of a kernel is reported. */
#include <stdlib.h>

#include "codegen/lint_rule.h"
#include "ringkernel/module.h"

#define WARP 32

typedef struct body {
    const rk_tokens *tokens;
    size_t first;
    size_t end;
    rk_name_set shared; /* arrays */
    rk_name_set own;    /* variables that are the thread's number */
    rk_name_set warp;   /* variables made from rk_warp() or rk_lane() */
} body;

static bool is(const body *b, size_t token, const char *spelling)
{
    return rk_token_is(&b->tokens->token[token], spelling);
}

static bool says_warp(const body *b, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if (is(b, i, "rk_warp") || is(b, i, "rk_lane") || rk_name_has(&b->warp, b->tokens->token[i].slice))
            return true;
    return false;
}

static bool is_own_thread(const body *b, size_t first, size_t end)
{
    if (end - first == 1) return rk_name_has(&b->own, b->tokens->token[first].slice);
    return end - first == 3 && is(b, first, "rk_thread") && is(b, first + 1, "(");
}

static size_t find(const body *b, size_t first, const char *spelling)
{
    while (first < b->end && !is(b, first, spelling)) first++;
    return first;
}

/* Notes arrays and variables by their declarations: RK_SHARED(type, name, n) and `name = …;`. */
static void learn(body *b)
{
    for (size_t i = b->first; i + 3 < b->end; i++) {
        rk_slice name = b->tokens->token[i].slice;
        if (is(b, i, "RK_SHARED") && is(b, i + 1, "(")) {
            size_t comma = find(b, i, ",");
            if (comma + 1 < b->end) rk_name_add(&b->shared, b->tokens->token[comma + 1].slice);
        } else if (rk_is_plain_name(b->tokens, i) && is(b, i + 1, "=")) {
            size_t end = find(b, i, ";");
            if (is_own_thread(b, i + 2, end))
                rk_name_add(&b->own, name);
            else if (says_warp(b, i + 2, end))
                rk_name_add(&b->warp, name);
        }
    }
}

/* Where the statement of a token begins. */
static size_t statement(const body *b, size_t token)
{
    while (token > b->first && !is(b, token, ";") && !is(b, token, "{") && !is(b, token, "}")) token--;
    return token;
}

static bool is_small_constant(const body *b, size_t first, size_t end)
{
    const rk_token *token = &b->tokens->token[first];
    return end - first == 1 && token->kind == RK_TOKEN_NUMBER && strtoul(token->slice.text, NULL, 0) < WARP;
}

/* The first array whose index may leave the warp; b->end if there is none. */
static size_t find_escape(const body *b, size_t *close)
{
    for (size_t i = b->first; i + 1 < b->end; i++) {
        if (!rk_is_plain_name(b->tokens, i) || !is(b, i + 1, "[") ||
            !rk_name_has(&b->shared, b->tokens->token[i].slice))
            continue;
        *close = rk_tokens_match(b->tokens, i + 1);
        if (is_own_thread(b, i + 2, *close) || is_small_constant(b, i + 2, *close)) continue;
        if (!says_warp(b, statement(b, i), *close)) return i;
    }
    return b->end;
}

static bool has_warp_barriers(const rk_lint *lint, const rk_source_declaration *d)
{
    const rk_tokens *tokens = &lint->scan.tokens;
    if (rk_range_has(tokens, d->body, d->body_end, "RK_SCOPE_BLOCK")) return false;
    if (rk_slice_is(rk_scan_attribute(&lint->scan, d, "barrier"), "RK_SCOPE_WARP")) return true;
    return rk_range_has(tokens, d->body, d->body_end, "RK_SCOPE_WARP");
}

static bool is_one_warp(const rk_lint *lint, const rk_source_declaration *d)
{
    rk_slice threads = rk_scan_attribute(&lint->scan, d, "threads");
    return threads.size > 0 && threads.text[0] >= '1' && threads.text[0] <= '9' &&
           strtoul(threads.text, NULL, 0) <= WARP;
}

void rk_lint_barriers(rk_lint *lint)
{
    for (rk_u32 i = 0; i < lint->scan.count; i++) {
        const rk_source_declaration *d = &lint->scan.declaration[i];
        if (d->kind != RK_DECLARES_SPMD || is_one_warp(lint, d) || !has_warp_barriers(lint, d)) continue;
        body b = { .tokens = &lint->scan.tokens, .first = d->body, .end = d->body_end };
        size_t close = 0;
        learn(&b);
        size_t escape = find_escape(&b, &close);
        if (escape == b.end) continue;
        rk_slice kernel = rk_scan_kernel(&lint->scan, d);
        rk_slice access = rk_tokens_text(b.tokens, escape, close + 1);
        rk_finding *finding =
            rk_lint_report(lint, b.tokens->token[escape].line, "barrier-scope",
                           "the barriers of '%.*s' are a warp's, and %.*s may belong to another warp",
                           RK_SHOWN(kernel), RK_SHOWN(access));
        rk_finding_remedy(
            finding,
            "use .barrier = RK_SCOPE_BLOCK and rk_barrier(RK_SCOPE_BLOCK), or keep to the warp's own "
            "part: rk_warp() * RK_WARP_SIZE + rk_lane()");
    }
}
