/* What a stream of messages sees of checkpoints: the time from one reply to the next, with one round trip under way,
 * while the library's thread takes a checkpoint each 50 ms, full or incremental, or none. A note at each cut tells which
 * gaps had one in them, so that what other programs do to the machine isn't taken for it. Actors of 1 KiB hold 64 KiB,
 * 1 MiB and 16 MiB; a sixteenth of them gets messages, so an incremental checkpoint has about so many blocks. Stores
 * lie in a folder of their own under $TMPDIR or /tmp, whose disk is part of what is measured. $RK_BENCH_BACKEND is cpu or,
 * for a kernel that stays on a GPU, cuda. */
#include <dirent.h>
#include <ringkernel/checkpoint.h>
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_pause.rk.h"
#include "harness.h"
#include "must.h"

#define TRIAL_NS RK_MILLISECONDS(400)
#define EVERY_NS RK_MILLISECONDS(50)
#define ROUNDS 5u
#define BUSY_ACTORS(actors) ((actors) / 16u)
#define NEVER 1000000u /* as full_every: the first one is full, no other */

enum { NONE, INCREMENTAL, FULL, WAYS };

static rk_runtime *runtime;
static rk_kernel kernel;
static unsigned actors;
static unsigned busy = 2;      /* processors: the host's thread, and on the CPU the worker */
static double pause_ms[WAYS];  /* p50 of the last trial, as the library tells it */
static uint64_t taken[WAYS];   /* checkpoints */
static uint64_t written[WAYS]; /* bytes of the last one */

/* Gaps with a checkpoint's cut in them, and the longest of all gaps, whatever it came from. */
#define CUTS_MOST 256u
static double cut_ms[WAYS][CUTS_MOST];
static unsigned cuts_seen[WAYS];
static double longest_ms[WAYS];
static unsigned cuts; /* counted by the note; the stream looks at it */

static size_t note_cut(void *user, void *note, size_t room)
{
    (void)user;
    (void)note;
    (void)room;
    __atomic_fetch_add(&cuts, 1, __ATOMIC_RELEASE);
    return 0;
}

/* ------------------------------------------------------------------ the store */

static void make_folder(char *folder, size_t size)
{
    const char *under = getenv("TMPDIR");
    snprintf(folder, size, "%s/rk-pause-XXXXXX", under && *under ? under : "/tmp");
    MUST(mkdtemp(folder) != NULL);
}

static void remove_folder(const char *folder)
{
    DIR *files = opendir(folder);
    MUST(files != NULL);
    for (struct dirent *entry; (entry = readdir(files));)
        if (entry->d_name[0] != '.') unlinkat(dirfd(files), entry->d_name, 0);
    closedir(files);
    MUST(rmdir(folder) == 0);
}

static void close_store(rk_checkpoints *checkpoints, int way)
{
    rk_checkpoint_metrics m;
    MUST(rk_checkpoints_metrics(checkpoints, &m) == RK_OK && m.taken > 0 && m.failed == 0);
    taken[way] += m.taken;
    written[way] = m.written;
    pause_ms[way] = (double)m.pause.p50_ns / 1e6;
    rk_checkpoints_close(checkpoints);
}

/* ------------------------------------------------------------------ the stream */

static void note_gap(int way, double ms, unsigned *seen)
{
    unsigned now = __atomic_load_n(&cuts, __ATOMIC_ACQUIRE);
    if (ms > longest_ms[way]) longest_ms[way] = ms;
    if (now != *seen && cuts_seen[way] < CUTS_MOST) cut_ms[way][cuts_seen[way]++] = ms;
    *seen = now;
}

static void stream(bench_trial *trial, int way)
{
    kept back = { 0 };
    unsigned seen = __atomic_load_n(&cuts, __ATOMIC_ACQUIRE);
    uint64_t end_ns = bench_now_ns() + TRIAL_NS, before = bench_cycles();
    while (bench_now_ns() < end_ns) {
        keepsake m = { trial->in };
        rk_send_options to = { .target = (rk_u32)(trial->in % BUSY_ACTORS(actors)) };
        MUST(rk_send(runtime, kernel, RK_BODY(m), &to) == RK_OK);
        MUST(rk_receive(runtime, kernel, &back, sizeof back, NULL, RK_SECONDS(60)) == RK_OK);
        uint64_t now = bench_cycles(), gap = bench_picoseconds(now - before);
        bench_sample(&trial->samples, gap);
        note_gap(way, (double)gap / 1e9, &seen);
        before = now;
        trial->sum_in += trial->in++;
        trial->sum_out += back.number;
        trial->out++;
    }
}

static void run(const bench_contender *self, bench_trial *trial)
{
    int way = *(const int *)self->subject;
    char folder[256];
    rk_account account;
    rk_checkpoints *checkpoints = NULL;
    rk_checkpoint_options options = { RK_CHECKPOINT_OPTIONS, .every_ns = EVERY_NS,
                                      .full_every = way == FULL ? 1u : NEVER, .note = note_cut };
    if (way != NONE) {
        make_folder(folder, sizeof folder);
        MUST(rk_checkpoints_open(runtime, folder, &kernel, 1, &options, &checkpoints) == RK_OK);
        MUST(rk_checkpoint(checkpoints) == RK_OK); /* the first one is full in either way */
    }
    bench_bind(1u);
    bench_begin(trial);
    stream(trial, way);
    bench_end(trial, busy);
    MUST(rk_account_of(runtime, kernel, &account) == RK_OK && account.balanced && account.queued == 0 &&
         account.lost == 0);
    if (way == NONE) return;
    close_store(checkpoints, way);
    remove_folder(folder);
}

/* ------------------------------------------------------------------ sizes */

static void launch(unsigned count)
{
    char id[32];
    rk_launch_options o = rk_production();
    actors = count;
    snprintf(id, sizeof id, "keeper-%u", count);
    o.kernel_name = "keeper";
    o.actors = count;
    o.deduplication_window = 0;
    MUST(rk_launch(runtime, id, &o, &kernel) == RK_OK);
    MUST(rk_activate(runtime, kernel) == RK_OK);
}

static void figure(const char *what, const char *size, const char *way, double value, const char *unit)
{
    char text[96];
    snprintf(text, sizeof text, "%s of state, %s: %s", size, way, what);
    bench_figure(text, value, unit);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(const char *size, const bench_contender *contenders, const bench_result *result)
{
    for (int way = 0; way < WAYS; way++) {
        const char *name = contenders[way].name;
        figure("gap p50", size, name, result[way].p50 / 1e3, "us");
        figure("gap p99", size, name, result[way].p99 / 1e3, "us");
        figure("longest gap", size, name, longest_ms[way], "ms");
        if (way == NONE) continue;
        unsigned count = cuts_seen[way];
        MUST(count > 0);
        qsort(cut_ms[way], count, sizeof(double), compare);
        figure("gap with a cut in it, p50", size, name, cut_ms[way][count / 2u], "ms");
        figure("gap with a cut in it, p90", size, name, cut_ms[way][count * 9u / 10u], "ms");
        figure("gap with a cut in it, longest", size, name, cut_ms[way][count - 1u], "ms");
        figure("pause p50, of the last trial", size, name, pause_ms[way], "ms");
        figure("written by the last one", size, name, (double)written[way] / 1024.0, "KiB");
        figure("taken", size, name, (double)taken[way], "");
    }
}

int main(int argc, char **argv)
{
    static const struct {
        unsigned actors;
        const char *size;
    } sizes[] = { { 64, "64 KiB" }, { 1024, "1 MiB" }, { 16384, "16 MiB" } };
    static const int ways[] = { NONE, INCREMENTAL, FULL };
    const bench_contender contenders[] = { { "no checkpoints", run, &ways[NONE], 0 },
                                           { "incremental ones", run, &ways[INCREMENTAL], 0 },
                                           { "full ones", run, &ways[FULL], 0 } };
    bench_open(argc, argv);
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 1 };
    const char *backend = getenv("RK_BENCH_BACKEND");
    MUST(!backend || strcmp(backend, "cpu") == 0 || strcmp(backend, "cuda") == 0);
    if (backend && strcmp(backend, "cuda") == 0) {
        options = (rk_runtime_options){ RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CUDA };
        busy = 1;
    }
    MUST(rk_open(&options, &runtime) == RK_OK);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[48], title[96];
        bench_result result[WAYS];
        memset(cuts_seen, 0, sizeof cuts_seen);
        memset(longest_ms, 0, sizeof longest_ms);
        memset(taken, 0, sizeof taken);
        launch(sizes[i].actors);
        snprintf(name, sizeof name, "checkpoint_pause_%u", sizes[i].actors);
        snprintf(title, sizeof title, "%s of state, a checkpoint each 50 ms, from reply to reply",
                 sizes[i].size);
        bench_contest contest = { name, title, "messages", contenders, WAYS, ROUNDS };
        bench_run(&contest, result);
        tell(sizes[i].size, contenders, result);
        MUST(rk_terminate(runtime, kernel, RK_SECONDS(10)) == RK_OK);
    }
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
