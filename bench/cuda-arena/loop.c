/* The generic loop of include2 (the library's own headers, with the changes marked PROTO) resident on a GPU,
 * against bare echoes: questions 3, 4, 5. */
#include "common.h"
#include <immintrin.h>
#include <pthread.h>
#include <ringkernel/device/loop.h>
#define HOST_BYTES (64ull << 20)
#define DEV_BYTES (64ull << 20)
static char *base;        /* pinned */
static CUdeviceptr dbase; /* device */
static char *shadow;      /* what goes there */
static u64 hnext, dnext;
static CUstream res, side;
static CUmodule bare;
static volatile u32 *stopw;
enum { HOST, DEV };
static u64 take(int where, u64 size)
{
    u64 *next = where == HOST ? &hnext : &dnext, at = (*next + 127) & ~127ull;
    *next = at + size;
    if (*next > HOST_BYTES) {
        printf("out of room\n");
        _exit(3);
    }
    memset((where == HOST ? base : shadow) + at, 0, size);
    return where == HOST ? at : (u64)dbase - (u64)base + at;
}
static void *at(u64 offset)
{
    return offset < HOST_BYTES ? base + offset : shadow + (offset - ((u64)dbase - (u64)base));
}
static CUdeviceptr dev_of(u64 offset) { return (CUdeviceptr)((u64)base + offset); }
static void ring_init(u64 ring_at, u64 slots, u32 capacity, u32 format, u32 slot_size, u32 header, u32 single)
{
    rk_ring *r = at(ring_at);
    r->slots = slots;
    r->capacity = capacity;
    r->mask = capacity - 1;
    r->slot_size = slot_size;
    while ((1u << r->slot_shift) < slot_size) r->slot_shift++;
    r->header_size = header;
    r->format = format;
    r->single = single;
    r->payload_max = rk_slot_payload(slot_size, header, format);
}
static u64 slots_init(int where, u32 capacity, u32 format, u32 slot_size)
{
    u64 s = take(where, (u64)capacity * slot_size);
    char *p = at(s);
    for (u32 i = 0; i < capacity; i++)
        for (u32 u = 0; u < (format ? slot_size / 16 : 1); u++)
            *(u32 *)(p + i * slot_size + u * 16) = 0u - capacity;
    return s;
}
typedef struct {
    const char *name, *cubin;
    int shard, rings_split, command, mirror, polls;
} variant; /* command 0: in the shard struct, 1: pinned */
typedef struct {
    u64 shard, in_ring_host, out_ring_host, dev_ring, dev_slots, command, mirror, lane1;
} placed;
static u64 lane_make(int where, u64 ring, u32 capacity)
{
    u64 l = take(where, sizeof(rk_lane));
    rk_lane *p = at(l);
    p->rings[0] = ring;
    p->capacity = capacity;
    p->bands = 1;
    return l;
}
static placed place(const variant *v, u32 batch, u32 threads, u32 capacity, int own_out)
{
    placed p;
    memset(&p, 0, sizeof p);
    int w = v->shard;
    p.shard = take(w, sizeof(rk_shard));
    u64 in_slots = slots_init(HOST, capacity, 1, 64), out_slots = slots_init(HOST, capacity, 1, 64),
        rep_slots = slots_init(HOST, 64, 0, 256);
    p.in_ring_host = take(HOST, sizeof(rk_ring));
    ring_init(p.in_ring_host, in_slots, capacity, 1, 64, 16, 1);
    p.out_ring_host = take(HOST, sizeof(rk_ring));
    ring_init(p.out_ring_host, out_slots, capacity, 1, 64, 16, 1);
    u64 in_ring = p.in_ring_host, out_ring = p.out_ring_host;
    if (v->rings_split) {
        in_ring = take(DEV, sizeof(rk_ring));
        ring_init(in_ring, in_slots, capacity, 1, 64, 16, 1);
        ((rk_ring *)at(in_ring))->far = (u64) & ((rk_ring *)at(p.in_ring_host))->head;
        out_ring = take(DEV, sizeof(rk_ring));
        ring_init(out_ring, out_slots, capacity, 1, 64, 16, 1);
        ((rk_ring *)at(out_ring))->far = (u64) & ((rk_ring *)at(p.out_ring_host))->head;
    }
    u64 rep_ring = take(w, sizeof(rk_ring));
    ring_init(rep_ring, rep_slots, 64, 0, 256, 48, 1);
    p.dev_slots = slots_init(w, capacity, 1, 64);
    p.dev_ring = take(w, sizeof(rk_ring));
    ring_init(p.dev_ring, p.dev_slots, capacity, 1, 64, 16, 0);
    rk_shard *s = at(p.shard);
    s->lane[0] = lane_make(w, in_ring, capacity);
    s->lane[1] = p.lane1 = lane_make(w, p.dev_ring, capacity);
    s->out_lane = lane_make(w, out_ring, capacity);
    s->report_lane = lane_make(w, rep_ring, 64);
    s->kernel_no = 1;
    s->shards = 1;
    s->threads = threads;
    s->max_batch = batch;
    s->max_sends = 1;
    s->stage_stride = 128;
    s->stage_capacity = batch * 2;
    s->copy_shift = 6;
    s->log_limit = 10;
    s->stage = take(w, 128ull * batch * 2);
    s->copies = take(w, 64ull * batch);
    s->parameters = take(w, 64);
    s->routes = take(w, 128);
    s->edges = take(w, 2 * sizeof(rk_edge));
    s->edge_counts = take(w, 128);
    s->edge_turns = take(w, 128);
    s->end_table = take(w, 128);
    s->directory = take(w, 4096);
    s->pool_table = take(w, 128);
    s->command = RK_COMMAND_RUN;
    s->life_ns = 4000000000ull;
    s->polls = v->polls;
    p.command = take(HOST, 128);
    *(u32 *)at(p.command) = RK_COMMAND_RUN;
    if (v->command) s->command_at = (u64)at(p.command);
    p.mirror = take(HOST, 256);
    if (v->mirror) s->mirror = (u64)at(p.mirror);
    return p;
}
static u64 first_ns;
static CUmodule loop_mod;
static CUfunction loop_fn;
static u64 table_at;
static void upload(void)
{
    CK(cuMemcpyHtoDAsync(dbase, shadow, dnext + 4096, side));
    CK(cuStreamSynchronize(side));
}
static void start_loop(const variant *v, const placed *p, u32 n, u32 threads)
{
    if (!loop_mod) {
        CK(cuModuleLoadData(&loop_mod, slurp(v->cubin, 0)));
        CK(cuModuleGetFunction(&loop_fn, loop_mod, "rk_entry_forward"));
    }
    table_at = take(v->shard, 8 * 256);
    for (u32 i = 0; i < n; i++) ((u64 *)at(table_at))[i] = p[i].shard;
    upload();
    CUdeviceptr a = (CUdeviceptr)base;
    u64 clock = 0;
    u32 first = 0, visits = 0;
    void *args[] = { &a, &table_at, &clock, &first, &n, &visits };
    CK(cuLaunchKernel(loop_fn, n, 1, 1, threads, 1, 1, 0, res, args, 0));
}
static double stop_loop(const variant *v, const placed *p, u32 n)
{
    u64 t = now_ns();
    for (u32 i = 0; i < n; i++) {
        if (v->command || v->shard == HOST)
            *(volatile u32 *)(v->command ? at(p[i].command) : &((rk_shard *)at(p[i].shard))->command) =
                RK_COMMAND_PAUSE;
        else {
            static u32 *word;
            if (!word) CK(cuMemHostAlloc((void **)&word, 64, 0));
            *word = RK_COMMAND_PAUSE;
            CK(cuMemcpyHtoDAsync(dev_of(p[i].shard) + RK_OFFSET_OF(rk_shard, command), word, 4, side));
        }
    }
    CK(cuStreamSynchronize(res));
    double us = (double)(now_ns() - t) / 1e3;
    CK(cuMemcpyDtoHAsync(shadow, dbase, dnext, side));
    CK(cuStreamSynchronize(side));
    return us;
}
static rk_ring *hin, *hout;
static u64 sent, got, wrong;
static u64 payload[8];
static u32 send_up_to(u32 n)
{
    rk_claim c = rk_ring_claim(hin, n);
    u32 header[4];
    for (u32 i = 0; i < c.count; i++) {
        u32 *w = (u32 *)payload;
        w[0] = (u32)(sent + i);
        w[8] = ~w[0];
        w[4] = w[0] * 3;
        header[0] = 0;
        header[1] = 1u | 36u << 16;
        header[2] = 0;
        header[3] = 0;
        rk_ring_put(hin, (rk_byte *)base, c.first + i, header, payload, 36);
    }
    sent += c.count;
    return c.count;
}
static u32 receive_up_to(u32 n)
{
    u32 k = 0;
    u64 head = hout->head;
    u32 image[24];
    while (k < n && rk_unit_read(hout, rk_ring_slot(hout, (rk_byte *)base, head + k), head + k, image)) {
        u32 *w = image + 4;
        if (w[0] != (u32)(got + k) || w[8] != ~w[0] || w[4] != w[0] * 3) wrong++;
        k++;
    }
    if (k) {
        rk_ring_commit(hout, head + k);
        got += k;
    }
    return k;
}
static u64 samples[40000];
static void bench(char *line, size_t room)
{
    u64 end = now_ns() + 500000000ull;
    size_t n = 0;
    int used = 0;
    u64 give = now_ns() + 1500000000ull;
    for (; n < 20000 && now_ns() < end; n++) {
        u64 t = now_ns();
        send_up_to(1);
        while (!receive_up_to(1))
            if (now_ns() > give) {
                snprintf(line, room, "NO REPLY");
                return;
            }
        samples[n] = now_ns() - t;
    }
    size_t warm = n / 10;
    qsort(samples + warm, n - warm, 8, cmp_u64);
    used += snprintf(line + used, room - used, "p50 %7.2f p99 %7.2f us |",
                     (double)pct(samples + warm, n - warm, .5) / 1e3,
                     (double)pct(samples + warm, n - warm, .99) / 1e3);
    static const u32 flight[] = { 16, 64, 256, 1024 };
    for (int f = 0; f < 4; f++) {
        u64 t = now_ns(), stop = t + 150000000ull, from = got;
        u32 spin = 0;
        while (spin++ % 16 || now_ns() < stop) {
            u32 in = (u32)(sent - got);
            if (in < flight[f]) send_up_to(flight[f] - in);
            receive_up_to(flight[f]);
        }
        while (got < sent && now_ns() < stop + 300000000ull) receive_up_to(1024);
        double s = (double)(now_ns() - t) / 1e9;
        used += snprintf(line + used, room - used, " %8.3f", (double)(got - from) / s / 1e6);
    }
    snprintf(line + used, room - used, " M/s%s%s", wrong ? " WRONG" : "", got != sent ? " LOST" : "");
}
static void reset(void)
{
    hnext = 4096;
    dnext = 4096;
    sent = got = wrong = 0;
    hin = hout = 0;
    *stopw = 0;
}
static void run_loop(const variant *v, u32 threads, u32 batch)
{
    char line[400];
    reset();
    placed p = place(v, batch, threads, 4096, 1);
    hin = at(p.in_ring_host);
    hout = at(p.out_ring_host);
    start_loop(v, &p, 1, threads);
    bench(line, sizeof line);
    double stopped = stop_loop(v, &p, 1);
    CUdeviceptr g;
    size_t gs;
    u64 ph[8] = { 0 };
    CK(cuModuleGetGlobal(&g, &gs, loop_mod, "rk_proto_phase"));
    CK(cuMemcpyDtoH(ph, g, 64));
    rk_shard *s = at(p.shard);
    double t = (double)(s->meter.progress ? s->meter.progress : 1) * 1980;
    printf("%-46s %3u thr %s | turns %llu handled %llu | cyc/turn us take %.2f begin %.2f run %.2f end %.2f, "
           "idle visit %.2f | left in %.0f us\n",
           v->name, threads, line, (unsigned long long)s->meter.progress,
           (unsigned long long)s->meter.handled, ph[0] / t, ph[1] / t, ph[2] / t, ph[3] / t,
           ph[4] ? ph[5] / 1980.0 / (double)ph[4] : 0.0, stopped);
    fflush(stdout);
}
static void run_bare(const char *name, u32 threads, int serial)
{
    char line[400];
    reset();
    variant v = { name, 0, DEV, 0, 1, 0, 1 };
    placed p = place(&v, 64, threads, 4096, 1);
    hin = at(p.in_ring_host);
    hout = at(p.out_ring_host);
    *stopw = 0;
    upload();
    CUfunction f;
    CK(cuModuleGetFunction(&f, bare, serial < 0 ? "bare_block" : "bare_one"));
    char *in = base + hin->slots, *out = base + hout->slots;
    void *st = (void *)stopw, *cr = (void *)&hin->head;
    u64 life = 4000000000ull;
    u32 se = serial > 0;
    void *args[] = { &in, &out, &st, &cr, &life, &se };
    CK(cuLaunchKernel(f, 1, 1, 1, threads, 1, 1, 0, res, args, 0));
    bench(line, sizeof line);
    *stopw = 1;
    CK(cuStreamSynchronize(res));
    printf("%-46s %3u thr %s\n", name, threads, line);
    fflush(stdout);
}
static void run_narrow(const char *name, u32 threads, u32 cmd, u32 barrier)
{
    char line[400];
    reset();
    variant v = { name, 0, DEV, 0, 1, 0, 1 };
    placed p = place(&v, 64, threads, 4096, 1);
    hin = at(p.in_ring_host);
    hout = at(p.out_ring_host);
    *stopw = 0;
    upload();
    CUfunction f;
    CK(cuModuleGetFunction(&f, bare, "bare_narrow"));
    char *in = base + hin->slots, *out = base + hout->slots;
    void *st = (void *)stopw, *cr = (void *)&hin->head;
    u64 life = 4000000000ull;
    void *args[] = { &in, &out, &st, &cr, &life, &cmd, &barrier };
    CK(cuLaunchKernel(f, 1, 1, 1, threads, 1, 1, 0, res, args, 0));
    bench(line, sizeof line);
    *stopw = 1;
    CK(cuStreamSynchronize(res));
    printf("%-46s %3u thr %s\n", name, threads, line);
    fflush(stdout);
}
static void put_first(u64 ring_at, u32 n)
{
    rk_ring *r = at(ring_at);
    char *slots = at(r->slots);
    for (u32 i = 0; i < n; i++)
        for (u32 u = 0; u < 4; u++) {
            u32 *w = (u32 *)(slots + i * 64 + u * 16);
            w[0] = 0;
            w[1] = u == 0 ? 1u | 36u << 16 : i;
            w[2] = w[3] = 0;
        }
    r->tail = n;
}
static void pair_loop(const variant *v0, u32 threads, u32 n)
{
    reset();
    variant v = *v0;
    placed p[2];
    for (int i = 0; i < 2; i++) p[i] = place(&v, 1024, threads, 4096, 1);
    for (int i = 0; i < 2; i++) {
        rk_shard *s = at(p[i].shard);
        rk_route *r = at(s->routes);
        r->edges = 1;
        rk_edge *e = at(s->edges);
        e->shards = 1;
        e->mode = RK_ROUTE_TARGET;
        e->lanes = take(v.shard, 128);
        *(u64 *)at(e->lanes) = p[1 - i].lane1;
        s->edge_total = 1;
    }
    put_first(p[0].dev_ring, n);
    start_loop(&v, p, 2, threads);
    u64 t = now_ns();
    busy_ns(300000000ull);
    double stopped = stop_loop(&v, p, 2);
    double ns = (double)(now_ns() - t);
    rk_shard *a = at(p[0].shard), *b = at(p[1].shard);
    printf("pair %-41s %3u thr, %4u in flight: %9.3f M handled/s each, %8.0f ns a round of one (left in %.0f "
           "us)\n",
           v.name, threads, n, (double)a->meter.handled / 0.3e6 / 1, 0.3e9 * n / (double)a->meter.handled,
           stopped);
    (void)ns;
    (void)b;
    fflush(stdout);
}
static void pair_bare(u32 threads, u32 n)
{
    reset();
    variant v = { "bare", 0, DEV, 0, 1, 0, 2 };
    placed p[2];
    for (int i = 0; i < 2; i++) p[i] = place(&v, 64, threads, 4096, 1);
    put_first(p[0].dev_ring, n);
    u64 cr = take(DEV, 512), done = take(DEV, 128);
    upload();
    CUfunction f;
    CK(cuModuleGetFunction(&f, bare, "bare_pair"));
    CUdeviceptr a = dev_of(p[0].dev_slots), b = dev_of(p[1].dev_slots), c = dev_of(cr), d = dev_of(done);
    void *st = (void *)stopw;
    u64 life = 2000000000ull;
    u32 ahead = n;
    void *args[] = { &a, &b, &st, &c, &life, &d, &ahead };
    CK(cuLaunchKernel(f, 2, 1, 1, threads, 1, 1, 0, res, args, 0));
    busy_ns(300000000ull);
    *stopw = 1;
    CK(cuStreamSynchronize(res));
    u64 r[2];
    CK(cuMemcpyDtoH(r, d, 16));
    printf("pair %-41s %3u thr, %4u in flight: %9.3f M handled/s each, %8.0f ns a round of one\n", "bare",
           threads, n, (double)r[0] / 0.3e6, 0.3e9 * n / (double)r[0]);
    fflush(stdout);
}
/* ---------------------------------------------------------------- tear */
static u64 host_mix[5], host_samples, host_changes;
static void tear(void)
{
    CUdeviceptr d;
    CUfunction fw, fr;
    CK(cuModuleGetFunction(&fw, bare, "tear_write"));
    CK(cuModuleGetFunction(&fr, bare, "tear_read"));
    CK(cuMemAlloc(&d, 1 << 20));
    for (u32 wide = 0; wide < 2; wide++)
        for (u32 warps = 1; warps <= 32; warps *= 32) {
            char *lines = base + (1 << 20);
            memset(lines, 0, 1 << 20);
            *stopw = 0;
            u64 life = 4000000000ull;
            void *st = (void *)stopw;
            u32 pause = 0;
            void *args[] = { &lines, &st, &life, &wide, &d, &pause };
            CK(cuMemsetD8Async(d, 0, 4096, side));
            CK(cuStreamSynchronize(side));
            u64 mix16 = 0, mix32 = 0, mix64 = 0, mix128 = 0, n = 0, ch = 0;
            u32 last[64] = { 0 };
            CK(cuLaunchKernel(fw, 1, 1, 1, warps * 32, 1, 1, 0, res, args, 0));
            u64 t = now_ns();
            __m512i z;
            while (now_ns() - t < 2500000000ull)
                for (u32 r = 0; r < 64; r++) {
                    u32 l = r % warps;
                    const char *p = lines + l * 128;
                    __m512i a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 64);
                    __asm__ volatile("" : "+v"(a), "+v"(b));
                    u32 a0 = (u32)_mm_cvtsi128_si32(_mm512_castsi512_si128(a)),
                        b0 = (u32)_mm_cvtsi128_si32(_mm512_castsi512_si128(b));
                    n++;
                    ch += a0 != last[l];
                    last[l] = a0;
                    unsigned ma = _mm512_cmpneq_epi32_mask(a, _mm512_set1_epi32((int)a0)),
                             mb = _mm512_cmpneq_epi32_mask(b, _mm512_set1_epi32((int)b0));
                    if (ma | mb) { /* within a 64-byte half */
                        u32 w[32];
                        _mm512_storeu_si512(w, a);
                        _mm512_storeu_si512(w + 16, b);
                        int i16 = 0, i32_ = 0;
                        for (int k = 0; k < 32; k++) {
                            i16 |= w[k] != w[k & ~3];
                            i32_ |= w[k] != w[k & ~7];
                        }
                        if (i16)
                            mix16++;
                        else if (i32_)
                            mix32++;
                        else
                            mix64++;
                    } else if (a0 != b0)
                        mix128++;
                }
            *stopw = 1;
            CK(cuStreamSynchronize(res));
            u64 wr[64], total = 0;
            CK(cuMemcpyDtoH(wr, d, warps * 8));
            for (u32 k = 0; k < warps; k++) total += wr[k];
            (void)z;
            printf("tear GPU->host, %2u warps, %s: %llu lines written, %llu samples, %llu changes seen; "
                   "mixed within 16 B %llu, 32 B %llu, 64 B %llu, only between the halves of 128 B %llu\n",
                   warps, wide ? "8 lanes x 16 B" : "32 lanes x 4 B", (unsigned long long)total,
                   (unsigned long long)n, (unsigned long long)ch, (unsigned long long)mix16,
                   (unsigned long long)mix32, (unsigned long long)mix64, (unsigned long long)mix128);
            fflush(stdout);
        }
    for (u32 how = 0; how < 3; how++)
        for (u32 wide = 0; wide < 2; wide++) {
            u32 blocks = 8, warps = 64;
            char *lines = base + (1 << 20);
            memset(lines, 0, 1 << 20);
            *stopw = 0;
            u64 life = 5000000000ull;
            void *st = (void *)stopw;
            void *args[] = { &lines, &st, &life, &wide, &d };
            CK(cuLaunchKernel(fr, blocks, 1, 1, 256, 1, 1, 0, res, args, 0));
            busy_ns(20000000);
            u64 t = now_ns(), n = 0;
            u32 v = 0;
            while (now_ns() - t < 2500000000ull)
                for (u32 r = 0; r < 16; r++) {
                    v++;
                    for (u32 l = 0; l < warps; l++) {
                        char *p = lines + l * 128;
                        n++;
                        if (how == 0) {
                            __m512i x = _mm512_set1_epi32((int)v);
                            _mm512_store_si512(p, x);
                            _mm512_store_si512(p + 64, x);
                        } else if (how == 1) {
                            __m128i x = _mm_set1_epi32((int)v);
                            for (int k = 7; k >= 0; k--) {
                                _mm_store_si128((__m128i *)(p + 16 * k), x);
                                __asm__ volatile("" ::: "memory");
                            }
                        } else {
                            __m512i x = _mm512_set1_epi32((int)v);
                            _mm512_stream_si512((void *)p, x);
                            _mm512_stream_si512((void *)(p + 64), x);
                        }
                    }
                }
            *stopw = 1;
            CK(cuStreamSynchronize(res));
            static u64 c[64 * 6];
            CK(cuMemcpyDtoH(c, d, sizeof c));
            u64 s[6] = { 0 };
            for (u32 k = 0; k < warps; k++)
                for (int i = 0; i < 6; i++) s[i] += c[k * 6 + i];
            printf("tear host->GPU, %s, read by %s: %llu lines written, %llu samples, %llu changes seen; "
                   "mixed within 16 B %llu, 32 B %llu, 64 B %llu, only between the halves %llu\n",
                   how == 0   ? "2 x 64 B stores"
                   : how == 1 ? "8 x 16 B stores, last first"
                              : "2 x 64 B streaming",
                   wide ? "8 lanes x 16 B" : "32 lanes x 4 B", (unsigned long long)n,
                   (unsigned long long)s[0], (unsigned long long)s[5], (unsigned long long)s[1],
                   (unsigned long long)s[2], (unsigned long long)s[3], (unsigned long long)s[4]);
            fflush(stdout);
        }
}
static void t_bus(void)
{
    CUfunction f;
    CUdeviceptr d, dm;
    CK(cuModuleGetFunction(&f, bare, "bus"));
    CK(cuMemAlloc(&d, 4096));
    CK(cuMemAlloc(&dm, 65536));
    CK(cuMemsetD8(dm, 0, 65536));
    memset(base, 0, 65536);
    static const char *what[] = {
        "dependent load", "store",       "store + fence.sys", "8 stores to 8 lines", "4 x 16 B loads at once",
        "exchange",       "globaltimer", "store release.sys", "store release.gpu",   "load acquire.sys"
    };
    for (int k = 0; k < 2; k++)
        for (int rep = 0; rep < 2; rep++) {
            CUdeviceptr p = k ? dm : (CUdeviceptr)base;
            u32 n = 1000;
            void *args[] = { &p, &d, &n };
            CK(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, side, args, 0));
            CK(cuStreamSynchronize(side));
            u64 r[12];
            CK(cuMemcpyDtoH(r, d, 88));
            if (rep) {
                printf("%s:", k ? "device memory" : "pinned memory");
                for (int i = 0; i < 10; i++) printf(" %s %.0f ns;", what[i], (double)r[i] / n / 1.98);
                printf("\n");
            }
        }
}
static void t_launch(void)
{
    variant v = { "launch", "loop_team.cubin", DEV, 1, 1, 0, 1 };
    void *cubin = slurp(v.cubin, 0), *late = slurp("late.cubin", 0);
    char name[32];
    for (int i = 0; i < 6; i++) {
        reset();
        placed p = place(&v, 256, 256, 1024, 1);
        hin = at(p.in_ring_host);
        hout = at(p.out_ring_host);
        loop_mod = 0;
        u64 t0 = now_ns();
        CK(cuModuleLoadData(&loop_mod, cubin));
        u64 t1 = now_ns();
        CK(cuModuleGetFunction(&loop_fn, loop_mod, "rk_entry_forward"));
        u64 t2 = now_ns();
        start_loop(&v, &p, 1, 256);
        u64 t3 = now_ns();
        send_up_to(1);
        while (!receive_up_to(1) && now_ns() - t3 < 2000000000ull)
            ;
        u64 t4 = now_ns();
        double left = stop_loop(&v, &p, 1);
        printf("launch %d: load %.1f us, function %.1f, upload + launch call %.1f, to the first reply %.1f; "
               "all %.1f us; leave %.1f us\n",
               i, (t1 - t0) / 1e3, (t2 - t1) / 1e3, (t3 - t2) / 1e3, (t4 - t3) / 1e3, (t4 - t0) / 1e3, left);
    }
    for (int with = 0; with < 3; with++) {
        reset();
        placed p = place(&v, 256, 256, 1024, 1);
        hin = at(p.in_ring_host);
        hout = at(p.out_ring_host);
        start_loop(&v, &p, 1, 256);
        static u64 a[300], b[300], c[300];
        int n = with == 2 ? 40 : 300;
        CUdeviceptr ar = (CUdeviceptr)base;
        u64 clock = 0;
        u32 first = 0, one = 1, visits = 0;
        void *args[] = { &ar, &table_at, &clock, &first, &one, &visits };
        for (int i = 0; i < n; i++) {
            send_up_to(1);
            u64 g = now_ns();
            while (!receive_up_to(1) && now_ns() - g < 1000000000ull)
                ;
            u64 t0 = now_ns();
            *(volatile u32 *)at(p.command) = RK_COMMAND_PAUSE;
            if (with == 0)
                while (cuStreamQuery(res) == CUDA_ERROR_NOT_READY)
                    ;
            else
                CK(cuStreamSynchronize(res));
            u64 t1 = now_ns();
            CUmodule m = 0;
            if (with == 2) CK(cuModuleLoadData(&m, late));
            u64 t2 = now_ns();
            *(volatile u32 *)at(p.command) = RK_COMMAND_RUN;
            CK(cuLaunchKernel(loop_fn, 1, 1, 1, 256, 1, 1, 0, res, args, 0));
            send_up_to(1);
            g = now_ns();
            while (!receive_up_to(1) && now_ns() - g < 1000000000ull)
                ;
            u64 t3 = now_ns();
            a[i] = t1 - t0;
            b[i] = t2 - t1;
            c[i] = t3 - t2;
        }
        stop_loop(&v, &p, 1);
        qsort(a, n, 8, cmp_u64);
        qsort(b, n, 8, cmp_u64);
        qsort(c, n, 8, cmp_u64);
        printf("leave (%s) p50 %.1f p99 %.1f us; load p50 %.1f p99 %.1f; resume to the first reply p50 %.1f "
               "p99 %.1f us; sent %llu got %llu\n",
               with ? "cuStreamSynchronize" : "cuStreamQuery", pct(a, n, .5) / 1e3, pct(a, n, .99) / 1e3,
               pct(b, n, .5) / 1e3, pct(b, n, .99) / 1e3, pct(c, n, .5) / 1e3, pct(c, n, .99) / 1e3,
               (unsigned long long)sent, (unsigned long long)got);
    }
    (void)name;
}
int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    pin_cpu(2);
    cu_open();
    int kind = getenv("KIND") ? atoi(getenv("KIND")) : 1;
    if (kind < 2) {
        base = mmap(0, HOST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(base, HOST_BYTES, kind ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        memset(base, 0, HOST_BYTES);
        CK(cuMemHostRegister(base, HOST_BYTES, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP));
    } else if (kind == 2)
        CK(cuMemHostAlloc((void **)&base, HOST_BYTES, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP));
    else {
        CUdeviceptr b;
        CUmemGenericAllocationHandle h;
        CUmemAllocationProp p;
        memset(&p, 0, sizeof p);
        p.type = CU_MEM_ALLOCATION_TYPE_PINNED;
        p.location.type = CU_MEM_LOCATION_TYPE_HOST_NUMA;
        CK(cuMemAddressReserve(&b, 1ull << 36, 0, 0, 0));
        CK(cuMemCreate(&h, HOST_BYTES, &p, 0));
        CK(cuMemMap(b, HOST_BYTES, 0, h, 0));
        CUmemAccessDesc a[2];
        memset(a, 0, sizeof a);
        a[0].location.type = CU_MEM_LOCATION_TYPE_DEVICE;
        a[1].location.type = CU_MEM_LOCATION_TYPE_HOST_NUMA;
        a[0].flags = a[1].flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        CK(cuMemSetAccess(b, HOST_BYTES, a, 2));
        base = (char *)b;
    }
    memset(base, 0, HOST_BYTES);
    if (getenv("KIND"))
        printf("kind %s: ", kind == 0   ? "mmap of 4 KiB pages, registered"
                            : kind == 1 ? "mmap with huge pages, registered"
                            : kind == 2 ? "cuMemHostAlloc"
                                        : "cuMemCreate HOST_NUMA");
    if (getenv("CPU")) pin_cpu(atoi(getenv("CPU")));
    CK(cuMemAlloc(&dbase, DEV_BYTES));
    CK(cuMemHostAlloc((void **)&shadow, DEV_BYTES, 0));
    stopw = (u32 *)(base + 64);
    CK(cuStreamCreate(&res, CU_STREAM_NON_BLOCKING));
    CK(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING));
    CK(cuModuleLoadData(&bare, slurp("bare.cubin", 0)));
    if (argc > 1 && !strcmp(argv[1], "bare")) {
        u32 t[] = { 32, 256, 512 };
        run_bare("bare: one thread, units one after the other", 32, 1);
        run_bare("bare: one thread, four units at once", 32, 0);
        run_narrow("bare: warp, one slot, then eight", 32, 0, 0);
        run_narrow("the same, command word in the same load", 32, 1, 0);
        run_narrow("the same, and two block barriers", 32, 1, 1);
        run_narrow("the same, and two block barriers", 256, 1, 1);
        for (int i = 0; i < 3; i++) run_bare("bare: block, four lanes a slot", t[i], -1);
    } else if (argc > 1 && !strcmp(argv[1], "beside")) {
        CUmodule pm;
        CUfunction fi;
        CUstream o;
        CUdeviceptr dw;
        volatile u64 *pw;
        CK(cuModuleLoadData(&pm, slurp("probe.cubin", 0)));
        CK(cuModuleGetFunction(&fi, pm, "idle"));
        CK(cuStreamCreate(&o, CU_STREAM_NON_BLOCKING));
        CK(cuMemAlloc(&dw, 4096));
        CK(cuMemsetD8(dw, 0, 4096));
        CK(cuMemHostAlloc((void **)&pw, 1 << 20, 0));
        memset((void *)pw, 0, 1 << 20);
        run_narrow("warm", 32, 1, 0);
        static const struct {
            u32 blocks, mode, sleep;
            const char *what;
        } c[] = { { 0, 0, 0, "alone" },
                  { 131, 1, 0, "131 blocks spin on a device word" },
                  { 131, 0, 0, "131 blocks spin on one pinned word" },
                  { 131, 0, 20, "131 blocks, pinned word, nanosleep 20" },
                  { 131, 0, 1000, "131 blocks, pinned word, nanosleep 1000" },
                  { 1048, 0, 20, "1048 blocks, pinned word, nanosleep 20" },
                  { 131, 3, 0, "131 blocks spin, each on a pinned line of its own" },
                  { 131, 3, 20, "the same, nanosleep 20" },
                  { 131, 3, 1000, "the same, nanosleep 1000" },
                  { 1048, 3, 20, "1048 blocks, each its own pinned line, 20" },
                  { 8, 0, 0, "8 blocks spin on one pinned word" } };
        for (int i = 0; i < 11; i++) {
            u64 life = 2000000000ull;
            void *args[] = { (void *)&pw, &dw, &life, (void *)&c[i].sleep, (void *)&c[i].mode };
            if (c[i].blocks) CK(cuLaunchKernel(fi, c[i].blocks, 1, 1, 32, 1, 1, 0, o, args, 0));
            busy_ns(2000000);
            run_narrow(c[i].what, 32, 1, 0);
            CK(cuStreamSynchronize(o));
        }
    } else if (argc > 1 && !strcmp(argv[1], "tear"))
        tear();
    else if (argc > 1 && !strcmp(argv[1], "bus"))
        t_bus();
    else if (argc > 1 && !strcmp(argv[1], "launch"))
        t_launch();
    else if (argc > 1 && !strcmp(argv[1], "pair")) {
        variant b = { "loop as it is, device memory, both lanes", "loop_base.cubin", DEV, 1, 1, 0, 3 },
                u = { "+ polls the device lane only", "loop_onelane.cubin", DEV, 1, 1, 0, 2 },
                c = { "+ command in device memory", "loop_onelane.cubin", DEV, 1, 0, 0, 2 },
                ns = { "the same without fences", "loop_n_shared.cubin", DEV, 1, 1, 0, 2 },
                rx = { "team, relaxed, narrow, 2 acq_rel.gpu", "loop_n_relaxf.cubin", DEV, 1, 1, 0, 2 },
                sh = { "the same, shared copy", "loop_n_sharedf.cubin", DEV, 1, 1, 0, 2 },
                t = { "team, command beside the poll", "loop_team.cubin", DEV, 1, 1, 0, 2 },
                t0 = { "team, command in device memory", "loop_teamown.cubin", DEV, 1, 0, 0, 2 };
        variant *all[] = { &rx, &sh, &ns };
        for (int k = 0; k < 3; k++) {
            loop_mod = 0;
            for (u32 thr = 32; thr <= 256; thr *= 8)
                for (u32 n = 1; n <= 1024; n *= n == 1 ? 256 : 4) pair_loop(all[k], thr, n);
        }
        for (u32 thr = 32; thr <= 256; thr *= 8)
            for (u32 n = 1; n <= 1024; n *= n == 1 ? 256 : 4) pair_bare(thr, n);
    } else if (argc > 7) {
        variant v = { argv[2],       argv[3],       atoi(argv[4]), atoi(argv[5]),
                      atoi(argv[6]), atoi(argv[7]), atoi(argv[8]) };
        u32 batch = argc > 9 ? (u32)atoi(argv[9]) : 1024;
        run_loop(&v, 32, batch);
        run_loop(&v, 256, batch);
    }
    fflush(stdout);
    _exit(0);
}
