/* Limits of options, and their validation for the rest of the runtime. */
#ifndef RK_RUNTIME_OPTIONS_H
#define RK_RUNTIME_OPTIONS_H

#include <ringkernel/options.h>

#define RK_CAPACITY_MIN 16u
#define RK_CAPACITY_MAX 1048576u
#define RK_WINDOW_MIN 16u
#define RK_WINDOW_MAX 1024u
#define RK_SHARDS_MAX 4096u
#define RK_BATCH_MAX 4096u
#define RK_POOL_BLOCKS_MAX 1048576u
#define RK_DEAD_LETTERS_MAX 1048576u
#define RK_WORKERS_MAX 1024u
#define RK_ARENA_DEFAULT (1ull << 36) /* bytes of a runtime's launches, where no ceiling is given */
#define RK_CEILING_MAX (1ull << 46)   /* half of the addresses that a process has */
#define RK_SENDS_MAX 4096u            /* of one handler call */
#define RK_SHARED_MAX (16u << 20)     /* bytes of block-shared memory */

/* An option structure's size and unknown tail. Exported, for the libraries that stand beside the core. */
RK_API rk_status rk_check_size(const void *options, size_t size, const char *what);
/* All mistakes go on the error stack, those of fields beneath one line. */
rk_status rk_validate_runtime(const rk_runtime_options *options);
/* All mistakes go on the error stack beneath one line. Clamps the window and fills the bands' boundaries. */
rk_status rk_validate_launch(rk_launch_options *options);

#endif
