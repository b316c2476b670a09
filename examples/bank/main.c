/* A client of the bank behind a bad network: it sends each order until it is answered, stops the bank now
 * and then to count the money, and writes down what it was told, for expected.py to go through. */
#include "network.h"

#define PROGRAM "bank"
#define USAGE                                                                                      \
    PROGRAM " [--backend NAME] [--workers N] [--seed N] [--crashes N] ACCOUNTS.csv TRANSFERS.csv " \
            "JOURNAL.csv"
#include "host.h"

#define SHARDS 4u
#define AT_ONCE 2048u     /* orders that wait for their answers; the bank's queues have room for all */
#define WINDOW 64u        /* ids that a lane remembers: what is later than that, accounts recognise */
#define AUDIT_EVERY 2500u /* answers */
#define ASK_AGAIN_NS RK_MILLISECONDS(5) /* an order without an answer is sent again after so long */
#define PATIENCE_NS RK_SECONDS(60)      /* without any answer: something is wrong */
#define ANSWERS 256u                    /* taken at once */

typedef struct order {
    transfer what;
    rk_u32
        next; /* order of the same payer, by its place in the file; 0: none, as the first is nobody's next */
    rk_u32 attempts;
    rk_u64 posted_ns; /* last */
    bool answered;
} order;

typedef struct client {
    rk_runtime *runtime;
    rk_kernel bank;
    rk_launch_options options;
    network net;
    FILE *journal;
    opening *accounts;
    order *orders;
    rk_u32 account_count, order_count;
    rk_u32 *oldest; /* of each account: its oldest order that isn't answered */
    rk_u32 waiting[AT_ONCE], waiting_count, opened, answered;
    rk_u64 outcome[NO_ACCOUNT + 1u], repeats, by_window, total, audits, in_between, crashes, crashes_wanted;
    bool wrong;
} client;

/* ------------------------------------------------------------------ files */

static void read_accounts(client *c, const char *path)
{
    c->accounts = read_rows(path, RK_SCHEMA(opening), &c->account_count);
    for (rk_u32 i = 0; i < c->account_count; i++) {
        if (c->accounts[i].balance < 0) stop(path, i + 1u, "an account with less than nothing");
        c->total += (rk_u64)c->accounts[i].balance;
    }
}

/* Orders are numbered for each payer, and chained. */
static void read_orders(client *c, const char *path)
{
    order_row *rows = read_rows(path, RK_SCHEMA(order_row), &c->order_count);
    rk_u32 *last = zeros(c->account_count, sizeof *last), *numbers = zeros(c->account_count, sizeof *numbers);
    c->orders = zeros(c->order_count, sizeof *c->orders);
    c->oldest = zeros(c->account_count, sizeof *c->oldest);
    for (rk_u32 i = 0; i < c->order_count; i++) {
        rk_u32 from = rows[i].from;
        if (from >= c->account_count) stop(path, i + 1u, "an account that there isn't can't pay");
        c->orders[i].what = (transfer){ from, rows[i].to, ++numbers[from], rows[i].amount };
        *(numbers[from] == 1 ? &c->oldest[from] : &c->orders[last[from]].next) = i;
        last[from] = i;
    }
    free(rows);
    free(last);
    free(numbers);
}

/* ------------------------------------------------------------------ the bank */

static void launch(client *c)
{
    static char accounts[16];
    static const rk_parameter parameter = { "accounts", accounts };
    snprintf(accounts, sizeof accounts, "%u", (unsigned)c->account_count);
    c->options = rk_production();
    c->options.actors = c->account_count;
    c->options.shards = SHARDS;
    c->options.deduplication_window = WINDOW;
    c->options.requests = 1;
    c->options.parameters = &parameter;
    c->options.parameter_count = 1;
    RK_CHECK(rk_launch(c->runtime, "accounts", &c->options, &c->bank));
    RK_CHECK(rk_connect(c->runtime, c->bank, 0, c->bank, 0)); /* accounts send to accounts */
    RK_CHECK(rk_activate(c->runtime, c->bank));
}

static void open_accounts(client *c)
{
    for (rk_u32 i = 0; i < c->account_count; i++) {
        rk_send_options to = RK_SEND_DEFAULTS;
        opened reply;
        to.target = i;
        RK_CHECK(rk_request_with(c->runtime, c->bank, RK_BODY(c->accounts[i]), RK_TYPE_ID(opened), &reply,
                                 sizeof reply, &to, PATIENCE_NS));
        c->wrong = c->wrong || reply.balance != c->accounts[i].balance;
    }
}

/* ------------------------------------------------------------------ counting the money */

/* Between two batches each cent is in a balance or reserved by who pays it; an order that was paid while
 * its payer hasn't heard of that is in both. At rest nothing is reserved. */
static void audit(client *c, bool at_rest)
{
    rk_u64 balances = 0, reserved = 0;
    bool wrong = false;
    for (rk_u32 i = 0; i < c->account_count; i++) {
        account a;
        RK_CHECK(rk_read_state(c->runtime, c->bank, i, &a, sizeof a));
        wrong = wrong || a.balance < 0 || a.reserved < 0;
        balances += (rk_u64)a.balance;
        reserved += (rk_u64)a.reserved;
        fprintf(c->journal, "state,%llu,%u,%u,%lld,%lld\n", (unsigned long long)c->audits, (unsigned)i,
                (unsigned)a.entries, (long long)a.balance, (long long)a.reserved);
    }
    wrong = wrong || balances > c->total || balances + reserved < c->total || (at_rest && reserved);
    if (wrong)
        fprintf(stderr, "bank: audit %llu: %llu in balances and %llu reserved, of %llu\n",
                (unsigned long long)c->audits, (unsigned long long)balances, (unsigned long long)reserved,
                (unsigned long long)c->total);
    c->wrong = c->wrong || wrong;
    c->audits++;
    c->in_between += balances != c->total;
}

/* ------------------------------------------------------------------ between client and bank */

/* A bank that has failed is launched again, with inbox and state; the batch that it was at is handled
 * again. */
static bool bring_back(client *c)
{
    rk_kernel_info info;
    RK_CHECK(rk_kernel_information(c->runtime, c->bank, &info));
    if (info.life != RK_LIFE_FAILED) return false;
    RK_CHECK(rk_relaunch(c->runtime, c->bank, &c->options, PATIENCE_NS));
    c->crashes++;
    return true;
}

/* The network's far end. What the lane knows by its id goes no further; the rest is the account's to
 * recognise. */
static void deliver(void *user, const transfer *what)
{
    client *c = user;
    rk_send_options to = RK_SEND_DEFAULTS;
    rk_status status;
    to.target = what->from;
    to.id = order_id(what->from, what->number);
    do status = rk_send(c->runtime, c->bank, RK_BODY(*what), &to);
    while (status == RK_CLOSED && bring_back(c));
    if (status == RK_DUPLICATE)
        c->by_window++;
    else
        RK_CHECK(status);
}

/* ------------------------------------------------------------------ the client */

static void post(client *c, rk_u32 i)
{
    order *o = &c->orders[i];
    network_post(&c->net, &o->what, o->attempts++);
    o->posted_ns = rk_clock_ns(c->runtime);
}

/* New orders, in the order of the file, as far as the bank's memory of answered ones allows. */
static void post_new(client *c)
{
    for (; c->waiting_count < AT_ONCE && c->opened < c->order_count; c->opened++) {
        const transfer *next = &c->orders[c->opened].what;
        if (next->number >= c->orders[c->oldest[next->from]].what.number + REMEMBERED_ORDERS) return;
        c->waiting[c->waiting_count++] = c->opened;
        post(c, c->opened);
    }
}

/* What was answered stops waiting; what has waited too long is sent again. */
static void post_again(client *c)
{
    rk_u32 kept = 0;
    for (rk_u32 w = 0; w < c->waiting_count; w++) {
        order *o = &c->orders[c->waiting[w]];
        if (o->answered) continue;
        c->waiting[kept++] = c->waiting[w];
        if (rk_clock_ns(c->runtime) - o->posted_ns > ASK_AGAIN_NS) post(c, c->waiting[w]);
    }
    c->waiting_count = kept;
}

static void write_answer(client *c, const answer *a)
{
    fprintf(c->journal, "answer,%u,%u,%u,%u,%u,%u,%lld,%u,%lld,%u,%lld\n", (unsigned)a->from,
            (unsigned)a->number, (unsigned)a->to, (unsigned)a->amount, (unsigned)a->outcome,
            (unsigned)a->debit_entry, (long long)a->debit_balance, (unsigned)a->credit_entry,
            (long long)a->credit_balance, (unsigned)a->refund_entry, (long long)a->refund_balance);
}

/* The first answer to an order counts, and the oldest that waits moves on. */
static void take_answer(client *c, const answer *a)
{
    rk_u32 i = c->oldest[a->from];
    write_answer(c, a);
    if (a->number < c->orders[i].what.number) {
        c->repeats++;
        return;
    }
    while (c->orders[i].what.number != a->number) i = c->orders[i].next;
    if (c->orders[i].answered) {
        c->repeats++;
        return;
    }
    c->orders[i].answered = true;
    c->outcome[a->outcome]++;
    c->answered++;
    while (c->orders[c->oldest[a->from]].answered && c->orders[c->oldest[a->from]].next)
        c->oldest[a->from] = c->orders[c->oldest[a->from]].next;
}

/* How many answers were there. */
static size_t take_answers(client *c, rk_u64 timeout_ns)
{
    static answer answers[ANSWERS];
    size_t count = 0;
    rk_status status =
        rk_receive_many(c->runtime, c->bank, answers, sizeof *answers, ANSWERS, 0, timeout_ns, &count);
    if (status == RK_CLOSED) bring_back(c);
    for (size_t i = 0; i < count; i++) take_answer(c, &answers[i]);
    return count;
}

static void halt(client *c)
{
    rk_status status;
    while ((status = rk_deactivate(c->runtime, c->bank)) != RK_OK && bring_back(c)) {}
    RK_CHECK(status);
}

/* Lets orders queue, starts the bank, and stops it when it has begun to answer; or it fails at its first
 * batches. */
static void stop_and_audit(client *c)
{
    halt(c);
    post_new(c);
    if (c->crashes < c->crashes_wanted) RK_CHECK(rk_fail_before_commit(c->runtime, c->bank));
    RK_CHECK(rk_activate(c->runtime, c->bank));
    take_answers(c, RK_MILLISECONDS(1));
    halt(c);
    audit(c, false);
    RK_CHECK(rk_activate(c->runtime, c->bank));
}

static void serve_orders(client *c)
{
    rk_u64 heard_ns = rk_clock_ns(c->runtime);
    rk_u32 next_audit = AUDIT_EVERY;
    while (c->answered < c->order_count) {
        if (c->answered >= next_audit) {
            stop_and_audit(c);
            next_audit += AUDIT_EVERY;
        }
        post_new(c);
        if (take_answers(c, RK_MILLISECONDS(1))) heard_ns = rk_clock_ns(c->runtime);
        if (rk_clock_ns(c->runtime) - heard_ns > PATIENCE_NS)
            stop("answers", 0, "none has come for a minute");
        post_again(c);
    }
}

/* What is late still comes, and must change nothing. */
static void finish(client *c)
{
    rk_status status;
    network_empty(&c->net);
    while ((status = rk_drain(c->runtime, &c->bank, 1, RK_SECONDS(1))) == RK_TIMED_OUT || bring_back(c))
        take_answers(c, RK_NO_WAIT);
    RK_CHECK(status);
    while (take_answers(c, RK_NO_WAIT)) {}
    audit(c, true);
}

static bool report(client *c)
{
    rk_account a;
    RK_CHECK(rk_account_of(c->runtime, c->bank, &a));
    bool balanced = a.balanced && !a.queued && !a.lost && !a.dead && !a.evicted && !a.expired &&
                    !a.dead_sends && a.output_accepted == c->answered + c->repeats;
    printf("%u orders: %llu done, %llu insufficient, %llu closed, %llu no account\n",
           (unsigned)c->order_count, (unsigned long long)c->outcome[DONE],
           (unsigned long long)c->outcome[INSUFFICIENT], (unsigned long long)c->outcome[CLOSED],
           (unsigned long long)c->outcome[NO_ACCOUNT]);
    printf("sent %llu times: %llu lost, %llu doubled, %llu overtaken; %llu copies ended at the window, %llu "
           "answers were repeated\n",
           (unsigned long long)c->net.posted, (unsigned long long)c->net.lost,
           (unsigned long long)c->net.doubled, (unsigned long long)c->net.overtaken,
           (unsigned long long)c->by_window, (unsigned long long)c->repeats);
    printf("%llu audits, %llu of them amid payments; %llu crashes; %llu cents: %s\n",
           (unsigned long long)c->audits, (unsigned long long)c->in_between, (unsigned long long)c->crashes,
           (unsigned long long)c->total, c->wrong ? "NOT what they were" : "what they were");
    print_account(&a, balanced);
    return balanced && !c->wrong;
}

int main(int argc, char **argv)
{
    static client c;
    rk_runtime_options runtime = { RK_RUNTIME_OPTIONS };
    const number_option options[] = { { "--seed", &c.net.seed }, { "--crashes", &c.crashes_wanted }, { 0 } };
    c.net = (network){ .deliver = deliver, .user = &c, .seed = 1 };
    char **files = read_arguments(argc, argv, 3, options, &runtime);
    read_accounts(&c, files[0]);
    read_orders(&c, files[1]);
    c.journal = fopen(files[2], "w");
    if (!c.journal) stop(files[2], 0, "can't be written");
    c.runtime = open_runtime(&runtime);
    launch(&c);
    open_accounts(&c);
    serve_orders(&c);
    finish(&c);
    bool right = report(&c);
    if (fclose(c.journal)) stop(files[2], 0, "can't be written");
    RK_CHECK(rk_close(c.runtime));
    return right ? 0 : 1;
}
