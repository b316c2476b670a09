#include "source_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

#define LARGEST (16u << 20)

bool source_text_read(source_text *source, const char *path)
{
    struct stat info;
    *source = (source_text){ 0 };
    FILE *file = fopen(path, "rb");
    bool fine = file && fstat(fileno(file), &info) == 0;
    if (!fine) {
        command_error("%s: %s", path, strerror(errno));
    } else if (S_ISDIR(info.st_mode) || info.st_size > LARGEST) {
        command_error("%s: is %s, not a kernel source", path,
                      S_ISDIR(info.st_mode) ? "a folder" : "over 16 MiB");
        fine = false;
    } else {
        source->text = command_allocate((size_t)info.st_size + 1);
        source->size = fread(source->text, 1, (size_t)info.st_size, file);
        source->text[source->size] = 0;
        source->full_path = realpath(path, NULL);
        fine = !ferror(file) && source->full_path;
        if (!fine) command_error("%s: %s", path, strerror(errno));
    }
    if (file) fclose(file);
    if (!fine) source_text_free(source);
    return fine;
}

void source_text_free(source_text *source)
{
    free(source->text);
    free(source->full_path);
    *source = (source_text){ 0 };
}

static bool has_headers(const char *folder)
{
    char *path = command_print("%s/ringkernel/kernel.h", folder);
    bool there = access(path, R_OK) == 0;
    free(path);
    return there;
}

const char *source_include_folder(void)
{
    static char folder[4096];
    ssize_t size = readlink("/proc/self/exe", folder, sizeof folder - 32);
    if (size > 0) {
        folder[size] = 0;
        char *slash = strrchr(folder, '/');
        strcpy(slash ? slash : folder, "/../include");
        if (has_headers(folder)) return folder;
    }
    /* This very file lies in src/cli of the tree that the program was built from. */
    snprintf(folder, sizeof folder, "%s", __FILE__);
    char *slash = strrchr(folder, '/');
    snprintf(slash ? slash : folder, sizeof folder - (size_t)((slash ? slash : folder) - folder),
             "/../../include");
    return has_headers(folder) ? folder : NULL;
}
