/* Device code in a file of the cache.
 *
 * It begins with its own length and digest, so one that a crash or a full disk has cut reads as none. */
#ifndef RK_BACKEND_CODE_FILE_H
#define RK_BACKEND_CODE_FILE_H

#include <stddef.h>

/* 1: *code and *log are what the file holds, each with a NUL after it, the caller's to free; 0: there is none, or it
 * is damaged. */
int rk_code_file_read(const char *path, char **code, size_t *code_size, char **log);
/* -1: it can't be written, see errno. */
int rk_code_file_write(const char *path, const char *code, size_t code_size, const char *log);

#endif
