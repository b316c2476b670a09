/* From an app to kernels that run. What the library refuses is told at the place in the app file that it is
 * about. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_schema.h"
#include "command.h"
#include "interrupt.h"
#include "job.h"
#include "ringkernel/device/handler.h"
#include "ringkernel/text.h"

/* Notes what the library refused, with all its causes. */
static void note(job *j, const app_node *at, const char *what, rk_status status)
{
    char *line = command_print("%s: %s", what, rk_status_name(status));
    char *all = command_under(line, rk_error_text());
    app_mistake(&j->mistakes, at, "%s", all);
    free(all);
    free(line);
}

static void forward_log(void *user, const rk_log_record *record)
{
    static const char *const levels[] = { "debug", "info", "warning", "error" };
    const job *j = user;
    if (record->level < RK_WARNING && !j->verbose && !isatty(STDERR_FILENO)) return; /* quiet in a pipe */
    command_error("%s%s%s: %s", record->kernel_name, record->kernel_name[0] ? ": " : "",
                  levels[record->level < 4 ? record->level : 3], record->text);
}

/* The row of a letter is in the id of its message, which the source set and rk_forward keeps. A new message
 * of a handler has no id, or one that isn't marked as a row's. */
static rk_u64 row_of(const rk_dead_letter *dead)
{
    return dead->id & JOB_ROW_ID ? dead->id & ~JOB_ROW_ID : LETTERS_NO_ROW;
}

static void take_letter(void *user, const rk_dead_letter *dead)
{
    const job_kernel *kernel = user;
    job *j = kernel->job;
    letter one = { .row = row_of(dead),
                   .reason = dead->reason,
                   .kernel = kernel->number + 1,
                   .shard = dead->shard,
                   .type = dead->type,
                   .size = dead->length,
                   .body = dead->payload };
    letters_add(j->letters, &one);
}

/* Is it the source of a kernel before this one? Then it was compiled, or told, with that one. */
static bool is_known_source(const app_file *file, rk_u32 i)
{
    for (rk_u32 k = 0; k < i; k++)
        if (strcmp(file->kernels[k].source, file->kernels[i].source) == 0) return true;
    return false;
}

/* All of them, so that all that don't compile are told. */
static int load_sources(job *j)
{
    const app_file *file = j->app.file;
    int code = RK_EXIT_OK;
    for (rk_u32 i = 0; i < file->kernels_count && !interrupt_asked(); i++) {
        if (is_known_source(file, i)) continue;
        char *path = app_path(&j->app, file->kernels[i].source);
        rk_status status = rk_load(j->runtime, path);
        if (status != RK_OK) {
            char *what = command_print("kernel '%s': %s", file->kernels[i].name, path);
            note(j, app_kernel_place(&j->app, i, "source"), what, status);
            free(what);
            if (code == RK_EXIT_OK) code = status == RK_IO ? RK_EXIT_IO : RK_EXIT_KERNEL;
        }
        free(path);
    }
    return code == RK_EXIT_OK && interrupt_asked() ? RK_EXIT_INTERRUPTED : code;
}

/* ------------------------------------------------------------------ what only the compiled kernels tell */

static bool has_name(const char *const *names, rk_u32 count, const char *name)
{
    for (rk_u32 i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static char *join(const char *const *names, rk_u32 count)
{
    char *all = command_copy(count ? "" : "none");
    for (rk_u32 i = 0; i < count; i++) {
        char *longer = command_print("%s%s%s", all, i == 0 ? "" : i + 1 == count ? " and " : ", ", names[i]);
        free(all);
        all = longer;
    }
    return all;
}

/* Parameters that the kernel doesn't have are noted, and left out of the options: those are looked at, too. */
static bool check_params(job *j, rk_u32 i, const rk_kernel_description *is, rk_launch_options *options,
                         rk_parameter *parameters)
{
    const app_kernel *kernel = &j->app.file->kernels[i];
    rk_u32 known = 0;
    for (rk_u32 p = 0; p < kernel->params_count; p++) {
        const char *name = kernel->params[p].name;
        const app_node *at = app_mapping_value(app_kernel_place(&j->app, i, NULL), "params")->item[p];
        if (has_name(is->parameters, is->parameter_count, name)) {
            parameters[known++] = parameters[p];
            continue;
        }
        char *valid = join(is->parameters, is->parameter_count);
        char *others = at->line ? NULL : app_schema_no_option(name); /* --set may have meant one */
        app_mistake(&j->mistakes, at, "kernel '%s' declares no parameter '%s': declared are %s%s%s",
                    kernel->name, name, valid, others ? "; " : "", others ? others : "");
        free(others);
        free(valid);
    }
    options->parameter_count = known;
    return known == kernel->params_count;
}

/* A route that the kernel declares and the app doesn't mention would lead to the host and be taken for
 * something else. */
static bool check_named_routes(job *j, rk_u32 i, const rk_kernel_description *is)
{
    const app_file *file = j->app.file;
    bool fine = true;
    for (rk_u32 n = 0; n < is->route_count; n++) {
        bool found = false;
        for (rk_u32 r = 0; r < file->routes_count; r++)
            found |= strcmp(file->routes[r].from, file->kernels[i].name) == 0 && file->routes[r].route &&
                     strcmp(file->routes[r].route, is->routes[n]) == 0;
        for (rk_u32 t = 0; t < file->topics_count; t++)
            found |= strcmp(file->topics[t].from, file->kernels[i].name) == 0 && file->topics[t].route &&
                     strcmp(file->topics[t].route, is->routes[n]) == 0;
        if (found) continue;
        app_mistake(&j->mistakes, app_kernel_place(&j->app, i, NULL),
                    "route '%s' of kernel '%s' leads nowhere: add '- %s -> NAME: { route: %s }'",
                    is->routes[n], file->kernels[i].name, file->kernels[i].name, is->routes[n]);
        fine = false;
    }
    return fine;
}

/* The message type of the rows: the one that the first kernel handles, or the one that the route names. */
static bool find_row_type(job *j, const rk_kernel_description *is)
{
    const app_route *route = &j->app.file->routes[j->first_route];
    const char *names[16];
    for (rk_u32 t = 0; t < is->handles_count; t++) names[t] = is->handles[t]->name;
    for (rk_u32 t = 0; t < is->handles_count; t++)
        if (is->handles_count == 1 ? !route->message || strcmp(route->message, names[t]) == 0
                                   : route->message && strcmp(route->message, names[t]) == 0)
            j->schema = is->handles[t];
    if (j->schema) return true;
    const app_node *at = app_route_place(&j->app, j->first_route);
    char *valid = join(names, is->handles_count);
    if (route->message)
        app_mistake(&j->mistakes, app_mapping_value(at, "message"),
                    "kernel '%s' has no handler for '%s': valid are %s", route->to, route->message, valid);
    else
        app_mistake(&j->mistakes, at,
                    "kernel '%s' handles several message types: say which one rows are, '- input -> "
                    "%s: { message: NAME }', of %s",
                    route->to, route->to, valid);
    free(valid);
    return false;
}

static bool is_key(const rk_field *field)
{
    return field->count == 1 && field->kind != RK_KIND_F32 && field->kind != RK_KIND_F64;
}

/* The key of the rows' route; those of other routes are looked at by the library. */
static bool check_row_key(job *j)
{
    const app_route *route = &j->app.file->routes[j->first_route];
    const rk_field *key = route->key ? rk_schema_field(j->schema, route->key) : NULL;
    if (!route->key || (key && is_key(key))) return true;
    const char **names = command_allocate(j->schema->field_count * sizeof *names);
    rk_u32 count = 0;
    for (rk_u32 f = 0; f < j->schema->field_count; f++)
        if (is_key(&j->schema->fields[f])) names[count++] = j->schema->fields[f].name;
    char *valid = join(names, count);
    app_mistake(&j->mistakes, app_mapping_value(app_route_place(&j->app, j->first_route), "key"),
                "route '%s -> %s': '%s' is no integer field of '%s': valid are %s", route->from, route->to,
                route->key, j->schema->name, valid);
    free(valid);
    free(names);
    return false;
}

/* A shard, or an actor, that is always the target is one that the kernel has. */
static bool check_target(job *j, const app_route *route, const app_node *at)
{
    rk_kernel_info info;
    const rk_u32 to = app_find_kernel(j->app.file, route->to);
    if (!route->target || rk_kernel_information(j->runtime, j->kernels[to].handle, &info) != RK_OK)
        return true;
    const rk_u32 count = info.actors ? info.actors : info.shards;
    if (*route->target < count) return true;
    app_mistake(&j->mistakes, app_mapping_value(at, "target"),
                "'%s -> %s': 'target' is %u: kernel '%s' has %s 0 to %u", route->from, route->to,
                *route->target, route->to, info.actors ? "actors" : "shards", count - 1);
    return false;
}

/* ------------------------------------------------------------------ launch */

/* Where the value of a parameter is said. */
static const app_node *param_place(const job *j, rk_u32 i, const char *name)
{
    const app_node *kernel = app_kernel_place(&j->app, i, NULL), *list = app_mapping_value(kernel, "params");
    for (size_t p = 0; list && p < list->count; p++)
        if (strcmp(app_mapping_value(list->item[p], "name")->text, name) == 0)
            return app_mapping_value(list->item[p], "value");
    return kernel;
}

/* Where in the file that is said which a line of the library's causes is about. */
static const app_node *cause_place(const job *j, rk_u32 i, const char *line)
{
    static const char no_kernel[] = "there is no kernel", of_kernel[] = "kernel '";
    char name[64];
    if (sscanf(line, "parameter '%63[^']'", name) == 1) return param_place(j, i, name);
    if (strncmp(line, no_kernel, sizeof no_kernel - 1) == 0) return app_kernel_place(&j->app, i, "kernel");
    if (strncmp(line, of_kernel, sizeof of_kernel - 1) == 0 || sscanf(line, "%63[a-z_]", name) != 1 ||
        !app_schema_key_of(name))
        return app_kernel_place(&j->app, i, NULL);
    return app_kernel_place(&j->app, i, app_schema_key_of(name));
}

/* Each refused option is told at its own place in the file. */
static void note_options(job *j, rk_u32 i)
{
    static const char head[] = "invalid launch options", end[] = "launch of ";
    const char *name = j->app.file->kernels[i].name;
    for (const char *line = rk_error_text(); *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *cause = line + strspn(line, " ");
        if (strncmp(cause, head, sizeof head - 1) == 0 || strncmp(cause, end, sizeof end - 1) == 0) continue;
        app_mistake(&j->mistakes, cause_place(j, i, cause), "kernel '%s': %s\n    %.*s", name,
                    rk_status_name(RK_INVALID_OPTIONS), (int)strcspn(cause, "\n"), cause);
    }
}

static void note_launch(job *j, rk_u32 i, rk_status status)
{
    const size_t before = j->mistakes.count;
    if (status == RK_INVALID_OPTIONS) note_options(j, i);
    if (j->mistakes.count > before) return;
    const app_node *kernel = app_kernel_place(&j->app, i, NULL), *at = kernel;
    for (const char *line = rk_error_text(); *line && at == kernel;
         line += strcspn(line, "\n"), line += *line == '\n')
        at = cause_place(j, i, line + strspn(line, " "));
    char *what = command_print("kernel '%s'", j->app.file->kernels[i].name);
    note(j, at, what, status);
    free(what);
}

/* Do messages carry their row's number through all kernels, not only to the first? For dead letters, and
 * where a window looks at it: whether a row is taken for a duplicate must not depend on whether letters are
 * written. */
static bool ids_are_wanted(const job *j)
{
    bool wanted = j->dead_letters != NULL;
    for (rk_u32 i = 0; i < j->app.file->kernels_count && !wanted; i++) {
        rk_parameter *parameters =
            command_allocate(j->app.file->kernels[i].params_count * sizeof *parameters);
        wanted = app_options(&j->app, i, parameters).deduplication_window != 0;
        free(parameters);
    }
    return wanted;
}

/* Does a kernel get the dead letters of another? They tell who refused them in long headers. */
static bool takes_letters(const job *j, rk_u32 i)
{
    for (rk_u32 r = 0; r < j->app.file->routes_count; r++)
        if (app_is_of_letters(&j->app.file->routes[r]) &&
            strcmp(j->app.file->routes[r].to, j->app.file->kernels[i].name) == 0)
            return true;
    return false;
}

/* Does a kernel reply to others? The shard that asks, and what its own number for that is, stand in long headers. */
bool job_replies(const job *j)
{
    bool sent = false;
    for (rk_u32 i = 0; i < j->app.file->kernels_count && !sent; i++) {
        const app_kernel *kernel = &j->app.file->kernels[i];
        rk_kernel_description is;
        sent = rk_describe_named(j->runtime, kernel->kernel ? kernel->kernel : kernel->name, &is) == RK_OK &&
               is.replies;
    }
    return sent;
}

static rk_launch_options options_of_kernel(job *j, rk_u32 i, rk_parameter *parameters)
{
    rk_launch_options options = app_options(&j->app, i, parameters);
    options.on_dead_letter = take_letter;
    options.dead_letter_user = &j->kernels[i];
    if (i == j->first || takes_letters(j, i) || ids_are_wanted(j) || job_replies(j))
        options.requests = 1; /* for long headers: they carry the row's number */
    const bool plain = !options.deduplication_window && !options.priority &&
                       options.backpressure != RK_BACKPRESSURE_DROP_OLDEST;
    if (i == j->first && plain) options.single_producer = 1; /* the source is one thread */
    return options;
}

/* Whatever is wrong with a kernel's parameters, options and routes is noted; if anything is, it isn't
 * launched. */
static bool launch(job *j, rk_u32 i)
{
    const app_kernel *kernel = &j->app.file->kernels[i];
    rk_parameter *parameters = command_allocate(kernel->params_count * sizeof *parameters);
    rk_launch_options options = options_of_kernel(j, i, parameters);
    rk_kernel_description is;
    rk_memory_estimate estimate;
    rk_status status = rk_describe_named(j->runtime, options.kernel_name, &is);
    bool fine = true;
    if (status == RK_OK) {
        fine = check_params(j, i, &is, &options, parameters);
        fine = check_named_routes(j, i, &is) && fine;
        if (i == j->first) fine = find_row_type(j, &is) && check_row_key(j) && fine;
    }
    status = fine ? rk_launch(j->runtime, kernel->name, &options, &j->kernels[i].handle)
                  : rk_estimate(j->runtime, kernel->name, &options, &estimate);
    j->kernels[i].launched = fine && status == RK_OK;
    if (status != RK_OK) note_launch(j, i, status);
    free(parameters);
    return j->kernels[i].launched;
}

static rk_route_options options_of(const app_route *route)
{
    return (rk_route_options){ RK_ROUTE_OPTIONS,
                               .mode = route->key      ? RK_ROUTE_KEY
                                       : route->target ? RK_ROUTE_FIXED
                                                       : route->mode,
                               .target = route->target ? *route->target : 0, .key_field = route->key,
                               .message = route->message };
}

/* What the library says of a route or a topic is about one of its keys, or about the whole of it. */
static const app_node *refusal_place(const app_node *route, rk_status status)
{
    const char *key = status == RK_NO_SUCH_ROUTE                         ? "route"
                      : status == RK_UNKNOWN_TYPE                        ? "message"
                      : strstr(rk_error_text(), "integer field") != NULL ? "key"
                                                                         : NULL;
    const app_node *at = key ? app_mapping_value(route, key) : NULL;
    return at ? at : route;
}

static bool connect(job *j, rk_u32 r)
{
    const app_route *route = &j->app.file->routes[r];
    const app_node *at = app_route_place(&j->app, r);
    rk_u32 from = app_find_kernel(j->app.file, route->from), to = app_find_kernel(j->app.file, route->to);
    if (to == UINT32_MAX) {
        j->kernels[from].to_output = true;
        return true;
    }
    if (!check_target(j, route, at)) return false;
    if (from == UINT32_MAX) return true; /* the input: feed_run sends there */
    rk_route_options options = options_of(route);
    j->kernels[from].letters_elsewhere |= app_is_of_letters(route);
    rk_status status =
        rk_connect(j->runtime, j->kernels[from].handle, route->route, j->kernels[to].handle, &options);
    if (status == RK_OK) return true;
    char *what = command_print("route '%s -> %s'", route->from, route->to);
    note(j, refusal_place(at, status), what, status);
    free(what);
    return false;
}

static bool add_topic(job *j, rk_u32 t)
{
    const app_file *file = j->app.file;
    const app_route *line = &file->topics[t];
    const app_node *at = app_topic_place(&j->app, t);
    rk_status status;
    if (app_publishes(file, t)) {
        rk_kernel from = j->kernels[app_find_kernel(file, line->from)].handle;
        status = rk_topic_publish(j->topics, line->to, from, line->route);
    } else {
        if (!check_target(j, line, at)) return false;
        rk_route_options options = options_of(line);
        rk_kernel to = j->kernels[app_find_kernel(file, line->to)].handle;
        status = rk_topic_subscribe(j->topics, line->from, to, &options);
    }
    if (status == RK_OK) return true;
    char *what = command_print("topic '%s -> %s'", line->from, line->to);
    note(j, refusal_place(at, status), what, status);
    free(what);
    return false;
}

static bool connect_topics(job *j)
{
    bool fine = true;
    if (!j->app.file->topics_count) return true;
    rk_status status = rk_topics_open(j->runtime, &j->topics);
    for (rk_u32 t = 0; t < j->app.file->topics_count && status == RK_OK; t++) fine &= add_topic(j, t);
    if (!fine) return false;
    if (status == RK_OK) status = rk_topics_connect(j->topics, NULL);
    if (status == RK_OK) return true;
    note(j, app_mapping_value(j->app.tree, "topics"), "topics", status);
    return false;
}

/* Who a kernel's neighbours are is known once all routes are there. None has run, so nothing waits for it. */
static bool move_beside_neighbour(job *j, rk_u32 i)
{
    const app_kernel *kernel = &j->app.file->kernels[i];
    if (!kernel->beside_neighbour) return true;
    rk_parameter *parameters = command_allocate(kernel->params_count * sizeof *parameters);
    rk_launch_options options = options_of_kernel(j, i, parameters);
    options.device = RK_BESIDE_NEIGHBOUR;
    rk_status status = rk_relaunch(j->runtime, j->kernels[i].handle, &options, RK_SECONDS(30));
    free(parameters);
    if (status != RK_OK)
        note(j, app_kernel_place(&j->app, i, "beside_neighbour"), "beside_neighbour", status);
    return status == RK_OK;
}

/* Each step tells all that it finds wrong; the next is for kernels of which nothing is. */
static int launch_all(job *j)
{
    const app_file *file = j->app.file;
    int code = load_sources(j);
    if (code != RK_EXIT_OK) return code;
    bool fine = true;
    for (rk_u32 i = 0; i < file->kernels_count; i++) {
        j->kernels[i].job = j;
        j->kernels[i].number = i;
        fine = launch(j, i) && fine;
    }
    if (!fine) return RK_EXIT_KERNEL;
    for (rk_u32 r = 0; r < file->routes_count; r++) fine = connect(j, r) && fine;
    fine = connect_topics(j) && fine;
    for (rk_u32 i = 0; i < file->kernels_count && fine; i++) fine = move_beside_neighbour(j, i);
    return fine ? RK_EXIT_OK : RK_EXIT_KERNEL;
}

int job_launch(job *j)
{
    rk_runtime_options options = { RK_RUNTIME_OPTIONS,    .backend = j->backend,
                                   .workers = j->workers, .device_count = j->device_count,
                                   .devices = j->devices, .on_log = forward_log,
                                   .log_user = j };
    rk_status status = rk_open(&options, &j->runtime);
    if (status != RK_OK) {
        command_error_text(rk_status_name(status), rk_error_text());
        return status == RK_UNSUPPORTED || status == RK_INVALID_OPTIONS ? RK_EXIT_USAGE : RK_EXIT_KERNEL;
    }
    j->mistakes.file = j->app.path;
    int code = launch_all(j);
    app_mistakes_tell(&j->mistakes);
    return code;
}

int job_activate(job *j)
{
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        rk_status status = rk_activate(j->runtime, j->kernels[i].handle);
        if (status == RK_OK) continue;
        note(j, app_kernel_place(&j->app, i, NULL), "activate", status);
        app_mistakes_tell(&j->mistakes);
        return RK_EXIT_KERNEL;
    }
    return RK_EXIT_OK;
}
