/* Devices whose atomics have 32 bits: a counter of 64 is added to by halves. There is no compare-and-swap of 64 bits; who
 * needs one, which is a plain lane with several producers, has the lane's lock instead. */
#ifndef RINGKERNEL_DEVICE_PORT_HALVES_H
#define RINGKERNEL_DEVICE_PORT_HALVES_H

#define RK_NO_CAS_U64 1

/* Right once all that add to it have. What was there before is not to be had. */
RK_FN void rk_port_add_u64(volatile RK_GLOBAL rk_u64 *pointer, rk_u64 value)
{
    volatile RK_GLOBAL rk_u32 *halves = (volatile RK_GLOBAL rk_u32 *)pointer;
    rk_u32 low = (rk_u32)value, before = rk_port_add_u32(halves, low, RK_RELAXED);
    rk_u32 carried = (rk_u32)(value >> 32) + (before + low < before ? 1u : 0u);
    if (carried) rk_port_add_u32(halves + 1, carried, RK_RELAXED);
}

#define rk_add_u64(pointer, value, order, scope) rk_port_add_u64(pointer, value)

#endif
