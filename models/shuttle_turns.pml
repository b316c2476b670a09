/* A run of the shuttle: warps take the slots of one lane in ranges, each for itself, and three turnstiles keep the order.
 * (shuttle_run.h, shuttle_turnstile.h, shuttle_send.h: room and rk_shuttle_press)
 *
 * Each message sends one. Shown: each is handled once, what they send arrives once and in their order, a slot is given back
 * once all before it are, room is neither lost nor made, and a run ends: when nothing more comes, when a handler fails, when
 * there is no room, and when the kernel is to leave while the consumer never comes again. What a run could not finish
 * is noted, and the general visit publishes it. */
#define WARPS 2
#define RANGE 2
#define TOTAL 4
#define CAPACITY 2
#define TRIES 2 /* until the general visit has to wait for it */
#define FAILS 0 /* the handler of this message does */

byte sent;                          /* messages in the lane; */
byte head;                          /* those before are handled and published */
byte found, passed, written, out;   /* counted from head on */
bit ends, halted, pressed;
bit leave; /* the host's order */
bit handled[TOTAL], noted[TOTAL];

short room = CAPACITY;              /* of the target; */
byte tail;                          /* its slots that are claimed, */
byte slot[TOTAL];                   /* and what is in them: a message's number + 1 */
byte received;
byte given;                         /* slots of the lane that its producer has back */
byte running;

inline ask(want)
{
    atomic {
        seen_room = room;
        room = room - (want)
    };
    granted = (seen_room <= 0 -> 0 : (seen_room < (want) -> seen_room : (want)));
    if
    :: granted < (want) -> room = room + ((want) - granted)
    :: else
    fi
}

/* A slot is a message when it is written. */
inline write()
{
    do
    :: granted > 0 ->
        atomic {
            assert(slot[index] == 0);
            slot[index] = head + at + gone + 1;
            index++;
            gone++;
            granted--
        }
    :: else -> break
    od
}

inline claim_and_write()
{
    d_step {
        index = tail;
        tail = tail + granted
    };
    write()
}

inline note()
{
    d_step {
        i = 0;
        do
        :: i < n -> noted[head + at + i] = 1; i++
        :: else -> break
        od;
        i = 0
    }
}

inline halt()
{
    ends = 1;
    out = gone;
    halted = 1;
#ifdef MUTANT_PASS_BEHIND_A_HALT
    passed = at + n
#endif
}

/* This one's turn is kept until all that it sends has slots. */
inline press()
{
    tries = 0;
    do
    :: claim_and_write();
        if
        :: gone == n -> break
        :: else
        fi;
        if
        :: tries >= TRIES -> break
        :: tries < TRIES && leave -> ends = 1; break
        :: else
        fi;
        tries++;
        ask(n - gone)
    od
}

proctype warp(byte me)
{
    byte range, done, at, n, i, gone, index, granted, tries;
    short seen_room;
    bit near, strange, turn;
    range = me * RANGE;
    do
    :: /* look: ahead, or where the next message is to come */
        at = range + done;
        if
        :: ends -> break
        :: else
        fi;
        near = (found == at);
        n = (sent - head > at -> (sent - head < range + RANGE -> sent - head - at : range + RANGE - at) : 0);
#ifndef MUTANT_TAKE_OUT_OF_TURN
        (found == at || ends);
        if
        :: found != at -> break
        :: else
        fi;
#endif
        if
        :: n == 0 ->
            if
            :: near -> /* a miss: it may be the last of a few, or there are orders */
                ends = 1
            :: !near -> skip
            :: near && !leave && sent < TOTAL -> (sent - head > at || leave || ends)
            fi
        :: else ->
            found = at + n;
            done = done + n;
            strange = 0;
            d_step {
                i = 0;
                do
                :: i < n ->
                    assert(!handled[head + at + i]);
                    handled[head + at + i] = 1;
                    strange = strange || head + at + i == FAILS;
                    i++
                :: else -> break
                od;
                i = 0
            };
            granted = 0;
            gone = 0;
            if
            :: !strange -> ask(n)
            :: else
            fi;
#ifdef MUTANT_CLAIM_BEFORE_THE_TURN
            if
            :: !strange && granted == n -> claim_and_write()
            :: else
            fi;
#endif
            (passed == at || pressed);
            turn = (passed == at);
            if
            :: !turn ->
                room = room + granted;
#ifndef MUTANT_ROOM_GIVEN_TWICE
                granted = 0;
#endif
                (passed == at || halted);
                turn = (passed == at)
            :: else
            fi;
            if
            :: !turn ->
                note();
                room = room + granted;
                break
            :: else
            fi;
            if
            :: !strange && granted == n && gone == 0 ->
#ifdef MUTANT_PASS_BEFORE_THE_CLAIM
                passed = at + n;
#endif
                d_step {
                    index = tail;
                    tail = tail + granted
                };
                passed = at + n;
                write()
            :: else ->
#ifndef MUTANT_HALT_WITHOUT_PRESSED
                pressed = 1;
#endif
                if
                :: !strange -> press()
                :: else
                fi;
                if
                :: strange || gone < n ->
                    note();
                    halt();
                    break
                :: else
                fi;
                pressed = 0;
                passed = at + n
            fi;
#ifndef MUTANT_GIVE_OUT_OF_TURN
            (written == at);
#endif
            atomic {
                assert(given == head + at);
                given = head + at + n
            };
            written = at + n;
            if
            :: leave -> ends = 1
            :: else
            fi;
            if
            :: done == RANGE -> range = range + RANGE * WARPS; done = 0
            :: else
            fi
        fi
    od;
    running--
}

/* The block: runs, and between them the general visit. */
proctype block()
{
    byte rest;
    do
    :: head == TOTAL || leave -> break
    :: else ->
        atomic {
            found = 0; passed = 0; written = 0; out = 0;
            ends = 0; halted = 0; pressed = 0;
            running = WARPS;
            run warp(0);
            run warp(1)
        };
        (running == 0);
        d_step {
            assert(written == passed && passed <= found && found - passed <= WARPS * RANGE);
            assert(room + tail - received == CAPACITY)
        };
        head = head + passed;
        rest = found - passed;
        assert(rest == 0 || halted);
        do
        :: rest == 0 -> break
        :: else ->
            assert(noted[head]);
            if
            :: out > 0 -> out--
            :: out == 0 ->
                (room > 0 || leave); /* parked: it may have to wait for long */
                if
                :: room > 0 ->
                    atomic {
                        room--;
                        assert(slot[tail] == 0);
                        slot[tail] = head + 1;
                        tail++
                    }
                :: room <= 0 -> break
                fi
            fi;
            atomic {
                assert(given == head);
                given++;
                head++;
                rest--
            }
        od
    od;
    (received == TOTAL || leave)
}

proctype producer()
{
    do
    :: sent < TOTAL -> sent++
    :: sent == TOTAL -> break
    od
}

/* It may stop for ever, and then the kernel is to leave. */
proctype consumer()
{
    do
    :: received == TOTAL -> break
    :: leave = 1; break
    :: received < TOTAL && slot[received] != 0 ->
        d_step {
            assert(slot[received] == received + 1);
            received++;
            room++;
            assert(room <= CAPACITY)
        }
    od
}

init
{
    atomic {
        run producer();
        run consumer();
        run block()
    }
}
