/* An emulated GPU: what the emulator and the kernels that it runs (emulated.h) know of each other. C and C++. */
#ifndef RINGKERNEL_TESTS_EMULATOR_H
#define RINGKERNEL_TESTS_EMULATOR_H

typedef struct emu_index {
    unsigned x, y, z;
} emu_index;

/* A thread of a grid, as its kernel sees itself. */
typedef struct emu_thread {
    emu_index thread, block, block_size, grid_size;
    unsigned shared_bytes;
} emu_thread;

/* What lanes of a warp do together. */
enum { EMU_SYNC, EMU_BALLOT, EMU_SHUFFLE, EMU_SHUFFLE_UP, EMU_SHUFFLE_XOR, EMU_MATCH };

typedef struct emu_calls {
    /* This thread has looked at or changed what others see: they may go on. */
    void (*step)(void);
    /* Returns this lane's result once all lanes of the mask are there. */
    unsigned long long (*warp)(int what, unsigned mask, unsigned long long value, unsigned argument);
    /* Returns how many threads of the block have said 1, once all are there. */
    unsigned (*block)(unsigned value);
    unsigned long long (*now_ns)(void);
    unsigned long long (*cycles)(void);
    /* The device is lost: this thread goes no further, and no other thread of any grid does. */
    void (*trap)(void);
} emu_calls;

/* What a kernel's library has: it is bound once, and each thread of the machine that plays a block asks where it has to
 * say which of the block's threads is next. */
typedef void (*emu_bind_)(const emu_calls *calls);
typedef emu_thread **(*emu_place_)(void);

#endif
