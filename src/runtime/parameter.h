/* Parameters of a launch: text to the value of its kind, into the table that handlers read. */
#ifndef RK_RUNTIME_PARAMETER_H
#define RK_RUNTIME_PARAMETER_H

#include "core.h"

/* Can these be given to a kernel of the class? RK_INVALID_OPTIONS: each that can't is on the error stack. */
rk_status rk_parameters_check(const rk_class *class, const rk_parameter *given, size_t count);
/* Fill the kernel's table: with the defaults, or what `from`, of the same class, has. */
void rk_parameters_begin(rk_host_kernel *kernel, const rk_host_kernel *from);
/* And put in what was given, which has been checked. */
void rk_parameters_set(rk_host_kernel *kernel, const rk_parameter *given, size_t count);

#endif
