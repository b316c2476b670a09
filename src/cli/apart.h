/* No file is written that is read or written by the same job as well: one of the two would be destroyed. */
#ifndef RINGKERNEL_CLI_APART_H
#define RINGKERNEL_CLI_APART_H

#include "job.h"

/* False: they aren't, and it is told. What isn't there yet is no file, so this is asked again once it is. */
bool outputs_are_apart(const job *j, const char *output);

/* What the job reads or writes is none of the files that the folder of checkpoints has for itself. */
bool checkpoints_are_apart(const job *j, const char *folder, const char *output);

/* The same for one file that is written and one that is read; only for regular files, which alone are kept. */
bool files_are_apart(const char *written, const char *read);

/* The same for one file that is written and all that a unit includes, itself or by another, the library's own headers too;
 * those as well that its conditions leave out. */
bool headers_are_apart(const char *written, const char *unit);

#endif
