#include <ringkernel/kernel.h>

#include "payload.h"
#include "../sanitized.h"

#include <stdio.h>
#include <stdlib.h>

const rk_u32 sizes[SIZES] = { 0,  1,    15,   16,   36,   48,    63,
                              64, 1023, 1024, 1025, 4096, 65536, SANITIZED ? 1048576 : LARGE_MOST };

const load loads[LOADS] = {
    { "small", RK_TYPE_ID(small_load), SMALL_MOST },
    { "medium", RK_TYPE_ID(medium_load), MEDIUM_MOST },
    { "large", RK_TYPE_ID(large_load), LARGE_MOST },
};

const char *kernel_for(const char *what, const load *of)
{
    static char names[4][32];
    static rk_u32 next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "%s_%s", what, of->name);
    return name;
}

buffers make_buffers(void)
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

void free_buffers(buffers *b)
{
    free(b->sent_memory);
    free(b->got_memory);
}

void paint(rk_u8 *bytes, rk_u32 size, rk_u64 seed)
{
    for (rk_u32 i = 0; i < size; i += 8) {
        rk_u64 word = rk_hash64(seed * 0x9e3779b97f4a7c15ull + i);
        memcpy(bytes + i, &word, size - i < 8 ? size - i : 8);
    }
}

void assert_arrives(contract *c, rk_kernel from, const load *of, buffers *b, rk_u32 size)
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

void send_each_size(contract *c, rk_kernel to, rk_kernel from, const load *of, buffers *b)
{
    for (size_t i = 0; i < SIZES && sizes[i] <= of->most; i++)
        for (rk_u32 round = 0; round < (sizes[i] > MEDIUM_MOST ? 2u : 20u); round++) {
            paint(b->sent, sizes[i], round + 1);
            assert_ok(rk_send(c->runtime, to, of->type, b->sent, sizes[i], 0));
            assert_arrives(c, from, of, b, sizes[i]);
        }
}

void send_painted(contract *c, rk_kernel to, const load *of, buffers *b, rk_u32 first, rk_u32 end)
{
    for (rk_u32 i = first; i < end; i++) {
        paint(b->sent, 4096, i);
        assert_ok(rk_send(c->runtime, to, of->type, b->sent, 4096, 0));
    }
}

void assert_painted_arrive(contract *c, rk_kernel from, const load *of, buffers *b, rk_u32 first, rk_u32 end)
{
    for (rk_u32 i = first; i < end; i++) {
        paint(b->sent, 4096, i);
        assert_arrives(c, from, of, b, 4096);
    }
}

void assert_all_blocks_are_back(contract *c, rk_kernel pass, const load *of, buffers *b, rk_u32 blocks)
{
    rk_send_options brief = RK_SEND_DEFAULTS;
    brief.timeout_ns = RK_SECONDS(1);
    for (rk_u32 round = 0; round < 3; round++) {
        paint(b->sent, 4096, round);
        for (rk_u32 i = 0; i < blocks; i++) {
            /* What came out may have left its slot a moment ago only, which a strategy that doesn't wait meets. */
            wait_until(c, rk_send(c->runtime, pass, of->type, b->sent, 4096, &brief) == RK_OK);
            wait_until(c, account_of(c, pass).output_queued == i + 1); /* all at once, each in its block */
        }
        for (rk_u32 i = 0; i < blocks; i++) assert_arrives(c, pass, of, b, 4096);
    }
}

const shape shapes[SHAPES] = {
    { "seq, short", RK_FORMAT_SEQ, 0, RK_BACKPRESSURE_BLOCK, 0 },
    { "seq, long", RK_FORMAT_SEQ, 1, RK_BACKPRESSURE_BLOCK, 0 },
    { "unit, short", RK_FORMAT_UNIT, 0, RK_BACKPRESSURE_REJECT, 0 },
    { "unit, long", RK_FORMAT_UNIT, 1, RK_BACKPRESSURE_BLOCK, 0 },
    { "locked", RK_FORMAT_SEQ, 0, RK_BACKPRESSURE_DROP_NEWEST, 16 },
    { "overwritten, short", RK_FORMAT_SEQ, 0, RK_BACKPRESSURE_DROP_OLDEST, 0 },
    { "overwritten, long", RK_FORMAT_SEQ, 1, RK_BACKPRESSURE_DROP_OLDEST, 16 },
};

rk_launch_options shaped(const shape *as)
{
    rk_launch_options o = small(16);
    o.slot_format = as->format;
    o.expiry = as->expiry;
    o.backpressure = as->strategy;
    o.deduplication_window = as->window;
    return o;
}

size_t loads_for(contract *c, const shape *as)
{
    return c->variant->style == STYLE_FIBERS || as->strategy == RK_BACKPRESSURE_DROP_OLDEST ? 1 : LOADS;
}
