#include <ringkernel/frame.h>

#include "../runtime/kernel.h"
#include "../runtime/module.h"

rk_status rk_send_frame(rk_runtime *runtime, rk_kernel kernel, const void *bytes, size_t size, size_t *used)
{
    rk_frame_header header;
    const void *payload = 0;
    size_t length = 0;
    const rk_class *class = 0;
    char id[64];
    rk_status status = rk_runtime_check(runtime, "rk_send_frame");
    if (status == RK_OK) status = rk_frame_read(bytes, size, &header, &payload, &length);
    if (used) *used = status == RK_OK || status == RK_EMPTY ? length : 0;
    if (status == RK_OK) status = rk_kernel_class_of(runtime, kernel, &class, id);
    if (status != RK_OK) return status;
    const rk_declaration *handler = rk_class_handler(class, header.message.base.type);
    if (handler && handler->message->hash != header.schema_hash)
        return rk_error(
            RK_INCOMPATIBLE,
            "'%s': the frame's message type %u has schema %016llx, the kernel's message '%s' has %016llx", id,
            header.message.base.type, (unsigned long long)header.schema_hash, handler->message->name,
            (unsigned long long)handler->message->hash);
    rk_send_options options = RK_SEND_DEFAULTS;
    options.target = header.message.base.target;
    options.priority = header.message.base.priority;
    options.id = header.message.id;
    options.ttl_us = header.message.ttl_us;
    return rk_send(runtime, kernel, header.message.base.type, payload, header.length, &options);
}
