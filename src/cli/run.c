/* `rk run`: an app's kernels, fed from a file or a pipe until it ends, with an account of every row at the
 * end. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "apart.h"
#include "command.h"
#include "interrupt.h"
#include "job_checkpoints.h"
#include "progress.h"
#include "topic_lags.h"

#define PATIENCE_S 30u /* as long as a staged send waits for room by default */

/* ------------------------------------------------------------------ the command line */

enum {
    INPUT_FORMAT = 256,
    OUTPUT_FORMAT,
    SUMMARY,
    DEAD_LETTERS,
    CHECKPOINTS,
    NO_RESTORE,
    SET,
    DEVICES,
    WORKERS,
    JSON,
    PATIENCE
};

static const struct argp_option options[] = {
    { "input", 'i', "FILE", 0,
      "Rows to read, - for standard input; plain or compressed by zstd. Default: the app's", 0 },
    { "input-format", INPUT_FORMAT, "FORMAT", 0,
      "csv or ndjson. Default: what the app says of its file, else by the file's name, else as the app's",
      0 },
    { "output", 'o', "FILE", 0, "Where messages for the output go. Default: the app's, else standard output",
      0 },
    { "output-format", OUTPUT_FORMAT, "FORMAT", 0,
      "ndjson or csv. Default: what the app says of its file, else by the file's name, else as the app's, "
      "else ndjson",
      0 },
    { "dead-letters", DEAD_LETTERS, "FILE", 0,
      "Keep what no kernel handled: a line of JSON each (row, reason, text), in order of rows", 0 },
    { "checkpoints", CHECKPOINTS, "FOLDER", 0,
      "Take checkpoints, and go on from the newest one that is there and whole. Needs an output file. "
      "Default: the "
      "app's folder, else none",
      0 },
    { "no-restore", NO_RESTORE, NULL, 0,
      "Remove the checkpoints that are there, and begin with the first row", 0 },
    { "summary", SUMMARY, "FILE", 0, "Write the account, rates and latencies as JSON", 0 },
    { "set", SET, "KERNEL.NAME=VALUE", 0,
      "Set an option or a parameter of a kernel, over what the app file says. Any number of times", 0 },
    { "backend", 'b', "NAME", 0, "cpu, cuda, opencl, or auto, which is cpu", 0 },
    { "devices", DEVICES, "LIST", 0,
      "CUDA devices to run on, as `rk devices` numbers them: 0,1. A kernel's `device` is a place in this "
      "list",
      0 },
    { "workers", WORKERS, "N", 0,
      "CPU threads that run kernels. Default: one fewer than the cores, at least one", 0 },
    { "patience", PATIENCE, "SECONDS", 0, "Give up when messages wait and none moves for so long (30)", 0 },
    { "json", JSON, NULL, 0,
      "Print the summary at the end: to standard output if the output is a file, else to standard error", 0 },
    { "verbose", 'v', NULL, 0, "Print the account at the end, in a pipe too", 0 },
    { 0 }
};

/* A number from 1 on; `zero` says what 0 would mean, and what to do instead. */
static rk_u32 parse_count(struct argp_state *state, const char *name, const char *text, unsigned long most,
                          const char *zero)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    bool is_number = text[0] >= '0' && text[0] <= '9' && !*end && !errno;
    if (!is_number || value == 0 || value > most)
        argp_error(state, "--%s is '%s': it must be a whole number from 1 to %lu%s%s", name, text, most,
                   is_number && value == 0 ? "; " : "", is_number && value == 0 ? zero : "");
    return (rk_u32)value;
}

static void parse_devices(struct argp_state *state, job *j, const char *text)
{
    for (const char *at = text;; at++) {
        char *end;
        errno = 0;
        unsigned long value = strtoul(at, &end, 10);
        if (*at < '0' || *at > '9' || errno || value > 0xffffffffu || (*end && *end != ',') ||
            j->device_count == RK_DEVICES_MAX)
            argp_error(state, "--devices is '%s': it must be up to %u numbers with commas, as in 0,1", text,
                       RK_DEVICES_MAX);
        j->devices[j->device_count++] = (rk_u32)value;
        if (!*end) return;
        at = end;
    }
}

/* What an empty name would mean nobody can know. */
static const struct {
    int key;
    const char *what;
} named[] = { { 'i', "--input" },
              { 'o', "--output" },
              { SUMMARY, "--summary" },
              { DEAD_LETTERS, "--dead-letters" },
              { CHECKPOINTS, "--checkpoints" },
              { ARGP_KEY_ARG, "the app file" } };

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    job *j = state->input;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (named[i].key == key) command_refuse_empty(state, named[i].what, argument);
    switch (key) {
    case 'i': j->input = argument; break;
    case 'o': j->output = argument; break;
    case INPUT_FORMAT: j->input_format = argument; break;
    case OUTPUT_FORMAT: j->output_format = argument; break;
    case SUMMARY: j->summary = argument; break;
    case DEAD_LETTERS: j->dead_letters = argument; break;
    case CHECKPOINTS: j->checkpoints_folder = argument; break;
    case NO_RESTORE: j->no_restore = true; break;
    case SET:
        j->sets = command_resize(j->sets, (j->set_count + 1) * sizeof *j->sets);
        j->sets[j->set_count++] = argument;
        break;
    case 'b':
        if (strcmp(argument, "auto") != 0 && strcmp(argument, "cpu") != 0 && strcmp(argument, "cuda") != 0 &&
            strcmp(argument, "opencl") != 0)
            argp_error(state, "--backend is '%s': valid are cpu, cuda, opencl and auto", argument);
        j->backend = strcmp(argument, "cpu") == 0      ? RK_BACKEND_CPU
                     : strcmp(argument, "cuda") == 0   ? RK_BACKEND_CUDA
                     : strcmp(argument, "opencl") == 0 ? RK_BACKEND_OPENCL
                                                       : RK_BACKEND_AUTO;
        break;
    case DEVICES:
        j->device_count = 0;
        parse_devices(state, j, argument);
        break;
    case WORKERS:
        j->workers = parse_count(state, "workers", argument, 1024,
                                 "with 0 nothing would run kernels: leave it out for one fewer than the "
                                 "cores, at least one");
        break;
    case PATIENCE:
        j->patience_s = parse_count(state, "patience", argument, 1000000,
                                    "with 0 the first message that waits would end the job: leave it out "
                                    "for 30");
        break;
    case JSON: j->json = true; break;
    case 'v': j->verbose = true; break;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "one app file, not also '%s'", argument);
        j->app_path = argument;
        break;
    case ARGP_KEY_END:
        if (!j->app_path) argp_error(state, "an app file is needed");
        if (j->device_count && j->backend != RK_BACKEND_CUDA)
            argp_error(state, "--devices needs --backend cuda");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ------------------------------------------------------------------ formats and files */

static bool is_called_zst(const char *path)
{
    size_t size = strlen(path);
    return size >= 4 && strcmp(path + size - 4, ".zst") == 0;
}

static app_format format_of_name(const char *path)
{
    size_t size = strlen(path);
    if (is_called_zst(path)) size -= 4;
    static const struct {
        const char *end;
        app_format format;
    } ends[] = { { ".csv", APP_FORMAT_CSV },
                 { ".ndjson", APP_FORMAT_NDJSON },
                 { ".jsonl", APP_FORMAT_NDJSON },
                 { ".json", APP_FORMAT_NDJSON } };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i].end);
        if (size >= end && strncmp(path + size - end, ends[i].end, end) == 0) return ends[i].format;
    }
    return APP_FORMAT_UNSAID;
}

/* The command line's word, else what the app says of its own file, else the file's name, else the default. */
static bool choose_format(const char *option, const char *said, rk_u32 own, const char *file,
                          rk_u32 otherwise, app_format *format)
{
    *format = APP_FORMAT_UNSAID;
    if (said) {
        *format = strcmp(said, "csv") == 0      ? APP_FORMAT_CSV
                  : strcmp(said, "ndjson") == 0 ? APP_FORMAT_NDJSON
                                                : APP_FORMAT_UNSAID;
        if (*format == APP_FORMAT_UNSAID)
            command_error("--%s is '%s': valid are csv and ndjson", option, said);
        return *format != APP_FORMAT_UNSAID;
    }
    *format = own ? (app_format)own : format_of_name(file);
    if (*format == APP_FORMAT_UNSAID) *format = (app_format)otherwise;
    return true;
}

/* Which file, in which format, the rows come from and the output goes to. */
static bool choose_streams(job *j, char **input, char **output)
{
    const app_file *file = j->app.file;
    *input = j->input           ? command_copy(j->input)
             : file->input.file ? app_path(&j->app, file->input.file)
                                : NULL;
    *output = j->output           ? command_copy(j->output)
              : file->output.file ? app_path(&j->app, file->output.file)
                                  : command_copy("-");
    if (!*input) {
        command_error(
            "there is no input: the app names none; say --input FILE, or --input - for standard input");
        return false;
    }
    rk_u32 rows = file->input.format, lines = file->output.format;
    rk_u32 rows_too = rows ? rows : file->input.file ? format_of_name(file->input.file) : APP_FORMAT_UNSAID;
    return choose_format("input-format", j->input_format, j->input ? APP_FORMAT_UNSAID : rows, *input,
                         rows_too ? rows_too : APP_FORMAT_CSV, &j->input_as) &&
           choose_format("output-format", j->output_format, j->output ? APP_FORMAT_UNSAID : lines, *output,
                         lines ? lines : APP_FORMAT_NDJSON, &j->output_as);
}

/* What is written is plain, and under such a name nobody could read it. */
static bool outputs_are_plain(const job *j, const char *output)
{
    const char *const written[] = { output, j->dead_letters, j->summary };
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        if (!written[i] || !is_called_zst(written[i])) continue;
        const app_node *at =
            i == 0 && !j->output ? app_mapping_value(app_mapping_value(j->app.tree, "output"), "file") : NULL;
        char *place = at ? command_print("%s:%u:%u: ", j->app.path, at->line, at->column) : command_copy("");
        command_error("%s'%s' is called .zst, but nothing is compressed as it is written: leave .zst out, or "
                      "compress standard output, | zstd > FILE.zst",
                      place, written[i]);
        free(place);
        return false;
    }
    return true;
}

static bool open_writer(writer *to, const char *path)
{
    if (!path || writer_open_kept(to, path)) return true;
    char *error = writer_error(to);
    command_error("%s", error);
    free(error);
    return false;
}

/* From the beginning, or where a checkpoint has it. */
static bool open_sink(job *j, const char *output)
{
    const sink_place *from = checkpoints_output(j);
    return from ? sink_continue(&j->to, output, j->output_as, from,
                                from->type ? j->schemas[from->type & 0xffffu] : NULL)
                : sink_open(&j->to, output, j->output_as);
}

/* Whatever is wrong with one of them, or with the first line of the rows, all keep what they had. */
static bool open_outputs(job *j, const char *output)
{
    if (!outputs_are_apart(j, output) || !open_writer(&j->letters_out, j->dead_letters) ||
        !outputs_are_apart(j, output) || !open_writer(&j->summary_out, j->summary) ||
        !outputs_are_apart(j, output))
        return false;
    if (open_sink(j, output)) return true;
    char *error = sink_error(&j->to);
    command_error("%s", error);
    free(error);
    return false;
}

/* ------------------------------------------------------------------ the end */

static const rk_schema *find_schema(void *user, uint32_t type)
{
    return rk_find_schema_of_type(((job *)user)->runtime, type);
}

static bool write_letters(job *j)
{
    char *error;
    if (!j->dead_letters || letters_write(j->letters, &j->letters_out, find_schema, j, &error)) return true;
    command_error("%s", error);
    free(error);
    return false;
}

static bool write_summary(job *j, const json_t *summary)
{
    char *text = json_dumps(summary, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    bool fine = true;
    if (!text) {
        command_error("the summary can't be written: out of memory");
        return false;
    }
    /* Not open: a pipe that was waited for until Ctrl-C, which is told. */
    if (j->summary && j->summary_out.file >= 0) {
        writer_text(&j->summary_out, text);
        writer_text(&j->summary_out, "\n");
        fine = writer_close(&j->summary_out);
        char *error = fine ? NULL : writer_error(&j->summary_out);
        if (!fine) command_error("%s", error);
        free(error);
    }
    if (j->json) {
        FILE *out = j->to.out.file == STDOUT_FILENO ? stderr : stdout;
        clearerr(out);
        errno = 0;
        /* Standard error has no buffer: there it is the print that fails. */
        if (fprintf(out, "%s\n", text) < 0 || fflush(out) != 0 || ferror(out)) {
            command_error("%s: %s", out == stdout ? "standard output" : "standard error", strerror(errno));
            fine = false;
        }
    }
    free(text);
    return fine;
}

/* Accounts for everything and writes it down. Returns the exit code of the job, of which `code` is known so
 * far. */
static int conclude(job *j, int code)
{
    json_t *checks = json_array();
    progress_end();
    topic_lags_look(j);
    bool holds = account_check(j, checks);
    const rk_u64 left = account_left(j);
    const bool whole = holds && !left && !j->stuck && !j->failed;
    bool balanced = whole && !j->to.unwritten;
    bool stdout_is_output = j->to.out.file == STDOUT_FILENO;
    bool written = sink_close(&j->to);
    j->end_ns = job_now_ns();
    if (!written) {
        char *error = sink_error(&j->to);
        if (j->to.unwritten)
            command_error("%s: %" PRIu64 " lines are not written", error, j->to.unwritten);
        else
            command_error("%s", error);
        free(error);
        balanced = false;
    }
    free(j->to.refusal);
    j->to.refusal = NULL;
    if (stdout_is_output) j->to.out.file = STDOUT_FILENO; /* where the summary is not to go */
    bool told = write_letters(j);
    json_t *summary = account_summary(j, checks, balanced);
    told = write_summary(j, summary) && told;
    json_decref(summary);
    if (isatty(STDERR_FILENO) || j->verbose || interrupt_asked()) progress_account(j, stderr);
    if (!holds) command_error("the account doesn't balance: the summary's checks say where");
    if (left && !j->stuck && !j->failed)
        command_error("%" PRIu64
                      " messages were lost or are still queued: the account says of which kernel (-v, "
                      "--summary)",
                      left);
    if (code == RK_EXIT_KERNEL) return code;
    if (!whole) return RK_EXIT_UNBALANCED;
    if (code != RK_EXIT_OK) return code;
    if (!written || !told) return RK_EXIT_IO;
    return j->interrupted ? RK_EXIT_INTERRUPTED : RK_EXIT_OK;
}

/* With everything open: feed, drain, conclude. */
static int run(job *j)
{
    topic_lags_begin(j);
    int code = collect_start(j);
    progress_start(j);
    j->feed_ns = j->watched_since_ns = job_now_ns();
    if (code == RK_EXIT_OK) code = feed_run(j);
    j->drain_ns = job_now_ns();
    int drained = job_drain(j);
    collect_join(j);
    return conclude(j, drained != RK_EXIT_OK || code == RK_EXIT_OK ? drained : code);
}

/* The summary of a job that Ctrl-C ended while its kernels were made: nothing was read, and the other outputs
 * are left alone. */
static bool tell_nothing_read(job *j, const char *output)
{
    const bool to_stdout = strcmp(output, "-") == 0;
    const sink_place *from = checkpoints_output(j);
    if (!outputs_are_apart(j, output)) return false;
    if (j->summary_out.file < 0 && !j->summary_out.error && !open_writer(&j->summary_out, j->summary) &&
        j->summary_out.error != EINTR) /* a pipe that nobody reads, which isn't waited for any more */
        return false;
    j->interrupted = true;
    j->feed_ns = j->drain_ns = j->end_ns = job_now_ns();
    j->to.out.name = to_stdout ? "standard output" : output;
    j->to.out.file = to_stdout ? STDOUT_FILENO : -1;
    if (from) j->to.lines = from->lines; /* as the rows that its account has */
    json_t *checks = json_array();
    const bool holds = account_check(j, checks);
    json_t *summary = account_summary(j, checks, holds);
    const bool told = write_summary(j, summary);
    json_decref(summary);
    return told;
}

/* What a job that has read no row ends with, if `code` comes of an interrupt: the compiler gets Ctrl-C, too. */
static int end_before_rows(job *j, const char *output, int code)
{
    if (!interrupt_asked() || (code != RK_EXIT_KERNEL && code != RK_EXIT_INTERRUPTED)) return code;
    command_error("interrupted before any row was read");
    return !j->runtime || tell_nothing_read(j, output) ? RK_EXIT_INTERRUPTED : RK_EXIT_IO;
}

static bool find_input_route(job *j)
{
    for (rk_u32 r = 0; r < j->app.file->routes_count; r++)
        if (strcmp(j->app.file->routes[r].from, "input") == 0) {
            j->first_route = r;
            j->first = app_find_kernel(j->app.file, j->app.file->routes[r].to);
            return true;
        }
    return false; /* app_read has refused that */
}

/* At its place, if the app file names it. */
static void tell_input(const job *j, const char *error)
{
    const app_node *at = j->input ? NULL : app_mapping_value(app_mapping_value(j->app.tree, "input"), "file");
    if (at)
        command_error("%s:%u:%u: input %s", j->app.path, at->line, at->column, error);
    else
        command_error("%s", error);
}

/* A step that was done, though Ctrl-C came meanwhile, is the last one. */
static int unless_interrupted(int code)
{
    return code == RK_EXIT_OK && interrupt_asked() ? RK_EXIT_INTERRUPTED : code;
}

static int run_app(job *j)
{
    char *input = NULL, *output = NULL, *error = NULL;
    int code = RK_EXIT_USAGE;
    j->kernels = command_allocate(j->app.file->kernels_count * sizeof *j->kernels);
    memset(j->kernels, 0, j->app.file->kernels_count * sizeof *j->kernels);
    if (find_input_route(j) && choose_streams(j, &input, &output) && outputs_are_plain(j, output)) {
        code = RK_EXIT_IO;
        j->from = source_open(input, &error);
        if (!j->from) tell_input(j, error);
    }
    if (j->from) code = unless_interrupted(job_launch(j));
    if (j->from && code == RK_EXIT_OK) code = unless_interrupted(checkpoints_open(j, output));
    /* While a pipe is waited for, what a checkpoint had under way rests: so its account is that of its cut. */
    if (j->from && code == RK_EXIT_OK && !open_outputs(j, output))
        code = interrupt_asked() ? RK_EXIT_INTERRUPTED : RK_EXIT_IO;
    if (j->from && code == RK_EXIT_OK) code = job_activate(j);
    /* What a checkpoint had under way moves by now, and is drained. */
    if (j->from && !j->restored_number) code = unless_interrupted(code);
    if (j->from) code = code == RK_EXIT_OK ? run(j) : end_before_rows(j, output, code);
    code = checkpoints_close(j, code);
    topic_lags_end(j);
    rk_topics_close(j->topics);
    if (j->runtime && rk_close(j->runtime) == RK_QUARANTINED)
        command_error_text("a handler did not stop: its memory was left as it is", rk_error_text());
    source_close(j->from);
    free(j->kernels);
    free(input);
    free(output);
    free(error);
    return code;
}

int command_run(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        take_option,
        "APP",
        "Run an app: compile its kernels, feed them rows, write what comes out, and account for every "
        "row.\v" RK_EXIT_CODES_OF_A_JOB " Ctrl-C stops reading, drains and still accounts; a pipe whose "
        "reader then takes nothing for 5 s is given "
        "up. A second Ctrl-C stops at once.",
        NULL,
        NULL,
        NULL
    };
    job j = { .start_ns = job_now_ns(),
              .patience_s = PATIENCE_S,
              .backend = RK_BACKEND_AUTO,
              .letters_out.file = -1,
              .summary_out.file = -1,
              .to.out.file = -1 };
    argp_parse(&argp, argc, argv, 0, NULL, &j);
    interrupt_install();
    app_mistakes mistakes = { 0 };
    int code = RK_EXIT_USAGE;
    if (app_read(j.app_path, j.sets, j.set_count, &j.app, &mistakes)) {
        j.letters = letters_open(j.dead_letters != NULL, LETTERS_MEMORY);
        code = run_app(&j);
        letters_close(j.letters);
        app_close(&j.app);
    } else if (interrupt_asked()) {
        command_error("interrupted before any row was read");
        code = RK_EXIT_INTERRUPTED;
    }
    app_mistakes_tell(&mistakes);
    free(j.sets);
    return code;
}
