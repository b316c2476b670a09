/* The kernels of `rk bench`, as the source that is compiled when it runs: linked in, they would be among the
 * kernels of every app. */
#ifndef RINGKERNEL_CLI_BENCH_KERNELS_H
#define RINGKERNEL_CLI_BENCH_KERNELS_H

/* clang-format off */
static const char bench_kernels[] =
"/* Kernels of `rk bench`. */\n"
"#include <ringkernel/kernel.h>\n"
"\n"
"RK_MESSAGE(ping, 1, (rk_u64, value), (rk_u64, rest, 5))\n"
"RK_MESSAGE(samples, 2, (rk_f32, value, 256))\n"
"RK_MESSAGE(total, 3, (rk_f32, value))\n"
"\n"
"/* Sends each message back. */\n"
"RK_HANDLER(echo, ping, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 64)\n"
"{\n"
"    rk_forward(RK_ARG);\n"
"}\n"
"\n"
"/* Ten thousand actors that count what they are sent. */\n"
"typedef struct counter {\n"
"    rk_u64 count;\n"
"} counter;\n"
"\n"
"RK_HANDLER(count, ping, msg, counter, self, .state = RK_PER_ACTOR, .mode = RK_ADAPTIVE, .max_batch = 256)\n"
"{\n"
"    self->count++;\n"
"}\n"
"\n"
"/* The sum of 256 samples, as a tree over the block's threads. */\n"
"RK_HANDLER(reduce, samples, msg, rk_none, self, .width = RK_BLOCK, .threads = 256, .shared = 1024, .mode = RK_ADAPTIVE, .max_batch = 32)\n"
"{\n"
"    RK_SHARED(rk_f32, partial, 256);\n"
"    RK_PARALLEL(i, 256) partial[i] = msg->value[i];\n"
"    for (rk_u32 stride = 128; stride > 0; stride /= 2)\n"
"        RK_PARALLEL(i, stride) partial[i] += partial[i + stride];\n"
"    RK_ONCE {\n"
"        total sum = {partial[0]};\n"
"        rk_send(RK_ARG, &sum);\n"
"    }\n"
"}\n";
/* clang-format on */

#endif
