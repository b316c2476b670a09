/* The form of LMDB 0.9's file (mdb.c): two meta pages of which the newer one counts, and trees of branch pages, leaf
 * pages and runs of overflow pages. The tree of free pages has lists of them by transaction; the main tree has our mark
 * and a record for each table, which is a tree as well. Every page is in one place at most. */
#include "checkpoint_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../runtime/error.h"

#define MAGIC 0xbeefc0deu
#define VERSION 1u
#define NO_PAGE (~0ull)
#define DEPTH_MOST 32u
#define UNWRITTEN_MOST (1u << 17) /* pages that one transaction may have in memory */
#define PAGE_HEAD 16u
#define META_BYTES 152u /* of the first meta page */

enum { BRANCH = 1, LEAF = 2, OVERFLOWS = 4 }; /* flags of a page */
enum { IS_BIG = 1, IS_TREE = 2 };             /* flags of a node */
enum { INTEGER_KEYS = 8 };                    /* flags of a tree */
enum { FREE_TREE, MAIN_TREE, TABLE_TREE };

/* As they lie in the file. */
typedef struct tree {
    rk_u32 pad; /* of the tree of free pages: the size of a page */
    rk_u16 flags, depth;
    rk_u64 branches, leaves, overflows, entries, root;
} tree;

typedef struct meta {
    rk_u32 magic, version;
    rk_u64 address, map_size;
    tree tree[2]; /* FREE_TREE, MAIN_TREE */
    rk_u64 last_page, transaction;
} meta;

RK_STATIC_ASSERT(sizeof(tree) == 48 && sizeof(meta) == META_BYTES - PAGE_HEAD, "as LMDB has it");

typedef struct page_head {
    rk_u64 number;
    rk_u16 pad, flags, lower, upper; /* of overflow pages the last two are how many there are */
} page_head;

typedef struct node {
    rk_u16 low, high, flags, key_size;
} node;

typedef struct walk {
    const rk_u8 *file;
    rk_u64 size;
    rk_u32 page_size;
    meta meta;         /* of the transaction that is looked at */
    rk_u8 *seen;       /* of each page: 1 */
    const char *table; /* of which the entries are counted */
    rk_u64 *in_table;
} walk;

/* A walk through one tree: what was counted, and the last key. */
typedef struct found {
    rk_u32 kind;
    tree counts;
    const rk_u8 *key; /* 0: none yet */
    rk_u32 key_size, or_equal;
} found;

static rk_status damaged(rk_u64 page, const char *what)
{
    return rk_error(RK_CORRUPT, "page %llu %s", (unsigned long long)page, what);
}

static const rk_u8 *page_at(const walk *w, rk_u64 number) { return w->file + number * w->page_size; }

/* Each page once. */
static rk_status mark(const walk *w, rk_u64 number, rk_u64 count)
{
    if (number < 2 || number > w->meta.last_page || count > w->meta.last_page + 1 - number)
        return damaged(number, "is none, and something is said to be there");
    for (rk_u64 i = 0; i < count; i++)
        if (w->seen[number + i]++) return damaged(number + i, "is in two places");
    return RK_OK;
}

/* Pages that are free may be beyond the end of the file, since nobody has written them yet; others may not. */
static rk_status check_written(const walk *w, rk_u64 number, rk_u64 count)
{
    rk_u64 pages = w->size / w->page_size;
    if (number < pages && count <= pages - number) return RK_OK;
    return rk_error(RK_CORRUPT, "it is cut: it has %llu bytes, and is to have page %llu of %u bytes",
                    (unsigned long long)w->size, (unsigned long long)(number + count - 1), w->page_size);
}

static rk_status open_page(const walk *w, rk_u64 number, rk_u32 flags, page_head *head)
{
    if (number < 2 || number > w->meta.last_page) return mark(w, number, 1);
    rk_status status = check_written(w, number, 1);
    if (status != RK_OK) return status;
    memcpy(head, page_at(w, number), sizeof *head);
    if (head->number != number || head->flags != flags)
        return damaged(number, "isn't the one that it should be");
    return RK_OK;
}

/* ------------------------------------------------------------------ keys */

/* Keys ascend. A branch page's key is not above those behind it. */
static rk_status next_key(found *f, rk_u64 page, const rk_u8 *key, rk_u32 size, rk_u32 of_branch)
{
    rk_u64 before, now;
    int order = 1;
    if (f->kind == FREE_TREE && size != sizeof now) return damaged(page, "has a key of another size");
    if (f->key && f->kind == FREE_TREE) {
        memcpy(&before, f->key, sizeof before);
        memcpy(&now, key, sizeof now);
        order = (now > before) - (now < before);
    } else if (f->key) {
        order = memcmp(key, f->key, size < f->key_size ? size : f->key_size);
        if (order == 0) order = (size > f->key_size) - (size < f->key_size);
    }
    if (order < 0 || (order == 0 && !f->or_equal)) return damaged(page, "has keys that are not in order");
    f->key = key;
    f->key_size = size;
    f->or_equal = of_branch;
    return RK_OK;
}

/* ------------------------------------------------------------------ values */

static rk_status walk_tree(const walk *w, rk_u32 kind, const tree *said);

/* A list of free pages: how many, and their numbers. */
static rk_status walk_free(const walk *w, rk_u64 page, const rk_u8 *value, rk_u64 size)
{
    rk_u64 count, number;
    rk_status status = RK_OK;
    if (size < sizeof count) return damaged(page, "has a list that is cut");
    memcpy(&count, value, sizeof count);
    if (count > size / sizeof number - 1) return damaged(page, "has a list that is cut");
    for (rk_u64 i = 1; i <= count && status == RK_OK; i++) {
        memcpy(&number, value + i * sizeof number, sizeof number);
        status = mark(w, number, 1);
    }
    return status;
}

/* The pages of a large value. */
static rk_status walk_overflow(const walk *w, found *f, rk_u64 number, rk_u64 size, const rk_u8 **value)
{
    page_head head = { 0 };
    rk_status status = open_page(w, number, OVERFLOWS, &head);
    if (status != RK_OK) return status;
    rk_u64 count = head.lower | (rk_u64)head.upper << 16;
    if (count < (size + PAGE_HEAD - 1) / w->page_size + 1) return damaged(number, "has a value that is cut");
    f->counts.overflows += count;
    *value = page_at(w, number) + PAGE_HEAD;
    status = check_written(w, number, count);
    return status == RK_OK ? mark(w, number, count) : status;
}

static rk_status walk_value(const walk *w, found *f, rk_u64 page, const node *n, const rk_u8 *value,
                            rk_u64 room)
{
    rk_u64 size = n->low | (rk_u64)n->high << 16, number;
    tree inner;
    rk_u32 is_tree = f->kind == MAIN_TREE && n->flags == IS_TREE;
    rk_status status = RK_OK;
    if (n->flags && n->flags != IS_BIG && !is_tree) return damaged(page, "has an entry of no kind");
    if ((n->flags == IS_BIG ? sizeof number : size) > room)
        return damaged(page, "has an entry beyond its end");
    if (is_tree) {
        if (size != sizeof inner) return damaged(page, "has a table that is none");
        memcpy(&inner, value, sizeof inner);
        if (n->key_size == strlen(w->table) && memcmp(value - n->key_size, w->table, n->key_size) == 0)
            *w->in_table = inner.entries;
        return walk_tree(w, TABLE_TREE, &inner);
    }
    if (n->flags == IS_BIG) {
        memcpy(&number, value, sizeof number);
        status = walk_overflow(w, f, number, size, &value);
    }
    if (status == RK_OK && f->kind == FREE_TREE) status = walk_free(w, page, value, size);
    return status;
}

/* ------------------------------------------------------------------ trees */

static rk_status walk_page(const walk *w, found *f, rk_u64 number, rk_u32 depth);

static rk_status walk_node(const walk *w, found *f, rk_u64 page, rk_u32 at, rk_u32 is_first, rk_u32 depth)
{
    node n;
    const rk_u8 *key = page_at(w, page) + at + sizeof n;
    memcpy(&n, key - sizeof n, sizeof n);
    rk_u32 room = w->page_size - at - (rk_u32)sizeof n;
    if (n.key_size > room) return damaged(page, "has a key beyond its end");
    rk_status status = RK_OK;
    if (depth == 1 || !is_first) status = next_key(f, page, key, n.key_size, depth > 1);
    if (status != RK_OK) return status;
    if (depth == 1) {
        f->counts.entries++;
        return walk_value(w, f, page, &n, key + n.key_size, room - n.key_size);
    }
    return walk_page(w, f, n.low | (rk_u64)n.high << 16 | (rk_u64)n.flags << 32, depth - 1);
}

/* A page that is `depth` - 1 above the leaves. */
static rk_status walk_page(const walk *w, found *f, rk_u64 number, rk_u32 depth)
{
    page_head head = { 0 };
    rk_u32 is_leaf = depth == 1;
    rk_status status = open_page(w, number, is_leaf ? LEAF : BRANCH, &head);
    if (status == RK_OK) status = mark(w, number, 1);
    if (status != RK_OK) return status;
    if (head.lower < PAGE_HEAD + 2u || head.lower % 2u || head.lower > head.upper ||
        head.upper > w->page_size)
        return damaged(number, "has an impossible head");
    f->counts.leaves += is_leaf;
    f->counts.branches += !is_leaf;
    for (rk_u32 i = 0; i < (head.lower - PAGE_HEAD) / 2u && status == RK_OK; i++) {
        rk_u16 at;
        memcpy(&at, page_at(w, number) + PAGE_HEAD + 2u * i, sizeof at);
        if (at < head.upper || at % 2u || at + sizeof(node) > w->page_size)
            return damaged(number, "has an entry beyond its end");
        status = walk_node(w, f, number, at, i == 0, depth);
    }
    return status;
}

static rk_status walk_tree(const walk *w, rk_u32 kind, const tree *said)
{
    found f = { .kind = kind, .counts = *said };
    f.counts.branches = f.counts.leaves = f.counts.overflows = f.counts.entries = 0;
    if (said->flags != (kind == FREE_TREE ? INTEGER_KEYS : 0) || said->depth > DEPTH_MOST ||
        (said->depth == 0) != (said->root == NO_PAGE))
        return damaged(said->root, "is the root of an impossible tree");
    rk_status status = said->depth ? walk_page(w, &f, said->root, said->depth) : RK_OK;
    if (status == RK_OK && memcmp(&f.counts, said, sizeof *said) != 0)
        status = damaged(said->root, "is the root of a tree that has other pages or entries than it says");
    return status;
}

/* ------------------------------------------------------------------ the whole */

/* The two of them; each is written by every second transaction. *newer: which one counts. */
static rk_status read_metas(walk *w, meta both[2], rk_u32 *newer)
{
    memcpy(&both[0], w->file + PAGE_HEAD, sizeof both[0]);
    w->page_size = both[0].tree[FREE_TREE].pad;
    if (w->page_size < 512 || w->page_size > 65536 || (w->page_size & (w->page_size - 1)))
        return damaged(0, "says an impossible size of pages");
    if (w->size < 2ull * w->page_size)
        return rk_error(RK_CORRUPT, "it is cut to %llu bytes", (unsigned long long)w->size);
    memcpy(&both[1], page_at(w, 1) + PAGE_HEAD, sizeof both[1]);
    rk_u64 a = both[0].transaction, b = both[1].transaction;
    if ((a || b) && (a % 2 != 0 || b % 2 != 1 || (a + 1 != b && b + 1 != a)))
        return damaged(a % 2, "is of a transaction that can't be");
    *newer = b > a;
    return RK_OK;
}

/* All that a transaction has. */
static rk_status walk_transaction(walk *w, const meta *of)
{
    w->meta = *of;
    *w->in_table = 0;
    if (of->tree[FREE_TREE].pad != w->page_size) return damaged(1, "says another size of pages");
    if (of->last_page < 1 || of->last_page > w->size / w->page_size + UNWRITTEN_MOST)
        return rk_error(RK_CORRUPT, "it is cut: it has %llu bytes, and its last page is %llu of %u bytes",
                        (unsigned long long)w->size, (unsigned long long)of->last_page, w->page_size);
    w->seen = calloc(of->last_page + 1, 1);
    if (!w->seen) return rk_error(RK_OUT_OF_MEMORY, "no memory for a look at its pages");
    rk_status status = walk_tree(w, FREE_TREE, &w->meta.tree[FREE_TREE]);
    if (status == RK_OK) status = walk_tree(w, MAIN_TREE, &w->meta.tree[MAIN_TREE]);
    free(w->seen);
    return status;
}

/* The first line of the error text. */
static void copy_why(char *why, size_t size)
{
    snprintf(why, size, "%.*s", (int)strcspn(rk_error_text(), "\n"), rk_error_text());
}

/* The older transaction is the newest one again: its meta page stands for the other one as well, as if that had been
 * written before it. */
static rk_status put_back(int file, const walk *w, const meta *older, rk_u32 newer)
{
    meta twin = *older;
    twin.transaction--;
    const off_t at = (off_t)((rk_u64)newer * w->page_size + PAGE_HEAD);
    if (pwrite(file, &twin, sizeof twin, at) != (ssize_t)sizeof twin || fsync(file))
        return rk_error(RK_IO, "can't put it back to the transaction before: %s", strerror(errno));
    return RK_OK;
}

static rk_status walk_file(walk *w, int file, char lost[RK_PAGES_LOST])
{
    meta both[2];
    rk_u32 newer = 0;
    rk_status status = read_metas(w, both, &newer);
    if (status != RK_OK) return status;
    status = walk_transaction(w, &both[newer]);
    if (status != RK_CORRUPT) return status;
    char why[RK_PAGES_LOST];
    copy_why(why, sizeof why);
    rk_error_begin();
    if (walk_transaction(w, &both[!newer]) != RK_OK || *w->in_table == 0) {
        rk_error_begin();
        return rk_error(RK_CORRUPT, "%s", why);
    }
    status = put_back(file, w, &both[!newer], newer);
    if (status == RK_OK) memcpy(lost, why, sizeof why);
    return status;
}

static int is_known(const rk_u8 *file)
{
    meta m;
    memcpy(&m, file + PAGE_HEAD, sizeof m);
    return m.magic == MAGIC && m.version == VERSION;
}

static rk_status look(int file, const char *path, const char *table, char lost[RK_PAGES_LOST])
{
    struct stat stat;
    rk_u64 in_table = 0;
    if (fstat(file, &stat)) return rk_error(RK_IO, "can't look at '%s': %s", path, strerror(errno));
    walk w = { .size = (rk_u64)stat.st_size, .table = table, .in_table = &in_table };
    if (w.size < META_BYTES) return RK_OK;
    void *map = mmap(0, w.size, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) return rk_error(RK_IO, "can't look at '%s': %s", path, strerror(errno));
    w.file = map;
    rk_status status = is_known(map) ? walk_file(&w, file, lost) : RK_OK;
    munmap(map, w.size);
    return status;
}

rk_status rk_pages_check(const char *path, const char *table, char lost[RK_PAGES_LOST])
{
    *lost = 0;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? RK_OK : rk_error(RK_IO, "can't open '%s': %s", path, strerror(errno));
    rk_status status = look(file, path, table, lost);
    close(file);
    if (status != RK_CORRUPT) return status;
    char why[RK_PAGES_LOST];
    copy_why(why, sizeof why);
    rk_error_begin();
    return rk_error(RK_CORRUPT, "'%s' is damaged, or not a store of checkpoints: %s; move it away", path,
                    why);
}
