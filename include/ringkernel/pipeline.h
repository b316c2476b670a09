/* Pipelines: kernels in a row, each of which sends to the next, with one way for what any of them refuses.
 *
 *     static const rk_pipeline_stage stages[] = { { "parse" }, { "price", .options = &four_shards }, { "book" } };
 *     static const rk_pipeline_stage undertaker = { "undertaker" };
 *     rk_pipeline_options o = { RK_PIPELINE_OPTIONS, .key_field = "account", .errors = &undertaker };
 *
 *     RK_CHECK(rk_pipeline_open(runtime, &o, stages, 3, &line));   // launched and connected
 *     RK_CHECK(rk_pipeline_activate(line));
 *     RK_CHECK(rk_pipeline_send(line, RK_BODY(order), 0));
 *     RK_CHECK(rk_pipeline_receive(line, &receipt, sizeof receipt, 0, RK_SECONDS(1)));
 *     RK_CHECK(rk_pipeline_drain(line, RK_SECONDS(10)));           // stage after stage
 *
 * Order. What one thread sends comes out in the order in which it was sent. A stage with several shards, or
 * with actors, can't keep that for everything, but for each key: with `key_field` all messages of one key
 * take the same way. Stages hand the member on as they got it. What would break the order is refused when the
 * pipeline is opened, with the reason: several shards or actors without a key, and priority bands. What comes
 * out of several shards is in order for each key. (rk_try_send in a handler overtakes what the same batch has
 * staged; use rk_send.)
 *
 * Backpressure. A stage that is slow parks the one before it, and so on up to whoever sends: under Block
 * rk_pipeline_send waits for its deadline. A stage without options of its own is rk_production() with
 * send_deadline_ns = RK_NO_DEADLINE, so it waits for the next one as long as that takes and nothing is lost,
 * and with timestamps = 1. Stages with options have what these say.
 *
 * Errors. What a stage refuses (rk_fail), or sends and the next doesn't take, is a letter (pattern/dead_letter.h):
 * the message whole, with who refused it and why. With `errors` the letters of all stages go to that kernel,
 * on the device; `rk_letter.kernel_no` is the stage, by rk_pipeline_stage_of. Without it, and when that
 * kernel has no room, they are the host's, by rk_pipeline_receive_error.
 *
 * The stages are kernels as any other: rk_pipeline_kernel gives their handles, for whatever is not here. They
 * are those that were launched, and after a stage that hung was replaced by a supervisor (supervise.h), the one
 * in its place: all calls go on with it. What the one before had sent to the host or refused is still received;
 * its queue is gone, and its own account says how much that was. Between its end and the replacement calls
 * answer RK_QUARANTINED or RK_CLOSED, as for any kernel that has ended.
 * Any thread may call these, also at the same time. */
#ifndef RINGKERNEL_PIPELINE_H
#define RINGKERNEL_PIPELINE_H

#include "telemetry.h"
#include "transfer.h"

RK_BEGIN_DECLS

typedef struct rk_pipeline rk_pipeline;

typedef struct rk_pipeline_stage {
    const char *id;                   /* of the launch, and in the table */
    const char *kernel;               /* which to run; 0: what the options say, or the one called `id` */
    const rk_launch_options *options; /* of the launch; 0: as above */
    const char *route;                /* that leads to the next stage; 0: the default one */
} rk_pipeline_stage;

typedef struct rk_pipeline_options {
    rk_u32 size;
    rk_u32 options_;
    const char *key_field; /* an integer member of what stages with several shards or actors get; 0: none */
    const rk_pipeline_stage
        *errors; /* gets the letters; its `requests` is set, its `route` must be 0; 0: the host */
} rk_pipeline_options;
#define RK_PIPELINE_OPTIONS .size = sizeof(rk_pipeline_options)

/* Launch the stages and connect them, in this order; none is active. Options 0: letters to the host, no key.
 * What is given is copied. Further routes of the stages may be connected before they are activated.
 *   RK_INVALID_ARGUMENT  null; no stages; a stage without an id; or what would break the order: the text
 *                        says which stage, why, and what to do
 *   others               as rk_launch and rk_connect, and the text says of which stage
 * After a failure nothing of it is left. */
RK_API rk_status rk_pipeline_open(rk_runtime *runtime, const rk_pipeline_options *options,
                                  const rk_pipeline_stage *stages, size_t count, rk_pipeline **pipeline);
/* Forget the pipeline, before the runtime is closed or after; its kernels stay as they are. 0 is fine. */
RK_API void rk_pipeline_close(rk_pipeline *pipeline);

/* Activate all, from the end to the source. Those that are active already stay so. As rk_activate. */
RK_API rk_status rk_pipeline_activate(rk_pipeline *pipeline);

/* Send to the first stage: by the key, if that has several shards or actors, else as the options' target
 * says. As rk_send, and RK_UNKNOWN_TYPE for a message whose key isn't known. */
RK_API rk_status rk_pipeline_send(rk_pipeline *pipeline, rk_u16 type, const void *body, size_t size,
                                  const rk_send_options *options);

/* Take one message that the last stage sent to the host. As rk_receive. */
RK_API rk_status rk_pipeline_receive(rk_pipeline *pipeline, void *body, size_t size, rk_received *info,
                                     rk_u64 timeout_ns);

/* Take one letter that came to the host, of the first stage that has one; never waits. *stage is the stage's
 * number from 0, or the count of stages for a letter of `errors` itself. The message is at `body` (room
 * `size`), and letter->payload points there; letter->reason says why.
 *   RK_EMPTY      there is none now
 *   RK_TOO_SMALL  it is larger than the room, letter->length says how large, and it stays
 *   RK_INVALID_ARGUMENT (null), RK_STALE, RK_NO_SUCH_KERNEL, RK_CLOSED (the runtime) */
RK_API rk_status rk_pipeline_receive_error(rk_pipeline *pipeline, void *body, size_t size,
                                           rk_dead_letter *letter, rk_u32 *stage);

/* Close the intake, and let everything pass through: each stage ends after the one before it, `errors` last.
 * As rk_drain of all of them: go on receiving from the last stage meanwhile, or it waits for room. */
RK_API rk_status rk_pipeline_drain(rk_pipeline *pipeline, rk_u64 timeout_ns);

/* End all kernels, from the source to the end, by `timeout_ns` together at the latest; what is still queued
 * then is counted lost. The first result that isn't RK_OK; all are ended anyhow. As rk_terminate. */
RK_API rk_status rk_pipeline_terminate(rk_pipeline *pipeline, rk_u64 timeout_ns);

/* The kernel that is stage `stage`, counted from 0; the count of stages stands for `errors`.
 *   RK_INVALID_ARGUMENT  there is no such stage, or null */
RK_API rk_status rk_pipeline_kernel(const rk_pipeline *pipeline, rk_u32 stage, rk_kernel *kernel);
RK_API rk_u32 rk_pipeline_length(const rk_pipeline *pipeline); /* stages, without `errors` */

/* The stage of a kernel's number, as a letter has it, also of one that was replaced; RK_NO_STAGE: it is none
 * of this pipeline. */
#define RK_NO_STAGE 0xffffffffu
RK_API rk_u32 rk_pipeline_stage_of(const rk_pipeline *pipeline, rk_u32 kernel_no);

/* One stage, since it was launched, or put in the place of one that hung: in = handled + refused + gone +
 * depth, but for what is on its way at this moment. */
typedef struct rk_stage_metrics {
    char id[64];
    rk_u64 in;      /* messages that it accepted */
    rk_u64 handled; /* of these, by a handler that didn't refuse them */
    rk_u64 refused; /* of these, by rk_fail: letters */
    rk_u64 gone;    /* of these, expired, evicted or lost */
    rk_u64 out;     /* what it sent, letters apart; while it works, off by those that are not counted yet */
    rk_u64 aside;   /* letters: what it refused, and what it sent and the next one didn't take */
    rk_u64 depth;   /* queued now */
    /* Of the queues of all its shards: the host's for the first stage, the kernels' for the others. */
    rk_u64 capacity;
    rk_u64 parks;      /* how often it waited for room where it sends to */
    double throughput; /* handled or refused, a second since it was activated */
    /* From the send to the handler, with `timestamps`; without, of one message in 64 from the host alone. */
    rk_quantiles queue_wait;
    rk_quantiles service; /* per message */
} rk_stage_metrics;

/* Of stage `stage`, or of `errors` for the count of stages. Plain loads, at any time.
 *   RK_INVALID_ARGUMENT (no such stage, null), RK_STALE, RK_NO_SUCH_KERNEL, RK_CLOSED (the runtime) */
RK_API rk_status rk_pipeline_metrics(rk_pipeline *pipeline, rk_u32 stage, rk_stage_metrics *metrics);

/* The same of all, as a table of text with a line for each stage and one of heads above. *length, unless 0,
 * is how many characters it has; it ends in a zero.
 *   RK_TOO_SMALL  it doesn't fit, and *length says how much does
 *   others        as rk_pipeline_metrics */
RK_API rk_status rk_pipeline_table(rk_pipeline *pipeline, char *text, size_t size, size_t *length);

RK_END_DECLS

#endif
