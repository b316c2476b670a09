/* Checkpoints of a job, so that one that is killed goes on where it was: see job_checkpoints.c. All of it is
 * of the main thread. */
#ifndef RINGKERNEL_CLI_JOB_CHECKPOINTS_H
#define RINGKERNEL_CLI_JOB_CHECKPOINTS_H

#include "job.h"
#include "ringkernel/checkpoint.h"

/* With the kernels connected and not active yet: opens the store and restores what is there, if the app or
 * the command line wants checkpoints. An exit code; what is wrong is told. */
int checkpoints_open(job *j, const char *output);
/* Where the output goes on; NULL: it begins. */
const sink_place *checkpoints_output(const job *j);
/* Between two batches of rows: takes one if it is time. */
void checkpoints_if_due(job *j);
void checkpoints_metrics(const job *j, rk_checkpoint_metrics *metrics);
/* At the end, with the job's exit code so far; returns the one that it then has. */
int checkpoints_close(job *j, int code);

#endif
