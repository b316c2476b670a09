/* The device's timer beside the host's clock: a probe of one thread on the device answers the host's questions, each with
 * the timer's time, and what went quickest is believed, off by half of what it took at most, unless that is more than
 * what was believed before is off by now.
 *
 * The probe has a stream and words of its own. Where kernels that stay have all registers of every multiprocessor it does
 * not start before one of them leaves: nobody waits for that, and until then the clock may be off by what it drifts. */
#include <string.h>

#include "cuda.h"

#define ROUNDS 24u
#define ANSWERS 16u                        /* the word of the first; word 0: how many questions were asked */
#define ALL_ASKED 0x7fffffffull            /* a probe that starts late finds every question asked, and ends */
#define DRIFT_SEEN_NS RK_MILLISECONDS(500) /* between two settings, for readings to tell it */
#define DRIFT_UNKNOWN_NS 100000u /* a second, until a second answer tells: more than crystals are off */

/* RK_TIMED_OUT: the one before has not started yet. */
static rk_status launch_probe(rk_cuda_runtime *cuda)
{
    rk_cu_address at = (rk_cu_address)(size_t)cuda->clock_words;
    rk_u32 rounds = ROUNDS;
    void *arguments[] = { &at, &rounds };
    int result = cuda->clock_asked ? cuda->api.cuStreamQuery(cuda->clock_stream) : RK_CUDA_SUCCESS;
    if (result == RK_CUDA_ERROR_NOT_READY) return RK_TIMED_OUT;
    cuda->clock_asked = 0;
    memset(cuda->clock_words, 0, (ANSWERS + ROUNDS) * sizeof *cuda->clock_words);
    if (result == RK_CUDA_SUCCESS)
        result = cuda->api.cuLaunchKernel(cuda->clock_probe, 1, 1, 1, 1, 1, 1, 0, cuda->clock_stream,
                                          arguments, 0);
    if (result != RK_CUDA_SUCCESS) return rk_cuda_failed(cuda, result, "asking the device for its time");
    cuda->clock_asked = 1;
    return RK_OK;
}

/* *took_ns: between the question and its answer. The answer; 0: none came in time. */
static rk_u64 ask(rk_cuda_runtime *cuda, rk_u32 question, rk_u64 within_ns, rk_u64 *asked_ns, rk_u64 *took_ns)
{
    rk_u64 device;
    *asked_ns = rk_monotonic_ns();
    __atomic_store_n(&cuda->clock_words[0], question + 1, __ATOMIC_RELEASE);
    do {
        device = __atomic_load_n(&cuda->clock_words[ANSWERS + question], __ATOMIC_ACQUIRE);
        *took_ns = rk_monotonic_ns() - *asked_ns;
    } while (!device && *took_ns < within_ns);
    return device;
}

static void set(rk_cuda_runtime *cuda, rk_u64 base, rk_u64 error_ns)
{
    const rk_u64 now = rk_monotonic_ns(), before = cuda->clock_base, since = now - cuda->clock_set_ns;
    rk_i64 drift = __atomic_load_n(&cuda->clock_drift_ns, __ATOMIC_RELAXED);
    if (before && since >= DRIFT_SEEN_NS)
        drift = (rk_i64)((double)(rk_i64)(base - before) * 1e9 / (double)since);
    __atomic_store_n(&cuda->clock_drift_ns, drift, __ATOMIC_RELAXED);
    __atomic_store_n(&cuda->clock_error_ns, error_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&cuda->clock_set_ns, now, __ATOMIC_RELAXED);
    __atomic_store_n(&cuda->clock_base, base, __ATOMIC_RELEASE);
}

/* How far the clock may move in a second: by what it moved last time, and by what both readings may have been off. */
static rk_u64 drift_most(const rk_cuda_runtime *cuda)
{
    const rk_i64 drift = __atomic_load_n(&cuda->clock_drift_ns, __ATOMIC_RELAXED);
    const rk_u64 error = __atomic_load_n(&cuda->clock_error_ns, __ATOMIC_RELAXED);
    return drift == 0 ? DRIFT_UNKNOWN_NS : (rk_u64)(drift < 0 ? -drift : drift) + 2 * error;
}

static rk_u64 error_after(const rk_cuda_runtime *cuda, rk_u64 seconds)
{
    return __atomic_load_n(&cuda->clock_error_ns, __ATOMIC_RELAXED) + seconds * drift_most(cuda);
}

static rk_u64 seconds_since_set(const rk_cuda_runtime *cuda)
{
    return (rk_monotonic_ns() - __atomic_load_n(&cuda->clock_set_ns, __ATOMIC_RELAXED)) / RK_SECONDS(1);
}

/* Other processes on the device may make all answers slow: then what is known is better. */
rk_status rk_cuda_calibrate(rk_cuda_runtime *cuda, rk_u64 within_ns)
{
    rk_u64 best = ~0ull, base = 0;
    rk_status status = launch_probe(cuda);
    if (status != RK_OK) return status;
    for (rk_u32 i = 0; i < ROUNDS; i++) {
        rk_u64 asked, took, device = ask(cuda, i, within_ns, &asked, &took);
        if (!device) break;
        if (took >= best) continue;
        best = took;
        base = asked + took / 2 - device;
    }
    __atomic_store_n(&cuda->clock_words[0], ALL_ASKED, __ATOMIC_RELEASE);
    if (best == ~0ull) return RK_TIMED_OUT;
    if (!cuda->clock_base || best / 2 <= error_after(cuda, seconds_since_set(cuda)))
        set(cuda, base, best / 2);
    return RK_OK;
}

/* By now at most. It is set each second, so there is nothing to add before that is overdue. One that was never set has
 * told nobody the time. */
static rk_u64 error_now(const rk_cuda_runtime *cuda)
{
    if (!__atomic_load_n(&cuda->clock_base, __ATOMIC_ACQUIRE)) return 0;
    const rk_u64 since = seconds_since_set(cuda);
    return error_after(cuda, since < 2 ? 0 : since);
}

void rk_cuda_clock(const rk_host_kernel *kernel, rk_u64 *error_ns, rk_i64 *drift_ns)
{
    const rk_cuda_runtime *cuda = rk_cuda_on(kernel);
    *error_ns = error_now(cuda);
    *drift_ns = __atomic_load_n(&cuda->clock_drift_ns, __ATOMIC_RELAXED);
}

/* Until it is set again, which may be in a second: by what it moves in that time. */
static rk_u64 error_of(const rk_cuda_runtime *cuda)
{
    const rk_i64 drift = __atomic_load_n(&cuda->clock_drift_ns, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&cuda->clock_base, __ATOMIC_ACQUIRE)) return 0;
    return error_now(cuda) + (drift == 0 ? DRIFT_UNKNOWN_NS : (rk_u64)(drift < 0 ? -drift : drift));
}

/* A message may have been stamped by another device, of those whose clock was set: the rest has run nothing yet. */
static rk_u32 error_between(const rk_cuda_runtime *cuda)
{
    const rk_cuda_devices *all = cuda->all;
    rk_u64 others = 0;
    for (rk_u32 d = 0; d < all->count; d++)
        if (all->at[d]->context != cuda->context &&
            __atomic_load_n(&all->at[d]->clock_base, __ATOMIC_ACQUIRE) && error_of(all->at[d]) > others)
            others = error_of(all->at[d]);
    const rk_u64 error = error_of(cuda) + others;
    return error < ~0u ? (rk_u32)error : ~0u;
}

void rk_cuda_tell_clock(const rk_cuda_runtime *cuda, const rk_host_kernel *kernel)
{
    const rk_runtime_options *o = &cuda->runtime->options;
    const rk_u64 base =
        o->clock_ns ? o->clock_ns(o->clock_user) : __atomic_load_n(&cuda->clock_base, __ATOMIC_ACQUIRE);
    const rk_u32 error = o->clock_ns ? 0 : error_between(cuda);
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_orders *orders = kernel->seats[s].orders;
        orders->clock_fixed = o->clock_ns != 0;
        __atomic_store_n(&orders->clock_base, base, __ATOMIC_RELAXED);
        rk_atomic_set_u32(&orders->clock_error_ns, error);
    }
}

void rk_cuda_tell_overdue(rk_cuda_runtime *cuda)
{
    if (cuda->clock_told) return;
    cuda->clock_told = 1;
    rk_runtime_log(
        cuda->runtime, RK_WARNING, "", 0,
        "the device can't be asked for its time: kernels that stay, or other processes, have all of it. Its "
        "clock is off by a little more each second (clock_error_ns of rk_metrics says by how much) until "
        "there is room: launch with fewer blocks than it has multiprocessors");
}
