/* The table at the end, and the file that is kept. */
#ifndef RK_BENCH_GPU_RECORD_H
#define RK_BENCH_GPU_RECORD_H

#include "statistics.h"

/* Rows without a library's side get the figures of row 1 to stand beside. */
void print_table(outcome *outcomes, unsigned outcome_count);
/* run.save/gpu_bench-DATE.json: a manifest, and of each row its figures and every trial. */
void write_record(const outcome *outcomes, unsigned outcome_count);

#endif
