/* The pieces of work of bench/primitives.rk.h on a device: each as ours and in its naive form, by the kernel of
 * bench/primitives.rk.c, a block of 256 threads.
 *
 *     primitives_device [cuda|cpu]
 *
 * A message does a piece so often that it takes about 2 ms; what is counted is what that takes longer than one that does
 * nothing, on the host's clock, the median of the rounds. A line of JSON for each. Both forms of a piece must find the
 * same sum, else the status is 1; 77: the device isn't there. */
#include "primitives.rk.h" /* before the host's header: a kernel source declares its messages */

#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 9
#define AIM_NS 2000000u
#define CALLS_MOST 10000u

static const struct piece {
    const char *name;
    rk_u32 times;
} pieces[PRIMITIVE_COUNT] = {
#define PIECE_(name_, times_) [PRIMITIVE_DO_##name_] = { #name_, times_ },
    PRIMITIVES(PIECE_)
#undef PIECE_
};

/* Our form of each piece; the naive ones are behind it in the list. */
static const rk_u32 ours[] = { PRIMITIVE_DO_slab, PRIMITIVE_DO_stack, PRIMITIVE_DO_queue, PRIMITIVE_DO_copy,
                               PRIMITIVE_DO_add,  PRIMITIVE_DO_sum,   PRIMITIVE_DO_bins,  PRIMITIVE_DO_spread,
                               PRIMITIVE_DO_scan, PRIMITIVE_DO_sort };

static rk_u32 own_form(rk_u32 which)
{
    rk_u32 found = 0;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (ours[i] <= which) found = ours[i];
    return found;
}

static rk_runtime *runtime;
static rk_kernel kernel;

/* What a message with so many calls takes until its answer is here. */
static rk_u64 ask(rk_u32 which, rk_u32 calls, primitive_done *answer)
{
    primitive_work m = { which, calls };
    rk_u64 begin = rk_clock_ns(runtime);
    RK_CHECK(rk_send(runtime, kernel, RK_BODY(m), 0));
    RK_CHECK(rk_receive(runtime, kernel, answer, sizeof *answer, 0, RK_SECONDS(60)));
    return rk_clock_ns(runtime) - begin;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Returns the sum that the piece finds. */
static rk_u32 measure(rk_u32 which)
{
    primitive_done nothing, done;
    double ns[ROUNDS], cycles[ROUNDS];
    (void)ask(which, 1, &done); /* and its code is there */
    rk_u64 one = ask(which, 1, &done), empty = ask(which, 0, &nothing);
    rk_u64 alone = one > empty ? one - empty : 1;
    rk_u32 calls = AIM_NS / alone > CALLS_MOST ? CALLS_MOST : (rk_u32)(AIM_NS / alone) + 1u;
    for (int r = 0; r < ROUNDS; r++) {
        empty = ask(which, 0, &nothing);
        rk_u64 took = ask(which, calls, &done);
        ns[r] = took > empty ? (double)(took - empty) / calls : 0;
        cycles[r] = (double)done.cycles / calls;
    }
    qsort(ns, ROUNDS, sizeof *ns, by_size);
    qsort(cycles, ROUNDS, sizeof *cycles, by_size);
    printf("{\"piece\":\"%s\",\"beside\":\"%s\",\"of\":%u,\"calls\":%u,\"ns\":%.1f,\"ns_of_one\":%.4f,"
           "\"cycles\":%.0f}\n",
           pieces[which].name, pieces[own_form(which)].name, pieces[which].times, calls, ns[ROUNDS / 2],
           ns[ROUNDS / 2] / pieces[which].times, cycles[ROUNDS / 2]);
    fflush(stdout);
    return done.sum;
}

int main(int argc, char **argv)
{
    rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CUDA };
    rk_launch_options l = rk_production();
    rk_u32 sum[PRIMITIVE_COUNT];
    int differ = 0;
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "cuda") != 0 && strcmp(argv[1], "cpu") != 0)) {
        fprintf(stderr, "usage: primitives_device [cuda|cpu]\n");
        return 2;
    }
    if (argc == 2 && strcmp(argv[1], "cpu") == 0) o.backend = RK_BACKEND_CPU;
    rk_status status = rk_open(&o, &runtime);
    if (status != RK_OK) {
        fprintf(stderr, "primitives_device: %s", rk_error_text());
        return status == RK_UNSUPPORTED ? 77 : 1;
    }
    l.deduplication_window = 0;
    RK_CHECK(rk_launch(runtime, "primitives", &l, &kernel));
    RK_CHECK(rk_activate(runtime, kernel));
    for (rk_u32 which = 0; which < PRIMITIVE_COUNT; which++) {
        sum[which] = measure(which);
        if (sum[which] == sum[own_form(which)]) continue;
        fprintf(stderr, "primitives_device: %s and %s find different sums\n", pieces[which].name,
                pieces[own_form(which)].name);
        differ = 1;
    }
    RK_CHECK(rk_close(runtime));
    return differ;
}
