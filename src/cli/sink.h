/* Where messages go that leave the app: a file or standard output, as NDJSON or CSV, one line each. Any
 * thread. */
#ifndef RINGKERNEL_CLI_SINK_H
#define RINGKERNEL_CLI_SINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "app.h"
#include "ringkernel/message.h"
#include "writer.h"

typedef struct sink {
    pthread_mutex_t lock;
    atomic_bool busy; /* a thread is writing, perhaps for long: whoever reads the pipe takes its time */
    writer out;
    app_format format;
    const rk_schema *type; /* of CSV: its one message type */
    char *refusal;         /* why a message could not be written at all */
    uint64_t lines;
    uint64_t unwritten; /* messages that came after an error */
} sink;

/* False: sink_error says why. */
bool sink_open(sink *to, const char *path, app_format format);
/* Writes a message. What can't be written is counted; see sink_failed. */
void sink_write(sink *to, const rk_schema *schema, const void *message, size_t size);
/* What was written shall be seen now: nothing more is on its way. */
void sink_flush(sink *to);
bool sink_failed(sink *to);
/* False: not everything got there. */
bool sink_close(sink *to);
/* Why; the caller frees it. */
char *sink_error(const sink *to);

#endif
