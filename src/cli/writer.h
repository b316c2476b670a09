/* A file that is written: buffered, with one place where an error is kept. The first error (a closed pipe, a
 * full disk) sticks, later bytes are let go, and whoever closes it learns of it. One thread at a time. */
#ifndef RINGKERNEL_CLI_WRITER_H
#define RINGKERNEL_CLI_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pipe is waited for, as long as its reader likes; but after Ctrl-C not beyond so long without a byte taken. Enough for
 * a reader that works on what it has, and short enough for a person who waits. */
#define WRITER_PATIENCE_S 5

typedef struct writer {
    int file;            /* -1: not open */
    bool on_terminal;    /* where progress lines may stand, which are cleared before each write */
    bool keeps;          /* a file that has still what it had before */
    bool has_reader;     /* a pipe or a socket, where whoever reads decides how long a write takes */
    const char *name;    /* "standard output" or the path */
    int error;           /* errno of the first that failed; 0: none */
    uint64_t flushed;    /* bytes of the file so far */
    uint64_t lost_lines; /* that were added and don't end in the file, since an error */
    char *buffer;
    size_t used, room;
} writer;

/* "-" is standard output; else the file is made or emptied. False: writer_error has why. */
bool writer_open(writer *to, const char *path);
/* The same, but what is in the file stays until writer_empty, or the first bytes that go there. */
bool writer_open_kept(writer *to, const char *path);
bool writer_empty(writer *to);
/* A file that is there goes on after its first `size` bytes; what is behind them is cut off. */
bool writer_continue(writer *to, const char *path, uint64_t size);
void writer_add(writer *to, const char *bytes, size_t size);
void writer_text(writer *to, const char *text);
/* At least `size` bytes that may be written at, before the next call; writer_took says how many were. */
char *writer_room(writer *to, size_t size);
void writer_took(writer *to, size_t size);
bool writer_flush(writer *to);
/* What was written so far outlives the machine's power, too. */
bool writer_sync(writer *to);
/* Flushes and closes. False: not everything got there. */
bool writer_close(writer *to);
/* "NAME: No space left on device". The caller frees it. */
char *writer_error(const writer *to);

#endif
