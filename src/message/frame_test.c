/* Frames: what is written is read back, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ringkernel/frame.h>
#include <string.h>

RK_MESSAGE(point, 77, (rk_i64, x), (rk_i64, y))
RK_BLOB(note, 78, 4096)

static size_t written_point(unsigned char *frame, size_t room)
{
    point p = { 3, -4 };
    rk_send_options options = RK_SEND_DEFAULTS;
    size_t n = 0;
    options.target = 9;
    options.priority = 200;
    options.id = 0x123456789abcdef0u;
    options.ttl_us = 50;
    assert_int_equal(rk_frame_write(RK_SCHEMA(point), &p, sizeof p, &options, frame, room, &n), RK_OK);
    return n;
}

static void a_frame_reads_back_as_it_was_written(void **state)
{
    (void)state;
    unsigned char frame[256];
    rk_frame_header header;
    const void *payload;
    size_t used, n = written_point(frame, sizeof frame);
    assert_int_equal(rk_frame_read(frame, n, &header, &payload, &used), RK_OK);
    assert_int_equal(used, n);
    assert_int_equal(header.length, sizeof(point));
    assert_int_equal(header.message.base.type, 77);
    assert_int_equal(header.message.base.target, 9);
    assert_int_equal(header.message.base.priority, 200);
    assert_true(header.message.id == 0x123456789abcdef0u && header.message.ttl_us == 50 &&
                header.schema_hash == RK_SCHEMA(point)->hash);
    point p;
    memcpy(&p, payload, sizeof p);
    assert_true(p.x == 3 && p.y == -4);
}

static void options_that_a_frame_does_not_carry_are_refused(void **state)
{
    (void)state;
    const rk_send_options no[] = { { .correlation = 1 },
                                   { .timeout_ns = 1 },
                                   { .flags = RK_FLAG_REQUEST },
                                   { .options_ = 1 },
                                   { .options__ = 1 } };
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        unsigned char frame[256];
        point p = { 1, 2 };
        size_t n = 0;
        assert_int_equal(rk_frame_write(RK_SCHEMA(point), &p, sizeof p, &no[i], frame, sizeof frame, &n),
                         RK_INVALID_ARGUMENT);
        assert_int_equal(n, 0);
    }
}

static void a_cut_frame_asks_for_more_and_says_how_much(void **state)
{
    (void)state;
    unsigned char frame[256];
    rk_frame_header header;
    const void *payload;
    size_t used, n = written_point(frame, sizeof frame);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(rk_frame_read(frame, cut, &header, &payload, &used), RK_EMPTY);
        assert_int_equal(used, cut < sizeof header ? sizeof header : n);
    }
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    unsigned char frame[256];
    rk_frame_header header;
    const void *payload;
    size_t used, n = written_point(frame, sizeof frame);
    for (size_t bit = 0; bit < n * 8; bit++) {
        frame[bit / 8] ^= (unsigned char)(1u << bit % 8);
        rk_status status = rk_frame_read(frame, n, &header, &payload, &used);
        assert_true(status == RK_CORRUPT ||
                    (status == RK_EMPTY && used > n)); /* a longer length asks for bytes that never come */
        frame[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void a_blob_of_any_length_travels(void **state)
{
    (void)state;
    static unsigned char body[4096], frame[4096 + 64];
    for (size_t i = 0; i < sizeof body; i++) body[i] = (unsigned char)(i * 7);
    size_t sizes[] = { 0, 1, 63, 4096 };
    for (size_t i = 0; i < 4; i++) {
        rk_frame_header header;
        const void *payload;
        size_t n, used;
        assert_int_equal(rk_frame_write(RK_SCHEMA(note), body, sizes[i], 0, frame, sizeof frame, &n), RK_OK);
        assert_int_equal(rk_frame_read(frame, n, &header, &payload, &used), RK_OK);
        assert_int_equal(header.length, sizes[i]);
        assert_memory_equal(payload, body, sizes[i]);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    unsigned char frame[256];
    static unsigned char body[5000];
    size_t n;
    assert_int_equal(rk_frame_write(RK_SCHEMA(point), body, 15, 0, frame, sizeof frame, &n), RK_TOO_SMALL);
    assert_int_equal(rk_frame_write(RK_SCHEMA(point), body, 17, 0, frame, sizeof frame, &n), RK_TOO_LARGE);
    assert_int_equal(rk_frame_write(RK_SCHEMA(note), body, 4097, 0, frame, sizeof frame, &n), RK_TOO_LARGE);
    assert_int_equal(rk_frame_write(RK_SCHEMA(point), body, 16, 0, frame, 79, &n), RK_TOO_SMALL);
    assert_int_equal(rk_frame_write(0, body, 16, 0, frame, 80, &n), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_frame_read(0, 64, 0, 0, 0), RK_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_reads_back_as_it_was_written),
        cmocka_unit_test(options_that_a_frame_does_not_carry_are_refused),
        cmocka_unit_test(a_cut_frame_asks_for_more_and_says_how_much),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_blob_of_any_length_travels),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests_name("frame", tests, 0, 0);
}
