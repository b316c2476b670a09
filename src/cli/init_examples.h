/* The examples that `rk init --from NAME` copies: those of the source tree, or of where ringkernel is
 * installed, that are apps. */
#ifndef RINGKERNEL_CLI_INIT_EXAMPLES_H
#define RINGKERNEL_CLI_INIT_EXAMPLES_H

#include <stdbool.h>

/* The folder of an example; the caller frees it. NULL: there is none of the name. */
char *init_example_find(const char *name);

/* Their names, as "a, b, c", in order; the caller frees it. "" where none are found. */
char *init_example_names(void);

/* Does nothing in `to` have the place of a file of the example? The first that does is told. */
bool init_example_fits(const char *from, const char *to);

/* Copies all its files to `to`, which is there, and prints their paths. False: it failed, and was told. */
bool init_example_copy(const char *from, const char *to);

#endif
