/* Stress with random stalls: three graphs of kernels at once, whose handlers, producers and consumers stall for random
 * times, over queues of sixteen, while a thread stops, restarts, relaunches and looks at kernels. At the end each event
 * has come out exactly once, those of a producer through the line in their order, and every account balances.
 *
 *     stress [--backend cpu|cuda|cuda-slices|opencl|opencl-slices] [--seconds N] [--seed N] [--queue N] [--threads N]
 *
 * With long queues batches are long, too; `threads` are those of a block.
 *
 *     mesh   spread → work (with state) → hand_on → host, each shard to each shard
 *     line   hand_on → hand_on → host, one shard each
 *     ring   roundabout, which sends to itself; as many events are inside as one lane holds
 *
 * The exit status is 1 if anything is wrong, or nothing moves for PATIENCE_S; 77 where the backend isn't there. */
#include "stress.rk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#define SHARDS 4u
#define RING_QUEUE 64u
#define RING_INSIDE 48u
#define RING_HOPS 7u
#define PRODUCERS 2u /* of the mesh and of the line */
#define BATCH_MOST 1024u
#define NUMBERS (1u << 24) /* of a graph, at most */
#define PATIENCE_S 30u
#define LETTERS_WITHIN_S 5u

typedef struct graph {
    const char *name;
    rk_kernel kernels[3];                                 /* the first is sent to, the last received from */
    rk_u32 kernel_count, shards, hops, producers, inside; /* inside: events at most; 0: any */
    rk_u32 salt;                                          /* of its threads' random numbers */
    rk_u32 *seen;                                         /* a bit for each number */
    rk_u32 sent[PRODUCERS];             /* atomic; producer p sends the numbers p + PRODUCERS * i */
    rk_u64 received, sum, twice, wrong; /* atomic; the sum is of numbers */
    rk_u32 next[PRODUCERS],
        disordered; /* of one shard: the least number that a producer's next event may have */
} graph;

static graph mesh = {
    .name = "mesh", .kernel_count = 3, .shards = SHARDS, .hops = 3, .producers = PRODUCERS, .salt = 100
};
static graph line = {
    .name = "line", .kernel_count = 2, .shards = 1, .hops = 2, .producers = PRODUCERS, .salt = 200
};
static graph ring = { .name = "ring",
                      .kernel_count = 1,
                      .shards = SHARDS,
                      .hops = RING_HOPS,
                      .producers = 1,
                      .inside = RING_INSIDE,
                      .salt = 300 };
static graph *const graphs[] = { &mesh, &line, &ring };
#define GRAPHS (sizeof graphs / sizeof *graphs)

static rk_runtime *runtime;
static rk_u32 seed = 1, seconds = 5, queue = 16, threads = RK_FROM_KERNEL;
static rk_u32 stopping, over; /* atomic: producers end; everything has ended */
/* Of the disturber. Late: it was told to wait longer; overdrawn: accounts with more gone than accepted. */
static rk_u32 stops, relaunches, looks, late, overdrawn;

static rk_u32 hash(rk_u32 x)
{
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

static rk_u32 next_random(rk_u32 *state) { return hash(*state += 0x9e3779b9u); }

/* Mostly not at all, sometimes for up to a millisecond, rarely for up to twenty. */
static void stall(rk_u32 *state)
{
    rk_u32 random = next_random(state);
    if ((random & 0x3ffu) == 0)
        usleep(random % 20000u);
    else if ((random & 15u) == 0)
        usleep(random % 1000u);
}

/* The most that is sent or received at once. */
static rk_u32 batch(void) { return 5u * queue / 2u < BATCH_MOST ? 5u * queue / 2u : BATCH_MOST; }

/* ------------------------------------------------------------------ the graphs */

static rk_launch_options options_for(const char *name, rk_u32 shards, rk_u32 capacity)
{
    rk_launch_options o = rk_production();
    o.kernel_name = name;
    o.deduplication_window = 0;
    o.queue_capacity = capacity;
    o.output_capacity = capacity;
    o.shards = o.blocks = shards;
    o.threads = threads;
    return o;
}

static rk_kernel launch(const char *id, const char *name, rk_u32 shards, rk_u32 capacity)
{
    const rk_launch_options o = options_for(name, shards, capacity);
    rk_kernel kernel;
    RK_CHECK(rk_launch(runtime, id, &o, &kernel));
    return kernel;
}

static void build(void)
{
    const rk_route_options anywhere = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TARGET };
    mesh.kernels[0] = launch("mesh-1", "spread", SHARDS, queue);
    mesh.kernels[1] = launch("mesh-2", "work", SHARDS, queue);
    mesh.kernels[2] = launch("mesh-3", "hand_on", SHARDS, queue);
    line.kernels[0] = launch("line-1", "hand_on", 1, queue);
    line.kernels[1] = launch("line-2", "hand_on", 1, queue);
    ring.kernels[0] = launch("ring", "roundabout", SHARDS, RING_QUEUE);
    RK_CHECK(rk_connect(runtime, mesh.kernels[0], 0, mesh.kernels[1], &anywhere));
    RK_CHECK(rk_connect(runtime, mesh.kernels[1], 0, mesh.kernels[2], &anywhere));
    RK_CHECK(rk_connect(runtime, line.kernels[0], 0, line.kernels[1], 0));
    RK_CHECK(rk_connect(runtime, ring.kernels[0], "again", ring.kernels[0], &anywhere));
    for (size_t g = 0; g < GRAPHS; g++) {
        graphs[g]->seen = calloc(NUMBERS / 32u, sizeof(rk_u32));
        if (!graphs[g]->seen) RK_CHECK(RK_OUT_OF_MEMORY);
        for (rk_u32 k = 0; k < graphs[g]->kernel_count; k++)
            RK_CHECK(rk_activate(runtime, graphs[g]->kernels[k]));
    }
}

/* ------------------------------------------------------------------ producers and consumers */

static rk_u32 sent_of(const graph *g)
{
    rk_u32 sent = 0;
    for (rk_u32 p = 0; p < g->producers; p++) sent += __atomic_load_n(&g->sent[p], __ATOMIC_ACQUIRE);
    return sent;
}

static rk_u64 received_of(const graph *g) { return __atomic_load_n(&g->received, __ATOMIC_ACQUIRE); }

typedef struct producer {
    pthread_t thread;
    graph *of;
    rk_u32 number;
} producer;

/* How many may go now. */
static rk_u32 room(const graph *g, rk_u32 wanted)
{
    if (!g->inside) return wanted;
    rk_u32 inside = sent_of(g) - (rk_u32)received_of(g), left = inside < g->inside ? g->inside - inside : 0;
    return wanted < left ? wanted : left;
}

static void *produce(void *argument)
{
    const producer *p = argument;
    graph *g = p->of;
    rk_u32 random = hash(seed ^ hash(g->salt + p->number));
    stressed events[BATCH_MOST];
    rk_send_options options[BATCH_MOST];
    while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE) &&
           g->sent[p->number] < NUMBERS / PRODUCERS - BATCH_MOST) {
        rk_u32 n = room(g, 1u + next_random(&random) % batch()), first = g->sent[p->number];
        size_t accepted = 0;
        for (rk_u32 i = 0; i < n; i++) {
            stressed *e = &events[i];
            e->number = p->number + PRODUCERS * (first + i);
            e->random = next_random(&random);
            e->hops = g->hops;
            e->proof = hash(e->number ^ hash(e->random ^ e->hops));
            options[i] = (rk_send_options)RK_SEND_DEFAULTS;
            options[i].target = next_random(&random) % g->shards;
            options[i].timeout_ns = RK_MILLISECONDS(20);
        }
        if (n) {
            rk_status status = rk_send_each(runtime, g->kernels[0], RK_TYPE_ID(stressed), events,
                                            sizeof *events, n, options, &accepted);
            if (status != RK_OK && status != RK_TIMED_OUT) RK_CHECK(status);
            __atomic_store_n(&g->sent[p->number], first + (rk_u32)accepted, __ATOMIC_RELEASE);
        }
        stall(&random);
    }
    return 0;
}

static void note(graph *g, const stressed *e)
{
    rk_u32 bit = 1u << (e->number % 32u);
    int wrong =
        e->number >= NUMBERS || e->hops != 0 || e->proof != hash(e->number ^ hash(e->random ^ e->hops));
    if (wrong) {
        __atomic_add_fetch(&g->wrong, 1, __ATOMIC_RELAXED);
        return;
    }
    if (__atomic_fetch_or(&g->seen[e->number / 32u], bit, __ATOMIC_RELAXED) & bit)
        __atomic_add_fetch(&g->twice, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&g->sum, e->number, __ATOMIC_RELAXED);
    if (g->shards == 1) {
        rk_u32 *next = &g->next[e->number % PRODUCERS];
        g->disordered += e->number < *next;
        *next = e->number + 1u;
    }
}

static void *consume(void *argument)
{
    graph *g = argument;
    rk_u32 random = hash(seed ^ hash(g->salt + 77u));
    stressed events[BATCH_MOST];
    for (;;) {
        size_t n = 0;
        rk_status status = rk_receive_many(runtime, g->kernels[g->kernel_count - 1u], events, sizeof *events,
                                           1u + next_random(&random) % batch(), 0, RK_MILLISECONDS(50), &n);
        if (status == RK_CLOSED) return 0;
        if (status != RK_OK && status != RK_TIMED_OUT && status != RK_EMPTY) RK_CHECK(status);
        for (size_t i = 0; i < n; i++) note(g, &events[i]);
        __atomic_add_fetch(&g->received, n, __ATOMIC_RELEASE);
        stall(&random);
    }
}

/* ------------------------------------------------------------------ who disturbs, and who watches */

/* A status that says no more than that a kernel was busy. */
static int is_late(rk_status status)
{
    late += status == RK_TIMED_OUT || status == RK_LIMIT;
    return status == RK_TIMED_OUT || status == RK_LIMIT;
}

static void stop_and_go_on(rk_kernel kernel, rk_u32 *random)
{
    rk_status status = rk_deactivate(runtime, kernel);
    if (!is_late(status)) RK_CHECK(status);
    stall(random);
    status = rk_activate(runtime, kernel);
    if (status != RK_ALREADY_ACTIVE) RK_CHECK(status);
    stops++;
}

static void relaunch(rk_kernel kernel, const char *name, rk_u32 shards, rk_u32 capacity)
{
    const rk_launch_options o = options_for(name, shards, capacity);
    rk_status status = rk_relaunch(runtime, kernel, &o, RK_MILLISECONDS(500));
    if (!is_late(status)) RK_CHECK(status);
    relaunches++;
}

static void show_account(const graph *g, rk_u32 k, const rk_account *a)
{
    fprintf(
        stderr,
        "stress: %s, kernel %u: accepted %llu, delivered %llu + dead %llu + evicted %llu + expired %llu + "
        "lost %llu + queued %llu, and %llu dead sends\n",
        g->name, k + 1u, (unsigned long long)a->accepted, (unsigned long long)a->delivered,
        (unsigned long long)a->dead, (unsigned long long)a->evicted, (unsigned long long)a->expired,
        (unsigned long long)a->lost, (unsigned long long)a->queued, (unsigned long long)a->dead_sends);
}

/* Sinks are read before sources, so under load no more has gone than was accepted. */
static void look(const graph *g, rk_u32 k)
{
    rk_account a;
    rk_metrics m;
    RK_CHECK(rk_account_of(runtime, g->kernels[k], &a));
    RK_CHECK(rk_metrics_of(runtime, g->kernels[k], &m));
    looks++;
    if (a.delivered + a.evicted + a.dead + a.expired + a.lost + a.queued <= a.accepted) return;
    show_account(g, k, &a);
    overdrawn++;
}

static void *disturb(void *unused)
{
    rk_u32 random = hash(seed + 4711u);
    while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
        rk_u32 what = next_random(&random) % 16u;
        const graph *g = graphs[next_random(&random) % GRAPHS];
        rk_u32 k = next_random(&random) % g->kernel_count;
        if (what == 0)
            relaunch(line.kernels[1], "hand_on", 1, queue << next_random(&random) % 2u);
        else if (what < 5)
            stop_and_go_on(g->kernels[k], &random);
        else
            look(g, k);
        usleep(next_random(&random) % 5000u);
    }
    return unused;
}

static rk_u64 progress(void)
{
    rk_u64 sum = __atomic_load_n(&over, __ATOMIC_ACQUIRE);
    for (size_t g = 0; g < GRAPHS; g++) sum += sent_of(graphs[g]) + received_of(graphs[g]);
    return sum;
}

/* Ends the process if nothing moves: what is stuck on a device ends with it. */
static void *watch(void *unused)
{
    rk_u64 seen = progress();
    for (unsigned quiet = 0; quiet < PATIENCE_S * 10u; quiet++) {
        if (__atomic_load_n(&over, __ATOMIC_ACQUIRE)) return unused;
        usleep(100000);
        rk_u64 now = progress();
        if (now != seen) quiet = 0;
        seen = now;
    }
    fprintf(stderr, "stress: nothing has moved for %u s (seed %u)\n", PATIENCE_S, seed);
    for (size_t g = 0; g < GRAPHS; g++)
        fprintf(stderr, "  %s: %u sent, %llu received\n", graphs[g]->name, sent_of(graphs[g]),
                (unsigned long long)received_of(graphs[g]));
    fflush(0);
    _exit(1);
}

/* ------------------------------------------------------------------ the end */

static int account_is_clean(const graph *g)
{
    int clean = 1;
    for (rk_u32 k = 0; k < g->kernel_count; k++) {
        rk_account a;
        RK_CHECK(rk_account_of(runtime, g->kernels[k], &a));
        if (a.balanced && !a.lost && !a.queued && !a.dead && !a.evicted && !a.expired && !a.dead_sends)
            continue;
        show_account(g, k, &a);
        clean = 0;
    }
    return clean;
}

/* Messages of the largest turn that a kernel of it had. */
static rk_u32 largest_turn(const graph *g)
{
    rk_u64 most = 0;
    for (rk_u32 k = 0; k < g->kernel_count; k++) {
        rk_metrics m;
        RK_CHECK(rk_metrics_of(runtime, g->kernels[k], &m));
        if (m.largest_batch > most) most = m.largest_batch;
    }
    return (rk_u32)most;
}

/* Each number that was sent is there once, and no other. */
static int all_came_once(const graph *g)
{
    rk_u64 missing = 0, sum = 0;
    for (rk_u32 p = 0; p < g->producers; p++)
        for (rk_u32 i = 0; i < g->sent[p]; i++) {
            rk_u32 number = p + PRODUCERS * i;
            missing += !(g->seen[number / 32u] >> (number % 32u) & 1u);
            sum += number;
        }
    printf("%s: %u sent, %llu received, %llu missing, %llu twice, %llu wrong, %u disordered; turns of up to "
           "%u\n",
           g->name, sent_of(g), (unsigned long long)received_of(g), (unsigned long long)missing,
           (unsigned long long)g->twice, (unsigned long long)g->wrong, g->disordered, largest_turn(g));
    return !missing && !g->twice && !g->wrong && !g->disordered && sum == g->sum &&
           received_of(g) == sent_of(g);
}

/* The shards of `work` have counted each event of the mesh once. */
static int state_counts_all(void)
{
    worked state;
    rk_u64 count = 0, sum = 0;
    for (rk_u32 s = 0; s < SHARDS; s++) {
        RK_CHECK(rk_read_state(runtime, mesh.kernels[1], s, &state, sizeof state));
        count += state.count;
        sum += state.sum;
    }
    if (count == received_of(&mesh) && sum == mesh.sum) return 1;
    fprintf(stderr, "stress: the state has %llu events, not %llu\n", (unsigned long long)count,
            (unsigned long long)received_of(&mesh));
    return 0;
}

static void begin_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
    if (pthread_create(thread, 0, function, argument)) RK_CHECK(RK_OUT_OF_MEMORY);
}

static void run(void)
{
    pthread_t disturber, watcher, consumer[GRAPHS];
    producer producers[GRAPHS * PRODUCERS];
    size_t producing = 0;
    begin_thread(&watcher, watch, 0);
    for (size_t g = 0; g < GRAPHS; g++) {
        begin_thread(&consumer[g], consume, graphs[g]);
        for (rk_u32 p = 0; p < graphs[g]->producers; p++) {
            producer *one = &producers[producing++];
            one->of = graphs[g];
            one->number = p;
            begin_thread(&one->thread, produce, one);
        }
    }
    begin_thread(&disturber, disturb, 0);
    sleep(seconds);
    __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
    pthread_join(disturber, 0);
    for (size_t p = 0; p < producing; p++) pthread_join(producers[p].thread, 0);
    for (size_t g = 0; g < GRAPHS; g++)
        RK_CHECK(rk_drain(runtime, graphs[g]->kernels, graphs[g]->kernel_count, RK_SECONDS(PATIENCE_S)));
    for (size_t g = 0; g < GRAPHS; g++) pthread_join(consumer[g], 0);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(watcher, 0);
}

static int take_backend(const char *name, rk_runtime_options *o)
{
    static const struct {
        const char *name;
        rk_u32 backend, slices;
    } backends[] = { { "cpu", RK_BACKEND_CPU, 0 },
                     { "cuda", RK_BACKEND_CUDA, 0 },
                     { "cuda-slices", RK_BACKEND_CUDA, 1 },
                     { "opencl", RK_BACKEND_OPENCL, 0 },
                     { "opencl-slices", RK_BACKEND_OPENCL, 1 } };
    for (size_t b = 0; b < sizeof backends / sizeof *backends; b++)
        if (strcmp(name, backends[b].name) == 0) {
            o->backend = backends[b].backend;
            o->slices = backends[b].slices;
            return 1;
        }
    return 0;
}

static int take(const char *option, const char *value, rk_runtime_options *o)
{
    if (strcmp(option, "--seconds") == 0)
        seconds = (rk_u32)strtoul(value, 0, 10);
    else if (strcmp(option, "--seed") == 0)
        seed = (rk_u32)strtoul(value, 0, 10);
    else if (strcmp(option, "--queue") == 0)
        queue = (rk_u32)strtoul(value, 0, 10);
    else if (strcmp(option, "--threads") == 0)
        threads = (rk_u32)strtoul(value, 0, 10);
    else
        return strcmp(option, "--backend") == 0 && take_backend(value, o);
    return 1;
}

int main(int argc, char **argv)
{
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CUDA };
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !take(argv[i], argv[i + 1], &o)) {
            fprintf(stderr,
                    "usage: stress [--backend cpu|cuda|cuda-slices|opencl|opencl-slices] [--seconds N] "
                    "[--seed N] [--queue N] [--threads N]\n");
            return 2;
        }
    rk_status status = rk_open(&o, &runtime);
    if (status != RK_OK) {
        fprintf(stderr, "stress: %s", rk_error_text());
        return status == RK_UNSUPPORTED ? 77 : 1;
    }
    build();
    run();
    int right = 1;
    for (size_t g = 0; g < GRAPHS; g++) right &= all_came_once(graphs[g]) & account_is_clean(graphs[g]);
    right &= state_counts_all() & !overdrawn;
    RK_CHECK(rk_close(runtime));
    for (size_t g = 0; g < GRAPHS; g++) free(graphs[g]->seen);
    printf("seed %u, %u s: %u stops, %u relaunches, %u looks, %u late: %s\n", seed, seconds, stops,
           relaunches, looks, late, right ? "right" : "WRONG");
    return !right;
}
