#include "attributes.h"

rk_status rk_check_backends(const rk_class *class, rk_u32 on, const char *name, const char *title)
{
    rk_u32 backends = class->attributes->backends;
    if (!backends || backends & on) return RK_OK;
    return rk_error(RK_UNSUPPORTED, "kernel '%s' says in .backends that it doesn't run on %s: add %s",
                    class->name, title, name);
}

rk_status rk_check_values(const rk_class *class)
{
    const rk_attributes *a = class->attributes;
    rk_status status = RK_OK;
    if (a->messaging > RK_MESSAGING_NCCL || a->memory > RK_SEQUENTIAL || a->barrier > RK_SCOPE_DEVICE)
        status = rk_error(RK_INVALID_OPTIONS,
                          "kernel '%s': .messaging, .memory or .barrier is not one of the named values",
                          class->name);
    if ((a->slice_messages || a->slice_us) && !a->event_driven)
        status = rk_error(
            RK_INVALID_OPTIONS,
            "kernel '%s': .slice_messages and .slice_us bound the slices of an event-driven kernel: set "
            ".event_driven = 1",
            class->name);
    return status;
}
