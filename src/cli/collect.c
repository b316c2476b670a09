/* What kernels send to the host: for each kernel a thread takes it, so no out lane is ever the reason that a
 * shard parks. */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "interrupt.h"
#include "job.h"

#define BATCH 256u
#define FIRST_ROOM 1024u /* bytes of a message, until one is larger */

typedef struct collector {
    job_kernel *kernel;
    size_t room;
    char *bodies;
    rk_received infos[BATCH];
    const rk_schema *schema; /* of the last message: most are alike */
} collector;

static const rk_schema *schema_of(collector *c, rk_u32 type)
{
    if (c->kernel->job->schemas) return c->kernel->job->schemas[type & 0xffffu];
    if (!c->schema || c->schema->type != type)
        c->schema = rk_find_schema_of_type(c->kernel->job->runtime, type);
    return c->schema;
}

static void take(collector *c, size_t count)
{
    job *j = c->kernel->job;
    for (size_t i = 0; i < count; i++) {
        const rk_received *info = &c->infos[i];
        const char *body = c->bodies + i * c->room;
        const rk_schema *schema = schema_of(c, info->type);
        if (c->kernel->to_output && schema) {
            sink_write(&j->to, schema, body, info->length);
        } else {
            letter one = { .row = LETTERS_NO_ROW,
                           .reason = "unrouted",
                           .kernel = c->kernel->number + 1,
                           .shard = info->shard,
                           .type = info->type,
                           .size = info->length,
                           .body = body };
            letters_add(j->letters, &one);
        }
    }
    atomic_fetch_add_explicit(&c->kernel->collected, count, memory_order_release);
}

static void *collect(void *argument)
{
    collector c = { .kernel = argument, .room = FIRST_ROOM, .bodies = command_allocate(FIRST_ROOM * BATCH) };
    job *j = c.kernel->job;
    rk_u64 wait_ns = RK_NO_WAIT;
    for (;;) {
        size_t count = 0;
        rk_status status =
            rk_receive_many(j->runtime, c.kernel->handle, c.bodies, c.room, BATCH, c.infos, wait_ns, &count);
        take(&c, count);
        if (count) {
            wait_ns = RK_NO_WAIT;
        } else if (status == RK_TOO_SMALL) {
            c.room = (c.infos[0].length + 63u) & ~(size_t)63;
            c.bodies = command_resize(c.bodies, c.room * BATCH);
        } else if (status == RK_EMPTY || status == RK_TIMED_OUT) {
            if (atomic_load(&j->give_up)) break;
            /* Whoever reads the output sees what there is, before we wait for more. */
            if (status == RK_EMPTY) sink_flush(&j->to);
            wait_ns = JOB_SLICE_NS;
        } else {
            break; /* closed: nothing is there and nothing will come */
        }
        if (sink_failed(&j->to) && !atomic_exchange(&j->output_failed, true)) interrupt_wake();
    }
    free(c.bodies);
    return NULL;
}

int collect_start(job *j)
{
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        int error = pthread_create(&j->kernels[i].collector, NULL, collect, &j->kernels[i]);
        if (error) {
            command_error("a thread can't be started: %s", strerror(error));
            return RK_EXIT_KERNEL;
        }
        j->kernels[i].collecting = true;
    }
    return RK_EXIT_OK;
}

void collect_join(job *j)
{
    for (rk_u32 i = 0; i < j->app.file->kernels_count; i++) {
        if (j->kernels[i].collecting) pthread_join(j->kernels[i].collector, NULL);
        j->kernels[i].collecting = false;
    }
    sink_flush(&j->to);
    if (sink_failed(&j->to)) atomic_store(&j->output_failed, true);
}
