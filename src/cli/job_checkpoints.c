/* Checkpoints of a job: which rows are accepted, which lines are written and which letters have come belongs
 * to the same cut as the kernels' states, so a job that is killed and started again ends with the file of one
 * that was not.
 *
 * The main thread takes them, between two batches of rows, so where the source stands is known. Output and
 * letters come by other threads: at the cut, when all kernels stand still, the note waits until what was
 * received is written. What is written behind a cut is cut off again when the job goes on from there. */
#include "job_checkpoints.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apart.h"
#include "command.h"
#include "letters_journal.h"
#include "ringkernel/checkpoint.h"

#define EVERY_MS_DEFAULT 1000u
#define NOTE_MAGIC 0x31544f4e4a4b52ull /* "RKJNOT1" */
#define TYPES 65536u

/* What a checkpoint says of the job, beside its kernels. */
typedef struct note {
    rk_u64 magic;
    feed_counts fed;
    rk_u64 rows_sum;
    sink_place output;
    letters_place letters;
    rk_u32 letters_kept, zero;
} note;

struct job_checkpoints {
    job *j;
    rk_checkpoints *store;
    char *folder, *journal;
    rk_u64 every_rows, every_ns;
    rk_u64 rows_then, taken_ns; /* at the last one */
    bool restored;
    note at;        /* of the one that was restored */
    bool unwritten; /* the last cut failed for the output or the journal, and that was told */
    rk_u64 failed_in_row;
};

/* ------------------------------------------------------------------ taking */

/* Whoever took messages out of a lane before the cut has written them. None is taken out meanwhile. */
static void wait_for_collectors(job *j)
{
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        rk_account account;
        if (rk_account_of(j->runtime, j->kernels[i].handle, &account) != RK_OK) continue;
        while (atomic_load_explicit(&j->kernels[i].collected, memory_order_acquire) < account.output_received)
            sched_yield();
    }
}

static size_t write_note(void *user, void *to, size_t room)
{
    job_checkpoints *c = user;
    job *j = c->j;
    note n = { .magic = NOTE_MAGIC,
               .fed = j->fed,
               .rows_sum = job_rows_sum(j),
               .letters_kept = j->dead_letters != NULL };
    wait_for_collectors(j);
    bool output = sink_cut(&j->to, &n.output), letters = letters_cut(j->letters, &n.letters);
    c->unwritten = !output || !letters;
    if (output && !letters) command_error("%s: can't be written: no checkpoint is taken", c->journal);
    if (c->unwritten) return room + 1; /* refused: it would say that something is on disk that isn't */
    memcpy(to, &n, sizeof n);
    return sizeof n;
}

/* A disk stays full for a while, and checkpoints may be due many times a second: the first that fails is told,
 * and the first that doesn't. */
static void tell_taken(job_checkpoints *c, rk_status status)
{
    if (status == RK_OK && c->failed_in_row)
        command_error("%s: checkpoints are taken again, after %" PRIu64 " that failed", c->folder,
                      (uint64_t)c->failed_in_row);
    c->failed_in_row = status == RK_OK ? 0 : c->failed_in_row + 1;
    if (c->failed_in_row != 1 || c->unwritten) return;
    char *what =
        command_print("%s: no checkpoint was taken; the job goes on, and the next will be tried", c->folder);
    command_error_text(what, rk_error_text());
    free(what);
}

void checkpoints_if_due(job *j)
{
    job_checkpoints *c = j->checkpoints;
    if (!c) return;
    rk_u64 now = job_now_ns();
    if (j->fed.rows == c->rows_then) return; /* the last one will do: nothing was read since */
    if (!(c->every_rows && j->fed.rows - c->rows_then >= c->every_rows) &&
        !(c->every_ns && now - c->taken_ns >= c->every_ns))
        return;
    letters_place ignored;
    sink_sync(&j->to); /* most of it here, so that little is left to do in the pause */
    letters_cut(j->letters, &ignored);
    c->unwritten = false;
    rk_status status = rk_checkpoint(c->store);
    c->rows_then = j->fed.rows;
    c->taken_ns = job_now_ns();
    tell_taken(c, status);
}

/* ------------------------------------------------------------------ going on */

static void tell_refused(const job_checkpoints *c, const rk_restored *restored)
{
    for (const char *line = restored->reasons; *line; line += strcspn(line, "\n"), line += *line == '\n')
        command_error("%s: passed over %.*s", c->folder, (int)strcspn(line, "\n"), line);
}

static void tell_restored(const job_checkpoints *c, const rk_restored *restored, rk_u64 cut)
{
    char when[32];
    time_t seconds = (time_t)(restored->wall_ns / 1000000000u);
    struct tm local;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    command_error("%s: going on from checkpoint %" PRIu64 " of %s: after %" PRIu64 " rows and %" PRIu64
                  " lines of output; %" PRIu64 " bytes behind them are cut off",
                  c->folder, (uint64_t)restored->number, when, (uint64_t)c->at.fed.rows, c->at.output.lines,
                  (uint64_t)cut);
}

/* The output is the file that the checkpoint was taken with, as far as can be seen. *cut: bytes behind it. */
static bool check_output(const job_checkpoints *c, const char *output, rk_u64 *cut)
{
    struct stat info;
    const sink_place *place = &c->at.output;
    *cut = 0;
    if (place->format != c->j->output_as) {
        command_error("%s: the checkpoint has another output format: say the same, or --no-restore",
                      c->folder);
        return false;
    }
    if (stat(output, &info) < 0 || (rk_u64)info.st_size < place->bytes) {
        command_error("%s: has not the %" PRIu64
                      " bytes that were written before the checkpoint: name that file, or "
                      "say --no-restore to begin anew",
                      output, place->bytes);
        return false;
    }
    *cut = (rk_u64)info.st_size - place->bytes;
    return true;
}

static bool take_letters(job_checkpoints *c)
{
    char *error = NULL;
    if (c->j->dead_letters && !c->at.letters_kept) {
        command_error(
            "%s: the checkpoint was taken without --dead-letters: leave it out, or say --no-restore",
            c->folder);
        return false;
    }
    letters_journal *journal = letters_journal_continue(c->journal, &c->at.letters, c->j->letters, &error);
    if (!journal)
        command_error("%s: say --no-restore to begin anew", error);
    else
        letters_keep_journal(c->j->letters, journal);
    free(error);
    return journal != NULL;
}

static void take_counts(job_checkpoints *c)
{
    job *j = c->j;
    rk_snapshot_kernel kernel;
    for (rk_u32 i = 0; rk_checkpoints_describe(c->store, i, &kernel) == RK_OK; i++) {
        rk_u32 own = app_find_kernel(j->app.file, kernel.id);
        if (own != UINT32_MAX) atomic_store(&j->kernels[own].collected, kernel.account.output_received);
    }
    j->fed = c->at.fed;
    c->rows_then = j->fed.rows;
    j->restored_rows = j->fed.rows;
    j->restored_sum = c->at.rows_sum;
}

/* RK_EXIT_OK also if there is nothing to go on from. */
static int restore(job_checkpoints *c, const char *output)
{
    rk_restored restored;
    rk_u64 cut;
    rk_status status = rk_checkpoints_restore(c->store, &restored);
    if (status == RK_EMPTY) return RK_EXIT_OK;
    if (status != RK_OK) {
        char *what = command_print("%s: no checkpoint can be used (--no-restore begins anew)", c->folder);
        command_error_text(what, rk_error_text());
        free(what);
        return RK_EXIT_KERNEL;
    }
    tell_refused(c, &restored);
    if (restored.note_size == sizeof c->at) memcpy(&c->at, restored.note, sizeof c->at);
    if (c->at.magic != NOTE_MAGIC) {
        command_error("%s: checkpoint %" PRIu64 " is none of `rk run`: name another folder", c->folder,
                      (uint64_t)restored.number);
        return RK_EXIT_USAGE;
    }
    if (!check_output(c, output, &cut) || !take_letters(c)) return RK_EXIT_IO;
    take_counts(c);
    c->restored = true;
    c->j->restored_number = restored.number;
    tell_restored(c, &restored, cut);
    return RK_EXIT_OK;
}

/* What is there is of a job that is not gone on with. */
static int begin_anew(job_checkpoints *c)
{
    rk_checkpoint_metrics metrics;
    rk_status status = rk_checkpoints_metrics(c->store, &metrics);
    if (status == RK_OK) status = rk_checkpoints_clear(c->store);
    if (status == RK_OK && metrics.kept)
        command_error("%s: %" PRIu64 " checkpoints are removed: the job begins anew", c->folder,
                      (uint64_t)metrics.kept);
    if (status != RK_OK) command_error_text(c->folder, rk_error_text());
    return status == RK_OK ? RK_EXIT_OK : RK_EXIT_IO;
}

/* ------------------------------------------------------------------ open and close */

static bool can_be_cut(const char *output)
{
    struct stat info;
    if (strcmp(output, "-") == 0)
        command_error(
            "checkpoints need an output that can be cut back to one: standard output can't, say --output "
            "FILE");
    else if (stat(output, &info) == 0 && !S_ISREG(info.st_mode))
        command_error("%s: checkpoints need an output that can be cut back to one: this is no regular file",
                      output);
    else
        return true;
    return false;
}

/* At a cut nobody can ask the runtime, whose lock is held: all message types are known before. */
static void learn_schemas(job *j)
{
    j->schemas = command_allocate(TYPES * sizeof(*j->schemas));
    for (rk_u32 type = 0; type < TYPES; type++) j->schemas[type] = rk_find_schema_of_type(j->runtime, type);
}

static int open_store(job_checkpoints *c)
{
    job *j = c->j;
    const app_checkpoints *said = &j->app.file->checkpoints;
    rk_u32 count = j->app.file->kernels_count;
    rk_kernel *handles = command_allocate(count * sizeof *handles);
    for (rk_u32 i = 0; i < count; i++) handles[i] = j->kernels[i].handle;
    rk_checkpoint_options options = { RK_CHECKPOINT_OPTIONS, .keep = said->keep,
                                      .full_every = said->full_every, .note = write_note, .note_user = c };
    rk_status status = rk_checkpoints_open(j->runtime, c->folder, handles, count, &options, &c->store);
    free(handles);
    if (status == RK_OK) return RK_EXIT_OK;
    char *what = command_print("checkpoints in %s", c->folder);
    command_error_text(what, rk_error_text());
    free(what);
    return RK_EXIT_IO;
}

/* A journal of letters that begins anew, unless one goes on. */
static int open_journal(job_checkpoints *c)
{
    char *error = NULL;
    if (c->restored) return RK_EXIT_OK;
    letters_journal *journal = letters_journal_open(c->journal, &error);
    if (journal)
        letters_keep_journal(c->j->letters, journal);
    else
        command_error("%s", error);
    free(error);
    return journal ? RK_EXIT_OK : RK_EXIT_IO;
}

int checkpoints_open(job *j, const char *output)
{
    const app_checkpoints *said = &j->app.file->checkpoints;
    if (!j->checkpoints_folder && !said->folder) {
        if (j->no_restore) command_error("--no-restore: there are no checkpoints: say --checkpoints FOLDER");
        return j->no_restore ? RK_EXIT_USAGE : RK_EXIT_OK;
    }
    if (!can_be_cut(output)) return RK_EXIT_USAGE;
    job_checkpoints *c = j->checkpoints = command_allocate(sizeof *c);
    *c = (job_checkpoints){ .j = j, .every_rows = said->every_rows, .taken_ns = job_now_ns() };
    c->folder = j->checkpoints_folder ? command_copy(j->checkpoints_folder) : app_path(&j->app, said->folder);
    c->journal = command_print("%s/letters", c->folder);
    c->every_ns = RK_MILLISECONDS(said->every_ms || said->every_rows ? said->every_ms : EVERY_MS_DEFAULT);
    learn_schemas(j);
    job_rows_begin(j);
    int code = open_store(c);
    if (code == RK_EXIT_OK && !checkpoints_are_apart(j, c->folder, output)) code = RK_EXIT_IO;
    if (code == RK_EXIT_OK)
        code = j->no_restore || !app_restores(&j->app) ? begin_anew(c) : restore(c, output);
    return code == RK_EXIT_OK ? open_journal(c) : code;
}

const sink_place *checkpoints_output(const job *j)
{
    return j->checkpoints && j->checkpoints->restored ? &j->checkpoints->at.output : NULL;
}

void checkpoints_metrics(const job *j, rk_checkpoint_metrics *metrics)
{
    memset(metrics, 0, sizeof *metrics);
    if (j->checkpoints && j->checkpoints->store) rk_checkpoints_metrics(j->checkpoints->store, metrics);
}

int checkpoints_close(job *j, int code)
{
    job_checkpoints *c = j->checkpoints;
    if (!c) return code;
    /* A job that is done has nothing to go on from. */
    if (code == RK_EXIT_OK && rk_checkpoints_clear(c->store) != RK_OK) {
        command_error_text(c->folder, rk_error_text());
        code = RK_EXIT_IO;
    }
    if (code == RK_EXIT_OK) unlink(c->journal);
    rk_checkpoints_close(c->store);
    free(c->folder);
    free(c->journal);
    free(c);
    free(j->schemas);
    job_rows_end(j);
    j->checkpoints = NULL;
    j->schemas = NULL;
    return code;
}
