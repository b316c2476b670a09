/* Where and with what a benchmark ran: what a published figure needs beside it. */
#ifndef RK_BENCH_MANIFEST_H
#define RK_BENCH_MANIFEST_H

#include <stddef.h>
#include <stdio.h>

/* One line for people. `tree` is the repository. */
void bench_machine(const char *tree, char *line, size_t size);
/* The members of the record's object, each followed by a comma. */
void bench_manifest(FILE *file, const char *tree, const int cores[2]);

#endif
