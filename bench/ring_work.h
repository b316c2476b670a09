/* The work that every ring does in the ring benchmarks, and how a peer shows itself to them.
 *
 * A message is 64 bytes: a header of 16, and 48 of payload that the producer writes and the consumer sums up.
 * Both go in batches of 32. The library fills and reads slots in place; a peer that copies elements fills and
 * reads an array of its own beside the ring. */
#ifndef RK_BENCH_RING_WORK_H
#define RK_BENCH_RING_WORK_H

#include "harness.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RING_CAPACITY 1024u
#define RING_BATCH 32u
#define RING_CHUNK 4096u /* messages: one sample is the time of so many, for each of them */
#define RING_WORDS 6u    /* of payload */

/* The header is written in two pieces and the payload in pairs of words, as rk_slots_put does and memcpy. A
 * store for each field would be reordered by the compiler, and a producer that jumps about in a line which
 * the other core has just read is at half its rate (52 instead of 102 M messages/s on a Zen 4). */
typedef uint64_t ring_pair __attribute__((vector_size(16)));

typedef struct ring_message {
    uint32_t lap;
    uint32_t kind;    /* type and length */
    uint64_t address; /* target, source, priority, flags */
    ring_pair pair[RING_WORDS / 2u];
} ring_message;

#define RING_KIND (1u | RING_WORDS * 8u << 16)

static inline void ring_message_body(ring_message *m, uint32_t source, uint64_t number)
{
    m->address = (uint32_t)number | (uint64_t)source << 32;
    for (unsigned p = 0; p < RING_WORDS / 2u; p++) {
        ring_pair pair = { number + 2u * p, number + 2u * p + 1u };
        m->pair[p] = pair;
    }
}

static inline void ring_message_fill(ring_message *m, uint32_t source, uint64_t number)
{
    m->kind = RING_KIND;
    ring_message_body(m, source, number);
}

static inline uint64_t ring_message_sum(const ring_message *m)
{
    ring_pair sum = m->pair[0] + m->pair[1] + m->pair[2];
    return sum[0] + sum[1];
}

/* What the sums of messages [first, first + count) add up to. */
static inline uint64_t ring_sum_of(uint64_t first, uint64_t count)
{
    return RING_WORDS * (first * count + count * (count - 1) / 2) +
           count * (RING_WORDS * (RING_WORDS - 1) / 2);
}

/* One producer: its number, and the messages that it sends. */
typedef struct ring_producer {
    void *ring;
    uint32_t source;
    uint64_t first, count;
} ring_producer;

/* The consumer: how many messages it takes, and what it saw. */
typedef struct ring_consumer {
    void *ring;
    uint64_t count;
    uint64_t taken, sum;
    bench_samples samples;
    uint64_t sampled, sampled_ns; /* messages at the last sample, and when that was */
} ring_consumer;

static inline void ring_consumed(ring_consumer *c, uint64_t messages)
{
    c->taken += messages;
    if (c->taken - c->sampled < RING_CHUNK) return;
    uint64_t now = bench_now_ns();
    if (c->sampled_ns) bench_sample(&c->samples, (now - c->sampled_ns) * 1000u / (c->taken - c->sampled));
    c->sampled = c->taken;
    c->sampled_ns = now;
}

/* A ring of such messages. produce and consume run to their end. */
typedef struct ring_subject {
    void *(*open)(void);
    void (*close)(void *ring);
    void (*produce)(const ring_producer *producer);
    void (*consume)(ring_consumer *consumer);
} ring_subject;

extern const ring_subject ring_dpdk_spsc, ring_dpdk_rts, ring_dpdk_hts, ring_dpdk_zero_copy;
extern const ring_subject ring_ck_spsc, ring_ck_mpsc;
extern const ring_subject ring_boost_spsc;

/* One trial of a ring with `producers` of them, each of which sends `each` messages. */
void ring_trial(const ring_subject *subject, bench_trial *trial, unsigned producers, uint64_t each);

#ifdef __cplusplus
}
#endif
#endif
