/* Ctrl-C and SIGTERM: the first asks to stop reading and drain, the second ends the process at once, with
 * the same exit code and a word on standard error. */
#ifndef RINGKERNEL_CLI_INTERRUPT_H
#define RINGKERNEL_CLI_INTERRUPT_H

#include <stdbool.h>

/* Takes over SIGINT and SIGTERM, and makes SIGPIPE an error of write. */
void interrupt_install(void);
bool interrupt_asked(void);

/* Waits until `file` (-1: none) can be read (true), or until the first signal or interrupt_wake (false), for at most
 * `timeout_ms` (-1: no bound); *timed_out tells which. */
bool interrupt_wait_readable(int file, int timeout_ms, bool *timed_out);
/* Ends such a wait, from any thread, now or when it comes. */
void interrupt_wake(void);

#endif
