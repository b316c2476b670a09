/* The locked lane with a window of ids: look the id up, find room, write, remember, all under the
 * producers' lock. (lane.h)
 *
 * Shown: an id is accepted only if it isn't among the last WINDOW accepted ones, called a duplicate only
 * if it is, refused only for want of room, and in the end accepted; never more than CAPACITY are queued.
 * Two producers send the same ids, and come again when there is no room. */
#define CAPACITY 1
#define WINDOW 2
#define IDS 3
#define MOST 6

byte tail, head;
bool locked;
byte window[WINDOW]; /* a circle; 0: nothing */
byte remembered;
byte accepted[MOST]; /* what the window is measured by: every id that was accepted, in order */
byte accepted_count;

#define AMONG_THE_LAST(id)                                                                   \
    ((accepted_count >= 1 && accepted[(accepted_count + MOST - 1) % MOST] == id) ||          \
     (accepted_count >= 2 && accepted[(accepted_count + MOST - 2) % MOST] == id))

inline lock()
{
#ifdef MUTANT_LOCK_WITHOUT_EXCHANGE
    !locked;
    locked = true
#else
    atomic {
        !locked;
        locked = true /* L1 */
    }
#endif
}

inline find() { known = window[0] == id || window[1] == id }

inline remember()
{
#ifdef MUTANT_FORGET_THE_NEWEST
    window[(remembered < WINDOW -> remembered : WINDOW - 1)] = id;
#else
    window[remembered % WINDOW] = id;
#endif
    remembered++
}

proctype producer()
{
    byte id = 1;
    byte index;
    bool known;
    do
    :: id > IDS -> break
    :: else ->
#ifdef MUTANT_FIND_BEFORE_LOCK
        find();
        lock();
#else
        lock();
        find();
#endif
        if
        :: known ->
            assert(AMONG_THE_LAST(id));
            locked = false;
            id++
        :: else ->
#ifdef MUTANT_REMEMBER_BEFORE_ROOM
            remember();
#endif
            if
            :: tail - head >= CAPACITY ->
                locked = false; /* full: nothing is remembered, the caller comes again */
                (tail - head < CAPACITY)
            :: else ->
                index = tail;
                tail = index + 1;
                d_step {
                    assert(tail - head <= CAPACITY);
                    assert(!AMONG_THE_LAST(id));
                    accepted[accepted_count % MOST] = id;
                    accepted_count++
                };
#ifndef MUTANT_REMEMBER_BEFORE_ROOM
                remember();
#endif
                locked = false; /* L2 */
                id++
            fi
        fi
    od
}

proctype consumer()
{
end:
    do
    :: head < tail -> head++
    od
}

init
{
    atomic {
        run producer();
        run producer();
        run consumer()
    }
}
