/* Helpers over arrays and a group's histograms inside a handler: what plain loops do, for every length, at
 * every alignment, with any number of threads. */
#include "contract.h"

#include <ringkernel/state/histogram.h>

#include "../kernels/ledger.rk.h"

/* What the kernels' states have to be. */
typedef struct reference {
    rk_u64 seen[LEDGER_BINS];
    rk_histogram spread;
    rk_u32 total[LEDGER + 4u], copied[LEDGER + 8u];
} reference;

static rk_u32 hash_of(const rk_u32 *v, rk_u32 n)
{
    rk_u32 hash = n;
    for (rk_u32 i = 0; i < n; i++) hash = hash * 31u + v[i];
    return hash;
}

/* Fewer values than lanes: each has its own, and they are added by halves. */
static rk_f32 float_sum_of(const figures *m)
{
    rk_f32 lane[LEDGER] = { 0 };
    for (rk_u32 i = 0; i < m->n; i++) {
        lane[i] = (rk_f32)(m->value[m->from + i] >> 8) * 0.37f;
        lane[i] += lane[i];
    }
    for (rk_u32 n = m->n; n > 1; n = (n + 1u) / 2u)
        for (rk_u32 i = 0; i < n / 2u; i++) lane[i] += lane[i + (n + 1u) / 2u];
    return lane[0];
}

static figured expected_of(reference *r, const figures *m)
{
    figured f = { .sum = 0 };
    memcpy((rk_u8 *)r->copied + m->at_byte, (const rk_u8 *)m->value + m->from_byte, m->bytes);
    for (rk_u32 i = 0; i < m->n; i++) {
        const rk_u32 value = m->value[m->from + i], which = value % 20u;
        f.sum += r->total[m->at + i] = (r->total[m->at + i] + value) * 3u;
        r->seen[which < LEDGER_BINS ? which : LEDGER_BINS - 1u]++;
        rk_histogram_add(&r->spread, value, 1);
    }
    f.float_sum = float_sum_of(m);
    f.total_hash = hash_of(r->total, LEDGER + 4u);
    f.copied_hash = hash_of(r->copied, LEDGER + 8u);
    memcpy(f.seen, r->seen, sizeof f.seen);
    f.spread[0] = r->spread.count;
    f.spread[1] = r->spread.sum_ns;
    f.spread[2] = r->spread.min_ns;
    f.spread[3] = r->spread.max_ns;
    f.spread[4] = rk_histogram_quantile(&r->spread, 1, 2);
    return f;
}

static void arrays_and_histograms_are_exact_for_every_length_alignment_and_block_size(contract *c)
{
    enum { PARTS = 3 };
    static const rk_u32 threads[] = { 1, 31, 32, 33, 256 };
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        /* given kernels whose state is all zeros */
        static const char *const names[PARTS] = { "ledger_words", "ledger_floats", "ledger_counts" };
        rk_launch_options o = rk_production();
        o.deduplication_window = 0;
        o.threads = threads[t];
        rk_kernel kernels[PARTS];
        for (rk_u32 k = 0; k < PARTS; k++) kernels[k] = launch_active(c, names[k], names[k], &o);
        static reference r;
        memset(&r, 0, sizeof r);

        /* when they get values of each length, from each place to each, then their states are those of plain loops */
        for (rk_u32 n = 0; n <= LEDGER; n += n < 20 ? 1 : 12) {
            figures m = { .n = n, .from = n / 4u % 4u, .at = n % 4u };
            m.from_byte = n / 3u % 16u;
            m.at_byte = n % 5u ? n % 16u : m.from_byte;
            m.bytes = n * 4u - (n ? n % 4u : 0);
            for (rk_u32 i = 0; i < LEDGER + 4u; i++) m.value[i] = (i + n) * 2654435761u >> (i % 27u);
            const figured all = expected_of(&r, &m);
            figured expected[PARTS] = {
                { .sum = all.sum, .total_hash = all.total_hash, .copied_hash = all.copied_hash },
                { .float_sum = all.float_sum },
                all
            };
            expected[2].sum = expected[2].total_hash = expected[2].copied_hash = 0;
            expected[2].float_sum = 0;
            for (rk_u32 k = 0; k < PARTS; k++) {
                figured got;
                assert_ok(rk_send(c->runtime, kernels[k], RK_BODY(m), 0));
                receive(c, kernels[k], &got);
                assert_memory_equal(&got, &expected[k], sizeof got);
            }
        }
        for (rk_u32 k = 0; k < PARTS; k++) assert_ok(rk_terminate(c->runtime, kernels[k], CONTRACT_PATIENCE));
    }
}

static const contract_case cases[] = {
    { CASE(arrays_and_histograms_are_exact_for_every_length_alignment_and_block_size), NEEDS_REGIONS },
};

CONTRACT_MAIN("ledger", cases)
