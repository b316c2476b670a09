/* Dead letters that a kernel keeps itself, on the device: the newest messages that it could do nothing with, whole, until it
 * sends them on again. Those that should leave it at once go to the host's dead letters instead, by rk_fail.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/resilience/letter_box.h>
 *
 *     RK_REASON(unknown_account)
 *     RK_ROUTE(again)
 *     RK_LETTERS(misfits, payment, 128)                      // the newest 128
 *     typedef struct office { misfits dead; … } office;
 *
 *     RK_HANDLER(clerk, payment, msg, office, self, .state = RK_PER_SHARD, .max_sends = 8)
 *     {
 *         if (book(self, msg)) return;
 *         rk_letter_keep(RK_ARG, &self->dead, msg, unknown_account);
 *         if (rk_letters_alert(&self->dead, 100)) rk_log(RK_ARG, RK_WARNING, "100 dead letters");
 *     }
 *
 *     RK_HANDLER(clerk, recall, msg, office, self, .state = RK_PER_SHARD, .max_sends = 8)
 *     {
 *         rk_u32 place;                                      // the oldest first
 *         for (rk_u32 i = 0; i < 8 && (place = rk_letter_take(&self->dead)) != RK_NO_LETTER; i++)
 *             rk_letter_replay(RK_ARG, &self->dead, place, again);
 *     }
 *
 * Without room the oldest is let go, and counted. A message that is kept counts as delivered in the account. Messages of one
 * type, up to 1 KiB; by one thread of the group. Zeros are an empty table. */
#ifndef RINGKERNEL_RESILIENCE_LETTER_BOX_H
#define RINGKERNEL_RESILIENCE_LETTER_BOX_H

#include "../device/handler.h"

#define RK_NO_LETTER 0xffffffffu
#define RK_LETTER_REASONS 16u /* that are counted by themselves */

/* Counts are of this state, and are for reading. */
typedef struct rk_letters {
    rk_u64 kept; /* so far */
    rk_u64 lost; /* let go for want of room */
    rk_u64 taken;
    rk_u32 first, waiting; /* the oldest one's place, and how many there are */
    rk_u32 told;           /* the alert was given for those that wait */
    rk_u32 reasons;        /* used below */
    rk_u32 reason[RK_LETTER_REASONS];
    rk_u64 count[RK_LETTER_REASONS]; /* of each */
    rk_u64 others;                   /* of further reasons */
} rk_letters;

/* A kept message; its payload follows. */
typedef struct rk_kept_letter {
    rk_u64 when_ns;
    rk_u32 reason;
    rk_u32 letter_;
    rk_header_long header; /* a short one is completed */
} rk_kept_letter;

RK_STATIC_ASSERT(sizeof(rk_letters) == 240, "letters");
RK_STATIC_ASSERT(sizeof(rk_kept_letter) == 64, "kept letter");

/* Declare type `name`: the newest `count` messages of that type. 240 bytes and, for each, its size and 64 bytes. */
#define RK_LETTERS(name, message_, count)                                                             \
    RK_STATIC_ASSERT(sizeof(message_) <= RK_INLINE_MAX, #name ": messages over 1 KiB can't be kept"); \
    RK_STATIC_ASSERT((count) > 0 && (count) < RK_NO_LETTER, #name ": how many messages?");            \
    typedef struct name##_letter {                                                                    \
        rk_kept_letter head;                                                                          \
        message_ message;                                                                             \
    } name##_letter;                                                                                  \
    typedef struct name {                                                                             \
        rk_letters book;                                                                              \
        name##_letter kept[count];                                                                    \
    } name;

#define RK_LETTERS_COUNT(letters) ((rk_u32)(sizeof((letters)->kept) / sizeof((letters)->kept[0])))

RK_FN void rk_letters_count_reason(RK_GLOBAL rk_letters *book, rk_u32 reason)
{
    rk_u32 i = 0;
    while (i < book->reasons && book->reason[i] != reason) i++;
    if (i == RK_LETTER_REASONS) {
        book->others++;
        return;
    }
    if (i == book->reasons) {
        book->reason[i] = reason;
        book->reasons++;
    }
    book->count[i]++;
}

/* Keep a message that a handler was given, with an RK_REASON. RK_UNKNOWN_TYPE: it isn't of the table's type. */
#define rk_letter_keep(arg, letters, msg, why)                                                               \
    rk_letter_keep_in(arg, &(letters)->book, (RK_GLOBAL rk_u8 *)(letters)->kept, sizeof((letters)->kept[0]), \
                      RK_LETTERS_COUNT(letters), RK_TYPE_ID_OF(&(letters)->kept[0].message), msg,            \
                      (rk_u32)rk_reason_##why)
RK_FN rk_status rk_letter_keep_in(RK_CTX, RK_GLOBAL rk_letters *book, RK_GLOBAL rk_u8 *all, rk_u64 stride,
                                  rk_u32 count, rk_u32 type, RK_MSG const void *msg, rk_u32 reason)
{
    RK_GLOBAL const rk_header *header = rk_header_of(rk_ctx, msg);
    if (header->type != type) return RK_UNKNOWN_TYPE;
    if (book->waiting == count) {
        book->first = book->first + 1u == count ? 0 : book->first + 1u;
        book->waiting--;
        book->lost++;
    }
    RK_GLOBAL rk_kept_letter *kept =
        (RK_GLOBAL rk_kept_letter *)(all + stride * (((rk_u64)book->first + book->waiting) % count));
    rk_u32 size = rk_ctx->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT;
    rk_header_further(&kept->header, 0, 0);
    rk_copy_global(&kept->header, header, size);
    rk_copy_global(kept + 1, (RK_GLOBAL const rk_u8 *)header + size, header->length);
    kept->when_ns = rk_ctx->now_ns;
    kept->reason = reason;
    book->waiting++;
    book->kept++;
    rk_letters_count_reason(book, reason);
    return RK_OK;
}

/* 1: `many` or more wait, and this wasn't said of them yet; again once all were taken. */
#define rk_letters_alert(letters, many) rk_letters_alert_of(&(letters)->book, many)
RK_FN rk_u32 rk_letters_alert_of(RK_GLOBAL rk_letters *book, rk_u32 many)
{
    if (book->told || book->waiting < many) return 0;
    book->told = 1;
    return 1;
}

/* The place of the oldest, which is taken: it may be used until the next is kept. RK_NO_LETTER: none waits. */
#define rk_letter_take(letters) rk_letter_take_of(&(letters)->book, RK_LETTERS_COUNT(letters))
RK_FN rk_u32 rk_letter_take_of(RK_GLOBAL rk_letters *book, rk_u32 count)
{
    rk_u32 place = book->first;
    if (book->waiting == 0) return RK_NO_LETTER;
    book->first = place + 1u == count ? 0 : place + 1u;
    book->taken++;
    if (--book->waiting == 0) book->told = 0;
    return place;
}

#define rk_letter_message(letters, place) (&(letters)->kept[place].message)
#define rk_letter_reason(letters, place) ((letters)->kept[place].head.reason)

/* Send it again on an RK_ROUTE, with its target, priority, id and attempts. RK_LIMIT: more than .max_sends, and
 * the call fails. */
#define rk_letter_replay(arg, letters, place, route) \
    rk_letter_replay_on(arg, &(letters)->kept[place].head, (rk_u32)rk_route_##route)
RK_FN rk_status rk_letter_replay_on(RK_CTX, RK_GLOBAL const rk_kept_letter *kept, rk_u32 route)
{
    RK_GLOBAL const rk_header_long *header = &kept->header;
    if (rk_stage_is_full(rk_ctx)) return rk_stage_refused(rk_ctx);
    RK_GLOBAL rk_staged *entry = rk_stage_open(rk_ctx, route, header->base.type, header->base.length);
    rk_header_address(&entry->header.base, header->base.target, entry->header.base.source,
                      header->base.priority, 0);
    entry->header.id = header->id;
    entry->header.attempts = header->attempts;
    rk_copy_global((rk_byte *)(entry + 1), (RK_GLOBAL const rk_u8 *)(kept + 1), header->base.length);
    return RK_OK;
}

#endif
