/* The letters of a job on disk, in the order in which they came, so that a job that goes on from a checkpoint
 * has those from before it. A checkpoint says how far the journal had come, and the checksum of all up to
 * there. One thread at a time; the letters' lock is that. */
#ifndef RINGKERNEL_CLI_LETTERS_JOURNAL_H
#define RINGKERNEL_CLI_LETTERS_JOURNAL_H

#include "letters.h"

typedef struct letters_place {
    uint64_t bytes, sum;
} letters_place;

typedef struct letters_journal letters_journal;

/* Begins anew. NULL: *error says why, for the caller to free. */
letters_journal *letters_journal_open(const char *path, char **error);
/* Goes on at a place: adds the letters before it to `to`, and cuts the rest off. NULL: *error says why. */
letters_journal *letters_journal_continue(const char *path, const letters_place *from, letters *to,
                                          char **error);
void letters_journal_add(letters_journal *journal, const letter *one);
/* All of it is on disk, up to this place. False: not all. */
bool letters_journal_cut(letters_journal *journal, letters_place *place);
void letters_journal_close(letters_journal *journal);

#endif
