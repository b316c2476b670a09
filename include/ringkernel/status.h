/* Results: pinned values, grouped by what the caller can do about them.
 *
 * A value never changes its meaning and is never reused. rk_status_text names each; what went wrong in
 * detail, and where, is on the calling thread's error stack (rk_error_text). */
#ifndef RINGKERNEL_STATUS_H
#define RINGKERNEL_STATUS_H

typedef enum rk_status {
    RK_OK = 0, /* done; of a send: accepted */

    /* Nothing is wrong: try again, later or with more time. */
    RK_FULL = 10,      /* no room and the strategy is Reject; the lane is unchanged */
    RK_TIMED_OUT = 11, /* the deadline passed first; nothing was sent, or no reply came */
    RK_EMPTY = 12,     /* nothing to receive */
    RK_BUSY = 13,      /* another caller does this already: wait for it */

    /* This message is not going to arrive: drop it, or look at it. */
    RK_DROPPED = 20, /* no room and the strategy let it go (DropNewest; DropOldest among more urgent ones) */
    RK_DUPLICATE = 21,     /* its id was accepted within the window */
    RK_TOO_LARGE = 22,     /* more bytes than the kernel's largest message: send less, or declare more */
    RK_TOO_SMALL = 23,     /* fewer bytes than its message type has: send the whole structure */
    RK_UNKNOWN_TYPE = 24,  /* the kernel has no handler for this type */
    RK_EXPIRED = 25,       /* its time to live was over when its turn came */
    RK_NO_REPLY = 26,      /* the handler finished without replying */
    RK_DEAD = 27,          /* the handler refused it: it is in the dead letters */
    RK_CORRUPT = 28,       /* a frame that is not a message of this runtime */
    RK_NO_SUCH_ACTOR = 29, /* its target is not an actor of the kernel */

    /* The kernel can't take it as it is now: change its state, or launch it again. */
    RK_CLOSED = 40,         /* draining, terminated or failed: it takes no more messages */
    RK_STALE = 41,          /* the handle is of a kernel that is gone: look the id up again */
    RK_NO_SUCH_KERNEL = 42, /* no kernel or module of that name */
    RK_ALREADY_ACTIVE = 43, /* activate of an active kernel */
    RK_NOT_ACTIVE = 44,     /* deactivate of a kernel that is not active */
    RK_IN_USE = 45,         /* the id is taken by a live kernel */
    RK_QUARANTINED = 46,    /* a handler did not stop: its memory is kept, nothing of it is used again */
    RK_FAILED = 47,         /* the kernel failed; rk_error_text says why */
    RK_NO_SUCH_ROUTE = 48,  /* the kernel declares no route of that name */

    /* The call is wrong: mend the program. */
    RK_INVALID_ARGUMENT = 60, /* null, zero or out of range; the text names which */
    RK_INVALID_OPTIONS = 61,  /* options that can't be; all of them are listed */
    RK_INVALID_ID = 62,       /* empty, blank or too long */
    RK_UNSUPPORTED = 63,      /* this backend can't honour it; the text names the nearest that works */
    RK_COMPILE_FAILED = 64,   /* the kernel source doesn't compile; the compiler's message is in the text */
    RK_INCOMPATIBLE = 65,     /* a module of another ABI, wire format or schema */
    RK_PARSE_FAILED = 66,     /* text that is not what it should be; the text names line and column */
    RK_LIMIT = 67,            /* a stated limit of the runtime is reached */

    /* The process or the device is short of something: reopen, or give up. */
    RK_OUT_OF_MEMORY = 80, /* or over the memory ceiling; the text says how much was asked and what is left */
    RK_IO = 81,            /* the operating system said no; its words are in the text */
    RK_INTERNAL = 82,      /* a promise of the library itself was broken: please report it */
    RK_DEVICE_LOST = 83 /* a kernel trapped or the device failed: this process has lost it; start it again */
} rk_status;

#endif
