#include "init_examples.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "init_made.h"
#include "writer.h"

#define PIECE 65536u

/* ------------------------------------------------------------------ where they are */

/* "" when the program's own place isn't known. */
static void beside_program(char *folder, size_t size)
{
    static const char behind[] = "/../share/ringkernel/examples";
    ssize_t used = readlink("/proc/self/exe", folder, size - sizeof behind);
    folder[used > 0 ? used : 0] = 0;
    char *slash = strrchr(folder, '/');
    if (slash) strcpy(slash, behind);
}

/* The first of the places that is a folder; the caller frees it. NULL: none is. */
static char *find_folder(void)
{
    char program[4096];
    struct stat is;
    beside_program(program, sizeof program);
    const char *const places[] = { program, RK_BUILD_EXAMPLES_DIR, RK_INSTALL_EXAMPLES_DIR };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (stat(places[i], &is) == 0 && S_ISDIR(is.st_mode)) return command_copy(places[i]);
    return NULL;
}

static bool has(const char *folder, const char *name)
{
    char *path = command_print("%s/%s", folder, name);
    bool there = access(path, R_OK) == 0;
    free(path);
    return there;
}

bool init_example_is_program(const char *example) { return has(example, "CMakeLists.txt"); }

static char *example_in(const char *folder, const char *name)
{
    char *example = command_print("%s/%s", folder, name);
    if (has(example, "app.yaml") || init_example_is_program(example)) return example;
    free(example);
    return NULL;
}

char *init_example_find(const char *name)
{
    char *folder = strchr(name, '/') || name[0] == '.' ? NULL : find_folder();
    char *found = folder ? example_in(folder, name) : NULL;
    free(folder);
    return found;
}

/* Not hidden, and nothing that Python leaves behind. */
static int is_ours(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "__pycache__") != 0;
}

char *init_example_names(void)
{
    struct dirent **entries = NULL;
    char *folder = find_folder(), *all = command_copy("");
    int count = folder ? scandir(folder, &entries, is_ours, alphasort) : 0;
    for (int i = 0; i < count; i++) {
        char *found = example_in(folder, entries[i]->d_name);
        if (found) {
            char *longer = command_print("%s%s%s", all, *all ? ", " : "", entries[i]->d_name);
            free(all);
            all = longer;
        }
        free(found);
        free(entries[i]);
    }
    free(entries);
    free(folder);
    return all;
}

/* ------------------------------------------------------------------ files */

static bool say_no(const char *path)
{
    command_error("%s: %s", path, strerror(errno));
    return false;
}

static bool copy_bytes(const char *from, writer *out)
{
    int file = open(from, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : 1;
    while (got > 0) {
        got = read(file, writer_room(out, PIECE), PIECE);
        if (got > 0) writer_took(out, (size_t)got);
    }
    if (got < 0) say_no(from);
    if (file >= 0) close(file);
    return got == 0;
}

/* Scripts can be run as before. */
static bool copy_file(const char *from, const char *to, mode_t mode)
{
    writer out;
    bool read = false, fine = writer_open(&out, to);
    if (fine) {
        init_made_file(to);
        read = copy_bytes(from, &out);
        fine = writer_close(&out);
    }
    if (!fine) {
        char *error = writer_error(&out);
        command_error("%s", error);
        free(error);
        return false;
    }
    if ((mode & S_IXUSR) && chmod(to, 0755) < 0) return say_no(to);
    return read;
}

/* ------------------------------------------------------------------ the walk */

typedef bool visit_function(const char *from, const char *to, mode_t mode);

static bool look(const char *from, const char *to, mode_t mode)
{
    struct stat is;
    (void)from;
    if (stat(to, &is) < 0 || (S_ISDIR(mode) && S_ISDIR(is.st_mode))) return true;
    command_error("%s is there already%s: nothing was written", to, S_ISDIR(mode) ? ", and no folder" : "");
    return false;
}

static bool copy(const char *from, const char *to, mode_t mode)
{
    return S_ISDIR(mode) ? init_make_folder(to) : copy_file(from, to, mode);
}

/* Each file and folder below `from`, in the order of their names, with its place below `to`. */
static bool walk(const char *from, const char *to, visit_function *visit)
{
    struct dirent **entries;
    int count = scandir(from, &entries, is_ours, alphasort);
    bool fine = count >= 0 || say_no(from);
    for (int i = 0; i < count; i++) {
        char *source = command_print("%s/%s", from, entries[i]->d_name);
        char *target = command_print("%s/%s", to, entries[i]->d_name);
        struct stat is;
        fine = fine && (stat(source, &is) == 0 || say_no(source)) && visit(source, target, is.st_mode) &&
               (!S_ISDIR(is.st_mode) || walk(source, target, visit));
        free(source);
        free(target);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return fine;
}

static bool visit_all(const char *from, const char *to, visit_function *visit)
{
    if (!walk(from, to, visit)) return false;
    if (!init_example_is_program(from)) return true;
    char *shared = command_print("%s/../host.h", from), *target = command_print("%s/host.h", to);
    bool fine = visit(shared, target, S_IFREG);
    free(shared);
    free(target);
    return fine;
}

bool init_example_fits(const char *from, const char *to) { return visit_all(from, to, look); }
bool init_example_copy(const char *from, const char *to) { return visit_all(from, to, copy); }
