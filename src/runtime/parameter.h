/* Parameters of a launch: text to the value of its kind, into the table that handlers read. */
#ifndef RK_RUNTIME_PARAMETER_H
#define RK_RUNTIME_PARAMETER_H

#include "core.h"

/* Fill the kernel's table: defaults, then what was given. All mistakes are reported together. */
rk_status rk_parameters_set(rk_host_kernel *kernel, const rk_parameter *given, size_t count);

#endif
