/* The waits of a job: while it runs, and until all that was sent has passed through. */
#include "job.h"

#include <inttypes.h>
#include <time.h>

#include "command.h"
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

int job_drain(job *j)
{
    rk_u32 count = j->app.file->kernels_count;
    rk_kernel *handles = command_allocate(count * sizeof *handles);
    for (rk_u32 i = 0; i < count; i++) handles[i] = j->kernels[i].handle;
    j->draining = true;
    rk_status status = RK_TIMED_OUT;
    while (status == RK_TIMED_OUT && job_watch(j))
        status = rk_drain(j->runtime, handles, count, JOB_SLICE_NS);
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
