#include "app_shape.h"

#include <stdlib.h>
#include <string.h>

#include "app_schema.h"
#include "command.h"

/* Moves the pairs of one mapping behind those of another. */
static void move_pairs(app_node *from, app_node *to)
{
    for (size_t i = 0; i < from->count; i++) app_node_add(to, from->item[i]);
    from->count = 0;
}

static bool is_blank(const app_node *node)
{
    return node->kind == APP_SCALAR && node->plain && !node->text[0];
}

/* A mapping of names becomes a list: each pair a mapping with the name under `name`, and under `value`, or
 * beside it, what it names. */
static app_node *list_names(app_node *names, const char *value_key)
{
    app_node *list = app_node_new(APP_SEQUENCE, names);
    for (size_t i = 0; i < names->count; i += 2) {
        app_node *key = names->item[i], *value = names->item[i + 1];
        app_node *item = app_node_new(APP_MAPPING, key);
        app_mapping_add(item, "name",
                        app_scalar(key->text ? key->text : "", key->text ? strlen(key->text) : 0, key), key);
        if (value_key)
            app_mapping_add(item, value_key, value, value);
        else
            move_pairs(value, item);
        if (value_key) names->item[i + 1] = app_node_new(APP_SCALAR, value); /* it was moved */
        app_node_add(list, item);
    }
    return list;
}

static void shape_params(app_node *kernel, const char *name, app_mistakes *mistakes)
{
    for (size_t i = 0; i < kernel->count; i += 2) {
        app_node *params = kernel->item[i + 1];
        if (!kernel->item[i]->text || strcmp(kernel->item[i]->text, "params") != 0) continue;
        if (params->kind != APP_MAPPING) {
            app_mistake(mistakes, params, "kernel '%s': 'params' must be a mapping of names to values", name);
            app_mapping_drop(kernel, i);
            return;
        }
        for (size_t v = 0; v < params->count;)
            if (params->item[v + 1]->kind == APP_SCALAR) {
                v += 2;
            } else {
                app_mistake(mistakes, params->item[v + 1], "kernel '%s': parameter '%s' must be one value",
                            name, params->item[v]->text ? params->item[v]->text : "?");
                app_mapping_drop(params, v);
            }
        kernel->item[i + 1] = list_names(params, "value");
        app_tree_free(params);
    }
}

/* What stands behind a kernel's name. False: it is no kernel, and noted. */
static bool shape_kernel(app_node *key, app_node **value, app_mistakes *mistakes)
{
    const char *name = key->text ? key->text : "?";
    if (is_blank(*value)) { /* "a:" with nothing behind it */
        app_tree_free(*value);
        *value = app_node_new(APP_MAPPING, key);
    }
    if ((*value)->kind != APP_MAPPING) {
        app_mistake(mistakes, *value, "kernel '%s' must be a mapping: { source: FILE.rk.c }", name);
        return false;
    }
    const app_node *own_name = app_mapping_key(*value, "name");
    if (own_name) {
        app_mistake(mistakes, own_name, "kernel '%s' has no key 'name': its name is the key before it", name);
        return false;
    }
    shape_params(*value, name, mistakes);
    return true;
}

static bool shape_kernels(app_node **kernels, app_mistakes *mistakes)
{
    app_node *names = *kernels;
    if (names->kind != APP_MAPPING) {
        app_mistake(mistakes, names,
                    "'kernels' must be a mapping of names: validate: { source: validate.rk.c }");
        return false;
    }
    for (size_t i = 0; i < names->count;)
        if (shape_kernel(names->item[i], &names->item[i + 1], mistakes))
            i += 2;
        else
            app_mapping_drop(names, i);
    *kernels = list_names(names, NULL);
    app_tree_free(names);
    return true;
}

/* ------------------------------------------------------------------ routes */

/* "a -> b", into a mapping with `from` and `to` at their own places. */
static bool shape_arrow(const app_node *arrow, const char *what, app_node *route, app_mistakes *mistakes)
{
    const char *text = arrow->text, *sign = strstr(text, "->");
    if (!sign || strstr(sign + 2, "->")) {
        app_mistake(mistakes, arrow, "'%s' is no %s: it must be 'FROM -> TO'", text, what);
        return false;
    }
    const char *end[2] = { sign, text + strlen(text) }, *start[2] = { text, sign + 2 };
    for (int side = 0; side < 2; side++) {
        while (start[side] < end[side] && *start[side] == ' ') start[side]++;
        while (end[side] > start[side] && *(end[side] - 1) == ' ') end[side]--;
        app_node place = *arrow;
        if (arrow->plain) place.column += (unsigned)(start[side] - text);
        app_mapping_add(route, side ? "to" : "from",
                        app_scalar(start[side], (size_t)(end[side] - start[side]), &place), &place);
    }
    return true;
}

static app_node *shape_route(app_node *item, const char *what, app_mistakes *mistakes)
{
    const app_node *arrow = item->kind == APP_SCALAR ? item
                            : item->kind == APP_MAPPING && item->count == 2 && item->item[0]->text
                                ? item->item[0]
                                : NULL;
    if (!arrow) {
        app_mistake(mistakes, item, "a %s must be 'FROM -> TO' or 'FROM -> TO: { key: FIELD }'", what);
        return NULL;
    }
    app_node *route = app_node_new(APP_MAPPING, arrow);
    bool fine = shape_arrow(arrow, what, route, mistakes);
    if (fine && item->kind == APP_MAPPING) {
        app_node *options = item->item[1];
        const app_node *strange = options->kind == APP_MAPPING ? app_mapping_key(options, "from") : NULL;
        if (options->kind == APP_MAPPING && !strange) strange = app_mapping_key(options, "to");
        if (strange) {
            app_mistake(mistakes, strange, "%s '%s' has no key '%s': the arrow says it", what, arrow->text,
                        strange->text);
            fine = false;
        } else if (options->kind == APP_MAPPING) {
            move_pairs(options, route);
        } else if (!is_blank(options)) {
            app_mistake(mistakes, options, "%s '%s': behind it must be a mapping: { key: FIELD }", what,
                        arrow->text);
            fine = false;
        }
    }
    if (fine) return route;
    app_tree_free(route);
    return NULL;
}

/* The list of routes, or of topics, which look alike. */
static bool shape_routes(app_node *routes, const char *what, app_mistakes *mistakes)
{
    if (routes->kind != APP_SEQUENCE) {
        app_mistake(mistakes, routes, "'%ss' must be a list: - %s", what,
                    strcmp(what, "route") == 0 ? "input -> NAME" : "NAME -> TOPIC");
        return false;
    }
    for (size_t i = 0; i < routes->count;) {
        app_node *route = shape_route(routes->item[i], what, mistakes);
        if (route) {
            app_tree_free(routes->item[i]);
            routes->item[i++] = route;
        } else {
            app_item_drop(routes, i);
        }
    }
    return true;
}

bool app_shape(app_node *tree, app_mistakes *mistakes)
{
    if (tree->kind != APP_MAPPING) {
        app_mistake(mistakes, tree, "an app file is a mapping: app, input, output, kernels, routes");
        return false;
    }
    bool shaped = true;
    for (size_t i = 0; i < tree->count; i += 2) {
        const char *key = tree->item[i]->text;
        if (key && strcmp(key, "kernels") == 0) shaped &= shape_kernels(&tree->item[i + 1], mistakes);
        if (key && strcmp(key, "routes") == 0) shaped &= shape_routes(tree->item[i + 1], "route", mistakes);
        if (key && strcmp(key, "topics") == 0) shaped &= shape_routes(tree->item[i + 1], "topic", mistakes);
    }
    return shaped;
}

/* ------------------------------------------------------------------ --set */

static void set_key(app_node *mapping, const char *key, app_node *value)
{
    static const app_node nowhere; /* line 0: from the command line */
    for (size_t i = 0; i < mapping->count; i += 2) {
        if (strcmp(mapping->item[i]->text, key) != 0) continue;
        app_tree_free(mapping->item[i + 1]);
        mapping->item[i + 1] = value;
        return;
    }
    app_mapping_add(mapping, key, value, &nowhere);
}

static app_node *one_value(const char *text, size_t size)
{
    static const app_node nowhere;
    return app_scalar(text, size, &nowhere);
}

/* "1,2,3" or "[1, 2, 3]". */
static app_node *list_of_values(const char *text)
{
    static const app_node nowhere;
    app_node *list = app_node_new(APP_SEQUENCE, &nowhere);
    size_t size = strlen(text);
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    for (const char *at = text, *end = text + size; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *next = comma ? comma : end, *stop = next;
        while (at < stop && *at == ' ') at++;
        while (stop > at && *(stop - 1) == ' ') stop--;
        app_node_add(list, one_value(at, (size_t)(stop - at)));
        at = next + 1;
    }
    return list;
}

static void set_parameter(app_node *kernel, const char *name, const char *value)
{
    static const app_node nowhere;
    app_node *list = app_mapping_value(kernel, "params");
    if (!list) {
        list = app_node_new(APP_SEQUENCE, &nowhere);
        app_mapping_add(kernel, "params", list, &nowhere);
    }
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(app_mapping_value(list->item[i], "name")->text, name) == 0) {
            set_key(list->item[i], "value", one_value(value, strlen(value)));
            list->item[i]->line = 0;
            return;
        }
    app_node *item = app_node_new(APP_MAPPING, &nowhere);
    app_mapping_add(item, "name", one_value(name, strlen(name)), &nowhere);
    app_mapping_add(item, "value", one_value(value, strlen(value)), &nowhere);
    app_node_add(list, item);
}

void app_shape_set(app_node *tree, const char *set, app_mistakes *mistakes)
{
    static const app_node nowhere;
    const char *dot = strchr(set, '.'), *equals = strchr(set, '=');
    if (!dot || !equals || dot > equals || dot == set || dot + 1 == equals) {
        app_mistake(mistakes, &nowhere, "'%s' is not KERNEL.NAME=VALUE", set);
        return;
    }
    char *copy = command_copy(set), *name = copy + (dot - set) + 1, *value = copy + (equals - set) + 1;
    name[-1] = value[-1] = 0;
    char *valid = command_copy("");
    app_node *kernels = app_mapping_value(tree, "kernels"), *kernel = NULL;
    for (size_t i = 0; kernels && kernels->kind == APP_SEQUENCE && i < kernels->count; i++) {
        const char *is = app_mapping_value(kernels->item[i], "name")->text;
        if (strcmp(is, copy) == 0) kernel = kernels->item[i];
        char *longer = command_print("%s%s%s", valid,
                                     i == 0                    ? ""
                                     : i + 1 == kernels->count ? " and "
                                                               : ", ",
                                     is);
        free(valid);
        valid = longer;
    }
    if (!kernel)
        app_mistake(mistakes, &nowhere, "there is no kernel '%s': valid are %s", copy, valid);
    else if (strncmp(name, "params.", 7) == 0)
        set_parameter(kernel, name + 7, value);
    else if (app_schema_is_kernel_key(name) && strcmp(name, "params") != 0)
        set_key(kernel, name,
                app_schema_is_list(name) ? list_of_values(value) : one_value(value, strlen(value)));
    else
        set_parameter(kernel, name, value);
    free(valid);
    free(copy);
}
