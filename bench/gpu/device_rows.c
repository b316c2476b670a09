/* Rows 5 to 9: messages that stay on the device. */
#include <stdio.h>
#include <unistd.h>

#include "gpu_bench.h"

/* --- messages that stay on the device: rows 5 to 8 */

static uint64_t circulating;

/* One for each of `each` numbers to each of `targets`, a piece at a time since an inbox holds so many. */
void scatter(rk_kernel to, unsigned targets, unsigned each)
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
void circulate(const row *self, trial *t, double s)
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

/* Two kernels that send what they get to each other. */
static rk_kernel open_two(const char *kernel, unsigned shards)
{
    rk_launch_options o = plain(kernel, shards);
    rk_kernel a = launch(&o), b = launch(&o);
    connect_to(a, NULL, b, "item");
    connect_to(b, NULL, a, "item");
    return a;
}
static void open_pairs(const row *self) { scatter(open_two("relay", self->n), self->n, UNDER_WAY); }
static void open_relaxed_pairs(const row *self)
{
    scatter(open_two("relay_relaxed", self->n), self->n, UNDER_WAY);
}
static int raw_pairs_of(const row *self, trial *t, double s) { return raw_pairs(t, self->n, UNDER_WAY, s); }

/* Where all messages circulate among all shards they gather before the slowest, and while shards leave one after the other,
 * those that still serve go on sending to those that have left. So a shard has room for all there are: else turns would be
 * half out at the end, and the messages of such a turn count twice: hence ROOMY. */
static void open_roam(const row *self)
{
    rk_launch_options o = plain("roam", self->n);
    o.queue_capacity = ROOMY;
    rk_kernel k = launch(&o);
    connect_to(k, NULL, k, "item");
    scatter(k, self->n, ROAMING);
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
    scatter(k, self->n, ROAMING);
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

static void open_trip(const row *self) { scatter(open_two("relay", self->n / 2), 1, 1); }
static void open_relaxed_trip(const row *self) { scatter(open_two("relay_relaxed", self->n / 2), 1, 1); }
void device_trip(const row *self, trial *t, double s)
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

void free_own_table(void)
{
    free(own_table);
    own_table = NULL;
}

static uint64_t table_count(void)
{
    uint64_t bits = 0;
    if (run.has_device && raw_table_count(&bits)) fail("%s", raw_error());
    for (size_t i = 0; !run.has_device && i < RAW_TABLE_BITS / 64; i++)
        bits += (uint64_t)__builtin_popcountll(((uint64_t *)own_table)[i]);
    return bits;
}

/* `shards` of them, of which the first stage, where a shard makes some 20 M events a second, has two thirds. */
void open_stages_on(unsigned shards, const rk_u32 places[4])
{
    char at[32], bits[32];
    const unsigned others = shards * 4u / 33u, first = shards - 3u * others;
    rk_u32 chains = first * CHAINS_OF_SHARD, each = (rk_u32)(RAW_TABLE_BITS / chains);
    rk_parameter p[] = { { "table", at }, { "chain_bits", bits } };
    static const char *const names[] = { "source", "relay", "relay", "last" };
    if (run.has_device ? raw_table_clear() : !(own_table = calloc(1, RAW_TABLE_BITS / 8)))
        fail("%s", raw_error());
    snprintf(at, sizeof at, "%llu",
             (unsigned long long)(run.has_device ? raw_table() : (uint64_t)(size_t)own_table));
    snprintf(bits, sizeof bits, "%u", each);
    for (unsigned i = 0; i < 4; i++) {
        rk_launch_options o = plain(names[i], i ? others : first);
        o.queue_capacity = 8192;
        o.device = places[i];
        o.parameters = p;
        o.parameter_count = 2;
        launch(&o);
    }
    for (unsigned i = 0; i < 3; i++) connect_to(kernels[i], NULL, kernels[i + 1], "item");
    connect_to(kernels[0], "again", kernels[0], "tick");
    send_ticks(kernels[0], chains, each);
}

static void open_stages(const row *self)
{
    static const rk_u32 places[4] = { 0 };
    open_stages_on(self->n, places);
}

/* Everything that the first stage has sent is a bit of the last one, once. */
void stages(const row *self, trial *t, double s)
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
        run.unbalanced++;
        fail("does not balance: %llu events made, %llu arrived, %llu different ones",
             (unsigned long long)account(1).accepted, (unsigned long long)account(3).delivered,
             (unsigned long long)table_count());
    }
    if (!handled) fail("no event arrived (%llu before)", (unsigned long long)total);
    t->in = t->out = handled;
    add_dead(t);
}

/* ------------------------------------------------------------------ the rows */

/* clang-format off */
static const row table[] = {
    { "5.1", "kernel - kernel, 1 pair of blocks", 1, open_pairs, circulate, raw_pairs_of, 1, 0.5, 0, 0, 0,
      "1,024 messages circulate in each pair; blocks of 256 threads, both sides" },
    { "5.66", "kernel - kernel, 66 pairs of blocks", 1, open_pairs, circulate, raw_pairs_of, 66, 0.5, 0, 0, 0,
      "the same" },
    { "5.1r", "the same pair, relaxed", 1, open_relaxed_pairs, circulate, raw_pairs_of, 1, 0.5, 0, 0, 0,
      "kernels of .memory = RK_RELAXED_MEMORY: no fences, as in the bare program" },
    { "5.66r", "66 pairs, relaxed", 1, open_relaxed_pairs, circulate, raw_pairs_of, 66, 0.5, 0, 0, 0, "the same" },
    { "6", "every shard to every shard, 132 shards", 1, open_roam, circulate, raw_roam, 132, 0.5, 0, 0, 0,
      "a target for each message; raw: 132 blocks of 1,024 threads, of which one warp takes" },
    { "7", "1,000,000 actors of 64 bytes, random targets", 1, open_walk, walk, raw_states, 132, 0, 0, 0, 0,
      "from actor to actor; raw: random states changed, no messages" },
    { "8.2", "kernel - kernel - kernel, 2 blocks", 2, open_trip, device_trip, raw_device_trip, 2, 0, 0, 0, 0,
      "one message; mean of a round trip" },
    { "8.132", "the same, 132 blocks resident", 2, open_trip, device_trip, raw_device_trip, 132, 0, 0, 0, 0,
      "one message; mean of a round trip" },
    { "8.2r", "2 blocks, relaxed", 2, open_relaxed_trip, device_trip, raw_device_trip, 2, 0, 0, 0, 0,
      "no fences, as in the bare program" },
    { "9", "four stages, events to the last one", 1, open_stages, stages, NULL, 132, 0, 0, 0, 0,
      "84, 16, 16 and 16 shards; a bit for every event, each set once" },
};
/* clang-format on */
const rows device_rows = ROWS(table);
