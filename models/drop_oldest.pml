/* DropOldest: a producer evicts by a mark of its own and overwrites under the consumer's eyes. (ring.h,
 * lane.h, take.h)
 *
 * Shown: no message is mixed from two, what is delivered comes in order, delivered + evicted = accepted,
 * the arrival is never the one that is evicted, and a live message is never overwritten. The producers'
 * lock makes them one. A message is its index, in two words. A lap is even, so its odd neighbour is the
 * mark of a slot that is being written. */
#define CAPACITY 2
#define TOTAL 6

#define SLOT(index) ((index) % CAPACITY)
#define LAP(index) (2 * ((index) / CAPACITY) + 6)
#define NEVER_WRITTEN 4 /* the lap before the first */
#define WRITING(index) (LAP(index) + 1)

byte tail, head, evicted;
byte lap[CAPACITY] = NEVER_WRITTEN;
byte first_word[CAPACITY], second_word[CAPACITY];
bool sent_all;

inline look()
{
    oldest = head; /* P1 */
    if
    :: evicted > oldest -> oldest = evicted
    :: else
    fi
}

inline overwrite()
{
#ifdef MUTANT_MARK_BY_AN_OLDER_LAP
    lap[SLOT(index)] = LAP(index) - 4; /* two laps older: what a reader so far behind looks for */
#endif
#if !defined(MUTANT_NO_MARK) && !defined(MUTANT_MARK_BY_AN_OLDER_LAP)
    lap[SLOT(index)] = WRITING(index);
#endif
    first_word[SLOT(index)] = index; /* P3 */
    second_word[SLOT(index)] = index;
    lap[SLOT(index)] = LAP(index)
}

proctype producer()
{
    byte index, oldest;
    bool no_room;
    do
    :: index == TOTAL -> break
    :: else ->
        look();
        no_room = tail - oldest >= CAPACITY;
        if
        :: no_room ->
#ifdef MUTANT_EVICT_BY_A_SECOND_LOOK
            look();
#endif
#ifndef MUTANT_EVICT_AFTER_OVERWRITE
            evicted = oldest + 1; /* E1 */
#endif
            assert(evicted <= tail)
        :: else
        fi;
        tail++;
        overwrite();
#ifdef MUTANT_EVICT_AFTER_OVERWRITE
        if
        :: no_room -> evicted = oldest + 1
        :: else
        fi;
#endif
        index++
    od;
    sent_all = true
}

proctype consumer()
{
    byte next, seen_evicted, found, first, second, delivered, dropped;
    bool over, newest;
    do
    :: over -> break
    :: else ->
        over = sent_all;
        seen_evicted = evicted; /* E2 */
        if
        :: seen_evicted > next ->
            dropped = dropped + seen_evicted - next;
            next = seen_evicted
        :: else
        fi;
        found = lap[SLOT(next)];
        if
        :: found == LAP(next) ->
            first = first_word[SLOT(next)]; /* C3 */
            second = second_word[SLOT(next)];
#ifndef MUTANT_NO_SECOND_LOOK
            found = lap[SLOT(next)]
#endif
        :: else
        fi;
        if
        :: found == LAP(next) ->
            d_step {
                assert(first == next && second == next);
                newest = next == TOTAL - 1;
                delivered++;
                next++
            };
            over = false
        :: found != LAP(next) && evicted == seen_evicted ->
            assert(found <= WRITING(next)) /* not there yet, rather than overwritten */
        :: found != LAP(next) && evicted != seen_evicted ->
            over = false
        fi;
        if
        :: head = next /* the end of a batch */
        :: skip
        fi
    od;
    assert(newest);
    assert(delivered + dropped == TOTAL)
}

init
{
    atomic {
        run producer();
        run consumer()
    }
}
