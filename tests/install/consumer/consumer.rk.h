/* The messages of a stranger's project: its kernel, in C, and its program, in C or C++, include them. */
#include <ringkernel/message.h>

RK_MESSAGE(question, 1, (rk_i64, value))
RK_MESSAGE(answer, 2, (rk_i64, value), (rk_u64, asked))
