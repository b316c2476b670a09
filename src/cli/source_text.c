#include "source_text.h"

#include <errno.h>
#include <fcntl.h>
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
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer isn't waited for */
    FILE *file = opened < 0 ? NULL : fdopen(opened, "rb");
    bool fine = file && fstat(fileno(file), &info) == 0;
    if (!fine) {
        command_error("%s: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode) || info.st_size > LARGEST) {
        command_error("%s: is %s, not a kernel source", path,
                      S_ISDIR(info.st_mode)    ? "a folder"
                      : !S_ISREG(info.st_mode) ? "no regular file"
                                               : "over 16 MiB");
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
