/* Reading CSV: what is a message, what is a bad row and why, whatever the bytes and however they come in
 * pieces. (Numbers: text_csv_number_test.c.) */
#include "text_csv_fixture_test.h"

#include "message/random_message.h"

RK_MESSAGE(flight, 1, (rk_u32, seq), (rk_f32, hour), (rk_i32, distance), (rk_i32, delay))
RK_MESSAGE(samples, 4, (rk_i16, value, 3), (rk_u16, id))
RK_BLOB(frame, 5, 6)

#define HEAD "seq,hour,distance,delay\n"

static void rowsBecomeMessagesWithTheirNumbers(void **state)
{
    (void)state;
    expect_text(RK_SCHEMA(flight), HEAD "0,0.00,1452,0\n1,13.5,2227,-171\n4294967295,007.250,0,-0\n",
                "1 {\"seq\":0,\"hour\":0,\"distance\":1452,\"delay\":0}\n"
                "2 {\"seq\":1,\"hour\":13.5,\"distance\":2227,\"delay\":-171}\n"
                "3 {\"seq\":4294967295,\"hour\":7.25,\"distance\":0,\"delay\":0}\n");
}

static void columnsMayComeInAnyOrder(void **state)
{
    (void)state;
    expect_text(RK_SCHEMA(flight), "delay,seq,distance,hour\n4,1,3,2.5\n",
                "1 {\"seq\":1,\"hour\":2.5,\"distance\":3,\"delay\":4}\n");
}

static void anArrayFieldIsAColumnPerElement(void **state)
{
    (void)state;
    expect_text(RK_SCHEMA(samples), "value[2],id,value[0],value[1]\n3,9,-1,2\nx,9,-1,2\n",
                "1 {\"value\":[-1,2,3],\"id\":9}\n"
                "2 bad 'x,9,-1,2' @1 value[2] is not an integer of the form -?[0-9]+\n");
}

static void aBlobIsOneColumnInBase64(void **state)
{
    (void)state;
    expect_text(RK_SCHEMA(frame),
                "bytes\nAAEC\r\n/w==\nAAECAwQF\nAAECAwQFBg==\nAAE\nAAF=\nA+/b\nAA=C\n?AAA\nAA,E\n\n",
                "1 {\"bytes\":\"AAEC\"}\n"
                "2 {\"bytes\":\"/w==\"}\n"
                "3 {\"bytes\":\"AAECAwQF\"}\n"
                "4 bad 'AAECAwQFBg==' @1 bytes is not 6 bytes or fewer in base64\n"
                "5 bad 'AAE' @1 bytes is not 6 bytes or fewer in base64\n"
                "6 bad 'AAF=' @1 bytes is not 6 bytes or fewer in base64\n"
                "7 {\"bytes\":\"A+/b\"}\n"
                "8 bad 'AA=C' @1 bytes is not 6 bytes or fewer in base64\n"
                "9 bad '?AAA' @1 bytes is not 6 bytes or fewer in base64\n"
                "10 bad 'AA,E' @0 the row has 2 values, not 1\n"
                "11 {\"bytes\":\"\"}\n");
}

static void lineFeedAndCarriageReturnLineFeedBothEndARow(void **state)
{
    (void)state;
    expect_text(RK_SCHEMA(flight), "seq,hour,distance,delay\r\n1,2,3,4\r\n5,6,7,8\n",
                "1 {\"seq\":1,\"hour\":2,\"distance\":3,\"delay\":4}\n"
                "2 {\"seq\":5,\"hour\":6,\"distance\":7,\"delay\":8}\n");
}

static void aLastRowWithoutLineEndingCounts(void **state)
{
    (void)state;
    expect_text(RK_SCHEMA(flight), HEAD "1,2,3,4", "1 {\"seq\":1,\"hour\":2,\"distance\":3,\"delay\":4}\n");
    expect_text(RK_SCHEMA(flight), HEAD "1,2,3", "1 bad '1,2,3' @0 the row has 3 values, not 4\n");
    expect_text(RK_SCHEMA(flight), HEAD "1,2,3,4\r",
                "1 bad '1,2,3,4\\r' @7 delay is not an integer of the form -?[0-9]+\n");
}

static void aHeadAloneIsNoRows(void **state)
{
    (void)state;
    expect_text(RK_SCHEMA(flight), HEAD, "");
    expect_text(RK_SCHEMA(flight), "seq,hour,distance,delay", "");
    expect_text(RK_SCHEMA(flight), "\xEF\xBB\xBF" HEAD, "");
}

static void aMalformedRowIsBadAndTheNextIsRead(void **state)
{
    (void)state;
    static const struct {
        const char *row, *bad;
    } cases[] = {
        { "", "'' @0 the row is empty" },
        { ",", "',' @0 the row has 2 values, not 4" },
        { "1,2,3", "'1,2,3' @0 the row has 3 values, not 4" },
        { "1,2,3,4,5", "'1,2,3,4,5' @0 the row has 5 values, not 4" },
        { "1,2,3,4,", "'1,2,3,4,' @0 the row has 5 values, not 4" },
        { ",2,3,4", "',2,3,4' @1 seq is not an integer of the form -?[0-9]+" },
        { "1,2,,4", "'1,2,,4' @5 distance is not an integer of the form -?[0-9]+" },
        { "1,2,3,", "'1,2,3,' @7 delay is not an integer of the form -?[0-9]+" },
        { " 1,2,3,4", "' 1,2,3,4' @1 seq is not an integer of the form -?[0-9]+" },
        { "1 ,2,3,4", "'1 ,2,3,4' @1 seq is not an integer of the form -?[0-9]+" },
        { "1,2,3,4 ", "'1,2,3,4 ' @7 delay is not an integer of the form -?[0-9]+" },
        { "1,2,\t3,4", "'1,2,\\t3,4' @5 distance is not an integer of the form -?[0-9]+" },
        { "+1,2,3,4", "'+1,2,3,4' @1 seq is not an integer of the form -?[0-9]+" },
        { "1,2,3,--4", "'1,2,3,--4' @7 delay is not an integer of the form -?[0-9]+" },
        { "1,2,3,-", "'1,2,3,-' @7 delay is not an integer of the form -?[0-9]+" },
        { "1,2,3,4-", "'1,2,3,4-' @7 delay is not an integer of the form -?[0-9]+" },
        { "1,2,3.0,4", "'1,2,3.0,4' @5 distance is not an integer of the form -?[0-9]+" },
        { "1,2,0x10,4", "'1,2,0x10,4' @5 distance is not an integer of the form -?[0-9]+" },
        { "1,2,1e3,4", "'1,2,1e3,4' @5 distance is not an integer of the form -?[0-9]+" },
        { "\"1\",2,3,4", "'\\\"1\\\",2,3,4' @1 seq is not an integer of the form -?[0-9]+" },
        { "1,,3,4", "'1,,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1,.5,3,4", "'1,.5,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1,5.,3,4", "'1,5.,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1,-.5,3,4", "'1,-.5,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1,5.5.5,3,4", "'1,5.5.5,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1,5e1,3,4", "'1,5e1,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1,nan,3,4", "'1,nan,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1,inf,3,4", "'1,inf,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1,- 2,3,4", "'1,- 2,3,4' @3 hour is not a number of the form -?[0-9]+(\\.[0-9]+)?" },
        { "1;2;3;4", "'1;2;3;4' @0 the row has 1 value, not 4" },
        { "1,2,3,4\r", "'1,2,3,4\\r' @7 delay is not an integer of the form -?[0-9]+" },
        { "1\r,2,3,4", "'1\\r,2,3,4' @1 seq is not an integer of the form -?[0-9]+" },
        { "1,2,3,\xB2", "'1,2,3,\\ufffd' @7 delay is not an integer of the form -?[0-9]+" },
        { "12345678x,2,3,4", "'12345678x,2,3,4' @1 seq is not an integer of the form -?[0-9]+" },
        { "seq,hour,distance,delay",
          "'seq,hour,distance,delay' @1 seq is not an integer of the form -?[0-9]+" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256], expected[512];
        for (int with_return = 0; with_return < 2; with_return++) {
            snprintf(text, sizeof text, HEAD "1,2,3,4\n%s%s\n5,6,7,8\n", cases[i].row,
                     with_return ? "\r" : "");
            snprintf(expected, sizeof expected,
                     "1 {\"seq\":1,\"hour\":2,\"distance\":3,\"delay\":4}\n2 bad %s\n"
                     "3 {\"seq\":5,\"hour\":6,\"distance\":7,\"delay\":8}\n",
                     cases[i].bad);
            size_t length = strlen(cases[i].row);
            if (with_return == 0 && length > 0 && cases[i].row[length - 1] == '\r')
                continue; /* a line ending */
            expect_text(RK_SCHEMA(flight), text, expected);
        }
    }
}

static void aNulByteMakesARowBad(void **state)
{
    (void)state;
    static const char text[] = HEAD "1,2,3\0,4\n1,2,3,4\0\n\0\n5,6,7,8\n";
    expect_rows(RK_SCHEMA(flight), text, sizeof text - 1,
                "1 bad '1,2,3\\u0000,4' @5 distance is not an integer of the form -?[0-9]+\n"
                "2 bad '1,2,3,4\\u0000' @7 delay is not an integer of the form -?[0-9]+\n"
                "3 bad '\\u0000' @0 the row has 1 value, not 4\n"
                "4 {\"seq\":5,\"hour\":6,\"distance\":7,\"delay\":8}\n");
}

static void everyMistakeInTheHeadIsNamedWithTheValidColumns(void **state)
{
    (void)state;
    static const char valid[] = "; the columns are seq, hour, distance, delay\nstatus 66\n";
    static const struct {
        const char *head, *bad;
    } cases[] = {
        { "seq,hour,distance", "@0 column 'delay' is missing" },
        { "seq,hour,distance,delay,carrier", "@25 column 'carrier' is unknown" },
        { "seq,hour,hour,distance,delay", "@10 column 'hour' is there twice" },
        { "seq,hours,hour,hour,delay",
          "@5 column 'hours' is unknown; column 'hour' is there twice; column 'distance' is missing" },
        { "Seq,hour,distance,delay", "@1 column 'Seq' is unknown; column 'seq' is missing" },
        { "seq, hour,distance,delay", "@5 column ' hour' is unknown; column 'hour' is missing" },
        { "seq[0],hour,distance,delay", "@1 column 'seq[0]' is unknown; column 'seq' is missing" },
        { "", "@1 column '' is unknown; column 'seq' is missing; column 'hour' is missing; column 'distance' "
              "is missing; "
              "column 'delay' is missing" },
        { "seq,hour,distance,delay,", "@25 column '' is unknown" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256], expected[512];
        snprintf(text, sizeof text, "%s\n1,2,3,4\n", cases[i].head);
        snprintf(expected, sizeof expected, "0 bad '%s' %s%s", cases[i].head, cases[i].bad, valid);
        expect_text(RK_SCHEMA(flight), text, expected);
    }
}

static void columnsOfArraysAreCheckedByElement(void **state)
{
    (void)state;
    static const struct {
        const char *head, *bad;
    } cases[] = {
        { "value[0],value[1],id", "@0 column 'value[2]' is missing" },
        { "value,id",
          "@1 column 'value' is unknown; column 'value[0]' is missing; column 'value[1]' is missing; column "
          "'value[2]' is missing" },
        { "value[0],value[1],value[2],value[3],id", "@28 column 'value[3]' is unknown" },
        { "value[0],value[1],value[1],value[2],id", "@19 column 'value[1]' is there twice" },
        { "value[0],value[1],value[02],id",
          "@19 column 'value[02]' is unknown; column 'value[2]' is missing" },
        { "value[0],value[1],value[2,id", "@19 column 'value[2' is unknown; column 'value[2]' is missing" },
        { "value[0],value[1],value[],id", "@19 column 'value[]' is unknown; column 'value[2]' is missing" },
        { "value[0],value[1],value[2]x,id",
          "@19 column 'value[2]x' is unknown; column 'value[2]' is missing" },
        { "value[0],value[1],value[4294967298],id",
          "@19 column 'value[4294967298]' is unknown; column 'value[2]' is missing" },
        { "value[0],value[1],[2],id", "@19 column '[2]' is unknown; column 'value[2]' is missing" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256], expected[512];
        snprintf(text, sizeof text, "%s\n", cases[i].head);
        snprintf(expected, sizeof expected,
                 "0 bad '%s' %s; the columns are value[0] to value[2], id\nstatus 66\n", cases[i].head,
                 cases[i].bad);
        expect_text(RK_SCHEMA(samples), text, expected);
    }
}

static void emptyInputIsAnErrorThatNamesTheColumns(void **state)
{
    (void)state;
    static const char *const nothing[] = { "", "\xEF\xBB\xBF" };
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        expect_text(
            RK_SCHEMA(flight), nothing[i],
            "0 bad '' @0 the input is empty, without a head line; the columns are seq, hour, distance, "
            "delay\nstatus 66\n");
}

static void afterAWrongHeadNothingIsRead(void **state)
{
    (void)state;
    rk_csv_reader *reader = NULL;
    flight message;
    rk_row_batch batch = { .messages = &message, .room = 1 };
    assert_int_equal(rk_csv_open(RK_SCHEMA(flight), &reader), RK_OK);
    assert_int_equal(rk_csv_next(reader, "x\n", 2, false, &batch), RK_PARSE_FAILED);
    assert_int_equal(rk_csv_next(reader, "1,2,3,4\n", 8, true, &batch), RK_PARSE_FAILED);
    assert_int_equal(batch.count, 0);
    assert_true(batch.failed);
    assert_false(batch.more);
    assert_int_equal(batch.bad.row, 0);
    assert_non_null(strstr(batch.bad.why, "'x' is unknown"));
    rk_csv_close(reader);
}

static void aRowAtTheLimitIsReadAndALongerOneIsBadAndCut(void **state)
{
    (void)state;
    rk_csv_reader *reader = NULL;
    assert_int_equal(rk_csv_open(RK_SCHEMA(flight), &reader), RK_OK);
    size_t limit = rk_csv_row_limit(reader);
    rk_csv_close(reader);
    assert_int_equal(limit, 65536 + rk_csv_room(RK_SCHEMA(flight), sizeof(flight)));

    /* given rows of the limit, one more byte and ten times as much, all of valid digits, with either line
     * ending */
    for (int with_return = 0; with_return < 2; with_return++) {
        size_t sizes[] = { limit, limit + 1, 10 * limit };
        char *text = malloc(12 * limit + 256), *at = text;
        assert_non_null(text);
        at += sprintf(at, HEAD);
        for (size_t i = 0; i < 3; i++) {
            memset(at, '0', sizes[i]);
            memcpy(at, "7,2,3,", 6);
            at += sizes[i];
            at += sprintf(at, with_return ? "\r\n" : "\n");
        }
        at += sprintf(at, "5,6,7,8\n");

        char expected[1024];
        snprintf(expected, sizeof expected,
                 "1 {\"seq\":7,\"hour\":2,\"distance\":3,\"delay\":0}\n"
                 "2 bad '7,2,3,0000000000000000000000000000000000' (1024 of %zu) @0 the row has %zu bytes, "
                 "more than %zu\n"
                 "3 bad '7,2,3,0000000000000000000000000000000000' (1024 of %zu) @0 the row has %zu bytes, "
                 "more than %zu\n"
                 "4 {\"seq\":5,\"hour\":6,\"distance\":7,\"delay\":8}\n",
                 sizes[1], sizes[1], limit, sizes[2], sizes[2], limit);
        expect_rows(RK_SCHEMA(flight), text, (size_t)(at - text), expected);
        free(text);
    }
}

static void aHeadThatIsTooLongIsRefused(void **state)
{
    (void)state;
    size_t size = 1000000;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 's', size);
    rk_transcript got = read_csv(RK_SCHEMA(flight), text, size, 4096, 1, false);
    assert_non_null(strstr(
        got.text, "the head line is too long; the columns are seq, hour, distance, delay\nstatus 66\n"));
    free(got.text);
    free(text);
}

/* Given data without a line ending, when more of it has come than a head may have, then its end isn't waited
 * for. */
static void theEndOfAHeadThatIsTooLongIsNotWaitedFor(void **state)
{
    (void)state;
    static const char zeros[1000];
    rk_csv_reader *reader = NULL;
    flight message;
    rk_row_batch batch = { .messages = &message, .room = 1 };
    assert_int_equal(rk_csv_open(RK_SCHEMA(flight), &reader), RK_OK);
    size_t fed = 0, limit = rk_csv_row_limit(reader);
    for (; fed < limit; fed += sizeof zeros) {
        size_t size = limit - fed < sizeof zeros ? limit - fed : sizeof zeros;
        assert_int_equal(rk_csv_next(reader, zeros, size, false, &batch), RK_OK);
    }
    assert_int_equal(rk_csv_next(reader, "\r", 1, false, &batch), RK_OK); /* which may be the line ending's */
    assert_int_equal(rk_csv_next(reader, "", 1, false, &batch), RK_PARSE_FAILED);
    assert_non_null(strstr(batch.bad.why, "the head line is too long"));
    assert_int_equal(batch.bad.size, limit + 1);
    rk_csv_close(reader);
}

static void batchesAreFilledAtTheStrideAskedFor(void **state)
{
    (void)state;
    struct {
        char odd;
        char slots[3][24];
    } room;
    memset(&room, 0x55, sizeof room);
    rk_csv_reader *reader = NULL;
    rk_u32 sizes[2] = { 0 };
    rk_row_batch batch = { .messages = room.slots, .sizes = sizes, .room = 2, .stride = 24 };
    const char *text = HEAD "1,2,3,4\n5,6,7,8\n9,9,9,9\n";
    assert_int_equal(rk_csv_open(RK_SCHEMA(flight), &reader), RK_OK);
    assert_int_equal(rk_csv_next(reader, text, strlen(text), true, &batch), RK_OK);

    flight first, second;
    memcpy(&first, room.slots[0], sizeof first);
    memcpy(&second, room.slots[1], sizeof second);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.first_row, 1);
    assert_true(batch.more);
    assert_int_equal(batch.consumed, strlen(text) - 8);
    assert_int_equal(first.delay, 4);
    assert_int_equal(second.delay, 8);
    assert_int_equal(room.slots[1][16], 0x55); /* what lies between the messages is left alone */
    assert_int_equal(room.slots[2][0], 0x55);
    assert_int_equal(sizes[1], sizeof(flight));
    rk_csv_close(reader);
}

static void wrongArgumentsAreRefusedAndNothingIsRead(void **state)
{
    (void)state;
    rk_csv_reader *reader = NULL, *frames = NULL;
    rk_schema unsound = *RK_SCHEMA(flight);
    unsound.size = 20;
    assert_int_equal(rk_csv_open(NULL, &reader), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_open(RK_SCHEMA(flight), NULL), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_open(&unsound, &reader), RK_INVALID_ARGUMENT);
    assert_null(reader);
    assert_int_equal(rk_csv_open(RK_SCHEMA(flight), &reader), RK_OK);
    assert_int_equal(rk_csv_open(RK_SCHEMA(frame), &frames), RK_OK);

    flight message;
    rk_row_batch good = { .messages = &message, .room = 1 };
    rk_row_batch no_messages = { .room = 1 }, no_room = { .messages = &message };
    rk_row_batch narrow = { .messages = &message, .room = 1, .stride = sizeof(flight) - 1 };
    const char *text = HEAD "1,2,3,4\n";
    size_t size = strlen(text);
    assert_int_equal(rk_csv_next(NULL, text, size, true, &good), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_next(reader, text, size, true, NULL), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_next(reader, NULL, size, true, &good), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_next(reader, text, size, true, &no_messages), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_next(reader, text, size, true, &no_room), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_next(reader, text, size, true, &narrow), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_next(frames, "bytes\n", 6, true, &good), RK_INVALID_ARGUMENT);

    assert_int_equal(rk_csv_next(reader, text, size, true, &good), RK_OK);
    assert_int_equal(good.count, 1);
    assert_int_equal(rk_csv_next(reader, NULL, 0, true, &good), RK_OK);
    assert_false(good.more);
    assert_int_equal(rk_csv_next(reader, text, size, true, &good), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_next(reader, NULL, 0, false, &good), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_csv_next(reader, NULL, 0, true, &good), RK_OK);
    assert_int_equal(good.count, 0);
    assert_int_equal(rk_csv_row_limit(NULL), 0);
    rk_csv_close(frames);
    rk_csv_close(reader);
    rk_csv_close(NULL);
}

/* given random schemas and messages, when they are printed and read, then they are the same bytes */
static void whatIsPrintedReadsBackTheSame(void **state)
{
    (void)state;
    rk_random random = { 3 };
    for (int round = 0; round < 2000; round++) {
        rk_random_schema made;
        rk_random_schema_make(&random, &made);
        const rk_schema *schema = &made.schema;
        char messages[4][RK_RANDOM_MESSAGE_MAX], got[4][RK_RANDOM_MESSAGE_MAX], text[80000];
        rk_u32 sizes[4], got_sizes[4];
        size_t at = rk_csv_print_head(schema, text, sizeof text);
        text[at++] = '\n';
        for (int i = 0; i < 4; i++) {
            sizes[i] = rk_random_message(&random, schema, messages[i]);
            size_t room = rk_csv_room(schema, sizes[i]);
            size_t size = rk_csv_print(schema, messages[i], sizes[i], text + at, sizeof text - at);
            assert_true(size <= room);
            at += size;
            text[at++] = '\n';
        }

        rk_csv_reader *reader = NULL;
        assert_int_equal(rk_csv_open(schema, &reader), RK_OK);
        rk_row_batch batch = {
            .messages = got, .sizes = got_sizes, .room = 4, .stride = RK_RANDOM_MESSAGE_MAX
        };
        assert_int_equal(rk_csv_next(reader, text, at, true, &batch), RK_OK);
        assert_int_equal(batch.count, 4);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(got_sizes[i], sizes[i]);
            assert_memory_equal(got[i], messages[i], sizes[i]);
        }
        rk_csv_close(reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rowsBecomeMessagesWithTheirNumbers),
        cmocka_unit_test(columnsMayComeInAnyOrder),
        cmocka_unit_test(anArrayFieldIsAColumnPerElement),
        cmocka_unit_test(aBlobIsOneColumnInBase64),
        cmocka_unit_test(lineFeedAndCarriageReturnLineFeedBothEndARow),
        cmocka_unit_test(aLastRowWithoutLineEndingCounts),
        cmocka_unit_test(aHeadAloneIsNoRows),
        cmocka_unit_test(aMalformedRowIsBadAndTheNextIsRead),
        cmocka_unit_test(aNulByteMakesARowBad),
        cmocka_unit_test(everyMistakeInTheHeadIsNamedWithTheValidColumns),
        cmocka_unit_test(columnsOfArraysAreCheckedByElement),
        cmocka_unit_test(emptyInputIsAnErrorThatNamesTheColumns),
        cmocka_unit_test(afterAWrongHeadNothingIsRead),
        cmocka_unit_test(aRowAtTheLimitIsReadAndALongerOneIsBadAndCut),
        cmocka_unit_test(aHeadThatIsTooLongIsRefused),
        cmocka_unit_test(theEndOfAHeadThatIsTooLongIsNotWaitedFor),
        cmocka_unit_test(batchesAreFilledAtTheStrideAskedFor),
        cmocka_unit_test(wrongArgumentsAreRefusedAndNothingIsRead),
        cmocka_unit_test(whatIsPrintedReadsBackTheSame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
