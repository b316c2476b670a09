/* What changes the digest of a unit, and what does not: a file that it could include does, however deep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "unit_digest.h"

static char folder[64], include[96], unit[256];

static void put(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    char path[96];
    snprintf(folder, sizeof folder, "/tmp/ringkernel-unit-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(include, sizeof include, "%s/include", folder);
    snprintf(path, sizeof path, "%s/user", folder);
    if (mkdir(include, 0700) || mkdir(path, 0700)) return -1;
    put("include/library.h", "#include <deep.h>\n#include <compiler.h>\n");
    put("include/deep.h", "#ifndef DEEP\n#define DEEP\n#include \"library.h\"\n#endif\n");
    put("user/a.rk.c", "#include <library.h>\n #  include \"a.rk.h\"\n");
    put("user/a.rk.h", "one\n");
    snprintf(unit, sizeof unit, "#include \"%s/user/a.rk.c\"\nENTRY\n", folder);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *digest(void)
{
    static char names[4][RK_DIGEST_ROOM];
    static unsigned next;
    rk_digest d = RK_DIGEST_BEGIN;
    return rk_unit_digest(unit, include, &d) ? "none" : rk_digest_name(&d, names[next++ % 4]);
}

static void the_same_files_give_the_same_digest(void **state)
{
    (void)state;
    assert_int_equal(strlen(digest()), 32);
    assert_string_equal(digest(), digest());
}

static void a_change_in_any_file_changes_it(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
    } changes[] = {
        { "user/a.rk.h", "two\n" },
        { "user/a.rk.c", "#include <library.h>\n #  include \"a.rk.h\"\n\n" },
        { "include/deep.h", "#include \"library.h\"\n" },
        { "include/library.h", "#include <deep.h>\n" },
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *before = digest();
        put(changes[i].file, changes[i].text);
        assert_string_not_equal(digest(), before);
    }
    const char *before = digest();
    strcat(unit, " ");
    assert_string_not_equal(digest(), before);
}

static void a_file_that_comes_to_stand_in_front_changes_it(void **state)
{
    (void)state;
    put("include/b.h", "far\n");
    put("user/a.rk.c", "#include \"b.h\"\n");
    const char *before = digest();
    put("user/b.h", "near\n");
    assert_string_not_equal(digest(), before);
}

/* However it is written: what a compiler would take as an include is followed, and more. */
static void an_include_is_found_however_it_is_written(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "#include \"b.h\"\n",
        "\t# \t include\t\"b.h\"",
        "#if 0\n#include \"b.h\"\n#endif",
        "/* x */ # /* y */ include /* z */ \"b.h\"",
        "#inc\\\nlude \"b.h\"\n",
        "%:include \"b.h\"\n",
        "#include \\\r\n <b.h>\n",
    };
    put("include/b.h", "one\n");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        put("user/a.rk.c", ways[i]);
        const char *before = digest();
        put("include/b.h", i % 2 ? "one\n" : "two\n");
        const char *after = digest();
        assert_string_not_equal(before, "none");
        assert_string_not_equal(after, "none");
        if (strcmp(before, after) == 0) fail_msg("not followed: %s", ways[i]);
    }
}

static void a_file_that_a_macro_names_has_no_digest(void **state)
{
    (void)state;
    static const char *const ways[] = { "#include NAME\n", "#include_next <library.h>\n",
                                        "/* a\n b */ # include NAME\n" };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        put("user/a.rk.c", ways[i]);
        assert_string_equal(digest(), "none");
    }
}

static void what_is_only_spoken_of_does_no_harm(void **state)
{
    (void)state;
    put("user/a.rk.c", "/* #include \"the kernel source\"\n * as #include does\n */\n// no #include NAME\n");
    assert_string_not_equal(digest(), "none");
}

static void a_file_that_comes_to_be_there_changes_it(void **state)
{
    (void)state;
    put("user/a.rk.c", "#include <late.h>\n");
    const char *before = digest();
    put("include/late.h", "");
    assert_string_not_equal(digest(), before);
}

/* The device headers themselves, which are what most units are made of. */
static void a_unit_of_the_library_has_a_digest(void **state)
{
    (void)state;
    rk_digest d = RK_DIGEST_BEGIN;
    assert_int_equal(
        rk_unit_digest("#include <ringkernel/device/unit.h>\n#include <ringkernel/device/entry.h>\n",
                       RK_SOURCE_DIR "/include", &d),
        0);
}

static void note(void *user, const char *file)
{
    char *all = user;
    assert_int_equal(strncmp(file, folder, strlen(folder)), 0);
    strcat(strcat(all, file + strlen(folder)), " ");
}

/* Given includes of includes, round in circles, left out, and one that a macro names, when its files are asked for, then
 * each is told once, those behind the macro's too. */
static void its_files_are_told_once_each_but_for_those_that_a_macro_names(void **state)
{
    (void)state;
    char all[512] = "";
    put("user/b.rk.h", "#include \"a.rk.c\"\n");
    put("user/named.h", "");
    put("user/a.rk.c",
        "#include <library.h>\n#define NAME \"named.h\"\n#include NAME\n#if 0\n#include \"b.rk.h\"\n#endif\n"
        "#include <library.h>\n#include <not-there.h>\n");
    rk_unit_files(unit, include, note, all);
    assert_string_equal(all, "/user/a.rk.c /include/library.h /include/deep.h /user/b.rk.h ");
    assert_string_equal(digest(), "none");
}

static void files_that_include_each_other_end(void **state)
{
    (void)state;
    put("user/a.rk.h", "#include \"../user/a.rk.h\"\n#include \"a.rk.c\"\n");
    assert_string_not_equal(digest(), "none");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_same_files_give_the_same_digest),
        TEST(a_change_in_any_file_changes_it),
        TEST(a_file_that_comes_to_stand_in_front_changes_it),
        TEST(an_include_is_found_however_it_is_written),
        TEST(a_file_that_a_macro_names_has_no_digest),
        TEST(what_is_only_spoken_of_does_no_harm),
        TEST(a_file_that_comes_to_be_there_changes_it),
        TEST(a_unit_of_the_library_has_a_digest),
        TEST(its_files_are_told_once_each_but_for_those_that_a_macro_names),
        TEST(files_that_include_each_other_end),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
