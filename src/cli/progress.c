#include "progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "account.h"
#include "command.h"
#include "topic_lags.h"

#define EVERY_NS RK_MILLISECONDS(100)
#define BAR 28u /* columns, where there are enough of them */
#define BAR_LEAST 4u
#define NUMBERS 39u     /* columns behind the bar, without the backend's name */
#define NO_COLUMNS 512u /* of what is no terminal: lines are as long as they are */
#define LINES_MOST 16u  /* kernels that are shown while a job runs */

/* What is on the terminal; written under the lock of command_error. */
static struct {
    bool on;
    rk_u32 lines;
    rk_u64 next_ns;
} shown;

static void clear(void)
{
    for (; shown.lines > 0; shown.lines--) fputs("\033[A\033[2K", stderr);
    fputc('\r', stderr);
}

char *progress_number(rk_u64 number, char text[32])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, (uint64_t)number);
    char *to = text;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return text;
}

char *progress_time(rk_u64 ns, char text[32])
{
    if (ns < 10000)
        snprintf(text, 32, ns < 1000 ? "%.0f ns" : "%.1f µs", ns < 1000 ? (double)ns : (double)ns / 1e3);
    else if (ns < 10000000)
        snprintf(text, 32, ns < 1000000 ? "%.0f µs" : "%.1f ms",
                 ns < 1000000 ? (double)ns / 1e3 : (double)ns / 1e6);
    else
        snprintf(text, 32, ns < 1000000000 ? "%.0f ms" : "%.1f s",
                 ns < 1000000000 ? (double)ns / 1e6 : (double)ns / 1e9);
    return text;
}

char *progress_rate(double rate, char text[32])
{
    const char *unit = rate >= 1e9 ? " G" : rate >= 1e6 ? " M" : rate >= 1e3 ? " k" : "";
    double shown_rate = rate >= 1e9 ? rate / 1e9 : rate >= 1e6 ? rate / 1e6 : rate >= 1e3 ? rate / 1e3 : rate;
    snprintf(text, 32, "%.1f%s", shown_rate, unit);
    return text;
}

/* A line of at most `columns` columns: a line that the terminal breaks can't be cleared as one. The bar gives
 * way first, then the end. */
static void print_kernel(job *j, rk_u32 i, double done, unsigned columns, FILE *out)
{
    rk_metrics metrics;
    char number[32], rate[32], p99[32];
    const char *name = j->app.file->kernels[i].name, *backend = rk_backend_name(j->runtime);
    if (rk_metrics_of(j->runtime, j->kernels[i].handle, &metrics) != RK_OK) return;
    size_t others = (strlen(name) < 12 ? 12 : strlen(name)) + 1 + NUMBERS + strlen(backend);
    unsigned bar = columns < others + BAR_LEAST ? BAR_LEAST
                   : columns > others + BAR     ? BAR
                                                : columns - (unsigned)others;
    char strokes[3 * BAR + 1], *end = strokes;
    for (unsigned b = 0; b < bar; b++) end = stpcpy(end, (double)b < done * bar ? "━" : "─");
    char *line = command_print(
        "%-12s %s %11s  %8s/s  p99 %-8s %s", name, strokes, progress_number(metrics.processed, number),
        progress_rate(metrics.throughput, rate), progress_time(metrics.service.p99_ns, p99), backend);
    char *cut = line;
    for (unsigned column = 0; *cut && (column += (*cut & 0xc0) != 0x80) <= columns;) cut++;
    *cut = 0;
    fprintf(out, "%s\n", line);
    free(line);
}

/* A terminal breaks a line that fills its last column, or doesn't: so that one stays free. */
static void look_at_terminal(unsigned *columns, unsigned *rows)
{
    struct winsize size = { 0 };
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && size.ws_row > 1;
    *columns = known ? size.ws_col - 1u : NO_COLUMNS;
    *rows = known ? size.ws_row - 1u : LINES_MOST;
}

void progress_start(job *j)
{
    /* Whoever types rows would type into the progress lines; and a dumb terminal can't go back over a line. */
    const char *kind = getenv("TERM");
    bool is_dumb = kind && strcmp(kind, "dumb") == 0;
    shown.on = isatty(STDERR_FILENO) && !is_dumb && !source_is_terminal(j->from);
    if (shown.on) command_error_hook(clear);
}

void progress_show(job *j)
{
    rk_u64 now = job_now_ns();
    if (!shown.on || now < shown.next_ns) return;
    shown.next_ns = now + EVERY_NS;
    uint64_t total = source_total(j->from);
    double done = j->draining ? 1.0 : total ? (double)source_bytes(j->from) / (double)total : 0.0;
    rk_u32 lines = j->app.file->kernels_count < LINES_MOST ? j->app.file->kernels_count : LINES_MOST;
    unsigned columns, rows;
    look_at_terminal(&columns, &rows);
    if (lines > rows) lines = rows;
    command_error_lock();
    clear();
    for (rk_u32 i = 0; i < lines; i++) print_kernel(j, i, done, columns, stderr);
    shown.lines = lines;
    fflush(stderr);
    command_error_unlock();
}

void progress_end(void)
{
    if (!shown.on) return;
    command_error_lock();
    clear();
    fflush(stderr);
    shown.on = false;
    command_error_unlock();
    command_error_hook(NULL);
}

/* Those of a list that aren't 0, as "N name, N name"; nothing if all are. */
static void print_counts(FILE *out, const char *before, const char *const *names, const rk_u64 *counts,
                         rk_u32 count)
{
    char number[32];
    for (rk_u32 i = 0; i < count; i++) {
        if (!counts[i]) continue;
        fprintf(out, "%s%s %s", before, progress_number(counts[i], number), names[i]);
        before = ", ";
    }
    if (before[0] == ',') fputc('\n', out);
}

/* Beneath a kernel's account: what it didn't accept. A row that finds no room is sent again, and so is no refusal. */
static void print_refused(const job_kernel *kernel, FILE *out)
{
    static const char *const names[] = { "dropped", "duplicate", "invalid", "full", "timed out", "closed" };
    const rk_account *all = &kernel->account, *k = &kernel->from_kernels;
    const rk_u64 from_kernels[] = { k->refused_dropped, k->refused_duplicate, k->refused_invalid,
                                    k->refused_full,    k->refused_timed_out, k->refused_closed };
    const rk_u64 from_input[] = { all->refused_dropped - k->refused_dropped,
                                  all->refused_duplicate - k->refused_duplicate,
                                  all->refused_invalid - k->refused_invalid };
    print_counts(out, "  refused from kernels: ", names, from_kernels, 6);
    print_counts(out, "  refused from the input: ", names, from_input, 3);
}

void progress_account(job *j, FILE *out)
{
    char n[7][32];
    unsigned columns, rows;
    look_at_terminal(&columns, &rows);
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        const rk_account a = j->kernels[i].account;
        if (!j->kernels[i].launched) continue;
        print_kernel(j, i, 1.0, columns, out);
        fprintf(
            out,
            "  accepted %s = delivered %s + dead %s + evicted %s + expired %s + lost %s + queued %s   %s\n",
            progress_number(a.accepted, n[0]), progress_number(a.delivered, n[1]),
            progress_number(a.dead, n[2]), progress_number(a.evicted, n[3]), progress_number(a.expired, n[4]),
            progress_number(a.lost, n[5]), progress_number(a.queued, n[6]),
            a.balanced ? "balanced" : "NOT BALANCED");
        print_refused(&j->kernels[i], out);
    }
    const account_let_go gone = account_sum_let_go(j);
    print_counts(out, "let go by the kernels' strategies: ",
                 (const char *const[]){ "dropped", "duplicate", "evicted" },
                 (const rk_u64[]){ gone.dropped, gone.duplicate, gone.evicted }, 3);
    topic_lags_print(j, out);
    uint64_t letters = letters_count(j->letters), count;
    if (letters) {
        fprintf(out, "%s dead letters:", progress_number(letters, n[0]));
        const char *reason;
        for (size_t i = 0; (reason = letters_reason(j->letters, i, &count)); i++)
            fprintf(out, "%s %s %s", i ? "," : "", progress_number(count, n[0]), reason);
        if (j->dead_letters)
            fprintf(out, ", in %s\n", j->dead_letters);
        else
            fputs(" (--dead-letters FILE keeps them)\n", out);
    }
    fprintf(out, "%s rows of %s, %s lines to %s", progress_number(j->fed.rows, n[0]), source_name(j->from),
            progress_number(j->to.lines, n[1]), j->to.out.name);
    if (j->to.unwritten) fprintf(out, ", %s not written,", progress_number(j->to.unwritten, n[0]));
    fprintf(out, " in %.2f s%s\n", (double)(j->end_ns - j->start_ns) / 1e9,
            j->interrupted ? ", interrupted" : "");
}
