#include "snapshot_form.h"

#include <string.h>

static rk_status check_head(const rk_form_head *head, size_t size)
{
    if (size < sizeof *head || (rk_u64)(uintptr_t)head % 8 || head->magic != RK_SNAPSHOT_MAGIC)
        return rk_error(RK_CORRUPT, "not a snapshot");
    if (head->version != RK_SNAPSHOT_VERSION || head->wire != RK_WIRE_VERSION)
        return rk_error(RK_INCOMPATIBLE,
                        "a snapshot of form %u with message headers of form %u; this library has %u and %u",
                        head->version, head->wire, RK_SNAPSHOT_VERSION, RK_WIRE_VERSION);
    if (head->size != size)
        return rk_error(RK_CORRUPT, "the snapshot has %zu bytes and says %llu", size,
                        (unsigned long long)head->size);
    if (!head->kernels || head->kernels > RK_KERNELS_MAX || head->queues % 8 || head->queues > size ||
        sizeof *head + head->kernels * sizeof(rk_form_kernel) > head->queues ||
        head->note > RK_SNAPSHOT_NOTE_MAX || rk_form_padded(head->note) > size - head->queues)
        return rk_error(RK_CORRUPT, "the snapshot's parts don't fit into it");
    return RK_OK;
}

rk_status rk_form_open(const void *bytes, size_t size, const rk_form_head **head,
                       const rk_form_kernel **kernels)
{
    const rk_form_head *h = bytes;
    rk_status status = check_head(h, bytes ? size : 0);
    const rk_form_kernel *k = status == RK_OK ? (const rk_form_kernel *)(h + 1) : 0;
    for (rk_u32 i = 0; status == RK_OK && i < h->kernels; i++) {
        const rk_snapshot_kernel *told = &k[i].told;
        rk_u32 states = told->state == RK_PER_ACTOR   ? told->actors
                        : told->state == RK_PER_SHARD ? told->shards
                                                      : 0;
        if (!memchr(told->id, 0, sizeof told->id) ||
            !memchr(told->kernel_name, 0, sizeof told->kernel_name) || !told->shards ||
            told->shards > RK_SHARDS_MAX || k[i].state_count != states || k[i].stride < told->state_size ||
            k[i].handled_count > RK_HANDLES_MAX || k[i].states > h->queues ||
            (rk_u64)k[i].stride * states > h->queues - k[i].states)
            status = rk_error(RK_CORRUPT, "the snapshot's record of kernel %u is impossible", i);
    }
    *head = h;
    *kernels = k;
    return status;
}

const rk_schema *rk_form_schema(const rk_class *class, rk_u32 type)
{
    for (const rk_declaration *d = class->module->declarations; d; d = d->next)
        if (d->kind == RK_DECLARES_MESSAGE && d->message->type == type) return d->message;
    return 0;
}

/* The record of kernel `index`. */
static rk_status find(const void *bytes, size_t size, rk_u32 index, const rk_form_kernel **kernel)
{
    const rk_form_head *head;
    rk_status status = rk_form_open(bytes, size, &head, kernel);
    if (status != RK_OK) return status;
    if (index >= head->kernels)
        return rk_error(RK_NO_SUCH_KERNEL, "the snapshot has %u kernels, counted from 0; there is no %u",
                        head->kernels, index);
    *kernel += index;
    return RK_OK;
}

rk_status rk_snapshot_describe(const void *bytes, size_t size, rk_u32 index, rk_snapshot_kernel *kernel)
{
    const rk_form_kernel *form;
    rk_error_begin();
    if (!kernel) return rk_error(RK_INVALID_ARGUMENT, "rk_snapshot_describe: kernel is null");
    rk_status status = find(bytes, size, index, &form);
    if (status == RK_OK) *kernel = form->told;
    return status;
}

rk_status rk_snapshot_state(const void *bytes, size_t size, rk_u32 index, rk_u32 which, void *state,
                            size_t state_size)
{
    const rk_form_kernel *form;
    rk_error_begin();
    if (!state) return rk_error(RK_INVALID_ARGUMENT, "rk_snapshot_state: state is null");
    rk_status status = find(bytes, size, index, &form);
    if (status != RK_OK) return status;
    if (which >= form->state_count)
        return rk_error(RK_NO_SUCH_ACTOR, "'%s' kept %u states, counted from 0; there is no %u",
                        form->told.id, form->state_count, which);
    if (state_size != form->told.state_size)
        return rk_error(RK_TOO_SMALL, "'%s' kept states of %u bytes, and %zu are asked for", form->told.id,
                        form->told.state_size, state_size);
    memcpy(state, (const rk_byte *)bytes + form->states + (rk_u64)form->stride * which, state_size);
    return RK_OK;
}

rk_status rk_snapshot_note(const void *bytes, size_t size, const void **note, size_t *note_size)
{
    const rk_form_head *head;
    const rk_form_kernel *kernels;
    rk_error_begin();
    if (!note || !note_size) return rk_error(RK_INVALID_ARGUMENT, "rk_snapshot_note: a pointer is null");
    rk_status status = rk_form_open(bytes, size, &head, &kernels);
    if (status != RK_OK) return status;
    *note = (const rk_byte *)bytes + head->queues;
    *note_size = head->note;
    return RK_OK;
}
