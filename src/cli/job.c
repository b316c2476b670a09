/* The waits of a job: while it runs, and until all that was sent has passed through. */
#include "job.h"

#include <inttypes.h>
#include <time.h>

#include "command.h"
#include "interrupt.h"
#include "progress.h"
#include "topic_lags.h"

#define LOOK_EVERY_NS RK_MILLISECONDS(20)
#define LETTERS_WITHIN_NS RK_SECONDS(5) /* after a drain: letters come through the service thread */

rk_u64 job_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

static void tell_stuck(job *j)
{
    bool any = false;
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        rk_kernel_info info;
        if (rk_kernel_information(j->runtime, j->kernels[i].handle, &info) != RK_OK || !info.queued) continue;
        command_error("kernel '%s' has made no progress for %u s with %" PRIu64
                      " messages waiting: its handler doesn't return, or what it sends finds no room "
                      "(--patience says how long to wait)",
                      info.id, j->patience_s, (uint64_t)info.queued);
        any = true;
    }
    if (!any)
        command_error(
            "the kernels have not ended %u s after their last message (--patience says how long to wait)",
            j->patience_s);
}

bool job_watch(job *j)
{
    progress_show(j);
    if (j->stuck || j->failed) return false;
    rk_u64 now = job_now_ns(), progress = j->fed.sent, queued = 0;
    if (now - j->looked_ns < LOOK_EVERY_NS) return true;
    j->looked_ns = now;
    topic_lags_look(j);
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        rk_kernel_info info;
        if (rk_kernel_information(j->runtime, j->kernels[i].handle, &info) != RK_OK) continue;
        progress += info.processed + atomic_load_explicit(&j->kernels[i].collected, memory_order_relaxed);
        queued += info.queued;
        if (info.life == RK_LIFE_FAILED || info.life == RK_LIFE_QUARANTINED) {
            command_error("kernel '%s' has %s: %s", info.id, rk_life_name(info.life), info.failure);
            j->failed = true;
        }
    }
    bool waits_for_reader = atomic_load_explicit(&j->to.busy, memory_order_relaxed);
    bool waits_for_rows = queued == 0 && !j->draining;
    if (progress != j->watched_progress || waits_for_rows || waits_for_reader) {
        j->watched_progress = progress;
        j->watched_since_ns = now;
    } else if (now - j->watched_since_ns > j->patience_s * RK_SECONDS(1)) {
        j->stuck = true;
        tell_stuck(j);
    }
    return !j->stuck && !j->failed;
}

/* Letters that kernels have written are all with us. */
static bool letters_are_here(job *j)
{
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        rk_account account;
        /* Which of its letters are for the host can't be told by counts; the drain has brought those. */
        if (j->kernels[i].letters_elsewhere) continue;
        if (rk_account_of(j->runtime, j->kernels[i].handle, &account) != RK_OK) continue;
        rk_u64 expired = j->app.file->kernels[i].given.expired_to_dead ? account.expired : 0;
        if (account.dead_letters < account.dead + account.dead_sends + expired) return false;
    }
    return true;
}

/* What a drain has told so far. Messages that go round may do so for ever, and that is progress: whoever waits must hear of it. */
typedef struct drain_news {
    rk_u64 begun_ns, told_s; /* told_s: 0 if nothing was told */
    rk_u64 *handled;         /* by each kernel when that was told, or it began */
} drain_news;

/* How many messages the kernel has handled since the last time that this was asked. */
static rk_u64 handled_since(const job *j, drain_news *news, rk_u32 i)
{
    rk_kernel_info info;
    if (rk_kernel_information(j->runtime, j->kernels[i].handle, &info) != RK_OK) return 0;
    rk_u64 since = info.processed - news->handled[i];
    news->handled[i] = info.processed;
    return since;
}

static void begin_news(const job *j, drain_news *news)
{
    rk_u32 count = j->app.file->kernels_count;
    news->begun_ns = job_now_ns();
    news->told_s = 0;
    news->handled = command_allocate(count * sizeof *news->handled);
    for (rk_u32 i = 0; i < count; i++) news->handled[i] = 0;
    for (rk_u32 i = 0; i < count; i++) (void)handled_since(j, news, i);
}

/* After the patience, and each time that it has lasted twice as long again; not while the output's reader is waited for. */
static void tell_news(job *j, drain_news *news)
{
    rk_u64 seconds = (job_now_ns() - news->begun_ns) / RK_SECONDS(1), most = 0;
    rk_u32 busiest = 0;
    if (seconds < (news->told_s ? 2 * news->told_s : j->patience_s) ||
        atomic_load_explicit(&j->to.busy, memory_order_relaxed))
        return;
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        rk_u64 since = handled_since(j, news, i);
        if (since <= most) continue;
        most = since;
        busiest = i;
    }
    if (most)
        command_error(
            "still draining, %" PRIu64 " s after the end of the input: kernel '%s' has handled %" PRIu64
            " messages %s; if its routes lead round, that may have no end "
            "(Ctrl-C%s ends this at once, without an account)",
            (uint64_t)seconds, j->app.file->kernels[busiest].name, (uint64_t)most,
            news->told_s ? "since this was said last" : "since then", interrupt_asked() ? "" : ", twice,");
    news->told_s = seconds ? seconds : 1;
}

int job_drain(job *j)
{
    rk_u32 count = j->app.file->kernels_count;
    rk_kernel *handles = command_allocate(count * sizeof *handles);
    for (rk_u32 i = 0; i < count; i++) handles[i] = j->kernels[i].handle;
    j->draining = true;
    drain_news news;
    begin_news(j, &news);
    rk_status status = RK_TIMED_OUT;
    while (status == RK_TIMED_OUT && job_watch(j)) {
        tell_news(j, &news);
        status = rk_drain(j->runtime, handles, count, JOB_SLICE_NS);
    }
    free(news.handled);
    free(handles);
    if (status != RK_OK && !j->stuck && !j->failed) {
        command_error_text("the kernels can't be drained", rk_error_text());
        j->failed = true;
    }
    for (rk_u64 start = job_now_ns();
         status == RK_OK && !letters_are_here(j) && job_now_ns() - start < LETTERS_WITHIN_NS;)
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    if (status != RK_OK) atomic_store(&j->give_up, true);
    return status == RK_OK ? RK_EXIT_OK : RK_EXIT_UNBALANCED;
}
