/* One growing block of records; sorting is of their offsets. A run that was put aside has the same records in
 * order. */
#include "letters.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "letters_journal.h"
#include "ringkernel/text.h"

typedef struct record {
    letter head; /* its body follows the record */
    uint64_t arrival;
} record;

typedef struct count {
    const char *reason;
    uint64_t count;
} count;

/* A run that was put aside, or the records in memory, with the next of them in `now`. */
typedef struct run {
    FILE *file; /* NULL: the memory */
    size_t next, end;
    record now;
    char *body;
    size_t room;
} run;

struct letters {
    pthread_mutex_t lock;
    bool keep;
    size_t memory;
    char *block;
    size_t used, room;
    size_t *offset;
    size_t records;
    uint64_t arrivals;
    count *counts;
    size_t counts_count;
    uint64_t *of_kernel;
    uint32_t kernels;
    run *aside;
    size_t aside_count;
    letters_journal *journal; /* NULL: none is kept */
    char **own_reasons;
    size_t own_count;
};

letters *letters_open(bool keep, size_t memory)
{
    letters *all = command_allocate(sizeof *all);
    *all = (letters){ .keep = keep, .memory = memory };
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

static size_t padded(size_t size) { return (size + 7) & ~(size_t)7; }

static int compare(const record *a, const record *b)
{
    if (a->head.row != b->head.row) return a->head.row < b->head.row ? -1 : 1;
    if (a->head.kernel != b->head.kernel) return a->head.kernel < b->head.kernel ? -1 : 1;
    if (a->head.shard != b->head.shard) return a->head.shard < b->head.shard ? -1 : 1;
    return a->arrival < b->arrival ? -1 : a->arrival > b->arrival;
}

static int compare_offsets(const void *a, const void *b, void *block)
{
    return compare((const record *)(void *)((char *)block + *(const size_t *)a),
                   (const record *)(void *)((char *)block + *(const size_t *)b));
}

static void sort(letters *all)
{
    if (all->records) qsort_r(all->offset, all->records, sizeof *all->offset, compare_offsets, all->block);
}

static void put_aside(letters *all)
{
    sort(all);
    FILE *file = tmpfile();
    bool fine = file != NULL;
    for (size_t i = 0; i < all->records && fine; i++) {
        const record *r = (const record *)(void *)(all->block + all->offset[i]);
        fine = fwrite(r, 1, sizeof *r + r->head.size, file) == sizeof *r + r->head.size;
    }
    fine = fine && fflush(file) == 0;
    if (!fine) { /* no room on the disk: they stay in memory, and so do those to come */
        all->memory = SIZE_MAX;
        if (file) fclose(file);
        return;
    }
    rewind(file);
    all->aside = command_resize(all->aside, (all->aside_count + 1) * sizeof *all->aside);
    all->aside[all->aside_count++] = (run){ .file = file };
    all->used = all->records = 0;
}

static void count_letter(letters *all, const letter *one)
{
    if (one->kernel >= all->kernels) {
        all->of_kernel = command_resize(all->of_kernel, (one->kernel + 1) * sizeof *all->of_kernel);
        while (all->kernels <= one->kernel) all->of_kernel[all->kernels++] = 0;
    }
    all->of_kernel[one->kernel]++;
    size_t i = 0;
    while (i < all->counts_count && strcmp(all->counts[i].reason, one->reason) < 0) i++;
    if (i == all->counts_count || strcmp(all->counts[i].reason, one->reason) != 0) {
        all->counts = command_resize(all->counts, (all->counts_count + 1) * sizeof *all->counts);
        memmove(&all->counts[i + 1], &all->counts[i], (all->counts_count - i) * sizeof *all->counts);
        all->counts[i] = (count){ .reason = one->reason };
        all->counts_count++;
    }
    all->counts[i].count++;
}

static void keep_letter(letters *all, const letter *one)
{
    size_t size = padded(sizeof(record) + one->size);
    if (all->records && all->used + size > all->memory) put_aside(all);
    if (all->used + size > all->room) {
        all->room = 2 * all->room + size;
        all->block = command_resize(all->block, all->room);
    }
    if ((all->records & (all->records - 1)) == 0)
        all->offset =
            command_resize(all->offset, (all->records ? 2 * all->records : 1) * sizeof *all->offset);
    all->offset[all->records++] = all->used;
    record r = { .head = *one, .arrival = all->arrivals++ };
    r.head.body = NULL;
    memcpy(all->block + all->used, &r, sizeof r);
    if (one->size) memcpy(all->block + all->used + sizeof r, one->body, one->size);
    all->used += size;
}

void letters_add(letters *all, const letter *one)
{
    pthread_mutex_lock(&all->lock);
    count_letter(all, one);
    if (all->keep) keep_letter(all, one);
    if (all->journal) letters_journal_add(all->journal, one);
    pthread_mutex_unlock(&all->lock);
}

void letters_keep_journal(letters *all, letters_journal *journal)
{
    pthread_mutex_lock(&all->lock);
    all->journal = journal;
    pthread_mutex_unlock(&all->lock);
}

bool letters_cut(letters *all, letters_place *place)
{
    pthread_mutex_lock(&all->lock);
    bool whole = letters_journal_cut(all->journal, place);
    pthread_mutex_unlock(&all->lock);
    return whole;
}

const char *letters_own_reason(letters *all, const char *text, size_t size)
{
    pthread_mutex_lock(&all->lock);
    size_t i = 0;
    while (i < all->own_count && (strncmp(all->own_reasons[i], text, size) != 0 || all->own_reasons[i][size]))
        i++;
    if (i == all->own_count) {
        all->own_reasons = command_resize(all->own_reasons, ++all->own_count * sizeof *all->own_reasons);
        all->own_reasons[i] = command_print("%.*s", (int)size, text);
    }
    const char *reason = all->own_reasons[i];
    pthread_mutex_unlock(&all->lock);
    return reason;
}

uint64_t letters_count(letters *all)
{
    uint64_t sum = 0;
    pthread_mutex_lock(&all->lock);
    for (uint32_t i = 0; i < all->kernels; i++) sum += all->of_kernel[i];
    pthread_mutex_unlock(&all->lock);
    return sum;
}

uint64_t letters_count_of(letters *all, uint32_t kernel)
{
    pthread_mutex_lock(&all->lock);
    uint64_t is = kernel < all->kernels ? all->of_kernel[kernel] : 0;
    pthread_mutex_unlock(&all->lock);
    return is;
}

const char *letters_reason(letters *all, size_t i, uint64_t *count_is)
{
    pthread_mutex_lock(&all->lock);
    const char *reason = i < all->counts_count ? all->counts[i].reason : NULL;
    *count_is = reason ? all->counts[i].count : 0;
    pthread_mutex_unlock(&all->lock);
    return reason;
}

/* ------------------------------------------------------------------ writing */

/* The next record of a run into `now`. False: there is none. */
static bool advance(letters *all, run *from)
{
    size_t size;
    if (!from->file) {
        if (from->next == from->end) return false;
        const char *at = all->block + all->offset[from->next++];
        memcpy(&from->now, at, sizeof from->now);
        from->now.head.body = at + sizeof from->now;
        return true;
    }
    if (fread(&from->now, sizeof from->now, 1, from->file) != 1) return false;
    size = from->now.head.size;
    if (size > from->room) from->body = command_resize(from->body, from->room = size);
    from->now.head.body = from->body;
    return size == 0 || fread(from->body, size, 1, from->file) == 1;
}

static void write_text(writer *out, const char *text, size_t size)
{
    size_t room = 6 * size; /* each byte as \u00xx */
    writer_took(out, rk_json_escape(text, size, writer_room(out, room), room));
}

static void write_letter(writer *out, const letter *one, const rk_schema *schema)
{
    char row[32];
    writer_text(out, "{\"row\":");
    snprintf(row, sizeof row, "%" PRIu64, one->row);
    writer_text(out, one->row == LETTERS_NO_ROW ? "null" : row);
    writer_text(out, ",\"reason\":\"");
    write_text(out, one->reason, one->reason ? strlen(one->reason) : 0);
    writer_text(out, "\",\"text\":\"");
    if (schema) {
        size_t room = rk_json_room(schema, one->size);
        char *json = command_allocate(room);
        write_text(out, json, rk_json_print(schema, one->body, one->size, json, room));
        free(json);
    } else if (one->type == 0) {
        write_text(out, one->body, one->size);
    }
    writer_text(out, "\"}\n");
}

bool letters_write(letters *all, writer *out, letters_schema *schema, void *user, char **error)
{
    bool fine = true;
    *error = NULL;
    pthread_mutex_lock(&all->lock);
    all->keep = false; /* of a kernel that has failed some may still come: those are only counted */
    pthread_mutex_unlock(&all->lock);
    sort(all);
    size_t runs = all->aside_count + 1;
    run *from = command_allocate(runs * sizeof *from);
    if (all->aside_count) memcpy(from, all->aside, all->aside_count * sizeof *from);
    from[runs - 1] = (run){ .end = all->records };
    for (size_t i = 0; i < runs;)
        if (advance(all, &from[i]))
            i++;
        else
            from[i] = from[--runs];
    uint64_t written = 0;
    while (fine && runs > 0) {
        run *least = &from[0];
        for (size_t i = 1; i < runs; i++)
            if (compare(&from[i].now, &least->now) < 0) least = &from[i];
        const letter *one = &least->now.head;
        write_letter(out, one, one->type ? schema(user, one->type) : NULL);
        written++;
        fine = !out->error;
        if (!advance(all, least)) {
            free(least->body);
            *least = from[--runs];
        }
    }
    for (size_t i = 0; i < runs; i++) free(from[i].body);
    free(from);
    fine = writer_close(out) && fine;
    if (!fine)
        *error = writer_error(out);
    else if (written != all->arrivals)
        *error = command_print("%s: letters that were put aside in a temporary file can't be read back",
                               out->name);
    return !*error;
}

void letters_close(letters *all)
{
    if (!all) return;
    for (size_t i = 0; i < all->aside_count; i++) fclose(all->aside[i].file);
    for (size_t i = 0; i < all->own_count; i++) free(all->own_reasons[i]);
    letters_journal_close(all->journal);
    free(all->own_reasons);
    free(all->aside);
    free(all->block);
    free(all->offset);
    free(all->counts);
    free(all->of_kernel);
    free(all);
}
