/* What the parts of the mock driver share. */
#ifndef RINGKERNEL_TESTS_MOCK_CUDA_INSIDE_H
#define RINGKERNEL_TESTS_MOCK_CUDA_INSIDE_H

#include "mock_cuda.h"

#define GRANULARITY ((size_t)2 << 20)
#define NAME_ROOM 64

extern mock_cuda_state mock_cuda;
extern __thread rk_cu_context mock_current;

#define DEVICES_MOST 16
extern char mock_contexts[DEVICES_MOST];

rk_cu_result mock_outcome(const char *function, int of_context);
int mock_lost(int device);
void mock_note(const char *what);
/* Of a device's kernels, or with -1 of all. */
void mock_waits(const char *what, int device);
/* As the driver loads a function, when it is told to or launched first: it waits for what runs. */
void mock_load(rk_cu_function function);
/* Is a kernel on the device? */
int mock_is_busy(int device);
/* Of the thread's context; 0 without one. */
int mock_device(void);
/* The device does nothing in between: copies are not made in the midst of what a test's function writes. */
void mock_hold(void);
void mock_go_on(void);
/* What was copied late on a stream, and on those that it waits for, is copied now. */
void mock_catch_up(rk_cu_stream stream);
/* 1: the copy is kept for later. */
int mock_copy_late(rk_cu_stream stream, void *to, const void *from, size_t bytes);
void *mock_cuda_at(rk_cu_address address, size_t bytes);
void mock_streams_reset(void);
void mock_memory_reset(void);

/* What runs kernels, in a program that has one (tests/emulator); without it a test's function plays them. A function of a
 * module is where the machine found it. */
typedef struct mock_machine {
    void *(*load)(const void *image); /* 0: it is none */
    void (*unload)(void *module);
    void *(*find)(void *module, const char *name);
    void *(*start)(void *function, void *module, const mock_entry *entry, void *arena);
    int (*ended)(void *running); /* 1: and it is forgotten */
} mock_machine;
extern const mock_machine *mock_machine_is;
/* Where the device has what is in a reserved range. */
void *mock_cuda_shadow(rk_cu_address address);

/* As the mock gives out functions: first the name. */
typedef struct mock_function {
    char name[NAME_ROOM];
    void *module, *found;
    int loaded;            /* else its first launch loads it, and waits for kernels that stay */
    unsigned dynamic_most; /* bytes of shared memory that a launch may ask for, where more than 48 KiB */
} mock_function;

static inline void mock_count(int *counter, int by) { __atomic_add_fetch(counter, by, __ATOMIC_ACQ_REL); }

/* A call that needs a context which is not lost (1), or needs none (0). */
#define BEGIN(of_context)                                           \
    do {                                                            \
        rk_cu_result outcome_ = mock_outcome(__func__, of_context); \
        if (outcome_ != RK_CUDA_SUCCESS) return outcome_;           \
    } while (0)
/* A call that needs the context to be the thread's. */
#define BEGIN_CURRENT                                                                \
    do {                                                                             \
        BEGIN(1);                                                                    \
        if (mock_cuda.strict && !mock_current) return RK_CUDA_ERROR_INVALID_CONTEXT; \
    } while (0)

#endif
