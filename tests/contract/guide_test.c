/* The guide's GPU examples, to the last bit: each gets known messages and must send exactly what follows from
 * them. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>

#include "../kernels/guide.rk.h"

static rk_launch_options plain(const char *kernel)
{
    rk_launch_options o = small(4096);
    o.output_capacity = 4096;
    o.kernel_name = kernel;
    return o;
}

static rk_kernel launch_example(contract *c, const char *kernel)
{
    rk_launch_options o = plain(kernel);
    return launch(c, kernel, kernel, &o);
}

static int is_done(contract *c, rk_kernel kernel)
{
    rk_account a = account_of(c, kernel);
    return a.balanced && a.queued == 0;
}

/* Let it handle what is queued, gathering included. */
static void handle_all(contract *c, rk_kernel kernel)
{
    rk_status status = rk_activate(c->runtime, kernel);
    assert_true(status == RK_OK || status == RK_ALREADY_ACTIVE);
    settle(c);
    let_pass(c, RK_MILLISECONDS(1));
    wait_until(c, is_done(c, kernel));
    assert_int_equal(info_of(c, kernel).life, RK_LIFE_ACTIVE);
}

static rk_u32 random_of(rk_u32 i) { return (i * 2654435761u) ^ (i * 40503u + 977u); }

/* ------------------------------------------------------------------ the four processors */

static void the_realtime_processor_converts_each_reading_by_itself(contract *c)
{
    enum { READINGS = 300 };
    rk_kernel kernel = launch_example(c, "realtime_processor");
    for (rk_u32 i = 0; i < READINGS; i++) {
        sensor_reading reading = { i, i % 10 == 9 ? -1 : (rk_i32)(random_of(i) % 2000) };
        assert_ok(rk_send(c->runtime, kernel, RK_BODY(reading), 0));
    }
    handle_all(c, kernel);
    for (rk_u32 i = 0; i < READINGS; i++) {
        sensor_value value;
        if (i % 10 == 9) continue;
        receive(c, kernel, &value);
        assert_int_equal(value.sensor, i);
        assert_int_equal(value.millidegrees, ((rk_i32)(random_of(i) % 2000) - 500) * 100);
        assert_true(value.handled_ns > 0 && value.handled_ns <= rk_clock_ns(c->runtime));
    }
    wait_until(c, account_of(c, kernel).dead_letters == READINGS / 10);
    sensor_reading dead;
    rk_dead_letter letter;
    assert_ok(rk_receive_dead(c->runtime, kernel, &dead, sizeof dead, &letter, RK_NO_WAIT));
    assert_string_equal(letter.reason, "sensor_off");
    assert_int_equal(dead.sensor, 9);
    assert_int_equal(metrics_of(c, kernel).largest_batch, 1);
    assert_int_equal(metrics_of(c, kernel).queue_wait.count, READINGS); /* each was stamped */
}

/* The Collatz sequence, by its definition. */
static void count_steps(rk_u64 first, rk_u64 count, rk_u64 *steps, rk_u64 *longest)
{
    *steps = *longest = 0;
    for (rk_u64 n = first; n < first + count; n++) {
        rk_u64 own = 0;
        for (rk_u64 at = n; at > 1; own++) at = at & 1 ? 3 * at + 1 : at >> 1;
        *steps += own;
        if (own > *longest) *longest = own;
    }
}

static void the_batch_processor_does_64_pieces_of_work_a_turn(contract *c)
{
    enum { ITEMS = 200 };
    rk_kernel kernel = launch_example(c, "batch_processor");
    work_item known = { 27, 1 };
    work_result result;
    assert_ok(rk_send(c->runtime, kernel, RK_BODY(known), 0));
    for (rk_u32 i = 1; i < ITEMS; i++) {
        work_item item = { 1 + i * 131, 1 + i % 50 };
        assert_ok(rk_send(c->runtime, kernel, RK_BODY(item), 0));
    }
    handle_all(c, kernel);
    receive(c, kernel, &result);
    assert_int_equal(result.steps, 111); /* the well-known length of 27's */
    for (rk_u32 i = 1; i < ITEMS; i++) {
        rk_u64 steps, longest;
        count_steps(1 + i * 131, 1 + i % 50, &steps, &longest);
        receive(c, kernel, &result);
        assert_int_equal(result.first, 1 + i * 131);
        assert_int_equal(result.steps, steps);
        assert_int_equal(result.longest, longest);
    }
    assert_int_equal(metrics_of(c, kernel).largest_batch, 64);
    assert_int_equal(metrics_of(c, kernel).turns, (ITEMS + 63) / 64);
}

static void the_adaptive_processor_takes_what_is_there_up_to_32(contract *c)
{
    enum { REQUESTS = 150 };
    rk_kernel kernel = launch_example(c, "adaptive_processor");
    for (rk_u32 i = 0; i < REQUESTS; i++) {
        quote_request request = { random_of(i) % 5000, 95 + i % 10 };
        assert_ok(rk_send(c->runtime, kernel, RK_BODY(request), 0));
    }
    handle_all(c, kernel);
    for (rk_u32 i = 0; i < REQUESTS; i++) {
        quote_response response;
        rk_u32 article = random_of(i) % 5000, pieces = 95 + i % 10;
        rk_u64 cents = (rk_u64)(199 + article % 1000) * pieces;
        if (pieces >= 100) cents = cents - cents * 5 / 100;
        receive(c, kernel, &response);
        assert_int_equal(response.article, article);
        assert_int_equal(response.cents, cents);
        assert_int_equal(response.served, i + 1);
    }
    assert_int_equal(metrics_of(c, kernel).largest_batch, 32);
    assert_int_equal(metrics_of(c, kernel).turns, (REQUESTS + 31) / 32);
}

static void the_fair_actors_keep_their_accounts_in_order(contract *c)
{
    enum { ACCOUNTS = 50, CHANGES = 1000 };
    rk_launch_options o = plain("fair_actor");
    rk_i64 cents[ACCOUNTS] = { 0 };
    rk_u32 sequence[ACCOUNTS] = { 0 };
    o.actors = ACCOUNTS;
    rk_kernel kernel = launch(c, "accounts", "", &o);
    for (rk_u32 i = 0; i < CHANGES; i++) {
        rk_u32 of = i % 3 ? 7 : random_of(i) % ACCOUNTS; /* a busy one among others */
        account_change change = { of, ++sequence[of], (rk_i64)(random_of(i) % 1000) - 500 };
        assert_ok(rk_send(c->runtime, kernel, RK_BODY(change), &(rk_send_options){ .target = of }));
    }
    account_change odd = { 7, 5, 1 };
    assert_ok(rk_send(c->runtime, kernel, RK_BODY(odd), &(rk_send_options){ .target = 7 }));
    handle_all(c, kernel);
    memset(sequence, 0, sizeof sequence);
    for (rk_u32 i = 0; i < CHANGES; i++) {
        rk_u32 of = i % 3 ? 7 : random_of(i) % ACCOUNTS;
        account_balance balance;
        cents[of] += (rk_i64)(random_of(i) % 1000) - 500;
        receive(c, kernel, &balance);
        assert_int_equal(balance.account, of);
        assert_int_equal(balance.sequence, ++sequence[of]);
        assert_int_equal(balance.cents, cents[of]);
    }
    wait_until(c, account_of(c, kernel).dead_letters == 1);
    const char *reason;
    rk_u64 count;
    assert_ok(rk_dead_reason(c->runtime, kernel, 0, &reason, &count));
    assert_string_equal(reason, "out_of_order");
    assert_int_equal(metrics_of(c, kernel).largest_batch, 16);
}

/* ------------------------------------------------------------------ threads that meet */

enum { VERTICES = 64 };

static void each_vertex_gets_the_mean_of_its_neighbours_value(contract *c)
{
    static const rk_u32 counts[] = { VERTICES, 40, 1 };
    for (rk_u32 n = 0; n < 3; n++) {
        rk_kernel kernel = launch_example(c, "message_passing");
        for (rk_u32 v = 0; v < counts[n]; v++) {
            vertex_update update = { v, (rk_f32)(v * v) };
            assert_ok(rk_send(c->runtime, kernel, RK_BODY(update), 0));
        }
        handle_all(c, kernel);
        for (rk_u32 v = 0; v < counts[n]; v++) {
            vertex_update mean;
            rk_u32 next = (v + 1) % VERTICES;
            rk_f32 neighbour = next < counts[n] ? (rk_f32)(next * next) : 0.0f;
            receive(c, kernel, &mean);
            assert_int_equal(mean.node, v);
            assert_true(mean.value == ((rk_f32)(v * v) + neighbour) / 2.0f);
        }
        assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
    }
}

static rk_i32 sample_of(rk_u32 i) { return (rk_i32)random_of(i) / 4; }

static rk_i64 sum_samples(rk_u32 first, rk_u32 end)
{
    rk_i64 sum = 0;
    for (rk_u32 i = first; i < end; i++) sum += sample_of(i);
    return sum;
}

static void a_block_of_samples_is_summed_in_shared_memory(contract *c)
{
    rk_kernel kernel = launch_example(c, "block_reduction");
    assert_ok(rk_activate(c->runtime, kernel));
    for (rk_u32 b = 0; b < 20; b++) {
        sample_block block;
        sample_sum total;
        for (rk_u32 i = 0; i < 256; i++) block.value[i] = sample_of(b * 256 + i);
        assert_ok(rk_send(c->runtime, kernel, RK_BODY(block), 0));
        receive(c, kernel, &total);
        assert_int_equal(total.sum, sum_samples(b * 256, (b + 1) * 256));
        assert_int_equal(total.samples, 256);
    }
}

static void samples_of_256_threads_are_summed_in_shared_memory(contract *c)
{
    enum { SAMPLES = 600 };
    rk_kernel kernel = launch_example(c, "message_reduction");
    for (rk_u32 i = 0; i < SAMPLES; i++) {
        sample_value sample = { sample_of(i) };
        assert_ok(rk_send(c->runtime, kernel, RK_BODY(sample), 0));
    }
    handle_all(c, kernel);
    for (rk_u32 first = 0; first < SAMPLES; first += 256) {
        rk_u32 end = first + 256 < SAMPLES ? first + 256 : SAMPLES;
        sample_sum total;
        receive(c, kernel, &total);
        assert_int_equal(total.samples, end - first);
        assert_int_equal(total.sum, sum_samples(first, end));
    }
}

static void warps_sum_their_samples_by_shuffles(contract *c)
{
    enum { SAMPLES = 256 + 40 };
    rk_kernel kernel = launch_example(c, "warp_reduction");
    for (rk_u32 i = 0; i < SAMPLES; i++) {
        sample_value sample = { sample_of(i) / 64 }; /* a warp's sum fits 32 bits */
        assert_ok(rk_send(c->runtime, kernel, RK_BODY(sample), 0));
    }
    handle_all(c, kernel);
    for (rk_u32 first = 0; first < SAMPLES; first += 32) {
        rk_u32 end = first + 32 < SAMPLES ? first + 32 : SAMPLES;
        rk_i64 sum = 0;
        sample_sum total;
        for (rk_u32 i = first; i < end; i++) sum += sample_of(i) / 64;
        receive(c, kernel, &total);
        assert_int_equal(total.sum, sum);
        assert_int_equal(total.samples, end - first);
        assert_int_equal(total.group, first % 256 / 32);
    }
}

static void neighbours_swap_their_values_under_each_memory_model(contract *c)
{
    static const char *const kernels[] = { "relaxed_swap", "ordered_swap", "sequential_swap" };
    static const rk_u32 counts[] = { 64, 63, 1 };
    for (rk_u32 k = 0; k < 3; k++)
        for (rk_u32 n = 0; n < 3; n++) {
            rk_kernel kernel = launch_example(c, kernels[k]);
            for (rk_u32 i = 0; i < counts[n]; i++) {
                swap_offer offer = { i, 1000 + i };
                assert_ok(rk_send(c->runtime, kernel, RK_BODY(offer), 0));
            }
            handle_all(c, kernel);
            for (rk_u32 i = 0; i < counts[n]; i++) {
                swap_offer swapped;
                receive(c, kernel, &swapped);
                assert_int_equal(swapped.place, i);
                assert_int_equal(swapped.value, 1000 + ((i ^ 1) < counts[n] ? i ^ 1 : i));
            }
            assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
        }
}

static void the_examples_with_shared_memory_pass_the_check_of_their_scopes(contract *c)
{
    static const char *const kernels[] = { "message_reduction", "warp_reduction" };
    for (rk_u32 k = 0; k < 2; k++) {
        rk_launch_options o = plain(kernels[k]);
        o.spmd_check = 1;
        rk_kernel kernel = launch(c, kernels[k], "", &o);
        rk_i64 sum = 0;
        rk_u32 samples = 0;
        for (rk_u32 i = 0; i < 256; i++) {
            sample_value sample = { (rk_i32)i };
            assert_ok(rk_send(c->runtime, kernel, RK_BODY(sample), 0));
        }
        handle_all(c, kernel);
        while (samples < 256) {
            sample_sum total;
            receive(c, kernel, &total);
            sum += total.sum;
            samples += total.samples;
        }
        assert_int_equal(sum, 255 * 256 / 2);
    }
}

static const contract_case cases[] = {
    { CASE(the_realtime_processor_converts_each_reading_by_itself), NEEDS_REGIONS },
    { CASE(the_batch_processor_does_64_pieces_of_work_a_turn), NEEDS_REGIONS },
    { CASE(the_adaptive_processor_takes_what_is_there_up_to_32), NEEDS_REGIONS },
    { CASE(the_fair_actors_keep_their_accounts_in_order), NEEDS_REGIONS },
    { CASE(each_vertex_gets_the_mean_of_its_neighbours_value), NEEDS_FIBERS },
    { CASE(a_block_of_samples_is_summed_in_shared_memory), NEEDS_REGIONS },
    { CASE(samples_of_256_threads_are_summed_in_shared_memory), NEEDS_FIBERS },
    { CASE(warps_sum_their_samples_by_shuffles), NEEDS_FIBERS },
    { CASE(neighbours_swap_their_values_under_each_memory_model), NEEDS_FIBERS },
    { CASE(the_examples_with_shared_memory_pass_the_check_of_their_scopes), NEEDS_FIBERS | NEEDS_CPU },
};

CONTRACT_MAIN("guide", cases)
