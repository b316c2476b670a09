/* What the parts of the GPU benchmark share: a row, the run, and the library's side of a trial. */
#ifndef RK_BENCH_GPU_GPU_BENCH_H
#define RK_BENCH_GPU_GPU_BENCH_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <ringkernel/ringkernel.h>

#include "gpu_bench.rk.h"
#include "raw.h"

#define KERNELS_MOST 8u
#define BURST 256u

/* ------------------------------------------------------------------ rows */

typedef struct row row;
struct row {
    const char *id, *title;
    int rate; /* 1: messages a second, 0: quantiles of samples, 2: their mean only */
    void (*open)(const row *self);
    void (*ours)(const row *self, trial *t, double seconds);
    int (*raw)(const row *self, trial *t, double seconds);
    unsigned n;                    /* threads, pairs, shards or blocks */
    double bar, bar_p99;           /* ratio to raw: at least, of a rate; at most, of p50 and p99 */
    double limit_us, limit_p99_us; /* without raw */
    const char *note;
};

/* In the order of the table. */
typedef struct rows {
    const row *at;
    size_t count;
} rows;
extern const rows host_rows, device_rows, life_rows, peer_rows; /* the last with two devices */
#define ROWS(table)                         \
    {                                       \
        table, sizeof table / sizeof *table \
    }

/* ------------------------------------------------------------------ the run */

typedef struct bench_run {
    double seconds;  /* of a trial */
    unsigned rounds; /* trials of a contender */
    const char *save, *only;
    rk_u32 backend;
    raw_device device;
    int has_device;
    unsigned unbalanced;
    uint64_t messages; /* of all trials, warming up included */
} bench_run;
extern bench_run run;

/* ------------------------------------------------------------------ failing a row: failure.c */

/* Goes back to where the row was begun. By the main thread. */
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *format, ...);

#define MUST(call)                                                                                \
    do {                                                                                          \
        rk_status status_ = (call);                                                               \
        if (status_ != RK_OK) fail("%s: %s %s", #call, rk_status_name(status_), rk_error_text()); \
    } while (0)

/* What a thread beside has to say: the first one counts, when the threads are joined. */
void tell(const char *what, rk_status status);
void forget_told(void);
void fail_if_told(void);

/* Runs a row's `ours`, or without one opens it. 0: it failed, and row_reason() says why. */
int attempt(const row *r, void (*ours)(const row *, trial *, double), trial *t, double s);
int attempt_runtime(void);
const char *row_reason(void);

/* ------------------------------------------------------------------ the library: library.c */

extern rk_runtime *runtime;
extern rk_kernel kernels[KERNELS_MOST];
extern unsigned kernel_count;
extern uint64_t number; /* of the next message: rows go on where the trial before ended */

void open_runtime(void);
void open_runtime_over(const rk_u32 *devices, rk_u32 count);
void close_runtime(void);
/* Options that the rows begin with, for a kernel of so many shards. */
rk_launch_options plain(const char *name, unsigned shards);
rk_kernel launch(const rk_launch_options *o);
void connect_to(rk_kernel from, const char *route, rk_kernel to, const char *message);
void activate_all(void);
void deactivate_all(void);
rk_account account(unsigned i);
rk_account accounts(void); /* over all kernels */
/* What handlers refused since the trial before. */
void add_dead(trial *t);

void fill(item *m, rk_u32 n, rk_u32 chain);
int is_damaged(const item *m);
void send_ticks(rk_kernel kernel, rk_u32 chains, rk_u32 limit);
void sleep_s(double s);
void bind_thread(int core); /* bind_to */

/* What rows of one device and of two share: device_rows.c. */
#define UNDER_WAY 1024u /* of each pair or shard */
#define ROAMING 248u    /* of each of 132 shards, among which they go */
#define ROOMY 32768u
void scatter(rk_kernel to, unsigned targets, unsigned each);
void circulate(const row *self, trial *t, double s);
void device_trip(const row *self, trial *t, double s);
void open_stages_on(unsigned shards, const rk_u32 places[4]);
void stages(const row *self, trial *t, double s);

/* Kernels of row 1, and of the restarts. */
void open_bounce(const row *self);
/* The table of row 9, without a device. */
void free_own_table(void);

/* Threads beside the main one, each bound to a core of its own. */
typedef struct worker {
    pthread_t id;
    unsigned i;
    uint64_t count, wrong, last_ns;
    uint64_t asked, next; /* row 4: events; from trial to trial */
} worker;

extern worker workers[THREADS_MOST];
extern unsigned started, finishing; /* atomic */
extern uint64_t ends_ns;

void start_workers(unsigned n, void *(*function)(void *));
void await_start(unsigned i);
void join_workers(unsigned n);

#endif
