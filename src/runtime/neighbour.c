#include "neighbour.h"

#include "wiring.h"

/* Messages that `from` has sent to `to`; *routes counts the connections that lead there. */
static rk_u64 sent_to(const rk_host_kernel *from, const rk_host_kernel *to, rk_u32 *routes)
{
    rk_u64 sent = 0;
    for (rk_u32 c = 0; c < from->connection_count; c++) {
        if (from->connections[c].to != to->number || from->connections[c].to_generation != to->generation)
            continue;
        sent += rk_wiring_sent(from, c);
        *routes += 1;
    }
    return sent;
}

static int can_be_beside(const rk_host_kernel *other)
{
    const rk_u32 life = other ? rk_atomic_u32(&other->life) : RK_LIFE_QUARANTINED;
    return life == RK_LIFE_LAUNCHED || life == RK_LIFE_ACTIVE || life == RK_LIFE_INACTIVE;
}

rk_u32 rk_neighbour_place(const rk_host_kernel *k)
{
    const rk_runtime *runtime = k->runtime;
    const rk_host_kernel *busiest = 0;
    rk_u64 most = 0;
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_host_kernel *other = runtime->kernels[n];
        rk_u32 routes = 0;
        if (other == k || !can_be_beside(other)) continue;
        const rk_u64 exchanged = sent_to(k, other, &routes) + sent_to(other, k, &routes);
        if (!routes) continue;
        if (!busiest || exchanged > most || (exchanged == most && other->seat_count > busiest->seat_count)) {
            busiest = other;
            most = exchanged;
        }
    }
    return busiest ? busiest->layout.place : k->layout.place;
}
