/* Letters come out by row, whatever order and thread they came in, from memory and from what was put
 * aside. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/letters.h"

static const rk_field fields[] = { { "value", RK_KIND_U32, 1, 0, 4 } };
static const rk_schema number = { "number", 0, 7, 4, 0, 1, fields };

static const rk_schema *find(void *user, uint32_t type) { return type == 7 ? user : NULL; }

/* Everything that letters_write writes; the caller frees it. */
static char *written(letters *all)
{
    char path[] = "/tmp/rk-letters-XXXXXX", *error;
    close(mkstemp(path));
    writer out;
    assert_true(writer_open(&out, path));
    assert_true(letters_write(all, &out, find, (void *)(uintptr_t)&number, &error));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    unlink(path);
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, 0, file) < 0) text[0] = 0;
    fclose(file);
    return text;
}

static void add_text(letters *all, uint64_t row, uint32_t kernel, uint32_t shard, const char *text)
{
    letter one = { .row = row,
                   .reason = "parse",
                   .kernel = kernel,
                   .shard = shard,
                   .size = (uint32_t)strlen(text),
                   .body = text };
    letters_add(all, &one);
}

static void letters_come_out_by_row_then_kernel_then_shard(void **state)
{
    (void)state;
    letters *all = letters_open(true, LETTERS_MEMORY);
    add_text(all, LETTERS_NO_ROW, 2, 0, "f");
    add_text(all, 3, 1, 0, "c");
    add_text(all, LETTERS_NO_ROW, 1, 1, "d");
    add_text(all, 1, 1, 0, "a");
    add_text(all, LETTERS_NO_ROW, 1, 1, "e");
    add_text(all, 2, 0, 0, "b");
    char *text = written(all);
    assert_string_equal(
        text,
        "{\"row\":1,\"reason\":\"parse\",\"text\":\"a\"}\n{\"row\":2,\"reason\":\"parse\",\"text\":\"b\"}\n"
        "{\"row\":3,\"reason\":\"parse\",\"text\":\"c\"}\n{\"row\":null,\"reason\":\"parse\",\"text\":\"d\"}"
        "\n"
        "{\"row\":null,\"reason\":\"parse\",\"text\":\"e\"}\n{\"row\":null,\"reason\":\"parse\",\"text\":"
        "\"f\"}\n");
    free(text);
    letters_close(all);
}

/* As those of a kernel that has failed may: whoever writes isn't disturbed by what another thread adds. */
static void a_letter_that_comes_when_they_are_written_is_only_counted(void **state)
{
    (void)state;
    letters *all = letters_open(true, LETTERS_MEMORY);
    add_text(all, 1, 1, 0, "a");
    char *before = written(all);
    add_text(all, 2, 1, 0, "b");
    char *after = written(all);
    assert_string_equal(after, before);
    assert_int_equal(letters_count(all), 2);
    free(before);
    free(after);
    letters_close(all);
}

static void a_message_is_shown_as_json_in_a_text(void **state)
{
    (void)state;
    uint32_t value = 41;
    letters *all = letters_open(true, LETTERS_MEMORY);
    letter one = { .row = 1, .reason = "a\"b", .kernel = 1, .type = 7, .size = 4, .body = &value };
    letters_add(all, &one);
    one = (letter){ .row = 2, .reason = "unknown", .kernel = 1, .type = 8, .size = 4, .body = &value };
    letters_add(all, &one);
    char *text = written(all);
    assert_string_equal(text, "{\"row\":1,\"reason\":\"a\\\"b\",\"text\":\"{\\\"value\\\":41}\"}\n"
                              "{\"row\":2,\"reason\":\"unknown\",\"text\":\"\"}\n");
    free(text);
    letters_close(all);
}

static void *add_every_fourth(void *argument)
{
    void **all_and_first = argument;
    char text[32];
    for (uint64_t row = 1 + (uint64_t)(uintptr_t)all_and_first[1]; row <= 20000; row += 4) {
        snprintf(text, sizeof text, "row %d", (int)(20001 - row));
        add_text(all_and_first[0], 20001 - row, 1, 0, text);
    }
    return NULL;
}

static void letters_of_four_threads_that_did_not_fit_in_memory_are_merged(void **state)
{
    (void)state;
    letters *all = letters_open(true, 20000);
    pthread_t threads[4];
    void *arguments[4][2];
    for (uintptr_t t = 0; t < 4; t++) {
        arguments[t][0] = all;
        arguments[t][1] = (void *)t;
        assert_int_equal(pthread_create(&threads[t], NULL, add_every_fourth, arguments[t]), 0);
    }
    for (int t = 0; t < 4; t++) pthread_join(threads[t], NULL);
    assert_int_equal(letters_count(all), 20000);
    char *text = written(all), *at = text;
    for (int row = 1; row <= 20000; row++) {
        char line[80];
        snprintf(line, sizeof line, "{\"row\":%d,\"reason\":\"parse\",\"text\":\"row %d\"}\n", row, row);
        assert_memory_equal(at, line, strlen(line));
        at += strlen(line);
    }
    assert_int_equal(*at, 0);
    free(text);
    letters_close(all);
}

static void letters_that_are_not_kept_are_counted_by_kernel_and_reason(void **state)
{
    (void)state;
    static const char *const reasons[] = { "hour", "delay", "parse" };
    letters *all = letters_open(false, LETTERS_MEMORY);
    for (uint32_t i = 0; i < 9; i++) {
        letter one = { .row = i, .reason = reasons[i % 3], .kernel = i % 2 };
        letters_add(all, &one);
    }
    uint64_t count;
    assert_string_equal(letters_reason(all, 0, &count), "delay");
    assert_int_equal(count, 3);
    assert_string_equal(letters_reason(all, 1, &count), "hour");
    assert_string_equal(letters_reason(all, 2, &count), "parse");
    assert_null(letters_reason(all, 3, &count));
    assert_int_equal(letters_count_of(all, 0), 5);
    assert_int_equal(letters_count_of(all, 1), 4);
    assert_int_equal(letters_count_of(all, 2), 0);
    char *text = written(all);
    assert_string_equal(text, "");
    free(text);
    letters_close(all);
}

static void a_disk_that_is_full_is_told(void **state)
{
    (void)state;
    writer out;
    char *error = NULL;
    if (!writer_open(&out, "/dev/full")) skip();
    letters *all = letters_open(true, LETTERS_MEMORY);
    for (int i = 0; i < 20000; i++) add_text(all, 1, 1, 0, "a text that takes its room");
    assert_false(letters_write(all, &out, find, NULL, &error));
    assert_string_equal(error, "/dev/full: No space left on device");
    free(error);
    letters_close(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_come_out_by_row_then_kernel_then_shard),
        cmocka_unit_test(a_letter_that_comes_when_they_are_written_is_only_counted),
        cmocka_unit_test(a_message_is_shown_as_json_in_a_text),
        cmocka_unit_test(letters_of_four_threads_that_did_not_fit_in_memory_are_merged),
        cmocka_unit_test(letters_that_are_not_kept_are_counted_by_kernel_and_reason),
        cmocka_unit_test(a_disk_that_is_full_is_told),
    };
    return cmocka_run_group_tests_name("letters", tests, NULL, NULL);
}
