/* A pipeline's metrics as text: a line for each stage, the first column as wide as the longest id. */
#include <ringkernel/pipeline.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../runtime/error.h"

/* Where the text goes; `used` counts what has no room, too. */
typedef struct page {
    char *text;
    size_t size, used;
} page;

static void write_text(page *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void write_text(page *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = to->used < to->size ? to->size - to->used : 0;
    int n = vsnprintf(room ? to->text + to->used : 0, room, format, arguments);
    va_end(arguments);
    to->used += n > 0 ? (size_t)n : 0;
}

/* Three digits or so of a time, with its unit; "-" where nothing was measured. */
static void write_time(page *to, const rk_quantiles *of, rk_u64 ns)
{
    char text[32];
    if (!of->count)
        snprintf(text, sizeof text, "-");
    else if (ns < 10000)
        snprintf(text, sizeof text, "%" PRIu64 " ns", ns);
    else if (ns < 10000000)
        snprintf(text, sizeof text, "%" PRIu64 " us", ns / 1000u);
    else
        snprintf(text, sizeof text, "%" PRIu64 " ms", ns / 1000000u);
    write_text(to, "%10s", text);
}

static void write_stage(page *to, const rk_stage_metrics *m, int width)
{
    char queue[48];
    snprintf(queue, sizeof queue, "%" PRIu64 "/%" PRIu64, m->depth, m->capacity);
    write_text(to, "%-*s %11" PRIu64 " %11" PRIu64 " %9" PRIu64 " %7" PRIu64 " %13s %7" PRIu64, width, m->id,
               m->in, m->out, m->aside, m->gone, queue, m->parks);
    write_time(to, &m->queue_wait, m->queue_wait.p50_ns);
    write_time(to, &m->queue_wait, m->queue_wait.p99_ns);
    write_time(to, &m->service, m->service.p50_ns);
    write_time(to, &m->service, m->service.p99_ns);
    write_text(to, " %11.0f\n", m->throughput);
}

rk_status rk_pipeline_table(rk_pipeline *pipeline, char *text, size_t size, size_t *length)
{
    page to = { text, text ? size : 0, 0 };
    rk_stage_metrics m;
    rk_kernel errors;
    if (!pipeline || (!text && size))
        return rk_error(RK_INVALID_ARGUMENT, "rk_pipeline_table: no pipeline, or no place for the text");
    rk_u32 lines = rk_pipeline_length(pipeline);
    lines += rk_pipeline_kernel(pipeline, lines, &errors) == RK_OK;
    int width = (int)sizeof "stage" - 1;
    for (rk_u32 i = 0; i < lines; i++) {
        rk_status status = rk_pipeline_metrics(pipeline, i, &m);
        if (status != RK_OK) return status;
        if ((int)strlen(m.id) > width) width = (int)strlen(m.id);
    }
    write_text(&to, "%-*s %11s %11s %9s %7s %13s %7s%10s%10s%10s%10s %11s\n", width, "stage", "in", "out",
               "aside", "gone", "queue", "parks", "wait p50", "p99", "work p50", "p99", "a second");
    for (rk_u32 i = 0; i < lines; i++) {
        rk_status status = rk_pipeline_metrics(pipeline, i, &m);
        if (status != RK_OK) return status;
        write_stage(&to, &m, width);
    }
    if (length) *length = to.used;
    if (to.used >= to.size)
        return rk_error(RK_TOO_SMALL, "the table has %zu characters and a zero, the room %zu", to.used, size);
    return RK_OK;
}
