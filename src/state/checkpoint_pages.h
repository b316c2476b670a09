/* A look at all pages of an LMDB file before LMDB uses it. LMDB trusts its pages: one that is damaged makes it read
 * beyond the map, run in a circle, or find nothing where there is something. Values have checksums of their own
 * (checkpoint_store.h); this is for what lies around them. */
#ifndef RK_STATE_CHECKPOINT_PAGES_H
#define RK_STATE_CHECKPOINT_PAGES_H

#include <ringkernel/status.h>

#define RK_PAGES_LOST 192u

/* RK_CORRUPT: it is cut, or a page isn't what others say of it. A file that isn't there, is empty or isn't of the form
 * that is known here is RK_OK: LMDB says what it thinks of it. Nobody else writes to it meanwhile.
 *
 * LMDB overwrites nothing that the transaction before the newest one has. Where that one is whole, the newest one is not,
 * and the one before has entries in `table`, the file is put back to it: RK_OK, and `lost` says what is damaged ("":
 * nothing). Without entries it is RK_CORRUPT: a damaged store is never taken for an empty one. */
rk_status rk_pages_check(const char *path, const char *table, char lost[RK_PAGES_LOST]);

#endif
