/* Blocks that leave one by one, and come back together. (backend/resident.c; entry.h: rk_entry_serve; cuda/residence.c:
 * rk_cuda_leave; cuda/keeper.c: keep_resident)
 *
 * A launch has two blocks. Each leaves for itself when it finds an order, and says that it is gone. Somebody orders a stop
 * and gives up waiting at any time; the keeper has the others follow one that is gone, and launches again what has left
 * unasked.
 *
 * Shown: launches end, and at rest both blocks are of one, unless somebody's stop has come to its end. */
#define BLOCKS 2
#define STOPS 2

#define NONE 0
#define NOW 1
#define AND_RETURN 2

byte leave;            /* one word here; each block reads it at a time of its own */
bool gone[BLOCKS];
byte running = BLOCKS; /* of the launch */
bool served = true;    /* nobody's stop has come to its end */
byte launches;         /* but for the first */
bool locked;           /* the copying lock */

#define LOCK atomic { !locked -> locked = true }
#define UNLOCK locked = false

proctype block(byte me)
{
    end: leave != NONE;
#ifndef MUTANT_NOBODY_SAYS_THAT_IT_GOES
    gone[me] = true;
#endif
    running--
}

inline launch()
{
#ifndef MUTANT_GONE_IS_NOT_FORGOTTEN
    gone[0] = false;
    gone[1] = false;
#endif
    launches++;
    assert(launches <= 2 * STOPS);
    running = BLOCKS;
    run block(0);
    run block(1)
}

active proctype keeper()
{
    end: do
    :: served && (running == 0 || gone[0] || gone[1]) ->
        LOCK;
        if
        :: !served -> skip
        :: served && running > 0 ->
#ifdef MUTANT_FOLLOWS_WITHOUT_LOOKING_AT_THE_ORDER
            if
            :: gone[0] || gone[1] -> leave = AND_RETURN
            :: else
            fi
#else
            atomic {
                if
                :: (gone[0] || gone[1]) && leave == NONE -> leave = AND_RETURN
                :: else
                fi
            }
#endif
        :: served && running == 0 ->
#ifndef MUTANT_THE_ORDER_TO_RETURN_STANDS
            atomic {
                if
                :: leave == AND_RETURN -> leave = NONE
                :: else
                fi
            };
#endif
            if
            :: leave == NONE -> launch()
            :: else -> assert(leave == NOW) /* or nobody would ever launch it */
            fi
        fi;
        UNLOCK
    od
}

active proctype somebody()
{
    byte stops;
    do
    :: stops == STOPS -> break
    :: stops < STOPS ->
        stops++;
        leave = NOW;
        if
        :: running == 0 -> /* in time */
            LOCK;
#ifndef MUTANT_NOT_LOOKED_AT_AGAIN_UNDER_THE_LOCK
            if
            :: running == 0
            :: else -> UNLOCK; running == 0; LOCK /* the keeper was about to launch it */
            fi;
#endif
            assert(running == 0);
            served = false;
            UNLOCK;
            break
        :: true -> /* not in time */
            LOCK;
            leave = NONE;
            UNLOCK
        fi
    od
}

init
{
    atomic { run block(0); run block(1) };
    timeout ->
        assert(!served || (running == BLOCKS && leave == NONE && !gone[0] && !gone[1]));
        assert(served || running == 0)
}
