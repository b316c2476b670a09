/* Taking a snapshot.
 *
 *     all kernels stop between batches → their gates close → neighbours stop → what lies in the arena is written
 *       down → everybody goes on
 *
 * as for a relaunch (runtime/relaunch.c), but for several kernels at once. */
#include <stdlib.h>
#include <string.h>

#include "../lane/incoming.h"
#include "../runtime/carry.h"
#include "../runtime/futex.h"
#include "../runtime/guard.h"
#include "../runtime/kernel.h"
#include "../runtime/lane_home.h"
#include "../runtime/pause.h"
#include "../runtime/report.h"
#include "../runtime/wiring.h"
#include "snapshot_form.h"

/* ------------------------------------------------------------------ writing */

typedef struct writer {
    rk_snapshot *to;
    rk_status status; /* the first that failed; nothing is written after it */
} writer;

/* The place of `size` bytes more, zeroed up to 8; 0: no memory. Valid until the next call. */
static void *put(writer *w, size_t size)
{
    rk_snapshot *s = w->to;
    size_t padded = rk_form_padded(size);
    if (w->status != RK_OK) return 0;
    if (s->room - s->size < padded) {
        size_t room = s->room + s->room / 2 + padded + 4096;
        void *bytes = realloc(s->bytes, room);
        if (!bytes) {
            w->status = rk_error(RK_OUT_OF_MEMORY, "no memory for a snapshot of %zu bytes", room);
            return 0;
        }
        s->bytes = bytes;
        s->room = room;
    }
    rk_byte *at = (rk_byte *)s->bytes + s->size;
    memset(at + size, 0, padded - size);
    s->size += padded;
    return at;
}

static void *put_zeroed(writer *w, size_t size)
{
    void *at = put(w, size);
    if (at) memset(at, 0, size);
    return at;
}

/* ------------------------------------------------------------------ lanes */

static void write_message(writer *w, const rk_host_kernel *k, const rk_byte *message, rk_u32 header_size)
{
    rk_form_message form = { .header.version = RK_WIRE_VERSION };
    memcpy(&form.header, message, header_size);
    const void *payload = message + header_size;
    form.length = form.header.base.length;
    if (form.header.base.flags & RK_FLAG_REFERENCE) {
        const rk_reference *reference = payload;
        payload =
            rk_pool_block(rk_pool_at(k->runtime, reference->pool), k->runtime->arena.base, reference->block);
        form.length = reference->length;
    }
    form.header.base.lap = 0;
    form.header.base.flags &= (rk_u8) ~(RK_FLAGS_OF_CONSUMER | RK_FLAG_REFERENCE);
    const rk_schema *schema = rk_form_schema(k->class, form.header.base.type);
    form.schema = schema ? schema->hash : 0;
    void *head = put(w, sizeof form);
    if (head) memcpy(head, &form, sizeof form);
    void *body = put(w, form.length);
    if (body) memcpy(body, payload, form.length);
}

static rk_u64 write_band(writer *w, const rk_host_kernel *k, const rk_ring *ring)
{
    rk_byte *arena = k->runtime->arena.base;
    rk_u64 first = rk_ring_oldest(ring);
    for (rk_u64 i = first; i != ring->tail && w->status == RK_OK; i++) {
        rk_image image;
        const rk_byte *message = rk_incoming(ring, arena, i, &image);
        if (message)
            write_message(w, k, message, ring->header_size);
        else
            w->status = rk_error(RK_BUSY, "'%s': a slot is reserved and not committed yet", k->id);
    }
    return ring->tail - first;
}

static void write_lane(writer *w, const rk_host_kernel *k, const rk_lane *lane)
{
    const rk_byte *arena = k->runtime->arena.base;
    rk_form_lane form = { 0 };
    memcpy(form.refused, lane->refused, sizeof form.refused);
    form.ids = lane->window_count - rk_window_first(lane);
    for (rk_u32 b = 0; b < lane->bands; b++) {
        const rk_ring *ring = (const rk_ring *)(const void *)(arena + lane->rings[b]);
        form.delivered += ring->delivered;
        form.expired += ring->expired;
        form.dead += ring->dead;
        form.evicted += ring->dropped_old + (rk_ring_oldest(ring) - ring->head);
        form.lost += ring->lost;
        form.withdrawn += ring->withdrawn;
    }
    size_t at = w->to->size;
    put(w, sizeof form);
    const rk_u64 *ids = (const rk_u64 *)(const void *)(arena + lane->window_ids);
    rk_u64 *to = put(w, form.ids * sizeof *ids);
    for (rk_u64 i = rk_window_first(lane); to && i < lane->window_count; i++) *to++ = ids[i % lane->window];
    for (rk_u32 b = lane->bands; b-- > 0;)
        form.messages += write_band(w, k, (const rk_ring *)(const void *)(arena + lane->rings[b]));
    if (w->status == RK_OK) memcpy((rk_byte *)w->to->bytes + at, &form, sizeof form);
}

/* ------------------------------------------------------------------ shards */

/* What all edges have brought to shard `s`, those of kernels that are gone with them. */
static rk_u64 routed_to(const rk_host_kernel *k, rk_u32 s)
{
    const rk_runtime *runtime = k->runtime;
    const rk_byte *arena = runtime->arena.base;
    rk_u64 sum = k->seats[s].gone_sent;
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_host_kernel *from = runtime->kernels[n];
        for (rk_u32 f = 0; f < from->seat_count; f++) {
            const rk_shard *shard = from->seats[f].shard;
            const rk_edge *edge = (const rk_edge *)(const void *)(arena + shard->edges);
            const rk_u64 *counts = (const rk_u64 *)(const void *)(arena + shard->edge_counts);
            for (rk_u32 e = 0; e < shard->edge_total; e++)
                if (edge[e].kernel_no == k->number && s < edge[e].shards) sum += counts[edge[e].counts + s];
        }
    }
    return sum;
}

static void write_shard(writer *w, const rk_host_kernel *k, rk_u32 s)
{
    const rk_shard *shard = k->seats[s].shard;
    rk_form_shard *form = put_zeroed(w, sizeof *form);
    if (!form) return;
    form->wake = shard->turn.wake_ns != 0;
    form->clock_hlc = shard->turn.clock_hlc;
    form->replies = shard->turn.replies;
    form->routed = routed_to(k, s);
    memcpy(form->counters, &shard->meter, sizeof form->counters);
    for (rk_u32 which = RK_LANE_HOST; which <= RK_LANE_OUT; which++)
        write_lane(w, k, rk_seat_lane(&k->seats[s], which));
}

/* ------------------------------------------------------------------ kernels */

static void describe(rk_host_kernel *k, rk_form_kernel *form)
{
    const rk_class *class = k->class;
    rk_snapshot_kernel *told = &form->told;
    memcpy(told->id, k->id, sizeof told->id);
    strncpy(told->kernel_name, class->name, sizeof told->kernel_name - 1);
    told->shards = k->seat_count;
    told->actors = k->options.actors;
    told->state = class->attributes->state;
    told->state_size = told->state == RK_STATELESS ? 0 : class->state_size;
    form->number = rk_kernel_source(k);
    form->stride = (rk_u32)rk_form_padded(told->state_size);
    form->state_count = told->state == RK_PER_ACTOR   ? told->actors
                        : told->state == RK_PER_SHARD ? told->shards
                                                      : 0;
    form->handled_count = class->handler_count;
    for (rk_u32 i = 0; i < class->handler_count; i++)
        form->handled[i] =
            (rk_form_type){ class->handlers[i]->message->hash, class->handlers[i]->message->type, 0 };
    pthread_mutex_lock(&k->letters);
    form->letter_total = k->letter_total;
    form->letters_lost = k->letters_lost + k->letter_count; /* those kept stay with this process */
    pthread_mutex_unlock(&k->letters);
    form->late_replies = k->late_replies;
    form->duplicate_replies = k->duplicate_replies;
}

static void write_states(writer *w, const rk_host_kernel *k, rk_u32 count, rk_u32 stride, rk_u32 size)
{
    const rk_byte *arena = k->runtime->arena.base;
    rk_byte *to = put(w, (size_t)count * stride);
    rk_u32 spread = k->class->attributes->state == RK_PER_ACTOR ? k->seat_count : count;
    for (rk_u32 i = 0; to && i < count; i++) {
        const rk_shard *shard = k->seats[i % spread].shard;
        memcpy(to, arena + shard->state + (rk_u64)(i / spread) * shard->state_size, size);
        memset(to + size, 0, stride - size);
        to += stride;
    }
}

static rk_status write_all(rk_host_kernel **kernels, rk_u32 count, rk_snapshot_note_fn note, void *user,
                           rk_snapshot *snapshot)
{
    writer w = { snapshot, RK_OK };
    snapshot->size = 0;
    rk_form_head head = { RK_SNAPSHOT_MAGIC, RK_SNAPSHOT_VERSION, RK_WIRE_VERSION, 0, 0, 0, count, 0 };
    head.taken_ns = rk_runtime_now(kernels[0]->runtime);
    put(&w, sizeof head);
    put_zeroed(&w, count * sizeof(rk_form_kernel));
    for (rk_u32 i = 0; i < count && w.status == RK_OK; i++) {
        rk_host_kernel *k = kernels[i];
        rk_form_kernel form = { .states = snapshot->size };
        describe(k, &form);
        w.status = rk_account_of(k->runtime, (rk_kernel){ k->number, k->generation }, &form.told.account);
        memcpy((rk_form_kernel *)((rk_form_head *)snapshot->bytes + 1) + i, &form, sizeof form);
        write_states(&w, k, form.state_count, form.stride, form.told.state_size);
    }
    head.queues = snapshot->size;
    void *at = note ? put(&w, RK_SNAPSHOT_NOTE_MAX) : 0;
    size_t noted = at ? note(user, at, RK_SNAPSHOT_NOTE_MAX) : 0;
    if (noted > RK_SNAPSHOT_NOTE_MAX)
        w.status = rk_error(RK_LIMIT, "the note has %zu bytes; it may have %u", noted, RK_SNAPSHOT_NOTE_MAX);
    head.note = (rk_u32)noted;
    snapshot->size = head.queues;
    void *kept = w.status == RK_OK ? put(&w, noted) : 0;
    (void)kept; /* it lies there already */
    for (rk_u32 i = 0; i < count; i++)
        for (rk_u32 s = 0; s < kernels[i]->seat_count && w.status == RK_OK; s++)
            write_shard(&w, kernels[i], s);
    head.size = snapshot->size;
    if (w.status == RK_OK) memcpy(snapshot->bytes, &head, sizeof head);
    return w.status;
}

/* ------------------------------------------------------------------ the cut */

static rk_status check_lives(rk_host_kernel **kernels, rk_u32 count)
{
    for (rk_u32 i = 0; i < count; i++) {
        rk_u32 life = rk_atomic_u32(&kernels[i]->life);
        if (life == RK_LIFE_FAILED)
            return rk_error(RK_FAILED, "'%s' has failed: %s", kernels[i]->id, kernels[i]->failure);
        if (life != RK_LIFE_LAUNCHED && life != RK_LIFE_ACTIVE && life != RK_LIFE_INACTIVE)
            return rk_error(RK_CLOSED, "'%s' is %s", kernels[i]->id, rk_life_name(life));
    }
    return RK_OK;
}

/* What a device has of it comes to the host; what its shards wanted to report has arrived. */
static rk_status bring(rk_host_kernel *k)
{
    rk_status status = rk_kernel_fetch(k);
    if (status == RK_OK) status = rk_kernel_fetch_wiring(k);
    if (status == RK_OK && k->far_lanes) status = rk_lane_home_fetch(k);
    if (status == RK_OK) rk_reports_collect(k);
    return status;
}

static rk_status take(rk_host_kernel **kernels, rk_u32 count, rk_u64 timeout_ns, rk_snapshot_note_fn note,
                      void *user, rk_snapshot *snapshot)
{
    rk_status status = check_lives(kernels, count);
    unsigned char *served = malloc(count);
    rk_circle *circles = calloc(count, sizeof *circles);
    rk_u32 stopped = 0;
    if (status == RK_OK && (!served || !circles))
        status = rk_error(RK_OUT_OF_MEMORY, "no memory for a list of kernels");
    rk_wait wait = rk_wait_begin(kernels[0]->runtime, timeout_ns);
    rk_u64 began_ns = rk_monotonic_ns();
    for (rk_u32 i = 0; i < count && status == RK_OK; i++) served[i] = (unsigned char)kernels[i]->serving;
    if (status == RK_OK) status = rk_stop_between_batches(kernels, count, &wait);
    if (status == RK_OK) {
        for (rk_u32 i = 0; i < count; i++) rk_gate_close(kernels[i]);
        while (stopped < count && status == RK_OK) {
            status = rk_circle_stop(kernels[stopped], &circles[stopped]);
            stopped += status == RK_OK;
        }
        for (rk_u32 i = 0; i < count && status == RK_OK; i++) status = bring(kernels[i]);
        if (status == RK_OK) status = check_lives(kernels, count); /* one may have failed on its way */
        if (status == RK_OK) status = write_all(kernels, count, note, user, snapshot);
        while (stopped > 0) rk_circle_serve(&circles[--stopped]);
        for (rk_u32 i = 0; i < count; i++) {
            rk_status resumed = served[i] ? rk_kernel_serve(kernels[i]) : RK_OK;
            if (status == RK_OK) status = resumed;
            rk_gate_open(kernels[i]);
        }
        for (rk_u32 i = 0; i < count; i++) {
            rk_event_raise(&kernels[i]->room_event);
            rk_event_raise(&kernels[i]->out_event);
        }
    }
    snapshot->pause_ns = rk_monotonic_ns() - began_ns;
    if (status != RK_OK) snapshot->size = 0;
    free(served);
    free(circles);
    return status;
}

rk_status rk_snapshot_take(rk_runtime *runtime, const rk_kernel *handles, size_t count, rk_u64 timeout_ns,
                           rk_snapshot_note_fn note, void *note_user, rk_snapshot *snapshot)
{
    rk_status status = rk_runtime_check(runtime, "rk_snapshot_take");
    if (status != RK_OK) return status;
    if (!handles || !snapshot || !count || count > RK_KERNELS_MAX)
        return rk_error(RK_INVALID_ARGUMENT,
                        "rk_snapshot_take: kernels or snapshot is null, or count is 0 or too large");
    rk_host_kernel **kernels = calloc(count, sizeof *kernels);
    if (!kernels) return rk_error(RK_OUT_OF_MEMORY, "no memory for a list of %zu kernels", count);
    pthread_mutex_lock(&runtime->control);
    for (size_t i = 0; i < count && status == RK_OK; i++) {
        status = rk_kernel_check(runtime, handles[i], &kernels[i]);
        for (size_t j = 0; j < i && status == RK_OK; j++)
            if (kernels[j] == kernels[i])
                status = rk_error(RK_INVALID_ARGUMENT, "'%s' is given twice", kernels[i]->id);
    }
    if (status == RK_OK) status = take(kernels, (rk_u32)count, timeout_ns, note, note_user, snapshot);
    pthread_mutex_unlock(&runtime->control);
    free(kernels);
    return status;
}

void rk_snapshot_free(rk_snapshot *snapshot)
{
    if (!snapshot) return;
    free(snapshot->bytes);
    *snapshot = (rk_snapshot)RK_SNAPSHOT_NONE;
}
