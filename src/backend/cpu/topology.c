#include "topology.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

/* The few functions of hwloc 2 that are needed, by their stable C interface. */
static struct {
    int (*topology_init)(void **topology);
    int (*topology_load)(void *topology);
    const void *(*topology_get_allowed_cpuset)(void *topology);
    void *(*bitmap_dup)(const void *bitmap);
    void *(*bitmap_alloc)(void);
    void (*bitmap_free)(void *bitmap);
    int (*bitmap_singlify_per_core)(void *topology, void *bitmap, unsigned which);
    int (*bitmap_next)(const void *bitmap, int prev);
    int (*bitmap_weight)(const void *bitmap);
    int (*bitmap_only)(void *bitmap, unsigned id);
    int (*set_cpubind)(void *topology, const void *bitmap, int flags);
} hwloc;
static void *topology;
static void *cores; /* one processing unit of each allowed core */
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define HWLOC_CPUBIND_THREAD 2

static void load_hwloc(void)
{
    void *library = dlopen("libhwloc.so.15", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    const struct {
        const char *name;
        void *place;
    } functions[] = {
        { "hwloc_topology_init", &hwloc.topology_init },
        { "hwloc_topology_load", &hwloc.topology_load },
        { "hwloc_topology_get_allowed_cpuset", &hwloc.topology_get_allowed_cpuset },
        { "hwloc_bitmap_dup", &hwloc.bitmap_dup },
        { "hwloc_bitmap_alloc", &hwloc.bitmap_alloc },
        { "hwloc_bitmap_free", &hwloc.bitmap_free },
        { "hwloc_bitmap_singlify_per_core", &hwloc.bitmap_singlify_per_core },
        { "hwloc_bitmap_next", &hwloc.bitmap_next },
        { "hwloc_bitmap_weight", &hwloc.bitmap_weight },
        { "hwloc_bitmap_only", &hwloc.bitmap_only },
        { "hwloc_set_cpubind", &hwloc.set_cpubind },
    };
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        if (!found) return; /* another hwloc than the one that this knows */
        *(void **)functions[i].place = found;
    }
    if (hwloc.topology_init(&topology) || hwloc.topology_load(topology)) return;
    void *allowed = hwloc.bitmap_dup(hwloc.topology_get_allowed_cpuset(topology));
    if (allowed && hwloc.bitmap_singlify_per_core(topology, allowed, 0) == 0 &&
        hwloc.bitmap_weight(allowed) > 0)
        cores = allowed;
}

rk_u32 rk_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return (rk_u32)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (rk_u32)online : 1;
}

int rk_bind_to_core(rk_u32 core)
{
    pthread_once(&once, load_hwloc);
    if (!cores) return 0;
    int unit = -1;
    rk_u32 count = (rk_u32)hwloc.bitmap_weight(cores);
    for (rk_u32 i = 0; i < count - core % count; i++) unit = hwloc.bitmap_next(cores, unit);
    void *one = hwloc.bitmap_alloc();
    int bound = one && unit >= 0 && hwloc.bitmap_only(one, (unsigned)unit) == 0 &&
                hwloc.set_cpubind(topology, one, HWLOC_CPUBIND_THREAD) == 0;
    if (one) hwloc.bitmap_free(one);
    return bound;
}
