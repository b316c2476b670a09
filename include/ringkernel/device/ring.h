/* The ring: three lines (and one of stamps) and N slots, one producing and one consuming side.
 *
 * The producing line is written by producers only, the consuming line by the consumer only, and the constants
 * by nobody after launch, so each word has one writing side and nothing is ever cleared. A slot proves
 * itself: it holds the lap of the index that it was written for, and no index is published beside it.
 *
 * Indices are 64-bit, run freely and wrap; they are compared by wrapped difference and never by "<". The lap
 * of an index is its low 32 bits without the position, so that a device with 32-bit atomics computes the same
 * lap from the low word. A slot that has never been written holds the lap before its first one. */
#ifndef RINGKERNEL_DEVICE_RING_H
#define RINGKERNEL_DEVICE_RING_H

#include "wire.h"

#define RK_LINE 128u /* two 64-byte lines: the prefetcher pulls pairs */

#define RK_FORMAT_SEQ 0u  /* one lap per slot, by release and acquire */
#define RK_FORMAT_UNIT 1u /* a lap in each 16-byte unit, each read and written at once */

#define RK_STAMPS 16u

typedef struct rk_ring {
    /* Producing line. */
    rk_u64 tail;        /* next index to claim */
    rk_u64 cached_head; /* what producers last saw of head */
    rk_u64 evicted;     /* messages before this index were evicted by a producer (DropOldest) */
    rk_u32 asleep;      /* 1: the consumer sleeps; who publishes sets it back and wakes it */
    rk_u32 room; /* of a counted ring: free slots; below 0 while a claim that found too few gives back */
    rk_u8 producer_gap_[32];
    rk_u8 producer_rest_[64];

    /* Consuming line. */
    rk_u64 head; /* next index to take; everything before is committed */
    rk_u64 cached_tail;
    rk_u32 waiting; /* 1: a producer waits for room; who commits sets it back and wakes it */
    rk_u32 consuming_;
    rk_u64 delivered;   /* handled and committed */
    rk_u64 expired;     /* too old when its turn came */
    rk_u64 dead;        /* refused by the handler, or not deliverable */
    rk_u64 dropped_old; /* evicted by producers, as the consumer found out */
    rk_u64 lost;        /* repaired holes, and what was left when a kernel was quarantined */
    rk_u64 withdrawn;   /* aborted claims: never accepted */
    rk_u8 consumer_rest_[56];

    /* Constants. */
    rk_u64 slots; /* arena offset of slot 0 */
    rk_u64 start; /* the first index: accepted = tail - start - withdrawn */
    rk_u32 capacity;
    rk_u32 mask;      /* capacity - 1 */
    rk_u32 slot_size; /* bytes, a power of two from 64 */
    rk_u32 slot_shift;
    rk_u32 header_size; /* 16 or 48 */
    rk_u32 format;      /* RK_FORMAT_* */
    rk_u32 single;      /* 1: one producer, so a claim is no read-modify-write */
    rk_u32 payload_max; /* payload bytes that a slot holds */
    rk_u32
        overwritten; /* 1: producers may evict and overwrite (DropOldest), so the consumer copies and looks again */
    rk_u32 counted; /* 1: claims take from `room` first, so that many producers never try again */
    rk_i64 far;     /* where the other side has its header, in bytes from this one; 0: this is both sides' */
    rk_u32 stamp_shift; /* of the messages one in 1 << stamp_shift is stamped */
    rk_u8 constants_[60];

    /* Stamps, written by producers: see stamp.h. */
    rk_u64 stamp[RK_STAMPS];
} rk_ring;

RK_STATIC_ASSERT(sizeof(rk_ring) == 4 * RK_LINE, "a ring is three lines and its stamps");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_ring, head) == RK_LINE, "consuming line");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_ring, slots) == 2 * RK_LINE, "constants");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_ring, stamp_shift) == 2 * RK_LINE + 64 &&
                     RK_OFFSET_OF(rk_ring, stamp) == 3 * RK_LINE && 8u * RK_STAMPS == RK_LINE,
                 "stamps");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_ring, room) == 28 && RK_OFFSET_OF(rk_ring, delivered) == RK_LINE + 24 &&
                     RK_OFFSET_OF(rk_ring, start) == 2 * RK_LINE + 8 &&
                     RK_OFFSET_OF(rk_ring, header_size) == 2 * RK_LINE + 32 &&
                     RK_OFFSET_OF(rk_ring, overwritten) == 2 * RK_LINE + 48 &&
                     RK_OFFSET_OF(rk_ring, far) == 2 * RK_LINE + 56,
                 "counts and constants");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_ring, asleep) == 24 && RK_OFFSET_OF(rk_ring, waiting) == RK_LINE + 16,
                 "wake words");

typedef RK_GLOBAL rk_u8 rk_byte; /* memory of an arena, by the byte */

/* The other side's header. Across a bus each side has a header of its own, in its own memory: of the far one it
 * reads what is written there only when it must, and posts its own words into it. */
RK_FN RK_GLOBAL rk_ring *rk_ring_far(RK_GLOBAL const rk_ring *ring)
{
    return (RK_GLOBAL rk_ring *)((rk_byte *)ring + ring->far);
}

/* The lap of an index: its low word without the position in the ring. The lap before it is lap - capacity. */
RK_FN rk_u32 rk_ring_lap(RK_GLOBAL const rk_ring *ring, rk_u64 index) { return (rk_u32)index & ~ring->mask; }

/* a - b for indices, right across the wrap: positive when a is later. */
RK_FN rk_i64 rk_index_ahead(rk_u64 a, rk_u64 b) { return (rk_i64)(a - b); }

RK_FN rk_byte *rk_ring_slot(RK_GLOBAL const rk_ring *ring, rk_byte *arena, rk_u64 index)
{
    return arena + ring->slots + ((rk_u64)((rk_u32)index & ring->mask) << ring->slot_shift);
}

/* A ring's constants in a variable of one's own, for loops over many messages: as far as a compiler knows,
 * what is written into a slot may be the ring itself, and it would load them again for each. */
typedef struct rk_slots {
    rk_byte *base;
    rk_u32 mask;
    rk_u32 shift;
    rk_u32 header_size;
    rk_u32 lead; /* when one is filled, the line of the one so many later is asked for; 0: of none */
} rk_slots;

RK_FN rk_slots rk_ring_slots(RK_GLOBAL const rk_ring *ring, rk_byte *arena)
{
    rk_slots slots;
    slots.base = arena + ring->slots;
    slots.mask = ring->mask;
    slots.shift = ring->slot_shift;
    slots.header_size = ring->header_size;
    slots.lead = 0;
    return slots;
}

RK_FN rk_byte *rk_slots_at(rk_slots slots, rk_u64 index)
{
    return slots.base + ((rk_u64)((rk_u32)index & slots.mask) << slots.shift);
}

/* ------------------------------------------------------------------ producing */

typedef struct rk_claim {
    rk_u64 first;
    rk_u32 count; /* how many were granted, at most what was asked; 0: no room */
} rk_claim;

/* Room that producers may count on, after a look at the consumer's word if the cached one doesn't do. The
 * acquire (P1) pairs with the release of head in rk_ring_commit (C2): what the consumer read from a slot, it
 * read before the slot is written again. */
RK_FN rk_u32 rk_ring_room(RK_GLOBAL rk_ring *ring, rk_u64 tail, rk_u32 wanted)
{
    rk_u64 head = rk_load_u64(&ring->cached_head, RK_ACQUIRE, RK_SCOPE_DEVICE);
    rk_i64 room = (rk_i64)ring->capacity - rk_index_ahead(tail, head);
    if (room < (rk_i64)wanted) {
        head = rk_load_u64(&rk_ring_far(ring)->head, RK_ACQUIRE, RK_SCOPE_SYSTEM); /* P1 */
        rk_store_u64(&ring->cached_head, head, RK_RELEASE, RK_SCOPE_DEVICE);
        room = (rk_i64)ring->capacity - rk_index_ahead(tail, head);
    }
    return room < 0 ? 0 : room > (rk_i64)wanted ? wanted : (rk_u32)room;
}

/* How often a claim looks again while others hold room. */
#define RK_UNTIL_KNOWN 0xffffffffu /* there is some, or the ring is full */
#define RK_TRY_ROUNDS 64u

#if !defined(RK_NO_CAS_U64)
/* Claim up to `wanted` slots of a counted ring: first of the room, which the consumer gives back as it commits
 * (P1 pairs with C2), then a ticket, which there is room for. Neither is tried again because another producer
 * came between: where a compare-and-swap takes as long as the way to the device's cache, a tail that everybody
 * wants lets one claim pass in that time. A claim that finds less than it wants takes what there is and gives the
 * rest back; who sees no room meanwhile asks the indices, which no claim passes by, whether that is so. It does so for `rounds`:
 * a warp may hold room until those in front of it have handled their messages, and a handler must not wait for that. */
RK_FN rk_claim rk_ring_claim_counted(RK_GLOBAL rk_ring *ring, rk_u32 wanted, rk_u32 rounds)
{
    rk_claim claim = { 0, 0 };
    for (rk_u32 round = 0;; round++) {
        rk_i32 room = (rk_i32)rk_load_u32(&ring->room, RK_RELAXED, RK_SCOPE_DEVICE);
        if (room > 0) {
            room = (rk_i32)rk_add_u32(&ring->room, 0u - wanted, RK_ACQUIRE, RK_SCOPE_DEVICE); /* P1 */
            if (room > 0) claim.count = (rk_u32)room < wanted ? (rk_u32)room : wanted;
            if (claim.count < wanted)
                rk_add_u32(&ring->room, wanted - claim.count, RK_RELAXED, RK_SCOPE_DEVICE);
            if (claim.count) break;
        }
        rk_u64 tail =
            rk_load_u64(&ring->tail, RK_ACQUIRE, RK_SCOPE_DEVICE); /* first: head may only be later */
        rk_u64 head = rk_load_u64(&ring->head, RK_ACQUIRE, RK_SCOPE_DEVICE);
        if (rk_index_ahead(tail, head) >= (rk_i64)ring->capacity) return claim;
        if (rounds != RK_UNTIL_KNOWN && round >= rounds) return claim;
        rk_port_spin(round);
    }
    claim.first = rk_add_u64(&ring->tail, claim.count, RK_ACQ_REL, RK_SCOPE_DEVICE);
    return claim;
}
#endif

/* Claim up to `wanted` slots. Of a ring that isn't counted, admission and ticket are one compare-and-swap on the
 * tail; in either way the capacity is exact and no ticket is ever given back. */
RK_FN_LARGE rk_claim rk_ring_claim_within(RK_GLOBAL rk_ring *ring, rk_u32 wanted, rk_u32 rounds)
{
    rk_claim claim;
#if !defined(RK_NO_CAS_U64)
    if (ring->counted) return rk_ring_claim_counted(ring, wanted, rounds);
#endif
    (void)rounds; /* nobody holds room without a ticket */
    if (ring->single) {
        claim.first = rk_load_u64(&ring->tail, RK_RELAXED, RK_SCOPE_DEVICE);
        claim.count = rk_ring_room(ring, claim.first, wanted);
        if (claim.count) rk_store_u64(&ring->tail, claim.first + claim.count, RK_RELEASE, RK_SCOPE_DEVICE);
        return claim;
    }
#if defined( \
    RK_NO_CAS_U64) /* a ring with several producers has its lane's lock there: see rk_lane_put_locked */
    claim.first = claim.count = 0;
    return claim;
#else
    for (rk_u32 round = 0;; round++) {
        claim.first = rk_load_u64(&ring->tail, RK_RELAXED, RK_SCOPE_DEVICE);
        claim.count = rk_ring_room(ring, claim.first, wanted);
        if (claim.count) {
            if (rk_cas_u64(&ring->tail, claim.first, claim.first + claim.count, RK_ACQ_REL, RK_SCOPE_DEVICE))
                return claim;
        } else if (rk_load_u64(&ring->tail, RK_RELAXED, RK_SCOPE_DEVICE) == claim.first) {
            return claim; /* really full: the tail that the room was computed for is still the tail */
        }
        rk_port_spin(round);
    }
#endif
}
RK_FN rk_claim rk_ring_claim(RK_GLOBAL rk_ring *ring, rk_u32 wanted)
{
    return rk_ring_claim_within(ring, wanted, RK_UNTIL_KNOWN);
}

#if defined(RK_LANG_HOST) || (defined(RK_LANG_OPENCL) && defined(__clang__) && defined(__x86_64__))
#define RK_HAS_LINES 1 /* processors, whose cache lines go from one to the other */
/* Ask for a line that will be written soon: its way here passes while other things are done. A hint, harmless with any
 * address. __builtin_prefetch says "for writing" only to newer processors than the compiler assumes. */
RK_FN void rk_line_expect(RK_GLOBAL const rk_u8 *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*line));
#else
    __builtin_prefetch(line, 1);
#endif
}
/* The same of one that will be read. */
RK_FN void rk_line_await(RK_GLOBAL const rk_u8 *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetcht0 %0" : : "m"(*line));
#else
    __builtin_prefetch(line);
#endif
}
#endif

/* Ask for the lines of claimed slots before they are filled: they come from the consumer's core side by side
 * then, not one after the other (138 instead of 107 M messages/s between two cores of a Zen 4). Not for the first
 * slot: the consumer looks at that one and would take it back; more than 32 would push each other out.
 *
 * A batch is best filled and published from its second slot on, and its first slot last: the consumer waits at the
 * first, and reads no line that is still being written; and lines that go out forwards come forwards (from the last
 * slot to the first is as right, and a seventh slower between two cores of a Zen 3). */
#define RK_PREPARED_MOST 32u
#define RK_EXPECTED_LEAST 8u /* messages of a batch, of which the next may be looked for beforehand */

RK_FN void rk_ring_prepare(RK_GLOBAL const rk_ring *ring, rk_byte *arena, rk_claim claim)
{
#if defined(RK_HAS_LINES) && defined(__x86_64__)
    rk_u32 n = claim.count < RK_PREPARED_MOST ? claim.count : RK_PREPARED_MOST;
    const rk_slots slots = rk_ring_slots(ring, arena);
    while (n-- > 1u) rk_line_expect(rk_slots_at(slots, claim.first + n));
#else
    (void)ring, (void)arena, (void)claim;
#endif
}

/* Let a lone producer that fills this claim ask ahead for the lines of the next one, a slot of it behind each that it has
 * filled: their ways pass side by side with its work, and not at once in front of it. 0: there is no room for the next
 * yet, or it may become another producer's, and the claim's own lines are to be asked for (rk_ring_prepare). */
RK_FN rk_u32 rk_ring_lead(RK_GLOBAL rk_ring *ring, rk_claim claim, rk_slots *slots)
{
#if defined(RK_HAS_LINES) && defined(__x86_64__)
    if (!ring->single || ring->far || claim.count < RK_EXPECTED_LEAST || claim.count > RK_PREPARED_MOST)
        return 0;
    if (rk_ring_room(ring, claim.first + claim.count, claim.count) < claim.count) return 0;
    slots->lead = claim.count;
    return 1;
#else
    (void)ring, (void)claim, (void)slots;
    return 0;
#endif
}

/* Copy a payload into a slot, piece after piece. The C library's memcpy overlaps wide stores; to a line that
 * the other core has just read they hold up all stores behind them (messages echoed between distant cores of
 * a Zen 4: 11.5 M/s by it, 15.6 by this). */
RK_FN void rk_copy_to_slot(rk_byte *to, RK_GLOBAL const void *from, rk_u32 bytes)
{
#if defined(RK_LANG_HOST)
    const rk_u8 *at = (const rk_u8 *)from;
    if (bytes < 16u) {
        memcpy(to, at, bytes);
        return;
    }
    const rk_u64 whole = bytes & ~15u;
    rk_u64 done = 0;
    for (; done < whole; done += 16u) memcpy(to + done, at + done, 16);
    if (done < bytes) memcpy(to + bytes - 16u, at + bytes - 16u, 16);
#else
    rk_copy_global(to, from, bytes);
#endif
}

/* Fill a `seq` slot, all but its first two words: the lap, and type and length. What `header` points at has room for a
 * long one, whatever form the ring has. */
RK_FN void rk_seq_body(rk_byte *slot, rk_u32 header_size, RK_GLOBAL const rk_u32 *header,
                       RK_GLOBAL const void *payload, rk_u32 length)
{
    RK_GLOBAL rk_double_word *to = (RK_GLOBAL rk_double_word *)slot;
    RK_GLOBAL const rk_double_word *from = (RK_GLOBAL const rk_double_word *)header;
    to[1] = from[1];
    if (header_size ==
        RK_HEADER_LONG) /* known lengths: a loop up to the header's size is slower by a third */
        for (rk_u32 w = 2; w < RK_HEADER_LONG / 8u; w++) to[w] = from[w];
    rk_copy_to_slot(slot + header_size, payload, length);
}

/* The same, all but its lap. */
RK_FN void rk_seq_write(RK_GLOBAL const rk_ring *ring, rk_byte *slot, RK_GLOBAL const rk_u32 *header,
                        RK_GLOBAL const void *payload, rk_u32 length)
{
    ((RK_GLOBAL rk_word *)slot)[1] = ((RK_GLOBAL const rk_word *)header)[1];
    rk_seq_body(slot, ring->header_size, header, payload, length);
}

/* Make a filled `seq` slot visible. P2 pairs with the acquire of the lap in rk_ring_ready (C1): header and
 * payload are seen whole. */
RK_FN void rk_ring_publish(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index)
{
    rk_store_u32((RK_GLOBAL rk_u32 *)slot, rk_ring_lap(ring, index), RK_RELEASE, RK_SCOPE_DEVICE); /* P2 */
}

/* The same, one of many. */
RK_FN void rk_slots_publish(rk_slots slots, rk_byte *slot, rk_u64 index)
{
    rk_store_u32((RK_GLOBAL rk_u32 *)slot, (rk_u32)index & ~slots.mask, RK_RELEASE, RK_SCOPE_DEVICE); /* P2 */
}

/* The last that a slot lacks: its lap, and the word beside it (type and length). On a processor the two are one store,
 * of which the consumer's acquire reads the half that proves the slot: what a store for each costs, where the line is
 * with the other core, is a twelfth of the rate. */
RK_FN void rk_slot_seal(rk_byte *slot, rk_u32 lap, rk_u32 type_and_length)
{
#if defined(RK_LANG_HOST) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* the release of P2, of both words */
    rk_store_u64((rk_u64 *)(void *)slot, (rk_u64)type_and_length << 32 | lap, RK_RELEASE, RK_SCOPE_DEVICE);
#else
    ((RK_GLOBAL rk_word *)slot)[1] = type_and_length;
    rk_store_u32((RK_GLOBAL rk_u32 *)slot, lap, RK_RELEASE, RK_SCOPE_DEVICE); /* P2 */
#endif
}

/* After the slot of this index is out: see rk_ring_lead. */
RK_FN void rk_slots_ask(rk_slots slots, rk_u64 index)
{
#if defined(RK_HAS_LINES)
    if (slots.lead) rk_line_expect(rk_slots_at(slots, index + slots.lead));
#else
    (void)slots, (void)index;
#endif
}

/* The order in which a batch is filled and published (see rk_ring_prepare), for loops down to `left` 0: which of its `count`
 * slots is next when so many more come behind it. */
RK_FN rk_u32 rk_slots_turn(rk_slots *slots, rk_u32 count, rk_u32 left)
{
    if (left) return count - left;
    slots->lead = 0; /* behind the first slot lies what the consumer looks at next */
    return 0;
}

/* Fill and publish, one of many. */
RK_FN void rk_slots_put(rk_slots slots, rk_u64 index, RK_GLOBAL const rk_u32 *header,
                        RK_GLOBAL const void *payload, rk_u32 length)
{
    rk_byte *slot = rk_slots_at(slots, index);
    rk_seq_body(slot, slots.header_size, header, payload, length);
    rk_slot_seal(slot, (rk_u32)index & ~slots.mask, ((RK_GLOBAL const rk_word *)header)[1]);
    rk_slots_ask(slots, index);
}

/* ------------------------------------------------------------------ consuming */

/* Where so many are ready and one more is published, there are more behind: the next lines come while those at hand are
 * worked on. Fewer are all there was, and a line that is being written would only be taken from who writes it. */
RK_FN void rk_ring_expect(rk_slots slots, rk_u64 index, rk_u32 n)
{
#if defined(RK_HAS_LINES)
    if (n < RK_EXPECTED_LEAST) return;
    RK_GLOBAL const rk_u32 *lap = (RK_GLOBAL const rk_u32 *)rk_slots_at(slots, index);
    if (rk_load_u32(lap, RK_RELAXED, RK_SCOPE_DEVICE) != ((rk_u32)index & ~slots.mask)) return;
    if (n > RK_PREPARED_MOST) n = RK_PREPARED_MOST;
    for (rk_u32 i = 0; i < n; i++) rk_line_await(rk_slots_at(slots, index + i));
#else
    (void)slots, (void)index, (void)n;
#endif
}

/* How many `seq` slots from head on are published, at most `wanted`. Stops at the first that is not: a
 * claimed slot is waited for, whoever owns it. */
RK_FN rk_u32 rk_ring_ready(RK_GLOBAL const rk_ring *ring, rk_byte *arena, rk_u64 head, rk_u32 wanted)
{
    const rk_slots slots = rk_ring_slots(ring, arena);
    rk_u32 n = 0;
    while (n < wanted) {
        rk_u32 index = (rk_u32)head + n;
        RK_GLOBAL const rk_u32 *lap = (RK_GLOBAL const rk_u32 *)rk_slots_at(slots, index);
        if (rk_load_u32(lap, RK_ACQUIRE, RK_SCOPE_DEVICE) != (index & ~slots.mask)) break; /* C1 */
        n++;
    }
    if (n == wanted) rk_ring_expect(slots, head + n, n);
    return n;
}

#if defined(RK_LANG_HOST)
/* 1: nothing is there to be taken from this ring of `seq` slots. By the consumer. */
RK_FN rk_u32 rk_ring_awaits(const rk_ring *ring, rk_byte *arena)
{
    const rk_u64 head = ring->head;
    const rk_u32 *lap = (const rk_u32 *)rk_ring_slot(ring, arena, head);
    return ring->format == RK_FORMAT_SEQ && !ring->overwritten &&
           rk_load_u32(lap, RK_RELAXED, RK_SCOPE_DEVICE) != rk_ring_lap(ring, head);
}
#endif

/* Give the slots before `head` back. C2 pairs with P1. Units are copied out, and on a GPU a copy depends on the read
 * that it is of: a store behind it needs no release there, which over the bus would wait for all that is posted. */
RK_FN void rk_ring_commit(RK_GLOBAL rk_ring *ring, rk_u64 head)
{
    rk_u32 n = (rk_u32)(head - ring->head);
#if defined(RK_LANG_CUDA)
    if (ring->format == RK_FORMAT_UNIT) {
        rk_store_u64(&ring->head, head, RK_RELAXED, RK_SCOPE_DEVICE); /* C2 */
        if (ring->counted) /* who finds no room looks at head behind it */
            rk_add_u32(&ring->room, n, RK_RELEASE, RK_SCOPE_DEVICE); /* C2 */
        if (ring->far) rk_store_u64(&rk_ring_far(ring)->head, head, RK_RELAXED, RK_SCOPE_SYSTEM);
        return;
    }
#endif
    rk_store_u64(&ring->head, head, RK_RELEASE, RK_SCOPE_DEVICE);               /* C2 */
    if (ring->counted) rk_add_u32(&ring->room, n, RK_RELEASE, RK_SCOPE_DEVICE); /* C2 */
#if !defined(RK_LANG_HOST)
    if (ring->far) rk_store_u64(&rk_ring_far(ring)->head, head, RK_RELEASE, RK_SCOPE_SYSTEM);
#endif
}

/* ------------------------------------------------------------------ unit slots */

/* Payload bytes of a slot: in a unit slot a quarter of it is laps. */
RK_FN rk_u32 rk_slot_payload(rk_u32 slot_size, rk_u32 header_size, rk_u32 format)
{
    rk_u32 bytes = format == RK_FORMAT_UNIT ? slot_size / 16u * 12u + 4u : slot_size;
    return bytes - header_size;
}

/* Word w of a message that lies in two parts: the header, then the payload. */
RK_FN rk_u32 rk_message_word(RK_GLOBAL const rk_u32 *header, RK_GLOBAL const rk_u32 *payload,
                             rk_u32 header_words, rk_u32 w)
{
    return w < header_words ? ((RK_GLOBAL const rk_word *)header)[w]
                            : ((RK_GLOBAL const rk_word *)payload)[w - header_words];
}

/* Write a message into a unit slot. Each unit carries the lap and the next twelve bytes after the header's
 * own lap. The payload is read in whole words, unless the port does it (RK_PORT_UNITS). */
RK_FN void rk_unit_write(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index,
                         RK_GLOBAL const rk_u32 *header, RK_GLOBAL const rk_u32 *payload, rk_u32 length)
{
#if defined(RK_PORT_UNITS)
    rk_port_units_apart();
    rk_port_write_units((rk_unit *)slot, rk_ring_lap(ring, index), header, payload,
                        rk_port_cut_of(ring->header_size == RK_HEADER_LONG, length));
    rk_port_units_apart();
#else
    RK_GLOBAL rk_unit *units = (RK_GLOBAL rk_unit *)slot;
    RK_GLOBAL const rk_word *head = (RK_GLOBAL const rk_word *)header;
    RK_GLOBAL const rk_word *body = (RK_GLOBAL const rk_word *)payload;
    rk_u32 words = (length + 3u) / 4u, u = 1, at = 0; /* of the payload */
    rk_unit unit;
    unit.word[0] = rk_ring_lap(ring, index);
    unit.word[1] = head[1]; /* no loop over words: they stay in registers */
    unit.word[2] = head[2];
    unit.word[3] = head[3];
    rk_store_unit(&units[0], unit);
    if (ring->header_size == RK_HEADER_LONG) {
        for (; u < 3u; u++) {
            unit.word[1] = head[1u + 3u * u];
            unit.word[2] = head[2u + 3u * u];
            unit.word[3] = head[3u + 3u * u];
            rk_store_unit(&units[u], unit);
        }
        unit.word[1] = head[10];
        unit.word[2] = head[11];
        unit.word[3] = words ? body[at] : 0u;
        rk_store_unit(&units[u], unit);
        u++;
        at++;
    }
    for (; at + 2u < words; u++, at += 3u) {
        unit.word[1] = body[at];
        unit.word[2] = body[at + 1u];
        unit.word[3] = body[at + 2u];
        rk_store_unit(&units[u], unit);
    }
    if (at < words) {
        unit.word[1] = body[at];
        unit.word[2] = at + 1u < words ? body[at + 1u] : 0u;
        unit.word[3] = 0;
        rk_store_unit(&units[u], unit);
    }
#endif
}

/* The same of a message that the caller has put together in its own memory, which in OpenCL is no memory of
 * the arena: whole, `words` of it, into a slot of either format, and shown. */
RK_FN void rk_ring_put_own(RK_GLOBAL const rk_ring *ring, rk_byte *arena, rk_u64 index,
                           const rk_word *message, rk_u32 words)
{
    rk_byte *slot = rk_ring_slot(ring, arena, index);
    if (ring->format == RK_FORMAT_UNIT) {
        rk_unit unit;
        unit.word[0] = rk_ring_lap(ring, index);
        for (rk_u32 at = 1; at < words; at += 3u) {
            for (rk_u32 w = 0; w < 3u; w++) unit.word[1 + w] = at + w < words ? message[at + w] : 0u;
            rk_store_unit((RK_GLOBAL rk_unit *)slot + at / 3u, unit);
        }
    } else {
        for (rk_u32 w = 1; w < words; w++) ((RK_GLOBAL rk_word *)slot)[w] = message[w];
        rk_ring_publish(ring, slot, index);
    }
}

/* Read a unit slot into `into`, which has room for a slot. 0: not there yet, or not whole: some unit is of
 * another lap. The length is in the first unit, so a slot is read once, and no unit beyond the message is
 * looked at. */
RK_FN rk_u32 rk_unit_read(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index, RK_GLOBAL rk_u32 *into)
{
#if defined(RK_PORT_UNITS)
    return rk_port_read_units((const rk_unit *)slot, rk_ring_lap(ring, index), ring->header_size,
                              ring->slot_size, into);
#else
    RK_GLOBAL rk_word *image = (RK_GLOBAL rk_word *)into;
    RK_GLOBAL const rk_unit *units = (RK_GLOBAL const rk_unit *)slot;
    rk_u32 lap = rk_ring_lap(ring, index);
    rk_unit unit = rk_load_unit(&units[0]);
    if (unit.word[0] != lap) return 0;
    rk_u32 length = unit.word[1] >> 16;
    rk_u32 words = (ring->header_size + length + 3u) / 4u - 1u;
    rk_u32 count = (words + 2u) / 3u;
    if (count * 16u > ring->slot_size) return 0;
    image[0] = lap;
    for (rk_u32 u = 0;;) {
        image[1u + u * 3u] = unit.word[1]; /* all three: there is room, and no loop keeps them in registers */
        image[2u + u * 3u] = unit.word[2];
        image[3u + u * 3u] = unit.word[3];
        if (++u == count) return 1;
        unit = rk_load_unit(&units[u]);
        if (unit.word[0] != lap) return 0;
    }
#endif
}

/* --------------------------------------------------------- slots that may be overwritten (DropOldest) */

/* A DropOldest slot is written under its reader's eyes, so both sides go word by word, as a sequence lock
 * does without stand-alone fences (Boehm, "Can seqlocks get along with programming language memory models?",
 * MSPC 2012): the writer first marks the slot as being written, then stores each word with release (P3), then
 * the lap; the reader loads each word with acquire (C3), then the lap again. A word of the new message
 * carries the mark with it, so the reader's second look can't miss it. The mark is the lap of no index: an
 * older lap would pass for the message of a reader that is just as many laps behind. */
#define RK_OVERWRITING 1u /* set in a lap, whose low bits are the position and so always 0 */

RK_FN void rk_overwrite(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index,
                        RK_GLOBAL const rk_u32 *header, RK_GLOBAL const rk_u32 *payload, rk_u32 length)
{
    RK_GLOBAL rk_u32 *words = (RK_GLOBAL rk_u32 *)slot;
    rk_u32 header_words = ring->header_size / 4u;
    rk_u32 n = header_words + (length + 3u) / 4u;
    rk_store_u32(&words[0], rk_ring_lap(ring, index) | RK_OVERWRITING, RK_RELAXED, RK_SCOPE_DEVICE);
    for (rk_u32 w = 1; w < n; w++)
        rk_store_u32(&words[w], rk_message_word(header, payload, header_words, w), RK_RELEASE,
                     RK_SCOPE_DEVICE); /* P3 */
    rk_store_u32(&words[0], rk_ring_lap(ring, index), RK_RELEASE, RK_SCOPE_DEVICE);
}

/* Copy a slot out. 1: a whole message; 0: not there, or overwritten meanwhile (look at `evicted` and try
 * again). */
RK_FN rk_u32 rk_overwritten_read(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index,
                                 RK_GLOBAL rk_u32 *into)
{
    RK_GLOBAL rk_word *image = (RK_GLOBAL rk_word *)into;
    RK_GLOBAL const rk_u32 *words = (RK_GLOBAL const rk_u32 *)slot;
    rk_u32 lap = rk_ring_lap(ring, index);
    if (rk_load_u32(&words[0], RK_ACQUIRE, RK_SCOPE_DEVICE) != lap) return 0;
    image[0] = lap;
    image[1] = rk_load_u32(&words[1], RK_ACQUIRE, RK_SCOPE_DEVICE); /* C3 */
    rk_u32 n = (ring->header_size + (image[1] >> 16) + 3u) / 4u;
    if (n * 4u > ring->slot_size) return 0;
    for (rk_u32 w = 2; w < n; w++) image[w] = rk_load_u32(&words[w], RK_ACQUIRE, RK_SCOPE_DEVICE); /* C3 */
    return rk_load_u32(&words[0], RK_RELAXED, RK_SCOPE_DEVICE) == lap;
}

#endif
