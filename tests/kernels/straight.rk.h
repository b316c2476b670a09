/* The messages of the contract suite's cases on straight sends. Type ids 495 and 496 are theirs. */
#ifndef RINGKERNEL_TESTS_STRAIGHT_RK_H
#define RINGKERNEL_TESTS_STRAIGHT_RK_H

#include <ringkernel/message.h>

/* What a handler does with its number. */
#define DO_SEND 0u
#define DO_FORWARD 1u
#define DO_SEND_LONG 2u  /* a longer message, too */
#define DO_FAIL 3u       /* after a send */
#define DO_SEND_ASIDE 4u /* on a named route */
#define DO_AIM 5u        /* with a target of its own */
#define DO_NOTHING 6u
#define DO_TOO_MUCH 7u  /* more than it may */
#define DO_FAIL_LATE 8u /* after a send, and one on a named route */
#define DO_AT_ONCE 9u
#define KINDS 10u

RK_MESSAGE(task, 495, (rk_u32, number), (rk_u32, what))
RK_MESSAGE(essay, 496, (rk_u32, number), (rk_u32, what), (rk_u32, word, 60))

#endif
