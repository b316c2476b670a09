/* The folder of compiled kernels, and files in it that are there as a whole or not at all.
 *
 * A file is written under a name that nobody else has and then renamed, so processes that write the same one
 * at once don't disturb each other, and whoever reads sees one version or the other. */
#ifndef RK_RUNTIME_CACHE_FOLDER_H
#define RK_RUNTIME_CACHE_FOLDER_H

#include <stddef.h>

#include <ringkernel/status.h>

/* The folder's name, made if it isn't there: `asked`, or if that is NULL $XDG_CACHE_HOME/ringkernel,
 * ~/.cache/ringkernel, /tmp/ringkernel-<user>. RK_IO: it can't be made, or the last of these isn't ours alone. */
rk_status rk_cache_folder(const char *asked, char *folder, size_t size);

/* Is it a folder of this user's, which nobody else may write in? */
int rk_cache_is_own(const char *folder);

/* What is in a file, the caller's to free, with a NUL after it; NULL: it can't be read, see errno. */
char *rk_cache_read(const char *path, size_t *size);

/* Write a file whole. -1: it can't be, see errno; what was there before stays. Then what processes that were killed
 * were making in its folder more than a day ago is removed. */
int rk_cache_write(const char *path, const void *data, size_t size);

/* The name of a file of the folder that is being made, which ends in "" or ".so". Nobody else has the same, in other
 * containers and on other machines that share the folder neither, where processes have the same numbers. */
void rk_cache_part(char *part, size_t size, const char *folder, const char *end);

#endif
