/* Rows 10 and 11: the life of kernels, and what is done without one that stays. */
#include "gpu_bench.h"

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
static const row table[] = {
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
const rows life_rows = ROWS(table);
