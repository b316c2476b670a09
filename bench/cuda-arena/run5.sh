#!/bin/bash
T="timeout 25"
export KIND=2 CPU=2
$T ./loop v "17 11 + one slot polled when idle + 2 acq_rel.gpu" loop_n_relaxf.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "18 16 + one slot polled when idle" loop_n64.cubin 1 1 1 0 1 64; echo rc $?
$T ./loop v "19 18 + 2 fence.acq_rel.gpu" loop_n64f.cubin 1 1 1 0 1 64; echo rc $?
$T ./loop v "21 18 + 8 counters to pinned" loop_n64w.cubin 1 1 1 1 1 64; echo rc $?
$T ./loop v "22 18 + 16 counters, one store" loop_n64l.cubin 1 1 1 1 1 64; echo rc $?
$T ./loop v "23 shared copy of shard and rings, batch 1024" loop_n_shared.cubin 1 1 1 0 1; echo rc $?
$T ./loop v "24 23 + 2 fence.acq_rel.gpu" loop_n_sharedf.cubin 1 1 1 0 1; echo rc $?
$T ./loop beside; echo rc $?
