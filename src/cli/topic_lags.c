#include "topic_lags.h"

#include <inttypes.h>
#include <stdlib.h>

#include "command.h"

struct topic_lags {
    rk_u32 count;
    struct topic_lag_seen {
        rk_topic_lag last;  /* as it was at the last look */
        rk_u64 most_behind; /* of one shard, at any look */
        rk_u32 shard;       /* which that was */
    } seen[];
};

void topic_lags_begin(job *j)
{
    rk_topic_lag lag;
    rk_u32 count = 0;
    if (!j->topics) return;
    while (rk_topic_lag_of(j->topics, count, &lag) == RK_OK) count++;
    j->lags = command_allocate(sizeof *j->lags + count * sizeof *j->lags->seen);
    j->lags->count = count;
    for (rk_u32 i = 0; i < count; i++) {
        j->lags->seen[i] = (struct topic_lag_seen){ .shard = 0 };
        rk_topic_lag_of(j->topics, i, &j->lags->seen[i].last);
    }
}

void topic_lags_look(job *j)
{
    for (rk_u32 i = 0; j->lags && i < j->lags->count; i++) {
        struct topic_lag_seen *seen = &j->lags->seen[i];
        if (rk_topic_lag_of(j->topics, i, &seen->last) != RK_OK ||
            seen->last.most_behind <= seen->most_behind)
            continue;
        seen->most_behind = seen->last.most_behind;
        seen->shard = seen->last.shard;
    }
}

json_t *topic_lags_json(job *j)
{
    json_t *all = json_array();
    for (rk_u32 i = 0; j->lags && i < j->lags->count; i++) {
        const struct topic_lag_seen *seen = &j->lags->seen[i];
        json_array_append_new(
            all, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "subscriber", seen->last.id, "accepted",
                           (json_int_t)seen->last.accepted, "behind", (json_int_t)seen->last.behind, "missed",
                           (json_int_t)seen->last.missed, "most_behind", (json_int_t)seen->most_behind,
                           "shard", (json_int_t)seen->shard, "capacity", (json_int_t)seen->last.capacity));
    }
    return all;
}

void topic_lags_print(job *j, FILE *out)
{
    for (rk_u32 i = 0; j->lags && i < j->lags->count; i++) {
        const struct topic_lag_seen *seen = &j->lags->seen[i];
        if (seen->most_behind < seen->last.capacity && !seen->last.missed) continue;
        fprintf(out,
                "subscriber '%s' was slow: up to %" PRIu64 " messages of %u behind in shard %u, %" PRIu64
                " missed\n",
                seen->last.id, (uint64_t)seen->most_behind, seen->last.capacity, seen->shard,
                (uint64_t)seen->last.missed);
    }
}

void topic_lags_end(job *j)
{
    free(j->lags);
    j->lags = NULL;
}
