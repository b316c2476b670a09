/* What moves from one launch of a kernel to another, a thing at a time: messages, ids that are remembered, counts.
 * For a relaunch (relaunch.c) and for what is restored (state/snapshot_restore.c). The shard isn't served. */
#ifndef RK_RUNTIME_CARRY_H
#define RK_RUNTIME_CARRY_H

#include "core.h"

/* Put a message into a lane that has room, in that lane's form and band. `payload` is read in whole words. */
void rk_carry_message(rk_lane *to, rk_byte *arena, const rk_header_long *header, const rk_u64 *payload);
/* Remember an id, unless the lane keeps no window or knows it. Oldest first. */
void rk_carry_id(rk_lane *to, rk_byte *arena, rk_u64 id);
/* Number of the oldest id that a lane still remembers; they end with window_count. */
static inline rk_u64 rk_window_first(const rk_lane *lane)
{
    return lane->window_count < lane->window ? 0 : lane->window_count - lane->window;
}
/* Add the plain counters of a meter, all that lies before its histograms. */
void rk_carry_counters(rk_meter *to, const rk_meter *from);

#endif
