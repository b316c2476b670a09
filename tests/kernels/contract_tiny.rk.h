/* Messages of one word: shorter than anything that stands around them in a slot. */
#ifndef CONTRACT_TINY_RK_H
#define CONTRACT_TINY_RK_H

#include <ringkernel/message.h>

RK_MESSAGE(pebble, 790, (rk_u32, number))

#endif
