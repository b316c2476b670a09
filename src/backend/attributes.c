#include "attributes.h"

rk_status rk_check_backends(const rk_class *class, rk_u32 on, const char *name, const char *title)
{
    rk_u32 backends = class->attributes->backends;
    if (!backends || backends & on) return RK_OK;
    return rk_error(RK_UNSUPPORTED, "kernel '%s' says in .backends that it doesn't run on %s: add %s",
                    class->name, title, name);
}

rk_status rk_check_device_options(const rk_launch_options *options)
{
    if (!options->spmd_check) return RK_OK;
    return rk_error(RK_UNSUPPORTED,
                    "spmd_check: a device runs the threads of a batch as it likes, and once; use 0, and "
                    "check the kernel on the CPU");
}

rk_status rk_check_watched(const rk_runtime *runtime, const rk_launch_options *options)
{
    if (!options->handler_limit_ns || !runtime->options.single_step) return RK_OK;
    return rk_error(
        RK_UNSUPPORTED,
        "handler_limit_ns: a single-step runtime has no thread that could watch a handler; use 0");
}

rk_status rk_check_values(const rk_class *class)
{
    const rk_attributes *a = class->attributes;
    rk_status status = RK_OK;
    const struct {
        const char *name, *named;
        rk_u32 value, most;
    } values[] = {
        { ".messaging", "RK_MESSAGING_*", a->messaging, RK_MESSAGING_NCCL },
        { ".memory", "RK_RELEASE_ACQUIRE, RK_RELAXED_MEMORY, RK_SEQUENTIAL", a->memory, RK_SEQUENTIAL },
        { ".barrier", "RK_SCOPE_WARP, RK_SCOPE_BLOCK, RK_SCOPE_DEVICE", a->barrier, RK_SCOPE_DEVICE }
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].value > values[i].most)
            status = rk_error(RK_INVALID_OPTIONS, "kernel '%s': %s %u is none of %s", class->name,
                              values[i].name, values[i].value, values[i].named);
    if ((a->slice_messages || a->slice_us) && !a->event_driven)
        status = rk_error(
            RK_INVALID_OPTIONS,
            "kernel '%s': .slice_messages and .slice_us bound the slices of an event-driven kernel: set "
            ".event_driven = 1",
            class->name);
    if (a->event_driven && !a->slice_messages && !a->slice_us)
        status = rk_error(RK_INVALID_OPTIONS,
                          "kernel '%s': .event_driven without a bound would be one slice without end: set "
                          ".slice_messages or .slice_us",
                          class->name);
    return status;
}
