/* A message that lies in a lane, as the host reads it: in its slot, or copied out of units. */
#ifndef RK_LANE_INCOMING_H
#define RK_LANE_INCOMING_H

#include <ringkernel/device/shard.h>

#define RK_SLOT_MOST 2048u
RK_STATIC_ASSERT(RK_SLOT_MOST / 16u * 12u + 4u >= RK_HEADER_LONG + sizeof(rk_report) + RK_INLINE_MAX,
                 "the largest report in units");

/* Room for a copy of any slot. */
typedef struct rk_image {
    rk_u32 word[RK_SLOT_MOST / 4u];
} __attribute__((aligned(16))) rk_image;

/* The message of an index, from its header on. 0: it isn't there, or not all of it. */
static inline rk_byte *rk_incoming(const rk_ring *ring, rk_byte *arena, rk_u64 index, rk_image *image)
{
    rk_byte *slot = rk_ring_slot(ring, arena, index);
    if (ring->format == RK_FORMAT_UNIT)
        return rk_unit_read(ring, slot, index, image->word) ? (rk_byte *)image->word : 0;
    return rk_ring_ready(ring, arena, index, 1) ? slot : 0;
}

#endif
