#include "code_file.h"

#include <stdlib.h>
#include <string.h>

#include "../runtime/cache_folder.h"
#include "../runtime/digest.h"

/* What a file begins with. The log follows the code, so that warnings are told at each launch. */
typedef struct head {
    char magic[8];
    rk_u64 code_size, log_size;
    rk_digest digest; /* of code and log */
} head;
static const char magic[8] = "rkcode1";

static rk_digest digest_of(const char *code, size_t code_size, const char *log, size_t log_size)
{
    rk_digest digest = RK_DIGEST_BEGIN;
    rk_digest_add(&digest, code, code_size);
    rk_digest_add(&digest, log, log_size);
    return digest;
}

static char *copy(const char *data, size_t size)
{
    char *made = malloc(size + 1);
    if (!made) return 0;
    memcpy(made, data, size);
    made[size] = 0;
    return made;
}

int rk_code_file_read(const char *path, char **code, size_t *code_size, char **log)
{
    size_t size;
    head h;
    char *data = rk_cache_read(path, &size);
    *code = *log = 0;
    if (!data) return 0;
    int whole = size >= sizeof h;
    if (whole) {
        memcpy(&h, data, sizeof h);
        whole = memcmp(h.magic, magic, sizeof magic) == 0 && h.code_size > 0 &&
                h.code_size <= size - sizeof h && h.log_size == size - sizeof h - h.code_size;
    }
    if (whole) {
        const char *bytes = data + sizeof h, *text = bytes + h.code_size;
        rk_digest found = digest_of(bytes, h.code_size, text, h.log_size);
        whole = found.a == h.digest.a && found.b == h.digest.b;
        if (whole) {
            *code = copy(bytes, h.code_size);
            *code_size = h.code_size;
            *log = copy(text, h.log_size);
        }
    }
    free(data);
    if (*code && *log) return 1;
    free(*code);
    free(*log);
    *code = *log = 0;
    return 0;
}

int rk_code_file_write(const char *path, const char *code, size_t code_size, const char *log)
{
    size_t log_size = strlen(log), size = sizeof(head) + code_size + log_size;
    head h = { .code_size = code_size,
               .log_size = log_size,
               .digest = digest_of(code, code_size, log, log_size) };
    memcpy(h.magic, magic, sizeof magic);
    char *data = malloc(size + 1);
    if (!data) return -1;
    memcpy(data, &h, sizeof h);
    memcpy(data + sizeof h, code, code_size);
    memcpy(data + sizeof h + code_size, log, log_size + 1);
    int failed = rk_cache_write(path, data, size);
    free(data);
    return failed;
}
