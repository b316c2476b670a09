/* Draining a cycle: when the host may say that it is at rest. (drain.c: look_at_cycles; loop.h: rk_turn_tell_wake,
 * rk_turn_make_room)
 *
 * Two kernels send to each other or to themselves, and ask for their timer hooks. A shard publishes, counts what it
 * sent, tells the host for which time it asked, and gives the slots of its batch back, in this order; it counts its
 * progress last. Only where its own lane has no room for what it sends to itself it gives the slots back beforehand, with
 * the message in hand: it says that it is parked, and counts, before that. That it is idle it says when it finds its lane
 * empty, and that stands until its next batch is out. The host reads what all have counted, then looks whether each is
 * idle, and reads the counts again.
 *
 * Shown: when the host says that the cycle is at rest, no message lies in a lane or is in hand, and no hook is to come. */
#define KERNELS 2
#define HOPS 3 /* of the message that goes round */

byte queued[KERNELS];   /* messages in its lane, until commit */
byte counted[KERNELS];  /* sent and progress */
bool wake[KERNELS];     /* its own word */
bool told[KERNELS];     /* what the host sees of it */
bool rests[KERNELS];    /* the phase that the host sees is idle */
bool in_hand[KERNELS];  /* a message for its own lane, whose batch is given back already */
byte hops;
bool at_rest;

/* What one batch, or the hook, sends: the message's next hop, to the other kernel, or to its own lane, which has room. */
inline send_on()
{
    if
    :: hops < HOPS -> atomic { hops++; queued[1 - me]++ }; counted[me]++
    :: hops < HOPS -> atomic { hops++; queued[me]++ }; counted[me]++
    :: else
    fi
}

/* The batch is over: the wish is told, and its slots are given back. */
inline give_back()
{
#ifndef MUTANT_WAKE_TOLD_AT_REST
    told[me] = wake[me];
#endif
    queued[me]--
}

/* The next hop goes to its own lane, which the batch itself fills. */
inline send_to_itself_without_room()
{
    atomic { hops++; in_hand[me] = true };
#ifndef MUTANT_GIVEN_BACK_AS_IF_AT_REST
    rests[me] = false;
#endif
#ifndef MUTANT_COUNTED_AFTER_IT_IS_GIVEN_BACK
    counted[me]++;
#endif
    give_back();
#ifdef MUTANT_COUNTED_AFTER_IT_IS_GIVEN_BACK
    counted[me]++;
#endif
    atomic { in_hand[me] = false; queued[me]++ };
    counted[me]++
}

proctype shard(byte me)
{
    end: do
    :: queued[me] > 0 ->
        if
        :: hops < HOPS -> send_to_itself_without_room()
        :: send_on(); give_back(); counted[me]++
        :: wake[me] = true; give_back(); counted[me]++ /* it asks for the hook instead */
        fi;
        rests[me] = false
    :: wake[me] ->
        wake[me] = false;
#ifdef MUTANT_WAKE_TAKEN_BACK_BEFORE_THE_HOOK
        told[me] = false;
#endif
        send_on();
        counted[me]++
    :: queued[me] == 0 && (told[me] != wake[me] || !rests[me]) -> told[me] = wake[me]; rests[me] = true
    od
}

byte before, after;
bool idle;

inline count_all(sum)
{
    sum = counted[0];
    sum = sum + counted[1]
}

/* It says that it is idle, and its lane is empty. The counts of one kernel beside its lane's depth, as one look, are the mistake. */
inline look_at(k)
{
#ifdef MUTANT_COUNTS_READ_BESIDE_EACH_LANE
    after = after + counted[k];
#endif
    idle = idle && rests[k];
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
            assert(queued[0] + queued[1] == 0 && !in_hand[0] && !in_hand[1]);
            assert(!wake[0] && !wake[1] && !told[0] && !told[1])
        :: else -> atomic { before = 0; after = 0; idle = false } /* so that it is the same state as before */
        fi
    od
}
