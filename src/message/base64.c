/* Base64; see base64.h. */
#include "message/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void rk_base64_write(const unsigned char *bytes, size_t size, char *out)
{
    size_t at = 0;
    for (; at + 3 <= size; at += 3) {
        unsigned group = (unsigned)bytes[at] << 16 | (unsigned)bytes[at + 1] << 8 | bytes[at + 2];
        *out++ = letters[group >> 18];
        *out++ = letters[group >> 12 & 63];
        *out++ = letters[group >> 6 & 63];
        *out++ = letters[group & 63];
    }
    if (at == size) return;
    unsigned group = (unsigned)bytes[at] << 16 | (at + 1 < size ? (unsigned)bytes[at + 1] << 8 : 0);
    *out++ = letters[group >> 18];
    *out++ = letters[group >> 12 & 63];
    *out++ = at + 1 < size ? letters[group >> 6 & 63] : '=';
    *out++ = '=';
}

/* Value of a character, or 64. */
static unsigned value_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z') return (unsigned)(letter - 'A');
    if (letter >= 'a' && letter <= 'z') return (unsigned)(letter - 'a') + 26;
    if (letter >= '0' && letter <= '9') return (unsigned)(letter - '0') + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : 64;
}

bool rk_base64_read(const char *text, size_t size, unsigned char *out, size_t room, size_t *bytes)
{
    *bytes = 0;
    if (size % 4 != 0) return false;
    size_t padding =
        size == 0 ? 0 : (size_t)(text[size - 1] == '=') + (text[size - 1] == '=' && text[size - 2] == '=');
    size_t total = size / 4 * 3 - padding;
    if (total > room) return false;

    size_t written = 0;
    for (size_t at = 0; at < size; at += 4) {
        unsigned group = 0;
        size_t here = at + 4 == size ? 4 - padding : 4; /* letters of this group; the rest is padding */
        for (size_t i = 0; i < 4; i++) {
            unsigned value = i < here ? value_of(text[at + i]) : 0;
            if (value == 64) return false;
            group = group << 6 | value;
        }
        for (size_t i = 0; i + 1 < here; i++) out[written++] = (unsigned char)(group >> (16 - 8 * i));
        if (here < 4 && (group & (here == 3 ? 0xFFu : 0xFFFFu)) != 0)
            return false; /* bits that no byte has */
    }
    *bytes = total;
    return true;
}
