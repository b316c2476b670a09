/* How far the subscribers of an app's topics were behind while the job ran, for its summary. */
#ifndef RINGKERNEL_CLI_TOPIC_LAGS_H
#define RINGKERNEL_CLI_TOPIC_LAGS_H

#include <jansson.h>

#include "job.h"

typedef struct topic_lags topic_lags;

/* From now on they are looked at. Without topics nothing is. */
void topic_lags_begin(job *j);
void topic_lags_look(job *j);
/* A list with an object for each subscriber; what is in it is in docs/messages.md. */
json_t *topic_lags_json(job *j);
/* A line for each one that was a whole lane behind, or missed something. */
void topic_lags_print(job *j, FILE *out);
void topic_lags_end(job *j);

#endif
