/* Compiling a kernel source: with the compiler and flags that built the library, into the cache.
 *
 * The name of a cached module is a hash of everything that decides what it is: the source and every file that
 * it includes (the compiler lists them), the flags, the compiler (which an upgrade replaces under the same
 * name), the library's version and wire format. So a hit is right, and a change anywhere is a miss. A module is written under another name and renamed, so two
 * processes never see half of one. What the compiler warned of is kept beside it, and told with each load. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "cache_folder.h"
#include "digest.h"
#include "include_folder.h"
#include "module.h"

extern char **environ;

typedef struct text {
    char *at;
    size_t used, room;
} text;

static void text_add(text *t, const char *data, size_t n)
{
    if (t->used + n + 1 > t->room) {
        size_t room = (t->used + n + 1) * 2;
        char *grown = realloc(t->at, room);
        if (!grown) return;
        t->at = grown;
        t->room = room;
    }
    memcpy(t->at + t->used, data, n);
    t->used += n;
    t->at[t->used] = 0;
}

static int digest_file(rk_digest *d, const char *path)
{
    size_t size;
    char *data = rk_cache_read(path, &size);
    if (!data) return -1;
    rk_digest_add(d, data, size);
    free(data);
    return 0;
}

#define ENDED_BY 256 /* and the signal's number */

/* Run a program and take what it prints, both streams. Returns its exit status, ENDED_BY + a signal, or -1. */
static int run(char **arguments, text *output)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return -1;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    pid_t child;
    int failed = posix_spawnp(&child, arguments[0], &actions, 0, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        errno = failed;
        return -1;
    }
    char buffer[4096];
    ssize_t n;
    while ((n = read(ends[0], buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0) text_add(output, buffer, (size_t)n);
    close(ends[0]);
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ENDED_BY + WTERMSIG(status);
}

#define ARGUMENTS_MAX 64

typedef struct command {
    char *word[ARGUMENTS_MAX];
    size_t count;
    char flags[sizeof(RK_COMPILE_FLAGS) + 1];
} command;

static void command_add(command *c, char *word)
{
    if (c->count + 1 < ARGUMENTS_MAX) c->word[c->count++] = word;
    c->word[c->count] = 0;
}

/* compiler, the build's flags, what a module needs. */
static void command_begin(command *c, char *include_flag)
{
    c->count = 0;
    command_add(c, (char *)RK_COMPILER);
    memcpy(c->flags, RK_COMPILE_FLAGS, sizeof(RK_COMPILE_FLAGS));
    for (char *save, *word = strtok_r(c->flags, " ", &save); word; word = strtok_r(0, " ", &save))
        command_add(c, word);
    command_add(c, (char *)"-DRK_MODULE");
    command_add(c, (char *)"-fPIC");
    command_add(c, (char *)"-Wall");
    command_add(c, include_flag);
}

/* What tells this compiler from another of its name, as the first line of a list of dependencies. */
#define COMPILER_MARK '@'
static const char *compiler_line(char line[64])
{
    struct stat info;
    if (stat(RK_COMPILER, &info)) return 0; /* not there: what it has compiled is as good as before */
    snprintf(line, 64, "%c%lld %lld.%09ld\n", COMPILER_MARK, (long long)info.st_size,
             (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    return line;
}

/* Hash of the source, of all that it includes, and of how it is compiled. The dependency list of an earlier
 * compile is kept beside the module's name, so that a hit runs no compiler. */
static int key_of(const char *source, const char *dependencies, rk_digest *d)
{
    *d = RK_DIGEST_BEGIN;
    rk_digest_add(d, RK_COMPILER RK_COMPILE_FLAGS RK_BUILD_VERSION,
                  sizeof RK_COMPILER RK_COMPILE_FLAGS RK_BUILD_VERSION);
    rk_u32 layout[] = { RK_MODULE_ABI, RK_WIRE_VERSION, sizeof(rk_shard), sizeof(rk_context) };
    rk_digest_add(d, layout, sizeof layout);
    rk_digest_add(d, source, strlen(source));
    for (const char *at = dependencies; *at;) {
        size_t n = strcspn(at, "\n");
        char path[4096];
        snprintf(path, sizeof path, "%.*s", (int)n, at);
        if (*at == COMPILER_MARK)
            rk_digest_text(d, path);
        else if (n && digest_file(d, path))
            return -1;
        at += n + (at[n] == '\n');
    }
    return 0;
}

/* One path of a rule, without what make's syntax puts before a character of its own: a backslash before #,
 * one for each backslash, and one more, before a blank, and a dollar before a dollar. Returns its end. */
static const char *parse_path(const char *at, text *paths)
{
    while (*at && !strchr(" \n\r\t", *at)) {
        size_t slashes = strspn(at, "\\"), kept = slashes;
        const char *next = at + slashes;
        int is_blank = *next == ' ' || *next == '\t', is_quoted = 0;
        if (slashes && is_blank) {
            kept = slashes / 2;
            is_quoted = slashes % 2;
        } else if (slashes && *next == '#') {
            kept = slashes - 1;
            is_quoted = 1;
        } else if (*next == '$' && next[1] == '$') {
            next++;
        }
        text_add(paths, at, kept); /* backslashes */
        at = next;
        if (is_quoted || (*at && !strchr(" \n\r\t", *at))) text_add(paths, at++, 1);
    }
    text_add(paths, "\n", 1);
    return at;
}

/* make's rule "x: a b \<newline> c" as one path a line, system headers left out (-MM). */
static void parse_rule(const char *rule, text *paths)
{
    const char *at = strchr(rule, ':');
    for (at = at ? at + 1 : rule; *(at += strspn(at, " \\\n\r\t"));) at = parse_path(at, paths);
}

/* Where a module of this key lies; malloc'ed. */
static char *module_path(const char *folder, const rk_digest *key)
{
    char name[RK_DIGEST_ROOM];
    size_t size = strlen(folder) + RK_DIGEST_ROOM + sizeof "/.so";
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%s.so", folder, rk_digest_name(key, name));
    return path;
}

/* Where what the compiler warned of lies. */
static void warnings_path(char *path, size_t size, const char *module)
{
    snprintf(path, size, "%s.warnings", module);
}

static void tell_warnings(const rk_runtime *runtime, const char *module)
{
    char path[4200 + RK_DIGEST_ROOM];
    size_t size;
    warnings_path(path, sizeof path, module);
    char *warnings = rk_cache_read(path, &size);
    if (warnings && size) rk_runtime_log(runtime, RK_WARNING, "", 0, warnings);
    free(warnings);
}

/* Give the module the name that its key says, and keep the list of what it was made of. */
static rk_status install(const rk_digest *key, const char *folder, const char *list_path, const char *part,
                         const text *paths, const text *warnings, char **path)
{
    char beside[4200 + RK_DIGEST_ROOM];
    *path = module_path(folder, key);
    if (!*path) return rk_error(RK_OUT_OF_MEMORY, "no memory for a path");
    warnings_path(beside, sizeof beside, *path);
    if ((!warnings->used || rk_cache_write(beside, warnings->at, warnings->used) == 0) &&
        rename(part, *path) == 0 && rk_cache_write(list_path, paths->at, paths->used) == 0)
        return RK_OK;
    rk_error(RK_IO, "can't write into the cache folder '%s': %s", folder, strerror(errno));
    free(*path);
    *path = 0;
    return RK_IO;
}

/* Has a file of the list changed since then? Its bytes may not be those that were compiled. */
static int has_changed_since(const char *dependencies, const struct timespec *then)
{
    for (const char *at = dependencies; *at;) {
        size_t n = strcspn(at, "\n");
        char path[4096];
        struct stat info;
        snprintf(path, sizeof path, "%.*s", (int)n, at);
        if (n && *at != COMPILER_MARK &&
            (stat(path, &info) || info.st_mtim.tv_sec > then->tv_sec ||
             (info.st_mtim.tv_sec == then->tv_sec && info.st_mtim.tv_nsec >= then->tv_nsec)))
            return 1;
        at += n + (at[n] == '\n');
    }
    return 0;
}

/* One run of the compiler: the module in `part`, what it was made of in `paths`, what it says in `output`. */
static rk_status compile_once(const char *source, char *include_flag, char *part, text *paths, text *output)
{
    char list[4200 + 8];
    command c;
    size_t rule_size;
    char *rule = 0;
    rk_status status = RK_OK;
    snprintf(list, sizeof list, "%s.list", part);
    command_begin(&c, include_flag);
    command_add(&c, (char *)"-shared");
    command_add(&c, (char *)"-MMD");
    command_add(&c, (char *)"-MT"); /* the rule's target: without it the module's path, whatever is in that */
    command_add(&c, (char *)"module");
    command_add(&c, (char *)"-MF");
    command_add(&c, list);
    command_add(&c, (char *)"-x");
    command_add(&c, (char *)"c");
    command_add(&c, (char *)source);
    command_add(&c, (char *)"-o");
    command_add(&c, part);
    char line[64];
    const char *compiler = compiler_line(line);
    output->used = 0;
    int result = run(c.word, output);
    paths->used = 0;
    if (compiler) text_add(paths, compiler, strlen(compiler));
    if (result < 0)
        status = rk_error(
            RK_IO, "can't run the compiler '%s': %s: install it, or load a module that is compiled (.so)",
            RK_COMPILER, strerror(errno));
    else if (result >= ENDED_BY)
        status = rk_error(RK_COMPILE_FAILED, "the compiler was ended while it compiled '%s': %s", source,
                          strsignal(result - ENDED_BY));
    else if (result)
        status = rk_error(RK_COMPILE_FAILED, "'%s' doesn't compile:\n%s", source,
                          output->used ? output->at : "(the compiler says nothing)");
    else if (!(rule = rk_cache_read(list, &rule_size)))
        status = rk_error(RK_IO, "can't read what '%s' includes: %s", source, strerror(errno));
    else
        parse_rule(rule, paths);
    unlink(list);
    free(rule);
    return status;
}

#define ATTEMPTS 3 /* at a source that is written while it is compiled */

static rk_status compile(const rk_runtime *runtime, const char *source, const char *folder,
                         const char *list_path, char **path)
{
    char include[4096], include_flag[4096 + 2], part[4200];
    rk_status status = rk_include_folder(include, sizeof include);
    if (status != RK_OK) return status;
    snprintf(include_flag, sizeof include_flag, "-I%s", include);
    rk_cache_part(part, sizeof part, folder, ".so");

    text paths = { 0 }, output = { 0 };
    rk_digest before = { 0, 0 }, key;
    struct timespec begun;
    int settled = 0;
    clock_gettime(CLOCK_REALTIME, &begun);
    for (rk_u32 attempt = 0; attempt < ATTEMPTS && status == RK_OK && !settled; attempt++) {
        status = compile_once(source, include_flag, part, &paths, &output);
        if (status != RK_OK) break;
        if (key_of(source, paths.at, &key))
            status = rk_error(RK_IO, "can't read what '%s' includes: %s", source, strerror(errno));
        settled = attempt ? key.a == before.a && key.b == before.b : !has_changed_since(paths.at, &begun);
        before = key;
    }
    if (status == RK_OK && !settled)
        status = rk_error(
            RK_IO, "'%s', or a file that it includes, changes while it is compiled: load it again", source);
    if (status == RK_OK) status = install(&key, folder, list_path, part, &paths, &output, path);
    if (status == RK_OK) tell_warnings(runtime, *path);
    unlink(part);
    free(paths.at);
    free(output.at);
    return status;
}

rk_status rk_module_compile(const rk_runtime *runtime, const char *source, char **path)
{
    char folder[4096 - 128], full[4096], list_path[4096];
    struct stat info;
    if (stat(source, &info)) return rk_error(RK_IO, "can't read '%s': %s", source, strerror(errno));
    if (S_ISDIR(info.st_mode)) return rk_error(RK_IO, "'%s' is a folder, not a kernel source", source);
    if (!S_ISREG(info.st_mode))
        return rk_error(RK_IO, "'%s' is no regular file, as a kernel source is", source);
    if (!realpath(source, full)) return rk_error(RK_IO, "can't find '%s': %s", source, strerror(errno));
    rk_status status = rk_cache_folder(runtime->options.cache_folder, folder, sizeof folder);
    if (status != RK_OK) return status;

    rk_digest name = RK_DIGEST_BEGIN, key;
    rk_digest_add(&name, full, strlen(full));
    rk_digest_add(&name, RK_COMPILER RK_COMPILE_FLAGS, sizeof RK_COMPILER RK_COMPILE_FLAGS);
    snprintf(list_path, sizeof list_path, "%s/%016llx.files", folder, (unsigned long long)name.a);
    size_t size;
    char *list = rk_cache_read(list_path, &size), line[64];
    const char *compiler = compiler_line(line);
    int is_of_this = list && (!compiler || strncmp(list, compiler, strlen(compiler)) == 0);
    if (is_of_this && size && key_of(full, list, &key) == 0) {
        *path = module_path(folder, &key);
        if (*path && access(*path, R_OK) == 0) {
            tell_warnings(runtime, *path);
            free(list);
            return RK_OK;
        }
        free(*path);
        *path = 0;
    }
    free(list);
    return compile(runtime, full, folder, list_path, path);
}
