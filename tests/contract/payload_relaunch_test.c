/* Messages of every size and a kernel that is launched again, after a failed batch or for other options: what was under
 * way arrives whole. */
#include <ringkernel/kernel.h>

#include "payload.h"

/* ------------------------------------------------------------------ a failed batch */

/* Sent on before the failure, a large payload is another's: it is there once. A small one is copied, and
 * there twice. */
static void a_load_is_whole_when_its_batch_failed_after_it_was_sent_on(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < LARGE_SHAPES; s++)
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            /* given three kernels in a row, of which the middle one fails between publishing and committing
             * */
            const load *of = &loads[n];
            rk_launch_options o = shaped(&shapes[s]);
            const char *kernel = kernel_for("pass", of);
            rk_kernel first = launch(c, "first", kernel, &o), middle = launch(c, "middle", kernel, &o);
            rk_kernel last = launch_active(c, "last", kernel, &o);
            rk_u32 times = of->most > SMALL_MOST ? 1 : 2;
            o.kernel_name = in_style(c, kernel);
            assert_ok(rk_connect(c->runtime, first, 0, middle, 0));
            assert_ok(rk_connect(c->runtime, middle, 0, last, 0));
            assert_ok(rk_activate(c->runtime, first));
            for (rk_u32 i = 0; i < 3; i++) {
                paint(b.sent, of->most, i);
                assert_ok(rk_send(c->runtime, first, of->type, b.sent, of->most, 0));
            }
            wait_until(c, account_of(c, first).delivered == 3 && account_of(c, middle).queued == 3);
            assert_ok(rk_fail_before_commit(c->runtime, middle));
            assert_ok(rk_activate(c->runtime, middle));
            wait_until(c, info_of(c, middle).life == RK_LIFE_FAILED);
            for (rk_u32 i = 0; i < 3; i++) {
                paint(b.sent, of->most, i);
                assert_arrives(c, last, of, &b, of->most);
            }

            /* when its blocks are used for other messages, and then it is launched again */
            for (rk_u32 i = 3; i < 6; i++) {
                paint(b.sent, of->most, i);
                assert_ok(rk_send(c->runtime, first, of->type, b.sent, of->most, 0));
            }
            wait_until(c, account_of(c, first).delivered == 6);
            assert_ok(rk_relaunch(c->runtime, middle, &o, CONTRACT_PATIENCE));

            /* then everything arrives whole, and is accounted for */
            for (rk_u32 i = times == 1 ? 3 : 0; i < 6; i++) {
                paint(b.sent, of->most, i);
                assert_arrives(c, last, of, &b, of->most);
            }
            wait_until(c, account_of(c, middle).delivered == 6 && account_of(c, middle).balanced);
            assert_int_equal(account_of(c, middle).accepted, 6);
            for (rk_u32 i = 0; i < 20 && of->most <= MEDIUM_MOST; i++) { /* and no block is given to two */
                paint(b.sent, of->most, i);
                assert_ok(rk_send(c->runtime, first, of->type, b.sent, of->most, 0));
                assert_arrives(c, last, of, &b, of->most);
            }
            rk_kernel all[] = { first, middle, last };
            assert_ok(rk_drain(c->runtime, all, 3, CONTRACT_PATIENCE));
            for (rk_u32 k = 0; k < 3; k++) assert_ok(rk_terminate(c->runtime, all[k], CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

static void a_dead_load_stays_dead_when_its_batch_failed(contract *c)
{
    buffers b = make_buffers();
    for (size_t s = 0; s < LARGE_SHAPES; s++)
        for (size_t n = 0; n < loads_for(c, &shapes[s]); n++) {
            const load *of = &loads[n];
            rk_launch_options o = shaped(&shapes[s]);
            rk_kernel refuse = launch(c, "refuse", kernel_for("refuse", of), &o);
            rk_dead_letter letter;
            rk_u32 times = of->most > SMALL_MOST ? 1 : 2;
            o.kernel_name = in_style(c, kernel_for("refuse", of));
            for (rk_u32 i = 0; i < 3; i++) {
                paint(b.sent, of->most, i);
                assert_ok(rk_send(c->runtime, refuse, of->type, b.sent, of->most, 0));
            }
            assert_ok(rk_fail_before_commit(c->runtime, refuse));
            assert_ok(rk_activate(c->runtime, refuse));
            wait_until(c,
                       account_of(c, refuse).dead_letters == 3 && info_of(c, refuse).life == RK_LIFE_FAILED);
            assert_ok(rk_relaunch(c->runtime, refuse, &o, CONTRACT_PATIENCE));
            wait_until(c, account_of(c, refuse).dead == 3 && account_of(c, refuse).dead_letters == 3 * times);
            assert_true(account_of(c, refuse).balanced);
            for (rk_u32 i = 0; i < 3 * times; i++) {
                paint(b.sent, of->most, i % 3);
                assert_ok(rk_receive_dead(c->runtime, refuse, b.got, of->most, &letter, RK_NO_WAIT));
                assert_memory_equal(b.got, b.sent, of->most);
            }
            assert_ok(rk_terminate(c->runtime, refuse, CONTRACT_PATIENCE));
        }
    free_buffers(&b);
}

/* ------------------------------------------------------------------ relaunch */

static void large_messages_stay_where_they_are_through_relaunches(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = small(16);
    o.pool_blocks = 20;
    o.queue_capacity = 32;
    rk_kernel pass = launch(c, "pass", "pass_medium", &o);
    o.kernel_name = "pass_medium";
    send_painted(c, pass, of, &b, 0, 12);

    /* given 12 large messages queued, when it gets fewer blocks than that, in slots of other formats */
    o.pool_blocks = 2;
    o.slot_format = RK_FORMAT_UNIT;
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE));
    o.slot_format = RK_FORMAT_SEQ;
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE));
    o.slot_format = RK_FORMAT_UNIT;
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE));
    assert_ok(rk_activate(c->runtime, pass));
    wait_until(c, account_of(c, pass).output_queued == 12);
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE)); /* on their way to the host */
    o.slot_format = RK_FORMAT_SEQ;
    assert_ok(rk_relaunch(c->runtime, pass, &o, CONTRACT_PATIENCE));
    assert_painted_arrive(c, pass, of, &b, 0, 12);
    assert_all_blocks_are_back(c, pass, of, &b, 2);
    free_buffers(&b);
}

static const contract_case cases[] = {
    { CASE(a_load_is_whole_when_its_batch_failed_after_it_was_sent_on), ON_EVERY },
    { CASE(a_dead_load_stays_dead_when_its_batch_failed), ON_EVERY },
    { CASE(large_messages_stay_where_they_are_through_relaunches), NEEDS_REGIONS },
};

CONTRACT_MAIN("payload relaunch", cases)
