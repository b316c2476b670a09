extern "C" __global__ void late(volatile unsigned long long *c) { if (threadIdx.x == 0 && blockIdx.x == 0) c[0] = 177; }
