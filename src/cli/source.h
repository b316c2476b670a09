/* Where rows come from: a file or standard input, plain or compressed by zstd, as one stream of bytes. */
#ifndef RINGKERNEL_CLI_SOURCE_H
#define RINGKERNEL_CLI_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct source source;

/* "-" is standard input. Compression is known by the first bytes. NULL: *error says why, for the caller to
 * free. */
source *source_open(const char *path, char **error);

typedef enum source_result {
    SOURCE_DATA, /* *data and *size are good until the next call; *last: nothing comes after them (size may be 0) */
    SOURCE_NOTHING_YET, /* the time was over first: call again */
    SOURCE_STOPPED,     /* interrupt_wake: nothing more will be read */
    SOURCE_FAILED       /* source_error says why */
} source_result;
source_result source_read(source *from, const char **data, size_t *size, bool *last, int timeout_ms);

const char *source_error(const source *from);
const char *source_name(const source *from); /* "standard input" or the path */
uint64_t source_bytes(const source *from);   /* taken from the file so far */
uint64_t source_total(const source *from);   /* of the file; 0: not known */
bool source_is_terminal(const source *from); /* somebody types the rows */
/* Is this (an open file's device and number) the very file that is read? */
bool source_is(const source *from, uint64_t device, uint64_t inode);

void source_close(source *from);

#endif
