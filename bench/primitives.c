/* The dialect's building blocks beside their naive forms, on the CPU: slab, stack and queue by one thread and
 * by two, arrays, histograms, scan and sort. The work is that of bench/primitives.rk.h, which a kernel does
 * on any device; here it is called with a context made by hand, so that no message's way is in it. First the
 * kernel is asked once for each piece, and has to find the same.
 *
 * A group is one thread here: what a form costs a device's threads that meet at one word, only a device
 * shows. */
#include "primitives.rk.h" /* before the host's header: a kernel source declares its messages */

#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define ROUNDS 15u
#define TRIAL_NS 4000000u /* about as long does a trial take */
#define PAIRS 60000u      /* of each of two threads */
#define GROUP 50u         /* pairs of one sample */

#define MUST(call)                                                                  \
    do {                                                                            \
        if (!(call)) {                                                              \
            fprintf(stderr, "primitives: %s failed: %s\n", #call, rk_error_text()); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

static rk_shard shard;
static rk_u8 shared[2][PRIMITIVE_SHARED_BYTES] __attribute__((aligned(64)));
static primitive_state state;

typedef struct work {
    rk_u32 (*run)(rk_context *, primitive_state *);
    rk_u32 times; /* what one call does */
    rk_u32 which;
    rk_u32 calls; /* of a trial */
    rk_u32 sum;   /* of each */
} work;

static work works[PRIMITIVE_COUNT] = {
#define WORK_(name, times_) { primitive_do_##name, times_, PRIMITIVE_DO_##name, 0, 0 },
    PRIMITIVES(WORK_)
#undef WORK_
};

static rk_context context_of(rk_u32 thread)
{
    return (rk_context){ .shard = &shard, .shared = shared[thread], .thread = thread, .threads = 1 };
}

static rk_u32 call(const work *w, rk_context *context)
{
    context->shared_used = 0;
    return w->run(context, &state);
}

static void run(const bench_contender *self, bench_trial *trial)
{
    const work *w = self->subject;
    rk_context context = context_of(0);
    bench_bind(1);
    bench_begin(trial);
    for (rk_u32 n = 0; n < w->calls; n++) {
        uint64_t before = bench_cycles();
        trial->sum_out += call(w, &context);
        bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - before) / w->times);
    }
    bench_end(trial, 1);
    trial->in = trial->out = (uint64_t)w->calls * w->times;
    trial->sum_in = (uint64_t)w->calls * w->sum;
}

/* ------------------------------------------------------------------ two threads, a pair of calls each at
 * a time */

typedef rk_u32 (*pair)(rk_context *, rk_u32); /* 1: both were done */

static rk_u32 pair_slab(rk_context *context, rk_u32 number)
{
    rk_u32 block;
    (void)number;
    return primitive_slab_rent(context, &state.slab, &block) == RK_OK &&
           primitive_slab_return(&state.slab, block) == RK_OK;
}
static rk_u32 pair_first_fit(rk_context *context, rk_u32 number)
{
    rk_u32 block = primitive_first_fit(&state);
    (void)context;
    (void)number;
    if (block) rk_store_u32(&state.used[block - 1u], 0u, RK_RELEASE, RK_SCOPE_DEVICE);
    return block != 0;
}
static rk_u32 pair_locked_list(rk_context *context, rk_u32 number)
{
    rk_u32 block = primitive_list_rent(&state);
    (void)context;
    (void)number;
    if (block) primitive_list_return(&state, block);
    return block != 0;
}
static rk_u32 pair_stack(rk_context *context, rk_u32 number)
{
    return primitive_stack_push(context, &state.stack, &number) == RK_OK &&
           primitive_stack_pop(&state.stack, &number) == RK_OK;
}
static rk_u32 pair_locked_stack(rk_context *context, rk_u32 number)
{
    (void)context;
    return primitive_pile_push(&state, number) == RK_OK && primitive_pile_pop(&state, &number) == RK_OK;
}
static rk_u32 pair_queue(rk_context *context, rk_u32 number)
{
    (void)context;
    while (primitive_queue_put(&state.queue, &number) != RK_OK) bench_yield();
    while (primitive_queue_take(&state.queue, &number) != RK_OK) bench_yield(); /* the other one isn't done */
    return 1;
}
static rk_u32 pair_locked_queue(rk_context *context, rk_u32 number)
{
    (void)context;
    return primitive_ring_put(&state, number) == RK_OK && primitive_ring_take(&state, &number) == RK_OK;
}

typedef struct hand {
    pair both;
    bench_trial *trial;
    rk_u32 thread, done;
} hand;

static void go_on(void *argument)
{
    hand *h = argument;
    rk_context context = context_of(h->thread);
    for (rk_u32 n = 0; n < PAIRS; n += GROUP) {
        uint64_t before = bench_cycles();
        for (rk_u32 i = 0; i < GROUP; i++) h->done += h->both(&context, n + i);
        if (h->thread == 0)
            bench_sample(&h->trial->samples, bench_picoseconds(bench_cycles() - before) / GROUP);
    }
}

static void run_two(const bench_contender *self, bench_trial *trial)
{
    hand hands[2] = { { *(const pair *)self->subject, trial, 0, 0 },
                      { *(const pair *)self->subject, trial, 1, 0 } };
    const bench_thread threads[] = { { go_on, &hands[0], 1 }, { go_on, &hands[1], 2 } };
    bench_together(trial, threads, 2);
    trial->in = 2u * PAIRS;
    trial->out = hands[0].done + hands[1].done;
}

/* ------------------------------------------------------------------ contests */

static void compare(const char *name, const char *title, const bench_contender *contenders, unsigned count,
                    const char *unit)
{
    bench_contest contest = { name, title, unit, contenders, count, ROUNDS };
    bench_result results[3];
    bench_run(&contest, results);
    for (unsigned i = 1; i < count; i++) {
        char figure[128];
        snprintf(figure, sizeof figure, "%s: %s / %s, p50", title, contenders[0].name, contenders[i].name);
        bench_figure(figure, bench_p50_ratio(0, i), "x");
    }
}

typedef struct row {
    const char *name, *title, *unit, *ours;
    rk_u32 which;
    struct {
        const char *name;
        rk_u32 which;
    } naive[2];
} row;

static const row rows[] = {
    { "slab",
      "rent and return, 256 of 1,000",
      "blocks",
      "slab",
      PRIMITIVE_DO_slab,
      { { "first fit", PRIMITIVE_DO_first_fit }, { "locked list", PRIMITIVE_DO_locked_list } } },
    { "stack",
      "push and pop 256",
      "entries",
      "stack",
      PRIMITIVE_DO_stack,
      { { "locked array", PRIMITIVE_DO_locked_stack } } },
    { "queue",
      "put and take 256",
      "entries",
      "queue",
      PRIMITIVE_DO_queue,
      { { "locked ring", PRIMITIVE_DO_locked_queue } } },
    { "copy",
      "copy 4,095 words",
      "words",
      "rk_vector_copy",
      PRIMITIVE_DO_copy,
      { { "each byte", PRIMITIVE_DO_copy_bytes } } },
    { "add",
      "add 4,095 u32",
      "values",
      "rk_vector_add_u32",
      PRIMITIVE_DO_add,
      { { "each value", PRIMITIVE_DO_add_each } } },
    { "sum",
      "sum of 4,095 f32",
      "values",
      "rk_vector_sum_f32",
      PRIMITIVE_DO_sum,
      { { "one thread", PRIMITIVE_DO_sum_by_one } } },
    { "bins",
      "16,384 values in 64 bins",
      "values",
      "rk_bins",
      PRIMITIVE_DO_bins,
      { { "in the state", PRIMITIVE_DO_bins_in_state } } },
    { "spread",
      "16,384 values in an rk_histogram",
      "values",
      "rk_bins_add_all",
      PRIMITIVE_DO_spread,
      { { "one thread", PRIMITIVE_DO_spread_by_one } } },
    { "scan",
      "scan of 1,024 u32",
      "values",
      "rk_scan_u32",
      PRIMITIVE_DO_scan,
      { { "every distance", PRIMITIVE_DO_scan_all } } },
    { "sort",
      "sort of 1,024 u32",
      "values",
      "rk_sort_u32",
      PRIMITIVE_DO_sort,
      { { "neighbours", PRIMITIVE_DO_sort_neighbours } } },
};

static void compare_row(const row *r)
{
    for (unsigned i = 0; i < 2 && r->naive[i].name; i++)
        if (works[r->naive[i].which].sum != works[r->which].sum) {
            fprintf(stderr, "primitives: %s and %s find different sums\n", r->ours, r->naive[i].name);
            exit(1);
        }
    bench_contender contenders[3] = { { r->ours, run, &works[r->which], 0 } };
    unsigned count = 1;
    for (; count < 3 && r->naive[count - 1u].name; count++)
        contenders[count] =
            (bench_contender){ r->naive[count - 1u].name, run, &works[r->naive[count - 1u].which], 1 };
    compare(r->name, r->title, contenders, count, r->unit);
}

static void compare_with_two_threads(void)
{
    static const pair slab = pair_slab, first_fit = pair_first_fit, list = pair_locked_list;
    static const pair stack = pair_stack, pile = pair_locked_stack, queue = pair_queue,
                      ring = pair_locked_queue;
    const bench_contender slabs[] = { { "slab", run_two, &slab, 0 },
                                      { "first fit", run_two, &first_fit, 1 },
                                      { "locked list", run_two, &list, 1 } };
    const bench_contender stacks[] = { { "stack", run_two, &stack, 0 },
                                       { "locked array", run_two, &pile, 1 } };
    const bench_contender queues[] = { { "queue", run_two, &queue, 0 },
                                       { "locked ring", run_two, &ring, 1 } };
    compare("slab_two", "two threads rent and return", slabs, 3, "pairs");
    compare("stack_two", "two threads push and pop", stacks, 2, "pairs");
    compare("queue_two", "two threads put and take", queues, 2, "pairs");
}

/* ------------------------------------------------------------------ before */

/* The sum of each piece, and how many calls make a trial. */
static void measure(work *w)
{
    rk_context context = context_of(0);
    w->sum = call(w, &context);
    uint64_t begin = bench_now_ns(), calls = 0;
    for (; bench_now_ns() - begin < TRIAL_NS / 10u; calls++)
        if (call(w, &context) != w->sum) {
            fprintf(stderr, "primitives: piece %u finds now this and now that\n", w->which);
            exit(1);
        }
    w->calls = (rk_u32)calls * 10u;
}

static void kernel_finds_the_same(void)
{
    rk_runtime *runtime;
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    MUST(rk_open(0, &runtime) == RK_OK);
    MUST(rk_launch(runtime, "primitives", &o, &kernel) == RK_OK);
    MUST(rk_activate(runtime, kernel) == RK_OK);
    for (rk_u32 which = 0; which < PRIMITIVE_COUNT; which++) {
        primitive_work m = { which, 2 };
        primitive_done d;
        MUST(rk_send(runtime, kernel, RK_BODY(m), 0) == RK_OK);
        MUST(rk_receive(runtime, kernel, &d, sizeof d, 0, RK_SECONDS(60)) == RK_OK);
        MUST(d.which == which && d.sum == works[which].sum);
    }
    MUST(rk_close(runtime) == RK_OK);
}

int main(int argc, char **argv)
{
    rk_context context = context_of(0);
    bench_open(argc, argv);
    shard.shared_size = PRIMITIVE_SHARED_BYTES;
    primitive_prepare(&context, &state);
    for (rk_u32 which = 0; which < PRIMITIVE_COUNT; which++) measure(&works[which]);
    kernel_finds_the_same();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) compare_row(&rows[i]);
    compare_with_two_threads();
    return bench_close();
}
