/* Sleeping and waking: the words `asleep` and `waiting` of a ring. (publish.h, loop.h: W1, W2)
 *
 * Shown: no wake-up is lost; a lost one is a process that never ends. A sleeper exchanges 1 into its word,
 * looks once more and only then sleeps; who publishes or gives room back exchanges 0 and wakes whoever it
 * found. A producer says in its shard's phase that it is parked before it exchanges: the waker looks there for
 * whom to wake. Plain accesses in place of the exchanges may overtake one another on their way to memory (store
 * before load), and the mutants do. */
#define CAPACITY 1
#define PRODUCERS 2
#define EACH 2
#define TOTAL 4

byte tail, published, head;
bool asleep, waiting;
bool wake_consumer;            /* permits: a wake-up that comes first is kept */
bool wake_producer[PRODUCERS];
bool parked[PRODUCERS]; /* the phase of its shard: who gives room back wakes only those that say so */

inline sleep_on(permit)
{
    atomic {
        permit;
        permit = false
    }
}

inline exchange(word, value, old)
{
    atomic {
        old = word;
        word = value
    }
}

inline try_to_claim()
{
    atomic {
        claimed = tail - head < CAPACITY;
        tail = tail + claimed
    }
}

/* W1 of a producer. */
inline publish_and_wake()
{
#ifdef MUTANT_WAKE_BY_A_PLAIN_LOAD
    found = asleep; /* overtakes the store of the lap */
    published++;
    asleep = (found -> false : asleep);
#else
    published++;
    exchange(asleep, false, found);
#endif
    if
    :: found -> wake_consumer = true
    :: else
    fi
}

proctype producer(byte me)
{
    byte number;
    bool claimed, found;
    do
    :: number == EACH -> break
    :: else ->
again:
        try_to_claim();
        if
        :: claimed
        :: else ->
#ifndef MUTANT_PARKED_AFTER_THE_SECOND_LOOK
            parked[me] = true;
#endif
            exchange(waiting, true, found); /* W2 */
#ifndef MUTANT_WAIT_WITHOUT_A_SECOND_LOOK
            try_to_claim();
#endif
            parked[me] = !claimed;
            if
            :: claimed
            :: else ->
                sleep_on(wake_producer[me]);
                goto again
            fi
        fi;
        publish_and_wake();
        number++
    od
}

/* W1 of the consumer: all producers that may wait are woken. */
inline give_room_and_wake()
{
#ifdef MUTANT_ROOM_BY_A_PLAIN_LOAD
    found = waiting;
    head++;
    waiting = (found -> false : waiting);
#else
    head++;
    exchange(waiting, false, found);
#endif
    if
    :: found ->
#ifdef MUTANT_WAKE_ONE_OF_THOSE_WHO_WAIT
        if
        :: wake_producer[0] = parked[0]
        :: wake_producer[1] = parked[1]
        fi
#else
        wake_producer[0] = wake_producer[0] || parked[0];
        wake_producer[1] = wake_producer[1] || parked[1]
#endif
    :: else
    fi
}

proctype consumer()
{
    bool found, something;
    do
    :: head == TOTAL -> break
    :: head != TOTAL && published > head -> give_room_and_wake()
    :: head != TOTAL && published == head ->
#ifdef MUTANT_SLEEP_BY_A_PLAIN_STORE
        something = published > head; /* overtakes the store of the word */
        asleep = true;
#else
        exchange(asleep, true, found); /* W2 */
#ifdef MUTANT_SLEEP_WITHOUT_A_SECOND_LOOK
        something = false;
#else
        something = published > head;
#endif
#endif
        if
        :: something ->
            exchange(asleep, false, found);
            if
            :: found
            :: else -> sleep_on(wake_consumer) /* somebody has taken the word: the wake-up is on its way */
            fi
        :: else -> sleep_on(wake_consumer)
        fi
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
