/* Fibers: several stacks that one thread runs on in turn, each until it hands over to another.
 *
 * They are symmetric (any fiber switches to any other) and stay with the thread that runs them. A fiber
 * that nobody will resume can be discarded: its frames are forgotten, and its stack is armed again for
 * another body. The sanitizers are told of every switch, so they keep the frames of each stack apart. */
#ifndef RINGKERNEL_BACKEND_CPU_FIBER_H
#define RINGKERNEL_BACKEND_CPU_FIBER_H

#include "ringkernel/status.h"

#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define RK_FIBER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define RK_FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RK_FIBER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define RK_FIBER_TSAN 1
#endif
#endif

/* Bytes of a stack, a multiple of the page. Memory is taken page by page, as it is touched; below the
 * stack lies a page that may not be touched, so a body that needs more stops the program instead of
 * writing over a neighbour. Sanitizers widen frames. */
#if !defined(RK_FIBER_STACK_BYTES)
#if defined(RK_FIBER_ASAN) || defined(RK_FIBER_TSAN)
#define RK_FIBER_STACK_BYTES (256u * 1024u)
#else
#define RK_FIBER_STACK_BYTES (64u * 1024u)
#endif
#endif
/* 0: stacks without that page, of which a process can have more than the system has mappings for. */
#if !defined(RK_FIBER_GUARD_PAGES)
#define RK_FIBER_GUARD_PAGES 1u
#endif

typedef struct rk_fiber {
    void *stack_pointer; /* while it doesn't run; NULL: not armed */
    const void *stack;   /* lowest usable byte; of an adopted thread only known to the address sanitizer */
    size_t stack_bytes;
    uint32_t number;
    void (*body)(void *argument);
    void *argument;
    void *sanitizer; /* ASan: frames kept off the stack; TSan: its name of the fiber */
    struct rk_fiber *resumed_by;
} rk_fiber;

/* Map a stack. Fibers that run in turn should have different numbers: their frames then begin at different
 * offsets into a page, else they would all compete for the same few lines of the cache. RK_OUT_OF_MEMORY:
 * nothing is mapped. */
rk_status rk_fiber_create(rk_fiber *fiber, uint32_t number);

/* Unmap the stack. The fiber must not be running; it may be unfinished. A zeroed fiber is left alone. */
void rk_fiber_destroy(rk_fiber *fiber);

/* Make the calling thread one of the fibers, so that others can switch back to it. Needs no destroy. */
void rk_fiber_adopt(rk_fiber *fiber);

/* The next switch to this fiber calls body(argument), which must not return: when it has nothing to do, it
 * switches away. The fiber is a new one, or was discarded. */
void rk_fiber_arm(rk_fiber *fiber, void (*body)(void *argument), void *argument);

/* Forget what the fiber was doing: it is not resumed, and nothing on its stack is cleaned up. It must not
 * be running. */
void rk_fiber_discard(rk_fiber *fiber);

void rk_fiber_jump(void **save, void *to); /* fiber_jump.S */

/* Leave `from`, which is running, and go on with `to`, which is armed or has switched away. Returns when
 * somebody switches to `from`. Both belong to the calling thread. */
#if defined(RK_FIBER_ASAN) || defined(RK_FIBER_TSAN)
void rk_fiber_switch(rk_fiber *from, rk_fiber *to);
#else
static inline void rk_fiber_switch(rk_fiber *from, rk_fiber *to)
{
    rk_fiber_jump(&from->stack_pointer, to->stack_pointer);
}
#endif

#endif
