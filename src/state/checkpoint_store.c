#include "checkpoint_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../runtime/error.h"

#define MAP_DEFAULT (1ull << 34)
#define KEEP_MOST 1001u

static const char about_key[] = "ringkernel-checkpoints";

/* What LMDB answered, as a status with its words. */
static rk_status answer(int code, const char *what)
{
    switch (code) {
    case MDB_SUCCESS: return RK_OK;
    case MDB_MAP_FULL:
        return rk_error(RK_LIMIT, "%s: the store is full: raise map_bytes, or keep fewer", what);
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH: return rk_error(RK_CORRUPT, "%s: %s", what, mdb_strerror(code));
    case ENOMEM: return rk_error(RK_OUT_OF_MEMORY, "%s: no memory", what);
    default: return rk_error(RK_IO, "%s: %s", what, mdb_strerror(code));
    }
}

/* ------------------------------------------------------------------ keys */

/* Big-endian, so that LMDB's order is that of the numbers. */
typedef struct key {
    rk_u8 byte[16];
} key;

static key key_of(rk_u64 number, rk_u64 place)
{
    key k;
    for (int i = 0; i < 8; i++) {
        k.byte[i] = (rk_u8)(number >> (56 - 8 * i));
        k.byte[8 + i] = (rk_u8)(place >> (56 - 8 * i));
    }
    return k;
}

static rk_u64 number_of(const MDB_val *value)
{
    rk_u64 number = 0;
    for (size_t i = 0; i < 8 && i < value->mv_size; i++)
        number = number << 8 | ((const rk_u8 *)value->mv_data)[i];
    return number;
}

#define MANIFEST_KEY(k) \
    (MDB_val) { 8, (k)->byte }
#define BLOCK_KEY(k) \
    (MDB_val) { 16, (k)->byte }

/* ------------------------------------------------------------------ open and close */

static rk_status lock_folder(rk_checkpoint_store *store, const char *folder)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/lock", folder) >= sizeof path)
        return rk_error(RK_INVALID_ARGUMENT, "the folder's name is too long");
    if (mkdir(folder, 0777) && errno != EEXIST)
        return rk_error(RK_IO, "can't make folder '%s': %s", folder, strerror(errno));
    store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (store->lock < 0) return rk_error(RK_IO, "can't open '%s': %s", path, strerror(errno));
    if (flock(store->lock, LOCK_EX | LOCK_NB))
        return rk_error(RK_IN_USE, "'%s' is open already, here or in another process", folder);
    return RK_OK;
}

static rk_status check_pages(rk_checkpoint_store *store, const char *folder)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/data.mdb", folder) >= sizeof path)
        return rk_error(RK_INVALID_ARGUMENT, "the folder's name is too long");
    return rk_pages_check(path, "manifests", store->lost);
}

/* A store of ours says so; an empty one gets to, and is new. */
static rk_status check_about(MDB_txn *txn, MDB_dbi about, const char *folder, rk_u32 *is_new)
{
    rk_u32 version = RK_CHECKPOINT_VERSION;
    MDB_val name = { sizeof about_key, (void *)(size_t)about_key }, value;
    MDB_stat stat;
    int code = mdb_get(txn, about, &name, &value);
    *is_new = code != 0;
    if (code == 0) {
        if (value.mv_size == sizeof version) memcpy(&version, value.mv_data, sizeof version);
        if (value.mv_size == sizeof version && version == RK_CHECKPOINT_VERSION) return RK_OK;
        return rk_error(RK_INCOMPATIBLE, "'%s' has checkpoints of form %u; this library has %u", folder,
                        version, RK_CHECKPOINT_VERSION);
    }
    if (code != MDB_NOTFOUND) return answer(code, folder);
    code = mdb_stat(txn, about, &stat);
    if (code == 0 && stat.ms_entries)
        return rk_error(RK_INCOMPATIBLE, "'%s' has an LMDB store of something else", folder);
    value = (MDB_val){ sizeof version, &version };
    return answer(code ? code : mdb_put(txn, about, &name, &value, 0), folder);
}

/* Tables come with the mark: where that is and one of them isn't, it is lost. */
static rk_status open_table(MDB_txn *txn, const char *table, rk_u32 is_new, const char *folder,
                            MDB_dbi *opened)
{
    int code = mdb_dbi_open(txn, table, is_new ? MDB_CREATE : 0, opened);
    if (code != MDB_NOTFOUND) return answer(code, folder);
    return rk_error(RK_CORRUPT, "'%s' has lost its table of %s; move it away", folder, table);
}

static rk_status open_tables(rk_checkpoint_store *store, const char *folder)
{
    MDB_txn *txn;
    MDB_dbi about;
    rk_u32 is_new = 0;
    rk_status status = answer(mdb_txn_begin(store->env, 0, 0, &txn), folder);
    if (status != RK_OK) return status;
    status = answer(mdb_dbi_open(txn, 0, 0, &about), folder);
    if (status == RK_OK) status = check_about(txn, about, folder, &is_new);
    if (status == RK_OK) status = open_table(txn, "manifests", is_new, folder, &store->manifests);
    if (status == RK_OK) status = open_table(txn, "blocks", is_new, folder, &store->blocks);
    if (status == RK_OK) return answer(mdb_txn_commit(txn), folder);
    mdb_txn_abort(txn);
    return status;
}

rk_status rk_store_open(rk_checkpoint_store *store, const char *folder, rk_u64 map_bytes)
{
    *store = (rk_checkpoint_store){ .lock = -1 };
    rk_status status = lock_folder(store, folder);
    if (status == RK_OK) status = check_pages(store, folder);
    if (status == RK_OK) status = answer(mdb_env_create(&store->env), folder);
    if (status == RK_OK)
        status = answer(mdb_env_set_mapsize(store->env, map_bytes ? map_bytes : MAP_DEFAULT), folder);
    if (status == RK_OK) status = answer(mdb_env_set_maxdbs(store->env, 2), folder);
    if (status == RK_OK) status = answer(mdb_env_open(store->env, folder, MDB_NOTLS, 0666), folder);
    if (status == RK_OK) status = open_tables(store, folder);
    if (status != RK_OK) rk_store_close(store);
    return status;
}

void rk_store_close(rk_checkpoint_store *store)
{
    if (store->env) mdb_env_close(store->env);
    if (store->lock >= 0) close(store->lock);
    *store = (rk_checkpoint_store){ .lock = -1 };
}

/* ------------------------------------------------------------------ reading */

static rk_status newest(MDB_txn *txn, MDB_dbi manifests, rk_u64 below, rk_u64 *number)
{
    MDB_cursor *cursor;
    key at = key_of(below, 0);
    MDB_val name = MANIFEST_KEY(&at), value;
    int code = mdb_cursor_open(txn, manifests, &cursor);
    if (code) return answer(code, "the newest checkpoint");
    *number = 0;
    code = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);
    code = mdb_cursor_get(cursor, &name, &value, code ? MDB_LAST : MDB_PREV);
    if (code == 0) *number = number_of(&name);
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? RK_OK : answer(code, "the newest checkpoint");
}

rk_status rk_store_newest(rk_checkpoint_store *store, rk_u64 below, rk_u64 *number, rk_u64 *kept)
{
    MDB_txn *txn;
    MDB_stat stat = { 0 };
    rk_status status = answer(mdb_txn_begin(store->env, 0, MDB_RDONLY, &txn), "the newest checkpoint");
    if (status != RK_OK) return status;
    status = newest(txn, store->manifests, below, number);
    if (status == RK_OK && kept) status = answer(mdb_stat(txn, store->manifests, &stat), "checkpoints");
    if (kept) *kept = stat.ms_entries;
    mdb_txn_abort(txn);
    return status;
}

static rk_status check_manifest(const MDB_val *value, rk_u64 number)
{
    const rk_u8 *bytes = value->mv_data;
    rk_manifest head;
    XXH128_hash_t said, is;
    if (value->mv_size < rk_manifest_bytes(0))
        return rk_error(RK_CORRUPT, "its manifest is cut: %zu bytes", value->mv_size);
    memcpy(&head, bytes, sizeof head);
    memcpy(&said, bytes + value->mv_size - sizeof said, sizeof said);
    is = XXH3_128bits(bytes, value->mv_size - sizeof said);
    if (head.magic != RK_MANIFEST_MAGIC) return rk_error(RK_CORRUPT, "its manifest is none");
    if (!XXH128_isEqual(said, is)) return rk_error(RK_CORRUPT, "its manifest doesn't match its checksum");
    if (head.version != RK_CHECKPOINT_VERSION || head.block_size != RK_CHECKPOINT_BLOCK)
        return rk_error(RK_INCOMPATIBLE,
                        "it is of form %u with blocks of %u bytes; this library has %u and %u", head.version,
                        head.block_size, RK_CHECKPOINT_VERSION, RK_CHECKPOINT_BLOCK);
    if (head.number != number || rk_manifest_bytes(head.blocks) != value->mv_size ||
        head.blocks != (head.size + RK_CHECKPOINT_BLOCK - 1) / RK_CHECKPOINT_BLOCK)
        return rk_error(RK_CORRUPT, "its manifest is of another checkpoint, or impossible");
    return RK_OK;
}

static rk_status get_manifest(MDB_txn *txn, MDB_dbi manifests, rk_u64 number, rk_manifest **manifest)
{
    key at = key_of(number, 0);
    MDB_val name = MANIFEST_KEY(&at), value;
    *manifest = 0;
    rk_status status = answer(mdb_get(txn, manifests, &name, &value), "its manifest");
    if (status == RK_OK) status = check_manifest(&value, number);
    if (status != RK_OK) return status;
    *manifest = malloc(value.mv_size);
    if (!*manifest) return rk_error(RK_OUT_OF_MEMORY, "no memory for a manifest of %zu bytes", value.mv_size);
    memcpy(*manifest, value.mv_data, value.mv_size);
    return RK_OK;
}

static size_t block_bytes(const rk_manifest *manifest, rk_u64 i)
{
    return i + 1 < manifest->blocks ? RK_CHECKPOINT_BLOCK : manifest->size - i * RK_CHECKPOINT_BLOCK;
}

static rk_status get_blocks(MDB_txn *txn, MDB_dbi blocks, const rk_manifest *manifest, rk_u8 *bytes)
{
    rk_status status = RK_OK;
    for (rk_u64 i = 0; i < manifest->blocks && status == RK_OK; i++) {
        key at = key_of(manifest->entry[i].origin, i);
        MDB_val name = BLOCK_KEY(&at), value;
        int code = mdb_get(txn, blocks, &name, &value);
        if (code == MDB_NOTFOUND)
            status = rk_error(RK_CORRUPT, "block %llu of %llu is missing", (unsigned long long)i,
                              (unsigned long long)manifest->blocks);
        else if (code)
            status = answer(code, "a block");
        else if (value.mv_size != block_bytes(manifest, i) ||
                 !XXH128_isEqual(XXH3_128bits(value.mv_data, value.mv_size), manifest->entry[i].hash))
            status = rk_error(RK_CORRUPT, "block %llu of %llu doesn't match its checksum",
                              (unsigned long long)i, (unsigned long long)manifest->blocks);
        else
            memcpy(bytes + i * RK_CHECKPOINT_BLOCK, value.mv_data, value.mv_size);
    }
    return status;
}

static rk_status load(MDB_txn *txn, const rk_checkpoint_store *store, rk_u64 below, rk_u64 *number,
                      rk_manifest **manifest, void **bytes)
{
    rk_status status = newest(txn, store->manifests, below, number);
    if (status != RK_OK || *number == 0) return status;
    status = get_manifest(txn, store->manifests, *number, manifest);
    if (status != RK_OK) return status;
    *bytes = malloc((*manifest)->size + 1);
    if (!*bytes)
        return rk_error(RK_OUT_OF_MEMORY, "no memory for a checkpoint of %llu bytes",
                        (unsigned long long)(*manifest)->size);
    return get_blocks(txn, store->blocks, *manifest, *bytes);
}

rk_status rk_store_load(rk_checkpoint_store *store, rk_u64 below, rk_u64 *number, rk_manifest **manifest,
                        void **bytes)
{
    MDB_txn *txn;
    *number = 0;
    *manifest = 0;
    *bytes = 0;
    rk_status status = answer(mdb_txn_begin(store->env, 0, MDB_RDONLY, &txn), "a checkpoint");
    if (status != RK_OK) return status;
    status = load(txn, store, below, number, manifest, bytes);
    mdb_txn_abort(txn);
    if (status == RK_OK) return RK_OK;
    free(*bytes);
    free(*manifest);
    *bytes = 0;
    *manifest = 0;
    return status;
}

/* ------------------------------------------------------------------ removing */

/* All manifests that can be read, oldest first, and the numbers of all there are. */
typedef struct contents {
    rk_manifest **manifest; /* 0: damaged */
    rk_u64 *number;
    rk_u32 count;
} contents;

static void free_contents(contents *all)
{
    for (rk_u32 i = 0; i < all->count; i++) free(all->manifest[i]);
    free(all->manifest);
    free(all->number);
}

static rk_status load_contents(MDB_txn *txn, const rk_checkpoint_store *store, contents *all)
{
    *all = (contents){ calloc(KEEP_MOST + 1, sizeof *all->manifest),
                       calloc(KEEP_MOST + 1, sizeof *all->number), 0 };
    if (!all->manifest || !all->number)
        return rk_error(RK_OUT_OF_MEMORY, "no memory for a list of checkpoints");
    MDB_cursor *cursor;
    MDB_val name, value;
    int code = mdb_cursor_open(txn, store->manifests, &cursor);
    if (code) return answer(code, "the list of checkpoints");
    for (code = mdb_cursor_get(cursor, &name, &value, MDB_FIRST); code == 0 && all->count <= KEEP_MOST;
         code = mdb_cursor_get(cursor, &name, &value, MDB_NEXT))
        all->number[all->count++] = number_of(&name);
    mdb_cursor_close(cursor);
    for (rk_u32 i = 0; i < all->count; i++)
        if (get_manifest(txn, store->manifests, all->number[i], &all->manifest[i]) == RK_OUT_OF_MEMORY)
            return RK_OUT_OF_MEMORY;
    return RK_OK;
}

static rk_u32 bases_without(const contents *all, rk_u32 left_out)
{
    rk_u64 seen = 0;
    rk_u32 bases = 0;
    for (rk_u32 i = 0; i < all->count; i++) {
        if (i == left_out || !all->manifest[i] || all->manifest[i]->base == seen) continue;
        seen = all->manifest[i]->base;
        bases++;
    }
    return bases;
}

/* The oldest, unless all that is left would build on one full checkpoint: then one damaged block could take all. */
static rk_u32 pick_victim(const contents *all)
{
    for (rk_u32 i = 0; i + 1 < all->count; i++)
        if (bases_without(all, i) >= 2 || bases_without(all, all->count) < 2) return i;
    return 0;
}

static rk_u32 is_named(const contents *all, rk_u64 origin, rk_u64 place)
{
    for (rk_u32 i = 0; i < all->count; i++)
        if (all->manifest[i] && place < all->manifest[i]->blocks &&
            all->manifest[i]->entry[place].origin == origin)
            return 1;
    return 0;
}

/* The blocks that a removed manifest named, and nobody else does. */
static rk_status drop_blocks(MDB_txn *txn, const rk_checkpoint_store *store, const contents *left,
                             const rk_manifest *gone)
{
    for (rk_u64 i = 0; i < gone->blocks; i++) {
        if (is_named(left, gone->entry[i].origin, i)) continue;
        key at = key_of(gone->entry[i].origin, i);
        MDB_val name = BLOCK_KEY(&at);
        int code = mdb_del(txn, store->blocks, &name, 0);
        if (code && code != MDB_NOTFOUND) return answer(code, "a block that nobody names");
    }
    return RK_OK;
}

/* After a damaged manifest, which can't say what it named: all blocks are looked at. */
static rk_status sweep_blocks(MDB_txn *txn, const rk_checkpoint_store *store, const contents *left)
{
    MDB_cursor *cursor;
    MDB_val name, value;
    int code = mdb_cursor_open(txn, store->blocks, &cursor);
    if (code) return answer(code, "the list of blocks");
    for (code = mdb_cursor_get(cursor, &name, &value, MDB_FIRST); code == 0;
         code = mdb_cursor_get(cursor, &name, &value, MDB_NEXT)) {
        MDB_val place = { 8, (rk_u8 *)name.mv_data + 8 };
        if (name.mv_size == 16 && is_named(left, number_of(&name), number_of(&place))) continue;
        if ((code = mdb_cursor_del(cursor, 0)) != 0) break;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? RK_OK : answer(code, "a block that nobody names");
}

static rk_status prune(MDB_txn *txn, const rk_checkpoint_store *store, rk_u32 keep)
{
    contents all;
    rk_status status = load_contents(txn, store, &all);
    while (status == RK_OK && all.count > keep) {
        rk_u32 at = pick_victim(&all);
        rk_manifest *gone = all.manifest[at];
        key number = key_of(all.number[at], 0);
        MDB_val name = MANIFEST_KEY(&number);
        status = answer(mdb_del(txn, store->manifests, &name, 0), "an old checkpoint");
        all.count--;
        memmove(all.manifest + at, all.manifest + at + 1, (all.count - at) * sizeof *all.manifest);
        memmove(all.number + at, all.number + at + 1, (all.count - at) * sizeof *all.number);
        if (status == RK_OK)
            status = gone ? drop_blocks(txn, store, &all, gone) : sweep_blocks(txn, store, &all);
        free(gone);
    }
    free_contents(&all);
    return status;
}

/* ------------------------------------------------------------------ adding */

rk_status rk_store_add(rk_checkpoint_store *store, rk_manifest *manifest, const void *bytes, rk_u32 keep,
                       rk_u64 *written)
{
    MDB_txn *txn;
    size_t size = rk_manifest_bytes(manifest->blocks), summed = size - sizeof(XXH128_hash_t);
    XXH128_hash_t sum = XXH3_128bits(manifest, summed);
    memcpy((rk_u8 *)manifest + summed, &sum, sizeof sum);
    rk_status status = answer(mdb_txn_begin(store->env, 0, 0, &txn), "a checkpoint");
    if (status != RK_OK) return status;
    *written = 0;
    for (rk_u64 i = 0; i < manifest->blocks && status == RK_OK; i++) {
        if (manifest->entry[i].origin != manifest->number) continue;
        key at = key_of(manifest->number, i);
        MDB_val name = BLOCK_KEY(&at);
        MDB_val value = { block_bytes(manifest, i), (rk_u8 *)(size_t)bytes + i * RK_CHECKPOINT_BLOCK };
        status = answer(mdb_put(txn, store->blocks, &name, &value, 0), "a checkpoint");
        *written += value.mv_size;
    }
    key at = key_of(manifest->number, 0);
    MDB_val name = MANIFEST_KEY(&at), value = { size, manifest };
    if (status == RK_OK) status = answer(mdb_put(txn, store->manifests, &name, &value, 0), "a checkpoint");
    if (status == RK_OK) status = prune(txn, store, keep);
    if (status == RK_OK) return answer(mdb_txn_commit(txn), "a checkpoint");
    mdb_txn_abort(txn);
    return status;
}

rk_status rk_store_clear(rk_checkpoint_store *store)
{
    MDB_txn *txn;
    rk_status status = answer(mdb_txn_begin(store->env, 0, 0, &txn), "the checkpoints");
    if (status != RK_OK) return status;
    status = answer(mdb_drop(txn, store->manifests, 0), "the checkpoints");
    if (status == RK_OK) status = answer(mdb_drop(txn, store->blocks, 0), "the checkpoints");
    if (status == RK_OK) return answer(mdb_txn_commit(txn), "the checkpoints");
    mdb_txn_abort(txn);
    return status;
}
