/* Numbers in CSV: integers become the nearest that their field holds, floats are rounded once and correctly. */
#include "text_csv_fixture_test.h"

#include <float.h>
#include <locale.h>
#include <math.h>

#include "message/number_parse.h"
#include "message/random_message.h"

RK_MESSAGE(limits, 2, (rk_u64, u64), (rk_i64, i64), (rk_u32, u32), (rk_i32, i32), (rk_u16, u16),
           (rk_i16, i16), (rk_u8, u8), (rk_i8, i8), (rk_u16, rest))
RK_MESSAGE(pair, 3, (rk_f64, wide), (rk_f32, narrow), (rk_u32, rest))

static void anIntegerThatItsFieldCannotHoldBecomesTheNearest(void **state)
{
    (void)state;
    const char *head = "u64,i64,u32,i32,u16,i16,u8,i8,rest\n";
    static const struct {
        const char *value, *expected;
    } cases[] = {
        { "18446744073709551615",
          "18446744073709551615,\"i64\":9223372036854775807,\"u32\":4294967295,\"i32\":2147483647,"
          "\"u16\":65535,\"i16\":32767,\"u8\":255,\"i8\":127" },
        { "18446744073709551616",
          "18446744073709551615,\"i64\":9223372036854775807,\"u32\":4294967295,\"i32\":2147483647,"
          "\"u16\":65535,\"i16\":32767,\"u8\":255,\"i8\":127" },
        { "99999999999999999999999999",
          "18446744073709551615,\"i64\":9223372036854775807,\"u32\":4294967295,"
          "\"i32\":2147483647,\"u16\":65535,\"i16\":32767,\"u8\":255,\"i8\":127" },
        { "-1", "0,\"i64\":-1,\"u32\":0,\"i32\":-1,\"u16\":0,\"i16\":-1,\"u8\":0,\"i8\":-1" },
        { "-9223372036854775808",
          "0,\"i64\":-9223372036854775808,\"u32\":0,\"i32\":-2147483648,\"u16\":0,\"i16\":-32768,"
          "\"u8\":0,\"i8\":-128" },
        { "-9223372036854775809",
          "0,\"i64\":-9223372036854775808,\"u32\":0,\"i32\":-2147483648,\"u16\":0,\"i16\":-32768,"
          "\"u8\":0,\"i8\":-128" },
        { "-99999999999999999999999999",
          "0,\"i64\":-9223372036854775808,\"u32\":0,\"i32\":-2147483648,\"u16\":0,"
          "\"i16\":-32768,\"u8\":0,\"i8\":-128" },
        { "9223372036854775808",
          "9223372036854775808,\"i64\":9223372036854775807,\"u32\":4294967295,\"i32\":2147483647,"
          "\"u16\":65535,\"i16\":32767,\"u8\":255,\"i8\":127" },
        { "255", "255,\"i64\":255,\"u32\":255,\"i32\":255,\"u16\":255,\"i16\":255,\"u8\":255,\"i8\":127" },
        { "256", "256,\"i64\":256,\"u32\":256,\"i32\":256,\"u16\":256,\"i16\":256,\"u8\":255,\"i8\":127" },
        { "-129", "0,\"i64\":-129,\"u32\":0,\"i32\":-129,\"u16\":0,\"i16\":-129,\"u8\":0,\"i8\":-128" },
        { "0000000000000000000000000000000000000000012",
          "12,\"i64\":12,\"u32\":12,\"i32\":12,\"u16\":12,\"i16\":12,"
          "\"u8\":12,\"i8\":12" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024], expected[1024];
        const char *v = cases[i].value;
        snprintf(text, sizeof text, "%s%s,%s,%s,%s,%s,%s,%s,%s,1\n", head, v, v, v, v, v, v, v, v);
        snprintf(expected, sizeof expected, "1 {\"u64\":%s,\"rest\":1}\n", cases[i].expected);
        expect_text(RK_SCHEMA(limits), text, expected);
    }
}

/* Reads one value into both float fields; -1 rows that aren't good. */
static pair read_pair(const char *value)
{
    size_t size = 2 * strlen(value) + 64;
    char *text = malloc(size);
    assert_non_null(text);
    int length = snprintf(text, size, "wide,narrow,rest\n%s,%s,0", value, value);
    pair message = { -1, -1, 1 };
    rk_csv_reader *reader = NULL;
    assert_int_equal(rk_csv_open(RK_SCHEMA(pair), &reader), RK_OK);
    rk_row_batch batch = { .messages = &message, .room = 1 };
    assert_int_equal(rk_csv_next(reader, text, (size_t)length, true, &batch), RK_OK);
    assert_int_equal(batch.count, 1);
    rk_csv_close(reader);
    free(text);
    return message;
}

static void expect_float(const char *value)
{
    pair got = read_pair(value);
    rk_f64 wide = strtod(value, NULL);
    rk_f32 narrow = strtof(value, NULL);
    if (wide > DBL_MAX) wide = DBL_MAX;
    if (wide < -DBL_MAX) wide = -DBL_MAX;
    if (narrow > FLT_MAX) narrow = FLT_MAX;
    if (narrow < -FLT_MAX) narrow = -FLT_MAX;
    bool same_sign = signbit(got.wide) == signbit(wide) && signbit(got.narrow) == signbit(narrow);
    if (got.wide != wide || got.narrow != narrow || !same_sign)
        fail_msg("%s became %.17g and %.9g, not %.17g and %.9g", value, got.wide, got.narrow, wide, narrow);
}

static void floatsAreRoundedCorrectly(void **state)
{
    (void)state;
    static const char *const values[] = {
        /* 64 bits of digits overflow to few */
        "18446744073709551621",
        "1844674407370955162.1",
        "36893488147419103237",
        "184467440737095516165",
        /* the nearest double is halfway between two floats, the number is not */
        "19.88383960723877",
        "0.00000985119049801142",
        "0.000007951533461891813",
        "0.004918644437566400",
        "0",
        "-0",
        "-0.0",
        "0.1",
        "13.37",
        "123456789.123456789",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.00000000000000000000000000001",
        "0.00000000000000000000000000000000000000000000140129846432481707",
        "16777217",
        "16777217.0000000000000000001",
        "16777216.99999999999999999",
        "16777219",
        "0.5000000298023223876953125",
        "0.50000002980232238769531250000000000000000000001",
        "1.00000005960464477539062",
        "1.000000059604644775390625",
        "1.0000000596046447753906250000001",
        "1.0000001788139343261718749999999",
        "340282346638528859811704183484516925440",
        "340282356779733661637539395458142568447",
        "340282356779733661637539395458142568448",
        "3402823567797336616375393954581425684480",
        "2.2250738585072011",
        "0.000000000000000000000000000000000000011754943508222875079687365372222456778186655567720875",
        "99999999999999999999999999999999999999999999",
        "0.1000000000000000055511151231257827021181583404541015625",
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) expect_float(values[i]);

    rk_random random = { 20 };
    for (int i = 0; i < 20000; i++) {
        char value[64], whole[32];
        int length = snprintf(whole, sizeof whole, "%llu",
                              (unsigned long long)(rk_random_next(&random) >> rk_random_below(&random, 64)));
        int point = (int)rk_random_below(&random, (rk_u64)length);
        snprintf(value, sizeof value, "%s%.*s%s%s", i % 3 == 0 ? "-" : "", length - point, whole,
                 point > 0 ? "." : "", whole + length - point);
        expect_float(value);
    }
}

static void onlyDoublesHalfwayBetweenFloatsRoundTwice(void **state)
{
    (void)state;
    static const struct {
        rk_f64 value;
        bool twice;
    } cases[] = {
        { 0, false },
        { 1, false },
        { 1 + 0x1p-24, true },
        { -1 - 0x1p-24, true },
        { 1 + 0x1p-24 + 0x1p-52, false },
        { 1 + 0x1p-23, false },
        { 0x1p-126, false },
        { 0x1p-126 + 0x1p-150, true },
        { 0x1p-126 - 0x1p-150, true },
        { 0x1p-149, false },
        { 0x1p-150, true },
        { -0x1p-150, true },
        { 0x1.8p-149, true },
        { 0x1.8p-150, false },
        { 0x1p-151, false },
        { DBL_MAX, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(rk_rounds_twice(cases[i].value), cases[i].twice);
}

/* Digits enough that no fast way applies, and halves of the last place with a digit far behind them. */
static void floatsOfManyDigitsAreRoundedCorrectly(void **state)
{
    (void)state;
    char *value = malloc(40002);
    assert_non_null(value);
    static const struct {
        const char *start;
        char filler, end;
        size_t size;
    } cases[] = {
        { "9", '9', '9', 400 },
        { "9", '9', '9', 20000 },
        { "-1", '0', '0', 309 },
        { "0.", '0', '1', 330 },
        { "0.", '0', '1', 20000 },
        { "0", '0', '7', 20000 },
        { "9007199254740993.", '0', '1', 5000 },
        { "9007199254740993.", '0', '0', 5000 },
        { "16777217.", '0', '1', 9000 },
        { "1.", '3', '4', 767 },
        { "1.", '3', '4', 770 },
        { "1.", '3', '4', 771 },
        { "1", '7', '7', 308 },
        { "0."
          "00000000000000000000000000000000000000000000070064923216240853546186479164495806564013097093825788"
          "587853",
          '4', '1', 300 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t start = strlen(cases[i].start);
        memset(value, cases[i].filler, 40000);
        memcpy(value, cases[i].start, start);
        value[cases[i].size - 1] = cases[i].end;
        value[cases[i].size] = '\0';
        expect_float(value);
        if (strchr(value, '.') == NULL) { /* the same with a fraction, which decides nothing or everything */
            memcpy(value + cases[i].size, ".5", 3);
            expect_float(value);
        }
    }
    free(value);
}

static void localesChangeNothing(void **state)
{
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL) skip();
    pair got = read_pair("2.5000000000000000000000000000000000000000000000001");
    setlocale(LC_ALL, "C");
    assert_true(got.wide == 2.5 && got.narrow == 2.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anIntegerThatItsFieldCannotHoldBecomesTheNearest),
        cmocka_unit_test(floatsAreRoundedCorrectly),
        cmocka_unit_test(onlyDoublesHalfwayBetweenFloatsRoundTwice),
        cmocka_unit_test(floatsOfManyDigitsAreRoundedCorrectly),
        cmocka_unit_test(localesChangeNothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
