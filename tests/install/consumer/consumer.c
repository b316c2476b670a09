/* The smallest program that uses the installed library; compiled as C11 and as C++17. */
#include <ringkernel/ringkernel.h>

#include <stdio.h>

int main(void)
{
    printf("%s\n", rk_version_text());
    return 0;
}
