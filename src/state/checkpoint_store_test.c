/* The store of checkpoints by itself: what it keeps and lets go of, what it does when there is no room, and a file of
 * which any bit is another one. */
#include "state_fixture_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../runtime/error.h"
#include "checkpoint_store.h"

#define MAP_BYTES (1u << 26)
#define BLOCKS_MOST 300u

static char folder[64], data_path[96];
static rk_checkpoint_store store;
/* Of the checkpoint that was added last: the next is built on it. */
static rk_manifest *newest;
static rk_u8 *bytes;

static int given_a_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/rk-store-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(data_path, sizeof data_path, "%s/data.mdb", folder);
    bytes = fresh(BLOCKS_MOST * (size_t)RK_CHECKPOINT_BLOCK);
    return 0;
}

static int remove_it(void **state)
{
    (void)state;
    const char *const names[] = { "data.mdb", "lock.mdb", "lock" };
    char path[128];
    rk_store_close(&store);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    free(newest);
    free(bytes);
    newest = 0;
    return rmdir(folder);
}

static void open_store(rk_u64 map_bytes)
{
    rk_error_begin();
    rk_status status = rk_store_open(&store, folder, map_bytes);
    if (status != RK_OK) print_error("%s\n", rk_error_text());
    assert_int_equal(status, RK_OK);
}

/* Byte `i` of a checkpoint: each block says which brought it. */
static void fill(rk_u64 number, rk_u64 block)
{
    memset(bytes + block * RK_CHECKPOINT_BLOCK, (int)(number & 0xff), RK_CHECKPOINT_BLOCK);
}

/* One of `blocks` blocks; of those that the last one had only each `changes`-th is another; 0: it is full. */
static rk_status add(rk_u64 number, rk_u64 blocks, rk_u32 changes, rk_u32 keep)
{
    rk_u64 written;
    rk_manifest *m = fresh(rk_manifest_bytes(blocks));
    *m = (rk_manifest){ RK_MANIFEST_MAGIC,
                        RK_CHECKPOINT_VERSION,
                        RK_CHECKPOINT_BLOCK,
                        number,
                        changes && newest ? newest->base : number,
                        1,
                        blocks * RK_CHECKPOINT_BLOCK,
                        blocks };
    for (rk_u64 i = 0; i < blocks; i++) {
        rk_u32 is_new = !changes || !newest || i >= newest->blocks || i % changes == 0;
        if (is_new) fill(number, i);
        m->entry[i] = is_new ? (rk_block_entry){ number, XXH3_128bits(bytes + i * RK_CHECKPOINT_BLOCK,
                                                                      RK_CHECKPOINT_BLOCK) }
                             : newest->entry[i];
    }
    rk_error_begin();
    rk_status status = rk_store_add(&store, m, bytes, keep, &written);
    if (status == RK_OK) {
        free(newest);
        newest = m;
    } else {
        free(m);
    }
    return status;
}

/* The newest below `below`, whole. */
static rk_status load(rk_u64 below, rk_u64 *number)
{
    rk_manifest *m;
    void *loaded;
    rk_error_begin();
    rk_status status = rk_store_load(&store, below, number, &m, &loaded);
    for (rk_u64 i = 0; status == RK_OK && *number && i < m->blocks; i++)
        for (rk_u64 k = 0; k < RK_CHECKPOINT_BLOCK; k += 509)
            assert_int_equal(((rk_u8 *)loaded)[i * RK_CHECKPOINT_BLOCK + k], m->entry[i].origin & 0xff);
    free(m);
    free(loaded);
    return status;
}

static size_t blocks_in_the_store(void)
{
    MDB_txn *txn;
    MDB_stat stat;
    assert_int_equal(mdb_txn_begin(store.env, 0, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_stat(txn, store.blocks, &stat), 0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

/* ------------------------------------------------------------------ what is kept */

static void blocks_that_no_checkpoint_names_are_gone(void **state)
{
    (void)state;
    open_store(MAP_BYTES);
    /* given a full one of ten blocks, then three of which each changes two */
    assert_int_equal(add(1, 10, 0, 2), RK_OK);
    for (rk_u64 n = 2; n <= 4; n++) assert_int_equal(add(n, 10, 5, 2), RK_OK);
    assert_int_equal(blocks_in_the_store(), 8 + 2 + 2); /* of 3 and 4, and what they share with 1 */
    /* when a full one comes and then one more, then there is only what these two have */
    assert_int_equal(add(5, 10, 0, 1), RK_OK);
    assert_int_equal(blocks_in_the_store(), 10);
    assert_int_equal(add(6, 3, 0, 1), RK_OK);
    assert_int_equal(blocks_in_the_store(), 3);
}

static void some_always_build_on_another_full_one(void **state)
{
    (void)state;
    open_store(MAP_BYTES);
    for (rk_u64 n = 1; n <= 40; n++) {
        rk_u64 number = ~0ull, bases[2] = { 0, 0 };
        assert_int_equal(add(n, 4, n % 8 == 1 ? 0 : 2, 3), RK_OK);
        for (rk_u32 i = 0; i < 3 && number; i++) {
            rk_manifest *m;
            void *loaded;
            assert_int_equal(rk_store_load(&store, number, &number, &m, &loaded), RK_OK);
            if (number) bases[m->base != newest->base] = m->base;
            free(m);
            free(loaded);
        }
        if (n > 8) assert_int_equal(bases[1], bases[0] - 8); /* the group before */
    }
}

/* ------------------------------------------------------------------ no room */

static void a_checkpoint_without_room_is_refused_and_the_one_before_stays(void **state)
{
    (void)state;
    rk_u64 number;
    open_store(40u * 4096u);
    assert_int_equal(add(1, 10, 0, 3), RK_OK);
    assert_int_equal(add(2, 60, 0, 3), RK_LIMIT);
    assert_non_null(strstr(rk_error_text(), "raise map_bytes"));
    assert_int_equal(load(~0ull, &number), RK_OK);
    assert_int_equal(number, 1);
    assert_int_equal(blocks_in_the_store(), 10);
    /* and there is room for a smaller one, and for that one with a larger map */
    assert_int_equal(add(2, 5, 0, 3), RK_OK);
    rk_store_close(&store);
    open_store(MAP_BYTES);
    assert_int_equal(add(3, 60, 0, 3), RK_OK);
    assert_int_equal(load(~0ull, &number), RK_OK);
    assert_int_equal(number, 3);
}

/* ------------------------------------------------------------------ damage */

static void whatever_was_added_and_removed_the_pages_are_as_they_should_be(void **state)
{
    (void)state;
    dice d = { 7 };
    for (rk_u64 n = 1; n <= 150; n++) {
        rk_u64 number;
        open_store(MAP_BYTES); /* all pages are looked at */
        rk_u64 blocks = 1 + draw_below(&d, n % 10 == 0 ? BLOCKS_MOST : 20);
        rk_u32 changes = draw_below(&d, 4), keep = 1 + draw_below(&d, n < 75 ? 40 : 3);
        if (draw_below(&d, 20) == 0) {
            assert_int_equal(rk_store_clear(&store), RK_OK);
            changes = 0;
        }
        assert_int_equal(add(n, blocks, changes, keep), RK_OK);
        assert_int_equal(load(~0ull, &number), RK_OK);
        assert_int_equal(number, n);
        rk_store_close(&store);
    }
}

/* Write the file as it was, but for one bit. */
static void flip(int file, rk_u8 *all, size_t size, size_t at, rk_u32 bit)
{
    all[at] ^= (rk_u8)(1u << bit);
    assert_int_equal(pwrite(file, all, size, 0), size);
    all[at] ^= (rk_u8)(1u << bit);
    assert_int_equal(ftruncate(file, (off_t)size), 0);
}

/* Each bit of heads and of the records of tables, and some of all the others. */
static rk_u32 is_worth_it(const rk_u8 *all, size_t at, dice *d)
{
    size_t place = at % 4096;
    if (at < 2u * 4096u) return place < 160;
    if (place < 32 || draw_below(d, 150) == 0) return 1;
    return place > 3880 && memmem(all + at - place, 4096, "manifests", 9) != 0;
}

/* Is it refused as a whole, or is the newest that can be used the fifth, or the fourth with a word on what was lost? */
static rk_u64 look(void)
{
    rk_u64 number;
    rk_error_begin();
    rk_status status = rk_store_open(&store, folder, MAP_BYTES);
    if (status != RK_OK) {
        assert_true(status == RK_CORRUPT || status == RK_INCOMPATIBLE);
        assert_non_null(strstr(rk_error_text(), folder));
        return 0;
    }
    status = load(~0ull, &number);
    if (status != RK_OK) {
        assert_true(status == RK_CORRUPT);
        assert_int_equal(load(number, &number), RK_OK);
        assert_int_equal(number, 4);
    } else {
        assert_int_equal(number, *store.lost ? 4 : 5);
    }
    /* and it goes on */
    rk_u64 after;
    assert_int_equal(add(9, 2, 0, 3), RK_OK);
    assert_int_equal(load(~0ull, &after), RK_OK);
    assert_int_equal(after, 9);
    rk_store_close(&store);
    return number;
}

/* Five checkpoints in a file that is closed; its bytes. */
static rk_u8 *make_five(int *file, size_t *size)
{
    struct stat stat;
    open_store(MAP_BYTES);
    for (rk_u64 n = 1; n <= 5; n++) assert_int_equal(add(n, 3, 0, 3), RK_OK);
    rk_store_close(&store);
    *file = open(data_path, O_RDWR);
    assert_int_equal(fstat(*file, &stat), 0);
    *size = (size_t)stat.st_size;
    rk_u8 *all = fresh(*size);
    assert_int_equal(pread(*file, all, *size, 0), *size);
    return all;
}

static void a_file_with_any_bit_flipped_loses_its_newest_checkpoint_at_most_or_says_so(void **state)
{
    (void)state;
    int file;
    size_t size;
    rk_u32 seen[6] = { 0 };
    dice d = { 8 };
    rk_u8 *all = make_five(&file, &size);
    for (size_t at = 0; at < size; at++) {
        if (!is_worth_it(all, at, &d)) continue;
        flip(file, all, size, at, draw_below(&d, 8));
        seen[look()]++;
    }
    assert_true(seen[0] && seen[4] && seen[5]);
    free(all);
    close(file);
}

static void a_table_of_which_entries_are_missing_is_that_of_the_transaction_before(void **state)
{
    (void)state;
    int file;
    size_t size;
    rk_u32 before = 0;
    rk_u8 *all = make_five(&file, &size), *at = all;
    while ((at = memmem(at, size - (size_t)(at - all), "manifests", 9)) != 0) { /* of each transaction */
        at += 9; /* the record: how many entries is 32 bytes behind its beginning */
        flip(file, all, size, (size_t)(at - all) + 32, 3);
        before += look() == 4;
    }
    assert_int_equal(before, 1);
    free(all);
    close(file);
}

static size_t read_file(int file, rk_u8 **all)
{
    struct stat stat;
    assert_int_equal(fstat(file, &stat), 0);
    *all = fresh((size_t)stat.st_size);
    assert_int_equal(pread(file, *all, (size_t)stat.st_size, 0), stat.st_size);
    return (size_t)stat.st_size;
}

/* Given a disk that has written the newest transaction's meta page, and of its other pages the first `pages` alone. */
static void a_torn_transaction_is_lost_and_the_checkpoint_before_is_used(void **state)
{
    (void)state;
    rk_u8 *before, *after;
    open_store(MAP_BYTES);
    for (rk_u64 n = 1; n <= 4; n++) assert_int_equal(add(n, 3, 0, 3), RK_OK);
    rk_store_close(&store);
    int file = open(data_path, O_RDWR);
    size_t size = read_file(file, &before);
    open_store(MAP_BYTES);
    assert_int_equal(add(5, 3, 0, 3), RK_OK);
    rk_store_close(&store);
    size_t size_after = read_file(file, &after);
    rk_u32 torn = 0, changed = 0;
    for (size_t at = 2u * 4096u; at < size_after; at += 4096)
        changed += at >= size || memcmp(before + at, after + at, 4096) != 0;
    for (rk_u32 written = 0; written < changed; written++) {
        rk_u64 number;
        rk_u32 left = written;
        assert_int_equal(pwrite(file, after, size_after, 0), size_after);
        assert_int_equal(ftruncate(file, (off_t)size_after), 0);
        for (size_t at = 2u * 4096u; at < size_after; at += 4096) {
            static const rk_u8 nothing[4096];
            if (at < size && memcmp(before + at, after + at, 4096) == 0) continue;
            if (left && left--) continue;
            assert_int_equal(pwrite(file, at < size ? before + at : nothing, 4096, (off_t)at), 4096);
        }
        open_store(MAP_BYTES);
        rk_status status = load(~0ull, &number);
        if (status == RK_CORRUPT) { /* blocks alone are torn, which have checksums of their own */
            assert_int_equal(*store.lost, 0);
            assert_int_equal(load(number, &number), RK_OK);
        } else {
            assert_int_equal(status, RK_OK);
            assert_non_null(strstr(store.lost, "page "));
            torn++;
        }
        assert_int_equal(number, 4);
        assert_int_equal(add(9, 2, 0, 3), RK_OK);
        rk_store_close(&store);
        open_store(MAP_BYTES); /* and from then on nothing is wrong with it */
        assert_int_equal(*store.lost, 0);
        assert_int_equal(load(~0ull, &number), RK_OK);
        assert_int_equal(number, 9);
        rk_store_close(&store);
    }
    assert_true(torn > 0);
    free(before);
    free(after);
    close(file);
}

/* Where LMDB 0.9 has a number: in a meta page, or in the record of a table. */
static rk_u64 number_in(const rk_u8 *all, size_t at)
{
    rk_u64 number;
    memcpy(&number, all + at, sizeof number);
    return number;
}
enum { META_ROOT = 128, META_TRANSACTION = 144, TABLE_ROOT = 40 };

static void what_was_put_back_is_so_the_next_time(void **state)
{
    (void)state;
    int file;
    size_t size;
    rk_u64 number;
    rk_u8 *all = make_five(&file, &size);
    rk_u32 newer = number_in(all, 4096 + META_TRANSACTION) > number_in(all, META_TRANSACTION);
    flip(file, all, size, 4096u * number_in(all, 4096u * newer + META_ROOT), 0);
    for (rk_u32 i = 0; i < 3; i++) { /* without a checkpoint in between */
        open_store(MAP_BYTES);
        assert_int_equal(*store.lost != 0, i == 0);
        assert_int_equal(load(~0ull, &number), RK_OK);
        assert_int_equal(number, 4);
        rk_store_close(&store);
    }
    free(all);
    close(file);
}

/* Pages that are free are used again, and never one that the transaction before has. */
static void whatever_was_added_and_removed_the_transaction_before_is_whole(void **state)
{
    (void)state;
    dice d = { 9 };
    for (rk_u64 n = 1; n <= 60; n++) {
        rk_u64 number;
        rk_u8 *all;
        open_store(MAP_BYTES);
        assert_int_equal(add(n, 1 + draw_below(&d, 40), draw_below(&d, 4), 2 + draw_below(&d, 6)), RK_OK);
        rk_store_close(&store);
        if (n == 1) continue;
        int file = open(data_path, O_RDWR);
        size_t size = read_file(file, &all);
        rk_u32 newer = number_in(all, 4096 + META_TRANSACTION) > number_in(all, META_TRANSACTION);
        flip(file, all, size, 4096u * number_in(all, 4096u * newer + META_ROOT), 0);
        open_store(MAP_BYTES);
        assert_int_equal(load(~0ull, &number), RK_OK);
        assert_int_equal(number, n - 1);
        rk_store_close(&store);
        assert_int_equal(pwrite(file, all, size, 0), size);
        assert_int_equal(ftruncate(file, (off_t)size), 0);
        free(all);
        close(file);
    }
}

static void where_the_transaction_before_is_damaged_too_the_store_is_refused(void **state)
{
    (void)state;
    int file;
    size_t size;
    rk_u8 *all = make_five(&file, &size), *now;
    rk_u32 newer = number_in(all, 4096 + META_TRANSACTION) > number_in(all, META_TRANSACTION);
    const rk_u8 *older = all + 4096u * number_in(all, 4096u * !newer + META_ROOT);
    const rk_u8 *table = (const rk_u8 *)memmem(older, 4096, "manifests", 9) + 9;
    all[4096u * number_in(table, TABLE_ROOT)] ^= 1;
    flip(file, all, size, 4096u * number_in(all, 4096u * newer + META_ROOT), 0);
    assert_int_equal(rk_store_open(&store, folder, MAP_BYTES), RK_CORRUPT);
    assert_non_null(strstr(rk_error_text(), "move it away"));
    read_file(file, &now);
    all[4096u * number_in(all, 4096u * newer + META_ROOT)] ^= 1;
    assert_memory_equal(now, all, size);
    free(now);
    free(all);
    close(file);
}

/* Without a checkpoint in the transaction before, too: that is what an empty store looks like. */
static void a_store_whose_only_checkpoint_is_damaged_is_refused_and_left_as_it_is(void **state)
{
    (void)state;
    rk_u8 *all, *after;
    rk_u32 refused = 0;
    open_store(MAP_BYTES);
    assert_int_equal(add(1, 3, 0, 3), RK_OK);
    rk_store_close(&store);
    int file = open(data_path, O_RDWR);
    size_t size = read_file(file, &all);
    for (size_t page = 2; page < size / 4096; page++) {
        flip(file, all, size, page * 4096, 0);
        rk_error_begin();
        rk_status status = rk_store_open(&store, folder, MAP_BYTES);
        if (status == RK_OK) { /* a page that nobody uses, or of a value */
            assert_int_equal(*store.lost, 0);
            rk_store_close(&store);
            continue;
        }
        assert_int_equal(status, RK_CORRUPT);
        assert_non_null(strstr(rk_error_text(), data_path));
        assert_non_null(strstr(rk_error_text(), "move it away"));
        refused++;
        assert_int_equal(read_file(file, &after), size);
        all[page * 4096] ^= 1;
        assert_memory_equal(after, all, size);
        all[page * 4096] ^= 1;
        free(after);
    }
    assert_true(refused > 0);
    free(all);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_that_no_checkpoint_names_are_gone, given_a_folder, remove_it),
        cmocka_unit_test_setup_teardown(some_always_build_on_another_full_one, given_a_folder, remove_it),
        cmocka_unit_test_setup_teardown(a_checkpoint_without_room_is_refused_and_the_one_before_stays,
                                        given_a_folder, remove_it),
        cmocka_unit_test_setup_teardown(whatever_was_added_and_removed_the_pages_are_as_they_should_be,
                                        given_a_folder, remove_it),
        cmocka_unit_test_setup_teardown(
            a_file_with_any_bit_flipped_loses_its_newest_checkpoint_at_most_or_says_so, given_a_folder,
            remove_it),
        cmocka_unit_test_setup_teardown(
            a_table_of_which_entries_are_missing_is_that_of_the_transaction_before, given_a_folder,
            remove_it),
        cmocka_unit_test_setup_teardown(a_torn_transaction_is_lost_and_the_checkpoint_before_is_used,
                                        given_a_folder, remove_it),
        cmocka_unit_test_setup_teardown(what_was_put_back_is_so_the_next_time, given_a_folder, remove_it),
        cmocka_unit_test_setup_teardown(whatever_was_added_and_removed_the_transaction_before_is_whole,
                                        given_a_folder, remove_it),
        cmocka_unit_test_setup_teardown(where_the_transaction_before_is_damaged_too_the_store_is_refused,
                                        given_a_folder, remove_it),
        cmocka_unit_test_setup_teardown(a_store_whose_only_checkpoint_is_damaged_is_refused_and_left_as_it_is,
                                        given_a_folder, remove_it),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
