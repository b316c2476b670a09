/* What trials come to: figures of both contenders, ratios of the single rounds, and a judgement. */
#ifndef RK_BENCH_GPU_STATISTICS_H
#define RK_BENCH_GPU_STATISTICS_H

#include "gpu_bench.h"

#define ROUNDS_MOST 32u

typedef struct contender {
    trial trials[ROUNDS_MOST];
    unsigned count;
    uint32_t *sorted; /* all samples */
    uint64_t samples;
} contender;

typedef struct line { /* of the table */
    char what[24];
    double ours, raw, ratio, bar; /* < 0: none */
    int at_least, absolute;
    const char *unit;
    const char *verdict; /* "met", "MISSED" or "" */
} line;

typedef struct outcome {
    const row *of;
    contender ours, raw;
    char reason[512];
    line lines[4];
    unsigned line_count;
} outcome;

/* Of sorted samples; below 0: there are none. */
double quantile_us(const uint32_t *sorted, uint64_t n, double q);
/* Makes a row's lines of its trials, whose samples are sorted. */
void judge(outcome *o);

#endif
