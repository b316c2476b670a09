/* A coordinator and its workers: jobs are assigned, done at least once, and their results count once.
 *
 *     #include <ringkernel/pattern/workers.h>
 *
 *     RK_HANDLER(coordinator, order, msg, rk_workers, self, .state = RK_PER_SHARD, .max_sends = 8)
 *     {
 *         if (rk_workers_submit(self, msg->job) != RK_OK) { … no room: refuse the order … }
 *         rk_wake_at(RK_ARG, rk_now_ns());
 *     }
 *     RK_HANDLER(coordinator, rk_worker_word, word, rk_workers, self, .state = RK_PER_SHARD, .max_sends = 8)
 *     {
 *         rk_u64 job;
 *         if (rk_workers_hear(self, word, rk_now_ns(), &job) == RK_OK && word->what == RK_WORKER_IS_DONE)
 *             … the result of `job` is word->value: this comes once for each job …
 *         rk_wake_at(RK_ARG, rk_now_ns());
 *     }
 *     RK_ON_TIMER(coordinator, rk_workers, self)
 *     {
 *         rk_assignment a;
 *         rk_u32 sent = 0;
 *         while (sent < 64u && rk_workers_next(self, rk_now_ns(), &a)) { … send a to worker a.worker; sent++; … }
 *         if (sent == 64u) rk_wake_at(RK_ARG, rk_now_ns());
 *         rk_workers_watch(RK_ARG, self);
 *     }
 *
 * and rk_workers_open before the first job. Each worker has a queue here, of which only the first few
 * (`window`) are with it. So a queue can be shortened without a word to its worker: whenever one is longer
 * than 1.5 times the mean, what isn't sent yet goes from the longest to the shortest. A worker that has
 * jobs and is silent for too long, or finishes none for too long, is lost: all that it had is assigned to
 * others. If it finishes something all the same, that counts, unless another was faster: a result counts
 * when the serial number of the job's place is still its own. Those numbers follow the clock, so a result
 * that was asked for before a restart that has reset the state isn't taken for one of now. A worker without jobs owes no heartbeat. */
#ifndef RINGKERNEL_PATTERN_WORKERS_H
#define RINGKERNEL_PATTERN_WORKERS_H

#include "../kernel.h"
#include "workers_message.h"

#if !defined(RK_WORKERS_MAX)
#define RK_WORKERS_MAX 32u /* workers; define it before */
#endif
#if !defined(RK_WORKERS_JOBS)
#define RK_WORKERS_JOBS 256u /* jobs that are not done yet; define it before. 32 bytes of state each */
#endif
#define RK_WORKERS_NOBODY RK_WORKERS_MAX /* whose queue is that of jobs without a worker */

#define RK_JOB_FREE 0u
#define RK_JOB_QUEUED 1u /* assigned, and still here */
#define RK_JOB_SENT 2u   /* with its worker */

typedef struct rk_job {
    rk_u64 job; /* what the user calls it */
    rk_u32 serial, state;
    rk_u32 worker, attempts;
    rk_u32 next; /* in its queue, or among the free, + 1; 0: the last */
    rk_u32 pad;
} rk_job;

typedef struct rk_worker {
    rk_u64 heard_ns, finished_ns; /* its last word, its last result; or since when it has jobs */
    rk_u32 registered;
    rk_u32 first, last;  /* of its queue, + 1; 0: empty */
    rk_u32 queued, sent; /* jobs in its queue here, and with it */
    rk_u32 pad;
} rk_worker;

/* A coordinator's state, or a part of it. All zero, and rk_workers_open. */
typedef struct rk_workers {
    rk_u64 silence_ns, stall_ns;
    rk_u64 submitted, completed;
    rk_u64 duplicate;  /* results of jobs that were done already */
    rk_u64 reassigned; /* jobs that a lost worker had */
    rk_u64 moved;      /* jobs that went to a shorter queue */
    rk_u32 window, live, serial;
    rk_u32 lost, lost_last; /* workers given up so far, and the last of them */
    rk_u32 free_first, fresh, turn;
    rk_worker worker[RK_WORKERS_MAX + 1u];
    rk_job job[RK_WORKERS_JOBS];
} rk_workers;

/* Up to `window` jobs are with a worker at a time. One that has any is lost after `silence_ns` without a
 * word, or `stall_ns` without a result; RK_NO_DEADLINE: never for that. RK_INVALID_ARGUMENT: one of them is
 * 0. */
RK_FN rk_status rk_workers_open(RK_GLOBAL rk_workers *w, rk_u32 window, rk_u64 silence_ns, rk_u64 stall_ns)
{
    if (window == 0 || silence_ns == 0 || stall_ns == 0) return RK_INVALID_ARGUMENT;
    w->window = window;
    w->silence_ns = silence_ns;
    w->stall_ns = stall_ns;
    return RK_OK;
}

RK_FN rk_u64 rk_workers_outstanding(RK_GLOBAL const rk_workers *w) { return w->submitted - w->completed; }

/* ------------------------------------------------------------------ queues */

RK_FN rk_u32 rk_workers_load(RK_GLOBAL const rk_workers *w, rk_u32 worker)
{
    return w->worker[worker].queued + w->worker[worker].sent;
}

RK_FN rk_u32 rk_workers_shortest(RK_GLOBAL const rk_workers *w)
{
    rk_u32 best = RK_WORKERS_NOBODY;
    for (rk_u32 i = 0; i < RK_WORKERS_MAX; i++)
        if (w->worker[i].registered &&
            (best == RK_WORKERS_NOBODY || rk_workers_load(w, i) < rk_workers_load(w, best)))
            best = i;
    return best;
}

RK_FN void rk_workers_enqueue(RK_GLOBAL rk_workers *w, rk_u32 worker, rk_u32 place)
{
    RK_GLOBAL rk_worker *to = &w->worker[worker];
    w->job[place].state = RK_JOB_QUEUED;
    w->job[place].worker = worker;
    w->job[place].next = 0;
    if (to->last)
        w->job[to->last - 1u].next = place + 1u;
    else
        to->first = place + 1u;
    to->last = place + 1u;
    to->queued++;
}

/* Take the first job out of a queue that isn't empty. */
RK_FN rk_u32 rk_workers_dequeue(RK_GLOBAL rk_workers *w, rk_u32 worker)
{
    RK_GLOBAL rk_worker *from = &w->worker[worker];
    rk_u32 place = from->first - 1u;
    from->first = w->job[place].next;
    if (!from->first) from->last = 0;
    from->queued--;
    return place;
}

/* Take a job out of its queue, wherever it stands. */
RK_FN void rk_workers_unlink(RK_GLOBAL rk_workers *w, rk_u32 place)
{
    RK_GLOBAL rk_worker *from = &w->worker[w->job[place].worker];
    rk_u32 before = 0;
    for (rk_u32 at = from->first; at != place + 1u; at = w->job[at - 1u].next) before = at;
    if (before)
        w->job[before - 1u].next = w->job[place].next;
    else
        from->first = w->job[place].next;
    if (from->last == place + 1u) from->last = before;
    from->queued--;
}

/* While a queue is longer than 1.5 times the mean, and it helps: one job to the shortest. */
RK_FN void rk_workers_balance(RK_GLOBAL rk_workers *w)
{
    for (rk_u32 moves = 0; w->live > 1u && moves < RK_WORKERS_JOBS; moves++) {
        rk_u32 to = rk_workers_shortest(w), from = to, all = 0;
        for (rk_u32 i = 0; i < RK_WORKERS_MAX; i++) {
            if (!w->worker[i].registered) continue;
            all += rk_workers_load(w, i);
            if (w->worker[i].queued && (from == to || rk_workers_load(w, i) > rk_workers_load(w, from)))
                from = i;
        }
        if (rk_workers_load(w, from) < rk_workers_load(w, to) + 2u) return;
        if (2u * rk_workers_load(w, from) * w->live <= 3u * all) return;
        rk_workers_enqueue(w, to, rk_workers_dequeue(w, from));
        w->moved++;
    }
}

/* A worker is gone: what it had goes to others. */
RK_FN void rk_workers_drop(RK_GLOBAL rk_workers *w, rk_u32 worker)
{
    RK_GLOBAL rk_worker *gone = &w->worker[worker];
    if (!gone->registered) return;
    gone->registered = 0;
    w->live--;
    while (gone->queued) {
        rk_workers_enqueue(w, rk_workers_shortest(w), rk_workers_dequeue(w, worker));
        w->reassigned++;
    }
    for (rk_u32 place = 0; place < w->fresh && gone->sent; place++) {
        if (w->job[place].state != RK_JOB_SENT || w->job[place].worker != worker) continue;
        rk_workers_enqueue(w, rk_workers_shortest(w), place);
        gone->sent--;
        w->reassigned++;
    }
}

/* ------------------------------------------------------------------ what a coordinator calls */

/* A new job. It is assigned to the shortest queue, or waits until somebody registers. RK_FULL:
 * RK_WORKERS_JOBS are not done yet. RK_NOT_ACTIVE: not opened. */
RK_FN rk_status rk_workers_submit(RK_GLOBAL rk_workers *w, rk_u64 job)
{
    rk_u32 place;
    if (w->window == 0) return RK_NOT_ACTIVE;
    if (w->free_first) {
        place = w->free_first - 1u;
        w->free_first = w->job[place].next;
    } else {
        if (w->fresh == RK_WORKERS_JOBS) return RK_FULL;
        place = w->fresh++;
    }
    w->job[place].job = job;
    w->job[place].serial = 0; /* until it is sent */
    w->job[place].attempts = 0;
    rk_workers_enqueue(w, rk_workers_shortest(w), place);
    w->submitted++;
    return RK_OK;
}

RK_FN void rk_workers_register(RK_GLOBAL rk_workers *w, rk_u32 worker)
{
    rk_workers_drop(w, worker); /* it has forgotten what it had */
    w->worker[worker].registered = 1;
    w->live++;
    while (w->worker[RK_WORKERS_NOBODY].queued)
        rk_workers_enqueue(w, rk_workers_shortest(w), rk_workers_dequeue(w, RK_WORKERS_NOBODY));
    rk_workers_balance(w);
}

/* A result: RK_OK the first time, and *job is whose. RK_DUPLICATE: it is there already. */
RK_FN rk_status rk_workers_finish(RK_GLOBAL rk_workers *w, rk_u32 place, rk_u32 serial, rk_u64 *job)
{
    if (place >= RK_WORKERS_JOBS || serial == 0) return RK_INVALID_ARGUMENT;
    RK_GLOBAL rk_job *j = &w->job[place];
    if (j->state == RK_JOB_FREE || j->serial != serial) {
        if ((w->serial - serial) >> 31) return RK_INVALID_ARGUMENT; /* numbers wrap */
        w->duplicate++;
        return RK_DUPLICATE;
    }
    if (j->state == RK_JOB_QUEUED)
        rk_workers_unlink(w, place);
    else
        w->worker[j->worker].sent--;
    *job = j->job;
    j->state = RK_JOB_FREE;
    j->next = w->free_first;
    w->free_first = place + 1u;
    w->completed++;
    rk_workers_balance(w);
    return RK_OK;
}

/* Take what a worker says. RK_OK; of a result only the first time, and then *job is whose it is.
 * RK_DUPLICATE: the result is there already. RK_NOT_ACTIVE: it isn't registered, or was lost: it is to
 * register (a result counts in any case, if it is the first). RK_INVALID_ARGUMENT: no such worker, word or
 * job. */
RK_FN rk_status rk_workers_hear(RK_GLOBAL rk_workers *w, RK_MSG const rk_worker_word *word, rk_u64 now_ns,
                                rk_u64 *job)
{
    if (word->worker >= RK_WORKERS_MAX) return RK_INVALID_ARGUMENT;
    RK_GLOBAL rk_worker *from = &w->worker[word->worker];
    from->heard_ns = now_ns;
    if (word->what == RK_WORKER_REGISTERS) {
        rk_workers_register(w, word->worker);
        return RK_OK;
    }
    if (word->what == RK_WORKER_IS_DONE) {
        rk_status status = rk_workers_finish(w, word->place, word->serial, job);
        if (status != RK_INVALID_ARGUMENT) from->finished_ns = now_ns;
        return status;
    }
    if (!from->registered) return RK_NOT_ACTIVE;
    if (word->what == RK_WORKER_IS_ALIVE) return RK_OK;
    if (word->what != RK_WORKER_LEAVES) return RK_INVALID_ARGUMENT;
    rk_workers_drop(w, word->worker);
    return RK_OK;
}

/* The next assignment that is to be sent now: 1. Call it until it is 0, or as often as there is room for
 * sends. */
RK_FN rk_u32 rk_workers_next(RK_GLOBAL rk_workers *w, rk_u64 now_ns, rk_assignment *a)
{
    for (rk_u32 i = 0; i < RK_WORKERS_MAX; i++) {
        rk_u32 number = (w->turn + i) % RK_WORKERS_MAX;
        RK_GLOBAL rk_worker *to = &w->worker[number];
        if (!to->registered || to->queued == 0 || to->sent >= w->window) continue;
        if (to->sent == 0) to->heard_ns = to->finished_ns = now_ns;
        rk_u32 place = rk_workers_dequeue(w, number);
        to->sent++;
        w->job[place].state = RK_JOB_SENT;
        w->job[place].attempts++;
        if (w->job[place].serial == 0) w->job[place].serial = w->serial = rk_number_after(w->serial, now_ns);
        w->turn = number + 1u;
        a->job = w->job[place].job;
        a->worker = number;
        a->place = place;
        a->serial = w->job[place].serial;
        a->attempt = w->job[place].attempts;
        return 1;
    }
    return 0;
}

/* Give up workers whose time is over. When to look again (the clock of now_ns); 0: nobody has a job whose
 * time is ever over. */
RK_FN rk_u64 rk_workers_expire(RK_GLOBAL rk_workers *w, rk_u64 now_ns)
{
    rk_u64 next_ns = 0;
    for (rk_u32 i = 0; i < RK_WORKERS_MAX; i++) {
        RK_GLOBAL rk_worker *at = &w->worker[i];
        if (!at->registered || at->sent == 0) continue;
        rk_u64 silent_ns = rk_time_after(at->heard_ns, w->silence_ns);
        rk_u64 stalled_ns = rk_time_after(at->finished_ns, w->stall_ns);
        rk_u64 end_ns = silent_ns < stalled_ns ? silent_ns : stalled_ns;
        if (end_ns == RK_NEVER) continue;
        if (end_ns <= now_ns) {
            rk_workers_drop(w, i);
            w->lost++;
            w->lost_last = i;
        } else if (next_ns == 0 || end_ns < next_ns) {
            next_ns = end_ns;
        }
    }
    return next_ns;
}

/* In the timer hook, after the assignments: give up who is lost, and ask for the hook at once to assign
 * what they had, or when the next one may be lost. It asks for nothing when no job is with a worker, so a
 * drain ends. */
RK_FN void rk_workers_watch(RK_CTX, RK_GLOBAL rk_workers *w)
{
    rk_u32 lost = w->lost;
    rk_u64 next_ns = rk_workers_expire(w, rk_now_ns());
    if (w->lost != lost) next_ns = rk_now_ns();
    if (next_ns) rk_wake_at(RK_ARG, next_ns);
}

/* ------------------------------------------------------------------ what a worker calls */

/* The word that an assignment is done. */
RK_FN rk_worker_word rk_worker_done(RK_MSG const rk_assignment *a, rk_u64 value)
{
    rk_worker_word word;
    word.value = value;
    word.what = RK_WORKER_IS_DONE;
    word.worker = a->worker;
    word.place = a->place;
    word.serial = a->serial;
    return word;
}

/* Any other word. */
RK_FN rk_worker_word rk_worker_says(rk_u32 worker, rk_u32 what)
{
    rk_worker_word word;
    word.value = 0;
    word.what = what;
    word.worker = worker;
    word.place = word.serial = 0;
    return word;
}

#endif
