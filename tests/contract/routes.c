#include "routes.h"

#include <stdlib.h>

rk_launch_options spacious(const char *kernel)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.output_capacity = 1024;
    o.kernel_name = kernel;
    return o;
}

void order(routed *r, rk_u64 number, rk_u32 sender, rk_u32 target)
{
    work_order o = { .number = number, .sender = sender, .target = target };
    assert_ok(rk_send(r->c->runtime, r->source, RK_BODY(o), 0));
    r->sent++;
}

sighting *seen_by(contract *c, rk_kernel target, size_t count)
{
    sighting *seen = calloc(count + 1, sizeof *seen);
    assert_non_null(seen);
    for (size_t i = 0; i < count; i++) {
        receive(c, target, &seen[i]);
        assert_int_equal(seen[i].wrong, 0);
    }
    wait_until(c, is_at_rest(c, target));
    assert_status(rk_receive(c->runtime, target, &seen[count], sizeof *seen, 0, RK_NO_WAIT), RK_EMPTY);
    return seen;
}

void close_route(routed *r)
{
    assert_ok(rk_terminate(r->c->runtime, r->source, CONTRACT_PATIENCE));
    assert_ok(rk_terminate(r->c->runtime, r->target, CONTRACT_PATIENCE));
}
