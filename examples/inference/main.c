/* Serves the network: loads its weights as messages, has it read all images, and then measures how long an
 * image waits for its answer with batches of different sizes. */
#include "digits.rk.h"

#define PROGRAM "inference"
#define USAGE \
    PROGRAM " [--backend NAME] [--workers N] [--images N] [--batch N] WEIGHTS.csv IMAGES.csv ANSWERS.csv"
#include "host.h"

#define SHARDS 2u
#define ROWS_MAX 1024u /* rows of a file; images are all queued at once, and a lane has room for as many */
#define URGENT_OF 7u   /* every seventh image is urgent */
#define URGENT 255u    /* its priority: the highest band */
#define USUAL 128u     /* of the others: the one below, which a turn takes by 4 beside 8 urgent ones */
#define LOOK_NS RK_MILLISECONDS(50)
#define PATIENCE_NS RK_SECONDS(20)

typedef struct server {
    rk_runtime *runtime;
    rk_kernel network;
    weight_row *weights;
    image *images;
    rk_u32 weight_count, image_count;
    rk_u64 sent, received;
} server;

/* They all have to find room in a lane at once. */
static void *read_queueable(const char *path, const rk_schema *schema, rk_u32 *count)
{
    void *messages = read_rows(path, schema, count);
    if (*count > ROWS_MAX) stop(path, ROWS_MAX, "is the last that there is room for");
    return messages;
}

/* ------------------------------------------------------------------ the network */

/* What the kernel refused, and why. */
static void stop_refused(server *s)
{
    const char *reason;
    rk_u64 count;
    fprintf(stderr, "inference: nothing more comes:");
    for (rk_u32 i = 0; rk_dead_reason(s->runtime, s->network, i, &reason, &count) == RK_OK; i++)
        fprintf(stderr, " %llu messages refused: %s;", (unsigned long long)count, reason);
    fprintf(stderr, " %u rows of weights were sent\n", (unsigned)s->weight_count);
    exit(1);
}

/* Nothing is queued in either direction, and every dead letter has come. */
static bool is_at_rest(server *s)
{
    rk_account a;
    RK_CHECK(rk_account_of(s->runtime, s->network, &a));
    return !a.queued && !a.output_queued && a.dead_letters >= a.dead;
}

/* Waits for a message. One that was just on its way while we looked is there at the second look. */
static void receive(server *s, void *message, size_t size)
{
    rk_status status;
    for (rk_u32 looks = 0;
         (status = rk_receive(s->runtime, s->network, message, size, 0, LOOK_NS)) == RK_TIMED_OUT;)
        if ((looks = is_at_rest(s) ? looks + 1u : 0u) == 2) stop_refused(s);
    RK_CHECK(status);
}

/* Each shard has the weights in its state, so each gets all of them. */
static void load(server *s)
{
    for (rk_u32 shard = 0; shard < SHARDS; shard++) {
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = shard;
        RK_CHECK(rk_send_many(s->runtime, s->network, RK_TYPE_ID(weight_row), s->weights, sizeof *s->weights,
                              s->weight_count, &to, 0));
    }
    for (rk_u32 shard = 0; shard < SHARDS; shard++) {
        loaded all;
        receive(s, &all, sizeof all);
    }
}

static void launch(server *s, rk_u32 batch)
{
    rk_launch_options o = rk_production();
    o.shards = SHARDS;
    o.priority = 1;
    o.deduplication_window = 0;
    o.max_batch = batch;
    RK_CHECK(rk_launch(s->runtime, "digits", &o, &s->network));
    RK_CHECK(rk_activate(s->runtime, s->network));
    load(s);
    s->sent = s->received = 0;
}

static bool is_urgent(rk_u64 number) { return number % URGENT_OF == 0; }

/* Any shard will do, so they take turns. */
static void send_image(server *s, rk_u32 number)
{
    image next = s->images[number % s->image_count];
    rk_send_options to = RK_SEND_DEFAULTS;
    next.number = number;
    to.target = number;
    to.priority = is_urgent(number) ? URGENT : USUAL;
    RK_CHECK(rk_send(s->runtime, s->network, RK_BODY(next), &to));
    s->sent++;
}

static void receive_guess(server *s, guess *answer)
{
    receive(s, answer, sizeof *answer);
    s->received++;
}

/* Ends the kernel. Everything that went in has come out, or the program has failed. */
static void finish(server *s, rk_account *a)
{
    rk_u64 expected = s->sent + (rk_u64)SHARDS * s->weight_count;
    RK_CHECK(rk_drain(s->runtime, &s->network, 1, PATIENCE_NS));
    RK_CHECK(rk_account_of(s->runtime, s->network, a));
    if (!a->balanced || a->delivered != expected || a->output_received != s->received + SHARDS ||
        s->received != s->sent) {
        fprintf(stderr, "inference: NOT balanced: %llu of %llu delivered, %llu of %llu answered\n",
                (unsigned long long)a->delivered, (unsigned long long)expected,
                (unsigned long long)s->received, (unsigned long long)s->sent);
        exit(1);
    }
    RK_CHECK(rk_terminate(s->runtime, s->network, PATIENCE_NS));
}

/* ------------------------------------------------------------------ reading all images */

/* All images wait when the network starts, so the order of the answers shows what urgent ones gain. */
static void read_images(server *s, rk_u32 batch, const char *path)
{
    char line[1024];
    rk_u32 right = 0;
    rk_account a;
    FILE *file = fopen(path, "w");
    if (!file) stop(path, 0, "can't be written");
    launch(s, batch);
    RK_CHECK(rk_deactivate(s->runtime, s->network));
    for (rk_u32 i = 0; i < s->image_count; i++) send_image(s, i);
    RK_CHECK(rk_activate(s->runtime, s->network));

    fprintf(file, "%.*s\n", (int)rk_csv_print_head(RK_SCHEMA(guess), line, sizeof line), line);
    for (rk_u32 i = 0; i < s->image_count; i++) {
        guess answer;
        receive_guess(s, &answer);
        right += answer.digit == answer.label;
        fprintf(file, "%.*s\n",
                (int)rk_csv_print(RK_SCHEMA(guess), &answer, sizeof answer, line, sizeof line), line);
    }
    if (fclose(file)) stop(path, 0, "can't be written");
    finish(s, &a);
    printf("%u of %u images read right\n", (unsigned)right, (unsigned)s->image_count);
    print_account(&a, true);
}

/* ------------------------------------------------------------------ latency */

static int by_size(const void *a, const void *b)
{
    rk_u64 x = *(const rk_u64 *)a, y = *(const rk_u64 *)b;
    return x < y ? -1 : x > y;
}

/* Microseconds that so many of a hundred stay within. Sorts. */
static double percentile_us(rk_u64 *waits_ns, size_t count, unsigned percent)
{
    qsort(waits_ns, count, sizeof *waits_ns, by_size);
    size_t at = (count - 1) * percent / 100;
    return (double)waits_ns[at] * 1e-3;
}

/* Each shard has a batch at work and one that waits: a new image for each answer. */
static void measure(server *s, rk_u32 batch, rk_u32 images)
{
    rk_u64 under_way = 2u * SHARDS * (rk_u64)batch;
    rk_u64 *sent_ns = zeros(images, sizeof *sent_ns), *waits[2], counts[2] = { 0, 0 }, batches = 0;
    rk_account a;
    for (int urgent = 0; urgent < 2; urgent++) waits[urgent] = zeros(images, sizeof **waits);
    launch(s, batch);
    rk_u64 begin_ns = rk_clock_ns(s->runtime);
    while (s->received < images) {
        guess answer;
        for (; s->sent < images && s->sent < s->received + under_way; send_image(s, (rk_u32)s->sent))
            sent_ns[s->sent] = rk_clock_ns(s->runtime);
        receive_guess(s, &answer);
        bool urgent = is_urgent(answer.number);
        waits[urgent][counts[urgent]++] = rk_clock_ns(s->runtime) - sent_ns[answer.number];
        batches += answer.batch;
    }
    double seconds = (double)(rk_clock_ns(s->runtime) - begin_ns) * 1e-9;
    finish(s, &a);
    printf("%5u %12.1f %14.0f %10.0f %10.0f %10.0f %10.0f   balanced\n", (unsigned)batch,
           (double)batches / images, images / seconds, percentile_us(waits[0], counts[0], 50),
           percentile_us(waits[0], counts[0], 99), percentile_us(waits[1], counts[1], 50),
           percentile_us(waits[1], counts[1], 99));
    free(sent_ns);
    free(waits[0]);
    free(waits[1]);
}

int main(int argc, char **argv)
{
    static const rk_u32 batches[] = { 1, 4, 16, MOST_BATCH };
    rk_runtime_options runtime = { RK_RUNTIME_OPTIONS };
    rk_u64 wanted = 20000, only = 0;
    const number_option options[] = { { "--images", &wanted }, { "--batch", &only }, { 0 } };
    char **files = read_arguments(argc, argv, 3, options, &runtime);
    rk_u32 measured = (rk_u32)wanted, batch = (rk_u32)only;
    server s = { 0 };
    if (measured < URGENT_OF) stop_usage();
    s.weights = read_queueable(files[0], RK_SCHEMA(weight_row), &s.weight_count);
    s.images = read_queueable(files[1], RK_SCHEMA(image), &s.image_count);
    s.runtime = open_runtime(&runtime);
    read_images(&s, batch ? batch : RK_FROM_KERNEL, files[2]);
    printf("\nbatch  mean batch  images/second  p50 µs     p99 µs     urgent p50 urgent p99   of %u images "
           "on %s\n",
           (unsigned)measured, rk_backend_name(s.runtime));
    if (batch)
        measure(&s, batch, measured);
    else
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) measure(&s, batches[i], measured);
    RK_CHECK(rk_close(s.runtime));
    free(s.weights);
    free(s.images);
    return 0;
}
