/* The examples that `rk init --from NAME` copies: those of the source tree, or of where ringkernel is
 * installed. They are apps, or programs, which have a CMakeLists.txt; a program gets the header, too, that
 * programs share and that lies beside their folders. */
#ifndef RINGKERNEL_CLI_INIT_EXAMPLES_H
#define RINGKERNEL_CLI_INIT_EXAMPLES_H

#include <stdbool.h>

/* The folder of an example; the caller frees it. NULL: there is none of the name. */
char *init_example_find(const char *name);

/* Their names, as "a, b, c", in order; the caller frees it. "" where none are found. */
char *init_example_names(void);

/* Not an app: it is built, and not run by `rk`. */
bool init_example_is_program(const char *example);

/* Does nothing in `to` have the place of a file of the example? The first that does is told. */
bool init_example_fits(const char *from, const char *to);

/* Copies all its files to `to`, which is there (init_made.h has them). False: it failed, and was told. */
bool init_example_copy(const char *from, const char *to);

#endif
