#include "resident.h"

#include "slices.h"

void rk_resident_order(const rk_host_kernel *kernel, rk_u32 leave)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++) rk_atomic_set_u32(&kernel->seats[s].orders->leave, leave);
}

void rk_resident_begin(const rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++) rk_atomic_set_u32(&kernel->seats[s].orders->gone, 0);
}

/* Has a block left shards behind? Those that are paused or have ended are done. */
static int is_parted(const rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        if (rk_atomic_u32(&kernel->seats[s].orders->gone) && rk_seat_wanted(&kernel->seats[s])) return 1;
    return 0;
}

/* Who waits for it to leave says so at any time, and then it isn't to come back. */
static void change(const rk_host_kernel *kernel, rk_u32 from, rk_u32 to)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_u32 leave = from;
        __atomic_compare_exchange_n(&kernel->seats[s].orders->leave, &leave, to, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE);
    }
}

void rk_resident_follow(const rk_host_kernel *kernel)
{
    if (is_parted(kernel)) change(kernel, 0, RK_LEAVE_AND_RETURN);
}

void rk_resident_ended(const rk_host_kernel *kernel) { change(kernel, RK_LEAVE_AND_RETURN, 0); }
