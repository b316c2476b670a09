/* The library's side of a trial: a runtime, its kernels and their accounts, messages that prove themselves, and threads
 * that send or receive. */
#include <stdio.h>
#include <unistd.h>

#include "gpu_bench.h"

rk_runtime *runtime;
rk_kernel kernels[KERNELS_MOST];
unsigned kernel_count;
uint64_t number;
static uint64_t dead_before;

void open_runtime(void) { open_runtime_over(NULL, 0); }

void open_runtime_over(const rk_u32 *devices, rk_u32 count)
{
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = run.backend, .device_count = count,
                             .devices = devices };
    kernel_count = 0;
    number = dead_before = 0;
    MUST(rk_open(&o, &runtime));
}

void close_runtime(void)
{
    if (runtime && rk_close(runtime) != RK_OK) fprintf(stderr, "gpu_bench: closing: %s\n", rk_error_text());
    runtime = NULL;
}

rk_launch_options plain(const char *name, unsigned shards)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = name;
    o.shards = o.blocks = shards;
    o.single_producer = 1;
    o.send_timeout_ns = RK_SECONDS(5);
    return o;
}

rk_kernel launch(const rk_launch_options *o)
{
    char id[32];
    rk_kernel kernel;
    snprintf(id, sizeof id, "%s%u", o->kernel_name, kernel_count);
    MUST(rk_launch(runtime, id, o, &kernel));
    kernels[kernel_count++] = kernel;
    return kernel;
}

void connect_to(rk_kernel from, const char *route, rk_kernel to, const char *message)
{
    rk_route_options o = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TARGET, .message = message };
    MUST(rk_connect(runtime, from, route, to, &o));
}

void activate_all(void)
{
    for (unsigned i = kernel_count; i-- > 0;) MUST(rk_activate(runtime, kernels[i]));
}
void deactivate_all(void)
{
    for (unsigned i = 0; i < kernel_count; i++) MUST(rk_deactivate(runtime, kernels[i]));
}

rk_account account(unsigned i)
{
    rk_account a;
    MUST(rk_account_of(runtime, kernels[i], &a));
    return a;
}

/* Over all kernels. */
rk_account accounts(void)
{
    rk_account sum = { 0 };
    for (unsigned i = 0; i < kernel_count; i++) {
        rk_account a = account(i);
        sum.accepted += a.accepted;
        sum.delivered += a.delivered;
        sum.queued += a.queued;
        sum.dead += a.dead + a.dead_sends + a.lost + a.expired + a.evicted;
        sum.output_accepted += a.output_accepted;
        sum.output_received += a.output_received;
    }
    return sum;
}

void fill(item *m, rk_u32 n, rk_u32 chain)
{
    m->word[0] = n;
    m->word[1] = chain;
    m->word[2] = ~(n ^ chain);
    for (rk_u32 w = 3; w < 9; w++) m->word[w] = n + w;
}

int is_damaged(const item *m)
{
    rk_u32 wrong = m->word[2] ^ ~(m->word[0] ^ m->word[1]);
    for (rk_u32 w = 3; w < 9; w++) wrong |= m->word[w] ^ (m->word[0] + w);
    return wrong != 0;
}

void sleep_s(double s) { usleep((useconds_t)(s * 1e6)); }

/* What handlers refused since the trial before. */
void add_dead(trial *t)
{
    uint64_t dead = accounts().dead;
    t->wrong += dead - dead_before;
    dead_before = dead;
}

void bind_thread(int core) { bind_to(core); }

void send_ticks(rk_kernel kernel, rk_u32 chains, rk_u32 limit)
{
    rk_send_options o = RK_SEND_DEFAULTS;
    for (rk_u32 c = 0; c < chains; c++) {
        tick first = { c, 0, limit };
        o.target = c;
        MUST(rk_send(runtime, kernel, RK_BODY(first), &o));
    }
}

/* ------------------------------------------------------------------ threads beside the main one */

worker workers[THREADS_MOST];
unsigned started, finishing;
uint64_t ends_ns;

void start_workers(unsigned n, void *(*function)(void *))
{
    __atomic_store_n(&started, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&finishing, 0, __ATOMIC_SEQ_CST);
    forget_told();
    for (unsigned i = 0; i < n; i++) {
        workers[i].i = i;
        workers[i].count = workers[i].wrong = 0;
        if (pthread_create(&workers[i].id, NULL, function, &workers[i])) abort();
    }
}
void await_start(unsigned i)
{
    bind_thread((int)i);
    while (!__atomic_load_n(&started, __ATOMIC_ACQUIRE)) sched_yield();
}
void join_workers(unsigned n)
{
    for (unsigned i = 0; i < n; i++) pthread_join(workers[i].id, NULL);
    fail_if_told();
}
