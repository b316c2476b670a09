/* `rk init`: writes an app that runs, to start from: a small one that it carries, or an example. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "init_examples.h"
#include "init_made.h"
#include "init_templates.h"
#include "writer.h"

typedef struct request {
    const char *folder;
    const init_template *from; /* NULL: an example */
    char *example;             /* its folder */
    bool json;
} request;

static const struct argp_option options[] = { { "from", 'f', "NAME", 0,
                                                "The app to write: filter (one kernel, the default), totals "
                                                "(two, with state), or an example by its name; "
                                                "--from=? lists them",
                                                0 },
                                              { "json", 'j', NULL, 0, "Print as JSON", 0 },
                                              { 0 } };

static void choose(request *r, const char *name, struct argp_state *state)
{
    free(r->example);
    r->example = NULL;
    for (r->from = init_templates; r->from->name && strcmp(r->from->name, name) != 0;) r->from++;
    if (r->from->name) return;
    r->from = NULL;
    r->example = init_example_find(name);
    if (r->example) return;
    char *examples = init_example_names();
    argp_error(state, "--from is '%s': valid are filter, totals%s%s", name, *examples ? ", " : "", examples);
    free(examples);
}

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    request *r = state->input;
    switch (key) {
    case 'f': choose(r, argument, state); break;
    case 'j': r->json = true; break;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "one folder, not also '%s'", argument);
        command_refuse_empty(state, "the folder", argument);
        r->folder = argument;
        break;
    case ARGP_KEY_END:
        if (!r->folder) argp_error(state, "a folder is needed");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* Nothing that is there is written over. */
static bool nothing_there(const request *r)
{
    for (const init_file *f = r->from->files; f->name; f++) {
        char *path = command_print("%s/%s", r->folder, f->name);
        bool there = access(path, F_OK) == 0;
        if (there) command_error("%s is there already: nothing was written", path);
        free(path);
        if (there) return false;
    }
    return true;
}

static bool write_file(const char *folder, const init_file *file)
{
    char *path = command_print("%s/%s", folder, file->name);
    writer out;
    bool fine = writer_open(&out, path);
    if (fine) {
        init_made_file(path);
        writer_text(&out, file->text);
        fine = writer_close(&out);
    }
    if (!fine) {
        char *error = writer_error(&out);
        command_error("%s", error);
        free(error);
    }
    free(path);
    return fine;
}

static bool write_files(const request *r)
{
    for (const init_file *f = r->from->files; f->name; f++)
        if (!write_file(r->folder, f)) return false;
    return true;
}

static bool is_program(const request *r) { return r->example && init_example_is_program(r->example); }

/* What runs or builds it, as a person can copy it; the caller frees it. */
static char *next_command(const request *r)
{
    char *path = command_print(is_program(r) ? "%s/build" : "%s/app.yaml", r->folder), *next;
    char *folder = command_word(r->folder), *word = command_word(path);
    next = is_program(r) ? command_print("cmake -S %s -B %s -DCMAKE_BUILD_TYPE=Release && cmake --build %s",
                                         folder, word, word)
                         : command_print("rk run %s", word);
    free(path);
    free(folder);
    free(word);
    return next;
}

static void tell(const request *r)
{
    char *next = next_command(r);
    if (r->json) {
        json_t *told = json_pack("{s:o, s:s, s:o, s:o}", "folder", command_json_text(r->folder), "kind",
                                 is_program(r) ? "program" : "app", "files", init_made_json(), "next",
                                 command_json_text(next));
        json_dumpf(told, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(told);
    } else {
        init_made_print();
        printf("%s: %s\n", is_program(r) ? "Build it" : "Run it", next);
    }
    free(next);
}

int command_init(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        take_option,
        "FOLDER",
        "Write an app that runs, or copy an example, to start from: kernels, an app file, sample data.\v"
        "--json prints the files that were written, and the command that runs or builds them. "
        "Exit codes: 0 written; 2 the command line is wrong; 4 a file can't be written, or is there already.",
        NULL,
        NULL,
        NULL
    };
    request r = { .from = init_templates };
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    bool fine = init_make_folder(r.folder) &&
                (r.from ? nothing_there(&r) && write_files(&r)
                        : init_example_fits(r.example, r.folder) && init_example_copy(r.example, r.folder));
    if (fine)
        tell(&r);
    else
        init_made_undo();
    init_made_forget();
    free(r.example);
    return command_end(fine ? RK_EXIT_OK : RK_EXIT_IO);
}
