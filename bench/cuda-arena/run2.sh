#!/bin/bash
# Variants of the loop: name, cubin, shard (0 host 1 device), rings split, command (0 own word, 1 pinned), mirror, lanes polled.
T="timeout 25"
$T ./loop bare; echo rc $?
$T ./loop v "1 as it is, everything pinned" loop_base.cubin 0 0 0 0 3; echo rc $?
$T ./loop v "2 shard, stage, copies in device memory" loop_base.cubin 1 0 1 0 3; echo rc $?
$T ./loop v "3 + ring headers split" loop_base.cubin 1 1 1 0 3; echo rc $?
$T ./loop v "4 + four units at once" loop_units.cubin 1 1 1 0 3; echo rc $?
$T ./loop v "5 + host lane only polled" loop_onelane.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "6 + command in device memory" loop_onelane.cubin 1 1 0 0 1; echo rc $?
$T ./loop v "7 5 + team takes and publishes, command too" loop_team.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "8 7 + command in device memory" loop_teamown.cubin 1 1 0 0 1; echo rc $?
$T ./loop v "9 7 + 8 counters to pinned, word by word" loop_words.cubin 1 1 1 1 1; echo rc $?
$T ./loop v "10 7 + 16 counters to pinned, one store" loop_line.cubin 1 1 1 1 1; echo rc $?
