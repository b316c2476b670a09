/* Code that is made once for all who ask for it, by the first of them, without a lock meanwhile: the others wait for that
 * one alone. */
#ifndef RK_BACKEND_MAKING_H
#define RK_BACKEND_MAKING_H

#include "../runtime/core.h"

/* The beginning of a backend's structure of a kernel's code. */
typedef struct rk_made {
    struct rk_made *next;
    const rk_class *class;
    rk_u64 key;     /* what its code hangs on besides, as the backend says */
    rk_u32 is_made; /* 0: somebody makes it */
    rk_u32 made_;
} rk_made;

typedef struct rk_making {
    pthread_mutex_t lock; /* of the list */
    pthread_cond_t ended; /* something is made, or isn't and is gone from the list */
    rk_made *first;       /* what is made stays until all is freed */
} rk_making;

void rk_making_open(rk_making *making);
void rk_making_close(rk_making *making);
/* What is made already, by whoever it was; or, *mine, a zeroed structure of `size` bytes that the caller makes, and says
 * so with rk_making_end. 0: no memory. By any thread. */
rk_made *rk_making_begin(rk_making *making, const rk_class *class, rk_u64 key, size_t size, int *mine);
/* 0: it couldn't be made. It is out of the list and still the caller's then, and others try it themselves. */
void rk_making_end(rk_making *making, rk_made *made, int is_made);

#endif
