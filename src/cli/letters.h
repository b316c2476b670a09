/* The dead letters of a job, collected and written in one order that doesn't depend on timing: by row, then
 * those without a row by kernel, shard and arrival.
 *
 * Letters come from several threads and in any number. They are kept in memory up to a bound; beyond it they
 * are sorted and put aside in nameless temporary files, and merged at the end. */
#ifndef RINGKERNEL_CLI_LETTERS_H
#define RINGKERNEL_CLI_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ringkernel/message.h"
#include "writer.h"

#define LETTERS_MEMORY (64u << 20) /* bytes kept before some are put aside */
#define LETTERS_NO_ROW UINT64_MAX

typedef struct letters letters;
struct letters_journal;
struct letters_place;

typedef struct letter {
    uint64_t row;       /* LETTERS_NO_ROW: not known */
    const char *reason; /* outlives the letters */
    uint32_t kernel;    /* its place in the app, from 1; 0: the source */
    uint32_t shard;
    uint32_t type; /* of the message in `body`; 0: body is text */
    uint32_t size; /* of body */
    const void *body;
} letter;

/* How a message type is printed; NULL: it isn't known. */
typedef const rk_schema *letters_schema(void *user, uint32_t type);

/* `keep` false: letters are only counted. */
letters *letters_open(bool keep, size_t memory);
/* From now on each is written to a journal, too, which the letters own. */
void letters_keep_journal(letters *all, struct letters_journal *journal);
/* As letters_journal_cut. */
bool letters_cut(letters *all, struct letters_place *place);
/* A reason that lives as long as the letters. */
const char *letters_own_reason(letters *all, const char *text, size_t size);
/* Any thread. */
void letters_add(letters *all, const letter *one);
uint64_t letters_count(letters *all);
/* Letters that came from kernel number `kernel`. */
uint64_t letters_count_of(letters *all, uint32_t kernel);
/* Reason number i, in the order of their names; NULL ends them. */
const char *letters_reason(letters *all, size_t i, uint64_t *count);

/* Writes all that was kept as NDJSON, once, and closes the file. False: *error says why (for the caller to
 * free). */
bool letters_write(letters *all, writer *out, letters_schema *schema, void *user, char **error);
void letters_close(letters *all);

#endif
