/* Figures, ratios and judgements. A ratio is the median of those of the single rounds. */
#include <stdio.h>

#include "statistics.h"

static int by_sample(const void *a, const void *b)
{
    uint32_t l = *(const uint32_t *)a, r = *(const uint32_t *)b;
    return (l > r) - (l < r);
}
static int by_value(const void *a, const void *b)
{
    double l = *(const double *)a, r = *(const double *)b;
    return (l > r) - (l < r);
}
static double median(double *values, unsigned n)
{
    if (!n) return -1;
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
double quantile_us(const uint32_t *sorted, uint64_t n, double q)
{
    return n ? sorted[(uint64_t)(q * (double)(n - 1))] / 1e3 : -1;
}
static double rate_of(const trial *t) { return t->seconds > 0 ? (double)t->out / t->seconds : 0; }

static void gather(contender *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        trial *t = &c->trials[i];
        if (t->count) qsort(t->at, t->count, sizeof *t->at, by_sample);
        c->samples += t->count;
    }
    if (!c->samples) return;
    c->sorted = malloc(c->samples * sizeof *c->sorted);
    if (!c->sorted) abort();
    uint64_t at = 0;
    for (unsigned i = 0; i < c->count; i++) {
        trial *t = &c->trials[i];
        if (t->count) memcpy(c->sorted + at, t->at, t->count * sizeof *t->at);
        at += t->count;
    }
    qsort(c->sorted, c->samples, sizeof *c->sorted, by_sample);
}

/* A trial's figure: its rate in M/s, or a quantile in µs. */
static double figure_of(const trial *t, double q)
{
    return q < 0 ? rate_of(t) / 1e6 : quantile_us(t->at, t->count, q);
}
static double figure_over(const contender *c, double q)
{
    double values[ROUNDS_MOST];
    if (q >= 0) return quantile_us(c->sorted, c->samples, q);
    for (unsigned i = 0; i < c->count; i++) values[i] = figure_of(&c->trials[i], q);
    return median(values, c->count);
}

static void add_line(outcome *o, const char *what, double q, double bar, double limit_us)
{
    line *l = &o->lines[o->line_count++];
    double ratios[ROUNDS_MOST];
    unsigned n = 0;
    snprintf(l->what, sizeof l->what, "%s", what);
    l->unit = q < 0 ? "M/s" : "us";
    l->ours = figure_over(&o->ours, q);
    l->raw = figure_over(&o->raw, q);
    for (unsigned i = 0; i < o->ours.count && i < o->raw.count; i++) {
        double a = figure_of(&o->ours.trials[i], q), b = figure_of(&o->raw.trials[i], q);
        if (a >= 0 && b > 0) ratios[n++] = a / b;
    }
    l->ratio = n ? median(ratios, n) : l->ours >= 0 && l->raw > 0 ? l->ours / l->raw : -1;
    l->at_least = q < 0;
    l->absolute = limit_us > 0;
    l->bar = limit_us > 0 ? limit_us : bar > 0 ? bar : -1;
    double value = l->absolute ? l->ours : l->ratio;
    l->verdict = "";
    if (l->bar <= 0 || (l->raw < 0 && !l->absolute)) return; /* nothing to judge by */
    l->verdict = value >= 0 && (l->at_least ? value >= l->bar : value <= l->bar) ? "met" : "MISSED";
}

void judge(outcome *o)
{
    const row *r = o->of;
    if (!o->ours.count && !o->raw.count) return;
    gather(&o->ours);
    gather(&o->raw);
    if (r->rate == 1) {
        add_line(o, "rate", -1, r->bar, 0);
    } else if (r->rate == 2) {
        add_line(o, "mean", 0.5, r->bar, r->limit_us);
    } else {
        add_line(o, "p50", 0.5, r->bar, r->limit_us);
        add_line(o, "p99", 0.99, r->bar_p99, r->limit_p99_us);
        add_line(o, "p99.9", 0.999, 0, 0);
        add_line(o, "max", 1, 0, 0);
    }
}
