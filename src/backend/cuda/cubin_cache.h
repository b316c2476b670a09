/* Device code from the cache, or compiled into it.
 *
 * A file is named by the digest of all that decides what is in it: the unit and what it includes, the options
 * with the architecture, and NVRTC's version. It begins with its own length and digest, so one that a crash
 * or a full disk has cut is compiled again. Several processes may do all this at once. */
#ifndef RK_BACKEND_CUDA_CUBIN_CACHE_H
#define RK_BACKEND_CUDA_CUBIN_CACHE_H

#include "nvrtc.h"

typedef enum rk_code_origin {
    RK_CODE_FROM_CACHE,
    RK_CODE_COMPILED, /* and now in the cache */
    RK_CODE_NOT_KEPT  /* compiled, and the cache doesn't have it: see `note` */
} rk_code_origin;

typedef struct rk_code_request {
    const char *unit;         /* as src/codegen renders it */
    const char *include;      /* folder of ringkernel's headers */
    const char *cache_folder; /* rk_cache_folder names it; NULL: no cache */
    rk_u32 architecture;      /* of the device: 90 is 9.0 */
} rk_code_request;

/* The code for the request, to be freed by rk_device_code_free. `note` says why it is not kept, else "". A cache
 * that can't be read or written is no error. Any thread, any process; takes seconds when it compiles.
 * What rk_nvrtc_target_for and rk_nvrtc_compile give; RK_IO: a file of it changes again and again meanwhile. */
#define RK_CODE_NOTE_ROOM 512
rk_status rk_device_code_get(const rk_nvrtc *nvrtc, const rk_code_request *request, rk_device_code *code,
                             rk_code_origin *origin, char note[RK_CODE_NOTE_ROOM]);

#endif
