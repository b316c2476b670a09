/* PageRank with one launch for each superstep, as a bare CUDA program beside examples/pagerank: the same whole numbers of
 * 2^-40, so the same ranks after as many steps. A vertex is a thread, which adds up what those give that link to it; the
 * host looks after each step whether ranks still change.
 *
 *     pagerank_steps EDGES.csv RANKS.ndjson
 *
 * Standard output has one line: steps, and the seconds from the first launch until all ranks are on the host, the least
 * of ten times. */
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <vector>

#define ONE (1ull << 40)
#define DAMPING 850ull /* thousandths */
#define TOLERANCE 1ull /* millionths */
#define MOST_STEPS 500u
#define THREADS 256u
#define TIMES 10

#define CUDA(call)                                                                                \
    do {                                                                                          \
        cudaError_t error_ = (call);                                                              \
        if (error_ != cudaSuccess) {                                                              \
            fprintf(stderr, "pagerank_steps: %s: %s\n", #call, cudaGetErrorString(error_));       \
            exit(error_ == cudaErrorNoDevice || error_ == cudaErrorInsufficientDriver ? 77 : 1); \
        }                                                                                         \
    } while (0)

typedef unsigned long long u64;

__device__ static u64 damp(u64 amount) { return amount / 1000 * DAMPING + amount % 1000 * DAMPING / 1000; }

/* What a step has of all vertices: the rank of those without edges, and how much ranks have changed. */
struct sums {
    u64 loose, changed;
};

/* New ranks from what was given in the step before, and what is loose now. `before` 0: all ranks begin as 1. */
__global__ void step(const u64 *old, u64 *rank, const unsigned *first, const unsigned *from, const unsigned *edges,
                     unsigned vertices, const sums *before, sums *now)
{
    const unsigned v = blockIdx.x * blockDim.x + threadIdx.x;
    u64 loose = 0, changed = 0;
    if (v < vertices) {
        u64 own = ONE;
        if (before) {
            u64 given = 0;
            for (unsigned e = first[v]; e < first[v + 1]; e++) given += old[from[e]] / edges[from[e]];
            own = ONE - damp(ONE) + damp(given + before->loose / vertices);
            changed = own > old[v] ? own - old[v] : old[v] - own;
        }
        rank[v] = own;
        if (edges[v] == 0) loose = own;
    }
    for (int other = 16; other; other /= 2) {
        loose += __shfl_down_sync(~0u, loose, other);
        changed += __shfl_down_sync(~0u, changed, other);
    }
    if (threadIdx.x % 32 == 0) {
        if (loose) atomicAdd(&now->loose, loose);
        if (changed) atomicAdd(&now->changed, changed);
    }
}

struct graph {
    std::vector<unsigned> first, from, edges; /* of a vertex: where those begin that link to it; how many it links to */
    unsigned vertices = 0;
};

static graph read_graph(const char *path)
{
    FILE *file = fopen(path, "r");
    std::vector<std::pair<unsigned, unsigned>> all;
    unsigned from, to;
    graph g;
    if (!file || fscanf(file, "%*[^\n]") != 0) {
        fprintf(stderr, "pagerank_steps: %s: can't be read\n", path);
        exit(1);
    }
    while (fscanf(file, "%u,%u", &from, &to) == 2) {
        all.push_back({ to, from });
        g.vertices = std::max(g.vertices, std::max(from, to) + 1);
    }
    fclose(file);
    std::sort(all.begin(), all.end());
    g.first.assign(g.vertices + 1, 0);
    g.edges.assign(g.vertices, 0);
    for (auto &e : all) {
        g.first[e.first + 1]++;
        g.edges[e.second]++;
        g.from.push_back(e.second);
    }
    for (unsigned v = 0; v < g.vertices; v++) g.first[v + 1] += g.first[v];
    return g;
}

template <typename T> static T *to_device(const std::vector<T> &values)
{
    T *at;
    CUDA(cudaMalloc(&at, std::max<size_t>(values.size(), 1) * sizeof(T)));
    CUDA(cudaMemcpy(at, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
    return at;
}

/* What the steps need on the device. */
struct device_graph {
    unsigned *first, *from, *edges;
    u64 *rank[2];
    sums *of_step; /* MOST_STEPS + 2 */
};

/* Runs all steps; the ranks are in `ranks`. Returns the last step. */
static unsigned run(const graph &g, const device_graph &d, sums *seen, std::vector<u64> &ranks)
{
    const unsigned blocks = (g.vertices + THREADS - 1) / THREADS;
    unsigned now = 1;
    CUDA(cudaMemsetAsync(d.of_step, 0, (MOST_STEPS + 2) * sizeof *d.of_step));
    step<<<blocks, THREADS>>>(d.rank[0], d.rank[1], d.first, d.from, d.edges, g.vertices, 0, &d.of_step[1]);
    for (bool is_over = false; !is_over;) {
        now++;
        if (now > 2) { /* how much did ranks change in the step before? */
            CUDA(cudaMemcpyAsync(seen, &d.of_step[now - 1], sizeof *seen, cudaMemcpyDeviceToHost));
            CUDA(cudaStreamSynchronize(0));
            is_over = now > MOST_STEPS || seen->changed <= TOLERANCE * (ONE / 1000000);
        }
        step<<<blocks, THREADS>>>(d.rank[(now - 1) & 1], d.rank[now & 1], d.first, d.from, d.edges, g.vertices,
                                  &d.of_step[now - 1], &d.of_step[now]);
        CUDA(cudaGetLastError());
    }
    CUDA(cudaMemcpy(ranks.data(), d.rank[now & 1], g.vertices * sizeof(u64), cudaMemcpyDeviceToHost));
    return now - 1;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: pagerank_steps EDGES.csv RANKS.ndjson\n");
        return 2;
    }
    graph g = read_graph(argv[1]);
    if (!g.vertices) return fprintf(stderr, "pagerank_steps: %s: has no edges\n", argv[1]), 1;
    CUDA(cudaFree(0));
    device_graph d = { to_device(g.first), to_device(g.from), to_device(g.edges), { 0, 0 }, 0 };
    sums *seen;
    for (u64 *&rank : d.rank) CUDA(cudaMalloc(&rank, g.vertices * sizeof *rank));
    CUDA(cudaMalloc(&d.of_step, (MOST_STEPS + 2) * sizeof *d.of_step));
    CUDA(cudaMallocHost(&seen, sizeof *seen));
    std::vector<u64> ranks(g.vertices);
    unsigned steps = 0;
    double least = 1e9;
    for (int time = 0; time < TIMES; time++) {
        auto begin = std::chrono::steady_clock::now();
        steps = run(g, d, seen, ranks);
        least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    FILE *out = fopen(argv[2], "w");
    for (unsigned v = 0; out && v < g.vertices; v++)
        fprintf(out, "{\"rank_billionths\":%llu,\"node\":%u,\"steps\":%u}\n",
                ranks[v] / ONE * 1000000000 + ((ranks[v] % ONE >> 10) * 1000000000 >> 30), v, steps);
    if (!out || fclose(out)) return fprintf(stderr, "pagerank_steps: %s: can't be written\n", argv[2]), 1;
    printf("%u steps in %.6f s\n", steps, least);
    return 0;
}
