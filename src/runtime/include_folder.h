/* Where the headers are that a kernel source includes. */
#ifndef RK_RUNTIME_INCLUDE_FOLDER_H
#define RK_RUNTIME_INCLUDE_FOLDER_H

#include <stddef.h>

#include <ringkernel/status.h>

/* The folder that holds ringkernel/kernel.h: beside the program (installed or moved), where the library was
 * built, or where it was to be installed. RK_IO: none of them has it; RK_LIMIT: the name is longer than the
 * room. */
rk_status rk_include_folder(char *folder, size_t size);

#endif
