#include "manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* What follows `key` on its line of a file; 0: it isn't there. */
static int line_of(const char *path, const char *key, char *value, size_t size)
{
    FILE *file = fopen(path, "r");
    char line[1024];
    int found = 0;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        line[strcspn(line, "\n")] = 0;
        const char *at = line + strlen(key);
        at += strspn(at, "\t :");
        snprintf(value, size, "%s", at);
        found = 1;
    }
    if (file != NULL) fclose(file);
    return found;
}

static void first_line_of_command(const char *command, char *value, size_t size)
{
    FILE *pipe = popen(command, "r");
    snprintf(value, size, "unknown");
    if (pipe == NULL) return;
    if (fgets(value, (int)size, pipe) == NULL) snprintf(value, size, "unknown");
    value[strcspn(value, "\n")] = 0;
    pclose(pipe);
}

/* Of this build, from CMake, wherever the program is moved to. */
#ifndef RK_BENCH_FLAGS
#define RK_BENCH_FLAGS ""
#endif
static const char flags[] = RK_BENCH_FLAGS;

void bench_may_save(const char *folder)
{
    if (folder == NULL || flags[0] != 0) return;
    fprintf(
        stderr,
        "benchmark: the flags that it was compiled with are not known, and a figure that is kept in %s needs "
        "them: build it with CMake\n",
        folder);
    exit(2);
}

typedef struct facts {
    char cpu[128], kernel[160], compiler[128], commit[64], load[64], date[32];
    long cores;
} facts;

static facts gather(const char *tree)
{
    facts f;
    char command[512];
    struct utsname system;
    time_t now = time(NULL);
    if (!line_of("/proc/cpuinfo", "model name", f.cpu, sizeof f.cpu))
        snprintf(f.cpu, sizeof f.cpu, "unknown");
    f.cores = sysconf(_SC_NPROCESSORS_ONLN);
    uname(&system);
    snprintf(f.kernel, sizeof f.kernel, "%s %s", system.sysname, system.release);
#if defined(__clang__)
    snprintf(f.compiler, sizeof f.compiler, "clang %s", __clang_version__);
#else
    snprintf(f.compiler, sizeof f.compiler, "gcc %s", __VERSION__);
#endif
    snprintf(command, sizeof command, "git -C '%s' describe --always --dirty --abbrev=12 2> /dev/null", tree);
    first_line_of_command(command, f.commit, sizeof f.commit);
    if (!line_of("/proc/loadavg", "", f.load, sizeof f.load)) snprintf(f.load, sizeof f.load, "unknown");
    strftime(f.date, sizeof f.date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    return f;
}

void bench_machine(const char *tree, char *line, size_t size)
{
    facts f = gather(tree);
    snprintf(line, size, "%s, %ld cores, %s, %s %s, commit %s, load %s", f.cpu, f.cores, f.kernel, f.compiler,
             flags[0] ? flags : "flags unknown", f.commit, f.load);
}

void bench_manifest(FILE *file, const char *tree, const int cores[2])
{
    facts f = gather(tree);
    fprintf(file,
            "  \"manifest\": {\"cpu\": \"%s\", \"cores\": %ld, \"bound_to\": [%d, %d], \"kernel\": \"%s\",\n"
            "    \"compiler\": \"%s\", \"flags\": \"%s\", \"commit\": \"%s\", \"load\": \"%s\", \"date\": "
            "\"%s\"},\n",
            f.cpu, f.cores, cores[0], cores[1], f.kernel, f.compiler, flags, f.commit, f.load, f.date);
}
