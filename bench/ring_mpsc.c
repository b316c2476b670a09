/* Four producers and one consumer, five threads on two cores, messages of 64 bytes in batches of 32: the
 * library's ring beside rte_ring in the two modes that are made for more threads than cores, and ck_ring. Who
 * is stuck yields.
 *
 * A contender of our own claims in another way: an admission counter, then a ticket, two fetch-and-adds that
 * never repeat, where the ring has one compare-and-swap that may. */
#include "ring_own.h"

#define PRODUCERS 4u
#define EACH 500000u
#define ROUNDS 15u

static void *open_ring(void) { return ring_lay(RING_CAPACITY, 0); }

static const ring_subject ring_own = { open_ring, free, ring_own_produce, ring_own_consume };

/* --- admission counter and ticket ----------------------------------------------------------------------- */

/* The counter stands in the ring's producing line, where `evicted` is unused. Who is admitted by mistake goes
 * back. */
static rk_claim claim_by_ticket(rk_ring *ring, rk_u32 wanted)
{
    rk_claim none = { 0, 0 }, claim = { 0, wanted };
    rk_u64 *admitted = &ring->evicted;
    rk_u64 head = rk_load_u64(&ring->cached_head, RK_ACQUIRE, RK_SCOPE_DEVICE);
    if (rk_load_u64(admitted, RK_RELAXED, RK_SCOPE_DEVICE) + wanted - head > ring->capacity) {
        head = rk_load_u64(&ring->head, RK_ACQUIRE, RK_SCOPE_DEVICE);
        rk_store_u64(&ring->cached_head, head, RK_RELEASE, RK_SCOPE_DEVICE);
        if (rk_load_u64(admitted, RK_RELAXED, RK_SCOPE_DEVICE) + wanted - head > ring->capacity) return none;
    }
    if (rk_add_u64(admitted, wanted, RK_ACQ_REL, RK_SCOPE_DEVICE) + wanted - head > ring->capacity) {
        rk_add_u64(admitted, 0 - (rk_u64)wanted, RK_ACQ_REL, RK_SCOPE_DEVICE);
        return none;
    }
    claim.first = rk_add_u64(&ring->tail, wanted, RK_ACQ_REL, RK_SCOPE_DEVICE);
    return claim;
}

static void produce_by_ticket(const ring_producer *p)
{
    rk_ring *ring = p->ring;
    for (uint64_t sent = 0, round = 0; sent < p->count; round++) {
        rk_claim claim =
            claim_by_ticket(ring, p->count - sent < RING_BATCH ? (rk_u32)(p->count - sent) : RING_BATCH);
        if (claim.count == 0) {
            bench_stuck((unsigned)round);
            continue;
        }
        ring_own_fill(ring, p, claim, sent);
        sent += claim.count;
        round = 0;
    }
}

static const ring_subject ring_by_ticket = { open_ring, free, produce_by_ticket, ring_own_consume };

/* -------------------------------------------------------------------------------------------------------- */

static void run(const bench_contender *self, bench_trial *trial)
{
    ring_trial(self->subject, trial, PRODUCERS, EACH);
}

/* ck_ring's producers wait in order of their claims, and never yield: while one of them doesn't run, the others
 * fill their time slices with waiting. Many messages would take minutes. */
static void run_few(const bench_contender *self, bench_trial *trial)
{
    ring_trial(self->subject, trial, PRODUCERS, EACH / 100u);
}

static const bench_contender contenders[] = {
    { "ringkernel, one compare-and-swap", run, &ring_own, 0 },
    { "ringkernel, admission and ticket", run, &ring_by_ticket, 0 },
#if defined(RK_HAVE_DPDK)
    { "rte_ring RTS, burst 32", run, &ring_dpdk_rts, 1 },
    { "rte_ring HTS, burst 32", run, &ring_dpdk_hts, 1 },
#endif
#if defined(RK_HAVE_CK)
    { "ck_ring MPSC, one at a time", run_few, &ring_ck_mpsc, 1 },
#endif
};
#define CONTENDERS (sizeof contenders / sizeof contenders[0])

int main(int argc, char **argv)
{
    bench_result results[CONTENDERS];
    bench_contest contest = {
        "ring_mpsc", "64-byte messages, batches of 32, four producers and one consumer on two cores",
        "messages",  contenders,
        CONTENDERS,  ROUNDS
    };
    bench_open(argc, argv);
    bench_run(&contest, results);
    bench_figure("ring, four producers", results[0].rate / 1e6, "M messages/s");
    bench_figure("ring, four producers: one CAS / admission and ticket", bench_rate_ratio(0, 1), "x");
    bench_against_peers(&contest, results, "ring, four producers: rate / the fastest peer's", 1.0);
    return bench_close();
}
