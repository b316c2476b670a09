/* What many cases begin with: a probe that is sent and comes back, and the gate that handlers
 * of "held" wait at. */
#ifndef RINGKERNEL_TESTS_PROBES_H
#define RINGKERNEL_TESTS_PROBES_H

#include "contract.h"

#include "../kernels/contract_a.rk.h"

rk_status send_probe(contract *c, rk_kernel k, rk_u32 number);
/* The next message of the kernel is the probe of this number. */
void assert_next(contract *c, rk_kernel k, rk_u32 number);
/* The kernel handles a probe and sends it back. */
void assert_serves(contract *c, rk_kernel k, rk_u32 number);

static inline rk_u32 control(const rk_u32 *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void set_control(rk_u32 *word, rk_u32 value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
#define IN_HANDLERS control(&contract_controls.inside)
#define CLOSE_GATE() set_control(&contract_controls.closed, 1)
#define OPEN_GATE() contract_control_open()

/* A tick for one actor, with an id that a window may know already. */
rk_status tick_actor(contract *c, rk_kernel k, rk_u32 actor, rk_u64 id);

#endif
