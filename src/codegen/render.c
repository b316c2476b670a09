/* Renders the translation unit of a kernel source; see render.h. */
#include "codegen/render.h"

#include <stdlib.h>
#include <string.h>

#include "codegen/kernel_list.h"
#include "codegen/text_buffer.h"
#include "ringkernel/module.h"

#define SHOWN(slice) (int)(slice).size, (slice).text

static bool is_wanted(const rk_source_kernel *kernel, const char *wanted)
{
    return wanted == NULL || rk_slice_is(kernel->name, wanted);
}

/* A case for each message of a kernel. Falls out of the switch when the type is none of them. `meets`: all threads meet
 * behind each handler (see render_barrier). */
static void render_types(rk_text_buffer *out, const rk_scan *scan, const rk_source_kernel *kernel, bool meets)
{
    rk_text_print(out, "        switch (rk_ctx->header->type) {\n");
    for (rk_u32 i = 0; i < scan->count; i++) {
        const rk_source_declaration *d = &scan->declaration[i];
        if (!rk_declares_handler(d) || !rk_slice_equal(rk_scan_kernel(scan, d), kernel->name)) continue;
        rk_slice type = rk_scan_argument(scan, d, 1);
        rk_text_print(out, "        case RK_TYPE_ID(%.*s):\n            rk_handle_%.*s_%.*s(rk_ctx, ",
                      SHOWN(type), SHOWN(kernel->name), SHOWN(type));
        if (d->kind == RK_DECLARES_BATCH_HANDLER)
            rk_text_print(out, "rk_ctx->batch_n");
        else
            rk_text_print(out, "(RK_MSG const %.*s *)rk_ctx->payload", SHOWN(type));
        rk_text_print(
            out,
            ",\n                (RK_GLOBAL rk_state_of_%.*s_%.*s *)rk_ctx->state);\n%s            return;\n",
            SHOWN(kernel->name), SHOWN(type), meets ? "            RK_UNIT_BARRIER();\n" : "");
    }
    rk_text_print(out, "        default: break;\n        }\n        break;\n");
}

/* Does the unit say what the barrier of its groups is? */
static bool has_barrier(const rk_render_options *options)
{
    return options->kernel != NULL && strcmp(options->backend, "opencl") == 0;
}

/* A function of a unit that calls another of the same kind. */
static void render_call(rk_text_buffer *out, const char *kind, const char *name, const char *calls)
{
    rk_text_print(out,
                  "%s void %s(rk_context *rk_ctx, rk_u32 rk_number)\n{\n    %s(rk_ctx, rk_number);\n}\n\n",
                  kind, name, calls);
}

/* CUDA wants it also where it is called, so that a handler's context can lie in registers. With the handlers of
 * many kernels in one function a compiler would take minutes: then that is a call as well. */
static void render_handle(rk_text_buffer *out, const rk_scan *scan, const rk_kernel_list *list,
                          const rk_render_options *options)
{
    const char *wanted = options->kernel;
    bool cuda = strcmp(options->backend, "cuda") == 0, here = cuda && wanted != NULL;
    rk_text_print(out,
                  "%s(rk_context *rk_ctx, rk_u32 rk_number)\n{\n"
                  "    switch (rk_number) {\n",
                  here ? "RK_FN void rk_unit_handle_here" : "RK_FN_LARGE void rk_unit_handle");
    for (rk_u32 k = 0; k < list->count; k++) {
        const rk_source_kernel *kernel = &list->kernel[k];
        if (!is_wanted(kernel, wanted)) continue;
        rk_text_print(out, "    case %uu: /* %.*s */\n", k, SHOWN(kernel->name));
        if (kernel->first->kind == RK_DECLARES_SPMD)
            rk_text_print(out, "        rk_body_%.*s(rk_ctx);\n        return;\n", SHOWN(kernel->name));
        else
            render_types(out, scan, kernel, has_barrier(options));
    }
    rk_text_print(out, "    default: break;\n    }\n"
                       "    rk_ctx->failed = RK_REASON_STATUS + (rk_u32)RK_UNKNOWN_TYPE + 1u;\n}\n\n");
    if (here)
        render_call(out, "RK_FN_LARGE", "rk_unit_handle", "rk_unit_handle_here");
    else if (cuda)
        render_call(out, "RK_FN", "rk_unit_handle_here", "rk_unit_handle");
}

/* The switch over a hook that is one call: `name` of the kernels that have it. */
static void render_hook(rk_text_buffer *out, const rk_kernel_list *list, const char *wanted, const char *name,
                        rk_u32 kind)
{
    rk_text_print(out,
                  "RK_FN_LARGE void rk_unit_%s(rk_context *rk_ctx, rk_u32 rk_number)\n{\n"
                  "    switch (rk_number) {\n",
                  name);
    for (rk_u32 k = 0; k < list->count; k++) {
        const rk_source_kernel *kernel = &list->kernel[k];
        if ((kind == RK_DECLARES_DRAIN ? kernel->drain : kernel->timer) == NULL || !is_wanted(kernel, wanted))
            continue;
        rk_text_print(out,
                      "    case %uu: rk_%s_%.*s(rk_ctx, (RK_GLOBAL rk_%s_state_of_%.*s "
                      "*)rk_ctx->state); break;\n",
                      k, name, SHOWN(kernel->name), name, SHOWN(kernel->name));
    }
    rk_text_print(out, "    default: (void)rk_ctx; break;\n    }\n}\n\n");
}

static void render_refused(rk_text_buffer *out, const rk_kernel_list *list, const char *wanted)
{
    rk_text_print(out,
                  "RK_FN_LARGE rk_u32 rk_unit_refused(rk_context *rk_ctx, rk_u32 rk_number,\n"
                  "                                   RK_GLOBAL rk_staged *rk_sent_, rk_status rk_why)\n{\n"
                  "    rk_refusal rk_refused_ = rk_refusal_of(rk_ctx, rk_sent_, rk_why);\n"
                  "    switch (rk_number) {\n");
    for (rk_u32 k = 0; k < list->count; k++) {
        const rk_source_kernel *kernel = &list->kernel[k];
        if (kernel->refused == NULL || !is_wanted(kernel, wanted)) continue;
        rk_text_print(out,
                      "    case %uu: return rk_refused_%.*s(rk_ctx,\n"
                      "        (RK_GLOBAL rk_refused_state_of_%.*s *)rk_ctx->shard_state, &rk_refused_);\n",
                      k, SHOWN(kernel->name), SHOWN(kernel->name));
    }
    rk_text_print(out, "    default: (void)rk_ctx; (void)rk_refused_; return 0;\n    }\n}\n\n");
}

/* How the handlers of a kernel are run, in the words of device/unit.h. */
static const char *run_of(const rk_source_kernel *kernel)
{
    if (kernel->first->kind == RK_DECLARES_SPMD) return "RK_RUN_SPMD";
    if (kernel->first->kind == RK_DECLARES_BATCH_HANDLER) return "RK_RUN_BATCHES";
    return rk_slice_is(kernel->width, "RK_THREAD") ? "RK_RUN_THREADS" : "RK_RUN_GROUPS";
}

/* A unit of one kernel says what the barrier of its groups is. OpenCL C needs that: PoCL takes minutes
 * over handlers in which every barrier hangs on the width that the block happens to have, and a barrier
 * that only one thread would reach is none. There is one behind each handler, too: where what RK_ONCE says is the last
 * thing before ways that meet at different barriers, PoCL (3.1) had all threads go the way
 * of the first one, and do it each. */
static void render_barrier(rk_text_buffer *out, const rk_kernel_list *list, const char *wanted)
{
    for (rk_u32 k = 0; k < list->count; k++) {
        const rk_source_kernel *kernel = &list->kernel[k];
        bool alone = kernel->first->kind != RK_DECLARES_SPMD && rk_slice_is(kernel->width, "RK_THREAD");
        if (is_wanted(kernel, wanted))
            rk_text_print(out, "#define RK_UNIT_BARRIER() %s\n",
                          alone ? "((void)0)" : "RK_PORT_BLOCK_BARRIER()");
    }
}

static void render_device(rk_text_buffer *out, const rk_render_options *options, const rk_scan *scan,
                          const rk_kernel_list *list)
{
    rk_text_print(out, "/* Generated by ringkernel for %s. */\n", options->backend);
    if (has_barrier(options)) render_barrier(out, list, options->kernel);
    rk_text_print(out,
                  "#include <ringkernel/device/unit.h>\n#include \"%s\"\n"
                  "#include <ringkernel/kernel.h>\n#include <ringkernel/device/entry.h>\n\n",
                  options->path);
    render_handle(out, scan, list, options);
    render_hook(out, list, options->kernel, "drain", RK_DECLARES_DRAIN);
    render_hook(out, list, options->kernel, "timer", RK_DECLARES_TIMER);
    render_refused(out, list, options->kernel);
    for (rk_u32 k = 0; k < list->count; k++)
        if (is_wanted(&list->kernel[k], options->kernel))
            rk_text_print(out, "RK_ENTRY(%.*s, %uu, %s)\n", SHOWN(list->kernel[k].name), k,
                          run_of(&list->kernel[k]));
}

static rk_status refuse(rk_source_error *error, rk_status status, const char *format, const char *what)
{
    rk_source_error_set(error, 0, 0, format, what);
    return status;
}

static rk_status check_options(const rk_render_options *options, rk_source_error *error)
{
    if (options->backend == NULL || options->path == NULL || options->text == NULL)
        return refuse(error, RK_INVALID_ARGUMENT, "%s", "backend, path or text is NULL");
    if (strcmp(options->backend, "cpu") != 0 && strcmp(options->backend, "cuda") != 0 &&
        strcmp(options->backend, "opencl") != 0 && strcmp(options->backend, "metal") != 0)
        return refuse(error, RK_INVALID_ARGUMENT, "'%s' is no backend: cpu, cuda, opencl and metal are",
                      options->backend);
    if (options->path[0] == '\0' || strpbrk(options->path, "\"\\\n\r") != NULL)
        return refuse(error, RK_INVALID_ARGUMENT, "'%s' can't stand in an #include", options->path);
    return RK_OK;
}

static bool has_kernel(const rk_kernel_list *list, const char *wanted)
{
    for (rk_u32 k = 0; k < list->count; k++)
        if (is_wanted(&list->kernel[k], wanted)) return true;
    return wanted == NULL;
}

static rk_status refuse_kernel(const rk_kernel_list *list, const char *wanted, rk_source_error *error)
{
    rk_text_buffer why = { .text = NULL };
    rk_text_print(&why, "the source has no kernel '%s'; it has: %s", wanted, list->count ? "" : "none");
    for (rk_u32 k = 0; k < list->count; k++)
        rk_text_print(&why, "%s%.*s", k ? ", " : "", SHOWN(list->kernel[k].name));
    rk_status status = refuse(error, RK_NO_SUCH_KERNEL, "%s", why.text ? why.text : "out of memory");
    free(why.text);
    return status;
}

rk_status rk_render_unit(const rk_render_options *options, char **unit, rk_source_error *error)
{
    *unit = NULL;
    *error = (rk_source_error){ .line = 0 };
    rk_status status = check_options(options, error);
    if (status != RK_OK) return status;

    rk_scan scan;
    rk_kernel_list list = { .kernel = NULL };
    rk_text_buffer out = { .text = NULL };
    status = rk_scan_source(options->text, options->size, &scan, error);
    if (status == RK_OK) status = rk_list_kernels(&scan, &list, error);
    if (status == RK_OK && !has_kernel(&list, options->kernel))
        status = refuse_kernel(&list, options->kernel, error);
    if (status == RK_OK) {
        if (strcmp(options->backend, "cpu") == 0)
            rk_text_print(&out,
                          "/* Generated by ringkernel for cpu. */\n#define RK_MODULE 1\n#include \"%s\"\n",
                          options->path);
        else
            render_device(&out, options, &scan, &list);
        *unit = out.text;
        if (out.failed) status = RK_OUT_OF_MEMORY;
    }
    rk_kernel_list_free(&list);
    rk_scan_free(&scan);
    return status;
}
