#include "probes.h"

rk_status send_probe(contract *c, rk_kernel k, rk_u32 number)
{
    probe p = { number, 0 };
    return rk_send(c->runtime, k, RK_BODY(p), 0);
}

void assert_next(contract *c, rk_kernel k, rk_u32 number)
{
    probe p;
    receive(c, k, &p);
    assert_int_equal(p.number, number);
}

void assert_serves(contract *c, rk_kernel k, rk_u32 number)
{
    assert_ok(send_probe(c, k, number));
    assert_next(c, k, number);
}

rk_status tick_actor(contract *c, rk_kernel k, rk_u32 actor, rk_u64 id)
{
    tick t = { actor, 0 };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.target = actor;
    s.id = id;
    return rk_send(c->runtime, k, RK_BODY(t), &s);
}
