/* The store of checkpoints: an LMDB environment in a folder, with manifests by number and blocks by number and place.
 *
 * A checkpoint's manifest says for each block of the snapshot which checkpoint brought it, and its hash; so
 * an incremental one is read as a full one is, block by block, and any one of them can be removed: a block
 * goes when no manifest names it. Whatever is done is one transaction. Nothing here knows what a snapshot is.
 * One thread at a time, but for rk_store_load. */
#ifndef RK_STATE_CHECKPOINT_STORE_H
#define RK_STATE_CHECKPOINT_STORE_H

#include <lmdb.h>
#include <ringkernel/checkpoint.h>
#include <xxhash.h>

#include "checkpoint_pages.h"

#define RK_MANIFEST_MAGIC 0x464e414d4b52ull /* "RKMANF" */

typedef struct rk_block_entry {
    rk_u64 origin; /* the checkpoint that brought it */
    XXH128_hash_t hash;
} rk_block_entry;

/* Followed by an entry for each block, and the XXH3-128 of all that. */
typedef struct rk_manifest {
    rk_u64 magic;
    rk_u32 version, block_size;
    rk_u64 number;
    rk_u64 base; /* the full one that it builds on; itself, if it has all its blocks */
    rk_u64 wall_ns;
    rk_u64 size; /* of the snapshot */
    rk_u64 blocks;
    rk_block_entry entry[];
} rk_manifest;

static inline size_t rk_manifest_bytes(rk_u64 blocks)
{
    return sizeof(rk_manifest) + blocks * sizeof(rk_block_entry) + sizeof(XXH128_hash_t);
}

typedef struct rk_store_ {
    MDB_env *env;
    MDB_dbi manifests, blocks;
    int lock; /* descriptor of the file that keeps others out */
    char lost
        [RK_PAGES_LOST]; /* what is damaged of the newest transaction, whose checkpoint is lost; "": nothing */
} rk_checkpoint_store;

/* As rk_checkpoints_open. A store that could not be opened is closed. One whose newest transaction alone is damaged is put
 * back to the one before, if that has a checkpoint. */
rk_status rk_store_open(rk_checkpoint_store *store, const char *folder, rk_u64 map_bytes);
void rk_store_close(rk_checkpoint_store *store);
/* The largest number below `below`; *number 0: there is none. *kept (unless 0): how many there are in all. */
rk_status rk_store_newest(rk_checkpoint_store *store, rk_u64 below, rk_u64 *number, rk_u64 *kept);
/* The newest checkpoint whose number is below `below`: its manifest and its snapshot, each block checked; the
 * caller frees both. All of one moment, so another thread may add meanwhile. *number 0: there is none.
 * RK_CORRUPT, RK_INCOMPATIBLE (another version): not this one, *number is set. */
rk_status rk_store_load(rk_checkpoint_store *store, rk_u64 below, rk_u64 *number, rk_manifest **manifest,
                        void **bytes);
/* Add a checkpoint: its manifest, whose checksum is made here, and those blocks that it says to have brought; and
 * remove the oldest beyond `keep`. *written: bytes of those blocks. */
rk_status rk_store_add(rk_checkpoint_store *store, rk_manifest *manifest, const void *bytes, rk_u32 keep,
                       rk_u64 *written);
/* Remove all checkpoints. */
rk_status rk_store_clear(rk_checkpoint_store *store);

#endif
