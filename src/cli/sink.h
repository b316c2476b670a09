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
    uint64_t unwritten; /* messages that an error kept from it: in the buffer, or later */
} sink;

/* How far a file has come. */
typedef struct sink_place {
    uint64_t bytes, lines;
    uint32_t type; /* of CSV: its message type; 0: it has no head yet */
    uint32_t format;
} sink_place;

/* False: sink_error says why. */
bool sink_open(sink *to, const char *path, app_format format);
/* What the file had before is gone from now on; so it is with the first line. Any thread. */
void sink_empty(sink *to);
/* A file that was cut off goes on: see sink_cut. */
bool sink_continue(sink *to, const char *path, app_format format, const sink_place *from,
                   const rk_schema *type);
/* Writes a message. What can't be written is counted; see sink_failed. */
void sink_write(sink *to, const rk_schema *schema, const void *message, size_t size);
/* What was written shall be seen now: nothing more is on its way. */
void sink_flush(sink *to);
/* All that was written so far is on disk. */
void sink_sync(sink *to);
/* The same, and this is where it ends. False: not all of it is there. */
bool sink_cut(sink *to, sink_place *place);
bool sink_failed(sink *to);
/* False: not everything got there. */
bool sink_close(sink *to);
/* Why; the caller frees it. */
char *sink_error(const sink *to);

#endif
