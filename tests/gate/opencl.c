/* As much of OpenCL as the gate's tests need; see opencl.h. */
#include "opencl.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define SKIPPED 77
enum { PROFILE_ALL = -1, BUILD_LOG = 0x1183, READ_WRITE_HOST_MEMORY = 1 | 8, MAP_READ = 1 };

static struct {
    int (*clGetPlatformIDs)(unsigned, opencl_handle *, unsigned *);
    int (*clGetDeviceIDs)(opencl_handle, unsigned long, unsigned, opencl_handle *, unsigned *);
    opencl_handle (*clCreateContext)(const void *, unsigned, const opencl_handle *, void *, void *, int *);
    opencl_handle (*clCreateCommandQueue)(opencl_handle, opencl_handle, unsigned long, int *);
    opencl_handle (*clCreateProgramWithSource)(opencl_handle, unsigned, const char **, const size_t *, int *);
    int (*clBuildProgram)(opencl_handle, unsigned, const opencl_handle *, const char *, void *, void *);
    int (*clGetProgramBuildInfo)(opencl_handle, opencl_handle, unsigned, size_t, void *, size_t *);
    opencl_handle (*clCreateKernel)(opencl_handle, const char *, int *);
    opencl_handle (*clCreateBuffer)(opencl_handle, unsigned long, size_t, void *, int *);
    int (*clSetKernelArg)(opencl_handle, unsigned, size_t, const void *);
    int (*clEnqueueNDRangeKernel)(opencl_handle, opencl_handle, unsigned, const size_t *, const size_t *,
                                  const size_t *, unsigned, const void *, void *);
    void *(*clEnqueueMapBuffer)(opencl_handle, opencl_handle, unsigned, unsigned long, size_t, size_t,
                                unsigned, const void *, void *, int *);
    int (*clFinish)(opencl_handle);
} cl;
static opencl_handle device, context, queue;

static bool load(void)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW);
    if (library == NULL) return false;
#define LOAD(name) ((*(void **)&cl.name = dlsym(library, #name)) != NULL)
    return LOAD(clGetPlatformIDs) && LOAD(clGetDeviceIDs) && LOAD(clCreateContext) &&
           LOAD(clCreateCommandQueue) && LOAD(clCreateProgramWithSource) && LOAD(clBuildProgram) &&
           LOAD(clGetProgramBuildInfo) && LOAD(clCreateKernel) && LOAD(clCreateBuffer) &&
           LOAD(clSetKernelArg) && LOAD(clEnqueueNDRangeKernel) && LOAD(clEnqueueMapBuffer) && LOAD(clFinish);
}

static void need(bool done, const char *what, int status)
{
    if (done) return;
    fprintf(stderr, "%s failed: OpenCL says %d\n", what, status);
    exit(1);
}

void opencl_open(void)
{
    opencl_handle platform = NULL;
    unsigned platforms = 0;
    const char *why = NULL;
    if (getenv("RK_SANITIZERS") != NULL)
        why = "the sanitizers would report what PoCL and LLVM do";
    else if (!load() || cl.clGetPlatformIDs(1, &platform, &platforms) != 0 || platforms == 0 ||
             cl.clGetDeviceIDs(platform, (unsigned long)PROFILE_ALL, 1, &device, NULL) != 0)
        why = "no OpenCL device";
    if (why != NULL) {
        printf("skipped: %s\n", why);
        exit(SKIPPED);
    }
    int status = 0;
    context = cl.clCreateContext(NULL, 1, &device, NULL, NULL, &status);
    need(context != NULL, "clCreateContext", status);
    queue = cl.clCreateCommandQueue(context, device, 0, &status);
    need(queue != NULL, "clCreateCommandQueue", status);
}

opencl_handle opencl_build(const char *text, const char *standard)
{
    char options[1024];
    snprintf(options, sizeof(options), "-cl-std=CL%s -I%s/include", standard, RK_SOURCE_DIR);
    opencl_handle program = cl.clCreateProgramWithSource(context, 1, &text, NULL, NULL);
    if (cl.clBuildProgram(program, 1, &device, options, NULL, NULL) != 0) {
        static char log[1 << 16];
        cl.clGetProgramBuildInfo(program, device, BUILD_LOG, sizeof(log) - 1, log, NULL);
        fprintf(stderr, "OpenCL C %s: this doesn't build:\n%s%s\n", standard, text, log);
        exit(1);
    }
    return program;
}

opencl_handle opencl_buffer(void *memory, size_t size)
{
    int status = 0;
    opencl_handle buffer = cl.clCreateBuffer(context, READ_WRITE_HOST_MEMORY, size, memory, &status);
    need(buffer != NULL, "clCreateBuffer", status);
    return buffer;
}

void opencl_run(opencl_handle program, const char *function, size_t blocks, size_t threads,
                const opencl_argument *arguments, unsigned count, opencl_handle buffer, size_t buffer_size)
{
    int status = 0;
    size_t all = blocks * threads;
    opencl_handle kernel = cl.clCreateKernel(program, function, &status);
    need(kernel != NULL, function, status);
    for (unsigned i = 0; i < count && status == 0; i++)
        status = cl.clSetKernelArg(kernel, i, arguments[i].size, arguments[i].value);
    need(status == 0, "clSetKernelArg", status);
    status = cl.clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &all, &threads, 0, NULL, NULL);
    need(status == 0, function, status);
    cl.clEnqueueMapBuffer(queue, buffer, 1, MAP_READ, 0, buffer_size, 0, NULL, NULL, &status);
    need(status == 0 && cl.clFinish(queue) == 0, "clEnqueueMapBuffer", status);
}
