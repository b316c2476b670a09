/* Checkpoints: snapshots of kernels on disk, taken while messages flow, of which the newest that is whole is restored.
 *
 *     rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .every_messages = 10000 };
 *     rk_checkpoints *checkpoints;
 *     RK_CHECK(rk_checkpoints_open(rt, "state", &kernel, 1, &o, &checkpoints));
 *     rk_status status = rk_checkpoints_restore(checkpoints, &restored);   // RK_EMPTY: there is none yet
 *     …activate, send from row restored.kernels… on…
 *     rk_checkpoints_close(checkpoints);
 *
 * In a library of its own, ringkernel-checkpoint, which needs LMDB and xxHash. A checkpoint is a snapshot (snapshot.h)
 * in blocks of RK_CHECKPOINT_BLOCK bytes, each with its XXH3-128, under a manifest with its own. An incremental one
 * has only the blocks that differ from the one before. One transaction adds it and removes the oldest: who kills the
 * process at any moment leaves the checkpoint before, or this one, never a half. */
#ifndef RINGKERNEL_CHECKPOINT_H
#define RINGKERNEL_CHECKPOINT_H

#include "snapshot.h"

RK_BEGIN_DECLS

#define RK_CHECKPOINT_VERSION 1u
/* What is compared and stored as a whole: a page of LMDB without the head that it gives a value of its own. */
#define RK_CHECKPOINT_BLOCK 4080u

typedef struct rk_checkpoints rk_checkpoints;

typedef struct rk_checkpoint_options {
    rk_u32 size;
    rk_u32 keep;           /* checkpoints kept, the newest: 1 to 1000; 0: 3 */
    rk_u64 every_messages; /* take one when the kernels have handled so many more; 0: not by messages */
    rk_u64 every_ns;       /* take one when so much time has passed on the runtime's clock; 0: not by time */
    rk_u32 full_every;     /* each so many-th has all blocks; 0: 16; 1: each */
    rk_u32 options_;
    rk_u64 timeout_ns;        /* how long the kernels may take to reach a batch boundary; 0: two seconds */
    rk_u64 map_bytes;         /* how large the store may get; 0: 16 GiB of address space, used as needed */
    rk_snapshot_note_fn note; /* called at each cut, see snapshot.h; 0: none. By the checkpoint thread, too */
    void *note_user;
} rk_checkpoint_options;
#define RK_CHECKPOINT_OPTIONS .size = sizeof(rk_checkpoint_options)

/* Open the store in a folder, which is made, for these kernels. A kernel that a supervisor replaces
 * (supervise.h) is followed: from then on the one in its place is taken. With every_messages or every_ns, and
 * unless the runtime is single-step, a thread looks each millisecond whether one is due. One process at a
 * time, and once in it, opens a folder. Close before the runtime. Whatever is wrong with options and kernels
 * is told in one result; its status is RK_INVALID_OPTIONS where an option is among it, else that of the
 * first.
 *   RK_INVALID_OPTIONS, RK_INVALID_ARGUMENT (null, no kernels, or one twice)
 *   RK_INCOMPATIBLE  the folder has another store, or one of another version
 *   RK_CORRUPT       what is there is no LMDB store, or so damaged that its newest transaction and the one before can't be
 *                    used: move it away
 *   RK_IN_USE        it is open already
 *   RK_IO, RK_OUT_OF_MEMORY, RK_STALE, RK_NO_SUCH_KERNEL, RK_CLOSED (the runtime) */
RK_API rk_status rk_checkpoints_open(rk_runtime *runtime, const char *folder, const rk_kernel *kernels,
                                     size_t count, const rk_checkpoint_options *options,
                                     rk_checkpoints **checkpoints);
/* Stop the thread, close the store. 0 is fine. Nobody may be in a call on it. */
RK_API void rk_checkpoints_close(rk_checkpoints *checkpoints);

/* Take one now; it is on disk when this returns. Thread-safe.
 *   RK_LIMIT  the store is full: raise map_bytes
 *   RK_IO, and everything that rk_snapshot_take answers: nothing changed */
RK_API rk_status rk_checkpoint(rk_checkpoints *checkpoints);
/* Take one if one is due. RK_EMPTY: none is. For those who step a runtime themselves. */
RK_API rk_status rk_checkpoint_if_due(rk_checkpoints *checkpoints);
/* Remove all that are there: the work is done, or begins anew. Thread-safe. RK_IO, RK_LIMIT: nothing changed. */
RK_API rk_status rk_checkpoints_clear(rk_checkpoints *checkpoints);

typedef struct rk_restored {
    rk_u64 number;  /* of the checkpoint, from 1 */
    rk_u64 wall_ns; /* when it was taken, since 1970 */
    rk_u32 refused; /* newer ones that were not used */
    rk_u32 note_size;
    char reasons[512]; /* why, one to a line; cut if there are many */
    rk_u8 note[4096];  /* the first bytes of its note */
} rk_restored;

/* Put the newest checkpoint that is whole and fits into the kernels, which were just launched and connected
 * (snapshot.h). One that is damaged, or was taken of other kernels, is passed over with its reason; so is a newest
 * transaction of the store that had to be given up when it was opened.
 *   RK_EMPTY    there is none at all
 *   RK_CORRUPT  there are some, and none could be used: restored->reasons says why, as does the text
 *   RK_LIMIT, RK_UNSUPPORTED, RK_BUSY, RK_TIMED_OUT  the launch is to blame, not the checkpoint: see
 *               rk_snapshot_restore; no older one is tried */
RK_API rk_status rk_checkpoints_restore(rk_checkpoints *checkpoints, rk_restored *restored);
/* Kernel `index` of the checkpoint that was restored or taken last: its account at the cut says where sources go on.
 * RK_NO_SUCH_KERNEL ends it; RK_EMPTY: none was. */
RK_API rk_status rk_checkpoints_describe(rk_checkpoints *checkpoints, rk_u32 index,
                                         rk_snapshot_kernel *kernel);

/* A kernel that a supervisor restarts (supervise.h) may begin with its state of the newest checkpoint:
 *
 *     rk_checkpoint_child of_price = { checkpoints, "price" };
 *     rk_supervised child = { price, RK_STATE_RESTORE, 0, rk_checkpoint_state, &of_price };
 *
 * Only the state is taken from there, not the queue. */
typedef struct rk_checkpoint_child {
    rk_checkpoints *checkpoints;
    const char *id; /* of the kernel; stays the caller's */
} rk_checkpoint_child;
/* `restore` of rk_supervised: `user` is an rk_checkpoint_child. Takes the newest checkpoint that is whole and
 * has such a kernel with states of that size, and as many where they are its shards', the same for all states of one
 * restart. While there is none at all, and for actors that it hasn't, the state stays zeros. End the supervisor before the checkpoints are
 * closed.
 *   RK_CORRUPT  there are some, and none could be used: the text says why
 *   RK_IO, RK_OUT_OF_MEMORY, RK_INVALID_ARGUMENT (null) */
RK_API rk_status rk_checkpoint_state(void *user, rk_u32 which, void *state, size_t size);

typedef struct rk_checkpoint_metrics {
    rk_u64 taken, failed; /* by this process */
    rk_u64 full;          /* of taken: with all blocks */
    rk_u64 newest;        /* number of the newest; 0: none */
    rk_u64 bytes;         /* of the newest: of the whole snapshot */
    rk_u64 written;       /* of the newest: bytes of the blocks that it has itself */
    rk_u64 kept;          /* checkpoints in the store */
    rk_quantiles pause;   /* how long the kernels and their senders stood still */
    rk_quantiles store;   /* how long it took, after that, until it was on disk */
    char failure[256];    /* the last one; "": none */
} rk_checkpoint_metrics;
RK_API rk_status rk_checkpoints_metrics(rk_checkpoints *checkpoints, rk_checkpoint_metrics *metrics);

RK_END_DECLS

#endif
