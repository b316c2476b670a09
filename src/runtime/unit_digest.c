#include "unit_digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_folder.h"

/* More files than any unit has; a unit that has more is not cached. */
#define FILES_MAX 512u
#define PATH_ROOM 4096

typedef struct walk {
    const char *include;
    rk_digest *digest;
    rk_unit_visitor *visit; /* 0: the digest is all that is asked for */
    void *user;
    char *seen[FILES_MAX]; /* paths */
    unsigned count;
} walk;

/* A line that ends in a backslash goes on in the next. */
static void join_lines(char *text)
{
    char *from = strchr(text, '\\'), *to = from;
    while (from) {
        const size_t skip = from[1] == '\n' ? 2 : from[1] == '\r' && from[2] == '\n' ? 3 : 0;
        if (!skip) *to++ = *from++;
        from += skip;
        char *next = strchr(from, '\\');
        const size_t length = next ? (size_t)(next - from) : strlen(from) + 1; /* with the end */
        memmove(to, from, length);
        to += length;
        from = next;
    }
}

static const char *skip_blanks(const char *at)
{
    for (;;) {
        const char *end = at[0] == '/' && at[1] == '*' ? strstr(at + 2, "*/") : 0;
        if (end)
            at = end + 2;
        else if (*at == ' ' || *at == '\t')
            at++;
        else
            return at;
    }
}

static int starts(const char *at, const char *with)
{
    while (*with && *at == *with) at++, with++;
    return !*with;
}

/* What stands after the next "# include", wherever in a line that is, or NULL; *sign is where it begins. */
static const char *next_include(const char *at, const char **sign)
{
    for (; (at = strpbrk(at, "#%?")); at++) {
        const size_t length = *at == '#' ? 1 : starts(at, "%:") ? 2 : starts(at, "\?\?=") ? 3 : 0;
        const char *word = skip_blanks(at + length);
        *sign = at;
        if (length && starts(word, "include")) return word + 7;
    }
    return 0;
}

/* Can a directive begin here? Not behind other text, unless that may be a comment that ends. */
static int begins_line(const char *text, const char *sign)
{
    const char *line = sign;
    while (line > text && line[-1] != '\n') line--;
    if (skip_blanks(line) == sign) return 1;
    for (; line < sign; line++)
        if (line[0] == '*' && line[1] == '/') return 1;
    return 0;
}

static int add_text(walk *w, const char *folder, char *text);

/* The path of a file, the folder's part without links and dots, so that one file has one. 0: not there. */
static int path_of(const char *folder, const char *name, char path[PATH_ROOM])
{
    char spelled[PATH_ROOM], real[PATH_ROOM];
    int n = name[0] == '/' ? snprintf(spelled, sizeof spelled, "%s", name)
                           : snprintf(spelled, sizeof spelled, "%s/%s", folder, name);
    if (n >= (int)sizeof spelled) return 0;
    char *slash = strrchr(spelled, '/');
    *slash = 0;
    if (!realpath(*spelled ? spelled : "/", real)) return 0;
    return snprintf(path, PATH_ROOM, "%s/%s", real, slash + 1) < PATH_ROOM;
}

/* 1: there and added, now or before; 0: not there; -1: it can't be told. */
static int add_file(walk *w, const char *folder, const char *name)
{
    char path[PATH_ROOM];
    size_t size;
    if (!path_of(folder, name, path)) return 0;
    for (unsigned i = 0; i < w->count; i++)
        if (strcmp(w->seen[i], path) == 0) return 1;
    char *text = rk_cache_read(path, &size), *kept = text ? strdup(path) : 0;
    int result = !text ? 0 : !kept || w->count == FILES_MAX || strlen(text) != size ? -1 : 1;
    if (result == 1) {
        w->seen[w->count++] = kept;
        kept = 0;
        if (w->visit) w->visit(w->user, path);
        *strrchr(path, '/') = 0;
        rk_digest_text(w->digest, name);
        result = add_text(w, path, text) == 0 ? 1 : -1;
    }
    free(text);
    free(kept);
    return result;
}

/* A file that isn't there was not compiled either: its name tells when it comes to be there. */
static int add_include(walk *w, const char *folder, const char *at)
{
    char name[PATH_ROOM], open = *at++;
    size_t size = strcspn(at, open == '"' ? "\"\n" : ">\n");
    if (size >= sizeof name) return -1;
    memcpy(name, at, size);
    name[size] = 0;
    int added = open == '"' ? add_file(w, folder, name) : 0;
    if (added == 0) added = add_file(w, w->include, name);
    if (added == 0) rk_digest_text(w->digest, name);
    return added < 0 ? -1 : 0;
}

static int add_text(walk *w, const char *folder, char *text)
{
    const char *sign;
    rk_digest_text(w->digest, text);
    join_lines(text);
    for (const char *at = text; (at = next_include(at, &sign));) {
        const char *name = skip_blanks(at);
        if (*name == '"' || *name == '<') {
            if (add_include(w, folder, name)) return -1;
        } else if (!w->visit && begins_line(text, sign)) {
            return -1; /* a macro names the file, or it is the next of that name */
        }
    }
    return 0;
}

static int walk_unit(const char *unit, walk from)
{
    walk *w = calloc(1, sizeof *w);
    char *text = strdup(unit);
    int failed = -1;
    if (w && text) {
        *w = from;
        failed = add_text(w, ".", text);
    }
    for (unsigned i = 0; w && i < w->count; i++) free(w->seen[i]);
    free(w);
    free(text);
    return failed;
}

int rk_unit_digest(const char *unit, const char *include, rk_digest *digest)
{
    return walk_unit(unit, (walk){ .include = include, .digest = digest });
}

void rk_unit_files(const char *unit, const char *include, rk_unit_visitor *visit, void *user)
{
    rk_digest unused = RK_DIGEST_BEGIN;
    walk_unit(unit, (walk){ .include = include, .digest = &unused, .visit = visit, .user = user });
}
