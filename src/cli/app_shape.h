/* From the way that a person writes an app file to the one shape that a schema can describe.
 *
 *     kernels: { a: { … }, b: { … } }          →  kernels: [ { name: a, … }, { name: b, … } ]
 *     params: { window: 10 }                   →  params: [ { name: window, value: 10 } ]
 *     routes: [ x -> y, y -> z: { key: k } ]   →  routes: [ { from: x, to: y }, { from: y, to: z, key: k } ]
 *
 * Nodes keep their places, so later mistakes still name line and column of the file. */
#ifndef RINGKERNEL_CLI_APP_SHAPE_H
#define RINGKERNEL_CLI_APP_SHAPE_H

#include "app_tree.h"

/* Reshapes in place; what can't be is noted and taken out. False: a whole part is something else. */
bool app_shape(app_node *tree, app_mistakes *mistakes);

/* Puts "KERNEL.NAME=VALUE" over a reshaped tree: a key of the kernel, else one of its params
 * ("KERNEL.params.NAME=VALUE" always is). */
void app_shape_set(app_node *tree, const char *set, app_mistakes *mistakes);

#endif
