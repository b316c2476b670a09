#include "init_made.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

typedef struct made {
    char *path;
    bool is_folder;
} made;

static made *all;
static size_t count;

static void add(const char *path, bool is_folder)
{
    all = command_resize(all, (count + 1) * sizeof *all);
    all[count++] = (made){ .path = command_copy(path), .is_folder = is_folder };
}

void init_made_file(const char *path) { add(path, false); }

bool init_make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0) {
        add(path, true);
        return true;
    }
    if (errno == EEXIST) return true;
    command_error("%s: %s", path, strerror(errno));
    return false;
}

void init_made_undo(void)
{
    for (size_t i = count; i-- > 0;)
        if ((all[i].is_folder ? rmdir(all[i].path) : unlink(all[i].path)) < 0 && errno != ENOENT)
            command_error("%s: can't be taken away again: %s", all[i].path, strerror(errno));
}

void init_made_print(void)
{
    for (size_t i = 0; i < count; i++)
        if (!all[i].is_folder) puts(all[i].path);
}

json_t *init_made_json(void)
{
    json_t *files = json_array();
    for (size_t i = 0; i < count; i++)
        if (!all[i].is_folder) json_array_append_new(files, command_json_text(all[i].path));
    return files;
}

void init_made_forget(void)
{
    for (size_t i = 0; i < count; i++) free(all[i].path);
    free(all);
    all = NULL;
    count = 0;
}
