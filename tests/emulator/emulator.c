/* The emulated GPU: it runs what the mock driver (tests/mock) is told to launch, on the CPU.
 *
 * A block is a thread of the machine and its threads are fibers. Which of them goes on is a matter of chance, and whole
 * warps are left behind for a while, so that orders that a GPU rarely shows come up. What warps wait for that can't
 * come any more ends the program with what each of them waits for. */
#include "emulator.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "backend/cpu/fiber.h"
#include "mock/mock_cuda_inside.h"

#define WARP 32u

enum { READY, AT_WARP, AT_BLOCK, ENDED };
static const char *const whats[] = { "sync", "ballot", "shuffle", "shuffle up", "shuffle xor", "match" };

typedef struct lane {
    emu_thread is; /* first: what the kernel knows */
    rk_fiber fiber;
    struct block *block;
    int state, what;
    unsigned mask, argument;
    unsigned long long value, result;
} lane;

typedef struct block {
    rk_fiber scheduler;
    struct grid *grid;
    lane *lanes, *running;
    emu_thread **me; /* where its kernel looks for itself */
    unsigned count, ended, waiting, said, number, seed;
    unsigned char late[32]; /* warps that are left behind for a while */
    /* A warp reads the timer as one: its time, until it has met, or a lane that has read it reads again. */
    unsigned long long time[32];
    unsigned has_read[32]; /* a bit for each lane */
} block;

typedef struct grid {
    void (*entry)(char *, unsigned long long, unsigned, unsigned, unsigned);
    emu_place_ place;
    mock_entry of;
    char *arena;
    unsigned left; /* blocks, atomic */
} grid;

static __thread block *here;

static unsigned chance(block *b, unsigned of)
{
    b->seed = b->seed * 1664525u + 1013904223u;
    return (b->seed >> 8) % of;
}

/* ------------------------------------------------------------------ what threads call */

static void hand_over(void) { rk_fiber_switch(&here->running->fiber, &here->scheduler); }

static void step(void)
{
    if (chance(here, 4) == 0) hand_over();
}

static lane *warp_of(const lane *l) { return l->block->lanes + l->is.thread.x / WARP * WARP; }

static unsigned warp_size(const lane *l)
{
    unsigned rest = l->block->count - l->is.thread.x / WARP * WARP;
    return rest < WARP ? rest : WARP;
}

static unsigned long long result_of(const lane *warp, unsigned size, unsigned i)
{
    const lane *l = &warp[i];
    unsigned long long bits = 0;
    unsigned from = i;
    switch (l->what) {
    case EMU_SYNC: return 0;
    case EMU_BALLOT:
        for (unsigned o = 0; o < size; o++)
            if ((l->mask >> o & 1u) && warp[o].state != ENDED && warp[o].value) bits |= 1ull << o;
        return bits;
    case EMU_MATCH:
        for (unsigned o = 0; o < size; o++)
            if ((l->mask >> o & 1u) && warp[o].state != ENDED && warp[o].value == l->value) bits |= 1ull << o;
        return bits;
    case EMU_SHUFFLE: from = l->argument; break;
    case EMU_SHUFFLE_UP: from = i >= l->argument ? i - l->argument : i; break;
    default: from = i ^ l->argument; break;
    }
    return from < size && (l->mask >> from & 1u) ? warp[from].value : l->value;
}

/* All that the mask names have come to the same place? Then each gets its result. */
static void meet(const lane *l)
{
    lane *warp = warp_of(l);
    const unsigned size = warp_size(l), mask = l->mask;
    const int what = l->what;
    for (unsigned o = 0; o < size; o++)
        if ((mask >> o & 1u) && warp[o].state != ENDED &&
            (warp[o].state != AT_WARP || warp[o].mask != mask || warp[o].what != what))
            return;
    for (unsigned o = 0; o < size; o++)
        if ((mask >> o & 1u) && warp[o].state == AT_WARP) warp[o].result = result_of(warp, size, o);
    for (unsigned o = 0; o < size; o++)
        if ((mask >> o & 1u) && warp[o].state == AT_WARP) warp[o].state = READY;
    l->block->time[warp->is.thread.x / WARP] = 0;
}

static unsigned long long in_warp(int what, unsigned mask, unsigned long long value, unsigned argument)
{
    lane *l = here->running;
    l->what = what;
    l->mask = mask;
    l->value = value;
    l->argument = argument;
    l->state = AT_WARP;
    meet(l);
    if (l->state == AT_WARP) hand_over();
    return l->result;
}

static void meet_all(block *b)
{
    if (b->waiting == 0 || b->waiting + b->ended < b->count) return;
    for (unsigned i = 0; i < b->count; i++)
        if (b->lanes[i].state == AT_BLOCK) {
            b->lanes[i].state = READY;
            b->lanes[i].result = b->said;
        }
    b->waiting = b->said = 0;
    memset(b->time, 0, sizeof b->time);
}

static unsigned in_block(unsigned value)
{
    lane *l = here->running;
    l->state = AT_BLOCK;
    here->waiting++;
    here->said += value;
    meet_all(here);
    if (l->state == AT_BLOCK) hand_over();
    return (unsigned)l->result;
}

static unsigned long long monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
}

static unsigned long long now_ns(void)
{
    const unsigned at = here->running->is.thread.x / WARP, bit = 1u << here->running->is.thread.x % WARP;
    if (!here->time[at] || (here->has_read[at] & bit)) {
        here->time[at] = monotonic_ns() - MOCK_TIMER_LATE;
        here->has_read[at] = 0;
    }
    here->has_read[at] |= bit;
    return here->time[at];
}

/* Whatever runs on the device stands still where it is, and the driver says why from now on. */
static int trapped; /* atomic */
static void trap(void)
{
    __atomic_store_n(&mock_cuda.lost, RK_CUDA_ERROR_ILLEGAL_INSTRUCTION, __ATOMIC_RELEASE);
    __atomic_store_n(&trapped, 1, __ATOMIC_RELEASE);
    for (;;) hand_over();
}

static const emu_calls calls = { step, in_warp, in_block, now_ns, monotonic_ns, trap };

/* ------------------------------------------------------------------ a block */

static void run_lane(void *argument)
{
    lane *l = argument;
    block *b = l->block;
    const mock_entry *of = &b->grid->of;
    b->grid->entry(b->grid->arena, of->table, of->first, of->count, of->visits);
    l->state = ENDED;
    b->ended++;
    for (unsigned i = 0; i < warp_size(l); i++) /* who waits for it needn't any more */
        if (warp_of(l)[i].state == AT_WARP) meet(&warp_of(l)[i]);
    meet_all(b);
    hand_over();
}

static void tell_and_abort(const block *b)
{
    fprintf(stderr, "emulator: %s, block %u of %u threads: nobody can go on\n", b->grid->of.function,
            b->number, b->count);
    for (unsigned i = 0; i < b->count; i++) {
        const lane *l = &b->lanes[i];
        if (i % WARP && l->state == l[-1].state && l->what == l[-1].what && l->mask == l[-1].mask) continue;
        if (l->state == AT_WARP)
            fprintf(stderr, "  thread %u: %s of lanes %08x\n", i, whats[l->what], l->mask);
        if (l->state != AT_WARP)
            fprintf(stderr, "  thread %u: %s\n", i, l->state == AT_BLOCK ? "barrier" : "ended");
    }
    abort();
}

/* One turn of all that can go on, from a thread that chance picks. */
static int pass(block *b)
{
    int any = 0;
    const unsigned first = chance(b, b->count);
    for (unsigned w = 0; w < sizeof b->late; w++)
        b->late[w] = (unsigned char)(b->late[w] ? b->late[w] - 1u : chance(b, 64) == 0 ? chance(b, 24) : 0);
    for (unsigned i = 0; i < b->count; i++) {
        lane *l = &b->lanes[(first + i) % b->count];
        if (l->state != READY) continue;
        any = 1;
        if (b->late[l->is.thread.x / WARP]) continue;
        b->running = l;
        *b->me = &l->is;
        rk_fiber_switch(&b->scheduler, &l->fiber);
    }
    return any;
}

/* Stacks that a block has given back, for the next: mapping them is most of a short launch. */
#define KEPT 4096u
static struct {
    pthread_mutex_t lock;
    unsigned count;
    rk_fiber fibers[KEPT];
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void take_fibers(block *b)
{
    unsigned have = 0;
    pthread_mutex_lock(&kept.lock);
    for (; have < b->count && kept.count; have++) b->lanes[have].fiber = kept.fibers[--kept.count];
    pthread_mutex_unlock(&kept.lock);
    for (unsigned i = 0; i < b->count; i++) {
        lane *l = &b->lanes[i];
        if (i >= have && rk_fiber_create(&l->fiber, i) != RK_OK) abort();
        l->fiber.number = i;
        rk_fiber_arm(&l->fiber, run_lane, l);
    }
}

static void give_fibers_back(block *b)
{
    unsigned given = 0;
    pthread_mutex_lock(&kept.lock);
    for (; given < b->count && kept.count < KEPT; given++) {
        rk_fiber_discard(&b->lanes[given].fiber);
        kept.fibers[kept.count++] = b->lanes[given].fiber;
    }
    pthread_mutex_unlock(&kept.lock);
    for (; given < b->count; given++) rk_fiber_destroy(&b->lanes[given].fiber);
}

static void *run_block(void *argument)
{
    block *b = argument;
    grid *g = b->grid;
    here = b;
    b->me = g->place();
    b->lanes = calloc(b->count, sizeof *b->lanes);
    rk_fiber_adopt(&b->scheduler);
    for (unsigned i = 0; i < b->count; i++) {
        lane *l = &b->lanes[i];
        l->block = b;
        l->is = (emu_thread){ .thread = { i, 0, 0 },
                              .block = { b->number, 0, 0 },
                              .block_size = { b->count, 1, 1 },
                              .grid_size = { g->of.blocks, 1, 1 },
                              .shared_bytes = g->of.shared_bytes };
    }
    take_fibers(b);
    while (b->ended < b->count && !__atomic_load_n(&trapped, __ATOMIC_ACQUIRE)) {
        if (!pass(b)) tell_and_abort(b);
        sched_yield();
    }
    give_fibers_back(b);
    free(b->lanes);
    free(b);
    __atomic_sub_fetch(&g->left, 1, __ATOMIC_ACQ_REL);
    return 0;
}

/* ------------------------------------------------------------------ what the mock driver calls */

static void *start(void *function, void *module, const mock_entry *entry, void *arena)
{
    static unsigned serial;
    grid *g = calloc(1, sizeof *g);
    void (*entered)(char *, unsigned long long, unsigned, unsigned, unsigned);
    *(void **)(void *)&entered = function;
    *g = (grid){ .entry = entered, .of = *entry, .arena = arena, .left = entry->blocks };
    *(void **)(void *)&g->place = dlsym(module, "emu_place");
    for (unsigned n = 0; n < entry->blocks; n++) {
        block *b = calloc(1, sizeof *b);
        pthread_t thread;
        *b = (block){ .grid = g, .count = entry->threads, .number = n };
        b->seed = __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED) * 2654435761u;
        if (pthread_create(&thread, 0, run_block, b)) abort();
        pthread_detach(thread);
    }
    return g;
}

static int ended(void *running)
{
    grid *g = running;
    if (__atomic_load_n(&g->left, __ATOMIC_ACQUIRE)) return 0;
    free(g);
    return 1;
}

/* The image of a module is a library (compiler.c), behind its size. */
static void *load(const void *image)
{
    char path[] = "/tmp/rk-emulated-XXXXXX";
    unsigned long long size;
    emu_bind_ bind;
    int file = mkstemp(path);
    memcpy(&size, (const char *)image + 8, sizeof size);
    if (file < 0 || write(file, (const char *)image + 16, size) != (ssize_t)size || close(file)) abort();
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "emulator: %s\n", dlerror());
    if (!getenv("EMU_KEEP")) unlink(path); /* for a debugger */
    if (!library) return 0;
    *(void **)(void *)&bind = dlsym(library, "emu_bind");
    bind(&calls);
    return library;
}

static void unload(void *module) { dlclose(module); }
static void *find(void *module, const char *name) { return dlsym(module, name); }

__attribute__((constructor)) static void begin(void)
{
    static const mock_machine machine = { load, unload, find, start, ended };
    mock_machine_is = &machine;
}
