/* libyaml's events, made into a tree. Depth and the length of a list are bounded, and aliases are refused: so
 * whatever the file has, all of it is looked at in seconds. */
#include "app_tree.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "command.h"

#define DEEPEST 16u      /* an app file needs 4 levels */
#define ITEMS_MOST 8192u /* of a list, or names of a mapping: twice the kernels that a runtime has */

void app_mistake(app_mistakes *mistakes, const app_node *at, const char *format, ...)
{
    va_list arguments;
    char *text;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) abort();
    va_end(arguments);
    mistakes->found = command_resize(mistakes->found, (mistakes->count + 1) * sizeof *mistakes->found);
    struct app_mistake_found *mistake = &mistakes->found[mistakes->count];
    *mistake = (struct app_mistake_found){ .line = at ? at->line : 0,
                                           .column = at ? at->column : 0,
                                           .number = mistakes->count++ };
    mistake->text = at && at->line ? command_print("%s:%u:%u: %s", mistakes->file, at->line, at->column, text)
                    : at           ? command_print("--set: %s", text)
                                   : command_print("%s: %s", mistakes->file, text);
    free(text);
}

static int compare_mistakes(const void *a, const void *b)
{
    const struct app_mistake_found *one = a, *other = b;
    if (one->line != other->line) return one->line < other->line ? -1 : 1;
    if (one->column != other->column) return one->column < other->column ? -1 : 1;
    return one->number < other->number ? -1 : 1;
}

void app_mistakes_tell(app_mistakes *mistakes)
{
    if (mistakes->count) qsort(mistakes->found, mistakes->count, sizeof *mistakes->found, compare_mistakes);
    for (size_t i = 0; i < mistakes->count; i++) command_error("%s", mistakes->found[i].text);
    app_mistakes_free(mistakes);
}

void app_mistakes_free(app_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++) free(mistakes->found[i].text);
    free(mistakes->found);
    mistakes->found = NULL;
    mistakes->count = 0;
}

/* ------------------------------------------------------------------ nodes */

app_node *app_node_new(app_kind kind, const app_node *where)
{
    app_node *node = command_allocate(sizeof *node);
    *node = (app_node){ .kind = kind, .plain = true };
    if (where) {
        node->line = where->line;
        node->column = where->column;
    }
    return node;
}

app_node *app_scalar(const char *text, size_t size, const app_node *where)
{
    app_node *node = app_node_new(APP_SCALAR, where);
    node->text = command_allocate(size + 1);
    memcpy(node->text, text, size);
    node->text[size] = 0;
    return node;
}

void app_node_add(app_node *container, app_node *item)
{
    if (container->count == container->room) {
        container->room = container->room ? 2 * container->room : 4;
        size_t bytes = container->room * sizeof *container->item; /* NOLINT(bugprone-sizeof-expression) */
        container->item = command_resize(container->item, bytes);
    }
    container->item[container->count++] = item;
}

void app_mapping_add(app_node *mapping, const char *key, app_node *value, const app_node *where)
{
    app_node_add(mapping, app_scalar(key, strlen(key), where));
    app_node_add(mapping, value);
}

static size_t find_key(const app_node *mapping, const char *key)
{
    for (size_t i = 0; mapping->kind == APP_MAPPING && i < mapping->count; i += 2)
        if (mapping->item[i]->text && strcmp(mapping->item[i]->text, key) == 0) return i;
    return SIZE_MAX;
}

app_node *app_mapping_value(const app_node *mapping, const char *key)
{
    size_t i = find_key(mapping, key);
    return i == SIZE_MAX ? NULL : mapping->item[i + 1];
}

const app_node *app_mapping_key(const app_node *mapping, const char *key)
{
    size_t i = find_key(mapping, key);
    return i == SIZE_MAX ? NULL : mapping->item[i];
}

static void drop(app_node *container, size_t i, size_t count)
{
    for (size_t d = 0; d < count; d++) app_tree_free(container->item[i + d]);
    container->count -= count;
    for (size_t to = i; to < container->count; to++) container->item[to] = container->item[to + count];
}

void app_mapping_drop(app_node *mapping, size_t i) { drop(mapping, i, 2); }
void app_item_drop(app_node *sequence, size_t i) { drop(sequence, i, 1); }

void app_tree_free(app_node *node)
{
    if (!node) return;
    for (size_t i = 0; i < node->count; i++) app_tree_free(node->item[i]);
    free(node->item);
    free(node->text);
    free(node);
}

/* ------------------------------------------------------------------ parsing */

typedef struct parse {
    yaml_parser_t yaml;
    app_mistakes *mistakes;
    app_node *open[DEEPEST];
    unsigned depth;
    app_node *root;
} parse;

static app_node mark(const yaml_mark_t *at)
{
    return (app_node){ .line = (unsigned)at->line + 1, .column = (unsigned)at->column + 1 };
}

static bool refuse(parse *p, const yaml_mark_t *at, const char *why)
{
    app_node where = mark(at);
    app_mistake(p->mistakes, &where, "%s", why);
    return false;
}

/* A mapping is complete: its keys are words, each there once; others are noted and taken out. */
static void check_keys(parse *p, app_node *mapping)
{
    for (size_t i = 0; i < mapping->count;) {
        const app_node *key = mapping->item[i];
        size_t first = key->text ? find_key(mapping, key->text) : i;
        if (key->text && first == i) {
            i += 2;
            continue;
        }
        if (!key->text)
            app_mistake(p->mistakes, key, "a key is a word, not a list or a mapping");
        else
            app_mistake(p->mistakes, key, "'%s' is here twice; the first is on line %u", key->text,
                        mapping->item[first]->line);
        app_mapping_drop(mapping, i);
    }
}

/* What an app file has no use for, and would have no effect. */
static bool is_plain(parse *p, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor) return refuse(p, &event->start_mark, "an app file has no anchors or aliases: write it out");
    if (tag) return refuse(p, &event->start_mark, "an app file has no tags: leave the one with ! out");
    return true;
}

/* There is room for one more where it goes. */
static bool has_room(parse *p, const yaml_event_t *event)
{
    const app_node *container = p->depth ? p->open[p->depth - 1] : NULL;
    if (!container || container->count < (container->kind == APP_MAPPING ? 2 : 1) * ITEMS_MOST) return true;
    app_node where = mark(&event->start_mark);
    app_mistake(p->mistakes, &where, "more than %u in one list: that is no app file", ITEMS_MOST);
    return false;
}

static void attach(parse *p, app_node *node)
{
    if (p->depth)
        app_node_add(p->open[p->depth - 1], node);
    else
        p->root = node;
}

static bool open_container(parse *p, app_kind kind, const yaml_event_t *event, const yaml_char_t *anchor,
                           const yaml_char_t *tag)
{
    app_node where = mark(&event->start_mark);
    if (!is_plain(p, event, anchor, tag) || !has_room(p, event)) return false;
    if (p->depth == DEEPEST) return refuse(p, &event->start_mark, "nested too deeply");
    app_node *node = app_node_new(kind, &where);
    attach(p, node);
    p->open[p->depth++] = node;
    return true;
}

static bool take_scalar(parse *p, const yaml_event_t *event)
{
    app_node where = mark(&event->start_mark);
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (!is_plain(p, event, event->data.scalar.anchor, event->data.scalar.tag) || !has_room(p, event))
        return false;
    if (memchr(text, 0, size)) return refuse(p, &event->start_mark, "a text with a NUL in it");
    app_node *node = app_scalar(text, size, &where);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    attach(p, node);
    return true;
}

static bool take(parse *p, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return take_scalar(p, event);
    case YAML_ALIAS_EVENT:
        return refuse(p, &event->start_mark, "an app file has no anchors or aliases: write it out");
    case YAML_SEQUENCE_START_EVENT:
        return open_container(p, APP_SEQUENCE, event, event->data.sequence_start.anchor,
                              event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_container(p, APP_MAPPING, event, event->data.mapping_start.anchor,
                              event->data.mapping_start.tag);
    case YAML_MAPPING_END_EVENT: check_keys(p, p->open[--p->depth]); return true;
    case YAML_SEQUENCE_END_EVENT: p->depth--; return true;
    case YAML_DOCUMENT_START_EVENT:
        return p->root ? refuse(p, &event->start_mark, "a second document: an app file is one") : true;
    default: return true;
    }
}

app_node *app_tree_parse(const char *text, size_t size, app_mistakes *mistakes)
{
    parse p = { .mistakes = mistakes };
    bool going = yaml_parser_initialize(&p.yaml);
    if (!going) app_mistake(mistakes, NULL, "out of memory");
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    size_t mark_size = size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; /* a byte order mark */
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)text + mark_size, size - mark_size);
    for (bool ended = false; going && !ended;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&p.yaml, &event)) {
            app_node where = mark(&p.yaml.problem_mark);
            if (p.yaml.error == YAML_READER_ERROR) /* which has no mark: count lines up to the byte */
                for (size_t i = mark_size; i < mark_size + p.yaml.problem_offset && i < size; i++) {
                    where.column = text[i] == '\n' ? 1 : where.column + 1;
                    where.line += text[i] == '\n';
                }
            app_mistake(mistakes, &where, "not YAML: %s%s%s",
                        p.yaml.problem ? p.yaml.problem : "it ends too early", p.yaml.context ? ", " : "",
                        p.yaml.context ? p.yaml.context : "");
            going = false;
            break;
        }
        going = take(&p, &event);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&p.yaml);
    if (going && !p.root)
        app_mistake(mistakes, NULL, "it is empty: an app file has at least 'app', 'kernels' and 'routes'");
    if (going && p.root) return p.root;
    app_tree_free(p.root);
    return NULL;
}
