#include "dead_letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lane/waiting.h"
#include "futex.h"
#include "wiring.h"

/* ------------------------------------------------------------------ keeping */

rk_u32 rk_letters_capacity(const rk_launch_options *options)
{
    return options->dead_letter_capacity ? options->dead_letter_capacity : RK_DEAD_LETTERS_DEFAULT;
}

/* The oldest one, off the list; the kernel's letters lock held. 0: there is none. */
static rk_letter *take_oldest(rk_host_kernel *kernel)
{
    rk_letter *oldest = kernel->letter_first;
    if (!oldest) return 0;
    kernel->letter_first = oldest->next;
    if (!kernel->letter_first) kernel->letter_last = 0;
    kernel->letter_count--;
    return oldest;
}

void rk_letters_clear(rk_host_kernel *kernel)
{
    pthread_mutex_lock(&kernel->letters);
    for (rk_letter *oldest; (oldest = take_oldest(kernel));) free(oldest);
    kernel->letter_total = kernel->letters_lost = 0;
    kernel->letters_told = 0;
    kernel->reason_count = 0;
    pthread_mutex_unlock(&kernel->letters);
}

static void count_reason(rk_host_kernel *kernel, const char *reason)
{
    for (rk_u32 i = 0; i < kernel->reason_count; i++)
        if (strcmp(kernel->reasons[i].reason, reason) == 0) {
            kernel->reasons[i].count++;
            return;
        }
    if (kernel->reason_count < RK_REASONS_MAX)
        kernel->reasons[kernel->reason_count++] = (rk_reason_count){ reason, 1 };
}

/* Is it time to say something? Once for the letters that are kept; letters lock held. */
static int must_tell(rk_host_kernel *kernel, int let_go)
{
    rk_u32 alert = kernel->options.dead_letter_alert;
    int due = alert ? kernel->letter_count >= alert : let_go && !kernel->options.on_dead_letter;
    if (!due || kernel->letters_told) return 0;
    kernel->letters_told = 1;
    return 1;
}

void rk_letters_keep(rk_host_kernel *kernel, const rk_dead_letter *letter)
{
    rk_letter *kept = malloc(sizeof *kept + letter->length);
    char text[200];
    pthread_mutex_lock(&kernel->letters);
    kernel->letter_total++;
    count_reason(kernel, letter->reason);
    if (kept) {
        kept->letter = *letter;
        kept->next = 0;
        if (letter->length) memcpy(kept->payload, letter->payload, letter->length);
        *(kernel->letter_last ? &kernel->letter_last->next : &kernel->letter_first) = kept;
        kernel->letter_last = kept;
        kernel->letter_count++;
    }
    rk_u64 lost = !kept;
    for (; kernel->letter_count > rk_letters_capacity(&kernel->options); lost++) free(take_oldest(kernel));
    int let_go = lost != 0;
    if (!kernel->options.on_dead_letter) kernel->letters_lost += lost;
    int tell = must_tell(kernel, let_go);
    snprintf(text, sizeof text,
             "%u dead letters are kept of %llu, the newest '%s': take them with rk_receive_dead%s",
             kernel->letter_count, (unsigned long long)kernel->letter_total, letter->reason,
             let_go ? "; older ones are being let go" : "");
    pthread_mutex_unlock(&kernel->letters);
    if (tell) rk_runtime_log(kernel->runtime, RK_WARNING, kernel->id, letter->shard, text);
    rk_event_raise(&kernel->letter_event);
}

/* ------------------------------------------------------------------ reading */

/* 1: the letters of the entry, whose lock is held, are still this kernel's. Another's come after its end. */
static int are_letters_of(const rk_host_kernel *k, rk_kernel handle)
{
    return rk_atomic_u32(&k->generation) == handle.generation;
}

/* Up to `count` letters that fit. RK_TOO_SMALL: the first doesn't. RK_EMPTY: there are none, or they are another's. */
static rk_status take_letters(rk_host_kernel *k, rk_kernel handle, unsigned char *bodies, size_t stride,
                              size_t count, rk_dead_letter *letters, size_t *received)
{
    rk_status status = RK_EMPTY;
    pthread_mutex_lock(&k->letters);
    if (!are_letters_of(k, handle)) {
        pthread_mutex_unlock(&k->letters);
        return RK_EMPTY;
    }
    while (*received < count && k->letter_first && k->letter_first->letter.length <= stride) {
        rk_letter *oldest = take_oldest(k);
        unsigned char *body = bodies + *received * stride;
        letters[*received] = oldest->letter;
        if (oldest->letter.length) memcpy(body, oldest->payload, oldest->letter.length);
        letters[(*received)++].payload = body;
        free(oldest);
        status = RK_OK;
    }
    if (status == RK_EMPTY && k->letter_first) {
        letters->length = k->letter_first->letter.length;
        status = RK_TOO_SMALL;
    }
    if (!k->letter_first) k->letters_told = 0;
    pthread_mutex_unlock(&k->letters);
    return status;
}

static rk_status receive_dead(rk_runtime *runtime, rk_kernel handle, void *bodies, size_t stride,
                              size_t count, rk_dead_letter *letters, rk_u64 timeout_ns, size_t *received)
{
    rk_host_kernel *k;
    rk_wait wait = rk_wait_begin(runtime, timeout_ns);
    for (;;) {
        rk_status status = rk_kernel_check(runtime, handle, &k);
        if (status != RK_OK) return status;
        rk_u32 seen = __atomic_load_n(&k->letter_event, __ATOMIC_SEQ_CST);
        const rk_u32 life = rk_atomic_u32(&k->life); /* before the look: what is there then is all */
        status = take_letters(k, handle, bodies, stride, count, letters, received);
        if (status == RK_TOO_SMALL)
            return rk_error(RK_TOO_SMALL, "the dead letter has %u bytes, the room is %zu: it stays",
                            letters->length, stride);
        if (status != RK_EMPTY) return status;
        status = rk_kernel_check(runtime, handle, &k); /* or it has ended meanwhile */
        if (status != RK_OK || timeout_ns == 0) return status == RK_OK ? RK_EMPTY : status;
        if (life == RK_LIFE_DRAINED || life == RK_LIFE_QUARANTINED)
            return rk_error(RK_CLOSED, "the kernel is %s, and all its dead letters were taken",
                            rk_life_name(life));
        if (rk_wait_left(&wait) == 0) return RK_TIMED_OUT;
        rk_futex_wait(&k->letter_event, seen, rk_wait_left(&wait));
    }
}

rk_status rk_receive_dead(rk_runtime *runtime, rk_kernel kernel, void *body, size_t size,
                          rk_dead_letter *letter, rk_u64 timeout_ns)
{
    size_t received = 0;
    rk_status status = rk_runtime_check(runtime, "rk_receive_dead");
    if (status != RK_OK) return status;
    if (!letter || (!body && size))
        return rk_error(RK_INVALID_ARGUMENT, "rk_receive_dead: letter or body is null");
    return receive_dead(runtime, kernel, body, size, 1, letter, timeout_ns, &received);
}

rk_status rk_receive_dead_many(rk_runtime *runtime, rk_kernel kernel, void *bodies, size_t stride,
                               size_t count, rk_dead_letter *letters, rk_u64 timeout_ns, size_t *received)
{
    rk_status status = rk_runtime_check(runtime, "rk_receive_dead_many");
    if (received) *received = 0;
    if (status != RK_OK) return status;
    if (!letters || !received || !count || (!bodies && stride))
        return rk_error(RK_INVALID_ARGUMENT,
                        "rk_receive_dead_many: bodies, letters or received is null, or count 0");
    return receive_dead(runtime, kernel, bodies, stride, count, letters, timeout_ns, received);
}

rk_status rk_dead_reason(rk_runtime *runtime, rk_kernel handle, rk_u32 index, const char **reason,
                         rk_u64 *count)
{
    rk_host_kernel *k = 0;
    rk_status status = rk_runtime_check(runtime, "rk_dead_reason");
    if (status != RK_OK) return status;
    if (!reason || !count) return rk_error(RK_INVALID_ARGUMENT, "rk_dead_reason: a pointer is null");
    status = rk_kernel_check(runtime, handle, &k);
    if (status != RK_OK) return status;
    pthread_mutex_lock(&k->letters);
    if (are_letters_of(k, handle) && index < k->reason_count) {
        *reason = k->reasons[index].reason;
        *count = k->reasons[index].count;
    } else {
        status = RK_EMPTY;
    }
    pthread_mutex_unlock(&k->letters);
    const rk_status check = rk_kernel_check(runtime, handle, &k);
    return status == RK_EMPTY && check != RK_OK ? check : status;
}

/* ------------------------------------------------------------------ replay */

static int handles(const rk_host_kernel *k, rk_u32 type)
{
    for (rk_u32 i = 0; i < k->class->handler_count; i++)
        if (k->class->handlers[i]->message->type == type) return 1;
    return 0;
}

/* The one kernel that a kernel's routes bring messages of a type to. */
static rk_status find_target(rk_runtime *runtime, const rk_host_kernel *from, rk_u32 type, rk_kernel *to)
{
    rk_kernel found = { 0, 0 };
    for (rk_u32 i = 0; i < from->connection_count; i++) {
        const rk_connection *connection = &from->connections[i];
        if (!rk_connection_is_live(runtime, connection) || (connection->type && connection->type != type) ||
            !handles(runtime->kernels[connection->to], type))
            continue;
        if (found.number && found.number != connection->to)
            return rk_error(
                RK_INVALID_ARGUMENT,
                "rk_replay_dead: '%s' sends messages of that type to '%s' and '%s': say which by `to`",
                from->id, runtime->kernels[found.number]->id, runtime->kernels[connection->to]->id);
        found = (rk_kernel){ connection->to, connection->to_generation };
    }
    if (!found.number)
        return rk_error(RK_INVALID_ARGUMENT,
                        "rk_replay_dead: '%s' has no route to a kernel for messages of type %u: give `to`",
                        from->id, type);
    *to = found;
    return RK_OK;
}

rk_status rk_replay_dead(rk_runtime *runtime, const rk_dead_letter *letter, rk_kernel to)
{
    rk_host_kernel *k = 0;
    rk_send_options options = RK_SEND_DEFAULTS;
    rk_status status = rk_runtime_check(runtime, "rk_replay_dead");
    if (status != RK_OK) return status;
    if (!letter || (!letter->payload && letter->length))
        return rk_error(RK_INVALID_ARGUMENT, "rk_replay_dead: the letter or its payload is null");
    if (to.number == 0 && letter->was_sent) {
        pthread_mutex_lock(&runtime->control);
        status = rk_kernel_check(runtime, letter->kernel, &k);
        if (status == RK_OK) status = find_target(runtime, k, letter->type, &to);
        pthread_mutex_unlock(&runtime->control);
        if (status != RK_OK) return status;
    } else if (to.number == 0) {
        to = letter->kernel;
    }
    options.target = letter->target;
    options.priority = (rk_u8)letter->priority;
    return rk_send(runtime, to, (rk_u16)letter->type, letter->payload, letter->length, &options);
}
