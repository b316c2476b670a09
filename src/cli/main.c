/* `rk`: finds the subcommand in a table and hands it the rest of the command line. */
#include <argp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "ringkernel/ringkernel.h"

static const struct {
    const char *name;
    command_function *function;
    const char *what;
} commands[] = {
    { "run", command_run,
      "run an app: compile its kernels, feed them, write what comes out, account for it" },
    { "check", command_check, "compile kernels for every backend at hand and look for the usual pitfalls" },
    { "devices", command_devices, "show what kernels can run on, and be compiled for, on this machine" },
    { "bench", command_bench, "measure this machine: round trip, rate, actors, idle" },
    { "codegen", command_codegen, "print what a backend's compiler gets for a kernel source" },
    { "init", command_init, "write a small app that runs, to start from" },
};

static void print_help(FILE *out)
{
    fputs("Usage: rk COMMAND [OPTION...]\n"
          "Kernels that are launched once and stay: run them, check them, measure them.\n\n",
          out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  rk %-8s %s\n", commands[i].name, commands[i].what);
    fputs("\n`rk COMMAND --help` tells the rest. `rk --version` prints the version.\n", out);
}

/* A standard stream that was closed before we started must not become the number of a file that we open. What
 * takes its place can't be used the way the stream is, so whoever does is told. */
static void hold_standard_streams(void)
{
    for (int stream = 0; stream <= 2; stream++) {
        int place =
            fcntl(stream, F_GETFD) < 0 ? open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY) : stream;
        if (place != stream) _exit(RK_EXIT_IO); /* it takes the lowest number that is free: this one */
    }
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow further is an error of write, with words */
    argp_err_exit_status = RK_EXIT_USAGE;
    if (argc < 2) {
        print_help(stderr);
        return RK_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return command_end(RK_EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("rk %s\n", rk_version_text());
        return command_end(RK_EXIT_OK);
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        static char full_name[32];
        snprintf(full_name, sizeof full_name, "rk %s", commands[i].name);
        argv[1] = full_name; /* what argp calls the program */
        return commands[i].function(argc - 1, argv + 1);
    }
    command_error("there is no command '%s': valid are run, check, devices, bench, codegen, init", argv[1]);
    return RK_EXIT_USAGE;
}
