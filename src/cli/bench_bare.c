/* The bare loop: the library's own rings between two threads, and nothing else. What a runtime adds to it is
 * its price. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "command.h"
#include "ringkernel/device/ring.h"

#define SLOT 64u
#define BURST 64u

struct bare_loop {
    rk_byte *arena;
    rk_ring *ring[2]; /* there and back */
    rk_u64 *counts;
    pthread_t thread;
    atomic_bool stop;
};

static void lay_ring(rk_ring *ring, rk_byte *arena, rk_u64 slots, rk_u32 capacity)
{
    *ring = (rk_ring){ .slots = slots,
                       .capacity = capacity,
                       .mask = capacity - 1,
                       .slot_size = SLOT,
                       .slot_shift = 6,
                       .header_size = RK_HEADER_SHORT,
                       .format = RK_FORMAT_SEQ,
                       .single = 1,
                       .payload_max = SLOT - RK_HEADER_SHORT };
    for (rk_u32 i = 0; i < capacity; i++)
        *(rk_u32 *)(void *)(arena + slots + (rk_u64)i * SLOT) =
            rk_ring_lap(ring, 0) - capacity; /* never written */
}

static rk_u32 put(bare_loop *loop, rk_ring *ring, const ping *messages, const rk_u32 *targets, rk_u32 count)
{
    rk_claim claim = rk_ring_claim(ring, count);
    for (rk_u32 i = 0; i < claim.count; i++) {
        rk_header_long header = {
            .base = { .type = RK_TYPE_ID(ping), .length = sizeof(ping), .target = targets ? targets[i] : 0 }
        };
        rk_byte *slot = rk_ring_slot(ring, loop->arena, claim.first + i);
        rk_seq_write(ring, slot, (const rk_u32 *)(const void *)&header, &messages[i], sizeof(ping));
        rk_ring_publish(ring, slot, claim.first + i);
    }
    return claim.count;
}

/* What the other side does with n messages from head on. */
static void serve(bare_loop *loop, rk_u64 head, rk_u32 n)
{
    for (rk_u32 i = 0; i < n; i++) {
        const rk_byte *slot = rk_ring_slot(loop->ring[0], loop->arena, head + i);
        if (loop->counts) {
            loop->counts[((const rk_header *)(const void *)slot)->target]++;
            continue;
        }
        for (rk_u32 round = 0; !atomic_load_explicit(&loop->stop, memory_order_relaxed); round++) {
            if (put(loop, loop->ring[1], (const ping *)(const void *)(slot + RK_HEADER_SHORT), NULL, 1))
                break;
            rk_port_spin(round);
        }
    }
}

/* The processors that we may use, before anything was bound. */
static cpu_set_t allowed;

static void bind_to(bool last)
{
    cpu_set_t one;
    int found = -1;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && (last || found < 0); cpu++)
        if (CPU_ISSET(cpu, &allowed)) found = cpu;
    if (found < 0 || CPU_COUNT(&allowed) < 2) return;
    CPU_SET(found, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one); /* if not, the scheduler does as it likes */
}

void bench_bind(void)
{
    if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) == 0) bind_to(false);
}

static void *other_side(void *argument)
{
    bare_loop *loop = argument;
    bind_to(true);
    rk_ring *in = loop->ring[0];
    for (rk_u32 round = 0; !atomic_load_explicit(&loop->stop, memory_order_relaxed); round++) {
        rk_u64 head = in->head;
        rk_u32 n = rk_ring_ready(in, loop->arena, head, BURST);
        if (n == 0) {
            rk_port_spin(round);
            continue;
        }
        serve(loop, head, n);
        rk_ring_commit(in, head + n);
        round = 0;
    }
    return NULL;
}

bare_loop *bare_open(rk_u32 capacity, rk_u64 *counts)
{
    bare_loop *loop = command_allocate(sizeof *loop);
    size_t size = 2 * sizeof(rk_ring) + 2 * (size_t)capacity * SLOT;
    *loop = (bare_loop){ .counts = counts, .arena = aligned_alloc(RK_LINE, size) };
    if (!loop->arena) {
        free(loop);
        return NULL;
    }
    memset(loop->arena, 0, size);
    for (rk_u32 i = 0; i < 2; i++) {
        loop->ring[i] = (rk_ring *)(void *)(loop->arena + i * sizeof(rk_ring));
        lay_ring(loop->ring[i], loop->arena, 2 * sizeof(rk_ring) + (rk_u64)i * capacity * SLOT, capacity);
    }
    if (pthread_create(&loop->thread, NULL, other_side, loop) == 0) return loop;
    free(loop->arena);
    free(loop);
    return NULL;
}

rk_u32 bare_send(bare_loop *loop, const ping *messages, const rk_u32 *targets, rk_u32 count)
{
    return put(loop, loop->ring[0], messages, targets, count);
}

rk_u32 bare_receive(bare_loop *loop, ping *messages, rk_u32 count)
{
    rk_ring *in = loop->ring[1];
    rk_u64 head = in->head;
    rk_u32 n = rk_ring_ready(in, loop->arena, head, count);
    for (rk_u32 i = 0; i < n; i++)
        memcpy(&messages[i], rk_ring_slot(in, loop->arena, head + i) + RK_HEADER_SHORT, sizeof(ping));
    if (n) rk_ring_commit(in, head + n);
    return n;
}

rk_u64 bare_done(const bare_loop *loop)
{
    return rk_load_u64(&loop->ring[0]->head, RK_ACQUIRE, RK_SCOPE_DEVICE);
}

void bare_close(bare_loop *loop)
{
    if (!loop) return;
    atomic_store(&loop->stop, true);
    pthread_join(loop->thread, NULL);
    free(loop->arena);
    free(loop);
}
