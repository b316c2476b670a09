#include "writer.h"

#include <errno.h>
#include <fcntl.h>
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
    while ((file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666)) < 0 &&
           errno == ENXIO && is_pipe(path)) {
        if (!interrupt_wait_readable(NO_FILE, READER_EVERY_MS, &timed_out) && timed_out) continue;
        errno = EINTR;
        return -1;
    }
    if (file >= 0) fcntl(file, F_SETFL, fcntl(file, F_GETFL) & ~O_NONBLOCK);
    return file;
}

bool writer_open(writer *to, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    *to = (writer){ .file = standard ? STDOUT_FILENO : open_file(path),
                    .name = standard ? "standard output" : path };
    if (to->file < 0)
        to->error = errno;
    else
        to->on_terminal = isatty(to->file);
    return to->error == 0;
}

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

bool writer_flush(writer *to)
{
    size_t done = 0;
    if (to->on_terminal) {
        command_error_lock();
        if (to->used) command_error_clear();
    }
    while (done < to->used && !to->error) {
        ssize_t written = write(to->file, to->buffer + done, to->used - done);
        if (written >= 0)
            done += (size_t)written;
        else if (errno == EAGAIN) /* somebody made a shared terminal or pipe non-blocking */
            poll(&(struct pollfd){ .fd = to->file, .events = POLLOUT }, 1, -1);
        else if (errno != EINTR)
            to->error = errno;
    }
    if (to->on_terminal) command_error_unlock();
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

char *writer_error(const writer *to) { return command_print("%s: %s", to->name, strerror(to->error)); }
