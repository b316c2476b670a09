/* The text that a device's compiler gets for one kernel: its source is read again, and rendered. */
#ifndef RK_BACKEND_UNIT_SOURCE_H
#define RK_BACKEND_UNIT_SOURCE_H

#include "../runtime/core.h"

/* `backend` in the words of src/codegen/render.h; `head` comes first in the unit. *unit is the caller's to free.
 * RK_IO: the source can't be read. Otherwise what rk_render_unit gives. */
rk_status rk_unit_source(const rk_class *class, const char *backend, const char *head, char **unit);

#endif
