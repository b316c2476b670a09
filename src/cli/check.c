/* `rk check`: does a kernel source compile for every backend at hand, and does it do what goes wrong
 * elsewhere? */
#include <argp.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "codegen/lint.h"
#include "codegen/render.h"
#include "command.h"
#include "device_library.h"
#include "ringkernel/ringkernel.h"
#include "runtime/include_folder.h"
#include "source_text.h"

typedef struct request {
    char **files;
    size_t count;
    bool json;
} request;

static const struct argp_option options[] = { { "json", 'j', NULL, 0, "Print as JSON", 0 }, { 0 } };

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    request *r = state->input;
    switch (key) {
    case 'j': r->json = true; break;
    case ARGP_KEY_ARG:
        command_refuse_empty(state, "a file to check", argument);
        r->files = command_resize(r->files, (r->count + 1) * sizeof *r->files);
        r->files[r->count++] = argument;
        break;
    case ARGP_KEY_END:
        if (r->count == 0) argp_error(state, "a kernel source or an app file is needed");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ------------------------------------------------------------------ one source */

/* What one compiler says: "compiled" is null if it isn't there. */
static void add_result(json_t *backends, const char *backend, const char *how, device_compiled result,
                       const char *text)
{
    json_t *compiled = result == DEVICE_MISSING ? json_null() : json_boolean(result == DEVICE_COMPILED);
    json_array_append_new(backends, json_pack("{s:s, s:s, s:o, s:o}", "backend", backend, "compiler", how,
                                              "compiled", compiled, "text", command_json_text(text)));
}

static void keep_warnings(void *user, const rk_log_record *record)
{
    char **text = user, *before = *text;
    *text = command_print("%s%s", before, record->text);
    free(before);
}

static device_compiled compile_cpu(const char *file, char **text)
{
    rk_runtime *runtime = NULL;
    char *warnings = command_copy("");
    rk_runtime_options single = { RK_RUNTIME_OPTIONS, .single_step = 1, .on_log = keep_warnings,
                                  .log_user = &warnings };
    rk_status status = rk_open(&single, &runtime);
    if (status == RK_OK) status = rk_load(runtime, file);
    *text = status == RK_OK ? command_copy(warnings) : command_copy(rk_error_text());
    rk_close(runtime);
    free(warnings);
    return status == RK_OK ? DEVICE_COMPILED : DEVICE_REFUSED;
}

static void compile_device(const source_text *source, const char *backend, json_t *backends)
{
    static const char *const architectures[] = { "sm_90", "sm_75" };
    static const char *const standards[] = { "CL1.2", "CL3.0" };
    static const unsigned numbers[] = { 90, 75 };
    bool cuda = strcmp(backend, "cuda") == 0;
    char include[4096];
    bool found = rk_include_folder(include, sizeof include) == RK_OK;
    char *unit = NULL;
    rk_source_error error = { 0 };
    rk_render_options render = {
        .backend = backend, .path = source->full_path, .text = source->text, .size = source->size
    };
    rk_status status = rk_render_unit(&render, &unit, &error);
    for (size_t i = 0; i < 2; i++) {
        const char *how = cuda ? architectures[i] : standards[i];
        char *text = NULL;
        device_compiled result = DEVICE_REFUSED;
        if (status != RK_OK) {
            text = command_print("line %u: %s", error.line, error.text);
        } else if (!found) {
            result = DEVICE_MISSING;
            text = command_copy(
                "the headers of this library are not beside rk, nor where it was built or installed");
        } else {
            result = cuda ? nvrtc_compile(unit, include, numbers[i], &text)
                          : opencl_compile(unit, include, how, &text);
        }
        add_result(backends, backend, how, result, text);
        free(text);
    }
    free(unit);
}

static json_t *lint(const char *file, const source_text *source)
{
    rk_finding_list list = { 0 };
    rk_source_error error = { 0 };
    json_t *findings = json_array();
    rk_status status = rk_lint_source(file, source->text, source->size, &list, &error);
    for (rk_u32 i = 0; status == RK_OK && i < list.count; i++) {
        const rk_finding *f = &list.finding[i];
        json_array_append_new(findings, json_pack("{s:I, s:s, s:o, s:o}", "line", (json_int_t)f->line, "rule",
                                                  f->rule, "text", command_json_text(f->text), "remedy",
                                                  command_json_text(f->remedy)));
    }
    if (status != RK_OK)
        json_array_append_new(findings,
                              json_pack("{s:I, s:s, s:o, s:s}", "line", (json_int_t)error.line, "rule",
                                        "declaration", "text", command_json_text(error.text), "remedy", ""));
    rk_finding_list_free(&list);
    return findings;
}

/* NULL: the file can't be read (told). */
static json_t *check_source(const char *file)
{
    source_text source;
    char *text;
    if (!source_text_read(&source, file)) return NULL;
    json_t *backends = json_array();
    device_compiled result = compile_cpu(file, &text);
    add_result(backends, "cpu", "the compiler of this build", result, text);
    free(text);
    compile_device(&source, "cuda", backends);
    compile_device(&source, "opencl", backends);
    json_t *checked = json_pack("{s:o, s:o, s:o}", "file", command_json_text(file), "findings",
                                lint(file, &source), "backends", backends);
    source_text_free(&source);
    return checked;
}

/* ------------------------------------------------------------------ printing */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_indented(const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        if (size) printf("      %.*s\n", (int)size, text);
        text += size + (text[size] == '\n');
    }
}

static void print_checked(const json_t *checked)
{
    const json_t *findings = json_object_get(checked, "findings"),
                 *backends = json_object_get(checked, "backends"), *one;
    const char *file = text_of(checked, "file");
    size_t i;
    printf("%s\n", file);
    for (i = 0; (one = json_array_get(backends, i)); i++) {
        const json_t *compiled = json_object_get(one, "compiled");
        printf("  %-6s %-26s %s\n", text_of(one, "backend"), text_of(one, "compiler"),
               !json_is_true(compiled) ? json_is_null(compiled) ? "not at hand" : "REFUSED"
               : *text_of(one, "text") ? "compiles, with warnings"
                                       : "compiles");
        print_indented(text_of(one, "text"));
    }
    for (i = 0; (one = json_array_get(findings, i)); i++) {
        printf("  %s:%" JSON_INTEGER_FORMAT ": %s: %s\n", file,
               json_integer_value(json_object_get(one, "line")), text_of(one, "rule"), text_of(one, "text"));
        print_indented(text_of(one, "remedy"));
    }
}

static bool is_clean(const json_t *checked)
{
    size_t i;
    const json_t *one;
    for (i = 0; (one = json_array_get(json_object_get(checked, "backends"), i)); i++)
        if (json_is_false(json_object_get(one, "compiled"))) return false;
    return json_array_size(json_object_get(checked, "findings")) == 0;
}

/* ------------------------------------------------------------------ the command */

static bool ends_in(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

/* The sources to check, each once. */
typedef struct sources {
    char **path;
    size_t count;
} sources;

/* False: it can't be read (told). */
static bool add_source(sources *all, const char *path)
{
    source_text text;
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->path[i], path) == 0) return true;
    if (!source_text_read(&text, path)) return false;
    source_text_free(&text);
    all->path = command_resize(all->path, (all->count + 1) * sizeof *all->path);
    all->path[all->count++] = command_copy(path);
    return true;
}

/* An app file: its own mistakes, and its sources. */
static int add_app(sources *all, const char *path)
{
    app app;
    app_mistakes mistakes = { 0 };
    int code = RK_EXIT_USAGE;
    if (app_read(path, NULL, 0, &app, &mistakes)) {
        code = RK_EXIT_OK;
        for (rk_u32 i = 0; i < app.file->kernels_count; i++) {
            char *source = app_path(&app, app.file->kernels[i].source);
            if (!add_source(all, source)) code = RK_EXIT_IO;
            free(source);
        }
        app_close(&app);
    }
    app_mistakes_tell(&mistakes);
    return code;
}

/* All files are looked at first: nobody waits for compilers to be told of a name that is wrong. */
static int find_sources(const request *r, sources *all)
{
    int worst = RK_EXIT_OK;
    for (size_t i = 0; i < r->count; i++) {
        const char *file = r->files[i];
        bool is_app = ends_in(file, ".yaml") || ends_in(file, ".yml");
        int code = is_app ? add_app(all, file) : add_source(all, file) ? RK_EXIT_OK : RK_EXIT_IO;
        if (code > worst) worst = code;
    }
    return worst;
}

static int check_sources(const sources *all, json_t *checked)
{
    int worst = RK_EXIT_OK;
    for (size_t i = 0; i < all->count; i++) {
        json_t *one = check_source(all->path[i]);
        int code = !one ? RK_EXIT_IO : is_clean(one) ? RK_EXIT_OK : RK_EXIT_FOUND;
        if (one) json_array_append_new(checked, one);
        if (code > worst) worst = code;
    }
    return worst;
}

int command_check(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        take_option,
        "FILE...",
        "Compile kernel sources (or those of an app file) for every backend at hand, and look for what "
        "fails, hangs "
        "or goes wrong elsewhere.\v"
        "Exit codes: 0 all compile and nothing was found; 1 something doesn't, or was; 2 the command line or "
        "an app "
        "file is wrong; 4 a file can't be read (then nothing is compiled), or standard output not written. A "
        "compiler that isn't installed is told and is no mistake, and so is what a compiler warns of.",
        NULL,
        NULL,
        NULL
    };
    request r = { 0 };
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    json_t *all = json_array(), *one;
    sources found = { 0 };
    int code = find_sources(&r, &found);
    if (code == RK_EXIT_OK) code = check_sources(&found, all);
    size_t i;
    if (r.json) {
        json_dumpf(all, stdout, JSON_INDENT(1));
        putchar('\n');
    } else {
        for (i = 0; (one = json_array_get(all, i)); i++) print_checked(one);
    }
    json_decref(all);
    for (i = 0; i < found.count; i++) free(found.path[i]);
    free(found.path);
    free(r.files);
    return command_end(code);
}
