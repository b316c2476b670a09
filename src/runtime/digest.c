#include "digest.h"

#include <stdio.h>
#include <string.h>

static void mix(rk_digest *d, rk_u64 word)
{
    d->a = (d->a ^ word) * 1099511628211ull;
    d->a ^= d->a >> 32; /* a product carries upwards only */
    d->b = (d->b ^ word) * 0x9e3779b97f4a7c15ull;
    d->b ^= d->b >> 29;
}

void rk_digest_add(rk_digest *digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    rk_digest d = *digest;
    rk_u64 word;
    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        mix(&d, word);
    }
    word = (rk_u64)size << 56; /* what is left is shorter: its size has room behind it */
    for (size_t i = 0; i < size; i++) word |= (rk_u64)bytes[i] << 8 * i;
    mix(&d, word);
    *digest = d;
}

void rk_digest_text(rk_digest *digest, const char *text) { rk_digest_add(digest, text, strlen(text) + 1); }

const char *rk_digest_name(const rk_digest *digest, char name[RK_DIGEST_ROOM])
{
    snprintf(name, RK_DIGEST_ROOM, "%016llx%016llx", (unsigned long long)digest->a,
             (unsigned long long)digest->b);
    return name;
}
