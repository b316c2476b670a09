/* A kernel source as text, for the commands that look at it without running it. */
#ifndef RINGKERNEL_CLI_SOURCE_TEXT_H
#define RINGKERNEL_CLI_SOURCE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct source_text {
    char *text; /* ended by a NUL that `size` doesn't count */
    size_t size;
    char *full_path; /* from the root: what generated code includes */
} source_text;

/* False: told why. */
bool source_text_read(source_text *source, const char *path);
void source_text_free(source_text *source);

#endif
