/* Which OpenCL device programs of tests and benchmarks use, by its number in `rk devices`: RK_OPENCL_DEVICE, else 0. */
#ifndef RK_OPENCL_DEVICE_H
#define RK_OPENCL_DEVICE_H

#include <stdio.h>
#include <stdlib.h>

static inline unsigned opencl_device(void)
{
    const char *said = getenv("RK_OPENCL_DEVICE");
    char *end;
    if (!said) return 0;
    unsigned long number = strtoul(said, &end, 10);
    if (end != said && !*end && number < 1000) return (unsigned)number;
    fprintf(stderr, "RK_OPENCL_DEVICE is '%s': a number of `rk devices`\n", said);
    exit(2);
}

#endif
