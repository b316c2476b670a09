/* Sleeping and waking: the words `asleep` and `waiting` of a ring. (publish.h, loop.h, wake.h: W1, W2)
 *
 * Shown: no wake-up is lost; a lost one is a process that never ends. A sleeper exchanges 1 into its word,
 * looks once more and only then sleeps; who publishes or gives room back exchanges 0 and wakes whoever it
 * found. A producer says in its shard's phase that it is parked before it exchanges: the waker looks there for
 * whom to wake. Plain accesses in place of the exchanges may overtake one another on their way to memory (store
 * before load), and the mutants do.
 *
 * Among threads of one process wakers are light: they load the word, and what they published or gave back may
 * still be on its way to memory then. Before its last look a sleeper has the stores of all threads arrive (the
 * heavy fence). Both ways are explored. */
#define CAPACITY 1
#define PRODUCERS 2
#define EACH 2
#define TOTAL 4

bool light;
byte tail, published, head;
byte head_seen;               /* what has arrived of `head` */
bool under_way[PRODUCERS];    /* the lap that it stored has not arrived */
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

/* A thread's stores arrive: by themselves, or before it exchanges a word, or since another passes the heavy fence. */
inline arrive_of_producer(who)
{
    published = published + under_way[who];
    under_way[who] = false
}

inline heavy_fence() /* passed by each at its own time */
{
    d_step { arrive_of_producer(0) };
    d_step { arrive_of_producer(1) };
    head_seen = head
}

proctype memory()
{
end:
    do
    :: d_step { under_way[0] -> arrive_of_producer(0) }
    :: d_step { under_way[1] -> arrive_of_producer(1) }
    :: d_step { head_seen != head -> head_seen = head }
    od
}

inline try_to_claim()
{
    atomic {
        claimed = tail - head_seen < CAPACITY;
        tail = tail + claimed
    }
}

/* W1 of a producer. */
inline publish_and_wake()
{
    if
    :: light ->
        under_way[me] = true;
        found = asleep;
        if
        :: found ->
            atomic {
                d_step { arrive_of_producer(me) };
                exchange(asleep, false, found)
            }
        :: else
        fi;
        !under_way[me] /* before it stores the next */
    :: else ->
#ifdef MUTANT_WAKE_BY_A_PLAIN_LOAD
        found = asleep; /* overtakes the store of the lap */
        published++;
        asleep = (found -> false : asleep)
#else
        published++;
        exchange(asleep, false, found)
#endif
    fi;
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
#ifndef MUTANT_WAIT_WITHOUT_THE_HEAVY_FENCE
            heavy_fence();
#endif
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
    if
    :: light ->
        head++;
        found = waiting;
        if
        :: found ->
            atomic {
                head_seen = head;
                exchange(waiting, false, found)
            }
        :: else
        fi;
        head_seen == head /* before it stores the next */
    :: else ->
#ifdef MUTANT_ROOM_BY_A_PLAIN_LOAD
        found = waiting;
        d_step { head++; head_seen = head };
        waiting = (found -> false : waiting)
#else
        d_step { head++; head_seen = head };
        exchange(waiting, false, found)
#endif
    fi;
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
#ifndef MUTANT_SLEEP_WITHOUT_THE_HEAVY_FENCE
        heavy_fence();
#endif
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
        if
        :: light = true
        :: light = false
        fi;
        run memory();
        run producer(0);
        run producer(1);
        run consumer()
    }
}
