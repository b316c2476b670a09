/* No wake-up is lost: over a million rounds of parking and unparking by the words `asleep` and `waiting`,
 * on both sides of a ring so small that it is full or empty most of the time; where wakers exchange the words, and where they
 * look at them behind a light fence, and sleepers pass the heavy one.
 *
 * Who sleeps waits without a time limit, so a lost wake-up stands still for ever: the test watches
 * progress, and fails when there is none for far longer than any scheduling explains. */
#include "lane_fixture_test.h"
#include "runtime/fence.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

enum { PRODUCERS = 3, STANDSTILL_SECONDS = 10 };

typedef struct parking {
    arena a;
    rk_lane *lane;
    rk_ring *ring;
    rk_u32 producers;
    rk_u64 goal;     /* times to park, both sides together */
    rk_u64 parks;    /* times that a side made itself known as asleep or waiting */
    rk_u64 sleeps;   /* times that it had to wait then */
    rk_u64 progress; /* messages received: looked at by the watchdog */
    rk_u32 stop;     /* producers send no more */
    rk_u32 ended;    /* producers that have left */
    rk_u32 threads;  /* that are still there */
    rk_u32 light;    /* wakers look before they exchange */
    sem_t wake_consumer;
    sem_t wake_producer[PRODUCERS];
    sem_t done;
    rk_u64 wrong;
} parking;

typedef struct parker {
    parking *p;
    rk_u32 number;
} parker;

static void sleep_on(parking *p, sem_t *gate)
{
    rk_add_u64(&p->sleeps, 1, RK_RELAXED, RK_SCOPE_DEVICE);
    while (sem_wait(gate) && errno == EINTR) {}
}

static void delay(rk_u64 random)
{
    for (rk_u64 i = 0; i < random % 64u; i++) rk_port_pause();
    if (random % 128u == 64u) sched_yield();
}

/* W1 and W2 as in runtime/wake.h, which knows by the runtime which of the two ways it is. */
static int take(const parking *p, rk_u32 *word)
{
    if (p->light) {
        rk_fence_light();
        if (!rk_load_u32(word, RK_RELAXED, RK_SCOPE_DEVICE)) return 0;
    }
    return rk_exchange_u32(word, 0, RK_SEQ_CST, RK_SCOPE_DEVICE) != 0;
}

static void ask(const parking *p, rk_u32 *word)
{
    rk_exchange_u32(word, 1, RK_SEQ_CST, RK_SCOPE_DEVICE);
    if (p->light) rk_fence_heavy();
}

/* ------------------------------------------------------------------ the consumer's side */

/* W1: wake the consumer if it sleeps. */
static void published(parking *p)
{
    if (take(p, &p->ring->asleep)) sem_post(&p->wake_consumer);
}

static rk_u32 nothing_to_do(parking *p)
{
    return !rk_ring_ready(p->ring, p->a.base, p->ring->head, 1) &&
           rk_load_u32(&p->ended, RK_ACQUIRE, RK_SCOPE_DEVICE) != p->producers;
}

/* W2: say that it sleeps, look once more, sleep. When somebody has taken the word back meanwhile, the
 * wake-up is on its way and is used up. */
static void park_consumer(parking *p)
{
    rk_add_u64(&p->parks, 1, RK_RELAXED, RK_SCOPE_DEVICE);
    ask(p, &p->ring->asleep);
    if (nothing_to_do(p) || !rk_exchange_u32(&p->ring->asleep, 0, RK_SEQ_CST, RK_SCOPE_DEVICE))
        sleep_on(p, &p->wake_consumer);
}

static void leave(parking *p)
{
    if (rk_add_u32(&p->threads, ~0u, RK_ACQ_REL, RK_SCOPE_DEVICE) == 1) sem_post(&p->done);
}

/* Who gave room back wakes every producer that may wait: one of them can take less than what was given. */
static void gave_room(parking *p)
{
    if (take(p, &p->ring->waiting))
        for (rk_u32 i = 0; i < p->producers; i++) sem_post(&p->wake_producer[i]);
}

static void *consume(void *argument)
{
    parking *p = argument;
    rk_u32 next[PRODUCERS] = { 0 };
    for (rk_u64 n = 0;; n++) {
        while (rk_ring_ready(p->ring, p->a.base, p->ring->head, 1)) {
            numbered got;
            if (!message_whole(rk_ring_slot(p->ring, p->a.base, p->ring->head), RK_HEADER_SHORT, &got) ||
                got.number != next[got.producer]++)
                p->wrong++;
            rk_ring_commit(p->ring, p->ring->head + 1u);
            gave_room(p);
            rk_add_u64(&p->progress, 1, RK_RELAXED, RK_SCOPE_DEVICE);
            delay(rk_hash64(p->ring->head) >> 32);
        }
        if (rk_load_u64(&p->parks, RK_RELAXED, RK_SCOPE_DEVICE) >= p->goal)
            rk_store_u32(&p->stop, 1, RK_RELAXED, RK_SCOPE_DEVICE);
        if (rk_load_u32(&p->ended, RK_ACQUIRE, RK_SCOPE_DEVICE) == p->producers &&
            !rk_ring_ready(p->ring, p->a.base, p->ring->head, 1))
            break;
        delay(rk_hash64(n));
        park_consumer(p);
    }
    leave(p);
    return 0;
}

/* ------------------------------------------------------------------ the producers' side */

/* Send, and without room: say that it waits, try once more, sleep. A wake-up for others wakes it too, so
 * it tries again whenever it wakes. */
static void send_or_park(const parker *me, const message *m)
{
    parking *p = me->p;
    while (lane_put(p->lane, &p->a, m) != RK_OK) {
        delay(rk_hash64(rk_add_u64(&p->parks, 1, RK_RELAXED, RK_SCOPE_DEVICE)));
        ask(p, &p->ring->waiting); /* W2 */
        if (lane_put(p->lane, &p->a, m) == RK_OK) return;
        sleep_on(p, &p->wake_producer[me->number]);
    }
}

static void *produce(void *argument)
{
    const parker *me = argument;
    parking *p = me->p;
    message m;
    for (rk_u32 sent = 0; !rk_load_u32(&p->stop, RK_RELAXED, RK_SCOPE_DEVICE); sent++) {
        rk_u64 random = rk_hash64(((rk_u64)me->number << 40) + sent + 1u);
        message_number(&m, sizeof(numbered), me->number, sent);
        send_or_park(me, &m);
        published(p);
        if (random >> 56 < 160u) delay(random); /* now bursts that fill the ring, now one after another */
    }
    rk_add_u32(&p->ended, 1, RK_ACQ_REL, RK_SCOPE_DEVICE);
    published(p);
    leave(p);
    return 0;
}

/* Wait until all threads are done. 0: nothing has moved for too long. */
static int watch(parking *p)
{
    rk_u64 before = ~0ull;
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += STANDSTILL_SECONDS;
        if (sem_timedwait(&p->done, &until) == 0) return 1;
        if (errno == EINTR) continue;
        rk_u64 now = rk_load_u64(&p->progress, RK_RELAXED, RK_SCOPE_DEVICE);
        if (now == before) return 0;
        before = now;
    }
}

/* What the threads work on stays where it is when the test fails: they still stand on it. */
static void park(rk_u32 producers, rk_u32 light, rk_u64 goal)
{
    static parking places[4];
    static rk_u32 used;
    parking *p = &places[used++];
    pthread_t thread[PRODUCERS + 1];
    static parker parkers[4][PRODUCERS];
    p->a = arena_open(1u << 16);
    p->lane = lane_lay(&p->a, (lane_shape){ .capacity = 2 });
    p->ring = rk_lane_ring(p->lane, p->a.base, 0);
    p->producers = producers;
    p->threads = producers + 1u;
    p->goal = goal;
    p->light = light;
    rk_fence_open();
    sem_init(&p->wake_consumer, 0, 0);
    sem_init(&p->done, 0, 0);
    for (rk_u32 i = 0; i < producers; i++) {
        sem_init(&p->wake_producer[i], 0, 0);
        parkers[used - 1u][i] = (parker){ p, i };
        assert_int_equal(pthread_create(&thread[i], 0, produce, &parkers[used - 1u][i]), 0);
    }
    assert_int_equal(pthread_create(&thread[producers], 0, consume, p), 0);

    if (!watch(p)) fail_msg("a wake-up was lost after %llu parks", (unsigned long long)p->parks);
    for (rk_u32 i = 0; i <= producers; i++) pthread_join(thread[i], 0);

    assert_int_equal(p->wrong, 0);
    assert_true(p->parks >= goal);
    assert_true(p->sleeps > goal / 100u); /* it did come to sleeping, rather than only to looking again */
    arena_close(&p->a);
}

static void no_wake_up_is_lost_between_one_producer_and_its_consumer(void **state)
{
    (void)state;
    for (rk_u32 light = 0; light < 2; light++) park(1, light, rounds(light ? 100000 : 400000));
}

static void no_wake_up_is_lost_between_three_producers_and_their_consumer(void **state)
{
    (void)state;
    for (rk_u32 light = 0; light < 2; light++) park(PRODUCERS, light, rounds(light ? 200000 : 800000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wake_up_is_lost_between_one_producer_and_its_consumer),
        cmocka_unit_test(no_wake_up_is_lost_between_three_producers_and_their_consumer),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
