/* What a kernel source includes: the dialect.
 *
 *     #include <ringkernel/kernel.h>
 *
 *     RK_MESSAGE(number, 1, (rk_i64, value))
 *
 *     RK_HANDLER(doubler, number, msg, rk_none, self)
 *     {
 *         number twice = { msg->value * 2 };
 *         rk_send(RK_ARG, &twice);
 *     }
 *
 * The same file is compiled by gcc and clang for the CPU, by NVRTC for NVIDIA GPUs and as OpenCL C. What is
 * declared here becomes the module's table on the host (module.h) and the cases of a generated dispatch on a
 * device (device/entry.h). */
#ifndef RINGKERNEL_KERNEL_H
#define RINGKERNEL_KERNEL_H

#include "device/port.h"

#if defined(RK_LANG_HOST)
/* A message that was declared before belongs to no module: to declare one and to include this afterwards is an error, at
 * this name. */
typedef struct rk_kernel_h *rk_message_before_kernel_h;
/* Each RK_MESSAGE of a kernel source belongs to its module. Used before its definition: macros expand where
 * they are used. */
#undef RK_SCHEMA_DECLARED
#define RK_SCHEMA_DECLARED(type_name)                                                 \
    RK_DECLARE_(message_##type_name, .kind = RK_DECLARES_MESSAGE, .name = #type_name, \
                .message = &rk_schema_##type_name)
#endif

#include "device/batch.h"
#include "device/double.h"
#include "device/spmd.h"
#include "device/timer.h"

/* Parameters, reasons and routes are numbered in the order of their declaration. */
#if !defined(__CUDACC_RTC__)
enum { rk_first_number = __COUNTER__ };
#define RK_NUMBERED_(name_) enum { name_ = __COUNTER__ - rk_first_number };
#else
/* NVRTC has no __COUNTER__: each number declares the overload that the next one finds, as the closest base of
 * the farthest rank. */
template <rk_u32 number> struct rk_rank : rk_rank<number - 1u> {
};
template <> struct rk_rank<0> {
};
__device__ rk_u8 (&rk_count_to(rk_rank<0>))[1];
#define RK_NUMBERED_(name_)                               \
    enum { name_ = sizeof(rk_count_to(rk_rank<200>())) }; \
    __device__ rk_u8(&rk_count_to(rk_rank<name_>))[name_ + 1];
#endif

#define RK_SPMD_FITS_(kernel_name_, type_)                                                     \
    RK_STATIC_ASSERT(sizeof(type_) <= RK_INLINE_MAX,                                           \
                     #kernel_name_ " is SPMD: its messages must be at most 1024 bytes, since " \
                                   "each thread takes a copy of its own")

#if defined(RK_LANG_HOST)

#include "module.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(RK_MODULE)
extern __attribute__((visibility("default"))) rk_module rk_module_table;
rk_module rk_module_table = {
    RK_MODULE_MAGIC, RK_MODULE_ABI, RK_WIRE_VERSION, sizeof(rk_shard), sizeof(rk_context), __BASE_FILE__, 0, 0
};
#define RK_THIS_MODULE rk_module_table
#else
static rk_module rk_this_module_ = {
    RK_MODULE_MAGIC, RK_MODULE_ABI, RK_WIRE_VERSION, sizeof(rk_shard), sizeof(rk_context), __BASE_FILE__, 0, 0
};
#define RK_THIS_MODULE rk_this_module_
__attribute__((constructor)) static void rk_link_this_module_(void) { rk_link_module(&rk_this_module_); }
#endif
#ifdef __cplusplus
}
#endif

/* One entry of the module's table, entered before main (or before dlopen returns). */
#define RK_DECLARE_(unique, ...)                                       \
    static rk_declaration rk_declaration_##unique = { __VA_ARGS__ };   \
    __attribute__((constructor)) static void rk_declare_##unique(void) \
    {                                                                  \
        rk_declaration_##unique.next = RK_THIS_MODULE.declarations;    \
        RK_THIS_MODULE.declarations = &rk_declaration_##unique;        \
    }                                                                  \
    RK_STATIC_ASSERT(1, "")

#define RK_ATTRIBUTES_(unique, ...) \
    static const rk_attributes rk_attributes_##unique = { .size = sizeof(rk_attributes), ##__VA_ARGS__ }

#define RK_HANDLER(kernel_name_, type_, msg_, state_, self_, ...)                                            \
    RK_FN void rk_handle_##kernel_name_##_##type_(RK_CTX RK_UNUSED, RK_MSG const type_ *msg_ RK_UNUSED,      \
                                                  RK_GLOBAL state_ *self_ RK_UNUSED);                        \
    static rk_u32 rk_run_##kernel_name_##_##type_(rk_context *context, rk_view *view, rk_u32 i, rk_u32 end)  \
    {                                                                                                        \
        const rk_view run = *view; /* the compiler's own: handlers can't change it */                        \
        rk_byte *const arena = context->arena;                                                               \
        for (; i < end; i++) {                                                                               \
            rk_byte *slot = rk_view_slot(&run, arena, i);                                                    \
            if (((const rk_header *)slot)->type != RK_TYPE_ID(type_)) break;                                 \
            if (!rk_message_begin(context, slot)) continue;                                                  \
            rk_handle_##kernel_name_##_##type_(context, (const type_ *)context->payload,                     \
                                               (state_ *)context->state);                                    \
            rk_message_end(context);                                                                         \
        }                                                                                                    \
        return i;                                                                                            \
    }                                                                                                        \
    RK_ATTRIBUTES_(kernel_name_##_##type_, ##__VA_ARGS__);                                                   \
    RK_DECLARE_(handler_##kernel_name_##_##type_, .kind = RK_DECLARES_HANDLER, .kernel_name = #kernel_name_, \
                .message = &rk_schema_##type_, .attributes = &rk_attributes_##kernel_name_##_##type_,        \
                .state_size = sizeof(state_), .file = __FILE__, .line = __LINE__,                            \
                .run = rk_run_##kernel_name_##_##type_);                                                     \
    RK_FN void rk_handle_##kernel_name_##_##type_(RK_CTX RK_UNUSED, RK_MSG const type_ *msg_ RK_UNUSED,      \
                                                  RK_GLOBAL state_ *self_ RK_UNUSED)

#define RK_BATCH_HANDLER(kernel_name_, type_, n_, state_, self_, ...)                                \
    RK_FN void rk_handle_##kernel_name_##_##type_(RK_CTX RK_UNUSED, rk_u32 n_ RK_UNUSED,             \
                                                  RK_GLOBAL state_ *self_ RK_UNUSED);                \
    static void rk_call_##kernel_name_##_##type_(rk_context *context)                                \
    {                                                                                                \
        rk_handle_##kernel_name_##_##type_(context, context->batch_n, (state_ *)context->state);     \
    }                                                                                                \
    RK_ATTRIBUTES_(kernel_name_##_##type_, ##__VA_ARGS__);                                           \
    RK_DECLARE_(handler_##kernel_name_##_##type_, .kind = RK_DECLARES_BATCH_HANDLER,                 \
                .kernel_name = #kernel_name_, .message = &rk_schema_##type_,                         \
                .attributes = &rk_attributes_##kernel_name_##_##type_, .state_size = sizeof(state_), \
                .file = __FILE__, .line = __LINE__, .call = rk_call_##kernel_name_##_##type_);       \
    RK_FN void rk_handle_##kernel_name_##_##type_(RK_CTX RK_UNUSED, rk_u32 n_ RK_UNUSED,             \
                                                  RK_GLOBAL state_ *self_ RK_UNUSED)

#define RK_SPMD_KERNEL(kernel_name_, type_, sends_, ...)                                         \
    RK_SPMD_FITS_(kernel_name_, type_);                                                          \
    RK_FN void rk_body_##kernel_name_(RK_CTX RK_UNUSED);                                         \
    static void rk_call_##kernel_name_(rk_context *context) { rk_body_##kernel_name_(context); } \
    RK_ATTRIBUTES_(kernel_name_, ##__VA_ARGS__);                                                 \
    RK_DECLARE_(spmd_##kernel_name_, .kind = RK_DECLARES_SPMD, .kernel_name = #kernel_name_,     \
                .message = &rk_schema_##type_, .sends = &rk_schema_##sends_,                     \
                .attributes = &rk_attributes_##kernel_name_, .state_size = sizeof(rk_none),      \
                .file = __FILE__, .line = __LINE__, .call = rk_call_##kernel_name_);             \
    RK_FN void rk_body_##kernel_name_(RK_CTX RK_UNUSED)

/* Hooks that are one call on the context as it stands. */
#define RK_HOOK_(kernel_name_, hook_, kind_, state_, self_)                                      \
    RK_FN void rk_##hook_##_##kernel_name_(RK_CTX RK_UNUSED, RK_GLOBAL state_ *self_ RK_UNUSED); \
    static void rk_call_##hook_##_##kernel_name_(rk_context *context)                            \
    {                                                                                            \
        rk_##hook_##_##kernel_name_(context, (state_ *)context->state);                          \
    }                                                                                            \
    RK_DECLARE_(hook_##_##kernel_name_, .kind = kind_, .kernel_name = #kernel_name_,             \
                .state_size = sizeof(state_), .file = __FILE__, .line = __LINE__,                \
                .call = rk_call_##hook_##_##kernel_name_);                                       \
    RK_FN void rk_##hook_##_##kernel_name_(RK_CTX RK_UNUSED, RK_GLOBAL state_ *self_ RK_UNUSED)

#define RK_ON_DRAIN(kernel_name_, state_, self_) \
    RK_HOOK_(kernel_name_, drain, RK_DECLARES_DRAIN, state_, self_)
#define RK_ON_TIMER(kernel_name_, state_, self_) \
    RK_HOOK_(kernel_name_, timer, RK_DECLARES_TIMER, state_, self_)

/* The hook of a kernel for sends that their targets did not take: returns 1 when it has taken care of the
 * message, 0 to have it dead-lettered (dropped and duplicate ones are only counted). It may change state and
 * log; it may not send: RK_LIMIT. Not with RK_PER_ACTOR, since it isn't known by then whose send it was. */
#define RK_ON_REFUSED(kernel_name_, state_, self_, refusal_)                                       \
    RK_FN rk_u32 rk_refused_##kernel_name_(RK_CTX RK_UNUSED, RK_GLOBAL state_ *self_ RK_UNUSED,    \
                                           const rk_refusal *refusal_ RK_UNUSED);                  \
    static rk_u32 rk_call_refused_##kernel_name_(rk_context *context, const rk_refusal *refusal)   \
    {                                                                                              \
        return rk_refused_##kernel_name_(context, (state_ *)context->shard_state, refusal);        \
    }                                                                                              \
    RK_DECLARE_(refused_##kernel_name_, .kind = RK_DECLARES_REFUSED, .kernel_name = #kernel_name_, \
                .state_size = sizeof(state_), .file = __FILE__, .line = __LINE__,                  \
                .refused = rk_call_refused_##kernel_name_);                                        \
    RK_FN rk_u32 rk_refused_##kernel_name_(RK_CTX RK_UNUSED, RK_GLOBAL state_ *self_ RK_UNUSED,    \
                                           const rk_refusal *refusal_ RK_UNUSED)

/* How a kernel with RK_PER_SHARD may be relaunched with another number of shards. The host calls it (device/shard.h,
 * rk_merge), nothing is served meanwhile: `self` is the state of a new shard, zeros at first, and `other` that of an old
 * one, of which messages would come to the new one now. It takes from the old state what belongs to the new shard; what
 * belongs to none in particular, a sum, where `shards->home` says so. It has no context: it can't send, log or ask the time. */
#define RK_ON_MERGE(kernel_name_, state_, self_, other_, shards_)                                   \
    RK_FN void rk_merge_##kernel_name_(RK_GLOBAL state_ *self_, RK_GLOBAL const state_ *other_,     \
                                       const rk_merge *shards_ RK_UNUSED);                          \
    static void rk_call_merge_##kernel_name_(void *self, const void *other, const rk_merge *shards) \
    {                                                                                               \
        rk_merge_##kernel_name_((state_ *)self, (const state_ *)other, shards);                     \
    }                                                                                               \
    RK_DECLARE_(merge_##kernel_name_, .kind = RK_DECLARES_MERGE, .kernel_name = #kernel_name_,      \
                .state_size = sizeof(state_), .file = __FILE__, .line = __LINE__,                   \
                .merge = rk_call_merge_##kernel_name_);                                             \
    RK_FN void rk_merge_##kernel_name_(RK_GLOBAL state_ *self_, RK_GLOBAL const state_ *other_,     \
                                       const rk_merge *shards_ RK_UNUSED)

/* A parameter of the module's kernels, set at launch: read it with RK_PARAM_OF(name). RK_PARAM_IN is one whose value is
 * from `least` to `most`: a launch with another is refused. */
#define RK_PARAM(type_, name_, default_) RK_PARAM_(type_, name_, default_, 0, 0)
#define RK_PARAM_IN(type_, name_, default_, least_, most_)                             \
    static const type_ rk_param_least_##name_ = least_, rk_param_most_##name_ = most_; \
    RK_PARAM_(type_, name_, default_, &rk_param_least_##name_, &rk_param_most_##name_)
#define RK_PARAM_(type_, name_, default_, least_, most_)                                              \
    RK_NUMBERED_(rk_param_number_##name_)                                                             \
    typedef type_ rk_param_type_##name_;                                                              \
    static const type_ rk_param_default_##name_ = default_;                                           \
    RK_DECLARE_(param_##name_, .kind = RK_DECLARES_PARAMETER, .number = rk_param_number_##name_,      \
                .name = #name_, .value_kind = RK_KIND_OF_##type_, .value = &rk_param_default_##name_, \
                .least = least_, .most = most_, .file = __FILE__, .line = __LINE__);
#define RK_REASON(name_)            \
    RK_NUMBERED_(rk_reason_##name_) \
    RK_DECLARE_(reason_##name_, .kind = RK_DECLARES_REASON, .number = rk_reason_##name_, .name = #name_);

#define RK_ROUTE(name_)            \
    RK_NUMBERED_(rk_route_##name_) \
    RK_DECLARE_(route_##name_, .kind = RK_DECLARES_ROUTE, .number = rk_route_##name_, .name = #name_);

#else /* a device: handlers are plain functions, which entry.h calls by name */

#define RK_HANDLER(kernel_name_, type_, msg_, state_, self_, ...)                                       \
    RK_CONSTANT rk_attributes rk_attributes_##kernel_name_##_##type_ RK_UNUSED = {                      \
        .size = sizeof(rk_attributes), ##__VA_ARGS__                                                    \
    };                                                                                                  \
    typedef type_ rk_type_of_##kernel_name_##_##type_;                                                  \
    typedef state_ rk_state_of_##kernel_name_##_##type_;                                                \
    RK_FN void rk_handle_##kernel_name_##_##type_(RK_CTX RK_UNUSED, RK_MSG const type_ *msg_ RK_UNUSED, \
                                                  RK_GLOBAL state_ *self_ RK_UNUSED)

#define RK_BATCH_HANDLER(kernel_name_, type_, n_, state_, self_, ...)                    \
    RK_CONSTANT rk_attributes rk_attributes_##kernel_name_##_##type_ RK_UNUSED = {       \
        .size = sizeof(rk_attributes), ##__VA_ARGS__                                     \
    };                                                                                   \
    typedef type_ rk_type_of_##kernel_name_##_##type_;                                   \
    typedef state_ rk_state_of_##kernel_name_##_##type_;                                 \
    RK_FN void rk_handle_##kernel_name_##_##type_(RK_CTX RK_UNUSED, rk_u32 n_ RK_UNUSED, \
                                                  RK_GLOBAL state_ *self_ RK_UNUSED)

#define RK_SPMD_KERNEL(kernel_name_, type_, sends_, ...)                                                \
    RK_SPMD_FITS_(kernel_name_, type_);                                                                 \
    RK_CONSTANT rk_attributes rk_attributes_##kernel_name_ RK_UNUSED = { .size = sizeof(rk_attributes), \
                                                                         ##__VA_ARGS__ };               \
    RK_FN void rk_body_##kernel_name_(RK_CTX RK_UNUSED)

#define RK_HOOK_(kernel_name_, hook_, state_, self_)     \
    typedef state_ rk_##hook_##_state_of_##kernel_name_; \
    RK_FN void rk_##hook_##_##kernel_name_(RK_CTX RK_UNUSED, RK_GLOBAL state_ *self_ RK_UNUSED)
#define RK_ON_DRAIN(kernel_name_, state_, self_) RK_HOOK_(kernel_name_, drain, state_, self_)
#define RK_ON_TIMER(kernel_name_, state_, self_) RK_HOOK_(kernel_name_, timer, state_, self_)

typedef struct rk_refusal {
    rk_status status;
    rk_u32 type;
    rk_u32 target;
    rk_u32 length; /* of the payload, a large one included */
    rk_u64 id;
    RK_GLOBAL const void *payload;
} rk_refusal;
#define RK_ON_REFUSED(kernel_name_, state_, self_, refusal_)                                    \
    typedef state_ rk_refused_state_of_##kernel_name_;                                          \
    RK_FN rk_u32 rk_refused_##kernel_name_(RK_CTX RK_UNUSED, RK_GLOBAL state_ *self_ RK_UNUSED, \
                                           const rk_refusal *refusal_ RK_UNUSED)

/* The host's, and compiled here only so that every compiler reads it. */
#define RK_ON_MERGE(kernel_name_, state_, self_, other_, shards_)                                         \
    RK_FN RK_UNUSED void rk_merge_##kernel_name_(RK_GLOBAL state_ *self_, RK_GLOBAL const state_ *other_, \
                                                 const rk_merge *shards_ RK_UNUSED)

#define RK_PARAM(type_, name_, default_)  \
    RK_NUMBERED_(rk_param_number_##name_) \
    typedef type_ rk_param_type_##name_;
#define RK_PARAM_IN(type_, name_, default_, least_, most_) \
    RK_PARAM(type_, name_, default_) /* the host has seen to it */
#define RK_REASON(name_) RK_NUMBERED_(rk_reason_##name_)
#define RK_ROUTE(name_) RK_NUMBERED_(rk_route_##name_)

#endif

#define RK_PARAM_OF(name_) \
    (*(RK_GLOBAL const rk_param_type_##name_ *)(rk_ctx->parameters + rk_param_number_##name_))

#endif
