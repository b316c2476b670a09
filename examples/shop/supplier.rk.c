/* The supplier: says what its articles cost, over a bad line on which questions are lost. */
#include <ringkernel/kernel.h>
#include <ringkernel/state/counters.h>

#include "shop.rk.h"

#define FIRST_ARTICLE 40100u
#define ARTICLES 20u

RK_PARAM(rk_u32, unheard, 1)     /* of each article's questions the first so many are lost, */
RK_PARAM(rk_u32, silent, 40113u) /* and of this article all */

RK_COUNTERS(questions, 256)

typedef struct line {
    questions asked; /* by article */
} line;

/* Each article is dearer than the one before it. */
RK_FN rk_u32 cents_of(rk_u32 article)
{
    const rk_u32 place = article - FIRST_ARTICLE;
    return place < ARTICLES ? 499u + 150u * place : 0;
}

RK_HANDLER(supplier, question, msg, line, self, .state = RK_PER_SHARD, .replies = 1)
{
    questions_count(&self->asked, msg->article, 1);
    if (msg->article == RK_PARAM_OF(silent)) return;
    if (questions_of(&self->asked, msg->article) <= RK_PARAM_OF(unheard)) return;
    price p = { cents_of(msg->article) };
    rk_reply(RK_ARG, msg, &p);
}
