/* A text that grows; see text_buffer.h. */
#include "codegen/text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(rk_text_buffer *buffer)
{
    free(buffer->text);
    *buffer = (rk_text_buffer){ .failed = true };
}

void rk_text_print(rk_text_buffer *buffer, const char *format, ...)
{
    if (buffer->failed) return;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) {
        fail(buffer);
        return;
    }
    if (buffer->size + (size_t)size + 1 > buffer->room) {
        size_t room = (buffer->size + (size_t)size + 1) * 2;
        char *grown = realloc(buffer->text, room);
        if (grown == NULL) {
            fail(buffer);
            return;
        }
        buffer->text = grown;
        buffer->room = room;
    }
    va_start(arguments, format);
    vsnprintf(buffer->text + buffer->size, buffer->room - buffer->size, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}
