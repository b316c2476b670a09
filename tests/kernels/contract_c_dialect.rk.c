/* Kernels of the cases on the dialect: each makes one call and tells what came of it. NAME_spmd is the
 * same as a thread's body. */
#include <ringkernel/kernel.h>

#include "contract_c.rk.h"

RK_ROUTE(aside)

/* ------------------------------------------------------------------ time */

RK_HANDLER(tell_time_left, measure, msg, rk_none, self)
{
    measure told = { msg->number, rk_time_left_ns(RK_ARG) };
    rk_send(RK_ARG, &told);
}

RK_SPMD_KERNEL(tell_time_left_spmd, measure, measure, .threads = 32)
{
    measure told;
    if (!rk_try_receive(RK_ARG, &told)) return;
    told.value = rk_time_left_ns(RK_ARG);
    rk_send(RK_ARG, &told);
}

RK_FN measure count_cycles(rk_u64 number, rk_u64 rounds)
{
    rk_u64 begin = rk_cycles();
    for (rk_u64 i = 0; i < rounds; i++) number = rk_hash64(number + i);
    measure told = { number, rk_cycles() - begin };
    return told;
}

/* How many cycles so many rounds of hashing take. */
RK_HANDLER(tell_cycles, measure, msg, rk_none, self)
{
    measure told = count_cycles(msg->number, msg->value);
    rk_send(RK_ARG, &told);
}

RK_SPMD_KERNEL(tell_cycles_spmd, measure, measure, .threads = 32)
{
    measure asked;
    if (!rk_try_receive(RK_ARG, &asked)) return;
    measure told = count_cycles(asked.number, asked.value);
    rk_send(RK_ARG, &told);
}

/* ------------------------------------------------------------------ on a named route */

RK_HANDLER(forward_aside, measure, msg, rk_none, self) { rk_forward_to(RK_ARG, aside); }

RK_SPMD_KERNEL(forward_aside_spmd, measure, measure, .threads = 32)
{
    measure mine;
    if (rk_try_receive(RK_ARG, &mine)) rk_forward_to(RK_ARG, aside);
}

/* To the target that the message names, and the host gets a copy on the default route. */
RK_FN void send_on_both(RK_CTX, const measure *m)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = (rk_u32)m->value;
    to.priority = 200;
    rk_send_to_with(RK_ARG, aside, m, &to);
    rk_send(RK_ARG, m);
}

RK_HANDLER(send_aside, measure, msg, rk_none, self, .max_sends = 2)
{
    measure copy = *msg;
    send_on_both(RK_ARG, &copy);
}

RK_SPMD_KERNEL(send_aside_spmd, measure, measure, .threads = 32, .max_sends = 2)
{
    measure mine;
    if (rk_try_receive(RK_ARG, &mine)) send_on_both(RK_ARG, &mine);
}

/* Tries, and tells the host what the lane said. */
RK_HANDLER(try_aside, measure, msg, rk_none, self)
{
    measure copy = *msg, told = { msg->number, (rk_u64)rk_try_send_to(RK_ARG, aside, &copy) };
    rk_send(RK_ARG, &told);
}

/* The first message tries again and again, those from the 33rd on are staged, all on one route. */
RK_HANDLER(try_some, measure, msg, rk_none, self)
{
    measure copy = *msg;
    for (rk_u32 i = 0; i < msg->value; i++) rk_try_send(RK_ARG, &copy);
    if (msg->number >= 32u) rk_send(RK_ARG, &copy);
}

RK_SPMD_KERNEL(try_aside_spmd, measure, measure, .threads = 32)
{
    measure mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    measure told = { mine.number, (rk_u64)rk_try_send_to(RK_ARG, aside, &mine) };
    rk_send(RK_ARG, &told);
}

/* Tells the target that a message was sent to. */
RK_HANDLER(tell_target, measure, msg, rk_none, self)
{
    measure told = { msg->number, rk_target_of(msg) * 1000u + rk_ctx->header->priority };
    rk_send(RK_ARG, &told);
}

/* ------------------------------------------------------------------ groups */

/* Each thread keeps a value of its own from region to region, and takes its neighbour's in between. */
RK_HANDLER(keep_per_thread, measure, msg, rk_none, self, .width = RK_BLOCK, .threads = 64, .shared = 512)
{
    RK_SHARED(rk_u64, board, PER_THREAD);
    RK_PER_THREAD(rk_u64, kept, 64);
    rk_u64 number = msg->number;
    RK_THREADS(t, PER_THREAD) board[t] = RK_MINE(kept, t) = rk_hash64(number + t);
    RK_THREADS(t, PER_THREAD) RK_MINE(kept, t) += 3u * board[(t + 1u) % PER_THREAD];
    RK_THREADS(t, PER_THREAD) board[t] = RK_MINE(kept, t) * (t + 1u);
    RK_ONCE {
        measure told = { number, 0 };
        for (rk_u32 i = 0; i < PER_THREAD; i++) told.value += board[i];
        rk_send(RK_ARG, &told);
    }
}

RK_HANDLER(add_terms, terms, msg, rk_none, self, .width = RK_BLOCK, .threads = 128, .shared = 5120)
{
    RK_SHARED(rk_u64, of_u64, 256);
    RK_SHARED(rk_u32, of_u32, 256);
    RK_SHARED(rk_i32, of_i32, 256);
    RK_SHARED(rk_f32, of_f32, 256);
    rk_u32 n = msg->n < 256u ? msg->n : 256u;
    RK_PARALLEL(i, n) of_u64[i] = KIND_U64(i);
    RK_PARALLEL(i, n) of_u32[i] = (rk_u32)KIND_U64(i);
    RK_PARALLEL(i, n) of_i32[i] = TERM_I32(i);
    RK_PARALLEL(i, n) of_f32[i] = TERM_F32(i);
    rk_reduce_sum_u64(RK_ARG, of_u64, n);
    rk_reduce_sum_u32(RK_ARG, of_u32, n);
    rk_reduce_sum_i32(RK_ARG, of_i32, n);
    rk_reduce_sum_f32(RK_ARG, of_f32, n);
    RK_ONCE {
        terms sums = { n, of_f32[0], of_u64[0], of_u32[0], of_i32[0] };
        rk_send(RK_ARG, &sums);
    }
}

RK_SPMD_KERNEL(exchange_values, measure, exchanged, .threads = 64, .barrier = RK_SCOPE_WARP)
{
    measure mine;
    rk_u32 taken = rk_try_receive(RK_ARG, &mine);
    exchanged got;
    /* Lanes are counted modulo a warp. */
    got.of_lane_3 = rk_shuffle_u64(rk_hash64(rk_thread()), 3u + rk_thread() % 2u * RK_WARP_SIZE);
    got.two_below = rk_shuffle_down_f32(0.25f * (rk_f32)rk_thread(), 2u);
    got.across = rk_shuffle_xor_u32(rk_thread() * 7u, 5u);
    got.thread = rk_thread();
    got.threads = rk_threads();
    if (taken) rk_send(RK_ARG, &got);
}

RK_SPMD_KERNEL(exchange_kinds, measure, exchanged_kinds, .threads = 64, .barrier = RK_SCOPE_WARP)
{
    measure mine;
    const rk_u32 taken = rk_try_receive(RK_ARG, &mine), t = rk_thread();
    rk_u32 here = rk_threads() - rk_warp() * RK_WARP_SIZE;
    if (here > RK_WARP_SIZE) here = RK_WARP_SIZE;
    exchanged_kinds got;
    got.last_i64 = rk_shuffle_i64(KIND_I64(t), here - 1u);
    got.next_u64 = rk_shuffle_down_u64(KIND_U64(t), 1u);
    got.next_i64 = rk_shuffle_down_i64(KIND_I64(t), 1u);
    got.last_u32 = rk_shuffle_u32((rk_u32)KIND_U64(t), here - 1u);
    got.last_i32 = rk_shuffle((rk_i32)KIND_I64(t), here - 1u);
    got.last_f32 = rk_shuffle_f32(KIND_F32(t), here - 1u);
    got.next_u32 = rk_shuffle_down_u32((rk_u32)KIND_U64(t), 1u);
    got.across_i32 = rk_shuffle_xor((rk_i32)KIND_I64(t), 7u);
    got.across_f32 = rk_shuffle_xor_f32(KIND_F32(t), 7u);
    if (taken) rk_send(RK_ARG, &got);
}

/* Threads that have no message fail, and have sent something before. */
RK_REASON(nothing_to_do)
RK_SPMD_KERNEL(some_have_none, measure, measure, .threads = 32, .max_sends = 2)
{
    measure mine = { 0, 0 };
    const rk_u32 taken = rk_try_receive(RK_ARG, &mine);
    rk_send(RK_ARG, &mine);
    if (!taken) rk_fail(RK_ARG, nothing_to_do);
}

/* Tells what its parameters are. */
RK_PARAM(rk_u8, set_u8, 200)
RK_PARAM(rk_i8, set_i8, -100)
RK_PARAM(rk_u16, set_u16, 60000)
RK_PARAM(rk_i16, set_i16, -30000)
RK_PARAM(rk_u32, set_u32, 4000000000u)
RK_PARAM(rk_i32, set_i32, -2000000000)
RK_PARAM(rk_u64, set_u64, 18000000000000000000ul)
RK_PARAM(rk_i64, set_i64, -9000000000000000000l)
RK_PARAM(rk_f32, set_f32, -0.375f)
RK_PARAM(rk_f64, set_f64, 0.1)
RK_HANDLER(tell_parameters, measure, msg, rk_none, self)
{
    kinds told;
    told.of_u8 = RK_PARAM_OF(set_u8);
    told.of_i8 = RK_PARAM_OF(set_i8);
    told.of_u16 = RK_PARAM_OF(set_u16);
    told.of_i16 = RK_PARAM_OF(set_i16);
    told.of_u32 = RK_PARAM_OF(set_u32);
    told.of_i32 = RK_PARAM_OF(set_i32);
    told.of_u64 = RK_PARAM_OF(set_u64);
    told.of_i64 = RK_PARAM_OF(set_i64);
    told.of_f32 = RK_PARAM_OF(set_f32);
    told.of_f64 = RK_PARAM_OF(set_f64);
    for (rk_u32 i = 0; i < 6u; i++) told.pad[i] = 0;
    rk_send(RK_ARG, &told);
}

/* And so do those that have bounds. */
RK_PARAM_IN(rk_u32, some, 7, 1, 4294967295u)
RK_PARAM_IN(rk_i64, nearby, 0, -5, 5)
RK_PARAM_IN(rk_f32, part, 0.25f, 0, 1)
RK_HANDLER(tell_bounded, measure, msg, rk_none, self)
{
    measure told = { RK_PARAM_OF(some), (rk_u64)(RK_PARAM_OF(nearby) + 5) };
    if (RK_PARAM_OF(part) == 1.0f) told.value += 100u;
    rk_send(RK_ARG, &told);
}

/* Each batch of an actor sends as many as its first message says, or fails. */
typedef struct batches {
    rk_u64 seen;
} batches;
RK_REASON(not_this_batch)
RK_BATCH_HANDLER(sends_as_told, measure, n, batches, self, .state = RK_PER_ACTOR, .max_sends = 2,
                 .shared = 512, .max_batch = 64)
{
    RK_SHARED(rk_u64, board, 64); /* all of it, each time */
    const rk_u64 asked = RK_AT(measure, 0)->value, sends = asked > 4u ? 2u : asked;
    measure told = { 0, n };
    for (rk_u32 i = 0; i < n; i++) board[i] = RK_AT(measure, i)->number;
    for (rk_u32 i = 0; i < n; i++) told.number += board[i];
    self->seen += n;
    for (rk_u64 i = 0; i < sends; i++) rk_send(RK_ARG, &told);
    if (asked > 4u) rk_fail(RK_ARG, not_this_batch);
}

/* The hashes of two messages, as the compiler of this backend computes them. */
RK_HANDLER(tell_hashes, measure, msg, rk_none, self)
{
    measure told = { RK_SCHEMA_HASH(measure), RK_SCHEMA_HASH(kinds) };
    rk_send(RK_ARG, &told);
}

/* Takes so much shared memory as it is told, twice, and tells what lies in the first of it. */
RK_HANDLER(takes_as_told, measure, msg, rk_none, self, .width = RK_WARP, .shared = 64)
{
    const rk_u64 n = msg->value;
    RK_SHARED(rk_u32, first, 8);
    RK_SHARED(rk_u32, second, n);
    RK_PARALLEL(i, 8) first[i] = i + 1u;
    RK_PARALLEL(i, n <= 8u ? n : 0) second[i] = 100u;
    RK_ONCE {
        measure told = { msg->number, 0 };
        for (rk_u32 i = 0; i < 8u; i++) told.value += first[i];
        rk_send(RK_ARG, &told);
    }
}
