/* The two fences by store buffering: each thread stores its word and looks at the other's behind its fence. That neither sees the
 * other can't be, and is frequent where one of the fences is left out. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "fence.h"
#include "sanitized.h"

#define ROUNDS (SANITIZED ? 2000u : 20000u)

typedef struct side {
    _Alignas(128) rk_u32 word;
    _Alignas(128) rk_u32 round; /* that it is ready for */
    rk_u32 saw;
} side;

static side light, heavy;

/* The other is ready as well. Spins: the two are to store at the same time. */
static void meet(side *own, const side *other, rk_u32 round)
{
    __atomic_store_n(&own->round, round, __ATOMIC_RELEASE);
    for (rk_u32 n = 0; __atomic_load_n(&other->round, __ATOMIC_ACQUIRE) < round; n++) rk_port_spin(n);
}

static void *pass_light(void *unused)
{
    for (rk_u32 round = 1; round <= ROUNDS; round++) {
        meet(&light, &heavy, 2 * round - 1);
        __atomic_store_n(&light.word, round, __ATOMIC_RELAXED);
        rk_fence_light();
        light.saw = __atomic_load_n(&heavy.word, __ATOMIC_RELAXED) == round;
        meet(&light, &heavy, 2 * round);
    }
    return unused;
}

static rk_u32 count_rounds_in_which_neither_saw_the_other(void)
{
    pthread_t thread;
    rk_u32 neither = 0;
    light = heavy = (side){ 0 };
    assert_int_equal(pthread_create(&thread, 0, pass_light, 0), 0);
    for (rk_u32 round = 1; round <= ROUNDS; round++) {
        meet(&heavy, &light, 2 * round - 1);
        __atomic_store_n(&heavy.word, round, __ATOMIC_RELAXED);
        rk_fence_heavy();
        heavy.saw = __atomic_load_n(&light.word, __ATOMIC_RELAXED) == round;
        meet(&heavy, &light, 2 * round);
        neither += !light.saw && !heavy.saw;
    }
    pthread_join(thread, 0);
    return neither;
}

static void one_of_two_sees_the_other(void **state)
{
    (void)state;
    rk_fence_open();
    if (!rk_fence_is_asked()) skip(); /* no membarrier here, or it is forbidden: the next has all there is */

    assert_int_equal(count_rounds_in_which_neither_saw_the_other(), 0);
}

static void one_of_two_sees_the_other_where_the_system_is_not_asked(void **state)
{
    (void)state;
    rk_fence_open();
    const int asks = rk_fence_asks;
    rk_fence_asks = 0;

    const rk_u32 neither = count_rounds_in_which_neither_saw_the_other();

    rk_fence_asks = asks;
    assert_int_equal(neither, 0);
}

static void a_process_that_was_forked_can_ask_too(void **state)
{
    (void)state;
    rk_fence_open();
    if (!rk_fence_is_asked()) skip();

    const pid_t child = fork();
    if (child == 0) {
        rk_fence_heavy(); /* ends the process where it can't */
        _exit(0);
    }

    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_two_sees_the_other),
        cmocka_unit_test(one_of_two_sees_the_other_where_the_system_is_not_asked),
        cmocka_unit_test(a_process_that_was_forked_can_ask_too),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
