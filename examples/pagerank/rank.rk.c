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
#define VERTICES 32768u                  /* of one part */
#define EDGES 131072u                    /* of one part */
#define BUNDLES (EDGES / SHARES + PARTS) /* so many hold them, however they are spread over parts */
#define ONE (1ul << 40)                  /* a rank of 1 */
#define SLICE 16u                        /* messages that are sent before others are taken */
#define THREADS 256u                     /* of a block, which works on one message together */

RK_PARAM_IN(rk_u32, damping, 850, 0, 1000) /* thousandths */
RK_PARAM(rk_u32, tolerance,
         1) /* it ends when all ranks together change by no more than so many millionths, */
RK_PARAM(rk_u32, most_steps, 500) /* or after so many steps */

RK_REASON(too_many_vertices)
RK_REASON(too_many_edges)
RK_REASON(too_many_parts)
RK_REASON(incomplete)

RK_ROUTE(result)

/* Edges to one part, of vertex from[i] of this part to vertex to[i] of that one: what a message has shares for. */
typedef struct bundle {
    rk_u32 count;
    rk_u32 next; /* + 1, of the same part; 0: the last */
    rk_u32 from[SHARES], to[SHARES];
} bundle;

/* What a turn does. */
#define WAITS 0u
#define SENDS 1u
#define REPORTS 2u

typedef struct part {
    rk_superstep steps;
    rk_u64 loose, changed; /* rank of the vertices without edges; what all changed by in this step */
    rk_u32 edges, bundles, refused;
    rk_u32 vertices, here; /* of the graph; of this part */
    rk_u32 does, to, at;   /* sending: part, and bundle of its list + 1; reporting: vertex */
    rk_u32 counts, begins; /* what one thread has found out, for all: the message counts; a step begins */
    rk_u32 list[PARTS];    /* first bundle to a part, + 1 */
    bundle bundle[BUNDLES];
    rk_u64 rank[VERTICES];
    rk_u64 given[2][VERTICES]; /* in the steps with this lowest bit */
    rk_u64 each[VERTICES];     /* what a vertex gives by each of its edges in this step */
    rk_u32 degree[VERTICES];   /* its edges */
} part;

/* One more `turn` than is needed does nothing: it is of an earlier step, or finds nothing to do. */
RK_FN void take_turn(RK_CTX, RK_GLOBAL part *self)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    turn again = { self->steps.step };
    to.target = rk_shard_number();
    rk_send_with(RK_ARG, &again, &to);
}

RK_FN void add_edge(RK_GLOBAL part *self, rk_u32 from, rk_u32 its, rk_u32 to)
{
    rk_u32 first = self->list[its];
    if (first == 0 || self->bundle[first - 1u].count == SHARES) {
        self->bundle[self->bundles].next = first;
        self->list[its] = first = ++self->bundles;
    }
    RK_GLOBAL bundle *b = &self->bundle[first - 1u];
    b->from[b->count] = from;
    b->to[b->count++] = to;
    self->degree[from]++;
    self->edges++;
}

RK_FN void take_edge(RK_CTX, RK_GLOBAL part *self, RK_MSG const edge *msg)
{
    rk_u32 parts = rk_shard_count(), from = msg->from / parts, to = msg->to / parts;
    rk_u32 too_many = parts > PARTS || from >= VERTICES || to >= VERTICES || self->edges == EDGES;
    if (rk_is_redelivered(RK_ARG)) return; /* after a crash: it was added before, or refused */
    if (parts > PARTS)
        rk_fail(RK_ARG, too_many_parts);
    else if (from >= VERTICES || to >= VERTICES)
        rk_fail(RK_ARG, too_many_vertices);
    else if (too_many)
        rk_fail(RK_ARG, too_many_edges);
    else
        add_edge(self, from, msg->to % parts, to);
    self->refused += too_many;
}

RK_HANDLER(rank, edge, msg, part, self, .width = RK_BLOCK, .threads = THREADS, .state = RK_PER_SHARD,
           .max_sends = SLICE + 1u, .shared = sizeof(shares))
{
    RK_ONCE
        take_edge(RK_ARG, self, msg);
}

/* Nothing begins without all edges: no ranks are better than wrong ones. */
RK_FN void begin(RK_CTX, RK_GLOBAL part *self, rk_u32 vertices)
{
    rk_u32 me = rk_shard_number(), parts = rk_shard_count();
    rk_u32 here = vertices / parts + (me < vertices % parts);
    if (vertices == 0 && !self->refused) return; /* nothing to rank */
    if (self->vertices) {                        /* handled again, after a crash */
        take_turn(RK_ARG, self);
        return;
    }
    if (self->refused || here > VERTICES || rk_superstep_begin(&self->steps, me, parts) != RK_OK) {
        rk_fail(RK_ARG, incomplete);
        return;
    }
    self->vertices = vertices;
    self->here = here;
    take_turn(RK_ARG, self);
}

RK_HANDLER(rank, start, msg, part, self, .width = RK_BLOCK, .threads = THREADS, .state = RK_PER_SHARD,
           .max_sends = SLICE + 1u, .shared = sizeof(shares))
{
    RK_ONCE
        begin(RK_ARG, self, msg->vertices);
}

RK_HANDLER(rank, shares, msg, part, self, .width = RK_BLOCK, .threads = THREADS, .state = RK_PER_SHARD,
           .max_sends = SLICE + 1u, .shared = sizeof(shares))
{
    RK_PARALLEL(once, 1) self->counts = rk_superstep_take(&self->steps, msg) <= RK_SUPERSTEP_EARLY;
    RK_PARALLEL(i, self->counts ? msg->count : 0)
        rk_add_u64(&self->given[msg->step & 1u][msg->node[i]], msg->amount[i], RK_RELAXED, RK_SCOPE_BLOCK);
}

RK_HANDLER(rank, rk_step_end, end, part, self, .width = RK_BLOCK, .threads = THREADS, .state = RK_PER_SHARD,
           .max_sends = SLICE + 1u, .shared = sizeof(shares))
{
    RK_ONCE {
        rk_superstep_arrive(&self->steps, end);
        if (self->does == WAITS && rk_superstep_is_complete(&self->steps)) take_turn(RK_ARG, self);
    }
}

RK_FN rk_u64 damp(RK_CTX, rk_u64 amount)
{
    rk_u64 damping = RK_PARAM_OF(damping);
    return amount / 1000u * damping + amount % 1000u * damping / 1000u;
}

/* The rank of vertex v in this step, from what it was given in the step before; returns by how much that changed it. */
RK_FN rk_u64 rank_vertex(RK_CTX, RK_GLOBAL part *self, rk_u32 v, rk_u64 to_each)
{
    const rk_u32 before = (self->steps.step - 1u) & 1u;
    const rk_u64 old = self->rank[v], given = self->given[before][v] + to_each;
    const rk_u64 rank = self->steps.step == 1u ? ONE : ONE - damp(RK_ARG, ONE) + damp(RK_ARG, given);
    self->rank[v] = rank;
    self->given[before][v] = 0;
    if (self->degree[v]) self->each[v] = rank / self->degree[v];
    return rank > old ? rank - old : old - rank;
}

/* Every so manieth vertex, from v on; and what they change and leave goes to the sums of all threads. */
RK_FN void rank_vertices(RK_CTX, RK_GLOBAL part *self, rk_u32 v, rk_u32 threads)
{
    const rk_u64 to_each =
        self->steps.total[0] / self->vertices; /* of the vertices without edges, of all parts */
    rk_u64 loose = 0, changed = 0;
    for (; v < self->here; v += threads) {
        changed += rank_vertex(RK_ARG, self, v, to_each);
        if (self->degree[v] == 0) loose += self->rank[v];
    }
    rk_add_u64(&self->loose, loose, RK_RELAXED, RK_SCOPE_BLOCK);
    rk_add_u64(&self->changed, changed, RK_RELAXED, RK_SCOPE_BLOCK);
}

/* A step begins, when all of the one before has come. */
RK_FN void begin_step(RK_CTX, RK_GLOBAL part *self, rk_u32 of_step)
{
    RK_PARALLEL(once, 1) {
        self->counts = of_step == self->steps.step;
        self->begins = self->counts && self->does == WAITS && rk_superstep_next(&self->steps);
        if (self->begins) self->loose = self->changed = 0;
    }
    const rk_u32 threads = self->begins ? rk_threads() : 0;
    RK_PARALLEL(t, threads) rank_vertices(RK_ARG, self, t, threads);
    RK_PARALLEL(once, threads > 0) {
        rk_u32 step = self->steps.step;
        rk_u32 is_over = step > RK_PARAM_OF(most_steps) ||
                         (step > 2u && self->steps.total[1] <= RK_PARAM_OF(tolerance) * (ONE / 1000000u));
        self->does = is_over ? REPORTS : SENDS;
        self->to = 0;
        self->at = is_over ? 0 : self->list[0];
    }
}

/* A bundle's shares to part `to`, or the end of the step; and on to what is next. */
RK_FN void send_one(RK_CTX, RK_GLOBAL part *self, RK_LOCAL shares *filled)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = self->to;
    if (self->at) {
        shares out = *filled;
        out.count = self->bundle[self->at - 1u].count;
        rk_superstep_stamp(&self->steps, self->to, &out);
        rk_send_with(RK_ARG, &out, &to);
        self->at = self->bundle[self->at - 1u].next;
    } else {
        rk_step_end end = rk_superstep_end(&self->steps, self->to, self->loose, self->changed);
        rk_send_with(RK_ARG, &end, &to);
        self->at = ++self->to < self->steps.participants ? self->list[self->to] : 0;
    }
}

/* To each part its shares, and then the end of the step. All threads fill a message, and one sends it. (Regions stand under
 * no condition where they needn't: a compiler that makes loops of them copies all that is behind one that does.) */
RK_FN void send_some(RK_CTX, RK_GLOBAL part *self, RK_LOCAL shares *out)
{
    for (rk_u32 sent = 0;
         sent < SLICE && self->counts && self->does == SENDS && self->to < self->steps.participants; sent++) {
        RK_GLOBAL const bundle *b = &self->bundle[self->at ? self->at - 1u : 0];
        const rk_u32 count = self->at ? b->count : 0;
        RK_PARALLEL(i, SHARES) {
            out->amount[i] = i < count ? self->each[b->from[i]] : 0;
            out->node[i] = i < count ? b->to[i] : 0;
        }
        RK_PARALLEL(once, 1) send_one(RK_ARG, self, out);
    }
}

RK_FN rk_u64 billionths(rk_u64 rank)
{
    return rank / ONE * 1000000000u + ((rank % ONE >> 10) * 1000000000u >> 30);
}

RK_FN void report_some(RK_CTX, RK_GLOBAL part *self)
{
    for (rk_u32 sent = 0; sent < SLICE && self->at < self->here; sent++, self->at++) {
        ranked out = { billionths(self->rank[self->at]), self->at * self->steps.participants + self->steps.me,
                       self->steps.step - 1u };
        rk_send_to(RK_ARG, result, &out);
    }
}

/* What a turn leaves to the next one. */
RK_FN void go_on(RK_CTX, RK_GLOBAL part *self)
{
    if (self->does == SENDS && self->to == self->steps.participants) self->does = WAITS;
    if (self->does == REPORTS ? self->at < self->here
                              : self->does == SENDS || rk_superstep_is_complete(&self->steps))
        take_turn(RK_ARG, self);
}

RK_HANDLER(rank, turn, msg, part, self, .width = RK_BLOCK, .threads = THREADS, .state = RK_PER_SHARD,
           .max_sends = SLICE + 1u, .shared = sizeof(shares))
{
    RK_SHARED(shares, out, 1);
    begin_step(RK_ARG, self, msg->step);
    send_some(RK_ARG, self, out);
    RK_PARALLEL(once, 1) {
        if (self->counts && self->does == REPORTS) report_some(RK_ARG, self);
        if (self->counts) go_on(RK_ARG, self);
    }
}
