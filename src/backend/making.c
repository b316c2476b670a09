#include "making.h"

#include <stdlib.h>

void rk_making_open(rk_making *making)
{
    pthread_mutex_init(&making->lock, 0);
    pthread_cond_init(&making->ended, 0);
}

void rk_making_close(rk_making *making)
{
    pthread_mutex_destroy(&making->lock);
    pthread_cond_destroy(&making->ended);
}

static rk_made *find(const rk_making *making, const rk_class *class, rk_u64 key)
{
    rk_made *made = making->first;
    while (made && !(made->class == class && made->key == key)) made = made->next;
    return made;
}

rk_made *rk_making_begin(rk_making *making, const rk_class *class, rk_u64 key, size_t size, int *mine)
{
    pthread_mutex_lock(&making->lock);
    rk_made *made = find(making, class, key);
    while (made && !made->is_made) { /* it may fail, and be gone then */
        pthread_cond_wait(&making->ended, &making->lock);
        made = find(making, class, key);
    }
    *mine = !made;
    if (*mine && (made = calloc(1, size))) {
        made->class = class;
        made->key = key;
        made->next = making->first;
        making->first = made;
    }
    pthread_mutex_unlock(&making->lock);
    return made;
}

void rk_making_end(rk_making *making, rk_made *made, int is_made)
{
    pthread_mutex_lock(&making->lock);
    made->is_made = is_made != 0;
    if (!is_made) {
        rk_made **link = &making->first;
        while (*link != made) link = &(*link)->next;
        *link = made->next;
    }
    pthread_cond_broadcast(&making->ended);
    pthread_mutex_unlock(&making->lock);
}
