/* NVRTC, loaded at run time: compiles a unit that src/codegen rendered into what the driver loads.
 *
 * Straight into machine code where this NVRTC knows the device's architecture, else into PTX of the newest
 * that it knows and the device is no older than, which the driver's own assembler finishes. */
#ifndef RK_BACKEND_CUDA_NVRTC_H
#define RK_BACKEND_CUDA_NVRTC_H

#include <ringkernel/device/types.h>
#include <ringkernel/status.h>

#include "nvrtc_abi.h"

/* The device headers use the atomics that the compiler has built in, which it has from 12.8 on. */
#define RK_NVRTC_MINIMUM 12080
#define RK_NVRTC_ARCHITECTURES 64

typedef struct rk_nvrtc {
    int version; /* 13000 is 13.0 */
    int architecture_count;
    int architectures[RK_NVRTC_ARCHITECTURES]; /* that it makes machine code for: 90 is sm_90; rising */
#define RK_NVRTC_MEMBER_(name, parameters) rk_##name name;
    RK_NVRTC_FUNCTIONS(RK_NVRTC_MEMBER_)
} rk_nvrtc;

/* Load the newest NVRTC whose code a driver of this CUDA version takes; 0: any. `library`: its file; NULL: the
 * system's, $CUDA_HOME's or one below /usr/local. Any thread. RK_UNSUPPORTED: there is none, or none that is
 * new enough and not too new; the error says where was looked and what was found. */
rk_status rk_nvrtc_load(const char *library, int driver_version, rk_nvrtc *nvrtc);

typedef struct rk_nvrtc_target {
    rk_u32 architecture;
    rk_u32 is_ptx;
    rk_u32 is_quick; /* only to know whether it compiles: not optimised, if this NVRTC can leave that out */
} rk_nvrtc_target;

/* What to compile for a device of that architecture. RK_UNSUPPORTED: it is older than all that this NVRTC
 * compiles for. */
rk_status rk_nvrtc_target_for(const rk_nvrtc *nvrtc, rk_u32 architecture, rk_nvrtc_target *target);

/* The options that a target is compiled with, as NVRTC takes them. */
#define RK_NVRTC_OPTIONS 5
typedef struct rk_nvrtc_options {
    const char *option[RK_NVRTC_OPTIONS];
    char architecture[64];
    char include[4200];
} rk_nvrtc_options;
void rk_nvrtc_options_for(const rk_nvrtc *nvrtc, const rk_nvrtc_target *target, const char *include,
                          rk_nvrtc_options *options);

/* What the driver loads. */
typedef struct rk_device_code {
    char *bytes; /* PTX ends in a NUL, which `size` counts */
    size_t size;
    rk_nvrtc_target target;
    char *log; /* what the compiler said: warnings, or "" */
} rk_device_code;
void rk_device_code_free(rk_device_code *code);

/* Compile a whole unit; `include` is the folder of ringkernel's headers. Any thread. Unless RK_OK, *code is
 * empty.
 *     RK_COMPILE_FAILED   the source is wrong; the compiler's words, with file and line, are the error
 *     RK_OUT_OF_MEMORY
 *     RK_UNSUPPORTED      this NVRTC is not complete, or doesn't know an option
 *     RK_INTERNAL         NVRTC failed otherwise */
rk_status rk_nvrtc_compile(const rk_nvrtc *nvrtc, const char *unit, const rk_nvrtc_target *target,
                           const char *include, rk_device_code *code);

#endif
