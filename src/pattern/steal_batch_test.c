/* What steal_test.c says holds for words of another length, too. */
#define RK_STEAL_BATCH 24u
#include "steal_test.c"
