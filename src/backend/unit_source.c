#include "unit_source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../codegen/render.h"
#include "../runtime/cache_folder.h"

static rk_status with_head(const char *head, char **unit)
{
    size_t size = strlen(head) + strlen(*unit) + 1;
    char *whole = malloc(size);
    if (whole) snprintf(whole, size, "%s%s", head, *unit);
    free(*unit);
    *unit = whole;
    return whole ? RK_OK : rk_error(RK_OUT_OF_MEMORY, "no memory for a unit");
}

rk_status rk_unit_source(const rk_class *class, const char *backend, const char *head, char **unit)
{
    const char *path = class->handlers[0]->file;
    char whole[PATH_MAX];
    size_t size = 0;
    rk_source_error error = { .line = 0 };
    char *text = realpath(path, whole) ? rk_cache_read(whole, &size) : 0;
    if (!text)
        return rk_error(
            RK_IO,
            "kernel '%s': its source '%s' is needed to compile it for the device and can't be read: %s",
            class->name, path, strerror(errno));
    rk_render_options options = {
        .backend = backend, .path = whole, .kernel = class->name, .text = text, .size = size
    };
    rk_status status = rk_render_unit(&options, unit, &error);
    if (status != RK_OK) status = rk_error(status, "%s:%u: %s", whole, error.line, error.text);
    free(text);
    return status == RK_OK ? with_head(head, unit) : status;
}
