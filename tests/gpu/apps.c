/* The app of an example through the public C interface alone, on a backend of choice: what `rk run` makes of the same
 * rows, byte for byte, without the libraries of `rk`. scripts/gpu-check compares backends by it. Each example is a
 * program of its own, app_NAME, built with RK_APP="NAME" and the kernels of that example.
 *
 *     app_NAME BACKEND INPUT OUTPUT DEAD [SHARDS]    BACKEND one of the table below; INPUT a CSV, - for
 *                                                    standard input; OUTPUT and DEAD are written, as NDJSON;
 *                                                    SHARDS of the kernels that have several
 *
 * The account goes to standard output. The exit status is 1 if it doesn't balance or anything failed, and 77
 * where the backend isn't there. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ringkernel/ringkernel.h>
#include <ringkernel/text.h>

#include "../opencl_device.h"

#define BATCH 512u
#define PIECE (64u << 10)               /* bytes read at a time */
#define PATIENCE_NS RK_SECONDS(30)      /* without any progress */
#define LETTERS_WITHIN_NS RK_SECONDS(5) /* after the drain: they come through the service thread */

static void stop(const char *what)
{
    fprintf(stderr, "app_" RK_APP ": %s: %s\n", what, strerror(errno));
    exit(1);
}

static rk_u64 now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

/* ------------------------------------------------------------------ the apps */

#define KERNELS_MOST 4u
#define ROUTES_MOST 6u
#define TYPES 65536u
#define ROW_ID \
    (1ull << 63) /* marks a message's id as the number of a row, which ids that handlers give are not */

/* What an app file says, as far as it isn't what options are anyway. The first kernel gets the rows. */
typedef struct app {
    const char *name;
    const char *row;    /* the message type of a row */
    const char *output; /* the kernel that sends the lines */
    struct app_kernel {
        const char *name;
        rk_u32 shards, actors, capacity, priority;
        rk_u64 send_deadline_ns;
    } kernel[KERNELS_MOST];
    struct app_route {
        const char *from, *route, *to;
        rk_u32 mode;
        const char *key;
    } route[ROUTES_MOST];
} app;

static const app apps[] = {
    { "flight-delays",
      "flight",
      "aggregate",
      { { "validate" }, { "enrich" }, { "aggregate" } },
      { { "validate", 0, "enrich" }, { "enrich", 0, "aggregate" } } },
    { "pagerank",
      "edge",
      "rank",
      { { "spread" }, { "rank", .shards = 4 } },
      { { "spread", 0, "rank" },
        { "spread", "begin", "rank", .mode = RK_ROUTE_ALL },
        { "rank", 0, "rank" } } },
    { "weather-watch",
      "reading",
      "watch",
      { { "check" }, { "compare", .actors = 24 }, { "watch" } },
      { { "check", 0, "compare", .mode = RK_ROUTE_KEY, .key = "hour_of_day" }, { "compare", 0, "watch" } } },
    { "order-matching",
      "entry",
      "book",
      { { "gate", .send_deadline_ns = RK_NO_DEADLINE },
        { "sequence", .capacity = 64, .priority = 1, .send_deadline_ns = RK_NO_DEADLINE },
        { "book" } },
      { { "gate", 0, "sequence" }, { "sequence", 0, "book" } } },
    { "prime-count",
      "range",
      "scatter",
      { { "scatter" }, { "count", .shards = 4 } },
      { { "scatter", "parts", "count" }, { "count", 0, "scatter" } } },
    { "mandelbrot",
      "tile",
      "draw",
      { { "deal" }, { "draw", .shards = 4 } },
      { { "deal", 0, "draw" },
        { "deal", "everyone", "draw", .mode = RK_ROUTE_ALL },
        { "draw", 0, "draw" } } },
    { "connections",
      "flies",
      "assign",
      { { "atlas" }, { "assign" }, { "search", .shards = 4 } },
      { { "atlas", "everyone", "search", .mode = RK_ROUTE_ALL },
        { "assign", 0, "search" },
        { "assign", "everyone", "search", .mode = RK_ROUTE_ALL },
        { "search", 0, "assign" } } },
    { "life",
      "cell",
      "census",
      { { "seed" }, { "strip", .shards = 4 }, { "census" }, { "keeper" } },
      { { "seed", 0, "strip" },
        { "seed", "everyone", "strip", .mode = RK_ROUTE_ALL },
        { "strip", 0, "strip" },
        { "strip", "barrier", "keeper" },
        { "census", "barrier", "keeper" },
        { "strip", "told", "census" } } },
};

static const app *find_app(void)
{
    const app *a = apps;
    while (strcmp(a->name, RK_APP) != 0) a++; /* the build names one of them */
    return a;
}

/* ------------------------------------------------------------------ dead letters, by their rows */

typedef struct letter {
    rk_u64 row;         /* ~0: it is of no row */
    const char *reason; /* lives as long as the runtime */
    char *text;         /* as JSON needs it between quotes */
    size_t size;
} letter;

static pthread_mutex_t letters_lock = PTHREAD_MUTEX_INITIALIZER;
static letter *letters;
static size_t letter_count, letter_room;
static const rk_schema *schemas[TYPES]; /* by type id: a callback may not ask the runtime */

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

/* By whichever thread. */
static void take_letter(void *user, const rk_dead_letter *dead)
{
    char json[4096];
    (void)user;
    size_t size = rk_json_print(schemas[dead->type], dead->payload, dead->length, json, sizeof json);
    add_letter(dead->id & ROW_ID ? dead->id & ~ROW_ID : ~0ull, dead->reason, json,
               size < sizeof json ? size : sizeof json);
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
        char row[24] = "null";
        if (letters[i].row != ~0ull) snprintf(row, sizeof row, "%llu", (unsigned long long)letters[i].row);
        fprintf(to, "{\"row\":%s,\"reason\":\"%s\",\"text\":\"", row, letters[i].reason);
        fwrite(letters[i].text, 1, letters[i].size, to);
        fputs("\"}\n", to);
        free(letters[i].text);
    }
    if (fclose(to)) stop(path);
    free(letters);
}

/* ------------------------------------------------------------------ the job */

typedef struct job {
    const app *app;
    rk_runtime *runtime;
    rk_u32 kernels;
    rk_kernel kernel[KERNELS_MOST];
    FILE *output;
    rk_u32 shards; /* 0: as many as the app has */
    rk_u64 rows, bad, sent, lines;
    rk_u64 first_ns, last_ns; /* of the lines */
} job;

static rk_kernel kernel_named(const job *j, const char *name)
{
    rk_kernel kernel;
    RK_CHECK(rk_find(j->runtime, name, &kernel));
    return kernel;
}

static void launch(job *j)
{
    for (; j->kernels < KERNELS_MOST && j->app->kernel[j->kernels].name; j->kernels++) {
        const struct app_kernel *k = &j->app->kernel[j->kernels];
        rk_launch_options o = rk_production();
        o.deduplication_window = 0;
        o.requests = 1;                                      /* long headers: they carry the row's number */
        o.single_producer = j->kernels == 0 && !k->priority; /* whose lanes have a lock */
        o.on_dead_letter = take_letter;
        if (k->shards) o.shards = o.blocks = j->shards ? j->shards : k->shards;
        if (k->actors) o.actors = k->actors;
        if (k->capacity) o.queue_capacity = k->capacity;
        o.priority = k->priority;
        if (k->send_deadline_ns) o.send_deadline_ns = k->send_deadline_ns;
        RK_CHECK(rk_launch(j->runtime, k->name, &o, &j->kernel[j->kernels]));
    }
    for (const struct app_route *r = j->app->route; r < j->app->route + ROUTES_MOST && r->from; r++) {
        rk_route_options o = { RK_ROUTE_OPTIONS, .mode = r->mode, .key_field = r->key };
        RK_CHECK(rk_connect(j->runtime, kernel_named(j, r->from), r->route, kernel_named(j, r->to), &o));
    }
    for (rk_u32 type = 0; type < TYPES; type++) schemas[type] = rk_find_schema_of_type(j->runtime, type);
    for (rk_u32 k = 0; k < j->kernels; k++) RK_CHECK(rk_activate(j->runtime, j->kernel[k]));
}

/* Takes what comes out, until nothing more will. */
static void *collect(void *argument)
{
    job *j = argument;
    static char bodies[BATCH][RK_INLINE_MAX];
    static rk_received infos[BATCH];
    static char line[4096];
    rk_kernel last = kernel_named(j, j->app->output);
    for (;;) {
        size_t count = 0;
        rk_status status = rk_receive_many(j->runtime, last, bodies, sizeof *bodies, BATCH, infos,
                                           RK_MILLISECONDS(100), &count);
        if (status != RK_OK && status != RK_TIMED_OUT && status != RK_EMPTY) return 0;
        j->last_ns = count ? now_ns() : j->last_ns;
        if (!j->lines) j->first_ns = j->last_ns;
        for (size_t i = 0; i < count; i++) {
            size_t size =
                rk_json_print(schemas[infos[i].type], bodies[i], infos[i].length, line, sizeof line);
            if (size >= sizeof line) stop("a line");
            fwrite(line, 1, size, j->output);
            fputc('\n', j->output);
            j->lines++;
        }
    }
}

/* Every row of the batch is accepted, or the job ends here. */
static void send_batch(job *j, const rk_schema *schema, const rk_row_batch *b)
{
    const char *rows = b->messages;
    rk_send_options s = RK_SEND_DEFAULTS;
    s.id = b->first_row | ROW_ID;
    s.timeout_ns = PATIENCE_NS;
    for (size_t done = 0, accepted; done < b->count; done += accepted, s.id += accepted) {
        accepted = 0;
        rk_status status =
            rk_send_many(j->runtime, j->kernel[0], (rk_u16)schema->type, rows + done * schema->size,
                         schema->size, b->count - done, &s, &accepted);
        if (status != RK_OK && (status != RK_TIMED_OUT || !accepted))
            rk_die(status, "rk_send_many", __FILE__, __LINE__);
    }
    j->rows += b->count;
    j->sent += b->count;
}

static void feed(job *j, FILE *input, const char *name)
{
    const rk_schema *schema = rk_find_schema(j->runtime, j->app->row);
    static char piece[PIECE];
    rk_csv_reader *reader;
    rk_row_batch b = { .messages = calloc(BATCH, schema->size), .room = BATCH };
    if (!b.messages) stop("rows");
    RK_CHECK(rk_csv_open(schema, &reader));
    for (bool last = false; !last;) {
        size_t size = fread(piece, 1, sizeof piece, input);
        const char *data = piece;
        if (ferror(input)) stop(name);
        last = feof(input);
        do {
            rk_status status = rk_csv_next(reader, data, size, last, &b);
            if (status != RK_OK) {
                fprintf(stderr, "app_" RK_APP ": %s: %s\n", name,
                        b.bad.why ? b.bad.why : rk_status_text(status));
                exit(1);
            }
            if (b.count) send_batch(j, schema, &b);
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
    free(b.messages);
}

/* The account of each kernel, and whether all of it adds up. */
static bool account(job *j)
{
    rk_u64 dead = 0, between = 0, arrived = 0, output = 0;
    bool balanced = j->rows == j->sent + j->bad;
    for (rk_u32 k = 0; k < j->kernels; k++) {
        rk_account a;
        for (rk_u64 until = now_ns() + LETTERS_WITHIN_NS;;) {
            RK_CHECK(rk_account_of(j->runtime, j->kernel[k], &a));
            if (a.dead_letters >= a.dead + a.dead_sends || now_ns() > until) break;
            nanosleep(&(struct timespec){ 0, 200000 }, 0);
        }
        printf("%-10s accepted %llu = delivered %llu + dead %llu + evicted %llu + expired %llu + lost %llu + "
               "queued %llu\n",
               j->app->kernel[k].name, (unsigned long long)a.accepted, (unsigned long long)a.delivered,
               (unsigned long long)a.dead, (unsigned long long)a.evicted, (unsigned long long)a.expired,
               (unsigned long long)a.lost, (unsigned long long)a.queued);
        balanced = balanced && a.balanced && !a.lost && !a.queued && !a.evicted && !a.expired &&
                   !a.dead_sends && a.accepted_host == (k == 0 ? j->sent : 0);
        dead += a.dead;
        between += a.sent - a.output_accepted;
        arrived += a.accepted_device;
        output += a.output_received;
    }
    pthread_mutex_lock(&letters_lock);
    balanced = balanced && between == arrived && output == j->lines && letter_count == j->bad + dead;
    printf("%llu rows, %llu lines, %zu dead letters: %s\n", (unsigned long long)j->rows,
           (unsigned long long)j->lines, letter_count, balanced ? "balanced" : "NOT balanced");
    pthread_mutex_unlock(&letters_lock);
    return balanced;
}

/* 0: it was before, or never. */
static double seconds_since(rk_u64 begin_ns, rk_u64 end_ns)
{
    return end_ns > begin_ns ? (double)(end_ns - begin_ns) * 1e-9 : 0;
}

static const struct {
    const char *name;
    rk_u32 backend, slices, copies;
} ways[] = { { "cpu", RK_BACKEND_CPU, 0, 0 },
             { "cuda", RK_BACKEND_CUDA, 0, 0 },
             { "cuda-slices", RK_BACKEND_CUDA, 1, 0 },
             { "opencl", RK_BACKEND_OPENCL, 0, 0 },
             { "opencl-slices", RK_BACKEND_OPENCL, 1, 1 } };
#define WAYS (sizeof ways / sizeof *ways)

static int run(size_t way, const char *input, const char *output, const char *dead, rk_u32 shards)
{
    job j = { .app = find_app(), .shards = shards };
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = ways[way].backend, .slices = ways[way].slices };
    if (o.backend == RK_BACKEND_OPENCL) o.device = opencl_device();
    if (ways[way].copies) setenv("RK_OPENCL_WITHOUT", "shared atomics", 1);
    pthread_t collector;
    rk_status status = rk_open(&o, &j.runtime);
    if (status != RK_OK) {
        fprintf(stderr, "app_" RK_APP ": %s", rk_error_text());
        return status == RK_UNSUPPORTED ? 77 : 1;
    }
    FILE *from = strcmp(input, "-") == 0 ? stdin : fopen(input, "r");
    if (!from) stop(input);
    if (!(j.output = fopen(output, "w"))) stop(output);
    launch(&j);
    rk_u64 begin = now_ns();
    if (pthread_create(&collector, 0, collect, &j)) stop("a thread");
    feed(&j, from, input);
    rk_u64 fed = now_ns();
    RK_CHECK(rk_drain(j.runtime, j.kernel, j.kernels, PATIENCE_NS));
    pthread_join(collector, 0);
    double seconds = (double)(now_ns() - begin) * 1e-9;
    if (fclose(j.output)) stop(output);
    bool balanced = account(&j);
    printf("%.3f s; from the last row to the first line %.6f s, to the last one %.6f s\n", seconds,
           seconds_since(fed, j.first_ns), seconds_since(fed, j.last_ns));
    write_letters(dead);
    RK_CHECK(rk_close(j.runtime));
    return balanced ? 0 : 1;
}

int main(int argc, char **argv)
{
    for (size_t w = 0; (argc == 5 || argc == 6) && w < WAYS; w++)
        if (strcmp(argv[1], ways[w].name) == 0)
            return run(w, argv[2], argv[3], argv[4], argc == 6 ? (rk_u32)strtoul(argv[5], 0, 10) : 0);
    fprintf(stderr, "usage: app_" RK_APP " BACKEND INPUT OUTPUT DEAD [SHARDS]; BACKEND is one of");
    for (size_t w = 0; w < WAYS; w++) fprintf(stderr, " %s", ways[w].name);
    fprintf(stderr, "\n");
    return 2;
}
