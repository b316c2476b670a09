/* The port layer: everything in which the languages and devices differ, behind one set of names.
 *
 * Each port file defines:
 *
 *   address spaces   RK_GLOBAL (arena), RK_LOCAL (shared by a block), RK_MSG (where a handler finds its
 *                    message), RK_TEXT (string literals), RK_CONSTANT (file-scope constants)
 *   functions        RK_FN (a function of the dialect), RK_FN_LARGE (one with several callers that is not
 *                    worth a copy in each: a GPU's compiler, which inlines the others, would take seconds)
 *   orders           RK_RELAXED, RK_ACQUIRE, RK_RELEASE, RK_ACQ_REL, RK_SEQ_CST
 *   scopes           RK_SCOPE_WARP, RK_SCOPE_BLOCK, RK_SCOPE_DEVICE, RK_SCOPE_SYSTEM (numbers, usable in
 *                    attributes)
 *   atomics          rk_load_u32/u64, rk_store_u32/u64, rk_exchange_u32, rk_add_u32/u64, rk_or_u32/u64,
 *                    rk_and_u32, rk_min_u32, rk_cas_u32/u64 (pointer, [expected,] value, order, scope); all take the
 *                    order and the scope as written constants. rk_cas_* return 1 when they stored; where a
 *                    device has no rk_cas_u64, RK_NO_CAS_U64 says so
 *                    rk_count_local(pointer, n): adds to a u32 of memory that the block shares, relaxed
 *   fences           rk_fence(order, scope)
 *   units            rk_unit (four u32, 16-byte aligned), rk_load_unit, rk_store_unit: one 128-bit access
 *                    each, RK_HAS_UNIT says whether the device has them; rk_get_unit, rk_put_unit: the same for
 *                    data that nobody else touches, wherever they lie at a multiple of 16 bytes
 *   time             rk_port_cycles(), rk_port_now_ns() (where RK_HAS_CLOCK; elsewhere the host hands each
 *                    turn its time), rk_port_pause() (a spin's breath), rk_port_spin(round) (one more round
 *                    of a spin; gives the core away in the end)
 *   copies           rk_copy_global(to, from, bytes)
 *
 * Orders and scopes are always both written: system scope costs microseconds on a GPU, device scope a few
 * hundred nanoseconds, block scope almost nothing. */
#ifndef RINGKERNEL_DEVICE_PORT_H
#define RINGKERNEL_DEVICE_PORT_H

#include "types.h"

#define RK_SCOPE_NONE 0
#define RK_SCOPE_WARP 1
#define RK_SCOPE_BLOCK 2
#define RK_SCOPE_DEVICE 3
#define RK_SCOPE_SYSTEM 4

#if defined(RK_LANG_OPENCL)
#include "port_opencl.h"
#elif defined(RK_LANG_METAL)
#include "port_metal.h"
#elif defined(RK_LANG_CUDA)
#include "port_cuda.h"
#else
#include "port_cpu.h"
#endif

RK_STATIC_ASSERT(sizeof(rk_unit) == 16, "a unit is one 128-bit access");

#endif
