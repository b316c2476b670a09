/* The device's side of the layout check (layout.h), by one thread: RK_LAYOUT_WORDS words, or what there is room for. */
#ifndef RINGKERNEL_DEVICE_LAYOUT_CHECK_H
#define RINGKERNEL_DEVICE_LAYOUT_CHECK_H

#include "layout.h"

#if !defined(RK_LANG_HOST)
#define RK_LAYOUT_SIZE_(type) (rk_u32)sizeof(type),
#define RK_LAYOUT_OFFSET_(type, field) (rk_u32) RK_OFFSET_OF(type, field),
#if defined(RK_LANG_METAL)
RK_KERNEL rk_layout_check(device rk_u32 *words [[buffer(0)]], constant rk_u32 &room [[buffer(1)]])
#else
RK_KERNEL rk_layout_check(RK_GLOBAL rk_u32 *words, rk_u32 room)
#endif
{
    const rk_u32 layout[] = { RK_WIRE_VERSION, RK_LAYOUT(RK_LAYOUT_SIZE_, RK_LAYOUT_OFFSET_) };
    for (rk_u32 i = 0; i < RK_LAYOUT_WORDS && i < room; i++) words[i] = layout[i];
}
#endif

#endif
