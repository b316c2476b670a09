/* Rows 1 to 4: between the host and kernels. */
#include "gpu_bench.h"

/* --- host → handler → host, one under way: rows 1 and 2 */

void open_bounce(const row *self)
{
    rk_launch_options o = plain("bounce", 1);
    if (self->n == 128) {
        o.deduplication_window = 1024;
        o.single_producer = 0; /* a lane with a window has a lock anyway */
        o.priority = o.timestamps = o.system_order = 1;
    }
    launch(&o);
}

static void round_trip(const row *self, trial *t, double s)
{
    rk_send_options o = RK_SEND_DEFAULTS, *options = self->n == 128 ? &o : NULL;
    item m, back;
    activate_all();
    bind_thread(0);
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
    bind_thread(-1);
    deactivate_all();
    add_dead(t);
}

/* --- a kernel of 132 shards, idle but for one: row 12 */

#define IDLE_SHARDS 132u
#define IDLE_NS 5000000u /* after which a block rests: device/rest.h */

static void open_bounces(const row *self)
{
    rk_launch_options o = plain("bounce", IDLE_SHARDS);
    (void)self;
    launch(&o);
}

static uint64_t trip_to(rk_u32 shard, trial *t)
{
    rk_send_options o = RK_SEND_DEFAULTS;
    item m, back;
    fill(&m, (rk_u32)++number, 7);
    o.target = shard;
    uint64_t begin = now_ns();
    MUST(rk_send(runtime, kernels[0], RK_BODY(m), &o));
    MUST(rk_receive(runtime, kernels[0], &back, sizeof back, NULL, RK_SECONDS(2)));
    uint64_t took = now_ns() - begin;
    t->in++;
    t->out++;
    t->wrong += memcmp(&m, &back, sizeof m) != 0;
    return took;
}

/* `n` shards are asked in turn: one always, or each when all have been idle for a while. */
static void trips_among_idle(const row *self, trial *t, double s)
{
    activate_all();
    bind_thread(0);
    for (rk_u32 shard = 0; shard < IDLE_SHARDS; shard++)
        trip_to(shard, t); /* the first wait for the launch */
    uint64_t begin = now_ns(), end = begin + (uint64_t)(s * 1e9);
    for (rk_u32 i = 0; now_ns() < end; i++) {
        for (uint64_t until = now_ns() + (self->n > 1u ? IDLE_NS : 0u); now_ns() < until;) {}
        trial_sample(t, trip_to(i % self->n, t));
    }
    t->seconds = (double)(now_ns() - begin) / 1e9;
    bind_thread(-1);
    deactivate_all();
    add_dead(t);
}

static int raw_one_trip(const row *self, trial *t, double s)
{
    (void)self;
    return raw_round_trip(t, 64, s);
}

static int raw_trip(const row *self, trial *t, double s) { return raw_round_trip(t, self->n, s); }

/* --- host → kernel: row 3 */

static void open_sinks(const row *self)
{
    rk_launch_options o = plain("sink", 1);
    o.threads = 512;
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

static void open_sources(const row *self)
{
    rk_launch_options o = plain("burst", 1);
    o.output_capacity = 16384;
    o.threads = 512;
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

/* ------------------------------------------------------------------ the rows */

/* clang-format off */
static const row table[] = {
    { "1", "host - handler - host, 36 bytes, one under way", 0, open_bounce, round_trip, raw_trip, 64, 1.2, 2, 0, 0,
      "slots of 64 bytes, short header; raw: a warp that echoes" },
    { "2", "the same, window, priority, stamps, order", 0, open_bounce, round_trip, raw_trip, 128, 1.3, 0, 0, 0,
      "slots of 128 bytes, long header; raw: slots of 128 bytes" },
    { "3.1", "host - kernel, 1 thread", 1, open_sinks, to_kernel, raw_down, 1, 0.7, 0, 0, 0,
      "rk_send_many of 256 to a block of 512 threads; raw: a ring and a block of 1,024" },
    { "3.8", "host - kernel, 8 threads", 1, open_sinks, to_kernel, raw_down, 8, 0.7, 0, 0, 0,
      "eight kernels of one shard, one producer each; raw: a ring and a block each" },
    { "4.1", "kernel - host, 1 thread", 1, open_sources, to_host, raw_up, 1, 0.7, 0, 0, 0,
      "rk_receive_many of 256 from a block of 512 threads; raw: a ring and a block of 1,024" },
    { "4.8", "kernel - host, 8 threads", 1, open_sources, to_host, raw_up, 8, 0.7, 0, 0, 0,
      "eight kernels of one shard, one reader each; raw: a ring and a block each" },
    { "12.1", "row 1 beside 131 idle shards", 0, open_bounces, trips_among_idle, raw_one_trip, 1, 1.2, 2, 0, 0,
      "one of 132 shards has all the messages" },
    { "12.132", "host - handler - host, after 5 ms without any", 0, open_bounces, trips_among_idle, raw_one_trip,
      IDLE_SHARDS, 0, 0, 0, 0, "132 shards that rest, each asked in turn; raw: a warp that always polls" },
};
/* clang-format on */
const rows host_rows = ROWS(table);
