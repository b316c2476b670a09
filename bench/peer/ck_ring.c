/* ck_ring with elements of 64 bytes: it takes and gives one at a time. */
#include <ck_ring.h>
#include <stdlib.h>

#include "ring_work.h"

CK_RING_PROTOTYPE(message, ring_message)

typedef struct ck_queue {
    ck_ring_t ring;
    ring_message slots[RING_CAPACITY] CK_CC_CACHELINE;
} ck_queue;

static void *open_queue(void)
{
    ck_queue *queue = aligned_alloc(BENCH_LINE, (sizeof *queue + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE);
    if (queue != NULL) ck_ring_init(&queue->ring, RING_CAPACITY);
    return queue;
}

static void close_queue(void *queue) { free(queue); }

static void produce_spsc(const ring_producer *p)
{
    ck_queue *queue = p->ring;
    ring_message m;
    for (uint64_t i = 0; i < p->count; i++) {
        ring_message_fill(&m, p->source, p->first + i);
        for (unsigned round = 0; !CK_RING_ENQUEUE_SPSC(message, &queue->ring, queue->slots, &m); round++)
            bench_stuck(round);
    }
}

static void produce_mpsc(const ring_producer *p)
{
    ck_queue *queue = p->ring;
    ring_message m;
    for (uint64_t i = 0; i < p->count; i++) {
        ring_message_fill(&m, p->source, p->first + i);
        for (unsigned round = 0; !CK_RING_ENQUEUE_MPSC(message, &queue->ring, queue->slots, &m); round++)
            bench_stuck(round);
    }
}

static void consume_spsc(ring_consumer *c)
{
    ck_queue *queue = c->ring;
    ring_message m;
    uint64_t sum = 0;
    for (unsigned round = 0; c->taken < c->count; round++) {
        if (!CK_RING_DEQUEUE_SPSC(message, &queue->ring, queue->slots, &m)) {
            bench_stuck(round);
            continue;
        }
        sum += ring_message_sum(&m);
        ring_consumed(c, 1);
        round = 0;
    }
    c->sum = sum;
}

static void consume_mpsc(ring_consumer *c)
{
    ck_queue *queue = c->ring;
    ring_message m;
    uint64_t sum = 0;
    for (unsigned round = 0; c->taken < c->count; round++) {
        if (!CK_RING_DEQUEUE_MPSC(message, &queue->ring, queue->slots, &m)) {
            bench_stuck(round);
            continue;
        }
        sum += ring_message_sum(&m);
        ring_consumed(c, 1);
        round = 0;
    }
    c->sum = sum;
}

const ring_subject ring_ck_spsc = { open_queue, close_queue, produce_spsc, consume_spsc };
const ring_subject ring_ck_mpsc = { open_queue, close_queue, produce_mpsc, consume_mpsc };
