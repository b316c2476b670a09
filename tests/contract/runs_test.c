/* Runs of messages that one call sends, and one call takes: which ids they have, and from which shards they
 * come. */
#include "probes.h"

/* Given a kernel whose messages have ids, in slots of each format, when runs are sent with an id, then each
 * message of a run has the next one, over the ring's end as well; without one, none has any. */
static void the_ids_of_a_run_count_up(contract *c)
{
    enum { MOST = 48 };
    static const rk_u32 lengths[] = { 1, 2, 31, 32, 33, MOST };
    probe sent[MOST], got[MOST];
    rk_received infos[MOST];
    for (rk_u32 way = 0; way < 3; way++) {
        rk_launch_options o = small(64);
        o.requests = 1; /* long headers on a plain lane */
        o.slot_format = way == 1 ? RK_FORMAT_UNIT : RK_FORMAT_SEQ;
        if (way == 2) o.deduplication_window = 64; /* and on a locked one */
        rk_kernel k = launch_echo(c, &o);
        rk_u64 id = 1ull << 40;
        for (rk_u32 round = 0; round < 24; round++) {
            const rk_u32 n = lengths[round % 6], with_id = round % 4 != 3;
            size_t accepted, received = 0, more;
            rk_send_options options = RK_SEND_DEFAULTS;
            options.id = with_id ? id : 0;
            for (rk_u32 i = 0; i < n; i++) sent[i] = (probe){ i, round };
            assert_ok(
                rk_send_many(c->runtime, k, RK_TYPE_ID(probe), sent, sizeof *sent, n, &options, &accepted));
            assert_int_equal(accepted, n);
            while (received < n) {
                settle(c);
                assert_ok(rk_receive_many(c->runtime, k, got + received, sizeof *got, n - received,
                                          infos + received, CONTRACT_PATIENCE, &more));
                received += more;
            }
            for (rk_u32 i = 0; i < n; i++) {
                assert_int_equal(got[i].number, i);
                assert_int_equal(got[i].sender, round);
                assert_int_equal(infos[i].id, with_id ? id + i : 0);
            }
            id += n;
        }
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

/* Given messages with options of their own, of which the fourth can't be accepted, then those before it are,
 * and none behind it. */
static void of_messages_with_their_own_options_those_before_the_first_refused_are_sent(contract *c)
{
    rk_launch_options o = small(64);
    o.deduplication_window = 64;
    rk_kernel k = launch_echo(c, &o);
    probe sent[6];
    rk_send_options each[6];
    size_t accepted = 9;
    for (rk_u32 i = 0; i < 6; i++) {
        sent[i] = (probe){ i, 0 };
        each[i] = (rk_send_options)RK_SEND_DEFAULTS;
        each[i].id = i == 3 ? 1 : i + 1;
    }
    assert_status(rk_send_each(c->runtime, k, RK_TYPE_ID(probe), sent, sizeof *sent, 6, each, &accepted),
                  RK_DUPLICATE);
    assert_int_equal(accepted, 3);
    assert_status(
        rk_send_each(c->runtime, k, RK_TYPE_ID(probe), sent + 4, sizeof *sent + 1, 2, each + 4, &accepted),
        RK_TOO_LARGE);
    assert_int_equal(accepted, 0);
    assert_ok(rk_send_each(c->runtime, k, RK_TYPE_ID(probe), sent + 4, sizeof *sent, 2, each + 4, &accepted));
    assert_int_equal(accepted, 2);
    for (rk_u32 i = 0; i < 6; i++)
        if (i != 3) assert_next(c, k, i);
    wait_until(c, account_of(c, k).delivered == 5);
    assert_int_equal(account_of(c, k).refused_duplicate, 1);
    assert_int_equal(account_of(c, k).refused_invalid, 1);
}

/* Given four shards of which each has sent many, when they are taken one by one, then each shard has its
 * turn. */
static void who_takes_one_by_one_takes_from_each_shard_in_turn(contract *c)
{
    enum { SHARDS = 4, OF_EACH = 8 };
    rk_launch_options o = small(64);
    o.shards = SHARDS;
    o.blocks = SHARDS;
    rk_kernel k = launch_echo(c, &o);
    for (rk_u32 i = 0; i < SHARDS * OF_EACH; i++) {
        probe p = { i, 0 };
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = i / OF_EACH;
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), &to));
    }
    wait_until(c, account_of(c, k).delivered == SHARDS * OF_EACH); /* and so all that was sent is there */
    rk_u32 had[SHARDS] = { 0 };
    for (rk_u32 i = 0; i < SHARDS * OF_EACH; i++) {
        probe p;
        rk_received info;
        receive_with(c, k, &p, &info);
        assert_int_equal(p.number, info.shard * OF_EACH + had[info.shard]);
        had[info.shard]++;
        if (i % SHARDS == SHARDS - 1)
            for (rk_u32 s = 0; s < SHARDS; s++) assert_int_equal(had[s], i / SHARDS + 1);
    }
}

static const contract_case cases[] = {
    { CASE(the_ids_of_a_run_count_up), NEEDS_REGIONS },
    { CASE(of_messages_with_their_own_options_those_before_the_first_refused_are_sent), ON_EVERY },
    { CASE(who_takes_one_by_one_takes_from_each_shard_in_turn), ON_EVERY },
};

CONTRACT_MAIN("runs", cases)
