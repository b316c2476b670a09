/* The cache of device code: a hit compiles nothing, a change anywhere compiles, what is damaged is compiled
 * again, and processes at once don't disturb each other. NVRTC is a mock that counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ringkernel/runtime.h>

#include "cubin_cache.h"
#include "mock/mock_nvrtc.h"
#include "runtime/error.h"

#define MOCK RK_BINARY_DIR "/tests/mock/libnvrtc.so.13"

static mock_nvrtc_state *mock;
static rk_nvrtc nvrtc;
static char folder[64], cache[80], header[80], unit[256], note[RK_CODE_NOTE_ROOM];
static rk_code_request request;
static rk_code_origin origin;

static void write_header(const char *text)
{
    FILE *file = fopen(header, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mock) mock = dlsym(dlopen(MOCK, RTLD_NOW | RTLD_LOCAL), "mock_nvrtc");
    if (!mock) return -1;
    *mock =
        (mock_nvrtc_state){ .major = 13, .architectures = { 75, 90 }, .architecture_count = 2, .log = "" };
    snprintf(folder, sizeof folder, "/tmp/ringkernel-cubin-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(cache, sizeof cache, "%s/cache", folder);
    snprintf(header, sizeof header, "%s/a.rk.h", folder);
    snprintf(unit, sizeof unit, "#include \"%s\"\nRK_ENTRY\n", header);
    request = (rk_code_request){
        .unit = unit, .include = RK_SOURCE_DIR "/include", .cache_folder = cache, .architecture = 90
    };
    write_header("one\n");
    rk_error_begin();
    return mkdir(cache, 0700) || rk_nvrtc_load(MOCK, 13000, &nvrtc) != RK_OK ? -1 : 0;
}
static int tear_down(void **state)
{
    (void)state;
    char command[160];
    snprintf(command, sizeof command, "chmod -R u+w '%s'; rm -rf '%s'", folder, folder);
    return system(command);
}

/* The code for the request, in one of four places. */
static const char *get(void)
{
    static char kept[4][128];
    static unsigned next;
    char *place = kept[next++ % 4];
    rk_device_code code;
    rk_status status = rk_device_code_get(&nvrtc, &request, &code, &origin, note);
    if (status != RK_OK) fail_msg("%s", rk_error_text());
    assert_int_equal(code.size, strlen(code.bytes) + 1);
    snprintf(place, sizeof kept[0], "%s", code.bytes);
    rk_device_code_free(&code);
    return place;
}
static void assert_compiles(void)
{
    unsigned before = mock->compiles;
    get();
    assert_int_equal(mock->compiles, before + 1);
    assert_int_equal(origin, RK_CODE_COMPILED);
    assert_string_equal(note, "");
}
static void assert_hit(void)
{
    unsigned before = mock->compiles;
    get();
    assert_int_equal(mock->compiles, before);
    assert_int_equal(origin, RK_CODE_FROM_CACHE);
}

static unsigned files_in_cache(void)
{
    DIR *open = opendir(cache);
    unsigned count = 0;
    for (const struct dirent *e; (e = readdir(open));) count += e->d_name[0] != '.';
    closedir(open);
    return count;
}

/* The only file of the cache. */
static const char *cached_file(void)
{
    static char path[400];
    DIR *open = opendir(cache);
    unsigned count = 0;
    for (const struct dirent *e; (e = readdir(open));)
        if (e->d_name[0] != '.' && ++count) snprintf(path, sizeof path, "%s/%s", cache, e->d_name);
    closedir(open);
    assert_int_equal(count, 1);
    return path;
}

static void the_second_time_nothing_is_compiled(void **state)
{
    (void)state;
    const char *first = get();
    assert_int_equal(origin, RK_CODE_COMPILED);
    const char *second = get();
    assert_int_equal(origin, RK_CODE_FROM_CACHE);
    assert_string_equal(first, second);
    assert_int_equal(mock->compiles, 1);
    assert_non_null(strstr(cached_file(), ".cubin"));
}

static void a_change_of_anything_compiles(void **state)
{
    (void)state;
    assert_compiles();
    write_header("two\n");
    assert_compiles();
    strcat(unit, " ");
    assert_compiles();
    request.architecture = 75;
    assert_compiles();
    request.architecture = 80; /* PTX for 7.5 */
    assert_compiles();
    nvrtc.version = 13010;
    assert_compiles();
    request.include = RK_SOURCE_DIR "/src";
    assert_compiles();
    assert_hit();
    write_header("one\n");
    assert_compiles();
}

static void warnings_are_told_from_the_cache_as_well(void **state)
{
    (void)state;
    rk_device_code code;
    mock->log = "a.rk.h(1): warning: it is one";
    assert_compiles();
    mock->log = "";
    assert_int_equal(rk_device_code_get(&nvrtc, &request, &code, &origin, note), RK_OK);
    assert_int_equal(origin, RK_CODE_FROM_CACHE);
    assert_string_equal(code.log, "a.rk.h(1): warning: it is one");
    rk_device_code_free(&code);
}

static void a_damaged_file_is_compiled_again(void **state)
{
    (void)state;
    assert_compiles();
    struct stat info;
    const char *path = cached_file();
    assert_int_equal(stat(path, &info), 0);
    for (off_t size = 0; size < info.st_size; size += 7) { /* cut */
        assert_int_equal(truncate(path, size), 0);
        assert_compiles();
        assert_hit();
    }
    for (off_t at = 0; at < info.st_size; at++) { /* one byte is another */
        FILE *file = fopen(path, "r+");
        fseeko(file, at, SEEK_SET);
        int byte = fgetc(file);
        fseeko(file, at, SEEK_SET);
        fputc(byte ^ 0x55, file);
        fclose(file);
        assert_compiles();
        assert_hit();
    }
}

static void code_that_does_not_compile_is_not_kept(void **state)
{
    (void)state;
    rk_device_code code;
    mock->fails = "nvrtcCompileProgram";
    mock->failure = RK_NVRTC_ERROR_COMPILATION;
    mock->log = "a.rk.h(1): error: no";
    assert_int_equal(rk_device_code_get(&nvrtc, &request, &code, &origin, note), RK_COMPILE_FAILED);
    assert_non_null(strstr(rk_error_text(), "a.rk.h(1): error: no"));
    assert_null(code.bytes);
    mock->fails = 0;
    mock->log = "";
    assert_compiles();
}

static void without_a_cache_it_compiles_each_time(void **state)
{
    (void)state;
    request.cache_folder = 0;
    get();
    get();
    assert_int_equal(mock->compiles, 2);
    assert_int_equal(origin, RK_CODE_NOT_KEPT);
    assert_string_equal(note, "");
}

static void a_cache_that_cannot_be_written_is_told_and_no_error(void **state)
{
    (void)state;
    request.cache_folder = "/nowhere";
    get();
    assert_int_equal(origin, RK_CODE_NOT_KEPT);
    assert_non_null(strstr(note, "can't write '/nowhere/"));
}

/* A disk is full after a few bytes, as the limit of a file's size has it. */
static void a_cache_that_is_full_is_told_and_keeps_nothing(void **state)
{
    (void)state;
    struct rlimit before, few = { 0, 0 };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    few.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    for (few.rlim_cur = 0; few.rlim_cur < 60; few.rlim_cur += 20) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
        get();
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(origin, RK_CODE_NOT_KEPT);
        assert_non_null(strstr(note, "not cached: can't write '"));
        assert_int_equal(files_in_cache(), 0);
    }
    signal(SIGXFSZ, SIG_DFL);
    assert_compiles();
    assert_hit();
}

static void a_unit_that_cannot_be_named_is_told_and_no_error(void **state)
{
    (void)state;
    write_header("#include NAME\n");
    get();
    assert_int_equal(origin, RK_CODE_NOT_KEPT);
    assert_non_null(strstr(note, "can't be told from its text"));
}

static void change_once(void) { write_header("changed\n"); }
static void a_file_that_changes_during_the_compile_is_compiled_again(void **state)
{
    (void)state;
    mock->on_compile = change_once;
    get();
    assert_int_equal(mock->compiles, 2);
    assert_int_equal(origin, RK_CODE_COMPILED);
    mock->on_compile = 0;
    assert_hit();
    write_header("one\n");
    assert_compiles();
}

static void change_again(void) { write_header(mock->compiles % 2 ? "changed\n" : "and again\n"); }
static void a_file_that_changes_all_the_time_is_an_error(void **state)
{
    (void)state;
    rk_device_code code;
    mock->on_compile = change_again;
    assert_int_equal(rk_device_code_get(&nvrtc, &request, &code, &origin, note), RK_IO);
    assert_non_null(strstr(rk_error_text(), "changes while it is compiled: load it again"));
    assert_null(code.bytes);
}

/* Given processes that ask for the same code while others delete it, when all have it, then each has whole
 * code, and the cache holds one file. */
static void processes_at_once_each_get_whole_code(void **state)
{
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 100 };
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            for (int i = 0; i < ROUNDS; i++) {
                rk_device_code code;
                char why[RK_CODE_NOTE_ROOM];
                if (rk_device_code_get(&nvrtc, &request, &code, &origin, why) != RK_OK) _exit(1);
                if (strncmp(code.bytes, "code ", 5) || code.size != strlen(code.bytes) + 1 || *why) _exit(2);
                rk_device_code_free(&code);
                if (p == 0 && i % 3 == 0) {
                    DIR *open = opendir(cache);
                    for (const struct dirent *e; (e = readdir(open));)
                        if (strlen(e->d_name) == 32 + sizeof "cubin") unlinkat(dirfd(open), e->d_name, 0);
                    closedir(open);
                }
            }
            _exit(0);
        }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    get();
    cached_file();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_second_time_nothing_is_compiled),
        TEST(a_change_of_anything_compiles),
        TEST(warnings_are_told_from_the_cache_as_well),
        TEST(a_damaged_file_is_compiled_again),
        TEST(code_that_does_not_compile_is_not_kept),
        TEST(without_a_cache_it_compiles_each_time),
        TEST(a_cache_that_cannot_be_written_is_told_and_no_error),
        TEST(a_cache_that_is_full_is_told_and_keeps_nothing),
        TEST(a_unit_that_cannot_be_named_is_told_and_no_error),
        TEST(a_file_that_changes_during_the_compile_is_compiled_again),
        TEST(a_file_that_changes_all_the_time_is_an_error),
        TEST(processes_at_once_each_get_whole_code),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
