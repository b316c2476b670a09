/* The contract suite: every case runs on every variant of every backend, and each is reported as pass,
 * refused (the backend says so, and the table of variants has that refusal) or fail. A new backend is a few
 * more lines in the table of variants of contract.c.
 *
 * A case is a function over a fixture that has an open runtime. It launches what it needs, and when it
 * returns the fixture checks that the account of every kernel that is left balances and that the runtime
 * closes. RK_CONTRACT_VARIANTS in the environment picks variants, by patterns between commas ('cuda-*,step');
 * without it those of the CPU run. Where a variant's device isn't there its cases are skipped, and the reason
 * is told; with RK_CONTRACT_REQUIRE=1 that is a failure. A test program is a table of cases:
 *
 *     static void messages_come_back_in_order(contract *c) { … }
 *
 *     static const contract_case cases[] = {
 *         {CASE(messages_come_back_in_order), ON_EVERY},
 *         {CASE(state_is_kept_per_actor), NEEDS_REGIONS | NEEDS_THREADS},
 *     };
 *     CONTRACT_MAIN("handling", cases)
 *
 * A program takes a pattern as its argument: `handling_test '*order*'` runs the cases that match. After one
 * that hung or crashed, RK_CONTRACT_AFTER='its name [variant]' runs those that come behind it. */
#ifndef RINGKERNEL_TESTS_CONTRACT_H
#define RINGKERNEL_TESTS_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <ringkernel/ringkernel.h>

/* ------------------------------------------------------------------ variants */

#define STYLE_REGIONS 1u
#define STYLE_FIBERS 2u /* SPMD: on the CPU fibers, on a device threads */

#define CONTRACT_REFUSALS 8u

typedef struct contract_variant {
    const char *name;
    rk_u32 backend; /* RK_BACKEND_* */
    rk_u32 style;   /* STYLE_*: which of a kernel's two forms launch() picks */
    rk_u32 workers;
    rk_u32 single_step; /* 1: no threads and an injected clock; the helpers below step the runtime */
    rk_u32 slices;      /* of the runtime's options */
    rk_u32 split;       /* 1: the runtime has two devices, and what launch() launches goes to them in turn */
    /* What the variant may refuse, by a part of the text that says so; any other refusal fails the case. */
    const char *refuses[CONTRACT_REFUSALS];
    const char *without; /* what an OpenCL device is used without, see docs/opencl.md; 0: nothing */
} contract_variant;

/* What a case needs of a variant; all bits given must hold. */
#define ON_EVERY 0u
/* What fibers can't have, because SPMD kernels are refused it: state per shard or per actor (a relaunch that
 * carries it, a read of it, a kernel that counts in it), several message types for one kernel, batch
 * handlers, and messages over 1 KiB (blocks of pools). And the region kernels that the guide's examples and
 * reductions are. A kernel beside the one that the case is about may be of either form. */
#define NEEDS_REGIONS 1u
#define NEEDS_FIBERS 2u
#define NEEDS_THREADS 4u  /* workers and the service thread */
#define NEEDS_STEP 8u     /* the injected clock */
#define NEEDS_WORKERS 16u /* more than one worker */
#define ONCE 32u /* the outcome can't depend on the variant: only the first of all that has the rest */
/* What only the CPU has: workers, a gate or a log of the test's that handlers reach, handlers that don't
 * return, kernels in a file of tests, device structures that the test looks into, diagnosed barriers. */
#define NEEDS_CPU 64u
#define NEEDS_SHARED 256u   /* memory that host and handlers share: the CPU, and OpenCL without copies */
#define SPMD_NEEDS_CPU 128u /* its SPMD kernels keep in the program what others keep in their state */

/* ------------------------------------------------------------------ fixture */

#define CONTRACT_LOGS 4096u
#define CONTRACT_THREADS 64u

typedef struct contract_line {
    rk_u32 level;
    rk_u32 shard;
    rk_u64 when_ns;
    char kernel[64];
    char text[256];
} contract_line;

typedef struct contract {
    const contract_variant *variant;
    rk_runtime *runtime;
    rk_u64 clock_ns; /* the injected clock; atomic, see let_pass */
    rk_u32 injected; /* 1: the runtime goes by that: single-step variants, and see contract_inject_clock */
    rk_u32 devices;  /* of the runtime, if it was given several */
    rk_u32 launched; /* kernels, where there are several */
    rk_u32 failures; /* of expect(), by any thread; atomic */
    rk_u32 stop;     /* background threads leave when it is 1; atomic */
    rk_u32 ends_quarantined; /* 1: the case leaves a handler that never returns, and closing has to say so */
    char refused[256];       /* why the variant refuses the case, as documented */
    pthread_mutex_t lock;
    rk_u32 logged; /* lines of the runtime's and of kernels' logs; the first CONTRACT_LOGS are kept */
    contract_line log[CONTRACT_LOGS];
    pthread_t thread[CONTRACT_THREADS];
    rk_u32 threads;
} contract;

typedef struct contract_case {
    const char *name;
    void (*run)(contract *c);
    rk_u32 needs;
} contract_case;

#define CASE(function) #function, function

/* Run all cases on all variants that have what they need, with a table at the end. 0: none failed. */
int contract_main(const char *group, const contract_case *cases, size_t count, int argc, char **argv);

#define CONTRACT_MAIN(group, cases)                                                      \
    int main(int argc, char **argv)                                                      \
    {                                                                                    \
        return contract_main(group, cases, sizeof(cases) / sizeof *(cases), argc, argv); \
    }

/* The options that the fixture's runtime is opened with: start from them to open another. */
rk_runtime_options contract_runtime_options(contract *c);
/* A runtime of these has the injected clock, though it has workers. On the CPU. */
void contract_inject_clock(contract *c, rk_runtime_options *options);
/* Close the runtime, checked, and open another in its place. */
void contract_reopen(contract *c, const rk_runtime_options *options);
/* Check accounts, close, and leave the fixture without a runtime; done for every case that still has one. */
void contract_close(contract *c);

static inline int on_cpu(const contract *c) { return c->variant->backend == RK_BACKEND_CPU; }
/* How long ago a kernel's time may be: an OpenCL device is told it before each launch, or each millisecond, and on a machine
 * that is loaded a launch begins late. */
static inline rk_u64 clock_grain(const contract *c)
{
    return c->variant->backend == RK_BACKEND_OPENCL && !c->variant->single_step ? RK_SECONDS(1) : 0;
}

/* The case can't be had on this variant: ends it. Fails it if the variant's table doesn't have that
 * refusal. */
void contract_refuse(contract *c, const char *why);

/* Rounds of a stress test: as given, or a twentieth under sanitizers and on devices (launches are slow). By
 * RK_CONTRACT_TIMES they are so many times as many, and what else is short for CI's sake is as many times as long: with 50
 * senders_test has eight producers of a million messages each, with 50,000 parking_test a million sleeps in each case, with 40
 * under_load_test a process that is stopped for a minute. RK_CONTRACT_LIMIT and RK_CONTRACT_PATIENCE have to be larger then. */
rk_u32 contract_rounds(rk_u32 release);
rk_u32 contract_times(void);
int contract_sanitized(void);

/* ------------------------------------------------------------------ checks */

/* The call succeeds; if not, the test fails with the whole story. Only in the case's own thread, as all of
 * cmocka's. */
#define assert_ok(call) contract_assert_status(call, RK_OK, #call, __FILE__, __LINE__)
#define assert_status(call, expected) contract_assert_status(call, expected, #call, __FILE__, __LINE__)
void contract_assert_status(rk_status got, rk_status expected, const char *call, const char *file, int line);

/* The last call's error text has this in it. */
#define assert_error_says(text) contract_assert_says(rk_error_text(), text, __FILE__, __LINE__)
void contract_assert_says(const char *whole, const char *part, const char *file, int line);

/* The same for threads of a case: counted, reported at once, and the case fails at its end. Returns the
 * condition. */
#define expect(c, condition) contract_expect(c, (condition) != 0, #condition, __FILE__, __LINE__)
#define expect_ok(c, call) contract_expect_status(c, call, RK_OK, #call, __FILE__, __LINE__)
#define expect_status(c, call, expected) contract_expect_status(c, call, expected, #call, __FILE__, __LINE__)
int contract_expect(contract *c, int holds, const char *text, const char *file, int line);
int contract_expect_status(contract *c, rk_status got, rk_status expected, const char *call, const char *file,
                           int line);

/* ------------------------------------------------------------------ time */

/* How long anything that is waited for may take: 20 s, or what RK_CONTRACT_PATIENCE says, in seconds. */
#define CONTRACT_PATIENCE contract_patience_ns()
rk_u64 contract_patience_ns(void);

/* Look until the condition holds; steps a single-step runtime in between. Fails the test when patience ends.
 * Any thread. */
#define wait_until(c, condition)                                                          \
    do {                                                                                  \
        rk_u64 until_ = contract_now_ns() + CONTRACT_PATIENCE;                            \
        while (!(condition)) contract_breathe(c, until_, #condition, __FILE__, __LINE__); \
    } while (0)
void contract_breathe(contract *c, rk_u64 until_ns, const char *condition, const char *file, int line);
rk_u64 contract_now_ns(void); /* monotonic */

/* Let time pass on the runtime's clock: an injected one is set forward, a real one is waited for. */
void let_pass(contract *c, rk_u64 ns);
/* So much that what lived this long has expired for that kernel, however far a device's clock may be off by now. */
void let_expire(contract *c, rk_kernel k, rk_u64 lived_ns);

/* Step a single-step runtime until everything is idle; nothing otherwise. */
void settle(contract *c);

/* ------------------------------------------------------------------ kernels */

/* Options of a small queue without a window. */
rk_launch_options small(rk_u32 capacity);
/* Launch kernel `kernel` (in the variant's style: NAME or NAME_spmd) under `id`; options 0: production. A
 * refusal that the variant's table has ends the case as refused. */
rk_kernel launch(contract *c, const char *id, const char *kernel, const rk_launch_options *options);
/* The same, and activate. */
rk_kernel launch_active(contract *c, const char *id, const char *kernel, const rk_launch_options *options);
/* An active kernel "echo" that sends each `probe` back to the host. */
rk_kernel launch_echo(contract *c, const rk_launch_options *options);
/* The name of a kernel in the variant's style. Valid until the next call. */
const char *in_style(contract *c, const char *kernel);

rk_account account_of(contract *c, rk_kernel kernel);
rk_metrics metrics_of(contract *c, rk_kernel kernel);
rk_kernel_info info_of(contract *c, rk_kernel kernel);

/* Receive one message of a given size, waiting with patience; fails the test when there is none. */
#define receive(c, kernel, message) \
    contract_receive(c, kernel, message, sizeof *(message), 0, __FILE__, __LINE__)
#define receive_with(c, kernel, message, info) \
    contract_receive(c, kernel, message, sizeof *(message), info, __FILE__, __LINE__)
void contract_receive(contract *c, rk_kernel kernel, void *body, size_t size, rk_received *info,
                      const char *file, int line);

/* Lines of the log so far whose text has `part` in it. */
rk_u32 logged(contract *c, const char *part);

/* ------------------------------------------------------------------ threads of a case */

/* Start a thread; all are joined by join_threads, or at the case's end after `stop` is set. */
void start_thread(contract *c, void *(*run)(void *argument), void *argument);
void join_threads(contract *c);
static inline int stopped(contract *c) { return __atomic_load_n(&c->stop, __ATOMIC_ACQUIRE) != 0; }
/* Ask the case's threads to leave, and join them. */
void stop_threads(contract *c);

#endif
