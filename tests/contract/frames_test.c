/* Frames that are sent, and kernels that are described: what stands outside of a lane, and what a tool
 * asks. */
#include "lines.h"

#include <ringkernel/frame.h>

#include <stdio.h>

/* ------------------------------------------------------------------ frames */

static rk_launch_options framed(void)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    o.deduplication_window = 16;
    o.expiry = o.priority = 1;
    o.shards = o.blocks = 4;
    return o;
}

typedef struct frame {
    rk_u8 bytes[128];
    size_t size;
} frame;

static frame frame_of(const rk_schema *schema, const void *body, size_t size, const rk_send_options *options)
{
    frame f = { { 0 }, 0 };
    assert_ok(rk_frame_write(schema, body, size, options, f.bytes, sizeof f.bytes, &f.size));
    assert_int_equal(f.size, rk_frame_size(size));
    return f;
}

static frame frame_of_package(rk_u64 number, const rk_send_options *options)
{
    package p = package_of(number, 3);
    return frame_of(RK_SCHEMA(package), &p, sizeof p, options);
}

static rk_status send_frame(contract *c, rk_kernel kernel, const frame *f)
{
    size_t used = 0;
    rk_status status = rk_send_frame(c->runtime, kernel, f->bytes, f->size, &used);
    if (status == RK_OK) assert_int_equal(used, f->size);
    return status;
}

static void the_size_of_a_frame_is_its_header_and_its_payload(contract *c)
{
    (void)c;
    assert_int_equal(rk_frame_size(0), sizeof(rk_frame_header));
    assert_int_equal(rk_frame_size(0), 64);
    assert_int_equal(rk_frame_size(1), 65);
    assert_int_equal(rk_frame_size(65536), 64 + 65536);
}

static void a_frame_is_sent_as_it_says(contract *c)
{
    rk_launch_options o = framed();
    rk_kernel k = launch_active(c, "carry", "carry", &o);
    rk_send_options s = RK_SEND_DEFAULTS;
    s.target = 6;
    s.priority = 200;
    s.id = 77;
    s.ttl_us = 20000000;
    frame f = frame_of_package(41, &s);
    assert_ok(send_frame(c, k, &f));
    sighting seen;
    receive(c, k, &seen);
    assert_int_equal(seen.number, 41);
    assert_int_equal(seen.sender, 3);
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(seen.target, 6);
    assert_int_equal(seen.shard, 2);
    assert_int_equal(seen.priority, 200);

    /* its id is remembered, */
    assert_status(send_frame(c, k, &f), RK_DUPLICATE);

    /* and its time to live is measured */
    assert_ok(rk_deactivate(c->runtime, k));
    s.id = 78;
    s.ttl_us = 1000;
    f = frame_of_package(42, &s);
    assert_ok(send_frame(c, k, &f));
    let_expire(c, k, RK_MILLISECONDS(1));
    assert_ok(rk_activate(c->runtime, k));
    wait_until(c, account_of(c, k).expired == 1);
}

/* As bytes come from a pipe: frame after frame, the last one cut. */
static void frames_are_taken_one_after_the_other_and_a_cut_one_waits(contract *c)
{
    enum { FRAMES = 10 };
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    rk_kernel k = launch_active(c, "carry", "carry", &o);
    rk_u8 bytes[FRAMES * 128];
    size_t size = 0, at = 0, used = 0;
    for (rk_u32 i = 0; i < FRAMES; i++) {
        frame f = frame_of_package(i, 0);
        memcpy(bytes + size, f.bytes, f.size);
        size += f.size;
    }
    for (rk_u32 i = 0; i < FRAMES - 1; i++, at += used)
        assert_ok(rk_send_frame(c->runtime, k, bytes + at, size - at, &used));
    for (size_t there = 0; there < used; there++) {
        size_t needed = 0;
        assert_status(rk_send_frame(c->runtime, k, bytes + at, there, &needed), RK_EMPTY);
        assert_int_equal(needed, there < rk_frame_size(0) ? rk_frame_size(0) : used);
    }
    assert_int_equal(account_of(c, k).accepted, FRAMES - 1);
    assert_ok(rk_send_frame(c->runtime, k, bytes + at, size - at, 0)); /* how many may be left unsaid */
    for (rk_u32 i = 0; i < FRAMES; i++) {
        sighting seen;
        receive(c, k, &seen);
        assert_int_equal(seen.number, i);
    }
}

static void a_frame_of_another_schema_is_refused_by_both_names(contract *c)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    rk_kernel k = launch_active(c, "carry", "carry", &o);
    package p = package_of(1, 0);
    rk_schema other = *RK_SCHEMA(package);
    char ours[24], theirs[24];
    other.hash ^= 0x10;
    snprintf(ours, sizeof ours, "%016llx", (unsigned long long)RK_SCHEMA(package)->hash);
    snprintf(theirs, sizeof theirs, "%016llx", (unsigned long long)other.hash);
    frame f = frame_of(&other, &p, sizeof p, 0);
    assert_status(send_frame(c, k, &f), RK_INCOMPATIBLE);
    assert_error_says("'package'");
    assert_error_says(ours);
    assert_error_says(theirs);
    assert_int_equal(account_of(c, k).accepted, 0);
}

static void a_frame_that_cannot_be_sent_says_why_and_changes_nothing(contract *c)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_REJECT);
    rk_kernel k = launch(c, "carry", "carry", &o);
    query stranger = { 1 };
    package p = package_of(1, 0);
    size_t used = 1;
    frame f = frame_of_package(1, 0), damaged = f, foreign = frame_of(RK_SCHEMA(query), &stranger, 8, 0);
    damaged.bytes[70] ^= 1;
    assert_status(rk_send_frame(c->runtime, k, damaged.bytes, damaged.size, &used), RK_CORRUPT);
    assert_int_equal(used, 0);
    assert_status(send_frame(c, k, &foreign), RK_UNKNOWN_TYPE);
    assert_status(rk_send_frame(c->runtime, k, 0, 64, &used), RK_INVALID_ARGUMENT);
    assert_status(rk_send_frame(0, k, f.bytes, f.size, &used), RK_INVALID_ARGUMENT);

    /* a structure that is shorter than its schema says */
    rk_schema short_one = *RK_SCHEMA(package);
    short_one.size = 8;
    frame cut = frame_of(&short_one, &p, 8, 0);
    assert_status(send_frame(c, k, &cut), RK_TOO_SMALL);

    /* what the launch doesn't have */
    rk_send_options s = RK_SEND_DEFAULTS;
    s.id = 5;
    frame named = frame_of_package(1, &s);
    assert_status(send_frame(c, k, &named), RK_INVALID_ARGUMENT);
    assert_int_equal(account_of(c, k).accepted, 0);

    /* no room, and nobody there */
    for (rk_u32 i = 0; i < CAPACITY; i++) assert_ok(send_frame(c, k, &f));
    assert_status(send_frame(c, k, &f), RK_FULL);
    assert_status(send_frame(c, (rk_kernel){ 77, 1 }, &f), RK_NO_SUCH_KERNEL);
    assert_ok(rk_activate(c->runtime, k));
    wait_until(c, is_at_rest(c, k));
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    assert_status(send_frame(c, k, &f), RK_STALE);
}

/* ------------------------------------------------------------------ descriptions */

static int has_name(const char *const *names, rk_u32 count, const char *name)
{
    for (rk_u32 i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return 1;
    return 0;
}

static void kernels_are_described_in_the_order_of_their_names(contract *c)
{
    rk_kernel_description d, before = { 0 }, named;
    rk_u32 count = 0, seen = 0;
    while (rk_describe(c->runtime, count, &d) == RK_OK) {
        if (count) assert_true(strcmp(before.name, d.name) < 0);
        assert_ok(rk_describe_named(c->runtime, d.name, &named));
        assert_memory_equal(&named, &d, sizeof d);
        assert_true(d.handles_count >= 1 && d.line > 0 && d.max_sends >= 1);
        assert_non_null(d.file);
        seen += !strcmp(d.name, "echo") + !strcmp(d.name, "echo_spmd") + !strcmp(d.name, "tally_actors");
        before = d;
        count++;
    }
    assert_int_equal(seen, 3);
    assert_status(rk_describe(c->runtime, count, &d), RK_NO_SUCH_KERNEL);
    assert_status(rk_describe(c->runtime, 0xffffffffu, &d), RK_NO_SUCH_KERNEL);
}

static void a_description_is_what_the_source_declares(contract *c)
{
    rk_kernel_description d;
    assert_ok(rk_describe_named(c->runtime, "replier", &d));
    assert_string_equal(d.name, "replier");
    assert_non_null(strstr(d.file, "contract_a.rk.c"));
    assert_int_equal(d.spmd + d.batch, 0);
    assert_int_equal(d.state, RK_PER_SHARD);
    assert_true(d.state_size > 0);
    assert_int_equal(d.max_sends, 2);
    assert_int_equal(d.handles_count, 2);
    rk_u32 types = 0;
    for (rk_u32 i = 0; i < 2; i++)
        types += !strcmp(d.handles[i]->name, "inquiry") + !strcmp(d.handles[i]->name, "reminder");
    assert_int_equal(types, 2);
    assert_int_equal(d.parameter_count, 3);
    assert_true(has_name(d.parameters, 3, "factor") && has_name(d.parameters, 3, "offset") &&
                has_name(d.parameters, 3, "ratio"));
    assert_int_equal(d.route_count, 1);
    assert_string_equal(d.routes[0], "aside");
    assert_int_equal(d.replies, 0);

    assert_ok(rk_describe_named(c->runtime, "answer_once", &d));
    assert_int_equal(d.replies, 1);

    assert_ok(rk_describe_named(c->runtime, "reduce_block", &d));
    assert_int_equal(d.spmd, 1);
    assert_int_equal(d.threads, 256);
    assert_int_equal(d.state, RK_STATELESS);
    assert_int_equal(d.state_size, 0);
    assert_string_equal(d.handles[0]->name, "series_value");
    assert_int_equal(d.parameter_count, 0);

    assert_ok(rk_describe_named(c->runtime, "batches_gathered", &d));
    assert_int_equal(d.batch, 1);
    assert_int_equal(d.width, RK_BLOCK);
    assert_int_equal(d.mode, RK_BATCH);
    assert_int_equal(d.max_batch, 64);
    assert_int_equal(d.state_size, sizeof(batch_log));
    assert_int_equal(d.route_count, 3);
}

static void a_description_that_cannot_be_says_why(contract *c)
{
    rk_kernel_description d;
    assert_status(rk_describe_named(c->runtime, "no such thing", &d), RK_NO_SUCH_KERNEL);
    assert_error_says("no such thing");
    assert_error_says("adder"); /* one of those that there are */
    assert_status(rk_describe_named(c->runtime, 0, &d), RK_INVALID_ARGUMENT);
    assert_status(rk_describe_named(c->runtime, "echo", 0), RK_INVALID_ARGUMENT);
    assert_status(rk_describe(c->runtime, 0, 0), RK_INVALID_ARGUMENT);
    assert_status(rk_describe(0, 0, &d), RK_INVALID_ARGUMENT);
    assert_status(rk_describe_named(0, "echo", &d), RK_INVALID_ARGUMENT);
}

static const contract_case cases[] = {
    { CASE(the_size_of_a_frame_is_its_header_and_its_payload), ONCE },
    { CASE(a_frame_is_sent_as_it_says), ON_EVERY },
    { CASE(frames_are_taken_one_after_the_other_and_a_cut_one_waits), ON_EVERY },
    { CASE(a_frame_of_another_schema_is_refused_by_both_names), ON_EVERY },
    { CASE(a_frame_that_cannot_be_sent_says_why_and_changes_nothing), ON_EVERY },
    { CASE(kernels_are_described_in_the_order_of_their_names), ONCE },
    { CASE(a_description_is_what_the_source_declares), ONCE },
    { CASE(a_description_that_cannot_be_says_why), ONCE },
};
CONTRACT_MAIN("frames and descriptions", cases)
