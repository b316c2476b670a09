/* What an app file says reaches the launch: each key its own option, over the preset, and --set over both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/app.h"
#include "ringkernel/options.h"

/* The options of a kernel that says `keys`, with `set` on the command line (NULL: nothing). */
static rk_launch_options options_of(const char *keys, const char *set)
{
    char text[512], *sets[] = { (char *)(uintptr_t)set };
    snprintf(text, sizeof text,
             "app: a\nkernels: { k: { source: k.rk.c%s%s } }\nroutes: [input -> k, k -> output]\n",
             *keys ? ", " : "", keys);
    app app;
    app_mistakes mistakes = { .file = "app.yaml" };
    bool fine = app_parse(text, strlen(text), "app.yaml", sets, set != NULL, &app, &mistakes);
    if (!fine) app_mistakes_tell(&mistakes);
    assert_true(fine);
    rk_launch_options options = app_options(&app, 0, NULL);
    assert_string_equal(options.kernel_name, "k");
    app_close(&app);
    return options;
}

#define FIELD(member) offsetof(rk_launch_options, member), sizeof((rk_launch_options *)0)->member

/* All that an app file can say; between them is padding. */
static const struct {
    size_t offset, size;
} fields[] = { { FIELD(queue_capacity) },   { FIELD(deduplication_window) },
               { FIELD(backpressure) },     { FIELD(priority) },
               { FIELD(boundary) },         { FIELD(stream_priority) },
               { FIELD(shards) },           { FIELD(blocks) },
               { FIELD(threads) },          { FIELD(actors) },
               { FIELD(output_capacity) },  { FIELD(expiry) },
               { FIELD(timestamps) },       { FIELD(default_ttl_us) },
               { FIELD(slot_format) },      { FIELD(system_order) },
               { FIELD(send_deadline_ns) }, { FIELD(expired_to_dead) },
               { FIELD(pool_blocks) },      { FIELD(max_batch) },
               { FIELD(parameters) },       { FIELD(parameter_count) },
               { FIELD(spmd_check) },       { FIELD(device) } };

static void assert_same(rk_launch_options are, rk_launch_options expected)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_memory_equal((char *)&are + fields[i].offset, (char *)&expected + fields[i].offset,
                            fields[i].size);
}

static rk_launch_options unsaid(void)
{
    rk_launch_options options = rk_production();
    options.deduplication_window = 0;
    return options;
}

static void whatIsNotSaidIsAsInThePresetAndWithoutOneTheWindowIsOff(void **unused)
{
    (void)unused;
    assert_same(options_of("", NULL), unsaid());
    assert_same(options_of("preset: production", NULL), rk_production());
    assert_same(options_of("preset: low_latency", NULL), rk_low_latency());
    assert_same(options_of("preset: high_throughput", NULL), rk_high_throughput());
}

static void whatIsSaidGoesOverThePresetAndSetOverBoth(void **unused)
{
    (void)unused;
    /* given a preset and one key, when they are read, then the rest is the preset's */
    rk_launch_options expected = rk_low_latency();
    expected.queue_capacity = 64;
    assert_same(options_of("preset: low_latency, capacity: 64", NULL), expected);
    /* and one --set more */
    expected.deduplication_window = 16;
    assert_same(options_of("preset: low_latency, capacity: 64", "k.deduplication=16"), expected);
    expected.deduplication_window = rk_low_latency().deduplication_window;
    expected.queue_capacity = 32;
    assert_same(options_of("preset: low_latency, capacity: 64", "k.capacity=32"), expected);
    /* given only a preset on the command line */
    assert_same(options_of("", "k.preset=high_throughput"), rk_high_throughput());
    assert_same(options_of("preset: low_latency", "k.preset=production"), rk_production());
}

static void eachKeySetsItsOwnOption(void **unused)
{
    (void)unused;
    static const struct {
        const char *said;
        size_t offset, size;
        uint64_t value;
    } keys[] = {
        { "capacity: 512", FIELD(queue_capacity), 512 },
        { "backpressure: block", FIELD(backpressure), RK_BACKPRESSURE_BLOCK },
        { "backpressure: reject", FIELD(backpressure), RK_BACKPRESSURE_REJECT },
        { "backpressure: drop_oldest", FIELD(backpressure), RK_BACKPRESSURE_DROP_OLDEST },
        { "backpressure: drop_newest", FIELD(backpressure), RK_BACKPRESSURE_DROP_NEWEST },
        { "priority: true", FIELD(priority), 1 },
        { "priority: false", FIELD(priority), 0 },
        { "boundaries: [2, 6, 8]", FIELD(boundary), 2 | 6 << 8 | 8 << 16 },
        { "deduplication: 99", FIELD(deduplication_window), 99 },
        { "shards: 5", FIELD(shards), 5 },
        { "blocks: 3", FIELD(blocks), 3 },
        { "threads: 64", FIELD(threads), 64 },
        { "device: 1", FIELD(device), 1 },
        { "actors: 1000", FIELD(actors), 1000 },
        { "output_capacity: 16", FIELD(output_capacity), 16 },
        { "max_batch: 7", FIELD(max_batch), 7 },
        { "timestamps: true", FIELD(timestamps), 1 },
        { "expiry: true", FIELD(expiry), 1 },
        { "default_ttl_us: 250", FIELD(default_ttl_us), 250 },
        { "expired_to_dead: true", FIELD(expired_to_dead), 1 },
        { "send_deadline_ns: 18446744073709551615", FIELD(send_deadline_ns), RK_NO_DEADLINE },
        { "stream_priority: low", FIELD(stream_priority), RK_STREAM_LOW },
        { "stream_priority: high", FIELD(stream_priority), RK_STREAM_HIGH },
        { "slot_format: unit", FIELD(slot_format), RK_FORMAT_UNIT },
        { "pool_blocks: 9", FIELD(pool_blocks), 9 },
        { "system_order: true", FIELD(system_order), 1 },
        { "spmd_check: true", FIELD(spmd_check), 1 },
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        rk_launch_options expected = unsaid();
        memcpy((char *)&expected + keys[i].offset, &keys[i].value,
               keys[i].size); /* little-endian, as all is */
        assert_same(options_of(keys[i].said, NULL), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatIsNotSaidIsAsInThePresetAndWithoutOneTheWindowIsOff),
        cmocka_unit_test(whatIsSaidGoesOverThePresetAndSetOverBoth),
        cmocka_unit_test(eachKeySetsItsOwnOption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
