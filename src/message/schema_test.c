/* Schemas: what RK_MESSAGE declares passes the check and has the hash that is computed from its fields;
 * whatever is changed in one is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "message/random_message.h"
#include "message/schema.h"

RK_MESSAGE(flight, 1, (rk_u32, seq), (rk_f32, hour), (rk_i32, distance_mi), (rk_i32, delay_min))
RK_MESSAGE(every_kind, 65535, (rk_u64, u64), (rk_i64, i64, 2), (rk_f64, f64), (rk_u32, u32), (rk_i32, i32),
           (rk_f32, f32, 4), (rk_u16, u16, 2), (rk_i16, i16), (rk_u8, u8),
           (rk_i8, a_name_of_thirty_two_characters_))
RK_BLOB(frame, 7, 300)

static const rk_schema *const declared[] = { RK_SCHEMA(flight), RK_SCHEMA(every_kind), RK_SCHEMA(frame) };
#define DECLARED (sizeof declared / sizeof declared[0])

static void declaredSchemasPassTheCheck(void **state)
{
    (void)state;
    for (size_t i = 0; i < DECLARED; i++) {
        rk_parse_error error;
        assert_int_equal(rk_schema_check(declared[i], &error), RK_OK);
        assert_string_equal(error.text, "");
        assert_int_equal(rk_schema_check(declared[i], NULL), RK_OK);
    }
}

static void theHashOfTheFieldsIsTheDeclaredOne(void **state)
{
    (void)state;
    assert_true(rk_schema_hash(RK_SCHEMA(flight)) == RK_SCHEMA(flight)->hash);
    assert_true(rk_schema_hash(RK_SCHEMA(every_kind)) == RK_SCHEMA(every_kind)->hash);
    assert_true(rk_schema_hash(RK_SCHEMA(frame)) == RK_SCHEMA(frame)->hash);
}

static void fieldsAreFoundByName(void **state)
{
    (void)state;
    assert_ptr_equal(rk_schema_field(RK_SCHEMA(flight), "hour"), &RK_SCHEMA(flight)->fields[1]);
    assert_null(rk_schema_field(RK_SCHEMA(flight), "Hour"));
    assert_null(rk_schema_field(RK_SCHEMA(flight), ""));
    assert_null(rk_schema_field(RK_SCHEMA(flight), NULL));
    assert_null(rk_schema_field(NULL, "hour"));
}

static void kindsHaveNameAndSize(void **state)
{
    (void)state;
    static const struct {
        rk_u32 kind;
        const char *name;
        rk_u32 size;
    } kinds[] = {
        { RK_KIND_U8, "rk_u8", 1 },   { RK_KIND_I8, "rk_i8", 1 },   { RK_KIND_U16, "rk_u16", 2 },
        { RK_KIND_I16, "rk_i16", 2 }, { RK_KIND_U32, "rk_u32", 4 }, { RK_KIND_I32, "rk_i32", 4 },
        { RK_KIND_U64, "rk_u64", 8 }, { RK_KIND_I64, "rk_i64", 8 }, { RK_KIND_F32, "rk_f32", 4 },
        { RK_KIND_F64, "rk_f64", 8 },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_string_equal(rk_kind_name(kinds[i].kind), kinds[i].name);
        assert_int_equal(rk_kind_size(kinds[i].kind), kinds[i].size);
    }
    assert_null(rk_kind_name(0));
    assert_null(rk_kind_name(RK_KIND_F64 + 1));
    assert_int_equal(rk_kind_size(0), 0);
    assert_int_equal(rk_kind_size(UINT32_MAX), 0);
}

/* A copy of the schema of flight that a case spoils. */
static rk_field fields[4];
static rk_schema spoiled;

static void no_name(void) { spoiled.name = ""; }
static void null_name(void) { spoiled.name = NULL; }
static void no_type(void) { spoiled.type = 0; }
static void large_type(void) { spoiled.type = 65536; }
static void no_fields(void) { spoiled.field_count = 0; }
static void null_fields(void) { spoiled.fields = NULL; }
static void field_with_space(void) { fields[1].name = "an hour"; }
static void field_with_digit_first(void) { fields[1].name = "1hour"; }
/* Two that differ behind what the hash sees would be one. */
static void long_field_name(void) { fields[3].name = "a_name_of_thirty_two_characters_a"; }
static void null_field_name(void) { fields[3].name = NULL; }
static void repeated_field(void) { fields[1].name = "seq"; }
static void no_kind(void) { fields[2].kind = 11; }
static void wrong_size(void) { fields[2].size = 8; }
static void no_elements(void) { fields[2].count = 0; }
static void hole(void) { fields[2].offset = 12; }
static void message_too_large(void) { spoiled.size = 20; }
static void field_too_many(void) { spoiled.field_count = 3; }
static void not_a_blob(void) { spoiled.variable = 1; }
static void strange_variable(void) { spoiled.variable = 2; }
static void other_kind(void) { fields[2].kind = RK_KIND_U32; }
static void other_name(void) { fields[2].name = "distance_km"; }
static void overflowing_count(void) { fields[0].count = UINT32_MAX; }

static void aSpoiledSchemaIsRefusedWithWhatIsWrong(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(void);
        const char *text;
    } cases[] = {
        { no_name, "the schema has no valid name" },
        { null_name, "the schema has no valid name" },
        { no_type, "flight: type id 0 is not in 1 to 65535" },
        { large_type, "flight: type id 65536 is not in 1 to 65535" },
        { no_fields, "flight: has no fields" },
        { null_fields, "flight: has no fields" },
        { field_with_space, "flight: field 1 has no valid name" },
        { field_with_digit_first, "flight: field 1 has no valid name" },
        { long_field_name, "flight: the name of field 3 has 33 characters, over 32" },
        { null_field_name, "flight: field 3 has no valid name" },
        { repeated_field, "flight: two fields are called seq" },
        { no_kind, "flight.distance_mi: there is no kind 11" },
        { wrong_size, "flight.distance_mi: an rk_i32 has 4 bytes, not 8" },
        { no_elements, "flight.distance_mi: has no elements" },
        { hole, "flight.distance_mi: is at byte 12, where 8 is expected" },
        { message_too_large, "flight: its fields have 16 bytes, the message 20" },
        { field_too_many, "flight: its fields have 12 bytes, the message 16" },
        { not_a_blob, "flight: a blob is one field rk_u8 bytes" },
        { strange_variable, "flight: a blob is one field rk_u8 bytes" },
        { other_kind, "flight: its hash is " },
        { other_name, "flight: its hash is " },
        { overflowing_count, "flight.hour: is at byte 4, where 17179869180 is expected" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rk_parse_error error;
        spoiled = *RK_SCHEMA(flight);
        memcpy(fields, spoiled.fields, sizeof fields);
        spoiled.fields = fields;
        cases[i].spoil();
        assert_int_equal(rk_schema_check(&spoiled, &error), RK_INCOMPATIBLE);
        assert_memory_equal(error.text, cases[i].text, strlen(cases[i].text));
    }
    assert_int_equal(rk_schema_check(NULL, NULL), RK_INVALID_ARGUMENT);
}

static void aLongErrorIsCutAndSaysSo(void **state)
{
    (void)state;
    rk_parse_error error;
    rk_parse_error_clear(&error);
    for (int i = 0; i < 100; i++) rk_parse_error_add(&error, "word number %d, ", i);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_string_equal(error.text + sizeof error.text - 4, "...");
    rk_parse_error_add(&error, "and more");
    assert_string_equal(error.text + sizeof error.text - 4, "...");
}

static void randomSchemasPassTheCheck(void **state)
{
    (void)state;
    rk_random random = { 1 };
    for (int i = 0; i < 1000; i++) {
        rk_random_schema made;
        rk_parse_error error;
        rk_random_schema_make(&random, &made);
        assert_int_equal(rk_schema_check(&made.schema, &error), RK_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declaredSchemasPassTheCheck),
        cmocka_unit_test(theHashOfTheFieldsIsTheDeclaredOne),
        cmocka_unit_test(fieldsAreFoundByName),
        cmocka_unit_test(kindsHaveNameAndSize),
        cmocka_unit_test(aSpoiledSchemaIsRefusedWithWhatIsWrong),
        cmocka_unit_test(aLongErrorIsCutAndSaysSo),
        cmocka_unit_test(randomSchemasPassTheCheck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
