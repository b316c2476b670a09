/* Who is in a circle, and who is behind whom, against a plain search; and a row that is long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "runtime/graph.h"

#define MOST 12u

/* reach[a][b]: one or more arcs lead from a to b. */
static void search(rk_u32 nodes, const rk_arc *arcs, size_t count, unsigned char reach[MOST][MOST])
{
    memset(reach, 0, (size_t)MOST * MOST);
    for (size_t i = 0; i < count; i++) reach[arcs[i].from][arcs[i].to] = 1;
    for (rk_u32 k = 0; k < nodes; k++)
        for (rk_u32 a = 0; a < nodes; a++)
            for (rk_u32 b = 0; b < nodes; b++) reach[a][b] |= reach[a][k] && reach[k][b];
}

static rk_u32 drawn(rk_u32 *seed, rk_u32 below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void assert_as_searched(const rk_graph *g, rk_u32 nodes, unsigned char reach[MOST][MOST], rk_u32 *seed)
{
    unsigned char of[MOST], behind[MOST];
    for (rk_u32 a = 0; a < nodes; a++) {
        assert_int_equal(g->in_cycle[a], reach[a][a]);
        of[a] = (unsigned char)(drawn(seed, 3) == 0);
        for (rk_u32 b = 0; b < nodes; b++) {
            assert_int_equal(a != b && g->component[a] == g->component[b],
                             a != b && reach[a][b] && reach[b][a]);
            if (reach[a][b]) assert_true(g->component[a] <= g->component[b]);
        }
    }
    rk_graph_behind(g, of, behind);
    for (rk_u32 b = 0; b < nodes; b++) {
        unsigned char expected = 0;
        for (rk_u32 a = 0; a < nodes; a++) expected |= of[a] && reach[a][b] && !reach[b][a];
        assert_int_equal(behind[b], expected);
    }
}

static void graphs_of_all_kinds_are_as_a_plain_search_finds_them(void **state)
{
    (void)state;
    rk_u32 seed = 1;
    for (rk_u32 round = 0; round < 3000; round++) {
        unsigned char reach[MOST][MOST];
        rk_arc arcs[2 * MOST];
        const rk_u32 nodes = 1 + drawn(&seed, MOST), count = drawn(&seed, 2 * MOST + 1);
        for (rk_u32 i = 0; i < count; i++) arcs[i] = (rk_arc){ drawn(&seed, nodes), drawn(&seed, nodes) };
        rk_graph g;
        assert_true(rk_graph_make(&g, nodes, arcs, count));
        search(nodes, arcs, count, reach);
        assert_as_searched(&g, nodes, reach, &seed);
        rk_graph_free(&g);
    }
}

static void a_row_of_thousands_that_closes_is_one_circle(void **state)
{
    (void)state;
    enum { LONG = 4095 };
    rk_arc *arcs = calloc(LONG, sizeof *arcs);
    assert_non_null(arcs);
    for (rk_u32 i = 0; i < LONG; i++) arcs[i] = (rk_arc){ i, (i + 1u) % LONG };
    for (rk_u32 closed = 0; closed < 2; closed++) {
        rk_graph g;
        assert_true(rk_graph_make(&g, LONG, arcs, LONG - 1u + closed));
        assert_int_equal(g.components, closed ? 1 : LONG);
        assert_int_equal(g.in_cycle[LONG / 2], closed);
        rk_graph_free(&g);
    }
    free(arcs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_of_all_kinds_are_as_a_plain_search_finds_them),
        cmocka_unit_test(a_row_of_thousands_that_closes_is_one_circle),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
