/* Pointers without an address space: on the CPU and on CUDA they work, in OpenCL C they point to the
 * thread's own memory.
 *
 * A plain `T *p` is right for a variable of one's own, so only those are reported that are seen to get
 * something else:
 *   - a variable, or a member of one whose type is a struct of this file, that is initialised with, or assigned,
 *     memory of the arena, of a message or of the block
 *   - a cast of such memory to `T *`
 *   - a parameter for which some call in this file gives such memory
 * Such memory is: the message and the state of a handler and what lies in them, RK_AT(…), what RK_SHARED
 * declares, and what is declared with RK_GLOBAL, RK_LOCAL, RK_MSG or RK_TEXT. */
#include <stdio.h>
#include <string.h>

#include "codegen/lint_rule.h"
#include "ringkernel/module.h"

static const char rule[] = "address-space";

/* Names by the address space that they point to. */
static const char *const spaces[] = { "RK_GLOBAL", "RK_LOCAL", "RK_MSG", "RK_TEXT" };
#define SPACES (sizeof(spaces) / sizeof(spaces[0]))
enum { GLOBAL, LOCAL, MESSAGE };
typedef struct known {
    rk_name_set names[SPACES];
} known;

static bool is(const rk_lint *lint, size_t token, const char *spelling)
{
    return rk_token_is(&lint->scan.tokens.token[token], spelling);
}

static bool is_name(const rk_lint *lint, size_t token)
{
    return lint->scan.tokens.token[token].kind == RK_TOKEN_NAME;
}

static rk_slice text(const rk_lint *lint, size_t token) { return lint->scan.tokens.token[token].slice; }

static bool is_space(const rk_lint *lint, size_t token)
{
    for (size_t space = 0; space < SPACES; space++)
        if (is(lint, token, spaces[space])) return true;
    return false;
}

/* Where what begins at a token ends: at a semicolon, a comma, or the bracket that closes what it stands in. */
static size_t statement_end(const rk_lint *lint, size_t at, size_t end)
{
    int depth = 0;
    for (; at < end; at++) {
        if (is(lint, at, "(") || is(lint, at, "[") || is(lint, at, "{")) depth++;
        if (is(lint, at, ")") || is(lint, at, "]") || is(lint, at, "}")) depth--;
        if (depth < 0 || (depth == 0 && (is(lint, at, ";") || is(lint, at, ",")))) return at;
    }
    return end;
}

/* ---- declarations: `T *p = a, n, *const q = b;` */

/* Where the first declarator of a declaration stands whose type has no address space; 0: none begins here. */
static size_t behind_plain_type(const rk_lint *lint, size_t at)
{
    static const char *const others[] = { "return", "else", "goto", "case", "typedef", "rk_context" };
    while (is(lint, at, "const") || is(lint, at, "volatile") || is(lint, at, "struct")) at++;
    if (!is_name(lint, at) || is_space(lint, at)) return 0;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (is(lint, at, others[i])) return 0;
    for (at++; is_name(lint, at) && (is_name(lint, at + 1) || is(lint, at + 1, "*")); at++)
        if (is_space(lint, at)) return 0;
    while (is(lint, at, "const")) at++;
    return is(lint, at, "*") || is_name(lint, at) ? at : 0;
}

/* The name of the declarator at *at, which moves to the next one, or to `end`; 0: there is none. */
static size_t next_declarator(const rk_lint *lint, size_t *at, size_t end, bool *is_pointer)
{
    size_t name = *at;
    *is_pointer = false;
    for (; is(lint, name, "*") || is(lint, name, "const") || is(lint, name, "RK_RESTRICT"); name++)
        *is_pointer |= is(lint, name, "*");
    if (name >= end || !is_name(lint, name)) return 0;
    size_t stop = statement_end(lint, name, end);
    *at = stop < end && is(lint, stop, ",") ? stop + 1 : end;
    return name;
}

/* `RK_GLOBAL T *p, *q` at its first word: the names of its pointers. */
static void add_pointers(const rk_lint *lint, size_t at, size_t end, rk_name_set *names)
{
    while (is_name(lint, at)) at++;
    if (!is(lint, at, "*")) return;
    for (bool is_pointer = true; at < end;) {
        size_t name = next_declarator(lint, &at, end, &is_pointer);
        if (name == 0) return;
        if (is_pointer) rk_name_add(names, text(lint, name));
    }
}

/* Is it the brace before the members of a struct? */
static bool opens_members(const rk_lint *lint, size_t brace)
{
    if (!is(lint, brace, "{") || brace < 2) return false;
    for (size_t at = brace - 1; at + 2 >= brace; at--)
        if (is(lint, at, "struct") || is(lint, at, "union")) return true;
    return false;
}

/* ---- members: of a struct that this file declares, by the type of the variable before them */

/* Where the members of the struct of that name or tag begin, at their brace; 0: this file has none. */
static size_t struct_members(const rk_lint *lint, rk_slice type)
{
    for (size_t i = 0; i < lint->scan.tokens.count; i++) {
        if (!opens_members(lint, i)) continue;
        const size_t behind = rk_tokens_match(&lint->scan.tokens, i) + 1;
        const bool is_typedef = is(lint, i - 2, "typedef") || (i > 2 && is(lint, i - 3, "typedef"));
        if ((is_name(lint, i - 1) && rk_slice_equal(text(lint, i - 1), type)) ||
            (is_typedef && is_name(lint, behind) && rk_slice_equal(text(lint, behind), type)))
            return i;
    }
    return 0;
}

/* Is what that struct calls so a pointer without an address space? */
static bool is_plain_member(const rk_lint *lint, size_t brace, rk_slice name)
{
    const size_t end = rk_tokens_match(&lint->scan.tokens, brace);
    bool found = false;
    for (size_t i = brace; i < end; i++) {
        size_t at = is(lint, i, "{") || is(lint, i, ";") ? behind_plain_type(lint, i + 1) : 0;
        while (at != 0 && at < end) {
            bool is_pointer;
            size_t member = next_declarator(lint, &at, end, &is_pointer);
            if (member == 0) break;
            if (!rk_slice_equal(text(lint, member), name)) continue;
            if (!is_pointer) return false;
            found = true;
        }
    }
    return found;
}

/* The type of what a handler or a hook calls so, if that is its state; else empty. */
static rk_slice state_type(const rk_lint *lint, const rk_source_declaration *d, rk_slice name)
{
    rk_u32 type = 0;
    if (d != NULL && (d->kind == RK_DECLARES_HANDLER || d->kind == RK_DECLARES_BATCH_HANDLER)) type = 3;
    if (d != NULL && rk_declares_hook(d)) type = 1;
    if (type == 0 || !rk_slice_equal(rk_scan_argument(&lint->scan, d, type + 1), name))
        return (rk_slice){ .size = 0 };
    return rk_scan_argument(&lint->scan, d, type);
}

/* The last word of the type before the first of several declarators, of which a later one stands behind a comma; 0: it
 * is not seen. */
static size_t type_before_comma(const rk_lint *lint, size_t comma, size_t open)
{
    while (comma > open && !is(lint, comma, ";") && !is(lint, comma, "{") && !is(lint, comma, "}") &&
           !is(lint, comma, "("))
        comma--;
    size_t first = behind_plain_type(lint, comma + 1);
    while (first != 0 && is(lint, first - 1, "const")) first--;
    return first != 0 ? first - 1 : 0;
}

/* Where the members of a variable's struct begin, by the declaration that is next before it; 0: none is seen, or the
 * struct is not of this file. */
static size_t variable_members(const rk_lint *lint, const rk_source_function *function, size_t variable)
{
    for (size_t i = variable; i > function->open; i--) {
        if (!is_name(lint, i) || !rk_slice_equal(text(lint, i), text(lint, variable))) continue;
        size_t type = i - 1;
        while (is(lint, type, "*") || is(lint, type, "const") || is(lint, type, "RK_RESTRICT")) type--;
        if (is_name(lint, type) && !is(lint, type, "else")) return struct_members(lint, text(lint, type));
        const size_t shared = is(lint, type, ",") ? type_before_comma(lint, type, function->open) : 0;
        const size_t members = shared != 0 ? struct_members(lint, text(lint, shared)) : 0;
        if (members != 0) return members;
        if (!is(lint, type, "}")) continue;
        size_t brace = type; /* of a struct without a name, or of a block that has ended */
        while (brace > function->body && rk_tokens_match(&lint->scan.tokens, brace) != type) brace--;
        if (opens_members(lint, brace)) return brace;
    }
    rk_slice type = state_type(lint, function->declaration, text(lint, variable));
    return type.size != 0 ? struct_members(lint, type) : 0;
}

/* Where the members of that begin which a member is named of: `v.m =`, `v->m =`, `T v = { .m =`, `(T){ .m =`. */
static size_t members_around(const rk_lint *lint, const rk_source_function *function, size_t member)
{
    size_t at = member - 2;
    if (is_name(lint, at))
        return is(lint, at - 1, ".") || is(lint, at - 1, "->") ? 0 : variable_members(lint, function, at);
    if (!is(lint, at, "{") && !is(lint, at, ",")) return 0;
    while (at > function->body && !(is(lint, at, "{") && rk_tokens_match(&lint->scan.tokens, at) > member))
        at--;
    if (is(lint, at - 1, "=") && is_name(lint, at - 2)) return variable_members(lint, function, at - 2);
    return is(lint, at - 1, ")") && is_name(lint, at - 2) ? struct_members(lint, text(lint, at - 2)) : 0;
}

/* ---- the rule */

/* What a function's parameters and declarations, and a handler's own names, point to. */
static known learn(const rk_lint *lint, const rk_source_function *function)
{
    known k = { .names = { { .count = 0 } } };
    const rk_source_declaration *d = function->declaration;
    if (d != NULL && d->kind == RK_DECLARES_HANDLER)
        rk_name_add(&k.names[MESSAGE], rk_scan_argument(&lint->scan, d, 2));
    if (d != NULL && (d->kind == RK_DECLARES_HANDLER || d->kind == RK_DECLARES_BATCH_HANDLER))
        rk_name_add(&k.names[GLOBAL], rk_scan_argument(&lint->scan, d, 4));
    if (d != NULL && rk_declares_hook(d)) rk_name_add(&k.names[GLOBAL], rk_scan_argument(&lint->scan, d, 2));
    if (d != NULL && d->kind == RK_DECLARES_MERGE)
        rk_name_add(&k.names[GLOBAL], rk_scan_argument(&lint->scan, d, 3));
    for (size_t i = function->open; i < function->end; i++) {
        for (size_t space = 0; space < SPACES; space++) {
            if (is(lint, i, spaces[space])) add_pointers(lint, i, function->end, &k.names[space]);
        }
        if (is(lint, i, "RK_SHARED") && is(lint, i + 1, "(")) {
            size_t comma = i;
            while (!is(lint, comma, ",") && comma < function->end) comma++;
            rk_name_add(&k.names[LOCAL], text(lint, comma + 1));
        }
    }
    return k;
}

/* The address space of the memory that an expression points to, if it plainly does: name, name->member…,
 * &name[…]…, RK_AT(…), after any cast. NULL: not seen. A member that is neither the end nor an address is
 * a value. */
static const char *space_of(const rk_lint *lint, const known *k, size_t first, size_t end)
{
    while (first < end && is(lint, first, "(")) { /* a cast, or brackets around it all */
        size_t close = rk_tokens_match(&lint->scan.tokens, first);
        if (close + 1 >= end) {
            end = close;
            first++;
        } else {
            first = close + 1;
        }
    }
    bool address = first < end && is(lint, first, "&");
    if (address) first++;
    if (first >= end || !is_name(lint, first)) return NULL;
    if (is(lint, first, "RK_AT")) return "RK_MSG";
    /* p, p + 1 and p->array point; p[1] and *p are values. */
    if (!address && is(lint, end - 1, "]")) return NULL;
    if (is(lint, first + 1, "(")) return NULL;
    for (size_t space = 0; space < SPACES; space++)
        if (rk_name_has(&k->names[space], text(lint, first))) return spaces[space];
    return NULL;
}

/* `T *name` at a token, with or without const: the index of the name, or 0. */
static size_t plain_pointer(const rk_lint *lint, size_t at)
{
    while (is(lint, at, "const") || is(lint, at, "volatile") || is(lint, at, "struct")) at++;
    if (!is_name(lint, at) || is(lint, at, "return") || is(lint, at, "rk_context") || is(lint, at, "else"))
        return 0;
    if (is_space(lint, at)) return 0;
    at++;
    while (is(lint, at, "const")) at++;
    if (!is(lint, at, "*")) return 0;
    at++;
    while (is(lint, at, "const") || is(lint, at, "RK_RESTRICT")) at++;
    return at;
}

static void remedy(rk_finding *finding, const char *space)
{
    rk_finding_remedy(
        finding,
        "write %s before the type: OpenCL C takes a pointer without it as one to the thread's own memory",
        space);
}

/* What a plain pointer is given by the expression at a token. */
static void check_given(rk_lint *lint, const rk_source_function *function, const known *k, size_t name,
                        size_t first)
{
    if (is(lint, first, "(") && plain_pointer(lint, first + 1) != 0) return; /* the cast is reported */
    const char *space = space_of(lint, k, first, statement_end(lint, first, function->end));
    if (space == NULL) return;
    rk_finding *finding = rk_lint_report(lint, lint->scan.tokens.token[name].line, rule,
                                         "'%.*s' has no address space and is given memory that is %s",
                                         RK_SHOWN(text(lint, name)), space);
    remedy(finding, space);
}

static void check_variables(rk_lint *lint, const rk_source_function *function, const known *k)
{
    rk_name_set plain = { .count = 0 };
    for (size_t i = function->body; i + 1 < function->end; i++) {
        if (opens_members(lint, i)) i = rk_tokens_match(&lint->scan.tokens, i);
        bool begins = is(lint, i, ";") || is(lint, i, "{") || is(lint, i, "}") ||
                      (is(lint, i, "(") && is(lint, i - 1, "for"));
        size_t at = begins ? behind_plain_type(lint, i + 1) : 0;
        while (at != 0 && at < function->end) {
            bool is_pointer;
            size_t name = next_declarator(lint, &at, function->end, &is_pointer);
            if (name == 0) break;
            if (!is_pointer) continue;
            rk_name_add(&plain, text(lint, name));
            if (is(lint, name + 1, "=")) check_given(lint, function, k, name, name + 2);
        }
        if (!is_name(lint, i) || !is(lint, i + 1, "=")) continue;
        bool is_member = is(lint, i - 1, ".") || is(lint, i - 1, "->");
        /* Behind these it is a declarator, which was looked at, or `*p = …`, which stores a value. */
        bool is_other = is(lint, i - 1, "*") || is(lint, i - 1, "const") || is(lint, i - 1, "RK_RESTRICT");
        size_t members = is_member ? members_around(lint, function, i) : 0;
        bool is_plain = is_member ? members != 0 && is_plain_member(lint, members, text(lint, i))
                                  : rk_name_has(&plain, text(lint, i)) && !is_other;
        if (is_plain) check_given(lint, function, k, i, i + 2);
    }
}

static void check_casts(rk_lint *lint, const rk_source_function *function, const known *k)
{
    for (size_t i = function->body; i < function->end; i++) {
        if (!is(lint, i, "(")) continue;
        size_t close = plain_pointer(lint, i + 1);
        if (close == 0 || !is(lint, close, ")")) continue;
        /* What is cast is one operand: up to the next sign that can't belong to it. */
        size_t end = close + 1;
        if (is(lint, end, "&")) end++;
        while (is_name(lint, end) || is(lint, end, "->") || is(lint, end, ".") || is(lint, end, "["))
            end = is(lint, end, "[") ? rk_tokens_match(&lint->scan.tokens, end) + 1 : end + 1;
        const char *space = space_of(lint, k, close + 1, end);
        if (space == NULL) continue;
        rk_finding *finding = rk_lint_report(
            lint, lint->scan.tokens.token[i].line, rule, "a cast to '%.*s' of memory that is %s",
            RK_SHOWN(rk_tokens_text(&lint->scan.tokens, i + 1, close)), space);
        remedy(finding, space);
    }
}

/* Parameter number `wanted` of a function, if it is a plain pointer: the token of its name, or 0. */
static size_t plain_parameter(const rk_lint *lint, const rk_source_function *function, rk_u32 wanted)
{
    size_t at = function->open + 1;
    for (rk_u32 i = 0; i < wanted; i++) {
        at = statement_end(lint, at, function->close);
        if (at >= function->close) return 0;
        at++;
    }
    size_t name = plain_pointer(lint, at);
    return name != 0 && is_name(lint, name) ? name : 0;
}

static bool was_reported(const rk_lint *lint, rk_u32 line, rk_slice name)
{
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "'%.*s'", RK_SHOWN(name));
    for (rk_u32 i = 0; i < lint->findings->count; i++) {
        const rk_finding *finding = &lint->findings->finding[i];
        if (finding->line == line && finding->rule == rule && strstr(finding->text, quoted) != NULL)
            return true;
    }
    return false;
}

static void check_calls(rk_lint *lint, const rk_source_function *function, const known *k)
{
    for (size_t i = function->body; i < function->end; i++) {
        const rk_source_function *called = rk_called_function(&lint->scan, &lint->functions, i);
        if (called == NULL) continue;
        size_t close = rk_tokens_match(&lint->scan.tokens, i + 1);
        size_t first = i + 2;
        for (rk_u32 argument = 0; first < close; argument++) {
            size_t end = statement_end(lint, first, close);
            const char *space = space_of(lint, k, first, end);
            size_t name = space != NULL ? plain_parameter(lint, called, argument) : 0;
            rk_u32 line = lint->scan.tokens.token[name].line;
            if (name != 0 && !was_reported(lint, line, text(lint, name))) {
                rk_finding *finding =
                    rk_lint_report(lint, line, rule,
                                   "parameter '%.*s' of '%.*s' has no address space; line %u gives it "
                                   "memory that is %s",
                                   RK_SHOWN(text(lint, name)), RK_SHOWN(called->name),
                                   lint->scan.tokens.token[i].line, space);
                remedy(finding, space);
            }
            first = end + 1;
        }
    }
}

void rk_lint_pointers(rk_lint *lint)
{
    for (rk_u32 f = 0; f < lint->functions.count; f++) {
        const rk_source_function *function = &lint->functions.function[f];
        known k = learn(lint, function);
        check_variables(lint, function, &k);
        check_casts(lint, function, &k);
        check_calls(lint, function, &k);
    }
}
