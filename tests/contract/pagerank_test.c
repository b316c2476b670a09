/* The kernels of examples/pagerank on small graphs whose ranks are known: the same by any number of parts. */
#include "contract.h"

#include "../../examples/pagerank/edge.rk.h"

#include <math.h>
#include <stdlib.h>

typedef struct ranking {
    contract *c;
    rk_kernel spread, rank;
} ranking;

static rk_launch_options of(const char *kernel, rk_u32 shards)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = kernel;
    o.shards = o.blocks = shards;
    return o;
}

static ranking open_ranking(contract *c, rk_u32 parts)
{
    rk_launch_options o = of("spread", 1);
    ranking r = { .c = c };
    r.spread = launch(c, "spread", "spread", &o);
    o = of("rank", parts);
    r.rank = launch(c, "rank", "rank", &o);
    rk_route_options to_all = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_ALL };
    assert_ok(rk_connect(c->runtime, r.spread, 0, r.rank, 0));
    assert_ok(rk_connect(c->runtime, r.spread, "begin", r.rank, &to_all));
    assert_ok(rk_connect(c->runtime, r.rank, 0, r.rank, 0));
    assert_ok(rk_activate(c->runtime, r.spread));
    assert_ok(rk_activate(c->runtime, r.rank));
    return r;
}

static void send_edges(ranking *r, const edge *edges, rk_u32 count)
{
    for (rk_u32 i = 0; i < count; i++) assert_ok(rk_send(r->c->runtime, r->spread, RK_BODY(edges[i]), 0));
}

static void drain(ranking *r)
{
    rk_kernel both[] = { r->spread, r->rank };
    assert_ok(rk_drain(r->c->runtime, both, 2, CONTRACT_PATIENCE));
}

static void close_ranking(ranking *r)
{
    assert_ok(rk_terminate(r->c->runtime, r->spread, CONTRACT_PATIENCE));
    assert_ok(rk_terminate(r->c->runtime, r->rank, CONTRACT_PATIENCE));
}

/* When all edges are there, then the ranks are these, and nothing else comes. */
static void drain_and_check(ranking *r, const double *expected, rk_u32 vertices)
{
    rk_u32 came = 0;
    drain(r);
    for (rk_u32 v = 0; v < vertices; v++) {
        ranked got;
        assert_ok(rk_receive(r->c->runtime, r->rank, &got, sizeof got, 0, RK_NO_WAIT));
        assert_in_range(got.node, 0, vertices - 1);
        assert_int_equal(came >> got.node & 1u, 0);
        came |= 1u << got.node;
        assert_true(fabs((double)got.rank_billionths / 1e9 - expected[got.node]) < 1e-5);
    }
    ranked more;
    assert_status(rk_receive(r->c->runtime, r->rank, &more, sizeof more, 0, RK_NO_WAIT), RK_CLOSED);
    close_ranking(r);
}

static void check_ranks(contract *c, const edge *edges, rk_u32 edge_count, const double *expected,
                        rk_u32 vertices)
{
    static const rk_u32 parts[] = { 1, 3, 7 };
    for (rk_u32 i = 0; i < 3; i++) {
        ranking r = open_ranking(c, parts[i]);
        send_edges(&r, edges, edge_count);
        drain_and_check(&r, expected, vertices);
    }
}

static const edge known_edges[] = { { 0, 1 }, { 0, 2 }, { 1, 2 }, { 2, 0 }, { 3, 0 }, { 3, 1 }, { 3, 2 } };
static const double known_ranks[] = { 1.492990, 0.827021, 1.529989, 0.150000 };

static void the_known_graph_has_its_known_ranks(contract *c)
{
    check_ranks(c, known_edges, 7, known_ranks, 4);
}

/* Given edges that wait for one of the kernels, when it fails with the first of them, handled and not committed, and is
 * launched again, then that edge counts once. (All edges twice would be the same ranks.) */
static void an_edge_that_comes_again_counts_once(contract *c)
{
    for (rk_u32 which = 0; which < 2; which++) {
        ranking r = open_ranking(c, 1);
        const rk_kernel k = which ? r.rank : r.spread;
        rk_launch_options o = of(which ? "rank" : "spread", 1);
        o.max_batch = 1;
        assert_ok(rk_deactivate(c->runtime, k));
        assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
        send_edges(&r, known_edges, 7);
        wait_until(c, account_of(c, k).queued == 7);
        assert_ok(rk_fail_before_commit(c->runtime, k));
        assert_ok(rk_activate(c->runtime, k));
        wait_until(c, info_of(c, k).life == RK_LIFE_FAILED);
        assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
        drain_and_check(&r, known_ranks, 4);
    }
}

static void a_vertex_without_edges_gives_to_all(contract *c)
{
    /* x = 0.15 + 0.85 y / 2, y = 0.15 + 0.85 (x + y / 2) */
    static const edge edges[] = { { 0, 1 } };
    static const double expected[] = { 0.1500 + 0.425 * 1.2982456, 1.2982456 };
    check_ranks(c, edges, 1, expected, 2);
}

static void an_edge_that_has_no_room_leaves_no_ranks_rather_than_wrong_ones(contract *c)
{
    ranking r = open_ranking(c, 2);
    static const edge edges[] = { { 0, 1 }, { 1, 0 }, { 70000, 1 } };
    send_edges(&r, edges, 3);
    drain(&r);
    ranked got;
    assert_status(rk_receive(c->runtime, r.rank, &got, sizeof got, 0, RK_NO_WAIT), RK_CLOSED);
    assert_int_equal(account_of(c, r.rank).dead_letters, 3); /* the edge, and that both parts can't begin */
    close_ranking(&r);
}

static void a_graph_without_edges_has_no_ranks(contract *c)
{
    ranking r = open_ranking(c, 2);
    drain(&r);
    ranked got;
    assert_status(rk_receive(c->runtime, r.rank, &got, sizeof got, 0, RK_NO_WAIT), RK_CLOSED);
    assert_int_equal(account_of(c, r.rank).dead_letters, 0);
    close_ranking(&r);
}

static const contract_case cases[] = {
    { CASE(the_known_graph_has_its_known_ranks), NEEDS_REGIONS },
    { CASE(an_edge_that_comes_again_counts_once), NEEDS_REGIONS },
    { CASE(a_vertex_without_edges_gives_to_all), NEEDS_REGIONS },
    { CASE(an_edge_that_has_no_room_leaves_no_ranks_rather_than_wrong_ones), NEEDS_REGIONS },
    { CASE(a_graph_without_edges_has_no_ranks), NEEDS_REGIONS },
};

CONTRACT_MAIN("pagerank", cases)
