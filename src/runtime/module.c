#include "module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ linked modules */

static rk_module *linked;

/* Called by constructors of kernel sources, before main. */
void rk_link_module(rk_module *module)
{
    module->next = linked;
    linked = module;
}

/* ------------------------------------------------------------------ classes */

rk_class *rk_class_find(const rk_runtime *runtime, const char *name)
{
    for (rk_class *class = runtime->classes; class; class = class->next)
        if (strcmp(class->name, name) == 0) return class;
    return 0;
}

const rk_declaration *rk_class_handler(const rk_class *class, rk_u32 type)
{
    for (rk_u32 i = 0; i < class->handler_count; i++)
        if (class->handlers[i]->message->type == type) return class->handlers[i];
    return 0;
}

const rk_declaration *rk_class_declared(const rk_class *class, rk_u32 kind, const char *name)
{
    for (const rk_declaration *d = class->module->declarations; d; d = d->next)
        if (d->kind == kind && strcmp(d->name, name) == 0) return d;
    return 0;
}

const char *rk_reason_name(const rk_class *class, rk_u32 reason)
{
    if (reason >= RK_REASON_STATUS) {
        rk_status status = (rk_status)(reason - RK_REASON_STATUS);
        return status == RK_LIMIT           ? "too many sends"
               : status == RK_OUT_OF_MEMORY ? "too much shared memory"
               : status == RK_FAILED        ? "kernel failed"
                                            : rk_status_name(status);
    }
    for (const rk_declaration *d = class->module->declarations; d; d = d->next)
        if (d->kind == RK_DECLARES_REASON && d->number == reason) return d->name;
    return "unknown reason";
}

void rk_class_names(const rk_runtime *runtime, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (const rk_class *class = runtime->classes; class && used < size; class = class->next)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", class->name);
    if (!used) snprintf(text, size, "none");
}

/* A class with what only its description needs. All classes are allocated as one of these. */
typedef struct described_class {
    rk_class class;
    rk_u32 parameters, routes;
    const char **names; /* of the parameters, then of the routes */
} described_class;

static rk_class *class_for(rk_runtime *runtime, const rk_module *module, const char *name)
{
    rk_class *class = rk_class_find(runtime, name);
    if (class) return class;
    described_class *described = calloc(1, sizeof *described);
    if (!described) return 0;
    class = &described->class;
    class->name = name;
    class->module = module;
    rk_class **link = &runtime->classes;
    while (*link && strcmp((*link)->name, name) < 0) link = &(*link)->next;
    class->next = *link;
    *link = class;
    return class;
}

static void free_class(rk_class *class)
{
    described_class *described = (described_class *)class;
    free(described->names);
    free(described);
}

static rk_status list_names(rk_class *class)
{
    described_class *described = (described_class *)class;
    rk_u32 parameters = 0, routes = 0;
    for (const rk_declaration *d = class->module->declarations; d; d = d->next) {
        parameters += d->kind == RK_DECLARES_PARAMETER;
        routes += d->kind == RK_DECLARES_ROUTE;
    }
    described->parameters = parameters;
    described->routes = routes;
    described->names = calloc(parameters + routes + 1, sizeof *described->names);
    if (!described->names)
        return rk_error(RK_OUT_OF_MEMORY, "no memory for what kernel '%s' declares", class->name);
    routes += parameters; /* from behind: the latest declaration comes first in its module */
    for (const rk_declaration *d = class->module->declarations; d; d = d->next) {
        if (d->kind == RK_DECLARES_PARAMETER) described->names[--parameters] = d->name;
        if (d->kind == RK_DECLARES_ROUTE) described->names[--routes] = d->name;
    }
    return RK_OK;
}

static int is_handler(const rk_declaration *d)
{
    return d->kind == RK_DECLARES_HANDLER || d->kind == RK_DECLARES_BATCH_HANDLER ||
           d->kind == RK_DECLARES_SPMD;
}

/* An attribute may stand at any handler of a kernel, and at several if they agree. */
static rk_status add_attributes(rk_class *class, const rk_declaration *d)
{
    static const char *const names[] = { "size",       "width",        "threads",        "state",
                                         "max_sends",  "shared",       "mode",           "max_batch",
                                         "gather_us",  "event_driven", "slice_messages", "slice_us",
                                         "timestamps", "input_queue",  "output_queue",   "message_queue",
                                         "barrier",    "memory",       "not_causal",     "messaging",
                                         "domain",     "backends",     "replies",        "log_limit" };
    enum { COUNT = sizeof names / sizeof *names };
    _Static_assert(sizeof(rk_attributes) == COUNT * sizeof(rk_u32), "each attribute has its name here");
    rk_u32 known[COUNT], more[COUNT];
    memcpy(known, &class->stated, sizeof known);
    memcpy(more, d->attributes, sizeof more);
    for (rk_u32 i = 0; i < COUNT; i++) {
        if (known[i] && more[i] && known[i] != more[i])
            return rk_error(
                RK_INCOMPATIBLE,
                "%s:%u: kernel '%s': .%s is %u here and %u at another of its handlers: say it once", d->file,
                d->line, class->name, names[i], more[i], known[i]);
        if (!known[i]) known[i] = more[i];
    }
    memcpy(&class->stated, known, sizeof known);
    class->attributes = &class->stated;
    return RK_OK;
}

/* What a kernel has one of, and two of its handlers differ in; 0: nothing. */
static const char *difference(const rk_declaration *one, const rk_declaration *other)
{
    if (one->kind != other->kind) return "kind";
    if (one->attributes->width != other->attributes->width) return ".width";
    if (one->attributes->state != other->attributes->state) return ".state";
    return one->state_size != other->state_size ? "their type of state" : 0;
}

/* One handler joins its kernel: all handlers of a kernel agree on what it is. */
static rk_status add_handler(rk_class *class, const rk_declaration *d)
{
    if (class->handler_count == RK_HANDLES_MAX)
        return rk_error(RK_LIMIT, "%s:%u: kernel '%s' has more than %u handlers", d->file, d->line,
                        class->name, RK_HANDLES_MAX);
    if (rk_class_handler(class, d->message->type))
        return rk_error(RK_INCOMPATIBLE, "%s:%u: kernel '%s' has two handlers for type %u", d->file, d->line,
                        class->name, d->message->type);
    if (d->attributes->size != sizeof(rk_attributes))
        return rk_error(RK_INCOMPATIBLE,
                        "%s:%u: kernel '%s' was compiled with other headers: compile it again", d->file,
                        d->line, class->name);
    if (class->handler_count) {
        const rk_declaration *first = class->handlers[0];
        const char *differs = difference(first, d);
        if (differs)
            return rk_error(
                RK_INCOMPATIBLE,
                "%s:%u: the handlers of kernel '%s' differ in %s: %s:%u says otherwise; .width and "
                ".state stand at each handler of a kernel",
                d->file, d->line, class->name, differs, first->file, first->line);
    }
    if (d->attributes->state != RK_STATELESS && d->kind == RK_DECLARES_SPMD)
        return rk_error(RK_UNSUPPORTED,
                        "%s:%u: SPMD kernel '%s' can't keep state: its threads have no order between them; "
                        "use RK_HANDLER",
                        d->file, d->line, class->name);
    if (d->attributes->state == RK_STATELESS && d->state_size != sizeof(rk_none))
        return rk_error(RK_INCOMPATIBLE,
                        "%s:%u: kernel '%s' names a state type but no .state: say RK_PER_SHARD or "
                        "RK_PER_ACTOR at each of its handlers, or take rk_none",
                        d->file, d->line, class->name);
    const struct {
        const char *name, *named;
        rk_u32 value, most;
    } values[] = { { ".domain", "RK_DOMAIN_*", d->attributes->domain, RK_DOMAIN_ACTOR },
                   { ".mode", "RK_ADAPTIVE, RK_CONTINUOUS, RK_BATCH", d->attributes->mode, RK_BATCH },
                   { ".width", "RK_THREAD, RK_WARP, RK_BLOCK", d->attributes->width, RK_BLOCK },
                   { ".state", "RK_STATELESS, RK_PER_SHARD, RK_PER_ACTOR", d->attributes->state,
                     RK_PER_ACTOR } };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].value > values[i].most)
            return rk_error(RK_INVALID_OPTIONS, "%s:%u: kernel '%s': %s %u is none of %s", d->file, d->line,
                            class->name, values[i].name, values[i].value, values[i].named);
    rk_status status = add_attributes(class, d);
    if (status != RK_OK) return status;
    class->handlers[class->handler_count++] = d;
    class->state_size = d->state_size;
    class->spmd |= d->kind == RK_DECLARES_SPMD;
    class->batch |= d->kind == RK_DECLARES_BATCH_HANDLER;
    if (d->message->size > class->largest_in) class->largest_in = d->message->size;
    return RK_OK;
}

static rk_status check_module(const rk_module *module, const char *from)
{
    if (module->magic != RK_MODULE_MAGIC)
        return rk_error(RK_INCOMPATIBLE, "'%s' is not a kernel module", from);
    if (module->abi != RK_MODULE_ABI || module->wire != RK_WIRE_VERSION)
        return rk_error(
            RK_INCOMPATIBLE,
            "'%s' was built for ABI %u, wire %u; this library has ABI %u, wire %u: compile it again", from,
            module->abi, module->wire, RK_MODULE_ABI, RK_WIRE_VERSION);
    if (module->shard_size != sizeof(rk_shard) || module->context_size != sizeof(rk_context))
        return rk_error(RK_INCOMPATIBLE,
                        "'%s' was compiled with other headers (shard %u bytes here %zu, context %u here "
                        "%zu): compile it again",
                        from, module->shard_size, sizeof(rk_shard), module->context_size, sizeof(rk_context));
    return RK_OK;
}

/* Do these declare two messages by one type id? */
static int contradict(const rk_declaration *one, const rk_declaration *other)
{
    return one->kind == RK_DECLARES_MESSAGE && other->kind == RK_DECLARES_MESSAGE &&
           one->message->type == other->message->type && one->message->hash != other->message->hash;
}

/* A type id means one schema in the whole runtime, so that a message can cross from kernel to kernel and from
 * module to module. */
static rk_status check_schemas(rk_runtime *runtime, const rk_module *module, const char *from)
{
    for (const rk_declaration *d = module->declarations; d; d = d->next) {
        if (d->kind != RK_DECLARES_MESSAGE) continue;
        for (const rk_declaration *o = d->next; o; o = o->next)
            if (contradict(o, d))
                return rk_error(RK_INCOMPATIBLE,
                                "'%s' declares message type %u as '%s' and as '%s': give one of them another "
                                "type id",
                                from, d->message->type, o->message->name, d->message->name);
        for (rk_u32 m = 0; m < runtime->module_count; m++)
            for (const rk_declaration *o = runtime->modules[m]->declarations; o; o = o->next)
                if (contradict(o, d))
                    return rk_error(RK_INCOMPATIBLE,
                                    "'%s' declares message type %u as '%s' (schema %016llx), but '%s' "
                                    "declares it as '%s' (schema %016llx): give "
                                    "one of them another type id, or compile both with the same header",
                                    from, d->message->type, d->message->name,
                                    (unsigned long long)d->message->hash, runtime->modules[m]->file,
                                    o->message->name, (unsigned long long)o->message->hash);
    }
    return RK_OK;
}

static int is_hook(const rk_declaration *d)
{
    return d->kind == RK_DECLARES_DRAIN || d->kind == RK_DECLARES_TIMER || d->kind == RK_DECLARES_REFUSED ||
           d->kind == RK_DECLARES_MERGE;
}

/* The hooks of a module join their kernels. */
static rk_status add_hooks(rk_runtime *runtime, const rk_module *module)
{
    for (const rk_declaration *d = module->declarations; d; d = d->next) {
        if (!is_hook(d)) continue;
        rk_class *class = rk_class_find(runtime, d->kernel_name);
        if (!class || class->module != module)
            return rk_error(RK_INCOMPATIBLE,
                            "%s:%u: a hook for kernel '%s', which has no handler in this file", d->file,
                            d->line, d->kernel_name);
        if (class->attributes->state == RK_STATELESS && d->state_size != sizeof(rk_none))
            return rk_error(RK_INCOMPATIBLE,
                            "%s:%u: the hook of kernel '%s' names a state type, but its handlers have no "
                            ".state: say RK_PER_SHARD or RK_PER_ACTOR there, or take rk_none",
                            d->file, d->line, d->kernel_name);
        if (class->attributes->state != RK_STATELESS && d->state_size != class->state_size)
            return rk_error(RK_INCOMPATIBLE,
                            "%s:%u: the hook of kernel '%s' names another state type than its handlers",
                            d->file, d->line, d->kernel_name);
        if (d->kind == RK_DECLARES_TIMER && class->attributes->state != RK_PER_SHARD)
            return rk_error(
                RK_INCOMPATIBLE,
                "%s:%u: the timer hook of kernel '%s' has no state of a shard to look at: declare "
                ".state = RK_PER_SHARD at its handlers",
                d->file, d->line, d->kernel_name);
        if (d->kind == RK_DECLARES_REFUSED && class->attributes->state == RK_PER_ACTOR)
            return rk_error(RK_INCOMPATIBLE,
                            "%s:%u: the refusal hook of kernel '%s' has no actor's state to look at: by then "
                            "it isn't known whose send it was; take RK_PER_SHARD, or let what is refused be "
                            "a dead letter",
                            d->file, d->line, d->kernel_name);
        if (d->kind == RK_DECLARES_MERGE && class->attributes->state != RK_PER_SHARD)
            return rk_error(
                RK_INCOMPATIBLE,
                "%s:%u: kernel '%s' has no states of shards to merge: an actor's state goes where "
                "its actor goes; declare .state = RK_PER_SHARD at its handlers, or leave the hook out",
                d->file, d->line, d->kernel_name);
        *(d->kind == RK_DECLARES_DRAIN   ? &class->drain
          : d->kind == RK_DECLARES_TIMER ? &class->timer
          : d->kind == RK_DECLARES_MERGE ? &class->merge
                                         : &class->refused) = d;
    }
    return RK_OK;
}

static rk_status add_classes(rk_runtime *runtime, const rk_module *module, const char *from)
{
    rk_u32 numbers = 1, largest = 0;
    rk_status status = RK_OK;
    for (const rk_declaration *d = module->declarations; d && status == RK_OK; d = d->next) {
        if (d->number >= numbers) numbers = d->number + 1;
        if (d->kind == RK_DECLARES_MESSAGE && d->message->size > largest) largest = d->message->size;
        if (!is_handler(d)) continue;
        rk_class *class = class_for(runtime, module, d->kernel_name);
        status =
            class ? add_handler(class, d)
                  : rk_error(RK_OUT_OF_MEMORY, "no memory for kernel '%s' of '%s'", d->kernel_name, from);
    }
    if (status == RK_OK) status = add_hooks(runtime, module);
    for (rk_class *class = runtime->classes; class && status == RK_OK; class = class->next) {
        if (class->module != module) continue;
        class->numbers = numbers;
        class->largest_out = largest;
        status = list_names(class);
    }
    return status;
}

static void remove_classes(rk_runtime *runtime, const rk_module *module)
{
    for (rk_class **link = &runtime->classes; *link;) {
        rk_class *class = *link;
        if (class->module == module) {
            *link = class->next;
            free_class(class);
        } else {
            link = &class->next;
        }
    }
}

rk_status rk_module_take(rk_runtime *runtime, const rk_module *module, const char *from)
{
    for (rk_u32 i = 0; i < runtime->module_count; i++)
        if (runtime->modules[i] == module) return RK_OK;
    rk_status status = check_module(module, from);
    if (status == RK_OK) status = check_schemas(runtime, module, from);
    if (status != RK_OK) return status;
    for (const rk_declaration *d = module->declarations; d; d = d->next)
        if (is_handler(d) && rk_class_find(runtime, d->kernel_name))
            return rk_error(RK_INCOMPATIBLE,
                            "%s:%u: kernel '%s' is declared by '%s' as well: rename one of them", d->file,
                            d->line, d->kernel_name, rk_class_find(runtime, d->kernel_name)->module->file);
    const rk_module **modules = realloc(runtime->modules, (runtime->module_count + 1) * sizeof *modules);
    if (!modules) return rk_error(RK_OUT_OF_MEMORY, "no memory for module '%s'", from);
    runtime->modules = modules;
    status = add_classes(runtime, module, from);
    if (status == RK_OK)
        modules[runtime->module_count++] = module;
    else
        remove_classes(runtime, module);
    return status;
}

rk_status rk_modules_linked(rk_runtime *runtime)
{
    for (rk_module *module = linked; module; module = module->next) {
        rk_status status = rk_module_take(runtime, module, module->file);
        if (status != RK_OK) return status;
    }
    return RK_OK;
}

void rk_modules_close(rk_runtime *runtime)
{
    if (runtime->quarantined) return; /* what is stuck still reads its class and runs its module's code */
    while (runtime->classes) {
        rk_class *next = runtime->classes->next;
        free_class(runtime->classes);
        runtime->classes = next;
    }
    free(runtime->modules);
    rk_loads_close(runtime);
}

/* ------------------------------------------------------------------ descriptions */

static const rk_schema *find_schema(rk_runtime *runtime, const char *name, rk_u32 type)
{
    const rk_schema *found = 0;
    if (rk_runtime_check(runtime, "rk_find_schema") != RK_OK) return 0;
    pthread_mutex_lock(&runtime->control);
    for (rk_u32 m = 0; m < runtime->module_count && !found; m++)
        for (const rk_declaration *d = runtime->modules[m]->declarations; d && !found; d = d->next)
            if (d->kind == RK_DECLARES_MESSAGE &&
                (name ? strcmp(d->message->name, name) == 0 : d->message->type == type))
                found = d->message;
    pthread_mutex_unlock(&runtime->control);
    return found;
}

const rk_schema *rk_find_schema(rk_runtime *runtime, const char *name)
{
    return name ? find_schema(runtime, name, 0) : 0;
}

const rk_schema *rk_find_schema_of_type(rk_runtime *runtime, rk_u32 type)
{
    return find_schema(runtime, 0, type);
}

static void describe(const rk_class *class, rk_kernel_description *d)
{
    memset(d, 0, sizeof *d);
    const rk_attributes *a = class->attributes;
    d->name = class->name;
    d->file = class->handlers[0]->file;
    d->line = class->handlers[0]->line;
    d->spmd = class->spmd;
    d->batch = class->batch;
    d->width = a->width;
    d->threads = a->threads;
    d->state = a->state;
    d->state_size = a->state == RK_STATELESS ? 0 : class->state_size;
    d->max_sends = a->max_sends ? a->max_sends : 1;
    d->mode = a->mode;
    d->max_batch = a->max_batch;
    d->replies = a->replies;
    for (rk_u32 i = 0; i < class->handler_count; i++)
        d->handles[d->handles_count++] = class->handlers[i]->message;
    const described_class *described = (const described_class *)class;
    d->parameter_count = described->parameters;
    d->route_count = described->routes;
    d->parameters = described->names;
    d->routes = described->names + described->parameters;
}

rk_status rk_describe(rk_runtime *runtime, rk_u32 index, rk_kernel_description *description)
{
    rk_status status = rk_runtime_check(runtime, "rk_describe");
    if (status != RK_OK) return status;
    if (!description) return rk_error(RK_INVALID_ARGUMENT, "rk_describe: description is null");
    pthread_mutex_lock(&runtime->control);
    const rk_class *class = runtime->classes;
    while (class && index--) class = class->next;
    if (class) describe(class, description);
    pthread_mutex_unlock(&runtime->control);
    return class ? RK_OK : RK_NO_SUCH_KERNEL;
}

rk_status rk_describe_named(rk_runtime *runtime, const char *name, rk_kernel_description *description)
{
    rk_status status = rk_runtime_check(runtime, "rk_describe_named");
    if (status != RK_OK) return status;
    if (!name || !description)
        return rk_error(RK_INVALID_ARGUMENT, "rk_describe_named: name or description is null");
    pthread_mutex_lock(&runtime->control);
    const rk_class *class = rk_class_find(runtime, name);
    if (class)
        describe(class, description);
    else {
        char names[512];
        rk_class_names(runtime, names, sizeof names);
        status = rk_error(RK_NO_SUCH_KERNEL, "there is no kernel '%s'; there are: %s", name, names);
    }
    pthread_mutex_unlock(&runtime->control);
    return status;
}
