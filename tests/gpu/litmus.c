/* Litmus tests of the memory model on a device: message passing, store buffering, and what a lane rests on, inside a
 * block, a cluster and the device, and over the bus with a thread of the host. Outcomes are counted; one that the model
 * forbids is a failure, one that it allows is shown.
 *
 *     litmus [--json FILE] [--rounds N] [--seed N]    FILE gets a line for each test
 *     litmus --host                                   the roles by two threads of the host: needs no device
 *     litmus --compile                                the device's half alone, for 7.5 and 9.0
 *
 * The exit status is 1 after a failure, 77 without a device or a compiler. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ringkernel/runtime.h>

#include "backend/cuda/cuda_device.h"
#include "backend/cuda/nvrtc.h"
#include "litmus.h"
#include "runtime/include_folder.h"

#define PAIRS 16u        /* on the device, at once */
#define STEPS 128u       /* of a pair in a round */
#define BUS_STEPS 256u   /* of the one pair over the bus */
#define NOISE_BLOCKS 16u /* even, for clusters of two */
#define LIMIT_NS 5000000000ull
#define PATIENCE_NS (2u * LIMIT_NS) /* for a launch; then the device has lost it */

static rk_cuda cuda;
static rk_nvrtc nvrtc;
static rk_cuda_device device;
static rk_cu_stream stream;
static rk_cu_module module;
static litmus_job on_device, on_bus, on_host; /* with their memory */
static unsigned rounds = 16, seed = 1, failures;
static FILE *json;

/* ------------------------------------------------------------------ the tests */

typedef void litmus_role(rk_u32 role, rk_unit *x, rk_unit *y, rk_u32 *seen);
LITMUS_ROLES(_host, RK_SCOPE_SYSTEM)

typedef struct litmus_test {
    const char *name, *words;
    litmus_role *host;
    unsigned outcome, forbidden;
} litmus_test;
#define TEST_(name, words, outcome, what) { #name, words, litmus_##name##_host, outcome, what },
static const litmus_test tests[] = { LITMUS_TESTS(TEST_) };
#define TESTS (sizeof tests / sizeof *tests)

static const struct litmus_setting {
    const char *words, *scope;
    rk_u32 place, role; /* over the bus: the device's role */
} settings[] = {
    { "in a block", "block", LITMUS_IN_BLOCK, 0 },      { "in a block", "device", LITMUS_IN_BLOCK, 0 },
    { "in a cluster", "device", LITMUS_IN_CLUSTER, 0 }, { "in the device", "device", LITMUS_IN_DEVICE, 0 },
    { "in the device", "system", LITMUS_IN_DEVICE, 0 }, { "device to host", "system", LITMUS_ON_BUS, 0 },
    { "host to device", "system", LITMUS_ON_BUS, 1 },
};
#define SETTINGS (sizeof settings / sizeof *settings)
static const struct litmus_setting two_threads = { "in the host", "system", LITMUS_ON_HOST, 0 };

/* ------------------------------------------------------------------ the device */

static void stop(const char *what)
{
    fprintf(stderr, "litmus: %s: %s\n", what, *rk_error_text() ? rk_error_text() : strerror(errno));
    exit(1);
}

/* A call of the driver. */
#define CU(call)                                        \
    do {                                                \
        rk_cu_result result_ = cuda.call;               \
        if (result_ != RK_CUDA_SUCCESS) {               \
            rk_cuda_error(&cuda, result_, "%s", #call); \
            stop("the driver");                         \
        }                                               \
    } while (0)

static rk_u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (rk_u64)t.tv_sec * 1000000000u + (rk_u64)t.tv_nsec;
}

/* The stream is empty by the deadline, or the program ends, and its kernels with it. */
static void await_stream(const char *what)
{
    rk_u64 end = now_ns() + PATIENCE_NS;
    int result;
    while ((result = cuda.cuStreamQuery(stream)) == RK_CUDA_ERROR_NOT_READY && now_ns() < end) usleep(20);
    if (result == RK_CUDA_SUCCESS) return;
    rk_cuda_error(&cuda, result, "%s", what);
    fprintf(stderr, "litmus: %s: %s\n", what, rk_error_text());
    fflush(0);
    _exit(1);
}

static rk_device_code compile(rk_u32 architecture)
{
    char include[4096];
    rk_nvrtc_target target;
    rk_device_code code;
    if (rk_include_folder(include, sizeof include) != RK_OK ||
        rk_nvrtc_target_for(&nvrtc, architecture, &target) != RK_OK ||
        rk_nvrtc_compile(&nvrtc, "#include \"" RK_SOURCE_DIR "/tests/gpu/litmus.cu\"\n", &target, include,
                         &code) != RK_OK)
        stop("the device's half");
    if (*code.log) printf("%s\n", code.log);
    return code;
}

static void *pinned(size_t bytes)
{
    void *memory;
    CU(cuMemHostAlloc(&memory, bytes, RK_CU_MEMHOSTALLOC_PORTABLE | RK_CU_MEMHOSTALLOC_DEVICEMAP));
    return memory;
}

static void *of_device(size_t bytes)
{
    rk_cu_address address;
    CU(cuMemAlloc(&address, bytes));
    return (void *)(size_t)address;
}

static rk_u32 instances_of(const litmus_job *job) { return job->pairs * job->count * LITMUS_LANES; }

static void *of_host(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63u) / 64u * 64u);
    if (!memory) stop("memory");
    return memory;
}

typedef void *litmus_memory(size_t bytes);

static litmus_job job_with(litmus_memory *cells, litmus_memory *seen, litmus_memory *rest, rk_u32 pairs,
                           rk_u32 count)
{
    litmus_job job = { .pairs = pairs, .count = count, .limit_ns = LIMIT_NS };
    size_t instances = instances_of(&job);
    job.x = cells(instances * sizeof(rk_unit));
    job.y = cells(instances * sizeof(rk_unit));
    job.steps = cells(pairs * LITMUS_PAIR_WORDS * sizeof(rk_u32));
    job.seen = seen(2 * instances * sizeof(rk_u32));
    job.finished = rest(sizeof(rk_u32));
    job.noise = rest(LITMUS_NOISE_WORDS * sizeof(rk_u32));
    return job;
}

static void open_device(void)
{
    int least, greatest;
    rk_cu_context context;
    if (rk_cuda_describe(&cuda, 0, &device) != RK_OK) stop("the device");
    CU(cuDevicePrimaryCtxRetain(&context, device.handle));
    CU(cuCtxSetCurrent(context));
    CU(cuCtxGetStreamPriorityRange(&least, &greatest));
    CU(cuStreamCreateWithPriority(&stream, RK_CU_STREAM_NON_BLOCKING, greatest));
    rk_device_code code = compile(device.architecture);
    CU(cuModuleLoadDataEx(&module, code.bytes, 0, 0, 0));
    rk_device_code_free(&code);
    on_device = job_with(of_device, pinned, of_device, PAIRS, STEPS);
    on_bus = job_with(pinned, pinned, of_device, 1, BUS_STEPS);
}

/* ------------------------------------------------------------------ a round */

/* Cells of the device are cleared by it, the host's by the host. */
static void clear(const litmus_job *job, void *at, size_t bytes)
{
    if (job->place == LITMUS_ON_BUS || job->place == LITMUS_ON_HOST)
        memset(at, 0, bytes);
    else
        CU(cuMemsetD8Async((rk_cu_address)(size_t)at, 0, bytes, stream));
}

static void prepare(const litmus_job *job)
{
    clear(job, job->x, instances_of(job) * sizeof(rk_unit));
    clear(job, job->y, instances_of(job) * sizeof(rk_unit));
    clear(job, job->steps, job->pairs * LITMUS_PAIR_WORDS * sizeof(rk_u32));
    memset(job->seen, 0xff, 2 * instances_of(job) * sizeof(rk_u32));
    if (job->place == LITMUS_ON_HOST) return;
    CU(cuMemsetD8Async((rk_cu_address)(size_t)job->finished, 0, sizeof(rk_u32), stream));
    await_stream("clearing the cells");
}

static void start(const litmus_job *job, rk_cu_function function)
{
    void *arguments[] = { (void *)job };
    rk_u32 roles = job->place == LITMUS_ON_BUS || job->place == LITMUS_IN_BLOCK ? 1u : 2u;
    rk_u32 blocks = roles * job->pairs + (job->place == LITMUS_ON_BUS ? NOISE_BLOCKS - 1u : NOISE_BLOCKS);
    rk_cu_launch_attribute pairs = { .id = RK_CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                                     .value.cluster = { 2, 1, 1 } };
    rk_cu_launch launch = { .grid_x = blocks, .grid_y = 1, .grid_z = 1, .block_y = 1, .block_z = 1 };
    launch.block_x = job->place == LITMUS_IN_BLOCK ? 2 * LITMUS_LANES : LITMUS_LANES;
    launch.stream = stream;
    launch.attributes = &pairs;
    launch.attribute_count = job->place == LITMUS_IN_CLUSTER;
    CU(cuLaunchKernelEx(&launch, function, arguments, 0));
}

/* The host's role, at the device's pace. 0: it gave up. */
static int play(const litmus_job *job, litmus_role *role_of, rk_u32 role)
{
    rk_u64 begin = now_ns();
    rk_u32 *own = &job->steps[role * LITMUS_LANES], *other = &job->steps[(role ^ 1u) * LITMUS_LANES];
    for (rk_u32 step = 0; step < job->count; step++) {
        rk_store_u32(own, step + 1u, RK_RELAXED, RK_SCOPE_SYSTEM);
        for (rk_u32 looks = 1; rk_load_u32(other, RK_RELAXED, RK_SCOPE_SYSTEM) < step + 1u; looks++)
            if (looks % 1024u == 0 && now_ns() - begin > LIMIT_NS) return 0;
        for (rk_u32 wait = litmus_hash(job->seed + 2u * step + role) & 63u; wait; wait--) rk_port_pause();
        for (rk_u32 i = step * LITMUS_LANES; i < (step + 1u) * LITMUS_LANES; i++)
            role_of(role, job->x + i, job->y + i, job->seen + 2u * i);
    }
    return 1;
}

typedef struct litmus_player {
    const litmus_job *job;
    litmus_role *role_of;
    int complete;
} litmus_player;

static void *play_first(void *argument)
{
    litmus_player *player = argument;
    player->complete = play(player->job, player->role_of, 0);
    return 0;
}

static int play_both(const litmus_job *job, litmus_role *role_of)
{
    pthread_t thread;
    litmus_player first = { job, role_of, 0 };
    if (pthread_create(&thread, 0, play_first, &first)) stop("a thread");
    int complete = play(job, role_of, 1);
    pthread_join(thread, 0);
    return complete && first.complete;
}

static int play_with_device(const litmus_job *job, const litmus_test *test, const char *scope)
{
    char name[64];
    rk_cu_function function;
    int complete = 1;
    snprintf(name, sizeof name, "litmus_kernel_%s_%s", test->name, scope);
    CU(cuModuleGetFunction(&function, module, name));
    start(job, function);
    if (job->place == LITMUS_ON_BUS) complete = play(job, test->host, job->role ^ 1u);
    await_stream(name);
    return complete;
}

/* Adds the round's outcomes. 0: some instance has none. */
static int count(const litmus_job *job, rk_u64 *outcomes)
{
    for (rk_u32 i = 0; i < instances_of(job); i++) {
        rk_u32 r0 = job->seen[2u * i], r1 = job->seen[2u * i + 1u];
        if (r0 > 1u || r1 > 1u) return 0;
        outcomes[2u * r0 + r1]++;
    }
    return 1;
}

/* ------------------------------------------------------------------ a test at a place */

static void tell(const litmus_test *test, const struct litmus_setting *setting, const rk_u64 *outcomes,
                 int complete)
{
    rk_u64 all = outcomes[0] + outcomes[1] + outcomes[2] + outcomes[3], found = outcomes[test->outcome];
    const char *verdict = !complete          ? "NOT FINISHED"
                          : found == 0       ? "-"
                          : !test->forbidden ? "weak"
                                             : "FORBIDDEN";
    failures += !complete || (test->forbidden && found);
    printf("%-15s %-15s %-7s %9llu", test->name, setting->words, setting->scope, (unsigned long long)all);
    for (int o = 0; o < 4; o++) printf(" %9llu", (unsigned long long)outcomes[o]);
    printf("  %s\n", verdict);
    fflush(stdout);
    if (!json) return;
    fprintf(json,
            "{\"test\":\"%s\",\"what\":\"%s\",\"place\":\"%s\",\"scope\":\"%s\",\"outcomes\":[%llu,%llu,%llu,"
            "%llu],"
            "\"tells\":%u,\"forbidden\":%s,\"found\":%llu,\"complete\":%s}\n",
            test->name, test->words, setting->words, setting->scope, (unsigned long long)outcomes[0],
            (unsigned long long)outcomes[1], (unsigned long long)outcomes[2], (unsigned long long)outcomes[3],
            test->outcome, test->forbidden ? "true" : "false", (unsigned long long)found,
            complete ? "true" : "false");
}

static void run(const litmus_test *test, const struct litmus_setting *setting)
{
    rk_u64 outcomes[4] = { 0 };
    int complete = 1;
    litmus_job job = setting->place == LITMUS_ON_HOST  ? on_host
                     : setting->place == LITMUS_ON_BUS ? on_bus
                                                       : on_device;
    job.place = setting->place;
    job.role = setting->role;
    for (unsigned r = 0; r < rounds && complete; r++) {
        job.seed = litmus_hash(seed + r);
        prepare(&job);
        complete = job.place == LITMUS_ON_HOST ? play_both(&job, test->host)
                                               : play_with_device(&job, test, setting->scope);
        complete = complete && count(&job, outcomes);
    }
    tell(test, setting, outcomes, complete);
}

/* Of each setting all tests. */
static int run_all(const struct litmus_setting *first, size_t n)
{
    printf("%-15s %-15s %-7s %9s %9s %9s %9s %9s\n", "test", "place", "scope", "instances", "(0,0)", "(0,1)",
           "(1,0)", "(1,1)");
    for (size_t s = 0; s < n; s++) {
        if (first[s].place == LITMUS_IN_CLUSTER && !(device.can & RK_CUDA_CAN_CLUSTER)) {
            printf("in a cluster: left out, the device has none\n");
            continue;
        }
        for (size_t t = 0; t < TESTS; t++) run(&tests[t], &first[s]);
    }
    if (json && fclose(json)) stop("the JSON lines");
    printf("%s, seed %u: %u tests failed\n", *device.name ? device.name : "no device", seed, failures);
    return failures != 0;
}

static int compile_all(void)
{
    static const rk_u32 architectures[] = { 75, 90 };
    if (rk_nvrtc_load(0, 0, &nvrtc) != RK_OK) {
        printf("litmus: %s", rk_error_text());
        return 77;
    }
    for (size_t a = 0; a < sizeof architectures / sizeof *architectures; a++) {
        rk_device_code code = compile(architectures[a]);
        printf("%u: %zu bytes%s\n", architectures[a], code.size, *code.log ? ", with warnings" : "");
        if (*code.log) failures++;
        rk_device_code_free(&code);
    }
    return failures != 0;
}

/* An option with a value. 0: it is none. */
static int take(const char *option, const char *value)
{
    if (strcmp(option, "--json") == 0) {
        if (!(json = fopen(value, "w"))) stop(value);
    } else if (strcmp(option, "--rounds") == 0) {
        rounds = (unsigned)strtoul(value, 0, 10);
    } else if (strcmp(option, "--seed") == 0) {
        seed = (unsigned)strtoul(value, 0, 10);
    } else {
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    int host = argc > 1 && strcmp(argv[1], "--host") == 0;
    if (argc == 2 && strcmp(argv[1], "--compile") == 0) return compile_all();
    for (int i = 1 + host; i < argc; i += 2)
        if (i + 1 == argc || !take(argv[i], argv[i + 1])) {
            fprintf(stderr,
                    "usage: litmus [--host] [--json FILE] [--rounds N] [--seed N] | litmus --compile\n");
            return 2;
        }
    if (host) {
        on_host = job_with(of_host, of_host, of_host, 1, STEPS);
        return run_all(&two_threads, 1);
    }
    if (rk_cuda_load(0, &cuda) != RK_OK || rk_nvrtc_load(0, cuda.version, &nvrtc) != RK_OK) {
        printf("litmus: %s", rk_error_text());
        return 77;
    }
    open_device();
    return run_all(settings, SETTINGS);
}
