/* Files are compared by device and number, so that other names, links and redirections are seen through. */
#include "apart.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "runtime/include_folder.h"
#include "runtime/unit_digest.h"

static bool is_standard(const char *path) { return strcmp(path, "-") == 0; }

/* False: there is no regular file. */
static bool look(const char *path, struct stat *info)
{
    return (is_standard(path) ? fstat(STDOUT_FILENO, info) : stat(path, info)) == 0 && S_ISREG(info->st_mode);
}

static const char *name_of(const char *path) { return is_standard(path) ? "standard output" : path; }

static bool are_one(const char *a, const char *b)
{
    struct stat one, other;
    return look(a, &one) && look(b, &other) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool files_are_apart(const char *written, const char *read)
{
    if (!are_one(written, read)) return true;
    command_error("%s: is read, too: writing it would destroy it", name_of(written));
    return false;
}

typedef struct search {
    const char *written;
    bool found;
} search;

static void look_at_header(void *user, const char *path)
{
    search *s = user;
    s->found = s->found || are_one(s->written, path);
}

static bool are_not_included(const char *written, const char *unit, const char *include)
{
    struct stat info;
    search s = { .written = written };
    if (!look(written, &info)) return true;
    rk_unit_files(unit, include, look_at_header, &s);
    if (s.found)
        command_error("%s: is included by a kernel source: writing it would destroy it", name_of(written));
    return !s.found;
}

#define NOWHERE "/nonexistent"

bool headers_are_apart(const char *written, const char *unit)
{
    char include[4096];
    return are_not_included(written, unit,
                            rk_include_folder(include, sizeof include) == RK_OK ? include : NOWHERE);
}

/* The source of a kernel, and the headers that it includes, but for the library's, which no job has its files among. */
static bool source_is_apart(const char *written, const char *source)
{
    char *unit = command_print("#include \"%s\"\n", source);
    bool fine = files_are_apart(written, source) && are_not_included(written, unit, NOWHERE);
    free(unit);
    return fine;
}

static bool is_not_read(const job *j, const char *path)
{
    struct stat info;
    const app_file *file = j->app.file;
    if (!path || !look(path, &info)) return true;
    if (source_is(j->from, info.st_dev, info.st_ino)) {
        command_error("%s: is the input: writing it would destroy what is being read", name_of(path));
        return false;
    }
    if (is_standard(path)) return true; /* the shell has opened, and emptied, it before we came */
    bool fine = files_are_apart(path, j->app.path);
    for (rk_u32 i = 0; i <= file->kernels_count && fine; i++) {
        const char *name = i < file->kernels_count ? file->kernels[i].source : file->messages;
        char *source = name ? app_path(&j->app, name) : NULL;
        fine = !source || source_is_apart(path, source);
        free(source);
    }
    return fine;
}

bool outputs_are_apart(const job *j, const char *output)
{
    const struct {
        const char *path, *what;
    } written[] = { { j->dead_letters, "the dead letters" },
                    { j->summary, "the summary" },
                    { output, "the output" },
                    { j->json && output && !is_standard(output) ? "-" : NULL, "the summary of --json" } };
    const size_t count = sizeof written / sizeof *written;
    for (size_t i = 0; i < count; i++) {
        if (!is_not_read(j, written[i].path)) return false;
        for (size_t k = 0; k < i; k++) {
            const char *a = written[k].path, *b = written[i].path;
            if (!a || !b || (is_standard(a) && is_standard(b)) || !are_one(a, b)) continue;
            command_error("%s: can't hold %s and %s: give each a file of its own", name_of(b),
                          written[k].what, written[i].what);
            return false;
        }
    }
    return true;
}

/* In the folder itself, however it is named; it need not be there. */
static bool is_in(const char *folder, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *above = slash ? command_print("%.*s", (int)(slash - path) + 1, path) : command_copy(".");
    struct stat one, other;
    const bool same = stat(above, &one) == 0 && stat(folder, &other) == 0 && one.st_dev == other.st_dev &&
                      one.st_ino == other.st_ino;
    free(above);
    return same;
}

bool checkpoints_are_apart(const job *j, const char *folder, const char *output)
{
    static const char *const own[] = { "data.mdb", "lock.mdb", "lock", "letters" };
    const char *const given[] = { j->dead_letters, j->summary, output, source_name(j->from) };
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        if (!given[i] || is_standard(given[i]) || !is_in(folder, given[i])) continue;
        const char *slash = strrchr(given[i], '/'), *name = slash ? slash + 1 : given[i];
        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            if (strcmp(name, own[k]) == 0) {
                command_error("%s: is a file of the checkpoints in %s: give it another name or folder",
                              given[i], folder);
                return false;
            }
    }
    return true;
}
