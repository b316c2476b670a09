/* What the mock OpenCL library is to do. By the environment when it is loaded, or by the functions that it exports
 * beside OpenCL's. It has one platform and one device, whose memory is the host's; its launches do the layout's check, or
 * give shards what a slice brings and answer, without a visit. */
#ifndef RINGKERNEL_TESTS_MOCK_OPENCL_H
#define RINGKERNEL_TESTS_MOCK_OPENCL_H

/* MOCK_OPENCL_PLATFORMS, MOCK_OPENCL_DEVICES: how many; MOCK_OPENCL_PLATFORM_NAME: of all; MOCK_OPENCL_EXTENSIONS: of the device; MOCK_OPENCL_COMPUTE: it is NVIDIA's,
 * of that compute capability (major), with OpenCL C 3.0 and without its orders. */

#define MOCK_LAUNCH_COMPLETES 0
#define MOCK_LAUNCH_NEVER_STARTS 1
#define MOCK_LAUNCH_NEVER_ENDS 2
#define MOCK_LAUNCH_FAILS 3   /* its event ends in CL_OUT_OF_RESOURCES */
#define MOCK_LAUNCH_WAITS 4   /* runs until `released` has its number */
#define MOCK_LAUNCH_IGNORES 5 /* completes, and no shard was served */

/* With MOCK_OPENCL_SHARES its device is a CPU of OpenCL 3.0 whose kernels see what the host writes, with
 * MOCK_OPENCL_UNITS compute units. Launches that stay: */
#define MOCK_STAY_BEGINS 0       /* until all shards are told to leave */
#define MOCK_STAY_NEVER_BEGINS 1 /* until `released` is not 0; then it begins, and ends if it was revoked */
#define MOCK_STAY_NEVER_LEAVES 2

typedef struct mock_opencl {
    /* The next calls of this function give this result. */
    const char *failing;
    int result;
    int launch;          /* atomic: MOCK_LAUNCH_*, of launches that serve a shard */
    int warm_up;         /* the same, of those that serve none */
    int works;           /* atomic: 1: a shard that was served says that its last visit still found work */
    int stay;            /* MOCK_STAY_* */
    int deaf;            /* 1: a running kernel does not see what the host writes */
    int probe_fails;     /* 1: the launches that try shared memory out end in CL_OUT_OF_RESOURCES */
    int hasty;           /* 1: the host sees what a kernel writes last before the rest */
    unsigned stays;      /* launches that stay, so far; atomic */
    unsigned revoked;    /* of them, those that began in vain; atomic */
    unsigned ends;       /* the number of a kernel whose shards end in the next launch; atomic */
    unsigned builds;     /* from source, so far */
    unsigned binaries;   /* from a binary */
    unsigned launches;   /* that serve a shard: numbers from 1 on */
    unsigned released;   /* launches that waited end up to this number */
    unsigned fails;      /* the number of one that then ends in CL_OUT_OF_RESOURCES */
    char options[4352];  /* of the last build */
    unsigned group_most; /* what any kernel is said to run in; 0: 256 */
    int copies_hang;     /* atomic; 1: what is copied from the device from now on never arrives */
    unsigned queues;     /* that were made and not released; atomic */
    unsigned promises_no_group; /* 1: what its code was built for isn't told */
} mock_opencl;

/* The mock's state; found by dlsym. */
typedef mock_opencl *(*mock_opencl_state_function)(void);

/* The bytes of a buffer, "mock_opencl_bytes". */
struct rk_cl_memory_;
typedef void *(*mock_opencl_bytes_function)(struct rk_cl_memory_ *memory);

#endif
