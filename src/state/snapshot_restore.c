/* Restoring a snapshot into kernels that were just launched.
 *
 * The stream is walked twice by the same code: first everything is looked at and counted, and nothing changes; then,
 * when all of it fits, it is put in. */
#include <stdlib.h>
#include <string.h>

#include "../runtime/carry.h"
#include "../runtime/guard.h"
#include "../runtime/kernel.h"
#include "../runtime/wiring.h"
#include "snapshot_form.h"

/* A kernel to be restored: its record, and what the first walk has counted. */
typedef struct restored {
    rk_host_kernel *kernel;
    const rk_form_kernel *form;
    rk_u32 *queued[RK_SNAPSHOT_LANES];             /* for each shard */
    rk_u32 *large;                                 /* messages over 1 KiB towards the host, for each shard */
    const rk_form_lane **lanes[RK_SNAPSHOT_LANES]; /* of each shard then; ids follow them */
    rk_u32 large_in;                               /* in the inbox */
} restored;

typedef struct restoring {
    restored *all;
    rk_u32 count;
    const rk_form_head *head;
    rk_u64 now_ns;
    rk_u32 apply; /* 0: the walk only looks */
} restoring;

static rk_status corrupt(const restored *r)
{
    return rk_error(RK_CORRUPT, "the snapshot of '%s' is cut or impossible", r->form->told.id);
}

/* ------------------------------------------------------------------ do they fit each other? */

static rk_status check_handled(const restored *r)
{
    const rk_class *class = r->kernel->class;
    for (rk_u32 i = 0; i < r->form->handled_count; i++) {
        const rk_form_type *was = &r->form->handled[i];
        const rk_schema *now = 0;
        for (rk_u32 h = 0; h < class->handler_count; h++)
            if (class->handlers[h]->message->type == was->type) now = class->handlers[h]->message;
        if (!now)
            return rk_error(RK_INCOMPATIBLE, "'%s' handled message type %u then and doesn't now",
                            r->kernel->id, was->type);
        if (now->hash != was->hash)
            return rk_error(
                RK_INCOMPATIBLE, "'%s': message '%s' has changed since: schema %016llx then, %016llx now",
                r->kernel->id, now->name, (unsigned long long)was->hash, (unsigned long long)now->hash);
    }
    return RK_OK;
}

static rk_status check_kernel(const restored *r)
{
    const rk_host_kernel *k = r->kernel;
    const rk_snapshot_kernel *told = &r->form->told;
    const rk_attributes *a = k->class->attributes;
    rk_u32 size = a->state == RK_STATELESS ? 0 : k->class->state_size;
    if (strcmp(told->kernel_name, k->class->name) != 0)
        return rk_error(RK_INCOMPATIBLE, "'%s' ran kernel '%s' then and runs '%s' now", k->id,
                        told->kernel_name, k->class->name);
    if (told->state != a->state || told->state_size != size)
        return rk_error(RK_INCOMPATIBLE,
                        "'%s' kept a state of %u bytes then and %u now, or shares it otherwise", k->id,
                        told->state_size, size);
    if (a->state == RK_PER_SHARD && told->shards != k->seat_count)
        return rk_error(RK_UNSUPPORTED,
                        "'%s' keeps state per shard: %u shards then, %u now; launch it with %u", k->id,
                        told->shards, k->seat_count, told->shards);
    if (a->state == RK_PER_ACTOR && told->actors > k->options.actors)
        return rk_error(RK_UNSUPPORTED, "'%s' had %u actors then and has %u now; launch it with %u", k->id,
                        told->actors, k->options.actors, told->actors);
    rk_account now;
    if (rk_atomic_u32(&k->life) != RK_LIFE_LAUNCHED ||
        rk_account_of(k->runtime, (rk_kernel){ k->number, k->generation }, &now) != RK_OK || now.accepted ||
        now.output_accepted)
        return rk_error(RK_BUSY, "'%s' is in use: it is %s, or has got messages; launch it anew", k->id,
                        rk_life_name(rk_atomic_u32(&k->life)));
    return check_handled(r);
}

static const char *lane_name(rk_u32 which)
{
    return which == RK_LANE_OUT ? "lane to the host" : "lane of the inbox";
}

/* What the first walk has counted, against the room that there is. */
static rk_status check_room(const restored *r)
{
    const rk_layout *l = &r->kernel->layout;
    rk_u32 large = r->large_in;
    for (rk_u32 s = 0; s < r->kernel->seat_count; s++) {
        for (rk_u32 which = 0; which < RK_SNAPSHOT_LANES; which++)
            if (r->queued[which][s] > l->lane[which].capacity)
                return rk_error(
                    RK_LIMIT,
                    "'%s': %u messages were queued in a %s, and its capacity is %u: launch it with more",
                    r->kernel->id, r->queued[which][s], lane_name(which), l->lane[which].capacity);
        if (r->large[s] > large) large = r->large[s];
    }
    if (large > l->pool_blocks)
        return rk_error(
            RK_LIMIT, "'%s': %u messages over 1 KiB were queued, and there are %u blocks: raise pool_blocks",
            r->kernel->id, large, l->pool_blocks);
    return RK_OK;
}

/* ------------------------------------------------------------------ messages */

/* A time of then on this clock, which may have begun anew: what was before its beginning is at its beginning. */
static rk_u64 moved(const restoring *all, rk_u64 then_ns)
{
    const rk_u64 taken_ns = all->head->taken_ns, now_ns = all->now_ns;
    if (then_ns >= taken_ns) return now_ns + (then_ns - taken_ns);
    return now_ns > taken_ns - then_ns ? now_ns - (taken_ns - then_ns) : 1;
}

/* The header as it is in this process: kernels by what they are as sources here, times on this clock. What waited for an
 * answer elsewhere doesn't any more, and its correlation is none. */
static void translate(const restoring *all, rk_u32 which, rk_header_long *h)
{
    if (h->sent_ns) h->sent_ns = moved(all, h->sent_ns);
    if (which == RK_LANE_OUT) return;
    rk_u32 source = 0;
    for (rk_u32 i = 0; i < all->count; i++)
        if (h->base.source && all->all[i].form->number == h->base.source)
            source = rk_kernel_source(all->all[i].kernel);
    rk_header_source(&h->base, source);
    if (!source) h->correlation = 0;
}

static rk_status put_message(const restoring *all, const restored *r, rk_u32 which, rk_u32 s,
                             const rk_form_message *form, const void *body)
{
    const rk_host_kernel *k = r->kernel;
    rk_byte *arena = k->runtime->arena.base;
    rk_header_long header = form->header;
    rk_u64 payload[(RK_INLINE_MAX + 8) / 8] = { 0 };
    translate(all, which, &header);
    if (form->length > RK_INLINE_MAX) {
        rk_u64 at = which == RK_LANE_OUT ? k->seats[s].shard->pool : k->layout.host_pool;
        rk_pool *pool = (rk_pool *)(arena + at);
        rk_reference reference = { pool->number, rk_pool_take(pool, arena), form->length };
        if (reference.block == RK_POOL_NONE)
            return rk_error(RK_INTERNAL, "'%s': a pool has fewer blocks than it said", k->id);
        memcpy(rk_pool_block(pool, arena, reference.block), body, form->length);
        memcpy(payload, &reference, sizeof reference);
        header.base.length = sizeof reference;
        header.base.flags |= RK_FLAG_REFERENCE;
    } else {
        memcpy(payload, body, form->length);
        header.base.length = (rk_u16)form->length;
    }
    rk_carry_message(rk_seat_lane(&k->seats[s], which), arena, &header, payload);
    return RK_OK;
}

static rk_status check_message(const restored *r, rk_u32 which, const rk_form_message *form)
{
    const rk_host_kernel *k = r->kernel;
    rk_u64 block = which == RK_LANE_OUT ? k->layout.out_block : k->layout.in_block;
    if (form->header.base.flags & (RK_FLAG_HOLE | RK_FLAG_REPAIRED)) return form->length ? corrupt(r) : RK_OK;
    const rk_schema *schema = rk_form_schema(k->class, form->header.base.type);
    if ((schema ? schema->hash : 0) != form->schema)
        return rk_error(RK_INCOMPATIBLE,
                        "'%s': message type %u (%s), of which some are queued, has changed since", k->id,
                        form->header.base.type, schema ? schema->name : "not declared now");
    if (schema && form->length > schema->size) return corrupt(r);
    if (form->length > RK_INLINE_MAX ? form->length > block : form->length > k->layout.lane[which].slot_size)
        return rk_error(RK_INCOMPATIBLE, "'%s': a message of %llu bytes is queued, more than any it has now",
                        k->id, (unsigned long long)form->length);
    return RK_OK;
}

static rk_status walk_message(const restoring *all, restored *r, rk_u32 which, rk_u32 was, rk_reader *reader)
{
    const rk_host_kernel *k = r->kernel;
    const rk_form_message *form = rk_reader_take(reader, sizeof *form);
    const void *body = form ? rk_reader_take(reader, form->length) : 0;
    if (!body) return corrupt(r);
    rk_u32 anew = which != RK_LANE_OUT && r->form->told.shards != k->seat_count;
    rk_u32 s = (anew ? form->header.base.target : was) % k->seat_count;
    if (all->apply) {
        if (which == RK_LANE_DEVICE && !(form->header.base.flags & RK_FLAG_REPLY)) {
            k->seats[was % k->seat_count].gone_sent--; /* which its old shard's `routed` has */
            k->seats[s].gone_sent++;
        }
        return put_message(all, r, which, s, form, body);
    }
    r->queued[which][s]++;
    if (form->length > RK_INLINE_MAX) *(which == RK_LANE_OUT ? &r->large[s] : &r->large_in) += 1;
    return check_message(r, which, form);
}

/* ------------------------------------------------------------------ lanes and shards */

/* The ring begins as much earlier as has passed through it. */
static void put_counts(const restored *r, rk_lane *lane, const rk_form_lane *form)
{
    rk_ring *ring = rk_lane_ring(lane, r->kernel->runtime->arena.base, 0);
    ring->delivered += form->delivered;
    ring->expired += form->expired;
    ring->dead += form->dead;
    ring->dropped_old += form->evicted;
    ring->lost += form->lost;
    ring->withdrawn += form->withdrawn;
    ring->start -=
        form->delivered + form->expired + form->dead + form->evicted + form->lost + form->withdrawn;
    for (rk_u32 i = 0; i < RK_REFUSED_KINDS; i++) lane->refused[i] += form->refused[i];
}

static rk_status walk_lane(const restoring *all, restored *r, rk_u32 which, rk_u32 was, rk_reader *reader)
{
    rk_lane *lane = rk_seat_lane(&r->kernel->seats[was % r->kernel->seat_count], which);
    const rk_form_lane *form = rk_reader_take(reader, sizeof *form);
    if (!form || form->ids > reader->left / 8 || form->messages > reader->left / sizeof(rk_form_message))
        return corrupt(r);
    if (!rk_reader_take(reader, form->ids * 8)) return corrupt(r);
    r->lanes[which][was] = form;
    if (all->apply) put_counts(r, lane, form);
    rk_status status = RK_OK;
    for (rk_u64 i = 0; i < form->messages && status == RK_OK; i++)
        status = walk_message(all, r, which, was, reader);
    return status;
}

/* The ids that lanes remembered, the oldest of each first. An id doesn't say where it would go if it came again, so
 * with another number of shards each of them gets to know it. */
static void put_windows(const restored *r, rk_u32 which)
{
    const rk_host_kernel *k = r->kernel;
    rk_u32 shards = r->form->told.shards;
    rk_u64 longest = 0;
    for (rk_u32 s = 0; s < shards; s++)
        if (r->lanes[which][s]->ids > longest) longest = r->lanes[which][s]->ids;
    for (rk_u64 age = longest; age > 0; age--)
        for (rk_u32 s = 0; s < shards; s++) {
            const rk_form_lane *from = r->lanes[which][s];
            const rk_u64 *ids = (const rk_u64 *)(const void *)(from + 1);
            if (from->ids < age) continue;
            for (rk_u32 f = 0; f < k->seat_count; f++)
                if (shards != k->seat_count || f == s)
                    rk_carry_id(rk_seat_lane(&k->seats[f], which), k->runtime->arena.base,
                                ids[from->ids - age]);
        }
}

static void put_shard(const restoring *all, const restored *r, rk_u32 was, const rk_form_shard *form)
{
    rk_seat *seat = &r->kernel->seats[was % r->kernel->seat_count];
    rk_meter counters = { 0 };
    memcpy(&counters, form->counters, sizeof form->counters);
    if (counters.last_ns) counters.last_ns = moved(all, counters.last_ns);
    rk_carry_counters(&seat->shard->meter, &counters);
    rk_turn *turn = &seat->shard->turn;
    if (form->wake && seat->shard->timer)
        rk_seat_wake_at(seat, 1); /* the hook looks what is due, and asks again */
    const rk_u64 clock_hlc = form->clock_hlc ? moved(all, form->clock_hlc) : 0;
    if (clock_hlc > turn->clock_hlc) turn->clock_hlc = clock_hlc;
    turn->replies += form->replies;
    seat->gone_sent += form->routed;
}

static rk_status walk_kernel(const restoring *all, restored *r, rk_reader *reader)
{
    rk_status status = RK_OK;
    for (rk_u32 s = 0; s < r->form->told.shards && status == RK_OK; s++) {
        const rk_form_shard *form = rk_reader_take(reader, sizeof *form);
        if (!form) return corrupt(r);
        if (all->apply) put_shard(all, r, s, form);
        for (rk_u32 which = RK_LANE_HOST; which <= RK_LANE_OUT && status == RK_OK; which++)
            status = walk_lane(all, r, which, s, reader);
    }
    return status;
}

static void put_states(const restoring *all, const restored *r)
{
    const rk_host_kernel *k = r->kernel;
    const rk_byte *from = (const rk_byte *)all->head + r->form->states;
    rk_u32 spread = r->form->told.state == RK_PER_ACTOR ? k->seat_count : r->form->state_count;
    for (rk_u32 i = 0; i < r->form->state_count; i++, from += r->form->stride) {
        const rk_shard *shard = k->seats[i % spread].shard;
        memcpy(k->runtime->arena.base + shard->state + (rk_u64)(i / spread) * shard->state_size, from,
               r->form->told.state_size);
    }
}

static void put_letters(const restored *r)
{
    rk_host_kernel *k = r->kernel;
    pthread_mutex_lock(&k->letters);
    k->letter_total += r->form->letter_total;
    k->letters_lost += r->form->letters_lost;
    pthread_mutex_unlock(&k->letters);
    k->late_replies += r->form->late_replies;
    k->duplicate_replies += r->form->duplicate_replies;
}

/* ------------------------------------------------------------------ the whole */

/* All queues of all kernels, looked at or put in. */
static rk_status walk(restoring *all, rk_u32 apply)
{
    rk_reader reader = { (const rk_byte *)all->head + all->head->queues,
                         all->head->size - all->head->queues };
    rk_status status = RK_OK;
    all->apply = apply;
    rk_reader_take(&reader, all->head->note);
    for (rk_u32 i = 0; i < all->count && status == RK_OK; i++)
        status = walk_kernel(all, &all->all[i], &reader);
    if (status == RK_OK && reader.left) status = corrupt(&all->all[all->count - 1]);
    return status;
}

/* Everything goes in. The wiring has what came by routes until now; then the device gets all of it. */
static rk_status put_all(restoring *all, rk_circle *circles)
{
    rk_status status = walk(all, 1);
    for (rk_u32 i = 0; i < all->count && status == RK_OK; i++) {
        put_states(all, &all->all[i]);
        for (rk_u32 which = RK_LANE_HOST; which <= RK_LANE_OUT; which++) put_windows(&all->all[i], which);
        put_letters(&all->all[i]);
        status = rk_circle_wire(&circles[i]);
        if (status == RK_OK) status = rk_kernel_store_later(all->all[i].kernel);
    }
    return status;
}

static rk_status restore(restoring *all)
{
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < all->count && status == RK_OK; i++) status = check_kernel(&all->all[i]);
    if (status == RK_OK) status = walk(all, 0);
    for (rk_u32 i = 0; i < all->count && status == RK_OK; i++) status = check_room(&all->all[i]);
    if (status != RK_OK) return status;
    rk_circle *circles = calloc(all->count, sizeof *circles);
    if (!circles) return rk_error(RK_OUT_OF_MEMORY, "no memory to restore %u kernels", all->count);
    rk_u32 stopped = 0;
    while (stopped < all->count && status == RK_OK) {
        status = rk_circle_stop(all->all[stopped].kernel, &circles[stopped]);
        stopped += status == RK_OK;
    }
    if (status == RK_OK) status = put_all(all, circles);
    while (stopped > 0) rk_circle_serve(&circles[--stopped]);
    free(circles);
    return status;
}

/* Nobody sends meanwhile, and the service thread doesn't look at lanes and counts that are being written. */
static rk_status restore_behind_gates(restoring *all)
{
    for (rk_u32 i = 0; i < all->count; i++) rk_gate_close(all->all[i].kernel);
    rk_status status = restore(all);
    for (rk_u32 i = 0; i < all->count; i++) rk_gate_open(all->all[i].kernel);
    return status;
}

/* Each kernel of the snapshot is one of those given, and each of those is in it. */
static rk_status pair(rk_runtime *runtime, const rk_kernel *handles, size_t count,
                      const rk_form_kernel *forms, restoring *all)
{
    if (count != all->count)
        return rk_error(RK_INCOMPATIBLE, "the snapshot has %u kernels, and %zu are given", all->count, count);
    for (size_t i = 0; i < count; i++) {
        rk_host_kernel *k = 0;
        rk_status status = rk_kernel_check(runtime, handles[i], &k);
        if (status != RK_OK) return status;
        rk_u32 at = 0;
        while (at < all->count && strcmp(forms[at].told.id, k->id) != 0) at++;
        if (at == all->count) return rk_error(RK_INCOMPATIBLE, "the snapshot has no kernel '%s'", k->id);
        restored *r = &all->all[at];
        if (r->kernel) return rk_error(RK_INVALID_ARGUMENT, "'%s' is given twice", k->id);
        r->kernel = k;
        r->form = &forms[at];
        r->large = calloc(k->seat_count + 1u, sizeof(rk_u32));
        int made = r->large != 0;
        for (rk_u32 which = 0; which < RK_SNAPSHOT_LANES; which++) {
            r->queued[which] = calloc(k->seat_count + 1u, sizeof(rk_u32));
            r->lanes[which] = calloc(r->form->told.shards, sizeof *r->lanes[which]);
            made = made && r->queued[which] && r->lanes[which];
        }
        if (!made) return rk_error(RK_OUT_OF_MEMORY, "no memory to restore '%s'", k->id);
    }
    return RK_OK;
}

rk_status rk_snapshot_restore(rk_runtime *runtime, const rk_kernel *handles, size_t count, const void *bytes,
                              size_t size)
{
    const rk_form_kernel *forms;
    restoring all = { 0 };
    rk_status status = rk_runtime_check(runtime, "rk_snapshot_restore");
    if (status != RK_OK) return status;
    if (!handles || !bytes || !count)
        return rk_error(RK_INVALID_ARGUMENT, "rk_snapshot_restore: kernels or bytes is null, or count is 0");
    status = rk_form_open(bytes, size, &all.head, &forms);
    if (status != RK_OK) return status;
    all.count = all.head->kernels;
    all.all = calloc(all.count, sizeof *all.all);
    if (!all.all) return rk_error(RK_OUT_OF_MEMORY, "no memory to restore %u kernels", all.count);
    pthread_mutex_lock(&runtime->control);
    all.now_ns = rk_runtime_now(runtime);
    status = pair(runtime, handles, count, forms, &all);
    if (status == RK_OK) status = restore_behind_gates(&all);
    pthread_mutex_unlock(&runtime->control);
    for (rk_u32 i = 0; i < all.count; i++) {
        for (rk_u32 which = 0; which < RK_SNAPSHOT_LANES; which++) {
            free(all.all[i].queued[which]);
            free(all.all[i].lanes[which]);
        }
        free(all.all[i].large);
    }
    free(all.all);
    return status;
}
