/* A job: what `rk run` has in its hands, and the steps that it takes.
 *
 *     job_launch   the app's kernels, compiled, launched and connected
 *     checkpoints  what an earlier run of the job had reached, put into them      (job_checkpoints)
 *     job_activate they run
 *     feed         rows of the source become messages of the first kernel       (the main thread)
 *     collect      what kernels send to the host goes to the sink               (a thread for each kernel)
 *     letters      what nobody handled, from the source and from every kernel
 *     account      are all rows somewhere? (checks), and the summary */
#ifndef RINGKERNEL_CLI_JOB_H
#define RINGKERNEL_CLI_JOB_H

#include <pthread.h>
#include <stdatomic.h>

#include "app.h"
#include "letters.h"
#include "ringkernel/ringkernel.h"
#include "sink.h"
#include "source.h"

typedef struct job_kernel {
    rk_kernel handle;
    bool launched;
    bool
        to_output; /* a route leads from it to the output: what it sends to the host is output; else it is unrouted */
    bool letters_elsewhere;  /* a route leads its dead letters to another kernel */
    atomic_ullong collected; /* messages taken from its out lanes */
    rk_account account;      /* at the end of the job */
    rk_account from_kernels; /* of it, what its device lanes refused */
    pthread_t collector;
    bool collecting;
    struct job *job;
    rk_u32 number; /* its place in the app, from 0 */
} job_kernel;

/* What became of the rows that were read. */
typedef struct feed_counts {
    rk_u64 rows;    /* read: messages and bad rows */
    rk_u64 bad;     /* were no message */
    rk_u64 sent;    /* copies that the first kernel accepted */
    rk_u64 refused; /* copies that it refused by its own strategy: dropped, duplicate, … */
    rk_u64 unsent;  /* copies that were not sent, since the job was stopped */
    rk_u64 copies;  /* of each row: 1, or one for each shard */
} feed_counts;

typedef struct job {
    /* What the command line says. */
    const char *app_path, *input, *input_format, *output, *output_format, *summary, *dead_letters;
    const char *checkpoints_folder; /* NULL: the app's, if it has one */
    bool no_restore;
    char **sets;
    size_t set_count;
    rk_u32 workers;
    rk_u32 patience_s;
    bool json, verbose;
    rk_u32 backend;
    rk_u32 devices[RK_DEVICES_MAX], device_count; /* 0: the backend's first */

    app app;
    app_mistakes mistakes; /* that only the compiled kernels show; told once all are found */
    rk_runtime *runtime;
    job_kernel *kernels; /* as many as the app has */
    rk_u32 first;        /* the kernel that the input leads to */
    rk_u32 first_route;
    rk_topics *topics;       /* NULL: the app has none */
    struct topic_lags *lags; /* NULL: the app has no topics */
    const rk_schema *schema; /* of rows */
    source *from;
    app_format input_as, output_as;
    sink to;
    letters *letters;
    feed_counts fed;
    struct job_checkpoints *checkpoints; /* NULL: none are taken */
    const rk_schema **schemas;           /* by type id, where there are checkpoints; else NULL */
    struct XXH3_state_s *rows_sum;       /* of all rows so far, where there are checkpoints; else NULL */
    rk_u64 restored_number;              /* of the checkpoint that the job goes on from; 0: it begins */
    rk_u64 restored_rows, restored_sum;  /* rows of the source that the checkpoint has, and their sum */
    atomic_bool give_up;                 /* collectors end though their kernel isn't drained */
    atomic_bool output_failed;
    bool stuck;  /* no progress for the patience */
    bool failed; /* a kernel failed */
    bool interrupted;
    bool draining;
    writer letters_out, summary_out;
    rk_u64 start_ns, feed_ns, drain_ns,
        end_ns; /* when the command began, rows were read, the input had ended, all was done */
    rk_u64 looked_ns, watched_progress, watched_since_ns;
} job;

#define JOB_SLICE_NS \
    RK_MILLISECONDS( \
        50) /* how long a wait may keep the job from noticing Ctrl-C, a failure, or the time to show progress */

#define JOB_ROW_ID \
    (1ull << 63) /* marks a message's id as the number of a row, which ids that handlers give are not */

rk_u64 job_now_ns(void);

typedef struct job_checkpoints job_checkpoints;

/* Rows are summed up as they come, so that a job which goes on is known to have the same. */
void job_rows_begin(job *j);
rk_u64 job_rows_sum(const job *j);
void job_rows_end(job *j);

/* Does a kernel of the app reply to others? Then messages go where no route leads. */
bool job_replies(const job *j);

/* Steps; each returns an exit code and has told what is wrong. */
int job_launch(job *j);   /* compiled, launched and connected */
int job_activate(job *j); /* and active */
int feed_run(job *j);
int collect_start(job *j);
void collect_join(job *j);
int job_drain(job *j);

/* Called in every wait: shows progress; false: a kernel failed, or nothing moved for the patience (told; the
 * job is to be stopped). */
bool job_watch(job *j);

#endif
