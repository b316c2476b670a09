/* Option structures as programs of other versions have them. A row says how one is handed over; what is asserted of it is the
 * same for each: what an older caller's leaves out has its defaults, and what a newer caller's has more must be zero. */
#ifndef RINGKERNEL_TESTS_VERSIONS_H
#define RINGKERNEL_TESTS_VERSIONS_H

#include "contract.h"

#include <stdio.h>
#include <stdlib.h>

#define UNKNOWN_BYTES 64u /* of a newer version's, behind what this one knows */

typedef struct structure {
    const char *taker;   /* the call */
    const char *name;    /* that a refusal begins with */
    const void *options; /* valid, and so is each part from the front with the defaults behind it */
    rk_u32 size;
    /* Hand it over, and undo what that made. */
    rk_status (*take)(contract *c, void *options);
} structure;
#define STRUCTURE(taker, name, options, take)         \
    {                                                 \
        taker, name, options, sizeof *(options), take \
    }

/* The first `size` bytes of it, and `behind` in each byte from there on. */
static inline void cut(const structure *s, unsigned char *bytes, rk_u32 size, int behind)
{
    memset(bytes, behind, s->size + UNKNOWN_BYTES);
    memcpy(bytes, s->options, size < s->size ? size : s->size);
    memcpy(bytes, &size, sizeof size); /* each begins with it */
}

static inline void assert_taken(contract *c, const structure *s, unsigned char *bytes, rk_status expected)
{
    rk_status status = s->take(c, bytes);
    if (status != expected) {
        rk_u32 size;
        memcpy(&size, bytes, sizeof size);
        print_error("%s with %u bytes of %s, of which %u are known:\n", s->taker, size, s->name, s->size);
    }
    assert_status(status, expected);
}

static inline void assert_versions_are_told_apart(contract *c, const structure *s)
{
    unsigned char *bytes = malloc(s->size + UNKNOWN_BYTES);
    char says[128];
    assert_non_null(bytes);

    /* Whatever is behind an older one's end is not looked at: it would be refused, or no pointer. */
    for (rk_u32 older = 8; older <= s->size; older += 8) {
        cut(s, bytes, older, 0xff);
        assert_taken(c, s, bytes, RK_OK);
    }
    static const rk_u32 none[] = { 0, 4, 7 };
    for (rk_u32 i = 0; i < sizeof none / sizeof *none; i++) {
        cut(s, bytes, none[i], 0);
        memcpy(bytes, &none[i], sizeof none[i]);
        assert_taken(c, s, bytes, RK_INVALID_OPTIONS);
        snprintf(says, sizeof says, "%s: size is %u: start from", s->name, none[i]);
        assert_error_says(says);
    }

    cut(s, bytes, s->size + UNKNOWN_BYTES, 0);
    assert_taken(c, s, bytes, RK_OK);
    static const rk_u32 set[] = { 0, 1, UNKNOWN_BYTES - 1 };
    for (rk_u32 i = 0; i < sizeof set / sizeof *set; i++) {
        bytes[s->size + set[i]] = 1;
        assert_taken(c, s, bytes, RK_INVALID_OPTIONS);
        snprintf(says, sizeof says, "%s: made for a newer version: byte %u is set", s->name,
                 s->size + set[i]);
        assert_error_says(says);
        bytes[s->size + set[i]] = 0;
    }
    assert_taken(c, s, bytes, RK_OK);
    free(bytes);
}

#endif
