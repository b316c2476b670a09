/* A kernel source without a kernel: shows that the installed dialect and ringkernel_add_kernels() are found. */
#include <ringkernel/kernel.h>
