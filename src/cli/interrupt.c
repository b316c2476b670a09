/* The handler only counts and writes to an event descriptor: so it may run in any thread, and a blocked read
 * is woken whenever the signal comes, even between a look at the count and the wait. */
#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "command.h"

static atomic_int signals_seen;
static int event = -1;

static void handle(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    if (atomic_fetch_add(&signals_seen, 1) > 0) {
        static const char text[] = "\nrk: stopped at once: what was under way is not accounted for\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(RK_EXIT_INTERRUPTED);
    }
    interrupt_wake();
    errno = saved;
}

void interrupt_install(void)
{
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool interrupt_asked(void) { return atomic_load_explicit(&signals_seen, memory_order_relaxed) > 0; }

void interrupt_wake(void)
{
    const uint64_t one = 1;
    if (write(event, &one, sizeof one) < 0) return; /* it is full of wakes: as good */
}

bool interrupt_wait_readable(int file, int timeout_ms, bool *timed_out)
{
    struct pollfd wait[2] = { { .fd = file, .events = POLLIN }, { .fd = event, .events = POLLIN } };
    int ready = poll(wait, 2, timeout_ms);
    *timed_out = ready == 0 || (ready < 0 && errno == EINTR);
    return ready > 0 && !wait[1].revents;
}
