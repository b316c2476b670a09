/* What the port to NVIDIA GPUs (port_cuda.h) says in PTX. */
#ifndef RINGKERNEL_DEVICE_PORT_PTX_H
#define RINGKERNEL_DEVICE_PORT_PTX_H

RK_FN rk_unit rk_load_unit(const rk_unit *unit)
{
    rk_unit value;
    asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.word[0]), "=r"(value.word[1]), "=r"(value.word[2]), "=r"(value.word[3])
                 : "l"(unit)
                 : "memory");
    return value;
}
RK_FN void rk_store_unit(rk_unit *unit, rk_unit value)
{
    asm volatile("st.volatile.global.v4.u32 [%0], {%1, %2, %3, %4};"
                 :
                 : "l"(unit), "r"(value.word[0]), "r"(value.word[1]), "r"(value.word[2]), "r"(value.word[3])
                 : "memory");
}

/* An acquire waits for no write: it makes the loads behind it read anew, which is a fraction of a fence of both sides. PTX has
 * such a fence, and one for the release alone, the built-ins have none: asked for one side they are sequentially
 * consistent. Compilers before CUDA 13 get both sides. */
#if __CUDACC_VER_MAJOR__ >= 13
#define RK_PORT_ACQUIRE "acquire"
#define RK_PORT_RELEASE "release"
#else
#define RK_PORT_ACQUIRE "acq_rel"
#define RK_PORT_RELEASE "acq_rel"
#endif
#define RK_PORT_FENCE(order, reach) asm volatile("fence." order "." reach ";" : : : "memory")
#define RK_PORT_FENCE_IN(order, scope)   \
    if ((scope) == RK_SCOPE_SYSTEM)      \
        RK_PORT_FENCE(order, "sys");     \
    else if ((scope) == RK_SCOPE_DEVICE) \
        RK_PORT_FENCE(order, "gpu");     \
    else                                 \
        RK_PORT_FENCE(order, "cta")
RK_FN void rk_port_fence(int order, rk_u32 scope)
{
    if (order == RK_ACQUIRE) {
        RK_PORT_FENCE_IN(RK_PORT_ACQUIRE, scope);
    } else if (order == RK_RELEASE) {
        RK_PORT_FENCE_IN(RK_PORT_RELEASE, scope);
    } else if (order == RK_SEQ_CST) {
        RK_PORT_FENCE_IN("sc", scope);
    } else {
        RK_PORT_FENCE_IN("acq_rel", scope);
    }
}

/* The compiler splits plain accesses of structures into words. */
RK_FN rk_unit rk_get_unit(const void *from)
{
    rk_unit value;
    asm volatile("ld.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.word[0]), "=r"(value.word[1]), "=r"(value.word[2]), "=r"(value.word[3])
                 : "l"(from)
                 : "memory");
    return value;
}
RK_FN void rk_put_unit(void *to, rk_unit value)
{
    asm volatile("st.v4.u32 [%0], {%1, %2, %3, %4};"
                 :
                 : "l"(to), "r"(value.word[0]), "r"(value.word[1]), "r"(value.word[2]), "r"(value.word[3])
                 : "memory");
}

/* Relaxed additions to words of global memory, as wide as the kernels that share them. Where the compiler
 * doesn't know which memory a pointer is into, an atomic is twenty instructions and a branch. */
RK_FN void rk_port_count(rk_u64 *counter, rk_u64 n)
{
    asm volatile("red.relaxed." RK_PORT_WIDE ".global.add.u64 [%0], %1;" : : "l"(counter), "l"(n) : "memory");
}
RK_FN void rk_port_give_u32(rk_u32 *word, rk_u32 n)
{
    asm volatile("red.relaxed." RK_PORT_WIDE ".global.add.u32 [%0], %1;" : : "l"(word), "r"(n) : "memory");
}
RK_FN rk_u32 rk_port_add_u32(rk_u32 *word, rk_u32 n)
{
    rk_u32 before;
    asm volatile("atom.relaxed." RK_PORT_WIDE ".global.add.u32 %0, [%1], %2;"
                 : "=r"(before)
                 : "l"(word), "r"(n)
                 : "memory");
    return before;
}
RK_FN rk_u64 rk_port_add_u64(rk_u64 *word, rk_u64 n)
{
    rk_u64 before;
    asm volatile("atom.relaxed." RK_PORT_WIDE ".global.add.u64 %0, [%1], %2;"
                 : "=l"(before)
                 : "l"(word), "l"(n)
                 : "memory");
    return before;
}

/* Words of the block's own memory, which all its threads see in the order of their writes. Where the compiler doesn't know that a
 * pointer is into it, an access takes twice as long. */
RK_FN rk_u32 rk_port_in_block(const void *pointer) { return (rk_u32)__cvta_generic_to_shared(pointer); }
RK_FN rk_u32 rk_port_seen(const rk_u32 *word)
{
    rk_u32 value;
    asm volatile("ld.acquire.cta.shared.u32 %0, [%1];"
                 : "=r"(value)
                 : "r"(rk_port_in_block(word))
                 : "memory");
    return value;
}
RK_FN void rk_port_tell(rk_u32 *word, rk_u32 value)
{
    asm volatile("st.release.cta.shared.u32 [%0], %1;"
                 :
                 : "r"(rk_port_in_block(word)), "r"(value)
                 : "memory");
}
RK_FN void rk_port_set(rk_u32 *word, rk_u32 bits)
{
    asm volatile("red.relaxed.cta.shared.or.b32 [%0], %1;"
                 :
                 : "r"(rk_port_in_block(word)), "r"(bits)
                 : "memory");
}

/* An addition by the lanes whose condition holds, and behind it, without waiting for its answer, a word of the block's memory by
 * the first lane. By a whole warp. Without the condition the answer is 0: one of a former call would be kept for it. */
RK_FN rk_u64 rk_port_add_and_tell(rk_u32 condition, rk_u64 *word, rk_u64 n, rk_u32 *told, rk_u32 value)
{
    rk_u64 before;
    asm volatile("{ .reg .pred p, q;\n"
                 "setp.ne.u32 p, %1, 0; setp.eq.u32 q, %6, 0; mov.u64 %0, 0;\n"
                 "@p atom.relaxed." RK_PORT_WIDE ".global.add.u64 %0, [%2], %3;\n"
                 "bar.warp.sync 0xffffffff;\n"
                 "@q st.release.cta.shared.u32 [%4], %5; }"
                 : "=&l"(before)
                 : "r"(condition), "l"(word), "l"(n), "r"(rk_port_in_block(told)), "r"(value),
                   "r"(threadIdx.x % 32u)
                 : "memory");
    return before;
}

/* Nanoseconds of the GPU's global timer; the host calibrates it against its own clock. clock64 counts the
 * cycles of one multiprocessor and is no time. */
RK_FN rk_u64 rk_port_now_ns(void)
{
    rk_u64 now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    return now;
}
RK_FN rk_u64 rk_port_cycles(void)
{
    rk_u64 cycles;
    asm volatile("mov.u64 %0, %%clock64;" : "=l"(cycles));
    return cycles;
}
RK_FN void rk_port_pause(void) { asm volatile("nanosleep.u32 20;"); }
/* For `ns`, or up to twice that. */
RK_FN void rk_port_rest(rk_u32 ns) { asm volatile("nanosleep.u32 %0;" : : "r"(ns)); }

/* Bytes of the block's own memory that the launch has asked for. */
RK_FN rk_u32 rk_port_block_bytes(void)
{
    rk_u32 bytes;
    asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(bytes));
    return bytes;
}

#endif
