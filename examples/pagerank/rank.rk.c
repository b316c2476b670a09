/* PageRank. Each shard is a part of the graph and keeps the vertices whose number is its own modulo the number of parts.
 *
 * In a step each vertex divides its rank among the vertices that it links to; one that links to nothing gives to all. From
 * what it was given a vertex has its new rank: 0.15 + 0.85 * given. Ranks begin as 1, and it ends when they hardly change.
 *
 * Ranks are whole numbers of 2^-40: their sum is the same in whichever order shares arrive. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/superstep.h>

#include "edge.rk.h"

#define PARTS RK_SUPERSTEP_MAX
#define VERTICES 32768u /* of one part */
#define EDGES 131072u   /* of one part */
#define ONE (1ul << 40) /* a rank of 1 */
#define SLICE 64u       /* messages that are sent before others are taken */

RK_PARAM_IN(rk_u32, damping, 850, 0, 1000) /* thousandths */
RK_PARAM(rk_u32, tolerance,
         1) /* it ends when all ranks together change by no more than so many millionths, */
RK_PARAM(rk_u32, most_steps, 500) /* or after so many steps */

RK_REASON(too_many_vertices)
RK_REASON(too_many_edges)
RK_REASON(too_many_parts)
RK_REASON(incomplete)

RK_ROUTE(result)

typedef struct node {
    rk_u64 rank;
    rk_u64 given[2]; /* in the steps with this lowest bit */
    rk_u32 edges;
    rk_u32 pad;
} node;

/* An edge of vertex `from` of this part to vertex `to` of another, in that part's list. */
typedef struct out_edge {
    rk_u32 from, to;
    rk_u32 next; /* + 1; 0: the last */
} out_edge;

/* What the timer hook does next. */
#define WAITS 0u
#define SENDS 1u
#define REPORTS 2u

typedef struct part {
    rk_superstep steps;
    rk_u64 loose, changed; /* rank of the vertices without edges; what all changed by in this step */
    rk_u32 edges, refused;
    rk_u32 vertices, here; /* of the graph; of this part */
    rk_u32 does, to, at;   /* sending: part, and edge of its list + 1; reporting: vertex */
    rk_u32 list[PARTS];    /* first edge to a part, + 1 */
    out_edge edge[EDGES];
    node node[VERTICES];
} part;

RK_HANDLER(rank, edge, msg, part, self, .state = RK_PER_SHARD, .max_sends = SLICE)
{
    rk_u32 parts = rk_shard_count(), from = msg->from / parts, to = msg->to / parts, its = msg->to % parts;
    if (parts > PARTS)
        rk_fail(RK_ARG, too_many_parts);
    else if (from >= VERTICES || to >= VERTICES)
        rk_fail(RK_ARG, too_many_vertices);
    else if (self->edges == EDGES)
        rk_fail(RK_ARG, too_many_edges);
    if (parts > PARTS || from >= VERTICES || to >= VERTICES || self->edges == EDGES) {
        self->refused++;
        return;
    }
    RK_GLOBAL out_edge *l = &self->edge[self->edges++];
    l->from = from;
    l->to = to;
    l->next = self->list[its];
    self->list[its] = self->edges;
    self->node[from].edges++;
}

/* Nothing begins without all edges: no ranks are better than wrong ones. */
RK_HANDLER(rank, start, msg, part, self, .state = RK_PER_SHARD, .max_sends = SLICE)
{
    rk_u32 me = rk_shard_number(), parts = rk_shard_count();
    if (msg->vertices == 0 && !self->refused) return; /* nothing to rank */
    self->vertices = msg->vertices;
    self->here = msg->vertices / parts + (me < msg->vertices % parts);
    if (self->refused || self->here > VERTICES || rk_superstep_begin(&self->steps, me, parts) != RK_OK) {
        rk_fail(RK_ARG, incomplete);
        return;
    }
    for (rk_u32 v = 0; v < self->here; v++) self->node[v].rank = ONE;
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(rank, shares, msg, part, self, .state = RK_PER_SHARD, .max_sends = SLICE)
{
    if (rk_superstep_take(&self->steps, msg) > RK_SUPERSTEP_EARLY) return;
    for (rk_u32 i = 0; i < msg->count; i++) self->node[msg->node[i]].given[msg->step & 1u] += msg->amount[i];
}

RK_HANDLER(rank, rk_step_end, end, part, self, .state = RK_PER_SHARD, .max_sends = SLICE)
{
    rk_superstep_arrive(&self->steps, end);
    if (rk_superstep_is_complete(&self->steps)) rk_wake_at(RK_ARG, rk_now_ns());
}

RK_FN rk_u64 damp(RK_CTX, rk_u64 amount)
{
    rk_u64 damping = RK_PARAM_OF(damping);
    return amount / 1000u * damping + amount % 1000u * damping / 1000u;
}

/* New ranks from what was given in the step before. */
RK_FN void update_ranks(RK_CTX, RK_GLOBAL part *self)
{
    rk_u32 before = (self->steps.step - 1u) & 1u;
    rk_u64 to_each = self->steps.total[0] / self->vertices; /* of the vertices without edges, of all parts */
    for (rk_u32 v = 0; v < self->here; v++) {
        RK_GLOBAL node *at = &self->node[v];
        rk_u64 rank = ONE - damp(RK_ARG, ONE) + damp(RK_ARG, at->given[before] + to_each);
        self->changed += rank > at->rank ? rank - at->rank : at->rank - rank;
        at->rank = rank;
        at->given[before] = 0;
    }
}

RK_FN void begin_step(RK_CTX, RK_GLOBAL part *self)
{
    rk_u32 step = self->steps.step;
    rk_u32 is_over = step > RK_PARAM_OF(most_steps) ||
                     (step > 2u && self->steps.total[1] <= RK_PARAM_OF(tolerance) * (ONE / 1000000u));
    self->loose = self->changed = 0;
    if (step > 1u) update_ranks(RK_ARG, self);
    for (rk_u32 v = 0; v < self->here; v++)
        if (self->node[v].edges == 0) self->loose += self->node[v].rank;
    self->does = is_over ? REPORTS : SENDS;
    self->to = 0;
    self->at = is_over ? 0 : self->list[0];
}

/* The next shares for part `to`: as many as fit a message. */
RK_FN shares next_shares(RK_GLOBAL part *self)
{
    shares out;
    out.count = 0;
    for (rk_u32 i = 0; i < SHARES; i++) {
        out.amount[i] = out.node[i] = 0;
        if (self->at == 0) continue;
        RK_GLOBAL const out_edge *l = &self->edge[self->at - 1u];
        out.amount[i] = self->node[l->from].rank / self->node[l->from].edges;
        out.node[i] = l->to;
        out.count++;
        self->at = l->next;
    }
    rk_superstep_stamp(&self->steps, self->to, &out);
    return out;
}

/* To each part its shares, and then the end of the step. */
RK_FN void send_some(RK_CTX, RK_GLOBAL part *self)
{
    for (rk_u32 sent = 0; sent < SLICE && self->to < self->steps.participants; sent++) {
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = self->to;
        if (self->at) {
            shares out = next_shares(self);
            rk_send_with(RK_ARG, &out, &to);
        } else {
            rk_step_end end = rk_superstep_end(&self->steps, self->to, self->loose, self->changed);
            rk_send_with(RK_ARG, &end, &to);
            self->at = ++self->to < self->steps.participants ? self->list[self->to] : 0;
        }
    }
    if (self->to == self->steps.participants) self->does = WAITS;
    if (self->does == SENDS || rk_superstep_is_complete(&self->steps)) rk_wake_at(RK_ARG, rk_now_ns());
}

RK_FN rk_u64 billionths(rk_u64 rank)
{
    return rank / ONE * 1000000000u + ((rank % ONE >> 10) * 1000000000u >> 30);
}

RK_FN void report_some(RK_CTX, RK_GLOBAL part *self)
{
    for (rk_u32 sent = 0; sent < SLICE && self->at < self->here; sent++, self->at++) {
        ranked out = { billionths(self->node[self->at].rank),
                       self->at * self->steps.participants + self->steps.me, self->steps.step - 1u };
        rk_send_to(RK_ARG, result, &out);
    }
    if (self->at < self->here) rk_wake_at(RK_ARG, rk_now_ns());
}

RK_ON_TIMER(rank, part, self)
{
    if (self->does == REPORTS)
        report_some(RK_ARG, self);
    else if (self->does == SENDS)
        send_some(RK_ARG, self);
    else if (rk_superstep_next(&self->steps)) {
        begin_step(RK_ARG, self);
        rk_wake_at(RK_ARG, rk_now_ns());
    }
}
