/* `rk devices`: what kernels can run on here, and be compiled for. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "device_library.h"
#include "devices.h"
#include "ringkernel/ringkernel.h"

#define DEVICES 32

static const struct argp_option options[] = { { "json", 'j', NULL, 0, "Print as JSON", 0 }, { 0 } };

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    if (key == 'j') {
        *(bool *)state->input = true;
    } else if (key == ARGP_KEY_ARG) {
        argp_error(state, "there is nothing to name, as '%s' does", argument);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void devices_cpu_name(char name[128])
{
    char line[256];
    snprintf(name, 128, "CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value) continue;
        value[strcspn(value, "\n")] = 0;
        snprintf(name, 128, "%.127s", value + 2);
        break;
    }
    if (file) fclose(file);
}

static json_t *describe_cpu(void)
{
    char name[128];
    rk_runtime *runtime = NULL;
    devices_cpu_name(name);
    long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES),
         page = sysconf(_SC_PAGE_SIZE);
    rk_u32 workers = rk_open(NULL, &runtime) == RK_OK ? rk_worker_count(runtime) : 0;
    rk_close(runtime);
    return json_pack("{s:s, s:b, s:b, s:[{s:s, s:I, s:I, s:I}]}", "backend", "cpu", "runs", 1, "compiles", 1,
                     "devices", "name", name, "cores", (json_int_t)cores, "workers", (json_int_t)workers,
                     "memory", (json_int_t)pages * (json_int_t)page);
}

typedef bool list_devices(device_found *, size_t, size_t *, char why[256]);

/* Devices that the machine has, though no backend of this version runs kernels on them. */
static json_t *describe_backend(const char *backend, list_devices *list, bool compiles, const char *compiler)
{
    device_found found[DEVICES];
    size_t count = 0;
    char why[256] = "";
    bool any = list(found, DEVICES, &count, why);
    json_t *devices = json_array();
    for (size_t i = 0; any && i < count && i < DEVICES; i++)
        json_array_append_new(devices, json_pack("{s:s, s:s, s:I, s:I}", "name", found[i].name, "version",
                                                 found[i].version, "units", (json_int_t)found[i].units,
                                                 "memory", (json_int_t)found[i].memory));
    json_t *described = json_pack("{s:s, s:b, s:b, s:s, s:o}", "backend", backend, "runs", 0, "compiles",
                                  compiles, "compiler", compiler, "devices", devices);
    if (!any) json_object_set_new(described, "missing", json_string(why));
    return described;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print_backend(const json_t *backend)
{
    const json_t *devices = json_object_get(backend, "devices"), *device;
    size_t i;
    bool runs = json_is_true(json_object_get(backend, "runs")),
         compiles = json_is_true(json_object_get(backend, "compiles"));
    const char *can = runs       ? "runs kernels"
                      : compiles ? "`rk check` compiles for it; not run by this version"
                                 : "not run by this version";
    if (json_array_size(devices) == 0)
        printf("%-7s -  %s; %s%s%s\n", text_of(backend, "backend"), text_of(backend, "missing"),
               compiles ? can : "nothing compiles for it", *text_of(backend, "compiler") ? ", with " : "",
               text_of(backend, "compiler"));
    for (i = 0; (device = json_array_get(devices, i)); i++) {
        json_int_t cores = json_integer_value(json_object_get(device, "cores")),
                   units = json_integer_value(json_object_get(device, "units"));
        printf("%-7s %zu  %s, %s%s%" JSON_INTEGER_FORMAT " %s, %.1f GiB: %s\n", text_of(backend, "backend"),
               i, text_of(device, "name"), text_of(device, "version"),
               *text_of(device, "version") ? ", " : "", cores ? cores : units, cores ? "cores" : "units",
               (double)json_integer_value(json_object_get(device, "memory")) / (double)(1u << 30), can);
    }
}

int command_devices(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        take_option,
        "",
        "Show what kernels can run on here, and be compiled for.\v"
        "Exit codes: 0 shown; 2 the command line is wrong; 4 standard output can't be written.",
        NULL,
        NULL,
        NULL
    };
    bool as_json = false;
    char version[32] = "", compiler[64] = "", why[256];
    argp_parse(&argp, argc, argv, 0, NULL, &as_json);
    bool has_nvrtc = nvrtc_version(version, why);
    if (has_nvrtc) snprintf(compiler, sizeof compiler, "NVRTC %s", version);
    json_t *opencl = describe_backend("opencl", opencl_devices, true, "");
    if (json_array_size(json_object_get(opencl, "devices")) == 0)
        json_object_set_new(opencl, "compiles", json_false());
    json_t *all = json_pack("[o, o, o]", describe_cpu(),
                            describe_backend("cuda", cuda_devices, has_nvrtc, compiler), opencl);
    size_t i;
    json_t *backend;
    if (as_json) {
        json_dumpf(all, stdout, JSON_INDENT(1));
        putchar('\n');
    } else {
        for (i = 0; (backend = json_array_get(all, i)); i++) print_backend(backend);
    }
    json_decref(all);
    return fflush(stdout) || ferror(stdout) ? RK_EXIT_IO : RK_EXIT_OK;
}
