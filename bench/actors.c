/* 10,000 actors in one kernel, random targets: one sending thread, one worker, from the first send until the
 * last message was handled. A sample is the time of a send of 256 messages, waiting for room included, for
 * each of them. Each trial reads all states back: their counts and sums must add up to what was sent.
 *
 * Beside it the same additions by one thread in a loop: what is left when nothing is sent. */
#include <ringkernel/ringkernel.h>
#include <string.h>

#include "bench.rk.h"
#include "harness.h"
#include "must.h"

#define MESSAGES 2000000u
#define BURST 256u
#define ROUNDS 15u
#define TABLE 65536u /* random targets, used round and round */
#define HOST 1u

static rk_runtime *runtime;
static rk_kernel actor;
static rk_u32 targets[TABLE];
static uint64_t seen_messages, seen_amount; /* in all states, after the trial before */

static void open_library(void)
{
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 1 };
    rk_launch_options launch = rk_high_throughput();
    launch.deduplication_window = 0;
    launch.single_producer = 1;
    launch.actors = ACTORS;
    MUST(rk_open(&options, &runtime) == RK_OK);
    MUST(rk_launch(runtime, "actor", &launch, &actor) == RK_OK);
    uint64_t state = 88172645463325252u; /* xorshift64 */
    for (unsigned i = 0; i < TABLE; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        targets[i] = (rk_u32)(state >> 16) % ACTORS;
    }
}

static rk_u64 delivered(void)
{
    rk_kernel_info info;
    MUST(rk_kernel_information(runtime, actor, &info) == RK_OK);
    return info.processed;
}

/* What the states have gained since the trial before. */
static void read_states(bench_trial *trial)
{
    uint64_t messages = 0, amount = 0;
    for (rk_u32 a = 0; a < ACTORS; a++) {
        actor_state state;
        MUST(rk_read_state(runtime, actor, a, &state, sizeof state) == RK_OK);
        messages += state.messages;
        amount += state.amount;
    }
    trial->out = messages - seen_messages;
    trial->sum_out = amount - seen_amount;
    seen_messages = messages;
    seen_amount = amount;
}

static void random_targets(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    static rk_send_options options[BURST];
    static actor_message messages[BURST];
    rk_u64 before = delivered();
    MUST(rk_activate(runtime, actor) == RK_OK);
    bench_bind(HOST);
    bench_begin(trial);
    while (trial->in < MESSAGES) {
        size_t count = MESSAGES - trial->in < BURST ? (size_t)(MESSAGES - trial->in) : BURST;
        for (size_t i = 0; i < count; i++) {
            uint64_t number = trial->in + i;
            options[i].target = targets[number % TABLE];
            messages[i].amount = number;
            trial->sum_in += number;
        }
        uint64_t begin = bench_cycles();
        MUST(rk_send_each(runtime, actor, RK_TYPE_ID(actor_message), messages, sizeof messages[0], count,
                          options, NULL) == RK_OK);
        bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - begin) / count);
        trial->in += count;
    }
    for (unsigned round = 0; delivered() - before < MESSAGES; round++) bench_stuck(round);
    bench_end(trial, 2);
    MUST(rk_deactivate(runtime, actor) == RK_OK);
    read_states(trial);
}

static void plain_loop(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    static actor_state states[ACTORS];
    memset(states, 0, sizeof states);
    bench_bind(HOST);
    bench_begin(trial);
    while (trial->in < MESSAGES) {
        uint64_t begin = bench_cycles();
        size_t count = MESSAGES - trial->in < BURST ? (size_t)(MESSAGES - trial->in) : BURST;
        for (size_t i = 0; i < count; i++) {
            volatile actor_state *state = &states[targets[(trial->in + i) % TABLE]];
            state->messages++;
            state->amount += trial->in + i;
            trial->sum_in += trial->in + i;
        }
        bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - begin) / count);
        trial->in += count;
    }
    bench_end(trial, 1);
    for (rk_u32 a = 0; a < ACTORS; a++) {
        trial->out += states[a].messages;
        trial->sum_out += states[a].amount;
    }
}

int main(int argc, char **argv)
{
    static const bench_contender contenders[] = { { "10,000 actors, random targets", random_targets, NULL,
                                                    0 },
                                                  { "the same additions in a loop", plain_loop, NULL, 0 } };
    bench_contest contest = { "actors",   "16 bytes of state each, one sender and one worker",
                              "messages", contenders,
                              2,          ROUNDS };
    bench_result result[2];
    bench_open(argc, argv);
    open_library();
    bench_run(&contest, result);
    bench_goal("10,000 actors, random targets", result[0].rate / 1e6, "M messages/s", 10, 1);
    bench_figure("actors: rate / the same additions in a loop", bench_rate_ratio(0, 1), "x");

    rk_account account;
    MUST(rk_account_of(runtime, actor, &account) == RK_OK && account.balanced &&
         account.accepted == account.delivered);
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
