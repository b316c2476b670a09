/* Supervisors: look at the children, and restart those that failed and whom the strategy names, within the budget.
 *
 * A look is one function, whoever calls it: the supervisor's own thread, which sleeps until a kernel fails, or a
 * single-step program. Its lock is outermost; each restart takes the control lock for itself. Events are told
 * when all is done, without locks. */
#include "supervise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../runtime/futex.h"
#include "../runtime/replace.h"

#define RESTARTS_DEFAULT 3u
#define RESTARTS_MAX 64u
#define WINDOW_DEFAULT RK_SECONDS(5)
#define RESTART_DEFAULT RK_SECONDS(1)
#define LOOK_NS RK_MILLISECONDS(100) /* a failure rings; this is for restarts that were refused */
#define TEXT_MAX 512u

typedef struct child {
    rk_supervised given;
    rk_kernel now;
    rk_replacement *lost; /* it has ended, and nothing is in its place yet; 0: something is */
    rk_u32 stopped;       /* deactivated here, while others are restarted */
    rk_u32 owed;          /* it was to be restarted with others, and that was refused so far */
} child;

typedef struct told {
    rk_supervision_event event;
    char text[TEXT_MAX];
} told;

struct rk_supervisor {
    rk_runtime *runtime;
    rk_supervisor *next; /* of the runtime; list lock */
    rk_supervision_options options;
    pthread_mutex_t lock;
    child *children;
    rk_u32 count;
    rk_u64 restarted_ns[RESTARTS_MAX]; /* those in the window, oldest first */
    rk_supervisor_info info;
    told *told; /* of this look: room for two of each child, and one */
    rk_u32 told_count;
    pthread_t thread;
    rk_u32 runs, stop;
};

/* ------------------------------------------------------------------ events */

static void tell(rk_supervisor *s, rk_u32 kind, rk_u32 which, rk_status status, const char *text)
{
    if (s->told_count == 2 * s->count + 1) return;
    told *t = &s->told[s->told_count++];
    snprintf(t->text, sizeof t->text, "%s", text);
    t->event = (rk_supervision_event){ kind, which, s->children[which].now, status, s->info.in_window, 0 };
}

/* Hand the events of a look out; they are the caller's by now. */
static void deliver(const rk_supervisor *s, told *events, rk_u32 count)
{
    static const char *const kinds[] = { "", "restarted", "replaced", "not restarted", "escalated" };
    for (rk_u32 i = 0; i < count; i++) {
        rk_supervision_event *e = &events[i].event;
        char text[TEXT_MAX + 64];
        e->text = events[i].text;
        snprintf(text, sizeof text, "%s: %s", kinds[e->kind], e->text);
        rk_runtime_log(s->runtime, e->kind > RK_SUPERVISION_REPLACED ? RK_ERROR : RK_WARNING, "supervisor", 0,
                       text);
        if (s->options.on_event) s->options.on_event(s->options.event_user, e);
    }
    free(events);
}

/* ------------------------------------------------------------------ one child */

/* Why a child must be restarted, in `why`; 0: it need not. */
static int is_down(rk_supervisor *s, const child *c, char *why, size_t size)
{
    rk_host_kernel *k = 0;
    if (c->lost) {
        snprintf(why, size, "'%s' has ended, and nothing is in its place yet", c->lost->id);
        return 1;
    }
    pthread_mutex_lock(&s->runtime->control);
    int down = rk_kernel_check(s->runtime, c->now, &k) == RK_OK;
    rk_u32 life = down ? rk_atomic_u32(&k->life) : 0;
    if (life == RK_LIFE_FAILED)
        snprintf(why, size, "'%s' failed: %s", k->id, k->failure);
    else if (life == RK_LIFE_ACTIVE && rk_atomic_u32(&k->hung))
        snprintf(why, size, "'%s' hangs: a handler has been running for its limit", k->id);
    else if (c->owed && (life == RK_LIFE_ACTIVE || life == RK_LIFE_INACTIVE))
        snprintf(why, size, "'%s' was to be launched again with others, and has not been yet", k->id);
    else
        down = 0;
    pthread_mutex_unlock(&s->runtime->control);
    return down;
}

static rk_status replace(rk_supervisor *s, child *c, const rk_fresh_state *state)
{
    rk_kernel fresh;
    rk_status status = rk_replace_finish(s->runtime, c->lost, state, &fresh);
    if (status != RK_OK) return status;
    c->now = fresh;
    rk_replace_free(c->lost);
    c->lost = 0;
    return RK_OK;
}

/* Launch one again; control lock held. *kind: what was done. RK_NOT_ACTIVE: it is none that can be. */
static rk_status restart(rk_supervisor *s, child *c, rk_u32 *kind)
{
    rk_fresh_state fresh = { c->given.state == RK_STATE_RESTORE ? c->given.restore : 0,
                             c->given.restore_user };
    rk_host_kernel *k = 0;
    *kind = RK_SUPERVISION_REPLACED;
    if (c->lost) return replace(s, c, &fresh);
    rk_u32 life =
        rk_kernel_check(s->runtime, c->now, &k) == RK_OK ? rk_atomic_u32(&k->life) : RK_LIFE_TERMINATED;
    if (life == RK_LIFE_ACTIVE && rk_atomic_u32(&k->hung)) {
        const rk_backend *backend = s->runtime->backend;
        if (backend->is_costly && backend->is_costly(s->runtime, k))
            return rk_error(
                RK_TIMED_OUT,
                "'%s' can't be replaced before its handler returns: its slice has the device, which "
                "would be lost with it",
                k->id);
        c->lost = rk_replace_begin(k);
        return c->lost ? replace(s, c, &fresh)
                       : rk_error(RK_OUT_OF_MEMORY, "'%s': no memory to replace it", k->id);
    }
    *kind = RK_SUPERVISION_RESTARTED;
    if (life != RK_LIFE_FAILED && life != RK_LIFE_ACTIVE && life != RK_LIFE_INACTIVE &&
        life != RK_LIFE_LAUNCHED)
        return RK_NOT_ACTIVE;
    rk_launch_options options = k->options;
    return rk_kernel_relaunch(s->runtime, k, &options, s->options.restart_ns,
                              c->given.state == RK_STATE_KEEP ? 0 : &fresh);
}

static rk_status restart_and_tell(rk_supervisor *s, rk_u32 which, const char *why)
{
    rk_u32 kind;
    child *c = &s->children[which];
    pthread_mutex_lock(&s->runtime->control);
    rk_status status = restart(s, c, &kind);
    pthread_mutex_unlock(&s->runtime->control);
    if (status == RK_NOT_ACTIVE) return RK_OK;
    if (status == RK_OK) {
        s->info.restarted += kind == RK_SUPERVISION_RESTARTED;
        s->info.replaced += kind == RK_SUPERVISION_REPLACED;
        tell(s, kind, which, RK_OK, why);
    } else {
        char text[TEXT_MAX];
        snprintf(text, sizeof text, "%.100s; %.200s", why, rk_error_text());
        s->info.refused++;
        tell(s, RK_SUPERVISION_REFUSED, which, status, text);
    }
    return status;
}

/* Deactivate a child that is well, or activate one that was. RK_TIMED_OUT: a handler is still running. */
static rk_status stop(rk_supervisor *s, child *c)
{
    rk_host_kernel *k = 0;
    rk_status status = RK_NOT_ACTIVE;
    pthread_mutex_lock(&s->runtime->control);
    if (!c->lost && rk_kernel_check(s->runtime, c->now, &k) == RK_OK && !rk_atomic_u32(&k->hung))
        status = rk_kernel_deactivate(k);
    pthread_mutex_unlock(&s->runtime->control);
    c->stopped = status == RK_OK || (c->owed && c->stopped);
    return status;
}

static rk_status go_on(rk_supervisor *s, child *c)
{
    rk_host_kernel *k = 0;
    pthread_mutex_lock(&s->runtime->control);
    rk_status status = rk_kernel_check(s->runtime, c->now, &k);
    if (status == RK_OK) status = rk_kernel_activate(k);
    pthread_mutex_unlock(&s->runtime->control);
    c->stopped = 0;
    return status == RK_ALREADY_ACTIVE ? RK_OK : status;
}

/* ------------------------------------------------------------------ budget */

static void count_window(rk_supervisor *s)
{
    rk_u64 now = rk_runtime_now(s->runtime);
    rk_u32 over = 0;
    while (over < s->info.in_window && now - s->restarted_ns[over] >= s->options.window_ns) over++;
    s->info.in_window -= over;
    memmove(s->restarted_ns, s->restarted_ns + over, s->info.in_window * sizeof *s->restarted_ns);
}

/* One more restart. 0: the budget doesn't have it. */
static int spend(rk_supervisor *s)
{
    count_window(s);
    if (s->info.in_window == s->options.restarts) return 0;
    s->restarted_ns[s->info.in_window++] = rk_runtime_now(s->runtime);
    return 1;
}

static void escalate(rk_supervisor *s, rk_u32 which, const char *why)
{
    char text[TEXT_MAX];
    s->info.escalated = 1;
    for (rk_u32 i = s->count; i-- > 0;) stop(s, &s->children[i]);
    snprintf(text, sizeof text, "%.200s; that is more than %u restarts in %llu ms: all children are stopped",
             why, s->options.restarts, (unsigned long long)(s->options.window_ns / 1000000));
    tell(s, RK_SUPERVISION_ESCALATED, which, RK_LIMIT, text);
}

/* ------------------------------------------------------------------ a look */

/* Children from `first` to the last of `end`, of which `which` is down. The others stop before, the last first. One that
 * can't be launched again now stays as it is, stopped if it could be, until it can. */
static rk_status restart_several(rk_supervisor *s, rk_u32 first, rk_u32 end, rk_u32 which, const char *why)
{
    rk_status status = RK_OK;
    for (rk_u32 i = end; i-- > first;)
        if (i != which && stop(s, &s->children[i]) == RK_TIMED_OUT) s->children[i].owed = 1;
    for (rk_u32 i = first; i < end; i++) {
        child *c = &s->children[i];
        if (i != which && !c->stopped && !c->lost && !c->owed) {
            char other[TEXT_MAX];
            if (!is_down(s, c, other, sizeof other)) continue; /* it was at rest: let it rest */
        }
        rk_status one = restart_and_tell(s, i, why);
        c->owed = one != RK_OK && (i != which || c->owed);
        if (c->stopped && one == RK_OK) one = go_on(s, c);
        if (one != RK_OK) status = one;
    }
    return status;
}

static rk_status look(rk_supervisor *s)
{
    rk_status status = RK_OK;
    char why[TEXT_MAX];
    for (rk_u32 i = 0; i < s->count && !s->info.escalated; i++) {
        if (!is_down(s, &s->children[i], why, sizeof why)) continue;
        s->info.failures += !s->children[i].lost && !s->children[i].owed;
        if (!spend(s)) {
            escalate(s, i, why);
            break;
        }
        int alone = s->options.strategy == RK_ONE_FOR_ONE || s->children[i].owed; /* others have been */
        rk_u32 first = s->options.strategy == RK_ONE_FOR_ALL && !alone ? 0 : i;
        rk_u32 end = alone ? i + 1 : s->count;
        rk_status one = restart_several(s, first, end, i, why);
        if (one != RK_OK) status = one;
        i = end - 1;
    }
    return s->info.escalated ? RK_LIMIT : status;
}

static rk_status look_and_tell(rk_supervisor *s)
{
    pthread_mutex_lock(&s->lock);
    rk_status status = look(s);
    told *events = 0;
    rk_u32 count = s->told_count;
    if (count && (events = malloc(count * sizeof *events))) memcpy(events, s->told, count * sizeof *events);
    s->told_count = 0;
    pthread_mutex_unlock(&s->lock);
    if (events) deliver(s, events, count);
    return status;
}

static void *supervisor_main(void *argument)
{
    rk_supervisor *s = argument;
    rk_u32 *event = &s->runtime->failure_event;
    while (!rk_atomic_u32(&s->stop)) {
        rk_u32 seen = __atomic_load_n(event, __ATOMIC_SEQ_CST);
        look_and_tell(s);
        if (!rk_atomic_u32(&s->stop)) rk_futex_wait(event, seen, LOOK_NS);
    }
    return 0;
}

/* ------------------------------------------------------------------ begin and end */

static rk_status check_options(const rk_supervision_options *given, rk_supervision_options *o)
{
    *o = (rk_supervision_options){ RK_SUPERVISION_OPTIONS, .strategy = RK_ONE_FOR_ONE };
    rk_status status = given ? rk_check_size(given, sizeof *o, "supervision options") : RK_OK;
    if (status != RK_OK) return status;
    if (given) memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
    if (o->strategy > RK_REST_FOR_ONE)
        status = rk_error(RK_INVALID_OPTIONS,
                          "strategy %u is not one of RK_ONE_FOR_ONE, RK_ONE_FOR_ALL and RK_REST_FOR_ONE",
                          o->strategy);
    if (o->restarts > RESTARTS_MAX)
        status = rk_error(RK_INVALID_OPTIONS, "restarts %u is over %u", o->restarts, RESTARTS_MAX);
    if (o->none > 1 || (o->none && o->restarts))
        status = rk_error(RK_INVALID_OPTIONS, "none %u: 1 means no restart at all, so restarts %u must be 0",
                          o->none, o->restarts);
    if (!o->restarts && !o->none) o->restarts = RESTARTS_DEFAULT;
    if (!o->window_ns) o->window_ns = WINDOW_DEFAULT;
    if (!o->restart_ns) o->restart_ns = RESTART_DEFAULT;
    return status;
}

static rk_status check_child(rk_runtime *runtime, const rk_supervised *child)
{
    rk_host_kernel *k = 0;
    rk_status status = rk_kernel_check(runtime, child->kernel, &k);
    const char *id = k ? k->id : "the child";
    if (child->state > RK_STATE_RESTORE)
        status = rk_error_also(status, rk_error(RK_INVALID_OPTIONS, "'%s': state %u is not one of RK_STATE_*",
                                                id, child->state));
    if (child->supervised_)
        status = rk_error_also(
            status, rk_error(RK_INVALID_OPTIONS, "'%s': the gap of an rk_supervised is not zero", id));
    if (child->state == RK_STATE_RESTORE && !child->restore)
        status =
            rk_error_also(status, rk_error(RK_INVALID_ARGUMENT, "'%s': RK_STATE_RESTORE needs restore", id));
    if (k && child->state != RK_STATE_KEEP && k->class->attributes->state == RK_STATELESS)
        status =
            rk_error_also(status, rk_error(RK_UNSUPPORTED,
                                           "'%s' keeps no state that could be reset: use RK_STATE_KEEP", id));
    return status;
}

static rk_status check_children(rk_runtime *runtime, const rk_supervised *children, size_t count)
{
    rk_status status = RK_OK;
    for (size_t i = 0; i < count; i++) {
        rk_host_kernel *k = 0;
        size_t first = 0;
        status = rk_error_also(status, check_child(runtime, &children[i]));
        while (children[first].kernel.number != children[i].kernel.number) first++;
        if (first < i && children[first].kernel.generation == children[i].kernel.generation &&
            rk_kernel_check(runtime, children[i].kernel, &k) == RK_OK)
            status = rk_error_also(status, rk_error(RK_INVALID_ARGUMENT, "'%s' is given twice", k->id));
    }
    return status;
}

static void supervisor_free(rk_supervisor *s)
{
    for (rk_u32 i = 0; s->children && i < s->count; i++) rk_replace_free(s->children[i].lost);
    free(s->children);
    free(s->told);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void supervisor_end(rk_supervisor *s)
{
    rk_atomic_set_u32(&s->stop, 1);
    rk_event_raise(&s->runtime->failure_event);
    if (s->runs) pthread_join(s->thread, 0);
    supervisor_free(s);
}

rk_status rk_supervise(rk_runtime *runtime, const rk_supervision_options *given,
                       const rk_supervised *children, size_t count, rk_supervisor **supervisor)
{
    rk_supervision_options options;
    rk_status status = rk_runtime_check(runtime, "rk_supervise");
    if (status != RK_OK) return status;
    if (!supervisor || !children || !count || count > RK_KERNELS_MAX)
        return rk_error(RK_INVALID_ARGUMENT,
                        "rk_supervise: children or supervisor is null, or there are none");
    status = check_options(given, &options);
    pthread_mutex_lock(&runtime->control);
    status = rk_error_also(status, check_children(runtime, children, count));
    pthread_mutex_unlock(&runtime->control);
    if (status != RK_OK) return status;

    rk_supervisor *s = calloc(1, sizeof *s);
    if (!s) return rk_error(RK_OUT_OF_MEMORY, "no memory for a supervisor");
    pthread_mutex_init(&s->lock, 0);
    s->runtime = runtime;
    s->options = options;
    s->count = s->info.children = (rk_u32)count;
    s->children = calloc(count, sizeof *s->children);
    s->told = calloc(2 * count + 1, sizeof *s->told);
    for (size_t i = 0; s->children && i < count; i++)
        s->children[i] = (child){ .given = children[i], .now = children[i].kernel };
    int made = s->children && s->told;
    if (made && !runtime->options.single_step) {
        made = pthread_create(&s->thread, 0, supervisor_main, s) == 0;
        s->runs = made;
    }
    if (!made) {
        supervisor_free(s);
        return rk_error(RK_OUT_OF_MEMORY, "no memory for a supervisor of %zu kernels, or no thread", count);
    }
    pthread_mutex_lock(&runtime->list);
    s->next = runtime->supervisors;
    runtime->supervisors = s;
    pthread_mutex_unlock(&runtime->list);
    *supervisor = s;
    return RK_OK;
}

rk_status rk_unsupervise(rk_supervisor *s)
{
    rk_error_begin();
    if (!s) return RK_OK;
    pthread_mutex_lock(&s->runtime->list);
    for (rk_supervisor **link = &s->runtime->supervisors; *link; link = &(*link)->next)
        if (*link == s) {
            *link = s->next;
            break;
        }
    pthread_mutex_unlock(&s->runtime->list);
    supervisor_end(s);
    return RK_OK;
}

void rk_supervisors_close(rk_runtime *runtime)
{
    for (;;) {
        pthread_mutex_lock(&runtime->list);
        rk_supervisor *s = runtime->supervisors;
        if (s) runtime->supervisors = s->next;
        pthread_mutex_unlock(&runtime->list);
        if (!s) return;
        supervisor_end(s);
    }
}

/* ------------------------------------------------------------------ asking */

static rk_status check(const rk_supervisor *s, const void *out, const char *call)
{
    rk_error_begin();
    if (!s || !out) return rk_error(RK_INVALID_ARGUMENT, "%s: a pointer is null", call);
    return rk_runtime_check(s->runtime, call);
}

rk_status rk_supervisor_look(rk_supervisor *s)
{
    rk_status status = check(s, s, "rk_supervisor_look");
    return status == RK_OK ? look_and_tell(s) : status;
}

rk_status rk_supervised_kernel(rk_supervisor *s, size_t which, rk_kernel *kernel)
{
    rk_status status = check(s, kernel, "rk_supervised_kernel");
    if (status != RK_OK) return status;
    if (which >= s->count)
        return rk_error(RK_INVALID_ARGUMENT, "rk_supervised_kernel: there are %u children, and no %zu",
                        s->count, which);
    pthread_mutex_lock(&s->lock);
    *kernel = s->children[which].now;
    pthread_mutex_unlock(&s->lock);
    return RK_OK;
}

rk_status rk_supervisor_information(rk_supervisor *s, rk_supervisor_info *info)
{
    rk_status status = check(s, info, "rk_supervisor_information");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&s->lock);
    count_window(s);
    *info = s->info;
    pthread_mutex_unlock(&s->lock);
    return RK_OK;
}

rk_status rk_supervisor_resume(rk_supervisor *s)
{
    rk_status status = check(s, s, "rk_supervisor_resume");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&s->lock);
    s->info.escalated = s->info.in_window = 0;
    pthread_mutex_unlock(&s->lock);
    rk_event_raise(&s->runtime->failure_event);
    return RK_OK;
}
