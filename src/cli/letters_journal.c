/* One record for each letter: its numbers, then its reason, then its body. */
#include "letters_journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "command.h"

typedef struct entry {
    uint64_t row;
    uint32_t kernel, shard, type, size, reason_size, zero;
} entry;

struct letters_journal {
    writer out;
    XXH3_state_t *sum;
    uint64_t bytes;
    char *path;
};

static letters_journal *journal_new(const char *path)
{
    letters_journal *journal = command_allocate(sizeof *journal);
    *journal = (letters_journal){ .out.file = -1, .sum = XXH3_createState(), .path = command_copy(path) };
    if (!journal->sum) abort();
    XXH3_64bits_reset(journal->sum);
    return journal;
}

static letters_journal *give_up(letters_journal *journal, char **error)
{
    if (!*error) *error = writer_error(&journal->out);
    letters_journal_close(journal);
    return NULL;
}

letters_journal *letters_journal_open(const char *path, char **error)
{
    letters_journal *journal = journal_new(path);
    *error = NULL;
    return writer_open(&journal->out, journal->path) ? journal : give_up(journal, error);
}

static void put(letters_journal *journal, const void *bytes, size_t size)
{
    if (!size) return;
    writer_add(&journal->out, bytes, size);
    XXH3_64bits_update(journal->sum, bytes, size);
    journal->bytes += size;
}

void letters_journal_add(letters_journal *journal, const letter *one)
{
    entry head = {
        one->row, one->kernel, one->shard, one->type, one->size, (uint32_t)strlen(one->reason), 0
    };
    put(journal, &head, sizeof head);
    put(journal, one->reason, head.reason_size);
    put(journal, one->body, head.size);
}

bool letters_journal_cut(letters_journal *journal, letters_place *place)
{
    *place = (letters_place){ journal->bytes, XXH3_64bits_digest(journal->sum) };
    return writer_sync(&journal->out);
}

/* ------------------------------------------------------------------ going on */

/* The first `size` bytes of the file; NULL: *error says why. */
static char *read_journal(const char *path, size_t size, char **error)
{
    FILE *file = fopen(path, "rbe");
    char *bytes = file ? command_allocate(size + 1) : NULL;
    size_t got = file ? fread(bytes, 1, size, file) : 0;
    if (!file || ferror(file))
        *error = command_print("%s: %s", path, strerror(errno));
    else if (got < size)
        *error = command_print("%s: is cut: %zu bytes of %zu", path, got, size);
    if (file) fclose(file);
    if (!*error) return bytes;
    free(bytes);
    return NULL;
}

/* Adds what the bytes hold. False: they are no records. */
static bool add_all(const char *bytes, size_t size, letters *to)
{
    for (size_t at = 0; at < size;) {
        entry head;
        if (size - at < sizeof head) return false;
        memcpy(&head, bytes + at, sizeof head);
        at += sizeof head;
        if (head.reason_size > size - at || head.size > size - at - head.reason_size) return false;
        letter one = { .row = head.row,
                       .reason = letters_own_reason(to, bytes + at, head.reason_size),
                       .kernel = head.kernel,
                       .shard = head.shard,
                       .type = head.type,
                       .size = head.size,
                       .body = bytes + at + head.reason_size };
        letters_add(to, &one);
        at += head.reason_size + (size_t)head.size;
    }
    return true;
}

letters_journal *letters_journal_continue(const char *path, const letters_place *from, letters *to,
                                          char **error)
{
    letters_journal *journal = journal_new(path);
    *error = NULL;
    char *bytes = read_journal(path, from->bytes, error);
    if (!bytes) return give_up(journal, error);
    XXH3_64bits_update(journal->sum, bytes, from->bytes);
    journal->bytes = from->bytes;
    if (XXH3_64bits_digest(journal->sum) != from->sum || !add_all(bytes, from->bytes, to))
        *error = command_print("%s: doesn't match its checksum", path);
    free(bytes);
    if (*error || !writer_continue(&journal->out, journal->path, from->bytes)) return give_up(journal, error);
    return journal;
}

void letters_journal_close(letters_journal *journal)
{
    if (!journal) return;
    writer_close(&journal->out);
    XXH3_freeState(journal->sum);
    free(journal->path);
    free(journal);
}
