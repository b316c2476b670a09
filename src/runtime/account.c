/* The account and the metrics: plain loads, under the short lock that keeps a kernel's seats where they are.
 * Sinks are read before sources, so what is on its way in between shows as queued or not at all. */
#include <string.h>

#include <ringkernel/device/take.h>
#include <ringkernel/state/histogram.h>

#include "guard.h"
#include "kernel.h"

static rk_u64 load(const rk_u64 *counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }

static void add_lane(const rk_host_kernel *k, const rk_seat *seat, rk_u32 which, rk_account *a)
{
    const rk_byte *arena = k->runtime->arena.base;
    rk_lane *lane = rk_seat_lane(seat, which);
    for (rk_u32 b = 0; b < lane->bands; b++) {
        const rk_ring *ring = (const rk_ring *)(const void *)(arena + lane->rings[b]);
        rk_u64 delivered = load(&ring->delivered), dropped = load(&ring->dropped_old);
        rk_u64 dead = load(&ring->dead), expired = load(&ring->expired), lost = load(&ring->lost);
        rk_u64 withdrawn = load(&ring->withdrawn);
        rk_u64 evicted = load(&ring->evicted);
        rk_u64 head = load(&ring->head);
        rk_u64 tail = load(&ring->tail);
        /* What is counted is queued no more, though its head may be on its way. */
        rk_u64 counted = ring->start + delivered + dropped + dead + expired + lost + withdrawn;
        if (rk_index_ahead(counted, head) > 0) head = counted;
        /* And while it is served, what is given back and not counted yet is still in a handler's hands. Where its counts went with
         * a device, it was handled: nothing else gives a slot back. */
        if (!ring->overwritten && rk_index_ahead(head, counted) > 0) {
            const rk_u32 life = rk_atomic_u32(&k->life);
            if (life == RK_LIFE_ACTIVE) head = counted;
            if (life == RK_LIFE_FAILED) delivered += head - counted;
        }
        a->delivered += delivered;
        a->evicted += dropped;
        a->dead += dead;
        a->expired += expired;
        a->lost += lost;
        /* What a producer has evicted and the consumer has not noticed yet is gone all the same. */
        if (ring->overwritten && rk_index_ahead(evicted, head) > 0) {
            a->evicted += evicted - head;
            head = evicted;
        }
        rk_u64 accepted = tail - ring->start - withdrawn;
        if (ring->overwritten && rk_atomic_u32(&k->life) == RK_LIFE_FAILED)
            a->queued +=
                rk_take_copied(&seat->shard->turn, rk_lane_at(k->runtime, seat->shard->lane[which])
                                                       ->rings[b]); /* handled again when it is relaunched */
        a->queued += rk_index_ahead(tail, head) > 0 ? tail - head : 0;
        a->accepted += accepted;
        *(which ? &a->accepted_device : &a->accepted_host) += accepted;
    }
    rk_u64 *refused[RK_REFUSED_KINDS] = { &a->refused_full,      &a->refused_dropped, &a->refused_duplicate,
                                          &a->refused_timed_out, &a->refused_closed,  &a->refused_invalid };
    for (rk_u32 i = 0; i < RK_REFUSED_KINDS; i++) *refused[i] += load(&lane->refused[i]);
}

static void finish(rk_account *a)
{
    a->balanced = a->accepted == a->delivered + a->evicted + a->dead + a->expired + a->lost + a->queued;
}

static rk_status with_kernel(rk_runtime *runtime, rk_kernel handle, const void *out, const char *call,
                             rk_host_kernel **k)
{
    rk_status status = rk_runtime_check(runtime, call);
    if (status != RK_OK) return status;
    if (!out) return rk_error(RK_INVALID_ARGUMENT, "%s: a pointer is null", call);
    pthread_mutex_lock(&runtime->list);
    status = rk_kernel_check(runtime, handle, k);
    if (status != RK_OK)
        pthread_mutex_unlock(&runtime->list);
    else
        rk_look(*k);
    return status;
}

rk_status rk_account_of(rk_runtime *runtime, rk_kernel handle, rk_account *a)
{
    rk_host_kernel *k = 0;
    rk_status status = with_kernel(runtime, handle, a, "rk_account_of", &k);
    if (status != RK_OK) return status;
    memset(a, 0, sizeof *a);
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        const rk_seat *seat = &k->seats[s];
        const rk_ring *out = rk_lane_ring(rk_seat_lane(seat, RK_LANE_OUT), runtime->arena.base, 0);
        const rk_u64 received = load(&out->delivered);
        rk_u64 head = load(&out->head), tail = load(&out->tail);
        if (rk_index_ahead(out->start + received, head) > 0) head = out->start + received;
        if (rk_index_ahead(head, tail) > 0) tail = head; /* a device's tail was looked at before */
        a->output_received += received;
        a->output_queued += tail - head;
        a->output_accepted += tail - out->start;
        a->dead_sends += load(&seat->shard->meter.dead_sends);
        a->sent += load(&seat->shard->meter.sent);
        a->dropped_sends += load(&seat->shard->meter.refused[RK_REFUSED_DROPPED]) +
                            load(&seat->shard->meter.refused[RK_REFUSED_DUPLICATE]);
        for (rk_u32 w = 0; w < 2; w++) add_lane(k, seat, w, a);
    }
    pthread_mutex_lock(&k->letters);
    a->dead_letters = k->letter_total;
    a->dead_letters_lost = k->letters_lost;
    pthread_mutex_unlock(&k->letters);
    a->late_replies = load(&k->late_replies);
    a->duplicate_replies = load(&k->duplicate_replies);
    finish(a);
    pthread_mutex_unlock(&runtime->list);
    return RK_OK;
}

rk_status rk_account_of_lane(rk_runtime *runtime, rk_kernel handle, rk_u32 shard, rk_u32 lane, rk_account *a)
{
    rk_host_kernel *k = 0;
    rk_status status = with_kernel(runtime, handle, a, "rk_account_of_lane", &k);
    if (status != RK_OK) return status;
    memset(a, 0, sizeof *a);
    if (shard >= k->seat_count || lane > 1) {
        status =
            rk_error(RK_INVALID_ARGUMENT, "'%s' has shards 0 to %u with lanes 0 and 1, not shard %u lane %u",
                     k->id, k->seat_count - 1, shard, lane);
    } else {
        add_lane(k, &k->seats[shard], lane, a);
        finish(a);
    }
    pthread_mutex_unlock(&runtime->list);
    return status;
}

/* ------------------------------------------------------------------ metrics */

/* A worker counts a message between the least and the greatest that it has told before; a device tells these two now and
 * then, and what it has counted since may be elsewhere. */
typedef struct span {
    rk_u32 first, last;
} span;

static const span all_buckets = { 0, RK_HISTOGRAM_BUCKETS - 1u };

static span span_of(rk_u64 low, rk_u64 high, int bounded)
{
    return bounded ? (span){ rk_histogram_bucket(low), rk_histogram_bucket(high) } : all_buckets;
}

static void add_histogram(rk_histogram *sum, const rk_histogram *h, int bounded)
{
    rk_u64 count = load(&h->count); /* H1: the rest is at least as new */
    if (!count) return;
    const rk_u64 low = load(&h->min_ns), high = load(&h->max_ns);
    const span of = span_of(low, high, bounded);
    if (!sum->count || low < sum->min_ns) sum->min_ns = low;
    if (high > sum->max_ns) sum->max_ns = high;
    sum->count += count;
    sum->sum_ns += load(&h->sum_ns);
    for (rk_u32 i = of.first; i <= of.last; i++) sum->bucket[i] += load(&h->bucket[i]);
}

static void find_quantiles(const rk_histogram *h, span of, rk_quantiles *q)
{
    static const double parts[] = { 0.5, 0.9, 0.99, 0.999 };
    memset(q, 0, sizeof *q);
    if (!h->count) return;
    rk_u32 i = of.first;
    rk_u64 *values[] = { &q->p50_ns, &q->p90_ns, &q->p99_ns, &q->p999_ns }, total = 0, seen = h->bucket[i];
    for (rk_u32 b = i; b <= of.last; b++) total += h->bucket[b];
    q->count = h->count;
    q->min_ns = h->min_ns;
    q->max_ns = h->max_ns;
    q->mean_ns = h->sum_ns / h->count;
    for (rk_u32 part = 0; part < 4u; part++) { /* each where the one before was found, or behind it */
        const rk_u64 rank = (rk_u64)(parts[part] * (double)total + 0.5);
        while (seen < (rank ? rank : 1u) && i < of.last) seen += h->bucket[++i];
        const rk_u64 value = rk_histogram_value(i);
        *values[part] = value < h->min_ns ? h->min_ns : value > h->max_ns ? h->max_ns : value;
    }
}

void rk_quantiles_of(const rk_histogram *h, rk_quantiles *q)
{
    if (h)
        find_quantiles(h, all_buckets, q);
    else
        memset(q, 0, sizeof *q);
}

rk_status rk_metrics_of(rk_runtime *runtime, rk_kernel handle, rk_metrics *m)
{
    rk_host_kernel *k = 0;
    rk_status status = with_kernel(runtime, handle, m, "rk_metrics_of", &k);
    if (status != RK_OK) return status;
    const int bounded = runtime->backend->threads != 0;
    rk_histogram wait, service;
    memset(m, 0, sizeof *m);
    memset(&wait, 0, sizeof wait);
    memset(&service, 0, sizeof service);
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        const rk_meter *meter = &k->seats[s].shard->meter;
        add_histogram(&service, &meter->service, bounded);
        add_histogram(&wait, &meter->queue_wait, bounded);
        m->processed += load(&meter->handled);
        m->turns += load(&meter->progress);
        m->parks += load(&meter->parks);
        m->slices += load(&meter->slices);
        m->busy_ns += load(&meter->busy_ns);
        m->logs_suppressed += load(&meter->logs_suppressed);
        if (load(&meter->largest_batch) > m->largest_batch) m->largest_batch = load(&meter->largest_batch);
        if (load(&meter->last_ns) > m->last_activity_ns) m->last_activity_ns = load(&meter->last_ns);
        rk_u64 depth = 0;
        for (rk_u32 w = 0; w < 2; w++) {
            rk_u32 d = rk_lane_depth(rk_seat_lane(&k->seats[s], w), runtime->arena.base);
            /* Head is read before tail: what passed through in between is no depth. */
            if (d > k->layout.lane[w].capacity) d = k->layout.lane[w].capacity;
            double used = (double)d / k->layout.lane[w].capacity;
            if (used > m->input_utilization) m->input_utilization = used;
            depth += d;
        }
        m->depth += depth;
    }
    find_quantiles(&wait, span_of(wait.min_ns, wait.max_ns, bounded), &m->queue_wait);
    find_quantiles(&service, span_of(service.min_ns, service.max_ns, bounded), &m->service);
    rk_u64 now = rk_runtime_now(runtime), since = load(&k->activated_ns);
    m->uptime_ns = since && now > since ? now - since : 0;
    if (runtime->backend->clock && !runtime->options.clock_ns)
        runtime->backend->clock(k, &m->clock_error_ns, &m->clock_drift_ns);
    m->throughput = m->uptime_ns ? (double)m->processed * 1e9 / (double)m->uptime_ns : 0;
    pthread_mutex_unlock(&runtime->list);
    return RK_OK;
}
