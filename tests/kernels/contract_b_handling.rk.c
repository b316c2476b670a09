/* Kernels of the handling cases: what handlers see of batches, actors, requests and stamps. */
#include <ringkernel/kernel.h>

#include "contract_b.rk.h"

RK_REASON(no_answer)
RK_ROUTE(even)
RK_ROUTE(odd)
RK_ROUTE(finished)

/* ------------------------------------------------------------------ batches, as their handler sees them */

RK_FN void note_batch(RK_CTX, RK_GLOBAL batch_log *log, rk_u32 n)
{
    RK_ONCE {
        log->calls++;
        log->messages += n;
        if (n > log->largest) log->largest = n;
        if (log->smallest == 0 || n < log->smallest) log->smallest = n;
        for (rk_u32 i = 0; i < n; i++) {
            rk_u64 number = RK_AT(package, i)->number;
            if (number <= log->last) log->disorder++;
            log->last = number;
        }
    }
}

RK_BATCH_HANDLER(batches_continuous, package, n, batch_log, self, .width = RK_BLOCK, .threads = 32,
                 .state = RK_PER_SHARD, .mode = RK_CONTINUOUS)
{
    note_batch(RK_ARG, self, n);
}

RK_BATCH_HANDLER(batches_gathered, package, n, batch_log, self, .width = RK_BLOCK, .threads = 32,
                 .state = RK_PER_SHARD, .mode = RK_BATCH, .max_batch = 64, .gather_us = 1000)
{
    note_batch(RK_ARG, self, n);
}

RK_BATCH_HANDLER(batches_adaptive, package, n, batch_log, self, .width = RK_BLOCK, .threads = 32,
                 .state = RK_PER_SHARD, .mode = RK_ADAPTIVE, .max_batch = 32)
{
    note_batch(RK_ARG, self, n);
}

RK_BATCH_HANDLER(batches_of_actors, package, n, batch_log, self, .width = RK_BLOCK, .threads = 32,
                 .state = RK_PER_ACTOR, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    note_batch(RK_ARG, self, n);
}

/* ------------------------------------------------------------------ counting, per shard and per actor */

RK_FN void count_package(RK_GLOBAL count_log *self, RK_MSG const package *p)
{
    self->count++;
    self->sum += p->number;
    if (p->number <= self->last) self->disorder++;
    self->last = p->number;
    if (p->check != rk_hash64(p->number * 31u + p->sender)) self->wrong++;
}

RK_HANDLER(tally_shards, package, p, count_log, self, .state = RK_PER_SHARD)
{
    count_package(self, p);
    if (rk_target_of(p) % rk_shard_count() != rk_shard_number()) self->misplaced++;
}

RK_HANDLER(tally_actors, package, p, count_log, self, .state = RK_PER_ACTOR, .max_batch = 256)
{
    count_package(self, p);
}

/* The same by groups of threads: two warps of a block beside each other, */
RK_HANDLER(tally_actors_by_warps, package, p, count_log, self, .width = RK_WARP, .threads = 64,
           .state = RK_PER_ACTOR, .max_batch = 256)
{
    RK_ONCE
        count_package(self, p);
}

/* and whole blocks. */
RK_HANDLER(tally_actors_by_blocks, package, p, count_log, self, .width = RK_BLOCK, .threads = 64,
           .state = RK_PER_ACTOR, .max_batch = 256)
{
    RK_ONCE
        count_package(self, p);
}

/* And a warp for a whole shard. */
RK_HANDLER(tally_shard_by_warps, package, p, count_log, self, .width = RK_WARP, .threads = 64,
           .state = RK_PER_SHARD, .max_batch = 256)
{
    RK_ONCE
        count_package(self, p);
}

/* In slices of a thousand messages. */
RK_HANDLER(tally_slices, package, p, count_log, self, .width = RK_BLOCK, .threads = 256,
           .state = RK_PER_SHARD, .max_batch = 64, .event_driven = 1, .slice_messages = 1000)
{
    RK_ONCE
        count_package(self, p);
}

RK_SPMD_KERNEL(tally_slices_spmd, package, package, .threads = 256, .max_batch = 64, .event_driven = 1,
               .slice_messages = 1000)
{
    package mine;
    (void)rk_try_receive(RK_ARG, &mine);
}

/* Under each model of memory consistency. */
RK_HANDLER(tally_relaxed, package, p, count_log, self, .state = RK_PER_SHARD, .memory = RK_RELAXED_MEMORY)
{
    count_package(self, p);
}

RK_HANDLER(tally_sequential, package, p, count_log, self, .state = RK_PER_SHARD, .memory = RK_SEQUENTIAL)
{
    count_package(self, p);
}

/* ------------------------------------------------------------------ breeding, and passing on */

RK_HANDLER(breed, spark, s, rk_none, self, .max_sends = 2)
{
    spark next = { s->hops - 1u, s->target };
    if (s->hops == 0) {
        next.hops = 0;
        rk_send_to(RK_ARG, finished, &next);
        return;
    }
    rk_send(RK_ARG, &next);
    rk_send(RK_ARG, &next);
}

RK_SPMD_KERNEL(breed_spmd, spark, spark, .threads = 32, .max_sends = 2)
{
    spark mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    spark next = { mine.hops - 1u, mine.target };
    if (mine.hops == 0) {
        next.hops = 0;
        rk_send_to(RK_ARG, finished, &next);
        return;
    }
    rk_send(RK_ARG, &next);
    rk_send(RK_ARG, &next);
}

RK_HANDLER(pass_token, token, t, rk_none, self)
{
    token next = { t->count + 1u, t->limit };
    if (next.count < next.limit)
        rk_send(RK_ARG, &next);
    else
        rk_send_to(RK_ARG, finished, &next);
}

RK_SPMD_KERNEL(pass_token_spmd, token, token, .threads = 32)
{
    token t;
    if (!rk_try_receive(RK_ARG, &t)) return;
    token next = { t.count + 1u, t.limit };
    if (next.count < next.limit)
        rk_send(RK_ARG, &next);
    else
        rk_send_to(RK_ARG, finished, &next);
}

RK_HANDLER(shoot, volley, v, rk_none, self, .max_sends = 132, .max_batch = 4)
{
    rk_u32 targets = v->targets < MOST_SHOOTERS ? v->targets : MOST_SHOOTERS;
    shot fired = { rk_shard_number(), v->round };
    rk_send_options to = RK_SEND_DEFAULTS;
    for (rk_u32 i = 0; i < targets; i++) {
        to.target = (rk_shard_number() + i) % targets;
        rk_send_with(RK_ARG, &fired, &to);
    }
}

RK_SPMD_KERNEL(shoot_spmd, volley, shot, .threads = 4, .max_sends = 132)
{
    volley v;
    if (!rk_try_receive(RK_ARG, &v)) return;
    rk_u32 targets = v.targets < MOST_SHOOTERS ? v.targets : MOST_SHOOTERS;
    shot fired = { rk_shard_number(), v.round };
    rk_send_options to = RK_SEND_DEFAULTS;
    for (rk_u32 i = 0; i < targets; i++) {
        to.target = (rk_shard_number() + i) % targets;
        rk_send_with(RK_ARG, &fired, &to);
    }
}

RK_HANDLER(get_shot, shot, s, shot_log, self, .state = RK_PER_SHARD)
{
    rk_u32 from = s->from % MOST_SHOOTERS;
    if (self->next[from] != s->round) self->disorder++;
    self->next[from] = s->round + 1u;
    self->count++;
}

/* Each message carries the stamps of those that caused it. */
RK_FN trail longer_trail(RK_CTX, const trail *t)
{
    trail longer = *t;
    if (longer.hops < 6u)
        longer.stamp[longer.hops++] = ((RK_GLOBAL const rk_header_long *)rk_ctx->header)->sent_ns;
    return longer;
}

RK_HANDLER(stamp_causal, trail, t, rk_none, self, .timestamps = 1)
{
    trail here = *t, longer = longer_trail(RK_ARG, &here);
    rk_send(RK_ARG, &longer);
}

RK_HANDLER(stamp_plain, trail, t, rk_none, self, .timestamps = 1, .not_causal = 1)
{
    trail here = *t, longer = longer_trail(RK_ARG, &here);
    rk_send(RK_ARG, &longer);
}

RK_SPMD_KERNEL(stamp_causal_spmd, trail, trail, .threads = 32, .timestamps = 1)
{
    trail here, longer;
    if (!rk_try_receive(RK_ARG, &here)) return;
    longer = longer_trail(RK_ARG, &here);
    rk_send(RK_ARG, &longer);
}

RK_SPMD_KERNEL(stamp_plain_spmd, trail, trail, .threads = 32, .timestamps = 1, .not_causal = 1)
{
    trail here, longer;
    if (!rk_try_receive(RK_ARG, &here)) return;
    longer = longer_trail(RK_ARG, &here);
    rk_send(RK_ARG, &longer);
}

/* ------------------------------------------------------------------ routes */

RK_HANDLER(sort_packages, package, p, rk_none, self)
{
    package copy = *p;
    if (copy.number % 2u)
        rk_send_to(RK_ARG, odd, &copy);
    else
        rk_send_to(RK_ARG, even, &copy);
}

RK_SPMD_KERNEL(sort_packages_spmd, package, package, .threads = 32)
{
    package mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    if (mine.number % 2u)
        rk_send_to(RK_ARG, odd, &mine);
    else
        rk_send_to(RK_ARG, even, &mine);
}

/* Sends a package for an even order, and a query for an odd one. */
RK_HANDLER(mix_types, work_order, o, rk_none, self)
{
    if (o->number % 2u) {
        query q = { o->number };
        rk_send(RK_ARG, &q);
    } else {
        package p = { o->number, rk_hash64(o->number * 31u + o->sender), o->sender, 0 };
        rk_send(RK_ARG, &p);
    }
}

RK_SPMD_KERNEL(mix_types_spmd, work_order, package, .threads = 32)
{
    work_order o;
    if (!rk_try_receive(RK_ARG, &o)) return;
    if (o.number % 2u) {
        query q = { o.number };
        rk_send(RK_ARG, &q);
    } else {
        package p = { o.number, rk_hash64(o.number * 31u + o.sender), o.sender, 0 };
        rk_send(RK_ARG, &p);
    }
}

RK_HANDLER(take_types, package, p, count_log, self, .state = RK_PER_SHARD) { count_package(self, p); }

RK_HANDLER(take_types, query, q, count_log, self, .state = RK_PER_SHARD)
{
    self->misplaced++; /* of a kind that the test did not want here */
    self->sum += q->value;
}

/* ------------------------------------------------------------------ requests */

RK_HANDLER(answer_once, query, q, rk_none, self, .replies = 1)
{
    response a = { q->value * 2u, ((RK_GLOBAL const rk_header_long *)rk_header_of(rk_ctx, q))->correlation };
    rk_reply(RK_ARG, q, &a);
}

/* rk_reply wants the message in its slot. */
RK_SPMD_KERNEL(answer_once_spmd, query, response, .threads = 32, .replies = 1)
{
    query mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    response a = { mine.value * 2u, ((RK_GLOBAL const rk_header_long *)rk_ctx->header)->correlation };
    rk_reply(RK_ARG, (RK_MSG const query *)rk_ctx->payload, &a);
}

RK_HANDLER(answer_twice, query, q, rk_none, self, .max_sends = 2, .replies = 1)
{
    response a = { q->value * 2u, 0 };
    rk_reply(RK_ARG, q, &a);
    rk_reply(RK_ARG, q, &a);
}

RK_HANDLER(answer_never, query, q, rk_none, self) {}

RK_HANDLER(answer_with_question, query, q, rk_none, self, .replies = 1)
{
    query back = { q->value };
    rk_reply(RK_ARG, q, &back);
}

RK_HANDLER(refuse_question, query, q, rk_none, self) { rk_fail(RK_ARG, no_answer); }

/* Asks another kernel what it was ordered to ask, and tells the host what that one answered. */
RK_HANDLER(ask, work_order, o, rk_none, self)
{
    query q = { o->number };
    rk_send_options as = RK_SEND_DEFAULTS;
    as.flags = RK_FLAG_REQUEST;
    as.correlation = o->id;
    as.target = o->target;
    rk_send_with(RK_ARG, &q, &as);
}

RK_HANDLER(ask, response, a, rk_none, self)
{
    response got = { a->value, ((RK_GLOBAL const rk_header_long *)rk_header_of(rk_ctx, a))->correlation };
    rk_send_to(RK_ARG, finished, &got);
}

/* Each turn tells how many threads had a message. */
RK_FN void tell_turn(RK_CTX)
{
    package mine;
    response told = { (rk_u64)rk_reduce_add((rk_i64)rk_try_receive(RK_ARG, &mine), RK_SCOPE_BLOCK), 0 };
    if (rk_thread() == 0) rk_send(RK_ARG, &told);
}

RK_SPMD_KERNEL(turns_continuous, package, response, .threads = 96, .mode = RK_CONTINUOUS,
               .barrier = RK_SCOPE_BLOCK)
{
    tell_turn(RK_ARG);
}

RK_SPMD_KERNEL(turns_gathered, package, response, .threads = 96, .mode = RK_BATCH, .max_batch = 64,
               .gather_us = 500, .barrier = RK_SCOPE_BLOCK)
{
    tell_turn(RK_ARG);
}

RK_SPMD_KERNEL(turns_adaptive, package, response, .threads = 96, .max_batch = 32, .barrier = RK_SCOPE_BLOCK)
{
    tell_turn(RK_ARG);
}

RK_SPMD_KERNEL(turns_of_actors, package, response, .threads = 96, .barrier = RK_SCOPE_BLOCK,
               .domain = RK_DOMAIN_ACTOR)
{
    tell_turn(RK_ARG);
}

/* Who says nothing has a message for each thread. */
RK_SPMD_KERNEL(turns_of_blocks, package, response, .threads = 96, .barrier = RK_SCOPE_BLOCK)
{
    tell_turn(RK_ARG);
}
