/* Dead letters on the device: what is refused goes whole to the kernel that is connected for it, or to the host, never to
 * both and never nowhere. */
#include <ringkernel/kernel.h>

#include "contract.h"

#include "../kernels/pattern_letter_large.rk.h"

#include <stdlib.h>

enum { SHARDS = 3 };

typedef struct parish {
    contract *c;
    rk_kernel mortal, undertaker;
} parish;

static rk_launch_options roomy(const char *kernel)
{
    rk_launch_options o = rk_production();
    o.kernel_name = kernel;
    o.deduplication_window = 0;
    o.requests = 1;
    return o;
}

/* Both are inactive. */
static parish open_parish(contract *c, rk_u32 capacity)
{
    rk_launch_options mortal = roomy(0), undertaker = roomy("undertaker");
    mortal.shards = mortal.blocks = SHARDS;
    undertaker.queue_capacity = capacity;
    undertaker.output_capacity = 4096;
    parish p = { c, launch(c, "mortal", "mortal", &mortal), launch(c, "undertaker", "", &undertaker) };
    return p;
}

/* Of messages over 1 KiB. */
static parish open_large_parish(contract *c, rk_u32 shards)
{
    rk_launch_options mortal = roomy(0), undertaker = roomy("large_undertaker");
    mortal.pool_blocks = 16;
    undertaker.shards = undertaker.blocks = shards;
    parish p = { c, launch(c, "mortal", "large_mortal", &mortal), launch(c, "undertaker", "", &undertaker) };
    return p;
}

static void connect_letters(parish *p, const rk_route_options *options)
{
    assert_ok(rk_connect(p->c->runtime, p->mortal, RK_DEAD_LETTERS, p->undertaker, options));
    assert_ok(rk_activate(p->c->runtime, p->mortal));
}

static void give(parish *p, rk_u64 number, rk_u32 what)
{
    task t = { number, what, 0 };
    rk_send_options o = { .target = (rk_u32)number, .id = 5000 + number, .priority = (rk_u8)(100 + number) };
    assert_ok(rk_send(p->c->runtime, p->mortal, RK_BODY(t), &o));
}

static buried grave(parish *p)
{
    buried b;
    receive(p->c, p->undertaker, &b);
    return b;
}

static rk_dead_letter host_letter(parish *p, rk_kernel k, task *t)
{
    rk_dead_letter letter = { .length = 0 };
    settle(p->c);
    assert_ok(rk_receive_dead(p->c->runtime, k, t, sizeof *t, &letter,
                              p->c->variant->single_step ? 0 : CONTRACT_PATIENCE));
    return letter;
}

static void what_a_kernel_refuses_comes_whole_to_another(contract *c)
{
    parish p = open_parish(c, 256);
    connect_letters(&p, 0);
    assert_ok(rk_activate(c->runtime, p.undertaker));
    rk_u32 came[30] = { 0 };
    for (rk_u32 i = 0; i < 30; i++) give(&p, i, i % 2 ? TASK_REFUSED : TASK_SPAMS);
    for (rk_u32 i = 0; i < 30; i++) {
        buried b = grave(&p);
        assert_in_range(b.number, 0, 29);
        assert_int_equal(came[b.number]++, 0);
        assert_int_equal(b.is_letter, 1);
        assert_int_equal(b.id, 5000 + b.number);
        assert_int_equal(b.target, b.number);
        assert_int_equal(b.priority, 100 + b.number);
        assert_int_equal(b.kernel_no, p.mortal.number);
        assert_int_equal(b.shard, b.number % SHARDS);
        assert_int_equal(b.type, RK_TYPE_ID(task));
        assert_int_equal(b.was_sent, 0);
        assert_int_equal(b.is_declined, b.number % 2);
        assert_int_equal(b.status, b.number % 2 ? RK_OK : RK_LIMIT);
    }
    wait_until(c, account_of(c, p.mortal).dead == 30);
    rk_account a = account_of(c, p.mortal);
    assert_int_equal(a.dead_letters, 0); /* none reached the host */
    assert_int_equal(a.sent, 30);
    give(&p, 1, TASK_DONE);
    task plain = { 77, 0, 0 };
    assert_ok(rk_send(c->runtime, p.undertaker, RK_BODY(plain), 0));
    assert_int_equal(grave(&p).is_letter, 0); /* a message as any other */
}

static void what_others_do_not_take_of_it_comes_too(contract *c)
{
    parish p = open_parish(c, 256);
    rk_launch_options o = roomy("undertaker");
    o.queue_capacity = 16;
    o.backpressure = RK_BACKPRESSURE_REJECT;
    rk_kernel full = launch(c, "full", "", &o); /* takes 16 and no more */
    assert_ok(rk_connect(c->runtime, p.mortal, "onward", full, 0));
    connect_letters(&p, 0);
    assert_ok(rk_activate(c->runtime, p.undertaker));
    for (rk_u32 i = 0; i < 20; i++) give(&p, i, TASK_SENT);
    for (rk_u32 i = 0; i < 4; i++) {
        buried b = grave(&p);
        assert_int_equal(b.is_letter, 1);
        assert_int_equal(b.status, RK_FULL);
        assert_int_equal(b.was_sent, 1);
        assert_int_equal(b.kernel_no, p.mortal.number);
    }
    wait_until(c, account_of(c, p.mortal).dead_sends == 4); /* counted behind its letter */
    assert_int_equal(account_of(c, p.mortal).dead_letters, 0);
}

static void a_message_that_has_expired_comes_and_does_not_expire_again(contract *c)
{
    parish p = { .c = c };
    rk_launch_options o = roomy(0), to = roomy("undertaker");
    o.expiry = 1;
    o.expired_to_dead = 1;
    to.expiry = 1;
    p.mortal = launch(c, "mortal", "mortal", &o);
    p.undertaker = launch_active(c, "undertaker", "", &to);
    assert_ok(rk_connect(c->runtime, p.mortal, RK_DEAD_LETTERS, p.undertaker, 0));
    task t = { 3, TASK_DONE, 0 };
    assert_ok(rk_send(c->runtime, p.mortal, RK_BODY(t), &(rk_send_options){ .ttl_us = 1000 }));
    let_expire(c, p.mortal, RK_MILLISECONDS(1));
    assert_ok(rk_activate(c->runtime, p.mortal));
    buried b = grave(&p);
    assert_int_equal(b.number, 3);
    assert_int_equal(b.status, RK_EXPIRED);
    wait_until(c, account_of(c, p.mortal).expired == 1); /* counted at commit, behind the letter */
}

/* Given 20 letters, and an undertaker that takes 16 and no more, and nobody waits for it. */
static void no_room_under(contract *c, rk_u32 backpressure)
{
    rk_launch_options o = roomy("undertaker");
    o.queue_capacity = 16;
    o.output_capacity = 4096;
    o.backpressure = backpressure;
    rk_launch_options mortal = roomy(0);
    parish p = { c, launch(c, "mortal", "mortal", &mortal), launch(c, "undertaker", "", &o) };
    connect_letters(&p, 0);
    for (rk_u32 i = 0; i < 20; i++) give(&p, i, TASK_REFUSED);
    for (rk_u32 i = 0; i < 4; i++) {
        task t;
        rk_dead_letter letter = host_letter(&p, p.mortal, &t);
        assert_string_equal(letter.reason, "declined"); /* why it was refused, not why it is here */
        assert_int_equal(letter.id, 5000 + t.number);
        assert_int_equal(t.number, 16 + i);
    }
    assert_ok(rk_activate(c->runtime, p.undertaker));
    for (rk_u32 i = 0; i < 16; i++) assert_int_equal(grave(&p).number, i);
    assert_int_equal(account_of(c, p.mortal).dead_letters, 4);
    assert_int_equal(metrics_of(c, p.mortal).parks, 0);
    assert_ok(rk_terminate(c->runtime, p.mortal, CONTRACT_PATIENCE));
    assert_ok(rk_terminate(c->runtime, p.undertaker, CONTRACT_PATIENCE));
}

static void what_finds_no_room_is_a_letter_for_the_host(contract *c)
{
    no_room_under(c, RK_BACKPRESSURE_BLOCK);
    no_room_under(c, RK_BACKPRESSURE_REJECT);
    no_room_under(c, RK_BACKPRESSURE_DROP_NEWEST);
}

static void an_undertaker_that_drops_the_oldest_has_the_newest_letters(contract *c)
{
    parish p = { .c = c };
    rk_launch_options o = roomy(0), to = roomy("undertaker");
    to.queue_capacity = 16;
    to.backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    p.mortal = launch(c, "mortal", "mortal", &o);
    p.undertaker = launch(c, "undertaker", "", &to);
    connect_letters(&p, 0);
    for (rk_u32 i = 0; i < 20; i++) give(&p, i, TASK_REFUSED);
    wait_until(c, account_of(c, p.mortal).dead == 20);
    assert_ok(rk_activate(c->runtime, p.undertaker));
    for (rk_u32 i = 0; i < 16; i++) assert_int_equal(grave(&p).number, 4 + i);
    assert_int_equal(account_of(c, p.undertaker).evicted, 4);
    assert_int_equal(account_of(c, p.mortal).dead_letters, 0);
}

static void a_letter_whose_id_its_lane_knows_is_for_the_host(contract *c)
{
    parish p = { .c = c };
    rk_launch_options o = roomy(0), to = roomy("undertaker");
    to.deduplication_window = 16;
    p.mortal = launch(c, "mortal", "mortal", &o);
    p.undertaker = launch_active(c, "undertaker", "", &to);
    connect_letters(&p, 0);
    task t;
    give(&p, 7, TASK_REFUSED);
    assert_int_equal(grave(&p).number, 7);
    give(&p, 7, TASK_REFUSED);
    assert_string_equal(host_letter(&p, p.mortal, &t).reason, "declined");
    assert_int_equal(t.number, 7);
    assert_int_equal(account_of(c, p.undertaker).accepted, 1);
}

static void without_its_undertaker_a_letter_is_for_the_host(contract *c)
{
    parish p = open_parish(c, 16);
    connect_letters(&p, 0);
    assert_ok(rk_terminate(c->runtime, p.undertaker, CONTRACT_PATIENCE));
    task t;
    give(&p, 4, TASK_REFUSED);
    host_letter(&p, p.mortal, &t);
    assert_int_equal(t.number, 4);
}

static void a_refused_request_of_the_host_is_told_to_the_host(contract *c)
{
    parish p = open_parish(c, 16);
    connect_letters(&p, 0);
    task t = { 1, TASK_REFUSED, 0 }, reply;
    assert_status(rk_request(c->runtime, p.mortal, RK_BODY(t), RK_TYPE_ID(task), &reply, sizeof reply,
                             CONTRACT_PATIENCE),
                  RK_DEAD);
    assert_error_says("declined");
}

/* A kernel asks another one, which refuses: that is a letter as any other, and nobody is to answer it. */
static void a_refused_request_of_a_kernel_comes_as_a_message(contract *c)
{
    parish p = open_parish(c, 16);
    rk_launch_options o = roomy(0);
    rk_kernel asking = launch(c, "asking", "mortal", &o);
    assert_ok(rk_connect(c->runtime, asking, "onward", p.mortal, 0));
    connect_letters(&p, 0);
    assert_ok(rk_activate(c->runtime, p.undertaker));
    assert_ok(rk_activate(c->runtime, asking));
    task t = { 5, TASK_ASKED, 0 };
    assert_ok(rk_send(c->runtime, asking, RK_BODY(t), 0));
    buried b = grave(&p);
    assert_int_equal(b.number, 5);
    assert_int_equal(b.is_declined, 1);
    assert_int_equal(b.kernel_no, p.mortal.number);
    assert_int_equal(b.flags, 0);
    assert_int_equal(account_of(c, p.mortal).dead_letters, 0);
}

static void large_messages_come_whole_and_their_blocks_come_back(contract *c)
{
    parish p = open_large_parish(c, 1);
    connect_letters(&p, 0);
    assert_ok(rk_activate(c->runtime, p.undertaker));
    for (rk_u32 round = 0; round < 100; round++) { /* many more than the pools have blocks */
        big_task t = { .number = round };
        rk_u64 sum = 0;
        for (rk_u32 i = 0; i < BIG_WORDS; i++) sum += t.words[i] = round + i;
        assert_ok(rk_send(c->runtime, p.mortal, RK_BODY(t), 0));
        buried b = grave(&p);
        assert_int_equal(b.number, round);
        assert_int_equal(b.sum, sum);
        assert_int_equal(b.is_declined, 1);
    }
    assert_int_equal(account_of(c, p.mortal).dead_letters, 0);
}

static void a_large_letter_goes_by_its_key(contract *c)
{
    parish p = open_large_parish(c, SHARDS);
    rk_route_options by_key = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_KEY, .message = "big_task" };
    by_key.key_field = "number";
    connect_letters(&p, &by_key);
    assert_ok(rk_activate(c->runtime, p.undertaker));
    for (rk_u32 i = 0; i < 10; i++) {
        big_task t = { .number = i };
        rk_received info;
        buried b;
        assert_ok(rk_send(c->runtime, p.mortal, RK_BODY(t), 0));
        settle(c);
        receive_with(c, p.undertaker, &b, &info);
        assert_int_equal(b.number, i);
        assert_int_equal(b.target, rk_key_target(i, 0));
        assert_int_equal(info.shard, b.target % SHARDS);
    }
}

/* Of two copies of a large message the first needs a block of its own, and the other has the message's. Given blocks for
 * two, of three messages each has reached the one who gets them whole, and one copy was refused. */
enum { BLOCKS = 2 };

static rk_u64 give_large(parish *p, rk_u64 number)
{
    big_task t = { .number = number };
    rk_u64 sum = 0;
    for (rk_u32 w = 0; w < BIG_WORDS; w++) sum += t.words[w] = (rk_u32)number + w;
    assert_ok(rk_send(p->c->runtime, p->mortal, RK_BODY(t), 0));
    return sum;
}

static parish without_a_block(contract *c, const char *hauler, rk_kernel *gets)
{
    rk_launch_options o = roomy(0), to = roomy("large_undertaker");
    o.pool_blocks = BLOCKS;
    o.send_deadline_ns = RK_MILLISECONDS(20);
    parish p = { c, launch(c, "hauler", hauler, &o), launch_active(c, "undertaker", "", &to) };
    rk_kernel keeps = launch(c, "keeps", "", &to); /* is not active, so its blocks stay there */
    *gets = launch_active(c, "gets", "", &to);
    assert_ok(rk_connect(c->runtime, p.mortal, 0, keeps, 0));
    assert_ok(rk_connect(c->runtime, p.mortal, 0, *gets, 0));
    connect_letters(&p, 0);
    for (rk_u32 i = 0; i < BLOCKS + 1; i++) {
        buried b;
        rk_u64 sum = give_large(&p, i);
        settle(c);
        if (i == BLOCKS && c->variant->single_step) let_pass(c, RK_MILLISECONDS(20));
        settle(c);
        receive(c, *gets, &b);
        assert_int_equal(b.number, i);
        assert_int_equal(b.sum, sum);
    }
    assert_int_equal(account_of(c, p.undertaker).accepted, 0);
    assert_int_equal(account_of(c, keeps).accepted, BLOCKS);
    return p;
}

static void a_copy_without_a_block_is_for_the_host_and_the_other_is_whole(contract *c)
{
    task t;
    rk_kernel gets;
    parish p = without_a_block(c, "hauler", &gets);
    rk_dead_letter letter = host_letter(&p, p.mortal, &t);
    assert_int_equal(letter.length, 0); /* whose bytes the other copy has */
    assert_int_equal(letter.type, RK_TYPE_ID(big_task));
    assert_string_equal(letter.reason, rk_status_name(RK_TIMED_OUT));
}

static void a_copy_without_a_block_that_the_hook_sees_to_leaves_the_other_whole(contract *c)
{
    rk_kernel gets;
    parish p = without_a_block(c, "careful_hauler", &gets);
    wait_until(c, account_of(c, p.mortal).delivered == BLOCKS + 1);
    assert_int_equal(account_of(c, p.mortal).dead_letters, 0);
    assert_int_equal(account_of(c, p.mortal).dead_sends, 0);

    /* and each block has come back once: there are as many as before */
    rk_u64 sum[BLOCKS];
    big_task one_more = { .number = 200 };
    assert_ok(rk_deactivate(c->runtime, p.mortal));
    for (rk_u32 i = 0; i < BLOCKS; i++) sum[i] = give_large(&p, 100 + i);
    assert_status(
        rk_send(c->runtime, p.mortal, RK_BODY(one_more), &(rk_send_options){ .timeout_ns = 1000000 }),
        RK_TIMED_OUT);
    assert_ok(rk_activate(c->runtime, p.mortal));
    for (rk_u32 i = 0; i < BLOCKS; i++) {
        buried b;
        settle(c);
        if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(20));
        settle(c);
        receive(c, gets, &b);
        assert_int_equal(b.number, 100 + i);
        assert_int_equal(b.sum, sum[i]);
    }
}

static void a_connection_for_one_type_leaves_others_to_the_host(contract *c)
{
    parish p = open_large_parish(c, 1);
    rk_route_options big = { RK_ROUTE_OPTIONS, .message = "big_task" };
    connect_letters(&p, &big);
    task t;
    give(&p, 9, TASK_REFUSED);
    host_letter(&p, p.mortal, &t);
    assert_int_equal(t.number, 9);
}

static void letters_that_are_refused_again_go_on_to_the_end_of_the_way(contract *c)
{
    parish p = open_parish(c, 64);
    rk_launch_options o = roomy("faithless");
    rk_kernel faithless = launch(c, "faithless", "", &o);
    assert_ok(rk_connect(c->runtime, p.mortal, RK_DEAD_LETTERS, faithless, 0));
    assert_ok(rk_connect(c->runtime, faithless, RK_DEAD_LETTERS, p.undertaker, 0));
    rk_kernel all[] = { p.mortal, faithless, p.undertaker };
    for (rk_u32 i = 0; i < 3; i++) assert_ok(rk_activate(c->runtime, all[i]));
    for (rk_u32 i = 0; i < 50; i++) give(&p, i, TASK_REFUSED);
    assert_ok(rk_drain(c->runtime, all, 3,
                       CONTRACT_PATIENCE)); /* letters are drained as what else a kernel sends */
    for (rk_u32 i = 0; i < 50; i++) {
        buried b = grave(&p);
        assert_int_equal(b.kernel_no, faithless.number);
        assert_int_equal(b.is_declined, 1);
    }
}

static void letters_that_could_not_end_are_refused(contract *c)
{
    parish p = open_parish(c, 64);
    rk_launch_options o = roomy("undertaker");
    rk_kernel other = launch(c, "other", "", &o);
    o.requests = 0;
    rk_kernel without = launch(c, "short", "", &o);
    rk_route_options all = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_ALL };
    assert_status(rk_connect(c->runtime, p.mortal, RK_DEAD_LETTERS, without, 0), RK_INVALID_ARGUMENT);
    assert_error_says("requests = 1");
    assert_status(rk_connect(c->runtime, p.mortal, RK_DEAD_LETTERS, other, &all), RK_INVALID_ARGUMENT);
    assert_error_says("one shard");
    assert_status(rk_connect(c->runtime, other, RK_DEAD_LETTERS, other, 0), RK_INVALID_ARGUMENT);
    assert_error_says("round for ever");
    assert_status(rk_connect(c->runtime, without, RK_DEAD_LETTERS, without, &all), RK_INVALID_ARGUMENT);
    assert_error_says("requests = 1"); /* all at once */
    assert_error_says("one shard");
    assert_error_says("round for ever");
    assert_ok(rk_connect(c->runtime, p.undertaker, RK_DEAD_LETTERS, other, 0));
    assert_status(rk_connect(c->runtime, other, RK_DEAD_LETTERS, p.undertaker, 0), RK_INVALID_ARGUMENT);
    assert_error_says("round for ever");
    assert_status(rk_connect(c->runtime, p.undertaker, RK_DEAD_LETTERS, other, 0), RK_INVALID_ARGUMENT);
    assert_error_says("already");
}

static void another_way_is_open_when_the_first_is_gone(contract *c)
{
    parish p = open_parish(c, 64);
    rk_launch_options o = roomy("undertaker");
    rk_kernel first = launch(c, "first", "", &o);
    assert_ok(rk_connect(c->runtime, p.mortal, RK_DEAD_LETTERS, first, 0));
    assert_ok(rk_terminate(c->runtime, first, CONTRACT_PATIENCE));
    connect_letters(&p, 0);
    assert_ok(rk_activate(c->runtime, p.undertaker));
    give(&p, 11, TASK_REFUSED);
    assert_int_equal(grave(&p).number, 11);
}

static const contract_case cases[] = {
    { CASE(what_a_kernel_refuses_comes_whole_to_another), ON_EVERY },
    { CASE(what_others_do_not_take_of_it_comes_too), ON_EVERY },
    { CASE(a_message_that_has_expired_comes_and_does_not_expire_again), ON_EVERY },
    { CASE(what_finds_no_room_is_a_letter_for_the_host), ON_EVERY },
    { CASE(an_undertaker_that_drops_the_oldest_has_the_newest_letters), ON_EVERY },
    { CASE(a_letter_whose_id_its_lane_knows_is_for_the_host), ON_EVERY },
    { CASE(without_its_undertaker_a_letter_is_for_the_host), ON_EVERY },
    { CASE(a_refused_request_of_the_host_is_told_to_the_host), NEEDS_THREADS },
    { CASE(a_refused_request_of_a_kernel_comes_as_a_message), ON_EVERY },
    { CASE(large_messages_come_whole_and_their_blocks_come_back), NEEDS_REGIONS },
    { CASE(a_large_letter_goes_by_its_key), NEEDS_REGIONS },
    { CASE(a_copy_without_a_block_is_for_the_host_and_the_other_is_whole), NEEDS_REGIONS },
    { CASE(a_copy_without_a_block_that_the_hook_sees_to_leaves_the_other_whole), NEEDS_REGIONS },
    { CASE(a_connection_for_one_type_leaves_others_to_the_host), NEEDS_REGIONS },
    { CASE(letters_that_are_refused_again_go_on_to_the_end_of_the_way), ON_EVERY },
    { CASE(letters_that_could_not_end_are_refused), ONCE },
    { CASE(another_way_is_open_when_the_first_is_gone), ON_EVERY },
};
CONTRACT_MAIN("device letters", cases)
