/* Copies that the mock driver makes as late as a device may, and what orders those of different streams: an event that was
 * recorded behind some is waited for by another stream. A program that reuses memory too soon, or forgets to wait, copies
 * what it shouldn't. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mock_cuda_inside.h"

#pragma GCC visibility push(default)
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define LATE_MOST 256

/* In the order in which they were begun. An event is a number behind which everything of its stream lies. */
typedef struct late {
    rk_cu_stream stream,
        waits_for; /* a copy of `stream`; or, `to` 0, its wait for the other's copies before this */
    void *to;
    const void *from;
    size_t bytes;
} late;

static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;
static late kept[LATE_MOST];
static unsigned count;
static rk_cu_stream recorded; /* on which the last event was */
static unsigned recorded_at;  /* what was kept by then */

static void keep(late one)
{
    if (count == LATE_MOST) abort();
    kept[count++] = one;
}

/* Those of a stream among the first `before`, and of streams that it waits for. */
static void catch_up(rk_cu_stream stream, unsigned before)
{
    for (unsigned i = 0; i < before; i++) {
        const late one = kept[i];
        if (one.stream != stream) continue;
        kept[i].stream = 0;
        if (one.to)
            memmove(one.to, one.from, one.bytes);
        else
            catch_up(one.waits_for, i);
    }
}

void mock_catch_up(rk_cu_stream stream)
{
    pthread_mutex_lock(&keeping);
    catch_up(stream, count);
    while (count && !kept[count - 1].stream) count--;
    pthread_mutex_unlock(&keeping);
}

int mock_copy_late(rk_cu_stream stream, void *to, const void *from, size_t bytes)
{
    if (!mock_cuda.late) return 0;
    pthread_mutex_lock(&keeping);
    keep((late){ stream, 0, to, from, bytes });
    pthread_mutex_unlock(&keeping);
    return 1;
}

rk_cu_result cuEventRecord(rk_cu_event event, rk_cu_stream stream)
{
    BEGIN_CURRENT;
    if (!event) return RK_CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&keeping);
    recorded = stream;
    recorded_at = count;
    pthread_mutex_unlock(&keeping);
    return RK_CUDA_SUCCESS;
}

rk_cu_result cuStreamWaitEvent(rk_cu_stream stream, rk_cu_event event, unsigned flags)
{
    BEGIN_CURRENT;
    if (!event || flags) return RK_CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&keeping);
    if (mock_cuda.late && recorded_at == count) keep((late){ .stream = stream, .waits_for = recorded });
    pthread_mutex_unlock(&keeping);
    return RK_CUDA_SUCCESS;
}
