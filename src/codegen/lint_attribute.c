/* Attributes are designated initialisers: C takes them in any order, C++20 and so NVRTC only in the order
 * of the members. */
#include <stddef.h>
#include <string.h>

#include "codegen/lint_rule.h"
#include "ringkernel/device/handler.h"

/* The members of rk_attributes that a handler may set; their order is that of their offsets. */
static const struct {
    const char *name;
    size_t offset;
} members[] = {
#define MEMBER(name)                         \
    {                                        \
#name, offsetof(rk_attributes, name) \
    }
    MEMBER(width),    MEMBER(threads),    MEMBER(state),       MEMBER(max_sends),    MEMBER(shared),
    MEMBER(mode),     MEMBER(max_batch),  MEMBER(gather_us),   MEMBER(event_driven), MEMBER(slice_messages),
    MEMBER(slice_us), MEMBER(timestamps), MEMBER(input_queue), MEMBER(output_queue), MEMBER(message_queue),
    MEMBER(barrier),  MEMBER(memory),     MEMBER(not_causal),  MEMBER(messaging),    MEMBER(domain),
    MEMBER(backends), MEMBER(replies),    MEMBER(log_limit),
};
_Static_assert(sizeof(members) / sizeof(members[0]) == sizeof(rk_attributes) / sizeof(rk_u32) - 1,
               "every member of rk_attributes but `size` is listed");

static const char rule[] = "attribute-order";

/* The name of ".name = value"; empty if it is something else. */
static rk_slice attribute_name(rk_slice text)
{
    size_t size = 1;
    if (text.size == 0 || text.text[0] != '.') return (rk_slice){ "", 0 };
    while (size < text.size && strchr(" \t\n=", text.text[size]) == NULL) size++;
    return (rk_slice){ text.text + 1, size - 1 };
}

static void check(rk_lint *lint, const rk_source_declaration *d)
{
    size_t last = 0; /* members begin behind `size`, which is at 0 */
    rk_slice before = { "", 0 };
    for (rk_u32 i = 0; i < d->arguments; i++) {
        rk_slice name = attribute_name(rk_scan_argument(&lint->scan, d, i));
        if (name.size == 0) continue;
        rk_u32 line = lint->scan.argument[d->first_argument + i].line;
        size_t m = 0;
        while (m < sizeof(members) / sizeof(members[0]) && !rk_slice_is(name, members[m].name)) m++;
        if (m == sizeof(members) / sizeof(members[0])) {
            rk_finding *finding =
                rk_lint_report(lint, line, rule, "no attribute is called '%.*s'", RK_SHOWN(name));
            rk_finding_remedy(finding, "see rk_attributes in ringkernel/device/handler.h");
        } else if (members[m].offset <= last) {
            rk_finding *finding = rk_lint_report(lint, line, rule, "'.%.*s' comes after '.%.*s'",
                                                 RK_SHOWN(name), RK_SHOWN(before));
            rk_finding_remedy(
                finding,
                "write each attribute once, in the order of rk_attributes: NVRTC compiles C++20, which "
                "refuses any other");
        } else {
            last = members[m].offset;
            before = name;
        }
    }
}

void rk_lint_attributes(rk_lint *lint)
{
    for (rk_u32 i = 0; i < lint->scan.count; i++)
        if (rk_declares_handler(&lint->scan.declaration[i])) check(lint, &lint->scan.declaration[i]);
}
