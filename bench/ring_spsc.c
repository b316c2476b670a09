/* One producer, one consumer, two cores, messages of 64 bytes in batches of 32: the library's `seq` ring
 * beside rte_ring, boost's spsc_queue and ck_ring. A sample is the time of 4,096 messages for each of them,
 * at the consumer. */
#include "ring_own.h"

/* Short trials and many rounds: a virtual machine's two processors are now two cores of one cache and now of two, from one
 * second to the next, and what is compared should have had the same. */
#define MESSAGES 1000000u
#define ROUNDS 61u

static void *open_ring(void) { return ring_lay(RING_CAPACITY, 1); }

static const ring_subject ring_own = { open_ring, free, ring_own_produce, ring_own_consume };

static void run(const bench_contender *self, bench_trial *trial)
{
    ring_trial(self->subject, trial, 1, MESSAGES);
}

static const bench_contender contenders[] = {
    { "ringkernel, seq slots in place", run, &ring_own, 0 },
#if defined(RK_HAVE_DPDK)
    { "rte_ring SP/SC, burst 32", run, &ring_dpdk_spsc, 1 },
    { "rte_ring SP/SC, zero copy", run, &ring_dpdk_zero_copy, 1 },
#endif
#if defined(RK_HAVE_BOOST)
    { "boost spsc_queue, 32", run, &ring_boost_spsc, 1 },
#endif
#if defined(RK_HAVE_CK)
    { "ck_ring, one at a time", run, &ring_ck_spsc, 1 },
#endif
};
#define CONTENDERS (sizeof contenders / sizeof contenders[0])

int main(int argc, char **argv)
{
    bench_result results[CONTENDERS];
    bench_contest contest = {
        "ring_spsc", "64-byte messages, batches of 32, one producer and one consumer on two cores",
        "messages",  contenders,
        CONTENDERS,  ROUNDS
    };
    bench_open(argc, argv);
    bench_run(&contest, results);
    bench_figure("ring, one producer", results[0].rate / 1e6, "M messages/s");
    bench_against_peers(&contest, results, "ring, one producer: rate / the fastest peer's", 1.0);
    return bench_close();
}
