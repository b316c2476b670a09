/* Components by two depth-first walks (Kosaraju; Sharir 1981), with stacks of their own: a row of thousands of kernels is
 * as deep as it is long. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

static void place_arcs(rk_u32 nodes, const rk_arc *arcs, size_t count, int backwards, rk_u32 *start,
                       rk_u32 *target)
{
    memset(start, 0, (nodes + 2ull) * sizeof *start);
    for (size_t i = 0; i < count; i++) start[(backwards ? arcs[i].to : arcs[i].from) + 2u]++;
    for (rk_u32 n = 2; n < nodes + 2u; n++) start[n] += start[n - 1];
    for (size_t i = 0; i < count; i++)
        target[start[(backwards ? arcs[i].to : arcs[i].from) + 1u]++] = backwards ? arcs[i].from : arcs[i].to;
}

/* From one node: those that are found for the first time, in the order in which they are left. Returns how many are in `left`
 * then. */
static rk_u32 walk(rk_u32 from, const rk_u32 *start, const rk_u32 *target, unsigned char *seen, rk_u32 *stack,
                   rk_u32 *next, rk_u32 *left, rk_u32 count)
{
    rk_u32 depth = 0;
    if (seen[from]) return count;
    seen[from] = 1;
    stack[depth++] = from;
    next[from] = start[from];
    while (depth) {
        const rk_u32 node = stack[depth - 1];
        if (next[node] == start[node + 1]) {
            left[count++] = node;
            depth--;
        } else if (!seen[target[next[node]++]]) {
            const rk_u32 found = target[next[node] - 1];
            seen[found] = 1;
            next[found] = start[found];
            stack[depth++] = found;
        }
    }
    return count;
}

static void find_components(rk_graph *g, const rk_u32 *back, const rk_u32 *back_target, rk_u32 *room)
{
    const rk_u32 n = g->nodes;
    rk_u32 *stack = room, *next = room + n, *left = room + 2ull * n, found = 0;
    memset(g->scratch, 0, n);
    for (rk_u32 i = 0; i < n; i++) found = walk(i, g->start, g->target, g->scratch, stack, next, left, found);
    memset(g->scratch, 0, n);
    g->components = 0;
    for (rk_u32 i = n, done = 0; i-- > 0;) {
        const rk_u32 from = done;
        done = walk(left[i], back, back_target, g->scratch, stack, next, g->ordered, done);
        for (rk_u32 j = from; j < done; j++) g->component[g->ordered[j]] = g->components;
        for (rk_u32 j = from; j < done; j++) g->in_cycle[g->ordered[j]] = done - from > 1u;
        g->components += done > from;
    }
    for (rk_u32 i = 0; i < n; i++)
        for (rk_u32 a = g->start[i]; a < g->start[i + 1]; a++) g->in_cycle[i] |= g->target[a] == i;
}

int rk_graph_make(rk_graph *g, rk_u32 nodes, const rk_arc *arcs, size_t count)
{
    *g = (rk_graph){ .nodes = nodes,
                     .start = malloc((nodes + 2ull) * sizeof *g->start),
                     .target = malloc((count + 1u) * sizeof *g->target),
                     .component = malloc((nodes + 1ull) * sizeof *g->component),
                     .ordered = malloc((nodes + 1ull) * sizeof *g->ordered),
                     .in_cycle = malloc(nodes + 1ull),
                     .scratch = malloc(2ull * nodes + 2u) };
    rk_u32 *back = malloc((nodes + 2ull) * sizeof *back),
           *back_target = malloc((count + 1u) * sizeof *back_target),
           *room = malloc((3ull * nodes + 1u) * sizeof *room);
    const int made = g->start && g->target && g->component && g->ordered && g->in_cycle && g->scratch &&
                     back && back_target && room;
    if (made) {
        place_arcs(nodes, arcs, count, 0, g->start, g->target);
        place_arcs(nodes, arcs, count, 1, back, back_target);
        find_components(g, back, back_target, room);
    } else {
        rk_graph_free(g);
    }
    free(back);
    free(back_target);
    free(room);
    return made;
}

void rk_graph_free(rk_graph *g)
{
    free(g->start);
    free(g->target);
    free(g->component);
    free(g->ordered);
    free(g->in_cycle);
    free(g->scratch);
    *g = (rk_graph){ 0 };
}

void rk_graph_behind(const rk_graph *g, const unsigned char *of, unsigned char *behind)
{
    unsigned char *has = g->scratch, *reached = g->scratch + g->nodes + 1u;
    memset(has, 0, g->nodes);
    memset(reached, 0, g->nodes);
    for (rk_u32 i = 0; i < g->nodes; i++) has[g->component[i]] |= of[i];
    for (rk_u32 i = 0; i < g->nodes; i++) {
        const rk_u32 node = g->ordered[i], mine = g->component[node];
        behind[node] = reached[mine]; /* all arcs into it are of nodes before */
        for (rk_u32 a = g->start[node]; a < g->start[node + 1]; a++)
            if (g->component[g->target[a]] != mine)
                reached[g->component[g->target[a]]] |= has[mine] | reached[mine];
    }
}
