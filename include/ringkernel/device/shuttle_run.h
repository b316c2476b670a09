/* A run of the shuttle: the warps of a block take the slots of one lane, each for itself.
 *
 * The slots are dealt out in ranges of 32, in turn to all warps, so nobody has to ask whose the next one is. Two
 * turnstiles keep the order:
 *
 *     look │ found │ acquire, handle, number, ask for room, release │ passed: claim, give back │ write, count
 *
 * A warp takes what it has found once all slots before are found: what is missing there comes first. It claims slots for
 * what its messages send once all before have theirs. In between, and behind it, the warps are under way at once, and none
 * waits for another's look, fence or write.
 *
 * What has to be looked at over the bus meanwhile is the scout's (shuttle_scout.h).
 *
 * A run ends when nobody may find more; those under way finish their turns. Only where a turn can't be finished here (a
 * failure, something that isn't plain, no room for long) nobody passes behind it: messages from there on have been
 * handled, and their copies and sends lie where the general visit looks for them. */
#ifndef RINGKERNEL_DEVICE_SHUTTLE_RUN_H
#define RINGKERNEL_DEVICE_SHUTTLE_RUN_H

#include "shuttle_scout.h"

#if defined(RK_LANG_CUDA)

#define RK_RUN_PATIENCE 8u /* looks that bring one message or none, before the first warp goes on alone */
#define RK_RUN_MISSES \
    4u /* looks of a warp that bring nothing, of which one has a look at the host's lane and orders beside it, without a scout */
#define RK_RUN_TALLY 8u             /* turns of a warp that are counted at once */
#define RK_RUN_SHARE 2048u          /* slots of the host's, before kernels that send have a turn */
#define RK_RUN_LONGEST (128u << 10) /* slots, until the general visit looks at everything */

/* Before a run, by one thread. `patience`: looks that bring nothing until it ends. */
RK_FN void rk_run_open(rk_express *x, rk_u32 patience, rk_u64 now_ns)
{
    rk_turnstile *t = &x->turnstile;
    t->found = t->passed = t->ends = t->halted = t->out = t->written = t->pressed = 0;
    t->reach = 32u;
    t->quiet = RK_RUN_PATIENCE - patience;
    t->asked = 0;
    t->began_ns = now_ns;
}

/* How far ahead looks are worth it, once n messages were found; `rest` of the range are still to come. What warps tell each
 * other here is a guess, in no order. */
RK_FN void rk_run_guess(rk_turnstile *t, rk_u32 n, rk_u32 rest, rk_u32 widest)
{
    if (threadIdx.x % 32u) return;
    const rk_u32 reach = t->reach;
    t->quiet = n == 1u ? t->quiet + 1u : 0u;
    if (t->quiet >= RK_RUN_PATIENCE) rk_turnstile_end(t, RK_RUN_QUIET);
    if (!rest && reach < 32u * widest)
        t->reach = 2u * reach;
    else if (rest && n < 8u && reach > 32u)
        t->reach = reach / 2u;
}

/* Nothing was found where the next message comes. */
RK_FN void rk_run_miss(rk_turnstile *t)
{
    if (threadIdx.x % 32u) return;
    t->reach = 32u;
    if (++t->quiet >= RK_RUN_PATIENCE) rk_turnstile_end(t, RK_RUN_QUIET);
}

/* Until a range is so near that it is worth a look: 1, and how far messages had been found, as each lane has seen it, so that
 * the warp knows later whether its look was ahead of them. Until the run ends: 0. */
RK_FN rk_u32 rk_run_near(const rk_turnstile *t, rk_u32 range, rk_u32 *found)
{
    for (;;) {
        const rk_u32 ends = rk_port_seen(&t->ends);
        *found = rk_port_seen(&t->found);
        if (__any_sync(RK_ALL_LANES, ends || range < *found + rk_port_seen(&t->reach)))
            return !__any_sync(RK_ALL_LANES, ends);
    }
}

/* A turn that can't be finished here: nobody passes behind it. */
RK_FN void rk_run_halt(rk_turnstile *t, rk_u32 out)
{
    rk_turnstile_end(t, RK_RUN_HALTED);
    if (threadIdx.x % 32u == 0) t->out = out;
    rk_turnstile_pass(&t->halted, 1);
}

/* n slots that end at `head` go back, since all that their messages sent is out. In this warp's turn, by lane 0. */
RK_FN void rk_run_give(const rk_way *in, rk_u64 head, rk_u32 n)
{
    rk_store_u64(&in->ring->head, head, RK_RELAXED, RK_SCOPE_DEVICE); /* who finds no room looks there */
    if (in->far) rk_store_u64(&in->far->head, head, RK_RELAXED, RK_SCOPE_SYSTEM);
    if (in->counted) rk_port_give_u32(&in->ring->room, n);
    rk_port_count(&in->ring->delivered, n);
}

/* What each warp has done since it last counted. */
typedef struct rk_tally {
    rk_u32 turns, n, out, most;
    rk_u64 took_ns;
} rk_tally;
static __shared__ rk_tally rk_tallies[32];

RK_FN void rk_tally_open(void)
{
    const rk_tally none = { 0, 0, 0, 0, 0 };
    if (threadIdx.x % 32u == 0) rk_tallies[threadIdx.x / 32u] = none;
}

/* Messages are counted, with the time that the warp was at them. */
RK_FN_LARGE void rk_tally_count(rk_express *x)
{
    rk_tally *tally = &rk_tallies[threadIdx.x / 32u];
    const rk_u32 turns = tally->turns, n = tally->n, out = tally->out, most = tally->most;
    const rk_u64 took_ns = tally->took_ns;
    if (!turns) return;
    const rk_u32 each = rk_express_each(took_ns, n);
    rk_express_count(x, 0, n, out, turns, 0, took_ns, each);
    if (threadIdx.x % 32u == 0) {
        if (most > x->largest) rk_max_u64(&x->largest, most, RK_RELAXED, RK_SCOPE_BLOCK);
        if (each < x->service_min_ns) rk_min_u64(&x->service_min_ns, each, RK_RELAXED, RK_SCOPE_BLOCK);
        if (each > x->service_max_ns) rk_max_u64(&x->service_max_ns, each, RK_RELAXED, RK_SCOPE_BLOCK);
    }
    __syncwarp(); /* all have read it */
    rk_tally_open();
}

/* A turn of n messages with `out` sends, which took as long. Returns how many turns are to be counted. By a whole warp. */
RK_FN rk_u32 rk_tally_add(rk_u32 n, rk_u32 out, rk_u64 began_ns, rk_u64 done_ns)
{
    rk_tally *place = &rk_tallies[threadIdx.x / 32u];
    if (threadIdx.x % 32u == 0) {
        rk_tally tally = *place;
        tally.n += n;
        tally.out += out;
        tally.most = n > tally.most ? n : tally.most;
        tally.took_ns += done_ns > began_ns ? done_ns - began_ns : 0;
        tally.turns++;
        *place = tally;
    }
    __syncwarp();
    return place->turns;
}

/* Behind a run, by one thread: what the warps have left to be done once. */
RK_FN void rk_run_close(rk_express *x, RK_GLOBAL rk_meter *meter, rk_way *in, rk_u64 now_ns)
{
    const rk_turnstile *t = &x->turnstile;
    if (!t->passed) return;
    in->head += t->passed;
    meter->last_ns = now_ns;
    rk_port_count(&meter->busy_ns, now_ns > t->began_ns ? now_ns - t->began_ns : 0);
    meter->largest_batch = x->largest;
    meter->service.min_ns = x->service_min_ns;
    meter->service.max_ns = x->service_max_ns;
}

/* This warp's part of a run over lane `from` of the shard. */
RK_FN void rk_shuttle_run(rk_entry *entry, const rk_express_own *where, rk_u32 from, rk_u32 sources)
{
    const rk_shuttle_facts known = rk_facts;
    rk_shuttle shuttle = rk_shuttle_of(entry, where);
    const rk_shuttle *s = &shuttle;
    if (RK_SHUTTLE_ROOMY) shuttle.is = &known;
    rk_express *x = s->x;
    rk_turnstile *t = &x->turnstile;
    const rk_u32 thread = threadIdx.x, lane = thread % 32u, widest = s->is->widest;
    const rk_u32 first = thread * (s->own.room.share / 8u);
    const rk_way *in = &x->in[from][0];
    rk_u32 range = thread - lane, done = 0, misses = 0, before, odd;
    while (rk_run_near(t, range, &before)) {
        const rk_u32 index = (rk_u32)in->head + range, at = range + done;
        const rk_u32 n = from ? rk_shuttle_look_near(in, index, done, &s->own, &odd)
                              : rk_shuttle_look_far(in, index, done, &s->own, &odd);
        if (!rk_turnstile_await(&t->found, &t->ends, at)) break;
        if (n == 0) {
            if (!odd && !__all_sync(RK_ALL_LANES, before == at))
                continue; /* it was a look ahead, and may be old */
            if (odd) rk_turnstile_end(t, RK_RUN_ODD);
            rk_run_miss(t);
            rk_tally_count(x);
            if (!s->is->scouted && ++misses % RK_RUN_MISSES == 0) rk_run_peek(entry, where, t, from, 0, 0);
            continue;
        }
        rk_turnstile_pass(&t->found, at + n);

        const rk_u32 mine = lane - done < n; /* the message of this lane's slot */
        done += n;
        rk_run_guess(t, n, 32u - done, widest);
        if (from) rk_batch_acquire(s->is->memory);

        rk_shuttle_sends sends;
        rk_u32 plain = 1, room = 1, claimed = 0, pressed = 0, out = 0;
        rk_context context = rk_shuttle_context, *c = &context;
        context.group = thread; /* the block's is that of its first */
        const rk_u64 began_ns = rk_shuttle_now(s, c);
        sends.sent = sends.total = 0;
        sends.first = first;
        if (mine) {
            plain = rk_shuttle_handle(s, c, thread, first, began_ns);
            sends.sent = c->stage_next;
        }
        const rk_u32 strange = __any_sync(RK_ALL_LANES, !plain);
        if (!strange) room = rk_shuttle_prepare(entry, where, s, &sends);
        const rk_u32 ready = !strange && room && sends.total && !s->is->single;

        rk_u32 turn = rk_turnstile_await(&t->passed, &t->pressed, at);
        if (turn && ready) {
            rk_shuttle_claim_and_pass(&sends, &t->passed, at + n);
            out = sends.total;
        } else {
            if (!turn) { /* somebody before lacks room */
                if (!strange) rk_shuttle_yield(s, &sends);
                room = 0;
                turn = rk_turnstile_await(&t->passed, &t->halted, at);
            }
            if (!turn) { /* and hasn't found any */
                if (mine) rk_shuttle_note(x, c, thread, first);
                if (!strange) rk_shuttle_drop(s, &sends);
                break;
            }
            if (!strange && room && s->is->single) {
                room = rk_shuttle_claim_single(s, &sends);
                claimed = 1;
            }
            if (!strange && (room || !sends.total)) {
                rk_turnstile_pass(&t->passed, at + n);
                out = sends.total;
            } else {
                pressed = 1;
                rk_turnstile_pass(&t->pressed, 1);
                if (!strange) out = rk_shuttle_press_on(entry, where, s, &sends, claimed);
                if (strange || out < sends.total) {
                    if (mine) rk_shuttle_note(x, c, thread, first);
                    rk_run_halt(t, out);
                    break;
                }
                rk_turnstile_pass(&t->pressed, 0);
                rk_turnstile_pass(&t->passed, at + n);
            }
        }
        const rk_u32 turns =
            rk_tally_add(n, out, began_ns, rk_shuttle_now(s, c)); /* while the claim is under way */
        if (out && !pressed) rk_shuttle_put_claimed(entry, where, s, &sends);
        rk_turnstile_await(&t->written, 0, at);
        if (lane == 0) rk_run_give(in, in->head + at + n, n);
        rk_turnstile_pass(&t->written, at + n);

        if (turns == RK_RUN_TALLY) rk_tally_count(x);
        const rk_u32 ahead = rk_stamp_ahead(RK_EXPRESS_STAMPS, (rk_u32)in->head + at);
        if (ahead < n) {
            if (!s->is->scouted)
                rk_run_peek(entry, where, t, from, (rk_u32)in->head + at + ahead, began_ns);
            else if (lane == 0)
                rk_scout_ask(t, (rk_u32)in->head + at + ahead, began_ns);
            if (!from && sources && at >= RK_RUN_SHARE) rk_turnstile_end(t, RK_RUN_OTHER);
            if (at >= RK_RUN_LONGEST) rk_turnstile_end(t, RK_RUN_LONG);
        }
        if (done == 32u) {
            range += 32u * widest;
            done = 0;
        }
        __syncwarp(); /* what the lanes have read is written again */
    }
    rk_tally_count(x);
    __syncwarp();
}

/* Functions of their own, so that each has the registers for itself. */
RK_FN_LARGE void rk_shuttle_run_host(rk_entry *entry, const rk_express_own *where, rk_u32 sources)
{
    rk_shuttle_run(entry, where, 0, sources);
}
RK_FN_LARGE void rk_shuttle_run_device(rk_entry *entry, const rk_express_own *where)
{
    rk_shuttle_run(entry, where, 1, 1);
}

#endif
#endif
