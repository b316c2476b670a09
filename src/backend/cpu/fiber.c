#include "backend/cpu/fiber.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(RK_FIBER_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(RK_FIBER_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

/* First frames begin at one of 16 offsets in the topmost page, 256 bytes apart: that is about what a
 * suspended fiber uses. */
#define RK_FIBER_OFFSETS 16u
#define RK_FIBER_OFFSET_BYTES 256u

void rk_fiber_enter(void); /* fiber_jump.S */

rk_status rk_fiber_create(rk_fiber *fiber, uint32_t number)
{
    size_t guard = RK_FIBER_GUARD_PAGES * (size_t)sysconf(_SC_PAGESIZE);
    memset(fiber, 0, sizeof *fiber);
    void *mapped = mmap(NULL, guard + RK_FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return RK_OUT_OF_MEMORY;
    if (guard && mprotect(mapped, guard, PROT_NONE) != 0) {
        munmap(mapped, guard + RK_FIBER_STACK_BYTES);
        return RK_OUT_OF_MEMORY;
    }
    fiber->stack = (uint8_t *)mapped + guard;
    fiber->stack_bytes = RK_FIBER_STACK_BYTES;
    fiber->number = number;
#if defined(RK_FIBER_TSAN)
    fiber->sanitizer = __tsan_create_fiber(0);
#endif
    return RK_OK;
}

void rk_fiber_destroy(rk_fiber *fiber)
{
    if (!fiber->stack) return;
    size_t guard = RK_FIBER_GUARD_PAGES * (size_t)sysconf(_SC_PAGESIZE);
    rk_fiber_discard(fiber);
#if defined(RK_FIBER_TSAN)
    __tsan_destroy_fiber(fiber->sanitizer);
#endif
    munmap((uint8_t *)fiber->stack - guard, guard + fiber->stack_bytes);
    memset(fiber, 0, sizeof *fiber);
}

void rk_fiber_adopt(rk_fiber *fiber)
{
    memset(fiber, 0, sizeof *fiber);
#if defined(RK_FIBER_TSAN)
    fiber->sanitizer = __tsan_get_current_fiber();
#endif
}

/* ------------------------------------------------------------------ what the sanitizers are told */

#if defined(RK_FIBER_ASAN)

/* We are on the stack of `self` now. It also tells where the stack that we came from lies, which nobody
 * knows of a thread's own. */
static void rk_fiber_arrived(rk_fiber *self)
{
    rk_fiber *before = self->resumed_by;
    __sanitizer_finish_switch_fiber(self->sanitizer, &before->stack, &before->stack_bytes);
}

void rk_fiber_switch(rk_fiber *from, rk_fiber *to)
{
    to->resumed_by = from;
    __sanitizer_start_switch_fiber(&from->sanitizer, to->stack, to->stack_bytes);
    rk_fiber_jump(&from->stack_pointer, to->stack_pointer);
    rk_fiber_arrived(from);
}

/* Frames kept off the stack are freed only from the fiber itself, so for the sanitizer we visit it one
 * last time. */
__attribute__((no_sanitize_address)) static void rk_fiber_forget(rk_fiber *fiber)
{
    if (fiber->sanitizer) {
        void *own = NULL;
        const void *bottom = NULL;
        size_t bytes = 0;
        __sanitizer_start_switch_fiber(&own, fiber->stack, fiber->stack_bytes);
        __sanitizer_finish_switch_fiber(fiber->sanitizer, &bottom, &bytes);
        __sanitizer_start_switch_fiber(NULL, bottom, bytes);
        __sanitizer_finish_switch_fiber(own, NULL, NULL);
        fiber->sanitizer = NULL;
    }
    __asan_unpoison_memory_region(fiber->stack, fiber->stack_bytes);
}

#elif defined(RK_FIBER_TSAN)

static void rk_fiber_arrived(rk_fiber *self) { (void)self; }

void rk_fiber_switch(rk_fiber *from, rk_fiber *to)
{
    __tsan_switch_to_fiber(to->sanitizer, 0);
    rk_fiber_jump(&from->stack_pointer, to->stack_pointer);
}

/* The sanitizer's record of the calls that are under way goes with its fiber. */
static void rk_fiber_forget(rk_fiber *fiber)
{
    __tsan_destroy_fiber(fiber->sanitizer);
    fiber->sanitizer = __tsan_create_fiber(0);
}

#else

static void rk_fiber_arrived(rk_fiber *self) { (void)self; }

static void rk_fiber_forget(rk_fiber *fiber) { (void)fiber; }

#endif

/* ------------------------------------------------------------------ beginning and end */

static void rk_fiber_main(void *argument)
{
    rk_fiber *fiber = argument;
    rk_fiber_arrived(fiber);
    fiber->body(fiber->argument);
    __builtin_trap(); /* a body never returns: there is nobody to return to */
}

/* The first frame, as rk_fiber_jump pops it. */
#if defined(__x86_64__)
typedef struct rk_fiber_frame {
    uint32_t mxcsr;
    uint16_t control;
    uint16_t frame_;
    uint64_t r15, r14, r13;
    void *r12; /* argument of rk_fiber_main */
    void (*rbx)(void *argument);
    uint64_t rbp; /* 0: here ends the chain of frames */
    void (*ret)(void);
} rk_fiber_frame;

static void rk_fiber_frame_fill(rk_fiber_frame *frame, rk_fiber *fiber)
{
    __asm__ volatile("stmxcsr %0" : "=m"(frame->mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(frame->control));
    frame->r12 = fiber;
    frame->rbx = rk_fiber_main;
    frame->ret = rk_fiber_enter;
}
#else
typedef struct rk_fiber_frame {
    void (*x19)(void *argument);
    void *x20; /* argument of rk_fiber_main */
    uint64_t x21_x28[8];
    uint64_t x29; /* 0: here ends the chain of frames */
    void (*x30)(void);
    uint64_t d8_d15[8];
    uint64_t fpcr;
    uint64_t frame_;
} rk_fiber_frame;

static void rk_fiber_frame_fill(rk_fiber_frame *frame, rk_fiber *fiber)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(frame->fpcr));
    frame->x19 = rk_fiber_main;
    frame->x20 = fiber;
    frame->x30 = rk_fiber_enter;
}
#endif
_Static_assert(sizeof(rk_fiber_frame) % 16 == 0, "a fiber begins on an aligned stack");

void rk_fiber_arm(rk_fiber *fiber, void (*body)(void *argument), void *argument)
{
    uint8_t *top = (uint8_t *)fiber->stack + fiber->stack_bytes;
    top -= (size_t)(fiber->number % RK_FIBER_OFFSETS) * RK_FIBER_OFFSET_BYTES;
    rk_fiber_frame *frame = (rk_fiber_frame *)(void *)top - 1;
    memset(frame, 0, sizeof *frame);
    fiber->body = body;
    fiber->argument = argument;
    rk_fiber_frame_fill(frame, fiber);
    fiber->stack_pointer = frame;
}

void rk_fiber_discard(rk_fiber *fiber)
{
    rk_fiber_forget(fiber);
    fiber->stack_pointer = NULL;
}
