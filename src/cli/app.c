/* Reads an app file, and checks what its names mean: kernels that are there, routes that lead somewhere. */
#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app_schema.h"
#include "app_shape.h"
#include "app_topics.h"
#include "command.h"
#include "interrupt.h"
#include "ringkernel/device/shard.h"
#include "ringkernel/runtime.h"

#define LARGEST_FILE (1u << 20)
#define LONGEST_NAME 63u /* of a kernel's id */
#define KEEP_MOST 1000u  /* checkpoints, as rk_checkpoint_options has it */

rk_u32 app_find_kernel(const app_file *file, const char *name)
{
    for (rk_u32 i = 0; i < file->kernels_count; i++)
        if (strcmp(file->kernels[i].name, name) == 0) return i;
    return UINT32_MAX;
}

const app_node *app_kernel_place(const app *app, rk_u32 i, const char *key)
{
    const app_node *kernel = app_mapping_value(app->tree, "kernels")->item[i];
    const app_node *place = key ? app_mapping_value(kernel, key) : NULL;
    return place ? place : kernel;
}

const app_node *app_route_place(const app *app, rk_u32 i)
{
    return app_mapping_value(app->tree, "routes")->item[i];
}

/* ------------------------------------------------------------------ what names mean */

static bool is_name(const char *text)
{
    bool fine = strlen(text) <= LONGEST_NAME && !(text[0] >= '0' && text[0] <= '9') && text[0] != '-';
    for (const char *c = text; *c && fine; c++)
        fine = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
               *c == '_' || *c == '-';
    return fine && text[0];
}

static void check_kernels(const app *app, app_mistakes *mistakes)
{
    for (rk_u32 i = 0; i < app->file->kernels_count; i++) {
        const char *name = app->file->kernels[i].name;
        const app_node *at = app_kernel_place(app, i, NULL);
        if (strcmp(name, "input") == 0 || strcmp(name, "output") == 0)
            app_mistake(mistakes, at, "a kernel can't be called '%s': routes mean the app's own by it", name);
        else if (!is_name(name))
            app_mistake(
                mistakes, at,
                "'%s' is no name of a kernel: letters, digits, _ and -, at most %u, no digit or - first",
                name, LONGEST_NAME);
        if (app->file->kernels[i].beside_neighbour && app_kernel_place(app, i, "device") != at)
            app_mistake(mistakes, app_kernel_place(app, i, "beside_neighbour"),
                        "kernel '%s' has a device of its own: leave 'device' or 'beside_neighbour' out",
                        name);
    }
}

/* Names that may stand on one side of a route, all of them or as many as help; the caller frees it. */
static char *valid_ends(const app_file *file, const char *own)
{
    char *all = command_copy(own);
    for (rk_u32 i = 0; i < file->kernels_count; i++) {
        const bool enough = i + 1 == APP_NAMES_MOST && i + 1 < file->kernels_count;
        char *longer = enough ? command_print("%s and %u more", all, file->kernels_count - i)
                              : command_print("%s%s%s", all, i + 1 == file->kernels_count ? " and " : ", ",
                                              file->kernels[i].name);
        free(all);
        all = longer;
        if (enough) break;
    }
    return all;
}

static void check_end(const app *app, rk_u32 i, const char *side, const char *name, const char *own,
                      rk_u32 kernel, app_mistakes *mistakes)
{
    if (strcmp(name, own) == 0 || kernel != UINT32_MAX) return;
    if (strcmp(name, APP_MISSING) == 0) return; /* which is told already */
    const app_node *at = app_mapping_value(app_route_place(app, i), side);
    const app_route *route = &app->file->routes[i];
    char *valid = valid_ends(app->file, own);
    app_mistake(mistakes, at, "route '%s -> %s' %s '%s', which isn't there: valid are %s", route->from,
                route->to, strcmp(side, "to") == 0 ? "leads to" : "comes from", name, valid);
    free(valid);
}

static bool same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static void find_kernels(const app_file *file, app_route *routes, rk_u32 count)
{
    for (rk_u32 i = 0; i < count; i++) {
        routes[i].from_kernel = app_find_kernel(file, routes[i].from);
        routes[i].to_kernel = app_find_kernel(file, routes[i].to);
    }
}

bool app_is_of_letters(const app_route *route)
{
    return route->route && strcmp(route->route, RK_DEAD_LETTERS) == 0;
}

static void check_letters(const app *app, rk_u32 i, app_mistakes *mistakes)
{
    const app_route *route = &app->file->routes[i];
    const app_node *at = app_mapping_value(app_route_place(app, i), "route");
    if (strcmp(route->to, "output") == 0)
        app_mistake(mistakes, at,
                    "dead letters are no output: without a route they are in --dead-letters FILE");
    if (app_mapping_value(app_route_place(app, i), "mode") && route->mode == RK_ROUTE_ALL)
        app_mistake(mistakes, app_mapping_value(app_route_place(app, i), "mode"),
                    "a dead letter goes to one shard: 'all' is for other routes");
    for (rk_u32 j = 0; j < i; j++)
        if (app_is_of_letters(&app->file->routes[j]) && strcmp(route->from, app->file->routes[j].from) == 0) {
            app_mistake(mistakes, at, "the dead letters of '%s' go to '%s' already, by line %u", route->from,
                        app->file->routes[j].to, app_route_place(app, j)->line);
            break;
        }
}

/* A route before route i that is the same, or comes from the input as well; UINT32_MAX: there is none. */
static rk_u32 find_before(const app_file *file, rk_u32 i, bool from_input)
{
    const app_route *route = &file->routes[i];
    for (rk_u32 j = 0; j < i; j++) {
        const app_route *other = &file->routes[j];
        if (route->from_kernel != other->from_kernel || (!from_input && route->to_kernel != other->to_kernel))
            continue;
        if (from_input ? strcmp(other->from, "input") == 0
                       : same(route->from, other->from) && same(route->to, other->to) &&
                             same(route->route, other->route) && same(route->message, other->message))
            return j;
    }
    return UINT32_MAX;
}

/* What a kernel sends goes to the output where no route takes it: beside a route to a kernel nothing would. */
static void check_output(const app *app, rk_u32 i, app_mistakes *mistakes)
{
    const app_route *route = &app->file->routes[i];
    for (rk_u32 k = 0; k < app->file->routes_count; k++) {
        const app_route *other = &app->file->routes[k];
        if (route->from_kernel != other->from_kernel || strcmp(other->from, "input") == 0 ||
            strcmp(other->to, "output") == 0 || other->message || !same(other->route, route->route))
            continue;
        app_mistake(
            mistakes, app_route_place(app, i),
            "route '%s -> output': all of it goes to '%s' (line %u), and the output gets no copies: let '%s' "
            "send them on, or send them on a named route",
            route->from, other->to, app_route_place(app, k)->line, other->to);
        return;
    }
}

static void check_route(const app *app, rk_u32 i, app_mistakes *mistakes)
{
    const app_route *route = &app->file->routes[i];
    const app_node *at = app_route_place(app, i);
    check_end(app, i, "from", route->from, "input", route->from_kernel, mistakes);
    check_end(app, i, "to", route->to, "output", route->to_kernel, mistakes);
    bool from_input = strcmp(route->from, "input") == 0, to_output = strcmp(route->to, "output") == 0;
    bool has_mode = app_mapping_value(at, "mode") != NULL;
    if (from_input && to_output) app_mistake(mistakes, at, "route 'input -> output' passes by every kernel");
    if ((route->key != NULL) + (route->target != NULL) + has_mode > 1)
        app_mistake(mistakes, at,
                    "route '%s -> %s' has more than one of 'key', 'mode' and 'target': each picks the shard",
                    route->from, route->to);
    if (to_output && (route->key || route->target || has_mode || route->message))
        app_mistake(
            mistakes, at,
            "route '%s -> output': 'key', 'mode', 'target' and 'message' are for kernels, not for the output",
            route->from);
    if (to_output && !from_input && route->from_kernel != UINT32_MAX) check_output(app, i, mistakes);
    if (from_input && route->route)
        app_mistake(mistakes, app_mapping_value(at, "route"), "the input has no named routes");
    else if (app_is_of_letters(route))
        check_letters(app, i, mistakes);
    const rk_u32 first = find_before(app->file, i, from_input);
    if (first == UINT32_MAX) return;
    if (from_input)
        app_mistake(mistakes, at,
                    "a second route from the input (the first is on line %u): let '%s' send copies on",
                    app_route_place(app, first)->line, app->file->routes[first].to);
    else
        app_mistake(mistakes, at, "route '%s -> %s' is here twice; the first is on line %u", route->from,
                    route->to, app_route_place(app, first)->line);
}

/* The kernels that messages come to, in the order in which they are found. */
typedef struct reach {
    bool *reached;
    rk_u32 *list;
    rk_u32 count;
} reach;

static void reach_kernel(reach *r, rk_u32 kernel)
{
    if (kernel == UINT32_MAX || r->reached[kernel]) return;
    r->reached[kernel] = true;
    r->list[r->count++] = kernel;
}

/* What kernel `from` sends to; for UINT32_MAX the input. */
static void reach_from(reach *r, const app_file *file, rk_u32 from)
{
    for (rk_u32 i = 0; i < file->routes_count; i++)
        if (file->routes[i].from_kernel == from &&
            (from != UINT32_MAX || strcmp(file->routes[i].from, "input") == 0))
            reach_kernel(r, file->routes[i].to_kernel);
    for (rk_u32 p = 0; p < file->topics_count; p++)
        for (rk_u32 s = 0; s < file->topics_count && file->topics[p].from_kernel == from; s++)
            if (app_topic_leads(file, p, s)) reach_kernel(r, file->topics[s].to_kernel);
}

/* Every kernel gets messages: from the input, or from one that does. */
static void check_reach(const app *app, app_mistakes *mistakes)
{
    const app_file *file = app->file;
    reach r = { .reached = command_allocate(file->kernels_count * sizeof *r.reached),
                .list = command_allocate(file->kernels_count * sizeof *r.list) };
    memset(r.reached, 0, file->kernels_count * sizeof *r.reached);
    reach_from(&r, file, UINT32_MAX);
    if (r.count == 0)
        app_mistake(mistakes, app_mapping_value(app->tree, "routes"),
                    "no route comes from the input: add '- input -> %s'", file->kernels[0].name);
    for (rk_u32 i = 0; i < r.count; i++) reach_from(&r, file, r.list[i]);
    for (rk_u32 i = 0; i < file->kernels_count && r.count; i++)
        if (!r.reached[i])
            app_mistake(mistakes, app_kernel_place(app, i, NULL),
                        "kernel '%s' gets no messages: no route or topic leads to it", file->kernels[i].name);
    free(r.reached);
    free(r.list);
}

static void check_checkpoints(const app *app, app_mistakes *mistakes)
{
    const app_node *at = app_mapping_value(app->tree, "checkpoints");
    const app_node *keep = at ? app_mapping_value(at, "keep") : NULL;
    if (app->file->checkpoints.keep > KEEP_MOST || (keep && !app->file->checkpoints.keep))
        app_mistake(mistakes, keep, "'checkpoints': 'keep' is %u: it must be from 1 to %u",
                    app->file->checkpoints.keep, KEEP_MOST);
}

bool app_restores(const app *app)
{
    const app_node *at = app_mapping_value(app->tree, "checkpoints");
    return !at || !app_mapping_value(at, "restore") || app->file->checkpoints.restore;
}

/* ------------------------------------------------------------------ reading */

bool app_parse(const char *text, size_t size, const char *path, char *const *sets, size_t set_count,
               app *result, app_mistakes *mistakes)
{
    *result = (app){ 0 };
    app_node *tree = app_tree_parse(text, size, mistakes);
    if (!tree) return false;
    if (app_shape(tree, mistakes)) {
        for (size_t i = 0; i < set_count; i++) app_shape_set(tree, sets[i], mistakes);
        if (app_schema_check(tree, mistakes)) result->file = app_schema_load(tree, mistakes);
    }
    result->tree = tree;
    if (result->file) {
        find_kernels(result->file, result->file->routes, result->file->routes_count);
        find_kernels(result->file, result->file->topics, result->file->topics_count);
        check_kernels(result, mistakes);
        check_checkpoints(result, mistakes);
        for (rk_u32 i = 0; i < result->file->routes_count; i++) check_route(result, i, mistakes);
        app_topics_check(result, mistakes);
        if (mistakes->count == 0) check_reach(result, mistakes);
    }
    const char *slash = strrchr(path, '/');
    result->path = command_copy(path);
    result->folder = slash ? command_copy(path) : command_copy(".");
    if (slash) result->folder[slash == path ? 1 : slash - path] = 0;
    if (mistakes->count == 0) return true;
    app_close(result);
    return false;
}

/* As read, but a pipe is waited for no longer than until Ctrl-C: then it is EINTR. */
static ssize_t read_some(int file, bool regular, char *to, size_t room)
{
    for (;;) {
        bool timed_out, readable = regular || interrupt_wait_readable(file, -1, &timed_out);
        ssize_t got = readable ? read(file, to, room) : -1;
        if (!readable) errno = EINTR;
        if (got >= 0 || interrupt_asked() || (errno != EAGAIN && errno != EINTR)) return got;
    }
}

/* The whole file; NULL: mistakes says why. The caller frees it. */
static char *read_file(const char *path, size_t *size, app_mistakes *mistakes)
{
    int file =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer is waited for below */
    struct stat info;
    char *text = NULL;
    *size = 0;
    if (file < 0 || fstat(file, &info) < 0) {
        app_mistake(mistakes, NULL, "%s", strerror(errno));
    } else if (S_ISDIR(info.st_mode)) {
        app_mistake(mistakes, NULL, "is a folder: name the app file in it, %s/app.yaml", path);
    } else {
        text = command_allocate(LARGEST_FILE + 1);
        for (ssize_t got = 1; got > 0 && *size <= LARGEST_FILE; *size += (size_t)(got > 0 ? got : 0))
            if ((got = read_some(file, S_ISREG(info.st_mode), text + *size, LARGEST_FILE + 1 - *size)) < 0)
                app_mistake(mistakes, NULL, "%s",
                            errno == EINTR ? "interrupted before all of the app file was read"
                                           : strerror(errno));
        if (*size > LARGEST_FILE) app_mistake(mistakes, NULL, "is over 1 MiB: that is no app file");
    }
    if (file >= 0) close(file);
    if (mistakes->count == 0) return text;
    free(text);
    return NULL;
}

char *app_path(const app *app, const char *file)
{
    bool is_whole = file[0] == '/' || strcmp(file, "-") == 0 || strcmp(app->folder, ".") == 0;
    return is_whole ? command_copy(file) : command_print("%s/%s", app->folder, file);
}

/* Files that the app names are there: a mistake of the app file, found before anything starts. */
static void check_file(const app *app, const char *file, const app_node *at, const char *what,
                       app_mistakes *mistakes)
{
    char *path = app_path(app, file);
    struct stat info;
    if (stat(path, &info) < 0)
        app_mistake(mistakes, at, "%s '%s': %s", what, path, strerror(errno));
    else if (S_ISDIR(info.st_mode))
        app_mistake(mistakes, at, "%s '%s' is a folder", what, path);
    else if (!S_ISREG(info.st_mode))
        app_mistake(mistakes, at, "%s '%s' is no regular file", what, path);
    free(path);
}

bool app_read(const char *path, char *const *sets, size_t set_count, app *result, app_mistakes *mistakes)
{
    size_t size;
    *result = (app){ 0 };
    mistakes->file = path;
    char *text = read_file(path, &size, mistakes);
    bool fine = text && app_parse(text, size, path, sets, set_count, result, mistakes);
    free(text);
    if (!fine) return false;
    for (rk_u32 i = 0; i < result->file->kernels_count; i++)
        check_file(result, result->file->kernels[i].source, app_kernel_place(result, i, "source"), "source",
                   mistakes);
    if (result->file->messages)
        check_file(result, result->file->messages, app_mapping_value(result->tree, "messages"), "messages",
                   mistakes);
    if (mistakes->count == 0) return true;
    app_close(result);
    return false;
}

void app_close(app *app)
{
    if (app->file) app_schema_free(app->file);
    app_tree_free(app->tree);
    free(app->path);
    free(app->folder);
    *app = (struct app){ 0 };
}

/* ------------------------------------------------------------------ options */

rk_launch_options app_options(const app *app, rk_u32 i, rk_parameter *parameters)
{
    const app_kernel *kernel = &app->file->kernels[i];
    rk_launch_options options = kernel->preset == APP_LOW_LATENCY       ? rk_low_latency()
                                : kernel->preset == APP_HIGH_THROUGHPUT ? rk_high_throughput()
                                                                        : rk_production();
    const app_node *tree = app_kernel_place(app, i, NULL);
    /* Rows are numbered, so none is a duplicate: without a preset that says otherwise the window is off. */
    if (!app_mapping_value(tree, "preset")) options.deduplication_window = 0;
    app_schema_apply(tree, kernel, &options);
    for (rk_u32 p = 0; p < kernel->params_count; p++)
        parameters[p] = (rk_parameter){ .name = kernel->params[p].name, .value = kernel->params[p].value };
    options.kernel_name = kernel->kernel ? kernel->kernel : kernel->name;
    options.parameters = kernel->params_count ? parameters : NULL;
    options.parameter_count = kernel->params_count;
    return options;
}
