/* The lint finds the guide's pitfalls and what only one compiler would refuse, and is silent about what is
 * right. */
#include "codegen/lint_fixture_test.h"

/* ---- barrier-scope: the guide's pitfall 1 */

#define SUM(threads, scope, barrier, sum)                                                                \
    "RK_SPMD_KERNEL(scope_of, sample, sample, .threads = " threads ", .shared = 1024, .barrier = " scope \
    ")\n"                                                                                                \
    "{\n"                                                                                                \
    "    RK_SHARED(rk_i32, shared, 256);\n"                                                              \
    "    rk_u32 tid = rk_thread();\n"                                                                    \
    "    rk_u32 lane = rk_lane(), base = rk_warp() * 32;\n"                                              \
    "    sample m;\n"                                                                                    \
    "    shared[tid] = rk_try_receive(RK_ARG, &m) ? m.value : 0;\n"                                      \
    "    rk_barrier(" barrier ");\n"                                                                     \
    "    rk_i32 sum = " sum ";\n"                                                                        \
    "}\n"
#define WARP(sum) SUM("256", "RK_SCOPE_WARP", "RK_SCOPE_WARP", sum)

static void a_warps_barrier_does_not_cover_another_warps_memory(void **state)
{
    (void)state;
    finds_one(WARP("shared[0] + shared[64] + shared[128]"), "barrier-scope", 9,
              "shared[64] may belong to another warp");
    finds_one(WARP("shared[tid + 1]"), "barrier-scope", 9, "shared[tid + 1]");
    finds_one(SUM("THREADS", "RK_SCOPE_WARP", "RK_SCOPE_WARP", "shared[255 - tid]"), "barrier-scope", 9,
              "shared[255 - tid]");
}

static void a_blocks_barrier_covers_it(void **state)
{
    (void)state;
    finds_nothing(SUM("256", "RK_SCOPE_BLOCK", "RK_SCOPE_BLOCK", "shared[0] + shared[64] + shared[128]"));
    finds_nothing(SUM("256", "RK_SCOPE_WARP", "RK_SCOPE_BLOCK", "shared[64]"));
}

static void an_index_within_the_warp_is_right(void **state)
{
    (void)state;
    finds_nothing(SUM("32", "RK_SCOPE_WARP", "RK_SCOPE_WARP", "shared[31 - tid]"));
    finds_nothing(WARP("shared[tid] + shared[rk_thread()]"));
    finds_nothing(WARP("shared[base + 3]"));
    finds_nothing(WARP("shared[rk_warp() * RK_WARP_SIZE + (lane ^ 1)]"));
    finds_nothing(WARP("lane < 16 ? shared[tid + 16] : 0"));
}

/* ---- missing-fence: pitfall 2 */

#define RELAXED(body)                                                                                 \
    "RK_HANDLER(flag, number, msg, table, self, .state = RK_PER_SHARD, .memory = RK_RELAXED_MEMORY, " \
    ".not_causal = 1)\n"                                                                              \
    "{\n" body "}\n"

static void a_relaxed_kernel_needs_a_fence_between_write_and_send(void **state)
{
    (void)state;
    finds_one(RELAXED("    self->value[msg->at] = 1;\n    rk_send(RK_ARG, msg);\n"), "missing-fence", 4,
              "its write at line 3");
    finds_one(
        RELAXED(
            "    RK_GLOBAL rk_u64 *v = &self->value;\n    (*v)++;\n    *v = 1;\n    rk_forward(RK_ARG);\n"),
        "missing-fence", 6, "line 5");
    finds_one(RELAXED("    rk_memory_fence(RK_RELEASE, RK_SCOPE_DEVICE);\n    self->seen++;\n    "
                      "rk_reply(RK_ARG, msg, &n);\n"),
              "missing-fence", 5, "line 4");
    finds_one("RK_FN void put(RK_CTX, RK_GLOBAL table *t) { t->seen += 1; }\n" RELAXED(
                  "put(RK_ARG, self);\nrk_send(RK_ARG, &n);\n"),
              "missing-fence", 5, "line 1");
}

static void a_fence_or_a_stricter_model_orders_them(void **state)
{
    (void)state;
    finds_nothing(
        RELAXED("self->seen++;\nrk_memory_fence(RK_RELEASE, RK_SCOPE_DEVICE);\nrk_send(RK_ARG, &n);\n"));
    finds_nothing(RELAXED("rk_send(RK_ARG, &n);\nself->seen++;\n"));
    finds_nothing(RELAXED("RK_GLOBAL table *t = self;\nnumber n = { self->seen, t->seen };\nn.value = "
                          "2;\nrk_send(RK_ARG, &n);\n"));
    finds_nothing("RK_HANDLER(flag, number, msg, table, self, .memory = RK_RELEASE_ACQUIRE)\n"
                  "{ self->seen++; rk_send(RK_ARG, &n); }\n");
    finds_nothing("RK_HANDLER(flag, number, msg, table, self) { self->seen++; rk_send(RK_ARG, &n); }\n");
}

/* ---- region-in-spmd */

#define SPMD(body) "RK_SPMD_KERNEL(k, number, number, .threads = 64)\n{\n" body "}\n"

static void a_region_in_an_spmd_body_is_found(void **state)
{
    (void)state;
    finds_one(SPMD("    RK_SHARED(rk_u32, part, 64);\n    RK_PARALLEL(i, 64) part[i] = 0;\n"),
              "region-in-spmd", 4, "RK_PARALLEL in the SPMD body of 'k'");
    assert_non_null(strstr(list.finding[0].remedy, "an SPMD body is one thread: use the thread's index"));
    finds_one(SPMD("    RK_ONCE { rk_send(RK_ARG, &n); }\n"), "region-in-spmd", 3, "RK_ONCE");
    finds_one(SPMD("    RK_PER_THREAD(rk_u32, mine, 64);\n"), "region-in-spmd", 3, "RK_PER_THREAD");
    finds_one("RK_FN void clear(RK_LOCAL rk_u32 *v)\n{\n    RK_PARALLEL(i, 64) v[i] = 0;\n}\n"
              "RK_FN void twice(RK_LOCAL rk_u32 *v) { clear(v); clear(v); }\n" SPMD("    twice(part);\n"),
              "region-in-spmd", 3, "RK_PARALLEL in 'clear', which the SPMD body of 'k' calls");
}

static void regions_in_handlers_and_loops_in_spmd_bodies_are_right(void **state)
{
    (void)state;
    finds_nothing("RK_FN void clear(RK_LOCAL rk_u32 *v) { RK_PARALLEL(i, 64) v[i] = 0; }\n"
                  "RK_HANDLER(r, number, msg, rk_none, self, .width = RK_BLOCK)\n"
                  "{ RK_SHARED(rk_u32, part, 64); clear(part); RK_ONCE { rk_send(RK_ARG, msg); } }\n" SPMD(
                      "for (rk_u32 i = 0; i < 4; i++) rk_barrier(RK_SCOPE_BLOCK); /* no RK_PARALLEL */\n"));
}

/* ---- recursion */

static void recursion_is_found_once_for_each_circle(void **state)
{
    (void)state;
    finds_one("RK_FN rk_u32 fib(rk_u32 n)\n{\n    return n < 2 ? n : fib(n - 1) + fib(n - 2);\n}\n",
              "recursion", 1, "'fib' calls itself");
    finds_one("RK_FN void b(rk_u32 n);\nRK_FN void a(rk_u32 n) { b(n); }\nRK_FN void c(rk_u32 n) { a(n); }\n"
              "RK_FN void b(rk_u32 n) { c(n); }\n",
              "recursion", 2, "'a' calls itself by way of 'b'");
}

static void calls_that_end_are_no_recursion(void **state)
{
    (void)state;
    finds_nothing("RK_FN void leaf(rk_u32 n) { n++; }\nRK_FN void a(rk_u32 n) { leaf(n); leaf(n); }\n"
                  "RK_FN void b(rk_u32 n) { a(n); leaf(n); x.b(1); }\n"
                  "RK_HANDLER(b, number, msg, rk_none, self) { b(1); }\n");
}

/* ---- address-space */

#define HANDLER(body) "RK_HANDLER(k, number, msg, table, self)\n{\n" body "}\n"

static void a_plain_pointer_to_shared_memory_is_found(void **state)
{
    (void)state;
    finds_one(HANDLER("    rk_u64 *seen = &self->seen;\n"), "address-space", 3,
              "'seen' has no address space");
    finds_one(HANDLER("    const number *m = msg;\n"), "address-space", 3, "memory that is RK_MSG");
    finds_one(HANDLER("    rk_u32 *v;\n    v = self->value;\n"), "address-space", 4, "RK_GLOBAL");
    finds_one(HANDLER("    rk_u32 x = *(const rk_u32 *)&self->seen;\n"), "address-space", 3,
              "a cast to 'const rk_u32 *'");
    finds_one(HANDLER("    RK_SHARED(rk_u32, part, 64);\n    rk_u32 *p = part;\n"), "address-space", 4,
              "RK_LOCAL");
    finds_one("RK_FN void add(table *t, rk_u32 n) { t->seen += n; }\n" HANDLER(
                  "    add(self, 1);\n    add(self, 2);\n"),
              "address-space", 1, "parameter 't' of 'add' has no address space; line 4");
    finds_one("RK_FN rk_u32 first(RK_CTX, const rk_u32 *v) { return v[0]; }\n" HANDLER(
                  "    first(RK_ARG, msg->value);\n"),
              "address-space", 1, "RK_MSG");
    finds_one("RK_BATCH_HANDLER(k, number, n, table, self)\n{\n    const number *m = RK_AT(number, 0);\n}\n",
              "address-space", 3, "'m'");
}

static void a_plain_pointer_that_is_declared_behind_others_is_found(void **state)
{
    (void)state;
    finds_one(HANDLER("    rk_i64 n = 0, *q = &n, *r = self->value;\n"), "address-space", 3,
              "'r' has no address space");
    finds_one(HANDLER("    unsigned long *p = 0,\n        *const r = self->value;\n"), "address-space", 4,
              "'r'");
    finds_one(HANDLER("    rk_u64 *p, *r;\n    p = 0;\n    r = &self->seen;\n"), "address-space", 5, "'r'");
    finds_one(HANDLER("    for (rk_u32 i = 0, *r = self->value; i < 4; i++) {\n    }\n"), "address-space", 3,
              "'r'");
    finds_one(HANDLER("    RK_GLOBAL rk_u32 *v = self->value, *w = v;\n    rk_u32 *r = w;\n"),
              "address-space", 4, "'r'");
    finds_nothing(HANDLER("rk_i64 n = self->seen, *q = &n, m = msg->value, *r = q + m, k[2] = { 1, 2 };\n"
                          "*r = self->seen;\n*q = *r, n = self->seen;\n"
                          "RK_GLOBAL rk_u32 *v = self->value, *w = v;\nw = self->value + 1;\n"
                          "add(n * m, *r);\n"));
}

static void a_plain_pointer_in_a_struct_is_found(void **state)
{
    (void)state;
    finds_one(HANDLER("    struct { rk_i64 *p; } h;\n    h.p = &self->value[0];\n"), "address-space", 4,
              "'p' has no address space");
    finds_one("typedef struct place {\n    rk_u32 n, *at;\n} place;\n" HANDLER(
                  "    place h = { .n = 1, .at = self->value };\n"),
              "address-space", 6, "'at'");
    finds_one("typedef struct { rk_u32 *at; } place;\nRK_FN void put(place *to, RK_GLOBAL rk_u32 *v)\n{\n    "
              "to->at "
              "= v;\n}\n",
              "address-space", 4, "'at'");
    /* one that has an address space, one that is a value, and a variable that is called as a member is */
    finds_nothing("typedef struct { RK_GLOBAL rk_u32 *at, *to; rk_u32 n; rk_u32 *p; } place;\n" HANDLER(
        "place h;\nh.at = self->value;\nh.to = h.at;\nh.n = self->seen;\nrk_u32 own;\nh.p = &own;\n"
        "RK_GLOBAL rk_u32 *p = self->value;\np = self->value + 1;\nself->seen = h.n;\n"));
}

/* given members that are called as a plain pointer of another struct, then they are not taken for it */
static void a_member_of_another_struct_by_the_same_name_is_right(void **state)
{
    (void)state;
#define A "struct a {\n    rk_u32 *count, *value, *at;\n};\n"
    finds_nothing(A "struct b {\n    rk_u32 count;\n};\n" HANDLER("struct b b;\nb.count = self->count;\n"));
    finds_nothing(A "RK_MESSAGE(number, 1, (rk_u32, value))\n" HANDLER(
        "number out;\nout.value = msg->value;\nnumber next = { .value = msg->value };\n"
        "next = (number){ .value = self->value };\n"));
    /* of a header, which may say its address space, of an array, and of a member */
    finds_nothing("#include \"place.rk.h\"\n" A HANDLER(
        "place h;\nh.at = self->at;\nplace *p = &h;\np->at = self->at;\nh.in.at = self->at;\n"
        "struct a all[2];\nall[0].at = 0;\n"));
    finds_nothing(
        "struct a {\n    rk_u32 *count;\n    struct {\n        rk_u32 count;\n    } in;\n};\n" HANDLER(
            "struct a h;\nh.in.count = self->count;\n"));
    /* and theirs are found, however many members there are */
    finds_one(A "struct b {\n    rk_u32 count;\n};\n" HANDLER(
                  "    struct b b;\n    struct a h, *p = &h;\n    b.count = self->count;\n"
                  "    if (b.count) h.at = 0;\n    else h.count = self->of;\n"),
              "address-space", 13, "'count'");
    finds_one(A HANDLER("    put((struct a){ .value = 0, .at = self->value });\n"), "address-space", 6,
              "'at'");
    finds_one(
        "typedef struct table {\n    rk_u32 *at, of[4];\n} table;\n" HANDLER("    self->at = self->of;\n"),
        "address-space", 6, "'at'");
    finds_one(A HANDLER("    struct a h, *p = &h;\n    put(p, h);\n    p->at = self->value;\n"),
              "address-space", 8, "'at'");
#undef A
}

static void many_members_with_an_address_space_hide_none(void **state)
{
    (void)state;
    static char text[16384];
    size_t size = (size_t)snprintf(text, sizeof text, "typedef struct {\n");
    for (int i = 0; i < 70; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "RK_GLOBAL rk_u32 *at%d;\n", i);
    size += (size_t)snprintf(
        text + size, sizeof text - size,
        "} place;\nstruct other {\nrk_u32 *at69;\n};\n" HANDLER("place h;\nh.at69 = self->value;\n"));
    assert_true(size < sizeof text);
    finds_nothing(text);
}

static void a_plain_pointer_into_the_old_state_of_a_merge_is_found(void **state)
{
    (void)state;
    finds_one("RK_ON_MERGE(k, table, self, other, shards)\n{\n    const rk_u32 *p = other->of;\n}\n",
              "address-space", 3, "'p' has no address space");
    finds_nothing(
        "RK_ON_MERGE(k, table, self, other, shards)\n{\n    RK_GLOBAL const rk_u32 *p = other->of;\n"
        "    self->seen += other->seen + p[shards->into];\n}\n");
}

static void a_plain_pointer_to_ones_own_variable_is_right(void **state)
{
    (void)state;
    finds_nothing("RK_FN void add(number *to, rk_u32 n) { to->value += n; }\n" HANDLER(
        "number own = { msg->value };\nnumber *p = &own;\nadd(&own, msg->value);\nadd(p, self->seen);\n"
        "p = &own;\n*p = *msg;\nrk_u32 v[4] = { 0 };\nconst rk_u32 *w = v;\nw = v + msg->value;\n"));
    finds_nothing(
        "RK_FN void add(RK_GLOBAL table *t, RK_MSG const number *m, RK_LOCAL rk_u32 *RK_RESTRICT l) { "
        "t->seen++; }\n" HANDLER(
            "RK_GLOBAL rk_u64 *seen = &self->seen;\nadd(self, msg, 0);\n"
            "RK_MSG const rk_u32 *v = (RK_MSG const rk_u32 *)msg;\nrk_u64 x = self->seen * msg->value;\n"));
}

/* ---- attribute-order */

static void attributes_are_wanted_in_their_order(void **state)
{
    (void)state;
    finds_one(
        "RK_HANDLER(k, number, msg, table, self, .max_sends = 2,\n           .state = RK_PER_SHARD) {}\n",
        "attribute-order", 2, "'.state' comes after '.max_sends'");
    finds_one("RK_SPMD_KERNEL(k, number, number, .threads = 64, .threads = 32) {}\n", "attribute-order", 1,
              "'.threads'");
    finds_one("RK_HANDLER(k, number, msg, table, self, .sends = 2) {}\n", "attribute-order", 1,
              "no attribute is called 'sends'");
    finds_nothing(
        "RK_HANDLER(k, number, msg, table, self, .width = RK_WARP, .threads = 64, .state = RK_PER_SHARD,\n"
        ".max_sends = 2, .mode = RK_BATCH, .max_batch = 9, .log_limit = 1) {}\n");
}

/* ---- all together */

static void findings_come_by_line(void **state)
{
    (void)state;
    lint("RK_FN rk_u32 f(rk_u32 n) { return f(n); }\n" HANDLER(
        "rk_u64 *p = &self->seen;\n") "RK_FN rk_u32 g(rk_u32 n) { return g(n); }\n");
    assert_int_equal(list.count, 3);
    for (rk_u32 i = 1; i < list.count; i++) assert_true(list.finding[i - 1].line < list.finding[i].line);
}

static void a_broken_source_is_an_error_and_no_finding(void **state)
{
    (void)state;
    rk_source_error error;
    assert_int_equal(rk_lint_source("k.rk.c", "RK_ROUTE(", 9, &list, &error), RK_PARSE_FAILED);
    assert_int_equal(error.line, 1);
    assert_int_equal(list.count, 0);
}

static void the_guides_examples_are_right(void **state)
{
    (void)state;
    static const char *const names[] = { "realtime", "batch",     "adaptive", "fair",
                                         "messages", "reduction", "warp",     "memory" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[512];
        static char text[1 << 16];
        snprintf(path, sizeof(path), "%s/tests/kernels/guide_%s.rk.c", RK_SOURCE_DIR, names[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        fclose(file);
        finds_nothing(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_warps_barrier_does_not_cover_another_warps_memory, forget),
        cmocka_unit_test_teardown(a_blocks_barrier_covers_it, forget),
        cmocka_unit_test_teardown(an_index_within_the_warp_is_right, forget),
        cmocka_unit_test_teardown(a_relaxed_kernel_needs_a_fence_between_write_and_send, forget),
        cmocka_unit_test_teardown(a_fence_or_a_stricter_model_orders_them, forget),
        cmocka_unit_test_teardown(a_region_in_an_spmd_body_is_found, forget),
        cmocka_unit_test_teardown(regions_in_handlers_and_loops_in_spmd_bodies_are_right, forget),
        cmocka_unit_test_teardown(recursion_is_found_once_for_each_circle, forget),
        cmocka_unit_test_teardown(calls_that_end_are_no_recursion, forget),
        cmocka_unit_test_teardown(a_plain_pointer_to_shared_memory_is_found, forget),
        cmocka_unit_test_teardown(a_plain_pointer_that_is_declared_behind_others_is_found, forget),
        cmocka_unit_test_teardown(a_plain_pointer_in_a_struct_is_found, forget),
        cmocka_unit_test_teardown(a_member_of_another_struct_by_the_same_name_is_right, forget),
        cmocka_unit_test_teardown(many_members_with_an_address_space_hide_none, forget),
        cmocka_unit_test_teardown(a_plain_pointer_into_the_old_state_of_a_merge_is_found, forget),
        cmocka_unit_test_teardown(a_plain_pointer_to_ones_own_variable_is_right, forget),
        cmocka_unit_test_teardown(attributes_are_wanted_in_their_order, forget),
        cmocka_unit_test_teardown(findings_come_by_line, forget),
        cmocka_unit_test_teardown(a_broken_source_is_an_error_and_no_finding, forget),
        cmocka_unit_test_teardown(the_guides_examples_are_right, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
