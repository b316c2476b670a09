/* The messages of the network that reads digits. They are the columns of the files, too: a row of
 * weights.csv is a weight_row, a row of images.csv an image, a row of the answers a guess. */
#ifndef DIGITS_RK_H
#define DIGITS_RK_H

#include <ringkernel/kernel.h>

#define PIXELS 64u     /* of an image, 8 × 8, each from 0 to 16 */
#define HIDDEN 32u     /* units of the hidden layer */
#define DIGITS 10u     /* units of the output: 0 to 9 */
#define MOST_BATCH 64u /* images that are looked at together, at most */

/* Row `row` of a layer's weights: of layer 0 (HIDDEN rows) one for each pixel, of layer 1 (DIGITS rows)
 * the first HIDDEN. */
RK_MESSAGE(weight_row, 1, (rk_u32, layer), (rk_u32, row), (rk_f32, bias), (rk_f32, weight, PIXELS))

/* A shard to the host: it has all its weights. */
RK_MESSAGE(loaded, 2, (rk_u32, shard))

/* An image, and what it shows, which is only passed on. */
RK_MESSAGE(image, 3, (rk_u32, number), (rk_u32, label), (rk_u8, pixel, PIXELS))

/* What the network says: the digit with the largest logit. */
RK_MESSAGE(guess, 4, (rk_u32, number), (rk_u32, label), (rk_u32, digit), (rk_u32, batch),
           (rk_f32, logit, DIGITS))

#endif
