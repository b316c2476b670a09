/* A text that grows as it is printed to. An allocation that fails is noticed at the end: the text is then
 * NULL. */
#ifndef RINGKERNEL_CODEGEN_TEXT_BUFFER_H
#define RINGKERNEL_CODEGEN_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rk_text_buffer {
    char *text; /* ended by NUL; the caller's to free */
    size_t size;
    size_t room;
    bool failed;
} rk_text_buffer;

void rk_text_print(rk_text_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
