/* Dead letters on the host: the newest of each kernel are kept, whole, with their reasons counted. */
#ifndef RK_RUNTIME_DEAD_LETTERS_H
#define RK_RUNTIME_DEAD_LETTERS_H

#include "core.h"

/* Keep a copy of a letter, the newest `dead_letter_capacity` of them, and say so where the launch options ask for
 * that. Any thread. */
void rk_letters_keep(rk_host_kernel *kernel, const rk_dead_letter *letter);
/* Forget all letters and counts, for a new launch. */
void rk_letters_clear(rk_host_kernel *kernel);
/* Letters that are kept at most. */
rk_u32 rk_letters_capacity(const rk_launch_options *options);

#endif
