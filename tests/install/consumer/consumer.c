/* A program that uses the installed library: launches a kernel, exchanges messages with it, prints the
 * version. Compiled as C11 and as C++17; the kernel is C and linked in. */
#include <ringkernel/ringkernel.h>

#include <stdio.h>

#include "consumer.rk.h"

int main(void)
{
    rk_runtime *runtime;
    rk_kernel doubler;
    RK_CHECK(rk_open(0, &runtime));
    RK_CHECK(rk_launch(runtime, "doubler", 0, &doubler));
    RK_CHECK(rk_activate(runtime, doubler));
    for (rk_i64 i = 1; i <= 3; i++) {
        question out = { i };
        answer in;
        RK_CHECK(rk_send(runtime, doubler, RK_BODY(out), 0));
        RK_CHECK(rk_receive(runtime, doubler, &in, sizeof in, 0, RK_SECONDS(10)));
        if (in.value != 2 * i || in.asked != (rk_u64)i) {
            fprintf(stderr, "%lld: %lld, %llu\n", (long long)i, (long long)in.value,
                    (unsigned long long)in.asked);
            return 1;
        }
    }
    RK_CHECK(rk_close(runtime));
    printf("three answers by ringkernel %s\n", rk_version_text());
    return 0;
}
