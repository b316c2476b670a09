/* Topics are resolved here, on the host, to connections: a list of publishers, a list of subscriptions, and for each pair
 * that matches, once, rk_connect. */
#include <ringkernel/telemetry.h>
#include <ringkernel/topic.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../runtime/core.h"
#include "../runtime/error.h"
#include "../runtime/replace.h"

#define NAME_MOST 255u

typedef struct publisher {
    rk_kernel kernel;
    char *route; /* 0: the default one */
    char *topic;
} publisher;

typedef struct subscriber {
    rk_kernel kernel;
    rk_route_options options;
    char *key_field, *message; /* the options' own copies */
} subscriber;

typedef struct subscription {
    rk_u32 subscriber;
    char *pattern;
} subscription;

/* What was connected. */
typedef struct link {
    rk_kernel from, to;
    char *route;
} link;

struct rk_topics {
    rk_runtime *runtime;
    pthread_mutex_t lock;
    publisher *publishers;
    subscriber *subscribers;
    subscription *subscriptions;
    link *links;
    rk_u32 publisher_count, subscriber_count, subscription_count, link_count;
};

/* ------------------------------------------------------------------ names */

/* Why a name isn't valid; 0: it is. */
static const char *fault_of(const char *name, int is_pattern)
{
    size_t length = strlen(name);
    if (length == 0 || length > NAME_MOST) return "it has 1 to 255 characters";
    for (const char *level = name;; level++) {
        size_t n = strcspn(level, "/");
        if (n == 0) return "no level is empty";
        if (memchr(level, '*', n) && (!is_pattern || n > 1))
            return is_pattern ? "a * is a whole level" : "* is for patterns";
        if (memchr(level, '#', n) && (!is_pattern || n > 1 || level[n]))
            return is_pattern ? "a # is the whole last level" : "# is for patterns";
        level += n;
        if (!*level) return 0;
    }
}

static int matches(const char *pattern, const char *topic)
{
    for (;;) {
        size_t p = strcspn(pattern, "/"), t = strcspn(topic, "/");
        if (p == 1 && *pattern == '#') return 1;
        if (!(p == 1 && *pattern == '*') && (p != t || memcmp(pattern, topic, p) != 0)) return 0;
        pattern += p;
        topic += t;
        if (!*topic) return !*pattern || strcmp(pattern, "/#") == 0;
        if (!*pattern) return 0;
        pattern++;
        topic++;
    }
}

rk_u32 rk_topic_matches(const char *pattern, const char *topic)
{
    return pattern && topic && !fault_of(pattern, 1) && !fault_of(topic, 0) && matches(pattern, topic);
}

/* ------------------------------------------------------------------ lists */

static int is_same(rk_kernel a, rk_kernel b) { return a.number == b.number && a.generation == b.generation; }

static int is_same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : !a && !b; }

/* A copy of a text that may be 0. 0 in *fine: no memory. */
static char *copy_of(const char *text, int *fine)
{
    char *copy = text ? strdup(text) : 0;
    if (text && !copy) *fine = 0;
    return copy;
}

/* Room for one more entry at the end of a list. 0: no memory. */
static void *one_more(void *list, rk_u32 count, size_t size)
{
    void **entries = list;
    void *larger = realloc(*entries, (count + 1u) * size);
    if (larger) *entries = larger;
    return larger ? (char *)larger + count * size : 0;
}

static rk_status no_memory(void) { return rk_error(RK_OUT_OF_MEMORY, "no memory for a topic"); }

/* RK_OK: the kernel is there. */
static rk_status look_at(rk_topics *topics, rk_kernel kernel, rk_kernel_info *info)
{
    return rk_kernel_information(topics->runtime, kernel, info);
}

/* Topics that were closed with their runtime still say so. */
static rk_status check(rk_topics *topics, const char *name, int is_pattern, const char *call)
{
    if (!topics) return rk_error(RK_INVALID_ARGUMENT, "%s: no topics", call);
    rk_status status = rk_runtime_check(topics->runtime, call);
    if (status != RK_OK) return status;
    if (!name) return rk_error(RK_INVALID_ARGUMENT, "%s: no name", call);
    const char *fault = fault_of(name, is_pattern);
    if (!fault) return RK_OK;
    return rk_error(RK_INVALID_ARGUMENT, "'%.300s' is not a %s: %s", name, is_pattern ? "pattern" : "topic",
                    fault);
}

/* Who was replaced by a supervisor goes on as the one in its place; lock held. */
static void follow(rk_topics *topics)
{
    for (rk_u32 i = 0; i < topics->publisher_count; i++)
        topics->publishers[i].kernel = rk_replacement_of(topics->runtime, topics->publishers[i].kernel);
    for (rk_u32 i = 0; i < topics->subscriber_count; i++)
        topics->subscribers[i].kernel = rk_replacement_of(topics->runtime, topics->subscribers[i].kernel);
    for (rk_u32 i = 0; i < topics->link_count; i++) {
        topics->links[i].from = rk_replacement_of(topics->runtime, topics->links[i].from);
        topics->links[i].to = rk_replacement_of(topics->runtime, topics->links[i].to);
    }
}

/* ------------------------------------------------------------------ calls */

rk_status rk_topics_open(rk_runtime *runtime, rk_topics **topics)
{
    rk_status status = rk_runtime_check(runtime, "rk_topics_open");
    if (status != RK_OK) return status;
    if (!topics) return rk_error(RK_INVALID_ARGUMENT, "rk_topics_open: no place for the topics");
    rk_topics *t = calloc(1, sizeof *t);
    if (!t) return no_memory();
    t->runtime = runtime;
    pthread_mutex_init(&t->lock, 0);
    *topics = t;
    return RK_OK;
}

void rk_topics_close(rk_topics *topics)
{
    if (!topics) return;
    for (rk_u32 i = 0; i < topics->publisher_count; i++) {
        free(topics->publishers[i].route);
        free(topics->publishers[i].topic);
    }
    for (rk_u32 i = 0; i < topics->subscriber_count; i++) {
        free(topics->subscribers[i].key_field);
        free(topics->subscribers[i].message);
    }
    for (rk_u32 i = 0; i < topics->subscription_count; i++) free(topics->subscriptions[i].pattern);
    for (rk_u32 i = 0; i < topics->link_count; i++) free(topics->links[i].route);
    free(topics->publishers);
    free(topics->subscribers);
    free(topics->subscriptions);
    free(topics->links);
    pthread_mutex_destroy(&topics->lock);
    free(topics);
}

rk_status rk_topic_publish(rk_topics *topics, const char *topic, rk_kernel kernel, const char *route)
{
    rk_kernel_info info;
    rk_status status = check(topics, topic, 0, "rk_topic_publish");
    if (status == RK_OK) status = look_at(topics, kernel, &info);
    if (status != RK_OK) return status;
    pthread_mutex_lock(&topics->lock);
    int fine = 1;
    publisher p = { kernel, copy_of(route, &fine), copy_of(topic, &fine) };
    publisher *end = fine ? one_more(&topics->publishers, topics->publisher_count, sizeof p) : 0;
    if (end) {
        *end = p;
        topics->publisher_count++;
    } else {
        free(p.route);
        free(p.topic);
        status = no_memory();
    }
    pthread_mutex_unlock(&topics->lock);
    return status;
}

/* The subscriber of that kernel, made if need be. 0: no memory. */
static subscriber *subscriber_of(rk_topics *topics, rk_kernel kernel, const rk_route_options *options)
{
    for (rk_u32 i = 0; i < topics->subscriber_count; i++)
        if (is_same(topics->subscribers[i].kernel, kernel)) return &topics->subscribers[i];
    int fine = 1;
    subscriber s = { kernel, *options, copy_of(options->key_field, &fine), copy_of(options->message, &fine) };
    subscriber *end = fine ? one_more(&topics->subscribers, topics->subscriber_count, sizeof s) : 0;
    if (!end) {
        free(s.key_field);
        free(s.message);
        return 0;
    }
    s.options.key_field = s.key_field;
    s.options.message = s.message;
    *end = s;
    topics->subscriber_count++;
    return end;
}

static rk_status subscribe(rk_topics *topics, const char *pattern, rk_kernel kernel,
                           const rk_route_options *o)
{
    subscriber *s = subscriber_of(topics, kernel, o);
    if (!s) return no_memory();
    if (s->options.mode != o->mode || s->options.target != o->target ||
        !is_same_text(s->key_field, o->key_field) || !is_same_text(s->message, o->message))
        return rk_error(
            RK_INVALID_ARGUMENT,
            "'%s': the kernel has a subscription with other options already: it gets each message once, so "
            "all of them must be the same",
            pattern);
    char *copy = strdup(pattern);
    subscription *end = copy ? one_more(&topics->subscriptions, topics->subscription_count, sizeof *end) : 0;
    if (!end) {
        free(copy);
        return no_memory();
    }
    end->subscriber = (rk_u32)(s - topics->subscribers);
    end->pattern = copy;
    topics->subscription_count++;
    return RK_OK;
}

rk_status rk_topic_subscribe(rk_topics *topics, const char *pattern, rk_kernel kernel,
                             const rk_route_options *given)
{
    rk_kernel_info info;
    rk_route_options o = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TARGET };
    rk_status status = check(topics, pattern, 1, "rk_topic_subscribe");
    if (status == RK_OK && given) status = rk_check_size(given, sizeof o, "route options");
    if (status == RK_OK) status = look_at(topics, kernel, &info);
    if (status != RK_OK) return status;
    if (given) memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    o.size = sizeof o;
    pthread_mutex_lock(&topics->lock);
    follow(topics);
    status = subscribe(topics, pattern, kernel, &o);
    pthread_mutex_unlock(&topics->lock);
    return status;
}

/* ------------------------------------------------------------------ connecting */

static int is_connected(const rk_topics *topics, const publisher *p, rk_kernel to)
{
    for (rk_u32 i = 0; i < topics->link_count; i++) {
        const link *l = &topics->links[i];
        if (is_same(l->from, p->kernel) && is_same(l->to, to) && is_same_text(l->route, p->route)) return 1;
    }
    return 0;
}

/* Nothing can be connected with it any more. One that has failed may come back. */
static int has_ended(const rk_kernel_info *info)
{
    return info->life == RK_LIFE_DRAINING || info->life == RK_LIFE_DRAINED ||
           info->life == RK_LIFE_TERMINATED || info->life == RK_LIFE_QUARANTINED;
}

/* Is there anything to connect: it matches, isn't connected, and both are there? */
static int is_wanted(rk_topics *topics, const publisher *p, const subscription *s, rk_kernel_info *from)
{
    rk_kernel_info to;
    rk_kernel subscribed = topics->subscribers[s->subscriber].kernel;
    return matches(s->pattern, p->topic) && !is_connected(topics, p, subscribed) &&
           look_at(topics, p->kernel, from) == RK_OK && look_at(topics, subscribed, &to) == RK_OK &&
           from->life != RK_LIFE_QUARANTINED && !has_ended(&to);
}

static rk_status connect_pair(rk_topics *topics, const publisher *p, const subscriber *s)
{
    int fine = 1;
    char *route = copy_of(p->route, &fine);
    link *end = fine ? one_more(&topics->links, topics->link_count, sizeof *end) : 0;
    rk_status status =
        end ? rk_connect(topics->runtime, p->kernel, p->route, s->kernel, &s->options) : no_memory();
    if (status != RK_OK) {
        free(route);
        return status;
    }
    *end = (link){ p->kernel, s->kernel, route };
    topics->link_count++;
    return RK_OK;
}

/* Each pair that is wanted: with `only_look` nothing is connected. */
static rk_status connect_all(rk_topics *topics, int only_look, rk_u32 *made)
{
    rk_kernel_info from;
    for (rk_u32 i = 0; i < topics->publisher_count; i++)
        for (rk_u32 j = 0; j < topics->subscription_count; j++) {
            const publisher *p = &topics->publishers[i];
            const subscription *s = &topics->subscriptions[j];
            if (!is_wanted(topics, p, s, &from)) continue;
            if (only_look && from.life == RK_LIFE_ACTIVE)
                return rk_error(RK_BUSY,
                                "'%s' publishes '%s' and has a new subscriber ('%s'): deactivate it first",
                                from.id, p->topic, s->pattern);
            if (only_look) continue;
            rk_status status = connect_pair(topics, p, &topics->subscribers[s->subscriber]);
            if (status != RK_OK)
                return rk_error(status, "'%s' of '%s' could not be connected for '%s'", p->topic, from.id,
                                s->pattern);
            ++*made;
        }
    return RK_OK;
}

rk_status rk_topics_connect(rk_topics *topics, rk_u32 *made)
{
    rk_u32 count = 0;
    if (!topics) return rk_error(RK_INVALID_ARGUMENT, "rk_topics_connect: no topics");
    rk_status status = rk_runtime_check(topics->runtime, "rk_topics_connect");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&topics->lock);
    follow(topics);
    status = connect_all(topics, 1, &count);
    if (status == RK_OK) status = connect_all(topics, 0, &count);
    pthread_mutex_unlock(&topics->lock);
    if (made) *made = count;
    return status;
}

/* ------------------------------------------------------------------ lag */

static rk_status add_lane(rk_topics *topics, rk_kernel kernel, rk_u32 shard, rk_topic_lag *lag)
{
    rk_account a = { 0 };
    rk_status status = rk_account_of_lane(topics->runtime, kernel, shard, 1, &a);
    if (status != RK_OK) return status;
    lag->accepted += a.accepted;
    lag->behind += a.queued;
    lag->missed +=
        a.evicted + a.expired + a.refused_full + a.refused_dropped + a.refused_timed_out + a.refused_closed;
    if (a.queued > lag->most_behind) {
        lag->most_behind = a.queued;
        lag->shard = shard;
    }
    return RK_OK;
}

rk_status rk_topic_lag_of(rk_topics *topics, rk_u32 index, rk_topic_lag *given)
{
    if (!topics || !given)
        return rk_error(RK_INVALID_ARGUMENT, "rk_topic_lag_of: no topics, or no place for it");
    rk_topic_lag lag = { .shard = 0 };
    rk_kernel_info info;
    rk_status status = rk_runtime_check(topics->runtime, "rk_topic_lag_of");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&topics->lock);
    follow(topics);
    if (index < topics->subscriber_count)
        lag.kernel = topics->subscribers[index].kernel;
    else
        status = RK_EMPTY;
    pthread_mutex_unlock(&topics->lock);
    if (status == RK_OK) status = look_at(topics, lag.kernel, &info);
    if (status != RK_OK) return status;
    memcpy(lag.id, info.id, sizeof lag.id);
    lag.capacity = info.queue_capacity;
    for (rk_u32 s = 0; s < info.shards && status == RK_OK; s++)
        status = add_lane(topics, lag.kernel, s, &lag);
    if (status == RK_OK) *given = lag;
    return status;
}
