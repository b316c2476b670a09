/* Rows 20 to 23: messages from device to device. The runtime of such a row is over two devices. */
#include "gpu_bench.h"

static void open_over_two(void)
{
    static const rk_u32 devices[] = { 0, 1 };
    close_runtime();
    open_runtime_over(devices, 2);
}

static rk_kernel launch_on(const char *kernel, unsigned shards, rk_u32 capacity, rk_u32 place)
{
    rk_launch_options o = plain(kernel, shards);
    o.queue_capacity = capacity;
    o.device = place;
    return launch(&o);
}

/* Two kernels, one on each device, that send what they get to each other. */
static rk_kernel open_two(const char *kernel, unsigned shards, rk_u32 capacity)
{
    open_over_two();
    rk_kernel a = launch_on(kernel, shards, capacity, 0), b = launch_on(kernel, shards, capacity, 1);
    connect_to(a, NULL, b, "item");
    connect_to(b, NULL, a, "item");
    return a;
}

static void open_pairs(const row *self) { scatter(open_two("relay", self->n, 4096), self->n, UNDER_WAY); }
static int raw_pairs_of(const row *self, trial *t, double s)
{
    return raw_peer_pairs(t, self->n, UNDER_WAY, s);
}

static void open_trip(const row *self) { scatter(open_two("relay", self->n, 4096), 1, 1); }
static int raw_trip(const row *self, trial *t, double s)
{
    (void)self;
    return raw_peer_round_trip(t, s);
}

/* Every shard of one device to every shard of the other. */
static void open_roam(const row *self)
{
    scatter(open_two("roam", self->n / 2, ROOMY), self->n / 2, ROAMING);
}

/* Two stages on each device: once over the link. */
static void open_two_stages(const row *self)
{
    static const rk_u32 places[4] = { 0, 0, 1, 1 };
    open_over_two();
    open_stages_on(self->n, places);
}

/* clang-format off */
static const row table[] = {
    { "20.1", "device - device, 1 pair of blocks", 1, open_pairs, circulate, raw_pairs_of, 1, 0.7, 0, 0, 0,
      "1,024 messages circulate in each pair; blocks of 256 threads, both sides" },
    { "20.66", "device - device, 66 pairs of blocks", 1, open_pairs, circulate, raw_pairs_of, 66, 0.7, 0, 0, 0,
      "the same" },
    { "21", "device - device - device, 2 blocks", 2, open_trip, device_trip, raw_trip, 1, 1.3, 0, 0, 0,
      "one message; mean of a round trip" },
    { "22", "four stages, two on each device", 1, open_two_stages, stages, NULL, 132, 0, 0, 0, 0,
      "84, 16, 16 and 16 shards; a bit for every event, each set once" },
    { "23", "every shard to every shard of the other, 264 shards", 1, open_roam, circulate, NULL, 264, 0, 0, 0, 0,
      "132 shards on each device; a target for each message" },
};
/* clang-format on */
const rows peer_rows = ROWS(table);
