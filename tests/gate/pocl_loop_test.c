/* A block of an OpenCL device serves shards as a CPU worker does: the same messages, sent to the same
 * kernel, come out the same. Each way of running handlers is tried once (device/rounds.h). The arena is
 * the host's own memory, the launch a slice. Skipped where there is no OpenCL device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opencl.h"
#include "ringkernel/device/batch.h"
#include "ringkernel/device/parcel.h"
#include "ringkernel/ringkernel.h"
#include "runtime/core.h"

#define MESSAGES 100u
#define SLICES 3         /* later ones find batches that were being gathered */
#define SLICE_NS 1000000 /* between them, by the device's clock */

typedef struct kernel_case {
    const char *file;
    const char *kernel;
    rk_u32 threads; /* of a block */
    rk_u32 shards;
    rk_u32 actors;
} kernel_case;

static const kernel_case cases[] = {
    { "guide_batch", "batch_processor", 8, 1, 0 },       /* without state: by threads, strided */
    { "guide_adaptive", "adaptive_processor", 8, 1, 0 }, /* state of the shard: by one thread, in order */
    { "guide_fair", "fair_actor", 8, 3, 10 }, /* state of actors: in rounds; two blocks for three shards */
    { "guide_reduction", "block_reduction", 256, 1, 0 }, /* by the whole block */
    { "guide_warp", "warp_reduction", 256, 1, 0 },       /* SPMD */
};

typedef struct output {
    unsigned char bytes[MESSAGES * 64];
    size_t size;
} output;

static void path_of(const kernel_case *c, char *path, size_t size)
{
    snprintf(path, size, "%s/tests/kernels/%s.rk.c", RK_SOURCE_DIR, c->file);
}

/* Message i: small numbers everywhere, but for what the kernels check. */
static void fill(const rk_schema *schema, const kernel_case *c, rk_u32 i, rk_u32 *sequence,
                 unsigned char *body, rk_u32 *target)
{
    *target = c->actors ? (i % 3 == 0 ? i % 2 : i * 7 % c->actors) : i;
    for (rk_u32 f = 0; f < schema->field_count; f++) {
        const rk_field *field = &schema->fields[f];
        rk_i64 value = strcmp(field->name, "sequence") == 0  ? ++sequence[*target]
                       : strcmp(field->name, "account") == 0 ? *target
                                                             : (rk_i64)(i * 7 % 101) + 1;
        for (rk_u32 e = 0; e < field->count; e++)
            memcpy(body + field->offset + e * field->size, &value, field->size);
    }
}

static rk_kernel launch(rk_runtime *runtime, const kernel_case *c)
{
    rk_kernel kernel;
    rk_launch_options options = rk_low_latency();
    options.deduplication_window = 0;
    options.shards = c->shards;
    options.actors = c->actors;
    options.timestamps = 0;
    RK_CHECK(rk_launch(runtime, c->kernel, &options, &kernel));
    RK_CHECK(rk_activate(runtime, kernel));
    return kernel;
}

static void send_all(rk_runtime *runtime, rk_kernel kernel, const kernel_case *c)
{
    const rk_schema *schema = runtime->kernels[1]->class->handlers[0]->message;
    rk_u32 sequence[16] = { 0 };
    for (rk_u32 i = 0; i < MESSAGES; i++) {
        unsigned char body[RK_INLINE_MAX + 8] = { 0 };
        rk_send_options options = RK_SEND_DEFAULTS;
        fill(schema, c, i, sequence, body, &options.target);
        RK_CHECK(rk_send(runtime, kernel, (rk_u16)schema->type, body, schema->size, &options));
    }
}

static void receive_all(rk_runtime *runtime, rk_kernel kernel, output *out)
{
    rk_received info;
    while (out->size + 64 <= sizeof(out->bytes) &&
           rk_receive(runtime, kernel, out->bytes + out->size, 64, &info, 0) == RK_OK)
        out->size += info.length;
}

static void serve_by_cpu(rk_runtime *runtime)
{
    rk_u64 end = rk_clock_ns(runtime) + 20 * SLICE_NS; /* a batch that isn't full is gathered for a while */
    while (rk_clock_ns(runtime) < end) RK_CHECK(rk_step_all(runtime, 100));
}

static void serve_by_device(rk_runtime *runtime, const kernel_case *c, const char *path)
{
    char function[64];
    const rk_host_kernel *kernel = runtime->kernels[1];
    rk_byte *base = runtime->arena.base;
    rk_u64 table = rk_arena_take(&runtime->arena, RK_NEAR_HOST, 4096);
    for (rk_u32 s = 0; s < c->shards; s++) {
        rk_shard *shard = kernel->seats[s].shard;
        ((rk_u64 *)(void *)(base + table))[s] = (rk_u64)((rk_byte *)shard - base);
        if (shard->order == 0) /* rounds need the scratch that the CPU has for batch handlers only */
            shard->order = rk_arena_take(&runtime->arena, RK_NEAR_HOST,
                                         (rk_u64)shard->max_batch * RK_BATCH_SCRATCH_WORDS * 4);
    }
    size_t used = 0;
    for (const rk_arena_block *block = runtime->arena.blocks; block != NULL; block = block->next)
        used = block->offset + block->size > used ? block->offset + block->size : used;
    opencl_handle program = opencl_build(path, c->kernel, "1.2");
    opencl_handle buffer = opencl_buffer(base, used);
    rk_u32 first = 0;
    rk_u32 visits = 1000;
    /* Nothing is brought, and there is no room for what would be taken back: the lanes are the host's own. */
    static _Alignas(RK_LINE) unsigned char parcel[RK_LINE], back[4 * sizeof(rk_answer)];
    opencl_handle there = opencl_buffer(parcel, sizeof(parcel));
    opencl_handle answers = opencl_buffer(back, sizeof(back));
    const opencl_argument arguments[] = {
        { sizeof(buffer), &buffer },
        { 8, &table },
        { 4, &first },
        { 4, &c->shards },
        { 4, &visits },
        { kernel->layout.shared_size + 8 * c->threads, NULL },
        { sizeof(there), &there },
        { sizeof(answers), &answers },
    };
    snprintf(function, sizeof(function), "rk_entry_of_%s", c->kernel);
    for (int slice = 0; slice < SLICES; slice++) {
        for (rk_u32 s = 0; s < c->shards; s++) kernel->seats[s].orders->clock_base += SLICE_NS;
        opencl_run(program, function, c->shards > 1 ? 2 : 1, c->threads, arguments, 8, buffer, used);
    }
}

static output run(const kernel_case *c, bool on_device)
{
    output out = { .size = 0 };
    char path[512];
    path_of(c, path, sizeof(path));
    rk_runtime *runtime;
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .single_step = 1 };
    RK_CHECK(rk_open(&options, &runtime));
    RK_CHECK(rk_load(runtime, path));
    rk_kernel kernel = launch(runtime, c);
    send_all(runtime, kernel, c);
    if (on_device)
        serve_by_device(runtime, c, path);
    else
        serve_by_cpu(runtime);
    receive_all(runtime, kernel, &out);
    rk_close(runtime);
    return out;
}

int main(void)
{
    int wrong = 0;
    opencl_open();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static output cpu, device;
        cpu = run(&cases[i], false);
        device = run(&cases[i], true);
        bool same = cpu.size > 0 && cpu.size == device.size && memcmp(cpu.bytes, device.bytes, cpu.size) == 0;
        printf("%s: %s (%zu bytes on the CPU, %zu on the device)\n", cases[i].kernel,
               same ? "the same" : "DIFFERENT", cpu.size, device.size);
        wrong += !same;
    }
    return wrong != 0;
}
