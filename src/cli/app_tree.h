/* An app file as a tree that knows where each part stands: what libyaml parses, before anything is made of
 * it.
 *
 * libcyaml names no columns and stops at its first mistake. So mistakes are found on this tree, all of them
 * with line and column, and libcyaml then fills the structures from the tree once there are none. */
#ifndef RINGKERNEL_CLI_APP_TREE_H
#define RINGKERNEL_CLI_APP_TREE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum app_kind { APP_SCALAR, APP_SEQUENCE, APP_MAPPING } app_kind;

typedef struct app_node {
    app_kind kind;
    unsigned line, column;  /* from 1; line 0: it came from the command line */
    char *text;             /* of a scalar, ended by NUL; else NULL */
    bool plain;             /* a scalar without quotes */
    struct app_node **item; /* of a sequence: its items; of a mapping: key, value, key, value, … */
    size_t count, room;     /* of item */
} app_node;

/* Stands for a text that is missing, so that the rest can be looked at further. */
#define APP_MISSING "?"

/* All mistakes of one file. */
typedef struct app_mistakes {
    const char *file;
    struct app_mistake_found {
        unsigned line, column;
        size_t number; /* as they were found */
        char *text;    /* "app.yaml:3:5: …" */
    } * found;
    size_t count;
} app_mistakes;

void app_mistake(app_mistakes *mistakes, const app_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints and frees them, in the order in which a reader of the file meets them. */
void app_mistakes_tell(app_mistakes *mistakes);
void app_mistakes_free(app_mistakes *mistakes);

/* NULL if the text is no YAML document that an app file may be (mistakes says why). The caller frees the
 * tree. */
app_node *app_tree_parse(const char *text, size_t size, app_mistakes *mistakes);
void app_tree_free(app_node *node);

app_node *app_node_new(app_kind kind, const app_node *where);
app_node *app_scalar(const char *text, size_t size, const app_node *where);
/* The container owns what is added. */
void app_node_add(app_node *container, app_node *item);
void app_mapping_add(app_node *mapping, const char *key, app_node *value, const app_node *where);

/* Frees the pair whose key is item i, or item i itself. */
void app_mapping_drop(app_node *mapping, size_t i);
void app_item_drop(app_node *sequence, size_t i);

/* The value (or the key itself) of a key of a mapping; NULL if it has none or the node is no mapping. */
app_node *app_mapping_value(const app_node *mapping, const char *key);
const app_node *app_mapping_key(const app_node *mapping, const char *key);

#endif
