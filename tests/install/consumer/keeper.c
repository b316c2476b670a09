/* A program that keeps its kernel's state: begins with the newest checkpoint in a folder, asks once, takes a checkpoint,
 * and prints how often the kernel was asked so far. Compiled as C11 and as C++17. */
#include <ringkernel/checkpoint.h>
#include <ringkernel/ringkernel.h>

#include <stdio.h>

#include "consumer.rk.h"

int main(int argc, char **argv)
{
    rk_runtime *runtime;
    rk_kernel doubler;
    rk_checkpoints *checkpoints;
    rk_restored restored;
    question out = { 1 };
    answer in;
    if (argc != 2) return 2;
    RK_CHECK(rk_open(0, &runtime));
    RK_CHECK(rk_launch(runtime, "doubler", 0, &doubler));
    RK_CHECK(rk_checkpoints_open(runtime, argv[1], &doubler, 1, 0, &checkpoints));
    rk_status status = rk_checkpoints_restore(checkpoints, &restored);
    if (status != RK_EMPTY) RK_CHECK(status);
    RK_CHECK(rk_activate(runtime, doubler));
    RK_CHECK(rk_send(runtime, doubler, RK_BODY(out), 0));
    RK_CHECK(rk_receive(runtime, doubler, &in, sizeof in, 0, RK_SECONDS(10)));
    RK_CHECK(rk_checkpoint(checkpoints));
    rk_checkpoints_close(checkpoints);
    RK_CHECK(rk_close(runtime));
    printf("asked %llu\n", (unsigned long long)in.asked);
    return 0;
}
