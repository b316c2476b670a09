#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lane/incoming.h"
#include "dead_letters.h"
#include "futex.h"
#include "module.h"
#include "wake.h"

/* ------------------------------------------------------------------ pending requests */

/* A correlation is the place in the table and the generation of its use, so that a late or second reply finds
 * nobody. */
rk_pending *rk_pending_take(rk_runtime *runtime, rk_u32 owner_number, rk_u64 *correlation)
{
    rk_pending *p = 0;
    rk_u32 at = 0;
    pthread_mutex_lock(&runtime->pending_lock);
    for (rk_u32 i = 0; i < RK_REQUESTS_MAX && !p; i++) {
        at = runtime->pending_next++ % RK_REQUESTS_MAX;
        if (rk_atomic_u32(&runtime->pending[at].state) == RK_PENDING_FREE) p = &runtime->pending[at];
    }
    if (p) {
        rk_atomic_set_u32(&p->state, RK_PENDING_TAKEN);
        p->generation++;
        p->owner_number = owner_number;
        p->answered <<= 1;
        p->status = RK_OK;
        p->reason[0] = 0;
        *correlation = ((rk_u64)p->generation << 32) | (at + 1);
    }
    pthread_mutex_unlock(&runtime->pending_lock);
    return p;
}

void rk_pending_give(rk_runtime *runtime, rk_pending *pending)
{
    pthread_mutex_lock(&runtime->pending_lock);
    rk_atomic_set_u32(&pending->state, RK_PENDING_FREE);
    pthread_mutex_unlock(&runtime->pending_lock);
}

/* The one that waits for this correlation, now being filled by the caller; 0: nobody does (any more). */
static rk_pending *claim_pending(rk_runtime *runtime, rk_u64 correlation, rk_u32 *was_done)
{
    rk_u32 at = (rk_u32)correlation - 1, waits = RK_PENDING_WAITS;
    *was_done = 0;
    if (at >= RK_REQUESTS_MAX) return 0;
    rk_pending *p = &runtime->pending[at];
    pthread_mutex_lock(&runtime->pending_lock);
    rk_u32 age = p->generation - (rk_u32)(correlation >> 32);
    int mine = age == 0 && __atomic_compare_exchange_n(&p->state, &waits, RK_PENDING_FILLING, 0,
                                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    if (mine)
        p->answered |= 1;
    else
        *was_done = age < 32 && (p->answered >> age & 1);
    pthread_mutex_unlock(&runtime->pending_lock);
    return mine ? p : 0;
}

static void finish_pending(rk_pending *p, rk_status status, const char *reason)
{
    p->status = status;
    if (reason) snprintf(p->reason, sizeof p->reason, "%s", reason);
    rk_atomic_set_u32(&p->state, RK_PENDING_DONE);
    rk_futex_wake(&p->state);
}

void rk_requests_fail(rk_host_kernel *kernel)
{
    rk_runtime *runtime = kernel->runtime;
    for (rk_u32 i = 0; i < RK_REQUESTS_MAX; i++) {
        rk_pending *p = &runtime->pending[i];
        if (rk_atomic_u32(&p->state) != RK_PENDING_WAITS) continue;
        pthread_mutex_lock(&runtime->pending_lock); /* or it may be somebody else's by now, in part */
        rk_u64 correlation = ((rk_u64)p->generation << 32) | (i + 1);
        rk_u32 its = p->owner_number == kernel->number, done;
        pthread_mutex_unlock(&runtime->pending_lock);
        rk_pending *mine = its ? claim_pending(runtime, correlation, &done) : 0;
        if (mine) finish_pending(mine, RK_CLOSED, 0);
    }
}

/* ------------------------------------------------------------------ one report */

/* `body` may be a reference to the payload. */
static void keep_letter(rk_seat *seat, const rk_header_long *header, const rk_report *report,
                        const void *body, rk_u32 length)
{
    rk_host_kernel *kernel = seat->owner;
    rk_runtime *runtime = kernel->runtime;
    rk_dead_letter letter = {
        .kernel = { kernel->number, kernel->generation },
        .shard = seat->number,
        .type = header->base.type,
        .reason = rk_reason_name(kernel->class, report->reason),
        .when_ns = report->when_ns,
        .id = header->id,
        .correlation = header->correlation,
        .target = header->base.target,
        .priority = header->base.priority,
        .attempts = header->attempts,
        .was_sent = report->kind == RK_REPORT_UNSENT,
        .length = length,
        .payload = body,
    };
    if (header->base.flags & RK_FLAG_REFERENCE) {
        const rk_reference *reference = body;
        letter.payload =
            rk_pool_block(rk_pool_at(runtime, reference->pool), runtime->arena.base, reference->block);
        letter.length = (rk_u32)reference->length;
    }
    if (kernel->options.on_dead_letter)
        kernel->options.on_dead_letter(kernel->options.dead_letter_user, &letter);
    rk_letters_keep(kernel, &letter);
    if ((header->base.flags & RK_FLAG_REQUEST) &&
        header->base.source == 0) { /* the host's; kernels number theirs as they like */
        rk_u32 done;
        rk_pending *p = claim_pending(runtime, header->correlation, &done);
        if (p) finish_pending(p, RK_DEAD, letter.reason);
    }
}

static void take_letter(rk_seat *seat, const rk_header_long *header, const rk_report *report)
{
    rk_runtime *runtime = seat->owner->runtime;
    keep_letter(seat, header, report, report + 1, header->base.length - (rk_u32)sizeof *report);
    if (header->base.flags & RK_FLAG_REFERENCE) {
        const rk_reference *reference = (const rk_reference *)(const void *)(report + 1);
        rk_pool_give_back(rk_pool_at(runtime, reference->pool), runtime->arena.base, reference->block);
    }
}

static void take_reply(rk_seat *seat, const rk_header_long *header)
{
    rk_runtime *runtime = seat->owner->runtime;
    const rk_reference *reference = (const rk_reference *)(const void *)(header + 1);
    const void *payload = header + 1;
    size_t length = header->base.length;
    const rk_pool *pool = 0;
    if (header->base.flags & RK_FLAG_REFERENCE) {
        pool = rk_pool_at(runtime, reference->pool);
        payload = rk_pool_block(pool, runtime->arena.base, reference->block);
        length = reference->length;
    }
    rk_u32 done;
    rk_pending *p = claim_pending(runtime, header->correlation, &done);
    if (p) {
        rk_status status = header->base.type != p->reply_type ? RK_UNKNOWN_TYPE
                           : length > p->reply_size           ? RK_TOO_SMALL
                                                              : RK_OK;
        if (status == RK_OK) memcpy(p->reply, payload, length);
        finish_pending(p, status, 0);
    } else {
        __atomic_fetch_add(done ? &seat->owner->duplicate_replies : &seat->owner->late_replies, 1,
                           __ATOMIC_RELAXED);
    }
    if (pool) rk_pool_give_back(pool, runtime->arena.base, reference->block);
}

static void take_log(rk_seat *seat, const rk_report *report)
{
    const rk_log_line *line = (const rk_log_line *)(const void *)(report + 1);
    char text[RK_LOG_TEXT + 64];
    size_t used = 0;
    rk_u32 value = 0;
    for (const rk_u8 *at = line->text; *at && used + 24 < sizeof text; at++) {
        if (at[0] == '%' && at[1] == 'u' && value < line->values) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%llu",
                                     (unsigned long long)line->value[value++]);
            at++;
        } else {
            text[used++] = (char)*at;
        }
    }
    text[used] = 0;
    rk_log_record record = { line->level, seat->number, report->when_ns, seat->owner->id, text };
    if (seat->owner->runtime->options.on_log)
        seat->owner->runtime->options.on_log(seat->owner->runtime->options.log_user, &record);
    else if (line->level >= RK_WARNING)
        fprintf(stderr, "rk: %s/%u: %s\n", seat->owner->id, seat->number, text);
}

/* The handler of a request sent no reply, or refused it. */
static void take_no_reply(const rk_seat *seat, const rk_header_long *header, const rk_report *report)
{
    rk_u32 done;
    rk_pending *p =
        header->base.source == 0 ? claim_pending(seat->owner->runtime, header->correlation, &done) : 0;
    if (p) finish_pending(p, report->kind == RK_REPORT_NO_REPLY ? RK_NO_REPLY : RK_EXPIRED, 0);
}

static void take_report(rk_seat *seat, const rk_header_long *header)
{
    const rk_report *report = (const rk_report *)(const void *)(header + 1);
    if (header->base.flags & RK_FLAG_REPLY) {
        take_reply(seat, header);
        return;
    }
    switch (report->kind) {
    case RK_REPORT_DEAD:
    case RK_REPORT_UNSENT: take_letter(seat, header, report); break;
    case RK_REPORT_LOG: take_log(seat, report); break;
    case RK_REPORT_NO_REPLY:
    case RK_REPORT_FAILED_REPLY: take_no_reply(seat, header, report); break;
    default: break;
    }
}

static rk_u32 collect(rk_seat *seat)
{
    rk_runtime *runtime = seat->owner->runtime;
    rk_u32 taken = 0;
    rk_lane *lane = rk_seat_lane(seat, RK_LANE_REPORT);
    rk_ring *ring = rk_lane_ring(lane, runtime->arena.base, 0);
    rk_image image;
    for (;;) {
        const rk_byte *message;
        rk_u32 n = 0;
        for (; n < 64 && (message = rk_incoming(ring, runtime->arena.base, ring->head + n, &image)); n++)
            take_report(seat, (const rk_header_long *)(const void *)message);
        if (n == 0) break;
        ring->delivered += n;
        rk_ring_commit(ring, ring->head + n);
        taken += n;
    }
    if (taken && rk_wake_take(runtime, &ring->waiting)) runtime->backend->ring(seat); /* W1 */
    return taken;
}

rk_u32 rk_reports_try_collect(rk_seat *seat)
{
    if (pthread_mutex_trylock(&seat->report)) return 0;
    rk_u32 taken = collect(seat);
    pthread_mutex_unlock(&seat->report);
    return taken;
}

rk_u32 rk_reports_collect(rk_host_kernel *kernel)
{
    rk_u32 taken = 0;
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        pthread_mutex_lock(&kernel->seats[s].report);
        taken += collect(&kernel->seats[s]);
        pthread_mutex_unlock(&kernel->seats[s].report);
    }
    return taken;
}

static rk_u32 keep_unsent(rk_seat *seat, const rk_staged *entry, rk_status why)
{
    const rk_header_long *header = &entry->header;
    const rk_u32 told = (rk_u32)sizeof(rk_report);
    const rk_report report = { RK_REPORT_UNSENT, RK_REASON_STATUS + (rk_u32)why,
                               rk_runtime_now(seat->owner->runtime) };
    if (entry->route == RK_TO_NOWHERE) return 0;
    if (entry->route == RK_TO_REPORT) {
        if (entry->report.kind == RK_REPORT_DEAD)
            keep_letter(seat, header, &entry->report, entry + 1, header->base.length - told);
        else
            take_no_reply(seat, header, &entry->report);
        return 0;
    }
    keep_letter(seat, header, &report, entry + 1, header->base.length);
    seat->shard->meter.dead_sends++;
    return 1;
}

rk_u64 rk_reports_of_unsent(rk_host_kernel *kernel, rk_status why)
{
    rk_u64 unsent = 0;
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_seat *seat = &kernel->seats[s];
        const rk_shard *shard = seat->shard;
        const rk_turn *turn = &shard->turn;
        for (rk_u32 i = turn->published; turn->parked && turn->n == 0 && i < turn->staged; i++)
            unsent += keep_unsent(
                seat, rk_stage_entry(kernel->runtime->arena.base + shard->stage, shard->stage_stride, i),
                why);
    }
    return unsent;
}
