/* `rk devices`: what kernels can run on here, and be compiled for. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cuda/cuda_device.h"
#include "backend/opencl/opencl_device.h"
#include "command.h"
#include "device_library.h"
#include "devices.h"
#include "ringkernel/ringkernel.h"
#include "runtime/error.h"

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

/* A backend and its devices. */
static json_t *describe_backend(const char *backend, bool runs, bool compiles, const char *compiler,
                                json_t *devices, const char *missing)
{
    json_t *described = json_pack("{s:s, s:b, s:b, s:s, s:o}", "backend", backend, "runs", runs, "compiles",
                                  compiles, "compiler", compiler, "devices", devices);
    if (json_array_size(devices) == 0) json_object_set_new(described, "missing", command_json_text(missing));
    return described;
}

static json_t *describe_opencl_device(const rk_opencl_device *d)
{
    json_t *can = json_array(), *cannot = json_array();
    for (rk_u32 bit = 0; *rk_opencl_ability(bit); bit++)
        json_array_append_new(d->can >> bit & 1u ? can : cannot, json_string(rk_opencl_ability(bit)));
    json_t *told = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:I, s:s, s:s, s:o, s:o}", "name",
        command_json_text(d->name), "platform", command_json_text(d->platform_name), "version",
        command_json_text(d->version), "driver", command_json_text(d->driver), "c_versions",
        command_json_text(d->c_versions), "compiled_as", rk_opencl_standard(d), "units", (json_int_t)d->units,
        "memory", (json_int_t)d->memory, "largest_buffer", (json_int_t)d->largest_buffer, "mode",
        rk_opencl_mode(d), "clock", "by the host, at each launch", "can", can, "cannot", cannot);
    rk_error_begin();
    if (rk_opencl_device_check(d) != RK_OK)
        json_object_set_new(told, "unusable", command_json_text(rk_error_text()));
    return told;
}

static json_t *describe_opencl(void)
{
    rk_opencl cl;
    rk_opencl_device found[RK_OPENCL_DEVICES_MOST];
    rk_u32 count = 0;
    json_t *devices = json_array();
    bool usable = false;
    rk_error_begin();
    rk_status status = rk_opencl_load(NULL, &cl);
    if (status == RK_OK) status = rk_opencl_devices(&cl, found, &count);
    char why[1024];
    snprintf(why, sizeof why, "%s", status == RK_OK ? "" : rk_error_text());
    for (rk_u32 i = 0; status == RK_OK && i < count; i++) {
        json_t *described = describe_opencl_device(&found[i]);
        usable |= json_object_get(described, "unusable") == NULL;
        json_array_append_new(devices, described);
    }
    return describe_backend("opencl", usable, usable, "", devices, why);
}

static json_t *describe_cuda_device(const rk_cuda_device *d)
{
    char version[64], window[192];
    json_t *can = json_array(), *cannot = json_array();
    for (rk_u32 bit = 0; *rk_cuda_ability(bit); bit++)
        json_array_append_new(d->can >> bit & 1u ? can : cannot, json_string(rk_cuda_ability(bit)));
    snprintf(version, sizeof version, "compute capability %u.%u", d->architecture / 10, d->architecture % 10);
    json_t *told =
        json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "name", command_json_text(d->name),
                  "version", version, "bus", d->bus_id, "units", (json_int_t)d->multiprocessors, "memory",
                  (json_int_t)d->memory, "cache", (json_int_t)d->cache, "block_shared",
                  (json_int_t)d->block_shared, "can", can, "cannot", cannot);
    rk_cuda_host_window(d, RK_CUDA_GDRCOPY, window, sizeof window);
    json_object_set_new(told, "memory_in_host", command_json_text(window));
    if (d->numa_node != RK_CUDA_NO_NODE)
        json_object_set_new(told, "numa_node", json_integer((json_int_t)d->numa_node));
    rk_error_begin();
    if (rk_cuda_device_check(d) != RK_OK || rk_cuda_check_environment() != RK_OK)
        json_object_set_new(told, "unusable", command_json_text(rk_error_text()));
    return told;
}

/* From one device to each of the others. */
static json_t *describe_links(const rk_cuda *cuda, const rk_cuda_device *devices, int from)
{
    json_t *links = json_array();
    for (int to = 0; to < cuda->device_count; to++) {
        if (to == from) continue;
        const rk_cuda_link link = rk_cuda_link_of(cuda, &devices[from], &devices[to]);
        json_array_append_new(
            links, json_pack("{s:i, s:b, s:b}", "to", to, "access", link.access, "atomics", link.atomics));
    }
    return links;
}

static json_t *describe_cuda(void)
{
    rk_cuda cuda;
    rk_cuda_device *found = NULL;
    char version[32] = "", compiler[64] = "", *why;
    json_t *devices = json_array();
    bool usable = false;
    bool compiles = nvrtc_version(version, &why);
    if (compiles) snprintf(compiler, sizeof compiler, "NVRTC %s", version);
    rk_error_begin();
    rk_status status = rk_cuda_load(NULL, &cuda);
    if (status == RK_OK) found = command_resize(NULL, (size_t)cuda.device_count * sizeof *found);
    for (int i = 0; status == RK_OK && i < cuda.device_count; i++)
        status = rk_cuda_describe(&cuda, (rk_u32)i, &found[i]);
    for (int i = 0; status == RK_OK && i < cuda.device_count; i++) {
        json_t *described = describe_cuda_device(&found[i]);
        json_object_set_new(described, "links", describe_links(&cuda, found, i));
        usable |= json_object_get(described, "unusable") == NULL;
        json_array_append_new(devices, described);
    }
    json_t *told = describe_backend("cuda", compiles && usable, compiles, compiler, devices,
                                    status == RK_OK ? "" : rk_error_text());
    if (status == RK_OK) json_object_set_new(told, "driver", json_integer(cuda.version));
    if (status == RK_OK && !compiles) json_object_set_new(told, "missing", command_json_text(why));
    free(why);
    free(found);
    return told;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* Beneath a device: what it has or lacks. */
static void print_list(const char *what, const json_t *words)
{
    size_t i;
    json_t *word;
    for (i = 0; (word = json_array_get(words, i)); i++)
        printf("%s%s%s%s", i ? ", " : "           ", i ? "" : what, i ? "" : ": ", json_string_value(word));
    if (i) putchar('\n');
}

/* Beneath a device: the others that it reaches. Atomics over a link are NVLink's: PCIe has none between
 * devices. */
static void print_links(const json_t *links)
{
    size_t i;
    json_t *link;
    for (i = 0; (link = json_array_get(links, i)); i++) {
        const int access = json_is_true(json_object_get(link, "access")),
                  atomics = json_is_true(json_object_get(link, "atomics"));
        printf("           device %" JSON_INTEGER_FORMAT ": %s\n",
               json_integer_value(json_object_get(link, "to")),
               !access   ? "not reached; no runtime over both"
               : atomics ? "reached over NVLink, with atomics: lanes lead there"
                         : "reached over PCIe, without atomics; no runtime over both");
    }
}

static void print_lines(const char *before, const char *text)
{
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n");
        printf("           %s%.*s\n", before, (int)n, at);
        at += n + (at[n] == '\n');
    }
}

static void print_backend(const json_t *backend)
{
    const json_t *devices = json_object_get(backend, "devices"), *device;
    size_t i;
    bool runs = json_is_true(json_object_get(backend, "runs")),
         compiles = json_is_true(json_object_get(backend, "compiles"));
    const char *missing = text_of(backend, "missing"), *compiler = text_of(backend, "compiler");
    char *can = runs ? command_copy("runs kernels")
                     : command_print("can't run here%s%.*s; %s%s%s", *missing ? ": " : "",
                                     (int)strcspn(missing, "\n"), missing,
                                     compiles ? "`rk check` compiles for it" : "nothing compiles for it",
                                     *compiler ? ", with " : "", compiler);
    const char *more = strchr(missing, '\n');
    more = more ? more + 1 : "";
    if (json_array_size(devices) == 0) printf("%-7s -  %s\n%s", text_of(backend, "backend"), can, more);
    for (i = 0; (device = json_array_get(devices, i)); i++) {
        json_int_t cores = json_integer_value(json_object_get(device, "cores")),
                   units = json_integer_value(json_object_get(device, "units"));
        printf("%-7s %zu  %s, %s%s%" JSON_INTEGER_FORMAT " %s, %.1f GiB: %s\n", text_of(backend, "backend"),
               i, text_of(device, "name"), text_of(device, "version"),
               *text_of(device, "version") ? ", " : "", cores ? cores : units, cores ? "cores" : "units",
               (double)json_integer_value(json_object_get(device, "memory")) / (double)(1u << 30), can);
        print_lines("", more);
        print_list("has", json_object_get(device, "can"));
        print_list("has not", json_object_get(device, "cannot"));
        if (*text_of(device, "memory_in_host"))
            printf("           its memory in the host: %s\n", text_of(device, "memory_in_host"));
        print_links(json_object_get(device, "links"));
        if (*text_of(device, "c_versions"))
            printf("           OpenCL C: %s, compiled as %s\n", text_of(device, "c_versions"),
                   text_of(device, "compiled_as"));
        if (*text_of(device, "mode") && !*text_of(device, "unusable"))
            printf("           mode: %s\n           clock: %s\n", text_of(device, "mode"),
                   text_of(device, "clock"));
        if (*text_of(device, "unusable")) print_lines("unusable: ", text_of(device, "unusable"));
    }
    free(can);
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
    argp_parse(&argp, argc, argv, 0, NULL, &as_json);
    json_t *all = json_pack("[o, o, o]", describe_cpu(), describe_cuda(), describe_opencl());
    size_t i;
    json_t *backend;
    if (as_json) {
        json_dumpf(all, stdout, JSON_INDENT(1));
        putchar('\n');
    } else {
        for (i = 0; (backend = json_array_get(all, i)); i++) print_backend(backend);
    }
    json_decref(all);
    return command_end(RK_EXIT_OK);
}
