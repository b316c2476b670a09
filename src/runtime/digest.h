/* Names of cached files: 128 bits of all that decides what is in them.
 *
 * Twice 64, much as FNV-1a makes them, but of eight bytes at a time, and with the upper half of each product mixed into the
 * lower. It tells contents apart that differ by chance, not those that somebody made to collide: whoever can write into the
 * cache can do worse. */
#ifndef RK_RUNTIME_DIGEST_H
#define RK_RUNTIME_DIGEST_H

#include <stddef.h>

#include <ringkernel/device/types.h>

typedef struct rk_digest {
    rk_u64 a, b;
} rk_digest;
#define RK_DIGEST_BEGIN ((rk_digest){ 14695981039346656037ull, 0x6c62272e07bb0142ull })

/* Where one piece ends and the next begins is part of it. */
void rk_digest_add(rk_digest *digest, const void *data, size_t size);
/* Of a string, its end included. */
void rk_digest_text(rk_digest *digest, const char *text);
/* As 32 hexadecimal digits. */
#define RK_DIGEST_ROOM 33
const char *rk_digest_name(const rk_digest *digest, char name[RK_DIGEST_ROOM]);

#endif
