/* What the cases of supervision stand on: a supervisor whose events are kept, and a kernel that counts what enters it. */
#ifndef RINGKERNEL_TESTS_SUPERVISED_H
#define RINGKERNEL_TESTS_SUPERVISED_H

#include "probes.h"

#include "../kernels/pattern_supervision.rk.h"

#include <stdio.h>

#include "runtime/core.h"

#define EVENTS 64u
typedef struct events {
    contract *c;
    rk_u32 count; /* atomic */
    rk_u32 kind[EVENTS], child[EVENTS];
    rk_status status[EVENTS];
    char text[EVENTS][512];
} events;
static events seen;

static inline void note(void *user, const rk_supervision_event *e)
{
    events *all = user;
    rk_u32 at = all->count;
    if (at == EVENTS) return;
    all->kind[at] = e->kind;
    all->child[at] = e->child;
    all->status[at] = e->status;
    snprintf(all->text[at], sizeof all->text[at], "%s", e->text);
    __atomic_store_n(&all->count, at + 1, __ATOMIC_RELEASE);
}
static inline rk_u32 noted(void) { return __atomic_load_n(&seen.count, __ATOMIC_ACQUIRE); }

static inline rk_supervisor *supervise(contract *c, rk_supervision_options o, const rk_supervised *children,
                                       size_t count)
{
    rk_supervisor *s;
    seen = (events){ .c = c };
    o.size = sizeof o;
    o.on_event = note;
    o.event_user = &seen;
    assert_ok(rk_supervise(c->runtime, &o, children, count, &s));
    return s;
}

/* In a single-step runtime the case looks; elsewhere the supervisor does by itself. */
static inline int look(contract *c, rk_supervisor *s)
{
    if (c->variant->single_step) rk_supervisor_look(s);
    return 1;
}

static inline rk_supervisor_info info_of_supervisor(rk_supervisor *s)
{
    rk_supervisor_info i;
    assert_ok(rk_supervisor_information(s, &i));
    return i;
}

static inline void enter(contract *c, rk_kernel k, rk_u64 number)
{
    entry e = { number };
    assert_ok(rk_send(c->runtime, k, RK_BODY(e), 0));
    settle(c);
}

static inline entered next_entered(contract *c, rk_kernel k)
{
    entered e;
    settle(c);
    receive(c, k, &e);
    return e;
}

/* Its next batch is published, and not committed: the kernel fails. */
static inline void fail_with(contract *c, rk_kernel k, rk_u64 number)
{
    entry e = { number };
    wait_until(c, info_of(c, k).queued == 0); /* or a batch that is just being published would fail instead */
    assert_ok(rk_fail_before_commit(c->runtime, k));
    assert_ok(rk_send(c->runtime, k, RK_BODY(e), 0));
    if (c->variant->single_step) rk_step_all(c->runtime, 8);
}

static inline rk_status refuse(void *user, rk_u32 which, void *state, size_t size)
{
    rk_u32 *refusals = user;
    (void)which, (void)size;
    *(rk_u64 *)state = 55;
    return refusals[0] && refusals[0]-- ? RK_IO : RK_OK;
}

#endif
