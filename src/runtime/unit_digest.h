/* The digest of a translation unit: of its text, and of every file that it could include.
 *
 * A compiler at run time tells no dependencies, so the #include lines are followed here, those that its
 * conditions and comments leave out too: more than is compiled may change the digest, less never does. A unit of
 * which a macro names a file has no digest, and is not cached. */
#ifndef RK_RUNTIME_UNIT_DIGEST_H
#define RK_RUNTIME_UNIT_DIGEST_H

#include "digest.h"

/* Add the unit to the digest. "…" is looked for beside the file that includes it, then as <…> is: in `include`,
 * as NVRTC does; what isn't there is the compiler's own, or not compiled. -1: it can't be told. */
int rk_unit_digest(const char *unit, const char *include, rk_digest *digest);

/* Call `visit` with the path of each file that the unit could include, once each; those that a macro names are left
 * out. */
typedef void rk_unit_visitor(void *user, const char *path);
void rk_unit_files(const char *unit, const char *include, rk_unit_visitor *visit, void *user);

#endif
