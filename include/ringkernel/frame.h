/* Frames: a message as bytes outside of a lane, for a file, a pipe or a network.
 *
 * 64 bytes of header, then the payload: the long header with a magic number in place of the lap, the schema
 * hash, the payload's length and a checksum over all of it. A frame that is cut, damaged or of another
 * version is refused, and nothing of it is used. */
#ifndef RINGKERNEL_FRAME_H
#define RINGKERNEL_FRAME_H

#include "transfer.h"

RK_BEGIN_DECLS

#define RK_FRAME_MAGIC 0x314d4652u /* "RFM1", little-endian */

typedef struct rk_frame_header {
    rk_header_long message; /* base.lap is RK_FRAME_MAGIC, base.length is unused */
    rk_u64 schema_hash;
    rk_u32 length;   /* bytes of the payload */
    rk_u32 checksum; /* of everything else, FNV-1a folded to 32 bits */
} rk_frame_header;
RK_STATIC_ASSERT(sizeof(rk_frame_header) == 64, "frame header");

/* Bytes that a frame with a payload of `size` takes. */
RK_API size_t rk_frame_size(size_t size);

/* Write a message as a frame. `room` bytes at `frame`; *written is how many were. Thread-safe.
 *   RK_INVALID_ARGUMENT  a pointer is null; or options besides target, priority, id and ttl_us
 *   RK_TOO_LARGE, RK_TOO_SMALL  the body isn't of the schema's size; or RK_TOO_SMALL: `room` is less than
 *                               rk_frame_size(size) */
RK_API rk_status rk_frame_write(const rk_schema *schema, const void *body, size_t size,
                                const rk_send_options *options, void *frame, size_t room, size_t *written);

/* Look at the frame that begins at `bytes`, of which `size` are there. On RK_OK, *payload points into it and
 * *used is the frame's length. Nothing is copied. Thread-safe.
 *   RK_EMPTY    more bytes are needed: *used says how many at least
 *   RK_CORRUPT  not a frame, of another version, damaged, or impossible; the text says which. Skip it, or
 *               close the connection. */
RK_API rk_status rk_frame_read(const void *bytes, size_t size, rk_frame_header *header, const void **payload,
                               size_t *used);

/* Send the message of a frame: type, target, priority, id and time to live are the frame's. RK_INCOMPATIBLE:
 * the kernel's message of that type has another schema. Else as rk_frame_read and rk_send. */
RK_API rk_status rk_send_frame(rk_runtime *runtime, rk_kernel kernel, const void *bytes, size_t size,
                               size_t *used);

RK_END_DECLS

#endif
