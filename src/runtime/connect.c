/* Connecting a route of one kernel to the inbox of another. */
#include <stdio.h>
#include <string.h>

#include "kernel.h"
#include "module.h"
#include "wiring.h"

/* Names as a mistake lists them: "none", or all that there is room for. */
typedef struct name_list {
    char text[256];
    size_t used;
} name_list;

static void list_name(name_list *list, const char *name)
{
    if (list->used < sizeof list->text)
        list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s",
                                       list->used ? ", " : "", name);
}

static rk_status route_number(const rk_class *class, const char *route, rk_u32 *number)
{
    *number = 0;
    if (!route) return RK_OK;
    if (strcmp(route, RK_DEAD_LETTERS) == 0) {
        *number = class->numbers; /* behind all that its module declares */
        return RK_OK;
    }
    const rk_declaration *d = rk_class_declared(class, RK_DECLARES_ROUTE, route);
    if (d) {
        *number = d->number;
        return RK_OK;
    }
    name_list names = { "none" };
    for (d = class->module->declarations; d; d = d->next)
        if (d->kind == RK_DECLARES_ROUTE) list_name(&names, d->name);
    return rk_error(
        RK_NO_SUCH_ROUTE,
        "kernel '%s' declares no route '%s'; it declares: %s (RK_ROUTE), and the default one has no name",
        class->name, route, names.text);
}

static int is_key(const rk_field *field) { return field->count == 1 && field->kind < RK_KIND_F32; }

static const rk_field *key_field(const rk_schema *schema, const char *name)
{
    for (rk_u32 i = 0; i < schema->field_count; i++)
        if (strcmp(schema->fields[i].name, name) == 0 && is_key(&schema->fields[i]))
            return &schema->fields[i];
    return 0;
}

static rk_status no_key(const rk_schema *schema, const char *name)
{
    name_list names = { "none" };
    for (rk_u32 i = 0; i < schema->field_count; i++)
        if (is_key(&schema->fields[i])) list_name(&names, schema->fields[i].name);
    return rk_error(RK_INVALID_ARGUMENT, "message '%s' has no integer field '%s' to route by; it has: %s",
                    schema->name, name, names.text);
}

/* The key's place: the same in every type that the target handles and the route carries. */
static rk_status find_key(const rk_class *to, const rk_route_options *o, rk_connection *c)
{
    const rk_field *found = 0;
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < to->handler_count; i++) {
        const rk_schema *schema = to->handlers[i]->message;
        if (c->type && c->type != schema->type) continue;
        const rk_field *field = key_field(schema, o->key_field);
        if (!field) {
            status = rk_error_also(status, no_key(schema, o->key_field));
            continue;
        }
        if (found && (found->offset != field->offset || found->size != field->size))
            status = rk_error_also(
                status, rk_error(RK_INVALID_ARGUMENT,
                                 "field '%s' lies elsewhere in message '%s' than in another that the route "
                                 "carries: name one with "
                                 "`message`",
                                 o->key_field, schema->name));
        found = field;
    }
    if (status != RK_OK || !found) return status;
    c->key_offset = found->offset;
    c->key_size = found->size;
    return RK_OK;
}

const char *rk_route_name(rk_runtime *runtime, rk_kernel kernel, rk_u32 route)
{
    const rk_class *class = 0;
    char id[64];
    if (rk_runtime_check(runtime, "rk_route_name") != RK_OK ||
        rk_kernel_class_of(runtime, kernel, &class, id) != RK_OK)
        return 0;
    if (route == RK_TO_DEFAULT) return "";
    for (const rk_declaration *d = class->module->declarations; d; d = d->next)
        if (d->kind == RK_DECLARES_ROUTE && d->number == route) return d->name;
    return 0;
}

/* What is wrong with the options whichever kernels they are for. */
static rk_status check_mode(const rk_route_options *o)
{
    rk_status status = RK_OK;
    if (o->mode > RK_ROUTE_ALL)
        status = rk_error(RK_INVALID_ARGUMENT, "route mode %u is not one of RK_ROUTE_*", o->mode);
    if (o->key_field && o->mode != RK_ROUTE_KEY)
        status = rk_error_also(status, rk_error(RK_INVALID_ARGUMENT,
                                                "key_field '%s' is of RK_ROUTE_KEY: make that the mode",
                                                o->key_field));
    if (!o->key_field && o->mode == RK_ROUTE_KEY)
        status = rk_error_also(status, rk_error(RK_INVALID_ARGUMENT, "a route by key needs key_field"));
    if (o->target && o->mode != RK_ROUTE_FIXED)
        status =
            rk_error_also(status, rk_error(RK_INVALID_ARGUMENT,
                                           "target %u is of RK_ROUTE_FIXED: make that the mode", o->target));
    return status;
}

/* Which message the connection carries, and whether its target handles it. */
static rk_status find_type(const rk_host_kernel *from, const rk_host_kernel *to, const rk_route_options *o,
                           rk_connection *c)
{
    const rk_schema *schema = 0;
    name_list common = { "none" };
    for (const rk_declaration *d = from->class->module->declarations; d; d = d->next) {
        if (d->kind != RK_DECLARES_MESSAGE) continue;
        if (o->message && strcmp(d->message->name, o->message) == 0) schema = d->message;
        if (rk_class_handler(to->class, d->message->type)) list_name(&common, d->message->name);
    }
    if (!o->message && !common.used)
        return rk_error(RK_UNKNOWN_TYPE, "'%s' handles none of the messages that '%s' knows", to->id,
                        from->id);
    if (!o->message) return RK_OK;
    if (!schema)
        return rk_error(RK_UNKNOWN_TYPE,
                        "kernel '%s' knows no message '%s'; of those that it knows, '%s' handles: %s",
                        from->class->name, o->message, to->id, common.text);
    if (!rk_class_handler(to->class, schema->type))
        return rk_error(RK_UNKNOWN_TYPE,
                        "'%s' has no handler for message '%s'; of those that '%s' knows, it handles: %s",
                        to->id, o->message, from->id, common.text);
    c->type = schema->type;
    return RK_OK;
}

static rk_status fill_connection(const rk_host_kernel *from, const rk_host_kernel *to, const char *route,
                                 const rk_route_options *o, rk_connection *c)
{
    *c = (rk_connection){
        .to = to->number, .to_generation = to->generation, .mode = o->mode, .target = o->target
    };
    rk_status status = route_number(from->class, route, &c->route);
    if (o->mode == RK_ROUTE_FIXED && to->options.actors && o->target >= to->options.actors)
        status = rk_error_also(status, rk_error(RK_NO_SUCH_ACTOR, "'%s' has actors 0 to %u, not %u", to->id,
                                                to->options.actors - 1, o->target));
    const rk_status carried = find_type(from, to, o, c);
    status = rk_error_also(status, carried);
    if (carried == RK_OK && o->mode == RK_ROUTE_KEY && o->key_field)
        status = rk_error_also(status, find_key(to->class, o, c));
    return status;
}

/* A deadline of the user's makes an edge that doesn't wait for ever. */
static int blocks_for_ever(const rk_host_kernel *from, const rk_host_kernel *to)
{
    return to->options.backpressure == RK_BACKPRESSURE_BLOCK &&
           from->options.send_deadline_ns == RK_NO_DEADLINE;
}

static int is_for_letters(const rk_host_kernel *from, const rk_connection *c)
{
    return c->route == from->class->numbers;
}

/* Where the dead letters of a kernel go; 0: to the host. */
static const rk_host_kernel *letters_of(const rk_runtime *runtime, const rk_host_kernel *k)
{
    for (rk_u32 c = 0; c < k->connection_count; c++)
        if (is_for_letters(k, &k->connections[c]) && rk_connection_is_live(runtime, &k->connections[c]))
            return runtime->kernels[k->connections[c].to];
    return 0;
}

/* Dead letters have one way, at whose end they are the host's. */
static rk_status check_letters(const rk_runtime *runtime, const rk_host_kernel *from,
                               const rk_host_kernel *to, const rk_connection *c)
{
    rk_status status = RK_OK;
    if (letters_of(runtime, from))
        status = rk_error(RK_INVALID_ARGUMENT,
                          "the dead letters of '%s' go to '%s' already, and they go to one kernel", from->id,
                          letters_of(runtime, from)->id);
    if (c->mode == RK_ROUTE_ALL)
        status = rk_error_also(status,
                               rk_error(RK_INVALID_ARGUMENT,
                                        "a dead letter goes to one shard: RK_ROUTE_ALL is for other routes"));
    if (!(to->layout.features & RK_FEATURE_LONG))
        status = rk_error_also(
            status, rk_error(RK_INVALID_ARGUMENT,
                             "'%s' has short headers, which don't say why a letter is one: launch it with "
                             "requests = 1",
                             to->id));
    for (const rk_host_kernel *next = to; next; next = letters_of(runtime, next))
        if (next == from)
            return rk_error_also(
                status, rk_error(RK_INVALID_ARGUMENT,
                                 "dead letters of '%s' would come back to it, and could go round for ever",
                                 from->id));
    return status;
}

/* Is `goal` reachable from `k`: by any edges, or by such that block for ever? `seen` is a mark for each
 * kernel. */
static int reaches(const rk_runtime *runtime, const rk_host_kernel *k, const rk_host_kernel *goal,
                   int blocking, rk_u8 *seen)
{
    if (k == goal) return 1;
    seen[k->number] = 1;
    for (rk_u32 c = 0; c < k->connection_count; c++) {
        if (!rk_connection_is_live(runtime, &k->connections[c])) continue;
        const rk_host_kernel *next = runtime->kernels[k->connections[c].to];
        if (seen[next->number] ||
            (blocking && (is_for_letters(k, &k->connections[c]) || !blocks_for_ever(k, next))))
            continue;
        if (reaches(runtime, next, goal, blocking, seen)) return 1;
    }
    return 0;
}

/* Its place among those of `from`: that of one to a kernel that is gone, for the same messages, or behind
 * all. */
static rk_u32 place_of(const rk_host_kernel *from, const rk_connection *c)
{
    rk_u32 place = 0;
    while (place < from->connection_count &&
           (from->connections[place].route != c->route || from->connections[place].type != c->type ||
            rk_connection_is_live(from->runtime, &from->connections[place])))
        place++;
    return place;
}

/* Fill in the connection, or say all that is wrong with it. */
static rk_status check_connection(const rk_runtime *runtime, const rk_host_kernel *from,
                                  const rk_host_kernel *to, const char *route, const rk_route_options *o,
                                  rk_connection *c)
{
    rk_u8 seen[RK_KERNELS_MAX + 1] = { 0 };
    rk_status status = fill_connection(from, to, route, o, c);
    if (is_for_letters(from, c))
        status = rk_error_also(status, check_letters(runtime, from, to, c));
    else if (blocks_for_ever(from, to) && reaches(runtime, to, from, 1, seen))
        status = rk_error_also(
            status, rk_error(RK_INVALID_ARGUMENT,
                             "'%s' to '%s' closes a cycle whose every edge is Block without a deadline: once "
                             "full, none of them could ever go "
                             "on; give one a send_deadline_ns, or another backpressure",
                             from->id, to->id));
    if (place_of(from, c) == RK_EDGES_MAX)
        status = rk_error_also(status,
                               rk_error(RK_LIMIT, "'%s' has %u connections already", from->id, RK_EDGES_MAX));
    if (rk_atomic_u32(&from->life) == RK_LIFE_ACTIVE)
        status = rk_error_also(
            status,
            rk_error(RK_BUSY, "'%s' is active: deactivate it before connecting its routes", from->id));
    return status;
}

static rk_status connect_kernels(rk_runtime *runtime, rk_host_kernel *from, rk_host_kernel *to,
                                 rk_connection connection)
{
    const int letters = is_for_letters(from, &connection);
    rk_u8 seen[RK_KERNELS_MAX + 1] = { 0 };
    if (!letters && reaches(runtime, to, from, 0, seen)) {
        char text[200];
        snprintf(text, sizeof text,
                 "the route to '%s' closes a cycle: messages that find no room in it until the deadline "
                 "become dead letters",
                 to->id);
        rk_runtime_log(runtime, RK_INFO, from->id, 0, text);
    }
    rk_circle circle;
    rk_connection before[RK_EDGES_MAX];
    const rk_u32 count = from->connection_count, place = place_of(from, &connection);
    rk_u32 from_serving = from->serving;
    rk_status status = rk_kernel_halt(from);
    if (status != RK_OK) return status;
    memcpy(before, from->connections, sizeof before);
    from->connections[place] = connection;
    if (place == count) from->connection_count++;
    status = rk_circle_stop(from, &circle);
    if (status == RK_OK) {
        status = rk_circle_wire(&circle);
        rk_circle_serve(&circle);
    }
    if (status != RK_OK) { /* they may have another order by now */
        memcpy(from->connections, before, sizeof before);
        from->connection_count = count;
    }
    const rk_status again = from_serving ? rk_kernel_serve(from) : RK_OK;
    return status == RK_OK ? again : status;
}

/* A kernel of the connection. RK_CLOSED: one that takes part in none any more. */
static rk_status find_end(rk_runtime *runtime, rk_kernel handle, int is_target, rk_host_kernel **k)
{
    const rk_status status = rk_kernel_check(runtime, handle, k);
    if (status != RK_OK) return status;
    if (rk_atomic_u32(&(*k)->life) != RK_LIFE_QUARANTINED &&
        !(is_target && rk_atomic_u32(&(*k)->closed) == RK_CLOSED))
        return RK_OK;
    return rk_error(RK_CLOSED, "'%s' takes no connections any more: it is %s", (*k)->id,
                    rk_life_name(rk_atomic_u32(&(*k)->life)));
}

rk_status rk_connect(rk_runtime *runtime, rk_kernel from_handle, const char *route, rk_kernel to_handle,
                     const rk_route_options *given)
{
    rk_host_kernel *from = 0, *to = 0;
    rk_connection connection;
    rk_route_options o = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TARGET };
    rk_status status = rk_runtime_check(runtime, "rk_connect");
    if (status == RK_OK && given) status = rk_check_size(given, sizeof o, "route options");
    if (status != RK_OK) return status;
    if (given) memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    pthread_mutex_lock(&runtime->control);
    const rk_status source = find_end(runtime, from_handle, 0, &from);
    const rk_status target = find_end(runtime, to_handle, 1, &to);
    status = rk_error_also(rk_error_also(source, target), check_mode(&o));
    if (source == RK_OK && target == RK_OK)
        status = rk_error_also(status, check_connection(runtime, from, to, route, &o, &connection));
    if (status == RK_OK) status = connect_kernels(runtime, from, to, connection);
    pthread_mutex_unlock(&runtime->control);
    return status;
}
