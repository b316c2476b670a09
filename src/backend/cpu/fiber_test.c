/* Fibers: what survives a switch, what is forgotten by a discard, what is given back. */
#include "backend/cpu/fiber.h"

#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <cmocka.h>

enum { FIBERS = 8, ROUNDS = 1000 };

typedef struct ring_of_fibers {
    rk_fiber thread;
    rk_fiber fibers[FIBERS];
    uint64_t seen[FIBERS];
    double halves[FIBERS];
    uint32_t next;
} ring_of_fibers;

static ring_of_fibers ring;

static void hand_over(uint32_t self)
{
    rk_fiber_switch(&ring.fibers[self], self + 1u < FIBERS ? &ring.fibers[self + 1u] : &ring.thread);
}

/* Keeps more values alive across the switch than there are registers that a function may change. */
static void count_in_registers(void *argument)
{
    uint32_t self = *(uint32_t *)argument;
    uint64_t a = self, b = self + 1u, c = self + 2u, d = self + 3u, e = self + 4u, f = self + 5u;
    uint64_t g = self + 6u;
    double x = self, y = self + 0.5;
    for (;;) {
        a += 1u, b += 2u, c += 3u, d += 4u, e += 5u, f += 6u, g += 7u;
        x += 0.25, y += 0.5;
        ring.seen[self] = a + b + c + d + e + f + g;
        ring.halves[self] = x + y;
        hand_over(self);
    }
}

static uint32_t numbers[FIBERS] = { 0, 1, 2, 3, 4, 5, 6, 7 };

static int open_ring(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof ring);
    rk_fiber_adopt(&ring.thread);
    for (uint32_t i = 0; i < FIBERS; i++) assert_int_equal(rk_fiber_create(&ring.fibers[i], i), RK_OK);
    return 0;
}

static int close_ring(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FIBERS; i++) rk_fiber_destroy(&ring.fibers[i]);
    return 0;
}

static void given_many_switches_each_fiber_keeps_its_own_values(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FIBERS; i++) rk_fiber_arm(&ring.fibers[i], count_in_registers, &numbers[i]);
    for (uint32_t round = 0; round < ROUNDS; round++) rk_fiber_switch(&ring.thread, &ring.fibers[0]);
    for (uint32_t i = 0; i < FIBERS; i++) {
        assert_int_equal(ring.seen[i], 7u * i + 21u + 28u * ROUNDS);
        assert_true(ring.halves[i] == 2.0 * i + 0.5 + 0.75 * ROUNDS);
    }
}

/* The rounding mode, by the control word itself: <fenv.h> would need the mathematics library. */
#if defined(__x86_64__)
static uint32_t rounding(void) { return _mm_getcsr() >> 13 & 3u; }
static void set_rounding(uint32_t way) { _mm_setcsr((_mm_getcsr() & ~(3u << 13)) | way << 13); }
#else
static uint32_t rounding(void)
{
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return (uint32_t)(word >> 22) & 3u;
}
static void set_rounding(uint32_t way)
{
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    word = (word & ~((uint64_t)3 << 22)) | (uint64_t)way << 22;
    __asm__ volatile("msr fpcr, %0" : : "r"(word));
}
#endif

static uint32_t kept[FIBERS];

static void round_its_own_way(void *argument)
{
    uint32_t self = *(uint32_t *)argument;
    set_rounding(self % 4u);
    for (;;) {
        hand_over(self);
        kept[self] = rounding() == self % 4u;
    }
}

static void given_fibers_that_set_the_rounding_mode_none_changes_anothers(void **state)
{
    (void)state;
    uint32_t before = rounding();
    for (uint32_t i = 0; i < FIBERS; i++) rk_fiber_arm(&ring.fibers[i], round_its_own_way, &numbers[i]);
    for (uint32_t round = 0; round < 3; round++) {
        rk_fiber_switch(&ring.thread, &ring.fibers[0]);
        assert_int_equal(rounding(), before);
    }
    for (uint32_t i = 0; i < FIBERS; i++) assert_true(kept[i]);
}

static uint32_t deep(uint32_t self, uint32_t depth)
{
    volatile uint8_t frame[256];
    memset((void *)frame, (int)depth, sizeof frame);
    if (depth == 0) {
        hand_over(self);
        return frame[17];
    }
    return frame[17] + deep(self, depth - 1u);
}

static void go_deep(void *argument)
{
    uint32_t self = *(uint32_t *)argument;
    for (;;) {
        ring.seen[self] = deep(self, 40);
        hand_over(self);
    }
}

static void given_a_discarded_fiber_its_stack_serves_another_body(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < FIBERS; i++) rk_fiber_arm(&ring.fibers[i], go_deep, &numbers[i]);
        rk_fiber_switch(&ring.thread, &ring.fibers[0]);
        for (uint32_t i = 0; i < FIBERS; i++) rk_fiber_discard(&ring.fibers[i]); /* each is 41 calls deep */
    }
    for (uint32_t i = 0; i < FIBERS; i++) rk_fiber_arm(&ring.fibers[i], go_deep, &numbers[i]);
    rk_fiber_switch(&ring.thread, &ring.fibers[0]);
    rk_fiber_switch(&ring.thread, &ring.fibers[0]);
    for (uint32_t i = 0; i < FIBERS; i++) assert_int_equal(ring.seen[i], 40 * 41 / 2);
}

static uint32_t mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    uint32_t lines = 0;
    assert_non_null(maps);
    for (int c = fgetc(maps); c != EOF; c = fgetc(maps)) lines += c == '\n';
    fclose(maps);
    return lines;
}

static void given_fibers_made_and_destroyed_nothing_stays_mapped(void **state)
{
    (void)state;
    uint32_t before = 0;
    for (uint32_t round = 0; round < 300; round++) {
        rk_fiber fiber;
        if (round == 100) before = mappings(); /* by then the C library has what it keeps */
        assert_int_equal(rk_fiber_create(&fiber, round), RK_OK);
        rk_fiber_destroy(&fiber);
        rk_fiber_destroy(&fiber); /* a second time does nothing */
    }
#if defined(RK_FIBER_ASAN) || defined(RK_FIBER_TSAN)
    (void)before;
#else
    assert_true(mappings() <= before + 2u);
#endif
}

static int frames;

static void look_back(void *argument)
{
    void *callers[64];
    uint32_t self = *(uint32_t *)argument;
    frames = backtrace(callers, 64);
    for (;;) hand_over(self);
}

static void given_a_backtrace_on_a_fiber_it_ends_where_the_fiber_began(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FIBERS; i++) rk_fiber_arm(&ring.fibers[i], look_back, &numbers[i]);
    rk_fiber_switch(&ring.thread, &ring.fibers[0]);
    assert_true(frames >= 2 && frames <= 6); /* the body, what calls it, where it began */
}

#if !defined(RK_FIBER_ASAN) && !defined(RK_FIBER_TSAN) /* they report it in their own way */
static uint32_t bottomless(uint32_t depth)
{
    volatile uint8_t frame[1024];
    frame[depth % sizeof frame] = (uint8_t)depth;
    return depth == UINT32_MAX ? 0u : bottomless(depth + 1u) + frame[depth % sizeof frame];
}

static void overflow(void *argument)
{
    (void)argument;
    for (;;) ring.seen[0] = bottomless(0);
}

static void given_a_body_that_needs_too_much_stack_the_guard_page_stops_it(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        rk_fiber_arm(&ring.fibers[3], overflow, NULL);
        rk_fiber_switch(&ring.thread, &ring.fibers[3]);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(given_many_switches_each_fiber_keeps_its_own_values, open_ring,
                                        close_ring),
        cmocka_unit_test_setup_teardown(given_fibers_that_set_the_rounding_mode_none_changes_anothers,
                                        open_ring, close_ring),
        cmocka_unit_test_setup_teardown(given_a_discarded_fiber_its_stack_serves_another_body, open_ring,
                                        close_ring),
        cmocka_unit_test_setup_teardown(given_fibers_made_and_destroyed_nothing_stays_mapped, open_ring,
                                        close_ring),
        cmocka_unit_test_setup_teardown(given_a_backtrace_on_a_fiber_it_ends_where_the_fiber_began, open_ring,
                                        close_ring),
#if !defined(RK_FIBER_ASAN) && !defined(RK_FIBER_TSAN)
        cmocka_unit_test_setup_teardown(given_a_body_that_needs_too_much_stack_the_guard_page_stops_it,
                                        open_ring, close_ring),
#endif
    };
    return cmocka_run_group_tests_name("fiber", tests, NULL, NULL);
}
