/* `rk codegen`: what a backend's compiler gets for a kernel source. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "apart.h"
#include "codegen/render.h"
#include "command.h"
#include "source_text.h"
#include "writer.h"

typedef struct request {
    const char *file, *backend, *kernel, *output;
} request;

static const struct argp_option options[] = {
    { "backend", 'b', "NAME", 0, "cpu, cuda, opencl or metal", 0 },
    { "kernel", 'k', "NAME", 0, "Only this kernel of the source", 0 },
    { "output", 'o', "FILE", 0, "Where to write it. Default: standard output", 0 },
    { 0 }
};

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    request *r = state->input;
    switch (key) {
    case 'b':
        if (strcmp(argument, "cpu") != 0 && strcmp(argument, "cuda") != 0 &&
            strcmp(argument, "opencl") != 0 && strcmp(argument, "metal") != 0)
            argp_error(state, "--backend is '%s': valid are cpu, cuda, opencl and metal", argument);
        r->backend = argument;
        break;
    case 'k': r->kernel = argument; break;
    case 'o':
        command_refuse_empty(state, "--output", argument);
        r->output = argument;
        break;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "one kernel source, not also '%s'", argument);
        command_refuse_empty(state, "the kernel source", argument);
        r->file = argument;
        break;
    case ARGP_KEY_END:
        if (!r->file) argp_error(state, "a kernel source is needed");
        if (!r->backend) argp_error(state, "--backend is needed: cpu, cuda, opencl or metal");
        if (r->backend && r->kernel && strcmp(r->backend, "cpu") == 0)
            argp_error(state,
                       "--kernel is for cuda, opencl and metal: the CPU's compiler gets the whole source");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static int write_unit(const request *r, const char *unit)
{
    writer out;
    bool fine = writer_open(&out, r->output);
    if (fine) {
        writer_text(&out, unit);
        fine = writer_close(&out);
    }
    if (fine) return RK_EXIT_OK;
    char *error = writer_error(&out);
    command_error("%s", error);
    free(error);
    return RK_EXIT_IO;
}

int command_codegen(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        take_option,
        "FILE",
        "Print the translation unit that a backend's compiler gets for a kernel source.\v"
        "It prints that text alone, so there is no --json: `rk check --json` tells what compilers make of "
        "it. "
        "Exit codes: 0 printed; 2 the command line is wrong; 3 the source can't be rendered; 4 a file can't "
        "be read or written.",
        NULL,
        NULL,
        NULL
    };
    request r = { .output = "-" };
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    source_text text;
    if (!files_are_apart(r.output, r.file) || !source_text_read(&text, r.file)) return RK_EXIT_IO;
    rk_source_error error = { 0 };
    char *unit = NULL;
    rk_render_options render = {
        .backend = r.backend, .path = text.full_path, .kernel = r.kernel, .text = text.text, .size = text.size
    };
    rk_status status = rk_render_unit(&render, &unit, &error);
    int code = RK_EXIT_KERNEL;
    if (status == RK_OK)
        code = headers_are_apart(r.output, unit) ? write_unit(&r, unit) : RK_EXIT_IO;
    else if (error.line)
        command_error("%s:%u:%u: %s", r.file, error.line, error.column, error.text);
    else
        command_error("%s: %s", r.file, error.text);
    free(unit);
    source_text_free(&text);
    return code;
}
