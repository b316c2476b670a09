/* A graph of kernels, by what goes from one to another: who comes before whom, and who goes round with whom. */
#ifndef RK_RUNTIME_GRAPH_H
#define RK_RUNTIME_GRAPH_H

#include "core.h"

typedef struct rk_arc {
    rk_u32 from, to;
} rk_arc;

/* Components are numbered so that each arc stays in one or leads to a higher one. */
typedef struct rk_graph {
    rk_u32 nodes, components;
    rk_u32 *start, *target;  /* arcs of node n: target[start[n]] to target[start[n + 1]] */
    rk_u32 *component;       /* of each node: those that lead to each other are in one */
    rk_u32 *ordered;         /* all nodes, by the number of their component */
    unsigned char *in_cycle; /* of each node: it leads to itself */
    unsigned char *scratch;
} rk_graph;

/* 0: no memory, and there is nothing to free. Takes time and memory in proportion to nodes and arcs. */
int rk_graph_make(rk_graph *graph, rk_u32 nodes, const rk_arc *arcs, size_t count);
void rk_graph_free(rk_graph *graph);
/* behind[n] 1: a node `of` which is 1, in another component than n, leads to n. */
void rk_graph_behind(const rk_graph *graph, const unsigned char *of, unsigned char *behind);

#endif
