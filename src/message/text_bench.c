/* Nanoseconds a row for reading CSV and for writing JSON and CSV, beside the limit for any reader of lines:
 * finding the line feeds of the same bytes by memchr.
 *
 *     text_bench [FILE]    a CSV with the columns seq, hour, distance_mi, delay_min; else made up alike */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ringkernel/text.h"

RK_MESSAGE(bench_flight, 1, (rk_u32, seq), (rk_f32, hour), (rk_i32, distance_mi), (rk_i32, delay_min))

#define REPEATS 21 /* the median of an odd number is one of them */
#define BATCH 256u

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static char *made_up_rows(size_t *size)
{
    char *text = malloc(200000 * 32);
    if (text == NULL) abort();
    unsigned long long state = 1;
    size_t at = (size_t)sprintf(text, "seq,hour,distance_mi,delay_min\n");
    for (int i = 0; i < 200000; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        unsigned bits = (unsigned)(state >> 33);
        at += (size_t)sprintf(text + at, "%d,%.2f,%u,%d\n", i, (bits % 2400) / 100.0, 60 + bits % 4900,
                              (int)(bits >> 8) % 240 - 20);
    }
    *size = at;
    return text;
}

static char *file_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text != NULL) *size = fread(text, 1, (size_t)length, file);
    fclose(file);
    return text;
}

static const char *text;
static size_t text_size;
static bench_flight *flights;
static size_t flight_count;
static size_t chunk_size;
static unsigned long long sink; /* keeps the work from being optimised away */

static size_t scan_lines(void)
{
    size_t lines = 0;
    for (const char *at = text, *end = text + text_size; (at = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at++)
        lines++;
    return lines - 1;
}

static size_t read_csv(void)
{
    static bench_flight messages[BATCH];
    rk_csv_reader *reader = NULL;
    if (rk_csv_open(RK_SCHEMA(bench_flight), &reader) != RK_OK) abort();
    rk_row_batch batch = { .messages = messages, .room = BATCH };
    size_t rows = 0;
    for (size_t at = 0; at < text_size;) {
        size_t end = at + chunk_size < text_size ? at + chunk_size : text_size;
        do {
            if (rk_csv_next(reader, text + at, end - at, end == text_size, &batch) != RK_OK) abort();
            at += batch.consumed;
            rows += batch.count;
            sink += (unsigned long long)messages[0].distance_mi;
        } while (batch.more);
    }
    rk_csv_close(reader);
    return rows;
}

static size_t print_json(void)
{
    char line[256];
    for (size_t i = 0; i < flight_count; i++)
        sink += rk_json_print(RK_SCHEMA(bench_flight), &flights[i], sizeof flights[i], line, sizeof line);
    return flight_count;
}

static size_t print_csv(void)
{
    char line[256];
    for (size_t i = 0; i < flight_count; i++)
        sink += rk_csv_print(RK_SCHEMA(bench_flight), &flights[i], sizeof flights[i], line, sizeof line);
    return flight_count;
}

static void measure(const char *name, size_t (*run)(void))
{
    double taken[REPEATS];
    size_t rows = 0;
    for (int i = 0; i < REPEATS; i++) {
        double start = now_ns();
        rows = run();
        taken[i] = now_ns() - start;
    }
    qsort(taken, REPEATS, sizeof taken[0], by_value);
    printf("%-28s %8.2f ms  best %7.2f ms  %7.1f ns/row  %zu rows\n", name, taken[REPEATS / 2] / 1e6,
           taken[0] / 1e6, taken[REPEATS / 2] / (double)(rows > 0 ? rows : 1), rows);
}

/* Every good row, for the printers. */
static void keep_flights(void)
{
    flights = malloc((scan_lines() + 1) * sizeof *flights);
    rk_csv_reader *reader = NULL;
    if (flights == NULL || rk_csv_open(RK_SCHEMA(bench_flight), &reader) != RK_OK) abort();
    rk_row_batch batch = { .room = BATCH };
    size_t at = 0;
    do {
        batch.messages = flights + flight_count;
        if (rk_csv_next(reader, text + at, text_size - at, true, &batch) != RK_OK) {
            fprintf(stderr, "text_bench: %s\n", batch.bad.why);
            exit(1);
        }
        at += batch.consumed;
        flight_count += batch.count;
    } while (batch.more);
    rk_csv_close(reader);
}

int main(int argc, char **argv)
{
    text = argc > 1 ? file_text(argv[1], &text_size) : made_up_rows(&text_size);
    if (text == NULL) {
        fprintf(stderr, "text_bench: %s can't be read\n", argv[1]);
        return 1;
    }
    keep_flights();
    printf("%zu bytes, %zu messages; median and best of %d\n", text_size, flight_count, REPEATS);
    measure("memchr for line feeds", scan_lines);
    chunk_size = text_size;
    measure("CSV in, one piece", read_csv);
    chunk_size = 65536;
    measure("CSV in, pieces of 64 KiB", read_csv);
    measure("JSON out", print_json);
    measure("CSV out", print_csv);
    free(flights);
    free((void *)(uintptr_t)text);
    return sink == 0;
}
