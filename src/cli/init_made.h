/* What `rk init` has made so far: all of it is told at the end, or, if something can't be written, all of it is taken
 * away again, so that another try finds nothing in its way. */
#ifndef RINGKERNEL_CLI_INIT_MADE_H
#define RINGKERNEL_CLI_INIT_MADE_H

#include <jansson.h>
#include <stdbool.h>

/* A file that is there from now on, be it empty yet. */
void init_made_file(const char *path);
/* Makes a folder if there is none. False: it can't be (told). */
bool init_make_folder(const char *path);

/* Removes files and folders, those last that came first. A folder where others have put something stays. */
void init_made_undo(void);

/* The files, in the order in which they were made, a line each on standard output. */
void init_made_print(void);
/* As a list. */
json_t *init_made_json(void);
void init_made_forget(void);

#endif
