#!/bin/bash
# As run5.sh, with the bare echoes first and the pairs last. (Its figures for variants 17 to 24 had a fault:
# once idle they took one message a turn; run5.sh has the right ones.)
export KIND=2 CPU=2
timeout 25 ./loop bare
./run5.sh
timeout 25 ./loop pair
