/* The messages of the contract suite's cases on the dialect and on attributes. Type ids 470 to 489 are
 * theirs. */
#ifndef RINGKERNEL_TESTS_CONTRACT_C_RK_H
#define RINGKERNEL_TESTS_CONTRACT_C_RK_H

#include <ringkernel/message.h>

/* A number, and what a handler found out. */
RK_MESSAGE(measure, 470, (rk_u64, number), (rk_u64, value))

/* n terms of each kind, and their sums. */
RK_MESSAGE(terms, 471, (rk_u32, n), (rk_f32, of_f32), (rk_u64, of_u64), (rk_u32, of_u32), (rk_i32, of_i32))

/* What a thread got from others of its warp. */
RK_MESSAGE(exchanged, 472, (rk_u64, of_lane_3), (rk_f32, two_below), (rk_u32, across), (rk_u32, thread),
           (rk_u32, threads))

/* The same of each kind of value: of the last lane, the next, and the one across. */
RK_MESSAGE(exchanged_kinds, 473, (rk_i64, last_i64), (rk_u64, next_u64), (rk_i64, next_i64),
           (rk_u32, last_u32), (rk_i32, last_i32), (rk_f32, last_f32), (rk_u32, next_u32),
           (rk_i32, across_i32), (rk_f32, across_f32))

/* A number of each kind. */
RK_MESSAGE(kinds, 474, (rk_u64, of_u64), (rk_i64, of_i64), (rk_f64, of_f64), (rk_u32, of_u32),
           (rk_i32, of_i32), (rk_f32, of_f32), (rk_u16, of_u16), (rk_i16, of_i16), (rk_u8, of_u8),
           (rk_i8, of_i8), (rk_u8, pad, 6))

/* What thread t gives, all bits of it used, with either sign. */
#define KIND_U64(t) (((rk_u64)(t) + 1u) * 0x9e3779b97f4a7c15ul)
#define KIND_I64(t) ((rk_i64)KIND_U64(t))
/* No sum of 256 of these is too large for its kind, or, of a float, not exact. */
#define TERM_I32(t) ((rk_i32)(KIND_U64(t) >> 41) - (1 << 22))
#define TERM_F32(t) (0.5f * (rk_f32)((t) + 1u))
#define KIND_F32(t) ((t) % 2u ? -1.25f * (rk_f32)(t) : 0.375f * (rk_f32)(t))

#define PER_THREAD 64u

#endif
