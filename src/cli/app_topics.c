#include "app_topics.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ringkernel/topic.h"

bool app_publishes(const app_file *file, rk_u32 i) { return file->topics[i].from_kernel != UINT32_MAX; }

static bool subscribes(const app_file *file, rk_u32 i)
{
    return !app_publishes(file, i) && file->topics[i].to_kernel != UINT32_MAX;
}

bool app_topic_leads(const app_file *file, rk_u32 publisher, rk_u32 subscriber)
{
    return app_publishes(file, publisher) && subscribes(file, subscriber) &&
           rk_topic_matches(file->topics[subscriber].from, file->topics[publisher].to);
}

const app_node *app_topic_place(const app *app, rk_u32 i)
{
    return app_mapping_value(app->tree, "topics")->item[i];
}

/* ------------------------------------------------------------------ mistakes */

static bool is_topic(const char *text) { return rk_topic_matches(text, text); }

/* One whose wildcards are where they may be has the topic that has a plain letter for each. */
static bool is_pattern(const char *text)
{
    char *instance = command_copy(text);
    for (char *c = instance; *c; c++)
        if (*c == '*' || *c == '#') *c = 'x';
    bool fine = rk_topic_matches(text, instance);
    free(instance);
    return fine;
}

/* "a, b and c" of the topics that are published, all or as many as help; the caller frees it. */
static char *join_topics(const app_file *file)
{
    rk_u32 count = 0, done = 0;
    char *all = command_copy("");
    for (rk_u32 i = 0; i < file->topics_count; i++) count += app_publishes(file, i);
    for (rk_u32 i = 0; i < file->topics_count; i++) {
        if (!app_publishes(file, i)) continue;
        const bool enough = done + 1 == APP_NAMES_MOST && done + 1 < count;
        const char *before = done == 0 ? "" : done + 1 == count ? " and " : ", ";
        char *longer = enough ? command_print("%s and %u more", all, count - done)
                              : command_print("%s%s%s", all, before, file->topics[i].to);
        free(all);
        all = longer;
        done++;
        if (enough) break;
    }
    return all;
}

static void check_publisher(const app *app, rk_u32 i, app_mistakes *mistakes)
{
    const app_route *line = &app->file->topics[i];
    const app_node *at = app_topic_place(app, i), *topic = app_mapping_value(at, "to");
    bool anybody = false;
    if (!is_topic(line->to)) {
        app_mistake(mistakes, topic,
                    "'%s' is no topic: it must be levels of letters between slashes, without * and #",
                    line->to);
        return;
    }
    if (line->key || line->target || line->message || app_mapping_value(at, "mode"))
        app_mistake(mistakes, at,
                    "topic '%s -> %s': 'key', 'mode', 'target' and 'message' are for who subscribes",
                    line->from, line->to);
    if (app_is_of_letters(line))
        app_mistake(mistakes, app_mapping_value(at, "route"), "dead letters can't be published: say a route");
    for (rk_u32 s = 0; s < app->file->topics_count && !anybody; s++)
        anybody = app_topic_leads(app->file, i, s);
    if (!anybody)
        app_mistake(mistakes, topic, "nobody subscribes to '%s': add '- %s -> NAME'", line->to, line->to);
}

static void check_subscriber(const app *app, rk_u32 i, app_mistakes *mistakes)
{
    const app_route *line = &app->file->topics[i];
    const app_node *at = app_topic_place(app, i), *pattern = app_mapping_value(at, "from");
    bool any = false;
    if (line->route)
        app_mistake(mistakes, app_mapping_value(at, "route"),
                    "topic '%s -> %s': 'route' is for who publishes", line->from, line->to);
    if ((line->key != NULL) + (line->target != NULL) + (app_mapping_value(at, "mode") != NULL) > 1)
        app_mistake(mistakes, at,
                    "topic '%s -> %s' has more than one of 'key', 'mode' and 'target': each picks the shard",
                    line->from, line->to);
    if (!is_pattern(line->from)) {
        app_mistake(mistakes, pattern,
                    "'%s' is no pattern: * stands for one whole level, # for the last ones", line->from);
        return;
    }
    for (rk_u32 p = 0; p < app->file->topics_count && !any; p++) any = app_topic_leads(app->file, p, i);
    if (any) return;
    char *topics = join_topics(app->file);
    app_mistake(mistakes, pattern, "'%s' has no topic that is published: there are %s", line->from,
                *topics ? topics : "none");
    free(topics);
}

/* Which of the two is this line? Neither, if it isn't right. */
static void check_line(const app *app, rk_u32 i, app_mistakes *mistakes)
{
    const app_route *line = &app->file->topics[i];
    const app_node *at = app_topic_place(app, i);
    bool from = app_publishes(app->file, i), to = line->to_kernel != UINT32_MAX;
    if (from && to)
        app_mistake(mistakes, at, "topic '%s -> %s' has kernels on both sides: that is one of 'routes'",
                    line->from, line->to);
    else if (strcmp(line->from, "input") == 0)
        app_mistake(mistakes, at, "rows go to one kernel, by a route: let that one publish");
    else if (strcmp(line->to, "output") == 0)
        app_mistake(mistakes, at, "the output can't subscribe: let a kernel do so that sends on");
    else if (!from && !to)
        app_mistake(mistakes, at,
                    "topic '%s -> %s' has no kernel: it must be 'KERNEL -> TOPIC' or 'PATTERN -> KERNEL'",
                    line->from, line->to);
    else
        (from ? check_publisher : check_subscriber)(app, i, mistakes);
}

static bool same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

void app_topics_check(const app *app, app_mistakes *mistakes)
{
    for (rk_u32 i = 0; i < app->file->topics_count; i++) {
        const app_route *line = &app->file->topics[i];
        check_line(app, i, mistakes);
        for (rk_u32 j = 0; j < i; j++) {
            const app_route *other = &app->file->topics[j];
            if (line->from_kernel != other->from_kernel || line->to_kernel != other->to_kernel ||
                !same(line->from, other->from) || !same(line->to, other->to) ||
                !same(line->route, other->route))
                continue;
            app_mistake(mistakes, app_topic_place(app, i),
                        "topic '%s -> %s' is here twice; the first is on line %u", line->from, line->to,
                        app_topic_place(app, j)->line);
            break;
        }
    }
}
