/* How much of a block's own memory the express (express.h) takes: copies of messages and staged sends of one turn.
 * The host asks for it at the launch, the device finds the same figures.
 *
 * A stride of whole cache lines would put what all threads write into the same banks, so entries lie eight bytes
 * farther apart. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_ROOM_H
#define RINGKERNEL_DEVICE_EXPRESS_ROOM_H

#include "stage.h"

#define RK_EXPRESS_APART 8u
#define RK_EXPRESS_SENDS 1024u         /* that all threads may stage in one turn */
#define RK_EXPRESS_MEMORY (200u << 10) /* bytes of a block's memory that are taken at most */

typedef struct rk_express_room {
    rk_u32 messages; /* of one turn; 0: there is no room for the express */
    rk_u32 copy_stride, stage_stride;
    rk_u32 bytes;
} rk_express_room;

RK_FN rk_express_room rk_express_room_for(RK_GLOBAL const rk_shard *shard, rk_u32 threads, rk_u32 memory)
{
    rk_express_room room;
    room.copy_stride = (1u << shard->copy_shift) + RK_EXPRESS_APART;
    room.stage_stride = shard->stage_stride + RK_EXPRESS_APART;
    rk_u32 each = room.copy_stride + room.stage_stride * shard->max_sends;
    rk_u32 fit = memory / each;
    room.messages = shard->max_batch < threads ? shard->max_batch : threads;
    if (room.messages > RK_EXPRESS_SENDS / shard->max_sends)
        room.messages = RK_EXPRESS_SENDS / shard->max_sends;
    if (room.messages > fit) room.messages = fit;
    room.bytes = (room.messages * each + 15u) & ~15u;
    return room;
}

#endif
