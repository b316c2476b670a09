/* Publish–subscribe: who gets what by the names of topics, once, and how far who is slow is behind. */
#include "lines.h"

#include <stdlib.h>

typedef struct press {
    contract *c;
    rk_topics *topics;
    rk_kernel writer; /* sends odd packages on the route "odd", the others on "even" */
} press;

static rk_launch_options plain(rk_u32 backpressure)
{
    rk_launch_options o = small(CAPACITY);
    o.backpressure = backpressure;
    o.output_capacity = 256;
    return o;
}

static press open_press(contract *c)
{
    rk_launch_options o = plain(RK_BACKPRESSURE_BLOCK);
    o.queue_capacity = 256;
    press p = { .c = c, .writer = launch(c, "writer", "sort_packages", &o) };
    assert_ok(rk_topics_open(c->runtime, &p.topics));
    assert_ok(rk_topic_publish(p.topics, "news/sport/odd", p.writer, "odd"));
    assert_ok(rk_topic_publish(p.topics, "news/weather", p.writer, "even"));
    return p;
}

static rk_kernel reader(press *p, const char *id)
{
    rk_launch_options o = plain(RK_BACKPRESSURE_BLOCK);
    return launch_active(p->c, id, "carry", &o);
}

static void write(press *p, rk_u32 from, rk_u32 count)
{
    for (rk_u32 i = from; i < from + count; i++) assert_ok(send_package(p->c, p->writer, i, 0));
}

/* It has got these numbers, step apart, and nothing else. */
static void assert_reads(press *p, rk_kernel k, rk_u32 from, rk_u32 count, rk_u32 step)
{
    wait_until(p->c, account_of(p->c, p->writer).queued == 0 && is_at_rest(p->c, k));
    assert_int_equal(account_of(p->c, k).accepted_device, count);
    for (rk_u32 i = 0; i < count; i++) {
        sighting s;
        receive(p->c, k, &s);
        assert_int_equal(s.number, from + step * i);
    }
}

static void patterns_have_the_topics_that_they_say(contract *c)
{
    static const struct {
        const char *pattern, *topic;
        rk_u32 matches;
    } rows[] = {
        { "a/b/c", "a/b/c", 1 },
        { "a/b/c", "a/b/d", 0 },
        { "a/b", "a/b/c", 0 },
        { "a/b/c", "a/b", 0 },
        { "a/*/c", "a/b/c", 1 },
        { "a/*/c", "a/bb/c", 1 },
        { "a/*/c", "a/b/b/c", 0 },
        { "a/*/c", "a/c", 0 },
        { "*", "a", 1 },
        { "*", "a/b", 0 },
        { "*/*", "a/b", 1 },
        { "a/*", "a", 0 },
        { "#", "a", 1 },
        { "#", "a/b/c", 1 },
        { "a/#", "a/b/c", 1 },
        { "a/#", "a", 1 },
        { "a/#", "ab", 0 },
        { "a/#", "b/a", 0 },
        { "*/b/#", "a/b", 1 },
        { "*/b/#", "a/b/c/d", 1 },
        { "*/b/#", "a", 0 },
        { "ab", "a", 0 },
        { "a", "ab", 0 },
        { "a/*/#", "a", 0 },
        { "a/*/#", "a/b", 1 },
        { "a*", "ab", 0 },
        { "a/#/c", "a/b/c", 0 },
        { "a//b", "a//b", 0 },
        { "", "", 0 },
        { "a/*", "a/*", 0 },
        { "/a", "/a", 0 },
        { "a/", "a/", 0 },
        { "a/b#", "a/b", 0 },
        { "#", "a/#", 0 },
        { "*/*/*/d", "a/b/c/d", 1 },
        { "a/*/c/#", "a/b/d", 0 },
    };
    (void)c;
    for (rk_u32 i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rk_topic_matches(rows[i].pattern, rows[i].topic) != rows[i].matches)
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].topic);
    assert_int_equal(rk_topic_matches(0, "a"), 0);
    assert_int_equal(rk_topic_matches("a", 0), 0);
    char longest[258];
    memset(longest, 'a', sizeof longest);
    longest[255] = 0;
    assert_int_equal(rk_topic_matches(longest, longest), 1);
    longest[255] = 'a';
    longest[256] = 0;
    assert_int_equal(rk_topic_matches(longest, longest), 0);
}

static void each_subscriber_gets_its_topics_once(contract *c)
{
    press p = open_press(c);
    rk_kernel exact = reader(&p, "exact"), star = reader(&p, "star"), all = reader(&p, "all"),
              none = reader(&p, "none");
    assert_ok(rk_topic_subscribe(p.topics, "news/weather", exact, 0));
    assert_ok(rk_topic_subscribe(p.topics, "news/*/odd", star, 0));
    assert_ok(rk_topic_subscribe(p.topics, "news/#", all, 0)); /* three that match, and one message */
    assert_ok(rk_topic_subscribe(p.topics, "#", all, 0));
    assert_ok(rk_topic_subscribe(p.topics, "news/weather", all, 0));
    assert_ok(rk_topic_subscribe(p.topics, "news/*/even", none, 0));
    rk_u32 made = 0;
    assert_ok(rk_topics_connect(p.topics, &made));
    assert_int_equal(made, 4);
    assert_ok(rk_topics_connect(p.topics, &made));
    assert_int_equal(made, 0);
    assert_ok(rk_activate(c->runtime, p.writer));
    write(&p, 0, 20);
    assert_reads(&p, exact, 0, 10, 2);
    assert_reads(&p, star, 1, 10, 2);
    assert_reads(&p, all, 0, 20, 1);
    assert_reads(&p, none, 0, 0, 1);
    rk_topics_close(p.topics);
}

static void a_route_with_two_topics_is_connected_once(contract *c)
{
    press p = open_press(c);
    rk_kernel k = reader(&p, "reader");
    assert_ok(rk_topic_publish(p.topics, "sale", p.writer, "odd"));
    assert_ok(rk_topic_subscribe(p.topics, "#", k, 0));
    rk_u32 made = 0;
    assert_ok(rk_topics_connect(p.topics, &made));
    assert_int_equal(made, 2); /* the two routes */
    assert_ok(rk_activate(c->runtime, p.writer));
    write(&p, 0, 10);
    assert_reads(&p, k, 0, 10, 1);
    rk_topics_close(p.topics);
}

static void who_subscribes_later_is_connected_later(contract *c)
{
    press p = open_press(c);
    rk_kernel first = reader(&p, "first"), second = reader(&p, "second"), gone = reader(&p, "gone");
    assert_ok(rk_topic_subscribe(p.topics, "#", first, 0));
    assert_ok(rk_topic_subscribe(p.topics, "#", gone, 0));
    assert_ok(rk_terminate(c->runtime, gone, CONTRACT_PATIENCE));
    assert_ok(rk_topics_connect(p.topics, 0)); /* without it */
    assert_ok(rk_activate(c->runtime, p.writer));
    write(&p, 0, 4);
    assert_reads(&p, first, 0, 4, 1);
    assert_ok(rk_topic_subscribe(p.topics, "#", second, 0));
    assert_status(rk_topics_connect(p.topics, 0), RK_BUSY);
    assert_error_says("writer");
    assert_ok(rk_deactivate(c->runtime, p.writer));
    rk_u32 made = 0;
    assert_ok(rk_topics_connect(p.topics, &made));
    assert_int_equal(made, 2);
    assert_ok(rk_activate(c->runtime, p.writer));
    write(&p, 10, 4);
    assert_reads(&p, second, 10, 4, 1);
    rk_topic_lag lag;
    assert_status(rk_topic_lag_of(p.topics, 1, &lag), RK_STALE);
    rk_topics_close(p.topics);
}

static void a_subscriber_that_has_ended_holds_up_nobody(contract *c)
{
    /* given two subscribers, and a third that was drained before anything was connected */
    press p = open_press(c);
    rk_kernel drained = reader(&p, "drained"), first = reader(&p, "first"), ends = reader(&p, "ends");
    assert_ok(rk_topic_subscribe(p.topics, "#", drained, 0));
    assert_ok(rk_topic_subscribe(p.topics, "#", ends, 0));
    assert_ok(rk_topic_subscribe(p.topics, "#", first, 0));
    assert_ok(rk_drain(c->runtime, &drained, 1, CONTRACT_PATIENCE));
    rk_u32 made = 0;
    assert_ok(rk_topics_connect(p.topics, &made));
    assert_int_equal(made, 4);

    /* when one ends while the publisher is active, then the other goes on */
    assert_ok(rk_activate(c->runtime, p.writer));
    write(&p, 0, 6);
    assert_reads(&p, ends, 0, 6, 1);
    wait_until(c, is_at_rest(c, p.writer) && is_at_rest(c, first));
    assert_ok(rk_terminate(c->runtime, ends, CONTRACT_PATIENCE));
    write(&p, 6, 10);
    assert_reads(&p, first, 0, 16, 1);

    /* and who subscribes then has its place */
    rk_kernel next = reader(&p, "next");
    assert_ok(rk_topic_subscribe(p.topics, "news/weather", next, 0));
    assert_ok(rk_deactivate(c->runtime, p.writer));
    assert_ok(rk_topics_connect(p.topics, &made));
    assert_int_equal(made, 1);
    assert_ok(rk_activate(c->runtime, p.writer));
    write(&p, 20, 10);
    assert_reads(&p, next, 20, 5, 2);
    rk_topics_close(p.topics);
}

/* Given a publisher that has ended, then the topics of the others are connected. */
static void a_publisher_that_has_ended_is_left_out(contract *c)
{
    press p = open_press(c);
    rk_kernel gone = launch_active(c, "gone", "sort_packages", 0), k = reader(&p, "reader");
    assert_ok(rk_topic_publish(p.topics, "news/past", gone, "odd"));
    assert_ok(rk_topic_subscribe(p.topics, "#", k, 0));
    assert_ok(rk_terminate(c->runtime, gone, CONTRACT_PATIENCE));
    rk_u32 made = 0;
    assert_ok(rk_topics_connect(p.topics, &made));
    assert_int_equal(made, 2);
    rk_topics_close(p.topics);
}

static void the_lag_of_a_slow_subscriber_is_told_and_the_others_go_on(contract *c)
{
    press p = open_press(c);
    rk_launch_options o = plain(RK_BACKPRESSURE_REJECT);
    rk_kernel fast = reader(&p, "fast"), slow = launch(c, "slow", "carry", &o); /* takes nothing */
    assert_ok(rk_topic_subscribe(p.topics, "news/#", fast, 0));
    assert_ok(rk_topic_subscribe(p.topics, "news/#", slow, 0));
    assert_ok(rk_topics_connect(p.topics, 0));
    assert_ok(rk_activate(c->runtime, p.writer));
    write(&p, 0, 30);
    assert_reads(&p, fast, 0, 30, 1);
    rk_topic_lag lag;
    assert_ok(rk_topic_lag_of(p.topics, 0, &lag));
    assert_string_equal(lag.id, "fast");
    assert_int_equal(lag.accepted, 30);
    assert_int_equal(lag.behind, 0);
    assert_int_equal(lag.missed, 0);
    wait_until(c, rk_topic_lag_of(p.topics, 1, &lag) == RK_OK && lag.missed == 30 - CAPACITY);
    assert_string_equal(lag.id, "slow");
    assert_int_equal(lag.behind, CAPACITY);
    assert_int_equal(lag.most_behind, CAPACITY);
    assert_int_equal(lag.capacity, CAPACITY);
    assert_status(rk_topic_lag_of(p.topics, 2, &lag), RK_EMPTY);

    /* and when it has caught up, it is told, too */
    assert_ok(rk_activate(c->runtime, slow));
    wait_until(c, rk_topic_lag_of(p.topics, 1, &lag) == RK_OK && lag.behind == 0);
    assert_int_equal(lag.missed, 30 - CAPACITY);
    rk_topics_close(p.topics);
}

static void what_a_slow_subscriber_drops_is_missed(contract *c)
{
    static const rk_u32 drops[] = { RK_BACKPRESSURE_DROP_OLDEST, RK_BACKPRESSURE_DROP_NEWEST };
    for (rk_u32 i = 0; i < 2; i++) {
        press p = open_press(c);
        rk_launch_options o = plain(drops[i]);
        rk_kernel slow = launch(c, "slow", "carry", &o); /* takes nothing */
        assert_ok(rk_topic_subscribe(p.topics, "#", slow, 0));
        assert_ok(rk_topics_connect(p.topics, 0));
        assert_ok(rk_activate(c->runtime, p.writer));
        write(&p, 0, 30);
        rk_topic_lag lag;
        wait_until(c, rk_topic_lag_of(p.topics, 0, &lag) == RK_OK && lag.missed == 30 - CAPACITY);
        assert_int_equal(lag.behind, CAPACITY);
        rk_topics_close(p.topics);
        assert_ok(rk_terminate(c->runtime, p.writer, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, slow, CONTRACT_PATIENCE));
    }
}

/* A publisher that sends what it is ordered to, with its target and time to live, and one subscriber, which takes
 * nothing. */
static press open_orders(contract *c, const rk_launch_options *publisher, rk_launch_options *subscriber,
                         rk_kernel *slow)
{
    press p = { .c = c, .writer = launch(c, "writer", "dispatch", publisher) };
    *slow = launch(c, "slow", "carry", subscriber);
    assert_ok(rk_topics_open(c->runtime, &p.topics));
    assert_ok(rk_topic_publish(p.topics, "orders", p.writer, 0));
    assert_ok(rk_topic_subscribe(p.topics, "orders", *slow, 0));
    assert_ok(rk_topics_connect(p.topics, 0));
    assert_ok(rk_activate(c->runtime, p.writer));
    return p;
}

static void order_of(press *p, rk_u64 number, rk_u32 target, rk_u32 ttl_us)
{
    work_order o = { .number = number, .target = target, .ttl_us = ttl_us };
    assert_ok(rk_send(p->c->runtime, p->writer, RK_BODY(o), 0));
}

static rk_topic_lag lag_of(press *p)
{
    rk_topic_lag lag = { .behind = ~0ull };
    assert_ok(rk_topic_lag_of(p->topics, 0, &lag));
    return lag;
}

static void of_several_shards_the_slowest_is_told(contract *c)
{
    static const rk_u32 queued[][3] = { { 1, 5, 2 }, { 4, 1, 1 }, { 0, 0, 7 } };
    for (rk_u32 i = 0; i < 3; i++) {
        rk_launch_options publisher = source_options(), o = plain(RK_BACKPRESSURE_BLOCK);
        rk_kernel slow;
        rk_u32 all = 0, slowest = 0;
        o.shards = o.blocks = 3;
        press p = open_orders(c, &publisher, &o, &slow);
        for (rk_u32 s = 0; s < 3; s++) {
            for (rk_u32 n = 0; n < queued[i][s]; n++) order_of(&p, all++, s, 0);
            if (queued[i][s] > queued[i][slowest]) slowest = s;
        }
        package of_the_host = package_of(1, 0); /* which is no message of a topic */
        assert_ok(rk_send(c->runtime, slow, RK_BODY(of_the_host), 0));
        wait_until(c, lag_of(&p).accepted == all);
        rk_topic_lag lag = lag_of(&p);
        assert_memory_equal(&lag.kernel, &slow, sizeof slow);
        assert_int_equal(lag.behind, all);
        assert_int_equal(lag.most_behind, queued[i][slowest]);
        assert_int_equal(lag.shard, slowest);
        assert_int_equal(lag.capacity, CAPACITY);
        assert_int_equal(lag.missed, 0);

        assert_ok(rk_activate(c->runtime, slow));
        wait_until(c, lag_of(&p).behind == 0);
        lag = lag_of(&p);
        assert_int_equal(lag.accepted, all);
        assert_int_equal(lag.most_behind, 0);
        rk_topics_close(p.topics);
        assert_ok(rk_terminate(c->runtime, p.writer, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, slow, CONTRACT_PATIENCE));
    }
}

static void what_grows_too_old_for_a_slow_subscriber_is_missed(contract *c)
{
    rk_launch_options publisher = source_options(), o = plain(RK_BACKPRESSURE_BLOCK);
    rk_kernel slow;
    o.expiry = 1;
    press p = open_orders(c, &publisher, &o, &slow);
    for (rk_u32 i = 0; i < 5; i++) order_of(&p, i, 0, i % 2 ? 50000 : 0);
    wait_until(c, lag_of(&p).behind == 5);
    let_pass(c, RK_MILLISECONDS(100));
    assert_ok(rk_activate(c->runtime, slow));
    wait_until(c, lag_of(&p).behind == 0);
    assert_int_equal(lag_of(&p).missed, 2);
    assert_int_equal(lag_of(&p).accepted, 5);
    rk_topics_close(p.topics);
}

static void what_finds_no_room_by_the_deadline_is_missed(contract *c)
{
    rk_launch_options publisher = source_options(), o = plain(RK_BACKPRESSURE_BLOCK);
    rk_kernel slow;
    publisher.send_deadline_ns = RK_MILLISECONDS(5);
    press p = open_orders(c, &publisher, &o, &slow);
    for (rk_u32 i = 0; i < CAPACITY + 3; i++) order_of(&p, i, 0, 0);
    for (rk_u32 i = 0; c->variant->single_step && i < 3; i++) {
        settle(c);
        let_pass(c, RK_MILLISECONDS(5));
    }
    wait_until(c, lag_of(&p).missed == 3);
    assert_int_equal(lag_of(&p).behind, CAPACITY);
    rk_topics_close(p.topics);
}

static void what_cannot_be_says_why(contract *c)
{
    press p = open_press(c);
    rk_kernel k = reader(&p, "reader"), nobody = { 77, 1 };
    rk_topic_lag lag;
    assert_status(rk_topics_open(c->runtime, 0), RK_INVALID_ARGUMENT);
    assert_status(rk_topics_open(0, &p.topics), RK_INVALID_ARGUMENT);
    assert_status(rk_topic_publish(p.topics, "a/*", k, 0), RK_INVALID_ARGUMENT);
    assert_error_says("'a/*' is not a topic: * is for patterns");
    assert_status(rk_topic_publish(p.topics, 0, k, 0), RK_INVALID_ARGUMENT);
    assert_status(rk_topic_publish(0, "a", k, 0), RK_INVALID_ARGUMENT);
    assert_status(rk_topic_publish(p.topics, "a", nobody, 0), RK_NO_SUCH_KERNEL);
    assert_status(rk_topic_subscribe(p.topics, "a/#/b", k, 0), RK_INVALID_ARGUMENT);
    assert_error_says("a # is the whole last level");
    assert_status(rk_topic_subscribe(p.topics, "a//b", k, 0), RK_INVALID_ARGUMENT);
    assert_error_says("no level is empty");
    assert_status(rk_topic_subscribe(p.topics, "a", nobody, 0), RK_NO_SUCH_KERNEL);
    assert_ok(rk_topic_subscribe(p.topics, "a", k, 0));
    rk_route_options turn = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TURN };
    assert_status(rk_topic_subscribe(p.topics, "b", k, &turn), RK_INVALID_ARGUMENT);
    assert_error_says("other options");
    assert_status(rk_topics_connect(0, 0), RK_INVALID_ARGUMENT);
    assert_status(rk_topic_lag_of(p.topics, 0, 0), RK_INVALID_ARGUMENT);
    assert_status(rk_topic_lag_of(0, 0, &lag), RK_INVALID_ARGUMENT);

    /* a route that isn't there is found when it is to be connected */
    assert_ok(rk_topic_publish(p.topics, "a", p.writer, "sideways"));
    assert_status(rk_topics_connect(p.topics, 0), RK_NO_SUCH_ROUTE);
    assert_error_says("'a' of 'writer'");
    rk_topics_close(p.topics);
    rk_topics_close(0);
}

static const contract_case cases[] = {
    { CASE(patterns_have_the_topics_that_they_say), ONCE },
    { CASE(each_subscriber_gets_its_topics_once), ON_EVERY },
    { CASE(a_route_with_two_topics_is_connected_once), ON_EVERY },
    { CASE(who_subscribes_later_is_connected_later), ON_EVERY },
    { CASE(a_subscriber_that_has_ended_holds_up_nobody), ON_EVERY },
    { CASE(a_publisher_that_has_ended_is_left_out), ON_EVERY },
    { CASE(the_lag_of_a_slow_subscriber_is_told_and_the_others_go_on), ON_EVERY },
    { CASE(what_a_slow_subscriber_drops_is_missed), ON_EVERY },
    { CASE(of_several_shards_the_slowest_is_told), ON_EVERY },
    { CASE(what_grows_too_old_for_a_slow_subscriber_is_missed), ON_EVERY },
    { CASE(what_finds_no_room_by_the_deadline_is_missed), ON_EVERY },
    { CASE(what_cannot_be_says_why), ONCE },
};
CONTRACT_MAIN("topics", cases)
