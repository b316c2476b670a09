/* Where and with what a benchmark ran: what a published figure needs beside it. */
#ifndef RK_BENCH_MANIFEST_H
#define RK_BENCH_MANIFEST_H

#include <stddef.h>
#include <stdio.h>

/* Ends the program, with words, if a record is to be kept (NULL: none is) and it isn't known with which flags this was
 * built: of such figures nobody could tell what they are of. */
void bench_may_save(const char *folder);
/* One line for people. `tree` is the repository. */
void bench_machine(const char *tree, char *line, size_t size);
/* The members of the record's object, each followed by a comma. */
void bench_manifest(FILE *file, const char *tree, const int cores[2]);

#endif
