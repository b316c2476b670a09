/* rte_ring with elements of 64 bytes, by bursts: one producer and one consumer, and the two modes that are
 * made for more threads than cores (relaxed tail sync, head-tail sync). And, for one of each, its zero-copy
 * interface. */
#include <rte_ring.h>
#include <rte_ring_peek_zc.h>
#include <stdlib.h>

#include "ring_work.h"

static void *open_ring(unsigned flags)
{
    ssize_t size = rte_ring_get_memsize_elem(sizeof(ring_message), RING_CAPACITY * 2);
    struct rte_ring *ring =
        size > 0 ? aligned_alloc(BENCH_LINE, ((size_t)size + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE)
                 : NULL;
    if (ring == NULL || rte_ring_init(ring, "bench", RING_CAPACITY, flags | RING_F_EXACT_SZ) != 0)
        return NULL;
    return ring;
}

static void *open_spsc(void) { return open_ring(RING_F_SP_ENQ | RING_F_SC_DEQ); }
static void *open_rts(void) { return open_ring(RING_F_MP_RTS_ENQ | RING_F_SC_DEQ); }
static void *open_hts(void) { return open_ring(RING_F_MP_HTS_ENQ | RING_F_SC_DEQ); }
static void close_ring(void *ring) { free(ring); }

typedef unsigned enqueue_burst(struct rte_ring *, const void *, unsigned, unsigned, unsigned *);

static __rte_always_inline void produce(const ring_producer *p, enqueue_burst *enqueue)
{
    ring_message batch[RING_BATCH] __rte_cache_aligned;
    for (uint64_t sent = 0; sent < p->count;) {
        unsigned n = p->count - sent < RING_BATCH ? (unsigned)(p->count - sent) : RING_BATCH, done = 0;
        for (unsigned i = 0; i < n; i++) ring_message_fill(&batch[i], p->source, p->first + sent + i);
        for (unsigned round = 0; done < n; round++) {
            unsigned taken = enqueue(p->ring, batch + done, sizeof batch[0], n - done, NULL);
            if (taken == 0)
                bench_stuck(round);
            else
                round = 0;
            done += taken;
        }
        sent += n;
    }
}

static void produce_sp(const ring_producer *p) { produce(p, rte_ring_sp_enqueue_burst_elem); }
static void produce_rts(const ring_producer *p) { produce(p, rte_ring_mp_rts_enqueue_burst_elem); }
static void produce_hts(const ring_producer *p) { produce(p, rte_ring_mp_hts_enqueue_burst_elem); }

static void consume(ring_consumer *c)
{
    ring_message batch[RING_BATCH] __rte_cache_aligned;
    uint64_t sum = 0;
    for (unsigned round = 0; c->taken < c->count; round++) {
        unsigned n = rte_ring_sc_dequeue_burst_elem(c->ring, batch, sizeof batch[0], RING_BATCH, NULL);
        if (n == 0) {
            bench_stuck(round);
            continue;
        }
        for (unsigned i = 0; i < n; i++) sum += ring_message_sum(&batch[i]);
        ring_consumed(c, n);
        round = 0;
    }
    c->sum = sum;
}

const ring_subject ring_dpdk_spsc = { open_spsc, close_ring, produce_sp, consume };
const ring_subject ring_dpdk_rts = { open_rts, close_ring, produce_rts, consume };
const ring_subject ring_dpdk_hts = { open_hts, close_ring, produce_hts, consume };

/* --- zero copy: the ring shows up to two stretches of its own memory ------------------------------------ */

static void produce_in_place(const ring_producer *p)
{
    for (uint64_t sent = 0, round = 0; sent < p->count; round++) {
        struct rte_ring_zc_data at;
        unsigned wanted = p->count - sent < RING_BATCH ? (unsigned)(p->count - sent) : RING_BATCH;
        unsigned n = rte_ring_enqueue_zc_burst_elem_start(p->ring, sizeof(ring_message), wanted, &at, NULL);
        if (n == 0) {
            bench_stuck((unsigned)round);
            continue;
        }
        for (unsigned i = 0; i < n; i++)
            ring_message_fill(i < at.n1 ? (ring_message *)at.ptr1 + i : (ring_message *)at.ptr2 + (i - at.n1),
                              p->source, p->first + sent + i);
        rte_ring_enqueue_zc_finish(p->ring, n);
        sent += n;
        round = 0;
    }
}

static void consume_in_place(ring_consumer *c)
{
    uint64_t sum = 0;
    for (unsigned round = 0; c->taken < c->count; round++) {
        struct rte_ring_zc_data at;
        unsigned n =
            rte_ring_dequeue_zc_burst_elem_start(c->ring, sizeof(ring_message), RING_BATCH, &at, NULL);
        if (n == 0) {
            bench_stuck(round);
            continue;
        }
        for (unsigned i = 0; i < n; i++)
            sum += ring_message_sum(i < at.n1 ? (const ring_message *)at.ptr1 + i
                                              : (const ring_message *)at.ptr2 + (i - at.n1));
        rte_ring_dequeue_zc_finish(c->ring, n);
        ring_consumed(c, n);
        round = 0;
    }
    c->sum = sum;
}

const ring_subject ring_dpdk_zero_copy = { open_spsc, close_ring, produce_in_place, consume_in_place };
