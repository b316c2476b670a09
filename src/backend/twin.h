/* Lanes between the host and a device with memory of its own: a header on each side.
 *
 * At rest the host's header is right; while the kernel is served each side writes its own words into its own. So
 * serving begins with the device's headers made from the host's, and a look ends with the device's counts put into
 * the host's. All of this is about the image, see arena.h: who fetches and stores it is the backend. */
#ifndef RK_BACKEND_TWIN_H
#define RK_BACKEND_TWIN_H

#include "../runtime/core.h"

/* The device's own header of a lane to or from the host, in the image. */
rk_lane *rk_twin_lane(const rk_seat *seat, rk_u32 which);
/* Make the device's headers of the three lanes from the host's. */
void rk_twin_make(const rk_seat *seat);
/* What the consumer of a host lane counted. Not its head, which says that slots are free. */
void rk_twin_take_consumer(const rk_seat *seat);
/* What the producer of the lanes to the host did. */
void rk_twin_take_producer(const rk_seat *seat);
/* Into the image, of which other threads read counters meanwhile: whole words, and only those that differ. */
void rk_twin_show(rk_byte *to, const rk_byte *from, rk_u64 size);

#endif
