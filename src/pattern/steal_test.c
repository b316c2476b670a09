/* Work stealing by itself: shards and the lanes between them as plain arrays, in every order that a seed brings about,
 * with words that come twice, or not at all. */
#include <ringkernel/pattern/steal.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 7, QUEUE = 256, TASKS = 2000 };

typedef struct pipe {
    rk_steal_word queued[QUEUE];
    rk_u32 first, count;
} pipe;

typedef struct world {
    rk_steal s[MOST];
    pipe lane[MOST][MOST];
    rk_u32 shards, random;
    rk_u8 done[TASKS];
    rk_u32 pushed, finished, by[MOST];
    rk_u32 twice; /* 1: words come twice */
    rk_u32 loses; /* 1: some words don't come, and their senders are told */
} world;

static rk_u32 draw(world *w, rk_u32 below)
{
    w->random = w->random * 1664525u + 1013904223u;
    return (w->random >> 8) % below;
}

static void put(world *w, const rk_steal_word *word)
{
    pipe *p = &w->lane[word->from][word->to];
    assert_true(word->to < w->shards);
    assert_true(p->count < QUEUE);
    p->queued[(p->first + p->count++) % QUEUE] = *word;
}

static void push(world *w, rk_u32 shard)
{
    rk_task t = { { w->pushed, ~(rk_u64)w->pushed } };
    if (w->pushed < TASKS && rk_steal_push(&w->s[shard], &t) == RK_OK) w->pushed++;
}

static void receive(world *w, rk_u32 from, rk_u32 to)
{
    pipe *lane = &w->lane[from][to];
    if (lane->count == 0) return;
    rk_steal_word word = lane->queued[lane->first];
    lane->first = (lane->first + 1) % QUEUE;
    lane->count--;
    if (w->loses && draw(w, 3) == 0) {
        assert_int_equal(rk_steal_undelivered(&w->s[from], &word), RK_OK);
        return;
    }
    rk_status status = rk_steal_hear(&w->s[to], &word);
    assert_true(status == RK_OK || (w->twice && status == RK_DUPLICATE));
    if (w->twice && status == RK_OK && draw(w, 4) == 0 && lane->count < QUEUE / 2) put(w, &word);
}

static void turn(world *w, rk_u32 shard, rk_u32 tasks)
{
    rk_task t;
    rk_steal_word word;
    for (rk_u32 n = 0; n < tasks && rk_steal_pop(&w->s[shard], &t); n++) {
        assert_int_equal(t.word[1], ~t.word[0]);
        assert_int_equal(w->done[t.word[0]]++, 0);
        w->finished++;
        w->by[shard]++;
        if (draw(w, 3) == 0) push(w, shard); /* a task makes others */
        if (draw(w, 3) == 0) push(w, shard);
    }
    for (rk_u32 n = 0; n < 4 && rk_steal_next(&w->s[shard], &word); n++) put(w, &word);
}

static world *open_world(rk_u32 seed, rk_u32 shards, rk_u32 twice)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->random = seed;
    w->shards = shards;
    w->twice = twice;
    for (rk_u32 i = 0; i < shards; i++) assert_int_equal(rk_steal_begin(&w->s[i], i, shards), RK_OK);
    return w;
}

static void step(world *w)
{
    rk_u32 p = draw(w, w->shards);
    for (rk_u32 n = draw(w, 5); n > 0; n--) receive(w, draw(w, w->shards), p);
    turn(w, p, draw(w, 3));
}

static void check_runs(rk_u32 twice, rk_u32 loses)
{
    for (rk_u32 seed = 1; seed <= 60; seed++) {
        world *w = open_world(seed, 1 + seed % MOST, twice);
        rk_u32 steps = 0;
        w->loses = loses;
        for (rk_u32 i = 0; i < 100; i++) push(w, 0);
        for (rk_u32 i = 0; i < 5; i++) step(w);
        assert_int_equal(rk_steal_probe(&w->s[0]), RK_OK);
        assert_int_equal(rk_steal_probe(&w->s[0]), RK_BUSY);
        while (!rk_steal_has_ended(&w->s[0])) {
            assert_true(++steps < 2000000);
            step(w);
        }
        /* it is the end: nothing is anywhere */
        assert_int_equal(w->finished, w->pushed);
        for (rk_u32 i = 0; i < w->shards; i++) assert_int_equal(rk_steal_queued(&w->s[i]), 0);
        for (rk_u32 i = 0; i < w->pushed; i++) assert_int_equal(w->done[i], 1);
        if (w->shards > 1) assert_true(w->by[0] < w->finished); /* others did something */

        /* and what comes afterwards is done as well, and found to be */
        for (rk_u32 i = 0; i < 50; i++) push(w, 0);
        assert_int_equal(rk_steal_probe(&w->s[0]), RK_OK);
        for (steps = 0; !rk_steal_has_ended(&w->s[0]); step(w)) assert_true(++steps < 2000000);
        assert_int_equal(w->finished, w->pushed);
        free(w);
    }
}

static void each_task_is_done_once_and_the_end_is_told_at_the_end(void **state)
{
    (void)state;
    check_runs(0, 0);
}

static void words_that_come_twice_change_nothing(void **state)
{
    (void)state;
    check_runs(1, 0);
}

static void with_words_that_are_not_taken_each_task_is_done_once_and_the_end_is_told(void **state)
{
    (void)state;
    check_runs(0, 1);
}

/* The next word of a shard, which must be this. */
static rk_steal_word next_of(world *w, rk_u32 shard, rk_u32 what, rk_u32 to)
{
    rk_steal_word word = { 0 };
    assert_int_equal(rk_steal_next(&w->s[shard], &word), 1);
    assert_int_equal(word.what, what);
    assert_int_equal(word.to, to);
    return word;
}

static void hear(world *w, const rk_steal_word *word)
{
    assert_int_equal(rk_steal_hear(&w->s[word->to], word), RK_OK);
}

/* A crew whose idle shards have all asked somebody in vain, so that they say nothing but the token. */
static world *open_idle_world(rk_u32 shards)
{
    world *w = open_world(1, shards, 0);
    for (rk_u32 i = 0; i < shards; i++) {
        w->s[i].tries = RK_STEAL_TRIES;
        rk_steal_word asks = next_of(w, i, RK_STEAL_WAITS, (i + 1) % shards);
        hear(w, &asks);
    }
    return w;
}

static void finish_all(world *w, rk_u32 shard)
{
    rk_task t;
    while (rk_steal_pop(&w->s[shard], &t)) {}
}

static void the_end_is_not_told_while_a_word_with_tasks_is_under_way(void **state)
{
    (void)state;
    /* given tasks that went from shard 2 to shard 1, where they haven't come */
    world *w = open_idle_world(3);
    for (rk_u32 i = 0; i < 4; i++) push(w, 2);
    rk_steal_word gives = next_of(w, 2, RK_STEAL_GIVES, 1), word;
    finish_all(w, 2);

    /* when the token finds all without work */
    assert_int_equal(rk_steal_probe(&w->s[0]), RK_OK);
    for (rk_u32 i = 0; i < 3; i++) {
        word = next_of(w, i, RK_STEAL_TOKEN, (i + 1) % 3);
        hear(w, &word);
    }
    assert_int_equal(word.black, 0);
    assert_int_equal(word.balance, 1);

    /* then it goes round again */
    word = next_of(w, 0, RK_STEAL_TOKEN, 1);
    assert_int_equal(rk_steal_has_ended(&w->s[0]), 0);
    assert_int_equal(rk_steal_hear(&w->s[1], &gives), RK_OK);
    free(w);
}

static void the_end_is_not_told_when_tasks_went_to_where_the_token_had_been(void **state)
{
    (void)state;
    /* given a token that has been at shard 1, and is at shard 2, which has work */
    world *w = open_idle_world(4);
    for (rk_u32 i = 0; i < 40; i++) push(w, 2);
    assert_int_equal(rk_steal_probe(&w->s[0]), RK_OK);
    rk_steal_word token = next_of(w, 0, RK_STEAL_TOKEN, 1);
    hear(w, &token);
    token = next_of(w, 1, RK_STEAL_TOKEN, 2);
    hear(w, &token);

    /* when shard 1 has tasks from 2, and gives shard 0 some of them, so that the accounts of 2, 3 and 0 are even */
    rk_steal_word gives = next_of(w, 2, RK_STEAL_GIVES, 1);
    hear(w, &gives);
    gives = next_of(w, 1, RK_STEAL_GIVES, 0);
    hear(w, &gives);
    finish_all(w, 0);
    finish_all(w, 2);
    for (rk_u32 i = 2; i < 4; i++) {
        rk_steal_word word = { 0 };
        while (rk_steal_next(&w->s[i], &word) && word.what != RK_STEAL_TOKEN) {}
        assert_int_equal(word.what, RK_STEAL_TOKEN);
        hear(w, &word);
        assert_int_equal(rk_steal_hear(&w->s[word.to], &word), RK_DUPLICATE); /* a token twice is one */
        token = word;
    }
    assert_int_equal(token.balance + w->s[0].balance, 0);
    rk_steal_word word;
    while (rk_steal_next(&w->s[0], &word)) {}

    /* then that isn't the end: shard 1 has tasks */
    assert_int_equal(rk_steal_has_ended(&w->s[0]), 0);
    assert_true(rk_steal_queued(&w->s[1]) > 0);
    free(w);
}

/* Given a shard that begins after the others, when the token has come to it before, then it goes on from there. */
static void the_token_waits_for_a_shard_that_begins_late(void **state)
{
    (void)state;
    world *w = open_idle_world(3);
    rk_steal late = { 0 };
    w->s[1] = late; /* who hasn't said anything to 2 */
    w->s[2].asked[1] = w->s[2].waits[1] = 0;
    assert_int_equal(rk_steal_probe(&w->s[0]), RK_OK);
    rk_steal_word token = next_of(w, 0, RK_STEAL_TOKEN, 1), none;
    hear(w, &token);
    assert_int_equal(rk_steal_hear(&w->s[1], &token), RK_DUPLICATE);
    assert_int_equal(rk_steal_next(&w->s[1], &none), 0);
    assert_int_equal(rk_steal_begin(&w->s[1], 1, 3), RK_OK);
    rk_u32 steps = 0;
    while (!rk_steal_has_ended(&w->s[0])) {
        assert_true(++steps < 10000);
        step(w);
    }

    /* but shard 0 takes none that it didn't send */
    late = (rk_steal){ 0 };
    token.to = 0;
    token.black = 0;
    assert_int_equal(rk_steal_hear(&late, &token), RK_OK);
    assert_int_equal(rk_steal_begin(&late, 0, 3), RK_OK);
    assert_int_equal(late.has_token, 0);
    free(w);
}

static void a_crew_without_work_says_nothing(void **state)
{
    (void)state;
    world *w = open_world(3, 5, 0);
    rk_u32 words = 0;
    for (rk_u32 i = 0; i < 20; i++) push(w, 2);
    for (rk_u32 i = 0; i < 20000; i++) step(w);
    assert_int_equal(w->finished, w->pushed);
    for (rk_u32 i = 0; i < 5; i++) {
        assert_int_equal(rk_steal_is_busy(&w->s[i]), 0);
        for (rk_u32 j = 0; j < 5; j++) words += w->lane[i][j].count;
    }
    assert_int_equal(words, 0);
    free(w);
}

static void a_full_queue_refuses_and_keeps_room_for_what_was_asked_for(void **state)
{
    (void)state;
    rk_steal *s = calloc(2, sizeof *s);
    rk_task t = { { 0, 0 } };
    rk_steal_word asks = { 0 }, gives = { 0 };
    assert_non_null(s);
    for (rk_u32 i = 0; i < 2; i++) assert_int_equal(rk_steal_begin(&s[i], i, 2), RK_OK);
    for (rk_u32 i = 0; i < RK_STEAL_QUEUE; i++) assert_int_equal(rk_steal_push(&s[0], &t), RK_OK);
    assert_int_equal(rk_steal_push(&s[0], &t), RK_FULL);

    assert_int_equal(rk_steal_next(&s[1], &asks), 1);
    assert_int_equal(asks.what, RK_STEAL_ASKS);
    rk_u32 taken = 0;
    while (rk_steal_push(&s[1], &t) == RK_OK) taken++;
    assert_int_equal(taken, RK_STEAL_QUEUE - RK_STEAL_BATCH);
    assert_int_equal(rk_steal_hear(&s[0], &asks), RK_OK);
    assert_int_equal(rk_steal_next(&s[0], &gives), 1);
    assert_int_equal(gives.count, RK_STEAL_BATCH);
    assert_int_equal(rk_steal_hear(&s[1], &gives), RK_OK);
    assert_int_equal(rk_steal_queued(&s[1]), RK_STEAL_QUEUE);
    assert_int_equal(s[0].refused, 1);
    free(s);
}

static void tasks_that_were_not_taken_are_the_oldest_again_and_their_thief_is_answered(void **state)
{
    (void)state;
    /* given five tasks of which two are under way, with the ring's end between them */
    world *w = open_world(1, 2, 0);
    w->s[0].first = w->s[0].end = RK_STEAL_QUEUE - 1;
    for (rk_u32 i = 0; i < 5; i++) push(w, 0);
    rk_steal_word asks = next_of(w, 1, RK_STEAL_ASKS, 0);
    hear(w, &asks);
    rk_steal_word gives = next_of(w, 0, RK_STEAL_GIVES, 1);
    assert_int_equal(gives.count, 2);

    /* when they aren't taken, then it is as if they hadn't been given, and they are given again */
    assert_int_equal(rk_steal_undelivered(&w->s[0], &gives), RK_OK);
    assert_int_equal(rk_steal_queued(&w->s[0]), 5);
    assert_int_equal(w->s[0].given, 0);
    assert_int_equal(w->s[0].balance, 0);
    rk_steal_word again = next_of(w, 0, RK_STEAL_GIVES, 1);
    assert_memory_equal(&again, &gives, sizeof gives);
    hear(w, &again);
    rk_task t;
    for (rk_u32 i = 5; i-- > 2;) {
        assert_int_equal(rk_steal_pop(&w->s[0], &t), 1);
        assert_int_equal(t.word[0], i);
        assert_int_equal(t.word[1], ~(rk_u64)i);
    }
    free(w);
}

/* Given a ring that was filled behind tasks under way, when they aren't taken, then they are refused. */
static void tasks_that_were_not_taken_and_find_no_room_are_refused(void **state)
{
    (void)state;
    world *w = open_world(1, 2, 0);
    for (rk_u32 i = 0; i < RK_STEAL_QUEUE; i++) push(w, 0);
    rk_steal_word asks = next_of(w, 1, RK_STEAL_ASKS, 0);
    hear(w, &asks);
    rk_steal_word gives = next_of(w, 0, RK_STEAL_GIVES, 1);
    push(w, 0);
    assert_int_equal(rk_steal_undelivered(&w->s[0], &gives), RK_FULL);
    assert_int_equal(w->s[0].refused, gives.count);
    assert_int_equal(w->s[0].balance, 0);
    rk_task t;
    for (rk_u32 i = RK_STEAL_QUEUE + 1; i-- > gives.count;) {
        assert_int_equal(rk_steal_pop(&w->s[0], &t), 1);
        assert_int_equal(t.word[0], i);
    }
    assert_int_equal(rk_steal_queued(&w->s[0]), 0);

    /* nor is the room taken that what was asked for has */
    hear(w, &(rk_steal_word){ .what = RK_STEAL_ASKS, .from = 1, .serial = 2 });
    gives = next_of(w, 0, RK_STEAL_GIVES, 1);
    assert_int_equal(gives.count, 0);
    gives.count = 1;
    asks = next_of(w, 0, RK_STEAL_ASKS, 1);
    while (rk_steal_push(&w->s[0], &t) == RK_OK) {}
    assert_int_equal(rk_steal_undelivered(&w->s[0], &gives), RK_FULL);
    free(w);
}

static void a_request_that_was_not_taken_is_made_again(void **state)
{
    (void)state;
    world *w = open_world(1, 2, 0);
    rk_steal_word first = next_of(w, 1, RK_STEAL_ASKS, 0), none;
    assert_int_equal(rk_steal_next(&w->s[1], &none), 0);
    assert_int_equal(rk_steal_undelivered(&w->s[1], &first), RK_OK);
    rk_steal_word second = next_of(w, 1, RK_STEAL_ASKS, 0);

    /* but not when it is an older one */
    assert_int_equal(rk_steal_undelivered(&w->s[1], &first), RK_DUPLICATE);
    assert_int_equal(rk_steal_next(&w->s[1], &none), 0);

    /* and one at the lifeline as well */
    assert_int_equal(rk_steal_undelivered(&w->s[1], &second), RK_OK);
    second = next_of(w, 1, RK_STEAL_WAITS, 0);
    assert_int_equal(rk_steal_undelivered(&w->s[1], &second), RK_OK);
    next_of(w, 1, RK_STEAL_WAITS, 0);
    free(w);
}

static void a_token_that_was_not_taken_is_passed_again(void **state)
{
    (void)state;
    /* given a token that shard 0's neighbour doesn't take, then it is of another round */
    world *w = open_idle_world(3);
    assert_int_equal(rk_steal_probe(&w->s[0]), RK_OK);
    rk_steal_word lost = next_of(w, 0, RK_STEAL_TOKEN, 1);
    assert_int_equal(rk_steal_undelivered(&w->s[0], &lost), RK_OK);
    assert_int_equal(rk_steal_undelivered(&w->s[0], &lost), RK_DUPLICATE);
    rk_steal_word token = next_of(w, 0, RK_STEAL_TOKEN, 1);
    assert_int_equal(rk_steal_has_ended(&w->s[0]), 0);
    assert_int_equal(rk_steal_undelivered(&w->s[0], &lost), RK_DUPLICATE);
    hear(w, &token);

    /* and given one that a black shard passes on in vain, then it is black still */
    w->s[1].black = 1;
    lost = next_of(w, 1, RK_STEAL_TOKEN, 2);
    assert_int_equal(rk_steal_undelivered(&w->s[1], &lost), RK_OK);
    token = next_of(w, 1, RK_STEAL_TOKEN, 2);
    assert_int_equal(token.black, 1);
    assert_int_equal(token.serial, lost.serial);
    hear(w, &token);
    token = next_of(w, 2, RK_STEAL_TOKEN, 0);
    hear(w, &token);

    /* and given one that comes back white to shard 0, which is black, then losing the next is not the end */
    for (rk_u32 i = 0; i < 3; i++) {
        token = next_of(w, i, RK_STEAL_TOKEN, (i + 1) % 3);
        hear(w, &token);
    }
    w->s[0].black = 1;
    lost = next_of(w, 0, RK_STEAL_TOKEN, 1);
    assert_int_equal(rk_steal_undelivered(&w->s[0], &lost), RK_OK);

    /* but the whole round after that finds it */
    for (rk_u32 i = 0; i < 3; i++) {
        token = next_of(w, i, RK_STEAL_TOKEN, (i + 1) % 3);
        hear(w, &token);
    }
    assert_int_equal(rk_steal_next(&w->s[0], &token), 0);
    assert_int_equal(rk_steal_has_ended(&w->s[0]), 1);
    free(w);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    rk_steal *s = calloc(1, sizeof *s);
    assert_non_null(s);
    rk_steal_word word = { .from = RK_STEAL_SHARDS };
    assert_int_equal(rk_steal_next(s, &word), 0);
    assert_int_equal(rk_steal_probe(s), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_steal_begin(s, 0, RK_STEAL_SHARDS + 1), RK_LIMIT);
    assert_int_equal(rk_steal_begin(s, 2, 2), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_steal_begin(s, 1, 2), RK_OK);
    assert_int_equal(rk_steal_begin(s, 1, 2), RK_BUSY);
    assert_int_equal(rk_steal_probe(s), RK_INVALID_ARGUMENT);
    word.from = RK_STEAL_SHARDS;
    assert_int_equal(rk_steal_hear(s, &word), RK_INVALID_ARGUMENT);
    word = (rk_steal_word){ .what = RK_STEAL_TOKEN + 1 };
    assert_int_equal(rk_steal_hear(s, &word), RK_INVALID_ARGUMENT);
    word = (rk_steal_word){ .what = RK_STEAL_GIVES, .count = RK_STEAL_BATCH + 1 };
    assert_int_equal(rk_steal_hear(s, &word), RK_INVALID_ARGUMENT);
    word = (rk_steal_word){ .what = RK_STEAL_GIVES, .count = 1, .serial = 5 }; /* nothing was asked for */
    assert_int_equal(rk_steal_hear(s, &word), RK_DUPLICATE);
    word.serial = 0;
    assert_int_equal(rk_steal_hear(s, &word), RK_DUPLICATE);
    assert_int_equal(rk_steal_queued(s), 0);
    word = (rk_steal_word){ .what = RK_STEAL_ASKS,
                            .serial = 1,
                            .from = 2 }; /* of two shards there is no third */
    assert_int_equal(rk_steal_hear(s, &word), RK_INVALID_ARGUMENT);
    word.from = 1; /* it doesn't ask itself */
    assert_int_equal(rk_steal_hear(s, &word), RK_INVALID_ARGUMENT);
    word.from = 0;
    assert_int_equal(rk_steal_hear(s, &word), RK_OK);
    word = (rk_steal_word){ .what = RK_STEAL_GIVES, .count = 1, .from = 0, .to = 1 }; /* another's */
    assert_int_equal(rk_steal_undelivered(s, &word), RK_INVALID_ARGUMENT);
    word.from = 1; /* to itself */
    assert_int_equal(rk_steal_undelivered(s, &word), RK_INVALID_ARGUMENT);
    word.to = 2;
    assert_int_equal(rk_steal_undelivered(s, &word), RK_INVALID_ARGUMENT);
    word.to = 0;
    word.count = RK_STEAL_BATCH + 1;
    assert_int_equal(rk_steal_undelivered(s, &word), RK_INVALID_ARGUMENT);
    word.count = 0;
    word.what = RK_STEAL_TOKEN + 1;
    assert_int_equal(rk_steal_undelivered(s, &word), RK_INVALID_ARGUMENT);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_is_done_once_and_the_end_is_told_at_the_end),
        cmocka_unit_test(words_that_come_twice_change_nothing),
        cmocka_unit_test(with_words_that_are_not_taken_each_task_is_done_once_and_the_end_is_told),
        cmocka_unit_test(the_end_is_not_told_while_a_word_with_tasks_is_under_way),
        cmocka_unit_test(the_end_is_not_told_when_tasks_went_to_where_the_token_had_been),
        cmocka_unit_test(the_token_waits_for_a_shard_that_begins_late),
        cmocka_unit_test(a_crew_without_work_says_nothing),
        cmocka_unit_test(a_full_queue_refuses_and_keeps_room_for_what_was_asked_for),
        cmocka_unit_test(tasks_that_were_not_taken_are_the_oldest_again_and_their_thief_is_answered),
        cmocka_unit_test(tasks_that_were_not_taken_and_find_no_room_are_refused),
        cmocka_unit_test(a_request_that_was_not_taken_is_made_again),
        cmocka_unit_test(a_token_that_was_not_taken_is_passed_again),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("steal", tests, 0, 0);
}
