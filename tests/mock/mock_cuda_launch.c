/* The mock driver's streams, events and launches. */
#include "mock_cuda_inside.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <ringkernel/device/layout.h>

#pragma GCC visibility push(default)
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define STREAMS 512
/* What the device runs at once. */
#define KERNELS_MOST 128
#define THREADS_MOST (132u * 2048u)

typedef struct stream {
    int taken;
    int busy; /* an entry is on the device; stays when the stream is destroyed meanwhile */
    int priority;
    int device;
    mock_entry entry;
    void *running; /* what the machine has of it, if there is one */
    int asked;     /* a clock's probe waits here until there is room */
    rk_cu_address words;
    rk_u32 rounds;
} stream;

static stream streams[STREAMS];
static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER; /* of them and mock_cuda.last */

void mock_streams_reset(void) { memset(streams, 0, sizeof streams); }
void mock_hold(void) { pthread_mutex_lock(&keeping); }
void mock_go_on(void) { pthread_mutex_unlock(&keeping); }

/* ------------------------------------------------------------------ the device, played */

/* Shard s of an entry has been told to leave. */
static int has_to_leave(const mock_entry *entry, unsigned s)
{
    const rk_u64 *part = mock_cuda_at(entry->arena + entry->table + 8ull * s, 8);
    const rk_shard *shard = part ? mock_cuda_at(entry->arena + *part, sizeof *shard) : 0;
    const rk_orders *orders = shard ? mock_cuda_at(entry->arena + shard->orders, sizeof *orders) : 0;
    return !orders || __atomic_load_n(&orders->leave, __ATOMIC_ACQUIRE);
}

static int play(const mock_entry *entry, void *running)
{
    if (running) return mock_machine_is->ended(running);
    int (*own)(const mock_entry *) = __atomic_load_n(&mock_cuda.play, __ATOMIC_ACQUIRE);
    if (own) return own(entry);
    for (unsigned s = 0; s < entry->count && !entry->visits; s++)
        if (!has_to_leave(entry, entry->first + s)) return 0;
    return 1;
}

static int has_room(int device)
{
    rk_u32 kernels = 0, threads = 32;
    if (__atomic_load_n(&mock_cuda.full, __ATOMIC_ACQUIRE)) return 0;
    for (int i = 0; i < STREAMS; i++)
        if (streams[i].busy && streams[i].device == device)
            kernels++, threads += streams[i].entry.blocks * streams[i].entry.threads;
    return kernels < KERNELS_MOST && threads <= THREADS_MOST;
}

/* The answers are there before they are asked for. */
static void tell_time(stream *s)
{
    struct timespec now;
    rk_u64 *words = mock_cuda_at(s->words, (16 + s->rounds) * sizeof *words);
    clock_gettime(CLOCK_MONOTONIC, &now);
    const rk_u64 now_ns = (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
    for (rk_u32 i = 0; words && i < s->rounds; i++)
        words[16 + i] = now_ns - MOCK_TIMER_LATE + now_ns / 1000u * (rk_u64)mock_cuda.timer_gains;
    s->asked = 0;
}

/* Play what is on a stream. 1: it is idle. */
static int look_at(stream *s)
{
    char what[80];
    if (s->asked && has_room(s->device)) tell_time(s);
    if (s->asked || !s->busy || !play(&s->entry, s->running)) return !s->asked && !s->busy;
    s->busy = 0;
    s->running = 0;
    snprintf(what, sizeof what, "end %s", s->entry.function);
    mock_note(what);
    return 1;
}

int mock_is_busy(int device)
{
    int busy = 0;
    pthread_mutex_lock(&keeping);
    for (int i = 0; i < STREAMS; i++)
        busy |= !look_at(&streams[i]) && (device < 0 || streams[i].device == device);
    pthread_mutex_unlock(&keeping);
    return busy;
}

#define SIZE_(type) (rk_u32)sizeof(type),
#define OFFSET_(type, field) (rk_u32) RK_OFFSET_OF(type, field),
static rk_cu_result tell_layout(void **arguments)
{
    static const rk_u32 layout[] = { RK_WIRE_VERSION, RK_LAYOUT(SIZE_, OFFSET_) };
    rk_u32 room = *(rk_u32 *)arguments[1];
    rk_u32 *words = mock_cuda_at(*(rk_cu_address *)arguments[0], room * sizeof *words);
    if (!words) return RK_CUDA_ERROR_INVALID_VALUE;
    for (rk_u32 i = 0; i < room && i < RK_LAYOUT_WORDS; i++)
        words[i] = layout[i] + (i + 1 == mock_cuda.wrong_word);
    return RK_CUDA_SUCCESS;
}

static rk_cu_result ask_time(const rk_cu_launch *launch, void **arguments)
{
    stream *s = (stream *)(void *)launch->stream;
    pthread_mutex_lock(&keeping);
    s->words = *(rk_cu_address *)arguments[0];
    s->rounds = *(rk_u32 *)arguments[1];
    s->asked = 1;
    look_at(s);
    pthread_mutex_unlock(&keeping);
    return RK_CUDA_SUCCESS;
}

static rk_cu_result enter(const mock_function *function, const rk_cu_launch *launch, void **arguments)
{
    stream *s = (stream *)(void *)launch->stream;
    rk_cu_result result = RK_CUDA_SUCCESS;
    char what[80];
    void (*launching)(void) = __atomic_load_n(&mock_cuda.launching, __ATOMIC_ACQUIRE);
    if (launching) launching();
    pthread_mutex_lock(&keeping);
    if (!look_at(s)) { /* it would begin when the one before ends */
        result = RK_CUDA_ERROR_NOT_SUPPORTED;
    } else {
        s->entry = (mock_entry){ .blocks = launch->grid_x,
                                 .threads = launch->block_x,
                                 .shared_bytes = launch->shared_bytes,
                                 .arena = *(rk_cu_address *)arguments[0],
                                 .table = *(unsigned long long *)arguments[1],
                                 .first = *(unsigned *)arguments[2],
                                 .count = *(unsigned *)arguments[3],
                                 .visits = *(unsigned *)arguments[4],
                                 .number = mock_cuda.entries + 1,
                                 .priority = s->priority,
                                 .device = s->device };
        snprintf(s->entry.function, sizeof s->entry.function, "%s", function->name);
        if (mock_machine_is)
            s->running = mock_machine_is->start(function->found, function->module, &s->entry,
                                                mock_cuda_shadow(s->entry.arena));
        s->busy = 1;
        mock_cuda.last = s->entry;
        snprintf(what, sizeof what, "launch %s", function->name);
        mock_note(what);
        __atomic_add_fetch(&mock_cuda.entries, 1, __ATOMIC_ACQ_REL);
    }
    pthread_mutex_unlock(&keeping);
    return result;
}

static rk_cu_result run(const rk_cu_launch *launch, rk_cu_function function, void **arguments)
{
    const char *name = (const char *)function;
    if (!name) return RK_CUDA_ERROR_INVALID_VALUE;
    __atomic_add_fetch(&mock_cuda.launches, 1, __ATOMIC_ACQ_REL);
    mock_catch_up(launch->stream);
    mock_load(function);
    if (mock_cuda.launch) return mock_cuda.launch(name, launch, arguments);
    if (strcmp(name, "rk_layout_check") == 0) return tell_layout(arguments);
    if (strcmp(name, "rk_clock_probe") == 0) return ask_time(launch, arguments);
    if (strncmp(name, "rk_entry_of_", 12) != 0) return RK_CUDA_SUCCESS;
    const mock_function *entry = (const mock_function *)(void *)function;
    return launch->shared_bytes > 48u << 10 && launch->shared_bytes > entry->dynamic_most
               ? RK_CUDA_ERROR_INVALID_VALUE
               : enter(entry, launch, arguments);
}

rk_cu_result cuLaunchKernelEx(const rk_cu_launch *launch, rk_cu_function function, void **arguments,
                              void **extra)
{
    BEGIN_CURRENT;
    (void)extra;
    return run(launch, function, arguments);
}
rk_cu_result cuLaunchKernel(rk_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                            rk_cu_stream stream, void **arguments, void **extra)
{
    BEGIN_CURRENT;
    (void)extra;
    rk_cu_launch launch = { grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, 0, 0 };
    return run(&launch, function, arguments);
}
rk_cu_result cuLaunchCooperativeKernel(rk_cu_function function, unsigned grid_x, unsigned grid_y,
                                       unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                                       unsigned shared_bytes, rk_cu_stream stream, void **arguments)
{
    BEGIN_CURRENT;
    rk_cu_launch launch = { grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, 0, 0 };
    return run(&launch, function, arguments);
}

/* ------------------------------------------------------------------ streams and events */

rk_cu_result cuStreamCreateWithPriority(rk_cu_stream *made, unsigned flags, int priority)
{
    BEGIN_CURRENT;
    if (flags != RK_CU_STREAM_NON_BLOCKING || priority > 0 || priority < -5)
        return RK_CUDA_ERROR_INVALID_VALUE;
    *made = 0;
    pthread_mutex_lock(&keeping);
    for (int i = 0; i < STREAMS && !*made; i++) {
        if (streams[i].taken || streams[i].busy) continue;
        streams[i] = (stream){ .taken = 1, .priority = priority, .device = mock_device() };
        *made = (rk_cu_stream)(void *)&streams[i];
    }
    pthread_mutex_unlock(&keeping);
    if (!*made) return RK_CUDA_ERROR_OUT_OF_MEMORY;
    mock_count(&mock_cuda.streams, 1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuStreamDestroy(rk_cu_stream destroyed)
{
    BEGIN(0);
    stream *s = (stream *)(void *)destroyed;
    pthread_mutex_lock(&keeping);
    int was = s->taken;
    s->taken = 0;
    pthread_mutex_unlock(&keeping);
    if (!was) return RK_CUDA_ERROR_INVALID_VALUE;
    mock_count(&mock_cuda.streams, -1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuStreamQuery(rk_cu_stream asked)
{
    BEGIN(1);
    mock_catch_up(asked);
    stream *s = (stream *)(void *)asked;
    pthread_mutex_lock(&keeping);
    int idle = look_at(s), is_stream = s->taken;
    pthread_mutex_unlock(&keeping);
    if (mock_lost(s->device)) return RK_CUDA_ERROR_ILLEGAL_ADDRESS;
    return !is_stream ? RK_CUDA_ERROR_INVALID_VALUE : idle ? RK_CUDA_SUCCESS : RK_CUDA_ERROR_NOT_READY;
}

rk_cu_result cuEventCreate(rk_cu_event *event, unsigned flags)
{
    BEGIN_CURRENT;
    (void)flags;
    *event = (rk_cu_event)(void *)&mock_cuda;
    mock_count(&mock_cuda.events, 1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuEventDestroy(rk_cu_event event)
{
    BEGIN(0);
    (void)event;
    mock_count(&mock_cuda.events, -1);
    return RK_CUDA_SUCCESS;
}
