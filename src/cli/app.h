/* An app: the kernels, options, routes and formats that an app file names. docs in `rk run --help`, an
 * example in examples/flight-delays.
 *
 *     app: flight-delays
 *     input:  { file: flights.csv.zst }
 *     kernels:
 *       validate:  { source: validate.rk.c }
 *       aggregate: { source: aggregate.rk.c, capacity: 8192, params: { window: 10000 } }
 *     routes:
 *       - input -> validate
 *       - validate -> aggregate: { key: band }
 *       - aggregate -> output
 *     topics:                                   # optional: a kernel publishes, a pattern has subscribers
 *       - aggregate -> delays/hourly: { route: hourly }
 *       - delays/# -> archive
 *
 * Reading one goes tree (app_tree) → one shape (app_shape) → `--set` → check against the schema and fill by
 * libcyaml (app_schema) → what the names mean (app). Every mistake of a step is reported, with line, column
 * and the valid choices. */
#ifndef RINGKERNEL_CLI_APP_H
#define RINGKERNEL_CLI_APP_H

#include "app_tree.h"
#include "ringkernel/options.h"

#define APP_NAMES_MOST 64u /* valid ones that a mistake lists; more don't help */

typedef enum app_format { APP_FORMAT_UNSAID, APP_FORMAT_CSV, APP_FORMAT_NDJSON } app_format;
typedef enum app_preset { APP_PRODUCTION, APP_LOW_LATENCY, APP_HIGH_THROUGHPUT } app_preset;

typedef struct app_parameter {
    char *name;
    char *value;
} app_parameter;

typedef struct app_kernel {
    char *name;
    char *source; /* relative to the app file */
    char *kernel; /* the kernel of the source; NULL: the one called `name` */
    rk_u32 preset;
    rk_launch_options given; /* only what the file says: app_options puts it over the preset */
    bool beside_neighbour;   /* of several devices, on that of the kernel whose routes it shares */
    app_parameter *params;
    rk_u32 params_count;
} app_kernel;

typedef struct app_route {
    char *from, *to;
    char *route;   /* of `from`; NULL: its default route */
    char *message; /* NULL: every type */
    char *key;     /* these three: at most one */
    rk_u32 *target;
    rk_u32 mode;                   /* RK_ROUTE_TARGET, _TURN or _ALL */
    rk_u32 from_kernel, to_kernel; /* numbers of kernels, as app_find_kernel has them; not in the file */
} app_route;

typedef struct app_stream {
    char *file; /* relative to the app file; NULL: said on the command line */
    rk_u32 format;
} app_stream;

/* Checkpoints while the app runs; `restore` is read from the tree, where it is true unless it is said. */
typedef struct app_checkpoints {
    char *folder; /* relative to the app file; NULL: said on the command line, or there are none */
    rk_u64 every_rows, every_ms; /* 0: not by these */
    rk_u32 full_every, keep;     /* as in rk_checkpoint_options */
    bool restore;
} app_checkpoints;

/* What libcyaml fills. */
typedef struct app_file {
    char *app;
    char *messages;
    app_stream input, output;
    app_checkpoints checkpoints;
    app_kernel *kernels;
    rk_u32 kernels_count;
    app_route *routes;
    rk_u32 routes_count;
    app_route *topics; /* from a kernel to a topic, or from a pattern to a kernel */
    rk_u32 topics_count;
} app_file;

typedef struct app {
    char *path, *folder;
    app_file *file;
    app_node *
        tree; /* in the one shape: `kernels` is a list of mappings with `name`, `routes` of mappings with `from` and `to` */
} app;

/* Reads an app file, with "KERNEL.NAME=VALUE" put over it. False: mistakes says why, nothing is kept. */
bool app_read(const char *path, char *const *sets, size_t set_count, app *result, app_mistakes *mistakes);
/* The same from memory; nothing is looked for on the disk. */
bool app_parse(const char *text, size_t size, const char *path, char *const *sets, size_t set_count,
               app *result, app_mistakes *mistakes);
void app_close(app *app);

/* Options to launch kernel i with: its preset, and over it what the file and `--set` say. `parameters` has
 * room for its params. */
rk_launch_options app_options(const app *app, rk_u32 i, rk_parameter *parameters);

/* A file that the app names, as a path that can be opened ("-" stays); the caller frees it. */
char *app_path(const app *app, const char *file);

/* Does the app go on from a checkpoint that it finds? */
bool app_restores(const app *app);

/* The number of a kernel; UINT32_MAX: none has the name. */
rk_u32 app_find_kernel(const app_file *file, const char *name);

/* Does line i of `topics` say who publishes? Else it says who subscribes. */
bool app_publishes(const app_file *file, rk_u32 i);
/* Do these lines of `topics`, one of a publisher and one of a subscriber, lead from the one to the other? */
bool app_topic_leads(const app_file *file, rk_u32 publisher, rk_u32 subscriber);
/* Are these the dead letters of a kernel, which go to another one? */
bool app_is_of_letters(const app_route *route);

/* Where a kernel's key (or the kernel, for NULL or a key that isn't there), or a route, stands. */
const app_node *app_kernel_place(const app *app, rk_u32 i, const char *key);
const app_node *app_route_place(const app *app, rk_u32 i);
const app_node *app_topic_place(const app *app, rk_u32 i);

#endif
