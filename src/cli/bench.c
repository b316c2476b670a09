/* `rk bench`: what this machine does, beside the least that any implementation must do. */
#include "bench.h"

#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "command.h"
#include "devices.h"
#include "progress.h"

static const struct {
    const char *name;
    bench_scenario *run;
    const char *what;
    const char *samples; /* what the quantiles are of */
    const char *figure;
    const char *unit;
    double target;
    bool at_least; /* the figure is to be at least the target, else at most */
} scenarios[] = {
    { "round-trip", bench_round_trip, "host to handler to host, spinning, beside two bare rings",
      "round trip", "p50 of bare", "×", 1.6, false },
    { "pipeline", bench_pipeline, "the same, pipelined, 512 under way in bursts of 64", "each message",
      "rate of bare", "×", 0.7, true },
    { "actors", bench_actors, "10,000 actors in one kernel, random targets, beside a bare ring and an array",
      "service", "rate", " M/s", 10, true },
    { "reduction", bench_reduction, "256-thread tree reduction as regions, beside the compiler's own loop",
      "service", "service p50", " µs", 0.10, false },
    { "idle", bench_idle, "CPU that an idle runtime takes, after one second without messages", "",
      "of a core", " %", 1, false },
};
#define SCENARIOS (sizeof scenarios / sizeof *scenarios)

typedef struct request {
    bool chosen[SCENARIOS], any, json;
} request;

#define QUICK 'q'
#define QUICK_LESS 50u
static const struct argp_option options[] = { { "json", 'j', NULL, 0, "Print as JSON", 0 },
                                              { "quick", QUICK, NULL, 0,
                                                "Few messages: shows that it works, measures nothing", 0 },
                                              { 0 } };

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    request *r = state->input;
    if (key == 'j') {
        r->json = true;
    } else if (key == QUICK) {
        bench_less = QUICK_LESS;
    } else if (key == ARGP_KEY_ARG) {
        size_t i = 0;
        while (i < SCENARIOS && strcmp(scenarios[i].name, argument) != 0) i++;
        if (i == SCENARIOS)
            argp_error(
                state,
                "there is no benchmark '%s': valid are round-trip, pipeline, actors, reduction and idle",
                argument);
        else
            r->chosen[i] = r->any = true;
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ------------------------------------------------------------------ telling */

/* 0 stands for what was not measured, which is no number. */
static json_t *measured(double number) { return number > 0 ? json_real(number) : json_null(); }

static json_t *numbers_json(const bench_numbers *n)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "p50_ns", measured(n->p50_ns), "p99_ns", measured(n->p99_ns),
                     "p99.9_ns", measured(n->p999_ns), "rate", measured(n->rate));
}

static bool is_met(size_t i, double figure)
{
    return scenarios[i].at_least ? figure >= scenarios[i].target : figure <= scenarios[i].target;
}

/* Ours to the bare one's, of rates or of times as the target is; 0: there is nothing beside. */
static double ratio_of(size_t i, const bench_result *r)
{
    if (strcmp(scenarios[i].unit, "×") == 0) return r->figure;
    const double ours = scenarios[i].at_least ? r->ours.rate : r->ours.p50_ns,
                 bare = scenarios[i].at_least ? r->bare.rate : r->bare.p50_ns;
    return bare > 0 ? ours / bare : 0;
}

static json_t *result_json(size_t i, const bench_result *r)
{
    double figure = scenarios[i].run == bench_actors ? r->figure / 1e6 : r->figure;
    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:f, s:f, s:b, s:o, s:{s:I, s:I, s:b}, s:b, s:s}",
                     "name", scenarios[i].name, "what", scenarios[i].what, "ours", numbers_json(&r->ours),
                     "bare", numbers_json(&r->bare), "figure", scenarios[i].figure, "unit", scenarios[i].unit,
                     "value", figure, "target", scenarios[i].target, "met", is_met(i, figure), "ratio",
                     measured(ratio_of(i, r)), "account", "accepted", (json_int_t)r->account.accepted,
                     "delivered", (json_int_t)r->account.delivered, "balanced", r->account.balanced, "sound",
                     r->sound, "trouble", r->trouble ? r->trouble : "");
}

static void print_numbers(const char *who, const char *samples, const bench_numbers *n)
{
    char p50[32], p99[32], p999[32], rate[32];
    if (n->p50_ns > 0)
        printf("  %-5s %-12s p50 %-9s p99 %-9s p99.9 %-9s", who, samples,
               progress_time((rk_u64)n->p50_ns, p50), progress_time((rk_u64)n->p99_ns, p99),
               progress_time((rk_u64)n->p999_ns, p999));
    else if (n->rate > 0)
        printf("  %-5s", who);
    if (n->rate > 0) printf(" %s/s", progress_rate(n->rate, rate));
    if (n->p50_ns > 0 || n->rate > 0) putchar('\n');
}

static void print_result(size_t i, const bench_result *r)
{
    char accepted[32], delivered[32];
    printf("%s: %s\n", scenarios[i].name, scenarios[i].what);
    if (!r->sound) {
        printf("  FAILED: %s\n", r->trouble ? r->trouble : "not finished");
        return;
    }
    double figure = scenarios[i].run == bench_actors ? r->figure / 1e6 : r->figure;
    print_numbers("bare", scenarios[i].samples, &r->bare);
    print_numbers("ours", scenarios[i].samples, &r->ours);
    printf("  %s %.2f%s (target: at %s %g%s)%s\n", scenarios[i].figure, figure, scenarios[i].unit,
           scenarios[i].at_least ? "least" : "most", scenarios[i].target, scenarios[i].unit,
           is_met(i, figure) ? "" : "  NOT MET");
    if (ratio_of(i, r) > 0 && strcmp(scenarios[i].unit, "×") != 0)
        printf("  %.2f× the bare one's\n", ratio_of(i, r));
    printf("  accepted %s = delivered %s   %s\n", progress_number(r->account.accepted, accepted),
           progress_number(r->account.delivered, delivered),
           r->account.balanced ? "balanced" : "NOT BALANCED");
}

static json_t *machine_json(void)
{
    char name[128];
    struct utsname system;
    devices_cpu_name(name);
    uname(&system);
    return json_pack("{s:s, s:I, s:s, s:s, s:s}", "cpu", name, "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "system", system.release, "compiler",
                     __VERSION__, "version", rk_version_text());
}

int command_bench(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        take_option,
        "[NAME...]",
        "Measure this machine: round-trip, pipeline, actors, reduction, idle (all of them unless named).\v"
        "All but idle measure the library and, in the same run, a bare loop, and tell the ratio: no other "
        "peer is here. `make bench`, from bench/ in the repository, measures the rings beside rte_ring, "
        "ck_ring and boost, and a whole job beside mawk and pandas. "
        "Exit codes: 0 measured; 1 messages were lost or wrong, or the account doesn't balance; 2 the "
        "command line is "
        "wrong; 3 the kernels can't be compiled; 4 standard output can't be written. A target that isn't met "
        "is told and is no failure.",
        NULL,
        NULL,
        NULL
    };
    request r = { 0 };
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    rk_runtime *runtime = bench_open();
    if (!runtime) return RK_EXIT_KERNEL;
    bench_bind();
    json_t *machine = machine_json(), *results = json_array();
    int code = RK_EXIT_OK;
    if (!r.json)
        printf("%s, %" JSON_INTEGER_FORMAT " cores, %u worker%s\n",
               json_string_value(json_object_get(machine, "cpu")),
               json_integer_value(json_object_get(machine, "cores")), rk_worker_count(runtime),
               rk_worker_count(runtime) == 1 ? "" : "s");
    for (size_t i = 0; i < SCENARIOS; i++) {
        bench_result result = { 0 };
        if (r.any && !r.chosen[i]) continue;
        scenarios[i].run(runtime, &result);
        if (!result.sound) code = RK_EXIT_FOUND;
        json_array_append_new(results, result_json(i, &result));
        if (!r.json) print_result(i, &result);
        fflush(stdout);
    }
    rk_close(runtime);
    json_t *all = json_pack("{s:o, s:o}", "machine", machine, "results", results);
    if (r.json) {
        json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
    }
    json_decref(all);
    return command_end(code);
}
