/* The tests of bins_test.c once more, by the way that devices take through the header. */
#define RK_BINS_AS_DEVICE
#include "bins_test.c"
