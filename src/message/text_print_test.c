/* Messages as text, and any bytes as JSON strings: exact integers, the fewest digits of floats, room counted
 * to the byte. */
#include <float.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message/base64.h"
#include "message/print.h"
#include "message/random_message.h"

RK_MESSAGE(report, 1, (rk_u32, window), (rk_u32, band), (rk_i64, delay_sum))
RK_MESSAGE(every_kind, 2, (rk_u64, u64), (rk_i64, i64, 2), (rk_f64, f64), (rk_u32, u32), (rk_i32, i32),
           (rk_f32, f32, 3), (rk_u16, u16), (rk_i16, i16), (rk_u8, u8, 2), (rk_i8, i8, 2), (rk_u32, rest))
RK_MESSAGE(number, 3, (rk_f64, wide), (rk_f32, narrow), (rk_u32, rest))
RK_BLOB(frame, 4, 8)

/* What a message prints as; good until the next call. */
static char printed[4096];
static const char *as_json(const rk_schema *schema, const void *message, size_t size)
{
    size_t length = rk_json_print(schema, message, size, printed, sizeof printed);
    assert_true(length <= rk_json_room(schema, size));
    printed[length] = '\0';
    return printed;
}
static const char *as_csv(const rk_schema *schema, const void *message, size_t size)
{
    size_t length = rk_csv_print(schema, message, size, printed, sizeof printed);
    assert_true(length <= rk_csv_room(schema, size));
    printed[length] = '\0';
    return printed;
}
static const char *csv_head(const rk_schema *schema)
{
    size_t length = rk_csv_print_head(schema, printed, sizeof printed);
    printed[length] = '\0';
    return printed;
}

static void jsonHasTheFieldsInOrderWithoutSpaces(void **state)
{
    (void)state;
    report message = { 0, 11, -5 };
    assert_string_equal(as_json(RK_SCHEMA(report), &message, sizeof message),
                        "{\"window\":0,\"band\":11,\"delay_sum\":-5}");
}

static void everyKindIsPrintedExactly(void **state)
{
    (void)state;
    every_kind message = { UINT64_MAX, { INT64_MIN, INT64_MAX },
                           0.1,        UINT32_MAX,
                           INT32_MIN,  { 0.1f, -2.5f, 1e30f },
                           UINT16_MAX, INT16_MIN,
                           { 255, 0 }, { -128, 127 },
                           7 };
    assert_string_equal(
        as_json(RK_SCHEMA(every_kind), &message, sizeof message),
        "{\"u64\":18446744073709551615,\"i64\":[-9223372036854775808,9223372036854775807],\"f64\":0.1,"
        "\"u32\":4294967295,\"i32\":-2147483648,\"f32\":[0.1,-2.5,1e30],\"u16\":65535,\"i16\":-32768,"
        "\"u8\":[255,0],\"i8\":[-128,127],\"rest\":7}");
    assert_string_equal(
        as_csv(RK_SCHEMA(every_kind), &message, sizeof message),
        "18446744073709551615,-9223372036854775808,9223372036854775807,0.1,4294967295,-2147483648,0.1,-2.5,"
        "1000000000000000000000000000000,65535,-32768,255,0,-128,127,7");
    assert_string_equal(
        csv_head(RK_SCHEMA(every_kind)),
        "u64,i64[0],i64[1],f64,u32,i32,f32[0],f32[1],f32[2],u16,i16,u8[0],u8[1],i8[0],i8[1],rest");
}

static void blobsAreBase64OfTheirOwnSize(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *text;
    } cases[] = { { 0, "" },     { 1, "AA==" },     { 2, "AAE=" },
                  { 3, "AAEC" }, { 4, "AAEC/w==" }, { 8, "AAEC//79/Ps=" } };
    static const frame message = { { 0, 1, 2, 255, 254, 253, 252, 251 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "{\"bytes\":\"%s\"}", cases[i].text);
        assert_string_equal(as_json(RK_SCHEMA(frame), &message, cases[i].size), expected);
        assert_string_equal(as_csv(RK_SCHEMA(frame), &message, cases[i].size), cases[i].text);
        assert_int_equal(rk_json_room(RK_SCHEMA(frame), cases[i].size), strlen(expected) + 1);
    }
    assert_string_equal(csv_head(RK_SCHEMA(frame)), "bytes");
}

static void floatsHaveTheFewestDigitsThatReadBack(void **state)
{
    (void)state;
    static const struct {
        rk_f64 value;
        const char *json, *csv, *narrow_json;
    } cases[] = {
        { 0, "0", "0", "0" },
        { -0.0, "-0.0", "-0.0", "-0.0" },
        { 1, "1", "1", "1" },
        { -18.25, "-18.25", "-18.25", "-18.25" },
        { 0.1, "0.1", "0.1", "0.1" },
        { 0.1 + 0.2, "0.30000000000000004", "0.30000000000000004", "0.3" },
        { 1.0 / 3, "0.3333333333333333", "0.3333333333333333", "0.33333334" },
        { 123456.789, "123456.789", "123456.789", "123456.79" },
        { 0.0001, "0.0001", "0.0001", "0.0001" },
        { 0.00001, "1e-5", "0.00001", "1e-5" },
        { 0.000123456789, "0.000123456789", "0.000123456789", "0.00012345679" },
        { 16777217, "16777217", "16777217", "16777216" },
        { 1e15, "1000000000000000", "1000000000000000", "1000000000000000" },
        { 9007199254740992, "9007199254740992", "9007199254740992", "9007199000000000" },
        { 1e16, "10000000000000000", "10000000000000000", "10000000000000000" },
        { 1e17, "1e17", "100000000000000000", "1e17" },
        { -1.5e-7, "-1.5e-7", "-0.00000015", "-1.5e-7" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        number message = { cases[i].value, (rk_f32)cases[i].value, 0 };
        snprintf(expected, sizeof expected, "{\"wide\":%s,\"narrow\":%s,\"rest\":0}", cases[i].json,
                 cases[i].narrow_json);
        assert_string_equal(as_json(RK_SCHEMA(number), &message, sizeof message), expected);
        as_csv(RK_SCHEMA(number), &message, sizeof message);
        assert_memory_equal(printed, cases[i].csv, strlen(cases[i].csv));
        assert_int_equal(printed[strlen(cases[i].csv)], ',');
    }
}

static void localesChangeNothing(void **state)
{
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL) skip();
    number message = { 0.1 + 0.2, 1.17549435e-38f, 0 };
    as_json(RK_SCHEMA(number), &message, sizeof message);
    setlocale(LC_ALL, "C");
    assert_string_equal(printed, "{\"wide\":0.30000000000000004,\"narrow\":1.1754944e-38,\"rest\":0}");
}

static void theLargestAndTheSmallestFloatsFit(void **state)
{
    (void)state;
    number message = { DBL_MAX, FLT_MAX, 0 };
    assert_string_equal(as_json(RK_SCHEMA(number), &message, sizeof message),
                        "{\"wide\":1.7976931348623157e308,\"narrow\":3.4028235e38,\"rest\":0}");
    message = (number){ -0x1p-1074, -0x1p-149f, 0 };
    assert_string_equal(as_json(RK_SCHEMA(number), &message, sizeof message),
                        "{\"wide\":-4.94065645841247e-324,\"narrow\":-1.4013e-45,\"rest\":0}");
    assert_true(strlen(as_csv(RK_SCHEMA(number), &message, sizeof message)) > 380);
    message = (number){ -2.2250738585072014e-308, -1.1754942e-38f, 0 };
    assert_string_equal(as_json(RK_SCHEMA(number), &message, sizeof message),
                        "{\"wide\":-2.2250738585072014e-308,\"narrow\":-1.1754942e-38,\"rest\":0}");
}

static void whatIsNoNumberIsNullInJsonAndNamedInCsv(void **state)
{
    (void)state;
    static const rk_f64 zero = 0;
    number message = { 0 / zero, 1 / (rk_f32)zero, 0 };
    assert_string_equal(as_json(RK_SCHEMA(number), &message, sizeof message),
                        "{\"wide\":null,\"narrow\":null,\"rest\":0}");
    assert_string_equal(as_csv(RK_SCHEMA(number), &message, sizeof message), "nan,inf,0");
    message.wide = -1 / zero;
    assert_string_equal(as_csv(RK_SCHEMA(number), &message, sizeof message), "-inf,inf,0");
}

static void integersAreExact(void **state)
{
    (void)state;
    rk_random random = { 4 };
    for (int i = 0; i < 100000; i++) {
        char expected[32], got[RK_INTEGER_ROOM + 1];
        rk_u64 bits = rk_random_next(&random) >> rk_random_below(&random, 64);
        if (i < 1000) bits = (rk_u64)i;
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)bits);
        got[rk_write_integer(rk_element_integer(RK_KIND_U64, &bits), got)] = '\0';
        assert_string_equal(got, expected);
        snprintf(expected, sizeof expected, "%lld", (long long)bits);
        got[rk_write_integer(rk_element_integer(RK_KIND_I64, &bits), got)] = '\0';
        assert_string_equal(got, expected);
    }
}

static void floatsReadBackAsTheSameBits(void **state)
{
    (void)state;
    rk_random random = { 5 };
    static const rk_field wide = { .kind = RK_KIND_F64, .size = 8 },
                          narrow = { .kind = RK_KIND_F32, .size = 4 };
    for (int i = 0; i < 100000; i++) {
        rk_f64 f64, got64;
        rk_f32 f32, got32;
        char text[RK_FLOAT_ROOM + 1], plain[RK_PLAIN_FLOAT_ROOM + 1];
        rk_random_element(&random, &wide, &f64);
        rk_random_element(&random, &narrow, &f32);

        text[rk_write_float(RK_KIND_F64, f64, text)] = '\0';
        plain[rk_write_plain_float(RK_KIND_F64, f64, plain)] = '\0';
        got64 = strtod(text, NULL);
        assert_memory_equal(&got64, &f64, sizeof f64);
        got64 = strtod(plain, NULL);
        assert_memory_equal(&got64, &f64, sizeof f64);
        assert_true(strspn(plain, "-0123456789.") == strlen(plain));

        text[rk_write_float(RK_KIND_F32, f32, text)] = '\0';
        plain[rk_write_plain_float(RK_KIND_F32, f32, plain)] = '\0';
        got32 = strtof(text, NULL);
        assert_memory_equal(&got32, &f32, sizeof f32);
        got32 = (rk_f32)strtod(plain, NULL); /* by way of a double, as JSON is read */
        assert_memory_equal(&got32, &f32, sizeof f32);
        assert_true(strlen(plain) <= RK_PLAIN_F32_ROOM);
    }
}

static void tooLittleRoomIsSaidAndNothingBehindItIsTouched(void **state)
{
    (void)state;
    every_kind every = { .f64 = 0.5, .u32 = 12345 };
    static const frame blob = { { 1, 2, 3, 4, 5 } };
    char whole[1024], out[1024];
    size_t size = rk_json_print(RK_SCHEMA(every_kind), &every, sizeof every, NULL, 0);
    assert_int_equal(rk_json_print(RK_SCHEMA(every_kind), &every, sizeof every, whole, size), size);
    for (size_t room = 0; room < size; room++) {
        memset(out, 'x', sizeof out);
        assert_int_equal(rk_json_print(RK_SCHEMA(every_kind), &every, sizeof every, out, room), size);
        assert_int_equal(out[room], 'x');
    }
    size = rk_csv_print(RK_SCHEMA(frame), &blob, 5, NULL, 0);
    assert_int_equal(size, 8);
    for (size_t room = 0; room < size; room++) {
        memset(out, 'x', sizeof out);
        assert_int_equal(rk_csv_print(RK_SCHEMA(frame), &blob, 5, out, room), size);
        assert_int_equal(rk_csv_print_head(RK_SCHEMA(frame), out, room < 5 ? room : 4), 5);
        assert_int_equal(out[room], 'x');
    }
}

static void bytesAreEscapedForJsonStrings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *escaped;
    } cases[] = {
        { "", 0, "" },
        { "plain, text / 'here'", 20, "plain, text / 'here'" },
        { "say \"hi\" \\ ", 11, "say \\\"hi\\\" \\\\ " },
        { "\0\b\t\n\v\f\r\x1b\x1f\x7f", 10, "\\u0000\\b\\t\\n\\u000b\\f\\r\\u001b\\u001f\x7f" },
        { "gr\xC3\xBC\xC3\x9F", 6, "gr\xC3\xBC\xC3\x9F" },
        { "\xE2\x82\xAC \xF0\x9F\x9A\x80", 8, "\xE2\x82\xAC \xF0\x9F\x9A\x80" },
        { "\xEF\xBF\xBD", 3, "\xEF\xBF\xBD" },
        { "\xF4\x8F\xBF\xBF", 4, "\xF4\x8F\xBF\xBF" },
        { "\x80", 1, "\\ufffd" },
        { "\xC3", 1, "\\ufffd" },
        { "\xC3 ", 2, "\\ufffd " },
        { "a\xE2\x82", 3, "a\\ufffd\\ufffd" },
        { "\xE2\x82\"", 3, "\\ufffd\\ufffd\\\"" },
        { "\xC0\xAF", 2, "\\ufffd\\ufffd" },            /* overlong */
        { "\xE0\x80\xAF", 3, "\\ufffd\\ufffd\\ufffd" }, /* overlong */
        { "\xED\xA0\x80", 3, "\\ufffd\\ufffd\\ufffd" }, /* a surrogate */
        { "\xF0\x80\x80\xAF", 4, "\\ufffd\\ufffd\\ufffd\\ufffd" },
        { "\xF4\x90\x80\x80", 4, "\\ufffd\\ufffd\\ufffd\\ufffd" }, /* above the last character */
        { "\xF5\xFF\xFE", 3, "\\ufffd\\ufffd\\ufffd" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[128];
        size_t size = rk_json_escape(cases[i].text, cases[i].size, out, sizeof out);
        out[size] = '\0';
        assert_string_equal(out, cases[i].escaped);
        assert_int_equal(rk_json_escape(cases[i].text, cases[i].size, NULL, 0), size);
    }
    assert_int_equal(rk_json_escape(NULL, 0, NULL, 0), 0);
}

static void base64ReadsWhatItWroteAndNothingElse(void **state)
{
    (void)state;
    rk_random random = { 6 };
    for (int i = 0; i < 20000; i++) {
        unsigned char bytes[32], got[32];
        char text[64];
        size_t size = (size_t)rk_random_below(&random, sizeof bytes + 1), got_size = 0;
        for (size_t at = 0; at < size; at++) bytes[at] = (unsigned char)rk_random_next(&random);
        rk_base64_write(bytes, size, text);
        size_t length = rk_base64_size(size);
        assert_true(rk_base64_read(text, length, got, size, &got_size));
        assert_int_equal(got_size, size);
        assert_memory_equal(got, bytes, size);
        if (size == 0) continue;

        assert_false(rk_base64_read(text, length, got, size - 1, &got_size));
        assert_false(rk_base64_read(text, length - 1, got, size, &got_size));
        text[rk_random_below(&random, length)] = "\x01-_ \n\xFF"[rk_random_below(&random, 6)];
        assert_false(rk_base64_read(text, length, got, size, &got_size));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonHasTheFieldsInOrderWithoutSpaces),
        cmocka_unit_test(everyKindIsPrintedExactly),
        cmocka_unit_test(blobsAreBase64OfTheirOwnSize),
        cmocka_unit_test(floatsHaveTheFewestDigitsThatReadBack),
        cmocka_unit_test(localesChangeNothing),
        cmocka_unit_test(theLargestAndTheSmallestFloatsFit),
        cmocka_unit_test(whatIsNoNumberIsNullInJsonAndNamedInCsv),
        cmocka_unit_test(integersAreExact),
        cmocka_unit_test(floatsReadBackAsTheSameBits),
        cmocka_unit_test(tooLittleRoomIsSaidAndNothingBehindItIsTouched),
        cmocka_unit_test(bytesAreEscapedForJsonStrings),
        cmocka_unit_test(base64ReadsWhatItWroteAndNothingElse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
