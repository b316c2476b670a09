/* Loading kernel sources: nobody waits while one is compiled, and however often a file is loaded, it is there
 * once. */
#include "probes.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------- a source whose compile takes as long as the test wants */

/* It includes a pipe, so the compiler waits for whoever writes into it. */
typedef struct slow_source {
    contract *c;
    char path[512], header[512], pipe[512]; /* `pipe` is another name of what `header` is at first */
    char kernel[64];
    int writer;
    int (*may_end)(struct slow_source *); /* when the compile ends by itself; 0: when the case's threads do */
    rk_u32 changed, open;                 /* atomic */
    rk_status loaded;
} slow_source;

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_source(const char *path, const char *kernel, const char *header)
{
    char text[2048];
    snprintf(text, sizeof text,
             "#include <ringkernel/kernel.h>\n%s%s%s"
             "RK_MESSAGE(loaded_number, 248, (rk_i64, value))\n"
             "RK_HANDLER(%s, loaded_number, msg, rk_none, self)\n"
             "{\n"
             "    loaded_number next = { msg->value + 1 };\n"
             "    rk_send(RK_ARG, &next);\n"
             "}\n",
             header ? "#include \"" : "", header ? header : "", header ? "\"\n" : "", kernel);
    write_text(path, text);
}

static void reopen_with_cache(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.cache_folder = RK_BINARY_DIR "/contract-cache";
    contract_reopen(c, &r);
}

static void slow_source_open(slow_source *s, contract *c, const char *name)
{
    *s = (slow_source){ .c = c, .loaded = RK_EMPTY };
    snprintf(s->kernel, sizeof s->kernel, "%s_%d", name, (int)getpid());
    snprintf(s->path, sizeof s->path, "%s/%s.rk.c", RK_BINARY_DIR, s->kernel);
    snprintf(s->header, sizeof s->header, "%s/%s.h", RK_BINARY_DIR, s->kernel);
    snprintf(s->pipe, sizeof s->pipe, "%s/%s.pipe", RK_BINARY_DIR, s->kernel);
    unlink(s->header);
    unlink(s->pipe);
    assert_int_equal(mkfifo(s->header, 0600), 0);
    assert_int_equal(link(s->header, s->pipe), 0);
    write_source(s->path, s->kernel, s->header);
}

static void *load_slowly(void *argument)
{
    slow_source *s = argument;
    rk_status loaded = rk_load(s->c->runtime, s->path);
    __atomic_store_n(&s->loaded, loaded, __ATOMIC_RELEASE);
    return 0;
}

/* Let the compiler go on: from here on the header is an ordinary file. */
static void let_compile(slow_source *s)
{
    unlink(s->header);
    write_text(s->header, "\n");
    __atomic_store_n(&s->open, 1, __ATOMIC_RELEASE);
    close(s->writer);
}

static int is_open(const slow_source *s) { return __atomic_load_n(&s->open, __ATOMIC_ACQUIRE) != 0; }

static void slow_source_close(slow_source *s)
{
    unlink(s->path);
    unlink(s->header);
    unlink(s->pipe);
}

/* Patience ends it too, so that who waits for it wrongly fails and doesn't hang. */
static void *let_compile_in_time(void *argument)
{
    slow_source *s = argument;
    rk_u64 end = contract_now_ns() + CONTRACT_PATIENCE;
    while (!stopped(s->c) && contract_now_ns() < end && !(s->may_end && s->may_end(s))) usleep(1000);
    let_compile(s);
    return 0;
}

/* Begin to load it; when this returns, the compiler is at work. */
static void begin_slow_load(slow_source *s, int (*may_end)(slow_source *))
{
    s->may_end = may_end;
    start_thread(s->c, load_slowly, s);
    wait_until(s->c, (s->writer = open(s->pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0);
    start_thread(s->c, let_compile_in_time, s);
}

/* Its kernel is there, and adds so much. */
static void assert_adds(slow_source *s, rk_i64 amount)
{
    rk_kernel k;
    rk_i64 value = 41;
    assert_ok(rk_launch(s->c->runtime, s->kernel, 0, &k));
    assert_ok(rk_activate(s->c->runtime, k));
    assert_ok(rk_send(s->c->runtime, k, 248, &value, sizeof value, 0));
    receive(s->c, k, &value);
    assert_int_equal(value, 41 + amount);
}

/* ------------------------------------------------------------------ cases */

static void nobody_waits_while_a_source_is_compiled(contract *c)
{
    /* given a runtime that compiles a source */
    static slow_source s;
    reopen_with_cache(c);
    rk_kernel running = launch_echo(c, 0), found;
    slow_source_open(&s, c, "slow_to_compile");
    begin_slow_load(&s, 0);

    /* when kernels are launched, served, looked at and terminated meanwhile, then all of that is done before
     * the compile */
    rk_kernel k = launch_active(c, "meanwhile", "echo", 0);
    assert_serves(c, k, 1);
    assert_serves(c, running, 2);
    assert_ok(rk_find(c->runtime, "meanwhile", &found));
    assert_non_null(rk_find_schema(c->runtime, "probe"));
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    assert_false(is_open(&s));

    /* and the load ends well */
    stop_threads(c);
    assert_int_equal(s.loaded, RK_OK);
    assert_adds(&s, 1);
    slow_source_close(&s);
}

static int is_closing(slow_source *s) { return strcmp(rk_backend_name(s->c->runtime), "closed") == 0; }

static void a_runtime_that_is_closed_waits_for_a_load_that_is_under_way(contract *c)
{
    static slow_source s;
    reopen_with_cache(c);
    slow_source_open(&s, c, "closed_meanwhile");
    begin_slow_load(&s, is_closing);
    rk_runtime *runtime = c->runtime;
    assert_ok(rk_close(runtime));
    assert_true(is_open(&s));
    join_threads(c);
    assert_int_equal(s.loaded, RK_CLOSED);
    c->runtime = 0;
    slow_source_close(&s);
}

static int was_changed(slow_source *s) { return __atomic_load_n(&s->changed, __ATOMIC_ACQUIRE) != 0; }

/* Given a source that is written again after the compiler has read it, when it is loaded, then what runs is what stands
 * there now, and so is what the cache has under its key. */
static void a_source_that_changes_under_the_compiler_is_compiled_again(contract *c)
{
    static slow_source s;
    reopen_with_cache(c);
    slow_source_open(&s, c, "changed_meanwhile");
    begin_slow_load(&s, was_changed);
    write_text(s.path, "#include <ringkernel/kernel.h>\n"
                       "RK_MESSAGE(loaded_number, 248, (rk_i64, value))\n");
    FILE *file = fopen(s.path, "a");
    fprintf(file,
            "RK_HANDLER(%s, loaded_number, msg, rk_none, self)\n{\n"
            "    loaded_number next = { msg->value + 2 };\n    rk_send(RK_ARG, &next);\n}\n",
            s.kernel);
    fclose(file);
    __atomic_store_n(&s.changed, 1, __ATOMIC_RELEASE);
    wait_until(c, __atomic_load_n(&s.loaded, __ATOMIC_ACQUIRE) != RK_EMPTY);
    stop_threads(c);
    assert_int_equal(s.loaded, RK_OK);
    assert_adds(&s, 2);
    slow_source_close(&s);
}

static void a_source_with_a_time_to_come_is_loaded(contract *c)
{
    char path[512], kernel[64];
    const struct timespec times[2] = { { 0, UTIME_NOW }, { 4102444800, 0 } };
    reopen_with_cache(c);
    snprintf(kernel, sizeof kernel, "from_the_future_%d", (int)getpid());
    snprintf(path, sizeof path, "%s/%s.rk.c", RK_BINARY_DIR, kernel);
    write_source(path, kernel, 0);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_ok(rk_load(c->runtime, path));
    unlink(path);
}

typedef struct loader {
    contract *c;
    const char *path;
    pthread_barrier_t *start;
} loader;

static void *load_at_once(void *argument)
{
    loader *l = argument;
    pthread_barrier_wait(l->start);
    expect_ok(l->c, rk_load(l->c->runtime, l->path));
    return 0;
}

static rk_u32 kernels_called(contract *c, const char *name)
{
    rk_kernel_description d;
    rk_u32 found = 0;
    for (rk_u32 i = 0; rk_describe(c->runtime, i, &d) == RK_OK; i++) found += strcmp(d.name, name) == 0;
    return found;
}

static void threads_that_load_a_file_at_once_all_succeed_and_it_is_there_once(contract *c)
{
    enum { THREADS = 4 };
    char path[512], kernel[64];
    loader loaders[THREADS];
    pthread_barrier_t start;
    reopen_with_cache(c);
    snprintf(kernel, sizeof kernel, "loaded_at_once_%d", (int)getpid());
    snprintf(path, sizeof path, "%s/%s.rk.c", RK_BINARY_DIR, kernel);
    write_source(path, kernel, 0);
    pthread_barrier_init(&start, 0, THREADS);
    for (rk_u32 i = 0; i < THREADS; i++) {
        loaders[i] = (loader){ c, path, &start };
        start_thread(c, load_at_once, &loaders[i]);
    }
    join_threads(c);
    pthread_barrier_destroy(&start);
    assert_int_equal(c->failures, 0);
    assert_int_equal(kernels_called(c, kernel), 1);
    assert_ok(rk_load(c->runtime, path)); /* and once more */
    assert_int_equal(kernels_called(c, kernel), 1);
    unlink(path);
}

static rk_status load_text(contract *c, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s_%d.rk.c", RK_BINARY_DIR, name, (int)getpid());
    write_text(path, text);
    rk_status status = rk_load(c->runtime, path);
    unlink(path);
    return status;
}

/* Given a module in the current folder, when it is loaded by its name alone, then it is that one, and not
 * what the system has by the name. */
static void a_module_is_loaded_by_its_name_alone(contract *c)
{
    static const char folder[] = RK_BINARY_DIR "/contract-modules";
    char path[512], kernel[64], before[512];
    rk_runtime_options r = contract_runtime_options(c);
    glob_t found;
    r.cache_folder = folder;
    contract_reopen(c, &r);
    snprintf(kernel, sizeof kernel, "found_here_%d", (int)getpid());
    snprintf(path, sizeof path, "%s/%s.rk.c", RK_BINARY_DIR, kernel);
    write_source(path, kernel, 0);
    assert_ok(rk_load(c->runtime, path));
    unlink(path);
    assert_int_equal(glob(RK_BINARY_DIR "/contract-modules/*.so", 0, 0, &found), 0);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    contract_reopen(c, &r);
    rk_status status = rk_load(c->runtime, strrchr(found.gl_pathv[0], '/') + 1);
    rk_status none = rk_load(c->runtime, "libm.so");
    int is_told = strstr(rk_error_text(), "can't find 'libm.so': No such file") != 0;
    assert_int_equal(chdir(before), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) unlink(found.gl_pathv[i]);
    globfree(&found);
    assert_ok(status);
    assert_int_equal(kernels_called(c, kernel), 1);
    assert_status(none, RK_IO);
    assert_true(is_told);
}

static void a_module_that_is_refused_leaves_nothing_behind(contract *c)
{
#define HEAD                           \
    "#include <ringkernel/kernel.h>\n" \
    "RK_MESSAGE(loaded_number, 248, (rk_i64, value))\n"
#define OTHER "RK_MESSAGE(loaded_other, 249, (rk_i64, value))\n"
#define KERNEL(name) "RK_HANDLER(" name ", loaded_number, msg, rk_none, self) { (void)msg; }\n"
#define STATEFUL(name, state) \
    "RK_HANDLER(" name ", loaded_number, msg, loaded_number, self, .state = " state ") { (void)msg; }\n"
    static const struct {
        const char *text, *says;
    } refused[] = {
        { HEAD KERNEL("mended") "RK_ON_DRAIN(nobodys, rk_none, self) {}\n", "has no handler in this file" },
        { HEAD KERNEL(
              "fine_itself") "RK_HANDLER(mended, loaded_number, msg, loaded_number, self) { (void)msg; }\n",
          "no .state" },
        { HEAD OTHER KERNEL("mended") "RK_HANDLER(mended, loaded_other, msg, rk_none, self, .max_sends = 2) "
                                      "{ (void)msg; }\n"
                                      "RK_HANDLER(fine_itself, loaded_number, msg, rk_none, self, .max_sends "
                                      "= 2) { (void)msg; }\n"
                                      "RK_HANDLER(fine_itself, loaded_other, msg, rk_none, self, .max_sends "
                                      "= 3) { (void)msg; }\n",
          ".max_sends is" },
        { HEAD OTHER KERNEL(
              "mended") "RK_BATCH_HANDLER(mended, loaded_other, n, rk_none, self) { (void)n; }\n",
          "differ in kind" },
        { HEAD OTHER KERNEL(
              "mended") "RK_HANDLER(mended, loaded_other, msg, rk_none, self, .width = RK_WARP) "
                        "{ (void)msg; }\n",
          "differ in .width" },
        { HEAD OTHER "RK_HANDLER(mended, loaded_number, msg, loaded_number, self) { (void)msg; }\n"
                     "RK_HANDLER(mended, loaded_other, msg, loaded_number, self, .state = RK_PER_SHARD) "
                     "{ (void)msg; }\n",
          "differ in .state" },
        { HEAD KERNEL("mended") "RK_ON_DRAIN(mended, loaded_number, self) { self->value++; }\n",
          "names a state type, but its handlers have no .state" },
        { HEAD STATEFUL("mended", "RK_PER_SHARD") "RK_ON_DRAIN(mended, rk_none, self) {}\n",
          "names another state type" },
        { HEAD STATEFUL("mended", "RK_PER_ACTOR") "RK_ON_REFUSED(mended, loaded_number, self, refusal) { "
                                                  "self->value++; return refusal->id != 0; }\n",
          "has no actor's state" },
        { HEAD STATEFUL("mended", "RK_PER_ACTOR") "RK_ON_MERGE(mended, loaded_number, self, other, shards) { "
                                                  "self->value += other->value * shards->home; }\n",
          "has no states of shards to merge" },
        { HEAD "RK_MESSAGE(loaded_again, 248, (rk_u64, value))\n" KERNEL("mended"),
          "declares message type 248 as 'loaded_number' and as 'loaded_again'" },
        { HEAD "RK_MESSAGE(probe, 200, (rk_i64, value))\n" KERNEL("mended"), "declares message type 200" },
        { HEAD KERNEL("echo"), "is declared by" },
    };
    reopen_with_cache(c);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_status(load_text(c, "refused", refused[i].text), RK_INCOMPATIBLE);
        assert_error_says(refused[i].says);
        assert_int_equal(kernels_called(c, "mended") + kernels_called(c, "fine_itself"), 0);
    }
    assert_ok(load_text(c, "mended", HEAD KERNEL("mended")));
    assert_int_equal(kernels_called(c, "mended"), 1);
}

/* Given handlers of one kernel, of which each states another attribute, when it is loaded, then it has all of them. */
static void an_attribute_counts_at_whichever_handler_it_stands(contract *c)
{
    rk_kernel_description d;
    reopen_with_cache(c);
    assert_ok(load_text(
        c, "states_apart",
        HEAD OTHER
        "RK_HANDLER(states_apart, loaded_number, msg, rk_none, self, .max_sends = 4) { (void)msg; }\n"
        "RK_HANDLER(states_apart, loaded_other, msg, rk_none, self, .max_batch = 7) { (void)msg; }\n"));
    assert_ok(rk_describe_named(c->runtime, "states_apart", &d));
    assert_int_equal(d.max_sends, 4);
    assert_int_equal(d.max_batch, 7);
}

static void an_attribute_of_no_known_value_is_refused(contract *c)
{
    reopen_with_cache(c);
    assert_status(
        load_text(
            c, "strange_state",
            HEAD "RK_HANDLER(strange, loaded_number, msg, loaded_number, self, .state = 7) { (void)msg; }\n"),
        RK_INVALID_OPTIONS);
    assert_error_says(".state 7 is none of RK_STATELESS, RK_PER_SHARD, RK_PER_ACTOR");
}

static void a_description_lists_all_that_a_module_declares(contract *c)
{
    enum { PARAMETERS = 40, ROUTES = 20 };
    static char text[16384];
    char name[32];
    size_t used = (size_t)snprintf(text, sizeof text, "#include <ringkernel/kernel.h>\n");
    for (rk_u32 i = 0; i < PARAMETERS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "RK_PARAM(rk_u32, parameter_%u, 1)\n", i);
    for (rk_u32 i = 0; i < ROUTES; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "RK_ROUTE(route_%u)\n", i);
    snprintf(text + used, sizeof text - used,
             "RK_MESSAGE(loaded_number, 248, (rk_i64, value))\n"
             "RK_HANDLER(declares_much, loaded_number, msg, rk_none, self) { (void)msg; }\n");
    reopen_with_cache(c);
    assert_ok(load_text(c, "declares_much", text));
    rk_kernel_description d;
    assert_ok(rk_describe_named(c->runtime, "declares_much", &d));
    assert_int_equal(d.parameter_count, PARAMETERS);
    assert_int_equal(d.route_count, ROUTES);
    for (rk_u32 i = 0; i < PARAMETERS; i++) {
        snprintf(name, sizeof name, "parameter_%u", i);
        assert_string_equal(d.parameters[i], name);
    }
    for (rk_u32 i = 0; i < ROUTES; i++) {
        snprintf(name, sizeof name, "route_%u", i);
        assert_string_equal(d.routes[i], name);
    }
}

static const contract_case cases[] = {
    { CASE(nobody_waits_while_a_source_is_compiled), NEEDS_THREADS | ONCE },
    { CASE(a_runtime_that_is_closed_waits_for_a_load_that_is_under_way), NEEDS_THREADS | ONCE },
    { CASE(a_source_that_changes_under_the_compiler_is_compiled_again), NEEDS_THREADS | ONCE },
    { CASE(a_source_with_a_time_to_come_is_loaded), NEEDS_THREADS | ONCE },
    { CASE(threads_that_load_a_file_at_once_all_succeed_and_it_is_there_once), NEEDS_THREADS | ONCE },
    { CASE(a_module_is_loaded_by_its_name_alone), ONCE },
    { CASE(a_module_that_is_refused_leaves_nothing_behind), ONCE },
    { CASE(an_attribute_counts_at_whichever_handler_it_stands), ONCE },
    { CASE(an_attribute_of_no_known_value_is_refused), ONCE },
    { CASE(a_description_lists_all_that_a_module_declares), ONCE },
};

CONTRACT_MAIN("load", cases)
