/* What a kernel can't do because it isn't a host program: call the C library, call by pointer, loop for ever.
 *
 * For the compiler of the CPU a kernel source is ordinary C, so there all of it compiles, and a machine
 * without another compiler would never say so. */
#include <string.h>

#include "codegen/lint_rule.h"

/* Functions of the C library that no device has, and what a handler does instead. */
static const struct {
    const char *remedy;
    const char *names[32];
} families[] = {
    { "keep it in the state, in RK_SHARED, or in a variable with a size; what is large travels as a message",
      { "malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "posix_memalign", "valloc",
        "memalign", "strdup", "strndup", "free", "alloca", "mmap", "munmap" } },
    { "use rk_log, rk_log1 or rk_log2",
      { "printf", "fprintf", "sprintf", "snprintf", "vprintf", "vfprintf", "vsprintf", "vsnprintf", "dprintf",
        "puts", "fputs", "putchar", "putc", "fputc", "perror", "syslog" } },
    { "leave files to the host: receive what is in them as messages, and send what is to be written",
      { "fopen", "fdopen",  "freopen", "fclose", "fflush", "fread",  "fwrite", "fgets", "fgetc",
        "getc",  "getchar", "gets",    "scanf",  "fscanf", "sscanf", "fseek",  "ftell", "open",
        "close", "read",    "write",   "lseek",  "ioctl",  "remove", "rename" } },
    { "return: what waits is a message",
      { "sleep", "usleep", "nanosleep", "clock_nanosleep", "sched_yield", "poll", "select", "pthread_create",
        "pthread_join", "pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_wait" } },
    { "refuse the message by rk_fail(RK_ARG, reason), and return",
      { "exit", "_exit", "abort", "raise", "longjmp", "setjmp", "system", "getenv", "signal" } },
};

static bool is(const rk_lint *lint, size_t token, const char *spelling)
{
    return rk_token_is(&lint->scan.tokens.token[token], spelling);
}

static bool is_one_of(const rk_lint *lint, size_t token, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && names[i] != NULL; i++)
        if (is(lint, token, names[i])) return true;
    return false;
}

/* A function of that name in this very file is the kernel's own. */
static bool is_own(const rk_lint *lint, size_t token)
{
    return rk_called_function(&lint->scan, &lint->functions, token) != NULL;
}

static void check_call(rk_lint *lint, size_t token)
{
    const rk_token *name = &lint->scan.tokens.token[token];
    if (!rk_is_plain_name(&lint->scan.tokens, token) || !is(lint, token + 1, "(")) return;
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        if (!is_one_of(lint, token, families[f].names, sizeof(families[f].names) / sizeof(char *))) continue;
        if (is_own(lint, token)) return;
        rk_finding *finding = rk_lint_report(lint, name->line, "host-call",
                                             "'%.*s' is a function of the host", RK_SHOWN(name->slice));
        rk_finding_remedy(finding, "%s", families[f].remedy);
    }
}

/* `(*name)(` declares or calls, `(*)(` casts. `if (*name) (` does neither. */
static void check_pointer(rk_lint *lint, size_t open)
{
    static const char *const before[] = { "if", "while", "switch", "for", "sizeof", NULL };
    if (!is(lint, open, "(") || !is(lint, open + 1, "*")) return;
    if (open > 0 && is_one_of(lint, open - 1, before, sizeof(before) / sizeof(before[0]))) return;
    size_t at = open + 2;
    const rk_token *name = &lint->scan.tokens.token[at];
    bool named = name->kind == RK_TOKEN_NAME && !is(lint, at, "const");
    while (lint->scan.tokens.token[at].kind == RK_TOKEN_NAME) at++;
    if (is(lint, at, "[")) at = rk_tokens_match(&lint->scan.tokens, at) + 1;
    if (at >= lint->scan.tokens.count || !is(lint, at, ")") || !is(lint, at + 1, "(")) return;
    rk_finding *finding = named ? rk_lint_report(lint, name->line, "function-pointer",
                                                 "'%.*s' is a pointer to a function", RK_SHOWN(name->slice))
                                : rk_lint_report(lint, lint->scan.tokens.token[open].line, "function-pointer",
                                                 "a cast to a pointer to a function");
    rk_finding_remedy(finding, "write a switch: OpenCL C has no function pointers, and dispatch between "
                               "kernels is by message type or route");
}

/* Where the body of a loop ends, from its first token on. */
static size_t body_end(const rk_lint *lint, size_t body)
{
    if (is(lint, body, "{")) return rk_tokens_match(&lint->scan.tokens, body);
    while (body < lint->scan.tokens.count && !is(lint, body, ";")) body++;
    return body;
}

/* while (1), while (true), for (…;;…), with nothing in the body that leaves it. */
static void check_loop(rk_lint *lint, size_t token)
{
    static const char *const leaves[] = { "break", "return", "goto" };
    if (!(is(lint, token, "while") || is(lint, token, "for")) || !is(lint, token + 1, "(")) return;
    size_t close = rk_tokens_match(&lint->scan.tokens, token + 1);
    if (close == lint->scan.tokens.count) return;
    bool always = close == token + 3 && (is(lint, token + 2, "1") || is(lint, token + 2, "true"));
    if (is(lint, token, "for"))
        for (size_t i = token + 2; i + 1 < close; i++) always |= is(lint, i, ";") && is(lint, i + 1, ";");
    /* The end of `do { … } while (1);` is told by its semicolon: its body lies before. */
    size_t body = close + 1, end = body_end(lint, body);
    if (is(lint, token, "while") && is(lint, body, ";") && token > 0 && is(lint, token - 1, "}")) {
        end = token;
        body = token - 1;
        for (rk_u32 depth = 0; body > 0; body--) {
            if (is(lint, body, "}")) depth++;
            if (is(lint, body, "{") && --depth == 0) break;
        }
    }
    if (!always) return;
    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
        if (rk_range_has(&lint->scan.tokens, body, end, leaves[i])) return;
    rk_finding *finding = rk_lint_report(lint, lint->scan.tokens.token[token].line, "endless-loop",
                                         "this loop never ends, and nothing else of the shard is handled");
    rk_finding_remedy(finding,
                      "return: the library owns the loop, and what is left to do is sent as a message");
}

void rk_lint_host(rk_lint *lint)
{
    for (size_t i = 0; i < lint->scan.tokens.count; i++) check_pointer(lint, i);
    for (rk_u32 f = 0; f < lint->functions.count; f++)
        for (size_t i = lint->functions.function[f].body; i < lint->functions.function[f].end; i++) {
            check_call(lint, i);
            check_loop(lint, i);
        }
}
