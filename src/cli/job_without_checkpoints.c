/* Built where LMDB or xxHash is missing, in place of job_checkpoints.c: who asks for checkpoints is told. */
#include <string.h>

#include "command.h"
#include "job_checkpoints.h"

int checkpoints_open(job *j, const char *output)
{
    (void)output;
    if (!j->checkpoints_folder && !j->app.file->checkpoints.folder && !j->no_restore) return RK_EXIT_OK;
    command_error(
        "checkpoints are not in this rk: it was built without LMDB (see the output of its configuration)");
    return RK_EXIT_USAGE;
}

const sink_place *checkpoints_output(const job *j)
{
    (void)j;
    return NULL;
}

void checkpoints_if_due(job *j) { (void)j; }

void checkpoints_metrics(const job *j, rk_checkpoint_metrics *metrics)
{
    (void)j;
    memset(metrics, 0, sizeof *metrics);
}

int checkpoints_close(job *j, int code)
{
    (void)j;
    return code;
}
