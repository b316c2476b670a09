/* Draining a cycle: when the host may say that it is at rest. (drain.c: look_at_cycles; loop.h: rk_turn_tell_wake)
 *
 * Two kernels send to each other, and one of them also asks for its timer hook. A shard publishes, counts what it sent,
 * tells the host for which time it asked, and gives the slots of its batch back, in this order; it counts its progress
 * last. The host reads what all have counted, then looks whether each is idle, and reads the counts again.
 *
 * Shown: when the host says that the cycle is at rest, no message lies in a lane, and no hook is to come. */
#define KERNELS 2
#define HOPS 4 /* of the message that goes round */

byte queued[KERNELS];   /* messages in its lane, until commit */
byte counted[KERNELS];  /* sent and progress */
bool wake[KERNELS];     /* its own word */
bool told[KERNELS];     /* what the host sees of it */
byte hops;
bool at_rest;

/* What one batch, or the hook, sends: the message's next hop. */
inline send_on()
{
    if
    :: hops < HOPS -> atomic { hops++; queued[1 - me]++ }; counted[me]++
    :: else
    fi
}

proctype shard(byte me)
{
    end: do
    :: queued[me] > 0 ->
        if
        :: send_on()
        :: wake[me] = true /* it asks for the hook instead */
        fi;
#ifndef MUTANT_WAKE_TOLD_AT_REST
        told[me] = wake[me];
#endif
        queued[me]--;
        counted[me]++
    :: wake[me] ->
        wake[me] = false;
#ifdef MUTANT_WAKE_TAKEN_BACK_BEFORE_THE_HOOK
        told[me] = false;
#endif
        send_on();
        counted[me]++
    :: queued[me] == 0 && told[me] != wake[me] -> told[me] = wake[me]
    od
}

byte before, after, i;
bool idle;

inline count_all(sum)
{
    sum = 0;
    i = 0;
    do
    :: i < KERNELS -> sum = sum + counted[i]; i++
    :: else -> break
    od
}

/* Idle, with an empty lane. The counts of one kernel beside its lane's depth, as one look, are the mistake. */
inline look_at(k)
{
#ifdef MUTANT_COUNTS_READ_BESIDE_EACH_LANE
    after = after + counted[k];
#endif
#ifdef MUTANT_WAKE_READ_BEFORE_THE_LANE
    idle = idle && !told[k];
    idle = idle && queued[k] == 0
#else
    idle = idle && queued[k] == 0;
    idle = idle && !told[k]
#endif
}

active proctype host()
{
    atomic {
        queued[0] = 1;
        run shard(0);
        run shard(1)
    };
    do
    :: at_rest -> break
    :: else ->
#ifdef MUTANT_ONE_LOOK
        count_all(before);
        after = before;
        idle = true;
        look_at(0);
        look_at(1);
#else
#ifdef MUTANT_COUNTS_READ_BESIDE_EACH_LANE
        idle = true;
        after = 0;
        look_at(0);
        look_at(1);
        before = after;
        after = 0;
        look_at(0);
        look_at(1);
#else
        count_all(before);
        idle = true;
        look_at(0);
        look_at(1);
        count_all(after);
#endif
#endif
        if
        :: idle && before == after ->
            at_rest = true;
            assert(queued[0] + queued[1] == 0);
            assert(!wake[0] && !wake[1] && !told[0] && !told[1])
        :: else -> skip
        fi
    od
}
