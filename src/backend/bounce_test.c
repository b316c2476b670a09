/* Copies by way of a bounce: what is fetched together is waited for once and shown in its order. */
#include "bounce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 4096u
#define BOUNCE 1024u

/* A device whose copies are done when they are waited for, in the order in which they were begun. */
typedef struct device {
    rk_byte memory[SIZE], image[SIZE], bounce[BOUNCE];
    struct {
        rk_byte *to;
        const rk_byte *from;
        rk_u64 size;
    } begun[64];
    rk_u32 copies, waits, fails; /* `fails`: the how-manieth copy isn't taken; 0: none */
    /* What was told of: the row, and whether the image had it, and nothing of the next. */
    rk_u32 shown[16], told;
    const rk_rows *rows;
    rk_u32 count;
} device;

static rk_status begin(void *of, rk_byte *at, const rk_rows *r, int up)
{
    device *d = of;
    for (rk_u32 i = 0; i < r->count; i++) {
        rk_byte *there = d->memory + r->offset + i * r->stride, *here = at + i * r->size;
        assert_in_range(here - d->bounce, 0, (rk_i64)(BOUNCE - r->size));
        d->begun[d->copies].to = up ? there : here;
        d->begun[d->copies].from = up ? here : there;
        d->begun[d->copies].size = r->size;
        if (++d->copies == d->fails) return RK_INTERNAL;
    }
    return RK_OK;
}

static rk_status wait(void *of)
{
    device *d = of;
    for (rk_u32 i = 0; i < d->copies; i++) memcpy(d->begun[i].to, d->begun[i].from, d->begun[i].size);
    d->copies = 0;
    d->waits++;
    return RK_OK;
}

static int image_has(const device *d, rk_u32 row)
{
    const rk_rows *r = &d->rows[row];
    for (rk_u32 i = 0; i < r->count; i++)
        if (memcmp(d->image + r->offset + i * r->stride, d->memory + r->offset + i * r->stride, r->size) != 0)
            return 0;
    return 1;
}

static void remember(void *of, rk_u32 row)
{
    device *d = of;
    assert_true(image_has(d, row));
    if (row + 1 < d->count) assert_false(image_has(d, row + 1));
    d->shown[d->told++] = row;
}

static rk_status fetch(device *d, const rk_rows *rows, rk_u32 count)
{
    for (rk_u32 i = 0; i < SIZE; i++) d->memory[i] = (rk_byte)(i * 7u + i / 256u + 1u);
    d->rows = rows;
    d->count = count;
    const rk_bounce bounce = { d->bounce, d->image, BOUNCE, begin, wait, d };
    return rk_bounce_fetch(&bounce, rows, count, remember, d);
}

static void assert_told_of_each(const device *d)
{
    assert_int_equal(d->told, d->count);
    for (rk_u32 i = 0; i < d->told; i++) assert_int_equal(d->shown[i], i);
}

/* Given rows that the bounce holds together, then there is one wait, and each shows before the next. */
static void what_fits_is_waited_for_once(void **state)
{
    (void)state;
    static device d;
    static const rk_rows rows[] = { { 0, 128, 256, 3 }, { 1024, 64, 0, 1 }, { 2048, 64, 128, 4 } };
    assert_int_equal(fetch(&d, rows, 3), RK_OK);
    assert_told_of_each(&d);
    assert_int_equal(d.waits, 1);
}

/* Given rows of which the bounce holds two, and one larger than it, then all come, in their order. */
static void what_does_not_fit_comes_in_parts(void **state)
{
    (void)state;
    static device d;
    static const rk_rows rows[] = {
        { 0, 448, 0, 1 }, { 448, 512, 0, 1 }, { 1024, 2048, 0, 1 }, { 3072, 64, 64, 8 }, { 3584, 512, 0, 1 }
    };
    assert_int_equal(fetch(&d, rows, 5), RK_OK);
    assert_told_of_each(&d);
    assert_memory_equal(d.image + 1024, d.memory + 1024, 2048);
    assert_int_equal(d.waits, 1 + 2 + 1);
}

/* Given a copy that isn't taken, then nothing of what was asked for together shows. */
static void what_fails_shows_nothing(void **state)
{
    (void)state;
    static device d = { .fails = 2 };
    static const rk_byte nothing[SIZE];
    static const rk_rows rows[] = { { 0, 128, 0, 1 }, { 1024, 64, 0, 1 } };
    assert_int_equal(fetch(&d, rows, 2), RK_INTERNAL);
    assert_int_equal(d.told, 0);
    assert_memory_equal(d.image, nothing, SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_waited_for_once),
        cmocka_unit_test(what_does_not_fit_comes_in_parts),
        cmocka_unit_test(what_fails_shows_nothing),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
