#include <ringkernel/runtime.h>

static const struct {
    rk_status status;
    const char *name, *text;
} statuses[] = {
    { RK_OK, "RK_OK", "done" },
    { RK_FULL, "RK_FULL", "no room: send again when there is" },
    { RK_TIMED_OUT, "RK_TIMED_OUT", "the deadline passed first: try again, with more time" },
    { RK_EMPTY, "RK_EMPTY", "nothing is there to receive" },
    { RK_BUSY, "RK_BUSY", "in use right now: wait for it, or deactivate it first" },
    { RK_DROPPED, "RK_DROPPED", "no room, and the strategy lets this message go" },
    { RK_DUPLICATE, "RK_DUPLICATE", "a message with this id was accepted already" },
    { RK_TOO_LARGE, "RK_TOO_LARGE", "larger than the message type" },
    { RK_TOO_SMALL, "RK_TOO_SMALL", "smaller than the message, or than the room that it needs" },
    { RK_UNKNOWN_TYPE, "RK_UNKNOWN_TYPE", "the kernel has no handler for this message type" },
    { RK_EXPIRED, "RK_EXPIRED", "its time to live was over" },
    { RK_NO_REPLY, "RK_NO_REPLY", "the handler finished without replying" },
    { RK_DEAD, "RK_DEAD", "the handler refused the message: see the dead letters" },
    { RK_CORRUPT, "RK_CORRUPT", "not a message of this runtime" },
    { RK_NO_SUCH_ACTOR, "RK_NO_SUCH_ACTOR", "the kernel has no actor of that number" },
    { RK_CLOSED, "RK_CLOSED", "the kernel takes no more messages" },
    { RK_STALE, "RK_STALE", "the handle is of a kernel that is gone: find it again by its id" },
    { RK_NO_SUCH_KERNEL, "RK_NO_SUCH_KERNEL", "no kernel of that name or handle" },
    { RK_ALREADY_ACTIVE, "RK_ALREADY_ACTIVE", "the kernel is active already" },
    { RK_NOT_ACTIVE, "RK_NOT_ACTIVE", "the kernel is not active" },
    { RK_IN_USE, "RK_IN_USE", "a live kernel has this id: terminate it, or choose another" },
    { RK_QUARANTINED, "RK_QUARANTINED", "a handler did not stop: its memory is kept and not used again" },
    { RK_FAILED, "RK_FAILED", "the kernel failed: launch it again" },
    { RK_NO_SUCH_ROUTE, "RK_NO_SUCH_ROUTE", "the kernel declares no such route" },
    { RK_INVALID_ARGUMENT, "RK_INVALID_ARGUMENT", "an argument is null, zero or out of range" },
    { RK_INVALID_OPTIONS, "RK_INVALID_OPTIONS", "options that can't be" },
    { RK_INVALID_ID, "RK_INVALID_ID", "an id has 1 to 63 characters and isn't blank" },
    { RK_UNSUPPORTED, "RK_UNSUPPORTED", "this backend can't do that" },
    { RK_COMPILE_FAILED, "RK_COMPILE_FAILED", "the kernel source doesn't compile" },
    { RK_INCOMPATIBLE, "RK_INCOMPATIBLE", "made for another version of the library: compile it again" },
    { RK_PARSE_FAILED, "RK_PARSE_FAILED", "not in the form that it should have" },
    { RK_LIMIT, "RK_LIMIT", "a stated limit is reached" },
    { RK_OUT_OF_MEMORY, "RK_OUT_OF_MEMORY", "more memory than there is, or than the ceiling allows" },
    { RK_IO, "RK_IO", "the operating system refused" },
    { RK_INTERNAL, "RK_INTERNAL", "a promise of the library was broken: please report it" },
    { RK_DEVICE_LOST, "RK_DEVICE_LOST", "this process has lost the device: start it again" },
};

const char *rk_status_name(rk_status status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status) return statuses[i].name;
    return "unknown status";
}

const char *rk_status_text(rk_status status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status) return statuses[i].text;
    return "not a status of this version of the library";
}

const char *rk_version_text(void) { return RK_BUILD_VERSION; }
