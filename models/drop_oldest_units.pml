/* DropOldest over unit slots, read by a look at a run of slots at once. (ring.h: unit slots; lane.h: E1; take.h:
 * rk_found_judge)
 *
 * Shown: with nothing ordered but each unit by itself, neither the producer's mark and the units that it writes nor
 * the consumer's look at the mark and at the units, no message is mixed from two, what is delivered comes in order
 * and once, delivered + evicted = accepted, and the newest is delivered. The producers' lock makes them one; a
 * message is its index, in each of two units. */
#define CAPACITY 2
#define LOOK 2 /* slots of one look */
#define TOTAL 5

#define SLOT(index) ((index) % CAPACITY)
#define LAP(index) ((index) / CAPACITY + 1) /* 0: never written */

byte tail, head, evicted;
byte lap_a[CAPACITY], word_a[CAPACITY], lap_b[CAPACITY], word_b[CAPACITY];
bool sent_all;

proctype producer()
{
    byte index, oldest;
    bool marks, first, second;
    do
    :: index == TOTAL -> break
    :: else ->
        oldest = head; /* P1 */
        if
        :: evicted > oldest -> oldest = evicted
        :: else
        fi;
        marks = tail - oldest >= CAPACITY; /* E1 */
        tail++;
        first = true;
        second = true;
        do /* seen in any order */
        :: marks -> atomic { evicted = oldest + 1; marks = false }
        :: first ->
            atomic { lap_a[SLOT(index)] = LAP(index); word_a[SLOT(index)] = index; first = false }
        :: second ->
            atomic { lap_b[SLOT(index)] = LAP(index); word_b[SLOT(index)] = index; second = false }
        :: !marks && !first && !second -> break
        od;
        index++
    od;
    sent_all = true
}

proctype consumer()
{
    byte next, mark, delivered, dropped, i, gone;
    byte a_lap[LOOK], a_word[LOOK], b_lap[LOOK], b_word[LOOK];
    bool over, newest, marked, has_a[LOOK], has_b[LOOK];
    do
    :: over -> break
    :: else ->
        over = sent_all;
        marked = false;
        do /* the look, in any order */
        :: !marked -> atomic { mark = evicted; marked = true }
        :: !has_a[0] -> atomic { a_lap[0] = lap_a[SLOT(next)]; a_word[0] = word_a[SLOT(next)]; has_a[0] = true }
        :: !has_b[0] -> atomic { b_lap[0] = lap_b[SLOT(next)]; b_word[0] = word_b[SLOT(next)]; has_b[0] = true }
        :: !has_a[1] ->
            atomic { a_lap[1] = lap_a[SLOT(next + 1)]; a_word[1] = word_a[SLOT(next + 1)]; has_a[1] = true }
        :: !has_b[1] ->
            atomic { b_lap[1] = lap_b[SLOT(next + 1)]; b_word[1] = word_b[SLOT(next + 1)]; has_b[1] = true }
        :: marked && has_a[0] && has_b[0] && has_a[1] && has_b[1] -> break
        od;
        atomic {
            has_a[0] = false; has_b[0] = false; has_a[1] = false; has_b[1] = false;
            /* rk_found_judge */
            gone = 0;
            if
            :: mark > next -> gone = mark - next
            :: else
            fi;
            i = gone;
            do
            :: i >= LOOK -> break
#ifdef MUTANT_ONE_UNIT_SPEAKS_FOR_ALL
            :: i < LOOK && a_lap[i] != LAP(next + i) -> break
            :: i < LOOK && a_lap[i] == LAP(next + i) ->
#else
            :: i < LOOK && (a_lap[i] != LAP(next + i) || b_lap[i] != LAP(next + i)) ->
#ifdef MUTANT_PASS_OVER_A_GAP
                i++
#else
                break
#endif
            :: i < LOOK && a_lap[i] == LAP(next + i) && b_lap[i] == LAP(next + i) ->
#endif
                assert(a_word[i] == next + i && b_word[i] == next + i);
                delivered++;
                newest = next + i == TOTAL - 1;
                over = false;
                i++
            od;
            if
            :: gone > 0 -> over = false
            :: else
            fi;
#ifdef MUTANT_DELIVER_WHAT_IS_GONE
            if
            :: gone == 1 && a_lap[0] == LAP(next) && b_lap[0] == LAP(next) -> delivered++
            :: else
            fi;
#endif
            dropped = dropped + gone;
            if
            :: i > gone -> next = next + i
            :: else -> next = next + gone
            fi;
            i = 0; gone = 0; mark = 0
        };
        head = next /* the end of a batch */
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
