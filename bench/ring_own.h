/* The library's `seq` ring in the ring benchmarks: filled and read in place. */
#ifndef RK_BENCH_RING_OWN_H
#define RK_BENCH_RING_OWN_H

#include "ring_lay.h"
#include "ring_work.h"

/* Slots that lie one behind the other. */
static inline void ring_own_part(rk_slots slots, rk_u64 index, rk_u32 count, uint32_t source, uint64_t number)
{
    slots.shift = 6; /* known to the compiler */
    const rk_u32 lap = (rk_u32)index & ~slots.mask;
    rk_byte *slot = rk_slots_at(slots, index);
    for (rk_u32 i = 0; i < count; i++, slot += (rk_u64)1 << slots.shift) {
        ring_message_body((ring_message *)(void *)slot, source, number + i);
        rk_slot_seal(slot, lap, RING_KIND);
        rk_slots_ask(slots, index + i);
    }
}

/* In the order that rk_ring_prepare advises: forwards, and the first slot last. */
static inline void ring_own_fill(rk_ring *ring, const ring_producer *p, rk_claim claim, uint64_t sent)
{
    rk_byte *arena = (rk_byte *)ring;
    rk_slots slots = rk_ring_slots(ring, arena);
    const rk_u32 to_end = slots.mask + 1u - ((rk_u32)claim.first & slots.mask),
                 before = claim.count < to_end ? claim.count : to_end;
    if (!rk_ring_lead(ring, claim, &slots)) rk_ring_prepare(ring, arena, claim);
    ring_own_part(slots, claim.first + 1u, before - 1u, p->source, p->first + sent + 1u);
    ring_own_part(slots, claim.first + before, claim.count - before, p->source, p->first + sent + before);
    slots.lead = 0;
    ring_own_part(slots, claim.first, 1, p->source, p->first + sent);
}

static inline void ring_own_produce(const ring_producer *p)
{
    rk_ring *ring = p->ring;
    for (uint64_t sent = 0, round = 0; sent < p->count; round++) {
        rk_claim claim =
            rk_ring_claim(ring, p->count - sent < RING_BATCH ? (rk_u32)(p->count - sent) : RING_BATCH);
        if (claim.count == 0) {
            bench_stuck((unsigned)round);
            continue;
        }
        ring_own_fill(ring, p, claim, sent);
        sent += claim.count;
        round = 0;
    }
}

static inline void ring_own_consume(ring_consumer *c)
{
    rk_ring *ring = c->ring;
    rk_byte *arena = c->ring;
    rk_slots slots = rk_ring_slots(ring, arena);
    slots.shift = 6; /* known to the compiler */
    uint64_t sum = 0;
    for (unsigned round = 0; c->taken < c->count; round++) {
        const rk_u64 head = ring->head;
        rk_u32 n = rk_ring_ready(ring, arena, head, RING_BATCH);
        if (n == 0) {
            bench_stuck(round);
            continue;
        }
        for (rk_u32 i = 0; i < n; i++)
            sum += ring_message_sum((const ring_message *)(const void *)rk_slots_at(slots, head + i));
        rk_ring_commit(ring, head + n);
        ring_consumed(c, n);
        round = 0;
    }
    c->sum = sum;
}

#endif
