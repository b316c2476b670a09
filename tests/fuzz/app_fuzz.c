/* Fuzz target of the app file. Any text is either an app or has mistakes, each with a place; an app means the
 * same when it is read again; what it names is there. A first line "#set KERNEL.NAME=VALUE" is put over the
 * rest. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/app.h"

static void require(bool holds)
{
    if (!holds) abort();
}

static void check_mistakes(const app_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++) {
        const char *text = mistakes->found[i].text;
        require(strncmp(text, "app.yaml:", 9) == 0 || strncmp(text, "--set: ", 7) == 0);
        require((mistakes->found[i].line == 0) == (mistakes->found[i].column == 0));
    }
}

static void check_app(const app *app)
{
    const app_file *file = app->file;
    require(file->kernels_count > 0 && file->routes_count > 0 && file->app != NULL);
    for (rk_u32 i = 0; i < file->kernels_count; i++) {
        rk_parameter *parameters = calloc(file->kernels[i].params_count + 1, sizeof *parameters);
        rk_launch_options options = app_options(app, i, parameters);
        require(options.kernel_name != NULL && options.parameter_count == file->kernels[i].params_count);
        require(app_find_kernel(file, file->kernels[i].name) == i);
        require(app_kernel_place(app, i, "source") != NULL);
        free(parameters);
    }
    for (rk_u32 i = 0; i < file->routes_count; i++) {
        const app_route *route = &file->routes[i];
        require(strcmp(route->from, "input") == 0 || app_find_kernel(file, route->from) != UINT32_MAX);
        require(strcmp(route->to, "output") == 0 || app_find_kernel(file, route->to) != UINT32_MAX);
        require(app_route_place(app, i) != NULL);
    }
    for (rk_u32 i = 0; i < file->topics_count; i++) {
        bool leads = false, publishes = app_publishes(file, i);
        require(app_topic_place(app, i) != NULL);
        require(app_find_kernel(file, publishes ? file->topics[i].from : file->topics[i].to) != UINT32_MAX);
        for (rk_u32 j = 0; j < file->topics_count; j++)
            leads |= publishes ? app_topic_leads(file, i, j) : app_topic_leads(file, j, i);
        require(leads);
    }
    require(file->checkpoints.keep <= 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char set[256] = "", *sets[] = { set };
    size_t set_count = 0, line = size > 5 && memcmp(text, "#set ", 5) == 0 ? 5 : 0;
    while (line && line < size && text[line] != '\n' && line - 5 < sizeof set - 1) line++;
    if (line) {
        memcpy(set, text + 5, line - 5);
        set_count = 1;
    }
    bool was_fine = false;
    size_t mistakes_count = 0;
    for (int round = 0; round < 2; round++) {
        app app;
        app_mistakes mistakes = { .file = "app.yaml" };
        bool fine = app_parse(text + line, size - line, "folder/app.yaml", sets, set_count, &app, &mistakes);
        require(fine == (mistakes.count == 0));
        require(round == 0 || (fine == was_fine && mistakes.count == mistakes_count));
        check_mistakes(&mistakes);
        if (fine) {
            check_app(&app);
            app_close(&app);
        }
        was_fine = fine;
        mistakes_count = mistakes.count;
        app_mistakes_free(&mistakes);
    }
    return 0;
}
