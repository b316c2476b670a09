/* What no device takes of a kernel's attributes, in the same words for all. */
#ifndef RK_BACKEND_ATTRIBUTES_H
#define RK_BACKEND_ATTRIBUTES_H

#include "../runtime/core.h"

/* RK_UNSUPPORTED where .backends leaves this one out: `on` is its RK_ON_…, `name` as that is written, `title` as people
 * say it. */
rk_status rk_check_backends(const rk_class *class, rk_u32 on, const char *name, const char *title);
/* RK_UNSUPPORTED: options that only threads of the CPU can keep. */
rk_status rk_check_device_options(const rk_launch_options *options);
/* RK_UNSUPPORTED: the limit of a handler, where nobody watches. */
rk_status rk_check_watched(const rk_runtime *runtime, const rk_launch_options *options);
/* RK_INVALID_OPTIONS: values that aren't, bounds of slices where there are none, slices without bounds. */
rk_status rk_check_values(const rk_class *class);

#endif
