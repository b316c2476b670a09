/* What the files of `rk` share: one function for each subcommand, the exit codes, and how a person is told of
 * an error. */
#ifndef RINGKERNEL_CLI_COMMAND_H
#define RINGKERNEL_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Pinned: scripts rely on them. */
enum {
    RK_EXIT_OK = 0,     /* done; of a job: every row is accounted for (dead letters are) */
    RK_EXIT_FOUND = 1,  /* `rk check` found mistakes in kernels, `rk bench` a benchmark that failed */
    RK_EXIT_USAGE = 2,  /* the command line or the app file is wrong; nothing was started */
    RK_EXIT_KERNEL = 3, /* a kernel doesn't compile, launch or connect */
    RK_EXIT_IO = 4,     /* input can't be read, or output can't be written */
    RK_EXIT_UNBALANCED =
        5, /* a kernel failed or got stuck, messages were lost, or the account doesn't balance */
    RK_EXIT_INTERRUPTED =
        130 /* SIGINT or SIGTERM: what was read was drained, and it balances; after a second one nothing is accounted for */
};

#define RK_EXIT_CODES_OF_A_JOB                                                                               \
    "Exit codes: 0 done and balanced (dead letters are part of the account); 2 the command line or the "     \
    "app file is wrong; 3 a kernel doesn't compile, launch or connect; 4 input can't be read or output "     \
    "can't be written; 5 a kernel failed or got stuck, messages were lost, or the account doesn't balance; " \
    "130 interrupted, but drained and balanced; or stopped at once by a second Ctrl-C, with nothing "        \
    "accounted for. Where several hold, it is the first of 3, 5, 4 and 130."

/* A subcommand: argv[0] is its full name ("rk run"), and what it returns is the exit code. */
typedef int command_function(int argc, char **argv);
command_function command_run, command_check, command_devices, command_bench, command_codegen, command_init;

struct argp_state;
/* A name on the command line that is empty, which names nothing, ends the command: "WHAT is ''". */
void command_refuse_empty(const struct argp_state *state, const char *what, const char *name);

/* "rk: " and one line on standard error, in one write and clear of the progress lines. Any thread. */
void command_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How a command that wrote to standard output ends: with `code`, or, where that couldn't be written, with words and
 * RK_EXIT_IO. */
int command_end(int code);

/* The same for text of several lines (an error stack, a compiler's message): `what`, then the text,
 * indented. */
void command_error_text(const char *what, const char *text);

/* That text; the caller frees it. */
char *command_under(const char *what, const char *text);

/* Hold back errors of other threads while something else is written to standard error. */
void command_error_lock(void);
void command_error_unlock(void);

/* Something else on standard error (the progress lines) is to be cleared before an error is printed; NULL:
 * nothing. */
void command_error_hook(void (*clear)(void));
/* With the lock held: it is cleared before something else is written to the same terminal. */
void command_error_clear(void);

/* strdup and friends that end the program when memory is out: the command has nothing to save then. */
void *command_allocate(size_t size);
void *command_resize(void *memory, size_t size);
char *command_copy(const char *text);
char *command_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A path as a word of a command that a person may copy into a shell: in quotes where it has to be. The caller frees it. */
char *command_word(const char *path);

/* Text as JSON, whatever bytes it has: those that are no UTF-8 become question marks. */
json_t *command_json_text(const char *text);

#endif
