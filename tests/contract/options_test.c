/* Options: what is valid, what a mistake is told, and the memory that they come to. */
#include "probes.h"

#include <stdio.h>
#include <stdlib.h>

#include "versions.h"

#include "runtime/core.h"

/* ------------------------------------------------------------------ validation */

static void defaults_are_the_guides(contract *c)
{
    (void)c;
    rk_launch_options o = rk_production();
    assert_int_equal(o.queue_capacity, 4096);
    assert_int_equal(o.deduplication_window, 1024);
    assert_int_equal(o.backpressure, RK_BACKPRESSURE_BLOCK);
    assert_int_equal(o.priority, 0);
    assert_int_equal(o.stream_priority, RK_STREAM_NORMAL);
    assert_ok(rk_validate(&o));
}

static void presets_are_valid_and_as_documented(contract *c)
{
    (void)c;
    const struct {
        rk_launch_options options;
        rk_u32 capacity, window, strategy;
    } presets[] = {
        { rk_production(), 4096, 1024, RK_BACKPRESSURE_BLOCK },
        { rk_low_latency(), 256, 256, RK_BACKPRESSURE_REJECT },
        { rk_high_throughput(), 16384, 1024, RK_BACKPRESSURE_BLOCK },
    };
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        rk_launch_options o = presets[i].options;
        assert_ok(rk_validate(&o));
        assert_int_equal(o.queue_capacity, presets[i].capacity);
        assert_int_equal(o.deduplication_window, presets[i].window);
        assert_int_equal(o.backpressure, presets[i].strategy);
        assert_int_equal(o.priority, 0);
    }
}

/* One field with a value that it can't have, and what the refusal has to name. */
typedef struct mistake {
    const char *field;
    rk_u32 offset; /* of a u32 in rk_launch_options */
    rk_u32 value;
    const char *says[3];
} mistake;
#define FIELD(name) #name, offsetof(rk_launch_options, name)

static const mistake mistakes[] = {
    { FIELD(queue_capacity), 15, { "15", "16 to 1048576", "16" } },
    { FIELD(queue_capacity), 0, { "queue_capacity 0", "16 to 1048576", "16" } },
    { FIELD(queue_capacity), 1048577, { "1048577", "16 to 1048576", "nearest is 1048576" } },
    { FIELD(queue_capacity), 5000, { "5000", "power of two", "4096 and 8192" } },
    { FIELD(queue_capacity), 17, { "17", "power of two", "16 and 32" } },
    { FIELD(queue_capacity), 1048575, { "1048575", "power of two", "524288 and 1048576" } },
    { FIELD(deduplication_window), 15, { "15", "16", "0 turns it off" } },
    { FIELD(deduplication_window), 1, { "1", "16", "0 turns it off" } },
    { FIELD(deduplication_window), 1025, { "1025", "1024", 0 } },
    { FIELD(deduplication_window), 2048, { "2048", "1024", 0 } },
    { FIELD(backpressure), 4, { "4", "0 to 3", 0 } },
    { FIELD(priority), 2, { "2", "0 to 1", 0 } },
    { FIELD(stream_priority), 3, { "3", "0 to 2", 0 } },
    { FIELD(shards), 0, { "0", "1 to 4096", 0 } },
    { FIELD(shards), 4097, { "4097", "1 to 4096", 0 } },
    { FIELD(blocks), 0, { "0", "1 to 4096", 0 } },
    { FIELD(threads), 0, { "0", "1 to 1024", 0 } },
    { FIELD(threads), 1025, { "1025", "1 to 1024", 0 } },
    { FIELD(output_capacity), 100, { "100", "64 and 128", 0 } },
    { FIELD(output_capacity), 8, { "8", "16 to 1048576", 0 } },
    { FIELD(expiry), 2, { "2", "0 to 1", 0 } },
    { FIELD(requests), 2, { "2", "0 to 1", 0 } },
    { FIELD(timestamps), 2, { "2", "0 to 1", 0 } },
    { FIELD(slot_format), 2, { "2", "0 to 1", 0 } },
    { FIELD(single_producer), 2, { "2", "0 to 1", 0 } },
    { FIELD(single_producer), 1, { "plain lane", "deduplication_window", "leave it 0" } },
    { FIELD(system_order), 2, { "2", "0 to 1", 0 } },
    { FIELD(expired_to_dead), 2, { "2", "0 to 1", 0 } },
    { FIELD(max_batch), 0, { "0", "1 to 4096", 0 } },
    { FIELD(max_batch), 4097, { "4097", "1 to 4096", 0 } },
    { FIELD(default_ttl_us), 5, { "5", "expiry", 0 } },
    { FIELD(spmd_check), 2, { "2", "0 to 1", 0 } },
};

static void each_mistake_names_field_value_and_what_works(contract *c)
{
    (void)c;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        rk_launch_options o = rk_production();
        memcpy((char *)&o + mistakes[i].offset, &mistakes[i].value, sizeof mistakes[i].value);
        rk_status status = rk_validate(&o);
        if (status != RK_INVALID_OPTIONS) print_error("%s = %u\n", mistakes[i].field, mistakes[i].value);
        assert_int_equal(status, RK_INVALID_OPTIONS);
        assert_error_says(mistakes[i].field);
        for (size_t s = 0; s < 3 && mistakes[i].says[s]; s++) assert_error_says(mistakes[i].says[s]);
    }
}

static void the_ends_of_each_range_are_valid(contract *c)
{
    (void)c;
    static const rk_u32 capacities[] = { 16, 32, 4096, 524288, 1048576 },
                        windows[] = { 0, 16, 17, 1023, 1024 };
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        rk_launch_options o = rk_production();
        o.queue_capacity = capacities[i];
        assert_ok(rk_validate(&o));
        assert_int_equal(o.queue_capacity, capacities[i]);
    }
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        rk_launch_options o = rk_production();
        o.deduplication_window = windows[i];
        assert_ok(rk_validate(&o));
        assert_int_equal(o.deduplication_window, windows[i]);
    }
}

static void a_window_is_clamped_to_the_capacity(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 256;
    o.deduplication_window = 1024;
    assert_ok(rk_validate(&o));
    assert_int_equal(o.deduplication_window, 256);

    o.deduplication_window = 1024; /* and a launch does the same */
    rk_kernel k = launch(c, "clamped", "echo", &o);
    assert_int_equal(info_of(c, k).deduplication_window, 256);
}

static void all_mistakes_are_reported_together(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 5000;
    o.deduplication_window = 2048;
    o.backpressure = 9;
    rk_kernel k;
    for (int by_launch = 0; by_launch < 2; by_launch++) {
        assert_status(by_launch ? rk_launch(c->runtime, "echo", &o, &k) : rk_validate(&o),
                      RK_INVALID_OPTIONS);
        assert_error_says("queue_capacity 5000");
        assert_error_says("4096 and 8192");
        assert_error_says("deduplication_window 2048");
        assert_error_says("backpressure 9");
    }
}

static void combinations_that_cannot_be_had_say_what_works(contract *c)
{
    (void)c;
    rk_launch_options o = rk_production();
    o.slot_format = RK_FORMAT_UNIT; /* with a window */
    assert_status(rk_validate(&o), RK_INVALID_OPTIONS);
    assert_error_says("slot_format unit needs a plain lane");
    o.deduplication_window = 0;
    assert_ok(rk_validate(&o));
    o.priority = 1;
    assert_status(rk_validate(&o), RK_INVALID_OPTIONS);
    o.priority = 0;
    o.backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    assert_status(rk_validate(&o), RK_INVALID_OPTIONS);

    o = rk_production();
    o.expired_to_dead = 1;
    assert_status(rk_validate(&o), RK_INVALID_OPTIONS);
    assert_error_says("expired_to_dead needs expiry");

    o = rk_production();
    o.priority = 1;
    o.boundary[0] = 8;
    o.boundary[1] = 6;
    o.boundary[2] = 2;
    assert_status(rk_validate(&o), RK_INVALID_OPTIONS);
    assert_error_says("must rise");

    o = rk_production();
    o.boundary[0] = 2;
    o.boundary[1] = 6;
    o.boundary[2] = 8;
    assert_status(rk_validate(&o), RK_INVALID_OPTIONS); /* there are no bands to part */
    assert_error_says("needs priority = 1");
    o.priority = 1;
    assert_ok(rk_validate(&o));
    o.boundary[3] = 9;
    assert_status(rk_validate(&o), RK_INVALID_OPTIONS);
    assert_error_says("boundary[3] 9");
    o = rk_production();
    o.launch_ = 1;
    assert_status(rk_validate(&o), RK_INVALID_OPTIONS);
    assert_error_says("launch_ 1");
}

static void null_options_are_an_argument_of_the_caller(contract *c)
{
    (void)c;
    assert_status(rk_validate(0), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_guide_estimate(0, 8), 0);
}

/* ------------------------------------------------------------------ versions of structures */

/* Options as a program of another version has them: `size` bytes on the heap, so that the sanitizer sees each
 * byte that is read beyond them. */
static rk_launch_options *sized(rk_u32 asked)
{
    rk_launch_options o = rk_production();
    volatile rk_u32 hidden = asked; /* the compiler would warn of what the test is about */
    rk_u32 size = hidden;
    char *bytes = calloc(1, size);
    assert_non_null(bytes);
    memcpy(bytes, &o, size < sizeof o ? size : sizeof o);
    memcpy(bytes, &size, sizeof size);
    return (rk_launch_options *)(void *)bytes;
}

static void a_newer_structure_is_accepted_unless_its_unknown_tail_is_set(contract *c)
{
    rk_u32 size = sizeof(rk_launch_options) + 64;
    rk_launch_options *o = sized(size);
    rk_kernel k;
    o->kernel_name = "echo";
    assert_ok(rk_validate(o));
    assert_ok(rk_launch(c->runtime, "newer", o, &k));

    ((unsigned char *)o)[size - 1] = 1;
    assert_status(rk_validate(o), RK_INVALID_OPTIONS);
    assert_error_says("newer version");
    assert_status(rk_launch(c->runtime, "newest", o, &k), RK_INVALID_OPTIONS);
    assert_error_says("newer version");
    rk_memory_estimate estimate;
    assert_status(rk_estimate(c->runtime, "newest", o, &estimate), RK_INVALID_OPTIONS);
    assert_status(rk_find(c->runtime, "newest", &k), RK_NO_SUCH_KERNEL);
    free(o);
}

static void an_older_structure_gets_the_defaults_of_what_it_does_not_know(contract *c)
{
    rk_u32 size = offsetof(rk_launch_options, max_batch);
    rk_launch_options *o = sized(size);
    rk_kernel k;
    o->queue_capacity = 64;
    o->deduplication_window = 1024;
    assert_ok(rk_validate(o));
    assert_int_equal(o->deduplication_window, 64);
    assert_ok(rk_launch(c->runtime, "echo", o, &k));
    assert_int_equal(info_of(c, k).queue_capacity, 64);
    assert_int_equal(info_of(c, k).max_batch, 32);
    free(o);
}

static void a_structure_without_its_size_is_refused(contract *c)
{
    rk_launch_options o;
    rk_kernel k;
    memset(&o, 0, sizeof o);
    assert_status(rk_launch(c->runtime, "echo", &o, &k), RK_INVALID_OPTIONS);
    assert_error_says("preset");
    rk_runtime_options r;
    rk_runtime *runtime;
    memset(&r, 0, sizeof r);
    assert_status(rk_open(&r, &runtime), RK_INVALID_OPTIONS);
    assert_null(runtime);
}

/* ------------------------------------------------------------------ each structure that begins with its size */

static rk_kernel found(contract *c, const char *id)
{
    rk_kernel k;
    assert_ok(rk_find(c->runtime, id, &k));
    return k;
}

static rk_status by_open(contract *c, void *options)
{
    (void)c;
    rk_runtime *runtime;
    rk_status status = rk_open(options, &runtime);
    if (status == RK_OK) assert_ok(rk_close(runtime));
    return status;
}

static rk_status by_validate(contract *c, void *options)
{
    (void)c;
    return rk_validate(options);
}

static rk_status by_estimate(contract *c, void *options)
{
    rk_memory_estimate estimate;
    return rk_estimate(c->runtime, "echo", options, &estimate);
}

static rk_status by_launch(contract *c, void *options)
{
    rk_kernel k;
    rk_status status = rk_launch(c->runtime, "echo", options, &k);
    if (status == RK_OK) assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    return status;
}

static rk_status by_relaunch(contract *c, void *options)
{
    return rk_relaunch(c->runtime, found(c, "sink"), options, CONTRACT_PATIENCE);
}

static rk_status by_connect(contract *c, void *options)
{
    return rk_connect(c->runtime, found(c, "source"), 0, found(c, "sink"), options);
}

static rk_status by_subscribe(contract *c, void *options)
{
    rk_topics *topics;
    assert_ok(rk_topics_open(c->runtime, &topics));
    rk_status status = rk_topic_subscribe(topics, "#", found(c, "sink"), options);
    rk_topics_close(topics);
    return status;
}

static rk_status by_supervise(contract *c, void *options)
{
    const rk_supervised child = { .kernel = found(c, "sink") };
    rk_supervisor *s;
    rk_status status = rk_supervise(c->runtime, options, &child, 1, &s);
    if (status == RK_OK) rk_unsupervise(s);
    return status;
}

static rk_status open_pipeline(contract *c, const rk_pipeline_options *options,
                               const rk_pipeline_stage *stage)
{
    rk_pipeline *line;
    rk_status status = rk_pipeline_open(c->runtime, options, stage, 1, &line);
    if (status != RK_OK) return status;
    assert_ok(rk_pipeline_terminate(line, CONTRACT_PATIENCE));
    rk_pipeline_close(line);
    return status;
}

static rk_status by_pipeline(contract *c, void *options)
{
    return open_pipeline(c, options, &(rk_pipeline_stage){ .id = "echo" });
}

static rk_status by_stage(contract *c, void *options)
{
    return open_pipeline(c, 0, &(rk_pipeline_stage){ .id = "echo", .options = options });
}

static void each_structure_with_a_size_may_be_an_older_or_a_newer_callers(contract *c)
{
    const rk_runtime_options runtime = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CPU, .unpinned = 1 };
    const rk_launch_options launched = rk_production();
    const rk_route_options route = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_FIXED };
    const rk_supervision_options supervision = { RK_SUPERVISION_OPTIONS, .strategy = RK_ONE_FOR_ALL };
    const rk_pipeline_options pipeline = { RK_PIPELINE_OPTIONS };
    /* That of checkpoints is in checkpoint_test, as its library may not be there. */
    const structure rows[] = {
        STRUCTURE("rk_open", "runtime options", &runtime, by_open),
        STRUCTURE("rk_validate", "launch options", &launched, by_validate),
        STRUCTURE("rk_estimate", "launch options", &launched, by_estimate),
        STRUCTURE("rk_launch", "launch options", &launched, by_launch),
        STRUCTURE("rk_relaunch", "launch options", &launched, by_relaunch),
        STRUCTURE("rk_pipeline_open of a stage", "launch options", &launched, by_stage),
        STRUCTURE("rk_pipeline_open", "pipeline options", &pipeline, by_pipeline),
        STRUCTURE("rk_connect", "route options", &route, by_connect),
        STRUCTURE("rk_topic_subscribe", "route options", &route, by_subscribe),
        STRUCTURE("rk_supervise", "supervision options", &supervision, by_supervise),
    };
    launch(c, "source", "echo", 0);
    launch(c, "sink", "sink", 0);
    for (rk_u32 i = 0; i < sizeof rows / sizeof *rows; i++) assert_versions_are_told_apart(c, &rows[i]);
}

/* ------------------------------------------------------------------ the runtime's own */

static void mistakes_of_a_runtime_are_refused(contract *c)
{
    rk_runtime *runtime;
    rk_runtime_options o = contract_runtime_options(c);
    o.workers = 1025;
    assert_status(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    assert_error_says("1025");
    assert_null(runtime);
    o.workers = 1;
    o.single_step = 2;
    assert_status(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    o.single_step = 0;
    o.unpinned = 2;
    assert_status(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    o.unpinned = 1;
    o.slices = 2;
    assert_status(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    o.slices = 1;
    assert_status(rk_open(&o, &runtime), RK_UNSUPPORTED);
    assert_error_says("CPU workers already run in bounded visits");
    assert_null(runtime);
    o.slices = 0;
    o.device = 3;
    assert_status(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    assert_error_says("device 3");
    o.device = 0;
    o.backend = 99;
    assert_status(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    o.backend = RK_BACKEND_METAL;
    assert_status(rk_open(&o, &runtime), RK_UNSUPPORTED);
    assert_error_says("there are: cpu");
    assert_status(rk_open(&o, 0), RK_INVALID_ARGUMENT);

    o = contract_runtime_options(c); /* all at once */
    o.workers = 1025;
    o.single_step = 1;
    o.unpinned = 3;
    o.device = 3;
    o.device_count = RK_DEVICES_MAX + 1;
    o.memory_ceiling = ~0ull; /* more than there are addresses */
    assert_status(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    static const char *const says[] = { "workers 1025 is not", "single_step runs without",
                                        "unpinned 3",          "device 3",
                                        "device_count 17",     "memory_ceiling" };
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) assert_error_says(says[i]);
    o.backend = RK_BACKEND_METAL;
    assert_status(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    assert_error_says("there are: cpu");
    assert_error_says("unpinned 3");
    o = contract_runtime_options(c);

    struct {
        rk_runtime_options options;
        rk_u32 tail[4];
    } newer = { o, { 0, 0, 1, 0 } };
    newer.options.size = sizeof newer;
    assert_status(rk_open(&newer.options, &runtime), RK_INVALID_OPTIONS);
    assert_error_says("newer version");
}

static void a_runtime_has_the_workers_asked_for(contract *c)
{
    assert_int_equal(rk_worker_count(c->runtime), c->variant->workers);
    assert_string_equal(rk_backend_name(c->runtime), "cpu");
}

/* ------------------------------------------------------------------ memory */

static void the_guides_formula_gives_the_guides_figure(contract *c)
{
    (void)c;
    rk_launch_options o = rk_production();
    assert_int_equal(rk_guide_estimate(&o, 8), 1081856);
    assert_int_equal(rk_guide_estimate(&o, 1), 64 + 4096 * 32 + 1024 * 4);
    assert_int_equal(rk_guide_estimate(&o, 0), 0);
    o = rk_low_latency();
    assert_int_equal(rk_guide_estimate(&o, 2), 2 * (64 + 256 * 32 + 256 * 4));
}

static rk_u64 sum_of_parts(const rk_memory_estimate *e)
{
    return e->inbox_slots + e->output_slots + e->report_slots + e->windows + e->state + e->staging +
           e->control + e->pools;
}

/* What the lanes of a launched kernel take, as they lie there. */
static rk_memory_estimate found_in_lanes(contract *c, rk_kernel k)
{
    const rk_host_kernel *kernel = c->runtime->kernels[k.number];
    rk_memory_estimate found = { 0 };
    rk_u64 *slots[RK_LANES] = { &found.inbox_slots, &found.inbox_slots, &found.output_slots,
                                &found.report_slots };
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        for (rk_u32 w = 0; w < RK_LANES; w++) {
            rk_lane *lane = rk_seat_lane(&kernel->seats[s], w);
            for (rk_u32 b = 0; b < lane->bands; b++) {
                const rk_ring *ring = rk_lane_ring(lane, c->runtime->arena.base, b);
                *slots[w] += (rk_u64)ring->capacity * ring->slot_size;
            }
            found.windows += lane->window ? 8ull * (lane->window + lane->window_mask + 1) : 0;
        }
    return found;
}

/* A part is as large as what lies in it, but for the gaps that bring each to a line of its own. */
static void assert_part(rk_u64 part, rk_u64 found, rk_u32 shards)
{
    if (found == 0) assert_int_equal(part, 0);
    assert_in_range(part, found, found + 16ull * RK_LINE * shards);
}

static void assert_parts_are_real(contract *c, rk_kernel k, const rk_memory_estimate *e)
{
    const rk_kernel_info info = info_of(c, k);
    const rk_memory_estimate found = found_in_lanes(c, k);
    const rk_u64 state =
        (c->runtime->kernels[k.number]->class->state_size + 15ull) / 16 * 16; /* of an actor or a shard */
    assert_part(e->inbox_slots, found.inbox_slots, info.shards);
    assert_part(e->output_slots, found.output_slots, info.shards);
    assert_part(e->report_slots, found.report_slots, info.shards);
    assert_part(e->windows, found.windows, info.shards);
    if (info.state == RK_PER_SHARD) assert_part(e->state, state * info.shards, info.shards);
    if (info.state == RK_PER_ACTOR)
        assert_part(e->state, state * ((info.actors + info.shards - 1) / info.shards * info.shards),
                    info.shards);
}

/* Launches of all kinds. */
static rk_u32 kinds_of_launches(rk_launch_options *o, const char **kernel)
{
    rk_u32 n = 0;
    for (rk_u32 i = 0; i < 12; i++) {
        o[i] = i == 1 ? rk_low_latency() : i == 2 ? rk_high_throughput() : rk_production();
        kernel[i] = "echo";
    }
    n = 3;
    o[n].shards = 4, o[n++].blocks = 4;
    o[n++].priority = 1;
    o[n++].backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    o[n].deduplication_window = 0, o[n++].slot_format = RK_FORMAT_UNIT;
    o[n].expiry = 1, o[n].requests = 1, o[n++].timestamps = 1;
    o[n].actors = 10001, o[n].shards = 3, kernel[n++] = "counter";
    o[n].shards = 7, kernel[n++] = "adder";
    kernel[n++] = "large_echo";
    o[n].output_capacity = 16, o[n].queue_capacity = 16, o[n++].deduplication_window = 0;
    return n;
}

static void the_estimate_is_what_is_then_allocated_by_part(contract *c)
{
    rk_launch_options o[12];
    const char *kernel[12];
    rk_u32 n = kinds_of_launches(o, kernel);
    for (rk_u32 i = 0; i < n; i++) {
        rk_memory_estimate e;
        rk_kernel k;
        rk_u64 before = c->runtime->arena.taken;
        o[i].kernel_name = strcmp(kernel[i], "echo") ? kernel[i] : in_style(c, kernel[i]);
        if (c->runtime->by_value && !strcmp(kernel[i], "large_echo")) { /* no estimate of what can't be */
            assert_status(rk_estimate(c->runtime, "measured", &o[i], &e), RK_UNSUPPORTED);
            assert_status(rk_launch(c->runtime, "measured", &o[i], &k), RK_UNSUPPORTED);
            assert_error_says("travel by reference");
            continue;
        }
        assert_ok(rk_estimate(c->runtime, "measured", &o[i], &e));
        assert_int_equal(c->runtime->arena.taken, before);
        assert_int_equal(sum_of_parts(&e), e.total);
        assert_true(e.inbox_slots >= 2ull * o[i].shards * o[i].queue_capacity * 64);
        assert_true(e.control > 0 && e.staging > 0 && e.report_slots > 0);
        assert_int_equal(e.windows > 0, o[i].deduplication_window > 0);
        assert_int_equal(e.pools > 0, !strcmp(kernel[i], "large_echo"));
        if (!strcmp(kernel[i], "counter")) assert_true(e.state >= 10001 * sizeof(ticked));

        assert_ok(rk_launch(c->runtime, "measured", &o[i], &k));
        assert_int_equal(info_of(c, k).memory, e.total);
        assert_int_equal(c->runtime->arena.taken - before, e.total);
        assert_parts_are_real(c, k, &e);
        assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(5)));
        assert_int_equal(c->runtime->arena.taken, before);
    }
}

static void an_estimate_of_what_cannot_be_says_why(contract *c)
{
    rk_memory_estimate e;
    rk_launch_options o = rk_production();
    assert_status(rk_estimate(c->runtime, "no such kernel", &o, &e), RK_NO_SUCH_KERNEL);
    o.queue_capacity = 5000;
    assert_status(rk_estimate(c->runtime, "echo", &o, &e), RK_INVALID_OPTIONS);
    assert_status(rk_estimate(c->runtime, 0, 0, &e), RK_INVALID_ARGUMENT);
    assert_status(rk_estimate(c->runtime, "echo", 0, 0), RK_INVALID_ARGUMENT);
}

static void reopen_with_ceiling(contract *c, rk_u64 bytes)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.memory_ceiling = bytes;
    contract_reopen(c, &r);
}

/* Given a ceiling that one launch comes to exactly, when a second is launched, it is refused with all
 * figures; and with one byte less already the first. What the runtime has for itself is not counted. */
static void the_memory_ceiling_is_enforced_at_launch(contract *c)
{
    rk_launch_options o = rk_production();
    rk_memory_estimate e;
    rk_kernel first, second;
    char text[64];
    o.kernel_name = in_style(c, "echo");
    assert_ok(rk_estimate(c->runtime, "first", &o, &e));

    reopen_with_ceiling(c, e.total - 1);
    assert_status(rk_launch(c->runtime, "first", &o, &first), RK_OUT_OF_MEMORY);
    snprintf(text, sizeof text, "%llu of %llu are left", (unsigned long long)e.total - 1,
             (unsigned long long)e.total - 1);
    assert_error_says(text);

    reopen_with_ceiling(c, e.total);
    assert_ok(rk_launch(c->runtime, "first", &o, &first));
    assert_status(rk_launch(c->runtime, "second", &o, &second), RK_OUT_OF_MEMORY);
    snprintf(text, sizeof text, "needs %llu bytes (inbox", (unsigned long long)e.total);
    assert_error_says(text);
    snprintf(text, sizeof text, "0 of %llu are left", (unsigned long long)e.total);
    assert_error_says(text);
    assert_status(rk_find(c->runtime, "second", &second), RK_NO_SUCH_KERNEL);

    assert_ok(rk_terminate(c->runtime, first, RK_SECONDS(5)));
    assert_ok(rk_launch(c->runtime, "second", &o, &second)); /* there is room again, and the id was free */
}

static void a_refused_launch_leaves_nothing_behind(contract *c)
{
    rk_kernel k = { 7, 7 };
    rk_u64 before = c->runtime->arena.taken;
    size_t live;
    const rk_parameter unknown = { "no such parameter", "1" }, wrong = { "factor", "-1" };
    for (rk_u32 i = 0; i < 6; i++) {
        rk_launch_options o = rk_production();
        rk_status expected = RK_INVALID_OPTIONS;
        const char *name = "echo";
        switch (i) {
        case 0: o.queue_capacity = 15; break;
        case 1: o.parameters = &unknown, o.parameter_count = 1; break;
        case 2: o.parameters = &wrong, o.parameter_count = 1; break;
        case 3: name = "counter"; break; /* without actors */
        case 4: o.actors = 5; break;     /* which echo doesn't have */
        default: name = "none such", expected = RK_NO_SUCH_KERNEL; break;
        }
        o.kernel_name = name;
        assert_status(rk_launch(c->runtime, "refused", &o, &k), expected);
        assert_int_equal(k.number, 0);
        assert_int_equal(c->runtime->arena.taken, before);
        assert_ok(rk_list(c->runtime, 0, 0, &live));
        assert_int_equal(live, 0);
    }
    launch_active(c, "refused", "echo", 0); /* the id is free */
}

static void an_unknown_kernel_is_refused_with_the_names_that_there_are(contract *c)
{
    rk_kernel k;
    assert_status(rk_launch(c->runtime, "ecko", 0, &k), RK_NO_SUCH_KERNEL);
    assert_error_says("ecko");
    assert_error_says("counter");
}

static const contract_case cases[] = {
    { CASE(defaults_are_the_guides), ONCE },
    { CASE(presets_are_valid_and_as_documented), ONCE },
    { CASE(each_mistake_names_field_value_and_what_works), ONCE },
    { CASE(the_ends_of_each_range_are_valid), ONCE },
    { CASE(a_window_is_clamped_to_the_capacity), ON_EVERY },
    { CASE(all_mistakes_are_reported_together), ON_EVERY },
    { CASE(combinations_that_cannot_be_had_say_what_works), ONCE },
    { CASE(null_options_are_an_argument_of_the_caller), ONCE },
    { CASE(a_newer_structure_is_accepted_unless_its_unknown_tail_is_set), ONCE },
    { CASE(an_older_structure_gets_the_defaults_of_what_it_does_not_know), ONCE },
    { CASE(a_structure_without_its_size_is_refused), ONCE },
    { CASE(each_structure_with_a_size_may_be_an_older_or_a_newer_callers), ONCE },
    { CASE(mistakes_of_a_runtime_are_refused), ONCE },
    { CASE(a_runtime_has_the_workers_asked_for), NEEDS_CPU },
    { CASE(the_guides_formula_gives_the_guides_figure), ONCE },
    { CASE(the_estimate_is_what_is_then_allocated_by_part), ON_EVERY },
    { CASE(an_estimate_of_what_cannot_be_says_why), ONCE },
    { CASE(the_memory_ceiling_is_enforced_at_launch), ON_EVERY },
    { CASE(a_refused_launch_leaves_nothing_behind), ON_EVERY },
    { CASE(an_unknown_kernel_is_refused_with_the_names_that_there_are), ONCE },
};

CONTRACT_MAIN("options", cases)
