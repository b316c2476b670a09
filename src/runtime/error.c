#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_ROOM 16384 /* a compiler's message can be long; what is over is cut and says so */

typedef struct error_stack {
    size_t used;
    char text[ERROR_ROOM];
} error_stack;

static __thread error_stack errors;

void rk_error_begin(void)
{
    errors.used = 0;
    errors.text[0] = 0;
}

static void push(const char *indent, const char *format, va_list arguments)
{
    static const char cut[] = " […]\n";
    size_t room = ERROR_ROOM - sizeof cut;
    if (errors.used >= room) return;
    int n = snprintf(errors.text + errors.used, room - errors.used, "%s", indent);
    errors.used += (size_t)n;
    if (errors.used < room) {
        n = vsnprintf(errors.text + errors.used, room - errors.used, format, arguments);
        errors.used += (size_t)(n < 0 ? 0 : n);
    }
    if (errors.used >= room) {
        memcpy(errors.text + room - 1, cut, sizeof cut);
        errors.used = room + sizeof cut;
        return;
    }
    errors.text[errors.used++] = '\n';
    errors.text[errors.used] = 0;
}

rk_status rk_error(rk_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    push("", format, arguments);
    va_end(arguments);
    return status;
}

void rk_error_detail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    push("    ", format, arguments);
    va_end(arguments);
}

const char *rk_error_text(void) { return errors.text; }

void rk_die(rk_status status, const char *call, const char *file, int line)
{
    fprintf(stderr, "rk: %s:%d: %s: %s: %s\n", file, line, call, rk_status_name(status),
            rk_status_text(status));
    for (const char *at = errors.text; *at;) {
        size_t n = strcspn(at, "\n");
        fprintf(stderr, "    %.*s\n", (int)n, at);
        at += n + (at[n] == '\n');
    }
    exit(EXIT_FAILURE);
}
