/* CUDA C++ for a machine without a GPU: what a unit of ringkernel needs of it, in front of its text.
 *
 * Each block is a thread of the machine, so __shared__ is thread-local; its threads are fibers, which hand over where they
 * look at something that others write. */
#ifndef RINGKERNEL_TESTS_EMULATED_H
#define RINGKERNEL_TESTS_EMULATED_H

#include "emulator.h"

extern "C" {
inline const emu_calls *emu;
inline thread_local emu_thread *emu_me;
__attribute__((visibility("default"))) void emu_bind(const emu_calls *calls);
__attribute__((visibility("default"))) emu_thread **emu_place(void);
}
void emu_bind(const emu_calls *calls) { emu = calls; }
emu_thread **emu_place(void) { return &emu_me; }

#define __CUDACC__ 1
#define __global__ __attribute__((visibility("default")))
#define __device__
#define __shared__ thread_local
#define __forceinline__ inline
#define __noinline__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
#define threadIdx (emu_me->thread)
#define blockIdx (emu_me->block)
#define blockDim (emu_me->block_size)
#define gridDim (emu_me->grid_size)

/* ------------------------------------------------------------------ warps and blocks */

#define __trap() emu->trap()
#define __popc(x) __builtin_popcount((unsigned)(x))
#define __ffs(x) __builtin_ffs((int)(x))
#define __clzll(x) ((x) ? __builtin_clzll((unsigned long long)(x)) : 64)
#define __dmul_rn(a, b) ((double)(a) * (double)(b))
#define __fmul_rn(a, b) ((float)(a) * (float)(b))

static inline void __syncwarp(unsigned mask = 0xffffffffu) { emu->warp(EMU_SYNC, mask, 0, 0); }
static inline unsigned __ballot_sync(unsigned mask, int value)
{
    return (unsigned)emu->warp(EMU_BALLOT, mask, value != 0, 0);
}
static inline int __any_sync(unsigned mask, int value) { return __ballot_sync(mask, value) != 0; }
static inline int __all_sync(unsigned mask, int value) { return __ballot_sync(mask, !value) == 0; }
template <class T> static inline unsigned __match_any_sync(unsigned mask, T value)
{
    return (unsigned)emu->warp(EMU_MATCH, mask, (unsigned long long)value, 0);
}
template <class T> static inline T emu_shuffle(int how, unsigned mask, T value, unsigned argument)
{
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    bits = emu->warp(how, mask, bits, argument);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}
template <class T> static inline T __shfl_sync(unsigned mask, T value, int from)
{
    return emu_shuffle(EMU_SHUFFLE, mask, value, (unsigned)from & 31u);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T value, unsigned by)
{
    return emu_shuffle(EMU_SHUFFLE_UP, mask, value, by);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int with)
{
    return emu_shuffle(EMU_SHUFFLE_XOR, mask, value, (unsigned)with);
}
static inline void __syncthreads(void) { emu->block(0); }
static inline int __syncthreads_or(int value) { return emu->block(value != 0) != 0; }
static inline int __syncthreads_and(int value) { return emu->block(value == 0) == 0; }

/* ------------------------------------------------------------------ atomics */

#define __NV_ATOMIC_RELAXED __ATOMIC_RELAXED
#define __NV_ATOMIC_ACQUIRE __ATOMIC_ACQUIRE
#define __NV_ATOMIC_RELEASE __ATOMIC_RELEASE
#define __NV_ATOMIC_ACQ_REL __ATOMIC_ACQ_REL
#define __NV_ATOMIC_SEQ_CST __ATOMIC_SEQ_CST
#define __NV_THREAD_SCOPE_BLOCK 0
#define __NV_THREAD_SCOPE_DEVICE 0
#define __NV_THREAD_SCOPE_SYSTEM 0
#define EMU_STEP(expression) (emu->step(), expression)
#define __nv_atomic_load_n(word, order, scope) EMU_STEP(__atomic_load_n(word, order))
#define __nv_atomic_store_n(word, value, order, scope) EMU_STEP(__atomic_store_n(word, value, order))
#define __nv_atomic_exchange_n(word, value, order, scope) EMU_STEP(__atomic_exchange_n(word, value, order))
#define __nv_atomic_fetch_add(word, value, order, scope) EMU_STEP(__atomic_fetch_add(word, value, order))
#define __nv_atomic_fetch_or(word, value, order, scope) EMU_STEP(__atomic_fetch_or(word, value, order))
#define __nv_atomic_fetch_and(word, value, order, scope) EMU_STEP(__atomic_fetch_and(word, value, order))
#define __nv_atomic_compare_exchange_n(word, expected, value, weak, order, failed, scope) \
    EMU_STEP(__atomic_compare_exchange_n(word, expected, value, weak, order, failed))
template <class T> static inline T emu_least(T *word, T value, bool largest)
{
    T was = EMU_STEP(__atomic_load_n(word, __ATOMIC_RELAXED));
    while ((largest ? value > was : value < was) &&
           !__atomic_compare_exchange_n(word, &was, value, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {}
    return was;
}
#define __nv_atomic_fetch_min(word, value, order, scope) emu_least(word, value, false)
#define __nv_atomic_fetch_max(word, value, order, scope) emu_least(word, value, true)

/* ------------------------------------------------------------------ what port_ptx.h says in PTX */

#define RINGKERNEL_DEVICE_PORT_PTX_H

typedef int emu_four __attribute__((vector_size(16)));

/* A unit is written and read as a whole, as the device does it. */
template <class U> static inline U rk_load_unit(const U *unit)
{
    U value;
    emu->step();
    *(emu_four *)&value = *(const volatile emu_four *)unit;
    return value;
}
template <class U> static inline void rk_store_unit(U *unit, U value)
{
    emu->step();
    *(volatile emu_four *)unit = *(const emu_four *)&value;
}
#define rk_get_unit(from) (*(const rk_unit *)(from))
#define rk_put_unit(to, value) ((void)(*(rk_unit *)(to) = (value)))

static inline void rk_port_count(unsigned long long *counter, unsigned long long n)
{
    EMU_STEP(__atomic_fetch_add(counter, n, __ATOMIC_RELAXED));
}
static inline void rk_port_give_u32(unsigned *word, unsigned n)
{
    EMU_STEP(__atomic_fetch_add(word, n, __ATOMIC_RELAXED));
}
static inline unsigned rk_port_add_u32(unsigned *word, unsigned n)
{
    return EMU_STEP(__atomic_fetch_add(word, n, __ATOMIC_RELAXED));
}
static inline unsigned long long rk_port_add_u64(unsigned long long *word, unsigned long long n)
{
    return EMU_STEP(__atomic_fetch_add(word, n, __ATOMIC_RELAXED));
}

static inline void rk_port_fence(int order, unsigned scope)
{
    (void)scope;
    __atomic_thread_fence(order);
}
static inline unsigned rk_port_seen(const unsigned *word)
{
    return EMU_STEP(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}
static inline void rk_port_tell(unsigned *word, unsigned value)
{
    EMU_STEP(__atomic_store_n(word, value, __ATOMIC_RELEASE));
}
static inline void rk_port_set(unsigned *word, unsigned bits)
{
    EMU_STEP(__atomic_fetch_or(word, bits, __ATOMIC_RELAXED));
}
static inline unsigned long long rk_port_add_if(unsigned condition, unsigned long long *word,
                                                unsigned long long n)
{
    return condition ? rk_port_add_u64(word, n) : 0xdeadbeefdeadbeefull;
}
static inline unsigned long long rk_port_add_and_tell(unsigned condition, unsigned long long *word,
                                                      unsigned long long n, unsigned *told, unsigned value)
{
    const unsigned long long before = rk_port_add_if(condition, word, n);
    __syncwarp();
    if (threadIdx.x % 32u == 0) rk_port_tell(told, value);
    return before;
}

static inline unsigned long long rk_port_now_ns(void) { return emu->now_ns(); }
static inline unsigned long long rk_port_cycles(void) { return emu->cycles(); }
static inline void rk_port_pause(void) { emu->step(); }
static inline void rk_port_rest(unsigned ns)
{
    (void)ns;
    emu->step();
}
static inline unsigned rk_port_block_bytes(void) { return emu_me->shared_bytes; }

#endif
