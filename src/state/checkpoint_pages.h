/* A look at all pages of an LMDB file before LMDB uses it. LMDB trusts its pages: one that is damaged makes it read
 * beyond the map, run in a circle, or find nothing where there is something. Values have checksums of their own
 * (checkpoint_store.h); this is for what lies around them. */
#ifndef RK_STATE_CHECKPOINT_PAGES_H
#define RK_STATE_CHECKPOINT_PAGES_H

#include <ringkernel/status.h>

/* RK_CORRUPT: it is cut, or a page isn't what others say of it. A file that isn't there, is empty or isn't of the form
 * that is known here is RK_OK: LMDB says what it thinks of it. Nobody else writes to it meanwhile. */
rk_status rk_pages_check(const char *path);

#endif
