/* The switch between two stacks, in assembly because C has no name for it.
 *
 *     void rk_fiber_jump(void **save, void *to)
 *
 * pushes what the calling convention says that a function keeps, stores the stack pointer in *save, takes
 * `to` for it and pops the same from there. To the compiler it is a call that returns later. Everything
 * lies at the same distance from the stack pointer before and after, so one set of unwind rules is right
 * on both stacks. The control words of the floating-point units are written only when they differ: writing
 * them costs more than all the rest.
 *
 * rk_fiber_enter is where a fiber begins: its first frame, laid out by rk_fiber_arm, returns there. Its
 * caller is marked as undefined, so a debugger's or sanitizer's backtrace ends there.
 *
 * The file carries no property note on purpose: switching stacks under a shadow stack needs more than
 * this, and without the note the linker leaves shadow stacks off. */

#if defined(__x86_64__)

    .text
    .p2align 5
    .globl rk_fiber_jump
    .hidden rk_fiber_jump
    .type rk_fiber_jump, @function
rk_fiber_jump:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movl (%rsp), %eax
    movzwl 4(%rsp), %edx

    movq %rsp, (%rdi)
    movq %rsi, %rsp

    cmpl %eax, (%rsp)
    je 1f
    ldmxcsr (%rsp)
1:  cmpw %dx, 4(%rsp)
    je 2f
    fldcw 4(%rsp)
2:  addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    .size rk_fiber_jump, . - rk_fiber_jump

    .p2align 4
    .globl rk_fiber_enter
    .hidden rk_fiber_enter
    .type rk_fiber_enter, @function
rk_fiber_enter:
    .cfi_startproc
    .cfi_undefined %rip
    movq %r12, %rdi
    callq *%rbx
    ud2
    .cfi_endproc
    .size rk_fiber_enter, . - rk_fiber_enter

#elif defined(__aarch64__)

    .text
    .p2align 5
    .globl rk_fiber_jump
    .hidden rk_fiber_jump
    .type rk_fiber_jump, %function
rk_fiber_jump:
    .cfi_startproc
    sub sp, sp, #176
    .cfi_adjust_cfa_offset 176
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    .cfi_rel_offset d8, 96
    .cfi_rel_offset d9, 104
    .cfi_rel_offset d10, 112
    .cfi_rel_offset d11, 120
    .cfi_rel_offset d12, 128
    .cfi_rel_offset d13, 136
    .cfi_rel_offset d14, 144
    .cfi_rel_offset d15, 152
    mrs x2, fpcr
    str x2, [sp, #160]

    mov x3, sp
    str x3, [x0]
    mov sp, x1

    ldr x3, [sp, #160]
    cmp x2, x3
    b.eq 1f
    msr fpcr, x3
1:  ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #176
    .cfi_def_cfa sp, 0
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    .cfi_restore d8
    .cfi_restore d9
    .cfi_restore d10
    .cfi_restore d11
    .cfi_restore d12
    .cfi_restore d13
    .cfi_restore d14
    .cfi_restore d15
    ret
    .cfi_endproc
    .size rk_fiber_jump, . - rk_fiber_jump

    .p2align 4
    .globl rk_fiber_enter
    .hidden rk_fiber_enter
    .type rk_fiber_enter, %function
rk_fiber_enter:
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
    .size rk_fiber_enter, . - rk_fiber_enter

#else
#error "ringkernel's fibers know x86-64 and AArch64: add a switch for this processor"
#endif

#if defined(__linux__)
    .section .note.GNU-stack, "", %progbits
#endif
