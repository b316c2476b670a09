/* Errors on standard error, and memory: each in one way for the whole command. */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t error_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*clear_hook)(void);

void command_error_lock(void) { pthread_mutex_lock(&error_lock); }
void command_error_unlock(void) { pthread_mutex_unlock(&error_lock); }

void command_error_hook(void (*clear)(void))
{
    pthread_mutex_lock(&error_lock);
    clear_hook = clear;
    pthread_mutex_unlock(&error_lock);
}

void command_error_clear(void)
{
    if (clear_hook) clear_hook();
}

/* Of input that is no text a message shows bytes that would mean something to a terminal. */
static void mask_controls(char *text)
{
    for (char *c = text; *c; c++)
        if ((*(unsigned char *)c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f) *c = '?';
}

static void write_error(char *text)
{
    mask_controls(text);
    pthread_mutex_lock(&error_lock);
    command_error_clear();
    fprintf(stderr, "rk: %s\n", text);
    fflush(stderr);
    pthread_mutex_unlock(&error_lock);
}

void command_error(const char *format, ...)
{
    va_list arguments;
    char *text;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) abort();
    va_end(arguments);
    write_error(text);
    free(text);
}

void command_refuse_empty(const struct argp_state *state, const char *what, const char *name)
{
    if (!*name) argp_error(state, "%s is '': a name is needed", what);
}

int command_end(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    command_error("standard output: %s", errno ? strerror(errno) : "what was written to it is not there");
    return RK_EXIT_IO;
}

char *command_under(const char *what, const char *text)
{
    size_t lines = 1;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    char *all = command_allocate(strlen(what) + strlen(text) + lines * 5 + 1);
    char *to = stpcpy(all, what);
    for (const char *line = text; *line;) {
        size_t size = strcspn(line, "\n");
        to = stpcpy(to, "\n    ");
        to = mempcpy(to, line, size);
        *to = 0;
        line += size + (line[size] == '\n');
    }
    return all;
}

void command_error_text(const char *what, const char *text)
{
    char *all = command_under(what, text);
    write_error(all);
    free(all);
}

void *command_allocate(size_t size) { return command_resize(NULL, size); }

void *command_resize(void *memory, size_t size)
{
    void *resized = realloc(memory, size ? size : 1);
    if (resized) return resized;
    fputs("rk: out of memory\n", stderr);
    exit(RK_EXIT_IO);
}

char *command_copy(const char *text) { return strcpy(command_allocate(strlen(text) + 1), text); }

char *command_print(const char *format, ...)
{
    va_list arguments;
    char *text;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) {
        fputs("rk: out of memory\n", stderr);
        exit(RK_EXIT_IO);
    }
    va_end(arguments);
    return text;
}

static bool is_plain(const char *path)
{
    for (; *path; path++) {
        bool is_letter = (*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z');
        bool is_of_utf8 = (unsigned char)*path >= 0x80;
        if (!is_letter && !is_of_utf8 && !strchr("0123456789/._-+,:@%=", *path)) return false;
    }
    return true;
}

char *command_word(const char *path)
{
    const char *front = *path == '-' ? "./" : ""; /* not an option */
    if (*path && is_plain(path)) return command_print("%s%s", front, path);
    char *word = command_allocate(strlen(front) + 4 * strlen(path) + 3), *at = word;
    *at++ = '\'';
    at = stpcpy(at, front);
    for (; *path; path++)
        if (*path == '\'')
            at = stpcpy(at, "'\\''"); /* quotes end, one for itself, they begin again */
        else
            *at++ = *path;
    *at++ = '\'';
    *at = 0;
    return word;
}

json_t *command_json_text(const char *text)
{
    json_t *json = json_string(text);
    if (json) return json;
    char *ascii = command_copy(text);
    for (char *c = ascii; *c; c++)
        if (*c & 0x80) *c = '?';
    json = json_string(ascii);
    free(ascii);
    return json;
}
