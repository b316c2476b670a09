/* A kernel module: the table that a compiled kernel source exports.
 *
 * A module imports nothing. It exports one versioned table, `rk_module_table`, which says for what library it
 * was built and lists what it declares: messages, handlers, parameters, reasons, routes. What doesn't match
 * is refused by name. A kernel source that is linked into a program registers the same table when the program
 * starts. */
#ifndef RINGKERNEL_MODULE_H
#define RINGKERNEL_MODULE_H

#include "api.h"
#include "device/handler.h"

#define RK_MODULE_MAGIC 0x31444f4d4b52ul /* "RKMOD1" */
#define RK_MODULE_ABI 5u

#define RK_DECLARES_MESSAGE 1u
#define RK_DECLARES_HANDLER 2u
#define RK_DECLARES_BATCH_HANDLER 3u
#define RK_DECLARES_SPMD 4u
#define RK_DECLARES_DRAIN 5u
#define RK_DECLARES_REFUSED 6u
#define RK_DECLARES_PARAMETER 7u
#define RK_DECLARES_REASON 8u
#define RK_DECLARES_ROUTE 9u
#define RK_DECLARES_TIMER 10u
#define RK_DECLARES_MERGE 11u

/* What became of a staged send, for the sender's RK_ON_REFUSED hook. */
typedef struct rk_refusal {
    rk_status
        status; /* RK_FULL, RK_DROPPED, RK_DUPLICATE, RK_TIMED_OUT, RK_CLOSED, RK_TOO_LARGE, RK_UNKNOWN_TYPE */
    rk_u32 type;
    rk_u32 target;
    rk_u32 length; /* of the payload, a large one included */
    rk_u64 id;
    const void *payload;
} rk_refusal;

typedef struct rk_declaration {
    rk_u32 kind;                     /* RK_DECLARES_* */
    rk_u32 number;                   /* of a parameter, reason or route: index into the launch's tables */
    const char *kernel_name;         /* of handlers and hooks */
    const char *name;                /* of parameters, reasons and routes */
    const rk_schema *message;        /* of messages and handlers; of SPMD kernels what they receive */
    const rk_schema *sends;          /* of SPMD kernels: what they send */
    const rk_attributes *attributes; /* of handlers */
    rk_u32 state_size;               /* bytes of one state */
    rk_u32 value_kind;               /* rk_kind of a parameter */
    const void *value;               /* a parameter's default, of that kind, */
    const void *least, *most;        /* and between what any value of it is; null: all that the kind has */
    const char *file;
    rk_u32 line;
    rk_u32 declaration_;
    /* Handlers: run over positions [i, end) of the view while they are of this type; returns the first that
     * isn't. */
    rk_u32 (*run)(rk_context *context, rk_view *view, rk_u32 i, rk_u32 end);
    /* Batch handlers, SPMD bodies, drain and timer hooks: one call on the context as it stands. */
    void (*call)(rk_context *context);
    rk_u32 (*refused)(rk_context *context, const rk_refusal *refusal);
    void (*merge)(void *self, const void *other, const rk_merge *shards);
    struct rk_declaration *next;
} rk_declaration;

typedef struct rk_module {
    rk_u64 magic;
    rk_u32 abi;
    rk_u32 wire;         /* RK_WIRE_VERSION */
    rk_u32 shard_size;   /* sizeof(rk_shard): layouts that both sides compiled */
    rk_u32 context_size; /* sizeof(rk_context) */
    const char *file;
    rk_declaration *declarations; /* latest first */
    struct rk_module *next;       /* of linked modules; the library's */
} rk_module;

RK_BEGIN_DECLS
/* Make a module that is linked into the program known. Called by the constructors that kernel.h defines,
 * before main. */
RK_API void rk_link_module(rk_module *module);
RK_END_DECLS

#endif
