/* What a device shares with the host it lays out as the host does: rk_layout_check on an OpenCL device, as OpenCL C 1.2
 * and 3.0. Skipped where there is none. */
#include <stdio.h>

#include "opencl.h"
#include "ringkernel/device/layout.h"

static const struct {
    const char *name;
    rk_u32 value;
} layout[] = { { "RK_WIRE_VERSION", RK_WIRE_VERSION },
#define SIZE(type) { "size of " #type, sizeof(type) },
#define OFFSET(type, field) { "offset of " #type "." #field, RK_OFFSET_OF(type, field) },
               RK_LAYOUT(SIZE, OFFSET) };
_Static_assert(sizeof(layout) / sizeof(layout[0]) == RK_LAYOUT_WORDS, "one word for each entry");

/* How many words differ. */
static int check(const char *standard)
{
    static rk_u32 words[RK_LAYOUT_WORDS] __attribute__((aligned(128)));
    rk_u32 room = RK_LAYOUT_WORDS;
    int wrong = 0;
    opencl_handle program = opencl_build("#include <ringkernel/device/layout_check.h>\n", standard);
    opencl_handle buffer = opencl_buffer(words, sizeof(words));
    const opencl_argument arguments[] = { { sizeof(buffer), &buffer }, { sizeof(room), &room } };
    opencl_run(program, "rk_layout_check", 1, 1, arguments, 2, buffer, sizeof(words));
    for (rk_u32 i = 0; i < RK_LAYOUT_WORDS; i++) {
        if (words[i] == layout[i].value) continue;
        fprintf(stderr, "OpenCL C %s: %s is %u, on the host %u\n", standard, layout[i].name, words[i],
                layout[i].value);
        wrong++;
    }
    return wrong;
}

int main(void)
{
    opencl_open();
    int wrong = check("1.2") + check("3.0");
    if (wrong == 0) printf("%u words of layout are the same on host and device\n", RK_LAYOUT_WORDS);
    return wrong != 0;
}
