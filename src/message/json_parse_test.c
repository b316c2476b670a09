/* Reading JSON: strict, exact, and with errors that name the field; and lines of it, fed in pieces of any
 * size. */
#include <float.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message/random_message.h"
#include "message/rows_transcript.h"
#include "ringkernel/text_json.h"

RK_MESSAGE(flight, 1, (rk_u32, seq), (rk_f32, hour), (rk_i32, delay))
RK_MESSAGE(large, 2, (rk_u64, id), (rk_i64, change), (rk_f64, wide, 2), (rk_u8, small), (rk_i8, tiny),
           (rk_u16, rest, 3))
RK_BLOB(frame, 3, 5)

#define GOOD "{\"seq\":1,\"hour\":2.5,\"delay\":-3}"

static void aFieldMayComeInAnyOrderAndWithSpaces(void **state)
{
    (void)state;
    const char *text = " { \"delay\" : -3 ,\t\"hour\": 25e-1, \"s\\u0065q\":4294967295 } \r\n";
    flight message;
    rk_u32 size = 0;
    rk_parse_error error;
    assert_int_equal(rk_json_parse(RK_SCHEMA(flight), text, strlen(text), &message, &size, &error), RK_OK);
    assert_int_equal(size, sizeof message);
    assert_true(message.seq == 4294967295u && message.hour == 2.5f && message.delay == -3);
    assert_string_equal(error.text, "");
}

/* Reads a line that must be wrong; what is said is "column: text". */
static void expect_wrong(const rk_schema *schema, const char *text, size_t size, const char *expected)
{
    char message[256], said[600];
    rk_u32 message_size = 0;
    rk_parse_error error;
    char *exact = malloc(size > 0 ? size : 1);
    assert_non_null(exact);
    memcpy(exact, text, size);
    rk_status status = rk_json_parse(schema, exact, size, message, &message_size, &error);
    snprintf(said, sizeof said, "%zu: %s", error.column, error.text);
    if (status != RK_PARSE_FAILED || strncmp(said, expected, strlen(expected)) != 0)
        fail_msg("%.*s: status %d, '%s'; expected '%s'", (int)size, text, (int)status, said, expected);
    assert_int_equal(rk_json_parse(schema, exact, size, message, &message_size, NULL), RK_PARSE_FAILED);
    free(exact);
}

static void aWrongLineIsRefusedWithFieldAndColumn(void **state)
{
    (void)state;
    static const char fields[] = "; the fields are seq, hour, delay";
    static const struct {
        const char *text, *error;
        bool lists_fields;
    } cases[] = {
        { "", "0: the line is empty", false },
        { "   ", "3: '[' or '{' expected near end of file", false },
        { "[1,2,3]", "1: the line is an array, not an object", false },
        { "5", "1: '[' or '{' expected near '5'", false },
        { "{\"seq\":1,\"hour\":2.5}", "0: delay is missing", true },
        { "{}", "0: seq is missing", true },
        { "{\"seq\":1,\"hour\":2.5,\"delay\":-3,\"late\":true}", "32: there is no field 'late'", true },
        { "{\"seq\":1,\"seq\":1,\"hour\":2.5,\"delay\":-3}", "14: duplicate object key near '\"seq\"'",
          false },
        { "{\"seq\":1,\"hour\":2.5,\"delay\":-3", "30: '}' expected near end of file", false },
        { GOOD ",", "32: end of file expected near ','", false },
        { GOOD " " GOOD, "33: end of file expected near '{'", false },
        { "{\"seq\":\"1\",\"hour\":2.5,\"delay\":-3}", "2: seq is a string, not an integer", false },
        { "{\"seq\":1.0,\"hour\":2.5,\"delay\":-3}", "2: seq is a fraction, not an integer", false },
        { "{\"seq\":1e3,\"hour\":2.5,\"delay\":-3}", "2: seq is a fraction, not an integer", false },
        { "{\"seq\":null,\"hour\":2.5,\"delay\":-3}", "2: seq is null, not an integer", false },
        { "{\"seq\":[1],\"hour\":2.5,\"delay\":-3}", "2: seq is an array, not an integer", false },
        { "{\"seq\":{\"\":\"5\"},\"hour\":2.5,\"delay\":-3}", "2: seq is an object, not an integer", false },
        { "{\"seq\":1,\"hour\":true,\"delay\":-3}", "10: hour is true or false, not a number", false },
        { "{\"seq\":1,\"hour\":null,\"delay\":-3}", "10: hour is null, not a number", false },
        { "{\"seq\":1,\"hour\":\"2.5\",\"delay\":-3}", "10: hour is a string, not a number", false },
        { "{\"seq\":-1,\"hour\":2.5,\"delay\":-3}", "2: seq is -1, which is not in 0 to 4294967295", false },
        { "{\"seq\":4294967296,\"hour\":2.5,\"delay\":-3}",
          "2: seq is 4294967296, which is not in 0 to 4294967295", false },
        { "{\"seq\":1,\"hour\":2.5,\"delay\":2147483648}",
          "21: delay is 2147483648, which is not in -2147483648 to 2147483647", false },
        { "{\"seq\":18446744073709551615,\"hour\":2.5,\"delay\":-3}",
          "2: seq is 18446744073709551615, which is not in 0 to 4294967295", false },
        { "{\"seq\":18446744073709551616,\"hour\":2.5,\"delay\":-3}",
          "27: too big integer near '18446744073709551616'", false },
        { "{\"seq\":1,\"hour\":1e39,\"delay\":-3}", "10: hour is 1e+39, more than an rk_f32 holds", false },
        { "{\"seq\":1,\"hour\":1e999,\"delay\":-3}", "21: real number overflow near '1e999'", false },
        { "{\"seq\":01,\"hour\":2.5,\"delay\":-3}", "8: invalid token near '0'", false },
        { "{\"seq\":+1,\"hour\":2.5,\"delay\":-3}", "8: invalid token near '+'", false },
        { "{\"seq\":NaN,\"hour\":2.5,\"delay\":-3}", "10: invalid token near 'NaN'", false },
        { "{'seq':1,\"hour\":2.5,\"delay\":-3}", "2: string or '}' expected near '''", false },
        { "{\"seq\":1,\"hour\":2.5,\"delay\":\"\xFF\"}", "29: unable to decode byte 0xff near '\"'", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[300];
        snprintf(expected, sizeof expected, "%s%s", cases[i].error, cases[i].lists_fields ? fields : "");
        expect_wrong(RK_SCHEMA(flight), cases[i].text, strlen(cases[i].text), expected);
    }
}

static void nulBytesAndDeepNestingAreRefused(void **state)
{
    (void)state;
    static const char nul[] = "{\"seq\":1,\"hour\":2.5,\"delay\":-3\0}";
    static const char nul_in_key[] = "{\"s\\u0000eq\":1,\"hour\":2.5,\"delay\":-3}";
    expect_wrong(RK_SCHEMA(flight), nul, sizeof nul - 1, "31: there is a NUL byte");
    expect_wrong(RK_SCHEMA(flight), nul_in_key, sizeof nul_in_key - 1, "");
    size_t size = 100000;
    char *deep = malloc(size);
    assert_non_null(deep);
    memset(deep, '[', size);
    expect_wrong(RK_SCHEMA(flight), deep, size, "");
    free(deep);
}

static void anArrayHasExactlyItsElements(void **state)
{
    (void)state;
    static const char format[] =
        "{\"id\":1,\"change\":2,\"wide\":%s,\"small\":3,\"tiny\":4,\"rest\":[1,2,3]}";
    static const struct {
        const char *wide, *error;
    } cases[] = {
        { "[1]", "20: wide has 1 elements, not 2" },
        { "[1,2,3]", "20: wide has 3 elements, not 2" },
        { "1", "20: wide is an integer, not an array" },
        { "[1,\"2\"]", "20: wide[1] is a string, not a number" },
        { "[1,[2]]", "20: wide[1] is an array, not a number" },
    };
    char text[256];
    large message;
    snprintf(text, sizeof text, format, "[1,2.5]");
    assert_int_equal(rk_json_parse(RK_SCHEMA(large), text, strlen(text), &message, NULL, NULL), RK_OK);
    assert_true(message.wide[0] == 1 && message.wide[1] == 2.5 && message.rest[2] == 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, format, cases[i].wide);
        expect_wrong(RK_SCHEMA(large), text, strlen(text), cases[i].error);
    }
}

static void integersAreExactOverAllBits(void **state)
{
    (void)state;
    static const struct {
        const char *id, *change, *wide;
        rk_u64 id_value;
        rk_i64 change_value;
        rk_f64 wide_value;
    } cases[] = {
        { "18446744073709551615", "-9223372036854775808", "18446744073709551615", UINT64_MAX, INT64_MIN,
          0x1p64 },
        { "9223372036854775808", "9223372036854775807", "9223372036854775808", 0x8000000000000000u, INT64_MAX,
          0x1p63 },
        { "9223372036854775807", "0", "-9223372036854775808", INT64_MAX, 0, -0x1p63 },
        { "10000000000000000001", "-1", "1e19", 10000000000000000001u, -1, 1e19 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        large message;
        snprintf(
            text, sizeof text,
            "{\"id\":%s, \"change\": %s ,\"wide\":[%s,0],\"small\":255,\"tiny\":-128,\"rest\":[0,1,65535]}",
            cases[i].id, cases[i].change, cases[i].wide);
        rk_parse_error error;
        if (rk_json_parse(RK_SCHEMA(large), text, strlen(text), &message, NULL, &error) != RK_OK)
            fail_msg("%s", error.text);
        assert_true(message.id == cases[i].id_value);
        assert_true(message.change == cases[i].change_value);
        assert_true(message.wide[0] == cases[i].wide_value);
        assert_true(message.small == 255 && message.tiny == -128 && message.rest[2] == 65535);
    }
}

static void largeIntegersDoNotOpenADoorForObjects(void **state)
{
    (void)state;
    static const struct {
        const char *id, *change, *error;
    } cases[] = {
        { "18446744073709551615", "{\"\":\"5\"}", "" },
        { "{\"\":\"18446744073709551615\"}", "1", "2: id is an object, not an integer" },
        { "{\"\":18446744073709551615}", "1", "" },
        { "1", "9223372036854775808",
          "9: change is 9223372036854775808, which is not in -9223372036854775808 to "
          "9223372036854775807" },
        { "\"18446744073709551615\"", "9223372036854775808", "2: id is a string, not an integer" },
        { "99999999999999999999", "1", "26: too big integer" },
        { "-9223372036854775809", "1", "26: too big negative integer" },
        { "18446744073709551615.0", "9223372036854775808", "2: id is a fraction, not an integer" },
        { "[18446744073709551615]", "1", "2: id is an array, not an integer" },
        { "18446744073709551615", "\"\\\"", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"id\":%s,\"change\":%s,\"wide\":[0,0],\"small\":0,\"tiny\":0,\"rest\":[0,0,0]}",
                 cases[i].id, cases[i].change);
        expect_wrong(RK_SCHEMA(large), text, strlen(text), cases[i].error);
    }
    expect_wrong(RK_SCHEMA(frame), "{\"bytes\":18446744073709551615}", 30,
                 "2: bytes is an integer, not a string");
}

static void aBlobIsAStringInBase64(void **state)
{
    (void)state;
    frame message;
    rk_u32 size = 9;
    assert_int_equal(rk_json_parse(RK_SCHEMA(frame), "{\"bytes\":\"AAE\\u0043\"}", 22, &message, &size, NULL),
                     RK_PARSE_FAILED);
    assert_int_equal(rk_json_parse(RK_SCHEMA(frame), "{\"bytes\":\"AAE\\u0043\"}", 21, &message, &size, NULL),
                     RK_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(message.bytes, "\0\1\2", 3);
    assert_int_equal(rk_json_parse(RK_SCHEMA(frame), "{\"bytes\":\"\"}", 12, &message, &size, NULL), RK_OK);
    assert_int_equal(size, 0);
    expect_wrong(RK_SCHEMA(frame), "{\"bytes\":\"AAECAwQF\"}", 20,
                 "2: bytes is not 5 bytes or fewer in base64");
    expect_wrong(RK_SCHEMA(frame), "{\"bytes\":\"AAE\"}", 15, "2: bytes is not 5 bytes or fewer in base64");
    expect_wrong(RK_SCHEMA(frame), "{\"bytes\":[0]}", 13, "2: bytes is an array, not a string");
    assert_int_equal(rk_json_parse(RK_SCHEMA(frame), "{}", 2, &message, NULL, NULL), RK_INVALID_ARGUMENT);
}

/* --- lines ----------------------------------------------------------------------------------------- */

static rk_status next_json(void *reader, const char *data, size_t size, bool last, rk_row_batch *batch)
{
    return rk_json_next(reader, data, size, last, batch);
}

static void expect_lines(const char *text, size_t size, const char *expected)
{
    static const size_t pieces[] = { 0, 1, 2, 3, 7, 64 };
    for (size_t piece = 0; piece < sizeof pieces / sizeof pieces[0]; piece++) {
        if (size > 100000 && pieces[piece] != 0 && pieces[piece] < 64) continue;
        for (rk_u32 room = 1; room < 4; room++) {
            rk_json_reader *reader = NULL;
            assert_int_equal(rk_json_open(RK_SCHEMA(flight), &reader), RK_OK);
            rk_transcript got = rk_transcribe(next_json, reader, RK_SCHEMA(flight), text, size, pieces[piece],
                                              room, piece % 2 == 0);
            rk_json_close(reader);
            assert_string_equal(got.text, expected);
            free(got.text);
        }
    }
}

static void linesBecomeMessagesWithTheirNumbers(void **state)
{
    (void)state;
    static const char text[] = GOOD "\n\n" GOOD "\r\n\r\nnull\n{\"seq\":1}\0\n" GOOD;
    expect_lines(text, sizeof text - 1,
                 "1 " GOOD "\n"
                 "2 bad '' @0 the line is empty\n"
                 "3 " GOOD "\n"
                 "4 bad '' @0 the line is empty\n"
                 "5 bad 'null' @4 '[' or '{' expected near 'null'\n"
                 "6 bad '{\\\"seq\\\":1}\\u0000' @10 there is a NUL byte\n"
                 "7 " GOOD "\n");
    expect_lines("", 0, "");
    expect_lines("\xEF\xBB\xBF", 3, ""); /* as some editors write an empty file */
    expect_lines("\xEF\xBB\xBF\n", 4, "1 bad '' @0 the line is empty\n");
    expect_lines(GOOD "\n\xEF\xBB\xBF", sizeof GOOD + 3,
                 "1 " GOOD "\n2 bad '\xEF\xBB\xBF' @3 '[' or '{' expected near '\xEF\xBB\xBF'\n");
    expect_lines("\xEF\xBB\xBF" GOOD "\n" GOOD, 2 * sizeof GOOD + 2, "1 " GOOD "\n2 " GOOD "\n");
    expect_lines(
        "\xEF\xBB\xBFx\n\xEF\xBB\xBF" GOOD, sizeof GOOD + 7,
        "1 bad 'x' @1 '[' or '{' expected near 'x'\n"
        "2 bad '\xEF\xBB\xBF{\\\"seq\\\":1,\\\"hour\\\":2.5,\\\"delay\\\":-3}' @3 '[' or '{' expected near "
        "'\xEF\xBB\xBF'\n");
    expect_lines("{", 1, "1 bad '{' @1 string or '}' expected near end of file\n");
    expect_lines(GOOD "\r", sizeof GOOD, "1 " GOOD "\n"); /* white space of JSON */
}

/* given numbers that no field holds, when they are rows, then each is the nearest that its field holds */
static void aRowsNumberThatItsFieldCantHoldIsBentAsInCsv(void **state)
{
    (void)state;
    static const char ends[] = "9223372036854775807", beyond[] = "9223372036854775808";
    static const struct {
        const char *number;
        rk_u32 seq;
        rk_f32 hour;
        rk_i32 delay;
    } cases[] = {
        { "-1", 0, -1, -1 },
        { "4294967296", UINT32_MAX, 0x1p32f, INT32_MAX },
        { "-4294967296", 0, -0x1p32f, INT32_MIN },
        { ends, UINT32_MAX, 0x1p63f, INT32_MAX },
        { beyond, UINT32_MAX, 0x1p63f, INT32_MAX },
        { "-9223372036854775809", 0, -0x1p63f, INT32_MIN },
        { "18446744073709551616", UINT32_MAX, 0x1p64f, INT32_MAX },
        { "99999999999999999999999", UINT32_MAX, 1e23f, INT32_MAX },
        { "-99999999999999999999999", 0, -1e23f, INT32_MIN },
        { "9999999999999999999999999999999999999999999999", UINT32_MAX, FLT_MAX, INT32_MAX },
    };
    static const char form[] = "{\"seq\":%s,\"hour\":%s,\"delay\":%s}";
    flight got;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rk_json_reader *reader = NULL;
        rk_row_batch batch = { .messages = &got, .room = 1 };
        char text[300];
        const char *n = cases[i].number;
        const int size = snprintf(text, sizeof text, form, n, n, n);
        assert_int_equal(rk_json_open(RK_SCHEMA(flight), &reader), RK_OK);
        assert_int_equal(rk_json_next(reader, text, (size_t)size, true, &batch), RK_OK);
        if (batch.count != 1) fail_msg("%s: %s", text, batch.bad.why);
        assert_true(got.seq == cases[i].seq && got.hour == cases[i].hour && got.delay == cases[i].delay);
        rk_json_close(reader);
    }
    /* floats with an exponent; a fraction is no integer still, however large, and what is no number is none */
    static const char floats[] =
        "{\"seq\":1,\"hour\":1e39,\"delay\":2}\n{\"seq\":1,\"hour\":-1e999,\"delay\":2}";
    static const char fraction[] = "{\"seq\":1e999,\"hour\":1,\"delay\":2}";
    expect_lines(floats, sizeof floats - 1,
                 "1 {\"seq\":1,\"hour\":3.4028235e38,\"delay\":2}\n"
                 "2 {\"seq\":1,\"hour\":-3.4028235e38,\"delay\":2}\n");
    expect_lines(fraction, sizeof fraction - 1,
                 "1 bad '{\\\"seq\\\":1e999,\\\"hour\\\":1,\\\"delay\\\":2}' @2 seq is a fraction, not an "
                 "integer\n");
    static const char wrong[] = "{\"seq\":99999999999999999999,\"hour\":1e,\"delay\":2}";
    rk_json_reader *reader = NULL;
    rk_row_batch batch = { .messages = &got, .room = 1 };
    assert_int_equal(rk_json_open(RK_SCHEMA(flight), &reader), RK_OK);
    assert_int_equal(rk_json_next(reader, wrong, sizeof wrong - 1, true, &batch), RK_OK);
    assert_true(batch.failed && batch.count == 0);
    rk_json_close(reader);
}

/* given what begins with a number that is too large and is none as a whole, when it is a row, then the row is bad */
static void whatOnlyBeginsWithALargeNumberIsBad(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "99999999999999999999-5",
        "99999999999999999999+",
        "-99999999999999999999--1",
        "99999999999999999999.",
        "99999999999999999999e",
        "99999999999999999999.e5",
        "99999999999999999999.5.",
        "1e999-1",
        "1e999.5",
        "1e999e9",
        "1e999+",
        "-1.5e999.5",
        "1.e999",
        "0199999999999999999999",
        "-",
        "--99999999999999999999",
        "1e+-999",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        flight got;
        char text[300];
        /* one that is right beside it has the whole line written anew */
        const int size =
            snprintf(text, sizeof text, "{\"seq\":99999999999999999999,\"hour\":%s,\"delay\":2}", wrong[i]);
        rk_json_reader *reader = NULL;
        rk_row_batch batch = { .messages = &got, .room = 1 };
        assert_int_equal(rk_json_open(RK_SCHEMA(flight), &reader), RK_OK);
        assert_int_equal(rk_json_next(reader, text, (size_t)size, true, &batch), RK_OK);
        if (!batch.failed || batch.count != 0) fail_msg("%s is taken", wrong[i]);
        rk_json_close(reader);
    }
    /* and what is one, with every part that there may be, is taken */
    static const char right[] =
        "{\"seq\":1,\"hour\":-10.25E+999,\"delay\":2}\n{\"seq\":1,\"hour\":0.1e0999,\"delay\":2}";
    expect_lines(right, sizeof right - 1,
                 "1 {\"seq\":1,\"hour\":-3.4028235e38,\"delay\":2}\n"
                 "2 {\"seq\":1,\"hour\":3.4028235e38,\"delay\":2}\n");
}

static void aLineLongerThanTheLimitIsBadAndCut(void **state)
{
    (void)state;
    rk_json_reader *reader = NULL;
    assert_int_equal(rk_json_open(RK_SCHEMA(flight), &reader), RK_OK);
    size_t limit = rk_json_row_limit(reader), sizes[] = { limit, limit + 1, 10 * limit };
    rk_json_close(reader);
    assert_int_equal(limit, 65536 + rk_json_room(RK_SCHEMA(flight), sizeof(flight)));

    char *text = malloc(12 * limit + 256), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < 3; i++) {
        memset(at, ' ', sizes[i]);
        memcpy(at, GOOD, sizeof GOOD - 1);
        at += sizes[i];
        *at++ = '\n';
    }
    char expected[1024];
    snprintf(expected, sizeof expected,
             "1 " GOOD "\n"
             "2 bad '{\\\"seq\\\":1,\\\"hour\\\":2.5,\\\"delay\\\":-3}         ' (1024 of %zu) @0 the line "
             "has %zu bytes, more than %zu\n"
             "3 bad '{\\\"seq\\\":1,\\\"hour\\\":2.5,\\\"delay\\\":-3}         ' (1024 of %zu) @0 the line "
             "has %zu bytes, more than %zu\n",
             sizes[1], sizes[1], limit, sizes[2], sizes[2], limit);
    expect_lines(text, (size_t)(at - text), expected);
    free(text);
}

static void wrongArgumentsAreRefused(void **state)
{
    (void)state;
    rk_json_reader *reader = NULL;
    flight message;
    rk_row_batch batch = { .messages = &message, .room = 1 }, no_room = { .messages = &message };
    rk_schema unsound = *RK_SCHEMA(flight);
    unsound.hash++;
    assert_int_equal(rk_json_open(NULL, &reader), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_open(RK_SCHEMA(flight), NULL), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_open(&unsound, &reader), RK_INVALID_ARGUMENT);
    assert_null(reader);
    assert_int_equal(rk_json_open(RK_SCHEMA(flight), &reader), RK_OK);
    assert_int_equal(rk_json_next(NULL, GOOD, 5, true, &batch), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_next(reader, GOOD, 5, true, NULL), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_next(reader, GOOD, 5, true, &no_room), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_next(reader, NULL, 0, true, &batch), RK_OK);
    assert_false(batch.more);
    assert_int_equal(rk_json_next(reader, GOOD, 5, true, &batch), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_parse(NULL, GOOD, 5, &message, NULL, NULL), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_parse(RK_SCHEMA(flight), NULL, 5, &message, NULL, NULL), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_parse(RK_SCHEMA(flight), GOOD, 5, NULL, NULL, NULL), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_json_row_limit(NULL), 0);
    rk_json_close(reader);
    rk_json_close(NULL);
}

/* Memory that runs out after some allocations. */
static size_t allocations_left;
static void *few_allocations(size_t size)
{
    if (allocations_left == 0) return NULL;
    allocations_left--;
    return malloc(size);
}

static void withoutMemoryTheRowIsGivenAsBadAndNothingLeaks(void **state)
{
    (void)state;
    for (size_t allowed = 0; allowed < 50; allowed++) {
        rk_json_reader *reader = NULL;
        flight message[2];
        rk_row_batch batch = { .messages = message, .room = 2 };
        assert_int_equal(rk_json_open(RK_SCHEMA(flight), &reader), RK_OK);
        json_set_alloc_funcs(few_allocations, free);
        allocations_left = allowed;
        rk_status status = rk_json_next(reader, GOOD "\n" GOOD, 2 * sizeof GOOD - 1, true, &batch);
        json_set_alloc_funcs(malloc, free);
        assert_true(status == RK_OK || status == RK_OUT_OF_MEMORY);
        assert_int_equal(batch.count + batch.failed, batch.failed && batch.count == 0 ? 1 : 2);
        rk_json_close(reader);
    }
}

/* given random schemas and messages, when they are printed and read, then they are the same bytes */
static void whatIsPrintedReadsBackTheSame(void **state)
{
    (void)state;
    rk_random random = { 7 };
    for (int round = 0; round < 5000; round++) {
        rk_random_schema made;
        rk_random_schema_make(&random, &made);
        const rk_schema *schema = &made.schema;
        char message[RK_RANDOM_MESSAGE_MAX], got[RK_RANDOM_MESSAGE_MAX], text[8000];
        rk_u32 size = rk_random_message(&random, schema, message), got_size = 0;
        size_t length = rk_json_print(schema, message, size, text, sizeof text);
        assert_true(length <= rk_json_room(schema, size));

        rk_parse_error error;
        if (rk_json_parse(schema, text, length, got, &got_size, &error) != RK_OK)
            fail_msg("%.*s: %s", (int)length, text, error.text);
        assert_int_equal(got_size, size);
        if (memcmp(got, message, size) != 0) fail_msg("%.*s reads as another message", (int)length, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aFieldMayComeInAnyOrderAndWithSpaces),
        cmocka_unit_test(aWrongLineIsRefusedWithFieldAndColumn),
        cmocka_unit_test(nulBytesAndDeepNestingAreRefused),
        cmocka_unit_test(anArrayHasExactlyItsElements),
        cmocka_unit_test(integersAreExactOverAllBits),
        cmocka_unit_test(largeIntegersDoNotOpenADoorForObjects),
        cmocka_unit_test(aBlobIsAStringInBase64),
        cmocka_unit_test(linesBecomeMessagesWithTheirNumbers),
        cmocka_unit_test(aRowsNumberThatItsFieldCantHoldIsBentAsInCsv),
        cmocka_unit_test(whatOnlyBeginsWithALargeNumberIsBad),
        cmocka_unit_test(aLineLongerThanTheLimitIsBadAndCut),
        cmocka_unit_test(wrongArgumentsAreRefused),
        cmocka_unit_test(withoutMemoryTheRowIsGivenAsBadAndNothingLeaks),
        cmocka_unit_test(whatIsPrintedReadsBackTheSame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
