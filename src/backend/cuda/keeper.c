/* The keeper: a thread that watches over what is on the device. It keeps the host's heartbeat, tells failures,
 * launches again what has left unasked, keeps the device's clock beside the host's, and in slices launches what
 * has work. */
#include <sched.h>
#include <string.h>

#include "../../runtime/futex.h"
#include "../../runtime/guard.h"
#include "../../runtime/kernel.h"
#include "../hang.h"
#include "../resident.h"
#include "../slices.h"
#include "cuda.h"

#define BEAT_NS RK_MILLISECONDS(5)
#define SLICE_VISITS 64u                   /* of a shard in one launch, at most */
#define SLICES_NAP_NS RK_MILLISECONDS(100) /* while nobody rings and no time has come */
#define ROUND_NS RK_MILLISECONDS(1)        /* a slice that takes longer holds up no other kernel's */
#define LATE_PART 16u /* and is asked again when it has taken so much longer, by the part of its time */
#define CLOCK_WITHIN_NS \
    BEAT_NS /* where the device has no room to be asked for its time, nothing waits for longer */

static void set_clocks(rk_cuda_runtime *cuda)
{
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count); n++)
        if (cuda->residence[n]) rk_cuda_tell_clock(cuda, cuda->residence[n]->kernel);
}

/* ------------------------------------------------------------------ failures */

/* Without the copying lock: whoever reads an account holds the list's, and then that one. */
void rk_cuda_tell_failure(rk_host_kernel *kernel, rk_u64 incarnation)
{
    rk_kernel_failed_in(kernel, incarnation,
                        rk_atomic_u32(&rk_cuda_on(kernel)->lost)
                            ? "the device is lost, with all that was on it"
                            : "stopped between publishing and committing a batch");
}

/* ------------------------------------------------------------------ rounds */

/* What the driver refuses is tried again in each round, and told once, till it is taken. */
static void launch_again(rk_cuda_runtime *cuda, rk_residence *r, rk_u32 visits)
{
    const rk_status status = rk_cuda_launch(cuda, r, 0, r->kernel->seat_count, visits);
    if (status != RK_OK && status != RK_DEVICE_LOST && !r->tried) {
        rk_error_detail("it is tried again, and until then '%s' is not served", r->kernel->id);
        rk_runtime_log(cuda->runtime, RK_ERROR, r->kernel->id, 0, rk_error_text());
    }
    r->tried = status != RK_OK;
}

/* What stays: heartbeat, and what has left unasked comes back. */
static void keep_resident(rk_cuda_runtime *cuda, rk_u64 beat)
{
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count); n++) {
        rk_residence *r = cuda->residence[n];
        if (!r || !rk_atomic_u32(&r->launched)) continue;
        for (rk_u32 s = 0; s < r->kernel->seat_count; s++)
            __atomic_store_n(&r->kernel->seats[s].orders->heartbeat, beat, __ATOMIC_RELAXED);
        int result = cuda->api.cuStreamQuery(r->stream);
        if (result == RK_CUDA_ERROR_NOT_READY) {
            rk_resident_follow(r->kernel);
            continue;
        }
        rk_resident_ended(r->kernel);
        if (result != RK_CUDA_SUCCESS)
            rk_cuda_lose(cuda, result, "a kernel that stays has ended");
        else if (rk_slices_wanted(r->kernel))
            launch_again(cuda, r, 0);
    }
}

/* A slice has ended. 1: there may be more to do. */
static rk_u32 land(rk_residence *r)
{
    rk_u32 ended = 0, worked = 0;
    rk_atomic_set_u32(&r->launched, 0);
    rk_atomic_set_u32(&r->slices, r->slices + 1);
    for (rk_u32 s = 0; s < r->kernel->seat_count; s++) {
        const rk_orders *orders = r->kernel->seats[s].orders;
        rk_u32 visit = rk_atomic_u32(&orders->visit);
        rk_u64 progress = __atomic_load_n(&orders->progress, __ATOMIC_ACQUIRE);
        worked |= visit == RK_VISIT_WAITS || visit == RK_VISIT_PARKED || progress != r->progress[s];
        r->progress[s] = progress;
        ended += visit == RK_VISIT_ENDED;
    }
    worked |= ended != r->ended; /* those that it feeds may end, too */
    r->ended = ended;
    return worked;
}

/* Slices: one launch for every kernel that may have work, all at once; again while any had some. One that takes longer
 * than a round is asked in each whether it has ended, and holds up nobody: a handler may never return. *nap_ns: until
 * those are asked again, at most. */
static int run_slices(rk_cuda_runtime *cuda, rk_u64 *nap_ns)
{
    rk_u32 worked = 0;
    const rk_u32 count = rk_atomic_u32(&cuda->runtime->kernel_count);
    const rk_u64 begun_ns = rk_monotonic_ns();
    for (rk_u32 n = 1; n <= count; n++) {
        rk_residence *r = cuda->residence[n];
        if (!r || rk_atomic_u32(&r->launched) || !rk_slices_wanted(r->kernel)) continue;
        rk_cuda_tell_clock(cuda, r->kernel);
        r->launched_ns = begun_ns;
        launch_again(cuda, r, SLICE_VISITS);
    }
    for (rk_u32 n = 1; n <= count; n++) {
        rk_residence *r = cuda->residence[n];
        if (!r || !rk_atomic_u32(&r->launched)) continue;
        if (rk_cuda_await(cuda, r->stream, r->launched_ns + ROUND_NS) != RK_TIMED_OUT) {
            worked |= land(r);
            continue;
        }
        const rk_u64 next_ns = (rk_monotonic_ns() - r->launched_ns) / LATE_PART;
        if (next_ns < *nap_ns) *nap_ns = next_ns;
    }
    return (int)worked;
}

static void sleep_lanes(rk_cuda_runtime *cuda)
{
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count); n++)
        if (cuda->residence[n]) rk_slices_sleep(cuda->residence[n]->kernel);
}

/* At rest: for one whose slice has not ended nothing can be done. */
static const rk_residence *resting(const rk_cuda_runtime *cuda, rk_u32 number)
{
    const rk_residence *r = cuda->residence[number];
    return r && !rk_atomic_u32(&r->launched) ? r : 0;
}

static int has_arrived(rk_cuda_runtime *cuda)
{
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count); n++) {
        const rk_residence *r = resting(cuda, n);
        for (rk_u32 s = 0; r && s < r->kernel->seat_count; s++)
            if (rk_lane_depth(rk_seat_lane(&r->kernel->seats[s], RK_LANE_HOST), cuda->runtime->arena.base))
                return 1;
    }
    return 0;
}

/* `nap_ns` at most. */
static rk_u64 nap_of(rk_cuda_runtime *cuda, rk_u64 nap_ns)
{
    const rk_u64 now = rk_runtime_now(cuda->runtime);
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cuda->runtime->kernel_count); n++)
        if (resting(cuda, n)) nap_ns = rk_slices_nap(cuda->residence[n]->kernel, now, nap_ns);
    return nap_ns;
}

static void tell_failures(rk_cuda_runtime *cuda)
{
    rk_runtime *runtime = cuda->runtime;
    rk_u32 count = rk_atomic_u32(&runtime->kernel_count), lost = rk_atomic_u32(&cuda->lost);
    for (rk_u32 n = 1; n <= count; n++) {
        rk_host_kernel *failed = 0;
        rk_u64 incarnation = 0;
        rk_cuda_lock(cuda);
        rk_residence *r = cuda->residence[n];
        if (r && !r->told && (lost || rk_slices_failed(r->kernel))) {
            r->told = 1;
            failed = r->kernel;
            incarnation = rk_kernel_incarnation(failed);
        }
        pthread_mutex_unlock(&cuda->copying);
        if (failed) rk_cuda_tell_failure(failed, incarnation);
    }
}

static void raise_all(const rk_cuda_devices *all, const rk_cuda_runtime *but)
{
    for (rk_u32 d = 0; d < all->count; d++)
        if (all->at[d] != but) rk_event_raise(&all->at[d]->keeper_event);
}

static void *keeper_main(void *argument)
{
    rk_cuda_runtime *cuda = argument;
    rk_runtime *runtime = cuda->runtime;
    rk_u64 calibrated = rk_monotonic_ns();
    cuda->api.cuCtxSetCurrent(cuda->context);
    for (;;) {
        rk_u32 seen = __atomic_load_n(&cuda->keeper_event, __ATOMIC_SEQ_CST);
        int worked = 0, overdue = 0;
        rk_u64 nap_ns = runtime->options.slices ? SLICES_NAP_NS : BEAT_NS;
        if (rk_atomic_u32(&cuda->keeper_stop)) break;
        rk_error_begin();
        for (int i = 0; i < RK_CUDA_DEFERS && rk_atomic_u32(&cuda->waiting); i++) sched_yield();
        rk_u64 beat = __atomic_add_fetch(&cuda->beat, 1, __ATOMIC_RELAXED);
        rk_atomic_set_u32(&cuda->keeper_waits, 1);
        pthread_mutex_lock(&cuda->copying);
        rk_atomic_set_u32(&cuda->keeper_waits, 0);
        if (!rk_atomic_u32(&cuda->lost)) {
            if (runtime->options.slices)
                worked = run_slices(cuda, &nap_ns);
            else
                keep_resident(cuda, beat);
            const int due = cuda->clock_probe && rk_monotonic_ns() - calibrated > RK_SECONDS(1);
            if (due) {
                overdue = rk_cuda_calibrate(cuda, CLOCK_WITHIN_NS) == RK_TIMED_OUT;
                calibrated = rk_monotonic_ns();
            }
            if (due || runtime->options.clock_ns)
                set_clocks(cuda); /* one of the user's own moves as it likes */
            if (runtime->options.slices && !worked) {
                sleep_lanes(cuda);
                nap_ns = nap_of(cuda, nap_ns);
                worked = has_arrived(cuda) || !nap_ns;
            }
        }
        pthread_mutex_unlock(&cuda->copying);
        tell_failures(cuda);
        if (overdue) rk_cuda_tell_overdue(cuda);
        if (worked) {
            if (runtime->options.slices) raise_all(cuda->all, cuda); /* something may have been sent there */
            sched_yield();
            continue;
        }
        rk_futex_wait(&cuda->keeper_event, seen, nap_ns);
    }
    return 0;
}

/* ------------------------------------------------------------------ from outside */

rk_status rk_cuda_keeper_start(rk_cuda_runtime *cuda)
{
    if (cuda->runtime->options.single_step) return RK_OK;
    if (pthread_create(&cuda->keeper, 0, keeper_main, cuda))
        return rk_error(RK_OUT_OF_MEMORY, "can't start the thread that watches over the device");
    pthread_setname_np(cuda->keeper, "rk-keeper");
    cuda->keeper_runs = 1;
    return RK_OK;
}

void rk_cuda_keeper_stop(rk_cuda_runtime *cuda)
{
    if (!cuda->keeper_runs) return;
    rk_atomic_set_u32(&cuda->keeper_stop, 1);
    rk_event_raise(&cuda->keeper_event);
    pthread_join(cuda->keeper, 0);
    cuda->keeper_runs = 0;
}

void rk_cuda_ring(rk_seat *seat)
{
    if (seat->owner->runtime->options.slices) rk_event_raise(&rk_cuda_on(seat->owner)->keeper_event);
}

void rk_cuda_ring_parked(rk_runtime *runtime)
{
    if (runtime->options.slices) raise_all(rk_cuda_all(runtime), 0);
}

/* A stuck block stops nobody else's: nothing is to be replaced. Who looks after its kernel is told. */
void rk_cuda_watch(rk_runtime *runtime, rk_u64 now_ns)
{
    (void)now_ns;
    for (rk_u32 n = 1; n <= rk_atomic_u32(&runtime->kernel_count); n++) {
        rk_host_kernel *k = runtime->kernels[n];
        if (!k->seat_count) continue;
        const rk_cuda_runtime *cuda = rk_cuda_on(k);
        const rk_residence *r = cuda->residence[n];
        if (!rk_atomic_u32(&k->gate)) rk_cuda_look(k); /* else the service thread just has */
        rk_hang_watch(k, r && rk_atomic_u32(&r->launched) && !rk_atomic_u32(&cuda->lost), 0);
    }
    raise_all(rk_cuda_all(runtime), 0);
}
