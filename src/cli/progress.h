/* Progress of a job on a terminal: a line for each kernel, drawn over itself a few times a second. Nothing in
 * a pipe. */
#ifndef RINGKERNEL_CLI_PROGRESS_H
#define RINGKERNEL_CLI_PROGRESS_H

#include <stdio.h>

#include "job.h"

/* Only if standard error is a terminal. */
void progress_start(job *j);
/* Draws if it is time to. One thread. */
void progress_show(job *j);
/* Takes the lines away. */
void progress_end(void);

/* 1234567 as "1,234,567", into text, which it returns. */
char *progress_number(rk_u64 number, char text[32]);
/* 41300 as "41 µs". */
char *progress_time(rk_u64 ns, char text[32]);
/* 1900000.0 as "1.9 M". */
char *progress_rate(double rate, char text[32]);

/* The lines at the end: each kernel's account, and what came out. */
void progress_account(job *j, FILE *out);

#endif
