#include "digest.h"

#include <stdio.h>
#include <string.h>

void rk_digest_add(rk_digest *digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    rk_digest d = *digest;
    for (size_t i = 0; i < size; i++) {
        d.a = (d.a ^ bytes[i]) * 1099511628211ull;
        d.b = (d.b ^ (bytes[i] + 0x9eu)) * 1099511628211ull;
    }
    *digest = d;
}

void rk_digest_text(rk_digest *digest, const char *text) { rk_digest_add(digest, text, strlen(text) + 1); }

const char *rk_digest_name(const rk_digest *digest, char name[RK_DIGEST_ROOM])
{
    snprintf(name, RK_DIGEST_ROOM, "%016llx%016llx", (unsigned long long)digest->a,
             (unsigned long long)digest->b);
    return name;
}
