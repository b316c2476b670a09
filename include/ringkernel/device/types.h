/* The scalar types of the dialect.
 *
 * One name for each width in every language that compiles a kernel: C11, C++17 and later, CUDA through NVRTC
 * (which has no <stdint.h>), OpenCL C, the Metal Shading Language. Messages and shared structures use these and nothing else. */
#ifndef RINGKERNEL_DEVICE_TYPES_H
#define RINGKERNEL_DEVICE_TYPES_H

#if defined(__METAL_VERSION__)
#define RK_LANG_METAL 1
#elif defined(__OPENCL_C_VERSION__) || defined(__OPENCL_VERSION__)
#define RK_LANG_OPENCL 1
#elif defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define RK_LANG_CUDA 1
#else
#define RK_LANG_HOST 1
#endif

#if defined(RK_LANG_OPENCL) || defined(RK_LANG_METAL)
typedef char rk_i8;
typedef uchar rk_u8;
typedef short rk_i16;
typedef ushort rk_u16;
typedef int rk_i32;
typedef uint rk_u32;
typedef long rk_i64;
typedef ulong rk_u64;
#elif defined(RK_LANG_CUDA)
typedef signed char rk_i8;
typedef unsigned char rk_u8;
typedef short rk_i16;
typedef unsigned short rk_u16;
typedef int rk_i32;
typedef unsigned int rk_u32;
typedef long long rk_i64;
typedef unsigned long long rk_u64;
#else
#include <stdint.h>
typedef int8_t rk_i8;
typedef uint8_t rk_u8;
typedef int16_t rk_i16;
typedef uint16_t rk_u16;
typedef int32_t rk_i32;
typedef uint32_t rk_u32;
typedef int64_t rk_i64;
typedef uint64_t rk_u64;
#endif

/* The words of a message: the same memory is read and written by the fields of a header or of a payload, so
 * compilers are told that these may alias anything. (On a device too: PoCL reorders a copy by plain words
 * with the stores of a 64-bit field.) */
typedef rk_u32 __attribute__((__may_alias__)) rk_word;
typedef rk_u64 __attribute__((__may_alias__)) rk_double_word;

/* Durations, in nanoseconds as all of them are. */
#define RK_MICROSECONDS(n) ((rk_u64)(n)*1000u)
#define RK_MILLISECONDS(n) ((rk_u64)(n)*1000000u)
#define RK_SECONDS(n) ((rk_u64)(n)*1000000000u)
/* Of every timeout: at once, and never. */
#define RK_NO_WAIT 0u
#define RK_NO_DEADLINE 0xfffffffffffffffful

/* Where a device has no double precision, such a member of a message is carried and not computed with. */
typedef float rk_f32;
#if defined(RK_LANG_METAL) || defined(RK_NO_F64) || \
    (defined(RK_LANG_OPENCL) && !defined(cl_khr_fp64) && !defined(__opencl_c_fp64))
typedef struct rk_f64 {
    rk_u64 bits;
} rk_f64;
#else
#define RK_HAS_F64 1
typedef double rk_f64;
#endif

/* What stands in a source that computes with them. */
#if defined(RK_HAS_F64)
#define RK_NEEDS_F64 RK_STATIC_ASSERT(1, "");
#else
#define RK_NEEDS_F64 RK_STATIC_ASSERT(0, "this source computes with doubles, which this device doesn't have");
#endif

/* Compile-time checks: every layout states its size and offsets in every language. Where OpenCL C has no
 * static assertion, a failed one is an array of negative length. */
#if !defined(__has_extension)
#define RK_HAS_EXTENSION(name) 0
#else
#define RK_HAS_EXTENSION(name) __has_extension(name)
#endif
#define RK_PASTE_(a, b) a##b
#define RK_PASTE(a, b) RK_PASTE_(a, b)
#if defined(__cplusplus)
#define RK_STATIC_ASSERT(condition, text) static_assert(condition, text)
#elif defined(RK_LANG_OPENCL) && !RK_HAS_EXTENSION(c_static_assert)
#define RK_STATIC_ASSERT(condition, text) \
    typedef char RK_PASTE(rk_static_assert_line_, __LINE__)[(condition) ? 1 : -1] __attribute__((unused))
#else
#define RK_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#if defined(__CUDACC_RTC__)
#define RK_OFFSET_OF(type, field) \
    ((rk_u64)__INTADDR__(&((type *)0)->field)) /* its front end has no __builtin_offsetof */
#else
#define RK_OFFSET_OF(type, field) __builtin_offsetof(type, field)
#endif

RK_STATIC_ASSERT(sizeof(rk_u8) == 1 && sizeof(rk_u16) == 2 && sizeof(rk_u32) == 4 && sizeof(rk_u64) == 8,
                 "scalar widths");

/* The levels of a log line: what a handler gives to rk_log, and what the host finds in rk_log_record. */
#define RK_DEBUG 0u
#define RK_INFO 1u
#define RK_WARNING 2u
#define RK_ERROR 3u

#endif
