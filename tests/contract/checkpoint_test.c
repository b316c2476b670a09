/* Checkpoints on disk: taken while messages flow, by count and by time; full and incremental; and whichever is torn,
 * damaged or foreign is passed over with its reason, and the one before is used. */
#include "probes.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ringkernel/checkpoint.h>
#include <ringkernel/supervise.h>

#include "versions.h"

typedef struct adder {
    rk_i64 sum;
    rk_u32 count, redelivered;
} adder;

static char folder[64];

static const char *new_folder(void)
{
    strcpy(folder, "/tmp/rk-checkpoint-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void remove_folder(void)
{
    const char *const names[] = { "data.mdb", "lock.mdb", "lock" };
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static rk_checkpoints *open_with(contract *c, const rk_kernel *k, const rk_checkpoint_options *o)
{
    rk_checkpoints *checkpoints;
    assert_ok(rk_checkpoints_open(c->runtime, folder, k, 1, o, &checkpoints));
    return checkpoints;
}

static rk_kernel launch_adder(contract *c, rk_u32 shards)
{
    rk_launch_options o = small(1024);
    o.shards = shards;
    return launch(c, "adder", "adder", &o);
}

static int is_at_rest(contract *c, rk_kernel k)
{
    rk_account a = account_of(c, k);
    return a.balanced && !a.queued;
}

/* Add `count` ones, and take the answers. */
static void add(contract *c, rk_kernel k, rk_u32 count)
{
    for (rk_u32 i = 0; i < count; i++) {
        amount a = { 1 };
        total t;
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
        receive(c, k, &t);
    }
    wait_until(c, is_at_rest(c, k));
}

static adder state_of(contract *c, rk_kernel k, rk_u32 shard)
{
    adder state;
    assert_ok(rk_read_state(c->runtime, k, shard, &state, sizeof state));
    return state;
}

static rk_checkpoint_metrics metrics_of_checkpoints(rk_checkpoints *checkpoints)
{
    rk_checkpoint_metrics m;
    assert_ok(rk_checkpoints_metrics(checkpoints, &m));
    return m;
}

/* A new runtime with the adder just launched, and what the restore answers. */
static rk_status restore_anew(contract *c, rk_kernel *k, rk_checkpoints **checkpoints, rk_restored *restored)
{
    rk_runtime_options options = contract_runtime_options(c);
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .full_every = 1 };
    contract_reopen(c, &options);
    *k = launch_adder(c, 1);
    *checkpoints = open_with(c, k, &o);
    return rk_checkpoints_restore(*checkpoints, restored);
}

/* So many checkpoints, with 10, 20 … added. */
static void make(contract *c, rk_u32 count, rk_u32 full_every)
{
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .full_every = full_every };
    new_folder();
    rk_kernel k = launch_adder(c, 1);
    assert_ok(rk_activate(c->runtime, k));
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    for (rk_u32 i = 0; i < count; i++) {
        add(c, k, 10);
        assert_ok(rk_checkpoint(checkpoints));
    }
    rk_checkpoints_close(checkpoints);
}

static void make_three(contract *c, rk_u32 full_every) { make(c, 3, full_every); }

static void the_newest_checkpoint_is_restored_and_the_next_follows_it(contract *c)
{
    rk_kernel k;
    rk_checkpoints *checkpoints;
    rk_restored restored;
    rk_snapshot_kernel told;
    make_three(c, 1);
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(restored.number, 3);
    assert_int_equal(restored.refused, 0);
    assert_true(restored.wall_ns > RK_SECONDS(1600000000));
    assert_int_equal(state_of(c, k, 0).sum, 30);
    assert_ok(rk_checkpoints_describe(checkpoints, 0, &told));
    assert_string_equal(told.id, "adder");
    assert_int_equal(told.account.accepted_host, 30);
    assert_status(rk_checkpoints_describe(checkpoints, 1, &told), RK_NO_SUCH_KERNEL);
    assert_ok(rk_activate(c->runtime, k));
    add(c, k, 5);
    assert_ok(rk_checkpoint(checkpoints));
    assert_int_equal(metrics_of_checkpoints(checkpoints).newest, 4);
    rk_checkpoints_close(checkpoints);
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(state_of(c, k, 0).sum, 35);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void an_empty_folder_has_none(contract *c)
{
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS };
    rk_restored restored;
    new_folder();
    rk_kernel k = launch_adder(c, 1);
    rk_checkpoints *checkpoints = open_with(c, &k, &o), *second;
    assert_status(rk_checkpoints_restore(checkpoints, &restored), RK_EMPTY);
    assert_int_equal(metrics_of_checkpoints(checkpoints).kept, 0);
    assert_status(rk_checkpoints_open(c->runtime, folder, &k, 1, &o, &second), RK_IN_USE);
    rk_checkpoints_close(checkpoints);
    o.keep = 1001;
    assert_status(rk_checkpoints_open(c->runtime, folder, &k, 1, &o, &second), RK_INVALID_OPTIONS);
    assert_error_says("1001");

    /* Several mistakes are told together. */
    const rk_kernel wrong[] = { { 77, 1 }, k, k, { 78, 2 } };
    o.options_ = 1;
    assert_status(rk_checkpoints_open(c->runtime, folder, wrong, 4, &o, &second), RK_INVALID_OPTIONS);
    static const char *const said[] = { "1001", "the gap", "77.1", "'adder' is given twice", "78.2" };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) assert_error_says(said[i]);
    assert_status(rk_checkpoints_open(c->runtime, folder, wrong, 4, 0, &second), RK_NO_SUCH_KERNEL);
    assert_status(rk_checkpoints_open(c->runtime, folder, wrong + 1, 2, 0, &second), RK_INVALID_ARGUMENT);
    assert_null(second);
    remove_folder();
}

static rk_status by_checkpoints(contract *c, void *options)
{
    rk_checkpoints *checkpoints;
    rk_kernel k;
    assert_ok(rk_find(c->runtime, "adder", &k));
    rk_status status = rk_checkpoints_open(c->runtime, folder, &k, 1, options, &checkpoints);
    if (status == RK_OK) rk_checkpoints_close(checkpoints);
    return status;
}

static void options_may_be_an_older_or_a_newer_callers(contract *c)
{
    const rk_checkpoint_options options = { RK_CHECKPOINT_OPTIONS };
    const structure row = STRUCTURE("rk_checkpoints_open", "checkpoint options", &options, by_checkpoints);
    launch_adder(c, 1);
    new_folder();
    assert_versions_are_told_apart(c, &row);
    remove_folder();
}

static void an_incremental_one_has_only_the_blocks_that_differ(contract *c)
{
    /* given 50,000 actors, of which one changes */
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .full_every = 3 };
    rk_launch_options launch_options = small(16);
    rk_restored restored;
    launch_options.actors = 50000;
    new_folder();
    rk_kernel k = launch_active(c, "counter", "counter", &launch_options);
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    for (rk_u32 i = 1; i <= 4; i++) {
        tick t = { 49999, 0 };
        ticked said;
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = 49999;
        assert_ok(rk_send(c->runtime, k, RK_BODY(t), &to));
        receive(c, k, &said);
        wait_until(c, is_at_rest(c, k));
        assert_ok(rk_checkpoint(checkpoints));
        rk_checkpoint_metrics m = metrics_of_checkpoints(checkpoints);
        assert_true(m.bytes > 50000 * sizeof(ticked));
        if (i == 1 || i == 4)
            assert_int_equal(m.written, m.bytes); /* full */
        else
            assert_true(m.written <= 6 * RK_CHECKPOINT_BLOCK);
        assert_int_equal(m.full, i == 4 ? 2 : 1);
    }
    rk_checkpoints_close(checkpoints);
    rk_runtime_options options = contract_runtime_options(c);
    contract_reopen(c, &options);
    k = launch(c, "counter", "counter", &launch_options);
    checkpoints = open_with(c, &k, &o);
    assert_ok(rk_checkpoints_restore(checkpoints, &restored));
    ticked state;
    assert_ok(rk_read_state(c->runtime, k, 49999, &state, sizeof state));
    assert_int_equal(state.count, 4);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void after_a_restore_the_group_goes_on_where_it_was(contract *c)
{
    /* given a full one and an incremental one of three */
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .full_every = 3 };
    rk_launch_options launch_options = small(16);
    rk_runtime_options options = contract_runtime_options(c);
    rk_restored restored;
    launch_options.actors = 20000;
    new_folder();
    rk_kernel k = launch_active(c, "counter", "counter", &launch_options);
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_checkpoint(checkpoints));
    rk_checkpoints_close(checkpoints);

    /* when it goes on in another process, then the third has what differs, and the fourth all */
    contract_reopen(c, &options);
    k = launch(c, "counter", "counter", &launch_options);
    checkpoints = open_with(c, &k, &o);
    assert_ok(rk_checkpoints_restore(checkpoints, &restored));
    assert_int_equal(restored.number, 2);
    assert_ok(rk_activate(c->runtime, k));
    assert_ok(rk_checkpoint(checkpoints));
    rk_checkpoint_metrics m = metrics_of_checkpoints(checkpoints);
    assert_int_equal(m.full, 0);
    assert_true(m.written <= 6 * RK_CHECKPOINT_BLOCK && m.bytes > 20 * RK_CHECKPOINT_BLOCK);
    assert_ok(rk_checkpoint(checkpoints));
    m = metrics_of_checkpoints(checkpoints);
    assert_int_equal(m.full, 1);
    assert_int_equal(m.written, m.bytes);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void old_ones_go_but_two_full_ones_stay_to_build_on(contract *c)
{
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .keep = 3, .full_every = 8 };
    new_folder();
    rk_kernel k = launch_adder(c, 1);
    rk_restored restored;
    assert_ok(rk_activate(c->runtime, k));
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    for (rk_u32 i = 1; i <= 30; i++) {
        add(c, k, 1);
        assert_ok(rk_checkpoint(checkpoints));
        assert_int_equal(metrics_of_checkpoints(checkpoints).kept, i < 3 ? i : 3);
    }
    rk_checkpoints_close(checkpoints);

    /* The blocks that are left are those of three checkpoints, and each of them can be read. */
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(restored.number, 30);
    assert_int_equal(state_of(c, k, 0).sum, 30);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

/* ------------------------------------------------------------------ damage */

/* Change what the store has under a key, by the given function; a key of 16 bytes is a block's. */
static void damage(const char *table, rk_u64 number, rk_u64 place,
                   void (*how)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *))
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    rk_u8 key[16];
    for (int i = 0; i < 8; i++) {
        key[i] = (rk_u8)(number >> (56 - 8 * i));
        key[8 + i] = (rk_u8)(place >> (56 - 8 * i));
    }
    MDB_val name = { strcmp(table, "blocks") == 0 ? 16 : 8, key }, value;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 2), 0);
    assert_int_equal(mdb_env_set_mapsize(env, 1u << 28), 0);
    assert_int_equal(mdb_env_open(env, folder, 0, 0666), 0);
    assert_int_equal(mdb_txn_begin(env, 0, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
    assert_int_equal(mdb_get(txn, dbi, &name, &value), 0);
    how(txn, dbi, &name, &value);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void put_changed(MDB_txn *txn, MDB_dbi dbi, MDB_val *name, const MDB_val *value, size_t flip,
                        size_t size)
{
    rk_u8 *copy = malloc(value->mv_size);
    assert_non_null(copy);
    memcpy(copy, value->mv_data, value->mv_size);
    copy[flip] ^= 0x10;
    assert_int_equal(mdb_put(txn, dbi, name, &(MDB_val){ size, copy }, 0), 0);
    free(copy);
}

static void flip_first(MDB_txn *txn, MDB_dbi dbi, MDB_val *name, MDB_val *value)
{
    put_changed(txn, dbi, name, value, 0, value->mv_size);
}
static void flip_middle(MDB_txn *txn, MDB_dbi dbi, MDB_val *name, MDB_val *value)
{
    put_changed(txn, dbi, name, value, value->mv_size / 2, value->mv_size);
}
static void flip_last(MDB_txn *txn, MDB_dbi dbi, MDB_val *name, MDB_val *value)
{
    put_changed(txn, dbi, name, value, value->mv_size - 1, value->mv_size);
}
static void cut_short(MDB_txn *txn, MDB_dbi dbi, MDB_val *name, MDB_val *value)
{
    put_changed(txn, dbi, name, value, 0, value->mv_size / 2);
}
static void cut_to_nothing(MDB_txn *txn, MDB_dbi dbi, MDB_val *name, MDB_val *value)
{
    put_changed(txn, dbi, name, value, 0, 1);
}
static void take_away(MDB_txn *txn, MDB_dbi dbi, MDB_val *name, MDB_val *value)
{
    (void)value;
    assert_int_equal(mdb_del(txn, dbi, name, 0), 0);
}

static void a_damaged_checkpoint_is_passed_over_with_its_reason(contract *c)
{
    static const struct {
        const char *table;
        rk_u64 place;
        void (*how)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *);
        const char *says;
    } row[] = {
        { "blocks", 0, flip_first, "block 0" },      { "blocks", 0, flip_middle, "checksum" },
        { "blocks", 0, flip_last, "checksum" },      { "blocks", 0, cut_short, "checksum" },
        { "blocks", 0, take_away, "missing" },       { "manifests", 0, flip_first, "manifest" },
        { "manifests", 0, flip_middle, "manifest" }, { "manifests", 0, flip_last, "manifest" },
        { "manifests", 0, cut_short, "manifest" },   { "manifests", 0, cut_to_nothing, "cut" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rk_kernel k;
        rk_checkpoints *checkpoints;
        rk_restored restored;
        make_three(c, 1);
        damage(row[i].table, 3, row[i].place, row[i].how);
        assert_ok(restore_anew(c, &k, &checkpoints, &restored));
        assert_int_equal(restored.number, 2);
        assert_int_equal(restored.refused, 1);
        contract_assert_says(restored.reasons, "checkpoint 3", __FILE__, __LINE__);
        contract_assert_says(restored.reasons, row[i].says, __FILE__, __LINE__);
        assert_int_equal(state_of(c, k, 0).sum, 20);
        /* It goes on, and the damaged one is pruned in its turn, with its blocks. */
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 n = 0; n < 4; n++) {
            add(c, k, 1);
            assert_ok(rk_checkpoint(checkpoints));
        }
        assert_int_equal(metrics_of_checkpoints(checkpoints).kept, 3);
        rk_checkpoints_close(checkpoints);
        assert_ok(restore_anew(c, &k, &checkpoints, &restored));
        assert_int_equal(restored.number, 7);
        assert_int_equal(state_of(c, k, 0).sum, 24);
        rk_checkpoints_close(checkpoints);
        remove_folder();
        rk_runtime_options options = contract_runtime_options(c);
        contract_reopen(c, &options);
    }
}

/* A byte of the root page of the newest transaction of LMDB 0.9. */
static void damage_newest_transaction(void)
{
    char path[128];
    rk_u64 root[2], transaction[2];
    rk_u8 byte;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    int file = open(path, O_RDWR);
    for (rk_u32 i = 0; i < 2; i++) {
        assert_int_equal(pread(file, &root[i], 8, 4096 * i + 128), 8);
        assert_int_equal(pread(file, &transaction[i], 8, 4096 * i + 144), 8);
    }
    off_t at = (off_t)(4096 * root[transaction[1] > transaction[0]]);
    assert_int_equal(pread(file, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(file, &byte, 1, at), 1);
    close(file);
}

static void of_a_damaged_store_the_checkpoint_before_is_restored(contract *c)
{
    rk_kernel k;
    rk_checkpoints *checkpoints;
    rk_restored restored;
    make_three(c, 1);
    damage_newest_transaction();
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(restored.number, 2);
    assert_int_equal(restored.refused, 1);
    contract_assert_says(restored.reasons, "the newest transaction of the store: page ", __FILE__, __LINE__);
    assert_int_equal(state_of(c, k, 0).sum, 20);
    assert_ok(rk_activate(c->runtime, k));
    add(c, k, 1);
    assert_ok(rk_checkpoint(checkpoints));
    rk_checkpoints_close(checkpoints);
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(restored.number, 3);
    assert_int_equal(restored.refused, 0);
    assert_int_equal(state_of(c, k, 0).sum, 21);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void when_all_are_damaged_the_text_says_why_each(contract *c)
{
    rk_kernel k;
    rk_checkpoints *checkpoints;
    rk_restored restored;
    make_three(c, 1);
    for (rk_u64 n = 1; n <= 3; n++) damage("blocks", n, 0, n == 2 ? take_away : flip_first);
    assert_status(restore_anew(c, &k, &checkpoints, &restored), RK_CORRUPT);
    assert_error_says("checkpoint 1");
    assert_error_says("checkpoint 2: block 0 of 1 is missing");
    assert_int_equal(restored.refused, 3);
    assert_int_equal(account_of(c, k).accepted, 0);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void a_foreign_or_cut_store_is_refused(contract *c)
{
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS };
    rk_checkpoints *checkpoints;
    rk_restored restored;
    char path[128];
    rk_kernel k;

    /* Checkpoints of another kernel under the same id. */
    make_three(c, 1);
    rk_runtime_options options = contract_runtime_options(c);
    contract_reopen(c, &options);
    rk_launch_options plain = small(16);
    k = launch(c, "adder", "echo", &plain);
    checkpoints = open_with(c, &k, &o);
    assert_status(rk_checkpoints_restore(checkpoints, &restored), RK_CORRUPT);
    assert_error_says("ran kernel 'adder' then");
    rk_checkpoints_close(checkpoints);

    /* The file cut. */
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    assert_int_equal(truncate(path, 3 * 4096), 0);
    assert_status(rk_checkpoints_open(c->runtime, folder, &k, 1, &o, &checkpoints), RK_CORRUPT);
    assert_error_says("cut");

    /* Something else. */
    int file = open(path, O_WRONLY | O_TRUNC);
    char noise[16384];
    memset(noise, 'x', sizeof noise);
    assert_int_equal(write(file, noise, sizeof noise), sizeof noise);
    close(file);
    assert_status(rk_checkpoints_open(c->runtime, folder, &k, 1, &o, &checkpoints), RK_CORRUPT);
    remove_folder();

    /* An LMDB store of something else. */
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    new_folder();
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, folder, 0, 0666), 0);
    assert_int_equal(mdb_txn_begin(env, 0, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, 0, 0, &dbi), 0);
    MDB_val word = { 5, noise };
    assert_int_equal(mdb_put(txn, dbi, &word, &word, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_status(rk_checkpoints_open(c->runtime, folder, &k, 1, &o, &checkpoints), RK_INCOMPATIBLE);
    assert_error_says("something else");
    remove_folder();
}

static void a_newest_checkpoint_of_another_kernel_is_passed_over_with_its_reason(contract *c)
{
    /* given two of an adder, and a third of an echo that was launched under its id */
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS };
    rk_launch_options plain = small(16);
    rk_runtime_options options = contract_runtime_options(c);
    rk_checkpoints *checkpoints;
    rk_restored restored;
    make(c, 2, 1);
    contract_reopen(c, &options);
    rk_kernel k = launch(c, "adder", "echo", &plain);
    checkpoints = open_with(c, &k, &o);
    assert_ok(rk_checkpoint(checkpoints));
    assert_int_equal(metrics_of_checkpoints(checkpoints).newest, 3);
    rk_checkpoints_close(checkpoints);

    /* when an adder is restored, then it is from the second */
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(restored.number, 2);
    assert_int_equal(restored.refused, 1);
    contract_assert_says(restored.reasons, "checkpoint 3: ", __FILE__, __LINE__);
    contract_assert_says(restored.reasons, "'adder' ran kernel 'echo' then", __FILE__, __LINE__);
    assert_int_equal(state_of(c, k, 0).sum, 20);

    /* and its next one is newer than the foreign one, and is what comes back */
    assert_ok(rk_activate(c->runtime, k));
    add(c, k, 1);
    assert_ok(rk_checkpoint(checkpoints));
    assert_int_equal(metrics_of_checkpoints(checkpoints).newest, 4);
    rk_checkpoints_close(checkpoints);
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(restored.number, 4);
    assert_int_equal(restored.refused, 0);
    assert_int_equal(state_of(c, k, 0).sum, 21);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

/* ------------------------------------------------------------------ by count and by time */

static void one_is_taken_each_so_many_messages(contract *c)
{
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .every_messages = 100 };
    new_folder();
    rk_kernel k = launch_adder(c, 1);
    assert_ok(rk_activate(c->runtime, k));
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    for (rk_u32 i = 1; i <= 3; i++) {
        add(c, k, 99);
        assert_int_equal(metrics_of_checkpoints(checkpoints).taken, i - 1);
        add(c, k, 1);
        if (c->variant->single_step) assert_ok(rk_checkpoint_if_due(checkpoints));
        wait_until(c, metrics_of_checkpoints(checkpoints).taken == i);
        assert_status(rk_checkpoint_if_due(checkpoints), RK_EMPTY);
    }
    assert_int_equal(metrics_of_checkpoints(checkpoints).pause.count, 3);
    assert_true(metrics_of_checkpoints(checkpoints).pause.max_ns > 0);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void one_is_taken_each_so_much_time(contract *c)
{
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .every_ns = RK_SECONDS(10) };
    new_folder();
    rk_kernel k = launch_adder(c, 1);
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    for (rk_u32 i = 1; i <= 3; i++) {
        let_pass(c, RK_SECONDS(10) - 1);
        assert_status(rk_checkpoint_if_due(checkpoints), RK_EMPTY);
        let_pass(c, 1);
        assert_ok(rk_checkpoint_if_due(checkpoints));
    }
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void the_library_takes_one_each_so_much_time_by_itself(contract *c)
{
    /* given a kernel that has nothing to do, and nobody who asks whether one is due */
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .every_ns = RK_MILLISECONDS(5) };
    rk_launch_options plain = small(16);
    new_folder();
    rk_kernel k = launch_echo(c, &plain);
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    wait_until(c, metrics_of_checkpoints(checkpoints).taken >= 3);
    rk_checkpoint_metrics m = metrics_of_checkpoints(checkpoints);
    assert_int_equal(m.failed, 0);
    assert_int_equal(m.newest, m.taken);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void a_checkpoint_that_fails_is_told_and_the_one_before_stays(contract *c)
{
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS };
    new_folder();
    rk_kernel k = launch_adder(c, 1);
    assert_ok(rk_activate(c->runtime, k));
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    add(c, k, 10);
    assert_ok(rk_checkpoint(checkpoints));
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    assert_status(rk_checkpoint(checkpoints), RK_CLOSED);
    rk_checkpoint_metrics m = metrics_of_checkpoints(checkpoints);
    assert_int_equal(m.failed, 1);
    assert_int_equal(m.newest, 1);
    contract_assert_says(m.failure, "drained", __FILE__, __LINE__);
    rk_checkpoints_close(checkpoints);
    rk_restored restored;
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(state_of(c, k, 0).sum, 10);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void after_a_clear_there_is_none_and_the_next_has_all_blocks(contract *c)
{
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS, .full_every = 16 };
    rk_restored restored;
    new_folder();
    rk_kernel k = launch_adder(c, 1);
    assert_ok(rk_activate(c->runtime, k));
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    for (rk_u32 i = 0; i < 2; i++) {
        add(c, k, 10);
        assert_ok(rk_checkpoint(checkpoints));
    }
    assert_int_equal(metrics_of_checkpoints(checkpoints).full, 1);
    assert_ok(rk_checkpoints_clear(checkpoints));
    assert_int_equal(metrics_of_checkpoints(checkpoints).kept, 0);
    add(c, k, 10);
    assert_ok(rk_checkpoint(checkpoints)); /* what it would build on is gone */
    assert_int_equal(metrics_of_checkpoints(checkpoints).full, 2);
    rk_checkpoints_close(checkpoints);
    assert_ok(restore_anew(c, &k, &checkpoints, &restored));
    assert_int_equal(restored.refused, 0);
    assert_int_equal(state_of(c, k, 0).sum, 30);
    assert_ok(rk_checkpoints_clear(checkpoints));
    rk_checkpoints_close(checkpoints);
    assert_status(restore_anew(c, &k, &checkpoints, &restored), RK_EMPTY);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

/* ------------------------------------------------------------------ with a supervisor */

static rk_supervisor *supervise(contract *c, rk_kernel k, rk_checkpoint_child *of)
{
    rk_supervision_options o = { RK_SUPERVISION_OPTIONS };
    rk_supervised child = { k, RK_STATE_RESTORE, 0, rk_checkpoint_state, of };
    rk_supervisor *s;
    assert_ok(rk_supervise(c->runtime, &o, &child, 1, &s));
    return s;
}

static rk_supervisor_info info_of_supervisor(contract *c, rk_supervisor *s)
{
    rk_supervisor_info i;
    if (c->variant->single_step) rk_supervisor_look(s);
    assert_ok(rk_supervisor_information(s, &i));
    return i;
}

/* The next batch is published and fails before it is committed: what comes of it is this total. */
static void fail_at_one_more(contract *c, rk_kernel k, rk_i64 sum)
{
    amount a = { 1 };
    total t;
    assert_ok(rk_fail_before_commit(c->runtime, k));
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    receive(c, k, &t);
    assert_int_equal(t.sum, sum);
}

static void a_kernel_that_failed_begins_with_its_state_of_the_newest_checkpoint(contract *c)
{
    new_folder();
    rk_kernel k = launch_adder(c, 1);
    rk_checkpoints *checkpoints = open_with(c, &k, 0);
    rk_checkpoint_child of = { checkpoints, "adder" };
    rk_supervisor *s = supervise(c, k, &of);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 2; i++) {
        /* given one with and one without a checkpoint behind it */
        add(c, k, 10);
        if (i) assert_ok(rk_checkpoint(checkpoints));
        add(c, k, 5);

        /* when it fails, then the batch comes again, to the state that the checkpoint has, or to zeros */
        fail_at_one_more(c, k, i ? 17 : 16);
        wait_until(c, info_of_supervisor(c, s).restarted == i + 1);
        total again;
        receive(c, k, &again);
        assert_int_equal(again.sum, i ? 12 : 1);
        assert_int_equal(again.count, i ? 12 : 1);
    }
    assert_ok(rk_unsupervise(s));
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void a_kernel_in_the_place_of_one_that_hung_has_its_state_and_its_checkpoints(contract *c)
{
    rk_launch_options o = small(64);
    o.handler_limit_ns = RK_MILLISECONDS(300);
    new_folder();
    rk_kernel k = launch_active(c, "adder", "held_adder", &o), now;
    rk_checkpoints *checkpoints = open_with(c, &k, 0);
    rk_checkpoint_child of = { checkpoints, "adder" };
    rk_supervisor *s = supervise(c, k, &of);
    add(c, k, 10);
    assert_ok(rk_checkpoint(checkpoints));
    add(c, k, 5);

    /* when a handler doesn't return, with another message behind it */
    CLOSE_GATE();
    c->ends_quarantined = 1;
    for (rk_u32 i = 0; i < 2; i++) {
        amount a = { 1 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    }
    wait_until(c, info_of_supervisor(c, s).replaced == 1);
    OPEN_GATE();
    wait_until(c, IN_HANDLERS == 0);

    /* then the next one goes on from the checkpoint, and the old account says what is gone */
    assert_ok(rk_supervised_kernel(s, 0, &now));
    assert_int_equal(account_of(c, k).delivered, 15);
    assert_int_equal(account_of(c, k).queued, 2);
    assert_int_equal(state_of(c, now, 0).sum, 10);
    add(c, now, 1);
    assert_int_equal(state_of(c, now, 0).sum, 11);

    /* and is what the next checkpoint has */
    assert_ok(rk_checkpoint(checkpoints));
    assert_int_equal(metrics_of_checkpoints(checkpoints).newest, 2);
    rk_snapshot_kernel told;
    assert_ok(rk_checkpoints_describe(checkpoints, 0, &told));
    assert_int_equal(told.account.accepted, 1);
    assert_ok(rk_unsupervise(s));
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void states_are_those_of_a_checkpoint_that_can_be_used(contract *c)
{
    adder state = { .sum = -1 };
    rk_checkpoint_options o = { RK_CHECKPOINT_OPTIONS };
    make_three(c, 1);
    damage("blocks", 3, 0, flip_first);
    rk_kernel k;
    assert_ok(rk_find(c->runtime, "adder", &k));
    rk_checkpoints *checkpoints = open_with(c, &k, &o);
    rk_checkpoint_child of = { checkpoints, "adder" }, of_other = { checkpoints, "other" };
    assert_ok(rk_checkpoint_state(&of, 0, &state, sizeof state));
    assert_int_equal(state.sum, 20); /* the newest is damaged */
    state.sum = -1;
    assert_ok(rk_checkpoint_state(&of, 1, &state, sizeof state));
    assert_int_equal(state.sum, -1); /* there is none of shard 1: nothing is written */
    assert_status(rk_checkpoint_state(&of_other, 0, &state, sizeof state), RK_CORRUPT);
    assert_error_says("checkpoint 3: block 0 of 1");
    assert_error_says("checkpoint 2: it has no kernel 'other'");
    assert_status(rk_checkpoint_state(&of, 0, &state, sizeof state - 1), RK_CORRUPT);
    assert_error_says("'adder' kept a state of 16 bytes then and 15 now");
    assert_status(rk_checkpoint_state(0, 0, &state, sizeof state), RK_INVALID_ARGUMENT);
    assert_status(rk_checkpoint_state(&of, 0, 0, sizeof state), RK_INVALID_ARGUMENT);
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static void states_of_another_number_of_shards_are_passed_over(contract *c)
{
    /* given a checkpoint of two shards, whose kernel has three since */
    rk_launch_options o = small(64);
    rk_u32 state[13];
    new_folder();
    o.shards = 2;
    rk_kernel k = launch_active(c, "counter", "shard_counter", &o);
    rk_checkpoints *checkpoints = open_with(c, &k, 0);
    rk_checkpoint_child of = { checkpoints, "counter" };
    assert_ok(rk_checkpoint(checkpoints));
    assert_ok(rk_checkpoint_state(&of, 0, state, sizeof state));
    o.shards = 3;
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));

    /* then its states aren't those of the three, until there are some of these */
    assert_status(rk_checkpoint_state(&of, 0, state, sizeof state), RK_CORRUPT);
    assert_error_says("checkpoint 1: 'counter' kept the states of 2 shards then and of 3 now");
    assert_ok(rk_checkpoint(checkpoints));
    assert_ok(rk_checkpoint_state(&of, 0, state, sizeof state));
    rk_checkpoints_close(checkpoints);
    remove_folder();
}

static const contract_case cases[] = {
    { CASE(the_newest_checkpoint_is_restored_and_the_next_follows_it), NEEDS_REGIONS },
    { CASE(an_empty_folder_has_none), NEEDS_REGIONS | ONCE },
    { CASE(options_may_be_an_older_or_a_newer_callers), NEEDS_REGIONS | ONCE },
    { CASE(an_incremental_one_has_only_the_blocks_that_differ), NEEDS_REGIONS },
    { CASE(after_a_restore_the_group_goes_on_where_it_was), NEEDS_REGIONS },
    { CASE(old_ones_go_but_two_full_ones_stay_to_build_on), NEEDS_REGIONS },
    { CASE(a_damaged_checkpoint_is_passed_over_with_its_reason), NEEDS_REGIONS | ONCE },
    { CASE(of_a_damaged_store_the_checkpoint_before_is_restored), NEEDS_REGIONS | ONCE },
    { CASE(when_all_are_damaged_the_text_says_why_each), NEEDS_REGIONS | ONCE },
    { CASE(a_foreign_or_cut_store_is_refused), NEEDS_REGIONS | ONCE },
    { CASE(a_newest_checkpoint_of_another_kernel_is_passed_over_with_its_reason), NEEDS_REGIONS },
    { CASE(one_is_taken_each_so_many_messages), NEEDS_REGIONS },
    { CASE(one_is_taken_each_so_much_time), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(the_library_takes_one_each_so_much_time_by_itself), NEEDS_THREADS },
    { CASE(after_a_clear_there_is_none_and_the_next_has_all_blocks), NEEDS_REGIONS },
    { CASE(a_checkpoint_that_fails_is_told_and_the_one_before_stays), NEEDS_REGIONS },
    { CASE(a_kernel_that_failed_begins_with_its_state_of_the_newest_checkpoint), NEEDS_REGIONS },
    { CASE(a_kernel_in_the_place_of_one_that_hung_has_its_state_and_its_checkpoints),
      NEEDS_REGIONS | NEEDS_THREADS | NEEDS_CPU },
    { CASE(states_are_those_of_a_checkpoint_that_can_be_used), NEEDS_REGIONS | ONCE },
    { CASE(states_of_another_number_of_shards_are_passed_over), NEEDS_REGIONS | ONCE },
};

CONTRACT_MAIN("checkpoint", cases)
