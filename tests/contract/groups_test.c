/* What a group computes: reductions, votes and vectors are exact for every size of a block, and the two
 * mistakes of barriers are found and named. */
#include <ringkernel/kernel.h> /* RK_WARP_SIZE */

#include "lines.h"

#include <stdio.h>
#include <stdlib.h>

extern const unsigned contract_divergent_line, contract_narrow_line; /* in contract_b_groups.rk.c */

/* ------------------------------------------------------------------ vectors and reductions */

static const rk_u32 lengths[] = { 1, 2, 31, 32, 33, 63, 65, 100, 119, 120 };

static void one_and_a_half_and_two_and_a_quarter_are_three_and_three_quarters(contract *c)
{
    rk_launch_options o = roomy();
    if (c->variant->style == STYLE_REGIONS) {
        o.kernel_name = "add_vectors";
        rk_kernel add = launch_active(c, "add", "", &o);
        vector_pair pair = { 1, { 1.5f }, { 2.25f } };
        vector_sum sum;
        assert_ok(rk_send(c->runtime, add, RK_BODY(pair), 0));
        receive(c, add, &sum);
        assert_true(sum.value[0] == 3.75f);
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            pair.n = lengths[l];
            for (rk_u32 i = 0; i < 120; i++) {
                pair.a[i] = (rk_f32)i;
                pair.b[i] = 2.0f * (rk_f32)i;
            }
            assert_ok(rk_send(c->runtime, add, RK_BODY(pair), 0));
            receive(c, add, &sum);
            assert_int_equal(sum.n, lengths[l]);
            for (rk_u32 i = 0; i < 120; i++)
                assert_true(sum.value[i] == (i < lengths[l] ? 3.0f * (rk_f32)i : 0.0f));
        }
        return;
    }
    o.kernel_name = "add_places";
    rk_kernel add = launch_active(c, "add", "", &o);
    place_pair first = { 0, 1.5f, 2.25f };
    place_sum sum;
    assert_ok(rk_send(c->runtime, add, RK_BODY(first), 0));
    receive(c, add, &sum);
    assert_true(sum.value == 3.75f);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (rk_u32 i = 0; i < lengths[l]; i++) {
            place_pair pair = { i, (rk_f32)i, 2.0f * (rk_f32)i };
            assert_ok(rk_send(c->runtime, add, RK_BODY(pair), 0));
        }
        for (rk_u32 i = 0; i < lengths[l]; i++) {
            receive(c, add, &sum);
            assert_int_equal(sum.place, i);
            assert_true(sum.value == 3.0f * (rk_f32)i);
        }
    }
}

static const rk_u32 block_sizes[] = { 1, 31, 32, 33, 256, 1024 };
#define BLOCK_SIZES (sizeof block_sizes / sizeof *block_sizes)

static rk_i64 series_of(rk_u32 seed, rk_u32 i)
{
    return (rk_i64)(rk_hash64(((rk_u64)seed << 32) + i) >> 16) - (1l << 46);
}

static rk_i64 sum_of(rk_u32 seed, rk_u32 first, rk_u32 end)
{
    rk_i64 sum = 0;
    for (rk_u32 i = first; i < end; i++) sum += series_of(seed, i);
    return sum;
}

static void a_region_reduces_exactly_for_every_block_size(contract *c)
{
    for (size_t b = 0; b < BLOCK_SIZES; b++) {
        rk_launch_options o = roomy();
        o.kernel_name = "reduce_series";
        o.threads = block_sizes[b];
        rk_kernel reduce = launch_active(c, "reduce", "", &o);
        assert_int_equal(info_of(c, reduce).threads, block_sizes[b]);
        for (size_t n = 0; n < BLOCK_SIZES; n++)
            for (rk_u32 seed = 1; seed <= 3; seed++) {
                series s = { block_sizes[n], seed };
                series_sum sum;
                assert_ok(rk_send(c->runtime, reduce, RK_BODY(s), 0));
                receive(c, reduce, &sum);
                assert_int_equal(sum.sum, sum_of(seed, 0, s.n));
                assert_int_equal(sum.by_library, sum.sum);
                assert_int_equal(sum.members, s.n);
            }
        assert_ok(rk_terminate(c->runtime, reduce, CONTRACT_PATIENCE));
    }
}

/* Given messages enough for all groups of a block at once, when they are handled, then no group is in another's shared
 * memory. */
static void reduce_side_by_side(contract *c, const char *kernel, rk_u32 threads, rk_u32 most)
{
    enum { MESSAGES = 200 };
    rk_launch_options o = roomy();
    o.kernel_name = kernel;
    o.threads = threads;
    o.max_batch = 64;
    rk_kernel reduce = launch(c, "reduce", "", &o);
    for (rk_u32 i = 0; i < MESSAGES; i++) {
        series s = { 1 + i % most, i };
        assert_ok(rk_send(c->runtime, reduce, RK_BODY(s), 0));
    }
    assert_ok(rk_activate(c->runtime, reduce));
    for (rk_u32 i = 0; i < MESSAGES; i++) {
        series_sum sum;
        receive(c, reduce, &sum);
        assert_int_equal(sum.members, 1 + i % most);
        assert_int_equal(sum.sum, sum_of(i, 0, sum.members));
        assert_int_equal(sum.by_library, sum.sum);
    }
    assert_ok(rk_terminate(c->runtime, reduce, CONTRACT_PATIENCE));
}

static void groups_of_a_block_reduce_side_by_side(contract *c)
{
    static const rk_u32 of_warps[] = { 1, 31, 32, 64, 96, 896 }, of_threads[] = { 1, 31, 32, 33, 224 };
    for (size_t i = 0; i < sizeof of_warps / sizeof *of_warps; i++)
        reduce_side_by_side(c, "reduce_by_warps", of_warps[i], 64);
    for (size_t i = 0; i < sizeof of_threads / sizeof *of_threads; i++)
        reduce_side_by_side(c, "reduce_by_threads", of_threads[i], 16);
}

/* Queue `count` values, then let the kernel handle them in blocks of `threads`. */
static series_sum *reduce_values(contract *c, const char *kernel, rk_u32 threads, rk_u32 count, rk_u32 check,
                                 size_t *sums)
{
    rk_launch_options o = roomy();
    o.kernel_name = kernel;
    o.threads = threads;
    o.spmd_check = check;
    rk_kernel reduce = launch(c, "reduce", "", &o);
    assert_int_equal(info_of(c, reduce).threads, threads);
    assert_int_equal(info_of(c, reduce).max_batch, threads);
    for (rk_u32 i = 0; i < count; i++) {
        series_value v = { series_of(9, i) };
        assert_ok(rk_send(c->runtime, reduce, RK_BODY(v), 0));
    }
    assert_ok(rk_activate(c->runtime, reduce));
    series_sum *all = take_all(c, reduce, sizeof(series_sum), sums);
    assert_int_equal(info_of(c, reduce).life, RK_LIFE_ACTIVE);
    assert_ok(rk_terminate(c->runtime, reduce, CONTRACT_PATIENCE));
    return all;
}

/* spmd_check is the CPU's, and takes long under sanitizers. */
static int may_check(const contract *c, rk_u32 threads)
{
    return on_cpu(c) && !(contract_sanitized() && threads > 256);
}

static void a_block_of_fibers_reduces_exactly_for_every_size(contract *c)
{
    for (size_t b = 0; b < BLOCK_SIZES; b++)
        for (rk_u32 check = 0; check < (may_check(c, block_sizes[b]) ? 2u : 1u); check++) {
            /* given as many values as two blocks have threads, and half a block more */
            rk_u32 threads = block_sizes[b], count = 2 * threads + threads / 2;
            size_t sums;
            series_sum *all = reduce_values(c, "reduce_block", threads, count, check, &sums);
            assert_int_equal(sums, count % threads ? 3 : 2);
            for (rk_u32 i = 0; i < sums; i++) {
                rk_u32 end = (i + 1) * threads < count ? (i + 1) * threads : count;
                assert_int_equal(all[i].sum, sum_of(9, i * threads, end));
                assert_int_equal(all[i].by_library, all[i].sum);
                assert_int_equal(all[i].members, end - i * threads);
            }
            free(all);
        }
}

static void a_warp_of_fibers_reduces_exactly_for_every_block_size(contract *c)
{
    for (size_t b = 0; b < BLOCK_SIZES; b++) {
        rk_u32 threads = block_sizes[b], count = threads + threads / 3;
        size_t sums;
        series_sum *all = reduce_values(c, "reduce_warps", threads, count, 0, &sums);
        rk_u32 at = 0;
        for (size_t i = 0; i < sums; i++) {
            rk_u32 end = at + all[i].members;
            assert_int_equal(all[i].group, at % threads / RK_WARP_SIZE);
            assert_int_equal(all[i].sum, sum_of(9, at, end));
            assert_int_equal(all[i].by_library, all[i].sum);
            at = end;
        }
        assert_int_equal(at, count);
        free(all);
    }
}

static int is_rare(rk_u32 i) { return (series_of(9, i) & 127) == 5; }

static void a_ballot_and_a_vote_say_who_agrees(contract *c)
{
    rk_u32 none = 0, some = 0;
    for (size_t b = 0; b < BLOCK_SIZES; b++) {
        /* given a block whose last third has no messages */
        const rk_u32 threads = block_sizes[b], count = threads - threads / 3;
        size_t sums;
        series_sum *all = reduce_values(c, "vote_warps", threads, count, 0, &sums);
        rk_u32 of_block = 0;
        for (rk_u32 t = 0; t < count; t++) of_block |= (rk_u32)is_rare(t);
        assert_int_equal(sums, (threads + 31) / 32); /* warps without a message vote as well */
        for (rk_u32 w = 0; w < sums; w++) {
            rk_u32 odd = 0, any = 0;
            for (rk_u32 t = 0; t < 32 && w * 32 + t < count; t++) {
                odd |= (rk_u32)(series_of(9, w * 32 + t) & 1) << t;
                any |= (rk_u32)is_rare(w * 32 + t);
            }
            assert_int_equal(all[w].group, w);
            assert_int_equal((rk_u32)all[w].sum, odd);
            assert_int_equal(all[w].by_library, any + 2 * of_block);
            none += !any;
            some += any;
        }
        free(all);
    }
    assert_true(none > 0 && some > 0);
}

/* What thread t of fence_scopes has put down in this round, behind a fence of the round's scope. */
static rk_i64 fenced(rk_u32 round, rk_u32 t)
{
    static const rk_u32 apart[] = { 1, 32 };
    if (round == 0) return series_of(9, t);
    return fenced(round - 1, round < 3 ? t ^ apart[round - 1] : 63 - t) + series_of(9, t);
}

static void fences_of_every_scope_order_what_threads_hand_on(contract *c)
{
    size_t sums;
    series_sum *all = reduce_values(c, "fence_scopes", 64, 64, 0, &sums);
    assert_int_equal(sums, 64);
    for (rk_u32 t = 0; t < 64; t++) {
        assert_int_equal(all[t].group, t);
        assert_int_equal(all[t].sum, fenced(3, (t + 1) % 64));
    }
    free(all);
}

/* ------------------------------------------------------------------ two mistakes */

static void a_divergent_barrier_names_its_line_and_stops_that_kernel_alone(contract *c)
{
    /* given a kernel with a barrier that half of its threads reach, and another kernel */
    rk_launch_options o = roomy();
    char where[64];
    series_value v = { 1 };
    sighting s;
    o.kernel_name = "diverge";
    rk_kernel diverge = launch_active(c, "diverge", "", &o), other = launch_active(c, "other", "carry", 0);
    snprintf(where, sizeof where, "contract_b_groups.rk.c:%u", contract_divergent_line);

    /* when it gets a message, then it fails with file and line, and takes no more */
    assert_ok(rk_send(c->runtime, diverge, RK_BODY(v), 0));
    wait_until(c, info_of(c, diverge).life == RK_LIFE_FAILED);
    rk_kernel_info info = info_of(c, diverge);
    contract_assert_says(info.failure, "divergent barrier", __FILE__, __LINE__);
    contract_assert_says(info.failure, where, __FILE__, __LINE__);
    assert_int_equal(info.healthy, 0);
    wait_until(c, logged(c, where) > 0);
    assert_status(rk_send(c->runtime, diverge, RK_BODY(v), 0), RK_CLOSED);
    assert_error_says(where);

    /* and the other goes on */
    assert_ok(send_package(c, other, 5, 0));
    receive(c, other, &s);
    assert_int_equal(s.number, 5);
    assert_true(account_of(c, diverge).balanced);
}

static void a_barrier_of_too_narrow_a_scope_is_found_when_asked_for(contract *c)
{
    /* given a kernel whose warps share memory with a barrier of warp scope */
    rk_launch_options o = roomy();
    char where[64];
    o.kernel_name = "share_narrowly";
    o.spmd_check = 1;
    rk_kernel narrow = launch(c, "narrow", "", &o);
    snprintf(where, sizeof where, "contract_b_groups.rk.c:%u", contract_narrow_line);
    for (rk_u32 i = 0; i < 64; i++) {
        series_value v = { series_of(1, i) };
        assert_ok(rk_send(c->runtime, narrow, RK_BODY(v), 0));
    }

    /* when it is checked, then the order of its threads is found to matter, and the line is named: not a
     * wrong sum */
    assert_ok(rk_activate(c->runtime, narrow));
    wait_until(c, info_of(c, narrow).life == RK_LIFE_FAILED);
    contract_assert_says(info_of(c, narrow).failure, where, __FILE__, __LINE__);
    contract_assert_says(info_of(c, narrow).failure, "RK_SCOPE_BLOCK", __FILE__, __LINE__);
    assert_int_equal(account_of(c, narrow).output_accepted, 0);
}

static const contract_case cases[] = {
    { CASE(one_and_a_half_and_two_and_a_quarter_are_three_and_three_quarters), ON_EVERY },
    { CASE(a_region_reduces_exactly_for_every_block_size), NEEDS_REGIONS },
    { CASE(groups_of_a_block_reduce_side_by_side), NEEDS_REGIONS },
    { CASE(a_block_of_fibers_reduces_exactly_for_every_size), NEEDS_FIBERS },
    { CASE(a_warp_of_fibers_reduces_exactly_for_every_block_size), NEEDS_FIBERS },
    { CASE(a_ballot_and_a_vote_say_who_agrees), NEEDS_FIBERS },
    { CASE(fences_of_every_scope_order_what_threads_hand_on), NEEDS_FIBERS },
    { CASE(a_divergent_barrier_names_its_line_and_stops_that_kernel_alone), NEEDS_FIBERS | NEEDS_CPU },
    { CASE(a_barrier_of_too_narrow_a_scope_is_found_when_asked_for), NEEDS_FIBERS | NEEDS_CPU },
};

CONTRACT_MAIN("groups", cases)
