#include <ringkernel/frame.h>

#include <string.h>

#include "../runtime/error.h"

/* FNV-1a over the header with the checksum as zero, then the payload. */
static rk_u32 checksum_of(const rk_frame_header *header, const void *payload, size_t size)
{
    rk_frame_header clean = *header;
    clean.checksum = 0;
    rk_u64 hash = RK_FNV_BASIS;
    const unsigned char *at = (const unsigned char *)&clean;
    for (size_t i = 0; i < sizeof clean; i++) hash = RK_FNV(hash, at[i]);
    at = payload;
    for (size_t i = 0; i < size; i++) hash = RK_FNV(hash, at[i]);
    return (rk_u32)(hash ^ (hash >> 32));
}

size_t rk_frame_size(size_t size) { return sizeof(rk_frame_header) + size; }

rk_status rk_frame_write(const rk_schema *schema, const void *body, size_t size,
                         const rk_send_options *options, void *frame, size_t room, size_t *written)
{
    static const rk_send_options defaults = RK_SEND_DEFAULTS;
    rk_error_begin();
    if (!schema || (!body && size) || !frame || !written)
        return rk_error(RK_INVALID_ARGUMENT, "rk_frame_write: a pointer is null");
    if (size > schema->size)
        return rk_error(RK_TOO_LARGE, "%zu bytes, but message '%s' has at most %u", size, schema->name,
                        schema->size);
    if (size < schema->size && !schema->variable)
        return rk_error(RK_TOO_SMALL, "%zu bytes, but message '%s' has %u", size, schema->name, schema->size);
    if (room < rk_frame_size(size))
        return rk_error(RK_TOO_SMALL, "the frame takes %zu bytes, the room is %zu", rk_frame_size(size),
                        room);
    if (!options) options = &defaults;
    if (options->correlation || options->timeout_ns || options->flags || options->options_ ||
        options->options__)
        return rk_error(RK_INVALID_ARGUMENT,
                        "a frame has target, priority, id and time to live of its options: leave all else 0");
    rk_frame_header h;
    memset(&h, 0, sizeof h);
    h.message.base.lap = RK_FRAME_MAGIC;
    h.message.base.type = (rk_u16)schema->type;
    h.message.base.target = options->target;
    h.message.base.priority = options->priority;
    h.message.id = options->id;
    h.message.ttl_us = options->ttl_us;
    h.message.version = RK_WIRE_VERSION;
    h.schema_hash = schema->hash;
    h.length = (rk_u32)size;
    h.checksum = checksum_of(&h, body, size);
    memcpy(frame, &h, sizeof h);
    if (size) memcpy((char *)frame + sizeof h, body, size);
    *written = rk_frame_size(size);
    return RK_OK;
}

rk_status rk_frame_read(const void *bytes, size_t size, rk_frame_header *header, const void **payload,
                        size_t *used)
{
    rk_error_begin();
    if ((!bytes && size) || !header || !payload || !used)
        return rk_error(RK_INVALID_ARGUMENT, "rk_frame_read: a pointer is null");
    *used = sizeof *header;
    if (size < sizeof *header) return RK_EMPTY;
    memcpy(header, bytes, sizeof *header);
    const rk_header_long *m = &header->message;
    if (m->base.lap != RK_FRAME_MAGIC)
        return rk_error(RK_CORRUPT, "not a frame: it begins with %08x instead of %08x", m->base.lap,
                        RK_FRAME_MAGIC);
    if (m->version != RK_WIRE_VERSION)
        return rk_error(RK_CORRUPT, "a frame of wire version %u; this library has %u", m->version,
                        RK_WIRE_VERSION);
    if (m->base.type == 0) return rk_error(RK_CORRUPT, "a frame with message type 0");
    if (m->base.flags || m->base.length || m->base.source || m->attempts || m->source_shard ||
        m->correlation || m->sent_ns)
        return rk_error(RK_CORRUPT, "a frame with fields set that only a lane may set");
    if (header->length > RK_MESSAGE_MAX)
        return rk_error(RK_CORRUPT, "a frame that claims %u bytes; the most is %u", header->length,
                        RK_MESSAGE_MAX);
    *used = rk_frame_size(header->length);
    if (size < *used) return RK_EMPTY;
    *payload = (const char *)bytes + sizeof *header;
    if (header->checksum != checksum_of(header, *payload, header->length))
        return rk_error(RK_CORRUPT, "a damaged frame: its checksum doesn't fit its bytes");
    return RK_OK;
}
