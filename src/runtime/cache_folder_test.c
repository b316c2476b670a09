/* Files of the cache: there as a whole or not at all, whoever writes them at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <ringkernel/runtime.h>

#include "cache_folder.h"
#include "digest.h"
#include "error.h"

static char folder[64], path[96];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/ringkernel-cache-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    rk_error_begin();
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static unsigned files(void)
{
    unsigned count = 0;
    DIR *open = opendir(folder);
    for (const struct dirent *e; (e = readdir(open));) count += e->d_name[0] != '.';
    closedir(open);
    return count;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    static char large[200000];
    size_t size = 0;
    for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 7);
    assert_int_equal(rk_cache_write(path, large, sizeof large), 0);
    char *read = rk_cache_read(path, &size);
    assert_int_equal(size, sizeof large);
    assert_memory_equal(read, large, size);
    assert_int_equal(read[size], 0);
    free(read);
    assert_int_equal(rk_cache_write(path, "", 0), 0);
    read = rk_cache_read(path, &size);
    assert_non_null(read);
    assert_int_equal(size, 0);
    free(read);
    assert_int_equal(files(), 1);
}

static void a_file_of_unknown_size_is_read_to_its_end(void **state)
{
    (void)state;
    size_t size = 0;
    char *read = rk_cache_read("/proc/self/maps", &size); /* its size is given as 0 */
    assert_non_null(read);
    assert_true(size > 0);
    assert_int_equal(strlen(read), size);
    free(read);
}

static void what_is_not_there_is_not_read(void **state)
{
    (void)state;
    size_t size;
    assert_null(rk_cache_read(path, &size));
    assert_int_equal(errno, ENOENT);
    assert_null(rk_cache_read(folder, &size));
}

/* Given a disk that takes only the first part, when a file is replaced, then the old one stays. */
static void a_write_that_fails_leaves_what_was_there(void **state)
{
    (void)state;
    static char large[100000];
    size_t size;
    struct rlimit all, little;
    assert_int_equal(rk_cache_write(path, "old", 3), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &all);
    little = all;
    little.rlim_cur = 50000;
    setrlimit(RLIMIT_FSIZE, &little);
    int written = rk_cache_write(path, large, sizeof large);
    int why = errno;
    setrlimit(RLIMIT_FSIZE, &all);
    assert_int_equal(written, -1);
    assert_int_equal(why, EFBIG);
    char *read = rk_cache_read(path, &size);
    assert_string_equal(read, "old");
    free(read);
    assert_int_equal(files(), 1);
}

/* Given processes that replace a file again and again, when it is read, then it is always of one of them. */
static void readers_see_whole_files_while_processes_write(void **state)
{
    (void)state;
    enum { WRITERS = 3, SIZE = 30000, ROUNDS = 100 };
    static char mine[SIZE];
    assert_int_equal(rk_cache_write(path, mine, SIZE), 0);
    for (int w = 0; w < WRITERS; w++)
        if (fork() == 0) {
            memset(mine, 'a' + w, SIZE);
            for (int i = 0; i < ROUNDS; i++)
                if (rk_cache_write(path, mine, SIZE)) _exit(1);
            _exit(0);
        }
    int status, ended = 0, failed = 0;
    while (ended < WRITERS) {
        size_t size = 0;
        char *read = rk_cache_read(path, &size);
        assert_non_null(read);
        assert_int_equal(size, SIZE);
        for (size_t i = 1; i < size; i++)
            if (read[i] != read[0]) fail_msg("a file of two writers: %c and %c", read[0], read[i]);
        free(read);
        if (waitpid(-1, &status, WNOHANG) > 0) {
            ended++;
            failed += status != 0;
        }
    }
    assert_int_equal(failed, 0);
    assert_int_equal(files(), 1);
}

static int is_there(const char *name)
{
    char at[160];
    struct stat info;
    snprintf(at, sizeof at, "%s/%s", folder, name);
    return lstat(at, &info) == 0;
}

/* Given what killed processes left, and what looks much like it, when a file is written, then what is of the cache and
 * older than a day is gone, and nothing else. */
static void a_write_removes_what_was_being_made_a_day_ago(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        long long hours; /* since it was changed last */
        int stays;
    } rows[] = {
        { "ringkernel-part-0123456789abcdef", 25, 0 },
        { "ringkernel-part-f123456789abcdef.so", 25, 0 },
        { "ringkernel-part-f123456789abcdef.so.list", 1000, 0 },
        { "ringkernel-part-1123456789abcdef", 23, 1 },
        { "ringkernel-part-1123456789abcdef.so", 0, 1 },
        { "ringkernel-part-2123456789abcdef.so", -25, 1 }, /* by another clock */
        { "ringkernel-part-2123456789abcdef.csv", 1000, 1 },
        { "ringkernel-part-0123456789abcde", 1000, 1 },
        { "ringkernel-part-0123456789abcdef0", 1000, 1 },
        { "ringkernel-part-0123456789abcdeg", 1000, 1 },
        { "part-00000", 1000, 1 },
        { "0123456789abcdef0123456789abcdef.so", 1000, 1 },
    };
    enum { COUNT = sizeof rows / sizeof *rows };
    for (size_t i = 0; i < COUNT; i++) {
        char at[160];
        snprintf(at, sizeof at, "%s/%s", folder, rows[i].name);
        FILE *file = fopen(at, "w");
        assert_non_null(file);
        fclose(file);
        const struct timespec then = { time(0) - rows[i].hours * 3600, 0 };
        assert_int_equal(utimensat(AT_FDCWD, at, (const struct timespec[]){ then, then }, 0), 0);
    }
    char inside[160];
    snprintf(inside, sizeof inside, "%s/ringkernel-part-aaaaaaaaaaaaaaaa", folder);
    assert_int_equal(mkdir(inside, 0700), 0);
    assert_int_equal(utimensat(AT_FDCWD, inside, (const struct timespec[]){ { 0, 0 }, { 0, 0 } }, 0), 0);

    assert_int_equal(rk_cache_write(path, "", 0), 0);
    for (size_t i = 0; i < COUNT; i++)
        if (is_there(rows[i].name) != rows[i].stays) fail_msg("%s", rows[i].name);
    assert_true(is_there("ringkernel-part-aaaaaaaaaaaaaaaa"));
    assert_true(is_there("file"));
}

/* Given processes that share all that the library remembers, when each makes files, then no two have one name. */
static void no_two_parts_have_the_same_name(void **state)
{
    (void)state;
    enum { PROCESSES = 4, EACH = 250, ALL = PROCESSES * EACH };
    char(*part)[160] = mmap(0, ALL * sizeof *part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(part != MAP_FAILED);
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            for (int i = 0; i < EACH; i++) rk_cache_part(part[p * EACH + i], sizeof part[0], folder, ".so");
            _exit(0);
        }
    for (int p = 0; p < PROCESSES; p++) assert_true(wait(0) > 0);
    for (int i = 0; i < ALL; i++) {
        assert_memory_equal(part[i], folder, strlen(folder));
        assert_string_equal(part[i] + strlen(part[i]) - 3, ".so");
        for (int other = 0; other < i; other++) assert_string_not_equal(part[i], part[other]);
    }
    munmap(part, ALL * sizeof *part);
}

static void the_folder_is_made_with_those_above_it(void **state)
{
    (void)state;
    char deep[128], made[256];
    struct stat info;
    snprintf(deep, sizeof deep, "%s/a/b", folder);
    assert_int_equal(rk_cache_folder(deep, made, sizeof made), RK_OK);
    assert_string_equal(made, deep);
    assert_int_equal(stat(deep, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(rk_cache_write(path, "", 0), 0);
    assert_int_equal(rk_cache_folder(path, made, sizeof made), RK_OK); /* there, whatever it is */
    snprintf(deep, sizeof deep, "%s/below", path);
    assert_int_equal(rk_cache_folder(deep, made, sizeof made), RK_IO);
    assert_non_null(strstr(rk_error_text(), deep));
}

/* Given a folder in a place where everybody may make one, when others may write in it, or it is only a way to another,
 * then it isn't one's own: modules in it would be run. */
static void a_folder_is_own_if_nobody_else_may_write_in_it(void **state)
{
    (void)state;
    char other[96];
    snprintf(other, sizeof other, "%s/other", folder);
    assert_true(rk_cache_is_own(folder));
    assert_int_equal(symlink(folder, other), 0);
    assert_false(rk_cache_is_own(other));
    assert_false(rk_cache_is_own("/tmp/ringkernel-none"));
    assert_int_equal(rk_cache_write(path, "", 0), 0);
    assert_false(rk_cache_is_own(path));
    static const mode_t others[] = { 0770, 0707, 0720 };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(chmod(folder, others[i]), 0);
        assert_false(rk_cache_is_own(folder));
    }
    assert_int_equal(chmod(folder, 0755), 0);
    assert_true(rk_cache_is_own(folder));
    if (getuid() == 0) {
        assert_int_equal(chown(folder, 1, 0), 0);
        assert_false(rk_cache_is_own(folder));
        assert_int_equal(chown(folder, 0, 0), 0);
    }
}

static void digests_differ_in_order_and_in_where_a_text_ends(void **state)
{
    (void)state;
    char one[RK_DIGEST_ROOM], other[RK_DIGEST_ROOM];
    rk_digest a = RK_DIGEST_BEGIN, b = RK_DIGEST_BEGIN, c = RK_DIGEST_BEGIN;
    rk_digest_text(&a, "ab");
    rk_digest_text(&a, "c");
    rk_digest_text(&b, "a");
    rk_digest_text(&b, "bc");
    assert_string_not_equal(rk_digest_name(&a, one), rk_digest_name(&b, other));
    assert_int_equal(strlen(one), 32);
    rk_digest_text(&c, "ab");
    rk_digest_text(&c, "c");
    assert_string_equal(rk_digest_name(&c, other), one);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_read),
        TEST(a_file_of_unknown_size_is_read_to_its_end),
        TEST(what_is_not_there_is_not_read),
        TEST(a_write_that_fails_leaves_what_was_there),
        TEST(readers_see_whole_files_while_processes_write),
        TEST(a_write_removes_what_was_being_made_a_day_ago),
        TEST(no_two_parts_have_the_same_name),
        TEST(the_folder_is_made_with_those_above_it),
        TEST(a_folder_is_own_if_nobody_else_may_write_in_it),
        TEST(digests_differ_in_order_and_in_where_a_text_ends),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
