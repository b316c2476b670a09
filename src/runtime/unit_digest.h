/* The digest of a translation unit: of its text, and of every file that it could include.
 *
 * A compiler at run time tells no dependencies, so the #include lines are followed here, those that its
 * conditions leave out too: more than is compiled may change the digest, less never does. A unit whose includes
 * can't be told from its text (a macro names the file, a file is not to be found) has no digest, and is not
 * cached. */
#ifndef RK_RUNTIME_UNIT_DIGEST_H
#define RK_RUNTIME_UNIT_DIGEST_H

#include "digest.h"

/* Add the unit to the digest. "…" is looked for beside the file that includes it, then as <…> is: in `include`;
 * <…> that isn't there is the compiler's own. -1: it can't be told. */
int rk_unit_digest(const char *unit, const char *include, rk_digest *digest);

#endif
