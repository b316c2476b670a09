/* Variables that outlive a call and change: of the file, or static in a function. The CPU has one of each for
 * all shards, without any order between them; a GPU one that a relaunch forgets; OpenCL C none.
 *
 * A declaration is constant by RK_CONSTANT, or by a const that is not only that of what a pointer points
 * to. */
#include "codegen/lint_rule.h"

static bool is(const rk_lint *lint, size_t token, const char *spelling)
{
    return rk_token_is(&lint->scan.tokens.token[token], spelling);
}

static bool is_name(const rk_lint *lint, size_t token)
{
    return token < lint->scan.tokens.count && lint->scan.tokens.token[token].kind == RK_TOKEN_NAME;
}

static size_t match(const rk_lint *lint, size_t open) { return rk_tokens_match(&lint->scan.tokens, open); }

/* What is known of a declaration from its first token to its `=`, `,` or `;`. */
typedef struct declared {
    size_t name; /* the last name outside of brackets; 0: none */
    size_t end;  /* the token that ends it */
    bool constant;
    bool function;
    bool type; /* a typedef, or a structure without a variable */
} declared;

static declared read(const rk_lint *lint, size_t at)
{
    static const char *const types[] = { "struct", "union", "enum" };
    declared d = { .name = 0 };
    bool tag = false;
    for (; at < lint->scan.tokens.count; at++) {
        if (is(lint, at, "=") || is(lint, at, ";") || is(lint, at, ",")) break;
        if (is(lint, at, "typedef")) d.type = true;
        if (is(lint, at, "const") || is(lint, at, "RK_CONSTANT")) {
            d.constant = true;
        } else if (is(lint, at, "*")) {
            d.constant = false;
        } else if (is(lint, at, "{")) {
            if (d.function) break;
            at = match(lint, at);
            d.name = 0;
            tag = false;
        } else if (is(lint, at, "[")) {
            at = match(lint, at);
        } else if (is(lint, at, "(")) {
            /* What a macro of ours or the compiler takes in brackets is no list of parameters. */
            rk_slice before = lint->scan.tokens.token[at > 0 ? at - 1 : 0].slice;
            bool attribute = before.size > 2 && before.text[0] == '_' && before.text[1] == '_';
            d.function |= !attribute;
            at = match(lint, at);
        } else if (is_name(lint, at)) {
            if (!tag) d.name = at;
            tag = false;
            for (size_t i = 0; i < 3; i++) tag |= is(lint, at, types[i]);
            if (tag) d.name = 0;
        }
    }
    d.end = at;
    return d;
}

static void report(rk_lint *lint, size_t name, const char *what)
{
    const rk_token *token = &lint->scan.tokens.token[name];
    rk_finding *finding =
        rk_lint_report(lint, token->line, "global-variable", "'%.*s' is %s", RK_SHOWN(token->slice), what);
    rk_finding_remedy(finding, "make it a member of the state, an RK_PARAM that is set at launch, or "
                               "RK_CONSTANT if it never changes");
}

/* From the first token of something at file scope to the one behind it. */
static size_t skip(rk_lint *lint, size_t at)
{
    if (is_name(lint, at) && is(lint, at + 1, "(")) { /* a macro of the dialect, with or without a body */
        at = match(lint, at + 1) + 1;
        if (at < lint->scan.tokens.count && is(lint, at, "{")) at = match(lint, at) + 1;
        return at;
    }
    declared d = read(lint, at);
    if (!d.type && !d.function && !d.constant && d.name > at)
        report(lint, d.name, "a variable of the file that changes");
    for (at = d.end; at < lint->scan.tokens.count && !is(lint, at, ";"); at++) {
        if (is(lint, at, "{") || is(lint, at, "(")) at = match(lint, at);
        if (d.function && at < lint->scan.tokens.count && is(lint, at, "}")) break;
    }
    return at + 1;
}

void rk_lint_globals(rk_lint *lint)
{
    for (size_t at = 0; at < lint->scan.tokens.count;) at = skip(lint, at);
    for (rk_u32 f = 0; f < lint->functions.count; f++)
        for (size_t i = lint->functions.function[f].body; i < lint->functions.function[f].end; i++) {
            if (!is(lint, i, "static")) continue;
            declared d = read(lint, i);
            if (!d.constant && !d.function && d.name > i)
                report(lint, d.name, "static and changes: one for all shards");
        }
}
