/* A pipeline is what its stages' options and a few calls of rk_connect make; here is what is checked before,
 * so that it keeps its order, and the row of handles. */
#include <ringkernel/device/publish.h>
#include <ringkernel/pipeline.h>
#include <ringkernel/text.h>

#include <stdlib.h>
#include <string.h>

#include "../runtime/core.h"
#include "../runtime/error.h"
#include "../runtime/replace.h"

/* Where the key of a message to the first stage lies. */
typedef struct key_place {
    rk_u32 type, offset, size;
} key_place;

struct rk_pipeline {
    rk_runtime *runtime;
    key_place keys[RK_HANDLES_MAX]; /* of the first stage, if it is sent to by key */
    rk_u32 key_count;
    rk_u32 first_actors;
    rk_u32 length;     /* stages */
    rk_u32 has_errors; /* kernel[length] is theirs */
    struct link {
        rk_kernel kernel;
        rk_u32 by_key;
        rk_u32 expired_to_dead;
    } link[]; /* length, and one for errors */
};

static rk_status check(const rk_pipeline *p, const char *call)
{
    if (!p) return rk_error(RK_INVALID_ARGUMENT, "%s: no pipeline", call);
    return rk_runtime_check(p->runtime, call);
}

static rk_u32 link_count(const rk_pipeline *p) { return p->length + p->has_errors; }

/* The kernel that is a stage now: the one that was launched, or that a supervisor has put in its place. */
static rk_kernel stage_kernel(const rk_pipeline *p, rk_u32 stage)
{
    rk_kernel launched = p->link[stage].kernel;
    return rk_is_open(p->runtime) ? rk_replacement_of(p->runtime, launched) : launched;
}

/* ------------------------------------------------------------------ opening */

static rk_launch_options options_of(const rk_pipeline_stage *stage)
{
    rk_launch_options o = rk_production();
    o.send_deadline_ns = RK_NO_DEADLINE;
    o.timestamps = 1; /* for the waiting times of its metrics */
    if (stage->options)
        memcpy(&o, stage->options, stage->options->size < sizeof o ? stage->options->size : sizeof o);
    o.size = sizeof o;
    if (stage->kernel) o.kernel_name = stage->kernel;
    return o;
}

/* What would break the order. */
static rk_status check_order(const rk_pipeline_stage *stage, const rk_launch_options *o,
                             const char *key_field)
{
    if (o->priority)
        return rk_error(
            RK_INVALID_ARGUMENT,
            "stage '%s' has priority bands, where urgent messages overtake others: a pipeline keeps "
            "its order, so launch it with priority = 0",
            stage->id);
    if (!key_field && (o->shards > 1 || o->actors))
        return rk_error(
            RK_INVALID_ARGUMENT,
            "stage '%s' has %u %s, which would overtake each other: give the pipeline a key_field, "
            "which keeps the order of each key%s",
            stage->id, o->actors ? o->actors : o->shards, o->actors ? "actors" : "shards",
            o->actors ? "" : ", or launch it with one shard");
    return RK_OK;
}

static rk_status launch_stage(rk_pipeline *p, rk_u32 number, const rk_pipeline_stage *stage,
                              const char *key_field)
{
    int is_errors = number == p->length;
    rk_status status = RK_OK;
    if (!stage->id) return rk_error(RK_INVALID_ARGUMENT, "stage %u has no id", number);
    if (stage->options) status = rk_check_size(stage->options, sizeof *stage->options, "launch options");
    if (status != RK_OK) return rk_error(status, "options of stage '%s'", stage->id);
    rk_launch_options o = options_of(stage);
    if (is_errors)
        o.requests = 1; /* for the headers that say why a letter is one */
    else
        status = check_order(stage, &o, key_field);
    if (status == RK_OK) status = rk_launch(p->runtime, stage->id, &o, &p->link[number].kernel);
    if (status != RK_OK) return status;
    p->link[number].by_key = !is_errors && (o.shards > 1 || o.actors);
    p->link[number].expired_to_dead = o.expired_to_dead;
    if (number == 0) p->first_actors = o.actors;
    return RK_OK;
}

/* The host sends to the first stage by the rules of routes. */
static rk_status find_keys(rk_pipeline *p, const char *key_field)
{
    rk_kernel_info info;
    rk_kernel_description d;
    rk_status status = rk_kernel_information(p->runtime, p->link[0].kernel, &info);
    if (status == RK_OK) status = rk_describe_named(p->runtime, info.kernel_name, &d);
    for (rk_u32 i = 0; status == RK_OK && i < d.handles_count; i++) {
        const rk_schema *schema = d.handles[i];
        const rk_field *field = rk_schema_field(schema, key_field);
        if (!field || field->count != 1 || field->kind >= RK_KIND_F32)
            return rk_error(RK_INVALID_ARGUMENT,
                            "message '%s' of stage '%s' has no integer member '%s' to send by", schema->name,
                            info.id, key_field);
        p->keys[p->key_count++] = (key_place){ schema->type, field->offset, field->size };
    }
    return status;
}

static rk_status connect_stage(rk_pipeline *p, rk_u32 number, const rk_pipeline_stage *stage,
                               const char *key_field)
{
    rk_route_options by_key = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_KEY, .key_field = key_field };
    rk_kernel from = p->link[number].kernel;
    rk_status status = RK_OK;
    if (number + 1u < p->length) {
        const struct link *next = &p->link[number + 1u];
        status = rk_connect(p->runtime, from, stage->route, next->kernel, next->by_key ? &by_key : 0);
    } else if (stage->route) {
        status = rk_error(RK_INVALID_ARGUMENT,
                          "it is the last one, whose route '%s' leads to no stage: connect it "
                          "yourself, or leave it out",
                          stage->route);
    }
    if (status == RK_OK && p->has_errors)
        status = rk_connect(p->runtime, from, RK_DEAD_LETTERS, p->link[p->length].kernel, 0);
    return status == RK_OK ? RK_OK : rk_error(status, "stage '%s' could not be connected", stage->id);
}

static rk_status build(rk_pipeline *p, const rk_pipeline_options *o, const rk_pipeline_stage *stages)
{
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < p->length && status == RK_OK; i++)
        status = launch_stage(p, i, &stages[i], o->key_field);
    if (status == RK_OK && p->has_errors) status = launch_stage(p, p->length, o->errors, 0);
    if (status == RK_OK && p->link[0].by_key) status = find_keys(p, o->key_field);
    for (rk_u32 i = 0; i < p->length && status == RK_OK; i++)
        status = connect_stage(p, i, &stages[i], o->key_field);
    return status;
}

/* End what was launched, and keep the text that says why it had to be. */
static rk_status undo(rk_pipeline *p, rk_status status)
{
    char *why = strdup(rk_error_text());
    for (rk_u32 i = 0; i < link_count(p); i++)
        if (p->link[i].kernel.number) rk_terminate(p->runtime, p->link[i].kernel, RK_NO_WAIT);
    rk_error_begin();
    if (why && *why) {
        why[strlen(why) - 1] = 0; /* its last line's end */
        rk_error(status, "%s", why);
    }
    free(why);
    free(p);
    return status;
}

rk_status rk_pipeline_open(rk_runtime *runtime, const rk_pipeline_options *given,
                           const rk_pipeline_stage *stages, size_t count, rk_pipeline **pipeline)
{
    rk_pipeline_options o = { RK_PIPELINE_OPTIONS };
    rk_status status = rk_runtime_check(runtime, "rk_pipeline_open");
    if (status == RK_OK && given) status = rk_check_size(given, sizeof o, "pipeline options");
    if (status != RK_OK) return status;
    if (given) memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    if (!pipeline || !stages || !count)
        return rk_error(RK_INVALID_ARGUMENT, "rk_pipeline_open: %s",
                        pipeline ? "a pipeline has at least one stage" : "no place for the pipeline");
    if (count > RK_KERNELS_MAX)
        return rk_error(RK_LIMIT, "%zu stages are more than the %u kernels of a runtime", count,
                        RK_KERNELS_MAX);
    if (o.options_) return rk_error(RK_INVALID_OPTIONS, "pipeline options: the gap is not zero");
    if (o.errors && o.errors->route)
        return rk_error(RK_INVALID_ARGUMENT,
                        "the kernel for errors leads to no stage, so its route must be 0");
    rk_pipeline *p = calloc(1, sizeof *p + (count + 1u) * sizeof p->link[0]);
    if (!p) return rk_error(RK_OUT_OF_MEMORY, "no memory for a pipeline of %zu stages", count);
    p->runtime = runtime;
    p->length = (rk_u32)count;
    p->has_errors = o.errors != 0;
    status = build(p, &o, stages);
    if (status != RK_OK) return undo(p, status);
    *pipeline = p;
    return RK_OK;
}

void rk_pipeline_close(rk_pipeline *pipeline) { free(pipeline); }

/* ------------------------------------------------------------------ messages */

/* By its key to the shard, or the actor, where a route between kernels would bring it. */
static rk_status aim(const rk_pipeline *p, rk_u16 type, const void *body, size_t size, rk_u32 *target)
{
    for (rk_u32 i = 0; i < p->key_count; i++) {
        const key_place *key = &p->keys[i];
        if (key->type != type) continue;
        if (!body || size < key->offset + key->size)
            return rk_error(RK_TOO_SMALL, "the message of %zu bytes ends before its key", body ? size : 0);
        *target = rk_key_target(rk_read_key(body, key->offset, key->size), p->first_actors);
        return RK_OK;
    }
    return rk_error(RK_UNKNOWN_TYPE,
                    "the first stage has no handler for type %u, so there is no key to send by", type);
}

rk_status rk_pipeline_send(rk_pipeline *p, rk_u16 type, const void *body, size_t size,
                           const rk_send_options *given)
{
    rk_send_options o = RK_SEND_DEFAULTS;
    rk_status status = check(p, "rk_pipeline_send");
    if (given) o = *given;
    if (status == RK_OK && p->key_count) status = aim(p, type, body, size, &o.target);
    return status == RK_OK ? rk_send(p->runtime, stage_kernel(p, 0), type, body, size, &o) : status;
}

rk_status rk_pipeline_receive(rk_pipeline *p, void *body, size_t size, rk_received *info, rk_u64 timeout_ns)
{
    rk_status status = check(p, "rk_pipeline_receive");
    if (status != RK_OK) return status;
    rk_u64 began = rk_monotonic_ns();
    for (;;) {
        rk_u64 took = rk_monotonic_ns() - began;
        rk_kernel last = stage_kernel(p, p->length - 1u), was;
        for (rk_u32 i = 0; rk_replaced_kernel(p->runtime, last, i, &was); i++) {
            status = rk_receive(p->runtime, was, body, size, info, RK_NO_WAIT); /* what it had sent before */
            if (status == RK_OK || status == RK_TOO_SMALL) return status;
        }
        status = rk_receive(p->runtime, last, body, size, info,
                            took < timeout_ns ? timeout_ns - took : RK_NO_WAIT);
        if (status == RK_OK || stage_kernel(p, p->length - 1u).number == last.number) return status;
    }
}

rk_status rk_pipeline_receive_error(rk_pipeline *p, void *body, size_t size, rk_dead_letter *letter,
                                    rk_u32 *stage)
{
    rk_status status = check(p, "rk_pipeline_receive_error");
    if (status != RK_OK) return status;
    if (!letter || !stage)
        return rk_error(RK_INVALID_ARGUMENT,
                        "rk_pipeline_receive_error: no place for the letter or the stage");
    status = RK_EMPTY;
    for (rk_u32 i = 0; i < link_count(p) && status == RK_EMPTY; i++) {
        rk_kernel now = stage_kernel(p, i), was;
        for (rk_u32 n = 0; status == RK_EMPTY && rk_replaced_kernel(p->runtime, now, n, &was); n++) {
            status = rk_receive_dead(p->runtime, was, body, size, letter, RK_NO_WAIT);
            if (status == RK_STALE) status = RK_EMPTY;
        }
        if (status == RK_EMPTY) status = rk_receive_dead(p->runtime, now, body, size, letter, RK_NO_WAIT);
        *stage = i;
    }
    return status;
}

/* ------------------------------------------------------------------ life */

rk_status rk_pipeline_activate(rk_pipeline *p)
{
    rk_status status = check(p, "rk_pipeline_activate");
    for (rk_u32 i = status == RK_OK ? link_count(p) : 0; i-- > 0 && status == RK_OK;) {
        status = rk_activate(p->runtime, stage_kernel(p, i));
        if (status == RK_ALREADY_ACTIVE) status = RK_OK;
    }
    return status;
}

rk_status rk_pipeline_drain(rk_pipeline *p, rk_u64 timeout_ns)
{
    rk_status status = check(p, "rk_pipeline_drain");
    if (status != RK_OK) return status;
    rk_kernel *all = malloc(link_count(p) * sizeof *all);
    if (!all) return rk_error(RK_OUT_OF_MEMORY, "no memory to drain %u stages", link_count(p));
    for (rk_u32 i = 0; i < link_count(p); i++) all[i] = stage_kernel(p, i);
    status = rk_drain(p->runtime, all, link_count(p), timeout_ns);
    free(all);
    return status;
}

rk_status rk_pipeline_terminate(rk_pipeline *p, rk_u64 timeout_ns)
{
    rk_status first = check(p, "rk_pipeline_terminate");
    if (first != RK_OK) return first;
    rk_u64 began = rk_monotonic_ns();
    for (rk_u32 i = 0; i < link_count(p); i++) {
        rk_u64 took = rk_monotonic_ns() - began;
        rk_status status =
            rk_terminate(p->runtime, stage_kernel(p, i), took < timeout_ns ? timeout_ns - took : RK_NO_WAIT);
        if (first == RK_OK) first = status;
    }
    return first;
}

/* ------------------------------------------------------------------ looking */

rk_u32 rk_pipeline_length(const rk_pipeline *p) { return p ? p->length : 0; }

rk_status rk_pipeline_kernel(const rk_pipeline *p, rk_u32 stage, rk_kernel *kernel)
{
    if (!p || !kernel)
        return rk_error(RK_INVALID_ARGUMENT, "rk_pipeline_kernel: no pipeline, or no place for the kernel");
    if (stage >= link_count(p))
        return rk_error(RK_INVALID_ARGUMENT, "the pipeline has stages 0 to %u, not %u", link_count(p) - 1u,
                        stage);
    *kernel = stage_kernel(p, stage);
    return RK_OK;
}

rk_u32 rk_pipeline_stage_of(const rk_pipeline *p, rk_u32 kernel_no)
{
    for (rk_u32 i = 0; p && i < link_count(p); i++)
        if (stage_kernel(p, i).number == kernel_no) return i;
    for (rk_u32 i = 0; p && i < link_count(p) && rk_is_open(p->runtime); i++) { /* or was one */
        rk_kernel was;
        for (rk_u32 n = 0; rk_replaced_kernel(p->runtime, stage_kernel(p, i), n, &was); n++)
            if (was.number == kernel_no) return i;
    }
    return RK_NO_STAGE;
}

/* What went aside to another kernel is among what was sent; what came to the host isn't. */
static rk_u64 sent_on(const rk_pipeline *p, rk_u32 stage, const rk_account *a, rk_u64 aside)
{
    rk_u64 letters =
        p->has_errors && stage < p->length && aside > a->dead_letters ? aside - a->dead_letters : 0;
    return a->sent > letters ? a->sent - letters : 0;
}

rk_status rk_pipeline_metrics(rk_pipeline *p, rk_u32 stage, rk_stage_metrics *given)
{
    rk_kernel kernel = { 0, 0 };
    rk_kernel_info info;
    rk_account a;
    rk_metrics m;
    rk_status status = check(p, "rk_pipeline_metrics");
    if (status == RK_OK && !given)
        return rk_error(RK_INVALID_ARGUMENT, "rk_pipeline_metrics: no place for them");
    if (status == RK_OK) status = rk_pipeline_kernel(p, stage, &kernel);
    if (status == RK_OK) status = rk_kernel_information(p->runtime, kernel, &info);
    if (status == RK_OK) status = rk_account_of(p->runtime, kernel, &a);
    if (status == RK_OK) status = rk_metrics_of(p->runtime, kernel, &m);
    if (status != RK_OK) return status;
    rk_u64 aside = a.dead + a.dead_sends + (p->link[stage].expired_to_dead ? a.expired : 0);
    *given = (rk_stage_metrics){
        .in = a.accepted,
        .handled = a.delivered,
        .refused = a.dead,
        .gone = a.evicted + a.expired + a.lost,
        .out = sent_on(p, stage, &a, aside),
        .aside = aside,
        .depth = a.queued,
        .capacity = (rk_u64)info.queue_capacity * info.shards,
        .parks = m.parks,
        .throughput = m.throughput,
        .queue_wait = m.queue_wait,
        .service = m.service,
    };
    memcpy(given->id, info.id, sizeof given->id);
    return RK_OK;
}
