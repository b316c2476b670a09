/* The form of a snapshot: a head, a record for each kernel, their states, and a stream of what is queued.
 *
 *     head | kernel … | state of kernel 0 | state of kernel 1 | … | note | shard { lane { ids messages } × 3 } …
 *
 * States come first and at fixed places, so that of two snapshots of the same kernels equal state is at equal places.
 * Everything is little-endian, as memory is wherever this is built, and aligned to 8 bytes. A reader trusts nothing:
 * it goes through rk_reader, which never passes the end. */
#ifndef RK_STATE_SNAPSHOT_FORM_H
#define RK_STATE_SNAPSHOT_FORM_H

#include <ringkernel/snapshot.h>

#include "../runtime/core.h"

#define RK_SNAPSHOT_MAGIC 0x504e53534b52ull /* "RKSSNP" */
#define RK_SNAPSHOT_LANES 3u                /* host, device, out */

RK_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "snapshots are written as memory is");

typedef struct rk_form_head {
    rk_u64 magic;
    rk_u32 version, wire;
    rk_u64 size;     /* of all */
    rk_u64 taken_ns; /* on the runtime's clock */
    rk_u64 queues;   /* where the stream begins */
    rk_u32 kernels;
    rk_u32 note; /* bytes */
} rk_form_head;

typedef struct rk_form_type {
    rk_u64 hash;
    rk_u32 type, type_;
} rk_form_type;

typedef struct rk_form_kernel {
    rk_snapshot_kernel told;
    rk_u64 states; /* where they begin: one for each shard or actor, each of `stride` bytes */
    rk_u64 letters_lost, letter_total, late_replies, duplicate_replies;
    rk_u32 number; /* what headers of its messages have as source */
    rk_u32 state_count, stride;
    rk_u32 handled_count;
    rk_form_type handled[RK_HANDLES_MAX];
} rk_form_kernel;

#define RK_FORM_COUNTERS (RK_OFFSET_OF(rk_meter, queue_wait) / 8u)

typedef struct rk_form_shard {
    rk_u64 wake; /* 1: the timer hook had asked to be woken */
    rk_u64 clock_hlc;
    rk_u64 replies;
    rk_u64 routed;                     /* messages that came by routes so far, or are under way */
    rk_u64 counters[RK_FORM_COUNTERS]; /* of the meter, as they lie there */
} rk_form_shard;

typedef struct rk_form_lane {
    rk_u64 delivered, expired, dead, evicted, lost, withdrawn;
    rk_u64 refused[RK_REFUSED_KINDS];
    rk_u64 ids; /* that many u64 follow */
    rk_u64 messages;
} rk_form_lane;

typedef struct rk_form_message {
    rk_header_long header;
    rk_u64 schema;
    rk_u64 length; /* bytes of the payload, which follows, filled up to 8 */
} rk_form_message;

static inline rk_u64 rk_form_padded(rk_u64 bytes) { return (bytes + 7u) & ~7ull; }

/* A walk through bytes that may be anything. */
typedef struct rk_reader {
    const rk_byte *at;
    rk_u64 left;
} rk_reader;

/* The next `size` bytes and their fill. 0: there are not that many. */
static inline const void *rk_reader_take(rk_reader *reader, rk_u64 size)
{
    if (size > reader->left || rk_form_padded(size) > reader->left) return 0;
    const void *taken = reader->at;
    reader->at += rk_form_padded(size);
    reader->left -= rk_form_padded(size);
    return taken;
}

/* The head and the records of kernels, checked. The bytes are aligned to 8. */
rk_status rk_form_open(const void *bytes, size_t size, const rk_form_head **head,
                       const rk_form_kernel **kernels);
/* The schema of a message type among those that the kernel's module declares; 0: it doesn't. */
const rk_schema *rk_form_schema(const rk_class *class, rk_u32 type);

#endif
