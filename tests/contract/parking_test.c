/* No wake-up is lost: messages come after pauses of about as long as it takes a worker to go to sleep, so
 * that it is rung in every moment on the way there. Each wait has a limit of a few seconds, far beyond
 * what any of them takes: a lost wake-up is a stall and not a hang. And who has nothing to do sleeps. */
#include "contract.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../kernels/contract_a.rk.h"
#include "../kernels/contract_c_timers.rk.h"
#include "runtime/core.h"

#define SPIN_NS RK_MICROSECONDS(5)    /* a worker looks so long before it sleeps */
#define PAUSE_NS RK_MICROSECONDS(150) /* at most; a seat goes cold within */
#define RUN_NS RK_MILLISECONDS(400)
#define ENOUGH (20u * contract_times()) /* sleeps; on a busy machine the run is longer */
#define STALL_NS RK_SECONDS(4)

/* Nobody looks by himself: the service thread's rounds come later than a stall is found. */
static void reopen_sleepy(contract *c)
{
    rk_runtime_options o = contract_runtime_options(c);
    o.spin_ns = SPIN_NS;
    o.stall_limit_ns = 8 * STALL_NS;
    contract_reopen(c, &o);
}

static rk_u32 next_random(rk_u32 *state) { return *state = *state * 1664525u + 1013904223u; }

static void spin_until(rk_u64 until_ns)
{
    while (contract_now_ns() < until_ns) rk_port_pause();
}

static void pause_at_random(rk_u32 *state)
{
    rk_u32 random = next_random(state) >> 8;
    rk_u64 pause = random % PAUSE_NS, until = contract_now_ns() + pause;
    if (random % 4 == 0) nanosleep(&(struct timespec){ 0, (long)pause }, 0);
    spin_until(until);
}

/* The word of a host lane that says that its consumer is about to sleep. */
static const rk_u32 *asleep_word(contract *c, rk_kernel k, rk_u32 shard)
{
    rk_runtime *runtime = c->runtime;
    const rk_shard *of = runtime->kernels[k.number]->seats[shard].shard;
    return &rk_lane_ring((rk_lane *)(runtime->arena.base + of->lane[0]), runtime->arena.base, 0)->asleep;
}

/* How often workers went to sleep. */
static rk_u64 sleeps(void)
{
    rk_u64 sum = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        char path[300], line[128];
        unsigned long long n;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        int of_worker = 0;
        while (status && fgets(line, sizeof line, status)) {
            of_worker |= strcmp(line, "Name:\trk-worker\n") == 0;
            if (of_worker && sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1) sum += n;
        }
        if (status) fclose(status);
    }
    if (tasks) closedir(tasks);
    return sum;
}

/* A run goes on until its time is over, and its workers must have slept now and then: else it has shown
 * nothing. */
typedef struct stretch {
    rk_u64 end_ns, limit_ns, sleeps;
    rk_u64 until_asleep_ns; /* how long it takes from the last message, on the whole */
    rk_u32 random, rounds;
} stretch;

static stretch begin(rk_u32 seed)
{
    rk_u64 now = contract_now_ns();
    stretch s = { now + RUN_NS, now + 60 * RUN_NS * contract_times(), sleeps(), 2 * SPIN_NS, seed, 0 };
    return s;
}

/* The next message comes shortly after the worker said that it sleeps, or just about then, or at random.
 * `asleep` 0: only at random. */
static int goes_on(stretch *s, const rk_u32 *asleep)
{
    rk_u32 random = next_random(&s->random) >> 8;
    rk_u64 now = contract_now_ns();
    s->rounds++;
    if (!asleep || random % 4 == 0) {
        pause_at_random(&s->random);
    } else if (random % 4 == 1) {
        spin_until(now + s->until_asleep_ns - s->until_asleep_ns / 4 + random % (s->until_asleep_ns / 2 + 1));
    } else {
        rk_u64 limit = now + RK_MILLISECONDS(5), then = now;
        while (!__atomic_load_n(asleep, __ATOMIC_RELAXED) && (then = contract_now_ns()) < limit)
            if (then - now < RK_MICROSECONDS(200))
                rk_port_pause();
            else
                sched_yield(); /* it needs the core to get there */
        s->until_asleep_ns +=
            s->until_asleep_ns / 64; /* rather the shortest: the long ones are of a busy machine */
        if (then - now < s->until_asleep_ns) s->until_asleep_ns = (s->until_asleep_ns + 3 * (then - now)) / 4;
        for (rk_u32 i = (random >> 16) % (random % 8 < 4 ? 16 : 256); i > 0; i--)
            rk_port_pause(); /* a few ns, or up to a few µs */
    }
    now = contract_now_ns();
    if (now >= s->end_ns && now < s->limit_ns && sleeps() - s->sleeps < ENOUGH) s->end_ns = now + RUN_NS;
    return now < s->end_ns;
}

static void assert_slept(const stretch *s)
{
    rk_u64 slept = sleeps() - s->sleeps;
    print_message("%u rounds, workers slept %llu times\n", s->rounds, (unsigned long long)slept);
    assert_true(slept >= ENOUGH);
}

/* ------------------------------------------------------------------ cases */

static void a_message_wakes_the_worker_of_its_shard(contract *c)
{
    reopen_sleepy(c);
    rk_launch_options o = small(64);
    o.shards = o.blocks = 3;
    rk_kernel k = launch_echo(c, &o);
    stretch s = begin(1);
    rk_send_options to = RK_SEND_DEFAULTS;
    while (goes_on(&s, asleep_word(c, k, to.target))) {
        probe p = { s.rounds, 0 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), &to));
        assert_ok(rk_receive(c->runtime, k, &p, sizeof p, 0, STALL_NS));
        assert_int_equal(p.number, s.rounds);
        to.target = (s.random >> 16) % 3;
    }
    assert_slept(&s);
}

/* From worker to worker, by device lanes. */
static void a_message_wakes_one_worker_after_the_other(contract *c)
{
    enum { LINKS = 4 };
    reopen_sleepy(c);
    rk_launch_options o = small(16);
    rk_kernel link[LINKS];
    for (rk_u32 i = 0; i < LINKS; i++) {
        char id[16];
        snprintf(id, sizeof id, "link %u", i);
        link[i] = launch(c, id, "echo", &o);
        if (i) assert_ok(rk_connect(c->runtime, link[i - 1], 0, link[i], 0));
    }
    for (rk_u32 i = 0; i < LINKS; i++) assert_ok(rk_activate(c->runtime, link[i]));
    stretch s = begin(2);
    for (rk_u32 i = 0; goes_on(&s, asleep_word(c, link[i % LINKS], 0)); i++) {
        probe p = { s.rounds, 0 };
        assert_ok(rk_send(c->runtime, link[0], RK_BODY(p), 0));
        assert_ok(rk_receive(c->runtime, link[LINKS - 1], &p, sizeof p, 0, STALL_NS));
        assert_int_equal(p.number, s.rounds);
    }
    assert_slept(&s);
}

/* Given a sender that sends far more than fits, and a receiver that pauses, when room comes, then whoever
 * waits for it goes on: the sender, and the shards that are parked. */
typedef struct flow {
    contract *c;
    rk_kernel into;
    rk_u32 sent, over; /* atomic */
} flow;

static void *send_all_the_time(void *argument)
{
    flow *f = argument;
    rk_send_options patient = RK_SEND_DEFAULTS;
    rk_u32 random = 7;
    patient.timeout_ns = STALL_NS;
    while (!__atomic_load_n(&f->over, __ATOMIC_ACQUIRE) && !stopped(f->c)) {
        probe p = { f->sent, 0 };
        if (!expect_ok(f->c, rk_send(f->c->runtime, f->into, RK_BODY(p), &patient))) break;
        __atomic_fetch_add(&f->sent, 1, __ATOMIC_RELEASE);
        if (next_random(&random) >> 26 == 0) pause_at_random(&random); /* and now and then they run dry */
    }
    return 0;
}

static void room_wakes_those_who_wait_for_it(contract *c)
{
    reopen_sleepy(c);
    rk_launch_options o = small(16);
    rk_kernel first = launch(c, "first", "echo", &o), second = launch_active(c, "second", "echo", &o);
    assert_ok(rk_connect(c->runtime, first, 0, second, 0));
    assert_ok(rk_activate(c->runtime, first));
    static flow f;
    f = (flow){ c, first, 0, 0 };
    rk_u32 next = 0;
    probe p;
    stretch s = begin(3);
    start_thread(c, send_all_the_time, &f);
    while (goes_on(&s, asleep_word(c, second, 0))) {
        rk_u32 burst = (s.random >> 16) % 40;
        for (rk_u32 i = 0; i < burst; i++) {
            assert_ok(rk_receive(c->runtime, second, &p, sizeof p, 0, STALL_NS));
            assert_int_equal(p.number, next++);
        }
    }
    __atomic_store_n(&f.over, 1, __ATOMIC_RELEASE);
    rk_u64 until = contract_now_ns() + STALL_NS; /* the sender may wait for room still */
    while (account_of(c, second).output_received < __atomic_load_n(&f.sent, __ATOMIC_ACQUIRE) ||
           account_of(c, first).queued || account_of(c, second).queued) {
        if (rk_receive(c->runtime, second, &p, sizeof p, 0, RK_MILLISECONDS(1)) == RK_OK)
            assert_int_equal(p.number, next++);
        assert_true(contract_now_ns() < until);
    }
    join_threads(c);
    while (next < f.sent) {
        assert_ok(rk_receive(c->runtime, second, &p, sizeof p, 0, STALL_NS));
        assert_int_equal(p.number, next++);
    }
    assert_true(metrics_of(c, first).parks + metrics_of(c, second).parks > 0);
    assert_slept(&s);
}

/* A reply goes by the report lane, whose consumer is the service thread or the one who asked. */
static void a_reply_wakes_the_one_who_asked(contract *c)
{
    reopen_sleepy(c);
    rk_launch_options o = small(64);
    o.requests = 1;
    rk_kernel k = launch_active(c, "replier", "replier", &o);
    stretch s = begin(4);
    while (goes_on(&s, asleep_word(c, k, 0))) {
        inquiry q = { s.rounds, s.random >> 31 ? ANSWER_ONCE : ANSWER_NEVER };
        response r = { 0, 0 };
        rk_status status =
            rk_request(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, STALL_NS);
        assert_int_equal(status, q.how == ANSWER_ONCE ? RK_OK : RK_NO_REPLY);
        if (status == RK_OK) assert_int_equal(r.asked, s.rounds);
    }
    assert_slept(&s);
}

/* Dead letters are collected by nobody but the service thread. */
static void a_dead_letter_wakes_the_service_thread(contract *c)
{
    reopen_sleepy(c);
    rk_launch_options o = small(64);
    rk_kernel k = launch_active(c, "failing", "failing", &o);
    stretch s = begin(5);
    while (goes_on(&s, asleep_word(c, k, 0))) {
        attempt a = { s.rounds, FAULT_ODD };
        rk_dead_letter letter;
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
        assert_ok(rk_receive_dead(c->runtime, k, &a, sizeof a, &letter, STALL_NS));
        assert_int_equal(a.number, s.rounds);
    }
    assert_slept(&s);
}

/* A change of what a worker serves wakes it as well. */
static void an_activation_wakes_a_worker_that_sleeps(contract *c)
{
    reopen_sleepy(c);
    rk_launch_options o = small(64);
    rk_kernel k = launch(c, "on and off", "echo", &o);
    stretch s = begin(6);
    while (goes_on(&s, 0)) {
        probe p = { s.rounds, 0 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), 0));
        assert_ok(rk_activate(c->runtime, k));
        assert_ok(rk_receive(c->runtime, k, &p, sizeof p, 0, STALL_NS));
        assert_int_equal(p.number, s.rounds);
        pause_at_random(&s.random);
        assert_ok(rk_deactivate(c->runtime, k));
    }
    assert_slept(&s);
}

/* ------------------------------------------------------------------ before it sleeps */

static rk_u32 worker_yields; /* atomic */

/* In place of the system's, for the library as well: it counts those of workers. */
int sched_yield(void)
{
    static __thread int of_worker = -1;
    if (of_worker < 0) {
        char name[16] = "";
        prctl(PR_GET_NAME, name);
        of_worker = strcmp(name, "rk-worker") == 0;
    }
    if (of_worker > 0) __atomic_fetch_add(&worker_yields, 1, __ATOMIC_RELAXED);
    return (int)syscall(SYS_sched_yield);
}

/* Given workers that are to look for 50 ms, when no message comes any more, then they look for as long,
 * give their cores away now and then meanwhile, and sleep after that. */
static void a_worker_looks_as_long_as_it_is_told_and_yields_meanwhile(contract *c)
{
    const rk_u64 looks_ns = RK_MILLISECONDS(50);
    rk_runtime_options o = contract_runtime_options(c);
    o.spin_ns = looks_ns;
    contract_reopen(c, &o);
    rk_launch_options of = small(64);
    of.shards = of.blocks = 2;
    rk_kernel k = launch_echo(c, &of);
    for (rk_u32 shard = 0; shard < 2; shard++) {
        const rk_u32 *asleep = asleep_word(c, k, shard);
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = shard;
        probe p = { shard, 0 };
        rk_u64 before = contract_now_ns();
        rk_u32 yields = __atomic_load_n(&worker_yields, __ATOMIC_RELAXED);
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), &to));
        receive(c, k, &p);
        wait_until(c, __atomic_load_n(asleep, __ATOMIC_ACQUIRE));
        assert_true(contract_now_ns() - before >= looks_ns);
        assert_true(__atomic_load_n(&worker_yields, __ATOMIC_RELAXED) > yields);
    }
}

static void await_sleep_of(contract *c, rk_kernel k, rk_u32 shards)
{
    for (rk_u32 s = 0; s < shards; s++)
        wait_until(c, __atomic_load_n(asleep_word(c, k, s), __ATOMIC_ACQUIRE));
}

/* Given shards that sleep, when messages with options of their own come in one call, then each shard is woken: by the
 * last ones for it, and before the call waits for room in its lane. */
static void what_is_sent_with_options_of_its_own_wakes_each_shard(contract *c)
{
    enum { SHARDS = 2, MOST = 60 };
    probe sent[MOST] = { { 0, 0 } }, p;
    rk_send_options each[MOST];
    reopen_sleepy(c);
    rk_launch_options o = small(16);
    o.shards = SHARDS;
    o.output_capacity = 64; /* of all, as nobody receives meanwhile */
    rk_kernel k = launch_active(c, "echo", "echo", &o);
    for (rk_u32 count = SHARDS; count <= MOST; count += MOST - SHARDS) {
        for (rk_u32 i = 0; i < count; i++) {
            each[i] = (rk_send_options)RK_SEND_DEFAULTS;
            each[i].target =
                count == MOST ? i * SHARDS / MOST : i % SHARDS; /* more than a lane takes; in turn */
        }
        await_sleep_of(c, k, SHARDS);
        assert_ok(rk_send_each(c->runtime, k, RK_TYPE_ID(probe), sent, sizeof *sent, count, each, 0));
        for (rk_u32 i = 0; i < count; i++) assert_ok(rk_receive(c->runtime, k, &p, sizeof p, 0, STALL_NS));
    }
}

/* Given a clock of the program's, when a worker sleeps and that clock is set on to the time that a kernel
 * asked for, then its hook runs, though such a clock wakes nobody. */
static void a_worker_that_sleeps_sees_a_clock_that_is_set_on(contract *c)
{
    rk_runtime_options o = contract_runtime_options(c);
    o.spin_ns = SPIN_NS;
    contract_inject_clock(c, &o);
    contract_reopen(c, &o);
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    timed alarm = { 1, RK_SECONDS(3600), 0, 1, 0, 0 };
    assert_ok(rk_send(c->runtime, k, RK_BODY(alarm), 0));
    wait_until(c, account_of(c, k).delivered == 1);
    wait_until(c, __atomic_load_n(asleep_word(c, k, 0), __ATOMIC_ACQUIRE));
    ringing r;
    assert_status(rk_receive(c->runtime, k, &r, sizeof r, 0, RK_NO_WAIT), RK_EMPTY);
    let_pass(c, RK_SECONDS(3600));
    assert_ok(rk_receive(c->runtime, k, &r, sizeof r, 0, STALL_NS));
    assert_true(r.rung_ns >= r.due_ns);
}

/* ------------------------------------------------------------------ nothing to do */

#define WINDOW_NS RK_MILLISECONDS(100)
#define IDLE_PERCENT 2u   /* of a core; measured: 0.1 */
#define TIMED_PERCENT 12u /* by a clock of the program's, looked at each millisecond; measured: 3 */
#define SOME 48u

static rk_u64 processor_ns(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (rk_u64)t.tv_sec * 1000000000u + (rk_u64)t.tv_nsec;
}

/* The whole process comes to take less than that of a core. One window that shows it is enough, as the first may have the end of
 * the work in it still; a thread that goes round without sleep has its share of a core in each. */
static void assert_takes_no_processor_time(const char *when, rk_u64 percent)
{
    rk_u64 until = contract_now_ns() + CONTRACT_PATIENCE, least = ~(rk_u64)0;
    do {
        rk_u64 since = contract_now_ns(), before = processor_ns();
        nanosleep(&(struct timespec){ 0, (long)WINDOW_NS }, 0);
        rk_u64 share = (processor_ns() - before) * 10000 / (contract_now_ns() - since);
        if (share < least) least = share;
    } while (least >= percent * 100 && contract_now_ns() < until);
    print_message("%s: %llu.%02llu %% of a core\n", when, (unsigned long long)least / 100,
                  (unsigned long long)least % 100);
    assert_true(least < percent * 100);
}

/* To the shards in turn. */
static void send_some(contract *c, rk_kernel k)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    for (rk_u32 i = 0; i < SOME; i++) {
        probe p = { i, 0 };
        to.target = i % c->variant->workers;
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), &to));
    }
}

static void receive_some(contract *c, rk_kernel k)
{
    probe p;
    for (rk_u32 i = 0; i < SOME; i++) receive(c, k, &p);
}

/* Given a kernel with a shard for each worker that has had messages, when none comes any more, then nobody burns a core; nor where
 * messages wait for a kernel that isn't active; and by a clock of the program's all the same. */
static void a_runtime_without_work_takes_no_processor_time(contract *c)
{
    for (rk_u32 injected = 0; injected < 2; injected++) {
        rk_runtime_options o = contract_runtime_options(c);
        if (injected) contract_inject_clock(c, &o);
        contract_reopen(c, &o);
        rk_launch_options of = small(64);
        of.shards = of.blocks = c->variant->workers;
        rk_kernel k = launch_echo(c, &of);
        send_some(c, k);
        receive_some(c, k);
        assert_takes_no_processor_time("active", IDLE_PERCENT);
        send_some(c, k);
        receive_some(c, k);
        assert_ok(rk_deactivate(c->runtime, k));
        send_some(c, k);
        assert_takes_no_processor_time("inactive", IDLE_PERCENT);
        assert_ok(rk_activate(c->runtime, k));
        receive_some(c, k);
        assert_takes_no_processor_time("active again", IDLE_PERCENT);
    }
}

/* Given a kernel that asked for a time in an hour, when nothing comes before, then nobody burns a core: a worker sleeps until then,
 * or between its looks at a clock that wakes nobody. */
static void a_runtime_that_waits_for_a_time_takes_no_processor_time(contract *c)
{
    for (rk_u32 injected = 0; injected < 2; injected++) {
        rk_runtime_options o = contract_runtime_options(c);
        if (injected) contract_inject_clock(c, &o);
        contract_reopen(c, &o);
        rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
        timed alarm = { 1, RK_SECONDS(3600), 0, 1, 0, 0 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(alarm), 0));
        wait_until(c, account_of(c, k).delivered == 1);
        assert_takes_no_processor_time(injected ? "by the program's clock" : "by the system's clock",
                                       injected ? TIMED_PERCENT : IDLE_PERCENT);
    }
}

static const contract_case cases[] = {
    { CASE(a_message_wakes_the_worker_of_its_shard), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_message_wakes_one_worker_after_the_other), NEEDS_THREADS | NEEDS_CPU },
    { CASE(room_wakes_those_who_wait_for_it), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_reply_wakes_the_one_who_asked), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_dead_letter_wakes_the_service_thread), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_worker_looks_as_long_as_it_is_told_and_yields_meanwhile),
      NEEDS_THREADS | NEEDS_CPU | NEEDS_REGIONS },
    { CASE(a_worker_that_sleeps_sees_a_clock_that_is_set_on), NEEDS_THREADS | NEEDS_CPU | NEEDS_REGIONS },
    { CASE(what_is_sent_with_options_of_its_own_wakes_each_shard), NEEDS_THREADS | NEEDS_CPU },
    { CASE(an_activation_wakes_a_worker_that_sleeps), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_runtime_without_work_takes_no_processor_time), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_runtime_that_waits_for_a_time_takes_no_processor_time),
      NEEDS_THREADS | NEEDS_CPU | NEEDS_REGIONS },
};
CONTRACT_MAIN("parking", cases)
