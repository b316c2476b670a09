/* The shuttle's lanes: what a turn needs of them, in registers, and how a warp looks at them. */
#ifndef RINGKERNEL_DEVICE_SHUTTLE_LINE_H
#define RINGKERNEL_DEVICE_SHUTTLE_LINE_H

#include "shuttle_turnstile.h"

#if defined(RK_LANG_CUDA)

/* A lane of the shard, as each thread has it. */
typedef struct rk_line {
    const rk_byte *slots;
    rk_u64 head;
    rk_u32 mask;
} rk_line;

RK_FN rk_line rk_line_of(const rk_way *way)
{
    rk_line line = { way->slots, way->head, way->mask };
    return line;
}

/* Sends of a handler at most: the code is one kernel's, and loops over a single one fall away. */
#if !defined(RK_UNIT_SENDS)
#if defined(RK_UNIT_SHUTTLE)
#error RK_UNIT_SHUTTLE goes with RK_UNIT_SENDS, the .max_sends of the kernel
#endif
#define RK_UNIT_SENDS 32u
#endif

/* What doesn't change from turn to turn, as the block knows it. It is in the block's own memory, and where registers are few it
 * is read from there each time: a word that is spilled is read from the device's cache behind each fence. */
typedef struct rk_shuttle_facts {
    RK_GLOBAL rk_ring *ring; /* of the one shard of the target, */
    rk_byte *slots;          /* and its slots */
    RK_GLOBAL rk_u64 *count; /* of what goes there; 0: it is the host's */
    rk_u32 mask, shards, single, tries, mode;
    rk_u32 several;        /* 1: a message may send to several shards, or by several connections */
    rk_u32 widest;         /* warps that take slots, */
    rk_u32 scouted;        /* 1: and behind them one that looks over the bus meanwhile */
    rk_u32 memory;         /* RK_RELAXED_MEMORY, or RK_RELEASE_ACQUIRE: fences */
    const rk_unit *orders; /* the host's */
    rk_u32 faults;         /* those that were */
    rk_u32 number;         /* the kernel's in its unit */
    rk_u32 timed;          /* 1: the clock is the device's timer and */
    rk_u64 clock_base;     /* this, as long as a run goes on; 0: it is told */
} rk_shuttle_facts;
static __shared__ rk_shuttle_facts rk_facts;

#if defined(RK_BLOCK_BOUND) && RK_BLOCK_BOUND <= 256u && !defined(RK_BLOCKS_BOUND)
#define RK_SHUTTLE_ROOMY 1 /* a thread has registers for all of them */
#else
#define RK_SHUTTLE_ROOMY 0
#endif

#define RK_SCOUT_WARPS 8u /* of so many one can be spared for it */

/* And where all of it lies: pointers of which the compiler sees that they are into the block's memory. */
typedef struct rk_shuttle {
    rk_express_own own;
    rk_express *x;
    rk_express_target *target;
    const rk_shuttle_facts *is;
} rk_shuttle;

/* What a handler's context begins with, the same for all threads: in the block's own memory, since registers are for what
 * differs. */
static __shared__ rk_context rk_shuttle_context;

RK_FN rk_shuttle rk_shuttle_of(rk_entry *entry, const rk_express_own *where)
{
    rk_shuttle s;
    s.own = rk_express_known(entry, where);
    s.x = (rk_express *)s.own.fixed;
    s.target = (rk_express_target *)(s.own.fixed + sizeof(rk_express));
    s.is = &rk_facts;
    return s;
}

/* By one thread, before the others need them. */
RK_FN void rk_shuttle_find(const rk_entry *entry, const rk_shuttle *s)
{
    RK_GLOBAL const rk_shard *shard = (RK_GLOBAL const rk_shard *)s->x->shard;
    const rk_aim *to = &s->x->to;
    rk_facts.ring = s->target->ring;
    rk_facts.slots = s->target->slots;
    rk_facts.count = s->target->count;
    rk_facts.mask = to->mask;
    rk_facts.shards = to->shards;
    rk_facts.single = to->single;
    rk_facts.tries = to->tries;
    rk_facts.mode = to->edge[0].edge.mode;
    rk_facts.several = to->shards > 1u && (shard->max_sends > 1u || to->edges > 1u);
    const rk_u32 most = rk_express_most(s->x, &s->own, shard->max_sends) / 32u, warps = blockDim.x / 32u;
    rk_facts.widest = warps >= RK_SCOUT_WARPS && most == warps ? warps - 1u : most;
    rk_facts.scouted = rk_facts.widest < warps;
    rk_facts.memory = shard->memory;
    rk_facts.orders = (const rk_unit *)entry->context.told;
    rk_facts.faults = s->x->faults;
    rk_facts.number = entry->number;
}

/* How far the device's timer is from the runtime's clock, which is in the device's memory, behind each fence. By one thread,
 * before a run. */
RK_FN void rk_shuttle_set_clock(const rk_context *c)
{
    rk_facts.timed = !c->orders->clock_fixed;
    rk_facts.clock_base = rk_load_u64(&c->orders->clock_base, RK_RELAXED, RK_SCOPE_SYSTEM);
}

/* The time, in a run. */
RK_FN rk_u64 rk_shuttle_now(const rk_shuttle *s, rk_context *c)
{
    return s->is->timed ? rk_port_now_ns() + s->is->clock_base : rk_entry_now(c);
}

/* Where this warp's part of the express's lists begins. */
RK_FN rk_u32 rk_shuttle_list(const rk_shuttle *s) { return (threadIdx.x & ~31u) * RK_UNIT_SENDS; }

/* Sends of this warp to each shard of the target; 0 between the turns. */
RK_FN rk_u32 *rk_shuttle_cell(const rk_shuttle *s)
{
    return (rk_u32 *)(s->target + s->is->shards) + threadIdx.x / 32u * s->is->shards;
}

/* Is it a shard for the shuttle, after rk_express_can? */
RK_FN rk_u32 rk_shuttle_can(rk_entry *entry, const rk_express *x, const rk_express_own *own)
{
    RK_GLOBAL const rk_shard *shard = entry->context.shard;
    RK_GLOBAL const rk_lane *lane = rk_shard_lane(&entry->context, 0);
    RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane, entry->context.arena, 0);
    return shard->features == 0 && shard->state_kind == RK_STATELESS && shard->memory < RK_SEQUENTIAL &&
           lane->bands == 1u && ring->slot_shift == RK_SLOT_MIN_SHIFT &&
           ring->header_size == RK_HEADER_SHORT && x->to.shift == RK_SLOT_MIN_SHIFT &&
           x->to.header_size == RK_HEADER_SHORT && !x->to.ordered &&
           shard->max_sends <= 32u && /* that the first warp publishes alone */
           rk_express_most(x, own, shard->max_sends) >= 32u;
}

/* ------------------------------------------------------------------ looking */

/* Units of a message in a slot, as bits; 0: the general visit has to see to it. `unit` is the slot's first. */
RK_FN rk_u32 rk_shuttle_units(rk_unit unit)
{
    const rk_u32 length = unit.word[1] >> 16;
    const rk_u32 units = 1u | (length > 0u) << 1 | (length > 12u) << 2 | (length > 24u) << 3;
    return length > 36u || (unit.word[3] >> 24 & RK_EXPRESS_ODD) ? 0u : units;
}

RK_FN rk_u64 rk_double_of(rk_u32 low, rk_u32 high) { return (rk_u64)high << 32 | low; }

/* Unit u of a slot has three words of the message behind the lap, which has the place of its first word. */
#define RK_SHUTTLE_WORDS 13u
RK_FN void rk_shuttle_copy(rk_word *words, rk_u32 u, rk_unit unit)
{
    if (u == 0) words[0] = unit.word[0];
    for (rk_u32 w = 0; w < 3u; w++) words[1u + 3u * u + w] = unit.word[1 + w];
}
RK_FN rk_unit rk_shuttle_unit(const rk_word *words, rk_u32 u, rk_u32 lap)
{
    const rk_unit unit = { { lap, words[1u + 3u * u], words[2u + 3u * u], words[3u + 3u * u] } };
    return unit;
}

/* This warp looks at the 32 slots from `first` on, of which `done` were taken before, and copies what is there. Returns
 * how many behind those are whole; *odd: the first of them is there, and none of the shuttle's.
 *
 * Over the bus four lanes share a slot, so that it is one read. */
RK_FN rk_u32 rk_shuttle_look_far(const rk_way *line, rk_u32 first, rk_u32 done, const rk_express_own *own,
                                 rk_u32 *odd)
{
    const rk_u32 lane = threadIdx.x % 32u, slot = lane / 4u, u = lane % 4u, index = first + slot;
    rk_byte *copy = own->copies + (threadIdx.x - lane + slot) * own->room.copy_stride;
    rk_unit unit[4];
    rk_u32 n = 0, going = 1, strange = 0;
#pragma unroll
    for (rk_u32 d = 0; d < 4u; d++)
        unit[d] = rk_load_unit(
            (const rk_unit *)(line->slots + ((rk_u64)((index + 8u * d) & line->mask) << RK_SLOT_MIN_SHIFT)) +
            u);
#pragma unroll
    for (rk_u32 d = 0; d < 4u; d++) {
        const rk_u32 lap = (index + 8u * d) & ~line->mask, of = slot + 8u * d;
        const rk_u32 fresh = __ballot_sync(RK_ALL_LANES, unit[d].word[0] == lap) >> (lane & 28u);
        const rk_u32 units = rk_shuttle_units(unit[d]);
        const rk_u32 whole = units != 0 && (fresh & units) == units;
        const rk_u32 broken = __ballot_sync(RK_ALL_LANES, u == 0 && of >= done && !whole);
        strange |= u == 0 && of == done && (fresh & 1u) && units == 0;
        rk_shuttle_copy((rk_word *)(copy + 8u * d * own->room.copy_stride), u, unit[d]);
        if (going) n += broken ? ((rk_u32)__ffs((int)broken) - 1u) / 4u : 8u;
        going = going && !broken;
    }
    *odd = __any_sync(RK_ALL_LANES, strange) != 0;
    return n - done;
}

/* On the device a lane has a slot, and nobody has to agree about its units. */
RK_FN rk_u32 rk_shuttle_look_near(const rk_way *line, rk_u32 first, rk_u32 done, const rk_express_own *own,
                                  rk_u32 *odd)
{
    const rk_u32 lane = threadIdx.x % 32u, index = first + lane, lap = index & ~line->mask;
    const rk_unit *slot =
        (const rk_unit *)(line->slots + ((rk_u64)(index & line->mask) << RK_SLOT_MIN_SHIFT));
    rk_double_word *to = (rk_double_word *)(own->copies + threadIdx.x * own->room.copy_stride);
    rk_word words[RK_SHUTTLE_WORDS];
    rk_unit unit[4];
#pragma unroll
    for (rk_u32 u = 0; u < 4u; u++) unit[u] = rk_load_unit(slot + u);
    const rk_u32 units = rk_shuttle_units(unit[0]), begun = unit[0].word[0] == lap;
    rk_u32 fresh = begun;
#pragma unroll
    for (rk_u32 u = 1; u < 4u; u++) fresh |= (unit[u].word[0] == lap) << u;
    const rk_u32 broken =
        __ballot_sync(RK_ALL_LANES, lane >= done && (units == 0 || (fresh & units) != units));
    *odd = __any_sync(RK_ALL_LANES, lane == done && begun && units == 0) != 0;
#pragma unroll
    for (rk_u32 u = 0; u < 4u; u++) rk_shuttle_copy(words, u, unit[u]);
#pragma unroll
    for (rk_u32 w = 0; w + 1u < RK_SHUTTLE_WORDS; w += 2u) to[w / 2u] = rk_double_of(words[w], words[w + 1u]);
    ((rk_word *)to)[RK_SHUTTLE_WORDS - 1u] = words[RK_SHUTTLE_WORDS - 1u];
    return (broken ? (rk_u32)__ffs((int)broken) - 1u : 32u) - done;
}

/* A look at the host's next slot and at its orders, now and then while messages are handled. Bits: 1 the host has sent
 * something, 2 its orders are others. On the same way lane 2 gets two stamps, of which one may be asked for. */
RK_FN rk_u32 rk_shuttle_peek(const rk_shuttle *s, const rk_way *host, RK_GLOBAL const rk_u64 *stamps,
                             rk_u64 stamp[2])
{
    const rk_u32 lane = threadIdx.x % 32u, lap = (rk_u32)host->head & ~host->mask;
    rk_unit unit = { { lap - 1u, 0, 0, 0 } };
    const rk_unit *at = (const rk_unit *)(host->slots + ((host->head & host->mask) << RK_SLOT_MIN_SHIFT));
    if (lane == 1u) at = s->is->orders;
    if (lane == 2u) at = (const rk_unit *)stamps;
    if (lane < 2u || (lane == 2u && stamps)) unit = rk_load_unit(at);
    stamp[0] = rk_double_of(unit.word[0], unit.word[1]);
    stamp[1] = rk_double_of(unit.word[2], unit.word[3]);
    const rk_u32 ordered = unit.word[0] != RK_COMMAND_RUN || unit.word[1] || unit.word[3] != s->is->faults;
    return __ballot_sync(RK_ALL_LANES, lane == 0 ? unit.word[0] == lap : lane == 1u && ordered);
}

/* While a warp waits for room. */
RK_FN rk_u32 rk_shuttle_ordered(const rk_shuttle *s)
{
    rk_unit unit = { { RK_COMMAND_RUN, 0, 0, s->is->faults } };
    if (threadIdx.x % 32u == 0) unit = rk_load_unit(s->is->orders);
    return __any_sync(RK_ALL_LANES,
                      unit.word[0] != RK_COMMAND_RUN || unit.word[1] || unit.word[3] != s->is->faults);
}

#endif
#endif
