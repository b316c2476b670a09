/* What the ports share whose languages promise nothing about wide accesses and have no clock: OpenCL C and Metal. */
#ifndef RINGKERNEL_DEVICE_PORT_SLICES_H
#define RINGKERNEL_DEVICE_PORT_SLICES_H

typedef struct rk_unit {
    rk_u32 word[4];
} __attribute__((aligned(16))) rk_unit;

/* A vector access is one access on every OpenCL device that this was tried on and on every GPU of Apple's that is known,
 * but neither language promises it: a backend uses unit slots only after its own tear test. */
#define RK_HAS_UNIT 1
RK_FN rk_unit rk_load_unit(volatile RK_GLOBAL const rk_unit *unit)
{
    rk_unit value;
    uint4 bits = *(volatile RK_GLOBAL const uint4 *)unit;
    value.word[0] = bits.x;
    value.word[1] = bits.y;
    value.word[2] = bits.z;
    value.word[3] = bits.w;
    return value;
}
RK_FN void rk_store_unit(volatile RK_GLOBAL rk_unit *unit, rk_unit value)
{
    uint4 bits;
    bits.x = value.word[0];
    bits.y = value.word[1];
    bits.z = value.word[2];
    bits.w = value.word[3];
    *(volatile RK_GLOBAL uint4 *)unit = bits;
}

/* The same without volatile, of what nobody else writes meanwhile. */
typedef uint4 __attribute__((__may_alias__)) rk_port_quad;
RK_FN rk_unit rk_get_unit(RK_GLOBAL const void *from)
{
    rk_unit value;
    uint4 bits = *(RK_GLOBAL const rk_port_quad *)from;
    value.word[0] = bits.x;
    value.word[1] = bits.y;
    value.word[2] = bits.z;
    value.word[3] = bits.w;
    return value;
}
RK_FN void rk_put_unit(RK_GLOBAL void *to, rk_unit value)
{
    uint4 bits;
    bits.x = value.word[0];
    bits.y = value.word[1];
    bits.z = value.word[2];
    bits.w = value.word[3];
    *(RK_GLOBAL rk_port_quad *)to = bits;
}

/* No clock; and a cycle counter of processors and of NVIDIA's GPUs alone. */
#if defined(__clang__) && defined(__x86_64__)
RK_FN rk_u64 rk_port_cycles(void) { return __builtin_readcyclecounter(); }
#elif defined(RK_UNIT_SM)
RK_FN rk_u64 rk_port_cycles(void)
{
    rk_u64 now;
    __asm__ volatile("mov.u64 %0, %%clock64;" : "=l"(now));
    return now;
}
#else
RK_FN rk_u64 rk_port_cycles(void) { return 0; }
#endif
RK_FN void rk_port_pause(void) {}

/* One more round of a spin. */
RK_FN void rk_port_spin(rk_u32 round)
{
    (void)round;
    rk_port_pause();
}

/* Copy bytes from arena to arena, by units or words where both ends allow it. */
RK_FN void rk_copy_global(RK_GLOBAL void *to, RK_GLOBAL const void *from, rk_u32 bytes)
{
    rk_u32 done = 0;
    if ((((rk_u64)to | (rk_u64)from) & 15u) == 0)
        for (; done + 16u <= bytes; done += 16u)
            rk_put_unit((RK_GLOBAL rk_u8 *)to + done, rk_get_unit((RK_GLOBAL const rk_u8 *)from + done));
    if ((((rk_u64)to | (rk_u64)from) & 3u) == 0)
        for (; done + 4u <= bytes; done += 4u)
            *(RK_GLOBAL rk_word *)((RK_GLOBAL rk_u8 *)to + done) =
                *(RK_GLOBAL const rk_word *)((RK_GLOBAL const rk_u8 *)from + done);
    for (; done < bytes; done++) ((RK_GLOBAL rk_u8 *)to)[done] = ((RK_GLOBAL const rk_u8 *)from)[done];
}

#endif
