#include "sink.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ringkernel/text.h"

bool sink_open(sink *to, const char *path, app_format format)
{
    *to = (sink){ .format = format };
    pthread_mutex_init(&to->lock, NULL);
    return writer_open_kept(&to->out, path);
}

bool sink_continue(sink *to, const char *path, app_format format, const sink_place *from,
                   const rk_schema *type)
{
    *to = (sink){ .format = format, .lines = from->lines, .type = type };
    pthread_mutex_init(&to->lock, NULL);
    return writer_continue(&to->out, path, from->bytes);
}

static void enter(sink *to)
{
    pthread_mutex_lock(&to->lock);
    atomic_store_explicit(&to->busy, true, memory_order_relaxed);
}

/* Lines that were still in the buffer when writing failed are not written either. */
static void settle(sink *to)
{
    uint64_t lost = to->out.lost_lines < to->lines ? to->out.lost_lines : to->lines; /* a head is no line */
    to->out.lost_lines = 0;
    to->lines -= lost;
    to->unwritten += lost;
}

static void leave(sink *to)
{
    settle(to);
    atomic_store_explicit(&to->busy, false, memory_order_relaxed);
    pthread_mutex_unlock(&to->lock);
}

/* Lines are added as a whole, so that what is flushed ends in one. */
static void end_line(sink *to, char *line, size_t size)
{
    line[size] = '\n';
    writer_took(&to->out, size + 1);
}

static void write_ndjson(sink *to, const rk_schema *schema, const void *message, size_t size)
{
    size_t room = rk_json_room(schema, size);
    char *line = writer_room(&to->out, room + 1);
    end_line(to, line, rk_json_print(schema, message, size, line, room));
}

static void write_csv(sink *to, const rk_schema *schema, const void *message, size_t size)
{
    if (!to->type) {
        size_t room = rk_csv_print_head(schema, NULL, 0);
        char *head = writer_room(&to->out, room + 1);
        end_line(to, head, rk_csv_print_head(schema, head, room));
        to->type = schema;
    }
    size_t room = rk_csv_room(schema, size);
    char *line = writer_room(&to->out, room + 1);
    end_line(to, line, rk_csv_print(schema, message, size, line, room));
}

void sink_write(sink *to, const rk_schema *schema, const void *message, size_t size)
{
    enter(to);
    if (to->format == APP_FORMAT_CSV && to->type && schema->hash != to->type->hash && !to->refusal)
        to->refusal = command_print(
            "%s: CSV holds one message type, and '%s' came after '%s': use --output-format ndjson",
            to->out.name, schema->name, to->type->name);
    if (to->out.error || to->refusal) {
        to->unwritten++;
    } else {
        (to->format == APP_FORMAT_CSV ? write_csv : write_ndjson)(to, schema, message, size);
        to->lines++;
    }
    leave(to);
}

void sink_empty(sink *to)
{
    enter(to);
    writer_empty(&to->out);
    leave(to);
}

void sink_flush(sink *to)
{
    enter(to);
    writer_flush(&to->out);
    leave(to);
}

void sink_sync(sink *to)
{
    enter(to);
    writer_sync(&to->out);
    leave(to);
}

bool sink_cut(sink *to, sink_place *place)
{
    enter(to);
    bool whole = writer_sync(&to->out) && !to->refusal;
    *place = (sink_place){ .bytes = to->out.flushed,
                           .lines = to->lines,
                           .type = to->type ? to->type->type : 0,
                           .format = to->format };
    leave(to);
    return whole;
}

bool sink_failed(sink *to)
{
    enter(to);
    bool failed = to->out.error || to->refusal;
    leave(to);
    return failed;
}

bool sink_close(sink *to)
{
    bool whole = writer_close(&to->out) && !to->refusal;
    settle(to);
    return whole;
}

char *sink_error(const sink *to) { return to->refusal ? command_copy(to->refusal) : writer_error(&to->out); }
