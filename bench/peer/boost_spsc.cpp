// boost::lockfree::spsc_queue of 64-byte messages, by batches.
#include <boost/lockfree/spsc_queue.hpp>
#include <new>

#include "ring_work.h"

namespace
{

using queue = boost::lockfree::spsc_queue<ring_message, boost::lockfree::capacity<RING_CAPACITY>>;

void *open_queue() { return new (std::nothrow) queue; }
void close_queue(void *ring) { delete static_cast<queue *>(ring); }

void produce(const ring_producer *p)
{
    queue *ring = static_cast<queue *>(p->ring);
    ring_message batch[RING_BATCH];
    for (uint64_t sent = 0; sent < p->count;) {
        unsigned n = p->count - sent < RING_BATCH ? static_cast<unsigned>(p->count - sent) : RING_BATCH,
                 done = 0;
        for (unsigned i = 0; i < n; i++) ring_message_fill(&batch[i], p->source, p->first + sent + i);
        for (unsigned round = 0; done < n; round++) {
            unsigned taken = static_cast<unsigned>(ring->push(batch + done, n - done));
            if (taken == 0)
                bench_stuck(round);
            else
                round = 0;
            done += taken;
        }
        sent += n;
    }
}

void consume(ring_consumer *c)
{
    queue *ring = static_cast<queue *>(c->ring);
    ring_message batch[RING_BATCH];
    uint64_t sum = 0;
    for (unsigned round = 0; c->taken < c->count; round++) {
        unsigned n = static_cast<unsigned>(ring->pop(batch, RING_BATCH));
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

} // namespace

extern "C" const ring_subject ring_boost_spsc = { open_queue, close_queue, produce, consume };
