/* The pool: each block has one holder, an empty pool says so at once, and giving back never waits. */
#include "lane_fixture_test.h"

#include <pthread.h>

static rk_pool *pool_lay(arena *a, rk_u32 blocks, rk_u32 block_size, rk_u64 start)
{
    rk_u32 places = 16;
    while (places < blocks) places *= 2u;
    rk_pool *pool = (rk_pool *)(a->base + arena_reserve(a, sizeof(rk_pool)));
    pool->blocks = arena_reserve(a, (rk_u64)blocks * block_size);
    pool->free_list = arena_reserve(a, 4u * (rk_u64)blocks);
    pool->returns[0] = pool->returns[1] = ring_lay(a, (lane_shape){ .capacity = places, .start = start });
    pool->block_size = block_size;
    pool->block_count = blocks;
    pool->free_count = blocks;
    for (rk_u32 b = 0; b < blocks; b++) ((rk_u32 *)(a->base + pool->free_list))[b] = b;
    return pool;
}

static void every_block_is_taken_once_and_then_there_is_none(void **state)
{
    (void)state;
    arena a = arena_open(1u << 20);
    rk_pool *pool = pool_lay(&a, 100, 256, 0);
    rk_u8 taken[100] = { 0 };
    for (rk_u32 i = 0; i < 100u; i++) {
        rk_u32 block = rk_pool_take(pool, a.base);
        assert_true(block < 100u);
        assert_int_equal(taken[block]++, 0);
    }

    assert_int_equal(rk_pool_take(pool, a.base), RK_POOL_NONE);
    assert_int_equal(rk_pool_take(pool, a.base), RK_POOL_NONE);

    rk_pool_give_back(pool, a.base, 42);
    assert_int_equal(rk_pool_take(pool, a.base), 42);
    assert_int_equal(rk_pool_take(pool, a.base), RK_POOL_NONE);
    arena_close(&a);
}

static void blocks_lie_apart_and_inside_the_pool(void **state)
{
    (void)state;
    arena a = arena_open(1u << 20);
    rk_pool *pool = pool_lay(&a, 16, 384, 0);
    for (rk_u32 b = 0; b < 16u; b++)
        assert_ptr_equal(rk_pool_block(pool, a.base, b), a.base + pool->blocks + 384u * b);
    arena_close(&a);
}

/* All blocks of a pool whose return ring is exactly as large, given back at once, ten thousand times over
 * each wrap. */
static void all_blocks_can_be_given_back_at_once(void **state)
{
    (void)state;
    const rk_u64 starts[] = { 0, 0x100000000ull - 2u, 0ull - 2u };
    for (rk_u32 s = 0; s < 3u; s++) {
        arena a = arena_open(1u << 20);
        rk_pool *pool = pool_lay(&a, 16, 128, starts[s]);
        for (rk_u32 turn = 0; turn < rounds(10000); turn++) {
            rk_u32 held = 0;
            for (rk_u32 i = 0; i < 16u; i++) held |= 1u << rk_pool_take(pool, a.base);
            assert_int_equal(held, 0xffff);
            for (rk_u32 i = 0; i < 16u; i++) rk_pool_give_back(pool, a.base, (i * 7u + turn) % 16u);
        }
        arena_close(&a);
    }
}

/* Random taking and giving back, against a set. */
static void no_block_is_ever_held_twice(void **state)
{
    (void)state;
    arena a = arena_open(1u << 20);
    rk_pool *pool = pool_lay(&a, 50, 128, 0x100000000ull - 10u);
    rk_u32 holding[50];
    rk_u32 held = 0;
    rk_u8 out[50] = { 0 };
    for (rk_u32 i = 0; i < rounds(1000000); i++) {
        rk_u64 random = rk_hash64(i);
        if (random & 1u) {
            rk_u32 block = rk_pool_take(pool, a.base);
            assert_int_equal(block == RK_POOL_NONE, held == 50u);
            if (block == RK_POOL_NONE) continue;
            assert_int_equal(out[block], 0);
            out[block] = 1;
            holding[held++] = block;
        } else if (held) {
            rk_u32 at = (rk_u32)((random >> 8) % held);
            out[holding[at]] = 0;
            rk_pool_give_back(pool, a.base, holding[at]);
            holding[at] = holding[--held];
        }
    }
    arena_close(&a);
}

/* ------------------------------------------------------------------ owners and consumers at once */

enum { OWNERS = 2, CONSUMERS = 3, BLOCKS = 24 };

typedef struct traffic {
    arena a;
    rk_pool *pool;
    rk_lane *lane;
    rk_u32 to_send;
    rk_u32 received;
    rk_u32 wrong;
    rk_u32 take_lock;
} traffic;

static void *take_and_send(void *argument)
{
    traffic *t = argument;
    for (rk_u32 i = 0; i < t->to_send; i++) {
        rk_u32 block;
        for (rk_u32 round = 0; (block = rk_pool_take(t->pool, t->a.base)) == RK_POOL_NONE; round++)
            rk_port_spin(round);
        rk_u32 *words = (rk_u32 *)rk_pool_block(t->pool, t->a.base, block);
        for (rk_u32 w = 0; w < 32u; w++) words[w] = i + w;
        message m;
        message_number(&m, 12, block, i);
        for (rk_u32 round = 0; lane_put(t->lane, &t->a, &m) != RK_OK; round++) rk_port_spin(round);
    }
    return 0;
}

static void *receive_and_give_back(void *argument)
{
    traffic *t = argument;
    rk_ring *ring = rk_lane_ring(t->lane, t->a.base, 0);
    for (rk_u32 idle = 0; rk_load_u32(&t->received, RK_ACQUIRE, RK_SCOPE_DEVICE) < t->to_send * OWNERS;) {
        numbered got = { 0, 0, 0 };
        rk_u32 n = 0;
        if (rk_exchange_u32(&t->take_lock, 1, RK_ACQUIRE, RK_SCOPE_DEVICE) == 0) {
            n = rk_ring_ready(ring, t->a.base, ring->head, 1);
            if (n) {
                if (!message_whole(rk_ring_slot(ring, t->a.base, ring->head), RK_HEADER_SHORT, &got))
                    rk_add_u32(&t->wrong, 1, RK_RELAXED, RK_SCOPE_DEVICE);
                rk_ring_commit(ring, ring->head + 1u);
            }
            rk_store_u32(&t->take_lock, 0, RK_RELEASE, RK_SCOPE_DEVICE);
        }
        if (!n) {
            rk_port_spin(idle++);
            continue;
        }
        idle = 0;
        rk_u32 *words = (rk_u32 *)rk_pool_block(t->pool, t->a.base, got.producer);
        rk_u32 mixed = 0;
        for (rk_u32 w = 0; w < 32u; w++) mixed |= words[w] != got.number + w;
        if (mixed) rk_add_u32(&t->wrong, 1, RK_RELAXED, RK_SCOPE_DEVICE);
        memset(words, 0xff, 128);
        rk_pool_give_back(t->pool, t->a.base, got.producer);
        rk_add_u32(&t->received, 1, RK_ACQ_REL, RK_SCOPE_DEVICE);
    }
    return 0;
}

static void a_block_belongs_to_its_sender_or_to_its_receiver(void **state)
{
    (void)state;
    traffic t = { .a = arena_open(1u << 20), .to_send = rounds(200000) };
    t.pool = pool_lay(&t.a, BLOCKS, 128, 0);
    t.lane = lane_lay(&t.a, (lane_shape){ .capacity = 16 });
    pthread_t thread[OWNERS + CONSUMERS];
    for (rk_u32 i = 0; i < OWNERS + CONSUMERS; i++)
        assert_int_equal(
            pthread_create(&thread[i], 0, i < OWNERS ? take_and_send : receive_and_give_back, &t), 0);
    for (rk_u32 i = 0; i < OWNERS + CONSUMERS; i++) pthread_join(thread[i], 0);

    assert_int_equal(t.wrong, 0);
    for (rk_u32 i = 0; i < BLOCKS; i++) assert_int_not_equal(rk_pool_take(t.pool, t.a.base), RK_POOL_NONE);
    assert_int_equal(rk_pool_take(t.pool, t.a.base), RK_POOL_NONE);
    arena_close(&t.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_is_taken_once_and_then_there_is_none),
        cmocka_unit_test(blocks_lie_apart_and_inside_the_pool),
        cmocka_unit_test(all_blocks_can_be_given_back_at_once),
        cmocka_unit_test(no_block_is_ever_held_twice),
        cmocka_unit_test(a_block_belongs_to_its_sender_or_to_its_receiver),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
