#include <stdio.h>
#include <stdlib.h>

#include "ring_work.h"

#define PRODUCERS_MAX 8u

typedef struct trial_thread {
    const ring_subject *subject;
    ring_producer producer;
    ring_consumer *consumer;
} trial_thread;

static void produce(void *argument)
{
    const trial_thread *t = argument;
    t->subject->produce(&t->producer);
}

static void consume(void *argument)
{
    const trial_thread *t = argument;
    t->subject->consume(t->consumer);
}

/* One producer has a core of its own. Several are spread over both cores, and the consumer goes where there
 * is time. */
void ring_trial(const ring_subject *subject, bench_trial *trial, unsigned producers, uint64_t each)
{
    trial_thread data[PRODUCERS_MAX + 1];
    bench_thread threads[PRODUCERS_MAX + 1];
    ring_consumer consumer = { .ring = subject->open(), .count = producers * each };
    if (consumer.ring == NULL || producers > PRODUCERS_MAX) {
        fprintf(stderr, "a ring can't be opened\n");
        exit(1);
    }
    for (unsigned p = 0; p < producers; p++) {
        data[p] = (trial_thread){ subject, { consumer.ring, p, p * each, each }, NULL };
        threads[p] = (bench_thread){ produce, &data[p], 1u << p % 2u };
    }
    data[producers] = (trial_thread){ subject, { 0 }, &consumer };
    threads[producers] = (bench_thread){ consume, &data[producers], producers == 1 ? 2u : 3u };
    bench_together(trial, threads, producers + 1);
    subject->close(consumer.ring);

    trial->in = producers * each;
    trial->sum_in = ring_sum_of(0, producers * each);
    trial->out = consumer.taken;
    trial->sum_out = consumer.sum;
    trial->samples = consumer.samples;
}
