/* Kernels of the cases on groups: vectors and reductions by regions and by threads, and two mistakes that
 * must be found. */
#include <ringkernel/kernel.h>

#include "contract_b.rk.h"

#if defined(RK_LANG_HOST)
/* Where the divergent barriers stand, for the test. */
extern const unsigned contract_divergent_line, contract_narrow_line;
#endif

RK_HANDLER(add_vectors, vector_pair, pair, rk_none, self, .width = RK_BLOCK, .threads = 64, .shared = 480)
{
    RK_SHARED(rk_f32, sum, 120);
    rk_u32 n = pair->n < 120u ? pair->n : 120u;
    RK_PARALLEL(i, n) sum[i] = pair->a[i] + pair->b[i];
    RK_ONCE {
        vector_sum total = { n, { 0 } };
        for (rk_u32 i = 0; i < n; i++) total.value[i] = sum[i];
        rk_send(RK_ARG, &total);
    }
}

RK_SPMD_KERNEL(add_places, place_pair, place_sum, .threads = 64)
{
    place_pair pair;
    if (rk_try_receive(RK_ARG, &pair)) {
        place_sum sum = { pair.place, pair.a + pair.b };
        rk_send(RK_ARG, &sum);
    }
}

RK_FN rk_i64 series_at(rk_u32 seed, rk_u32 i)
{
    return (rk_i64)(rk_hash64(((rk_u64)seed << 32) + i) >> 16) - (1l << 46);
}

/* A group makes the values of a series and adds them up, by hand and by the library's reduction. */
RK_FN void reduce_both_ways(RK_CTX, RK_LOCAL rk_i64 *mine, RK_LOCAL rk_i64 *theirs, rk_u32 seed, rk_u32 n)
{
    RK_PARALLEL(i, n) mine[i] = theirs[i] = series_at(seed, i);
    for (rk_u32 left = n; left > 1u; left = (left + 1u) / 2u)
        RK_PARALLEL(i, left / 2u) mine[i] += mine[i + (left + 1u) / 2u];
    rk_reduce_sum_i64(RK_ARG, theirs, n);
    RK_ONCE {
        series_sum sum = { mine[0], theirs[0], 0, n };
        rk_send(RK_ARG, &sum);
    }
}

/* One message brings a seed, and a block reduces its series. */
RK_HANDLER(reduce_series, series, s, rk_none, self, .width = RK_BLOCK, .threads = 256, .shared = 16384)
{
    RK_SHARED(rk_i64, mine, 1024);
    RK_SHARED(rk_i64, theirs, 1024);
    rk_u32 n = s->n < 1024u ? s->n : 1024u;
    reduce_both_ways(RK_ARG, mine, theirs, s->seed, n);
}

/* The same by warps, several of which may work in one block, each on a message and in shared memory of its own. */
RK_HANDLER(reduce_by_warps, series, s, rk_none, self, .width = RK_WARP, .threads = 64, .shared = 1024)
{
    RK_SHARED(rk_i64, mine, 64);
    RK_SHARED(rk_i64, theirs, 64);
    rk_u32 n = s->n < 64u ? s->n : 64u;
    reduce_both_ways(RK_ARG, mine, theirs, s->seed, n);
}

/* And by single threads. */
RK_HANDLER(reduce_by_threads, series, s, rk_none, self, .width = RK_THREAD, .threads = 32, .shared = 128)
{
    RK_SHARED(rk_i64, mine, 16);
    rk_u32 n = s->n < 16u ? s->n : 16u;
    rk_i64 sum = 0;
    for (rk_u32 i = 0; i < n; i++) mine[i] = series_at(s->seed, i);
    for (rk_u32 i = 0; i < n; i++) sum += mine[i];
    series_sum total = { sum, sum, 0, n };
    rk_send(RK_ARG, &total);
}

/* Each thread brings a value of its own; the block's sum, by a tree in shared memory and by the library. */
RK_SPMD_KERNEL(reduce_block, series_value, series_sum, .threads = 256, .shared = 12288,
               .barrier = RK_SCOPE_BLOCK)
{
    RK_SHARED(rk_i64, partial, 1024);
    RK_SHARED(rk_u32, members, 1024);
    rk_u32 t = rk_thread();
    series_value v = { 0 };
    members[t] = rk_try_receive(RK_ARG, &v);
    partial[t] = v.value;
    rk_barrier(RK_SCOPE_BLOCK);
    for (rk_u32 left = rk_threads(); left > 1u; left = (left + 1u) / 2u) {
        rk_u32 kept = (left + 1u) / 2u;
        if (t < left / 2u) {
            partial[t] += partial[t + kept];
            members[t] += members[t + kept];
        }
        rk_barrier(RK_SCOPE_BLOCK);
    }
    rk_i64 by_library = rk_reduce_add(v.value, RK_SCOPE_BLOCK);
    if (t == 0) {
        series_sum sum = { partial[0], by_library, 0, members[0] };
        rk_send(RK_ARG, &sum);
    }
}

/* The warps' sums, by shuffles and by the library. */
RK_SPMD_KERNEL(reduce_warps, series_value, series_sum, .threads = 256, .barrier = RK_SCOPE_WARP)
{
    series_value v = { 0 };
    rk_i32 members = (rk_i32)rk_try_receive(RK_ARG, &v);
    rk_u32 here = rk_threads() - rk_warp() * RK_WARP_SIZE;
    rk_i64 sum = v.value;
    rk_i64 by_library = rk_reduce_add(v.value, RK_SCOPE_WARP);
    if (here > RK_WARP_SIZE) here = RK_WARP_SIZE;
    for (rk_u32 step = RK_WARP_SIZE / 2u; step > 0; step /= 2u) {
        rk_i64 further = rk_shuffle_down_i64(sum, step);
        rk_i32 more = rk_shuffle_down(members, step);
        if (rk_lane() + step < here) {
            sum += further;
            members += more;
        }
    }
    if (rk_lane() == 0 && members > 0) {
        series_sum total = { sum, by_library, rk_warp(), (rk_u32)members };
        rk_send(RK_ARG, &total);
    }
}

/* The same by votes: which threads of each warp have an odd value, and whether any of the warp, and any of the block, has
 * a rare one. */
RK_SPMD_KERNEL(vote_warps, series_value, series_sum, .threads = 64, .barrier = RK_SCOPE_BLOCK)
{
    series_value v = { 0 };
    rk_u32 taken = rk_try_receive(RK_ARG, &v), rare = taken && (v.value & 127) == 5;
    rk_u32 odd = rk_ballot(taken && (v.value & 1));
    rk_u32 any = rk_any(rare, RK_SCOPE_WARP);
    rk_u32 of_block = rk_any(rare, RK_SCOPE_BLOCK);
    if (rk_lane() == 0) {
        series_sum total = { (rk_i64)odd, (rk_i64)(any + 2u * of_block), rk_warp(), taken };
        rk_send(RK_ARG, &total);
    }
}

/* Fences of every order and scope, by hand: what a thread wrote before one, its partner reads behind its own. */
RK_SPMD_KERNEL(fence_scopes, series_value, series_sum, .threads = 64, .shared = 2048,
               .barrier = RK_SCOPE_BLOCK, .memory = RK_RELAXED_MEMORY, .not_causal = 1)
{
    RK_SHARED(rk_i64, put, 256);
    rk_u32 t = rk_thread();
    series_value v = { 0 };
    rk_u32 taken = rk_try_receive(RK_ARG, &v);
    put[t] = v.value;
    rk_memory_fence(RK_RELEASE, RK_SCOPE_WARP);
    rk_barrier(RK_SCOPE_WARP);
    rk_memory_fence(RK_ACQUIRE, RK_SCOPE_WARP);
    put[64u + t] = put[t ^ 1u] + v.value;
    rk_memory_fence(RK_RELEASE, RK_SCOPE_BLOCK);
    rk_barrier(RK_SCOPE_BLOCK);
    rk_memory_fence(RK_ACQUIRE, RK_SCOPE_BLOCK);
    put[128u + t] = put[64u + (t + 32u) % 64u] + v.value;
    rk_memory_fence(RK_ACQ_REL, RK_SCOPE_DEVICE);
    rk_barrier(RK_SCOPE_BLOCK);
    rk_memory_fence(RK_ACQ_REL, RK_SCOPE_DEVICE);
    put[192u + t] = put[128u + 63u - t] + v.value;
    rk_memory_fence(RK_SEQ_CST, RK_SCOPE_SYSTEM);
    rk_barrier(RK_SCOPE_BLOCK);
    rk_memory_fence(RK_SEQ_CST, RK_SCOPE_SYSTEM);
    series_sum sum = { put[192u + (t + 1u) % 64u], v.value, t, taken };
    if (taken) rk_send(RK_ARG, &sum);
}

/* A mistake: a barrier that only half of the threads reach. */
RK_SPMD_KERNEL(diverge, series_value, series_sum, .threads = 64, .barrier = RK_SCOPE_BLOCK)
{
    series_value v = { 0 };
    rk_u32 taken = rk_try_receive(RK_ARG, &v);
    if (rk_thread() < 32u) rk_barrier(RK_SCOPE_BLOCK);
    series_sum total = { v.value, 0, 0, taken };
    if (taken) rk_send(RK_ARG, &total);
}
#if defined(RK_LANG_HOST)
const unsigned contract_divergent_line = __LINE__ - 5;
#endif

/* Another: threads of different warps share memory, with a barrier of warp scope in between. */
RK_SPMD_KERNEL(share_narrowly, series_value, series_value, .threads = 64, .shared = 512,
               .barrier = RK_SCOPE_WARP)
{
    RK_SHARED(rk_i64, value, 64);
    series_value v = { 0 };
    rk_u32 taken = rk_try_receive(RK_ARG, &v);
    value[rk_thread()] = v.value;
    rk_barrier(RK_SCOPE_WARP);
    series_value other = { value[(rk_thread() + 32u) % 64u] };
    if (taken) rk_send(RK_ARG, &other);
}
#if defined(RK_LANG_HOST)
const unsigned contract_narrow_line = __LINE__ - 5;
#endif
