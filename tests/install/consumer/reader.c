/* A program that reads a message from JSON by the installed library. */
#include <ringkernel/ringkernel.h>
#include <ringkernel/text_json.h>

#include <stdio.h>

#include "consumer.rk.h"

int main(void)
{
    static const char text[] = "{\"value\": -42, \"asked\": 18446744073709551615}";
    answer read;
    RK_CHECK(rk_json_parse(RK_SCHEMA(answer), text, sizeof text - 1, &read, 0, 0));
    printf("%lld %llu\n", (long long)read.value, (unsigned long long)read.asked);
    return 0;
}
