#include "replace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "wiring.h"

/* `was` was replaced, by whichever kernel is in its place now. */
typedef struct rk_succession {
    rk_kernel was, now;
} rk_succession;

static int is_same(rk_kernel a, rk_kernel b) { return a.number == b.number && a.generation == b.generation; }

rk_kernel rk_replacement_of(rk_runtime *runtime, rk_kernel kernel)
{
    if (!rk_atomic_u32(&runtime->succession_count)) return kernel;
    pthread_mutex_lock(&runtime->list);
    for (rk_u32 i = 0; i < runtime->succession_count; i++)
        if (is_same(runtime->successions[i].was, kernel)) {
            kernel = runtime->successions[i].now;
            break;
        }
    pthread_mutex_unlock(&runtime->list);
    return kernel;
}

int rk_replaced_kernel(rk_runtime *runtime, rk_kernel now, rk_u32 index, rk_kernel *was)
{
    int found = 0;
    if (!rk_atomic_u32(&runtime->succession_count)) return 0;
    pthread_mutex_lock(&runtime->list);
    for (rk_u32 i = 0; i < runtime->succession_count && !found; i++) {
        if (!is_same(runtime->successions[i].now, now) || index-- > 0) continue;
        *was = runtime->successions[i].was;
        found = 1;
    }
    pthread_mutex_unlock(&runtime->list);
    return found;
}

/* Room for one more succession. 0: no memory. */
static int reserve_succession(rk_runtime *runtime)
{
    pthread_mutex_lock(&runtime->list);
    void *larger =
        realloc(runtime->successions, (runtime->succession_count + 1u) * sizeof *runtime->successions);
    if (larger) runtime->successions = larger;
    pthread_mutex_unlock(&runtime->list);
    return larger != 0;
}

static void succeed(rk_runtime *runtime, rk_kernel was, rk_kernel now)
{
    pthread_mutex_lock(&runtime->list);
    for (rk_u32 i = 0; i < runtime->succession_count; i++)
        if (is_same(runtime->successions[i].now, was)) runtime->successions[i].now = now;
    runtime->successions[runtime->succession_count] = (rk_succession){ was, now };
    rk_atomic_set_u32(&runtime->succession_count, runtime->succession_count + 1);
    pthread_mutex_unlock(&runtime->list);
}

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
    rk_kernel was = r->was;
    if (!reserve_succession(runtime))
        return rk_error(RK_OUT_OF_MEMORY, "'%s': no memory to replace it", r->id);
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
    if (status == RK_OK) succeed(runtime, was, *kernel);
    if (fresh && status != RK_OK) rk_kernel_end(fresh, rk_monotonic_ns());
    return status;
}
