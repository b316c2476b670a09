/* The open ring: several producers claim, fill and publish; one consumer reads and commits. (ring.h)
 *
 * Shown: at most CAPACITY slots are in use, no message is lost, doubled or seen half filled, each
 * producer's messages arrive in its order, and nobody waits for ever. A message is two words that must
 * agree. */
#define CAPACITY 2
#define PRODUCERS 2
#define EACH 3
#define TOTAL 6

#define SLOT(index) ((index) % CAPACITY)
#define LAP(index) ((index) / CAPACITY + 1) /* 0: never written */

byte tail, head, cached_head;
byte lap[CAPACITY];
byte first_word[CAPACITY], second_word[CAPACITY];
byte expected[PRODUCERS]; /* the number that is to arrive next */

inline fill()
{
    first_word[SLOT(ticket)] = me * 16 + number;
    second_word[SLOT(ticket)] = me * 16 + number
}

inline publish() { lap[SLOT(ticket)] = LAP(ticket) /* P2 */ }

proctype producer(byte me)
{
    byte number, ticket, seen_head;
    do
    :: number == EACH -> break
    :: else ->
again:
        ticket = tail;
        seen_head = cached_head;
        if
        :: ticket - seen_head >= CAPACITY ->
            seen_head = head; /* P1 */
            cached_head = seen_head
        :: else
        fi;
#ifndef MUTANT_CLAIM_WITHOUT_A_LOOK_AT_HEAD
        if
        :: ticket - seen_head >= CAPACITY ->
            (tail != ticket || head != seen_head); /* full: the caller comes again */
            goto again
        :: else
        fi;
#endif
#ifdef MUTANT_CLAIM_WITHOUT_COMPARE_AND_SWAP
        tail = ticket + 1;
#else
        atomic {
            if
            :: tail == ticket -> tail = ticket + 1
            :: else -> goto again
            fi
        };
#endif
        assert(tail - head <= CAPACITY);
#ifdef MUTANT_PUBLISH_BEFORE_FILL
        publish();
        fill();
#else
        fill();
        publish();
#endif
        number++
    od
}

proctype consumer()
{
    byte first, second, from;
    do
    :: head == TOTAL -> break
    :: else ->
#ifdef MUTANT_TAKE_BY_TAIL
        (tail > head);
#else
        (lap[SLOT(head)] == LAP(head)); /* C1 */
#endif
#ifdef MUTANT_COMMIT_BEFORE_READ
        head++;
        first = first_word[SLOT(head - 1)];
        second = second_word[SLOT(head - 1)];
#else
        first = first_word[SLOT(head)];
        second = second_word[SLOT(head)];
#endif
        d_step {
            assert(first == second);
            from = first / 16;
            assert(first % 16 == expected[from]);
            expected[from]++
        };
#ifndef MUTANT_COMMIT_BEFORE_READ
        head++ /* C2 */
#endif
    od
}

init
{
    atomic {
        run producer(0);
        run producer(1);
        run consumer()
    }
}
