#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "interrupt.h"

#define FLUSH_AT (64u << 10)
#define NO_FILE (-1)       /* to wait for nothing but an interrupt */
#define READER_EVERY_MS 20 /* how often it is asked whether somebody reads a pipe */
#define LOOK_EVERY_MS 50   /* and, while nobody takes what is in one, whether Ctrl-C came */

static bool is_pipe(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISFIFO(info.st_mode);
}

/* A named pipe that nobody reads yet is waited for, but not longer than until Ctrl-C. */
static int open_file(const char *path)
{
    int file;
    bool timed_out;
    while ((file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666)) < 0 && errno == ENXIO &&
           is_pipe(path)) {
        if (!interrupt_wait_readable(NO_FILE, READER_EVERY_MS, &timed_out) && timed_out) continue;
        errno = EINTR;
        return -1;
    }
    if (file >= 0) fcntl(file, F_SETFL, fcntl(file, F_GETFL) & ~O_NONBLOCK);
    return file;
}

bool writer_open_kept(writer *to, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    *to = (writer){ .file = standard ? STDOUT_FILENO : open_file(path),
                    .name = standard ? "standard output" : path };
    if (to->file < 0) {
        to->error = errno;
        return false;
    }
    struct stat info;
    to->on_terminal = isatty(to->file);
    bool known = fstat(to->file, &info) == 0;
    to->has_reader = known && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
    to->keeps = known && !standard && S_ISREG(info.st_mode); /* standard output is the shell's to empty */
    return true;
}

bool writer_empty(writer *to)
{
    if (to->keeps && !to->error && ftruncate(to->file, 0) < 0) to->error = errno;
    to->keeps = false;
    return to->error == 0;
}

bool writer_open(writer *to, const char *path) { return writer_open_kept(to, path) && writer_empty(to); }

bool writer_continue(writer *to, const char *path, uint64_t size)
{
    *to = (writer){ .file = open(path, O_WRONLY | O_CLOEXEC), .name = path, .flushed = size };
    if (to->file < 0 || ftruncate(to->file, (off_t)size) < 0 || lseek(to->file, (off_t)size, SEEK_SET) < 0)
        to->error = errno;
    return to->error == 0;
}

char *writer_room(writer *to, size_t size)
{
    if (to->used >= FLUSH_AT) writer_flush(to);
    if (to->room - to->used < size) {
        to->room = to->used + size > 2 * FLUSH_AT ? to->used + size : 2 * FLUSH_AT;
        to->buffer = command_resize(to->buffer, to->room);
    }
    return to->buffer + to->used;
}

void writer_took(writer *to, size_t size) { to->used += size; }

void writer_add(writer *to, const char *bytes, size_t size)
{
    memcpy(writer_room(to, size), bytes, size);
    writer_took(to, size);
}

void writer_text(writer *to, const char *text) { writer_add(to, text, strlen(text)); }

/* There is room for PIPE_BUF bytes, or an error that the write will tell. False: Ctrl-C came, and the reader has taken
 * nothing since for as long as it may. */
static bool await_room(writer *to)
{
    for (int waited_ms = 0;;) {
        int ready = poll(&(struct pollfd){ .fd = to->file, .events = POLLOUT }, 1, LOOK_EVERY_MS);
        if (ready > 0) return true;
        if (ready < 0 || !interrupt_asked()) continue;
        waited_ms += LOOK_EVERY_MS;
        if (waited_ms < WRITER_PATIENCE_S * 1000) continue;
        to->error = ETIMEDOUT;
        return false;
    }
}

static uint64_t count_lines(const char *bytes, size_t size)
{
    uint64_t count = 0;
    for (const char *end = bytes + size; (bytes = memchr(bytes, '\n', (size_t)(end - bytes))); bytes++)
        count++;
    return count;
}

bool writer_flush(writer *to)
{
    size_t done = 0;
    if (to->used) writer_empty(to);
    if (to->on_terminal) {
        command_error_lock();
        if (to->used) command_error_clear();
    }
    while (done < to->used && !to->error) {
        size_t size = to->used - done;
        if (to->has_reader) { /* a write that would wait for it hears no Ctrl-C */
            if (!await_room(to)) break;
            if (size > PIPE_BUF) size = PIPE_BUF;
        }
        ssize_t written = write(to->file, to->buffer + done, size);
        if (written >= 0)
            done += (size_t)written;
        else if (errno == EAGAIN) /* somebody made a shared terminal or pipe non-blocking */
            await_room(to);
        else if (errno != EINTR)
            to->error = errno;
    }
    if (to->on_terminal) command_error_unlock();
    if (done < to->used) to->lost_lines += count_lines(to->buffer + done, to->used - done);
    to->flushed += done;
    to->used = 0;
    return to->error == 0;
}

bool writer_sync(writer *to)
{
    if (writer_flush(to) && fdatasync(to->file) < 0) to->error = errno;
    return to->error == 0;
}

bool writer_close(writer *to)
{
    if (to->file < 0) return to->error == 0;
    writer_flush(to);
    if (to->file != STDOUT_FILENO && close(to->file) < 0 && !to->error) to->error = errno;
    to->file = -1;
    free(to->buffer);
    to->buffer = NULL;
    to->room = 0;
    return to->error == 0;
}

char *writer_error(const writer *to)
{
    if (to->error == ETIMEDOUT && to->has_reader)
        return command_print("%s: given up, as its reader has taken nothing for %d s after the interrupt",
                             to->name, WRITER_PATIENCE_S);
    return command_print("%s: %s", to->name, strerror(to->error));
}
