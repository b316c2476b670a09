/* The error stack: what failed, why and where, for the thread that called.
 *
 * A function that fails pushes one cause and returns its status; a caller that has something to add pushes
 * another. Public functions begin with rk_error_begin. They are exported for the libraries that stand beside the
 * core. */
#ifndef RK_RUNTIME_ERROR_H
#define RK_RUNTIME_ERROR_H

#include <ringkernel/runtime.h>

RK_API void rk_error_begin(void);
/* Push a cause (printf style) and return `status`, so that it reads: return rk_error(RK_FULL, "…"). */
RK_API rk_status rk_error(rk_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Of two findings about one call: the first decides, but what is invalid weighs more than what is merely not
 * had. */
static inline rk_status rk_error_also(rk_status found, rk_status next)
{
    return found == RK_OK || next == RK_INVALID_OPTIONS ? next : found;
}
/* Push a line beneath the last cause. */
RK_API void rk_error_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
