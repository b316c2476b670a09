/* The guide's pitfall 2: a kernel with relaxed memory writes its state and then sends, and nothing orders
 * the two.
 *
 * Read in the order of the text, calls of the file's own functions followed. A write is an assignment
 * through the handler's state or through a pointer that is declared RK_GLOBAL; a fence is rk_memory_fence
 * or rk_fence. */
#include <string.h>

#include "codegen/lint_rule.h"
#include "ringkernel/module.h"

#define DEEPEST 8 /* calls within calls */

typedef struct reading {
    rk_lint *lint;
    const rk_source_declaration *handler;
    rk_u32 written; /* line of the last write that no fence follows; 0: none */
    bool reported;
} reading;

static bool is(const rk_lint *lint, size_t token, const char *spelling)
{
    return rk_token_is(&lint->scan.tokens.token[token], spelling);
}

static bool is_any(const rk_lint *lint, size_t token, const char *const *spellings)
{
    for (; *spellings != NULL; spellings++)
        if (is(lint, token, *spellings)) return true;
    return false;
}

/* Parameters and variables that point to global memory: RK_GLOBAL … *name. */
static void learn(const rk_lint *lint, size_t first, size_t end, rk_name_set *pointers)
{
    for (size_t i = first; i < end; i++) {
        if (!is(lint, i, "RK_GLOBAL")) continue;
        while (i < end && !is(lint, i, "*") && !is(lint, i, ";") && !is(lint, i, ")")) i++;
        const rk_token *name = &lint->scan.tokens.token[i + 1];
        if (is(lint, i, "*") && name->kind == RK_TOKEN_NAME) rk_name_add(pointers, name->slice);
    }
}

/* Is the lvalue that begins at this name assigned to? */
static bool is_assigned(const rk_lint *lint, size_t name)
{
    static const char *const before[] = { "++", "--", NULL };
    static const char *const after[] = { "=",  "+=", "-=",  "*=",  "/=", "%=", "&=",
                                         "|=", "^=", "<<=", ">>=", "++", "--", NULL };
    size_t at = name + 1;
    bool member = false;
    for (;;) {
        if (is(lint, at, "->") || is(lint, at, "."))
            at += 2;
        else if (is(lint, at, "["))
            at = rk_tokens_match(&lint->scan.tokens, at) + 1;
        else
            break;
        member = true;
    }
    if (member) return is_any(lint, name - 1, before) || is_any(lint, at, after);
    /* `*p = …` writes; `T *p = …` declares, and `p = …` only points elsewhere. */
    return is(lint, name - 1, "*") && lint->scan.tokens.token[name - 2].kind != RK_TOKEN_NAME &&
           is_any(lint, at, after);
}

static bool is_send(const rk_lint *lint, size_t token)
{
    static const char *const sends[] = { "rk_send", "rk_reply", "rk_forward", "rk_try_send", NULL };
    rk_slice name = lint->scan.tokens.token[token].slice;
    if (!is(lint, token + 1, "(")) return false;
    for (const char *const *send = sends; *send != NULL; send++)
        if (name.size >= strlen(*send) && memcmp(name.text, *send, strlen(*send)) == 0) return true;
    return false;
}

static void report(reading *r, rk_u32 line)
{
    rk_slice kernel = rk_scan_kernel(&r->lint->scan, r->handler);
    rk_finding *finding = rk_lint_report(
        r->lint, line, "missing-fence",
        "'%.*s' has relaxed memory, and sends here what may be seen before its write at line %u",
        RK_SHOWN(kernel), r->written);
    rk_finding_remedy(
        finding, "call rk_memory_fence(RK_RELEASE, RK_SCOPE_DEVICE) between the two, or leave .memory out: "
                 "release and acquire are the default");
    r->reported = true;
}

/* Reads a body; `pointers` are those that it was given. */
static void read_body(reading *r, size_t first, size_t end, rk_name_set pointers, int depth)
{
    const rk_lint *lint = r->lint;
    learn(lint, first, end, &pointers);
    for (size_t i = first; i < end && !r->reported; i++) {
        if (!rk_is_plain_name(&lint->scan.tokens, i)) continue;
        const rk_source_function *called = rk_called_function(&lint->scan, &lint->functions, i);
        if (called != NULL && depth < DEEPEST) {
            rk_name_set given = { .count = 0 };
            learn(lint, called->open, called->close + 1, &given);
            read_body(r, called->body, called->end, given, depth + 1);
        } else if (rk_name_has(&pointers, lint->scan.tokens.token[i].slice) && is_assigned(lint, i)) {
            r->written = lint->scan.tokens.token[i].line;
        } else if (is(lint, i, "rk_memory_fence") || is(lint, i, "rk_fence")) {
            r->written = 0;
        } else if (is_send(lint, i) && r->written != 0) {
            report(r, lint->scan.tokens.token[i].line);
        }
    }
}

void rk_lint_fences(rk_lint *lint)
{
    for (rk_u32 i = 0; i < lint->scan.count; i++) {
        const rk_source_declaration *d = &lint->scan.declaration[i];
        if (!rk_declares_handler(d)) continue;
        if (!rk_slice_is(rk_scan_attribute(&lint->scan, d, "memory"), "RK_RELAXED_MEMORY")) continue;
        reading r = { .lint = lint, .handler = d };
        rk_name_set pointers = { .count = 0 };
        if (d->kind != RK_DECLARES_SPMD) rk_name_add(&pointers, rk_scan_argument(&lint->scan, d, 4));
        read_body(&r, d->body, d->body_end, pointers, 0);
    }
}
