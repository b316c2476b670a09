#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "command.h"
#include "interrupt.h"

#define PIECE \
    (256u     \
     << 10) /* bytes of one read: small enough for the second-level cache, large enough that calls don't count */
static const unsigned char zstd_magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };
/* Of a frame to be skipped; the first byte may be up to 15 more. */
static const unsigned char zstd_skippable[4] = { 0x50, 0x2a, 0x4d, 0x18 };
static const unsigned char gzip_magic[3] = { 0x1f, 0x8b, 0x08 };
static const unsigned char utf16_marks[2][2] = { { 0xff, 0xfe }, { 0xfe, 0xff } };

struct source {
    int file;
    const char *name;
    char *error;
    uint64_t bytes, total, device, inode;
    bool regular;
    bool file_ended;
    char *raw; /* as it lies in the file */
    size_t raw_size;
    bool first_known; /* the first bytes told whether it is compressed */

    ZSTD_DStream *zstd; /* NULL: it isn't */
    ZSTD_inBuffer packed;
    char *unpacked;
    bool frame_open; /* the last frame isn't complete yet */
};

static source_result fail(source *from, char *error)
{
    free(from->error);
    from->error = error;
    return SOURCE_FAILED;
}

source *source_open(const char *path, char **error)
{
    bool standard = strcmp(path, "-") == 0;
    /* A named pipe without a writer is waited for in the first read, where Ctrl-C is heard, not here. */
    int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info = { 0 };
    *error = NULL;
    if (file < 0 || fstat(file, &info) < 0)
        *error = command_print("%s: %s", standard ? "standard input" : path, strerror(errno));
    else if (S_ISDIR(info.st_mode))
        *error = command_print("%s: is a folder, not a file of rows", standard ? "standard input" : path);
    if (*error) {
        if (file > STDIN_FILENO) close(file);
        return NULL;
    }
    source *from = command_allocate(sizeof *from);
    *from = (source){ .file = file,
                      .name = standard ? "standard input" : path,
                      .total = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0,
                      .regular = S_ISREG(info.st_mode),
                      .device = info.st_dev,
                      .inode = info.st_ino,
                      .raw = command_allocate(PIECE) };
    return from;
}

/* More of the file behind what `raw` holds. */
static source_result fill(source *from, int timeout_ms)
{
    if (!from->regular) {
        bool timed_out;
        if (!interrupt_wait_readable(from->file, timeout_ms, &timed_out))
            return timed_out && !interrupt_asked() ? SOURCE_NOTHING_YET : SOURCE_STOPPED;
    }
    ssize_t got = read(from->file, from->raw + from->raw_size, PIECE - from->raw_size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return SOURCE_NOTHING_YET;
    if (got < 0) return fail(from, command_print("%s: %s", from->name, strerror(errno)));
    from->bytes += (size_t)got;
    from->raw_size += (size_t)got;
    from->file_ended = got == 0;
    return SOURCE_DATA;
}

/* A frame of zstd, or one with something else that pzstd writes before each. */
static bool is_zstd(const char *first)
{
    return memcmp(first, zstd_magic, sizeof zstd_magic) == 0 ||
           ((unsigned char)(first[0] & 0xf0) == zstd_skippable[0] &&
            memcmp(first + 1, zstd_skippable + 1, sizeof zstd_skippable - 1) == 0);
}

static bool is_utf16(const char *first)
{
    return memcmp(first, utf16_marks[0], sizeof utf16_marks[0]) == 0 ||
           memcmp(first, utf16_marks[1], sizeof utf16_marks[1]) == 0;
}

/* The first four bytes, or all if there are fewer, decide. */
static source_result look_at_first(source *from, int timeout_ms)
{
    while (from->raw_size < sizeof zstd_magic && !from->file_ended) {
        source_result result = fill(from, timeout_ms);
        if (result != SOURCE_DATA) return result;
    }
    from->first_known = true;
    if (from->raw_size >= sizeof zstd_magic && is_zstd(from->raw)) {
        from->zstd = ZSTD_createDStream();
        from->unpacked = command_allocate(PIECE);
        from->packed = (ZSTD_inBuffer){ .src = from->raw, .size = from->raw_size };
        if (!from->zstd) return fail(from, command_copy("out of memory"));
    } else if (from->raw_size >= sizeof gzip_magic && memcmp(from->raw, gzip_magic, sizeof gzip_magic) == 0) {
        return fail(from,
                    command_print("%s: is gzip data: unpack it (gunzip -c FILE | rk run … --input -), or "
                                  "compress with zstd",
                                  from->name));
    } else if (from->raw_size >= sizeof utf16_marks[0] && is_utf16(from->raw)) {
        return fail(from,
                    command_print("%s: is UTF-16: make it UTF-8 (iconv -f UTF-16 -t UTF-8 FILE | rk run "
                                  "… --input -)",
                                  from->name));
    } else if (strlen(from->name) >= 4 && strcmp(from->name + strlen(from->name) - 4, ".zst") == 0) {
        return fail(from, command_print(from->raw_size ? "%s: not zstd data, though it is called so"
                                                       : "%s: is empty, and zstd data never is",
                                        from->name));
    }
    return SOURCE_DATA;
}

static source_result read_packed(source *from, const char **data, size_t *size, bool *last, int timeout_ms)
{
    ZSTD_outBuffer out = { .dst = from->unpacked, .size = PIECE };
    while (out.pos == 0) {
        if (from->packed.pos == from->packed.size && !from->file_ended) {
            from->raw_size = 0;
            source_result result = fill(from, timeout_ms);
            if (result != SOURCE_DATA) return result;
            from->packed = (ZSTD_inBuffer){ .src = from->raw, .size = from->raw_size };
        }
        if (from->packed.pos == from->packed.size && from->file_ended && !from->frame_open) break;
        size_t before = from->packed.pos;
        size_t left = ZSTD_decompressStream(from->zstd, &out, &from->packed);
        if (ZSTD_isError(left) && ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge)
            return fail(
                from, command_print("%s: was compressed with a window of more than 128 MiB: unpack it (zstd "
                                    "-dc --long=31 FILE | rk run … --input -)",
                                    from->name));
        if (ZSTD_isError(left))
            return fail(from, command_print("%s: not zstd data, or damaged: %s", from->name,
                                            ZSTD_getErrorName(left)));
        from->frame_open = left != 0;
        if (from->frame_open && from->file_ended && out.pos == 0 && from->packed.pos == before)
            return fail(from, command_print("%s: ends in the middle of its zstd data", from->name));
    }
    *data = from->unpacked;
    *size = out.pos;
    *last = from->packed.pos == from->packed.size && from->file_ended && !from->frame_open;
    return SOURCE_DATA;
}

source_result source_read(source *from, const char **data, size_t *size, bool *last, int timeout_ms)
{
    source_result result = SOURCE_DATA;
    if (interrupt_asked()) return SOURCE_STOPPED;
    if (!from->first_known) {
        result = look_at_first(from, timeout_ms);
        if (result != SOURCE_DATA) return result;
    } else if (!from->zstd) {
        from->raw_size = 0;
        result = fill(from, timeout_ms);
    }
    if (result != SOURCE_DATA) return result;
    if (from->zstd) return read_packed(from, data, size, last, timeout_ms);
    *data = from->raw;
    *size = from->raw_size;
    *last = from->file_ended;
    return SOURCE_DATA;
}

const char *source_error(const source *from) { return from->error; }
const char *source_name(const source *from) { return from->name; }
uint64_t source_bytes(const source *from) { return from->bytes; }
uint64_t source_total(const source *from) { return from->total; }
bool source_is_terminal(const source *from) { return isatty(from->file); }
bool source_is(const source *from, uint64_t device, uint64_t inode)
{
    return from->regular && from->device == device && from->inode == inode;
}

void source_close(source *from)
{
    if (!from) return;
    if (from->zstd) ZSTD_freeDStream(from->zstd);
    if (from->file != STDIN_FILENO) close(from->file);
    free(from->raw);
    free(from->unpacked);
    free(from->error);
    free(from);
}
