/* Scatter–gather: one job goes in parts to many workers, and what comes back is combined, by a deadline at the latest.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/pattern/gather.h>
 *
 *     RK_GATHER(searches, 16)                               // up to 16 open jobs of up to 64 parts each
 *     typedef struct desk { searches open; rk_u64 found[16]; } desk;
 *
 *     RK_HANDLER(scatter, search, msg, desk, self, .state = RK_PER_SHARD, .max_sends = WORKERS)
 *     {
 *         rk_u32 job;
 *         if (rk_gather_open(RK_ARG, &self->open, WORKERS, TIMEOUT_NS, &job) != RK_OK) { rk_fail(RK_ARG, busy); return; }
 *         self->found[job] = 0;
 *         for (rk_u32 part = 0; part < WORKERS; part++) {
 *             search_part p = { rk_gather_tag(&self->open, job, part), … };
 *             send p to worker `part`;
 *         }
 *     }
 *     RK_HANDLER(scatter, search_result, msg, desk, self, .state = RK_PER_SHARD, .max_sends = WORKERS)
 *     {
 *         rk_u32 is = rk_gather_take(&self->open, msg->tag), job = rk_gather_job(msg->tag);
 *         if (is > RK_GATHER_LAST) return;                  // a duplicate, late or unknown: counted
 *         self->found[job] += msg->found;                   // as they come
 *         if (is == RK_GATHER_LAST) { send self->found[job]; rk_gather_close(&self->open, job); }
 *     }
 *     RK_ON_TIMER(scatter, desk, self)
 *     {
 *         rk_u32 job;
 *         while ((job = rk_gather_due(RK_ARG, &self->open)) != RK_GATHER_NONE) {
 *             send what there is, and rk_gather_missing(&self->open, job); rk_gather_close(&self->open, job);
 *         }
 *         rk_gather_wake(RK_ARG, &self->open);
 *     }
 *
 * The tag is all that a part and its result carry: a number of 64 bits, as a member of the messages, or as the
 * correlation of a request, which rk_reply returns of itself (request.h). It has the job's place in the table, the part,
 * and a number of that use, so what comes after its job was closed is known for late, whatever the place is used
 * for now. Numbers follow the clock, so that is also true after a restart that has reset the state.
 *
 * In the order of fragments: keep results by part, and after each that came take out what is next:
 *
 *     while ((part = rk_gather_next(&self->open, job)) != RK_GATHER_NONE) combine(self->result[job][part]);
 *
 * State of a shard; by one thread of the group. Zeros are a table without jobs. Opening a job and looking for what is due
 * go over the table once, everything else takes constant time. */
#ifndef RINGKERNEL_PATTERN_GATHER_H
#define RINGKERNEL_PATTERN_GATHER_H

#include "../device/handler.h"
#include "../device/timer.h"

#define RK_GATHER_NONE 0xffffffffu
#define RK_GATHER_PARTS_MAX 64u   /* of a job: what is missing is one word */
#define RK_GATHER_JOBS_MAX 65536u /* of a table: the tag has 16 bits for it */

/* What a result is to its job. From RK_GATHER_DUPLICATE on it must not be used. */
#define RK_GATHER_FIRST 0u     /* of its part; others are still missing */
#define RK_GATHER_LAST 1u      /* of its part, and nothing is missing any more: combine, and close the job */
#define RK_GATHER_DUPLICATE 2u /* its part is there, or was given up */
#define RK_GATHER_LATE 3u      /* its job was closed before */
#define RK_GATHER_UNKNOWN 4u   /* no such part was ever sent from here */

typedef struct rk_gather_job_state {
    rk_u64 missing;     /* bit p: part p has not come */
    rk_u64 lost;        /* those that were given up: missing, but not waited for */
    rk_u64 deadline_ns; /* RK_NEVER: none */
    rk_u32 number;      /* of its use: rk_number_after */
    rk_u16 parts;       /* 0: free */
    rk_u16 next;        /* in the order of fragments */
} rk_gather_job_state;

/* Counts are of this state, and are for reading. */
typedef struct rk_gather_table {
    rk_u32 open;                      /* jobs */
    rk_u32 refused;                   /* jobs that found no place */
    rk_u64 opened, complete, partial; /* jobs; how they were when they were closed */
    rk_u64 duplicate, late, unknown;  /* results that were not used */
} rk_gather_table;

RK_STATIC_ASSERT(sizeof(rk_gather_job_state) == 32, "job");
RK_STATIC_ASSERT(sizeof(rk_gather_table) == 56, "table of jobs");

/* Declare type `name`: up to `count` open jobs, 32 bytes each and 56 for the table. */
#define RK_GATHER(name, count)                                                                  \
    RK_STATIC_ASSERT((count) > 0 && (count) <= RK_GATHER_JOBS_MAX, #name ": 1 to 65,536 jobs"); \
    typedef struct name {                                                                       \
        rk_gather_table table;                                                                  \
        rk_gather_job_state job[count];                                                         \
    } name;

#define RK_GATHER_OF_(gather) &(gather)->table, (rk_u32)(sizeof(gather)->job / sizeof(gather)->job[0])

/* ------------------------------------------------------------------ jobs */

/* Open a job of parts 0 … parts - 1, which is due in `timeout_ns`: RK_NO_WAIT at once, RK_NO_DEADLINE never.
 * Its place in the table, 0 … count - 1, is written to *job.
 * RK_FULL: all places are taken; counted. Refuse what asked for it, or try again later.
 * RK_INVALID_ARGUMENT: parts is not 1 to 64.
 * RK_UNSUPPORTED: the job is to be due, and the kernel has no RK_ON_TIMER. */
#define rk_gather_open(arg, gather, parts, timeout_ns, job) \
    rk_gather_open_due(arg, RK_GATHER_OF_(gather), parts, timeout_ns, job)

/* What part `part` of a job and its result carry. Never 0. */
#define rk_gather_tag(gather, job_, part)                                                             \
    ((rk_u64)(gather)->job[job_].number << 32 | (rk_u64)((part) & (RK_GATHER_PARTS_MAX - 1u)) << 16 | \
     (rk_u64)(job_))

/* The job's place and the part that a tag has; only of one that rk_gather_take has found right. */
#define rk_gather_job(tag) ((rk_u32)((tag)&0xffffu))
#define rk_gather_part(tag) ((rk_u32)((tag) >> 16 & 0xffffu))

/* A result has come. What it is: RK_GATHER_*. Once for each, before it is used. */
#define rk_gather_take(gather, tag) rk_gather_settle(RK_GATHER_OF_(gather), tag, 0u)
/* A part that won't come, as its send was refused or its worker has failed: it stays missing, and is not waited for.
 * RK_GATHER_LAST: nothing else is waited for; combine what there is and close the job, or where that can't be done, in
 * RK_ON_REFUSED, ask for the timer hook: the job is due now. */
#define rk_gather_give_up(gather, tag) rk_gather_settle(RK_GATHER_OF_(gather), tag, 1u)

/* Bit p: part p of the open job is missing, whether it was given up or not. */
#define rk_gather_missing(gather, job_) ((gather)->job[job_].missing)

/* The next part in the order of fragments, if it has come; RK_GATHER_NONE: it hasn't, or all are taken out. A part that
 * was given up is passed over. */
#define rk_gather_next(gather, job_) rk_gather_take_out(&(gather)->job[job_])

/* A job whose deadline has come; RK_GATHER_NONE: no more of them. What it misses is given up, and it stays due until it
 * is closed. */
#define rk_gather_due(arg, gather) rk_gather_find_due(RK_GATHER_OF_(gather), rk_now_ns())

/* The place is free; what comes for the job is late from now on. Of an open job. */
#define rk_gather_close(gather, job_) rk_gather_end(&(gather)->table, &(gather)->job[job_])

/* At the end of the timer hook: ask for it again, for the job that is due next. */
#define rk_gather_wake(arg, gather) rk_gather_wake_next(arg, RK_GATHER_OF_(gather))

/* ------------------------------------------------------------------ how it works */

RK_FN rk_status rk_gather_begin(RK_GLOBAL rk_gather_table *table, rk_u32 count, rk_u32 parts, rk_u64 now_ns,
                                rk_u64 deadline_ns, rk_u32 *place)
{
    RK_GLOBAL rk_gather_job_state *jobs = (RK_GLOBAL rk_gather_job_state *)(table + 1);
    rk_u32 i = 0;
    if (parts == 0 || parts > RK_GATHER_PARTS_MAX) return RK_INVALID_ARGUMENT;
    while (i < count && jobs[i].parts) i++;
    if (i == count) {
        table->refused++;
        return RK_FULL;
    }
    RK_GLOBAL rk_gather_job_state *job = &jobs[i];
    job->missing = ~(rk_u64)0 >> (RK_GATHER_PARTS_MAX - parts);
    job->lost = 0;
    job->deadline_ns = deadline_ns;
    job->parts = (rk_u16)parts;
    job->next = 0;
    job->number = rk_number_after(job->number, now_ns);
    table->open++;
    table->opened++;
    *place = i;
    return RK_OK;
}

RK_FN rk_status rk_gather_open_due(RK_CTX, RK_GLOBAL rk_gather_table *table, rk_u32 count, rk_u32 parts,
                                   rk_u64 timeout_ns, rk_u32 *place)
{
    rk_u64 due = rk_due_in(RK_ARG, timeout_ns);
    if (due != RK_NEVER && !rk_ctx->shard->timer) return RK_UNSUPPORTED;
    rk_status status = rk_gather_begin(table, count, parts, rk_ctx->now_ns, due, place);
    if (status == RK_OK) (void)rk_wake_at(rk_ctx, due);
    return status;
}

RK_FN rk_u32 rk_gather_settle(RK_GLOBAL rk_gather_table *table, rk_u32 count, rk_u64 tag, rk_u32 lost)
{
    rk_u32 place = rk_gather_job(tag), part = rk_gather_part(tag), number = (rk_u32)(tag >> 32);
    RK_GLOBAL rk_gather_job_state *job = (RK_GLOBAL rk_gather_job_state *)(table + 1) + place;
    if (place >= count || number == 0 || (number - job->number - 1u) >> 31 == 0) { /* numbers wrap */
        table->unknown++;
        return RK_GATHER_UNKNOWN;
    }
    if (job->parts == 0 || number != job->number) {
        table->late++;
        return RK_GATHER_LATE;
    }
    if (part >= job->parts) {
        table->unknown++;
        return RK_GATHER_UNKNOWN;
    }
    rk_u64 bit = (rk_u64)1 << part;
    if (!(job->missing & ~job->lost & bit)) {
        table->duplicate++;
        return RK_GATHER_DUPLICATE;
    }
    if (lost)
        job->lost |= bit;
    else
        job->missing &= ~bit;
    if (job->missing != job->lost) return RK_GATHER_FIRST;
    job->deadline_ns = 0;
    return RK_GATHER_LAST;
}

RK_FN rk_u32 rk_gather_take_out(RK_GLOBAL rk_gather_job_state *job)
{
    while (job->next < job->parts && job->lost >> job->next & 1u) job->next++;
    if (job->next >= job->parts || (job->missing >> job->next & 1u)) return RK_GATHER_NONE;
    return job->next++;
}

RK_FN rk_u32 rk_gather_find_due(RK_GLOBAL rk_gather_table *table, rk_u32 count, rk_u64 now_ns)
{
    RK_GLOBAL rk_gather_job_state *job = (RK_GLOBAL rk_gather_job_state *)(table + 1);
    for (rk_u32 i = 0; i < count; i++) {
        if (!job[i].parts || job[i].deadline_ns == RK_NEVER || job[i].deadline_ns > now_ns) continue;
        job[i].lost = job[i].missing;
        return i;
    }
    return RK_GATHER_NONE;
}

RK_FN void rk_gather_end(RK_GLOBAL rk_gather_table *table, RK_GLOBAL rk_gather_job_state *job)
{
    if (job->missing)
        table->partial++;
    else
        table->complete++;
    job->parts = 0;
    table->open--;
}

/* RK_NEVER: no open job has a deadline. */
RK_FN rk_u64 rk_gather_next_due(RK_GLOBAL const rk_gather_table *table, rk_u32 count)
{
    RK_GLOBAL const rk_gather_job_state *job = (RK_GLOBAL const rk_gather_job_state *)(table + 1);
    rk_u64 next = RK_NEVER;
    for (rk_u32 i = 0; i < count; i++)
        if (job[i].parts && job[i].deadline_ns < next) next = job[i].deadline_ns;
    return next;
}

RK_FN void rk_gather_wake_next(RK_CTX, RK_GLOBAL const rk_gather_table *table, rk_u32 count)
{
    (void)rk_wake_at(rk_ctx, rk_gather_next_due(table, count));
}

#endif
