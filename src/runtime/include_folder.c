#include "include_folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

static int has_headers(const char *folder)
{
    char header[4200];
    return *folder &&
           snprintf(header, sizeof header, "%s/ringkernel/kernel.h", folder) < (int)sizeof header &&
           access(header, R_OK) == 0;
}

/* "" when the program's own place isn't known. */
static void beside_program(char *folder, size_t size)
{
    ssize_t used = readlink("/proc/self/exe", folder, size - sizeof "/../include");
    folder[used > 0 ? used : 0] = 0;
    char *slash = strrchr(folder, '/');
    if (slash) strcpy(slash, "/../include");
}

rk_status rk_include_folder(char *folder, size_t size)
{
    char program[4096];
    beside_program(program, sizeof program);
    const char *const places[] = { program, RK_BUILD_INCLUDE_DIR, RK_INSTALL_INCLUDE_DIR };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!has_headers(places[i])) continue;
        if (snprintf(folder, size, "%s", places[i]) < (int)size) return RK_OK;
        return rk_error(RK_LIMIT, "the folder of ringkernel's headers has too long a name: '%s'", places[i]);
    }
    return rk_error(
        RK_IO, "the headers of ringkernel are not found: none of '%s', '%s' and '%s' has ringkernel/kernel.h",
        program, RK_BUILD_INCLUDE_DIR, RK_INSTALL_INCLUDE_DIR);
}
