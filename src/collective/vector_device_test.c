/* The tests of vector_test.c once more, by the way that devices take through the header. */
#define RK_VECTOR_AS_DEVICE
#include "vector_test.c"
