#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "job_checkpoints.h"
#include "topic_lags.h"

/* ------------------------------------------------------------------ checks */

static bool equal(json_t *checks, char *what, rk_u64 left, rk_u64 right)
{
    json_array_append_new(checks, json_pack("{s:s, s:I, s:I, s:b}", "check", what, "left", (json_int_t)left,
                                            "right", (json_int_t)right, "holds", left == right));
    free(what);
    return left == right;
}

static void add_target(rk_u32 to, rk_u32 *only, rk_u32 *count)
{
    if (to == UINT32_MAX || (*count && to == *only)) return;
    *only = to;
    ++*count;
}

/* Kernels that the routes and topics of `from` lead to, other than the output. */
static rk_u32 targets_of(const app_file *file, rk_u32 from, rk_u32 *only)
{
    rk_u32 count = 0;
    for (rk_u32 r = 0; r < file->routes_count; r++)
        if (strcmp(file->routes[r].from, file->kernels[from].name) == 0)
            add_target(app_find_kernel(file, file->routes[r].to), only, &count);
    for (rk_u32 p = 0; p < file->topics_count; p++)
        for (rk_u32 s = 0; s < file->topics_count; s++)
            if (app_topic_leads(file, p, s) && strcmp(file->topics[p].from, file->kernels[from].name) == 0)
                add_target(app_find_kernel(file, file->topics[s].to), only, &count);
    return count;
}

static rk_u64 let_go(const rk_account *a) { return a->refused_dropped + a->refused_duplicate; }

/* What lanes let go without a letter was counted by who sent it and by who refused it: as below. */
static bool check_let_go(job *j, json_t *checks, const rk_u64 *by_sender, bool one_target)
{
    const app_file *file = j->app.file;
    rk_u64 all_by_sender = 0, all_by_target = 0;
    bool fine = true;
    for (rk_u32 i = 0; i < file->kernels_count; i++) {
        const rk_u64 by_target = let_go(&j->kernels[i].from_kernels);
        all_by_sender += j->kernels[i].account.dropped_sends;
        all_by_target += by_target;
        if (one_target && (i != j->first || by_sender[i] || by_target))
            fine &= equal(
                checks,
                command_print("let go of what kernels sent to %s = refused by %s as dropped + duplicate",
                              file->kernels[i].name, file->kernels[i].name),
                by_sender[i], by_target);
    }
    if (!one_target)
        fine =
            equal(checks,
                  command_copy(
                      "let go of what kernels sent to kernels = refused by kernels as dropped + duplicate"),
                  all_by_sender, all_by_target);
    return fine;
}

/* What kernels sent to each other is what they accepted from each other: kernel by kernel where each sender
 * has one target and none replies, else in one sum. */
static bool check_between(job *j, json_t *checks)
{
    const app_file *file = j->app.file;
    rk_u64 *sent = command_allocate(file->kernels_count * sizeof *sent), all_sent = 0, all_accepted = 0;
    rk_u64 *dropped = command_allocate(file->kernels_count * sizeof *dropped);
    bool fine = true, one_target = !job_replies(j);
    memset(sent, 0, file->kernels_count * sizeof *sent);
    memset(dropped, 0, file->kernels_count * sizeof *dropped);
    for (rk_u32 i = 0; i < file->kernels_count; i++) {
        const rk_account *a = &j->kernels[i].account;
        rk_u32 to = 0, targets = targets_of(file, i, &to);
        rk_u64 to_kernels = a->sent - a->output_accepted;
        if (targets == 1) sent[to] += to_kernels;
        if (targets == 1) dropped[to] += a->dropped_sends;
        one_target &= targets <= 1;
        all_sent += to_kernels;
        all_accepted += a->accepted_device;
    }
    for (rk_u32 i = 0; i < file->kernels_count && one_target; i++)
        if (i != j->first || j->kernels[i].account.accepted_device)
            fine &= equal(checks,
                          command_print("sent to %s = accepted by %s from kernels", file->kernels[i].name,
                                        file->kernels[i].name),
                          sent[i], j->kernels[i].account.accepted_device);
    if (!one_target)
        fine = equal(checks, command_copy("sent by kernels to kernels = accepted by kernels from kernels"),
                     all_sent, all_accepted);
    fine &= check_let_go(j, checks, dropped, one_target);
    free(sent);
    free(dropped);
    return fine;
}

static bool check_kernel(job *j, rk_u32 i, json_t *checks)
{
    const rk_account *a = &j->kernels[i].account;
    const char *name = j->app.file->kernels[i].name;
    rk_u64 sinks = a->delivered + a->evicted + a->dead + a->expired + a->lost + a->queued;
    bool fine = equal(
        checks, command_print("accepted by %s = delivered + evicted + dead + expired + lost + queued", name),
        a->accepted, sinks);
    fine &= equal(checks, command_print("accepted by %s = from the host + from kernels", name), a->accepted,
                  a->accepted_host + a->accepted_device);
    fine &= equal(checks, command_print("sent to the host by %s = received + queued", name),
                  a->output_accepted, j->kernels[i].collected + a->output_queued);
    fine &=
        equal(checks, command_print("dead letters of %s = letters collected", name), a->dead_letters,
              letters_count_of(j->letters, i + 1) - (j->kernels[i].to_output ? 0 : j->kernels[i].collected));
    return fine;
}

static void look_at_kernel(job *j, job_kernel *kernel)
{
    rk_kernel_info info;
    rk_account_of(j->runtime, kernel->handle, &kernel->account);
    if (rk_kernel_information(j->runtime, kernel->handle, &info) != RK_OK) return;
    memset(&kernel->from_kernels, 0, sizeof kernel->from_kernels);
    for (rk_u32 shard = 0; shard < info.shards; shard++) {
        rk_account one, *all = &kernel->from_kernels;
        if (rk_account_of_lane(j->runtime, kernel->handle, shard, 1, &one) != RK_OK) continue;
        all->refused_full += one.refused_full;
        all->refused_dropped += one.refused_dropped;
        all->refused_duplicate += one.refused_duplicate;
        all->refused_timed_out += one.refused_timed_out;
        all->refused_closed += one.refused_closed;
        all->refused_invalid += one.refused_invalid;
    }
}

account_let_go account_sum_let_go(const job *j)
{
    account_let_go sum = { 0 };
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        sum.dropped += j->kernels[i].account.refused_dropped;
        sum.duplicate += j->kernels[i].account.refused_duplicate;
        sum.evicted += j->kernels[i].account.evicted;
    }
    return sum;
}

bool account_check(job *j, json_t *checks)
{
    const app_file *file = j->app.file;
    rk_u64 outgoing = 0;
    const feed_counts *fed = &j->fed;
    for (rk_u32 i = 0; i < file->kernels_count; i++)
        if (j->kernels[i].launched) look_at_kernel(j, &j->kernels[i]);
    bool fine =
        equal(checks,
              command_print("rows read%s = no message + sent + refused + unsent",
                            fed->copies > 1 ? " × copies" : ""),
              fed->rows * fed->copies, fed->bad * fed->copies + fed->sent + fed->refused + fed->unsent);
    fine &= equal(checks,
                  command_print("sent to %s = accepted by %s from the host", file->kernels[j->first].name,
                                file->kernels[j->first].name),
                  fed->sent, j->kernels[j->first].account.accepted_host);
    for (rk_u32 i = 0; i < file->kernels_count; i++) {
        fine &= check_kernel(j, i, checks);
        if (j->kernels[i].to_output) outgoing += j->kernels[i].collected;
    }
    fine &= check_between(j, checks);
    fine &= equal(checks, command_copy("received for the output = lines written + unwritten"), outgoing,
                  j->to.lines + j->to.unwritten);
    return fine;
}

rk_u64 account_left(const job *j)
{
    rk_u64 count = j->fed.unsent;
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++)
        count +=
            j->kernels[i].account.lost + j->kernels[i].account.queued + j->kernels[i].account.output_queued;
    return count;
}

/* ------------------------------------------------------------------ summary */

static json_t *number(rk_u64 value) { return json_integer((json_int_t)value); }

static json_t *quantiles(const rk_quantiles *q)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)q->count, "min",
                     (json_int_t)q->min_ns, "mean", (json_int_t)q->mean_ns, "p50", (json_int_t)q->p50_ns,
                     "p99", (json_int_t)q->p99_ns, "p99.9", (json_int_t)q->p999_ns, "max",
                     (json_int_t)q->max_ns);
}

static json_t *refused_json(const rk_account *a)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "full", (json_int_t)a->refused_full, "dropped",
                     (json_int_t)a->refused_dropped, "duplicate", (json_int_t)a->refused_duplicate,
                     "timed_out", (json_int_t)a->refused_timed_out, "closed", (json_int_t)a->refused_closed,
                     "invalid", (json_int_t)a->refused_invalid);
}

static json_t *account_json(const job_kernel *kernel)
{
    const rk_account *a = &kernel->account;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:b}", "accepted",
                     (json_int_t)a->accepted, "delivered", (json_int_t)a->delivered, "dead",
                     (json_int_t)a->dead, "evicted", (json_int_t)a->evicted, "expired",
                     (json_int_t)a->expired, "lost", (json_int_t)a->lost, "queued", (json_int_t)a->queued,
                     "refused", refused_json(a), "refused_from_kernels", refused_json(&kernel->from_kernels),
                     "sent", (json_int_t)a->sent, "dead_sends", (json_int_t)a->dead_sends, "dropped_sends",
                     (json_int_t)a->dropped_sends, "output", (json_int_t)a->output_accepted, "balanced",
                     a->balanced);
}

static json_t *kernel_json(job *j, rk_u32 i)
{
    rk_metrics metrics;
    rk_kernel_info info;
    const char *reason;
    rk_u64 count;
    json_t *reasons = json_object();
    for (rk_u32 r = 0; rk_dead_reason(j->runtime, j->kernels[i].handle, r, &reason, &count) == RK_OK; r++)
        json_object_set_new(reasons, reason, number(count));
    json_t *kernel = json_pack("{s:s, s:o, s:o}", "name", j->app.file->kernels[i].name, "account",
                               account_json(&j->kernels[i]), "dead_by_reason", reasons);
    if (j->device_count > 1 && rk_kernel_information(j->runtime, j->kernels[i].handle, &info) == RK_OK)
        json_object_set_new(kernel, "device", number(j->devices[info.device]));
    if (rk_metrics_of(j->runtime, j->kernels[i].handle, &metrics) == RK_OK) {
        json_object_set_new(kernel, "throughput", json_real(metrics.throughput));
        json_object_set_new(kernel, "queue_wait_ns", quantiles(&metrics.queue_wait));
        json_object_set_new(kernel, "service_ns", quantiles(&metrics.service));
    }
    return kernel;
}

static json_t *checkpoints_json(const job *j)
{
    rk_checkpoint_metrics m;
    if (!j->checkpoints) return json_null();
    checkpoints_metrics(j, &m);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "restored",
                     (json_int_t)j->restored_number, "restored_rows", (json_int_t)j->restored_rows, "taken",
                     (json_int_t)m.taken, "full", (json_int_t)m.full, "failed", (json_int_t)m.failed, "kept",
                     (json_int_t)m.kept, "bytes", (json_int_t)m.bytes, "pause_ns", quantiles(&m.pause),
                     "store_ns", quantiles(&m.store));
}

json_t *account_summary(job *j, json_t *checks, bool balanced)
{
    static const char *const formats[] = { "", "csv", "ndjson" };
    json_t *kernels = json_array(), *reasons = json_object();
    const char *reason;
    uint64_t count;
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) json_array_append_new(kernels, kernel_json(j, i));
    for (size_t i = 0; (reason = letters_reason(j->letters, i, &count)); i++)
        json_object_set_new(reasons, reason, number(count));
    double seconds = (double)(j->end_ns - j->start_ns) / 1e9;
    json_t *input = json_pack("{s:o, s:s, s:I}", "name", command_json_text(source_name(j->from)), "format",
                              formats[j->input_as], "bytes", (json_int_t)source_bytes(j->from));
    json_t *output = json_pack("{s:o, s:s, s:I, s:I}", "name", command_json_text(j->to.out.name), "format",
                               formats[j->output_as], "lines", (json_int_t)j->to.lines, "unwritten",
                               (json_int_t)j->to.unwritten);
    json_t *phases =
        json_pack("{s:f, s:f, s:f}", "launch", (double)(j->feed_ns - j->start_ns) / 1e9, "feed",
                  (double)(j->drain_ns - j->feed_ns) / 1e9, "drain", (double)(j->end_ns - j->drain_ns) / 1e9);
    const account_let_go gone = account_sum_let_go(j);
    json_t *let_go_of_all = json_pack("{s:I, s:I, s:I}", "dropped", (json_int_t)gone.dropped, "duplicate",
                                      (json_int_t)gone.duplicate, "evicted", (json_int_t)gone.evicted);
    json_t *letters_of_all =
        json_pack("{s:I, s:o}", "count", (json_int_t)letters_count(j->letters), "by_reason", reasons);
    json_t *summary = json_pack(
        "{s:s, s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:f, s:b, "
        "s:o, "
        "s:b}",
        "app", j->app.file->app, "backend", rk_backend_name(j->runtime), "workers",
        (json_int_t)rk_worker_count(j->runtime), "input", input, "rows_read", (json_int_t)j->fed.rows,
        "rows_bad", (json_int_t)j->fed.bad, "rows_sent", (json_int_t)j->fed.sent, "rows_refused",
        (json_int_t)j->fed.refused, "rows_unsent", (json_int_t)j->fed.unsent, "kernels", kernels, "topics",
        topic_lags_json(j), "dead_letters", letters_of_all, "let_go", let_go_of_all, "output", output,
        "seconds", seconds, "phases", phases, "checkpoints", checkpoints_json(j), "rows_per_second",
        seconds > 0 ? (double)(j->fed.rows - j->restored_rows) / seconds : 0.0, "interrupted", j->interrupted,
        "checks", checks, "balanced", balanced);
    return summary;
}
