/* Loading of files: compile and open outside of any lock, since a compile takes seconds, then take the module
 * in under the control lock. Whoever comes second with the same file finds it taken in. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"
#include "under_way.h"

struct rk_loaded {
    struct rk_loaded *next;
    char *path;
    void *library;
};

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* With the control lock held. */
static int is_loaded(const rk_runtime *runtime, const char *path)
{
    for (const struct rk_loaded *l = runtime->loaded; l; l = l->next)
        if (strcmp(l->path, path) == 0) return 1;
    return 0;
}

static void forget_loaded(struct rk_loaded *loaded)
{
    if (!loaded) return;
    if (loaded->library) dlclose(loaded->library);
    free(loaded->path);
    free(loaded);
}

/* Where a module lies: dlopen looks elsewhere for a name without a slash. malloc'ed. */
static rk_status find_module(const char *path, char **binary)
{
    *binary = realpath(path, 0);
    return *binary ? RK_OK : rk_error(RK_IO, "can't find '%s': %s", path, strerror(errno));
}

/* Compile if need be, and open: what takes its time, and needs nothing of the runtime but its options. */
static rk_status open_module(const rk_runtime *runtime, const char *path, struct rk_loaded **opened,
                             const rk_module **module)
{
    char *binary = 0;
    rk_status status =
        ends_with(path, ".so") ? find_module(path, &binary) : rk_module_compile(runtime, path, &binary);
    if (status != RK_OK) return status;
    struct rk_loaded *loaded = calloc(1, sizeof *loaded);
    if (loaded) loaded->path = strdup(path);
    if (!loaded || !loaded->path) {
        status = rk_error(RK_OUT_OF_MEMORY, "no memory to load '%s'", path);
    } else if (!(loaded->library = dlopen(binary, RTLD_NOW | RTLD_LOCAL))) {
        status = rk_error(RK_IO, "can't load '%s': %s", path, dlerror());
    } else if (!(*module = dlsym(loaded->library, "rk_module_table"))) {
        status =
            rk_error(RK_INCOMPATIBLE, "'%s' exports no rk_module_table: it is not a kernel module", path);
    }
    free(binary);
    if (status == RK_OK)
        *opened = loaded;
    else
        forget_loaded(loaded);
    return status;
}

static rk_status load(rk_runtime *runtime, const char *path)
{
    struct rk_loaded *opened = 0;
    const rk_module *module = 0;
    pthread_mutex_lock(&runtime->control);
    int known = is_loaded(runtime, path);
    pthread_mutex_unlock(&runtime->control);
    if (known) return RK_OK;
    rk_status status = open_module(runtime, path, &opened, &module);
    if (status == RK_OK) status = rk_runtime_check(runtime, "rk_load"); /* still open? */
    if (status == RK_OK) {
        pthread_mutex_lock(&runtime->control);
        if (!is_loaded(runtime, path)) { /* another thread may have been faster */
            status = rk_module_take(runtime, module, path);
            if (status == RK_OK) {
                opened->next = runtime->loaded;
                runtime->loaded = opened;
                opened = 0;
            }
        }
        pthread_mutex_unlock(&runtime->control);
    }
    forget_loaded(opened);
    return status;
}

/* ------------------------------------------------------------------ load and close */

rk_status rk_load(rk_runtime *runtime, const char *path)
{
    rk_under_way me;
    rk_status status = rk_under_way_begin(&me, runtime, "rk_load");
    if (status != RK_OK) return status;
    if (path && *path)
        status = load(runtime, path);
    else
        status = rk_error(RK_INVALID_ARGUMENT, "rk_load: path is null or empty");
    rk_under_way_end(&me);
    return status;
}

void rk_loads_close(rk_runtime *runtime)
{
    while (runtime->loaded) {
        struct rk_loaded *next = runtime->loaded->next;
        forget_loaded(runtime->loaded);
        runtime->loaded = next;
    }
}
