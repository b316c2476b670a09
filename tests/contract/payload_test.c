/* Messages of every size, on every path: the bytes at the far end are those that were sent, and one byte too many is
 * refused. */
#include <ringkernel/kernel.h>

#include "payload.h"

#include <stdlib.h>

/* ----------------------------------------------- kernels that only the CPU has: they copy a whole message */

/* A reply is a structure of its own, so each size has a type. */
#define EACH_INLINE_REPLY(do_)                                                                               \
    do_(1, 451) do_(15, 452) do_(16, 453) do_(36, 454) do_(48, 455) do_(63, 456) do_(64, 457) do_(1023, 458) \
        do_(1024, 459)
#define EACH_LARGE_REPLY(do_) do_(1025, 460) do_(4096, 461) do_(65536, 462) do_(16777216, 463)
#define DECLARE_REPLY(size, type)                                                                            \
    RK_MESSAGE(sized_##size, type, (rk_u8, bytes, size))                                                     \
    RK_HANDLER(reply_##size, sized_##size, msg, rk_none, self, .replies = 1) { rk_reply(RK_ARG, msg, msg); } \
    RK_BATCH_HANDLER(reply_batch_##size, sized_##size, n, rk_none, self, .max_sends = 32, .replies = 1)      \
    {                                                                                                        \
        for (rk_u32 i = n; i-- > 0;) rk_reply(RK_ARG, RK_AT(sized_##size, i), RK_AT(sized_##size, i));       \
    }
EACH_INLINE_REPLY(DECLARE_REPLY)
EACH_LARGE_REPLY(DECLARE_REPLY)

#define DECLARE_SPMD_REPLY(size, type)                                                          \
    RK_SPMD_KERNEL(reply_##size##_spmd, sized_##size, sized_##size, .threads = 4, .replies = 1) \
    {                                                                                           \
        sized_##size mine;                                                                      \
        if (rk_try_receive(RK_ARG, &mine)) rk_reply(RK_ARG, &mine, &mine);                      \
    }
EACH_INLINE_REPLY(DECLARE_SPMD_REPLY)

/* Sends it on at once. What would have to wait is kept back, which no case here lets happen. */
#define DECLARE_TRY(size, type)                                                  \
    RK_HANDLER(try_##size, sized_##size, msg, rk_none, self)                     \
    {                                                                            \
        rk_status status = rk_try_send(RK_ARG, msg);                             \
        if (status != RK_OK) rk_log1(RK_ARG, RK_ERROR, "not tried: %u", status); \
    }                                                                            \
    RK_SPMD_KERNEL(try_##size##_spmd, sized_##size, sized_##size, .threads = 4)  \
    {                                                                            \
        sized_##size mine;                                                       \
        if (!rk_try_receive(RK_ARG, &mine)) return;                              \
        rk_status status = rk_try_send(RK_ARG, &mine);                           \
        if (status != RK_OK) rk_log1(RK_ARG, RK_ERROR, "not tried: %u", status); \
    }
EACH_INLINE_REPLY(DECLARE_TRY)

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

/* Sends one byte more than each load may have, of what it got, and tells what came of it. */
RK_MESSAGE(verdicts, 464, (rk_u32, small), (rk_u32, medium), (rk_u32, large))

RK_FN verdicts send_too_much(RK_CTX, const rk_u8 *bytes)
{
    verdicts said = { rk_send_bytes(RK_ARG, small_load, bytes, SMALL_MOST + 1),
                      rk_send_bytes(RK_ARG, medium_load, bytes, MEDIUM_MOST + 1),
                      rk_send_bytes(RK_ARG, large_load, bytes, (rk_u64)LARGE_MOST + 1) };
    return said;
}

RK_HANDLER(exceed_large, large_load, load, rk_none, self, .max_sends = 4)
{
    verdicts said = send_too_much(RK_ARG, load->bytes);
    rk_send(RK_ARG, &said);
}

RK_SPMD_KERNEL(exceed_small_spmd, small_load, verdicts, .threads = 32, .max_sends = 4)
{
    small_load load;
    if (!rk_try_receive(RK_ARG, &load)) return;
    verdicts said = send_too_much(RK_ARG, load.bytes);
    rk_send(RK_ARG, &said);
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
        rk_launch_options o = small(16);
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
            rk_launch_options o = shaped(&shapes[s]), source = small(16);
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
    rk_launch_options o = small(16);
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

/* Given requests that one batch handler finds together and answers from the last to the first, then each gets the answer
 * to its own. */
static void ask_together(contract *c, rk_u32 format, const char *kernel, rk_u16 type, rk_u32 size, buffers *b)
{
    enum { TOGETHER = 3 };
    rk_launch_options o = small(16);
    rk_outstanding asked[TOGETHER];
    rk_u8 *got[TOGETHER];
    o.requests = 1;
    o.slot_format = format;
    o.kernel_name = kernel;
    rk_kernel replier = launch(c, "replier", "", &o);
    for (rk_u32 i = 0; i < TOGETHER; i++) {
        got[i] = calloc(1, (size_t)size + 1);
        assert_non_null(got[i]);
        paint(b->sent, size, size + i);
        assert_ok(rk_request_start(c->runtime, replier, type, b->sent, size, type, got[i], size, 0,
                                   CONTRACT_PATIENCE, &asked[i]));
    }
    assert_ok(rk_activate(c->runtime, replier));
    for (rk_u32 i = 0; i < TOGETHER; i++) {
        assert_ok(rk_request_await(c->runtime, &asked[i], CONTRACT_PATIENCE));
        paint(b->sent, size, size + i);
        assert_memory_equal(got[i], b->sent, size);
        assert_int_equal(got[i][size], 0);
        free(got[i]);
    }
    wait_until(c, metrics_of(c, replier).turns &&
                      account_of(c, replier).queued == 0); /* counted after it replied */
    assert_int_equal(metrics_of(c, replier).turns, 1);
    assert_ok(rk_terminate(c->runtime, replier, CONTRACT_PATIENCE));
}

static void a_batch_handler_replies_to_each_of_its_messages(contract *c)
{
    buffers b = make_buffers();
#define ASK_TOGETHER(size, type)                                          \
    ask_together(c, RK_FORMAT_SEQ, "reply_batch_" #size, type, size, &b); \
    ask_together(c, RK_FORMAT_UNIT, "reply_batch_" #size, type, size, &b);
    EACH_INLINE_REPLY(ASK_TOGETHER)
    EACH_LARGE_REPLY(ASK_TOGETHER)
    free_buffers(&b);
}

/* Given loads of all sizes that come to a batch handler together, those in their slots beside those in blocks. */
static void a_batch_handler_sees_every_size_whole(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < SHAPES; s++)
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            const load *of = &loads[n];
            rk_launch_options o = shaped(&shapes[s]);
            rk_kernel weigh = launch(c, "weigh", kernel_for("weigh", of), &o);
            for (rk_u32 round = 0; round < 2; round++) { /* the second in the blocks of the first */
                rk_u32 together = 0;
                for (; together < SIZES && sizes[together] <= of->most; together++) {
                    paint(b.sent, sizes[together], together + 100 * round);
                    assert_ok(rk_send(c->runtime, weigh, of->type, b.sent, sizes[together], 0));
                }
                assert_ok(rk_activate(c->runtime, weigh));
                for (rk_u32 i = 0; i < together; i++) {
                    load_weight seen, expected = { 0, sizes[i], together };
                    paint(b.sent, sizes[i], i + 100 * round);
                    for (rk_u32 at = 0; at < sizes[i]; at++)
                        expected.hash = WEIGH_BYTE(expected.hash, b.sent[at]);
                    receive(c, weigh, &seen);
                    assert_true(seen.length == expected.length && seen.hash == expected.hash);
                    if (on_cpu(c)) assert_int_equal(seen.together, together);
                }
                assert_ok(rk_deactivate(c->runtime, weigh));
            }
            assert_ok(rk_terminate(c->runtime, weigh, CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

static void every_size_goes_at_once(contract *c)
{
    buffers b = make_buffers();
#define TRY(size, type)                                                   \
    for (size_t s = 0; s < SHAPES; s++) {                                 \
        const load of = { "", type, size };                               \
        rk_launch_options o = shaped(&shapes[s]), source = small(16);     \
        rk_kernel first = launch(c, "first", "try_" #size, &source),      \
                  second = launch_active(c, "second", "try_" #size, &o);  \
        assert_ok(rk_connect(c->runtime, first, 0, second, 0));           \
        assert_ok(rk_activate(c->runtime, first));                        \
        for (rk_u32 round = 0; round < 40; round++) {                     \
            paint(b.sent, size, round + 1);                               \
            assert_ok(rk_send(c->runtime, first, type, b.sent, size, 0)); \
            assert_arrives(c, second, &of, &b, size);                     \
        }                                                                 \
        assert_ok(rk_terminate(c->runtime, first, CONTRACT_PATIENCE));    \
        assert_ok(rk_terminate(c->runtime, second, CONTRACT_PATIENCE));   \
    }
    EACH_INLINE_REPLY(TRY)
    assert_int_equal(logged(c, "not tried"), 0);
    free_buffers(&b);
}

static void a_handler_sends_copies_of_every_size(contract *c)
{
    buffers b = make_buffers();
    rk_launch_options o = small(16);
    const load *of = &loads[c->variant->style == STYLE_FIBERS ? 0 : 2];
    rk_kernel copy = launch_active(c, "copy", kernel_for("copy", of), &o);
    send_each_size(c, copy, copy, of, &b);
    assert_ok(rk_terminate(c->runtime, copy, CONTRACT_PATIENCE));

    /* to another kernel, in each shape that its lane may have */
    for (size_t s = 0; s < (c->variant->style == STYLE_FIBERS ? SHAPES : LARGE_SHAPES); s++) {
        rk_launch_options to = shaped(&shapes[s]);
        copy = launch(c, "copy", kernel_for("copy", of), &o);
        rk_kernel pass = launch_active(c, "pass", kernel_for("pass", of), &to);
        assert_ok(rk_connect(c->runtime, copy, 0, pass, 0));
        assert_ok(rk_activate(c->runtime, copy));
        send_each_size(c, copy, pass, of, &b);
        assert_ok(rk_terminate(c->runtime, copy, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
    }
    assert_int_equal(logged(c, "not staged"), 0);
    free_buffers(&b);
}

/* Runs of one size, more than a lane holds: in and out many at a time, in every shape. */
static void every_size_goes_many_at_a_time(contract *c)
{
    enum { AT_ONCE = 3, ROUNDS = 20 };
    buffers b = make_buffers();
    for (size_t s = 0; s < SHAPES; s++)
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            const load *of = &loads[n];
            rk_launch_options o = shaped(&shapes[s]);
            rk_kernel pass = launch_active(c, "pass", kernel_for("pass", of), &o);
            for (size_t i = 0; i < SIZES && sizes[i] <= of->most && sizes[i] <= MEDIUM_MOST; i++) {
                const rk_u32 size = sizes[i], stride = size + 5;
                for (rk_u32 round = 0; round < ROUNDS; round++) {
                    rk_received infos[AT_ONCE];
                    size_t accepted = 0, received = 0;
                    paint(b.sent, AT_ONCE * size, round + size);
                    memset(b.got, 0xee, AT_ONCE * stride);
                    assert_ok(rk_send_many(c->runtime, pass, of->type, b.sent, size, AT_ONCE, 0, &accepted));
                    assert_int_equal(accepted, AT_ONCE);
                    settle(c);
                    while (received < AT_ONCE) {
                        size_t more = 0;
                        assert_ok(rk_receive_many(c->runtime, pass, b.got + received * stride, stride,
                                                  AT_ONCE - received, round % 2 ? infos + received : 0,
                                                  c->variant->single_step ? RK_NO_WAIT : CONTRACT_PATIENCE,
                                                  &more));
                        received += more;
                    }
                    for (rk_u32 k = 0; k < AT_ONCE; k++) {
                        assert_memory_equal(b.got + (size_t)k * stride, b.sent + (size_t)k * size, size);
                        for (rk_u32 at = size; at < stride; at++)
                            assert_int_equal(b.got[(size_t)k * stride + at], 0xee);
                        if (round % 2) assert_int_equal(infos[k].length, size);
                    }
                }
            }
            assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

static void every_size_can_be_written_in_place(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < SHAPES; s++) {
        const load *of = &loads[0];
        rk_launch_options o = shaped(&shapes[s]);
        rk_kernel pass = launch_active(c, "pass", kernel_for("pass", of), &o);
        rk_reservation r;
        if (shapes[s].window || shapes[s].strategy == RK_BACKPRESSURE_DROP_OLDEST) {
            assert_status(rk_reserve(c->runtime, pass, of->type, 1, 0, &r), RK_UNSUPPORTED);
            assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
            continue;
        }
        for (size_t i = 0; i < SIZES && sizes[i] <= of->most; i++)
            for (rk_u32 round = 0; round < 40; round++) {
                paint(b.sent, sizes[i], round + 1);
                assert_ok(rk_reserve(c->runtime, pass, of->type, sizes[i], 0, &r));
                assert_int_equal(r.size, sizes[i]);
                memcpy(r.body, b.sent, sizes[i]);
                if (round % 3 == 2) {
                    assert_ok(rk_abort(c->runtime, &r));
                    continue;
                }
                assert_ok(rk_commit(c->runtime, &r));
                assert_arrives(c, pass, of, &b, sizes[i]);
            }
        assert_status(rk_reserve(c->runtime, pass, of->type, SMALL_MOST + 1, 0, &r), RK_UNSUPPORTED);
        assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
    }
    free_buffers(&b);
}

/* ------------------------------------------------------------------ bounds */

static void one_byte_more_than_declared_is_refused(contract *c)
{
    buffers b = make_buffers();
    size_t count = c->variant->style == STYLE_FIBERS ? 1 : LOADS;
    for (size_t n = 0; n < count; n++) {
        const load *of = &loads[n];
        rk_launch_options o = small(16);
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

static void one_byte_more_than_declared_is_refused_in_a_handler(contract *c)
{
    buffers b = make_buffers();
    rk_launch_options o = small(16);
    const load *of = &loads[c->variant->style == STYLE_FIBERS ? 0 : 2];
    rk_kernel exceed = launch_active(c, "exceed", kernel_for("exceed", of), &o);
    verdicts said;
    assert_ok(rk_send(c->runtime, exceed, of->type, b.sent, of->most, 0));
    receive(c, exceed, &said); /* and nothing else came before it */
    assert_int_equal(said.small, RK_TOO_LARGE);
    assert_int_equal(said.medium, RK_TOO_LARGE);
    assert_int_equal(said.large, RK_TOO_LARGE);
    assert_int_equal(account_of(c, exceed).output_accepted, 1);
    free_buffers(&b);
}

/* A module may say what its source could not, see gate_test.py. */
RK_ATTRIBUTES_(take_4096_spmd, .threads = 4);
RK_DECLARE_(spmd_take_4096_spmd, .kind = RK_DECLARES_SPMD, .kernel_name = "take_4096_spmd",
            .message = &rk_schema_sized_4096, .sends = &rk_schema_verdicts,
            .attributes = &rk_attributes_take_4096_spmd, .state_size = sizeof(rk_none), .file = __FILE__,
            .line = __LINE__, .call = rk_call_copy_small_spmd);

static void what_large_messages_cannot_have_is_refused_by_name(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel none;
    o.kernel_name = "take_4096_spmd";
    assert_status(rk_launch(c->runtime, "none", &o, &none), RK_UNSUPPORTED);
    assert_error_says("'take_4096_spmd' is SPMD: its messages must be at most 1024 bytes");
    o.kernel_name = "pass_medium";
    o.backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    assert_status(rk_launch(c->runtime, "none", &o, &none), RK_UNSUPPORTED);
    assert_error_says("'pass_medium' takes messages of 65536 bytes");
    assert_error_says("use Block, Reject or DropNewest");
    o.kernel_name = "pass_small";
    assert_ok(rk_launch(c->runtime, "some", &o, &none));
}

static void a_structure_is_sent_whole_or_not_at_all(contract *c)
{
    rk_launch_options o = small(16);
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

/* ------------------------------------------------------------------ refused */

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
    rk_launch_options o = small(16), target = small(16);
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
    { CASE(a_batch_handler_replies_to_each_of_its_messages), NEEDS_REGIONS | NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_batch_handler_sees_every_size_whole), NEEDS_REGIONS },
    { CASE(every_size_goes_at_once), NEEDS_CPU },
    { CASE(a_handler_sends_copies_of_every_size), NEEDS_CPU },
    { CASE(every_size_goes_many_at_a_time), ON_EVERY },
    { CASE(every_size_can_be_written_in_place), ON_EVERY },
    { CASE(one_byte_more_than_declared_is_refused_in_a_handler), NEEDS_CPU },
    { CASE(one_byte_more_than_declared_is_refused), ON_EVERY },
    { CASE(what_large_messages_cannot_have_is_refused_by_name), ONCE },
    { CASE(a_structure_is_sent_whole_or_not_at_all), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_hook_sees_the_whole_of_a_refused_message), NEEDS_CPU },
};

CONTRACT_MAIN("payload", cases)
