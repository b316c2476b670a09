/* Messages of every size, on every path: the bytes at the far end are those that were sent, one byte too many
 * is refused, and no block of a pool is ever lost. */
#include <ringkernel/kernel.h>

#include "contract.h"

#include <stdio.h>
#include <stdlib.h>

#include "../kernels/contract_a.rk.h"
#include "../kernels/contract_b_large.rk.h"
#include "../kernels/contract_b_medium.rk.h"
#include "../kernels/contract_b_small.rk.h"

/* ----------------------------------------------- kernels that only the CPU has: they copy a whole message */

/* A reply is a structure of its own, so each size has a type. */
#define EACH_INLINE_REPLY(do_)                                                                               \
    do_(1, 451) do_(15, 452) do_(16, 453) do_(36, 454) do_(48, 455) do_(63, 456) do_(64, 457) do_(1023, 458) \
        do_(1024, 459)
#define EACH_LARGE_REPLY(do_) do_(1025, 460) do_(4096, 461) do_(65536, 462) do_(16777216, 463)
#define DECLARE_REPLY(size, type)                        \
    RK_MESSAGE(sized_##size, type, (rk_u8, bytes, size)) \
    RK_HANDLER(reply_##size, sized_##size, msg, rk_none, self, .replies = 1) { rk_reply(RK_ARG, msg, msg); }
EACH_INLINE_REPLY(DECLARE_REPLY)
EACH_LARGE_REPLY(DECLARE_REPLY)

#define DECLARE_SPMD_REPLY(size, type)                                                          \
    RK_SPMD_KERNEL(reply_##size##_spmd, sized_##size, sized_##size, .threads = 4, .replies = 1) \
    {                                                                                           \
        sized_##size mine;                                                                      \
        if (rk_try_receive(RK_ARG, &mine)) rk_reply(RK_ARG, &mine, &mine);                      \
    }
EACH_INLINE_REPLY(DECLARE_SPMD_REPLY)

RK_HANDLER(copy_large, large_load, load, rk_none, self)
{
    rk_status status = rk_send_bytes(RK_ARG, large_load, load->bytes, rk_length(RK_ARG));
    if (status != RK_OK) rk_log1(RK_ARG, RK_ERROR, "the copy was not staged: %u", status);
}

RK_SPMD_KERNEL(copy_small_spmd, small_load, small_load, .threads = 32)
{
    small_load load;
    if (!rk_try_receive(RK_ARG, &load)) return;
    rk_u32 length = rk_length(RK_ARG) < SMALL_MOST ? rk_length(RK_ARG) : SMALL_MOST;
    rk_status status = rk_send_bytes(RK_ARG, small_load, load.bytes, length);
    if (status != RK_OK) rk_log1(RK_ARG, RK_ERROR, "the copy was not staged: %u", status);
}

/* ------------------------------------------------------------------ sizes */

static const rk_u32 sizes[] = { 0, 1, 15, 16, 36, 48, 63, 64, 1023, 1024, 1025, 4096, 65536, 16777216 };
#define SIZES (sizeof sizes / sizeof *sizes)

typedef struct load {
    const char *name;
    rk_u16 type;
    rk_u32 most;
} load;

static const load loads[] = {
    { "small", RK_TYPE_ID(small_load), SMALL_MOST },
    { "medium", RK_TYPE_ID(medium_load), MEDIUM_MOST },
    { "large", RK_TYPE_ID(large_load), LARGE_MOST },
};
#define LOADS (sizeof loads / sizeof *loads)

/* "pass_medium", for one. */
static const char *kernel_for(const char *what, const load *of)
{
    static char names[4][32];
    static rk_u32 next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "%s_%s", what, of->name);
    return name;
}

typedef struct buffers {
    rk_u8 *sent; /* at an odd address */
    rk_u8 *got;
    rk_u8 *sent_memory, *got_memory;
} buffers;

static buffers make_buffers(void)
{
    buffers b = { 0 };
    b.sent_memory = malloc(LARGE_MOST + 16);
    b.got_memory = malloc(LARGE_MOST + 16);
    assert_non_null(b.sent_memory);
    assert_non_null(b.got_memory);
    b.sent = b.sent_memory + 1;
    b.got = b.got_memory + 3;
    return b;
}

static void free_buffers(buffers *b)
{
    free(b->sent_memory);
    free(b->got_memory);
}

static void paint(rk_u8 *bytes, rk_u32 size, rk_u64 seed)
{
    for (rk_u32 i = 0; i < size; i += 8) {
        rk_u64 word = rk_hash64(seed * 0x9e3779b97f4a7c15ull + i);
        memcpy(bytes + i, &word, size - i < 8 ? size - i : 8);
    }
}

static rk_launch_options plain(void)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.queue_capacity = 16;
    return o;
}

/* Take the next message and compare it with what was sent. */
static void assert_arrives(contract *c, rk_kernel from, const load *of, buffers *b, rk_u32 size)
{
    rk_received info = { 0 };
    memset(b->got, 0xee, size + 1);
    settle(c);
    assert_ok(rk_receive(c->runtime, from, b->got, of->most, &info,
                         c->variant->single_step ? RK_NO_WAIT : CONTRACT_PATIENCE));
    assert_int_equal(info.length, size);
    assert_int_equal(info.type, of->type);
    assert_memory_equal(b->got, b->sent, size);
    assert_int_equal(b->got[size], 0xee);
}

/* Each size that the load can have; each several times, so that blocks and slots are used again. */
static void send_each_size(contract *c, rk_kernel to, rk_kernel from, const load *of, buffers *b)
{
    for (size_t i = 0; i < SIZES && sizes[i] <= of->most; i++)
        for (rk_u32 round = 0; round < (sizes[i] > MEDIUM_MOST ? 2u : 20u); round++) {
            paint(b->sent, sizes[i], round + 1);
            assert_ok(rk_send(c->runtime, to, of->type, b->sent, sizes[i], 0));
            assert_arrives(c, from, of, b, sizes[i]);
        }
}

/* Formats and forms of header that a lane can have. */
typedef struct shape {
    const char *name;
    rk_u32 format, expiry, strategy, window;
} shape;

static const shape shapes[] = {
    { "seq, short", RK_FORMAT_SEQ, 0, RK_BACKPRESSURE_BLOCK, 0 },
    { "seq, long", RK_FORMAT_SEQ, 1, RK_BACKPRESSURE_BLOCK, 0 },
    { "unit, short", RK_FORMAT_UNIT, 0, RK_BACKPRESSURE_REJECT, 0 },
    { "unit, long", RK_FORMAT_UNIT, 1, RK_BACKPRESSURE_BLOCK, 0 },
    { "locked", RK_FORMAT_SEQ, 0, RK_BACKPRESSURE_DROP_NEWEST, 16 },
    { "overwritten, short", RK_FORMAT_SEQ, 0, RK_BACKPRESSURE_DROP_OLDEST, 0 },
    { "overwritten, long", RK_FORMAT_SEQ, 1, RK_BACKPRESSURE_DROP_OLDEST, 16 },
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static rk_launch_options shaped(const shape *as)
{
    rk_launch_options o = plain();
    o.slot_format = as->format;
    o.expiry = as->expiry;
    o.backpressure = as->strategy;
    o.deduplication_window = as->window;
    return o;
}

/* SPMD kernels take what fits a slot; DropOldest would leak what doesn't. */
static size_t loads_for(contract *c, const shape *as)
{
    return c->variant->style == STYLE_FIBERS || as->strategy == RK_BACKPRESSURE_DROP_OLDEST ? 1 : LOADS;
}

/* ------------------------------------------------------------------ the paths */

static void every_size_goes_through_a_kernel_and_back(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < SHAPES; s++)
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            rk_launch_options o = shaped(&shapes[s]);
            rk_kernel pass = launch_active(c, "pass", kernel_for("pass", &loads[n]), &o);
            send_each_size(c, pass, pass, &loads[n], &b);
            assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

/* Each length that travels in its slot, three at once through units: one claim on the way in, one look on the way
 * out, in order, and no byte is written beside a message. */
static void every_length_up_to_a_kilobyte_goes_through_units(contract *c)
{
    enum { AT_ONCE = 3, STRIDE = RK_INLINE_MAX + 1 };
    buffers b = make_buffers();
    const load *of = &loads[0];
    for (size_t s = 0; s < SHAPES; s++) {
        if (shapes[s].format != RK_FORMAT_UNIT) continue;
        rk_launch_options o = shaped(&shapes[s]);
        rk_kernel pass = launch_active(c, "pass", kernel_for("pass", of), &o);
        for (rk_u32 size = 0; size <= RK_INLINE_MAX; size++) {
            size_t accepted, received = 0;
            rk_received infos[AT_ONCE];
            paint(b.sent, AT_ONCE * size, size + 1);
            memset(b.got, 0xee, AT_ONCE * STRIDE);
            assert_ok(rk_send_many(c->runtime, pass, of->type, b.sent, size, AT_ONCE, 0, &accepted));
            assert_int_equal(accepted, AT_ONCE);
            wait_until(c, account_of(c, pass).delivered == (size + 1) * AT_ONCE); /* and so all published */
            assert_ok(rk_receive_many(c->runtime, pass, b.got, STRIDE, AT_ONCE, size % 2 ? infos : 0, 0,
                                      &received));
            assert_int_equal(received, AT_ONCE);
            for (rk_u32 i = 0; i < AT_ONCE; i++) {
                assert_memory_equal(b.got + i * STRIDE, b.sent + i * size, size);
                for (rk_u32 at = size; at < STRIDE; at++) assert_int_equal(b.got[i * STRIDE + at], 0xee);
                if (size % 2) assert_int_equal(infos[i].length, size);
            }
        }
        assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
    }
    free_buffers(&b);
}

/* Slots of 64 bytes: batches of all sizes, so that a batch ends at each place of the ring and goes on at its
 * beginning. What comes out is what went in, in order, and nothing is written beside it. */
static void batches_go_around_a_ring_of_units(contract *c)
{
    enum { CAPACITY = 16, ROUNDS = 200 };
    for (rk_u32 format = 0; format < 2; format++) {
        rk_launch_options o = plain();
        o.queue_capacity = CAPACITY;
        o.slot_format = format ? RK_FORMAT_UNIT : RK_FORMAT_SEQ;
        rk_kernel echo = launch_echo(c, &o);
        for (rk_u32 round = 0, sent = 0; round < ROUNDS; round++) {
            probe go[CAPACITY], back[CAPACITY + 1];
            rk_received infos[CAPACITY];
            const rk_u32 n = 1 + (rk_u32)(rk_hash64(round) % CAPACITY);
            size_t accepted, received;
            for (rk_u32 i = 0; i < n; i++) go[i] = (probe){ sent + i, ~(sent + i) };
            memset(back, 0xee, sizeof back);
            assert_ok(rk_send_many(c->runtime, echo, RK_TYPE_ID(probe), go, sizeof *go, n, 0, &accepted));
            assert_int_equal(accepted, n);
            sent += n;
            wait_until(c, account_of(c, echo).delivered == sent);
            assert_ok(rk_receive_many(c->runtime, echo, back, sizeof *back, CAPACITY, round % 8 ? 0 : infos,
                                      0, &received));
            assert_int_equal(received, n);
            assert_memory_equal(back, go, n * sizeof *go);
            for (rk_u32 at = n * sizeof *go; at < sizeof back; at++)
                assert_int_equal(((rk_u8 *)back)[at], 0xee);
        }
        assert_ok(rk_terminate(c->runtime, echo, CONTRACT_PATIENCE));
    }
}

static void every_size_goes_from_kernel_to_kernel(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < SHAPES; s++)
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            rk_launch_options o = shaped(&shapes[s]), source = plain();
            rk_kernel first = launch(c, "first", kernel_for("pass", &loads[n]), &source);
            rk_kernel second = launch_active(c, "second", kernel_for("pass", &loads[n]), &o);
            assert_ok(rk_connect(c->runtime, first, 0, second, 0));
            assert_ok(rk_activate(c->runtime, first));
            send_each_size(c, first, second, &loads[n], &b);
            assert_ok(rk_terminate(c->runtime, first, CONTRACT_PATIENCE));
            assert_ok(rk_terminate(c->runtime, second, CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

static void every_size_is_whole_in_a_dead_letter(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < SHAPES; s++)
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            const load *of = &loads[n];
            rk_launch_options o = shaped(&shapes[s]);
            rk_kernel refuse = launch_active(c, "refuse", kernel_for("refuse", of), &o);
            for (size_t i = 0; i < SIZES && sizes[i] <= of->most; i++)
                for (rk_u32 round = 0; round < (sizes[i] > MEDIUM_MOST ? 2u : 20u); round++) {
                    rk_dead_letter letter = { 0 };
                    rk_u64 before = account_of(c, refuse).dead_letters;
                    paint(b.sent, sizes[i], i + round);
                    assert_ok(rk_send(c->runtime, refuse, of->type, b.sent, sizes[i], 0));
                    wait_until(c, account_of(c, refuse).dead_letters == before + 1);
                    assert_ok(rk_receive_dead(c->runtime, refuse, b.got, of->most, &letter, RK_NO_WAIT));
                    assert_string_equal(letter.reason, "too_heavy");
                    assert_int_equal(letter.length, sizes[i]);
                    assert_ptr_equal(letter.payload, b.got);
                    assert_memory_equal(b.got, b.sent, sizes[i]);
                }
            assert_ok(rk_terminate(c->runtime, refuse, CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

static void ask_by(contract *c, rk_u32 format, const char *kernel, rk_u16 type, rk_u32 size, buffers *b)
{
    rk_launch_options o = plain();
    o.requests = 1;
    o.slot_format = format;
    rk_kernel replier = launch_active(c, "replier", kernel, &o);
    for (rk_u32 round = 0; round < (size > MEDIUM_MOST ? 2u : 20u); round++) {
        paint(b->sent, size, size + round);
        memset(b->got, 0xee, size + 1);
        assert_ok(
            rk_request(c->runtime, replier, type, b->sent, size, type, b->got, size, CONTRACT_PATIENCE));
        assert_memory_equal(b->got, b->sent, size);
        assert_int_equal(b->got[size], 0xee);
    }
    assert_ok(rk_terminate(c->runtime, replier, CONTRACT_PATIENCE));
}

static void ask_for(contract *c, const char *kernel, rk_u16 type, rk_u32 size, buffers *b)
{
    ask_by(c, RK_FORMAT_SEQ, kernel, type, size, b);
    ask_by(c, RK_FORMAT_UNIT, kernel, type, size, b);
}

static void every_size_comes_back_as_a_reply(contract *c)
{
    buffers b = make_buffers();
#define ASK_FOR(size, type) ask_for(c, "reply_" #size, type, size, &b);
    EACH_INLINE_REPLY(ASK_FOR)
    if (c->variant->style == STYLE_REGIONS) { EACH_LARGE_REPLY(ASK_FOR) }
    free_buffers(&b);
}

static void a_handler_sends_copies_of_every_size(contract *c)
{
    buffers b = make_buffers();
    rk_launch_options o = plain();
    const load *of = &loads[c->variant->style == STYLE_FIBERS ? 0 : 2];
    rk_kernel copy = launch_active(c, "copy", kernel_for("copy", of), &o);
    send_each_size(c, copy, copy, of, &b);
    assert_int_equal(logged(c, "not staged"), 0);
    free_buffers(&b);
}

/* ------------------------------------------------------------------ bounds */

static void one_byte_more_than_declared_is_refused(contract *c)
{
    buffers b = make_buffers();
    size_t count = c->variant->style == STYLE_FIBERS ? 1 : LOADS;
    for (size_t n = 0; n < count; n++) {
        const load *of = &loads[n];
        rk_launch_options o = plain();
        rk_kernel pass = launch_active(c, "pass", kernel_for("pass", of), &o);
        paint(b.sent, of->most, 5);
        assert_status(rk_send(c->runtime, pass, of->type, b.sent, (size_t)of->most + 1, 0), RK_TOO_LARGE);
        assert_error_says(of->name);
        assert_status(rk_send(c->runtime, pass, of->type, 0, 1, 0), RK_INVALID_ARGUMENT);
        assert_int_equal(account_of(c, pass).accepted, 0);
        assert_int_equal(account_of(c, pass).refused_invalid, 1);
        assert_ok(rk_send(c->runtime, pass, of->type, b.sent, of->most, 0));
        assert_arrives(c, pass, of, &b, of->most);
        assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
    }
    free_buffers(&b);
}

static void a_structure_is_sent_whole_or_not_at_all(contract *c)
{
    rk_launch_options o = plain();
    o.requests = 1;
    rk_kernel replier = launch_active(c, "replier", "reply_36", &o);
    rk_u8 bytes[64] = { 0 };
    assert_status(rk_send(c->runtime, replier, RK_TYPE_ID(sized_36), bytes, 35, 0), RK_TOO_SMALL);
    assert_status(rk_send(c->runtime, replier, RK_TYPE_ID(sized_36), bytes, 37, 0), RK_TOO_LARGE);
    assert_status(rk_send(c->runtime, replier, RK_TYPE_ID(sized_48), bytes, 48, 0), RK_UNKNOWN_TYPE);
    assert_status(rk_request(c->runtime, replier, RK_TYPE_ID(sized_36), bytes, 36, RK_TYPE_ID(sized_36),
                             bytes, 35, CONTRACT_PATIENCE),
                  RK_TOO_SMALL);
    assert_ok(rk_request(c->runtime, replier, RK_TYPE_ID(sized_36), bytes, 36, RK_TYPE_ID(sized_36), bytes,
                         36, CONTRACT_PATIENCE));
}

/* ------------------------------------------------------------------ blocks of the pools */

/* Whatever becomes of large messages, their blocks are there again: as many as the pool has can be under way
 * at once. */
static void assert_all_blocks_are_back(contract *c, rk_kernel pass, const load *of, buffers *b, rk_u32 blocks)
{
    rk_send_options brief = RK_SEND_DEFAULTS;
    brief.timeout_ns = RK_SECONDS(1);
    for (rk_u32 round = 0; round < 3; round++)
        for (rk_u32 i = 0; i < blocks; i++) {
            paint(b->sent, 4096, i);
            assert_ok(rk_send(c->runtime, pass, of->type, b->sent, 4096, &brief));
            assert_arrives(c, pass, of, b, 4096);
        }
}

static void blocks_come_back_from_refused_and_dropped_messages(contract *c)
{
    static const rk_u32 strategies[] = { RK_BACKPRESSURE_BLOCK, RK_BACKPRESSURE_REJECT,
                                         RK_BACKPRESSURE_DROP_NEWEST };
    static const rk_status expected[] = { RK_TIMED_OUT, RK_FULL, RK_DROPPED };
    buffers b = make_buffers();
    const load *of = &loads[1];
    for (size_t s = 0; s < 3; s++) {
        /* given a queue that is full of large messages, with a few blocks to spare */
        rk_launch_options o = plain();
        o.backpressure = strategies[s];
        o.pool_blocks = 20;
        o.output_capacity = 64;
        rk_kernel pass = launch(c, "pass", "pass_medium", &o);
        rk_send_options brief = RK_SEND_DEFAULTS;
        brief.timeout_ns = 1;
        paint(b.sent, 4096, 1);
        for (rk_u32 i = 0; i < 16; i++) assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 4096, &brief));

        /* when far more are offered, then each is refused as the strategy says, and leaves no block behind */
        for (rk_u32 i = 0; i < 50; i++)
            assert_status(rk_send(c->runtime, pass, of->type, b.sent, 4096, &brief), expected[s]);
        assert_ok(rk_activate(c->runtime, pass));
        for (rk_u32 i = 0; i < 16; i++) assert_arrives(c, pass, of, &b, 4096);
        assert_all_blocks_are_back(c, pass, of, &b, 20);
        assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
    }
    free_buffers(&b);
}

static void blocks_come_back_from_cleared_expired_and_dead_messages(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = plain();
    o.pool_blocks = 8;
    o.expiry = 1;
    rk_kernel pass = launch(c, "pass", "pass_medium", &o);
    rk_send_options with = RK_SEND_DEFAULTS;
    rk_u64 cleared;
    paint(b.sent, 4096, 1);
    for (rk_u32 i = 0; i < 8; i++) assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 4096, 0));
    assert_ok(rk_clear(c->runtime, pass, &cleared));
    assert_int_equal(cleared, 8);
    with.ttl_us = 1000;
    for (rk_u32 i = 0; i < 8; i++) assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 4096, &with));
    let_pass(c, RK_MILLISECONDS(2));
    assert_ok(rk_activate(c->runtime, pass));
    wait_until(c, account_of(c, pass).expired == 8);
    assert_all_blocks_are_back(c, pass, of, &b, 8);
    assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));

    /* dead letters: many more than blocks */
    rk_kernel refuse = launch_active(c, "refuse", "refuse_medium", &o);
    for (rk_u32 i = 1; i <= 40; i++) {
        assert_ok(rk_send(c->runtime, refuse, of->type, b.sent, 4096, 0));
        wait_until(c, account_of(c, refuse).dead_letters == i);
    }
    free_buffers(&b);
}

static void a_sender_waits_for_a_block_when_all_are_under_way(contract *c)
{
    /* given more room in the queue than blocks in the pool */
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = plain();
    o.pool_blocks = 4;
    rk_kernel pass = launch(c, "pass", "pass_medium", &o);
    rk_send_options brief = RK_SEND_DEFAULTS;
    brief.timeout_ns = RK_MILLISECONDS(2);
    paint(b.sent, 4096, 1);
    for (rk_u32 i = 0; i < 4; i++) assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 4096, &brief));
    assert_status(rk_send(c->runtime, pass, of->type, b.sent, 4096, &brief), RK_TIMED_OUT);
    assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 1024, &brief)); /* needs none */
    assert_ok(rk_activate(c->runtime, pass));
    for (rk_u32 i = 0; i < 4; i++) assert_arrives(c, pass, of, &b, 4096);
    assert_arrives(c, pass, of, &b, 1024);
    assert_all_blocks_are_back(c, pass, of, &b, 4);
    free_buffers(&b);
}

/* ------------------------------------------------------------------ copies of one message */

typedef struct forked {
    rk_kernel source, first, second;
} forked;

static forked open_fork(contract *c, const load *of, const rk_launch_options *source,
                        const rk_launch_options *target)
{
    forked f;
    f.first = launch(c, "first", kernel_for("pass", of), target);
    f.second = launch(c, "second", kernel_for("pass", of), target);
    f.source = launch(c, "source", kernel_for("pass", of), source);
    assert_ok(rk_connect(c->runtime, f.source, 0, f.first, 0));
    assert_ok(rk_connect(c->runtime, f.source, 0, f.second, 0));
    assert_ok(rk_activate(c->runtime, f.source));
    return f;
}

static void two_connections_get_a_whole_copy_each(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[c->variant->style == STYLE_FIBERS ? 0 : 1];
    rk_launch_options o = plain();
    o.pool_blocks = 4;
    forked f = open_fork(c, of, &o, &o);
    assert_ok(rk_activate(c->runtime, f.first));
    assert_ok(rk_activate(c->runtime, f.second));
    for (rk_u32 i = 0; i < 100; i++) {
        rk_u32 size = sizes[i % (SIZES - 1)] < of->most ? sizes[i % (SIZES - 1)] : of->most;
        paint(b.sent, size, i);
        assert_ok(rk_send(c->runtime, f.source, of->type, b.sent, size, 0));
        assert_arrives(c, f.first, of, &b, size);
        assert_arrives(c, f.second, of, &b, size);
    }
    free_buffers(&b);
}

static void send_painted(contract *c, rk_kernel to, const load *of, buffers *b, rk_u32 first, rk_u32 end)
{
    for (rk_u32 i = first; i < end; i++) {
        paint(b->sent, 4096, i);
        assert_ok(rk_send(c->runtime, to, of->type, b->sent, 4096, 0));
    }
}

static void assert_painted_arrive(contract *c, rk_kernel from, const load *of, buffers *b, rk_u32 first,
                                  rk_u32 end)
{
    for (rk_u32 i = first; i < end; i++) {
        paint(b->sent, 4096, i);
        assert_arrives(c, from, of, b, 4096);
    }
}

static void a_copy_that_waits_for_room_keeps_its_bytes_and_its_block(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = plain(), source = plain();
    o.output_capacity = 64;
    source.pool_blocks = 24;
    source.queue_capacity = 64;
    forked f = open_fork(c, of, &source, &o);
    assert_ok(rk_activate(c->runtime, f.first));
    for (rk_u32 round = 0; round < 10; round++) {
        /* given a fork whose first way is free and whose second has no room: the source parks at the second
         * copy of the last */
        rk_u64 parks = metrics_of(c, f.source).parks, delivered = 24 * round;
        send_painted(c, f.source, of, &b, 0, 17);
        wait_until(c, metrics_of(c, f.source).parks > parks &&
                          account_of(c, f.first).delivered == delivered + 17);

        /* when the host uses the blocks again that the first way gave back */
        assert_painted_arrive(c, f.first, of, &b, 0, 17);
        send_painted(c, f.source, of, &b, 17, 24);

        /* then the second way still gets what was sent, and no block is lost however often */
        assert_ok(rk_activate(c->runtime, f.second));
        assert_painted_arrive(c, f.second, of, &b, 0, 24);
        assert_painted_arrive(c, f.first, of, &b, 17, 24);
        assert_ok(rk_deactivate(c->runtime, f.second));
    }
    assert_int_equal(account_of(c, f.source).dead_letters, 0);
    free_buffers(&b);
}

static void a_copy_that_waits_for_a_block_goes_on_when_one_is_back(contract *c)
{
    /* given a fork with four blocks for copies, and nobody who receives */
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = plain(), source = plain();
    source.pool_blocks = 4;
    o.output_capacity = 64;
    forked f = open_fork(c, of, &source, &o);
    rk_kernel host = launch(c, "feeder", "pass_medium", &o); /* whose pool is large enough */
    assert_ok(rk_connect(c->runtime, host, 0, f.source, 0));
    assert_ok(rk_activate(c->runtime, host));
    assert_ok(rk_activate(c->runtime, f.first));
    assert_ok(rk_activate(c->runtime, f.second));
    send_painted(c, host, of, &b, 0, 12);
    wait_until(c, metrics_of(c, f.source).parks > 0 && account_of(c, f.first).delivered == 4);

    /* when the host receives, then all of it arrives on both ways */
    assert_painted_arrive(c, f.first, of, &b, 0, 12);
    assert_painted_arrive(c, f.second, of, &b, 0, 12);
    assert_int_equal(account_of(c, f.source).dead_letters, 0);
    free_buffers(&b);
}

static void a_copy_refused_by_one_target_reaches_the_other(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[1];
    static const rk_u32 strategies[] = { RK_BACKPRESSURE_REJECT, RK_BACKPRESSURE_DROP_NEWEST };
    for (rk_u32 s = 0; s < 2; s++) {
        rk_launch_options o = plain(), source = plain();
        o.backpressure = strategies[s];
        o.output_capacity = 64;
        source.pool_blocks = 24;
        source.queue_capacity = 64;
        forked f = open_fork(c, of, &source, &o);
        rk_kernel stalled = s ? f.first : f.second, free_one = s ? f.second : f.first;
        assert_ok(rk_activate(c->runtime, free_one));
        for (rk_u32 i = 0; i < 50; i++) {
            paint(b.sent, 4096, i);
            assert_ok(rk_send(c->runtime, f.source, of->type, b.sent, 4096, 0));
            assert_arrives(c, free_one, of, &b, 4096);
        }
        if (strategies[s] == RK_BACKPRESSURE_REJECT) {
            wait_until(c, account_of(c, f.source).dead_letters == 34);
            for (rk_u32 i = 16; i < 50; i++) {
                rk_dead_letter letter;
                paint(b.sent, 4096, i);
                assert_ok(rk_receive_dead(c->runtime, f.source, b.got, of->most, &letter, RK_NO_WAIT));
                assert_int_equal(letter.length, 4096);
                assert_memory_equal(b.got, b.sent, 4096);
            }
        }
        assert_ok(rk_activate(c->runtime, stalled));
        for (rk_u32 i = 0; i < 16; i++) {
            paint(b.sent, 4096, i);
            assert_arrives(c, stalled, of, &b, 4096);
        }
        assert_ok(rk_terminate(c->runtime, f.source, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, f.first, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, f.second, CONTRACT_PATIENCE));
    }
    free_buffers(&b);
}

/* ------------------------------------------------------------------ a failed batch */

/* Sent on before the failure, a large payload is another's: it is there once. A small one is copied, and
 * there twice. */
static void a_load_is_whole_when_its_batch_failed_after_it_was_sent_on(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < 4; s++) /* the shapes that large loads may have */
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            /* given three kernels in a row, of which the middle one fails between publishing and committing
             * */
            const load *of = &loads[n];
            rk_launch_options o = shaped(&shapes[s]);
            const char *kernel = kernel_for("pass", of);
            rk_kernel first = launch(c, "first", kernel, &o), middle = launch(c, "middle", kernel, &o);
            rk_kernel last = launch_active(c, "last", kernel, &o);
            rk_u32 times = of->most > SMALL_MOST ? 1 : 2;
            o.kernel_name = in_style(c, kernel);
            assert_ok(rk_connect(c->runtime, first, 0, middle, 0));
            assert_ok(rk_connect(c->runtime, middle, 0, last, 0));
            assert_ok(rk_activate(c->runtime, first));
            for (rk_u32 i = 0; i < 3; i++) {
                paint(b.sent, of->most, i);
                assert_ok(rk_send(c->runtime, first, of->type, b.sent, of->most, 0));
            }
            wait_until(c, account_of(c, first).delivered == 3 && account_of(c, middle).queued == 3);
            assert_ok(rk_fail_before_commit(c->runtime, middle));
            assert_ok(rk_activate(c->runtime, middle));
            wait_until(c, info_of(c, middle).life == RK_LIFE_FAILED);
            for (rk_u32 i = 0; i < 3; i++) {
                paint(b.sent, of->most, i);
                assert_arrives(c, last, of, &b, of->most);
            }

            /* when its blocks are used for other messages, and then it is launched again */
            for (rk_u32 i = 3; i < 6; i++) {
                paint(b.sent, of->most, i);
                assert_ok(rk_send(c->runtime, first, of->type, b.sent, of->most, 0));
            }
            wait_until(c, account_of(c, first).delivered == 6);
            assert_ok(rk_relaunch(c->runtime, middle, &o, CONTRACT_PATIENCE));

            /* then everything arrives whole, and is accounted for */
            for (rk_u32 i = times == 1 ? 3 : 0; i < 6; i++) {
                paint(b.sent, of->most, i);
                assert_arrives(c, last, of, &b, of->most);
            }
            wait_until(c, account_of(c, middle).delivered == 6 && account_of(c, middle).balanced);
            assert_int_equal(account_of(c, middle).accepted, 6);
            for (rk_u32 i = 0; i < 20 && of->most <= MEDIUM_MOST; i++) { /* and no block is given to two */
                paint(b.sent, of->most, i);
                assert_ok(rk_send(c->runtime, first, of->type, b.sent, of->most, 0));
                assert_arrives(c, last, of, &b, of->most);
            }
            rk_kernel all[] = { first, middle, last };
            assert_ok(rk_drain(c->runtime, all, 3, CONTRACT_PATIENCE));
            for (rk_u32 k = 0; k < 3; k++) assert_ok(rk_terminate(c->runtime, all[k], CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

static void a_dead_load_stays_dead_when_its_batch_failed(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < 4; s++)
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            const load *of = &loads[n];
            rk_launch_options o = shaped(&shapes[s]);
            rk_kernel refuse = launch(c, "refuse", kernel_for("refuse", of), &o);
            rk_dead_letter letter;
            rk_u32 times = of->most > SMALL_MOST ? 1 : 2;
            o.kernel_name = in_style(c, kernel_for("refuse", of));
            for (rk_u32 i = 0; i < 3; i++) {
                paint(b.sent, of->most, i);
                assert_ok(rk_send(c->runtime, refuse, of->type, b.sent, of->most, 0));
            }
            assert_ok(rk_fail_before_commit(c->runtime, refuse));
            assert_ok(rk_activate(c->runtime, refuse));
            wait_until(c,
                       account_of(c, refuse).dead_letters == 3 && info_of(c, refuse).life == RK_LIFE_FAILED);
            assert_ok(rk_relaunch(c->runtime, refuse, &o, CONTRACT_PATIENCE));
            wait_until(c, account_of(c, refuse).dead == 3 && account_of(c, refuse).dead_letters == 3 * times);
            assert_true(account_of(c, refuse).balanced);
            for (rk_u32 i = 0; i < 3 * times; i++) {
                paint(b.sent, of->most, i % 3);
                assert_ok(rk_receive_dead(c->runtime, refuse, b.got, of->most, &letter, RK_NO_WAIT));
                assert_memory_equal(b.got, b.sent, of->most);
            }
            assert_ok(rk_terminate(c->runtime, refuse, CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

/* ------------------------------------------------------------------ relaunch, and hooks */

static void large_messages_stay_where_they_are_through_relaunches(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = plain();
    o.pool_blocks = 20;
    o.queue_capacity = 32;
    rk_kernel pass = launch(c, "pass", "pass_medium", &o);
    o.kernel_name = "pass_medium";
    send_painted(c, pass, of, &b, 0, 12);

    /* given 12 large messages queued, when it gets fewer blocks than that, in slots of other formats */
    o.pool_blocks = 2;
    o.slot_format = RK_FORMAT_UNIT;
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE));
    o.slot_format = RK_FORMAT_SEQ;
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE));
    o.slot_format = RK_FORMAT_UNIT;
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE));
    assert_ok(rk_activate(c->runtime, pass));
    wait_until(c, account_of(c, pass).output_queued == 12);
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE)); /* on their way to the host */
    o.slot_format = RK_FORMAT_SEQ;
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE));
    assert_painted_arrive(c, pass, of, &b, 0, 12);
    assert_all_blocks_are_back(c, pass, of, &b, 2);
    free_buffers(&b);
}

typedef struct hook_log {
    rk_u64 hash;
    rk_u32 calls;
    rk_u32 length;
} hook_log;

RK_HANDLER(pass_watched, large_load, load, hook_log, self, .state = RK_PER_SHARD) { rk_forward(RK_ARG); }

static rk_u64 hash_bytes(const rk_u8 *bytes, rk_u32 size)
{
    rk_u64 hash = size;
    for (rk_u32 i = 0; i < size; i++) hash = rk_hash64(hash + bytes[i]);
    return hash;
}

RK_ON_REFUSED(pass_watched, hook_log, self, refusal)
{
    self->hash = hash_bytes(refusal->payload, refusal->length);
    self->length = refusal->length;
    self->calls++;
    return 1;
}

/* The same of what fits a slot; it has no state. */
static hook_log small_hook_log;

RK_SPMD_KERNEL(pass_watched_spmd, small_load, small_load, .threads = 4)
{
    small_load load;
    if (rk_try_receive(RK_ARG, &load)) rk_forward(RK_ARG);
}

RK_ON_REFUSED(pass_watched_spmd, rk_none, self, refusal)
{
    small_hook_log.hash = hash_bytes(refusal->payload, refusal->length);
    small_hook_log.length = refusal->length;
    small_hook_log.calls++;
    return 1;
}

static hook_log hook_log_of(contract *c, rk_kernel kernel)
{
    hook_log log = { 0 };
    wait_until(c, account_of(c, kernel).queued == 0 && account_of(c, kernel).balanced);
    if (c->variant->style == STYLE_FIBERS) return small_hook_log;
    assert_ok(rk_read_state(c->runtime, kernel, 0, &log, sizeof log));
    return log;
}

static void a_hook_sees_the_whole_of_a_refused_message(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[c->variant->style == STYLE_FIBERS ? 0 : 2];
    rk_launch_options o = plain(), target = plain();
    hook_log log;
    small_hook_log = (hook_log){ 0 };
    target.backpressure = RK_BACKPRESSURE_REJECT;
    rk_kernel stalled = launch(c, "target", kernel_for("pass", of), &target),
              source = launch(c, "source", "pass_watched", &o);
    assert_ok(rk_connect(c->runtime, source, 0, stalled, 0));
    assert_ok(rk_activate(c->runtime, source));
    for (rk_u32 i = 0; i < 16; i++) assert_ok(rk_send(c->runtime, source, of->type, b.sent, 1, 0));
    wait_until(c, account_of(c, stalled).queued == 16);
    for (rk_u32 i = 1; i < SIZES - 1 && sizes[i] <= of->most; i++)
        for (rk_u32 round = 0; round < 10; round++) { /* more than there are blocks */
            paint(b.sent, sizes[i], i + round);
            assert_ok(rk_send(c->runtime, source, of->type, b.sent, sizes[i], 0));
            wait_until(c, account_of(c, stalled).refused_full == (i - 1) * 10 + round + 1);
            log = hook_log_of(c, source);
            assert_int_equal(log.calls, (i - 1) * 10 + round + 1);
            assert_int_equal(log.length, sizes[i]);
            assert_int_equal(log.hash, hash_bytes(b.sent, sizes[i]));
        }
    assert_int_equal(account_of(c, source).dead_letters, 0);
    free_buffers(&b);
}

static const contract_case cases[] = {
    { CASE(every_size_goes_through_a_kernel_and_back), ON_EVERY },
    { CASE(every_length_up_to_a_kilobyte_goes_through_units), ON_EVERY },
    { CASE(batches_go_around_a_ring_of_units), ON_EVERY },
    { CASE(every_size_goes_from_kernel_to_kernel), ON_EVERY },
    { CASE(every_size_is_whole_in_a_dead_letter), ON_EVERY },
    { CASE(every_size_comes_back_as_a_reply), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_handler_sends_copies_of_every_size), NEEDS_CPU },
    { CASE(one_byte_more_than_declared_is_refused), ON_EVERY },
    { CASE(a_structure_is_sent_whole_or_not_at_all), NEEDS_THREADS | NEEDS_CPU },
    { CASE(blocks_come_back_from_refused_and_dropped_messages), NEEDS_REGIONS },
    { CASE(blocks_come_back_from_cleared_expired_and_dead_messages), NEEDS_REGIONS },
    { CASE(a_sender_waits_for_a_block_when_all_are_under_way), NEEDS_REGIONS },
    { CASE(two_connections_get_a_whole_copy_each), ON_EVERY },
    { CASE(a_copy_that_waits_for_room_keeps_its_bytes_and_its_block), NEEDS_REGIONS },
    { CASE(a_copy_that_waits_for_a_block_goes_on_when_one_is_back), NEEDS_REGIONS },
    { CASE(a_copy_refused_by_one_target_reaches_the_other), NEEDS_REGIONS },
    { CASE(a_load_is_whole_when_its_batch_failed_after_it_was_sent_on), ON_EVERY },
    { CASE(a_dead_load_stays_dead_when_its_batch_failed), ON_EVERY },
    { CASE(large_messages_stay_where_they_are_through_relaunches), NEEDS_REGIONS },
    { CASE(a_hook_sees_the_whole_of_a_refused_message), NEEDS_CPU },
};

CONTRACT_MAIN("payload", cases)
