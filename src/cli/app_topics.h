/* Topics of an app file: a line with a kernel before its arrow says who publishes, one with a kernel behind
 * it who subscribes. What they mean together is known before anything starts. */
#ifndef RINGKERNEL_CLI_APP_TOPICS_H
#define RINGKERNEL_CLI_APP_TOPICS_H

#include "app.h"

/* Topics that nobody gets, patterns that match nothing, and lines that are neither. */
void app_topics_check(const app *app, app_mistakes *mistakes);

#endif
