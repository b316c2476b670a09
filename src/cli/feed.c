/* Rows of the source become messages of the first kernel, in batches straight from the reader.
 *
 * Each message carries its row's number as its id, so that a dead letter names the row. Every row that was
 * read ends up in exactly one count: bad, sent, refused or, when the job is stopped, unsent. */
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "command.h"
#include "interrupt.h"
#include "job_checkpoints.h"
#include "ringkernel/device/publish.h"
#include "ringkernel/text.h"
#include "ringkernel/text_json.h"

#define BATCH 512u
#define BATCH_BYTES (4u << 20) /* large messages: fewer of them at a time */
#define SHOW_MS 100            /* how often progress is looked at while the source has nothing */

typedef struct feeder {
    job *j;
    rk_csv_reader *csv;
    rk_json_reader *json;
    rk_row_batch batch;
    rk_kernel to;
    /* How the route picks the shard; a plain one sends whole batches to target 0. */
    rk_u32 mode, shards, actors, turn;
    rk_u32 fixed;
    const rk_field *key;
    rk_u64 seen;  /* rows of the source, those that a checkpoint has as well */
    bool begun;   /* the outputs are this job's: what they had before is gone */
    bool stopped; /* the first kernel takes no more, or the job gave up */
} feeder;

/* ------------------------------------------------------------------ rows that a checkpoint has */

void job_rows_begin(job *j)
{
    j->rows_sum = XXH3_createState();
    if (!j->rows_sum) abort();
    XXH3_64bits_reset(j->rows_sum);
}

void job_rows_end(job *j)
{
    XXH3_freeState(j->rows_sum);
    j->rows_sum = NULL;
}

rk_u64 job_rows_sum(const job *j) { return XXH3_64bits_digest(j->rows_sum); }

static void sum_rows(feeder *f, rk_u32 first, rk_u32 end)
{
    const rk_row_batch *b = &f->batch;
    const char *messages = b->messages;
    size_t size = f->j->schema->size;
    f->seen += end - first;
    if (!f->j->rows_sum || first == end) return;
    if (!b->sizes) XXH3_64bits_update(f->j->rows_sum, messages + first * size, (end - first) * size);
    for (rk_u32 i = first; i < end && b->sizes; i++)
        XXH3_64bits_update(f->j->rows_sum, messages + i * size, b->sizes[i]);
}

/* The last row that the checkpoint has is here: were they all the same? */
static bool are_known(const feeder *f)
{
    const job *j = f->j;
    if (f->seen != j->restored_rows || job_rows_sum(j) == j->restored_sum) return true;
    command_error("%s: its first %" PRIu64
                  " rows are not those of the checkpoint: give the same input, or say "
                  "--no-restore to begin anew",
                  source_name(j->from), (uint64_t)j->restored_rows);
    return false;
}

/* Rows [0, *passed) of the batch were accepted before the checkpoint. False: they are others (told). */
static bool pass_known(feeder *f, rk_u32 *passed)
{
    rk_u64 left = f->seen < f->j->restored_rows ? f->j->restored_rows - f->seen : 0;
    *passed = left < f->batch.count ? (rk_u32)left : f->batch.count;
    f->turn += *passed;
    sum_rows(f, 0, *passed);
    return *passed == 0 || are_known(f);
}

/* ------------------------------------------------------------------ sending */

/* What a refused message is told as: its strategy let it go, which is the app's wish, but not silently. */
static void refuse(feeder *f, const char *message, size_t size, rk_u64 row, rk_status status)
{
    letter one = { .row = row,
                   .reason = rk_status_name(status),
                   .type = f->j->schema->type,
                   .size = (uint32_t)size,
                   .body = message };
    letters_add(f->j->letters, &one);
    f->j->fed.refused++;
}

/* Sends messages of consecutive rows to one target, until each is accepted, refused, or the job stops. */
static void send_rows(feeder *f, const char *messages, size_t size, size_t count, rk_u64 first_row,
                      rk_u32 target)
{
    job *j = f->j;
    rk_send_options options = { .target = target, .id = JOB_ROW_ID | first_row, .timeout_ns = JOB_SLICE_NS };
    for (rk_u32 round = 0; count > 0 && !f->stopped; round++) {
        size_t accepted = 0;
        rk_status status = rk_send_many(j->runtime, f->to, (rk_u16)j->schema->type, messages, size, count,
                                        &options, &accepted);
        j->fed.sent += accepted;
        options.id += accepted;
        messages += accepted * size;
        count -= accepted;
        if (accepted) round = 0;
        if (status == RK_OK) continue;
        if (status == RK_FULL || status == RK_TIMED_OUT || status == RK_BUSY) {
            /* Room will come: nothing of the input is lost for want of it. Under Reject nobody waits for us
             * in the library. */
            if (status == RK_FULL)
                round < 64 ? sched_yield() : nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
            f->stopped = !job_watch(j);
        } else if (status == RK_CLOSED || status == RK_STALE || status == RK_FAILED ||
                   status == RK_QUARANTINED) {
            f->stopped = true;
            job_watch(j); /* tells why */
        } else {
            refuse(f, messages, size, options.id & ~JOB_ROW_ID, status);
            options.id++;
            messages += size;
            count--;
        }
    }
    j->fed.unsent += count;
}

static rk_u32 target_of(feeder *f, const char *message)
{
    if (f->mode == RK_ROUTE_FIXED) return f->fixed;
    if (f->mode == RK_ROUTE_TURN) return f->turn++ % f->shards;
    if (f->mode != RK_ROUTE_KEY) return 0;
    return rk_key_target(rk_read_key((const rk_u8 *)message, f->key->offset, f->key->size), f->actors);
}

/* Rows [first, count) of the batch, which follow each other. */
static void send_batch(feeder *f, rk_u32 first)
{
    const rk_row_batch *b = &f->batch;
    const char *messages = b->messages;
    size_t size = f->j->schema->size;
    rk_u32 count = b->count - first;
    f->j->fed.rows += count;
    sum_rows(f, first, b->count);
    if (f->mode == RK_ROUTE_ALL) {
        for (rk_u32 shard = 0; shard < f->shards; shard++)
            send_rows(f, messages + first * size, size, count, b->first_row + first, shard);
    } else if (!b->sizes && (f->mode == RK_ROUTE_TARGET || f->mode == RK_ROUTE_FIXED)) {
        send_rows(f, messages + first * size, size, count, b->first_row + first, f->fixed);
    } else {
        for (rk_u32 i = first; i < b->count; i++)
            send_rows(f, messages + i * size, b->sizes ? b->sizes[i] : size, 1, b->first_row + i,
                      target_of(f, messages + i * size));
    }
}

/* False: the checkpoint has another row here (told). */
static bool bad_row(feeder *f)
{
    const rk_bad_row *bad = &f->batch.bad;
    if (f->j->rows_sum) XXH3_64bits_update(f->j->rows_sum, bad->text, bad->text_size);
    if (f->seen++ < f->j->restored_rows) return are_known(f);
    letter one = { .row = bad->row, .reason = "parse", .size = (uint32_t)bad->text_size, .body = bad->text };
    letters_add(f->j->letters, &one);
    f->j->fed.rows++;
    f->j->fed.bad++;
    return true;
}

/* ------------------------------------------------------------------ reading */

/* The rows can be read: what earlier jobs have left in the outputs goes. */
static void begin_outputs(feeder *f)
{
    if (f->begun) return;
    f->begun = true;
    sink_empty(&f->j->to);
    writer_empty(&f->j->letters_out);
    writer_empty(&f->j->summary_out);
}

/* One piece of the source. False: the rows can't be read (told). */
static bool feed_piece(feeder *f, const char *data, size_t size, bool last)
{
    job *j = f->j;
    do {
        rk_status status = f->csv ? rk_csv_next(f->csv, data, size, last, &f->batch)
                                  : rk_json_next(f->json, data, size, last, &f->batch);
        if (status != RK_OK) {
            command_error("%s: %s", source_name(j->from),
                          status == RK_PARSE_FAILED && f->batch.bad.why ? f->batch.bad.why
                                                                        : rk_status_text(status));
            return false;
        }
        rk_u32 passed;
        if (f->batch.count || f->batch.failed) begin_outputs(f);
        if (!pass_known(f, &passed)) return false;
        if (passed < f->batch.count) send_batch(f, passed);
        if (f->batch.failed && !bad_row(f)) return false;
        if (!f->stopped) checkpoints_if_due(j);
        data += f->batch.consumed;
        size -= f->batch.consumed;
        /* What isn't parsed when the job stops was not read. */
        if (interrupt_asked() || atomic_load_explicit(&j->output_failed, memory_order_relaxed)) return true;
    } while (f->batch.more && !f->stopped);
    return true;
}

static int read_all(feeder *f)
{
    job *j = f->j;
    bool last = false;
    while (!last && !f->stopped && !interrupt_asked()) {
        const char *data;
        size_t size;
        checkpoints_if_due(j);
        if (!job_watch(j) || atomic_load(&j->output_failed))
            return RK_EXIT_OK; /* whoever stopped it has told why */
        switch (source_read(j->from, &data, &size, &last, SHOW_MS)) {
        case SOURCE_NOTHING_YET: break;
        case SOURCE_STOPPED: last = true; break;
        case SOURCE_FAILED: command_error("%s", source_error(j->from)); return RK_EXIT_IO;
        case SOURCE_DATA:
            if (!feed_piece(f, data, size, last)) return RK_EXIT_IO;
            break;
        }
    }
    j->interrupted = interrupt_asked();
    if (!j->interrupted) begin_outputs(f); /* no row at all is fine, too */
    if (f->seen >= j->restored_rows || !last || f->stopped || j->interrupted) return RK_EXIT_OK;
    command_error("%s: has %" PRIu64 " rows, and the checkpoint has %" PRIu64
                  " of it: give the same input, or say "
                  "--no-restore to begin anew",
                  source_name(j->from), (uint64_t)f->seen, (uint64_t)j->restored_rows);
    return RK_EXIT_IO;
}

/* How rows find their shard: by the same rules as routes between kernels. */
static bool plan_route(feeder *f)
{
    job *j = f->j;
    const app_route *route = &j->app.file->routes[j->first_route];
    rk_kernel_info info;
    if (rk_kernel_information(j->runtime, f->to, &info) != RK_OK) return false;
    f->mode = route->key ? RK_ROUTE_KEY : route->target ? RK_ROUTE_FIXED : route->mode;
    f->fixed = route->target ? *route->target : 0;
    f->shards = info.shards;
    f->actors = info.actors;
    j->fed.copies = f->mode == RK_ROUTE_ALL ? info.shards : 1;
    f->key = route->key ? rk_schema_field(j->schema, route->key) : NULL;
    return true;
}

int feed_run(job *j)
{
    feeder f = { .j = j, .to = j->kernels[j->first].handle };
    if (!plan_route(&f)) return RK_EXIT_KERNEL;
    rk_status status =
        j->input_as == APP_FORMAT_CSV ? rk_csv_open(j->schema, &f.csv) : rk_json_open(j->schema, &f.json);
    int code = RK_EXIT_KERNEL;
    if (status == RK_OK) {
        f.batch.room = j->schema->size > BATCH_BYTES / BATCH ? BATCH_BYTES / j->schema->size + 1 : BATCH;
        /* A checkpoint is taken between batches, and none is to be larger than what lies between two. */
        rk_u64 every = j->checkpoints ? j->app.file->checkpoints.every_rows : 0;
        if (every && every < f.batch.room) f.batch.room = (rk_u32)every;
        f.batch.messages = command_allocate((size_t)f.batch.room * j->schema->size);
        if (j->schema->variable) f.batch.sizes = command_allocate(f.batch.room * sizeof *f.batch.sizes);
        code = read_all(&f);
    } else {
        command_error("rows of '%s' can't be read: %s", j->schema->name, rk_status_text(status));
    }
    free(f.batch.messages);
    free(f.batch.sizes);
    rk_csv_close(f.csv);
    rk_json_close(f.json);
    return code;
}
