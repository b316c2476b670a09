/* Fuzzing of frames: whatever the bytes, a frame is read within them or refused, and what is read writes back
 * to the same bytes. */
#include <ringkernel/frame.h>
#include <stdlib.h>
#include <string.h>

RK_BLOB(fuzzed, 1, 65536)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rk_frame_header header;
    const void *payload;
    size_t at = 0, used;
    while (rk_frame_read(data + at, size - at, &header, &payload, &used) == RK_OK) {
        if (used > size - at || (const uint8_t *)payload + header.length != data + at + used) abort();
        if (header.length <= sizeof(fuzzed)) {
            rk_schema schema = *RK_SCHEMA(fuzzed);
            schema.type = header.message.base.type;
            schema.hash = header.schema_hash;
            rk_send_options options = RK_SEND_DEFAULTS;
            options.target = header.message.base.target;
            options.priority = header.message.base.priority;
            options.id = header.message.id;
            options.ttl_us = header.message.ttl_us;
            static uint8_t again[sizeof(fuzzed) + 64];
            size_t written;
            if (rk_frame_write(&schema, payload, header.length, &options, again, sizeof again, &written) !=
                RK_OK)
                abort();
            if (written != used || memcmp(again, data + at, used) != 0) abort();
        }
        at += used;
    }
    return 0;
}
