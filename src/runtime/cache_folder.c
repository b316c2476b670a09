#include "cache_folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

static int make_folders(char *path)
{
    for (char *at = path + 1; *at; at++)
        if (*at == '/') {
            *at = 0;
            int failed = mkdir(path, 0700) && errno != EEXIST;
            *at = '/';
            if (failed) return -1;
        }
    return mkdir(path, 0700) && errno != EEXIST ? -1 : 0;
}

int rk_cache_is_own(const char *folder)
{
    struct stat info;
    return lstat(folder, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == getuid() &&
           !(info.st_mode & (S_IWGRP | S_IWOTH));
}

rk_status rk_cache_folder(const char *asked, char *folder, size_t size)
{
    const char *home;
    int in_common = 0;
    if (asked)
        snprintf(folder, size, "%s", asked);
    else if ((home = getenv("XDG_CACHE_HOME")) && *home)
        snprintf(folder, size, "%s/ringkernel", home);
    else if ((home = getenv("HOME")) && *home)
        snprintf(folder, size, "%s/.cache/ringkernel", home);
    else
        in_common = snprintf(folder, size, "/tmp/ringkernel-%u", (unsigned)getuid());
    if (make_folders(folder))
        return rk_error(RK_IO, "can't make the cache folder '%s': %s%s", folder, strerror(errno),
                        asked ? "" : "; XDG_CACHE_HOME says where another is");
    if (in_common && !rk_cache_is_own(folder)) /* whoever made it could give us any module to run */
        return rk_error(RK_IO,
                        "the cache folder '%s' is somebody else's, or others may write there: set "
                        "XDG_CACHE_HOME, or HOME, to a folder of your own",
                        folder);
    return RK_OK;
}

char *rk_cache_read(const char *path, size_t *size)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char *data = 0;
    size_t used = 0, room = 0;
    ssize_t n = 0;
    do {
        if (used + 1 >= room) { /* first what the file has, and one more to see its end by */
            room = room ? room * 2 : (fstat(file, &info) ? 4096 : (size_t)info.st_size + 2);
            char *grown = realloc(data, room);
            if (!grown) {
                n = -1;
                break;
            }
            data = grown;
        }
        n = read(file, data + used, room - 1 - used);
        if (n > 0) used += (size_t)n;
    } while (n > 0);
    close(file);
    if (n < 0) {
        free(data);
        return 0;
    }
    data[used] = 0;
    *size = used;
    return data;
}

/* ------------------------------------------------------------------ files that are being made */

#define PART "ringkernel-part-"
#define PART_DIGITS 16
#define PART_AGE_S (24 * 60 * 60) /* nothing takes a day to make: who began an older one was killed */

void rk_cache_part(char *part, size_t size, const char *folder, const char *end)
{
    static rk_u64 parts;
    rk_u64 number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number) { /* the kernel has just started */
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        number = ((rk_u64)now.tv_sec << 32 ^ (rk_u64)now.tv_nsec ^ (rk_u64)getpid() << 40) +
                 __atomic_fetch_add(&parts, 1, __ATOMIC_RELAXED);
    }
    snprintf(part, size, "%s/" PART "%0*llx%s", folder, PART_DIGITS, (unsigned long long)number, end);
}

/* The folder may be one with other files in it: what is removed is called exactly so. */
static int is_part(const struct dirent *entry)
{
    const char *name = entry->d_name;
    if (strncmp(name, PART, sizeof PART - 1) != 0) return 0;
    name += sizeof PART - 1;
    for (int i = 0; i < PART_DIGITS; i++, name++)
        if (!isxdigit((unsigned char)*name)) return 0;
    return !*name || strcmp(name, ".so") == 0 || strcmp(name, ".so.list") == 0;
}

/* What processes left that were killed while they made it. */
static void remove_old_parts(const char *folder)
{
    struct dirent **parts = 0;
    const int count = scandir(folder, &parts, is_part, alphasort);
    const time_t now = time(0);
    for (int i = 0; i < count; i++) {
        char part[4096 + 256];
        struct stat info;
        snprintf(part, sizeof part, "%s/%s", folder, parts[i]->d_name);
        if (lstat(part, &info) == 0 && now - info.st_mtim.tv_sec > PART_AGE_S)
            unlink(part); /* takes no folder */
        free(parts[i]);
    }
    free(parts);
}

int rk_cache_write(const char *path, const void *data, size_t size)
{
    char folder[4096], part[4200];
    const char *at = data, *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    rk_cache_part(part, sizeof part, folder, "");
    int file = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    ssize_t n = 0;
    for (size_t left = size; left > 0 && n >= 0; left -= (size_t)n, at += n) n = write(file, at, left);
    if (close(file) == 0 && n >= 0 && rename(part, path) == 0) {
        remove_old_parts(folder);
        return 0;
    }
    int why = errno;
    unlink(part);
    errno = why;
    return -1;
}
