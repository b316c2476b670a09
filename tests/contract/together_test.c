/* Kernels of different patterns in one app, several patterns in one state, faults on each way: every order
 * ends in one place, and what each pattern promises alone it keeps among the others. */
#include "contract.h"

#include <ringkernel/topic.h>

#include "../kernels/pattern_together.rk.h"

enum { ORDERS = 240, DESKS = 2 };

typedef struct shop {
    contract *c;
    rk_kernel mail, desk, supplier, packer, ledger, keeper, archive, undertaker;
    rk_topics *topics;
} shop;

static rk_kernel open_room(contract *c, const char *kernel, rk_u32 shards)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.requests = 1;
    o.queue_capacity = 1024;
    o.shards = o.blocks = shards;
    return launch(c, kernel, kernel, &o);
}

static shop open_shop(contract *c)
{
    rk_route_options new_by_number = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_KEY, .key_field = "number",
                                       .message = "shop_order" },
                     sent_by_number = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_KEY, .key_field = "number",
                                        .message = "shop_sent" };
    shop s = { c,
               open_room(c, "mail", 1),
               open_room(c, "desk", DESKS),
               open_room(c, "supplier", 1),
               open_room(c, "packer", SHOP_PARTS),
               open_room(c, "ledger_of_shop", SHOP_LEDGERS),
               open_room(c, "keeper_of_books", 1),
               open_room(c, "archive_of_shop", 1),
               open_room(c, "undertaker_of_shop", 1),
               0 };
    assert_ok(rk_topics_open(c->runtime, &s.topics));
    assert_ok(rk_topic_publish(s.topics, "shop/orders/new", s.mail, "orders"));
    assert_ok(rk_topic_publish(s.topics, "shop/orders/sent", s.desk, "sent"));
    assert_ok(rk_topic_subscribe(s.topics, "shop/orders/new", s.desk, &new_by_number));
    assert_ok(rk_topic_subscribe(s.topics, "shop/*/sent", s.ledger, &sent_by_number));
    assert_ok(rk_topic_subscribe(s.topics, "shop/#", s.archive, 0));
    assert_ok(rk_topic_subscribe(s.topics, "shop/orders/new", s.archive, 0));
    assert_ok(rk_topics_connect(s.topics, 0));
    assert_ok(rk_connect(c->runtime, s.desk, "prices", s.supplier, 0));
    assert_ok(rk_connect(c->runtime, s.desk, "parts", s.packer, 0));
    assert_ok(rk_connect(c->runtime, s.packer, 0, s.desk, 0));
    assert_ok(rk_connect(c->runtime, s.ledger, "books", s.keeper, 0));
    assert_ok(rk_connect(c->runtime, s.desk, RK_DEAD_LETTERS, s.undertaker, 0));
    const rk_kernel all[] = { s.undertaker, s.archive,  s.keeper, s.ledger,
                              s.packer,     s.supplier, s.desk,   s.mail };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) assert_ok(rk_activate(c->runtime, all[i]));
    return s;
}

typedef struct outcomes {
    rk_u32 seen[ORDERS]; /* 1: sent, 2: refused */
    rk_u32 sent, refused, whole;
    rk_u32 page[SHOP_LEDGERS]; /* pages that were balanced */
} outcomes;

static void take_sent(outcomes *o, const shop_sent *m)
{
    assert_in_range(m->number, 0, ORDERS - 1);
    assert_int_equal(o->seen[m->number], 0);
    o->seen[m->number] = 1;
    o->sent++;
    assert_int_not_equal(m->number % SHOP_ARTICLES, SHOP_NO_PRICE);
    assert_int_equal(m->price, m->number % SHOP_ARTICLES * 100 + 7);
    assert_int_equal(m->missing >> SHOP_PARTS, 0);
    if (m->number % SHOP_LOST_EACH == 0) assert_int_equal(m->missing >> SHOP_LOST_PART & 1u, 1);
    o->whole += m->missing == 0;
}

/* What has come from the ledgers. */
static void take_from_ledger(shop *s, outcomes *o)
{
    union {
        shop_sent sent;
        shop_balance balance;
    } m;
    rk_received info;
    while (rk_receive(s->c->runtime, s->ledger, &m, sizeof m, &info, RK_NO_WAIT) == RK_OK) {
        if (info.type == RK_TYPE_ID(shop_sent)) {
            take_sent(o, &m.sent);
            continue;
        }
        assert_int_equal(info.type, RK_TYPE_ID(shop_balance));
        assert_in_range(m.balance.ledger, 0, SHOP_LEDGERS - 1);
        assert_int_equal(m.balance.page, ++o->page[m.balance.ledger]);
        assert_true(m.balance.count >= (rk_u64)m.balance.page * SHOP_PAGE);
    }
}

static void take_from_undertaker(shop *s, outcomes *o)
{
    shop_refused m;
    while (rk_receive(s->c->runtime, s->undertaker, &m, sizeof m, 0, RK_NO_WAIT) == RK_OK) {
        assert_in_range(m.number, 0, ORDERS - 1);
        assert_int_equal(o->seen[m.number], 0);
        o->seen[m.number] = 2;
        o->refused++;
        assert_int_equal(m.article, SHOP_NO_PRICE);
        assert_int_equal(m.for_no_price, 1);
        assert_int_equal(m.attempts, 9); /* before the last one */
    }
}

static int all_have_come(shop *s, outcomes *o)
{
    take_from_ledger(s, o);
    take_from_undertaker(s, o);
    if (s->c->variant->single_step) let_pass(s->c, RK_MILLISECONDS(1));
    return o->sent + o->refused == ORDERS;
}

/* Orders that have a price and lose no part. */
static rk_u32 whole_orders(void)
{
    rk_u32 whole = 0;
    for (rk_u32 i = 0; i < ORDERS; i++)
        whole += i % SHOP_ARTICLES != SHOP_NO_PRICE && i % SHOP_LOST_EACH != 0;
    return whole;
}

static void an_order_meets_all_patterns_and_ends_in_one_place(contract *c)
{
    /* given a shop in which one article has no price, one has it late, and parts are lost and reported
     * twice */
    shop s = open_shop(c);
    outcomes o = { .sent = 0 };
    shop_day day = { ORDERS, RK_MILLISECONDS(400), 2000, 0 };
    struct {
        rk_u64 came, went;
    } kept;

    /* when it has a day's orders */
    assert_ok(rk_send(c->runtime, s.mail, RK_BODY(day), 0));
    wait_until(c, all_have_come(&s, &o));

    /* then those without a price are refused, the others sent, whole but for what was lost */
    assert_int_equal(o.refused, ORDERS / SHOP_ARTICLES);
    if (c->variant->single_step) /* elsewhere any part may be late on a busy machine */
        assert_int_equal(o.whole, whole_orders());

    /* and a drain of all of it ends, when the last question has had its time, with the ledgers in step and
     * nothing uncounted */
    const rk_kernel all[] = { s.mail,   s.desk,   s.supplier, s.packer,
                              s.ledger, s.keeper, s.archive,  s.undertaker };
    if (c->variant->single_step) let_pass(c, RK_SECONDS(1));
    settle(c);
    assert_ok(rk_drain(c->runtime, all, sizeof all / sizeof *all, CONTRACT_PATIENCE));
    assert_int_equal(all_have_come(&s, &o), 1);
    rk_u64 count[SHOP_LEDGERS];
    for (rk_u32 i = 0; i < SHOP_LEDGERS; i++) {
        struct {
            rk_u64 count;
            rk_u32 epoch, waits;
        } ledger;
        assert_ok(rk_read_state(c->runtime, s.ledger, i, &ledger, sizeof ledger));
        count[i] = ledger.count;
        assert_int_equal(ledger.epoch, o.page[i]);
    }
    assert_int_equal(count[0] + count[1], o.sent);
    assert_int_equal(o.page[0], (count[0] < count[1] ? count[0] : count[1]) / SHOP_PAGE);
    assert_int_equal(o.page[1], o.page[0]);
    rk_kernel_description archive;
    assert_ok(rk_describe_named(c->runtime, "archive_of_shop", &archive));
    void *state = malloc(archive.state_size);
    assert_non_null(state);
    assert_ok(rk_read_state(c->runtime, s.archive, 0, state, archive.state_size));
    memcpy(&kept, state, sizeof kept);
    free(state);
    assert_int_equal(kept.came, ORDERS);
    assert_int_equal(kept.went, o.sent);
    assert_int_equal(account_of(c, s.desk).dead_letters, 0);
    rk_topics_close(s.topics);
}

static const contract_case cases[] = {
    { CASE(an_order_meets_all_patterns_and_ends_in_one_place), NEEDS_REGIONS },
};
CONTRACT_MAIN("together", cases)
