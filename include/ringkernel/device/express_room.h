/* How much of a block's own memory the express (express.h) takes: what its threads tell each other, copies of
 * messages, and staged sends of one turn. The host asks for it at the launch, the device finds the same figures.
 *
 * What each thread writes lies an odd number of eight bytes from what its neighbour does, or all would meet in the same
 * banks. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_ROOM_H
#define RINGKERNEL_DEVICE_EXPRESS_ROOM_H

#include "stage.h"

#define RK_EXPRESS_APART 8u
#define RK_EXPRESS_DEEP 4u      /* looks that a lane has under way at once, after a full batch */
#define RK_EXPRESS_SENDS 1024u  /* that all threads may stage in one turn, and messages of one */
#define RK_EXPRESS_CLAIMS 2048u /* places by which messages of one actor find each other */
#define RK_EXPRESS_COUNTERS 10u
#define RK_EXPRESS_STAMPS \
    9u /* in batches one stamp in 512 is made and read, beside a look over the bus that is made anyhow */
#define RK_EXPRESS_AIM (20u << 10)     /* bytes for the shards of a target, and for who sends to which */
#define RK_EXPRESS_MEMORY (220u << 10) /* bytes of a block's memory that are taken at most */

/* A ring as the express reads it. */
typedef struct rk_way {
    RK_GLOBAL rk_ring *ring;
    RK_GLOBAL rk_ring *far; /* the host's header; 0: there is one */
    rk_byte *slots;
    rk_u64 head;
    rk_u32 mask, shift, header_size, counted;
} rk_way;

/* One shard of the target, and what it is sent in this turn: sends 0 … done - 1 are out, `granted` more have slots from
 * `first` on, and `left` have none yet. */
typedef struct rk_express_target {
    RK_GLOBAL rk_ring *ring;
    rk_byte *slots;
    RK_GLOBAL rk_u64 *count; /* what the connection has sent there; 0: it leads to the host */
    rk_u32 first;            /* index of a slot, its low word */
    rk_u32 done, granted, left;
} rk_express_target;

/* One of the connections that sends may go by. */
#define RK_EXPRESS_EDGES 4u
typedef struct rk_express_edge {
    rk_edge edge;
    rk_u32 route;
    rk_u32 first; /* of its shards, among all targets */
} rk_express_edge;

/* Where sends go, as far as it is known when the express begins: by the default route, and by named ones of one
 * connection whose lanes are like those. */
typedef struct rk_aim {
    rk_express_target *target; /* of each shard of each connection */
    rk_u32 *cell;              /* rows × shards: sends of a row to a shard; 0 between the turns */
    RK_GLOBAL rk_u64 *turns;   /* sends of the connection, if there is one */
    rk_u32 shards, rows;
    rk_u32 mask, shift, header_size, single, payload_max;
    rk_u32 tries;   /* for room: only under Block is it waited for */
    rk_u32 marked;  /* 1: a send needs a target or a stamp */
    rk_u32 ordered; /* 1: what the stamp or the target is hangs on the sends before */
    rk_u32 edges;   /* 0: to the host */
    rk_u32 routes;  /* a bit for each named one */
    rk_express_edge edge[RK_EXPRESS_EDGES];
} rk_aim;

/* Where the warps of a block stand that take a lane's slots by turns (shuttle_run.h). Slots are counted from the first
 * one of the run on. */
typedef struct rk_turnstile {
    rk_u32 found;    /* up to here they are whole, and some warp's; */
    rk_u32 ends;     /* RK_RUN_*: why nobody finds more; 0: the run goes on */
    rk_u32 passed;   /* up to here what they send has slots; */
    rk_u32 halted;   /* 1: nobody passes any more, */
    rk_u32 out;      /* and so many sends of the next messages are out; */
    rk_u32 written;  /* up to here all of them are out, and the slots given back */
    rk_u32 pressed;  /* 1: who passes next lacks room, so nobody else may hold any */
    rk_u32 reach;    /* slots behind `found` that are looked at */
    rk_u32 quiet;    /* looks in a row that brought one message or none */
    rk_u64 asked;    /* a stamp that the scout is to read (shuttle_scout.h); 0: none */
    rk_u64 began_ns; /* when the run did */
} rk_turnstile;

/* One message's call of its handler. */
typedef struct rk_express_call {
    rk_u16 first, sent; /* its staged sends; the first in eights of bytes */
    rk_u32 failed;
} rk_express_call;

/* What the threads of a block tell each other, and copies of what they would have to load again: an acquire empties
 * the cache. */
typedef struct rk_express {
    rk_u64 shard[RK_OFFSET_OF(rk_shard, turn) / 8u]; /* its constants */
    rk_aim to;
    rk_way in[2][RK_BANDS]; /* the shard's lanes: host's, device's */
    rk_u64 now_ns;
    rk_u64 tail;                                    /* of a target with no other producer */
    rk_u64 room_from;                               /* what was last seen of that target's head */
    rk_u64 service_min_ns, service_max_ns, largest; /* of the meter, */
    rk_u64 least_wait_ns, most_wait_ns;             /* too, */
    rk_u64 stamp[RK_BANDS];                         /* read with a look at the lane: the next, */
    rk_u64 clock_hlc;                               /* of the turn, as it last was, */
    rk_u32 faults, faults_;                         /* and those that were */
    RK_GLOBAL rk_u64 *counter[RK_EXPRESS_COUNTERS]; /* by lane: what a turn adds to */
    rk_u64 stamp_ns[32];                            /* of each warp's messages, the latest */
    rk_u64 wait_sum_ns[32], wait_min_ns[32], wait_max_ns[32];
    rk_u32 count[32u * RK_EXPRESS_DEEP]; /* whole slots that a warp found in one look */
    rk_u32 sends[32];                    /* of a warp's messages */
    rk_u32 total;                        /* sends of the turn */
    rk_u32 out;                          /* those that are out */
    rk_u32 done;                         /* the first warp has seen to them */
    rk_u32 general;                      /* 1: the general visit has to finish the turn */
    rk_u32 odd;                          /* the next message is one for the general visit */
    rk_u32 ends;                         /* so is what the host has ordered */
    rk_u32 rounds;                       /* of handlers, in the turn */
    rk_turnstile turnstile;
    rk_u32 alone;                    /* RK_ALONE_*: why the first warp doesn't go on alone, */
    rk_u32 alone_turns;              /* how many messages it handled whole, */
    rk_u32 alone_from, alone_band;   /* and where the one lies that the general visit has to finish */
    rk_u32 place[RK_EXPRESS_SENDS];  /* of each send: the how-manieth to its shard */
    rk_u32 claim[RK_EXPRESS_CLAIMS]; /* the first message at each place, or RK_EXPRESS_NONE */
    rk_express_call call[RK_EXPRESS_SENDS];
    rk_u16 number[RK_EXPRESS_SENDS]; /* the sends in order: where each is staged, in eights of bytes, */
    rk_u16 aim[RK_EXPRESS_SENDS];    /* and to which shard of the target */
} rk_express;

typedef struct rk_express_room {
    rk_u32 messages; /* of one turn; 0: there is no room for the express */
    rk_u32 copy_stride, stage_stride;
    rk_u32 share; /* bytes of stage for each message */
    rk_u32 bytes;
} rk_express_room;

#define RK_EXPRESS_FIXED ((rk_u32)sizeof(rk_express) + RK_EXPRESS_AIM)

RK_FN rk_express_room rk_express_room_for(RK_GLOBAL const rk_shard *shard, rk_u32 threads, rk_u32 memory)
{
    rk_express_room room;
    room.copy_stride = (1u << shard->copy_shift) + RK_EXPRESS_APART;
    /* Whole slots are written from there, whatever the length of what is in them. */
    room.stage_stride = sizeof(rk_staged) + RK_SLOT_MIN - RK_HEADER_SHORT;
    if (room.stage_stride < shard->stage_stride) room.stage_stride = shard->stage_stride;
    room.stage_stride += RK_EXPRESS_APART;
    room.share = (room.stage_stride * shard->max_sends) | RK_EXPRESS_APART;
    rk_u32 each = room.copy_stride + room.share;
    rk_u32 fit = memory > RK_EXPRESS_FIXED ? (memory - RK_EXPRESS_FIXED) / each : 0u;
    room.messages = shard->max_batch < threads ? shard->max_batch : threads;
    if (room.messages > RK_EXPRESS_SENDS / shard->max_sends)
        room.messages = RK_EXPRESS_SENDS / shard->max_sends;
    if (room.messages > fit) room.messages = fit >= 32u ? fit & ~31u : fit;
    room.bytes = room.messages ? (RK_EXPRESS_FIXED + room.messages * each + 15u) & ~15u : 0u;
    return room;
}

#endif
