#!/bin/bash
# Builds the probes into out/.
set -e
cd "$(dirname "$0")" && mkdir -p out
for cubin in probe late; do nvcc -arch=sm_90 -cubin -std=c++20 -w $cubin.cu -o out/$cubin.cubin; done
nvcc -arch=sm_90 image.cu -o out/image -lcuda
gcc -O2 -g -w -I/usr/local/cuda/include probe.c -o out/probe -L/usr/local/cuda/lib64/stubs -lcuda -ldl
