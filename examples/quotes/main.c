/* A day of quotes: a pipeline checks and publishes them, subscribers get them by topic, and a supervisor launches
 * again who fails. */
#include "quotes.rk.h"

#define PROGRAM "quotes"
#define USAGE PROGRAM " [--backend NAME] [--workers N] [--restarts N] QUOTES.csv"
#include "host.h"

#define PATIENCE_NS RK_SECONDS(60) /* for what should be there at once */
#define SUBSCRIBERS 3u

static const char *const route_of[MARKETS] = { "eu", "us", "asia" };
static const char *const topic_of[MARKETS] = { "quotes/eu", "quotes/us", "quotes/asia" };

typedef struct subscriber {
    const char *id, *pattern, *kernel;
    rk_kernel handle;
    rk_u64 sent; /* quotes that are its */
    rk_u32 restarts;
} subscriber;

static subscriber subscribers[SUBSCRIBERS] = { { "europe", "quotes/eu", "desk" },
                                               { "america", "quotes/us", "desk" },
                                               { "world", "quotes/#", "archive" } };

typedef struct exchange {
    rk_runtime *runtime;
    rk_pipeline *line;
    rk_supervisor *supervisor;
    rk_u64 restarts; /* that it may have */
} exchange;

/* ------------------------------------------------------------------ who is there */

/* By the supervisor's thread. */
static void count_restart(void *user, const rk_supervision_event *event)
{
    (void)user;
    if (event->kind == RK_SUPERVISION_RESTARTED) subscribers[event->child].restarts++;
}

static void launch_subscribers(exchange *e)
{
    rk_supervised children[SUBSCRIBERS] = { 0 };
    rk_supervision_options options = { RK_SUPERVISION_OPTIONS, .strategy = RK_ONE_FOR_ONE };
    options.restarts = (rk_u32)e->restarts;
    options.window_ns = RK_SECONDS(60);
    options.on_event = count_restart;
    for (rk_u32 i = 0; i < SUBSCRIBERS; i++) {
        subscriber *s = &subscribers[i];
        rk_launch_options launch = rk_production();
        launch.kernel_name = s->kernel;
        RK_CHECK(rk_launch(e->runtime, s->id, &launch, &s->handle));
        children[i].kernel = s->handle;
        children[i].state = RK_STATE_KEEP;
    }
    RK_CHECK(rk_supervise(e->runtime, &options, children, SUBSCRIBERS, &e->supervisor));
}

static void connect_topics(exchange *e)
{
    rk_topics *topics;
    rk_kernel feed;
    RK_CHECK(rk_pipeline_kernel(e->line, 1, &feed));
    RK_CHECK(rk_topics_open(e->runtime, &topics));
    for (rk_u32 m = 0; m < MARKETS; m++) RK_CHECK(rk_topic_publish(topics, topic_of[m], feed, route_of[m]));
    for (rk_u32 i = 0; i < SUBSCRIBERS; i++)
        RK_CHECK(rk_topic_subscribe(topics, subscribers[i].pattern, subscribers[i].handle, 0));
    RK_CHECK(rk_topics_connect(topics, 0));
    rk_topics_close(topics); /* what is connected stays so */
}

static void open_exchange(exchange *e)
{
    static const rk_pipeline_stage stages[] = { { "check" }, { "feed" } };
    RK_CHECK(rk_pipeline_open(e->runtime, 0, stages, 2, &e->line));
    launch_subscribers(e);
    connect_topics(e);
    for (rk_u32 i = 0; i < SUBSCRIBERS; i++) RK_CHECK(rk_activate(e->runtime, subscribers[i].handle));
    RK_CHECK(rk_pipeline_activate(e->line));
}

/* ------------------------------------------------------------------ the day */

static void give_up(const char *who, const char *why)
{
    fprintf(stderr, PROGRAM ": %s %s\n", who, why);
    exit(1);
}

/* Until a subscriber has handled all that is its. */
static void wait_for(exchange *e, const subscriber *s)
{
    rk_u64 until = rk_clock_ns(e->runtime) + PATIENCE_NS;
    rk_account a;
    do {
        rk_supervisor_info info;
        RK_CHECK(rk_supervisor_information(e->supervisor, &info));
        if (info.escalated) give_up("the supervisor", "has given up");
        if (rk_clock_ns(e->runtime) > until) give_up(s->id, "has not handled its quotes after a minute");
        RK_CHECK(rk_account_of(e->runtime, s->handle, &a));
    } while (a.accepted < s->sent || a.queued);
}

static void send_quote(exchange *e, const quote *q)
{
    bool is_quote = q->bid > 0 && q->ask > 0 && q->market < MARKETS;
    for (rk_u32 i = 0; is_quote && i < SUBSCRIBERS; i++) {
        subscriber *s = &subscribers[i];
        if (!rk_topic_matches(s->pattern, topic_of[q->market])) continue;
        bool fails = q->bid > q->ask && strcmp(s->kernel, "desk") == 0; /* the desk's mistake */
        if (fails) {
            wait_for(e, s);
            RK_CHECK(rk_fail_before_commit(e->runtime, s->handle));
        }
        s->sent++;
    }
    RK_CHECK(rk_pipeline_send(e->line, RK_BODY(*q), 0));
}

static void end_day(exchange *e)
{
    RK_CHECK(rk_pipeline_drain(e->line, PATIENCE_NS));
    for (rk_u32 i = 0; i < SUBSCRIBERS; i++) {
        wait_for(e, &subscribers[i]);
        RK_CHECK(rk_drain(e->runtime, &subscribers[i].handle, 1, PATIENCE_NS));
    }
    RK_CHECK(rk_unsupervise(e->supervisor)); /* its thread has counted all restarts */
}

/* ------------------------------------------------------------------ what came of it */

static void print_refused(const char *who, const quote *q, const char *reason)
{
    printf("%-8s refused quote %u: %s\n", who, (unsigned)q->number, reason);
}

static bool report(exchange *e)
{
    bool balanced = true;
    rk_dead_letter letter;
    rk_account a;
    rk_u32 stage;
    quote q;
    while (rk_pipeline_receive_error(e->line, &q, sizeof q, &letter, &stage) == RK_OK)
        print_refused(stage == 0 ? "check" : "feed", &q, letter.reason);
    for (rk_u32 i = 0; i < SUBSCRIBERS; i++) {
        const subscriber *s = &subscribers[i];
        book b;
        while (rk_receive_dead(e->runtime, s->handle, &q, sizeof q, &letter, RK_NO_WAIT) == RK_OK)
            print_refused(s->id, &q, letter.reason);
        RK_CHECK(rk_read_state(e->runtime, s->handle, 0, &b, sizeof b));
        RK_CHECK(rk_account_of(e->runtime, s->handle, &a));
        printf("%-8s %-10s %u quotes, highest bid %lld, restarts: %u\n", s->id, s->pattern,
               (unsigned)b.quotes, (long long)b.highest_bid, (unsigned)s->restarts);
        print_account(&a, a.balanced);
        balanced = balanced && a.balanced && !a.queued && !a.lost && !a.evicted && a.accepted == s->sent;
    }
    return balanced;
}

int main(int argc, char **argv)
{
    exchange e = { .restarts = 8 };
    rk_runtime_options runtime = { RK_RUNTIME_OPTIONS };
    const number_option options[] = { { "--restarts", &e.restarts }, { 0 } };
    char **files = read_arguments(argc, argv, 1, options, &runtime);
    rk_u32 count;
    quote *quotes = read_rows(files[0], RK_SCHEMA(quote), &count);
    e.runtime = open_runtime(&runtime);
    open_exchange(&e);
    for (rk_u32 i = 0; i < count; i++) send_quote(&e, &quotes[i]);
    end_day(&e);
    bool right = report(&e);
    rk_pipeline_close(e.line);
    RK_CHECK(rk_close(e.runtime));
    free(quotes);
    return right ? 0 : 1;
}
