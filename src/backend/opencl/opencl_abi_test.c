/* Our own declarations of OpenCL are CL/cl.h's: numbers and sizes. The prototypes are tried by whoever calls them. */
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/opencl/opencl_abi.h"

static const struct {
    const char *name;
    rk_i64 ours, theirs;
} numbers[] = {
#define NUMBER(name, value) { #name, (rk_i64)(value), (rk_i64)CL_##name },
    RK_CL_NUMBERS(NUMBER)
};

static void numbers_are_those_of_the_header(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].ours != numbers[i].theirs)
            fail_msg("CL_%s is %lld, not %lld", numbers[i].name, (long long)numbers[i].theirs,
                     (long long)numbers[i].ours);
}

static void types_have_the_sizes_of_the_header(void **state)
{
    (void)state;
    assert_int_equal(sizeof(rk_cl_device), sizeof(cl_device_id));
    assert_int_equal(sizeof(rk_cl_result), sizeof(cl_int));
    assert_int_equal(sizeof(rk_u64), sizeof(cl_bitfield));
    assert_int_equal(sizeof(rk_cl_name_version), sizeof(cl_name_version));
    assert_int_equal(offsetof(rk_cl_name_version, name), offsetof(cl_name_version, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_the_header),
        cmocka_unit_test(types_have_the_sizes_of_the_header),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
