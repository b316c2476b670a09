#!/bin/bash
T="timeout 25"
for k in 0 1 2 3; do KIND=$k $T ./loop bus | head -1; done
for k in 0 1 2 3; do KIND=$k CPU=2 $T ./loop bare | sed -n 2,4p; done
for c in 0 5 9 14; do echo cpu $c; KIND=2 CPU=$c $T ./loop bare | sed -n 3p; done
export KIND=2
$T ./loop v "7 team" loop_team.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "10b leader alone, all orders relaxed" loop_lonerelax.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "11 7 + all orders relaxed" loop_relax.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "12 11 + two device fences a batch" loop_relaxf.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "13 11 + two system fences a batch" loop_relaxs.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "14 12 + shard and rings copied to shared memory" loop_shared.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "15 14 + stage and copies too, batch 64" loop_shared64.cubin 1 1 1 0 1 64; echo rc $?
$T ./loop v "16 15 without fences" loop_shared64n.cubin 1 1 1 0 1 64; echo rc $?
$T ./loop pair; echo rc $?
