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
    void *(*bitmap_alloc)(void);
    void (*bitmap_free)(void *bitmap);
    int (*bitmap_and)(void *result, const void *a, const void *b);
    int (*bitmap_singlify_per_core)(void *topology, void *bitmap, unsigned which);
    int (*bitmap_next)(const void *bitmap, int prev);
    int (*bitmap_weight)(const void *bitmap);
    int (*bitmap_only)(void *bitmap, unsigned id);
    int (*get_cpubind)(void *topology, void *bitmap, int flags);
    int (*set_cpubind)(void *topology, const void *bitmap, int flags);
} hwloc;
static void *topology; /* 0: no hwloc */
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
        { "hwloc_bitmap_alloc", &hwloc.bitmap_alloc },
        { "hwloc_bitmap_free", &hwloc.bitmap_free },
        { "hwloc_bitmap_and", &hwloc.bitmap_and },
        { "hwloc_bitmap_singlify_per_core", &hwloc.bitmap_singlify_per_core },
        { "hwloc_bitmap_next", &hwloc.bitmap_next },
        { "hwloc_bitmap_weight", &hwloc.bitmap_weight },
        { "hwloc_bitmap_only", &hwloc.bitmap_only },
        { "hwloc_get_cpubind", &hwloc.get_cpubind },
        { "hwloc_set_cpubind", &hwloc.set_cpubind },
    };
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        if (!found) return; /* another hwloc than the one that this knows */
        *(void **)functions[i].place = found;
    }
    void *loaded;
    if (hwloc.topology_init(&loaded) == 0 && hwloc.topology_load(loaded) == 0) topology = loaded;
}

rk_u32 rk_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return (rk_u32)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (rk_u32)online : 1;
}

/* One processing unit of each core that the calling thread may run on: of those of the machine that are
 * allowed, and that whoever started the thread had (taskset, a cgroup, a bound program). 0: none, or no
 * memory. */
static rk_u32 own_cores(void *units)
{
    if (hwloc.get_cpubind(topology, units, HWLOC_CPUBIND_THREAD) ||
        hwloc.bitmap_and(units, units, hwloc.topology_get_allowed_cpuset(topology)) ||
        hwloc.bitmap_singlify_per_core(topology, units, 0))
        return 0;
    int count = hwloc.bitmap_weight(units);
    return count > 0 ? (rk_u32)count : 0;
}

int rk_bind_to_core(rk_u32 core)
{
    pthread_once(&once, load_hwloc);
    if (!topology) return 0;
    void *units = hwloc.bitmap_alloc();
    rk_u32 count = units ? own_cores(units) : 0;
    int unit = -1;
    for (rk_u32 i = 0; count && i < count - core % count; i++) unit = hwloc.bitmap_next(units, unit);
    int bound = unit >= 0 && hwloc.bitmap_only(units, (unsigned)unit) == 0 &&
                hwloc.set_cpubind(topology, units, HWLOC_CPUBIND_THREAD) == 0;
    if (units) hwloc.bitmap_free(units);
    return bound;
}
