/* The cache of compiled kernels: a hit runs no compiler, a change anywhere is a miss, and processes that
 * compile at once don't disturb each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#include "compile_counted.h"

typedef struct fixture {
    char folder[64]; /* of the sources */
    char cache[80];
    char source[96], header[96], calls[96];
    rk_runtime *runtime;
} fixture;

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void write_source(const fixture *f, const char *line)
{
    char text[512];
    snprintf(text, sizeof text,
             "#include <ringkernel/kernel.h>\n#include \"cached.rk.h\"\n"
             "RK_HANDLER(cached_echo, cached, msg, rk_none, self) { rk_forward(RK_ARG); }\n%s\n",
             line);
    write_text(f->source, text);
}

static void write_header(const fixture *f, const char *line)
{
    char text[512];
    snprintf(text, sizeof text,
             "#include <ringkernel/message.h>\n%s\nRK_MESSAGE(cached, 501, (rk_u32, value))\n", line);
    write_text(f->header, text);
}

static void write_compiler(const fixture *f)
{
    char text[512];
    snprintf(text, sizeof text, "#!/bin/sh\necho call >> '%s'\nexec cc \"$@\"\n", f->calls);
    write_text(COUNTING_COMPILER, text);
    assert_int_equal(chmod(COUNTING_COMPILER, 0700), 0);
}

/* Calls of the compiler so far. */
static unsigned calls(const fixture *f)
{
    char line[16];
    unsigned n = 0;
    FILE *file = fopen(f->calls, "r");
    while (file && fgets(line, sizeof line, file)) n++;
    if (file) fclose(file);
    return n;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    snprintf(f->folder, sizeof f->folder, "/tmp/ringkernel-module-XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    snprintf(f->cache, sizeof f->cache, "%s/deep/cache", f->folder);
    snprintf(f->source, sizeof f->source, "%s/cached.rk.c", f->folder);
    snprintf(f->header, sizeof f->header, "%s/cached.rk.h", f->folder);
    snprintf(f->calls, sizeof f->calls, "%s/calls", f->folder);
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .single_step = 1, .cache_folder = f->cache };
    if (rk_open(&o, &f->runtime) != RK_OK) return -1;
    write_compiler(f);
    write_source(f, "");
    write_header(f, "");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char command[128];
    int failed = rk_close(f->runtime) != RK_OK;
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    failed |= system(command);
    unlink(COUNTING_COMPILER);
    free(f);
    return failed ? -1 : 0;
}

/* Compile, or find. The name in the cache, until the next call but three. */
static const char *compile(const fixture *f)
{
    static char names[4][256];
    static unsigned next;
    char *path = 0, *name = names[next++ % 4];
    rk_status status = compile_counted(f->runtime, f->source, &path);
    if (status != RK_OK) print_error("%s\n", rk_error_text());
    assert_int_equal(status, RK_OK);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(name, sizeof names[0], "%s", path);
    free(path);
    return name;
}

static void assert_hit(const fixture *f, const char *expected)
{
    unsigned before = calls(f);
    assert_string_equal(compile(f), expected);
    assert_int_equal(calls(f), before);
}

static const char *assert_miss(const fixture *f, const char *other)
{
    unsigned before = calls(f);
    const char *path = compile(f);
    assert_string_not_equal(path, other);
    assert_true(calls(f) > before);
    return path;
}

static void a_hit_runs_no_compiler(void **state)
{
    fixture *f = *state;
    const char *first = assert_miss(f, "");
    for (int i = 0; i < 3; i++) assert_hit(f, first);

    /* nor needs there be one */
    unlink(COUNTING_COMPILER);
    assert_hit(f, first);
    write_source(f, "RK_REASON(another)");
    char *path = 0;
    assert_int_equal(compile_counted(f->runtime, f->source, &path), RK_IO);
    assert_non_null(strstr(rk_error_text(), COUNTING_COMPILER));
    assert_null(path);
}

static void a_changed_source_or_header_is_a_miss(void **state)
{
    fixture *f = *state;
    const char *first = assert_miss(f, "");
    write_source(f, "RK_REASON(another)");
    const char *second = assert_miss(f, first);
    write_header(f, "/* says more */");
    assert_miss(f, second);

    /* and what is as it was is there still */
    write_header(f, "");
    assert_hit(f, second);
    write_source(f, "");
    assert_hit(f, first);
}

static void a_header_that_a_header_includes_counts_too(void **state)
{
    fixture *f = *state;
    char inner[128];
    snprintf(inner, sizeof inner, "%s/inner one.h", f->folder); /* make's rule has it quoted */
    const char *first = assert_miss(f, "");
    write_text(inner, "#define INNER 1\n");
    write_header(f, "#include \"inner one.h\"");
    const char *second = assert_miss(f, first);
    assert_hit(f, second);
    write_text(inner, "#define INNER 2\n");
    assert_miss(f, second);

    /* without it nothing compiles, and the compiler says so */
    unlink(inner);
    char *path = 0;
    assert_int_equal(compile_counted(f->runtime, f->source, &path), RK_COMPILE_FAILED);
    assert_non_null(strstr(rk_error_text(), "inner one.h"));
}

/* Another compile of the same source misses, and neither takes the place of the other. */
static void assert_apart(const fixture *f, rk_status (*other)(const rk_runtime *, const char *, char **))
{
    const char *first = assert_miss(f, "");
    unsigned before = calls(f);
    char *path = 0;
    assert_int_equal(other(f->runtime, f->source, &path), RK_OK);
    assert_string_not_equal(path, first);
    assert_true(calls(f) > before);
    free(path);
    assert_hit(f, first);
    before = calls(f);
    assert_int_equal(other(f->runtime, f->source, &path), RK_OK);
    assert_int_equal(calls(f), before);
    free(path);
}

static void other_flags_are_a_miss(void **state) { assert_apart(*state, compile_counted_optimised); }

static void another_version_is_a_miss(void **state) { assert_apart(*state, compile_counted_versioned); }

static unsigned warnings;
static void count_warning(void *user, const rk_log_record *record)
{
    (void)user;
    warnings += record->level == RK_WARNING && strstr(record->text, "cached.rk.c:4") != 0;
}

/* Given a source that the compiler warns of, when it is found in the cache, then the warning is told as it
 * was when it was compiled. */
static void a_warning_is_told_at_a_hit_too(void **state)
{
    fixture *f = *state;
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .single_step = 1, .cache_folder = f->cache,
                             .on_log = count_warning };
    assert_int_equal(rk_close(f->runtime), RK_OK);
    assert_int_equal(rk_open(&o, &f->runtime), RK_OK);
    warnings = 0;
    write_source(f, "static int nobodys;");
    const char *first = compile(f);
    assert_int_equal(warnings, 1);
    assert_hit(f, first);
    assert_int_equal(warnings, 2);
}

static void the_same_source_elsewhere_is_a_miss(void **state)
{
    fixture *f = *state;
    char elsewhere[128], command[600];
    const char *first = assert_miss(f, "");
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", f->folder);
    snprintf(command, sizeof command, "mkdir '%s' && cp '%s' '%s' '%s'", elsewhere, f->source, f->header,
             elsewhere);
    assert_int_equal(system(command), 0);
    fixture other = *f;
    snprintf(other.source, sizeof other.source, "%s/elsewhere/cached.rk.c", f->folder);
    assert_miss(&other, first); /* its messages of errors name another file */
}

/* A module that was thrown away, or a list of files that was cut, is made again. */
static void what_is_missing_in_the_cache_is_made_again(void **state)
{
    fixture *f = *state;
    char command[600];
    const char *first = assert_miss(f, "");
    unlink(first);
    unsigned before = calls(f);
    assert_string_equal(compile(f), first);
    assert_true(calls(f) > before);
    snprintf(command, sizeof command, "for f in '%s'/*.files; do : > \"$f\"; done", f->cache);
    assert_int_equal(system(command), 0);
    before = calls(f);
    assert_string_equal(compile(f), first);
    assert_true(calls(f) > before);
    assert_hit(f, first);
}

/* Given processes that compile the same source at the same moment, when all are done, then each has a
 * whole module, and nothing else is left in the cache. */
static void processes_that_compile_at_once_are_fine(void **state)
{
    enum { PROCESSES = 4 };
    fixture *f = *state;
    pid_t child[PROCESSES];
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i]) continue;
        char *path = 0, byte;
        close(gate[1]);
        (void)!read(gate[0], &byte, 1); /* until the parent closes its end */
        if (compile_counted(f->runtime, f->source, &path) != RK_OK) _exit(1);
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        _exit(library && dlsym(library, "rk_module_table") ? 0 : 2);
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_in_range(calls(f), 2,
                    2 * PROCESSES); /* each compiles and lists, unless it found what another had made */
    assert_hit(f, compile(f));

    unsigned modules = 0, lists = 0, others = 0;
    DIR *folder = opendir(f->cache);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        const char *end = strrchr(entry->d_name, '.');
        if (entry->d_name[0] == '.') continue;
        modules += strcmp(end, ".so") == 0 && strncmp(entry->d_name, "part", 4) != 0;
        lists += strcmp(end, ".files") == 0;
        others++;
    }
    closedir(folder);
    assert_int_equal(modules, 1);
    assert_int_equal(lists, 1);
    assert_int_equal(others, 2);
}

/* ------------------------------------------------------------------ what can't be loaded */

static void assert_load(const fixture *f, const char *path, rk_status expected, const char *says)
{
    rk_status status = rk_load(f->runtime, path);
    if (status != expected) print_error("'%s': %s: %s\n", path, rk_status_name(status), rk_error_text());
    assert_int_equal(status, expected);
    if (expected != RK_OK && !strstr(rk_error_text(), says)) print_error("%s\n", rk_error_text());
    assert_true(expected == RK_OK || strstr(rk_error_text(), says));
}

static void what_cannot_be_read_is_an_error_of_input(void **state)
{
    fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/missing.rk.c", f->folder);
    assert_load(f, path, RK_IO, path);
    assert_load(f, f->folder, RK_IO, "folder");
    snprintf(path, sizeof path, "%s/missing.so", f->folder);
    assert_load(f, path, RK_IO, path);
    snprintf(path, sizeof path, "%s/garbage.so", f->folder);
    write_text(path, "not a library\n");
    assert_load(f, path, RK_IO, path);
    assert_load(f, "", RK_INVALID_ARGUMENT, "path");
    assert_load(f, 0, RK_INVALID_ARGUMENT, "path");

    /* nothing of that disturbs what can be read */
    assert_load(f, f->source, RK_OK, "");
    assert_load(f, f->source, RK_OK, "");
    assert_non_null(rk_find_schema(f->runtime, "cached"));
}

static void a_cache_folder_that_cannot_be_is_named(void **state)
{
    fixture *f = *state;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/below a file", f->source);
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .single_step = 1, .cache_folder = folder };
    fixture other = *f;
    assert_int_equal(rk_open(&o, &other.runtime), RK_OK);
    assert_load(&other, f->source, RK_IO, folder);
    assert_int_equal(rk_close(other.runtime), RK_OK);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_hit_runs_no_compiler),
        TEST(a_changed_source_or_header_is_a_miss),
        TEST(a_header_that_a_header_includes_counts_too),
        TEST(other_flags_are_a_miss),
        TEST(another_version_is_a_miss),
        TEST(a_warning_is_told_at_a_hit_too),
        TEST(the_same_source_elsewhere_is_a_miss),
        TEST(what_is_missing_in_the_cache_is_made_again),
        TEST(processes_that_compile_at_once_are_fine),
        TEST(what_cannot_be_read_is_an_error_of_input),
        TEST(a_cache_folder_that_cannot_be_is_named),
    };
    return cmocka_run_group_tests_name("module cache", tests, 0, 0);
}
