/* Shows and keeps what was measured. */
#include <stdio.h>
#include <unistd.h>

#include "../peer/manifest.h"
#include "record.h"

static void print_value(double value)
{
    if (value < 0)
        printf(" %11s", "-");
    else
        printf(" %11.*f", value < 10 ? 3 : value < 1000 ? 2 : 0, value);
}

void print_table(outcome *outcomes, unsigned outcome_count)
{
    const outcome *first = outcome_count && !strcmp(outcomes[0].of->id, "1") ? &outcomes[0] : NULL;
    printf("\n%-6s %-46s %-6s %11s %11s %-4s %8s %8s %s\n", "row", "what", "", "ringkernel", "raw", "",
           "ratio", "bar", "");
    for (unsigned i = 0; i < outcome_count; i++) {
        outcome *o = &outcomes[i];
        if (!o->line_count) printf("%-6s %-46s could not run\n", o->of->id, o->of->title);
        for (unsigned k = 0; k < o->line_count; k++) {
            line *l = &o->lines[k];
            if (!o->of->ours && first && first->line_count == o->line_count) { /* beside row 1 */
                l->ours = first->lines[k].ours;
                l->ratio = l->ours > 0 && l->raw > 0 ? l->ours / l->raw : -1;
            }
            printf("%-6s %-46s %-6s", k ? "" : o->of->id, k ? "" : o->of->title, l->what);
            print_value(l->ours);
            print_value(l->raw);
            printf(" %-4s", l->unit);
            if (l->ratio >= 0)
                printf(" %8.3f", l->ratio);
            else
                printf(" %8s", "-");
            char bar[32] = "";
            if (l->bar > 0)
                snprintf(bar, sizeof bar, "%s %g%s", l->at_least ? ">=" : "<=", l->bar,
                         l->absolute ? " us" : "");
            printf(" %8s %s\n", bar, l->verdict);
        }
        if (o->of->note[0]) printf("%-6s   %s\n", "", o->of->note);
        if (o->reason[0]) printf("%-6s   failed: %.400s\n", "", o->reason);
    }
    fflush(stdout);
}

/* ------------------------------------------------------------------ the file */

static void first_line_of(const char *command, char *text, size_t size)
{
    FILE *pipe = popen(command, "r");
    text[0] = 0;
    if (!pipe) return;
    if (!fgets(text, (int)size, pipe)) text[0] = 0;
    text[strcspn(text, "\n")] = 0;
    pclose(pipe);
}

static void write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', file);
        if ((unsigned char)*text < 32)
            fputc(' ', file);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

static void write_contender(FILE *file, const char *name, const contender *c)
{
    static const double qs[] = { 0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 };
    fprintf(file, ",\n     \"%s\": {\"trials\": [", name);
    for (unsigned i = 0; i < c->count; i++) {
        const trial *t = &c->trials[i];
        fprintf(
            file,
            "%s\n      {\"in\": %llu, \"out\": %llu, \"wrong\": %llu, \"seconds\": %.6f, \"samples\": %llu",
            i ? "," : "", (unsigned long long)t->in, (unsigned long long)t->out, (unsigned long long)t->wrong,
            t->seconds, (unsigned long long)t->count);
        if (t->count) fputs(", \"quantiles_us\": {", file);
        for (unsigned q = 0; t->count && q < sizeof qs / sizeof *qs; q++)
            fprintf(file, "%s\"%g\": %.3f", q ? ", " : "", qs[q], quantile_us(t->at, t->count, qs[q]));
        fputs(t->count ? "}}" : "}", file);
    }
    fputs("]}", file);
}

void write_record(const outcome *outcomes, unsigned outcome_count)
{
    char path[1024], date[16], machine[256];
    static const int cores[2] = { -1, -1 };
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    snprintf(path, sizeof path, "%s/gpu_bench-%s.json", run.save, date);
    FILE *file = fopen(path, "w");
    if (!file) {
        fprintf(stderr, "gpu_bench: %s can't be written\n", path);
        exit(1);
    }
    fputs("{\n", file);
    bench_manifest(file, RK_SOURCE_DIR, cores);
    first_line_of(
        "nvidia-smi --query-gpu=driver_version,clocks.sm,clocks.max.sm,clocks.mem,pcie.link.gen.current,"
        "pcie.link.width.current,persistence_mode --format=csv,noheader 2> /dev/null",
        machine, sizeof machine);
    fprintf(
        file,
        "  \"device\": {\"backend\": \"%s\", \"name\": \"%s\", \"multiprocessors\": %d, \"capability\": %d, "
        "\"cuda_driver\": %d, \"cuda_runtime\": %d, \"clock_khz\": %d,\n    \"driver_clocks_link\": "
        "\"%s\"},\n",
        run.backend == RK_BACKEND_CPU ? "cpu" : "cuda", run.device.name, run.device.multiprocessors,
        run.device.capability, run.device.driver, run.device.runtime, run.device.clock_khz, machine);
    fprintf(file, "  \"seconds\": %g, \"rounds\": %u, \"unbalanced\": %u,\n  \"rows\": [", run.seconds,
            run.rounds, run.unbalanced);
    for (unsigned i = 0; i < outcome_count; i++) {
        const outcome *o = &outcomes[i];
        fprintf(file,
                "%s\n    {\"row\": \"%s\", \"what\": \"%s\", \"note\": \"%s\", \"reason\": ", i ? "," : "",
                o->of->id, o->of->title, o->of->note);
        write_text(file, o->reason);
        fputs(",\n     \"figures\": [", file);
        for (unsigned k = 0; k < o->line_count; k++) {
            const line *l = &o->lines[k];
            fprintf(file,
                    "%s\n      {\"figure\": \"%s\", \"unit\": \"%s\", \"ringkernel\": %.6g, \"raw\": %.6g, "
                    "\"ratio\": %.6g, \"bar\": %.6g, \"verdict\": \"%s\"}",
                    k ? "," : "", l->what, l->unit, l->ours, l->raw, l->ratio, l->bar, l->verdict);
        }
        fputs("]", file);
        write_contender(file, "ringkernel", &o->ours);
        write_contender(file, "raw", &o->raw);
        fputs("}", file);
    }
    fputs("\n  ]\n}\n", file);
    fclose(file);
    printf("saved: %s\n", path);
}
