/* What an app file may hold, as libcyaml's schema: the one table for the check of a tree, for filling the
 * structures, and for `--set`. */
#ifndef RINGKERNEL_CLI_APP_SCHEMA_H
#define RINGKERNEL_CLI_APP_SCHEMA_H

#include "app.h"

/* Every mistake of a tree in the one shape: unknown and missing keys, values of another type, words that
 * aren't a choice. They are taken out of the tree; false: too little is left to be filled in. */
bool app_schema_check(app_node *tree, app_mistakes *mistakes);

/* Fills the structures from a checked tree. NULL: libcyaml refused it, mistakes has its words. */
app_file *app_schema_load(const app_node *tree, app_mistakes *mistakes);
void app_schema_free(app_file *file);

/* Is this a key of a kernel (and not of its params)? */
bool app_schema_is_kernel_key(const char *key);
/* Is its value a list? */
bool app_schema_is_list(const char *key);
/* Of a name that is no such key: where it belongs, if people look for it here, else the options that there
 * are. The caller frees it. */
char *app_schema_no_option(const char *name);

/* Copies the launch options whose keys stand in a kernel's tree. */
void app_schema_apply(const app_node *kernel, const app_kernel *from, rk_launch_options *to);

/* The key of a field of rk_launch_options ("queue_capacity": "capacity"); NULL: the file has none for it. */
const char *app_schema_key_of(const char *field);

#endif
