/* Snapshots: kernels at one consistent cut, as bytes; and kernels made of such bytes, in this process or another.
 *
 * A snapshot has the state of every shard or actor, what is queued in both lanes of the inbox and towards the host
 * (payloads of any size with it), the ids that deduplication remembers, and the counts that make the account balance.
 * All kernels stop at a batch boundary first, with everybody who sends to them, so each message is either in the
 * state or in a queue, and never in both. It says nothing of capacities, of slots or of the backend: it is restored
 * into other options, and on another backend. To keep snapshots safe on disk, see checkpoint.h. */
#ifndef RINGKERNEL_SNAPSHOT_H
#define RINGKERNEL_SNAPSHOT_H

#include "telemetry.h"

RK_BEGIN_DECLS

#define RK_SNAPSHOT_VERSION 2u
#define RK_SNAPSHOT_NOTE_MAX 65536u

/* Begin with RK_SNAPSHOT_NONE; used again, it keeps its memory. rk_snapshot_free when done. */
typedef struct rk_snapshot {
    void *bytes;
    size_t size;
    size_t room;
    rk_u64 pause_ns; /* from the first kernel that stopped until all went on: what a sender may have waited */
} rk_snapshot;
#define RK_SNAPSHOT_NONE \
    {                    \
        0, 0, 0, 0       \
    }

/* What a snapshot says of one of its kernels. */
typedef struct rk_snapshot_kernel {
    char id[64];
    char kernel_name[64];
    rk_u32 shards, actors, state, state_size;
    rk_account account; /* at the cut: accepted_host is where a source that sends here goes on */
} rk_snapshot_kernel;

/* Called at the cut, while all kernels stand still: write up to `room` bytes that belong to it, such as the row of the
 * source that comes next, and return how many. It must not call into the library, which holds locks, but for
 * rk_account_of: output_received tells how many messages are out, some perhaps still in the hands of whoever took them. */
typedef size_t (*rk_snapshot_note_fn)(void *user, void *note, size_t room);

/* Take a snapshot of kernels that are launched, active or inactive. Senders and receivers wait meanwhile and lose
 * nothing; kernels outside that send to these stand still, too. note may be 0. Thread-safe.
 *   RK_TIMED_OUT   no batch boundary of all by timeout_ns: a handler is running, or a batch finds no room; nothing
 *                  changed: receive from them, or give it more time
 *   RK_BUSY        somebody holds an uncommitted reservation: commit or abort it
 *   RK_FAILED      one of them has failed: relaunch it, or restore an earlier snapshot
 *   RK_CLOSED      one is draining or has ended; or the runtime is closed
 *   RK_LIMIT       the note is larger than RK_SNAPSHOT_NOTE_MAX
 *   RK_OUT_OF_MEMORY, RK_INVALID_ARGUMENT (nothing given, or one twice), RK_STALE, RK_NO_SUCH_KERNEL */
RK_API rk_status rk_snapshot_take(rk_runtime *runtime, const rk_kernel *kernels, size_t count,
                                  rk_u64 timeout_ns, rk_snapshot_note_fn note, void *note_user,
                                  rk_snapshot *snapshot);
RK_API void rk_snapshot_free(rk_snapshot *snapshot);

/* Put a snapshot into kernels that were just launched, under the ids that it was taken with, and connected: none of
 * them was active or has got a message. Options may differ: any capacity that holds what is queued, any number of
 * shards unless the state is per shard. Timer hooks run once after it; requests of the host that were under way are
 * answered as late; the kept dead letters count as lost; a route in turn begins again with shard 0; histograms begin
 * anew. Nothing changes unless RK_OK or RK_DEVICE_LOST.
 *   RK_CORRUPT       not a snapshot, or cut, or impossible
 *   RK_INCOMPATIBLE  of another version of the format, or of the message header; of other kernels than these; of a
 *                    kernel whose state or messages have changed since: the text names what
 *   RK_LIMIT         more is queued than a lane holds, or pool_blocks are too few: the text has both numbers
 *   RK_UNSUPPORTED   state per shard in another number of shards, or per actor in fewer actors
 *   RK_BUSY          one of them is in use: launch it anew
 *   RK_TIMED_OUT     a kernel that is connected with them reached no batch boundary
 *   RK_OUT_OF_MEMORY, RK_INVALID_ARGUMENT, RK_STALE, RK_NO_SUCH_KERNEL, RK_CLOSED */
RK_API rk_status rk_snapshot_restore(rk_runtime *runtime, const rk_kernel *kernels, size_t count,
                                     const void *bytes, size_t size);

/* What is in a snapshot: kernel `index`, counted from 0; RK_NO_SUCH_KERNEL ends it. RK_CORRUPT, RK_INCOMPATIBLE. */
RK_API rk_status rk_snapshot_describe(const void *bytes, size_t size, rk_u32 index,
                                      rk_snapshot_kernel *kernel);
/* The state of shard or actor `which` of that kernel, as rk_read_state gave it at the cut.
 *   RK_TOO_SMALL       `size` isn't the state's size, which rk_snapshot_describe tells
 *   RK_NO_SUCH_ACTOR   no such shard or actor, or the kernel keeps no state
 *   RK_NO_SUCH_KERNEL, RK_CORRUPT, RK_INCOMPATIBLE, RK_INVALID_ARGUMENT (no place for it) */
RK_API rk_status rk_snapshot_state(const void *bytes, size_t size, rk_u32 index, rk_u32 which, void *state,
                                   size_t state_size);
/* Its note: points into `bytes`. */
RK_API rk_status rk_snapshot_note(const void *bytes, size_t size, const void **note, size_t *note_size);

RK_END_DECLS

#endif
