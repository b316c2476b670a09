#include "under_way.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static rk_under_way *calls;

rk_status rk_under_way_begin(rk_under_way *me, const rk_runtime *runtime, const char *call)
{
    pthread_mutex_lock(&lock);
    rk_status status = rk_runtime_check(runtime, call);
    if (status == RK_OK) {
        *me = (rk_under_way){ runtime, calls };
        calls = me;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void rk_under_way_end(rk_under_way *me)
{
    pthread_mutex_lock(&lock);
    rk_under_way **link = &calls;
    while (*link != me) link = &(*link)->next;
    *link = me->next;
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
}

void rk_under_way_wait(const rk_runtime *runtime)
{
    pthread_mutex_lock(&lock);
    for (const rk_under_way *at = calls; at;) {
        if (at->runtime == runtime) {
            pthread_cond_wait(&ended, &lock);
            at = calls;
        } else {
            at = at->next;
        }
    }
    pthread_mutex_unlock(&lock);
}
