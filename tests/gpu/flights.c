/* The flight-delays job through the public C interface alone, on a backend of choice: what `rk run` makes of
 * the same rows, byte for byte, without the libraries of `rk`. scripts/gpu-check compares backends by it.
 *
 *     flights BACKEND INPUT OUTPUT DEAD    BACKEND cpu, cuda or cuda-slices; INPUT a CSV, - for standard
 *                                          input; OUTPUT and DEAD are written, as NDJSON
 *     flights --make ROWS SEED             a CSV to standard output, of which a few rows are damaged
 *
 * The account goes to standard output. The exit status is 1 if it doesn't balance or anything failed, and 77
 * where the backend isn't there. */
#include "../../examples/flight-delays/flight.rk.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ringkernel/ringkernel.h>
#include <ringkernel/text.h>

#define BATCH 512u
#define PIECE (64u << 10)               /* bytes read at a time */
#define PATIENCE_NS RK_SECONDS(30)      /* without any progress */
#define LETTERS_WITHIN_NS RK_SECONDS(5) /* after the drain: they come through the service thread */

static void stop(const char *what)
{
    fprintf(stderr, "flights: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ------------------------------------------------------------------ dead letters, by their rows */

typedef struct letter {
    rk_u64 row;
    const char *reason; /* lives as long as the runtime */
    char *text;         /* as JSON needs it between quotes */
    size_t size;
} letter;

static pthread_mutex_t letters_lock = PTHREAD_MUTEX_INITIALIZER;
static letter *letters;
static size_t letter_count, letter_room;

static void add_letter(rk_u64 row, const char *reason, const char *text, size_t size)
{
    letter l = { row, reason, malloc(6 * size + 1), 0 }; /* each byte as \u00xx */
    if (!l.text) stop("a dead letter");
    l.size = rk_json_escape(text, size, l.text, 6 * size + 1);
    pthread_mutex_lock(&letters_lock);
    if (letter_count == letter_room) {
        letter_room = letter_room ? 2 * letter_room : 64;
        letters = realloc(letters, letter_room * sizeof *letters);
        if (!letters) stop("dead letters");
    }
    letters[letter_count++] = l;
    pthread_mutex_unlock(&letters_lock);
}

/* By whichever thread; of messages of this app, which carry their rows as ids. */
static void take_letter(void *user, const rk_dead_letter *dead)
{
    const rk_schema *schema = dead->type == RK_TYPE_ID(flight)          ? RK_SCHEMA(flight)
                              : dead->type == RK_TYPE_ID(banded_flight) ? RK_SCHEMA(banded_flight)
                                                                        : RK_SCHEMA(band_report);
    char json[1024];
    (void)user;
    size_t size = rk_json_print(schema, dead->payload, dead->length, json, sizeof json);
    add_letter(dead->id, dead->reason, json, size < sizeof json ? size : sizeof json);
}

static int by_row(const void *a, const void *b)
{
    rk_u64 x = ((const letter *)a)->row, y = ((const letter *)b)->row;
    return x < y ? -1 : x > y;
}

static void write_letters(const char *path)
{
    FILE *to = fopen(path, "w");
    if (!to) stop(path);
    if (letter_count) qsort(letters, letter_count, sizeof *letters, by_row);
    for (size_t i = 0; i < letter_count; i++) {
        fprintf(to, "{\"row\":%llu,\"reason\":\"%s\",\"text\":\"", (unsigned long long)letters[i].row,
                letters[i].reason);
        fwrite(letters[i].text, 1, letters[i].size, to);
        fputs("\"}\n", to);
        free(letters[i].text);
    }
    if (fclose(to)) stop(path);
    free(letters);
}

/* ------------------------------------------------------------------ the job */

enum { VALIDATE, ENRICH, AGGREGATE, KERNELS };
static const char *const names[KERNELS] = { "validate", "enrich", "aggregate" };

typedef struct job {
    rk_runtime *runtime;
    rk_kernel kernel[KERNELS];
    FILE *output;
    rk_u64 rows, bad, sent, lines, unknown;
} job;

static void launch(job *j)
{
    for (int k = 0; k < KERNELS; k++) {
        rk_launch_options o = rk_production();
        o.deduplication_window = 0;
        o.requests = 1; /* long headers: they carry the row's number */
        o.single_producer = k == VALIDATE;
        o.on_dead_letter = take_letter;
        RK_CHECK(rk_launch(j->runtime, names[k], &o, &j->kernel[k]));
    }
    RK_CHECK(rk_connect(j->runtime, j->kernel[VALIDATE], 0, j->kernel[ENRICH], 0));
    RK_CHECK(rk_connect(j->runtime, j->kernel[ENRICH], 0, j->kernel[AGGREGATE], 0));
    for (int k = 0; k < KERNELS; k++) RK_CHECK(rk_activate(j->runtime, j->kernel[k]));
}

/* Takes what comes out, until nothing more will. */
static void *collect(void *argument)
{
    job *j = argument;
    static band_report reports[BATCH];
    static rk_received infos[BATCH];
    char line[1024];
    for (;;) {
        size_t count = 0;
        rk_status status = rk_receive_many(j->runtime, j->kernel[AGGREGATE], reports, sizeof *reports, BATCH,
                                           infos, RK_MILLISECONDS(100), &count);
        if (status != RK_OK && status != RK_TIMED_OUT && status != RK_EMPTY) return 0;
        for (size_t i = 0; i < count; i++) {
            j->unknown += infos[i].type != RK_TYPE_ID(band_report);
            size_t size =
                rk_json_print(RK_SCHEMA(band_report), &reports[i], infos[i].length, line, sizeof line);
            fwrite(line, 1, size, j->output);
            fputc('\n', j->output);
            j->lines++;
        }
    }
}

/* Every row of the batch is accepted, or the job ends here. */
static void send_batch(job *j, const rk_row_batch *b)
{
    const flight *rows = b->messages;
    rk_send_options s = RK_SEND_DEFAULTS;
    s.id = b->first_row;
    s.timeout_ns = PATIENCE_NS;
    for (size_t done = 0, accepted; done < b->count; done += accepted, s.id += accepted) {
        accepted = 0;
        rk_status status = rk_send_many(j->runtime, j->kernel[VALIDATE], RK_TYPE_ID(flight), rows + done,
                                        sizeof *rows, b->count - done, &s, &accepted);
        if (status != RK_OK && (status != RK_TIMED_OUT || !accepted))
            rk_die(status, "rk_send_many", __FILE__, __LINE__);
    }
    j->rows += b->count;
    j->sent += b->count;
}

static void feed(job *j, FILE *input, const char *name)
{
    static flight rows[BATCH];
    static char piece[PIECE];
    rk_csv_reader *reader;
    rk_row_batch b = { .messages = rows, .room = BATCH };
    RK_CHECK(rk_csv_open(RK_SCHEMA(flight), &reader));
    for (bool last = false; !last;) {
        size_t size = fread(piece, 1, sizeof piece, input);
        const char *data = piece;
        if (ferror(input)) stop(name);
        last = feof(input);
        do {
            rk_status status = rk_csv_next(reader, data, size, last, &b);
            if (status != RK_OK) {
                fprintf(stderr, "flights: %s: %s\n", name, b.bad.why ? b.bad.why : rk_status_text(status));
                exit(1);
            }
            if (b.count) send_batch(j, &b);
            if (b.failed) {
                add_letter(b.bad.row, "parse", b.bad.text, b.bad.text_size);
                j->rows++;
                j->bad++;
            }
            data += b.consumed;
            size -= b.consumed;
        } while (b.more);
    }
    rk_csv_close(reader);
}

static rk_u64 now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

/* The account of each kernel, and whether all of it adds up. */
static bool account(job *j)
{
    rk_u64 dead = 0, arrives = j->sent;
    bool balanced = j->rows == j->sent + j->bad && j->unknown == 0;
    for (int k = 0; k < KERNELS; k++) {
        rk_account a;
        for (rk_u64 until = now_ns() + LETTERS_WITHIN_NS;;) {
            RK_CHECK(rk_account_of(j->runtime, j->kernel[k], &a));
            if (a.dead_letters >= a.dead + a.dead_sends || now_ns() > until) break;
            nanosleep(&(struct timespec){ 0, 200000 }, 0);
        }
        printf("%-10s accepted %llu = delivered %llu + dead %llu + evicted %llu + expired %llu + lost %llu + "
               "queued %llu\n",
               names[k], (unsigned long long)a.accepted, (unsigned long long)a.delivered,
               (unsigned long long)a.dead, (unsigned long long)a.evicted, (unsigned long long)a.expired,
               (unsigned long long)a.lost, (unsigned long long)a.queued);
        balanced = balanced && a.balanced && !a.lost && !a.queued && !a.evicted && !a.expired &&
                   !a.dead_sends && a.accepted == arrives;
        dead += a.dead;
        arrives = a.delivered;
        if (k == AGGREGATE) balanced = balanced && a.output_received == j->lines;
    }
    pthread_mutex_lock(&letters_lock);
    balanced = balanced && letter_count == j->bad + dead;
    printf("%llu rows, %llu lines, %zu dead letters: %s\n", (unsigned long long)j->rows,
           (unsigned long long)j->lines, letter_count, balanced ? "balanced" : "NOT balanced");
    pthread_mutex_unlock(&letters_lock);
    return balanced;
}

static int run(const char *backend, const char *input, const char *output, const char *dead)
{
    job j = { 0 };
    rk_runtime_options o = { RK_RUNTIME_OPTIONS,
                             .backend = strcmp(backend, "cpu") == 0 ? RK_BACKEND_CPU : RK_BACKEND_CUDA,
                             .slices = strcmp(backend, "cuda-slices") == 0 };
    pthread_t collector;
    rk_status status = rk_open(&o, &j.runtime);
    if (status != RK_OK) {
        fprintf(stderr, "flights: %s", rk_error_text());
        return status == RK_UNSUPPORTED ? 77 : 1;
    }
    FILE *from = strcmp(input, "-") == 0 ? stdin : fopen(input, "r");
    if (!from) stop(input);
    if (!(j.output = fopen(output, "w"))) stop(output);
    launch(&j);
    rk_u64 begin = now_ns();
    if (pthread_create(&collector, 0, collect, &j)) stop("a thread");
    feed(&j, from, input);
    RK_CHECK(rk_drain(j.runtime, j.kernel, KERNELS, PATIENCE_NS));
    pthread_join(collector, 0);
    double seconds = (double)(now_ns() - begin) * 1e-9;
    if (fclose(j.output)) stop(output);
    bool balanced = account(&j);
    printf("%.3f s\n", seconds);
    write_letters(dead);
    RK_CHECK(rk_close(j.runtime));
    return balanced ? 0 : 1;
}

/* ------------------------------------------------------------------ rows */

static rk_u64 next_random(rk_u64 *state) { return rk_hash64(*state += 0x9e3779b97f4a7c15ul); }

/* What stands before a row's values, and at its end: a damaged row is no row, or no flight. */
typedef struct marks {
    const char *seq, *hour, *distance, *delay, *end;
} marks;
static const marks whole = { "", "", "", "", "" };
static const marks damaged[] = {
    { "x", "", "", "", "" }, { "\"", "", "", "", "" },   { "", " ", "", "", "" },  { "", "3", "", "", "" },
    { "", "", "-", "", "" }, { "", "", "1000", "", "" }, { "", "", "\n", "", "" }, { "", "", "", "9000", "" },
    { "", "", "", "+", "" }, { "", "", "", "", ",1" },   { "", "", "", "", "e1" }, { "", "-", "", "", "" },
};
#define DAMAGED (sizeof damaged / sizeof *damaged)

/* Rows in order of the hour, of which one in a hundred is damaged. */
static int make(rk_u64 rows, rk_u64 seed)
{
    puts("seq,hour,distance_mi,delay_min");
    for (rk_u64 i = 0; i < rows; i++) {
        rk_u64 random = next_random(&seed);
        const marks *m = (random >> 33) % 100u == 0 ? &damaged[(random >> 48) % DAMAGED] : &whole;
        int distance = 30 + (int)(random % 2700u), delay = -20 + (int)(random >> 12 & 63u);
        if ((random >> 20) % 5u == 0) delay += (int)(random >> 24 & 511u);
        printf("%s%llu,%s%u.%02u,%s%d,%s%d%s\n", m->seq, (unsigned long long)i, m->hour,
               (unsigned)(i / 100 % 24), (unsigned)(i % 100), m->distance, distance, m->delay, delay, m->end);
    }
    return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--make") == 0)
        return make(strtoull(argv[2], 0, 10), strtoull(argv[3], 0, 10));
    if (argc == 5 &&
        (strcmp(argv[1], "cpu") == 0 || strcmp(argv[1], "cuda") == 0 || strcmp(argv[1], "cuda-slices") == 0))
        return run(argv[1], argv[2], argv[3], argv[4]);
    fprintf(stderr, "usage: flights {cpu|cuda|cuda-slices} INPUT OUTPUT DEAD | flights --make ROWS SEED\n");
    return 2;
}
