/* The message on the wire: two header forms, fixed per lane at launch, and the reference that stands for a
 * large payload.
 *
 * A slot is header, payload, padding. The short form is what a kernel needs; the long form is used when
 * deduplication, requests, expiry or timestamps are on. The layout is the same in every language and is part
 * of the ABI: RK_WIRE_VERSION changes when it does. */
#ifndef RINGKERNEL_DEVICE_WIRE_H
#define RINGKERNEL_DEVICE_WIRE_H

#include "port.h"

#define RK_WIRE_VERSION 1

/* Short form, 16 bytes. In a `unit` slot the first unit is this very structure: the lap, then twelve
 * bytes. */
typedef struct rk_header {
    rk_u32 lap;    /* the slot's proof: equals the lap of the index that it was written for */
    rk_u16 type;   /* message type, 1 to 65,535 */
    rk_u16 length; /* payload bytes in the slot; with RK_FLAG_REFERENCE those of an rk_reference */
    rk_u32 target; /* actor, or anything that picks the shard: shard = target mod shards */
    rk_u16
        source; /* kernel that sent it (RK_SOURCE_KERNEL), 0 is the host; towards the host: RK_SOURCE_ROUTE + a named route */
    rk_u8 priority; /* 0 lowest to 255 highest */
    rk_u8 flags;    /* RK_FLAG_* */
} rk_header;

/* Long form, 48 bytes. */
typedef struct rk_header_long {
    rk_header base;
    rk_u64 id;          /* for deduplication; 0 is "none" */
    rk_u64 correlation; /* ties a reply to its request; 0 is "none" */
    rk_u64 sent_ns;     /* when it was accepted, on the runtime's clock */
    rk_u32 ttl_us;      /* expires this long after sent_ns; 0 is "never" */
    rk_u8 attempts;     /* how often it was delivered before */
    rk_u8 version;      /* RK_WIRE_VERSION; with RK_VERSION_LETTER a dead letter */
    rk_u16 source_shard;
} rk_header_long;

#define RK_VERSION_LETTER 0x80u /* `correlation` is its reason, and RK_LETTER_SENT */
#define RK_LETTER_SENT 0x100000000ul

#define RK_HEADER_SHORT 16u
#define RK_HEADER_LONG 48u

#define RK_FLAG_REQUEST 0x01u     /* the sender waits for a reply */
#define RK_FLAG_REPLY 0x02u       /* answers the request with the same correlation */
#define RK_FLAG_REFERENCE 0x04u   /* the payload is an rk_reference into a pool */
#define RK_FLAG_REDELIVERED 0x08u /* was handed to a handler before, which did not finish */
#define RK_FLAG_HOLE 0x10u        /* a claim that was aborted: the consumer passes over it */
#define RK_FLAG_REPAIRED 0x20u    /* a hole whose owner is gone: passed over and counted lost */
#define RK_FLAG_ANSWERED \
    0x40u /* the consumer's own, while it has the slot: the request was replied to, or will be */
#define RK_FLAG_KEPT \
    0x80u /* the consumer's own: the large payload travels on, so its block isn't given back */
#define RK_FLAGS_OF_CONSUMER (RK_FLAG_ANSWERED | RK_FLAG_KEPT)

/* A payload that doesn't fit a slot: `length` bytes in block `block` of pool `pool`. */
typedef struct rk_reference {
    rk_u32 pool;
    rk_u32 block;
    rk_u64 length;
} rk_reference;

/* A header is copied by double words. One that was put together field by field just before can't be forwarded
 * to them from the store buffer: the copy waits until all earlier stores are out, those into slots that
 * another core has read among them (messages echoed on a Zen 4: 34 M/s by fields, 40 by this). So what is
 * written last is written whole. */
RK_FN void rk_header_kind(RK_GLOBAL rk_header *header, rk_u32 type, rk_u32 length)
{
    ((RK_GLOBAL rk_double_word *)header)[0] = (rk_u64)type << 32 | (rk_u64)length << 48;
}

RK_FN void rk_header_address(RK_GLOBAL rk_header *header, rk_u32 target, rk_u32 source, rk_u32 priority,
                             rk_u32 flags)
{
    rk_u32 who = source | priority << 16 | flags << 24;
    ((RK_GLOBAL rk_double_word *)header)[1] = target | (rk_u64)who << 32;
}

/* What only a long header has, of a message without an id, a correlation and an end of its life. */
RK_FN void rk_header_further(RK_GLOBAL rk_header_long *header, rk_u64 sent_ns, rk_u32 source_shard)
{
    RK_GLOBAL rk_double_word *to = (RK_GLOBAL rk_double_word *)header;
    to[2] = 0; /* id */
    to[3] = 0; /* correlation */
    to[4] = sent_ns;
    to[5] = (rk_u64)RK_WIRE_VERSION << 40 | (rk_u64)source_shard << 48;
}

RK_FN void rk_header_source(RK_GLOBAL rk_header *header, rk_u32 source)
{
    RK_GLOBAL rk_double_word *address = (RK_GLOBAL rk_double_word *)header + 1;
    *address = (*address & 0xffff0000fffffffful) | (rk_u64)source << 32;
}

RK_FN void rk_header_aim(RK_GLOBAL rk_header *header, rk_u32 target)
{
    RK_GLOBAL rk_double_word *address = (RK_GLOBAL rk_double_word *)header + 1;
    *address = (*address & 0xffffffff00000000ul) | target;
}

#define RK_SOURCE_ROUTE 0x8000u /* of `source`: over all numbers of kernels */
/* A number is given again when its kernel has ended. So that a late reply finds nobody, and not who has it then, a source is
 * a number and the low bits of how often that was given: only the eighth after it would be taken for it. */
#define RK_SOURCE_KERNEL 0x0fffu
#define RK_SOURCE_LIFE_SHIFT 12u
#define RK_SOURCE_LIVES 8u

#define RK_INLINE_MAX 1024u /* the largest payload that travels in its slot */
#define RK_SLOT_MIN 64u
#define RK_SLOT_MIN_SHIFT 6u

RK_STATIC_ASSERT(sizeof(rk_header) == RK_HEADER_SHORT, "short header");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_header, type) == 4 && RK_OFFSET_OF(rk_header, length) == 6 &&
                     RK_OFFSET_OF(rk_header, target) == 8 && RK_OFFSET_OF(rk_header, source) == 12 &&
                     RK_OFFSET_OF(rk_header, priority) == 14 && RK_OFFSET_OF(rk_header, flags) == 15,
                 "short header offsets");
RK_STATIC_ASSERT(sizeof(rk_header_long) == RK_HEADER_LONG, "long header");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_header_long, id) == 16 && RK_OFFSET_OF(rk_header_long, correlation) == 24 &&
                     RK_OFFSET_OF(rk_header_long, sent_ns) == 32 &&
                     RK_OFFSET_OF(rk_header_long, ttl_us) == 40 &&
                     RK_OFFSET_OF(rk_header_long, attempts) == 44 &&
                     RK_OFFSET_OF(rk_header_long, version) == 45 &&
                     RK_OFFSET_OF(rk_header_long, source_shard) == 46,
                 "long header offsets");
RK_STATIC_ASSERT(sizeof(rk_reference) == 16, "reference");

#endif
