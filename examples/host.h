/* What the host programs of the examples share: rows of a file as messages, the command line, the account's line.
 * A program that includes it has defined PROGRAM, its name, and USAGE, the line that says how it is called. */
#ifndef EXAMPLES_HOST_H
#define EXAMPLES_HOST_H

#include <ringkernel/ringkernel.h>
#include <ringkernel/text.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 16777216u /* bytes of a file */
#define EXIT_SKIPPED 77    /* there is no device of the backend that was asked for */

/* ------------------------------------------------------------------ files */

static void stop(const char *file, rk_u64 row, const char *why)
{
    fprintf(stderr, PROGRAM ": %s: row %llu: %s\n", file, (unsigned long long)row, why);
    exit(1);
}

static void *zeros(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) stop("memory", 0, "there is no more");
    return memory;
}

/* All rows of a file as messages of that schema, one after the other; the caller frees them. */
static void *read_rows(const char *path, const rk_schema *schema, rk_u32 *count)
{
    static char text[FILE_MAX];
    rk_row_batch batch = { .room = 1 };
    rk_csv_reader *reader;
    FILE *file = fopen(path, "r");
    if (!file) stop(path, 0, "can't be read");
    size_t size = fread(text, 1, sizeof text, file);
    if (!feof(file)) stop(path, 0, "is too large, or can't be read to its end");
    fclose(file);
    for (size_t i = 0; i < size; i++) batch.room += text[i] == '\n';
    batch.messages = zeros(batch.room, schema->size);
    RK_CHECK(rk_csv_open(schema, &reader));
    if (rk_csv_next(reader, text, size, true, &batch) != RK_OK || batch.failed)
        stop(path, batch.bad.row, batch.bad.why);
    rk_csv_close(reader);
    if (!batch.count) stop(path, 0, "has no rows");
    *count = batch.count;
    return batch.messages;
}

/* ------------------------------------------------------------------ the command line */

/* A number that the command line may set. The last of a list has no name. */
typedef struct number_option {
    const char *name;
    rk_u64 *number;
} number_option;

static void stop_usage(void)
{
    fputs("usage: " USAGE "\n", stderr);
    exit(2);
}

static rk_u32 backend_named(const char *name)
{
    static const struct {
        const char *name;
        rk_u32 backend;
    } backends[] = { { "auto", RK_BACKEND_AUTO },
                     { "cpu", RK_BACKEND_CPU },
                     { "cuda", RK_BACKEND_CUDA },
                     { "opencl", RK_BACKEND_OPENCL } };
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strcmp(name, backends[i].name) == 0) return backends[i].backend;
    fprintf(stderr, PROGRAM ": there is no backend '%s': auto, cpu, cuda or opencl\n", name);
    exit(2);
}

/* Reads --backend, --workers and the program's own options. Where the `files` names after them begin. */
static char **read_arguments(int argc, char **argv, int files, const number_option *options,
                             rk_runtime_options *runtime)
{
    int at = 1;
    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        const number_option *option = options;
        rk_u64 number = strtoull(argv[at + 1], 0, 10);
        if (strcmp(argv[at], "--backend") == 0) {
            runtime->backend = backend_named(argv[at + 1]);
        } else if (strcmp(argv[at], "--workers") == 0) {
            runtime->workers = (rk_u32)number;
        } else {
            while (option->name && strcmp(argv[at], option->name) != 0) option++;
            if (!option->name) stop_usage();
            *option->number = number;
        }
    }
    if (argc - at != files) stop_usage();
    return argv + at;
}

/* Ends the program where there is no runtime to be had. */
static rk_runtime *open_runtime(const rk_runtime_options *options)
{
    rk_runtime *runtime;
    rk_status status = rk_open(options, &runtime);
    if (status == RK_OK) return runtime;
    fprintf(stderr, PROGRAM ": %s", rk_error_text());
    exit(status == RK_UNSUPPORTED ? EXIT_SKIPPED : 1);
}

/* ------------------------------------------------------------------ the account */

static void print_account(const rk_account *a, bool balanced)
{
    printf("accepted %llu = delivered %llu + dead %llu + evicted %llu + expired %llu + lost %llu + queued "
           "%llu   %s\n",
           (unsigned long long)a->accepted, (unsigned long long)a->delivered, (unsigned long long)a->dead,
           (unsigned long long)a->evicted, (unsigned long long)a->expired, (unsigned long long)a->lost,
           (unsigned long long)a->queued, balanced ? "balanced" : "NOT balanced");
}

#endif
