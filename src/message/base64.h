/* Base64 as in RFC 4648 section 4, with padding, in its one canonical form. */
#ifndef RINGKERNEL_MESSAGE_BASE64_H
#define RINGKERNEL_MESSAGE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Characters for this many bytes. */
static inline size_t rk_base64_size(size_t bytes) { return (bytes + 2) / 3 * 4; }

/* Writes rk_base64_size(size) characters. */
void rk_base64_write(const unsigned char *bytes, size_t size, char *out);

/* Reads text into at most room bytes and says how many; false if it is not canonical base64 or too much. */
bool rk_base64_read(const char *text, size_t size, unsigned char *out, size_t room, size_t *bytes);

#endif
