#include "replace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "wiring.h"

static rk_u64 *parameters_of(const rk_host_kernel *k)
{
    return (rk_u64 *)(void *)(k->runtime->arena.base + rk_layout_common(&k->layout, k->layout.parameters));
}

rk_replacement *rk_replace_begin(rk_host_kernel *k)
{
    rk_replacement *r = calloc(1, sizeof *r);
    if (r) r->parameters = malloc(8ull * (k->class->numbers + 1));
    if (!r || !r->parameters) {
        free(r);
        return 0;
    }
    memcpy(r->id, k->id, sizeof r->id);
    r->options = k->options;
    r->options.parameters = 0;
    r->options.parameter_count = 0;
    memcpy(r->parameters, parameters_of(k), 8ull * k->class->numbers);
    memcpy(r->connections, k->connections, sizeof r->connections);
    r->connection_count = k->connection_count;
    r->activated = rk_atomic_u32(&k->life) == RK_LIFE_ACTIVE;
    r->was = (rk_kernel){ k->number, k->generation };
    rk_kernel_end(k, rk_monotonic_ns());
    if (rk_atomic_u32(&k->life) == RK_LIFE_QUARANTINED) r->quarantined = k;
    return r;
}

void rk_replace_free(rk_replacement *r)
{
    if (r) free(r->parameters);
    free(r);
}

/* A kernel that is launched, and gets what the old one had. */
static rk_status equip(rk_replacement *r, rk_host_kernel *fresh, const rk_fresh_state *state,
                       rk_circle *circle)
{
    memcpy(parameters_of(fresh), r->parameters, 8ull * fresh->class->numbers);
    rk_status status = rk_kernel_restore(fresh, state);
    if (status == RK_OK) status = rk_kernel_store(fresh);
    if (status != RK_OK) return status;
    rk_host_kernel *quarantined = r->quarantined;
    rk_kernel was = r->was;
    r->quarantined = 0;
    r->was = (rk_kernel){ fresh->number, fresh->generation };
    return rk_wiring_replace(circle, was, quarantined, fresh, r->connections, r->connection_count);
}

rk_status rk_replace_finish(rk_runtime *runtime, rk_replacement *r, const rk_fresh_state *state,
                            rk_kernel *kernel)
{
    rk_circle circle;
    /* A stand-in for what was there: its number may be another's by now. */
    rk_host_kernel *stub = calloc(1, sizeof *stub);
    if (!stub) return rk_error(RK_OUT_OF_MEMORY, "'%s': no memory to replace it", r->id);
    stub->runtime = runtime;
    stub->number = r->was.number;
    memcpy(stub->connections, r->connections, sizeof stub->connections);
    stub->connection_count = r->connection_count;
    rk_status status = rk_circle_stop(stub, &circle);
    if (status != RK_OK) {
        free(stub);
        return status;
    }
    status = rk_kernel_launch(runtime, r->id, &r->options, kernel);
    rk_host_kernel *fresh = status == RK_OK ? runtime->kernels[kernel->number] : 0;
    if (fresh) status = equip(r, fresh, state, &circle);
    rk_circle_serve(&circle);
    free(stub);
    if (status == RK_OK && r->activated) status = rk_kernel_activate(fresh);
    if (fresh && status != RK_OK) rk_kernel_end(fresh, rk_monotonic_ns());
    return status;
}
