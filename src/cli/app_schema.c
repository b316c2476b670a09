/* The schema is data; two walks use it: one finds mistakes with their places, one writes the tree for
 * libcyaml to read. */
#include "app_schema.h"

#include <cyaml/cyaml.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ringkernel/device/shard.h"

/* clang-format off */
static const cyaml_strval_t formats[] = {{"csv", APP_FORMAT_CSV}, {"ndjson", APP_FORMAT_NDJSON}};
static const cyaml_strval_t presets[] = {
    {"production", APP_PRODUCTION}, {"low_latency", APP_LOW_LATENCY}, {"high_throughput", APP_HIGH_THROUGHPUT}};
static const cyaml_strval_t strategies[] = {
    {"block", RK_BACKPRESSURE_BLOCK}, {"reject", RK_BACKPRESSURE_REJECT},
    {"drop_oldest", RK_BACKPRESSURE_DROP_OLDEST}, {"drop_newest", RK_BACKPRESSURE_DROP_NEWEST}};
static const cyaml_strval_t stream_priorities[] = {
    {"low", RK_STREAM_LOW}, {"normal", RK_STREAM_NORMAL}, {"high", RK_STREAM_HIGH}};
static const cyaml_strval_t slot_formats[] = {{"seq", RK_FORMAT_SEQ}, {"unit", RK_FORMAT_UNIT}};
static const cyaml_strval_t modes[] = {
    {"target", RK_ROUTE_TARGET}, {"turn", RK_ROUTE_TURN}, {"all", RK_ROUTE_ALL}};

#define NEEDED CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL
#define TEXT(key, flags, structure, member) CYAML_FIELD_STRING_PTR(key, (flags) | CYAML_FLAG_POINTER, structure, member, 1, CYAML_UNLIMITED)
#define WORD(key, structure, member, words) CYAML_FIELD_ENUM(key, MAY | CYAML_FLAG_STRICT, structure, member, words, CYAML_ARRAY_LEN(words))

static const cyaml_schema_field_t parameter_fields[] = {
    TEXT("name", NEEDED, app_parameter, name),
    CYAML_FIELD_STRING_PTR("value", CYAML_FLAG_POINTER, app_parameter, value, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END};
static const cyaml_schema_value_t parameter_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, app_parameter, parameter_fields)};
static const cyaml_schema_value_t boundary_value = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, rk_u8)};

static const cyaml_schema_field_t kernel_fields[] = {
    TEXT("name", NEEDED, app_kernel, name),
    TEXT("source", NEEDED, app_kernel, source),
    TEXT("kernel", MAY, app_kernel, kernel),
    WORD("preset", app_kernel, preset, presets),
    CYAML_FIELD_UINT("capacity", MAY, app_kernel, given.queue_capacity),
    WORD("backpressure", app_kernel, given.backpressure, strategies),
    CYAML_FIELD_BOOL("priority", MAY, app_kernel, given.priority),
    CYAML_FIELD_SEQUENCE_FIXED("boundaries", MAY, app_kernel, given.boundary, &boundary_value, 3),
    CYAML_FIELD_UINT("deduplication", MAY, app_kernel, given.deduplication_window),
    CYAML_FIELD_UINT("shards", MAY, app_kernel, given.shards),
    CYAML_FIELD_UINT("blocks", MAY, app_kernel, given.blocks),
    CYAML_FIELD_UINT("threads", MAY, app_kernel, given.threads),
    CYAML_FIELD_UINT("device", MAY, app_kernel, given.device),
    CYAML_FIELD_BOOL("beside_neighbour", MAY, app_kernel, beside_neighbour),
    CYAML_FIELD_UINT("actors", MAY, app_kernel, given.actors),
    CYAML_FIELD_UINT("output_capacity", MAY, app_kernel, given.output_capacity),
    CYAML_FIELD_UINT("max_batch", MAY, app_kernel, given.max_batch),
    CYAML_FIELD_BOOL("timestamps", MAY, app_kernel, given.timestamps),
    CYAML_FIELD_BOOL("expiry", MAY, app_kernel, given.expiry),
    CYAML_FIELD_UINT("default_ttl_us", MAY, app_kernel, given.default_ttl_us),
    CYAML_FIELD_BOOL("expired_to_dead", MAY, app_kernel, given.expired_to_dead),
    CYAML_FIELD_UINT("send_deadline_ns", MAY, app_kernel, given.send_deadline_ns),
    WORD("stream_priority", app_kernel, given.stream_priority, stream_priorities),
    WORD("slot_format", app_kernel, given.slot_format, slot_formats),
    CYAML_FIELD_UINT("pool_blocks", MAY, app_kernel, given.pool_blocks),
    CYAML_FIELD_BOOL("system_order", MAY, app_kernel, given.system_order),
    CYAML_FIELD_BOOL("spmd_check", MAY, app_kernel, given.spmd_check),
    CYAML_FIELD_SEQUENCE("params", MAY | CYAML_FLAG_POINTER, app_kernel, params, &parameter_value, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END};
static const cyaml_schema_value_t kernel_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, app_kernel, kernel_fields)};

static const cyaml_schema_field_t route_fields[] = {
    TEXT("from", NEEDED, app_route, from),
    TEXT("to", NEEDED, app_route, to),
    TEXT("route", MAY, app_route, route),
    TEXT("message", MAY, app_route, message),
    TEXT("key", MAY, app_route, key),
    WORD("mode", app_route, mode, modes),
    CYAML_FIELD_UINT_PTR("target", MAY | CYAML_FLAG_POINTER, app_route, target),
    CYAML_FIELD_END};
static const cyaml_schema_value_t route_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, app_route, route_fields)};

/* A topic is written as a route is; that it is a value of its own lets mistakes call it a topic. */
static const cyaml_schema_value_t topic_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, app_route, route_fields)};

static const cyaml_schema_field_t stream_fields[] = {
    TEXT("file", MAY, app_stream, file),
    WORD("format", app_stream, format, formats),
    CYAML_FIELD_END};

static const cyaml_schema_field_t checkpoint_fields[] = {
    TEXT("folder", MAY, app_checkpoints, folder),
    CYAML_FIELD_UINT("every_rows", MAY, app_checkpoints, every_rows),
    CYAML_FIELD_UINT("every_ms", MAY, app_checkpoints, every_ms),
    CYAML_FIELD_UINT("full_every", MAY, app_checkpoints, full_every),
    CYAML_FIELD_UINT("keep", MAY, app_checkpoints, keep),
    CYAML_FIELD_BOOL("restore", MAY, app_checkpoints, restore),
    CYAML_FIELD_END};

static const cyaml_schema_field_t app_fields[] = {
    TEXT("app", NEEDED, app_file, app),
    TEXT("messages", MAY, app_file, messages),
    CYAML_FIELD_MAPPING("input", MAY, app_file, input, stream_fields),
    CYAML_FIELD_MAPPING("output", MAY, app_file, output, stream_fields),
    CYAML_FIELD_MAPPING("checkpoints", MAY, app_file, checkpoints, checkpoint_fields),
    CYAML_FIELD_SEQUENCE("kernels", NEEDED | CYAML_FLAG_POINTER, app_file, kernels, &kernel_value, 1, CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("routes", NEEDED | CYAML_FLAG_POINTER, app_file, routes, &route_value, 1, CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("topics", MAY | CYAML_FLAG_POINTER, app_file, topics, &topic_value, 1, CYAML_UNLIMITED),
    CYAML_FIELD_END};
static const cyaml_schema_value_t app_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, app_file, app_fields)};

/* Keys that people look for here, and where they belong. */
static const struct { const char *key, *where; } strangers[] = {
    {"width", "is an attribute: say it in the kernel's source, RK_HANDLER(…, .width = RK_BLOCK)"},
    {"state", "is an attribute: say it in the kernel's source, RK_HANDLER(…, .state = RK_PER_SHARD)"},
    {"mode", "is an attribute: say it in the kernel's source, RK_HANDLER(…, .mode = RK_ADAPTIVE)"},
    {"max_sends", "is an attribute: say it in the kernel's source, RK_HANDLER(…, .max_sends = 12)"},
    {"shared", "is an attribute: say it in the kernel's source, RK_HANDLER(…, .shared = 1024)"},
    {"queue_capacity", "is called 'capacity' here"},
    {"deduplication_window", "is called 'deduplication' here"},
    {"boundary", "is called 'boundaries' here"},
    {"parameters", "is called 'params' here"},
    {"requests", "is of host programs: `rk run` sends no requests"},
};

/* Fields of rk_launch_options whose key has another name. */
static const struct { const char *field, *key; } renamed[] = {
    {"queue_capacity", "capacity"}, {"deduplication_window", "deduplication"}, {"boundary", "boundaries"},
    {"parameter", "params"}, {"parameters", "params"}, {"kernel_name", "kernel"}};
/* clang-format on */

/* ------------------------------------------------------------------ mistakes */

/* The names of a list as "a, b and c"; the caller frees it. */
static char *join_keys(const cyaml_schema_field_t *fields)
{
    char *all = command_copy("");
    for (const cyaml_schema_field_t *f = fields; f->key; f++) {
        char *longer = command_print("%s%s%s", all, f == fields ? "" : !f[1].key ? " and " : ", ", f->key);
        free(all);
        all = longer;
    }
    return all;
}

static char *join_words(const cyaml_strval_t *words, rk_u32 count)
{
    char *all = command_copy("");
    for (rk_u32 i = 0; i < count; i++) {
        char *longer = command_print("%s%s%s", all,
                                     i == 0           ? ""
                                     : i + 1 == count ? " and "
                                                      : ", ",
                                     words[i].str);
        free(all);
        all = longer;
    }
    return all;
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_field_t *fields, const char *key)
{
    for (const cyaml_schema_field_t *f = fields; f->key; f++)
        if (strcmp(f->key, key) == 0) return f;
    return NULL;
}

/* Where a key that isn't one belongs; NULL: it is of no use anywhere. */
static const char *find_stranger(const char *key)
{
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (strcmp(key, strangers[i].key) == 0) return strangers[i].where;
    return NULL;
}

static void unknown_key(const app_node *key, const cyaml_schema_field_t *fields, const char *what,
                        app_mistakes *mistakes)
{
    if (fields == kernel_fields) {
        const char *where = find_stranger(key->text);
        if (where) {
            app_mistake(mistakes, key, "%s: '%s' %s", what, key->text, where);
            return;
        }
        fields++; /* `name` is the kernel's key in the file */
    } else if (fields == route_fields) {
        fields += 2; /* `from` and `to` are its arrow */
    }
    char *valid = join_keys(fields);
    app_mistake(mistakes, key, "%s has no key '%s': valid are %s", what, key->text, valid);
    free(valid);
}

/* The walk notes what is wrong and takes it out of the tree, so that what is left can be filled in and looked
 * at further: one run tells all mistakes. Each function answers whether the node is still of use to whoever
 * holds it. */
static bool mend(app_node *node, const cyaml_schema_value_t *schema, const char *what,
                 app_mistakes *mistakes);

static bool mend_pair(const app_node *key, app_node *value, const cyaml_schema_field_t *fields,
                      const char *what, app_mistakes *mistakes)
{
    const cyaml_schema_field_t *field = key->text ? find_field(fields, key->text) : NULL;
    if (!field) {
        if (key->text) unknown_key(key, fields, what, mistakes); /* else it was noted as it was parsed */
        return false;
    }
    char *inner = fields == app_fields ? command_print("'%s'", field->key)
                                       : command_print("%s: '%s'", what, field->key);
    bool useful = mend(value, &field->value, inner, mistakes);
    free(inner);
    return useful;
}

static bool mend_mapping(app_node *node, const cyaml_schema_field_t *fields, const char *what,
                         app_mistakes *mistakes)
{
    bool useful = true;
    for (const cyaml_schema_field_t *f = fields; f->key; f++)
        if (!(f->value.flags & CYAML_FLAG_OPTIONAL) && !app_mapping_value(node, f->key))
            app_mistake(mistakes, node, "%s lacks '%s'", what, f->key);
    for (size_t i = 0; i < node->count;)
        if (mend_pair(node->item[i], node->item[i + 1], fields, what, mistakes))
            i += 2;
        else
            app_mapping_drop(node, i);
    for (const cyaml_schema_field_t *f = fields; f->key; f++) {
        if ((f->value.flags & CYAML_FLAG_OPTIONAL) || app_mapping_value(node, f->key)) continue;
        if (f->value.type == CYAML_STRING)
            app_mapping_add(node, f->key, app_scalar(APP_MISSING, strlen(APP_MISSING), node), node);
        else
            useful = false;
    }
    return useful;
}

/* What a list's item is called: a kernel by its name, a route by its arrow. */
static char *name_item(const app_node *item, const cyaml_schema_value_t *entry, const char *what)
{
    const app_node *name = app_mapping_value(item, "name");
    const app_node *from = app_mapping_value(item, "from"), *to = app_mapping_value(item, "to");
    if (entry == &kernel_value && name) return command_print("kernel '%s'", name->text);
    if ((entry == &route_value || entry == &topic_value) && from && to)
        return command_print("%s '%s -> %s'", entry == &route_value ? "route" : "topic", from->text,
                             to->text);
    return command_copy(what);
}

static bool mend_sequence(app_node *node, const cyaml_schema_value_t *schema, const char *what,
                          app_mistakes *mistakes)
{
    bool fits = node->count >= schema->sequence.min && node->count <= schema->sequence.max;
    if (!fits && schema->sequence.min == schema->sequence.max)
        app_mistake(mistakes, node, "%s has %zu values: it needs %u", what, node->count,
                    schema->sequence.min);
    else if (!fits)
        app_mistake(mistakes, node, "%s is empty: it needs at least one", what);
    for (size_t i = 0; i < node->count;) {
        char *inner = name_item(node->item[i], schema->sequence.entry, what);
        if (mend(node->item[i], schema->sequence.entry, inner, mistakes))
            i++;
        else
            app_item_drop(node, i);
        free(inner);
    }
    return node->count >= schema->sequence.min && node->count <= schema->sequence.max;
}

static bool is_number(const char *text, uint64_t most)
{
    uint64_t value = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || value > (most - (uint64_t)(*c - '0')) / 10) return false;
        value = value * 10 + (uint64_t)(*c - '0');
    }
    return text[0] != 0;
}

static bool check_scalar(const app_node *node, const cyaml_schema_value_t *schema, const char *what,
                         app_mistakes *mistakes)
{
    size_t before = mistakes->count;
    if (schema->type == CYAML_UINT) {
        uint64_t most = schema->data_size >= 8 ? UINT64_MAX : (UINT64_C(1) << (schema->data_size * 8)) - 1;
        if (!is_number(node->text, most))
            app_mistake(mistakes, node, "%s is '%s': it must be a whole number from 0 to %" PRIu64, what,
                        node->text, most);
    } else if (schema->type == CYAML_BOOL) {
        if (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0)
            app_mistake(mistakes, node, "%s is '%s': valid are true and false", what, node->text);
    } else if (schema->type == CYAML_ENUM) {
        for (rk_u32 i = 0; i < schema->enumeration.count; i++)
            if (strcmp(node->text, schema->enumeration.strings[i].str) == 0) return true;
        char *valid = join_words(schema->enumeration.strings, schema->enumeration.count);
        app_mistake(mistakes, node, "%s is '%s': valid are %s", what, node->text, valid);
        free(valid);
    } else if (strlen(node->text) < schema->string.min) {
        app_mistake(mistakes, node, "%s is empty", what);
    }
    return mistakes->count == before;
}

static bool mend(app_node *node, const cyaml_schema_value_t *schema, const char *what, app_mistakes *mistakes)
{
    static const char *const kinds[] = { "one value", "a list", "a mapping" };
    app_kind wanted = schema->type == CYAML_MAPPING                                            ? APP_MAPPING
                      : schema->type == CYAML_SEQUENCE || schema->type == CYAML_SEQUENCE_FIXED ? APP_SEQUENCE
                                                                                               : APP_SCALAR;
    if (node->kind != wanted) {
        app_mistake(mistakes, node, "%s is %s: it must be %s", what, kinds[node->kind], kinds[wanted]);
        return false;
    }
    return wanted == APP_MAPPING    ? mend_mapping(node, schema->mapping.fields, what, mistakes)
           : wanted == APP_SEQUENCE ? mend_sequence(node, schema, what, mistakes)
                                    : check_scalar(node, schema, what, mistakes);
}

bool app_schema_check(app_node *tree, app_mistakes *mistakes)
{
    return mend(tree, &app_value, "the app file", mistakes);
}

/* ------------------------------------------------------------------ filling */

/* As a YAML double-quoted text, all of it ASCII, so that nothing in it can mean something else. */
static void write_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        if (*c == '"' || *c == '\\') fputc('\\', out);
        if (*c >= 0x20 && *c < 0x7f) {
            fputc(*c++, out);
            continue;
        }
        unsigned more = *c >= 0xf0 ? 3 : *c >= 0xe0 ? 2 : *c >= 0xc0 ? 1 : 0;
        unsigned long point = more ? *c & (0x3fu >> more) : *c;
        for (c++; more > 0 && (*c & 0xc0) == 0x80; more--) point = point << 6 | (*c++ & 0x3fu);
        fprintf(out, "\\U%08lX", point);
    }
    fputc('"', out);
}

/* JSON is YAML. Numbers and truth values are written bare, all else is quoted. */
static void write_tree(FILE *out, const app_node *node, const cyaml_schema_value_t *schema)
{
    if (node->kind == APP_MAPPING) {
        for (size_t i = 0; i < node->count; i += 2) {
            fprintf(out, "%s\"%s\": ", i ? ", " : "{", node->item[i]->text);
            write_tree(out, node->item[i + 1],
                       &find_field(schema->mapping.fields, node->item[i]->text)->value);
        }
        fputs(node->count ? "}" : "{}", out);
    } else if (node->kind == APP_SEQUENCE) {
        fputc('[', out);
        for (size_t i = 0; i < node->count; i++) {
            if (i) fputs(", ", out);
            write_tree(out, node->item[i], schema->sequence.entry);
        }
        fputc(']', out);
    } else if (schema->type == CYAML_UINT) {
        size_t zeros = strspn(node->text, "0"); /* 010 is ten, which libcyaml would take for octal */
        fputs(node->text + zeros - (node->text[zeros] == 0), out);
    } else if (schema->type == CYAML_BOOL) {
        fputs(node->text, out);
    } else {
        write_quoted(out, node->text);
    }
}

static void note_cyaml(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    (void)level;
    char line[256];
    app_mistakes *mistakes = context;
    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = 0;
    app_mistake(mistakes, NULL, "libcyaml: %s", line);
}

static cyaml_config_t cyaml_settings(app_mistakes *mistakes)
{
    return (cyaml_config_t){ .log_fn = mistakes ? note_cyaml : NULL,
                             .log_ctx = mistakes,
                             .mem_fn = cyaml_mem,
                             .log_level = CYAML_LOG_ERROR,
                             .flags = CYAML_CFG_NO_ALIAS };
}

app_file *app_schema_load(const app_node *tree, app_mistakes *mistakes)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) abort();
    write_tree(out, tree, &app_value);
    fclose(out);
    app_file *file = NULL;
    cyaml_config_t settings = cyaml_settings(mistakes);
    cyaml_err_t error =
        cyaml_load_data((const uint8_t *)text, size, &settings, &app_value, (cyaml_data_t **)&file, NULL);
    free(text);
    if (error == CYAML_OK) return file;
    app_mistake(mistakes, NULL, "libcyaml: %s", cyaml_strerror(error));
    return NULL;
}

void app_schema_free(app_file *file)
{
    cyaml_config_t settings = cyaml_settings(NULL);
    cyaml_free(&settings, &app_value, file, 0);
}

/* ------------------------------------------------------------------ options */

bool app_schema_is_kernel_key(const char *key) { return find_field(kernel_fields + 1, key) != NULL; }

bool app_schema_is_list(const char *key)
{
    const cyaml_schema_field_t *field = find_field(kernel_fields + 1, key);
    return field && field->value.type == CYAML_SEQUENCE_FIXED;
}

char *app_schema_no_option(const char *name)
{
    const char *where = find_stranger(name);
    if (where) return command_print("'%s' %s", name, where);
    char *all = command_copy("options are");
    for (const cyaml_schema_field_t *f = kernel_fields + 1; f->key; f++) {
        if (strcmp(f->key, "params") == 0) continue;
        char *longer = command_print("%s%s %s", all, f == kernel_fields + 1 ? "" : ",", f->key);
        free(all);
        all = longer;
    }
    return all;
}

void app_schema_apply(const app_node *kernel, const app_kernel *from, rk_launch_options *to)
{
    const size_t start = offsetof(app_kernel, given), end = start + sizeof from->given;
    for (const cyaml_schema_field_t *f = kernel_fields; f->key; f++) {
        if (f->data_offset < start || f->data_offset >= end || !app_mapping_value(kernel, f->key)) continue;
        size_t size =
            f->value.data_size * (f->value.type == CYAML_SEQUENCE_FIXED ? f->value.sequence.max : 1);
        memcpy((char *)to + (f->data_offset - start), (const char *)from + f->data_offset, size);
    }
}

const char *app_schema_key_of(const char *field)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(field, renamed[i].field) == 0) return renamed[i].key;
    return app_schema_is_kernel_key(field) ? field : NULL;
}
