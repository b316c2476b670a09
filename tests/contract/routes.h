/* A route: a source sends what is ordered to a target, and what the target saw is looked through. */
#ifndef RINGKERNEL_TESTS_ROUTES_H
#define RINGKERNEL_TESTS_ROUTES_H

#include "lines.h"

/* A source of the kind of "dispatch", and a target of "carry". */
typedef struct routed {
    contract *c;
    rk_kernel source, target;
    rk_u64 sent;
} routed;

/* Options of a kernel without a window, with room for all that it sends to the host. */
rk_launch_options spacious(const char *kernel);

/* Have the source send a package. */
void order(routed *r, rk_u64 number, rk_u32 sender, rk_u32 target);
/* What the target saw, once it has seen `count`. The caller frees it. */
sighting *seen_by(contract *c, rk_kernel target, size_t count);
/* Both are gone. */
void close_route(routed *r);

#endif
