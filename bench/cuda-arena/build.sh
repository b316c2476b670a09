#!/bin/bash
# Builds everything into out/.
cd "$(dirname "$0")" && mkdir -p out
N="nice -n 5 nvcc -arch=sm_90 -cubin -std=c++20 --compiler-options -w -ccbin gcc -w"
L="$N -Iinclude2 -I. -x cu forward.unit.cu"
$N probe.cu -o out/probe.cubin; $N late.cu -o out/late.cubin; $N bare.cu -o out/bare.cubin
$L -o out/loop_base.cubin
$L -DP_UNITS -o out/loop_units.cubin
$L -DP_UNITS -DP_ONE_LANE -o out/loop_onelane.cubin
$L -DP_UNITS -DP_ONE_LANE -DP_TEAM -DP_CMD_TEAM -o out/loop_team.cubin
$L -DP_UNITS -DP_ONE_LANE -DP_TEAM -o out/loop_teamown.cubin
$L -DP_UNITS -DP_ONE_LANE -DP_TEAM -DP_CMD_TEAM -DP_MIRROR_WORDS -o out/loop_words.cubin
$L -DP_UNITS -DP_ONE_LANE -DP_TEAM -DP_CMD_TEAM -DP_MIRROR_LINE -o out/loop_line.cubin
T="-DP_UNITS -DP_ONE_LANE -DP_TEAM -DP_CMD_TEAM -DP_RELAX"
$L $T -o out/loop_relax.cubin
$L $T -DP_FENCE=__threadfence -o out/loop_relaxf.cubin
$L $T -DP_FENCE=__threadfence_system -o out/loop_relaxs.cubin
$L $T -DP_FENCE=__threadfence -DP_SHARED=0 -o out/loop_shared.cubin
$L $T -DP_FENCE=__threadfence -DP_SHARED=64 -o out/loop_shared64.cubin
$L $T -DP_SHARED=64 -o out/loop_shared64n.cubin
$L -DP_UNITS -DP_ONE_LANE -DP_RELAX -o out/loop_lonerelax.cubin
T="$T -DP_NARROW"
$L $T -DP_FENCE=P_ACQ_REL_GPU -o out/loop_n_relaxf.cubin
$L $T -DP_SHARED=0 -o out/loop_n_shared.cubin
$L $T -DP_FENCE=P_ACQ_REL_GPU -DP_SHARED=0 -o out/loop_n_sharedf.cubin
$L $T -DP_SHARED=64 -o out/loop_n64.cubin
$L $T -DP_SHARED=64 -DP_FENCE=P_ACQ_REL_GPU -o out/loop_n64f.cubin
$L $T -DP_SHARED=64 -DP_FENCE=P_ACQ_REL_SYS -o out/loop_n64s.cubin
$L $T -DP_SHARED=64 -DP_MIRROR_WORDS -o out/loop_n64w.cubin
$L $T -DP_SHARED=64 -DP_MIRROR_LINE -o out/loop_n64l.cubin
nice gcc -O2 -g -w -I/usr/local/cuda/include probe.c -o out/probe -L/usr/local/cuda/lib64/stubs -lcuda -ldl
nice gcc -O2 -g -w -mavx512f -Iinclude2 -I/usr/local/cuda/include loop.c -o out/loop -L/usr/local/cuda/lib64/stubs -lcuda -lpthread
