/* A ring of the library laid out by hand, as a launch would: nothing else of the runtime takes part. */
#ifndef RK_BENCH_RING_LAY_H
#define RK_BENCH_RING_LAY_H

#include <ringkernel/device/lane.h>
#include <stdlib.h>
#include <string.h>

/* `seq` slots of 64 bytes with short headers. The arena is the ring itself; free() frees it. */
static inline rk_ring *ring_lay(rk_u32 capacity, rk_u32 single)
{
    size_t slots = (sizeof(rk_ring) + 4095u) / 4096u * 4096u;
    rk_ring *ring = aligned_alloc(4096, slots + (size_t)capacity * 64u);
    if (ring == NULL) return NULL;
    memset(ring, 0, slots + (size_t)capacity * 64u);
    ring->capacity = capacity;
    ring->mask = capacity - 1u;
    ring->slot_size = 64;
    ring->slot_shift = 6;
    ring->header_size = RK_HEADER_SHORT;
    ring->single = single;
    ring->format = RK_FORMAT_SEQ;
    ring->payload_max = rk_slot_payload(64, RK_HEADER_SHORT, RK_FORMAT_SEQ);
    ring->slots = slots;
    for (rk_u32 i = 0; i < capacity; i++)
        *(rk_u32 *)(void *)rk_ring_slot(ring, (rk_byte *)ring, i) = rk_ring_lap(ring, i) - capacity;
    return ring;
}

#endif
