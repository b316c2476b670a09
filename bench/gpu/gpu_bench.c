/* ringkernel on a GPU beside what the hardware does without it: the same run, the same geometry, in turn.
 *
 * A row has up to two contenders, the library and a bare program of raw.cu. They run alternately, round by
 * round, and a ratio is the median of those of the single rounds. Only one of them is on the device at a
 * time. Each trial balances: what went in came out, every word of it checked by the handler or by the
 * receiver; else the status is 1. A row that can't run says why, and the next one runs. A thread ends the
 * process if a row doesn't end. */
#include <fnmatch.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#include "../peer/manifest.h"
#include "gpu_bench.rk.h"
#include "raw.h"

#define ROUNDS_MOST 32u
#define KERNELS_MOST 8u
#define BURST 256u
#define WARM_S 0.05
#define ROW_LIMIT_S 60u /* the first run of a kernel compiles it */
#define RUN_LIMIT_S 300u

typedef struct row row;
struct row {
    const char *id, *title;
    int rate; /* 1: messages a second, 0: quantiles of samples, 2: their mean only */
    void (*open)(const row *self);
    void (*ours)(const row *self, trial *t, double seconds);
    int (*raw)(const row *self, trial *t, double seconds);
    unsigned n;                    /* threads, pairs, shards or blocks */
    double bar, bar_p99;           /* ratio to raw: at least, of a rate; at most, of p50 and p99 */
    double limit_us, limit_p99_us; /* without raw */
    const char *note;
};

typedef struct contender {
    trial trials[ROUNDS_MOST];
    unsigned count;
    uint32_t *sorted; /* all samples */
    uint64_t samples;
} contender;

typedef struct line { /* of the table */
    char what[24];
    double ours, raw, ratio, bar; /* < 0: none */
    int at_least, absolute;
    const char *unit;
    const char *verdict; /* "met", "MISSED" or "" */
} line;

typedef struct outcome {
    const row *of;
    contender ours, raw;
    char reason[512];
    line lines[4];
    unsigned line_count;
} outcome;

static double seconds = 0.3;
static unsigned rounds = 3;
static const char *save, *only;
static rk_u32 backend = RK_BACKEND_CUDA;
static raw_device device;
static int has_device;

static outcome outcomes[32];
static unsigned outcome_count;
static unsigned unbalanced;
static uint64_t messages;    /* of all trials, warming up included */
static uint64_t row_ends_ns; /* the watchdog's */

/* ------------------------------------------------------------------ failing a row */

static jmp_buf row_failed;
static char reason[512];

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    for (size_t n = strlen(reason); n && reason[n - 1] == '\n';) reason[--n] = 0;
    longjmp(row_failed, 1);
}

#define MUST(call)                                                                                \
    do {                                                                                          \
        rk_status status_ = (call);                                                               \
        if (status_ != RK_OK) fail("%s: %s %s", #call, rk_status_name(status_), rk_error_text()); \
    } while (0)

/* What a thread beside has to say: the first one counts. */
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;
static char told[512];
static void tell(const char *what, rk_status status)
{
    pthread_mutex_lock(&telling);
    if (!told[0]) snprintf(told, sizeof told, "%s: %s %s", what, rk_status_name(status), rk_error_text());
    pthread_mutex_unlock(&telling);
}

/* ------------------------------------------------------------------ the library */

static rk_runtime *runtime;
static rk_kernel kernels[KERNELS_MOST];
static unsigned kernel_count;
static uint64_t number; /* of the next message: rows go on where the trial before ended */
static uint64_t dead_before;

static void open_runtime(void)
{
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = backend };
    kernel_count = 0;
    number = dead_before = 0;
    MUST(rk_open(&o, &runtime));
}

static void close_runtime(void)
{
    if (runtime && rk_close(runtime) != RK_OK) fprintf(stderr, "gpu_bench: closing: %s\n", rk_error_text());
    runtime = NULL;
}

static rk_launch_options plain(const char *name, unsigned shards)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = name;
    o.shards = o.blocks = shards;
    o.single_producer = 1;
    o.send_timeout_ns = RK_SECONDS(5);
    return o;
}

static rk_kernel launch(const rk_launch_options *o)
{
    char id[32];
    rk_kernel kernel;
    snprintf(id, sizeof id, "%s%u", o->kernel_name, kernel_count);
    MUST(rk_launch(runtime, id, o, &kernel));
    kernels[kernel_count++] = kernel;
    return kernel;
}

static void connect_to(rk_kernel from, const char *route, rk_kernel to, const char *message)
{
    rk_route_options o = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TARGET, .message = message };
    MUST(rk_connect(runtime, from, route, to, &o));
}

static void activate_all(void)
{
    for (unsigned i = kernel_count; i-- > 0;) MUST(rk_activate(runtime, kernels[i]));
}
static void deactivate_all(void)
{
    for (unsigned i = 0; i < kernel_count; i++) MUST(rk_deactivate(runtime, kernels[i]));
}

static rk_account account(unsigned i)
{
    rk_account a;
    MUST(rk_account_of(runtime, kernels[i], &a));
    return a;
}

/* Over all kernels. */
static rk_account accounts(void)
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

static void fill(item *m, rk_u32 n, rk_u32 chain)
{
    m->word[0] = n;
    m->word[1] = chain;
    m->word[2] = ~(n ^ chain);
    for (rk_u32 w = 3; w < 9; w++) m->word[w] = n + w;
}

static int is_damaged(const item *m)
{
    rk_u32 wrong = m->word[2] ^ ~(m->word[0] ^ m->word[1]);
    for (rk_u32 w = 3; w < 9; w++) wrong |= m->word[w] ^ (m->word[0] + w);
    return wrong != 0;
}

static void sleep_s(double s) { usleep((useconds_t)(s * 1e6)); }

/* What handlers refused since the trial before. */
static void add_dead(trial *t)
{
    uint64_t dead = accounts().dead;
    t->wrong += dead - dead_before;
    dead_before = dead;
}

/* --- host → handler → host, one under way: rows 1 and 2 */

static void open_bounce(const row *self)
{
    rk_launch_options o = plain("bounce", 1);
    if (self->n == 128) {
        o.deduplication_window = 1024;
        o.priority = o.timestamps = o.system_order = 1;
    }
    launch(&o);
}

static void round_trip(const row *self, trial *t, double s)
{
    rk_send_options o = RK_SEND_DEFAULTS, *options = self->n == 128 ? &o : NULL;
    item m, back;
    activate_all();
    bind_to(0);
    uint64_t begin = now_ns(), before = begin, end = begin + (uint64_t)(s * 1e9);
    while (before < end) {
        fill(&m, (rk_u32)++number, 7);
        o.id = number;
        o.priority = (rk_u8)number;
        MUST(rk_send(runtime, kernels[0], RK_BODY(m), options));
        t->in++;
        MUST(rk_receive(runtime, kernels[0], &back, sizeof back, NULL, RK_SECONDS(2)));
        uint64_t now = now_ns();
        t->out++;
        t->wrong += memcmp(&m, &back, sizeof m) != 0;
        if (t->out > 100) trial_sample(t, now - before); /* the first ones wait for the launch */
        before = now;
    }
    t->seconds = (double)(before - begin) / 1e9;
    bind_to(-1);
    deactivate_all();
    add_dead(t);
}

static int raw_trip(const row *self, trial *t, double s) { return raw_round_trip(t, self->n, s); }

/* --- threads beside the main one */

typedef struct worker {
    pthread_t id;
    unsigned i;
    uint64_t count, wrong, last_ns;
    uint64_t asked, next; /* row 4: events; from trial to trial */
} worker;

static worker workers[THREADS_MOST];
static unsigned started, finishing;
static uint64_t ends_ns;

static void start_workers(unsigned n, void *(*run)(void *))
{
    __atomic_store_n(&started, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&finishing, 0, __ATOMIC_SEQ_CST);
    told[0] = 0;
    for (unsigned i = 0; i < n; i++) {
        workers[i].i = i;
        workers[i].count = workers[i].wrong = 0;
        if (pthread_create(&workers[i].id, NULL, run, &workers[i])) abort();
    }
}
static void await_start(unsigned i)
{
    bind_to((int)i);
    while (!__atomic_load_n(&started, __ATOMIC_ACQUIRE)) sched_yield();
}
static void join_workers(unsigned n)
{
    for (unsigned i = 0; i < n; i++) pthread_join(workers[i].id, NULL);
    if (told[0]) fail("%s", told);
}

/* --- host → kernel: row 3 */

static void open_sinks(const row *self)
{
    rk_launch_options o = plain("sink", 1);
    o.threads = 1024;
    for (unsigned i = 0; i < self->n; i++) launch(&o);
}

static void *send_items(void *argument)
{
    worker *w = argument;
    item *items = malloc(BURST * sizeof *items);
    await_start(w->i);
    while (now_ns() < ends_ns) {
        for (unsigned k = 0; k < BURST; k++) fill(&items[k], (rk_u32)(w->count + k), w->i);
        rk_status status =
            rk_send_many(runtime, kernels[w->i], RK_TYPE_ID(item), items, sizeof items[0], BURST, NULL, NULL);
        if (status != RK_OK) {
            tell("rk_send_many", status);
            break;
        }
        w->count += BURST;
    }
    free(items);
    return NULL;
}

static void to_kernel(const row *self, trial *t, double s)
{
    uint64_t before = accounts().delivered, handled = 0;
    activate_all();
    start_workers(self->n, send_items);
    uint64_t begin = now_ns();
    ends_ns = begin + (uint64_t)(s * 1e9);
    __atomic_store_n(&started, 1, __ATOMIC_RELEASE);
    join_workers(self->n);
    for (unsigned i = 0; i < self->n; i++) t->in += workers[i].count;
    do handled = accounts().delivered - before;
    while (handled < t->in && now_ns() < ends_ns + 2000000000u);
    t->seconds = (double)(now_ns() - begin) / 1e9;
    deactivate_all();
    t->out = accounts().delivered - before;
    add_dead(t);
}

static int raw_down(const row *self, trial *t, double s) { return raw_to_device(t, self->n, s); }

/* --- kernel → host: row 4 */

static void send_ticks(rk_kernel kernel, rk_u32 chains, rk_u32 limit)
{
    rk_send_options o = RK_SEND_DEFAULTS;
    for (rk_u32 c = 0; c < chains; c++) {
        tick first = { c, 0, limit };
        o.target = c;
        MUST(rk_send(runtime, kernel, RK_BODY(first), &o));
    }
}

static void open_sources(const row *self)
{
    rk_launch_options o = plain("burst", 1);
    o.output_capacity = 16384;
    o.threads = 1024;
    for (unsigned i = 0; i < self->n; i++) {
        launch(&o);
        workers[i].asked = workers[i].next = 0;
    }
}

#define ASKED 128u /* ticks that the host sends at once */

/* Ask for more, so that there is always something under way and the lane has room for it. */
static rk_status ask_events(worker *w)
{
    tick ticks[ASKED];
    size_t n = 0, taken = 0;
    while (n < ASKED && w->asked + n * BURST_EVENTS - w->next < 12288) {
        ticks[n] = (tick){ w->i, (rk_u32)(w->asked + n * BURST_EVENTS), 0 };
        n++;
    }
    if (n < ASKED / 2) return RK_OK;
    rk_status status =
        rk_send_many(runtime, kernels[w->i], RK_TYPE_ID(tick), ticks, sizeof ticks[0], n, NULL, &taken);
    w->asked += taken * BURST_EVENTS;
    return status;
}

static void *receive_items(void *argument)
{
    worker *w = argument;
    item *items = malloc(BURST * sizeof *items);
    await_start(w->i);
    for (;;) {
        size_t got = 0;
        unsigned last = __atomic_load_n(&finishing, __ATOMIC_ACQUIRE);
        rk_status status =
            rk_receive_many(runtime, kernels[w->i], items, sizeof items[0], BURST, NULL, RK_NO_WAIT, &got);
        if (!last && (status == RK_OK || status == RK_EMPTY)) {
            rk_status asked = ask_events(w);
            if (asked != RK_OK) status = asked;
        }
        if (status != RK_OK && status != RK_EMPTY) {
            tell("rk_receive_many", status);
            break;
        }
        for (size_t k = 0; k < got; k++) /* in order, without a gap */
            w->wrong += (items[k].word[0] != (rk_u32)w->next++) | is_damaged(&items[k]);
        w->count += got;
        if (got) w->last_ns = now_ns();
        if (last && !got && w->next == w->asked) break;
        if (last && now_ns() > ends_ns + 5000000000u) break;
    }
    free(items);
    return NULL;
}

static void to_host(const row *self, trial *t, double s)
{
    uint64_t before = accounts().output_accepted, last = 0;
    activate_all(); /* before threads wait for it: what fills the out lanes meanwhile is little */
    start_workers(self->n, receive_items);
    uint64_t begin = now_ns();
    ends_ns = begin + (uint64_t)(s * 1e9);
    __atomic_store_n(&started, 1, __ATOMIC_RELEASE);
    sleep_s(s);
    __atomic_store_n(&finishing, 1, __ATOMIC_RELEASE);
    join_workers(self->n);
    rk_status stopped = RK_OK;
    for (unsigned i = 0; i < kernel_count && stopped == RK_OK; i++)
        stopped = rk_deactivate(runtime, kernels[i]);
    if (stopped != RK_OK) fail("rk_deactivate: %s", rk_error_text());
    for (unsigned i = 0; i < self->n; i++) {
        t->out += workers[i].count;
        t->wrong += workers[i].wrong;
        if (workers[i].last_ns > last) last = workers[i].last_ns;
    }
    t->seconds = (double)(last - begin) / 1e9;
    t->in = accounts().output_accepted - before;
    add_dead(t);
}

static int raw_up(const row *self, trial *t, double s) { return raw_to_host(t, self->n, s); }

/* --- messages that stay on the device: rows 5 to 8 */

#define UNDER_WAY 1024u /* of each pair or shard */
static uint64_t circulating;

/* One for each of `each` numbers to each of `targets`, a piece at a time since an inbox holds so many. */
static void scatter(rk_kernel to, unsigned targets, unsigned each)
{
    rk_send_options o = RK_SEND_DEFAULTS;
    item m;
    for (unsigned i = 0; i < targets * each; i++) {
        o.target = i % targets;
        fill(&m, i, i * 2654435761u);
        MUST(rk_send(runtime, to, RK_BODY(m), &o));
    }
    circulating = (uint64_t)targets * each;
}

/* Messages handled while they circulate: two looks, and the time between them. None may be lost or come
 * twice. */
static void circulate(const row *self, trial *t, double s)
{
    (void)self;
    activate_all();
    uint64_t begin = now_ns(), before = accounts().delivered;
    sleep_s(s);
    uint64_t end = now_ns();
    t->in = t->out = accounts().delivered - before;
    t->seconds = (double)(end - begin) / 1e9;
    deactivate_all();
    rk_account a = accounts();
    if (a.queued != circulating)
        fail("%llu messages circulated, %llu are left", (unsigned long long)circulating,
             (unsigned long long)a.queued);
    if (!t->out) fail("nothing was handled");
    add_dead(t);
}

static void open_pairs(const row *self)
{
    rk_launch_options o = plain("relay", self->n);
    rk_kernel a = launch(&o), b = launch(&o);
    connect_to(a, NULL, b, "item");
    connect_to(b, NULL, a, "item");
    scatter(a, self->n, UNDER_WAY);
}
static int raw_pairs_of(const row *self, trial *t, double s) { return raw_pairs(t, self->n, UNDER_WAY, s); }

/* Shards leave one after the other, and those that still serve go on sending to those that have left: without room for
 * that, turns would be half out at the end, and the messages of such a turn count twice. */
#define ROOMY 16384u

static void open_roam(const row *self)
{
    rk_launch_options o = plain("roam", self->n);
    o.queue_capacity = ROOMY;
    rk_kernel k = launch(&o);
    connect_to(k, NULL, k, "item");
    scatter(k, self->n, UNDER_WAY);
}

static int raw_roam(const row *self, trial *t, double s) { return raw_exchange(t, self->n, s); }

#define ACTORS 1000000u
static void open_walk(const row *self)
{
    rk_parameter p = { "actors", "1000000" };
    rk_launch_options o = plain("walk", self->n);
    o.queue_capacity = ROOMY;
    o.actors = ACTORS;
    o.parameters = &p;
    o.parameter_count = 1;
    rk_kernel k = launch(&o);
    connect_to(k, NULL, k, "item");
    scatter(k, self->n, UNDER_WAY);
}

/* A few of the states: each has counted what it has summed up. */
static void walk(const row *self, trial *t, double s)
{
    circulate(self, t, s);
    for (rk_u32 i = 0; i < 100; i++) {
        counted state;
        MUST(rk_read_state(runtime, kernels[0], i * (ACTORS / 100), &state, sizeof state));
        t->wrong += state.sum + state.inverse != state.count * 0xffffffffu;
    }
}
static int raw_states(const row *self, trial *t, double s)
{
    (void)self;
    return raw_random_states(t, ACTORS, s);
}

static void open_trip(const row *self)
{
    rk_launch_options o = plain("relay", self->n / 2);
    rk_kernel a = launch(&o), b = launch(&o);
    connect_to(a, NULL, b, "item");
    connect_to(b, NULL, a, "item");
    scatter(a, 1, 1);
}
static void device_trip(const row *self, trial *t, double s)
{
    circulate(self, t, s);
    t->in = t->out = (t->out + 1) / 2; /* there and back */
    trial_sample(t, (uint64_t)(t->seconds * 1e9 / (double)t->out));
}
static int raw_device_trip(const row *self, trial *t, double s)
{
    return raw_device_round_trip(t, self->n, s);
}

/* --- four stages: row 9 */

#define CHAINS_OF_SHARD 256u
static void *own_table; /* without a device */

static uint64_t table_count(void)
{
    uint64_t bits = 0;
    if (has_device && raw_table_count(&bits)) fail("%s", raw_error());
    for (size_t i = 0; !has_device && i < RAW_TABLE_BITS / 64; i++)
        bits += (uint64_t)__builtin_popcountll(((uint64_t *)own_table)[i]);
    return bits;
}

static void open_stages(const row *self)
{
    char at[32], bits[32];
    rk_u32 chains = self->n * CHAINS_OF_SHARD, each = (rk_u32)(RAW_TABLE_BITS / chains);
    rk_parameter p[] = { { "table", at }, { "chain_bits", bits } };
    static const char *const names[] = { "source", "relay", "relay", "last" };
    if (has_device ? raw_table_clear() : !(own_table = calloc(1, RAW_TABLE_BITS / 8)))
        fail("%s", raw_error());
    snprintf(at, sizeof at, "%llu",
             (unsigned long long)(has_device ? raw_table() : (uint64_t)(size_t)own_table));
    snprintf(bits, sizeof bits, "%u", each);
    for (unsigned i = 0; i < 4; i++) {
        rk_launch_options o = plain(names[i], self->n);
        o.queue_capacity = 8192;
        o.parameters = p;
        o.parameter_count = 2;
        launch(&o);
    }
    for (unsigned i = 0; i < 3; i++) connect_to(kernels[i], NULL, kernels[i + 1], "item");
    connect_to(kernels[0], "again", kernels[0], "tick");
    send_ticks(kernels[0], chains, each);
}

/* Everything that the first stage has sent is a bit of the last one, once. */
static void stages(const row *self, trial *t, double s)
{
    uint64_t total = account(3).delivered;
    (void)self;
    activate_all();
    uint64_t begin = now_ns(), before = account(3).delivered;
    sleep_s(s);
    uint64_t end = now_ns(), handled = account(3).delivered - before;
    t->seconds = (double)(end - begin) / 1e9;
    MUST(rk_deactivate(runtime, kernels[0]));
    uint64_t made = account(1).accepted, limit = now_ns() + 5000000000u;
    while (account(3).delivered < made && now_ns() < limit) usleep(200);
    for (unsigned i = 1; i < 4; i++) MUST(rk_deactivate(runtime, kernels[i]));
    if (account(1).accepted != account(3).delivered || table_count() != account(3).delivered) {
        unbalanced++;
        fail("does not balance: %llu events made, %llu arrived, %llu different ones",
             (unsigned long long)account(1).accepted, (unsigned long long)account(3).delivered,
             (unsigned long long)table_count());
    }
    if (!handled) fail("no event arrived (%llu before)", (unsigned long long)total);
    t->in = t->out = handled;
    add_dead(t);
}

/* --- life: row 10 */

static void open_nothing(const row *self) { (void)self; }

static void first_reply(rk_runtime *in, rk_kernel kernel, trial *t)
{
    item m, back;
    fill(&m, (rk_u32)++number, 1);
    MUST(rk_send(in, kernel, RK_BODY(m), NULL));
    t->in++;
    MUST(rk_receive(in, kernel, &back, sizeof back, NULL, RK_SECONDS(5)));
    t->out++;
    t->wrong += memcmp(&m, &back, sizeof m) != 0;
}

/* An active kernel with a batch in its inbox is terminated: RK_OK says that it was handled. */
static void terminate(const row *self, trial *t, double s)
{
    rk_launch_options o = plain("sink", 1);
    item *items = malloc(BURST * sizeof *items);
    uint64_t begin = now_ns(), end = begin + (uint64_t)(s * 1e9);
    (void)self;
    for (unsigned k = 0; k < BURST; k++) fill(&items[k], k, 0);
    while (now_ns() < end) {
        rk_kernel kernel;
        MUST(rk_launch(runtime, "ends", &o, &kernel));
        MUST(rk_activate(runtime, kernel));
        MUST(rk_send_many(runtime, kernel, RK_TYPE_ID(item), items, sizeof items[0], BURST, NULL, NULL));
        uint64_t start = now_ns();
        MUST(rk_terminate(runtime, kernel, RK_SECONDS(2)));
        trial_sample(t, now_ns() - start);
        t->in += BURST;
        t->out += BURST;
    }
    t->seconds = (double)(now_ns() - begin) / 1e9;
    free(items);
}

static void restart(const row *self, trial *t, double s)
{
    (void)self;
    activate_all();
    first_reply(runtime, kernels[0], t);
    uint64_t begin = now_ns(), end = begin + (uint64_t)(s * 1e9);
    while (now_ns() < end) {
        uint64_t start = now_ns();
        MUST(rk_deactivate(runtime, kernels[0]));
        MUST(rk_activate(runtime, kernels[0]));
        first_reply(runtime, kernels[0], t);
        trial_sample(t, now_ns() - start);
    }
    t->seconds = (double)(now_ns() - begin) / 1e9;
    deactivate_all();
    add_dead(t);
}

/* Of a runtime that has loaded no code yet; the cache of compiled kernels has it. */
static void first_launch(const row *self, trial *t, double s)
{
    uint64_t begin = now_ns(), end = begin + (uint64_t)(s * 1e9);
    (void)self;
    do {
        close_runtime();
        open_runtime();
        rk_launch_options o = plain("bounce", 1);
        uint64_t start = now_ns();
        rk_kernel kernel = launch(&o);
        MUST(rk_activate(runtime, kernel));
        first_reply(runtime, kernel, t);
        trial_sample(t, now_ns() - start);
    } while (now_ns() < end);
    t->seconds = (double)(now_ns() - begin) / 1e9;
}

/* --- without a resident kernel: row 11 */

static int raw_each(const row *self, trial *t, double s) { return raw_per_message(t, self->n, s); }

/* ------------------------------------------------------------------ the rows */

/* clang-format off */
static const row rows[] = {
    { "1", "host - handler - host, 36 bytes, one under way", 0, open_bounce, round_trip, raw_trip, 64, 1.2, 2, 0, 0,
      "slots of 64 bytes, short header; raw: a warp that echoes" },
    { "2", "the same, window, priority, stamps, order", 0, open_bounce, round_trip, raw_trip, 128, 1.3, 0, 0, 0,
      "slots of 128 bytes, long header; raw: slots of 128 bytes" },
    { "3.1", "host - kernel, 1 thread", 1, open_sinks, to_kernel, raw_down, 1, 0.7, 0, 0, 0,
      "rk_send_many of 256; raw: a ring and a block of 1,024 threads" },
    { "3.8", "host - kernel, 8 threads", 1, open_sinks, to_kernel, raw_down, 8, 0.7, 0, 0, 0,
      "eight kernels of one shard, one producer each; raw: a ring and a block each" },
    { "4.1", "kernel - host, 1 thread", 1, open_sources, to_host, raw_up, 1, 0.7, 0, 0, 0,
      "rk_receive_many of 256; raw: a ring and a block of 1,024 threads" },
    { "4.8", "kernel - host, 8 threads", 1, open_sources, to_host, raw_up, 8, 0.7, 0, 0, 0,
      "eight kernels of one shard, one reader each; raw: a ring and a block each" },
    { "5.1", "kernel - kernel, 1 pair of blocks", 1, open_pairs, circulate, raw_pairs_of, 1, 0.5, 0, 0, 0,
      "1,024 messages circulate in each pair; blocks of 256 threads, both sides" },
    { "5.66", "kernel - kernel, 66 pairs of blocks", 1, open_pairs, circulate, raw_pairs_of, 66, 0.5, 0, 0, 0,
      "the same" },
    { "6", "every shard to every shard, 132 shards", 1, open_roam, circulate, raw_roam, 132, 0.5, 0, 0, 0,
      "a target for each message; raw: 132 blocks of 1,024 threads, of which one warp takes" },
    { "7", "1,000,000 actors of 64 bytes, random targets", 1, open_walk, walk, raw_states, 132, 0, 0, 0, 0,
      "from actor to actor; raw: random states changed, no messages" },
    { "8.2", "kernel - kernel - kernel, 2 blocks", 2, open_trip, device_trip, raw_device_trip, 2, 0, 0, 0, 0,
      "one message; mean of a round trip" },
    { "8.132", "the same, 132 blocks resident", 2, open_trip, device_trip, raw_device_trip, 132, 0, 0, 0, 0,
      "one message; mean of a round trip" },
    { "9", "four stages, events to the last one", 1, open_stages, stages, NULL, 32, 0, 0, 0, 0,
      "32 shards each; a bit for every event, each set once" },
    { "10.1", "terminate, 256 queued, drained", 0, open_nothing, terminate, NULL, 0, 0, 0, 0, 0, "" },
    { "10.2", "restart to the first reply", 0, open_bounce, restart, NULL, 64, 0, 0, 50, 0,
      "rk_deactivate, rk_activate, one round trip" },
    { "10.3", "launch to the first reply", 0, open_nothing, first_launch, NULL, 0, 0, 0, 50000, 0,
      "open runtime, compiled kernel from the cache" },
    { "11.1", "launch + synchronise for each message", 0, NULL, NULL, raw_each, RAW_LAUNCH, 0, 0, 0, 0, "beside row 1" },
    { "11.2", "a graph for each message", 0, NULL, NULL, raw_each, RAW_GRAPH, 0, 0, 0, 0, "beside row 1" },
    { "11.3", "copy, launch, copy for each message", 0, NULL, NULL, raw_each, RAW_COPIES, 0, 0, 0, 0, "beside row 1" },
};
/* clang-format on */

/* ------------------------------------------------------------------ judging */

static int by_sample(const void *a, const void *b)
{
    uint32_t l = *(const uint32_t *)a, r = *(const uint32_t *)b;
    return (l > r) - (l < r);
}
static int by_value(const void *a, const void *b)
{
    double l = *(const double *)a, r = *(const double *)b;
    return (l > r) - (l < r);
}
static double median(double *values, unsigned n)
{
    if (!n) return -1;
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
static double quantile_us(const uint32_t *sorted, uint64_t n, double q)
{
    return n ? sorted[(uint64_t)(q * (double)(n - 1))] / 1e3 : -1;
}
static double rate_of(const trial *t) { return t->seconds > 0 ? (double)t->out / t->seconds : 0; }

static void gather(contender *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        trial *t = &c->trials[i];
        if (t->count) qsort(t->at, t->count, sizeof *t->at, by_sample);
        c->samples += t->count;
    }
    if (!c->samples) return;
    c->sorted = malloc(c->samples * sizeof *c->sorted);
    if (!c->sorted) abort();
    uint64_t at = 0;
    for (unsigned i = 0; i < c->count; i++) {
        trial *t = &c->trials[i];
        if (t->count) memcpy(c->sorted + at, t->at, t->count * sizeof *t->at);
        at += t->count;
    }
    qsort(c->sorted, c->samples, sizeof *c->sorted, by_sample);
}

/* A trial's figure: its rate in M/s, or a quantile in µs. */
static double figure_of(const trial *t, double q)
{
    return q < 0 ? rate_of(t) / 1e6 : quantile_us(t->at, t->count, q);
}
static double figure_over(const contender *c, double q)
{
    double values[ROUNDS_MOST];
    if (q >= 0) return quantile_us(c->sorted, c->samples, q);
    for (unsigned i = 0; i < c->count; i++) values[i] = figure_of(&c->trials[i], q);
    return median(values, c->count);
}

static void add_line(outcome *o, const char *what, double q, double bar, double limit_us)
{
    line *l = &o->lines[o->line_count++];
    double ratios[ROUNDS_MOST];
    unsigned n = 0;
    snprintf(l->what, sizeof l->what, "%s", what);
    l->unit = q < 0 ? "M/s" : "us";
    l->ours = figure_over(&o->ours, q);
    l->raw = figure_over(&o->raw, q);
    for (unsigned i = 0; i < o->ours.count && i < o->raw.count; i++) {
        double a = figure_of(&o->ours.trials[i], q), b = figure_of(&o->raw.trials[i], q);
        if (a >= 0 && b > 0) ratios[n++] = a / b;
    }
    l->ratio = n ? median(ratios, n) : l->ours >= 0 && l->raw > 0 ? l->ours / l->raw : -1;
    l->at_least = q < 0;
    l->absolute = limit_us > 0;
    l->bar = limit_us > 0 ? limit_us : bar > 0 ? bar : -1;
    double value = l->absolute ? l->ours : l->ratio;
    l->verdict = "";
    if (l->bar <= 0 || (l->raw < 0 && !l->absolute)) return; /* nothing to judge by */
    l->verdict = value >= 0 && (l->at_least ? value >= l->bar : value <= l->bar) ? "met" : "MISSED";
}

static void judge(outcome *o)
{
    const row *r = o->of;
    if (!o->ours.count && !o->raw.count) return;
    gather(&o->ours);
    gather(&o->raw);
    if (r->rate == 1) {
        add_line(o, "rate", -1, r->bar, 0);
    } else if (r->rate == 2) {
        add_line(o, "mean", 0.5, r->bar, r->limit_us);
    } else {
        add_line(o, "p50", 0.5, r->bar, r->limit_us);
        add_line(o, "p99", 0.99, r->bar_p99, r->limit_p99_us);
        add_line(o, "p99.9", 0.999, 0, 0);
        add_line(o, "max", 1, 0, 0);
    }
}

/* ------------------------------------------------------------------ running */

static int attempt(const row *r, void (*ours)(const row *, trial *, double), trial *t, double s)
{
    if (setjmp(row_failed)) {
        bind_to(-1);
        return 0;
    }
    if (ours)
        ours(r, t, s);
    else
        r->open(r);
    return 1;
}
static int attempt_runtime(void)
{
    if (setjmp(row_failed)) return 0;
    open_runtime();
    return 1;
}

static void balance(const row *r, const char *who, const trial *t)
{
    messages += t->out;
    if (t->in == t->out && !t->wrong) return;
    unbalanced++;
    printf("row %s, %s: DOES NOT BALANCE: in %llu, out %llu, wrong %llu\n", r->id, who,
           (unsigned long long)t->in, (unsigned long long)t->out, (unsigned long long)t->wrong);
}

/* One trial of a contender. 0: it can't go on. */
static int run_ours(outcome *o, double s, int counts)
{
    trial t = { 0 };
    if (!attempt(o->of, o->of->ours, &t, s)) {
        snprintf(o->reason, sizeof o->reason, "%s", reason);
        close_runtime(); /* nothing of it stays beside the bare contender */
        return 0;
    }
    balance(o->of, "ringkernel", &t);
    if (counts) o->ours.trials[o->ours.count++] = t;
    return 1;
}
static int run_raw(outcome *o, double s, int counts)
{
    trial t = { 0 };
    if (o->of->raw(o->of, &t, s)) {
        if (!o->reason[0]) snprintf(o->reason, sizeof o->reason, "raw: %s", raw_error());
        return 0;
    }
    balance(o->of, "raw", &t);
    if (counts) o->raw.trials[o->raw.count++] = t;
    return 1;
}

static void run_row(const row *r)
{
    outcome *o = &outcomes[outcome_count++];
    o->of = r;
    __atomic_store_n(&row_ends_ns, now_ns() + ROW_LIMIT_S * 1000000000ull, __ATOMIC_RELEASE);
    printf("row %-6s %-46s", r->id, r->title);
    fflush(stdout);
    uint64_t begin = now_ns();
    int ours = r->ours != NULL, raw = r->raw != NULL && has_device;
    if (ours) {
        ours = attempt_runtime() && attempt(r, NULL, NULL, 0);
        if (!ours) {
            snprintf(o->reason, sizeof o->reason, "%s", reason);
            close_runtime();
        }
    }
    if (ours) ours = run_ours(o, WARM_S, 0);
    if (raw) raw = run_raw(o, WARM_S, 0);
    for (unsigned round = 0; round < rounds && (ours || raw); round++) {
        if (raw) raw = run_raw(o, seconds, 1);
        if (ours) ours = run_ours(o, seconds, 1);
    }
    close_runtime();
    free(own_table);
    own_table = NULL;
    judge(o);
    printf(" %5.1f s\n", (double)(now_ns() - begin) / 1e9);
    if (o->reason[0]) printf("    %s\n", o->reason);
    fflush(stdout);
}

/* ------------------------------------------------------------------ showing */

static void print_value(double value)
{
    if (value < 0)
        printf(" %11s", "-");
    else
        printf(" %11.*f", value < 10 ? 3 : value < 1000 ? 2 : 0, value);
}

static void print_table(void)
{
    const outcome *first = outcome_count && !strcmp(outcomes[0].of->id, "1") ? &outcomes[0] : NULL;
    printf("\n%-6s %-46s %-6s %11s %11s %-4s %8s %8s %s\n", "row", "what", "", "ringkernel", "raw", "",
           "ratio", "bar", "");
    for (unsigned i = 0; i < outcome_count; i++) {
        outcome *o = &outcomes[i];
        if (!o->line_count) printf("%-6s %-46s could not run\n", o->of->id, o->of->title);
        for (unsigned k = 0; k < o->line_count; k++) {
            line *l = &o->lines[k];
            if (!o->of->ours && first && first->line_count == o->line_count) { /* beside row 1 */
                l->ours = first->lines[k].ours;
                l->ratio = l->ours > 0 && l->raw > 0 ? l->ours / l->raw : -1;
            }
            printf("%-6s %-46s %-6s", k ? "" : o->of->id, k ? "" : o->of->title, l->what);
            print_value(l->ours);
            print_value(l->raw);
            printf(" %-4s", l->unit);
            if (l->ratio >= 0)
                printf(" %8.3f", l->ratio);
            else
                printf(" %8s", "-");
            char bar[32] = "";
            if (l->bar > 0)
                snprintf(bar, sizeof bar, "%s %g%s", l->at_least ? ">=" : "<=", l->bar,
                         l->absolute ? " us" : "");
            printf(" %8s %s\n", bar, l->verdict);
        }
        if (o->of->note[0]) printf("%-6s   %s\n", "", o->of->note);
        if (o->reason[0]) printf("%-6s   failed: %.400s\n", "", o->reason);
    }
    fflush(stdout);
}

static void first_line_of(const char *command, char *text, size_t size)
{
    FILE *pipe = popen(command, "r");
    text[0] = 0;
    if (!pipe) return;
    if (!fgets(text, (int)size, pipe)) text[0] = 0;
    text[strcspn(text, "\n")] = 0;
    pclose(pipe);
}

static void write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', file);
        if ((unsigned char)*text < 32)
            fputc(' ', file);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

static void write_contender(FILE *file, const char *name, const contender *c)
{
    static const double qs[] = { 0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 };
    fprintf(file, ",\n     \"%s\": {\"trials\": [", name);
    for (unsigned i = 0; i < c->count; i++) {
        const trial *t = &c->trials[i];
        fprintf(
            file,
            "%s\n      {\"in\": %llu, \"out\": %llu, \"wrong\": %llu, \"seconds\": %.6f, \"samples\": %llu",
            i ? "," : "", (unsigned long long)t->in, (unsigned long long)t->out, (unsigned long long)t->wrong,
            t->seconds, (unsigned long long)t->count);
        if (t->count) fputs(", \"quantiles_us\": {", file);
        for (unsigned q = 0; t->count && q < sizeof qs / sizeof *qs; q++)
            fprintf(file, "%s\"%g\": %.3f", q ? ", " : "", qs[q], quantile_us(t->at, t->count, qs[q]));
        fputs(t->count ? "}}" : "}", file);
    }
    fputs("]}", file);
}

static void write_record(void)
{
    char path[1024], date[16], machine[256];
    static const int cores[2] = { -1, -1 };
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    snprintf(path, sizeof path, "%s/gpu_bench-%s.json", save, date);
    FILE *file = fopen(path, "w");
    if (!file) {
        fprintf(stderr, "gpu_bench: %s can't be written\n", path);
        exit(1);
    }
    fputs("{\n", file);
    bench_manifest(file, RK_SOURCE_DIR, cores);
    first_line_of(
        "nvidia-smi --query-gpu=driver_version,clocks.sm,clocks.max.sm,clocks.mem,pcie.link.gen.current,"
        "pcie.link.width.current,persistence_mode --format=csv,noheader 2> /dev/null",
        machine, sizeof machine);
    fprintf(
        file,
        "  \"device\": {\"backend\": \"%s\", \"name\": \"%s\", \"multiprocessors\": %d, \"capability\": %d, "
        "\"cuda_driver\": %d, \"cuda_runtime\": %d, \"clock_khz\": %d,\n    \"driver_clocks_link\": "
        "\"%s\"},\n",
        backend == RK_BACKEND_CPU ? "cpu" : "cuda", device.name, device.multiprocessors, device.capability,
        device.driver, device.runtime, device.clock_khz, machine);
    fprintf(file, "  \"seconds\": %g, \"rounds\": %u, \"unbalanced\": %u,\n  \"rows\": [", seconds, rounds,
            unbalanced);
    for (unsigned i = 0; i < outcome_count; i++) {
        const outcome *o = &outcomes[i];
        fprintf(file,
                "%s\n    {\"row\": \"%s\", \"what\": \"%s\", \"note\": \"%s\", \"reason\": ", i ? "," : "",
                o->of->id, o->of->title, o->of->note);
        write_text(file, o->reason);
        fputs(",\n     \"figures\": [", file);
        for (unsigned k = 0; k < o->line_count; k++) {
            const line *l = &o->lines[k];
            fprintf(file,
                    "%s\n      {\"figure\": \"%s\", \"unit\": \"%s\", \"ringkernel\": %.6g, \"raw\": %.6g, "
                    "\"ratio\": %.6g, \"bar\": %.6g, \"verdict\": \"%s\"}",
                    k ? "," : "", l->what, l->unit, l->ours, l->raw, l->ratio, l->bar, l->verdict);
        }
        fputs("]", file);
        write_contender(file, "ringkernel", &o->ours);
        write_contender(file, "raw", &o->raw);
        fputs("}", file);
    }
    fputs("\n  ]\n}\n", file);
    fclose(file);
    printf("saved: %s\n", path);
}

/* ------------------------------------------------------------------ the run */

static void *watchdog(void *argument)
{
    uint64_t run_ends_ns = now_ns() + RUN_LIMIT_S * 1000000000ull;
    (void)argument;
    for (;;) {
        usleep(100000);
        uint64_t now = now_ns();
        if (now < __atomic_load_n(&row_ends_ns, __ATOMIC_ACQUIRE) && now < run_ends_ns) continue;
        if (outcome_count && !outcomes[outcome_count - 1].reason[0])
            snprintf(outcomes[outcome_count - 1].reason, sizeof reason,
                     "did not end; the rows behind it did not run");
        printf("\n");
        print_table();
        if (save) write_record();
        fprintf(stderr, "gpu_bench: ended by its watchdog\n");
        fflush(stdout);
        _exit(1);
    }
    return NULL;
}

static _Noreturn void usage(void)
{
    fprintf(
        stderr,
        "usage: gpu_bench [--save FOLDER] [--only PATTERN] [--seconds S] [--rounds N] [--backend cuda|cpu]\n"
        "PATTERN is of rows: '3.*', '1'; several with commas\n");
    exit(2);
}

static void options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value) usage();
        if (!strcmp(argv[i], "--save"))
            save = value;
        else if (!strcmp(argv[i], "--only"))
            only = value;
        else if (!strcmp(argv[i], "--seconds"))
            seconds = strtod(value, NULL);
        else if (!strcmp(argv[i], "--rounds"))
            rounds = (unsigned)strtoul(value, NULL, 10);
        else if (!strcmp(argv[i], "--backend") && !strcmp(value, "cpu"))
            backend = RK_BACKEND_CPU;
        else if (strcmp(argv[i], "--backend") || strcmp(value, "cuda"))
            usage();
        i++;
    }
    if (seconds < 0.01 || seconds > 10 || rounds < 1 || rounds > ROUNDS_MOST) usage();
}

static int is_chosen(const row *r)
{
    char patterns[256];
    if (!only) return 1;
    snprintf(patterns, sizeof patterns, "%s", only);
    for (char *rest = patterns, *p; (p = strtok_r(rest, ",", &rest));)
        if (!fnmatch(p, r->id, 0)) return 1;
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t dog;
    unsigned missed = 0, failed = 0;
    options(argc, argv);
    bind_to(-1); /* knows the cores before anything is bound */
    row_ends_ns = now_ns() + ROW_LIMIT_S * 1000000000ull;
    if (pthread_create(&dog, NULL, watchdog, NULL)) return 1;
    has_device = backend == RK_BACKEND_CUDA && raw_open(&device) == 0;
    if (backend == RK_BACKEND_CUDA && !has_device) {
        fprintf(stderr, "gpu_bench: no device: %s\n", raw_error());
        return 77;
    }
    if (has_device)
        printf("%s, %d multiprocessors, CUDA %d; %ld cores; %u rounds of %g s\n", device.name,
               device.multiprocessors, device.driver, sysconf(_SC_NPROCESSORS_ONLN), rounds, seconds);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (is_chosen(&rows[i]) && (rows[i].ours || has_device)) run_row(&rows[i]);
    __atomic_store_n(&row_ends_ns, now_ns() + ROW_LIMIT_S * 1000000000ull, __ATOMIC_RELEASE);
    print_table();
    if (save) write_record();
    for (unsigned i = 0; i < outcome_count; i++) {
        failed += outcomes[i].reason[0] != 0;
        for (unsigned k = 0; k < outcomes[i].line_count; k++)
            missed += outcomes[i].lines[k].verdict[0] == 'M';
    }
    printf(
        "%u rows, %u failed, %u bars missed; %llu messages counted and checked, %u trials out of balance\n",
        outcome_count, failed, missed, (unsigned long long)messages, unbalanced);
    return unbalanced ? 1 : 0;
}
