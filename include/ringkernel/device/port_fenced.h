/* Orders where atomics themselves are relaxed, in OpenCL C 1.2 and Metal: an order is a fence beside the access.
 *
 * The port that includes this has defined RK_PORT_FENCE(), and goes on to define the functions of 32 bits that are named
 * here, with RK_PORT_BEFORE and RK_PORT_AFTER, and what its language has of 64-bit read-modify-writes. */
#ifndef RINGKERNEL_DEVICE_PORT_FENCED_H
#define RINGKERNEL_DEVICE_PORT_FENCED_H

#if !defined(RK_PORT_ORDER_FENCE) /* of an acquire or a release, where the sequential order's costs more */
#define RK_PORT_ORDER_FENCE() RK_PORT_FENCE()
#endif

#define RK_PORT_AFTER(order)                              \
    if ((order) == RK_ACQUIRE || (order) == RK_ACQ_REL) { \
        RK_PORT_ORDER_FENCE();                            \
    } else if ((order) == RK_SEQ_CST) {                   \
        RK_PORT_FENCE();                                  \
    }
#define RK_PORT_BEFORE(order)                             \
    if ((order) == RK_RELEASE || (order) == RK_ACQ_REL) { \
        RK_PORT_ORDER_FENCE();                            \
    } else if ((order) == RK_SEQ_CST) {                   \
        RK_PORT_FENCE();                                  \
    }

RK_FN rk_u64 rk_port_load_u64(volatile RK_GLOBAL const rk_u64 *pointer, int order)
{
    rk_u64 value = *pointer;
    RK_PORT_AFTER(order);
    return value;
}
RK_FN void rk_port_store_u64(volatile RK_GLOBAL rk_u64 *pointer, rk_u64 value, int order)
{
    RK_PORT_BEFORE(order);
    *pointer = value;
}

#define rk_load_u32(pointer, order, scope) rk_port_load_u32(pointer, order)
#define rk_load_u64(pointer, order, scope) rk_port_load_u64(pointer, order)
#define rk_store_u32(pointer, value, order, scope) rk_port_store_u32(pointer, value, order)
#define rk_store_u64(pointer, value, order, scope) rk_port_store_u64(pointer, value, order)
#define rk_exchange_u32(pointer, value, order, scope) rk_port_exchange_u32(pointer, value, order)
#define rk_add_u32(pointer, value, order, scope) rk_port_add_u32(pointer, value, order)
#define rk_or_u32(pointer, value, order, scope) rk_port_or_u32(pointer, value, order)
#define rk_and_u32(pointer, value, order, scope) rk_port_and_u32(pointer, value, order)
#define rk_min_u32(pointer, value, order, scope) rk_port_min_u32(pointer, value, order)
#define rk_cas_u32(pointer, expected, value, order, scope) rk_port_cas_u32(pointer, expected, value)
#define rk_fence(order, scope) RK_PORT_FENCE()

#endif
